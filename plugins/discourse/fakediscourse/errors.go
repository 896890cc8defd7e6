package fakediscourse

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// ErrRefused is wrapped by what people do when Discourse would not let them.
var ErrRefused = errors.New("fakediscourse: refused")

// apiError is a refusal as Discourse words it.
type apiError struct {
	status int
	kind   string // error_type
	errors []string
	extras object
	raw    object // the whole body, where it is not Discourse's usual one
	header http.Header
	plain  bool // the first error is the whole body, as text
}

func (e *apiError) Error() string {
	if len(e.errors) > 0 {
		return fmt.Sprintf("%d %s: %s", e.status, e.kind, e.errors[0])
	}
	return fmt.Sprintf("%d %s", e.status, e.kind)
}

func (e *apiError) Is(target error) bool { return target == ErrRefused }

// words are Discourse's refusals by error_type, with status and message in English.
var words = map[string]struct {
	status  int
	message string
}{
	"invalid_access": {403, "You are not permitted to view the requested resource."},
	"not_logged_in":  {403, "You need to be logged in to do that."},
	"not_found":      {404, "The requested URL or resource could not be found."},
	"read_only":      {503, "The site is in read only mode. Interactions are disabled."},
}

// refuse is one of Discourse's refusals by its error_type.
func refuse(kind string) error {
	w := words[kind]
	return &apiError{status: w.status, kind: kind, errors: []string{w.message}}
}

// badKey is the refusal of an unknown API key, of a name that the key is not for, and of what the key has no scope for: Discourse
// does not say which.
func badKey() error {
	e := refuse("invalid_access").(*apiError)
	e.errors = []string{"You are not permitted to view the requested resource. The API username or key is invalid."}
	return e
}

// badParam is the refusal of a parameter.
func badParam(name string) error {
	return &apiError{status: http.StatusBadRequest, kind: "invalid_parameters",
		errors: []string{"You supplied invalid parameters to the request: " + name}}
}

// missing is the refusal of a request without a parameter.
func missing(name string) error {
	return &apiError{status: http.StatusBadRequest, errors: []string{"param is missing or the value is empty or invalid: " + name}}
}

// invalid is the refusal of a form, with a sentence for each thing that is wrong with it.
func invalid(messages ...string) error {
	return &apiError{status: http.StatusUnprocessableEntity, errors: messages}
}

// limited is the answer to too many requests.
func limited(after time.Duration, code string) error {
	seconds := int(math.Max(1, math.Ceil(after.Seconds())))
	h := http.Header{}
	h.Set("Retry-After", strconv.Itoa(seconds))
	h.Set("Discourse-Rate-Limit-Error-Code", code)
	left := fmt.Sprintf("%d seconds", seconds)
	return &apiError{status: http.StatusTooManyRequests, kind: "rate_limit", header: h,
		errors: []string{"You’ve performed this action too many times. Please wait " + left + " before trying again."},
		extras: object{"wait_seconds": seconds, "time_left": left}}
}

// plainLimit is the answer to an address that asks too often. It comes from in front of the application, and is plain text.
func plainLimit(after time.Duration) Answer {
	seconds := strconv.Itoa(int(math.Max(1, math.Ceil(after.Seconds()))))
	h := http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	h.Set("Retry-After", seconds)
	h.Set("Discourse-Rate-Limit-Error-Code", "ip_10_secs_limit")
	body := "Slow down, too many requests from this IP address.\nPlease retry again in " + seconds + " seconds.\nError code: ip_10_secs_limit."
	return Answer{Status: http.StatusTooManyRequests, Header: h, Body: []byte(body)}
}

// refusal is the answer for an error.
func refusal(err error) Answer {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{status: http.StatusInternalServerError, errors: []string{"Internal Server Error"}}
	}
	if e.plain {
		return Answer{Status: e.status, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(e.errors[0])}
	}
	o := object{"errors": list(e.errors)}
	if e.kind != "" {
		o["error_type"] = e.kind
	}
	if e.extras != nil {
		o["extras"] = e.extras
	}
	if e.raw != nil {
		o = e.raw
	}
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	for k, v := range e.header {
		h[k] = v
	}
	return Answer{Status: e.status, Header: h, Body: rawJSON(o)}
}

// notAllowed is for what people do that Discourse's pages would not offer.
func notAllowed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}
