package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func peopleTests() []test {
	return []test{
		within("people", testPeople),
		within("people by what they are", testPeopleBy),
		within("merged people", testMerged),
		within("accounts", testAccounts),
		within("accounts by what they are", testAccountsBy),
		within("pages of accounts", testAccountPages),
		within("accounts by mail", testAccountsByMail),
		within("has accounts", testHasAccounts),
		within("persons of accounts", testPersonsOf),
		within("evidence", testEvidence),
		within("claims", testClaimRows),
		within("claims by what they say", testClaimsBy),
		within("changes", testChanges),
		within("tokens", testTokens),
		on("people are a community's own", testOwnPeople),
		on("changes from everywhere", testChangeRace),
		on("a token from everywhere", testTokenRace),
	}
}

// many is more than the limit that is meant where none is given.
const many = 103

func numbered(i int) string { return fmt.Sprintf("n%03d", i) }

func testPeople(t *testing.T, tx store.Tx) {
	_, err := tx.Person("c", "p")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Person{
		ID: "p", Community: "c", Kind: "person", Into: "q", Name: "n", Data: json(), Created: finer(1), Updated: finer(2), Erased: finer(3),
	}
	require.NoError(t, tx.PutPerson(full))
	require.NoError(t, tx.PutPerson(store.Person{ID: "p", Community: "d"}))
	full.Data[0] = 'X'
	want := full
	want.Data, want.Created, want.Updated, want.Erased = json(), kept(1), kept(2), kept(3)
	for range 2 {
		got := must(tx.Person("c", "p"))(t)
		require.Equal(t, want, got)
		got.Data[0] = 'X'
		listed := must(tx.People(store.PersonQuery{Community: "c"}, "", 0))(t)
		require.Equal(t, []store.Person{want}, listed)
		listed[0].Data[0] = 'X'
		merged := must(tx.MergedInto("c", "q"))(t)
		require.Equal(t, []store.Person{want}, merged)
		merged[0].Data[0] = 'X'
	}
	require.NoError(t, tx.PutPerson(store.Person{ID: "p", Community: "c", Data: []byte{}}))
	require.Equal(t, store.Person{ID: "p", Community: "c"}, must(tx.Person("c", "p"))(t), "everything is replaced")
	_, err = tx.Person("e", "p")
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = tx.Person("c", "P")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func personIDs(people []store.Person) []string {
	return names(people, func(p store.Person) string { return p.ID })
}

func testPeopleBy(t *testing.T, tx store.Tx) {
	for _, p := range []store.Person{
		{ID: "é", Kind: "person"}, {ID: "Z", Kind: "person"}, {ID: "a", Kind: "person", Into: "b"}, {ID: "b", Kind: "person"}, {ID: "c", Kind: "organization"},
		{ID: "d", Kind: "person", Erased: sec(3)}, {ID: "e", Kind: "organization", Into: "c"}, {ID: "f", Kind: "organization"},
	} {
		p.Community = "c"
		require.NoError(t, tx.PutPerson(p))
	}
	require.NoError(t, tx.PutPerson(store.Person{ID: "b", Community: "d", Kind: "person"}))
	for _, tt := range []struct {
		kind     string
		standing bool
		after    string
		limit    int
		want     []string
	}{
		{"", false, "", 0, []string{"Z", "a", "b", "c", "d", "e", "f", "é"}},
		{"", false, "b", 2, []string{"c", "d"}},
		{"", false, "bb", 0, []string{"c", "d", "e", "f", "é"}},
		{"", false, "é", 0, []string{}},
		{"", true, "", 0, []string{"Z", "b", "c", "f", "é"}},
		{"", true, "c", 1, []string{"f"}},
		{"organization", false, "", 0, []string{"c", "e", "f"}},
		{"organization", true, "", 2, []string{"c", "f"}},
		{"person", true, "Z", 2, []string{"b", "é"}},
		{"person", true, "Z", 1, []string{"b"}},
		{"perso", false, "", 0, []string{}},
	} {
		got := must(tx.People(store.PersonQuery{Community: "c", Kind: tt.kind, Standing: tt.standing}, tt.after, tt.limit))(t)
		require.Equal(t, tt.want, personIDs(got), "%+v", tt)
	}
	require.Equal(t, []string{"b"}, personIDs(must(tx.People(store.PersonQuery{Community: "d", Standing: true}, "", 0))(t)))
	require.Empty(t, must(tx.People(store.PersonQuery{}, "", 0))(t), "no community is not every community")
	for i := range many {
		require.NoError(t, tx.PutPerson(store.Person{ID: numbered(i), Community: "m"}))
	}
	for _, limit := range []int{0, -1, 100} {
		require.Len(t, must(tx.People(store.PersonQuery{Community: "m"}, "", limit))(t), 100)
	}
	require.Len(t, must(tx.People(store.PersonQuery{Community: "m"}, "", 2*many))(t), many)
}

func testMerged(t *testing.T, tx store.Tx) {
	put := func(community, id, into string) {
		require.NoError(t, tx.PutPerson(store.Person{ID: id, Community: community, Into: into}))
	}
	into := func(id string) []string { return personIDs(must(tx.MergedInto("c", id))(t)) }
	put("c", "p", "")
	put("c", "u", "p")
	put("c", "q", "p")
	put("c", "r", "q")
	put("d", "s", "p")
	require.Equal(t, []string{"q", "u"}, into("p"), "those that were merged into these are not among them")
	require.Equal(t, []string{"r"}, into("q"))
	require.Empty(t, into("r"))
	require.Empty(t, into(""), "those that stand for themselves were merged into nobody")
	put("c", "q", "u")
	require.Equal(t, []string{"u"}, into("p"))
	require.Equal(t, []string{"q"}, into("u"))
	put("c", "q", "")
	require.Empty(t, into("u"))
	require.Equal(t, []string{"s"}, personIDs(must(tx.MergedInto("d", "p"))(t)))
	for i := range many {
		put("c", numbered(i), "r")
	}
	require.Len(t, into("r"), many, "without limit")
	require.Equal(t, []store.Person{{ID: "nobody"}, must(tx.Person("c", "r"))(t)}, must(tx.NotStanding("c", []string{"r", "nobody", "p", "nobody", "r"}))(t))
	require.Equal(t, []store.Person{{ID: "s"}}, must(tx.NotStanding("c", []string{"s"}))(t), "of another community")
	require.NoError(t, tx.PutPerson(store.Person{Community: "c", ID: "gone", Erased: finer(1)}))
	require.Equal(t, []store.Person{must(tx.Person("c", "gone"))(t)}, must(tx.NotStanding("c", []string{"gone"}))(t))
	require.Empty(t, must(tx.NotStanding("c", nil))(t))
}

func testAccounts(t *testing.T, tx store.Tx) {
	_, err := tx.Account("c", "slack", "T", "U")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Empty(t, must(tx.Accounts("c", "p"))(t))
	full := store.Account{
		Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "p", Home: "h", Name: "n", LinkType: "oauth", Quality: "strong", Mail: "m",
		Data: json(), Created: finer(1), Updated: finer(2),
	}
	require.NoError(t, tx.PutAccount(full))
	full.Data[0] = 'X'
	want := full
	want.Data, want.Created, want.Updated = json(), kept(1), kept(2)
	for range 2 {
		got := []store.Account{must(tx.Account("c", "slack", "T", "U"))(t)}
		got = append(got, must(tx.Accounts("c", "p"))(t)...)
		got = append(got, must(tx.AccountsBy(store.AccountQuery{Community: "c"}, store.Account{}, 0))(t)...)
		got = append(got, must(tx.AccountsByMail("c", "m", 0))(t)...)
		require.Equal(t, []store.Account{want, want, want, want}, got)
		for _, a := range got {
			a.Data[0] = 'X'
		}
	}
	for _, a := range []store.Account{
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "A", Person: "p"},
		{Community: "c", Plugin: "slack", PlatformID: "S", UserID: "Z", Person: "p"},
		{Community: "c", Plugin: "github", PlatformID: "", UserID: "z", Person: "p"},
		{Community: "d", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "p"},
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "B", Person: "q", Home: "p"},
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "C"},
	} {
		require.NoError(t, tx.PutAccount(a))
	}
	of := func(person string) []string { return accountNames(must(tx.Accounts("c", person))(t)) }
	require.Equal(t, []string{"githubz", "slackSZ", "slackTA", "slackTU"}, of("p"), "by whose they are now, not by whose they were")
	require.Empty(t, of("h"))
	require.NoError(t, tx.PutAccount(store.Account{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "q", Data: []byte{}}))
	require.Equal(t, []string{"githubz", "slackSZ", "slackTA"}, of("p"))
	require.Equal(t, []string{"slackTB", "slackTU"}, of("q"))
	require.Equal(t, store.Account{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "q"},
		must(tx.Account("c", "slack", "T", "U"))(t), "everything is replaced")
	require.Equal(t, "p", must(tx.Account("d", "slack", "T", "U"))(t).Person)
	require.Equal(t, []store.PlatformUser{{Person: "p", UserID: "A"}, {Person: "q", UserID: "B"}, {Person: "q", UserID: "U"}},
		must(tx.UsersOf("c", "slack", "T", []string{"q", "p", "q", "nobody"}))(t))
	require.Empty(t, must(tx.UsersOf("c", "slack", "T", nil))(t))
	require.NoError(t, tx.DeleteAccount("c", "slack", "T", "U"))
	require.NoError(t, tx.DeleteAccount("c", "slack", "T", "U"))
	_, err = tx.Account("c", "slack", "T", "U")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Equal(t, []string{"slackTB"}, of("q"))
	require.Equal(t, "p", must(tx.Account("d", "slack", "T", "U"))(t).Person)
	for i := range many {
		require.NoError(t, tx.PutAccount(store.Account{Community: "c", UserID: numbered(i), Person: "r"}))
	}
	require.Len(t, of("r"), many, "without limit")
}

