package gateway_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/storetest"
	"github.com/metagov/gateway-go/vote"
)

// A ballot that was acknowledged and put off, because the plugin's code failed just then, is in the outcome of a vote that its driver closes right after it.
func TestADriverClosesAfterWhatWasPutOff(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		p := r.poll(inst, voteAsk())
		require.NoError(t, inst.Pause(t.Context(), "so that the next delivery opens it"))
		require.NoError(t, inst.Resume(t.Context()))
		r.api.fails("open S1", errBoom)
		require.Equal(t, 200, r.click(p.ID, "u1", "yes").Code)
		r.api.on("open S1", func(context.Context) error { return nil })
		p, err := c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 1, r.outcome(p).Turnout.Voters)
	})
}

// Where the plugin hangs so that nothing can be received, the end of the vote waits for it; what a driver calls off does not.
func TestAnEndWaitsForWhatWasPutOff(t *testing.T) {
	r := newRig(t, gateway.Options{Timeout: time.Second})
	c, inst := r.town("a", "S1")
	planned := r.clock.now().Add(24 * time.Hour)
	p, q := r.poll(inst, vote.Ask{ClosingAt: &planned}), r.poll(inst, voteAsk())
	leave := make(chan struct{})
	r.api.on("receive trouble", func(context.Context) error { <-leave; return nil })
	require.Equal(t, 200, r.deliver(forumMessage{ID: "1", Site: "S1", Kind: "trouble", At: r.clock.now()}).Code)
	require.Equal(t, 200, r.click(p.ID, "u1", "yes").Code)
	close(leave)

	p, err := c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusPending, p.Status)
	q, err = c.Cancel(t.Context(), q.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCompleted, q.Status)

	gateway.Patience(r.Gateway)
	r.wait(time.Minute)
	r.wait(time.Second) // an end that met what it waits for comes again
	p = r.process(c, p.ID)
	out := r.outcome(p)
	require.EqualValues(t, 1, out.Turnout.Voters)
	require.Equal(t, vote.ByDriver, out.ClosedBy)
	require.WithinDuration(t, r.clock.now(), out.ClosedAt, time.Second, "when it was, and not when it would have been")
}

// An end that a driver was promised comes: also where not even that the vote is closing could be kept.
func TestAnEndThatTheStoreDidNotTake(t *testing.T) {
	for name, end := range map[string]func(*gateway.Community, context.Context, string) (gateway.Process, error){
		"close": (*gateway.Community).Close, "cancel": (*gateway.Community).Cancel,
	} {
		t.Run(name, func(t *testing.T) {
			f := storetest.NewFaulty(memory.New())
			r := newRig(t, gateway.Options{Store: f})
			c, inst := r.town("a", "S1")
			planned := r.clock.now().Add(24 * time.Hour)
			p := r.poll(inst, vote.Ask{ClosingAt: &planned})
			f.BeforeCommit(1, nil)
			p, err := end(c, t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, gateway.StatusPending, p.Status)
			r.wait(time.Second)
			p = r.process(c, p.ID)
			require.Equal(t, gateway.StatusCompleted, p.Status)
			require.Equal(t, vote.Closing{By: vote.ByDriver, At: r.clock.now(), Cancel: name == "cancel"}, *p.Closing)
		})
	}
}

// A driver that gives up waiting for a last look has asked for the end all the same.
func TestADriverThatLeavesWhileItsVoteIsRead(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.remote()
	c, inst := r.town("a", "S1")
	p := r.startRemote(inst, 24*time.Hour)
	r.due()
	ctx, leave := context.WithCancel(t.Context())
	r.api.on("update", func(context.Context) error { leave(); return nil })
	_, err := c.Close(ctx, p.ID)
	require.NoError(t, err)
	r.wait(time.Second)
	p = r.process(c, p.ID)
	require.Equal(t, gateway.StatusCompleted, p.Status)
	require.Empty(t, p.Closing.Note, "it was read again")
}

// A vote elsewhere whose end had to wait is read once more when it comes, as it is where a driver closes it at once.
func TestAnEndThatWaitedReadsThePlatform(t *testing.T) {
	r := newRig(t, gateway.Options{Timeout: time.Second})
	r.remote()
	c, inst := r.town("a", "S1")
	p := r.startRemote(inst, 24*time.Hour)
	r.due()
	leave := make(chan struct{})
	r.api.on("receive trouble", func(context.Context) error { <-leave; return nil })
	for _, id := range []string{"1", "2"} {
		require.Equal(t, 200, r.deliver(forumMessage{ID: id, Site: "S1", Kind: "trouble", At: r.clock.now()}).Code)
	}
	close(leave)
	p, err := c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusPending, p.Status)
	require.NoError(t, r.api.do(t.Context(), "", "ballot"))

	gateway.Patience(r.Gateway)
	for range 3 {
		r.wait(2 * time.Second)
	}
	p = r.process(c, p.ID)
	require.EqualValues(t, 1, r.outcome(p).Turnout.Voters)
	require.Empty(t, p.Closing.Note)
}
