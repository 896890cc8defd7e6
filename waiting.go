package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// waitError says that a delivery has to wait for something, in a group that is unparked when it has happened.
type waitError struct{ group string }

func (e *waitError) Error() string { return "waits for " + e.group }

// waitFor keeps a delivery aside, as long as there is room for it there: what nobody can use yet must not fill the store.
func (g *Gateway) waitFor(tx store.Tx, a *arrival, row store.Instance, group string, w work) error {
	full := func(q store.TaskQuery, limit int) (bool, error) {
		n, _, err := tx.CountTasks(q, limit)
		return n >= limit, err
	}
	tooMany, err := full(store.TaskQuery{Kind: taskInbox, Group: group, Parked: true}, g.o.MaxParked)
	// What an instance that works waits for is soon over: what lies around for others must not take its place.
	idle := row.Status != statusActive
	if err == nil && !tooMany && idle {
		tooMany, err = full(store.TaskQuery{Kind: taskInbox, Parked: true}, 10*g.o.MaxParked)
	}
	if err != nil {
		return err
	}
	if tooMany || idle && len(a.d.Body) > maxParkedBody {
		g.log.Warn("a delivery was dropped: too much waits already", "plugin", a.p.m.Name, "group", group, "delivery", a.d.ID, "bytes", len(a.d.Body))
		return errDropped
	}
	return park(tx, g.inboxTask(a.d.ID, row, w, g.now()), group, "")
}

// park keeps a new task out of the running from the beginning.
func park(tx store.Tx, t store.Task, group, reason string) error {
	t.Due = t.Created
	if err := tx.Schedule(t); err != nil {
		return err
	}
	t, err := tx.Task(t.Kind, t.Key)
	if err != nil {
		return err
	}
	return tx.Park(t, group, reason)
}

// maxParkedBody is the size in bytes up to which a delivery is kept aside that nobody can use yet.
const maxParkedBody = 64 << 10

// handleInbox does what remains to be done with a delivery.
func (g *Gateway) handleInbox(ctx context.Context, t store.Task) error {
	var w work
	if err := json.Unmarshal(t.Payload, &w); err != nil {
		return Errorf(Internal, "decoding an inbox task: %w", err)
	}
	if w.Stage == stageReceive {
		if err := g.receiveEarlier(ctx, t); err != nil {
			return err
		}
		return g.receiveLater(ctx, t, w)
	}
	p, d, message, err := g.reread(ctx, t)
	if err != nil {
		return err
	}
	var row store.Instance
	err = g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Instance(t.Instance); return err })
	if err != nil {
		return gone(storeError(err, "the instance of delivery %s", d.ID))
	}
	if row.Status != statusActive {
		return &waitError{groupPaused(row.ID)}
	}
	inst, err := g.open(ctx, row)
	if err != nil {
		return err
	}
	ctx = withScope(ctx, scope{delivery: d.ID})
	if w.Stage == stageHandle && p.m.Webhook.Handle == nil || w.Stage != stageHandle && w.Stage != stageAnswer {
		return errMissing{row.Plugin, Errorf(Internal, "delivery %s needs a version of plugin %s with the stage %q", d.ID, row.Plugin, w.Stage)}
	}
	return g.guard(w.Stage+" of a delivery of "+row.Plugin, func() error {
		if w.Stage == stageAnswer {
			if p.m.Webhook.Answer == nil {
				return Errorf(Internal, "plugin %s has a reply to bring and no Webhook.Answer", row.Plugin)
			}
			return p.m.Webhook.Answer(ctx, inst.self, message, w.Then)
		}
		return p.m.Webhook.Handle(ctx, inst.self, message)
	})
}

