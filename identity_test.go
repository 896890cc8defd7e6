package gateway_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

func ref(user string) gateway.AccountRef {
	return gateway.AccountRef{Plugin: "forum", PlatformID: "S1", UserID: user}
}

func hub(user string) gateway.AccountRef {
	return gateway.AccountRef{Plugin: "github", PlatformID: "acme", UserID: user}
}

// person makes a person with accounts, linked by an admin's word.
func person(t require.TestingT, c *gateway.Community, accounts ...gateway.AccountRef) gateway.Person {
	ctx := ctxOf(t)
	p, err := c.CreatePerson(ctx, gateway.NewPerson{})
	require.NoError(t, err)
	for _, a := range accounts {
		_, err := c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: a}, gateway.Ground{})
		require.NoError(t, err)
	}
	p, err = c.Person(ctx, p.ID)
	require.NoError(t, err)
	return p
}

func names(p gateway.Person) []string {
	out := []string{}
	for _, a := range p.Accounts {
		out = append(out, a.UserID)
	}
	slices.Sort(out)
	return out
}

func TestPeopleAndAccounts(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		other, _ := r.town("other", "S2")
		ears := r.listen("changes", gateway.Filter{Plugin: "gateway"})

		p, err := c.CreatePerson(ctx, gateway.NewPerson{Name: "Ann", Data: json.RawMessage(`{"since":2020}`)})
		require.NoError(t, err)
		a, err := c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: gateway.AccountRef{Plugin: "forum", UserID: "ann"}, Name: "ann!", Data: json.RawMessage(`{}`)}, gateway.Ground{Issuer: "eve"})
		require.NoError(t, err)
		require.Equal(t, "S1", a.PlatformID, "the community has one forum")
		require.Equal(t, gateway.AdminAsserted, a.LinkType)
		again, err := c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: ref("ann")}, gateway.Ground{Issuer: "fay"})
		require.NoError(t, err, "linking it again adds to what is known")
		require.Equal(t, "ann!", again.Name, "what is not given stays")
		known, err := c.Evidence(ctx, ref("ann"))
		require.NoError(t, err)
		require.Len(t, known, 2)
		slices.SortFunc(known, func(a, b gateway.Evidence) int { return strings.Compare(a.Issuer, b.Issuer) }) // eve's first

		who, err := c.WhoIs(ctx, ref("ann"))
		require.NoError(t, err)
		require.Equal(t, p.ID, who.ID)
		require.Equal(t, "Ann", who.Name)
		require.Equal(t, []string{"ann"}, names(who))
		found, err := c.LinkedAccount(ctx, p.ID, "forum", "")
		require.NoError(t, err)
		require.Equal(t, "ann", found.UserID)
		_, err = c.LinkedAccount(ctx, p.ID, "github", "")
		require.ErrorIs(t, err, gateway.NotFound)

		q := person(t, c)
		_, err = c.Link(ctx, q.ID, gateway.NewAccount{AccountRef: ref("ann")}, gateway.Ground{})
		require.ErrorIs(t, err, gateway.Conflict, "it is somebody else's")
		require.NotContains(t, err.Error(), p.ID, "whose is not said")
		_, err = c.Link(ctx, "nobody", gateway.NewAccount{AccountRef: ref("x")}, gateway.Ground{})
		require.ErrorIs(t, err, gateway.NotFound)
		_, err = c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: gateway.AccountRef{Plugin: "forum"}}, gateway.Ground{})
		require.ErrorIs(t, err, gateway.Invalid)
		_, err = c.Link(ctx, q.ID, gateway.NewAccount{AccountRef: ref("Ann")}, gateway.Ground{})
		require.NoError(t, err, "a look-alike is somebody else")
		_, err = c.Link(ctx, q.ID, gateway.NewAccount{AccountRef: ref("аnn")}, gateway.Ground{})
		require.NoError(t, err, "and so is one with a letter of another alphabet")

		_, err = other.WhoIs(ctx, ref("ann"))
		require.ErrorIs(t, err, gateway.NotFound, "another community knows nobody of ours")
		_, err = other.Person(ctx, p.ID)
		require.ErrorIs(t, err, gateway.NotFound)
		_, err = other.Link(ctx, p.ID, gateway.NewAccount{AccountRef: ref("ann")}, gateway.Ground{})
		require.ErrorIs(t, err, gateway.NotFound)

		up, err := c.UpdateAccount(ctx, ref("ann"), gateway.AccountUpdate{Quality: new("good")})
		require.NoError(t, err)
		require.Equal(t, "good", up.Quality)
		require.Equal(t, "ann!", up.Name)
		all, err := c.People(ctx, gateway.PersonFilter{Plugin: "forum", Quality: "good"}, "", 0)
		require.NoError(t, err)
		require.Len(t, all, 1)
		all, err = c.People(ctx, gateway.PersonFilter{Kind: gateway.APerson}, "", 1)
		require.NoError(t, err)
		require.Len(t, all, 1)
		some, err := c.FilterPeople(ctx, []string{q.ID, p.ID, p.ID}, gateway.PersonFilter{Plugin: "forum"})
		require.NoError(t, err)
		require.Len(t, some, 2, "each once")
		_, err = c.FilterPeople(ctx, []string{"nobody"}, gateway.PersonFilter{})
		require.ErrorIs(t, err, gateway.NotFound)

		require.NoError(t, c.Unlink(ctx, ref("ann")))
		require.ErrorIs(t, c.Unlink(ctx, ref("ann")), gateway.NotFound)
		_, err = c.WhoIs(ctx, ref("ann"))
		require.ErrorIs(t, err, gateway.NotFound)
		history, err := c.History(ctx, p.ID, 0, 0)
		require.NoError(t, err)
		var kinds []string
		for _, h := range history {
			kinds = append(kinds, h.Kind)
		}
		require.Equal(t, []string{gateway.PersonCreated, gateway.AccountLinked, gateway.EvidenceAdded, gateway.AccountUnlinked}, kinds)
		r.due()
		require.NotEmpty(t, ears.events)
		var change gateway.IdentityChange
		require.NoError(t, json.Unmarshal(ears.events[1].Data, &change))
		require.Equal(t, gateway.IdentityChange{Person: p.ID, Subject: gateway.AccountKey("forum", "S1", "ann"), How: gateway.AdminAsserted, Issuer: "eve", Evidence: known[0].ID}, change)
		entries, err := c.Audit(ctx, gateway.AuditQuery{Kinds: []string{gateway.AuditLinked}}, 0, 0)
		require.NoError(t, err)
		require.NotContains(t, string(entries[0].Data), "ann", "the record outlives people, and names no account")
	})
}

