package discourse

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Written is what was posted.
type Written struct {
	ID      int64  `json:"id" jsonschema_description:"The post's ID."`
	TopicID int64  `json:"topic_id" jsonschema_description:"The topic's ID."`
	URL     string `json:"url" jsonschema_description:"The post's address."`
}

// post is a post as the API has it.
type post struct {
	ID        int64      `json:"id"`
	TopicID   int64      `json:"topic_id"`
	Number    int        `json:"post_number"`
	Slug      string     `json:"topic_slug"`
	Username  string     `json:"username"`
	Raw       string     `json:"raw"`
	CreatedAt time.Time  `json:"created_at"`
	DeletedAt *time.Time `json:"deleted_at"`
	Gone      bool       `json:"user_deleted"` // by its author, and it shows that
	Locked    bool       `json:"locked"`
	Action    string     `json:"action"` // enqueued: it is no post yet
}

// written says where a post is.
func (d *Discourse) written(p post) Written {
	at := baseOf(d.config.URL) + "/t/" + first(url.PathEscape(p.Slug), "-") + "/" + strconv.FormatInt(p.TopicID, 10)
	if p.Number > 1 {
		at += "/" + strconv.Itoa(p.Number)
	}
	return Written{ID: p.ID, TopicID: p.TopicID, URL: at}
}

// CreateTopic is the input of create-topic.
type CreateTopic struct {
	Title    string   `json:"title" jsonschema:"minLength=1,maxLength=255" jsonschema_description:"The title. The forum says how long it has to be."`
	Raw      string   `json:"raw" jsonschema:"minLength=1,maxLength=150000" jsonschema_description:"The text, in Discourse's Markdown."`
	Category int64    `json:"category,omitempty" choices:"categories" jsonschema:"minimum=1" jsonschema_description:"The category's ID. Absent: the forum's own choice."`
	Tags     []string `json:"tags,omitempty" jsonschema:"maxItems=20" jsonschema_description:"The tags."`
}

func (d *Discourse) createTopic(ctx context.Context, in CreateTopic) (Written, error) {
	body := map[string]any{"title": in.Title, "raw": in.Raw}
	if in.Category != 0 {
		body["category"] = in.Category
	}
	if len(in.Tags) > 0 {
		body["tags"] = in.Tags
	}
	return d.open(ctx, body)
}

// open opens a topic, and has the deliveries of it known as ours.
func (d *Discourse) open(ctx context.Context, body map[string]any) (Written, error) {
	if id := gateway.CallOf(ctx).ID(); id != "" {
		d.client().sign(body, id)
	}
	p, err := d.write(ctx, 0, body)
	return d.written(p), err
}

// write posts. topic is where; 0: a new one.
func (d *Discourse) write(ctx context.Context, topic int64, body map[string]any) (post, error) {
	call := gateway.CallOf(ctx)
	if err := call.Expect(ctx, writing(topic)); err != nil {
		return post{}, err
	}
	var made post
	if err := d.client().needs(scopeWrite).do(ctx, http.MethodPost, "/posts.json", nil, body, &made); err != nil {
		return post{}, err
	}
	if made.Action == "enqueued" {
		return post{}, gateway.Errorf(gateway.Conflict, "discourse: POST /posts.json: the forum has what the account writes approved first, and it waits for that")
	}
	if made.ID == 0 || made.TopicID == 0 {
		return post{}, gateway.Errorf(gateway.Unknown, "discourse: POST /posts.json: the answer names no post")
	}
	call.Caused(d.wrote(made, topic == 0)...)
	return made, nil
}

// wrote are the names of what was posted.
func (d *Discourse) wrote(p post, opened bool) []string {
	out := []string{told("post_created", p.ID)}
	if opened {
		out = append(out, told("topic_created", p.TopicID))
	}
	return out
}

func (d *Discourse) findTopic(ctx context.Context, _ CreateTopic) (Written, gateway.Found, error) {
	return d.findOpened(ctx, topicsOf)
}

// findOpened looks for the topic that a call may have opened.
func (d *Discourse) findOpened(ctx context.Context, among string) (Written, gateway.Found, error) {
	call := gateway.CallOf(ctx)
	p, ok, err := d.client().opened(ctx, call.ID(), among, call.Started())
	if err != nil || !ok {
		return Written{}, missing(err), err
	}
	call.Caused(d.wrote(p, true)...)
	return d.written(p), gateway.Happened, nil
}

// missing is what a look-up says that found nothing.
func missing(err error) gateway.Found {
	if err != nil {
		return gateway.CannotTell
	}
	return gateway.DidNot
}

// CreatePost is the input of create-post.
type CreatePost struct {
	TopicID int64  `json:"topic_id" jsonschema:"minimum=1" jsonschema_description:"The topic's ID."`
	Raw     string `json:"raw" jsonschema:"minLength=1,maxLength=150000" jsonschema_description:"The text, in Discourse's Markdown."`
	ReplyTo int    `json:"reply_to_post_number,omitempty" jsonschema:"minimum=1" jsonschema_description:"The number, in the topic, of the post that it answers."`
}

