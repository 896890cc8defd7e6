package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func eventTests() []test {
	return []test{
		within("append", testAppend),
		within("queries", testEventQueries),
		within("pruning", testPruneEvents),
		within("a redacted event", testRedactEvent),
		on("numbers have no gaps after a rollback", testEventRollback),
	}
}

func subTests() []test {
	return []test{
		within("subscriptions", testSubs),
		within("lanes", testLanes),
	}
}

func seqs(events []store.Event) []int64 {
	out := make([]int64, len(events))
	for i, e := range events {
		out[i] = e.Seq
	}
	return out
}

// testRedactEvent: who did it and what it said are gone, that it happened is not.
func testRedactEvent(t *testing.T, tx store.Tx) {
	require.NoError(t, tx.RedactEvent(1, "U", odd()))
	full := store.Event{ID: "e", Community: "c", Instance: "i", Plugin: "p", Type: "t", Actor: "U", Data: json(), Delivery: "d", At: kept(1)}
	for _, id := range []string{"e", "f"} {
		full.ID = id
		_, _, err := tx.Append(full)
		require.NoError(t, err)
	}
	data := odd()
	require.NoError(t, tx.RedactEvent(1, "", data))
	data[0]++
	want := full
	want.Seq, want.ID, want.Actor, want.Data = 1, "e", "", odd()
	other := full
	other.Seq = 2
	require.Equal(t, []store.Event{want, other}, must(tx.Events(store.EventQuery{}, 0))(t))
	_, fresh, err := tx.Append(want)
	require.NoError(t, err)
	require.False(t, fresh, "it stays known")
	require.NoError(t, tx.RedactEvent(2, "V", nil))
	require.Empty(t, must(tx.Events(store.EventQuery{After: 1}, 0))(t)[0].Data)
	require.EqualValues(t, 2, must(tx.LastSeq())(t))
}

func testAppend(t *testing.T, tx store.Tx) {
	require.Zero(t, must(tx.LastSeq())(t))
	require.Empty(t, must(tx.Events(store.EventQuery{}, 0))(t))
	full := store.Event{
		Seq: 77, ID: "e", Community: "c", Instance: "i", Plugin: "p", Type: "t", Process: "pr", Actor: "U", Bot: true,
		Data: json(), Delivery: "d", Cause: "call", At: finer(1),
	}
	appended := func(e store.Event, seq int64, fresh bool) {
		t.Helper()
		gotSeq, gotFresh, err := tx.Append(e)
		require.NoError(t, err)
		require.Equal(t, seq, gotSeq)
		require.Equal(t, fresh, gotFresh)
	}
	appended(full, 1, true)
	full.Data[0] = 'X'
	want := full
	want.Seq, want.Data, want.At = 1, json(), kept(1)
	got := must(tx.Events(store.EventQuery{}, 0))(t)
	require.Equal(t, []store.Event{want}, got)
	got[0].Data[0] = 'X'
	require.Equal(t, []store.Event{want}, must(tx.Events(store.EventQuery{}, 0))(t))

	appended(store.Event{}, 2, true)
	require.Equal(t, store.Event{Seq: 2}, must(tx.Events(store.EventQuery{After: 1}, 0))(t)[0])
	appended(store.Event{Instance: "i", Type: "t", ID: "e", Community: "another"}, 1, false)
	require.EqualValues(t, 2, must(tx.LastSeq())(t))
	appended(store.Event{Instance: "j", Type: "t", ID: "e"}, 3, true)
	appended(store.Event{Instance: "i", Type: "u", ID: "e"}, 4, true)
	appended(store.Event{Instance: "i", Type: "t", ID: "f"}, 5, true)
	appended(store.Event{Instance: "i", Type: "t"}, 6, true)
	appended(store.Event{Instance: "i", Type: "t"}, 7, true)
	require.EqualValues(t, 7, must(tx.LastSeq())(t))
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7}, seqs(must(tx.Events(store.EventQuery{}, 0))(t)))
}

