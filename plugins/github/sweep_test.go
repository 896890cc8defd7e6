package github_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
)

// What failed while this program was restarted, which is no outage, is found by the next sweep; what came is not brought again.
func TestSweep(t *testing.T) {
	r := newRig(t, func(a *github.App, _ *gateway.Options) { a.Sweep = 5 * time.Minute })
	r.Due()
	r.Advance(5 * time.Minute)
	before := len(r.hub.calls(http.MethodGet, "/app/hook/deliveries"))
	lost := string(r.payload(map[string]any{"ref": "refs/heads/lost"}))
	at := r.Clock.Now().Add(10 * time.Second).Format(time.RFC3339)
	r.hub.mu.Lock()
	r.hub.failed = []map[string]any{{"id": 7, "guid": "lost", "at": at, "status": 502, "installation": 4711, "event": "push", "payload": lost}}
	r.hub.mu.Unlock()
	r.Advance(time.Minute)
	require.Empty(t, r.Events("push"))
	r.Advance(5 * time.Minute)
	require.Len(t, r.Events("push"), 1)
	r.Advance(20 * time.Minute)
	r.Advance(20 * time.Minute)
	require.Len(t, r.Events("push"), 1)
	n := len(r.hub.calls(http.MethodGet, "/app/hook/deliveries/7"))
	r.Advance(time.Hour)
	r.Advance(time.Hour)
	require.Len(t, r.hub.calls(http.MethodGet, "/app/hook/deliveries/7"), n, "what is long over is not looked at again")
	require.Greater(t, len(r.hub.calls(http.MethodGet, "/app/hook/deliveries")), before)
}
