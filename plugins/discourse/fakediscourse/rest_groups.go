package fakediscourse

import (
	"slices"
	"strings"
)

// group finds a group by its ID or name.
func (r *request) group() (*group, error) {
	name := orElse(r.vars["name"], r.vars["id"])
	if g := r.f.groups[num(name)]; g != nil && itoa(g.id) == name {
		return g, nil
	}
	if g := r.f.groupByName(name); g != nil {
		return g, nil
	}
	return nil, refuse("not_found")
}

// listGroups lists groups, 36 to a page; the automatic ones for staff alone.
func (r *request) listGroups() (any, error) {
	var all []*group
	for _, g := range r.f.sortedGroups() {
		if g.name != "everyone" && (!g.automatic || r.user != nil && r.user.staff()) && strings.Contains(g.name, r.str("filter")) {
			all = append(all, g)
		}
	}
	n := int(r.int("page"))
	out := []object{}
	for _, g := range page(all, n*36, 36) {
		out = append(out, r.f.showGroup(g, r.user))
	}
	return object{"groups": out, "extras": object{"type_filters": []string{"my", "owner", "public", "close", "automatic"}}, "total_rows_groups": len(all),
		"load_more_groups": "/groups?page=" + itoa(int64(n+1))}, nil
}

func (r *request) getGroup() (any, error) {
	g, err := r.group()
	if err != nil {
		return nil, err
	}
	o := r.f.showGroup(g, r.user)
	for _, name := range []string{"allow_unknown_sender_topic_replies", "mentionable", "messageable"} {
		o[name] = false
	}
	for _, level := range []string{"muted", "regular", "tracking", "watching", "watching_first_post"} {
		o[level+"_category_ids"] = []int64{}
	}
	o["email_password"], o["message_count"], o["is_group_owner_display"] = nil, 0, r.user != nil && g.owners[r.user.id]
	return object{"group": o, "extras": object{"visible_group_names": []string{g.name}}}, nil
}

func (r *request) createGroup() (any, error) {
	in := r.object("group")
	name := text(in["name"])
	switch {
	case in == nil:
		return nil, missing("group")
	case r.f.groupByName(name) != nil || r.f.userByName(name) != nil:
		return nil, invalid("Name has already been taken")
	case len(name) < 3 || strings.ContainsAny(name, " @/"):
		return nil, invalid("Name must be at least 3 characters")
	}
	g := r.f.addGroup(r.f.nextID("group"), name, false)
	g.fullName, g.bio = text(in["full_name"]), text(in["bio_raw"])
	for _, who := range texts(in["usernames"]) {
		if u := r.f.userByName(who); u != nil {
			g.add(u.id)
		}
	}
	for _, who := range texts(in["owner_usernames"]) {
		if u := r.f.userByName(who); u != nil {
			g.add(u.id)
			g.owners[u.id] = true
		}
	}
	r.f.tell("group_created", r.f.showGroup(g, r.user), &about{group: g.id})
	return object{"basic_group": r.f.showGroup(g, r.user)}, nil
}

func (r *request) deleteGroup() (any, error) {
	g, err := r.group()
	if err != nil {
		return nil, err
	}
	if g.automatic {
		return nil, invalid("You cannot modify an automatic group")
	}
	delete(r.f.groups, g.id)
	r.f.tell("group_destroyed", r.f.showGroup(g, r.user), &about{group: g.id})
	return done()
}

// groupMembers lists a group's members: owners first, then by name. A limit above 1000 is refused.
func (r *request) groupMembers() (any, error) {
	g, err := r.group()
	if err != nil {
		return nil, err
	}
	limit, offset := 50, int(r.int("offset"))
	if r.has("limit") {
		limit = int(r.int("limit"))
	}
	switch {
	case limit < 0 || limit > 1000:
		return nil, badParam("limit")
	case offset < 0:
		return nil, badParam("offset")
	}
	all := r.f.membersOf(g)
	members, owners := []object{}, []object{}
	for _, u := range page(all, offset, limit) {
		members = append(members, r.f.groupMember(u))
	}
	for _, u := range all {
		if g.owners[u.id] {
			owners = append(owners, r.f.groupMember(u))
		}
	}
	return object{"members": members, "owners": owners, "meta": object{"total": len(all), "limit": limit, "offset": offset}}, nil
}

func (f *Forum) groupMember(u *user) object {
	o := f.basicUser(u)
	o["title"], o["last_posted_at"], o["last_seen_at"], o["added_at"], o["timezone"] = nullable(u.title), nil, iso(u.seen), iso(u.created), nil
	return o
}

// people are the accounts that a request names.
func (r *request) people() ([]*user, error) {
	var out []*user
	names := r.list("usernames")
	if len(names) == 0 {
		names = r.list("username")
	}
	for _, name := range names {
		if u := r.f.userByName(name); u != nil {
			out = append(out, u)
		}
	}
	for _, id := range r.list("user_ids") {
		if u := r.f.users[num(id)]; u != nil {
			out = append(out, u)
		}
	}
	if len(out) == 0 {
		return nil, badParam("user_ids or usernames or user_emails must be present")
	}
	return out, nil
}

func (r *request) mayChange(g *group, open bool, who []*user) error {
	switch {
	case g.automatic:
		return refuse("invalid_access")
	case r.user.admin || g.owners[r.user.id]:
		return nil
	case open && len(who) == 1 && who[0].id == r.user.id:
		return nil
	}
	return refuse("invalid_access")
}

func (r *request) addMembers() (any, error) {
	g, err := r.group()
	if err != nil {
		return nil, err
	}
	who, err := r.people()
	if err != nil {
		return nil, err
	}
	if err := r.mayChange(g, g.publicAdmission, who); err != nil {
		return nil, err
	}
	var have []string
	for _, u := range who {
		if g.in[u.id] {
			have = append(have, u.username)
		}
	}
	slices.Sort(have)
	switch len(have) {
	case 0:
	case 1:
		return nil, invalid("'" + have[0] + "' is already a member of this group.")
	default:
		return nil, invalid("The following users are already members of this group: " + strings.Join(have, ", "))
	}
	names := []string{}
	for _, u := range who {
		r.f.join(g, u)
		names = append(names, u.username)
	}
	return object{"success": "OK", "usernames": names, "emails": []string{}}, nil
}

func (r *request) removeMembers() (any, error) {
	g, err := r.group()
	if err != nil {
		return nil, err
	}
	who, err := r.people()
	if err != nil {
		return nil, err
	}
	if err := r.mayChange(g, g.publicExit, who); err != nil {
		return nil, err
	}
	out, skipped := []string{}, []string{}
	for _, u := range who {
		if !g.in[u.id] {
			skipped = append(skipped, u.username)
			continue
		}
		r.f.leave(g, u)
		out = append(out, u.username)
	}
	return object{"success": "OK", "usernames": out, "skipped_usernames": skipped}, nil
}

func (f *Forum) join(g *group, u *user) {
	g.add(u.id)
	f.tell("user_added_to_group", f.groupUser(g, u), &about{group: g.id})
}

func (f *Forum) leave(g *group, u *user) {
	payload := f.groupUser(g, u)
	g.remove(u.id)
	f.tell("user_removed_from_group", payload, &about{group: g.id})
}

// groupUser is a membership as webhooks have it: with IDs alone.
func (f *Forum) groupUser(g *group, u *user) object {
	return object{"id": g.id*100000 + u.id, "group_id": g.id, "user_id": u.id, "notification_level": 3, "owner": g.owners[u.id],
		"created_at": iso(f.now())}
}
