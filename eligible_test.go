package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// cast votes in a process and says what became of it.
func cast(t require.TestingT, c *gateway.Community, process, voter, choice string, at time.Time) error {
	b := gateway.Ballot{Voter: voter, At: at}
	if choice != "" {
		b.Choices = []string{choice}
	}
	_, err := c.Cast(ctxOf(t), process, b)
	return err
}

// tallied says how a boolean vote stands: yes, no, voters.
func tallied(t require.TestingT, c *gateway.Community, process string) [3]int64 {
	p, err := c.Process(ctxOf(t), process)
	require.NoError(t, err)
	out := [3]int64{2: p.Voters}
	for _, n := range p.Counts {
		if n.Choice == vote.Yes {
			out[0] = n.Ballots
		} else {
			out[1] = n.Ballots
		}
	}
	return out
}

func TestOnePersonOneBallot(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		ann := person(t, c, ref("ann"), ref("ann2"), hub("ann"))
		p := r.poll(inst, vote.Ask{})
		now := r.clock.now()
		require.NoError(t, cast(t, c, p.ID, "ann", vote.Yes, now))
		require.NoError(t, cast(t, c, p.ID, "ann2", vote.No, now.Add(time.Second)))
		require.Equal(t, [3]int64{0, 1, 1}, tallied(t, c, p.ID), "the later stands")
		require.NoError(t, cast(t, c, p.ID, gateway.AccountKey("github", "acme", "ann"), vote.Yes, now.Add(2*time.Second)))
		require.Equal(t, [3]int64{1, 0, 1}, tallied(t, c, p.ID), "also from another platform")
		require.NoError(t, cast(t, c, p.ID, gateway.AccountKey("forum", "S1", "ann"), vote.No, now.Add(3*time.Second)))
		require.NoError(t, cast(t, c, p.ID, gateway.PersonKey(ann.ID), vote.Yes, now.Add(4*time.Second)))
		require.Equal(t, [3]int64{1, 0, 1}, tallied(t, c, p.ID))
		for _, bad := range []string{"person:*", "role:a/b", "claim:a/b", "account:x", "resource:r", ""} {
			require.ErrorIs(t, cast(t, c, p.ID, bad, vote.Yes, now), gateway.Invalid, "%q", bad)
		}

		require.NoError(t, cast(t, c, p.ID, "bob", vote.No, now.Add(5*time.Second)))
		require.Equal(t, [3]int64{1, 1, 2}, tallied(t, c, p.ID))
		watch := r.watch("polls")
		_, err := c.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: ref("bob")}, gateway.Ground{})
		require.NoError(t, err)
		require.Equal(t, [3]int64{0, 1, 1}, tallied(t, c, p.ID), "linked while the vote is open: the later ballot stands")
		entries, err := c.Audit(ctx, gateway.AuditQuery{Kinds: []string{gateway.AuditReheld}, Process: p.ID}, 0, 0)
		require.NoError(t, err)
		require.Len(t, entries, 1, "and the record says so")
		r.wait(2 * time.Second)
		require.NotEmpty(t, watch.processes, "callbacks hear that the tally moved")
		require.NoError(t, c.Unlink(ctx, ref("bob")))
		require.Equal(t, [3]int64{1, 1, 2}, tallied(t, c, p.ID), "parted again, each has a ballot")

		cid := person(t, c, ref("cid"))
		require.NoError(t, cast(t, c, p.ID, "cid", vote.No, now.Add(6*time.Second)))
		_, err = c.Merge(ctx, cid.ID, ann.ID, gateway.Ground{})
		require.NoError(t, err)
		require.Equal(t, [3]int64{0, 2, 2}, tallied(t, c, p.ID))
		done, err := c.Close(ctx, p.ID)
		require.NoError(t, err)
		out := r.outcome(done)
		require.EqualValues(t, 2, out.Turnout.Voters)
		require.ElementsMatch(t, []string{"bob", "cid"}, out.Questions[0].Options[1].Users)
		_, err = c.Split(ctx, ann.ID)
		require.NoError(t, err)
		require.Equal(t, [3]int64{0, 2, 2}, tallied(t, c, p.ID), "what was closed stays")
	})
}

