package fakediscord

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// This file is reactions and pins.

const (
	maxReactions = 20
	maxPins      = 250
)

var customEmoji = regexp.MustCompile(`^([A-Za-z0-9_]{2,32}):(\d{5,20})$`)

// parseEmoji reads an emoji as in paths: one of Unicode, or name:id.
func parseEmoji(text string) (name, id string, err error) {
	if m := customEmoji.FindStringSubmatch(text); m != nil {
		return m[1], m[2], nil
	}
	if text == "" || utf8.RuneCountInString(text) > 20 || strings.IndexFunc(text, func(r rune) bool { return r > 0x2000 || r == 0xa9 || r == 0xae }) < 0 &&
		!strings.HasSuffix(text, "\u20e3") {
		return "", "", refuse(10014)
	}
	return text, "", nil
}

func (m *message) reaction(name, id string) *reaction {
	for _, r := range m.reactions {
		if r.id == id && (id != "" || r.name == name) {
			return r
		}
	}
	return nil
}

// react adds a reaction; a new emoji needs ADD_REACTIONS. The caller holds s.mu.
func (m *message) react(who, text string) error {
	name, id, err := parseEmoji(text)
	if err != nil {
		return err
	}
	if err := m.c.need(who, PermReadMessageHistory); err != nil {
		return err
	}
	if err := m.c.archivedErr(); err != nil {
		return err
	}
	r := m.reaction(name, id)
	if r == nil {
		if err := m.c.need(who, PermAddReactions); err != nil {
			return err
		}
		if len(m.reactions) >= maxReactions {
			return refuse(30010)
		}
		r = &reaction{name: name, id: id, has: map[string]bool{}}
		m.reactions = append(m.reactions, r)
	}
	if r.has[who] {
		return nil
	}
	r.has[who] = true
	r.users = append(r.users, who)
	o := m.reactionEvent(r, who)
	o["message_author_id"], o["burst"], o["type"] = m.author, false, 0
	if m.c.g != nil {
		if a := m.c.g.members[who]; a != nil {
			o["member"] = a.show()
		}
	}
	m.c.emit("MESSAGE_REACTION_ADD", o, nil)
	return nil
}

func (m *message) reactionEvent(r *reaction, who string) object {
	o := withGuild(m.c, object{"channel_id": m.c.id, "message_id": m.id, "emoji": r.emoji()})
	if who != "" {
		o["user_id"] = who
	}
	return o
}

// unreact takes a reaction away. The caller holds s.mu.
func (m *message) unreact(who, text string) error {
	name, id, err := parseEmoji(text)
	if err != nil {
		return err
	}
	r := m.reaction(name, id)
	if r == nil || !r.has[who] {
		return nil // Discord does not mind
	}
	delete(r.has, who)
	r.users = slices.DeleteFunc(r.users, func(x string) bool { return x == who })
	if len(r.users) == 0 {
		m.reactions = slices.DeleteFunc(m.reactions, func(x *reaction) bool { return x == r })
	}
	o := m.reactionEvent(r, who)
	o["burst"], o["type"] = false, 0
	m.c.emit("MESSAGE_REACTION_REMOVE", o, nil)
	return nil
}

// listReactions pages by user ID.
func (r *request) listReactions() (any, error) {
	m, err := r.message(PermReadMessageHistory)
	if err != nil {
		return nil, err
	}
	name, id, err := parseEmoji(r.vars["emoji_name"])
	if err != nil {
		return nil, err
	}
	found := m.reaction(name, id)
	if found == nil || r.call.Query.Get("type") == "1" {
		return []object{}, nil
	}
	return r.userPage(found.users)
}

// userPage lists users by ID, a page of 25 unless the limit says otherwise.
func (r *request) userPage(all []string) ([]object, error) {
	limit, err := count(r.call.Query, 1, 100, 25)
	if err != nil {
		return nil, err
	}
	after, err := cursor(r.call.Query, "after")
	if err != nil {
		return nil, err
	}
	ids := slices.Clone(all)
	slices.SortFunc(ids, compareIDs)
	i, _ := slices.BinarySearchFunc(ids, after+1, func(id string, n uint64) int { return compareIDs(id, idText(n)) })
	out := []object{}
	for _, id := range ids[i:min(len(ids), i+limit)] {
		out = append(out, r.s.showUser(id))
	}
	return out, nil
}

