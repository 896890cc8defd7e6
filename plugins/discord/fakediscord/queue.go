package fakediscord

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

// Delivery is one thing that the fake told the app, or did not tell it and why.
type Delivery struct {
	Kind     string // "gateway", "interaction" or "webhook_event"
	Type     string // the event's name, or the interaction's: "PING", "APPLICATION_COMMAND", "MESSAGE_COMPONENT", "MODAL_SUBMIT"
	Guild    string
	ID       string // of interactions
	Body     []byte // as sent; for the Gateway the event's data
	Attempts []Attempt
	Dropped  string // why it was never sent: "no session", "missing intent GUILD_MEMBERS", "no request URL"
	GivenUp  bool   // no more retries
}

// Attempt is one try of a delivery by HTTP.
type Attempt struct {
	At     time.Time
	Answer Answer
	Failed string // "" for success
}

// delivery is a webhook event to deliver. Its fields are guarded by queue.mu once it is queued.
type delivery struct {
	log     *Delivery
	seq     int64
	retries int
	due     time.Time
}

// queue delivers webhook events one after the other, on its own goroutine. Lock order: Server.mu before queue.mu.
type queue struct {
	s *Server

	mu      sync.Mutex
	url     string
	events  string
	client  *http.Client
	items   []*delivery
	waiting []*delivery
	timers  []timer
	added   int64
	done    int64
	changed chan struct{}
	wake    chan struct{}
	stopped bool
	log     []*Delivery
}

// timer is something that SendLate does, with Server.mu held.
type timer struct {
	at time.Time
	do func()
}

func newQueue(s *Server) *queue {
	return &queue{s: s, changed: make(chan struct{}), wake: make(chan struct{}, 1), client: http.DefaultClient}
}

// note writes the log of deliveries.
func (s *Server) note(name, guild, dropped string) *Delivery {
	d := &Delivery{Kind: "gateway", Type: name, Guild: guild, Dropped: dropped}
	s.queue.record(d)
	return d
}

func (q *queue) record(d *Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.log = append(q.log, d)
}

func (q *queue) later(at time.Time, do func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.timers = append(q.timers, timer{at, do})
}

// add queues a webhook event.
func (q *queue) add(log *Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.log = append(q.log, log)
	if q.events == "" {
		log.Dropped = "no webhook events URL"
	}
	if log.Dropped != "" || q.stopped {
		return
	}
	q.added++
	q.items = append(q.items, &delivery{log: log, seq: q.added})
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
	if fault.Drop {
		q.mu.Lock()
		defer q.mu.Unlock()
		d.log.Dropped = "lost on purpose"
		return
	}
	if fault.Late > 0 || fault.Reorder {
		q.mu.Lock()
		defer q.mu.Unlock()
		d.due = q.s.opt.Now().Add(fault.Late)
		q.waiting = append(q.waiting, d)
		return
	}
	q.try(q.s.stop, d, fault)
	for range fault.Duplicate {
		a, err := q.s.attempt(q.s.stop, d.log, fake.Strike{})
		q.tried(d.log, a, err)
	}
}

// retryAfter is how long Discord waits after each failure of a webhook event. It documents exponential backoff for up to ten
// minutes, and not the steps.
var retryAfter = [...]time.Duration{time.Second, 4 * time.Second, 16 * time.Second, time.Minute, 4 * time.Minute}

func (q *queue) try(ctx context.Context, d *delivery, fault fake.Strike) {
	a, err := q.s.attempt(ctx, d.log, fault)
	q.tried(d.log, a, err)
	if err == nil && a.OK() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if d.retries >= len(retryAfter) {
		d.log.GivenUp = true
		return
	}
	d.due = q.s.opt.Now().Add(retryAfter[d.retries])
	d.retries++
	q.waiting = append(q.waiting, d)
}

func (q *queue) tried(log *Delivery, a Answer, err error) {
	failed := ""
	if err != nil {
		failed = err.Error()
	} else if !a.OK() {
		failed = http.StatusText(a.Status)
	}
	at := q.s.opt.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	log.Attempts = append(log.Attempts, Attempt{At: at, Answer: a, Failed: failed})
}

// flush waits until everything that was queued before it was attempted once.
func (q *queue) flush(ctx context.Context) error {
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
		case <-q.s.stop.Done():
			return context.Canceled
		}
	}
}

// SendLate sends what is due by the fake's clock: retries of webhook events, late deliveries, and those that nothing overtook.
// It returns how many there were. Nothing is retried without it.
func (s *Server) SendLate(ctx context.Context) int {
	q, now := s.queue, s.opt.Now()
	q.mu.Lock()
	var due []*delivery
	q.waiting = slices.DeleteFunc(q.waiting, func(d *delivery) bool {
		if d.due.After(now) {
			return false
		}
		due = append(due, d)
		return true
	})
	var timers []timer
	q.timers = slices.DeleteFunc(q.timers, func(t timer) bool {
		if t.at.After(now) {
			return false
		}
		timers = append(timers, t)
		return true
	})
	q.mu.Unlock()
	sort.SliceStable(due, func(i, j int) bool { return due[i].due.Before(due[j].due) })
	for _, d := range due {
		q.try(ctx, d, fake.Strike{})
	}
	n := len(due) + len(timers)
	s.mu.Lock()
	for _, t := range timers {
		t.do()
	}
	for _, se := range s.sessions {
		held := se.held
		se.held = nil
		n += len(held)
		for _, h := range held {
			se.send(h.name, h.body)
		}
	}
	s.mu.Unlock()
	return n
}

// Deliveries returns everything that was told, tried or dropped, in the order in which it happened in Discord. In a log
// entry of the Gateway Dropped is empty if at least one session was told.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock() // which guards what is filled in after note
	defer s.mu.Unlock()
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

// DeliveriesOf returns the deliveries of one type, such as "GUILD_BAN_ADD", in order.
func (s *Server) DeliveriesOf(typ string) []Delivery {
	return slices.DeleteFunc(s.Deliveries(), func(d Delivery) bool { return d.Type != typ })
}
