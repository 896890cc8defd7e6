package discord

import (
	"github.com/bwmarrin/discordgo"

	gateway "github.com/metagov/gateway-go"
)

// intentBits are the groups of events of the Gateway by name (https://docs.discord.com/developers/events/gateway#gateway-intents, checked 2026-11).
var intentBits = map[string]uint{
	"GUILDS": 0, "GUILD_MEMBERS": 1, "GUILD_MODERATION": 2, "GUILD_EXPRESSIONS": 3, "GUILD_INTEGRATIONS": 4, "GUILD_WEBHOOKS": 5, "GUILD_INVITES": 6,
	"GUILD_VOICE_STATES": 7, "GUILD_PRESENCES": 8, "GUILD_MESSAGES": 9, "GUILD_MESSAGE_REACTIONS": 10, "GUILD_MESSAGE_TYPING": 11,
	"DIRECT_MESSAGES": 12, "DIRECT_MESSAGE_REACTIONS": 13, "DIRECT_MESSAGE_TYPING": 14, "MESSAGE_CONTENT": 15, "GUILD_SCHEDULED_EVENTS": 16,
	"AUTO_MODERATION_CONFIGURATION": 20, "AUTO_MODERATION_EXECUTION": 21, "GUILD_MESSAGE_POLLS": 24, "DIRECT_MESSAGE_POLLS": 25,
}

// DefaultIntents is what the Gateway is asked for where [App] says nothing else: all that this plugin does something with, and nothing that has to be switched
// on first in the app's settings. Who joins (GUILD_MEMBERS) and what messages say (MESSAGE_CONTENT) has to be; without the latter their text, embeds,
// attachments and components are empty but in direct messages and where the bot is mentioned.
func DefaultIntents() []string {
	return []string{
		"GUILDS", "GUILD_MODERATION", "GUILD_VOICE_STATES", "GUILD_MESSAGES", "GUILD_MESSAGE_REACTIONS", "GUILD_MESSAGE_POLLS",
		"GUILD_INVITES", "GUILD_SCHEDULED_EVENTS", "AUTO_MODERATION_EXECUTION",
	}
}

// intentsOf makes the set of names.
func intentsOf(names []string) (set discordgo.Intent, err error) {
	for _, n := range names {
		bit, ok := intentBits[n]
		if !ok {
			return 0, gateway.Errorf(gateway.Invalid, "discord: App.Intents: Discord has no intent %q", n)
		}
		set |= 1 << bit
	}
	return set, nil
}
