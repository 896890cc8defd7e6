package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func processTests() []test {
	return []test{
		within("compare and swap", testProcessSwap),
		within("lists", testProcessLists),
		within("refs", testRefs),
		within("pruning", testPruneProcesses),
	}
}

func processID(p store.Process) string { return p.ID }

func testProcessSwap(t *testing.T, tx store.Tx) {
	_, err := tx.Process("p")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Process{
		ID: "p", Community: "c", Instance: "i", Plugin: "slack", Name: "vote", Version: 3, Status: store.Created,
		Input: json(), State: json(), Outcome: json(), Reason: "r", URL: "u", Open: true, Refusal: "no",
		CloseAt: finer(1), Created: finer(2), Updated: finer(3), Shown: finer(4), Ended: finer(5),
	}
	require.NoError(t, tx.PutProcess(full))
	full.Input[0], full.State[0], full.Outcome[0] = 'X', 'X', 'X'
	want := full
	want.Input, want.State, want.Outcome, want.Rev = json(), json(), json(), 1
	want.CloseAt, want.Created, want.Updated, want.Shown, want.Ended = kept(1), kept(2), kept(3), kept(4), kept(5)
	got := must(tx.Process("p"))(t)
	require.Equal(t, want, got)
	got.State[0] = 'X'
	require.Equal(t, want, must(tx.Process("p"))(t))
	listed := must(tx.Processes(store.ProcessQuery{}, "", 0))(t)
	require.Equal(t, []store.Process{want}, listed)
	listed[0].State[0] = 'X'
	require.Equal(t, want, must(tx.Process("p"))(t))

	require.ErrorIs(t, tx.PutProcess(full), store.ErrConflict)
	require.ErrorIs(t, tx.PutProcess(store.Process{ID: "p", Rev: 2}), store.ErrConflict)
	require.ErrorIs(t, tx.PutProcess(store.Process{ID: "q", Rev: 1}), store.ErrConflict)
	require.Equal(t, want, must(tx.Process("p"))(t))
	require.NoError(t, tx.PutProcess(store.Process{ID: "p", Outcome: []byte{}, Rev: 1}))
	require.Equal(t, store.Process{ID: "p", Rev: 2}, must(tx.Process("p"))(t), "zero times and empty bytes")
}

func testProcessLists(t *testing.T, tx store.Tx) {
	status := []string{store.Created, store.Pending, store.Closing, store.Completed, store.Failed}
	for n := range 120 {
		i := (n * 77) % 120
		require.NoError(t, tx.PutProcess(store.Process{
			ID: fmt.Sprintf("%03d", i), Community: fmt.Sprintf("c%d", i%2), Instance: fmt.Sprintf("i%d", i%4),
			Name: fmt.Sprintf("n%d", i%3), Status: status[i%5],
		}))
	}
	for name, tt := range map[string]struct {
		q     store.ProcessQuery
		after string
		limit int
		want  []string
	}{
		"all":        {store.ProcessQuery{}, "", 3, []string{"000", "001", "002"}},
		"after":      {store.ProcessQuery{}, "001", 2, []string{"002", "003"}},
		"community":  {store.ProcessQuery{Community: "c1"}, "", 3, []string{"001", "003", "005"}},
		"instance":   {store.ProcessQuery{Instance: "i3"}, "003", 2, []string{"007", "011"}},
		"both":       {store.ProcessQuery{Community: "c0", Instance: "i3"}, "", 0, nil},
		"name":       {store.ProcessQuery{Name: "n2"}, "", 2, []string{"002", "005"}},
		"one status": {store.ProcessQuery{Status: []string{store.Failed}}, "", 2, []string{"004", "009"}},
		"statuses":   {store.ProcessQuery{Status: []string{store.Pending, store.Failed}}, "", 4, []string{"001", "004", "006", "009"}},
		"everything": {store.ProcessQuery{Community: "c1", Instance: "i1", Name: "n1", Status: []string{store.Pending}}, "001", 2, []string{"061"}},
		"the end":    {store.ProcessQuery{}, "119", 0, nil},
	} {
		got := names(must(tx.Processes(tt.q, tt.after, tt.limit))(t), processID)
		require.Equal(t, list(tt.want), got, name)
	}
	require.Len(t, must(tx.Processes(store.ProcessQuery{}, "", 0))(t), 100)
	require.Len(t, must(tx.Processes(store.ProcessQuery{}, "", 200))(t), 120)

	p := must(tx.Process("001"))(t)
	p.Community, p.Instance = "moved", "moved"
	require.NoError(t, tx.PutProcess(p))
	require.Equal(t, []string{"001"}, names(must(tx.Processes(store.ProcessQuery{Community: "moved"}, "", 0))(t), processID))
	require.Equal(t, []string{"001"}, names(must(tx.Processes(store.ProcessQuery{Instance: "moved"}, "", 0))(t), processID))
	require.Equal(t, []string{"003"}, names(must(tx.Processes(store.ProcessQuery{Community: "c1"}, "", 1))(t), processID))
	require.Equal(t, []string{"005"}, names(must(tx.Processes(store.ProcessQuery{Instance: "i1"}, "", 1))(t), processID))
}

