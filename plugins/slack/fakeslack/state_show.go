package fakeslack

import (
	"encoding/json"
	"slices"
)

// Message is a message as it stands now.
type Message struct {
	Channel, TS string
	User        string // the author; the bot user for the app's own messages
	BotID       string // set for the app's own messages
	Username    string // a name that the app gave itself for this message
	Subtype     string
	Text        string
	Blocks      json.RawMessage // nil without blocks; block_id and action_id are filled in as Slack does
	Attachments json.RawMessage
	Metadata    json.RawMessage
	ThreadTS    string
	Broadcast   bool // a reply that also stands in the channel
	Edited      bool
	Deleted     bool
	Pinned      bool
	Reactions   map[string][]string // name without colons to users, in order
	EditedTS    string
	EditedBy    string
	ByApp       bool // made with one of the app's tokens
}

// Ephemeral is a message that only one person sees.
type Ephemeral struct {
	User string
	Message
}

func (w *Workspace) show(c *channel, m *message) Message {
	out := Message{
		Channel: c.id, TS: m.ts, User: m.user, BotID: m.botID, Username: m.username, Subtype: m.subtype, Text: m.text,
		ThreadTS: m.threadTS, Broadcast: m.broadcast, Edited: m.editedTS != "", Deleted: m.deleted, EditedTS: m.editedTS,
		EditedBy: m.editedBy, Pinned: c.pinned(m.ts), ByApp: m.postedByApp,
	}
	if m.blocks != nil {
		out.Blocks = rawJSON(m.blocks)
	}
	if m.attachments != nil {
		out.Attachments = rawJSON(m.attachments)
	}
	if m.metadata != nil {
		out.Metadata = rawJSON(m.metadata)
	}
	for _, r := range m.reactions {
		if out.Reactions == nil {
			out.Reactions = map[string][]string{}
		}
		out.Reactions[r.name] = slices.Clone(r.users)
	}
	return out
}

// Message returns a message, deleted ones too (Deleted is then true).
func (w *Workspace) Message(channel, ts string) (Message, bool) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	c := w.channels[channel]
	if c == nil {
		return Message{}, false
	}
	for _, m := range c.messages {
		if m.ts == ts {
			return w.show(c, m), true
		}
	}
	return Message{}, false
}

// Messages returns the messages of a channel that are not deleted, oldest first, thread replies included.
func (w *Workspace) Messages(channel string) []Message {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	c := w.channels[channel]
	if c == nil {
		return nil
	}
	var out []Message
	for _, m := range c.messages {
		if !m.deleted {
			out = append(out, w.show(c, m))
		}
	}
	return out
}

// Ephemerals returns what was shown to that user alone, oldest first; for "" to anybody.
func (w *Workspace) Ephemerals(user string) []Ephemeral {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	var out []Ephemeral
	for _, e := range w.ephemerals {
		if (user == "" || e.user == user) && !e.msg.deleted {
			c := w.channels[e.channel]
			if c == nil {
				c = &channel{id: e.channel}
			}
			out = append(out, Ephemeral{User: e.user, Message: w.show(c, e.msg)})
		}
	}
	return out
}

// Members returns who is in a channel, in the order of joining.
func (w *Workspace) Members(channel string) []string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if c := w.channels[channel]; c != nil {
		return slices.Clone(c.members)
	}
	return nil
}

// ChannelName returns a channel's present name, and whether the channel exists.
func (w *Workspace) ChannelName(channel string) (string, bool) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if c := w.channels[channel]; c != nil {
		return c.name, true
	}
	return "", false
}

// UserGroup returns the members of a user group.
func (w *Workspace) UserGroup(id string) []string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if g := w.groups[id]; g != nil {
		return slices.Clone(g.users)
	}
	return nil
}

// messageJSON is a message as the Web API and events show it.
func (w *Workspace) messageJSON(c *channel, m *message) object {
	o := object{"type": "message", "ts": m.ts, "text": m.text}
	if m.user != "" {
		o["user"] = m.user
	}
	if m.subtype != "" {
		o["subtype"] = m.subtype
	} else {
		o["team"] = w.id
	}
	if m.botID != "" {
		o["bot_id"] = m.botID
		o["app_id"] = w.s.app.AppID
		if m.subtype == "" {
			o["bot_profile"] = object{
				"id": m.botID, "app_id": w.s.app.AppID, "user_id": m.user, "name": "fakeapp", "deleted": false,
				"updated": unix(w.s.opt.Now()), "team_id": w.id, "icons": object{},
			}
		}
	}
	if m.username != "" {
		o["username"] = m.username
	}
	if m.clientID != "" {
		o["client_msg_id"] = m.clientID
	}
	if m.blocks != nil {
		o["blocks"] = m.blocks
	}
	if m.attachments != nil {
		o["attachments"] = m.attachments
	}
	if m.editedTS != "" {
		o["edited"] = object{"user": m.editedBy, "ts": m.editedTS}
	}
	if m.threadTS != "" {
		o["thread_ts"] = m.threadTS
		if parent := c.find(m.threadTS); parent != nil && parent != m {
			o["parent_user_id"] = parent.user
		}
	}
	for k, v := range m.extra {
		o[k] = v
	}
	return o
}

