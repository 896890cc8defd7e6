package github_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
