package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// What is known of people and accounts: evidence, claims, changes, tokens.

func testEvidence(t *testing.T, tx store.Tx) {
	_, err := tx.Evidence("c", "e")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Evidence{
		ID: "e", Community: "c", A: "x", B: "y", Kind: "k", Issuer: "i", Score: -7, Data: json(), At: finer(1), Expires: finer(2), Revoked: finer(3), Reason: "r",
	}
	require.NoError(t, tx.PutEvidence(full))
	full.Data[0] = 'X'
	want := full
	want.Data, want.At, want.Expires, want.Revoked = json(), kept(1), kept(2), kept(3)
	for range 2 {
		got := []store.Evidence{must(tx.Evidence("c", "e"))(t)}
		got = append(got, must(tx.EvidenceOf("c", "x"))(t)...)
		got = append(got, must(tx.EvidenceOf("c", "y"))(t)...)
		require.Equal(t, []store.Evidence{want, want, want}, got)
		for _, e := range got {
			e.Data[0] = 'X'
		}
	}
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "f", Community: "c", A: "x", B: "z", Revoked: sec(1)}))
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "a", Community: "c", A: "w", B: "x", Expires: sec(1)}))
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "s", Community: "c", A: "self", B: "self"}))
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "e", Community: "d", A: "x", B: "y"}))
	of := func(subject string) []string {
		return names(must(tx.EvidenceOf("c", subject))(t), func(e store.Evidence) string { return e.ID })
	}
	require.Equal(t, []string{"a", "e", "f"}, of("x"), "on either side, what counts no more too, by ID")
	require.Equal(t, []string{"e"}, of("y"))
	require.Equal(t, []string{"s"}, of("self"), "once")
	require.Empty(t, of("nobody"))
	require.Empty(t, of(""))
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "e", Community: "c", A: "v", B: "z", Data: []byte{}}))
	require.Equal(t, store.Evidence{ID: "e", Community: "c", A: "v", B: "z"}, must(tx.Evidence("c", "e"))(t), "everything is replaced")
	require.Empty(t, of("y"))
	require.Equal(t, []string{"a", "f"}, of("x"))
	require.Equal(t, []string{"e", "f"}, of("z"))
	require.Equal(t, []string{"e"}, of("v"))
	require.NoError(t, tx.DeleteEvidence("c", "e"))
	require.NoError(t, tx.DeleteEvidence("c", "e"))
	require.Equal(t, []string{"f"}, of("z"))
	require.Empty(t, of("v"))
	require.Equal(t, "y", must(tx.Evidence("d", "e"))(t).B)
	require.NoError(t, tx.DeleteEvidence("c", "s"))
	require.Empty(t, of("self"))
	for i := range many {
		e := store.Evidence{ID: numbered(i), Community: "c", A: "m", B: "n"}
		if i%2 == 1 {
			e.A, e.B = "l", "m"
		}
		require.NoError(t, tx.PutEvidence(e))
	}
	got := of("m")
	require.Len(t, got, many, "without limit")
	require.IsIncreasing(t, got, "both sides in one order")
}

