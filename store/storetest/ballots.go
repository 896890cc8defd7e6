package storetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func ballotTests() []test {
	return []test{
		within("voters", testVoters),
		within("one voter, step by step", testCastSteps),
		within("only while pending and in time", testCastOpen),
		within("all or nothing", testCastWhole),
		within("several questions go their own ways", testCastQuestions),
		within("counts from the platform", testSetCounts),
		within("lists", testBallotLists),
	}
}

// votersOf makes entries of a list of voters, each its own holder.
func votersOf(keys ...string) []store.Voter {
	out := make([]store.Voter, len(keys))
	for i, k := range keys {
		out[i].Key = k
	}
	return out
}

func pending(t testingT, tx store.Tx, id string) {
	t.Helper()
	require.NoError(t, tx.PutProcess(store.Process{ID: id, Status: store.Pending}))
}

func testVoters(t *testing.T, tx store.Tx) {
	require.Zero(t, must(tx.VotersAllowed("p"))(t))
	require.NoError(t, tx.PutVoters("p", true, nil))
	require.NoError(t, tx.PutVoters("p", true, votersOf("a", "b", "a", "c")))
	require.NoError(t, tx.PutVoters("p", true, votersOf("b")))
	require.NoError(t, tx.PutVoters("p", false, votersOf("c", "d")))
	require.NoError(t, tx.PutVoters("q", false, votersOf("a")))
	for voter, want := range map[string][2]bool{
		"a": {true, false}, "b": {true, false}, "c": {true, true}, "d": {false, true}, "e": {}, "A": {},
	} {
		allowed, denied, err := tx.Voter("p", voter)
		require.NoError(t, err)
		require.Equal(t, want, [2]bool{allowed, denied}, voter)
	}
	require.EqualValues(t, 2, must(tx.VotersAllowed("p"))(t))
	require.NoError(t, tx.PutVoters("p", true, votersOf("d", "e")))
	require.EqualValues(t, 3, must(tx.VotersAllowed("p"))(t))
	require.Zero(t, must(tx.VotersAllowed("q"))(t))

	many := make([]string, 5000)
	for i := range many {
		many[i] = fmt.Sprint("many", i)
	}
	require.NoError(t, tx.PutVoters("big", true, votersOf(many...)))
	require.EqualValues(t, len(many), must(tx.VotersAllowed("big"))(t))
}

