package discord

import (
	gateway "github.com/metagov/gateway-go"
)

// again says that doing it twice is as good as once, and which permission it needs.
func again(needs ...string) []gateway.Option {
	return []gateway.Option{gateway.Idempotent(), gateway.Needs(needs...)}
}

// actions is what the plugin does when it is asked.
func actions() []gateway.Feature[*Discord] {
	type D = *Discord
	return []gateway.Feature[D]{
		gateway.ActionFunc("post-message", "Posts a message in a channel or thread, or to a person.", D.postMessage, gateway.Lookup(D.findPosted), gateway.Needs("SEND_MESSAGES")),
		gateway.ActionFunc("edit-message", "Changes a message of the bot's.", D.editMessage, again()...),
		gateway.ActionFunc("delete-message", "Deletes a message.", D.deleteMessage, again("MANAGE_MESSAGES")...),
		gateway.ActionFunc("delete-messages", "Deletes up to a hundred messages that are younger than two weeks.", D.deleteMessages, again("MANAGE_MESSAGES")...),
		gateway.ActionFunc("get-message", "Reads a message.", D.getMessage, again("READ_MESSAGE_HISTORY")...),
		gateway.ActionFunc("list-messages", "Reads the messages of a channel or thread, a page at a time.", D.listMessages, again("READ_MESSAGE_HISTORY")...),
		gateway.ActionFunc("pin-message", "Pins a message.", D.pinMessage, again("PIN_MESSAGES")...),
		gateway.ActionFunc("unpin-message", "Unpins a message.", D.unpinMessage, again("PIN_MESSAGES")...),
		gateway.ActionFunc("list-pins", "Lists what is pinned in a channel.", D.listPins, again("READ_MESSAGE_HISTORY")...),
		gateway.ActionFunc("add-reaction", "Reacts to a message as the bot.", D.addReaction, again("ADD_REACTIONS")...),
		gateway.ActionFunc("remove-reaction", "Takes a reaction back, the bot's or somebody else's.", D.removeReaction, again("MANAGE_MESSAGES")...),
		gateway.ActionFunc("list-reactions", "Lists who reacted with an emoji, a page at a time.", D.listReactions, again("READ_MESSAGE_HISTORY")...),
		gateway.ActionFunc("create-poll", "Posts a poll of Discord's. To have its votes counted by the voting standard, start poll-vote instead.", D.createPoll, gateway.Lookup(D.findPoll), gateway.Needs("SEND_POLLS")),
		gateway.ActionFunc("expire-poll", "Ends a poll of the bot's now.", D.expirePoll, again()...),
		gateway.ActionFunc("list-poll-voters", "Lists who voted for an answer of a poll, a page at a time.", D.listVoters, again()...),

		gateway.ActionFunc("list-channels", "Lists the channels.", D.listAllChannels, again()...),
		gateway.ActionFunc("get-channel", "Reads a channel or thread.", D.getChannel, again("VIEW_CHANNEL")...),
		gateway.ActionFunc("create-channel", "Makes a channel or category.", D.createChannel, gateway.Lookup(D.findChannel), gateway.Needs("MANAGE_CHANNELS")),
		gateway.ActionFunc("edit-channel", "Changes name, topic or slow mode of a channel.", D.editChannel, again("MANAGE_CHANNELS")...),
		gateway.ActionFunc("rename-channel", "Renames a channel.", D.renameChannel, again("MANAGE_CHANNELS")...),
		gateway.ActionFunc("delete-channel", "Deletes a channel or thread, for ever.", D.deleteChannel, again("MANAGE_CHANNELS")...),
		gateway.ActionFunc("set-channel-permission", "Allows or denies a role or member something in a channel: sharing a screen or video (STREAM), speaking, writing.", D.setPermission, again("MANAGE_ROLES")...),
		gateway.ActionFunc("clear-channel-permission", "Has a role or member in a channel what they have in the whole server.", D.clearPermission, again("MANAGE_ROLES")...),
		gateway.ActionFunc("list-threads", "Lists the threads that are not put away.", D.listThreads, again()...),
		gateway.ActionFunc("create-thread", "Makes a thread, of a message or by itself.", D.createThread, gateway.Lookup(D.findThread), gateway.Needs("CREATE_PUBLIC_THREADS")),
		gateway.ActionFunc("edit-thread", "Puts a thread away or takes it out again, locks or unlocks it.", D.editThread, again("MANAGE_THREADS")...),
		gateway.ActionFunc("add-thread-member", "Brings somebody into a thread.", D.addThreadMember, again("SEND_MESSAGES_IN_THREADS")...),
		gateway.ActionFunc("remove-thread-member", "Takes somebody out of a thread.", D.removeThreadMember, again("MANAGE_THREADS")...),

		gateway.ActionFunc("get-member", "Reads who somebody is in the server.", D.getMember, again()...),
		gateway.ActionFunc("list-members", "Lists the members, a page at a time. Needs the intent GUILD_MEMBERS.", D.listMembers, again()...),
		gateway.ActionFunc("set-nickname", "Changes somebody's name in the server.", D.setNickname, again("MANAGE_NICKNAMES")...),
		gateway.ActionFunc("mute-member", "Mutes somebody who is in a voice channel, or lets them speak again.", D.muteMember, again("MUTE_MEMBERS")...),
		gateway.ActionFunc("deafen-member", "Deafens somebody who is in a voice channel, or lets them hear again.", D.deafenMember, again("DEAFEN_MEMBERS")...),
		gateway.ActionFunc("move-member", "Moves somebody who is in a voice channel to another.", D.moveMember, again("MOVE_MEMBERS")...),
		gateway.ActionFunc("disconnect-member", "Takes somebody out of their voice channel.", D.disconnectMember, again("MOVE_MEMBERS")...),
		gateway.ActionFunc("timeout-member", "Has somebody neither write nor speak for a time, 28 days at the most, or ends that.", D.timeoutMember, again("MODERATE_MEMBERS")...),
		gateway.ActionFunc("add-role", "Gives somebody a role.", D.addRole, again("MANAGE_ROLES")...),
		gateway.ActionFunc("remove-role", "Takes a role from somebody.", D.removeRole, again("MANAGE_ROLES")...),
		gateway.ActionFunc("kick-member", "Throws somebody out; they can come back.", D.kickMember, again("KICK_MEMBERS")...),
		gateway.ActionFunc("ban-member", "Bans somebody.", D.banUser, again("BAN_MEMBERS")...),
		gateway.ActionFunc("unban-member", "Lifts a ban.", D.unbanUser, again("BAN_MEMBERS")...),
		gateway.ActionFunc("bulk-ban", "Bans up to 200 people.", D.bulkBan, again("BAN_MEMBERS", "MANAGE_GUILD")...),
		gateway.ActionFunc("get-ban", "Reads whether somebody is banned, and why.", D.getBan, again("BAN_MEMBERS")...),
		gateway.ActionFunc("list-bans", "Lists who is banned, a page at a time.", D.listBans, again("BAN_MEMBERS")...),

		gateway.ActionFunc("get-guild", "Reads what there is to know of the server.", D.getGuild, again()...),
		gateway.ActionFunc("list-roles", "Lists the roles.", D.listAllRoles, again()...),
		gateway.ActionFunc("create-role", "Makes a role.", D.createRole, gateway.Lookup(D.findRole), gateway.Needs("MANAGE_ROLES")),
		gateway.ActionFunc("delete-role", "Deletes a role, for ever.", D.deleteRole, again("MANAGE_ROLES")...),
		gateway.ActionFunc("list-audit-log", "Reads who did what.", D.listAudit, again("VIEW_AUDIT_LOG")...),

		gateway.ActionFunc("register-guild-command", "Makes a command in this server, or changes the one of its name.", D.registerCommand, again()...),
		gateway.ActionFunc("list-guild-commands", "Lists the commands of this server.", D.listCommands, again()...),
		gateway.ActionFunc("delete-guild-command", "Deletes a command of this server.", D.deleteCommand, again()...),
		gateway.ActionFunc("respond", "Answers whoever used a command, a button or a form, within 15 minutes.", D.respond),
		gateway.ActionFunc("method", "Calls any route of Discord's API that is about this server. All fields but http_method, route, query and reason are the request's body.", D.method, gateway.Acts()),
	}
}
