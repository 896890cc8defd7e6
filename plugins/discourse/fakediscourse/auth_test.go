package fakediscourse_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// with asks with a key of its own.
func (w *world) with(key, as, method, path, body string) answer {
	w.Helper()
	headers := []string{"Api-Key", key}
	if as != "" {
		headers = append(headers, "Api-Username", as)
	}
	return w.send("", method, path, body, headers...)
}

func TestAPIKeys(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	own := w.f.NewKey(fakediscourse.ForUser("bob"))
	read := w.f.NewKey(fakediscourse.ReadOnly())
	dead, away := w.f.NewKey(), w.f.NewKey(fakediscourse.AllowedIPs("192.0.2.7"))
	w.f.RevokeKey(dead)
	for name, c := range map[string]struct {
		key, as, method, path string
		status                int
	}{
		"any":                  {w.key, "bob", "GET", "/latest.json", 200},
		"any, other case":      {w.key, "BOB", "GET", "/latest.json", 200},
		"any, no name":         {w.key, "", "GET", "/latest.json", 403},
		"any, unknown name":    {w.key, "nemo", "GET", "/latest.json", 403},
		"unknown":              {"fake-api-key-none", "bob", "GET", "/latest.json", 403},
		"revoked":              {dead, "bob", "GET", "/latest.json", 403},
		"from elsewhere":       {away, "bob", "GET", "/latest.json", 403},
		"own":                  {own, "bob", "GET", "/latest.json", 200},
		"own, no name":         {own, "", "GET", "/latest.json", 200},
		"own, another's name":  {own, "carla", "GET", "/latest.json", 403},
		"own, no page for him": {own, "bob", "GET", "/admin/users.json", 404},
		"read":                 {read, "system", "GET", "/admin/users.json", 200},
		"read, writing":        {read, "system", "PUT", "/admin/users/42/unsuspend.json", 403},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.with(c.key, c.as, c.method, c.path, "")
			require.Equal(t, c.status, a.status, string(a.body))
			if c.status == 403 {
				require.Equal(t, "invalid_access", a.at(t, "error_type"))
				require.Contains(t, a.at(t, "errors", 0), "The API username or key is invalid.")
			}
		})
	}
	require.Equal(t, 200, w.send("", "GET", "/latest.json?api_key="+w.key+"&api_username=system", "").status)
	require.Equal(t, "none", w.s.Calls()[len(w.s.Calls())-1].Key, "a key in the query is none")
	require.Equal(t, "bob", w.with(own, "", "GET", "/session/current.json", "").at(t, "current_user", "username"))
}

func TestScopes(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, _ := w.topic(hello)
	other, _ := w.topic(hello + " Twice.")
	key := w.f.NewKey(fakediscourse.WithScopes(
		fakediscourse.Scope{Resource: "topics", Action: "write", Only: map[string][]string{"topic_id": {num(topic)}}},
		fakediscourse.Scope{Resource: "topics", Action: "read", Only: map[string][]string{"topic_id": {num(topic)}}},
		fakediscourse.Scope{Resource: "users", Action: "suspend"}))
	status := func(method, path, body string) int { return w.with(key, "system", method, path, body).status }
	require.Equal(t, 200, status("POST", "/posts.json", `{"topic_id":`+num(topic)+`,"raw":"`+hello+`"}`))
	require.Equal(t, 403, status("POST", "/posts.json", `{"topic_id":`+num(other)+`,"raw":"`+hello+`"}`))
	require.Equal(t, 403, status("POST", "/posts.json", `{"title":"A topic of its own","raw":"`+hello+`"}`))
	require.Equal(t, 200, status("GET", "/t/"+num(topic)+".json", ""))
	require.Equal(t, 403, status("GET", "/t/"+num(other)+".json", ""))
	require.Equal(t, 200, status("PUT", "/admin/users/42/suspend.json", `{"suspend_until":"2030-01-01","reason":"x"}`))
	require.Equal(t, 403, status("PUT", "/admin/users/42/unsuspend.json", ""))
	require.Equal(t, 403, status("GET", "/admin/api/web_hooks.json", ""))
	a := w.with(key, "system", "GET", "/session/scopes.json", "")
	require.Equal(t, "suspend", a.at(t, "scopes", 2, "key"))
	require.Equal(t, "/admin/users/{id}/suspend (PUT)", a.at(t, "scopes", 2, "urls", 0))
	require.Empty(t, w.ok("GET", "/session/scopes.json", "").at(t, "scopes"))

	all := w.f.NewKey(fakediscourse.WithScopes(fakediscourse.Scope{Resource: "global", Action: "read"}))
	require.Equal(t, 200, w.with(all, "system", "GET", "/admin/users.json", "").status)
	require.Equal(t, 403, w.with(all, "system", "PUT", "/admin/users/42/unsuspend.json", "").status)

	// Keys by the API: the text is told once.
	k := w.ok("POST", "/admin/api/keys.json", `{"key":{"description":"x","scopes":[{"scope_id":"users:suspend"}]}}`)
	id := num(int64(k.at(t, "key", "id").(float64)))
	require.Equal(t, 403, w.with(k.at(t, "key", "key").(string), "system", "GET", "/latest.json", "").status)
	require.NotContains(t, string(w.ok("GET", "/admin/api/keys.json", "").body), k.at(t, "key", "key"))
	only := w.ok("POST", "/admin/api/keys.json", `{"key":{"description":"x","scopes":[{"scope_id":"topics:read","topic_id":"`+num(topic)+`"}]}}`).at(t, "key", "key").(string)
	require.Equal(t, 200, w.with(only, "system", "GET", "/t/"+num(topic)+".json", "").status)
	require.Equal(t, 403, w.with(only, "system", "GET", "/t/"+num(other)+".json", "").status)
	w.refused(400, "scopes", "system", "POST", "/admin/api/keys.json", `{"key":{"description":"x","scopes":[{"scope_id":"evil:thing"}]}}`)
	w.ok("POST", "/admin/api/keys/"+id+"/revoke.json", "")
	w.ok("DELETE", "/admin/api/keys/"+id+".json", "")
	w.refused(404, "not_found", "system", "DELETE", "/admin/api/keys/"+id+".json", "")
}

