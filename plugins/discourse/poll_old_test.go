package discourse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/vote"
)

// Older forums say of each option of a poll of numbers that everybody chose it, and of a ranking not how. Nothing is counted by that, and the outcome says
// that it is not known.
func TestVotersThatAnOlderForumCannotTell(t *testing.T) {
	for name, c := range map[string]struct {
		in    discourse.Poll
		votes map[string][]int
		err   string
	}{
		"numbers": {discourse.Poll{Number: &discourse.Numbers{Min: 10, Max: 30, Step: 10}}, map[string][]int{"bob": {3}, "Carla": {3}, "ann": {1}}, "more voters of a choice than it counts"},
		"ranked": {
			discourse.Poll{Ask: vote.Ask{PollType: vote.Ranked, Options: []string{"river", "hill", "market"}}},
			map[string][]int{"bob": {2, 1}, "Carla": {2, 1}, "ann": {1, 2}}, "without their ranks",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.forum.Set(func(s *fakediscourse.Settings) { s.OldVoters = true })
			closing := r.Clock.Now().Add(time.Hour)
			c.in.Title, c.in.ClosingAt = where, &closing
			p := r.poll(c.in)
			post, _ := r.held()
			for by, options := range c.votes {
				r.votes(by, post.ID, options...)
			}
			r.Clock.Advance(2 * time.Minute)
			_, err := r.c.Refresh(t.Context(), p.ID)
			require.Equal(t, gateway.Unavailable, gateway.CodeOf(err))
			require.ErrorContains(t, err, c.err)
			require.Empty(t, r.counts(p))
			r.Advance(2 * time.Hour)
			out := r.ended(p)
			require.Zero(t, out.Turnout.Voters)
			require.Contains(t, r.process(p).Closing.Note, "could not be read")
		})
	}
}

// Whoever votes between two requests is no reason to refuse.
func TestVotesThatComeWhileTheyAreRead(t *testing.T) {
	r := newRig(t)
	p, _, post := r.bench()
	held := r.fake.Fail(fakediscourse.Fault{Route: "GET /polls/voters", Hold: true})
	r.Clock.Advance(2 * time.Minute)
	done := make(chan error, 1)
	go func() {
		_, err := r.c.Refresh(t.Context(), p.ID)
		done <- err
	}()
	require.NoError(t, held.Wait(t.Context()))
	r.votes("Carla", post, 1)
	held.Release()
	require.NoError(t, <-done)
	require.Equal(t, map[string]int64{"river": 2}, r.counts(p))
}

// Older forums do not show a poll's author the results that others see when they have voted: they are read when the poll is closed, and no vote that is to
// end when it is decided can be held by that.
func TestResultsThatAnOlderForumHidesFromTheAuthor(t *testing.T) {
	r := newRig(t)
	r.forum.Set(func(s *fakediscourse.Settings) { s.OldVoters = true })
	closing := r.Clock.Now().Add(time.Hour)
	p := r.poll(discourse.Poll{Results: "on_vote", Ask: vote.Ask{Title: where, ClosingAt: &closing}})
	post, _ := r.held()
	r.votes("bob", post.ID, 1)
	r.later(10 * time.Minute)
	require.Empty(t, r.counts(p))
	r.later(time.Hour)
	require.EqualValues(t, 1, r.ended(p).Turnout.Voters)

	decided := discourse.Poll{Results: "on_vote", Ask: vote.Ask{Title: where + " (again)", CloseWhenDecided: true, EligibleVoters: []string{"42"}}}
	_, err := r.inst.Start(t.Context(), "poll", decided)
	require.Equal(t, gateway.Denied, gateway.CodeOf(err))
	require.Len(t, r.calls("DELETE /t/{id}"), 1, "it is taken away again")

	r.forum.Set(func(s *fakediscourse.Settings) { s.OldVoters = false })
	p = r.poll(decided)
	post, _ = r.held()
	r.votes("bob", post.ID, 1)
	r.later(2 * time.Minute)
	require.Equal(t, vote.ByDecision, r.ended(p).ClosedBy)
}
