package discord_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/vote"
)

func ref(channel, message string) discord.MessageRef {
	return discord.MessageRef{Channel: channel, Message: message}
}

func who(id string) discord.MemberRef { return discord.MemberRef{Member: id} }

func why(reason string) discord.Reasoned { return discord.Reasoned{Reason: reason} }

func place(id string) discord.ChannelRef { return discord.ChannelRef{Channel: id} }

// everything has the plugin do all that it can do, once at least.
func everything(t *testing.T, w *town) {
	t.Helper()
	posted := do[discord.Posted](w, "post-message", discord.Message{Channel: hall, Content: "one", Embeds: []map[string]any{{"description": "d"}}})
	reply := do[discord.Posted](w, "post-message", discord.Message{Channel: hall, Content: "two", ReplyTo: posted.ID, Silent: true, AllowedMentions: map[string]any{"parse": []string{}}})
	do[discord.Posted](w, "post-message", discord.Message{User: ann, Content: "hello"})
	do[discord.Done](w, "edit-message", discord.EditMessage{MessageRef: ref(hall, posted.ID), Content: new("one, changed")})
	require.Equal(t, "one, changed", do[discord.Post](w, "get-message", ref(hall, posted.ID)).Content)
	require.Len(t, do[discord.Posts](w, "list-messages", discord.ListMessages{Channel: hall}).Messages, 2)
	do[discord.Done](w, "pin-message", discord.PinMessage{MessageRef: ref(hall, posted.ID), Reasoned: why("worth it")})
	require.Len(t, do[discord.Pins](w, "list-pins", discord.ListPins{Channel: hall}).Messages, 1)
	do[discord.Done](w, "unpin-message", discord.PinMessage{MessageRef: ref(hall, posted.ID)})
	do[discord.Done](w, "add-reaction", discord.Reaction{MessageRef: ref(hall, posted.ID), Emoji: "👍"})
	require.NoError(t, w.w.React(hall, posted.ID, bob, "👍"))
	require.Len(t, do[discord.Users](w, "list-reactions", discord.ListReactions{Reaction: discord.Reaction{MessageRef: ref(hall, posted.ID), Emoji: "👍"}}).Users, 2)
	do[discord.Done](w, "remove-reaction", discord.RemoveReaction{Reaction: discord.Reaction{MessageRef: ref(hall, posted.ID), Emoji: "👍"}})
	do[discord.Done](w, "remove-reaction", discord.RemoveReaction{Reaction: discord.Reaction{MessageRef: ref(hall, posted.ID), Emoji: "👍"}, User: bob})
	poll := do[discord.Posted](w, "create-poll", discord.NewPoll{Channel: hall, Question: "Lunch?", Answers: []string{"soup", "salad"}, Several: true})
	require.NoError(t, w.w.VoteInPoll(hall, poll.ID, ann, 1))
	require.Equal(t, ann, do[discord.Users](w, "list-poll-voters", discord.PollAnswer{MessageRef: ref(hall, poll.ID), Answer: 1}).Users[0].ID)
	do[discord.Done](w, "expire-poll", ref(hall, poll.ID))
	require.True(t, do[discord.Done](w, "expire-poll", ref(hall, poll.ID)).Already)
	do[discord.Done](w, "delete-message", discord.DeleteMessage{MessageRef: ref(hall, reply.ID), Reasoned: why("spam")})
	require.True(t, do[discord.Done](w, "delete-message", discord.DeleteMessage{MessageRef: ref(hall, reply.ID)}).Already)
	a, b := do[discord.Posted](w, "post-message", discord.Message{Channel: hall, Content: "a"}), do[discord.Posted](w, "post-message", discord.Message{Channel: hall, Content: "b"})
	do[discord.Done](w, "delete-messages", discord.DeleteMessages{Channel: hall, Messages: []string{a.ID, b.ID}})

	require.NotEmpty(t, do[discord.Channels](w, "list-channels", nil).Channels)
	made := do[discord.Channel](w, "create-channel", discord.CreateChannel{Name: "plans", Kind: "text", Topic: "t", Private: true, Reasoned: why("wanted")})
	do[discord.Done](w, "edit-channel", discord.EditChannel{ChannelRef: place(made.ID), Topic: new("u"), Slowmode: new(5), NSFW: new(false)})
	do[discord.Done](w, "rename-channel", discord.RenameChannel{ChannelRef: place(made.ID), Name: "better-plans"})
	require.Equal(t, "better-plans", do[discord.Channel](w, "get-channel", place(made.ID)).Name)
	do[discord.Done](w, "set-channel-permission", discord.SetPermission{ChannelRef: place(voice), Role: guildID, Deny: []string{"STREAM"}, Allow: []string{"SPEAK"}})
	do[discord.Done](w, "clear-channel-permission", discord.ClearPermission{ChannelRef: place(voice), Role: guildID})
	thread := do[discord.Channel](w, "create-thread", discord.CreateThread{ChannelRef: place(hall), Name: "about it"})
	do[discord.Channel](w, "create-thread", discord.CreateThread{ChannelRef: place(hall), Message: posted.ID, Name: "about that"})
	require.NotEmpty(t, do[discord.Channels](w, "list-threads", nil).Channels)
	do[discord.Done](w, "add-thread-member", discord.ThreadMember{ChannelRef: place(thread.ID), Member: bob})
	do[discord.Done](w, "remove-thread-member", discord.ThreadMember{ChannelRef: place(thread.ID), Member: bob})
	do[discord.Done](w, "edit-thread", discord.EditThread{ChannelRef: place(thread.ID), Archived: new(true), Locked: new(true)})
	do[discord.Done](w, "delete-channel", discord.DeleteChannel{ChannelRef: place(made.ID)})

	require.Equal(t, []string{modRole}, do[discord.Member](w, "get-member", who(ann)).Roles)
	require.Len(t, do[discord.Members](w, "list-members", discord.Page{Limit: 2}).Members, 2)
	require.NoError(t, w.w.JoinVoice(dan, voice))
	do[discord.Done](w, "set-nickname", discord.SetNickname{MemberRef: who(dan), Nick: "Danny"})
	do[discord.Done](w, "set-nickname", discord.SetNickname{MemberRef: who(w.fake.App().BotUser), Nick: "Clerk"})
	require.Contains(t, w.routes(), "PATCH /guilds/"+guildID+"/members/@me")
	do[discord.Done](w, "mute-member", discord.MuteMember{MemberRef: who(dan), Mute: true})
	do[discord.Done](w, "deafen-member", discord.DeafenMember{MemberRef: who(dan), Deaf: true})
	do[discord.Done](w, "move-member", discord.MoveMember{MemberRef: who(dan), Channel: voice})
	do[discord.Done](w, "disconnect-member", discord.ActOnMember{MemberRef: who(dan)})
	do[discord.Done](w, "timeout-member", discord.TimeoutMember{MemberRef: who(dan), Minutes: 40320, Reasoned: why("länger ✓")})
	do[discord.Done](w, "timeout-member", discord.TimeoutMember{MemberRef: who(dan), Minutes: 0})
	made2 := do[discord.Role](w, "create-role", discord.CreateRole{Name: "Helper", Permissions: []string{"VIEW_CHANNEL"}})
	do[discord.Done](w, "add-role", discord.MemberRole{MemberRef: who(dan), Role: made2.ID})
	do[discord.Done](w, "remove-role", discord.MemberRole{MemberRef: who(dan), Role: made2.ID})
	do[discord.Done](w, "delete-role", discord.DeleteRole{Role: made2.ID})
	do[discord.Done](w, "kick-member", discord.ActOnMember{MemberRef: who(dan), Reasoned: why("out")})
	require.True(t, do[discord.Done](w, "kick-member", discord.ActOnMember{MemberRef: who(dan)}).Already)
	do[discord.Done](w, "ban-member", discord.BanUser{User: dan, Delete: 604800, Reasoned: why("spam")})
	require.Equal(t, "spam", do[discord.Ban](w, "get-ban", discord.BanRef{User: dan}).Reason)
	require.Len(t, do[discord.Bans](w, "list-bans", discord.Page{}).Bans, 1)
	do[discord.Done](w, "unban-member", discord.UnbanUser{User: dan})
	require.True(t, do[discord.Done](w, "unban-member", discord.UnbanUser{User: dan}).Already)
	require.Equal(t, []string{cid}, do[discord.BulkBanned](w, "bulk-ban", discord.BulkBan{Users: []string{cid}}).Banned)

	require.Equal(t, guildID, do[discord.Guild](w, "get-guild", nil).ID)
	require.NotEmpty(t, do[discord.Roles](w, "list-roles", nil).Roles)
	require.NotEmpty(t, do[discord.AuditLog](w, "list-audit-log", discord.ListAudit{Action: 22}).Entries)
	cmd := do[discord.Registered](w, "register-guild-command", discord.Command{Name: "propose", Kind: "slash", Description: "Makes a proposal."})
	require.Equal(t, cmd.ID, do[discord.Registered](w, "register-guild-command", discord.Command{Name: "propose", Kind: "slash", Description: "Makes one."}).ID)
	used, err := w.w.Command(hall, ann, "propose", nil)
	require.NoError(t, err)
	require.Equal(t, 5, used.Type)
	do[discord.Posted](w, "respond", discord.Respond{Token: used.Token, Content: "Thank you."})
	do[discord.Posted](w, "respond", discord.Respond{Token: used.Token, Content: "And more.", Another: true, Private: true})
	require.NotEmpty(t, do[discord.Commands](w, "list-guild-commands", nil).Commands)
	do[discord.Done](w, "delete-guild-command", discord.CommandRef{Command: cmd.ID})
	do[discord.Answer](w, "method", map[string]any{"http_method": "PATCH", "route": "channels/" + hall, "topic": "by method"})
	do[discord.Answer](w, "method", map[string]any{"http_method": "GET", "route": "guilds/" + guildID + "/roles"})
	do[discord.Answer](w, "method", map[string]any{"http_method": "PUT", "route": "applications/" + w.fake.App().AppID + "/guilds/" + guildID + "/commands",
		"array_body": []any{map[string]any{"name": "rules", "type": 1, "description": "Shows the rules."}}})
	require.Len(t, do[discord.Commands](w, "list-guild-commands", nil).Commands, 1)

	for _, list := range []string{"channels", "members", "roles"} {
		_, err := w.inst.Choices(t.Context(), list, "")
		require.NoError(t, err)
	}
	_, err = w.inst.Choices(t.Context(), "members", "person")
	require.NoError(t, err)
}