func testClaimRows(t *testing.T, tx store.Tx) {
	_, err := tx.ClaimOf("c", "s", "k", "n", "i")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Claim{
		Community: "c", Subject: "s", Kind: "k", Name: "n", Issuer: "i", Data: json(), Sealed: odd(), At: finer(1), Checked: finer(2), Expires: finer(3), Revoked: finer(4),
	}
	require.NoError(t, tx.PutClaim(full))
	full.Data[0], full.Sealed[0] = 'X', 'X'
	want := full
	want.Data, want.Sealed, want.At, want.Checked, want.Expires, want.Revoked = json(), odd(), kept(1), kept(2), kept(3), kept(4)
	for range 2 {
		got := []store.Claim{must(tx.ClaimOf("c", "s", "k", "n", "i"))(t)}
		got = append(got, must(tx.Claims("c", "s"))(t)...)
		require.Equal(t, []store.Claim{want, want}, got, "what was revoked and has expired too")
		short := want
		short.Data, short.Sealed = nil, nil
		require.Equal(t, []store.Claim{short}, must(tx.ClaimsBy(store.ClaimQuery{Community: "c", Kind: "k", Name: "n"}, "", "", 0))(t))
		for _, c := range got {
			c.Data[0], c.Sealed[0] = 'X', 'X'
		}
	}
	blank := store.Claim{Community: "c", Subject: "s", Kind: "k", Name: "n", Issuer: "i", Data: []byte{}, Sealed: []byte{}}
	require.NoError(t, tx.PutClaim(blank))
	blank.Data, blank.Sealed = nil, nil
	require.Equal(t, []store.Claim{blank}, must(tx.Claims("c", "s"))(t), "everything is replaced")

	others := []store.Claim{
		{Community: "d", Subject: "s", Kind: "k", Name: "n", Issuer: "i"}, {Community: "c", Subject: "t", Kind: "k", Name: "n", Issuer: "i"},
		{Community: "c", Subject: "s", Kind: "j", Name: "n", Issuer: "i"}, {Community: "c", Subject: "s", Kind: "k", Name: "m", Issuer: "i"},
		{Community: "c", Subject: "s", Kind: "k", Name: "n", Issuer: "j"}, {Community: "c", Subject: "s", Kind: "k", Name: "n"},
	}
	for _, c := range others {
		require.NoError(t, tx.PutClaim(c))
	}
	of := func() []string { return names(must(tx.Claims("c", "s"))(t), claimName) }
	require.Equal(t, []string{"s j n i", "s k m i", "s k n ", "s k n i", "s k n j"}, of())
	require.NoError(t, tx.DeleteClaim("c", "s", "k", "n", "i"))
	require.NoError(t, tx.DeleteClaim("c", "s", "k", "n", "i"))
	require.Equal(t, []string{"s j n i", "s k m i", "s k n ", "s k n j"}, of())
	_, err = tx.ClaimOf("c", "s", "k", "n", "i")
	require.ErrorIs(t, err, store.ErrNotFound)
	for _, c := range others {
		require.Equal(t, c, must(tx.ClaimOf(c.Community, c.Subject, c.Kind, c.Name, c.Issuer))(t))
	}
	require.Empty(t, must(tx.Claims("c", "nobody"))(t))
	for i := range many {
		require.NoError(t, tx.PutClaim(store.Claim{Community: "c", Subject: "m", Kind: "k", Name: numbered(i)}))
	}
	require.Len(t, must(tx.Claims("c", "m"))(t), many, "without limit")
}

func claimName(c store.Claim) string { return c.Subject + " " + c.Kind + " " + c.Name + " " + c.Issuer }

