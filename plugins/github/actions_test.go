package github_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/vote"
)

// wired are the actions with what they send.
var wired = []struct{ action, in, method, path, body string }{
	{"create-issue", `{"title":"T","body":"B","labels":["l"],"assignees":["bob"]}`, "POST", "/repos/acme/town/issues", `"title":"T"`},
	{"comment", `{"issue_number":1,"body":"Hello"}`, "POST", "/repos/acme/town/issues/1/comments", `Hello`},
	{"add-labels", `{"issue_number":1,"labels":["a","b"]}`, "POST", "/repos/acme/town/issues/1/labels", `{"labels":["a","b"]}`},
	{"remove-label", `{"issue_number":1,"label":"needs work/now"}`, "DELETE", "/repos/acme/town/issues/1/labels/needs%20work%2Fnow", ``},
	{"lock", `{"issue_number":1,"lock_reason":"too heated"}`, "PUT", "/repos/acme/town/issues/1/lock", `{"lock_reason":"too heated"}`},
	{"lock", `{"issue_number":1}`, "PUT", "/repos/acme/town/issues/1/lock", ``},
	{"unlock", `{"issue_number":1}`, "DELETE", "/repos/acme/town/issues/1/lock", ``},
	{"close", `{"issue_number":1,"state_reason":"not_planned"}`, "PATCH", "/repos/acme/town/issues/1", `{"state":"closed","state_reason":"not_planned"}`},
	{"reopen", `{"issue_number":1}`, "PATCH", "/repos/acme/town/issues/1", `{"state":"open"}`},
	{"merge", `{"pull_number":7,"merge_method":"squash"}`, "PUT", "/repos/acme/town/pulls/7/merge", `{"merge_method":"squash"}`},
	{"review", `{"pull_number":7,"event":"APPROVE"}`, "POST", "/repos/acme/town/pulls/7/reviews", `"event":"APPROVE"`},
	{"set-member", `{"username":"cid","role":"admin"}`, "PUT", "/orgs/acme/memberships/cid", `{"role":"admin"}`},
	{"is-member", `{"username":"bob"}`, "GET", "/orgs/acme/members/bob", ``},
	{"remove-member", `{"username":"bob"}`, "DELETE", "/orgs/acme/members/bob", ``},
	{"set-collaborator", `{"username":"bob"}`, "PUT", "/repos/acme/town/collaborators/bob", `{"permission":"push"}`},
	{"remove-collaborator", `{"username":"bob"}`, "DELETE", "/repos/acme/town/collaborators/bob", ``},
	{"set-team-member", `{"team_slug":"core","username":"bob"}`, "PUT", "/orgs/acme/teams/core/memberships/bob", `{"role":"member"}`},
	{"remove-team-member", `{"team_slug":"core","username":"bob"}`, "DELETE", "/orgs/acme/teams/core/memberships/bob", ``},
	{"block", `{"username":"eve"}`, "PUT", "/orgs/acme/blocks/eve", ``},
	{"unblock", `{"username":"eve"}`, "DELETE", "/orgs/acme/blocks/eve", ``},
	{"get-installation", `{}`, "GET", "/app/installations/4711", ``},
	{"method", `{"route":"/repos/{owner}/{repo}/issues/{issue_number}","issue_number":1}`, "GET", "/repos/acme/town/issues/1", ``},
	{"method", `{"route":"/app","auth":"app"}`, "GET", "/app", ``},
	{"delete-comment", `{"comment_id":5}`, "DELETE", "/repos/acme/town/issues/comments/5", ``},
}

// Each action sends what it says, and all that is sent, also for votes, is what GitHub's own description knows.
func TestActionsAreWhatGitHubDescribes(t *testing.T) {
	api := specs.OpenAPI(t, "github", "api.github.com.trimmed.noexamples.json")
	r := newRig(t)
	var refused []error
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if q.URL.Host != "api.github.com" {
			return nil
		}
		if err := api.Request(q); err != nil && (!errors.Is(err, specs.ErrNoRoute) || q.URL.Path != "/app") {
			refused = append(refused, errors.Join(errors.New(q.Method+" "+q.URL.Path), err))
		}
		if q.Method == http.MethodDelete && strings.Contains(q.URL.Path, "/comments/") || strings.HasSuffix(q.URL.Path, "/collaborators/bob") {
			return respond(204, nil)
		}
		return nil
	}
	r.hub.mu.Unlock()
	for _, w := range wired {
		before := len(r.hub.calls("", "/"))
		_, err := r.inst.Do(t.Context(), w.action, json.RawMessage(w.in))
		require.NoError(t, err, w.action)
		calls := r.hub.calls("", "/")[before:]
		require.Len(t, calls, 1, w.action)
		require.Equal(t, w.method+" "+w.path, calls[0].Method+" "+calls[0].Path, w.action)
		require.Contains(t, calls[0].Body, w.body, w.action)
		if w.body == "" {
			require.Empty(t, calls[0].Body, w.action)
		}
	}
	for _, name := range []string{"issue-react-vote", "issue-comment-vote"} {
		r.start(name, vote.Ask{Title: "x"}, func(p *github.Place) { p.Labels = []string{"vote"} })
	}
	r.Advance(2 * time.Hour)
	require.Empty(t, refused)
	require.NotEmpty(t, r.hub.calls(http.MethodPatch, "/repos/acme/town/issues/3"), "the votes have ended")
}

