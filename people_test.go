package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/storetest"
	"github.com/metagov/gateway-go/vote"
)

// Who logs in every day, for years, is known by one login, and can still log in.
func TestEvidenceIsRenewed(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		ann := person(t, c, ref("ann"), hub("ann"))
		for day := range 5 {
			r.clock.advance(24 * time.Hour)
			_, err := c.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: ref("ann")}, gateway.Ground{Kind: gateway.OneLogin, Issuer: "forum", Data: fmt.Append(nil, day)})
			require.NoError(t, err)
		}
		known, err := c.Evidence(ctx, ref("ann"))
		require.NoError(t, err)
		require.Len(t, known, 2)
		require.Equal(t, r.clock.now(), known[1].At, "the last counts")
		require.JSONEq(t, "4", string(known[1].Data))
		history, err := c.History(ctx, ann.ID, 0, 0)
		require.NoError(t, err)
		require.Len(t, history, 4, "created, linked twice, and one login")

		now := r.clock.now()
		both := func(expires time.Time) gateway.Evidence {
			e, err := c.AddEvidence(ctx, ref("ann"), hub("ann"), gateway.Ground{Kind: gateway.BothLogins, Issuer: "x", Expires: expires})
			require.NoError(t, err)
			return e
		}
		first := both(now.Add(time.Hour))
		require.Equal(t, now.Add(2*time.Hour), both(now.Add(2*time.Hour)).Expires)
		again := both(now.Add(time.Minute))
		require.Equal(t, now.Add(2*time.Hour), again.Expires, "it never says less than before")
		require.Equal(t, first.ID, again.ID)
		r.clock.advance(3 * time.Hour)
		other := both(time.Time{})
		require.NotEqual(t, first.ID, other.ID, "what has expired stays as it was")
		require.Equal(t, other.ID, both(r.clock.now().Add(time.Hour)).ID)
		require.NoError(t, c.RevokeEvidence(ctx, other.ID, "no"))
		require.NotEqual(t, other.ID, both(time.Time{}).ID, "and so does what was revoked")
		_, err = c.AddEvidence(ctx, ref("ann"), ref("ann"), gateway.Ground{})
		require.ErrorIs(t, err, gateway.Invalid)
		for _, bad := range []gateway.Ground{{Issuer: strings.Repeat("x", 201)}, {Data: json.RawMessage(`{`)}, {Data: json.RawMessage(`"` + strings.Repeat("x", 16<<10) + `"`)}} {
			_, err = c.AddEvidence(ctx, ref("ann"), hub("ann"), bad)
			require.ErrorIs(t, err, gateway.Invalid)
		}
	})
}

// What is missing follows from what is weakest, and from what the community trusts and allows.
func TestMissing(t *testing.T) {
	r := newRig(t, gateway.Options{})
	ctx := t.Context()
	c, _ := r.town("town", "S1")
	p, err := c.CreatePerson(ctx, gateway.NewPerson{})
	require.NoError(t, err)
	for a, kind := range map[gateway.AccountRef]string{ref("ann"): gateway.OneLogin, hub("ann"): gateway.AdminAsserted, hub("ann2"): gateway.Unproven} {
		_, err := c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: a}, gateway.Ground{Kind: kind})
		require.NoError(t, err)
	}
	q := person(t, c, ref("bob"))
	_, err = c.Merge(ctx, p.ID, q.ID, gateway.Ground{Kind: gateway.Unproven})
	require.NoError(t, err)
	const (
		forum, github = "account:forum/S1/ann", "account:github/acme/ann"
		both          = "a login of " + forum + " in the same session as one of "
	)
	link, err := c.Strength(ctx, hub("ann"), hub("ann2"))
	require.NoError(t, err)
	require.Contains(t, link.Missing, "a login of "+github+"2 would make it asserted", "the other side is not surer than that")
	for _, test := range []struct {
		to       gateway.AccountRef
		settings gateway.Settings
		strength gateway.Strength
		missing  string
	}{
		{hub("ann"), gateway.Settings{}, gateway.Asserted, "a login of " + github + " would make it proven; " + both + github + " would make it verified"},
		{hub("ann2"), gateway.Settings{}, gateway.Unverified, "a login of " + github + "2 would make it proven; " + both + github + "2 would make it verified"},
		{ref("bob"), gateway.Settings{}, gateway.Unverified, both + "account:forum/S1/bob would make it verified"},
		{hub("ann"), gateway.Settings{Linking: map[string]bool{gateway.ByBothLogins: false}}, gateway.Asserted, "a login of " + github + " would make it proven"},
		{hub("ann"), gateway.Settings{Linking: map[string]bool{gateway.ByLogin: false}}, gateway.Asserted, both + github + " would make it verified"},
		{hub("ann"), gateway.Settings{Linking: map[string]bool{gateway.ByLogin: false, gateway.ByBothLogins: false}}, gateway.Asserted, "no login that this community knows of or trusts would make it stronger"},
		{
			hub("ann"), gateway.Settings{Trust: []gateway.Trust{{Kind: gateway.BothLogins, Strength: gateway.Proven}, {Kind: gateway.AdminAsserted, Strength: gateway.Verified}}},
			gateway.Proven, "no login that this community knows of or trusts would make it stronger",
		},
		{hub("ann"), gateway.Settings{Trust: []gateway.Trust{{Kind: gateway.AdminAsserted}}}, gateway.None, both + github + " would make it verified"},
		{ref("ann"), gateway.Settings{}, gateway.Verified, ""},
	} {
		require.NoError(t, c.SetSettings(ctx, test.settings))
		link, err := c.Strength(ctx, ref("ann"), test.to)
		require.NoError(t, err)
		require.Equal(t, test.strength, link.Strength)
		require.Equal(t, test.missing, link.Missing, "%v %v", test.to, test.settings)
	}
}

