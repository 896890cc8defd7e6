package discord_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

const auditRoute = "GET /guilds/{guild_id}/audit-logs"

// wait waits for so many events of a type: the gateway runs beside the test.
func (r *rig) wait(typ string, n int) []gateway.Event {
	r.t.Helper()
	end := time.Now().Add(20 * time.Second)
	got := r.events(typ)
	for tries := 0; len(got) < n; got = r.events(typ) {
		if tries++; tries > 200 {
			r.clock.advance(time.Second) // the clock may have been moved while the gateway was looking at it
		}
		require.True(r.t, time.Now().Before(end), "there are %d %s, and %d are wanted; the log: %s", len(got), typ, n, r.logs)
		runtime.Gosched()
	}
	require.Len(r.t, got, n, typ)
	return got
}

// reason is what the audit log says of an event.
func reason(t *testing.T, e gateway.Event) string {
	t.Helper()
	var data struct {
		User  struct{ ID, Username string } `json:"user"`
		Entry struct {
			ID, Reason string
		} `json:"audit_log_entry"`
	}
	require.NoError(t, json.Unmarshal(e.Data, &data))
	require.Equal(t, data.Entry.ID, e.ID, "the event is named by the entry")
	return data.Entry.Reason
}

func TestABanNamesWhoDidItInWhateverOrderDiscordTellsOfIt(t *testing.T) {
	for _, first := range []string{"GUILD_BAN_ADD", "GUILD_AUDIT_LOG_ENTRY_CREATE"} {
		t.Run(first+" is late", func(t *testing.T) {
			t.Parallel()
			r := newRig(t, withGateway)
			w := r.town(0)
			r.connect()
			r.fake.Fail(fakediscord.Fault{Delivery: first, Reorder: true})
			require.NoError(t, w.w.Ban(ann, cid, "harassment: no", 0))
			got := r.wait("GUILD_BAN_ADD", 1)
			require.Equal(t, ann, got[0].Initiator)
			require.False(t, got[0].Bot)
			require.Equal(t, "harassment: no", reason(t, got[0]))
			require.Empty(t, r.events("GUILD_AUDIT_LOG_ENTRY_CREATE"), "one thing that happened is one event")

			r.clock.advance(time.Minute)
			require.Len(t, r.wait("GUILD_BAN_ADD", 1), 1)
			for _, c := range r.fake.CallsTo(auditRoute) {
				require.NotEqual(t, "22", c.Query.Get("action_type"), "the audit log has said so by itself")
			}
		})
	}
}

func TestWhereTheAuditLogSaysNothingItIsAskedOnceAfterTenSeconds(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	r.fake.Fail(fakediscord.Fault{Delivery: "GUILD_AUDIT_LOG_ENTRY_CREATE", Drop: true})
	require.NoError(t, w.w.Ban(ann, cid, "spam", 0))
	require.Empty(t, r.events("GUILD_BAN_ADD"))
	require.Empty(t, r.fake.CallsTo(auditRoute), "it may still come")
	r.clock.advance(11 * time.Second)
	got := r.wait("GUILD_BAN_ADD", 1)
	require.Equal(t, ann, got[0].Initiator)
	require.Equal(t, "spam", reason(t, got[0]))
	n := 0
	for _, c := range r.fake.CallsTo(auditRoute) {
		if c.Query.Get("action_type") == "22" {
			n++
		}
	}
	require.Equal(t, 1, n)
	r.clock.advance(2 * time.Second)
	require.Equal(t, ann, r.wait("GUILD_MEMBER_REMOVE", 1)[0].Initiator)
	require.Len(t, r.fake.CallsTo(auditRoute), 1, "what was found out about the ban holds for the leave too")
}