// Everything that the plugin ever asks of Discord is as Discord's own description of its API has it.
func TestContractRequestsAreAsDiscordDescribesThem(t *testing.T) {
	api := specs.OpenAPI(t, "discord", "specs", "openapi.json")
	var missing []string
	judge := func(r *http.Request) error {
		err := api.Request(r)
		if errors.Is(err, specs.ErrNoRoute) {
			missing = append(missing, r.Method+" "+r.URL.Path)
			return nil
		}
		if err != nil && strings.Contains(err.Error(), `parameter "action_type" in query has an error: empty value`) {
			return nil // kin-openapi cannot read a number in a query that is described by its values
		}
		return err
	}
	r := newRig(t, func(_ *discord.App, o *fakeOptions, _ *gateway.Options) { o.Judge = judge })
	w := r.town(0)
	everything(t, w)
	p0, err := discord.New(appOf(r.fake))
	require.NoError(t, err)
	for _, a := range p0.Manifest().Actions {
		require.True(t, r.did[a.Name], "nobody has tried %s", a.Name)
	}
	closing := r.clock.now().Add(time.Hour)
	many := make([]string, 60)
	for i := range many {
		many[i] = "option " + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
	}
	for _, v := range []vote.Ask{
		{Title: "a", Details: "d", ClosingAt: &closing, MayClose: []string{ann}, EligibleVoters: []string{ann}},
		{Title: "b", PollType: vote.Choice, Options: many},
		{Title: "c", PollType: vote.Multiple, Options: []string{"x", "y", "z"}, MinChoices: 2, Secrecy: vote.Hidden},
	} {
		p, m := w.vote("vote", discord.Vote{Ask: v, Channel: park})
		if v.PollType == "" {
			w.click(ann, p, m, "option0")
		}
		r.later(2 * time.Second)
		_, err := w.c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		r.later(2 * time.Second)
	}
	p, m := w.vote("poll-vote", discord.Vote{Ask: vote.Ask{Title: "d", Details: "more", ClosingAt: &closing}, Channel: park})
	require.NoError(t, w.w.VoteInPoll(park, m.ID, ann, 1))
	r.later(2 * time.Hour)
	r.later(time.Minute)
	p, err = w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCompleted, p.Status)
	_, err = w.c.ReadRole(t.Context(), gateway.RoleKey("discord", "role/"+modRole), 0)
	require.NoError(t, err)
	require.NoError(t, w.inst.Repair(t.Context(), gateway.Gap{Since: r.clock.now().Add(-time.Hour)}))
	r.due()
	r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town0"}, ann)
	require.Empty(t, r.fake.Judged())
	for _, route := range missing {
		require.Contains(t, route, "/oauth2/token", "Discord does not describe this route, or there is none")
	}
	for _, c := range r.fake.Calls() {
		require.Empty(t, c.Problems, "%s %s", c.Method, c.Path)
	}
	require.Empty(t, r.fake.Refused())
}

