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
		within("accounts by what they are", testAccountsBy),
		within("evidence", testEvidence),
		within("claims", testClaimRows),
		within("changes", testChanges),
		within("tokens", testTokens),
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

	for _, p := range []store.Person{
		{ID: "q", Community: "c", Kind: "person", Into: "p"}, {ID: "r", Community: "c", Kind: "person", Into: "q"}, {ID: "s", Community: "c", Kind: "organization"},
		{ID: "t", Community: "c", Kind: "person", Erased: sec(3)}, {ID: "u", Community: "c", Kind: "person", Into: "p"}, {ID: "q", Community: "d", Into: "p"},
	} {
		require.NoError(t, tx.PutPerson(p))
	}
	ids := func(people []store.Person) []string {
		return names(people, func(p store.Person) string { return p.ID })
	}
	require.Equal(t, []string{"p", "q", "r", "s", "t", "u"}, ids(must(tx.People(store.PersonQuery{Community: "c"}, "", 0))(t)))
	require.Equal(t, []string{"r", "s"}, ids(must(tx.People(store.PersonQuery{Community: "c"}, "q", 2))(t)))
	require.Equal(t, []string{"p", "s"}, ids(must(tx.People(store.PersonQuery{Community: "c", Standing: true}, "", 0))(t)))
	require.Equal(t, []string{"s"}, ids(must(tx.People(store.PersonQuery{Community: "c", Kind: "organization"}, "", 0))(t)))
	require.Equal(t, []string{"q", "u"}, ids(must(tx.MergedInto("c", "p"))(t)))
	require.Equal(t, []string{"p", "r"}, ids(must(tx.PeopleIn("c", []string{"r", "nobody", "p", "r"}))(t)))
	require.Empty(t, must(tx.PeopleIn("c", nil))(t))
	require.Empty(t, must(tx.MergedInto("c", ""))(t), "those that stand for themselves were merged into nobody")
	require.NoError(t, tx.PutPerson(store.Person{ID: "q", Community: "c"}))
	require.Equal(t, []string{"u"}, ids(must(tx.MergedInto("c", "p"))(t)))
}