func accountNames(accounts []store.Account) []string {
	return names(accounts, func(a store.Account) string { return a.Plugin + a.PlatformID + a.UserID })
}

func testAccountsBy(t *testing.T, tx store.Tx) {
	for _, a := range []store.Account{
		{Plugin: "slack", PlatformID: "T", UserID: "A", LinkType: "oauth"}, {Plugin: "slack", PlatformID: "T", UserID: "B", Quality: "weak"},
		{Plugin: "slack", PlatformID: "S", UserID: "A", LinkType: "oauth", Quality: "weak"}, {Plugin: "github", PlatformID: "o", UserID: "A", LinkType: "oauth"},
	} {
		a.Community = "c"
		require.NoError(t, tx.PutAccount(a))
	}
	require.NoError(t, tx.PutAccount(store.Account{Community: "d", Plugin: "slack", PlatformID: "T", UserID: "A"}))
	for _, tt := range []struct {
		q    store.AccountQuery
		want []string
	}{
		{store.AccountQuery{}, []string{"githuboA", "slackSA", "slackTA", "slackTB"}},
		{store.AccountQuery{Plugin: "slack"}, []string{"slackSA", "slackTA", "slackTB"}},
		{store.AccountQuery{Plugin: "slack", PlatformID: "T"}, []string{"slackTA", "slackTB"}},
		{store.AccountQuery{Plugin: "slack", PlatformID: "T", UserID: "B"}, []string{"slackTB"}},
		{store.AccountQuery{PlatformID: "T"}, []string{"slackTA", "slackTB"}},
		{store.AccountQuery{UserID: "A"}, []string{"githuboA", "slackSA", "slackTA"}},
		{store.AccountQuery{Plugin: "slack", UserID: "A"}, []string{"slackSA", "slackTA"}},
		{store.AccountQuery{LinkType: "oauth"}, []string{"githuboA", "slackSA", "slackTA"}},
		{store.AccountQuery{Quality: "weak"}, []string{"slackSA", "slackTB"}},
		{store.AccountQuery{LinkType: "oauth", Quality: "weak"}, []string{"slackSA"}},
		{store.AccountQuery{Plugin: "slac"}, []string{}},
	} {
		tt.q.Community = "c"
		require.Equal(t, tt.want, accountNames(must(tx.AccountsBy(tt.q, store.Account{}, 0))(t)), "%+v", tt.q)
	}
	require.Equal(t, []string{"githuboA", "slackSA"}, accountNames(must(tx.AccountsBy(store.AccountQuery{Community: "c", UserID: "A"}, store.Account{}, 2))(t)))
	require.Empty(t, must(tx.AccountsBy(store.AccountQuery{}, store.Account{}, 0))(t), "no community is not every community")
	for i := range many {
		require.NoError(t, tx.PutAccount(store.Account{Community: "m", UserID: numbered(i)}))
	}
	for _, limit := range []int{0, -1, 100} {
		require.Len(t, must(tx.AccountsBy(store.AccountQuery{Community: "m"}, store.Account{}, limit))(t), 100)
	}
}

