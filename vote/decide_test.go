package vote_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/vote"
)

// TestPlatformCounts: a platform that counts by itself knows how often each option was chosen, and perhaps by how many.
func TestPlatformCounts(t *testing.T) {
	a := vote.Ask{Title: "t", PollType: vote.Multiple, Options: []string{"x", "y"}, Threshold: "1/2", Quorum: 5}
	counts := []vote.Count{vote.Votes("", "x", 4), vote.Votes("", "y", 3)}

	o := a.Decide(vote.Tally{Counts: counts}, vote.Closing{})
	require.Equal(t, vote.NoQuorum, o.Result, "nobody says that more than four people voted")
	require.EqualValues(t, 4, o.Turnout.Voters)

	o = a.Decide(vote.Tally{Counts: counts, Voters: 8}, vote.Closing{})
	require.Equal(t, vote.Passed, o.Result, "four of eight are half")
	require.Equal(t, "x", o.Winner)
	require.Equal(t, vote.One/2, o.Questions[0].Options[0].Share)
	require.Equal(t, 8*vote.One, o.Turnout.Weight)

	o = a.Decide(vote.Tally{Counts: counts, Voters: 9}, vote.Closing{})
	require.Equal(t, vote.Failed, o.Result)

	counts[0].Weight = 9 * vote.One
	o = a.Decide(vote.Tally{Counts: counts, Voters: 8, Weight: 18 * vote.One}, vote.Closing{})
	require.Equal(t, vote.Passed, o.Result, "half of the weight")
	o = a.Decide(vote.Tally{Counts: counts, Voters: 8, Weight: 18*vote.One + 1}, vote.Closing{})
	require.Equal(t, vote.Failed, o.Result)
}

func TestPlatformSaysMoreVoters(t *testing.T) {
	a := vote.Ask{Title: "t", Quorum: 3}
	tally := vote.Tally{Counts: []vote.Count{vote.Votes("", "yes", 1)}, Voters: 3}
	require.Equal(t, vote.Passed, a.Decide(tally, vote.Closing{}).Result, "who abstained took part")
	tally.Voters = 2
	require.Equal(t, vote.NoQuorum, a.Decide(tally, vote.Closing{}).Result)
	a.Questions = []string{"p", "q"}
	tally.Voters = 9
	require.Equal(t, vote.NoQuorum, a.Decide(tally, vote.Closing{}).Result, "of several questions nobody says which")
}

func TestUnknownCountsAreIgnored(t *testing.T) {
	a := vote.Ask{Title: "t", Quorum: 2}
	o := a.Decide(vote.Tally{Counts: []vote.Count{
		vote.Votes("", "no", 1), vote.Votes("", "maybe", 5), vote.Votes("other", "yes", 5), vote.Votes("", "", 7),
		{Choice: "yes", Ballots: -3, Weight: vote.One}, {Choice: "yes", Ballots: 3, Weight: -vote.One},
	}}, vote.Closing{})
	require.Equal(t, vote.NoQuorum, o.Result)
	require.EqualValues(t, 13, o.Ignored)
	require.EqualValues(t, 1, o.Turnout.Voters)
	require.Zero(t, o.Questions[0].Options[0].Ballots)
}

func TestCountsOfOneChoiceAddUp(t *testing.T) {
	a := vote.Ask{Title: "t"}
	o := a.Decide(vote.Tally{Counts: []vote.Count{vote.Votes("", "yes", 1), vote.Votes("", "no", 2), vote.Votes("", "yes", 2)}}, vote.Closing{})
	require.Equal(t, vote.Passed, o.Result)
	require.EqualValues(t, 3, o.Questions[0].Options[0].Ballots)
}

