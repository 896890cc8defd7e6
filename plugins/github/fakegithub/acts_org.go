package fakegithub

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// What follows is done by people and by the API alike. Callers hold s.mu and have checked that it is allowed.

func (o *Org) tell(name, action string, by *account, permission string, fields object) {
	o.s.emit(event{name: name, action: action, org: o, sender: by, fields: fields, permission: permission})
}

// block blocks somebody who is no member. The permission for the event is that of the organisation's administration
// (https://docs.github.com/en/webhooks/webhook-events-and-payloads#org_block, 2026-11).
func (o *Org) block(by, who *account) {
	o.blocked = append(o.blocked, who)
	o.tell("org_block", "blocked", by, "organization_administration", object{"blocked_user": o.s.userJSON(who)})
}

func (o *Org) unblock(by, who *account) {
	if !slices.Contains(o.blocked, who) {
		return
	}
	o.blocked = slices.DeleteFunc(o.blocked, func(a *account) bool { return a == who })
	o.tell("org_block", "unblocked", by, "organization_administration", object{"blocked_user": o.s.userJSON(who)})
}

func (o *Org) invite(by, who *account, role string) {
	if i := invitationOf(o.invited, who); i != nil {
		i.role = role
		return
	}
	i := &invitation{id: o.s.id(), who: who, by: by, role: role, created: o.s.now()}
	o.invited = append(o.invited, i)
	o.tell("organization", "member_invited", by, "members", object{"invitation": o.s.invitationJSON(o, i), "user": o.s.userJSON(who)})
}

func (o *Org) uninvite(who *account) {
	o.invited = slices.DeleteFunc(o.invited, func(i *invitation) bool { return i.who == who })
	for _, t := range o.teams {
		t.pending = without(t.pending, who)
	}
}

// add makes somebody a member, and of the teams to which they were invited.
func (o *Org) add(by, who *account, role string) {
	if of(o.members, who) != nil {
		return
	}
	o.members = append(o.members, &member{who, role})
	o.tell("organization", "member_added", by, "members", object{"membership": o.s.membershipJSON(o, who, "active", role)})
	for _, t := range o.teams {
		if m := of(t.pending, who); m != nil {
			o.join(by, t, who, m.role)
		}
	}
	o.uninvite(who)
}

// remove takes somebody out of the organisation and its teams.
func (o *Org) remove(by, who *account) {
	m := of(o.members, who)
	if m == nil {
		return
	}
	for _, t := range o.teams {
		if of(t.members, who) != nil {
			o.leave(by, t, who)
		}
	}
	o.members = without(o.members, who)
	o.tell("organization", "member_removed", by, "members", object{"membership": o.s.membershipJSON(o, who, "inactive", "unaffiliated")})
}

var slugless = regexp.MustCompile(`[^a-z0-9]+`)

// team finds a team by its name, or makes it, and says whether it did.
func (o *Org) team(name string) (*team, bool) {
	slug := strings.Trim(slugless.ReplaceAllString(strings.ToLower(name), "-"), "-")
	for _, t := range o.teams {
		if t.slug == slug {
			return t, false
		}
	}
	t := &team{id: o.s.id(), name: name, slug: slug, created: o.s.now()}
	o.teams = append(o.teams, t)
	return t, true
}

func (o *Org) tellTeam(action string, by *account, t *team) {
	o.tell("team", action, by, "members", object{"team": o.s.teamJSON(o, t)})
}

func (o *Org) join(by *account, t *team, who *account, role string) {
	if m := of(t.members, who); m != nil {
		m.role = role
		return
	}
	t.members = append(t.members, &member{who, role})
	o.tell("membership", "added", by, "members", object{"scope": "team", "member": o.s.userJSON(who), "team": o.s.teamJSON(o, t)})
}