func TestMergeAndSplit(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		var p []gateway.Person
		for _, user := range []string{"a", "b", "c", "d"} {
			p = append(p, person(t, c, ref(user)))
		}
		merge := func(into, from int) {
			t.Helper()
			_, err := c.Merge(ctx, p[into].ID, p[from].ID, gateway.Ground{})
			require.NoError(t, err)
		}
		merge(1, 0) // a into b
		merge(2, 3) // d into c
		merge(3, 0) // who stands for a into who stands for d: b into c
		whole, err := c.Person(ctx, p[0].ID)
		require.NoError(t, err)
		require.Equal(t, p[2].ID, whole.ID, "at any depth")
		require.Equal(t, []string{"a", "b", "c", "d"}, names(whole))
		require.ElementsMatch(t, []string{p[0].ID, p[1].ID, p[3].ID}, whole.Merged)
		people, err := c.People(ctx, gateway.PersonFilter{}, "", 0)
		require.NoError(t, err)
		require.Len(t, people, 1, "who was merged is not listed twice")

		for _, pair := range [][2]int{{0, 0}, {0, 3}, {2, 0}, {2, 2}} {
			_, err := c.Merge(ctx, p[pair[0]].ID, p[pair[1]].ID, gateway.Ground{})
			require.ErrorIs(t, err, gateway.Invalid, "%v", pair)
		}
		org, err := c.CreatePerson(ctx, gateway.NewPerson{Kind: gateway.AnOrganization})
		require.NoError(t, err)
		_, err = c.Merge(ctx, p[2].ID, org.ID, gateway.Ground{})
		require.ErrorIs(t, err, gateway.Invalid, "a person is no organization")
		_, err = c.Split(ctx, p[2].ID)
		require.ErrorIs(t, err, gateway.Conflict, "c was merged into nobody")

		_, err = c.Link(ctx, p[1].ID, gateway.NewAccount{AccountRef: ref("b2")}, gateway.Ground{})
		require.NoError(t, err)
		_, err = c.AddEvidence(ctx, ref("b"), ref("c"), gateway.Ground{Kind: gateway.BothLogins})
		require.NoError(t, err)
		require.NoError(t, c.Require(ctx, ref("b"), ref("c"), gateway.Verified))
		b, err := c.Split(ctx, p[1].ID)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b", "b2"}, names(b), "with those who had been merged into b, and what was linked to b since")
		rest, err := c.Person(ctx, p[2].ID)
		require.NoError(t, err)
		require.Equal(t, []string{"c", "d"}, names(rest))
		require.ErrorIs(t, c.Require(ctx, ref("b"), ref("c"), gateway.Suggested), gateway.Denied)
		merge(2, 1)
		link, err := c.Strength(ctx, ref("b"), ref("c"))
		require.NoError(t, err)
		require.Equal(t, gateway.Asserted, link.Strength, "what was known before they were parted does not come back by itself")

		d, err := c.Detach(ctx, ref("a"), ref("c"))
		require.NoError(t, err)
		require.Equal(t, []string{"a", "c"}, names(d))
		_, err = c.Detach(ctx, ref("a"), ref("b"))
		require.ErrorIs(t, err, gateway.Invalid, "they are not one person's")
		_, err = c.Detach(ctx)
		require.ErrorIs(t, err, gateway.Invalid)
	})
}

