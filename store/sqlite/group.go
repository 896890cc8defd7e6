package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/internal/sqlstore"
)

// A group closes when nobody waits to join it, or at one of these bounds, so that the first does not wait long for its
// acknowledgement.
const (
	maxGroup = 256
	maxOpen  = 25 * time.Millisecond
)

// careful is how many transactions have savepoints after one member's failure has cost the others their work: then whoever
// fails again and again makes others run again once in so many.
const careful = 64

// group lets Updates that come at the same time share transactions.
//
// Whoever has the turn uses the writing connection; all others wait. An Update that gets the turn runs its function on
// its own goroutine, in the transaction that is open, and passes the turn on to the next that waits. When none waits, it
// commits, and all that took part are acknowledged. So nobody waits for company: one alone commits at once.
//
// A savepoint for each member would let a failure undo its own work only, but costs two statements and a copy of every page
// that the member changes, a tenth of the whole. Few functions write and then fail. So there are no savepoints until one
// does: then everything is rolled back, and all run again, in transactions that have them.
//
// An Update whose function saw what others of the transaction wrote returns after the commit, also when it wrote nothing
// itself or failed: what it saw might yet be undone. If anything ends the transaction, all that took part run again,
// each alone, so that the one that fills the disk does not take the others with it.
type group struct {
	w        *conn
	readOnly bool
	wrote    func() // called after each commit that wrote

	mu      sync.Mutex
	taken   bool // somebody has the turn
	waiting []*member

	// The transaction. Only who has the turn touches it.
	open    bool
	careful int       // so many more transactions have savepoints, this one included
	dirty   bool      // something that will be kept was written
	opened  time.Time // when
	members []*member // who awaits its commit
	shared  sqlstore.Shared
}

// member is one Update.
type member struct {
	alone bool          // shares its transaction with nobody
	err   error         // what the function said, to be returned after the commit
	wake  chan struct{} // holds one signal: look at acked
	acked bool          // done; false: the turn is this one's
}

func (g *group) update(ctx context.Context, fn func(store.Tx) error) error {
	if g.readOnly {
		return fmt.Errorf("sqlite: update: %w", store.ErrReadOnly)
	}
	m := &member{wake: make(chan struct{}, 1)}
	if err := g.take(ctx, m); err != nil {
		return err
	}
	for {
		if done, err := g.turn(m, fn); done {
			return err
		}
		// From here on ctx does not count: what was begun is finished.
		<-m.wake
		if m.acked {
			return m.err
		}
	}
}

// take waits for the turn until ctx ends.
func (g *group) take(ctx context.Context, m *member) error {
	g.mu.Lock()
	if !g.taken {
		g.taken = true
		g.mu.Unlock()
		return nil
	}
	g.waiting = append(g.waiting, m)
	g.mu.Unlock()
	select {
	case <-m.wake:
	case <-ctx.Done():
		if g.forget(m) {
			return ctx.Err()
		}
		<-m.wake // the turn was on its way
	}
	if err := ctx.Err(); err != nil {
		g.pass()
		return err
	}
	return nil
}

