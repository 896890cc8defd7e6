package discourse

import (
	"context"
	"net/http"
)

// The kinds of what can be done to a post (PostActionType of Discourse, checked 2026-11).
const likeAction = 2

var flagActions = map[string]int{"off_topic": 3, "inappropriate": 4, "notify_moderators": 7, "spam": 8, "illegal": 10}

// FlagPost is the input of flag-post.
type FlagPost struct {
	PostID
	Kind    string `json:"kind" jsonschema:"enum=off_topic,enum=inappropriate,enum=spam,enum=illegal,enum=notify_moderators" jsonschema_description:"What is wrong with it. notify_moderators: something else, which the message says."`
	Message string `json:"message,omitempty" jsonschema:"maxLength=500" jsonschema_description:"What the moderators are told. notify_moderators and illegal need it."`
}

// flagPost has the forum's moderators look at a post.
func (d *Discourse) flagPost(ctx context.Context, in FlagPost) (Done, error) {
	body := map[string]any{"id": in.ID, "post_action_type_id": flagActions[in.Kind]}
	if in.Message != "" {
		body["message"] = in.Message
	}
	return d.done(ctx, act{
		method: http.MethodPost, path: "/post_actions.json", scope: global, body: body, echoes: []string{told("flagged", in.ID)},
		already: func() (bool, error) { return d.acted(ctx, in.ID, flagActions[in.Kind]) },
	})
}

// likePost likes a post as the instance's account.
func (d *Discourse) likePost(ctx context.Context, in PostID) (Done, error) {
	return d.done(ctx, act{
		method: http.MethodPost, path: "/post_actions.json", scope: global, body: map[string]any{"id": in.ID, "post_action_type_id": likeAction},
		echoes: []string{told("liked", in.ID)}, already: func() (bool, error) { return d.acted(ctx, in.ID, likeAction) },
	})
}

// acted asks whether the account has done that to a post already.
func (d *Discourse) acted(ctx context.Context, id int64, kind int) (bool, error) {
	var p struct {
		Actions []struct {
			ID    int  `json:"id"`
			Acted bool `json:"acted"`
		} `json:"actions_summary"`
	}
	if err := d.client().do(ctx, http.MethodGet, postPath(id)+".json", nil, nil, &p); err != nil {
		return false, err
	}
	for _, a := range p.Actions {
		if a.ID == kind && a.Acted {
			return true, nil
		}
	}
	return false, nil
}