// reread takes a task's delivery out of the inbox and parses it once more.
func (g *Gateway) reread(ctx context.Context, t store.Task) (*plug, *Delivery, any, error) {
	var d store.Delivery
	err := g.view(ctx, func(tx store.Tx) (err error) { d, err = tx.Delivery(t.Ref); return err })
	if err != nil {
		return nil, nil, nil, gone(storeError(err, "reading delivery %s", t.Ref))
	}
	p := g.plugins[d.Plugin]
	if p == nil || p.m.Webhook == nil {
		return nil, nil, nil, errMissing{d.Plugin, Errorf(NotFound, "delivery %s is for plugin %s, which this program does not have", d.ID, d.Plugin)}
	}
	del := &Delivery{ID: d.ID, Body: d.Body, Received: d.At}
	if err := json.Unmarshal(d.Header, &del.Header); err != nil {
		return nil, nil, nil, Errorf(Internal, "decoding the headers of delivery %s: %w", d.ID, err)
	}
	message, err := g.parse(p, del)
	if err != nil {
		return nil, nil, nil, Errorf(Internal, "delivery %s cannot be read any more: %w", d.ID, err)
	}
	return p, del, message, nil
}

// catchUp receives what was taken for an instance and put off, as its code had failed or hung: ballots among it were cast in time. Where some is left
// when the time for it is over, late says so.
func (g *Gateway) catchUp(ctx context.Context, instance string) (late bool, err error) {
	within, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	for pause := time.Duration(0); ; pause = 20 * time.Millisecond {
		if late, err = g.catchingUp(ctx, instance); err != nil || !late {
			return late, err
		}
		select {
		case <-within.Done():
			return true, ctx.Err()
		case <-time.After(pause):
		}
		if err := g.receiveEarlier(ctx, store.Task{Instance: instance, Key: afterAll}); err != nil {
			return true, err
		}
	}
}

// afterAll is behind every task's key.
const afterAll = "\xff"

// receiveEarlier takes what waits before a delivery to the same instance, so that it is received in the order in which it came
// although tasks run side by side. What fails, or has failed, is left to its own task.
func (g *Gateway) receiveEarlier(ctx context.Context, t store.Task) error {
	if t.Instance == "" {
		return nil
	}
	for after := ""; ; {
		const some = 100
		var tasks []store.Task
		err := g.view(ctx, func(tx store.Tx) (err error) {
			tasks, err = tx.Tasks(store.TaskQuery{Kind: taskInbox, Instance: t.Instance}, taskInbox, after, some)
			return err
		})
		if err != nil {
			return storeError(err, "looking for earlier deliveries")
		}
		for _, e := range tasks {
			if e.Key >= t.Key {
				return nil
			}
			after = e.Key
			if e.Due.IsZero() || e.Error != "" || !strings.HasSuffix(e.Key, "/"+stageReceive) {
				continue
			}
			_ = g.guard("an earlier delivery", func() error { return g.receiveLater(ctx, e, work{Stage: stageReceive}) })
		}
		if len(tasks) < some {
			return nil
		}
	}
}

// receiveLater is what distribute does, for a delivery that had to wait.
func (g *Gateway) receiveLater(ctx context.Context, t store.Task, w work) error {
	p, d, message, err := g.reread(ctx, t)
	if err != nil {
		return err
	}
	g.hands.begin()
	defer g.hands.end()
	var wait *waitError
	err = g.store.Update(ctx, func(tx store.Tx) error {
		wait, d.forget = nil, false
		if have, err := tx.Task(t.Kind, t.Key); errors.Is(err, store.ErrNotFound) || err == nil && have.Rev != t.Rev {
			return nil // somebody else has done it, or is to
		} else if err != nil {
			return err
		}
		rows, err := g.laterRows(tx, t, w, p)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			wait = &waitError{groupUnknown(p.m.Name, w.Platform)}
			return nil
		}
		for _, row := range rows {
			if row.Status != statusActive {
				wait = &waitError{groupPaused(row.ID)}
			} else if _, err := g.bounded(ctx, tx, row.ID, "receiving a delivery of "+row.Plugin, func(ctx context.Context) (Reply, error) {
				return g.receive(ctx, tx, p, row, d, message)
			}); err != nil && !errors.As(err, &wait) {
				return err
			}
			if wait != nil && t.Instance == "" { // the others must not get it twice
				if err := park(tx, g.inboxTask(d.ID, row, work{Stage: stageReceive}, g.now()), wait.group, ""); err != nil {
					return err
				}
				wait = nil
			}
		}
		if wait != nil {
			return nil
		}
		if err := tx.Done(t); err != nil || !d.forget {
			return err
		}
		return g.blank(tx, d.ID)
	})
	if err != nil {
		return err
	}
	if wait != nil {
		return wait
	}
	return errDone
}

