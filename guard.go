package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// guard runs a plugin's or driver's code and turns its panic into an error. Where it came from is logged here, once.
func (g *Gateway) guard(what string, fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = g.caught(what, v)
		}
	}()
	return fn()
}

// caught logs a recovered panic and makes an error of it. It is called by the deferred function that recovered, while the stack is there.
func (g *Gateway) caught(what string, v any) error {
	g.log.Error("a panic was caught", "what", what, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	return Errorf(Internal, "%s: panic: %v", what, v)
}

func (g *Gateway) guardReply(what string, fn func() (Reply, error)) (r Reply, err error) {
	err = g.guard(what, func() (err error) { r, err = fn(); return err })
	return r, err
}

// quickTime is how long the code of a plugin may take inside a transaction: everybody else waits for it.
const quickTime = time.Second

// hungTime is how long an instance is left alone whose code has hung: so it costs all others at most one quickTime in a hungTime.
const hungTime = time.Minute

// maxLeft is how much of an instance's code may be left behind and still run. It is left alone from then on until some of it has ended.
const maxLeft = 4

var errHangs = fmt.Errorf("it takes longer than %v inside a transaction, while everybody waits", quickTime)

// hang is what is known of an instance whose code has hung.
type hang struct {
	until time.Time
	left  int // how much of its code was left behind and still runs
}

// alone says whether an instance's code has hung a short while ago. Real time is what the others wait.
func (g *Gateway) alone(instance string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.hung[instance]
	if h.left == 0 && time.Now().After(h.until) {
		delete(g.hung, instance)
	}
	return h.left >= maxLeft || time.Now().Before(h.until)
}

// hangs notes that an instance's code was left behind, and that it has ended.
func (g *Gateway) hangs(instance string, over <-chan answer) {
	note := func(left int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		h := g.hung[instance]
		h.left += left
		if left > 0 {
			h.until = time.Now().Add(hungTime)
		}
		g.hung[instance] = h
	}
	note(1)
	go func() { <-over; note(-1) }()
}

// fence lets a plugin's code that hangs inside a transaction be left behind. The transaction is ours: it can be ended while the plugin's
// code runs on its own goroutine, and not while ours does.
type fence struct {
	tx   sync.Mutex // held by who uses the transaction, which is always our code
	left bool       // nobody may come back to the transaction; guarded by tx
}

// bounded runs fn, which uses the transaction that ctx is in, on a goroutine of its own, and leaves it behind when the plugin's code in
// it, which is marked by [Gateway.theirs], takes too long. The transaction must be undone then.
// An instance whose code has hung is left alone for a while, and its deliveries wait.
func (g *Gateway) bounded(ctx context.Context, tx store.Tx, instance, what string, fn func(context.Context) (Reply, error)) (Reply, error) {
	if g.alone(instance) {
		return Reply{}, Errorf(Unavailable, "%s: it hung a short while ago", what)
	}
	f := &fence{}
	ctx = withScope(ctx, scope{tx: tx, fence: f, held: true})
	h := g.hands.get()
	h.late.Reset(quickTime)
	defer h.late.Stop()
	f.tx.Lock()
	h.work <- func() (a answer) {
		defer func() { // also for what the plugin's code has begun beside itself
			f.left = true
			f.tx.Unlock()
		}()
		a.r, a.err = g.guardReply(what, func() (Reply, error) { return fn(ctx) })
		return a
	}
	for {
		select {
		case a := <-h.done:
			if a.over {
				return Reply{}, Errorf(Internal, "%s: it ended its goroutine", what)
			}
			g.hands.put(h)
			return a.r, a.err
		case <-h.late.C:
			if f.leave() {
				close(h.work) // it ends when the plugin's code comes back
				g.hangs(instance, h.done)
				return Reply{}, Errorf(Internal, "%s: %w", what, errHangs)
			}
			h.late.Reset(10 * time.Millisecond) // our own code is at work, or it ended just now
		}
	}
}

// leave leaves the plugin's code behind, if it is that which runs.
func (f *fence) leave() bool {
	if !f.tx.TryLock() {
		return false
	}
	defer f.tx.Unlock()
	over := f.left
	f.left = true
	return !over
}

// theirs runs a plugin's code that may be inside a transaction, with the context that it gets. It does not return if that code was left behind.
func (g *Gateway) theirs(ctx context.Context, what string, fn func(context.Context) error) error {
	s := scopeOf(ctx)
	if s.fence == nil || !s.held { // there is none, or it is their own code that calls
		return g.guard(what, func() error { return fn(ctx) })
	}
	s.held = false
	return s.fence.without(func() error { return g.guard(what, func() error { return fn(context.WithValue(ctx, scopeKey{}, s)) }) })
}

// without runs a plugin's code for ours, which has the transaction.
func (f *fence) without(fn func() error) error {
	f.tx.Unlock()
	defer func() {
		if f.tx.Lock(); f.left {
			runtime.Goexit()
		}
	}()
	return fn()
}

var errLeft = errors.New("the transaction is over: what was called in it has returned, or took too long and was left behind")

// inside runs our code in the transaction of the scope: for a plugin's code that asks for it one at a time, also where that has begun
// goroutines.
func (s scope) inside(fn func(store.Tx) error) error {
	f := s.fence
	if f == nil || s.held {
		return fn(s.tx)
	}
	f.tx.Lock()
	defer f.tx.Unlock()
	if f.left {
		return Errorf(Internal, "%w", errLeft)
	}
	return fn(s.tx)
}
