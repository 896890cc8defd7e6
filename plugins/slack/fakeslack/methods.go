package fakeslack

import (
	"slices"
	"strings"
)

type auth int

const (
	authToken  auth = iota // a bot or user token
	authNone               // none, or the app's own credentials in the arguments
	authApp                // an app-level token
	authOpenID             // a user token of Sign in with Slack
)

// method is one line of the table of what the fake can do.
type method struct {
	name   string
	auth   auth
	scope  string // alternatives with | between; more may depend on the channel
	args   argList
	absent string // the error for a required argument that is missing, where it is not invalid_arguments
	tier   int    // requests a minute: 1→1, 2→20, 3→50, 4→100; 0 special or none
	json   bool   // reads JSON bodies
	run    func(*request) (object, error)
}

type arg struct {
	name, kind string
	required   bool
}

type argList []arg

func (l argList) has(name string) bool {
	return slices.ContainsFunc(l, func(a arg) bool { return a.name == name })
}

// parseArgs reads "channel* limit:int": a star is required.
func parseArgs(s string) argList {
	var out argList
	for f := range strings.FieldsSeq(s) {
		name, kind, _ := strings.Cut(f, ":")
		name, required := strings.CutSuffix(name, "*")
		out = append(out, arg{name, kind, required})
	}
	return out
}

// methods is made once and never changed. Arguments are those of Slack's own SDK; JSON bodies and scopes as Slack documents.
var methods = tableOfMethods()

