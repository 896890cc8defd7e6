// Package slack connects communities to Slack workspaces: it brings what happens there as events, posts messages and calls
// any method of Slack's Web API, and holds votes with buttons.
//
// One app (see [App]) serves all communities. Each workspace that installs it, by OAuth or by enabling the plugin with a bot
// token, is one instance. Deliveries come by HTTP, signed with the app's signing secret, at POST /api/hooks/slack; or by
// Socket Mode where the app has an app-level token.
package slack

import (
	"context"
	"errors"
	"sync"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
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

	// Scopes are what an installation asks for, see [DefaultScopes]; UserScopes what it asks of the installer, none by default.
	Scopes, UserScopes []string

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
}

// Slack is the plugin's value for one workspace.
type Slack struct {
	*gateway.Instance
	config Config
	app    *app
}

// app is what all workspaces of one App share.
type app struct {
	App
	limits limits
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
	s := &app{App: a, limits: limits{mu: new(sync.Mutex), until: map[string]time.Time{}}}
	open := func(_ context.Context, i *gateway.Instance, c Config) (*Slack, error) { return &Slack{i, c, s}, nil }

	features := []gateway.Feature[*Slack]{
		gateway.ActionFunc("post-message", "Posts a message in a channel or thread, or to one to eight people.", (*Slack).postMessage),
		gateway.ActionFunc("method", "Calls any method of Slack's Web API that the app's scopes allow. All fields but method_name are the method's arguments.", (*Slack).method),
		gateway.ProcessFunc("emoji-vote", "A vote with buttons under a message.", (*ballotBox).Start, gateway.Can(can)),
		gateway.ChoicesFunc("channels", "Channels that the bot can see.", (*Slack).listChannels),
		gateway.ChoicesFunc("users", "People of the workspace.", (*Slack).listUsers),
		gateway.ChoicesFunc("user-groups", "User groups of the workspace.", (*Slack).listUserGroups),
		gateway.ConfigureFunc[*Slack](s.configure),
		s.webhook(),
	}
	for _, e := range eventTypes {
		features = append(features, gateway.NewEvent[*Slack, eventData](e.name, e.doc))
	}
	if a.ClientID != "" {
		features = append(features, gateway.OAuth[*Slack, Config]{Authorize: s.authorize, Exchange: s.exchange, Undo: s.undo})
	}
	if a.AppToken != "" {
		features = append(features, gateway.SourceFunc[*Slack]("socket-mode", s.listen))
	}
	return gateway.Define("slack", "Slack: messages, events and votes in a workspace.", open, features...), nil
}

// can is what an emoji-vote enforces. One section with a button for each option, beside title and state, fits in the 50
// blocks of a message (https://docs.slack.dev/reference/block-kit/blocks); long details take some of the room, which Start looks at.
var can = vote.Can{
	PollTypes: []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple}, Secrecy: []vote.Secrecy{vote.Public, vote.CountsOnly, vote.Hidden},
	MaxOptions: maxBlocks - fixedBlocks, AnyMaxChoice: true,
	Eligibility: true, Weights: true, NoChange: true, CloseByPeople: true, ClosingAt: true,
}

// configure asks Slack whose token it is, and refuses that of another workspace.
func (s *app) configure(ctx context.Context, inst *gateway.Instance, _, c *Config) error {
	client := &client{http: inst.HTTP, now: inst.Now, limits: &s.limits, team: c.TeamID, token: c.BotToken}
	who, err := client.whoami(ctx)
	if err != nil {
		return err
	}
	team := who.TeamID
	if who.IsEnterpriseInstall {
		team = who.EnterpriseID
	}
	switch {
	case team == "" || who.UserID == "":
		return gateway.Errorf(gateway.Internal, "slack: auth.test named no workspace")
	case c.TeamID != "" && c.TeamID != team:
		return gateway.Errorf(gateway.Invalid, "slack: the bot token is of workspace %s, not of %s", team, c.TeamID)
	case who.BotID == "":
		return gateway.Errorf(gateway.Invalid, "slack: the token is a person's, not the bot's")
	}
	c.TeamID, c.TeamName, c.EnterpriseID, c.BotUserID, c.BotID = team, who.Team, who.EnterpriseID, who.UserID, who.BotID
	return nil
}

// client calls Slack in this workspace's name.
func (s *Slack) client() *client {
	return &client{http: s.HTTP, now: s.Now, limits: &s.app.limits, team: s.config.TeamID, token: s.config.BotToken}
}

// call is [client.call] with the bot's token. A token that Slack does not take any more pauses the instance: nothing can work
// until somebody installs the app again.
func (s *Slack) call(ctx context.Context, method string, args args, out any) error {
	err := s.client().call(ctx, method, args, out)
	if badCredentials(err) {
		s.Log.Warn("Slack does not take the bot token any more; the instance is paused until the app is installed again", "method", method, "error", err)
		if e := s.Pause(context.WithoutCancel(ctx), gateway.BadCredentials); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}

// ours reports whether something was done by our own bot.
func (s *Slack) ours(user, bot string) bool {
	return user != "" && user == s.config.BotUserID || bot != "" && bot == s.config.BotID
}
