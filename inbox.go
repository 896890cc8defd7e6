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
	to      Target // what the delivery says; found before the transaction begins
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
func (g *Gateway) accept(ctx context.Context, a *arrival) (_ Reply, err error) {
	ctx, seen := g.sight.begin(ctx, seenDelivery, a.p.m.Name, a.p.m.Name, a.d.ID)
	defer func() { seen.end(err) }()
	header, err := json.Marshal(keep(a.d.Header, a.p.m.Webhook.Keep))
	if err != nil {
		return Reply{}, Errorf(Internal, "encoding the headers of a delivery: %w", err)
	}
	var fact string
	if err := g.guard("naming a delivery of "+a.p.m.Name, func() error { fact = a.p.m.Webhook.ID(a.message); return nil }); err != nil {
		return Reply{}, err
	}
	if a.inst == "" {
		err := g.guard("routing a delivery of "+a.p.m.Name, func() error { a.to = a.p.m.Webhook.Route(a.message); return nil })
		if err != nil {
			return Reply{}, err
		}
	}
	if fact != "" && a.inst != "" {
		fact = a.inst + "/" + fact // what one platform object calls its facts says nothing about another's
	}
	row := store.Delivery{
		ID: a.d.ID, Plugin: a.p.m.Name, Fact: fact, Instance: a.inst, Door: a.door, Header: header, Body: a.d.Body, At: a.d.Received,
	}
	g.hands.begin()
	defer g.hands.end()
	failed := map[string]error{} // by instance: what its own code did to the transaction
	for {
		var reply Reply
		var bad *instanceError
		err := g.store.Update(ctx, func(tx store.Tx) error {
			reply, a.d.forget = Reply{}, false
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
		if errors.Is(err, errDropped) {
			reply, err = Reply{}, nil
		}
		if err == nil && reply.Status == 0 && reply.Body == nil {
			err := g.guard("acknowledging a delivery of "+a.p.m.Name, func() error { reply = a.p.m.Webhook.Ack(a.message); return nil })
			return reply, err
		}
		return reply, storeError(err, "keeping a delivery of %s", a.p.m.Name)
	}
}

// errDropped says that there is no room for a delivery that nobody can use yet: nothing of it is kept.
var errDropped = errors.New("dropped")

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
	kept := len(rows) + len(missing)
	aside := func(row store.Instance, group string, w work) error {
		err := g.waitFor(tx, a, row, group, w)
		if errors.Is(err, errDropped) {
			if kept--; kept > 0 {
				err = nil // others have it
			}
		}
		return err
	}
	for _, platform := range missing {
		if err := aside(store.Instance{}, groupUnknown(a.p.m.Name, platform), work{Stage: stageReceive, Platform: platform}); err != nil {
			return err
		}
	}
	for _, row := range rows {
		g.vitals.note(row.ID, vital{Delivery: a.d.Received})
		w := work{Stage: stageReceive}
		if row.Status != statusActive {
			if err := aside(row, groupPaused(row.ID), w); err != nil {
				return err
			}
			continue
		}
		if err := failed[row.ID]; err != nil {
			g.log.ErrorContext(ctx, "a delivery could not be received; trying again", "plugin", row.Plugin, "community", row.Community, "delivery", a.d.ID, "error", err)
			if err := tx.Schedule(g.inboxTask(a.d.ID, row, w, g.now().Add(backoff(1, err)))); err != nil {
				return err
			}
			continue
		}
		r, err := g.bounded(ctx, tx, row.ID, "receiving a delivery of "+row.Plugin, func(ctx context.Context) (Reply, error) { return g.receive(ctx, tx, a.p, row, a.d, a.message) })
		var wait *waitError
		switch {
		case errors.As(err, &wait):
			if err := aside(row, wait.group, w); err != nil {
				return err
			}
		case err != nil:
			return &instanceError{row.ID, err}
		case reply.Status == 0 && reply.Body == nil:
			*reply = r
		}
	}
	if a.d.forget {
		return g.blank(tx, a.d.ID)
	}
	return nil
}

// targets finds the instances that a delivery is for, and the platform objects that nobody has installed.
func (g *Gateway) targets(tx store.Tx, a *arrival) (rows []store.Instance, missing []string, err error) {
	if a.inst != "" {
		row, err := tx.Instance(a.inst)
		return []store.Instance{row}, nil, err
	}
	for _, platform := range a.to.Platform {
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
	inst, err := g.open(ctx, row)
	if err != nil {
		return Reply{}, err
	}
	var process string
	var refs, echoes []string
	slow := false
	err = g.theirs(ctx, "reading a delivery of "+row.Plugin, func(context.Context) error {
		process, refs, echoes = w.Route(message).Process, w.Refs(message), w.Echo(inst.self, message)
		slow = w.Handle != nil && w.Slow(message)
		return nil
	})
	if err != nil {
		return Reply{}, err
	}
	rows, err := g.processesFor(tx, process, refs, row)
	if err != nil {
		return Reply{}, err
	}
	var steps []*Step // before anything is changed: what has to wait waits whole
	err = g.theirs(ctx, "reading the processes of "+row.Plugin, func(context.Context) (err error) { steps, err = g.stepsFor(rows, inst); return err })
	if err != nil {
		return Reply{}, err
	}
	cause, waits, err := g.echoed(tx, row.ID, echoes)
	if err != nil {
		return Reply{}, err
	}
	if waits != "" {
		return Reply{}, &waitError{groupEcho(waits)}
	}
	forgets, err := g.forgetsOf(tx, row.Community, row.Plugin)
	if err != nil {
		return Reply{}, err
	}
	ctx = withScope(ctx, scope{tx: tx, delivery: d.ID, cause: cause, forgets: forgets, fence: scopeOf(ctx).fence, held: true})
	var reply Reply
	for _, s := range steps {
		r, err := g.receiveProcess(ctx, tx, s, message)
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
	var r Reply
	err = g.theirs(ctx, "receiving a delivery of "+row.Plugin, func(ctx context.Context) (err error) { r, err = w.Receive(ctx, inst.self, message); return err })
	if err != nil {
		return Reply{}, err
	}
	if err := g.answerLater(tx, d, row, r.Then); err != nil {
		return Reply{}, err
	}
	if reply.Status == 0 && reply.Body == nil {
		reply = r
	}
	if slow {
		if err := tx.Schedule(g.inboxTask(d.ID, row, work{Stage: stageHandle}, g.now())); err != nil {
			return Reply{}, err
		}
	}
	d.forget = d.forget || forgets.hit
	return reply, nil
}

func (g *Gateway) answerLater(tx store.Tx, d *Delivery, row store.Instance, then json.RawMessage) error {
	if then == nil {
		return nil
	}
	return tx.Schedule(g.inboxTask(d.ID, row, work{Stage: stageAnswer, Then: then}, g.now()))
}

// maxOfRef is of how many processes a platform object may be: of more the newest are asked.
const maxOfRef = 100

// processesFor reads the processes of one instance that a message is for: the one whose ID it carries, and those of the
// platform objects that it is about.
func (g *Gateway) processesFor(tx store.Tx, process string, refs []string, row store.Instance) ([]store.Process, error) {
	var found []store.Process
	add := func(id string) error {
		for _, have := range found {
			if have.ID == id {
				return nil
			}
		}
		p, err := tx.Process(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil && p.Instance == row.ID { // another community's process must not be reached by its ID
			found = append(found, p)
		}
		return err
	}
	if process != "" {
		if err := add(process); err != nil {
			return nil, err
		}
	}
	for _, ref := range refs {
		ids, err := tx.ProcessesByRef(row.ID, ref, maxOfRef)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if err := add(id); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// stepsFor makes the steps of the processes that a message is for, or says what it has to wait for.
func (g *Gateway) stepsFor(rows []store.Process, inst *opened) ([]*Step, error) {
	var steps []*Step
	for _, row := range rows {
		if row.Status == store.Created {
			return nil, &waitError{groupProcess(row.ID)} // it was quicker than the answer to our own call
		}
		s, err := g.stepWith(row, inst, g.borrow)
		var missing errMissing
		if errors.As(err, &missing) {
			inst.Log.Warn("a delivery waits for a program that knows its process", "process", row.ID, "error", err)
			return nil, &waitError{groupPlugin(missing.plugin)}
		}
		if err != nil {
			return nil, err
		}
		if s.def.Receive != nil {
			s.quick = true
			steps = append(steps, s)
		}
	}
	return steps, nil
}

// receiveProcess gives a message to a process inside the transaction that accepts it.
func (g *Gateway) receiveProcess(ctx context.Context, tx store.Tx, s *Step, message any) (Reply, error) {
	var r Reply
	err := g.theirs(ctx, "process "+s.row.Name, func(ctx context.Context) (err error) { r, err = s.def.Receive(ctx, s.state, s, message); return err })
	switch CodeOf(err) {
	case "":
		g.giveBack(s)
		return r, s.ask(tx, s.row.Status)
	case Invalid, NotFound, Conflict, Denied:
		// The message was wrong, and would be the next time: it is taken, and changes nothing.
		s.inst.Log.InfoContext(ctx, "a process refused a message", "process", s.row.ID, "error", err)
		return Reply{}, nil
	}
	return Reply{}, err
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
