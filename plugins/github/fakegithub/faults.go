package fakegithub

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
// It is about requests to Route, such as "PUT /orgs/{org}/blocks/{username}" ("*" for any; logging in is
// "POST /login/oauth/access_token"), or, if Delivery is set, about deliveries of that event, such as "issue_comment", or of one
// action of it, such as "issue_comment created" ("*" for any). The first fault that fits and has some Times left is the one.
type Fault struct {
	Route    string
	Delivery string
	Times    int // how often; 0 is once, -1 is always
	Skip     int // how many that fit pass unharmed first

	// Answers given instead of acting. Set one.
	Status    int           // this HTTP status, with Body, or with GitHub's JSON error and Message if Body is empty
	Message   string        // of Status
	Body      string        // for example an HTML page; with Status 0 the status is 200
	Exhausted bool          // the primary rate limit: 403, nothing remains until an hour from now
	Secondary time.Duration // the secondary rate limit: 403, with Retry-After
	Unnamed   bool          // with Secondary: 429, and no Retry-After

	// Connections. The last two act first. Hold, CloseBefore and LoseAnswer work for deliveries too.
	CloseBefore bool // the connection closes and nothing was done
	Hold        bool // nothing happens until Injected.Release
	LoseAnswer  bool // it is done, and then the connection closes
	HoldAnswer  bool // it is done, and the answer waits for Injected.Release

	// Deliveries only.
	Drop      bool          // it is never sent, and stands in no log
	Duplicate int           // so many more copies, with the same GUID
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

func (s *Server) requestFault(route string) *Injected {
	return s.takeFault(func(f *Fault) bool { return f.Delivery == "" && (f.Route == "*" || f.Route == route) })
}

func (s *Server) deliveryFault(d *Delivery) *Injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeFault(func(f *Fault) bool {
		return f.Delivery == "*" || f.Delivery != "" && (f.Delivery == d.Event || f.Delivery == d.Event+" "+d.Action)
	})
}

// before plays the part of the fault that comes before acting, and says whether the request is over.
func (i *Injected) before(w http.ResponseWriter, r *http.Request, s *Server, call *Call) bool {
	f := &i.f
	if f.Hold {
		i.hold(r.Context(), s)
	}
	if f.CloseBefore {
		abort(w)
		return true
	}
	a, ok := f.answer(s.opt.Now())
	if !ok {
		return false
	}
	s.record(call, a)
	writeAnswer(w, a)
	return true
}

func (f *Fault) answer(now time.Time) (Answer, bool) {
	switch {
	case f.Exhausted:
		e := &apiError{status: http.StatusForbidden, message: "API rate limit exceeded for installation.", header: http.Header{}}
		e.header.Set("X-RateLimit-Remaining", "0")
		e.header.Set("X-RateLimit-Reset", strconv.FormatInt(now.Add(time.Hour).Unix(), 10))
		return e.answer(), true
	case f.Secondary > 0 || f.Unnamed:
		e := &apiError{status: http.StatusForbidden, message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", header: http.Header{}}
		if f.Unnamed {
			e.status = http.StatusTooManyRequests
		} else {
			e.header.Set("Retry-After", strconv.Itoa(int((f.Secondary+time.Second-1)/time.Second)))
		}
		return e.answer(), true
	case f.Body != "":
		status := f.Status
		if status == 0 {
			status = http.StatusOK
		}
		return Answer{Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte(f.Body)}, true
	case f.Status != 0:
		e := &apiError{status: f.Status, message: orElse(f.Message, http.StatusText(f.Status))}
		return e.answer(), true
	}
	return Answer{}, false
}

func (i *Injected) hold(ctx context.Context, s *Server) {
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
