package slack

import (
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
	apiURL = "https://slack.com/api/"

	// maxAnswer bounds what is read of an answer; conversations.list with 1,000 channels is about one megabyte.
	maxAnswer = 16 << 20

	// retryAfter is how long to wait where Slack limits the rate and does not say how long.
	retryAfter = 30 * time.Second
)

// client is the only place that talks to Slack's Web API. It posts forms, which every method takes.
type client struct {
	http   *http.Client
	team   string
	token  gateway.Secret // "": none, for methods that take the app's own credentials
	scopes string         // that the token has, as Slack said with the last answer
}

// args are a method's arguments: text as it is, everything else as JSON. Nil and empty text are left out.
type args map[string]any

func (a args) form() (url.Values, error) {
	form := url.Values{}
	for k, v := range a {
		switch v := v.(type) {
		case nil:
		case string:
			if v != "" {
				form.Set(k, v)
			}
		case gateway.Secret:
			form.Set(k, v.Reveal())
		case json.RawMessage:
			if len(v) == 0 {
				continue
			}
			var text string
			if v[0] == '"' && json.Unmarshal(v, &text) == nil {
				form.Set(k, text)
			} else {
				form.Set(k, string(v))
			}
		default:
			raw, err := json.Marshal(v)
			if err != nil {
				return nil, gateway.Errorf(gateway.Invalid, "encoding argument %s: %w", k, err)
			}
			if string(raw) != "null" {
				form.Set(k, string(raw))
			}
		}
	}
	return form, nil
}

// call calls a method and decodes its answer into out, which may be nil. Its errors have the gateway's codes; a refusal of
// Slack's own is a [refusal] inside. Unknown: it may have happened, and the answer was lost.
func (c *client) call(ctx context.Context, method string, a args, out any) error {
	form, err := a.form()
	if err != nil {
		return err
	}
	var headers http.Header
	if c.token != "" {
		headers = http.Header{"Authorization": {"Bearer " + c.token.Reveal()}}
	}
	status, header, body, err := post(pacing(ctx, c.team, method, a), c.http, apiURL+method, "application/x-www-form-urlencoded; charset=utf-8", headers, form.Encode())
	if err != nil {
		return lost(method, err)
	}
	c.scopes = first(header.Get("X-OAuth-Scopes"), c.scopes)
	if status == http.StatusTooManyRequests {
		return limited(method, header)
	}
	var head struct {
		OK       *bool  `json:"ok"`
		Error    string `json:"error"`
		Needed   string `json:"needed"`
		Errors   []each `json:"errors"`
		Metadata struct {
			Messages []string `json:"messages"`
		} `json:"response_metadata"`
	}
	if json.Unmarshal(body, &head) != nil || head.OK == nil {
		return strange(method, status)
	}
	if !*head.OK {
		if head.Error == "ratelimited" || head.Error == "rate_limited" {
			return limited(method, header)
		}
		return refused(method, head.Error, head.Needed, head.Metadata.Messages, head.Errors...)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return gateway.Errorf(after(method), "slack: %s: decoding the answer: %w", method, err)
	}
	return nil
}

// maxRetryAfter is how many seconds we believe of a Retry-After. Slack's are minutes at most; more is a mistake that must not end a
// community's work.
const maxRetryAfter = 3600

// limited says for how long a method is not to be called. Others that would call it are held up by the gateway, see [(*Slack).pace].
func limited(method string, header http.Header) error {
	wait := retryAfter
	if n, err := strconv.Atoi(header.Get("Retry-After")); err == nil && n >= 0 {
		wait = time.Duration(min(max(n, 1), maxRetryAfter)) * time.Second
	}
	return &gateway.Error{Code: gateway.Unavailable, After: wait, Err: fmt.Errorf("slack: %s: Slack limits its rate", method)}
}

// lostError wraps an error after which the request may have been carried out.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// post sends one request and reads the answer. An error after which the other side may have acted is a lostError.
func post(ctx context.Context, h *http.Client, target, contentType string, header http.Header, body string) (int, http.Header, []byte, error) {
	var asked, got atomic.Bool // the transport may call from goroutines of its own
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	r.GetBody = nil // a transport must not send it a second time by itself
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("Content-Type", contentType)
	if err := ctx.Err(); err != nil {
		return 0, nil, nil, err
	}
	alone := *h
	alone.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the token stays here
	res, err := alone.Do(r)
	if err != nil {
		if unsent := new(gateway.Error); errors.As(err, &unsent) {
			return 0, nil, nil, unsent // the gateway did not let it out
		}
		var dns *net.DNSError
		var op *net.OpError
		unsent := asked.Load() && !got.Load() || errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
		if unsent {
			return 0, nil, nil, err
		}
		return 0, nil, nil, lostError{err}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, nil, nil, lostError{err}
	}
	return res.StatusCode, res.Header, raw, nil
}

// lost gives a failed request its code.
func lost(method string, err error) error {
	if unsent := new(gateway.Error); errors.As(err, &unsent) {
		return &gateway.Error{Code: unsent.Code, After: unsent.After, Err: fmt.Errorf("slack: %s: %w", method, err)}
	}
	var l lostError
	if errors.As(err, &l) {
		return gateway.Errorf(after(method), "slack: %s: the answer was lost: %w", method, err)
	}
	return gateway.Errorf(gateway.Unavailable, "slack: %s: %w", method, err)
}

// strange is an answer that is not of the Web API: an error page, a proxy's.
func strange(method string, status int) error {
	if status >= 300 && status < 500 {
		return gateway.Errorf(gateway.Unavailable, "slack: %s: HTTP status %d without an answer of Slack's", method, status)
	}
	return gateway.Errorf(after(method), "slack: %s: HTTP status %d without an answer of Slack's", method, status)
}

// after is the code of a call whose answer was lost: a call that can be made twice is simply made again.
func after(method string) gateway.Code {
	if repeatable(method) {
		return gateway.Unavailable
	}
	return gateway.Unknown
}

// repeatable reports whether calling a method twice is as good as once.
func repeatable(method string) bool {
	switch method {
	case "chat.update", "conversations.open", "conversations.join", "auth.test", "chat.getPermalink", "users.lookupByEmail",
		"conversations.history", "conversations.replies", "conversations.members", "users.conversations", "openid.connect.userInfo":
		return true
	}
	_, last, _ := strings.Cut(method, ".")
	if i := strings.LastIndexByte(last, '.'); i >= 0 {
		last = last[i+1:]
	}
	return last == "info" || last == "list" || last == "get" || last == "test"
}

// identity is the answer of auth.test.
type identity struct {
	Team                string `json:"team"`
	TeamID              string `json:"team_id"`
	UserID              string `json:"user_id"`
	BotID               string `json:"bot_id"`
	EnterpriseID        string `json:"enterprise_id"`
	IsEnterpriseInstall bool   `json:"is_enterprise_install"`
}

func (c *client) whoami(ctx context.Context) (who identity, err error) {
	return who, c.call(ctx, "auth.test", nil, &who)
}
