package gateway_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

func healthOf(t *testing.T, i *gateway.Instance) gateway.InstanceHealth {
	t.Helper()
	h, err := i.Health(t.Context())
	require.NoError(t, err)
	return h
}

// ailing is a forum with a poll, credentials that expire and a permission that it lacks.
func ailing(r *rig) gateway.Plugin {
	return newForum(r.api,
		gateway.PollFunc("sweep", time.Hour, func(f *forum, ctx context.Context) error { return f.api.do(ctx, "sweep", "sweep") }),
		gateway.ActionFunc("shout", "Shouts.", (*forum).post, gateway.Needs("shouting")),
		gateway.GrantedFunc(func(*forum) []string { return []string{"posting"} }),
		gateway.ExpiresFunc(func(f *forum) time.Time { return r.clock.t.Add(time.Hour) }),
	)
}

func TestInstanceHealth(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.again(ailing(r))
		_, inst := r.town("a", "S1")
		_, other := r.town("b", "S2")
		r.due()
		began := r.clock.now()
		h := healthOf(t, inst)
		require.Equal(t, gateway.InstanceActive, h.Status)
		require.Equal(t, inst.ID(), h.Instance)
		require.Zero(t, h.LastDelivery)
		require.Nil(t, h.LastError)
		require.Equal(t, began.Add(time.Hour), h.Expires)
		require.Equal(t, []string{"shouting"}, h.Missing)
		require.Len(t, h.Polls, 1)
		require.InDelta(t, time.Hour, h.Polls[0].Next.Sub(began), float64(5*time.Minute))

		r.clock.advance(time.Second)
		said := r.clock.now()
		r.says("S1", "m1", "hi")
		r.api.fails("post", errBoom)
		_, err := inst.Do(t.Context(), "post", post{Text: "x"})
		require.ErrorIs(t, err, errBoom)
		r.api.fails("post", gateway.Errorf(gateway.Conflict, "taken"))
		_, err = inst.Do(t.Context(), "post", post{Text: "x"})
		require.ErrorIs(t, err, gateway.Conflict)
		check := func(inst *gateway.Instance) {
			h := healthOf(t, inst)
			require.Equal(t, said, h.LastDelivery)
			require.Equal(t, said, h.LastEvent)
			require.NotNil(t, h.LastError)
			require.Equal(t, gateway.Trouble{What: "action post", Code: gateway.Internal, Error: "boom", At: said}, *h.LastError, "not what a caller asked wrongly")
		}
		check(inst)
		h = healthOf(t, other)
		require.Zero(t, h.LastDelivery, "another community's affairs are its own")
		require.Nil(t, h.LastError)

		r.wait(time.Minute) // written down
		r.again(ailing(r))
		town, err := r.Community(t.Context(), "a")
		require.NoError(t, err)
		inst, err = town.Instance(t.Context(), "forum")
		require.NoError(t, err)
		check(inst)

		require.NoError(t, inst.Pause(t.Context(), "holidays"))
		r.says("S1", "m2", "waits")
		r.says("S1", "m3", "waits too")
		h = healthOf(t, inst)
		require.Equal(t, gateway.InstancePaused, h.Status)
		require.Equal(t, "holidays", h.Reason)
		require.Equal(t, map[string]int{"paused": 2}, h.Waiting)
		require.NoError(t, inst.Resume(t.Context()))

		r.api.fails("sweep", errors.New(strings.Repeat("ü", 1000)))
		r.wait(2 * time.Hour)
		h = healthOf(t, inst)
		require.Contains(t, h.Polls[0].Error, "üü")
		require.Equal(t, "poll", h.LastError.What)
		require.LessOrEqual(t, len([]rune(h.LastError.Error)), 501, "bounded")
		r.says("S1", "m4", "the last word")
		require.NoError(t, inst.Remove(t.Context()))
		r.wait(time.Hour)
		require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
			raw, _, err := tx.State(inst.ID(), "gateway/vital")
			require.Empty(t, raw, "nothing stays of what was removed")
			return err
		}))
		_, err = inst.Health(t.Context())
		require.ErrorIs(t, err, gateway.NotFound)
	})
}

