package discord

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	gateway "github.com/metagov/gateway-go"
)

// permissionBits are Discord's permissions by name (https://docs.discord.com/developers/topics/permissions, checked 2026-11).
var permissionBits = map[string]uint{
	"CREATE_INSTANT_INVITE": 0, "KICK_MEMBERS": 1, "BAN_MEMBERS": 2, "ADMINISTRATOR": 3, "MANAGE_CHANNELS": 4, "MANAGE_GUILD": 5, "ADD_REACTIONS": 6,
	"VIEW_AUDIT_LOG": 7, "PRIORITY_SPEAKER": 8, "STREAM": 9, "VIEW_CHANNEL": 10, "SEND_MESSAGES": 11, "SEND_TTS_MESSAGES": 12, "MANAGE_MESSAGES": 13,
	"EMBED_LINKS": 14, "ATTACH_FILES": 15, "READ_MESSAGE_HISTORY": 16, "MENTION_EVERYONE": 17, "USE_EXTERNAL_EMOJIS": 18, "VIEW_GUILD_INSIGHTS": 19,
	"CONNECT": 20, "SPEAK": 21, "MUTE_MEMBERS": 22, "DEAFEN_MEMBERS": 23, "MOVE_MEMBERS": 24, "USE_VAD": 25, "CHANGE_NICKNAME": 26,
	"MANAGE_NICKNAMES": 27, "MANAGE_ROLES": 28, "MANAGE_WEBHOOKS": 29, "MANAGE_GUILD_EXPRESSIONS": 30, "USE_APPLICATION_COMMANDS": 31,
	"REQUEST_TO_SPEAK": 32, "MANAGE_EVENTS": 33, "MANAGE_THREADS": 34, "CREATE_PUBLIC_THREADS": 35, "CREATE_PRIVATE_THREADS": 36,
	"USE_EXTERNAL_STICKERS": 37, "SEND_MESSAGES_IN_THREADS": 38, "USE_EMBEDDED_ACTIVITIES": 39, "MODERATE_MEMBERS": 40,
	"VIEW_CREATOR_MONETIZATION_ANALYTICS": 41, "USE_SOUNDBOARD": 42, "CREATE_GUILD_EXPRESSIONS": 43, "CREATE_EVENTS": 44, "USE_EXTERNAL_SOUNDS": 45,
	"SEND_VOICE_MESSAGES": 46, "SET_VOICE_CHANNEL_STATUS": 48, "SEND_POLLS": 49, "USE_EXTERNAL_APPS": 50, "PIN_MESSAGES": 51, "BYPASS_SLOWMODE": 52,
}

// DefaultPermissions is what an installation asks for where [App] says nothing else: all that the actions of this plugin need, but for
// MANAGE_GUILD, which is much, and for bulk-ban only.
func DefaultPermissions() []string {
	return []string{
		"ADD_REACTIONS", "BAN_MEMBERS", "CONNECT", "CREATE_PRIVATE_THREADS", "CREATE_PUBLIC_THREADS", "DEAFEN_MEMBERS", "EMBED_LINKS", "KICK_MEMBERS", "MANAGE_CHANNELS",
		"MANAGE_MESSAGES", "MANAGE_NICKNAMES", "MANAGE_ROLES", "MANAGE_THREADS", "MODERATE_MEMBERS", "MOVE_MEMBERS", "MUTE_MEMBERS", "PIN_MESSAGES", "READ_MESSAGE_HISTORY",
		"SEND_MESSAGES", "SEND_MESSAGES_IN_THREADS", "SEND_POLLS", "SPEAK", "STREAM", "VIEW_AUDIT_LOG", "VIEW_CHANNEL",
	}
}

// bits makes a permission set of names.
func bits(names []string) (set uint64, err error) {
	for _, n := range names {
		bit, ok := permissionBits[n]
		if !ok {
			return 0, gateway.Errorf(gateway.Invalid, "Discord has no permission %q", n)
		}
		set |= 1 << bit
	}
	return set, nil
}

// names lists a permission set, all that there are where an administrator has it.
func names(set uint64) []string {
	out := []string{}
	for n, bit := range permissionBits {
		if set&(1<<bit) != 0 || set&(1<<permissionBits["ADMINISTRATOR"]) != 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// granted is what the catalogue compares with what an action needs. A channel's own settings can still take it away there.
func (d *Discord) granted() []string { return d.config.Permissions }

// configure asks Discord for the guild, which says whether the bot is in it, and what its roles allow it there.
func (a *app) configure(ctx context.Context, inst *gateway.Instance, old, c *Config) error {
	if old != nil && c.Votes == nil {
		c.Votes = old.Votes // an installation does not know what the community allows
	}
	for _, v := range c.Votes {
		if v != byButtons && v != byPoll {
			return invalid("/votes", fmt.Sprintf("has %q, and can have %s and %s", v, byButtons, byPoll))
		}
	}
	if c.BotUserID == "" { // it never changes
		var me User
		if err := a.client(inst).call(ctx, call{path: "/users/@me"}, &me); err != nil {
			return err
		}
		c.BotUserID = me.ID
	}
	return a.learn(ctx, a.client(inst), c)
}

// learn completes a configuration with what Discord says of the guild and of the bot in it.
func (a *app) learn(ctx context.Context, api *client, c *Config) error {
	var guild struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		OwnerID string `json:"owner_id"`
		Roles   []Role `json:"roles"`
	}
	if err := api.call(ctx, call{path: path("guilds", c.GuildID)}, &guild); err != nil {
		if gone(err) {
			return gateway.Errorf(gateway.Denied, "the bot is not in guild %s: %w", c.GuildID, err)
		}
		return err
	}
	var me Member
	if err := api.call(ctx, call{path: path("guilds", c.GuildID, "members", c.BotUserID)}, &me); err != nil {
		return err
	}
	c.GuildName = guild.Name
	c.Permissions = names(permissionsOf(me.Roles, guild.Roles, guild.ID))
	return nil
}

// permissionsOf adds up what roles allow in a whole guild. The role of everybody has the guild's own ID.
func permissionsOf(has []string, roles []Role, guild string) uint64 {
	var set uint64
	for _, r := range roles {
		if r.ID == guild || slices.Contains(has, r.ID) {
			n, err := strconv.ParseUint(r.Permissions, 10, 64)
			if err == nil {
				set |= n
			}
		}
	}
	return set
}
