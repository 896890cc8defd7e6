package discourse

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

const (
	maxMessage = 300 // characters of each of a forum's sentences that are kept
	maxErrors  = 10  // of them

	// usualWait is how long to wait where a forum limits the rate and does not say for how long; its limits are by the minute.
	usualWait = time.Minute
	// maxWait is the longest wait that is believed: the longest of Discourse's limits are by the day.
	maxWait = 24 * time.Hour
)

// refusal is an answer of the API that is none of success (lib/discourse/utils and app/controllers/application_controller.rb of Discourse,
// checked 2026-11).
type refusal struct {
	What   string
	Status int
	Type   string   // error_type, such as invalid_access
	Errors []string // the forum's own words
	Needs  string   // the permission that the call needs
}

func (e *refusal) Error() string {
	text := fmt.Sprintf("%s: %d", e.What, e.Status)
	if e.Type != "" {
		text += " " + e.Type
	}
	if len(e.Errors) > 0 {
		text += ": " + strings.Join(e.Errors, "; ")
	}
	if e.Needs != "" && e.Status == http.StatusForbidden {
		text += ": the API key needs the scope " + strings.ReplaceAll(e.Needs, "|", " or ") + ", and its account has to be allowed to"
	}
	return text
}

// refusedWith reports whether the forum refused a call with one of these statuses.
func refusedWith(err error, statuses ...int) bool {
	var r *refusal
	return errors.As(err, &r) && slices.Contains(statuses, r.Status)
}

// keyRefused reports whether the forum did not take the key. It says the same of a key that is revoked, that is another account's, and that has no scope
// for the call; [Discourse.checkKey] tells them apart.
func keyRefused(err error) bool {
	var r *refusal
	if !errors.As(err, &r) || r.Status != http.StatusForbidden && r.Status != http.StatusUnauthorized {
		return false
	}
	return r.Type == "invalid_access" || r.Type == "not_logged_in"
}

// judge makes an error of an answer that is none of success.
func (c client) judge(a answer) error {
	switch {
	case a.status == http.StatusTooManyRequests: // also in plain text, from in front of the application
		return &gateway.Error{Code: gateway.Unavailable, After: waiting(a), Err: fmt.Errorf("%s: the forum limits the rate", a.what)}
	case a.status >= 300 && a.status < 400:
		return gateway.Errorf(gateway.Unavailable, "%s: the forum has moved: it sends elsewhere (status %d), where the key does not go; configure its address", a.what, a.status)
	case !a.json():
		return gateway.Errorf(c.strange(a), "%s: status %d with a page instead of the API's answer: the forum is being maintained, or it is not at that address", a.what, a.status)
	case a.status >= 200 && a.status < 300:
		return nil
	}
	e := &refusal{What: a.what, Status: a.status, Needs: c.scope}
	e.read(a.body)
	return &gateway.Error{Code: e.code(a.method), Err: e}
}

// strange is the code of a page instead of an answer of the API: a proxy's, a wall's. A page with a status of success or refusal comes from
// something in front of Discourse, or before it acted; one of failure may come after.
func (c client) strange(a answer) gateway.Code {
	if a.status >= 300 && a.status < 500 {
		return gateway.Unavailable
	}
	return after(a.method)
}

// read reads what the forum says: errors is a list of sentences, sometimes one, and some routes say message or error.
func (e *refusal) read(body []byte) {
	var said struct {
		Errors  json.RawMessage `json:"errors"`
		Type    string          `json:"error_type"`
		Message string          `json:"message"`
		Failed  string          `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return
	}
	var many []string
	var one string
	if json.Unmarshal(said.Errors, &many) != nil && json.Unmarshal(said.Errors, &one) == nil {
		many = []string{one}
	}
	if len(many) == 0 && said.Message+said.Failed != "" {
		many = []string{first(said.Message, said.Failed)}
	}
	e.Type = cut(said.Type)
	for _, text := range many[:min(len(many), maxErrors)] {
		if text != "" {
			e.Errors = append(e.Errors, cut(text))
		}
	}
}

// code sorts refusals.
func (e *refusal) code(method string) gateway.Code {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return gateway.Denied
	case http.StatusNotFound, http.StatusGone: // 410: it was deleted
		return gateway.NotFound
	case http.StatusMethodNotAllowed, http.StatusConflict:
		return gateway.Conflict
	case http.StatusServiceUnavailable:
		if e.Type == "read_only" { // it says so before it does anything
			return gateway.Unavailable
		}
	}
	if e.Status >= 500 {
		return after(method)
	}
	return gateway.Invalid
}

// waiting reads for how long the forum wants to be left alone.
func waiting(a answer) time.Duration {
	var said struct {
		Extras struct {
			Seconds float64 `json:"wait_seconds"`
		} `json:"extras"`
	}
	wait := usualWait
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil && n >= 0 {
		wait = time.Duration(min(n, int(maxWait/time.Second))) * time.Second
	} else if json.Unmarshal(a.body, &said) == nil && said.Extras.Seconds > 0 {
		wait = time.Duration(min(said.Extras.Seconds, maxWait.Seconds()) * float64(time.Second))
	}
	return min(max(wait, time.Second), maxWait)
}

func cut(text string) string {
	if runes := []rune(text); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "…"
	}
	return text
}

// first gives the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
