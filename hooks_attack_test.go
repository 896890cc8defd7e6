package gateway_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// What waits for its turn at an endpoint that is disabled must not keep the log from being shortened for ever.
func TestTheQueueOfADisabledEndpointHoldsBackNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s, Reach: here(), Retain: 7 * 24 * time.Hour})
		v := newReceiver(t, r)
		const n = 30
		towns := make([]*gateway.Community, n)
		for i := range n {
			slug := fmt.Sprintf("town%d", i)
			towns[i], _ = r.town(slug, slug)
		}
		id, _ := r.endpoint(r.Endpoints(), v.URL, true)
		for i := range n {
			r.saysAll(fmt.Sprintf("town%d", i), "1")
		}
		v.answers(func(_ hookMessage, w http.ResponseWriter) {
			time.Sleep(20 * time.Millisecond) // long enough for the others to find it busy
			w.WriteHeader(http.StatusGone)
		})
		r.due()
		require.Equal(t, gateway.EndpointDisabled, r.status(r.Endpoints(), id).Status)
		require.Empty(t, r.tasks(store.TaskQuery{Group: "hook.busy:" + id}))
		r.wait(8 * 24 * time.Hour)
		for _, c := range towns {
			events, err := c.Events(t.Context(), 0, 0)
			require.NoError(t, err)
			require.Empty(t, events)
		}
	})
}

// dials answers every connection with fn, in place of a web server.
func dials(t *testing.T, fn func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); fn(c) }()
		}
	}()
	return l.Addr().String()
}

type egress func(*http.Request) (*http.Response, error)

func (e egress) RoundTrip(r *http.Request) (*http.Response, error) { return e(r) }

// Whoever configures an endpoint learns from its errors nothing of the network that the gateway is in.
func TestHookErrorsAreNoWindow(t *testing.T) {
	told := func(t *testing.T, o gateway.Options, url string) string {
		o.Reach = here()
		r := newRig(t, o)
		c, _ := r.town("oak", "S1")
		id, _ := r.endpoint(c.Endpoints(), url, true)
		a, err := c.Endpoints().Test(t.Context(), id)
		require.NoError(t, err)
		r.saysAll("S1", "1")
		r.due()
		require.Equal(t, a.Error, r.status(c.Endpoints(), id).LastError)
		return a.Error
	}
	const elsewhere = "its host cannot be found, or is refused"
	banner := dials(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-canary\r\n")) })
	silent := dials(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1<<16)); _, _ = c.Read(make([]byte, 1)) })
	gone := dials(t, func(net.Conn) {})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	cert := httptest.NewUnstartedServer(nil)
	cert.Config.ErrorLog = nil
	cert.TLS = &tls.Config{}
	cert.StartTLS()
	defer cert.Close()
	for name, c := range map[string]struct {
		o    gateway.Options
		url  string
		want string
	}{
		"a banner":       {gateway.Options{}, "http://" + banner, "the connection failed, or the answer was not HTTP"},
		"a banner, TLS":  {gateway.Options{}, "https://" + banner, "the connection failed, or the answer was not HTTP"},
		"a certificate":  {gateway.Options{}, cert.URL, "its certificate is not valid"},
		"no answer":      {gateway.Options{HookTimeout: 50 * time.Millisecond}, "http://" + silent, "it took too long"},
		"no HTTP at all": {gateway.Options{}, "http://" + gone, "the connection failed, or the answer was not HTTP"},
		"nobody there":   {gateway.Options{}, "http://" + closed.Addr().String(), "no connection could be made"},
		"no name": {gateway.Options{Egress: egress(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "canary.internal", Server: "10.0.0.2:53", IsNotFound: true}}
		})}, "https://driver.example", elsewhere},
		"no answer of the DNS": {gateway.Options{Egress: egress(func(*http.Request) (*http.Response, error) {
			return nil, &net.DNSError{Err: "canary", Server: "10.0.0.2:53", IsTimeout: true}
		})}, "https://driver.example", elsewhere},
		"anything else": {gateway.Options{Egress: egress(func(*http.Request) (*http.Response, error) { return nil, errors.New("canary") })}, "https://driver.example",
			"the connection failed, or the answer was not HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			got := told(t, c.o, c.url)
			require.Equal(t, c.want, got)
		})
	}
}

// One community's endpoints, however many and however slow, leave workers to the others.
func TestOneCommunitysSlowEndpointsLeaveWorkersToOthers(t *testing.T) {
	r := newRig(t, gateway.Options{Reach: here(), Now: time.Now, HookTimeout: time.Minute})
	r.clock.t = time.Now()
	oak, _ := r.town("oak", "S1")
	elm, _ := r.town("elm", "S2")
	over := make(chan struct{})
	slow, quick := newReceiver(t, r), newReceiver(t, r)
	slow.answers(func(hookMessage, http.ResponseWriter) { <-over })
	for range 80 {
		r.endpoint(oak.Endpoints(), slow.URL, true)
	}
	r.endpoint(elm.Endpoints(), quick.URL, true)
	r.saysAll("S1", "1")
	stop := running(t, r.Gateway)
	defer stop()
	defer close(over)
	soon(t, "as many as may be are being sent", func() bool { return len(slow.messages()) == 16 })
	r.saysAll("S2", "a")
	soon(t, "the other community has its own", func() bool { return len(quick.messages()) == 1 })
	require.Len(t, slow.messages(), 16)
}