func TestPeopleByStrength(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		ann, bob := person(t, c, ref("ann")), person(t, c, ref("bob"))
		_, err := c.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: ref("ann")}, gateway.Ground{Kind: gateway.OneLogin})
		require.NoError(t, err)
		_, err = c.Merge(ctx, bob.ID, person(t, c, hub("bob")).ID, gateway.Ground{Kind: gateway.Unproven})
		require.NoError(t, err)
		many := map[string]bool{}
		for n := range 150 {
			many[person(t, c, ref(fmt.Sprint("user", n))).ID] = true
		}
		find := func(f gateway.PersonFilter) (out []string) {
			t.Helper()
			for after := ""; ; {
				page, err := c.People(ctx, f, after, 7)
				require.NoError(t, err)
				var ids []string
				for _, p := range page {
					after = p.ID
					ids = append(ids, p.ID)
				}
				some, err := c.FilterPeople(ctx, ids, f)
				require.NoError(t, err)
				require.Equal(t, page, some)
				out = append(out, ids...)
				if len(page) < 7 {
					return out
				}
			}
		}
		require.Equal(t, []string{ann.ID}, find(gateway.PersonFilter{AtLeast: gateway.Proven}))
		require.Len(t, find(gateway.PersonFilter{AtLeast: gateway.Asserted}), 152)
		require.Empty(t, find(gateway.PersonFilter{Plugin: "github", AtLeast: gateway.Asserted}), "it is linked by a merge that nobody has proved")
		require.Equal(t, []string{bob.ID}, find(gateway.PersonFilter{Plugin: "github", AtLeast: gateway.Unverified}))
		require.Equal(t, []string{bob.ID}, find(gateway.PersonFilter{Plugin: "forum", PlatformID: "S1", UserID: "bob"}))
		require.Empty(t, find(gateway.PersonFilter{Plugin: "forum", PlatformID: "S1", UserID: "bob", AtLeast: gateway.Proven}))
		require.Empty(t, find(gateway.PersonFilter{Plugin: "forum", PlatformID: "S1", UserID: "bob", Kind: gateway.AnOrganization}))
		require.Empty(t, find(gateway.PersonFilter{Plugin: "forum", PlatformID: "S1", UserID: "nobody"}))
	})
}

// A person with more accounts than anybody has is refused: the cost of knowing them has a bound.
func TestTooManyAccounts(t *testing.T) {
	r := newRig(t, gateway.Options{})
	ctx := t.Context()
	c, _ := r.town("town", "S1")
	ann, bob := person(t, c), person(t, c)
	for n := range 1000 {
		p := ann
		if n%2 == 0 {
			p = bob
		}
		_, err := c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: ref(fmt.Sprint(n))}, gateway.Ground{})
		require.NoError(t, err)
	}
	last := person(t, c, ref("last"))
	_, err := c.Merge(ctx, ann.ID, bob.ID, gateway.Ground{})
	require.NoError(t, err)
	_, err = c.Merge(ctx, ann.ID, last.ID, gateway.Ground{})
	require.ErrorIs(t, err, gateway.Conflict)
	_, err = c.Link(ctx, bob.ID, gateway.NewAccount{AccountRef: ref("more")}, gateway.Ground{})
	require.ErrorIs(t, err, gateway.Conflict)
	link, err := c.Strength(ctx, ref("0"), ref("999"))
	require.NoError(t, err)
	require.Equal(t, gateway.Asserted, link.Strength)
	require.Len(t, link.Path, 3)
}

