package discourse_test

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
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/internal/mortal"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// survivor is a forum whose gateway can be killed and started again on the same store.
type survivor struct {
	t     *testing.T
	clock *gatewaytest.Clock
	fake  *fakediscourse.Server
	forum *fakediscourse.Forum
	store store.Store
	seal  gateway.AEAD

	life  *mortal.Life
	g     *gateway.Gateway
	hooks *httptest.Server
	lives int
}

// start begins a life, which ends after so many steps; 0: it does not.
func (m *survivor) start(left int) {
	m.t.Helper()
	if m.hooks != nil {
		m.hooks.Close()
	}
	m.life = &mortal.Life{}
	m.lives++
	transport := m.life.Transport(m.fake.Client().Transport)
	var err error
	m.g, err = gateway.New(gateway.Options{
		Timeout: 300 * time.Millisecond, Store: m.life.Store(m.store), Seal: m.seal, Now: m.clock.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Plugins: []gateway.Plugin{discourse.New()}, HTTP: &http.Client{Transport: transport}, Egress: transport, PublicURL: "https://gateway.example",
	})
	require.NoError(m.t, err)
	m.hooks = httptest.NewServer(m.g.Handler())
	require.NoError(m.t, m.fake.SetRequestURL(m.hooks.URL, nil))
	m.life.DieAfter(left)
}

// until does a step again, in a new life where the old one ended, until it is done.
func (m *survivor) until(what string, fn func() error) {
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

func (m *survivor) later(d time.Duration) {
	m.clock.Advance(d)
	for range 3 {
		_, _ = m.g.RunDue(m.t.Context()) // it may die
		if m.life.Over() {
			m.start(0)
		}
		_ = m.fake.Flush(m.t.Context())
	}
}

func (m *survivor) process(id string) (p gateway.Process, err error) {
	c, err := m.g.Community(m.t.Context(), "town")
	if err != nil {
		return p, err
	}
	return c.Process(m.t.Context(), id)
}

// started starts a vote, whatever happens to us.
func (m *survivor) started(name string, in discourse.Poll) (p gateway.Process) {
	m.t.Helper()
	m.until("start "+name, func() error {
		c, err := m.g.Community(m.t.Context(), "town")
		if err != nil {
			return err
		}
		inst, err := c.Instance(m.t.Context(), "discourse")
		if err != nil {
			return err
		}
		p, err = inst.Start(m.t.Context(), "poll", in, gateway.Once(name))
		return err
	})
	m.is(p.ID, gateway.StatusPending)
	return p
}

// is waits until a process is so.
func (m *survivor) is(id string, status gateway.Status) (p gateway.Process) {
	m.t.Helper()
	m.until(string(status), func() (err error) {
		p, err = m.process(id)
		if err == nil && p.Status != status {
			return fmt.Errorf("it is %s: %s", p.Status, p.Reason)
		}
		return err
	})
	return p
}

// mortalVotes is two votes with a gateway that dies once, after so many steps: one in a topic of its own that the driver ends, and one
// in an answer that ends by itself. It says how many steps there were in the last life.
func mortalVotes(t *testing.T, st store.Store, left int) int {
	t.Helper()
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	m := &survivor{t: t, clock: gatewaytest.NewClock(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)), store: st, seal: seal}
	m.fake, m.forum = newFake(t, fakediscourse.Options{Now: m.clock.Now})
	m.start(0)
	defer func() { m.hooks.Close() }()
	c, err := m.g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "discourse", discourse.Config{URL: forumURL, WebhookSecret: hookSecret, PerMinute: 10_000, APIKey: gateway.Secret(m.forum.NewKey())})
	require.NoError(t, err)
	m.later(time.Second)
	m.life.DieAfter(left)

	p := m.started("first", discourse.Poll{Ask: vote.Ask{Title: where, PollType: vote.Multiple, Options: []string{"river", "hill", "market"}}})
	require.Len(t, m.forum.Topics(), 1, "one topic")
	topic := m.forum.Topics()[0]
	require.Len(t, topic.Posts, 1)
	for by, options := range map[string][]int{"bob": {1, 2}, "Carla": {2}} {
		require.NoError(t, m.forum.VoteInPoll(by, topic.Posts[0], "poll", options...))
	}
	m.until("looked at", func() error {
		m.later(time.Hour)
		p, err := m.process(p.ID)
		if err == nil && p.Voters != 2 {
			return errors.New("it is not read yet")
		}
		return err
	})
	m.until("close", func() error {
		c, err := m.g.Community(t.Context(), "town")
		if err != nil {
			return err
		}
		_, err = c.Close(t.Context(), p.ID)
		return err
	})
	var out vote.Outcome
	require.NoError(t, m.is(p.ID, gateway.StatusCompleted).DecodeOutcome(&out))
	require.Equal(t, "hill", out.Winner)
	require.EqualValues(t, 2, out.Turnout.Voters)

	for range 4 {
		m.later(time.Minute)
	}

	closing := m.clock.Now().Add(2 * time.Hour)
	q := m.started("second", discourse.Poll{TopicID: topic.ID, Ask: vote.Ask{Title: "Shade?", ClosingAt: &closing}})
	for range 4 {
		m.later(time.Minute)
	}
	topic, _ = m.forum.Topic(topic.ID)
	require.Len(t, topic.Posts, 3, "the poll, its result and the other poll, each once")
	require.NoError(t, m.forum.VoteInPoll("bob", topic.Posts[2], "poll", 1))
	m.later(3 * time.Hour)
	require.NoError(t, m.is(q.ID, gateway.StatusCompleted).DecodeOutcome(&out))
	require.Equal(t, vote.Passed, out.Result)
	for range 4 {
		m.later(time.Minute)
	}
	topic, _ = m.forum.Topic(topic.ID)
	require.Len(t, topic.Posts, 4)
	for _, n := range []int{0, 2} {
		post, _ := m.forum.PostByID(topic.Posts[n])
		require.Equal(t, "closed", post.Polls[0].Status)
	}
	if left > 0 {
		require.Greater(t, m.lives, 1, "it was killed")
	}
	return m.life.Steps()
}

func TestVotesWithAKillBetweenAnyTwoSteps(t *testing.T) {
	for name, c := range map[string]struct {
		open   func(t *testing.T) store.Store
		stride int
	}{
		"memory": {func(*testing.T) store.Store { return memory.New() }, 11},
		"sqlite": {func(t *testing.T) store.Store {
			s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
			require.NoError(t, err)
			return s
		}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			st := c.open(t)
			steps := mortalVotes(t, st, 0)
			require.NoError(t, st.Close())
			require.Greater(t, steps, 60)
			for n := 1; n < steps*7/8; n += c.stride { // the last ones come when all is said, and not every run has as many
				t.Run(fmt.Sprint("after ", n), func(t *testing.T) {
					t.Parallel()
					st := c.open(t)
					mortalVotes(t, st, n)
					require.NoError(t, st.Close())
				})
			}
			t.Logf("%d steps", steps)
		})
	}
}
