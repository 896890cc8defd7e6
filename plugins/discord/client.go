package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	gateway "github.com/metagov/gateway-go"
)

const (
	// apiURL names the version: without one Discord answers as version 6, which is deprecated
	// (https://docs.discord.com/developers/reference#api-versioning, checked 2026-11).
	apiURL = "https://discord.com/api/v10"

	// agent is the form that Discord asks for, or it may block the program (https://docs.discord.com/developers/reference#user-agent).
	agent = "DiscordBot (https://github.com/metagov/gateway-go, 1)"

	// maxAnswer bounds what is read of an answer; a thousand members are about half a megabyte.
	maxAnswer = 16 << 20

	// retryAfter is how long to wait where Discord limits the rate and does not say how long, and maxRetryAfter what we believe at the most: an hour.
	retryAfter    = 5 * time.Second
	maxRetryAfter = time.Hour

	maxReason = 512 // characters of a reason for the audit log
)

// client is the only place that talks to Discord's REST API.
type client struct {
	http   *http.Client
	auth   string // of the Authorization header; "": none, for routes whose path is a capability
	limits *limits
	now    func() time.Time
}

// client is one with the bot's token.
func (a *app) client(inst *gateway.Instance) *client {
	return &client{http: inst.HTTP, auth: "Bot " + a.BotToken.Reveal(), limits: &a.limits, now: inst.Now}
}

// call is one request.
type call struct {
	method string // "": GET
	path   string // below the API's root, made by [path]
	query  url.Values
	body   any        // JSON; nil: none
	form   string     // a form in its place
	reason string     // for the guild's audit log
	once   bool       // doing it twice would be more than doing it once
	needs  string     // the permission that the bot lacks where Discord refuses, for whoever reads the error
	basic  *[2]string // client credentials in the place of the client's own
	bare   bool       // without credentials: the path is a capability
}

// path makes a path of parts that may come from anywhere.
func path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(url.PathEscape(p), ".", "%2E")) // ".." must not lead to another route
	}
	return b.String()
}

func (c call) verb() string { return orElse(c.method, http.MethodGet) }

// name is how errors call it. Tokens of interactions are capabilities, and stay out of it.
func (c call) name() string { return c.verb() + " " + template(c.path) }

// call sends one request and decodes its answer into out, which may be nil. Its errors have the gateway's codes; a refusal of Discord's own is
// a [refusal] inside. Unknown: it may have happened, and the answer was lost.
func (c *client) call(ctx context.Context, q call, out any) error {
	if wait := c.limits.held(c.now()); wait > 0 && c.asBot(q) {
		return &gateway.Error{Code: gateway.Unavailable, After: wait, Err: fmt.Errorf("discord: %s: Discord limits the rate of the whole bot", q.name())}
	}
	status, header, body, err := c.send(ctx, q)
	if err != nil {
		return q.lost(err)
	}
	c.limits.learn(c.bucket(q).rate, header, c.now())
	switch {
	case status == http.StatusTooManyRequests:
		return c.limited(q, header, body)
	case status >= 300:
		return q.refused(status, header, body)
	case out == nil || status == http.StatusNoContent:
		return nil
	}
	if _, whole := out.(*json.RawMessage); !whole && string(bytes.TrimSpace(body)) == "null" {
		return nil // lists stay as they are, which is empty
	}
	if err := json.Unmarshal(body, out); err != nil {
		return gateway.Errorf(q.after(), "discord: %s: decoding the answer (status %d): %w", q.name(), status, err)
	}
	return nil
}

// asBot reports whether a request counts for the bot's global limit, by its token. A person's own token, and what needs none, are limited by themselves.
func (c *client) asBot(q call) bool {
	return strings.HasPrefix(c.auth, "Bot ") && !q.bare && q.basic == nil
}

