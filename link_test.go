package gateway_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

func TestTwoLoginsInOneSession(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		got, e := l.both(who{User: "ann"}, who{User: "ann-hub"})
		require.Empty(t, e)
		require.Equal(t, "forum", got.Plugin)
		require.Equal(t, "ann", got.Account.UserID)
		require.Len(t, got.Accounts, 2)
		require.Equal(t, got.Accounts[0].Person, got.Accounts[1].Person)
		require.Equal(t, "acme", l.asked["github"].PlatformID, "the second consent page too is told where")
		require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("ann-hub")))
		require.Equal(t, "oauth", got.Accounts[1].LinkType)

		// Again, and one by one: nobody moves, nothing is known that was not.
		known, err := l.c.Evidence(ctx, ref("ann"))
		require.NoError(t, err)
		_, e = l.both(who{User: "ann"}, who{User: "ann-hub"})
		require.Empty(t, e)
		for range 3 {
			one, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub"})
			require.Empty(t, e)
			require.Equal(t, got.Account.Person, one.Account.Person)
		}
		again, err := l.c.Evidence(ctx, ref("ann"))
		require.NoError(t, err)
		require.Equal(t, known, again, "people log in every day")

		// Another account of the same platform.
		more, e := l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"forum", "github"}}, who{User: "ann"}, who{User: "ann2"}, who{User: "ann-hub2"})
		require.Empty(t, e)
		require.Equal(t, got.Account.Person, more.Accounts[2].Person)
		require.Equal(t, gateway.Verified, l.strength(ref("ann2"), hub("ann-hub")))
		require.NoError(t, l.c.Unlink(ctx, ref("ann")))
		require.Equal(t, gateway.Verified, l.strength(ref("ann2"), hub("ann-hub2")), "they were shown together, also without the first")

		_, e = l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"forum"}}, who{User: "dan"}, who{User: "dan"})
		require.Equal(t, "conflict", e, "twice the same shows nothing")
		l.unknown(ref("dan"))
	})
}

// Nothing is kept of any login where a later one fails or is refused.
func TestHalfASessionLinksNothing(t *testing.T) {
	for name, second := range map[string]func(l *linkRig, b *browser, state string) *url.URL{
		"refused": func(l *linkRig, b *browser, state string) *url.URL {
			return b.get("/auth/github/callback?error=access_denied&state=" + state)
		},
		"failed": func(l *linkRig, b *browser, state string) *url.URL {
			return b.get("/auth/github/callback?code=nonsense&state=" + state)
		},
		"somewhere else": func(l *linkRig, b *browser, state string) *url.URL {
			return l.back(b, "github", state, who{User: "ann-hub", Place: "other-org", Token: "second-canary"})
		},
		"without a cookie": func(l *linkRig, b *browser, state string) *url.URL {
			return l.back(l.browser(), "github", state, who{User: "eve-hub"})
		},
		"at the first platform's address": func(l *linkRig, b *browser, state string) *url.URL {
			return l.back(b, "forum", state, who{User: "eve"})
		},
		"too late": func(l *linkRig, b *browser, state string) *url.URL {
			l.clock.advance(10 * time.Minute)
			return l.back(b, "github", state, who{User: "ann-hub"})
		},
		"never": func(l *linkRig, b *browser, state string) *url.URL { return &url.URL{} },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLinkRig(t, nil)
			link, err := l.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "github", Then: []string{"github"}, Type: gateway.Login, Community: "town", Redirect: driver})
			require.NoError(t, err)
			b := l.browser()
			to := l.back(b, "github", b.get(link).Query().Get("state"), who{User: "ann", Token: "first-canary"})
			require.Equal(t, "github.example", to.Host)
			state := to.Query().Get("state")
			to = second(l, b, state)
			require.Empty(t, to.Query().Get("code"))
			l.unknown(hub("ann"), hub("ann-hub"), hub("eve-hub"), ref("eve"))
			people, err := l.c.People(t.Context(), gateway.PersonFilter{}, "", 0)
			require.NoError(t, err)
			require.Empty(t, people)
			require.False(t, to.Query().Get("error") == "" && to.Host == "good.example")

			l.wait(time.Hour)
			want := []string{"first-canary"}
			if name == "somewhere else" {
				want = append(want, "second-canary")
			}
			require.ElementsMatch(t, want, l.tokens.gone(), "the tokens that came to nothing are given back")
			require.NotContains(t, l.logs.String(), "canary")
			require.Empty(t, l.tasks(store.TaskQuery{Kind: "token"}))
		})
	}
}

