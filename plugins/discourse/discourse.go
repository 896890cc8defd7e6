// Package discourse connects communities to Discourse forums: it brings what happens there as events, under Discourse's own names for them, acts
// there (topics, posts, messages, suspensions, groups, any route of the API), and holds votes by the forum's own polls.
//
// Each forum is one instance. Its webhook calls the instance's own URL, signed with a secret of the instance's own; the plugin makes it where the key
// may, and otherwise an administrator of the forum does. Accounts are known by their IDs: names change.
package discourse

import (
	"context"

	gateway "github.com/metagov/gateway-go"
)

// Config is one forum.
type Config struct {
	URL           string         `json:"url" gateway:"platform_id,public" jsonschema:"title=Forum,pattern=^https?://[^?#@]+$,maxLength=500" jsonschema_description:"The forum's base URL, as its deliveries have it in X-Discourse-Instance."`
	APIKey        gateway.Secret `json:"api_key,omitempty" jsonschema:"title=API key,maxLength=200" jsonschema_description:"An API key of the forum (Admin, Advanced, API keys). Without one there are only events."`
	UserAPIKey    gateway.Secret `json:"user_api_key,omitempty" jsonschema:"title=User API key,maxLength=200" jsonschema_description:"A user API key in place of an API key: the gateway acts as the person who gave it, with their rights, but for what is for administrators' keys."`
	APIUsername   string         `json:"api_username,omitempty" gateway:"public" jsonschema:"title=Account,maxLength=60,pattern=^[\\pL\\pN._-]+$" jsonschema_description:"The account as which the gateway acts. The key is for it or for all users. Absent: system. With a user API key it is asked of the forum."`
	WebhookSecret gateway.Secret `json:"webhook_secret,omitempty" jsonschema:"title=Webhook secret,minLength=12,maxLength=200" jsonschema_description:"The secret of the forum's webhook, which signs what it sends. Absent: a random one is made."`
	PerMinute     int            `json:"requests_per_minute,omitempty" gateway:"public" jsonschema:"title=Requests a minute,minimum=3,maximum=100000,default=60" jsonschema_description:"How many requests a minute the forum lets a key make: its setting max_admin_api_reqs_per_minute."`
	AccountID     string         `json:"account_id,omitempty" gateway:"public" jsonschema:"title=Account's ID" jsonschema_description:"The account's ID. Asked of the forum."`
	Scopes        []string       `json:"scopes,omitempty" gateway:"public" jsonschema:"title=Scopes" jsonschema_description:"What the key may do, such as users:suspend, or global. Asked of the forum."`
}

// systemUser is the account that every forum has for what nobody in particular does.
const systemUser = "system"

// username is as whom the gateway acts.
func (c Config) username() string { return first(c.APIUsername, systemUser) }

// Discourse is the plugin's value for one forum.
type Discourse struct {
	*gateway.Instance
	config Config
}

// New makes the plugin. People can log in where [WithConnect] says by which forums.
func New(opts ...Option) gateway.Plugin {
	c := &connect{secrets: map[string]gateway.Secret{}}
	for _, o := range opts {
		o(c)
	}
	open := func(_ context.Context, i *gateway.Instance, c Config) (*Discourse, error) {
		return &Discourse{i, c}, nil
	}
	features := []gateway.Feature[*Discourse]{
		gateway.ConfigureFunc[*Discourse](configure),
		gateway.GrantedFunc((*Discourse).granted),
		gateway.ChoicesFunc("categories", "The forum's categories.", (*Discourse).listCategories),
		gateway.ChoicesFunc("groups", "The forum's groups.", (*Discourse).listGroups),
		gateway.PaceFunc((*Discourse).pace),
		gateway.PollFunc("webhook", webhookEvery, (*Discourse).keepWebhook),
		gateway.RemoveFunc((*Discourse).removeWebhook),
		gateway.RepairFunc((*Discourse).repair),
		webhook(),
		fieldsEvent,
	}
	for _, e := range eventTypes {
		features = append(features, gateway.NewEvent[*Discourse, eventData](e.name, e.doc))
	}
	features = append(features, actions()...)
	features = append(features, roles()...)
	features = append(features, votes()...)
	if len(c.secrets) > 0 {
		features = append(features, c.login())
	}
	return gateway.Define("discourse", "Discourse: events, actions and votes in a forum.", open, features...)
}