func TestRateLimits(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{RateLimits: true})
	for range 50 {
		w.ok("GET", "/site/basic-info.json", "")
	}
	a := w.send("system", "GET", "/latest.json", "")
	require.Equal(t, 429, a.status)
	require.Equal(t, "10", a.header.Get("Retry-After"))
	require.Contains(t, a.header.Get("Content-Type"), "text/plain")
	w.pass(10 * time.Second)
	for range 10 {
		w.ok("GET", "/latest.json", "")
	}
	a = w.refused(429, "rate_limit", "system", "GET", "/latest.json", "")
	require.Equal(t, "50", a.header.Get("Retry-After"))
	require.Equal(t, 50.0, a.at(t, "extras", "wait_seconds"))
	require.Equal(t, 200, w.with(w.f.NewKey(), "system", "GET", "/latest.json", "").status, "another key has a limit of its own")
	w.pass(50 * time.Second)
	w.ok("GET", "/latest.json", "")

	key := w.f.NewUserKey("bob", "read")
	for i := range 21 {
		a := w.send("", "GET", "/latest.json", "", "User-Api-Key", key)
		require.Equal(t, map[bool]int{true: 200, false: 429}[i < 20], a.status)
	}
}

func TestUserKeys(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.Set(func(s *fakediscourse.Settings) { s.AllowedUserAPIAuthRedirects = []string{"https://gateway.example/*"} })
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	require.NoError(t, err)
	q := url.Values{"public_key": {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}, "nonce": {"n1"}, "scopes": {"read,session_info"},
		"client_id": {"c1"}, "application_name": {"Gateway"}, "auth_redirect": {"https://gateway.example/back?x=1"}}
	page := func(change ...string) string {
		v := url.Values{}
		for k, x := range q {
			v[k] = x
		}
		for i := 0; i+1 < len(change); i += 2 {
			v.Set(change[i], change[i+1])
		}
		return base + "/user-api-key/new?" + v.Encode()
	}
	for _, bad := range [][]string{{"auth_redirect", "https://evil.example/"}, {"scopes", "evil"}, {"public_key", "x"}, {"nonce", ""}} {
		_, err := w.f.Authorize("bob", page(bad...))
		require.ErrorIs(t, err, fakediscourse.ErrRefused, bad)
	}
	_, err = w.f.Authorize("", page())
	require.ErrorIs(t, err, fakediscourse.ErrRefused)
	to, err := w.f.Authorize("bob", page())
	require.NoError(t, err)
	back, err := url.Parse(to)
	require.NoError(t, err)
	require.Equal(t, "1", back.Query().Get("x"))
	require.Contains(t, back.Query().Get("payload"), "\n", "Discourse breaks it into lines")
	sealed, err := base64.StdEncoding.DecodeString(back.Query().Get("payload"))
	require.NoError(t, err)
	//lint:ignore SA1019 it is what Discourse does
	text, err := rsa.DecryptPKCS1v15(nil, private, sealed)
	require.NoError(t, err)
	var got struct{ Key, Nonce string }
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, "n1", got.Nonce)

	ask := func(method, path string) answer {
		return w.send("", method, path, "", "User-Api-Key", got.Key, "User-Api-Client-Id", "c1")
	}
	require.Equal(t, "bob", ask("GET", "/session/current.json").at(t, "current_user", "username"))
	require.Equal(t, 200, ask("GET", "/latest.json").status)
	require.Equal(t, 403, ask("PUT", "/u/bob.json").status, "it may only read")
	require.Equal(t, 403, ask("GET", "/admin/users.json").status)
	require.Equal(t, 200, ask("POST", "/user-api-key/revoke.json").status)
	require.Equal(t, 403, ask("GET", "/latest.json").status)
	require.Equal(t, 302, w.send("", "GET", "/user-api-key/new?"+q.Encode(), "").status)

	write := w.f.NewUserKey("bob", "write")
	require.Equal(t, 200, w.send("", "PUT", "/u/bob.json", `{"name":"B"}`, "User-Api-Key", write).status)
	w.f.RevokeUserKey(write)
	require.Equal(t, 403, w.send("", "PUT", "/u/bob.json", `{"name":"B"}`, "User-Api-Key", write).status)
}