func TestStrength(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		ann := person(t, c, ref("ann"), hub("ann"))
		eve := person(t, c, ref("eve"))
		how := func(a, b gateway.AccountRef) gateway.Link {
			t.Helper()
			l, err := c.Strength(ctx, a, b)
			require.NoError(t, err)
			back, err := c.Strength(ctx, b, a)
			require.NoError(t, err)
			require.Equal(t, l.Strength, back.Strength, "it is the same in both directions")
			require.Len(t, back.Path, len(l.Path))
			return l
		}
		l := how(ref("ann"), hub("ann"))
		require.Equal(t, gateway.Asserted, l.Strength)
		require.Len(t, l.Path, 2, "each is linked to the person")
		require.Contains(t, l.Missing, "in the same session")
		require.Equal(t, gateway.None, how(ref("ann"), ref("eve")).Strength)
		require.Equal(t, gateway.Verified, how(ref("ann"), ref("ann")).Strength)
		_, err := c.Strength(ctx, ref("ann"), ref("nobody"))
		require.ErrorIs(t, err, gateway.NotFound)
		require.ErrorIs(t, c.Require(ctx, ref("ann"), ref("nobody"), gateway.Unverified), gateway.Denied)

		_, err = c.AddEvidence(ctx, ref("ann"), ref("eve"), gateway.Ground{})
		require.ErrorIs(t, err, gateway.Conflict, "two people are not joined by the way")
		_, err = c.AddEvidence(ctx, ref("ann"), hub("ann"), gateway.Ground{Kind: "hearsay"})
		require.ErrorIs(t, err, gateway.Invalid)
		_, err = c.AddEvidence(ctx, ref("ann"), hub("ann"), gateway.Ground{Kind: gateway.BothLogins, Expires: r.clock.now().Add(-time.Second)})
		require.ErrorIs(t, err, gateway.Invalid, "it has expired")
		_, err = c.AddEvidence(ctx, ref("ann"), hub("ann"), gateway.Ground{Kind: gateway.BothLogins, At: r.clock.now().Add(time.Hour)})
		require.ErrorIs(t, err, gateway.Invalid, "it is from the future")
		_, err = c.AddEvidence(ctx, ref("ann"), hub("ann"), gateway.Ground{Kind: gateway.Inferred})
		require.ErrorIs(t, err, gateway.Invalid)

		err = c.Require(ctx, ref("ann"), hub("ann"), gateway.Verified)
		require.ErrorIs(t, err, gateway.Denied)
		require.ErrorContains(t, err, "linked by asserted: a login of account:forum/S1/ann and one of account:github/acme/ann would make it proven; a login of ")
		e, err := c.AddEvidence(ctx, ref("ann"), hub("ann"), gateway.Ground{Kind: gateway.BothLogins, Expires: r.clock.now().Add(time.Hour)})
		require.NoError(t, err)
		require.NoError(t, c.Require(ctx, ref("ann"), hub("ann"), gateway.Verified))
		require.Equal(t, []string{e.ID}, []string{how(ref("ann"), hub("ann")).Path[0].ID})
		r.clock.advance(time.Hour)
		require.Equal(t, gateway.Asserted, how(ref("ann"), hub("ann")).Strength, "it has expired")
		e, err = c.AddEvidence(ctx, ref("ann"), hub("ann"), gateway.Ground{Kind: gateway.OneLogin})
		require.NoError(t, err)
		require.Equal(t, gateway.Proven, how(ref("ann"), hub("ann")).Strength)
		require.NoError(t, c.RevokeEvidence(ctx, e.ID, "shared computer"))
		require.NoError(t, c.RevokeEvidence(ctx, e.ID, "again"))
		require.Equal(t, gateway.Asserted, how(ref("ann"), hub("ann")).Strength, "it was revoked")
		require.ErrorIs(t, c.RevokeEvidence(ctx, "nothing", ""), gateway.NotFound)

		require.NoError(t, c.SetSettings(ctx, gateway.Settings{Trust: []gateway.Trust{{Kind: gateway.AdminAsserted, Issuer: "", Strength: gateway.Unverified}}}))
		require.Equal(t, gateway.Unverified, how(ref("ann"), hub("ann")).Strength, "the community trusts admins less, also for what is known already")
		require.NoError(t, c.SetSettings(ctx, gateway.Settings{Trust: []gateway.Trust{{Kind: gateway.AdminAsserted}}}))
		require.Equal(t, gateway.None, how(ref("ann"), hub("ann")).Strength)
		require.ErrorIs(t, c.SetSettings(ctx, gateway.Settings{Trust: []gateway.Trust{{Strength: 99}}}), gateway.Invalid)

		require.NoError(t, c.SetSettings(ctx, gateway.Settings{Linking: map[string]bool{gateway.ByAdmin: false}}))
		_, err = c.Link(ctx, eve.ID, gateway.NewAccount{AccountRef: hub("eve")}, gateway.Ground{})
		require.ErrorIs(t, err, gateway.Denied, "this way is switched off")
		_, err = c.Merge(ctx, ann.ID, eve.ID, gateway.Ground{})
		require.ErrorIs(t, err, gateway.Denied)
		require.ErrorIs(t, c.SetSettings(ctx, gateway.Settings{Linking: map[string]bool{"magic": true}}), gateway.Invalid)
		require.NoError(t, c.SetSettings(ctx, gateway.Settings{}))
		_, err = c.Link(ctx, eve.ID, gateway.NewAccount{AccountRef: hub("eve")}, gateway.Ground{Kind: gateway.EmailVerified})
		require.ErrorIs(t, err, gateway.Denied, "e-mail is off by default")
	})
}

