package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func instanceTests() []test {
	return []test{
		within("compare and swap", testInstanceSwap),
		within("uniqueness", testInstanceUnique),
		within("lists", testInstanceLists),
		within("indexes follow changes", testInstanceMoves),
		within("delete removes what it says and nothing else", testDeleteInstance),
	}
}

func instanceID(i store.Instance) string { return i.ID }

func testInstanceSwap(t *testing.T, tx store.Tx) {
	_, err := tx.Instance("i")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Instance{
		ID: "i", Community: "c", Plugin: "slack", Name: "n", PlatformID: "T1", Config: json(), Sealed: odd(),
		Status: "paused", Reason: "why", Created: finer(1), Updated: finer(2),
	}
	require.ErrorIs(t, tx.PutInstance(store.Instance{ID: "i", Rev: 1}), store.ErrConflict)
	require.NoError(t, tx.PutInstance(full))
	full.Config[0], full.Sealed[0] = 'X', 'X'
	want := full
	want.Config, want.Sealed, want.Created, want.Updated, want.Rev = json(), odd(), kept(1), kept(2), 1
	got := must(tx.Instance("i"))(t)
	require.Equal(t, want, got)
	got.Config[0], got.Sealed[0] = 'X', 'X'
	require.Equal(t, want, must(tx.InstanceByName("c", "n"))(t))
	require.ErrorIs(t, tx.PutInstance(full), store.ErrConflict, "there already")

	bare := store.Instance{ID: "i", Community: "c", Name: "n", Config: []byte{}, Rev: 1}
	require.NoError(t, tx.PutInstance(bare))
	require.ErrorIs(t, tx.PutInstance(bare), store.ErrConflict)
	require.Equal(t, store.Instance{ID: "i", Community: "c", Name: "n", Rev: 2}, must(tx.Instance("i"))(t),
		"everything is replaced, and empty bytes come back as nil")
	_, err = tx.InstanceByName("c", "other")
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = tx.InstanceByName("other", "n")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testInstanceUnique(t *testing.T, tx store.Tx) {
	one := store.Instance{ID: "1", Community: "c", Plugin: "slack", Name: "one", PlatformID: "T"}
	require.NoError(t, tx.PutInstance(one))
	for name, i := range map[string]store.Instance{
		"name":     {ID: "2", Community: "c", Plugin: "github", Name: "one"},
		"platform": {ID: "2", Community: "c", Plugin: "slack", Name: "two", PlatformID: "T"},
	} {
		require.ErrorIs(t, tx.PutInstance(i), store.ErrConflict, name)
		_, err := tx.Instance("2")
		require.ErrorIs(t, err, store.ErrNotFound, name)
	}
	for _, i := range []store.Instance{
		{ID: "3", Community: "d", Plugin: "slack", Name: "one", PlatformID: "T"},
		{ID: "4", Community: "c", Plugin: "github", Name: "four", PlatformID: "T"},
		{ID: "5", Community: "c", Plugin: "slack", Name: "five"},
		{ID: "6", Community: "c", Plugin: "slack", Name: "six"},
	} {
		require.NoError(t, tx.PutInstance(i), "%+v", i)
	}
	six := must(tx.Instance("6"))(t)
	for name, change := range map[string]func(*store.Instance){
		"name":     func(i *store.Instance) { i.Name = "one" },
		"platform": func(i *store.Instance) { i.PlatformID = "T" },
	} {
		changed := six
		change(&changed)
		require.ErrorIs(t, tx.PutInstance(changed), store.ErrConflict, name)
		require.Equal(t, six, must(tx.Instance("6"))(t))
	}
	one.Rev, one.Reason = 1, "its own names are not taken"
	require.NoError(t, tx.PutInstance(one))
}

func testInstanceLists(t *testing.T, tx store.Tx) {
	for i := range 120 {
		require.NoError(t, tx.PutInstance(store.Instance{
			ID: fmt.Sprintf("%03d", i), Community: fmt.Sprintf("c%d", i%3), Plugin: []string{"slack", "slack", "github"}[i%3],
			Name: fmt.Sprintf("n%03d", 999-i), PlatformID: fmt.Sprintf("T%d", i/3),
		}))
	}
	byName := must(tx.Instances("c1", 3))(t)
	require.Equal(t, []string{"118", "115", "112"}, names(byName, instanceID))
	require.Len(t, must(tx.Instances("c1", 0))(t), 40)
	require.Empty(t, must(tx.Instances("c", 0))(t), "no prefixes")

	require.Equal(t, []string{"000", "001"}, names(must(tx.InstancesByPlatform("slack", "T0", 0))(t), instanceID))
	require.Equal(t, []string{"000"}, names(must(tx.InstancesByPlatform("slack", "T0", 1))(t), instanceID))
	require.Equal(t, []string{"002"}, names(must(tx.InstancesByPlatform("github", "T0", 0))(t), instanceID))
	require.Empty(t, must(tx.InstancesByPlatform("slack", "T", 0))(t))
	require.NoError(t, tx.PutInstance(store.Instance{ID: "none", Community: "c", Plugin: "slack", Name: "none"}))
	require.Empty(t, must(tx.InstancesByPlatform("slack", "", 0))(t), "an empty platform is nobody's")

	require.Equal(t, []string{"002", "005"}, names(must(tx.InstancesByPlugin("github", "", 2))(t), instanceID))
	require.Equal(t, []string{"008", "011"}, names(must(tx.InstancesByPlugin("github", "005", 2))(t), instanceID))
	require.Len(t, must(tx.InstancesByPlugin("github", "", 0))(t), 40)
	require.Empty(t, must(tx.InstancesByPlugin("gith", "", 0))(t))
}

func testInstanceMoves(t *testing.T, tx store.Tx) {
	i := store.Instance{ID: "i", Community: "c", Plugin: "slack", Name: "old", PlatformID: "T1"}
	require.NoError(t, tx.PutInstance(i))
	i.Rev, i.Name, i.PlatformID = 1, "new", "T2"
	require.NoError(t, tx.PutInstance(i))
	_, err := tx.InstanceByName("c", "old")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Empty(t, must(tx.InstancesByPlatform("slack", "T1", 0))(t))
	require.Len(t, must(tx.InstancesByPlatform("slack", "T2", 0))(t), 1)
	require.NoError(t, tx.PutInstance(store.Instance{ID: "j", Community: "c", Plugin: "slack", Name: "old", PlatformID: "T1"}),
		"what it had is free")
	i.Rev, i.PlatformID = 2, ""
	require.NoError(t, tx.PutInstance(i))
	require.Empty(t, must(tx.InstancesByPlatform("slack", "T2", 0))(t))
	require.NoError(t, tx.DeleteInstance("i"))
	require.Equal(t, []string{"j"}, names(must(tx.Instances("c", 0))(t), instanceID))
	require.Equal(t, []string{"j"}, names(must(tx.InstancesByPlugin("slack", "", 0))(t), instanceID))
	require.ErrorIs(t, tx.PutInstance(i), store.ErrConflict, "gone")
	require.NoError(t, tx.PutInstance(store.Instance{ID: "i", Community: "c", Plugin: "slack", Name: "new", PlatformID: "T2"}))
}

func testDeleteInstance(t *testing.T, tx store.Tx) {
	fill(t, tx, "a")
	fill(t, tx, "b")
	// What is for no instance, and what belongs to the community.
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "free", Community: "a", Due: sec(1)}))
	require.NoError(t, tx.PutEcho(store.Echo{Key: "echo", Call: "a"}))
	require.NoError(t, tx.PutState("", "key", []byte("x"), 0))
	before := dumpTx(t, tx)
	require.NoError(t, tx.DeleteInstance(""))
	require.NoError(t, tx.DeleteInstance("nobody"))
	require.Equal(t, before, dumpTx(t, tx))

	require.NoError(t, tx.DeleteInstance("a"))
	_, err := tx.Instance("a")
	require.ErrorIs(t, err, store.ErrNotFound)
	value, rev, err := tx.State("a", "key")
	require.NoError(t, err)
	require.Nil(t, value)
	require.Zero(t, rev)
	_, err = tx.Task("k", "a")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Equal(t, sec(1), must(tx.NextDue([]string{"k"}))(t))
	require.Empty(t, must(tx.ProcessesByRef("a", "ref", 0))(t))
	require.Empty(t, must(tx.Echoes("a", []string{"echo"}))(t))
	require.Len(t, must(tx.Echoes("", []string{"echo"}))(t), 1)

	// Putting those five back gives what was there before.
	after := dumpTx(t, tx)
	for _, gone := range []string{"instance a ", "instances a ", "instances by plugin p ", "instances by platform a ", "instance named a ",
		"state a ", "tasks ", "next ", "ref a ", "echoes a "} {
		require.Contains(t, before, gone)
		delete(before, gone)
		delete(after, gone)
	}
	require.Equal(t, before, after)
	require.Equal(t, []string{"b", "free"}, names(must(tx.Tasks(store.TaskQuery{}, "", "", 0))(t), func(k store.Task) string { return k.Key }))
}
