package fakeslack

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// delivery is one thing to deliver.
type delivery struct {
	payload []byte    // JSON, before it is put into a form
	log     *Delivery // guarded by queue.mu once it is queued
	socket  bool      // the last attempt went through a socket; likewise
}

// queue delivers events one after the other, on its own goroutine, and keeps the log. Lock order: Server.mu before queue.mu.
type queue struct {
	*fake.Queue[*delivery]
	s *Server

	mu     sync.Mutex
	url    string
	client *http.Client
	log    []*Delivery
}

func newQueue(s *Server) *queue {
	q := &queue{s: s}
	q.Queue = fake.NewQueue(s.stop, fake.Courier[*delivery]{
		Now:         s.opt.Now,
		Strike:      func(d *delivery) fake.Strike { return s.faults.Delivery(d.log.Type) },
		StrikeAgain: true,
		Send:        q.send,
		Schedule:    []time.Duration{0, time.Minute, 5 * time.Minute}, // nearly at once, a minute, five minutes
		Waits:       q.waits,
		GaveUp:      q.gaveUp,
	})
	return q
}

func (q *queue) add(d *delivery) {
	_, socket := q.s.sock.connected()
	q.mu.Lock()
	q.log = append(q.log, d.log)
	if d.log.Dropped == "" && q.url == "" && !socket {
		d.log.Dropped = "no request URL"
	}
	dropped := d.log.Dropped != ""
	q.mu.Unlock()
	if !dropped {
		q.Add(d)
	}
}

func (q *queue) send(ctx context.Context, d *delivery, t fake.Try) fake.Result {
	a, reason, _ := q.s.attempt(ctx, d, t)
	q.note(d, t, a, reason)
	return fake.Result{Failed: reason != "", Reason: reason, Final: a.Header.Get("X-Slack-No-Retry") == "1"}
}

func (q *queue) note(d *delivery, t fake.Try, a Answer, failed string) {
	at := q.s.opt.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	d.log.Attempts = append(d.log.Attempts, Attempt{At: at, RetryNum: t.Retry, Reason: t.Reason, Answer: a, Failed: failed})
}

func (q *queue) gaveUp(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d.log.GivenUp = true
}

// waits sends again what a socket took along, if the next connection has come already.
func (q *queue) waits(d *delivery, reason string) {
	if now, _ := q.s.sock.connected(); now && reason == "connection_failed" && q.bySocket(d) {
		q.resend()
	}
}

// resend queues again what a socket lost: Slack sends it on the next connection.
func (q *queue) resend() { q.Requeue(q.bySocket) }

func (q *queue) bySocket(d *delivery) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return d.socket
}

// Flush waits until everything that was queued before it was attempted once. It must not be called by a handler
// that a delivery is waiting for.
func (s *Server) Flush(ctx context.Context) error { return s.queue.Flush(ctx) }

// RetryDue sends every delivery that is due by the fake's clock: retries of failed ones, late ones, and those that were held
// back to be overtaken. It returns how many it attempted. Nothing is retried without it, or [Server.RunRetries].
func (s *Server) RetryDue(ctx context.Context) int { return s.queue.SendDue(ctx) }

// NextRetry says when the next delivery is due that waits for the clock.
func (s *Server) NextRetry() (at time.Time, ok bool) { return s.queue.NextDue() }

// RunRetries calls RetryDue every interval of real time until ctx ends: for demonstrations, where nobody turns the clock.
func (s *Server) RunRetries(ctx context.Context, interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.RetryDue(ctx)
		case <-ctx.Done():
			return
		case <-s.stop.Done():
			return
		}
	}
}

// Deliveries returns everything that was sent, tried or dropped, in the order in which it happened in Slack.
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
