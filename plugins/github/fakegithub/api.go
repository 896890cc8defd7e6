package fakegithub

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// Call is one request to the API or the login.
type Call struct {
	Method string
	Path   string // by name, also where it was asked for by number, such as /repositories/1296269
	Route  string // the method and the pattern, such as "PUT /orgs/{org}/blocks/{username}"; "" if there is none
	Query  url.Values
	Body   []byte
	Auth   string // as what it was taken: "app", "installation", "user", "client" (the app's client credentials) or "none"
	Login  string // who acts: the bot, or whose token it is
	At     time.Time
	Answer Answer // empty while the call is running
}

// Answer is an HTTP answer, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// OK says whether the status is a success.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// Calls returns every request so far, in the order in which they arrived.
func (s *Server) Calls() []Call { return s.CallsTo("") }

// CallsTo returns the requests to one route, such as "PUT /orgs/{org}/blocks/{username}", in order.
func (s *Server) CallsTo(route string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if route == "" || c.Route == route {
			out = append(out, *c)
		}
	}
	return out
}

// Judged lists what [Options].Judge objected to, in order.
func (s *Server) Judged() []error { return s.judge.Objected() }

// request is one call while it runs, under s.mu.
type request struct {
	s      *Server
	http   *http.Request
	call   *Call
	route  *route
	vars   map[string]string
	body   []byte
	tok    *token // nil for the app itself
	actor  *account
	header http.Header
	status int // of success, where it depends on what was done

	repo *Repo // of routes with {owner}/{repo}
	org  *Org  // of routes with {org}
}

const maxBody = 8 << 20

func (s *Server) serveAPI(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	s.mu.Lock()
	path := s.named(hr.URL.EscapedPath())
	s.mu.Unlock()
	r := &request{s: s, http: hr, body: body, header: http.Header{}, call: &Call{
		Method: hr.Method, Path: path, Query: hr.URL.Query(), Body: body, Auth: "none", At: s.opt.Now()}}
	r.route, r.vars = findRoute(hr.Method, path)
	if r.route != nil {
		r.call.Route = r.route.name()
	}
	judged := s.judge.Look(byName(hr, path), body)

	s.mu.Lock()
	s.calls = append(s.calls, r.call)
	fault := s.faults.Request(r.call.Route)
	s.mu.Unlock()

	s.play(w, hr, fault, r.call, func() Answer {
		if judged != nil {
			return refusal(unprocessable("Invalid request.\n\n" + judged.Error()))
		}
		return r.run()
	})
}

// play answers a request with what act does under s.mu, or with what a fault does to it.
func (s *Server) play(w http.ResponseWriter, hr *http.Request, fault fake.Strike, call *Call, act func() Answer) {
	fault.Play(w, hr, func() fake.Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		a := act()
		if !fault.Withholds() {
			call.Answer = a
		}
		return fake.Answer(a)
	}, func(a fake.Answer) {
		s.mu.Lock()
		defer s.mu.Unlock()
		call.Answer = Answer(a)
	})
}

// byName is a request with its address by name: descriptions know no other.
func byName(hr *http.Request, path string) *http.Request {
	plain, err := url.PathUnescape(path)
	if err != nil || path == hr.URL.EscapedPath() {
		return hr
	}
	r := hr.Clone(hr.Context())
	r.URL.Path, r.URL.RawPath = plain, path
	return r
}

// run checks in order: the headers, who asks, the rate, what is asked for, the permission, and then acts.
func (r *request) run() Answer {
	out, err := r.act()
	if err != nil {
		a := refusal(err)
		for k, v := range r.header {
			if a.Header[k] == nil {
				a.Header[k] = v
			}
		}
		return a
	}
	status := r.status
	if status == 0 {
		status = r.route.status
	}
	if out == nil {
		if status == 0 {
			status = http.StatusNoContent
		}
		return Answer{Status: status, Header: r.header}
	}
	if status == 0 {
		status = http.StatusOK
	}
	if o, ok := out.(object); ok && status == http.StatusCreated {
		if at, ok := o["url"].(string); ok {
			r.header.Set("Location", at) // of what was made
		}
	}
	r.header.Set("Content-Type", "application/json; charset=utf-8")
	r.header.Set("X-GitHub-Media-Type", "github.v3; format=json")
	return Answer{Status: status, Header: r.header, Body: rawJSON(out)}
}

func (r *request) act() (any, error) {
	if r.http.Header.Get("User-Agent") == "" {
		return nil, refuse(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). Check https://developer.github.com for other possible causes.")
	}
	if v := r.http.Header.Get("X-Github-Api-Version"); v != "" && v != "2022-11-28" && v != "2026-03-10" {
		return nil, refuse(http.StatusBadRequest, "Version "+v+" is not supported.")
	}
	if err := r.authenticate(); err != nil {
		return nil, err
	}
	if err := r.checkRate(); err != nil {
		return nil, err
	}
	if r.route == nil {
		return nil, notFound()
	}
	if err := r.locate(); err != nil {
		return nil, err
	}
	if r.route.writes() && len(r.body) > 0 && !json.Valid(r.body) {
		return nil, refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	return r.route.run(r)
}

// refusal is the answer for an error, as GitHub words it.
func refusal(err error) Answer {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{status: http.StatusInternalServerError, message: "Server Error"}
	}
	return e.answer()
}

// into decodes the body into a struct. GitHub says of a wrong type that the request is invalid, and quotes its schema.
func (r *request) into(v any) error {
	if len(r.body) == 0 {
		return nil
	}
	err := json.Unmarshal(r.body, v)
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ) && typ.Field == "":
		return refuse(http.StatusBadRequest, "Body should be a JSON object")
	case errors.As(err, &typ):
		return unprocessable("Invalid request.\n\nFor 'properties/" + strings.ToLower(strings.ReplaceAll(typ.Field, ".", "/")) + "', " + typ.Value + " is not a " + typ.Type.String() + ".")
	case err != nil:
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}