// testAccountPages begins a page after every place, for every query: each gives what of all accounts comes after and is selected.
func testAccountPages(t *testing.T, tx store.Tx) {
	var everybody, places []store.Account
	for _, plugin := range []string{"", "a", "b"} {
		for _, platform := range []string{"", "a", "b"} {
			for _, user := range []string{"", "a", "b", "c"} {
				a := store.Account{Community: "c", Plugin: plugin, PlatformID: platform, UserID: user}
				places = append(places, a)
				if plugin != "" && user != "" && user != "b" { // some places are nobody's
					everybody = append(everybody, a)
				}
			}
		}
	}
	for _, a := range everybody {
		require.NoError(t, tx.PutAccount(a))
	}
	key := func(a store.Account) string { return a.Plugin + "\x00" + a.PlatformID + "\x00" + a.UserID }
	for _, q := range places {
		for _, after := range places {
			want := []store.Account{}
			for _, a := range everybody {
				selected := (q.Plugin == "" || q.Plugin == a.Plugin) && (q.PlatformID == "" || q.PlatformID == a.PlatformID) && (q.UserID == "" || q.UserID == a.UserID)
				if selected && key(a) > key(after) {
					want = append(want, a)
				}
			}
			query := store.AccountQuery{Community: "c", Plugin: q.Plugin, PlatformID: q.PlatformID, UserID: q.UserID}
			require.Equal(t, want, list(must(tx.AccountsBy(query, after, 0))(t)), "%+v after %q", query, key(after))
			require.Equal(t, want[:min(2, len(want))], list(must(tx.AccountsBy(query, after, 2))(t)), "%+v after %q", query, key(after))
		}
	}
	after := store.Account{Community: "z", Plugin: "b", UserID: "a", Person: "z", Name: "z", LinkType: "z", Mail: "z", Created: sec(1)}
	require.Equal(t, []string{"bc", "baa", "bac", "bba", "bbc"}, accountNames(must(tx.AccountsBy(store.AccountQuery{Community: "c"}, after, 0))(t)), "only the place counts")
}

