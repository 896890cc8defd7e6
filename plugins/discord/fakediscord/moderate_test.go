package fakediscord_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

// TestPermissions takes from the bot the one permission that each request needs.
func TestPermissions(t *testing.T) {
	const g, ch = "/guilds/" + guildID, "/channels/" + hall
	w := newWorld(t, fakediscord.Options{})
	thread, err := w.g.StartThread(hall, "", alice, "talk")
	require.NoError(t, err)
	theirs, err := w.g.Post(hall, alice, "hello")
	require.NoError(t, err)
	second, err := w.g.Post(hall, alice, "hello again")
	require.NoError(t, err)
	require.NoError(t, w.g.JoinVoice(alice, lounge))
	// What everybody has would otherwise stand in for the bot's own.
	w.g.SetOverwrite(hall, guildID, false, 0, fakediscord.PermSendMessages|fakediscord.PermAddReactions|fakediscord.PermSendPolls|fakediscord.PermReadMessageHistory)
	for _, c := range []struct {
		need               uint64
		method, path, body string
	}{
		{fakediscord.PermBanMembers, "PUT", g + "/bans/" + bob, `{}`},
		{fakediscord.PermBanMembers, "GET", g + "/bans", ""},
		{fakediscord.PermBanMembers, "POST", g + "/bulk-ban", `{"user_ids":["103"]}`},
		{fakediscord.PermManageGuild, "POST", g + "/bulk-ban", `{"user_ids":["103"]}`},
		{fakediscord.PermKickMembers, "DELETE", g + "/members/" + bob, ""},
		{fakediscord.PermModerateMembers, "PATCH", g + "/members/" + bob, `{"communication_disabled_until":"2026-03-02T12:00:00Z"}`},
		{fakediscord.PermManageNicknames, "PATCH", g + "/members/" + bob, `{"nick":"B"}`},
		{fakediscord.PermMuteMembers, "PATCH", g + "/members/" + alice, `{"mute":true}`},
		{fakediscord.PermDeafenMembers, "PATCH", g + "/members/" + alice, `{"deaf":true}`},
		{fakediscord.PermMoveMembers, "PATCH", g + "/members/" + alice, `{"channel_id":null}`},
		{fakediscord.PermManageRoles, "PUT", g + "/members/" + bob + "/roles/" + member_, ""},
		{fakediscord.PermManageRoles, "POST", g + "/roles", `{"name":"x"}`},
		{fakediscord.PermManageRoles, "PUT", ch + "/permissions/" + member_, `{"type":0,"allow":0,"deny":0}`},
		{fakediscord.PermManageChannels, "POST", g + "/channels", `{"name":"x"}`},
		{fakediscord.PermManageChannels, "PATCH", ch, `{"name":"x"}`},
		{fakediscord.PermManageChannels, "DELETE", ch, ""},
		{fakediscord.PermViewAuditLog, "GET", g + "/audit-logs", ""},
		{fakediscord.PermManageMessages, "DELETE", ch + "/messages/" + theirs, ""},
		{fakediscord.PermManageMessages, "POST", ch + "/messages/bulk-delete", `{"messages":["` + theirs + `","` + second + `"]}`},
		{fakediscord.PermManageMessages, "DELETE", ch + "/messages/" + theirs + "/reactions", ""},
		{fakediscord.PermPinMessages, "PUT", ch + "/messages/pins/" + theirs, ""},
		{fakediscord.PermManageThreads, "PATCH", "/channels/" + thread, `{"locked":true}`},
		{fakediscord.PermManageThreads, "DELETE", "/channels/" + thread, ""},
		{fakediscord.PermPrivateThreads, "POST", ch + "/threads", `{"name":"x"}`},
	} {
		w.g.SetBotPermissions(botPerms &^ c.need)
		w.no(http.StatusForbidden, 50013, c.method, c.path, c.body)
	}
	w.g.SetBotPermissions(botPerms)
	w.no(http.StatusForbidden, 50013, "POST", ch+"/messages", `{"content":"x"}`)
	w.g.SetOverwrite(hall, w.App().BotUser, true, fakediscord.PermSendMessages, 0)
	w.ok("POST", ch+"/messages", `{"content":"x"}`)
	w.no(http.StatusForbidden, 50013, "POST", ch+"/messages", `{"poll":{"question":{"text":"q"},"answers":[{"poll_media":{"text":"a"}}]}}`)
	w.no(http.StatusForbidden, 50013, "PUT", ch+"/messages/"+theirs+"/reactions/"+url.PathEscape("✅")+"/@me", "")
	w.no(http.StatusForbidden, 50001, "GET", "/channels/"+secret, "")
	w.no(http.StatusForbidden, 50001, "POST", "/channels/"+secret+"/messages", `{"content":"x"}`)
}

