package discord

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// MemberRef names somebody in the server.
type MemberRef struct {
	Member string `json:"member" choices:"members" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Who, by their user ID."`
}

func (d *Discord) getMember(ctx context.Context, in MemberRef) (Member, error) {
	out := Member{}
	err := d.call(ctx, call{path: d.in("members", in.Member)}, &out)
	if out.Roles == nil {
		out.Roles = []string{}
	}
	return out, err
}

// Members are people in the server.
type Members struct {
	Members []Member `json:"members" jsonschema_description:"The people, by user ID."`
	Next    string   `json:"next,omitempty" jsonschema_description:"Where to go on, as after. Absent: these are all."`
}

// listMembers needs the intent GUILD_MEMBERS to be switched on in the app's settings.
func (d *Discord) listMembers(ctx context.Context, in Page) (Members, error) {
	out := Members{Members: []Member{}}
	q := url.Values{"limit": {itoa(in.Limit)}}
	if in.After != "" {
		q.Set("after", in.After)
	}
	err := d.call(ctx, call{path: d.in("members"), query: q, needs: "(intent GUILD_MEMBERS)"}, &out.Members)
	for i := range out.Members {
		if out.Members[i].Roles == nil {
			out.Members[i].Roles = []string{}
		}
	}
	if n := len(out.Members); n == in.Limit && n > 0 {
		out.Next = out.Members[n-1].User.ID
	}
	return out, err
}

// change changes something of a member.
func (d *Discord) change(ctx context.Context, member, reason, needs string, body map[string]any, actions ...int) (Done, error) {
	a := act{call: call{method: http.MethodPatch, path: d.in("members", member), body: body, reason: reason, needs: needs}}
	for _, action := range actions {
		a.echoes = append(a.echoes, auditRef(action, member))
	}
	return d.done(ctx, a)
}

const (
	memberUpdate = 24 // of the audit log
	roleUpdate   = 25
)

// SetNickname is the input of set-nickname.
type SetNickname struct {
	MemberRef
	Nick string `json:"nick" jsonschema:"maxLength=32" jsonschema_description:"The name in this server; empty: none."`
	Reasoned
}

// setNickname changes a name, the bot's own too, for which Discord has another route
// (https://docs.discord.com/developers/resources/guild#modify-current-member, checked 2026-11).
func (d *Discord) setNickname(ctx context.Context, in SetNickname) (Done, error) {
	who, needs := in.Member, "MANAGE_NICKNAMES"
	if d.ours(in.Member) {
		who, needs = "@me", "CHANGE_NICKNAME"
	}
	return d.done(ctx, act{
		call:   call{method: http.MethodPatch, path: d.in("members", who), body: map[string]any{"nick": in.Nick}, reason: in.Reason, needs: needs},
		echoes: []string{auditRef(memberUpdate, in.Member)},
	})
}

// MuteMember is the input of mute-member.
type MuteMember struct {
	MemberRef
	Mute bool `json:"mute" jsonschema_description:"Whether they cannot speak in voice channels."`
	Reasoned
}

// muteMember mutes somebody who is in a voice channel. Conflict: they are in none.
func (d *Discord) muteMember(ctx context.Context, in MuteMember) (Done, error) {
	return d.change(ctx, in.Member, in.Reason, "MUTE_MEMBERS", map[string]any{"mute": in.Mute}, memberUpdate)
}

// DeafenMember is the input of deafen-member.
type DeafenMember struct {
	MemberRef
	Deaf bool `json:"deaf" jsonschema_description:"Whether they cannot hear in voice channels."`
	Reasoned
}

func (d *Discord) deafenMember(ctx context.Context, in DeafenMember) (Done, error) {
	return d.change(ctx, in.Member, in.Reason, "DEAFEN_MEMBERS", map[string]any{"deaf": in.Deaf}, memberUpdate)
}

// MoveMember is the input of move-member.
type MoveMember struct {
	MemberRef
	Channel string `json:"channel" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The voice channel."`
	Reasoned
}

