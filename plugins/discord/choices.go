package discord

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// maxChoices is how many are listed at a time.
const maxChoices = 100

// choices are the lists that only Discord knows.
func choices() []gateway.Feature[*Discord] {
	return []gateway.Feature[*Discord]{
		gateway.ChoicesFunc("channels", "Channels that the bot can see.", (*Discord).channelChoices),
		gateway.ChoicesFunc("members", "Members of the server.", (*Discord).memberChoices),
		gateway.ChoicesFunc("roles", "Roles of the server.", (*Discord).roleChoices),
	}
}

func fits(query string, names ...string) bool {
	query = strings.ToLower(strings.TrimLeft(strings.TrimSpace(query), "#@"))
	return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(strings.ToLower(n), query) })
}

func (d *Discord) channelChoices(ctx context.Context, query string) ([]gateway.Choice, error) {
	list, err := d.listAllChannels(ctx, struct{}{})
	out := []gateway.Choice{}
	for _, c := range list.Channels {
		if c.Type != channelKinds["category"] && fits(query, c.Name, c.ID) && len(out) < maxChoices {
			out = append(out, gateway.Choice{Value: c.ID, Label: "#" + c.Name})
		}
	}
	return out, err
}

func (d *Discord) roleChoices(ctx context.Context, query string) ([]gateway.Choice, error) {
	list, err := d.listAllRoles(ctx, struct{}{})
	out := []gateway.Choice{}
	for _, r := range list.Roles {
		if fits(query, r.Name, r.ID) && len(out) < maxChoices {
			out = append(out, gateway.Choice{Value: r.ID, Label: r.Name})
		}
	}
	return out, err
}

// memberChoices has Discord search where something was typed, which needs no intent, and lists the first members otherwise.
func (d *Discord) memberChoices(ctx context.Context, query string) ([]gateway.Choice, error) {
	q := call{path: d.in("members"), query: url.Values{"limit": {itoa(maxChoices)}}, needs: "(intent GUILD_MEMBERS)"}
	if query = strings.TrimLeft(strings.TrimSpace(query), "@"); query != "" {
		q.path = d.in("members", "search")
		q.query.Set("query", clip(query, 100))
	}
	var list []Member
	if err := d.call(ctx, q, &list); err != nil {
		return nil, err
	}
	out := []gateway.Choice{}
	for _, m := range list {
		if !m.User.Bot {
			out = append(out, gateway.Choice{Value: m.User.ID, Label: orElse(m.Nick, orElse(m.User.GlobalName, m.User.Username))})
		}
	}
	return out, nil
}

// roles are what a vote may be open to beside accounts and people.
func roles() []gateway.Feature[*Discord] {
	return []gateway.Feature[*Discord]{
		gateway.RoleFunc("role", "Who has a role: role/ID, or role/NAME where one role only has that name. Programs do not count. Needs the intent GUILD_MEMBERS.", (*Discord).roleMembers),
		gateway.RoleFunc("member", "Everybody who is in the server: member/all. Programs do not count. Needs the intent GUILD_MEMBERS.", (*Discord).allMembers),
	}
}

// roleMembers reads a page of the members, of whom those count that have the role. The cursor says which role a name turned out to be, so that it is
// asked for once.
func (d *Discord) roleMembers(ctx context.Context, role, cursor string) ([]string, string, error) {
	id, after, under := strings.Cut(cursor, "/")
	if !under {
		var err error
		if id, err = d.roleID(ctx, role); err != nil {
			return nil, "", err
		}
	}
	users, next, err := d.membersWho(ctx, after, func(m Member) bool { return id == d.config.GuildID || slices.Contains(m.Roles, id) })
	if next != "" {
		next = id + "/" + next
	}
	return users, next, err
}

// roleID finds a role by its ID or name. NotFound: there is none. Conflict: there are several.
func (d *Discord) roleID(ctx context.Context, role string) (string, error) {
	list, err := d.listAllRoles(ctx, struct{}{})
	if err != nil {
		return "", err
	}
	var named []string
	for _, r := range list.Roles {
		switch {
		case r.ID == role:
			return r.ID, nil
		case strings.EqualFold(r.Name, role):
			named = append(named, r.ID)
		}
	}
	switch len(named) {
	case 0:
		return "", gateway.Errorf(gateway.NotFound, "the server has no role %q", clip(role, 100))
	case 1:
		return named[0], nil
	}
	return "", gateway.Errorf(gateway.Conflict, "%d roles are called %q: name it by its ID", len(named), clip(role, 100))
}

// allMembers reads a page of the members.
func (d *Discord) allMembers(ctx context.Context, which, cursor string) ([]string, string, error) {
	if which != "all" {
		return nil, "", gateway.Errorf(gateway.NotFound, "there is member/all, and no member/%s", clip(which, 100))
	}
	return d.membersWho(ctx, cursor, func(Member) bool { return true })
}

// membersWho reads a page of a thousand members.
func (d *Discord) membersWho(ctx context.Context, after string, is func(Member) bool) (users []string, next string, err error) {
	const limit = 1000
	q := url.Values{"limit": {itoa(limit)}}
	if after != "" {
		q.Set("after", after)
	}
	var raw json.RawMessage
	if err := d.call(ctx, call{path: d.in("members"), query: q, needs: "(intent GUILD_MEMBERS)"}, &raw); err != nil {
		return nil, "", err
	}
	var page []Member
	if err := json.Unmarshal(raw, &page); err != nil {
		return nil, "", gateway.Errorf(gateway.Unavailable, "discord: reading the members: %w", err)
	}
	for _, m := range page {
		if !m.User.Bot && m.User.ID != "" && is(m) {
			users = append(users, m.User.ID)
		}
	}
	if len(page) == limit {
		next = page[limit-1].User.ID
	}
	return users, next, nil
}
