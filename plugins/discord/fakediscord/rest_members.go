package fakediscord

import (
	"slices"
	"strings"
	"time"
)

func (r *request) getGuild() (any, error) {
	g, err := r.guild()
	if err != nil {
		return nil, err
	}
	o := g.show()
	if r.call.Query.Get("with_counts") == "true" {
		o["approximate_member_count"], o["approximate_presence_count"] = len(g.members), 1
	}
	return o, nil
}

// sortedMembers are the members by ID, which is Discord's order for pages.
func (g *Guild) sortedMembers() []*member {
	out := make([]*member, 0, len(g.members))
	for _, m := range g.members {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *member) int { return compareIDs(a.user.id, b.user.id) })
	return out
}

func compareIDs(a, b string) int {
	switch x, y := num(a), num(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// listMembers needs the privileged intent GUILD_MEMBERS to be switched on in the developer portal.
func (r *request) listMembers() (any, error) {
	g, err := r.guild()
	if err != nil {
		return nil, err
	}
	if r.s.opt.DisallowedIntents&IntentGuildMembers != 0 {
		return nil, refuse(50001)
	}
	limit, err := count(r.call.Query, 1, 1000, 1)
	if err != nil {
		return nil, err
	}
	after, err := cursor(r.call.Query, "after")
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, m := range g.sortedMembers() {
		if len(out) < limit && num(m.user.id) > after {
			out = append(out, m.show())
		}
	}
	return out, nil
}

func (r *request) searchMembers() (any, error) {
	g, err := r.guild()
	if err != nil {
		return nil, err
	}
	limit, err := count(r.call.Query, 1, 1000, 1)
	if err != nil {
		return nil, err
	}
	query := strings.ToLower(r.call.Query.Get("query"))
	if query == "" {
		return nil, required("query")
	}
	out := []object{}
	for _, m := range g.sortedMembers() {
		if len(out) < limit && (strings.HasPrefix(strings.ToLower(m.user.name), query) || strings.HasPrefix(strings.ToLower(m.nick), query)) {
			out = append(out, m.show())
		}
	}
	return out, nil
}

// member is the member of the path.
func (r *request) member() (*Guild, *member, error) {
	g, err := r.guild()
	if err != nil {
		return nil, nil, err
	}
	m := g.members[r.vars["user_id"]]
	if m == nil {
		if r.s.users[r.vars["user_id"]] == nil {
			return nil, nil, refuse(10013)
		}
		return nil, nil, refuse(10007)
	}
	return g, m, nil
}

func (r *request) getMember() (any, error) {
	_, m, err := r.member()
	if err != nil {
		return nil, err
	}
	return m.show(), nil
}

// patchMember changes what the body names. Everything is checked by what it needs; the first refusal ends it.
func (r *request) patchMember() (any, error) {
	if r.vars["user_id"] == "@me" { // what an app may change of itself has a route of its own
		r.vars["user_id"] = r.me()
	}
	g, m, err := r.member()
	if err != nil {
		return nil, err
	}
	var in struct {
		Nick    *string
		Roles   *[]string
		Mute    *bool
		Deaf    *bool
		Channel *string `json:"channel_id"`
		Timeout *string `json:"communication_disabled_until"`
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	me, target, reason := r.me(), m.user.id, r.call.Reason
	steps := []struct {
		field string
		do    func() error
	}{
		{"nick", func() error { return g.rename(me, target, deref(in.Nick), reason) }},
		{"roles", func() error { return g.setRoles(me, m, deref(in.Roles), reason) }},
		{"mute", func() error { return g.silence(me, target, reason, PermMuteMembers, deref(in.Mute)) }},
		{"deaf", func() error { return g.silence(me, target, reason, PermDeafenMembers, deref(in.Deaf)) }},
		{"channel_id", func() error { return g.move(me, target, deref(in.Channel), reason) }},
		{"communication_disabled_until", func() error {
			var until time.Time
			if in.Timeout != nil {
				t, ok := parseTime(*in.Timeout)
				if !ok {
					return invalid("communication_disabled_until", "DATE_TIME_TYPE_PARSE", "Could not parse "+*in.Timeout+". Should be ISO8601.")
				}
				until = t
			}
			return g.timeOut(me, target, until, reason)
		}},
	}
	for _, s := range steps {
		if !r.has(s.field) {
			continue
		}
		if err := s.do(); err != nil {
			return nil, err
		}
	}
	return m.show(), nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// setRoles replaces a member's roles: each difference counts as given or taken.
func (g *Guild) setRoles(actor string, m *member, want []string, reason string) error {
	if g.guildPerms(actor)&PermManageRoles == 0 {
		return refuse(50013)
	}
	for _, id := range want {
		if g.roles[id] == nil {
			return invalid("roles", "GUILD_ROLE_INVALID", "Role "+id+" is invalid")
		}
		if !slices.Contains(m.roles, id) {
			if err := g.setRole(actor, m.user.id, id, reason, true); err != nil {
				return err
			}
		}
	}
	for _, id := range slices.Clone(m.roles) {
		if !slices.Contains(want, id) {
			if err := g.setRole(actor, m.user.id, id, reason, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *request) deleteMember() (any, error) {
	g, m, err := r.member()
	if err != nil {
		return nil, err
	}
	return nil, g.kick(r.me(), m.user.id, r.call.Reason)
}

func (r *request) putMemberRole() (any, error) {
	g, m, err := r.member()
	if err != nil {
		return nil, err
	}
	return nil, g.setRole(r.me(), m.user.id, r.vars["role_id"], r.call.Reason, true)
}

func (r *request) deleteMemberRole() (any, error) {
	g, m, err := r.member()
	if err != nil {
		return nil, err
	}
	return nil, g.setRole(r.me(), m.user.id, r.vars["role_id"], r.call.Reason, false)
}