func (d *Discourse) createPost(ctx context.Context, in CreatePost) (Written, error) {
	body := map[string]any{"topic_id": in.TopicID, "raw": in.Raw}
	if id := gateway.CallOf(ctx).ID(); id != "" {
		body["raw"] = in.Raw + "\n\n" + marker(id)
	}
	if in.ReplyTo != 0 {
		body["reply_to_post_number"] = in.ReplyTo
	}
	p, err := d.write(ctx, in.TopicID, body)
	return d.written(p), err
}

const (
	postsAtOnce = 20 // that a topic's posts are read; it is what Discourse's own pages do
	maxSearched = 50 // times, newest first
)

// findPost looks for a post that carries the call's marker, among those that were made since the call began.
func (d *Discourse) findPost(ctx context.Context, in CreatePost) (Written, gateway.Found, error) {
	call := gateway.CallOf(ctx)
	c := d.client().needs(scopeRead)
	ids, err := c.stream(ctx, in.TopicID)
	if err != nil {
		return Written{}, gateway.CannotTell, err
	}
	since := call.Started().Add(-time.Minute) // clocks differ
	for range maxSearched {
		if len(ids) == 0 {
			return Written{}, gateway.DidNot, nil
		}
		n := max(0, len(ids)-postsAtOnce)
		posts, err := c.posts(ctx, in.TopicID, ids[n:])
		if err != nil {
			return Written{}, gateway.CannotTell, err
		}
		ids = ids[:n]
		for _, p := range posts {
			if strings.Contains(p.Raw, marker(call.ID())) && strings.EqualFold(p.Username, d.config.username()) {
				p.TopicID = in.TopicID
				call.Caused(d.wrote(p, false)...)
				return d.written(p), gateway.Happened, nil
			}
		}
		if slices.ContainsFunc(posts, func(p post) bool { return p.CreatedAt.Before(since) }) {
			return Written{}, gateway.DidNot, nil
		}
	}
	return Written{}, gateway.CannotTell, nil
}

// stream lists the IDs of a topic's posts, in their order. Of one with ten thousand posts Discourse does not tell them (app/serializers/post_stream_serializer_mixin.rb,
// checked 2026-11): that there is no such post there cannot be said then.
func (c client) stream(ctx context.Context, topic int64) ([]int64, error) {
	var out struct {
		Stream struct {
			IDs  []int64 `json:"stream"`
			Mega bool    `json:"isMegaTopic"`
		} `json:"post_stream"`
	}
	err := c.do(ctx, http.MethodGet, "/t/"+strconv.FormatInt(topic, 10)+".json", nil, nil, &out)
	if err == nil && out.Stream.Mega {
		err = gateway.Errorf(gateway.Unavailable, "topic %d has too many posts to look through", topic)
	}
	return out.Stream.IDs, err
}

// posts reads some posts of a topic, with their texts as they were written.
func (c client) posts(ctx context.Context, topic int64, ids []int64) ([]post, error) {
	q := url.Values{"include_raw": {"true"}}
	for _, id := range ids {
		q.Add("post_ids[]", strconv.FormatInt(id, 10))
	}
	var out struct {
		Stream struct {
			Posts []post `json:"posts"`
		} `json:"post_stream"`
	}
	err := c.do(ctx, http.MethodGet, "/t/"+strconv.FormatInt(topic, 10)+"/posts.json", q, nil, &out)
	return out.Stream.Posts, err
}

// CreateMessage is the input of create-message.
type CreateMessage struct {
	Title     string   `json:"title" jsonschema:"minLength=1,maxLength=255" jsonschema_description:"The title."`
	Raw       string   `json:"raw" jsonschema:"minLength=1,maxLength=150000" jsonschema_description:"The text, in Discourse's Markdown."`
	Usernames []string `json:"target_usernames,omitempty" jsonschema:"maxItems=30" jsonschema_description:"The names of those who get it."`
	UserIDs   []string `json:"target_user_ids,omitempty" jsonschema:"maxItems=30" jsonschema_description:"The IDs of those who get it."`
	Groups    []string `json:"target_group_names,omitempty" jsonschema:"maxItems=10" jsonschema_description:"The names of groups that get it."`
}

func (d *Discourse) createMessage(ctx context.Context, in CreateMessage) (Written, error) {
	names := append(slices.Clone(in.Usernames), in.Groups...)
	for _, id := range in.UserIDs {
		u, err := d.who(ctx, Person{UserID: id})
		if err != nil {
			return Written{}, err
		}
		names = append(names, u.Username)
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, ", @") { // the forum would write to an address outside
			return Written{}, gateway.Errorf(gateway.Invalid, "%q is no name of an account or group", name)
		}
	}
	if len(names) == 0 {
		return Written{}, gateway.Errorf(gateway.Invalid, "give target_usernames, target_user_ids or target_group_names: a message needs somebody who gets it")
	}
	return d.open(ctx, map[string]any{"title": in.Title, "raw": in.Raw, "archetype": "private_message", "target_recipients": strings.Join(names, ",")})
}

func (d *Discourse) findMessage(ctx context.Context, _ CreateMessage) (Written, gateway.Found, error) {
	return d.findOpened(ctx, messagesOf)
}