func TestExcludingAPerson(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		ann := person(t, c, ref("ann"), ref("ann2"))
		now := r.clock.now()
		for _, excluded := range []string{gateway.PersonKey(ann.ID), "ann", gateway.AccountKey("forum", "S1", "ann2")} {
			p := r.poll(inst, vote.Ask{IneligibleVoters: []string{excluded}, IneligibleVoterMessage: "not you"})
			for _, voter := range []string{"ann", "ann2", gateway.PersonKey(ann.ID)} {
				err := cast(t, c, p.ID, voter, vote.Yes, now)
				require.ErrorIs(t, err, gateway.Denied, "%s %s", excluded, voter)
				require.ErrorContains(t, err, "not you")
			}
			require.NoError(t, cast(t, c, p.ID, "other", vote.Yes, now))
			require.NoError(t, cast(t, c, p.ID, "ann3", vote.Yes, now))
			require.Equal(t, [3]int64{2, 0, 2}, tallied(t, c, p.ID))
			_, err := c.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: ref("ann3")}, gateway.Ground{})
			require.NoError(t, err)
			require.Equal(t, [3]int64{1, 0, 1}, tallied(t, c, p.ID), "what the excluded person had cast by another account does not count once it is known as theirs")
			require.ErrorIs(t, cast(t, c, p.ID, "ann3", vote.No, now.Add(time.Second)), gateway.Denied)
			require.NoError(t, c.Unlink(ctx, ref("ann3")))
			require.Equal(t, [3]int64{2, 0, 2}, tallied(t, c, p.ID))
			_, err = c.Close(ctx, p.ID)
			require.NoError(t, err)
		}
		p := r.poll(inst, vote.Ask{EligibleVoters: []string{gateway.PersonKey(ann.ID), "bob"}, QuorumShare: "1/2"})
		require.NoError(t, cast(t, c, p.ID, "ann2", vote.Yes, now))
		require.ErrorIs(t, cast(t, c, p.ID, "cid", vote.Yes, now), gateway.Denied)
		_, err := c.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: ref("bob")}, gateway.Ground{})
		require.NoError(t, err)
		p, err = c.Close(ctx, p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 1, r.outcome(p).Turnout.Eligible, "two entries of one person are one who may vote")
		p = r.poll(inst, vote.Ask{EligibleVoters: []string{}})
		require.ErrorIs(t, cast(t, c, p.ID, "ann", vote.Yes, now), gateway.Denied, "nobody is not everybody")
		p = r.poll(inst, vote.Ask{EligibleVoters: []string{"person:*"}})
		require.NoError(t, cast(t, c, p.ID, "ann", vote.Yes, now))
		require.ErrorIs(t, cast(t, c, p.ID, "cid", vote.Yes, now), gateway.Denied, "linked to nobody")
	})
}

func TestBadSubjectsInVotes(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("town", "S1")
	for path, ask := range map[string]vote.Ask{
		"/eligible_voters/1":   {EligibleVoters: []string{"ok", "person:"}},
		"/ineligible_voters/0": {IneligibleVoters: []string{"resource:r"}},
		"/weights/0/voter":     {Weights: []vote.VoterWeight{{Voter: "role:forum/mods", Weight: 1}}},
		"/weights/1/voter":     {Weights: []vote.VoterWeight{{Voter: "ann", Weight: 1}, {Voter: gateway.AccountKey("forum", "S1", "ann"), Weight: 2}}},
		"/weights/2/voter":     {Weights: []vote.VoterWeight{{Voter: "account:forum//ann", Weight: 1}, {Voter: "bob"}, {Voter: "ann", Weight: 2}}},
		"/quorum_share":        {EligibleVoters: []string{"person:*"}, QuorumShare: "1/2"},
		"/close_when_decided":  {EligibleVoters: []string{"ann", gateway.RoleKey("local", "x")}, Eligibility: vote.Live, CloseWhenDecided: true},
	} {
		ask.Title = "t"
		_, err := inst.Start(t.Context(), "poll", poll{ask})
		require.ErrorIs(t, err, gateway.Invalid, path)
		require.ErrorContains(t, err, path)
	}
	_, err := inst.Start(t.Context(), "poll", poll{vote.Ask{Title: "t", EligibleVoters: []string{gateway.PersonKey("nobody")}}})
	require.ErrorIs(t, err, gateway.Invalid, "a vote is not opened to somebody who does not exist")
	list, err := c.Processes(t.Context(), "", 0)
	require.NoError(t, err)
	require.Empty(t, list)
}