func TestSuggestions(t *testing.T) {
	r := newRig(t, gateway.Options{})
	ctx := t.Context()
	c, _ := r.town("town", "S1")
	ann, bob := person(t, c, ref("ann")), person(t, c, hub("ann"))
	s := gateway.Suggestion{A: ref("ann"), B: hub("ann"), Score: 0.99}
	e, err := c.Suggest(ctx, s, "names")
	require.NoError(t, err)
	again, err := c.Suggest(ctx, s, "names")
	require.NoError(t, err)
	require.Equal(t, e.ID, again.ID, "it is suggested once")
	for _, id := range []string{ann.ID, bob.ID} {
		list, err := c.Suggestions(ctx, id)
		require.NoError(t, err)
		require.Len(t, list, 1)
	}
	l, err := c.Strength(ctx, ref("ann"), hub("ann"))
	require.NoError(t, err)
	require.Equal(t, gateway.None, l.Strength, "it joins nobody, however sure it is")
	require.NoError(t, c.RevokeEvidence(ctx, e.ID, "no"))
	_, err = c.Suggest(ctx, s, "names")
	require.ErrorIs(t, err, gateway.Conflict, "what was dismissed is not suggested again")
	e, err = c.Suggest(ctx, s, "others")
	require.NoError(t, err)
	_, err = c.Merge(ctx, ann.ID, bob.ID, gateway.Ground{Kind: gateway.Unproven})
	require.NoError(t, err)
	list, err := c.Suggestions(ctx, ann.ID)
	require.NoError(t, err)
	require.Empty(t, list, "it is settled")
	l, err = c.Strength(ctx, ref("ann"), hub("ann"))
	require.NoError(t, err)
	require.Equal(t, gateway.Unverified, l.Strength)
	for _, bad := range []float64{-0.1, 1.1} {
		_, err = c.Suggest(ctx, gateway.Suggestion{A: ref("ann"), B: hub("ann"), Score: bad}, "x")
		require.ErrorIs(t, err, gateway.Invalid)
	}
	_, err = c.Suggest(ctx, s, "more")
	require.ErrorIs(t, err, gateway.Conflict, "they are one person's")
	require.NoError(t, c.SetSettings(ctx, gateway.Settings{Linking: map[string]bool{gateway.BySuggestion: false}}))
	_, err = c.Suggest(ctx, gateway.Suggestion{A: ref("ann"), B: hub("ann")}, "more")
	require.ErrorIs(t, err, gateway.Denied)
}

