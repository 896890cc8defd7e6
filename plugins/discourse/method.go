package discourse

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// Method is the input of method.
type Method struct {
	Method string `json:"method,omitempty" jsonschema:"enum=GET,enum=POST,enum=PUT,enum=DELETE,default=GET" jsonschema_description:"The HTTP method."`
	Route  string `json:"route" jsonschema:"pattern=^/[A-Za-z0-9_./{}-]*$,maxLength=500,example=/t/{id}.json" jsonschema_description:"The route, as https://docs.discourse.org names it. What stands in braces is taken from the other fields."`

	Arguments map[string]json.RawMessage `json:"-" gateway:"free"`
}

// Answer is the answer of method.
type Answer struct {
	Data json.RawMessage `json:"data,omitempty" jsonschema_description:"What the forum answered, if it answered anything."`
}

var placeholder = regexp.MustCompile(`\{([A-Za-z_]+)\}`)

// method calls any route.
func (d *Discourse) method(ctx context.Context, in Method) (Answer, error) {
	method := first(in.Method, http.MethodGet)
	path, rest, err := route(in)
	if err != nil {
		return Answer{}, err
	}
	if err := open(path); err != nil {
		return Answer{}, err
	}
	var query url.Values
	var body any
	if method == http.MethodGet {
		query = queried(rest)
	} else if len(rest) > 0 {
		body = rest
	}
	a, err := d.client().answer(ctx, method, path, query, body)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Data: a}, nil
}

// answer is [client.do] for whoever wants the answer as it is; nil where there is none.
func (c client) answer(ctx context.Context, method, path string, query url.Values, in any) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.do(ctx, method, path, query, in, &out)
	return out, err
}

// route fills in what stands in braces, and gives what is left of the arguments. What is filled in stays within its part of the path.
func route(in Method) (string, map[string]json.RawMessage, error) {
	rest := map[string]json.RawMessage{}
	for k, v := range in.Arguments {
		rest[k] = v
	}
	var failed error
	path := placeholder.ReplaceAllStringFunc(in.Route, func(name string) string {
		name = strings.Trim(name, "{}")
		value := text(in.Arguments[name])
		delete(rest, name)
		if value == "" {
			failed = gateway.Errorf(gateway.Invalid, "the route needs %s", name)
		}
		return url.PathEscape(value)
	})
	if failed != nil {
		return "", nil, failed
	}
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#{}") || strings.Contains(path, "//") {
		return "", nil, gateway.Errorf(gateway.Invalid, "the route is none")
	}
	for _, part := range strings.Split(u.Path, "/") { // as it is read there, and not as it is written
		if part == "." || part == ".." {
			return "", nil, gateway.Errorf(gateway.Invalid, "the route leads elsewhere")
		}
	}
	return u.EscapedPath(), rest, nil
}

// text is a text as it is, and anything else as JSON writes it; "" for nothing.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// queried makes arguments the query of a GET. A list is several of its name, as Rails writes them.
func queried(args map[string]json.RawMessage) url.Values {
	q := url.Values{}
	for k, v := range args {
		var many []json.RawMessage
		if json.Unmarshal(v, &many) == nil && many != nil {
			for _, one := range many {
				q.Add(k+"[]", text(one))
			}
			continue
		}
		q.Set(k, text(v))
	}
	return q
}
