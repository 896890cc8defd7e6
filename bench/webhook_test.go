package bench

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// BenchmarkWebhookToCallback is a signed Slack event by HTTP until a callback has heard it, durable in SQLite with synchronous=FULL; 64
// connections. req/s counts until the last callback; p99-ms is the acknowledgement's. At least 60 % of BenchmarkLimitDurableHTTP; with a callback that sleeps a second the acknowledgement at
// most 1.5x.
func BenchmarkWebhookToCallback(b *testing.B) {
	b.Run("callback=quick", func(b *testing.B) { webhookToCallback(b, 0) })
	b.Run("callback=1s", func(b *testing.B) { webhookToCallback(b, time.Second) })
}

func webhookToCallback(b *testing.B, slow time.Duration) {
	g := newWorkspace(b)
	heard := make(chan struct{}, 1)
	n := 0
	require.NoError(b, g.OnEvent(b.Context(), "bench", func(ctx context.Context, _ *gateway.Community, _ gateway.Event) error {
		if n++; n == b.N {
			heard <- struct{}{}
		}
		if slow > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(slow):
			}
		}
		return nil
	}))
	run(b, g.Gateway)
	addr := serve(b, g.Handler())
	b.ResetTimer()
	took := drive(b, addr, 64, b.N, func(i int) []byte { return signed("/api/hooks/slack", "application/json", slackMessage(i)) })
	if slow == 0 {
		<-heard
	}
	b.StopTimer()
	report(b, took)
}
