package discord_test

import (
	"encoding/json"
	"fmt"
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

func TestAVoteWithButtonsFromItsStartToItsEnd(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	closing := r.clock.now().Add(time.Hour)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Plant *trees*?", Details: "In the @everyone park.", ClosingAt: &closing}, Channel: hall})
	require.Equal(t, gateway.StatusPending, p.Status)
	require.Equal(t, `**Plant \*trees\*?**`, m.Content)
	require.Contains(t, text(m), `In the \\@everyone park.`)
	require.Equal(t, "https://discord.com/channels/1000/1101/"+m.ID, p.URL)
	for _, c := range r.fake.CallsTo("POST /channels/{channel_id}/messages") {
		require.Contains(t, string(c.Body), `"allowed_mentions":{"parse":[]}`, "it rings nobody")
	}

	require.Equal(t, 6, w.click(ann, p, m, "option0").Type)
	w.click(bob, p, m, "option1")
	w.click(bob, p, m, "option0") // changes the vote
	w.click(cid, p, m, "option1")
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	require.Equal(t, map[string]int64{"yes": 2, "no": 1}, counts(p))
	require.Contains(t, text(m), "Approve  `2`")
	require.Contains(t, text(m), "\\u003c@"+ann+"\\u003e")
	require.Len(t, m.Components, 1)

	w.later(time.Hour)
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	out := outcome(t, p)
	require.Equal(t, vote.Passed, out.Result)
	require.Equal(t, vote.ByTime, out.ClosedBy)
	require.Empty(t, m.Components, "nobody can click any more")
	require.Contains(t, text(m), "**Result:** passed")
}

// interaction is a click as Discord sends it, at a time of one's choice: the time is in its ID.
func interaction(at time.Time, n int, guild string, m fakediscord.Message, user, custom string, values ...string) string {
	id := strconv.FormatUint(uint64(at.UnixMilli()-1420070400000)<<22|uint64(n)&(1<<22-1), 10)
	raw, _ := json.Marshal(map[string]any{
		"id": id, "type": 3, "token": "t" + id, "guild_id": guild, "channel_id": m.Channel, "message": map[string]string{"id": m.ID},
		"member": map[string]any{"user": map[string]string{"id": user}}, "data": map[string]any{"custom_id": custom, "component_type": 2, "values": values},
	})
	return string(raw)
}

func TestSecretVotesAndMenus(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Which?", PollType: vote.Choice, Options: []string{"soup", "salad"}, Secrecy: vote.Hidden}, Channel: hall})
	reply := w.click(ann, p, m, "option1")
	require.Equal(t, 4, reply.Type)
	require.Equal(t, "Your vote was recorded: salad. Only you see this.", reply.Message.Content)
	require.Equal(t, ann, reply.Message.WhisperTo)
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	require.Empty(t, p.Counts)
	require.False(t, m.Edited, "nobody sees when somebody voted")
	p, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	w.later(2 * time.Second)
	_, m = w.again(p, m)
	require.Contains(t, text(m), "salad  `1`")
	require.NotContains(t, text(m), ann)

	options := make([]string, 100)
	for i := range options {
		options[i] = "choice " + strconv.Itoa(i)
	}
	p, m = w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Many", PollType: vote.Approval, Options: options, MayClose: []string{bob}}, Channel: hall})
	require.Len(t, m.Components, 5, "four menus of 25, and a button")
	w.click(ann, p, m, "menu0", "3", "4")
	w.click(ann, p, m, "menu3", "99")
	w.click(ann, p, m, "menu0", "4")
	w.later(2 * time.Second)
	require.Equal(t, "You are not among those who can close this vote.", w.click(ann, p, m, "close").Message.Content)
	w.click(bob, p, m, "close")
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	out := outcome(t, p)
	require.Equal(t, vote.ByPerson, out.ClosedBy)
	var chosen []string
	for _, o := range out.Questions[0].Options {
		if o.Ballots > 0 {
			chosen = append(chosen, o.Option)
		}
	}
	require.Equal(t, []string{"choice 4", "choice 99"}, chosen)
	require.Empty(t, m.Components)

	p, m = w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Two of three", PollType: vote.Multiple, Options: []string{"a", "b", "c"}, MinChoices: 2, MaxChoices: 2}, Channel: hall})
	w.click(ann, p, m, "menu0", "0", "2")
	status, body := r.post(interaction(r.clock.now(), 7, guildID, m, bob, "gw:"+p.ID+":menu0", "1"))
	require.Equal(t, 200, status)
	require.Contains(t, body, "at least 2 options")
	p, err = w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1, outcome(t, p).Turnout.Voters)
}

