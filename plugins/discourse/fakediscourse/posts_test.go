package fakediscourse_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

func TestPostErrors(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, _ := w.topic(hello)
	title, _ := w.f.Topic(topic)
	for name, c := range map[string]struct {
		as, body string
		status   int
		says     string
	}{
		"short":              {"bob", `{"title":"A long enough title","raw":"Too short"}`, 422, "Body is too short (minimum is 20 characters)"},
		"empty":              {"bob", `{"title":"A long enough title","raw":""}`, 422, "Body can't be blank"},
		"no raw":             {"bob", `{"title":"A long enough title"}`, 400, "raw"},
		"short title":        {"bob", `{"title":"Too short","raw":"` + hello + `"}`, 422, "Title is too short (minimum is 15 characters)"},
		"long title":         {"bob", `{"title":"` + strings.Repeat("x", 256) + `","raw":"` + hello + `"}`, 422, "Title is too long"},
		"long":               {"bob", `{"title":"A long enough title","raw":"` + strings.Repeat("x", 32001) + `"}`, 422, "limited to 32000 characters; you entered 32001"},
		"unclear":            {"bob", `{"title":"A long enough title","raw":"` + strings.Repeat(".", 30) + `"}`, 422, "seems unclear"},
		"used title":         {"system", `{"title":"` + strings.ToUpper(title.Title) + `","raw":"` + hello + ` 2"}`, 422, "Title has already been used"},
		"said before":        {"bob", `{"title":"A long enough title","raw":"` + hello + `"}`, 422, "Body is too similar to what you recently posted"},
		"no category":        {"bob", `{"title":"A long enough title","raw":"` + hello + ` 3","category":99}`, 422, "Category can't be found"},
		"hidden category":    {"bob", `{"title":"A long enough title","raw":"` + hello + ` 4","category":3}`, 403, "invalid_access"},
		"no topic":           {"bob", `{"topic_id":99,"raw":"` + hello + `"}`, 404, "not_found"},
		"nobody":             {"", `{"title":"A long enough title","raw":"` + hello + `"}`, 403, "not_logged_in"},
		"message to nobody":  {"bob", `{"title":"A long enough title","raw":"` + hello + `","archetype":"private_message"}`, 422, "valid user"},
		"message to unknown": {"carla", `{"title":"A long enough title","raw":"` + hello + `","archetype":"private_message","target_recipients":"nemo"}`, 422, "valid user"},
		"message by new":     {"newcomer", `{"title":"A long enough title","raw":"` + hello + `","archetype":"private_message","target_recipients":"bob"}`, 403, "invalid_access"},
		"many tags":          {"bob", `{"title":"A long enough title","raw":"` + hello + ` 5","tags":["a","b","c","d","e","f"]}`, 422, "more than 5 tags"},
		"no JSON":            {"bob", `{"title"`, 400, "parsing"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.send(c.as, "POST", "/posts.json", c.body)
			require.Equal(t, c.status, a.status, string(a.body))
			require.Contains(t, string(a.body), c.says)
			if c.status == 422 {
				require.Equal(t, "create_post", a.at(t, "action"))
			}
		})
	}
	require.Len(t, w.f.Topics(), 1, "nothing came of what was refused")
	w.pass(6 * time.Minute)
	w.okAs("bob", "POST", "/posts.json", `{"title":"A long enough title","raw":"`+hello+`"}`)
	w.ok("POST", "/posts.json", `{"title":"A title of its own","raw":"`+hello+`","external_id":"e1"}`)
	w.refused(422, "already been taken", "system", "POST", "/posts.json", `{"title":"Another title again","raw":"`+hello+`","external_id":"e1"}`)
}

