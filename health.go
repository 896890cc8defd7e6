package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// What an instance's status can be, see [Instance.Status].
const (
	InstanceActive = "active"
	InstancePaused = "paused" // somebody has to resume it, or, with the reason [BadCredentials], install it again
)

// InstanceHealth is how one instance stands.
type InstanceHealth struct {
	Instance string `json:"instance"` // ID
	Name     string `json:"name"`
	Plugin   string `json:"plugin"`
	Status   string `json:"status"` // InstanceActive or InstancePaused
	Reason   string `json:"reason,omitempty"`

	LastDelivery time.Time `json:"last_delivery,omitzero"` // when the platform last said something
	LastEvent    time.Time `json:"last_event,omitzero"`    // when an event was last appended
	LastError    *Trouble  `json:"last_error,omitempty"`   // the last thing that failed, which may be mended since

	Expires time.Time `json:"expires,omitzero"`  // when its credentials do, see [ExpiresFunc]
	Missing []string  `json:"missing,omitempty"` // permissions that something of the plugin needs and the platform has not granted

	// Waiting counts the deliveries on their way by why they wait: "due", "retry", "process", "echo", "paused", "plugin", "dead".
	Waiting map[string]int `json:"waiting,omitempty"`
	Due     int            `json:"due"`            // tasks that are due and not done, of all kinds
	Dead    int            `json:"dead"`           // given up, see [Community.DeadLetters]
	More    bool           `json:"more,omitempty"` // there is more waiting than was counted
	Polls   []PollHealth   `json:"polls,omitempty"`
}

// Trouble is something that failed.
type Trouble struct {
	What  string    `json:"what"`
	Code  Code      `json:"code"`
	Error string    `json:"error"`
	At    time.Time `json:"at"`
}

// PollHealth is how one poll of an instance stands.
type PollHealth struct {
	Name  string    `json:"name"`
	Next  time.Time `json:"next,omitzero"`   // zero: it rests
	Error string    `json:"error,omitempty"` // of the last run, "" if it was well
}

// counted is how many tasks Health looks at: it costs the same whatever waits.
const counted = 1000

// Health says how the instance stands: for its community's administrators, and nobody else's. What was last heard is as fresh as a minute
// where another program heard it.
func (i *Instance) Health(ctx context.Context) (InstanceHealth, error) {
	var h InstanceHealth
	var row store.Instance
	var kept vital
	var tasks []store.Task
	err := i.g.view(ctx, func(tx store.Tx) (err error) {
		if row, err = tx.Instance(i.row.ID); err != nil {
			return err
		}
		if kept, _, err = readVital(tx, row.ID); err != nil {
			return err
		}
		h.Polls = nil
		for _, p := range i.p.m.Polls {
			t, err := tx.Task(taskPoll, row.ID+"/"+p.Name)
			if err != nil && CodeOf(storeError(err, "")) != NotFound {
				return err
			}
			h.Polls = append(h.Polls, PollHealth{Name: p.Name, Next: t.Due, Error: t.Error})
		}
		tasks, err = tx.Tasks(store.TaskQuery{Instance: row.ID}, "", "", counted)
		return err
	})
	if err != nil {
		return InstanceHealth{}, storeError(err, "reading the health of instance %s", i.row.Name)
	}
	kept.merge(i.g.vitals.get(row.ID))
	h.Instance, h.Name, h.Plugin, h.Status, h.Reason = row.ID, row.Name, row.Plugin, row.Status, row.Reason
	h.LastDelivery, h.LastEvent, h.LastError = kept.Delivery, kept.Event, kept.Error
	h.count(tasks, i.g.now())
	o, err := i.g.open(ctx, row)
	if err != nil {
		h.LastError = &Trouble{What: "opening the instance", Code: CodeOf(err), Error: brief(text(err)), At: i.g.now()}
		return h, nil
	}
	err = i.g.guard("health of "+row.Plugin, func() error {
		if i.p.m.Expires != nil {
			h.Expires = i.p.m.Expires(o.self)
		}
		h.Missing = i.p.missing(o.self)
		return nil
	})
	return h, err
}

