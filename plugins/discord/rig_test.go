package discord_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// The people, places and roles of every test's guild.
const (
	guildID = "1000"
	hall    = "1101" // a text channel
	park    = "1102"
	voice   = "1103" // a voice channel
	modRole = "1201"
	ann     = "2001"
	bob     = "2002"
	cid     = "2003"
	dan     = "2004"
	owner   = "2009"
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

// rig is a gateway, a fake Discord, and the HTTP between them.
type rig struct {
	*gateway.Gateway
	t     *testing.T
	clock *clock
	fake  *fakediscord.Server
	hooks *httptest.Server
	store store.Store
	logs  *logs

	mu    sync.Mutex
	heard []gateway.Event

	did  map[string]bool // actions
	told int             // events by hand
}

// logs keeps what was logged.
type logs struct {
	mu sync.Mutex
	b  strings.Builder
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

type fakeOptions = fakediscord.Options

type rigOption func(*discord.App, *fakediscord.Options, *gateway.Options)

func newRig(t *testing.T, opts ...rigOption) *rig {
	t.Helper()
	r := &rig{t: t, clock: &clock{t: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)}, store: memory.New(), logs: &logs{}}
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	o := gateway.Options{
		Store: r.store, Seal: seal, Now: r.clock.now, Log: slog.New(slog.NewTextHandler(r.logs, nil)), PublicURL: "https://gateway.example",
		OAuth: gateway.OAuthOptions{Redirects: []string{"https://driver.example/done"}},
	}
	fo := fakediscord.Options{Now: r.clock.now}
	for _, f := range opts {
		f(&discord.App{}, &fo, &o)
	}
	r.fake = fakediscord.New(fo)
	t.Cleanup(r.fake.Close)
	app := appOf(r.fake)
	for _, f := range opts {
		f(&app, &fo, &o)
	}
	p, err := discord.New(app)
	require.NoError(t, err)
	o.HTTP = r.fake.Client()
	o.HTTP.Timeout = 10 * time.Second
	o.Egress = o.HTTP.Transport
	o.Plugins = []gateway.Plugin{p}
	r.Gateway, err = gateway.New(o)
	require.NoError(t, err)
	r.hooks = httptest.NewServer(r.Handler())
	t.Cleanup(r.hooks.Close)
	r.fake.SetRequestURL(r.hooks.URL+"/api/hooks/discord", nil)
	require.NoError(t, r.OnEvent(t.Context(), "test", func(_ context.Context, _ *gateway.Community, e gateway.Event) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !slices.ContainsFunc(r.heard, func(x gateway.Event) bool { return x.Seq == e.Seq }) { // a callback hears each at least once
			r.heard = append(r.heard, e)
		}
		return nil
	}))
	return r
}

// appOf is the app of a fake.
func appOf(fake *fakediscord.Server) discord.App {
	a := fake.App()
	return discord.App{
		ApplicationID: a.AppID, ClientSecret: gateway.Secret(a.ClientSecret), BotToken: gateway.Secret(a.BotToken), PublicKey: a.PublicKey, Dialer: fake.Dialer(),
	}
}

// withGateway opens the websocket, with all intents.
func withGateway(a *discord.App, _ *fakediscord.Options, _ *gateway.Options) {
	a.Gateway = true
	a.Intents = append(discord.DefaultIntents(), "GUILD_MEMBERS", "MESSAGE_CONTENT")
}

// connect runs the gateway until the test ends, and waits for its websocket.
func (r *rig) connect() {
	r.t.Helper()
	ctx, stop := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		require.NoError(r.t, <-done)
	})
	require.NoError(r.t, r.fake.WaitSockets(within(r.t), 1))
}

