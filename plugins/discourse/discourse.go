// Package discourse connects communities to Discourse forums: it brings what happens there as events, under Discourse's own
// names for them.
//
// Each forum is one instance, and its webhook, which a forum's administrator makes, calls the instance's own URL.
package discourse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	gateway "github.com/metagov/gateway-go"
)

// Config is one forum.
type Config struct {
	URL           string         `json:"url" gateway:"platform_id,public" jsonschema:"title=Forum,pattern=^https?://[^?#@]+$,maxLength=500" jsonschema_description:"The forum's base URL, as its deliveries have it in X-Discourse-Instance."`
	APIKey        gateway.Secret `json:"api_key,omitempty" jsonschema:"title=API key,maxLength=200" jsonschema_description:"An API key of the forum (Admin, Advanced, API keys). Without one there are only events."`
	APIUsername   string         `json:"api_username,omitempty" gateway:"public" jsonschema:"title=Account,maxLength=60" jsonschema_description:"The account as which the gateway acts. The key is for it or for all users. Absent: system."`
	WebhookSecret gateway.Secret `json:"webhook_secret,omitempty" jsonschema:"title=Webhook secret,minLength=12,maxLength=200" jsonschema_description:"The secret of the forum's webhook, which signs what it sends. Absent: a random one is made."`
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

// New makes the plugin.
func New() gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, c Config) (*Discourse, error) {
		return &Discourse{i, c}, nil
	}
	return gateway.Define("discourse", "Discourse: what happens in a forum.", open, gateway.Webhook[*Discourse, *message]{
		Verify:  func(d *Discourse, del *gateway.Delivery) error { return d.verify(del) },
		Parse:   parse,
		Greet:   func(m *message) (gateway.Reply, bool) { return gateway.Reply{}, m.event == "ping" },
		ID:      func(m *message) string { return m.id },
		Receive: (*Discourse).receive,
		Keep:    []string{"X-Discourse-Event"},
	})
}

// verify refuses whatever the instance's own forum did not sign. There is no forum where the URL names no instance.
func (d *Discourse) verify(del *gateway.Delivery) error {
	if d == nil {
		return verify("", "", del)
	}
	return verify(d.config.WebhookSecret, d.config.URL, del)
}

// message is a delivery that was read.
type message struct {
	event string // Discourse's name for it, such as post_created
	id    string
	data  json.RawMessage
}

// parse reads a delivery of any event. Its ID is made of the event and the whole body: X-Discourse-Event-Id is another one for
// each attempt (checked 2026-11).
func parse(d *gateway.Delivery) (*message, error) {
	m := &message{event: d.Header.Get("X-Discourse-Event"), data: d.Body}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(d.Body, &object); err != nil || object == nil {
		return nil, gateway.Errorf(gateway.Invalid, "it is no JSON object: the webhook's content type has to be application/json")
	}
	if m.event == "" {
		return nil, gateway.Errorf(gateway.Invalid, "it has no X-Discourse-Event")
	}
	sum := sha256.Sum256(d.Body)
	m.id = m.event + ":" + hex.EncodeToString(sum[:])
	return m, nil
}

// receive makes the event.
func (d *Discourse) receive(ctx context.Context, m *message) (gateway.Reply, error) {
	return gateway.Reply{}, d.Emit(ctx, m.event, gateway.Meta{ID: m.id, Initiator: m.initiator()}, m.data)
}

// initiator is the ID of whoever did it, where the data says that for sure: the author of a new post. Of an edit or a removal the same
// field says whose post it was, and so it is not used.
func (m *message) initiator() string {
	var v struct {
		Post struct {
			UserID int64 `json:"user_id"`
		} `json:"post"`
	}
	if m.event != "post_created" || json.Unmarshal(m.data, &v) != nil || v.Post.UserID == 0 {
		return ""
	}
	return strconv.FormatInt(v.Post.UserID, 10)
}