func TestARefusalNamesThePermissionThatIsMissing(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	for action, c := range map[string]struct {
		in    any
		needs string
		lack  uint64
	}{
		"ban-member":        {discord.BanUser{User: cid}, "BAN_MEMBERS", fakediscord.PermBanMembers},
		"kick-member":       {discord.ActOnMember{MemberRef: who(cid)}, "KICK_MEMBERS", fakediscord.PermKickMembers},
		"timeout-member":    {discord.TimeoutMember{MemberRef: who(cid), Minutes: 5}, "MODERATE_MEMBERS", fakediscord.PermModerateMembers},
		"list-audit-log":    {discord.ListAudit{}, "VIEW_AUDIT_LOG", fakediscord.PermViewAuditLog},
		"create-poll":       {discord.NewPoll{Channel: hall, Question: "q", Answers: []string{"a"}}, "SEND_POLLS", fakediscord.PermSendPolls},
		"edit-thread":       {discord.EditThread{ChannelRef: place(w.thread("about")), Locked: new(true)}, "MANAGE_THREADS", fakediscord.PermManageThreads},
		"delete-channel":    {discord.DeleteChannel{ChannelRef: place(w.thread("about"))}, "MANAGE_THREADS", fakediscord.PermManageThreads},
		"rename-channel":    {discord.RenameChannel{ChannelRef: place(hall), Name: "x"}, "MANAGE_CHANNELS", fakediscord.PermManageChannels},
		"add-thread-member": {discord.ThreadMember{ChannelRef: place(w.thread("about")), Member: ann}, "SEND_MESSAGES_IN_THREADS", fakediscord.PermSendInThreads},
	} {
		w.w.SetBotPermissions(perms &^ c.lack)
		w.w.SetOverwrite(hall, guildID, false, 0, c.lack)
		_, err := w.inst.Do(t.Context(), action, c.in)
		require.ErrorIs(t, err, gateway.Denied, action)
		require.ErrorContains(t, err, c.needs, action)
		w.w.SetOverwrite(hall, guildID, false, 0, 0)
	}
	h, err := w.inst.Health(t.Context())
	require.NoError(t, err)
	require.Empty(t, h.Missing, "as the configuration was when it was enabled")
	w.w.SetBotPermissions(perms &^ fakediscord.PermBanMembers)
	require.NoError(t, w.inst.Reconfigure(t.Context(), discord.Config{GuildID: guildID}))
	h, err = w.inst.Health(t.Context())
	require.NoError(t, err)
	require.Contains(t, h.Missing, "BAN_MEMBERS")
}

