package fakeslack

import (
	"slices"
	"strings"
)

// The acts below change the state and send the events, whoever acts: the Web API and people both come here.
// Callers hold s.mu and have checked that the act is allowed.

func (w *Workspace) historyScope(c *channel) string { return c.scope("history") }

// readScope is what an app needs to hear of members, names and so on of such a channel.
func (w *Workspace) readScope(c *channel) string { return c.scope("read") }

// post adds a message. A reply to a reply belongs to the thread's first message, as in Slack.
func (w *Workspace) post(c *channel, m *message) {
	m.ts = w.s.ts()
	if parent := c.find(m.threadTS); parent != nil && parent.threadTS != "" {
		m.threadTS = parent.threadTS
	}
	if m.threadTS != "" && m.broadcast {
		m.subtype = "thread_broadcast"
	}
	c.messages = append(c.messages, m)
	w.emit(w.messageEvent(c, m), w.historyScope(c), c)
	if w.install != nil && m.botID == "" && m.subtype == "" && strings.Contains(m.text, "<@"+w.install.botUser+">") && c.kind != kindIM {
		o := w.messageEvent(c, m)
		o["type"] = "app_mention"
		delete(o, "channel_type")
		w.emit(o, "app_mentions:read", c)
	}
}

func (w *Workspace) messageEvent(c *channel, m *message) object {
	o := w.messageJSON(c, m)
	o["channel"], o["channel_type"], o["event_ts"] = c.id, string(c.kind), m.ts
	if m.metadata != nil {
		o["metadata"] = m.metadata
	}
	if m.subtype == "thread_broadcast" {
		if root := c.find(m.threadTS); root != nil {
			o["root"] = w.fullMessageJSON(c, root, false)
		}
	}
	return o
}

// system posts what Slack itself writes into a channel: joins, names, topics.
func (w *Workspace) system(c *channel, user, subtype, text string, extra object) {
	w.post(c, &message{user: user, subtype: subtype, text: text, extra: extra})
}

// hiddenEvent is a message event about another message.
func (w *Workspace) hiddenEvent(c *channel, subtype string, fields object) {
	ts := w.s.ts()
	o := object{"type": "message", "subtype": subtype, "channel": c.id, "channel_type": string(c.kind), "hidden": true, "ts": ts, "event_ts": ts}
	for k, v := range fields {
		o[k] = v
	}
	w.emit(o, w.historyScope(c), c)
}

func (w *Workspace) edit(c *channel, m *message, editor string, change func(*message)) {
	before := w.messageJSON(c, m)
	change(m)
	m.editedBy, m.editedTS = editor, w.s.ts()
	w.hiddenEvent(c, "message_changed", object{"message": w.messageJSON(c, m), "previous_message": before})
}

func (w *Workspace) delete(c *channel, m *message) {
	before := w.messageJSON(c, m)
	m.deleted = true
	c.pins = slices.DeleteFunc(c.pins, func(p pin) bool { return p.ts == m.ts })
	w.hiddenEvent(c, "message_deleted", object{"previous_message": before, "deleted_ts": m.ts})
}

// channelLetter is what member events call channel_type.
func (c *channel) letter() string {
	if c.kind == kindPublic {
		return "C"
	}
	return "G"
}

func (w *Workspace) join(c *channel, user, inviter string) bool {
	if !c.add(user) {
		return false
	}
	o := object{"type": "member_joined_channel", "user": user, "channel": c.id, "channel_type": c.letter(), "team": w.id}
	extra := object{}
	if inviter != "" {
		o["inviter"], extra["inviter"] = inviter, inviter
	}
	w.emit(o, w.readScope(c), c)
	subtype := "channel_join"
	if c.kind == kindPrivate {
		subtype = "group_join"
	}
	w.system(c, user, subtype, "<@"+user+"> has joined the channel", extra)
	return true
}

// leave takes a member out. kickedBy is who removed it, "" if it left.
func (w *Workspace) leave(c *channel, user, kickedBy string) bool {
	if !c.has(user) {
		return false
	}
	o := object{"type": "member_left_channel", "user": user, "channel": c.id, "channel_type": c.letter(), "team": w.id}
	bot := w.install != nil && user == w.install.botUser
	if bot {
		left := object{"type": "channel_left", "channel": c.id, "actor_id": orElse(kickedBy, user)}
		if c.kind == kindPrivate {
			left["type"] = "group_left"
		}
		w.emit(left, w.readScope(c), c)
	}
	if !bot {
		w.emit(o, w.readScope(c), c)
	}
	c.remove(user)
	subtype := "channel_leave"
	if c.kind == kindPrivate {
		subtype = "group_leave"
	}
	w.system(c, user, subtype, "<@"+user+"> has left the channel", nil)
	return true
}

