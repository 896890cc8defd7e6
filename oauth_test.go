package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// browser keeps cookies, and follows nothing by itself.
type browser struct {
	r       *rig
	cookies map[string]*http.Cookie
	last    *httptest.ResponseRecorder
}

func (r *rig) browser() *browser { return &browser{r: r, cookies: map[string]*http.Cookie{}} }

// get opens an address and gives where the browser is sent.
func (b *browser) get(address string) *url.URL {
	b.r.t.Helper()
	address = strings.TrimPrefix(address, "https://gov.example/gw")
	req := httptest.NewRequest("GET", address, nil)
	for _, c := range b.cookies {
		req.AddCookie(c)
	}
	b.last = httptest.NewRecorder()
	b.r.Handler().ServeHTTP(b.last, req)
	for _, c := range b.last.Result().Cookies() {
		b.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	to, err := url.Parse(b.last.Header().Get("Location"))
	require.NoError(b.r.t, err)
	return to
}

const driver = "https://good.example/cb"

func newOAuthRig(t *testing.T, s store.Store) *rig {
	r := newRig(t, gateway.Options{Store: s, PublicURL: "https://gov.example/gw/", OAuth: gateway.OAuthOptions{Redirects: []string{driver}}})
	r.api.grant = func(x gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
		return gateway.Grant[forumConfig]{
			PlatformID: "S1", Name: "Site 1", Admin: true, Config: forumConfig{Site: "S1", Token: "token-canary"},
			User: gateway.GrantUser{ID: "u1", Name: "Ann"},
		}, nil
	}
	return r
}

// consent goes to the platform's consent page, and gives the state that came along.
func (b *browser) consent(req gateway.AuthRequest) string {
	b.r.t.Helper()
	if req.Plugin == "" {
		req.Plugin = "forum"
	}
	link, err := b.r.AuthorizeURL(b.r.t.Context(), req)
	require.NoError(b.r.t, err)
	require.True(b.r.t, strings.HasPrefix(link, "https://gov.example/gw/auth/"))
	to := b.get(link)
	require.Equal(b.r.t, "forum.example", to.Host, b.last.Body.String())
	return to.Query().Get("state")
}

func (b *browser) comesBack(state string, more ...string) *url.URL {
	q := url.Values{"state": {state}, "code": {"code-canary"}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return b.get("/auth/forum/callback?" + q.Encode())
}

func TestInstall(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newOAuthRig(t, s)
		b := r.browser()
		state := b.consent(gateway.AuthRequest{Redirect: driver, State: "mine&x=1"})
		require.Equal(t, "https://gov.example/gw/auth/forum/callback", r.api.consent.RedirectURI)
		require.NotEmpty(t, r.api.consent.Challenge)
		require.Len(t, b.cookies, 1)
		for _, c := range b.cookies {
			require.True(t, c.HttpOnly)
			require.True(t, c.Secure)
			require.Equal(t, http.SameSiteLaxMode, c.SameSite)
			require.NotContains(t, c.Value, state)
		}
		to := b.comesBack(state)
		require.Equal(t, "no-store", b.last.Header().Get("Cache-Control"))
		require.Equal(t, "no-referrer", b.last.Header().Get("Referrer-Policy"))
		require.Equal(t, "good.example", to.Host)
		require.Equal(t, "mine&x=1", to.Query().Get("state"))
		require.Equal(t, "forum-s1", to.Query().Get("community"))
		require.Empty(t, to.Query().Get("error"))
		require.Empty(t, b.cookies, "the cookie has done its work")
		for _, canary := range []string{"token-canary", "code-canary"} {
			require.NotContains(t, to.String(), canary)
			require.NotContains(t, r.logs.String(), canary)
		}
		require.NotContains(t, r.logs.String(), to.Query().Get("code"))

		result, err := r.Redeem(ctx, to.Query().Get("code"))
		require.NoError(t, err)
		require.Equal(t, "forum-s1", result.Community)
		require.Equal(t, "u1", result.Account.UserID)
		require.True(t, result.Admin)
		_, err = r.Redeem(ctx, to.Query().Get("code"))
		require.ErrorIs(t, err, gateway.NotFound, "once")

		c, err := r.Community(ctx, "forum-s1")
		require.NoError(t, err)
		require.Equal(t, "Site 1", c.Name())
		account, err := c.Account(ctx, "forum", "S1", "u1")
		require.NoError(t, err)
		require.Equal(t, "oauth", account.LinkType)
		accounts, err := c.Accounts(ctx, account.Person)
		require.NoError(t, err)
		require.Equal(t, []gateway.Account{account}, accounts)
		_, err = c.Accounts(ctx, "nobody")
		require.ErrorIs(t, err, gateway.NotFound)

		// Installing again updates in place: state, processes and the person stay.
		inst, err := c.Instance(ctx, "forum")
		require.NoError(t, err)
		p := r.poll(inst, voteAsk())
		require.NoError(t, inst.Pause(ctx, gateway.BadCredentials))
		state = b.consent(gateway.AuthRequest{Redirect: driver})
		result, err = r.Redeem(ctx, b.comesBack(state).Query().Get("code"))
		require.NoError(t, err)
		require.Equal(t, account.Person, result.Account.Person)
		again, err := c.Instance(ctx, "forum")
		require.NoError(t, err)
		require.Equal(t, inst.ID(), again.ID())
		status, _, err := again.Status(ctx)
		require.NoError(t, err)
		require.Equal(t, "active", status, "new credentials are what it waited for")
		require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
		require.NoError(t, inst.Pause(ctx, "by hand"))
		b.comesBack(b.consent(gateway.AuthRequest{Redirect: driver}))
		status, _, err = again.Status(ctx)
		require.NoError(t, err)
		require.Equal(t, "paused", status, "but not what an admin has paused")
		require.Empty(t, r.api.lines("undo"))
	})
}