func TestTroubleOnTheWayHasTheRightCode(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	ban, post := "PUT /guilds/{guild_id}/bans/{user_id}", "POST /channels/{channel_id}/messages"
	for name, c := range map[string]struct {
		fault fakediscord.Fault
		code  gateway.Code
		in    string
	}{
		"an error page":         {fakediscord.Fault{Route: ban, Status: 502, Body: "<html>bad gateway</html>", Times: 2}, gateway.Unknown, "ban"},
		"a page that says 200":  {fakediscord.Fault{Route: ban, Body: "<html>please wait</html>"}, gateway.Unavailable, "guild"},
		"blocked by a proxy":    {fakediscord.Fault{Route: ban, Status: 403, Body: "<html>error 1015</html>"}, gateway.Unavailable, "ban"},
		"a lost answer":         {fakediscord.Fault{Route: ban, LoseAnswer: true}, "", "ban"},
		"a lost request":        {fakediscord.Fault{Route: ban, CloseBefore: true}, "", "ban"},
		"a proxy's own login":   {fakediscord.Fault{Route: ban, Status: 401, Body: `{"message":"Unauthorized"}`}, gateway.Unavailable, "ban"},
		"blocked by Discord's":  {fakediscord.Fault{Route: ban, Code: 40333}, gateway.Unavailable, "ban"},
		"overloaded":            {fakediscord.Fault{Route: ban, Status: 400, Body: `{"message":"API resource is currently overloaded.","code":130000}`}, gateway.Unavailable, "ban"},
		"edited too often":      {fakediscord.Fault{Route: post, Status: 400, Body: `{"message":"Maximum number of edits","code":30046}`}, gateway.Unavailable, "post"},
		"a rate limit":          {fakediscord.Fault{Route: ban, RetryAfter: 2 * time.Second}, gateway.Unavailable, "ban"},
		"a missing permission":  {fakediscord.Fault{Route: ban, Code: 50013}, gateway.Denied, "ban"},
		"a post's lost answer":  {fakediscord.Fault{Route: post, Status: 500}, gateway.Unknown, "post"},
		"an answer that is odd": {fakediscord.Fault{Route: post, Body: "[]"}, gateway.Unknown, "post"},
	} {
		if strings.HasPrefix(name, "a page") {
			c.fault.Route = "GET /guilds/{guild_id}"
		}
		r.clock.advance(time.Hour)
		r.fake.Fail(c.fault)
		var err error
		switch c.in {
		case "ban":
			_, err = w.inst.Do(t.Context(), "ban-member", discord.BanUser{User: cid})
		case "guild":
			_, err = w.inst.Do(t.Context(), "get-guild", nil)
		default:
			_, err = w.inst.Do(t.Context(), "post-message", discord.Message{Channel: hall, Content: name})
		}
		require.Equal(t, c.code, gateway.CodeOf(err), "%s: %v", name, err)
		is, _, err := w.inst.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, "active", is, name)
	}
}