func (d *Discord) moveMember(ctx context.Context, in MoveMember) (Done, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.change(ctx, in.Member, in.Reason, "MOVE_MEMBERS", map[string]any{"channel_id": in.Channel})
}

// ActOnMember is the input of what needs nothing else said.
type ActOnMember struct {
	MemberRef
	Reasoned
}

func (d *Discord) disconnectMember(ctx context.Context, in ActOnMember) (Done, error) {
	return d.change(ctx, in.Member, in.Reason, "MOVE_MEMBERS", map[string]any{"channel_id": nil})
}

// maxTimeout is the longest that Discord takes (https://docs.discord.com/developers/resources/guild#modify-guild-member, checked 2026-11).
const maxTimeout = 28 * 24 * 60 // minutes

// TimeoutMember is the input of timeout-member.
type TimeoutMember struct {
	MemberRef
	Minutes int `json:"minutes" jsonschema:"minimum=0,maximum=40320" jsonschema_description:"For how long they can neither write nor speak, from now on: 28 days at the most. 0: the timeout ends."`
	Reasoned
}

// timeoutMember counts from when it was first asked for, however late it is done.
func (d *Discord) timeoutMember(ctx context.Context, in TimeoutMember) (Done, error) {
	body := map[string]any{"communication_disabled_until": nil}
	if in.Minutes > 0 {
		until := gateway.CallOf(ctx).Started().Add(time.Duration(min(in.Minutes, maxTimeout)) * time.Minute)
		body["communication_disabled_until"] = until.UTC().Format(time.RFC3339)
	}
	return d.change(ctx, in.Member, in.Reason, "MODERATE_MEMBERS", body, memberUpdate)
}

// MemberRole is the input of add-role and remove-role.
type MemberRole struct {
	MemberRef
	Role string `json:"role" choices:"roles" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The role, by its ID."`
	Reasoned
}

func (d *Discord) addRole(ctx context.Context, in MemberRole) (Done, error) {
	return d.memberRole(ctx, in, http.MethodPut)
}

func (d *Discord) removeRole(ctx context.Context, in MemberRole) (Done, error) {
	return d.memberRole(ctx, in, http.MethodDelete)
}

func (d *Discord) memberRole(ctx context.Context, in MemberRole, method string) (Done, error) {
	return d.done(ctx, act{
		call:   call{method: method, path: d.in("members", in.Member, "roles", in.Role), reason: in.Reason, needs: "MANAGE_ROLES"},
		echoes: []string{auditRef(roleUpdate, in.Member)},
	})
}

func (d *Discord) kickMember(ctx context.Context, in ActOnMember) (Done, error) {
	return d.done(ctx, act{
		call:   call{method: http.MethodDelete, path: d.in("members", in.Member), reason: in.Reason, needs: "KICK_MEMBERS"},
		echoes: []string{auditRef(20, in.Member)}, gone: []int{codeUnknownMember},
	})
}

// BanUser is the input of ban-member.
type BanUser struct {
	User   string `json:"user" choices:"members" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Who, by their user ID. They need not be in the server."`
	Delete int    `json:"delete_message_seconds,omitempty" jsonschema:"minimum=0,maximum=604800" jsonschema_description:"Of how many seconds their messages are deleted: a week at the most."`
	Reasoned
}

func (d *Discord) banUser(ctx context.Context, in BanUser) (Done, error) {
	return d.done(ctx, act{
		call: call{
			method: http.MethodPut, path: d.in("bans", in.User), body: map[string]any{"delete_message_seconds": in.Delete}, reason: in.Reason, needs: "BAN_MEMBERS",
		},
		echoes: []string{auditRef(banAction, in.User)},
	})
}

// UnbanUser is the input of unban-member.
type UnbanUser struct {
	User string `json:"user" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Who, by their user ID."`
	Reasoned
}

