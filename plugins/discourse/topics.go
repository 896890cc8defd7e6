package discourse

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// PostID names a post.
type PostID struct {
	ID int64 `json:"id" jsonschema:"minimum=1" jsonschema_description:"The post's ID."`
}

// TopicID names a topic.
type TopicID struct {
	ID int64 `json:"id" jsonschema:"minimum=1" jsonschema_description:"The topic's ID."`
}

func postPath(id int64) string  { return "/posts/" + strconv.FormatInt(id, 10) }
func topicPath(id int64) string { return "/t/" + strconv.FormatInt(id, 10) }

func (d *Discourse) deletePost(ctx context.Context, in PostID) (Done, error) {
	return d.done(ctx, act{
		method: http.MethodDelete, path: postPath(in.ID) + ".json", scope: scopeDelPost, echoes: []string{told("post_destroyed", in.ID)},
		already: func() (bool, error) { return d.postDeleted(ctx, in.ID) },
	})
}

func (d *Discourse) recoverPost(ctx context.Context, in PostID) (Done, error) {
	return d.done(ctx, act{
		method: http.MethodPut, path: postPath(in.ID) + "/recover.json", scope: scopeRecPost, echoes: d.toldRecovered(ctx, in.ID),
		already: func() (bool, error) {
			gone, err := d.postDeleted(ctx, in.ID)
			return !gone, err
		},
	})
}

// toldRecovered is what is told where a post is recovered: an opening post, which nobody can delete without its topic, brings that back with it
// (lib/post_destroyer.rb and lib/guardian/post_guardian.rb of Discourse, checked 2026-11). Where it cannot be asked which it is, it is taken for another.
func (d *Discourse) toldRecovered(ctx context.Context, id int64) []string {
	out := []string{told("post_recovered", id)}
	var p post
	if err := d.client().do(ctx, http.MethodGet, postPath(id)+".json", nil, nil, &p); err == nil && p.Number == 1 {
		out = append(out, told("topic_recovered", p.TopicID))
	}
	return out
}

// postDeleted asks whether a post is deleted, or marked so by its author.
func (d *Discourse) postDeleted(ctx context.Context, id int64) (bool, error) {
	var p post
	err := d.client().do(ctx, http.MethodGet, postPath(id)+".json", nil, nil, &p)
	return p.DeletedAt != nil || p.Gone, err
}

// LockPost is the input of lock-post.
type LockPost struct {
	PostID
	Locked bool `json:"locked" jsonschema_description:"Whether it is to be locked, or unlocked."`
}

// Locked is its answer.
type Locked struct {
	Locked bool `json:"locked" jsonschema_description:"Whether it is locked now."`
}

// lockPost has no delivery of its own: Discourse tells nobody.
func (d *Discourse) lockPost(ctx context.Context, in LockPost) (out Locked, err error) {
	_, err = d.perform(ctx, act{
		method: http.MethodPut, path: postPath(in.ID) + "/locked.json", scope: global, body: map[string]any{"locked": strconv.FormatBool(in.Locked)},
	}, &out)
	return out, err
}

func (d *Discourse) deleteTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.done(ctx, act{
		method: http.MethodDelete, path: topicPath(in.ID) + ".json", scope: scopeDelTopic, echoes: toldTopic("destroyed", in.ID),
		already: func() (bool, error) { return d.topicDeleted(ctx, in.ID) },
	})
}

func (d *Discourse) recoverTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.done(ctx, act{
		method: http.MethodPut, path: topicPath(in.ID) + "/recover.json", scope: scopeRecTopic, echoes: toldTopic("recovered", in.ID),
		already: func() (bool, error) {
			gone, err := d.topicDeleted(ctx, in.ID)
			return !gone, err
		},
	})
}

// topic is a topic as the API has it.
type topic struct {
	Title     string     `json:"title"`
	Category  int64      `json:"category_id"`
	Tags      []tag      `json:"tags"`
	Closed    bool       `json:"closed"`
	PinnedAt  *time.Time `json:"pinned_at"`
	Globally  bool       `json:"pinned_globally"`
	DeletedAt *time.Time `json:"deleted_at"`
}

// tag is a tag's name. Newer versions of Discourse write an object with it.
type tag string

func (t *tag) UnmarshalJSON(raw []byte) error {
	var o struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(raw, (*string)(t)) != nil && json.Unmarshal(raw, &o) == nil {
		*t = tag(o.Name)
	}
	return nil
}

// topic asks for one.
func (c client) topic(ctx context.Context, id int64) (out topic, err error) {
	err = c.needs(scopeRead).do(ctx, http.MethodGet, topicPath(id)+".json", nil, nil, &out)
	return out, err
}

// topicDeleted asks whether a topic is deleted, which the staff still sees.
func (d *Discourse) topicDeleted(ctx context.Context, id int64) (bool, error) {
	t, err := d.client().topic(ctx, id)
	return t.DeletedAt != nil, err
}

// EditPost is the input of edit-post.
type EditPost struct {
	PostID
	Raw    string `json:"raw" jsonschema:"minLength=1,maxLength=150000" jsonschema_description:"The new text, in Discourse's Markdown."`
	Reason string `json:"edit_reason,omitempty" jsonschema:"maxLength=255" jsonschema_description:"Why, for the post's history."`
}

