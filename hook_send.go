package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// hookSchedule is how long to wait after each failure of a message; after the last it is given up. With the first try at once it is the
// example of the Standard Webhooks specification: over 75 hours.
var hookSchedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	hookGiveUp  = 5 * 24 * time.Hour // an endpoint that takes nothing for so long is disabled
	hookWell    = 10 * time.Minute   // one that failed for so long and takes something again is tried at once with what waits
	hookWorkers = 64                 // tasks under way
	hookShare   = 4                  // of these for one endpoint; of one that fails, one
	hookFailing = hookWorkers / 2    // of these for endpoints that fail
	hookOwner   = hookWorkers / 4    // of these for one community's own endpoints: answering slowly is no failure
	hookWindow  = 4                  // messages of a line without order that are on their way at the same time
	hookBatch   = 32                 // events of a line that are read at once: many lines are in memory at the same time, and an event may be large
	hookTurn    = 10 * time.Second   // how long a line goes on before others have their turn
)

// hookDelay is when a message is tried again that has failed so often, up to a fifth later so that not all come at once.
func hookDelay(tries int, a hookAnswer) time.Duration {
	d := hookSchedule[min(tries, len(hookSchedule))-1]
	return max(d+rand.N(d/5), a.after)
}

// sendHooks claims what is due for endpoints and sends it, until ctx ends. It has workers of its own: an endpoint that hangs keeps
// nobody else waiting.
func (g *Gateway) sendHooks(ctx context.Context) {
	slots := make(chan struct{}, hookWorkers)
	free := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer g.hooks.client.CloseIdleConnections()
	defer wg.Wait()
	for failures := 0; ctx.Err() == nil; {
		news := g.waker()
		wait := lookAgain
		if room := cap(slots) - len(slots); room > 0 {
			on, err := g.hooksOn(ctx)
			if !on {
				news = nil // commits are not for us
			}
			var tasks []store.Task
			var next time.Time
			if on && err == nil {
				tasks, next, err = g.claimHooks(ctx, room)
			}
			if err == nil {
				failures = 0
			} else if failures++; telling(failures) && ctx.Err() == nil {
				g.log.Error("due messages to endpoints could not be claimed", "failures", failures, "error", err)
			}
			for _, t := range tasks {
				slots <- struct{}{}
				wg.Go(func() {
					defer func() {
						<-slots
						select {
						case free <- struct{}{}:
						default:
						}
					}()
					g.runHook(ctx, t)
				})
			}
			if len(tasks) > 0 {
				continue
			}
			if !next.IsZero() && err == nil {
				wait = min(wait, max(next.Sub(g.now()), 5*time.Millisecond))
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-news:
		case <-free:
		case <-t.C:
		}
		t.Stop()
	}
}

// claimHooks takes due tasks of hooks, or says when there will be one. A claim lasts longer than a turn of a line.
func (g *Gateway) claimHooks(ctx context.Context, limit int) (tasks []store.Task, next time.Time, err error) {
	if next, err = g.nextHook(ctx); err != nil || next.IsZero() || next.After(g.now()) {
		return nil, next, err
	}
	err = g.store.Update(ctx, func(tx store.Tx) (err error) {
		now := g.now()
		tasks, err = tx.Claim(hookKinds, now, now.Add(g.hookClaim()), limit)
		return err
	})
	if err != nil {
		tasks = nil // they may not be ours
	}
	return tasks, next, storeError(err, "claiming messages to endpoints")
}

func (g *Gateway) hookClaim() time.Duration { return leaseTime + g.o.HookTimeout }

// nextHook is when the next message to an endpoint is due; the zero time if there is none.
func (g *Gateway) nextHook(ctx context.Context) (next time.Time, err error) {
	err = g.view(ctx, func(tx store.Tx) (err error) { next, err = tx.NextDue(hookKinds); return err })
	return next, storeError(err, "looking for due messages to endpoints")
}

// hooksOnce gives the events that are there to the lines and sends what is due.
func (g *Gateway) hooksOnce(ctx context.Context) (did bool, err error) {
	for {
		moved, err := g.fanOut(ctx)
		if errors.Is(err, NotFound) {
			return did, nil
		}
		if err != nil {
			return did, err
		}
		did = did || moved
		if !moved {
			break
		}
	}
	tasks, _, err := g.claimHooks(ctx, hookWorkers)
	if err != nil {
		return did, err
	}
	var wg sync.WaitGroup
	for _, t := range tasks {
		wg.Go(func() { g.runHook(ctx, t) })
	}
	wg.Wait()
	return did || len(tasks) > 0, nil
}

// runHook takes a turn of a line, or sends one message.
func (g *Gateway) runHook(ctx context.Context, t store.Task) {
	err := g.guard("a message to endpoint "+t.Ref, func() error { return g.takeTurn(ctx, t) })
	if err == nil || ctx.Err() != nil {
		return
	}
	// The endpoint is not to blame: its schedule does not move.
	g.log.Error("a message to an endpoint could not be made or settled; trying again", "endpoint", t.Ref, "community", t.Community, "error", err)
	err = g.store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error { return tx.Retry(t, g.now().Add(backoff(t.Attempts, err)), text(err)) })
	if err != nil {
		g.log.Error("the end of a task could not be kept; it will run again", "task", t.Kind, "key", t.Key, "error", err)
	}
}

