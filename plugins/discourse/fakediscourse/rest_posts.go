package fakediscourse

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func (r *request) createPost() (any, error) {
	d := draft{by: r.user, raw: r.str("raw"), title: r.str("title"), tags: r.list("tags"), replyTo: int(r.int("reply_to_post_number")),
		category: r.int("category"), pm: r.str("archetype") == "private_message"}
	if r.call.Key != "user" { // of a user API key it is passed over (is_api? in app/controllers/posts_controller.rb, checked 2026-11)
		d.externalID = r.str("external_id")
	}
	if !r.has("raw") {
		return nil, missing("raw")
	}
	if id := r.str("topic_id"); id != "" {
		d.topic = r.f.topics[num(id)]
		if d.topic == nil || !r.f.sees(r.user, d.topic) {
			return nil, refuse("not_found")
		}
	} else {
		d.users = append(r.list("target_recipients"), r.list("target_usernames")...)
		d.groups = r.list("target_group_names")
		// Recipients alone do not make a message: the archetype does.
		if !d.pm {
			d.users, d.groups = nil, nil
		}
	}
	p, err := r.f.post(d)
	var waits *waiting
	if errors.As(err, &waits) {
		return object{"success": true, "action": "enqueued", "pending_count": r.f.waiting(r.user), "pending_post": object{"id": waits.id, "raw": cleanRaw(d.raw),
			"title": d.title, "topic_id": nil, "created_at": iso(r.f.now()), "category_id": d.category}}, nil
	}
	if err != nil {
		return nil, err
	}
	o := r.f.showPost(p, r.user)
	o["draft_sequence"] = 0
	return o, nil
}

// post finds the post of a path. Whoever is not staff sees no deleted one.
func (r *request) post() (*post, error) {
	p := r.f.posts[r.id()]
	if p == nil || !p.deletedAt.IsZero() && (r.user == nil || !r.user.staff()) {
		return nil, refuse("not_found")
	}
	if !r.f.sees(r.user, p.t) {
		return nil, refuse("invalid_access")
	}
	return p, nil
}

func (r *request) getPost() (any, error) {
	p, err := r.post()
	if err != nil {
		return nil, err
	}
	return r.f.showPost(p, r.user), nil
}

// postByNumber is a post by its place in its topic.
func (r *request) postByNumber() (any, error) {
	t, err := r.topic()
	if err != nil {
		return nil, err
	}
	for _, p := range r.f.visible(t, r.user) {
		if itoa(int64(p.number)) == r.vars["number"] {
			return r.f.showPost(p, r.user), nil
		}
	}
	return nil, refuse("not_found")
}

func (r *request) latestPosts() (any, error) {
	before := r.int("before")
	var all []*post
	for _, p := range r.f.posts {
		if p.deletedAt.IsZero() && !p.t.pm() && r.f.sees(r.user, p.t) && (before == 0 || p.id <= before) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *post) int { return cmp.Compare(b.id, a.id) })
	out := []object{}
	for _, p := range page(all, 0, 50) {
		o := r.f.showPost(p, r.user)
		o["excerpt"], o["truncated"] = excerpt(p.cooked), false
		out = append(out, o)
	}
	return object{"latest_posts": out}, nil
}

func (r *request) updatePost() (any, error) {
	p, err := r.post()
	if err != nil {
		return nil, err
	}
	in := r.object("post")
	if in == nil {
		return nil, missing("post")
	}
	if !r.f.mayEdit(r.user, p) {
		return nil, refuse("invalid_access")
	}
	if err := r.f.revise(p, r.user, text(in["raw"]), text(in["edit_reason"])); err != nil {
		return nil, err
	}
	o := r.f.showPost(p, r.user)
	o["draft_sequence"] = 0
	return object{"post": o}, nil
}

func (f *Forum) mayEdit(u *user, p *post) bool {
	return u.staff() || u.id == p.user && p.lockedBy == 0 && p.deletedAt.IsZero() && !p.t.archived && !u.silenced(f.now())
}

// deletePost deletes a post. The opening post goes only with its topic. With force_destroy a deleted post goes for good, where the forum
// allows that; the fake's does not.
func (r *request) deletePost() (any, error) {
	p, err := r.post()
	if err != nil {
		return nil, err
	}
	u := r.user
	switch {
	case r.bool("force_destroy"), p.number == 1, !p.deletedAt.IsZero(), p.userDeleted && !u.staff(), !u.staff() && u.id != p.user:
		return nil, refuse("invalid_access")
	}
	r.f.remove(p, u)
	return nothing()
}

func (r *request) recoverPost() (any, error) {
	p, err := r.post()
	if err != nil {
		return nil, err
	}
	u := r.user
	if u.staff() && p.deletedAt.IsZero() && !p.userDeleted || !u.staff() && !(u.id == p.user && p.userDeleted) {
		return nil, refuse("invalid_access")
	}
	r.f.restore(p)
	return nothing()
}

func (r *request) lockPost() (any, error) {
	p, err := r.post()
	if err != nil {
		return nil, err
	}
	if !r.user.staff() {
		return nil, refuse("invalid_access")
	}
	p.lockedBy = 0
	action := "post_unlocked"
	if r.str("locked") == "true" {
		p.lockedBy, action = r.user.id, "post_locked"
	}
	r.f.note(action, r.user, itoa(p.id), "")
	return object{"locked": p.lockedBy != 0}, nil
}