// withMods is the forum with roles that a test makes up.
func withMods(r *rig, pages map[string][]string, fails *error) {
	r.again(newForum(r.api, gateway.RoleFunc("mods", "Moderators.", func(f *forum, ctx context.Context, role, cursor string) ([]string, string, error) {
		if *fails != nil {
			return nil, "", *fails
		}
		n, _ := strconv.Atoi(cursor)
		users := pages[role]
		if n+2 < len(users) {
			return users[n : n+2], strconv.Itoa(n + 2), nil
		}
		return users[n:], "", nil
	})))
}

func TestRolesInVotes(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		roles := map[string][]string{"all": {"ann", "bob", "cid", "dan", "eve"}}
		var fails error
		withMods(r, roles, &fails)
		c, inst := r.town("town", "S1")
		eve := person(t, c, ref("eve"), ref("eve2"))
		mods := gateway.RoleKey("forum", "mods/all")
		now := r.clock.now()

		snapshot := r.poll(inst, vote.Ask{Title: "s", EligibleVoters: []string{mods}, IneligibleVoters: []string{"dan"}, QuorumShare: "1/2"})
		live := r.poll(inst, vote.Ask{Title: "l", EligibleVoters: []string{mods}, Eligibility: vote.Live})
		except := r.poll(inst, vote.Ask{Title: "x", IneligibleVoters: []string{mods}, Eligibility: vote.Live})
		for _, p := range []string{snapshot.ID, live.ID} {
			require.NoError(t, cast(t, c, p, "ann", vote.Yes, now))
			require.NoError(t, cast(t, c, p, "eve2", vote.Yes, now), "the role is a person's by any account")
			require.ErrorIs(t, cast(t, c, p, "fay", vote.Yes, now), gateway.Denied)
		}
		require.ErrorIs(t, cast(t, c, snapshot.ID, "dan", vote.Yes, now), gateway.Denied)
		require.ErrorIs(t, cast(t, c, except.ID, "eve2", vote.Yes, now), gateway.Denied)
		require.NoError(t, cast(t, c, except.ID, "fay", vote.Yes, now))

		reading, err := c.ReadRole(ctx, mods, time.Hour)
		require.NoError(t, err)
		require.Equal(t, gateway.Reading{Members: 5, At: now}, reading)
		roles["all"] = []string{"ann", "fay"}
		r.clock.advance(time.Second)
		_, err = c.ReadRole(ctx, mods, 0)
		require.NoError(t, err)
		require.NoError(t, cast(t, c, snapshot.ID, "bob", vote.Yes, now.Add(time.Second)), "who had the role when it started")
		require.ErrorIs(t, cast(t, c, live.ID, "bob", vote.Yes, now.Add(time.Second)), gateway.Denied, "who has it now")
		require.NoError(t, cast(t, c, live.ID, "fay", vote.Yes, now.Add(time.Second)))
		require.NoError(t, c.RequireClaim(ctx, gateway.AccountKey("forum", "S1", "fay"), gateway.ClaimQuery{Kind: gateway.ClaimRole, Name: "forum/mods/all"}))
		require.ErrorIs(t, c.RequireClaim(ctx, gateway.PersonKey(eve.ID), gateway.ClaimQuery{Kind: gateway.ClaimRole, Name: "forum/mods/all"}), gateway.Denied)
		p, err := c.Close(ctx, snapshot.ID)
		require.NoError(t, err)
		require.EqualValues(t, 4, r.outcome(p).Turnout.Eligible)

		roles["all"] = []string{"gus"}
		r.wait(10 * time.Minute)
		require.NoError(t, cast(t, c, live.ID, "gus", vote.Yes, r.clock.now()), "the role is read again while the vote is open")
		_, err = c.Close(ctx, live.ID)
		require.NoError(t, err)

		fails = gateway.Errorf(gateway.Unavailable, "away")
		_, err = c.ReadRole(ctx, mods, 0)
		require.ErrorIs(t, err, gateway.Unavailable)
		require.NoError(t, c.RequireClaim(ctx, gateway.AccountKey("forum", "S1", "gus"), gateway.ClaimQuery{Kind: gateway.ClaimRole, Name: "forum/mods/all"}), "what was read stays")
		err = c.RequireClaim(ctx, gateway.AccountKey("forum", "S1", "gus"), gateway.ClaimQuery{Kind: gateway.ClaimRole, Name: "forum/mods/all", MaxAge: time.Nanosecond})
		require.NoError(t, err)
		late, err := inst.Start(ctx, "poll", poll{vote.Ask{Title: "late", EligibleVoters: []string{mods}}})
		require.NoError(t, err)
		require.Equal(t, gateway.StatusCreated, late.Status, "it waits for the platform")
		fails = nil
		r.wait(time.Hour)
		require.Equal(t, gateway.StatusPending, r.process(c, late.ID).Status)
		require.NoError(t, cast(t, c, late.ID, "gus", vote.Yes, r.clock.now()))

		_, err = inst.Start(ctx, "poll", poll{vote.Ask{Title: "none", EligibleVoters: []string{gateway.RoleKey("forum", "kings/all")}}})
		require.ErrorIs(t, err, gateway.NotFound, "there is no such role")
		require.Empty(t, r.logs.String() == "", "")
	})
}

