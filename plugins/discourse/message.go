package discourse

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// message is a delivery that was read.
type message struct {
	event string // Discourse's name for it, such as post_created
	kind  string // the field of the data that it is about, where the delivery says that
	id    string
	data  json.RawMessage
	about about
	// asked says that it is a suspension of which the forum was asked who did it, see [Discourse.handle].
	asked *suspension
}

// maybe is a field that is left empty where it is not what it should be: an event is passed on whatever it says.
type maybe[T any] struct{ v T }

func (m *maybe[T]) UnmarshalJSON(raw []byte) error {
	var v T
	if json.Unmarshal(raw, &v) == nil {
		m.v = v
	}
	return nil
}

// person is somebody inside a payload.
type person struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// about is what is read of a payload, of whatever type it is (the serializers of Discourse's webhooks, checked 2026-11).
type about struct {
	ID        maybe[int64]     `json:"id"`
	UserID    maybe[int64]     `json:"user_id"`
	TopicID   maybe[int64]     `json:"topic_id"`
	Number    maybe[int64]     `json:"post_number"`
	GroupID   maybe[int64]     `json:"group_id"`
	Username  maybe[string]    `json:"username"`
	Archetype maybe[string]    `json:"archetype"`
	PostID    maybe[int64]     `json:"post_id"`
	CreatorID maybe[int64]     `json:"created_by_id"`
	GranterID maybe[int64]     `json:"granted_by_id"`
	CreatedAt maybe[time.Time] `json:"created_at"`
	CreatedBy maybe[person]    `json:"created_by"`
	User      maybe[person]    `json:"user"`
	Post      maybe[likedPost] `json:"post"`
	Fields    maybe[fields]    `json:"user_fields"`
	Seen      maybe[time.Time] `json:"last_seen_at"`
}

// likedPost is the post that a like is for.
type likedPost struct {
	ID      maybe[int64] `json:"id"`
	TopicID maybe[int64] `json:"topic_id"`
}

