package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// runLanes goes on with the communities that have fallen behind and are due, but for those that somebody worked on when their
// lanes were read. It says which have a lane.
func (g *Gateway) runLanes(
	ctx context.Context, s *sub, wg *sync.WaitGroup, place store.Sub, lanes []store.Lane, busy map[string]bool, patience time.Duration,
) (behind map[string]bool, ran bool) {
	behind = make(map[string]bool, len(lanes))
	now := g.now()
	for _, l := range lanes {
		behind[l.Community] = true
		s.mu.Lock()
		skip := busy[l.Community] || s.busy[l.Community] || l.Due.After(now)
		if !skip {
			s.busy[l.Community] = true
		}
		s.mu.Unlock()
		if skip {
			continue
		}
		ran = true
		run := func() {
			var events []store.Event
			err := g.view(ctx, func(tx store.Tx) (err error) {
				events, err = tx.Events(store.EventQuery{After: l.Cursor, Community: l.Community}, batch)
				return err
			})
			r := result{l.Cursor, storeError(err, "reading the events of %s", l.Community), ctx.Err() != nil}
			if err == nil {
				r = g.hear(ctx, s, l.Community, g.heard(s, events, place.Cursor), l.Cursor)
				if r.failed == nil && len(events) > 0 {
					r.cursor = min(events[len(events)-1].Seq, max(place.Cursor, l.Cursor))
				}
			}
			g.settleLane(ctx, s, l, r, patience > 0)
		}
		if patience > 0 {
			wg.Go(run)
		} else {
			run()
		}
	}
	return behind, ran
}

// heard leaves out what the callback does not hear, and what the main cursor has not passed.
func (g *Gateway) heard(s *sub, events []store.Event, upTo int64) []store.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e store.Event) bool { return !s.hears(e) || e.Seq > upTo })
}

// laneAfter is the lane of a community after a failure. attempts is how often the event at its head had failed before.
func (g *Gateway) laneAfter(s *sub, community string, r result, attempts int) store.Lane {
	return store.Lane{
		Sub: s.name, Community: community, Cursor: r.cursor, Attempts: attempts + 1,
		Due: g.now().Add(backoff(attempts+1, r.failed)), Error: text(r.failed),
	}
}

// settleLane keeps how far a community has come: it has caught up, it has more to hear, or it failed again. An event that fails too often
// becomes a dead letter.
func (g *Gateway) settleLane(ctx context.Context, s *sub, was store.Lane, r result, wait bool) {
	err := g.insist(ctx, wait, "the place of "+was.Community+" in "+s.name, func(tx store.Tx) error {
		place, err := tx.Sub(s.name)
		if err != nil {
			return err
		}
		if r.failed != nil && !r.ends {
			attempts := 0
			if r.cursor == was.Cursor {
				attempts = was.Attempts
			}
			l := g.laneAfter(s, was.Community, r, attempts)
			if l.Attempts < maxTries || CodeOf(r.failed) == Unavailable {
				return tx.PutLane(l)
			}
			return g.bury(tx, s, l)
		}
		events, err := tx.Events(store.EventQuery{After: r.cursor, Community: was.Community}, 1)
		if err != nil {
			return err
		}
		if len(events) == 0 || events[0].Seq > place.Cursor {
			return tx.DeleteLane(s.name, was.Community)
		}
		return tx.PutLane(store.Lane{Sub: s.name, Community: was.Community, Cursor: r.cursor, Due: g.now()})
	})
	s.mu.Lock()
	delete(s.busy, was.Community)
	s.mu.Unlock()
	if r.failed != nil && !r.ends {
		g.log.Warn("a callback failed", "subscription", s.name, "community", was.Community, "after", r.cursor, "error", r.failed)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		g.log.Error("a subscription's place could not be kept; events will come again", "subscription", s.name, "community", was.Community, "error", err)
	}
}
