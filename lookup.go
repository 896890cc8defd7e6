package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Found is what a look-up found out about a call whose outcome is unknown.
type Found int

// What a look-up can find. The zero value decides nothing.
const (
	CannotTell Found = iota // it may or may not have happened
	Happened                // it did
	DidNot                  // it did not: it is safe to do it now
)

// String says it in words.
func (f Found) String() string {
	switch f {
	case Happened:
		return "happened"
	case DidNot:
		return "did not happen"
	}
	return "cannot tell"
}

// Lookup says how to find out what became of an action whose answer was lost, or whose program died: fn looks on the platform and changes
// nothing there. T, In and Out are the action's. fn gets the input with which the action was tried, which is kept for it (so it may hold
// no [Secret]), and [CallOf] gives the call: its ID, when it was first tried, what was saved. It may note with [Call.Caused] what it found.
//
//   - Happened: the action is done, Out is its answer.
//   - DidNot: whoever asks again with [Once] has it done now, with the same input and under the same call ID. It is not believed before the
//     platform had time to show the effect, see [Grace]: until then whoever asks hears Unknown, and how long to wait.
//   - CannotTell, or an error: it stays unknown. Whoever asks hears Unknown.
//
// fn is called, on any goroutine, right after an answer was lost and there is time left; when the driver asks again; and for calls that are
// kept by the gateway itself, ever more seldom, for a day.
func Lookup[T Owner, In, Out any](fn func(T, context.Context, In) (Out, Found, error)) Option {
	return func(o *options) {
		o.look = &lookup{owner: reflect.TypeFor[T](), in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
		if fn == nil {
			return
		}
		o.look.run = func(ctx context.Context, self any, in json.RawMessage) (json.RawMessage, Found, error) {
			var v In
			if err := decode(in, &v); err != nil {
				return nil, CannotTell, err
			}
			out, found, err := fn(self.(T), ctx, v)
			if err != nil || found != Happened {
				return nil, found, err
			}
			raw, err := json.Marshal(out)
			return raw, found, err
		}
	}
}

// Idempotent says that doing the action twice is as good as once: whoever asks again with [Once], after the outcome was unknown, simply has it
// done again. The gateway does not repeat it by itself: meanwhile somebody may have wanted it otherwise.
func Idempotent() Option { return func(o *options) { o.idempotent = true } }

// Grace is how long after it was done an effect may not show yet to the action's [Lookup]. It is a minute where it is not given.
func Grace(d time.Duration) Option { return func(o *options) { o.grace = d } }

const usualGrace = time.Minute

type lookup struct {
	owner, in, out reflect.Type
	run            func(ctx context.Context, self any, in json.RawMessage) (json.RawMessage, Found, error)
}

// checkLookup finds a look-up that does not belong to its action.
func (b *builder) checkLookup(name string, o options, owner, in, out reflect.Type) {
	l := o.look
	switch {
	case l == nil:
	case l.run == nil:
		b.fail("action %s: its Lookup is nil", name)
	case l.owner != owner || l.in != in || l.out != out:
		b.fail("action %s: its Lookup is of %v with %v and %v, the action of %v with %v and %v", name, l.owner, l.in, l.out, owner, in, out)
	case o.idempotent:
		b.fail("action %s: it has a Lookup and is Idempotent; one is enough", name)
	case hasSecret(in, map[reflect.Type]bool{}):
		b.fail("action %s: its input holds a gateway.Secret, and would be kept for its Lookup", name)
	}
}

// wanted is what a call's row keeps of what was asked: for its look-up, and for the audit record.
type wanted struct {
	Version int             `json:"version,omitempty"` // of the action
	Input   json.RawMessage `json:"input,omitempty"`   // of an action that can be looked up
	Reason  Reason          `json:"reason,omitzero"`
	Acting  *acting         `json:"acting,omitempty"` // on whose behalf, as whom
}

// keepAsked puts into the row what whoever takes up the call has to know.
func (c *Call) keepAsked(a *action, in json.RawMessage) {
	c.act = a
	c.wanted = wanted{Reason: c.trail.reason.bounded()}
	if a != nil && a.Look != nil {
		c.wanted.Version, c.wanted.Input = a.Version, in
	}
	c.keepWanted()
}

// keepWanted puts what was asked for into the row.
func (c *Call) keepWanted() {
	if c.wanted.Input != nil || c.wanted.Reason != (Reason{}) || c.wanted.Acting != nil {
		c.row.Input, _ = json.Marshal(c.wanted) // it has passed a schema: it marshals
	}
}

// kept is a call as its row has it. What it does goes on the trail on which it began.
func (g *Gateway) kept(row store.Call) *Call {
	c := &Call{g: g, row: row, kept: true, taken: true, seen: &sightings{}}
	_ = json.Unmarshal(row.Input, &c.wanted) // what cannot be read cannot be looked up
	c.trail = trail{id: row.Origin, reason: c.wanted.Reason}
	return c
}

// adopt goes on with an earlier attempt. Its input counts where it was kept, with the version of the action that it was for. Of the reasons the one
// that is given now goes before.
func (c *Call) adopt(old store.Call, p *plug) {
	now, act := c.trail.reason, c.act
	*c = *c.g.kept(old)
	c.act = act
	if now != (Reason{}) {
		c.trail.reason = now
	}
	if a := p.actions[versioned(actionOf(old.Name), c.wanted.Version)]; c.wanted.Input != nil && a != nil && a.Look != nil {
		c.act = a
	}
}

// input is what the call is about: what was kept, or what was asked for now.
func (c *Call) input(now json.RawMessage) json.RawMessage {
	if c.lookable() {
		return c.wanted.Input
	}
	return now
}

// lookable says whether somebody can find out what became of the call.
func (c *Call) lookable() bool {
	return c.act != nil && c.act.Look != nil && c.wanted.Input != nil && c.act.Version == c.wanted.Version
}

// guessed says that the call was, or would be, left to a look-up that there is not: of another version of the action.
func (c *Call) guessed() bool {
	return !c.lookable() && (c.wanted.Input != nil || c.act != nil && c.act.Look != nil)
}

// grace is how long the platform may take to show the effect.
func (c *Call) grace() time.Duration { return positive(c.act.Grace, usualGrace) }

// look asks the plugin what became of the call.
func (c *Call) look(ctx context.Context, o *opened) (out json.RawMessage, found Found, err error) {
	if c.acting == nil { // as whom it was done, or nothing can be told
		if err := c.resume(ctx); err != nil {
			return nil, CannotTell, err
		}
	}
	err = c.g.guard("look-up of "+c.row.Name, func() (err error) {
		out, found, err = c.act.Look(withScope(ctx, scope{call: c, trail: c.trail}), o.self, c.input(nil))
		return err
	})
	switch {
	case err != nil:
		return nil, CannotTell, fmt.Errorf("looking for what became of %s: %w", c.row.Name, err)
	case found != Happened:
		return nil, found, nil
	}
	if out, err = c.act.out.Apply(out); err != nil {
		return nil, CannotTell, Errorf(Internal, "the look-up of %s gave an answer that fails the action's schema: %w", c.row.Name, err)
	}
	return out, Happened, nil
}

// lookFirst decides by a look-up what is to become of a call that was interrupted, or whose answer was lost, and is asked for again.
func (g *Gateway) lookFirst(ctx context.Context, c *Call, o *opened) (answer json.RawMessage, answered bool, err error) {
	sent, err := c.sent(ctx)
	if err != nil {
		return nil, true, err
	}
	out, found, err := c.look(ctx, o)
	switch found {
	case Happened:
		return out, true, g.settleCall(ctx, c, out, nil)
	case DidNot:
		early := c.grace() - g.now().Sub(sent)
		if early <= 0 {
			return nil, false, c.anew(ctx)
		}
		err = &Error{Code: Unavailable, After: early, Err: errors.New("the platform does not show it, but may yet")}
	}
	err = c.unsettled(err)
	if c.row.Status == callOpen { // the row says what the caller hears
		kept := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error { return c.suspend(tx, g.now(), sent, err) })
		if kept != nil {
			o.Log.WarnContext(correlate(ctx, c.trail.id), "that a call's outcome is unknown could not be noted", "call", c.row.ID, "error", kept)
		}
	}
	return nil, true, err
}

