package gateway_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// pausing is a store on which something happens before an Update, and holds up all others meanwhile.
type pausing struct {
	store.Store
	mu sync.Mutex
	on func() (done bool)
}

func (s *pausing) Update(ctx context.Context, fn func(store.Tx) error) error {
	s.mu.Lock()
	if s.on != nil && s.on() {
		s.on = nil
	}
	s.mu.Unlock()
	return s.Store.Update(ctx, fn)
}

// whenClosing has something happen after the task that closes a vote was claimed, and before what it does next is committed: by another gateway on the
// same database.
func (r *rig) whenClosing(s *pausing, then func(other *rig)) {
	other := *r
	other.o.Store = s.Store
	other.again()
	s.on = func() bool {
		tasks := r.tasks(store.TaskQuery{Kind: "process.close"})
		claimed := len(tasks) > 0 && tasks[0].Attempts > 0
		if claimed {
			then(&other)
		}
		return claimed
	}
}

// A vote that is given more time while its end is under way goes on: whoever gave it was told so.
func TestMoreTimeWhileItCloses(t *testing.T) {
	s := &pausing{Store: memory.New()}
	r := newRig(t, gateway.Options{Store: s})
	c, inst := r.town("a", "S1")
	at := r.clock.now().Add(time.Hour)
	p := r.poll(inst, vote.Ask{ClosingAt: &at})
	err := errors.New("it was never closing")
	r.whenClosing(s, func(other *rig) {
		var elsewhere *gateway.Community
		if elsewhere, err = other.Community(t.Context(), "a"); err == nil {
			_, err = elsewhere.Command(t.Context(), p.ID, "extend", extension{60})
		}
	})
	r.wait(time.Hour)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
	r.wait(time.Hour)
	p = r.process(c, p.ID)
	require.Equal(t, vote.Closing{By: vote.ByTime, At: at.Add(time.Hour)}, *p.Closing)
}

// What is decided while an end waits takes nobody's word away: neither the closing time's, nor that of who closed the vote.
func TestAnEndThatWaitsStands(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		at := r.clock.now().Add(time.Hour)
		four := []string{"a", "b", "c", "d"}
		timed := r.poll(inst, vote.Ask{Title: "timed", EligibleVoters: four, CloseWhenDecided: true, ClosingAt: &at})
		ended := r.poll(inst, vote.Ask{Title: "ended", EligibleVoters: four, CloseWhenDecided: true})
		for _, p := range []gateway.Process{timed, ended} {
			for _, voter := range four[:2] {
				require.NoError(t, cast(t, c, p.ID, voter, vote.Yes, r.clock.now()))
			}
		}
		r.due()
		require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "close", User: "ann", Process: ended.ID, At: r.clock.now()}).Code)
		require.NoError(t, inst.Pause(t.Context(), "for a while"))
		r.wait(2 * time.Hour)
		cid := person(t, c, ref("c"))
		_, err := c.Link(t.Context(), cid.ID, gateway.NewAccount{AccountRef: ref("d")}, gateway.Ground{})
		require.NoError(t, err) // two of three
		require.NoError(t, inst.Resume(t.Context()))
		r.due()
		require.Equal(t, vote.Closing{By: vote.ByTime, At: at}, *r.process(c, timed.ID).Closing)
		require.Equal(t, vote.ByPerson, r.process(c, ended.ID).Closing.By)
	})
}

// Who closes a vote while it is looked whether it is still decided closes it, also where it is not.
func TestAPersonClosesWhatIsNotDecidedAnyMore(t *testing.T) {
	s := &pausing{Store: memory.New()}
	r := newRig(t, gateway.Options{Store: s})
	c, inst := r.town("a", "S1")
	planned := r.clock.now().Add(time.Hour)
	p := r.poll(inst, vote.Ask{EligibleVoters: []string{"a", "b", "c"}, CloseWhenDecided: true, ClosingAt: &planned})
	at := r.clock.now()
	for _, voter := range []string{"a", "b"} {
		require.NoError(t, cast(t, c, p.ID, voter, vote.Yes, at))
	}
	var answers []int
	r.whenClosing(s, func(other *rig) {
		changed := other.clickAt(p.ID, "a", "no", at.Add(time.Millisecond))
		closed := other.deliver(forumMessage{Site: "S1", Kind: "close", User: "ann", Process: p.ID, At: r.clock.now()})
		answers = append(answers, changed.Code, closed.Code)
	})
	r.wait(time.Second)
	r.wait(time.Second)
	require.Equal(t, []int{200, 200}, answers)
	p = r.process(c, p.ID)
	require.Equal(t, gateway.StatusCompleted, p.Status)
	require.Equal(t, vote.ByPerson, p.Closing.By)
}