// count sorts what waits.
func (h *InstanceHealth) count(tasks []store.Task, now time.Time) {
	h.More = len(tasks) == counted
	for _, t := range tasks {
		why, _, _ := strings.Cut(t.Group, ":")
		switch {
		case why != "":
		case t.Error != "":
			why = "retry"
		default:
			why = "due"
		}
		if why == groupDead {
			h.Dead++
		}
		if t.Group == "" && !t.Due.After(now) {
			h.Due++
		}
		if t.Kind == taskInbox {
			if h.Waiting == nil {
				h.Waiting = map[string]int{}
			}
			h.Waiting[why]++
		}
	}
}

// missing lists the permissions that something of the plugin needs and an instance does not have; nil where that is not known.
func (p *plug) missing(self any) (out []string) {
	if p.m.Granted == nil {
		return nil
	}
	granted := p.m.Granted(self)
	if granted == nil {
		return nil
	}
	need := func(names []string) {
		for _, n := range names {
			if !slices.Contains(granted, n) && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	for _, a := range p.m.Actions {
		need(a.Needs)
	}
	for _, d := range p.m.Processes {
		need(d.Needs)
	}
	slices.Sort(out)
	return out
}

// ExpiresFunc says when an instance's credentials stop working unless somebody or the plugin renews them, for [Instance.Health]. fn answers from what it
// has and calls no platform; the zero time: never, or it is not known.
func ExpiresFunc[T Owner](fn func(T) time.Time) Feature[T] {
	return featureFunc[T](func(b *builder) {
		b.m.Expires = func(self any) time.Time { return fn(self.(T)) }
	})
}

// Health is how a gateway stands: for whoever operates it.
type Health struct {
	Store         *Trouble             `json:"store,omitempty"` // why the store does not take anything; what is read from it is empty then
	StoreTook     time.Duration        `json:"store_took"`      // one durable write, in nanoseconds
	Late          time.Duration        `json:"late"`            // by how much the oldest due task is late, in nanoseconds
	Dead          int                  `json:"dead"`            // what was given up, see [Community.DeadLetters]; counted up to 1,000
	Subscriptions []SubscriptionHealth `json:"subscriptions"`
	Sources       []SourceHealth       `json:"sources,omitempty"`   // as this program sees them; another may be connected
	Endpoints     []Endpoint           `json:"endpoints,omitempty"` // those of [Gateway.Endpoints] that are disabled or failing, of the first 1,000
	Clock         ClockHealth          `json:"clock,omitzero"`      // of this program

	inbox int // deliveries that are not done with; counted up to 1,000
}

// ClockHealth is what is wrong with the time that a program goes by. The zero value: nothing that is known.
type ClockHealth struct {
	// Jumped is by how much the wall clock has jumped while the program ran, in nanoseconds; time is counted on without it until the program is
	// started again.
	Jumped time.Duration `json:"jumped,omitempty"`
	// Behind is by how much the time is earlier than one that is in the store already, in nanoseconds: the clock is wrong, or was when that was
	// stored, or another program on the store goes by another time. Programs on one store need clocks within ten seconds of each other.
	Behind time.Duration `json:"behind,omitempty"`
}

// SubscriptionHealth is how far one callback has come.
type SubscriptionHealth struct {
	Name    string    `json:"name"`
	Here    bool      `json:"here"`             // registered in this program; one that nobody registers holds back retention
	Lag     int64     `json:"lag"`              // entries of the log, of whatever kind, that it has not passed
	Behind  int       `json:"behind"`           // communities that are further behind because their events fail or hang
	Retries time.Time `json:"retries,omitzero"` // when the first of them is tried again
}

// SourceHealth is how one source stands.
type SourceHealth struct {
	Plugin string    `json:"plugin"`
	Name   string    `json:"name"`
	Since  time.Time `json:"since,omitzero"` // connecting or connected; zero: it is not running here
	Error  *Trouble  `json:"error,omitempty"`
}

// Health says how the gateway stands. It writes once, to see whether the store takes it, and costs the same whatever there is. The error is
// ctx's alone: a store that fails is in the answer.
func (g *Gateway) Health(ctx context.Context) (Health, error) {
	h := Health{Subscriptions: []SubscriptionHealth{}, Sources: g.vitals.sources()}
	began := time.Now()
	err := g.store.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Acquire("health", "health", g.now(), g.now().Add(time.Second))
		return err
	})
	h.StoreTook = time.Since(began)
	h.Clock = ClockHealth{g.clock.jumped(), g.clock.behind()}
	if err == nil {
		var now Health
		now, err = g.standing(ctx)
		h.Late, h.Dead, h.Subscriptions, h.Endpoints = now.Late, now.Dead, now.Subscriptions, now.Endpoints
	}
	if err != nil {
		if ctx.Err() != nil {
			return Health{}, Errorf(Unavailable, "looking at the gateway's health: %w", ctx.Err())
		}
		h.Store = &Trouble{What: "store", Code: CodeOf(storeError(err, "")), Error: brief(text(err)), At: g.now()}
	}
	return h, nil
}

