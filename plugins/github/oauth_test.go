package github_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
)

// browse follows the link of an authorization, agrees at GitHub as somebody, and comes back with what else GitHub puts into the address.
func (r *rig) browse(req gateway.AuthRequest, login string, more url.Values) (out gateway.LoginResult, consent *url.URL, ok bool) {
	r.t.Helper()
	req.Plugin, req.Redirect = "github", "https://driver.example/done"
	link, err := r.AuthorizeURL(r.t.Context(), req)
	require.NoError(r.t, err)
	get := func(to string, cookies []*http.Cookie) *http.Response {
		u, err := url.Parse(to)
		require.NoError(r.t, err)
		q := httptest.NewRequest(http.MethodGet, u.RequestURI(), nil)
		for _, c := range cookies {
			q.AddCookie(c)
		}
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, q)
		return w.Result()
	}
	res := get(link, nil)
	require.Equal(r.t, http.StatusFound, res.StatusCode)
	consent, err = res.Location()
	require.NoError(r.t, err)
	r.n++
	code := "code-" + login
	r.hub.mu.Lock()
	r.hub.codes[code] = login
	r.hub.mu.Unlock()
	q := url.Values{"state": {consent.Query().Get("state")}, "code": {code}}
	for k, v := range more {
		q[k] = v
	}
	res = get("/auth/github/callback?"+q.Encode(), res.Cookies())
	to, err := res.Location()
	if err != nil || to.Query().Get("code") == "" {
		return out, consent, false
	}
	out, err = r.Redeem(r.t.Context(), to.Query().Get("code"))
	require.NoError(r.t, err)
	return out, consent, true
}

func oauthRig(t *testing.T, opts ...func(*github.App, *gateway.Options)) *rig {
	return newRig(t, append(opts, func(_ *github.App, o *gateway.Options) { o.OAuth.Redirects = []string{"https://driver.example/done"} })...)
}

