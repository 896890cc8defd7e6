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
)

// faultyRig is a rig whose store fails when told to.
type faultyRig struct {
	*rig
	faulty *storetest.Faulty
}

func newFaultyRig(t *testing.T) *faultyRig {
	f := storetest.NewFaulty(memory.New())
	r := &faultyRig{newRig(t, gateway.Options{Store: f}), f}
	t.Cleanup(func() { require.Zero(t, f.Armed(), "a fault that never struck tests nothing") })
	return r
}

func TestStoreFailsUnderADelivery(t *testing.T) {
	for name, c := range map[string]struct {
		arm  func(*storetest.Faulty)
		kept bool
	}{
		"down":            {func(f *storetest.Faulty) { f.BeforeRun(1, nil) }, false},
		"not committed":   {func(f *storetest.Faulty) { f.BeforeCommit(1, nil) }, false},
		"the answer lost": {func(f *storetest.Faulty) { f.AfterCommit(1, nil) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newFaultyRig(t)
			r.town("a", "S1")
			e := r.listen("driver")
			m := forumMessage{ID: "m1", Site: "S1", Kind: "message", Text: "hi"}
			c.arm(r.faulty)
			w := r.deliver(m)
			require.Equal(t, 503, w.Code, "what is not known to be kept is not acknowledged")
			require.NotContains(t, w.Body.String(), "storetest", "what happened inside stays in the log")
			r.due()
			require.Equal(t, c.kept, len(e.events) == 1)
			require.Equal(t, 200, r.deliver(m).Code, "the platform sends it again")
			r.due()
			require.Equal(t, []string{"hi"}, e.texts(), "one effect")
		})
	}
}

func TestStoreFailsUnderABallot(t *testing.T) {
	r := newFaultyRig(t)
	c, inst := r.town("a", "S1")
	p := r.poll(inst, voteAsk())
	r.faulty.AfterCommit(1, nil)
	_, err := c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}})
	require.ErrorIs(t, err, gateway.Unavailable)
	_, err = c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}})
	require.NoError(t, err)
	require.EqualValues(t, 1, r.process(c, p.ID).Voters)
}

// At whichever commit a start or a close is struck, and however: the process ends as it should, and its platform hears of it once for
// each time that we could not know.
func TestStoreFailsUnderAProcess(t *testing.T) {
	for name, arm := range map[string]func(*storetest.Faulty, int){
		"down":            func(f *storetest.Faulty, n int) { f.BeforeRun(n, nil) },
		"not committed":   func(f *storetest.Faulty, n int) { f.BeforeCommit(n, nil) },
		"the answer lost": func(f *storetest.Faulty, n int) { f.AfterCommit(n, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			for nth := 1; ; nth++ {
				f := storetest.NewFaulty(memory.New())
				r := newRig(t, gateway.Options{Store: f})
				c, inst := r.town("a", "S1")
				heard := r.watch("driver")
				arm(f, nth)
				p, err := inst.Start(t.Context(), "poll", poll{voteAsk()}, gateway.Once("vote"))
				for range 10 { // asking again under the same name is safe
					if err == nil {
						break
					}
					p, err = inst.Start(t.Context(), "poll", poll{voteAsk()}, gateway.Once("vote"))
				}
				require.NoError(t, err)
				struck := f.Armed() == 0
				settle := func() {
					for range 30 {
						r.clock.advance(time.Minute)
						_, err := r.RunDue(t.Context())
						_ = err // a fault may strike here
					}
				}
				settle()
				require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
				_, err = c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}})
				if err != nil {
					_, err = c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}})
				}
				require.NoError(t, err)
				_, err = c.Close(t.Context(), p.ID)
				_ = err
				settle()
				got := r.process(c, p.ID)
				if got.Status == gateway.StatusPending {
					_, err = c.Close(t.Context(), p.ID)
					require.NoError(t, err)
					got = r.process(c, p.ID)
				}
				require.Equal(t, gateway.StatusCompleted, got.Status, "nth %d", nth)
				require.EqualValues(t, 1, r.outcome(got).Turnout.Voters)
				require.LessOrEqual(t, len(r.api.lines("start")), 2)
				settle()
				require.Equal(t, gateway.StatusCompleted, heard.processes[len(heard.processes)-1].Status)
				list, err := c.Processes(t.Context(), "", 10)
				require.NoError(t, err)
				require.Len(t, list, 1)
				if !struck && f.Armed() > 0 {
					return // nth is beyond all that happens
				}
				if nth > 60 {
					return
				}
			}
		})
	}
}

// An action that the platform has done, and whose result could not be kept, must not look as if it had not happened.
func TestAnswerThatCouldNotBeKept(t *testing.T) {
	ctx := t.Context()
	r := newFaultyRig(t)
	_, inst := r.town("a", "S1")
	r.api.on("post", func(context.Context) error { r.faulty.BeforeCommit(1, nil); return nil })
	_, err := inst.Do(ctx, "careful", post{Text: "x"}, gateway.Once("o"))
	require.ErrorIs(t, err, gateway.Unknown)
	r.api.on("post", nil)
	out, err := gateway.Do[posted](ctx, inst, "careful", post{Text: "x"}, gateway.Once("o"))
	require.NoError(t, err)
	require.Equal(t, "found x", out.ID, "the second try looks before it leaps")
}

func TestSubscriptionNeedsTheStore(t *testing.T) {
	r := newFaultyRig(t)
	r.faulty.BeforeRun(1, nil)
	e := &ears{}
	require.ErrorIs(t, r.OnEvent(t.Context(), "driver", e.event), gateway.Unavailable)
	require.NoError(t, r.OnEvent(t.Context(), "driver", e.event), "the name is still free")
}

// A store may run the function of any transaction twice: nothing is counted, sent or kept twice for it.
func TestEveryTransactionTwice(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{Store: storetest.Twice(memory.New())})
	c, inst := r.town("a", "S1")
	e := r.listen("driver")
	votes := r.watch("votes")
	r.says("S1", "m1", "hi")
	r.says("S9", "m2", "waits")
	at := r.clock.now().Add(time.Hour)
	p := r.poll(inst, voteAsk(), gateway.Once("v"))
	again := r.poll(inst, voteAsk(), gateway.Once("v"))
	require.Equal(t, p.ID, again.ID)
	for _, u := range []string{"u1", "u2", "u1"} {
		require.Equal(t, 200, r.click(p.ID, u, "yes").Code)
	}
	r.due()
	_, err := c.Command(ctx, p.ID, "extend", extension{60})
	require.NoError(t, err)
	require.Equal(t, at, r.process(c, p.ID).CloseAt)
	r.town("b", "S9")
	r.wait(time.Hour)
	require.ElementsMatch(t, []string{"hi", "waits"}, e.texts())
	got := r.process(c, p.ID)
	require.Equal(t, gateway.StatusCompleted, got.Status)
	require.EqualValues(t, 2, r.outcome(got).Turnout.Voters)
	require.Len(t, r.api.lines("start"), 1)
	require.NotEmpty(t, votes.processes)
	_, err = gateway.Do[posted](ctx, inst, "careful", post{Text: "x"}, gateway.Once("o"))
	require.NoError(t, err)
	require.Len(t, r.api.lines("post"), 1)
	require.Empty(t, r.tasks(store.TaskQuery{Kind: "inbox"}))
}