func TestLocalRolesAndOrganizations(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		ann := person(t, c, ref("ann"), ref("ann2"))
		org, err := c.CreatePerson(ctx, gateway.NewPerson{Kind: gateway.AnOrganization, Name: "Acme"})
		require.NoError(t, err)
		now := r.clock.now()
		grant := func(subject, kind, name string) {
			t.Helper()
			_, err := c.Grant(ctx, gateway.Claim{Subject: subject, Kind: kind, Name: name})
			require.NoError(t, err)
		}
		grant(gateway.PersonKey(ann.ID), gateway.ClaimRole, "local/steward")
		grant(gateway.AccountKey("forum", "S1", "bob"), gateway.ClaimMember, org.ID)
		grant(gateway.AccountKey("forum", "S1", "cid"), "skill", "go")
		all := []string{gateway.RoleKey("local", "steward"), gateway.OrganizationKey(org.ID), gateway.ClaimKey("skill", "go"), "dan"}
		for _, when := range []vote.Eligibility{vote.Snapshot, vote.Live} {
			p := r.poll(inst, vote.Ask{EligibleVoters: all, Eligibility: when})
			for _, voter := range []string{"ann", "ann2", "bob", "cid", "dan"} {
				require.NoError(t, cast(t, c, p.ID, voter, vote.Yes, now), "%s %s", when, voter)
			}
			require.ErrorIs(t, cast(t, c, p.ID, "eve", vote.Yes, now), gateway.Denied)
			require.Equal(t, [3]int64{4, 0, 4}, tallied(t, c, p.ID))
			_, err := c.Close(ctx, p.ID)
			require.NoError(t, err)
		}
		p := r.poll(inst, vote.Ask{EligibleVoters: all, Eligibility: vote.Live})
		require.NoError(t, c.RevokeClaim(ctx, gateway.PersonKey(ann.ID), gateway.ClaimRole, "local/steward", ""))
		require.ErrorIs(t, cast(t, c, p.ID, "ann2", vote.Yes, now), gateway.Denied)
		require.NoError(t, c.SetSettings(ctx, gateway.Settings{Trust: []gateway.Trust{{Kind: "skill", Strength: gateway.None}}}))
		require.ErrorIs(t, cast(t, c, p.ID, "cid", vote.Yes, now), gateway.Denied, "whom the community does not trust says nothing")
	})
}

