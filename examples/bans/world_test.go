package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/internal/mortal"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
	"github.com/metagov/gateway-go/store"
)

// The people and places of the scenarios. On Discord moderators have numbers from 901 on.
const (
	guild   = "1000"
	mods    = "1101" // the moderators' channel
	modRole = "1201"
	owner   = "900"
	ann     = "901"
	bob     = "902"
	cid     = "903"
	troll   = "111" // on Discord; 42 on the forum, joshua on GitHub
	forum   = "https://forum.example"
)

// world is the three platforms, and a program that governs a community on them, which can be killed and started again.
type world struct {
	t       *testing.T
	clock   *gatewaytest.Clock
	discord *fakediscord.Server
	guild   *fakediscord.Guild
	forums  *fakediscourse.Server
	forum   *fakediscourse.Forum
	github  *fakegithub.Server
	org     *fakegithub.Org
	install int64  // of the app in the organisation
	key     string // of the forum's API
	wire    *wire
	store   store.Store
	seal    gateway.AEAD
	person  string
	opts    []func(*discord.App)

	running bool // its program runs by itself beside the test

	life  *mortal.Life
	g     *gateway.Gateway
	hooks *httptest.Server
	lives int
}

func newWorld(t *testing.T, st store.Store, opts ...func(*discord.App)) *world {
	t.Helper()
	w := &world{t: t, clock: gatewaytest.NewClock(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)), store: st, opts: opts}
	var err error
	w.seal, err = gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	w.furnishDiscord()
	w.furnishForum()
	w.furnishGitHub()
	w.wire = &wire{next: map[string]http.RoundTripper{
		"discord.com": w.discord.Client().Transport, "forum.example": w.forums.Client().Transport, "github.com": w.github.Client().Transport,
	}}
	w.start(0)
	t.Cleanup(func() {
		w.hooks.Close()
		w.discord.Close()
		w.forums.Close()
		w.github.Close()
		require.NoError(t, st.Close())
	})
	w.settle()
	return w
}

func (w *world) furnishDiscord() {
	w.discord = fakediscord.New(fakediscord.Options{Now: w.clock.Now})
	for id, name := range map[string]string{owner: "owner", ann: "ann", bob: "bob", cid: "cid", "904": "dan", "905": "eve", troll: "troll"} {
		w.discord.AddUser(id, name)
	}
	w.guild = w.discord.AddGuild(guild, "Commons", owner)
	w.guild.AddRole(modRole, "Moderator", fakediscord.PermBanMembers)
	for _, id := range []string{ann, bob, cid, "904", "905"} {
		w.guild.AddMember(id, modRole)
	}
	w.guild.AddMember(troll).AddChannel(mods, "mods", fakediscord.TextChannel)
	w.guild.Install(fakediscord.PermEveryone | fakediscord.PermBanMembers | fakediscord.PermViewAuditLog)
}

func (w *world) furnishForum() {
	w.forums = fakediscourse.New(fakediscourse.Options{Now: w.clock.Now})
	var err error
	w.forum, err = w.forums.AddForum(forum)
	require.NoError(w.t, err)
	w.forum.AddUser(42, "troll", fakediscourse.Trust(1))
	w.forum.AddUser(7, "ann", fakediscourse.Moderator())
	w.key = w.forum.NewKey()
}

// start starts the program, which dies after so many steps; 0: it lives on.
func (w *world) start(left int) {
	w.t.Helper()
	if w.hooks != nil {
		w.hooks.Close()
	}
	w.life = &mortal.Life{}
	w.lives++
	a := w.discord.App()
	app := discord.App{ApplicationID: a.AppID, BotToken: gateway.Secret(a.BotToken), PublicKey: a.PublicKey, Dialer: w.discord.Dialer()}
	for _, f := range w.opts {
		f(&app)
	}
	d, err := discord.New(app)
	require.NoError(w.t, err)
	h, err := github.New(w.githubApp())
	require.NoError(w.t, err)
	transport := w.life.Transport(w.wire)
	w.g, err = gateway.New(gateway.Options{
		Store: w.life.Store(w.store), Seal: w.seal, Now: w.clock.Now, Timeout: time.Second, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Plugins: []gateway.Plugin{d, discourse.New(), h}, HTTP: &http.Client{Transport: transport}, Egress: transport, PublicURL: "https://gateway.example",
	})
	require.NoError(w.t, err)
	p := &policy{
		reasons: []string{"harassment", "spam"}, channel: mods, moderators: gateway.RoleKey("discord", "role/Moderator"), approvals: 3, open: 48 * time.Hour,
		appeal: "https://commons.example/appeal",
	}
	require.NoError(w.t, p.register(w.t.Context(), w.g))
	w.hooks = httptest.NewServer(w.g.Handler())
	w.discord.SetRequestURL(w.hooks.URL+"/api/hooks/discord", nil)
	w.github.SetRequestURL(w.hooks.URL+"/api/hooks/github", nil)
	require.NoError(w.t, w.forums.SetRequestURL(w.hooks.URL, nil))
	w.life.DieAfter(left)
}