func testAccountsByMail(t *testing.T, tx store.Tx) {
	put := func(community, platform, user, mail string) {
		require.NoError(t, tx.PutAccount(store.Account{Community: community, Plugin: "slack", PlatformID: platform, UserID: user, Mail: mail}))
	}
	by := func(mail string, limit int) []string {
		return accountNames(must(tx.AccountsByMail("c", mail, limit))(t))
	}
	put("c", "T", "B", "m")
	put("c", "T", "A", "m")
	put("c", "S", "C", "m")
	put("c", "T", "D", "n")
	put("c", "T", "E", "")
	put("d", "T", "A", "m")
	require.Equal(t, []string{"slackSC", "slackTA", "slackTB"}, by("m", 0))
	require.Equal(t, []string{"slackSC", "slackTA"}, by("m", 2))
	require.Empty(t, by("M", 0))
	require.Empty(t, by("", 0), "nobody's address is nobody's")
	put("c", "T", "A", "n")
	put("c", "S", "C", "")
	require.Equal(t, []string{"slackTB"}, by("m", 0))
	require.Equal(t, []string{"slackTA", "slackTD"}, by("n", 0))
	require.NoError(t, tx.DeleteAccount("c", "slack", "T", "B"))
	require.Empty(t, by("m", 0))
	require.Len(t, must(tx.AccountsByMail("d", "m", 0))(t), 1)
	for i := range many {
		put("c", "T", numbered(i), "many")
	}
	for _, limit := range []int{0, -1, 100} {
		require.Len(t, by("many", limit), 100)
	}
}

