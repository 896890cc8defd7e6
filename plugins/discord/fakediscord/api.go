package fakediscord

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// Call is one request to the API.
type Call struct {
	Method string
	Path   string // without "/api/v10"
	Route  string // the method and the pattern, such as "PUT /guilds/{guild_id}/bans/{user_id}"; "" if there is none
	Query  url.Values
	Body   []byte
	Token  string // whose: "bot", "bearer", "client" (the app's credentials), "interaction" (in the path) or "none"
	User   string // who acts: the bot, or whose OAuth token it is
	Reason string // X-Audit-Log-Reason, decoded
	At     time.Time
	// Problems are things that Discord would pass over, or that a later version will refuse.
	Problems []string
	Answer   Answer // empty while the call is running
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

// CallsTo returns the requests to one route, such as "PUT /guilds/{guild_id}/bans/{user_id}", in order.
func (s *Server) CallsTo(route string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if route == "" || c.Route == route {
			cp := *c
			cp.Problems = slices.Clone(c.Problems)
			out = append(out, cp)
		}
	}
	return out
}

// Judged lists what [Options].Judge objected to, in order.
func (s *Server) Judged() []error { return s.judge.Objected() }

// request is one call while it runs, under s.mu.
type request struct {
	s     *Server
	http  *http.Request
	call  *Call
	route *route
	vars  map[string]string
	body  []byte
	in    object // the JSON body, if it is an object
	tok   *token
	// status of success, where it depends on what was done
	status int
}

const maxBody = 25 << 20

func (s *Server) serveAPI(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	version, path := splitPath(hr.URL.EscapedPath())
	r := &request{s: s, http: hr, body: body, call: &Call{Method: hr.Method, Path: path, Query: hr.URL.Query(), Body: body,
		Token: "none", At: s.opt.Now()}}
	if reason := hr.Header.Get("X-Audit-Log-Reason"); reason != "" {
		r.call.Reason, _ = url.PathUnescape(reason)
	}
	var found error
	r.route, r.vars, found = findRoute(hr.Method, path)
	if r.route != nil {
		r.call.Route = r.route.name()
	}
	judgeErr := s.judge.Look(hr, body)

	s.mu.Lock()
	s.calls = append(s.calls, r.call)
	fault := s.faults.Request(r.call.Route)
	s.mu.Unlock()

	fault.Play(w, hr, func() fake.Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		var answer Answer
		switch {
		case found != nil:
			answer = refusal(found)
		case judgeErr != nil:
			answer = refusal(invalid("_judge", "OPENAPI", judgeErr.Error()))
		default:
			answer = r.run(version)
		}
		if !fault.Withholds() {
			r.call.Answer = answer
		}
		return fake.Answer(answer)
	}, func(a fake.Answer) { s.record(r.call, Answer(a)) })
}

func (s *Server) record(call *Call, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call.Answer = a
}

// splitPath takes "/api/v10/x" apart; the version is empty for unversioned paths.
func splitPath(p string) (version, path string) {
	p = strings.TrimPrefix(p, "/api")
	first, rest, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	if len(first) > 1 && first[0] == 'v' && strings.Trim(first[1:], "0123456789") == "" {
		return first[1:], "/" + rest
	}
	return "", p
}

// checkVersion refuses the versions that are gone or going, and the unversioned routes, which stand for the deprecated v6. OAuth
// alone has unversioned routes in Discord's own documentation.
func (r *request) checkVersion(version string) error {
	if version == "10" || version == "9" || version == "" && strings.HasPrefix(r.route.path, "/oauth2/") {
		return nil
	}
	return refuse(50041)
}

// run checks in order: version, who asks, rate, the form, and then acts.
func (r *request) run(version string) Answer {
	header := http.Header{}
	out, status, err := r.act(version, header)
	if err != nil {
		a := refusal(err)
		for k, v := range header {
			if a.Header[k] == nil {
				a.Header[k] = v
			}
		}
		return a
	}
	if out == nil {
		return Answer{Status: http.StatusNoContent, Header: header}
	}
	header.Set("Content-Type", "application/json")
	return Answer{Status: status, Header: header, Body: rawJSON(out)}
}

