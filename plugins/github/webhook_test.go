package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/github"
)

// Every delivery that GitHub's own examples have becomes one event, with its target and action as the type.
func TestEveryExampleOfGitHubs(t *testing.T) {
	dir := filepath.Join(specs.Dir(t), "github", "webhook-examples")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(files), 80)
	r := newRig(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			event, _, _ := strings.Cut(filepath.Base(file), ".")
			w := r.send(event, raw)
			require.Equal(t, http.StatusOK, w.Code, "as it is: %s", w.Body)

			var fields map[string]any
			require.NoError(t, json.Unmarshal(raw, &fields))
			fields["installation"] = map[string]any{"id": 4711}
			raw, err = json.Marshal(fields)
			require.NoError(t, err)
			typ := event
			if a, ok := fields["action"].(string); ok {
				typ += " " + a
			}
			r.Due()
			before := len(r.Events(typ))
			w = r.send(event, raw)
			require.Equal(t, http.StatusOK, w.Code, "of the installation: %s", w.Body)
			r.Due()
			got := r.Events(typ)
			require.Len(t, got, before+1)
			last := got[len(got)-1]
			require.JSONEq(t, string(raw), string(last.Data))
			if s, ok := fields["sender"].(map[string]any); ok {
				require.Equal(t, s["login"], last.Initiator)
			}
		})
	}
}

