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

// delivery is a [Delivery] to be sent. Its fields are guarded by queue.mu once it is queued.
type delivery struct {
	log   *Delivery
	seq   int64
	again bool // it is a redelivery
	due   time.Time
}

// queue delivers one after the other, on its own goroutine. Lock order: Server.mu before queue.mu.
type queue struct {
	s *Server

	mu      sync.Mutex
	url     string
	secret  string
	client  *http.Client
	items   []*delivery
	waiting []*delivery // late, by due time
	held    []*delivery // to be overtaken by the next
	added   int64
	done    int64
	changed chan struct{} // closed and replaced whenever done grows
	wake    chan struct{}
	stopped bool
	log     []*Delivery
}

func newQueue(s *Server, secret string) *queue {
	return &queue{s: s, secret: secret, changed: make(chan struct{}), wake: make(chan struct{}, 1), client: http.DefaultClient}
}

// add queues a delivery, and logs it if it is new.
func (q *queue) add(log *Delivery, again bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !again {
		q.log = append(q.log, log)
	}
	if log.Dropped == "" && q.url == "" {
		log.Dropped = "no webhook URL"
	}
	if log.Dropped != "" || q.stopped {
		return
	}
	q.added++
	q.items = append(q.items, &delivery{log: log, seq: q.added, again: again})
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

// first makes the attempt, with the faults that were asked for.
func (q *queue) first(d *delivery) {
	fault := q.s.faults.Delivery(d.log.Event, d.log.Event+" "+d.log.Action)
	if q.puts(d, fault) {
		return
	}
	q.try(q.s.stop, d, fault)
	for range fault.Duplicate {
		q.try(q.s.stop, d, fake.Strike{})
	}
	q.mu.Lock()
	held := q.held
	q.held = nil
	q.mu.Unlock()
	for _, h := range held {
		q.try(q.s.stop, h, fake.Strike{})
	}
}

// puts drops a delivery or puts it off, and says so.
func (q *queue) puts(d *delivery, f fake.Strike) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case f.Drop:
		d.log.Dropped = "lost on purpose"
	case f.Reorder:
		q.held = append(q.held, d)
	case f.Late > 0:
		d.due = q.s.opt.Now().Add(f.Late)
		q.waiting = append(q.waiting, d)
	default:
		return false
	}
	return true
}

// try makes one attempt and writes it down. GitHub does not try again by itself
// (https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries, 2026-11).
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
func (s *Server) Flush(ctx context.Context) error {
	q := s.queue
	q.mu.Lock()
	want := q.added
	q.mu.Unlock()
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
		case <-s.stop.Done():
			return context.Canceled
		}
	}
}

// told waits until the app was told of what somebody did. The caller does not hold s.mu.
func (s *Server) told() { _ = s.Flush(s.stop) } // the only error is that the server is closed

// SendLate sends what is due by the fake's clock: late deliveries, and those that nothing overtook. It returns how many there were.
func (s *Server) SendLate(ctx context.Context) int {
	q, now := s.queue, s.opt.Now()
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
	for _, d := range due {
		q.try(ctx, d, fake.Strike{})
	}
	return len(due)
}

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
