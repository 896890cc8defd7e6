package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// clock is the gateway's time in tests. It moves only when it is told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// logs keeps what was logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rig is a gateway with the forum plugin on a store and a clock of the test's.
type rig struct {
	*gateway.Gateway
	t     *testing.T
	api   *forumAPI
	clock *clock
	store store.Store
	logs  *logs
	o     gateway.Options
}

func newRig(t *testing.T, o gateway.Options) *rig {
	t.Helper()
	if o.Store == nil {
		o.Store = memory.New()
	}
	if o.Seal == nil {
		o.Seal = newSeal(t, gateway.NewSealKey())
	}
	r := &rig{t: t, api: &forumAPI{}, clock: &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, store: o.Store, logs: &logs{}, o: o}
	r.again()
	return r
}

func newSeal(t *testing.T, keys ...string) gateway.AEAD {
	t.Helper()
	seal, err := gateway.NewSeal(keys...)
	require.NoError(t, err)
	return seal
}

// again makes another gateway on the same store: what a restart of the program is.
func (r *rig) again(plugins ...gateway.Plugin) {
	r.t.Helper()
	o := r.o
	if o.Now == nil {
		o.Now = r.clock.now
	}
	o.Log = slog.New(slog.NewJSONHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if plugins == nil {
		plugins = append(slices.Clone(r.o.Plugins), newForum(r.api))
	}
	o.Plugins = plugins
	g, err := gateway.New(o)
	require.NoError(r.t, err)
	r.Gateway = g
}

// eachStore runs a test on every store that the gateway ships.
func eachStore(t *testing.T, fn func(t *testing.T, s store.Store)) {
	t.Run("memory", func(t *testing.T) { fn(t, memory.New()) })
	t.Run("sqlite", func(t *testing.T) {
		s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		fn(t, s)
	})
}

// town makes a community with a forum.
func (r *rig) town(slug, site string) (*gateway.Community, *gateway.Instance) {
	r.t.Helper()
	c, err := r.CreateCommunity(r.t.Context(), slug, strings.ToUpper(slug))
	require.NoError(r.t, err)
	i, err := c.Enable(r.t.Context(), "forum", forumConfig{Site: site, Token: "canary"})
	require.NoError(r.t, err)
	return c, i
}

func (r *rig) due() time.Time {
	r.t.Helper()
	next, err := r.RunDue(r.t.Context())
	require.NoError(r.t, err)
	return next
}

// wait advances the clock and does what is due then.
func (r *rig) wait(d time.Duration) {
	r.t.Helper()
	r.clock.advance(d)
	r.due()
}

// request sends a signed delivery to a path of the handler.
func (r *rig) request(path, body string, header ...string) *httptest.ResponseRecorder {
	return r.requestIn(context.Background(), path, body, header...)
}

// requestIn is request for somebody who does not wait for longer than ctx.
func (r *rig) requestIn(ctx context.Context, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(ctx, "POST", path, strings.NewReader(body))
	req.Header.Set("X-Signature", "good")
	req.Header.Set("X-Time", r.clock.now().Format(time.RFC3339))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	return w
}

func (r *rig) deliver(m forumMessage) *httptest.ResponseRecorder {
	body, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return r.request("/api/hooks/forum", string(body))
}

// says delivers a message that becomes an event.
func (r *rig) says(site, id, text string) {
	r.t.Helper()
	w := r.deliver(forumMessage{ID: id, Site: site, Kind: "message", User: "u1", Text: text, At: r.clock.now()})
	require.Equal(r.t, http.StatusOK, w.Code)
}

func (r *rig) click(process, user, choice string) *httptest.ResponseRecorder {
	return r.clickAt(process, user, choice, r.clock.now())
}

func (r *rig) clickAt(process, user, choice string, at time.Time) *httptest.ResponseRecorder {
	return r.deliver(forumMessage{Site: "S1", Kind: "click", User: user, Text: choice, Process: process, At: at})
}

func (r *rig) process(c *gateway.Community, id string) gateway.Process {
	r.t.Helper()
	p, err := c.Process(r.t.Context(), id)
	require.NoError(r.t, err)
	return p
}

func (r *rig) outcome(p gateway.Process) (out vote.Outcome) {
	r.t.Helper()
	require.NoError(r.t, p.DecodeOutcome(&out))
	return out
}

// poll starts a vote in an instance.
func (r *rig) poll(i *gateway.Instance, ask vote.Ask, opts ...gateway.DoOption) gateway.Process {
	r.t.Helper()
	if ask.Title == "" {
		ask.Title = "Lunch?"
	}
	p, err := i.Start(r.t.Context(), "poll", poll{ask}, opts...)
	require.NoError(r.t, err)
	return p
}

// tasks lists what is scheduled or parked, for looking into the store.
func (r *rig) tasks(q store.TaskQuery) (out []store.Task) {
	r.t.Helper()
	require.NoError(r.t, r.store.View(r.t.Context(), func(tx store.Tx) (err error) {
		out, err = tx.Tasks(q, "", "", 1000)
		return err
	}))
	return out
}

// ears collect what callbacks hear.
type ears struct {
	mu        sync.Mutex
	events    []gateway.Event
	processes []gateway.Process
}

func (e *ears) event(_ context.Context, _ *gateway.Community, ev gateway.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, ev)
	return nil
}

func (e *ears) process(_ context.Context, _ *gateway.Community, p gateway.Process) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.processes = append(e.processes, p)
	return nil
}

// texts are the texts of the forum's messages that were heard.
func (e *ears) texts() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []string{}
	for _, ev := range e.events {
		out = append(out, textOf(ev))
	}
	return out
}

func textOf(e gateway.Event) string {
	var d struct{ Text string }
	_ = json.Unmarshal(e.Data, &d)
	return d.Text
}

func (r *rig) listen(name string, filters ...gateway.Filter) *ears {
	r.t.Helper()
	e := &ears{}
	require.NoError(r.t, r.OnEvent(r.t.Context(), name, e.event, filters...))
	return e
}

func (r *rig) watch(name string) *ears {
	r.t.Helper()
	e := &ears{}
	require.NoError(r.t, r.OnProcess(r.t.Context(), name, e.process))
	return e
}

// ctxOf is the context of a test, or of one check of a property.
func ctxOf(t require.TestingT) context.Context {
	if c, ok := t.(interface{ Context() context.Context }); ok {
		return c.Context()
	}
	return context.Background()
}

var errBoom = errors.New("boom")