func (r *request) putReaction() (any, error) {
	m, err := r.message(0)
	if err != nil {
		return nil, err
	}
	return nil, m.react(r.me(), r.vars["emoji_name"])
}

func (r *request) deleteOwnReaction() (any, error) {
	m, err := r.message(0)
	if err != nil {
		return nil, err
	}
	return nil, m.unreact(r.me(), r.vars["emoji_name"])
}

func (r *request) deleteUserReaction() (any, error) {
	m, err := r.message(PermManageMessages)
	if err != nil {
		return nil, err
	}
	return nil, m.unreact(r.vars["user_id"], r.vars["emoji_name"])
}

func (r *request) deleteReactions() (any, error) {
	m, err := r.message(PermManageMessages)
	if err != nil {
		return nil, err
	}
	m.reactions = nil
	m.c.emit("MESSAGE_REACTION_REMOVE_ALL", withGuild(m.c, object{"channel_id": m.c.id, "message_id": m.id}), nil)
	return nil, nil
}

func (r *request) deleteEmoji() (any, error) {
	m, err := r.message(PermManageMessages)
	if err != nil {
		return nil, err
	}
	name, id, err := parseEmoji(r.vars["emoji_name"])
	if err != nil {
		return nil, err
	}
	if found := m.reaction(name, id); found != nil {
		m.reactions = slices.DeleteFunc(m.reactions, func(x *reaction) bool { return x == found })
		m.c.emit("MESSAGE_REACTION_REMOVE_EMOJI", m.reactionEvent(found, ""), nil)
	}
	return nil, nil
}

func (c *channel) pins() []*message {
	var out []*message
	for _, m := range c.order {
		if !m.pinned.IsZero() {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b *message) int { return b.pinned.Compare(a.pinned) })
	return out
}

// listPins pages by the time of pinning, newest first.
func (r *request) listPins() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	limit, err := count(r.call.Query, 1, 50, 50)
	if err != nil {
		return nil, err
	}
	var before time.Time
	if v := r.call.Query.Get("before"); v != "" {
		t, ok := parseTime(v)
		if !ok {
			return nil, invalid("before", "DATE_TIME_TYPE_PARSE", "Could not parse the time.")
		}
		before = t
	}
	items, more := []object{}, false
	if c.g != nil && c.g.perms(r.me(), c)&PermReadMessageHistory == 0 {
		return object{"items": items, "has_more": false}, nil
	}
	for _, m := range c.pins() {
		switch {
		case !before.IsZero() && !m.pinned.Before(before):
		case len(items) == limit:
			more = true
		default:
			items = append(items, object{"pinned_at": iso(m.pinned), "message": r.hide(m)})
		}
	}
	return object{"items": items, "has_more": more}, nil
}

// pin pins or unpins; since 2026 only PIN_MESSAGES allows it. The caller holds s.mu.
func (m *message) pin(actor, reason string, on bool) error {
	if err := m.c.need(actor, PermPinMessages); err != nil {
		return err
	}
	if on == !m.pinned.IsZero() {
		return nil
	}
	if on && len(m.c.pins()) >= maxPins {
		return refuse(30003)
	}
	action := AuditUnpin
	m.pinned = time.Time{}
	if on {
		action = AuditPin
		m.pinned = m.c.srv.opt.Now()
		m.c.lastPin = m.pinned
	}
	m.tell()
	m.c.emit("CHANNEL_PINS_UPDATE", withGuild(m.c, object{"channel_id": m.c.id, "last_pin_timestamp": iso(m.c.lastPin)}), nil)
	if m.c.g != nil {
		m.c.g.log(auditEntry{action: action, user: actor, target: m.author, reason: reason,
			option: object{"channel_id": m.c.id, "message_id": m.id}})
	}
	if on {
		note := &message{c: m.c, typ: 6, author: actor, reference: withGuild(m.c, object{"type": 0, "message_id": m.id, "channel_id": m.c.id})}
		m.c.post(note)
	}
	return nil
}

func (r *request) putPin() (any, error) {
	m, err := r.message(0)
	if err != nil {
		return nil, err
	}
	return nil, m.pin(r.me(), r.call.Reason, true)
}

func (r *request) deletePin() (any, error) {
	m, err := r.message(0)
	if err != nil {
		return nil, err
	}
	return nil, m.pin(r.me(), r.call.Reason, false)
}
