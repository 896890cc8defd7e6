package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// guild is a platform's roles as a test makes them up: fn gives a page.
type guild struct {
	*rig
	c    *gateway.Community
	inst *gateway.Instance
	fn   func(ctx context.Context, role, cursor string) ([]string, string, error)
}

func newGuild(t *testing.T, s store.Store) *guild {
	t.Helper()
	g := &guild{rig: newRig(t, gateway.Options{Store: s})}
	g.again(newForum(g.api, gateway.RoleFunc("team", "A team.", func(f *forum, ctx context.Context, role, cursor string) ([]string, string, error) {
		return g.fn(ctx, role, cursor)
	}, gateway.Needs("teams:read"))))
	g.c, g.inst = g.town("town", "S1")
	return g
}

// pages makes fn give some users, a few on each page.
func (g *guild) pages(size int, users ...string) {
	g.fn = func(_ context.Context, _, cursor string) ([]string, string, error) {
		n, _ := strconv.Atoi(cursor)
		end := min(n+size, len(users))
		if end == len(users) {
			return users[n:], "", nil
		}
		return users[n:end], strconv.Itoa(end), nil
	}
}

// has lists who has the role, as a vote or policy sees it.
func (g *guild) has(role string, users ...string) []string {
	g.t.Helper()
	out := []string{}
	for _, u := range users {
		err := g.c.RequireClaim(g.t.Context(), gateway.AccountKey("forum", "S1", u), gateway.ClaimQuery{Kind: gateway.ClaimRole, Name: "forum/" + role})
		if err == nil {
			out = append(out, u)
		} else {
			require.ErrorIs(g.t, err, gateway.Denied)
		}
	}
	return out
}

func TestReadingRoles(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		g := newGuild(t, s)
		ctx := t.Context()
		core := gateway.RoleKey("forum", "team/core")
		heard := g.listen("roles", gateway.Filter{Plugin: "gateway"})
		everybody := []string{"ann", "bob", "cid", "dan"}

		g.pages(1, "ann", "bob", "ann", "bob")
		reading, err := g.c.ReadRole(ctx, core, 0)
		require.NoError(t, err)
		require.Equal(t, gateway.Reading{Members: 2, At: g.clock.now()}, reading, "who stands twice is one")
		require.Equal(t, []string{"ann", "bob"}, g.has("team/core", everybody...))
		require.Empty(t, g.has("team/other", everybody...), "another role")
		g.wait(time.Second)
		require.Empty(t, heard.kinds(), "at the first reading everybody has it anew")

		first := g.clock.now()
		g.pages(2, "bob", "cid")
		_, err = g.c.ReadRole(ctx, core, time.Hour)
		require.NoError(t, err)
		require.Equal(t, []string{"ann", "bob"}, g.has("team/core", everybody...), "young enough")
		reading, err = g.c.ReadRole(ctx, core, 0)
		require.NoError(t, err)
		require.Equal(t, 2, reading.Members)
		require.Equal(t, []string{"bob", "cid"}, g.has("team/core", everybody...))
		g.wait(time.Second)
		about := func(u string) string {
			return gateway.AccountKey("forum", "S1", u) + " " + gateway.ClaimKey(gateway.ClaimRole, "forum/team/core")
		}
		require.Equal(t, []string{"claim_granted " + about("cid"), "claim_revoked " + about("ann")}, heard.kinds())
		claims, err := g.c.Claims(ctx, gateway.AccountKey("forum", "S1", "bob"))
		require.NoError(t, err)
		require.Equal(t, first.Add(-time.Second), claims[0].At, "since when it is known")
		require.Equal(t, first, claims[0].Checked, "when it was read last")
		require.Equal(t, "forum", claims[0].Issuer)

		g.pages(1)
		reading, err = g.c.ReadRole(ctx, core, 0)
		require.NoError(t, err)
		require.Zero(t, reading.Members)
		require.Empty(t, g.has("team/core", everybody...), "nobody is left")

		for _, bad := range []string{"team/core", "account:forum/S1/ann", gateway.RoleKey("local", "mods"), "role:forum/", "person:*", ""} {
			_, err := g.c.ReadRole(ctx, bad, 0)
			require.ErrorIs(t, err, gateway.Invalid, bad)
		}
		for _, none := range []string{gateway.RoleKey("forum", "team"), gateway.RoleKey("forum", "team/"), gateway.RoleKey("forum", "king/x"), gateway.RoleKey("chat", "team/x"), gateway.RoleKey("forum", "team/a\nb"), gateway.RoleKey("forum", "team/"+strings.Repeat("x", 495))} {
			_, err := g.c.ReadRole(ctx, none, 0)
			require.ErrorIs(t, err, gateway.NotFound, none)
		}
		other, _ := g.town("other", "S2")
		list, err := other.Claims(ctx, gateway.AccountKey("forum", "S1", "bob"))
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

// A reading that did not reach the end is none: nobody loses a role by it, and its age does not change.
func TestReadingsThatFail(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		g := newGuild(t, s)
		ctx := t.Context()
		core := gateway.RoleKey("forum", "team/core")
		g.pages(1, "ann", "bob", "cid")
		whole, err := g.c.ReadRole(ctx, core, 0)
		require.NoError(t, err)
		after := func(next string, err error) func(context.Context, string, string) ([]string, string, error) {
			return func(_ context.Context, _, cursor string) ([]string, string, error) {
				if cursor == "" {
					return []string{"dan"}, "2", nil
				}
				return []string{"bob"}, next, err
			}
		}
		for what, v := range map[string]struct {
			fn   func(context.Context, string, string) ([]string, string, error)
			code gateway.Code
		}{
			"an error on the second page": {after("", gateway.Errorf(gateway.Unavailable, "away")), gateway.Unavailable},
			"the same page again":         {after("2", nil), gateway.Unavailable},
			"round in a circle": {func(_ context.Context, _, cursor string) ([]string, string, error) {
				return []string{"bob"}, map[string]string{"": "1", "1": "2", "2": "1"}[cursor], nil
			}, gateway.Unavailable},
			"without an end": {func(_ context.Context, _, cursor string) ([]string, string, error) {
				n, _ := strconv.Atoi(cursor)
				return nil, strconv.Itoa(n + 1), nil
			}, gateway.Unavailable},
			"nobody": {func(context.Context, string, string) ([]string, string, error) { return []string{"dan", ""}, "", nil }, gateway.Unavailable},
			"a panic": {func(_ context.Context, _, cursor string) ([]string, string, error) {
				if cursor == "" {
					return []string{"dan"}, "2", nil
				}
				panic("boom")
			}, gateway.Internal},
		} {
			g.clock.advance(time.Minute)
			g.fn = v.fn
			_, err := g.c.ReadRole(ctx, core, 0)
			require.ErrorIs(t, err, v.code, what)
			require.Subset(t, g.has("team/core", "ann", "bob", "cid"), []string{"ann", "bob", "cid"}, what)
			g.fn = func(context.Context, string, string) ([]string, string, error) { t.Error("asked"); return nil, "", nil }
			still, err := g.c.ReadRole(ctx, core, time.Hour)
			require.NoError(t, err)
			require.Equal(t, whole, still, "%s: as old as it was", what)
		}
		g.pages(2, "ann", "bob")
		g.clock.advance(-24 * time.Hour)
		_, err = g.c.ReadRole(ctx, core, 0)
		require.NoError(t, err)
		require.Equal(t, []string{"ann", "bob"}, g.has("team/core", "ann", "bob", "cid", "dan"), "also where the clock was set back, those drop out who are not in it")

		require.NoError(t, g.inst.Pause(ctx, "for a test"))
		_, err = g.c.ReadRole(ctx, core, 0)
		require.ErrorIs(t, err, gateway.Conflict)
	})
}

