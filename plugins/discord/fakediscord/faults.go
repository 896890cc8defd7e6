package fakediscord

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
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

// Injected is a fault that was set. Hits is how often it struck, Wait waits until it did at least once (for Hold, the request then waits
// for Release), Release lets go of everything that Hold or HoldAnswer holds, now and later, and Remove takes the fault away and releases.
type Injected = fake.Injected

// Fail sets a fault. Several can be set; they are used in the order in which they were.
func (s *Server) Fail(f Fault) *Injected {
	return s.faults.Set(fake.Fault{
		Request: f.Route, Delivery: f.Delivery, Times: f.Times, Skip: f.Skip, Answer: f.answer,
		CloseBefore: f.CloseBefore, Hold: f.Hold, LoseAnswer: f.LoseAnswer, HoldAnswer: f.HoldAnswer,
		Drop: f.Drop, Duplicate: f.Duplicate, Reorder: f.Reorder, Late: f.Late,
	})
}

// answer is what the fault answers instead of acting, if it does.
func (f Fault) answer() (fake.Answer, bool) {
	switch {
	case f.RetryAfter > 0:
		return fake.Answer(refusal(limited(f.RetryAfter, orElse(f.Scope, "user")))), true
	case f.Code != 0:
		return fake.Answer(refusal(refuse(f.Code))), true
	case f.Body != "":
		status := f.Status
		if status == 0 {
			status = http.StatusOK
		}
		return fake.Answer{Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte(f.Body)}, true
	case f.Status != 0:
		return fake.Answer(refusal(plain(f.Status))), true
	}
	return fake.Answer{}, false
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