func testEventQueries(t *testing.T, tx store.Tx) {
	for i := 1; i <= 120; i++ {
		_, _, err := tx.Append(store.Event{
			ID: fmt.Sprint(i), Community: fmt.Sprintf("c%d", i%2), Instance: fmt.Sprintf("i%d", i%4), Type: fmt.Sprintf("t%d", i%3),
			Process: fmt.Sprintf("p%d", i%5), At: sec(i),
		})
		require.NoError(t, err)
	}
	for name, tt := range map[string]struct {
		q     store.EventQuery
		limit int
		want  []int64
	}{
		"all":        {store.EventQuery{}, 3, []int64{1, 2, 3}},
		"after":      {store.EventQuery{After: 3}, 2, []int64{4, 5}},
		"negative":   {store.EventQuery{After: -3}, 1, []int64{1}},
		"community":  {store.EventQuery{Community: "c0"}, 2, []int64{2, 4}},
		"instance":   {store.EventQuery{Instance: "i3", After: 3}, 2, []int64{7, 11}},
		"type":       {store.EventQuery{Types: []string{"t0"}}, 2, []int64{3, 6}},
		"types":      {store.EventQuery{Types: []string{"t0", "t1", "t9"}}, 4, []int64{1, 3, 4, 6}},
		"process":    {store.EventQuery{Process: "p4"}, 2, []int64{4, 9}},
		"everything": {store.EventQuery{After: 1, Community: "c1", Instance: "i1", Types: []string{"t1"}, Process: "p1"}, 0, []int64{61}},
		"nobody's":   {store.EventQuery{Community: "c"}, 0, []int64{}},
		"the end":    {store.EventQuery{After: 120}, 0, []int64{}},
		"beyond":     {store.EventQuery{After: 1 << 62}, 0, []int64{}},
	} {
		require.Equal(t, tt.want, seqs(must(tx.Events(tt.q, tt.limit))(t)), name)
	}
	require.Len(t, must(tx.Events(store.EventQuery{}, 0))(t), 100)
	require.Len(t, must(tx.Events(store.EventQuery{}, 500))(t), 120)
}

func testPruneEvents(t *testing.T, tx store.Tx) {
	add := func(id string, at int) int64 {
		seq, fresh, err := tx.Append(store.Event{Instance: "i", Type: "t", ID: id, At: sec(at)})
		require.NoError(t, err)
		require.True(t, fresh)
		return seq
	}
	// The fourth came late: numbers follow our order, times the platform's.
	for i, at := range []int{1, 2, 3, 1, 5, 6} {
		add(fmt.Sprint(i), at)
	}
	left := func() []int64 { return seqs(must(tx.Events(store.EventQuery{}, 0))(t)) }
	require.Zero(t, must(tx.PruneEvents(sec(99), 0, 0))(t))
	require.Zero(t, must(tx.PruneEvents(sec(1), 99, 0))(t), "before, not at")
	require.Equal(t, 1, must(tx.PruneEvents(sec(2), 3, 0))(t))
	require.Equal(t, []int64{2, 3, 4, 5, 6}, left())
	require.Equal(t, 2, must(tx.PruneEvents(sec(4), 5, 2))(t))
	require.Equal(t, 1, must(tx.PruneEvents(sec(4), 5, 2))(t))
	require.Equal(t, []int64{5, 6}, left())
	require.Equal(t, 2, must(tx.PruneEvents(sec(99), 6, 0))(t))
	require.Empty(t, left())
	require.EqualValues(t, 6, must(tx.LastSeq())(t), "what was ever kept")
	require.EqualValues(t, 7, add("0", 9), "numbers go on, and what is pruned is known no more")
	require.Equal(t, []int64{7}, left())
	for range 500 {
		add("", 50)
	}
	for i := range 20 {
		seq, _, err := tx.Append(store.Event{At: sec(i % 2 * 90)})
		require.NoError(t, err)
		require.EqualValues(t, 508+i, seq)
	}
	require.Equal(t, 10, must(tx.PruneEvents(sec(8), 1<<62, 12))(t), "those that stay do not hold up the others")
	require.EqualValues(t, 527, must(tx.LastSeq())(t))
	require.Equal(t, 511, must(tx.PruneEvents(sec(99), 1<<62, 600))(t))
	require.EqualValues(t, 527, must(tx.LastSeq())(t), "the newest is among the pruned")
	require.EqualValues(t, 528, add("0", 9))
}

