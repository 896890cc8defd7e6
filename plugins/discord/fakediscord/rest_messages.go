package fakediscord

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// nonceUse remembers a message for its nonce.
type nonceUse struct {
	m  *message
	at time.Time
}

// nonceLife is how long a nonce is checked for uniqueness. Discord says "a few minutes".
const nonceLife = 5 * time.Minute

// listMessages lists a page, newest first whichever way it is asked for.
func (r *request) listMessages() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	q := r.call.Query
	limit, err := count(q, 1, 100, 50)
	if err != nil {
		return nil, err
	}
	at := map[string]uint64{}
	for _, k := range []string{"around", "before", "after"} {
		if at[k], err = cursor(q, k); err != nil {
			return nil, err
		}
	}
	if c.g != nil && c.g.perms(r.me(), c)&PermReadMessageHistory == 0 {
		return []object{}, nil
	}
	page := pageOf(c.order, at, limit, q.Has("after"))
	out := []object{}
	for _, m := range slices.Backward(page) {
		out = append(out, r.hide(m))
	}
	return out, nil
}

// pageOf takes a page out of messages that are sorted by ID.
func pageOf(all []*message, at map[string]uint64, limit int, after bool) []*message {
	index := func(id uint64) int {
		i, _ := slices.BinarySearchFunc(all, id, func(m *message, id uint64) int { return compareIDs(m.id, idText(id)) })
		return i
	}
	switch {
	case at["around"] != 0:
		i := index(at["around"])
		from := max(0, i-limit/2)
		return all[from:min(len(all), from+limit)]
	case at["before"] != 0:
		i := index(at["before"])
		return all[max(0, i-limit):i]
	case after:
		i := index(at["after"] + 1)
		return all[i:min(len(all), i+limit)]
	}
	return all[max(0, len(all)-limit):]
}

// hide shows a message, without content if the app may not read it. Discord withholds it by the API as on the Gateway.
func (r *request) hide(m *message) object {
	o := m.show(r.me())
	if r.s.opt.DisallowedIntents&IntentMessageContent != 0 && !m.open(r.me()) {
		withhold(o)
	}
	return o
}

func (r *request) getMessage() (any, error) {
	m, err := r.message(PermReadMessageHistory)
	if err != nil {
		return nil, err
	}
	return r.hide(m), nil
}

func (r *request) postMessage() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	me := r.me()
	var in messageForm
	if strings.HasPrefix(r.http.Header.Get("Content-Type"), "multipart/") {
		return nil, invalid("files", "NOT_IN_THIS_FAKE", "the fake takes no files")
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if m := r.nonce(c, in); m != nil {
		return m.show(me), nil
	}
	if err := c.writable(me); err != nil {
		return nil, err
	}
	d, err := in.draft(r.s)
	if err != nil {
		return nil, err
	}
	if d.empty() {
		return nil, refuse(50006)
	}
	if d.poll != nil {
		if err := c.need(me, PermSendPolls); err != nil {
			return nil, err
		}
	}
	m := &message{c: c, author: me, nonce: in.Nonce}
	if err := r.refer(m, in); err != nil {
		return nil, err
	}
	d.flags &= suppressEmbeds | silentFlag | componentsV2
	m.apply(d)
	m.flags = d.flags
	c.post(m)
	if in.Nonce != nil {
		r.s.nonces[nonceKey(c, me, in.Nonce)] = nonceUse{m, r.s.opt.Now()}
	}
	o := m.show(me)
	if in.Nonce != nil {
		o["nonce"] = in.Nonce
	}
	return o, nil
}

func nonceKey(c *channel, who string, nonce any) string {
	return fmt.Sprint(c.id, " ", who, " ", nonce)
}

// nonce finds the message that was posted with the same nonce a moment ago: with enforce_nonce it is answered, and no other is made.
func (r *request) nonce(c *channel, in messageForm) *message {
	if in.Nonce == nil || !deref(in.Enforce) {
		return nil
	}
	use, ok := r.s.nonces[nonceKey(c, r.me(), in.Nonce)]
	if !ok || r.s.opt.Now().Sub(use.at) >= nonceLife || use.m.deleted {
		return nil
	}
	return use.m
}

