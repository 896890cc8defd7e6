package gateway_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// A program that slept beyond its lease, in the middle of a step, must not put its old state over what somebody else has kept since: it may wake up
// before it is told.
func TestAStepThatSleptBeyondItsLease(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		_, inst := r.town("a", "S1")
		p, err := inst.Start(t.Context(), "task", post{Text: "x"})
		require.NoError(t, err)
		state := func(change string) (out string) {
			require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
				row, err := tx.Process(p.ID)
				if err != nil || change == "" {
					out = string(row.State)
					return err
				}
				row.State = []byte(change)
				return tx.PutProcess(row)
			}))
			return out
		}
		const theirs = `{"looks":1,"saved":"theirs"}`
		r.api.on("update", func(context.Context) error { r.api.on("update", nil); state(theirs); return nil })
		r.wait(time.Minute)
		require.JSONEq(t, theirs, state(""))
		r.wait(time.Minute)
		require.JSONEq(t, `{"looks":2,"saved":"theirs"}`, state(""), "it is done again, from what is there")
	})
}
