package fakeslack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// Call is one request to the Web API, or one use of a response_url (Method "response_url").
type Call struct {
	Method   string
	Args     url.Values // decoded; the token is left out, structured JSON arguments are JSON text
	Token    string     // whose token: "bot", "user", "app" or "none"
	User     string     // the user that the token acts for
	Team     string     // the workspace that was acted in
	At       time.Time
	Problems []string // arguments that the method does not know, and other things that Slack would pass over
	Answer   Answer   // empty while the call is running
}

// Answer is an HTTP answer, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// OK says whether the answer is a Web API success, or for a delivery a 2xx.
func (a Answer) OK() bool {
	if a.Status < 200 || a.Status > 299 {
		return false
	}
	var ok struct{ OK *bool }
	if json.Unmarshal(a.Body, &ok) == nil && ok.OK != nil {
		return *ok.OK
	}
	return true
}

// Calls returns every request so far, in the order in which they arrived.
func (s *Server) Calls() []Call { return s.CallsTo("") }

// CallsTo returns the requests to one method, in order.
func (s *Server) CallsTo(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if method == "" || c.Method == method {
			cp := *c
			cp.Args = url.Values{}
			for k, v := range c.Args {
				cp.Args[k] = slices.Clone(v)
			}
			cp.Problems = slices.Clone(c.Problems)
			out = append(out, cp)
		}
	}
	return out
}

// apiError is a refusal: HTTP 200 with ok false.
type apiError struct {
	code  string
	extra object
}

func (e *apiError) Error() string { return e.code }

func refuse(code string) error { return &apiError{code: code} }

func refuseWith(code string, messages ...string) error {
	return &apiError{code: code, extra: object{"response_metadata": object{"messages": messages}}}
}

// request is one call while it runs, under s.mu.
type request struct {
	s    *Server
	w    *Workspace
	tok  *token
	def  *method
	call *Call
	args url.Values
	http *http.Request
}

func (r *request) arg(name string) string { return r.args.Get(name) }

func (r *request) flag(name string) bool {
	v := r.args.Get(name)
	return v == "true" || v == "1"
}

// me is the user that the call acts as.
func (r *request) me() string { return r.tok.user }

func (r *request) email() bool { return r.tok.has("users:read.email") }

func (s *Server) serveAPI(w http.ResponseWriter, hr *http.Request, name string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, 4<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	args, tokenText, problems, argErr := readArgs(hr, body, name)

	s.mu.Lock()
	call := &Call{Method: name, Args: args, Token: string(kindNone), At: s.opt.Now(), Problems: problems}
	s.calls = append(s.calls, call)
	tok := s.tokens[tokenText]
	if tok != nil {
		call.Token, call.User, call.Team = string(tok.kind), tok.user, tok.team
	}
	fault := s.faults.Request(name)
	s.mu.Unlock()

	fault.Play(w, hr, func() fake.Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		r := &request{s: s, tok: tok, call: call, args: args, http: hr}
		out, err := r.run(name, tokenText, argErr)
		answer := r.answer(out, err)
		if fault.LoseAnswer {
			answer.Status = 0 // the effect is real, the answer never arrives
		}
		if !fault.HoldAnswer {
			call.Answer = answer
		}
		return fake.Answer(answer)
	}, func(a fake.Answer) { s.record(call, Answer(a)) })
}

func (s *Server) record(call *Call, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call.Answer = a
}

// run checks in Slack's order: method, token, scope, arguments, rate, and then acts.
func (r *request) run(name, tokenText string, argErr error) (object, error) {
	def, ok := methods[name]
	if !ok {
		return nil, &apiError{"unknown_method", object{"req_method": name}}
	}
	r.def = def
	if argErr != nil {
		return nil, argErr
	}
	if err := r.authenticate(tokenText); err != nil {
		return nil, err
	}
	if r.tok != nil && def.scope != "" && !r.tok.hasAny(def.scope) {
		return nil, r.missing(def.scope)
	}
	if err := r.checkArgs(); err != nil {
		return nil, err
	}
	if err := r.locate(); err != nil {
		return nil, err
	}
	if err := r.checkRate(name); err != nil {
		return nil, err
	}
	return def.run(r)
}