// A delivery counts once, also if its number, which GitHub does not sign, is another; and a body that was signed for one event is not taken
// for another.
func TestReplays(t *testing.T) {
	r := newRig(t)
	body := r.payload(map[string]any{"action": "created", "issue": map[string]any{"number": 1, "id": 5}, "comment": map[string]any{"id": 7, "body": "hello", "user": user("ann"), "updated_at": "2026-11-02T12:00:00Z"}})
	for range 3 {
		require.Equal(t, http.StatusOK, r.send("issue_comment", body).Code)
		r.Due()
	}
	require.Len(t, r.Events("issue_comment created"), 1)
	for _, event := range []string{"issues", "pull_request", "org_block", "push", "membership", "discussion"} {
		require.Equal(t, http.StatusBadRequest, r.send(event, body).Code, event)
	}
	block := r.payload(map[string]any{"action": "blocked", "blocked_user": user("eve")})
	require.Equal(t, http.StatusOK, r.send("org_block", block).Code)
	require.Equal(t, http.StatusBadRequest, r.send("issues", block).Code)
	same := func(h http.Header) { h.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958") }
	push := r.payload(map[string]any{"ref": "refs/heads/main"})
	for range 2 {
		require.Equal(t, http.StatusOK, r.send("push", push, same).Code)
		r.Due()
	}
	require.Len(t, r.Events("push"), 1)
}

// What is not signed, or not in a shape that GitHub uses, changes nothing.
func TestBadDeliveries(t *testing.T) {
	r := newRig(t)
	good := r.payload(map[string]any{"action": "opened", "issue": map[string]any{"number": 1}})
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	signed := func(body string) func(http.Header) { return set("X-Hub-Signature-256", signature([]byte(body))) }
	for name, c := range map[string]struct {
		body   string
		change []func(http.Header)
		want   int
	}{
		"no signature":         {string(good), []func(http.Header){set("X-Hub-Signature-256", "")}, 401},
		"of another body":      {string(good), []func(http.Header){signed("x")}, 401},
		"the older signature":  {string(good), []func(http.Header){set("X-Hub-Signature-256", ""), set("X-Hub-Signature", "sha1="+strings.Repeat("0", 40))}, 401},
		"no prefix":            {string(good), []func(http.Header){set("X-Hub-Signature-256", strings.TrimPrefix(signature(good), "sha256="))}, 401},
		"no event":             {string(good), []func(http.Header){set("X-GitHub-Event", "")}, 400},
		"no number":            {string(good), []func(http.Header){set("X-GitHub-Delivery", "")}, 400},
		"no JSON":              {`{"action":`, nil, 400},
		"a list":               {`[1]`, nil, 400},
		"null":                 {`null`, nil, 400},
		"nothing":              {``, nil, 400},
		"an odd action":        {`{"action":"a b","issue":{},"installation":{"id":4711}}`, nil, 400},
		"an action of 7":       {`{"action":7,"issue":{},"installation":{"id":4711}}`, nil, 400},
		"installation as text": {`{"action":"opened","issue":{},"installation":{"id":"4711"}}`, nil, 400},
		"issue as text":        {`{"action":"opened","issue":"1","installation":{"id":4711}}`, nil, 400},
		"huge":                 {`{"x":"` + strings.Repeat("x", 30<<20) + `"}`, nil, 413},
	} {
		t.Run(name, func(t *testing.T) {
			w := r.send("issues", []byte(c.body), c.change...)
			require.Equal(t, c.want, w.Code, w.Body)
			r.Due()
			require.Empty(t, r.Events())
		})
	}
	w := r.send("issues", []byte(`{"action":"opened","issue":{"number":1},"installation":{"id":999}}`))
	require.Equal(t, http.StatusOK, w.Code, "an installation that nobody has enabled")
	r.Due()
	require.Empty(t, r.Events())
}

// What is an object in one event is text in another.
func TestFieldsOfTheSameName(t *testing.T) {
	r := newRig(t)
	r.tell("deployment_review", map[string]any{"action": "approved", "comment": "Looks good.", "issue": 7, "member": []any{}, "label": "x"})
	require.Len(t, r.Events("deployment_review approved"), 1)
}

// Webhooks can be set to send forms.
func TestForms(t *testing.T) {
	r := newRig(t)
	body := []byte(url.Values{"payload": {string(r.payload(map[string]any{"ref": "refs/heads/main"}))}}.Encode())
	w := r.send("push", body, func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8") })
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	r.Due()
	require.Len(t, r.Events("push"), 1)
}

// What kind of body it is the sender's header says, which GitHub does not sign: a body is read in the way that it is, and in no other.
func TestTheKindOfBodyIsTheBodysToSay(t *testing.T) {
	r := newRig(t)
	form := func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") }
	// As a form, this text of an issue would be a push.
	body := append([]byte(" \n"), r.payload(map[string]any{"action": "opened", "issue": map[string]any{"number": 1, "title": "x&payload=%7B%22ref%22%3A%22evil%22%2C%22installation%22%3A%7B%22id%22%3A4711%7D%7D&y"}})...)
	require.Equal(t, http.StatusOK, r.send("issues", body, form).Code)
	require.Equal(t, http.StatusBadRequest, r.send("push", []byte("x=1&payload=%7B%22ref%22%3A%22evil%22%2C%22installation%22%3A%7B%22id%22%3A4711%7D%7D"), form).Code, "GitHub's forms begin with it")
	r.Due()
	require.Len(t, r.Events(), 1)
	require.Equal(t, "issues opened", r.Events()[0].Type)
}

// An app that is uninstalled pauses its instance; one with other permissions has them from then on. Late word of it changes nothing.
func TestTheInstallationChanges(t *testing.T) {
	r := newRig(t)
	r.tell("installation", map[string]any{"action": "deleted"})
	status, _, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status, "GitHub still knows it")
	r.tell("installation", map[string]any{"action": "new_permissions_accepted"})
	status, _, err = r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status)
	r.hub.mu.Lock()
	r.hub.installed = false
	r.hub.mu.Unlock()
	r.tell("installation", map[string]any{"action": "deleted", "again": 1})
	status, reason, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "paused", status)
	require.Equal(t, gateway.BadCredentials, reason)
}

