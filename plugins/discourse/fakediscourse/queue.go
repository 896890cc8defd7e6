package fakediscourse

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// Delivery is one thing that the fake told a webhook, or did not tell it and why. Each webhook that listens has one of its own.
type Delivery struct {
	Forum    string // its base URL
	Hook     int64  // the webhook's ID
	Event    string // such as "post_created"; "ping" for a ping
	Type     string // such as "post"
	Body     []byte // as signed and sent
	Attempts []Attempt
	Dropped  string // why it was never sent: "inactive", "lost on purpose", "webhook was deleted"
	GivenUp  bool   // no more retries
}

// Attempt is one try of a delivery. Each has an event ID of its own.
type Attempt struct {
	At      time.Time
	EventID int64
	Answer  Answer
	Failed  string // "" for success
}

// delivery is a delivery while it is under way.
type delivery struct {
	log   *Delivery // guarded by queue.mu once it is queued
	hook  *hook
	again int64 // the event that is delivered again by hand, under its ID of then
}

// queue delivers one after the other, on its own goroutine, and keeps the log. Lock order: Server.mu before queue.mu.
type queue struct {
	*fake.Queue[*delivery]
	s *Server

	mu  sync.Mutex
	to  sender
	log []*Delivery
}

func newQueue(s *Server) *queue {
	q := &queue{s: s, to: sender{client: fake.NoRedirects(nil)}}
	q.Queue = fake.NewQueue(s.stop, fake.Courier[*delivery]{
		Now:         s.opt.Now,
		Strike:      func(d *delivery) fake.Strike { return s.faults.Delivery(d.log.Event) },
		StrikeAgain: true,
		Send:        q.send,
		Schedule:    []time.Duration{time.Minute, 5 * time.Minute, 25 * time.Minute, 125 * time.Minute}, // powers of five (checked 2026-11)
		GaveUp:      func(d *delivery) { q.change(func() { d.log.GivenUp = true }) },
		Dropped:     func(d *delivery) { q.change(func() { d.log.Dropped = "lost on purpose" }) },
	})
	return q
}

// change writes in the log.
func (q *queue) change(write func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	write()
}

func (q *queue) record(d *Delivery) { q.change(func() { q.log = append(q.log, d) }) }

// add queues a delivery.
func (q *queue) add(d *delivery) {
	q.record(d.log)
	q.Add(d)
}

// send makes one attempt. The forum tries again if it is set so, but not if there was no answer at all, nor after 404 and 410.
func (q *queue) send(ctx context.Context, d *delivery, t fake.Try) fake.Result {
	a, there, err := q.s.attempt(ctx, d, t.Strike)
	if !there || err == nil && a.OK() {
		return fake.Result{}
	}
	q.s.mu.Lock()
	retries := d.hook.f.settings.RetryWebHookEvents
	q.s.mu.Unlock()
	return fake.Result{Failed: true, Final: !retries || err != nil || a.Status == http.StatusNotFound || a.Status == http.StatusGone}
}

// Flush waits until everything that happened so far was delivered once.
func (s *Server) Flush(ctx context.Context) error { return s.queue.Flush(ctx) }

// told is Flush for the acts of people, which return when the webhooks were told.
func (s *Server) told() { _ = s.Flush(s.stop) }

// SendLate sends what is due by the fake's clock: retries, late deliveries, and those that nothing overtook.
// It returns how many there were. Nothing is retried without it.
func (s *Server) SendLate(ctx context.Context) int { return s.queue.SendDue(ctx) }

// Deliveries returns everything that was sent, tried or dropped, in the order in which it happened.
func (s *Server) Deliveries() []Delivery {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	out := make([]Delivery, len(s.queue.log))
	for i, d := range s.queue.log {
		out[i] = *d
		out[i].Body = bytes.Clone(d.Body)
		out[i].Attempts = slices.Clone(d.Attempts)
	}
	return out
}

// DeliveriesOf returns the deliveries of one event, such as "user_suspended", in order.
func (s *Server) DeliveriesOf(event string) []Delivery {
	return slices.DeleteFunc(s.Deliveries(), func(d Delivery) bool { return d.Event != event })
}
