package gateway_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// TestABacklogDoesNotHoldUpClosings: all workers hang in slow deliveries, and the vote closes all the same.
func TestABacklogDoesNotHoldUpClosings(t *testing.T) {
	r := newRig(t, gateway.Options{Workers: 1})
	c, inst := r.town("a", "S1")
	at := r.clock.now().Add(time.Hour)
	p := r.poll(inst, vote.Ask{ClosingAt: &at})
	reached, leave := make(chan struct{}, 10), make(chan struct{})
	r.api.on("handle", func(context.Context) error {
		reached <- struct{}{}
		<-leave
		return nil
	})
	stop := running(t, r.Gateway)
	defer stop()
	defer close(leave)
	for i := range 5 {
		body := fmt.Sprintf(`{"ID":"w%d","Site":"S1","Kind":"slow","Text":"x"}`, i)
		require.Equal(t, 200, r.request("/api/hooks/forum", body).Code)
	}
	<-reached
	r.clock.advance(time.Hour)
	soon(t, "the vote is closed", func() bool { return r.process(c, p.ID).Status == gateway.StatusCompleted })
}