func TestDeliveriesDoNotPayForHealth(t *testing.T) {
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	r.due()
	key := func() (raw []byte) {
		require.NoError(t, r.store.View(t.Context(), func(tx store.Tx) (err error) {
			raw, _, err = tx.State(inst.ID(), "gateway/vital")
			return err
		}))
		return raw
	}
	for range 10 {
		r.says("S1", "", "hi")
		r.wait(time.Second)
	}
	require.Empty(t, key(), "once a minute is enough")
	r.wait(time.Minute)
	require.NotEmpty(t, key())
}

func TestGatewayHealth(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		_, inst := r.town("a", "S1")
		r.listen("driver")
		r.due()
		h, err := r.Health(t.Context())
		require.NoError(t, err)
		require.Nil(t, h.Store)
		require.Positive(t, h.StoreTook)
		require.Zero(t, h.Late)
		require.Equal(t, []gateway.SubscriptionHealth{{Name: "driver", Here: true}}, h.Subscriptions)

		r.says("S1", "m1", "hi")
		r.says("S1", "m2", "ho")
		r.poll(inst, voteAsk())
		r.clock.advance(3 * time.Hour)
		h, err = r.Health(t.Context())
		require.NoError(t, err)
		require.Greater(t, h.Late, time.Hour)
		require.GreaterOrEqual(t, h.Subscriptions[0].Lag, int64(2))
		r.again()
		h, err = r.Health(t.Context())
		require.NoError(t, err)
		require.False(t, h.Subscriptions[0].Here, "nobody here listens any more")
	})
}

func TestHealthOfAStoreThatFails(t *testing.T) {
	bad := &broken{Store: memory.New()}
	r := newRig(t, gateway.Options{Store: bad})
	bad.err = errors.New("disk full")
	h, err := r.Health(t.Context())
	require.NoError(t, err)
	require.NotNil(t, h.Store)
	require.Equal(t, "disk full", h.Store.Error)
	require.Contains(t, h.String(), "disk full")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Health(ctx)
	require.ErrorIs(t, err, gateway.Unavailable)
}

// broken is a store that takes nothing.
type broken struct {
	store.Store
	err error
}

func (b *broken) Update(ctx context.Context, fn func(store.Tx) error) error {
	if b.err != nil {
		return b.err
	}
	return b.Store.Update(ctx, fn)
}

// A source says since when it listens, and why it last stopped, also when it listens again.
func TestHealthOfASource(t *testing.T) {
	r := newRig(t, gateway.Options{})
	listening, breaks := make(chan struct{}), make(chan error)
	r.again(newForum(r.api, gateway.SourceFunc[*forum]("socket", func(ctx context.Context, _ *gateway.Source) error {
		listening <- struct{}{}
		select {
		case err := <-breaks:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})))
	health := func() gateway.SourceHealth {
		h, err := r.Health(t.Context())
		require.NoError(t, err)
		require.Len(t, h.Sources, 1)
		return h.Sources[0]
	}
	h, err := r.Health(t.Context())
	require.NoError(t, err)
	require.Empty(t, h.Sources, "none runs here")
	running(t, r.Gateway)
	<-listening
	began := r.clock.now()
	require.Equal(t, gateway.SourceHealth{Plugin: "forum", Name: "socket", Since: began}, health())
	r.clock.advance(time.Hour)
	breaks <- gateway.Errorf(gateway.Unavailable, "the line is cut")
	soon(t, "it stopped", func() bool { return health().Error != nil })
	broke := &gateway.Trouble{What: "source socket", Code: gateway.Unavailable, Error: "unavailable: the line is cut", At: began.Add(time.Hour)}
	require.Equal(t, broke, health().Error)
	<-listening
	require.Equal(t, gateway.SourceHealth{Plugin: "forum", Name: "socket", Since: began.Add(time.Hour), Error: broke}, health(), "it listens again")
}
