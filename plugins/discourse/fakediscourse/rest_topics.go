package fakediscourse

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// topic finds the topic of a path. For whoever may not know of it there is none.
func (r *request) topic() (*topic, error) {
	t := r.f.topics[r.id()]
	switch {
	case t == nil, !t.deletedAt.IsZero() && (r.user == nil || !r.user.staff()):
		return nil, refuse("not_found")
	case !r.f.sees(r.user, t):
		return nil, refuse("invalid_access")
	}
	return t, nil
}

func (r *request) getTopic() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	return r.f.showTopic(t, r.user), nil
}

func (r *request) topicByExternalID() (any, error) {
	for _, t := range r.f.topics {
		if t.externalID != "" && t.externalID == r.vars["external_id"] && r.f.sees(r.user, t) {
			return &reply{status: http.StatusMovedPermanently, to: r.f.base + "/t/" + slug(t.title) + "/" + itoa(t.id) + ".json"}, nil
		}
	}
	return nil, refuse("not_found")
}

// topicPosts are the posts that are asked for by ID, or the first ones.
func (r *request) topicPosts() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	ids := r.list("post_ids")
	if len(ids) == 0 {
		ids = r.list("post_ids[]") // as a body in JSON names it in the documentation
		if n := r.int("post_ids[]"); n > 0 {
			ids = []string{itoa(n)}
		}
	}
	out := []object{}
	for _, p := range r.f.visible(t, r.user) {
		if len(ids) == 0 && len(out) < chunk || slices.Contains(ids, itoa(p.id)) {
			out = append(out, r.f.showPost(p, r.user))
		}
	}
	return object{"post_stream": object{"posts": out}, "id": t.id}, nil
}

// updateTopic takes the fields at the top (app/controllers/topics_controller.rb, checked 2026-11).
func (r *request) updateTopic() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	if !r.user.staff() && r.user.id != t.user {
		return nil, refuse("invalid_access")
	}
	in := maps.Clone(r.in) // a "topic" around the fields, as the description has it, is not looked into
	if v, ok := in["title"]; ok && text(v) == t.title {
		delete(in, "title")
	}
	if v, ok := in["category_id"]; ok && num(text(v)) == t.category {
		delete(in, "category_id")
	}
	if v, ok := in["tags"]; ok && slices.Equal(slices.Sorted(slices.Values(texts(v))), slices.Sorted(slices.Values(t.tags))) {
		delete(in, "tags")
	}
	if v, ok := in["title"]; ok {
		if errs := r.f.titleErrors(text(v), t.pm(), t.id); len(errs) > 0 {
			return nil, invalid(errs...)
		}
	}
	if v, ok := in["category_id"]; ok && r.f.categories[num(text(v))] == nil {
		return nil, refuse("not_found")
	}
	if v, ok := in["tags"]; ok {
		if err := r.f.setTags(t, texts(v)); err != nil {
			return nil, err
		}
	}
	if has(in, "title") || has(in, "category_id") || has(in, "tags") { // otherwise nothing changes, and nobody is told
		r.f.editTopic(t, r.user, in)
	}
	return object{"basic_topic": object{"id": t.id, "title": t.title, "fancy_title": escape(t.title), "slug": slug(t.title), "posts_count": len(t.live())}}, nil
}

func has(in object, name string) bool {
	_, ok := in[name]
	return ok
}

// editTopic changes title and category. An edit of the topic is one of its opening post too, and is told as one of the topic alone
// (config/initializers/012-web_hook_events.rb, checked 2026-11).
func (f *Forum) editTopic(t *topic, by *user, in object) {
	if v, ok := in["title"]; ok {
		t.title = f.cleanTitle(text(v))
	}
	if v, ok := in["category_id"]; ok {
		t.category = num(text(v))
	}
	p := t.firstPost()
	f.count(p, by, false)
	f.tellTopic("topic_edited", t)
}

func (r *request) deleteTopic() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	if !r.user.staff() || !t.deletedAt.IsZero() {
		return nil, refuse("invalid_access")
	}
	r.f.remove(t.firstPost(), r.user)
	r.f.note("delete_topic", r.user, itoa(t.id), "")
	return nothing()
}

