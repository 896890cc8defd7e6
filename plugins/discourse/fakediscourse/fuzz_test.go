package fakediscourse_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// Whatever somebody writes, a post shows no markup that Discourse does not let through, and its polls have options with text.
func FuzzRaw(f *testing.F) {
	for _, raw := range []string{"[poll]\n* A\n* B\n[/poll]", "[poll name=\"x\" type=number min=1 max=99999999999 step=0]\n[/poll]", "```\n[poll]\n```\n[/poll]",
		"# T\n> q\n* `a` **b** *c* [d](e) ![f](g) <script> <b> &#42; &#x2a; &amp; \\* @bob https://x.example", "[poll]\n[poll]\n[/poll]\n[/poll]", "&#0;&#99999999;"} {
		f.Add(raw)
	}
	s := fakediscourse.New(fakediscourse.Options{})
	f.Cleanup(s.Close)
	forum, err := s.AddForum(base)
	require.NoError(f, err)
	forum.AddUser(90, "ann", fakediscourse.Moderator())
	_, id, err := forum.Post("ann", fakediscourse.NewTopic{Title: "What people write here", Raw: hello})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw string) {
		if err := forum.EditPost("ann", id, raw); err != nil {
			require.ErrorIs(t, err, fakediscourse.ErrRefused)
			return
		}
		p, ok := forum.PostByID(id)
		require.True(t, ok)
		require.NotContains(t, strings.ToLower(p.Cooked), "<script")
		for _, x := range p.Polls {
			require.NotEmpty(t, x.Options)
			require.LessOrEqual(t, len(x.Options), 20)
		}
	})
}

// Whatever is asked, the fake answers, and never that it failed itself.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/posts.json", "application/json", `{"title":"A long enough title","raw":"`+hello+`"}`)
	f.Add("PUT", "/polls/vote", "application/x-www-form-urlencoded", "post_id=1&poll_name=poll&options[0][digest]=x&options[]=y&a[b][c][]=d&[=x")
	f.Add("GET", "/polls/voters.json?post_id=1&poll_name=poll&page=-1&limit=-5", "", "")
	f.Add("POST", "/admin/api/web_hooks.json", "application/json", `{"web_hook":{"payload_url":"https://x.example","web_hook_event_type_ids":[{}],"wildcard_web_hook":[]}}`)
	f.Add("POST", "/posts.json", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"raw\"\r\n\r\nhello\r\n--x--\r\n")
	f.Add("GET", "/session/sso_provider?sso=bm9uY2U9MQ==&sig=x", "", "")
	f.Add("DELETE", "/groups/1/members.json", "application/json", `{"usernames":["bob"],"user_ids":1}`)
	f.Add("GET", "/t/1/posts.json?post_ids[]=1", "", "")
	f.Add("GET", "/groups.json?page=-3", "", "")
	dir := filepath.Join(specs.Dir(f), "discourse", "discourse_api_docs", "responses", "posts")
	for _, name := range []string{"get_post_response.json", "update_post_response.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(f, err)
		f.Add("PUT", "/posts/1.json", "application/json", string(b))
	}
	s := fakediscourse.New(fakediscourse.Options{})
	f.Cleanup(s.Close)
	forum, err := s.AddForum(base)
	require.NoError(f, err)
	key := forum.NewKey()
	_, _, err = forum.Post("admin", fakediscourse.NewTopic{Title: "Something to decide", Raw: "[poll]\n* A\n* B\n[/poll]\n\nPlease vote."})
	require.NoError(f, err)
	forum.Set(func(s *fakediscourse.Settings) { s.EnableDiscourseConnectProvider = true })
	f.Fuzz(func(t *testing.T, method, target, kind, body string) {
		r, err := http.NewRequest(method, base+"/", io.NopCloser(strings.NewReader(body)))
		if err != nil {
			return
		}
		u, err := r.URL.Parse(target)
		if err != nil || u.Host != r.URL.Host {
			return
		}
		r.URL = u
		r.Header = http.Header{"Api-Key": {key}, "Api-Username": {"system"}, "Content-Type": {kind}}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.NotEqual(t, 500, w.Code)
	})
}
