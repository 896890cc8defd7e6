package discord

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// Method is the input of method.
type Method struct {
	HTTPMethod string            `json:"http_method" jsonschema:"enum=GET,enum=POST,enum=PUT,enum=PATCH,enum=DELETE" jsonschema_description:"What to do with it."`
	Route      string            `json:"route" jsonschema:"pattern=^[a-zA-Z0-9@:%._/-]+$,maxLength=500,example=channels/1/messages/pins" jsonschema_description:"The route, as Discord's documentation has it behind /api/v10/. Of guilds and channels only this server's."`
	Query      map[string]string `json:"query,omitempty" jsonschema_description:"What stands behind the question mark."`
	Reasoned

	Body map[string]json.RawMessage `json:"-" gateway:"free"`
}

// Answer is what Discord answered.
type Answer struct {
	Body json.RawMessage `json:"body,omitempty" jsonschema_description:"The answer, as Discord gave it."`
}

// method calls any route of this guild and its channels, as the bot; or, on behalf of a person, their own account's.
func (d *Discord) method(ctx context.Context, in Method) (Answer, error) {
	parts := strings.Split(strings.Trim(in.Route, "/"), "/")
	for i, p := range parts {
		plain, err := url.PathUnescape(p)
		if err != nil || strings.Trim(plain, ".") == "" || strings.Contains(plain, "/") {
			return Answer{}, invalid("/route", "is no route of Discord's")
		}
		parts[i] = plain
	}
	if err := d.mayCall(ctx, in.HTTPMethod, parts); err != nil {
		return Answer{}, err
	}
	q := call{method: in.HTTPMethod, path: path(parts...), reason: in.Reason, once: in.HTTPMethod == http.MethodPost}
	if len(in.Query) > 0 {
		q.query = url.Values{}
		for k, v := range in.Query {
			q.query.Set(k, v)
		}
	}
	var err error
	if q.body, err = d.methodBody(ctx, in); err != nil {
		return Answer{}, err
	}
	var out json.RawMessage
	err = d.call(ctx, q, &out)
	return Answer{out}, err
}

// arrayBody is the field that is a request's whole body, of routes that take a list: positions of channels, all commands at once.
const arrayBody = "array_body"

// methodBody is the request's body, looked at; nil: there is none.
func (d *Discord) methodBody(ctx context.Context, in Method) (any, error) {
	if len(in.Body) == 0 {
		return nil, nil
	}
	body, err := d.ourBody(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	list, ok := body[arrayBody]
	switch {
	case !ok:
		return body, nil
	case len(body) > 1:
		return nil, invalid("/"+arrayBody, "is the whole body, so that no other field can be in it")
	}
	return list, nil
}

// mayCall refuses what is another community's, or the app's: the bot's token could do it.
func (d *Discord) mayCall(ctx context.Context, method string, parts []string) error {
	at := func(i int) string {
		if i < len(parts) {
			return parts[i]
		}
		return ""
	}
	if _, ok := gateway.ActingAs(ctx); ok {
		if at(0) == "users" && at(1) == "@me" {
			return nil
		}
		return gateway.Errorf(gateway.Denied, "discord: a person's own token is for users/@me")
	}
	read := method == http.MethodGet
	switch {
	case at(0) == "guilds" && at(1) == d.config.GuildID && !(len(parts) == 2 && method == http.MethodDelete):
		return nil
	case at(0) == "channels" && len(parts) > 1:
		return d.guildOf(ctx, at(1))
	case at(0) == "stage-instances" && len(parts) == 2:
		return d.guildOf(ctx, at(1))
	case at(0) == "stage-instances" && len(parts) == 1 && method == http.MethodPost: // the channel is in the body, see ourBody
		return nil
	case at(0) == "applications" && at(1) == d.app.ApplicationID && at(2) == "guilds" && at(3) == d.config.GuildID:
		return nil
	case read && at(0) == "users" && len(parts) == 2, read && slices.Contains([]string{"voice", "sticker-packs", "soundboard-default-sounds"}, at(0)):
		return nil
	}
	return gateway.Errorf(gateway.Denied, "discord: %s %s is not of this server, or deals with the app itself", method, words(parts))
}

// words is a refused route without what may be a secret in it, a webhook's token say: the names of Discord's routes are words in small letters.
func words(parts []string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = p
		if len(p) > 30 || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz-@") != "" {
			out[i] = "…"
		}
	}
	return strings.Join(out, "/")
}