// A large role is kept in pieces, and read once where many ask at a time.
func TestALargeRole(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		g := newGuild(t, s)
		ctx := t.Context()
		all := []string{}
		for n := range 2345 {
			all = append(all, fmt.Sprintf("u%04d", n))
		}
		g.pages(1000, all...)
		pages, asked := g.fn, 0
		g.fn = func(ctx context.Context, role, cursor string) ([]string, string, error) {
			if cursor == "" {
				asked++
			}
			return pages(ctx, role, cursor)
		}
		core := gateway.RoleKey("forum", "team/core")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				reading, err := g.c.ReadRole(ctx, core, time.Minute)
				require.NoError(t, err)
				require.Equal(t, 2345, reading.Members)
			})
		}
		wg.Wait()
		require.Equal(t, 1, asked)
		g.clock.advance(time.Second)
		g.pages(1000, all[:1200]...)
		reading, err := g.c.ReadRole(ctx, core, 0)
		require.NoError(t, err)
		require.Equal(t, 1200, reading.Members)
		require.Equal(t, []string{"u1199"}, g.has("team/core", "u1199", "u1200", "u2344"))
	})
}

func TestRolesInTheCatalog(t *testing.T) {
	g := newGuild(t, nil)
	catalog, err := g.c.Catalog(t.Context())
	require.NoError(t, err)
	i := slices.IndexFunc(catalog.Plugins, func(i gateway.CatalogItem) bool { return i.Instance == "forum" })
	require.Len(t, catalog.Plugins[i].Roles, 1)
	role := catalog.Plugins[i].Roles[0]
	require.Equal(t, "team", role.Name)
	require.Equal(t, "A team.", role.Doc)
	require.Equal(t, []string{"teams:read"}, role.Needs)
	kind := func(name string) gateway.Feature[*forum] {
		return gateway.RoleFunc(name, "A team.", func(*forum, context.Context, string, string) ([]string, string, error) { return nil, "", nil })
	}
	require.Panics(t, func() { newForum(g.api, kind("Team")) })
	require.Panics(t, func() { newForum(g.api, kind("team"), kind("team")) })
}

