package discourse

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// marker is what is written into a post so that it is found again by whoever lost the forum's answer. Nobody sees it: it is a comment of HTML.
func marker(call string) string { return "<!-- gateway:" + call + " -->" }

// externalID names a topic by the call that opens it, so that it is found where the answer was lost. A topic has one, and nobody else can give it the same.
func externalID(call string) string { return "gateway-" + call }

// sign names the topic that is opened. Of a user API key a forum takes no external ID (app/controllers/posts_controller.rb of Discourse, checked 2026-11):
// there the text says it.
func (c client) sign(body map[string]any, call string) {
	if !c.own {
		body["external_id"] = externalID(call)
		return
	}
	body["raw"] = body["raw"].(string) + "\n\n" + marker(call)
}

// What an account has opened: the part of the path that lists it.
const (
	topicsOf   = "created-by"
	messagesOf = "private-messages-sent"
)

// opened finds the opening post of the topic that a call has opened since then.
func (c client) opened(ctx context.Context, call, among string, since time.Time) (post, bool, error) {
	c = c.needs(scopeRead)
	if c.own {
		return c.sought(ctx, call, among, since.Add(-time.Minute)) // clocks differ
	}
	var topic struct {
		ID     int64  `json:"id"`
		Slug   string `json:"slug"`
		Stream struct {
			Posts []post `json:"posts"`
		} `json:"post_stream"`
	}
	err := c.do(ctx, http.MethodGet, "/t/external_id/"+url.PathEscape(externalID(call))+".json", nil, nil, &topic)
	switch {
	case refusedWith(err, http.StatusNotFound, http.StatusGone):
		return post{}, false, nil
	case err != nil:
		return post{}, false, err
	}
	for _, p := range topic.Stream.Posts {
		if p.Number == 1 {
			p.TopicID, p.Slug = topic.ID, first(p.Slug, topic.Slug)
			return p, true, nil
		}
	}
	return post{}, false, gateway.Errorf(gateway.Unavailable, "discourse: GET /t/external_id: the answer has no opening post")
}

// sought is opened where only the text says which topic it is: it reads the opening posts of the account's newest.
func (c client) sought(ctx context.Context, call, among string, since time.Time) (post, bool, error) {
	var said struct {
		List struct {
			More   string `json:"more_topics_url"`
			Topics []struct {
				ID        int64     `json:"id"`
				CreatedAt time.Time `json:"created_at"`
			} `json:"topics"`
		} `json:"topic_list"`
	}
	newest := url.Values{"order": {"created"}}
	if err := c.do(ctx, http.MethodGet, "/topics/"+among+"/"+url.PathEscape(c.user)+".json", newest, nil, &said); err != nil {
		return post{}, false, err
	}
	all := said.List.More == ""
	for _, t := range said.List.Topics {
		if t.CreatedAt.Before(since) {
			all = true // those that are not listed are older
			continue
		}
		var p post
		err := c.do(ctx, http.MethodGet, "/posts/by_number/"+strconv.FormatInt(t.ID, 10)+"/1.json", nil, nil, &p)
		if err != nil {
			return post{}, false, err
		}
		if strings.Contains(p.Raw, marker(call)) && strings.EqualFold(p.Username, c.user) {
			p.TopicID = t.ID
			return p, true, nil
		}
	}
	if !all {
		return post{}, false, gateway.Errorf(gateway.Unavailable, "the account has opened too many topics since to look through")
	}
	return post{}, false, nil
}