// testHasAccounts asks between writes of one transaction, where the answer must not be an older one.
func testHasAccounts(t *testing.T, tx store.Tx) {
	has := func() [2]bool { return [2]bool{must(tx.HasAccounts("c"))(t), must(tx.HasAccounts("d"))(t)} }
	require.Equal(t, [2]bool{false, false}, has())
	require.NoError(t, tx.PutPerson(store.Person{ID: "p", Community: "c"}))
	require.Equal(t, [2]bool{false, false}, has(), "somebody without an account has none")
	require.NoError(t, tx.PutAccount(store.Account{Community: "c", Plugin: "slack", UserID: "U"}))
	require.Equal(t, [2]bool{true, false}, has())
	require.NoError(t, tx.PutAccount(store.Account{Community: "d", Plugin: "slack", UserID: "U"}))
	require.NoError(t, tx.PutAccount(store.Account{Community: "c", Plugin: "slack", UserID: "V"}))
	require.Equal(t, [2]bool{true, true}, has())
	require.NoError(t, tx.DeleteAccount("c", "slack", "", "U"))
	require.Equal(t, [2]bool{true, true}, has())
	require.NoError(t, tx.DeleteAccount("c", "slack", "", "V"))
	require.Equal(t, [2]bool{false, true}, has())
}

func testPersonsOf(t *testing.T, tx store.Tx) {
	odd := `"ü <\u00fc> ` + "\t" + `'];--`
	for _, a := range []store.Account{
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "A", Person: "p", Home: "h"}, {Community: "c", Plugin: "slack", PlatformID: "T", UserID: "B", Person: "q"},
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: odd, Person: "o"}, {Community: "c", Plugin: "slack", PlatformID: "T", UserID: "7", Person: "seven"},
		{Community: "c", Plugin: "slack", PlatformID: "S", UserID: "C", Person: "x"}, {Community: "c", Plugin: "github", PlatformID: "T", UserID: "C", Person: "x"},
		{Community: "d", Plugin: "slack", PlatformID: "T", UserID: "C", Person: "x"},
	} {
		require.NoError(t, tx.PutAccount(a))
	}
	of := func(users ...string) []string { return must(tx.PersonsOf("c", "slack", "T", users))(t) }
	require.Equal(t, []string{"q", "", "p", "q", "o", "seven", "", "", ""}, of("B", "nobody", "A", "B", odd, "7", "C", "", "a"))
	require.Empty(t, of())
	require.Empty(t, must(tx.PersonsOf("c", "slack", "T", []string{}))(t))
	var users, want []string
	for i := range many {
		require.NoError(t, tx.PutAccount(store.Account{Community: "c", Plugin: "slack", PlatformID: "T", UserID: numbered(i), Person: "of " + numbered(i)}))
		users, want = append(users, numbered(many-1-i)), append(want, "of "+numbered(many-1-i))
	}
	require.Equal(t, want, of(users...), "without limit")
}