// limited says for how long a route is not to be called (https://docs.discord.com/developers/topics/rate-limits). Others that would call it are held up
// by the gateway, see [(*Discord).pace]; where the whole bot is limited, nothing of it is sent.
func (c *client) limited(q call, header http.Header, body []byte) error {
	var said struct {
		RetryAfter float64 `json:"retry_after"`
		Global     bool    `json:"global"`
	}
	_ = json.Unmarshal(body, &said) // a page of a proxy's says it by the header
	if n, err := strconv.ParseFloat(header.Get("Retry-After"), 64); err == nil && n > said.RetryAfter {
		said.RetryAfter = n
	}
	wait := retryAfter
	if said.RetryAfter > 0 {
		wait = time.Duration(min(said.RetryAfter, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	if c.asBot(q) && (said.Global || header.Get("X-RateLimit-Global") == "true" || header.Get("X-RateLimit-Scope") == "global") {
		c.limits.hold(c.now().Add(wait))
	}
	return &gateway.Error{Code: gateway.Unavailable, After: wait, Err: fmt.Errorf("discord: %s: Discord limits its rate", q.name())}
}

// lostError wraps an error after which the request may have been carried out.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// encode makes a call's body.
func (c call) encode() ([]byte, string, error) {
	switch {
	case c.form != "":
		return []byte(c.form), "application/x-www-form-urlencoded", nil
	case c.body == nil:
		return nil, "", nil
	}
	raw, err := json.Marshal(c.body)
	if err != nil {
		return nil, "", gateway.Errorf(gateway.Invalid, "discord: %s: encoding the request: %w", c.name(), err)
	}
	return raw, "application/json", nil
}

// send sends one request and reads the answer. An error after which Discord may have acted is a lostError.
func (c *client) send(ctx context.Context, q call) (int, http.Header, []byte, error) {
	raw, kind, err := q.encode()
	if err != nil {
		return 0, nil, nil, err
	}
	var asked, got atomic.Bool // the transport may call from goroutines of its own
	ctx = httptrace.WithClientTrace(pacing(ctx, c.bucket(q)), &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	})
	target := apiURL + q.path
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.verb(), target, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, nil, err
	}
	if len(raw) == 0 {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	r.GetBody = nil // a transport must not send it a second time by itself
	c.dress(r, q, kind)
	if err := ctx.Err(); err != nil {
		return 0, nil, nil, err
	}
	alone := *c.http
	alone.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the token stays here
	res, err := alone.Do(r)
	if err != nil {
		if unsent := new(gateway.Error); errors.As(err, &unsent) {
			return 0, nil, nil, unsent // the gateway did not let it out
		}
		var dns *net.DNSError
		var op *net.OpError
		if asked.Load() && !got.Load() || errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
			return 0, nil, nil, err
		}
		return 0, nil, nil, lostError{err}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, nil, nil, lostError{err}
	}
	return res.StatusCode, res.Header, answer, nil
}

// dress gives a request its headers.
func (c *client) dress(r *http.Request, q call, kind string) {
	r.Header.Set("User-Agent", agent)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	switch {
	case q.basic != nil:
		r.SetBasicAuth(q.basic[0], q.basic[1])
	case c.auth != "" && !q.bare:
		r.Header.Set("Authorization", c.auth)
	}
	if q.reason != "" {
		r.Header.Set("X-Audit-Log-Reason", strings.ReplaceAll(url.QueryEscape(clip(q.reason, maxReason)), "+", "%20"))
	}
}

// lost gives a failed request its code.
func (c call) lost(err error) error {
	if of := new(gateway.Error); errors.As(err, &of) {
		return &gateway.Error{Code: of.Code, After: of.After, Err: fmt.Errorf("discord: %s: %w", c.name(), scrub(err))}
	}
	if l := (lostError{}); errors.As(err, &l) {
		return gateway.Errorf(c.after(), "discord: %s: the answer was lost: %w", c.name(), scrub(err))
	}
	return gateway.Errorf(gateway.Unavailable, "discord: %s: %w", c.name(), scrub(err))
}

// scrub leaves the address out of an error of net/http: it may hold an interaction's token.
func scrub(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// after is the code of a call whose answer was lost: what can be done twice is simply done again.
func (c call) after() gateway.Code {
	if c.once {
		return gateway.Unknown
	}
	return gateway.Unavailable
}

func orElse(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func itoa(i int) string { return strconv.Itoa(i) }

func invalid(path, message string) error {
	return &gateway.Error{Code: gateway.Invalid, Fields: []gateway.FieldError{{Path: path, Message: message}}}
}
