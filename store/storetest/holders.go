package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/store"
)

func holderTests() []test {
	return []test{
		within("two accounts of one holder", testTwoAccounts),
		within("final ballots of one holder", testFinalAccounts),
		within("entries of one holder", testHeldEntries),
		within("what was closed stays", testReholdClosed),
		within("a barred holder", testBarred),
		within("another name", testRenameVoter),
		{"linking and voting in any order", testAnyOrder},
	}
}

func ballot(process, voter, holder, choice string, at int) store.Ballot {
	return store.Ballot{Process: process, Voter: voter, Holder: holder, At: sec(at), Now: sec(at), Choices: []store.Choice{{Question: "q", Choice: choice, Weight: 1}}}
}

// stands says what counts: the choices with their ballots, and the turnout.
func stands(t testingT, tx store.Tx, process string) string {
	t.Helper()
	out := ""
	for _, n := range must(tx.Counts(process))(t) {
		out += fmt.Sprintf("%s=%d/%d ", n.Choice, n.Ballots, n.Weight)
	}
	return out + fmt.Sprint(must(tx.Turnout(process))(t))
}

func testTwoAccounts(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	require.Equal(t, store.Receipt{Changed: true}, must(tx.Cast(ballot("p", "a", "h", "yes", 5)))(t))
	require.Equal(t, store.Receipt{Changed: true}, must(tx.Cast(ballot("p", "b", "h", "no", 7)))(t), "the later stands")
	require.Equal(t, "no=1/1 1", stands(t, tx, "p"))
	require.Equal(t, store.Receipt{Stale: true}, must(tx.Cast(ballot("p", "a", "h", "yes", 6)))(t), "the other account has said something later")
	require.Equal(t, "no=1/1 1", stands(t, tx, "p"))
	require.Equal(t, store.Receipt{Stale: true}, must(tx.Cast(ballot("p", "a", "h", "yes", 6)))(t), "and again")
	held := must(tx.BallotsOf("p", "h"))(t)
	require.Len(t, held, 2)
	require.Equal(t, []bool{false, true}, []bool{held[0].Counts, held[1].Counts})
	require.Empty(t, must(tx.BallotsOf("p", "a"))(t), "it is the holder's")
	require.Equal(t, store.Receipt{Changed: true}, must(tx.Cast(ballot("p", "a", "h", "", 8)))(t), "taking back by one account takes all back")
	require.Equal(t, "0", stands(t, tx, "p"))

	require.True(t, must(tx.Rehold("p", []store.Hold{{Voter: "a", Weight: -1}}, false))(t))
	require.Equal(t, "no=1/1 1", stands(t, tx, "p"), "each its own again")
	require.True(t, must(tx.Rehold("p", []store.Hold{{Voter: "a", Holder: "h", Weight: -1}}, false))(t))
	require.Equal(t, "0", stands(t, tx, "p"))
	require.Equal(t, store.Receipt{Changed: true}, must(tx.Cast(ballot("p", "b", "", "no", 9)))(t), "cast as nobody's, it leaves the holder")
	require.Equal(t, "no=1/1 1", stands(t, tx, "p"))
	require.False(t, must(tx.Rehold("p", []store.Hold{{Voter: "nobody", Holder: "h"}}, false))(t))
	require.True(t, must(tx.Rehold("p", []store.Hold{{Voter: "b", Holder: "h", Weight: 4}}, false))(t))
	require.Equal(t, "no=1/4 1", stands(t, tx, "p"))
}