// What a community's administrators can keep here is bounded.
func TestEndpointsAreBounded(t *testing.T) {
	r := newHookRig(t, nil)
	oak, _ := r.town("oak", "S1")
	elm, _ := r.town("elm", "S2")
	spec := gateway.EndpointSpec{URL: "https://driver.example"}
	var last string
	for range 100 {
		last, _ = r.endpoint(oak.Endpoints(), spec.URL, true)
	}
	_, _, err := oak.Endpoints().Create(t.Context(), spec)
	require.ErrorIs(t, err, gateway.Conflict)
	r.endpoint(elm.Endpoints(), spec.URL, true)
	for range 101 {
		r.endpoint(r.Endpoints(), spec.URL, true)
	}
	require.NoError(t, oak.Endpoints().Delete(t.Context(), last))
	last, _ = r.endpoint(oak.Endpoints(), spec.URL, true)

	long := strings.Repeat("x", 20_000)
	for name, bad := range map[string]gateway.EndpointSpec{
		"filters":     {URL: spec.URL, Filters: []gateway.Filter{{Types: []string{long}}}},
		"many":        {URL: spec.URL, Filters: make([]gateway.Filter, 101)},
		"description": {URL: spec.URL, Description: long},
	} {
		_, err := oak.Endpoints().Update(t.Context(), last, bad)
		require.ErrorIs(t, err, gateway.Invalid, name)
	}
	require.ErrorIs(t, oak.Endpoints().Disable(t.Context(), last, long), gateway.Invalid)
}