func TestWeightsOfPeople(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		ann := person(t, c, ref("ann"))
		p := r.poll(inst, vote.Ask{Weights: []vote.VoterWeight{{Voter: "heavy", Weight: 5 * vote.One}, {Voter: gateway.PersonKey(ann.ID), Weight: 2 * vote.One}}})
		now := r.clock.now()
		weight := func() vote.Weight {
			var w vote.Weight
			for _, n := range r.process(c, p.ID).Counts {
				w += n.Weight
			}
			return w
		}
		require.NoError(t, cast(t, c, p.ID, "ann", vote.Yes, now))
		require.Equal(t, 2*vote.One, weight())
		_, err := c.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: ref("heavy")}, gateway.Ground{})
		require.NoError(t, err)
		require.Equal(t, 5*vote.One, weight(), "of a person the heaviest that is listed, whichever account voted")
		require.NoError(t, c.Unlink(ctx, ref("heavy")))
		require.Equal(t, 2*vote.One, weight())
	})
}

// TestNobodyCountsTwice: whatever the order of linking and voting, the end is the same, and a tally never counts a person twice.
func TestNobodyCountsTwice(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			type act struct {
				kind, user, other string
				at                int
			}
			users := []string{"a", "b", "c", "d"}
			var acts []act
			for i := range rapid.IntRange(1, 8).Draw(rt, "acts") {
				acts = append(acts, act{
					kind: rapid.SampledFrom([]string{"vote", "vote", "merge"}).Draw(rt, "kind"), user: rapid.SampledFrom(users).Draw(rt, "user"),
					other: rapid.SampledFrom(users).Draw(rt, "other"), at: i,
				})
			}
			excluded := rapid.SampledFrom([]string{"", "a"}).Draw(rt, "excluded")
			begin := r.clock.now()
			play := func(slug string, acts []act) [3]int64 {
				ctx := ctxOf(rt)
				c, err := r.CreateCommunity(ctx, slug, "C")
				require.NoError(rt, err)
				inst, err := c.Enable(ctx, "forum", forumConfig{Site: slug, Token: "canary"})
				require.NoError(rt, err)
				at := func(u string) gateway.AccountRef { return gateway.AccountRef{Plugin: "forum", UserID: u} }
				people := map[string]string{}
				for _, u := range users {
					people[u] = person(rt, c, at(u)).ID
				}
				ask := vote.Ask{Title: "t"}
				if excluded != "" {
					ask.IneligibleVoters = []string{excluded}
				}
				p, err := inst.Start(ctx, "poll", poll{ask})
				require.NoError(rt, err)
				for _, a := range acts {
					if a.kind == "merge" {
						_, err := c.Merge(ctx, people[a.user], people[a.other], gateway.Ground{})
						require.True(rt, err == nil || errors.Is(err, gateway.Invalid), "%v", err)
					} else {
						err := cast(rt, c, p.ID, a.user, []string{vote.Yes, vote.No}[a.at%2], begin.Add(time.Duration(a.at)*time.Second))
						require.True(rt, err == nil || errors.Is(err, gateway.Denied), "%v", err)
					}
					standing := map[string]bool{}
					for _, u := range users {
						who, err := c.WhoIs(ctx, at(u))
						require.NoError(rt, err)
						standing[who.ID] = true
					}
					got := tallied(rt, c, p.ID)
					require.LessOrEqual(rt, got[0]+got[1], int64(len(standing)))
					require.Equal(rt, got[2], got[0]+got[1])
				}
				return tallied(rt, c, p.ID)
			}
			want := play(fmt.Sprintf("a%d", n), acts)
			require.Equal(rt, want, play(fmt.Sprintf("b%d", n), rapid.Permutation(acts).Draw(rt, "order")))
		})
	})
}

