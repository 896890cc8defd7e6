package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
)

// The name of a repository_dispatch is its sender's: whatever it is, the event arrives, and under that name where it is one.
func TestDispatchesOfAnyName(t *testing.T) {
	r := newRig(t)
	for action, typ := range map[string]string{
		"on-demand-test": "repository_dispatch on-demand-test", "deploy/prod:v1.2": "repository_dispatch deploy/prod:v1.2", "7": "repository_dispatch 7",
		"to prod": "repository_dispatch", "größe": "repository_dispatch",
	} {
		before := len(r.Events(typ))
		r.tell("repository_dispatch", map[string]any{"action": action, "branch": "main", "client_payload": map[string]any{"unit": false}})
		require.Len(t, r.Events(typ), before+1, action)
	}
}

// An action that is no name, as samples of client libraries have them, is none: the event arrives all the same.
func TestActionsThatAreNoNames(t *testing.T) {
	r := newRig(t)
	for _, action := range []string{"My workflow_run", "größe", strings.Repeat("a", 101), "completed\n"} {
		before := len(r.Events("workflow_run"))
		r.tell("workflow_run", map[string]any{"action": action})
		require.Len(t, r.Events("workflow_run"), before+1, action)
	}
}

// GitHub's description lets the person be null whose account is gone.
func TestPeopleWhoAreGone(t *testing.T) {
	r := newRig(t)
	team := map[string]any{"slug": "core"}
	for typ, fields := range map[string]map[string]any{
		"membership removed":          {"member": nil, "team": team, "scope": "team"},
		"org_block blocked":           {"blocked_user": nil},
		"member removed":              {"member": nil},
		"organization member_removed": {"membership": map[string]any{"user": nil}},
	} {
		event, action, _ := strings.Cut(typ, " ")
		fields["action"], fields["sender"] = action, map[string]any{"login": "town-app[bot]", "type": "Bot"}
		r.tell(event, fields)
		require.Len(t, r.Events(typ), 1, typ)
	}
	require.Equal(t, http.StatusBadRequest, r.send("org_block", r.payload(map[string]any{"action": "blocked"})).Code, "it names nobody, not even that they are gone")
	require.Equal(t, http.StatusBadRequest, r.send("membership", r.payload(map[string]any{"action": "added", "member": nil})).Code)
}

// A delivery that is larger than this program takes is passed over, and keeps nobody from those that failed after it.
func TestAFailedDeliveryThatIsTooLarge(t *testing.T) {
	r := newRig(t, func(_ *github.App, o *gateway.Options) { o.MaxBody = 2000 })
	at := r.Clock.Now().Format(time.RFC3339)
	failed := func(id int, ref string) map[string]any {
		payload := string(r.payload(map[string]any{"ref": ref}))
		return map[string]any{"id": id, "guid": fmt.Sprintf("lost-%d", id), "at": at, "status": 413, "installation": 4711, "event": "push", "payload": payload}
	}
	r.hub.mu.Lock()
	r.hub.failed = []map[string]any{failed(2, "refs/heads/small"), failed(1, strings.Repeat("x", 3000))}
	r.hub.mu.Unlock()
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
	r.Due()
	require.Len(t, r.Events("push"), 1)
	require.Contains(t, string(r.Events("push")[0].Data), "refs/heads/small")
}

// One that GitHub does not give is tried again, and the others are fetched meanwhile.
func TestAFailedDeliveryThatGitHubDoesNotGive(t *testing.T) {
	r := newRig(t)
	at := r.Clock.Now().Format(time.RFC3339)
	r.hub.mu.Lock()
	for id := 3; id > 0; id-- {
		payload := string(r.payload(map[string]any{"ref": fmt.Sprintf("refs/heads/b%d", id)}))
		r.hub.failed = append(r.hub.failed, map[string]any{"id": id, "guid": fmt.Sprintf("lost-%d", id), "at": at, "status": 502, "installation": 4711, "event": "push", "payload": payload})
	}
	broken := true
	r.hub.fault = func(q *http.Request) *http.Response {
		if broken && q.URL.Path == "/app/hook/deliveries/1" {
			return respond(500, "<html>Unicorn!</html>")
		}
		return nil
	}
	r.hub.mu.Unlock()
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
	r.Due()
	require.Len(t, r.Events("push"), 2)
	r.hub.mu.Lock()
	broken = false
	r.hub.mu.Unlock()
	r.Advance(time.Hour)
	require.Len(t, r.Events("push"), 3)
}