func (r *request) missing(scope string) error {
	needed := strings.Split(scope, "|")[0]
	return &apiError{"missing_scope", object{"needed": needed, "provided": strings.Join(r.tok.scopes, ",")}}
}

// needScope is for scopes that depend on the channel, which the table of methods cannot know.
func (r *request) needScope(scope string) error {
	if r.tok.hasAny(scope) {
		return nil
	}
	return r.missing(scope)
}

func (r *request) authenticate(text string) error {
	if r.def.auth == authNone {
		r.tok = nil
		return nil
	}
	if text == "" {
		return refuse("not_authed")
	}
	if r.tok == nil {
		return refuse("invalid_auth")
	}
	if r.tok.revoked != "" {
		return refuse(r.tok.revoked)
	}
	if !r.tok.expires.IsZero() && !r.s.opt.Now().Before(r.tok.expires) {
		return refuse("token_expired")
	}
	if r.tok.before != "" {
		delete(r.s.refresh, r.tok.before)
		r.tok.before = ""
	}
	if (r.def.auth == authApp) != (r.tok.kind == kindApp) {
		return refuse("not_allowed_token_type")
	}
	if r.def.auth == authOpenID && (r.tok.kind != kindUser || !r.tok.has("openid")) {
		return r.missing("openid")
	}
	return nil
}

// locate finds the workspace: that of the token, or for an organisation's token the one that the arguments name.
func (r *request) locate() error {
	if r.tok == nil || r.tok.kind == kindApp {
		return nil
	}
	if r.tok.team != "" {
		r.w = r.s.workspace(r.tok.team)
		if u := r.w.users[r.tok.user]; u == nil || u.deleted {
			return refuse("account_inactive")
		}
		return nil
	}
	for _, w := range r.s.workspaces {
		if w.enterprise != r.tok.enterprise || w.install == nil {
			continue
		}
		byChannel := w.channels[r.arg("channel")] != nil || w.users[r.arg("channel")] != nil
		first, _, _ := strings.Cut(orElse(orElse(r.arg("user"), r.arg("users")), r.arg("user_id")), ",")
		byUser := r.arg("channel") == "" && first != "" && w.users[first] != nil
		noPlace := r.arg("channel") == "" && first == "" && (!r.def.args.has("team_id") || r.def.name == "auth.test")
		if r.arg("team_id") == w.id || r.arg("team_id") == "" && (byChannel || byUser || noPlace) {
			r.w = w
			r.call.Team = w.id
			return nil
		}
	}
	switch {
	case r.arg("channel") != "":
		return refuse("channel_not_found")
	case r.arg("team_id") != "":
		return refuse("team_not_found")
	case r.arg("user") != "" || r.arg("users") != "":
		return refuse("user_not_found")
	}
	return refuse("missing_argument")
}

var argName = regexp.MustCompile(`^[A-Za-z0-9_]{1,255}$`)

// checkArgs compares the arguments with what Slack's own SDK declares for the method.
func (r *request) checkArgs() error {
	var missing []string
	for k := range r.args {
		if !argName.MatchString(k) {
			return refuse("invalid_arg_name")
		}
		if !r.def.args.has(k) {
			r.call.Problems = append(r.call.Problems, "unknown argument "+k)
			if r.s.opt.Strict {
				return refuseWith("invalid_arguments", "[ERROR] unsupported argument: "+k)
			}
		}
	}
	slices.Sort(r.call.Problems)
	for _, a := range r.def.args {
		v := r.arg(a.name)
		if v == "" {
			if a.required && !r.args.Has(a.name) {
				missing = append(missing, "[ERROR] missing required field: "+a.name)
			}
			continue
		}
		switch a.kind {
		case "int":
			if _, err := strconv.Atoi(v); err != nil {
				if a.name == "limit" {
					return refuse("invalid_limit")
				}
				return refuseWith("invalid_arguments", "[ERROR] must be a number: "+a.name)
			}
		case "bool":
			if !slices.Contains([]string{"true", "false", "1", "0"}, v) {
				r.call.Problems = append(r.call.Problems, "not a boolean: "+a.name)
			}
		}
	}
	if missing != nil {
		if r.def.absent != "" {
			return refuse(r.def.absent)
		}
		return refuseWith("invalid_arguments", missing...)
	}
	return nil
}

