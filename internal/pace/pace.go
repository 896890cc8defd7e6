// Package pace keeps the calls that are made with one credential under the rate that its platform allows, whoever of the program makes them,
// and has what people wait for go first.
package pace

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Rate is a bucket's: Burst tokens at the most, and a new one Every so long.
type Rate struct {
	Every time.Duration // 0: as many as are asked for; only [Pacer.Block] holds them up
	Burst int           // 0: 1
}

// Clock is what a Pacer goes by.
type Clock interface {
	Now() time.Time
	// AfterFunc has f called on a goroutine of its own after d, unless stop comes first.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// TooLong says that a token would not have come in time. None was taken.
type TooLong struct {
	After time.Duration // so long it would have taken, as far as can be said
}

func (e *TooLong) Error() string {
	return fmt.Sprintf("the rate of calls is limited: it would have been this one's turn in %v", e.After.Round(time.Millisecond))
}

const (
	// Patience is how long a Wait lasts whose context has no deadline.
	Patience = time.Minute
	// share is how many tokens in a row may pass over the oldest waiter; the next is its, whatever its priority.
	share = 4

	maxEvery = 24 * time.Hour
	maxBurst = 1 << 15 // times maxEvery is still a Duration
	fewKeys  = 1024
)

// Pacer holds buckets, by key. Make one with [New]. Safe for concurrent use.
type Pacer struct {
	clock Clock

	mu      sync.Mutex
	buckets map[name]*bucket
	most    int // with so many buckets the idle ones are forgotten
}

// name is a key's hash: a key is made of a credential, and must not lie about in memory or be printed.
type name [sha256.Size]byte

// bucket counts by the time at which it will be full again (the generic cell rate algorithm), so that nothing has to run to fill it.
type bucket struct {
	rate    Rate
	full    time.Time // when it is full again, if nobody takes a token
	block   time.Time // no token before
	waiting []*waiter // in the order in which they came
	passed  int       // so often in a row the first of them was passed over
	stop    func() bool
}

type waiter struct {
	priority int
	until    time.Time     // so long it can wait
	turn     chan struct{} // closed when it has its token, or cannot get it in time
	late     *TooLong
}

// New makes a Pacer.
func New(clock Clock) *Pacer {
	return &Pacer{clock: clock, buckets: map[name]*bucket{}, most: fewKeys}
}

// Wait takes a token of the key's bucket, waiting for it as long as ctx lasts and a minute at the most. Of those who wait the one with the
// highest priority goes first, of these the one that came first; one that was passed over four times goes before all. If the token cannot
// come in time the error is a [TooLong], at once if that can be seen. The rate is that of the latest call.
func (p *Pacer) Wait(ctx context.Context, key string, rate Rate, priority int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rate.Every = min(max(rate.Every, 0), maxEvery)
	rate.Burst = min(max(rate.Burst, 1), maxBurst)

	p.mu.Lock()
	now := p.clock.Now()
	b := p.bucket(sha256.Sum256([]byte(key)), now)
	b.rate = rate
	p.grant(b)
	if len(b.waiting) == 0 && !b.next(0, now).After(now) {
		b.take(now)
		p.mu.Unlock()
		return nil
	}
	patience := Patience
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(end)) // of real time, as the context's
	}
	w := &waiter{priority: priority, until: now.Add(patience), turn: make(chan struct{})}
	if turn := b.next(b.ahead(w), now); turn.After(w.until) {
		p.mu.Unlock()
		return &TooLong{turn.Sub(now)}
	}
	b.waiting = append(b.waiting, w)
	p.arm(b, now)
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-w.turn:
		if w.late != nil {
			return w.late
		}
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.clock.Now()
	i := slices.Index(b.waiting, w)
	switch {
	case i >= 0:
		b.waiting = slices.Delete(b.waiting, i, i+1)
	case w.late == nil: // it has a token, and does not use it
		b.full = b.full.Add(-b.rate.Every)
	}
	left := b.next(b.ahead(w), now)
	p.grant(b)
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return &TooLong{max(left.Sub(now), time.Second)}
}

// Block gives out no token of the key's bucket before until: the platform does not want to be asked. Those that wait and cannot wait so long
// are told.
func (p *Pacer) Block(key string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	b := p.bucket(sha256.Sum256([]byte(key)), now)
	if !until.After(b.block) {
		return
	}
	b.block = until
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool {
		if !until.After(w.until) {
			return false
		}
		w.late = &TooLong{until.Sub(now)}
		close(w.turn)
		return true
	})
	p.arm(b, now)
}

// Now is the time by the Pacer's clock, for [Pacer.Block].
func (p *Pacer) Now() time.Time { return p.clock.Now() }

// Waiting is how many calls wait for their turn now.
func (p *Pacer) Waiting() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.buckets {
		n += len(b.waiting)
	}
	return n
}

// bucket finds or makes a bucket, and forgets those that are as good as new where there are many. p.mu is held.
func (p *Pacer) bucket(n name, now time.Time) *bucket {
	if b := p.buckets[n]; b != nil {
		return b
	}
	if len(p.buckets) >= p.most {
		for n, b := range p.buckets {
			if len(b.waiting) == 0 && !b.full.After(now) && !b.block.After(now) {
				delete(p.buckets, n)
			}
		}
		p.most = max(fewKeys, 2*len(p.buckets)) // so that looking stays cheap where all are in use
	}
	b := &bucket{rate: Rate{Burst: 1}}
	p.buckets[n] = b
	return b
}

// grant gives out the tokens that are there. p.mu is held.
func (p *Pacer) grant(b *bucket) {
	now := p.clock.Now()
	for len(b.waiting) > 0 && !b.next(0, now).After(now) {
		i := b.pick()
		w := b.waiting[i]
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.take(now)
		close(w.turn)
	}
	p.arm(b, now)
}

// arm has the next token given out when it is there. p.mu is held.
func (p *Pacer) arm(b *bucket, now time.Time) {
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
	if len(b.waiting) == 0 {
		return
	}
	b.stop = p.clock.AfterFunc(max(b.next(0, now).Sub(now), time.Microsecond), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.grant(b)
	})
}

// next is when the token is there that comes after n others.
func (b *bucket) next(n int, now time.Time) time.Time {
	start := later(now, b.block)
	return later(start, later(b.full, start).Add(time.Duration(n-b.rate.Burst+1)*b.rate.Every))
}

func (b *bucket) take(now time.Time) { b.full = later(b.full, now).Add(b.rate.Every) }

// pick says whose turn it is.
func (b *bucket) pick() int {
	best := 0
	for i, w := range b.waiting {
		if w.priority > b.waiting[best].priority {
			best = i
		}
	}
	if best == 0 || b.passed >= share {
		b.passed = 0
		return 0
	}
	b.passed++
	return best
}

// ahead estimates how many tokens go to others before this waiter has its.
func (b *bucket) ahead(w *waiter) int {
	before, after := 0, 0
	for _, o := range b.waiting {
		if o.priority >= w.priority {
			before++
		} else {
			after++
		}
	}
	return before + min(after, (before+b.passed+1)/share)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
