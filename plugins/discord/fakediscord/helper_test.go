package fakediscord_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

// People, channels and roles of the tests' guild.
const (
	guildID = "1001"
	owner   = "101"
	alice   = "102"
	bob     = "103"
	mod     = "104"
	hall    = "201"
	secret  = "202"
	lounge  = "203"
	stage   = "204"
	board   = "205"
	modRole = "301"
	member_ = "302"
	high    = "303"
)

const botPerms = fakediscord.PermBanMembers | fakediscord.PermKickMembers | fakediscord.PermManageGuild | fakediscord.PermViewAuditLog |
	fakediscord.PermManageChannels | fakediscord.PermManageRoles | fakediscord.PermManageMessages | fakediscord.PermMuteMembers |
	fakediscord.PermDeafenMembers | fakediscord.PermMoveMembers | fakediscord.PermModerateMembers | fakediscord.PermManageNicknames |
	fakediscord.PermPinMessages | fakediscord.PermManageThreads | fakediscord.PermPrivateThreads | fakediscord.PermEveryone

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

// app is a request URL that checks signatures and remembers.
type app struct {
	*httptest.Server
	mu     sync.Mutex
	got    []map[string]any
	answer func(map[string]any) (status int, body string)
}

func newApp(t *testing.T, publicKey string) *app {
	key, err := hex.DecodeString(publicKey)
	require.NoError(t, err)
	a := &app{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sig, err := hex.DecodeString(r.Header.Get("X-Signature-Ed25519"))
		if err != nil || !ed25519.Verify(key, append([]byte(r.Header.Get("X-Signature-Timestamp")), body...), sig) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var got map[string]any
		_ = json.Unmarshal(body, &got)
		a.mu.Lock()
		a.got = append(a.got, got)
		answer := a.answer
		a.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case got["type"] == 0.0 || got["event"] != nil && answer == nil:
			w.WriteHeader(http.StatusNoContent)
		case got["type"] == 1.0 && got["event"] == nil:
			_, _ = io.WriteString(w, `{"type":1}`)
		case answer != nil:
			status, text := answer(got)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		default:
			_, _ = io.WriteString(w, `{"type":6}`)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) all() []map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]map[string]any(nil), a.got...)
}

func (a *app) reply(status int, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = func(map[string]any) (int, string) { return status, body }
}

// world is a guild with people, an installed app and a request URL.
type world struct {
	*fakediscord.Server
	t     *testing.T
	clock *clock
	g     *fakediscord.Guild
	app   *app
	ctx   context.Context
	// judge holds answers against the description, if it is set
	judge func(r *http.Request, status int, header http.Header, body []byte)
}

func newWorld(t *testing.T, o fakediscord.Options) *world {
	t.Helper()
	c := newClock()
	o.Now = c.Now
	if o.AckTimeout == 0 {
		o.AckTimeout = 30 * time.Second // for machines that are busy
	}
	s := fakediscord.New(o)
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	s.AddUser(owner, "olga", fakediscord.Email("olga@example.org", true), fakediscord.GlobalName("Olga"))
	s.AddUser(alice, "alice", fakediscord.Email("alice@example.org", false))
	s.AddUser(bob, "bob", fakediscord.NoDMs())
	s.AddUser(mod, "mod")
	g := s.AddGuild(guildID, "Commons", owner).
		AddRole(member_, "Members", 0).
		AddRole(modRole, "Moderators", fakediscord.PermBanMembers|fakediscord.PermKickMembers|fakediscord.PermMuteMembers|fakediscord.PermModerateMembers).
		AddRole(high, "Council", 0).
		AddMember(alice, member_).AddMember(bob).AddMember(mod, modRole).
		AddChannel(hall, "town-hall", fakediscord.TextChannel).
		AddChannel(secret, "secret", fakediscord.TextChannel).
		AddChannel(lounge, "Lounge", fakediscord.VoiceChannel).
		AddChannel(stage, "Studio", fakediscord.VoiceChannel).
		AddChannel(board, "ideas", fakediscord.ForumChannel).
		SetOverwrite(secret, guildID, false, 0, fakediscord.PermViewChannel).
		Install(botPerms).
		RaiseRole(high)
	a := newApp(t, s.App().PublicKey)
	s.SetRequestURL(a.URL, nil)
	return &world{Server: s, t: t, clock: c, g: g, app: a, ctx: ctx}
}