// TestHugeSums: what does not fit 64 bits is still compared exactly enough to decide, and never wraps round.
func TestHugeSums(t *testing.T) {
	a := vote.Ask{Title: "t", Threshold: "1/2"}
	big := vote.Count{Choice: "yes", Ballots: 1, Weight: math.MaxInt64}
	other := vote.Count{Choice: "no", Ballots: 1, Weight: math.MaxInt64}
	o := a.Decide(vote.Tally{Counts: []vote.Count{big, other}}, vote.Closing{})
	require.Equal(t, vote.Passed, o.Result)
	require.Equal(t, vote.One/2, o.Questions[0].Options[0].Share)
	require.EqualValues(t, int64(math.MaxInt64), o.Turnout.Weight)
	a.Threshold = ">1/2"
	require.Equal(t, vote.Tie, a.Decide(vote.Tally{Counts: []vote.Count{big, other}}, vote.Closing{}).Result)
	other.Weight--
	require.Equal(t, vote.Passed, a.Decide(vote.Tally{Counts: []vote.Count{big, other}}, vote.Closing{}).Result)

	var c vote.Counter
	for i := range 9223 {
		_, err := c.Cast(vote.Ballot{Voter: fmt.Sprint(i), Choice: "a", Weight: vote.MaxWeight})
		require.NoError(t, err)
	}
	before := c.Counts()
	_, err := c.Cast(vote.Ballot{Voter: "last", Choice: "a", Weight: vote.MaxWeight})
	require.Error(t, err)
	require.Equal(t, before, c.Counts())
	_, err = c.Cast(vote.Ballot{Voter: "0", Choice: "a", Weight: vote.MaxWeight, At: now})
	require.NoError(t, err, "the same vote again is no more than before")
}

func TestMaxListed(t *testing.T) {
	a := vote.Ask{Title: "t"}
	var c vote.Counter
	for i := range vote.MaxListed {
		_, err := c.Cast(vote.Ballot{Voter: fmt.Sprint(i), Choice: "yes", Weight: vote.One, At: now.Add(-time.Duration(i) * time.Second)})
		require.NoError(t, err)
	}
	users := a.Decide(c.Tally(), vote.Closing{}).Questions[0].Options[0].Users
	require.Len(t, users, vote.MaxListed)
	require.Equal(t, "999", users[0], "who voted first comes first")
	_, err := c.Cast(vote.Ballot{Voter: "one more", Choice: "no", Weight: vote.One})
	require.NoError(t, err)
	o := a.Decide(c.Tally(), vote.Closing{})
	require.Empty(t, o.Questions[0].Options[0].Users)
	require.EqualValues(t, vote.MaxListed, o.Questions[0].Options[0].Ballots)
}

func TestDecideWithoutNormalize(t *testing.T) {
	yes := vote.Tally{Counts: []vote.Count{vote.Votes("", "yes", 3)}, Eligible: 3}
	for name, a := range map[string]vote.Ask{
		"threshold that cannot be read": {Threshold: "most"},
		"no options":                    {PollType: vote.Choice},
		"unknown poll type":             {PollType: "ranked"},
	} {
		require.Equal(t, vote.Failed, a.Decide(yes, vote.Closing{}).Result, name)
	}
	require.Equal(t, vote.NoQuorum, vote.Ask{QuorumShare: "most"}.Decide(yes, vote.Closing{}).Result)
}

func TestOpenVoteStands(t *testing.T) {
	raw, err := json.Marshal(vote.Ask{Title: "t"}.Decide(vote.Tally{Counts: []vote.Count{vote.Votes("", "yes", 1)}}, vote.Closing{}))
	require.NoError(t, err)
	require.JSONEq(t, `{"version":"2","title":"t","poll_type":"boolean","result":"passed","winner":"yes","turnout":{"voters":1,"weight":1},
		"questions":[{"result":"passed","winner":"yes","voters":1,"weight":1,"options":[
			{"option":"yes","ballots":1,"weight":1,"share":1},{"option":"no","ballots":0,"weight":0,"share":0}]}]}`, string(raw))
}

func TestCounterRefuses(t *testing.T) {
	var c vote.Counter
	for _, b := range []vote.Ballot{
		{Choice: "a", Weight: 1}, {Voter: "ann", Choice: "a", Weight: -1}, {Voter: "ann", Choice: "a", Weight: vote.MaxWeight + 1},
	} {
		_, err := c.Cast(b)
		require.Error(t, err)
	}
	require.Empty(t, c.Counts())
}

