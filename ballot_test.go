package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

func TestAVoteFromEndToEnd(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("town", "S1")
		votes := r.watch("votes")
		closing := r.clock.now().Add(time.Hour)
		p := r.poll(inst, vote.Ask{ClosingAt: &closing, IneligibleVoters: []string{"u9"}, IneligibleVoterMessage: "not you"})
		require.Equal(t, gateway.StatusPending, p.Status)
		require.Equal(t, closing, p.CloseAt)
		for i, u := range []string{"u1", "u2", "u3", "u9"} {
			w := r.click(p.ID, u, []string{"yes", "yes", "no", "no"}[i])
			require.Equal(t, 200, w.Code)
			require.Equal(t, u == "u9", w.Body.String() == `"denied: not you"`)
		}
		r.due()
		r.again() // votes live longer than programs
		require.NoError(t, r.OnProcess(t.Context(), "votes", votes.process))
		r.wait(time.Hour)
		r.wait(2 * time.Second)
		p = r.process(c, p.ID)
		require.Equal(t, gateway.StatusCompleted, p.Status)
		require.True(t, p.Done())
		out := r.outcome(p)
		require.Equal(t, vote.Passed, out.Result)
		require.EqualValues(t, 3, out.Turnout.Voters)
		require.Equal(t, []string{"show 3 pending", "show 3 completed"}, r.api.lines("show"))
		require.Equal(t, gateway.StatusCompleted, votes.processes[len(votes.processes)-1].Status)
		for _, kind := range []string{"process.start", "process.close", "process.show", "process.update"} {
			require.Empty(t, r.tasks(store.TaskQuery{Kind: kind}), kind)
		}
	})
}

func TestBallotsThatAreRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		at := r.clock.now().Add(time.Hour)
		no := false
		open := r.poll(inst, vote.Ask{Title: "open", ClosingAt: &at, EligibleVoters: []string{"u1", "u2", "u8"}, IneligibleVoters: []string{"u8"}})
		final := r.poll(inst, vote.Ask{Title: "final", MayChange: &no})
		_, err := c.Cast(ctx, final.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}})
		require.NoError(t, err)
		closed := r.poll(inst, vote.Ask{Title: "closed"})
		_, err = c.Close(ctx, closed.ID)
		require.NoError(t, err)
		nobody := r.poll(inst, vote.Ask{Title: "nobody", EligibleVoters: []string{}})
		everybody := r.poll(inst, vote.Ask{Title: "everybody"})
		for name, b := range map[string]struct {
			process string
			ballot  gateway.Ballot
			code    gateway.Code
		}{
			"no voter":          {open.ID, gateway.Ballot{Choices: []string{"yes"}}, gateway.Invalid},
			"unknown option":    {open.ID, gateway.Ballot{Voter: "u1", Choices: []string{"maybe"}}, gateway.Invalid},
			"unknown question":  {open.ID, gateway.Ballot{Voter: "u1", Question: "q", Choices: []string{"yes"}}, gateway.Invalid},
			"two choices":       {open.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes", "no"}}, gateway.Invalid},
			"not on the list":   {open.ID, gateway.Ballot{Voter: "u3", Choices: []string{"yes"}}, gateway.Denied},
			"on the other list": {open.ID, gateway.Ballot{Voter: "u8", Choices: []string{"yes"}}, gateway.Denied},
			"too late":          {open.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}, At: at.Add(time.Microsecond)}, gateway.Conflict},
			"closed":            {closed.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}}, gateway.Conflict},
			"closed, in time":   {closed.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}, At: r.clock.now().Add(-time.Hour)}, gateway.Conflict},
			"changed":           {final.ID, gateway.Ballot{Voter: "u1", Choices: []string{"no"}}, gateway.Conflict},
			"taken back":        {final.ID, gateway.Ballot{Voter: "u1"}, gateway.Conflict},
			"nobody may":        {nobody.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}}, gateway.Denied},
			"no process":        {"p-nope", gateway.Ballot{Voter: "u1", Choices: []string{"yes"}}, gateway.NotFound},
		} {
			t.Run(name, func(t *testing.T) {
				before := r.tallies(c)
				_, err := c.Cast(ctx, b.process, b.ballot)
				require.ErrorIs(t, err, b.code, "%v", err)
				require.Equal(t, before, r.tallies(c), "nothing has changed")
				// The same as a click: it is taken, and changes nothing either.
				choice := ""
				if len(b.ballot.Choices) == 1 {
					choice = b.ballot.Choices[0]
				}
				when := b.ballot.At
				if when.IsZero() {
					when = r.clock.now()
				}
				if len(b.ballot.Choices) < 2 && b.ballot.Question == "" {
					require.Equal(t, 200, r.clickAt(b.process, b.ballot.Voter, choice, when).Code)
					require.Equal(t, before, r.tallies(c))
				}
			})
		}
		_, err = c.Cast(ctx, everybody.ID, gateway.Ballot{Voter: "anybody", Choices: []string{"yes"}})
		require.NoError(t, err)
		rcpt, err := c.Cast(ctx, open.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}, At: at})
		require.NoError(t, err, "a ballot at the closing time counts")
		require.True(t, rcpt.Changed)
		rcpt, err = c.Cast(ctx, open.ID, gateway.Ballot{Voter: "u1", Choices: []string{"no"}, At: at.Add(-time.Minute)})
		require.NoError(t, err)
		require.Equal(t, gateway.Receipt{Stale: true}, rcpt, "an older click that arrives later does not beat a newer one")
		rcpt, err = c.Cast(ctx, open.ID, gateway.Ballot{Voter: "u1", At: at})
		require.NoError(t, err)
		require.True(t, rcpt.Changed)
		require.Zero(t, r.process(c, open.ID).Voters)
	})
}

