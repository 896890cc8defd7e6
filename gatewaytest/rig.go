package gatewaytest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/goleak"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

// Rig is a gateway for one test. Nothing in it happens by itself: [Rig.Due] and [Rig.Advance] do what is due.
type Rig struct {
	*gateway.Gateway
	Clock *Clock
	Store store.Store
	Log   *Log

	t      TB
	o      gateway.Options
	server *httptest.Server // listens from the beginning, because the gateway has to know its address; serves from Server on
	given  bool             // Options.PublicURL was
	serves bool

	mu     sync.Mutex
	events []gateway.Event
}

// New makes a gateway with an in-memory store, a [Clock], a sealing key, a public URL and a log that goes to the test.
// Addresses of this machine may be reached by [gateway.Instance.Guarded]. What o gives of these is used instead; with an Options.Now of your own the Clock has no effect.
//
// At the test's end everything is closed, an Options.Store of your own excepted, and the test fails if a goroutine is left that
// did not run before New.
func New(t TB, o gateway.Options) *Rig {
	t.Helper()
	before := goleak.IgnoreCurrent()
	r := &Rig{t: t, Clock: NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), Log: &Log{t: t}, Store: o.Store, given: o.PublicURL != ""}
	ours := o.Store == nil
	if ours {
		r.Store = memory.New()
	}
	o.Store = r.Store
	if o.Now == nil {
		o.Now = r.Clock.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(r.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second} // not the shared one, whose connections would look like a leak
	}
	if o.Reach == nil {
		o.Reach = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")} // fakes are on this machine
	}
	if o.Seal == nil {
		seal, err := gateway.NewSeal(gateway.NewSealKey())
		if err != nil {
			t.Fatalf("gatewaytest: making a sealing key: %v", err)
		}
		o.Seal = seal
	}
	if !r.given {
		r.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.Handler().ServeHTTP(w, q) }))
		o.PublicURL = "http://" + r.server.Listener.Addr().String()
	}
	r.o = o
	t.Cleanup(func() {
		defer r.Log.end()
		r.close(ours)
		if err := goleak.Find(before); err != nil {
			t.Errorf("gatewaytest: goroutines were left behind: %v", err)
		}

	})
	r.open()
	return r
}

// open makes the gateway and listens to it.
func (r *Rig) open() {
	r.t.Helper()
	g, err := gateway.New(r.o)
	if err != nil {
		r.t.Fatalf("gatewaytest: gateway.New: %v", err)
	}
	r.Gateway = g
	err = g.OnEvent(r.t.Context(), "gatewaytest", func(_ context.Context, _ *gateway.Community, e gateway.Event) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
		return nil
	})
	if err != nil {
		r.t.Fatalf("gatewaytest: listening to events: %v", err)
	}
}

func (r *Rig) close(store bool) {
	var errs []error
	switch {
	case r.serves:
		r.server.Close()
	case r.server != nil:
		errs = append(errs, r.server.Listener.Close())
	}
	if r.Gateway != nil {
		errs = append(errs, r.Gateway.Close())
	}
	if store {
		errs = append(errs, r.Store.Close())
	}
	r.o.HTTP.CloseIdleConnections()
	if err := errors.Join(errs...); err != nil {
		r.t.Errorf("gatewaytest: closing: %v", err)
	}
}

// Restart goes on with a new gateway on the same store and clock, as a program does after a crash: what was only in memory
// is gone. Without plugins it has those of before. Callbacks have to be registered again; values from before belong to the old gateway.
func (r *Rig) Restart(plugins ...gateway.Plugin) {
	r.t.Helper()
	if len(plugins) > 0 {
		r.o.Plugins = plugins
	}
	if err := r.Gateway.Close(); err != nil {
		r.t.Fatalf("gatewaytest: closing before the restart: %v", err)
	}
	r.open()
}

// Community gives the community with this slug, and makes it if there is none.
func (r *Rig) Community(slug string) *gateway.Community {
	r.t.Helper()
	c, err := r.Gateway.Community(r.t.Context(), slug)
	if errors.Is(err, gateway.NotFound) {
		c, err = r.CreateCommunity(r.t.Context(), slug, slug)
	}
	if err != nil {
		r.t.Fatalf("gatewaytest: community %s: %v", slug, err)
	}
	return c
}

// Due does all that is due now and delivers events, and returns when the next task is due; the zero time if there is none.
func (r *Rig) Due() time.Time {
	r.t.Helper()
	next, err := r.RunDue(r.t.Context())
	if err != nil {
		r.t.Fatalf("gatewaytest: doing what is due: %v", err)
	}
	return next
}

// Advance moves the clock by d, from one task to the next: each is done when the clock stands at the time at which it is due.
func (r *Rig) Advance(d time.Duration) {
	r.t.Helper()
	end := r.Clock.Now().Add(d)
	for {
		next := r.Due()
		if next.IsZero() || next.After(end) {
			break
		}
		if now := r.Clock.Now(); !next.After(now) {
			next = now.Add(time.Microsecond) // scheduled while we looked: the clock goes on in any case
		}
		r.Clock.Set(next)
	}
	r.Clock.Set(end)
	r.Due()
}

// Events gives the events of all communities that were heard until now, in order, those of the given types or all. Events are
// heard in [Rig.Due] and [Rig.Advance].
func (r *Rig) Events(types ...string) []gateway.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []gateway.Event
	for _, e := range r.events {
		if len(types) == 0 || slices.Contains(types, e.Type) {
			out = append(out, e)
		}
	}
	return out
}
