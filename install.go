package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/metagov/gateway-go/store"
)

// BadCredentials is the reason of an instance that is paused because its platform does not take its credentials any more. A new
// install resumes it.
const BadCredentials = "bad_credentials"

// conclude exchanges the code and puts what it gave where it belongs. Where further logins are to follow it gives what there is so far.
func (g *Gateway) conclude(ctx context.Context, f *flow, q url.Values) (LoginResult, []leg, error) {
	p := g.plugins[f.plugin()]
	callback, err := g.publicURL("/auth/" + f.plugin() + "/callback")
	if err != nil {
		return LoginResult{}, nil, err
	}
	q.Del("state")
	x := OAuthExchange{
		Type: f.Type, Code: q.Get("code"), Query: q, RedirectURI: callback, Verifier: f.Verifier, PlatformID: g.known(ctx, *f), Email: g.wantsMail(ctx, *f),
		HTTP: g.out.http, Log: g.log.With("plugin", f.plugin()), Now: g.now(),
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.o.Timeout) // a browser that goes away must not leave half an install
	defer cancel()
	var grant Grant[json.RawMessage]
	err = g.guard("exchanging a code of "+f.plugin(), func() (err error) { grant, err = p.m.OAuth.Exchange(ctx, x); return err })
	if f.Type == Login {
		return g.login(ctx, f, grant, err)
	}
	if err != nil && grant.PlatformID == "" {
		return LoginResult{}, nil, err
	}
	result, err := g.settleInstall(ctx, p, *f, grant, err)
	return result, nil, err
}

// settleInstall puts what an exchange gave in its place, or has it taken back, whatever happens to us in between. failed is how
// the exchange itself failed after the platform had given credentials.
func (g *Gateway) settleInstall(ctx context.Context, p *plug, f flow, grant Grant[json.RawMessage], failed error) (LoginResult, error) {
	existing, err := g.installed(ctx, f.Plugin, grant.PlatformID)
	first := err == nil && len(existing) == 0 // who does not know leaves what may be there alone
	var key string
	if err == nil {
		key, err = g.beginInstall(ctx, f.Plugin, grant)
	}
	if failed != nil {
		err = failed
	}
	var inst *Instance
	if err == nil {
		inst, err = g.install(ctx, p, f, grant, existing)
	}
	if err != nil {
		if l, e := g.legOf(ctx, f, f.Community, grant); e == nil {
			g.letGo(ctx, []leg{l})
		}
		undone := g.undo(ctx, p, grant, first)
		if undone == nil && key != "" {
			g.endInstall(ctx, key)
		}
		return LoginResult{}, errors.Join(err, undone)
	}
	g.endInstall(ctx, key)
	return g.welcome(byOAuth(ctx, f.Plugin, grant.User.ID), f, grant, inst) // the instance uses the credentials from here on: nothing is undone
}

func (g *Gateway) installed(ctx context.Context, plugin, platform string) (rows []store.Instance, err error) {
	if platform == "" {
		return nil, Errorf(Internal, "plugin %s: the exchange gave no platform ID", plugin)
	}
	err = g.view(ctx, func(tx store.Tx) (err error) { rows, err = tx.InstancesByPlatform(plugin, platform, 1000); return err })
	return rows, storeError(err, "looking for earlier installs")
}

// install decides where an install belongs, and makes or updates the instance there.
func (g *Gateway) install(ctx context.Context, p *plug, f flow, grant Grant[json.RawMessage], existing []store.Instance) (*Instance, error) {
	if f.RequireAdmin && !grant.Admin {
		return nil, Errorf(Denied, "only an admin of the platform may install here")
	}
	community, name, err := g.place(ctx, f, grant, existing)
	if err != nil {
		return nil, err
	}
	return g.enable(byOAuth(ctx, f.Plugin, grant.User.ID), community, p, name, grant.Config)
}

// welcome lets an instance go on that was waiting for these credentials, and links the account of who installed it.
func (g *Gateway) welcome(ctx context.Context, f flow, grant Grant[json.RawMessage], inst *Instance) (LoginResult, error) {
	if inst.row.Status == statusPaused && inst.row.Reason == BadCredentials {
		if err := inst.Resume(ctx); err != nil {
			return LoginResult{}, err
		}
	}
	result := LoginResult{Type: Install, Community: inst.row.Community, Plugin: f.Plugin, Instance: inst.row.Name, Admin: grant.Admin}
	if grant.User.ID == "" {
		return result, nil
	}
	l, err := g.legOf(ctx, f, inst.row.Community, grant)
	if err != nil {
		return result, err
	}
	f = flow{linkTicket: linkTicket{AuthRequest: AuthRequest{Plugin: f.Plugin, Type: Install, Community: inst.row.Community}}}
	accounts, err := g.settleLogins(ctx, f, []leg{l})
	if err != nil {
		g.letGo(ctx, []leg{l})
		return result, err
	}
	result.Account = accounts[0]
	return result, nil
}

// place finds the community and the name under which an install belongs.
//
// With a community: there, in place of the earlier install of the same platform object if there is one; not, unless the
// request says so, when the object stands in another community. Without: where the object stands already, or in a new community of its own.
func (g *Gateway) place(ctx context.Context, f flow, grant Grant[json.RawMessage], existing []store.Instance) (community, name string, err error) {
	for _, row := range existing {
		if row.Community == f.Community {
			return row.Community, row.Name, nil
		}
	}
	name = f.Name
	if name == "" {
		name = f.Plugin
	}
	switch {
	case f.Community != "" && len(existing) > 0 && !f.Shared:
		return "", "", Errorf(Conflict, "it is installed in another community already")
	case f.Community != "":
		var row store.Instance
		err = g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.InstanceByName(f.Community, name); return err })
		if err == nil && row.PlatformID != "" && row.PlatformID != grant.PlatformID {
			return "", "", Errorf(Conflict, "instance %s of community %s stands for another platform object", name, f.Community)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", "", storeError(err, "looking for instance %s", name)
		}
		return f.Community, name, nil
	case len(existing) == 1:
		return existing[0].Community, existing[0].Name, nil
	case len(existing) > 1:
		return "", "", Errorf(Conflict, "it is installed in several communities; say which one is meant")
	}
	slug := strings.Trim(slugify(f.Plugin+"-"+grant.PlatformID), "-_")
	title := grant.Name
	if title == "" {
		title = grant.PlatformID
	}
	_, err = g.CreateCommunity(ctx, slug, title)
	if errors.Is(err, Conflict) { // whoever has that slug is somebody else
		slug = strings.TrimRight(slug[:min(len(slug), 50)], "-_") + "-" + newToken()[:8]
		_, err = g.CreateCommunity(ctx, slug, title)
	}
	return slug, name, err
}

// slugify makes a community slug of what a platform calls something.
func slugify(s string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			dash = false
		} else {
			dash = true
		}
	}
	out := b.String()
	return out[:min(len(out), 63)]
}
