package github

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	gateway "github.com/metagov/gateway-go"
)

// Method is the input of method.
type Method struct {
	Method string `json:"method,omitempty" jsonschema:"enum=GET,enum=POST,enum=PUT,enum=PATCH,enum=DELETE,default=GET" jsonschema_description:"The HTTP method."`
	Route  string `json:"route" jsonschema:"pattern=^/[A-Za-z0-9_./{}+-]*$,maxLength=500,example=/repos/{owner}/{repo}/issues/{issue_number}" jsonschema_description:"The route, as https://docs.github.com/en/rest names it. What stands in braces is taken from the other fields; owner, org, repo and installation_id are those of the configuration where they are not given."`
	Auth   string `json:"auth,omitempty" jsonschema:"enum=installation,enum=app,default=installation" jsonschema_description:"As whom: the installation, or the app itself, which may only ask about itself and this installation."`

	Arguments map[string]json.RawMessage `json:"-" gateway:"free"`
}

// Answer is the answer of method.
type Answer struct {
	Status int             `json:"status" jsonschema_description:"The HTTP status."`
	Data   json.RawMessage `json:"data,omitempty" jsonschema_description:"What GitHub answered, if it answered anything."`
	Next   int             `json:"next_page,omitempty" jsonschema_description:"The page to ask for next, where there is one."`
}

var (
	placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)
	pageRE      = regexp.MustCompile(`[?&]page=([0-9]{1,9})(&|$)`)
)

// credentialRoutes make credentials, end them, or say where what happens is delivered. They belong to the operator and to the gateway.
var credentialRoutes = []string{"/app/installations", "/app/hook", "/app-manifests", "/applications", "/installation/token", "/login"}

// method calls any route. As the app, it lets a community ask only about the app and its own installation: the app sees those of all others.
func (g *GitHub) method(ctx context.Context, in Method) (Answer, error) {
	method := first(in.Method, http.MethodGet)
	path, rest, err := g.route(in)
	if err != nil {
		return Answer{}, err
	}
	c, err := g.allowed(ctx, in, method, path)
	if err != nil {
		return Answer{}, err
	}
	r := request{method: method, path: path}
	if method == http.MethodGet {
		if r.query, err = queried(rest); err != nil {
			return Answer{}, err
		}
	} else if len(rest) > 0 {
		r.body = rest
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{Status: a.status}
	if out.Data, err = a.data(); err != nil {
		return Answer{}, gateway.Errorf(r.after(), "%s: %w", r.what(), err)
	}
	if m := pageRE.FindStringSubmatch(a.next()); m != nil {
		out.Next, _ = strconv.Atoi(m[1]) // nine digits at the most
	}
	return out, nil
}

// data is what was answered. Routes such as /markdown answer with text; that it is GitHub's, and no page of a proxy's, says the number that GitHub
// gives each request.
func (a answer) data() (json.RawMessage, error) {
	switch {
	case len(a.body) == 0:
		return nil, nil
	case json.Valid(a.body):
		return a.body, nil
	case a.header.Get("X-Github-Request-Id") == "" || !utf8.Valid(a.body):
		return nil, errors.New("the answer is neither JSON nor a text of GitHub's")
	}
	return json.Marshal(string(a.body))
}

// allowed refuses routes that are not a community's, and gives the client for the others.
func (g *GitHub) allowed(ctx context.Context, in Method, method, path string) (*client, error) {
	lower := strings.ToLower(path)
	own := "/app/installations/" + g.config.InstallationID
	if in.Auth == "app" {
		switch {
		case behalf(ctx):
			return nil, gateway.Errorf(gateway.Invalid, "auth=app and acting for a person exclude each other")
		case method != http.MethodGet || lower != "/app" && lower != own:
			return nil, gateway.Errorf(gateway.Denied, "github: as the app only GET /app and GET %s can be called: it sees the installations of other communities", own)
		}
		return g.app.asApp(g.HTTP, g.Now), nil
	}
	for _, p := range credentialRoutes {
		if lower == p || strings.HasPrefix(lower, p+"/") {
			return nil, gateway.Errorf(gateway.Denied, "github: %s deals with credentials and cannot be called this way", p)
		}
	}
	if behalf(ctx) && (!within(g.config.Account, path) || method != http.MethodGet && leads(lower)) {
		return nil, gateway.Errorf(gateway.Denied, "github: on behalf of a person only what is below /repos/%s/ and /orgs/%[1]s/ can be called, and nothing that leads to another account", g.config.Account)
	}
	return g.client(ctx), nil
}

// leads says whether a route makes something of a repository in an account that its arguments name.
func leads(path string) bool {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	return len(parts) > 3 && parts[0] == "repos" && (parts[3] == "forks" || parts[3] == "transfer" || parts[3] == "generate")
}

// route fills in what stands in braces, and gives what is left of the arguments. What is filled in stays within its part of the path, except
// for a {path}, which has parts of its own.
func (g *GitHub) route(in Method) (string, map[string]json.RawMessage, error) {
	rest := map[string]json.RawMessage{}
	for k, v := range in.Arguments {
		rest[k] = v
	}
	owner, repo, _ := strings.Cut(g.config.Repository, "/")
	if repo == "" {
		owner, repo = g.config.Account, owner
	}
	known := map[string]string{"owner": first(owner, g.config.Account), "org": g.config.Account, "repo": repo, "installation_id": g.config.InstallationID}
	var failed error
	path := placeholder.ReplaceAllStringFunc(in.Route, func(name string) string {
		name = strings.Trim(name, "{}")
		value := known[name]
		if raw, ok := in.Arguments[name]; ok {
			value = plain(raw)
			delete(rest, name)
		}
		if value == "" {
			failed = gateway.Errorf(gateway.Invalid, "the route needs %s", name)
		}
		if name == "path" {
			return escapedParts(value)
		}
		return url.PathEscape(value)
	})
	if failed != nil {
		return "", nil, failed
	}
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || strings.ContainsAny(path, "?#{}") || strings.Contains(path, "//") {
		return "", nil, gateway.Errorf(gateway.Invalid, "the route is none")
	}
	for _, part := range strings.Split(u.Path, "/") { // as it is read there, and not as it is written
		if part == "." || part == ".." {
			return "", nil, gateway.Errorf(gateway.Invalid, "the route leads elsewhere")
		}
	}
	return u.EscapedPath(), rest, nil
}

func escapedParts(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// plain is a text as it is, and anything else as JSON writes it.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// queried makes arguments the query of a GET: texts, numbers and truth values.
func queried(args map[string]json.RawMessage) (url.Values, error) {
	q := url.Values{}
	for k, v := range args {
		if len(v) > 0 && (v[0] == '{' || v[0] == '[') {
			return nil, gateway.Errorf(gateway.Invalid, "%s: a GET takes texts, numbers and truth values", k)
		}
		if text := plain(v); text != "null" {
			q.Set(k, text)
		}
	}
	return q, nil
}
