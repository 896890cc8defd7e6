package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// ErrFault is what a Faulty store returns where no other error was asked for.
var ErrFault = errors.New("storetest: made to fail")

// Faulty is a store that fails when told to, for tests of code above a Store. Each fault is armed for the nth call from
// now, 1 being the next, strikes once and is gone; the same call can be armed for more than one. Without any armed it is the store inside.
// Its methods may be called from any goroutine.
type Faulty struct {
	inner store.Store

	mu      sync.Mutex
	updates int // calls of Update so far
	views   int
	faults  []fault
	slow    time.Duration
	held    chan struct{} // closed on release; nil while nothing is held
}

type kind int

const (
	beforeRun kind = iota
	beforeCommit
	afterCommit
	onView
)

type fault struct {
	kind kind
	call int
	err  error
}

var _ store.Store = (*Faulty)(nil)

// NewFaulty wraps a store. Close closes the store inside.
func NewFaulty(inner store.Store) *Faulty { return &Faulty{inner: inner} }

// Every, in the place of nth, arms a fault for each call from now until Calm: a store that is ill. Armed does not count it.
const Every = -1

// BeforeRun makes the nth Update from now fail before its function runs, as a store does that cannot be reached.
// A nil err means ErrFault, here and below.
func (f *Faulty) BeforeRun(nth int, err error) { f.arm(beforeRun, nth, err) }

// BeforeCommit makes the nth Update from now fail after its function ran: nothing of it is kept.
func (f *Faulty) BeforeCommit(nth int, err error) { f.arm(beforeCommit, nth, err) }

// AfterCommit makes the nth Update from now return an error although everything is kept: the answer was lost.
func (f *Faulty) AfterCommit(nth int, err error) { f.arm(afterCommit, nth, err) }

// OnView makes the nth View from now fail before its function runs.
func (f *Faulty) OnView(nth int, err error) { f.arm(onView, nth, err) }

func (f *Faulty) arm(k kind, nth int, err error) {
	if err == nil {
		err = ErrFault
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	base := f.updates
	if k == onView {
		base = f.views
	}
	call := base + max(nth, 1)
	if nth == Every {
		call = Every
	}
	f.faults = append(f.faults, fault{k, call, err})
}

// Slow makes each Update and View begin so much later, or when its context ends. Zero ends it.
func (f *Faulty) Slow(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = d
}

// Hold makes each Update and View wait until release is called, or its context ends. A second Hold ends the first.
func (f *Faulty) Hold() (release func()) {
	f.Release()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = make(chan struct{})
	return f.Release
}

// Release lets go of what Hold holds, if anything.
func (f *Faulty) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held != nil {
		close(f.held)
		f.held = nil
	}
}

// Calm takes back every fault, and Slow and Hold.
func (f *Faulty) Calm() {
	f.Release()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.slow = nil, 0
}

// Updates is how often Update was called.
func (f *Faulty) Updates() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.updates
}

// Armed is how many faults have not struck yet. A test asks at its end, or it may have tested nothing.
func (f *Faulty) Armed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, a := range f.faults {
		if a.call != Every {
			n++
		}
	}
	return n
}

// begin counts a call and takes out the faults that are for it.
func (f *Faulty) begin(ctx context.Context, count *int, kinds ...kind) (strikes [4]error, err error) {
	f.mu.Lock()
	*count++
	var rest []fault
	for _, a := range f.faults {
		mine := false
		for _, k := range kinds {
			mine = mine || a.kind == k && (a.call == *count || a.call == Every)
		}
		if mine {
			strikes[a.kind] = a.err
		}
		if !mine || a.call == Every {
			rest = append(rest, a)
		}
	}
	f.faults = rest
	slow, held := f.slow, f.held
	f.mu.Unlock()

	if slow > 0 {
		timer := time.NewTimer(slow)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return strikes, ctx.Err()
		}
	}
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return strikes, ctx.Err()
		}
	}
	return strikes, nil
}

// View runs fn on the store inside, unless a fault strikes.
func (f *Faulty) View(ctx context.Context, fn func(store.Tx) error) error {
	strikes, err := f.begin(ctx, &f.views, onView)
	if err = errors.Join(err, strikes[onView]); err != nil {
		return err
	}
	return f.inner.View(ctx, fn)
}

// Update runs fn on the store inside and fails where a fault strikes.
func (f *Faulty) Update(ctx context.Context, fn func(store.Tx) error) error {
	strikes, err := f.begin(ctx, &f.updates, beforeRun, beforeCommit, afterCommit)
	if err != nil {
		return err
	}
	if err := strikes[beforeRun]; err != nil {
		return err
	}
	err = f.inner.Update(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return strikes[beforeCommit]
	})
	if err != nil {
		return err
	}
	return strikes[afterCommit]
}

// Watch is that of the store inside.
func (f *Faulty) Watch(ctx context.Context) <-chan struct{} { return f.inner.Watch(ctx) }

// Close closes the store inside, and lets go of what is held first.
func (f *Faulty) Close() error {
	f.Release()
	return f.inner.Close()
}
