package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// Discord's codes that mean something here (https://docs.discord.com/developers/topics/opcodes-and-status-codes#json, checked 2026-11).
const (
	codeUnknownChannel     = 10003
	codeUnknownGuild       = 10004
	codeUnknownMember      = 10007
	codeUnknownMessage     = 10008
	codeUnknownWebhook     = 10015
	codeUnknownBan         = 10026
	codeUnknownInteraction = 10062
	codeMissingAccess      = 50001
	codeCannotMessage      = 50007
	codeMissingPermissions = 50013
	codeWebhookToken       = 50027
	codeThreadArchived     = 50083
	codeNotInVoice         = 40032
	codeAcknowledged       = 40060
	codeNobodyBanned       = 500000
	codePollExpired        = 520001
)

// temporary are the codes of what can be asked for again in a while, whatever the status says: limits, and troubles of Discord's own.
var temporary = []int{20016, 20022, 20028, 20029, 30040, 30042, 30046, 40004, 40006, 40062, 40333, 110000, 110001, 130000}

// refusal is an answer by which Discord did not do what was asked.
type refusal struct {
	Name    string // of the call
	Status  int
	Code    int
	Message string
	Detail  []string // what Discord says of single fields
	Needs   string   // the permission, where that is what is missing
}

func (e *refusal) Error() string {
	text := fmt.Sprintf("discord: %s: %s (status %d, code %d)", e.Name, e.Message, e.Status, e.Code)
	if e.Needs != "" {
		text += ": the bot needs the permission " + e.Needs + ", and where it acts on a member or role a role of its own above it"
	}
	if len(e.Detail) > 0 {
		text += ": " + strings.Join(e.Detail, "; ")
	}
	return text
}

// refusedAs reports whether Discord refused a call with one of these codes.
func refusedAs(err error, codes ...int) bool {
	var r *refusal
	return errors.As(err, &r) && slices.Contains(codes, r.Code)
}

// badCredentials reports whether an error says that a token does not work any more.
func badCredentials(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.Status == http.StatusUnauthorized && r.Code != codeWebhookToken
}

// gone reports whether the bot cannot see what was asked for: it was removed, or what was named is not there.
func gone(err error) bool {
	var r *refusal
	return errors.As(err, &r) && (r.Status == http.StatusNotFound && r.Code > 0 || r.Code == codeMissingAccess) // without a code it may be a proxy's
}

// final reports whether Discord will not do something however often it is asked. A bad token is none of the caller's affair.
func final(err error) bool {
	var r *refusal
	if !errors.As(err, &r) || badCredentials(err) {
		return false
	}
	switch gateway.CodeOf(err) {
	case gateway.NotFound, gateway.Conflict, gateway.Invalid, gateway.Denied:
		return true
	}
	return false
}

// refused makes the error of an answer that is none of success. What is not Discord's own (an error page, a proxy's) says nothing about
// what was asked, except that it was not done where the status says so.
func (c call) refused(status int, header http.Header, body []byte) error {
	var said struct {
		Code        *int            `json:"code"`
		Message     *string         `json:"message"`
		Errors      json.RawMessage `json:"errors"`
		OAuth       string          `json:"error"`
		Description string          `json:"error_description"`
	}
	ours := json.Unmarshal(body, &said) == nil &&
		(said.Message != nil && (said.Code != nil || strings.HasPrefix(*said.Message, itoa(status)+": ")) || said.OAuth != "")
	switch {
	case status >= 500:
		return gateway.Errorf(c.after(), "discord: %s: HTTP status %d", c.name(), status)
	case !ours:
		return gateway.Errorf(gateway.Unavailable, "discord: %s: HTTP status %d without an answer of Discord's", c.name(), status)
	}
	r := &refusal{Name: c.name(), Status: status, Message: clip(said.OAuth, 100)}
	if said.Message != nil {
		r.Message = clip(*said.Message, 500)
	}
	if said.Code != nil {
		r.Code = *said.Code
	}
	if said.Description != "" {
		r.Detail = append(r.Detail, clip(said.Description, 500))
	}
	r.Detail = append(r.Detail, details(said.Errors)...)
	if r.Code == codeMissingPermissions || r.Code == codeMissingAccess {
		r.Needs = c.needs
	}
	return &gateway.Error{Code: r.kind(), Err: r}
}

