package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// aDay lets a day pass, in steps, and does what is due at each.
func (r *rig) aDay() {
	r.t.Helper()
	for range 96 {
		r.wait(15 * time.Minute)
	}
}

func closingIn(r *rig, title string, d time.Duration) (vote.Ask, time.Time) {
	at := r.clock.now().Add(d)
	return vote.Ask{Title: title, ClosingAt: &at}, at
}

// The platform does not answer for a day. What was asked of it is said to be unavailable or waits, votes are decided on time, and people see
// the end as soon as they can.
func TestPlatformIsDownForADay(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		votes := r.watch("votes")
		ask, at := closingIn(r, "Lunch?", 12*time.Hour)
		p := r.poll(inst, ask)
		longAsk, _ := closingIn(r, "Dinner?", 48*time.Hour)
		long := r.poll(inst, longAsk)
		r.due()
		down := gateway.Errorf(gateway.Unavailable, "the forum does not answer")
		for _, what := range []string{"post", "start", "show", "handle", "answer", "update", "close"} {
			r.api.fails(what, down)
		}
		_, err := inst.Do(ctx, "post", post{Text: "during"})
		require.ErrorIs(t, err, gateway.Unavailable)
		_, err = inst.Do(ctx, "post", post{Text: "named"}, gateway.Once("named"))
		require.ErrorIs(t, err, gateway.Unavailable)
		waiting, err := inst.Start(ctx, "poll", poll{vote.Ask{Title: "Begun in the dark?"}}, gateway.Once("dark"))
		require.True(t, err == nil || gateway.CodeOf(err) == gateway.Unavailable, "%v", err)
		require.Equal(t, 200, r.click(p.ID, "u1", "yes").Code, "what was on its way when it went down")
		require.Equal(t, 200, r.click(long.ID, "u1", "yes").Code)
		require.Equal(t, 200, r.request("/api/hooks/forum", `{"ID":"slow1","Site":"S1","Kind":"slow","Text":"work"}`).Code)
		r.wait(12 * time.Hour)
		got := r.process(c, p.ID)
		require.Equal(t, gateway.StatusCompleted, got.Status, "decided on time")
		require.Equal(t, at, r.outcome(got).ClosedAt)
		require.EqualValues(t, 1, r.outcome(got).Turnout.Voters)
		require.True(t, slices.ContainsFunc(votes.processes, func(v gateway.Process) bool { return v.ID == p.ID && v.Status == gateway.StatusCompleted }), "and the driver heard of it")
		r.aDay()
		require.Empty(t, r.api.lines("show"))
		_, err = c.Cast(ctx, long.ID, gateway.Ballot{Voter: "u2", Choices: []string{"no"}})
		require.NoError(t, err, "drivers can go on")

		for _, what := range []string{"post", "start", "show", "handle", "answer", "update", "close"} {
			r.api.on(what, nil)
		}
		r.wait(20 * time.Minute) // longer than the longest pause
		r.wait(time.Second)
		require.Contains(t, r.api.lines("show"), "show 1 completed", "the end is shown")
		require.Contains(t, r.api.lines("show"), "show 2 pending", "and the tally as it is now")
		require.Equal(t, []string{"handle work"}, r.api.lines("handle"))
		dark, err := inst.Start(ctx, "poll", poll{vote.Ask{Title: "Begun in the dark?"}}, gateway.Once("dark"))
		require.NoError(t, err)
		if waiting.ID != "" {
			require.Equal(t, waiting.ID, dark.ID, "the same one")
		}
		require.Equal(t, gateway.StatusPending, r.process(c, dark.ID).Status)
		require.Equal(t, []string{"start Lunch?", "start Dinner?", "start Begun in the dark?"}, r.api.lines("start"))
		_, err = inst.Do(ctx, "post", post{Text: "named"}, gateway.Once("named"))
		require.NoError(t, err, "the name is free for another try")
		require.Equal(t, []string{"post named"}, r.api.lines("post"))
		r.wait(24 * time.Hour)
		got = r.process(c, long.ID)
		require.Equal(t, gateway.StatusCompleted, got.Status)
		require.EqualValues(t, 2, r.outcome(got).Turnout.Voters)
		requireNothingDead(t, c)
	})
}

func requireNothingDead(t *testing.T, c *gateway.Community) {
	t.Helper()
	dead, err := c.DeadLetters(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, dead)
}