func TestButtonsOfAMultipleVoteAreToggles(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	options := make([]string, 25)
	for i := range options {
		options[i] = strings.Repeat("long ", 20) + strconv.Itoa(i)
	}
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Some", PollType: vote.Multiple, Options: options, MaxChoices: 2}, Channel: hall})
	require.Len(t, m.Components, 5, "25 buttons")
	w.click(ann, p, m, "option0")
	w.click(ann, p, m, "option1")
	require.Equal(t, "You can choose at most 2 options. Take one back first.", w.click(ann, p, m, "option24").Message.Content)
	w.click(ann, p, m, "option0")
	w.click(ann, p, m, "option24")
	p, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	for i, o := range outcome(t, p).Questions[0].Options {
		require.Equal(t, i == 1 || i == 24, o.Ballots == 1, o.Option)
	}
}

func TestWhoMayNotVoteIsToldAndNotCounted(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	role := gateway.RoleKey("discord", "role/Moderator")
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{
		Title: "Ban?", EligibleVoters: []string{role}, IneligibleVoters: []string{bob}, CloseWhenDecided: true, MayChange: new(false), IneligibleVoterMessage: "Moderators only.",
	}, Channel: hall})
	require.Equal(t, "Moderators only.", w.click(cid, p, m, "option0").Message.Content)
	require.Equal(t, "Moderators only.", w.click(bob, p, m, "option0").Message.Content)
	require.Equal(t, 6, w.click(ann, p, m, "option0").Type)
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	out := outcome(t, p)
	require.Equal(t, vote.ByDecision, out.ClosedBy)
	require.EqualValues(t, 1, out.Turnout.Eligible)
	require.Equal(t, vote.Passed, out.Result)
	status, body := r.post(interaction(r.clock.now(), 3, guildID, m, ann, "gw:"+p.ID+":option1"))
	require.Equal(t, 200, status)
	require.Contains(t, body, "This vote is closed")
}

func TestBadClicksChangeNothing(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: hall})
	gw := "gw:" + p.ID
	for i, c := range []struct{ custom, says string }{
		{gw + ":option2", "not an option"}, {gw + ":option-1", "not an option"}, {gw + ":option99999999999999999999", "not an option"}, {gw + ":menu0", "not an option"},
		{gw + ":", "not an option"}, {gw + ":else", "not an option"}, {gw, `{"type":6}`}, {"gw:p000:option0", `{"type":6}`}, {"gw:../x:option0", `{"type":6}`}, {"", `{"type":6}`},
	} {
		status, body := r.post(interaction(r.clock.now(), i, guildID, m, ann, c.custom, "77"))
		require.Equal(t, 200, status, c.custom)
		require.Contains(t, body, c.says, c.custom)
	}
	other := m
	other.ID = "12345" // our button's ID under another message: somebody copied it
	status, body := r.post(interaction(r.clock.now(), 50, guildID, other, ann, gw+":option0"))
	require.Equal(t, 200, status)
	require.Equal(t, `{"type":6}`, body)
	status, _ = r.post(interaction(r.clock.now(), 51, guildID, m, "", gw+":option0"))
	require.Equal(t, 200, status)
	p, _ = w.again(p, m)
	require.Empty(t, counts(p))
}