// settle has the community on the three platforms, and the person with an account on each: that of Discord and that of the forum logged in together, that of
// GitHub is an admin's word.
func (w *world) settle() {
	ctx := w.t.Context()
	c, err := w.g.CreateCommunity(ctx, community, "Commons")
	require.NoError(w.t, err)
	for plugin, config := range map[string]any{
		"discord":   discord.Config{GuildID: guild},
		"discourse": discourse.Config{URL: forum, APIKey: gateway.Secret(w.key)},
		"github":    github.Config{InstallationID: strconv.FormatInt(w.install, 10)},
	} {
		_, err := c.Enable(ctx, plugin, config)
		require.NoError(w.t, err, plugin)
	}
	p, err := c.CreatePerson(ctx, gateway.NewPerson{Name: "Somebody"})
	require.NoError(w.t, err)
	w.person = p.ID
	both := gateway.Ground{Kind: gateway.BothLogins}
	for _, a := range []struct {
		ref gateway.AccountRef
		by  gateway.Ground
	}{
		{gateway.AccountRef{Plugin: "discord", UserID: troll}, both},
		{gateway.AccountRef{Plugin: "discourse", UserID: "42"}, both},
		{gateway.AccountRef{Plugin: "github", UserID: "joshua"}, gateway.Ground{Kind: gateway.AdminAsserted, Issuer: "eve"}},
	} {
		_, err := c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: a.ref}, a.by)
		require.NoError(w.t, err)
	}
	w.later(time.Minute)
	w.wire.forget()
}

// until does a step again, in a new life where the old one ended, until it is done.
func (w *world) until(what string, fn func(c *gateway.Community) error) {
	w.t.Helper()
	var err error
	deadline := time.Now().Add(time.Minute)
	for n := 0; n < 40 || w.running && time.Now().Before(deadline); n++ {
		var c *gateway.Community
		if c, err = w.g.Community(w.t.Context(), community); err == nil {
			err = fn(c)
		}
		if w.life.Over() {
			w.start(0)
			continue
		}
		if err == nil {
			return
		}
		if !w.running {
			w.later(time.Minute)
			continue
		}
		<-time.After(5 * time.Millisecond) // what it is about takes time of its own, and its leases go by the clock: that may not run away from it
		w.later(20 * time.Millisecond)
	}
	require.NoError(w.t, err, what)
}

// later moves the clock, and has done what is due then on all sides.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	w.clock.Advance(d)
	for range 3 {
		_, _ = w.g.RunDue(w.t.Context()) // it may die
		if w.life.Over() {
			w.start(0)
		}
		w.flush()
	}
}

// flush waits until what the platforms had to tell was told.
func (w *world) flush() {
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	_ = w.discord.Flush(ctx)
	_ = w.forums.Flush(ctx)
	w.forums.SendLate(ctx)
	_ = w.github.Flush(ctx)
}

// wire is all that the program asks of the platforms, in order.
type wire struct {
	next map[string]http.RoundTripper // by the end of the host's name

	mu   sync.Mutex
	seen []string
}

// RoundTrip sends a request to its platform.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	for host, next := range w.next {
		if r.URL.Hostname() == host || strings.HasSuffix(r.URL.Hostname(), "."+host) {
			w.mu.Lock()
			w.seen = append(w.seen, r.Method+" "+short(r.URL)+" as "+identity(r))
			w.mu.Unlock()
			return next.RoundTrip(r)
		}
	}
	return nil, errors.New("nobody is at " + r.URL.Host)
}

// identity is as whom a request is made.
func identity(r *http.Request) string {
	auth := r.Header.Get("Authorization")
	switch {
	case r.Header.Get("Api-Key") != "":
		return r.Header.Get("Api-Username")
	case strings.HasPrefix(auth, "Bot "):
		return "bot"
	case strings.HasPrefix(auth, "Bearer ghs_"):
		return "installation"
	case strings.Count(auth, ".") == 2:
		return "app"
	}
	return "nobody"
}

func short(u *url.URL) string {
	host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(u.Hostname(), "api."), "www."), ".com")
	return strings.TrimSuffix(host, ".example") + strings.TrimSuffix(strings.TrimPrefix(u.Path, "/api/v10"), ".json")
}

func (w *wire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = nil
}

func (w *wire) calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.seen...)
}

// appKey is one for all tests: to make one takes long.
var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func (w *world) furnishGitHub() {
	w.github = fakegithub.New(fakegithub.Options{Now: w.clock.Now, Key: appKey()})
	w.org = w.github.AddOrg("acme", "ada")
	w.org.AddMember("joshua", "member")
	var err error
	w.install, err = w.github.Install("acme", fakegithub.Installing{})
	require.NoError(w.t, err)
}

// githubApp is the fake's app.
func (w *world) githubApp() github.App {
	a := w.github.App()
	return github.App{ID: strconv.FormatInt(a.ID, 10), Slug: a.Slug, PrivateKey: gateway.Secret(a.PrivateKey), WebhookSecret: gateway.Secret(a.WebhookSecret)}
}
