package fakediscourse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

func hostOf(r *http.Request) string {
	if h, _, err := net.SplitHostPort(r.Host); err == nil {
		return h
	}
	return r.Host
}

func addressOf(r *http.Request) string {
	if h, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return h
	}
	return r.RemoteAddr
}

// readParams reads the query and the body into one object, as Rails does: a JSON object, or a form, in which a[b] and a[]
// are nested.
func (r *request) readParams() error {
	r.in = object{}
	nest(r.in, r.http.URL.Query())
	kind, _, _ := mime.ParseMediaType(r.http.Header.Get("Content-Type"))
	switch {
	case len(bytes.TrimSpace(r.body)) == 0:
	case kind == "application/json":
		d := json.NewDecoder(bytes.NewReader(r.body))
		d.UseNumber()
		var v object
		if err := d.Decode(&v); err != nil {
			return &apiError{status: http.StatusBadRequest, errors: []string{"Error occurred while parsing request parameters"}}
		}
		for k, x := range v {
			r.in[k] = x
		}
	case kind == "application/x-www-form-urlencoded":
		v, err := url.ParseQuery(string(r.body))
		if err != nil {
			return &apiError{status: http.StatusBadRequest, errors: []string{"Invalid query parameters"}}
		}
		nest(r.in, v)
	case kind == "multipart/form-data":
		again := r.http.Clone(r.http.Context())
		again.Body = http.MaxBytesReader(nil, readCloser{bytes.NewReader(r.body)}, maxBody)
		if err := again.ParseMultipartForm(maxBody); err != nil {
			return &apiError{status: http.StatusBadRequest, errors: []string{"Invalid multipart form"}}
		}
		nest(r.in, again.MultipartForm.Value)
	}
	return nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// nest puts form values into an object.
func nest(into object, values url.Values) {
	for name, v := range values {
		key, rest, nested := strings.Cut(name, "[")
		switch {
		case !nested:
			into[key] = v[len(v)-1]
		case rest == "]":
			var all []any
			for _, x := range v {
				all = append(all, x)
			}
			into[key] = all
		default:
			inner, ok := into[key].(object)
			if !ok {
				inner = object{}
				into[key] = inner
			}
			sub, more, _ := strings.Cut(rest, "]")
			nest(inner, url.Values{sub + more: v})
		}
	}
}

// text is a parameter as Rails would read it from a form.
func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	return fmt.Sprint(v)
}

func (r *request) str(name string) string { return text(r.in[name]) }
func (r *request) int(name string) int64  { return num(r.str(name)) }
func (r *request) id() int64              { return num(r.vars["id"]) }

func (r *request) bool(name string) bool {
	s := r.str(name)
	return s == "true" || s == "1" || s == "t" || s == "on"
}

func (r *request) has(name string) bool {
	_, ok := r.in[name]
	return ok
}

// need is a parameter that there has to be.
func (r *request) need(name string) (string, error) {
	s := r.str(name)
	if strings.TrimSpace(s) == "" {
		return "", missing(name)
	}
	return s, nil
}

// list is a parameter with several values: an array, or text with commas.
func (r *request) list(name string) []string { return texts(r.in[name]) }

func texts(v any) []string {
	switch x := v.(type) {
	case []any:
		var out []string
		for _, e := range x {
			if s := text(e); s != "" {
				out = append(out, s)
			}
		}
		return out
	case string:
		return split(x)
	}
	return nil
}

// object is a nested parameter, nil if there is none.
func (r *request) object(name string) object {
	o, _ := r.in[name].(object)
	return o
}