// answer is what the API answered.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, json.Unmarshal(a.raw, &out), string(a.raw))
	return out
}

func (a answer) list(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	require.NoError(t, json.Unmarshal(a.raw, &out), string(a.raw))
	return out
}

// code is Discord's error code.
func (a answer) code(t *testing.T) int {
	t.Helper()
	n, _ := a.object(t)["code"].(float64)
	return int(n)
}

// as asks with an Authorization header; the body is JSON text, or nothing.
func (w *world) as(auth, method, path, body string, header ...string) answer {
	w.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(w.ctx, method, "https://discord.com/api/v10"+path, in)
	require.NoError(w.t, err)
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	r.Header.Set("User-Agent", "DiscordBot (https://example.org, 1)")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := w.Client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	if w.judge != nil {
		r.Body = io.NopCloser(bytes.NewReader([]byte(body)))
		w.judge(r, res.StatusCode, res.Header, raw)
	}
	return answer{res.StatusCode, res.Header, raw}
}

// bot asks as the bot.
func (w *world) bot(method, path, body string, header ...string) answer {
	w.t.Helper()
	return w.as("Bot "+w.App().BotToken, method, path, body, header...)
}

// ok asks as the bot, and wants it to work.
func (w *world) ok(method, path, body string, header ...string) answer {
	w.t.Helper()
	a := w.bot(method, path, body, header...)
	require.Less(w.t, a.status, 300, "%s %s: %s", method, path, a.raw)
	return a
}

// no asks as the bot, and wants a refusal.
func (w *world) no(status, code int, method, path, body string, header ...string) answer {
	w.t.Helper()
	a := w.bot(method, path, body, header...)
	require.Equal(w.t, status, a.status, "%s %s: %s", method, path, a.raw)
	require.Equal(w.t, code, a.code(w.t), "%s %s: %s", method, path, a.raw)
	return a
}

// post posts as the bot and returns the message's ID.
func (w *world) post(body string) string {
	w.t.Helper()
	id, _ := w.ok("POST", "/channels/"+hall+"/messages", body).object(w.t)["id"].(string)
	return id
}

// events is what a client of the Gateway heard.
type events struct {
	mu  sync.Mutex
	got []*discordgo.Event
}

func (e *events) names() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, x := range e.got {
		out = append(out, x.Type)
	}
	return out
}

// last is the data of the last event of a type.
func (e *events) last(t *testing.T, name string) map[string]any {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := len(e.got) - 1; i >= 0; i-- {
		if e.got[i].Type == name {
			var out map[string]any
			require.NoError(t, json.Unmarshal(e.got[i].RawData, &out))
			return out
		}
	}
	require.Fail(t, "no event "+name)
	return nil
}

func (e *events) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = nil
}

// discordgo is Discord's best known Go client, changed in nothing but its HTTP client and dialer.
func (w *world) discordgo(intents int) (*discordgo.Session, *events) {
	w.t.Helper()
	d, err := discordgo.New("Bot " + w.App().BotToken)
	require.NoError(w.t, err)
	d.Client, d.Dialer, d.SyncEvents = w.Client(), w.Dialer(), true
	d.Identify.Intents = discordgo.Intent(intents)
	d.LogLevel = -1
	e := &events{}
	d.AddHandler(func(_ *discordgo.Session, x *discordgo.Event) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.got = append(e.got, x)
	})
	return d, e
}

// listen connects to the Gateway and hears everything from then on.
func (w *world) listen(intents int) *events {
	w.t.Helper()
	d, e := w.discordgo(intents)
	d.ShouldReconnectOnError = false // it ends with the fake; its own Close takes a second
	require.NoError(w.t, d.Open())
	require.NoError(w.t, w.Flush(w.ctx))
	e.reset()
	return e
}

const everything = int(discordgo.IntentsAll) | fakediscord.IntentGuildPolls | fakediscord.IntentDirectPolls
