package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// maxBodyDepth bounds how deep a body is looked into.
const maxBodyDepth = 20

// ourBody gives back what somebody else wants to have sent, where every channel and guild that it names is ours: the bot is in other guilds too, and what
// Discord lets it do there is not for this community to ask. A message may answer another, and not forward one, of which Discord would copy the text from
// wherever it is. What is sent is what was looked at: of fields that are there twice the last.
func (d *Discord) ourBody(ctx context.Context, fields map[string]json.RawMessage) (map[string]any, error) {
	out := make(map[string]any, len(fields))
	for name, raw := range fields {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, invalid("/"+name, "is no JSON")
		}
		if err := d.ourField(ctx, "", name, v, 0); err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// ourField looks at one field and what is in it.
func (d *Discord) ourField(ctx context.Context, at, name string, v any, depth int) error {
	at += "/" + name
	if depth > maxBodyDepth {
		return invalid(at, "is too deep")
	}
	switch {
	case v == nil:
		return nil
	case strings.HasSuffix(name, "guild_id"):
		if v != d.config.GuildID {
			return invalid(at, "is not this server")
		}
	case strings.HasSuffix(name, "channel_id"):
		return d.ourChannel(ctx, at, v)
	case name == "message_reference":
		if ref, ok := v.(map[string]any); !ok || !slices.Contains([]any{nil, json.Number("0")}, ref["type"]) {
			return invalid(at, "may name a message that is answered (type 0), and none to be forwarded")
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for n, in := range v {
			if err := d.ourField(ctx, at, n, in, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, in := range v {
			if strings.HasSuffix(name, "channel_ids") {
				if err := d.ourChannel(ctx, at, in); err != nil {
					return err
				}
				continue
			}
			if err := d.ourField(ctx, at, "", in, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// ourChannel refuses what is no channel of this guild.
func (d *Discord) ourChannel(ctx context.Context, at string, v any) error {
	id, ok := v.(string)
	if !ok || !userID.MatchString(id) {
		return invalid(at, "is no ID of a channel, in quotation marks")
	}
	return d.guildOf(ctx, id)
}
