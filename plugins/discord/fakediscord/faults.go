package fakediscord

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fault is something that goes wrong on purpose, set by [Server.Fail].
//
// It is about requests to Route, such as "PUT /guilds/{guild_id}/bans/{user_id}" ("GATEWAY" for connecting to the Gateway, "*" for any), or, if Delivery is set, about
// deliveries of that name: a Gateway event such as "GUILD_BAN_ADD", an interaction such as "MESSAGE_COMPONENT",
// a webhook event such as "APPLICATION_AUTHORIZED" ("*" for any). The first fault that fits and has some Times left is the one.
type Fault struct {
	Route    string
	Delivery string
	Times    int // how often; 0 is once, -1 is always
	Skip     int // how many that fit pass unharmed first

	// Answers given instead of acting. Set one.
	Code       int           // Discord's refusal with this code, such as 50013, in its own words
	Status     int           // this HTTP status, with Body, or with Discord's plain JSON error if Body is empty
	Body       string        // for example an HTML page; with Status 0 the status is 200
	RetryAfter time.Duration // HTTP 429 with retry_after
	Scope      string        // of RetryAfter: "user" (the default), "global" or "shared"

	// Connections. The last two act first. Hold, CloseBefore and LoseAnswer work for interactions and webhook events too.
	CloseBefore bool // the connection closes and nothing was done
	Hold        bool // nothing happens until Injected.Release
	LoseAnswer  bool // it is done, and then the connection closes
	HoldAnswer  bool // it is done, and the answer waits for Injected.Release

	// Deliveries only; the last two not for interactions, for which a person waits.
	Drop      bool          // it is never sent
	Duplicate int           // so many more copies
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

// deliveryFault is takeFault for a delivery of a name. The caller holds s.mu.
func (s *Server) deliveryFault(name string) *Injected {
	return s.takeFault(func(f *Fault) bool { return f.Delivery == "*" || f.Delivery != "" && f.Delivery == name })
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
	var a Answer
	switch {
	case f.RetryAfter > 0:
		a = refusal(limited(f.RetryAfter, orElse(f.Scope, "user")))
	case f.Code != 0:
		a = refusal(refuse(f.Code))
	case f.Body != "":
		a = Answer{Status: f.Status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte(f.Body)}
		if a.Status == 0 {
			a.Status = http.StatusOK
		}
	case f.Status != 0:
		a = refusal(plain(f.Status))
	default:
		return false
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

// limited is the answer to too many requests.
func limited(after time.Duration, scope string) error {
	seconds := math.Ceil(after.Seconds()*1000) / 1000
	h := http.Header{}
	h.Set("Retry-After", strconv.Itoa(int(math.Max(1, math.Ceil(seconds)))))
	h.Set("X-RateLimit-Scope", scope)
	if scope == "global" {
		h.Set("X-RateLimit-Global", "true")
	} else {
		h.Set("X-RateLimit-Remaining", "0")
		h.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", seconds))
	}
	message := "You are being rate limited."
	if scope == "shared" {
		message = "The resource is being rate limited."
	}
	return &apiError{status: http.StatusTooManyRequests, message: message, header: h,
		extra: object{"retry_after": seconds, "global": scope == "global"}}
}

// abort closes the connection without an answer.
func abort(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			c.Close()
		}
	}
}
