package github

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
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

const (
	apiURL     = "https://api.github.com"
	apiVersion = "2022-11-28"
	userAgent  = "metagov-gateway" // GitHub refuses requests without one

	// maxAnswer bounds what is read of an answer. A hundred of the longest comments fit, 65,536 characters each, also if each is escaped: otherwise
	// somebody could write a page that ends the counting of a vote.
	maxAnswer = 48 << 20
	// secondaryWait is how long to wait after a secondary rate limit that does not say (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api, 2026-11).
	secondaryWait = time.Minute
	// maxWait is the longest wait that is believed: primary limits last an hour.
	maxWait = time.Hour
)

// client is the only place that talks to GitHub's REST API.
type client struct {
	http *http.Client
	now  func() time.Time
	who  string // whose rate limit it is, for [(*GitHub).pace]
	// token gives the credentials; refused are those that GitHub did not take just now.
	token func(ctx context.Context, refused gateway.Secret) (gateway.Secret, error)
	once  bool // there are no others
	made  bool // they are made as they are needed: a refusal of fresh ones passes
	// clock is of a client that speaks as the app, whose credentials say what time it is. nil: they do not.
	clock *clockOff

	// account is the one whose things it stays with when GitHub redirects; "": the token is good for no others.
	account string
}

// request is one call.
type request struct {
	method string
	path   string // escaped, from the first slash on
	query  url.Values
	body   any  // nil: none
	repeat bool // doing it twice is as good as once, although it is a POST
	direct bool // 302 is the answer, and not followed
}

// what names a request in errors: no query, no body.
func (r request) what() string { return "github: " + r.method + " " + r.path }

// repeatable says whether an answer that is lost can simply be asked for again.
func (r request) repeatable() bool { return r.method == http.MethodGet || r.repeat }

// answer is what GitHub said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// next is the page after this one, "" at the end, from the Link header.
func (a answer) next() string {
	for _, link := range strings.Split(a.header.Get("Link"), ",") {
		target, rel, ok := strings.Cut(strings.TrimSpace(link), ">")
		if ok && strings.Contains(rel, `rel="next"`) {
			return strings.TrimPrefix(target, "<")
		}
	}
	return ""
}

// json calls and decodes the answer into out, which may be nil.
func (c *client) json(ctx context.Context, r request, out any) error {
	a, err := c.do(ctx, r)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return gateway.Errorf(r.after(), "%s: decoding the answer: %w", r.what(), err)
	}
	return nil
}

// after is the code of a call whose answer was lost.
func (r request) after() gateway.Code {
	if r.repeatable() {
		return gateway.Unavailable
	}
	return gateway.Unknown
}

// do calls, with fresh credentials once where GitHub does not take those that there are. Its errors have the gateway's codes; a refusal of
// GitHub's own is a [refusal] inside.
func (c *client) do(ctx context.Context, r request) (answer, error) {
	t, err := c.token(ctx, "")
	if err != nil {
		return answer{}, err
	}
	a, err := c.send(ctx, r, t)
	if !refusedWith(err, http.StatusUnauthorized) {
		return a, err
	}
	if c.clock != nil {
		return c.corrected(ctx, r, a, err)
	}
	if c.once {
		return a, err
	}
	if t, err = c.token(ctx, t); err != nil {
		return answer{}, err
	}
	a, err = c.send(ctx, r, t)
	if c.made && refusedWith(err, http.StatusUnauthorized) {
		err = &gateway.Error{Code: gateway.Unavailable, After: tokenLag, Err: err}
	}
	return a, err
}

// send sends one request.
func (c *client) send(ctx context.Context, r request, t gateway.Secret) (answer, error) {
	target := apiURL + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	header := http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {apiVersion}}
	if t != "" {
		header.Set("Authorization", "Bearer "+t.Reveal())
	}
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return answer{}, gateway.Errorf(gateway.Invalid, "%s: encoding what is sent: %w", r.what(), err)
		}
		header.Set("Content-Type", "application/json")
	}
	a, err := exchange(pacing(ctx, c.who), c.http, r.method, target, header, body)
	for hop := 0; err == nil && hop < maxHops; hop++ {
		to := a.elsewhere(r)
		if to == nil {
			break
		}
		if err := c.stays(ctx, r, to, header); err != nil {
			return answer{}, err
		}
		a, err = exchange(pacing(ctx, c.who), c.http, r.method, to.String(), header, body)
	}
	if err != nil {
		return answer{}, lost(r, err)
	}
	if a.status < 200 || a.status > 299 {
		return a, refused(r, a, c.now())
	}
	return a, nil
}

// exchange sends one request and reads the answer. It follows no redirect.
func exchange(ctx context.Context, h *http.Client, method, target string, header http.Header, body []byte) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return answer{}, gateway.Errorf(gateway.Invalid, "making a request: %w", err)
	}
	if len(body) == 0 {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	r.GetBody = nil // a transport must not send it a second time by itself
	r.Header = header
	r.Header.Set("User-Agent", userAgent)
	alone := *h
	alone.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := alone.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, err
	}
	return answer{res.StatusCode, res.Header, raw}, nil
}

// lost gives a failed request its code. What was not let out, or found nobody to talk to, did not happen.
func lost(r request, err error) error {
	var unsent *gateway.Error
	if errors.As(err, &unsent) {
		return &gateway.Error{Code: unsent.Code, After: unsent.After, Err: fmt.Errorf("%s: %w", r.what(), unsent)}
	}
	var dns *net.DNSError
	var op *net.OpError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
		return gateway.Errorf(gateway.Unavailable, "%s: %w", r.what(), err)
	}
	return gateway.Errorf(r.after(), "%s: the answer was lost: %w", r.what(), err)
}

// waiting reads for how long GitHub wants to be left alone, 0 where it is no rate limit
// (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api, 2026-11).
func waiting(a answer, now time.Time) time.Duration {
	if a.status != http.StatusForbidden && a.status != http.StatusTooManyRequests {
		return 0
	}
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil && n >= 0 {
		return bounded(time.Duration(min(n, int(maxWait/time.Second))) * time.Second)
	}
	if a.header.Get("X-Ratelimit-Remaining") == "0" {
		if at, err := strconv.ParseInt(a.header.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
			return bounded(time.Unix(at, 0).Sub(now))
		}
		return secondaryWait
	}
	if a.status == http.StatusTooManyRequests || limited(a.body) {
		return secondaryWait
	}
	return 0
}

// limited says whether a refusal is in the words that GitHub has, and had, for rate limits.
func limited(body []byte) bool {
	var said struct {
		Message string `json:"message"`
		Page    string `json:"documentation_url"`
	}
	if json.Unmarshal(body, &said) != nil {
		return false
	}
	text := strings.ToLower(said.Message)
	return strings.Contains(text, "rate limit") || strings.Contains(text, "abuse detection") || strings.HasSuffix(said.Page, "secondary-rate-limits") || strings.HasSuffix(said.Page, "#abuse-rate-limits")
}

func bounded(d time.Duration) time.Duration { return min(max(d, time.Second), maxWait) }