func TestCloseWhenDecided(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		five := []string{"a", "b", "c", "d", "e"}
		closing := r.clock.now().Add(48 * time.Hour)
		p := r.poll(inst, vote.Ask{Title: "now", EligibleVoters: five, Quorum: 3, CloseWhenDecided: true, ClosingAt: &closing})
		slow := r.poll(inst, vote.Ask{Title: "slow", EligibleVoters: five, CloseWhenDecided: true, MinMinutes: 60, ClosingAt: &closing})
		for i, voter := range five[:3] {
			for _, id := range []string{p.ID, slow.ID} {
				require.Equal(t, gateway.StatusPending, r.process(c, id).Status, "%d", i)
				require.NoError(t, cast(t, c, id, voter, vote.Yes, r.clock.now()))
				r.due()
			}
		}
		out := r.outcome(r.process(c, p.ID))
		require.Equal(t, vote.Passed, out.Result)
		require.Equal(t, vote.ByDecision, out.ClosedBy)
		require.Equal(t, gateway.StatusPending, r.process(c, slow.ID).Status, "not before the shortest time")
		require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "close", User: "a", Process: slow.ID, At: r.clock.now()}).Code)
		r.wait(30 * time.Minute)
		require.Equal(t, gateway.StatusPending, r.process(c, slow.ID).Status, "nor by a person")
		r.wait(31 * time.Minute)
		require.Equal(t, gateway.StatusCompleted, r.process(c, slow.ID).Status)

		p = r.poll(inst, vote.Ask{Title: "changed", EligibleVoters: five, CloseWhenDecided: true, MinMinutes: 10, ClosingAt: &closing})
		for _, voter := range five[:3] {
			require.NoError(t, cast(t, c, p.ID, voter, vote.Yes, r.clock.now()))
		}
		require.NoError(t, cast(t, c, p.ID, "a", vote.No, r.clock.now().Add(time.Second)))
		r.wait(time.Hour)
		require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status, "it was decided, and is not any more")
		r.wait(48 * time.Hour)
		require.Equal(t, vote.ByTime, r.outcome(r.process(c, p.ID)).ClosedBy, "and goes on to its closing time")
		ann := person(t, c, ref("a"), ref("b"))
		_, err := c.Person(ctx, ann.ID)
		require.NoError(t, err)
		p = r.poll(inst, vote.Ask{Title: "people", EligibleVoters: five[:4], CloseWhenDecided: true})
		require.NoError(t, cast(t, c, p.ID, "a", vote.Yes, r.clock.now()))
		r.due()
		require.NoError(t, cast(t, c, p.ID, "c", vote.Yes, r.clock.now()))
		r.due()
		require.Equal(t, gateway.StatusCompleted, r.process(c, p.ID).Status, "a and b are one of three")
	})
}

// Who is nobody has no vote, and who is named without a platform is who they are.
func TestVotersWhoAreNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		other, _ := r.town("other", "S2")
		ann, bob := person(t, c, ref("ann")), person(t, c, ref("bob"))
		elsewhere := person(t, other, ref("ann"))
		_, err := c.Merge(ctx, ann.ID, bob.ID, gateway.Ground{})
		require.NoError(t, err)
		now := r.clock.now()
		p := r.poll(inst, vote.Ask{})
		short := gateway.AccountKey("forum", "", "ann")
		require.NoError(t, cast(t, c, p.ID, "ann", vote.Yes, now))
		require.NoError(t, cast(t, c, p.ID, short, vote.No, now.Add(1)))
		require.Equal(t, [3]int64{0, 1, 1}, tallied(t, c, p.ID), "the platform may be left out")
		for _, nobody := range []string{"nobody", elsewhere.ID} {
			require.ErrorIs(t, cast(t, c, p.ID, gateway.PersonKey(nobody), vote.Yes, now), gateway.NotFound)
		}
		thing, err := c.CreatePerson(ctx, gateway.NewPerson{Kind: gateway.AResource})
		require.NoError(t, err)
		require.ErrorIs(t, cast(t, c, p.ID, gateway.PersonKey(thing.ID), vote.Yes, now), gateway.Invalid)
		require.NoError(t, c.ErasePerson(ctx, ann.ID))
		for _, id := range []string{ann.ID, bob.ID} {
			require.ErrorIs(t, cast(t, c, p.ID, gateway.PersonKey(id), vote.Yes, now.Add(time.Second)), gateway.NotFound, "somebody who was erased does not vote again")
		}
		require.Equal(t, [3]int64{0, 1, 1}, tallied(t, c, p.ID))

		cid := person(t, c, ref("cid"), ref("cid2"))
		short = gateway.AccountKey("forum", "", "cid")
		p = r.poll(inst, vote.Ask{Title: "not", IneligibleVoters: []string{short}})
		require.ErrorIs(t, cast(t, c, p.ID, "cid2", vote.Yes, now), gateway.Denied, "excluded without saying where")
		p = r.poll(inst, vote.Ask{Title: "only", EligibleVoters: []string{short}, Weights: []vote.VoterWeight{{Voter: short, Weight: 3 * vote.One}}})
		require.NoError(t, cast(t, c, p.ID, gateway.PersonKey(cid.ID), vote.Yes, now))
		got, err := c.Close(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, 3*vote.One, r.outcome(got).Turnout.Weight)
		require.EqualValues(t, 1, r.outcome(got).Turnout.Eligible)

		_, err = c.Enable(ctx, "forum", forumConfig{Site: "S3", Token: "x"}, "second")
		require.NoError(t, err)
		_, err = inst.Start(ctx, "poll", poll{vote.Ask{Title: "which", IneligibleVoters: []string{"x", short}}})
		require.ErrorIs(t, err, gateway.Invalid)
		require.ErrorContains(t, err, "/ineligible_voters/1")
		p = r.poll(inst, vote.Ask{Title: "several"})
		require.ErrorIs(t, cast(t, c, p.ID, short, vote.Yes, now), gateway.Invalid)
	})
}