// A driver fails for a day with one community's events. They wait in their order and come once each; another community does not notice.
func TestDriverIsDownForADay(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		r.town("b", "S2")
		var down atomic.Bool
		heard := map[string][]string{}
		require.NoError(t, r.OnEvent(t.Context(), "driver", func(_ context.Context, c *gateway.Community, e gateway.Event) error {
			if down.Load() && c.Slug() == "a" {
				return gateway.Errorf(gateway.Unavailable, "the driver's database does not answer")
			}
			heard[c.Slug()] = append(heard[c.Slug()], textOf(e))
			return nil
		}))
		var ends []string
		require.NoError(t, r.OnProcess(t.Context(), "ends", func(_ context.Context, _ *gateway.Community, p gateway.Process) error {
			if down.Load() {
				return gateway.Errorf(gateway.Unavailable, "the driver's database does not answer")
			}
			ends = append(ends, p.ID+" "+string(p.Status))
			return nil
		}))
		ask, at := closingIn(r, "Lunch?", 12*time.Hour)
		p := r.poll(inst, ask)
		r.due()
		down.Store(true)
		var want []string
		for i := range 48 {
			text := fmt.Sprint(i)
			want = append(want, text)
			r.says("S1", "m"+text, text)
			r.says("S2", "n"+text, text)
			r.wait(30 * time.Minute)
			require.Equal(t, want, heard["b"], "others are not held up")
		}
		require.Empty(t, heard["a"])
		require.Equal(t, at, r.outcome(r.process(c, p.ID)).ClosedAt)
		down.Store(false)
		for range 4 {
			r.wait(15 * time.Minute)
		}
		require.Equal(t, want, heard["a"])
		require.Equal(t, want, heard["b"])
		require.Equal(t, []string{p.ID + " pending", p.ID + " completed"}, ends)
		requireNothingDead(t, c)
	})
}

// The driver's program is away for a day, the gateway's is not: under its name it finds what it missed.
func TestDriverComesBackAfterADay(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.town("a", "S1")
		before := r.listen("driver")
		r.says("S1", "m0", "before")
		r.due()
		r.again()
		var want []string
		for i := range 30 {
			want = append(want, fmt.Sprint(i))
			r.says("S1", fmt.Sprint("m-", i), want[i])
			r.wait(48 * time.Minute)
		}
		after := r.listen("driver")
		r.due()
		require.Equal(t, []string{"before"}, before.texts())
		require.Equal(t, want, after.texts())
	})
}

// Nobody runs the gateway for a day. What platforms send again is taken once; votes whose time passed close at the first moment, with the
// time that was promised and the ballots that were in time.
func TestGatewayIsDownForADay(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		heard := r.listen("driver")
		votes := r.watch("votes")
		ask, at := closingIn(r, "Lunch?", 12*time.Hour)
		p := r.poll(inst, ask)
		openAsk, _ := closingIn(r, "Dinner?", 48*time.Hour)
		open := r.poll(inst, openAsk)
		r.says("S1", "m1", "one")
		require.Equal(t, 200, r.click(p.ID, "u1", "yes").Code)
		require.Equal(t, 200, r.request("/api/hooks/forum", `{"ID":"slow1","Site":"S1","Kind":"slow","Text":"work"}`).Code)
		began := r.clock.now()

		r.clock.advance(24 * time.Hour)
		r.again()
		require.NoError(t, r.OnEvent(t.Context(), "driver", heard.event))
		require.NoError(t, r.OnProcess(t.Context(), "votes", votes.process))
		// The platform has kept what it could not deliver, and brings it in no particular order, some of it for the second time.
		for _, m := range []forumMessage{
			{ID: "m3", Kind: "message", Text: "three", At: began.Add(3 * time.Hour)},
			{ID: "m1", Kind: "message", Text: "one", At: began},
			{ID: "m2", Kind: "message", Text: "two", At: began.Add(2 * time.Hour)},
			{ID: "c2", Kind: "click", User: "u2", Text: "yes", Process: p.ID, At: at},
			{ID: "c3", Kind: "click", User: "u3", Text: "no", Process: p.ID, At: at.Add(time.Millisecond)},
			{ID: "c4", Kind: "click", User: "u1", Text: "no", Process: p.ID, At: began.Add(-time.Hour)}, // older than what we have
			{ID: "c5", Kind: "click", User: "u5", Text: "no", Process: open.ID, At: began.Add(time.Hour)},
		} {
			m.Site, m.User = "S1", max(m.User, "u1")
			require.Equal(t, 200, r.deliver(m).Code, m.ID)
		}
		r.due()
		got := r.process(c, p.ID)
		require.Equal(t, gateway.StatusCompleted, got.Status, "closed at the first moment")
		require.Equal(t, at, r.outcome(got).ClosedAt, "with the time that was promised")
		requireCounts(t, got, map[string]int64{"yes": 2})
		require.EqualValues(t, 1, r.process(c, open.ID).Voters)
		require.Equal(t, []string{"one", "three", "two"}, heard.texts(), "once each, in the order in which they came")
		require.Equal(t, []string{"handle work"}, r.api.lines("handle"))
		require.Len(t, r.api.lines("start"), 2, "nothing begins again")
		r.wait(24 * time.Hour)
		require.Equal(t, gateway.StatusCompleted, r.process(c, open.ID).Status)
		last := map[string]gateway.Status{}
		for _, v := range votes.processes {
			require.NotEqual(t, gateway.StatusCompleted, last[v.ID], "an end is heard once")
			last[v.ID] = v.Status
		}
		require.Equal(t, map[string]gateway.Status{p.ID: gateway.StatusCompleted, open.ID: gateway.StatusCompleted}, last)
		requireNothingDead(t, c)
	})
}
