package fakegithub_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

const back = "https://gateway.example/callback"

// trade posts to the login's token route, and reads the answer, which is a form.
func (w *world) trade(v url.Values) url.Values {
	w.t.Helper()
	if !v.Has("client_id") {
		v.Set("client_id", w.App().ClientID)
		v.Set("client_secret", w.App().ClientSecret)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", "https://github.com/login/oauth/access_token", strings.NewReader(v.Encode()))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := w.Client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	require.Equal(w.t, http.StatusOK, res.StatusCode, "refusals too")
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	out, err := url.ParseQuery(string(raw))
	require.NoError(w.t, err)
	return out
}

// query is what came back in the address.
func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, "gateway.example", u.Host)
	return u.Query()
}

func (w *world) authorizeURL(more url.Values) string {
	v := url.Values{"client_id": {w.App().ClientID}, "redirect_uri": {back}, "state": {"s1"}}
	for k := range more {
		v.Set(k, more.Get(k))
	}
	return "https://github.com/login/oauth/authorize?" + v.Encode()
}

func TestLogin(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	to, err := w.Authorize("ada", w.authorizeURL(nil), "")
	require.NoError(t, err)
	q := query(t, to)
	require.Equal(t, "s1", q.Get("state"))
	got := w.trade(url.Values{"code": {q.Get("code")}, "redirect_uri": {back}})
	require.Equal(t, "28800", got.Get("expires_in"))
	require.Equal(t, "bad_verification_code", w.trade(url.Values{"code": {q.Get("code")}}).Get("error"), "a code works once")

	user := w.as(got.Get("access_token"))
	me, _, err := user.Users.Get(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, "ada", me.GetLogin())
	_, _, err = user.Users.ListEmails(t.Context(), nil)
	refusedWith(t, err, 403, "Resource not accessible by integration")
	w.AllowEmails()
	mails, _, err := user.Users.ListEmails(t.Context(), nil)
	require.NoError(t, err)
	require.True(t, mails[0].GetVerified())

	fresh := w.trade(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Get("refresh_token")}})
	require.NotEmpty(t, fresh.Get("access_token"))
	_, _, err = user.Users.Get(t.Context(), "")
	refusedWith(t, err, 401, "Bad credentials")
	require.Equal(t, "bad_refresh_token", w.trade(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Get("refresh_token")}}).Get("error"))

	user = w.as(fresh.Get("access_token"))
	w.clock.add(8 * time.Hour)
	_, _, err = user.Users.Get(t.Context(), "")
	refusedWith(t, err, 401, "Bad credentials")
	third := w.trade(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fresh.Get("refresh_token")}})
	_, err = w.as("").Authorizations.Revoke(t.Context(), w.App().ClientID, third.Get("access_token"))
	require.Error(t, err, "the app's client credentials are needed")
	w.Revoke("ada")
	require.Equal(t, "bad_refresh_token", w.trade(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {third.Get("refresh_token")}}).Get("error"))
	require.Equal(t, "github_app_authorization", w.hook.last(t).header.Get("X-GitHub-Event"))
}

func TestLoginRefused(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	sum := sha256.Sum256([]byte("verifier"))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	code := func(more url.Values) string {
		to, err := w.Authorize("ada", w.authorizeURL(more), "")
		require.NoError(t, err)
		return query(t, to).Get("code")
	}
	proven := url.Values{"code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	for name, c := range map[string]struct {
		ask  url.Values
		want string
	}{
		"another secret":     {url.Values{"code": {code(nil)}, "client_id": {w.App().ClientID}, "client_secret": {"x"}}, "incorrect_client_credentials"},
		"no code":            {url.Values{}, "bad_verification_code"},
		"a wrong verifier":   {url.Values{"code": {code(proven)}, "code_verifier": {"x"}}, "bad_verification_code"},
		"the right verifier": {url.Values{"code": {code(proven)}, "code_verifier": {"verifier"}}, ""},
		"another redirect":   {url.Values{"code": {code(nil)}, "redirect_uri": {"https://evil.example"}}, "redirect_uri_mismatch"},
		"another grant":      {url.Values{"grant_type": {"password"}}, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, w.trade(c.ask).Get("error")) })
	}
	old := code(nil)
	w.clock.add(10 * time.Minute)
	require.Equal(t, "bad_verification_code", w.trade(url.Values{"code": {old}}).Get("error"))
	_, err := w.Authorize("ada", w.authorizeURL(url.Values{"redirect_uri": {"https://evil.example"}}), "")
	require.ErrorIs(t, err, fakegithub.ErrRefused)
	_, err = w.Authorize("ada", w.authorizeURL(url.Values{"client_id": {"other"}}), "")
	require.ErrorIs(t, err, fakegithub.ErrRefused)
	to, err := w.Deny(w.authorizeURL(nil))
	require.NoError(t, err)
	require.Equal(t, "access_denied", query(t, to).Get("error"))
}

func TestInstallPage(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	page := "https://github.com/apps/town-app/installations/new?state=s2"
	to, err := w.Authorize("ada", page, "ada")
	require.NoError(t, err)
	q := query(t, to)
	require.Equal(t, "install", q.Get("setup_action"))
	require.Equal(t, "s2", q.Get("state"))
	token := w.trade(url.Values{"code": {q.Get("code")}}).Get("access_token")
	list, _, err := w.as(token).Apps.ListUserInstallations(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, list, 2, "acme's, and her own")

	to, err = w.Authorize("ada", page, "acme")
	require.NoError(t, err)
	require.Equal(t, "update", query(t, to).Get("setup_action"), "it is there already")
	require.Equal(t, itoa(int(w.inst)), query(t, to).Get("installation_id"))

	to, err = w.Authorize("bob", page, "acme")
	require.NoError(t, err)
	require.Equal(t, "request", query(t, to).Get("setup_action"), "he owns nothing there")
	require.Empty(t, query(t, to).Get("installation_id"))
	list, _, err = w.as(w.LogIn("bob")).Apps.ListUserInstallations(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, list, 1, "members see their organisation's")
	list, _, err = w.as(w.LogIn("eve")).Apps.ListUserInstallations(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, list)
}

// A person's token may do what both the person and the app may do.
func TestOnBehalf(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	_, err := w.repo.OpenIssue("eve", "mine", "")
	require.NoError(t, err)
	status, _, out := w.raw(w.LogIn("eve"), "POST", "/repos/acme/town/issues/1/comments", `{"body":"by me"}`)
	require.Equal(t, 201, status)
	require.Equal(t, "eve", out["user"].(map[string]any)["login"])
	status, _, _ = w.raw(w.LogIn("eve"), "PUT", "/repos/acme/town/issues/1/lock", "")
	require.Equal(t, 403, status)
	status, _, _ = w.raw(w.LogIn("bob"), "PUT", "/orgs/acme/blocks/eve", "")
	require.Equal(t, 403, status)
	status, _, _ = w.raw(w.LogIn("ada"), "PUT", "/orgs/acme/blocks/zoe", "")
	require.Equal(t, 404, status, "nobody has that name")
	status, _, _ = w.raw(w.LogIn("ada"), "PUT", "/orgs/acme/blocks/eve", "")
	require.Equal(t, 204, status)
	require.NoError(t, w.SetPermissions(w.inst, nil))
	status, _, _ = w.raw(w.LogIn("ada"), "DELETE", "/orgs/acme/blocks/eve", "")
	require.Equal(t, 403, status, "the app may not")
}