// forget takes m out of those who wait. It reports whether m was one of them.
func (g *group) forget(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == m {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// turn runs fn and passes the turn on. It reports whether the Update is done with err, or has to wait to be woken.
func (g *group) turn(m *member, fn func(store.Tx) error) (done bool, err error) {
	// Deferred, so that it happens also when fn panics or calls Goexit, both of which go on from here.
	defer g.pass()
	if !g.open {
		if err := g.begin(); err != nil {
			return true, err
		}
	}
	// In a transaction that holds nothing yet a savepoint would only cost: undoing is rolling back everything.
	saved := g.dirty && g.careful > 0
	if saved {
		if err := g.w.control("SAVEPOINT member"); err != nil {
			return g.lost(m, err)
		}
	}
	g.w.wrote = false
	returned := false
	defer func() {
		if !returned {
			g.undo(saved)
		}
	}()
	tx := sqlstore.New(g.w, &g.shared)
	defer tx.End()
	err = fn(tx)
	returned = true
	if broken := g.w.broken; broken != nil {
		if err == nil {
			err = broken // fn has not looked at an error that undid its work
		}
		return g.lost(m, err)
	}
	if err == nil && saved {
		if broken := g.w.control("RELEASE member"); broken != nil {
			return g.lost(m, broken)
		}
	}
	switch {
	case err == nil:
		g.dirty = g.dirty || g.w.wrote
	case g.dirty && !saved && g.w.wrote:
		// What it saw of the others will be undone with it, and may be why it failed.
		g.members = append(g.members, m)
		g.undo(saved)
		return false, nil
	case !g.undo(saved):
		return g.again(m, err)
	}
	if !g.dirty {
		return true, err // nothing was seen or written that is not durable
	}
	m.err = err
	g.members = append(g.members, m)
	return false, nil
}

func (g *group) begin() error {
	if err := g.w.begin("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin to write: %w", err)
	}
	g.open, g.dirty, g.opened = true, false, time.Now()
	g.careful = max(0, g.careful-1)
	g.shared.Late = g.careful == 0 // what is undone by a savepoint must not wait outside of it
	return nil
}

// undo takes back what one member wrote and reports whether the transaction of the others, if it had a savepoint in one, is as
// it was.
func (g *group) undo(saved bool) bool {
	switch {
	case g.w.broken != nil:
		g.rollback(true)
		return !saved
	case !saved && !g.w.wrote:
		return true
	case !saved:
		if g.dirty {
			g.careful = careful + 1 // counted down when the next begins
		}
		g.rollback(false)
		return true
	}
	g.shared.Forget()
	if g.w.control("ROLLBACK TO member") != nil || g.w.control("RELEASE member") != nil {
		g.rollback(true)
		return false
	}
	return true
}

// rollback ends the transaction with nothing kept. Who took part runs again, before all others, each alone if need be.
func (g *group) rollback(alone bool) {
	// SQLite may have done so already; then this fails, and that is no news.
	_ = g.w.control("ROLLBACK")
	g.shared.Forget()
	again := g.members
	g.open, g.dirty, g.members = false, false, nil
	for _, m := range again {
		m.alone, m.err = m.alone || alone, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(again, g.waiting...)
}

// lost is for a member in whose turn the transaction broke: it gets the error if it was alone, and otherwise another try.
func (g *group) lost(m *member, err error) (done bool, _ error) {
	shared := len(g.members) > 0
	g.rollback(true)
	if !shared {
		return true, err
	}
	return g.again(m, err)
}

// again lines m up for a try alone, unless it was alone.
func (g *group) again(m *member, err error) (done bool, _ error) {
	if m.alone {
		return true, err
	}
	m.alone = true
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append([]*member{m}, g.waiting...)
	return false, nil
}

// pass gives the turn to the next that waits, after it has committed if the transaction is complete.
func (g *group) pass() {
	if next := g.joins(); next != nil {
		next.wake <- struct{}{}
		return
	}
	if g.open {
		g.commit()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.taken = false
		return
	}
	g.shift().wake <- struct{}{}
}

// joins takes the next that may join the transaction out of those who wait.
func (g *group) joins() *member {
	if !g.open || len(g.members) >= maxGroup || time.Since(g.opened) > maxOpen {
		return nil
	}
	if len(g.members) > 0 && g.members[0].alone {
		return nil
	}
	for try := range 2 {
		g.mu.Lock()
		if len(g.waiting) > 0 {
			defer g.mu.Unlock()
			if g.waiting[0].alone {
				return nil
			}
			return g.shift()
		}
		g.mu.Unlock()
		if try == 0 {
			// Whoever is about to ask gets the chance to; where there is nobody this takes no time.
			runtime.Gosched()
		}
	}
	return nil
}

func (g *group) shift() *member {
	m := g.waiting[0]
	g.waiting[0] = nil
	g.waiting = g.waiting[1:]
	return m
}

// commit makes durable what was written and acknowledges who took part. Where nothing was written there is nothing to
// make durable.
func (g *group) commit() {
	if err := g.end(); err != nil {
		if alone := len(g.members) == 1; alone {
			g.members[0].err = fmt.Errorf("commit: %w", err)
			g.acknowledge()
		}
		g.rollback(true)
		return
	}
	dirty := g.dirty
	g.acknowledge()
	g.open, g.dirty = false, false
	if dirty {
		g.wrote()
	}
}

// end ends the transaction, with what its members left to be written last.
func (g *group) end() error {
	defer g.shared.Forget()
	if !g.dirty {
		return g.w.control("ROLLBACK")
	}
	tx := sqlstore.New(g.w, &g.shared)
	defer tx.End()
	if err := tx.Flush(); err != nil {
		return err
	}
	return g.w.control("COMMIT")
}

func (g *group) acknowledge() {
	for i, m := range g.members {
		m.acked = true
		m.wake <- struct{}{}
		g.members[i] = nil
	}
	g.members = g.members[:0]
}
