package gateway_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

func TestStartThatIsUnavailable(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		e := r.watch("driver")
		r.api.fails("start", gateway.Errorf(gateway.Unavailable, "down"))
		p, err := inst.Start(ctx, "poll", poll{voteAsk()})
		require.NoError(t, err)
		require.Equal(t, gateway.StatusCreated, p.Status)
		_, err = c.Command(ctx, p.ID, "extend", extension{1})
		require.ErrorIs(t, err, gateway.Conflict, "it has not begun")
		_, err = c.Cast(ctx, p.ID, gateway.Ballot{Voter: "u9", Choices: []string{"yes"}})
		require.ErrorIs(t, err, gateway.Conflict)

		// Clicks that are quicker than the answer to our own call are counted afterwards.
		require.Equal(t, 200, r.click(p.ID, "u1", "yes").Code)
		require.Equal(t, 200, r.click(p.ID, "u2", "no").Code)
		for range 20 {
			r.wait(time.Hour)
		}
		require.Equal(t, gateway.StatusCreated, r.process(c, p.ID).Status, "tried without limit")
		r.again()
		require.NoError(t, r.OnProcess(ctx, "driver", e.process))
		r.api.on("start", nil)
		r.wait(time.Hour)
		p = r.process(c, p.ID)
		require.Equal(t, gateway.StatusPending, p.Status)
		require.EqualValues(t, 2, p.Voters)
		require.Equal(t, "https://forum.example/Lunch?", p.URL)
		require.Equal(t, gateway.StatusPending, e.processes[0].Status)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "process.start"}))
		require.Len(t, r.api.lines("start"), 1)
	})
}

func TestStartThatFails(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return gateway.Errorf(gateway.Denied, "not allowed") },
		"panic": func(context.Context) error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			r := newRig(t, gateway.Options{})
			c, inst := r.town("a", "S1")
			e := r.watch("driver")
			r.api.on("start", fail)
			at := r.clock.now().Add(time.Hour)
			_, err := inst.Start(ctx, "poll", poll{vote.Ask{Title: "t", ClosingAt: &at}})
			require.Error(t, err)
			_, err = inst.Start(ctx, "task", post{Text: "x"})
			require.Error(t, err)
			list, err := c.Processes(ctx, "", 10)
			require.NoError(t, err)
			require.Len(t, list, 2)
			for _, p := range list {
				require.Equal(t, gateway.StatusFailed, p.Status)
				require.NotEmpty(t, p.Reason)
				require.Empty(t, p.URL, "what a failed start asked for is worth nothing")
				require.False(t, p.Ended.IsZero())
				require.ErrorIs(t, p.DecodeOutcome(new(any)), gateway.Conflict)
			}
			require.Empty(t, r.tasks(store.TaskQuery{Kind: "process.close"}), "nothing is left scheduled")
			require.Empty(t, r.tasks(store.TaskQuery{Kind: "process.update"}))
			require.NoError(t, r.store.View(ctx, func(tx store.Tx) error {
				of, err := tx.ProcessesByRef(inst.ID(), "post:t", 0)
				require.Empty(t, of)
				return err
			}))
			r.due()
			require.Len(t, e.processes, 2)
			require.Empty(t, r.api.lines("show"), "nothing to show")
		})
	}
}

func TestStartThatCannotWork(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	past := r.clock.now().Add(-time.Second)
	for name, in := range map[string]any{
		"no title":        json.RawMessage(`{}`),
		"null":            nil,
		"past":            poll{vote.Ask{Title: "t", ClosingAt: &past}},
		"cannot enforce":  poll{vote.Ask{Title: "t", MayClose: []string{"u1"}}},
		"too many rows":   poll{vote.Ask{Title: "t", Questions: []string{"a", "b"}}},
		"unknown field":   json.RawMessage(`{"title":"t","x":1}`),
		"boolean options": poll{vote.Ask{Title: "t", Options: []string{"a", "b"}}},
	} {
		_, err := inst.Start(ctx, "poll", in)
		require.ErrorIs(t, err, gateway.Invalid, name)
	}
	_, err := inst.Start(ctx, "nope", nil)
	require.ErrorIs(t, err, gateway.NotFound)
	list, err := c.Processes(ctx, "", 10)
	require.NoError(t, err)
	require.Empty(t, list)
	require.Empty(t, r.api.lines(""[:0]+"start"))
}