// Who may vote changes what is decided, as ballots do.
func TestDecidedByALink(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		cid := person(t, c, ref("c"))
		p := r.poll(inst, vote.Ask{EligibleVoters: []string{"a", "b", "c", "d"}, CloseWhenDecided: true})
		for _, voter := range []string{"a", "b"} {
			require.NoError(t, cast(t, c, p.ID, voter, vote.Yes, r.clock.now()))
		}
		r.due()
		require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status, "two of four")
		_, err := c.Link(ctx, cid.ID, gateway.NewAccount{AccountRef: ref("d")}, gateway.Ground{})
		require.NoError(t, err)
		r.due()
		require.Equal(t, vote.ByDecision, r.outcome(r.process(c, p.ID)).ClosedBy, "two of three")
	})
}

// Who closes a vote before its shortest time is over does not put its closing time off.
func TestShortestTimeAfterTheClosingTime(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("town", "S1")
	closing := r.clock.now().Add(10 * time.Minute)
	p := r.poll(inst, vote.Ask{MinMinutes: 60, ClosingAt: &closing})
	require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "close", User: "a", Process: p.ID, At: r.clock.now()}).Code)
	r.wait(10*time.Minute + time.Second)
	require.Equal(t, vote.ByTime, r.outcome(r.process(c, p.ID)).ClosedBy)

	p = r.poll(inst, vote.Ask{Title: "open", MinMinutes: 60})
	require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "close", User: "a", Process: p.ID, At: r.clock.now()}).Code)
	r.wait(61 * time.Minute)
	got := r.process(c, p.ID)
	require.Equal(t, vote.ByPerson, got.Closing.By)
	require.Equal(t, got.Created.Add(time.Hour), got.Closing.At, "until then ballots counted")

	r.api.fails("start", gateway.Errorf(gateway.Unavailable, "down"))
	p = r.poll(inst, vote.Ask{Title: "late", EligibleVoters: []string{"a"}, MinMinutes: 60, CloseWhenDecided: true})
	r.api.fails("start", nil)
	r.wait(2 * time.Hour)
	require.NoError(t, cast(t, c, p.ID, "a", vote.Yes, r.clock.now()))
	r.wait(50 * time.Minute)
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status, "it counts from when people can vote")
	r.wait(11 * time.Minute)
	require.Equal(t, vote.ByDecision, r.outcome(r.process(c, p.ID)).ClosedBy)
	require.NoError(t, r.store.View(t.Context(), func(tx store.Tx) error {
		raw, _, err := tx.State(p.Instance, "gateway/since/"+p.ID)
		require.Nil(t, raw, "nothing of it is left")
		return err
	}))
}