// testCastSteps follows one voter and one question.
func testCastSteps(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	held := func(choice string, weight int64, at, cast time.Time) *store.Held {
		return &store.Held{Voter: "v", Holder: "v", Counts: true, Question: "q", Choice: choice, Weight: weight, At: at, Cast: cast}
	}
	for i, tt := range []struct {
		say     string
		choice  string
		weight  int64
		at, now int
		final   bool
		receipt store.Receipt
		want    *store.Held
	}{
		{"first", "yes", 5, 10, 100, false, store.Receipt{Changed: true}, held("yes", 5, kept(10), kept(100))},
		{"the same delivery again", "yes", 5, 10, 101, false, store.Receipt{}, held("yes", 5, kept(10), kept(100))},
		{"older", "no", 5, 9, 102, false, store.Receipt{Stale: true}, held("yes", 5, kept(10), kept(100))},
		{"older and the same", "yes", 5, 9, 102, false, store.Receipt{Stale: true}, held("yes", 5, kept(10), kept(100))},
		{"equally old", "no", 5, 10, 103, false, store.Receipt{Changed: true}, held("no", 5, kept(10), kept(103))},
		{"later, the same", "no", 5, 11, 104, false, store.Receipt{}, held("no", 5, kept(11), kept(104))},
		{"later, other weight", "no", 6, 12, 105, false, store.Receipt{Changed: true}, held("no", 6, kept(12), kept(105))},
		{"final, another", "yes", 6, 13, 106, true, store.Receipt{Kept: true}, held("no", 6, kept(12), kept(105))},
		{"final, taking back", "", 6, 13, 106, true, store.Receipt{Kept: true}, held("no", 6, kept(12), kept(105))},
		{"final, the same", "no", 9, 13, 107, true, store.Receipt{}, held("no", 6, kept(12), kept(105))},
		{"final, older", "yes", 6, 11, 108, true, store.Receipt{Stale: true}, held("no", 6, kept(12), kept(105))},
		{"taken back", "", 6, 14, 109, false, store.Receipt{Changed: true}, held("", 0, kept(14), kept(109))},
		{"older than taking back", "yes", 1, 13, 110, false, store.Receipt{Stale: true}, held("", 0, kept(14), kept(109))},
		{"taken back again", "", 0, 15, 111, false, store.Receipt{}, held("", 0, kept(15), kept(111))},
		{"final after taking back", "yes", 0, 16, 112, true, store.Receipt{Changed: true}, held("yes", 0, kept(16), kept(112))},
		{"the largest weight", "yes", math.MaxInt64, 17, 113, false, store.Receipt{Changed: true}, held("yes", math.MaxInt64, kept(17), kept(113))},
		{"and once more", "yes", math.MaxInt64, 18, 114, false, store.Receipt{}, held("yes", math.MaxInt64, kept(18), kept(114))},
	} {
		got := must(tx.Cast(store.Ballot{
			Process: "p", Voter: "v", At: finer(tt.at), Now: finer(tt.now), Final: tt.final,
			Choices: []store.Choice{{Question: "q", Choice: tt.choice, Weight: tt.weight}},
		}))(t)
		require.Equal(t, tt.receipt, got, "%d: %s", i, tt.say)
		require.Equal(t, []store.Held{*tt.want}, must(tx.BallotsOf("p", "v"))(t), tt.say)
		var counts []store.Count
		if tt.want.Choice != "" {
			counts = append(counts, store.Count{Question: "q", Choice: tt.want.Choice, Ballots: 1, Weight: tt.want.Weight})
		}
		require.Equal(t, list(counts), list(must(tx.Counts("p"))(t)), tt.say)
		require.EqualValues(t, len(counts), must(tx.Turnout("p"))(t), tt.say)
	}
	// What is finer than a microsecond does not make a ballot later.
	got := must(tx.Cast(store.Ballot{Process: "p", Voter: "v", At: kept(18).Add(999), Choices: []store.Choice{{Question: "q", Choice: "no"}}}))(t)
	require.Equal(t, store.Receipt{Changed: true}, got)
	got = must(tx.Cast(store.Ballot{Process: "p", Voter: "v", At: kept(18), Choices: []store.Choice{{Question: "q", Choice: "yes"}}}))(t)
	require.Equal(t, store.Receipt{Changed: true}, got)
}

func testCastOpen(t *testing.T, tx store.Tx) {
	ballot := func(process string, at time.Time) error {
		_, err := tx.Cast(store.Ballot{Process: process, Voter: "v", At: at, Now: sec(999), Choices: []store.Choice{{Question: "q", Choice: "yes"}}})
		return err
	}
	require.ErrorIs(t, ballot("nothing", sec(1)), store.ErrNotFound)
	for _, status := range []string{store.Created, store.Closing, store.Completed, store.Failed, ""} {
		require.NoError(t, tx.PutProcess(store.Process{ID: "p" + status, Status: status}))
		require.ErrorIs(t, ballot("p"+status, sec(1)), store.ErrNotOpen, status)
		require.Empty(t, must(tx.Ballots("p"+status, "", "", 0))(t))
	}
	require.NoError(t, tx.PutProcess(store.Process{ID: "timed", Status: store.Pending, CloseAt: finer(10)}))
	require.ErrorIs(t, ballot("timed", sec(11)), store.ErrNotOpen)
	require.ErrorIs(t, ballot("timed", kept(10).Add(time.Microsecond)), store.ErrNotOpen)
	require.Empty(t, must(tx.Counts("timed"))(t))
	require.NoError(t, ballot("timed", kept(10).Add(999)), "not after")
	require.NoError(t, ballot("timed", kept(10)))
	require.Len(t, must(tx.Counts("timed"))(t), 1)

	p := must(tx.Process("timed"))(t)
	p.Status = store.Closing
	require.NoError(t, tx.PutProcess(p))
	require.ErrorIs(t, ballot("timed", sec(1)), store.ErrNotOpen)

	// No choice is no ballot, but it is asked for at an open process.
	pending(t, tx, "open")
	require.Equal(t, store.Receipt{}, must(tx.Cast(store.Ballot{Process: "open", Voter: "v", At: sec(1)}))(t))
	_, err := tx.Cast(store.Ballot{Process: "timed", Voter: "v", At: sec(1)})
	require.ErrorIs(t, err, store.ErrNotOpen)
}

