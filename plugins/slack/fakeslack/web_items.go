package fakeslack

import (
	"regexp"
	"slices"
)

// itemArg finds the message that pins and reactions are about.
func (r *request) itemArg() (*channel, *message, error) {
	if r.arg("timestamp") == "" || r.arg("channel") == "" {
		return nil, nil, refuse("no_item_specified")
	}
	c, err := r.channelArg()
	if err != nil {
		return nil, nil, err
	}
	if !isTS(r.arg("timestamp")) {
		return nil, nil, refuse("bad_timestamp")
	}
	if !c.has(r.me()) && (c.kind != kindPublic || r.tok.kind == kindBot) {
		return nil, nil, refuse("not_in_channel")
	}
	m := c.find(r.arg("timestamp"))
	if m == nil {
		return nil, nil, refuse("message_not_found")
	}
	return c, m, nil
}

func (r *request) pinsAdd() (object, error) {
	c, m, err := r.itemArg()
	if err != nil {
		return nil, err
	}
	if c.archived {
		return nil, refuse("is_archived")
	}
	if len(c.pins) >= 100 {
		return nil, refuse("too_many_pins")
	}
	if !r.w.pin(c, m, r.me()) {
		return nil, refuse("already_pinned")
	}
	return nil, nil
}

func (r *request) pinsRemove() (object, error) {
	c, m, err := r.itemArg()
	if err != nil {
		return nil, err
	}
	if !r.w.unpin(c, m, r.me()) {
		return nil, refuse("no_pin")
	}
	return nil, nil
}

func (r *request) pinsList() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	items := []object{}
	for _, p := range slices.Backward(c.pins) {
		m := c.find(p.ts)
		if m == nil {
			continue
		}
		msg := r.w.fullMessageJSON(c, m, false)
		msg["permalink"] = r.w.permalink(c, m)
		items = append(items, object{"type": "message", "created": unix(p.at), "created_by": p.by, "channel": c.id, "message": msg})
	}
	return object{"items": items}, nil
}

var emojiName = regexp.MustCompile(`^[a-z0-9_+'\-\p{Ll}\p{Lo}]{1,100}(::skin-tone-[2-6])?$`)

func (r *request) reactionsAdd() (object, error) {
	name := r.arg("name")
	if !emojiName.MatchString(name) {
		return nil, refuse("invalid_name")
	}
	c, m, err := r.itemArg()
	if err != nil {
		return nil, err
	}
	if c.archived {
		return nil, refuse("is_archived")
	}
	mine, present := 0, false
	for _, x := range m.reactions {
		present = present || x.name == name
		if slices.Contains(x.users, r.me()) {
			mine++
		}
	}
	if !present && (len(m.reactions) >= 50 || mine >= 23) {
		return nil, refuse("too_many_reactions")
	}
	if !r.w.react(c, m, r.me(), name) {
		return nil, refuse("already_reacted")
	}
	return nil, nil
}

// reactionsRemove takes away the caller's own reaction; nobody can remove another's.
func (r *request) reactionsRemove() (object, error) {
	name := r.arg("name")
	if !emojiName.MatchString(name) {
		return nil, refuse("invalid_name")
	}
	c, m, err := r.itemArg()
	if err != nil {
		return nil, err
	}
	if !r.w.unreact(c, m, r.me(), name) {
		return nil, refuse("no_reaction")
	}
	return nil, nil
}

func (r *request) reactionsGet() (object, error) {
	c, m, err := r.itemArg()
	if err != nil {
		return nil, err
	}
	msg := r.w.fullMessageJSON(c, m, false)
	msg["permalink"] = r.w.permalink(c, m)
	return object{"type": "message", "channel": c.id, "message": msg}, nil
}