// By Discord's own description a list that is empty may be null.
func TestAListMayBeNull(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	for action, c := range map[string]struct {
		in    any
		route string
		want  string
	}{
		"list-channels":       {nil, "GET /guilds/{guild_id}/channels", `{"channels":[]}`},
		"list-messages":       {discord.ListMessages{Channel: hall}, "GET /channels/{channel_id}/messages", `{"messages":[]}`},
		"list-bans":           {discord.Page{}, "GET /guilds/{guild_id}/bans", `{"bans":[]}`},
		"list-guild-commands": {nil, "GET /applications/{application_id}/guilds/{guild_id}/commands", `{"commands":[]}`},
	} {
		r.fake.Fail(fakediscord.Fault{Route: c.route, Body: "null"})
		got, err := w.inst.Do(t.Context(), action, c.in)
		require.NoError(t, err, action)
		require.JSONEq(t, c.want, string(got))
	}
}

func TestAGlobalLimitHoldsTheWholeBotUp(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	r.fake.Fail(fakediscord.Fault{Route: "PUT /guilds/{guild_id}/bans/{user_id}", RetryAfter: 30 * time.Second, Scope: "global"})
	_, err := w.inst.Do(t.Context(), "ban-member", discord.BanUser{User: cid})
	require.ErrorIs(t, err, gateway.Unavailable)
	require.Equal(t, 30*time.Second, gateway.RetryAfter(err))
	before := len(r.fake.Calls())
	_, err = w.inst.Do(t.Context(), "list-roles", nil)
	require.ErrorIs(t, err, gateway.Unavailable)
	require.Len(t, r.fake.Calls(), before, "nothing was sent")
	r.clock.advance(31 * time.Second)
	_, err = w.inst.Do(t.Context(), "list-roles", nil)
	require.NoError(t, err)
}