func testCastWhole(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	must(tx.Cast(store.Ballot{Process: "p", Voter: "v", At: sec(1), Choices: []store.Choice{
		{Question: "a", Choice: "x", Weight: 1}, {Question: "b", Choice: "x", Weight: math.MaxInt64 - 5},
	}}))(t)
	before := dumpTx(t, tx)
	a := store.Choice{Question: "a", Choice: "y", Weight: 1}
	for name, b := range map[string]store.Ballot{
		"negative":  {At: sec(2), Choices: []store.Choice{a, {Question: "c", Choice: "x", Weight: -1}}},
		"overflow":  {At: sec(2), Choices: []store.Choice{a, {Question: "b", Choice: "x", Weight: 6}}},
		"twice":     {At: sec(2), Choices: []store.Choice{a, a}},
		"timeless":  {Choices: []store.Choice{a}},
		"back, neg": {At: sec(2), Choices: []store.Choice{a, {Question: "c", Weight: -1}}},
	} {
		b.Process, b.Voter = "p", "w"
		r, err := tx.Cast(b)
		require.Equal(t, "an error", class(err), name)
		require.Equal(t, store.Receipt{}, r, name)
		require.Equal(t, before, dumpTx(t, tx), name)
	}
	must(tx.Cast(store.Ballot{Process: "p", Voter: "w", At: sec(2), Choices: []store.Choice{{Question: "b", Choice: "x", Weight: 5}}}))(t)
	require.Contains(t, must(tx.Counts("p"))(t), store.Count{Question: "b", Choice: "x", Ballots: 2, Weight: math.MaxInt64})
}

func testCastQuestions(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	cast := func(at int, final bool, choices ...string) store.Receipt {
		b := store.Ballot{Process: "p", Voter: "v", At: sec(at), Final: final}
		for i := 0; i < len(choices); i += 2 {
			b.Choices = append(b.Choices, store.Choice{Question: choices[i], Choice: choices[i+1], Weight: int64(at)})
		}
		return must(tx.Cast(b))(t)
	}
	now := func() (out []string) {
		for _, h := range must(tx.BallotsOf("p", "v"))(t) {
			out = append(out, h.Question+"="+h.Choice)
		}
		return out
	}
	require.Equal(t, store.Receipt{Changed: true}, cast(5, false, "c", "1", "a", "1"))
	require.Equal(t, store.Receipt{Changed: true}, cast(3, false, "b", "1"), "each question has its own time")
	require.Equal(t, []string{"a=1", "b=1", "c=1"}, now())
	require.EqualValues(t, 1, must(tx.Turnout("p"))(t), "voters, not ballots")
	require.Equal(t, store.Receipt{Changed: true, Stale: true}, cast(4, false, "a", "2", "b", "2"))
	require.Equal(t, []string{"a=1", "b=2", "c=1"}, now())
	require.Equal(t, store.Receipt{Changed: true, Kept: true}, cast(6, true, "a", "2", "d", "1"))
	require.Equal(t, []string{"a=1", "b=2", "c=1", "d=1"}, now())
	require.Equal(t, store.Receipt{Changed: true, Stale: true}, cast(5, false, "d", "", "a", "", "b", ""))
	require.EqualValues(t, 1, must(tx.Turnout("p"))(t))
	require.Equal(t, store.Receipt{Changed: true}, cast(7, false, "d", "", "c", ""))
	require.Equal(t, []string{"a=", "b=", "c=", "d="}, now())
	require.Zero(t, must(tx.Turnout("p"))(t))
	require.Empty(t, must(tx.Counts("p"))(t))
	require.Equal(t, store.Receipt{}, cast(7, false, "e", ""), "taking back what is not there")
	require.Equal(t, store.Receipt{Stale: true}, cast(6, false, "e", "late"))
	require.Equal(t, store.Receipt{Changed: true}, cast(8, false, "", "an empty question is one"))
	require.Equal(t, []store.Count{{Choice: "an empty question is one", Ballots: 1, Weight: 8}}, must(tx.Counts("p"))(t))
}