func TestWhatCannotBeHeldIsRefusedBeforeAnythingIsPosted(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	many := make([]string, 101)
	long := make([]string, 40)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	for i := range long {
		long[i] = strings.Repeat("*", 190) + strconv.Itoa(i)
	}
	far := r.clock.now().Add(40 * 24 * time.Hour)
	for name, c := range map[string]struct {
		process string
		ask     vote.Ask
		path    string
	}{
		"too many options":          {"vote", vote.Ask{Title: "x", PollType: vote.Choice, Options: many}, "/options"},
		"options too long together": {"vote", vote.Ask{Title: "x", PollType: vote.Choice, Options: long}, "/options"},
		"details too long":          {"vote", vote.Ask{Title: "x", Details: strings.Repeat("d", 5000)}, "/details"},
		"details beside options":    {"vote", vote.Ask{Title: "x", Details: strings.Repeat("d", 4000), PollType: vote.Choice, Options: many[:100]}, "/details"},
		"several at once":           {"vote", vote.Ask{Title: "x", PollType: vote.Multiple, Options: many[:30], MinChoices: 2}, "/options"},
		"ranked":                    {"vote", vote.Ask{Title: "x", PollType: vote.Ranked, Options: many[:3]}, "/poll_type"},
		"questions":                 {"vote", vote.Ask{Title: "x", Questions: []string{"a", "b"}}, "/questions"},
		"eleven answers":            {"poll-vote", vote.Ask{Title: "x", PollType: vote.Choice, Options: many[:11]}, "/options"},
		"a long answer":             {"poll-vote", vote.Ask{Title: "x", PollType: vote.Choice, Options: []string{"a", strings.Repeat("b", 56)}}, "/options"},
		"a hidden poll":             {"poll-vote", vote.Ask{Title: "x", Secrecy: vote.Hidden}, "/secrecy"},
		"final votes in a poll":     {"poll-vote", vote.Ask{Title: "x", MayChange: new(false)}, "/may_change"},
		"a poll of forty days":      {"poll-vote", vote.Ask{Title: "x", ClosingAt: &far}, "/closing_at"},
		"two answers at least":      {"poll-vote", vote.Ask{Title: "x", PollType: vote.Multiple, Options: many[:4], MinChoices: 2}, "/min_choices"},
	} {
		_, err := w.inst.Start(t.Context(), c.process, discord.Vote{Ask: c.ask, Channel: hall})
		var e *gateway.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, gateway.Invalid, e.Code, name)
		require.NotEmpty(t, e.Fields, name)
		require.Equal(t, c.path, e.Fields[0].Path, name)
	}
	require.Empty(t, w.w.Messages(hall))
	require.NoError(t, w.inst.Reconfigure(t.Context(), discord.Config{GuildID: guildID, Votes: []string{"poll"}}))
	_, err := w.inst.Start(t.Context(), "vote", discord.Vote{Ask: vote.Ask{Title: "x"}, Channel: hall})
	require.ErrorIs(t, err, gateway.Denied, "the community does not want it")
	_, err = w.inst.Start(t.Context(), "poll-vote", discord.Vote{Ask: vote.Ask{Title: "x"}, Channel: hall})
	require.NoError(t, err)
	require.ErrorIs(t, w.inst.Reconfigure(t.Context(), discord.Config{GuildID: guildID, Votes: []string{"telepathy"}}), gateway.Invalid)
}

func TestADeletedMessageEndsTheVote(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	for _, process := range []string{"vote", "poll-vote"} {
		p, m := w.vote(process, discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: hall})
		require.NoError(t, w.w.Delete(hall, m.ID, owner))
		for end := time.Now().Add(20 * time.Second); !p.Done() && time.Now().Before(end); {
			r.later(50 * time.Millisecond) // beside the gateway, which may be at it; a closing makes way for deliveries for a moment by the clock
			var err error
			p, err = w.c.Process(t.Context(), p.ID)
			require.NoError(t, err)
		}
		out := outcome(t, p)
		require.Equal(t, vote.ByDeletion, out.ClosedBy, process)
		require.Equal(t, vote.PostDeleted, out.Reason)
	}
}