// An answer that was lost is looked for: nothing is posted twice.
func TestAskedForAgainNothingIsPostedTwice(t *testing.T) {
	r := newRig(t)
	r.hub.mu.Lock()
	lost := map[string]bool{}
	r.hub.after = func(q *http.Request) error {
		if q.Method == http.MethodPost && !lost[q.URL.Path] && strings.HasPrefix(q.URL.Path, "/repos") {
			lost[q.URL.Path] = true
			return errors.New("the connection broke")
		}
		return nil
	}
	r.hub.mu.Unlock()
	for _, c := range []struct{ action, in, want string }{
		{"create-issue", `{"title":"T"}`, `"issue_number":1`}, {"comment", `{"issue_number":1,"body":"B"}`, `"comment_id":`},
	} {
		raw, err := r.inst.Do(t.Context(), c.action, json.RawMessage(c.in), gateway.Once("k-"+c.action))
		if err != nil {
			require.ErrorIs(t, err, gateway.Unknown)
			raw, err = r.inst.Do(t.Context(), c.action, json.RawMessage(c.in), gateway.Once("k-"+c.action))
		}
		require.NoError(t, err)
		require.Contains(t, string(raw), c.want)
	}
	require.Len(t, r.hub.issues, 1)
	require.Len(t, r.hub.comments[1], 1)
}

// What GitHub refuses says why, and which permission would do.
func TestRefusals(t *testing.T) {
	r := newRig(t)
	do := func(action, in string) error {
		_, err := r.inst.Do(t.Context(), action, json.RawMessage(in))
		return err
	}
	err := do("method", `{"route":"/forbidden"}`)
	require.ErrorIs(t, err, gateway.Denied)
	require.ErrorContains(t, err, "the app needs the permission issues:write|pull_requests:write")
	require.ErrorIs(t, do("comment", `{"issue_number":9,"body":"x"}`), gateway.NotFound)
	require.ErrorIs(t, do("merge", `{"pull_number":7,"sha":"`+strings.Repeat("b", 40)+`"}`), gateway.Conflict)
	require.ErrorIs(t, do("block", `{"username":"ada"}`), gateway.Invalid, "who cannot be blocked")
	require.NoError(t, do("block", `{"username":"eve"}`))
	require.NoError(t, do("block", `{"username":"eve"}`), "who is blocked already")
	require.ErrorIs(t, do("comment", `{"issue_number":1,"body":"x","repo_name":"../acme"}`), gateway.Invalid)
	require.ErrorIs(t, do("block", `{"username":"a/b"}`), gateway.Invalid)

	for name, res := range map[string]func() *http.Response{
		"primary": func() *http.Response {
			return refusal(403, "API rate limit exceeded", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "9999999999")
		},
		"secondary": func() *http.Response {
			return refusal(403, "You have exceeded a secondary rate limit.", "Retry-After", "30")
		},
		"told": func() *http.Response { return refusal(429, "Slow down") },
	} {
		r := newRig(t)
		r.hub.mu.Lock()
		r.hub.fault = func(q *http.Request) *http.Response {
			if q.URL.Path == "/zen" {
				return res()
			}
			return nil
		}
		r.hub.mu.Unlock()
		_, err := r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/zen"}`))
		require.ErrorIs(t, err, gateway.Unavailable, name)
		require.Positive(t, gateway.RetryAfter(err), name)
	}
}

