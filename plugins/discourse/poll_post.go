package discourse

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// letter is one of a vote's own posts, written once however often it is tried.
type letter struct {
	Topic  int64     `json:"topic,omitempty" jsonschema_description:"The topic that it is in."`
	ID     int64     `json:"id,omitempty" jsonschema_description:"Its ID."`
	URL    string    `json:"url,omitempty" jsonschema_description:"Its address."`
	Opened bool      `json:"opened,omitempty" jsonschema_description:"The topic was opened for it."`
	Sent   bool      `json:"sent,omitempty" jsonschema_description:"The forum may have it."`
	Since  time.Time `json:"since,omitzero" jsonschema_description:"When it was first tried."`
}

// write posts. What is known of it is durable before the forum hears of it, and the post carries its name, in the topic's external ID or in the
// text, so that the next attempt finds it. topic is where; 0: a new one.
func (l *letter) write(ctx context.Context, r *pollRun, name string, topic int64, body map[string]any) error {
	d := r.Plugin
	if l.ID == 0 && l.Sent {
		if err := l.find(ctx, d, name); err != nil {
			return gateway.Errorf(gateway.CodeOf(err), "an earlier attempt may have posted, and it could not be looked for: %w", err)
		}
	}
	if l.ID != 0 {
		return nil
	}
	l.Topic, l.Opened, l.Sent = topic, topic == 0, true
	if l.Since.IsZero() {
		l.Since = r.Now()
	}
	if err := r.Save(ctx); err != nil {
		return err
	}
	made, err := d.postNamed(ctx, name, topic, body)
	switch {
	case gateway.CodeOf(err) == gateway.Unknown:
		e := l.find(ctx, d, name)
		if e == nil && l.ID != 0 {
			return nil
		}
		return gateway.Errorf(gateway.Unavailable, "it may have been posted, and is looked for again: %w", errors.Join(err, e))
	case err != nil:
		l.Sent = false // the forum said no: another attempt need not look
		if e := r.Save(ctx); e != nil {
			d.Log.WarnContext(ctx, "a refused post could not be noted", "process", r.ID(), "error", e)
		}
		return err
	}
	l.is(d, made)
	return nil
}

// is notes which post it is.
func (l *letter) is(d *Discourse, p post) {
	l.Topic, l.ID, l.URL = p.TopicID, p.ID, d.written(p).URL
}

// postNamed posts, and has the deliveries of it known as ours. Where the forum has posts approved first, nobody can say when, or whether, there
// will be one.
func (d *Discourse) postNamed(ctx context.Context, name string, topic int64, body map[string]any) (made post, err error) {
	body["raw"] = body["raw"].(string) + "\n\n" + marker(name) // which also makes it unlike any other: forums refuse what was just said
	if topic == 0 {
		body["external_id"] = externalID(name)
	} else {
		body["topic_id"] = topic
	}
	call := gateway.CallOf(ctx)
	if err := call.Expect(ctx, writing(topic)); err != nil {
		return made, err
	}
	if err := d.client().needs(scopeWrite).do(ctx, http.MethodPost, "/posts.json", nil, body, &made); err != nil {
		return made, err
	}
	if made.ID == 0 || made.TopicID == 0 {
		return made, gateway.Errorf(gateway.Denied, "the forum has the posts of the key's account approved first: no vote can be held like that")
	}
	call.Caused(d.wrote(made, topic == 0)...)
	return made, nil
}

// find looks for a post that may be there, and leaves the letter as it is where it is not.
func (l *letter) find(ctx context.Context, d *Discourse, name string) error {
	p, ok, err := post{}, false, error(nil)
	if l.Opened {
		p, ok, err = d.client().opened(ctx, name, topicsOf, l.Since)
	} else {
		p, ok, err = d.replied(ctx, l.Topic, name, l.Since)
	}
	if err == nil && ok {
		l.is(d, p)
		gateway.CallOf(ctx).Caused(d.wrote(p, l.Opened)...)
	}
	return err
}

// replied looks in a topic for a post of ours that carries a name, among those that were written since.
func (d *Discourse) replied(ctx context.Context, topic int64, name string, since time.Time) (post, bool, error) {
	c := d.client().needs(scopeRead)
	ids, err := c.stream(ctx, topic)
	if err != nil {
		return post{}, false, err
	}
	since = since.Add(-time.Minute) // clocks differ
	for range maxSearched {
		if len(ids) == 0 {
			return post{}, false, nil
		}
		n := max(0, len(ids)-postsAtOnce)
		posts, err := c.posts(ctx, topic, ids[n:])
		if err != nil {
			return post{}, false, err
		}
		ids = ids[:n]
		for _, p := range posts {
			if strings.Contains(p.Raw, marker(name)) && strings.EqualFold(p.Username, d.config.username()) {
				p.TopicID = topic
				return p, true, nil
			}
		}
		if slices.ContainsFunc(posts, func(p post) bool { return p.CreatedAt.Before(since) }) {
			return post{}, false, nil
		}
	}
	return post{}, false, gateway.Errorf(gateway.Unavailable, "topic %d has too many posts to look through", topic)
}