func TestAMessageIsPostedOnceWhateverGetsLost(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	const route = "POST /channels/{channel_id}/messages"
	r.fake.Fail(fakediscord.Fault{Route: route, LoseAnswer: true})
	in := discord.Message{Channel: hall, Content: "once\n"} // which Discord trims
	first, err := gateway.Do[discord.Posted](t.Context(), w.inst, "post-message", in, gateway.Once("a"))
	require.NoError(t, err, "it was looked for")
	r.clock.advance(2 * time.Minute)
	posted, err := gateway.Do[discord.Posted](t.Context(), w.inst, "post-message", in, gateway.Once("a"))
	require.NoError(t, err)
	require.Len(t, w.w.Messages(hall), 1)
	require.Equal(t, w.w.Messages(hall)[0].ID, posted.ID)
	require.Equal(t, first, posted)

	// The same text once more, whose answer is lost too, is another message.
	r.fake.Fail(fakediscord.Fault{Route: route, LoseAnswer: true})
	second, err := gateway.Do[discord.Posted](t.Context(), w.inst, "post-message", in)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.Len(t, w.w.Messages(hall), 2)

	r.fake.Fail(fakediscord.Fault{Route: route, CloseBefore: true})
	_, err = w.inst.Do(t.Context(), "post-message", in, gateway.Once("b"))
	require.ErrorIs(t, err, gateway.Unknown)
	r.clock.advance(2 * time.Minute)
	_, err = gateway.Do[discord.Posted](t.Context(), w.inst, "post-message", in, gateway.Once("b"))
	require.NoError(t, err)
	require.Len(t, w.w.Messages(hall), 3)

	// What somebody got as an answer to a command is not what was posted.
	do[discord.Registered](w, "register-guild-command", discord.Command{Name: "propose", Kind: "slash", Description: "Makes a proposal."})
	used, err := w.w.Command(hall, ann, "propose", nil)
	require.NoError(t, err)
	r.fake.Fail(fakediscord.Fault{Route: route, CloseBefore: true})
	_, err = w.inst.Do(t.Context(), "post-message", discord.Message{Channel: hall, Content: "Thank you."}, gateway.Once("c"))
	require.ErrorIs(t, err, gateway.Unknown)
	do[discord.Posted](w, "respond", discord.Respond{Token: used.Token, Content: "Thank you."})
	do[discord.Posted](w, "respond", discord.Respond{Token: used.Token, Content: "Thank you.", Another: true})
	before := len(w.w.Messages(hall))
	r.clock.advance(3 * time.Minute)
	_, err = w.inst.Do(t.Context(), "post-message", discord.Message{Channel: hall, Content: "Thank you."}, gateway.Once("c"))
	require.NoError(t, err)
	require.Len(t, w.w.Messages(hall), before+1)
}

// Without the permission to read its history a channel seems to be empty.
func TestAMessageIsNotPostedAgainWhereNobodyCanTell(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	w.w.SetOverwrite(hall, guildID, false, 0, fakediscord.PermReadMessageHistory)
	const route = "POST /channels/{channel_id}/messages"
	in := discord.Message{Channel: hall, Content: "once"}
	r.fake.Fail(fakediscord.Fault{Route: route, LoseAnswer: true})
	down := r.fake.Fail(fakediscord.Fault{Route: "GET /channels/{channel_id}/messages", Status: 503, Times: -1})
	_, err := w.inst.Do(t.Context(), "post-message", in, gateway.Once("a"))
	require.ErrorIs(t, err, gateway.Unknown)
	down.Remove()
	r.clock.advance(10 * time.Minute)
	_, err = w.inst.Do(t.Context(), "post-message", in, gateway.Once("a"))
	require.ErrorIs(t, err, gateway.Unknown)
	require.ErrorContains(t, err, "READ_MESSAGE_HISTORY")
	require.Len(t, w.w.Messages(hall), 1)
}

func TestWhatIsMadeIsMadeOnceWhateverGetsLost(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	before := len(w.w.Channels())
	for i, c := range []struct {
		action, route string
		in            any
	}{
		{"create-channel", "POST /guilds/{guild_id}/channels", discord.CreateChannel{Name: "Big Plans", Kind: "text"}},
		{"create-channel", "POST /guilds/{guild_id}/channels", discord.CreateChannel{Name: "Big Plans", Kind: "text"}}, // another of that name
		{"create-thread", "POST /channels/{channel_id}/threads", discord.CreateThread{ChannelRef: place(hall), Name: "about"}},
		{"create-role", "POST /guilds/{guild_id}/roles", discord.CreateRole{Name: "Helper"}},
	} {
		r.fake.Fail(fakediscord.Fault{Route: c.route, LoseAnswer: true})
		_, err := w.inst.Do(t.Context(), c.action, c.in)
		require.NoError(t, err, "%d %s: it was looked for", i, c.action)
		_, err = w.inst.Do(t.Context(), c.action, c.in)
		require.NoError(t, err, "%d %s", i, c.action)
		r.clock.advance(time.Minute)
	}
	require.Len(t, w.w.Channels(), before+4+2, "four channels and two threads")
	n := 0
	for _, role := range do[discord.Roles](w, "list-roles", nil).Roles {
		if role.Name == "Helper" {
			n++
		}
	}
	require.Equal(t, 2, n)
}