// Whatever is wrong with the way back: nothing is exchanged.
func TestCallbacksThatAreNotOurs(t *testing.T) {
	for name, way := range map[string]func(r *rig, b *browser) int{
		"forged":   func(r *rig, b *browser) int { b.comesBack("forged"); return 400 },
		"no state": func(r *rig, b *browser) int { b.comesBack(""); return 400 },
		"expired": func(r *rig, b *browser) int {
			state := b.consent(gateway.AuthRequest{Redirect: driver})
			r.clock.advance(10 * time.Minute)
			b.comesBack(state)
			return 400
		},
		"another browser": func(r *rig, b *browser) int {
			state := r.browser().consent(gateway.AuthRequest{Redirect: driver})
			b.comesBack(state)
			return 400
		},
		"another browser with an authorization of its own": func(r *rig, b *browser) int {
			state := r.browser().consent(gateway.AuthRequest{Redirect: driver})
			b.consent(gateway.AuthRequest{Redirect: driver})
			b.comesBack(state)
			return 400
		},
		"a planted cookie": func(r *rig, b *browser) int {
			other := r.browser()
			state := other.consent(gateway.AuthRequest{Redirect: driver})
			for name := range other.cookies {
				b.cookies[name] = &http.Cookie{Name: name, Value: "planted"}
			}
			b.comesBack(state)
			return 400
		},
		"another plugin": func(r *rig, b *browser) int {
			state := b.consent(gateway.AuthRequest{Redirect: driver})
			b.get("/auth/other/callback?code=x&state=" + state)
			return 400
		},
		"denied": func(r *rig, b *browser) int {
			to := b.get("/auth/forum/callback?error=access_denied&state=" + b.consent(gateway.AuthRequest{Redirect: driver}))
			require.Equal(r.t, "denied", to.Query().Get("error"))
			return 302
		},
		"no code": func(r *rig, b *browser) int {
			to := b.get("/auth/forum/callback?state=" + b.consent(gateway.AuthRequest{Redirect: driver + "?code=planted&error=x"}))
			require.Equal(r.t, "invalid", to.Query().Get("error"))
			require.Empty(r.t, to.Query().Get("code"))
			return 302
		},
		"no redirect": func(r *rig, b *browser) int {
			b.get("/auth/forum/callback?error=access_denied&state=" + b.consent(gateway.AuthRequest{}))
			return 400
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newOAuthRig(t, nil)
			b := r.browser()
			code := way(r, b)
			require.Equal(t, code, b.last.Code)
			require.Empty(t, r.api.lines("exchange"))
			list, err := r.Communities(t.Context(), "", 10)
			require.NoError(t, err)
			require.Empty(t, list)
		})
	}
	t.Run("replayed", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		b := r.browser()
		state := b.consent(gateway.AuthRequest{Redirect: driver})
		kept := map[string]*http.Cookie{}
		for k, v := range b.cookies {
			kept[k] = v
		}
		b.comesBack(state)
		b.cookies = kept
		b.comesBack(state)
		require.Equal(t, 400, b.last.Code)
		require.Len(t, r.api.lines("exchange"), 1)
	})
	t.Run("a code that was redeemed too late", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		b := r.browser()
		to := b.comesBack(b.consent(gateway.AuthRequest{Redirect: driver}))
		r.clock.advance(2 * time.Minute)
		_, err := r.Redeem(t.Context(), to.Query().Get("code"))
		require.ErrorIs(t, err, gateway.NotFound)
		for _, code := range []string{"", "x"} {
			_, err = r.Redeem(t.Context(), code)
			require.ErrorIs(t, err, gateway.NotFound)
		}
	})
	t.Run("a link that was used, or is too old", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		link, err := r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum"})
		require.NoError(t, err)
		preview, b, other := r.browser(), r.browser(), r.browser()
		preview.get(link) // a chat program that shows what is behind it
		state := b.get(link).Query().Get("state")
		require.Equal(t, 302, b.last.Code)
		theirs := other.get(link).Query().Get("state")
		b.comesBack(state)
		require.Equal(t, 200, b.last.Code, b.last.Body.String())
		other.comesBack(theirs)
		require.Equal(t, 400, other.last.Code, "it works for one")
		require.Len(t, r.api.lines("exchange"), 1)
		other.get(link)
		require.Equal(t, 400, other.last.Code)
		link, err = r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum"})
		require.NoError(t, err)
		r.clock.advance(time.Hour)
		b.get(link)
		require.Equal(t, 400, b.last.Code)
	})
}