// world is what is known of people, for comparing.
func world(t require.TestingT, c *gateway.Community, accounts []gateway.AccountRef) map[string]string {
	out := map[string]string{}
	for _, a := range accounts {
		p, err := c.WhoIs(ctxOf(t), a)
		require.NoError(t, err)
		out[a.UserID] = p.ID
		for _, b := range accounts {
			l, err := c.Strength(ctxOf(t), a, b)
			require.NoError(t, err)
			out[a.UserID+"~"+b.UserID] = l.Strength.String()
		}
	}
	return out
}

// TestIdentityProperties: merge and split are inverse; evidence never weakens; revoking never strengthens; strength is the best of all ways, looked for
// as plainly as possible; each account is one person's.
func TestIdentityProperties(t *testing.T) {
	users := []string{"a", "b", "c", "d"}
	kinds := []string{gateway.BothLogins, gateway.OneLogin, gateway.AdminAsserted, gateway.Unproven}
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			ctx := ctxOf(rt)
			c, err := r.CreateCommunity(ctx, "c"+strconv.Itoa(n), "C")
			require.NoError(rt, err)
			var people []string
			var accounts []gateway.AccountRef
			for _, u := range users {
				p := person(rt, c)
				people = append(people, p.ID)
				_, err := c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: ref(u)}, gateway.Ground{Kind: rapid.SampledFrom(kinds).Draw(rt, "kind")})
				require.NoError(rt, err)
				accounts = append(accounts, ref(u))
			}
			var evidence []string
			for range rapid.IntRange(1, 6).Draw(rt, "acts") {
				x, y := rapid.IntRange(0, 3).Draw(rt, "x"), rapid.IntRange(0, 3).Draw(rt, "y")
				ground := gateway.Ground{Kind: rapid.SampledFrom(kinds).Draw(rt, "kind")}
				before := world(rt, c, accounts)
				switch rapid.IntRange(0, 3).Draw(rt, "act") {
				case 0, 1:
					into, err := c.Person(ctx, people[x])
					require.NoError(rt, err)
					from, err := c.Person(ctx, people[y])
					require.NoError(rt, err)
					_, err = c.Merge(ctx, people[x], people[y], ground)
					if into.ID == from.ID {
						require.ErrorIs(rt, err, gateway.Invalid)
						continue
					}
					require.NoError(rt, err)
					_, err = c.Split(ctx, from.ID)
					require.NoError(rt, err)
					require.Equal(rt, before, world(rt, c, accounts), "a split undoes a merge")
					_, err = c.Merge(ctx, people[x], people[y], ground)
					require.NoError(rt, err)
				case 2:
					e, err := c.AddEvidence(ctx, accounts[x], accounts[y], ground)
					if x == y {
						require.ErrorIs(rt, err, gateway.Invalid)
						continue
					}
					if err != nil {
						require.ErrorIs(rt, err, gateway.Conflict)
						continue
					}
					evidence = append(evidence, e.ID)
					for k, was := range before {
						require.GreaterOrEqual(rt, level(world(rt, c, accounts)[k]), level(was), "evidence never weakens: %s", k)
					}
				case 3:
					if len(evidence) == 0 {
						continue
					}
					require.NoError(rt, c.RevokeEvidence(ctx, evidence[x%len(evidence)], "x"))
					for k, was := range before {
						require.LessOrEqual(rt, level(world(rt, c, accounts)[k]), level(was), "revoking never strengthens: %s", k)
					}
				}
				bestOfAllWays(rt, c, accounts)
			}
		})
	})
}