// refer makes the message a reply.
func (r *request) refer(m *message, in messageForm) error {
	if in.Reference == nil {
		return nil
	}
	if deref(in.Reference.Type) != 0 {
		return invalid("message_reference.type", "NOT_IN_THIS_FAKE", "the fake does not forward")
	}
	c := m.c
	if err := c.need(r.me(), PermReadMessageHistory); err != nil {
		return refuse(160002)
	}
	to := c.messages[in.Reference.MessageID]
	if to == nil || to.whisperTo != "" || in.Reference.ChannelID != "" && in.Reference.ChannelID != c.id {
		if in.Reference.FailIfNot != nil && !*in.Reference.FailIfNot {
			return nil
		}
		return invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
	}
	m.typ, m.replyTo = 19, to
	m.reference = withGuild(c, object{"type": 0, "message_id": to.id, "channel_id": c.id})
	return nil
}

// patchMessage edits the app's own message; of others' it may only hide the embeds.
func (r *request) patchMessage() (any, error) {
	m, err := r.message(0)
	if err != nil {
		return nil, err
	}
	if m.author != r.me() {
		return nil, refuse(50005)
	}
	if err := m.c.archivedErr(); err != nil {
		return nil, err
	}
	if t := m.c.thread; t != nil && t.locked && m.c.g.perms(r.me(), m.c)&PermManageThreads == 0 {
		return nil, refuse(160005)
	}
	d, err := r.edited(m)
	if err != nil {
		return nil, err
	}
	m.edit(d)
	return m.show(r.me()), nil
}

// edited is the message's draft after the body's changes: what it does not name stays.
func (r *request) edited(m *message) (draft, error) {
	var in messageForm
	if err := r.into(&in); err != nil {
		return draft{}, err
	}
	if m.poll != nil && !m.loading {
		return draft{}, refuse(520003)
	}
	if !r.has("flags") {
		keep := m.flags & editableFlags
		in.Flags = &keep
	}
	d, err := in.draft(r.s)
	if err != nil {
		return d, err
	}
	if !r.has("content") {
		d.content = m.content
	}
	if !r.has("embeds") {
		d.embeds = m.embeds
	}
	if !r.has("components") {
		d.components = m.components
	}
	d.flags &= editableFlags
	if d.empty() {
		return d, refuse(50006)
	}
	return d, nil
}

func (r *request) deleteMessage() (any, error) {
	m, err := r.message(0)
	if err != nil {
		return nil, err
	}
	return nil, m.deleteBy(r.me(), r.call.Reason)
}

// bulkDelete deletes 2 to 100 messages that are younger than 14 days. Those that are not there are passed over.
func (r *request) bulkDelete() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	if c.g == nil {
		return nil, refuse(50003)
	}
	if err := c.need(r.me(), PermManageMessages); err != nil {
		return nil, err
	}
	var in struct{ Messages []string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if len(in.Messages) < 2 || len(in.Messages) > 100 {
		return nil, refuse(50016)
	}
	oldest := uint64(r.s.opt.Now().Add(-14*24*time.Hour).UnixMilli()-epoch) << 22
	var gone []*message
	for i, id := range in.Messages {
		if slices.Contains(in.Messages[:i], id) {
			return nil, invalid("messages", "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value")
		}
		if num(id) < oldest {
			return nil, refuse(50034)
		}
		if m := c.messages[id]; m != nil && m.whisperTo == "" {
			gone = append(gone, m)
		}
	}
	c.deleteMany(gone)
	c.g.log(auditEntry{action: AuditBulkDelete, user: r.me(), target: c.id, reason: r.call.Reason,
		option: object{"count": fmt.Sprint(len(gone))}})
	return nil, nil
}

func (r *request) typing() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	return nil, c.need(r.me(), PermSendMessages)
}
