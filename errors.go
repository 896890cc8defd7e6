package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Code says what kind of failure an error is. It decides everything that is mechanical: the HTTP status, whether it is
// worth trying again, whose fault it was. A Code is itself an error, so errors.Is(err, gateway.NotFound) works.
type Code string

// The codes.
const (
	Invalid     Code = "invalid"     // what was asked is wrong in itself; asking again the same will not help
	NotFound    Code = "not_found"   // there is no such thing, or not in this community
	Conflict    Code = "conflict"    // it is not possible in the present state: closed, taken, changed meanwhile
	Denied      Code = "denied"      // whoever asked may not do it
	Unavailable Code = "unavailable" // it did not happen and may work later
	Unknown     Code = "unknown"     // it may have happened: the answer was lost
	Internal    Code = "internal"    // a fault of ours, or of a plugin
)

// Error makes a Code usable as the target of errors.Is.
func (c Code) Error() string { return string(c) }

// FieldError is one thing that is wrong with an input.
type FieldError struct {
	Path    string `json:"path"`    // JSON pointer into the input
	Message string `json:"message"` // for a developer; never repeats a secret
}

// Error is the one type of error that the gateway returns and that plugins return to it.
type Error struct {
	Code   Code
	After  time.Duration // with Unavailable: do not ask again before this has passed; 0 if nobody said
	Fields []FieldError  // with Invalid: everything that is wrong
	Err    error         // what happened, for people and logs
}

// Error says the code and what happened.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	for i, f := range e.Fields {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(f.Path)
		b.WriteString(": ")
		b.WriteString(f.Message)
	}
	return b.String()
}

// Unwrap gives what happened.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, code) true for the error's own code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// Errorf makes an [Error]. The format takes %w.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// CodeOf gives the code of an error: that of the outermost [Error] in its chain, a context's end as Unavailable,
// everything else as Internal. It is "" for nil.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	default:
		return Internal
	}
}

// RetryAfter gives how long an Unavailable error asked us to wait, 0 if it did not say.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.After
	}
	return 0
}

// again reports whether trying again may help: nothing is wrong with what was asked.
func again(err error) bool {
	c := CodeOf(err)
	return c == Unavailable || c == Unknown
}

// storeError gives a store's error its code and says what was attempted.
func storeError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	code := Unavailable
	switch {
	case errors.Is(err, store.ErrNotFound):
		code = NotFound
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotOpen):
		code = Conflict
	case errors.Is(err, store.ErrNested):
		code = Internal
	}
	return &Error{Code: code, Err: fmt.Errorf(format+": %w", append(args, err)...)}
}

// text is what an error says, to be kept, shown or logged: of addresses that could not be called only the hosts, because the rest may be a
// capability.
func text(err error) string { return withoutAddresses(err.Error(), err) }

// withoutAddresses cuts the addresses that an error and those within it have been about.
func withoutAddresses(s string, err error) string {
	if ue, ok := err.(*url.Error); ok && ue.URL != "" {
		host := "an address"
		if u, e := url.Parse(ue.URL); e == nil && u.Host != "" {
			host = u.Scheme + "://" + u.Host + "/…"
		}
		quoted := strconv.Quote(ue.URL) // as url.Error writes it
		s = strings.ReplaceAll(s, quoted[1:len(quoted)-1], host)
		s = strings.ReplaceAll(s, ue.URL, host)
	}
	switch within := err.(type) {
	case interface{ Unwrap() error }:
		if next := within.Unwrap(); next != nil {
			return withoutAddresses(s, next)
		}
	case interface{ Unwrap() []error }:
		for _, next := range within.Unwrap() {
			s = withoutAddresses(s, next)
		}
	}
	return s
}
