package slack

import (
	"context"
	"encoding/json"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// Message is the input of post-message: what chat.postMessage takes (https://docs.slack.dev/reference/methods/chat.postMessage),
// and users in the place of a channel.
type Message struct {
	Channel        string           `json:"channel,omitempty" choices:"channels" jsonschema_description:"The channel to post in, by its ID. Either this or users."`
	Users          []string         `json:"users,omitempty" choices:"users" jsonschema:"maxItems=8,uniqueItems=true" jsonschema_description:"The people to write to: one in a direct message, up to eight in a group message. Either this or channel."`
	Text           string           `json:"text,omitempty" jsonschema_description:"The text, in Slack's mrkdwn; with blocks, what notifications show."`
	MarkdownText   string           `json:"markdown_text,omitempty" jsonschema:"maxLength=12000" jsonschema_description:"The text in standard Markdown, in the place of text and blocks."`
	Blocks         []map[string]any `json:"blocks,omitempty" jsonschema:"maxItems=50" jsonschema_description:"Block Kit blocks."`
	Attachments    []map[string]any `json:"attachments,omitempty" jsonschema_description:"Attachments of the older kind."`
	ThreadTS       string           `json:"thread_ts,omitempty" jsonschema_description:"The time stamp of the message to reply to."`
	ReplyBroadcast bool             `json:"reply_broadcast,omitempty" jsonschema_description:"Whether a reply is shown in the channel too."`
	UnfurlLinks    *bool            `json:"unfurl_links,omitempty" jsonschema_description:"Whether links show what is behind them."`
	UnfurlMedia    *bool            `json:"unfurl_media,omitempty" jsonschema_description:"Whether links to media show it."`
	Metadata       *Metadata        `json:"metadata,omitempty" jsonschema_description:"What apps can read in the message."`

	More map[string]json.RawMessage `json:"-" gateway:"free"`
}

// Metadata is what a message carries for programs.
type Metadata struct {
	EventType    string         `json:"event_type" jsonschema_description:"What kind of thing it is."`
	EventPayload map[string]any `json:"event_payload" jsonschema_description:"What there is to know."`
}

// Posted is the answer of post-message.
type Posted struct {
	Channel string `json:"channel" jsonschema_description:"Where the message is, also for messages to people."`
	TS      string `json:"ts" jsonschema_description:"The message's time stamp, by which it is known in its channel."`
}

// postMessage posts once, also if Slack's answer is lost and it is asked for again.
func (s *Slack) postMessage(ctx context.Context, in Message) (Posted, error) {
	switch {
	case (in.Channel == "") == (len(in.Users) == 0):
		return Posted{}, gateway.Errorf(gateway.Invalid, "give either a channel or users")
	case in.Text == "" && in.MarkdownText == "" && len(in.Blocks) == 0 && len(in.Attachments) == 0 && len(in.More) == 0:
		return Posted{}, gateway.Errorf(gateway.Invalid, "there is nothing to post: give text, markdown_text, blocks or attachments")
	case in.ReplyBroadcast && in.ThreadTS == "":
		return Posted{}, gateway.Errorf(gateway.Invalid, "reply_broadcast is for replies: give thread_ts")
	}
	channel := in.Channel
	if channel == "" {
		var err error
		if channel, err = s.open(ctx, in.Users); err != nil {
			return Posted{}, err
		}
	}
	a := args{
		"text": in.Text, "markdown_text": in.MarkdownText, "thread_ts": in.ThreadTS, "unfurl_links": in.UnfurlLinks, "unfurl_media": in.UnfurlMedia,
	}
	for k, v := range in.More {
		a[k] = v
	}
	if len(in.Blocks) > 0 {
		a["blocks"] = in.Blocks
	}
	if len(in.Attachments) > 0 {
		a["attachments"] = in.Attachments
	}
	if in.ReplyBroadcast {
		a["reply_broadcast"] = true
	}
	return s.postOnce(ctx, channel, a, in.Metadata)
}

// open gives the conversation with one person, or the group message with several.
func (s *Slack) open(ctx context.Context, users []string) (string, error) {
	var out struct {
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
	}
	err := s.call(ctx, "conversations.open", args{"users": strings.Join(users, ",")}, &out)
	if err == nil && out.Channel.ID == "" {
		err = gateway.Errorf(gateway.Unavailable, "slack: conversations.open named no conversation")
	}
	return out.Channel.ID, err
}

// joining calls a method, and joins a public channel once if that is all that was missing. People are not made to join anything.
func (s *Slack) joining(ctx context.Context, method, channel string, a args, out any) error {
	err := s.call(ctx, method, a, out)
	if channel == "" || !refusedAs(err, "not_in_channel") || acting(ctx) {
		return err
	}
	call, me := gateway.CallOf(ctx), s.config.BotUserID
	joined := []string{ref("joined", channel, me), ref("said-joined", channel, me)}
	if e := call.Expect(ctx, joined...); e != nil {
		return e
	}
	if e := s.call(ctx, "conversations.join", args{"channel": channel}, nil); e != nil {
		s.Log.InfoContext(ctx, "the bot could not join a channel", "channel", channel, "error", e)
		return err
	}
	call.Caused(joined...)
	return s.call(ctx, method, a, out)
}

// Method is the input of method.
type Method struct {
	MethodName string `json:"method_name" jsonschema:"pattern=^[a-zA-Z]+([.][a-zA-Z0-9]+)+$,example=pins.add" jsonschema_description:"The method, as https://docs.slack.dev/reference/methods names it."`

	Arguments map[string]json.RawMessage `json:"-" gateway:"free"`
}

// credentialMethods answer with credentials, or end them.
var credentialMethods = []string{"oauth.", "openid.", "tooling.", "auth.revoke", "auth.teams.", "apps.uninstall", "apps.connections.", "apps.manifest.", "apps.auth."}

// method calls any method, as the bot or on behalf of a person. The bot joins a public channel that it has to be in.
func (s *Slack) method(ctx context.Context, in Method) (map[string]json.RawMessage, error) {
	for _, p := range credentialMethods {
		if strings.HasPrefix(in.MethodName, p) {
			return nil, gateway.Errorf(gateway.Denied, "slack: %s deals with credentials and cannot be called this way", in.MethodName)
		}
	}
	a := args{}
	for k, v := range in.Arguments {
		a[k] = v
	}
	var channel string
	if raw, ok := in.Arguments["channel"]; ok {
		if err := json.Unmarshal(raw, &channel); err != nil {
			return nil, gateway.Errorf(gateway.Invalid, "channel: want text")
		}
	}
	posts := in.MethodName == "chat.postMessage"
	if posts && channel != "" {
		if err := gateway.CallOf(ctx).Expect(ctx, echoesAs(ctx, []string{postingRef(channel)})...); err != nil {
			return nil, err
		}
	}
	out := map[string]json.RawMessage{}
	if err := s.joining(ctx, in.MethodName, channel, a, &out); err != nil {
		return nil, err
	}
	if posts {
		var at, ts string
		if json.Unmarshal(out["channel"], &at) == nil && json.Unmarshal(out["ts"], &ts) == nil {
			gateway.CallOf(ctx).Caused(messageRef(at, ts))
		}
	}
	delete(out, "ok")
	return out, nil
}