// Of the messages in a channel that is deleted Discord says nothing.
func TestADeletedChannelEndsItsVotes(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	elsewhere, _ := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: park})
	for n, process := range []string{"vote", "poll-vote"} {
		place, typ := hall, "CHANNEL_DELETE"
		if n > 0 {
			place, typ = w.thread("a thread"), "THREAD_DELETE"
		}
		p, _ := w.vote(process, discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: place})
		body := `{"op":0,"t":"` + typ + `","d":{"id":"` + place + `","guild_id":"` + guildID + `","type":0}}`
		require.NoError(t, w.inst.Accept(t.Context(), nil, []byte(body)))
		w.later(2 * time.Second)
		p, err := w.c.Process(t.Context(), p.ID)
		require.NoError(t, err)
		require.True(t, p.Done())
		require.Equal(t, vote.ByDeletion, outcome(t, p).ClosedBy)
	}
	p, err := w.c.Process(t.Context(), elsewhere.ID)
	require.NoError(t, err)
	require.False(t, p.Done())
}

// Nor does Discord say anything of its threads (https://github.com/discordjs/discord.js/pull/10883).
func TestADeletedChannelEndsAllVotesInItAndInItsThreads(t *testing.T) {
	for name, body := range map[string]string{
		"told":                  `{"op":0,"t":"CHANNEL_DELETE","d":{"id":"` + hall + `","guild_id":"` + guildID + `","type":0}}`,
		"found after an outage": `{"op":0,"t":"GUILD_AUDIT_LOG_ENTRY_CREATE","d":{"id":"1566783936921600009","action_type":12,"target_id":"` + hall + `","user_id":"` + owner + `","guild_id":"` + guildID + `"}}`,
	} {
		t.Run(name, func(t *testing.T) { deletedChannel(t, body) })
	}
}

func deletedChannel(t *testing.T, body string) {
	r := newRig(t)
	w := r.town(0)
	elsewhere, _ := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: park})
	var held []gateway.Process
	for _, place := range []string{hall, hall, w.thread("a thread"), w.thread("another")} {
		for _, process := range []string{"vote", "poll-vote"} {
			p, _ := w.vote(process, discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: place})
			held = append(held, p)
		}
	}
	require.NoError(t, w.inst.Accept(t.Context(), nil, []byte(body)))
	w.later(2 * time.Second)
	for i, p := range held {
		p, err := w.c.Process(t.Context(), p.ID)
		require.NoError(t, err)
		require.True(t, p.Done(), "vote %d", i)
		require.Equal(t, vote.ByDeletion, outcome(t, p).ClosedBy)
	}
	p, err := w.c.Process(t.Context(), elsewhere.ID)
	require.NoError(t, err)
	require.False(t, p.Done())
}

func TestADeletedMessageIsNoticedWithoutTheGatewayToo(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: hall})
	require.NoError(t, w.w.Delete(hall, m.ID, owner))
	status, _ := r.post(interaction(r.clock.now(), 1, guildID, m, ann, "gw:"+p.ID+":option0")) // was under way
	require.Equal(t, 200, status)
	r.later(2 * time.Second)
	p, err := w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, vote.ByDeletion, outcome(t, p).ClosedBy)
}