// A ballot that comes between the look whether a vote is decided and its closing counts, and the vote goes on if it changes that.
func TestAChangeBeforeADecidedVoteCloses(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("town", "S1")
		closing := r.clock.now().Add(time.Hour)
		p := r.poll(inst, vote.Ask{Title: "v", EligibleVoters: []string{"a", "b", "c"}, CloseWhenDecided: true, ClosingAt: &closing})
		for _, voter := range []string{"a", "b"} {
			require.NoError(t, cast(t, c, p.ID, voter, vote.Yes, r.clock.now()))
		}
		r.again()
		changed := false
		r.api.on("open S1", func(ctx context.Context) error { // by which the vote was found to be decided
			if changed {
				return nil
			}
			changed = true
			return r.store.Update(ctx, func(tx store.Tx) error {
				_, err := tx.Cast(store.Ballot{Process: p.ID, Voter: "a", Choices: []store.Choice{{Choice: vote.No, Weight: int64(vote.One)}}, At: r.clock.now().Add(1000), Now: r.clock.now()})
				return err
			})
		})
		r.due()
		c, err := r.Gateway.Community(t.Context(), "town")
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
		r.wait(time.Hour)
		require.Equal(t, vote.ByTime, r.outcome(r.process(c, p.ID)).ClosedBy)
	})
}

// A vote that is decided when it is given more time still closes when its shortest time is over.
func TestDecidedAndGivenMoreTime(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("town", "S1")
	closing := r.clock.now().Add(time.Hour)
	p := r.poll(inst, vote.Ask{EligibleVoters: []string{"a", "b", "c"}, CloseWhenDecided: true, MinMinutes: 10, ClosingAt: &closing})
	for _, voter := range []string{"a", "b"} {
		require.NoError(t, cast(t, c, p.ID, voter, vote.Yes, r.clock.now()))
	}
	_, err := c.Command(t.Context(), p.ID, "extend", extension{Minutes: 600})
	require.NoError(t, err)
	r.wait(11 * time.Minute)
	require.Equal(t, vote.ByDecision, r.outcome(r.process(c, p.ID)).ClosedBy)
}

// Who may vote live is looked at when they vote: a link later takes no ballot away, and a parting does where nothing of what is left allowed it.
func TestLiveBallotsAndLinks(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		ann, bob := person(t, c, ref("ann")), person(t, c, ref("bob"), ref("bob2"))
		role := func(user, name string) {
			_, err := c.Grant(ctx, gateway.Claim{Subject: gateway.AccountKey("forum", "S1", user), Kind: gateway.ClaimRole, Name: "local/" + name})
			require.NoError(t, err)
		}
		link := func(p gateway.Person, user string) {
			_, err := c.Link(ctx, p.ID, gateway.NewAccount{AccountRef: ref(user)}, gateway.Ground{})
			require.NoError(t, err)
		}
		role("ann", "steward")
		role("bob2", "steward")
		role("eve", "out")
		p := r.poll(inst, vote.Ask{
			EligibleVoters: []string{gateway.RoleKey("local", "steward")}, IneligibleVoters: []string{gateway.RoleKey("local", "out")}, Eligibility: vote.Live,
		})
		now := r.clock.now()
		require.NoError(t, cast(t, c, p.ID, "ann", vote.Yes, now))
		require.NoError(t, cast(t, c, p.ID, "bob", vote.No, now))
		require.NoError(t, c.RevokeClaim(ctx, gateway.AccountKey("forum", "S1", "ann"), gateway.ClaimRole, "local/steward", ""))
		link(ann, "ann2")
		require.Equal(t, [3]int64{1, 1, 2}, tallied(t, c, p.ID), "she had the role when she voted")
		require.ErrorIs(t, cast(t, c, p.ID, "ann2", vote.No, now.Add(1)), gateway.Denied, "and has it no more")
		require.NoError(t, c.Unlink(ctx, ref("bob2")))
		require.Equal(t, [3]int64{1, 0, 1}, tallied(t, c, p.ID), "nobody whom bob is known to be had it")
		link(bob, "bob3")
		require.Equal(t, [3]int64{1, 0, 1}, tallied(t, c, p.ID), "nor does another link bring it back")
		link(bob, "bob2")
		require.Equal(t, [3]int64{1, 1, 2}, tallied(t, c, p.ID))
		link(ann, "eve")
		require.Equal(t, [3]int64{0, 1, 1}, tallied(t, c, p.ID), "who is excluded by any account is out")
	})
}
