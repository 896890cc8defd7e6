package fakegithub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

// validate is go-github's check of a delivery.
func validate(t *testing.T, r received, secret string) ([]byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://gateway.example", bytes.NewReader(r.body))
	require.NoError(t, err)
	req.Header = r.header
	return github.ValidatePayload(req, []byte(secret))
}

func TestDeliveriesAreSigned(t *testing.T) {
	for name, form := range map[string]bool{"as JSON": false, "as a form": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fakegithub.Options{Form: form})
			_, err := w.repo.OpenIssue("ada", "Hello", "& + %")
			require.NoError(t, err)
			got := w.hook.last(t)
			payload, err := validate(t, got, w.App().WebhookSecret)
			require.NoError(t, err)
			_, err = validate(t, got, "another secret")
			require.Error(t, err)
			only := received{got.header.Clone(), got.body}
			only.header.Del("X-Hub-Signature-256")
			_, err = validate(t, only, w.App().WebhookSecret)
			require.NoError(t, err, "the old signature is there too")
			e, err := github.ParseWebHook(got.header.Get("X-GitHub-Event"), payload)
			require.NoError(t, err)
			require.Equal(t, "& + %", e.(*github.IssuesEvent).GetIssue().GetBody())
			require.Equal(t, "acme", e.(*github.IssuesEvent).GetOrg().GetLogin())
			require.Equal(t, "integration", got.header.Get("X-GitHub-Hook-Installation-Target-Type"))
			require.True(t, strings.HasPrefix(got.header.Get("User-Agent"), "GitHub-Hookshot/"))
			d := w.DeliveriesOf("issues")[0]
			require.Equal(t, d.GUID, got.header.Get("X-GitHub-Delivery"))
			if form {
				v, err := url.ParseQuery(string(got.body))
				require.NoError(t, err)
				require.JSONEq(t, string(d.Payload), v.Get("payload"))
			}
		})
	}
}

// TestExamplesAreDelivered sends every example that GitHub publishes, and go-github reads it.
func TestExamplesAreDelivered(t *testing.T) {
	dir := filepath.Join(specs.Dir(t), "github", "webhook-examples")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	w := newWorld(t, fakegithub.Options{})
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		event, _, _ := strings.Cut(f.Name(), ".")
		a, err := w.Send(t.Context(), event, raw)
		require.NoError(t, err)
		require.True(t, a.OK())
		payload, err := validate(t, w.hook.last(t), w.App().WebhookSecret)
		require.NoError(t, err)
		require.JSONEq(t, string(raw), string(payload))
	}
	require.Greater(t, len(files), 90)
}

func TestFailedDeliveries(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	ctx := t.Context()
	w.hook.answer(http.StatusInternalServerError)
	_, err := w.repo.OpenIssue("ada", "lost", "")
	require.NoError(t, err)
	w.Fail(fakegithub.Fault{Delivery: "issue_comment created", CloseBefore: true})
	_, err = w.repo.Comment("ada", 1, "lost")
	require.NoError(t, err)
	w.hook.answer(http.StatusOK)
	w.Fail(fakegithub.Fault{Delivery: "issue_comment", LoseAnswer: true})
	_, err = w.repo.Comment("ada", 1, "late")
	require.NoError(t, err)

	list, _, err := w.app().Apps.ListHookDeliveries(ctx, nil)
	require.NoError(t, err)
	var got []string
	for _, d := range list {
		got = append(got, d.GetEvent()+" "+d.GetStatus()+" "+itoa(d.GetStatusCode()))
	}
	require.Equal(t, []string{"issue_comment timed out 504", "issue_comment failed to connect to host 502", "issues Invalid HTTP Response: 500 500", "installation OK 200"}, got, "the newest first")

	one, _, err := w.app().Apps.GetHookDelivery(ctx, list[2].GetID())
	require.NoError(t, err)
	require.JSONEq(t, string(w.DeliveriesOf("issues")[0].Payload), string(one.Request.GetRawPayload()))
	require.Equal(t, list[2].GetGUID(), one.Request.GetHeaders()["X-Github-Delivery"])
	_, _, err = w.app().Apps.RedeliverHookDelivery(ctx, list[2].GetID())
	var accepted *github.AcceptedError
	require.ErrorAs(t, err, &accepted)
	w.flush()
	require.Equal(t, list[2].GetGUID(), w.hook.last(t).header.Get("X-GitHub-Delivery"), "the same GUID")
	again, _, err := w.app().Apps.ListHookDeliveries(ctx, &github.ListCursorOptions{PerPage: 1})
	require.NoError(t, err)
	require.True(t, again[0].GetRedelivery())
	require.Equal(t, list[2].GetGUID(), again[0].GetGUID())
	require.NotEqual(t, list[2].GetID(), again[0].GetID())

	w.clock.add(3*24*time.Hour + time.Second)
	list, _, err = w.app().Apps.ListHookDeliveries(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, list, "they are kept for three days")
}

func TestLogPages(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	for range 7 {
		_, err := w.repo.OpenIssue("ada", "x", "")
		require.NoError(t, err)
	}
	seen, opt := map[int64]bool{}, &github.ListCursorOptions{PerPage: 3}
	for {
		list, res, err := w.app().Apps.ListHookDeliveries(t.Context(), opt)
		require.NoError(t, err)
		for _, d := range list {
			seen[d.GetID()] = true
		}
		if res.Cursor == "" {
			break
		}
		opt.Cursor = res.Cursor
	}
	require.Len(t, seen, 8)
}