// fullMessageJSON adds what only reading shows: thread counts, reactions, pins, metadata.
func (w *Workspace) fullMessageJSON(c *channel, m *message, metadata bool) object {
	o := w.messageJSON(c, m)
	var users []string
	var latest string
	n := 0
	for _, r := range c.messages {
		if r.threadTS == m.ts && r != m && !r.deleted {
			n++
			latest = r.ts
			if !slices.Contains(users, r.user) {
				users = append(users, r.user)
			}
		}
	}
	if n > 0 {
		o["thread_ts"] = m.ts
		o["reply_count"] = n
		o["reply_users_count"] = len(users)
		o["reply_users"] = users
		o["latest_reply"] = latest
		o["is_locked"] = false
		o["subscribed"] = false
	}
	if len(m.reactions) > 0 {
		o["reactions"] = reactionsJSON(m)
	}
	if c.pinned(m.ts) {
		o["pinned_to"] = []string{c.id}
	}
	if m.metadata != nil {
		if metadata {
			o["metadata"] = m.metadata
		} else {
			o["metadata"] = object{"event_type": m.metadata["event_type"]}
		}
	}
	return o
}

func reactionsJSON(m *message) []object {
	out := make([]object, 0, len(m.reactions))
	for _, r := range m.reactions {
		out = append(out, object{"name": r.name, "users": slices.Clone(r.users), "count": len(r.users)})
	}
	return out
}

func (w *Workspace) channelJSON(c *channel, viewer string) object {
	if c.kind == kindIM {
		other := ""
		for _, m := range c.members {
			if m != viewer {
				other = m
			}
		}
		return object{
			"id": c.id, "created": unix(c.created), "is_im": true, "is_archived": c.archived, "is_org_shared": false,
			"user": other, "is_user_deleted": w.users[other] != nil && w.users[other].deleted, "priority": 0,
			"context_team_id": w.id, "updated": unix(c.created) * 1000,
		}
	}
	return object{
		"id": c.id, "name": c.name, "name_normalized": c.name, "created": unix(c.created), "creator": c.creator,
		"is_channel": c.kind == kindPublic, "is_group": c.kind == kindPrivate, "is_im": false, "is_mpim": c.kind == kindMPIM,
		"is_private": c.kind != kindPublic, "is_archived": c.archived, "is_general": c.general, "is_member": c.has(viewer),
		"is_shared": false, "is_org_shared": false, "is_ext_shared": false, "is_pending_ext_shared": false,
		"pending_shared": []string{}, "pending_connected_team_ids": []string{}, "parent_conversation": nil, "unlinked": 0,
		"context_team_id": w.id, "shared_team_ids": []string{w.id}, "updated": unix(c.created) * 1000,
		"topic": c.topic.json(), "purpose": c.purpose.json(), "previous_names": append([]string{}, c.previousNames...),
	}
}

func (n note) json() object {
	at := int64(0)
	if !n.at.IsZero() {
		at = unix(n.at)
	}
	return object{"value": n.value, "creator": n.creator, "last_set": at}
}

func (w *Workspace) userJSON(u *user, email bool) object {
	profile := object{
		"real_name": u.realName, "real_name_normalized": u.realName, "display_name": u.name, "display_name_normalized": u.name,
		"title": "", "phone": "", "status_text": "", "status_emoji": "", "avatar_hash": "g0fake", "team": w.id,
		"image_48": "https://secure.gravatar.com/avatar/fake-48.png", "image_192": "https://secure.gravatar.com/avatar/fake-192.png",
	}
	if email && u.email != "" {
		profile["email"] = u.email
	}
	o := object{
		"id": u.id, "team_id": w.id, "name": u.name, "deleted": u.deleted, "profile": profile, "is_bot": u.bot,
		"is_app_user": false, "updated": unix(u.created),
	}
	if u.bot && w.install != nil && u.id == w.install.botUser {
		profile["bot_id"] = w.install.botID
		profile["api_app_id"] = w.s.app.AppID
	}
	if !u.deleted {
		for k, v := range (object{
			"real_name": u.realName, "tz": "Etc/UTC", "tz_label": "Coordinated Universal Time", "tz_offset": 0, "color": "9f69e7",
			"is_admin": u.admin, "is_owner": u.owner, "is_primary_owner": false, "is_restricted": false,
			"is_ultra_restricted": false, "is_email_confirmed": u.email != "", "who_can_share_contact_card": "EVERYONE",
		}) {
			o[k] = v
		}
	}
	return o
}
