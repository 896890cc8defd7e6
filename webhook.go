package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"
)

// Delivery is what came in by a webhook, a source or a sweep, before anybody knows what it says.
type Delivery struct {
	ID     string      // the gateway's own, set by it
	Header http.Header // after the request is over only Content-Type and what Webhook.Keep names
	Body   []byte      // as it came, at most Options.MaxBody
	// Received is when it came. While it is verified that is the wall clock's time, which its sender goes by too; afterwards it is the gateway's,
	// which does not jump, see Options.Now.
	Received time.Time

	forget bool // some community does not want it kept
}

// Reply is what a platform gets to hear.
type Reply struct {
	Status      int             // of the HTTP answer; 0: 200
	ContentType string          // of Body; "": application/json, where there is one
	Body        []byte          // nil: an empty answer
	Then        json.RawMessage // brought by Webhook.Answer after the HTTP answer, durably; nil: nothing
}

// Target says for whom a delivery is.
type Target struct {
	Platform []string // the platform objects (workspaces) that it is for; each instance that stands for one gets it
	Process  string   // the process whose Run.ID it carries, if any
}

// Webhook says how a plugin's deliveries are checked, read and used. It is a [Feature]; M is the type that a delivery
// is parsed into. Sources bring deliveries of the same kind and enter after Verify.
//
// The gateway owns the steps and their order: method, size, Verify, Parse, Greet, then one transaction that keeps the delivery
// (once for each ID), finds its instances and processes, and runs Receive; then 200; then, as durable tasks, Handle and
// Answer. What was acknowledged survives a crash.
type Webhook[T Owner, M any] struct {
	// Verify refuses a delivery that the platform did not sign, or signed too long ago. It compares in constant time and
	// must refuse when its own secret is empty. self is the instance where the URL names one, and otherwise T's zero value. Required, unless Unsigned.
	Verify func(self T, d *Delivery) error
	// Unsigned says that the platform does not sign. Its deliveries are taken only on an instance's own URL, which holds a
	// random token, and are hints: Handle must read from the platform's API before it believes anything.
	Unsigned bool
	// Parse reads the body, once. An unknown kind must pass. An error is answered with 400. Required.
	Parse func(*Delivery) (M, error)
	// Greet answers what is for no community: challenges and pings.
	Greet func(M) (Reply, bool)
	// ID is the platform's name for the fact: a second delivery with the same one is acknowledged and does nothing. "" for an unsigned hint, or
	// a forger could use up real IDs.
	ID func(M) string
	// Route says for whom it is. Nil: for the instance that the URL names.
	Route func(M) Target
	// Refs names the platform objects (a message, an issue) that it is about: processes that gave Run.Ref for one of them receive it.
	Refs func(M) []string
	// Echo makes the keys under which Call.Expect and Call.Caused would have announced this fact.
	Echo func(T, M) []string
	// Receive turns a delivery into events, for each instance. It runs inside the transaction that accepts the delivery,
	// perhaps more than once: it is quick, calls nothing outside, and uses ctx for Emit, Key.Update and the like.
	Receive func(T, context.Context, M) (Reply, error)
	// Slow says which deliveries need Handle. Nil: all, where there is a Handle.
	Slow func(M) bool
	// Handle does for each instance what takes time or calls the platform. It runs after the acknowledgement, as a durable
	// task, again after errors, and after a while where it returns [Later].
	Handle func(T, context.Context, M) error
	// Answer brings Reply.Then to where the delivery came from: a response URL, a follow-up message.
	Answer func(T, context.Context, M, json.RawMessage) error
	// Ack is what the platform hears of a delivery that nobody answered: it waits for an instance or a process, it is known already, or Receive had
	// nothing to say. Nil: 200 and nothing else.
	Ack func(M) Reply
	// Keep names headers that Parse needs, beside Content-Type.
	Keep []string
}

// Later is what Handle returns that has to wait, for another delivery that may still come for example: it is called again after so long, and nothing
// has failed.
func Later(after time.Duration) error { return &nextRun{after} }

