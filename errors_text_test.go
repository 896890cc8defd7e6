package gateway_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// TestAnAddressInAnErrorIsNotKept beyond its host: what follows may be a capability.
func TestAnAddressInAnErrorIsNotKept(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	r.api.on("start", func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:1/hook/canary?token=canary", nil)
		if err != nil {
			return err
		}
		_, err = http.DefaultClient.Do(req)
		return gateway.Errorf(gateway.Denied, "asking: %w", err)
	})
	_, err := inst.Start(t.Context(), "poll", poll{vote.Ask{Title: "x"}})
	require.ErrorIs(t, err, gateway.Denied)
	list, err := c.Processes(t.Context(), "", 10)
	require.NoError(t, err)
	require.Contains(t, list[0].Reason, "127.0.0.1:1")
	require.NotContains(t, list[0].Reason, "canary")
}
