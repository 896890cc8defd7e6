package github_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/vote"
)

// A repository that is given to somebody else redirects, and can be read where it is public. Neither a vote nor the configuration follows it there.
func TestARepositoryThatIsGivenAway(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-comment-vote", vote.Ask{Title: "More soup?"}, nil)
	r.write("ann", "/vote yes")
	r.hub.mu.Lock()
	r.hub.issues[0]["repository_url"] = "https://api.github.com/repos/acme/town"
	r.hub.mu.Unlock()
	r.Advance(20 * time.Minute)
	require.Equal(t, map[string]int64{"yes": 1}, counts(r.again(p)))
	r.hub.mu.Lock()
	r.hub.issues[0]["repository_url"] = "https://api.github.com/repos/evil/town"
	r.hub.fault = func(q *http.Request) *http.Response {
		if strings.EqualFold(q.URL.Path, "/repos/acme/town") {
			return respond(200, map[string]any{"full_name": "evil/town"})
		}
		return nil
	}
	r.hub.mu.Unlock()
	r.tell("repository", map[string]any{"action": "renamed"})
	raw, err := r.inst.Config(t.Context())
	require.NoError(t, err)
	var c github.Config
	require.NoError(t, json.Unmarshal(raw, &c))
	require.Equal(t, "town", c.Repository)
	r.Advance(2 * time.Hour)
	require.Equal(t, vote.ByDeletion, outcome(t, r.again(p)).ClosedBy)
}

// What has no REST route is reached by the other API, with what the installation may do there; not on behalf of a person, of whom nobody knows where it acts.
func TestGraphQL(t *testing.T) {
	r := newRig(t)
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if q.URL.Path == "/graphql" {
			return respond(200, map[string]any{"data": map[string]any{"ok": true}})
		}
		return nil
	}
	r.hub.mu.Unlock()
	raw, err := r.inst.Do(t.Context(), "method", json.RawMessage(`{"method":"POST","route":"/graphql","query":"query($n: Int!) { x(n: $n) }","variables":{"n":1}}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"status":200,"data":{"data":{"ok":true}}}`, string(raw))
	calls := r.hub.calls(http.MethodPost, "/graphql")
	require.Len(t, calls, 1)
	require.JSONEq(t, `{"query":"query($n: Int!) { x(n: $n) }","variables":{"n":1}}`, calls[0].Body)
}

// Some routes answer with text, which the driver gets as text. A page of a proxy's is none of GitHub's answers.
func TestRoutesThatAnswerWithText(t *testing.T) {
	r := newRig(t)
	header := []string{"Content-Type", "text/html;charset=utf-8", "X-GitHub-Request-Id", "0000:00000:0000000:0000000:00000000"}
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if q.URL.Path == "/markdown" {
			return respond(200, "<p>Hello <strong>you</strong></p>\n", header...)
		}
		return nil
	}
	r.hub.mu.Unlock()
	raw, err := r.inst.Do(t.Context(), "method", json.RawMessage(`{"method":"POST","route":"/markdown","text":"Hello **you**"}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"status":200,"data":"<p>Hello <strong>you</strong></p>\n"}`, string(raw))
	r.hub.mu.Lock()
	header = header[:2]
	r.hub.mu.Unlock()
	_, err = r.inst.Do(t.Context(), "method", json.RawMessage(`{"method":"POST","route":"/markdown","text":"Hello **you**"}`))
	require.ErrorIs(t, err, gateway.Unknown)
}

// An installation has one number, in one writing: deliveries name it so.
func TestAnInstallationsNumberWithZeros(t *testing.T) {
	r := newRig(t)
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if q.URL.Path == "/app/installations/004711" {
			return respond(200, map[string]any{"id": 4711, "app_slug": "town-app", "account": map[string]any{"login": "acme", "id": 1, "type": "Organization"}})
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, err := r.Community("village").Enable(t.Context(), "github", github.Config{InstallationID: "004711"})
	require.ErrorIs(t, err, gateway.Invalid)
}

// An enterprise has no login, and what the plugin acts on belongs to its organisations: its installation is refused, and not tried again and again.
func TestAnEnterprisesInstallation(t *testing.T) {
	r := newRig(t)
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if q.URL.Path == "/app/installations/5" {
			return respond(200, map[string]any{"id": 5, "app_slug": "town-app", "target_type": "Enterprise", "account": map[string]any{"id": 1, "slug": "acme-inc", "name": "Acme Inc"}})
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, err := r.Community("village").Enable(t.Context(), "github", github.Config{InstallationID: "5"})
	require.ErrorIs(t, err, gateway.Invalid)
	require.ErrorContains(t, err, "enterprise")
}

// Not all of GitHub knows at once that there is an issue: one that is not seen right after it was opened is not deleted.
func TestAnIssueThatIsNotSeenYet(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "More soup?"}, nil)
	unseen := true
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if unseen && q.URL.Path == "/repos/acme/town/issues/1" {
			return refusal(404, "Not Found")
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, err := r.c.Refresh(t.Context(), p.ID)
	require.ErrorIs(t, err, gateway.Unavailable)
	require.Equal(t, gateway.StatusPending, r.again(p).Status)
	r.Advance(time.Minute)
	require.Equal(t, gateway.StatusPending, r.again(p).Status)
	r.Advance(20 * time.Minute)
	require.Equal(t, vote.ByDeletion, outcome(t, r.again(p)).ClosedBy, "it is gone")
}