// What the first login brought is sealed; where the keys are gone the second does not stand alone.
func TestASessionWhoseFirstLoginCannotBeRead(t *testing.T) {
	l := newLinkRig(t, nil)
	link, err := l.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Type: gateway.Login, Community: "town", Redirect: driver})
	require.NoError(t, err)
	b := l.browser()
	to := l.back(b, "forum", b.get(link).Query().Get("state"), who{User: "ann"})
	l.o.Seal = newSeal(t, gateway.NewSealKey())
	l.again()
	to = l.back(b, "github", to.Query().Get("state"), who{User: "ann-hub"})
	require.Equal(t, "internal", to.Query().Get("error"))
	l.unknown(ref("ann"), hub("ann-hub"))
}

// Whoever begins a session goes on with it: a second consent page in another's browser, or the state of another session, leads nowhere.
func TestStatesOfTwoSessionsAreNotSwapped(t *testing.T) {
	l := newLinkRig(t, nil)
	half := func(user string) (*browser, string) {
		link, err := l.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Type: gateway.Login, Community: "town", Redirect: driver})
		require.NoError(t, err)
		b := l.browser()
		to := l.back(b, "forum", b.get(link).Query().Get("state"), who{User: user})
		require.Equal(t, "github.example", to.Host)
		return b, to.Query().Get("state")
	}
	eve, evil := half("eve")
	ann, hers := half("ann")
	// Eve has Ann agree on the page of Eve's session, or comes with Ann's.
	l.back(ann, "github", evil, who{User: "ann-hub"})
	require.Equal(t, http.StatusBadRequest, ann.last.Code)
	l.back(eve, "github", hers, who{User: "eve-hub"})
	require.Equal(t, http.StatusBadRequest, eve.last.Code)
	l.unknown(ref("ann"), ref("eve"), hub("ann-hub"), hub("eve-hub"))
}

func TestSeveralLoginsOfDifferentPeople(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		a, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann"})
		require.Empty(t, e)
		b, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub"})
		require.Empty(t, e)
		require.NotEqual(t, a.Account.Person, b.Account.Person)
		_, e = l.both(who{User: "ann"}, who{User: "ann-hub"})
		require.Equal(t, "conflict", e, "nobody said that they are to be merged")
		p, err := l.c.WhoIs(ctx, hub("ann-hub"))
		require.NoError(t, err)
		require.Equal(t, b.Account.Person, p.ID)

		got, e := l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Merge: true}, who{User: "ann"}, who{User: "ann-hub"})
		require.Empty(t, e)
		require.Equal(t, a.Account.Person, got.Accounts[1].Person)
		require.Equal(t, b.Account.Person, got.Accounts[1].Home)
		require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("ann-hub")))
		_, err = l.c.Split(ctx, b.Account.Person)
		require.NoError(t, err)
		require.Equal(t, gateway.None, l.strength(ref("ann"), hub("ann-hub")))
	})
}

// A login beside an account that hangs weakly on a person says nothing of what else that person has.
func TestALoginIsNoSurerThanWhatItHangsOn(t *testing.T) {
	for name, merges := range map[string]bool{"a new account": false, "somebody's account": true} {
		t.Run(name, func(t *testing.T) {
			l := newLinkRig(t, nil)
			ctx := t.Context()
			ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann"})
			require.Empty(t, e)
			_, err := l.c.Link(ctx, ann.Account.Person, gateway.NewAccount{AccountRef: ref("eve")}, gateway.Ground{Kind: gateway.Unproven})
			require.NoError(t, err)
			require.Equal(t, gateway.Unverified, l.strength(ref("ann"), ref("eve")))
			if merges {
				_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "eve-hub"})
				require.Empty(t, e)
			}
			_, e = l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Merge: true}, who{User: "eve"}, who{User: "eve-hub"})
			require.Empty(t, e)
			require.Equal(t, gateway.Verified, l.strength(ref("eve"), hub("eve-hub")))
			require.Equal(t, gateway.Unverified, l.strength(ref("ann"), ref("eve")), "a login shows who is at the browser, not whose the account is")
			require.Equal(t, gateway.Unverified, l.strength(ref("ann"), hub("eve-hub")))
		})
	}
}

