package discord_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/mortal"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// program is a guild whose gateway can be killed and started again on the same store.
type program struct {
	t     *testing.T
	clock *clock
	fake  *fakediscord.Server
	w     *fakediscord.Guild
	store store.Store
	seal  gateway.AEAD

	life  *mortal.Life
	g     *gateway.Gateway
	hooks *httptest.Server
	lives int
}

func (m *program) start(left int) {
	m.t.Helper()
	if m.hooks != nil {
		m.hooks.Close()
	}
	m.life = &mortal.Life{}
	m.lives++
	p, err := discord.New(appOf(m.fake))
	require.NoError(m.t, err)
	m.g, err = gateway.New(gateway.Options{
		Timeout: 300 * time.Millisecond, Store: m.life.Store(m.store), Seal: m.seal, Now: m.clock.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Plugins: []gateway.Plugin{p},
		HTTP: &http.Client{Transport: m.life.Transport(m.fake.Client().Transport)}, Egress: m.life.Transport(m.fake.Client().Transport),
	})
	require.NoError(m.t, err)
	m.hooks = httptest.NewServer(m.g.Handler())
	m.fake.SetRequestURL(m.hooks.URL+"/api/hooks/discord", nil)
	m.life.DieAfter(left)
}

// until does a step again, in a new life where the old one ended, until it is done.
func (m *program) until(what string, fn func() error) {
	m.t.Helper()
	var err error
	for range 30 {
		err = fn()
		if m.life.Over() {
			m.start(0)
			continue
		}
		if err == nil {
			return
		}
		m.later(time.Minute)
	}
	require.NoError(m.t, err, what)
}

func (m *program) later(d time.Duration) {
	m.clock.advance(d)
	for range 3 {
		_, _ = m.g.RunDue(m.t.Context()) // it may die
		if m.life.Over() {
			m.start(0)
		}
		_ = m.fake.Flush(m.t.Context())
	}
}

func (m *program) community() *gateway.Community {
	m.t.Helper()
	c, err := m.g.Community(m.t.Context(), "town")
	if err != nil {
		m.start(0)
		c, err = m.g.Community(m.t.Context(), "town")
	}
	require.NoError(m.t, err)
	return c
}

// started starts a process, whatever happens to us.
func (m *program) started(name string, in discord.Vote) (p gateway.Process) {
	m.t.Helper()
	m.until("start "+name, func() error {
		inst, err := m.community().Instance(m.t.Context(), "discord")
		if err != nil {
			return err
		}
		p, err = inst.Start(m.t.Context(), name, in, gateway.Once(name))
		return err
	})
	m.until("posted "+name, func() error {
		p, err := m.community().Process(m.t.Context(), p.ID)
		if err == nil && p.Status != gateway.StatusPending {
			return fmt.Errorf("it is %s: %s", p.Status, p.Reason)
		}
		return err
	})
	return p
}

// closed closes it and gives it as it is when all is said.
func (m *program) closed(p gateway.Process) gateway.Process {
	m.t.Helper()
	m.until("close", func() error {
		p, err := m.community().Close(m.t.Context(), p.ID)
		if err == nil && p.Status != gateway.StatusCompleted {
			return fmt.Errorf("it is %s: %s", p.Status, p.Reason)
		}
		return err
	})
	for range 4 {
		m.later(time.Minute)
	}
	m.until("again", func() error {
		now, err := m.community().Process(m.t.Context(), p.ID)
		if err == nil {
			p = now
		}
		return err
	})
	return p
}

