package fakediscourse

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
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

// Injected is a fault that was set. Hits is how often it struck, Wait waits until it did at least once (for Hold, the request then waits
// for Release), Release lets go of everything that Hold or HoldAnswer holds, now and later, and Remove takes the fault away and releases.
type Injected = fake.Injected

// Fail sets a fault. Several can be set; they are used in the order in which they were.
func (s *Server) Fail(f Fault) *Injected {
	return s.faults.Set(fake.Fault{
		Request: f.Route, Delivery: f.Delivery, Times: f.Times, Skip: f.Skip, Answer: func() (fake.Answer, bool) {
			a, ok := f.answer()
			return fake.Answer(a), ok
		},
		CloseBefore: f.CloseBefore, Hold: f.Hold, LoseAnswer: f.LoseAnswer, HoldAnswer: f.HoldAnswer,
		Drop: f.Drop, Duplicate: f.Duplicate, Reorder: f.Reorder, Late: f.Late,
	})
}

// answer is what the fault answers instead of acting; ok is false if it lets the request through.
func (f Fault) answer() (a Answer, ok bool) {
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