func TestDeliveryFaults(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	open := func(title string) {
		t.Helper()
		_, err := w.repo.OpenIssue("ada", title, "")
		require.NoError(t, err)
	}
	titles := func() (out []string) {
		for _, r := range w.hook.all() {
			var p struct{ Issue struct{ Title string } }
			require.NoError(t, json.Unmarshal(r.body, &p))
			if p.Issue.Title != "" {
				out = append(out, p.Issue.Title)
			}
		}
		return out
	}
	w.Fail(fakegithub.Fault{Delivery: "issues", Drop: true})
	open("dropped")
	w.Fail(fakegithub.Fault{Delivery: "issues", Duplicate: 1})
	open("twice")
	w.Fail(fakegithub.Fault{Delivery: "issues", Reorder: true})
	open("overtaken")
	open("overtakes")
	w.Fail(fakegithub.Fault{Delivery: "issues", Late: time.Minute})
	open("late")
	w.Fail(fakegithub.Fault{Delivery: "issues", Reorder: true})
	open("not overtaken")
	require.Equal(t, []string{"twice", "twice", "overtakes", "overtaken"}, titles())
	require.Equal(t, 1, w.SendLate(t.Context()))
	w.clock.add(time.Minute)
	require.Equal(t, 1, w.SendLate(t.Context()))
	require.Equal(t, []string{"twice", "twice", "overtakes", "overtaken", "not overtaken", "late"}, titles())
	require.Equal(t, "lost on purpose", w.DeliveriesOf("issues")[0].Dropped)
}

func TestSlowAnswer(t *testing.T) {
	w := newWorld(t, fakegithub.Options{AckTimeout: 20 * time.Millisecond})
	stop := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(stop) })
	w.SetRequestURL(slow.URL, nil)
	_, err := w.repo.OpenIssue("ada", "x", "")
	require.NoError(t, err)
	require.Equal(t, "timed out", w.DeliveriesOf("issues")[0].Attempts[0].Failed)
	w.SetRequestURL("", nil)
	_, err = w.repo.OpenIssue("ada", "y", "")
	require.NoError(t, err)
	require.Equal(t, "no webhook URL", w.DeliveriesOf("issues")[1].Dropped)
}

func TestHookConfig(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	c, _, err := w.app().Apps.UpdateHookConfig(t.Context(), &github.HookConfig{Secret: github.String("a-new-fake-secret")})
	require.NoError(t, err)
	require.Equal(t, "********", c.GetSecret())
	w.Ping()
	_, err = validate(t, w.hook.last(t), "a-new-fake-secret")
	require.NoError(t, err)
}

func TestFaults(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	bot := w.botToken()
	const route = "PUT /orgs/{org}/blocks/{username}"
	put := func() (int, http.Header, map[string]any) { return w.raw(bot, "PUT", "/orgs/acme/blocks/eve", "") }

	w.Fail(fakegithub.Fault{Route: route, Status: 502, Body: "<html>Unicorn!</html>"})
	status, h, _ := put()
	require.Equal(t, 502, status)
	require.Contains(t, h.Get("Content-Type"), "text/html")
	w.Fail(fakegithub.Fault{Route: route, Exhausted: true})
	_, err := w.as(bot).Organizations.BlockUser(t.Context(), "acme", "eve")
	var primary *github.RateLimitError
	require.ErrorAs(t, err, &primary)
	w.Fail(fakegithub.Fault{Route: route, Secondary: 30 * time.Second})
	status, h, out := put()
	require.Equal(t, 403, status)
	require.Equal(t, "30", h.Get("Retry-After"))
	require.Contains(t, out["message"], "secondary rate limit")
	w.Fail(fakegithub.Fault{Route: route, Unnamed: true})
	status, h, _ = put()
	require.Equal(t, 429, status)
	require.Empty(t, h.Get("Retry-After"))
	w.Fail(fakegithub.Fault{Route: route, Status: 503, Skip: 1, Times: 2})
	for _, want := range []int{204, 503, 503, 422} {
		status, _, _ = put()
		require.Equal(t, want, status)
	}

	req := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, "DELETE", "https://api.github.com/orgs/acme/blocks/eve", nil)
		require.NoError(t, err)
		r.Header.Set("User-Agent", "test")
		r.Header.Set("Authorization", "Bearer "+bot)
		res, err := w.Client().Do(r)
		if err == nil {
			err = res.Body.Close()
		}
		return err
	}
	w.Fail(fakegithub.Fault{Route: "DELETE /orgs/{org}/blocks/{username}", CloseBefore: true})
	require.Error(t, req(t.Context()))
	require.Equal(t, []string{"eve"}, w.org.Blocked(), "nothing was done")
	w.Fail(fakegithub.Fault{Route: "DELETE /orgs/{org}/blocks/{username}", LoseAnswer: true})
	require.Error(t, req(t.Context()))
	require.Empty(t, w.org.Blocked(), "it was done")

	held := w.Fail(fakegithub.Fault{Route: route, Hold: true})
	done := make(chan int, 1)
	go func() { s, _, _ := put(); done <- s }()
	require.NoError(t, held.Wait(t.Context()))
	require.Empty(t, w.org.Blocked())
	held.Release()
	require.Equal(t, 204, <-done)
	require.Equal(t, 1, held.Hits())
	held.Remove()

	calls := w.CallsTo(route)
	last := calls[len(calls)-1]
	require.Equal(t, "installation", last.Auth)
	require.Equal(t, "town-app[bot]", last.Login)
	require.Equal(t, 204, last.Answer.Status)
}
