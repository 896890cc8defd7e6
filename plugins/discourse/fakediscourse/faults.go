package fakediscourse

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fault is something that goes wrong on purpose, set by [Server.Fail].
//
// It is about requests to Route, such as "PUT /admin/users/{id}/suspend" ("*" for any; see [Call].Route), or, if Delivery is set,
// about deliveries of an event of that name, such as "user_suspended" ("*" for any), each attempt of it. The first fault that
// fits and has some Times left is the one.
type Fault struct {
	Route    string
	Delivery string
	Times    int // how often; 0 is once, -1 is always
	Skip     int // how many that fit pass unharmed first

	// Answers given instead of acting. Set one.
	Refusal    string        // Discourse's refusal of this error_type: "invalid_access", "not_found", "not_logged_in", "read_only"
	Errors     []string      // HTTP 422 with these errors
	Status     int           // this HTTP status, with Body, or with an empty body
	Body       string        // for example an HTML page, or JSON; with Status 0 the status is 200
	RetryAfter time.Duration // HTTP 429 with Retry-After and error_type rate_limit
	PlainLimit time.Duration // HTTP 429 as the limit of an address gives it: in plain text

	// Connections. Hold and CloseBefore act before all else, LoseAnswer and HoldAnswer after it.
	CloseBefore bool // the connection closes and nothing was done; a delivery does not arrive
	Hold        bool // nothing happens until Injected.Release
	LoseAnswer  bool // it is done, and then the connection closes
	HoldAnswer  bool // it is done, and the answer waits for Injected.Release; not for deliveries

	// Deliveries only.
	Drop      bool          // it is never sent
	Duplicate int           // so many more copies, each with an event ID of its own
	Reorder   bool          // the next delivery overtakes it; without one, SendLate sends it
	Late      time.Duration // it is sent by SendLate once so much time has passed
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
	if in.f.Route == "" {
		in.f.Route = "*"
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

// answer is what the fault answers instead of acting; ok is false if it lets the request through.
func (i *Injected) answer() (a Answer, ok bool) {
	f := &i.f
	switch {
	case f.RetryAfter > 0:
		return refusal(limited(f.RetryAfter, "admin_api_key_rate_limit")), true
	case f.PlainLimit > 0:
		return plainLimit(f.PlainLimit), true
	case f.Refusal != "":
		return refusal(refuse(f.Refusal)), true
	case len(f.Errors) > 0:
		return refusal(invalid(f.Errors...)), true
	case f.Body != "" || f.Status != 0:
		a := Answer{Status: f.Status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte(f.Body)}
		if a.Status == 0 {
			a.Status = http.StatusOK
		}
		if json.Valid(a.Body) {
			a.Header.Set("Content-Type", "application/json; charset=utf-8")
		}
		return a, true
	}
	return Answer{}, false
}

// wait holds a request or a delivery until it is released, its context ends or the server closes.
func (i *Injected) wait(ctx context.Context) {
	select {
	case <-i.free:
	case <-ctx.Done():
	case <-i.s.stop.Done():
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
