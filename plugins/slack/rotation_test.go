package slack_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// turning is a workspace with an app whose tokens rotate, installed by OAuth, and a way to make another node.
type turning struct {
	*town
	options *gateway.Options
}

func newTurning(t *testing.T) *turning {
	t.Helper()
	var options *gateway.Options
	r := oauthRig(t, func(_ *slack.App, f *fakeslack.Options, o *gateway.Options) { f.TokenRotation, options = true, o })
	w := r.fresh("T1")
	got, _ := r.browse(gateway.AuthRequest{RequireAdmin: true}, "T1", "UADMIN")
	require.Equal(t, gateway.Install, got.Type)
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), got.Instance)
	require.NoError(t, err)
	return &turning{&town{r, w, c, inst}, options}
}

// node is the instance as another program with the same database has it.
func (w *turning) node() *gateway.Instance {
	w.t.Helper()
	g, err := gateway.New(*w.options)
	require.NoError(w.t, err)
	c, err := g.Community(w.t.Context(), w.c.Slug())
	require.NoError(w.t, err)
	inst, err := c.Instance(w.t.Context(), w.inst.Name())
	require.NoError(w.t, err)
	return inst
}

func (w *turning) refreshes() int {
	n := 0
	for _, c := range w.fake.CallsTo("oauth.v2.access") {
		if c.Args.Get("grant_type") == "refresh_token" {
			n++
		}
	}
	return n
}

func (w *turning) speak(inst *gateway.Instance) error {
	_, err := inst.Do(w.t.Context(), "post-message", slack.Message{Channel: "CHALL", Text: "x"})
	return err
}

func (w *turning) status() (string, string) {
	w.t.Helper()
	status, reason, err := w.inst.Status(w.t.Context())
	require.NoError(w.t, err)
	return status, reason
}

func TestATokenIsExchangedBeforeItExpiresOnceForAll(t *testing.T) {
	w := newTurning(t)
	raw, err := w.inst.Config(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(raw), `"expires_at":"2026-11-03T00:00:00Z"`)
	require.NotContains(t, string(raw), "xoxe", "refresh tokens are sealed as tokens are")
	require.NoError(t, w.speak(w.inst))
	require.Zero(t, w.refreshes(), "not sooner than needed")

	// Two programs and ten goroutines in each want a token in the same moment.
	w.clock.advance(11 * time.Hour)
	var wg sync.WaitGroup
	failed := make(chan error, 20)
	for _, inst := range []*gateway.Instance{w.inst, w.node()} {
		for range 10 {
			wg.Go(func() { failed <- w.speak(inst) })
		}
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	require.Equal(t, 1, w.refreshes())

	// The old token has expired by now: whoever used it would be refused.
	w.clock.advance(2 * time.Hour)
	asked := len(w.fake.CallsTo("auth.test"))
	require.NoError(t, w.speak(w.inst))
	require.NoError(t, w.speak(w.node()))
	require.Equal(t, 1, w.refreshes())
	require.Len(t, w.fake.CallsTo("auth.test"), asked, "a fresh token is not tried out")
	for _, c := range w.fake.CallsTo("chat.postMessage") {
		require.True(t, c.Answer.OK(), string(c.Answer.Body))
	}
	raw, err = w.inst.Config(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(raw), `"team_id":"T1"`, "the rest of the configuration is kept")
	require.Contains(t, string(raw), `"2026-11-03T11:00:00Z"`)
}

func TestATokenIsExchangedWhereNobodyAsksAnything(t *testing.T) {
	w := newTurning(t)
	for range 48 {
		w.later(30 * time.Minute)
	}
	require.Equal(t, 2, w.refreshes())
	require.Empty(t, w.fake.CallsTo("chat.postMessage"))
	require.NoError(t, w.speak(w.inst))
}

func TestATokenThatExpiredUnexpectedlyIsExchanged(t *testing.T) {
	w := newTurning(t)
	w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Error: "token_expired"})
	require.NoError(t, w.speak(w.inst))
	require.Equal(t, 1, w.refreshes())
	status, _ := w.status()
	require.Equal(t, "active", status)

	w.clock.advance(30 * time.Hour) // nothing ran for more than a day
	require.NoError(t, w.speak(w.inst))
	require.Equal(t, 2, w.refreshes())
}

func TestARefreshThatSlackRefusesPausesUntilTheNextInstall(t *testing.T) {
	for name, idle := range map[string]bool{"asked": false, "idle": true} {
		t.Run(name, func(t *testing.T) {
			w := newTurning(t)
			w.fake.Fail(fakeslack.Fault{Method: "oauth.v2.access", Error: "invalid_refresh_token", Times: -1})
			w.clock.advance(13 * time.Hour)
			if idle {
				w.due()
			} else {
				require.ErrorIs(t, w.speak(w.inst), gateway.Denied)
			}
			status, reason := w.status()
			require.Equal(t, []string{"paused", gateway.BadCredentials}, []string{status, reason})
			require.Empty(t, w.fake.CallsTo("chat.postMessage"))
			n := w.refreshes()
			w.later(time.Hour)
			require.Equal(t, n, w.refreshes(), "it is not asked again and again")
			_, _ = w.browse(gateway.AuthRequest{}, "T1", "UADMIN") // the fault refuses this one too
		})
	}
}

