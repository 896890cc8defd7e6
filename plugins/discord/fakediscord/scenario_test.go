package fakediscord_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

// TestAnOffenceAndItsVote plays a ban and the moderators' vote about it, as an app would see them, and reads off what went over the wire.
func TestAnOffenceAndItsVote(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(fakediscord.IntentGuilds | fakediscord.IntentGuildModeration)
	w.Fail(fakediscord.Fault{Delivery: "GUILD_AUDIT_LOG_ENTRY_CREATE", Reorder: true})
	require.NoError(t, w.g.Ban(mod, bob, "harassment: again", 0))
	require.Equal(t, []string{"GUILD_BAN_ADD", "GUILD_AUDIT_LOG_ENTRY_CREATE"}, e.names(), "Discord promises no order")
	require.Equal(t, mod, e.last(t, "GUILD_AUDIT_LOG_ENTRY_CREATE")["user_id"])
	w.ok("GET", "/guilds/"+guildID+"/audit-logs?action_type=22&limit=1", "")

	w.app.reply(http.StatusOK, `{"type":6}`)
	vote := w.post(buttons(2))
	for _, who := range []string{alice, mod, owner} {
		r, err := w.g.Click(hall, vote, who, "b0")
		require.NoError(t, err)
		require.Empty(t, r.Failed)
	}
	w.ok("PATCH", "/channels/"+hall+"/messages/"+vote, `{"content":"Decided: 3 to 0","components":[]}`)
	_, err := w.g.Click(hall, vote, alice, "b1")
	require.ErrorIs(t, err, fakediscord.ErrRefused, "the buttons are gone")
	w.ok("DELETE", "/guilds/"+guildID+"/bans/"+bob, "", "X-Audit-Log-Reason", "decision%201")
	require.NoError(t, w.Flush(w.ctx))
	require.Equal(t, w.App().BotUser, e.last(t, "GUILD_AUDIT_LOG_ENTRY_CREATE")["user_id"], "the echo of the app's own act")

	var wire []string
	for _, c := range w.Calls() {
		require.Equal(t, "bot", c.Token)
		require.True(t, c.Answer.OK())
		if c.Route != "GET /gateway" {
			wire = append(wire, c.Route)
		}
	}
	require.Equal(t, []string{
		"GET /guilds/{guild_id}/audit-logs", "POST /channels/{channel_id}/messages", "PATCH /channels/{channel_id}/messages/{message_id}",
		"DELETE /guilds/{guild_id}/bans/{user_id}",
	}, wire)
	calls := w.CallsTo("DELETE /guilds/{guild_id}/bans/{user_id}")
	require.Equal(t, "decision 1", calls[0].Reason)
}