// within bounds waiting for what surely comes.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// due does all that is due, and waits for what Discord has to say about it, until nothing is left.
func (r *rig) due() {
	r.t.Helper()
	for {
		before := len(r.fake.Deliveries())
		_, err := r.RunDue(r.t.Context())
		require.NoError(r.t, err)
		require.NoError(r.t, r.fake.Flush(within(r.t)))
		_, err = r.RunDue(r.t.Context())
		require.NoError(r.t, err)
		if len(r.fake.Deliveries()) == before {
			return
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
	r.t.Helper()
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

// town is a guild with people and channels, and the community that it stands for.
type town struct {
	*rig
	w    *fakediscord.Guild
	c    *gateway.Community
	inst *gateway.Instance
}

// perms are what the bot may in a test's guild.
const perms = fakediscord.PermEveryone | fakediscord.PermBanMembers | fakediscord.PermKickMembers | fakediscord.PermManageChannels | fakediscord.PermManageMessages |
	fakediscord.PermManageRoles | fakediscord.PermManageThreads | fakediscord.PermModerateMembers | fakediscord.PermMuteMembers | fakediscord.PermDeafenMembers |
	fakediscord.PermMoveMembers | fakediscord.PermViewAuditLog | fakediscord.PermPinMessages | fakediscord.PermManageNicknames | fakediscord.PermManageGuild

// guild makes a guild that nobody has enabled. Its IDs are those of the constants with another first part.
func (r *rig) guild(n int) *fakediscord.Guild {
	id := func(s string) string { return in(n, s) }
	for _, u := range []string{ann, bob, cid, dan, owner} {
		r.fake.AddUser(u, "person"+u)
	}
	g := r.fake.AddGuild(id(guildID), "Town "+id(guildID), owner)
	g.AddRole(id(modRole), "Moderator", fakediscord.PermBanMembers|fakediscord.PermKickMembers|fakediscord.PermManageRoles|fakediscord.PermMuteMembers|fakediscord.PermManageChannels)
	g.AddMember(ann, id(modRole)).AddMember(bob, id(modRole)).AddMember(cid).AddMember(dan)
	g.AddChannel(id(hall), "hall", 0).AddChannel(id(park), "park", 0).AddChannel(id(voice), "voice", 2)
	return g
}

// in gives the ID of a place in the nth guild.
func in(n int, id string) string {
	if n == 0 {
		return id
	}
	return fmt.Sprint(n) + id
}

// town makes a guild and enables it.
func (r *rig) town(n int) *town {
	r.t.Helper()
	g := r.guild(n)
	g.Install(perms)
	return r.enable(g, fmt.Sprint("town", n))
}

func (r *rig) enable(g *fakediscord.Guild, slug string) *town {
	r.t.Helper()
	c, err := r.CreateCommunity(r.t.Context(), slug, slug)
	require.NoError(r.t, err)
	inst, err := c.Enable(r.t.Context(), "discord", discord.Config{GuildID: g.ID()})
	require.NoError(r.t, err)
	return &town{r, g, c, inst}
}

// vote starts a vote and finds its message.
func (w *town) vote(process string, v discord.Vote) (gateway.Process, fakediscord.Message) {
	w.t.Helper()
	p, err := w.inst.Start(w.t.Context(), process, v)
	require.NoError(w.t, err)
	w.due()
	p, err = w.c.Process(w.t.Context(), p.ID)
	require.NoError(w.t, err)
	m, ok := w.w.Message(v.Channel, p.URL[strings.LastIndexByte(p.URL, '/')+1:])
	require.True(w.t, ok, "the vote has no message: %s %s; the log: %s", p.Status, p.Reason, w.logs)
	return p, m
}

// again reads a message and a process as they are now.
func (w *town) again(p gateway.Process, m fakediscord.Message) (gateway.Process, fakediscord.Message) {
	w.t.Helper()
	p, err := w.c.Process(w.t.Context(), p.ID)
	require.NoError(w.t, err)
	m, ok := w.w.Message(m.Channel, m.ID)
	require.True(w.t, ok)
	return p, m
}

func (w *town) click(user string, p gateway.Process, m fakediscord.Message, part string, values ...string) fakediscord.Reply {
	w.t.Helper()
	w.clock.advance(time.Millisecond) // so that the next click is later
	reply, err := w.w.Click(m.Channel, m.ID, user, "gw:"+p.ID+":"+part, values...)
	require.NoError(w.t, err)
	require.Empty(w.t, reply.Failed)
	return reply
}

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
		if c.Ballots > 0 {
			out[c.Choice] += c.Ballots
		}
	}
	return out
}

// text is all that a message says.
func text(m fakediscord.Message) string {
	raw, _ := json.Marshal(m.Embeds)
	return m.Content + "\n" + string(raw)
}

// post sends a signed body to the hook by hand.
func (r *rig) post(body string, change ...func(*http.Request)) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.hooks.URL+"/api/hooks/discord", strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/json")
	r.fake.Sign(req, []byte(body))
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return res.StatusCode, string(raw)
}

// routes are the requests that changed something, in order.
func (r *rig) routes() []string {
	var out []string
	for _, c := range r.fake.Calls() {
		if c.Method != http.MethodGet {
			out = append(out, c.Method+" "+c.Path)
		}
	}
	return out
}

func do[Out any](w *town, action string, in any, opts ...gateway.DoOption) Out {
	w.t.Helper()
	out, err := gateway.Do[Out](w.t.Context(), w.inst, action, in, opts...)
	if w.did == nil {
		w.did = map[string]bool{}
	}
	w.did[action] = true
	require.NoError(w.t, err, action)
	return out
}

func contains(s, part string) bool { return strings.Contains(s, part) }