func (r *request) act(version string, header http.Header) (any, int, error) {
	if err := r.checkVersion(version); err != nil {
		return nil, 0, err
	}
	if err := r.authenticate(); err != nil {
		return nil, 0, err
	}
	if err := r.checkRate(header); err != nil {
		return nil, 0, err
	}
	if r.vars["user_id"] == "@me" {
		r.vars["user_id"] = r.me()
	}
	for name, value := range r.vars {
		if strings.HasSuffix(name, "_id") && !isID(value) && !(name == "message_id" && value == "@original") {
			return nil, 0, notSnowflake(name, value)
		}
	}
	if err := r.readBody(); err != nil {
		return nil, 0, err
	}
	if len([]rune(r.call.Reason)) > 512 {
		return nil, 0, tooLong("reason", 512)
	}
	out, err := r.route.run(r)
	switch {
	case r.status != 0:
	case r.route.status != 0:
		r.status = r.route.status
	default:
		r.status = http.StatusOK
	}
	return out, r.status, err
}

// refusal is the answer for an error, as Discord words it.
func refusal(err error) Answer {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{status: http.StatusInternalServerError, message: "500: Internal Server Error"}
	}
	o := object{"message": e.message, "code": e.code}
	if e.errors != nil {
		o["errors"] = e.errors
	}
	for k, v := range e.extra {
		o[k] = v
	}
	if e.raw != nil {
		o = e.raw
	}
	h := http.Header{"Content-Type": {"application/json"}}
	for k, v := range e.header {
		h[k] = v
	}
	return Answer{Status: e.status, Header: h, Body: rawJSON(o)}
}

// authenticate finds out who asks, and whether the route is for them.
func (r *request) authenticate() error {
	s := r.s
	kind, text, _ := strings.Cut(r.http.Header.Get("Authorization"), " ")
	ua := r.http.Header.Get("User-Agent")
	if !strings.HasPrefix(ua, "DiscordBot (") {
		r.call.Problems = append(r.call.Problems, "the User-Agent is not DiscordBot (url, version)")
	}
	switch kind {
	case "Bot":
		if text != s.botToken {
			break
		}
		r.call.Token, r.call.User = "bot", s.app.BotUser
		if !strings.HasPrefix(ua, "DiscordBot (") {
			return refuse(40333)
		}
	case "Bearer":
		t := s.tokens[text]
		if t == nil || t.revoked || !s.opt.Now().Before(t.expires) {
			break
		}
		r.tok, r.call.Token, r.call.User = t, "bearer", t.user
	}
	switch r.route.auth {
	case authNone:
		return nil
	case authBearer:
		if r.tok != nil {
			return nil
		}
	case authBot:
		if r.call.Token == "bot" {
			return nil
		}
	case authAny:
		if r.call.Token == "bot" || r.call.Token == "bearer" {
			return nil
		}
	}
	return plain(http.StatusUnauthorized)
}

// readBody decodes a JSON object; forms are read by OAuth alone.
func (r *request) readBody() error {
	if len(r.body) == 0 || r.route.form {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(r.http.Header.Get("Content-Type"))
	if kind != "application/json" {
		if r.http.Method == http.MethodPut || r.http.Method == http.MethodDelete || r.http.Method == http.MethodGet {
			return nil
		}
		return invalid("_schema", "CONTENT_TYPE_INVALID", `Expected "Content-Type" header to be one of {"application/json"}.`)
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return refuse(50109)
	}
	if m, ok := v.(object); ok {
		r.in = m
		return nil
	}
	if r.route.array {
		return nil
	}
	return invalid("_schema", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
}

// into decodes the body into a struct; a wrong type is an invalid form.
func (r *request) into(v any) error {
	if len(r.body) == 0 {
		return nil
	}
	err := json.Unmarshal(r.body, v)
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return invalid(orElse(typ.Field, "_schema"), "BASE_TYPE_CONVERT", fmt.Sprintf("Could not interpret %q as %s.", typ.Value, typ.Type))
	}
	if err != nil {
		return refuse(50109)
	}
	return nil
}

// has says whether the body names a field, if only as null.
func (r *request) has(field string) bool {
	_, ok := r.in[field]
	return ok
}

// me is who acts.
func (r *request) me() string { return r.call.User }