func testClaimsBy(t *testing.T, tx store.Tx) {
	for _, c := range []store.Claim{
		{Subject: "t", Issuer: "i"}, {Subject: "s", Issuer: "j"}, {Subject: "s", Issuer: "i"}, {Subject: "s"}, {Subject: "r", Issuer: "z"},
		{Subject: "s", Kind: "other", Issuer: "i"}, {Subject: "s", Name: "other", Issuer: "i"},
	} {
		c.Community, c.Kind, c.Name = "c", c.Kind+"k", c.Name+"n"
		require.NoError(t, tx.PutClaim(c))
	}
	require.NoError(t, tx.PutClaim(store.Claim{Community: "d", Subject: "s", Kind: "k", Name: "n", Issuer: "i"}))
	for _, tt := range []struct {
		issuer                    string
		afterSubject, afterIssuer string
		limit                     int
		want                      []string
	}{
		{"", "", "", 0, []string{"r k n z", "s k n ", "s k n i", "s k n j", "t k n i"}},
		{"", "", "", 2, []string{"r k n z", "s k n "}},
		{"", "r", "z", 1, []string{"s k n "}},
		{"", "r", "zz", 0, []string{"s k n ", "s k n i", "s k n j", "t k n i"}},
		{"", "s", "", 0, []string{"s k n i", "s k n j", "t k n i"}},
		{"", "s", "i", 0, []string{"s k n j", "t k n i"}},
		{"", "s", "k", 0, []string{"t k n i"}},
		{"", "", "z", 0, []string{"r k n z", "s k n ", "s k n i", "s k n j", "t k n i"}},
		{"", "t", "i", 0, []string{}},
		{"i", "", "", 0, []string{"s k n i", "t k n i"}},
		{"i", "s", "i", 0, []string{"t k n i"}},
		{"i", "", "", 1, []string{"s k n i"}},
		{"nobody", "", "", 0, []string{}},
	} {
		got := must(tx.ClaimsBy(store.ClaimQuery{Community: "c", Kind: "k", Name: "n", Issuer: tt.issuer}, tt.afterSubject, tt.afterIssuer, tt.limit))(t)
		require.Equal(t, tt.want, names(got, claimName), "%+v", tt)
	}
	for _, q := range []store.ClaimQuery{{Community: "c"}, {Community: "c", Kind: "k"}, {Community: "c", Name: "n"}, {Kind: "k", Name: "n"}} {
		require.Empty(t, must(tx.ClaimsBy(q, "", "", 0))(t), "none is not any: %+v", q)
	}
	require.NoError(t, tx.DeleteClaim("c", "s", "k", "n", "i"))
	require.Equal(t, []string{"t k n i"}, names(must(tx.ClaimsBy(store.ClaimQuery{Community: "c", Kind: "k", Name: "n", Issuer: "i"}, "", "", 0))(t), claimName))
	for i := range many {
		require.NoError(t, tx.PutClaim(store.Claim{Community: "c", Subject: numbered(i), Kind: "k", Name: "many"}))
	}
	for _, limit := range []int{0, -1, 100} {
		require.Len(t, must(tx.ClaimsBy(store.ClaimQuery{Community: "c", Kind: "k", Name: "many"}, "", "", limit))(t), 100)
	}
}

func testChanges(t *testing.T, tx store.Tx) {
	require.Empty(t, must(tx.Changes("c", "p", 0, 0))(t))
	full := store.Change{Community: "c", Person: "p", Kind: "two", At: finer(1), Subject: "s", By: "b", Text: "t", Data: json()}
	for _, c := range []store.Change{
		{Community: "c", Person: "p", Kind: "one", Seq: 99, Data: []byte{}}, full, {Community: "c", Person: "q", Kind: "other"}, {Community: "d", Person: "p", Kind: "elsewhere"},
	} {
		require.NoError(t, tx.PutChange(c))
	}
	full.Data[0] = 'X'
	full.Seq, full.At, full.Data = 2, kept(1), json()
	want := []store.Change{{Community: "c", Person: "p", Seq: 1, Kind: "one"}, full}
	for range 2 {
		got := must(tx.Changes("c", "p", 0, 0))(t)
		require.Equal(t, want, got)
		got[1].Data[0] = 'X'
	}
	require.Equal(t, want[1:], must(tx.Changes("c", "p", 1, 0))(t))
	require.Equal(t, want[:1], must(tx.Changes("c", "p", 0, 1))(t))
	require.Equal(t, want, must(tx.Changes("c", "p", -5, 0))(t))
	require.Empty(t, must(tx.Changes("c", "p", 2, 0))(t))
	require.Equal(t, []store.Change{{Community: "c", Person: "q", Seq: 1, Kind: "other"}}, must(tx.Changes("c", "q", 0, 0))(t), "each has numbers of their own")
	require.NoError(t, tx.DeleteChanges("c", "p"))
	require.NoError(t, tx.DeleteChanges("c", "p"))
	require.Empty(t, must(tx.Changes("c", "p", 0, 0))(t))
	require.Len(t, must(tx.Changes("c", "q", 0, 0))(t), 1)
	require.Equal(t, []store.Change{{Community: "d", Person: "p", Seq: 1, Kind: "elsewhere"}}, must(tx.Changes("d", "p", 0, 0))(t))
	for range many {
		require.NoError(t, tx.PutChange(store.Change{Community: "c", Person: "p"}))
	}
	for _, limit := range []int{0, -1, 100} {
		require.Len(t, must(tx.Changes("c", "p", 0, limit))(t), 100)
	}
	rest := must(tx.Changes("c", "p", 100, 0))(t)
	require.Len(t, rest, many-100)
	require.EqualValues(t, many, rest[len(rest)-1].Seq, "from 1 again, and as numbers, not as text")
}

