package fakeslack_test

import (
	"fmt"
	"testing"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestConversationsLife(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	c, err := w.bot.CreateConversationContext(w.ctx, slack.CreateConversationParams{ChannelName: "budget"})
	require.NoError(t, err)
	_, err = w.bot.InviteUsersToConversationContext(w.ctx, c.ID, "UALICE", "UBOB")
	require.NoError(t, err)
	require.Equal(t, []string{w.w.BotUserID(), "UALICE", "UBOB"}, w.w.Members(c.ID))
	require.NoError(t, w.bot.KickUserFromConversationContext(w.ctx, c.ID, "UBOB"))
	_, err = w.bot.RenameConversationContext(w.ctx, c.ID, "money")
	require.NoError(t, err)
	name, _ := w.w.ChannelName(c.ID)
	require.Equal(t, "money", name)
	_, err = w.bot.SetTopicOfConversationContext(w.ctx, c.ID, "spend")
	require.NoError(t, err)
	info, err := w.bot.GetConversationInfoContext(w.ctx, &slack.GetConversationInfoInput{ChannelID: c.ID, IncludeNumMembers: true})
	require.NoError(t, err)
	require.Equal(t, "spend", info.Topic.Value)
	require.Equal(t, 2, info.NumMembers)
	require.Equal(t, []string{"budget"}, info.PreviousNames)
	require.NoError(t, w.bot.ArchiveConversationContext(w.ctx, c.ID))
	require.Equal(t, "already_archived", w.call("conversations.archive", "channel", c.ID)["error"])

	_, _, _, err = w.bot.JoinConversationContext(w.ctx, "C2")
	require.NoError(t, err)
	require.Contains(t, w.w.Members("C2"), w.w.BotUserID())
	require.Equal(t, "already_in_channel", w.call("conversations.join", "channel", "C2")["warning"])
	_, err = w.bot.LeaveConversationContext(w.ctx, "C2")
	require.NoError(t, err)
	require.Equal(t, true, w.call("conversations.leave", "channel", "C2")["not_in_channel"])
}

func TestConversationRefusals(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	bot := w.w.BotUserID()
	for _, c := range []struct {
		method, want string
		args         []string
	}{
		{"conversations.join", "channel_not_found", []string{"channel", "CSECRET"}},
		{"conversations.join", "method_not_supported_for_channel_type", []string{"channel", "CBOARD"}},
		{"conversations.join", "is_archived", []string{"channel", "C3"}},
		{"conversations.rename", "not_in_channel", []string{"channel", "C2", "name", "x"}},
		{"conversations.rename", "name_taken", []string{"channel", "C1", "name", "secret"}},
		{"conversations.rename", "invalid_name_specials", []string{"channel", "C1", "name", "Town Hall"}},
		{"conversations.create", "invalid_name_required", nil},
		{"conversations.kick", "cant_kick_self", []string{"channel", "C1", "user", bot}},
		{"conversations.kick", "not_in_channel", []string{"channel", "C1", "user", "UCAROL"}},
		{"conversations.kick", "user_not_found", []string{"channel", "C1", "user", "UX"}},
		{"conversations.invite", "already_in_channel", []string{"channel", "C1", "users", "UBOB"}},
		{"conversations.invite", "user_not_found", []string{"channel", "C1", "users", "UX"}},
		{"conversations.invite", "no_user", []string{"channel", "C1", "users", ","}},
		{"conversations.history", "not_in_channel", []string{"channel", "C2"}},
		{"conversations.history", "channel_not_found", []string{"channel", "CSECRET"}},
		{"conversations.history", "invalid_cursor", []string{"channel", "C1", "cursor", "zz"}},
		{"conversations.history", "invalid_ts_oldest", []string{"channel", "C1", "oldest", "yesterday"}},
		{"conversations.replies", "thread_not_found", []string{"channel", "C1", "ts", "1.000001"}},
		{"conversations.members", "channel_not_found", []string{"channel", "C9"}},
		{"conversations.list", "invalid_types", []string{"types", "pub"}},
		{"conversations.open", "users_list_not_supplied", nil},
		{"conversations.open", "user_not_found", []string{"users", "UX"}},
		{"conversations.open", "user_disabled", []string{"users", "UGONE"}},
		{"users.info", "user_not_found", []string{"user", "UX"}},
		{"users.lookupByEmail", "users_not_found", []string{"email", "nobody@example.org"}},
		{"usergroups.users.list", "no_such_subteam", []string{"usergroup", "S9"}},
		{"pins.add", "no_item_specified", []string{"channel", "C1"}},
		{"pins.add", "bad_timestamp", []string{"channel", "C1", "timestamp", "x"}},
		{"pins.add", "message_not_found", []string{"channel", "C1", "timestamp", "1.000001"}},
		{"reactions.add", "invalid_name", []string{"channel", "C1", "timestamp", "1.000001", "name", ":tada:"}},
	} {
		t.Run(c.method+" "+c.want, func(t *testing.T) {
			require.Equal(t, c.want, w.call(c.method, c.args...)["error"])
		})
	}
}

func TestDirectMessages(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	dm, _, open, err := w.bot.OpenConversationContext(w.ctx, &slack.OpenConversationParameters{Users: []string{"UBOB"}})
	require.NoError(t, err)
	require.False(t, open)
	again, _, open, err := w.bot.OpenConversationContext(w.ctx, &slack.OpenConversationParameters{Users: []string{"UBOB"}})
	require.NoError(t, err)
	require.True(t, open)
	require.Equal(t, dm.ID, again.ID)
	group, _, _, err := w.bot.OpenConversationContext(w.ctx, &slack.OpenConversationParameters{Users: []string{"UBOB", "UALICE"}})
	require.NoError(t, err)
	same, _, _, err := w.bot.OpenConversationContext(w.ctx, &slack.OpenConversationParameters{Users: []string{"UALICE", "UBOB"}})
	require.NoError(t, err)
	require.Equal(t, group.ID, same.ID)
	require.NotEqual(t, dm.ID, group.ID)

	ch, _, err := w.bot.PostMessageContext(w.ctx, "UBOB", slack.MsgOptionText("psst", false))
	require.NoError(t, err)
	require.Equal(t, dm.ID, ch, "a user's ID is that user's direct message")
	_, err = w.w.Post(w.ctx, "UBOB", dm.ID, "yes?")
	require.NoError(t, err)
	got := w.app.all()
	require.Equal(t, "im", got[len(got)-1].event()["channel_type"])
	_, err = w.w.Post(w.ctx, "UALICE", dm.ID, "let me in")
	require.ErrorIs(t, err, fakeslack.ErrRefused)
}

func TestListsAndPages(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	for i := range 25 {
		w.w.AddChannel(fmt.Sprintf("CX%02d", i), fmt.Sprintf("x%02d", i), "UALICE")
	}
	var all []slack.Channel
	cursor, pages := "", 0
	for {
		list, next, err := w.bot.GetConversationsContext(w.ctx, &slack.GetConversationsParameters{Limit: 10, Cursor: cursor, ExcludeArchived: true})
		require.NoError(t, err)
		all, pages = append(all, list...), pages+1
		if cursor = next; cursor == "" {
			break
		}
	}
	require.Len(t, all, 27)
	require.Equal(t, 3, pages)
	private, _, err := w.bot.GetConversationsContext(w.ctx, &slack.GetConversationsParameters{Types: []string{"private_channel"}})
	require.NoError(t, err)
	require.Len(t, private, 1, "others' private channels are not shown")

	users, err := w.bot.GetUsersContext(w.ctx, slack.GetUsersOptionLimit(2))
	require.NoError(t, err)
	require.Len(t, users, 6, "four people, Slackbot and the app")
	u, err := w.bot.GetUserInfoContext(w.ctx, "UALICE")
	require.NoError(t, err)
	require.True(t, u.IsAdmin)
	require.Equal(t, "alice@example.org", u.Profile.Email)
	u, err = w.bot.GetUserByEmailContext(w.ctx, "alice@example.org")
	require.NoError(t, err)
	require.Equal(t, "UALICE", u.ID)
	mine, _, err := w.bot.GetConversationsForUserContext(w.ctx, &slack.GetConversationsForUserParameters{UserID: "UBOB"})
	require.NoError(t, err)
	require.Len(t, mine, 2)
	members, _, err := w.bot.GetUsersInConversationContext(w.ctx, &slack.GetUsersInConversationParameters{ChannelID: "C1"})
	require.NoError(t, err)
	require.Len(t, members, 3)
	team, err := w.bot.GetTeamInfoContext(w.ctx)
	require.NoError(t, err)
	require.Equal(t, "Commons", team.Name)
	plain := newWorld(t, fakeslack.Options{}, "users:read")
	u, err = plain.bot.GetUserInfoContext(plain.ctx, "UALICE")
	require.NoError(t, err)
	require.Empty(t, u.Profile.Email, "addresses need users:read.email")
}

// Every message is in exactly one page, whatever the limit, in order, newest first; oldest and latest cut exactly.
func TestHistoryPages(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	var all []string
	for i := range 30 {
		all = append(all, w.call("chat.postMessage", "channel", "C1", "text", fmt.Sprint(i))["ts"].(string))
	}
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 40).Draw(rt, "limit")
		from := rapid.IntRange(0, 29).Draw(rt, "from")
		to := rapid.IntRange(from, 29).Draw(rt, "to")
		inclusive := rapid.Bool().Draw(rt, "inclusive")
		var want []string
		for i := to; i >= from; i-- {
			if inclusive || i != from && i != to {
				want = append(want, all[i])
			}
		}
		p := &slack.GetConversationHistoryParameters{ChannelID: "C1", Limit: limit, Oldest: all[from], Latest: all[to], Inclusive: inclusive}
		var got []string
		for {
			h, err := w.bot.GetConversationHistoryContext(w.ctx, p)
			require.NoError(rt, err)
			require.LessOrEqual(rt, len(h.Messages), limit)
			for _, m := range h.Messages {
				got = append(got, m.Timestamp)
			}
			require.Equal(rt, h.HasMore, h.ResponseMetaData.NextCursor != "")
			if p.Cursor = h.ResponseMetaData.NextCursor; p.Cursor == "" {
				break
			}
		}
		require.Equal(rt, want, got)
	})
}