// A crash between creating and starting: whoever comes next starts it.
func TestCrashBeforeStart(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		reached, stuck := make(chan struct{}), make(chan struct{})
		r.api.on("start", func(context.Context) error {
			close(reached)
			<-stuck
			return gateway.Errorf(gateway.Unavailable, "dead")
		})
		dead := make(chan struct{})
		go func() { defer close(dead); _, _ = inst.Start(context.WithoutCancel(ctx), "poll", poll{voteAsk()}) }()
		<-reached
		t.Cleanup(func() { close(stuck); <-dead })
		r.api.on("start", nil)
		list, err := c.Processes(ctx, "", 10, gateway.StatusCreated)
		require.NoError(t, err)
		require.Len(t, list, 1)
		r.again()
		r.due()
		require.Equal(t, gateway.StatusCreated, r.process(c, list[0].ID).Status)
		r.wait(2 * time.Minute)
		require.Equal(t, gateway.StatusPending, r.process(c, list[0].ID).Status)
	})
}

func TestAProcessWithItsOwnSteps(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		p, err := inst.Start(ctx, "task", post{Text: "x"})
		require.NoError(t, err)
		// A crash in the middle of Update keeps what was saved.
		r.api.fails("update", gateway.Errorf(gateway.Unavailable, "down"))
		r.wait(time.Minute)
		r.api.on("update", nil)
		r.wait(time.Minute)
		r.wait(time.Minute)
		p = r.process(c, p.ID)
		require.Equal(t, gateway.StatusCompleted, p.Status, "three looks, one of which failed after Save")
		require.JSONEq(t, `{"id":"x","loud":false}`, string(p.Outcome))
		r.wait(time.Minute)
		require.Equal(t, []string{"show completed"}, r.api.lines("show"), "the end is shown")
		r.wait(2 * time.Hour)
		require.Empty(t, r.api.lines("close"))

		p, err = inst.Start(ctx, "task", post{Text: "y"})
		require.NoError(t, err)
		p, err = c.Cancel(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, gateway.StatusCompleted, p.Status)
		require.NotNil(t, p.Closing)
		require.True(t, p.Closing.Cancel)
		require.JSONEq(t, `{"id":"closed y","loud":false}`, string(p.Outcome))
	})
}

func TestStepsThatNeverWork(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	p, err := inst.Start(ctx, "task", post{Text: "x"})
	require.NoError(t, err)
	tries := 0
	r.api.on("close", func(context.Context) error { tries++; return errBoom })
	_, err = c.Close(ctx, p.ID)
	require.ErrorIs(t, err, errBoom)
	require.Equal(t, gateway.StatusClosing, r.process(c, p.ID).Status)
	for range 15 {
		r.wait(12 * time.Minute)
	}
	p = r.process(c, p.ID)
	require.Equal(t, gateway.StatusFailed, p.Status)
	require.Contains(t, p.Reason, "boom")
	require.LessOrEqual(t, tries, 14)
	require.Empty(t, r.tasks(store.TaskQuery{Kind: "process.close"}))
	require.Equal(t, []string{"show failed"}, r.api.lines("show"), "people who saw that it ran see that it does not")
}

