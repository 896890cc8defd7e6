package fakediscourse

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// Call is one request to a forum.
type Call struct {
	Forum  string // its base URL
	Method string
	Path   string // as asked for, below the base URL
	Route  string // the method and the pattern without ".json", such as "PUT /admin/users/{id}/suspend"; "" if there is none
	Query  url.Values
	Body   []byte
	Key    string // with what: "api" (an API key), "user" (a user API key), "none" or "invalid"
	User   string // as whom: a username; "" is nobody
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

// CallsTo returns the requests to one route, such as "PUT /admin/users/{id}/suspend", in order.
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
	s     *Server
	f     *Forum
	http  *http.Request
	call  *Call
	route *route
	vars  map[string]string
	body  []byte
	in    object // parameters of the query and the body together, as Rails has them
	json  bool   // JSON is asked for: by ".json" or Accept
	user  *user  // who asks; nil is nobody
	key   *apiKey
}

// reply is an answer that is not just an object: another status, no body, a page or a redirect.
type reply struct {
	status int
	body   any
	page   string // in HTML
	text   string // as it is
	to     string // where it redirects
}

const maxBody = 10 << 20

func (f *Forum) serve(w http.ResponseWriter, hr *http.Request) {
	s := f.s
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	r := &request{s: s, f: f, http: hr, body: body, call: &Call{Method: hr.Method, Path: hr.URL.Path,
		Query: hr.URL.Query(), Body: body, Key: "none", At: s.opt.Now()}}
	path, json := strings.CutSuffix(hr.URL.EscapedPath(), ".json")
	r.json = json || strings.Contains(hr.Header.Get("Accept"), "application/json")
	r.route, r.vars = findRoute(hr.Method, path)
	if r.route != nil {
		r.call.Route = r.route.name()
	}
	judgeErr := s.judge.Look(hr, body)

	s.mu.Lock()
	r.call.Forum = f.base
	s.calls = append(s.calls, r.call)
	fault := s.faults.Request(r.call.Route)
	s.mu.Unlock()

	fault.Play(w, hr, func() fake.Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		a := r.run(judgeErr)
		if !fault.Withholds() {
			r.call.Answer = a
		}
		return fake.Answer(a)
	}, func(a fake.Answer) {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.call.Answer = Answer(a)
	})
}

// run checks in order: whether the forum is there, rate, who asks, the form, and then acts.
func (r *request) run(judged error) Answer {
	f := r.f
	host := hostOf(r.http)
	if f.formerHost != "" && strings.EqualFold(host, f.formerHost) {
		return redirect(http.StatusMovedPermanently, f.base+r.http.URL.RequestURI())
	}
	if f.maintenance {
		return htmlPage(http.StatusServiceUnavailable, "We are working on it", "The forum is down for maintenance.")
	}
	if after := f.tooMany("ip:"+addressOf(r.http), 50, 10*time.Second); after > 0 {
		return plainLimit(after)
	}
	out, err := r.act(judged)
	if err != nil && !r.json && r.route != nil && r.route.page {
		return pageFor(err)
	}
	if err != nil {
		return refusal(err)
	}
	if v, ok := out.(*reply); ok {
		return v.answer()
	}
	return jsonAnswer(http.StatusOK, out)
}

func (r *request) act(judged error) (any, error) {
	if err := r.authenticate(); err != nil {
		return nil, err
	}
	if r.route == nil {
		if !r.json {
			return &reply{status: http.StatusNotFound, page: "Oops! That page doesn’t exist or is private."}, nil
		}
		return nil, refuse("not_found")
	}
	if err := r.admit(); err != nil {
		return nil, err
	}
	if judged != nil {
		return nil, badParam("_judge " + judged.Error())
	}
	if err := r.readParams(); err != nil {
		return nil, err
	}
	out, err := r.route.run(r)
	if err == nil && r.route.page && !r.json {
		out = &reply{status: http.StatusOK, page: r.f.settings.Title}
	}
	return out, err
}

func (v *reply) answer() Answer {
	switch {
	case v.to != "":
		return redirect(v.status, v.to)
	case v.page != "":
		return htmlPage(v.status, v.page, v.page)
	case v.text != "":
		return Answer{Status: v.status, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(v.text)}
	case v.body == nil:
		return Answer{Status: v.status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}}
	}
	return jsonAnswer(v.status, v.body)
}

func jsonAnswer(status int, v any) Answer {
	return Answer{Status: status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: rawJSON(v)}
}

func redirect(status int, to string) Answer {
	return Answer{Status: status, Header: http.Header{"Location": {to}, "Content-Type": {"text/html; charset=utf-8"}},
		Body: []byte("<html><body>You are being redirected.</body></html>")}
}

func htmlPage(status int, title, text string) Answer {
	body := "<!DOCTYPE html><html><head><title>" + title + "</title></head><body><p>" + text + "</p></body></html>"
	return Answer{Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte(body)}
}

// pageFor is a refusal as a page, for whoever did not ask for JSON.
func pageFor(err error) Answer {
	a := refusal(err)
	return htmlPage(a.Status, "Oops!", "Oops! That page doesn’t exist or is private.")
}

// nothing is success without a body.
func nothing() (any, error) { return &reply{status: http.StatusOK}, nil }

// done is success without more to say.
func done() (any, error) { return object{"success": "OK"}, nil }