func TestReplies(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, _ := w.topic(hello)
	w.heard()
	a := w.okAs("carla", "POST", "/posts", `{"topic_id":`+num(topic)+`,"raw":"`+hello+`","reply_to_post_number":1}`)
	require.Equal(t, 2.0, a.at(t, "post_number"))
	require.Equal(t, []string{"post_created"}, w.events())
	require.Len(t, w.ok("GET", "/t/something/"+num(topic)+".json", "").at(t, "post_stream", "stream"), 2)

	require.NoError(t, w.f.SetStatus("ann", topic, "closed", true))
	require.Equal(t, []string{"post_created", "topic_closed_status_updated"}, w.events())
	_, err := w.f.Reply("bob", topic, hello+" More.")
	require.ErrorIs(t, err, fakediscourse.ErrRefused)
	w.ok("POST", "/posts.json", `{"topic_id":`+num(topic)+`,"raw":"Staff may, where it is closed."}`)
	w.refused(403, "invalid_access", "bob", "PUT", "/t/"+num(topic)+"/status.json", `{"status":"closed","enabled":"false"}`)
	w.refused(400, "status", "system", "PUT", "/t/"+num(topic)+"/status.json", `{"status":"evil","enabled":"true"}`)
	require.NoError(t, w.f.SetStatus("ann", topic, "closed", true))
	require.Equal(t, []string{"post_created", "topic_closed_status_updated"}, w.events(), "the reply, and no more small posts")
	for _, s := range []string{"pinned", "pinned_globally", "archived", "visible"} {
		w.ok("PUT", "/t/"+num(topic)+"/status.json", `{"status":"`+s+`","enabled":"true"}`)
	}
	v, _ := w.f.Topic(topic)
	require.True(t, v.Pinned && v.PinnedAll && v.Archived && v.Visible && v.Closed)
	w.ok("PUT", "/t/"+num(topic)+"/status.json", `{"status":"archived","enabled":"false"}`)
}

func TestManyPosts(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, _ := w.topic(hello)
	for i := range 30 {
		_, err := w.f.Reply("ann", topic, hello+" "+num(int64(i)))
		require.NoError(t, err)
	}
	a := w.ok("GET", "/t/"+num(topic)+".json", "")
	require.Len(t, a.at(t, "post_stream", "posts"), 20)
	require.Len(t, a.at(t, "post_stream", "stream"), 31)
	last := num(int64(a.at(t, "post_stream", "stream", 30).(float64)))
	more := w.ok("GET", "/t/"+num(topic)+"/posts.json?post_ids[]="+last, "")
	require.Len(t, more.at(t, "post_stream", "posts"), 1)
	require.Len(t, w.ok("GET", "/posts.json?before=10", "").at(t, "latest_posts"), 10)
}

func TestMessages(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.AddGroup("jury", "carla")
	a := w.ok("POST", "/posts.json", `{"title":"Hi","raw":"A short word","archetype":"private_message","target_recipients":"bob,jury"}`)
	id := num(a.id(t, "topic_id"))
	for as, status := range map[string]int{"bob": 200, "carla": 200, "newcomer": 403, "ann": 403, "admin": 200, "": 403} {
		require.Equal(t, status, w.send(as, "GET", "/t/"+id+".json", "").status, as)
	}
	v, _ := w.f.Topic(a.id(t, "topic_id"))
	require.Equal(t, []string{"system", "bob", "jury"}, v.Recipients)
	require.Equal(t, "private_message", v.Archetype)
	require.Empty(t, w.ok("GET", "/latest.json", "").at(t, "topic_list", "topics"))
	require.Len(t, w.okAs("bob", "GET", "/topics/private-messages/bob.json", "").at(t, "topic_list", "topics"), 1)
	w.refused(403, "invalid_access", "bob", "GET", "/topics/private-messages/carla.json", "")
	got := w.heard()
	require.Contains(t, string(got[1].body), `"topic_archetype":"private_message"`)
	_, _, err := w.f.Message("bob", []string{"carla"}, "Between us", hello)
	require.NoError(t, err)

	// Recipients alone are no message.
	b := w.okAs("bob", "POST", "/posts.json", `{"title":"This is an open topic","raw":"`+hello+` Yes.","target_recipients":"carla"}`)
	v, _ = w.f.Topic(b.id(t, "topic_id"))
	require.Equal(t, "regular", v.Archetype)
}

