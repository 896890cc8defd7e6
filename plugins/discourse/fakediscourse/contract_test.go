package fakediscourse_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// TestContract asks for what Discourse describes, and holds requests and answers against its description, and answers against
// recorded ones, whose fields they must have.
func TestContract(t *testing.T) {
	api := specs.OpenAPI(t, "discourse", "discourse_api_docs", "openapi.normalised.json")
	w := newWorld(t, fakediscourse.Options{Judge: func(r *http.Request) error {
		if err := api.Request(r); !errors.Is(err, specs.ErrNoRoute) {
			return err
		}
		return nil
	}})
	answers := readDescribed(t)
	w.judge = func(r *http.Request, status int, _ http.Header, body []byte) {
		t.Helper()
		if status == http.StatusOK {
			answers.check(t, r, body)
		}
	}
	has := func(a answer, file string, at ...any) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(specs.Dir(t), "discourse", "discourse_api_docs", "responses", file))
		require.NoError(t, err)
		want := answer{body: b}.at(t, at...)
		var got any
		require.NoError(t, json.Unmarshal(a.body, &got))
		for _, path := range lacks(want, got, "") {
			t.Errorf("%s: no %s", file, path)
		}
	}
	w.f.AddUserField("Wallet")
	w.f.AddGroup("jury", "bob")

	made := w.ok("POST", "/posts.json", `{"title":"A topic by the description","raw":"`+hello+`","category":4,"external_id":"x-1"}`)
	has(made, "topics/new_topic_response.json")
	topic, first := num(made.id(t, "topic_id")), num(made.id(t, "id"))
	reply := num(w.ok("POST", "/posts.json", `{"topic_id":`+topic+`,"raw":"`+hello+` Once more."}`).id(t, "id"))
	w.ok("POST", "/posts.json", `{"title":"For you","raw":"`+hello+`","archetype":"private_message","target_recipients":"bob,ann"}`)
	w.ok("GET", "/posts.json", "")
	has(w.ok("GET", "/posts/"+reply+".json", ""), "posts/get_post_response.json")
	has(w.ok("PUT", "/posts/"+reply+".json", `{"post":{"raw":"`+hello+` Changed.","edit_reason":"a word"}}`), "posts/update_post_response.json")
	w.ok("PUT", "/posts/"+reply+"/locked.json", `{"locked":"true"}`)
	w.ok("GET", "/posts/"+first+"/replies.json", "")
	w.okAs("bob", "POST", "/post_actions.json", `{"id":`+first+`,"post_action_type_id":2}`)
	has(w.ok("GET", "/t/"+topic+".json", ""), "topics/topic_response.json")
	w.ok("GET", "/t/"+topic+"/posts.json", `{"post_ids[]":`+reply+`}`)
	require.Equal(t, 301, w.send("system", "GET", "/t/external_id/x-1.json", "").status)
	has(w.ok("PUT", "/t/-/"+topic+".json", `{"title":"Another title for it"}`), "topics/update_topic_response.json")
	w.ok("PUT", "/t/"+topic+"/status.json", `{"status":"pinned","enabled":"true"}`)
	has(w.ok("POST", "/t/"+topic+"/invite.json", `{"user":"bob"}`), "topics/invite.json")
	w.ok("POST", "/t/"+topic+"/invite-group.json", `{"group":"jury"}`)
	has(w.ok("GET", "/latest.json", ""), "topics/latest_topics_response.json")
	has(w.ok("GET", "/top.json", ""), "topics/top.json")
	has(w.ok("GET", "/topics/private-messages/bob.json", ""), "topics/private-messages.json")
	has(w.ok("GET", "/topics/private-messages-sent/system.json", ""), "topics/private-messages-sent.json")
	has(w.ok("GET", "/search.json?q=description", ""), "search/query_response.json")
	w.ok("DELETE", "/posts/"+reply+".json", `{"force_destroy":false}`)
	w.ok("DELETE", "/t/"+topic+".json", "")

	category := num(int64(w.ok("POST", "/categories.json", `{"name":"Proposals","color":"49d9e9"}`).at(t, "category", "id").(float64)))
	has(w.ok("PUT", "/categories/"+category+".json", `{"name":"Motions"}`), "categories/update_category_response.json")
	w.ok("GET", "/categories.json", "")
	w.ok("GET", "/c/"+category+"/show.json", "")
	w.ok("GET", "/c/motions/"+category+".json", "")
	w.ok("GET", "/tags.json", "")
	w.ok("GET", "/site.json", "")
	w.ok("GET", "/site/basic-info.json", "")

	has(w.ok("POST", "/admin/groups.json", `{"group":{"name":"council","usernames":"carla"}}`), "groups/new_group_response.json")
	has(answer{body: rawOf(t, w.ok("GET", "/groups.json", "").at(t, "groups"))}, "groups/get_groups_response.json")
	w.ok("GET", "/groups/council.json", "")
	has(w.ok("GET", "/groups/council/members.json", ""), "groups/group_members_response.json")
	id := num(int64(w.ok("GET", "/groups/council.json", "").at(t, "group", "id").(float64)))
	w.ok("PUT", "/groups/"+id+"/members.json", `{"usernames":"bob"}`)
	w.ok("DELETE", "/groups/"+id+"/members.json", `{"usernames":"bob"}`)
	w.ok("DELETE", "/admin/groups/"+id+".json", "")

	has(w.ok("POST", "/users.json", `{"name":"Dora","email":"dora@forum.invalid","password":"fake-password","username":"dora","active":true}`), "users/new_user_response.json")
	has(w.ok("GET", "/u/bob.json", ""), "users/get_user_response.json")
	w.ok("PUT", "/u/bob.json", `{"name":"Robert"}`)
	w.ok("GET", "/u/bob/emails.json", "")
	has(w.ok("GET", "/directory_items.json?period=all&order=likes_received", ""), "users/directory_items.json")
	has(w.ok("GET", "/admin/users/list/active.json?show_emails=true", ""), "users/active_list.json")
	has(w.ok("GET", "/admin/users/list/staff.json?show_emails=true", ""), "users/staff_list.json")
	has(w.ok("GET", "/admin/users/list/new.json", ""), "users/new_list.json")
	w.ok("GET", "/admin/users.json", "")
	w.ok("PUT", "/admin/users/42/suspend.json", `{"suspend_until":"2027-01-01","reason":"spam"}`)
	has(w.ok("GET", "/admin/users/42.json", ""), "admin/get_user.json")
	w.ok("PUT", "/admin/users/43/silence.json", `{"silenced_till":"2027-01-01","reason":"noise"}`)
	w.ok("POST", "/admin/users/43/log_out.json", "")
	require.Empty(t, w.s.Judged())

	// What the description has no word for, as it was recorded.
	key := w.ok("POST", "/admin/api/keys.json", `{"key":{"description":"recorded","username":"bob"}}`)
	has(answer{body: rawOf(t, map[string]any{"api_key": key.at(t, "key")})}, "admin/generate_api_key.json")

	// A request that is not as described is answered as one that Discourse does not take, and listed.
	require.Equal(t, 400, w.send("system", "POST", "/posts.json", `{"title":5,"raw":"`+hello+`"}`).status)
	require.Len(t, w.s.Judged(), 1)
}

func rawOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

// gone are fields of old recordings that Discourse's description of today does not have.
var gone = []string{"alias_level", "visible", "is_member", "mentionable", "notification_level", "logo_url", "background_url",
	"suppress_from_homepage", "auto_close_at", "auto_close_hours", "auto_close_based_on_last_post", "custom_fields", "post_stream.posts.link_counts", "details.suggested_topics"}

// lacks lists the fields of a recorded answer that another does not have. Of lists the first elements count.
func lacks(want, got any, path string) []string {
	switch x := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			if got == nil || path == "" {
				return []string{path}
			}
			return []string{path + " (an object)"}
		}
		var out []string
		for name, v := range x {
			at := name
			if path != "" {
				at = path + "." + name
			}
			if slices.Contains(gone, name) || slices.Contains(gone, at) || v == nil && g[name] == nil && hasKey(g, name) {
				continue
			}
			if !hasKey(g, name) {
				out = append(out, at)
				continue
			}
			if g[name] != nil && v != nil {
				out = append(out, lacks(v, g[name], at)...)
			}
		}
		slices.Sort(out)
		return out
	case []any:
		g, ok := got.([]any)
		if !ok {
			return []string{path + " (a list)"}
		}
		if len(x) > 0 && len(g) > 0 {
			return lacks(x[0], g[0], path)
		}
	}
	return nil
}

func hasKey(o map[string]any, name string) bool {
	_, ok := o[name]
	return ok
}