func TestDiscordIsDownWhenAVoteCloses(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	closing := r.clock.now().Add(time.Hour)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?", ClosingAt: &closing}, Channel: hall})
	q, n := w.vote("poll-vote", discord.Vote{Ask: vote.Ask{Title: "Poll?", ClosingAt: &closing}, Channel: park})
	w.click(ann, p, m, "option0")
	require.NoError(t, w.w.VoteInPoll(park, n.ID, ann, 1))
	w.later(20 * time.Minute)
	r.fake.Fail(fakediscord.Fault{Status: 503, Body: "<html>down</html>", Times: -1})
	for range 80 {
		w.later(time.Minute)
	}
	p, err := w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, vote.Passed, outcome(t, p).Result, "the outcome does not wait for Discord")
	q, err = w.c.Process(t.Context(), q.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCompleted, q.Status, "it waits for ten minutes to be read once more, and no longer")
	require.NotEmpty(t, q.Closing.Note)
}

func TestThePollCountsWhoMayVoteAndEndsToTheSecond(t *testing.T) {
	for _, live := range []bool{false, true} {
		t.Run("with the Gateway "+strconv.FormatBool(live), func(t *testing.T) {
			t.Parallel()
			var opts []rigOption
			if live {
				opts = append(opts, withGateway)
			}
			r := newRig(t, opts...)
			w := r.town(0)
			if live {
				r.connect()
			}
			closing := r.clock.now().Add(90 * time.Minute)
			p, m := w.vote("poll-vote", discord.Vote{Ask: vote.Ask{
				Title: "Which?", PollType: vote.Choice, Options: []string{"soup", "salad"}, ClosingAt: &closing, EligibleVoters: []string{ann, bob, cid},
			}, Channel: hall})
			require.NoError(t, w.w.VoteInPoll(hall, m.ID, ann, 1))
			require.NoError(t, w.w.VoteInPoll(hall, m.ID, bob, 1))
			require.NoError(t, w.w.VoteInPoll(hall, m.ID, dan, 2)) // may not vote
			if live {
				r.due()
			} else {
				w.later(30 * time.Minute)
			}
			p, m = w.again(p, m)
			require.Equal(t, map[string]int64{"soup": 2}, counts(p))
			r.clock.advance(time.Second)
			require.NoError(t, w.w.UnvoteInPoll(hall, m.ID, bob, 1))
			require.NoError(t, w.w.VoteInPoll(hall, m.ID, cid, 2))
			w.later(closing.Sub(r.clock.now()))
			w.later(2 * time.Second)
			said := func() string { all := w.w.Messages(hall); return all[len(all)-1].Content }
			for end := time.Now().Add(20 * time.Second); !contains(said(), "a tie") && time.Now().Before(end); {
				w.later(50 * time.Millisecond) // beside the gateway, which may be at it
			}
			p, m = w.again(p, m)
			require.True(t, m.PollOver)
			out := outcome(t, p)
			require.Equal(t, vote.Tie, out.Result)
			require.Equal(t, []string{ann}, out.Questions[0].Options[0].Users)
			require.Equal(t, []string{cid}, out.Questions[0].Options[1].Users)
			require.EqualValues(t, 2, out.Turnout.Voters)
			require.Contains(t, said(), "a tie between soup, salad", "Discord's own count has dan's vote in it")
		})
	}
}

// Discord may tell of what was taken back after it has told of what was chosen in its place.
func TestAChangedVoteInAPollCountsInWhateverOrderItIsToldOf(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	p, m := w.vote("poll-vote", discord.Vote{Ask: vote.Ask{Title: "Which?", PollType: vote.Choice, Options: []string{"soup", "salad"}}, Channel: hall})
	for i, said := range []string{"ADD 1", "ADD 2", "REMOVE 1"} {
		typ, answer, _ := strings.Cut(said, " ")
		body := fmt.Sprintf(`{"op":0,"t":"MESSAGE_POLL_VOTE_%s","s":%d,"session":"a","d":{"guild_id":%q,"channel_id":%q,"message_id":%q,"user_id":%q,"answer_id":%s}}`,
			typ, i+1, guildID, hall, m.ID, ann, answer)
		r.clock.advance(time.Millisecond)
		require.NoError(t, w.inst.Accept(t.Context(), nil, []byte(body)))
	}
	p, err := w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"salad": 1}, counts(p))
}

