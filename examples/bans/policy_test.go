package main

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// banned bans the troll on Discord, and waits for the record.
func (w *world) banned(reason string) *record {
	w.t.Helper()
	require.NoError(w.t, w.guild.Ban(ann, troll, reason, 0))
	w.fetch()
	c, err := w.g.Community(w.t.Context(), community)
	require.NoError(w.t, err)
	k, err := w.record(c)
	require.NoError(w.t, err)
	return k
}

// fetch has fetched what Discord's Gateway would have told.
func (w *world) fetch() {
	c, err := w.g.Community(w.t.Context(), community)
	require.NoError(w.t, err)
	inst, err := c.Instance(w.t.Context(), "discord")
	require.NoError(w.t, err)
	require.NoError(w.t, inst.Repair(w.t.Context(), gateway.Gap{Since: w.clock.Now().Add(-time.Hour), Until: w.clock.Now()}))
	for range 3 {
		w.later(time.Second)
	}
}

// now is the record as it is now.
func (w *world) now() *record {
	w.t.Helper()
	c, err := w.g.Community(w.t.Context(), community)
	require.NoError(w.t, err)
	k, err := w.record(c)
	require.NoError(w.t, err)
	return k
}

// results are what became of the person's other accounts.
func results(k *record) map[string]string {
	out := map[string]string{}
	for _, v := range k.Verdicts {
		out[v.Account.Plugin] = v.Result
	}
	return out
}

func TestBansForOtherReasonsStayWhereTheyAre(t *testing.T) {
	w := newWorld(t, memory.New())
	require.NoError(t, w.guild.Ban(ann, troll, "asked for it", 0))
	w.fetch()
	c, err := w.g.Community(t.Context(), community)
	require.NoError(t, err)
	_, err = w.record(c)
	require.EqualError(t, err, "there is no record")
	u, _ := w.forum.User("troll")
	require.Zero(t, u.SuspendedTill)
}

func TestTheStaffOfTheForumIsItsOwnAffair(t *testing.T) {
	w := newWorld(t, memory.New())
	require.NoError(t, w.forum.SetStaff("troll", false, true))
	require.Contains(t, results(w.banned("spam"))["discourse"], "staff")
	require.Empty(t, w.forums.CallsTo("PUT /admin/users/{id}/suspend"))
}

func TestWhatAPlatformRefusesIsRecordedAndNotTriedAgain(t *testing.T) {
	w := newWorld(t, memory.New())
	w.github.Fail(fakegithub.Fault{Route: "PUT /orgs/{org}/blocks/{username}", Status: http.StatusUnprocessableEntity, Times: -1})
	w.banned("spam")
	w.decide()
	w.later(time.Hour)
	k := w.now()
	require.Contains(t, results(k)["github"], "not banned: ")
	require.Equal(t, "discourse", k.Told, "the person is told all the same")
	require.Len(t, w.github.CallsTo("PUT /orgs/{org}/blocks/{username}"), 1)
}

func TestModeratorsWhoDoNotDecideSpare(t *testing.T) {
	w := newWorld(t, memory.New())
	w.banned("spam")
	w.later(49 * time.Hour)
	w.later(time.Minute)
	require.Equal(t, map[string]string{"discourse": "banned", "github": "spared: 0 of 3 moderators were for it"}, results(w.now()))
	require.Empty(t, w.org.Blocked())
}

func TestWhoIsBannedHasNoSay(t *testing.T) {
	w := newWorld(t, memory.New())
	c, err := w.g.Community(t.Context(), community)
	require.NoError(t, err)
	_, err = c.Link(t.Context(), w.person, gateway.NewAccount{AccountRef: gateway.AccountRef{Plugin: "discord", UserID: cid}}, gateway.Ground{})
	require.NoError(t, err) // a moderator, with another account
	w.banned("spam")
	list, err := c.Processes(t.Context(), "", 10, gateway.StatusPending)
	require.NoError(t, err)
	require.Len(t, list, 2, "about both accounts that are only said to be theirs")
	for _, p := range list {
		_, err := c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: cid, Choices: []string{vote.Yes}})
		require.ErrorIs(t, err, gateway.Denied)
		now, err := c.Process(t.Context(), p.ID)
		require.NoError(t, err)
		require.Zero(t, now.Voters)
	}
}

