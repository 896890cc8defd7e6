package fakegithub

import (
	"net/http"
	"strconv"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
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

// Injected is a fault that was set. Hits is how often it struck, Wait waits until it did at least once (for Hold, the request then waits
// for Release), Release lets go of everything that Hold or HoldAnswer holds, now and later, and Remove takes the fault away and releases.
type Injected = fake.Injected

// Fail sets a fault. Several can be set; they are used in the order in which they were.
func (s *Server) Fail(f Fault) *Injected {
	return s.faults.Set(fake.Fault{
		Request: f.Route, Delivery: f.Delivery, Times: f.Times, Skip: f.Skip, Answer: func() (fake.Answer, bool) {
			a, ok := f.answer(s.opt.Now())
			return fake.Answer(a), ok
		},
		CloseBefore: f.CloseBefore, Hold: f.Hold, LoseAnswer: f.LoseAnswer, HoldAnswer: f.HoldAnswer,
		Drop: f.Drop, Duplicate: f.Duplicate, Reorder: f.Reorder, Late: f.Late,
	})
}

// answer is what the fault answers instead of acting, if it does.
func (f Fault) answer(now time.Time) (Answer, bool) {
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
