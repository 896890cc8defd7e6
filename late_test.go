package gateway_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
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
