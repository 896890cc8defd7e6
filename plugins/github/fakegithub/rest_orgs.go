package fakegithub

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

func (r *request) getOrg() (any, error) { return r.s.fullOrgJSON(r.org), nil }

// person finds whom the path names.
func (r *request) person() (*account, error) {
	if a := r.s.account(r.vars["username"]); a != nil && a.kind == "User" {
		return a, nil
	}
	return nil, notFound()
}

func (r *request) getUserByName() (any, error) {
	a := r.s.account(r.vars["username"])
	if a == nil {
		return nil, notFound()
	}
	return r.s.publicUserJSON(a), nil
}

// listMembers shows the members. role narrows it; those who may not see members see the public ones, of which there are none here.
func (r *request) listMembers() (any, error) {
	var list []*account
	role := orElse(r.call.Query.Get("role"), "all")
	for _, m := range r.org.members {
		if r.seesMembers() && (role == "all" || role == m.role) {
			list = append(list, m.who)
		}
	}
	return page(r, list, r.s.userJSON), nil
}

// seesMembers says whether the token may see who is a member.
func (r *request) seesMembers() bool {
	return enough(r.granted(r.org.acc)["members"], "read") && (r.tok.user == nil || of(r.org.members, r.tok.user) != nil)
}

// getMember answers 204 and 404; whoever may not see members is sent on to the public ones.
func (r *request) getMember() (any, error) {
	if !r.seesMembers() {
		e := &apiError{status: http.StatusFound, message: "Found", header: http.Header{}}
		e.header.Set("Location", apiURL+"/orgs/"+r.org.acc.login+"/public_members/"+r.vars["username"])
		return nil, e
	}
	if a := r.s.account(r.vars["username"]); a == nil || of(r.org.members, a) == nil {
		return nil, refuse(http.StatusNotFound, "User does not exist or is not a member of the organization")
	}
	return nil, nil
}

func (r *request) getPublicMember() (any, error) { return nil, notFound() }

func (r *request) deleteMember() (any, error) {
	a, err := r.person()
	if err != nil {
		return nil, err
	}
	m := of(r.org.members, a)
	if m == nil {
		return nil, notFound()
	}
	if m.role == "admin" && r.org.owners() == 1 {
		return nil, refuse(http.StatusForbidden, "You cannot remove the last owner of the organization.")
	}
	r.org.remove(r.actor, a)
	return nil, nil
}

func (o *Org) owners() int {
	n := 0
	for _, m := range o.members {
		if m.role == "admin" {
			n++
		}
	}
	return n
}

func (r *request) getMembership() (any, error) {
	a, err := r.person()
	if err != nil {
		return nil, err
	}
	if m := of(r.org.members, a); m != nil {
		return r.membership(a, "active", m.role), nil
	}
	if i := invitationOf(r.org.invited, a); i != nil {
		return r.membership(a, "pending", i.role), nil
	}
	return nil, notFound()
}

func (r *request) membership(a *account, state, role string) object {
	o := r.s.membershipJSON(r.org, a, state, role)
	o["organization"] = r.s.orgJSON(r.org)
	return o
}