func TestPermissionsOfMembers(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	g := w.g
	every := fakediscord.PermEveryone
	require.Equal(t, every, g.Permissions(bob, ""))
	require.Equal(t, every, g.Permissions(alice, hall))
	require.Zero(t, g.Permissions(alice, secret))
	require.NotZero(t, g.Permissions(owner, secret)&fakediscord.PermAdministrator, "the owner may all")
	g.SetOverwrite(secret, member_, false, fakediscord.PermViewChannel, fakediscord.PermSendMessages)
	require.NotZero(t, g.Permissions(alice, secret)&fakediscord.PermViewChannel, "a role's overwrite goes before that of everyone")
	require.Zero(t, g.Permissions(alice, secret)&fakediscord.PermSendMessages)
	require.Zero(t, g.Permissions(alice, secret)&fakediscord.PermAttachFiles, "nothing to send with")
	g.SetOverwrite(secret, alice, true, fakediscord.PermSendMessages, 0)
	require.NotZero(t, g.Permissions(alice, secret)&fakediscord.PermSendMessages, "a member's overwrite goes before those of roles")
	require.NoError(t, g.Timeout(mod, alice, "", time.Hour))
	require.Equal(t, fakediscord.PermViewChannel|fakediscord.PermReadMessageHistory, g.Permissions(alice, hall), "timed out")
	_, err := g.Post(hall, alice, "hm")
	require.ErrorIs(t, err, fakediscord.ErrRefused)
	w.clock.Add(time.Hour)
	_, err = g.Post(hall, alice, "hm")
	require.NoError(t, err)
	require.ErrorIs(t, g.Kick(alice, bob, ""), fakediscord.ErrRefused)
	require.ErrorIs(t, g.Ban(mod, owner, "", 0), fakediscord.ErrRefused)
	require.Zero(t, g.Permissions("999", hall))
}

func TestHierarchy(t *testing.T) {
	const g = "/guilds/" + guildID
	w := newWorld(t, fakediscord.Options{})
	require.NoError(t, w.g.GiveRole(owner, bob, high))
	w.no(403, 50013, "PUT", g+"/bans/"+bob, `{}`)
	w.no(403, 50013, "PUT", g+"/bans/"+owner, `{}`)
	w.no(403, 50013, "DELETE", g+"/members/"+bob, "")
	w.no(403, 50013, "PATCH", g+"/members/"+bob, `{"nick":"B"}`)
	w.no(403, 50013, "PATCH", g+"/members/"+bob, `{"communication_disabled_until":"2026-03-02T12:00:00Z"}`)
	w.no(403, 50013, "PUT", g+"/members/"+alice+"/roles/"+high, "")
	w.no(403, 50013, "DELETE", g+"/members/"+bob+"/roles/"+high, "")
	w.no(403, 50013, "DELETE", g+"/roles/"+high, "")
	w.no(403, 50013, "POST", g+"/roles", `{"permissions":"8"}`)
	w.ok("PUT", g+"/bans/"+mod, `{}`)
}

