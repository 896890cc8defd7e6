package slack_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/mortal"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// program is a workspace whose gateway can be killed and started again on the same store.
type program struct {
	t     *testing.T
	clock *clock
	fake  *fakeslack.Server
	w     *fakeslack.Workspace
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
	a := m.fake.App()
	p, err := slack.New(slack.App{SigningSecret: gateway.Secret(a.SigningSecret)})
	require.NoError(m.t, err)
	m.g, err = gateway.New(gateway.Options{
		Timeout: 300 * time.Millisecond, Store: m.life.Store(m.store), Seal: m.seal, Now: m.clock.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Plugins: []gateway.Plugin{p},
		HTTP: &http.Client{Transport: m.life.Transport(m.fake.Client().Transport)}, Egress: m.life.Transport(m.fake.Client().Transport),
	})
	require.NoError(m.t, err)
	m.hooks = httptest.NewServer(m.g.Handler())
	m.fake.SetRequestURL(m.hooks.URL+"/api/hooks/slack", nil)
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
		m.fake.RetryDue(m.t.Context())
	}
}

// scenario is C1, steps 5 to 9, with a gateway that dies once, after so many steps. It says how many there were in the last life.
func scenario(t *testing.T, st store.Store, left int) int {
	t.Helper()
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	m := &program{t: t, clock: &clock{t: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)}, store: st, seal: seal}
	m.fake = fakeslack.New(fakeslack.Options{Now: m.clock.now, Strict: true})
	defer m.fake.Close()
	m.w = m.fake.AddWorkspace("T1", "Town")
	for _, u := range []string{"UADMIN", "UALICE", "UBOB", "UCAROL", "UEVE"} {
		m.w.AddUser(u, strings.ToLower(u[1:]))
	}
	m.w.Install()
	m.w.AddChannel("CHALL", "town-hall", "UADMIN", "UALICE", "UBOB", "UCAROL", "UEVE").WithApp()
	m.start(0)
	defer func() { m.hooks.Close() }()
	c, err := m.g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "slack", slack.Config{BotToken: gateway.Secret(m.w.BotToken())})
	require.NoError(t, err)
	m.life.DieAfter(left)

	town := func() *gateway.Community {
		c, err := m.g.Community(t.Context(), "town")
		if err != nil {
			m.start(0)
			c, err = m.g.Community(t.Context(), "town")
		}
		require.NoError(t, err)
		return c
	}
	// 5: the vote is posted.
	var p gateway.Process
	m.until("start", func() error {
		inst, err := town().Instance(t.Context(), "slack")
		if err != nil {
			return err
		}
		p, err = inst.Start(t.Context(), "emoji-vote", slack.Vote{Channel: "CHALL", Publish: "thread", PublishText: "Decided: {result}", Ask: vote.Ask{
			Title: "Rename?", EligibleVoters: []string{"UALICE", "UBOB", "UCAROL"}, Quorum: 3, IneligibleVoterMessage: "You are not of this channel.",
		}}, gateway.Once("rename"))
		return err
	})
	m.until("posted", func() error {
		p, err := town().Process(t.Context(), p.ID)
		if err == nil && p.Status != gateway.StatusPending {
			return fmt.Errorf("it is %s: %s", p.Status, p.Reason)
		}
		return err
	})
	find := func() fakeslack.Message {
		var out []fakeslack.Message
		for _, x := range m.w.Messages("CHALL") {
			if strings.Contains(string(x.Blocks), "gw:"+p.ID) {
				out = append(out, x)
			}
		}
		require.Len(t, out, 1, "one message")
		return out[0]
	}
	// 6: people vote, and press again where Slack shows them that nothing was heard.
	for _, click := range [][2]string{{"UALICE", "0"}, {"UCAROL", "1"}, {"UCAROL", "0"}, {"UEVE", "0"}, {"UBOB", "0"}} {
		m.until("click", func() error {
			at := find()
			a, err := m.w.Click(t.Context(), click[0], at.Channel, at.TS, "cast_vote", click[1])
			if err == nil && a.Status != 200 {
				err = fmt.Errorf("status %d", a.Status)
			}
			return err
		})
		m.later(2 * time.Second)
	}
	// 7: it is closed. 9: the outcome is said in its thread.
	m.until("close", func() error {
		p, err := town().Close(t.Context(), p.ID)
		if err == nil && p.Status != gateway.StatusCompleted {
			return fmt.Errorf("it is %s: %s", p.Status, p.Reason)
		}
		return err
	})
	for range 6 {
		m.later(time.Minute)
	}
	m.until("again", func() error {
		now, err := town().Process(t.Context(), p.ID)
		if err == nil {
			p = now
		}
		return err
	})
	at := find()
	out := outcome(t, p)
	require.Equal(t, vote.Passed, out.Result)
	require.EqualValues(t, 3, out.Questions[0].Options[0].Ballots)
	require.Zero(t, out.Questions[0].Options[1].Ballots)
	require.Equal(t, map[string]int64{"yes": 3}, counts(p))
	require.NotContains(t, string(at.Blocks), "action_id", "its buttons are gone")
	require.Contains(t, texts(at), "passed")
	require.Len(t, m.w.Messages("CHALL"), 2, "the vote and its result, each once")
	require.Contains(t, m.w.Messages("CHALL")[1].Text, "Decided: *Result:* passed")
	require.Equal(t, at.TS, m.w.Messages("CHALL")[1].ThreadTS)
	require.NotEmpty(t, m.w.Ephemerals("UEVE"))
	require.LessOrEqual(t, len(m.w.Ephemerals("UEVE")), 2)
	if left > 0 {
		require.Greater(t, m.lives, 1, "it was killed")
	}
	return m.life.Steps()
}

func TestScenarioC1WithAKillBetweenAnyTwoSteps(t *testing.T) {
	for name, c := range map[string]struct {
		open   func(t *testing.T) store.Store
		stride int
	}{
		"memory": {func(*testing.T) store.Store { return memory.New() }, 7},
		"sqlite": {func(t *testing.T) store.Store {
			s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
			require.NoError(t, err)
			return s
		}, 30},
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
