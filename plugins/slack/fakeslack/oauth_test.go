package fakeslack_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

const back = "https://gateway.example/oauth/slack"

func (w *world) authorizeURL(kv ...string) string {
	q := url.Values{"client_id": {w.App().ClientID}, "scope": {"chat:write,commands"}, "redirect_uri": {back}, "state": {"s1"}}
	for i := 0; i < len(kv); i += 2 {
		if kv[i+1] == "" {
			q.Del(kv[i])
		} else {
			q.Set(kv[i], kv[i+1])
		}
	}
	return "https://slack.com/oauth/v2/authorize?" + q.Encode()
}

func (w *world) code(kv ...string) string {
	w.t.Helper()
	u, err := w.Authorize(w.ctx, w.authorizeURL(kv...), "T2", "UDORA")
	require.NoError(w.t, err)
	require.Equal(w.t, "s1", u.Query().Get("state"))
	require.True(w.t, strings.HasPrefix(u.String(), back+"?"))
	return u.Query().Get("code")
}

func newOAuthWorld(t *testing.T, o fakeslack.Options) *world {
	w := newWorld(t, o)
	w.AddWorkspace("T2", "Other").AddUser("UDORA", "dora", fakeslack.Owner(), fakeslack.Email("dora@example.org"))
	return w
}

func (w *world) access(kv ...string) map[string]any {
	return w.callAs("", "oauth.v2.access", append([]string{"client_id", w.App().ClientID, "client_secret", w.App().ClientSecret, "redirect_uri", back}, kv...)...)
}

func TestOAuthInstall(t *testing.T) {
	w := newOAuthWorld(t, fakeslack.Options{})
	code := w.code("user_scope", "chat:write")
	res, err := slack.GetOAuthV2ResponseContext(w.ctx, w.Client(), w.App().ClientID, w.App().ClientSecret, code, back)
	require.NoError(t, err)
	require.Equal(t, "T2", res.Team.ID)
	require.Equal(t, "UDORA", res.AuthedUser.ID)
	require.Equal(t, w.App().AppID, res.AppID)
	require.Equal(t, "chat:write,commands", res.Scope)
	id, err := w.as(res.AccessToken).AuthTestContext(w.ctx)
	require.NoError(t, err)
	require.Equal(t, res.BotUserID, id.UserID)
	id, err = w.as(res.AuthedUser.AccessToken).AuthTestContext(w.ctx)
	require.NoError(t, err)
	require.Equal(t, "UDORA", id.UserID)

	require.Equal(t, "code_already_used", w.access("code", code)["error"])
	// Installing again hands out the same token, with more scopes.
	again := w.access("code", w.code("scope", "pins:write"))
	require.Equal(t, res.AccessToken, again["access_token"])
	require.Equal(t, "chat:write,commands,pins:write", again["scope"])

	a := w.callAs(res.AccessToken, "apps.uninstall", "client_id", w.App().ClientID, "client_secret", "wrong")
	require.Equal(t, "bad_client_secret", a["error"])
	a = w.callAs(res.AccessToken, "apps.uninstall", "client_id", w.App().ClientID, "client_secret", w.App().ClientSecret)
	require.Equal(t, true, a["ok"])
	require.Equal(t, "account_inactive", w.callAs(res.AccessToken, "auth.test")["error"])
}

