package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// maxContent is how many characters a message has (https://docs.discord.com/developers/resources/message#create-message).
const maxContent = 2000

// Message is the input of post-message: what Discord takes, and a user in the place of a channel.
type Message struct {
	Channel         string           `json:"channel,omitempty" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The channel or thread to post in, by its ID. Either this or user."`
	User            string           `json:"user,omitempty" choices:"members" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The person to write to directly. Either this or channel."`
	Content         string           `json:"content,omitempty" jsonschema:"maxLength=2000" jsonschema_description:"The text, in Discord's Markdown."`
	Embeds          []map[string]any `json:"embeds,omitempty" jsonschema:"maxItems=10" jsonschema_description:"What is shown in boxes, as Discord takes it."`
	Components      []map[string]any `json:"components,omitempty" jsonschema:"maxItems=40" jsonschema_description:"Buttons and menus, as Discord takes them. Clicks on them become events MESSAGE_COMPONENT."`
	ReplyTo         string           `json:"reply_to,omitempty" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The message in the channel that this answers."`
	AllowedMentions map[string]any   `json:"allowed_mentions,omitempty" jsonschema_description:"Whom mentions in the text ring, as Discord takes it. Absent: the people who are mentioned, but neither roles nor everybody."`
	Silent          bool             `json:"silent,omitempty" jsonschema_description:"Whether nobody's device makes a sound."`

	More map[string]json.RawMessage `json:"-" gateway:"free"`
}

func (d *Discord) postMessage(ctx context.Context, in Message) (Posted, error) {
	switch {
	case (in.Channel == "") == (in.User == ""):
		return Posted{}, gateway.Errorf(gateway.Invalid, "give either a channel or a user")
	case in.Content == "" && len(in.Embeds) == 0 && len(in.Components) == 0 && len(in.More) == 0:
		return Posted{}, gateway.Errorf(gateway.Invalid, "there is nothing to post: give content, embeds or components")
	case in.ReplyTo != "" && in.Channel == "":
		return Posted{}, gateway.Errorf(gateway.Invalid, "reply_to is for messages in a channel")
	}
	more, err := d.ourBody(ctx, in.More)
	if err != nil {
		return Posted{}, err
	}
	var channel string
	if in.Channel != "" {
		channel, err = in.Channel, d.guildOf(ctx, in.Channel)
	} else {
		channel, err = d.directToMember(ctx, in.User)
	}
	if err != nil {
		return Posted{}, err
	}
	return d.postOnce(ctx, channel, in.fields(more), "")
}

// Of a message's flags (https://docs.discord.com/developers/resources/message#message-object-message-flags, checked 2026-11).
const (
	silent = 1 << 12 // SUPPRESS_NOTIFICATIONS
	layout = 1 << 15 // IS_COMPONENTS_V2
)

// layoutFlag is the flag without which Discord takes nothing but rows of buttons and menus as a message's components.
func layoutFlag(components []map[string]any) int64 {
	for _, c := range components {
		if kind, ok := c["type"]; ok && fmt.Sprint(kind) != itoa(actionRow) {
			return layout
		}
	}
	return 0
}

// fields is what Discord takes. more is what the gateway does not know, looked at.
func (in Message) fields(more map[string]any) map[string]any {
	f := map[string]any{"allowed_mentions": map[string]any{"parse": []string{"users"}}}
	maps.Copy(f, more)
	if in.AllowedMentions != nil {
		f["allowed_mentions"] = in.AllowedMentions
	}
	if in.Content != "" {
		f["content"] = in.Content
	}
	if len(in.Embeds) > 0 {
		f["embeds"] = in.Embeds
	}
	if len(in.Components) > 0 {
		f["components"] = in.Components
	}
	if in.ReplyTo != "" {
		f["message_reference"] = map[string]any{"message_id": in.ReplyTo, "fail_if_not_exists": true}
	}
	set := layoutFlag(in.Components)
	if in.Silent {
		set |= silent
	}
	if set != 0 {
		n, _ := more["flags"].(json.Number)
		others, _ := n.Int64() // no number: none
		f["flags"] = set | others
	}
	return f
}

// MessageRef names a message.
type MessageRef struct {
	Channel string `json:"channel" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The channel or thread that it is in."`
	Message string `json:"message" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The message's ID."`
}

func (r MessageRef) path(more ...string) string {
	return path(append([]string{"channels", r.Channel, "messages", r.Message}, more...)...)
}

// EditMessage is the input of edit-message.
type EditMessage struct {
	MessageRef
	Content    *string          `json:"content,omitempty" jsonschema:"maxLength=2000" jsonschema_description:"The new text. Absent: as it is."`
	Embeds     []map[string]any `json:"embeds,omitempty" jsonschema:"maxItems=10" jsonschema_description:"The new boxes. Absent: as they are."`
	Components []map[string]any `json:"components,omitempty" jsonschema:"maxItems=40" jsonschema_description:"The new buttons and menus. Absent: as they are."`
}