// laterRows finds for whom a delivery is that had to wait; nobody, as long as its platform object is not installed.
func (g *Gateway) laterRows(tx store.Tx, t store.Task, w work, p *plug) ([]store.Instance, error) {
	if t.Instance == "" {
		return tx.InstancesByPlatform(p.m.Name, w.Platform, 1000)
	}
	row, err := tx.Instance(t.Instance)
	if err != nil {
		return nil, gone(err)
	}
	return []store.Instance{row}, nil
}

// errDone says that a task's end is committed already.
var errDone = errors.New("done")

// unpark lets the deliveries and processes go on that wait for an instance.
func (g *Gateway) unpark(tx store.Tx, row store.Instance) error {
	if row.Status != statusActive {
		return nil
	}
	if row.PlatformID != "" {
		if err := g.adopt(tx, row); err != nil {
			return err
		}
	}
	_, err := tx.Unpark(store.TaskQuery{Group: groupPaused(row.ID)}, g.now(), 1<<20)
	return err
}

// adopt gives the deliveries that waited for a platform object to the first instance that stands for it.
func (g *Gateway) adopt(tx store.Tx, row store.Instance) error {
	q := store.TaskQuery{Kind: taskInbox, Group: groupUnknown(row.Plugin, row.PlatformID), Parked: true}
	for {
		tasks, err := tx.Tasks(q, "", "", 100)
		if err != nil || len(tasks) == 0 {
			return err
		}
		for _, t := range tasks {
			if err := tx.Unschedule(t.Kind, t.Key); err != nil {
				return err
			}
			own := g.inboxTask(t.Ref, row, work{Stage: stageReceive}, g.now())
			own.Created = t.Created
			if err := tx.Schedule(own); err != nil {
				return err
			}
		}
	}
}

// Waiting is a delivery that could not be used yet, or was given up.
type Waiting struct {
	Key      string    `json:"key"` // names it for [Gateway.Replay]
	Delivery string    `json:"delivery"`
	For      string    `json:"for"` // what it waits for: "unknown:slack:T1", "paused:…", "dead"
	Error    string    `json:"error,omitempty"`
	Since    time.Time `json:"since"`
}

// Inbox lists up to limit deliveries that wait, in all communities, those after the given key.
func (g *Gateway) Inbox(ctx context.Context, after string, limit int) ([]Waiting, error) {
	var out []Waiting
	err := g.view(ctx, func(tx store.Tx) error {
		tasks, err := tx.Tasks(store.TaskQuery{Kind: taskInbox, Parked: true}, taskInbox, after, limit)
		out = make([]Waiting, 0, len(tasks))
		for _, t := range tasks {
			out = append(out, Waiting{Key: t.Key, Delivery: t.Ref, For: t.Group, Error: t.Error, Since: t.Created})
		}
		return err
	})
	return out, storeError(err, "listing the inbox")
}

// Replay makes a waiting delivery due now, whatever it waits for.
func (g *Gateway) Replay(ctx context.Context, key string) error {
	err := g.update(ctx, func(tx store.Tx) error {
		t, err := tx.Task(taskInbox, key)
		if err != nil {
			return err
		}
		if err := tx.Unschedule(taskInbox, key); err != nil {
			return err
		}
		t.Due, t.Group, t.Attempts, t.Error = g.now(), "", 0, ""
		return tx.Schedule(t)
	})
	return storeError(err, "replaying delivery %s", key)
}