func testTokens(t *testing.T, tx store.Tx) {
	_, err := tx.Token("c", "slack", "T", "U")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Token{
		Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Sealed: odd(), Scopes: json(), Status: "active", Expires: finer(1), Created: finer(2), Updated: finer(3),
	}
	require.NoError(t, tx.PutToken(full))
	full.Sealed[0], full.Scopes[0] = 'X', 'X'
	want := full
	want.Sealed, want.Scopes, want.Expires, want.Created, want.Updated, want.Rev = odd(), json(), kept(1), kept(2), kept(3), 1
	is := func() {
		for range 2 {
			got := must(tx.Token("c", "slack", "T", "U"))(t)
			require.Equal(t, want, got)
			if len(got.Sealed) > 0 {
				got.Sealed[0], got.Scopes[0] = 'X', 'X'
			}
		}
	}
	is()
	for _, rev := range []int64{0, 2, -1} {
		require.ErrorIs(t, tx.PutToken(store.Token{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Status: "refused", Rev: rev}), store.ErrConflict)
		is()
	}
	for _, k := range []store.Token{
		{Community: "d", Plugin: "slack", PlatformID: "T", UserID: "U"}, {Community: "c", Plugin: "github", PlatformID: "T", UserID: "U"},
		{Community: "c", Plugin: "slack", PlatformID: "S", UserID: "U"}, {Community: "c", Plugin: "slack", PlatformID: "T", UserID: "V"},
	} {
		k.Rev = 1
		require.ErrorIs(t, tx.PutToken(k), store.ErrConflict, "it is gone")
		_, err := tx.Token(k.Community, k.Plugin, k.PlatformID, k.UserID)
		require.ErrorIs(t, err, store.ErrNotFound)
		k.Rev = 0
		require.NoError(t, tx.PutToken(k))
		require.NoError(t, tx.DeleteToken(k.Community, k.Plugin, k.PlatformID, k.UserID))
	}
	is()
	require.NoError(t, tx.PutToken(store.Token{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Status: "refused", Sealed: []byte{}, Scopes: []byte{}, Rev: 1}))
	want = store.Token{Community: "c", Plugin: "slack", PlatformID: "T", UserID: "U", Status: "refused", Rev: 2}
	is()
	require.NoError(t, tx.DeleteToken("c", "slack", "T", "U"))
	require.NoError(t, tx.DeleteToken("c", "slack", "T", "U"))
	_, err = tx.Token("c", "slack", "T", "U")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, tx.PutToken(want), store.ErrConflict)
}

