package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

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

// An error may have more than one address in it, and one that was quoted; and what is logged is read by more people than may know it.
func TestNoAddressInAnErrorIsKeptOrLogged(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.again(ailing(r))
	_, inst := r.town("a", "S1")
	get := func(ctx context.Context, rest string) error {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:1/hook/canary"+rest, nil)
		if err != nil {
			return err
		}
		_, err = inst.HTTP.Do(req)
		return err
	}
	fails := func(ctx context.Context) error {
		return fmt.Errorf("asking: %w", errors.Join(get(ctx, "?token=canary"), get(ctx, `/2?token="canary\`)))
	}
	r.api.on("sweep", fails)
	r.due()
	r.wait(2 * time.Hour)
	h := healthOf(t, inst)
	require.Contains(t, h.LastError.Error, "127.0.0.1:1")
	require.NotContains(t, h.LastError.Error, "canary")
	require.NotContains(t, h.Polls[0].Error, "canary")
	require.Contains(t, r.logs.String(), "127.0.0.1:1", "it was logged")
	require.NotContains(t, r.logs.String(), "canary")
	var none *url.Error
	require.NotPanics(t, func() { inst.Log.Info("x", "error", none) })
}
