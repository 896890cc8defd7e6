package fakediscourse_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

const hello = "Hello everybody, this is long enough."

// One thread through everything: a topic by the API, its webhooks, a vote and a closing.
func TestThread(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	made := w.ok("POST", "/posts.json", `{"title":"Shall we plant a tree?","category":4,"raw":"[poll name=tree type=regular public=true]\n* Yes\n* No\n[/poll]"}`)
	id, topic := made.id(t, "id"), made.id(t, "topic_id")
	got := w.heard()
	require.Len(t, got, 2)
	require.Equal(t, "/hooks/discourse/c1", got[0].path)
	require.Equal(t, "topic_created", got[0].header.Get("X-Discourse-Event"))
	require.Equal(t, "topic", got[0].header.Get("X-Discourse-Event-Type"))
	require.Equal(t, base, got[0].header.Get("X-Discourse-Instance"))
	require.Equal(t, fakediscourse.Sign(secret, got[0].body), got[0].header.Get("X-Discourse-Event-Signature"))
	require.NotEqual(t, got[0].header.Get("X-Discourse-Event-Id"), got[1].header.Get("X-Discourse-Event-Id"))
	require.Equal(t, "post_created", got[1].header.Get("X-Discourse-Event"))

	require.NoError(t, w.f.VoteInPoll("bob", id, "tree", 1))
	require.NoError(t, w.f.VoteInPoll("carla", id, "tree", 2))
	p := w.ok("GET", "/posts/"+num(id)+".json", "")
	require.Equal(t, 1.0, p.at(t, "polls", 0, "options", 0, "votes"))
	require.Equal(t, 2.0, p.at(t, "polls", 0, "voters"))
	option := p.at(t, "polls", 0, "options", 0, "id").(string)
	v := w.ok("GET", "/polls/voters.json?post_id="+num(id)+"&poll_name=tree&option_id="+option, "")
	require.Equal(t, "bob", v.at(t, "voters", option, 0, "username"))

	w.ok("PUT", "/polls/toggle_status", `{"post_id":`+num(id)+`,"poll_name":"tree","status":"closed"}`)
	require.ErrorIs(t, w.f.VoteInPoll("bob", id, "tree", 2), fakediscourse.ErrRefused)
	w.ok("DELETE", "/t/"+num(topic)+".json", "")
	require.Equal(t, []string{"post_destroyed", "topic_destroyed"}, w.events())
	w.ok("PUT", "/t/"+num(topic)+"/recover", "")
	require.Equal(t, []string{"post_recovered", "topic_recovered"}, w.events())
	require.Empty(t, w.s.Refused())
}

func TestForeignHosts(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	_, err := w.s.Client().Get("https://evil.example/x")
	require.ErrorIs(t, err, fakediscourse.ErrHost)
	require.Equal(t, []string{"https://evil.example/x"}, w.s.Refused())
	_, err = w.s.AddForum("https://forum.example")
	require.Error(t, err)
	res, err := http.Get(w.s.URL() + "/site/basic-info.json")
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 200, res.StatusCode)
}