func testAccounts(t *testing.T, tx store.Tx) {
	_, err := tx.Account("c", "slack", "T", "U")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Empty(t, must(tx.Accounts("c", "p"))(t))
	require.False(t, must(tx.HasAccounts("c"))(t))
	full := store.Account{
		Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "p", Home: "h", Name: "n", LinkType: "oauth", Quality: "strong", Mail: "m",
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
	require.True(t, must(tx.HasAccounts("c"))(t))
	require.False(t, must(tx.HasAccounts("d"))(t))

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
	of := func(person string) []string { return accountNames(must(tx.Accounts("c", person))(t)) }
	require.Equal(t, []string{"githubz", "slackSZ", "slackTA", "slackTU"}, of("p"))
	require.NoError(t, tx.PutAccount(store.Account{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "q", Data: []byte{}}))
	require.Equal(t, []string{"githubz", "slackSZ", "slackTA"}, of("p"))
	require.Equal(t, []string{"slackTB", "slackTU"}, of("q"))
	require.Equal(t, store.Account{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Person: "q"},
		must(tx.Account("c", "slack", "T", "U"))(t), "everything is replaced")
	require.Equal(t, "p", must(tx.Account("d", "slack", "T", "U"))(t).Person)
	require.Equal(t, []string{"q", "", "p", "q"}, must(tx.PersonsOf("c", "slack", "T", []string{"U", "nobody", "A", "U"}))(t))
	require.Empty(t, must(tx.PersonsOf("c", "slack", "T", nil))(t))
	require.Equal(t, []string{"slackTA", "slackTB", "slackTU"}, accountNames(must(tx.AccountsIn("c", "slack", "T", []string{"q", "p", "q", "nobody"}))(t)))
	require.Empty(t, must(tx.AccountsIn("c", "slack", "T", nil))(t))
}

func accountNames(accounts []store.Account) []string {
	return names(accounts, func(a store.Account) string { return a.Plugin + a.PlatformID + a.UserID })
}

func testAccountsBy(t *testing.T, tx store.Tx) {
	for _, a := range []store.Account{
		{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "A", LinkType: "oauth", Mail: "m"}, {Community: "c", Plugin: "slack", PlatformID: "T", UserID: "B", Quality: "weak", Mail: "m"},
		{Community: "c", Plugin: "slack", PlatformID: "S", UserID: "A"}, {Community: "c", Plugin: "github", PlatformID: "o", UserID: "A", LinkType: "oauth"}, {Community: "d", Plugin: "slack", PlatformID: "T", UserID: "A", Mail: "m"},
	} {
		require.NoError(t, tx.PutAccount(a))
	}
	by := func(q store.AccountQuery, after store.Account, limit int) []string {
		q.Community = "c"
		return accountNames(must(tx.AccountsBy(q, after, limit))(t))
	}
	none := store.Account{}
	require.Equal(t, []string{"githuboA", "slackSA", "slackTA", "slackTB"}, by(store.AccountQuery{}, none, 0))
	require.Equal(t, []string{"slackSA", "slackTA"}, by(store.AccountQuery{}, store.Account{Plugin: "github", PlatformID: "o", UserID: "A"}, 2))
	require.Equal(t, []string{"slackTA", "slackTB"}, by(store.AccountQuery{Plugin: "slack", PlatformID: "T"}, none, 0))
	require.Equal(t, []string{"githuboA", "slackTA"}, by(store.AccountQuery{LinkType: "oauth"}, none, 0))
	require.Equal(t, []string{"slackTB"}, by(store.AccountQuery{Quality: "weak"}, none, 0))
	require.Equal(t, []string{"slackSA", "slackTA"}, by(store.AccountQuery{Plugin: "slack", UserID: "A"}, none, 0))
	require.Equal(t, []string{"slackTA", "slackTB"}, accountNames(must(tx.AccountsByMail("c", "m", 0))(t)))
	require.Len(t, must(tx.AccountsByMail("c", "m", 1))(t), 1)
	require.Empty(t, must(tx.AccountsByMail("c", "", 0))(t), "nobody's address is nobody's")
	require.NoError(t, tx.DeleteAccount("c", "slack", "T", "A"))
	require.NoError(t, tx.DeleteAccount("c", "slack", "T", "A"))
	require.Equal(t, []string{"slackTB"}, accountNames(must(tx.AccountsByMail("c", "m", 0))(t)))
	require.Equal(t, []string{"githuboA", "slackSA", "slackTB"}, by(store.AccountQuery{}, none, 0))
}

func testEvidence(t *testing.T, tx store.Tx) {
	_, err := tx.Evidence("c", "e")
	require.ErrorIs(t, err, store.ErrNotFound)
	e := store.Evidence{ID: "e", Community: "c", A: "x", B: "y", Kind: "k", Issuer: "i", Score: 7, Data: json(), At: finer(1), Expires: finer(2)}
	require.NoError(t, tx.PutEvidence(e))
	e.Data[0] = 'X'
	want := e
	want.Data, want.At, want.Expires = json(), kept(1), kept(2)
	require.Equal(t, want, must(tx.Evidence("c", "e"))(t))
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "a", Community: "c", A: "w", B: "x"}))
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "f", Community: "c", A: "x", B: "z", Revoked: sec(1)}))
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "e", Community: "d", A: "x", B: "y"}))
	of := func(subject string) []string {
		return names(must(tx.EvidenceOf("c", subject))(t), func(e store.Evidence) string { return e.ID })
	}
	require.Equal(t, []string{"a", "e", "f"}, of("x"))
	require.Equal(t, []string{"e"}, of("y"))
	e.B, e.Revoked = "z", sec(5)
	require.NoError(t, tx.PutEvidence(e))
	require.Empty(t, of("y"))
	require.Equal(t, []string{"e", "f"}, of("z"))
	require.NoError(t, tx.DeleteEvidence("c", "e"))
	require.NoError(t, tx.DeleteEvidence("c", "e"))
	require.Equal(t, []string{"f"}, of("z"))
	require.Equal(t, "y", must(tx.Evidence("d", "e"))(t).B)
}

