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

// screen is where a vote is shown; closing votes fails as long as it is down.
type screen struct {
	*gateway.Instance
	down  bool
	shown []gateway.Status
}

type screenVote struct{}

type screenRun = gateway.Run[*screen, vote.Outcome]

func (*screenVote) Start(context.Context, *screenRun, poll) error { return nil }

func (*screenVote) Close(ctx context.Context, r *screenRun) error {
	if r.Plugin.down {
		return gateway.Errorf(gateway.Unavailable, "the screen is down")
	}
	out, err := r.Decide(ctx)
	if err != nil {
		return err
	}
	return r.Complete(out)
}

func (*screenVote) Show(_ context.Context, r *screenRun) error {
	r.Plugin.shown = append(r.Plugin.shown, r.Status())
	return nil
}

// Whoever shows a vote that is over says its result, and of one that is closing there is none yet: a ballot that came just before the end must not
// have it shown then.
func TestNothingIsShownWhileAVoteIsClosing(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		b := &screen{}
		r.again(gateway.Define("screen", "A screen.", func(_ context.Context, i *gateway.Instance, _ struct{}) (*screen, error) {
			b.Instance = i
			return b, nil
		},
			gateway.ProcessFunc("vote", "A vote.", (*screenVote).Start, gateway.Can(vote.Can{}))))
		c, err := r.CreateCommunity(t.Context(), "a", "A")
		require.NoError(t, err)
		inst, err := c.Enable(t.Context(), "screen", nil)
		require.NoError(t, err)
		p, err := inst.Start(t.Context(), "vote", poll{Ask: vote.Ask{Title: "Lunch?"}})
		require.NoError(t, err)
		_, err = c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "ann", Choices: []string{"yes"}})
		require.NoError(t, err)
		heard := r.watch("driver")
		b.down = true
		_, err = c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		r.wait(5 * time.Second)
		require.Equal(t, gateway.StatusClosing, r.process(c, p.ID).Status)
		require.Empty(t, b.shown)
		require.Len(t, heard.processes, 1)
		require.Equal(t, gateway.StatusClosing, heard.processes[0].Status, "a driver hears that it takes no ballots any more")
		b.down = false
		r.wait(time.Hour)
		require.Equal(t, gateway.StatusCompleted, r.process(c, p.ID).Status)
		require.Equal(t, []gateway.Status{gateway.StatusCompleted}, b.shown)
		require.Len(t, heard.processes, 2)
	})
}