// What happens to people is told like everything else, although it happens in no instance.
func TestIdentityEvents(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s), Reach: here()})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		other, _ := r.town("other", "S2")
		v := newReceiver(t, r)
		for _, spec := range []gateway.EndpointSpec{
			{URL: v.URL + "/linked", Filters: []gateway.Filter{{Types: []string{"gateway.account_linked"}}}},
			{URL: v.URL + "/merged", Filters: []gateway.Filter{{Types: []string{gateway.PeopleMerged}}}},
			{URL: v.URL + "/inst", Filters: []gateway.Filter{{Instance: inst.ID()}}},
		} {
			_, _, err := c.Endpoints().Create(ctx, spec)
			require.NoError(t, err)
		}
		_, _, err := other.Endpoints().Create(ctx, gateway.EndpointSpec{URL: v.URL + "/other"})
		require.NoError(t, err)
		all, ours, theirs, forum := r.listen("all"), r.listen("ours", gateway.Filter{Plugin: "gateway"}), r.listen("theirs", gateway.Filter{Community: "other"}), r.listen("forum", gateway.Filter{Instance: inst.ID()})
		ann, bob := person(t, c, ref("ann")), person(t, c, ref("bob"))
		_, err = c.Merge(ctx, ann.ID, bob.ID, gateway.Ground{Kind: gateway.AdminAsserted, Issuer: "eve"})
		require.NoError(t, err)
		r.says("S1", "m1", "hello")
		r.due()
		require.Len(t, all.events, 6)
		require.Len(t, ours.events, 5)
		require.Empty(t, theirs.events)
		require.Len(t, forum.events, 1)
		var told gateway.IdentityChange
		require.NoError(t, json.Unmarshal(ours.events[4].Data, &told))
		require.Equal(t, gateway.PeopleMerged, ours.events[4].Type)
		require.NotEmpty(t, told.Evidence)
		told.Evidence = ""
		require.Equal(t, gateway.IdentityChange{Person: ann.ID, Subject: gateway.PersonKey(bob.ID), How: gateway.AdminAsserted, Issuer: "eve"}, told, "both, and why")
		types := map[string]int{}
		for _, m := range v.messages() {
			types[m.typ]++
		}
		require.Equal(t, map[string]int{"gateway.account_linked": 2, "gateway.people_merged": 1, "forum.message": 1}, types)
		h, err := r.Health(ctx)
		require.NoError(t, err)
		require.Zero(t, h.Dead)

		require.NoError(t, c.SetSettings(ctx, gateway.Settings{Forget: []gateway.Forget{{Plugin: "gateway", Type: "account_*", Fields: []string{"/subject"}}, {Type: gateway.PersonSplit}}}))
		_, err = c.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: ref("new")}, gateway.Ground{})
		require.NoError(t, err)
		_, err = c.Split(ctx, bob.ID)
		require.NoError(t, err)
		r.due()
		require.Len(t, ours.events, 6, "a split is not kept")
		require.NotContains(t, string(ours.events[5].Data), "new")
		require.NoError(t, c.ErasePerson(ctx, ann.ID), "also where events are not kept whole")
		r.wait(time.Hour)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "erase"}))
	})
}

// A vote of an instance that was removed loses the name like any other.
func TestErasedFromARemovedInstance(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		ann := person(t, c, ref("canary"))
		org, err := c.CreatePerson(ctx, gateway.NewPerson{Kind: gateway.AnOrganization})
		require.NoError(t, err)
		for n := range 501 {
			_, err := c.Grant(ctx, gateway.Claim{Subject: gateway.AccountKey("forum", "S1", fmt.Sprint(n)), Kind: gateway.ClaimMember, Name: org.ID})
			require.NoError(t, err)
		}
		p := r.poll(inst, vote.Ask{})
		require.NoError(t, cast(t, c, p.ID, "canary", vote.Yes, r.clock.now()))
		_, err = c.Close(ctx, p.ID)
		require.NoError(t, err)
		require.NoError(t, inst.Remove(ctx))
		require.NoError(t, c.ErasePerson(ctx, ann.ID))
		require.NoError(t, c.ErasePerson(ctx, org.ID))
		r.due()
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "erase"}))
		require.NoError(t, s.View(ctx, func(tx store.Tx) error {
			held, err := tx.Ballots(p.ID, "", "", 10)
			require.NoError(t, err)
			require.Len(t, held, 1)
			require.Contains(t, held[0].Voter, "erased:")
			require.Contains(t, held[0].Holder, "erased:")
			row, err := tx.Process(p.ID)
			require.NoError(t, err)
			require.NotContains(t, string(row.Outcome), "canary")
			members, err := tx.ClaimsBy(store.ClaimQuery{Community: "town", Kind: gateway.ClaimMember, Name: org.ID}, "", "", 10)
			require.Empty(t, members, "nobody belongs to what was erased")
			return err
		}))
	})
}

func TestTooLongAQuality(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, _ := r.town("town", "S1")
	ann := person(t, c, ref("ann"))
	long := strings.Repeat("x", 201)
	_, err := c.Link(t.Context(), ann.ID, gateway.NewAccount{AccountRef: ref("ann2"), Quality: long}, gateway.Ground{})
	require.ErrorIs(t, err, gateway.Invalid)
	_, err = c.UpdateAccount(t.Context(), ref("ann"), gateway.AccountUpdate{Quality: &long})
	require.ErrorIs(t, err, gateway.Invalid)
}
