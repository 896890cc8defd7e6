package fakediscourse

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/metagov/gateway-go/internal/fake"
)

// sender is where deliveries go.
type sender struct {
	base   *url.URL // nil is as the webhook says
	client *http.Client
}

// SetRequestURL says how webhooks are reached. Their payload URLs' paths and queries are asked for at the base, such as
// the URL of an httptest.Server; an empty base leaves payload URLs as they are. A nil client is a plain http.Client.
// It is needed before anything is delivered: without it, deliveries go where the payload URL says.
func (s *Server) SetRequestURL(base string, client *http.Client) error {
	var to sender
	if base != "" {
		u, err := url.Parse(base)
		if err != nil {
			return fmt.Errorf("fakediscourse: request URL: %w", err)
		}
		to.base = u
	}
	to.client = fake.NoRedirects(client)
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.queue.to = to
	return nil
}

// Sign is the value of X-Discourse-Event-Signature for a body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Sign puts the headers of a delivery of an event to a webhook on a request, with a new event ID. The event's type is what the name
// says, such as "post" of "post_edited".
func (f *Forum) Sign(r *http.Request, hookID int64, event string, body []byte) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if h := f.hooks[hookID]; h != nil {
		f.sign(r, h, event, eventType(event), f.nextID("event"), body)
	}
}

// sign puts the headers of a delivery on a request. The caller holds s.mu.
func (f *Forum) sign(r *http.Request, h *hook, event, typ string, id int64, body []byte) {
	for name, v := range f.headers(h, event, typ, id, body) {
		if name != "Content-Length" {
			r.Header.Set(name, v)
		}
	}
}

// headers are a delivery's, as administrators see them. Without a secret there is no signature.
func (f *Forum) headers(h *hook, event, typ string, id int64, body []byte) map[string]string {
	o := map[string]string{"Accept": "*/*", "Content-Length": itoa(int64(len(body))), "Content-Type": contentTypes[h.contentType],
		"User-Agent": "Discourse/" + version, "X-Discourse-Instance": f.base, "X-Discourse-Event-Id": itoa(id), "X-Discourse-Event-Type": typ, "X-Discourse-Event": event}
	if h.secret != "" {
		o["X-Discourse-Event-Signature"] = Sign(h.secret, body)
	}
	return o
}

// Send delivers a body as it is given, signed, at once and outside the queue, to one webhook. It is for trying what the
// fake does not make by itself. There are no retries.
func (f *Forum) Send(ctx context.Context, hookID int64, event string, body []byte) (Answer, error) {
	f.s.mu.Lock()
	h, forum := f.hooks[hookID], f.base
	f.s.mu.Unlock()
	if h == nil {
		return Answer{}, fmt.Errorf("fakediscourse: send: there is no webhook %d", hookID)
	}
	d := &delivery{hook: h, log: &Delivery{Forum: forum, Hook: hookID, Event: event, Type: eventType(event), Body: body}}
	f.s.queue.record(d.log)
	a, _, err := f.s.attempt(ctx, d, fake.Strike{})
	return a, err
}

// attempt sends once, and writes it down; there is false if there is nobody any more to send it to.
func (s *Server) attempt(ctx context.Context, d *delivery, fault fake.Strike) (a Answer, there bool, err error) {
	s.mu.Lock()
	h := d.hook
	f := h.f
	dropped := ""
	switch {
	case f.hooks[h.id] == nil:
		dropped = "webhook was deleted"
	case !h.active && d.log.Event != "ping":
		dropped = "inactive"
	}
	id := d.again
	if id == 0 {
		id = f.nextID("event")
	}
	s.mu.Unlock()
	if dropped != "" {
		s.queue.change(func() { d.log.Dropped = dropped })
		return Answer{}, false, nil
	}
	sent, err := fault.Deliver(ctx, s.opt.AckTimeout, func(ctx context.Context) (fake.Answer, error) { return s.post(ctx, d, id) })
	if err != nil {
		err = fmt.Errorf("fakediscourse: %w", err)
	}
	a = Answer(sent)
	s.tried(d, id, a, err)
	return a, true, err
}

// tried writes an attempt down: for the test, and where the forum's administrators see it.
func (s *Server) tried(d *delivery, id int64, a Answer, err error) {
	at := s.opt.Now()
	failed, status, delivery := "", a.Status, statusSuccessful
	if err != nil {
		failed, status = err.Error(), -1
	} else if !a.OK() {
		failed = http.StatusText(a.Status)
	}
	if failed != "" {
		delivery = statusFailed
	}
	s.mu.Lock()
	d.hook.lastStatus = delivery
	d.hook.tried(hookEvent{id: id, status: status, event: d.log.Event, body: string(d.log.Body), answer: a, at: at,
		headers: d.hook.f.headers(d.hook, d.log.Event, d.log.Type, id, d.log.Body)})
	s.mu.Unlock()
	s.queue.change(func() {
		d.log.Attempts = append(d.log.Attempts, Attempt{At: at, EventID: id, Answer: a, Failed: failed})
	})
}

func (s *Server) post(ctx context.Context, d *delivery, id int64) (fake.Answer, error) {
	s.queue.mu.Lock()
	to := s.queue.to
	s.queue.mu.Unlock()
	s.mu.Lock()
	target := d.hook.url
	s.mu.Unlock()
	u, err := url.Parse(target)
	if err != nil {
		return fake.Answer{}, fmt.Errorf("deliver to %s: %w", target, err)
	}
	if to.base != nil {
		u.Scheme, u.Host = to.base.Scheme, to.base.Host
		u.Path = strings.TrimSuffix(to.base.Path, "/") + u.Path
	}
	return fake.Post(ctx, to.client, u.String(), d.log.Body, func(r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		d.hook.f.sign(r, d.hook, d.log.Event, d.log.Type, id, d.log.Body)
	})
}