func tableOfMethods() map[string]*method {
	const (
		manage   = "channels:manage|groups:write|im:write|mpim:write|channels:write"
		readAny  = "channels:read|groups:read|im:read|mpim:read"
		history  = "channels:history|groups:history|im:history|mpim:history"
		messages = "text blocks:json attachments:json markdown_text as_user:bool link_names:bool parse "
	)
	list := []*method{
		{name: "api.test", auth: authNone, args: parseArgs("error foo"), json: true, run: (*request).apiTest},
		{name: "auth.test", args: nil, json: true, run: (*request).authTest},
		{name: "auth.revoke", args: parseArgs("test:bool"), tier: 3, run: (*request).authRevoke},
		{name: "apps.uninstall", args: parseArgs("client_id* client_secret*"), tier: 1, run: (*request).appsUninstall},
		{name: "apps.connections.open", auth: authApp, scope: "connections:write", tier: 1, json: true, run: (*request).connectionsOpen},
		{name: "oauth.v2.access", auth: authNone, args: parseArgs("client_id client_secret code redirect_uri grant_type refresh_token"), run: (*request).oauthAccess},
		{name: "openid.connect.token", auth: authNone, args: parseArgs("client_id client_secret code redirect_uri grant_type refresh_token"), run: (*request).openIDToken},
		{name: "openid.connect.userInfo", auth: authOpenID, json: true, run: (*request).openIDUserInfo},

		{name: "chat.postMessage", scope: "chat:write", json: true, run: (*request).chatPostMessage,
			args: parseArgs(messages + "channel* username icon_emoji icon_url thread_ts reply_broadcast:bool metadata:json mrkdwn:bool unfurl_links:bool unfurl_media:bool")},
		{name: "chat.update", scope: "chat:write", tier: 3, json: true, run: (*request).chatUpdate,
			args: parseArgs(messages + "channel* ts* metadata:json reply_broadcast:bool file_ids:json")},
		{name: "chat.delete", scope: "chat:write", tier: 3, json: true, run: (*request).chatDelete, args: parseArgs("channel* ts* as_user:bool")},
		{name: "chat.postEphemeral", scope: "chat:write", tier: 4, json: true, run: (*request).chatPostEphemeral,
			args: parseArgs(messages + "channel* user* username icon_emoji icon_url thread_ts")},
		{name: "chat.getPermalink", args: parseArgs("channel* message_ts*"), run: (*request).chatGetPermalink},
		{name: "chat.scheduleMessage", scope: "chat:write", tier: 3, json: true, run: (*request).chatSchedule,
			args: parseArgs(messages + "channel* post_at* thread_ts reply_broadcast:bool metadata:json unfurl_links:bool unfurl_media:bool")},
		{name: "chat.deleteScheduledMessage", scope: "chat:write", tier: 3, json: true, run: (*request).chatDeleteScheduled,
			args: parseArgs("channel* scheduled_message_id* as_user:bool")},

		{name: "conversations.open", scope: "im:write|mpim:write|groups:write|channels:manage", tier: 3, json: true, run: (*request).convOpen,
			args: parseArgs("channel users return_im:bool prevent_creation:bool")},
		{name: "conversations.join", scope: "channels:join|channels:write", tier: 3, json: true, run: (*request).convJoin, args: parseArgs("channel*")},
		{name: "conversations.list", scope: readAny, tier: 2, run: (*request).convList, args: parseArgs("cursor exclude_archived:bool limit:int team_id types")},
		{name: "conversations.info", scope: readAny, tier: 3, run: (*request).convInfo, args: parseArgs("channel* include_locale:bool include_num_members:bool")},
		{name: "conversations.members", scope: readAny, tier: 4, run: (*request).convMembers, args: parseArgs("channel* cursor limit:int")},
		{name: "conversations.history", scope: history, tier: 3, run: (*request).convHistory,
			args: parseArgs("channel* cursor inclusive:bool latest limit:int oldest include_all_metadata:bool")},
		{name: "conversations.replies", scope: history, tier: 3, run: (*request).convReplies,
			args: parseArgs("channel* ts* cursor inclusive:bool latest limit:int oldest include_all_metadata:bool")},
		{name: "conversations.rename", scope: manage, tier: 2, json: true, run: (*request).convRename, args: parseArgs("channel* name*")},
		{name: "conversations.kick", scope: manage, tier: 3, json: true, run: (*request).convKick, args: parseArgs("channel* user*")},
		{name: "conversations.invite", scope: manage + "|channels:write.invites|groups:write.invites", tier: 3, json: true, run: (*request).convInvite, args: parseArgs("channel* users* force:bool")},
		{name: "conversations.archive", scope: manage, tier: 2, json: true, run: (*request).convArchive, args: parseArgs("channel*")},
		{name: "conversations.create", scope: manage, tier: 2, json: true, run: (*request).convCreate, args: parseArgs("name* is_private:bool team_id"), absent: "invalid_name_required"},
		{name: "conversations.leave", scope: manage, tier: 3, json: true, run: (*request).convLeave, args: parseArgs("channel*")},
		{name: "conversations.setTopic", scope: manage + "|channels:write.topic|groups:write.topic|mpim:write.topic", tier: 2, json: true, run: (*request).convSetTopic, args: parseArgs("channel* topic*")},

		{name: "users.list", scope: "users:read", tier: 2, run: (*request).usersList, args: parseArgs("cursor include_locale:bool limit:int team_id")},
		{name: "users.info", scope: "users:read", tier: 4, run: (*request).usersInfo, args: parseArgs("user* include_locale:bool")},
		{name: "users.conversations", scope: readAny, tier: 3, run: (*request).usersConversations, args: parseArgs("cursor exclude_archived:bool limit:int team_id types user")},
		{name: "users.lookupByEmail", scope: "users:read.email", tier: 3, run: (*request).usersLookupByEmail, args: parseArgs("email*")},
		{name: "team.info", scope: "team:read", tier: 3, run: (*request).teamInfo, args: parseArgs("team domain")},

		{name: "pins.add", scope: "pins:write", tier: 2, json: true, run: (*request).pinsAdd, args: parseArgs("channel* timestamp")},
		{name: "pins.remove", scope: "pins:write", tier: 2, json: true, run: (*request).pinsRemove, args: parseArgs("channel* timestamp")},
		{name: "pins.list", scope: "pins:read", tier: 2, run: (*request).pinsList, args: parseArgs("channel*")},
		{name: "reactions.add", scope: "reactions:write", tier: 3, json: true, run: (*request).reactionsAdd, args: parseArgs("channel* name* timestamp")},
		{name: "reactions.remove", scope: "reactions:write", tier: 2, json: true, run: (*request).reactionsRemove, args: parseArgs("name* channel timestamp file file_comment")},
		{name: "reactions.get", scope: "reactions:read", tier: 3, run: (*request).reactionsGet, args: parseArgs("channel timestamp full:bool file file_comment")},

		{name: "usergroups.list", scope: "usergroups:read", tier: 2, run: (*request).groupsList, args: parseArgs("include_count:bool include_disabled:bool include_users:bool team_id")},
		{name: "usergroups.users.list", scope: "usergroups:read", tier: 2, run: (*request).groupUsersList, args: parseArgs("usergroup* include_disabled:bool team_id")},
		{name: "usergroups.users.update", scope: "usergroups:write", tier: 2, json: true, run: (*request).groupUsersUpdate, args: parseArgs("usergroup* users* include_count:bool team_id")},

		{name: "views.open", tier: 4, json: true, run: (*request).viewsOpen, args: parseArgs("trigger_id view:json interactivity_pointer")},
		{name: "views.update", tier: 4, json: true, run: (*request).viewsUpdate, args: parseArgs("view:json view_id external_id hash")},
		{name: "views.publish", tier: 4, json: true, run: (*request).viewsPublish, args: parseArgs("user_id* view:json hash")},
	}
	out := make(map[string]*method, len(list))
	for _, m := range list {
		out[m.name] = m
	}
	return out
}
