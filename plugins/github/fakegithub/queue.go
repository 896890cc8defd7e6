package fakegithub

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// Delivery is one event that the fake delivered to the app's webhook, or did not and why.
type Delivery struct {
	GUID         string
	Event        string
	Action       string // "" where the event has none
	Installation int64  // 0: none
	Repository   int64  // 0: none
	Body         []byte // as sent: JSON, or the form
	Payload      []byte // the JSON
	Attempts     []Attempt
	Dropped      string // why it was never sent: "no webhook URL", "suspended", "missing permission issues", "not subscribed to issues"
}

// Attempt is one try of a delivery.
type Attempt struct {
	ID         int64 // as in the app's log
	At         time.Time
	Redelivery bool
	Answer     Answer
	Failed     string // "" for success; otherwise GitHub's word: "timed out", "failed to connect to host", "Invalid HTTP Response: 500"

	header http.Header // as sent
}

// delivery is a [Delivery] to be sent.
type delivery struct {
	log   *Delivery // guarded by queue.mu once it is queued
	again bool      // it is a redelivery
}

// queue delivers one after the other, on its own goroutine, and keeps the log. Lock order: Server.mu before queue.mu.
type queue struct {
	*fake.Queue[*delivery]
	s *Server

	mu     sync.Mutex
	url    string
	secret string
	client *http.Client
	log    []*Delivery
}

func newQueue(s *Server, secret string) *queue {
	q := &queue{s: s, secret: secret}
	q.Queue = fake.NewQueue(s.stop, fake.Courier[*delivery]{
		Now:     s.opt.Now,
		Strike:  func(d *delivery) fake.Strike { return s.faults.Delivery(d.log.Event, d.log.Event+" "+d.log.Action) },
		Send:    q.send,
		Dropped: q.dropped,
	})
	return q
}

// add queues a delivery, and logs it if it is new.
func (q *queue) add(log *Delivery, again bool) {
	q.mu.Lock()
	if !again {
		q.log = append(q.log, log)
	}
	if log.Dropped == "" && q.url == "" {
		log.Dropped = "no webhook URL"
	}
	dropped := log.Dropped != ""
	q.mu.Unlock()
	if !dropped {
		q.Add(&delivery{log: log, again: again})
	}
}

func (q *queue) dropped(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d.log.Dropped = "lost on purpose"
}

// send makes one attempt, which is all: GitHub does not try again by itself
// (https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries, 2026-11).
func (q *queue) send(ctx context.Context, d *delivery, t fake.Try) fake.Result {
	q.try(ctx, d, t.Strike)
	return fake.Result{}
}

// try makes one attempt and writes it down.
func (q *queue) try(ctx context.Context, d *delivery, fault fake.Strike) Attempt {
	a := q.s.attempt(ctx, d, fault)
	q.s.mu.Lock()
	a.ID = q.s.id()
	q.s.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	d.log.Attempts = append(d.log.Attempts, a)
	return a
}

// Flush waits until everything that happened before it was delivered once, or failed to be.
func (s *Server) Flush(ctx context.Context) error { return s.queue.Flush(ctx) }

// told waits until the app was told of what somebody did. The caller does not hold s.mu.
func (s *Server) told() { _ = s.Flush(s.stop) } // the only error is that the server is closed

// SendLate sends what is due by the fake's clock: late deliveries, and those that nothing overtook. It returns how many there were.
func (s *Server) SendLate(ctx context.Context) int { return s.queue.SendDue(ctx) }

// Deliveries returns everything that was delivered, tried or dropped, in the order in which it happened.
func (s *Server) Deliveries() []Delivery {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	out := make([]Delivery, len(s.queue.log))
	for i, d := range s.queue.log {
		out[i] = *d
		out[i].Body, out[i].Payload, out[i].Attempts = bytes.Clone(d.Body), bytes.Clone(d.Payload), slices.Clone(d.Attempts)
	}
	return out
}

// DeliveriesOf returns the deliveries of one event, such as "org_block", in order.
func (s *Server) DeliveriesOf(event string) []Delivery {
	return slices.DeleteFunc(s.Deliveries(), func(d Delivery) bool { return d.Event != event })
}