func (r *request) answer(out object, err error) Answer {
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Slack-Req-Id": {secretText(8)}}
	if r.tok != nil {
		h.Set("X-Oauth-Scopes", strings.Join(r.tok.scopes, ","))
		if r.def != nil && r.def.scope != "" {
			h.Set("X-Accepted-Oauth-Scopes", strings.ReplaceAll(r.def.scope, "|", ","))
		}
	}
	status := http.StatusOK
	if err == nil {
		if out == nil {
			out = object{}
		}
		out["ok"] = true
	} else {
		var e *apiError
		if !errors.As(err, &e) {
			e = &apiError{code: "internal_error"}
		}
		out = object{"ok": false, "error": e.code}
		for k, v := range e.extra {
			out[k] = v
		}
		if e.code == "ratelimited" {
			status = http.StatusTooManyRequests
			h.Set("Retry-After", fmt.Sprint(e.extra["retry_after"]))
			delete(out, "retry_after")
		}
	}
	return Answer{Status: status, Header: h, Body: rawJSON(out)}
}

// structured arguments travel as JSON text in forms, and as JSON in JSON bodies.
var structured = []string{"blocks", "attachments", "metadata", "view", "file_ids"}

// readArgs takes the arguments and the token from where Slack does: the query, a form, a multipart form, or a JSON body with a
// bearer token. Methods that only read do not look at JSON bodies; a caller then hears of missing arguments.
func readArgs(r *http.Request, body []byte, method string) (args url.Values, token string, problems []string, err error) {
	args = url.Values{}
	for k, v := range r.URL.Query() {
		args[k] = v
	}
	if b, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token = strings.TrimSpace(b)
	}
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost || len(body) == 0:
	case contentType == "application/json":
		if def := methods[method]; def != nil && !def.json {
			problems = append(problems, "JSON body not read by this method")
			break
		}
		if err := readJSONArgs(body, args); err != nil {
			return args, token, problems, err
		}
		// Slack does not look for the token in a JSON body.
		args.Del("token")
	case contentType == "application/x-www-form-urlencoded":
		form, perr := url.ParseQuery(string(body))
		if perr != nil {
			return args, token, problems, refuse("invalid_form_data")
		}
		for k, v := range form {
			args[k] = v
		}
	case contentType == "multipart/form-data":
		r.Body = io.NopCloser(bytes.NewReader(body))
		if perr := r.ParseMultipartForm(4 << 20); perr != nil {
			return args, token, problems, refuse("invalid_form_data")
		}
		for k, v := range r.MultipartForm.Value {
			args[k] = v
		}
	case contentType == "":
		return args, token, problems, refuse("missing_post_type")
	default:
		return args, token, problems, refuse("invalid_post_type")
	}
	if t := args.Get("token"); t != "" && token == "" {
		token = t
	}
	args.Del("token")
	return args, token, problems, nil
}

func readJSONArgs(body []byte, args url.Values) error {
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return refuse("invalid_json")
	}
	m, ok := v.(object)
	if !ok {
		return refuse("json_not_object")
	}
	for k, v := range m {
		switch v := v.(type) {
		case nil:
		case string:
			args.Set(k, v)
		case json.Number:
			args.Set(k, v.String())
		case bool:
			args.Set(k, strconv.FormatBool(v))
		default:
			if !slices.Contains(structured, k) {
				return refuse("invalid_array_arg")
			}
			args.Set(k, string(rawJSON(v)))
		}
	}
	return nil
}