func TestAPollOfTenThousandIsReadPageByPage(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	w.w.AddMembers(700000, 10000)
	closing := r.clock.now().Add(time.Hour)
	p, m := w.vote("poll-vote", discord.Vote{Ask: vote.Ask{Title: "Yes?", ClosingAt: &closing}, Channel: hall})
	require.NoError(t, w.w.VoteMany(hall, m.ID, 1, 700000, 7000))
	require.NoError(t, w.w.VoteMany(hall, m.ID, 2, 707000, 3000))
	w.later(time.Hour)
	w.later(2 * time.Second)
	p, _ = w.again(p, m)
	require.Equal(t, map[string]int64{"yes": 7000, "no": 3000}, counts(p))
	for _, c := range r.fake.CallsTo("GET /channels/{channel_id}/polls/{message_id}/answers/{answer_id}") {
		require.Equal(t, "100", c.Query.Get("limit"))
	}
}

func TestATokenThatEndsInTheMiddleOfAVote(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	closing := r.clock.now().Add(time.Hour)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?", ClosingAt: &closing}, Channel: hall})
	w.click(ann, p, m, "option0")
	r.fake.ResetBotToken()
	w.later(2 * time.Second)
	status, reason, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "paused "+gateway.BadCredentials, status+" "+reason)
	p, err = w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusPending, p.Status, "it stands still")
	require.Equal(t, map[string]int64{"yes": 1}, counts(p))
}

func TestAClickThatIsQuickerThanDiscordsAnswerCounts(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	slow := r.fake.Fail(fakediscord.Fault{Route: "POST /channels/{channel_id}/messages", HoldAnswer: true})
	type started struct {
		p   gateway.Process
		err error
	}
	done := make(chan started, 1)
	go func() {
		p, err := w.inst.Start(t.Context(), "vote", discord.Vote{Ask: vote.Ask{Title: "Quick?"}, Channel: hall})
		done <- started{p, err}
	}()
	require.NoError(t, slow.Wait(within(t)))
	m := w.w.Messages(hall)[0]
	custom := m.Components[0].(map[string]any)["components"].([]any)[0].(map[string]any)["custom_id"].(string)
	reply, err := w.w.Click(hall, m.ID, ann, custom)
	require.NoError(t, err)
	require.Equal(t, 6, reply.Type, "it is acknowledged in time: %s", reply.Failed)
	slow.Release()
	s := <-done
	require.NoError(t, s.err)
	w.later(2 * time.Second)
	p, err := w.c.Process(t.Context(), s.p.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p))
}

func TestPeopleAreRemindedOnce(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	closing := r.clock.now().Add(3 * time.Hour)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Plant *trees*?", ClosingAt: &closing, Reminders: []int{120, 60, 10}}, Channel: hall})
	said := func() int { return len(w.w.Messages(hall)) - 1 }
	w.later(61 * time.Minute)
	require.Equal(t, 1, said())
	last := w.w.Messages(hall)[1]
	require.Contains(t, last.Content, `**Plant \*trees\*?** closes <t:`)
	r.fake.Fail(fakediscord.Fault{Route: "POST /channels/{channel_id}/messages", LoseAnswer: true})
	w.later(60 * time.Minute)
	w.later(time.Minute)
	require.Equal(t, 2, said(), "the answer was lost, and it is there once")
	w.later(2 * time.Hour) // nobody ran for a while: it is too late for the last one
	w.later(time.Minute)
	require.Equal(t, 2, said())
	p, _ = w.again(p, m)
	require.True(t, p.Done())

	closing = r.clock.now().Add(time.Hour)
	_, err := w.inst.Start(t.Context(), "vote", discord.Vote{Ask: vote.Ask{Title: "x", ClosingAt: &closing, Reminders: []int{90}}, Channel: hall})
	require.ErrorIs(t, err, gateway.Invalid)
}

