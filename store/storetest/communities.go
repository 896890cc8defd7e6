package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func communityTests() []test {
	return []test{
		within("compare and swap", testCommunitySwap),
		within("lists by slug", testCommunityList),
		within("state", testState),
		within("state of another instance", testStateApart),
		within("tickets", testTickets),
		within("tickets are pruned", testPruneTickets),
	}
}

func testCommunitySwap(t *testing.T, tx store.Tx) {
	_, err := tx.Community("a")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, tx.PutCommunity(store.Community{Slug: "a", Rev: 1}), store.ErrConflict, "gone")

	require.NoError(t, tx.PutCommunity(store.Community{Slug: "a", Name: "Ä", Created: finer(1)}))
	c := must(tx.Community("a"))(t)
	require.Equal(t, store.Community{Slug: "a", Name: "Ä", Created: kept(1), Rev: 1}, c)
	require.ErrorIs(t, tx.PutCommunity(store.Community{Slug: "a"}), store.ErrConflict, "taken")

	c.Name = ""
	require.NoError(t, tx.PutCommunity(c))
	require.ErrorIs(t, tx.PutCommunity(c), store.ErrConflict, "changed meanwhile")
	c.Rev = 3
	require.ErrorIs(t, tx.PutCommunity(c), store.ErrConflict, "a Rev that is not there yet")
	require.Equal(t, store.Community{Slug: "a", Created: kept(1), Rev: 2}, must(tx.Community("a"))(t))

	require.NoError(t, tx.PutCommunity(store.Community{Slug: "zero"}))
	require.True(t, must(tx.Community("zero"))(t).Created.IsZero())
}

func testCommunityList(t *testing.T, tx store.Tx) {
	require.Empty(t, must(tx.Communities("", 0))(t))
	slugs := []string{"B", "a", "a b", "ab", "z", "é", "日"} // by bytes, whatever a language says
	for _, i := range []int{3, 1, 6, 0, 5, 2, 4} {
		require.NoError(t, tx.PutCommunity(store.Community{Slug: slugs[i]}))
	}
	ask := func(after string, limit int) []string {
		return names(must(tx.Communities(after, limit))(t), func(c store.Community) string { return c.Slug })
	}
	require.Equal(t, slugs, ask("", 0))
	require.Equal(t, slugs[:2], ask("", 2))
	require.Equal(t, slugs[2:4], ask("a", 2))
	require.Equal(t, slugs[2:], ask("a ", -1), "after need not be there")
	require.Empty(t, ask("日", 0))

	for i := range 150 {
		require.NoError(t, tx.PutCommunity(store.Community{Slug: "many" + string(rune('A'+i/26)) + string(rune('a'+i%26))}))
	}
	require.Len(t, ask("", 0), 100)
	require.Len(t, ask("", -5), 100)
	require.Len(t, ask("", 157), 157)
	require.Len(t, ask("", 1000), 157)
}

func testState(t *testing.T, tx store.Tx) {
	read := func() ([]byte, int64) {
		value, rev, err := tx.State("i", "k")
		require.NoError(t, err)
		return value, rev
	}
	value, rev := read()
	require.Nil(t, value)
	require.Zero(t, rev)
	require.NoError(t, tx.PutState("i", "k", nil, 0), "deleting what is not there")
	require.ErrorIs(t, tx.PutState("i", "k", []byte("x"), 1), store.ErrConflict)

	in := odd()
	require.NoError(t, tx.PutState("i", "k", in, 0))
	in[0] = 'X'
	value, first := read()
	require.Equal(t, odd(), value)
	require.NotZero(t, first)
	value[0] = 'X'
	value, _ = read()
	require.Equal(t, odd(), value, "what came out is the caller's")

	require.ErrorIs(t, tx.PutState("i", "k", []byte("x"), 0), store.ErrConflict, "it is there")
	require.NoError(t, tx.PutState("i", "k", []byte("y"), first))
	value, second := read()
	require.Equal(t, "y", string(value))
	require.NotEqual(t, first, second)
	require.ErrorIs(t, tx.PutState("i", "k", nil, first), store.ErrConflict)

	require.NoError(t, tx.PutState("i", "k", []byte{}, second))
	value, third := read()
	require.Empty(t, value)
	require.NotZero(t, third, "an empty value is there")

	require.NoError(t, tx.PutState("i", "k", nil, third))
	value, rev = read()
	require.Nil(t, value)
	require.Zero(t, rev)
	require.NoError(t, tx.PutState("i", "k", []byte("new"), 0))
	_, rev = read()
	require.NotContains(t, []int64{0, first, second, third}, rev, "a rev of before would let an old reader overwrite it")
}

func testStateApart(t *testing.T, tx store.Tx) {
	for _, at := range [][2]string{{"i", "kk"}, {"ik", "k"}, {"i", "k"}, {"", "k"}} {
		require.NoError(t, tx.PutState(at[0], at[1], []byte(at[0]+"/"+at[1]), 0))
	}
	for _, at := range [][2]string{{"i", "kk"}, {"ik", "k"}, {"i", "k"}, {"", "k"}} {
		value, _, err := tx.State(at[0], at[1])
		require.NoError(t, err)
		require.Equal(t, at[0]+"/"+at[1], string(value))
	}
}

func testTickets(t *testing.T, tx store.Tx) {
	in := store.Ticket{Kind: "oauth", ID: "one", Data: odd(), Until: finer(10)}
	require.NoError(t, tx.PutTicket(in))
	in.Data[0] = 'X'
	require.NoError(t, tx.PutTicket(store.Ticket{Kind: "code", ID: "one", Until: sec(10)}), "another kind")
	require.ErrorIs(t, tx.PutTicket(store.Ticket{Kind: "oauth", ID: "one", Until: sec(99)}), store.ErrConflict)

	_, err := tx.TakeTicket("oauth", "two", sec(0))
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = tx.TakeTicket("oauth", "one", kept(10))
	require.ErrorIs(t, err, store.ErrNotFound, "its time is over at Until")
	require.ErrorIs(t, tx.PutTicket(store.Ticket{Kind: "oauth", ID: "one", Until: sec(99)}), store.ErrConflict, "even so it is there")

	require.Equal(t, store.Ticket{Kind: "oauth", ID: "one", Data: odd(), Until: kept(10)}, must(tx.TakeTicket("oauth", "one", sec(10)))(t))
	_, err = tx.TakeTicket("oauth", "one", sec(0))
	require.ErrorIs(t, err, store.ErrNotFound, "once")
	require.Equal(t, store.Ticket{Kind: "code", ID: "one", Until: sec(10)}, must(tx.TakeTicket("code", "one", sec(0)))(t))
	require.NoError(t, tx.PutTicket(store.Ticket{Kind: "oauth", ID: "one", Until: sec(1)}), "the name is free again")
}

func testPruneTickets(t *testing.T, tx store.Tx) {
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		require.NoError(t, tx.PutTicket(store.Ticket{Kind: "k", ID: id, Until: sec(i)}))
	}
	require.Equal(t, 2, must(tx.PruneTickets(sec(2), 2))(t))
	require.Equal(t, 1, must(tx.PruneTickets(sec(2), 2))(t), "Until at now is over")
	require.Zero(t, must(tx.PruneTickets(sec(2), 0))(t))
	_, err := tx.TakeTicket("k", "c", sec(0))
	require.ErrorIs(t, err, store.ErrNotFound)
	must(tx.TakeTicket("k", "d", sec(2)))(t)
	must(tx.TakeTicket("k", "e", sec(2)))(t)
}
