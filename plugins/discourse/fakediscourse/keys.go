package fakediscourse

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// KeyOption says what an API key is for.
type KeyOption func(*Forum, *apiKey)

// ForUser makes an API key one account's, instead of any account's that Api-Username names.
func ForUser(username string) KeyOption {
	return func(f *Forum, k *apiKey) {
		if u := f.userByName(username); u != nil {
			k.user = u.id
		}
	}
}

// WithScopes makes an API key granular.
func WithScopes(s ...Scope) KeyOption { return func(_ *Forum, k *apiKey) { k.scopes = s } }

// ReadOnly makes an API key good for reading alone.
func ReadOnly() KeyOption { return func(_ *Forum, k *apiKey) { k.mode = "read_only" } }

// AllowedIPs makes an API key good for requests from these addresses alone.
func AllowedIPs(ips ...string) KeyOption { return func(_ *Forum, k *apiKey) { k.ips = ips } }

// NewKey makes an API key, as an administrator does, and returns its text.
func (f *Forum) NewKey(opts ...KeyOption) string {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	k := f.newKey("made by hand")
	for _, o := range opts {
		o(f, k)
	}
	return k.text
}

func (f *Forum) newKey(descr string) *apiKey {
	k := &apiKey{id: f.nextID("key"), text: "fake-api-key-" + secretText(16), descr: descr, created: f.now()}
	f.keys[k.id] = k
	return k
}

// RevokeKey revokes an API key.
func (f *Forum) RevokeKey(text string) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if k := f.keyByText(text); k != nil {
		k.revoked = true
	}
}

// show is an API key as administrators see it; its text only when it is made.
func (f *Forum) showKey(k *apiKey, text bool) object {
	o := object{"id": k.id, "truncated_key": k.text[:4] + "...", "description": k.descr, "created_at": iso(k.created),
		"updated_at": iso(k.created), "last_used_at": iso(k.used), "revoked_at": nil, "user": nil, "scope_mode": "global"}
	if text {
		o["key"] = k.text
	}
	if k.revoked {
		o["revoked_at"] = iso(f.now())
	}
	if u := f.users[k.user]; u != nil {
		o["user"] = f.basicUser(u)
	}
	all := []object{}
	for _, s := range k.scopes {
		all = append(all, object{"resource": s.Resource, "action": s.Action, "parameters": []string{}, "allowed_parameters": s.Only})
	}
	o["api_key_scopes"] = all
	if len(all) > 0 {
		o["scope_mode"] = "granular"
	}
	return o
}

func (r *request) listKeys() (any, error) {
	var all []*apiKey
	for _, k := range r.f.keys {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *apiKey) int { return cmp.Compare(a.id, b.id) })
	out := []object{}
	for _, k := range all {
		out = append(out, r.f.showKey(k, false))
	}
	return object{"keys": out}, nil
}

func (r *request) createKey() (any, error) {
	in := r.object("key")
	if in == nil {
		return nil, missing("key")
	}
	var owner int64
	if name := text(in["username"]); name != "" {
		u := r.f.userByName(name)
		if u == nil {
			return nil, refuse("not_found")
		}
		owner = u.id
	}
	var all []Scope
	given, _ := in["scopes"].([]any)
	for _, x := range given {
		scope, err := readScope(x)
		if err != nil {
			return nil, err
		}
		all = append(all, scope)
	}
	k := r.f.newKey(text(in["description"]))
	k.user, k.scopes = owner, all
	return object{"key": r.f.showKey(k, true)}, nil
}

// readScope reads a scope as a request for a key has it: what names it, and parameters.
func readScope(v any) (Scope, error) {
	in, _ := v.(object)
	id := text(in["scope_id"])
	if scopes[id] == nil && id != "global:read" {
		return Scope{}, badParam("scopes")
	}
	var s Scope
	s.Resource, s.Action, _ = strings.Cut(id, ":")
	for name, v := range in {
		if values := texts(v); name != "scope_id" && len(values) > 0 {
			if s.Only == nil {
				s.Only = map[string][]string{}
			}
			s.Only[name] = values
		}
	}
	return s, nil
}

func (r *request) revokeKey() (any, error) {
	k := r.f.keys[r.id()]
	if k == nil {
		return nil, refuse("not_found")
	}
	k.revoked = true
	return done()
}

func (r *request) deleteKey() (any, error) {
	if r.f.keys[r.id()] == nil {
		return nil, refuse("not_found")
	}
	delete(r.f.keys, r.id())
	return done()
}

// sessionScopes is what the key that asks is for. A key without scopes is for everything.
func (r *request) sessionScopes() (any, error) {
	if r.key == nil {
		return nil, refuse("not_found")
	}
	out := []object{}
	for _, s := range r.key.scopes {
		allowed, params := object{}, any(nil)
		for name, values := range s.Only {
			allowed[name] = values
		}
		if len(allowed) > 0 {
			params = slices.Sorted(maps.Keys(s.Only))
		}
		out = append(out, object{"resource": s.Resource, "action": s.Action, "key": s.Action, "parameters": params, "urls": urlsOf(s),
			"allowed_parameters": allowed})
	}
	return object{"scopes": out}, nil
}

// urlsOf lists the routes that a scope allows.
func urlsOf(s Scope) []string {
	if s.Resource == "global" {
		return []string{"* (get)"}
	}
	out := []string{}
	for _, r := range tableOfRoutes() { // not the variable, which refers to this
		if slices.Contains(scopes[s.Resource+":"+s.Action], r.action) {
			out = append(out, r.path+" ("+r.method+")")
		}
	}
	return out
}
