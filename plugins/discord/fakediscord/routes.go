package fakediscord

import (
	"net/http"
	"strings"

	"github.com/metagov/gateway-go/internal/fake"
)

type auth int

const (
	authBot    auth = iota // the bot's token
	authAny                // the bot's or an OAuth token
	authBearer             // an OAuth token
	authNone               // none, the app's credentials, or a token in the path
)

// route is one line of the table of what the fake can do.
type route struct {
	method, path string
	parts        []string
	status       int // of success with a body; 0 is 200, and no body is always 204
	auth         auth
	form         bool // reads a form, not JSON
	array        bool // takes a JSON array
	free         bool // outside the global rate limit
	run          func(*request) (any, error)
}

func (r *route) name() string { return r.method + " " + r.path }

// routes is made once and never changed. The names in braces are those of Discord's OpenAPI description.
var routes = tableOfRoutes()

func tableOfRoutes() []*route {
	const (
		guild    = "/guilds/{guild_id}"
		user     = guild + "/members/{user_id}"
		ch       = "/channels/{channel_id}"
		msg      = ch + "/messages/{message_id}"
		emoji    = msg + "/reactions/{emoji_name}"
		hook     = "/webhooks/{webhook_id}/{webhook_token}"
		cmds     = "/applications/{application_id}/commands"
		guildCmd = "/applications/{application_id}/guilds/{guild_id}/commands"
	)
	list := []*route{
		{method: "GET", path: "/gateway", auth: authNone, run: (*request).getGateway},
		{method: "GET", path: "/gateway/bot", run: (*request).getGatewayBot},

		{method: "GET", path: guild, run: (*request).getGuild},
		{method: "GET", path: guild + "/audit-logs", run: (*request).getAuditLog},
		{method: "GET", path: guild + "/members", run: (*request).listMembers},
		{method: "GET", path: guild + "/members/search", run: (*request).searchMembers},
		{method: "GET", path: user, run: (*request).getMember},
		{method: "PATCH", path: user, run: (*request).patchMember},
		{method: "DELETE", path: user, run: (*request).deleteMember},
		{method: "PUT", path: user + "/roles/{role_id}", run: (*request).putMemberRole},
		{method: "DELETE", path: user + "/roles/{role_id}", run: (*request).deleteMemberRole},
		{method: "GET", path: guild + "/voice-states/{user_id}", run: (*request).getVoiceState},
		{method: "GET", path: guild + "/bans", run: (*request).listBans},
		{method: "GET", path: guild + "/bans/{user_id}", run: (*request).getBan},
		{method: "PUT", path: guild + "/bans/{user_id}", run: (*request).putBan},
		{method: "DELETE", path: guild + "/bans/{user_id}", run: (*request).deleteBan},
		{method: "POST", path: guild + "/bulk-ban", run: (*request).bulkBan},
		{method: "GET", path: guild + "/roles", run: (*request).listRoles},
		{method: "GET", path: guild + "/roles/{role_id}", run: (*request).getRole},
		{method: "POST", path: guild + "/roles", run: (*request).postRole},
		{method: "PATCH", path: guild + "/roles/{role_id}", run: (*request).patchRole},
		{method: "DELETE", path: guild + "/roles/{role_id}", run: (*request).deleteRole},
		{method: "GET", path: guild + "/channels", run: (*request).listChannels},
		{method: "POST", path: guild + "/channels", status: http.StatusCreated, run: (*request).postChannel},
		{method: "GET", path: guild + "/threads/active", run: (*request).activeThreads},

		{method: "GET", path: ch, run: (*request).getChannel},
		{method: "PATCH", path: ch, run: (*request).patchChannel},
		{method: "DELETE", path: ch, run: (*request).deleteChannel},
		{method: "PUT", path: ch + "/permissions/{overwrite_id}", run: (*request).putOverwrite},
		{method: "DELETE", path: ch + "/permissions/{overwrite_id}", run: (*request).deleteOverwrite},
		{method: "POST", path: ch + "/threads", status: http.StatusCreated, run: (*request).postThread},
		{method: "GET", path: ch + "/threads/archived/public", run: (*request).archivedThreads},
		{method: "GET", path: ch + "/thread-members", run: (*request).threadMembers},
		{method: "PUT", path: ch + "/thread-members/{user_id}", run: (*request).putThreadMember},
		{method: "DELETE", path: ch + "/thread-members/{user_id}", run: (*request).deleteThreadMember},
		{method: "POST", path: ch + "/typing", run: (*request).typing},
		{method: "GET", path: ch + "/messages", run: (*request).listMessages},
		{method: "POST", path: ch + "/messages", run: (*request).postMessage},
		{method: "POST", path: ch + "/messages/bulk-delete", run: (*request).bulkDelete},
		{method: "GET", path: ch + "/messages/pins", run: (*request).listPins},
		{method: "PUT", path: ch + "/messages/pins/{message_id}", run: (*request).putPin},
		{method: "DELETE", path: ch + "/messages/pins/{message_id}", run: (*request).deletePin},
		{method: "GET", path: msg, run: (*request).getMessage},
		{method: "PATCH", path: msg, run: (*request).patchMessage},
		{method: "DELETE", path: msg, run: (*request).deleteMessage},
		{method: "POST", path: msg + "/threads", status: http.StatusCreated, run: (*request).postMessageThread},
		{method: "DELETE", path: msg + "/reactions", run: (*request).deleteReactions},
		{method: "GET", path: emoji, run: (*request).listReactions},
		{method: "DELETE", path: emoji, run: (*request).deleteEmoji},
		{method: "PUT", path: emoji + "/@me", run: (*request).putReaction},
		{method: "DELETE", path: emoji + "/@me", run: (*request).deleteOwnReaction},
		{method: "DELETE", path: emoji + "/{user_id}", run: (*request).deleteUserReaction},
		{method: "GET", path: ch + "/polls/{message_id}/answers/{answer_id}", run: (*request).pollVoters},
		{method: "POST", path: ch + "/polls/{message_id}/expire", run: (*request).expirePoll},

		{method: "GET", path: "/users/@me", auth: authAny, run: (*request).getMe},
		{method: "GET", path: "/users/@me/guilds", auth: authAny, run: (*request).myGuilds},
		{method: "GET", path: "/users/@me/guilds/{guild_id}/member", auth: authBearer, run: (*request).myMember},
		{method: "DELETE", path: "/users/@me/guilds/{guild_id}", run: (*request).leaveGuild},
		{method: "POST", path: "/users/@me/channels", run: (*request).openDM},
		{method: "GET", path: "/users/{user_id}", run: (*request).getUser},
		{method: "GET", path: "/applications/@me", run: (*request).getApplication},
		{method: "GET", path: "/oauth2/applications/@me", run: (*request).getApplication},
		{method: "GET", path: "/oauth2/@me", auth: authBearer, run: (*request).currentAuthorization},
		{method: "POST", path: "/oauth2/token", auth: authNone, form: true, run: (*request).oauthToken},
		{method: "POST", path: "/oauth2/token/revoke", auth: authNone, form: true, run: (*request).oauthRevoke},

		{method: "GET", path: cmds, run: (*request).listCommands},
		{method: "POST", path: cmds, run: (*request).postCommand},
		{method: "PUT", path: cmds, array: true, run: (*request).putCommands},
		{method: "GET", path: cmds + "/{command_id}", run: (*request).getCommand},
		{method: "PATCH", path: cmds + "/{command_id}", run: (*request).patchCommand},
		{method: "DELETE", path: cmds + "/{command_id}", run: (*request).deleteCommand},
		{method: "GET", path: guildCmd, run: (*request).listCommands},
		{method: "POST", path: guildCmd, run: (*request).postCommand},
		{method: "PUT", path: guildCmd, array: true, run: (*request).putCommands},
		{method: "GET", path: guildCmd + "/{command_id}", run: (*request).getCommand},
		{method: "PATCH", path: guildCmd + "/{command_id}", run: (*request).patchCommand},
		{method: "DELETE", path: guildCmd + "/{command_id}", run: (*request).deleteCommand},

		{method: "POST", path: "/interactions/{interaction_id}/{interaction_token}/callback", auth: authNone, free: true, run: (*request).callback},
		{method: "POST", path: hook, auth: authNone, free: true, run: (*request).followUp},
		{method: "GET", path: hook + "/messages/{message_id}", auth: authNone, free: true, run: (*request).getFollowUp},
		{method: "PATCH", path: hook + "/messages/{message_id}", auth: authNone, free: true, run: (*request).patchFollowUp},
		{method: "DELETE", path: hook + "/messages/{message_id}", auth: authNone, free: true, run: (*request).deleteFollowUp},
	}
	for _, r := range list {
		r.parts = strings.Split(r.path, "/")
	}
	return list
}

// findRoute finds the route of a request: 404 for an unknown path, 405 for a known one with another method. Of two that fit, the one
// with more words of its own is meant.
func findRoute(method, path string) (*route, map[string]string, error) {
	parts := strings.Split(path, "/")
	known, best, score := false, (*route)(nil), -1
	var found map[string]string
	for _, r := range routes {
		vars, n, ok := fake.MatchPath(r.parts, parts)
		if !ok {
			continue
		}
		known = true
		if r.method == method && n > score {
			best, found, score = r, vars, n
		}
	}
	switch {
	case best != nil:
		return best, found, nil
	case known:
		return nil, nil, plain(http.StatusMethodNotAllowed)
	}
	return nil, nil, plain(http.StatusNotFound)
}
