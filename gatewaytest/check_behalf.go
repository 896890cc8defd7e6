package gatewaytest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	gateway "github.com/metagov/gateway-go"
)

// consents stands between a plugin's login and the platform: it grants a made-up token of a made-up person.
type consents struct {
	platform atomic.Value // string: the platform object
	token    atomic.Value // string: "" until it is wanted
}

// acts reports whether any action can be done on behalf of a person.
func acts(m gateway.Manifest) bool {
	return slices.ContainsFunc(m.Actions, func(a gateway.ActionDef) bool { return a.Acts != nil })
}

// into has a manifest's logins answered here.
func (c *consents) into(m gateway.Manifest) gateway.Manifest {
	if !acts(m) {
		return m
	}
	o := gateway.OAuthDef{}
	if m.OAuth != nil {
		o = *m.OAuth
	}
	o.Authorize = func(p gateway.OAuthParams) (string, error) { return "https://consent.invalid/?state=" + p.State, nil }
	o.Exchange = func(context.Context, gateway.OAuthExchange) (g gateway.Grant[json.RawMessage], err error) {
		g.PlatformID, _ = c.platform.Load().(string)
		token, _ := c.token.Load().(string)
		g.User = gateway.GrantUser{ID: "somebody", Token: &gateway.UserToken{Access: gateway.Secret(token)}}
		return g, nil
	}
	m.OAuth = &o
	return m
}

// tap looks at the requests that leave while an action acts on behalf of a person: none may carry the instance's own credentials.
type tap struct {
	next    http.RoundTripper
	acting  *atomic.Bool
	secrets func() map[string]string
	seen    func(from string)
}

func (p tap) RoundTrip(q *http.Request) (*http.Response, error) {
	if p.acting.Load() {
		var text bytes.Buffer
		text.WriteString(q.URL.String())
		_ = q.Header.Write(&text) // into memory
		if q.Body != nil {
			body, err := io.ReadAll(q.Body)
			if err != nil {
				return nil, err
			}
			_ = q.Body.Close()
			text.Write(body)
			q = q.Clone(q.Context())
			q.Body = io.NopCloser(bytes.NewReader(body))
		}
		for secret, from := range p.secrets() {
			if strings.Contains(text.String(), secret) {
				p.seen(from)
			}
		}
	}
	return p.next.RoundTrip(q)
}

// CloseIdleConnections is found by the method of http.Client of this name.
func (p tap) CloseIdleConnections() {
	if c, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// behalf asks for every action that can be done on behalf of a person, with a made-up token of theirs. The token may be seen nowhere, and the
// instance's own credentials may not be used in its place.
func (c *checked) behalf(t TB, r *Rig, spy *spy, inst *gateway.Instance, s *seer) {
	t.Helper()
	if !acts(c.m) {
		return
	}
	own := map[string]string{}
	for secret, from := range s.secrets {
		if strings.HasPrefix(from, "field ") {
			own[secret] = from
		}
	}
	spy.tapped = func() map[string]string { return own }
	token := "canary" + strings.ToLower(rand.Text())
	s.secrets[token] = "a person's token"
	spy.consents.platform.Store(inst.PlatformID())
	spy.consents.token.Store(token)
	for _, a := range c.m.Actions {
		if a.Acts == nil {
			continue
		}
		for _, in := range oddInputs(a.Input) {
			person := c.login(t, r)
			if person == "" {
				return
			}
			name := versioned(a.Name, a.Version)
			spy.acting.Store(true)
			out, err := inst.Do(t.Context(), name, in.raw, gateway.OnBehalfOf(person))
			spy.acting.Store(false)
			if from := spy.misuse(); from != "" {
				t.Errorf("action %s on behalf of a person used the secret of %s, and not the person's token", name, from)
			}
			s.answer("action "+name+" on behalf of a person", out, err)
		}
	}
}

// login has the made-up person log in, and gives who they are.
func (c *checked) login(t TB, r *Rig) string {
	t.Helper()
	fail := func(format string, args ...any) string {
		t.Errorf("logging in to try actions on behalf of a person: "+format, args...)
		return ""
	}
	link, err := r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: c.m.Name, Type: gateway.Login, Community: "town"})
	if err != nil {
		return fail("%v", err)
	}
	get := func(path string, cookies []*http.Cookie) *http.Response {
		q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		for _, k := range cookies {
			q.AddCookie(k)
		}
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, q)
		return w.Result()
	}
	u, err := url.Parse(link)
	if err != nil {
		return fail("%v", err)
	}
	begun := get(u.RequestURI(), nil)
	to, err := begun.Location()
	if err != nil {
		return fail("%v", err)
	}
	back := url.Values{"state": {to.Query().Get("state")}, "code": {"code"}}
	if done := get("/auth/"+c.m.Name+"/callback?"+back.Encode(), begun.Cookies()); done.StatusCode != http.StatusOK {
		return fail("HTTP status %d", done.StatusCode)
	}
	insts, err := r.Community("town").Instance(t.Context(), c.m.Name)
	if err != nil {
		return fail("%v", err)
	}
	who, err := r.Community("town").WhoIs(t.Context(), gateway.AccountRef{Plugin: c.m.Name, PlatformID: insts.PlatformID(), UserID: "somebody"})
	if err != nil {
		return fail("%v", err)
	}
	return who.ID
}