// The action method reaches what is the community's, and nothing else.
func TestMethodStaysWithinTheCommunity(t *testing.T) {
	r := newRig(t)
	for _, in := range []string{
		`{"route":"/app/installations","auth":"app"}`, `{"route":"/app/installations/4712","auth":"app"}`, `{"route":"/app/hook/deliveries","auth":"app"}`,
		`{"route":"/app/installations/{installation_id}","method":"DELETE","auth":"app"}`, `{"route":"/app/installations/{installation_id}","installation_id":"4712","auth":"app"}`,
		`{"route":"/app/installations/4711/access_tokens","method":"POST"}`, `{"route":"/APP/hook/config"}`, `{"route":"/applications/x/token","method":"DELETE"}`, `{"route":"/installation/token","method":"DELETE"}`,
		`{"route":"//evil.example/x"}`, `{"route":"https://evil.example/x"}`, `{"route":"/repos/../app/hook/config"}`, `{"route":"/repos/{owner}/x","owner":".."}`,
		`{"route":"/repos/{owner}/x/{nothing}"}`, `{"route":"/zen?x=1"}`, `{"route":"/%61pp"}`, `{"route":"/repos/{path}","path":"../app"}`, `{"route":"/zen","x":{"y":1}}`,
	} {
		_, err := r.inst.Do(t.Context(), "method", json.RawMessage(in))
		require.Error(t, err, in)
		require.Contains(t, []gateway.Code{gateway.Denied, gateway.Invalid}, gateway.CodeOf(err), in)
	}
	require.Len(t, r.hub.calls("", "/"), 1, "nothing was sent but what enabling asks")
	raw, err := r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/zen","s":"a b","n":3}`))
	require.NoError(t, err)
	require.Contains(t, string(raw), "n=3\\u0026s=a+b")
	raw, err = r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/repos/{owner}/{repo}/issues"}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"status":200,"data":[]}`, string(raw))
}

// Many at once make one token, and it is made anew before it ends.
func TestInstallationTokens(t *testing.T) {
	r := newRig(t)
	errs := make(chan error)
	for range 20 {
		go func() {
			_, err := r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/zen"}`))
			errs <- err
		}()
	}
	for range 20 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 1, r.hub.minted)
	r.Advance(54 * time.Minute)
	_, err := r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/zen"}`))
	require.NoError(t, err)
	require.Equal(t, 1, r.hub.minted)
	r.Advance(2 * time.Minute)
	_, err = r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/zen"}`))
	require.NoError(t, err)
	require.Equal(t, 2, r.hub.minted)

	r.hub.mu.Lock()
	r.hub.suspended = true
	clear(r.hub.tokens)
	r.hub.mu.Unlock()
	_, err = r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/zen"}`))
	require.ErrorIs(t, err, gateway.Unavailable)
	status, _, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status, "it goes on when the suspension is lifted")
	r.hub.mu.Lock()
	r.hub.suspended = false
	r.hub.mu.Unlock()
	_, err = r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/zen"}`))
	require.NoError(t, err)
}

// Roles are read page by page, without bots.
func TestRoles(t *testing.T) {
	r := newRig(t)
	for _, role := range []string{"github/team/core", "github/organization/all", "github/collaborator/town"} {
		got, err := r.c.ReadRole(t.Context(), gateway.RoleKey("github", strings.TrimPrefix(role, "github/")), 0)
		require.NoError(t, err, role)
		require.Equal(t, 150, got.Members, role)
	}
}

// An app that could not be believed is not made.
func TestNew(t *testing.T) {
	for name, change := range map[string]func(*github.App){
		"no webhook secret": func(a *github.App) { a.WebhookSecret = "" },
		"no ID":             func(a *github.App) { a.ID = "" },
		"no slug":           func(a *github.App) { a.Slug = "" },
		"no key":            func(a *github.App) { a.PrivateKey = "" },
		"half a key":        func(a *github.App) { a.PrivateKey = a.PrivateKey[:200] },
		"too many sweeps":   func(a *github.App) { a.Sweep = time.Second },
		"half a client":     func(a *github.App) { a.ClientSecret = "" },
	} {
		a := testApp()
		change(&a)
		_, err := github.New(a)
		require.ErrorIs(t, err, gateway.Invalid, name)
		require.NotContains(t, err.Error(), clientSecret)
	}
}

// What was done by an attempt whose answer was lost is ours: the delivery of it starts nothing a second time.
func TestWhatALostAnswerDidIsOurs(t *testing.T) {
	bot := map[string]any{"login": "town-app[bot]", "id": 99, "type": "Bot"}
	for _, c := range []struct {
		action, in, event string
		fields            map[string]any
	}{
		{"block", `{"username":"joshua"}`, "org_block blocked", map[string]any{"action": "blocked", "blocked_user": user("joshua"), "sender": bot}},
		{"remove-member", `{"username":"bob"}`, "organization member_removed", map[string]any{"action": "member_removed", "membership": map[string]any{"user": user("bob")}, "sender": bot}},
	} {
		r := newRig(t)
		lost := false
		r.hub.mu.Lock()
		r.hub.after = func(q *http.Request) error {
			if strings.HasPrefix(q.URL.Path, "/orgs") && !lost {
				lost = true
				return errors.New("the connection broke")
			}
			return nil
		}
		r.hub.mu.Unlock()
		raw, err := r.inst.Do(t.Context(), c.action, json.RawMessage(c.in), gateway.Once("k"))
		require.NoError(t, err, c.action)
		require.JSONEq(t, `{}`, string(raw), "it was not so before")
		event, _, _ := strings.Cut(c.event, " ")
		r.tell(event, c.fields)
		require.Len(t, r.Events(c.event), 1)
		require.NotEmpty(t, r.Events(c.event)[0].Cause, c.action)
	}
}