func TestCommands(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	other, _ := r.town("b", "S2")
	at := r.clock.now().Add(time.Minute)
	p := r.poll(inst, vote.Ask{ClosingAt: &at})
	out, err := c.Command(ctx, p.ID, "extend", extension{60}, gateway.Once("more"))
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"extended","loud":false}`, string(out))
	r.clock.advance(30 * time.Second)
	again, err := c.Command(ctx, p.ID, "extend", extension{60}, gateway.Once("more"))
	require.NoError(t, err)
	require.JSONEq(t, string(out), string(again))
	require.Len(t, r.api.lines("extend"), 1)
	require.Equal(t, at.Add(59*time.Minute), r.process(c, p.ID).CloseAt)
	r.wait(2 * time.Minute)
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status, "it has more time")
	// A close that was on its way when the time was changed comes too early, and does nothing.
	require.NoError(t, r.store.Update(ctx, func(tx store.Tx) error {
		return tx.Schedule(store.Task{Kind: "process.close", Key: p.ID, Community: "a", Instance: inst.ID(), Due: r.clock.now(), Created: r.clock.now()})
	}))
	r.due()
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
	require.Equal(t, at.Add(59*time.Minute), r.tasks(store.TaskQuery{Kind: "process.close"})[0].Due)

	_, err = c.Command(ctx, p.ID, "extend", extension{0})
	require.ErrorIs(t, err, gateway.Invalid)
	_, err = c.Command(ctx, p.ID, "nope", nil)
	require.ErrorIs(t, err, gateway.NotFound)
	_, err = c.Command(ctx, "p-nope", "extend", extension{1})
	require.ErrorIs(t, err, gateway.NotFound)
	r.api.on("extend", func(context.Context) error { panic("boom") })
	_, err = c.Command(ctx, p.ID, "extend", extension{1})
	require.ErrorIs(t, err, gateway.Internal)

	// Another community's process is not there, by whatever door.
	for name, fn := range map[string]func() error{
		"Command": func() error { _, err := other.Command(ctx, p.ID, "extend", extension{1}); return err },
		"Process": func() error { _, err := other.Process(ctx, p.ID); return err },
		"Close":   func() error { _, err := other.Close(ctx, p.ID); return err },
		"Cancel":  func() error { _, err := other.Cancel(ctx, p.ID); return err },
		"Cast": func() error {
			_, err := other.Cast(ctx, p.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}})
			return err
		},
		"Ballots":  func() error { _, err := other.Ballots(ctx, p.ID, "", "", 1); return err },
		"Instance": func() error { _, err := other.Instance(ctx, inst.ID()); return err },
	} {
		require.ErrorIs(t, fn(), gateway.NotFound, name)
	}
	r.deliver(forumMessage{Site: "S2", Kind: "click", User: "u1", Text: "yes", Process: p.ID, At: r.clock.now()})
	r.deliver(forumMessage{Site: "S2", Kind: "close", User: "u1", Process: p.ID})
	r.deliver(forumMessage{Site: "S2", Kind: "click", User: "u1", Text: "yes", Ref: "post:Lunch?", At: r.clock.now()})
	r.due()
	got := r.process(c, p.ID)
	require.Equal(t, gateway.StatusPending, got.Status)
	require.Zero(t, got.Voters)
	list, err := other.Processes(ctx, "", 10)
	require.NoError(t, err)
	require.Empty(t, list)
}

// A platform object may be of several processes, a channel of all votes in it: each hears what happens to it, and no other.
func TestAllProcessesOfAPlatformObjectHear(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		elsewhere, other := r.town("b", "S2")
		first, second, dinner, theirs := r.poll(inst, voteAsk()), r.poll(inst, voteAsk()), r.poll(inst, vote.Ask{Title: "Dinner?"}), r.poll(other, voteAsk())
		r.deliver(forumMessage{Site: "S1", Kind: "close", User: "u7", Ref: "post:Lunch?"})
		r.due()
		require.Equal(t, gateway.StatusCompleted, r.process(c, first.ID).Status)
		require.Equal(t, gateway.StatusCompleted, r.process(c, second.ID).Status)
		require.Equal(t, gateway.StatusPending, r.process(c, dinner.ID).Status)
		require.Equal(t, gateway.StatusPending, r.process(elsewhere, theirs.ID).Status)
	})
}

// Commands and other slow steps of one process run one at a time, also on two nodes.
func TestSlowStepsTakeTurns(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	p := r.poll(inst, voteAsk())
	r.again()
	c2, err := r.Community(ctx, "a")
	require.NoError(t, err)
	reached, leave := make(chan struct{}), make(chan struct{})
	r.api.on("extend", func(context.Context) error {
		close(reached) // a second one would panic
		<-leave
		return nil
	})
	done := make(chan error, 2)
	go func() { _, err := c.Command(ctx, p.ID, "extend", extension{1}); done <- err }()
	<-reached
	_, err = c2.Command(ctx, p.ID, "extend", extension{1}, gateway.Within(20*time.Millisecond))
	require.ErrorIs(t, err, gateway.Unavailable)

	// A ballot never waits behind a slow step.
	require.Equal(t, 200, r.click(p.ID, "u1", "yes").Code)
	require.EqualValues(t, 1, r.process(c, p.ID).Voters)

	// Nor does closing: no ballot counts from now on, whatever the slow step does.
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	got, err := c.Close(short, p.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCompleted, got.Status)
	_, err = c.Cast(ctx, p.ID, gateway.Ballot{Voter: "u2", Choices: []string{"no"}})
	require.ErrorIs(t, err, gateway.Conflict)
	close(leave)
	require.NoError(t, <-done)
	r.due()
	got = r.process(c, p.ID)
	require.Equal(t, gateway.StatusCompleted, got.Status)
	require.EqualValues(t, 1, r.outcome(got).Turnout.Voters)
}

// What ends a process first stays: a step that was under way does not bring it back.
func TestRemoveDuringAStep(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	p := r.poll(inst, voteAsk())
	r.api.on("extend", func(context.Context) error { return inst.Remove(ctx) })
	_, err := c.Command(ctx, p.ID, "extend", extension{1})
	require.NoError(t, err)
	got := r.process(c, p.ID)
	require.Equal(t, gateway.StatusFailed, got.Status)
	require.Contains(t, got.Reason, "removed")
	require.False(t, got.Ended.IsZero(), "or retention would never take it")
}

// Receive is quick: it may say what else is about the process, but not end it.
func TestWhatReceiveMayAsk(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	p := r.poll(inst, voteAsk())
	require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "ref", Text: "thread:1", Process: p.ID}).Code)
	require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "click", Ref: "thread:1", User: "u1", Text: "yes", At: r.clock.now()}).Code)
	require.EqualValues(t, 1, r.process(c, p.ID).Voters)
	require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "complete", Process: p.ID}).Code)
	r.due()
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
	require.Contains(t, r.logs.String(), "does not end a process", "the mistake is told")
}
