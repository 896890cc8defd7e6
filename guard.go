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

var errHangs = fmt.Errorf("it takes longer than %v inside a transaction, while everybody waits", quickTime)

// fence lets a plugin's code that hangs inside a transaction be left behind. The transaction is ours: it can be ended while the plugin's
// code runs on its own goroutine, and not while ours does.
type fence struct {
	mu     sync.Mutex
	theirs bool // the plugin's code runs
	left   bool // and was left behind: it must not come back to the transaction
}

// bounded runs fn, which uses the transaction that ctx is in, on a goroutine of its own, and leaves it behind when the plugin's code in
// it, which is marked by [Gateway.theirs], takes too long. The transaction must be undone then.
// An instance whose code has hung is left alone for a while, and its deliveries wait.
func (g *Gateway) bounded(ctx context.Context, tx store.Tx, instance, what string, fn func(context.Context) (Reply, error)) (Reply, error) {
	g.mu.Lock()
	until := g.hung[instance]
	if until.IsZero() || time.Now().After(until) {
		delete(g.hung, instance)
		until = time.Time{}
	}
	g.mu.Unlock()
	if !until.IsZero() {
		return Reply{}, Errorf(Unavailable, "%s: it hung a short while ago", what)
	}
	f := &fence{}
	ctx = withScope(ctx, scope{tx: tx, fence: f})
	h := g.hands.get()
	h.late.Reset(quickTime)
	defer h.late.Stop()
	h.work <- func() (a answer) {
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
				g.mu.Lock()
				g.hung[instance] = time.Now().Add(hungTime)
				g.mu.Unlock()
				return Reply{}, Errorf(Internal, "%s: %w", what, errHangs)
			}
			h.late.Reset(10 * time.Millisecond) // our own code is at work
		}
	}
}

// leave leaves the plugin's code behind, if it is that which runs.
func (f *fence) leave() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = f.theirs
	return f.left
}

// theirs runs a plugin's code that may be inside a transaction.
func (g *Gateway) theirs(ctx context.Context, what string, fn func() error) error {
	f := scopeOf(ctx).fence
	if f == nil {
		return g.guard(what, fn)
	}
	f.turn(true)
	defer f.turn(false)
	return g.guard(what, fn)
}

// turn changes whose code runs. Code that was left behind ends here.
func (f *fence) turn(theirs bool) {
	f.mu.Lock()
	left := f.left
	f.theirs = theirs
	f.mu.Unlock()
	if left {
		runtime.Goexit()
	}
}

var errLeft = errors.New("the transaction is over: its code took too long and was left behind")

// ours runs our code for a plugin's that asks for it inside a transaction.
func (f *fence) ours(fn func() error) error {
	if f == nil {
		return fn()
	}
	f.mu.Lock()
	was := f.theirs
	if f.left {
		f.mu.Unlock()
		return Errorf(Internal, "%w", errLeft)
	}
	f.theirs = false
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.theirs = was
		f.mu.Unlock()
	}()
	return fn()
}