// kind sorts Discord's reasons.
func (e *refusal) kind() gateway.Code {
	if slices.Contains(temporary, e.Code) {
		return gateway.Unavailable
	}
	switch e.Code {
	case codeNotInVoice, codePollExpired:
		return gateway.Conflict
	case codeCannotMessage:
		return gateway.Denied
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return gateway.Denied
	case http.StatusNotFound, http.StatusGone:
		return gateway.NotFound
	case http.StatusConflict:
		return gateway.Conflict
	}
	return gateway.Invalid
}

// maxDetails bounds what is said of single fields.
const maxDetails = 10

// details flattens Discord's tree of what is wrong with single fields.
func details(raw json.RawMessage) []string {
	var out []string
	var walk func(at string, raw json.RawMessage, depth int)
	walk = func(at string, raw json.RawMessage, depth int) {
		var fields map[string]json.RawMessage
		if depth > 10 || json.Unmarshal(raw, &fields) != nil {
			return
		}
		names := make([]string, 0, len(fields))
		for n := range fields {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			if n != "_errors" {
				walk(at+"/"+n, fields[n], depth+1)
				continue
			}
			var list []struct {
				Message string `json:"message"`
			}
			if json.Unmarshal(fields[n], &list) != nil {
				continue
			}
			for _, e := range list {
				if len(out) < maxDetails {
					out = append(out, clip(at+": "+e.Message, 200))
				}
			}
		}
	}
	walk("", raw, 0)
	return out
}

// call is [client.call] with the bot's token. A token that Discord does not take any more, and a guild that the bot is not in any
// more, pause the instance: nothing can work until somebody installs the app again.
func (d *Discord) call(ctx context.Context, q call, out any) error {
	if a, ok := gateway.ActingAs(ctx); ok {
		return d.callAs(ctx, a, q, out)
	}
	err := d.app.client(d.Instance).call(ctx, q, out)
	if badCredentials(err) && !q.bare || refusedAs(err, codeUnknownGuild) {
		return d.lose(ctx, err)
	}
	if refusedAs(err, codeMissingAccess) {
		if e := d.present(ctx); badCredentials(e) || gone(e) {
			return d.lose(ctx, err)
		}
	}
	return err
}

// present asks for our guild, which Discord shows only to a bot that is in it.
func (d *Discord) present(ctx context.Context) error {
	return d.app.client(d.Instance).call(ctx, call{path: path("guilds", d.config.GuildID)}, nil)
}

// lose pauses the instance until the app is installed again.
func (d *Discord) lose(ctx context.Context, err error) error {
	d.Log.WarnContext(ctx, "the bot cannot work in this guild any more; the instance is paused until the app is installed again", "guild", d.config.GuildID, "error", err)
	return errors.Join(err, d.Pause(context.WithoutCancel(ctx), gateway.BadCredentials))
}

// callAs is [client.call] with a person's own token. What Discord does not take is exchanged, or the person has to log in again.
func (d *Discord) callAs(ctx context.Context, a gateway.Acting, q call, out any) error {
	with := func(token gateway.Secret) error {
		c := d.app.client(d.Instance)
		c.auth = "Bearer " + token.Reveal()
		return c.call(ctx, q, out)
	}
	err := with(a.Token)
	if !badCredentials(err) {
		return err
	}
	next, err := a.Renew(ctx)
	if err != nil {
		return err
	}
	return with(next)
}

// refusedBecause reports whether a token route refused for this reason.
func refusedBecause(err error, reason string) bool {
	var r *refusal
	return errors.As(err, &r) && r.Message == reason
}