func (r *rig) tallies(c *gateway.Community) string {
	r.t.Helper()
	list, err := c.Processes(r.t.Context(), "", 100)
	require.NoError(r.t, err)
	out := ""
	for _, p := range list {
		out += fmt.Sprint(p.ID, p.Status, p.Counts, p.Voters, "\n")
	}
	return out
}

func TestManyPeopleVoteAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		p := r.poll(inst, voteAsk())
		var wg sync.WaitGroup
		var kept atomic.Int64
		for i := range 64 {
			wg.Go(func() {
				for j := range 4 {
					w := r.click(p.ID, fmt.Sprintf("u%d", i), []string{"yes", "no"}[(i+j)%2])
					if w.Code == 200 {
						kept.Add(1)
					}
					_, err := c.Cast(ctx, p.ID, gateway.Ballot{Voter: "double", Choices: []string{[]string{"yes", "no"}[i%2]}})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 256, kept.Load())
		got := r.process(c, p.ID)
		require.EqualValues(t, 65, got.Voters)
		var sum int64
		for _, n := range got.Counts {
			sum += n.Ballots
		}
		require.EqualValues(t, 65, sum)
		listed, err := c.Ballots(ctx, p.ID, "", "", 100)
		require.NoError(t, err)
		require.Len(t, listed, 65)
	})
}

