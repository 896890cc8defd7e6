package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/metagov/gateway-go/store"
)

// arrival is a delivery that was verified and parsed, on its way into the inbox.
type arrival struct {
	p       *plug
	d       *Delivery
	door    string
	message any
	inst    string // the instance that the URL named, "" where the delivery says by itself for whom it is
}

// The stages of a delivery's way to one instance.
const (
	stageReceive = "receive" // in a transaction: events, ballots
	stageHandle  = "handle"  // Webhook.Handle
	stageAnswer  = "answer"  // Webhook.Answer
)

// work is the payload of an inbox task.
type work struct {
	Stage    string          `json:"stage"`
	Platform string          `json:"platform,omitempty"` // for whom, as long as no instance is known
	Then     json.RawMessage `json:"then,omitempty"`     // for stageAnswer
}

// Where deliveries wait.
func groupUnknown(plugin, platform string) string { return "unknown:" + plugin + ":" + platform }
func groupPaused(instance string) string          { return "paused:" + instance }
func groupProcess(id string) string               { return "process:" + id }

const groupDead = "dead" // given up; listed, and can be replayed

// accept keeps a delivery and, in the same transaction, takes it to everybody it is for. When it returns without an
// error the delivery is durable and may be acknowledged.
func (g *Gateway) accept(ctx context.Context, a *arrival) (Reply, error) {
	header, err := json.Marshal(keep(a.d.Header, a.p.m.Webhook.Keep))
	if err != nil {
		return Reply{}, Errorf(Internal, "encoding the headers of a delivery: %w", err)
	}
	row := store.Delivery{
		ID: a.d.ID, Plugin: a.p.m.Name, Fact: a.p.m.Webhook.ID(a.message), Instance: a.inst, Door: a.door, Header: header, Body: a.d.Body, At: a.d.Received,
	}
	failed := map[string]error{} // by instance: what its own code did to the transaction
	for {
		var reply Reply
		var bad *instanceError
		err := g.store.Update(ctx, func(tx store.Tx) error {
			reply = Reply{}
			fresh, err := tx.Accept(row)
			if err != nil || !fresh {
				return err
			}
			return g.distribute(ctx, tx, a, failed, &reply)
		})
		if errors.As(err, &bad) && failed[bad.instance] == nil {
			failed[bad.instance] = bad.err // once more, without that instance: it gets its delivery later
			continue
		}
		return reply, storeError(err, "keeping a delivery of %s", a.p.m.Name)
	}
}

// instanceError says whose code failed inside the transaction.
type instanceError struct {
	instance string
	err      error
}

func (e *instanceError) Error() string { return e.err.Error() }
func (e *instanceError) Unwrap() error { return e.err }

// distribute takes a delivery to the instances that it is for.
func (g *Gateway) distribute(ctx context.Context, tx store.Tx, a *arrival, failed map[string]error, reply *Reply) error {
	rows, missing, err := g.targets(tx, a)
	if err != nil {
		return err
	}
	for _, platform := range missing {
		if err := g.waitFor(tx, a, "", groupUnknown(a.p.m.Name, platform), work{Stage: stageReceive, Platform: platform}); err != nil {
			return err
		}
	}
	for _, row := range rows {
		w := work{Stage: stageReceive}
		if row.Status != statusActive {
			if err := g.waitFor(tx, a, row.ID, groupPaused(row.ID), w); err != nil {
				return err
			}
			continue
		}
		if err := failed[row.ID]; err != nil {
			g.log.Error("a delivery could not be received; trying again", "plugin", row.Plugin, "community", row.Community, "delivery", a.d.ID, "error", err)
			if err := tx.Schedule(g.inboxTask(a.d.ID, row, w, g.now().Add(backoff(1, err)))); err != nil {
				return err
			}
			continue
		}
		r, err := g.receive(ctx, tx, a.p, row, a.d, a.message)
		var wait *waitError
		switch {
		case errors.As(err, &wait):
			if err := g.waitFor(tx, a, row.ID, wait.group, w); err != nil {
				return err
			}
		case err != nil:
			return &instanceError{row.ID, err}
		case reply.Status == 0 && reply.Body == nil:
			*reply = r
		}
	}
	return nil
}