func TestDiscourseConnect(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	page := func(secret, returns, more string) string {
		payload := base64.StdEncoding.EncodeToString([]byte("nonce=n1&return_sso_url=" + url.QueryEscape(returns) + more))
		return base + "/session/sso_provider?" + url.Values{"sso": {payload}, "sig": {fakediscourse.SignConnect(secret, payload)}}.Encode()
	}
	const back = "https://gateway.example/back?x=1"
	_, err := w.f.Authorize("bob", page("fake-secret", back, ""))
	require.ErrorContains(t, err, "not_found") // it is switched off
	w.f.Set(func(s *fakediscourse.Settings) {
		s.EnableDiscourseConnectProvider = true
		s.DiscourseConnectProviderSecrets = map[string]string{"gateway.example": "fake-secret", "*.wild.example": "fake-wild"}
	})
	for _, bad := range []string{page("other", back, ""), page("fake-secret", "https://evil.example/", ""), page("fake-secret", "", ""), base + "/session/sso_provider?sso=%21&sig=x",
		base + "/other", "https://evil.example/session/sso_provider"} {
		_, err := w.f.Authorize("bob", bad)
		require.ErrorIs(t, err, fakediscourse.ErrRefused, bad)
	}
	to, err := w.f.Authorize("bob", page("fake-secret", back, ""))
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	q := u.Query()
	require.Equal(t, "1", q.Get("x"))
	require.Equal(t, fakediscourse.SignConnect("fake-secret", q.Get("sso")), q.Get("sig"))
	raw, err := base64.StdEncoding.DecodeString(q.Get("sso"))
	require.NoError(t, err)
	who, err := url.ParseQuery(string(raw))
	require.NoError(t, err)
	require.Equal(t, []string{"n1", "42", "bob", "bob@forum.invalid"}, []string{who.Get("nonce"), who.Get("external_id"), who.Get("username"), who.Get("email")})
	require.Equal(t, "trust_level_0,trust_level_1", who.Get("groups"))

	_, err = w.f.Authorize("", page("fake-secret", back, ""))
	require.ErrorIs(t, err, fakediscourse.ErrRefused)
	to, err = w.f.Authorize("", page("fake-wild", "https://a.wild.example/", "&prompt=none"))
	require.NoError(t, err)
	u, _ = url.Parse(to)
	raw, _ = base64.StdEncoding.DecodeString(u.Query().Get("sso"))
	require.Contains(t, string(raw), "failed=true")
	require.NoError(t, w.f.Suspend("ann", "bob", w.clock().Add(time.Hour), "x"))
	_, err = w.f.Authorize("bob", page("fake-secret", back, ""))
	require.ErrorIs(t, err, fakediscourse.ErrRefused)

	// A client that nobody is signed in with is sent to sign in, and a bad signature says nothing of the right one.
	open := page("fake-secret", back, "")[len(base):]
	a := w.send("", "GET", open, "")
	require.Equal(t, 302, a.status)
	require.Equal(t, base+"/login", a.header.Get("Location"))
	a = w.send("", "GET", page("other", back, "")[len(base):], "")
	require.Equal(t, 422, a.status)
	require.Equal(t, "Login Error", string(a.body))
}

func TestLoginRequired(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.Set(func(s *fakediscourse.Settings) { s.LoginRequired = true })
	w.refused(403, "not_logged_in", "", "GET", "/latest.json", "")
	require.Equal(t, 200, w.send("", "GET", "/site/basic-info.json", "").status)
	w.okAs("bob", "GET", "/latest.json", "")
}