func TestAPausedPlatformIsBannedOnLater(t *testing.T) {
	w := newWorld(t, memory.New())
	c, err := w.g.Community(t.Context(), community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), "discourse")
	require.NoError(t, err)
	require.NoError(t, inst.Pause(t.Context(), "for maintenance"))
	k := w.banned("spam")
	require.Equal(t, map[string]string{"discourse": "", "github": ""}, results(k))
	w.decide() // the vote about the other is held meanwhile
	w.later(50 * time.Hour)
	require.NoError(t, inst.Resume(t.Context()))
	for range 8 {
		w.later(time.Hour)
	}
	k = w.now()
	require.Equal(t, map[string]string{"discourse": "banned", "github": "banned"}, results(k))
	require.Equal(t, "discourse", k.Told)
}

func TestWhoMayBeSomebodyElseIsToldNothing(t *testing.T) {
	w := newWorld(t, memory.New())
	require.NoError(t, w.org.Remove("ada", "joshua"))
	require.NoError(t, w.org.Block("ada", "joshua"))
	w.later(time.Second)
	w.later(50 * time.Hour) // nobody votes
	w.later(time.Hour)
	k := w.now()
	require.Len(t, k.Verdicts, 2)
	for _, v := range k.Verdicts {
		require.Contains(t, v.Result, "spared")
	}
	require.Equal(t, "nobody", k.Told, "GitHub has no messages, and the other accounts are only said to be theirs")
	require.Empty(t, w.discord.DirectMessages(troll))
	require.Empty(t, w.forums.CallsTo("POST /posts"))
}

func TestAVoteThatOnlyLooksLikeOneDecidesNothing(t *testing.T) {
	w := newWorld(t, memory.New())
	k := w.banned("spam")
	c, err := w.g.Community(t.Context(), community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), "discord")
	require.NoError(t, err)
	i := slices.IndexFunc(k.Verdicts, func(v verdict) bool { return v.Account.Plugin == "github" })
	forged, err := inst.Start(t.Context(), "vote", discord.Vote{Channel: mods, Ask: vote.Ask{
		Title: "Pizza?", Details: "Yes!\n" + reference{k.Person, k.ID, k.Verdicts[i].Account}.String(),
	}})
	require.NoError(t, err)
	for _, voter := range []string{ann, bob, cid} {
		_, err := c.Cast(t.Context(), forged.ID, gateway.Ballot{Voter: voter, Choices: []string{vote.Yes}})
		require.NoError(t, err)
	}
	_, err = c.Close(t.Context(), forged.ID)
	require.NoError(t, err)
	w.later(time.Minute)
	require.Empty(t, results(w.now())["github"])
	require.Empty(t, w.org.Blocked())
}

func TestTwoWhoSettleAtOnceLoseNothing(t *testing.T) {
	w := newWorld(t, memory.New())
	c, err := w.g.Community(t.Context(), community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), "discourse")
	require.NoError(t, err)
	require.NoError(t, inst.Pause(t.Context(), "for maintenance"))
	held := w.banned("spam") // as one who goes on with it later has read it
	w.decide()
	w.later(time.Minute)
	require.Equal(t, "banned", results(w.now())["github"])
	i := slices.IndexFunc(held.Verdicts, func(v verdict) bool { return v.Account.Plugin == "discourse" })
	held.Verdicts[i].Result = "banned"
	require.NoError(t, held.settle(t.Context(), c, held.Verdicts[i]))
	require.NoError(t, held.keep(t.Context(), c))
	require.Equal(t, map[string]string{"discourse": "banned", "github": "banned"}, results(w.now()))
}