// parse reads a delivery of any event. Its ID is made of the event and the whole body: X-Discourse-Event-Id is another one for
// each attempt (checked 2026-11). What was added to a suspension is no part of it: asked twice, the forum may say something else, of the same fact.
func parse(d *gateway.Delivery) (*message, error) {
	m := &message{event: d.Header.Get(eventHeader), kind: d.Header.Get(kindHeader), data: d.Body}
	if m.event == "" && m.kind == "ping" { // so older versions say it
		m.event = "ping"
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(d.Body, &object); err != nil || object == nil {
		return nil, gateway.Errorf(gateway.Invalid, "it is no JSON object: the webhook's content type has to be application/json")
	}
	if m.event == "" {
		return nil, gateway.Errorf(gateway.Invalid, "it has no X-Discourse-Event")
	}
	if raw, ok := object[askedField]; ok && m.event == suspended {
		m.asked = new(suspension)
		_ = json.Unmarshal(raw, m.asked) // it is nobody's word but ours, or the forum's own
		delete(object, askedField)
	}
	_ = json.Unmarshal(m.subject(object), &m.about) // if it is an object
	m.id = m.event + ":" + sum(d.Body)
	if m.asked != nil {
		raw, err := json.Marshal(object)
		if err != nil {
			return nil, gateway.Errorf(gateway.Invalid, "encoding it again: %w", err)
		}
		m.id = m.event + ":asked:" + sum(raw)
	}
	return m, nil
}

// subject is what a delivery is about: what it says that it is, or its only field. Plugins of forums may add fields beside it.
func (m *message) subject(object map[string]json.RawMessage) json.RawMessage {
	if raw, ok := object[m.kind]; ok {
		return raw
	}
	for _, raw := range object {
		if len(object) == 1 {
			return raw
		}
	}
	return nil
}

func sum(body []byte) string {
	s := sha256.Sum256(body)
	return hex.EncodeToString(s[:])
}

// initiator is the ID of whoever did it, where the data says that for sure. Of an edit or a removal the user of the post is whose post it was, and so it
// is not used; nor is the recipient of a notification, nor somebody whom an administrator may have created.
func (m *message) initiator() string {
	a := m.about
	switch m.event {
	case "post_created", "topic_created":
		return idOf(a.UserID.v)
	case "post_liked":
		return idOf(a.User.v.ID)
	case "user_logged_in", "user_confirmed_email":
		return idOf(a.ID.v)
	case "reviewable_created":
		return idOf(a.CreatorID.v)
	case "user_badge_granted":
		return idOf(a.GranterID.v)
	case suspended:
		if m.asked != nil && m.asked.By != nil {
			return idOf(m.asked.By.ID)
		}
	}
	return ""
}

// idOf writes an account's ID. The forum's own accounts have negative ones; nobody has 0.
func idOf(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// at is when it happened; the zero time where only the delivery knows.
func (m *message) at() time.Time {
	if m.event == "post_created" || m.event == "topic_created" {
		return m.about.CreatedAt.v
	}
	return time.Time{}
}

// The names under which processes wait for what happens to a post or a topic.
func postRef(id int64) string  { return "post:" + strconv.FormatInt(id, 10) }
func topicRef(id int64) string { return "topic:" + strconv.FormatInt(id, 10) }

// refs are the posts and topics that it is about.
func (m *message) refs() []string {
	a := m.about
	var out []string
	add := func(id int64, ref func(int64) string) {
		if id != 0 {
			out = append(out, ref(id))
		}
	}
	switch kind, _, _ := strings.Cut(m.event, "_"); {
	case m.event == "post_liked":
		add(a.Post.v.ID.v, postRef)
		add(a.Post.v.TopicID.v, topicRef)
	case kind == "post":
		add(a.ID.v, postRef)
		add(a.TopicID.v, topicRef)
	case kind == "topic":
		add(a.ID.v, topicRef)
	}
	return out
}

// echoes are the names under which a call of ours, as the account with this name and ID, would have announced this. Some deliveries have the one, some the other.
func (m *message) echoes(account, id string) []string {
	a := m.about
	switch kind, _, _ := strings.Cut(m.event, "_"); {
	case m.event == "post_created" && strings.EqualFold(a.Username.v, account):
		return []string{told(m.event, a.ID.v), writing(a.TopicID.v), writing(0)}
	case m.event == "topic_created" && strings.EqualFold(a.CreatedBy.v.Username, account):
		return []string{told(m.event, a.ID.v), writing(0)}
	case m.event == "post_created", m.event == "topic_created":
		return nil
	case m.event == suspended && m.asked == nil:
		return nil // it is brought again, with who did it
	case m.event == suspended && m.asked.By != nil && !strings.EqualFold(m.asked.By.Username, account):
		return nil
	case m.event == "user_added_to_group", m.event == "user_removed_from_group":
		return []string{toldGroup(m.event, a.GroupID.v, a.UserID.v)}
	case m.event == "post_liked":
		if strings.EqualFold(a.User.v.Username, account) {
			return []string{told("liked", a.Post.v.ID.v)}
		}
	case m.event == "reviewable_created":
		if id != "" && idOf(a.CreatorID.v) == id {
			return []string{told("flagged", a.PostID.v)}
		}
	case kind == "post" && a.Number.v == 1:
		return []string{told(m.event, a.ID.v), toldOpening(m.event, a.TopicID.v)}
	case kind == "post", kind == "topic", kind == "user":
		return []string{told(m.event, a.ID.v)}
	}
	return nil
}

// told names what happened to a post, a topic or an account.
func told(event string, id int64) string { return event + ":" + strconv.FormatInt(id, 10) }

// toldOpening names what happened to a topic's opening post: when a topic is deleted or recovered, so is that, and it is told of both.
func toldOpening(event string, topic int64) string { return told("opening_"+event, topic) }

// toldTopic is what is told where a topic is deleted or recovered.
func toldTopic(what string, id int64) []string {
	return []string{told("topic_"+what, id), toldOpening("post_"+what, id)}
}

// toldGroup names what happened to somebody's membership of a group.
func toldGroup(event string, group, user int64) string {
	return told(event, group) + ":" + strconv.FormatInt(user, 10)
}

// writing names that the instance's account writes into a topic; 0: into a new one.
func writing(topic int64) string { return told("writing", topic) }
