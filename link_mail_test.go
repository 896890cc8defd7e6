package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

func TestTheSameVerifiedAddress(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		l.set(map[string]bool{gateway.ByEmail: true})
		ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann", Mail: " Ann@Example.COM ", Verified: true})
		require.Empty(t, e)
		require.True(t, l.asked["forum"].Email || l.api.consent.Email)
		got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub", Mail: "Ann@example.com", Verified: true})
		require.Empty(t, e)
		require.Equal(t, ann.Account.Person, got.Account.Person)
		require.Equal(t, gateway.EmailMatched, l.strength(ref("ann"), hub("ann-hub")), "weak")

		// Never a join: another's case, plus, dots, other letters; nor what one side has not verified.
		for _, other := range []string{"ann@example.com", "Ann+x@example.com", "A.nn@example.com", "Ann@exаmple.com", "Ann@example.com.", "Ann@eКample.com"} {
			one, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "like " + other, Mail: other, Verified: true})
			require.Empty(t, e)
			require.NotEqual(t, ann.Account.Person, one.Account.Person, other)
		}
		one, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "unverified", Mail: "Ann@example.com"})
		require.Empty(t, e)
		require.NotEqual(t, ann.Account.Person, one.Account.Person)
		_, e = l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "bob", Mail: "bob@example.com"})
		require.Empty(t, e)
		bob, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub", Mail: "bob@example.com", Verified: true})
		require.Empty(t, e)
		boss, err := l.c.WhoIs(ctx, ref("bob"))
		require.NoError(t, err)
		require.NotEqual(t, boss.ID, bob.Account.Person, "the other side never verified it")

		// Two people have it: nobody is joined, a third login of the address least of all.
		a, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "cid", Mail: "c@example.com", Verified: true})
		require.Empty(t, e)
		b := person(t, l.c, hub("cid-hub"))
		again, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "cid-hub", Mail: "c@example.com", Verified: true})
		require.Empty(t, e)
		require.Equal(t, b.ID, again.Account.Person, "a login moves nobody")
		require.NotEqual(t, a.Account.Person, b.ID)
		third, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "cid3", Mail: "c@example.com", Verified: true})
		require.Empty(t, e)
		require.NotContains(t, []string{a.Account.Person, b.ID}, third.Account.Person)

		// Addresses are kept as hashes, which say nothing elsewhere.
		require.NoError(t, s.View(ctx, func(tx store.Tx) error {
			rows, err := tx.AccountsBy(store.AccountQuery{Community: "town"}, store.Account{}, 100)
			require.NoError(t, err)
			for _, row := range rows {
				require.NotContains(t, row.Mail, "@")
				require.NotContains(t, string(row.Data), "@")
			}
			return nil
		}))
		require.NotContains(t, l.logs.String(), "xample.com")
		// What the platform does not say any more is not known any more.
		_, e = l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann"})
		require.Empty(t, e)
		require.NoError(t, s.View(ctx, func(tx store.Tx) error {
			row, err := tx.Account("town", "forum", "S1", "ann")
			require.NoError(t, err)
			require.Empty(t, row.Mail)
			return nil
		}))
		late, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "late", Mail: "Ann@example.com", Verified: true})
		require.Empty(t, e)
		require.Equal(t, ann.Account.Person, late.Account.Person, "the other account still has it")
	})
}

func TestTheSameAddressIsOnlySuggestedWhereNobodyWantsMore(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann", Mail: "ann@example.com", Verified: true})
	require.Empty(t, e)
	got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub", Mail: "ann@example.com", Verified: true})
	require.Empty(t, e)
	require.NotEqual(t, ann.Account.Person, got.Account.Person)
	list, err := l.c.Suggestions(ctx, got.Account.Person)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "email", list[0].Issuer)
	require.Equal(t, gateway.None, l.strength(ref("ann"), hub("ann-hub")))

	// With consent, and both logins.
	p, err := l.c.PromptLink(ctx, gateway.LinkPrompt{Account: ref("ann"), Plugin: "github", Merge: true, Redirect: driver, Reason: "Are both yours?"})
	require.NoError(t, err)
	_, e = l.agree(l.browser(), p.URL, who{User: "ann"}, who{User: "ann-hub"})
	require.Empty(t, e)
	require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("ann-hub")))
	list, err = l.c.Suggestions(ctx, ann.Account.Person)
	require.NoError(t, err)
	require.Empty(t, list, "it is settled")

	// A suggestion that was dismissed is not made again.
	_, e = l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "bob", Mail: "b@example.com", Verified: true})
	require.Empty(t, e)
	bob, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub", Mail: "b@example.com", Verified: true})
	require.Empty(t, e)
	list, err = l.c.Suggestions(ctx, bob.Account.Person)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.NoError(t, l.c.RevokeEvidence(ctx, list[0].ID, "they are two"))
	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub", Mail: "b@example.com", Verified: true})
	require.Empty(t, e)
	list, err = l.c.Suggestions(ctx, bob.Account.Person)
	require.NoError(t, err)
	require.Empty(t, list)

	// Who wants neither has no hash kept.
	l.set(map[string]bool{gateway.ByEmailConsent: false})
	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub", Mail: "b@example.com", Verified: true})
	require.Empty(t, e)
	require.False(t, l.asked["github"].Email)
	require.NoError(t, l.store.View(ctx, func(tx store.Tx) error {
		row, err := tx.Account("town", "github", "acme", "bob-hub")
		require.NoError(t, err)
		require.Empty(t, row.Mail)
		return nil
	}))
}

