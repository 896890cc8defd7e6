package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Gap is a time from which deliveries may be missing.
type Gap struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// RepairFunc makes what fetches from the platform what an instance may have missed, and hands it over with [Instance.Accept], or with
// Emit. It hands over all that it finds, known or not: a delivery with the same ID, and an event with the same (instance, type, ID), count
// once. It is called for each instance, durably, again after errors, with at most ten minutes for one call, when deliveries may be missing:
// the gateway was away for longer than two minutes; an instance that was paused is resumed, or has working credentials again; [Instance.Repair] or
// [Source.Repair] says so. Gaps that come while one waits become one. Since lies five minutes before what is known, and never longer ago
// than Options.Retain, beyond which nobody could tell any more what is known.
func RepairFunc[T Owner](fn func(t T, ctx context.Context, gap Gap) error) Feature[T] {
	return featureFunc[T](func(b *builder) {
		if b.m.Repair != nil {
			b.fail("two repairs")
		}
		b.m.Repair = func(ctx context.Context, self any, gap Gap) error { return fn(self.(T), ctx, gap) }
	})
}

const (
	repairTime   = 10 * time.Minute // for one call of a repair
	repairMargin = 5 * time.Minute  // clocks differ, and platforms are late
	shortAway    = 2 * time.Minute  // platforms try again for longer than that
	repairRate   = 10               // instances a second that begin after an outage
)

// Repair has the plugin fetch what may be missing since gap.Since: a platform said that it disabled the webhook, or a driver misses
// something. A zero Until is now; one that is still to come is waited for. It returns when that is kept. NotFound: the plugin cannot fetch
// anything.
func (i *Instance) Repair(ctx context.Context, gap Gap) error {
	if i.p.m.Repair == nil {
		return Errorf(NotFound, "plugin %s cannot fetch what was missed", i.p.m.Name)
	}
	gap, err := i.g.gap(gap)
	if err != nil {
		return err
	}
	err = i.g.update(ctx, func(tx store.Tx) error {
		if _, err := tx.Instance(i.row.ID); err != nil {
			return err
		}
		return i.g.putGap(tx, i.row, gap, i.g.now())
	})
	return storeError(err, "keeping that instance %s of %s may have missed something", i.row.Name, i.row.Community)
}

// Repair has the plugin fetch, for all its instances, what may be missing since gap.Since: the connection was lost, and the platform does not
// send again what it would have sent meanwhile. A zero Until is now. Where the plugin has no [RepairFunc] it does nothing.
func (s *Source) Repair(ctx context.Context, gap Gap) error {
	if s.p.m.Repair == nil {
		return nil
	}
	gap, err := s.g.gap(gap)
	if err != nil {
		return err
	}
	err = s.g.update(ctx, func(tx store.Tx) error { return s.g.putGap(tx, store.Instance{ID: allOf + s.p.m.Name}, gap, s.g.now()) })
	return storeError(err, "keeping that source %s may have missed something", s.name)
}

// gap completes one.
func (g *Gateway) gap(gap Gap) (Gap, error) {
	now := g.now()
	if gap.Until.IsZero() {
		gap.Until = now
	}
	if gap.Since.IsZero() || gap.Until.Before(gap.Since) {
		return gap, Errorf(Invalid, "a gap from %v until %v", gap.Since, gap.Until)
	}
	return Gap{maxTime(gap.Since.Add(-repairMargin), now.Add(-g.o.Retain)).UTC(), gap.Until.UTC()}, nil
}

// allOf is what the key of a task begins with that has the repairs of all instances of a plugin begin.
const allOf = "all:"

// putGap has a gap repaired, together with one that is still waiting for it. It is not begun before it is over.
func (g *Gateway) putGap(tx store.Tx, row store.Instance, gap Gap, due time.Time) error {
	old, err := tx.Task(taskRepair, row.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	default: // also one under way: it may have passed over what is missing now, so it runs once more
		var have Gap
		if err := json.Unmarshal(old.Payload, &have); err != nil {
			return Errorf(Internal, "decoding a gap: %w", err)
		}
		if have.Since.Before(gap.Since) {
			gap.Since = have.Since
		}
		gap.Until = maxTime(gap.Until, have.Until)
		if err := tx.Unschedule(taskRepair, row.ID); err != nil {
			return err
		}
	}
	t := store.Task{Kind: taskRepair, Key: row.ID, Community: row.Community, Due: maxTime(due, gap.Until), Created: g.now()}
	if row.Plugin != "" {
		t.Instance = row.ID
	}
	if t.Payload, err = json.Marshal(gap); err != nil {
		return err
	}
	return tx.Schedule(t)
}

// repair runs one: of an instance, or the beginning of those of a whole plugin.
func (g *Gateway) repair(ctx context.Context, t store.Task) error {
	var gap Gap
	if err := json.Unmarshal(t.Payload, &gap); err != nil {
		return Errorf(Internal, "decoding a gap: %w", err)
	}
	if t.Instance == "" {
		return g.repairAll(ctx, t.Key[len(allOf):], gap)
	}
	inst, _, err := g.pollable(ctx, t.Instance)
	if err != nil {
		return err
	}
	if inst.p.m.Repair == nil {
		return nil
	}
	if !g.mends.take(t.Community) {
		return &nextRun{takeTurn} // after an outage there are many, and they take long
	}
	defer g.mends.give(t.Community)
	gap.Since = maxTime(gap.Since, g.now().Add(-g.o.Retain)) // it may have waited for long, and what was known then is forgotten
	if !gap.Since.Before(gap.Until) {
		return nil
	}
	inst.Log.Info("fetching what may have been missed", "since", gap.Since, "until", gap.Until, "attempt", t.Attempts)
	return inst.Exclusive(ctx, "gateway/repair", func(ctx context.Context) error {
		return g.guard("repairing "+inst.p.m.Name, func() error { return inst.p.m.Repair(ctx, inst.self, gap) })
	})
}

