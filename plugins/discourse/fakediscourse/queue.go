package fakediscourse

import (
	"bytes"
	"context"
	"slices"
	"sort"
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

// delivery is a delivery while it is under way. Its fields are guarded by queue.mu once it is queued.
type delivery struct {
	log     *Delivery
	hook    *hook
	seq     int64
	again   int64 // the event that is delivered again by hand, under its ID of then
	retries int
	due     time.Time
}

// queue delivers one after the other, on its own goroutine. Lock order: Server.mu before queue.mu.
type queue struct {
	s *Server

	mu      sync.Mutex
	to      sender
	items   []*delivery
	waiting []*delivery
	held    []*delivery // which the next one overtakes
	added   int64
	done    int64
	changed chan struct{}
	wake    chan struct{}
	stopped bool
	log     []*Delivery
}

func newQueue(s *Server) *queue {
	return &queue{s: s, to: sender{client: fake.NoRedirects(nil)}, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

func (q *queue) record(d *Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.log = append(q.log, d)
}

// add queues a delivery.
func (q *queue) add(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.log = append(q.log, d.log)
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

// first makes the first attempt, with the faults that were asked for, and lets go of what it overtook.
func (q *queue) first(d *delivery) {
	fault := q.s.faults.Delivery(d.log.Event)
	if q.aside(d, fault) {
		return
	}
	q.try(q.s.stop, d, fault)
	for range fault.Duplicate {
		q.s.attempt(q.s.stop, d, fake.Strike{})
	}
	q.mu.Lock()
	held := q.held
	q.held = nil
	q.mu.Unlock()
	for _, h := range held {
		q.try(q.s.stop, h, fake.Strike{})
	}
}

// aside puts a delivery away that is lost, late or overtaken, and says whether it did.
func (q *queue) aside(d *delivery, f fake.Strike) bool {
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

// retryAfter is how long Discourse waits before each retry: powers of five in minutes (checked 2026-11).
var retryAfter = [...]time.Duration{time.Minute, 5 * time.Minute, 25 * time.Minute, 125 * time.Minute}

// try makes one attempt, and plans the next if the forum retries: not if there was no answer at all, nor after 404 and 410.
func (q *queue) try(ctx context.Context, d *delivery, fault fake.Strike) {
	a, there, err := q.s.attempt(ctx, d, fault)
	if !there || err == nil && a.OK() {
		return
	}
	q.s.mu.Lock()
	retries := d.hook.f.settings.RetryWebHookEvents
	q.s.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if !retries || err != nil || a.Status == 404 || a.Status == 410 || d.retries >= len(retryAfter) {
		d.log.GivenUp = true
		return
	}
	d.due = q.s.opt.Now().Add(retryAfter[d.retries])
	d.retries++
	q.waiting = append(q.waiting, d)
}

// Flush waits until everything that happened so far was delivered once.
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

// told is Flush for the acts of people, which return when the webhooks were told.
func (s *Server) told() { _ = s.Flush(s.stop) }

// SendLate sends what is due by the fake's clock: retries, late deliveries, and those that nothing overtook.
// It returns how many there were. Nothing is retried without it.
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
	sort.SliceStable(due, func(i, j int) bool { return due[i].due.Before(due[j].due) })
	for _, d := range due {
		q.try(ctx, d, s.faults.Delivery(d.log.Event))
	}
	return len(due)
}

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
