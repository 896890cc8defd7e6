// Package discord connects communities to Discord servers, which Discord's API calls guilds: it brings what happens there as events, posts and
// moderates, calls any route of Discord's API, and holds votes with buttons and with Discord's own polls.
//
// One app (see [App]) with one bot serves all communities; each guild that has added it is one instance. Interactions (commands, buttons) and
// webhook events come by HTTP, signed with the app's key, at POST /api/hooks/discord. Everything else, messages and moderation among
// it, Discord tells only by its Gateway, a websocket, which is open where App.Gateway says so.
package discord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"slices"

	"github.com/gorilla/websocket"

	gateway "github.com/metagov/gateway-go"
)

// App is the Discord app, as its pages at https://discord.com/developers/applications say it. The zero value is refused by [New].
type App struct {
	ApplicationID string         // also called client ID
	ClientSecret  gateway.Secret // for installing and logging in by OAuth; empty: not possible
	BotToken      gateway.Secret // of the app's one bot, in all guilds

	// PublicKey checks interactions and webhook events by HTTP, in hexadecimal. Empty: every one of them is refused.
	PublicKey string

	// Gateway has the websocket opened by which Discord tells of everything but interactions.
	Gateway bool
	// Intents are the groups of events that are asked for there, by Discord's names, see [DefaultIntents].
	Intents []string
	// Shards is how many connections there are to the Gateway, among which Discord divides the guilds; 0: as many as Discord advises, which is one below
	// 2,500 guilds.
	Shards int
	// Dialer connects to the Gateway; nil is websocket.DefaultDialer. It is for proxies.
	Dialer *websocket.Dialer

	// Permissions are what an installation asks for, by Discord's names, see [DefaultPermissions].
	Permissions []string
	// UserScopes are asked of whoever logs in beside identify and guilds, for method on their behalf ([gateway.OnBehalfOf]). None by
	// default: then no token of theirs is kept.
	UserScopes []string

	// Texts are what people in Discord get to read. Empty ones are those of [DefaultTexts].
	Texts Texts

	times times // in tests, in the place of usualTimes
	turn  int   // likewise of repairPages
}

// Config is one guild. An installation by OAuth fills it in; by hand the guild's ID is enough, if the bot has been added to it.
type Config struct {
	GuildID     string   `json:"guild_id" gateway:"platform_id,public" jsonschema:"title=Server,pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The server's (guild's) ID."`
	GuildName   string   `json:"guild_name,omitempty" gateway:"public" jsonschema:"title=Name" jsonschema_description:"The server's name. Asked of Discord."`
	BotUserID   string   `json:"bot_user_id,omitempty" gateway:"public" jsonschema:"title=Bot user" jsonschema_description:"The bot's user ID. Asked of Discord."`
	Permissions []string `json:"permissions,omitempty" gateway:"public" jsonschema:"title=Permissions" jsonschema_description:"What the bot's roles allow it in the whole server, by Discord's names. Asked of Discord."`
	Votes       []string `json:"votes,omitempty" gateway:"public" jsonschema:"title=Votes,uniqueItems=true" jsonschema_description:"How votes may be held: buttons, poll. Empty: either way. Absent: as it was."`
}

// Discord is the plugin's value for one guild.
type Discord struct {
	*gateway.Instance
	config Config
	app    *app
}

// app is what all guilds share.
type app struct {
	App
	key      ed25519.PublicKey // nil: there is none
	limits   limits
	channels places
}

// New makes the plugin. Invalid: the app has no ID or bot token, nothing can come in, or something in it is unknown.
func New(a App) (gateway.Plugin, error) {
	d := &app{App: a}
	switch {
	case a.ApplicationID == "" || a.BotToken == "":
		return nil, gateway.Errorf(gateway.Invalid, "discord: App.ApplicationID and App.BotToken are needed")
	case a.PublicKey == "" && !a.Gateway:
		return nil, gateway.Errorf(gateway.Invalid, "discord: App.PublicKey is empty and App.Gateway is off: whoever knows the URL could speak in Discord's name")
	}
	if a.PublicKey != "" {
		key, err := hex.DecodeString(a.PublicKey)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, gateway.Errorf(gateway.Invalid, "discord: App.PublicKey is not 32 bytes in hexadecimal")
		}
		d.key = key
	}
	if len(d.Permissions) == 0 {
		d.Permissions = DefaultPermissions()
	}
	if _, err := bits(d.Permissions); err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "discord: App.Permissions: %w", err)
	}
	if len(d.Intents) == 0 {
		d.Intents = DefaultIntents()
	}
	if _, err := intentsOf(d.Intents); err != nil {
		return nil, err
	}
	d.Texts = a.Texts.withDefaults()
	open := func(_ context.Context, i *gateway.Instance, c Config) (*Discord, error) {
		return &Discord{Instance: i, config: c, app: d}, nil
	}
	return gateway.Define("discord", "Discord: messages, moderation, events and votes in a server.", open, d.features()...), nil
}

// features is the table of contents.
func (a *app) features() []gateway.Feature[*Discord] {
	out := []gateway.Feature[*Discord]{
		gateway.ConfigureFunc[*Discord](a.configure),
		gateway.GrantedFunc((*Discord).granted),
		gateway.RepairFunc((*Discord).repair),
		gateway.PaceFunc((*Discord).pace),
		a.webhook(),
	}
	for _, e := range eventTypes {
		out = append(out, gateway.NewEvent[*Discord, eventData](e.name, e.doc))
	}
	out = slices.Concat(out, actions(), choices(), roles(), votes())
	if a.ClientSecret != "" {
		out = append(out, gateway.OAuth[*Discord, Config]{Authorize: a.authorize, Exchange: a.exchange, Undo: a.undo, Refresh: a.refreshUser, Revoke: a.revokeUser})
	}
	if a.Gateway {
		out = append(out, gateway.SourceFunc[*Discord]("gateway", a.listen))
	}
	return out
}

// ours reports whether something was done by our own bot.
func (d *Discord) ours(user string) bool { return user != "" && user == d.config.BotUserID }
