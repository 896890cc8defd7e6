package github

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// tokenEarly is how long before its end an installation token is not used any more; they last an hour.
const tokenEarly = 5 * time.Minute

// tokenLag is how long an installation token may be unknown to a part of GitHub after it was made. GitHub's own client waits about as long
// (https://github.com/octokit/auth-app.js/issues/65, 2026-11).
const tokenLag = 5 * time.Second

// tokens are the installations' tokens, in memory only: a program that starts makes new ones. They belong to the app, because an
// instance's value is made again whenever its configuration changes.
type tokens struct {
	mu  sync.Mutex
	all map[string]*token // by installation, and what it was known to let the app do: what is granted later only later tokens may do
}

// token is one installation's. Its mutex is held while one is made, so that many at once make one.
type token struct {
	turn    chan struct{} // holds one: whose turn it is
	access  gateway.Secret
	expires time.Time
}

func newTokens() *tokens { return &tokens{all: map[string]*token{}} }

func (t *tokens) of(key string) *token {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.all[key]
	if one == nil {
		one = &token{turn: make(chan struct{}, 1)}
		t.all[key] = one
	}
	return one
}

// installation gives a token that still works for a while, made when the installation was known to have these permissions. refused is one that GitHub
// does not take, which is not given again.
func (a *app) installation(ctx context.Context, h *http.Client, id string, permissions []string, now time.Time, refused gateway.Secret) (gateway.Secret, error) {
	t := a.tokens.of(id + " " + strings.Join(permissions, " "))
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return "", gateway.Errorf(gateway.Unavailable, "github: waiting for an installation token: %w", ctx.Err())
	}
	defer func() { <-t.turn }()
	if t.access != "" && t.access != refused && now.Add(a.clock.get()+tokenEarly).Before(t.expires) {
		return t.access, nil
	}
	var out struct {
		Token   gateway.Secret `json:"token"`
		Expires time.Time      `json:"expires_at"`
	}
	t.access = ""
	if err := a.asApp(h, at(now)).json(ctx, request{method: http.MethodPost, path: "/app/installations/" + id + "/access_tokens", repeat: true}, &out); err != nil {
		return "", err
	}
	if out.Token == "" || out.Expires.IsZero() {
		return "", gateway.Errorf(gateway.Unavailable, "github: making an installation token: there is none in the answer")
	}
	t.access, t.expires = out.Token, out.Expires
	return t.access, nil
}

// asApp is a client that speaks as the app itself, with a token for each request: it lasts a few minutes only, and a long list takes longer.
func (a *app) asApp(h *http.Client, now func() time.Time) *client {
	signs := func(context.Context, gateway.Secret) (gateway.Secret, error) { return a.jwt(now().Add(a.clock.get())) }
	return &client{http: h, now: now, who: "app", token: signs, once: true, clock: &a.clock}
}

// at is a clock for what is over at once.
func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// as is a client with a given token, which is not exchanged.
func as(h *http.Client, now func() time.Time, t gateway.Secret) *client {
	return &client{http: h, now: now, who: "user", token: func(context.Context, gateway.Secret) (gateway.Secret, error) { return t, nil }, once: true}
}

// own is the client that speaks as this installation.
func (g *GitHub) own() *client {
	return &client{http: g.HTTP, now: g.Now, who: g.config.InstallationID, made: true, token: func(ctx context.Context, refused gateway.Secret) (gateway.Secret, error) {
		t, err := g.app.installation(ctx, g.HTTP, g.config.InstallationID, g.config.Permissions, g.Now(), refused)
		return t, g.gone(ctx, err)
	}}
}

// client is whoever the call is done as: the installation, or the person on whose behalf it is.
func (g *GitHub) client(ctx context.Context) *client {
	acting, ok := gateway.ActingAs(ctx)
	if !ok {
		return g.own()
	}
	return &client{http: g.HTTP, now: g.Now, who: "user:" + acting.UserID, account: g.config.Account, token: func(ctx context.Context, refused gateway.Secret) (gateway.Secret, error) {
		if refused == "" {
			return acting.Token, nil
		}
		return acting.Renew(ctx)
	}}
}

// gone pauses the instance where GitHub does not know the installation any more: the app was uninstalled. It is asked once more in another way, because not
// all of GitHub knows at once of a new one.
func (g *GitHub) gone(ctx context.Context, err error) error {
	if refusedWith(err, http.StatusNotFound, http.StatusGone) {
		if _, e := g.app.read(ctx, g.app.asApp(g.HTTP, g.Now), g.config.InstallationID); !refusedWith(e, http.StatusNotFound, http.StatusGone) {
			return &gateway.Error{Code: gateway.Unavailable, After: secondaryWait, Err: err}
		}
		if e := g.Pause(ctx, gateway.BadCredentials); e != nil {
			g.Log.WarnContext(ctx, "the instance could not be paused", "error", e)
		}
		return &gateway.Error{Code: gateway.Denied, Err: err}
	}
	if refusedWith(err, http.StatusUnauthorized) { // the app's own key: nothing that the community could mend
		return &gateway.Error{Code: gateway.Unavailable, After: suspendedWait, Err: err}
	}
	if refusedWith(err, http.StatusForbidden) { // suspended, or as good as that
		return &gateway.Error{Code: gateway.Unavailable, After: suspendedWait, Err: err}
	}
	return err
}

// suspendedWait is when what somebody else has to mend is tried again.
const suspendedWait = 5 * time.Minute