func TestRedirects(t *testing.T) {
	r := newRig(t, gateway.Options{PublicURL: "http://localhost:1", OAuth: gateway.OAuthOptions{Redirects: []string{driver, "https://whole.example"}}})
	for redirect, ok := range map[string]bool{
		"":                                      true,
		driver:                                  true,
		driver + "/":                            true,
		driver + "/below?x=1":                   true,
		"https://GOOD.example/cb":               true,
		"https://whole.example":                 true,
		"https://whole.example/any":             true,
		"https://good.example":                  false,
		"https://good.example/cbx":              false,
		"https://good.example/cb/../x":          false,
		"https://good.example/cb/%2e%2e/x":      false,
		"https://good.example/cb/%2E./x":        false,
		"https://good.example/cb/..%2fx":        false,
		"https://good.example/cb/..%5cx":        false,
		`https://good.example/cb/..\x`:          false,
		`https://good.example\@evil.com/cb`:     false,
		"http://good.example/cb":                false,
		"https://good.example.evil.com/cb":      false,
		"https://good.example@evil.com/cb":      false,
		"https://u:p@good.example/cb":           false,
		"https://good.example:8443/cb":          false,
		"//good.example/cb":                     false,
		"https:good.example/cb":                 false,
		"https:///good.example/cb":              false,
		"javascript:alert(1)":                   false,
		driver + "#fragment":                    false,
		"https://whole.example.evil.com":        false,
		"https://evil.com/https://good.example": false,
		"/cb":                                   false,
		"https://good.example/cb\n":             false,
	} {
		_, err := r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum", Redirect: redirect})
		if ok {
			require.NoError(t, err, redirect)
		} else {
			require.ErrorIs(t, err, gateway.Denied, redirect)
		}
	}
	for _, bad := range []string{"good.example/cb", "ftp://good.example", "https://u@good.example", "https://good.example?x", "https://good.example/#x", "https://"} {
		_, err := gateway.New(gateway.Options{Store: r.store, OAuth: gateway.OAuthOptions{Redirects: []string{bad}}})
		require.ErrorIs(t, err, gateway.Invalid, bad)
	}
	// On a plain http address the cookie cannot be Secure, or the browser would not send it.
	b := r.browser()
	link, err := r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum"})
	require.NoError(t, err)
	b.get(strings.TrimPrefix(link, "http://localhost:1"))
	for _, c := range b.cookies {
		require.False(t, c.Secure)
		require.True(t, c.HttpOnly)
	}
}

