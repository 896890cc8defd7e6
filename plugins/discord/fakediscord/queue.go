package fakediscord

import (
	"bytes"
	"context"
	"net/http"
	"slices"
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

// queue delivers webhook events one after the other, on its own goroutine, and keeps the log of all that was told. Lock order:
// Server.mu before queue.mu.
type queue struct {
	*fake.Queue[*Delivery]
	s *Server

	mu     sync.Mutex // guards all below, and the entries of the log
	url    string
	events string
	client *http.Client
	timers []timer
	log    []*Delivery
}

// timer is something that SendLate does, with Server.mu held.
type timer struct {
	at time.Time
	do func()
}

func newQueue(s *Server) *queue {
	q := &queue{s: s}
	q.Queue = fake.NewQueue(s.stop, fake.Courier[*Delivery]{
		Now:    s.opt.Now,
		Strike: func(d *Delivery) fake.Strike { return s.faults.Delivery(d.Type) },
		Send:   q.send,
		// Discord documents exponential backoff for up to ten minutes, and not the steps.
		Schedule: []time.Duration{time.Second, 4 * time.Second, 16 * time.Second, time.Minute, 4 * time.Minute},
		GaveUp:   func(d *Delivery) { q.change(func() { d.GivenUp = true }) },
		Dropped:  func(d *Delivery) { q.change(func() { d.Dropped = "lost on purpose" }) },
	})
	return q
}

// note writes the log of deliveries.
func (s *Server) note(name, guild, dropped string) *Delivery {
	d := &Delivery{Kind: "gateway", Type: name, Guild: guild, Dropped: dropped}
	s.queue.record(d)
	return d
}

// change writes in the log.
func (q *queue) change(write func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	write()
}

func (q *queue) record(d *Delivery) { q.change(func() { q.log = append(q.log, d) }) }

func (q *queue) later(at time.Time, do func()) {
	q.change(func() { q.timers = append(q.timers, timer{at, do}) })
}

// add queues a webhook event.
func (q *queue) add(log *Delivery) {
	q.mu.Lock()
	q.log = append(q.log, log)
	if q.events == "" {
		log.Dropped = "no webhook events URL"
	}
	dropped := log.Dropped != ""
	q.mu.Unlock()
	if !dropped {
		q.Add(log)
	}
}

func (q *queue) send(ctx context.Context, log *Delivery, t fake.Try) fake.Result {
	a, err := q.s.attempt(ctx, log, t.Strike)
	q.tried(log, a, err)
	return fake.Result{Failed: err != nil || !a.OK()}
}

func (q *queue) tried(log *Delivery, a Answer, err error) {
	failed := ""
	if err != nil {
		failed = err.Error()
	} else if !a.OK() {
		failed = http.StatusText(a.Status)
	}
	at := q.s.opt.Now()
	q.change(func() { log.Attempts = append(log.Attempts, Attempt{At: at, Answer: a, Failed: failed}) })
}

// due takes the timers that are.
func (q *queue) due() []timer {
	now := q.s.opt.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	var due []timer
	q.timers = slices.DeleteFunc(q.timers, func(t timer) bool {
		if t.at.After(now) {
			return false
		}
		due = append(due, t)
		return true
	})
	return due
}

// SendLate sends what is due by the fake's clock: retries of webhook events, late deliveries, and those that nothing overtook.
// It returns how many there were. Nothing is retried without it.
func (s *Server) SendLate(ctx context.Context) int {
	n := s.queue.SendDue(ctx)
	due := s.queue.due()
	n += len(due)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range due {
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
