package vote_test

import (
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/vote"
)

var names = []string{"ann", "bob", "cid", "dee", "eve", "fay"}

func genAsk(t *rapid.T) vote.Ask {
	a := vote.Ask{
		Title:       "t",
		PollType:    rapid.SampledFrom([]vote.PollType{vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Ranked, vote.Score, vote.Dot, vote.Consent}).Draw(t, "type"),
		Threshold:   rapid.SampledFrom([]vote.Fraction{"", "1/2", ">1/2", "2/3", ">1/3", "40%"}).Draw(t, "threshold"),
		QuorumShare: rapid.SampledFrom([]vote.Fraction{"", "", "1/3", ">50%"}).Draw(t, "share"),
		Quorum:      rapid.IntRange(0, 3).Draw(t, "quorum"),
		TieRule:     rapid.SampledFrom([]vote.TieRule{vote.TieNone, vote.TieFirst, vote.TieStatusQuo}).Draw(t, "tie"),
	}
	if a.PollType == vote.Ranked {
		a.RankingMethod = rapid.SampledFrom([]vote.RankingMethod{vote.InstantRunoff, vote.Condorcet}).Draw(t, "method")
	}
	if a.PollType == vote.Boolean || a.PollType == vote.Consent {
		a.Veto = rapid.IntRange(0, 3).Draw(t, "veto")
	} else {
		a.Options = []string{"a", "b", "c"}[:rapid.IntRange(2, 3).Draw(t, "options")]
	}
	if rapid.Bool().Draw(t, "matrix") {
		a.Questions = []string{"p", "q"}
	}
	for _, v := range names {
		if rapid.Bool().Draw(t, "weighted") {
			a.Weights = append(a.Weights, vote.VoterWeight{Voter: v, Weight: vote.Weight(rapid.Int64Range(0, 3_000_001).Draw(t, "w"))})
		}
	}
	a, err := a.Normalize(now)
	require.NoError(t, err)
	return a
}

// genBallots gives what people do, each at a time of its own.
func genBallots(t *rapid.T, a vote.Ask) []vote.CaseBallot {
	var out []vote.CaseBallot
	for i := range rapid.IntRange(0, 14).Draw(t, "n") {
		var choices []string
		var points map[string]int
		if !rapid.Bool().Draw(t, "retract") || rapid.Bool().Draw(t, "really") {
			choices = []string{rapid.SampledFrom(a.Choices()).Draw(t, "choice")}
			switch a.PollType {
			case vote.Multiple, vote.Approval:
				choices = slices.DeleteFunc(a.Choices(), func(string) bool { return rapid.Bool().Draw(t, "drop") })
			case vote.Ranked:
				choices = rapid.Permutation(a.Choices()).Draw(t, "ranking")[:rapid.IntRange(1, len(a.Options)).Draw(t, "ranked")]
			case vote.Score, vote.Dot:
				points = map[string]int{choices[0]: rapid.IntRange(1, 5).Draw(t, "points"), a.Options[0]: rapid.IntRange(1, 5).Draw(t, "points")}
				choices = nil
			}
		}
		out = append(out, vote.CaseBallot{
			Voter: rapid.SampledFrom(names).Draw(t, "voter"), Question: rapid.SampledFrom(a.Asked()).Draw(t, "question"),
			Choices: choices, Points: points, At: now.Add(time.Duration(i) * time.Microsecond),
		})
	}
	return out
}

func count(t require.TestingT, a vote.Ask, ballots []vote.CaseBallot) *vote.Counter {
	c := &vote.Counter{}
	for _, b := range ballots {
		require.NoError(t, cast(a, c, b))
	}
	return c
}

func decide(c *vote.Counter, a vote.Ask) vote.Outcome {
	t := c.Tally()
	t.Eligible = int64(len(names)) + 1
	return a.Decide(t, vote.Closing{By: vote.ByTime, At: now})
}

func TestOrderNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAsk(t)
		ballots := genBallots(t, a)
		want := count(t, a, ballots)
		shuffled := rapid.Permutation(ballots).Draw(t, "order")
		got := count(t, a, shuffled)
		require.Equal(t, want.Counts(), got.Counts())
		require.Equal(t, want.Ballots(), got.Ballots())

		tally := got.Tally()
		tally.Eligible = int64(len(names)) + 1
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		r.Shuffle(len(tally.Counts), func(i, j int) { tally.Counts[i], tally.Counts[j] = tally.Counts[j], tally.Counts[i] })
		r.Shuffle(len(tally.Ballots), func(i, j int) { tally.Ballots[i], tally.Ballots[j] = tally.Ballots[j], tally.Ballots[i] })
		require.Equal(t, decide(want, a), a.Decide(tally, vote.Closing{By: vote.ByTime, At: now}))
	})
}

// TestDeliveredTwiceNeverMatters: what arrives twice has one effect, also when it comes late.
func TestDeliveredTwiceNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAsk(t)
		ballots := genBallots(t, a)
		want := count(t, a, ballots).Counts()
		require.Equal(t, want, count(t, a, append(slices.Clone(ballots), ballots...)).Counts())
	})
}

func TestRecountEqualsRunningCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &vote.Counter{Final: rapid.Bool().Draw(t, "final")}
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			b := vote.Ballot{
				Voter: rapid.SampledFrom(names).Draw(t, "voter"), Question: rapid.SampledFrom([]string{"", "q"}).Draw(t, "question"),
				Choice: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "choice"),
				Weight: vote.Weight(rapid.Int64Range(0, int64(vote.MaxWeight)).Draw(t, "weight")),
				At:     now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "at")) * time.Second), // Equal times, too.
			}
			before := c.Counts()
			changed, err := c.Cast(b)
			require.NoError(t, err)
			require.Equal(t, changed, !slices.Equal(before, c.Counts()), "changed says whether a count moved")
			require.Equal(t, c.Recount(), c.Counts())
		}
		var ballots, weight int64
		for _, n := range c.Counts() {
			require.Positive(t, n.Ballots)
			ballots += n.Ballots
			weight += int64(n.Weight)
		}
		require.Len(t, c.Ballots(), int(ballots))
		for _, b := range c.Ballots() {
			weight -= int64(b.Weight)
		}
		require.Zero(t, weight)
	})
}

// TestMoreSupportNeverHurts: somebody new who votes for the winner, or somebody who moves to it from another option,
// never makes it lose.
func TestMoreSupportNeverHurts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAsk(t)
		a.Questions = nil
		a, err := a.Normalize(now)
		require.NoError(t, err)
		ballots := genBallots(t, a)
		before := decide(count(t, a, ballots), a)
		if before.Winner == "" || a.PollType == vote.Ranked && (a.RankingMethod == vote.InstantRunoff || a.Threshold != "" || len(before.Questions[0].Tied) > 0) {
			return // instant run-off does not promise it, see the conformance case irv-not-monotone-after; nor does who won by the tie rule alone
		}
		voter := rapid.SampledFrom(append(slices.Clone(names), "new")).Draw(t, "supporter")
		later := vote.CaseBallot{Voter: voter, Choices: []string{before.Winner}, At: now.Add(time.Hour)}
		switch a.PollType {
		case vote.Score, vote.Dot: // as many points as there are, and none for anybody else
			most := max(a.MaxScore, a.Dots)
			later.Choices, later.Points = nil, map[string]int{before.Winner: most}
		case vote.Ranked:
			// Somebody new; who had voted before may have had the winner before others, and has nobody before others now.
			later.Voter = "new"
		}
		after := decide(count(t, a, append(ballots, later)), a)
		require.Equal(t, vote.Passed, after.Result, "%+v", before)
		require.Equal(t, before.Winner, after.Winner)
	})
}

func TestNamesNeverMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAsk(t)
		ballots := genBallots(t, a)
		want := decide(count(t, a, ballots), a)

		other := rapid.Permutation(append([]string{"gus", "hal"}, names...)).Draw(t, "names")
		rename := func(v string) string { return other[slices.Index(names, v)] }
		b := a
		b.Weights = slices.Clone(a.Weights)
		for i := range b.Weights {
			b.Weights[i].Voter = rename(b.Weights[i].Voter)
		}
		renamed := slices.Clone(ballots)
		for i := range renamed {
			renamed[i].Voter = rename(renamed[i].Voter)
		}
		for _, q := range want.Questions {
			for _, o := range q.Options {
				for i := range o.Users {
					o.Users[i] = rename(o.Users[i])
				}
			}
		}
		require.Equal(t, want, decide(count(t, b, renamed), b))
	})
}

// TestOutcomeAddsUp: whatever was voted, the figures of an outcome agree with each other.
func TestOutcomeAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAsk(t)
		c := count(t, a, genBallots(t, a))
		o := decide(c, a)
		require.Zero(t, o.Ignored)
		require.Len(t, o.Questions, len(a.Asked()))
		for i, q := range o.Questions {
			require.Equal(t, a.Asked()[i], q.Question)
			require.LessOrEqual(t, q.Voters, o.Turnout.Voters)
			require.LessOrEqual(t, q.Weight, o.Turnout.Weight)
			require.Equal(t, q.Result == vote.Passed, q.Winner != "", "who passes has a winner, and nobody else")
			require.Equal(t, q.Result == vote.Failed, q.Reason != "")
			var ballots int64
			var weight vote.Weight
			for j, opt := range q.Options {
				require.Equal(t, a.Choices()[j], opt.Option)
				if a.PollType != vote.Ranked && a.PollType != vote.Score && a.PollType != vote.Dot {
					require.Len(t, opt.Users, int(opt.Ballots))
				}
				require.LessOrEqual(t, opt.Share, vote.One)
				ballots += opt.Ballots
				weight += opt.Weight
			}
			if a.PollType == vote.Score || a.PollType == vote.Dot {
				continue
			}
			if a.PollType != vote.Multiple && a.PollType != vote.Approval {
				require.Equal(t, q.Voters, ballots)
				require.Equal(t, q.Weight, weight)
			}
		}
	})
}