func (r *request) recoverTopic() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	if !r.user.staff() || t.deletedAt.IsZero() {
		return nil, refuse("invalid_access")
	}
	r.f.restore(t.firstPost())
	return nothing()
}

func (r *request) topicStatus() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	status, err := r.need("status")
	if err != nil {
		return nil, err
	}
	enabled, err := r.need("enabled")
	if err != nil {
		return nil, err
	}
	if !r.user.staff() && r.user.trust < 4 {
		return nil, refuse("invalid_access")
	}
	if err := r.f.setStatus(t, r.user, status, enabled == "true", parseTime(r.str("until"))); err != nil {
		return nil, err
	}
	return object{"success": "OK", "topic_status_update": nil}, nil
}

// setStatus closes, pins, archives or lists a topic, or takes it back. If that changed something, it leaves a small post about it. Webhooks are
// told in any case.
func (f *Forum) setStatus(t *topic, by *user, status string, on bool, until time.Time) error {
	changed := true
	set := func(to *bool, value bool) { changed, *to = *to != value, value }
	switch status {
	case "closed":
		set(&t.closed, on)
	case "archived":
		set(&t.archived, on)
	case "visible":
		set(&t.invisible, !on)
	case "pinned", "pinned_globally":
		t.pinnedAt, t.pinnedUntil, t.pinnedGlobal = time.Time{}, time.Time{}, on && status == "pinned_globally"
		if on {
			t.pinnedAt, t.pinnedUntil = f.now(), until
		}
	default:
		return badParam("status")
	}
	word := map[bool]string{true: "enabled", false: "disabled"}[on]
	f.note("topic_"+status, by, itoa(t.id), word)
	if changed {
		f.smallAction(t, by, status+"."+word)
	}
	f.tellTopic("topic_"+status+"_status_updated", t)
	return nil
}

// smallAction leaves a post that says what was done to a topic.
func (f *Forum) smallAction(t *topic, by *user, action string) {
	now := f.now()
	t.highest++
	p := &post{id: f.nextID("post"), t: t, number: t.highest, user: by.id, created: now, updated: now, version: 1, typ: 3, action: action,
		flaggedBy: map[int64]int{}}
	t.posts = append(t.posts, p)
	f.posts[p.id] = p
	f.tellPost("post_created", p)
}

func (r *request) inviteToTopic() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	u := r.f.userByName(r.str("user"))
	if u == nil {
		return nil, invalid("Sorry, that user could not be found.")
	}
	if t.pm() && !containsID(t.allowed, u.id) {
		t.allowed = append(t.allowed, u.id)
	}
	return object{"user": r.f.basicUser(u)}, nil
}

func (r *request) inviteGroup() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	g := r.f.groupByName(r.str("group"))
	if g == nil {
		return nil, refuse("not_found")
	}
	t.allowedGroups = append(t.allowedGroups, g.name)
	return object{"group": object{"id": g.id, "name": g.name}}, nil
}

// topicList is a page of topics, 30 to a page.
func (r *request) topicList(want func(*topic) bool) object {
	const perPage = 30
	var all []*topic
	for _, t := range r.f.sortedTopics() {
		if t.deletedAt.IsZero() && !t.invisible && r.f.sees(r.user, t) && want(t) {
			all = append(all, t)
		}
	}
	n := int(r.int("page"))
	topics, users, seen := []object{}, []object{}, map[int64]bool{}
	for _, t := range page(all, n*perPage, perPage) {
		topics = append(topics, r.listed(t))
		if !seen[t.user] {
			seen[t.user] = true
			users = append(users, r.f.basicUser(r.f.user0(t.user)))
		}
	}
	l := object{"can_create_topic": r.user != nil, "draft": nil, "draft_key": "new_topic", "draft_sequence": 0, "for_period": "yearly",
		"per_page": perPage, "top_tags": []string{}, "topics": topics}
	if (n+1)*perPage < len(all) {
		l["more_topics_url"] = strings.TrimSuffix(r.http.URL.Path, ".json") + "?page=" + itoa(int64(n+1))
	}
	return object{"users": users, "primary_groups": []object{}, "topic_list": l}
}