func (o *Org) leave(by *account, t *team, who *account) {
	t.members = without(t.members, who)
	o.tell("membership", "removed", by, "members", object{"scope": "team", "member": o.s.userJSON(who), "team": o.s.teamJSON(o, t)})
}

// forget takes somebody out who is not there any more.
func (o *Org) forget(a *account) {
	o.members = without(o.members, a)
	o.blocked = slices.DeleteFunc(o.blocked, func(x *account) bool { return x == a })
	for _, t := range o.teams {
		t.members = without(t.members, a)
	}
	o.uninvite(a)
}

// forget is the same in a repository.
func (r *Repo) forget(a, ghost *account) {
	r.people = without(r.people, a)
	r.invited = slices.DeleteFunc(r.invited, func(i *invitation) bool { return i.who == a })
	nobodys := func(list []*reaction) {
		for _, x := range list {
			if x.user == a {
				x.user = nil
			}
		}
	}
	for _, t := range r.threads {
		if t.user == a {
			t.user = ghost
		}
		nobodys(t.reactions)
		for _, c := range t.comments {
			if c.user == a {
				c.user = ghost
			}
			nobodys(c.reactions)
		}
	}
}

// shuts says why somebody may not write here, though others may: "" where they may.
func (r *Repo) shuts(a *account) string {
	o := r.s.orgOf(r.owner)
	if o != nil && slices.Contains(o.blocked, a) {
		return "User is blocked"
	}
	limits := []*interactionLimit{r.limit}
	if o != nil {
		limits = append(limits, o.limit)
	}
	for _, l := range limits {
		if l != nil && r.s.opt.Now().Before(l.expires) && l.group == "collaborators_only" && !slices.Contains(r.everyone(), a) {
			return "Interactions are limited to collaborators"
		}
	}
	return ""
}

// collaborate gives somebody rights in a repository.
func (r *Repo) collaborate(by, who *account, role string) {
	if m := of(r.people, who); m != nil {
		m.role = role
		return
	}
	r.people = append(r.people, &member{who, role})
	r.invited = slices.DeleteFunc(r.invited, func(i *invitation) bool { return i.who == who })
	r.s.emit(event{name: "member", action: "added", repo: r, sender: by, permission: "members", fields: object{
		"member": r.s.userJSON(who), "changes": object{"permission": object{"to": role}}}})
}

func (r *Repo) uncollaborate(by, who *account) {
	r.invited = slices.DeleteFunc(r.invited, func(i *invitation) bool { return i.who == who })
	if of(r.people, who) == nil {
		return
	}
	r.people = without(r.people, who)
	r.s.emit(event{name: "member", action: "removed", repo: r, sender: by, permission: "members", fields: object{"member": r.s.userJSON(who)}})
}

// newInstallation puts the app on an account.
func (s *Server) newInstallation(on, by *account, permissions map[string]string, selected []*Repo) *installation {
	i := &installation{id: s.id(), account: on, permissions: permissions, events: slices.Clone(allEvents), selected: selected, created: s.now()}
	s.installs = append(s.installs, i)
	repos := []object{}
	for _, r := range s.repos {
		if i.covers(r) {
			repos = append(repos, object{"id": r.id, "node_id": node("Repository", r.id), "name": r.name, "full_name": r.full(), "private": r.private})
		}
	}
	s.emitInstall(i, "installation", "created", by, object{"repositories": repos})
	return i
}

func (s *Server) uninstall(i *installation, by *account) {
	if i.ended {
		return
	}
	i.ended = true
	s.emitInstall(i, "installation", "deleted", by, nil)
}

func (s *Server) suspend(i *installation, by *account, on bool) {
	switch {
	case on && i.suspended.IsZero():
		i.suspended, i.suspendedBy = s.now(), by
		s.emitInstall(i, "installation", "suspend", by, nil)
	case !on && !i.suspended.IsZero():
		i.suspended, i.suspendedBy = time.Time{}, nil
		s.emitInstall(i, "installation", "unsuspend", by, nil)
	}
}