func testRefs(t *testing.T, tx store.Tx) {
	of := func(instance, ref string, limit int) []string {
		return must(tx.ProcessesByRef(instance, ref, limit))(t)
	}
	require.Empty(t, of("i", "r", 0))
	require.NoError(t, tx.PutRef("i", "r", "p"))
	require.NoError(t, tx.PutRef("j", "r", "q"))
	require.NoError(t, tx.PutRef("i", "s", "p"))
	require.Equal(t, []string{"p"}, of("i", "r", 0))
	require.Equal(t, []string{"q"}, of("j", "r", 0))
	require.NoError(t, tx.PutRef("i", "r", "p"))
	require.NoError(t, tx.PutRef("i", "r", "other"))
	require.NoError(t, tx.PutRef("i", "r", "quick"))
	require.Equal(t, []string{"quick", "p", "other"}, of("i", "r", 0))
	require.Equal(t, []string{"quick", "p"}, of("i", "r", 2))
	require.Equal(t, []string{"p"}, of("i", "s", 0))
	require.Empty(t, of("i", "R", 0))
}

func testPruneProcesses(t *testing.T, tx store.Tx) {
	for i, id := range []string{"a", "b", "c"} {
		fill(t, tx, id)
		p := must(tx.Process(id))(t)
		p.Status, p.Ended = store.Completed, sec(10+i)
		require.NoError(t, tx.PutProcess(p))
	}
	fill(t, tx, "running")
	require.NoError(t, tx.PutRef("elsewhere", "moved", "a"))
	require.NoError(t, tx.PutRef("elsewhere", "moved", "c"))
	before := dumpTx(t, tx)

	require.Zero(t, must(tx.PruneProcesses(sec(10), 0))(t), "before, not at")
	require.Equal(t, before, dumpTx(t, tx))
	require.Equal(t, 1, must(tx.PruneProcesses(sec(12), 1))(t))
	require.Equal(t, 1, must(tx.PruneProcesses(sec(12), 5))(t))
	require.Zero(t, must(tx.PruneProcesses(sec(12), 5))(t))
	for _, id := range []string{"a", "b"} {
		_, err := tx.Process(id)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Empty(t, must(tx.ProcessesByRef(id, "ref", 0))(t))
		require.Empty(t, must(tx.Ballots(id, "", "", 0))(t))
		require.Empty(t, must(tx.BallotsOf(id, "v"))(t))
		require.Empty(t, must(tx.Counts(id))(t))
		require.Zero(t, must(tx.Turnout(id))(t))
		require.Zero(t, must(tx.VotersAllowed(id))(t))
		allowed, denied, err := tx.Voter(id, "w")
		require.NoError(t, err)
		require.False(t, allowed || denied)
	}
	require.Equal(t, []string{"c"}, must(tx.ProcessesByRef("elsewhere", "moved", 0))(t))
	for _, id := range []string{"c", "running"} {
		must(tx.Process(id))(t)
		require.Equal(t, []string{id}, must(tx.ProcessesByRef(id, "ref", 0))(t))
		require.Len(t, must(tx.Ballots(id, "", "", 0))(t), 2)
		require.Len(t, must(tx.Counts(id))(t), 1)
		require.EqualValues(t, 2, must(tx.Turnout(id))(t))
		require.EqualValues(t, 1, must(tx.VotersAllowed(id))(t))
	}
	must(tx.Process("a-counted"))(t)
	// The name is free for another process, which begins without ballots.
	require.NoError(t, tx.PutProcess(store.Process{ID: "a", Status: store.Pending}))
	require.NoError(t, tx.SetCounts("a", []store.Count{{Question: "q", Choice: "x", Ballots: 1}}, 1))
	pending(t, tx, "b")
	must(tx.Cast(store.Ballot{Process: "b", Voter: "v", At: sec(0), Choices: []store.Choice{{Question: "other", Choice: "x"}}}))(t)
	require.EqualValues(t, 1, must(tx.Turnout("b"))(t))
}
