package discord

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Command is the input of register-guild-command: what Discord takes
// (https://docs.discord.com/developers/interactions/application-commands#create-guild-application-command).
type Command struct {
	Name        string           `json:"name" jsonschema:"minLength=1,maxLength=32" jsonschema_description:"What people type after the slash, in lower case; or what the menu of a user or message shows."`
	Kind        string           `json:"kind,omitempty" jsonschema:"enum=slash,enum=user,enum=message,default=slash" jsonschema_description:"Whether it is typed, or in the menu of a user or of a message."`
	Description string           `json:"description,omitempty" jsonschema:"maxLength=100" jsonschema_description:"What it does, for people. Needed where it is typed."`
	Options     []map[string]any `json:"options,omitempty" jsonschema:"maxItems=25" jsonschema_description:"What can be given with it, as Discord takes it."`

	More map[string]json.RawMessage `json:"-" gateway:"free"`
}

// Registered is the answer.
type Registered struct {
	ID   string `json:"id" jsonschema_description:"The command's ID."`
	Name string `json:"name" jsonschema_description:"Its name."`
	Type int    `json:"type,omitempty" jsonschema_description:"Discord's number of its kind."`
}

var commandKinds = map[string]int{"slash": 1, "user": 2, "message": 3}

// registerCommand makes a command in this server only, or changes the one that has its name: so doing it again does no harm.
func (d *Discord) registerCommand(ctx context.Context, in Command) (out Registered, err error) {
	body := map[string]any{"name": in.Name, "type": commandKinds[in.Kind]}
	for k, v := range in.More {
		if body[k] == nil {
			body[k] = v
		}
	}
	switch {
	case in.Kind != "slash" && (in.Description != "" || len(in.Options) > 0):
		return out, invalid("/kind", "of a user or message takes neither a description nor options")
	case in.Kind == "slash" && in.Description == "":
		return out, invalid("/description", "is needed for what people type")
	case in.Kind == "slash":
		body["description"] = in.Description
		if len(in.Options) > 0 {
			body["options"] = in.Options
		}
	}
	return out, d.call(ctx, call{method: http.MethodPost, path: d.commandPath(), body: body}, &out)
}

func (d *Discord) commandPath(more ...string) string {
	return path(append([]string{"applications", d.app.ApplicationID, "guilds", d.config.GuildID, "commands"}, more...)...)
}

// Commands are those of this server.
type Commands struct {
	Commands []Registered `json:"commands" jsonschema_description:"The commands."`
}

func (d *Discord) listCommands(ctx context.Context, _ struct{}) (Commands, error) {
	out := Commands{Commands: []Registered{}}
	return out, d.call(ctx, call{path: d.commandPath()}, &out.Commands)
}

// CommandRef names a command.
type CommandRef struct {
	Command string `json:"command" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The command's ID."`
}

func (d *Discord) deleteCommand(ctx context.Context, in CommandRef) (Done, error) {
	return d.done(ctx, act{call: call{method: http.MethodDelete, path: d.commandPath(in.Command)}, gone: []int{10063}})
}

// Respond is the input of respond: what somebody who used a command, a button or a form gets to see.
type Respond struct {
	Token      string           `json:"token" jsonschema:"minLength=1,maxLength=500" jsonschema_description:"The field token of the event APPLICATION_COMMAND, MESSAGE_COMPONENT or MODAL_SUBMIT. It works for 15 minutes."`
	Content    string           `json:"content,omitempty" jsonschema:"maxLength=2000" jsonschema_description:"The text, in Discord's Markdown."`
	Embeds     []map[string]any `json:"embeds,omitempty" jsonschema:"maxItems=10" jsonschema_description:"What is shown in boxes, as Discord takes it."`
	Components []map[string]any `json:"components,omitempty" jsonschema:"maxItems=40" jsonschema_description:"Buttons and menus, as Discord takes them."`
	Another    bool             `json:"another,omitempty" jsonschema_description:"Whether this is one more message, and not the answer itself. The answer to a button is the message that it is under."`
	Private    bool             `json:"private,omitempty" jsonschema_description:"With another: whether only who used it sees it."`
}

// soon is after what pauses an answer is given again of whose interaction Discord knows nothing: a driver may be quicker than the word that put it off,
// and for some seconds after that not all of Discord has heard of it (https://github.com/discord/discord-api-docs/issues/7220).
var soon = []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second}

// pause waits; false: the context ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// respond answers an interaction that was put off when it came. NotFound: the 15 minutes are over.
func (d *Discord) respond(ctx context.Context, in Respond) (Posted, error) {
	if in.Content == "" && len(in.Embeds) == 0 && len(in.Components) == 0 {
		return Posted{}, gateway.Errorf(gateway.Invalid, "there is nothing to say: give content, embeds or components")
	}
	body := map[string]any{"allowed_mentions": map[string]any{"parse": []string{"users"}}}
	if in.Content != "" {
		body["content"] = in.Content
	}
	if len(in.Embeds) > 0 {
		body["embeds"] = in.Embeds
	}
	if len(in.Components) > 0 {
		body["components"] = in.Components
	}
	set := layoutFlag(in.Components)
	if in.Another && in.Private {
		set |= ephemeral
	}
	if set != 0 {
		body["flags"] = set
	}
	q := call{method: http.MethodPatch, path: path("webhooks", d.app.ApplicationID, in.Token, "messages", "@original"), body: body, bare: true}
	if in.Another {
		q.method, q.path, q.once = http.MethodPost, path("webhooks", d.app.ApplicationID, in.Token), true
	}
	var out struct {
		ID        string `json:"id"`
		ChannelID string `json:"channel_id"`
	}
	err := d.call(ctx, q, &out)
	for i := 0; i < len(soon) && refusedAs(err, codeUnknownWebhook) && pause(ctx, soon[i]); i++ {
		err = d.call(ctx, q, &out)
	}
	if err != nil {
		if refusedAs(err, codeWebhookToken, codeUnknownWebhook, codeUnknownInteraction) {
			return Posted{}, gateway.Errorf(gateway.NotFound, "the interaction cannot be answered any more: %w", err)
		}
		return Posted{}, err
	}
	gateway.CallOf(ctx).Caused(messageRef(out.ChannelID, out.ID))
	return Posted{out.ChannelID, out.ID}, nil
}