// testOwnPeople does all that can be done to what one community knows: another that knows the same sees none of it.
func testOwnPeople(t *testing.T, s store.Store) {
	put := func(tx store.Tx, community, text string) {
		require.NoError(t, tx.PutPerson(store.Person{ID: "x", Community: community, Name: text, Into: "y"}))
		require.NoError(t, tx.PutAccount(store.Account{Community: community, Plugin: "p", PlatformID: "T", UserID: "x", Person: "x", Mail: "x", Name: text}))
		require.NoError(t, tx.PutEvidence(store.Evidence{ID: "x", Community: community, A: "x", B: "y", Reason: text}))
		require.NoError(t, tx.PutClaim(store.Claim{Community: community, Subject: "x", Kind: "k", Name: "x", Data: []byte(text)}))
		require.NoError(t, tx.PutChange(store.Change{Community: community, Person: "x", Text: text}))
		old, _ := tx.Token(community, "p", "T", "x")
		require.NoError(t, tx.PutToken(store.Token{Community: community, Plugin: "p", PlatformID: "T", UserID: "x", Status: text, Rev: old.Rev}))
	}
	known := func(community string) []any {
		var out []any
		view(t, s, func(tx store.Tx) {
			out = []any{
				answered(tx.Person(community, "x")), answered(tx.People(store.PersonQuery{Community: community}, "", 0)), answered(tx.MergedInto(community, "y")),
				answered(tx.Account(community, "p", "T", "x")), answered(tx.Accounts(community, "x")), answered(tx.AccountsByMail(community, "x", 0)),
				answered(tx.AccountsBy(store.AccountQuery{Community: community}, store.Account{}, 0)), answered(tx.HasAccounts(community)),
				answered(tx.PersonsOf(community, "p", "T", []string{"x"})), answered(tx.Evidence(community, "x")), answered(tx.EvidenceOf(community, "x")),
				answered(tx.EvidenceOf(community, "y")), answered(tx.ClaimOf(community, "x", "k", "x", "")), answered(tx.Claims(community, "x")),
				answered(tx.ClaimsBy(store.ClaimQuery{Community: community, Kind: "k", Name: "x"}, "", "", 0)), answered(tx.Changes(community, "x", 0, 0)),
				answered(tx.Token(community, "p", "T", "x")),
			}
		})
		return out
	}
	nothing := known("c")
	update(t, s, func(tx store.Tx) { put(tx, "d", "ours") })
	require.Equal(t, nothing, known("c"))
	ours := known("d")
	require.NotContains(t, ours, answer{Err: class(store.ErrNotFound)})
	update(t, s, func(tx store.Tx) {
		put(tx, "c", "theirs")
		put(tx, "c", "theirs again")
	})
	require.Equal(t, ours, known("d"))
	update(t, s, func(tx store.Tx) {
		require.NoError(t, tx.DeleteAccount("c", "p", "T", "x"))
		require.NoError(t, tx.DeleteEvidence("c", "x"))
		require.NoError(t, tx.DeleteClaim("c", "x", "k", "x", ""))
		require.NoError(t, tx.DeleteChanges("c", "x"))
		require.NoError(t, tx.DeleteToken("c", "p", "T", "x"))
	})
	require.Equal(t, ours, known("d"))
}

// testChangeRace has many add to the same histories: each line has a number of its own, without gaps, in the order of commits.
func testChangeRace(t *testing.T, s store.Store) {
	const workers, each = 6, 10
	together(t, workers, func(i int) error {
		for n := range each {
			add := func(tx store.Tx) error {
				for _, person := range []string{"p", "q"} {
					if err := tx.PutChange(store.Change{Community: "c", Person: person, By: fmt.Sprint(i), Text: numbered(n)}); err != nil {
						return err
					}
				}
				return nil
			}
			mine := errors.New("mine")
			if err := s.Update(context.Background(), func(tx store.Tx) error { return errors.Join(add(tx), mine) }); !errors.Is(err, mine) {
				return fmt.Errorf("an error was lost: %w", err)
			}
			if err := s.Update(context.Background(), add); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx store.Tx) {
		p := must(tx.Changes("c", "p", 0, 0))(t)
		require.Len(t, p, workers*each)
		last := map[string]string{}
		for i, c := range p {
			require.EqualValues(t, i+1, c.Seq)
			require.Greater(t, c.Text, last[c.By], "in the order in which each added")
			last[c.By] = c.Text
		}
		q := must(tx.Changes("c", "q", 0, 0))(t)
		for i := range q {
			q[i].Person = "p"
		}
		require.Equal(t, p, q)
	})
}

// testTokenRace has many renew the same token: nobody's renewal is written over by one who had not seen it.
func testTokenRace(t *testing.T, s store.Store) {
	const workers, each = 6, 10
	update(t, s, func(tx store.Tx) {
		require.NoError(t, tx.PutToken(store.Token{Community: "c", Plugin: "p", PlatformID: "T", UserID: "U"}))
	})
	together(t, workers, func(int) error {
		for done := 0; done < each; {
			var k store.Token
			err := s.View(context.Background(), func(tx store.Tx) (err error) {
				k, err = tx.Token("c", "p", "T", "U")
				return err
			})
			if err != nil {
				return err
			}
			k.Sealed = append(k.Sealed, 'y')
			err = s.Update(context.Background(), func(tx store.Tx) error { return tx.PutToken(k) })
			switch {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrConflict):
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx store.Tx) {
		k := must(tx.Token("c", "p", "T", "U"))(t)
		require.Len(t, k.Sealed, workers*each)
		require.EqualValues(t, 1+workers*each, k.Rev)
	})
}