func TestWhatWaitsForAClaimsEndIsErasedWithIt(t *testing.T) {
	g := newGuild(t, nil)
	ctx := t.Context()
	ann := person(t, g.c, ref("ann"))
	for _, subject := range []string{gateway.PersonKey(ann.ID), gateway.AccountKey("forum", "S1", "ann")} {
		_, err := g.c.Grant(ctx, gateway.Claim{Subject: subject, Kind: "group", Name: "young", Expires: g.clock.now().Add(time.Hour)})
		require.NoError(t, err)
	}
	require.Len(t, g.tasks(store.TaskQuery{Kind: "claim"}), 2)
	require.NoError(t, g.c.ErasePerson(ctx, ann.ID))
	g.due()
	require.Empty(t, g.tasks(store.TaskQuery{Kind: "claim"}))
}

// The members of an organization that was merged into another are its members, and an organization that is a member is no voter.
func TestMembersOfMergedOrganizations(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		org := func() gateway.Person {
			p, err := c.CreatePerson(ctx, gateway.NewPerson{Kind: gateway.AnOrganization})
			require.NoError(t, err)
			return p
		}
		acme, old, part := org(), org(), org()
		for subject, of := range map[string]gateway.Person{
			gateway.AccountKey("forum", "S1", "ann"): acme, gateway.AccountKey("forum", "S1", "bob"): old, gateway.OrganizationKey(part.ID): acme,
		} {
			_, err := c.Grant(ctx, gateway.Claim{Subject: subject, Kind: gateway.ClaimMember, Name: of.ID})
			require.NoError(t, err)
		}
		_, err := c.Merge(ctx, acme.ID, old.ID, gateway.Ground{})
		require.NoError(t, err)
		for _, when := range []vote.Eligibility{vote.Snapshot, vote.Live} {
			for _, id := range []string{acme.ID, old.ID} {
				ask := vote.Ask{EligibleVoters: []string{gateway.OrganizationKey(id)}, Eligibility: when}
				if when == vote.Snapshot {
					ask.QuorumShare = "1/2"
				}
				p := r.poll(inst, ask)
				for _, voter := range []string{"ann", "bob"} {
					require.NoError(t, cast(t, c, p.ID, voter, vote.Yes, r.clock.now()), "%s %s", when, voter)
				}
				require.ErrorIs(t, cast(t, c, p.ID, "cid", vote.Yes, r.clock.now()), gateway.Denied)
				p, err := c.Close(ctx, p.ID)
				require.NoError(t, err)
				if when == vote.Snapshot {
					require.EqualValues(t, 2, r.outcome(p).Turnout.Eligible)
				}
			}
		}
	})
}

// closableState is a vote that certain people close on the platform.
type closableState struct{}

func (s *closableState) Start(ctx context.Context, r *pollRun, in poll) error {
	return r.Plugin.api.do(ctx, "start", "start "+in.Title)
}

func (s *closableState) Receive(ctx context.Context, r *pollRun, m forumMessage) (gateway.Reply, error) {
	may, err := r.MayClose(ctx, m.User)
	if err == nil && may {
		r.CloseNow(vote.Closing{By: vote.ByPerson, User: m.User})
	}
	return gateway.Reply{}, err
}

// Who may close a vote by a role of the platform may so, whoever the vote is open to: the role is read for it, and again while the vote is open.
func TestARoleThatMayClose(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		mods := []string{"ann"}
		r.again(newForum(r.api,
			gateway.RoleFunc("mods", "Moderators.", func(*forum, context.Context, string, string) ([]string, string, error) { return mods, "", nil }),
			gateway.ProcessFunc("closable", "A vote.", (*closableState).Start, gateway.Can(vote.Can{CloseByPeople: true, Eligibility: true})),
		))
		c, inst := r.town("town", "S1")
		start := func() string {
			p, err := inst.Start(t.Context(), "closable", poll{vote.Ask{Title: "t", EligibleVoters: []string{"dan"}, MayClose: []string{gateway.RoleKey("forum", "mods/all")}}})
			require.NoError(t, err)
			return p.ID
		}
		closes := func(process, user string) bool {
			require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "close", User: user, Process: process}).Code)
			r.due()
			return r.process(c, process).Done()
		}
		p := start()
		require.False(t, closes(p, "bob"))
		require.True(t, closes(p, "ann"))
		p = start()
		mods = []string{"bob"}
		r.wait(6 * time.Minute)
		require.False(t, closes(p, "ann"), "who has it no more")
		require.True(t, closes(p, "bob"), "who has it now")
	})
}
