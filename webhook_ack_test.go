package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/memory"
)

type bell struct{ *gateway.Instance }

// A platform that wants an answer of its own kind gets it whatever becomes of the delivery: it waits, is known, or nobody had anything to say.
func TestWhatNobodyAnsweredIsAcknowledgedInThePlatformsOwnWay(t *testing.T) {
	type config struct {
		Site string `json:"site" gateway:"platform_id,public" jsonschema_description:"The site."`
	}
	p := gateway.Define("bell", "Rings.", func(_ context.Context, i *gateway.Instance, _ config) (*bell, error) { return &bell{i}, nil },
		gateway.Webhook[*bell, string]{
			Verify: func(_ *bell, d *gateway.Delivery) error {
				if d.Header.Get("X-Signed") == "" {
					return errors.New("it is not signed")
				}
				return nil
			},
			Parse: func(d *gateway.Delivery) (string, error) { return string(d.Body), nil },
			ID:    func(m string) string { return m },
			Route: func(m string) gateway.Target { return gateway.Target{Platform: []string{"S1"}} },
			Receive: func(_ *bell, _ context.Context, m string) (gateway.Reply, error) {
				if m == "answered" {
					return gateway.Reply{Status: http.StatusTeapot}, nil
				}
				return gateway.Reply{}, nil
			},
			Ack: func(m string) gateway.Reply {
				if m == "broken" {
					panic("broken")
				}
				return gateway.Reply{Status: http.StatusNoContent}
			},
		})
	g, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{p}})
	require.NoError(t, err)
	ring := func(body string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/hooks/bell", strings.NewReader(body))
		r.Header.Set("X-Signed", "yes")
		w := httptest.NewRecorder()
		g.Handler().ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusNoContent, ring("early"), "it waits")
	c, err := g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "bell", config{Site: "S1"})
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, ring("quiet"))
	require.Equal(t, http.StatusNoContent, ring("quiet"), "it is known")
	require.Equal(t, http.StatusTeapot, ring("answered"))
	require.Equal(t, http.StatusInternalServerError, ring("broken"))
}

// What Handle has to wait for is no failure.
func TestWhatIsHandledLaterHasNotFailed(t *testing.T) {
	type config struct {
		Site string `json:"site" gateway:"platform_id,public" jsonschema_description:"The site."`
	}
	handled := 0
	p := gateway.Define("bell", "Rings.", func(_ context.Context, i *gateway.Instance, _ config) (*bell, error) { return &bell{i}, nil },
		gateway.Webhook[*bell, string]{
			Verify: func(*bell, *gateway.Delivery) error { return nil },
			Parse:  func(d *gateway.Delivery) (string, error) { return string(d.Body), nil },
			ID:     func(m string) string { return m },
			Route:  func(string) gateway.Target { return gateway.Target{Platform: []string{"S1"}} },
			Handle: func(*bell, context.Context, string) error {
				if handled++; handled == 1 {
					return gateway.Later(10 * time.Second)
				}
				return nil
			},
		})
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	var logs strings.Builder
	g, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{p}, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&logs, nil))})
	require.NoError(t, err)
	c, err := g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	inst, err := c.Enable(t.Context(), "bell", config{Site: "S1"})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	g.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/hooks/bell", strings.NewReader("x")))
	require.Equal(t, http.StatusOK, w.Code)
	for _, want := range []int{1, 1, 2} {
		_, err = g.RunDue(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, handled)
		now = now.Add(6 * time.Second)
	}
	h, err := inst.Health(t.Context())
	require.NoError(t, err)
	require.Nil(t, h.LastError)
	require.NotContains(t, logs.String(), "level=WARN")
}
