package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func inboxTests() []test {
	return []test{
		within("accept", testAccept),
		within("a blanked delivery", testBlankDelivery),
		within("pruning leaves what a task needs", testPruneDeliveries),
	}
}

func testAccept(t *testing.T, tx store.Tx) {
	_, err := tx.Delivery("d")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Delivery{
		ID: "d", Plugin: "slack", Fact: "Ev1", Instance: "i", Door: "http", Header: json(), Body: odd(), At: finer(1),
	}
	require.True(t, must(tx.Accept(full))(t))
	full.Body[0], full.Header[0] = 'X', 'X'
	want := full
	want.Header, want.Body, want.At = json(), odd(), kept(1)
	got := must(tx.Delivery("d"))(t)
	require.Equal(t, want, got)
	got.Body[0] = 'X'
	require.Equal(t, want, must(tx.Delivery("d"))(t))

	again := full
	again.ID, again.Instance = "e", "another"
	require.False(t, must(tx.Accept(again))(t), "a fact is the plugin's, whichever instance")
	_, err = tx.Delivery("e")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.False(t, must(tx.Accept(full))(t), "itself")
	again.Plugin = "github"
	require.True(t, must(tx.Accept(again))(t), "another plugin")

	for _, id := range []string{"1", "2", "3"} {
		require.True(t, must(tx.Accept(store.Delivery{ID: id, Plugin: "slack"}))(t), "an empty fact is always fresh")
	}
	require.Equal(t, store.Delivery{ID: "1", Plugin: "slack"}, must(tx.Delivery("1"))(t))
	for _, fact := range []string{"", "new"} {
		fresh, err := tx.Accept(store.Delivery{ID: "1", Plugin: "slack", Fact: fact, Body: odd()})
		require.ErrorIs(t, err, store.ErrConflict, "its ID is taken")
		require.False(t, fresh)
	}
	require.True(t, must(tx.Accept(store.Delivery{ID: "4", Plugin: "slack", Fact: "new"}))(t), "the conflict kept nothing")
}

func testPruneDeliveries(t *testing.T, tx store.Tx) {
	for i, id := range []string{"a", "b", "c", "d", "e", "f"} {
		require.True(t, must(tx.Accept(store.Delivery{ID: id, Plugin: "p", Fact: id, At: sec(i)}))(t))
	}
	for _, k := range []store.Task{
		{Kind: "k", Key: "1", Ref: "a", Due: sec(1)}, {Kind: "k", Key: "2", Ref: "a", Due: sec(1)}, {Kind: "k", Key: "3", Ref: "c", Due: sec(1)},
	} {
		require.NoError(t, tx.Schedule(k))
	}
	require.NoError(t, tx.Park(must(tx.Task("k", "3"))(t), "g", ""), "a parked task needs its delivery as well")
	left := func() (out []string) {
		for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
			if _, err := tx.Delivery(id); err == nil {
				out = append(out, id)
			}
		}
		return out
	}
	require.Equal(t, 1, must(tx.PruneDeliveries(sec(4), 1))(t))
	require.Equal(t, 1, must(tx.PruneDeliveries(sec(4), 9))(t))
	require.Zero(t, must(tx.PruneDeliveries(sec(4), 9))(t))
	require.Equal(t, []string{"a", "c", "e", "f"}, left(), "before, not at")
	require.False(t, must(tx.Accept(store.Delivery{ID: "x", Plugin: "p", Fact: "c"}))(t))
	require.True(t, must(tx.Accept(store.Delivery{ID: "b", Plugin: "p", Fact: "b", At: sec(9)}))(t), "pruned is forgotten")

	require.NoError(t, tx.Unschedule("k", "1"))
	require.Zero(t, must(tx.PruneDeliveries(sec(1), 0))(t), "another task needs it")
	require.NoError(t, tx.Done(must(tx.Task("k", "2"))(t)))
	require.Equal(t, 1, must(tx.PruneDeliveries(sec(1), 0))(t))
	require.NoError(t, tx.Unschedule("k", "3"))
	require.Equal(t, 1, must(tx.PruneDeliveries(sec(4), 0))(t))
	require.Equal(t, []string{"b", "e", "f"}, left())
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "4", Ref: "e", Due: sec(5)}))
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "4", Ref: "f", Due: sec(4)}), "a task that moves refers to something else")
	require.Equal(t, 2, must(tx.PruneDeliveries(sec(99), 0))(t))
	require.Equal(t, []string{"f"}, left())
	for i := range 300 {
		id := fmt.Sprint("many", i)
		require.True(t, must(tx.Accept(store.Delivery{ID: id, Plugin: "p", At: sec(20 + i/299)}))(t))
		if i%3 > 0 {
			require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: id, Ref: id, Due: sec(5)}))
		}
	}
	require.Equal(t, 60, must(tx.PruneDeliveries(sec(21), 60))(t))
	require.Equal(t, 40, must(tx.PruneDeliveries(sec(21), 60))(t), "those that stay do not hold up the others")
}
