package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// offenders are the three ways in which it begins, as people do them there, and which accounts are then to be voted about.
var offenders = map[string]struct {
	commit func(w *world) error
	event  string
	votes  []string // the plugins about whose accounts moderators vote
}{
	"discord": {func(w *world) error { return w.guild.Ban(ann, troll, "harassment: of everybody", 0) }, "GUILD_BAN_ADD", []string{"github"}},
	"discourse": {func(w *world) error {
		return w.forum.Suspend("ann", "troll", w.clock.Now().AddDate(10, 0, 0), "spam, again and again")
	}, "user_suspended", []string{"github"}},
	"github": {func(w *world) error { return errors.Join(w.org.Remove("ada", "joshua"), w.org.Block("ada", "joshua")) }, "org_block blocked", []string{"discord", "discourse"}},
}

// play has somebody banned on one platform, and everything that follows from it, whatever happens to the program meanwhile.
func play(w *world, on string) *record {
	t, o := w.t, offenders[on]
	require.NoError(t, o.commit(w))
	var k *record
	w.until("the offence is judged", func(c *gateway.Community) (err error) {
		if on == "discord" && w.discord.Sockets() == 0 || w.lives > 1 { // nobody is connected to Discord's Gateway here, and others were told that it failed: it is fetched
			inst, err := c.Instance(t.Context(), on)
			if err == nil {
				err = inst.Repair(t.Context(), gateway.Gap{Since: w.clock.Now().Add(-time.Hour), Until: w.clock.Now()})
			}
			if err != nil {
				return err
			}
		}
		w.later(time.Second)
		k, err = w.record(c)
		return err
	})
	for range o.votes {
		w.decide()
	}
	w.until("the person is told", func(c *gateway.Community) (err error) {
		if k, err = w.record(c); err == nil && k.Told == "" {
			err = fmt.Errorf("%+v", k)
		}
		return err
	})
	for range 4 {
		w.later(10 * time.Minute) // what comes back of it changes nothing
	}
	return k
}

// record is the one that there is.
func (w *world) record(c *gateway.Community) (*record, error) {
	claims, err := c.Claims(w.t.Context(), gateway.PersonKey(w.person))
	if err != nil {
		return nil, err
	}
	claims = slices.DeleteFunc(claims, func(c gateway.Claim) bool { return c.Kind != recordKind })
	if len(claims) == 0 {
		return nil, errors.New("there is no record")
	}
	require.Len(w.t, claims, 1, "one offence")
	return recordOf(w.t.Context(), c, w.person, claims[0].Name)
}

// decide has three of five moderators vote for a ban, in the oldest vote that is open.
func (w *world) decide() {
	t := w.t
	var p gateway.Process
	w.until("a vote is open", func(c *gateway.Community) error {
		list, err := c.Processes(t.Context(), "", 10, gateway.StatusPending)
		if err == nil && (len(list) == 0 || list[0].URL == "") { // a start that is under way has its message yet to be written down
			err = errors.New("there is none")
		}
		if err == nil {
			p = list[0]
		}
		return err
	})
	message := ""
	for _, m := range w.guild.Messages(mods) {
		if strings.HasSuffix(p.URL, "/"+m.ID) {
			message = m.ID
		}
	}
	require.NotEmpty(t, message, p.URL)
	for _, mod := range []string{ann, bob, cid} {
		w.until("a click", func(c *gateway.Community) error {
			w.clock.Advance(time.Second)
			reply, err := w.guild.Click(mods, message, mod, "gw:"+p.ID+":option0")
			if err == nil && reply.Failed != "" {
				err = errors.New(reply.Failed)
			}
			return err
		})
		w.later(2 * time.Second)
	}
	w.until("the vote is over", func(c *gateway.Community) error {
		now, err := c.Process(t.Context(), p.ID)
		if err == nil && !now.Done() {
			err = errors.New("it is open")
		}
		if err == nil {
			var out vote.Outcome
			require.NoError(t, now.DecodeOutcome(&out))
			require.Equal(t, vote.ByDecision, out.ClosedBy)
			require.Equal(t, 5, int(out.Turnout.Eligible))
		}
		return err
	})
}

