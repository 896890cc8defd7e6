package discourse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// maxAnswer bounds what is read of an answer: a page of a thousand members fits, and twenty of the longest posts.
const maxAnswer = 16 << 20

// maxHops is how often a GET is redirected: Discourse sends a topic's short address to its long one.
const maxHops = 3

// client is the only place that talks to a forum. It is a value: whoever needs another permission makes a copy by [client.needs].
type client struct {
	http  *http.Client
	base  string // the forum's URL, without a slash at the end
	key   gateway.Secret
	own   bool   // it is a user API key: somebody's own
	user  string // as whom
	scope string // the permission that a call needs, for its refusal

	// refused is called when the forum does not take the key for a call. Nil: nobody is.
	refused func(context.Context)
}

// clientOf makes a client for a forum. The address comes from a configuration: it is only ever asked through Guarded.
func clientOf(i *gateway.Instance, c Config) client {
	if c.UserAPIKey != "" {
		return client{http: i.Guarded, base: baseOf(c.URL), key: c.UserAPIKey, own: true, user: c.username()}
	}
	return client{http: i.Guarded, base: baseOf(c.URL), key: c.APIKey, user: c.username()}
}

// client is the one for the instance's own forum. It notices when the forum does not take the key any more, and the instance is paused then.
func (d *Discourse) client() client {
	c := clientOf(d.Instance, d.config)
	c.refused = d.checkKey
	return c
}

// needs is the same client, whose refusals say that the key or its account lacks a permission, as the action declares it.
func (c client) needs(scope string) client {
	c.scope = scope
	return c
}

// do calls a route. path is escaped and begins with a slash; in is sent as JSON, nil sends nothing; the answer is decoded into out, which may be
// nil. Errors have the gateway's codes: Unavailable, it did not happen and may later; Unknown, it may have happened; Denied, the key or its account may
// not; NotFound, there is no such thing, or not any more; Invalid, the forum does not take what was sent. A refusal in the forum's own words is
// a [refusal] inside.
func (c client) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	if c.key == "" {
		return gateway.Errorf(gateway.Denied, "discourse: %s %s: the configuration has no key", method, path)
	}
	return c.call(ctx, method, path, query, in, out)
}

// call is [client.do], also without a key: what everybody may ask.
func (c client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	a, err := c.send(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	if err := c.judge(a); err != nil {
		if keyRefused(err) && c.refused != nil {
			c.refused(ctx)
		}
		return err
	}
	if _, whole := out.(*json.RawMessage); out == nil || whole && len(bytes.TrimSpace(a.body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return gateway.Errorf(after(method), "%s: decoding the answer: %w", a.what, err)
	}
	return nil
}

// answer is what a forum said.
type answer struct {
	what   string // the call, for errors: no query, no body
	method string
	status int
	header http.Header
	body   []byte
}

// json says whether the answer is of the API. The API answers some removals with nothing.
func (a answer) json() bool {
	body := bytes.TrimSpace(a.body)
	return len(body) == 0 || (body[0] == '{' || body[0] == '[') && json.Valid(body)
}

// send sends one request and reads the answer.
func (c client) send(ctx context.Context, method, path string, query url.Values, in any) (answer, error) {
	what := "discourse: " + method + " " + path
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return answer{}, gateway.Errorf(gateway.Invalid, "%s: encoding what is sent: %w", what, err)
		}
		body = bytes.NewReader(raw)
	}
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return answer{}, gateway.Errorf(gateway.Invalid, "%s: making the request: %w", what, err)
	}
	r.GetBody = nil // a transport must not send it a second time by itself
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json")
	switch {
	case c.key == "":
	case c.own:
		r.Header.Set("User-Api-Key", c.key.Reveal())
	default:
		r.Header.Set("Api-Key", c.key.Reveal())
		r.Header.Set("Api-Username", c.user)
	}
	h := *c.http
	h.CheckRedirect = c.within(r)
	res, err := h.Do(r)
	if err != nil {
		return answer{}, lost(what, method, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = fmt.Errorf("it is longer than %d bytes", maxAnswer)
	}
	if err != nil {
		return answer{}, gateway.Errorf(after(method), "%s: reading the answer: %w", what, err)
	}
	return answer{what: what, method: method, status: res.StatusCode, header: res.Header, body: raw}, nil
}

// within lets a GET be redirected inside the forum only: the key goes nowhere else.
func (c client) within(r *http.Request) func(*http.Request, []*http.Request) error {
	return func(to *http.Request, via []*http.Request) error {
		if r.Method != http.MethodGet || len(via) > maxHops || !strings.HasPrefix(to.URL.String(), c.base+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// lost gives a failed request its code. What was not let out, or found nobody to talk to, did not happen.
func lost(what, method string, err error) error {
	var unsent *gateway.Error
	if errors.As(err, &unsent) {
		return &gateway.Error{Code: unsent.Code, After: unsent.After, Err: fmt.Errorf("%s: %w", what, unsent)}
	}
	var dns *net.DNSError
	var op *net.OpError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
		return gateway.Errorf(gateway.Unavailable, "%s: %w", what, err)
	}
	return gateway.Errorf(after(method), "%s: the answer was lost: %w", what, err)
}

// after is the code of a call whose answer was lost.
func after(method string) gateway.Code {
	if method == http.MethodGet {
		return gateway.Unavailable
	}
	return gateway.Unknown
}

// baseOf is a forum's URL without the slashes at its end.
func baseOf(forum string) string { return strings.TrimRight(forum, "/") }
