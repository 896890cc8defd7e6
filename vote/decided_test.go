package vote_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/vote"
)

// TestDecidedIsDecided: whatever those who have not voted do, all, some or none of them, result and winner stay as they are.
func TestDecidedIsDecided(t *testing.T) {
	seen := 0
	rapid.Check(t, func(t *rapid.T) {
		a := genAsk(t)
		a.Questions, a.Weights = nil, nil
		a, err := a.Normalize(now)
		require.NoError(t, err)
		c := count(t, a, genBallots(t, a))
		tally := c.Tally()
		tally.Eligible = tally.Voters + int64(rapid.IntRange(0, 4).Draw(t, "left"))
		if !a.Decided(tally) {
			return
		}
		seen++
		before := a.Decide(tally, vote.Closing{})
		for i := range rapid.IntRange(0, int(tally.Eligible-tally.Voters)).Draw(t, "come") {
			b := genBallots(t, a)
			if len(b) == 0 {
				continue
			}
			b[0].Voter, b[0].At = "late"+string(rune('a'+i)), now.Add(time.Hour)
			require.NoError(t, cast(a, c, b[0]))
		}
		then := c.Tally()
		then.Eligible = tally.Eligible
		after := a.Decide(then, vote.Closing{})
		require.Equal(t, before.Result, after.Result, "%+v", a)
		require.Equal(t, before.Winner, after.Winner)
	})
	require.NotZero(t, seen)
}

func TestDecided(t *testing.T) {
	tally := func(eligible, yes, no int64) vote.Tally {
		return vote.Tally{Eligible: eligible, Counts: []vote.Count{vote.Votes("", vote.Yes, yes), vote.Votes("", vote.No, no)}}
	}
	for name, c := range map[string]struct {
		ask     vote.Ask
		tally   vote.Tally
		decided bool
	}{
		"three of five":               {vote.Ask{Quorum: 3}, tally(5, 3, 0), true},
		"two of five":                 {vote.Ask{Quorum: 3}, tally(5, 2, 0), false},
		"three against":               {vote.Ask{}, tally(5, 0, 3), true},
		"a third may veto":            {vote.Ask{Veto: 1}, tally(5, 3, 0), false},
		"vetoed":                      {vote.Ask{Veto: 1}, tally(5, 0, 1), true},
		"nobody knows how many":       {vote.Ask{}, tally(0, 3, 0), false},
		"two more approvals may tie":  {vote.Ask{PollType: vote.Approval, Options: []string{"a", "b", "c"}, Threshold: ">1/2"}, approvals(4, 1, 1, 1), false},
		"approved by enough":          {vote.Ask{PollType: vote.Approval, Options: []string{"a", "b", "c"}}, approvals(4, 3, 1, 1), true},
		"one question is open":        {vote.Ask{Questions: []string{"p", "q"}}, vote.Tally{Eligible: 2, Voters: 2, Counts: []vote.Count{vote.Votes("p", vote.Yes, 2), vote.Votes("q", vote.Yes, 1)}}, false},
		"everybody":                   {vote.Ask{PollType: vote.Ranked, Options: []string{"a", "b"}}, vote.Tally{Eligible: 1, Counts: []vote.Count{vote.Votes("", "0", 1)}}, true},
		"a ranking waits for all":     {vote.Ask{PollType: vote.Ranked, Options: []string{"a", "b"}}, vote.Tally{Eligible: 5, Counts: []vote.Count{vote.Votes("", "0", 4)}}, false},
		"weights may be anything":     {vote.Ask{Weights: []vote.VoterWeight{{Voter: "x", Weight: 9 * vote.One}}}, tally(5, 4, 0), false},
		"a quorum that cannot be met": {vote.Ask{Quorum: 6}, tally(5, 2, 0), true},
	} {
		t.Run(name, func(t *testing.T) {
			c.ask.Title = "t"
			require.Equal(t, c.decided, c.ask.Decided(c.tally))
		})
	}
}

// approvals are of three voters, who have a line for each option.
func approvals(eligible int64, yes ...int64) vote.Tally {
	t := vote.Tally{Eligible: eligible}
	for i, n := range yes {
		option := string(rune('a' + i))
		t.Counts = append(t.Counts, vote.Votes(option, vote.Yes, n), vote.Votes(option, vote.No, 3-n))
	}
	return t
}

func TestRanking(t *testing.T) {
	a := vote.Ask{Title: "t", PollType: vote.Ranked, Options: []string{"a", "b", "c"}}
	lines, err := a.Pick("", "c", "a")
	require.NoError(t, err)
	require.Equal(t, []vote.Picked{{Choice: "2>0"}}, lines)
	got, ok := a.Ranking("2>0")
	require.True(t, ok)
	require.Equal(t, []string{"c", "a"}, got)
	for _, bad := range []string{"", "3", "0>0", "00", "+1", "-1", "1>", ">1", "1 >0", "a", "0>1>2>0", "99999999999999999999"} {
		_, ok := a.Ranking(bad)
		require.False(t, ok, "%q", bad)
	}
	require.Equal(t, now.Add(2*time.Minute), vote.Ask{MinMinutes: 2}.Earliest(now))
}

// FuzzRanking: what is read is written as it was, so that one ranking has one count.
func FuzzRanking(f *testing.F) {
	for _, s := range []string{"0", "2>0>1", "0>0", "3", "01", "x"} {
		f.Add(s)
	}
	a := vote.Ask{Title: "t", PollType: vote.Ranked, Options: []string{"a", "b", "c"}}
	f.Fuzz(func(t *testing.T, s string) {
		options, ok := a.Ranking(s)
		if !ok {
			return
		}
		lines, err := a.Pick("", options...)
		require.NoError(t, err)
		require.Equal(t, s, lines[0].Choice)
	})
}

// FuzzCounts: whatever a store or platform says, deciding neither panics nor takes what was not asked for a vote.
func FuzzCounts(f *testing.F) {
	f.Add("0>1", "a", int64(1), int64(1))
	f.Add("5", "b", int64(-1), int64(7))
	f.Fuzz(func(t *testing.T, choice, question string, ballots, weight int64) {
		for _, p := range []vote.PollType{vote.Ranked, vote.Score, vote.Dot, vote.Approval, vote.Consent} {
			a := vote.Ask{Title: "t", PollType: p, Options: []string{"a", "b"}}
			if p == vote.Consent {
				a.Options = nil
			}
			out := a.Decide(vote.Tally{Counts: []vote.Count{{Question: question, Choice: choice, Ballots: ballots, Weight: vote.Weight(weight)}, {Choice: choice, Ballots: ballots, Weight: vote.Weight(weight)}}}, vote.Closing{})
			require.NotEmpty(t, out.Result)
		}
	})
}
