package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Test sends a message of type "gateway.test" now, also to an endpoint that is disabled, and returns what came of it. When it is taken,
// what waits for its next try is tried at once. It is not tried again.
func (e Endpoints) Test(ctx context.Context, id string) (HookAnswer, error) {
	if scopeOf(ctx).tx != nil {
		return HookAnswer{}, errInside("a test message")
	}
	var row store.Endpoint
	err := e.g.view(ctx, func(tx store.Tx) (err error) { row, err = e.row(tx, id); return err })
	if err != nil {
		return HookAnswer{}, storeError(err, "reading endpoint %q", id)
	}
	body, err := json.Marshal(hookBody{Type: ownMessages + ".test", Timestamp: e.g.now(), Data: struct {
		Community string `json:"community,omitempty"`
		Endpoint  string `json:"endpoint"`
	}{row.Community, row.ID}})
	if err != nil {
		return HookAnswer{}, Errorf(Internal, "encoding a test message: %w", err)
	}
	a, err := e.g.post(ctx, row, "msg_"+row.ID+"_"+newID("test_"), body)
	if a.Error != "" || err != nil {
		return a.HookAnswer, err
	}
	err = e.g.update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		row, err := e.row(tx, id)
		if err != nil {
			return err
		}
		row.LastSuccess, row.FailingSince = e.g.now(), time.Time{}
		if err := tx.PutEndpoint(row); err != nil {
			return err
		}
		return e.g.wakeHooks(tx, id)
	})
	return a.HookAnswer, storeError(err, "noting that endpoint %q took a test message", id)
}

// Replay sends again what happened from a time on, as far as it is kept (Options.Retain) and the endpoint hears it, also what is from before it was
// made. Messages have the IDs that they had.
func (e Endpoints) Replay(ctx context.Context, id string, since time.Time) error {
	after, err := e.seqBefore(ctx, since)
	if err != nil {
		return err
	}
	for slug := ""; ; {
		var communities []string
		const some = 200
		err := e.g.update(ctx, func(tx store.Tx) error {
			if _, err := e.row(tx, id); err != nil {
				return err
			}
			communities = []string{e.community}
			if e.community == "" {
				rows, err := tx.Communities(slug, some)
				if err != nil {
					return err
				}
				communities = nil
				for _, c := range rows {
					communities = append(communities, c.Slug)
				}
			}
			for _, c := range communities {
				if err := e.g.rewind(tx, id, c, after); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return storeError(err, "replaying to endpoint %q", id)
		}
		if e.community != "" || len(communities) < some {
			return nil
		}
		slug = communities[len(communities)-1]
	}
}

// rewind has a line begin again after an event, unless it is further back.
func (g *Gateway) rewind(tx store.Tx, endpoint, community string, after int64) error {
	now := g.now()
	t := lineTask(endpoint, community, after)
	t.Due, t.Created = now, now
	have, err := tx.Task(t.Kind, t.Key)
	if errors.Is(err, store.ErrNotFound) {
		return tx.Schedule(t)
	}
	if err != nil {
		return err
	}
	p, err := placeOf(have)
	if err != nil || p.After <= after {
		return err
	}
	_, err = moved(tx, have, hookPlace{After: after}, now, "") // whoever works on it finds that it is not theirs any more
	return err
}

// seqBefore is the number before the first event that happened at a time or later. Events are nearly in the order of time, but a platform's
// time may be anything, so that they are looked through.
func (e Endpoints) seqBefore(ctx context.Context, since time.Time) (after int64, err error) {
	for found := false; !found; {
		err := e.g.view(ctx, func(tx store.Tx) error {
			events, err := tx.Events(store.EventQuery{After: after, Community: e.community}, batch)
			for _, ev := range events {
				if found = !ev.At.Before(since); found {
					return nil
				}
				after = ev.Seq
			}
			found = len(events) < batch
			return err
		})
		if err != nil {
			return 0, storeError(err, "looking for what happened since %s", since.Format(time.RFC3339))
		}
	}
	return after, nil
}

// DeadMessage is a message that was given up.
type DeadMessage struct {
	Key       string    `json:"key"` // names it for [Endpoints.ReplayDead]
	ID        string    `json:"id"`  // as the receiver knows it: webhook-id
	Community string    `json:"community"`
	Type      string    `json:"type,omitempty"` // "" when its event is not kept any more
	Error     string    `json:"error"`
	Since     time.Time `json:"since"` // when it left its line
}

// Dead lists up to limit messages that were given up, by key, those after the given one.
func (e Endpoints) Dead(ctx context.Context, id, after string, limit int) (out []DeadMessage, err error) {
	err = e.g.view(ctx, func(tx store.Tx) error {
		out = nil
		if _, err := e.row(tx, id); err != nil {
			return err
		}
		tasks, err := tx.Tasks(store.TaskQuery{Kind: taskHookOne, Ref: id, Group: groupDead}, taskHookOne, after, limit)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			p, err := placeOf(t)
			if err != nil {
				return err
			}
			m := DeadMessage{Key: t.Key, ID: hookID(id, p.After+1), Community: t.Community, Error: t.Error, Since: t.Created}
			events, err := tx.Events(store.EventQuery{After: p.After, Community: t.Community}, 1)
			if err != nil {
				return err
			}
			if len(events) > 0 && events[0].Seq == p.After+1 {
				m.Type = hookType(events[0])
			}
			out = append(out, m)
		}
		return nil
	})
	return out, storeError(err, "listing the dead messages of endpoint %q", id)
}

// ReplayDead sends a message again that was given up, with its schedule from the beginning, and out of order.
func (e Endpoints) ReplayDead(ctx context.Context, id, key string) error {
	return storeError(e.g.update(ctx, func(tx store.Tx) error {
		if _, err := e.row(tx, id); err != nil {
			return err
		}
		t, err := tx.Task(taskHookOne, key)
		if err != nil {
			return err
		}
		if t.Ref != id || t.Group != groupDead {
			return store.ErrNotFound
		}
		p, err := placeOf(t)
		if err != nil {
			return err
		}
		_, err = moved(tx, t, hookPlace{After: p.After}, e.g.now(), "")
		return err
	}), "replaying message %q of endpoint %q", key, id)
}

// maxHookBacklog is how far the messages that wait are counted.
const maxHookBacklog = 1000

// hookBacklog counts what waits for an endpoint, and what was given up.
func hookBacklog(tx store.Tx, row store.Endpoint, filters []Filter) (waiting, dead int, err error) {
	dead, _, err = tx.CountTasks(store.TaskQuery{Kind: taskHookOne, Ref: row.ID, Group: groupDead}, maxHookBacklog)
	if err != nil {
		return 0, 0, err
	}
	tasks, err := tx.Tasks(store.TaskQuery{Ref: row.ID}, "", "", maxHookBacklog)
	if err != nil {
		return 0, 0, err
	}
	last, err := tx.LastSeq()
	if err != nil {
		return 0, 0, err
	}
	read := 0
	for _, t := range tasks {
		if t.Kind == taskHookOne {
			if t.Group != groupDead {
				waiting++
			}
			continue
		}
		p, err := placeOf(t)
		if err != nil {
			return 0, 0, err
		}
		if read >= maxHookBacklog || p.After >= last {
			continue
		}
		events, err := tx.Events(store.EventQuery{After: p.After, Community: t.Community}, maxHookBacklog-read)
		if err != nil {
			return 0, 0, err
		}
		read += len(events)
		for _, e := range events {
			if hookPasses(filters, e) {
				waiting++
			}
		}
	}
	return min(waiting, maxHookBacklog), dead, nil
}
