package fakediscourse

import (
	"maps"
	"strings"
)

// basicUser is an account in short.
func (f *Forum) basicUser(u *user) object {
	return object{"id": u.id, "username": u.username, "name": nullable(u.name), "avatar_template": "/letter_avatar_proxy/v4/letter/" +
		strings.ToLower(u.username[:1]) + "/a9a28c/{size}.png"}
}

// user0 is the account of an ID; there always is one.
func (f *Forum) user0(id int64) *user {
	if u := f.users[id]; u != nil {
		return u
	}
	return f.users[systemID]
}

// showPost is a post as somebody sees it; the user is nil for nobody in particular.
func (f *Forum) showPost(p *post, u *user) object {
	own, isStaff := u != nil && u.id == p.user, u != nil && u.staff()
	o := f.barePost(p)
	maps.Copy(o, object{
		"yours": own, "can_edit": isStaff || own && p.lockedBy == 0, "can_delete": (isStaff || own) && p.number > 1,
		"can_recover": isStaff && !p.deletedAt.IsZero(), "can_see_hidden_post": isStaff, "can_wiki": isStaff,
		"actions_summary": f.actions(p, u), "can_view_edit_history": true, "bookmarked": false, "read": true,
		"flair_name": nil, "flair_url": nil, "flair_bg_color": nil, "flair_color": nil, "mentioned_users": []object{},
		"badges_granted": []object{}, "link_counts": []object{}, "can_accept_answer": false, "can_unaccept_answer": false,
		"primary_group_flair_url": nil, "primary_group_flair_bg_color": nil, "primary_group_flair_color": nil,
	})
	if len(p.polls) > 0 && !f.settings.PollsOff {
		o["polls"] = f.showPolls(p, u)
		if votes := f.votesOf(p, u); votes != nil {
			o["polls_votes"] = votes
		}
	}
	return o
}

// barePost is what everybody and every webhook sees of a post.
func (f *Forum) barePost(p *post) object {
	a, t := f.user0(p.user), p.t
	o := object{
		"id": p.id, "name": a.name, "username": a.username, "avatar_template": f.basicUser(a)["avatar_template"],
		"created_at": iso(p.created), "cooked": p.cooked, "post_number": p.number, "post_type": p.typ, "posts_count": len(t.live()),
		"updated_at": iso(p.updated), "reply_count": f.replyCount(p), "reply_to_post_number": nil, "quote_count": 0, "avg_time": nil,
		"incoming_link_count": 0, "reads": 1, "readers_count": 0, "score": 0.2, "topic_id": t.id, "topic_slug": slug(t.title),
		"topic_title": t.title, "topic_html_title": escape(t.title), "category_id": nil, "display_username": a.name,
		"primary_group_name": nil, "flair_group_id": nil, "version": p.version, "user_title": nullable(a.title), "raw": p.raw,
		"moderator": a.moderator, "admin": a.admin, "staff": a.staff(), "user_id": a.id, "hidden": p.hidden, "hidden_reason_id": nil,
		"trust_level": a.trust, "deleted_at": iso(p.deletedAt), "user_deleted": p.userDeleted, "edit_reason": nullable(p.editReason),
		"wiki": false, "reviewable_id": nil, "reviewable_score_count": len(p.flaggedBy), "reviewable_score_pending_count": len(p.flaggedBy),
		"post_url": "/t/" + slug(t.title) + "/" + itoa(t.id) + "/" + itoa(int64(p.number)),
	}
	if p.replyTo > 0 {
		o["reply_to_post_number"] = p.replyTo
	}
	if t.category != 0 {
		o["category_id"] = t.category
	}
	if p.lockedBy != 0 {
		o["locked"] = true
	}
	if p.action != "" {
		o["action_code"] = p.action
	}
	if p.deletedBy != 0 {
		o["deleted_by"] = f.basicUser(f.user0(p.deletedBy))
	}
	return o
}

func (f *Forum) replyCount(p *post) int {
	n := 0
	for _, q := range p.t.posts {
		if q.replyTo == p.number && q.deletedAt.IsZero() {
			n++
		}
	}
	return n
}