func TestADriverFinishesAPollWithAllThatWasVoted(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	p, m := w.vote("poll-vote", discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: hall})
	require.NoError(t, w.w.VoteInPoll(hall, m.ID, ann, 1))
	r.fake.Fail(fakediscord.Fault{Route: "POST /channels/{channel_id}/polls/{message_id}/expire", Status: 503})
	_, err := w.c.Command(t.Context(), p.ID, "finish", nil)
	require.ErrorIs(t, err, gateway.Unavailable)
	_, err = w.c.Command(t.Context(), p.ID, "finish", nil)
	require.NoError(t, err)
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	out := outcome(t, p)
	require.Equal(t, vote.Passed, out.Result)
	require.Equal(t, vote.ByDriver, out.ClosedBy)
	require.True(t, m.PollOver)
	answer, err := w.c.Command(t.Context(), p.ID, "finish", nil)
	require.NoError(t, err)
	require.JSONEq(t, `{"already":true}`, string(answer))
}

// A poll whose answer was lost is there, and would take votes for as long as it was to be open.
func TestAPollThatIsCalledOffWhileItIsPostedIsEnded(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	r.fake.Fail(fakediscord.Fault{Route: "POST /channels/{channel_id}/messages", LoseAnswer: true})
	down := r.fake.Fail(fakediscord.Fault{Route: "GET /channels/{channel_id}/messages", Status: 503, Times: -1})
	p, err := w.inst.Start(t.Context(), "poll-vote", discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: hall})
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCreated, p.Status)
	_, err = w.c.Cancel(t.Context(), p.ID)
	require.NoError(t, err)
	down.Remove()
	for range 3 {
		w.later(time.Minute)
	}
	posted := w.w.Messages(hall)
	require.True(t, posted[0].PollOver)
	require.Contains(t, posted[len(posted)-1].Content, "called off")
}

// While the gateway is away nobody ends the poll, and Discord does not say when people voted.
func TestWhoVotesAfterTheEndDoesNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		lasts, away time.Duration
		late        bool // the poll was open after the end
	}{
		"Discord ends it by itself":    {2 * time.Hour, 2*time.Hour + 20*time.Minute, false},
		"the gateway ends it too late": {90 * time.Minute, 100 * time.Minute, true},
		"a moment too late":            {90 * time.Minute, 90*time.Minute + 50*time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			w := r.town(0)
			begun := r.clock.now()
			closing := begun.Add(c.lasts)
			p, m := w.vote("poll-vote", discord.Vote{Ask: vote.Ask{Title: "Yes?", ClosingAt: &closing}, Channel: hall})
			require.NoError(t, w.w.VoteInPoll(hall, m.ID, ann, 1))
			w.later(30 * time.Minute)
			r.clock.advance(40 * time.Minute)
			require.NoError(t, w.w.VoteInPoll(hall, m.ID, bob, 1)) // nobody looks
			r.clock.advance(begun.Add(c.away).Sub(r.clock.now()) - time.Second)
			err := w.w.VoteInPoll(hall, m.ID, cid, 2)
			if c.away > 2*time.Hour {
				require.Error(t, err, "it is open for as many hours as the vote")
			} else {
				require.NoError(t, err)
			}
			w.later(time.Second)
			for range 12 {
				w.later(time.Minute)
			}
			p, m = w.again(p, m)
			require.Equal(t, gateway.StatusCompleted, p.Status)
			require.True(t, m.PollOver)
			switch {
			case c.late:
				require.Equal(t, map[string]int64{"yes": 1}, counts(p), "what was known before")
				require.NotEmpty(t, p.Closing.Note)
			default:
				require.EqualValues(t, 2, counts(p)["yes"])
				require.Empty(t, p.Closing.Note)
			}
		})
	}
}