func TestWithoutTheRightToReadTheAuditLogAnEventHasNoInitiator(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	w.w.SetBotPermissions(perms &^ fakediscord.PermViewAuditLog)
	r.connect()
	require.NoError(t, w.w.Ban(ann, cid, "spam", 0))
	r.clock.advance(11 * time.Second)
	got := r.wait("GUILD_BAN_ADD", 1)
	require.Empty(t, got[0].Initiator)

	// What the bot itself did it knows all the same: a policy would answer itself otherwise.
	do[discord.Done](w, "ban-member", discord.BanUser{User: dan})
	r.clock.advance(11 * time.Second)
	got = r.wait("GUILD_BAN_ADD", 2)
	require.True(t, got[1].Bot)
	require.Equal(t, r.fake.App().BotUser, got[1].Initiator)
	left := r.wait("GUILD_MEMBER_REMOVE", 2)
	for _, e := range left { // in whatever order
		require.Equal(t, strings.Contains(string(e.Data), `"id":"`+dan+`"`), e.Bot)
	}
}

func TestWhatTheBotDoesIsAnEchoOfTheCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	do[discord.Done](w, "ban-member", discord.BanUser{User: cid, Reasoned: discord.Reasoned{Reason: "by policy: ref #1"}})
	got := r.wait("GUILD_BAN_ADD", 1)
	require.True(t, got[0].Bot)
	require.NotEmpty(t, got[0].Cause, "it is the effect of our call")
	require.Equal(t, r.fake.App().BotUser, got[0].Initiator)
	calls := r.fake.CallsTo("PUT /guilds/{guild_id}/bans/{user_id}")
	require.Len(t, calls, 1)
	require.Equal(t, "by policy: ref #1", calls[0].Reason)
	require.JSONEq(t, `{"delete_message_seconds":0}`, string(calls[0].Body))

	// The same done by a person afterwards is the person's.
	do[discord.Done](w, "unban-member", discord.UnbanUser{User: cid})
	require.NoError(t, w.w.Ban(ann, cid, "once more", 0))
	got = r.wait("GUILD_BAN_ADD", 2)
	require.Equal(t, ann, got[1].Initiator)
	require.Empty(t, got[1].Cause)
	require.Len(t, r.wait("GUILD_BAN_REMOVE", 1), 1)
}

func TestOneBotMessageIsOneEventWithItsCause(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	posted := do[discord.Posted](w, "post-message", discord.Message{Channel: hall, Content: "hello"})
	_, err := w.w.Post(hall, ann, "hello")
	require.NoError(t, err)
	got := r.wait("MESSAGE_CREATE", 2)
	for _, e := range got {
		if e.Bot {
			require.NotEmpty(t, e.Cause)
			require.Contains(t, string(e.Data), posted.ID)
		} else {
			require.Equal(t, ann, e.Initiator)
			require.Empty(t, e.Cause)
		}
	}
	require.NotEqual(t, got[0].Bot, got[1].Bot)
}

func TestKicksAndRolesNameWhoDidItAndLeavingNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	require.NoError(t, w.w.Kick(ann, cid, "out"))
	kicked := r.wait("GUILD_MEMBER_REMOVE", 1)
	require.Equal(t, ann, kicked[0].Initiator)
	require.NoError(t, w.w.GiveRole(owner, dan, modRole))
	require.Equal(t, owner, r.wait("GUILD_MEMBER_UPDATE", 1)[0].Initiator)
	require.NoError(t, w.w.Leave(dan))
	require.Len(t, r.events("GUILD_MEMBER_REMOVE"), 1, "it may have been a kick")
	r.clock.advance(11 * time.Second)
	left := r.wait("GUILD_MEMBER_REMOVE", 2)
	require.Empty(t, left[1].Initiator)
}

func TestVoiceStatesAreEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	require.NoError(t, w.w.JoinVoice(cid, voice))
	require.NoError(t, w.w.SetVoice(cid, fakediscord.VoiceState{Video: true, Stream: true}))
	got := r.wait("VOICE_STATE_UPDATE", 2)
	require.Contains(t, string(got[1].Data), `"self_video":true`)
	require.Contains(t, string(got[1].Data), `"self_stream":true`)

	do[discord.Done](w, "mute-member", discord.MuteMember{MemberRef: discord.MemberRef{Member: cid}, Mute: true})
	do[discord.Done](w, "deafen-member", discord.DeafenMember{MemberRef: discord.MemberRef{Member: cid}, Deaf: true})
	do[discord.Done](w, "disconnect-member", discord.ActOnMember{MemberRef: discord.MemberRef{Member: cid}})
	got = r.wait("VOICE_STATE_UPDATE", 5)
	require.Contains(t, string(got[2].Data), `"mute":true`)
	_, err := w.inst.Do(t.Context(), "mute-member", discord.MuteMember{MemberRef: discord.MemberRef{Member: cid}, Mute: true})
	require.ErrorIs(t, err, gateway.Conflict, "they are in no voice channel")
	_, err = w.inst.Do(t.Context(), "set-channel-permission", discord.SetPermission{ChannelRef: discord.ChannelRef{Channel: voice}, Member: cid, Deny: []string{"STREAM"}})
	require.NoError(t, err)
	require.Zero(t, w.w.Permissions(cid, voice)&fakediscord.PermStream)
	require.Contains(t, r.routes(), http.MethodPut+" /channels/1103/permissions/"+cid)
}

// tell delivers an event of the Gateway by hand.
func (r *rig) tell(typ, data string) {
	r.t.Helper()
	r.told++
	status, body := r.post(fmt.Sprintf(`{"op":0,"t":%q,"s":%d,"session":"by-hand","d":%s}`, typ, r.told, data))
	require.Equal(r.t, http.StatusNoContent, status, body)
	r.due()
}

// entry delivers one of the audit log about cid, that was made some time ago.
func (r *rig) entry(action int, by string, ago time.Duration) {
	r.t.Helper()
	id := (r.clock.now().Add(-ago).UnixMilli()-1420070400000)<<22 + int64(r.told)
	r.tell("GUILD_AUDIT_LOG_ENTRY_CREATE", fmt.Sprintf(`{"id":"%d","guild_id":"1000","action_type":%d,"target_id":"2003","user_id":%q}`, id, action, by))
}

const changed = `{"guild_id":"1000","user":{"id":"2003"},"nick":"n"}`

// What somebody does afterwards by themselves is not taken for the other half of it.
func TestOneActWithTwoEntriesTakesOneDelivery(t *testing.T) {
	r := newRig(t)
	r.town(0)
	r.entry(24, ann, 0)
	r.entry(25, ann, 0)
	r.tell("GUILD_MEMBER_UPDATE", changed)
	r.later(30 * time.Second)
	require.Len(t, r.events("GUILD_MEMBER_UPDATE"), 2)
	r.tell("GUILD_MEMBER_UPDATE", changed)
	r.later(11 * time.Second)
	got := r.events("GUILD_MEMBER_UPDATE")
	require.Len(t, got, 3)
	require.Empty(t, got[2].Initiator)
}

func TestAnEntryOfLongAgoTakesNoDelivery(t *testing.T) {
	r := newRig(t)
	r.town(0)
	r.entry(24, ann, time.Hour) // as a repair finds it
	r.entry(24, ann, time.Minute)
	got := r.events("GUILD_MEMBER_UPDATE")
	require.Len(t, got, 2)
	require.Equal(t, r.clock.now().Add(-time.Hour), got[0].At.UTC())
	r.tell("GUILD_MEMBER_UPDATE", changed)
	r.later(11 * time.Second)
	got = r.events("GUILD_MEMBER_UPDATE")
	require.Len(t, got, 3)
	require.Empty(t, got[2].Initiator)
}

func TestWhoWasKickedAndLeavesLaterLeavesByThemselves(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	require.NoError(t, w.w.Kick(ann, cid, "out"))
	require.Equal(t, ann, r.wait("GUILD_MEMBER_REMOVE", 1)[0].Initiator)
	r.clock.advance(30 * time.Second)
	require.NoError(t, w.w.Join(cid))
	r.wait("GUILD_MEMBER_ADD", 1)
	require.NoError(t, w.w.Leave(cid))
	r.due()
	r.clock.advance(11 * time.Second)
	require.Empty(t, r.wait("GUILD_MEMBER_REMOVE", 2)[1].Initiator)
}