// listed is a topic in a list, with what its reader has read: everything.
func (r *request) listed(t *topic) object {
	o := r.f.bareTopic(t)
	if r.user != nil {
		o["last_read_post_number"], o["unread"], o["new_posts"], o["unread_posts"], o["notification_level"] = t.highest, 0, 0, 0, 1
	}
	if t.pm() {
		people := []object{}
		for _, id := range t.allowed {
			people = append(people, object{"extras": nil, "description": nil, "user_id": id, "primary_group_id": nil})
		}
		o["participants"] = people
	}
	return o
}

func (r *request) latest() (any, error) {
	return r.topicList(func(t *topic) bool { return !t.pm() }), nil
}

func (r *request) privateMessages() (any, error) { return r.messagesOf(false) }

// topicsBy are those that somebody has opened, but for messages.
func (r *request) topicsBy() (any, error) {
	u := r.f.userByName(r.vars["username"])
	if u == nil {
		return nil, refuse("not_found")
	}
	return r.topicList(func(t *topic) bool { return !t.pm() && t.user == u.id }), nil
}

func (r *request) privateMessagesSent() (any, error) { return r.messagesOf(true) }

func (r *request) messagesOf(sent bool) (any, error) {
	u := r.f.userByName(r.vars["username"])
	switch {
	case u == nil:
		return nil, refuse("not_found")
	case u.id != r.user.id && !r.user.admin:
		return nil, refuse("invalid_access")
	}
	return r.topicList(func(t *topic) bool { return t.pm() && containsID(t.allowed, u.id) && (t.user == u.id) == sent }), nil
}

// search finds posts that have every word of a query. Of the filters it knows "@name", "#category", "in:title" and "order:latest".
func (r *request) search() (any, error) {
	q := orElse(r.str("q"), r.str("term"))
	if len([]rune(strings.TrimSpace(q))) < 2 && q != "" {
		return nil, badParam("q")
	}
	posts, topics := []object{}, []object{}
	var found []int64
	seen := map[int64]bool{}
	for _, t := range r.f.sortedTopics() {
		if !t.deletedAt.IsZero() || !r.f.sees(r.user, t) || t.pm() != strings.Contains(q, "in:messages") {
			continue
		}
		for _, p := range t.live() {
			if !r.f.matches(p, q) {
				continue
			}
			found = append(found, p.id)
			if len(posts) < 50 {
				a := r.f.basicUser(r.f.user0(p.user))
				posts = append(posts, object{"id": p.id, "name": a["name"], "username": a["username"], "avatar_template": a["avatar_template"],
					"created_at": iso(p.created), "cooked": p.cooked, "like_count": len(p.likes), "blurb": excerpt(p.cooked), "post_number": p.number, "topic_id": t.id})
			}
			if !seen[t.id] {
				seen[t.id] = true
				topics = append(topics, r.f.bareTopic(t))
			}
		}
	}
	return object{"posts": posts, "topics": topics, "users": []object{}, "categories": []object{}, "tags": []object{}, "groups": []object{},
		"grouped_search_result": object{"more_posts": nil, "more_users": nil, "more_categories": nil, "term": q, "search_log_id": 1,
			"more_full_page_results": nil, "can_create_topic": r.user != nil, "error": nil, "post_ids": list(found), "user_ids": []int64{},
			"category_ids": []int64{}, "tag_ids": []int64{}, "group_ids": []int64{}, "extra": object{}}}, nil
}

func (f *Forum) matches(p *post, q string) bool {
	hay := strings.ToLower(p.t.title + " " + p.raw)
	for _, w := range strings.Fields(strings.ToLower(q)) {
		switch {
		case strings.HasPrefix(w, "@"):
			if u := f.userByName(w[1:]); u == nil || u.id != p.user {
				return false
			}
		case strings.HasPrefix(w, "in:"), strings.HasPrefix(w, "order:"):
		case !strings.Contains(hay, strings.Trim(w, `"`)):
			return false
		}
	}
	return true
}