// Accounts of two communities are never joined, whatever they have in common.
func TestLoginsJoinNothingAcrossCommunities(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	l.set(map[string]bool{gateway.ByEmail: true})
	other, err := l.CreateCommunity(ctx, "other", "Other")
	require.NoError(t, err)
	_, err = other.Enable(ctx, "github", hubConfig{"acme"})
	require.NoError(t, err)
	require.NoError(t, other.SetSettings(ctx, gateway.Settings{Linking: map[string]bool{gateway.ByEmail: true}}))
	ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann", Mail: "a@example.com", Verified: true})
	require.Empty(t, e)
	got, e := l.login(gateway.AuthRequest{Plugin: "github", Community: "other"}, who{User: "ann-hub", Mail: "a@example.com", Verified: true})
	require.Empty(t, e)
	require.NotEqual(t, ann.Account.Person, got.Account.Person)
	l.unknown(hub("ann-hub"))
	_, err = l.AuthorizeURL(ctx, gateway.AuthRequest{Plugin: "github", Type: gateway.Login, Community: "other", Person: ann.Account.Person})
	require.ErrorIs(t, err, gateway.NotFound)
	_, e = l.login(gateway.AuthRequest{Plugin: "github", Community: "other", Then: []string{"forum"}}, who{User: "eve-hub"}, who{User: "eve"})
	require.Equal(t, "denied", e, "the second account is of a workspace that the community does not have")
	var hashes []string
	require.NoError(t, l.store.View(ctx, func(tx store.Tx) error {
		for _, at := range [][4]string{{"town", "forum", "S1", "ann"}, {"other", "github", "acme", "ann-hub"}} {
			row, err := tx.Account(at[0], at[1], at[2], at[3])
			require.NoError(t, err)
			require.NotEmpty(t, row.Mail)
			hashes = append(hashes, row.Mail)
		}
		return nil
	}))
	require.NotEqual(t, hashes[0], hashes[1], "nor can it be seen")
}

// Whom somebody has parted the same address does not join again.
func TestTheSameAddressAfterAParting(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		login := func(plugin, user string) string {
			got, e := l.login(gateway.AuthRequest{Plugin: plugin}, who{User: user, Mail: "team@example.com", Verified: true})
			require.Empty(t, e)
			return got.Account.Person
		}
		l.set(map[string]bool{gateway.ByEmail: true})
		ann := login("forum", "ann")
		require.Equal(t, ann, login("github", "bob"))
		require.NoError(t, l.c.Unlink(ctx, hub("bob")))
		bob := login("github", "bob")
		require.NotEqual(t, ann, bob, "an admin said that it is somebody else")
		require.NoError(t, l.c.Unlink(ctx, hub("bob")))

		l.set(map[string]bool{})
		cid := login("github", "cid")
		list, err := l.c.Suggestions(ctx, cid)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.NoError(t, l.c.RevokeEvidence(ctx, list[0].ID, "somebody else"))
		require.NoError(t, l.c.Unlink(ctx, hub("cid")))
		l.set(map[string]bool{gateway.ByEmail: true})
		require.NotEqual(t, ann, login("github", "cid"), "it was dismissed")
		require.NoError(t, l.c.Unlink(ctx, hub("cid")))
		require.Equal(t, ann, login("github", "dan"))
	})
}

// How an account was linked is what its link rests on, and not that it has logged in since.
func TestHowALoginWasLinked(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		l.set(map[string]bool{gateway.ByEmail: true})
		how := func(r gateway.AuthRequest, w who) string {
			r.Plugin = "github"
			got, e := l.login(r, w)
			require.Empty(t, e)
			return got.Account.LinkType
		}
		mail := func(user string) who { return who{User: user, Mail: "ann@example.com", Verified: true} }
		ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, mail("ann"))
		require.Empty(t, e)
		require.Equal(t, "oauth", ann.Account.LinkType, "a new person")
		require.Equal(t, gateway.EmailVerified, how(gateway.AuthRequest{}, mail("ann-hub")))
		_, err := l.c.Link(ctx, ann.Account.Person, gateway.NewAccount{AccountRef: hub("perhaps")}, gateway.Ground{Kind: gateway.Unproven})
		require.NoError(t, err)
		require.Equal(t, gateway.Unproven, how(gateway.AuthRequest{}, who{User: "perhaps"}))
		require.Equal(t, gateway.EmailVerified, how(gateway.AuthRequest{}, mail("ann-hub")), "as before")
		require.Equal(t, "oauth", how(gateway.AuthRequest{Person: ann.Account.Person, Community: l.c.Slug()}, who{User: "perhaps"}), "for whom the driver names")
	})
}