func level(name string) int {
	var s gateway.Strength
	if s.UnmarshalText([]byte(name)) != nil {
		return -1 // a person's ID
	}
	return int(s)
}

// bestOfAllWays compares Strength with what a closure over all pairs gives.
func bestOfAllWays(t require.TestingT, c *gateway.Community, accounts []gateway.AccountRef) {
	ctx := ctxOf(t)
	best := map[[2]string]gateway.Strength{}
	nodes := map[string]bool{}
	for _, a := range accounts {
		p, err := c.WhoIs(ctx, a)
		require.NoError(t, err)
		for _, id := range append([]string{p.ID}, p.Merged...) {
			nodes[gateway.PersonKey(id)] = true
		}
		nodes[gateway.AccountKey(a.Plugin, a.PlatformID, a.UserID)] = true
	}
	all, err := c.AllEvidence(ctx)
	require.NoError(t, err)
	for _, e := range all {
		if e.Revoked.IsZero() {
			for _, k := range [][2]string{{e.A, e.B}, {e.B, e.A}} {
				best[k] = max(best[k], e.Strength)
			}
		}
	}
	for k := range nodes {
		for i := range nodes {
			for j := range nodes {
				best[[2]string{i, j}] = max(best[[2]string{i, j}], min(best[[2]string{i, k}], best[[2]string{k, j}]))
			}
		}
	}
	for _, a := range accounts {
		for _, b := range accounts {
			l, err := c.Strength(ctx, a, b)
			require.NoError(t, err)
			x, y := gateway.AccountKey(a.Plugin, a.PlatformID, a.UserID), gateway.AccountKey(b.Plugin, b.PlatformID, b.UserID)
			if a != b {
				require.Equal(t, best[[2]string{x, y}], l.Strength, "%s %s", x, y)
			}
		}
	}
}