func testEventRollback(t *testing.T, s store.Store) {
	for i := range 10 {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			for range 3 {
				if _, _, err := tx.Append(store.Event{Type: "t", At: sec(i)}); err != nil {
					return err
				}
			}
			if i%2 == 1 {
				return store.ErrConflict
			}
			return nil
		})
		require.Equal(t, i%2 == 1, err != nil)
	}
	view(t, s, func(tx store.Tx) {
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, seqs(must(tx.Events(store.EventQuery{}, 0))(t)))
		require.EqualValues(t, 15, must(tx.LastSeq())(t))
	})
	// Also after everything is gone, and over a rollback of that.
	update(t, s, func(tx store.Tx) { require.Equal(t, 15, must(tx.PruneEvents(sec(99), 15, 0))(t)) })
	update(t, s, func(tx store.Tx) {
		seq, _, err := tx.Append(store.Event{At: sec(1)})
		require.NoError(t, err)
		require.EqualValues(t, 16, seq)
	})
}

func testSubs(t *testing.T, tx store.Tx) {
	_, err := tx.Sub("s")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Empty(t, must(tx.Subs())(t))
	require.NoError(t, tx.PutSub(store.Sub{Name: "s", Cursor: 5, Created: finer(1)}))
	require.NoError(t, tx.PutSub(store.Sub{Name: "S"}))
	require.NoError(t, tx.PutSub(store.Sub{Name: "r", Cursor: 7}))
	require.Equal(t, store.Sub{Name: "s", Cursor: 5, Created: kept(1)}, must(tx.Sub("s"))(t))
	require.NoError(t, tx.PutSub(store.Sub{Name: "s", Cursor: 3}))
	require.Equal(t, []store.Sub{{Name: "S"}, {Name: "r", Cursor: 7}, {Name: "s", Cursor: 3}}, must(tx.Subs())(t))
	require.NoError(t, tx.DeleteSub("nobody"))
	require.NoError(t, tx.DeleteSub("s"))
	_, err = tx.Sub("s")
	require.ErrorIs(t, err, store.ErrNotFound)
	for i := range 150 {
		require.NoError(t, tx.PutSub(store.Sub{Name: fmt.Sprint("many", i)}))
		require.NoError(t, tx.PutLane(store.Lane{Sub: "S", Community: fmt.Sprint("many", i)}))
	}
	require.Len(t, must(tx.Subs())(t), 152, "no limit")
	require.Len(t, must(tx.Lanes("S"))(t), 150, "no limit")
}

func testLanes(t *testing.T, tx store.Tx) {
	require.Empty(t, must(tx.Lanes("s"))(t))
	b := store.Lane{Sub: "s", Community: "b", Cursor: 4, Attempts: 2, Due: finer(1), Error: "why"}
	require.NoError(t, tx.PutLane(b))
	require.NoError(t, tx.PutLane(store.Lane{Sub: "s", Community: "a"}))
	require.NoError(t, tx.PutLane(store.Lane{Sub: "other", Community: "a", Cursor: 9}))
	b.Due = kept(1)
	require.Equal(t, []store.Lane{{Sub: "s", Community: "a"}, b}, must(tx.Lanes("s"))(t))
	b = store.Lane{Sub: "s", Community: "b", Cursor: 5}
	require.NoError(t, tx.PutLane(b))
	require.NoError(t, tx.DeleteLane("s", "a"))
	require.NoError(t, tx.DeleteLane("s", "a"))
	require.Equal(t, []store.Lane{b}, must(tx.Lanes("s"))(t))
	require.NoError(t, tx.PutSub(store.Sub{Name: "s"}))
	require.NoError(t, tx.DeleteSub("s"))
	require.Empty(t, must(tx.Lanes("s"))(t))
	require.Len(t, must(tx.Lanes("other"))(t), 1)
}
