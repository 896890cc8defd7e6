package fakeslack

import (
	"slices"
	"strings"
)

func (r *request) apiTest() (object, error) {
	args := object{}
	for k := range r.args {
		args[k] = r.arg(k)
	}
	if e := r.arg("error"); e != "" {
		return nil, &apiError{e, object{"args": args}}
	}
	return object{"args": args}, nil
}

func (r *request) authTest() (object, error) {
	u := r.w.users[r.me()]
	o := object{
		"url": "https://" + r.w.domain + ".slack.com/", "team": r.w.name, "team_id": r.w.id, "user": u.name, "user_id": u.id,
		"is_enterprise_install": r.tok.team == "",
	}
	if r.w.enterprise != "" {
		o["enterprise_id"] = r.w.enterprise
	}
	if r.tok.kind == kindBot {
		o["bot_id"] = r.tok.botID
	}
	return o, nil
}

func (r *request) usersList() (object, error) {
	list, next, err := page(r, r.w.sortedUsers(), 0, 1000, func(u *user) string { return u.id }, ascending)
	if err != nil {
		return nil, err
	}
	out := make([]object, 0, len(list))
	for _, u := range list {
		out = append(out, r.w.userJSON(u, r.email()))
	}
	return object{"members": out, "cache_ts": unix(r.s.opt.Now()), "response_metadata": metadata(next)}, nil
}

func (r *request) usersInfo() (object, error) {
	u := r.w.users[r.arg("user")]
	if u == nil {
		return nil, refuse("user_not_found")
	}
	return object{"user": r.w.userJSON(u, r.email())}, nil
}

func (r *request) usersLookupByEmail() (object, error) {
	for _, u := range r.w.sortedUsers() {
		if u.email != "" && strings.EqualFold(u.email, r.arg("email")) && !u.deleted {
			return object{"user": r.w.userJSON(u, true)}, nil
		}
	}
	return nil, refuse("users_not_found")
}

func (r *request) teamInfo() (object, error) {
	if t := r.arg("team"); t != "" && t != r.w.id {
		return nil, refuse("team_not_found")
	}
	o := object{
		"id": r.w.id, "name": r.w.name, "domain": r.w.domain, "url": "https://" + r.w.domain + ".slack.com/", "email_domain": "",
		"icon": object{"image_default": true}, "avatar_base_url": "https://ca.slack-edge.com/", "is_verified": false,
	}
	if r.w.enterprise != "" {
		o["enterprise_id"], o["enterprise_name"] = r.w.enterprise, r.s.enterprises[r.w.enterprise]
	}
	return object{"team": o}, nil
}

func (r *request) groupJSON(g *userGroup, users bool) object {
	o := object{
		"id": g.id, "team_id": r.w.id, "is_usergroup": true, "is_subteam": true, "name": g.name, "handle": g.handle, "description": "",
		"is_external": false, "date_create": unix(g.updated), "date_update": unix(g.updated), "date_delete": 0, "auto_type": nil,
		"prefs": object{"channels": []string{}, "groups": []string{}}, "user_count": len(g.users), "enterprise_subteam_id": "",
	}
	if users {
		o["users"] = slices.Clone(g.users)
	}
	return o
}

func (r *request) groupsList() (object, error) {
	out := []object{}
	ids := make([]string, 0, len(r.w.groups))
	for id := range r.w.groups {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if g := r.w.groups[id]; !g.disabled || r.flag("include_disabled") {
			out = append(out, r.groupJSON(g, r.flag("include_users")))
		}
	}
	return object{"usergroups": out}, nil
}

func (r *request) groupUsersList() (object, error) {
	g := r.w.groups[r.arg("usergroup")]
	if g == nil {
		return nil, refuse("no_such_subteam")
	}
	return object{"users": append([]string{}, g.users...)}, nil
}

func (r *request) groupUsersUpdate() (object, error) {
	g := r.w.groups[r.arg("usergroup")]
	if g == nil {
		return nil, refuse("no_such_subteam")
	}
	users := splitList(r.arg("users"))
	if len(users) == 0 {
		return nil, refuse("no_users_provided")
	}
	for _, id := range users {
		if u := r.w.users[id]; u == nil || u.deleted {
			return nil, refuse("invalid_users")
		}
	}
	added, removed := minus(users, g.users), minus(g.users, users)
	before := g.updated
	g.users, g.updated = union(nil, users), r.s.opt.Now()
	r.w.emit(object{
		"type": "subteam_members_changed", "subteam_id": g.id, "team_id": r.w.id, "date_previous_update": unix(before),
		"date_update": unix(g.updated), "added_users": added, "added_users_count": len(added),
		"removed_users": removed, "removed_users_count": len(removed),
	}, "usergroups:read", nil)
	return object{"usergroup": r.groupJSON(g, true)}, nil
}

func minus(a, b []string) []string {
	out := []string{}
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
