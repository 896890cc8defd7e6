package bench

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

type hookConfig struct {
	TeamID string `json:"team_id" gateway:"platform_id" jsonschema_description:"Team."`
}
type hookMsg struct {
	TeamID  string          `json:"team_id"`
	EventID string          `json:"event_id"`
	Event   json.RawMessage `json:"event"`
	typ     string
	user    string
}

func newHook() gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, _ hookConfig) (*tool, error) { return &tool{i}, nil }
	return gateway.Define("slack", "For benchmarks.", open, gateway.Webhook[*tool, hookMsg]{
		Verify: func(_ *tool, d *gateway.Delivery) error {
			mac := hmac.New(sha256.New, []byte(signingSecret))
			_, _ = fmt.Fprintf(mac, "v0:%s:%s", d.Header.Get("X-Slack-Request-Timestamp"), d.Body)
			if !hmac.Equal([]byte("v0="+hex.EncodeToString(mac.Sum(nil))), []byte(d.Header.Get("X-Slack-Signature"))) {
				return errors.New("signature")
			}
			return nil
		},
		Parse: func(d *gateway.Delivery) (m hookMsg, err error) {
			if err := json.Unmarshal(d.Body, &m); err != nil {
				return m, err
			}
			var e struct{ Type, User string }
			err = json.Unmarshal(m.Event, &e)
			m.typ, m.user = e.Type, e.User
			return m, err
		},
		ID:    func(m hookMsg) string { return m.EventID },
		Route: func(m hookMsg) gateway.Target { return gateway.Target{Platform: []string{m.TeamID}} },
		Receive: func(t *tool, ctx context.Context, m hookMsg) (gateway.Reply, error) {
			return gateway.Reply{}, t.Emit(ctx, m.typ, gateway.Meta{ID: m.EventID, Initiator: m.user}, m.Event)
		},
	})
}

// BenchmarkWebhookToCallback is a signed Slack event by HTTP until a callback has heard it, durable in SQLite with synchronous=FULL; 64
// connections. req/s counts until the last callback; p99-ms is the acknowledgement's. At least 60 % of BenchmarkLimitDurableHTTP; with a callback that sleeps a second the acknowledgement at
// most 1.5x.
func BenchmarkWebhookToCallback(b *testing.B) {
	b.Run("callback=quick", func(b *testing.B) { webhookToCallback(b, 0) })
	b.Run("callback=1s", func(b *testing.B) { webhookToCallback(b, time.Second) })
}

func webhookToCallback(b *testing.B, slow time.Duration) {
	g := newGateway(b, gateway.Options{Plugins: []gateway.Plugin{newHook()}})
	c, err := g.CreateCommunity(b.Context(), "town", "Town")
	require.NoError(b, err)
	_, err = c.Enable(b.Context(), "slack", hookConfig{"T1"})
	require.NoError(b, err)
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
	run(b, g)
	addr := serve(b, g.Handler())
	b.ResetTimer()
	took := drive(b, addr, 64, func(i int) []byte { return signed("/api/hooks/slack", "application/json", slackMessage(i)) })
	if slow == 0 {
		<-heard
	}
	b.StopTimer()
	report(b, took)
}
