package discourse_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

const connectSecret = "fake-connect-secret"

// connectRig is a rig whose forum lets people log in at the gateway.
func connectRig(t *testing.T) *rig {
	r := newRig(t, func(s *setup) {
		s.options = func(o *gateway.Options) {
			o.Plugins = []gateway.Plugin{discourse.New(discourse.WithConnect(forumURL, connectSecret))}
			o.OAuth.Redirects = []string{"https://driver.example/done"}
		}
	})
	r.forum.Set(func(s *fakediscourse.Settings) {
		s.EnableDiscourseConnectProvider = true
		s.DiscourseConnectProviderSecrets = map[string]string{"gateway.example": connectSecret}
	})
	return r
}

func (r *rig) get(to string, cookies []*http.Cookie) *http.Response {
	r.t.Helper()
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

// begin follows a link to the forum's page.
func (r *rig) begin() (consent string, cookies []*http.Cookie) {
	r.t.Helper()
	link, err := r.AuthorizeURL(r.t.Context(), gateway.AuthRequest{Plugin: "discourse", Type: gateway.Login, Community: "town", Redirect: "https://driver.example/done"})
	require.NoError(r.t, err)
	res := r.get(link, nil)
	require.Equal(r.t, http.StatusFound, res.StatusCode)
	return res.Header.Get("Location"), res.Cookies()
}

// back is the code with which the browser reaches the driver; "" where the login failed.
func (r *rig) back(at string, cookies []*http.Cookie) string {
	r.t.Helper()
	to, err := r.get(at, cookies).Location()
	if err != nil {
		return ""
	}
	return to.Query().Get("code")
}

func TestLogIn(t *testing.T) {
	r := connectRig(t)
	consent, cookies := r.begin()
	require.NotContains(t, consent, connectSecret)
	at, err := r.forum.Authorize("bob", consent)
	require.NoError(t, err)
	got, err := r.Redeem(t.Context(), r.back(at, cookies))
	require.NoError(t, err)
	require.Equal(t, "42", got.Account.UserID)
	require.Equal(t, "discourse", got.Plugin)
	require.False(t, got.Admin)
	require.Empty(t, r.back(at, cookies), "it works once")
}

// What the browser brings counts only if the forum signed it for this login.
func TestLoginsThatAreNone(t *testing.T) {
	for name, change := range map[string]func(r *rig, q url.Values){
		"no signature":    func(_ *rig, q url.Values) { q.Del("sig") },
		"no payload":      func(_ *rig, q url.Values) { q.Del("sso") },
		"other signature": func(_ *rig, q url.Values) { q.Set("sig", fakediscourse.SignConnect("fake-other-secret", q.Get("sso"))) },
		"empty secret":    func(_ *rig, q url.Values) { q.Set("sig", fakediscourse.SignConnect("", q.Get("sso"))) },
		"another login": func(r *rig, q url.Values) {
			consent, _ := r.begin()
			at, err := r.forum.Authorize("ann", consent)
			require.NoError(r.t, err)
			u, err := url.Parse(at)
			require.NoError(r.t, err)
			q.Set("sso", u.Query().Get("sso"))
			q.Set("sig", u.Query().Get("sig"))
		},
		"our own question": func(r *rig, q url.Values) {
			consent, _ := r.begin()
			u, err := url.Parse(consent)
			require.NoError(r.t, err)
			q.Set("sso", u.Query().Get("sso"))
			q.Set("sig", u.Query().Get("sig"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := connectRig(t)
			consent, cookies := r.begin()
			at, err := r.forum.Authorize("bob", consent)
			require.NoError(t, err)
			u, err := url.Parse(at)
			require.NoError(t, err)
			q := u.Query()
			change(r, q)
			u.RawQuery = q.Encode()
			require.Empty(t, r.back(u.String(), cookies))
		})
	}
	r := connectRig(t)
	_, err := r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "discourse", Type: gateway.Install, Community: "town"})
	require.NoError(t, err) // the link exists; following it does not
	consent, cookies := r.begin()
	at, err := r.forum.Authorize("bob", consent)
	require.NoError(t, err)
	r.Clock.Set(r.Clock.Now().Add(time.Hour))
	require.Empty(t, r.back(at, cookies), "it is too old")
}

// Without a secret there is no login at all.
func TestNoLoginWithoutASecret(t *testing.T) {
	require.Nil(t, discourse.New().Manifest().OAuth)
	require.Nil(t, discourse.New(discourse.WithConnect(forumURL, ""), discourse.WithConnect("http://forum.example", connectSecret)).Manifest().OAuth)
	require.NotNil(t, discourse.New(discourse.WithConnect(forumURL, connectSecret)).Manifest().OAuth)
}
