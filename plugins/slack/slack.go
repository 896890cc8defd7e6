// Package slack connects communities to Slack workspaces: it brings what happens there as events, posts messages and calls
// any method of Slack's Web API, and holds votes with buttons.
//
// One app (see [App]) serves all communities. Each workspace that installs it, by OAuth or by enabling the plugin with a bot
// token, is one instance. Deliveries come by HTTP, signed with the app's signing secret, at POST /api/hooks/slack; or by
// Socket Mode where the app has an app-level token.
package slack

import (
	"context"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// App is the Slack app, as its settings at https://api.slack.com/apps say it. The zero value is refused by [New]: without a signing
// secret or an app-level token nothing that Slack says can be believed.
type App struct {
	ClientID     string         // for installing and logging in by OAuth; empty: not possible
	ClientSecret gateway.Secret // likewise

	// SigningSecret checks deliveries by HTTP. Empty: every one of them is refused.
	SigningSecret gateway.Secret
	// AppToken (xapp-…, with the scope connections:write) opens Socket Mode. Empty: there is none.
	AppToken gateway.Secret

	// Scopes are what an installation asks for, see [DefaultScopes].
	Scopes []string
	// UserScopes are what an installation asks of the installer, and a login of whoever logs in, for actions on their behalf
	// ([gateway.OnBehalfOf]). None by default: then people log in by Sign in with Slack, which says their verified e-mail address and gives no token
	// that is kept.
	UserScopes []string

	// Texts are what people in Slack get to read. Empty ones are those of [DefaultTexts].
	Texts Texts
}

// DefaultScopes is what an installation asks for where [App] says nothing else: all that this plugin does by itself, and hearing
// of messages, reactions, pins, members and user groups.
func DefaultScopes() []string {
	return []string{
		"channels:history", "channels:join", "channels:read", "chat:write", "chat:write.public", "groups:history", "groups:read",
		"im:history", "im:write", "mpim:history", "mpim:write", "pins:read", "reactions:read", "team:read", "usergroups:read", "users:read",
	}
}

// Config is one workspace. An installation by OAuth fills it in; by hand a bot token is enough.
type Config struct {
	TeamID       string         `json:"team_id,omitempty" gateway:"platform_id,public" jsonschema:"title=Workspace" jsonschema_description:"The workspace's ID (T…), or the organisation's (E…) where the app is installed for all of it. Asked of Slack where absent."`
	TeamName     string         `json:"team_name,omitempty" gateway:"public" jsonschema:"title=Name" jsonschema_description:"The workspace's name. Asked of Slack."`
	EnterpriseID string         `json:"enterprise_id,omitempty" gateway:"public" jsonschema:"title=Organisation" jsonschema_description:"The Enterprise organisation that the workspace is in, if any. Asked of Slack."`
	BotToken     gateway.Secret `json:"bot_token" jsonschema:"title=Bot token,minLength=1" jsonschema_description:"The token (xoxb-…) of the app's bot user in this workspace."`
	BotUserID    string         `json:"bot_user_id,omitempty" gateway:"public" jsonschema:"title=Bot user" jsonschema_description:"The bot's user ID (U…). Asked of Slack."`
	BotID        string         `json:"bot_id,omitempty" jsonschema:"title=Bot" jsonschema_description:"The bot's ID (B…). Asked of Slack."`
	AppID        string         `json:"app_id,omitempty" jsonschema:"title=App" jsonschema_description:"The app's ID (A…)."`
	Scopes       []string       `json:"scopes,omitempty" gateway:"public" jsonschema:"title=Scopes" jsonschema_description:"The scopes that the bot token has. Asked of Slack."`
	RefreshToken gateway.Secret `json:"refresh_token,omitempty" jsonschema:"title=Refresh token" jsonschema_description:"What the bot token is exchanged for a fresh one with (xoxe-…), where the app has token rotation switched on."`
	ExpiresAt    time.Time      `json:"expires_at,omitzero" jsonschema:"title=Expires" jsonschema_description:"When the bot token expires, where the app has token rotation switched on."`
}

// Slack is the plugin's value for one workspace.
type Slack struct {
	*gateway.Instance
	config Config
	tokens *credentials
	app    *app
}

// app is what all workspaces share.
type app struct {
	App
}

// New makes the plugin. Invalid: the app has neither a signing secret nor an app-level token, or only half of its client
// credentials.
func New(a App) (gateway.Plugin, error) {
	switch {
	case a.SigningSecret == "" && a.AppToken == "":
		return nil, gateway.Errorf(gateway.Invalid, "slack: App.SigningSecret and App.AppToken are empty: whoever knows the URL could speak in Slack's name")
	case (a.ClientID == "") != (a.ClientSecret == ""):
		return nil, gateway.Errorf(gateway.Invalid, "slack: App.ClientID and App.ClientSecret belong together, and only one is given")
	}
	if len(a.Scopes) == 0 {
		a.Scopes = DefaultScopes()
	}
	a.Texts = a.Texts.withDefaults()
	s := &app{App: a}
	open := func(_ context.Context, i *gateway.Instance, c Config) (*Slack, error) {
		return &Slack{i, c, &credentials{config: c}, s}, nil
	}

	features := []gateway.Feature[*Slack]{
		gateway.ActionFunc("post-message", "Posts a message in a channel or thread, or to one to eight people.", (*Slack).postMessage, gateway.Lookup((*Slack).findPosted), gateway.Acts("chat:write")),
		gateway.ActionFunc("method", "Calls any method of Slack's Web API that the app's scopes allow. All fields but method_name are the method's arguments.", (*Slack).method, gateway.Acts()),
		gateway.ChoicesFunc("channels", "Channels that the bot can see.", (*Slack).listChannels),
		gateway.ChoicesFunc("users", "People of the workspace.", (*Slack).listUsers),
		gateway.ChoicesFunc("user-groups", "User groups of the workspace.", (*Slack).listUserGroups),
		gateway.ConfigureFunc[*Slack](s.configure),
		gateway.GrantedFunc((*Slack).granted),
		gateway.RepairFunc((*Slack).repair),
		gateway.PaceFunc((*Slack).pace),
		gateway.ExpiresFunc((*Slack).expires),
		s.webhook(),
	}
	for _, e := range eventTypes {
		features = append(features, gateway.NewEvent[*Slack, eventData](e.name, e.doc))
	}
	features = append(features, typedActions()...)
	features = append(features, votes()...)
	features = append(features, roles()...)
	if a.ClientID != "" {
		features = append(features, gateway.PollFunc("fresh-token", refreshPoll, (*Slack).keepFresh))
		features = append(features, gateway.OAuth[*Slack, Config]{Authorize: s.authorize, Exchange: s.exchange, Undo: s.undo, Refresh: s.refreshUser, Revoke: s.revokeUser})
	}
	if a.AppToken != "" {
		features = append(features, gateway.SourceFunc[*Slack]("socket-mode", s.listen))
	}
	return gateway.Define("slack", "Slack: messages, events and votes in a workspace.", open, features...), nil
}

// ours reports whether something was done by our own bot.
func (s *Slack) ours(user, bot string) bool {
	return user != "" && user == s.config.BotUserID || bot != "" && bot == s.config.BotID
}
