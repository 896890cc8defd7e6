package slack

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// given is text that is an argument even where it is empty.
func given(text string) json.RawMessage {
	raw, _ := json.Marshal(text) // text always marshals
	return raw
}

// invited calls conversations.invite and sorts what Slack says of each.
func (s *Slack) invited(ctx context.Context, in Invite, a act) (Invited, error) {
	var answer struct {
		Errors []each `json:"errors"`
	}
	_, err := s.perform(ctx, a, &answer)
	none := err != nil
	var r *refusal
	if errors.As(err, &r) {
		answer.Errors = r.Each
		if len(answer.Errors) == 0 && len(in.Users) == 1 {
			answer.Errors = []each{{in.Users[0], r.Code}}
		}
	}
	out := Invited{Invited: []string{}}
	var bad []string
	for _, e := range answer.Errors {
		bad = append(bad, e.User)
		if e.Error == "already_in_channel" {
			out.Already = append(out.Already, e.User)
		} else {
			out.Failed = append(out.Failed, Rejected(e))
		}
	}
	if none {
		if len(out.Already) > 0 && len(out.Failed) == 0 {
			return out, nil
		}
		return Invited{}, err
	}
	for _, u := range in.Users {
		if !slices.Contains(bad, u) {
			out.Invited = append(out.Invited, u)
		}
	}
	return out, nil
}

// Content is what a message says.
type Content struct {
	Text         string           `json:"text,omitempty" jsonschema_description:"The text, in Slack's mrkdwn; with blocks, what notifications show."`
	MarkdownText string           `json:"markdown_text,omitempty" jsonschema:"maxLength=12000" jsonschema_description:"The text in standard Markdown, in the place of text and blocks."`
	Blocks       []map[string]any `json:"blocks,omitempty" jsonschema:"maxItems=50" jsonschema_description:"Block Kit blocks."`
	Attachments  []map[string]any `json:"attachments,omitempty" jsonschema_description:"Attachments of the older kind."`
}

// into adds what there is to a method's arguments.
func (c Content) into(a args) (args, error) {
	if c.Text == "" && c.MarkdownText == "" && len(c.Blocks) == 0 && len(c.Attachments) == 0 {
		return nil, gateway.Errorf(gateway.Invalid, "there is nothing to post: give text, markdown_text, blocks or attachments")
	}
	a["text"], a["markdown_text"] = c.Text, c.MarkdownText
	if len(c.Blocks) > 0 {
		a["blocks"] = c.Blocks
	}
	if len(c.Attachments) > 0 {
		a["attachments"] = c.Attachments
	}
	return a, nil
}

// Ephemeral is the input of post-ephemeral.
type Ephemeral struct {
	Place
	Content
	User     string `json:"user" choices:"users" jsonschema:"minLength=1" jsonschema_description:"Who sees it. They have to be in the channel."`
	ThreadTS string `json:"thread_ts,omitempty" jsonschema_description:"The time stamp of the message to reply to."`
}

// Whispered is its answer.
type Whispered struct {
	TS string `json:"message_ts" jsonschema_description:"The message's time stamp. It cannot be changed or deleted by it."`
}

func (s *Slack) postEphemeral(ctx context.Context, in Ephemeral) (out Whispered, err error) {
	a, err := in.into(args{"channel": in.Channel, "user": in.User, "thread_ts": in.ThreadTS})
	if err != nil {
		return out, err
	}
	err = s.joining(ctx, "chat.postEphemeral", in.Channel, a, &out)
	if err == nil && out.TS == "" {
		err = unnamed("chat.postEphemeral", "message")
	}
	return out, err
}

// Item names a message.
type Item struct {
	Place
	TS string `json:"ts" jsonschema:"pattern=^[0-9]+[.][0-9]+$" jsonschema_description:"The message's time stamp."`
}

// UpdateMessage is the input of update-message.
type UpdateMessage struct {
	Item
	Content
}

func (s *Slack) updateMessage(ctx context.Context, in UpdateMessage) (Posted, error) {
	a, err := in.into(args{"channel": in.Channel, "ts": in.TS})
	if err != nil {
		return Posted{}, err
	}
	_, err = s.perform(ctx, act{method: "chat.update", args: a, echoes: []string{ref("changed", in.Channel, in.TS)}}, nil)
	return Posted{in.Channel, in.TS}, err
}

