package fakegithub_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

// testKey is the app's in all tests: making one takes a while.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// clock is a settable clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is an organisation acme, owned by ada, with the member bob, a repository town, and the app installed. eve is nobody there.
type world struct {
	*fakegithub.Server
	t     *testing.T
	clock *clock
	org   *fakegithub.Org
	repo  *fakegithub.Repo
	inst  int64
	hook  *inbox
}

func newWorld(t *testing.T, o fakegithub.Options) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{t: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}}
	o.Now, o.Key = w.clock.now, testKey()
	if o.CallbackURLs == nil {
		o.CallbackURLs = []string{"https://gateway.example/callback"}
	}
	w.Server = fakegithub.New(o)
	t.Cleanup(w.Close)
	w.hook = newInbox(t)
	w.SetRequestURL(w.hook.url, nil)
	w.AddUser("ada", fakegithub.Email{Address: "ada@example.org", Primary: true, Verified: true})
	w.AddUser("bob")
	w.AddUser("eve")
	w.org = w.AddOrg("acme", "ada")
	w.org.AddMember("bob", "member")
	w.repo = w.AddRepo("acme", "town")
	var err error
	w.inst, err = w.Install("acme", fakegithub.Installing{})
	require.NoError(t, err)
	return w
}

// inbox is a webhook that answers as it is told.
type inbox struct {
	url    string
	mu     sync.Mutex
	status int
	seen   []received
}

type received struct {
	header http.Header
	body   []byte
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{status: http.StatusOK}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.seen = append(in.seen, received{r.Header, body})
		w.WriteHeader(in.status)
	}))
	t.Cleanup(srv.Close)
	in.url = srv.URL
	return in
}

func (in *inbox) answer(status int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.status = status
}

func (in *inbox) all() []received {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]received(nil), in.seen...)
}

// events names what arrived, in order.
func (in *inbox) events(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, r := range in.all() {
		var p struct{ Action string }
		require.NoError(t, json.Unmarshal(r.body, &p))
		name := r.header.Get("X-GitHub-Event")
		if p.Action != "" {
			name += " " + p.Action
		}
		out = append(out, name)
	}
	return out
}

// last is the newest delivery.
func (in *inbox) last(t *testing.T) received {
	t.Helper()
	all := in.all()
	require.NotEmpty(t, all)
	return all[len(all)-1]
}

// jwt signs claims with a key as the app does.
func jwt(t *testing.T, key *rsa.PrivateKey, alg string, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(map[string]any{"alg": alg, "typ": "JWT"}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// appJWT is a good one, made with the key that the fake gives.
func (w *world) appJWT() string {
	w.t.Helper()
	block, _ := pem.Decode([]byte(w.App().PrivateKey))
	require.NotNil(w.t, block)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	require.NoError(w.t, err)
	now := w.clock.now()
	return jwt(w.t, key, "RS256", map[string]any{"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(9 * time.Minute).Unix(), "iss": w.App().ClientID})
}

// as is a go-github client with a token.
func (w *world) as(token string) *github.Client {
	return github.NewClient(w.Client()).WithAuthToken(token)
}

// app is a client that speaks as the app itself.
func (w *world) app() *github.Client { return w.as(w.appJWT()) }

// bot is a client that speaks as the installation.
func (w *world) bot() *github.Client {
	w.t.Helper()
	t, _, err := w.app().Apps.CreateInstallationToken(context.Background(), w.inst, &github.InstallationTokenOptions{})
	require.NoError(w.t, err)
	return w.as(t.GetToken())
}

// botToken is the installation's token.
func (w *world) botToken() string {
	w.t.Helper()
	t, _, err := w.app().Apps.CreateInstallationToken(context.Background(), w.inst, &github.InstallationTokenOptions{})
	require.NoError(w.t, err)
	return t.GetToken()
}

// raw is a request without a library.
func (w *world) raw(token, method, path, body string) (int, http.Header, map[string]any) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "https://api.github.com"+path, bytes.NewReader([]byte(body)))
	require.NoError(w.t, err)
	r.Header.Set("User-Agent", "test")
	r.Header.Set("Accept", "application/vnd.github+json")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := w.Client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	var out map[string]any
	_ = json.Unmarshal(raw, &out) // lists are none
	return res.StatusCode, res.Header, out
}

// flush waits until the app was told of what the app did.
func (w *world) flush() {
	w.t.Helper()
	require.NoError(w.t, w.Flush(w.t.Context()))
}

// refusedWith requires GitHub's refusal of go-github's.
func refusedWith(t *testing.T, err error, status int, message string) *github.ErrorResponse {
	t.Helper()
	var e *github.ErrorResponse
	require.ErrorAs(t, err, &e)
	require.Equal(t, fmt.Sprintf("%d %s", status, message), fmt.Sprintf("%d %s", e.Response.StatusCode, e.Message))
	return e
}
