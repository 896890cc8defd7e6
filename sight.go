package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// What is seen of the gateway's work, as [sight] counts and traces it.
const (
	seenDelivery = "delivery" // accepted, until it is durable
	seenCallback = "callback"
	seenAction   = "action" // and every other call that a driver asks for
	seenStep     = "step"   // of a process
	seenTask     = "task"
)

const scopeName = "github.com/metagov/gateway-go"

// sight is OpenTelemetry as the gateway uses it. The nil one sees nothing and costs nearly nothing.
//
// Attributes are few and bounded: the plugin, the kind of thing, the code of the error. No text of an error, no address beyond its host, no
// community and no person is in any of them.
type sight struct {
	tracer   trace.Tracer
	count    map[string]metric.Int64Counter
	took     map[string]metric.Float64Histogram
	events   metric.Int64Counter
	ballots  metric.Int64Counter
	request  metric.Float64Histogram
	lateness metric.Float64Histogram
}

// newSight makes the instruments. Nil providers: nil.
func (g *Gateway) newSight(tp trace.TracerProvider, mp metric.MeterProvider) (*sight, error) {
	if tp == nil && mp == nil {
		return nil, nil
	}
	if tp == nil {
		tp = tracenoop.NewTracerProvider()
	}
	s := &sight{tracer: tp.Tracer(scopeName), count: map[string]metric.Int64Counter{}, took: map[string]metric.Float64Histogram{}}
	if mp == nil {
		return s, nil
	}
	b := meterBuilder{m: mp.Meter(scopeName)}
	for kind, what := range map[string]string{seenDelivery: "Deliveries that came in", seenCallback: "Callbacks", seenAction: "Actions and commands", seenStep: "Steps of processes", seenTask: "Tasks that ran"} {
		s.count[kind] = b.counter("gateway."+plurals[kind], "{"+kind+"}", what+", by what became of them.")
		s.took[kind] = b.histogram("gateway."+kind+".duration", what+": how long they took.")
	}
	s.events = b.counter("gateway.events", "{event}", "Events that plugins appended; one that was known counts too.")
	s.ballots = b.counter("gateway.ballots", "{ballot}", "Ballots, by what became of them.")
	s.request = b.histogram("http.client.request.duration", "Requests to platforms, until the answer's header.") // as the semantic conventions name it
	s.lateness = b.histogram("gateway.closing.lateness", "How late processes were closed that have a closing time.")
	b.observe(g)
	return s, b.err
}

var plurals = map[string]string{seenDelivery: "deliveries", seenCallback: "callbacks", seenAction: "actions", seenStep: "steps", seenTask: "tasks"}

// meterBuilder makes instruments and keeps the first error.
type meterBuilder struct {
	m   metric.Meter
	err error
}

func (b *meterBuilder) keep(err error) {
	if err != nil && b.err == nil {
		b.err = Errorf(Invalid, "Options.Meter: %w", err)
	}
}

func (b *meterBuilder) counter(name, unit, doc string) metric.Int64Counter {
	c, err := b.m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(doc))
	b.keep(err)
	return c
}

func (b *meterBuilder) histogram(name, doc string) metric.Float64Histogram {
	h, err := b.m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(doc),
		metric.WithExplicitBucketBoundaries(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60))
	b.keep(err)
	return h
}

// observe has the reader ask how things stand, each time that it collects.
func (b *meterBuilder) observe(g *Gateway) {
	lag, err := b.m.Float64ObservableGauge("gateway.due.lag", metric.WithUnit("s"), metric.WithDescription("By how much the oldest due task is late."))
	b.keep(err)
	dead, err := b.m.Int64ObservableGauge("gateway.dead", metric.WithUnit("{task}"), metric.WithDescription("What was given up, counted up to 1,000."))
	b.keep(err)
	waiting, err := b.m.Int64ObservableGauge("gateway.waiting", metric.WithUnit("{event}"), metric.WithDescription("Entries of the log that the slowest callback of this program has not passed."))
	b.keep(err)
	inbox, err := b.m.Int64ObservableGauge("gateway.inbox.waiting", metric.WithUnit("{delivery}"), metric.WithDescription("Deliveries that are not done with, whatever they wait for, counted up to 1,000."))
	b.keep(err)
	if b.err != nil {
		return
	}
	_, err = b.m.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		h, err := g.standing(ctx)
		if err != nil {
			return err
		}
		o.ObserveFloat64(lag, h.Late.Seconds())
		o.ObserveInt64(dead, int64(h.Dead))
		most := int64(0)
		for _, s := range h.Subscriptions {
			if s.Here {
				most = max(most, s.Lag)
			}
		}
		o.ObserveInt64(waiting, most)
		o.ObserveInt64(inbox, int64(h.inbox))
		return nil
	}, lag, dead, waiting, inbox)
	b.keep(err)
}

// glance is something that is being watched. The zero value watches nothing.
type glance struct {
	s            *sight
	ctx          context.Context
	span         trace.Span
	kind, plugin string
	name         string
	began        time.Time
}