// after is how all stands in the end, wherever it began.
func (w *world) after(k *record, on string) {
	t := w.t
	reason, banned := w.guild.Banned(troll)
	require.True(t, banned)
	require.Contains(t, reason, k.Offence.Reason)
	u, ok := w.forum.User("troll")
	require.True(t, ok)
	require.False(t, u.SuspendedTill.IsZero())
	require.Contains(t, u.SuspendReason, k.Offence.Reason)
	require.Equal(t, []string{"joshua"}, w.org.Blocked())
	require.NotContains(t, w.org.Members(), "joshua")

	for _, v := range k.Verdicts {
		require.Equal(t, "banned", v.Result, v)
		require.NotEqual(t, on, v.Account.Plugin)
		require.NotEmpty(t, v.Evidence, v)
	}
	require.Len(t, k.Verdicts, 2)
	require.Len(t, w.guild.Messages(mods), len(offenders[on].votes), "a vote each")

	once := map[string]int{}
	for _, e := range w.guild.Audit() {
		if e.Action == 22 {
			once["discord"]++
		}
	}
	for _, e := range w.forum.StaffLog() {
		if e.Action == "suspend_user" {
			once["discourse"]++
		}
	}
	for _, d := range w.github.DeliveriesOf("org_block") {
		_ = d
		once["github"]++
	}
	require.Equal(t, map[string]int{"discord": 1, "discourse": 1, "github": 1}, once, "each did it once")
}

// wireOf is what the program asks of the platforms, in this order and nothing else; a vote's message is changed as often as it takes.
var wireOf = map[string][]string{
	"discord": {
		"GET discord/guilds/1000/channels as bot", "GET discord/guilds/1000/threads/active as bot", "GET discord/guilds/1000/audit-logs as bot", "GET discord/channels/1101/messages as bot", // the repair
		"GET forum/admin/users/42 as system", "PUT forum/admin/users/42/suspend as system",
		"GET discord/guilds/1000/roles as bot", "GET discord/guilds/1000/members as bot", "GET discord/channels/1101 as bot", "POST discord/channels/1101/messages as bot",
		"GET forum/admin/users/42 as system", // who suspended somebody, which the forum told of
		"PATCH discord/channels/1101/messages/{vote} as bot",
		"POST github/app/installations/1005/access_tokens as app", "GET github/orgs/acme/members/joshua as installation", "DELETE github/orgs/acme/members/joshua as installation", "PUT github/orgs/acme/blocks/joshua as installation",
		"GET discord/guilds/1000/members/111 as bot", // who was banned cannot be written to there
		"GET forum/admin/users/42 as system", "POST forum/posts as system",
		"PATCH discord/channels/1101/messages/{vote} as bot",
	},
	"discourse": {
		"GET forum/admin/users/42 as system",
		"PUT discord/guilds/1000/bans/111 as bot",
		"GET discord/guilds/1000/roles as bot", "GET discord/guilds/1000/members as bot", "GET discord/channels/1101 as bot", "POST discord/channels/1101/messages as bot",
		"PATCH discord/channels/1101/messages/{vote} as bot",
		"POST github/app/installations/1005/access_tokens as app", "GET github/orgs/acme/members/joshua as installation", "DELETE github/orgs/acme/members/joshua as installation", "PUT github/orgs/acme/blocks/joshua as installation",
		"GET forum/admin/users/42 as system", "POST forum/posts as system",
		"PATCH discord/channels/1101/messages/{vote} as bot",
	},
	"github": {
		"GET discord/guilds/1000/roles as bot", "GET discord/guilds/1000/members as bot", "GET discord/channels/1101 as bot", "POST discord/channels/1101/messages as bot",
		"GET discord/guilds/1000/roles as bot", "GET discord/guilds/1000/members as bot", "POST discord/channels/1101/messages as bot",
		"PATCH discord/channels/1101/messages/{vote} as bot",
		"PUT discord/guilds/1000/bans/111 as bot",
		"PATCH discord/channels/1101/messages/{vote} as bot",
		"GET forum/admin/users/42 as system", "PUT forum/admin/users/42/suspend as system",
		"GET discord/guilds/1000/members/111 as bot",
		"GET forum/admin/users/42 as system", "POST forum/posts as system", "GET forum/admin/users/42 as system",
		"PATCH discord/channels/1101/messages/{vote} as bot",
	},
}

// names puts names in the place of IDs that are made on the way, and joins what is repeated.
func names(calls []string) []string {
	for i, c := range calls {
		calls[i] = madeMessage.ReplaceAllString(c, "/messages/{vote} ")
	}
	return slices.Compact(calls)
}

var madeMessage = regexp.MustCompile(`/messages/[0-9]{15,} `)

