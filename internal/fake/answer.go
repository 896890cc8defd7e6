package fake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Answer is an HTTP answer, read to its end. The fakes' own, which have methods, convert to it.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Write sends the answer.
func (a Answer) Write(w http.ResponseWriter) {
	for k, v := range a.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a client that is gone needs no answer
}

// Abort closes the connection without an answer.
func Abort(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			c.Close()
		}
	}
}

// NoRedirects is a copy of a client that follows no redirects, as no platform does when it delivers. A nil client is a plain http.Client.
func NoRedirects(client *http.Client) *http.Client {
	c := http.Client{}
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// Post delivers a body, with the headers that head writes, and reads up to a megabyte of the answer.
func Post(ctx context.Context, client *http.Client, target string, body []byte, head func(*http.Request)) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("deliver: %w", err)
	}
	head(r)
	res, err := client.Do(r)
	if err != nil {
		return Answer{}, fmt.Errorf("deliver to %s: %w", r.URL.Redacted(), err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer of %s: %w", r.URL.Redacted(), err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: b}, nil
}

// TimedOut says whether the error of a delivery is that no answer came in time, really or on purpose.
func TimedOut(err error) bool {
	var n net.Error
	return errors.Is(err, ErrUnanswered) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
