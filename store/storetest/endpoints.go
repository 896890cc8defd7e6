package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func endpointTests() []test {
	return []test{
		within("compare and swap", testEndpointSwap),
		within("lists of one community", testEndpointList),
		within("deleting takes the tasks along", testEndpointDelete),
	}
}

func testEndpointSwap(t *testing.T, tx store.Tx) {
	_, err := tx.Endpoint("a")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, tx.PutEndpoint(store.Endpoint{ID: "a", Rev: 1}), store.ErrConflict, "gone")
	want := store.Endpoint{ID: "a", Community: "c", URL: "https://driver.example/ü", Filters: json(), Sealed: odd(), Created: finer(1), FailingSince: finer(2)}
	require.NoError(t, tx.PutEndpoint(want))
	want.Created, want.FailingSince, want.Rev = kept(1), kept(2), 1
	require.Equal(t, want, must(tx.Endpoint("a"))(t))
	require.ErrorIs(t, tx.PutEndpoint(store.Endpoint{ID: "a"}), store.ErrConflict, "taken")

	want.Community = ""
	require.NoError(t, tx.PutEndpoint(want))
	require.ErrorIs(t, tx.PutEndpoint(want), store.ErrConflict, "changed meanwhile")
	require.Empty(t, must(tx.Endpoints("c", "", 0))(t))
	require.Len(t, must(tx.Endpoints("", "", 0))(t), 1)
}

func testEndpointList(t *testing.T, tx store.Tx) {
	require.Empty(t, must(tx.Endpoints("", "", 0))(t))
	for _, id := range []string{"b", "é", "a", "z"} {
		require.NoError(t, tx.PutEndpoint(store.Endpoint{ID: id, Community: "c"}))
		require.NoError(t, tx.PutEndpoint(store.Endpoint{ID: "all-" + id}))
	}
	require.NoError(t, tx.PutEndpoint(store.Endpoint{ID: "0", Community: "ca"}))
	ask := func(community, after string, limit int) []string {
		return names(must(tx.Endpoints(community, after, limit))(t), func(e store.Endpoint) string { return e.ID })
	}
	require.Equal(t, []string{"a", "b", "z", "é"}, ask("c", "", 0))
	require.Equal(t, []string{"z"}, ask("c", "b", 1))
	require.Equal(t, []string{"z", "é"}, ask("c", "m", 0), "after need not be there")
	require.Equal(t, []string{"all-a", "all-b", "all-z", "all-é"}, ask("", "", 0))
	require.Empty(t, ask("d", "", 0))
}

func testEndpointDelete(t *testing.T, tx store.Tx) {
	for _, id := range []string{"a", "b"} {
		require.NoError(t, tx.PutEndpoint(store.Endpoint{ID: id, Community: "c"}))
		require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: id, Ref: id, Due: sec(1)}))
		require.NoError(t, tx.Schedule(store.Task{Kind: "k2", Key: id, Ref: id, Due: sec(1)}))
	}
	require.NoError(t, tx.Park(must(tx.Task("k2", "a"))(t), "group", ""))
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "free", Due: sec(1)}))
	require.NoError(t, tx.DeleteEndpoint(""))
	require.NoError(t, tx.DeleteEndpoint("gone"))
	require.NoError(t, tx.DeleteEndpoint("a"))
	_, err := tx.Endpoint("a")
	require.ErrorIs(t, err, store.ErrNotFound)
	left := names(must(tx.Tasks(store.TaskQuery{}, "", "", 0))(t), func(k store.Task) string { return k.Kind + " " + k.Key })
	require.Equal(t, []string{"k b", "k free", "k2 b"}, left)
	require.NoError(t, tx.PutEndpoint(store.Endpoint{ID: "a", Community: "c"}), "its name is free again")
}