// TestOffences plays scenarios A1, A2 and A3: an offence on each of the platforms.
func TestOffences(t *testing.T) {
	for on := range offenders {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.New())
			other := w.neighbours()
			k := play(w, on)
			w.after(k, on)
			require.Equal(t, wireOf[on], names(w.wire.calls()))
			w.told(k)
			events, err := other.Events(t.Context(), 0, 10, offences...)
			require.NoError(t, err)
			require.Empty(t, events, "another community hears nothing")
		})
	}
}

// neighbours are another community, on the same apps.
func (w *world) neighbours() *gateway.Community {
	t := w.t
	w.discord.AddGuild("5000", "Elsewhere", owner).Install(fakediscord.PermEveryone | fakediscord.PermBanMembers | fakediscord.PermViewAuditLog)
	w.github.AddOrg("elsewhere", "eli")
	id, err := w.github.Install("elsewhere", fakegithub.Installing{})
	require.NoError(t, err)
	c, err := w.g.CreateCommunity(t.Context(), "elsewhere", "Elsewhere")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "discord", discord.Config{GuildID: "5000"})
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "github", github.Config{InstallationID: strconv.FormatInt(id, 10)})
	require.NoError(t, err)
	w.later(time.Minute)
	w.wire.forget()
	return c
}

// TestADoubleDeliveryIsOneOffence: every delivery of the scenarios comes twice.
func TestADoubleDeliveryIsOneOffence(t *testing.T) {
	for on := range offenders {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.New())
			w.forums.Fail(fakediscourse.Fault{Delivery: "user_suspended", Times: -1, Duplicate: 1})
			w.github.Fail(fakegithub.Fault{Delivery: "*", Times: -1, Duplicate: 1})
			w.after(play(w, on), on)
		})
	}
}

// TestAnOffenceIsHeardByDiscordsGateway is A1 as it goes when nothing is in the way: Discord tells of the ban by its Gateway, and who did it in another event,
// in either order.
func TestAnOffenceIsHeardByDiscordsGateway(t *testing.T) {
	w := newWorld(t, memory.New(), func(a *discord.App) {
		a.Gateway, a.Intents = true, append(discord.DefaultIntents(), "GUILD_MEMBERS")
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.g.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(t, <-done)
	}()
	within, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, w.discord.WaitSockets(within, 1))
	k := play(w, "discord")
	w.after(k, "discord")
	w.told(k)
	require.Equal(t, ann, k.Offence.By)
}

// told is what the person and the record say in the end.
func (w *world) told(k *record) {
	t := w.t
	require.Equal(t, "discourse", k.Told, "by Discord nobody reaches whom they have banned")
	require.Equal(t, rule, k.Rule)
	topics := w.forum.Topics()
	require.Equal(t, "You were banned", topics[len(topics)-1].Title)
	c, err := w.g.Community(t.Context(), community)
	require.NoError(t, err)
	check, err := c.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.True(t, check.Holds())
	list, err := c.Audit(t.Context(), gateway.AuditQuery{}, 0, 1000)
	require.NoError(t, err)
	actions, decided := 0, 0
	for _, e := range list {
		if e.Kind == gateway.AuditAction && e.Rule == rule {
			actions++
			require.NotZero(t, e.Event+int64(len(e.Decision)), "on which event, or on which votes: %+v", e)
			if e.Decision != "" {
				decided++
			}
		}
	}
	require.NotZero(t, actions)
	require.NotZero(t, decided)
}

var every = flag.Int("every", 71, "after how many steps more the next program is killed; 1 is every one")

// TestOffencesWithAKillBetweenAnyTwoSteps plays each scenario again and again with a program that is killed once, each time a bit later.
func TestOffencesWithAKillBetweenAnyTwoSteps(t *testing.T) {
	for on := range offenders {
		for name, s := range map[string]struct {
			open   func(t *testing.T) store.Store
			slower int // a store that takes longer is tried more seldom
		}{
			"memory": {func(*testing.T) store.Store { return memory.New() }, 1},
			"sqlite": {func(t *testing.T) store.Store {
				st, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
				require.NoError(t, err)
				return st
			}, 3},
		} {
			t.Run(on+" "+name, func(t *testing.T) {
				w := newWorld(t, s.open(t))
				w.life.DieAfter(0)
				play(w, on)
				steps := w.life.Steps()
				require.Greater(t, steps, 150)
				for n := 1; n < steps-20; n += *every * s.slower { // the last ones come when all is said
					t.Run(fmt.Sprint("after ", n), func(t *testing.T) {
						t.Parallel()
						w := newWorld(t, s.open(t))
						w.life.DieAfter(n)
						w.after(play(w, on), on)
						require.Equal(t, 2, w.lives, "it was killed")
					})
				}
			})
		}
	}
}