// repairAll has every instance of a plugin repaired that works, not all at once.
func (g *Gateway) repairAll(ctx context.Context, plugin string, gap Gap) error {
	p := g.plugins[plugin]
	if p == nil {
		return errMissing{plugin, Errorf(NotFound, "a gap of plugin %s, which this program does not have", plugin)}
	}
	if p.m.Repair == nil {
		return nil
	}
	const second = time.Second / repairRate
	err := g.eachInstance(ctx, plugin, func(tx store.Tx, row store.Instance, n int) error {
		if row.Status != statusActive {
			return nil // its own gap is longer, and is repaired when it is resumed
		}
		return g.putGap(tx, row, gap, g.now().Add(time.Duration(n)*second+rand.N(second)))
	})
	return storeError(err, "beginning the repairs of %s", plugin)
}

// The gateway's own state: not an instance's.
const (
	ownState = "gateway"
	aliveKey = "alive"
	pausedAt = "gateway/paused-at" // of an instance: since when its deliveries may have been dropped
)

// beatEvery is about how often it is noted that a gateway runs, and the clocks are compared.
const beatEvery = time.Minute

// heartbeat notes from time to time, and at the end, that this program runs. A program that was held up in the middle of its life (a
// machine that slept) has missed as much as one that did not run. The pauses vary, so that each of several programs sometimes comes soon after
// another, and sees how their clocks differ.
func (g *Gateway) heartbeat(ctx context.Context) {
	for {
		tick := time.NewTimer(spread(beatEvery))
		select {
		case <-ctx.Done():
			tick.Stop()
			g.beat(context.WithoutCancel(ctx), true)
			return
		case <-tick.C:
			g.beat(ctx, true)
		}
	}
}

// awoke notes that this program runs, and looks, once in its life, for how long no gateway has run on this store.
func (g *Gateway) awoke(ctx context.Context) {
	last := g.lastBeat()
	if last.IsZero() || g.now().Sub(last).Abs() >= beatEvery {
		g.beat(ctx, last.IsZero())
	}
}

// lastBeat is when this program was last noted to run.
func (g *Gateway) lastBeat() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.beaten
}

// beat compares the clocks and notes that a gateway runs, and, where look is true, has repaired what may have been missed since that was
// noted last.
func (g *Gateway) beat(ctx context.Context, look bool) {
	g.clock.check(g.log)
	var now, last time.Time
	err := g.store.Update(ctx, func(tx store.Tx) error {
		raw, rev, err := tx.State(ownState, aliveKey)
		if err != nil {
			return err
		}
		now, last = g.now(), time.Time{}
		if raw != nil {
			if err := json.Unmarshal(raw, &last); err != nil {
				return Errorf(Internal, "decoding when a gateway ran last: %w", err)
			}
		}
		ran := maxTime(last, g.lastBeat()) // we did, whatever a program says since then whose clock is behind ours
		if look && !ran.IsZero() && now.Sub(ran) > shortAway {
			if err := g.wasAway(tx, ran); err != nil {
				return err
			}
		}
		if raw, err = json.Marshal(now); err != nil {
			return err
		}
		return tx.PutState(ownState, aliveKey, raw, rev)
	})
	if !last.IsZero() {
		g.clock.met(g.log, last)
	}
	if err == nil {
		g.mu.Lock()
		g.beaten = now
		g.mu.Unlock()
	} else if !errors.Is(err, store.ErrConflict) {
		g.log.Warn("it could not be noted that the gateway runs", "error", err)
	}
}

// wasAway begins the repairs after an outage of ours.
func (g *Gateway) wasAway(tx store.Tx, last time.Time) error {
	gap, err := g.gap(Gap{Since: last})
	if err != nil {
		return err
	}
	g.log.Warn("no gateway ran for a while; plugins that can fetch what they missed do so", "since", last)
	for _, p := range g.listed {
		if p.m.Repair == nil {
			continue
		}
		if err := g.putGap(tx, store.Instance{ID: allOf + p.m.Name}, gap, g.now()); err != nil {
			return err
		}
	}
	return nil
}

// paused notes since when an instance does not work, and resumed has repaired what it missed meanwhile: what is delivered to it waits, but
// not without bounds, and a platform may send nothing to who has no credentials.
func (g *Gateway) paused(tx store.Tx, row store.Instance) error {
	raw, rev, err := tx.State(row.ID, pausedAt)
	if err != nil || raw != nil || g.plugins[row.Plugin] == nil || g.plugins[row.Plugin].m.Repair == nil {
		return err
	}
	if raw, err = json.Marshal(g.now()); err != nil {
		return err
	}
	return tx.PutState(row.ID, pausedAt, raw, rev)
}

func (g *Gateway) resumed(tx store.Tx, row store.Instance) error {
	raw, rev, err := tx.State(row.ID, pausedAt)
	if err != nil || raw == nil {
		return err
	}
	var since time.Time
	if err := json.Unmarshal(raw, &since); err != nil {
		return Errorf(Internal, "decoding since when instance %s was paused: %w", row.Name, err)
	}
	if err := tx.PutState(row.ID, pausedAt, nil, rev); err != nil {
		return err
	}
	if p := g.plugins[row.Plugin]; p == nil || p.m.Repair == nil {
		return nil
	}
	gap, err := g.gap(Gap{Since: since})
	if err != nil {
		return err
	}
	return g.putGap(tx, row, gap, g.now())
}
