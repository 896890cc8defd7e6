package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	netguard "github.com/metagov/gateway-go/internal/guard"
	"github.com/metagov/gateway-go/internal/pace"
	"github.com/metagov/gateway-go/store"
)

// Pace says from which bucket a request takes a token before it leaves.
type Pace struct {
	// Key names the bucket: what the platform counts by, the credential and often the kind of method. All instances of the plugin share
	// it. It is kept only as a hash. "": the request is not held up.
	Key string
	// Every is how long it takes until there is one more token, and Burst how many there are at the most. Without Every only a platform
	// that asks for a pause holds requests up.
	Every time.Duration
	Burst int
}

// PaceFunc says what the platform's limits mean for an instance's requests. fn is called before each request by Instance.HTTP or
// Instance.Guarded, on its goroutine, redirects included; it must be quick, and leave the request's body alone (what it has to know of it
// can stand in the request's context). A request waits for its token: those of votes and of drivers go before those of polls. If the token
// cannot come before the request's context ends, the request fails with Unavailable, saying when to come back, and nothing was sent. An answer
// 429, 503 or, as GitHub has it, 403 with Retry-After (RFC 9110, section 10.2.3) stops the bucket for everybody.
func PaceFunc[T Owner](fn func(t T, r *http.Request) Pace) Feature[T] {
	return featureFunc[T](func(b *builder) {
		b.m.Pace = func(self any, r *http.Request) Pace { return fn(self.(T), r) }
	})
}

const (
	// guardedTimeout bounds a call of an address that came from outside.
	guardedTimeout = 30 * time.Second
	// maxPause is the longest that we believe a platform that asks for a pause, minPause the shortest.
	maxPause = time.Hour
	minPause = time.Second
	// maxAsked bounds the arithmetic.
	maxAsked = 366 * 24 * time.Hour
)

// clients are an instance's ways out.
type clients struct{ http, guarded *http.Client }

// newClients makes the ways out that have no pace.
func newClients(o Options, g *netguard.Guard, s *sight) clients {
	guarded := g.Client(guardedTimeout)
	hop := guarded.CheckRedirect
	guarded.CheckRedirect = func(r *http.Request, via []*http.Request) error { return refusedAddress(hop(r, via)) }
	return clients{http: outside(witnessed(s.watched(o.HTTP)), nil), guarded: outside(witnessed(s.watched(guarded)), nil)}
}

// paced gives an instance ways out that keep the pace of its plugin.
func (c clients) paced(p *pacing) clients {
	with := func(c *http.Client) *http.Client {
		out := *c
		out.Transport = transport{next: c.Transport.(transport).next, pacing: p}
		return &out
	}
	return clients{http: with(c.http), guarded: with(c.guarded)}
}

// outside wraps a client's transport in ours.
func outside(c *http.Client, p *pacing) *http.Client {
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	out := *c
	out.Transport = transport{next: next, pacing: p}
	return &out
}

// transport is the last thing that a request passes before it leaves. From inside a transaction none does: the whole gateway would wait
// for the answer.
type transport struct {
	next   http.RoundTripper
	pacing *pacing // nil: none
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if store.IsNested(r.Context()) {
		return nil, unsent(r, errors.New("a platform must not be called from inside a transaction"))
	}
	key, err := t.pacing.wait(r)
	if err != nil {
		return nil, unsent(r, err)
	}
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, refusedAddress(err)
	}
	t.pacing.heard(key, res)
	return res, nil
}

// CloseIdleConnections is found by the method of http.Client of this name.
func (t transport) CloseIdleConnections() { closeIdle(t.next) }