func TestOAuthExchangeRefusals(t *testing.T) {
	w := newOAuthWorld(t, fakeslack.Options{})
	require.Equal(t, "invalid_code", w.access("code", "guess")["error"])
	require.Equal(t, "bad_redirect_uri", w.access("code", w.code(), "redirect_uri", back+"/x")["error"])
	require.Equal(t, "bad_client_secret", w.access("code", w.code(), "client_secret", "x")["error"])
	require.Equal(t, "invalid_client_id", w.access("code", w.code(), "client_id", "x")["error"])
	code := w.code()
	w.clock.Add(10 * time.Minute)
	require.Equal(t, "invalid_code", w.access("code", code)["error"])

	// The client may authenticate by HTTP Basic instead.
	r, err := http.NewRequest(http.MethodPost, "https://slack.com/api/oauth.v2.access",
		strings.NewReader(url.Values{"code": {w.code()}, "redirect_uri": {back}}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(w.App().ClientID, w.App().ClientSecret)
	require.Equal(t, true, w.do(r)["ok"])
}

func TestAuthorizeRefusals(t *testing.T) {
	w := newOAuthWorld(t, fakeslack.Options{RedirectURLs: []string{back}})
	for name, kv := range map[string][]string{
		"client":         {"client_id", "x"},
		"no state":       {"state", ""},
		"no scope":       {"scope", ""},
		"unknown scope":  {"scope", "world:peace"},
		"user scope":     {"scope", "openid"},
		"other redirect": {"redirect_uri", "https://evil.example/oauth/slack"},
		"other team":     {"team", "T9"},
	} {
		_, err := w.Authorize(w.ctx, w.authorizeURL(kv...), "T2", "UDORA")
		require.ErrorIs(t, err, fakeslack.ErrRefused, name)
	}
	_, err := w.Authorize(w.ctx, strings.Replace(w.authorizeURL(), "slack.com", "slack.example", 1), "T2", "UDORA")
	require.ErrorIs(t, err, fakeslack.ErrRefused)
	_, err = w.Authorize(w.ctx, w.authorizeURL(), "T2", "UBOB")
	require.ErrorIs(t, err, fakeslack.ErrRefused, "a stranger")
	u, err := w.Authorize(w.ctx, w.authorizeURL(), "T2", "UDORA", fakeslack.Deny())
	require.NoError(t, err)
	require.Equal(t, "access_denied", u.Query().Get("error"))
	require.Empty(t, u.Query().Get("code"))
	require.Equal(t, "s1", u.Query().Get("state"))
}

func TestTokenRotation(t *testing.T) {
	w := newOAuthWorld(t, fakeslack.Options{TokenRotation: true})
	res := w.access("code", w.code())
	require.EqualValues(t, 12*3600, res["expires_in"])
	token, refresh := res["access_token"].(string), res["refresh_token"].(string)
	w.clock.Add(12 * time.Hour)
	require.Equal(t, "token_expired", w.callAs(token, "auth.test")["error"])
	next := w.access("grant_type", "refresh_token", "refresh_token", refresh)
	require.Equal(t, true, next["ok"], next)
	require.NotEqual(t, token, next["access_token"])
	require.Equal(t, true, w.callAs(next["access_token"].(string), "auth.test")["ok"])
	require.Equal(t, "invalid_refresh_token", w.access("grant_type", "refresh_token", "refresh_token", refresh)["error"], "once only")
	require.Equal(t, next["access_token"], w.Workspace("T2").BotToken())
}

func TestOrgWideInstall(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	one := w.AddWorkspace("T8", "North").InEnterprise("E1", "Org")
	two := w.AddWorkspace("T9", "South").InEnterprise("E1", "Org")
	one.AddUser("UOWN", "own", fakeslack.Owner())
	two.AddUser("UEVA", "eva")
	u, err := w.Authorize(w.ctx, w.authorizeURL("scope", "chat:write,channels:history,channels:read,users:read"), "T8", "UOWN", fakeslack.OrgWide())
	require.NoError(t, err)
	res := w.access("code", u.Query().Get("code"))
	require.Nil(t, res["team"])
	require.Equal(t, true, res["is_enterprise_install"])
	require.Equal(t, "E1", res["enterprise"].(map[string]any)["id"])
	token := res["access_token"].(string)
	two.AddChannel("CS", "south", "UEVA").WithApp()
	require.Equal(t, true, w.callAs(token, "chat.postMessage", "channel", "CS", "text", "hi")["ok"])
	require.Equal(t, "missing_argument", w.callAs(token, "conversations.list")["error"])
	require.Equal(t, true, w.callAs(token, "conversations.list", "team_id", "T9")["ok"])
	_, err = two.Post(w.ctx, "UEVA", "CS", "hello")
	require.NoError(t, err)
	last := w.app.all()[len(w.app.all())-1].json
	require.Equal(t, "T9", last["team_id"])
	require.Equal(t, "E1", last["enterprise_id"])
	require.Equal(t, true, last["authorizations"].([]any)[0].(map[string]any)["is_enterprise_install"])
}

func TestAuthRevokeDeactivatesTheBot(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	require.Equal(t, false, w.call("auth.revoke", "test", "1")["revoked"])
	require.Equal(t, true, w.call("auth.test")["ok"])
	require.Equal(t, true, w.call("auth.revoke")["revoked"])
	require.Equal(t, "token_revoked", w.call("auth.test")["error"])
	require.NotContains(t, w.w.Members("C1"), w.w.BotUserID())
	w.flush()
	require.Equal(t, []string{"tokens_revoked"}, w.app.types())
}

func TestSignInWithSlack(t *testing.T) {
	w := newOAuthWorld(t, fakeslack.Options{})
	q := url.Values{"client_id": {w.App().ClientID}, "scope": {"openid email profile"}, "redirect_uri": {back}, "state": {"s1"},
		"response_type": {"code"}, "nonce": {"n1"}}
	u, err := w.Authorize(w.ctx, "https://slack.com/openid/connect/authorize?"+q.Encode(), "T2", "UDORA")
	require.NoError(t, err)
	require.Equal(t, "invalid_code", w.access("code", u.Query().Get("code"))["error"], "a code to sign in installs nothing")
	a := w.callAs("", "openid.connect.token", "client_id", w.App().ClientID, "client_secret", w.App().ClientSecret,
		"redirect_uri", back, "code", u.Query().Get("code"), "grant_type", "authorization_code")
	require.Equal(t, true, a["ok"], a)
	parts := strings.Split(a["id_token"].(string), ".")
	require.Len(t, parts, 3)
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	res, err := w.Client().Get("https://slack.com/openid/connect/keys")
	require.NoError(t, err)
	defer res.Body.Close()
	var keys struct{ Keys []struct{ N, E string } }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&keys))
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(decode(keys.Keys[0].N)), E: int(new(big.Int).SetBytes(decode(keys.Keys[0].E)).Int64())}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	require.NoError(t, rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], decode(parts[2])))
	var claims map[string]any
	require.NoError(t, json.Unmarshal(decode(parts[1]), &claims))
	require.Equal(t, "n1", claims["nonce"])
	require.Equal(t, w.App().ClientID, claims["aud"])

	info := w.callAs(a["access_token"].(string), "openid.connect.userInfo")
	require.Equal(t, "UDORA", info["sub"])
	require.Equal(t, "T2", info["https://slack.com/team_id"])
	require.Equal(t, "dora@example.org", info["email"])
	require.Equal(t, "missing_scope", w.call("openid.connect.userInfo")["error"])
}

func TestUninstallTakesTheBotOut(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	bot := w.w.BotUserID()
	require.Contains(t, w.w.Members("C1"), bot)
	w.w.Uninstall()
	require.NotContains(t, w.w.Members("C1"), bot)
	w.w.Install()
	require.NotContains(t, w.w.Members("C1"), w.w.BotUserID(), "installing again brings it back nowhere")
}