func TestALoginForAPersonWhomTheDriverNames(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	ann := person(t, l.c, ref("ann"))
	got, e := l.login(gateway.AuthRequest{Plugin: "github", Person: ann.ID}, who{User: "ann-hub"})
	require.Empty(t, e)
	require.Equal(t, ann.ID, got.Account.Person)
	require.Equal(t, gateway.Asserted, l.strength(ref("ann"), hub("ann-hub")))
	_, e = l.login(gateway.AuthRequest{Plugin: "forum", Person: ann.ID}, who{User: "ann"})
	require.Empty(t, e)
	require.Equal(t, gateway.Proven, l.strength(ref("ann"), hub("ann-hub")), "each was proved for her")

	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub"})
	require.Empty(t, e)
	_, e = l.login(gateway.AuthRequest{Plugin: "github", Person: ann.ID}, who{User: "bob-hub"})
	require.Equal(t, "conflict", e, "a login moves nobody's account")
	_, e = l.login(gateway.AuthRequest{Plugin: "github", Then: []string{"forum"}, Person: ann.ID, Merge: true}, who{User: "bob-hub"}, who{User: "bob"})
	require.Equal(t, "conflict", e, "she has shown nothing herself")
	l.unknown(ref("bob"))
	_, e = l.login(gateway.AuthRequest{Plugin: "github", Then: []string{"forum"}, Person: ann.ID, Merge: true}, who{User: "bob-hub"}, who{User: "ann"})
	require.Empty(t, e)
	require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("bob-hub")))

	for name, bad := range map[string]struct {
		r    gateway.AuthRequest
		code gateway.Code
	}{
		"an install":               {gateway.AuthRequest{Plugin: "forum", Type: gateway.Install, Then: []string{"github"}}, gateway.Invalid},
		"for a person":             {gateway.AuthRequest{Plugin: "forum", Type: gateway.Install, Community: "town", Person: ann.ID}, gateway.Invalid},
		"too many":                 {gateway.AuthRequest{Plugin: "forum", Then: []string{"forum", "forum", "forum", "forum", "forum"}}, gateway.Invalid},
		"merge of one":             {gateway.AuthRequest{Plugin: "forum", Merge: true}, gateway.Invalid},
		"a person of no community": {gateway.AuthRequest{Plugin: "forum", Person: ann.ID}, gateway.Invalid},
		"nobody":                   {gateway.AuthRequest{Plugin: "forum", Community: "town", Person: "nobody"}, gateway.NotFound},
		"no plugin":                {gateway.AuthRequest{Plugin: "forum", Then: []string{"nope"}}, gateway.NotFound},
	} {
		if bad.r.Type == "" {
			bad.r.Type = gateway.Login
		}
		_, err := l.AuthorizeURL(ctx, bad.r)
		require.ErrorIs(t, err, bad.code, name)
	}
}

// Each way is switched off and on by the community, also while somebody is under way.
func TestWaysThatACommunityDoesNotWant(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	ann := person(t, l.c, ref("ann"))
	both := gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Type: gateway.Login, Community: "town", Redirect: driver}
	link, err := l.AuthorizeURL(ctx, both)
	require.NoError(t, err)
	named := gateway.AuthRequest{Plugin: "github", Person: ann.ID, Type: gateway.Login, Community: "town", Redirect: driver}
	second, err := l.AuthorizeURL(ctx, named)
	require.NoError(t, err)
	ask := gateway.LinkPrompt{Person: ann.ID, Plugin: "github", Redirect: driver, Trusting: true}
	third, err := l.c.PromptLink(ctx, ask)
	require.NoError(t, err)
	l.set(map[string]bool{gateway.ByBothLogins: false, gateway.ByLogin: false, gateway.ByPrompt: false})
	for _, address := range []string{link, second} {
		b := l.browser()
		b.get(address)
		require.Equal(t, http.StatusBadRequest, b.last.Code)
	}
	_, e := l.agree(l.browser(), third.URL, who{User: "ann-hub"})
	require.Equal(t, "denied", e)
	for _, r := range []gateway.AuthRequest{both, named} {
		_, err := l.AuthorizeURL(ctx, r)
		require.ErrorIs(t, err, gateway.Denied)
	}
	_, err = l.c.PromptLink(ctx, ask)
	require.ErrorIs(t, err, gateway.Denied)
	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub"})
	require.Empty(t, e, "one login of one account joins nobody")

	l.set(map[string]bool{gateway.ByBothLogins: false, gateway.ByLogin: false})
	_, e = l.agree(l.browser(), third.URL, who{User: "ann-hub2"})
	require.Empty(t, e, "a prompt is a way of its own, and the link was not used up by who was refused")

	// Switched off between the two consent pages.
	l.set(nil)
	link, err = l.AuthorizeURL(ctx, both)
	require.NoError(t, err)
	b := l.browser()
	to := l.back(b, "forum", b.get(link).Query().Get("state"), who{User: "bob"})
	l.set(map[string]bool{gateway.ByBothLogins: false})
	to = l.back(b, "github", to.Query().Get("state"), who{User: "bob-hub"})
	require.Equal(t, "denied", to.Query().Get("error"))
	l.unknown(ref("bob"), hub("bob-hub"))
}