// begin begins to watch something. Where ctx belongs to no trace it gets that of the correlation: everything with one correlation is in one
// trace, also across restarts. End it with [glance.end].
func (s *sight) begin(ctx context.Context, kind, plugin, name, correlation string) (context.Context, glance) {
	if s == nil {
		return ctx, glance{}
	}
	if correlation != "" && !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, traceOf(correlation))
	}
	l := glance{s: s, kind: kind, plugin: plugin, name: name, began: time.Now()}
	attrs := make([]attribute.KeyValue, 0, 3)
	attrs = append(attrs, attribute.String("gateway.kind", name))
	if plugin != "" {
		attrs = append(attrs, attribute.String("gateway.plugin", plugin))
	}
	if correlation != "" {
		attrs = append(attrs, attribute.String("gateway.correlation", correlation))
	}
	role := trace.SpanKindInternal
	if kind == seenDelivery {
		role = trace.SpanKindConsumer
	}
	l.ctx, l.span = s.tracer.Start(ctx, kind+" "+name, trace.WithSpanKind(role), trace.WithAttributes(attrs...))
	return l.ctx, l
}

// end says what became of it.
func (l glance) end(err error) {
	if l.s == nil {
		return
	}
	code := resultOf(err)
	if err != nil {
		l.span.SetStatus(codes.Error, code)
		l.span.SetAttributes(attribute.String("error.type", code))
	}
	l.span.End()
	if c := l.s.count[l.kind]; c != nil {
		set := metric.WithAttributeSet(attribute.NewSet(
			attribute.String("gateway.plugin", l.plugin), attribute.String("gateway.kind", l.name), attribute.String("gateway.code", code)))
		c.Add(l.ctx, 1, set)
		l.s.took[l.kind].Record(l.ctx, time.Since(l.began).Seconds(), set)
	}
}

// seenError is what a task's error is to whoever watches: one that waits, runs again or has nothing left to do has not failed.
func seenError(err error) error {
	var next *nextRun
	var gone errGone
	if _, parked := waitsFor(err); parked || errors.As(err, &next) || errors.As(err, &gone) || errors.Is(err, errDone) {
		return nil
	}
	return err
}

func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	return string(CodeOf(err))
}

func (s *sight) event(ctx context.Context, plugin string, err error) {
	if s != nil && s.events != nil {
		s.events.Add(ctx, 1, metric.WithAttributes(attribute.String("gateway.plugin", plugin), attribute.String("gateway.code", resultOf(err))))
	}
}

func (s *sight) ballot(ctx context.Context, plugin string, err error) {
	if s != nil && s.ballots != nil {
		s.ballots.Add(ctx, 1, metric.WithAttributes(attribute.String("gateway.plugin", plugin), attribute.String("gateway.code", resultOf(err))))
	}
}

func (s *sight) closing(ctx context.Context, plugin string, late time.Duration) {
	if s != nil && s.lateness != nil {
		s.lateness.Record(ctx, max(0, late).Seconds(), metric.WithAttributes(attribute.String("gateway.plugin", plugin)))
	}
}

// traceOf makes a trace out of a correlation. It is sampled unless the provider's sampler says otherwise, which therefore must not be one that
// asks the parent alone.
func traceOf(correlation string) trace.SpanContext {
	sum := sha256.Sum256([]byte(correlation))
	c := trace.SpanContextConfig{TraceFlags: trace.FlagsSampled, Remote: true}
	copy(c.TraceID[:], sum[:16])
	copy(c.SpanID[:], sum[16:24])
	return trace.NewSpanContext(c)
}

// watched has a client's requests watched.
func (s *sight) watched(c *http.Client) *http.Client {
	if s == nil {
		return c
	}
	out := *c
	if out.Transport == nil {
		out.Transport = http.DefaultTransport
	}
	out.Transport = seeing{s, out.Transport}
	return &out
}

type seeing struct {
	s    *sight
	next http.RoundTripper
}

// CloseIdleConnections is found by the method of http.Client of this name.
func (t seeing) CloseIdleConnections() { closeIdle(t.next) }

// RoundTrip watches one request: its method and host, never its path, query or body, which may be capabilities.
func (t seeing) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if id := correlation(ctx); id != "" && !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, traceOf(id))
	}
	began := time.Now()
	method := attribute.String("http.request.method", methodOf(r.Method))
	ctx, span := t.s.tracer.Start(ctx, method.Value.AsString(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(method, attribute.String("server.address", r.URL.Hostname())))
	defer span.End()
	res, err := t.next.RoundTrip(r.WithContext(ctx))
	attrs := []attribute.KeyValue{method}
	switch {
	case err != nil:
		code := attribute.String("error.type", string(CodeOf(storeError(err, "asking a platform"))))
		attrs = append(attrs, code)
		span.SetAttributes(code)
		span.SetStatus(codes.Error, code.Value.AsString())
	default:
		status := attribute.Int("http.response.status_code", res.StatusCode)
		attrs = append(attrs, status)
		span.SetAttributes(status)
		if res.StatusCode >= 400 {
			span.SetStatus(codes.Error, "")
		}
	}
	if t.s.request != nil {
		t.s.request.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(attrs...))
	}
	return res, err
}

// methodOf keeps a method's attribute bounded, as the semantic conventions say.
func methodOf(m string) string {
	switch m {
	case "":
		return http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "_OTHER"
}