func TestPinsAndReactions(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts := w.ballot()
	item := slack.NewRefToMessage("C1", ts)
	require.NoError(t, w.bot.AddPinContext(w.ctx, "C1", item))
	require.ErrorContains(t, w.bot.AddPinContext(w.ctx, "C1", item), "already_pinned")
	pins, _, err := w.bot.ListPinsContext(w.ctx, "C1")
	require.NoError(t, err)
	require.Len(t, pins, 1)
	m, _ := w.w.Message("C1", ts)
	require.True(t, m.Pinned)
	require.NoError(t, w.bot.RemovePinContext(w.ctx, "C1", item))
	require.ErrorContains(t, w.bot.RemovePinContext(w.ctx, "C1", item), "no_pin")

	require.NoError(t, w.bot.AddReactionContext(w.ctx, "tada", item))
	require.ErrorContains(t, w.bot.AddReactionContext(w.ctx, "tada", item), "already_reacted")
	require.NoError(t, w.w.React(w.ctx, "UBOB", "C1", ts, "tada"))
	require.NoError(t, w.w.React(w.ctx, "UBOB", "C1", ts, "eyes"))
	require.ErrorContains(t, w.bot.RemoveReactionContext(w.ctx, "eyes", item), "no_reaction", "nobody removes another's reaction")
	got, err := w.bot.GetReactionsContext(w.ctx, item, slack.NewGetReactionsParameters())
	require.NoError(t, err)
	require.Equal(t, 2, got.Reactions[0].Count)
	m, _ = w.w.Message("C1", ts)
	require.Equal(t, map[string][]string{"tada": {w.w.BotUserID(), "UBOB"}, "eyes": {"UBOB"}}, m.Reactions)
}

func TestUserGroups(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	w.w.AddUserGroup("S1", "stewards", "UALICE")
	_, err := w.bot.UpdateUserGroupMembersContext(w.ctx, "S1", "UBOB,UCAROL")
	require.NoError(t, err)
	require.Equal(t, []string{"UBOB", "UCAROL"}, w.w.UserGroup("S1"))
	users, err := w.bot.GetUserGroupMembersContext(w.ctx, "S1")
	require.NoError(t, err)
	require.Len(t, users, 2)
	groups, err := w.bot.GetUserGroupsContext(w.ctx, slack.GetUserGroupsOptionIncludeUsers(true))
	require.NoError(t, err)
	require.Equal(t, "stewards", groups[0].Handle)
	_, err = w.bot.UpdateUserGroupMembersContext(w.ctx, "S1", "UGONE")
	require.ErrorContains(t, err, "invalid_users")
	w.flush()
	require.Equal(t, []string{"subteam_members_changed"}, w.app.types())
	require.Equal(t, []any{"UALICE"}, w.app.all()[0].event()["removed_users"])
}
