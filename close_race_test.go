package gateway_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// whenClosing has something happen after the task that closes a vote was claimed, and before what it does next is committed.
func (r *rig) whenClosing(s *removing, then func()) {
	var wait func()
	wait = func() {
		tasks := r.tasks(store.TaskQuery{Kind: "process.close"})
		if len(tasks) > 0 && tasks[0].Attempts > 0 {
			then()
			return
		}
		s.on = wait
	}
	s.on = wait
}

// A vote that is given more time while its end is under way goes on: whoever gave it was told so.
func TestMoreTimeWhileItCloses(t *testing.T) {
	s := &removing{Store: memory.New()}
	r := newRig(t, gateway.Options{Store: s})
	c, inst := r.town("a", "S1")
	at := r.clock.now().Add(time.Hour)
	p := r.poll(inst, vote.Ask{ClosingAt: &at})
	extended := false
	r.whenClosing(s, func() {
		_, err := c.Command(t.Context(), p.ID, "extend", extension{60})
		require.NoError(t, err)
		extended = true
	})
	r.wait(time.Hour)
	require.True(t, extended)
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
	r.wait(time.Hour)
	p = r.process(c, p.ID)
	require.Equal(t, vote.Closing{By: vote.ByTime, At: at.Add(time.Hour)}, *p.Closing)
}
