package slack_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// flaky is a store whose writes can be made to fail.
type flaky struct {
	store.Store
	broken atomic.Bool
}

func (f *flaky) Update(ctx context.Context, fn func(store.Tx) error) error {
	if f.broken.Load() {
		return errors.New("the disk is full")
	}
	return f.Store.Update(ctx, fn)
}

// running runs the gateway, sockets and all, until the test ends.
func running(t *testing.T, opts ...rigOption) *town {
	t.Helper()
	r := newRig(t, append([]rigOption{func(a *slack.App, _ *fakeslack.Options, _ *gateway.Options) { a.AppToken = "set" }}, opts...)...)
	r.fake.SetRequestURL("", nil)
	w := r.town("T1")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	wait, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	require.NoError(t, r.fake.WaitSockets(wait, 1))
	return w
}

func (w *town) hear(typ string, n int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		have := 0
		for _, e := range w.heard {
			if e.Type == typ {
				have++
			}
		}
		return have == n
	}, 10*time.Second, 5*time.Millisecond)
}

func TestSocketModeBringsEverything(t *testing.T) {
	w := running(t)
	_, err := w.w.Post(t.Context(), "UANN", "CHALL", "by socket")
	require.NoError(t, err)
	w.hear("message", 1)
	_, err = w.w.Command(t.Context(), "UANN", "CHALL", "/vote", "now")
	require.NoError(t, err)
	w.hear("slash_command", 1)
	_, err = w.w.Shortcut(t.Context(), "UANN", "propose")
	require.NoError(t, err)
	w.hear("shortcut", 1)

	// Types that the library does not know are neither lost nor left without an acknowledgement.
	for i, body := range []string{
		`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"brand_new","x":1}}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"brand_new","x":1}}`,
		`{"type":"brand_newer","team":{"id":"T1"},"user":{"id":"UANN"},"trigger_id":"t"}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev3","event":{"no":"type"}}`,
	} {
		a, err := w.fake.Send(t.Context(), []byte(body))
		require.NoError(t, err, "%d", i)
		require.Equal(t, http.StatusOK, a.Status)
	}
	w.hear("brand_new", 1)
	w.hear("brand_newer", 1)

	p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
	require.NoError(t, err)
	m := w.message(p)
	w.click("UANN", m, "0")
	p, _ = w.again(p, m)
	require.EqualValues(t, 1, p.Voters, "the click was counted before it was acknowledged")
}

func TestSocketModeConnectsAgain(t *testing.T) {
	w := running(t)
	for i, reason := range []string{"refresh_requested", ""} {
		w.fake.Disconnect(reason)
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
		require.NoError(t, w.fake.WaitSockets(ctx, 1))
		stop()
		require.Eventually(t, func() bool {
			_, err := w.w.Post(t.Context(), "UANN", "CHALL", "again")
			return err == nil && w.fake.Sockets() > 0
		}, 10*time.Second, 10*time.Millisecond)
		require.Eventually(t, func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.heard) > i
		}, 10*time.Second, 5*time.Millisecond)
	}
}

func TestSocketModeAcknowledgesWhatIsKept(t *testing.T) {
	s := &flaky{}
	w := running(t, func(_ *slack.App, f *fakeslack.Options, o *gateway.Options) {
		if s.Store == nil {
			s.Store = o.Store
		}
		o.Store, f.AckTimeout = s, 300*time.Millisecond
	})
	s.broken.Store(true)
	_, err := w.fake.Send(t.Context(), []byte(hello))
	require.Error(t, err, "what could not be kept is not acknowledged")
	s.broken.Store(false)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	require.Eventually(t, func() bool {
		w.clock.advance(time.Minute)              // the lease of the connection could not be given back either
		a, err := w.fake.Send(ctx, []byte(hello)) // as Slack would
		return err == nil && a.Status == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond)
	w.hear("message", 1)
}