// scenario is what a policy does about an offence (A1, steps 5 to 7, on Discord), with a gateway that dies once, after so many steps: the moderators
// vote, with buttons and by a poll, and the ban follows. It says how many steps there were in the last life.
func scenario(t *testing.T, st store.Store, left int) int {
	t.Helper()
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	m := &program{t: t, clock: &clock{t: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)}, store: st, seal: seal}
	m.fake = fakediscord.New(fakediscord.Options{Now: m.clock.now})
	defer m.fake.Close()
	m.w = (&rig{t: t, fake: m.fake}).guild(0)
	m.w.Install(perms)
	m.start(0)
	defer func() { m.hooks.Close() }()
	c, err := m.g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "discord", discord.Config{GuildID: guildID})
	require.NoError(t, err)
	m.life.DieAfter(left)

	p := m.started("vote", discord.Vote{Channel: hall, Ask: vote.Ask{Title: "Ban?", EligibleVoters: []string{ann, bob, dan}, Quorum: 3}})
	list := m.w.Messages(hall)
	require.Len(t, list, 1, "one message")
	for _, click := range [][2]string{{ann, "0"}, {dan, "1"}, {dan, "0"}, {cid, "0"}, {bob, "0"}} {
		m.until("click", func() error {
			m.clock.advance(time.Second)
			reply, err := m.w.Click(hall, list[0].ID, click[0], "gw:"+p.ID+":option"+click[1])
			if err == nil && reply.Failed != "" {
				err = errors.New(reply.Failed)
			}
			return err
		})
		m.later(2 * time.Second)
	}
	p = m.closed(p)
	out := outcome(t, p)
	require.Equal(t, vote.Passed, out.Result)
	require.Equal(t, map[string]int64{"yes": 3}, counts(p))
	now, ok := m.w.Message(hall, list[0].ID)
	require.True(t, ok)
	require.Empty(t, now.Components, "its buttons are gone")
	require.Contains(t, text(now), "passed")
	require.Len(t, m.w.Messages(hall), 1)

	m.until("ban", func() error {
		inst, err := m.community().Instance(t.Context(), "discord")
		if err != nil {
			return err
		}
		_, err = inst.Do(t.Context(), "ban-member", discord.BanUser{User: cid, Reasoned: discord.Reasoned{Reason: "by vote"}}, gateway.Once("ban"))
		return err
	})
	reason, banned := m.w.Banned(cid)
	require.True(t, banned)
	require.Equal(t, "by vote", reason)

	q := m.started("poll-vote", discord.Vote{Channel: park, Ask: vote.Ask{Title: "Lunch?", PollType: vote.Choice, Options: []string{"soup", "salad"}}})
	require.Len(t, m.w.Messages(park), 1, "one poll")
	require.NoError(t, m.w.VoteInPoll(park, m.w.Messages(park)[0].ID, ann, 2))
	m.until("looked at", func() error {
		m.later(2 * time.Hour)
		p, err := m.community().Process(t.Context(), q.ID)
		if err == nil && counts(p)["salad"] != 1 {
			err = errors.New("it is not counted yet")
		}
		return err
	})
	q = m.closed(q)
	require.Equal(t, "salad", outcome(t, q).Winner)
	require.Len(t, m.w.Messages(park), 3, "the poll, Discord's word of its end, and the result, each once")
	require.True(t, m.w.Messages(park)[0].PollOver)
	if left > 0 {
		require.Greater(t, m.lives, 1, "it was killed")
	}
	return m.life.Steps()
}

func TestVotesAndABanWithAKillBetweenAnyTwoSteps(t *testing.T) {
	for name, c := range map[string]struct {
		open   func(t *testing.T) store.Store
		stride int
	}{
		"memory": {func(*testing.T) store.Store { return memory.New() }, 17},
		"sqlite": {func(t *testing.T) store.Store {
			s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
			require.NoError(t, err)
			return s
		}, 150},
	} {
		t.Run(name, func(t *testing.T) {
			st := c.open(t)
			steps := scenario(t, st, 0)
			require.NoError(t, st.Close())
			require.Greater(t, steps, 60)
			for n := 1; n < steps*7/8; n += c.stride { // the last ones come when all is said, and not every run has as many
				t.Run(fmt.Sprint("after ", n), func(t *testing.T) {
					t.Parallel()
					st := c.open(t)
					scenario(t, st, n)
					require.NoError(t, st.Close())
				})
			}
		})
	}
}
