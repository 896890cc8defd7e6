package github

import (
	"context"
	"net/http"
	"net/url"

	gateway "github.com/metagov/gateway-go"
)

// Person names somebody.
type Person struct {
	Username string `json:"username" jsonschema:"minLength=1,maxLength=100,pattern=^[A-Za-z0-9_-]+$" jsonschema_description:"Their login."`
}

// SetMember is the input of set-member.
type SetMember struct {
	Person
	Role string `json:"role,omitempty" jsonschema:"enum=member,enum=admin,default=member" jsonschema_description:"What they are to be in the organisation."`
}

// Membership is what somebody is now.
type Membership struct {
	State string `json:"state" jsonschema_description:"active, or pending: they are invited."`
	Role  string `json:"role,omitempty" jsonschema_description:"Their role."`
}

func (g *GitHub) setMember(ctx context.Context, in SetMember) (out Membership, err error) {
	org, err := g.org()
	if err != nil {
		return out, err
	}
	_, err = g.perform(ctx, act{
		request: request{method: http.MethodPut, path: "/orgs/" + org + "/memberships/" + in.Username, body: map[string]any{"role": first(in.Role, "member")}},
		echoes:  []string{ref("organization", "member_invited", org, in.Username)},
		is:      func(string) (bool, error) { return g.is(ctx, "/orgs/"+org+"/memberships/"+in.Username) },
	}, &out)
	return out, err
}

func (g *GitHub) removeMember(ctx context.Context, in Person) (Done, error) {
	org, err := g.org()
	if err != nil {
		return Done{}, err
	}
	out, err := g.done(ctx, act{
		request: request{method: http.MethodDelete, path: "/orgs/" + org + "/members/" + in.Username},
		echoes:  removals(org, in.Username), same: []int{http.StatusNotFound},
	})
	if err != nil || !out.Already {
		return out, err
	}
	return g.uninvite(ctx, "/orgs/"+org+"/memberships/"+in.Username)
}

// uninvite takes an invitation back: whoever has one is no member, and would become one without being asked again
// (https://docs.github.com/en/rest/orgs/members#remove-organization-membership-for-a-user, 2026-11).
func (g *GitHub) uninvite(ctx context.Context, path string) (Done, error) {
	err := g.client(ctx).json(ctx, request{method: http.MethodDelete, path: path}, nil)
	if refusedWith(err, http.StatusNotFound) {
		return Done{Already: true}, nil
	}
	return Done{}, err
}

// removals are what GitHub tells of somebody who is taken out: they leave each of their teams with it.
func removals(org, login string) []string {
	return []string{ref("organization", "member_removed", org, login), ref("membership", "removed", org, login)}
}

// IsMember is the answer of is-member.
type IsMember struct {
	Member bool `json:"member" jsonschema_description:"Whether they are one."`
}

// isMember asks for the membership as the app sees it.
func (g *GitHub) isMember(ctx context.Context, in Person) (IsMember, error) {
	org, err := g.org()
	if err != nil {
		return IsMember{}, err
	}
	member, err := g.is(ctx, "/orgs/"+org+"/members/"+in.Username)
	return IsMember{member}, err
}

// SetCollaborator is the input of set-collaborator.
type SetCollaborator struct {
	Repo
	Person
	Permission string `json:"permission,omitempty" jsonschema:"enum=pull,enum=triage,enum=push,enum=maintain,enum=admin,default=push" jsonschema_description:"What they may do. A person's own repositories have no such choice."`
}

func (g *GitHub) setCollaborator(ctx context.Context, in SetCollaborator) (Done, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Done{}, err
	}
	var body any
	if g.config.AccountType == "Organization" {
		body = map[string]any{"permission": first(in.Permission, "push")}
	}
	return g.done(ctx, act{
		request: request{method: http.MethodPut, path: "/repos/" + repo + "/collaborators/" + in.Username, body: body},
		echoes:  []string{ref("member", "added", repo, in.Username)},
	})
}

// Collaborator is the input of remove-collaborator.
type Collaborator struct {
	Repo
	Person
}

func (g *GitHub) removeCollaborator(ctx context.Context, in Collaborator) (Done, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Done{}, err
	}
	path := "/repos/" + repo + "/collaborators/" + in.Username
	return g.done(ctx, act{
		request: request{method: http.MethodDelete, path: path},
		echoes:  []string{ref("member", "removed", repo, in.Username)},
		is: func(string) (bool, error) {
			there, err := g.is(ctx, path)
			return !there, err
		},
	})
}

// Team names a team.
type Team struct {
	Slug string `json:"team_slug" jsonschema:"minLength=1,maxLength=255" jsonschema_description:"The team's slug, as in its address."`
}

