package slack

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

func TestPace(t *testing.T) {
	of := func(method string, a args) gateway.Pace {
		r, err := http.NewRequestWithContext(pacing(t.Context(), "T1", method, a), http.MethodPost, apiURL+method, nil)
		require.NoError(t, err)
		return new(Slack).pace(r)
	}
	require.Equal(t, gateway.Pace{Key: "T1/chat.postMessage/C1", Every: time.Second, Burst: 10}, of("chat.postMessage", args{"channel": "C1"}))
	require.Equal(t, gateway.Pace{Key: "T1/users.list", Every: 3 * time.Second, Burst: 20}, of("users.list", nil))
	require.Equal(t, gateway.Pace{Key: "T1/chat.update", Every: 1200 * time.Millisecond, Burst: 50}, of("chat.update", nil))
	require.Zero(t, of("auth.test", nil).Every)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://hooks.slack.com/x", nil)
	require.NoError(t, err)
	require.Zero(t, new(Slack).pace(r))
}
