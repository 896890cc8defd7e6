package discourse_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// undescribed are the routes that Discourse has and its description does not (config/routes.rb of Discourse, checked 2026-11).
var undescribed = []string{
	"/session/scopes", "/session/current", "/admin/api/web_hooks", "/admin/api/web_hook_events", "/recover", "/unsuspend", "/unsilence", "/polls/",
}

// judged is a rig whose every request is held against Discourse's own description.
func judged(t *testing.T) *rig {
	api := specs.OpenAPI(t, "discourse", "discourse_api_docs", "openapi.normalised.json")
	return newRig(t, func(s *setup) {
		s.fake.Judge = func(r *http.Request) error {
			if r.Method == http.MethodPost && r.URL.Path == "/posts.json" {
				r = described(t, r, func(body map[string]json.RawMessage) any {
					delete(body, "tags") // which Discourse takes (posts#create)
					return body
				})
			}
			if r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/t/-/") { // which Discourse does not look into "topic" for (topics#update)
				r = described(t, r, func(body map[string]json.RawMessage) any { return map[string]any{"topic": body} })
			}
			err := api.Request(r)
			if errors.Is(err, specs.ErrNoRoute) {
				for _, path := range undescribed {
					if strings.Contains(r.URL.Path, path) {
						return nil
					}
				}
			}
			// The description has the IDs of posts in the body of a GET; they are in the query, as Discourse's own pages have them. Nor does it have the
			// long addresses of topics, to which it says that others are redirected.
			if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/t/") && strings.Count(r.URL.Path, "/") == 3 {
				return nil
			}
			return err
		}
	})
}

// described is a request with the body that Discourse's description has for what it takes, where that is not the same.
func described(t *testing.T, r *http.Request, change func(map[string]json.RawMessage) any) *http.Request {
	var body map[string]json.RawMessage
	if !assert.NoError(t, json.NewDecoder(r.Body).Decode(&body)) {
		return r
	}
	raw, err := json.Marshal(change(body))
	assert.NoError(t, err)
	out := r.Clone(r.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return out
}

// Every action is sent as Discourse describes it.
func TestContract(t *testing.T) {
	r := judged(t)
	bob := discourse.Person{UserID: "42"}
	r.forum.AddGroup("gardeners", "joshua")
	topic := do[discourse.Written](r, "create-topic", discourse.CreateTopic{Title: "Where shall the bench stand?", Raw: somewhere, Category: 4, Tags: []string{"park"}})
	r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", LoseAnswer: true})
	answer := do[discourse.Written](r, "create-post", discourse.CreatePost{TopicID: topic.TopicID, Raw: "What about the other side of the river?", ReplyTo: 1})
	r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", LoseAnswer: true})
	do[discourse.Written](r, "create-message", discourse.CreateMessage{Title: "About your ban", Raw: "It is of the other platform.", Usernames: []string{"joshua"}, UserIDs: []string{"42"}})
	theirs, err := r.forum.Reply("bob", topic.TopicID, "There is a fine place beside the old mill.")
	require.NoError(t, err)
	it, post := discourse.TopicID{ID: topic.TopicID}, discourse.PostID{ID: answer.ID}
	for action, in := range map[string]any{
		"edit-post":   discourse.EditPost{PostID: post, Raw: "What about the other side of the river, then?"},
		"flag-post":   discourse.FlagPost{PostID: discourse.PostID{ID: theirs}, Kind: "spam"},
		"like-post":   discourse.PostID{ID: theirs},
		"lock-post":   discourse.LockPost{PostID: post, Locked: true},
		"edit-topic":  discourse.EditTopic{TopicID: it, Title: "Where shall the new bench stand?", Category: 1, Tags: &[]string{"bench"}},
		"close-topic": it, "open-topic": it, "pin-topic": discourse.PinTopic{TopicID: it}, "unpin-topic": it,
		"get-user": bob, "silence": discourse.Suspend{Person: bob, Reason: "spam", Message: "Dear Bob"}, "unsilence": bob,
		"add-to-group": discourse.Membership{Person: bob, Group: "gardeners"},
		"method":       json.RawMessage(`{"route":"/t/{id}.json","id":` + itoa(topic.TopicID) + `}`),
	} {
		do[json.RawMessage](r, action, in)
	}
	do[discourse.Done](r, "remove-from-group", discourse.Membership{Person: discourse.Person{Username: "bob"}, Group: "gardeners"})
	do[discourse.Done](r, "suspend", discourse.Suspend{Person: bob, Reason: "spam"})
	do[discourse.Done](r, "suspend", discourse.Suspend{Person: bob, Reason: "spam"})
	do[discourse.Done](r, "unsuspend", bob)
	for _, action := range []string{"delete-post", "delete-post", "recover-post", "recover-post"} {
		do[discourse.Done](r, action, post)
	}
	for _, action := range []string{"delete-topic", "delete-topic", "recover-topic", "recover-topic"} {
		do[discourse.Done](r, action, it)
	}
	_, err = r.c.ReadRole(t.Context(), gateway.RoleKey("discourse", "group/gardeners"), 0)
	require.NoError(t, err)
	for _, list := range []string{"categories", "groups"} {
		_, err := r.inst.Choices(t.Context(), list, "")
		require.NoError(t, err)
	}
	r.Advance(24 * time.Hour)
	require.Empty(t, r.fake.Judged())
	require.Empty(t, r.fake.Refused())
}

// What was recorded of real forums is understood, where it is what the plugin reads.
func TestContractRecordedAnswers(t *testing.T) {
	recorded := func(file string) string {
		raw, err := os.ReadFile(filepath.Join(specs.Dir(t), "discourse", "discourse_api_docs", "responses", file))
		require.NoError(t, err)
		return string(raw)
	}
	r := newRig(t)
	answer := func(route, file string) {
		r.fake.Fail(fakediscourse.Fault{Route: route, Status: http.StatusOK, Body: recorded(file)})
	}
	answer("GET /admin/users/{id}", "admin/get_user.json")
	got := do[discourse.Account](r, "get-user", discourse.Person{UserID: "1"})
	require.NotEmpty(t, got.Username)
	require.False(t, got.Suspended) // it was, until 2019

	answer("POST /posts", "topics/new_topic_response.json")
	made := do[discourse.Written](r, "create-topic", discourse.CreateTopic{Title: "Recorded", Raw: "once"})
	require.NotZero(t, made.ID)
	require.NotZero(t, made.TopicID)

	answer("GET /groups/{name}/members", "groups/group_members_response.json")
	reading, err := r.c.ReadRole(t.Context(), gateway.RoleKey("discourse", "group/admins"), 0)
	require.NoError(t, err)
	require.Equal(t, 1, reading.Members)
}

// Posts and topics as real forums have them become events, whatever else is in them.
func TestContractRecordedPayloads(t *testing.T) {
	r := newRig(t)
	for event, file := range map[string]string{
		"post_edited": "posts/get_post_response.json", "topic_edited": "topics/topic_response.json", "user_updated": "users/get_user_response.json", "user_approved": "admin/get_user.json",
	} {
		raw, err := os.ReadFile(filepath.Join(specs.Dir(t), "discourse", "discourse_api_docs", "responses", file))
		require.NoError(t, err)
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &fields))
		kind, _, _ := strings.Cut(event, "_")
		body := string(raw)
		if _, ok := fields[kind]; !ok {
			body = `{"` + kind + `":` + body + `}`
		}
		require.Equal(t, http.StatusOK, r.send(event, body), file)
		e := r.one(event)
		require.JSONEq(t, body, string(e.Data))
	}
}