func (s *Slack) deleteMessage(ctx context.Context, in Item) (Done, error) {
	return s.done(ctx, act{
		method: "chat.delete", args: args{"channel": in.Channel, "ts": in.TS}, gone: []string{"message_not_found"},
		echoes: []string{ref("deleted", in.Channel, in.TS)},
	})
}

// Permalink is the answer of get-permalink.
type Permalink struct {
	Permalink string `json:"permalink" jsonschema_description:"The message's address."`
}

func (s *Slack) getPermalink(ctx context.Context, in Item) (out Permalink, err error) {
	err = s.call(ctx, "chat.getPermalink", args{"channel": in.Channel, "message_ts": in.TS}, &out)
	if err == nil && out.Permalink == "" {
		err = unnamed("chat.getPermalink", "address")
	}
	return out, err
}

// ScheduleMessage is the input of schedule-message.
type ScheduleMessage struct {
	Place
	Content
	PostAt         time.Time `json:"post_at" jsonschema_description:"When, within the next 120 days."`
	ThreadTS       string    `json:"thread_ts,omitempty" jsonschema_description:"The time stamp of the message to reply to."`
	ReplyBroadcast bool      `json:"reply_broadcast,omitempty" jsonschema_description:"Whether a reply is shown in the channel too."`
}

// Scheduled names a message that Slack is to post later.
type Scheduled struct {
	Place
	ID string `json:"scheduled_message_id" jsonschema:"minLength=1" jsonschema_description:"By which it is taken back."`
}

// scheduleMessage carries the call's identity, by which its event is known when Slack posts it. An answer that is lost stays lost: Slack
// does not show what it is to post with its metadata.
func (s *Slack) scheduleMessage(ctx context.Context, in ScheduleMessage) (Scheduled, error) {
	call := gateway.CallOf(ctx)
	a, err := in.into(args{"channel": in.Channel, "post_at": strconv.FormatInt(in.PostAt.Unix(), 10), "thread_ts": in.ThreadTS})
	if err != nil {
		return Scheduled{}, err
	}
	if in.ReplyBroadcast {
		a["reply_broadcast"] = true
	}
	a["metadata"] = Metadata{EventType: callEvent, EventPayload: map[string]any{callField: call.ID()}}
	var out Scheduled
	if err := s.joining(ctx, "chat.scheduleMessage", in.Channel, a, &out); err != nil {
		return Scheduled{}, err
	}
	if out.ID == "" {
		return Scheduled{}, unnamed("chat.scheduleMessage", "message")
	}
	call.Caused(ref("scheduled", call.ID()))
	out.Channel = first(out.Channel, in.Channel)
	return out, nil
}

func (s *Slack) deleteScheduled(ctx context.Context, in Scheduled) (Done, error) {
	return s.done(ctx, act{
		method: "chat.deleteScheduledMessage", args: args{"channel": in.Channel, "scheduled_message_id": in.ID}, gone: []string{"invalid_scheduled_message_id"},
	})
}

// item is an act on a message.
func (s *Slack) item(ctx context.Context, method string, in Item, name, event, same string) (Done, error) {
	echo := ref(event, in.Channel, in.TS)
	if name != "" {
		echo = ref(event, in.Channel, in.TS, name)
	}
	return s.done(ctx, act{
		method: method, channel: in.Channel, args: args{"channel": in.Channel, "timestamp": in.TS, "name": name}, echoes: []string{echo}, same: []string{same},
	})
}

func (s *Slack) pin(ctx context.Context, in Item) (Done, error) {
	return s.item(ctx, "pins.add", in, "", "pin_added", "already_pinned")
}

func (s *Slack) unpin(ctx context.Context, in Item) (Done, error) {
	return s.item(ctx, "pins.remove", in, "", "pin_removed", "no_pin")
}

// Reaction is a reaction to a message.
type Reaction struct {
	Item
	Name string `json:"name" jsonschema:"minLength=1,maxLength=100" jsonschema_description:"The emoji's name, without colons."`
}

func (s *Slack) addReaction(ctx context.Context, in Reaction) (Done, error) {
	return s.item(ctx, "reactions.add", in.Item, in.Name, "reaction_added", "already_reacted")
}

func (s *Slack) removeReaction(ctx context.Context, in Reaction) (Done, error) {
	return s.item(ctx, "reactions.remove", in.Item, in.Name, "reaction_removed", "no_reaction")
}