func (d *Discord) editMessage(ctx context.Context, in EditMessage) (Done, error) {
	body := map[string]any{"allowed_mentions": map[string]any{"parse": []string{"users"}}}
	if in.Content != nil {
		body["content"] = *in.Content
	}
	if in.Embeds != nil {
		body["embeds"] = in.Embeds
	}
	if in.Components != nil {
		body["components"] = in.Components
	}
	if set := layoutFlag(in.Components); set != 0 {
		body["flags"] = set
	}
	if len(body) == 1 {
		return Done{}, gateway.Errorf(gateway.Invalid, "there is nothing to change: give content, embeds or components")
	}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call:   call{method: http.MethodPatch, path: in.path(), body: body, needs: "VIEW_CHANNEL"},
		echoes: []string{"edited:" + messageRef(in.Channel, in.Message)},
	})
}

// DeleteMessage is the input of delete-message.
type DeleteMessage struct {
	MessageRef
	Reasoned
}

func (d *Discord) deleteMessage(ctx context.Context, in DeleteMessage) (Done, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call:   call{method: http.MethodDelete, path: in.path(), reason: in.Reason, needs: "MANAGE_MESSAGES"},
		echoes: []string{"deleted:" + messageRef(in.Channel, in.Message)}, gone: []int{codeUnknownMessage},
	})
}

// DeleteMessages is the input of delete-messages.
type DeleteMessages struct {
	Channel  string   `json:"channel" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The channel or thread that they are in."`
	Messages []string `json:"messages" jsonschema:"minItems=2,maxItems=100,uniqueItems=true" jsonschema_description:"Their IDs, none older than two weeks."`
	Reasoned
}

func (d *Discord) deleteMessages(ctx context.Context, in DeleteMessages) (Done, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call: call{
			method: http.MethodPost, path: path("channels", in.Channel, "messages", "bulk-delete"), body: map[string]any{"messages": in.Messages}, reason: in.Reason, needs: "MANAGE_MESSAGES",
		},
		echoes: []string{bulkRef(in.Channel, in.Messages)}, // where some are not there, Discord tells of the others, and of somebody's doing
	})
}

func (d *Discord) getMessage(ctx context.Context, in MessageRef) (out Post, err error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return out, err
	}
	return out, d.call(ctx, call{path: in.path(), needs: "READ_MESSAGE_HISTORY"}, &out)
}

// ListMessages is the input of list-messages.
type ListMessages struct {
	Channel string `json:"channel" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The channel or thread."`
	Before  string `json:"before,omitempty" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Only messages before this one. Absent: the last ones."`
	After   string `json:"after,omitempty" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Only messages after this one."`
	Limit   int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100,default=50" jsonschema_description:"How many at the most."`
}

// Posts are messages.
type Posts struct {
	Messages []Post `json:"messages" jsonschema_description:"The messages, the newest first."`
	More     bool   `json:"more,omitempty" jsonschema_description:"Whether there may be more."`
}

func (d *Discord) listMessages(ctx context.Context, in ListMessages) (Posts, error) {
	out := Posts{Messages: []Post{}}
	if in.Before != "" && in.After != "" {
		return out, gateway.Errorf(gateway.Invalid, "give before or after, and not both")
	}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return out, err
	}
	q := url.Values{"limit": {itoa(in.Limit)}}
	if in.Before != "" {
		q.Set("before", in.Before)
	}
	if in.After != "" {
		q.Set("after", in.After)
	}
	err := d.call(ctx, call{path: path("channels", in.Channel, "messages"), query: q, needs: "READ_MESSAGE_HISTORY"}, &out.Messages)
	out.More = len(out.Messages) == in.Limit
	return out, err
}

// PinMessage is the input of pin-message and unpin-message.
type PinMessage struct {
	MessageRef
	Reasoned
}

// pinPath is the route since 2025-06; the one without "messages" is deprecated (https://docs.discord.com/developers/change-log).
func (r MessageRef) pinPath() string {
	return path("channels", r.Channel, "messages", "pins", r.Message)
}

func (d *Discord) pinMessage(ctx context.Context, in PinMessage) (Done, error) {
	return d.pin(ctx, in, http.MethodPut)
}

func (d *Discord) unpinMessage(ctx context.Context, in PinMessage) (Done, error) {
	return d.pin(ctx, in, http.MethodDelete)
}

func (d *Discord) pin(ctx context.Context, in PinMessage, method string) (Done, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{call: call{method: method, path: in.pinPath(), reason: in.Reason, needs: "PIN_MESSAGES"}})
}