func TestEdits(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, first := w.topic(hello)
	w.heard()
	// What its author edits at once makes no new version, and what changes nothing is no edit.
	w.okAs("bob", "PUT", "/posts/"+num(first)+".json", `{"post":{"raw":"`+hello+` Soon."}}`)
	require.Contains(t, string(w.heard()[0].body), `"version":1`)
	w.okAs("bob", "PUT", "/posts/"+num(first)+".json", `{"post":{"raw":"`+hello+` Soon.  "}}`)
	require.Empty(t, w.heard())
	w.pass(6 * time.Minute)
	w.okAs("bob", "PUT", "/posts/"+num(first)+".json", `{"post":{"raw":"`+hello+` Changed."}}`)
	got := w.heard()
	require.Equal(t, "post_edited", got[0].header.Get("X-Discourse-Event"))
	require.Contains(t, string(got[0].body), `"version":2`)
	w.refused(403, "invalid_access", "carla", "PUT", "/posts/"+num(first)+".json", `{"post":{"raw":"`+hello+` Mine."}}`)
	w.refused(422, "too short", "bob", "PUT", "/posts/"+num(first)+".json", `{"post":{"raw":"x"}}`)

	require.Equal(t, true, w.ok("PUT", "/posts/"+num(first)+"/locked.json", `{"locked":"true"}`).at(t, "locked"))
	w.refused(403, "invalid_access", "bob", "PUT", "/posts/"+num(first)+"/locked.json", `{"locked":"false"}`)
	require.ErrorIs(t, w.f.EditPost("bob", first, hello+" Again."), fakediscourse.ErrRefused)
	require.NoError(t, w.f.EditPost("ann", first, hello+" By staff."))
	require.Equal(t, false, w.ok("PUT", "/posts/"+num(first)+"/locked.json", `{"locked":"false"}`).at(t, "locked"))
	w.heard()

	w.ok("PUT", "/t/-/"+num(topic)+".json", `{"title":"A better title for it","category_id":1,"tags":["Big Idea","x"]}`)
	require.Equal(t, []string{"tag_created", "tag_created", "topic_edited"}, w.events())
	v, _ := w.f.Topic(topic)
	require.Equal(t, []string{"big-idea", "x"}, v.Tags)
	require.Equal(t, int64(1), v.Category)
	w.refused(422, "too short", "system", "PUT", "/t/-/"+num(topic)+".json", `{"title":"x"}`)
	w.refused(404, "not_found", "system", "PUT", "/t/-/"+num(topic)+".json", `{"category_id":99}`)
	w.heard()
	w.ok("PUT", "/t/-/"+num(topic)+".json", `{"topic":{"title":"What nobody looks into"}}`)
	w.ok("PUT", "/t/-/"+num(topic)+".json", `{"title":"A better title for it","tags":["x","big-idea"]}`)
	require.Empty(t, w.events(), "nothing changed")
	v, _ = w.f.Topic(topic)
	require.Equal(t, "A better title for it", v.Title)
	require.Len(t, w.ok("GET", "/tag/big-idea.json", "").at(t, "topic_list", "topics"), 1)
	require.NoError(t, w.f.EditTopic("bob", topic, "Its author's own title", 4))
	require.ErrorIs(t, w.f.EditTopic("carla", topic, "Somebody's own title", 4), fakediscourse.ErrRefused)
}