// actions are likes and what can be flagged.
func (f *Forum) actions(p *post, u *user) []object {
	out := []object{}
	like := object{"id": 2, "can_act": false}
	if len(p.likes) > 0 {
		like["count"] = len(p.likes)
	}
	if u != nil && containsID(p.likes, u.id) {
		like["acted"] = true
		like["can_undo"] = true
	} else if u != nil && u.id != p.user {
		like["can_act"] = true
	}
	if u != nil || len(p.likes) > 0 {
		out = append(out, like)
	}
	if u != nil {
		for _, id := range []int{3, 4, 8, 6, 7} {
			out = append(out, object{"id": id, "can_act": true})
		}
	}
	return out
}

// bareTopic is what lists show of a topic.
func (f *Forum) bareTopic(t *topic) object {
	last := t.posts[len(t.posts)-1]
	if live := t.live(); len(live) > 0 {
		last = live[len(live)-1]
	}
	likes := 0
	for _, p := range t.posts {
		likes += len(p.likes)
	}
	o := object{
		"id": t.id, "title": t.title, "fancy_title": escape(t.title), "slug": slug(t.title), "posts_count": len(t.live()),
		"reply_count": 0, "highest_post_number": t.highest, "image_url": nil, "created_at": iso(t.created), "last_posted_at": iso(last.created),
		"bumped": true, "bumped_at": iso(t.bumped), "archetype": t.archetype, "unseen": false, "pinned": !t.pinnedAt.IsZero(), "unpinned": nil,
		"excerpt": excerpt(t.firstPost().cooked), "visible": !t.invisible, "closed": t.closed, "archived": t.archived, "bookmarked": nil,
		"liked": nil, "tags": list(t.tags), "tags_descriptions": object{}, "views": 1, "like_count": likes, "has_summary": false, "last_poster_username": f.user0(last.user).username,
		"category_id": nil, "op_like_count": len(t.firstPost().likes), "pinned_globally": t.pinnedGlobal, "featured_link": nil,
		"posters": []object{{"extras": "latest single", "description": "Original Poster, Most Recent Poster", "user_id": t.user, "primary_group_id": nil}},
	}
	if t.category != 0 {
		o["category_id"] = t.category
	}
	return o
}

func excerpt(cooked string) string {
	plain := tagPattern.ReplaceAllString(cooked, "")
	if r := []rune(plain); len(r) > 200 {
		plain = string(r[:200]) + "…"
	}
	return plain
}

// showTopic is a topic as somebody sees it, with the first posts and the IDs of all.
func (f *Forum) showTopic(t *topic, u *user) object {
	posts, stream := []object{}, []int64{}
	for _, p := range f.visible(t, u) {
		stream = append(stream, p.id)
		if len(posts) < chunk {
			posts = append(posts, f.showPost(p, u))
		}
	}
	o := f.viewTopic(t)
	maps.Copy(o, object{
		"post_stream": object{"posts": posts, "stream": stream}, "timeline_lookup": [][]int{{1, 0}}, "suggested_topics": []object{},
		"draft": nil, "draft_key": "topic_" + itoa(t.id), "draft_sequence": nil, "current_post_number": 1, "chunk_size": chunk,
		"actions_summary": []object{{"id": 4, "count": 0, "hidden": false, "can_act": u != nil}}, "bookmarked": false, "bookmarks": []object{},
		"message_bus_last_id": 0, "image_url": nil, "show_read_indicator": false, "thumbnails": nil, "slow_mode_enabled_until": nil,
		"topic_timer": nil, "summarizable": false, "details": f.topicDetails(t, u), "has_summary": false,
		"tags_descriptions": object{},
	})
	return o
}

// chunk is how many posts come with a topic.
const chunk = 20

// visible lists the posts of a topic that somebody sees: staff see deleted ones only when asked for one by one.
func (f *Forum) visible(t *topic, _ *user) []*post {
	if !t.deletedAt.IsZero() {
		return t.posts
	}
	return t.live()
}