// targets finds the instances that a delivery is for, and the platform objects that nobody has installed.
func (g *Gateway) targets(tx store.Tx, a *arrival) (rows []store.Instance, missing []string, err error) {
	if a.inst != "" {
		row, err := tx.Instance(a.inst)
		return []store.Instance{row}, nil, err
	}
	for _, platform := range a.p.m.Webhook.Route(a.message).Platform {
		found, err := tx.InstancesByPlatform(a.p.m.Name, platform, 1000)
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 {
			missing = append(missing, platform)
		}
		for _, row := range found {
			if !containsInstance(rows, row.ID) {
				rows = append(rows, row)
			}
		}
	}
	return rows, missing, nil
}

func containsInstance(rows []store.Instance, id string) bool {
	for _, row := range rows {
		if row.ID == id {
			return true
		}
	}
	return false
}

// waitError says that a delivery has to wait for something, in a group that is unparked when it has happened.
type waitError struct{ group string }

func (e *waitError) Error() string { return "waits for " + e.group }

// waitFor keeps a delivery aside, as long as there is room for it there: what nobody can use yet must not fill the store.
func (g *Gateway) waitFor(tx store.Tx, a *arrival, instance, group string, w work) error {
	full := func(q store.TaskQuery, limit int) (bool, error) {
		n, _, err := tx.CountTasks(q, limit)
		return n >= limit, err
	}
	tooMany, err := full(store.TaskQuery{Kind: taskInbox, Group: group, Parked: true}, g.o.MaxParked)
	if err == nil && !tooMany {
		tooMany, err = full(store.TaskQuery{Kind: taskInbox, Parked: true}, 10*g.o.MaxParked)
	}
	if err != nil {
		return err
	}
	if tooMany || len(a.d.Body) > maxParkedBody {
		g.log.Warn("a delivery was dropped: too much waits already", "plugin", a.p.m.Name, "group", group, "delivery", a.d.ID, "bytes", len(a.d.Body))
		return nil
	}
	t := g.inboxTask(a.d.ID, store.Instance{ID: instance}, w, time.Time{})
	t.Group = group
	return tx.Schedule(t)
}

// maxParkedBody is the size in bytes up to which a delivery is kept aside.
const maxParkedBody = 64 << 10

// inboxTask is what remains to be done with a delivery for one instance.
func (g *Gateway) inboxTask(delivery string, row store.Instance, w work, due time.Time) store.Task {
	raw, _ := json.Marshal(w) // strings and JSON
	target := row.ID
	if target == "" {
		target = w.Platform
	}
	return store.Task{
		Kind: taskInbox, Key: delivery + "/" + target + "/" + w.Stage, Community: row.Community, Instance: row.ID, Ref: delivery,
		Due: due, Payload: raw, Created: g.now(),
	}
}