// Whatever comes in whatever order, also while the vote is being closed: what the outcome counts is what the ballots say.
func TestOutcomesCountTheBallots(t *testing.T) {
	seal := newSeal(t, gateway.NewSealKey())
	rapid.Check(t, func(rt *rapid.T) {
		r := &rig{t: t, api: &forumAPI{}, clock: &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, logs: &logs{}}
		r.store = memory.New()
		r.o = gateway.Options{Store: r.store, Seal: seal}
		r.again()
		c, inst := r.town("a", "S1")
		final := rapid.Bool().Draw(rt, "final")
		mayChange := !final
		at := r.clock.now().Add(time.Hour)
		p := r.poll(inst, vote.Ask{PollType: vote.Choice, Options: []string{"a", "b", "c"}, ClosingAt: &at, MayChange: &mayChange})
		want := vote.Counter{Final: final}
		type cast struct {
			Voter, Choice string
			Minute        int
		}
		casts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cast {
			return cast{rapid.SampledFrom([]string{"u1", "u2", "u3", "u4"}).Draw(t, "voter"), rapid.SampledFrom([]string{"", "a", "b", "c", "zzz"}).Draw(t, "choice"), rapid.IntRange(0, 70).Draw(t, "minute")}
		}), 0, 30).Draw(rt, "casts")
		ends := rapid.IntRange(0, 30).Draw(rt, "ends")
		for i, b := range casts {
			when := r.clock.now().Add(time.Duration(b.Minute) * time.Minute)
			var choices []string
			if b.Choice != "" {
				choices = []string{b.Choice}
			}
			_, err := c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: b.Voter, Choices: choices, At: when})
			if i == ends {
				_, err := c.Close(t.Context(), p.ID)
				require.NoError(rt, err)
			}
			if i > ends || b.Minute > 60 || b.Choice == "zzz" {
				require.Error(rt, err)
				continue
			}
			_, werr := want.Cast(vote.Ballot{Voter: b.Voter, Choice: b.Choice, Weight: vote.One, At: when})
			require.NoError(rt, werr)
		}
		_, err := c.Close(t.Context(), p.ID)
		require.NoError(rt, err)
		got := r.process(c, p.ID)
		if counts := want.Counts(); len(counts) > 0 {
			require.Equal(rt, counts, got.Counts)
		} else {
			require.Empty(rt, got.Counts)
		}
		out := r.outcome(got)
		require.EqualValues(rt, want.Tally().Voters, out.Turnout.Voters)
		for _, o := range out.Questions[0].Options {
			for _, n := range want.Counts() {
				if n.Choice == o.Option {
					require.Equal(rt, n.Ballots, o.Ballots)
				}
			}
		}
	})
}

func TestBallotsRacingWithClosing(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		for range 5 {
			p := r.poll(inst, voteAsk())
			var taken atomic.Int64
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() {
					_, err := c.Cast(ctx, p.ID, gateway.Ballot{Voter: fmt.Sprint("u", i), Choices: []string{"yes"}})
					if err == nil {
						taken.Add(1)
					} else if !errors.Is(err, gateway.Conflict) {
						t.Error(err)
					}
				})
			}
			for range 2 {
				wg.Go(func() {
					if _, err := c.Close(ctx, p.ID); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			got := r.process(c, p.ID)
			require.Equal(t, gateway.StatusCompleted, got.Status)
			require.Equal(t, taken.Load(), got.Voters)
			require.Equal(t, taken.Load(), r.outcome(got).Turnout.Voters, "what close counted is what stays")
		}
	})
}