func TestAnInteractionCanBeAnsweredForAQuarterOfAnHour(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	do[discord.Registered](w, "register-guild-command", discord.Command{Name: "propose", Kind: "slash", Description: "Makes a proposal."})
	used, err := w.w.Command(hall, ann, "propose", nil)
	require.NoError(t, err)
	got := r.events("APPLICATION_COMMAND")
	require.Len(t, got, 1)
	require.Equal(t, ann, got[0].Initiator)
	require.Contains(t, string(got[0].Data), used.Token)
	r.clock.advance(14 * time.Minute)
	do[discord.Posted](w, "respond", discord.Respond{Token: used.Token, Content: "Thank you."})
	require.Equal(t, "Thank you.", r.fake.Reply(used.Token).Message.Content)
	r.clock.advance(2 * time.Minute)
	_, err = w.inst.Do(t.Context(), "respond", discord.Respond{Token: used.Token, Content: "Too late."})
	require.ErrorIs(t, err, gateway.NotFound)
	require.NotContains(t, err.Error(), used.Token)
	status, _, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status, "it says nothing of the bot's token")
}

// Discord knows for a moment nothing of an interaction that was put off just now (https://github.com/discord/discord-api-docs/issues/7220).
func TestAnAnswerThatIsQuickerThanItsPuttingOffIsGivenAgain(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	do[discord.Registered](w, "register-guild-command", discord.Command{Name: "propose", Kind: "slash", Description: "Makes a proposal."})
	used, err := w.w.Command(hall, ann, "propose", nil)
	require.NoError(t, err)
	r.fake.Fail(fakediscord.Fault{Route: "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", Code: 10015})
	do[discord.Posted](w, "respond", discord.Respond{Token: used.Token, Content: "Thank you."})
	require.Equal(t, "Thank you.", r.fake.Reply(used.Token).Message.Content)
	r.fake.Fail(fakediscord.Fault{Route: "POST /webhooks/{webhook_id}/{webhook_token}", Code: 10015})
	do[discord.Posted](w, "respond", discord.Respond{Token: used.Token, Content: "More.", Another: true})
}

func TestABulkBanWhoseAnswerIsLostIsFoundOut(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	const route = "POST /guilds/{guild_id}/bulk-ban"
	r.fake.Fail(fakediscord.Fault{Route: route, LoseAnswer: true})
	require.Equal(t, discord.BulkBanned{Banned: []string{cid}, Failed: []string{owner}},
		do[discord.BulkBanned](w, "bulk-ban", discord.BulkBan{Users: []string{cid, owner}}))
	_, err := w.inst.Do(t.Context(), "bulk-ban", discord.BulkBan{Users: []string{cid}})
	require.ErrorIs(t, err, gateway.Invalid, "nobody is banned by it")
}

// Discord takes layouts as components only of messages that say so by a flag.
func TestLayoutsCanBePosted(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	boxed := func(text string) []map[string]any {
		return []map[string]any{{"type": 17, "components": []map[string]any{{"type": 10, "content": text}}}}
	}
	const suppressed, silent, layout = 1 << 2, 1 << 12, 1 << 15
	posted := do[discord.Posted](w, "post-message", discord.Message{Channel: hall, Components: boxed("one"), Silent: true, More: map[string]json.RawMessage{"flags": []byte("4")}})
	m, ok := w.w.Message(hall, posted.ID)
	require.True(t, ok)
	require.Equal(t, suppressed|silent|layout, m.Flags)
	do[discord.Done](w, "edit-message", discord.EditMessage{MessageRef: discord.MessageRef{Channel: hall, Message: posted.ID}, Components: boxed("two")})
	m, _ = w.w.Message(hall, posted.ID)
	require.Contains(t, fmt.Sprint(m.Components), "two")

	do[discord.Registered](w, "register-guild-command", discord.Command{Name: "rules", Kind: "slash", Description: "Shows the rules."})
	reply, err := w.w.Command(hall, ann, "rules", nil)
	require.NoError(t, err)
	do[discord.Posted](w, "respond", discord.Respond{Token: reply.Token, Components: boxed("the rules")})
	do[discord.Posted](w, "respond", discord.Respond{Token: reply.Token, Components: boxed("for you"), Another: true, Private: true})
}
