package gateway_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// A tally that a platform counts moves as ballots do: callbacks hear of it, once, and a vote that is decided by it closes.
func TestATallyOfThePlatformMoves(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.remote(gateway.Can(vote.Can{PollTypes: []vote.PollType{vote.Boolean}, Eligibility: true, Early: true}))
		c, inst := r.town("a", "S1")
		heard := r.watch("driver")
		p, err := inst.Start(t.Context(), "remote", poll{vote.Ask{
			Title: "Lunch?", PollType: vote.Boolean, EligibleVoters: []string{"u1", "u2", "u3"}, CloseWhenDecided: true,
		}})
		require.NoError(t, err)
		r.due()
		reads := func() {
			_, err := c.Refresh(t.Context(), p.ID)
			require.NoError(t, err)
			r.wait(time.Minute)
		}
		require.NoError(t, r.api.do(t.Context(), "", "ballot"))
		reads()
		reads() // the same
		require.Len(t, heard.processes, 2)
		require.EqualValues(t, 1, heard.processes[1].Voters)
		require.NoError(t, r.api.do(t.Context(), "", "ballot"))
		reads()
		p = r.process(c, p.ID)
		require.Equal(t, gateway.StatusCompleted, p.Status, "two of three")
		require.Equal(t, vote.ByDecision, p.Closing.By)
		require.Equal(t, gateway.StatusCompleted, heard.processes[len(heard.processes)-1].Status)
	})
}

// What a look that was under way brings after the end moves no count: what is told of the vote is what its outcome counts.
func TestATallyThatComesAfterTheEnd(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.remote()
	c, inst := r.town("a", "S1")
	p := r.startRemote(inst, 24*time.Hour)
	reached, leave := make(chan struct{}), make(chan struct{})
	r.api.on("update S1", func(context.Context) error { close(reached); <-leave; return nil })
	require.NoError(t, r.api.do(t.Context(), "", "ballot"))
	done := make(chan error, 1)
	go func() { _, err := c.Refresh(context.WithoutCancel(t.Context()), p.ID); done <- err }()
	<-reached
	_, err := c.Cancel(t.Context(), p.ID)
	require.NoError(t, err)
	close(leave)
	require.NoError(t, <-done)
	p = r.process(c, p.ID)
	require.Zero(t, r.outcome(p).Turnout.Voters)
	require.Zero(t, p.Voters)
}