func TestWaysToClose(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	e := r.watch("driver")

	p := r.poll(inst, voteAsk())
	require.Equal(t, 200, r.click(p.ID, "u1", "yes").Code)
	require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "close", User: "u7", Ref: "post:Lunch?"}).Code)
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status, "nothing slow happens at the door")
	r.due()
	got := r.process(c, p.ID)
	require.Equal(t, gateway.StatusCompleted, got.Status)
	require.Equal(t, vote.Closing{By: vote.ByPerson, User: "u7", At: r.clock.now()}, *got.Closing)
	require.Equal(t, "u7", r.outcome(got).ClosedByUser)

	p = r.poll(inst, voteAsk())
	r.click(p.ID, "u1", "yes")
	got, err := c.Cancel(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, vote.Cancelled, r.outcome(got).Result)
	again, err := c.Close(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, got, again, "closing twice is harmless, and the first stays")

	at := r.clock.now().Add(time.Hour)
	p = r.poll(inst, vote.Ask{ClosingAt: &at})
	r.wait(time.Hour + time.Minute) // nobody was there in time
	got = r.process(c, p.ID)
	require.Equal(t, vote.Closing{By: vote.ByTime, At: at}, *got.Closing)
	_ = e
	raw, err := json.Marshal(got)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"outcome":{`)

	// Closed before the platform could be reached.
	r.api.fails("start", gateway.Errorf(gateway.Unavailable, "down"))
	p = r.poll(inst, vote.Ask{Title: "early"})
	r.click(p.ID, "u1", "yes")
	got, err = c.Close(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCompleted, got.Status)
	r.due()
	waiting, err := r.Inbox(ctx, "", 10)
	require.NoError(t, err)
	require.Empty(t, waiting, "clicks do not wait for what will not be")
}

func TestShowIsCoalesced(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	e := r.watch("driver")
	p := r.poll(inst, voteAsk())
	r.due()
	heard := len(e.processes)
	for i := range 500 {
		require.Equal(t, 200, r.click(p.ID, fmt.Sprint("u", i), "yes").Code)
		if i%100 == 0 {
			r.due()
		}
		r.clock.advance(time.Millisecond)
	}
	r.due()
	r.wait(2 * time.Second)
	shows := r.api.lines("show")
	require.LessOrEqual(t, len(shows), 2)
	require.Equal(t, "show 500 pending", shows[len(shows)-1])
	require.LessOrEqual(t, len(e.processes)-heard, 2)
	require.EqualValues(t, 500, e.processes[len(e.processes)-1].Voters, "with exact counts")
	r.wait(time.Hour)
	require.Len(t, r.api.lines("show"), len(shows), "nothing new, nothing shown")

	// Ballots that come while it is being shown do not bring a second show within the second.
	var during []time.Time
	r.api.on("show", func(context.Context) error {
		during = append(during, r.clock.now())
		if len(during) < 3 {
			r.click(p.ID, fmt.Sprint("late", len(during)), "no")
		}
		return nil
	})
	r.click(p.ID, "late", "no")
	r.due()
	for range 5 {
		r.wait(250 * time.Millisecond)
	}
	r.wait(time.Minute)
	require.Len(t, during, 3)
	for i := range 2 {
		require.GreaterOrEqual(t, during[i+1].Sub(during[i]), time.Second)
	}

	// A platform that cannot show it does not keep a vote from being closed.
	r.api.fails("show", errBoom)
	r.click(p.ID, "last", "no")
	r.due()
	got, err := c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCompleted, got.Status)
	require.EqualValues(t, 504, r.outcome(got).Turnout.Voters)
}

func TestHiddenVotesStayHidden(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	e := r.watch("driver")
	p := r.poll(inst, vote.Ask{Secrecy: vote.Hidden})
	for i := range 3 {
		r.click(p.ID, fmt.Sprint("u", i), "yes")
		r.wait(2 * time.Second)
	}
	hidden := func(p gateway.Process) {
		t.Helper()
		require.Empty(t, p.Counts)
		require.Zero(t, p.Voters)
	}
	hidden(r.process(c, p.ID))
	list, err := c.Processes(ctx, "", 10)
	require.NoError(t, err)
	hidden(list[0])
	require.NotEmpty(t, e.processes)
	for _, p := range e.processes {
		hidden(p)
	}
	_, err = c.Ballots(ctx, p.ID, "", "", 10)
	require.ErrorIs(t, err, gateway.Denied)

	// Not even when this program does not have the plugin, and cannot know.
	g := r.Gateway
	r.again(newOwn("own", false, new([]string)))
	c2, err := r.Community(ctx, "a")
	require.NoError(t, err)
	list, err = c2.Processes(ctx, "", 10)
	require.NoError(t, err)
	hidden(list[0])
	r.Gateway = g

	got, err := c.Close(ctx, p.ID)
	require.NoError(t, err)
	require.EqualValues(t, 3, got.Voters)
	_, err = c.Ballots(ctx, p.ID, "", "", 10)
	require.ErrorIs(t, err, gateway.Denied, "who voted for what stays hidden")
	require.NotContains(t, string(got.Outcome), `"u1"`)
}