func TestCounterFinal(t *testing.T) {
	c := vote.Counter{Final: true}
	b := vote.Ballot{Voter: "ann", Weight: vote.One, At: now}
	for i, choice := range []string{"", "a", "b", ""} { // Taking back nothing is no vote; the first that is stays.
		b.Choice, b.At = choice, now.Add(time.Duration(i)*time.Second)
		changed, err := c.Cast(b)
		require.NoError(t, err)
		require.Equal(t, choice == "a", changed)
	}
	require.Equal(t, []vote.Count{vote.Votes("", "a", 1)}, c.Counts())
}

func TestCounterReplacedWeightIsNotAdded(t *testing.T) {
	var c vote.Counter
	for i := range 9223 {
		_, err := c.Cast(vote.Ballot{Voter: fmt.Sprint(i), Choice: "a", Weight: vote.MaxWeight})
		require.NoError(t, err)
	}
	_, err := c.Cast(vote.Ballot{Voter: "0", Choice: "a", Weight: vote.MaxWeight - 1})
	require.NoError(t, err, "the sum becomes smaller")
	require.Equal(t, 9223*vote.MaxWeight-1, c.Counts()[0].Weight)
}

func TestWholeOfMultiple(t *testing.T) {
	a := vote.Ask{Title: "t", PollType: vote.Multiple, Options: []string{"x", "y"}, Threshold: "1/2"}
	lines := []vote.Count{vote.Votes("x", vote.Yes, 1), vote.Votes("y", vote.No, 1)}
	o := a.Decide(vote.Tally{Counts: lines, Voters: 4}, vote.Closing{})
	require.Equal(t, vote.Passed, o.Result, "lines say exactly what those who voted weigh")

	half := []vote.Count{{Choice: "x", Ballots: 4, Weight: 2 * vote.One}}
	o = a.Decide(vote.Tally{Counts: half, Voters: 8}, vote.Closing{})
	require.Equal(t, 2*vote.One, o.Questions[0].Weight, "where votes are weighed, people say nothing about weight")
}

func TestFractionOfNothing(t *testing.T) {
	for _, f := range []vote.Fraction{
		">0/0", "0/0", "1/0", ">", "/", "%", "1/", "/2", ".5", "1.", "-1/2", "1e-1", "1/2%", "1 /2", ">>1/2", "0.0000001", "1/10000000000",
	} {
		_, err := vote.Ask{Title: "t", Threshold: f}.Normalize(now)
		require.Error(t, err, f)
	}
	for _, f := range []vote.Fraction{">0", "1", "100%", "1.0", "0.5%", "999999999/999999999", "33.333333%", "0.000001"} {
		_, err := vote.Ask{Title: "t", Threshold: f}.Normalize(now)
		require.NoError(t, err, f)
	}
}

// Sums of weights are exact, also where they are more than 64 bits hold: many people may have the most that one may have.
func TestRankedWeightsBeyond64Bits(t *testing.T) {
	const most = vote.Weight(math.MaxInt64)
	count := func(choice string, w vote.Weight) vote.Count {
		return vote.Count{Choice: choice, Ballots: 9000, Weight: w}
	}
	a := vote.Ask{Title: "t", PollType: vote.Ranked, Options: []string{"a", "b", "c"}}
	irv := a.Decide(vote.Tally{Counts: []vote.Count{count("0", most), count("1>0", most-1), count("2>1", most-2)}}, vote.Closing{})
	require.Equal(t, "b", irv.Winner, "nobody has half in the first round; c is out, and b has two of three")
	require.Len(t, irv.Questions[0].Rounds, 2)

	a.RankingMethod = vote.Condorcet
	pairs := a.Decide(vote.Tally{Counts: []vote.Count{count("0>1", most), count("0>2>1", most), count("1>0", most), count("1>2>0", most-1)}}, vote.Closing{})
	require.Equal(t, "a", pairs.Winner, "by one millionth")

	a.Threshold = ">1/2"
	for _, method := range []vote.RankingMethod{vote.InstantRunoff, vote.Condorcet} {
		a.RankingMethod = method
		out := a.Decide(vote.Tally{Counts: []vote.Count{count("0>1", most), count("0>2", most), count("1", most)}}, vote.Closing{})
		require.Equal(t, "a", out.Winner, "%s: two thirds are more than half", method)
	}
}