// sent is when the platform heard of the call at the latest.
func (c *Call) sent(ctx context.Context) (at time.Time, err error) {
	at = maxTime(c.row.Started, c.row.Ended)
	err = c.g.view(ctx, func(tx store.Tx) error {
		t, err := tx.Task(taskCall, c.row.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil // the gateway does not look for it any more
		}
		_ = json.Unmarshal(t.Payload, &at) // as watch wrote it
		return err
	})
	if now := c.g.now(); at.After(now) {
		at = now // the lease is ours: nobody sends any more
	}
	return at, storeError(err, "looking for when call %s was sent", c.row.ID)
}

// anew begins again with a call that did not happen, under the same identity. What was saved for it is worth nothing.
func (c *Call) anew(ctx context.Context) error {
	c.taken = false
	c.row.Status, c.row.Saved, c.row.Error, c.row.Ended = callOpen, nil, nil, time.Time{}
	return c.keep(ctx, nil)
}

// unsettled is the error of a call of which nobody knows what became.
func (c *Call) unsettled(cause error) error {
	if cause == nil {
		cause = errors.New("the platform does not tell")
	}
	return &Error{Code: Unknown, After: RetryAfter(cause), Err: fmt.Errorf("whether %s happened is not known: %w", c.row.Name, cause)}
}

// suspend is the part of a transaction that ends an attempt of which nobody knows what became, while it can still be found out: deliveries that may
// be its effect go on waiting, and the gateway looks. sent is when the platform heard of it at the latest.
func (c *Call) suspend(tx store.Tx, now, sent time.Time, failure error) error {
	if err := c.audit(tx, failure); err != nil {
		return err
	}
	row := c.row
	row.Status, row.Ended, row.Error, row.Output = callUnknown, now, errorJSON(failure), nil
	if err := tx.PutCall(row); err != nil {
		return err
	}
	return c.watch(tx, sent, sent.Add(c.grace()))
}