// ListPins is the input of list-pins.
type ListPins struct {
	Channel string `json:"channel" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The channel or thread."`
	Before  string `json:"before,omitempty" jsonschema:"maxLength=40" jsonschema_description:"Only what was pinned before this time: before of the answer before."`
}

// Pins are messages that are pinned.
type Pins struct {
	Messages []Post `json:"messages" jsonschema_description:"The messages, the last pinned first."`
	Before   string `json:"before,omitempty" jsonschema_description:"Where to go on. Absent: these are all."`
}

func (d *Discord) listPins(ctx context.Context, in ListPins) (Pins, error) {
	out := Pins{Messages: []Post{}}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return out, err
	}
	q := url.Values{"limit": {"50"}}
	if in.Before != "" {
		if stamp(in.Before).IsZero() {
			return out, invalid("/before", "is no time")
		}
		q.Set("before", in.Before)
	}
	var page struct {
		Items []struct {
			At      string `json:"pinned_at"`
			Message Post   `json:"message"`
		} `json:"items"`
		More bool `json:"has_more"`
	}
	err := d.call(ctx, call{path: path("channels", in.Channel, "messages", "pins"), query: q, needs: "READ_MESSAGE_HISTORY"}, &page)
	for _, item := range page.Items {
		out.Messages = append(out.Messages, item.Message)
		if page.More {
			out.Before = item.At
		}
	}
	return out, err
}

// Reaction is the input of add-reaction.
type Reaction struct {
	MessageRef
	Emoji string `json:"emoji" jsonschema:"minLength=1,maxLength=100" jsonschema_description:"The character, or name:ID of a server's own."`
}

// emoji is the emoji as Discord takes it here: a server's own stands in messages as <:name:ID>, or <a:name:ID> if it moves.
func (r Reaction) emoji() string {
	inner, marked := strings.CutPrefix(r.Emoji, "<")
	inner, ended := strings.CutSuffix(inner, ">")
	if _, name, ok := strings.Cut(inner, ":"); ok && marked && ended {
		return name
	}
	return r.Emoji
}

func (d *Discord) addReaction(ctx context.Context, in Reaction) (Done, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call:   call{method: http.MethodPut, path: in.path("reactions", in.emoji(), "@me"), needs: "READ_MESSAGE_HISTORY, and ADD_REACTIONS where nobody has reacted so"},
		echoes: []string{"MESSAGE_REACTION_ADD:" + messageRef(in.Channel, in.Message)},
	})
}

// RemoveReaction is the input of remove-reaction.
type RemoveReaction struct {
	Reaction
	User string `json:"user,omitempty" choices:"members" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Whose. Absent: the bot's own."`
}

func (d *Discord) removeReaction(ctx context.Context, in RemoveReaction) (Done, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call:   call{method: http.MethodDelete, path: in.path("reactions", in.emoji(), orElse(in.User, "@me")), needs: "MANAGE_MESSAGES"},
		echoes: []string{"unreacted:" + messageRef(in.Channel, in.Message) + ":" + reactionRef(orElse(in.User, d.config.BotUserID), emojiKey(in.emoji()))},
	})
}

// ListReactions is the input of list-reactions.
type ListReactions struct {
	Reaction
	After string `json:"after,omitempty" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Where to go on: next of the answer before."`
}

// Users are people.
type Users struct {
	Users []User `json:"users" jsonschema_description:"The people."`
	Next  string `json:"next,omitempty" jsonschema_description:"Where to go on, as after. Absent: these are all."`
}

func (d *Discord) listReactions(ctx context.Context, in ListReactions) (Users, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Users{Users: []User{}}, err
	}
	return d.users(ctx, call{path: in.path("reactions", in.emoji()), needs: "READ_MESSAGE_HISTORY"}, in.After, func(raw json.RawMessage) (list []User, err error) {
		return list, json.Unmarshal(raw, &list)
	})
}

// users reads a page of a hundred people.
func (d *Discord) users(ctx context.Context, q call, after string, take func(json.RawMessage) ([]User, error)) (Users, error) {
	const limit = 100
	out := Users{Users: []User{}}
	q.query = url.Values{"limit": {itoa(limit)}}
	if after != "" {
		q.query.Set("after", after)
	}
	var raw json.RawMessage
	if err := d.call(ctx, q, &raw); err != nil {
		return out, err
	}
	list, err := take(raw)
	if err != nil {
		return out, gateway.Errorf(gateway.Unavailable, "discord: %s: decoding the answer: %w", q.name(), err)
	}
	out.Users = append(out.Users, list...)
	if len(list) == limit {
		out.Next = list[limit-1].ID
	}
	return out, nil
}
