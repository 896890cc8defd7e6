package fakeslack

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const maxText = 40_000

// channelArg finds the channel that the acting user may know of, by ID, by name, or by a user's ID for the direct message.
func (r *request) channelArg() (*channel, error) {
	id := r.arg("channel")
	if c := r.w.channels[id]; c != nil {
		if !c.visible(r.me()) {
			return nil, refuse("channel_not_found")
		}
		return c, nil
	}
	return nil, refuse("channel_not_found")
}

// postChannel also takes what chat.postMessage takes: #name, and a user's ID for the direct message with that user.
func (r *request) postChannel() (*channel, error) {
	id := r.arg("channel")
	if u := r.w.users[id]; u != nil {
		if u.deleted {
			return nil, refuse("channel_not_found")
		}
		c, _ := r.w.openDM([]string{r.me(), id})
		return c, nil
	}
	for _, c := range r.w.channels {
		if c.name != "" && c.name == strings.TrimPrefix(id, "#") && c.visible(r.me()) {
			return c, nil
		}
	}
	return r.channelArg()
}

// content reads and checks text, blocks and attachments.
func (r *request) content() (*message, error) {
	m := &message{text: r.arg("text")}
	if md := r.arg("markdown_text"); md != "" {
		if m.text != "" || r.arg("blocks") != "" {
			return nil, refuse("markdown_text_conflict")
		}
		if utf8.RuneCountInString(md) > 12_000 {
			return nil, refuse("msg_too_long")
		}
		m.text = md
	}
	if utf8.RuneCountInString(m.text) > maxText {
		return nil, refuse("msg_too_long")
	}
	var err error
	if m.blocks, err = r.s.parseBlocks(r.arg("blocks"), maxMessageBlocks); err != nil {
		return nil, err
	}
	if a := r.arg("attachments"); a != "" {
		if json.Unmarshal([]byte(a), &m.attachments) != nil {
			return nil, refuse("invalid_attachments")
		}
		if len(m.attachments) > 100 {
			return nil, refuse("too_many_attachments")
		}
		for i, x := range m.attachments {
			o, ok := x.(object)
			if !ok {
				return nil, refuse("invalid_attachments")
			}
			if b, ok := o["blocks"]; ok {
				blocks, err := r.s.parseBlocks(string(rawJSON(b)), maxMessageBlocks)
				if err != nil {
					return nil, err
				}
				o["blocks"] = blocks
			}
			o["id"] = i + 1
		}
	}
	if md := r.arg("metadata"); md != "" {
		if json.Unmarshal([]byte(md), &m.metadata) != nil {
			return nil, refuse("invalid_metadata_format")
		}
	}
	if len(m.metadata) == 0 {
		m.metadata = nil // an empty object is how chat.update takes metadata away
	} else {
		t, isText := m.metadata["event_type"].(string)
		if _, isObject := m.metadata["event_payload"].(object); !isText || t == "" || !isObject {
			return nil, refuse("invalid_metadata_schema")
		}
	}
	if strings.TrimSpace(m.text) == "" && len(m.blocks) == 0 && len(m.attachments) == 0 {
		return nil, refuse("no_text")
	}
	return m, nil
}

// authored fills in who wrote the message: the member of a user token, or the app's bot.
func (r *request) authored(m *message) *message {
	m.user, m.postedByApp = r.me(), true
	if r.tok.kind == kindBot {
		m.botID = r.tok.botID
		if name := r.arg("username"); name != "" && r.tok.has("chat:write.customize") {
			// With a name of its own the message is a bot_message without a user.
			m.username, m.subtype, m.user = name, "bot_message", ""
		}
		return m
	}
	if r.w.install != nil {
		m.botID = r.w.install.botID // messages by user tokens carry the app's bot_id too
	}
	m.userTokenUsed = true
	return m
}

// mayPost checks that the acting user may write here. chat:write.public lets a bot write to public channels it is not in.
func (r *request) mayPost(c *channel) error {
	if c.archived {
		return refuse("is_archived")
	}
	if !c.has(r.me()) && !(c.kind == kindPublic && r.tok.kind == kindBot && r.tok.has("chat:write.public")) {
		return refuse("not_in_channel")
	}
	return nil
}

func (r *request) newMessage() (*channel, *message, error) {
	c, err := r.postChannel()
	if err != nil {
		return nil, nil, err
	}
	if err := r.mayPost(c); err != nil {
		return nil, nil, err
	}
	m, err := r.content()
	if err != nil {
		return nil, nil, err
	}
	if ts := r.arg("thread_ts"); ts != "" {
		if !isTS(ts) {
			return nil, nil, refuse("invalid_thread_ts")
		}
		if c.find(ts) == nil {
			return nil, nil, refuse("thread_not_found")
		}
		m.threadTS = ts
		m.broadcast = r.flag("reply_broadcast")
	}
	return c, r.authored(m), nil
}

