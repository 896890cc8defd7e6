package fakeslack_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

// clock is a clock that a test turns.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// received is one request to the app's request URL.
type received struct {
	header http.Header
	raw    string
	json   map[string]any // of JSON bodies and of the payload field
	form   url.Values
}

func (r received) event() map[string]any {
	e, _ := r.json["event"].(map[string]any)
	return e
}

// app is a request URL that checks signatures and remembers.
type app struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer func(received) (status int, header http.Header, body string)
	badSig int
}

func newApp(t *testing.T, secret string) *app {
	a := &app{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte("v0:" + r.Header.Get("X-Slack-Request-Timestamp") + ":" + string(body)))
		rec := received{header: r.Header, raw: string(body)}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			_ = json.Unmarshal(body, &rec.json)
		} else {
			rec.form, _ = url.ParseQuery(string(body))
			_ = json.Unmarshal([]byte(rec.form.Get("payload")), &rec.json)
		}
		a.mu.Lock()
		if "v0="+hex.EncodeToString(mac.Sum(nil)) != r.Header.Get("X-Slack-Signature") {
			a.badSig++
		}
		a.got = append(a.got, rec)
		answer := a.answer
		a.mu.Unlock()
		if answer == nil {
			return
		}
		status, header, text := answer(rec)
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) all() []received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]received(nil), a.got...)
}

func (a *app) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = nil
}

// types lists the events that arrived, as type or type/subtype.
func (a *app) types() []string {
	var out []string
	for _, r := range a.all() {
		e := r.event()
		if e == nil {
			e = r.json
		}
		t, _ := e["type"].(string)
		if s, ok := e["subtype"].(string); ok {
			t += "/" + s
		}
		out = append(out, t)
	}
	return out
}

func (a *app) reply(status int, header http.Header, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = func(received) (int, http.Header, string) { return status, header, body }
}

// world is a workspace with people, an installed app and a request URL.
type world struct {
	*fakeslack.Server
	t     *testing.T
	clock *clock
	w     *fakeslack.Workspace
	app   *app
	token string
	bot   *slack.Client
	ctx   context.Context
}

func newWorld(t *testing.T, o fakeslack.Options, scopes ...string) *world {
	t.Helper()
	c := newClock()
	o.Now = c.Now
	s := fakeslack.New(o)
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	w := s.AddWorkspace("T1", "Commons")
	w.AddUser("UALICE", "alice", fakeslack.Owner(), fakeslack.Email("alice@example.org"))
	w.AddUser("UBOB", "bob")
	w.AddUser("UCAROL", "carol")
	w.AddUser("UGONE", "gone", fakeslack.Deleted())
	token := w.Install(scopes...)
	w.AddChannel("C1", "town-hall", "UALICE", "UBOB").WithApp()
	w.AddChannel("C2", "quiet", "UALICE", "UBOB")
	w.AddChannel("C3", "old", "UALICE").WithApp().Archived()
	w.AddChannel("CSECRET", "secret", "UALICE").Private()
	w.AddChannel("CBOARD", "board", "UALICE", "UBOB").Private().WithApp()
	a := newApp(t, s.App().SigningSecret)
	s.SetRequestURL(a.URL, nil)
	return &world{Server: s, t: t, clock: c, w: w, app: a, token: token, ctx: ctx,
		bot: slack.New(token, slack.OptionHTTPClient(s.Client()))}
}

func (w *world) flush() { require.NoError(w.t, w.Flush(w.ctx)) }

// as is a client for another token.
func (w *world) as(token string) *slack.Client {
	return slack.New(token, slack.OptionHTTPClient(w.Client()))
}

// call posts a form with the bot token and returns the answer.
func (w *world) call(method string, kv ...string) map[string]any {
	w.t.Helper()
	return w.callAs(w.token, method, kv...)
}

func (w *world) callAs(token, method string, kv ...string) map[string]any {
	w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, "https://slack.com/api/"+method, strings.NewReader(form.Encode()))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return w.do(r)
}

func (w *world) callJSON(method, body string) map[string]any {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, "https://slack.com/api/"+method, strings.NewReader(body))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Authorization", "Bearer "+w.token)
	return w.do(r)
}

func (w *world) do(r *http.Request) map[string]any {
	w.t.Helper()
	res, err := w.Client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	var out map[string]any
	require.NoError(w.t, json.NewDecoder(res.Body).Decode(&out))
	return out
}

const buttons = `[{"type":"section","text":{"type":"mrkdwn","text":"Shall we?"}},
	{"type":"actions","block_id":"vote","elements":[
		{"type":"button","action_id":"yes","text":{"type":"plain_text","text":"Yes"},"value":"y"},
		{"type":"button","action_id":"no","text":{"type":"plain_text","text":"No"},"value":"n"},
		{"type":"static_select","action_id":"pick","options":[
			{"text":{"type":"plain_text","text":"A"},"value":"a"},{"text":{"type":"plain_text","text":"B"},"value":"b"}]}]}]`

// ballot posts a message with buttons and returns its ts.
func (w *world) ballot() string {
	w.t.Helper()
	a := w.call("chat.postMessage", "channel", "C1", "text", "Shall we?", "blocks", buttons)
	require.Equal(w.t, true, a["ok"], a)
	w.flush()
	return a["ts"].(string)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
