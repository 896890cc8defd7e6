package github_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

var errDead = errors.New("the program was killed")

// life ends after so many things that a program does to the outside: commits and requests, each before or after it is done.
type life struct {
	mu   sync.Mutex
	left int // 0: it lives on
	dead bool
	did  int
}

func (l *life) step() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.did++
	if l.left > 0 {
		if l.left--; l.left == 0 {
			l.dead = true
		}
	}
	if l.dead {
		return errDead
	}
	return nil
}

func (l *life) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// mortalStore is a store as a program sees it that dies.
type mortalStore struct {
	store.Store
	life *life
}

func (s mortalStore) View(ctx context.Context, fn func(store.Tx) error) error {
	if s.life.over() {
		return errDead
	}
	return s.Store.View(ctx, fn)
}

func (s mortalStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.life.step(); err != nil {
		return err
	}
	if err := s.Store.Update(ctx, fn); err != nil {
		return err
	}
	return s.life.step()
}

func (s mortalStore) Close() error { return nil }

type mortalTransport struct {
	http.RoundTripper
	life *life
}

func (m mortalTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := m.life.step(); err != nil {
		return nil, err
	}
	res, err := m.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := m.life.step(); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res, nil
}

// mortal is a gateway that can be killed and started again on the same store.
type mortal struct {
	t     *testing.T
	clock *gatewaytest.Clock
	hub   *hub
	store store.Store
	seal  gateway.AEAD
	life  *life
	g     *gateway.Gateway
	lives int
}

func (m *mortal) start(left int) {
	m.t.Helper()
	m.life = &life{}
	m.lives++
	p, err := github.New(testApp())
	require.NoError(m.t, err)
	m.g, err = gateway.New(gateway.Options{
		Timeout: 300 * time.Millisecond, Store: mortalStore{m.store, m.life}, Seal: m.seal, Now: m.clock.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Plugins: []gateway.Plugin{p},
		HTTP: &http.Client{Transport: mortalTransport{m.hub, m.life}}, Egress: mortalTransport{m.hub, m.life},
	})
	require.NoError(m.t, err)
	m.life.mu.Lock()
	m.life.left = left
	m.life.mu.Unlock()
}

// until does a step again, in a new life where the old one ended, until it is done.
func (m *mortal) until(what string, fn func(c *gateway.Community) error) {
	m.t.Helper()
	var err error
	for range 30 {
		var c *gateway.Community
		if c, err = m.g.Community(m.t.Context(), "town"); err == nil {
			err = fn(c)
		}
		if m.life.over() {
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

func (m *mortal) later(d time.Duration) {
	m.clock.Advance(d)
	for range 2 {
		_, _ = m.g.RunDue(m.t.Context()) // it may die
		if m.life.over() {
			m.start(0)
		}
	}
}

// voted is a vote by reactions with a gateway that dies once, after so many steps. It says how many there were in the last life.
func voted(t *testing.T, left int) int {
	t.Helper()
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	m := &mortal{t: t, clock: gatewaytest.NewClock(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)), store: memory.New(), seal: seal}
	m.hub = newHub(m.clock.Now)
	m.start(0)
	c, err := m.g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "github", github.Config{InstallationID: installation, Repository: "town"})
	require.NoError(t, err)
	m.life.mu.Lock()
	m.life.left, m.life.did = left, 0
	m.life.mu.Unlock()

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
	return m.life.did
}

// A program that dies between any two of a vote's steps opens no second issue, loses no vote and says the result once.
func TestAVoteWithAKillBetweenAnyTwoSteps(t *testing.T) {
	steps := voted(t, 0)
	require.Greater(t, steps, 20)
	const stride = 17 // shares no factor with how often one thing repeats; all of them take a minute and a half
	for left := 1; left < steps-stride; left += stride {
		t.Run(fmt.Sprintf("after %d", left), func(t *testing.T) { voted(t, left) })
	}
}
