package gateway_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

func TestACallbackThatTakesTooLong(t *testing.T) {
	r := newRig(t, gateway.Options{CallbackTimeout: time.Millisecond})
	c, _ := r.town("a", "S1")
	require.NoError(t, r.OnEvent(t.Context(), "slow", func(ctx context.Context, _ *gateway.Community, _ gateway.Event) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	r.says("S1", "m1", "hello")
	for range 20 {
		r.wait(15 * time.Minute)
	}
	dead, err := c.DeadLetters(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, dead, 1, "it is the callback's own fault, and is not tried for ever")
}

func TestADriversBallotWaitsForAPausedInstance(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	p := r.poll(inst, vote.Ask{})
	require.NoError(t, inst.Pause(t.Context(), "for the night"))
	_, err := c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u1", Choices: []string{vote.Yes}})
	require.ErrorIs(t, err, gateway.Conflict)
	require.NoError(t, inst.Resume(t.Context()))
	_, err = c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u1", Choices: []string{vote.Yes}})
	require.NoError(t, err)
}

func TestCallbacksHearATallyThatCannotBeShown(t *testing.T) {
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	heard := r.watch("votes")
	p := r.poll(inst, vote.Ask{})
	r.due()
	r.api.fails("show", gateway.Errorf(gateway.Unavailable, "down"))
	r.click(p.ID, "u1", vote.Yes)
	r.due()
	last := heard.processes[len(heard.processes)-1]
	require.EqualValues(t, 1, last.Voters)
}