func TestInstallingAgainGivesARotatingTokenBack(t *testing.T) {
	w := newTurning(t)
	refused := w.fake.Fail(fakeslack.Fault{Method: "oauth.v2.access", Error: "invalid_refresh_token", Times: -1})
	w.clock.advance(13 * time.Hour)
	require.Error(t, w.speak(w.inst))
	refused.Remove()
	got, _ := w.browse(gateway.AuthRequest{}, "T1", "UADMIN")
	require.Equal(t, w.inst.Name(), got.Instance)
	status, _ := w.status()
	require.Equal(t, "active", status)
	require.NoError(t, w.speak(w.inst))
}

// Slack may have exchanged the token and we do not know for what: the old refresh token still works.
func TestALostAnswerOfARefresh(t *testing.T) {
	t.Run("once", func(t *testing.T) {
		w := newTurning(t)
		w.clock.advance(13 * time.Hour)
		w.fake.Fail(fakeslack.Fault{Method: "oauth.v2.access", LoseAnswer: true})
		require.NoError(t, w.speak(w.inst))
		require.Equal(t, 2, w.refreshes())
	})
	t.Run("all the time, while the old token works", func(t *testing.T) {
		w := newTurning(t)
		w.clock.advance(11 * time.Hour)
		lost := w.fake.Fail(fakeslack.Fault{Method: "oauth.v2.access", LoseAnswer: true, Times: -1})
		require.NoError(t, w.speak(w.inst))
		n := w.refreshes()
		require.NoError(t, w.speak(w.inst))
		require.Equal(t, n, w.refreshes(), "not with every call")
		lost.Remove()
		w.clock.advance(2 * time.Minute)
		require.NoError(t, w.speak(w.inst))
		require.Equal(t, n+1, w.refreshes())
	})
	t.Run("all the time, and the old token has expired", func(t *testing.T) {
		w := newTurning(t)
		w.clock.advance(13 * time.Hour)
		lost := w.fake.Fail(fakeslack.Fault{Method: "oauth.v2.access", LoseAnswer: true, Times: -1})
		require.ErrorIs(t, w.speak(w.inst), gateway.Unavailable, "the message was certainly not posted")
		status, _ := w.status()
		require.Equal(t, "active", status)
		lost.Remove()
		require.NoError(t, w.speak(w.inst))
	})
	t.Run("every other way to give no answer", func(t *testing.T) {
		w := newTurning(t)
		w.clock.advance(13 * time.Hour)
		for _, f := range []fakeslack.Fault{
			{Error: "bad_client_secret"}, {Error: "internal_error"}, {Status: 500, Body: "<html>"}, {Body: "{"}, {RetryAfter: time.Second}, {CloseBefore: true}, {Body: `{"ok":true}`},
		} {
			f.Method, f.Times = "oauth.v2.access", -1
			in := w.fake.Fail(f)
			require.Error(t, w.speak(w.inst))
			in.Remove()
			status, _ := w.status()
			require.Equal(t, "active", status, "it says nothing of this workspace: %v", f)
			w.clock.advance(2 * time.Second)
		}
		require.NoError(t, w.speak(w.inst))
		for _, c := range w.fake.CallsTo("chat.postMessage") {
			require.True(t, c.Answer.OK())
		}
	})
}

// Whoever still holds the value of an earlier configuration finds the token that came after its own.
func TestATokenThatWasExchangedElsewhereIsFound(t *testing.T) {
	w := newTurning(t)
	other := w.node()
	hold := w.fake.Fail(fakeslack.Fault{Method: "conversations.info", Hold: true})
	done := make(chan error, 1)
	go func() {
		_, err := other.Do(t.Context(), "rename-conversation", slack.RenameConversation{Place: slack.Place{Channel: "CHALL"}, Name: "town-hall"})
		done <- err
	}()
	require.NoError(t, hold.Wait(t.Context()))
	w.clock.advance(11 * time.Hour)
	require.NoError(t, w.speak(w.inst))
	w.clock.advance(2 * time.Hour)
	hold.Release()
	require.NoError(t, <-done)
	require.Contains(t, string(w.fake.CallsTo("conversations.info")[0].Answer.Body), "token_expired", "it was asked with the old token")
	status, _ := w.status()
	require.Equal(t, "active", status)
	require.Equal(t, 1, w.refreshes())
}

func TestAnAppWithoutClientCredentialsCannotRefresh(t *testing.T) {
	p, err := slack.New(slack.App{SigningSecret: "s"})
	require.NoError(t, err)
	require.Empty(t, p.Manifest().Polls)
}