func TestDeleting(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, first := w.topic(hello)
	reply, err := w.f.Reply("carla", topic, hello)
	require.NoError(t, err)
	w.heard()
	path := func(id int64) string { return "/posts/" + num(id) }

	w.refused(403, "invalid_access", "system", "DELETE", path(first)+".json", "") // only with its topic
	w.refused(403, "invalid_access", "bob", "DELETE", path(reply)+".json", "")
	w.refused(403, "invalid_access", "system", "PUT", path(reply)+"/recover", "") // it is there
	a := w.ok("DELETE", path(reply), "")
	require.Empty(t, a.body)
	got := w.heard()
	require.Len(t, got, 1)
	require.Contains(t, string(got[0].body), `"deleted_at":null`, "webhooks are told what was before")
	w.refused(403, "invalid_access", "system", "DELETE", path(reply)+".json", "")
	w.refused(404, "not_found", "bob", "GET", path(reply)+".json", "")
	require.NotNil(t, w.ok("GET", path(reply)+".json", "").at(t, "deleted_at"))
	w.ok("PUT", path(reply)+"/recover", "")
	require.Equal(t, []string{"post_recovered"}, w.events())
	require.Nil(t, w.ok("GET", path(reply)+".json", "").at(t, "deleted_at"))

	// An author only marks a post as deleted.
	w.okAs("carla", "DELETE", path(reply)+".json", "")
	require.Equal(t, []string{"post_edited", "post_destroyed"}, w.events())
	p, _ := w.f.PostByID(reply)
	require.True(t, p.UserDeleted && !p.Deleted)
	require.NotEqual(t, hello, p.Raw)
	require.NoError(t, w.f.Recover("carla", reply))
	p, _ = w.f.PostByID(reply)
	require.Equal(t, hello, p.Raw)
	w.heard()

	w.refused(403, "invalid_access", "bob", "DELETE", "/t/"+num(topic)+".json", "")
	w.ok("DELETE", "/t/"+num(topic)+".json", "")
	w.refused(403, "invalid_access", "system", "DELETE", "/t/"+num(topic)+".json", "")
	w.refused(404, "not_found", "bob", "GET", "/t/"+num(topic)+".json", "")
	require.NotNil(t, w.ok("GET", "/t/"+num(topic)+".json", "").at(t, "deleted_at"))
	w.refused(404, "not_found", "carla", "POST", "/posts.json", `{"topic_id":`+num(topic)+`,"raw":"`+hello+` 2"}`)
	w.ok("PUT", "/t/"+num(topic)+"/recover", "")
	w.refused(403, "invalid_access", "system", "PUT", "/t/"+num(topic)+"/recover", "")
	require.Equal(t, []string{"post_destroyed", "topic_destroyed", "post_recovered", "topic_recovered"}, w.events())

	w.f.Erase(reply)
	w.refused(404, "not_found", "system", "GET", path(reply)+".json", "")
	w.f.Erase(first)
	w.refused(404, "not_found", "system", "GET", "/t/"+num(topic)+".json", "")
	require.NoError(t, w.s.Flush(t.Context()))
	require.Empty(t, w.events())
}