// watch has the call looked after. sent is when the platform heard of it at the latest.
func (c *Call) watch(tx store.Tx, sent, due time.Time) error {
	if c.lookable() { // what is scheduled already is of an earlier attempt
		if err := tx.Unschedule(taskCall, c.row.ID); err != nil {
			return err
		}
	}
	payload, _ := json.Marshal(sent) // a time of this century marshals
	return tx.Schedule(store.Task{
		Kind: taskCall, Key: c.row.ID, Community: c.row.Community, Instance: c.row.Instance, Due: due, Created: c.g.now(), Payload: payload,
	})
}

const (
	// lookFor is how long the gateway itself looks for what became of a call, unless its Grace is longer.
	lookFor = 24 * time.Hour
	// echoPatience is how long deliveries wait for the end of a call that may have caused them, if nobody can tell.
	echoPatience = 15 * time.Minute
)

// revisit looks after a call that nobody finished: it finds out what became of it, or, where nobody can, lets go on what waits for its echo.
func (g *Gateway) revisit(ctx context.Context, t store.Task) error {
	row, err := g.callRow(ctx, t.Key)
	if err != nil {
		return gone(err)
	}
	if !row.open() {
		return nil
	}
	c := g.kept(row.Call)
	ctx = correlate(ctx, c.trail.id)
	if c.wanted.Input == nil {
		return g.buryCall(ctx, c)
	}
	o, err := g.instanceOf(ctx, store.Process{ID: row.ID, Instance: row.Instance})
	var removed errGone
	if errors.As(err, &removed) {
		return g.buryCall(ctx, c)
	}
	if err != nil {
		return err
	}
	name := "call:" + row.ID
	if row.Once != "" {
		name = onceLease(row.Community, row.Once)
	}
	return g.exclusive(ctx, name, func(ctx context.Context) error {
		row, err := g.callRow(ctx, t.Key) // whoever had the lease may have finished it
		if err != nil {
			return gone(err)
		}
		if !row.open() {
			return nil
		}
		c.adopt(row.Call, o.p)
		if !c.lookable() {
			return g.buryCall(ctx, c) // this version of the plugin does not look it up
		}
		return g.settleByLook(ctx, c, o, t)
	})
}

// settleByLook looks once, and says when to look again.
func (g *Gateway) settleByLook(ctx context.Context, c *Call, o *opened, t store.Task) error {
	sent := c.row.Started
	_ = json.Unmarshal(t.Payload, &sent)
	out, found, err := c.look(ctx, o)
	now := g.now()
	age := now.Sub(sent)
	log := o.Log.With("call", c.row.ID, "what", c.row.Name)
	switch {
	case found == Happened:
		log.InfoContext(ctx, "a call whose answer was lost had happened")
		return g.settleCall(ctx, c, out, nil)
	case found == DidNot && age >= c.grace():
		log.InfoContext(ctx, "a call whose answer was lost had not happened")
		return g.settleCall(ctx, c, nil, Errorf(Unavailable, "%s did not happen: the platform does not show it", c.row.Name))
	case age >= max(lookFor, c.grace()):
		log.WarnContext(ctx, "what became of a call could not be found out", "error", err)
		return g.settleCall(ctx, c, nil, c.unsettled(err))
	}
	if age >= echoPatience || c.row.Status == callOpen {
		if err := g.update(ctx, func(tx store.Tx) error { return c.patience(tx, now, age, c.unsettled(err)) }); err != nil {
			return storeError(err, "keeping call %s", c.row.ID)
		}
	}
	return &nextRun{max(age, c.grace()/2, 15*time.Second, RetryAfter(err))} // twice as long each time
}

// patience is the part of a transaction that says that a call is not known to have happened, and lets go on what has waited long enough.
func (c *Call) patience(tx store.Tx, now time.Time, age time.Duration, failure error) error {
	if c.row.Status == callOpen {
		row := c.row
		row.Status, row.Ended, row.Error = callUnknown, now, errorJSON(failure)
		if err := tx.PutCall(row); err != nil {
			return err
		}
	}
	if age < echoPatience {
		return nil
	}
	return c.release(tx, now)
}

func (g *Gateway) settleCall(ctx context.Context, c *Call, out json.RawMessage, failure error) error {
	err := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error { return c.settle(tx, g.now(), out, failure) })
	return storeError(err, "keeping the end of call %s", c.row.ID)
}

// buryCall ends a call that nobody finished and nobody can look up, so that what waits for its echo goes on.
func (g *Gateway) buryCall(ctx context.Context, c *Call) error {
	return g.settleCall(ctx, c, nil, Errorf(Unknown, "the program ended while it ran"))
}

// callState is a call as it stands in the store.
type callState struct{ store.Call }

// open says that it is not known how it ended.
func (c callState) open() bool { return c.Status == callOpen || c.Status == callUnknown }

func (g *Gateway) callRow(ctx context.Context, id string) (row callState, err error) {
	err = g.view(ctx, func(tx store.Tx) (err error) { row.Call, err = tx.Call(id); return err })
	return row, storeError(err, "reading call %s", id)
}