func (f *Forum) viewTopic(t *topic) object {
	o := f.bareTopic(t)
	for _, name := range []string{"bumped", "bumped_at", "unseen", "excerpt", "liked", "last_poster_username", "op_like_count", "posters", "highest_post_number"} {
		delete(o, name)
	}
	last := t.posts[len(t.posts)-1]
	maps.Copy(o, object{
		"participant_count": len(f.participants(t)), "word_count": len(strings.Fields(t.firstPost().raw)), "deleted_at": iso(t.deletedAt),
		"user_id": t.user, "featured_link": nil, "pinned_at": iso(t.pinnedAt), "pinned_until": iso(t.pinnedUntil), "slow_mode_seconds": 0,
		"highest_post_number": t.highest, "last_read_post_number": nil, "last_read_post_id": nil, "deleted_by": nil, "has_deleted": false,
		"last_posted_at": iso(last.created), "external_id": nullable(t.externalID), "unicode_title": nil, "reply_count": len(t.live()) - 1,
	})
	if t.deletedBy != 0 {
		o["deleted_by"] = f.basicUser(f.user0(t.deletedBy))
	}
	return o
}

func (f *Forum) topicDetails(t *topic, u *user) object {
	isStaff := u != nil && u.staff()
	users := []object{}
	for _, id := range t.allowed {
		users = append(users, f.basicUser(f.user0(id)))
	}
	groups := []object{}
	for _, name := range t.allowedGroups {
		if g := f.groupByName(name); g != nil {
			groups = append(groups, f.showGroup(g, u))
		}
	}
	o := object{"can_edit": isStaff, "notification_level": 1, "notifications_reason_id": nil, "can_move_posts": isStaff, "can_delete": isStaff && t.deletedAt.IsZero(),
		"can_recover": isStaff && !t.deletedAt.IsZero(), "can_remove_allowed_users": isStaff, "can_invite_to": isStaff, "can_invite_via_email": isStaff,
		"can_create_post": u != nil, "can_reply_as_new_topic": u != nil, "can_flag_topic": u != nil, "can_review_topic": isStaff,
		"can_close_topic": isStaff, "can_archive_topic": isStaff, "can_split_merge_topic": isStaff, "can_edit_staff_notes": isStaff,
		"can_toggle_topic_visibility": isStaff, "can_pin_unpin_topic": isStaff, "can_convert_topic": isStaff, "can_moderate_category": isStaff, "can_remove_self_id": nil,
		"participants": f.participants(t), "created_by": f.basicUser(f.user0(t.user)),
		"last_poster": f.basicUser(f.user0(t.posts[len(t.posts)-1].user))}
	if u != nil {
		o["can_remove_self_id"] = u.id
	}
	if t.pm() {
		o["allowed_users"], o["allowed_groups"] = users, groups
	}
	return o
}

func (f *Forum) participants(t *topic) []object {
	out, seen := []object{}, map[int64]int{}
	for _, p := range t.live() {
		seen[p.user]++
		if seen[p.user] == 1 {
			o := f.basicUser(f.user0(p.user))
			maps.Copy(o, object{"post_count": 0, "primary_group_name": nil, "flair_name": nil, "flair_url": nil, "flair_color": nil,
				"flair_bg_color": nil, "admin": f.user0(p.user).admin, "moderator": f.user0(p.user).moderator, "trust_level": f.user0(p.user).trust})
			out = append(out, o)
		}
	}
	for _, o := range out {
		id, _ := o["id"].(int64)
		o["post_count"] = seen[id]
	}
	return out
}

func (f *Forum) showTag(t *tag) object {
	n := 0
	for _, x := range f.topics {
		for _, name := range x.tags {
			if name == t.name && x.deletedAt.IsZero() {
				n++
			}
		}
	}
	return object{"id": t.id, "name": t.name, "slug": t.name, "topic_count": n, "staff": false, "description": nil, "target_tag": nil}
}