func testSetCounts(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	in := []store.Count{
		{Question: "q", Choice: "no", Ballots: 2, Weight: 7}, {Question: "p", Choice: "z", Ballots: 1},
		{Question: "q", Choice: "by weight", Weight: 3}, {Question: "q", Choice: "nobody"},
	}
	require.NoError(t, tx.SetCounts("p", in, 3))
	want := []store.Count{in[1], in[2], in[0]}
	require.Equal(t, want, must(tx.Counts("p"))(t))
	require.EqualValues(t, 3, must(tx.Turnout("p"))(t))
	for name, bad := range map[string][]store.Count{
		"ballots": {{Question: "q", Choice: "x", Ballots: -1}},
		"weight":  {{Question: "q", Choice: "x", Weight: -1}},
		"choice":  {{Question: "q", Ballots: 1}},
		"twice":   {{Question: "q", Choice: "x", Ballots: 1}, {Question: "q", Choice: "x", Ballots: 2}},
	} {
		require.Equal(t, "an error", class(tx.SetCounts("p", bad, 1)), name)
	}
	require.Equal(t, "an error", class(tx.SetCounts("p", nil, -1)))
	require.Equal(t, want, must(tx.Counts("p"))(t))
	require.EqualValues(t, 3, must(tx.Turnout("p"))(t))

	vote := store.Ballot{Process: "p", Voter: "v", At: sec(1), Choices: []store.Choice{{Question: "q", Choice: "yes"}}}
	_, err := tx.Cast(vote)
	require.ErrorIs(t, err, store.ErrConflict, "counts would not equal ballots any more")
	require.NoError(t, tx.SetCounts("p", nil, 1))
	require.Empty(t, must(tx.Counts("p"))(t))
	_, err = tx.Cast(vote)
	require.ErrorIs(t, err, store.ErrConflict)
	require.NoError(t, tx.SetCounts("p", nil, 0))
	must(tx.Cast(vote))(t)
	require.ErrorIs(t, tx.SetCounts("p", nil, 0), store.ErrConflict)
	vote.At, vote.Choices = sec(2), []store.Choice{{Question: "q"}}
	must(tx.Cast(vote))(t)
	require.ErrorIs(t, tx.SetCounts("p", in, 3), store.ErrConflict, "taken back, but its own")
	require.Empty(t, must(tx.Counts("p"))(t))
	require.NoError(t, tx.SetCounts("no such process", in, 3))
}

func testBallotLists(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	pending(t, tx, "pp")
	for n := range 60 {
		i := (n * 7) % 60
		for _, p := range []string{"p", "pp"} {
			must(tx.Cast(store.Ballot{Process: p, Voter: fmt.Sprintf("v%02d", i), At: sec(1), Choices: []store.Choice{
				{Question: "b", Choice: fmt.Sprint("c", i%3), Weight: int64(i)}, {Question: "a", Choice: []string{"", "z"}[i%2]},
			}}))(t)
		}
	}
	page := func(voter, question string, limit int) []string {
		return names(must(tx.Ballots("p", voter, question, limit))(t), func(h store.Held) string { return h.Voter + h.Question })
	}
	require.Equal(t, []string{"v00a", "v00b", "v01a"}, page("", "", 3))
	require.Equal(t, []string{"v01b", "v02a"}, page("v01", "a", 2))
	require.Equal(t, []string{"v02a"}, page("v01", "b", 1))
	require.Equal(t, []string{"v02a"}, page("v01", "zz", 1))
	require.Equal(t, []string{"v02a"}, page("v02", "", 1))
	require.Len(t, page("", "", 0), 100)
	require.Len(t, page("", "", 1000), 120)
	require.Empty(t, page("v59", "b", 0))
	require.Equal(t, []store.Count{
		{Question: "a", Choice: "z", Ballots: 30},
		{Question: "b", Choice: "c0", Ballots: 20, Weight: 570},
		{Question: "b", Choice: "c1", Ballots: 20, Weight: 590},
		{Question: "b", Choice: "c2", Ballots: 20, Weight: 610},
	}, must(tx.Counts("p"))(t))
	require.EqualValues(t, 60, must(tx.Turnout("p"))(t))
	require.Empty(t, must(tx.BallotsOf("p", "v"))(t))
}