// receive takes a delivery to one instance inside a transaction: to its processes and to its webhook's Receive.
func (g *Gateway) receive(ctx context.Context, tx store.Tx, p *plug, row store.Instance, d *Delivery, message any) (Reply, error) {
	w := p.m.Webhook
	inst, err := g.open(withScope(ctx, scope{tx: tx}), row)
	if err != nil {
		return Reply{}, err
	}
	cause, waits, err := g.echoed(tx, row.ID, w.Echo(inst.self, message))
	if err != nil {
		return Reply{}, err
	}
	if waits != "" {
		return Reply{}, &waitError{groupEcho(waits)}
	}
	ctx = withScope(ctx, scope{tx: tx, delivery: d.ID, cause: cause})
	ids, err := g.processesFor(tx, w, row, message)
	if err != nil {
		return Reply{}, err
	}
	var reply Reply
	for _, id := range ids {
		r, err := g.receiveProcess(ctx, tx, id, inst, message)
		if err != nil {
			return Reply{}, err
		}
		if err := g.answerLater(tx, d, row, r.Then); err != nil {
			return Reply{}, err
		}
		if reply.Status == 0 && reply.Body == nil {
			reply = r
		}
	}
	r, err := guardReply("receiving a delivery of "+row.Plugin, func() (Reply, error) { return w.Receive(ctx, inst.self, message) })
	if err != nil {
		return Reply{}, err
	}
	if err := g.answerLater(tx, d, row, r.Then); err != nil {
		return Reply{}, err
	}
	if reply.Status == 0 && reply.Body == nil {
		reply = r
	}
	if w.Handle != nil && w.Slow(message) {
		if err := tx.Schedule(g.inboxTask(d.ID, row, work{Stage: stageHandle}, g.now())); err != nil {
			return Reply{}, err
		}
	}
	return reply, nil
}

func (g *Gateway) answerLater(tx store.Tx, d *Delivery, row store.Instance, then json.RawMessage) error {
	if then == nil {
		return nil
	}
	return tx.Schedule(g.inboxTask(d.ID, row, work{Stage: stageAnswer, Then: then}, g.now()))
}

// processesFor finds the processes of one instance that a message is for: the one whose ID it carries, and those of the
// platform objects that it is about.
func (g *Gateway) processesFor(tx store.Tx, w *WebhookDef, row store.Instance, message any) ([]string, error) {
	var ids []string
	add := func(id string) {
		for _, have := range ids {
			if have == id {
				return
			}
		}
		ids = append(ids, id)
	}
	if id := w.Route(message).Process; id != "" {
		p, err := tx.Process(id)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		case p.Instance == row.ID: // another community's process must not be reached by its ID
			add(id)
		}
	}
	for _, ref := range w.Refs(message) {
		id, err := tx.ProcessByRef(row.ID, ref)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		default:
			add(id)
		}
	}
	return ids, nil
}

// receiveProcess gives a message to a process inside the transaction that accepts it.
func (g *Gateway) receiveProcess(ctx context.Context, tx store.Tx, id string, inst *opened, message any) (Reply, error) {
	row, err := tx.Process(id)
	if errors.Is(err, store.ErrNotFound) {
		return Reply{}, nil
	}
	if err != nil {
		return Reply{}, err
	}
	if row.Status == store.Created {
		return Reply{}, &waitError{groupProcess(id)} // it was quicker than the answer to our own call
	}
	s, err := g.stepOf(row, inst)
	if err != nil || s.def.Receive == nil {
		return Reply{}, err
	}
	s.quick = true
	r, err := guardReply("process "+row.Name, func() (Reply, error) { return s.def.Receive(ctx, s.state, s, message) })
	switch CodeOf(err) {
	case "":
		return r, s.ask(tx)
	case Invalid, NotFound, Conflict, Denied:
		// The message was wrong, and would be the next time: it is taken, and changes nothing.
		inst.Log.Info("a process refused a message", "process", id, "error", err)
		return Reply{}, nil
	}
	return Reply{}, err
}

func guardReply(what string, fn func() (Reply, error)) (r Reply, err error) {
	err = guard(what, func() (err error) { r, err = fn(); return err })
	return r, err
}

