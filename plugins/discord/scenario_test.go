package discord_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/vote"
)

// Scenario A1, as far as it is Discord's: a ban is heard of with who did it, the moderators vote about the rest, the person is told, and nothing that the
// gateway does begins it again.
func TestScenarioA1OnDiscord(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	mods := []string{ann, bob, cid, dan, "2050"}
	w.w.AddRole("1250", "Jury", 0)
	for _, m := range mods {
		if m == "2050" {
			r.fake.AddUser(m, "eve")
			w.w.AddMember(m)
		}
		require.NoError(t, w.w.GiveRole(owner, m, "1250"))
	}
	r.fake.AddUser("2666", "troll")
	r.fake.AddUser("2667", "their other account")
	w.w.AddMember("2666")
	r.connect()
	before := len(r.routes())

	require.NoError(t, w.w.Ban(ann, "2666", "harassment: of everybody", 0))
	banned := r.wait("GUILD_BAN_ADD", 1)[0]
	require.Equal(t, ann, banned.Initiator)
	require.Equal(t, "harassment: of everybody", reason(t, banned))

	p, m := w.vote("vote", discord.Vote{Channel: park, Ask: vote.Ask{
		Title: "Ban them elsewhere too?", EligibleVoters: []string{gateway.RoleKey("discord", "role/Jury")}, IneligibleVoters: []string{"2666"}, Quorum: 3, CloseWhenDecided: true,
	}})
	for _, mod := range mods[:3] {
		require.Equal(t, 6, w.click(mod, p, m, "option0").Type)
	}
	for end := time.Now().Add(20 * time.Second); (!p.Done() || len(m.Components) > 0) && time.Now().Before(end); {
		w.later(time.Second)
		p, m = w.again(p, m)
	}
	require.Equal(t, vote.ByDecision, outcome(t, p).ClosedBy)
	require.Empty(t, m.Components)
	do[discord.Done](w, "ban-member", discord.BanUser{User: "2667", Reasoned: discord.Reasoned{Reason: "decision #1"}})
	own := r.wait("GUILD_BAN_ADD", 2)[1]
	require.True(t, own.Bot, "an echo: a policy passes it over")
	require.NotEmpty(t, own.Cause)

	var changes []string
	for _, route := range r.routes()[before:] {
		if len(changes) == 0 || changes[len(changes)-1] != route {
			changes = append(changes, route)
		}
	}
	require.Equal(t, []string{
		"POST /channels/" + park + "/messages", "PATCH /channels/" + park + "/messages/" + m.ID, "PUT /guilds/" + guildID + "/bans/2667",
	}, changes)
}

func TestRolesAreReadPageByPage(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	w.w.AddRole("1300", "Crowd", 0)
	w.w.AddMembers(800000, 2500, "1300")
	for role, want := range map[string]int{"role/1300": 2500, "role/Crowd": 2500, "role/" + modRole: 2, "member/all": 2505, "role/" + guildID: 2505} {
		got, err := w.c.ReadRole(t.Context(), gateway.RoleKey("discord", role), 0)
		require.NoError(t, err, role)
		require.Equal(t, want, got.Members, role)
	}
	for _, c := range r.fake.CallsTo("GET /guilds/{guild_id}/members") {
		require.Equal(t, "1000", c.Query.Get("limit"))
	}
	for _, role := range []string{"role/Nobody", "role/7", "member/some"} {
		_, err := w.c.ReadRole(t.Context(), gateway.RoleKey("discord", role), 0)
		require.ErrorIs(t, err, gateway.NotFound, role)
	}
	w.w.AddRole("1301", "crowd", 0)
	_, err := w.c.ReadRole(t.Context(), gateway.RoleKey("discord", "role/Crowd"), 0)
	require.ErrorIs(t, err, gateway.Conflict, "two have that name")
}

func TestWithoutTheIntentMembersCannotBeListed(t *testing.T) {
	r := newRig(t, func(_ *discord.App, o *fakeOptions, _ *gateway.Options) { o.DisallowedIntents = 1 << 1 })
	w := r.town(0)
	_, err := w.inst.Do(t.Context(), "list-members", discord.Page{Limit: 5})
	require.ErrorIs(t, err, gateway.Denied)
	require.ErrorContains(t, err, "GUILD_MEMBERS")
	status, _, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status, "the bot is in the guild all the same")
}

func TestInteractionsByTheGatewayAreAnsweredByTheCallback(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.fake.SetURLs("", "", nil)
	r.connect()
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?", Secrecy: vote.Hidden}, Channel: hall})
	r.fake.Fail(fakediscord.Fault{Route: "POST /interactions/{interaction_id}/{interaction_token}/callback", Status: 503})
	reply, err := w.w.Click(m.Channel, m.ID, ann, "gw:"+p.ID+":option0")
	require.NoError(t, err)
	require.Eventually(t, func() bool { reply = r.fake.Reply(reply.Token); return reply.Type != 0 }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, 4, reply.Type)
	require.Contains(t, reply.Message.Content, "Your vote was recorded")
	p, err = w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, vote.Passed, outcome(t, p).Result)
}

// Ten thousand reactions are read in pages by whoever wants them, and none is kept in between.
func TestTenThousandReactions(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	w.w.AddMembers(900000, 10000)
	id, err := w.w.Post(hall, ann, "react")
	require.NoError(t, err)
	require.NoError(t, w.w.ReactMany(hall, id, "👍", 900000, 10000))
	in, n := discord.ListReactions{Reaction: discord.Reaction{MessageRef: ref(hall, id), Emoji: "👍"}}, 0
	for {
		page := do[discord.Users](w, "list-reactions", in)
		require.LessOrEqual(t, len(page.Users), 100)
		n += len(page.Users)
		if in.After = page.Next; in.After == "" {
			break
		}
	}
	require.Equal(t, 10000, n)
}

func TestManyPeopleVoteAtOnce(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Everybody?"}, Channel: hall})
	const voters = 1000
	failed := make(chan string, voters)
	work := make(chan int)
	for range 8 {
		go func() {
			for i := range work {
				body := interaction(r.clock.now(), i, guildID, m, strconv.Itoa(500000+i), "gw:"+p.ID+":option"+strconv.Itoa(i%2))
				req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.hooks.URL+"/api/hooks/discord", strings.NewReader(body))
				if err != nil {
					failed <- err.Error()
					continue
				}
				r.fake.Sign(req, []byte(body))
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					failed <- err.Error()
					continue
				}
				res.Body.Close()
				if res.StatusCode != 200 {
					failed <- res.Status
					continue
				}
				failed <- ""
			}
		}()
	}
	go func() {
		for i := range voters {
			work <- i
		}
		close(work)
	}()
	for range voters {
		require.Empty(t, <-failed)
	}
	r.later(2 * time.Second)
	p, m = w.again(p, m)
	require.Equal(t, map[string]int64{"yes": voters / 2, "no": voters / 2}, counts(p))
	raw, err := json.Marshal(m.Embeds)
	require.NoError(t, err)
	require.Less(t, len(raw), 6000)
	require.Contains(t, string(raw), "and ", "not everybody is named")
	require.LessOrEqual(t, len(r.fake.CallsTo("PATCH /channels/{channel_id}/messages/{message_id}")), 3, "the message is not changed with each vote")
}