func (r *request) putMembership() (any, error) {
	a, err := r.person()
	if err != nil {
		return nil, err
	}
	var in struct{ Role string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	role := orElse(in.Role, "member")
	if role != "member" && role != "admin" {
		return nil, invalid("OrganizationMembership", "role", "invalid", "")
	}
	if m := of(r.org.members, a); m != nil {
		m.role = role
		return r.membership(a, "active", role), nil
	}
	if slices.Contains(r.org.blocked, a) {
		return nil, invalid("OrganizationInvitation", "user", "unprocessable", "User is blocked")
	}
	r.org.invite(r.actor, a, role)
	return r.membership(a, "pending", role), nil
}

func (r *request) deleteMembership() (any, error) {
	a, err := r.person()
	if err != nil {
		return nil, err
	}
	if i := invitationOf(r.org.invited, a); i != nil {
		r.org.uninvite(a)
		return nil, nil
	}
	return r.deleteMember()
}

func (r *request) listInvitations() (any, error) {
	return page(r, r.org.invited, func(i *invitation) object { return r.s.invitationJSON(r.org, i) }), nil
}

// invitationJSON is an invitation as the API shows it, with the roles of invitations.
func (s *Server) invitationJSON(o *Org, i *invitation) object {
	role := "direct_member"
	if i.role == "admin" {
		role = "admin"
	}
	return object{
		"id": i.id, "node_id": node("OrganizationInvitation", i.id), "login": i.who.login, "email": nil, "role": role, "created_at": stamp(i.created), "failed_at": nil, "failed_reason": nil,
		"inviter": s.userJSON(i.by), "team_count": 0, "invitation_teams_url": apiURL + "/organizations/" + text(o.acc.id) + "/invitations/" + text(i.id) + "/teams",
	}
}

func (r *request) listBlocks() (any, error) { return page(r, r.org.blocked, r.s.userJSON), nil }

func (r *request) getBlock() (any, error) {
	a := r.s.account(r.vars["username"])
	if a == nil || !slices.Contains(r.org.blocked, a) {
		return nil, notFound()
	}
	return nil, nil
}

// putBlock refuses whoever is blocked already, whoever is in the organisation, and the organisation itself.
func (r *request) putBlock() (any, error) {
	a := r.s.account(r.vars["username"])
	switch {
	case a == nil:
		return nil, notFound()
	case slices.Contains(r.org.blocked, a):
		return nil, unprocessable("Validation Failed")
	case a.kind != "User" || of(r.org.members, a) != nil:
		return nil, unprocessable("Validation Failed")
	}
	r.org.block(r.actor, a)
	return nil, nil
}

// deleteBlock is described with no other answer than 204.
func (r *request) deleteBlock() (any, error) {
	a := r.s.account(r.vars["username"])
	if a == nil {
		return nil, notFound()
	}
	r.org.unblock(r.actor, a)
	return nil, nil
}

func (r *request) listTeams() (any, error) {
	return page(r, r.org.teams, func(t *team) object { return r.s.apiTeamJSON(r.org, t) }), nil
}

func (s *Server) apiTeamJSON(o *Org, t *team) object {
	j := s.teamJSON(o, t)
	j["type"], j["organization_id"] = "organization", o.acc.id
	return j
}

func (r *request) team() (*team, error) {
	for _, t := range r.org.teams {
		if strings.EqualFold(t.slug, r.vars["team_slug"]) {
			return t, nil
		}
	}
	return nil, notFound()
}

func (r *request) getTeam() (any, error) {
	t, err := r.team()
	if err != nil {
		return nil, err
	}
	j := r.s.apiTeamJSON(r.org, t)
	j["created_at"], j["updated_at"], j["members_count"], j["repos_count"] = stamp(t.created), stamp(t.created), len(t.members), 0
	j["organization"] = r.s.fullOrgJSON(r.org)
	return j, nil
}

func (r *request) postTeam() (any, error) {
	var in struct{ Name string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, invalid("Team", "name", "missing_field", "")
	}
	t, fresh := r.org.team(in.Name)
	if !fresh {
		return nil, invalid("Team", "name", "already_exists", "Name must be unique for this org")
	}
	r.org.tellTeam("created", r.actor, t)
	r.vars["team_slug"] = t.slug
	return r.getTeam()
}

func (r *request) listTeamMembers() (any, error) {
	t, err := r.team()
	if err != nil {
		return nil, err
	}
	role := orElse(r.call.Query.Get("role"), "all")
	var list []*account
	for _, m := range t.members {
		if role == "all" || role == m.role {
			list = append(list, m.who)
		}
	}
	return page(r, list, r.s.userJSON), nil
}

// teamPerson finds the team and the person of the path.
func (r *request) teamPerson() (*team, *account, error) {
	t, err := r.team()
	if err != nil {
		return nil, nil, err
	}
	a, err := r.person()
	return t, a, err
}

func (r *request) teamMembership(t *team, a *account, state, role string) object {
	return object{"url": apiURL + "/organizations/" + text(r.org.acc.id) + "/team/" + text(t.id) + "/memberships/" + a.login, "role": role, "state": state}
}

func (r *request) getTeamMembership() (any, error) {
	t, a, err := r.teamPerson()
	if err != nil {
		return nil, err
	}
	if m := of(t.members, a); m != nil {
		return r.teamMembership(t, a, "active", m.role), nil
	}
	if m := of(t.pending, a); m != nil {
		return r.teamMembership(t, a, "pending", m.role), nil
	}
	return nil, notFound()
}

// putTeamMembership invites whoever is not in the organisation to it.
func (r *request) putTeamMembership() (any, error) {
	t, a, err := r.teamPerson()
	if err != nil {
		return nil, err
	}
	var in struct{ Role string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	role := orElse(in.Role, "member")
	if role != "member" && role != "maintainer" {
		return nil, invalid("TeamMember", "role", "invalid", "")
	}
	if of(r.org.members, a) != nil {
		r.org.join(r.actor, t, a, role)
		return r.teamMembership(t, a, "active", role), nil
	}
	t.pending = append(without(t.pending, a), &member{a, role})
	r.org.invite(r.actor, a, "member")
	return r.teamMembership(t, a, "pending", role), nil
}

func (r *request) deleteTeamMembership() (any, error) {
	t, a, err := r.teamPerson()
	if err != nil {
		return nil, err
	}
	if of(t.pending, a) != nil {
		t.pending = without(t.pending, a)
		return nil, nil
	}
	if of(t.members, a) == nil {
		return nil, notFound()
	}
	r.org.leave(r.actor, t, a)
	return nil, nil
}

// limits finds what the path names: an organisation's interaction limit or a repository's.
func (r *request) limits() (**interactionLimit, string) {
	if r.org != nil {
		return &r.org.limit, "organization"
	}
	return &r.repo.limit, "repository"
}

func (r *request) getLimit() (any, error) {
	l, origin := r.limits()
	if *l == nil || !r.s.opt.Now().Before((*l).expires) {
		return object{}, nil
	}
	return object{"limit": (*l).group, "origin": origin, "expires_at": stamp((*l).expires)}, nil
}

var expiries = map[string]time.Duration{"one_day": 24 * time.Hour, "three_days": 72 * time.Hour, "one_week": 168 * time.Hour, "one_month": 720 * time.Hour, "six_months": 4320 * time.Hour}

func (r *request) putLimit() (any, error) {
	var in struct{ Limit, Expiry string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	lasts, ok := expiries[orElse(in.Expiry, "one_day")]
	if !ok || !slices.Contains([]string{"existing_users", "contributors_only", "collaborators_only"}, in.Limit) {
		return nil, unprocessable("Validation Failed")
	}
	l, _ := r.limits()
	*l = &interactionLimit{in.Limit, r.s.now().Add(lasts)}
	return r.getLimit()
}

func (r *request) deleteLimit() (any, error) {
	l, _ := r.limits()
	*l = nil
	return nil, nil
}