func (d *Discord) unbanUser(ctx context.Context, in UnbanUser) (Done, error) {
	return d.done(ctx, act{ // Discord describes a body, although nothing is in it
		call:   call{method: http.MethodDelete, path: d.in("bans", in.User), body: struct{}{}, reason: in.Reason, needs: "BAN_MEMBERS"},
		echoes: []string{auditRef(23, in.User)}, gone: []int{codeUnknownBan},
	})
}

// BulkBan is the input of bulk-ban.
type BulkBan struct {
	Users  []string `json:"users" jsonschema:"minItems=1,maxItems=200,uniqueItems=true" jsonschema_description:"Who, by their user IDs."`
	Delete int      `json:"delete_message_seconds,omitempty" jsonschema:"minimum=0,maximum=604800" jsonschema_description:"Of how many seconds their messages are deleted: a week at the most."`
	Reasoned
}

// BulkBanned is its answer.
type BulkBanned struct {
	Banned []string `json:"banned_users" jsonschema_description:"Who is banned now."`
	Failed []string `json:"failed_users" jsonschema_description:"Who is not: they were banned before, or stand above the bot."`
}

func (d *Discord) bulkBan(ctx context.Context, in BulkBan) (BulkBanned, error) {
	for i, u := range in.Users {
		if !userID.MatchString(u) {
			return BulkBanned{}, invalid("/users/"+itoa(i), "is no user ID")
		}
	}
	a := act{call: call{
		method: http.MethodPost, path: d.in("bulk-ban"), body: map[string]any{"user_ids": in.Users, "delete_message_seconds": in.Delete}, reason: in.Reason,
		needs: "BAN_MEMBERS and MANAGE_GUILD",
	}}
	for _, u := range in.Users {
		a.echoes = append(a.echoes, auditRef(banAction, u))
	}
	a.gone = []int{codeNobodyBanned}
	out := BulkBanned{Banned: []string{}, Failed: []string{}}
	same, err := d.perform(ctx, a, &out)
	switch {
	case err != nil:
		return out, err
	case same:
		return out, gateway.Errorf(gateway.Invalid, "discord: none of them can be banned: they are banned, or stand above the bot")
	case len(out.Banned)+len(out.Failed) == 0: // an attempt before this one was not answered
		return out, d.sortBanned(ctx, in.Users, &out)
	}
	return out, nil
}

// sortBanned asks of each whether they are banned.
func (d *Discord) sortBanned(ctx context.Context, users []string, out *BulkBanned) error {
	for _, u := range users {
		_, err := d.getBan(ctx, BanRef{User: u})
		switch {
		case err == nil:
			out.Banned = append(out.Banned, u)
		case refusedAs(err, codeUnknownBan):
			out.Failed = append(out.Failed, u)
		default:
			return fmt.Errorf("asking who was banned: %w", err)
		}
	}
	return nil
}

// Bans are people who may not come in.
type Bans struct {
	Bans []Ban  `json:"bans" jsonschema_description:"The bans, by user ID."`
	Next string `json:"next,omitempty" jsonschema_description:"Where to go on, as after. Absent: these are all."`
}

func (d *Discord) listBans(ctx context.Context, in Page) (Bans, error) {
	out := Bans{Bans: []Ban{}}
	q := url.Values{"limit": {itoa(in.Limit)}}
	if in.After != "" {
		q.Set("after", in.After)
	}
	err := d.call(ctx, call{path: d.in("bans"), query: q, needs: "BAN_MEMBERS"}, &out.Bans)
	if n := len(out.Bans); n == in.Limit && n > 0 {
		out.Next = out.Bans[n-1].User.ID
	}
	return out, err
}

// BanRef names somebody who may be banned.
type BanRef struct {
	User string `json:"user" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Who, by their user ID."`
}

// getBan reads one ban. NotFound: they are not banned.
func (d *Discord) getBan(ctx context.Context, in BanRef) (out Ban, err error) {
	return out, d.call(ctx, call{path: d.in("bans", in.User), needs: "BAN_MEMBERS"}, &out)
}