func (d *Discourse) editPost(ctx context.Context, in EditPost) (Done, error) {
	edit := map[string]any{"raw": in.Raw}
	if in.Reason != "" {
		edit["edit_reason"] = in.Reason
	}
	return d.done(ctx, act{
		method: http.MethodPut, path: postPath(in.ID) + ".json", scope: scopeEdit, body: map[string]any{"post": edit}, echoes: []string{told("post_edited", in.ID)},
		first: true, already: func() (bool, error) {
			var p post
			err := d.client().do(ctx, http.MethodGet, postPath(in.ID)+".json", nil, nil, &p)
			return kept(p.Raw) == kept(in.Raw), err
		},
	})
}

// kept is a text as a forum keeps it: with one kind of space, and none at its end (lib/text_cleaner.rb and lib/post_revisor.rb of Discourse, checked 2026-11).
func kept(raw string) string {
	raw = strings.Map(func(r rune) rune {
		if r == '\u180e' || unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, raw)
	return strings.TrimRightFunc(raw, unicode.IsSpace)
}

// EditTopic is the input of edit-topic. What is absent stays as it is.
type EditTopic struct {
	TopicID
	Title    string    `json:"title,omitempty" jsonschema:"maxLength=255" jsonschema_description:"The new title."`
	Category int64     `json:"category,omitempty" choices:"categories" jsonschema:"minimum=1" jsonschema_description:"The ID of the new category."`
	Tags     *[]string `json:"tags,omitempty" jsonschema:"maxItems=20" jsonschema_description:"The new tags, all of them. An empty list takes them away."`
}

// editTopic sends the fields at the top: so Discourse reads them (app/controllers/topics_controller.rb, checked 2026-11), while its description has them in
// an object that it does not look into. An edit of a topic is told of the topic, and not of its opening post too (config/initializers/012-web_hook_events.rb):
// what was expected of that would be taken for ours when somebody edits it later.
func (d *Discourse) editTopic(ctx context.Context, in EditTopic) (Done, error) {
	topic := map[string]any{}
	if in.Title != "" {
		topic["title"] = in.Title
	}
	if in.Category != 0 {
		topic["category_id"] = in.Category
	}
	if in.Tags != nil {
		topic["tags"] = *in.Tags
		if len(*in.Tags) == 0 {
			topic["tags"] = []string{""} // an empty list in JSON does not arrive
		}
	}
	return d.done(ctx, act{
		method: http.MethodPut, path: "/t/-/" + strconv.FormatInt(in.ID, 10) + ".json", scope: scopeTopic, body: topic, echoes: []string{told("topic_edited", in.ID)},
		first: true, already: func() (bool, error) {
			t, err := d.client().topic(ctx, in.ID)
			return in.same(t), err
		},
	})
}

// same says that a topic is so already.
func (in EditTopic) same(t topic) bool {
	if in.Title != "" && in.Title != t.Title || in.Category != 0 && in.Category != t.Category {
		return false
	}
	if in.Tags == nil {
		return true
	}
	have, want := []string{}, slices.Sorted(slices.Values(*in.Tags))
	for _, name := range t.Tags {
		have = append(have, string(name))
	}
	slices.Sort(have)
	return slices.Equal(have, want)
}

func (d *Discourse) closeTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.status(ctx, in.ID, "closed", true, nil, func(t topic) bool { return t.Closed })
}

func (d *Discourse) openTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.status(ctx, in.ID, "closed", false, nil, func(t topic) bool { return !t.Closed })
}

// PinTopic is the input of pin-topic.
type PinTopic struct {
	TopicID
	Globally bool       `json:"globally,omitempty" jsonschema_description:"On top of all lists, not of its category alone."`
	Until    *time.Time `json:"until,omitempty" jsonschema_description:"Until when. Absent: until somebody takes the pin away."`
}

// forever is until when something holds that has no end; Discourse's own pages use the same.
var forever = time.Date(3018, 1, 1, 0, 0, 0, 0, time.UTC)

func (d *Discourse) pinTopic(ctx context.Context, in PinTopic) (Done, error) {
	status := "pinned"
	if in.Globally {
		status = "pinned_globally"
	}
	until := forever
	if in.Until != nil {
		until = in.Until.UTC()
	}
	return d.status(ctx, in.ID, status, true, &until, func(t topic) bool {
		return in.Until == nil && t.PinnedAt != nil && t.Globally == in.Globally
	})
}

func (d *Discourse) unpinTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.status(ctx, in.ID, "pinned", false, nil, func(t topic) bool { return t.PinnedAt == nil })
}

// status switches one of a topic's. A forum tells of nothing where nothing changes, so that is asked before: otherwise what somebody does later would be
// taken for ours.
func (d *Discourse) status(ctx context.Context, id int64, status string, on bool, until *time.Time, is func(topic) bool) (Done, error) {
	body := map[string]any{"status": status, "enabled": strconv.FormatBool(on)}
	if until != nil {
		body["until"] = until.Format(time.RFC3339)
	}
	return d.done(ctx, act{
		method: http.MethodPut, path: topicPath(id) + "/status.json", scope: scopeTopic, body: body, echoes: []string{told("topic_"+status+"_status_updated", id)},
		first: true, already: func() (bool, error) {
			t, err := d.client().topic(ctx, id)
			return is(t), err
		},
	})
}