// WebhookDef is a webhook as the manifest has it.
type WebhookDef struct {
	Unsigned bool     `json:"unsigned,omitempty"`
	Global   bool     `json:"global"` // one URL for all communities; deliveries say for whom they are
	Keep     []string `json:"keep,omitempty"`

	Verify  func(self any, d *Delivery) error                                        `json:"-"` // self is nil on the global URL
	Parse   func(*Delivery) (any, error)                                             `json:"-"`
	Greet   func(message any) (Reply, bool)                                          `json:"-"`
	ID      func(message any) string                                                 `json:"-"`
	Route   func(message any) Target                                                 `json:"-"`
	Refs    func(message any) []string                                               `json:"-"`
	Echo    func(self, message any) []string                                         `json:"-"`
	Receive func(ctx context.Context, self, message any) (Reply, error)              `json:"-"`
	Slow    func(message any) bool                                                   `json:"-"`
	Handle  func(ctx context.Context, self, message any) error                       `json:"-"`
	Answer  func(ctx context.Context, self, message any, then json.RawMessage) error `json:"-"`
	Ack     func(message any) Reply                                                  `json:"-"`
}

// filled is the definition with every function set but Handle and Answer, so that the pipeline need not ask.
func (w WebhookDef) filled() *WebhookDef {
	if w.Greet == nil {
		w.Greet = func(any) (Reply, bool) { return Reply{}, false }
	}
	if w.ID == nil {
		w.ID = func(any) string { return "" }
	}
	if w.Route == nil {
		w.Route = func(any) Target { return Target{} }
	}
	if w.Refs == nil {
		w.Refs = func(any) []string { return nil }
	}
	if w.Echo == nil {
		w.Echo = func(any, any) []string { return nil }
	}
	if w.Receive == nil {
		w.Receive = func(context.Context, any, any) (Reply, error) { return Reply{}, nil }
	}
	if w.Slow == nil {
		w.Slow = func(any) bool { return true }
	}
	if w.Ack == nil {
		w.Ack = func(any) Reply { return Reply{} }
	}
	return &w
}

// feature erases the types.
func (w Webhook[T, M]) feature(_ T, b *builder) {
	switch {
	case b.m.Webhook != nil:
		b.fail("two webhooks")
	case w.Unsigned && w.Verify != nil:
		b.fail("webhook: Unsigned and Verify exclude each other")
	case w.Unsigned && w.ID != nil:
		b.fail("webhook: an unsigned delivery must not have an ID, or a forger could use up real ones")
	case w.Unsigned && w.Route != nil:
		b.fail("webhook: an unsigned delivery cannot say for whom it is")
	}
	b.message = reflect.TypeFor[M]()
	d := &WebhookDef{Unsigned: w.Unsigned, Global: w.Route != nil, Keep: w.Keep}
	if w.Unsigned {
		d.Verify = func(any, *Delivery) error { return nil }
	}
	if w.Verify != nil {
		d.Verify = func(self any, del *Delivery) error {
			t, _ := self.(T)
			return w.Verify(t, del)
		}
	}
	if w.Parse != nil {
		d.Parse = func(del *Delivery) (any, error) { return w.Parse(del) }
	}
	if w.Greet != nil {
		d.Greet = func(m any) (Reply, bool) { return w.Greet(m.(M)) }
	}
	if w.ID != nil {
		d.ID = func(m any) string { return w.ID(m.(M)) }
	}
	if w.Route != nil {
		d.Route = func(m any) Target { return w.Route(m.(M)) }
	}
	if w.Refs != nil {
		d.Refs = func(m any) []string { return w.Refs(m.(M)) }
	}
	if w.Echo != nil {
		d.Echo = func(self, m any) []string { return w.Echo(self.(T), m.(M)) }
	}
	if w.Receive != nil {
		d.Receive = func(ctx context.Context, self, m any) (Reply, error) { return w.Receive(self.(T), ctx, m.(M)) }
	}
	if w.Slow != nil && w.Handle != nil {
		d.Slow = func(m any) bool { return w.Slow(m.(M)) }
	}
	if w.Handle != nil {
		d.Handle = func(ctx context.Context, self, m any) error { return w.Handle(self.(T), ctx, m.(M)) }
	}
	if w.Answer != nil {
		d.Answer = func(ctx context.Context, self, m any, then json.RawMessage) error {
			return w.Answer(self.(T), ctx, m.(M), then)
		}
	}
	if w.Ack != nil {
		d.Ack = func(m any) Reply { return w.Ack(m.(M)) }
	}
	b.m.Webhook = d
}
