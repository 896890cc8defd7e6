package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	gateway "github.com/metagov/gateway-go"
)

// roles are what a vote may be open to beside accounts and people. Bots are left out: they have no vote to cast.
func roles() []gateway.Feature[*GitHub] {
	return []gateway.Feature[*GitHub]{
		gateway.RoleFunc("team", "Who is in a team, or in one below it: team/SLUG.", (*GitHub).teamRole, gateway.Needs(readMembers)),
		gateway.RoleFunc("organization", "Who is a member of the organisation: organization/all, or organization/admin for its owners.", (*GitHub).orgRole, gateway.Needs(readMembers)),
		gateway.RoleFunc("collaborator", "Who has access to a repository: collaborator/NAME, of the installation's account.", (*GitHub).collaboratorRole, gateway.Needs("metadata:read")),
	}
}

func (g *GitHub) teamRole(ctx context.Context, team, cursor string) ([]string, string, error) {
	org, err := g.org()
	if err != nil {
		return nil, "", err
	}
	if team == "." || team == ".." {
		return nil, "", gateway.Errorf(gateway.NotFound, "there is no such team")
	}
	return g.people(ctx, "/orgs/"+org+"/teams/"+url.PathEscape(team)+"/members", url.Values{}, cursor)
}

func (g *GitHub) orgRole(ctx context.Context, role, cursor string) ([]string, string, error) {
	org, err := g.org()
	if err != nil {
		return nil, "", err
	}
	if role != "all" && role != "admin" && role != "member" {
		return nil, "", gateway.Errorf(gateway.NotFound, "there is no role %q: want all, admin or member", role)
	}
	return g.people(ctx, "/orgs/"+org+"/members", url.Values{"role": {role}}, cursor)
}

func (g *GitHub) collaboratorRole(ctx context.Context, name, cursor string) ([]string, string, error) {
	repo, err := g.repo(ctx, Repo{name})
	if err != nil {
		return nil, "", err
	}
	return g.people(ctx, "/repos/"+repo+"/collaborators", url.Values{}, cursor)
}

// people lists one page of logins.
func (g *GitHub) people(ctx context.Context, path string, q url.Values, cursor string) ([]string, string, error) {
	page := 1
	if cursor != "" {
		var err error
		if page, err = strconv.Atoi(cursor); err != nil || page < 1 {
			return nil, "", gateway.Errorf(gateway.Invalid, "%q is no page", cursor)
		}
	}
	q.Set("per_page", "100")
	q.Set("page", strconv.Itoa(page))
	a, err := g.own().do(ctx, request{method: http.MethodGet, path: path, query: q})
	if err != nil {
		return nil, "", err
	}
	var list []account
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, "", gateway.Errorf(gateway.Unavailable, "github: GET %s: decoding the answer: %w", path, err)
	}
	var out []string
	for _, who := range list {
		if who.Login != "" && who.Type != "Bot" {
			out = append(out, who.Login)
		}
	}
	if a.next() == "" {
		return out, "", nil
	}
	return out, strconv.Itoa(page + 1), nil
}
