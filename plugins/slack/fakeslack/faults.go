package fakeslack

import (
	"net/http"
	"strconv"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
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

// Injected is a fault that was set. Hits is how often it struck, Wait waits until it did at least once (for Hold, the request then waits
// for Release), Release lets go of everything that Hold or HoldAnswer holds, now and later, and Remove takes the fault away and releases.
type Injected = fake.Injected

// Fail sets a fault. Several can be set; they are used in the order in which they were.
func (s *Server) Fail(f Fault) *Injected {
	return s.faults.Set(fake.Fault{
		Request: f.Method, Delivery: f.Delivery, Times: f.Times, Skip: f.Skip, Answer: f.answer,
		CloseBefore: f.CloseBefore, Hold: f.Hold, LoseAnswer: f.LoseAnswer, HoldAnswer: f.HoldAnswer,
		Duplicate: f.Duplicate, Reorder: f.Reorder, Late: f.Late,
	})
}

// answer is what the fault answers instead of acting, if it does.
func (f Fault) answer() (a fake.Answer, ok bool) {
	a = fake.Answer{Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Status: f.Status}
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
		return a, false
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	return a, true
}