func (f *Forum) showCategory(c *category) object {
	topics, posts := 0, 0
	for _, t := range f.topics {
		if t.category == c.id && t.deletedAt.IsZero() {
			topics++
			posts += len(t.live())
		}
	}
	perms := []object{}
	for _, g := range c.groups {
		if x := f.groupByName(g); x != nil {
			perms = append(perms, object{"permission_type": 1, "group_name": g, "group_id": x.id})
		}
	}
	if len(perms) == 0 {
		perms = append(perms, object{"permission_type": 1, "group_name": "everyone", "group_id": 0})
	}
	o := object{"id": c.id, "name": c.name, "color": c.color, "text_color": "FFFFFF", "style_type": "square", "icon": nil, "emoji": nil,
		"slug": c.slug, "topic_count": topics, "post_count": posts, "position": c.id, "description": nullable(c.descr),
		"description_text": nullable(c.descr), "description_excerpt": nullable(c.descr), "topic_url": nil, "read_restricted": len(c.groups) > 0,
		"permission": 1, "notification_level": 1, "can_edit": true, "topic_template": "", "form_template_ids": []int{}, "has_children": false,
		"subcategory_count": 0, "sort_order": nil, "sort_ascending": nil, "show_subcategory_list": false, "num_featured_topics": 3,
		"default_view": nil, "subcategory_list_style": "rows_with_featured_topics", "default_top_period": "all", "default_list_filter": "all",
		"minimum_required_tags": 0, "navigate_to_first_post_after_read": false, "custom_fields": object{}, "allowed_tags": []string{},
		"allowed_tag_groups": []string{}, "allow_global_tags": false, "required_tag_groups": []object{}, "category_setting": object{
			"auto_bump_cooldown_days": 1, "num_auto_bump_daily": nil, "require_reply_approval": nil, "require_topic_approval": nil},
		"cannot_delete_reason": nil, "topic_posting_review_group_ids": []int64{}, "reply_posting_review_group_ids": []int64{}, "category_localizations": []object{}, "read_only_banner": nil, "available_groups": []string{}, "auto_close_hours": nil,
		"auto_close_based_on_last_post": false, "allow_unlimited_owner_edits_on_first_post": false, "default_slow_mode_seconds": nil,
		"group_permissions": perms, "email_in": nil, "email_in_allow_strangers": false, "mailinglist_mirror": false, "all_topics_wiki": false,
		"can_delete": true, "allow_badges": true, "topic_featured_link_allowed": true, "search_priority": 0, "uploaded_logo": nil,
		"uploaded_logo_dark": nil, "uploaded_background": nil, "uploaded_background_dark": nil, "topic_title_placeholder": nil}
	if c.parent != 0 {
		o["parent_category_id"] = c.parent
	}
	return o
}

// showGroup is a group as somebody sees it.
func (f *Forum) showGroup(g *group, u *user) object {
	return object{"id": g.id, "automatic": g.automatic, "name": g.name, "display_name": g.name, "user_count": f.countOf(g),
		"mentionable_level": 0, "messageable_level": 0, "visibility_level": 0, "primary_group": false, "title": nil, "grant_trust_level": nil,
		"incoming_email": nil, "has_messages": false, "flair_url": nil, "flair_bg_color": nil, "flair_color": nil, "flair_group_id": nil,
		"bio_raw": nullable(g.bio), "bio_cooked": nil, "bio_excerpt": nil, "public_admission": g.publicAdmission, "public_exit": g.publicExit,
		"allow_membership_requests": false, "full_name": nullable(g.fullName), "default_notification_level": 3,
		"membership_request_template": nil, "members_visibility_level": 0, "can_see_members": true, "can_admin_group": u != nil && u.admin,
		"can_edit_group": u != nil && u.admin && !g.automatic, "publish_read_state": false, "is_group_user": u != nil && f.inGroup(g, u),
		"is_group_owner": u != nil && g.owners[u.id], "automatic_membership_email_domains": nil, "automatic_membership_retroactive": false, "smtp_server": nil, "smtp_port": nil,
		"smtp_ssl_mode": 0, "imap_server": nil, "imap_port": nil, "imap_ssl": nil, "imap_mailbox_name": "", "email_username": nil}
}
