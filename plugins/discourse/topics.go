package discourse

import (
	"context"
	"net/http"
	"strconv"
	"time"
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
		method: http.MethodPut, path: postPath(in.ID) + "/recover.json", scope: scopeRecPost, echoes: []string{told("post_recovered", in.ID)},
		already: func() (bool, error) {
			gone, err := d.postDeleted(ctx, in.ID)
			return !gone, err
		},
	})
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
		method: http.MethodDelete, path: topicPath(in.ID) + ".json", scope: scopeDelTopic, echoes: []string{told("topic_destroyed", in.ID)},
		already: func() (bool, error) { return d.topicDeleted(ctx, in.ID) },
	})
}

func (d *Discourse) recoverTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.done(ctx, act{
		method: http.MethodPut, path: topicPath(in.ID) + "/recover.json", scope: scopeRecTopic, echoes: []string{told("topic_recovered", in.ID)},
		already: func() (bool, error) {
			gone, err := d.topicDeleted(ctx, in.ID)
			return !gone, err
		},
	})
}

// topicDeleted asks whether a topic is deleted, which the staff still sees.
func (d *Discourse) topicDeleted(ctx context.Context, id int64) (bool, error) {
	var t struct {
		DeletedAt *time.Time `json:"deleted_at"`
	}
	err := d.client().do(ctx, http.MethodGet, topicPath(id)+".json", nil, nil, &t)
	return t.DeletedAt != nil, err
}

// EditTopic is the input of edit-topic. What is absent stays as it is.
type EditTopic struct {
	TopicID
	Title    string    `json:"title,omitempty" jsonschema:"maxLength=255" jsonschema_description:"The new title."`
	Category int64     `json:"category,omitempty" choices:"categories" jsonschema:"minimum=1" jsonschema_description:"The ID of the new category."`
	Tags     *[]string `json:"tags,omitempty" jsonschema:"maxItems=20" jsonschema_description:"The new tags, all of them. An empty list takes them away."`
}

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
		method: http.MethodPut, path: "/t/-/" + strconv.FormatInt(in.ID, 10) + ".json", scope: scopeTopic, body: map[string]any{"topic": topic}, echoes: []string{told("topic_edited", in.ID)},
	})
}

func (d *Discourse) closeTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.status(ctx, in.ID, "closed", true, nil)
}

func (d *Discourse) openTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.status(ctx, in.ID, "closed", false, nil)
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
	return d.status(ctx, in.ID, status, true, &until)
}

func (d *Discourse) unpinTopic(ctx context.Context, in TopicID) (Done, error) {
	return d.status(ctx, in.ID, "pinned", false, nil)
}

// status switches one of a topic's. The forum tells of it whether or not it changes anything.
func (d *Discourse) status(ctx context.Context, topic int64, status string, on bool, until *time.Time) (Done, error) {
	body := map[string]any{"status": status, "enabled": strconv.FormatBool(on)}
	if until != nil {
		body["until"] = until.Format(time.DateOnly)
	}
	return d.done(ctx, act{
		method: http.MethodPut, path: topicPath(topic) + "/status.json", scope: scopeTopic, body: body, echoes: []string{told("topic_"+status+"_status_updated", topic)},
	})
}