// takeTurn waits until the endpoint has a worker to spare, and sends.
func (g *Gateway) takeTurn(ctx context.Context, t store.Task) error {
	id := t.Ref
	var row store.Endpoint
	err := g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Endpoint(id); return err })
	if errors.Is(err, store.ErrNotFound) {
		return nil // deleted, and the task with it
	}
	if err != nil {
		return storeError(err, "reading endpoint %s", id)
	}
	settle := func(fn func(store.Tx) error) error {
		return storeError(g.store.Update(context.WithoutCancel(ctx), fn), "settling a message to endpoint %s", id)
	}
	if row.Status != EndpointActive {
		return settle(func(tx store.Tx) error {
			if err := tx.Park(t, groupHookOff(id), t.Error); err != nil {
				return err
			}
			return g.nextTurn(id, 2)(tx) // those that wait for their turn are to be parked here too: so they hold back no retention
		})
	}
	switch g.hooks.take(row) {
	case turnLater: // too many endpoints fail, or too many of this community's are at work
		return settle(func(tx store.Tx) error { return tx.Retry(t, g.now().Add(hookSchedule[0]), t.Error) })
	case turnBusy:
		err := settle(func(tx store.Tx) error { return tx.Park(t, groupHookBusy(id), t.Error) })
		if err == nil && g.hooks.parked(id) {
			err = settle(g.nextTurn(id, 1))
		}
		return err
	}
	defer func() {
		if !g.hooks.give(row) {
			return
		}
		if err := settle(g.nextTurn(id, 1)); err != nil {
			g.log.Error("an endpoint's next line could not be called up", "endpoint", id, "error", err)
		}
	}()
	return g.sendTurn(ctx, t, row)
}

// nextTurn lets up to n go on that wait for the endpoint. Who ends a turn does it in the same transaction, so that as long as one
// waits, another works or is due: nobody is forgotten in a crash.
func (g *Gateway) nextTurn(id string, n int) func(store.Tx) error {
	return func(tx store.Tx) error {
		_, err := tx.Unpark(store.TaskQuery{Group: groupHookBusy(id)}, g.now(), n)
		return err
	}
}

type turn int

const (
	turnNow turn = iota
	turnBusy
	turnLater
)

// take takes a worker for an endpoint, if it may have one.
func (h *hooks) take(row store.Endpoint) turn {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, share := h.running[row.ID], hookShare
	if !row.FailingSince.IsZero() {
		share = 1
		if n == 0 && len(h.failing) >= hookFailing {
			return turnLater
		}
	}
	if n >= share {
		return turnBusy
	}
	if row.Community != "" {
		if h.owners[row.Community] >= hookOwner {
			return turnLater
		}
		h.owners[row.Community]++
	}
	h.running[row.ID] = n + 1
	if share == 1 {
		h.failing[row.ID] = true
	}
	return turnNow
}

// parked says, after a task was parked because its endpoint was busy, whether nobody works any more who would call it up.
func (h *hooks) parked(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running[id] == 0 {
		return true
	}
	h.waiting[id] = true
	return false
}

// give gives a worker back, and says whether a task may have been parked after the last look for such.
func (h *hooks) give(row store.Endpoint) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := row.ID
	if row.Community != "" {
		if h.owners[row.Community]--; h.owners[row.Community] == 0 {
			delete(h.owners, row.Community)
		}
	}
	if h.running[id]--; h.running[id] == 0 {
		delete(h.running, id)
		delete(h.failing, id)
	}
	waits := h.waiting[id]
	delete(h.waiting, id)
	return waits
}
