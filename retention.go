package gateway

import (
	"context"
	"math"
	"time"

	"github.com/metagov/gateway-go/store"
)

// tidyEvery is how often what is too old is deleted.
const tidyEvery = time.Hour

// prepare is what Run and RunDue do first: retention has its task, and what waited for a plugin that this program has goes on.
func (g *Gateway) prepare(ctx context.Context) error {
	return storeError(g.store.Update(ctx, func(tx store.Tx) error {
		if err := g.unparkPlugins(tx); err != nil {
			return err
		}
		if err := g.newPolls(tx); err != nil {
			return err
		}
		if _, err := tx.Task(taskTidy, taskTidy); err == nil {
			return nil
		}
		return tx.Schedule(store.Task{Kind: taskTidy, Key: taskTidy, Due: g.now().Add(tidyEvery), Created: g.now()})
	}), "preparing to run")
}

// unparkPlugins lets go on what waited for a plugin, or a version of it, that this program may have.
func (g *Gateway) unparkPlugins(tx store.Tx) error {
	for name := range g.plugins {
		if _, err := tx.Unpark(store.TaskQuery{Group: groupPlugin(name)}, g.now(), 1<<20); err != nil {
			return err
		}
	}
	return nil
}

// tidy deletes what is older than Options.Retain, in small transactions so that no writer waits for long.
func (g *Gateway) tidy(ctx context.Context) error {
	// While programs of two versions run, the older may have parked what the newer is there for.
	if err := g.store.Update(ctx, g.unparkPlugins); err != nil {
		return storeError(err, "taking up what waited for a plugin")
	}
	before := g.now().Add(-g.o.Retain)
	heard, err := g.heardByAll(ctx)
	if err != nil {
		return err
	}
	const piece = 500
	prune := []func(store.Tx) (int, error){
		func(tx store.Tx) (int, error) { return tx.PruneEvents(before, heard, piece) },
		func(tx store.Tx) (int, error) { return g.pruneWaiting(tx, before, piece) },
		func(tx store.Tx) (int, error) { return tx.PruneDeliveries(before, piece) },
		func(tx store.Tx) (int, error) { return tx.PruneCalls(before, piece) },
		func(tx store.Tx) (int, error) { return tx.PruneProcesses(before, piece) },
		func(tx store.Tx) (int, error) { return tx.PruneTickets(g.now(), piece) },
	}
	for _, fn := range prune {
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			var n int
			err := g.store.Update(ctx, func(tx store.Tx) (err error) { n, err = fn(tx); return err })
			if err != nil {
				return storeError(err, "deleting what is older than %v", g.o.Retain)
			}
			if n < piece {
				break
			}
		}
	}
	return &nextRun{tidyEvery}
}

// heardByAll is up to where every subscription has heard the events.
func (g *Gateway) heardByAll(ctx context.Context) (seq int64, err error) {
	seq = math.MaxInt64
	err = g.view(ctx, func(tx store.Tx) error {
		subs, err := tx.Subs()
		if err != nil {
			return err
		}
		for _, s := range subs {
			seq = min(seq, s.Cursor)
			lanes, err := tx.Lanes(s.Name)
			if err != nil {
				return err
			}
			for _, l := range lanes {
				seq = min(seq, l.Cursor)
			}
		}
		seq, err = hooksHeard(tx, seq)
		return err
	})
	return seq, storeError(err, "reading how far subscriptions are")
}

// pruneWaiting forgets deliveries that have waited for too long, and dead letters whose event is as old.
func (g *Gateway) pruneWaiting(tx store.Tx, before time.Time, limit int) (n int, err error) {
	for _, kind := range []string{taskInbox, taskEvent, taskHookOne} {
		for after := ""; n < limit; {
			tasks, err := tx.Tasks(store.TaskQuery{Kind: kind, Parked: true}, kind, after, limit)
			if err != nil {
				return 0, err
			}
			for _, t := range tasks {
				after = t.Key
				if t.Created.Before(before) {
					n++
					if err := tx.Unschedule(t.Kind, t.Key); err != nil {
						return n, err
					}
				}
			}
			// Deliveries come in the order of time, so that those after a young one are young.
			if len(tasks) < limit || kind == taskInbox && !tasks[len(tasks)-1].Created.Before(before) {
				break
			}
		}
	}
	return n, nil
}