func (r *request) replies() (any, error) {
	p, err := r.post()
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, q := range p.t.live() {
		if q.replyTo == p.number {
			out = append(out, r.f.showPost(q, r.user))
		}
	}
	return out, nil
}

// createPostAction likes or flags a post.
func (r *request) createPostAction() (any, error) {
	p := r.f.posts[r.int("id")]
	if p == nil {
		return nil, refuse("not_found")
	}
	kind := int(r.int("post_action_type_id"))
	var err error
	switch {
	case !r.f.sees(r.user, p.t) || !p.deletedAt.IsZero():
		err = refuse("invalid_access")
	case kind == 2:
		err = r.f.like(p, r.user)
	default:
		err = r.f.flag(p, r.user, kind, r.str("message"))
	}
	if err != nil {
		return nil, err
	}
	return r.f.showPost(p, r.user), nil
}

func (r *request) deletePostAction() (any, error) {
	p := r.f.posts[r.id()]
	if p == nil {
		return nil, refuse("not_found")
	}
	if r.int("post_action_type_id") != 2 || !containsID(p.likes, r.user.id) {
		return nil, refuse("not_found")
	}
	p.likes = slices.DeleteFunc(p.likes, func(id int64) bool { return id == r.user.id })
	return r.f.showPost(p, r.user), nil
}

// postActionUsers lists who liked a post, 200 to a page.
func (r *request) postActionUsers() (any, error) {
	p := r.f.posts[r.int("id")]
	if p == nil || !r.f.sees(r.user, p.t) {
		return nil, refuse("not_found")
	}
	limit := 200
	if n := int(r.int("limit")); n > 0 {
		limit = min(n, 200)
	}
	out := []object{}
	for _, id := range page(p.likes, int(r.int("page"))*limit, limit) {
		o := r.f.basicUser(r.f.user0(id))
		o["post_url"] = nil
		out = append(out, o)
	}
	return object{"post_action_users": out, "total_rows_post_action_users": len(p.likes)}, nil
}

// like likes a post once, and not one's own.
func (f *Forum) like(p *post, u *user) error {
	if u.id == p.user || containsID(p.likes, u.id) || p.t.archived {
		return refuse("invalid_access")
	}
	p.likes = append(p.likes, u.id)
	f.tell("post_liked", object{"post": f.postPayload(p), "user": f.basicUser(u)}, &about{category: p.t.category, tags: p.t.tags})
	if f.settings.Notifications {
		f.notification(f.user0(p.user), notifyLiked, p, u)
	}
	return nil
}

// flagNames are the kinds of flags.
var flagNames = map[int]string{3: "off_topic", 4: "inappropriate", 6: "notify_user", 7: "notify_moderators", 8: "spam", 10: "illegal"}

// flag flags a post once; all flags of one post are one thing to review.
func (f *Forum) flag(p *post, u *user, kind int, message string) error {
	if flagNames[kind] == "" {
		return badParam("post_action_type_id")
	}
	if _, flagged := p.flaggedBy[u.id]; flagged || u.silenced(f.now()) || u.trust < 1 && !u.staff() {
		return refuse("invalid_access")
	}
	if (kind == 6 || kind == 7) && strings.TrimSpace(message) == "" {
		return &apiError{status: http.StatusUnprocessableEntity, errors: []string{"Message can't be blank"}}
	}
	p.flaggedBy[u.id] = kind
	for _, v := range f.reviewed {
		if v.p == p && v.status == 0 {
			v.score++
			f.tell("reviewable_score_updated", f.showReviewable(v), nil)
			return nil
		}
	}
	v := &reviewable{id: f.nextID("reviewable"), p: p, by: u.id, flag: kind, created: f.now(), score: 1, message: message}
	f.reviewed[v.id] = v
	f.tell("reviewable_created", f.showReviewable(v), nil)
	return nil
}

// showReviewable is something to be reviewed, as webhooks and lists have it: Discourse names its people, scores and target by their IDs
// (app/serializers/reviewable_serializer.rb and lib/freedom_patches/ams_include_without_root.rb, checked 2026-11).
func (f *Forum) showReviewable(v *reviewable) object {
	o := object{"id": v.id, "type_source": "core", "status": v.status, "created_at": iso(v.created), "score": v.score, "version": 0,
		"created_by_id": v.by, "can_edit": v.queued != nil, "editable_fields": []object{}, "bundled_action_ids": []string{}, "reviewable_score_ids": []int64{v.id}}
	if d := v.queued; d != nil {
		o["type"], o["created_from_flag"] = "ReviewableQueuedPost", false
		o["category_id"], o["target_created_by_id"] = d.category, d.by.id
		o["payload"] = object{"raw": cleanRaw(d.raw), "title": d.title, "tags": list(d.tags)}
		return o
	}
	p := v.p
	at := "/t/" + slug(p.t.title) + "/" + itoa(p.t.id)
	maps.Copy(o, object{"type": "ReviewableFlaggedPost", "topic_id": p.t.id, "topic_url": f.base + at, "target_url": at + "/" + itoa(int64(p.number)),
		"topic_tags": list(p.t.tags), "category_id": p.t.category, "created_from_flag": true, "post_id": p.id,
		"target_created_by_id": p.user, "target_created_by_trust_level": f.user0(p.user).trust, "raw": p.raw, "cooked": p.cooked, "reply_count": 0})
	return o
}