// Whoever signs or checks a signature goes by the wall clock. Where that was put right after our start, ours is off until the next.
func TestSignaturesGoByTheWallClock(t *testing.T) {
	steady := time.Duration(0)
	wall := &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	r := newRig(t, gateway.Options{Reach: here(), Now: wall.now, Steady: func() time.Duration { return steady }})
	v := newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	id, _ := r.endpoint(c.Endpoints(), v.URL, true)
	ours := wall.now()
	wall.advance(3 * time.Hour)
	_, err := c.Endpoints().Test(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(wall.now().Unix()), v.messages()[0].header.Get("webhook-timestamp"))

	// A delivery that was signed just now is no old one; what it does still goes by a clock that has not jumped.
	w := r.request("/api/hooks/forum", `{"id":"m1","site":"S1","kind":"message","user":"u1","text":"hi"}`, "X-Time", wall.now().Format(time.RFC3339))
	require.Equal(t, http.StatusOK, w.Code)
	w = r.request("/api/hooks/forum", `{"id":"m2","site":"S1","kind":"message","user":"u1","text":"hi"}`, "X-Time", ours.Format(time.RFC3339))
	require.Equal(t, http.StatusUnauthorized, w.Code)
	var kept []store.Delivery
	require.NoError(t, r.store.View(t.Context(), func(tx store.Tx) error {
		events, err := tx.Events(store.EventQuery{}, 10)
		require.NoError(t, err)
		require.Len(t, events, 1)
		d, err := tx.Delivery(events[0].Delivery)
		kept = append(kept, d)
		return err
	}))
	require.Equal(t, ours, kept[0].At)

	// So does a platform that names a time until which it does not want to be asked.
	v.answers(func(_ hookMessage, w http.ResponseWriter) {
		w.Header().Set("Retry-After", wall.now().Add(time.Hour).Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r.due()
	require.Equal(t, time.Hour, r.tasks(store.TaskQuery{Ref: id})[0].Due.Sub(ours))
}

// What is changed while a line is being sent holds for its next message.
func TestUpdateWhileSending(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		for _, wasOrdered := range []bool{true, false} {
			r := newHookRig(t, s)
			v := newReceiver(t, r)
			slug := fmt.Sprint("oak-", wasOrdered)
			c, _ := r.town(slug, slug)
			id, _ := r.endpoint(c.Endpoints(), v.URL, wasOrdered)
			r.saysAll(slug, "1", "2", "3", "4", "5", "6")
			v.answers(func(m hookMessage, _ http.ResponseWriter) {
				_, err := c.Endpoints().Update(context.Background(), id, gateway.EndpointSpec{URL: v.URL, Ordered: true, Filters: []gateway.Filter{{Types: []string{"other"}}}})
				if err != nil {
					t.Error(err)
				}
			})
			r.due()
			if wasOrdered {
				require.Equal(t, []string{"1"}, v.heard())
			} else {
				require.ElementsMatch(t, []string{"1", "2", "3", "4"}, v.heard())
			}
			require.Empty(t, r.tasks(store.TaskQuery{Ref: id}))
		}
	})
}

// An event that comes while a line is being sent, and that the fan-out has not seen yet, is sent once.
func TestHooksDoNotOvertakeTheFanOut(t *testing.T) {
	r := newHookRig(t, nil)
	v := newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	r.endpoint(c.Endpoints(), v.URL, true)
	var want []string
	for i := range 260 { // more than are read at once
		want = append(want, fmt.Sprint("n", i))
	}
	r.saysAll("S1", want...)
	v.answers(func(m hookMessage, _ http.ResponseWriter) {
		if m.text == "n100" {
			r.says("S1", "late", "late")
		}
	})
	r.due()
	require.Equal(t, append(want, "late"), v.heard())
}

// A message that cannot be made is our fault: those before it are sent once, and those after it wait, whatever the endpoint's order.
func TestAMessageThatCannotBeMade(t *testing.T) {
	r := newHookRig(t, nil)
	v := newReceiver(t, r)
	c, i := r.town("oak", "S1")
	id, _ := r.endpoint(c.Endpoints(), v.URL, false)
	r.saysAll("S1", "1")
	p := r.poll(i, vote.Ask{})
	r.saysAll("S1", "2")
	input := func(raw string) (was string) {
		require.NoError(t, r.store.Update(t.Context(), func(tx store.Tx) error {
			row, err := tx.Process(p.ID)
			require.NoError(t, err)
			was, row.Input = string(row.Input), []byte(raw)
			return tx.PutProcess(row)
		}))
		r.again() // who remembers nothing
		return was
	}
	good := input(`{"title":5}`)
	for range 5 {
		r.wait(10 * time.Minute)
	}
	require.Equal(t, []string{"1"}, v.heard())
	require.Contains(t, r.logs.String(), "a message to an endpoint could not be made")
	require.True(t, r.status(r.community("oak").Endpoints(), id).FailingSince.IsZero())
	input(good)
	r.wait(time.Hour)
	require.ElementsMatch(t, []string{"process.pending", "2"}, v.heard())
}

func (r *rig) community(slug string) *gateway.Community {
	r.t.Helper()
	c, err := r.Community(r.t.Context(), slug)
	require.NoError(r.t, err)
	return c
}

// A lost key is the operator's mistake: no schedule moves, and no endpoint is disabled for it.
func TestALostSealIsNotTheEndpointsFault(t *testing.T) {
	r := newHookRig(t, nil)
	v := newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	id, _ := r.endpoint(c.Endpoints(), v.URL, false)
	right := r.o.Seal
	r.o.Seal = newSeal(t, gateway.NewSealKey())
	r.again()
	r.saysAll("S1", "1", "2", "3")
	c, err := r.Community(t.Context(), "oak")
	require.NoError(t, err)
	for range 10 {
		r.wait(24 * time.Hour)
	}
	st := r.status(c.Endpoints(), id)
	require.Equal(t, []any{gateway.EndpointActive, "", true, 0}, []any{st.Status, st.LastError, st.FailingSince.IsZero(), st.Dead})
	_, err = c.Endpoints().Test(t.Context(), id)
	require.ErrorIs(t, err, gateway.Invalid)
	require.Contains(t, r.logs.String(), "none of the keys in Options.Seal fits")

	r.o.Seal = right
	r.again()
	r.wait(24 * time.Hour)
	require.ElementsMatch(t, []string{"1", "2", "3"}, v.heard())
}

// The request that tells of an event is in the trace of what brought it.
func TestHooksAreSeen(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	r := newRig(t, gateway.Options{Reach: here(), Tracer: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))})
	v := newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	id, _ := r.endpoint(c.Endpoints(), v.URL+"/canary", true)
	r.says("S1", "m1", "hi")
	r.due()
	all := spans.GetSpans()
	delivery, request := named(all, "delivery forum"), named(all, "POST")
	require.Len(t, delivery, 1)
	require.Len(t, request, 1)
	require.Equal(t, delivery[0].SpanContext.TraceID(), request[0].SpanContext.TraceID())
	require.Contains(t, request[0].Attributes, attribute.String("server.address", "127.0.0.1"))
	require.NotContains(t, fmt.Sprintf("%+v", request[0]), "canary")
	require.Empty(t, v.messages()[0].header.Get("Traceparent"))
	_, err := c.Endpoints().Test(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, named(spans.GetSpans(), "POST"), 2)
}

// "process.completed" and "gateway.test" are said by the gateway and by no plugin.
func TestPluginsCannotSpeakForTheGateway(t *testing.T) {
	for _, name := range []string{"process", "gateway"} {
		require.Panics(t, func() {
			gateway.Define(name, "Lies.", func(context.Context, *gateway.Instance, struct{}) (*tiny, error) { return nil, nil })
		})
		_, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{liar{name: name}}})
		require.ErrorIs(t, err, gateway.Invalid, name)
		require.ErrorContains(t, err, "the gateway's own")
	}
}

// liar is a plugin that was not made with Define.
type liar struct {
	gateway.Plugin
	name string
}

func (l liar) Manifest() gateway.Manifest { return gateway.Manifest{Name: l.name} }
