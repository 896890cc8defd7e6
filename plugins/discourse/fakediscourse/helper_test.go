package fakediscourse_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

const (
	base   = "https://forum.example"
	secret = "fake-webhook-secret"
)

// world is a forum with some people, a key and a webhook.
type world struct {
	*testing.T
	s     *fakediscourse.Server
	f     *fakediscourse.Forum
	key   string
	hook  int64
	judge func(r *http.Request, status int, header http.Header, body []byte)

	mu   sync.Mutex
	now  time.Time
	got  []received
	code int
}

type received struct {
	header http.Header
	path   string
	body   []byte
}

func newWorld(t *testing.T, o fakediscourse.Options) *world {
	w := &world{T: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), code: 200}
	o.Now = w.clock
	w.s = fakediscourse.New(o)
	t.Cleanup(w.s.Close)
	var err error
	w.f, err = w.s.AddForum(base)
	require.NoError(t, err)
	w.f.AddUser(7, "joshua")
	w.f.AddUser(42, "bob", fakediscourse.Name("Bob"))
	w.f.AddUser(43, "Carla", fakediscourse.Trust(2))
	w.f.AddUser(44, "newcomer", fakediscourse.Trust(0))
	w.f.AddUser(90, "ann", fakediscourse.Moderator())
	w.key = w.f.NewKey()
	hooks := httptest.NewServer(http.HandlerFunc(w.receive))
	t.Cleanup(hooks.Close)
	require.NoError(t, w.s.SetRequestURL(hooks.URL, nil))
	w.hook, err = w.f.AddWebhook(fakediscourse.Webhook{URL: "https://gateway.example/hooks/discourse/c1", Secret: secret})
	require.NoError(t, err)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) answer(code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.code = code
}

func (w *world) receive(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, received{r.Header, r.URL.Path, body})
	rw.WriteHeader(w.code)
}

// heard are the deliveries so far, and forgets them.
func (w *world) heard() []received {
	w.Helper()
	require.NoError(w, w.s.Flush(context.Background()))
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.got
	w.got = nil
	return got
}

// events are the names of the deliveries so far, and forgets them.
func (w *world) events() []string {
	w.Helper()
	var out []string
	for _, g := range w.heard() {
		out = append(out, g.header.Get("X-Discourse-Event"))
	}
	return out
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// at digs into an answer: names of fields, and numbers of elements.
func (a answer) at(t testing.TB, path ...any) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(a.body, &v), string(a.body))
	for _, p := range path {
		switch k := p.(type) {
		case string:
			o, ok := v.(map[string]any)
			require.True(t, ok, "%v: %v", path, v)
			v = o[k]
		case int:
			l, ok := v.([]any)
			require.True(t, ok && k < len(l), "%v: %v", path, v)
			v = l[k]
		}
	}
	return v
}

func (a answer) id(t testing.TB, field string) int64 {
	t.Helper()
	n, ok := a.at(t, field).(float64)
	require.True(t, ok, string(a.body))
	return int64(n)
}

// send asks a forum as somebody; "" is as nobody. More headers come in pairs.
func (w *world) send(as, method, path, body string, more ...string) answer {
	w.Helper()
	r, err := http.NewRequest(method, base+path, strings.NewReader(body))
	require.NoError(w, err)
	if as != "" {
		r.Header.Set("Api-Key", w.key)
		r.Header.Set("Api-Username", as)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	c := w.s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(r)
	require.NoError(w, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(w, err)
	if w.judge != nil {
		again := r.Clone(context.Background())
		again.Body = io.NopCloser(bytes.NewReader([]byte(body)))
		w.judge(again, res.StatusCode, res.Header, b)
	}
	return answer{res.StatusCode, res.Header, b}
}

// ok asks as the system, and wants success.
func (w *world) ok(method, path, body string) answer {
	w.Helper()
	return w.okAs("system", method, path, body)
}

func (w *world) okAs(as, method, path, body string) answer {
	w.Helper()
	a := w.send(as, method, path, body)
	require.Equal(w, 200, a.status, "%s %s: %s", method, path, a.body)
	return a
}

// refused wants a status and, if any, an error that says so.
func (w *world) refused(status int, says, as, method, path, body string) answer {
	w.Helper()
	a := w.send(as, method, path, body)
	require.Equal(w, status, a.status, "%s %s: %s", method, path, a.body)
	require.Contains(w, string(a.body), says)
	return a
}

// topic opens a topic as bob.
func (w *world) topic(raw string) (topic, post int64) {
	w.Helper()
	t, p, err := w.f.Post("bob", fakediscourse.NewTopic{Title: "Something to decide together " + time.Duration(len(w.f.Topics())).String(), Raw: raw, Category: 4})
	require.NoError(w, err)
	return t, p
}

func num(id int64) string { return strconv.FormatInt(id, 10) }