// What the app does comes back as an event that says so, and what people do does not.
func TestEchoes(t *testing.T) {
	r := newRig(t)
	bot := map[string]any{"login": "town-app[bot]", "id": 99, "type": "Bot"}
	_, err := r.inst.Do(t.Context(), "block", github.Person{Username: "joshua"})
	require.NoError(t, err)
	r.tell("org_block", map[string]any{"action": "blocked", "blocked_user": user("Joshua"), "sender": bot})
	r.tell("org_block", map[string]any{"action": "blocked", "blocked_user": user("eve"), "sender": user("ada")})
	got := r.Events("org_block blocked")
	require.Len(t, got, 2)
	require.True(t, got[0].Bot)
	require.NotEmpty(t, got[0].Cause)
	require.False(t, got[1].Bot)
	require.Empty(t, got[1].Cause)

	raw, err := r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "Hello"})
	require.NoError(t, err)
	require.Contains(t, string(raw), `"issue_number":1`)
	r.tell("issues", map[string]any{"action": "opened", "issue": r.hub.issues[0], "sender": bot})
	require.NotEmpty(t, r.Events("issues opened")[0].Cause)
	_, err = r.inst.Do(t.Context(), "comment", github.Comment{Thread: github.Thread{Number: 1}, Body: "Hi"})
	require.NoError(t, err)
	r.tell("issue_comment", map[string]any{"action": "created", "issue": r.hub.issues[0], "comment": r.hub.comments[1][0], "sender": bot})
	require.NotEmpty(t, r.Events("issue_comment created")[0].Cause)
	_, err = r.inst.Do(t.Context(), "lock", github.Lock{Thread: github.Thread{Number: 1}, Reason: "spam"})
	require.NoError(t, err)
	r.tell("issues", map[string]any{"action": "locked", "issue": r.hub.issues[0], "sender": bot})
	require.NotEmpty(t, r.Events("issues locked")[0].Cause)
	_, err = r.inst.Do(t.Context(), "add-labels", github.AddLabels{Thread: github.Thread{Number: 1}, Labels: []string{"Good"}})
	require.NoError(t, err)
	r.tell("issues", map[string]any{"action": "labeled", "issue": r.hub.issues[0], "label": map[string]any{"name": "good"}, "sender": bot})
	require.NotEmpty(t, r.Events("issues labeled")[0].Cause)
}

// A delivery that failed is fetched, whoever it is for, and counts once even if GitHub is asked to send it again.
func TestFailedDeliveriesAreFetched(t *testing.T) {
	r := newRig(t)
	at := r.Clock.Now().Format("2006-01-02T15:04:05Z")
	payload := string(r.payload(map[string]any{"ref": "refs/heads/lost"}))
	entry := func(id int, guid string, status, installation int, payload string) map[string]any {
		return map[string]any{"id": id, "guid": guid, "at": at, "status": status, "installation": installation, "event": "push", "payload": payload}
	}
	r.hub.mu.Lock()
	r.hub.failed = []map[string]any{
		entry(5, "a-lost-one", 502, 4711, payload),
		entry(4, "a-mended-one", 200, 4711, payload), entry(3, "a-mended-one", 502, 4711, payload),
		entry(2, "somebody-elses", 502, 999, strings.Replace(payload, "4711", "999", 1)),
		entry(1, "a-liar", 502, 4711, strings.Replace(payload, "4711", "999", 1)),
	}
	r.hub.mu.Unlock()
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
	r.Due()
	require.Len(t, r.Events("push"), 1)
	require.Contains(t, string(r.Events("push")[0].Data), "refs/heads/lost")
	w := r.send("push", []byte(payload), func(h http.Header) { h.Set("X-GitHub-Delivery", "a-lost-one") })
	require.Equal(t, http.StatusOK, w.Code)
	r.Due()
	require.Len(t, r.Events("push"), 1)
	require.Empty(t, r.hub.calls(http.MethodGet, "/app/hook/deliveries/2"), "another community's is not even looked at")
}

// The app's log is that of all communities. Where there is more in it than one repair reads, its newest are fetched, and nothing fails.
func TestALogThatIsTooLong(t *testing.T) {
	r := newRig(t)
	at := r.Clock.Now().Format("2006-01-02T15:04:05Z")
	r.hub.mu.Lock()
	for i := range 10_101 {
		d := map[string]any{"id": 20_000 - i, "guid": fmt.Sprintf("d-%d", i), "at": at, "status": 200, "installation": 999, "event": "push", "payload": "{}"}
		if i == 50 {
			d["status"], d["installation"], d["payload"] = 502, 4711, string(r.payload(map[string]any{"ref": "refs/heads/lost"}))
		}
		r.hub.failed = append(r.hub.failed, d)
	}
	r.hub.mu.Unlock()
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
	r.Due()
	require.Len(t, r.Events("push"), 1)
	require.Len(t, r.hub.calls(http.MethodGet, "/app/hook/deliveries"), 101)
}