func TestWhoMayBegin(t *testing.T) {
	ctx := t.Context()
	r := newOAuthRig(t, nil)
	r.town("town", "S9")
	b := r.browser()
	begin := "/auth/forum/authorize?community=town&redirect_uri=" + url.QueryEscape(driver)
	b.get(begin)
	require.Equal(t, 403, b.last.Code, "there is no Begin hook")

	var asked gateway.AuthRequest
	r.o.OAuth.Begin = func(req *http.Request, a gateway.AuthRequest) error {
		asked = a
		if req.URL.Query().Get("me") != "admin" {
			return gateway.Errorf(gateway.Denied, "who are you?")
		}
		return nil
	}
	r.again()
	b.get(begin)
	require.Equal(t, 403, b.last.Code)
	require.Equal(t, gateway.AuthRequest{Plugin: "forum", Community: "town", Redirect: driver}, asked)
	require.Equal(t, "forum.example", b.get(begin+"&me=admin").Host)
	b.get("/auth/forum/authorize?me=admin&redirect_uri=" + url.QueryEscape("https://evil.example"))
	require.Equal(t, 400, b.last.Code)
	require.Empty(t, b.last.Header().Get("Location"))
	b.get("/auth/forum/authorize?me=admin&community=nowhere")
	require.Equal(t, 400, b.last.Code)
	b.get("/auth/forum/authorize?me=admin&type=other")
	require.Equal(t, 400, b.last.Code)

	for name, a := range map[string]struct {
		req  gateway.AuthRequest
		code gateway.Code
	}{
		"no plugin":    {gateway.AuthRequest{Plugin: "nope"}, gateway.NotFound},
		"no community": {gateway.AuthRequest{Plugin: "forum", Community: "nope"}, gateway.NotFound},
		"no type":      {gateway.AuthRequest{Plugin: "forum", Type: "nope"}, gateway.Invalid},
	} {
		_, err := r.AuthorizeURL(ctx, a.req)
		require.ErrorIs(t, err, a.code, name)
	}
	bare := newRig(t, gateway.Options{})
	_, err := bare.AuthorizeURL(ctx, gateway.AuthRequest{Plugin: "forum"})
	require.ErrorIs(t, err, gateway.Invalid, "nobody could come back")
}

