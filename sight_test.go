package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	gateway "github.com/metagov/gateway-go"
)

// watchedRig is a forum whose posts go over HTTP, with everything that is seen of it.
func watchedRig(t *testing.T) (*rig, *gateway.Instance, *tracetest.InMemoryExporter, *sdkmetric.ManualReader) {
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" {
			t.Error("our traces are not the platform's affair")
		}
		if strings.Contains(r.URL.Path, "down") {
			http.Error(w, "canary", http.StatusBadGateway)
		}
	}))
	t.Cleanup(platform.Close)
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	r := newRig(t, gateway.Options{Tracer: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), Meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	ask := func(f *forum, ctx context.Context, path string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, platform.URL+path+"?token=canary", strings.NewReader("canary"))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer canary")
		res, err := f.HTTP.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	r.again(newForum(r.api, gateway.ActionFunc("call", "Calls.", func(f *forum, ctx context.Context, in post) (posted, error) {
		if err := ask(f, ctx, "/canary/"+in.Text); err != nil {
			return posted{}, err
		}
		if in.Text == "down" {
			return posted{}, gateway.Errorf(gateway.Unavailable, "it says canary")
		}
		return posted{ID: "1"}, nil
	})))
	_, inst := r.town("a", "S1")
	return r, inst, spans, reader
}

func named(spans tracetest.SpanStubs, name string) (out []tracetest.SpanStub) {
	for _, s := range spans {
		if s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

func TestOneTraceFromDeliveryToLastRequest(t *testing.T) {
	r, inst, spans, _ := watchedRig(t)
	require.NoError(t, r.OnEvent(t.Context(), "driver", func(ctx context.Context, _ *gateway.Community, e gateway.Event) error {
		_, err := inst.Do(ctx, "call", post{Text: "up"}, gateway.Once(e.ID))
		return err
	}))
	r.says("S1", "m1", "hi")
	r.says("S1", "m2", "ho")
	r.due()
	all := spans.GetSpans()
	delivery, callback, action, request := named(all, "delivery forum"), named(all, "callback driver"), named(all, "action call"), named(all, "POST")
	for _, got := range [][]tracetest.SpanStub{delivery, callback, action, request} {
		require.Len(t, got, 2)
		require.Equal(t, delivery[0].SpanContext.TraceID(), got[0].SpanContext.TraceID(), got[0].Name)
		require.NotEqual(t, delivery[0].SpanContext.TraceID(), got[1].SpanContext.TraceID(), "another delivery is another trace")
	}
	require.Equal(t, action[0].SpanContext.SpanID(), request[0].Parent.SpanID())
	require.Contains(t, request[0].Attributes, attribute.String("server.address", "127.0.0.1"))
	require.Contains(t, request[0].Attributes, attribute.Int("http.response.status_code", 200))

	spans.Reset()
	r.poll(inst, voteAsk())
	require.Len(t, named(spans.GetSpans(), "step poll.start"), 1)
}

func TestSpansAndMetricsTellNoSecrets(t *testing.T) {
	r, inst, spans, reader := watchedRig(t)
	_, err := inst.Do(t.Context(), "call", post{Text: "down"})
	require.ErrorIs(t, err, gateway.Unavailable)
	r.api.fails("post", fmt.Errorf("canary %w", errBoom))
	_, err = inst.Do(t.Context(), "post", post{Text: "canary"})
	require.Error(t, err)
	r.says("S1", "canary", "canary")
	r.due()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	text := fmt.Sprintf("%+v", all)
	for _, s := range spans.GetSpans() {
		s.Resource = nil
		text += fmt.Sprintf("%+v", s)
	}
	require.Contains(t, text, "unavailable")
	require.NotContains(t, text, "canary")
}

func TestMetrics(t *testing.T) {
	r, inst, _, reader := watchedRig(t)
	r.listen("driver")
	_, err := inst.Do(t.Context(), "call", post{Text: "up"})
	require.NoError(t, err)
	_, err = inst.Do(t.Context(), "call", post{Text: "down"})
	require.Error(t, err)
	p := r.poll(inst, voteAsk())
	r.click(p.ID, "u1", "yes")
	r.says("S1", "m1", "hi")
	r.due()
	require.Equal(t, int64(1), sumOf(t, reader, "gateway.actions", "ok"))
	require.Equal(t, int64(1), sumOf(t, reader, "gateway.actions", "unavailable"))
	require.Equal(t, int64(2), sumOf(t, reader, "gateway.deliveries", "ok"))
	require.Equal(t, int64(1), sumOf(t, reader, "gateway.events", "ok"))
	require.Equal(t, int64(1), sumOf(t, reader, "gateway.ballots", "ok"))
	require.Positive(t, sumOf(t, reader, "gateway.callbacks", "ok"))
	require.Positive(t, sumOf(t, reader, "gateway.tasks", "ok"))
	names := map[string]bool{}
	for _, m := range collected(t, reader) {
		names[m.Name] = true
	}
	for _, want := range []string{"gateway.delivery.duration", "gateway.callback.duration", "gateway.action.duration", "http.client.request.duration", "gateway.due.lag", "gateway.waiting", "gateway.dead"} {
		require.True(t, names[want], want)
	}
}

func collected(t *testing.T, reader *sdkmetric.ManualReader) (out []metricdata.Metrics) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	for _, s := range all.ScopeMetrics {
		out = append(out, s.Metrics...)
	}
	return out
}

// sumOf adds up a counter's points with one code.
func sumOf(t *testing.T, reader *sdkmetric.ManualReader, name, code string) (n int64) {
	t.Helper()
	for _, m := range collected(t, reader) {
		if m.Name != name {
			continue
		}
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			if v, _ := p.Attributes.Value("gateway.code"); v.AsString() == code {
				n += p.Value
			}
		}
	}
	return n
}

func TestClosingLateness(t *testing.T) {
	r, inst, _, reader := watchedRig(t)
	ask := voteAsk()
	end := r.clock.now().Add(3600e9)
	ask.ClosingAt = &end
	r.poll(inst, ask)
	r.wait(3602e9)
	for _, m := range collected(t, reader) {
		if m.Name == "gateway.closing.lateness" {
			p := m.Data.(metricdata.Histogram[float64]).DataPoints[0]
			require.EqualValues(t, 1, p.Count)
			require.InDelta(t, 2, p.Sum, 0.01)
			return
		}
	}
	t.Fatal("no lateness")
}

// How many deliveries are not done with, whatever for.
func TestWaitingDeliveries(t *testing.T) {
	r, inst, _, reader := watchedRig(t)
	waiting := func() int64 {
		for _, m := range collected(t, reader) {
			if m.Name == "gateway.inbox.waiting" {
				return m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value
			}
		}
		t.Fatal("no gauge")
		return 0
	}
	require.Zero(t, waiting())
	require.NoError(t, inst.Pause(t.Context(), "holidays"))
	r.says("S1", "m1", "hi")
	r.says("S9", "m2", "for nobody yet")
	require.EqualValues(t, 2, waiting())
	require.NoError(t, inst.Resume(t.Context()))
	r.due()
	require.EqualValues(t, 1, waiting())
}
