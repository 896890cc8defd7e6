package fakegithub

import (
	"encoding/json"
	"net/http"
)

type object = map[string]any

// apiError is a refusal as GitHub writes it.
type apiError struct {
	status  int
	message string
	errors  []any // of failed validations
	header  http.Header
	url     string // of redirects
}

func (e *apiError) Error() string { return e.message }

func refuse(status int, message string) error { return &apiError{status: status, message: message} }

func notFound() error { return refuse(http.StatusNotFound, "Not Found") }

// forbidden is what an app is told that lacks a permission.
func forbidden() error { return refuse(http.StatusForbidden, "Resource not accessible by integration") }

// invalid is a failed validation of one field. code is one of GitHub's: missing, missing_field, invalid, already_exists, custom.
func invalid(resource, field, code, message string) error {
	e := object{"resource": resource, "field": field, "code": code}
	if message != "" {
		e["message"] = message
	}
	return &apiError{status: http.StatusUnprocessableEntity, message: "Validation Failed", errors: []any{e}}
}

// unprocessable is a failed validation that names no field.
func unprocessable(message string) error { return refuse(http.StatusUnprocessableEntity, message) }

// answer is the error as an HTTP answer. Its status stands in the body too, as text, which GitHub does since 2024.
func (e *apiError) answer() Answer {
	o := object{"message": e.message, "documentation_url": "https://docs.github.com/rest", "status": text(int64(e.status))}
	if e.url != "" {
		o["url"] = e.url
	}
	if e.errors != nil {
		o["errors"] = e.errors
	}
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	for k, v := range e.header {
		h[k] = v
	}
	return Answer{Status: e.status, Header: h, Body: rawJSON(o)}
}

// rawJSON encodes what is made here, and can always be encoded.
func rawJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"message":"fakegithub: ` + http.StatusText(http.StatusInternalServerError) + `"}`)
	}
	return raw
}