// Discord says whose reaction it was, and not who took it back.
func TestWhoTakesAReactionBackOrDeletesManyIsKnownWhereItIsTheBot(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	posted := do[discord.Posted](w, "post-message", discord.Message{Channel: hall, Content: "hello"})
	heart := discord.Reaction{MessageRef: ref(hall, posted.ID), Emoji: "❤️"}
	do[discord.Done](w, "add-reaction", heart)
	for _, user := range []string{ann, bob} {
		require.NoError(t, w.w.React(hall, posted.ID, user, "❤️"))
	}
	r.wait("MESSAGE_REACTION_ADD", 3)
	require.NoError(t, w.w.Unreact(hall, posted.ID, ann, "❤️"))
	do[discord.Done](w, "remove-reaction", discord.RemoveReaction{Reaction: heart, User: bob})
	do[discord.Done](w, "remove-reaction", discord.RemoveReaction{Reaction: heart})
	for i, e := range r.wait("MESSAGE_REACTION_REMOVE", 3) {
		require.Empty(t, e.Initiator)
		require.Equal(t, e.Cause != "", e.Bot)
		require.Equal(t, strings.Contains(string(e.Data), `"user_id":"`+ann+`"`), e.Cause == "", "%d %s", i, e.Data)
	}

	other := do[discord.Posted](w, "post-message", discord.Message{Channel: hall, Content: "more"})
	do[discord.Done](w, "delete-messages", discord.DeleteMessages{Channel: hall, Messages: []string{other.ID, posted.ID}})
	require.NotEmpty(t, r.wait("MESSAGE_DELETE_BULK", 1)[0].Cause)
}

// Discord sends a message again whenever something about it changes, with the time of its last edit, however long ago that was.
func TestWhoseMessageIsPinnedHasNotEditedIt(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	edited := r.clock.now().Format(time.RFC3339)
	tell := func(session int, pinned bool) {
		body := fmt.Sprintf(`{"op":0,"t":"MESSAGE_UPDATE","s":%d,"session":"a","d":{"id":"5","channel_id":%q,"guild_id":%q,"author":{"id":%q},"edited_timestamp":%q,"pinned":%t}}`,
			session, hall, guildID, ann, edited, pinned)
		require.NoError(t, w.inst.Accept(t.Context(), nil, []byte(body)))
	}
	tell(1, false)
	r.clock.advance(time.Hour)
	tell(2, true)
	heard := r.events("MESSAGE_UPDATE")
	require.Len(t, heard, 2)
	require.Equal(t, ann, heard[0].Initiator)
	require.Empty(t, heard[1].Initiator)
	require.Equal(t, r.clock.now(), heard[1].At)
}

func TestWhoeverBringsTheBotIntoAThreadHasNotMadeIt(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	old, now := fmt.Sprint(uint64(r.clock.now().Add(-time.Hour).UnixMilli()-1420070400000)<<22), fmt.Sprint(uint64(r.clock.now().UnixMilli()-1420070400000)<<22)
	for i, c := range []struct{ id, more, who string }{
		{now, "", ann},
		{old, `,"member":{"user_id":"900000000000000002"}`, ""},
		{old, `,"newly_created":true`, ann}, // of an old message, whose ID it has
	} {
		body := fmt.Sprintf(`{"op":0,"t":"THREAD_CREATE","s":%d,"session":"a","d":{"id":%q,"guild_id":%q,"parent_id":%q,"owner_id":%q%s}}`, i+1, c.id, guildID, hall, ann, c.more)
		require.NoError(t, w.inst.Accept(t.Context(), nil, []byte(body)))
		heard := r.events("THREAD_CREATE")
		require.Len(t, heard, i+1)
		require.Equal(t, c.who, heard[i].Initiator)
		require.WithinDuration(t, r.clock.now(), heard[i].At, time.Minute)
	}
}
