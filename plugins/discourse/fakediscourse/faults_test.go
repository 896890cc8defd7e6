package fakediscourse_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

func TestFaults(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, _ := w.topic(hello)
	path := "/t/" + num(topic) + ".json"
	ask := func() answer { return w.send("system", "GET", path, "") }
	for _, c := range []struct {
		fault  fakediscourse.Fault
		status int
		says   string
	}{
		{fakediscourse.Fault{Refusal: "invalid_access"}, 403, "invalid_access"},
		{fakediscourse.Fault{Refusal: "read_only"}, 503, "read only mode"},
		{fakediscourse.Fault{Errors: []string{"Not today."}}, 422, "Not today."},
		{fakediscourse.Fault{Status: 502}, 502, ""},
		{fakediscourse.Fault{Body: "<html>moved</html>"}, 200, "<html>"},
		{fakediscourse.Fault{RetryAfter: 12 * time.Second}, 429, `"wait_seconds":12`},
		{fakediscourse.Fault{PlainLimit: 3 * time.Second}, 429, "Slow down"},
	} {
		c.fault.Route = "GET /t/{id}"
		w.s.Fail(c.fault)
		w.okAs("system", "GET", "/latest.json", "") // not the route
		a := ask()
		require.Equal(t, c.status, a.status)
		require.Contains(t, string(a.body), c.says)
		require.Equal(t, 200, ask().status)
	}
	in := w.s.Fail(fakediscourse.Fault{Status: 500, Times: -1, Skip: 1})
	require.Equal(t, []int{200, 500, 500}, []int{ask().status, ask().status, ask().status})
	require.Equal(t, 2, in.Hits())
	in.Remove()
	require.Equal(t, 200, ask().status)
}

// A request that is lost did nothing, one whose answer is lost did what it should.
func TestLost(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	suspend := func() error {
		r, err := http.NewRequest("PUT", base+"/admin/users/42/suspend.json?suspend_until=2030-01-01&reason=x", nil)
		require.NoError(t, err)
		r.Header.Set("Api-Key", w.key)
		r.Header.Set("Api-Username", "system")
		res, err := w.s.Client().Do(r)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	till := func() bool {
		v, _ := w.f.User("bob")
		return !v.SuspendedTill.IsZero()
	}
	const route = "PUT /admin/users/{id}/suspend"
	w.s.Fail(fakediscourse.Fault{Route: route, CloseBefore: true})
	require.Error(t, suspend())
	require.False(t, till())
	w.s.Fail(fakediscourse.Fault{Route: route, LoseAnswer: true})
	require.Error(t, suspend())
	require.True(t, till())
	require.NoError(t, w.f.Unsuspend("ann", "bob"))

	hold := w.s.Fail(fakediscourse.Fault{Route: route, Hold: true})
	done := make(chan error)
	go func() { done <- suspend() }()
	require.NoError(t, hold.Wait(context.Background()))
	require.False(t, till())
	hold.Release()
	require.NoError(t, <-done)
	require.True(t, till())
	require.NoError(t, w.f.Unsuspend("ann", "bob"))

	late := w.s.Fail(fakediscourse.Fault{Route: route, HoldAnswer: true})
	go func() { done <- suspend() }()
	require.NoError(t, late.Wait(context.Background()))
	late.Release()
	require.NoError(t, <-done)
	calls := w.s.CallsTo(route)
	require.Len(t, calls, 4)
	require.Equal(t, 200, calls[3].Answer.Status)
	require.Equal(t, "system", calls[3].User)
}

func TestForumsMove(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.Maintain(true)
	a := w.send("system", "GET", "/latest.json", "")
	require.Equal(t, 503, a.status)
	require.Contains(t, a.header.Get("Content-Type"), "text/html")
	w.f.Maintain(false)

	require.NoError(t, w.f.Move("https://new.example"))
	require.Error(t, w.f.Move("nowhere"))
	a = w.send("system", "GET", "/latest.json?page=1", "")
	require.Equal(t, 301, a.status)
	require.Equal(t, "https://new.example/latest.json?page=1", a.header.Get("Location"))
	require.NoError(t, w.f.Promote("bob", 2))
	require.Equal(t, "https://new.example", w.heard()[0].header.Get("X-Discourse-Instance"))
}

// Two forums know nothing of each other.
func TestTwoForums(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	other, err := w.s.AddForum("https://other.example/")
	require.NoError(t, err)
	require.Equal(t, "https://other.example", other.URL())
	r, err := http.NewRequest("GET", "https://other.example/u/bob.json", nil)
	require.NoError(t, err)
	r.Header.Set("Api-Key", w.key)
	r.Header.Set("Api-Username", "system")
	res, err := w.s.Client().Do(r)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 403, res.StatusCode, "the key is the other forum's")
	for _, bad := range []string{"", "x", "https://other.example", "ftp://x.example"} {
		_, err := w.s.AddForum(bad)
		require.Error(t, err, bad)
	}
}

func TestForumBelowAPath(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	f, err := w.s.AddForum("https://town.example/forum")
	require.NoError(t, err)
	for path, status := range map[string]int{"/forum/site/basic-info.json": 200, "/site/basic-info.json": 404, "/forum/nothing.json": 404} {
		res, err := w.s.Client().Get("https://town.example" + path)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, status, res.StatusCode, path)
	}
	_, err = f.AddWebhook(fakediscourse.Webhook{URL: "https://gateway.example/x"})
	require.NoError(t, err)
	require.Positive(t, f.Register("eve"))
	require.Equal(t, "https://town.example/forum", w.heard()[0].header.Get("X-Discourse-Instance"))
}