func TestWhereAnInstallBelongs(t *testing.T) {
	install := func(r *rig, req gateway.AuthRequest) (gateway.LoginResult, string) {
		req.Redirect = driver
		b := r.browser()
		to := b.comesBack(b.consent(req))
		if e := to.Query().Get("error"); e != "" {
			return gateway.LoginResult{}, e
		}
		result, err := r.Redeem(r.t.Context(), to.Query().Get("code"))
		require.NoError(r.t, err)
		return result, ""
	}
	t.Run("in another community already", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		r.town("one", "S1")
		two, err := r.CreateCommunity(t.Context(), "two", "Two")
		require.NoError(t, err)
		_, e := install(r, gateway.AuthRequest{Community: "two"})
		require.Equal(t, "conflict", e)
		require.Equal(t, []string{"undo S1"}, r.api.lines("undo"), "not the first: a working installation may hold the same credentials")
		_, err = two.Instance(t.Context(), "forum")
		require.ErrorIs(t, err, gateway.NotFound)

		result, e := install(r, gateway.AuthRequest{Community: "two", Shared: true})
		require.Empty(t, e)
		require.Equal(t, "two", result.Community)
		_, e = install(r, gateway.AuthRequest{})
		require.Equal(t, "conflict", e, "now it must be said which one is meant")
		result, e = install(r, gateway.AuthRequest{Community: "one"})
		require.Empty(t, e)
		require.Equal(t, "one", result.Community)
	})
	t.Run("the name stands for another workspace", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		c, _ := r.town("one", "S9")
		_, e := install(r, gateway.AuthRequest{Community: "one"})
		require.Equal(t, "conflict", e)
		require.Equal(t, []string{"undo S1 first"}, r.api.lines("undo"))
		result, e := install(r, gateway.AuthRequest{Community: "one", Name: "second"})
		require.Empty(t, e)
		require.Equal(t, "second", result.Instance)
		list, err := c.Instances(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 2)
	})
	t.Run("somebody else has the slug", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		theirs, err := r.CreateCommunity(t.Context(), "forum-s1", "Theirs")
		require.NoError(t, err)
		result, e := install(r, gateway.AuthRequest{})
		require.Empty(t, e)
		require.NotEqual(t, "forum-s1", result.Community)
		list, err := theirs.Instances(t.Context())
		require.NoError(t, err)
		require.Empty(t, list, "an install never lands in somebody else's community")
	})
	t.Run("only an admin", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		grant := r.api.grant
		r.api.grant = func(x gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
			g, err := grant(x)
			g.Admin = false
			return g, err
		}
		_, e := install(r, gateway.AuthRequest{RequireAdmin: true})
		require.Equal(t, "denied", e)
		require.Equal(t, []string{"undo S1 first"}, r.api.lines("undo"))
		_, e = install(r, gateway.AuthRequest{})
		require.Empty(t, e)
	})
	t.Run("the plugin refuses it", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		r.api.on("configure", func(context.Context) error { panic("boom") })
		_, e := install(r, gateway.AuthRequest{})
		require.Equal(t, "internal", e)
		require.Equal(t, []string{"undo S1 first"}, r.api.lines("undo"))
	})
	t.Run("the exchange says not where", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		r.api.grant = func(gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
			return gateway.Grant[forumConfig]{}, nil
		}
		_, e := install(r, gateway.AuthRequest{})
		require.Equal(t, "internal", e)
		require.Equal(t, []string{"undo "}, r.api.lines("undo"))
	})
	t.Run("the exchange fails", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		r.api.fails("exchange", gateway.Errorf(gateway.Denied, "no"))
		_, e := install(r, gateway.AuthRequest{})
		require.Equal(t, "denied", e)
		require.Empty(t, r.api.lines("undo"), "there is nothing to undo")
	})
}

func TestLogin(t *testing.T) {
	ctx := t.Context()
	r := newOAuthRig(t, nil)
	one, _ := r.town("one", "S1")
	two, _ := r.town("two", "S2")
	login := func(req gateway.AuthRequest) (gateway.LoginResult, string) {
		req.Type, req.Redirect = gateway.Login, driver
		b := r.browser()
		to := b.comesBack(b.consent(req))
		if e := to.Query().Get("error"); e != "" {
			return gateway.LoginResult{}, e
		}
		result, err := r.Redeem(ctx, to.Query().Get("code"))
		require.NoError(t, err)
		return result, ""
	}
	result, e := login(gateway.AuthRequest{})
	require.Empty(t, e)
	require.Equal(t, "one", result.Community)
	require.Equal(t, "forum", result.Instance)
	result2, e := login(gateway.AuthRequest{Community: "one"})
	require.Empty(t, e)
	require.Equal(t, "S1", r.api.consent.PlatformID, "the plugin is told where")
	require.Equal(t, result.Account.Person, result2.Account.Person)
	_, e = login(gateway.AuthRequest{Community: "two"})
	require.Equal(t, "denied", e, "the account belongs to another workspace")
	_, err := two.Account(ctx, "forum", "S1", "u1")
	require.ErrorIs(t, err, gateway.NotFound)
	_, err = one.Account(ctx, "forum", "S1", "u1")
	require.NoError(t, err)

	grant := r.api.grant
	r.api.grant = func(x gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
		g, err := grant(x)
		g.User.ID = ""
		return g, err
	}
	_, e = login(gateway.AuthRequest{})
	require.Equal(t, "denied", e)
	r.api.grant = func(x gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
		g, err := grant(x)
		g.PlatformID = "S7"
		return g, err
	}
	_, e = login(gateway.AuthRequest{})
	require.Equal(t, "conflict", e)
	require.Empty(t, r.api.lines("undo"), "a login installs nothing")
}
