package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func callTests() []test {
	return []test{
		within("compare and swap", testCallSwap),
		within("once", testOnce),
		within("echoes", testEchoes),
		within("pruning", testPruneCalls),
	}
}

func testCallSwap(t *testing.T, tx store.Tx) {
	_, err := tx.Call("x")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Call{
		ID: "x", Community: "c", Instance: "i", Name: "n", Process: "p", Once: "o", Status: "done",
		Input: json(), Saved: json(), Output: json(), Error: json(), Started: finer(1), Ended: finer(2),
	}
	require.NoError(t, tx.PutCall(full))
	full.Input[0], full.Saved[0], full.Output[0], full.Error[0] = 'X', 'X', 'X', 'X'
	want := full
	want.Input, want.Saved, want.Output, want.Error, want.Started, want.Ended, want.Rev = json(), json(), json(), json(), kept(1), kept(2), 1
	got := must(tx.Call("x"))(t)
	require.Equal(t, want, got)
	got.Saved[0] = 'X'
	require.Equal(t, want, must(tx.CallByOnce("c", "o"))(t))
	require.ErrorIs(t, tx.PutCall(full), store.ErrConflict)
	require.ErrorIs(t, tx.PutCall(store.Call{ID: "x", Rev: 2}), store.ErrConflict)
	require.ErrorIs(t, tx.PutCall(store.Call{ID: "y", Rev: 1}), store.ErrConflict)
	require.NoError(t, tx.PutCall(store.Call{ID: "x", Output: []byte{}, Rev: 1}))
	require.Equal(t, store.Call{ID: "x", Rev: 2}, must(tx.Call("x"))(t))
	_, err = tx.CallByOnce("c", "o")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testOnce(t *testing.T, tx store.Tx) {
	require.NoError(t, tx.PutCall(store.Call{ID: "1", Community: "c", Once: "o"}))
	require.ErrorIs(t, tx.PutCall(store.Call{ID: "2", Community: "c", Once: "o"}), store.ErrConflict)
	_, err := tx.Call("2")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, tx.PutCall(store.Call{ID: "2", Community: "d", Once: "o"}))
	require.NoError(t, tx.PutCall(store.Call{ID: "3", Community: "c"}))
	require.NoError(t, tx.PutCall(store.Call{ID: "4", Community: "c"}), "an empty once is no name")
	_, err = tx.CallByOnce("c", "")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, tx.PutCall(store.Call{ID: "4", Community: "c", Once: "o", Rev: 1}), store.ErrConflict)
	require.NoError(t, tx.PutCall(store.Call{ID: "1", Community: "c", Once: "o", Status: "done", Rev: 1}), "its own name")
	require.Equal(t, "done", must(tx.CallByOnce("c", "o"))(t).Status)
	require.NoError(t, tx.PutCall(store.Call{ID: "1", Community: "c", Once: "p", Rev: 2}))
	require.NoError(t, tx.PutCall(store.Call{ID: "4", Community: "c", Once: "o", Rev: 1}), "free again")
	require.Equal(t, "4", must(tx.CallByOnce("c", "o"))(t).ID)
}

func testEchoes(t *testing.T, tx store.Tx) {
	for _, e := range []store.Echo{
		{Instance: "i", Key: "b", Call: "2", Until: finer(1)}, {Instance: "i", Key: "b", Call: "1"}, {Instance: "i", Key: "a", Call: "2"},
		{Instance: "i", Key: "c", Call: "2"}, {Instance: "j", Key: "a", Call: "2"},
	} {
		require.NoError(t, tx.PutEcho(e))
	}
	find := func(instance string, keys ...string) []store.Echo { return list(must(tx.Echoes(instance, keys))(t)) }
	b1, b2 := store.Echo{Instance: "i", Key: "b", Call: "1"}, store.Echo{Instance: "i", Key: "b", Call: "2", Until: kept(1)}
	a2 := store.Echo{Instance: "i", Key: "a", Call: "2"}
	require.Empty(t, find("i"))
	require.Empty(t, find("i", "none"))
	require.Equal(t, []store.Echo{a2, b1, b2}, find("i", "b", "none", "a", "b"))
	b1.Caused = true
	require.NoError(t, tx.PutEcho(b1))
	require.Equal(t, []store.Echo{b1, b2}, find("i", "b"), "replaced")

	require.NoError(t, tx.DeleteEchoes("2", "b", "none"))
	require.Equal(t, []store.Echo{a2, b1}, find("i", "a", "b"))
	require.NoError(t, tx.DeleteEchoes("nobody"))
	require.NoError(t, tx.DeleteEchoes("2"))
	require.Equal(t, []store.Echo{b1}, find("i", "a", "b", "c"))
	require.Empty(t, find("j", "a"), "in every instance")

	many := make([]string, 3000)
	for i := range many {
		many[i] = "none" + string(rune(0x4e00+i))
	}
	require.Equal(t, []store.Echo{b1}, find("i", append(many, "b")...))
}

func testPruneCalls(t *testing.T, tx store.Tx) {
	for i, id := range []string{"a", "b", "c"} {
		require.NoError(t, tx.PutCall(store.Call{ID: id, Community: "c", Once: id, Started: sec(0), Ended: sec(10 + i)}))
		require.NoError(t, tx.PutEcho(store.Echo{Instance: "i", Key: "k", Call: id}))
	}
	require.NoError(t, tx.PutCall(store.Call{ID: "open", Started: sec(0)}))
	require.NoError(t, tx.PutEcho(store.Echo{Instance: "i", Key: "k", Call: "open"}))
	require.Zero(t, must(tx.PruneCalls(sec(10), 0))(t), "before, not at")
	require.Equal(t, 1, must(tx.PruneCalls(sec(12), 1))(t))
	require.Equal(t, 1, must(tx.PruneCalls(sec(12), 1))(t))
	require.Zero(t, must(tx.PruneCalls(sec(12), 1))(t))
	for _, id := range []string{"a", "b"} {
		_, err := tx.Call(id)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = tx.CallByOnce("c", id)
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	left := must(tx.Echoes("i", []string{"k"}))(t)
	require.Equal(t, []string{"c", "open"}, names(left, func(e store.Echo) string { return e.Call }))
	require.NoError(t, tx.PutCall(store.Call{ID: "new", Community: "c", Once: "a"}), "its name is free")
	require.Equal(t, 1, must(tx.PruneCalls(sec(999), 0))(t), "one that has not ended stays")
}