func (w *Workspace) rename(c *channel, user, name string) {
	old := c.name
	c.name = name
	c.previousNames = append([]string{old}, c.previousNames...)
	event := object{"type": "channel_rename", "channel": object{
		"id": c.id, "is_channel": c.kind == kindPublic, "is_mpim": false, "name": name, "name_normalized": name, "created": unix(c.created),
	}}
	member := c
	subtype := "channel_name"
	if c.kind == kindPrivate {
		event["type"], subtype = "group_rename", "group_name"
	} else {
		member = nil // all apps that read public channels hear of their names
	}
	w.emit(event, w.readScope(c), member)
	w.system(c, user, subtype, "has renamed the channel from \""+old+"\" to \""+name+"\"", object{"old_name": old, "name": name})
}

func (w *Workspace) setTopic(c *channel, user, topic string) {
	c.topic = note{topic, user, w.s.opt.Now()}
	subtype := "channel_topic"
	if c.kind == kindPrivate {
		subtype = "group_topic"
	}
	w.system(c, user, subtype, "set the channel topic: "+topic, object{"topic": topic})
}

func (w *Workspace) archive(c *channel, user string) {
	subtype := "channel_archive"
	if c.kind == kindPrivate {
		subtype = "group_archive"
	}
	w.system(c, user, subtype, "archived the channel", object{"members": slices.Clone(c.members)})
	c.archived = true
	event := object{"type": subtype, "channel": c.id, "user": user, "is_moved": 0}
	member := c
	if c.kind == kindPublic {
		member = nil
	}
	w.emit(event, w.readScope(c), member)
}

func (w *Workspace) create(c *channel) {
	w.channels[c.id] = c
	if c.kind == kindPublic {
		w.emit(object{"type": "channel_created", "channel": object{
			"id": c.id, "name": c.name, "name_normalized": c.name, "is_channel": true, "is_shared": false, "is_org_shared": false,
			"created": unix(c.created), "creator": c.creator, "context_team_id": w.id,
		}}, "channels:read", nil)
	}
}

func (w *Workspace) pinEvent(typ string, c *channel, m *message, user string) {
	now := unix(w.s.opt.Now())
	msg := w.fullMessageJSON(c, m, false)
	msg["permalink"] = w.permalink(c, m)
	o := object{
		"type": typ, "user": user, "channel_id": c.id, "item_user": m.user, "pin_count": len(c.pins),
		"item":        object{"type": "message", "channel": c.id, "created": now, "created_by": user, "message": msg},
		"pinned_info": object{"channel": c.id, "pinned_by": user, "pinned_ts": now},
	}
	if typ == "pin_removed" {
		o["has_pins"] = len(c.pins) > 0
	}
	w.emit(o, "pins:read", c)
}

func (w *Workspace) pin(c *channel, m *message, user string) bool {
	if c.pinned(m.ts) {
		return false
	}
	c.pins = append(c.pins, pin{m.ts, user, w.s.opt.Now()})
	w.pinEvent("pin_added", c, m, user)
	return true
}

func (w *Workspace) unpin(c *channel, m *message, user string) bool {
	if !c.pinned(m.ts) {
		return false
	}
	c.pins = slices.DeleteFunc(c.pins, func(p pin) bool { return p.ts == m.ts })
	w.pinEvent("pin_removed", c, m, user)
	return true
}

func (w *Workspace) reactionEvent(typ string, c *channel, m *message, user, name string) {
	w.emit(object{
		"type": typ, "user": user, "reaction": name, "item_user": m.user,
		"item": object{"type": "message", "channel": c.id, "ts": m.ts},
	}, "reactions:read", c)
}

func (w *Workspace) react(c *channel, m *message, user, name string) bool {
	i := slices.IndexFunc(m.reactions, func(r *reaction) bool { return r.name == name })
	if i < 0 {
		m.reactions = append(m.reactions, &reaction{name: name})
		i = len(m.reactions) - 1
	}
	r := m.reactions[i]
	if slices.Contains(r.users, user) {
		return false
	}
	r.users = append(r.users, user)
	w.reactionEvent("reaction_added", c, m, user, name)
	return true
}

func (w *Workspace) unreact(c *channel, m *message, user, name string) bool {
	for i, r := range m.reactions {
		j := slices.Index(r.users, user)
		if r.name != name || j < 0 {
			continue
		}
		r.users = slices.Delete(r.users, j, j+1)
		if len(r.users) == 0 {
			m.reactions = slices.Delete(m.reactions, i, i+1)
		}
		w.reactionEvent("reaction_removed", c, m, user, name)
		return true
	}
	return false
}

func (w *Workspace) permalink(c *channel, m *message) string {
	link := "https://" + w.domain + ".slack.com/archives/" + c.id + "/p" + strings.ReplaceAll(m.ts, ".", "")
	if m.threadTS != "" && m.threadTS != m.ts {
		link += "?thread_ts=" + m.threadTS + "&cid=" + c.id
	}
	return link
}