func testFinalAccounts(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	cast := func(voter, holder, choice string, at int) store.Receipt {
		b := ballot("p", voter, holder, choice, at)
		b.Final = true
		return must(tx.Cast(b))(t)
	}
	require.Equal(t, store.Receipt{Changed: true}, cast("a", "h", "yes", 5))
	require.Equal(t, store.Receipt{Kept: true}, cast("b", "h", "no", 7))
	require.Equal(t, store.Receipt{}, cast("b", "h", "yes", 7))
	require.Equal(t, store.Receipt{Changed: true}, cast("d", "h", "no", 4), "what another account chose earlier counts, though it arrives later")
	require.Equal(t, "no=1/1 1", stands(t, tx, "p"))
	require.Equal(t, store.Receipt{Changed: true}, cast("e", "h", "yes", 3))
	require.Equal(t, "yes=1/1 1", stands(t, tx, "p"))
	require.Equal(t, store.Receipt{Kept: true}, cast("d", "h", "no", 4))
	require.Len(t, must(tx.Ballots("p", "", "", 0))(t), 3, "what is not taken is not kept")
	require.Equal(t, store.Receipt{Changed: true}, cast("c", "", "no", 2))
	require.Equal(t, "no=1/1 yes=1/1 2", stands(t, tx, "p"))
	require.True(t, must(tx.Rehold("p", []store.Hold{{Voter: "c", Holder: "h", Weight: -1}}, true))(t))
	require.Equal(t, "no=1/1 1", stands(t, tx, "p"), "of final ballots the earlier stands, as if they had been one person's from the beginning")
}

func testHeldEntries(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	require.NoError(t, tx.PutVoters("p", true, []store.Voter{{Key: "a", Holder: "h"}, {Key: "b", Holder: "h"}, {Key: "c"}}))
	require.EqualValues(t, 2, must(tx.VotersAllowed("p"))(t))
	allowed, denied, err := tx.Voter("p", "h")
	require.NoError(t, err)
	require.Equal(t, [2]bool{true, false}, [2]bool{allowed, denied})
	allowed, _, _ = tx.Voter("p", "a")
	require.False(t, allowed, "it is the holder who may")
	require.NoError(t, tx.PutVoters("p", false, []store.Voter{{Key: "d"}}))
	require.EqualValues(t, 2, must(tx.VotersAllowed("p"))(t))
	_, err = tx.Rehold("p", []store.Hold{{Voter: "d", Holder: "h"}}, false)
	require.NoError(t, err)
	require.EqualValues(t, 1, must(tx.VotersAllowed("p"))(t), "one account is excluded, and so all are")
	_, err = tx.Rehold("p", []store.Hold{{Voter: "d"}, {Voter: "b"}}, false)
	require.NoError(t, err)
	require.EqualValues(t, 3, must(tx.VotersAllowed("p"))(t))
	require.NoError(t, tx.PutVoters("p", true, []store.Voter{{Key: "b", Holder: "h"}}))
	require.EqualValues(t, 2, must(tx.VotersAllowed("p"))(t), "the holder that comes replaces the one there")
	require.Equal(t, []store.Listed{{Key: "b", Holder: "h", Allowed: true}, {Key: "c", Holder: "c", Allowed: true}}, must(tx.Voters("p", "a", 2))(t))
	require.Equal(t, 3, must(tx.ClearVoters("p", 3))(t))
	require.Zero(t, must(tx.VotersAllowed("p"))(t))
	require.Equal(t, 1, must(tx.ClearVoters("p", 3))(t))
	require.Empty(t, must(tx.Voters("p", "", 0))(t))
}

func testReholdClosed(t *testing.T, tx store.Tx) {
	_, err := tx.Rehold("p", nil, false)
	require.ErrorIs(t, err, store.ErrNotFound)
	for _, status := range []string{store.Closing, store.Completed, store.Failed} {
		require.NoError(t, tx.PutProcess(store.Process{ID: status, Status: status}))
		_, err := tx.Rehold(status, []store.Hold{{Voter: "a", Holder: "h"}}, false)
		require.ErrorIs(t, err, store.ErrNotOpen)
	}
}

func testBarred(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	must(tx.Cast(ballot("p", "a", "h", "yes", 5)))(t)
	must(tx.Cast(ballot("p", "b", "", "yes", 6)))(t)
	require.True(t, must(tx.Rehold("p", []store.Hold{{Voter: "b", Holder: "h", Weight: -1, Barred: true}}, false))(t))
	require.Equal(t, "0", stands(t, tx, "p"), "also the holder's other ballots")
	require.True(t, must(tx.Rehold("p", []store.Hold{{Voter: "b", Weight: -1}, {Voter: "a", Holder: "h", Weight: -1}}, false))(t))
	require.Equal(t, "yes=2/2 2", stands(t, tx, "p"))
}