// An installation belongs to whoever owns the account. Its number in the address proves nothing.
func TestInstalling(t *testing.T) {
	at := func(id string) url.Values { return url.Values{"installation_id": {id}, "setup_action": {"install"}} }
	t.Run("an owner", func(t *testing.T) {
		r := oauthRig(t)
		require.NoError(t, r.inst.Remove(t.Context()))
		got, consent, ok := r.browse(gateway.AuthRequest{Community: "town", RequireAdmin: true}, "ada", at(installation))
		require.True(t, ok)
		require.Equal(t, "https://github.com/apps/town-app/installations/new", consent.Scheme+"://"+consent.Host+consent.Path)
		require.Equal(t, "ada", got.Account.UserID)
		inst, err := r.c.Instance(t.Context(), got.Instance)
		require.NoError(t, err)
		require.Equal(t, installation, inst.PlatformID())
		_, err = inst.Do(t.Context(), "create-issue", github.CreateIssue{Repo: github.Repo{Repository: "town"}, Title: "It works"})
		require.NoError(t, err)
	})
	t.Run("with a token that GitHub does not know yet", func(t *testing.T) {
		r := oauthRig(t)
		require.NoError(t, r.inst.Remove(t.Context()))
		first := ""
		r.hub.mu.Lock()
		clear(r.hub.tokens)
		r.hub.fault = func(q *http.Request) *http.Response {
			if bearer := q.Header.Get("Authorization"); q.URL.Path == "/orgs/acme/memberships/ada" && (first == "" || first == bearer) {
				first = bearer
				return refusal(401, "Bad credentials")
			}
			return nil
		}
		r.hub.mu.Unlock()
		_, _, ok := r.browse(gateway.AuthRequest{Community: "town", RequireAdmin: true}, "ada", at(installation))
		require.True(t, ok)
		require.NotEmpty(t, first)
	})
	for name, c := range map[string]struct {
		login string
		query url.Values
	}{
		"a member who is no owner":          {"bob", at(installation)},
		"a stranger who knows the number":   {"eve", at(installation)},
		"no number":                         {"ada", nil},
		"a number that is none":             {"ada", at("../4711")},
		"another number":                    {"ada", at("4712")},
		"a request that an owner must take": {"ada", url.Values{"setup_action": {"request"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := oauthRig(t)
			require.NoError(t, r.inst.Remove(t.Context()))
			_, _, ok := r.browse(gateway.AuthRequest{Community: "town"}, c.login, c.query)
			require.False(t, ok)
			r.Advance(time.Hour)
			require.Empty(t, r.hub.calls(http.MethodDelete, "/app"), "somebody else's installation is not taken away")
			require.True(t, r.hub.installed)
		})
	}
}

// A login says who somebody is, and gives a token that can be refreshed and revoked.
func TestLogIn(t *testing.T) {
	r := oauthRig(t)
	got, consent, ok := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town"}, "ann", nil)
	require.True(t, ok)
	require.Equal(t, "/login/oauth/authorize", consent.Path)
	require.Equal(t, "S256", consent.Query().Get("code_challenge_method"))
	require.Equal(t, "ann", got.Account.UserID)
	require.Len(t, r.hub.calls(http.MethodGet, "/user/emails"), 1)

	raw, err := r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "By ann"}, gateway.OnBehalfOf(got.Account.Person))
	require.NoError(t, err)
	require.Contains(t, string(raw), `"issue_number":1`)
	require.Equal(t, "ann", r.hub.issues[0]["user"].(map[string]any)["login"])
	r.tell("issues", map[string]any{"action": "opened", "issue": r.hub.issues[0], "sender": user("ann")})
	require.NotEmpty(t, r.Events("issues opened")[0].Cause, "an act that we did for ann")

	r.Advance(9 * time.Hour) // the token has ended
	_, err = r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "Again"}, gateway.OnBehalfOf(got.Account.Person))
	require.NoError(t, err)
	posts := r.hub.calls(http.MethodPost, "/repos/acme/town/issues")
	require.Equal(t, "Bearer ghu_fresh", posts[len(posts)-1].Auth)

	require.NoError(t, r.c.Unlink(t.Context(), gateway.AccountRef{Plugin: "github", PlatformID: installation, UserID: "ann"}))
	r.Advance(time.Minute)
	revoked := r.hub.calls(http.MethodDelete, "/applications/Iv1.test/token")
	require.Len(t, revoked, 1)
	require.Contains(t, revoked[0].Body, "ghu_fresh")
}

// Addresses are asked for only where the community compares them, and a code that GitHub does not take logs nobody in.
func TestLogInWithoutAddress(t *testing.T) {
	r := oauthRig(t)
	require.NoError(t, r.c.SetSettings(t.Context(), gateway.Settings{Linking: map[string]bool{gateway.ByEmail: false, gateway.ByEmailConsent: false}}))
	_, _, ok := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town"}, "ann", nil)
	require.True(t, ok)
	require.Empty(t, r.hub.calls(http.MethodGet, "/user/emails"))
	_, _, ok = r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town"}, "ann", url.Values{"code": {"stolen"}})
	require.False(t, ok)
}

// A login that somebody has given up is anybody's to take. Whoever takes it is not taken for who had it.
func TestALoginThatIsSomebodyElsesNow(t *testing.T) {
	r := oauthRig(t)
	before, _, ok := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town"}, "ann", nil)
	require.True(t, ok)
	_, _, ok = r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town"}, "ann", nil)
	require.True(t, ok, "who logs in again is who they were")
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if q.URL.Path == "/user" {
			return respond(200, map[string]any{"login": "ann", "id": 999, "type": "User"})
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, _, ok = r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town"}, "ann", nil)
	require.False(t, ok)
	ref := gateway.AccountRef{Plugin: "github", PlatformID: installation, UserID: "ann"}
	require.NoError(t, r.c.Unlink(t.Context(), ref))
	after, _, ok := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town"}, "ann", nil)
	require.True(t, ok)
	require.NotEqual(t, before.Account.Person, after.Account.Person)
}