func TestWhoseLinkWasWithdrawnIsLeftAlone(t *testing.T) {
	for name, withdraw := range map[string]func(w *world, c *gateway.Community, v verdict) error{
		"evidence": func(w *world, c *gateway.Community, v verdict) error {
			return c.RevokeEvidence(w.t.Context(), v.Evidence[len(v.Evidence)-1], "it was a mistake")
		},
		"link": func(w *world, c *gateway.Community, v verdict) error { return c.Unlink(w.t.Context(), v.Account) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, memory.New())
			k := w.banned("spam")
			c, err := w.g.Community(t.Context(), community)
			require.NoError(t, err)
			i := slices.IndexFunc(k.Verdicts, func(v verdict) bool { return v.Account.Plugin == "github" })
			require.NoError(t, withdraw(w, c, k.Verdicts[i]))
			w.decide() // they are for it, and do not know
			w.later(time.Minute)
			k = w.now()
			require.Contains(t, results(k)["github"], "left alone")
			require.Empty(t, w.org.Blocked())
			require.Contains(t, w.org.Members(), "joshua")
			require.Equal(t, "discourse", k.Told)
		})
	}
}

func TestAPersonWhoIsMergedMeanwhileKeepsTheirRecord(t *testing.T) {
	w := newWorld(t, memory.New())
	w.banned("spam")
	c, err := w.g.Community(t.Context(), community)
	require.NoError(t, err)
	other, err := c.CreatePerson(t.Context(), gateway.NewPerson{Name: "The same"})
	require.NoError(t, err)
	_, err = c.Merge(t.Context(), other.ID, w.person, gateway.Ground{})
	require.NoError(t, err)
	w.decide()
	w.later(time.Minute)
	k := w.now()
	require.Equal(t, map[string]string{"discourse": "banned", "github": "banned"}, results(k))
	require.Equal(t, "discourse", k.Told)
}

func TestABanWithoutAReasonIsNoOffenceWhereThereAreReasons(t *testing.T) {
	for name, commit := range map[string]func(w *world) error{
		"the moderator gave none": func(w *world) error { return w.guild.Ban(ann, troll, "", 0) },
		"it was taken back before the forum could be asked": func(w *world) error {
			if err := w.forum.Suspend("ann", "troll", w.clock.Now().AddDate(10, 0, 0), "asked for it"); err != nil {
				return err
			}
			return w.forum.Unsuspend("ann", "troll")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, memory.New())
			require.NoError(t, commit(w))
			w.fetch()
			c, err := w.g.Community(t.Context(), community)
			require.NoError(t, err)
			_, err = w.record(c)
			require.EqualError(t, err, "there is no record")
			events, err := c.Events(t.Context(), 0, 10, offences...)
			require.NoError(t, err)
			require.Len(t, events, 1, "it was heard")
		})
	}
}

// The forum keeps of a reason what stands before an empty line: what was done is recognised all the same where the answer was lost.
func TestAReasonOfSeveralLines(t *testing.T) {
	w := newWorld(t, memory.New())
	w.forums.Fail(fakediscourse.Fault{Route: "PUT /admin/users/{id}/suspend", LoseAnswer: true})
	down := w.forums.Fail(fakediscourse.Fault{Route: "GET /admin/users/{id}", Times: -1, Skip: 1, CloseBefore: true}) // nor can it be looked for at once
	w.banned("harassment:\n\nof everybody")
	down.Remove()
	for range 4 {
		w.later(time.Hour)
	}
	require.Equal(t, "banned", results(w.now())["discourse"])
	require.Len(t, w.forums.CallsTo("PUT /admin/users/{id}/suspend"), 1)
}

func TestAShortSuspensionIsNotCalledABan(t *testing.T) {
	w := newWorld(t, memory.New())
	require.NoError(t, w.forum.Suspend("ann", "troll", w.clock.Now().AddDate(0, 0, 1), "to cool down"))
	w.flush()
	require.Equal(t, "not banned: it is suspended already, until 2026-11-03", results(w.banned("spam"))["discourse"])
}

func TestAPlatformThatIsAwayWhenTheVoteEndsIsBannedOnLater(t *testing.T) {
	w := newWorld(t, memory.New())
	w.github.Fail(fakegithub.Fault{Route: "PUT /orgs/{org}/blocks/{username}", Status: http.StatusServiceUnavailable, Times: 2})
	w.banned("spam")
	w.decide()
	for range 4 {
		w.later(time.Hour)
	}
	k := w.now()
	require.Equal(t, map[string]string{"discourse": "banned", "github": "banned"}, results(k))
	require.Equal(t, []string{"joshua"}, w.org.Blocked())
	require.Equal(t, "discourse", k.Told)
}