func testRenameVoter(t *testing.T, tx store.Tx) {
	pending(t, tx, "p")
	require.NoError(t, tx.PutVoters("p", true, []store.Voter{{Key: "a", Holder: "h"}, {Key: "b"}}))
	must(tx.Cast(ballot("p", "a", "h", "yes", 5)))(t)
	must(tx.Cast(ballot("p", "b", "", "no", 6)))(t)
	require.ErrorIs(t, tx.RenameVoter("p", "a", "b"), store.ErrConflict)
	require.ErrorIs(t, tx.RenameVoter("p", "a", "h"), store.ErrConflict)
	for from, to := range map[string]string{"a": "x", "h": "y", "b": "z", "nobody": "n"} {
		require.NoError(t, tx.RenameVoter("p", from, to))
	}
	require.Equal(t, "no=1/1 yes=1/1 2", stands(t, tx, "p"))
	for _, gone := range []string{"a", "h", "b"} {
		require.Empty(t, must(tx.BallotsOf("p", gone))(t))
	}
	require.Len(t, must(tx.BallotsOf("p", "y"))(t), 1)
	require.Equal(t, []store.Listed{{Key: "x", Holder: "y", Allowed: true}, {Key: "z", Holder: "z", Allowed: true}}, must(tx.Voters("p", "", 0))(t))
	require.EqualValues(t, 2, must(tx.VotersAllowed("p"))(t))
}

// testAnyOrder: who is linked to whom at the end, and what was cast, decide the counts, in whatever order it came; and a tally never has
// more ballots for a question than holders.
func testAnyOrder(t *testing.T, open opener) {
	s, check := open(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		check++
		type act struct {
			link   bool
			voter  string
			holder string
			choice string
			at     int
		}
		var acts []act
		last := map[string]string{}
		for at := range rapid.IntRange(1, 10).Draw(rt, "acts") {
			a := act{link: rapid.Bool().Draw(rt, "link"), voter: draw(rt, "a", "b", "c", "d"), choice: draw(rt, "yes", "no"), at: at}
			if a.link {
				a.holder = draw(rt, "h", "h2", "")
				last[a.voter] = a.holder
			}
			acts = append(acts, a)
		}
		play := func(process string, acts []act) (got string) {
			holders := map[string]string{}
			update(rt, s, func(tx store.Tx) {
				pending(rt, tx, process)
				for _, a := range acts {
					if a.link {
						holders[a.voter] = a.holder
						_ = must(tx.Rehold(process, []store.Hold{{Voter: a.voter, Holder: a.holder, Weight: -1}}, false))(rt)
					} else {
						b := ballot(process, a.voter, holders[a.voter], a.choice, a.at)
						_ = must(tx.Cast(b))(rt)
					}
					held := must(tx.Ballots(process, "", "", 0))(rt)
					seen := map[[2]string]bool{}
					for _, h := range held {
						k := [2]string{h.Holder, h.Question}
						require.False(rt, h.Counts && seen[k], "a holder is counted once")
						seen[k] = seen[k] || h.Counts
					}
					counts, voted := recount(held)
					require.Equal(rt, list(counts), list(must(tx.Counts(process))(rt)))
					require.EqualValues(rt, len(voted), must(tx.Turnout(process))(rt))
				}
				for v, h := range last { // to the same end
					_ = must(tx.Rehold(process, []store.Hold{{Voter: v, Holder: h, Weight: -1}}, false))(rt)
				}
				got = stands(rt, tx, process)
			})
			return got
		}
		want := play(fmt.Sprint("p", check), acts)
		got := play(fmt.Sprint("s", check), rapid.Permutation(acts).Draw(rt, "order"))
		require.Equal(rt, want, got)
	})
}
