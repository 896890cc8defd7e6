package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func peopleTests() []test {
	return []test{
		within("people", testPeople),
		within("accounts", testAccounts),
	}
}

func testPeople(t *testing.T, tx store.Tx) {
	_, err := tx.Person("c", "p")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, tx.PutPerson(store.Person{ID: "p", Community: "c", Created: finer(1)}))
	require.NoError(t, tx.PutPerson(store.Person{ID: "p", Community: "d"}))
	require.Equal(t, store.Person{ID: "p", Community: "c", Created: kept(1)}, must(tx.Person("c", "p"))(t))
	require.Equal(t, store.Person{ID: "p", Community: "d"}, must(tx.Person("d", "p"))(t))
	require.NoError(t, tx.PutPerson(store.Person{ID: "p", Community: "c", Created: sec(9)}))
	require.Equal(t, sec(9), must(tx.Person("c", "p"))(t).Created)
	_, err = tx.Person("e", "p")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testAccounts(t *testing.T, tx store.Tx) {
	_, err := tx.Account("c", "slack", "T", "U")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Empty(t, must(tx.Accounts("c", "p"))(t))
	full := store.Account{
		Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "p", Name: "n", LinkType: "oauth", Quality: "strong",
		Data: json(), Created: finer(1), Updated: finer(2),
	}
	require.NoError(t, tx.PutAccount(full))
	full.Data[0] = 'X'
	want := full
	want.Data, want.Created, want.Updated = json(), kept(1), kept(2)
	got := must(tx.Account("c", "slack", "T", "U"))(t)
	require.Equal(t, want, got)
	got.Data[0] = 'X'
	require.Equal(t, []store.Account{want}, must(tx.Accounts("c", "p"))(t))

	for _, a := range []store.Account{
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "A", Person: "p"},
		{Community: "c", Plugin: "slack", PlatformID: "S", UserID: "Z", Person: "p"},
		{Community: "c", Plugin: "github", PlatformID: "", UserID: "z", Person: "p"},
		{Community: "d", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "p"},
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "B", Person: "q"},
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "C"},
	} {
		require.NoError(t, tx.PutAccount(a))
	}
	of := func(person string) []string {
		return names(must(tx.Accounts("c", person))(t), func(a store.Account) string { return a.Plugin + a.PlatformID + a.UserID })
	}
	require.Equal(t, []string{"githubz", "slackSZ", "slackTA", "slackTU"}, of("p"))
	require.NoError(t, tx.PutAccount(store.Account{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "q", Data: []byte{}}))
	require.Equal(t, []string{"githubz", "slackSZ", "slackTA"}, of("p"))
	require.Equal(t, []string{"slackTB", "slackTU"}, of("q"))
	require.Equal(t, store.Account{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "q"},
		must(tx.Account("c", "slack", "T", "U"))(t), "everything is replaced")
	require.Equal(t, "p", must(tx.Account("d", "slack", "T", "U"))(t).Person)
}