func TestBans(t *testing.T) {
	const g = "/guilds/" + guildID
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(everything)
	_, err := w.g.Post(hall, bob, "old")
	require.NoError(t, err)
	w.clock.Add(time.Hour)
	_, err = w.g.Post(hall, bob, "new")
	require.NoError(t, err)
	e.reset()
	w.ok("PUT", g+"/bans/"+bob, `{"delete_message_seconds":600}`, "X-Audit-Log-Reason", url.PathEscape("spam: «again»"))
	require.NoError(t, w.Flush(w.ctx))
	require.Equal(t, []string{"GUILD_MEMBER_REMOVE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "MESSAGE_DELETE"}, e.names())
	entry := e.last(t, "GUILD_AUDIT_LOG_ENTRY_CREATE")
	require.Equal(t, w.App().BotUser, entry["user_id"])
	require.Equal(t, bob, entry["target_id"])
	require.Equal(t, "spam: «again»", entry["reason"])
	require.EqualValues(t, fakediscord.AuditBanAdd, entry["action_type"])
	reason, banned := w.g.Banned(bob)
	require.True(t, banned)
	require.Equal(t, "spam: «again»", reason)
	require.Len(t, w.g.Messages(hall), 1)
	require.ErrorIs(t, w.g.Join(bob), fakediscord.ErrRefused)

	e.reset()
	w.ok("PUT", g+"/bans/"+bob, `{}`)
	require.NoError(t, w.Flush(w.ctx))
	require.Empty(t, e.names(), "nothing happens twice")
	w.no(404, 10013, "PUT", g+"/bans/77777", `{}`)
	w.no(404, 10026, "GET", g+"/bans/"+alice, "")
	w.no(404, 10026, "DELETE", g+"/bans/"+alice, "")
	w.no(400, 50035, "PUT", g+"/bans/"+alice, `{"delete_message_seconds":604801}`)
	w.no(400, 50035, "PUT", g+"/bans/"+alice, `{"delete_message_seconds":1,"delete_message_days":1}`)
	w.no(400, 50035, "PUT", g+"/bans/"+alice, `{}`, "X-Audit-Log-Reason", strings.Repeat("x", 513))
	w.no(400, 500000, "POST", g+"/bulk-ban", `{"user_ids":["`+owner+`","`+bob+`"]}`)
	w.no(400, 50035, "POST", g+"/bulk-ban", `{"user_ids":[]}`)
	got := w.ok("POST", g+"/bulk-ban", `{"user_ids":["`+alice+`","`+bob+`"]}`).object(t)
	require.Equal(t, []any{alice}, got["banned_users"])
	require.Equal(t, []any{bob}, got["failed_users"])
	w.ok("DELETE", g+"/bans/"+bob, "")
	require.NoError(t, w.g.Join(bob))
}

func TestPagesOfBansAndMembers(t *testing.T) {
	const g = "/guilds/" + guildID
	w := newWorld(t, fakediscord.Options{})
	w.g.AddMembers(2000, 2500, member_)
	seen, after := 0, "0"
	for {
		page := w.ok("GET", g+"/members?limit=1000&after="+after, "").list(t)
		for _, m := range page {
			after = m["user"].(map[string]any)["id"].(string)
		}
		seen += len(page)
		if len(page) < 1000 {
			break
		}
	}
	require.Equal(t, 2505, seen)
	require.Len(t, w.ok("GET", g+"/members", "").list(t), 1, "the page is one member unless it is asked for more")
	w.no(400, 50035, "GET", g+"/members?limit=1001", "")
	for _, id := range []string{alice, bob, mod} {
		w.ok("PUT", g+"/bans/"+id, `{}`)
	}
	ids := func(query string) (out []string) {
		for _, b := range w.ok("GET", g+"/bans"+query, "").list(t) {
			out = append(out, b["user"].(map[string]any)["id"].(string))
		}
		return out
	}
	require.Equal(t, []string{alice, bob, mod}, ids(""))
	require.Equal(t, []string{bob}, ids("?limit=1&after="+alice))
	require.Equal(t, []string{bob}, ids("?limit=1&before="+mod))
}

func TestMembersNeedTheIntent(t *testing.T) {
	w := newWorld(t, fakediscord.Options{DisallowedIntents: fakediscord.IntentGuildMembers})
	w.no(403, 50001, "GET", "/guilds/"+guildID+"/members?limit=10", "")
	w.ok("GET", "/guilds/"+guildID+"/members/"+alice, "")
}

func TestMemberChanges(t *testing.T) {
	const m = "/guilds/" + guildID + "/members/" + alice
	w := newWorld(t, fakediscord.Options{})
	w.no(400, 40032, "PATCH", m, `{"mute":true}`)
	w.no(400, 40032, "PATCH", m, `{"channel_id":null}`)
	w.no(400, 50035, "PATCH", m, `{"communication_disabled_until":"2026-03-29T12:00:01Z"}`)
	w.no(400, 50035, "PATCH", m, `{"communication_disabled_until":"tomorrow"}`)
	w.no(400, 50035, "PATCH", m, `{"nick":"`+strings.Repeat("x", 33)+`"}`)
	w.no(400, 50035, "PATCH", m, `{"roles":["99"]}`)
	w.no(404, 10007, "PATCH", "/guilds/"+guildID+"/members/"+w.noMember(), `{"nick":"x"}`)
	w.no(404, 10013, "DELETE", "/guilds/"+guildID+"/members/123456", "")

	e := w.listen(everything)
	require.NoError(t, w.g.JoinVoice(alice, lounge))
	require.NoError(t, w.g.SetVoice(alice, fakediscord.VoiceState{Video: true, Stream: true}))
	v := e.last(t, "VOICE_STATE_UPDATE")
	require.Equal(t, true, v["self_video"])
	require.Equal(t, true, v["self_stream"])
	w.ok("PATCH", m, `{"mute":true,"deaf":true}`)
	require.NoError(t, w.Flush(w.ctx))
	v = e.last(t, "VOICE_STATE_UPDATE")
	require.Equal(t, true, v["mute"])
	require.Equal(t, true, v["deaf"])
	w.ok("PATCH", m, `{"channel_id":"`+stage+`"}`)
	w.no(400, 50035, "PATCH", m, `{"channel_id":"`+hall+`"}`)
	got, _ := w.g.Member(alice)
	require.Equal(t, stage, got.Voice)
	w.ok("PATCH", m, `{"channel_id":null}`)
	require.NoError(t, w.Flush(w.ctx))
	require.Nil(t, e.last(t, "VOICE_STATE_UPDATE")["channel_id"])
	got, _ = w.g.Member(alice)
	require.True(t, got.Mute, "it stays for when they are back")

	require.NoError(t, w.g.JoinVoice(alice, stage))
	w.ok("PUT", "/channels/"+stage+"/permissions/"+guildID, `{"type":0,"allow":0,"deny":512}`)
	require.ErrorIs(t, w.g.SetVoice(alice, fakediscord.VoiceState{Stream: true}), fakediscord.ErrRefused)

	e.reset()
	w.ok("PATCH", m, `{"roles":["`+modRole+`"]}`)
	require.NoError(t, w.Flush(w.ctx))
	got, _ = w.g.Member(alice)
	require.Equal(t, []string{modRole}, got.Roles)
	w.ok("PUT", m+"/roles/"+modRole, "")
	w.no(404, 10011, "PUT", m+"/roles/"+guildID, "")
	w.no(404, 10011, "PUT", m+"/roles/5555", "")
	audit := w.g.Audit()
	require.Equal(t, fakediscord.AuditMemberRoleUpdate, audit[len(audit)-1].Action)
}

// noMember is an account that is in no guild.
func (w *world) noMember() string {
	w.AddUser("888", "nobody")
	return "888"
}

func TestAuditLog(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	require.NoError(t, w.g.Ban(mod, bob, "spam", 0))
	require.NoError(t, w.g.Unban(owner, bob, ""))
	require.NoError(t, w.g.Kick(mod, alice, "rude"))
	entries := func(query string) (out []int) {
		a := w.ok("GET", "/guilds/"+guildID+"/audit-logs"+query, "").object(t)
		for _, e := range a["audit_log_entries"].([]any) {
			out = append(out, int(e.(map[string]any)["action_type"].(float64)))
		}
		return out
	}
	ids := w.g.Audit()
	require.Equal(t, []int{20, 23, 22}, entries(""), "newest first")
	require.Equal(t, []int{20, 22}, entries("?user_id="+mod))
	require.Equal(t, []int{22}, entries("?action_type=22"))
	require.Equal(t, []int{20}, entries("?target_id="+alice))
	require.Equal(t, []int{20}, entries("?limit=1"))
	require.Equal(t, []int{23, 20}, entries("?after="+ids[0].ID), "oldest first")
	require.Equal(t, []int{22}, entries("?before="+ids[1].ID))
}

func TestGuildWithoutTheBot(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(everything)
	require.NoError(t, w.g.Outage(true))
	require.Equal(t, true, e.last(t, "GUILD_DELETE")["unavailable"])
	require.NoError(t, w.g.Outage(false))
	require.NotNil(t, e.last(t, "GUILD_CREATE"))
	require.ErrorIs(t, w.g.RemoveBot(alice), fakediscord.ErrRefused)
	require.NoError(t, w.g.Kick(owner, w.App().BotUser, ""))
	require.Nil(t, e.last(t, "GUILD_DELETE")["unavailable"])
	require.False(t, w.g.HasBot())
	e.reset()
	_, err := w.g.Post(hall, alice, "is it gone?")
	require.NoError(t, err)
	require.Empty(t, e.names())
	w.no(404, 10004, "GET", "/guilds/"+guildID, "")
	w.no(403, 50001, "GET", "/guilds/"+guildID+"/roles", "")
	w.no(403, 50001, "POST", "/channels/"+hall+"/messages", `{"content":"x"}`)
	w.no(404, 10004, "DELETE", "/users/@me/guilds/"+guildID, "")
	require.Empty(t, w.ok("GET", "/users/@me/guilds", "").list(t))
}