func TestLikesAndFlags(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	_, post := w.topic(hello)
	w.heard()
	require.NoError(t, w.f.Like("carla", post))
	got := w.heard()
	require.Equal(t, []string{"post_liked", "like"}, []string{got[0].header.Get("X-Discourse-Event"), got[0].header.Get("X-Discourse-Event-Type")})
	like := answer{body: got[0].body}
	require.Equal(t, "Carla", like.at(t, "like", "user", "username"))
	require.Equal(t, 42.0, like.at(t, "like", "post", "user_id"))
	require.ErrorIs(t, w.f.Like("carla", post), fakediscourse.ErrRefused)
	require.ErrorIs(t, w.f.Like("bob", post), fakediscourse.ErrRefused)
	require.Len(t, w.ok("GET", "/post_action_users.json?id="+num(post)+"&post_action_type_id=2", "").at(t, "post_action_users"), 1)
	w.okAs("carla", "DELETE", "/post_actions/"+num(post)+".json?post_action_type_id=2", "")
	p, _ := w.f.PostByID(post)
	require.Zero(t, p.Likes)

	id, err := w.f.Flag("carla", post, fakediscourse.FlagSpam, "")
	require.NoError(t, err)
	again, err := w.f.Flag("joshua", post, fakediscourse.FlagSpam, "")
	require.NoError(t, err)
	require.Equal(t, id, again)
	_, err = w.f.Flag("carla", post, fakediscourse.FlagOffTopic, "")
	require.ErrorIs(t, err, fakediscourse.ErrRefused)
	_, err = w.f.Flag("newcomer", post, fakediscourse.FlagSpam, "")
	require.ErrorIs(t, err, fakediscourse.ErrRefused)
	w.refused(422, "Message", "ann", "POST", "/post_actions.json", `{"id":`+num(post)+`,"post_action_type_id":7}`)
	w.refused(400, "post_action_type_id", "ann", "POST", "/post_actions.json", `{"id":`+num(post)+`,"post_action_type_id":99}`)
	require.ErrorIs(t, w.f.Review("bob", id, true), fakediscourse.ErrRefused)
	require.Equal(t, float64(id), w.okAs("ann", "GET", "/review.json", "").at(t, "reviewables", 0, "id"))
	w.refused(404, "not_found", "bob", "GET", "/review.json", "")
	w.refused(400, "status", "ann", "GET", "/review.json?status=evil", "")
	w.refused(403, "invalid_access", "ann", "PUT", "/review/"+num(id)+"/perform/evil.json?version=0", "")
	w.okAs("ann", "PUT", "/review/"+num(id)+"/perform/agree_and_hide.json?version=0", "")
	w.refused(409, "already reviewed", "ann", "PUT", "/review/"+num(id)+"/perform/disagree.json?version=0", "")
	require.Empty(t, w.okAs("ann", "GET", "/review.json", "").at(t, "reviewables"))
	require.Len(t, w.okAs("ann", "GET", "/review.json?status=approved", "").at(t, "reviewables"), 1)
	p, _ = w.f.PostByID(post)
	require.True(t, p.Hidden)
	require.Equal(t, []string{"reviewable_created", "reviewable_score_updated", "reviewable_transitioned_to"}, w.events())
	id, err = w.f.Flag("ann", post, fakediscourse.FlagIllegal, "")
	require.NoError(t, err)
	require.NoError(t, w.f.Review("ann", id, false))
	w.refused(404, "not_found", "bob", "GET", "/posts/by_number/1/2.json", "")
	require.Equal(t, float64(post), w.okAs("bob", "GET", "/posts/by_number/1/1.json", "").at(t, "id"))
}

func TestSearchAndLists(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, _ := w.topic("A word: xylophone, and some more.")
	secret := w.f.AddCategory("Secret", "staff")
	_, _, err := w.f.Post("ann", fakediscourse.NewTopic{Title: "For staff alone, this", Raw: "Another xylophone, and some more.", Category: secret})
	require.NoError(t, err)
	found := func(as, q string) int {
		return len(w.okAs(as, "GET", "/search.json?q="+q, "").at(t, "posts").([]any))
	}
	require.Equal(t, []int{1, 2, 1, 0}, []int{found("bob", "xylophone"), found("system", "xylophone"), found("system", "xylophone+@bob"), found("bob", "violin")})
	require.Len(t, w.okAs("bob", "GET", "/latest.json", "").at(t, "topic_list", "topics"), 1)
	require.Len(t, w.okAs("ann", "GET", "/c/secret/"+num(secret)+".json", "").at(t, "topic_list", "topics"), 1)
	w.refused(403, "invalid_access", "bob", "GET", "/c/secret/"+num(secret)+".json", "")
	require.Len(t, w.okAs("bob", "GET", "/categories.json", "").at(t, "category_list", "categories"), 2)
	w.refused(422, "already been taken", "system", "POST", "/categories.json", `{"name":"Secret"}`)
	w.refused(403, "invalid_access", "bob", "POST", "/categories.json", `{"name":"Mine"}`)
	w.refused(403, "invalid_access", "system", "DELETE", "/categories/"+num(secret)+".json", "") // it has topics

	// Whoever asks for no JSON gets a page.
	for path, status := range map[string]int{"/t/" + num(topic): 200, "/t/99": 404, "/nothing/here": 404, "/latest": 200} {
		a := w.send("system", "GET", path, "")
		require.Equal(t, status, a.status, path)
		require.Contains(t, a.header.Get("Content-Type"), "text/html", path)
	}
	w.refused(404, `"error_type":"not_found"`, "system", "GET", "/nothing/here.json", "")
	a := w.send("system", "GET", "/t/"+num(topic), "", "Accept", "application/json")
	require.Equal(t, float64(topic), a.at(t, "id"))
}

