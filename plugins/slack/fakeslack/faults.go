package fakeslack

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fault is something that goes wrong on purpose, set by [Server.Fail].
//
// It is about Web API requests to Method ("*" for any, "response_url" for response URLs), or, if Delivery is set, about
// deliveries of that event or interaction type ("*" for any). The first fault that fits and has some Times left is the one.
type Fault struct {
	Method   string
	Delivery string
	Times    int // how often; 0 is once, -1 is always
	Skip     int // how many that fit pass unharmed first

	// Answers given instead of acting. Set one.
	Error      string        // HTTP 200 {"ok":false,"error":Error}
	Status     int           // this HTTP status, with Body
	Body       string        // for example an HTML page; with Status 0 the status is 200
	RetryAfter time.Duration // HTTP 429 with Retry-After, rounded up to seconds

	// Connections. The last two act first. All but HoldAnswer work for deliveries too; a delivery whose answer is lost is retried.
	CloseBefore bool // the connection closes and nothing was done
	Hold        bool // nothing happens until Injected.Release
	LoseAnswer  bool // it is done, and then the connection closes
	HoldAnswer  bool // it is done, and the answer waits for Injected.Release

	// Deliveries only.
	Duplicate int           // so many more copies, with the same event ID
	Reorder   bool          // the next delivery overtakes it; without one, RetryDue sends it
	Late      time.Duration // it is sent by RetryDue once so much time has passed
}

// Injected is a fault that was set.
type Injected struct {
	s    *Server
	f    Fault
	left int
	hits int
	hit  chan struct{}
	free chan struct{}
	once sync.Once
}

// Fail sets a fault. Several can be set; they are used in the order in which they were.
func (s *Server) Fail(f Fault) *Injected {
	in := &Injected{s: s, f: f, left: f.Times, hit: make(chan struct{}), free: make(chan struct{})}
	if f.Times == 0 {
		in.left = 1
	}
	if in.f.Method == "" {
		in.f.Method = "*"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, in)
	return in
}

// Hits is how often the fault struck.
func (i *Injected) Hits() int {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	return i.hits
}

// Wait waits until the fault struck at least once; for Hold, the request is then waiting for Release.
func (i *Injected) Wait(ctx context.Context) error {
	select {
	case <-i.hit:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release lets go of everything that Hold or HoldAnswer holds, now and later.
func (i *Injected) Release() { i.release() }

func (i *Injected) release() { i.once.Do(func() { close(i.free) }) }

// Remove takes the fault away and releases what it holds.
func (i *Injected) Remove() {
	i.release()
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.s.faults = slices.DeleteFunc(i.s.faults, func(f *Injected) bool { return f == i })
}

// takeFault uses up the first fault that fits. The caller holds s.mu.
func (s *Server) takeFault(fits func(*Fault) bool) *Injected {
	for _, in := range s.faults {
		if in.left == 0 || !fits(&in.f) {
			continue
		}
		if in.f.Skip > 0 {
			in.f.Skip--
			continue
		}
		if in.left > 0 {
			in.left--
		}
		in.hits++
		if in.hits == 1 {
			close(in.hit)
		}
		return in
	}
	return nil
}

func (s *Server) deliveryFault(d *delivery) *Injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeFault(func(f *Fault) bool { return f.Delivery == "*" || f.Delivery != "" && f.Delivery == d.log.Type })
}

// before plays the part of the fault that comes before acting, and says whether the request is over.
func (i *Injected) before(w http.ResponseWriter, r *http.Request, s *Server, call *Call) bool {
	f := &i.f
	if f.Hold {
		i.hold(r, s)
	}
	if f.CloseBefore {
		abort(w)
		return true
	}
	a := Answer{Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Status: f.Status}
	switch {
	case f.RetryAfter > 0:
		a.Status = http.StatusTooManyRequests
		a.Header.Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
		a.Body = rawJSON(object{"ok": false, "error": "ratelimited"})
	case f.Error != "":
		a.Body = rawJSON(object{"ok": false, "error": f.Error})
	case f.Status != 0 || f.Body != "":
		a.Header.Set("Content-Type", "text/html; charset=utf-8")
		a.Body = []byte(f.Body)
	default:
		return false
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	s.record(call, a)
	writeAnswer(w, a)
	return true
}

func (i *Injected) hold(r *http.Request, s *Server) {
	select {
	case <-i.free:
	case <-r.Context().Done():
	case <-s.stop.Done():
	}
}

func (i *Injected) holdDelivery(ctx context.Context, s *Server) {
	select {
	case <-i.free:
	case <-ctx.Done():
	case <-s.stop.Done():
	}
}

// abort closes the connection without an answer.
func abort(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			c.Close()
		}
	}
}