func closeIdle(next http.RoundTripper) {
	if c, ok := next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// unsent closes the body of a request that does not leave, as http.RoundTripper demands.
func unsent(r *http.Request, err error) error {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return err
}

// refusedAddress gives the guard's error its code: the address is wrong, and asking again does not help.
func refusedAddress(err error) error {
	if errors.Is(err, netguard.ErrRefused) {
		return Errorf(Invalid, "%w", err)
	}
	return err
}

// pacing holds up the requests of one instance. Its self is set when the plugin has made its value.
type pacing struct {
	g    *Gateway
	p    *plug
	self atomic.Pointer[any]
}

// wait takes a token for a request and gives the name of its bucket, "" where there is none.
func (p *pacing) wait(r *http.Request) (key string, err error) {
	if p == nil {
		return "", nil
	}
	self := p.self.Load()
	if self == nil {
		return "", nil // the plugin is making its value
	}
	var of Pace
	if err := p.g.guard("the pace of "+p.p.m.Name, func() error { of = p.p.m.Pace(*self, r); return nil }); err != nil {
		p.g.log.Error("a request goes without a pace", "plugin", p.p.m.Name, "error", err)
		return "", nil
	}
	if of.Key == "" {
		return "", nil
	}
	key = p.p.m.Name + "\x00" + of.Key
	err = p.g.pacer.Wait(r.Context(), key, pace.Rate{Every: of.Every, Burst: of.Burst}, int(urgencyOf(r.Context())))
	var late *pace.TooLong
	if errors.As(err, &late) {
		return "", &Error{Code: Unavailable, After: late.After, Err: fmt.Errorf("calling %s: %w", r.URL.Hostname(), err)}
	}
	if err != nil { // the request's context has ended, before anything was sent
		return "", Errorf(Unavailable, "calling %s: %w", r.URL.Hostname(), err)
	}
	return key, nil
}

// heard stops the bucket where the platform asks for a pause.
func (p *pacing) heard(key string, res *http.Response) {
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusForbidden:
	default:
		return
	}
	if key == "" {
		return
	}
	if d, ok := pauseAsked(res.Header.Get("Retry-After"), p.g.clock.wall()); ok {
		p.g.pacer.Block(key, p.g.pacer.Now().Add(min(max(d, minPause), maxPause)))
	}
}

// pauseAsked reads the header of this name: seconds, or a date (RFC 9110, section 10.2.3). Some platforms send parts of a second.
func pauseAsked(text string, now time.Time) (time.Duration, bool) {
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		if !(s >= 0) {
			return 0, false
		}
		return time.Duration(min(s, maxAsked.Seconds()) * float64(time.Second)), true
	}
	at, err := http.ParseTime(text)
	return at.Sub(now), err == nil
}

// urgency is what goes before what where calls have to wait for each other.
type urgency int

const (
	unhurried urgency = iota - 1 // polls and sweeps
	ordinary                     // what drivers and people ask for
	timely                       // what was promised for a time: starts and closings
)

type urgencyKey struct{}

func urgencyOf(ctx context.Context) urgency {
	u, _ := ctx.Value(urgencyKey{}).(urgency)
	return u
}

// withUrgency says how urgent the calls of a task are.
func withUrgency(ctx context.Context, kind string) context.Context {
	switch kind {
	case taskPoll, taskTidy:
		return context.WithValue(ctx, urgencyKey{}, unhurried)
	case taskStart, taskClose:
		return context.WithValue(ctx, urgencyKey{}, timely)
	}
	return ctx
}

// paceClock is the pacer's clock: the gateway's. Where that stands still until a test moves it, the time that somebody waits passes at once, so
// that a test with hundreds of calls does not wait for real.
type paceClock struct {
	*timekeeper
	skipped atomic.Int64 // nanoseconds
}

func (c *paceClock) Now() time.Time { return c.now().Add(time.Duration(c.skipped.Load())) }

func (c *paceClock) AfterFunc(d time.Duration, f func()) func() bool {
	if c.steady != nil {
		return time.AfterFunc(d, f).Stop
	}
	return time.AfterFunc(0, func() {
		c.skipped.Add(int64(d))
		f()
	}).Stop
}