func testClaimRows(t *testing.T, tx store.Tx) {
	_, err := tx.ClaimOf("c", "s", "k", "n", "i")
	require.ErrorIs(t, err, store.ErrNotFound)
	put := func(c, subject, kind, name, issuer string) {
		require.NoError(t, tx.PutClaim(store.Claim{Community: c, Subject: subject, Kind: kind, Name: name, Issuer: issuer, Checked: sec(1)}))
	}
	put("c", "s", "k", "n", "i")
	put("c", "s", "k", "n", "j")
	put("c", "s", "k", "m", "i")
	put("c", "s", "j", "n", "i")
	put("c", "t", "k", "n", "i")
	put("d", "s", "k", "n", "i")
	label := func(c store.Claim) string { return c.Subject + c.Kind + c.Name + c.Issuer }
	require.Equal(t, []string{"sjni", "skmi", "skni", "sknj"}, names(must(tx.Claims("c", "s"))(t), label))
	q := store.ClaimQuery{Community: "c", Kind: "k", Name: "n"}
	require.Equal(t, []string{"skni", "sknj", "tkni"}, names(must(tx.ClaimsBy(q, "", "", 0))(t), label))
	require.Equal(t, []string{"sknj"}, names(must(tx.ClaimsBy(q, "s", "i", 1))(t), label))
	q.Issuer = "i"
	require.Equal(t, []string{"skni", "tkni"}, names(must(tx.ClaimsBy(q, "", "", 0))(t), label))
	full := store.Claim{Community: "c", Subject: "s", Kind: "k", Name: "n", Issuer: "i", Data: json(), Sealed: odd(), At: finer(1), Checked: finer(2), Expires: finer(3), Revoked: finer(4)}
	require.NoError(t, tx.PutClaim(full))
	full.Data[0], full.Sealed[0] = 'X', 'X'
	want := full
	want.Data, want.Sealed, want.At, want.Checked, want.Expires, want.Revoked = json(), odd(), kept(1), kept(2), kept(3), kept(4)
	require.Equal(t, want, must(tx.ClaimOf("c", "s", "k", "n", "i"))(t))
	require.NoError(t, tx.DeleteClaim("c", "s", "k", "n", "i"))
	require.NoError(t, tx.DeleteClaim("c", "s", "k", "n", "i"))
	require.Equal(t, []string{"tkni"}, names(must(tx.ClaimsBy(q, "", "", 0))(t), label))
}

func testChanges(t *testing.T, tx store.Tx) {
	for _, c := range []store.Change{
		{Community: "c", Person: "p", Kind: "one", Seq: 99}, {Community: "c", Person: "p", Kind: "two", At: finer(1), Data: json()}, {Community: "c", Person: "q", Kind: "other"}, {Community: "d", Person: "p", Kind: "elsewhere"},
	} {
		require.NoError(t, tx.PutChange(c))
	}
	got := must(tx.Changes("c", "p", 0, 0))(t)
	require.Equal(t, []store.Change{{Community: "c", Person: "p", Seq: 1, Kind: "one"}, {Community: "c", Person: "p", Seq: 2, Kind: "two", At: kept(1), Data: json()}}, got)
	require.Equal(t, got[1:], must(tx.Changes("c", "p", 1, 0))(t))
	require.Equal(t, got[:1], must(tx.Changes("c", "p", 0, 1))(t))
	require.NoError(t, tx.DeleteChanges("c", "p"))
	require.Empty(t, must(tx.Changes("c", "p", 0, 0))(t))
	require.Len(t, must(tx.Changes("d", "p", 0, 0))(t), 1)
}

func testTokens(t *testing.T, tx store.Tx) {
	_, err := tx.Token("c", "slack", "T", "U")
	require.ErrorIs(t, err, store.ErrNotFound)
	k := store.Token{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Sealed: odd(), Scopes: json(), Status: "active", Expires: finer(1), Created: sec(0), Updated: sec(2)}
	require.NoError(t, tx.PutToken(k))
	require.ErrorIs(t, tx.PutToken(k), store.ErrConflict)
	got := must(tx.Token("c", "slack", "T", "U"))(t)
	k.Rev, k.Expires = 1, kept(1)
	require.Equal(t, k, got)
	got.Status = "refused"
	require.NoError(t, tx.PutToken(got))
	require.ErrorIs(t, tx.PutToken(got), store.ErrConflict)
	require.NoError(t, tx.DeleteToken("c", "slack", "T", "U"))
	require.NoError(t, tx.DeleteToken("c", "slack", "T", "U"))
	_, err = tx.Token("c", "slack", "T", "U")
	require.ErrorIs(t, err, store.ErrNotFound)
}
