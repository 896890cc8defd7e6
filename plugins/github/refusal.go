package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// refusal is an answer that is none of success.
type refusal struct {
	What    string
	Status  int
	Message string   // GitHub's words
	Detail  []string // what it says of each field
	Needed  string   // the permissions that would do, where it says so
	Strange bool     // it is not GitHub's API that has answered, but an error page, perhaps a proxy's: its status says nothing of what was asked
}

func (e *refusal) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.What, e.Status, e.Message)
	if len(e.Detail) > 0 {
		text += ": " + strings.Join(e.Detail, "; ")
	}
	if e.Needed != "" {
		text += ": the app needs the permission " + e.Needed
	}
	return text
}

// refusedWith reports whether GitHub refused a call with one of these statuses.
func refusedWith(err error, statuses ...int) bool {
	var r *refusal
	return errors.As(err, &r) && !r.Strange && slices.Contains(statuses, r.Status)
}

// suspended is in GitHub's words while the installation is: it works again when somebody lifts that, and GitHub says so to nobody who asks.
const suspended = "installation has been suspended"

const maxMessage = 300 // characters of GitHub's words that are kept

// refused makes an error of an answer. GitHub's refusals are objects with a message
// (https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api, 2026-11), or have no body at all.
func refused(r request, a answer, now time.Time) error {
	var said struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	known := len(bytes.TrimSpace(a.body)) == 0 || json.Unmarshal(a.body, &said) == nil && said.Message != ""
	if wait := waiting(a, now); wait > 0 {
		return &gateway.Error{Code: gateway.Unavailable, After: wait, Err: fmt.Errorf("%s: GitHub limits the rate", r.what())}
	}
	e := &refusal{What: r.what(), Status: a.status, Message: cut(said.Message)}
	if !known {
		e.Message, e.Detail, e.Strange = "without an answer of GitHub's API", nil, true
		return &gateway.Error{Code: strange(r, a.status), Err: e}
	}
	e.Detail = details(said.Errors)
	if a.status == http.StatusForbidden && strings.Contains(strings.ToLower(said.Message), suspended) {
		return &gateway.Error{Code: gateway.Unavailable, After: suspendedWait, Err: e}
	}
	if a.status == http.StatusForbidden {
		e.Needed = needed(a.header.Get("X-Accepted-Github-Permissions"))
	}
	return &gateway.Error{Code: codeOf(r, a.status), Err: e}
}

func cut(text string) string {
	if runes := []rune(text); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "…"
	}
	return text
}

// details reads the errors: a list, and of some routes one text (https://github.com/cli/cli/issues/4734, 2026-11).
func details(raw json.RawMessage) (out []string) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			out = append(out, cut(text))
		}
		return out
	}
	for _, one := range list[:min(len(list), 10)] {
		out = append(out, detail(one))
	}
	return out
}

// detail reads one of the errors, which are texts or {resource, field, code, message}.
func detail(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return cut(text)
	}
	var one struct {
		Field   string `json:"field"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(raw, &one) != nil {
		return "?"
	}
	return cut(strings.TrimSpace(one.Field + " " + first(one.Message, one.Code)))
}

// needed writes what GitHub says in X-Accepted-GitHub-Permissions ("issues=write; pull_requests=write" is either of them) as actions declare it.
func needed(header string) string {
	var out []string
	for _, either := range strings.Split(header, ";") {
		if p := strings.ReplaceAll(strings.TrimSpace(either), "=", ":"); p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "|")
}

// strange is the code of an answer that is not of the API: an error page, a proxy's.
func strange(r request, status int) gateway.Code {
	if status >= 300 && status < 500 {
		return gateway.Unavailable
	}
	return r.after()
}

// codeOf sorts statuses (https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api, 2026-11).
func codeOf(r request, status int) gateway.Code {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusUnavailableForLegalReasons:
		return gateway.Denied
	case http.StatusNotFound, http.StatusGone, http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return gateway.NotFound
	case http.StatusMethodNotAllowed, http.StatusConflict, http.StatusLocked:
		return gateway.Conflict // a pull request that cannot be merged, or has changed
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return gateway.Invalid
	}
	if status >= 500 {
		return r.after()
	}
	return gateway.Conflict
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