// Titles are made to look like titles, so that one may be another than was asked for.
func TestTitles(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	for in, want := range map[string]string{
		"shall we plant a tree?":          "Shall we plant a tree?",
		"Shall we plant trees.":           "Shall we plant trees",
		"WHAT A GOOD IDEA THIS IS":        "What a good idea this is",
		"Really???  and why not!!!":       "Really? and why not!",
		"A question with a space ?":       "A question with a space?",
		"eBay is a name that stays":       "eBay is a name that stays",
		"  Spaces\u00a0of\u2003all kinds": "Spaces of all kinds",
	} {
		topic, _, err := w.f.Post("ann", fakediscourse.NewTopic{Title: in, Raw: hello})
		require.NoError(t, err)
		v, _ := w.f.Topic(topic)
		require.Equal(t, want, v.Title)
	}
	_, _, err := w.f.Post("ann", fakediscourse.NewTopic{Title: "shall we plant a tree???", Raw: hello})
	require.ErrorContains(t, err, "already been used")
	w.f.Set(func(s *fakediscourse.Settings) { s.TitlePrettify, s.AllowUncategorizedTopics = false, false })
	topic, _, err := w.f.Post("ann", fakediscourse.NewTopic{Title: "lower case it is.", Raw: hello, Category: 4})
	require.NoError(t, err)
	v, _ := w.f.Topic(topic)
	require.Equal(t, "lower case it is.", v.Title)
	_, _, err = w.f.Post("ann", fakediscourse.NewTopic{Title: "Without any category", Raw: hello})
	require.ErrorContains(t, err, "Category can't be blank")
}

// Where posts wait for approval, the answer is a success without a post.
func TestApproval(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.Set(func(s *fakediscourse.Settings) { s.ApprovePosts = true })
	a := w.okAs("bob", "POST", "/posts.json", `{"title":"A long enough title","raw":"`+hello+`"}`)
	require.Equal(t, "enqueued", a.at(t, "action"))
	require.Equal(t, 1.0, a.at(t, "pending_count"))
	require.Equal(t, []string{"reviewable_created"}, w.events())
	require.Empty(t, w.f.Topics())
	_, _, err := w.f.Post("bob", fakediscourse.NewTopic{Title: "Another long enough title", Raw: hello})
	require.ErrorIs(t, err, fakediscourse.ErrRefused)
	list := w.okAs("ann", "GET", "/review.json", "")
	require.Equal(t, "ReviewableQueuedPost", list.at(t, "reviewables", 1, "type"))
	id := num(int64(list.at(t, "reviewables", 1, "id").(float64)))
	w.refused(403, "invalid_access", "ann", "PUT", "/review/"+id+"/perform/agree_and_keep.json?version=0", "")
	w.heard()
	w.okAs("ann", "PUT", "/review/"+id+"/perform/approve_post.json?version=0", "")
	require.Equal(t, []string{"topic_created", "post_created", "reviewable_transitioned_to"}, w.events())
	require.Equal(t, int64(42), w.f.Topics()[0].Author)
	w.okAs("ann", "PUT", "/review/2/perform/reject_post.json?version=0", "")
	require.Len(t, w.f.Topics(), 1)
	w.ok("POST", "/posts.json", `{"title":"Staff need no approval","raw":"`+hello+`"}`)
}
