package slack_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// clock is a clock that a test moves.
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

// rig is a gateway, a fake Slack, and the HTTP between them.
type rig struct {
	*gateway.Gateway
	t     *testing.T
	clock *clock
	fake  *fakeslack.Server
	hooks *httptest.Server
	store store.Store
	log   *strings.Builder

	mu    sync.Mutex
	heard []gateway.Event

	cookies []*http.Cookie // of the browser that is under way
}

type rigOption func(*slack.App, *fakeslack.Options, *gateway.Options)

func newRig(t *testing.T, opts ...rigOption) *rig {
	t.Helper()
	r := &rig{t: t, clock: &clock{t: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)}, store: memory.New(), log: new(strings.Builder)}
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	o := gateway.Options{Store: r.store, Seal: seal, Now: r.clock.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), PublicURL: "https://gateway.example"}
	fo := fakeslack.Options{Now: r.clock.now, Strict: true}
	probe := slack.App{}
	for _, f := range opts {
		f(&probe, &fo, &o)
	}
	r.fake = fakeslack.New(fo)
	t.Cleanup(r.fake.Close)
	a := r.fake.App()
	app := slack.App{ClientID: a.ClientID, ClientSecret: gateway.Secret(a.ClientSecret), SigningSecret: gateway.Secret(a.SigningSecret)}
	for _, f := range opts {
		f(&app, &fo, &o)
	}
	if app.AppToken != "" {
		app.AppToken = gateway.Secret(a.AppToken)
	}
	p, err := slack.New(app)
	require.NoError(t, err)
	o.HTTP = r.fake.Client()
	o.HTTP.Timeout = 10 * time.Second
	o.Egress = o.HTTP.Transport
	o.Plugins = []gateway.Plugin{p}
	r.Gateway, err = gateway.New(o)
	require.NoError(t, err)
	r.hooks = httptest.NewServer(r.Handler())
	t.Cleanup(r.hooks.Close)
	r.fake.SetRequestURL(r.hooks.URL+"/api/hooks/slack", nil)
	require.NoError(t, r.OnEvent(t.Context(), "test", func(_ context.Context, _ *gateway.Community, e gateway.Event) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.heard = append(r.heard, e)
		return nil
	}))
	return r
}

// due does all that is due, and waits for what Slack has to say about it, until nothing is left.
func (r *rig) due() time.Time {
	r.t.Helper()
	for {
		before := len(r.fake.Deliveries())
		_, err := r.RunDue(r.t.Context())
		require.NoError(r.t, err)
		require.NoError(r.t, r.fake.Flush(r.t.Context()))
		next, err := r.RunDue(r.t.Context())
		require.NoError(r.t, err)
		if len(r.fake.Deliveries()) == before {
			return next
		}
	}
}

// later moves the clock and does what is due then.
func (r *rig) later(d time.Duration) {
	r.t.Helper()
	r.clock.advance(d)
	r.due()
}

// events are those heard so far, of one type or all.
func (r *rig) events(typ string) []gateway.Event {
	r.due()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []gateway.Event
	for _, e := range r.heard {
		if typ == "" || e.Type == typ {
			out = append(out, e)
		}
	}
	return out
}

// town is a workspace with people and channels, and the community that it stands for.
type town struct {
	*rig
	w    *fakeslack.Workspace
	c    *gateway.Community
	inst *gateway.Instance
}

// workspace makes a workspace that nobody has enabled.
func (r *rig) workspace(id string) *fakeslack.Workspace {
	w := r.fake.AddWorkspace(id, "Town "+id)
	w.AddUser("UADMIN", "ada", fakeslack.Admin(), fakeslack.RealName("Ada Admin"))
	for _, u := range []string{"UANN", "UBOB", "UCID", "UDAN"} {
		w.AddUser(u, strings.ToLower(u[1:]))
	}
	w.Install()
	w.AddChannel("CHALL", "town-hall", "UADMIN", "UANN", "UBOB", "UCID", "UDAN").WithApp()
	w.AddChannel("CPARK", "park", "UADMIN", "UANN", "UBOB")
	return w
}

// town makes a workspace and enables it.
func (r *rig) town(id string) *town {
	r.t.Helper()
	w := r.workspace(id)
	return r.enable(w, strings.ToLower(id))
}

func (r *rig) enable(w *fakeslack.Workspace, slug string) *town {
	r.t.Helper()
	c, err := r.CreateCommunity(r.t.Context(), slug, slug)
	require.NoError(r.t, err)
	inst, err := c.Enable(r.t.Context(), "slack", slack.Config{BotToken: gateway.Secret(w.BotToken())})
	require.NoError(r.t, err)
	return &town{r, w, c, inst}
}

// vote starts an emoji-vote and finds its message.
func (w *town) vote(v slack.Vote) (gateway.Process, fakeslack.Message) {
	w.t.Helper()
	p, err := w.inst.Start(w.t.Context(), "emoji-vote", v)
	require.NoError(w.t, err)
	w.due()
	return p, w.message(p)
}

func (w *town) message(p gateway.Process) fakeslack.Message {
	w.t.Helper()
	for _, c := range []string{"CHALL", "CPARK"} {
		for _, m := range w.w.Messages(c) {
			if strings.Contains(string(m.Blocks), "gw:"+p.ID+":") {
				return m
			}
		}
	}
	require.Fail(w.t, "the vote has no message")
	return fakeslack.Message{}
}

// again reads a message and a process as they are now.
func (w *town) again(p gateway.Process, m fakeslack.Message) (gateway.Process, fakeslack.Message) {
	w.t.Helper()
	p, err := w.c.Process(w.t.Context(), p.ID)
	require.NoError(w.t, err)
	m, ok := w.w.Message(m.Channel, m.TS)
	require.True(w.t, ok)
	return p, m
}

func (w *town) click(user string, m fakeslack.Message, value string) {
	w.t.Helper()
	a, err := w.w.Click(w.t.Context(), user, m.Channel, m.TS, "cast_vote", value)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, a.Status)
}

// outcome closes nothing: it reads the outcome of a completed vote.
func outcome(t *testing.T, p gateway.Process) vote.Outcome {
	t.Helper()
	var out vote.Outcome
	require.NoError(t, p.DecodeOutcome(&out), "%s %s", p.Status, p.Reason)
	return out
}

// counts are the ballots of each choice of a single question.
func counts(p gateway.Process) map[string]int64 {
	out := map[string]int64{}
	for _, c := range p.Counts {
		out[c.Choice] += c.Ballots
	}
	return out
}

// texts collects all texts of a message's blocks.
func texts(m fakeslack.Message) string {
	var blocks any
	if json.Unmarshal(m.Blocks, &blocks) != nil {
		return ""
	}
	var b strings.Builder
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if s, ok := v["text"].(string); ok {
				b.WriteString(s + "\n")
			}
			for _, k := range []string{"text", "elements", "accessory", "fields"} {
				if _, isText := v[k].(string); !isText {
					walk(v[k])
				}
			}
		}
	}
	walk(blocks)
	return b.String()
}

// post sends a signed body to the hook by hand.
func (r *rig) post(body string, change ...func(*http.Request)) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.hooks.URL+"/api/hooks/slack", strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/json")
	r.fake.Sign(req, []byte(body))
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { res.Body.Close() })
	return res
}

// form is an interaction's body.
func form(payload string) string { return url.Values{"payload": {payload}}.Encode() }
