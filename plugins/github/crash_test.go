package github_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/internal/mortal"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// program is a gateway that can be killed and started again on the same store.
type program struct {
	t     *testing.T
	clock *gatewaytest.Clock
	hub   *hub
	store store.Store
	seal  gateway.AEAD
	life  *mortal.Life
	g     *gateway.Gateway
	lives int
}

func (m *program) start(left int) {
	m.t.Helper()
	m.life = &mortal.Life{}
	m.lives++
	p, err := github.New(testApp())
	require.NoError(m.t, err)
	m.g, err = gateway.New(gateway.Options{
		Timeout: 300 * time.Millisecond, Store: m.life.Store(m.store), Seal: m.seal, Now: m.clock.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Plugins: []gateway.Plugin{p},
		HTTP: &http.Client{Transport: m.life.Transport(m.hub)}, Egress: m.life.Transport(m.hub),
	})
	require.NoError(m.t, err)
	m.life.DieAfter(left)
}

// until does a step again, in a new life where the old one ended, until it is done.
func (m *program) until(what string, fn func(c *gateway.Community) error) {
	m.t.Helper()
	var err error
	for range 30 {
		var c *gateway.Community
		if c, err = m.g.Community(m.t.Context(), "town"); err == nil {
			err = fn(c)
		}
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
	m.clock.Advance(d)
	for range 2 {
		_, _ = m.g.RunDue(m.t.Context()) // it may die
		if m.life.Over() {
			m.start(0)
		}
	}
}

// voted is a vote by reactions with a gateway that dies once, after so many steps. It says how many there were in the last life.
func voted(t *testing.T, left int) int {
	t.Helper()
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	m := &program{t: t, clock: gatewaytest.NewClock(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)), store: memory.New(), seal: seal}
	m.hub = newHub(m.clock.Now)
	m.start(0)
	c, err := m.g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "github", github.Config{InstallationID: installation, Repository: "town"})
	require.NoError(t, err)
	m.life.DieAfter(left)

	closing := m.clock.Now().Add(time.Hour)
	var p gateway.Process
	m.until("start", func(c *gateway.Community) error {
		inst, err := c.Instance(t.Context(), "github")
		if err == nil {
			p, err = inst.Start(t.Context(), "issue-react-vote", github.ReactVote{Ask: vote.Ask{Title: "Rename?", ClosingAt: &closing}}, gateway.Once("rename"))
		}
		return err
	})
	m.until("opened", func(c *gateway.Community) error {
		p, err := c.Process(t.Context(), p.ID)
		if err == nil && p.Status != gateway.StatusPending {
			err = fmt.Errorf("it is %s: %s", p.Status, p.Reason)
		}
		return err
	})
	for _, login := range []string{"ann", "bob", "cid"} {
		m.hub.react(1, login, "+1", m.clock.Now())
		m.later(15 * time.Minute)
	}
	for range 25 {
		m.later(2 * time.Minute)
	}
	m.until("over", func(c *gateway.Community) (err error) {
		if p, err = c.Process(t.Context(), p.ID); err == nil && p.Status != gateway.StatusCompleted {
			err = fmt.Errorf("it is %s: %s", p.Status, p.Reason)
		}
		return err
	})
	for range 3 {
		m.later(time.Minute)
	}
	out := outcome(t, p)
	require.Equal(t, vote.Passed, out.Result)
	require.EqualValues(t, 3, out.Questions[0].Options[0].Ballots)
	require.Len(t, m.hub.issues, 1, "one issue")
	require.Len(t, m.hub.comments[1], 1, "the result, once")
	require.Equal(t, "closed", m.hub.issues[0]["state"])
	if left > 0 {
		require.Greater(t, m.lives, 1, "it was killed")
	}
	return m.life.Steps()
}

// A program that dies between any two of a vote's steps opens no second issue, loses no vote and says the result once.
func TestAVoteWithAKillBetweenAnyTwoSteps(t *testing.T) {
	steps := voted(t, 0)
	require.Greater(t, steps, 20)
	const stride = 17 // shares no factor with how often one thing repeats; all of them take a minute and a half
	for left := 1; left < steps*7/8; left += stride {
		t.Run(fmt.Sprintf("after %d", left), func(t *testing.T) { voted(t, left) })
	}
}
