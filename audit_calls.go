package gateway

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// PlatformCall is one request to a platform, as the audit record has it. Queries, headers and bodies are not in it, and of the
// path only what cannot be a secret.
type PlatformCall struct {
	Method string `json:"method"`
	Host   string `json:"host"`
	Path   string `json:"path"`             // with "…" for segments that look like tokens or platform IDs with letters
	Status int    `json:"status,omitempty"` // of the answer; 0: there was none
	Millis int64  `json:"ms"`               // until the answer's head was there
}

// maxSeen is how many platform calls of one call the record lists. Of more it has the number.
const maxSeen = 50

// sightings are the platform calls of one call. A plugin may call side by side.
type sightings struct {
	mu    sync.Mutex
	calls []PlatformCall
	n     int
}

func (s *sightings) add(c PlatformCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n <= maxSeen {
		s.calls = append(s.calls, c)
	}
}

// all gives what was seen, and how many there were.
func (s *sightings) all() (calls []PlatformCall, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls), s.n
}

// any reports whether the platform was called. It may be asked of nil.
func (s *sightings) any() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n > 0
}

// witness notes the platform calls that are made with the context of a durable call.
type witness struct{ next http.RoundTripper }

// witnessed wraps a client's transport in a witness.
func witnessed(c *http.Client) *http.Client {
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	out := *c
	out.Transport = witness{next}
	return &out
}

// CloseIdleConnections is found by the method of http.Client of this name.
func (w witness) CloseIdleConnections() { closeIdle(w.next) }

func (w witness) RoundTrip(r *http.Request) (*http.Response, error) {
	c := scopeOf(r.Context()).call
	if c == nil || c.seen == nil {
		return w.next.RoundTrip(r)
	}
	began := time.Now()
	resp, err := w.next.RoundTrip(r)
	seen := PlatformCall{Method: r.Method, Host: r.URL.Host, Path: recordable(r.URL.EscapedPath()), Millis: time.Since(began).Milliseconds()}
	if err == nil {
		seen.Status = resp.StatusCode
	}
	c.seen.add(seen)
	return resp, err
}

var (
	number = regexp.MustCompile(`^[0-9]{1,20}$`)
	// A word of an API: chat.postMessage, v10, application-commands. Tokens are longer than any part of it may be, or have digits.
	word  = regexp.MustCompile(`^[A-Za-z][a-z]{0,13}([A-Z][a-z]{2,13})*$`)
	vers  = regexp.MustCompile(`^v[0-9]{1,3}$`)
	parts = regexp.MustCompile(`[._-]`)
)

// recordable cuts out of a path what may be a secret: response URLs and some platforms' APIs have tokens in it.
func recordable(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if !harmless(s) {
			segments[i] = "…"
		}
	}
	if out := strings.Join(segments, "/"); len(out) <= 200 {
		return out
	}
	return "/…"
}

func harmless(segment string) bool {
	if segment == "" || number.MatchString(segment) || vers.MatchString(segment) {
		return true
	}
	if len(segment) > 40 {
		return false
	}
	for _, p := range parts.Split(segment, -1) {
		if p != "" && !word.MatchString(p) && !vers.MatchString(p) {
			return false
		}
	}
	return true
}