// handleInbox does what remains to be done with a delivery.
func (g *Gateway) handleInbox(ctx context.Context, t store.Task) error {
	var w work
	if err := json.Unmarshal(t.Payload, &w); err != nil {
		return Errorf(Internal, "decoding an inbox task: %w", err)
	}
	var d store.Delivery
	err := g.view(ctx, func(tx store.Tx) (err error) { d, err = tx.Delivery(t.Ref); return err })
	if err != nil {
		return storeError(err, "reading delivery %s", t.Ref)
	}
	p := g.plugins[d.Plugin]
	if p == nil || p.m.Webhook == nil {
		return errMissing{d.Plugin, Errorf(NotFound, "delivery %s is for plugin %s, which this program does not have", d.ID, d.Plugin)}
	}
	del := &Delivery{ID: d.ID, Body: d.Body, Received: d.At}
	if err := json.Unmarshal(d.Header, &del.Header); err != nil {
		return Errorf(Internal, "decoding the headers of delivery %s: %w", d.ID, err)
	}
	message, err := p.m.Webhook.Parse(del)
	if err != nil {
		return Errorf(Internal, "parsing delivery %s again: %w", d.ID, err)
	}
	if w.Stage == stageReceive {
		return g.receiveLater(ctx, t, w, p, del, message)
	}
	var row store.Instance
	err = g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Instance(t.Instance); return err })
	if err != nil {
		return storeError(err, "the instance of delivery %s", d.ID)
	}
	if row.Status != statusActive {
		return &waitError{groupPaused(row.ID)}
	}
	inst, err := g.open(ctx, row)
	if err != nil {
		return err
	}
	ctx = withScope(ctx, scope{delivery: d.ID})
	return guard(w.Stage+" of a delivery of "+d.Plugin, func() error {
		if w.Stage == stageAnswer {
			if p.m.Webhook.Answer == nil {
				return Errorf(Internal, "plugin %s has a reply to bring and no Webhook.Answer", d.Plugin)
			}
			return p.m.Webhook.Answer(ctx, inst.self, message, w.Then)
		}
		return p.m.Webhook.Handle(ctx, inst.self, message)
	})
}

// receiveLater is what distribute does, for a delivery that had to wait.
func (g *Gateway) receiveLater(ctx context.Context, t store.Task, w work, p *plug, d *Delivery, message any) error {
	var wait *waitError
	err := g.store.Update(ctx, func(tx store.Tx) error {
		wait = nil
		var rows []store.Instance
		var err error
		if t.Instance != "" {
			row, err := tx.Instance(t.Instance)
			if err != nil {
				return err
			}
			rows = []store.Instance{row}
		} else if rows, err = tx.InstancesByPlatform(p.m.Name, w.Platform, 1000); err != nil {
			return err
		}
		if len(rows) == 0 {
			wait = &waitError{groupUnknown(p.m.Name, w.Platform)}
			return nil
		}
		for _, row := range rows {
			if row.Status != statusActive {
				wait = &waitError{groupPaused(row.ID)}
			} else if _, err := g.receive(ctx, tx, p, row, d, message); errors.As(err, &wait) {
				err = nil
			} else if err != nil {
				return err
			}
			if wait != nil && t.Instance == "" { // the others must not get it twice
				own := g.inboxTask(d.ID, row, work{Stage: stageReceive}, time.Time{})
				own.Group = wait.group
				if err := tx.Schedule(own); err != nil {
					return err
				}
				wait = nil
			}
		}
		if wait != nil {
			return nil
		}
		return tx.Done(t)
	})
	if err != nil {
		return err
	}
	if wait != nil {
		return wait
	}
	return errDone
}

// errDone says that a task's end is committed already.
var errDone = errors.New("done")

// unpark lets the deliveries and processes go on that wait for an instance.
func (g *Gateway) unpark(tx store.Tx, row store.Instance) error {
	groups := []string{groupPaused(row.ID)}
	if row.PlatformID != "" {
		groups = append(groups, groupUnknown(row.Plugin, row.PlatformID))
	}
	if row.Status != statusActive {
		return nil
	}
	for _, group := range groups {
		if _, err := tx.Unpark(store.TaskQuery{Group: group}, g.now(), 1<<20); err != nil {
			return err
		}
	}
	return nil
}

// keep takes the headers that a delivery is kept with.
func keep(h http.Header, names []string) http.Header {
	out := http.Header{}
	for _, name := range append([]string{"Content-Type"}, names...) {
		if v := h.Values(name); len(v) > 0 {
			out[http.CanonicalHeaderKey(name)] = v
		}
	}
	return out
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
