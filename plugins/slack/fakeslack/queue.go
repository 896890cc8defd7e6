package fakeslack

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// delivery is one thing to deliver. Its fields are guarded by queue.mu once it is queued.
type delivery struct {
	payload []byte // JSON, before it is put into a form
	log     *Delivery
	seq     int64
	retries int    // of them made
	reason  string // why the last attempt failed
	due     time.Time
	late    bool // due is for the first attempt, not for a retry
	socket  bool // the last attempt went through a socket
}

// queue delivers events one after the other, on its own goroutine. Lock order: Server.mu before queue.mu.
type queue struct {
	s *Server

	mu      sync.Mutex
	url     string
	client  *http.Client
	items   []*delivery
	waiting []*delivery // failed or late, by due time
	held    []*delivery // to be overtaken by the next
	added   int64
	done    int64
	changed chan struct{} // closed and replaced whenever done grows
	wake    chan struct{}
	stopped bool
	log     []*Delivery
}

func newQueue(s *Server) *queue {
	return &queue{s: s, changed: make(chan struct{}), wake: make(chan struct{}, 1), client: http.DefaultClient}
}

func (q *queue) add(d *delivery) {
	_, socket := q.s.sock.connected()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.log = append(q.log, d.log)
	if d.log.Dropped == "" && q.url == "" && !socket {
		d.log.Dropped = "no request URL"
	}
	if d.log.Dropped != "" || q.stopped {
		return
	}
	q.added++
	d.seq = q.added
	q.items = append(q.items, d)
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.signal()
}

func (q *queue) run() {
	for {
		q.mu.Lock()
		if q.stopped {
			q.mu.Unlock()
			return
		}
		var d *delivery
		if len(q.items) > 0 {
			d = q.items[0]
			q.items = q.items[1:]
		}
		q.mu.Unlock()
		if d == nil {
			select {
			case <-q.wake:
			case <-q.s.stop.Done():
				return
			}
			continue
		}
		q.first(d)
		q.mu.Lock()
		q.done = d.seq
		close(q.changed)
		q.changed = make(chan struct{})
		q.mu.Unlock()
	}
}

// first makes the first attempt, with the faults that were asked for.
func (q *queue) first(d *delivery) {
	fault := q.s.faults.Delivery(d.log.Type)
	if fault.Reorder || fault.Late > 0 {
		q.mu.Lock()
		defer q.mu.Unlock()
		if fault.Reorder {
			q.held = append(q.held, d)
			return
		}
		d.due, d.late = q.s.opt.Now().Add(fault.Late), true
		q.waiting = append(q.waiting, d)
		return
	}
	q.try(q.s.stop, d, fault)
	for range fault.Duplicate {
		a, reason, _ := q.s.attempt(q.s.stop, d, fake.Strike{}, "")
		q.note(d, 0, "", a, reason)
	}
	q.mu.Lock()
	held := q.held
	q.held = nil
	q.mu.Unlock()
	for _, h := range held {
		q.try(q.s.stop, h, fake.Strike{})
	}
}

// try attempts and plans the next attempt.
func (q *queue) try(ctx context.Context, d *delivery, fault fake.Strike) {
	q.mu.Lock()
	num, last := d.retries, d.reason
	q.mu.Unlock()
	a, reason, _ := q.s.attempt(ctx, d, fault, last)
	q.finish(d, num, last, a, reason)
	if reason == "" {
		return
	}
	if q.waits(d, a, reason) {
		if now, _ := q.s.sock.connected(); now { // the next connection has come already
			q.resend()
		}
	}
}

// waits plans the next attempt. lost says that the socket took it along, so that it is for the next one.
func (q *queue) waits(d *delivery, a Answer, reason string) (lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d.retries >= len(retryAfter) || a.Header.Get("X-Slack-No-Retry") == "1" {
		d.log.GivenUp = true
		return false
	}
	d.reason, d.late = reason, false
	d.due = q.s.opt.Now().Add(retryAfter[d.retries])
	d.retries++
	q.waiting = append(q.waiting, d)
	return d.socket && reason == "connection_failed"
}

// retryAfter is how long Slack waits after each failure: nearly at once, a minute, five minutes.
var retryAfter = [...]time.Duration{0, time.Minute, 5 * time.Minute}

func (q *queue) finish(d *delivery, num int, last string, a Answer, reason string) {
	q.note(d, num, last, a, reason)
}

func (q *queue) note(d *delivery, num int, last string, a Answer, failed string) {
	at := q.s.opt.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	d.log.Attempts = append(d.log.Attempts, Attempt{At: at, RetryNum: num, Reason: last, Answer: a, Failed: failed})
}

// Flush waits until everything that was queued before it was attempted once. It must not be called by a handler
// that a delivery is waiting for.
func (s *Server) Flush(ctx context.Context) error {
	q := s.queue
	q.mu.Lock()
	want := q.added
	q.mu.Unlock()
	return q.wait(ctx, want)
}

func (q *queue) wait(ctx context.Context, want int64) error {
	for {
		q.mu.Lock()
		done, changed := q.done, q.changed
		q.mu.Unlock()
		if done >= want {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-q.s.stop.Done():
			return context.Canceled
		}
	}
}

// RetryDue sends every delivery that is due by the fake's clock: retries of failed ones, late ones, and those that were held
// back to be overtaken. It returns how many it attempted. Nothing is retried without it, or [Server.RunRetries].
func (s *Server) RetryDue(ctx context.Context) int {
	q := s.queue
	now := s.opt.Now()
	q.mu.Lock()
	due := q.held
	q.held = nil
	q.waiting = slices.DeleteFunc(q.waiting, func(d *delivery) bool {
		if d.due.After(now) {
			return false
		}
		due = append(due, d)
		return true
	})
	q.mu.Unlock()
	sort.SliceStable(due, func(i, j int) bool { return due[i].due.Before(due[j].due) })
	for _, d := range due {
		q.try(ctx, d, s.faults.Delivery(d.log.Type))
	}
	return len(due)
}

// NextRetry says when the next delivery is due that waits for the clock.
func (s *Server) NextRetry() (at time.Time, ok bool) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for _, d := range s.queue.waiting {
		if !ok || d.due.Before(at) {
			at, ok = d.due, true
		}
	}
	return at, ok
}

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

// resend queues again what a socket lost: Slack sends it on the next connection.
func (q *queue) resend() {
	q.mu.Lock()
	defer q.mu.Unlock()
	var again []*delivery
	q.waiting = slices.DeleteFunc(q.waiting, func(d *delivery) bool {
		if d.socket && !d.late {
			again = append(again, d)
			return true
		}
		return false
	})
	for _, d := range again {
		q.added++
		d.seq = q.added
		q.items = append(q.items, d)
	}
	q.signal()
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
