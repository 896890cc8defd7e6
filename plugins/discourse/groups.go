package discourse

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	gateway "github.com/metagov/gateway-go"
)

// Membership is the input of add-to-group and remove-from-group.
type Membership struct {
	Person
	Group string `json:"group" choices:"groups" jsonschema:"minLength=1,maxLength=100,pattern=^[^/?#]+$" jsonschema_description:"The group's name."`
}

// group is a group as the API has it.
type group struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	FullName string `json:"full_name"`
}

// group asks for one by its name. The routes that change its members take only its ID, which the scope for them does not let a key ask for.
func (c client) group(ctx context.Context, name string) (group, error) {
	if name == "." || name == ".." {
		return group{}, gateway.Errorf(gateway.Invalid, "%q is no group's name", name)
	}
	var said struct {
		Group group `json:"group"`
	}
	err := c.needs(global).do(ctx, http.MethodGet, "/groups/"+url.PathEscape(name)+".json", nil, nil, &said)
	if err == nil && said.Group.Name == "" {
		err = gateway.Errorf(gateway.Unavailable, "discourse: GET /groups/{name}.json: the answer names no group")
	}
	return said.Group, err
}

func (d *Discourse) addToGroup(ctx context.Context, in Membership) (Done, error) {
	return d.member(ctx, in, http.MethodPut, "user_added_to_group", true)
}

func (d *Discourse) removeFromGroup(ctx context.Context, in Membership) (Done, error) {
	return d.member(ctx, in, http.MethodDelete, "user_removed_from_group", false)
}

// member puts somebody into a group or takes them out.
func (d *Discourse) member(ctx context.Context, in Membership, method, event string, is bool) (Done, error) {
	u, err := d.who(ctx, in.Person)
	if err != nil {
		return Done{}, err
	}
	g, err := d.client().group(ctx, in.Group)
	if err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		method: method, path: "/groups/" + strconv.FormatInt(g.ID, 10) + "/members.json", scope: global,
		body: map[string]any{"usernames": u.Username}, echoes: []string{toldGroup(event, g.ID, u.ID)},
		first: true, already: func() (bool, error) {
			in, err := d.client().inGroup(ctx, u.Username, g.ID)
			return in == is, err
		},
	})
}

// inGroup asks whether an account is in a group.
func (c client) inGroup(ctx context.Context, username string, id int64) (bool, error) {
	var said struct {
		User struct {
			Groups []group `json:"groups"`
		} `json:"user"`
	}
	if err := c.needs("users:show").do(ctx, http.MethodGet, "/u/"+url.PathEscape(username)+".json", nil, nil, &said); err != nil {
		return false, err
	}
	for _, g := range said.User.Groups {
		if g.ID == id {
			return true, nil
		}
	}
	return false, nil
}

// roles are what a vote may be open to beside accounts and people. The staff and the levels of trust are groups too: admins, moderators, staff,
// trust_level_0 to trust_level_4.
func roles() []gateway.Feature[*Discourse] {
	return []gateway.Feature[*Discourse]{
		gateway.RoleFunc("group", "Who is in a group: group/NAME, such as group/staff or group/trust_level_2.", (*Discourse).groupRole, gateway.Needs(scopeGroups)),
	}
}

// membersAtOnce is the most that a page of members may have (groups#members of Discourse, checked 2026-11).
const membersAtOnce = 1000

// groupRole lists a page of a group's members. The cursor is how many were listed. The forum's own accounts are left out: they have no vote to cast.
func (d *Discourse) groupRole(ctx context.Context, name, cursor string) ([]string, string, error) {
	offset := 0
	if cursor != "" {
		var err error
		if offset, err = strconv.Atoi(cursor); err != nil || offset < 1 {
			return nil, "", gateway.Errorf(gateway.Invalid, "%q is no page", cursor)
		}
	}
	if name == "." || name == ".." {
		return nil, "", gateway.Errorf(gateway.NotFound, "there is no such group")
	}
	var page struct {
		Members []person `json:"members"`
		Meta    struct {
			Total int `json:"total"`
		} `json:"meta"`
	}
	q := url.Values{"limit": {strconv.Itoa(membersAtOnce)}, "offset": {strconv.Itoa(offset)}}
	if err := d.client().needs(scopeGroups).do(ctx, http.MethodGet, "/groups/"+url.PathEscape(name)+"/members.json", q, nil, &page); err != nil {
		return nil, "", err
	}
	var out []string
	for _, m := range page.Members {
		if m.ID > 0 {
			out = append(out, idOf(m.ID))
		}
	}
	next := offset + len(page.Members)
	if len(page.Members) == 0 || next >= page.Meta.Total {
		return out, "", nil
	}
	return out, strconv.Itoa(next), nil
}