func (r *request) chatPostMessage() (object, error) {
	c, m, err := r.newMessage()
	if err != nil {
		return nil, err
	}
	if err := r.checkChannelRate(c); err != nil {
		return nil, err
	}
	r.w.post(c, m)
	shown := r.w.messageJSON(c, m)
	if m.metadata != nil {
		shown["metadata"] = m.metadata
	}
	return object{"channel": c.id, "ts": m.ts, "message": shown}, nil
}

// ownMessage finds a message that the caller may change: its own.
func (r *request) ownMessage(denied string) (*channel, *message, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, nil, err
	}
	m := c.find(r.arg("ts"))
	if m == nil {
		return nil, nil, refuse("message_not_found")
	}
	own := m.user == r.me() && m.subtype != "channel_join"
	if r.tok.kind == kindBot {
		own = m.botID == r.tok.botID && !m.userTokenUsed
	}
	if !own {
		return c, m, refuse(denied)
	}
	return c, m, nil
}

func (r *request) chatUpdate() (object, error) {
	c, m, err := r.ownMessage("cant_update_message")
	if err != nil {
		return nil, err
	}
	if c.archived {
		return nil, refuse("is_inactive")
	}
	change, err := r.content()
	if err != nil {
		return nil, err
	}
	r.w.edit(c, m, r.me(), func(m *message) {
		newText := r.args.Has("text") || r.args.Has("markdown_text")
		// A new text without blocks takes the old blocks away; attachments and metadata stay unless they are given.
		if r.args.Has("blocks") || newText {
			m.blocks = change.blocks
		}
		if newText {
			m.text = change.text
		}
		if r.args.Has("attachments") {
			m.attachments = change.attachments
		}
		if r.args.Has("metadata") {
			m.metadata = change.metadata
		}
	})
	return object{"channel": c.id, "ts": m.ts, "text": m.text, "message": r.w.messageJSON(c, m)}, nil
}

func (r *request) chatDelete() (object, error) {
	c, m, err := r.ownMessage("cant_delete_message")
	if err != nil {
		u := r.w.users[r.me()]
		// A person who administers the workspace may delete what others wrote; a bot never.
		if m == nil || r.tok.kind != kindUser || u == nil || !u.admin {
			return nil, err
		}
	}
	r.w.delete(c, m)
	return object{"channel": c.id, "ts": m.ts}, nil
}

func (r *request) chatPostEphemeral() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	if err := r.mayPost(c); err != nil {
		return nil, err
	}
	u := r.w.users[r.arg("user")]
	if u == nil || u.deleted || !c.has(u.id) {
		return nil, refuse("user_not_in_channel")
	}
	m, err := r.content()
	if err != nil {
		return nil, err
	}
	m.threadTS = r.arg("thread_ts")
	r.authored(m)
	return object{"message_ts": r.w.whisper(c.id, u.id, m)}, nil
}

// whisper shows a message to one person. Nothing is sent to the app about it.
func (w *Workspace) whisper(channel, user string, m *message) string {
	m.ts, m.ephemeral = w.s.ts(), true
	w.ephemerals = append(w.ephemerals, &ephemeral{channel: channel, user: user, msg: m})
	return m.ts
}

func (r *request) chatGetPermalink() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	m := c.find(r.arg("message_ts"))
	if m == nil {
		return nil, refuse("message_not_found")
	}
	return object{"channel": c.id, "permalink": r.w.permalink(c, m)}, nil
}

func (r *request) chatSchedule() (object, error) {
	c, m, err := r.newMessage()
	if err != nil {
		return nil, err
	}
	at, perr := strconv.ParseInt(r.arg("post_at"), 10, 64)
	now := unix(r.s.opt.Now())
	switch {
	case perr != nil:
		return nil, refuse("invalid_time")
	case at <= now:
		return nil, refuse("time_in_past")
	case at > now+120*24*3600:
		return nil, refuse("time_too_far")
	}
	p := &scheduled{id: r.s.id("Q"), channel: c.id, at: at, msg: m}
	r.w.scheduled[p.id] = p
	shown := r.w.messageJSON(c, m)
	delete(shown, "ts")
	shown["type"] = "delayed_message"
	return object{"channel": c.id, "scheduled_message_id": p.id, "post_at": at, "message": shown}, nil
}

func (r *request) chatDeleteScheduled() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	p := r.w.scheduled[r.arg("scheduled_message_id")]
	if p == nil || p.channel != c.id || p.msg.botID != r.tok.botID && p.msg.user != r.me() {
		return nil, refuse("invalid_scheduled_message_id")
	}
	delete(r.w.scheduled, p.id)
	return nil, nil
}

// PostScheduled posts every scheduled message whose time has come by the fake's clock, and returns how many.
func (s *Server) PostScheduled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, w := range s.workspaces {
		var due []*scheduled
		for _, p := range w.scheduled {
			if !time.Unix(p.at, 0).After(s.opt.Now()) {
				due = append(due, p)
			}
		}
		sortScheduled(due)
		for _, p := range due {
			delete(w.scheduled, p.id)
			if c := w.channels[p.channel]; c != nil && !c.archived {
				w.post(c, p.msg)
				n++
			}
		}
	}
	return n
}
