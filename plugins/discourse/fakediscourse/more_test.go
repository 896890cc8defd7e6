package fakediscourse_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// A webhook hears of the kinds that it chose, of which some have several events.
func TestChosenEvents(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.RemoveWebhook(w.hook)
	jury := w.f.AddGroup("jury")
	w.f.AddGroup("crowd")
	const url = "https://gateway.example/x"
	_, err := w.f.AddWebhook(fakediscourse.Webhook{URL: url, Events: []string{"topic_edited", "reviewable_updated"}})
	require.NoError(t, err)
	_, err = w.f.AddWebhook(fakediscourse.Webhook{URL: url, Events: []string{"user_added_to_group"}, Groups: []int64{jury}})
	require.NoError(t, err)
	topic, post := w.topic(hello)
	require.NoError(t, w.f.SetStatus("ann", topic, "pinned", true))
	id, err := w.f.Flag("carla", post, fakediscourse.FlagSpam, "")
	require.NoError(t, err)
	require.NoError(t, w.f.Review("ann", id, true))
	require.NoError(t, w.f.JoinGroup("crowd", "bob"))
	require.NoError(t, w.f.JoinGroup("jury", "bob"))
	require.Equal(t, []string{"topic_pinned_status_updated", "reviewable_transitioned_to", "user_added_to_group"}, w.events())
}

func TestSign(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	r, err := http.NewRequest("POST", "https://gateway.example/x", strings.NewReader("{}"))
	require.NoError(t, err)
	w.f.Sign(r, w.hook, "post_created", []byte("{}"))
	require.Equal(t, fakediscourse.Sign(secret, []byte("{}")), r.Header.Get("X-Discourse-Event-Signature"))
	require.Equal(t, "post", r.Header.Get("X-Discourse-Event-Type"))
}

func TestPeopleDelete(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, first := w.topic("[poll]\n* A\n* B\n[/poll]\n\nPlease vote.")
	reply, err := w.f.Reply("carla", topic, hello)
	require.NoError(t, err)
	require.ErrorIs(t, w.f.DeletePost("bob", reply), fakediscourse.ErrRefused)
	require.ErrorIs(t, w.f.DeletePost("bob", first), fakediscourse.ErrRefused)
	require.NoError(t, w.f.DeletePost("ann", reply))
	require.ErrorIs(t, w.f.DeletePost("ann", reply), fakediscourse.ErrRefused)
	require.ErrorIs(t, w.f.Recover("bob", reply), fakediscourse.ErrRefused)
	require.NoError(t, w.f.VoteInPoll("carla", first, "poll", 1))
	require.NoError(t, w.f.VoteInPoll("carla", first, "poll"))
	v, _ := w.f.Poll(first, "poll")
	require.Empty(t, v.Voters)
	require.ErrorIs(t, w.f.VoteInPoll("carla", first, "poll", 3), fakediscourse.ErrRefused)
	require.ErrorIs(t, w.f.VoteInPoll("carla", first, "other", 1), fakediscourse.ErrRefused)
	require.ErrorIs(t, w.f.VoteInPoll("nemo", first, "poll", 1), fakediscourse.ErrRefused)
	require.NoError(t, w.f.SetStatus("ann", topic, "archived", true))
	require.ErrorIs(t, w.f.VoteInPoll("carla", first, "poll", 1), fakediscourse.ErrRefused)
	require.ErrorIs(t, w.f.ClosePoll("bob", first, "poll"), fakediscourse.ErrRefused)
	require.NoError(t, w.f.DeletePost("ann", first))
	top, _ := w.f.Topic(topic)
	require.True(t, top.Deleted)
	require.ErrorIs(t, w.f.DeleteTopic("ann", topic), fakediscourse.ErrRefused)
}

func TestPlaces(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	a := w.ok("POST", "/categories.json", `{"name":"Council","permissions":{"staff":1},"parent_category_id":4,"slug":"the-council","color":"ff0000"}`)
	id := num(int64(a.at(t, "category", "id").(float64)))
	w.refused(403, "invalid_access", "bob", "GET", "/c/"+id+"/show.json", "")
	w.okAs("ann", "GET", "/c/"+id+"/show.json", "")
	require.Len(t, w.ok("GET", "/categories.json?include_subcategories=true", "").at(t, "category_list", "categories"), 4)
	w.ok("PUT", "/categories/"+id+".json", `{"name":"Council","permissions":{"everyone":1}}`)
	w.okAs("bob", "GET", "/c/"+id+"/show.json", "")
	w.refused(403, "invalid_access", "bob", "PUT", "/categories/"+id+".json", `{"name":"Mine"}`)
	w.refused(400, "name", "system", "POST", "/categories.json", `{"name":" "}`)
	w.refused(422, "too long", "system", "POST", "/categories.json", `{"name":"`+strings.Repeat("x", 51)+`"}`)
	w.ok("DELETE", "/categories/"+id+".json", "")
	w.refused(404, "not_found", "system", "DELETE", "/categories/"+id+".json", "")
	require.Equal(t, []string{"category_created", "category_updated", "category_destroyed"}, w.events())

	_, _, err := w.f.Post("ann", fakediscourse.NewTopic{Title: "A topic with some tags", Raw: hello, Tags: []string{"one", "two", "one", ""}})
	require.NoError(t, err)
	require.Len(t, w.ok("GET", "/tags.json", "").at(t, "tags"), 2)
	w.refused(404, "not_found", "system", "GET", "/tag/three.json", "")

	w.ok("POST", "/admin/groups.json", `{"group":{"name":"council","owner_usernames":"bob"}}`)
	require.Equal(t, "bob", w.ok("GET", "/groups/council/members.json", "").at(t, "owners", 0, "username"))
	for body, says := range map[string]string{`{}`: "group", `{"group":{"name":"council"}}`: "already been taken", `{"group":{"name":"bob"}}`: "already been taken", `{"group":{"name":"x"}}`: "at least 3"} {
		a := w.send("system", "POST", "/admin/groups.json", body)
		require.Contains(t, []int{400, 422}, a.status, body)
		require.Contains(t, string(a.body), says)
	}
	w.refused(422, "automatic", "system", "DELETE", "/admin/groups/14.json", "")

	require.Equal(t, "ok", string(w.send("", "GET", "/srv/status", "").body))
	require.Equal(t, "Forum", w.ok("GET", "/about.json", "").at(t, "about", "title"))
}
