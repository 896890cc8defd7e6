package fake

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Courier is how a platform delivers D. Its functions are called without a lock, by [Queue.Run] and by whoever calls [Queue.SendDue].
type Courier[D any] struct {
	// Now is the fake's clock.
	Now func() time.Time
	// Strike takes the fault for a delivery, if there is one.
	Strike func(D) Strike
	// StrikeAgain asks for one before each later attempt too, not only before the first.
	StrikeAgain bool
	// Send makes one attempt and writes it down.
	Send func(context.Context, D, Try) Result
	// Schedule is how long the platform waits after each failure. After the last of them, and without any at once, it gives up.
	Schedule []time.Duration

	// Waits, GaveUp and Dropped write down what became of a delivery: it waits for its next attempt, there will be none,
	// or it was lost on purpose. Nil ones are not told.
	Waits   func(d D, reason string)
	GaveUp  func(D)
	Dropped func(D)
}

// Try is one attempt. Copies of a delivery are sent as first attempts, and nothing goes wrong with them.
type Try struct {
	Strike
	Retry  int    // 0 for the first
	Reason string // why the last one failed, in the platform's words
}

// Result is what came of an attempt. The zero value is that nothing is left to do.
type Result struct {
	Failed bool
	Reason string // why, for the next attempt
	Final  bool   // no next attempt, whatever the schedule says
}

// Queue delivers one after the other, each once, in the order in which they were added. Only [Queue.SendDue] sends again, or late: nothing
// waits for time to pass by itself. All methods may be called from any goroutine.
type Queue[D any] struct {
	stop context.Context // ends with the fake
	by   Courier[D]

	mu      sync.Mutex
	items   []*item[D]
	waiting []*item[D]    // late, or for their next attempt
	held    []*item[D]    // which the next delivery overtakes
	added   int64         // how many
	done    int64         // up to which
	changed chan struct{} // closed and replaced whenever done grows
	wake    chan struct{}
}

// item is a delivery on its way. It is either in one of the queue's lists or in one goroutine's hands.
type item[D any] struct {
	d      D
	seq    int64
	retry  int
	reason string
	due    time.Time
	late   bool // due is for the first attempt
}

// NewQueue is an empty queue. It delivers while Run runs, until stop ends.
func NewQueue[D any](stop context.Context, by Courier[D]) *Queue[D] {
	return &Queue[D]{stop: stop, by: by, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// Add queues a delivery. After the end nothing is queued.
func (q *Queue[D]) Add(d D) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stop.Err() == nil {
		q.put(&item[D]{d: d})
	}
}

// put queues. The caller holds q.mu.
func (q *Queue[D]) put(it *item[D]) {
	q.added++
	it.seq = q.added
	q.items = append(q.items, it)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run delivers until stop ends, on the goroutine that calls it. An attempt that is under way then is given up by its context.
func (q *Queue[D]) Run() {
	for q.stop.Err() == nil {
		it := q.next()
		if it == nil {
			select {
			case <-q.wake:
			case <-q.stop.Done():
			}
			continue
		}
		seq := it.seq // the item may be queued again, under another
		q.first(it)
		q.mu.Lock()
		q.done = seq
		close(q.changed)
		q.changed = make(chan struct{})
		q.mu.Unlock()
	}
}

func (q *Queue[D]) next() *item[D] {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil
	}
	it := q.items[0]
	q.items = q.items[1:]
	return it
}

// first makes the first attempt, with the fault that strikes it, and lets go of what it overtook.
func (q *Queue[D]) first(it *item[D]) {
	strike := q.by.Strike(it.d)
	if q.aside(it, strike) {
		return
	}
	q.try(q.stop, it, strike)
	for range strike.Duplicate {
		q.by.Send(q.stop, it.d, Try{})
	}
	for _, h := range q.overtaken() {
		q.try(q.stop, h, Strike{})
	}
}

// aside puts a delivery away that is lost, overtaken or late, and says whether it did.
func (q *Queue[D]) aside(it *item[D], f Strike) bool {
	if f.Drop {
		tell(q.by.Dropped, it.d)
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case f.Reorder:
		q.held = append(q.held, it)
	case f.Late > 0:
		it.due, it.late = q.by.Now().Add(f.Late), true
		q.waiting = append(q.waiting, it)
	default:
		return false
	}
	return true
}

func (q *Queue[D]) overtaken() []*item[D] {
	q.mu.Lock()
	defer q.mu.Unlock()
	held := q.held
	q.held = nil
	return held
}

// try makes an attempt and plans the next, if it failed.
func (q *Queue[D]) try(ctx context.Context, it *item[D], strike Strike) {
	r := q.by.Send(ctx, it.d, Try{Strike: strike, Retry: it.retry, Reason: it.reason})
	if !r.Failed {
		return
	}
	if r.Final || it.retry >= len(q.by.Schedule) {
		tell(q.by.GaveUp, it.d)
		return
	}
	it.due, it.late, it.reason = q.by.Now().Add(q.by.Schedule[it.retry]), false, r.Reason
	it.retry++
	q.mu.Lock()
	q.waiting = append(q.waiting, it)
	q.mu.Unlock()
	if q.by.Waits != nil {
		q.by.Waits(it.d, r.Reason)
	}
}

func tell[D any](f func(D), d D) {
	if f != nil {
		f(d)
	}
}

// Requeue queues those again, without regard for the clock, that wait for another attempt and that which picks. It is called with the
// queue's lock held.
func (q *Queue[D]) Requeue(which func(D) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.take(func(it *item[D]) bool { return !it.late && which(it.d) }) {
		q.put(it)
	}
}

// take takes those out of waiting that which picks. The caller holds q.mu.
func (q *Queue[D]) take(which func(*item[D]) bool) []*item[D] {
	var taken []*item[D]
	q.waiting = slices.DeleteFunc(q.waiting, func(it *item[D]) bool {
		if !which(it) {
			return false
		}
		taken = append(taken, it)
		return true
	})
	return taken
}

// Flush waits until everything that was added before it was attempted once, or put aside by a fault. It must not be called by a handler
// that a delivery is waiting for.
func (q *Queue[D]) Flush(ctx context.Context) error {
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
		case <-q.stop.Done():
			return context.Canceled
		}
	}
}

// SendDue sends what is due by the fake's clock, in the order in which it became so: those that nothing overtook, late ones, and further
// attempts. It returns how many there were.
func (q *Queue[D]) SendDue(ctx context.Context) int {
	now := q.by.Now()
	due := q.overtaken()
	q.mu.Lock()
	due = append(due, q.take(func(it *item[D]) bool { return !it.due.After(now) })...)
	q.mu.Unlock()
	slices.SortStableFunc(due, func(a, b *item[D]) int { return a.due.Compare(b.due) })
	for _, it := range due {
		var strike Strike
		if q.by.StrikeAgain {
			strike = q.by.Strike(it.d)
		}
		q.try(ctx, it, strike)
	}
	return len(due)
}

// NextDue says when the next delivery is due that waits for the clock.
func (q *Queue[D]) NextDue() (at time.Time, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.waiting {
		if !ok || it.due.Before(at) {
			at, ok = it.due, true
		}
	}
	return at, ok
}