// standing is what can be read of the gateway's health.
func (g *Gateway) standing(ctx context.Context) (h Health, err error) {
	err = g.store.View(ctx, func(tx store.Tx) error { return h.read(g, tx) })
	return h, err
}

func (h *Health) read(g *Gateway, tx store.Tx) error {
	h.Subscriptions = []SubscriptionHealth{}
	next, err := tx.NextDue(slices.Concat(punctual, urgent, patient))
	if err != nil {
		return err
	}
	if !next.IsZero() {
		h.Late = max(0, g.now().Sub(next))
	}
	if h.Dead, _, err = tx.CountTasks(store.TaskQuery{Group: groupDead, Parked: true}, counted); err != nil {
		return err
	}
	if h.inbox, _, err = tx.CountTasks(store.TaskQuery{Kind: taskInbox}, counted); err != nil {
		return err
	}
	last, err := tx.LastSeq()
	if err != nil {
		return err
	}
	subs, err := tx.Subs()
	if err != nil {
		return err
	}
	for _, s := range subs {
		lanes, err := tx.Lanes(s.Name)
		if err != nil {
			return err
		}
		g.mu.Lock()
		_, here := g.subs[s.Name]
		g.mu.Unlock()
		sh := SubscriptionHealth{Name: s.Name, Here: here || s.Name == hookSub, Lag: last - s.Cursor, Behind: len(lanes)}
		for _, l := range lanes {
			if sh.Retries.IsZero() || l.Due.Before(sh.Retries) {
				sh.Retries = l.Due
			}
		}
		h.Subscriptions = append(h.Subscriptions, sh)
	}
	rows, err := tx.Endpoints("", "", counted)
	for _, row := range rows {
		if row.Status == EndpointActive && row.FailingSince.IsZero() {
			continue
		}
		e, err := endpointOf(row)
		if err != nil {
			return err
		}
		h.Endpoints = append(h.Endpoints, e)
	}
	return err
}

// String says in one line what is wrong, for a log.
func (h Health) String() string {
	if h.Store != nil {
		return "store: " + h.Store.Error
	}
	out := fmt.Sprintf("late by %v, %d dead, a write takes %v", h.Late, h.Dead, h.StoreTook)
	if h.Clock.Jumped != 0 {
		out += fmt.Sprintf(", the wall clock has jumped by %v", h.Clock.Jumped)
	}
	if h.Clock.Behind != 0 {
		out += fmt.Sprintf(", the clock is behind the store by %v", h.Clock.Behind)
	}
	return out
}
