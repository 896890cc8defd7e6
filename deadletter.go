package gateway

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/metagov/gateway-go/store"
)

// bury passes over the event at a lane's head and keeps it as a dead letter.
func (g *Gateway) bury(tx store.Tx, s *sub, l store.Lane) error {
	events, err := tx.Events(store.EventQuery{After: l.Cursor, Community: l.Community}, batch)
	if err != nil {
		return err
	}
	next := l.Cursor
	for _, e := range events {
		next = e.Seq
		if s.hears(e) {
			t := store.Task{
				Kind: taskEvent, Key: s.name + "/" + strconv.FormatInt(e.Seq, 10), Community: e.Community, Instance: e.Instance,
				Payload: []byte(strconv.FormatInt(e.Seq, 10)), Created: g.now(),
			}
			if err := park(tx, t, groupDead, l.Error); err != nil {
				return err
			}
			if err := g.auditDead(tx, s, e); err != nil {
				return err
			}
			break
		}
	}
	return tx.PutLane(store.Lane{Sub: s.name, Community: l.Community, Cursor: next, Due: g.now()})
}

// DeadLetter is an event that a callback failed on too often, see [Gateway.OnEvent].
type DeadLetter struct {
	Key   string    `json:"key"` // names it for [Community.ReplayDeadLetter]
	Event Event     `json:"event"`
	Error string    `json:"error"`
	Since time.Time `json:"since"`
}

// DeadLetters lists up to limit events that a subscription has given up in this community, by key, those after the given one.
func (c *Community) DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error) {
	var out []DeadLetter
	err := c.g.view(ctx, func(tx store.Tx) error {
		out = nil
		tasks, err := tx.Tasks(store.TaskQuery{Kind: taskEvent, Community: c.row.Slug, Parked: true}, taskEvent, after, limit)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			d := DeadLetter{Key: t.Key, Error: t.Error, Since: t.Created}
			if e, err := deadEvent(tx, t); err == nil {
				d.Event = eventOf(e)
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			out = append(out, d)
		}
		return nil
	})
	return out, storeError(err, "listing the dead letters of %s", c.row.Slug)
}

func deadEvent(tx store.Tx, t store.Task) (store.Event, error) {
	seq, err := strconv.ParseInt(string(t.Payload), 10, 64)
	if err != nil {
		return store.Event{}, err
	}
	events, err := tx.Events(store.EventQuery{After: seq - 1, Community: t.Community}, 1)
	if err != nil {
		return store.Event{}, err
	}
	if len(events) == 0 || events[0].Seq != seq {
		return store.Event{}, store.ErrNotFound
	}
	return events[0], nil
}

// ReplayDeadLetter has the callback called again for a dead letter, out of order. NotFound: there is none with this key in this community.
func (c *Community) ReplayDeadLetter(ctx context.Context, key string) error {
	err := c.g.update(ctx, func(tx store.Tx) error {
		t, err := tx.Task(taskEvent, key)
		if err != nil {
			return err
		}
		if t.Community != c.row.Slug {
			return store.ErrNotFound
		}
		if err := tx.Unschedule(t.Kind, t.Key); err != nil {
			return err
		}
		t.Group, t.Attempts, t.Due = "", 0, c.g.now()
		return tx.Schedule(t)
	})
	return storeError(err, "replaying dead letter %q of %s", key, c.row.Slug)
}

// redeliver calls a callback for one dead letter.
func (g *Gateway) redeliver(ctx context.Context, t store.Task) error {
	var e store.Event
	err := g.view(ctx, func(tx store.Tx) (err error) { e, err = deadEvent(tx, t); return err })
	if err != nil {
		return gone(storeError(err, "reading dead letter %s", t.Key))
	}
	name := t.Key[:len(t.Key)-len(t.Payload)-1]
	g.mu.Lock()
	s := g.subs[name]
	g.mu.Unlock()
	if s == nil {
		return &waitError{groupDead} // nobody listens under this name here
	}
	c, err := g.Community(ctx, e.Community)
	if err != nil {
		return err
	}
	return g.callback(ctx, s, c, e)
}