// SetTeamMember is the input of set-team-member.
type SetTeamMember struct {
	Team
	Person
	Role string `json:"role,omitempty" jsonschema:"enum=member,enum=maintainer,default=member" jsonschema_description:"What they are to be in the team."`
}

func (g *GitHub) setTeamMember(ctx context.Context, in SetTeamMember) (out Membership, err error) {
	path, org, err := g.teamMember(in.Team, in.Person)
	if err != nil {
		return out, err
	}
	_, err = g.perform(ctx, act{
		request: request{method: http.MethodPut, path: path, body: map[string]any{"role": first(in.Role, "member")}},
		echoes:  []string{ref("membership", "added", org, in.Slug, in.Username)},
		is:      func(string) (bool, error) { return g.is(ctx, path) },
	}, &out)
	return out, err
}

// TeamMember is the input of remove-team-member.
type TeamMember struct {
	Team
	Person
}

func (g *GitHub) removeTeamMember(ctx context.Context, in TeamMember) (Done, error) {
	path, org, err := g.teamMember(in.Team, in.Person)
	if err != nil {
		return Done{}, err
	}
	return g.done(ctx, act{
		request: request{method: http.MethodDelete, path: path},
		echoes:  []string{ref("membership", "removed", org, in.Slug, in.Username)}, same: []int{http.StatusNotFound},
	})
}

func (g *GitHub) teamMember(t Team, p Person) (path, org string, err error) {
	if org, err = g.org(); err != nil {
		return "", "", err
	}
	if t.Slug == "." || t.Slug == ".." {
		return "", "", gateway.Errorf(gateway.Invalid, "%q is no team's slug", t.Slug)
	}
	return "/orgs/" + org + "/teams/" + url.PathEscape(t.Slug) + "/memberships/" + p.Username, org, nil
}

// block blocks somebody. GitHub refuses with 422 whoever cannot be blocked, and whoever is already; it is asked which it was.
func (g *GitHub) block(ctx context.Context, in Person) (Done, error) {
	org, err := g.org()
	if err != nil {
		return Done{}, err
	}
	path := "/orgs/" + org + "/blocks/" + in.Username
	return g.done(ctx, act{
		request: request{method: http.MethodPut, path: path}, echoes: blocked(org, in.Username),
		already: func() (bool, error) { return g.is(ctx, path) },
	})
}

func (g *GitHub) unblock(ctx context.Context, in Person) (Done, error) {
	org, err := g.org()
	if err != nil {
		return Done{}, err
	}
	return g.done(ctx, act{
		request: request{method: http.MethodDelete, path: "/orgs/" + org + "/blocks/" + in.Username},
		echoes:  unblocked(org, in.Username), gone: []int{http.StatusNotFound},
	})
}

// is asks for something that is there or not: a block, a member. Whoever may not see members is sent on with 302 to the public ones, which do not
// answer it (https://docs.github.com/en/rest/orgs/members#check-organization-membership-for-a-user, 2026-11).
func (g *GitHub) is(ctx context.Context, path string) (bool, error) {
	err := g.client(ctx).json(ctx, request{method: http.MethodGet, path: path, direct: true}, nil)
	switch {
	case refusedWith(err, http.StatusNotFound):
		return false, nil
	case refusedWith(err, http.StatusFound):
		return false, gateway.Errorf(gateway.Denied, "github: members cannot be seen: it needs the permission %s", readMembers)
	}
	return err == nil, err
}

// find looks whether something about a person is as an act of ours would have made it; then the delivery of that is ours.
func (g *GitHub) find(ctx context.Context, what string, in Person, want bool, echoes func(org, login string) []string) (Done, gateway.Found, error) {
	org, err := g.org()
	if err != nil {
		return Done{}, gateway.CannotTell, err
	}
	there, err := g.is(ctx, "/orgs/"+org+"/"+what+"/"+in.Username)
	if err != nil || there != want {
		return Done{}, missing(err), err
	}
	gateway.CallOf(ctx).Caused(g.echoesAs(ctx, echoes(org, in.Username))...)
	return Done{}, gateway.Happened, nil
}

func blocked(org, login string) []string { return []string{ref("org_block", "blocked", org, login)} }

func unblocked(org, login string) []string {
	return []string{ref("org_block", "unblocked", org, login)}
}

func (g *GitHub) findBlocked(ctx context.Context, in Person) (Done, gateway.Found, error) {
	return g.find(ctx, "blocks", in, true, blocked)
}

func (g *GitHub) findUnblocked(ctx context.Context, in Person) (Done, gateway.Found, error) {
	return g.find(ctx, "blocks", in, false, unblocked)
}

func (g *GitHub) findRemoved(ctx context.Context, in Person) (Done, gateway.Found, error) {
	return g.find(ctx, "members", in, false, removals)
}
