package fakediscourse

import (
	"crypto/subtle"
	"slices"
	"strings"
	"time"
)

// apiKey is an administrators' API key: of one account, or with user 0 for any, and with scopes or without for everything.
type apiKey struct {
	id      int64
	text    string
	descr   string
	user    int64
	scopes  []Scope
	ips     []string
	revoked bool
	created time.Time
	used    time.Time
	mode    string
}

// Scope is one thing that a granular API key may do, such as "topics" and "write", where it names parameters only with these
// values, such as topic_id "7".
type Scope struct {
	Resource, Action string
	Only             map[string][]string
}

// scopes are Discourse's, with the actions that each is for (after app/models/api_key_scope.rb). Those for deleting, recovering, silencing and
// groups came later than the others: older forums do not have them.
var scopes = map[string][]string{
	"topics:write":             {"posts#create"},
	"topics:update":            {"topics#update", "topics#status"},
	"topics:delete":            {"topics#destroy"},
	"topics:recover":           {"topics#recover"},
	"topics:read":              {"topics#show", "topics#posts"},
	"topics:read_lists":        {"list#latest", "list#top", "list#category_default"},
	"topics:status":            {"topics#status"},
	"posts:edit":               {"posts#update"},
	"posts:delete":             {"posts#destroy"},
	"posts:recover":            {"posts#recover"},
	"posts:list":               {"posts#latest"},
	"categories:list":          {"categories#index"},
	"categories:show":          {"categories#show"},
	"users:show":               {"users#show"},
	"users:check_emails":       {"users#check_emails"},
	"users:update":             {"users#update"},
	"users:log_out":            {"admin/users#log_out"},
	"users:suspend":            {"admin/users#suspend"},
	"users:unsuspend":          {"admin/users#unsuspend"},
	"users:silence":            {"admin/users#silence"},
	"users:unsilence":          {"admin/users#unsilence"},
	"users:list":               {"admin/users#index"},
	"groups:manage_groups":     {"groups#members", "groups#add_members", "groups#remove_member"},
	"groups:administer_groups": {"admin/groups#create", "admin/groups#destroy", "groups#show", "groups#index"},
	"search:show":              {"search#show"},
	"search:query":             {"search#query"},
}

// permits says whether a scope allows a request. Parameters are looked for under Discourse's names for them.
func (s Scope) permits(r *request) bool {
	if s.Resource == "global" && s.Action == "read" {
		return r.http.Method == "GET"
	}
	if !slices.Contains(scopes[s.Resource+":"+s.Action], r.route.action) {
		return false
	}
	for name, values := range s.Only {
		v := r.str(name)
		if v == "" && (name == "topic_id" && strings.HasPrefix(r.route.action, "topics#") || name == "id") {
			v = r.vars["id"]
		}
		if v == "" {
			v = r.vars[name]
		}
		if !slices.Contains(values, v) {
			return false
		}
	}
	return true
}

func (k *apiKey) permits(r *request) bool {
	if r.route.action == "session#scopes" {
		return true // every key may ask what it is for
	}
	if len(k.scopes) == 0 {
		return k.mode != "read_only" || r.http.Method == "GET"
	}
	return slices.ContainsFunc(k.scopes, func(s Scope) bool { return s.permits(r) })
}

// authenticate finds out who asks: with an API key, which comes in headers alone, or with a user API key.
func (r *request) authenticate() error {
	if text := r.http.Header.Get("Api-Key"); text != "" {
		return r.byAPIKey(text)
	}
	if text := r.http.Header.Get("User-Api-Key"); text != "" {
		return r.byUserKey(text)
	}
	return nil
}

func (r *request) byAPIKey(text string) error {
	r.call.Key = "invalid"
	key := r.f.keyByText(text)
	name := r.http.Header.Get("Api-Username")
	var u *user
	switch {
	case key == nil || key.revoked || len(key.ips) > 0 && !slices.Contains(key.ips, addressOf(r.http)):
		return badKey()
	case key.user != 0:
		u = r.f.users[key.user]
		if u != nil && name != "" && !strings.EqualFold(u.username, name) {
			return badKey()
		}
	case name != "":
		u = r.f.userByName(name)
	case r.http.Header.Get("Api-User-Id") != "":
		u = r.f.users[num(r.http.Header.Get("Api-User-Id"))]
	}
	if r.route != nil && len(r.in) == 0 {
		if err := r.readParams(); err != nil {
			return err
		}
	}
	if u == nil || r.route != nil && !key.permits(r) {
		return badKey()
	}
	if u.suspended(r.f.now()) || !u.active {
		return refuse("invalid_access")
	}
	r.call.Key, r.call.User = "api", u.username
	r.key, r.user = key, u
	key.used = r.f.now()
	u.seen = r.f.now()
	if after := r.f.tooMany("key:"+key.text, 60, time.Minute); after > 0 {
		return limited(after, "admin_api_key_rate_limit")
	}
	return nil
}

func (f *Forum) keyByText(text string) *apiKey {
	for _, k := range f.keys {
		if subtle.ConstantTimeCompare([]byte(k.text), []byte(text)) == 1 {
			return k
		}
	}
	return nil
}

// admit refuses whoever a route is not for. Pages of administrators do not exist for others.
func (r *request) admit() error {
	u := r.user
	switch {
	case u == nil && r.f.settings.LoginRequired && !r.route.free:
		return refuse("not_logged_in")
	case r.route.who == members && u == nil:
		return refuse("not_logged_in")
	case r.route.who == staff && (u == nil || !u.staff()), r.route.who == admins && (u == nil || !u.admin):
		return refuse("not_found")
	}
	return nil
}

// tooMany counts a request against a limit, and says how long to wait if it is one too many. The fake counts in a sliding
// window. The caller holds s.mu.
func (f *Forum) tooMany(key string, most int, in time.Duration) time.Duration {
	if !f.s.opt.RateLimits {
		return 0
	}
	now := f.now()
	times := slices.DeleteFunc(f.limits[key], func(t time.Time) bool { return !t.After(now.Add(-in)) })
	if len(times) >= most {
		f.limits[key] = times
		return times[0].Add(in).Sub(now)
	}
	f.limits[key] = append(times, now)
	return 0
}
