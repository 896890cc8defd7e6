package gateway_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// TestClicksThatWaitedForAPausedInstanceCount although its vote's closing time passed meanwhile: they were made in time.
func TestClicksThatWaitedForAPausedInstanceCount(t *testing.T) {
	for round := range 20 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := newRig(t, gateway.Options{})
			c, inst := r.town("a", "S1")
			at := r.clock.now().Add(time.Hour)
			p := r.poll(inst, vote.Ask{ClosingAt: &at})
			require.NoError(t, inst.Pause(t.Context(), gateway.BadCredentials))
			for i := range 30 {
				require.Equal(t, 200, r.clickAt(p.ID, fmt.Sprint("u", i), vote.Yes, r.clock.now()).Code)
			}
			r.wait(2 * time.Hour)
			require.NoError(t, inst.Resume(t.Context()))
			r.due()
			r.wait(time.Second)
			out := r.outcome(r.process(c, p.ID))
			require.EqualValues(t, 30, out.Turnout.Voters)
		})
	}
}

// TestClicksThatWaitedBehindManyThatFailed: there are more of those than are read at once.
func TestClicksThatWaitedBehindManyThatFailed(t *testing.T) {
	for round := range 10 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := newRig(t, gateway.Options{})
			c, inst := r.town("a", "S1")
			at := r.clock.now().Add(time.Hour)
			p := r.poll(inst, vote.Ask{ClosingAt: &at})
			require.NoError(t, r.store.Update(t.Context(), func(tx store.Tx) error {
				for i := range 1100 {
					k := store.Task{Kind: "inbox", Key: fmt.Sprintf("0-%04d/%s/receive", i, inst.ID()), Instance: inst.ID(), Due: at}
					if err := tx.Schedule(k); err != nil {
						return err
					}
					k, err := tx.Task(k.Kind, k.Key)
					if err != nil {
						return err
					}
					if err := tx.Park(k, "dead", "it failed"); err != nil {
						return err
					}
				}
				return nil
			}))
			require.NoError(t, inst.Pause(t.Context(), gateway.BadCredentials))
			for i := range 30 {
				require.Equal(t, 200, r.clickAt(p.ID, fmt.Sprint("u", i), vote.Yes, r.clock.now()).Code)
			}
			r.wait(2 * time.Hour)
			require.NoError(t, inst.Resume(t.Context()))
			r.due()
			r.wait(time.Second)
			require.EqualValues(t, 30, r.outcome(r.process(c, p.ID)).Turnout.Voters)
		})
	}
}
