package discourse

import "encoding/json"

// eventData is what Discourse sent: an object with one field, named after the kind of event.
type eventData map[string]json.RawMessage

type eventType struct{ name, doc string }

// eventTypes are what a forum's webhooks tell of (app/models/web_hook_event_type.rb and config/initializers/012-web_hook_events.rb of Discourse, checked
// 2026-11). Others, of plugins and newer versions, are passed on too.
var eventTypes = []eventType{
	{"topic_created", "A topic was opened, or a message begun."},
	{"topic_edited", "A topic's title, category or tags changed."},
	{"topic_revised", "A topic was revised."},
	{"topic_destroyed", "A topic was deleted."},
	{"topic_recovered", "A deleted topic was brought back."},
	{"topic_closed_status_updated", "A topic was closed, or opened again."},
	{"topic_autoclosed_status_updated", "A topic's timer closed it, or opened it again."},
	{"topic_archived_status_updated", "A topic was archived, or brought back."},
	{"topic_pinned_status_updated", "A topic was pinned, or its pin taken away."},
	{"topic_pinned_globally_status_updated", "A topic was pinned on top of all lists."},
	{"topic_visible_status_updated", "A topic was listed, or taken off the lists."},
	{"post_created", "A post was written. Its author is the initiator."},
	{"post_edited", "A post was edited."},
	{"post_destroyed", "A post was deleted."},
	{"post_recovered", "A deleted post was brought back."},
	{"post_liked", "Somebody liked a post; they are the initiator."},
	{"user_created", "An account was made."},
	{"user_approved", "An account was approved."},
	{"user_confirmed_email", "Somebody confirmed their address; they are the initiator."},
	{"user_updated", "An account changed."},
	{"user_destroyed", "An account was deleted."},
	{"user_anonymized", "An account was made anonymous."},
	{"user_suspended", "An account was suspended. The data's suspension says by whom, who is the initiator, and why, where the key may ask."},
	{"user_unsuspended", "A suspension was taken back or, as newer forums tell, has run out."},
	{"user_logged_in", "Somebody logged in; they are the initiator. The webhook that the plugin makes does not ask for it."},
	{"user_logged_out", "Somebody was logged out. The webhook that the plugin makes does not ask for it."},
	{"user_promoted", "An account reached another level of trust."},
	{"user_badge_granted", "Somebody was given a badge, by the initiator."},
	{"user_badge_revoked", "A badge was taken away."},
	{"user_added_to_group", "Somebody came into a group."},
	{"user_removed_from_group", "Somebody left a group, or was taken out."},
	{"group_created", "A group was made."},
	{"group_updated", "A group changed."},
	{"group_destroyed", "A group was deleted."},
	{"category_created", "A category was made."},
	{"category_updated", "A category changed."},
	{"category_destroyed", "A category was deleted."},
	{"tag_created", "A tag was made."},
	{"tag_updated", "A tag changed."},
	{"tag_destroyed", "A tag was deleted."},
	{"reviewable_created", "Something has to be reviewed, such as a flagged post. Whoever flagged it is the initiator."},
	{"reviewable_updated", "Something that has to be reviewed changed."},
	{"reviewable_score_updated", "Something that has to be reviewed was flagged again."},
	{"reviewable_transitioned_to", "Something that had to be reviewed was decided on."},
	{"notification_created", "Somebody was notified. The webhook that the plugin makes does not ask for it."},
}
