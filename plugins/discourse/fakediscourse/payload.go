package fakediscourse

import (
	"maps"
	"slices"
	"strings"
)

// postPayload is a post as webhooks have it.
func (f *Forum) postPayload(p *post) object {
	o := f.barePost(p)
	delete(o, "posts_count")
	regular := 0
	for _, q := range p.t.live() {
		if q.typ == 1 {
			regular++
		}
	}
	o["topic_posts_count"], o["topic_filtered_posts_count"] = len(p.t.live()), regular
	o["topic_archetype"] = p.t.archetype
	if c := f.categories[p.t.category]; c != nil {
		o["category_slug"] = c.slug
	}
	if len(p.polls) > 0 && !f.settings.PollsOff {
		o["polls"] = f.showPolls(p, f.users[systemID])
	}
	return o
}

// topicPayload is a topic as webhooks have it.
func (f *Forum) topicPayload(t *topic) object {
	o := f.viewTopic(t)
	for _, name := range []string{"image_url", "has_summary", "slow_mode_seconds"} {
		delete(o, name)
	}
	o["created_by"] = f.basicUser(f.user0(t.user))
	o["last_poster"] = f.basicUser(f.user0(t.posts[len(t.posts)-1].user))
	return o
}

// userPayload is an account as webhooks have it: as the system sees it, with its address and fields.
func (f *Forum) userPayload(u *user) object {
	o := f.showUser(u, f.users[systemID])
	for _, name := range []string{"can_edit", "can_edit_username", "can_edit_email", "can_edit_name", "can_send_private_messages",
		"can_send_private_message_to_user", "uploaded_avatar_id", "custom_fields", "can_be_deleted", "can_delete_all_posts", "can_ignore_user",
		"can_mute_user", "ignored", "has_title_badges", "group_users", "user_auth_tokens", "use_logo_small_as_avatar", "pending_posts_count",
		"system_avatar_upload_id", "can_change_bio", "can_change_location", "can_change_website", "can_change_tracking_preferences",
		"user_api_keys"} {
		delete(o, name)
	}
	o["email"], o["secondary_emails"] = u.email, []string{}
	if u.externalID != "" {
		o["external_id"] = u.externalID
	}
	return o
}

// about is what a delivery is about, for webhooks that listen to some of it alone.
type about struct {
	category int64
	tags     []string
	group    int64
}

func (f *Forum) tellPost(event string, p *post) { f.tellPostAs(event, p, f.postPayload(p)) }

func (f *Forum) tellPostAs(event string, p *post, payload object) {
	f.tell(event, payload, &about{category: p.t.category, tags: p.t.tags})
}

func (f *Forum) tellTopic(event string, t *topic) { f.tellTopicAs(event, t, f.topicPayload(t)) }

func (f *Forum) tellTopicAs(event string, t *topic, payload object) {
	f.tell(event, payload, &about{category: t.category, tags: t.tags})
}

func (f *Forum) tellUser(event string, u *user) { f.tell(event, f.userPayload(u), nil) }

// tell queues a delivery of an event to each webhook that listens. The caller holds s.mu.
func (f *Forum) tell(event string, payload object, a *about) {
	typ := eventType(event)
	for _, h := range f.sortedHooks() {
		if !h.active || !h.listens(event, a) {
			continue
		}
		f.deliver(h, event, typ, rawJSON(object{typ: payload}))
	}
}

// deliver queues a body. It is JSON also where the webhook is configured for forms: the content type changes a header and nothing else
// (app/jobs/regular/emit_web_hook_event.rb, checked 2026-11).
func (f *Forum) deliver(h *hook, event, typ string, body []byte) {
	log := &Delivery{Forum: f.base, Hook: h.id, Event: event, Type: typ, Body: body}
	f.s.queue.add(&delivery{log: log, hook: h})
}

// listens says whether a webhook is for an event: of all, or of some kinds, categories, tags and groups.
func (h *hook) listens(event string, a *about) bool {
	if !h.wildcard && !slices.Contains(h.types, eventID(event)) {
		return false
	}
	if len(h.categories) > 0 && (a == nil || !slices.Contains(h.categories, a.category)) {
		return false
	}
	if len(h.groups) > 0 && (a == nil || !slices.Contains(h.groups, a.group)) {
		return false
	}
	if len(h.tags) > 0 && (a == nil || !slices.ContainsFunc(a.tags, func(t string) bool { return slices.Contains(h.tags, t) })) {
		return false
	}
	return true
}

// eventIDs are the kinds of events that a webhook can choose (app/models/web_hook_event_type.rb, checked 2026-11).
var eventIDs = map[string]int64{
	"topic_created": 101, "topic_revised": 102, "topic_edited": 103, "topic_destroyed": 104, "topic_recovered": 105,
	"post_created": 201, "post_edited": 202, "post_destroyed": 203, "post_recovered": 204,
	"user_logged_in": 301, "user_logged_out": 302, "user_confirmed_email": 303, "user_created": 304, "user_approved": 305,
	"user_updated": 306, "user_destroyed": 307, "user_suspended": 308, "user_unsuspended": 309,
	"group_created": 401, "group_updated": 402, "group_destroyed": 403,
	"category_created": 501, "category_updated": 502, "category_destroyed": 503,
	"tag_created": 601, "tag_updated": 602, "tag_destroyed": 603,
	"reviewable_created": 901, "reviewable_updated": 902, "notification_created": 1001,
	"user_badge_granted": 1301, "user_badge_revoked": 1302, "user_added_to_group": 1401, "user_removed_from_group": 1402,
	"post_liked": 1501, "user_promoted": 1601,
}

// eventID is the kind of an event: some names share one.
func eventID(event string) int64 {
	switch {
	case strings.HasPrefix(event, "topic_") && strings.HasSuffix(event, "_status_updated"):
		event = "topic_edited"
	case event == "reviewable_score_updated", event == "reviewable_transitioned_to":
		event = "reviewable_updated"
	}
	return eventIDs[event]
}

// eventType is what X-Discourse-Event-Type says, which is also the name of the body's one field.
func eventType(event string) string {
	switch event {
	case "ping", "user_promoted":
		return event
	case "post_liked":
		return "like"
	case "user_added_to_group", "user_removed_from_group":
		return "group_user"
	case "user_badge_granted", "user_badge_revoked":
		return "user_badge"
	}
	typ, _, _ := strings.Cut(event, "_")
	return typ
}

// eventTypes lists the kinds of events, by ID.
func eventTypes() []object {
	names := slices.SortedFunc(maps.Keys(eventIDs), func(a, b string) int { return int(eventIDs[a] - eventIDs[b]) })
	out := []object{}
	for _, name := range names {
		out = append(out, object{"id": eventIDs[name], "name": name, "group": eventType(name)})
	}
	return out
}
