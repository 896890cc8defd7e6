package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// DoOption says more about one [Instance.Do], [Instance.Start] or [Community.Command].
type DoOption func(*doOptions)

type doOptions struct {
	once   string
	within time.Duration
	fresh  time.Duration
	behalf *behalf   // nil: on behalf of nobody
	acted  *Identity // where to say as whom it was done
}

// Once gives what is asked a name, unique in the community. Asking again with the same name gives the first answer and
// does nothing: the driver may ask as often as it likes, after a crash of its own for example.
func Once(id string) DoOption { return func(o *doOptions) { o.once = id } }

// Within bounds the time that it may take.
func Within(d time.Duration) DoOption { return func(o *doOptions) { o.within = d } }

// Do asks the instance for one of its plugin's actions, "name" for the newest version or "name@version", and waits for the
// answer. in is the action's input struct, or JSON; it is validated, with defaults filled in, and so is what comes back.
//
// Errors have the codes of [Error]. Unknown: it may have happened and the answer was lost; with [Once] asking again
// finds out where the action can. Without Once an interrupted action leaves no trace unless the plugin saved one.
func (i *Instance) Do(ctx context.Context, name string, in any, opts ...DoOption) (json.RawMessage, error) {
	if scopeOf(ctx).tx != nil {
		return nil, errInside("action " + name)
	}
	a := i.p.actions[name]
	if a == nil {
		return nil, Errorf(NotFound, "plugin %s has no action %q", i.p.m.Name, name)
	}
	raw, err := encode(in)
	if err != nil {
		return nil, err
	}
	raw, err = a.in.Apply(raw)
	if err != nil {
		return nil, schemaError(err)
	}
	o := doOptions{within: positive(a.Timeout, i.g.o.Timeout)}
	for _, f := range opts {
		f(&o)
	}
	if o.acted != nil {
		*o.acted = ""
	}
	ctx, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	opened, err := i.active(ctx)
	if err != nil {
		return nil, err
	}
	return i.g.call(ctx, opened, asking{name: actionName(a), once: o.once, act: a, in: raw, run: doAction, behalf: o.behalf, acted: o.acted})
}

// actionName is what an action is called in the row of a call; it says no version, so that a driver may ask again after an upgrade.
func actionName(a *action) string { return actionPrefix + a.Name }

const actionPrefix = "action "

func actionOf(call string) string { return strings.TrimPrefix(call, actionPrefix) }

func doAction(ctx context.Context, self any, a *action, in json.RawMessage) (json.RawMessage, error) {
	out, err := a.Run(ctx, self, in)
	if err != nil {
		return nil, err
	}
	if out, err = a.out.Apply(out); err != nil {
		return nil, Errorf(Internal, "action %s gave an answer that fails its own schema: %w", a.Name, err)
	}
	return out, nil
}

// asking is something that a driver asks for.
type asking struct {
	name, once string
	act        *action // nil where it is no action
	in         json.RawMessage
	run        func(ctx context.Context, self any, a *action, in json.RawMessage) (json.RawMessage, error)
	behalf     *behalf   // nil: it is asked for on behalf of nobody
	acted      *Identity // where to say as whom it was done
}

// errInside refuses what would keep everybody waiting for a platform.
func errInside(what string) error {
	return Errorf(Internal, "%s must not be asked for from inside a transaction", what)
}

// Do is [Instance.Do] with a typed answer.
func Do[Out any](ctx context.Context, i *Instance, action string, in any, opts ...DoOption) (Out, error) {
	var out Out
	raw, err := i.Do(ctx, action, in, opts...)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, Errorf(Internal, "decoding the answer of action %s as %T: %w", action, out, err)
	}
	return out, nil
}

// kind is what is asked for, of a bounded set of names.
func (w asking) kind() string {
	if w.act != nil {
		return w.act.Name
	}
	return "command"
}

// call runs something that a driver asked for as a durable call.
func (g *Gateway) call(ctx context.Context, o *opened, w asking) (json.RawMessage, error) {
	id := newID("c")
	t := trailOf(ctx, id)
	c := &Call{g: g, trail: t, seen: &sightings{}, row: store.Call{
		ID: id, Community: o.row.Community, Instance: o.row.ID, Name: w.name, Once: w.once, Status: callOpen, Started: g.now(), Origin: t.id,
	}}
	c.keepAsked(w.act, w.in)
	if w.acted != nil {
		defer func() {
			if a := c.wanted.Acting; a != nil {
				*w.acted = a.As
			}
		}()
	}
	if w.once == "" {
		if err := c.become(ctx, o, w.behalf); err != nil {
			return nil, err
		}
		return g.finish(ctx, c, o, w)
	}
	var out json.RawMessage
	err := g.exclusive(ctx, onceLease(o.row.Community, w.once), func(ctx context.Context) error {
		answer, answered, err := g.begin(ctx, c, o, w.behalf)
		if err != nil || answered {
			out = answer
			return err
		}
		out, err = g.finish(ctx, c, o, w)
		return err
	})
	return out, err
}

func onceLease(community, once string) string { return "once:" + community + ":" + once }

// begin keeps a named call, or finds what became of the earlier one with its name.
func (g *Gateway) begin(ctx context.Context, c *Call, o *opened, b *behalf) (answer json.RawMessage, answered bool, err error) {
	var old store.Call
	err = g.view(ctx, func(tx store.Tx) (err error) { old, err = tx.CallByOnce(c.row.Community, c.row.Once); return err })
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := c.become(ctx, o, b); err != nil {
			return nil, true, err
		}
		return nil, false, c.keep(ctx, nil)
	case err != nil:
		return nil, false, storeError(err, "looking for an earlier call %q", c.row.Once)
	case old.Name != c.row.Name || old.Instance != c.row.Instance:
		return nil, true, Errorf(Conflict, "%q was the name of another call (%s)", c.row.Once, old.Name)
	}
	c.wanted.Acting = g.kept(old).wanted.Acting
	if err := c.sameActing(ctx, b); err != nil {
		return nil, true, err
	}
	switch {
	case old.Status == callDone:
		return old.Output, true, nil
	case old.Status == callFailed:
		if failure := errorFrom(old.Error); CodeOf(failure) != Unavailable {
			return nil, true, failure
		}
		c.adopt(old, o.p)
		if err := c.resume(ctx); err != nil {
			return nil, true, err
		}
		return nil, false, c.anew(ctx) // it did not happen
	}
	c.adopt(old, o.p)
	idempotent := c.act != nil && c.act.Idempotent
	switch {
	case c.lookable():
		return g.lookFirst(ctx, c, o)
	case c.guessed(), len(old.Saved) == 0 && !idempotent:
		// Open or unknown, and nothing by which to look: a second try could do it twice.
		return nil, true, Errorf(Unknown, "call %q was interrupted and left nothing by which to find out whether it happened", c.row.Once)
	}
	if err := c.resume(ctx); err != nil {
		return nil, true, c.unsettled(err)
	}
	c.row.Status = callOpen
	return nil, false, nil
}

// finish runs a call and keeps how it ended.
func (g *Gateway) finish(ctx context.Context, c *Call, o *opened, w asking) (json.RawMessage, error) {
	var out json.RawMessage
	ctx, seen := g.sight.begin(ctx, seenAction, o.row.Plugin, w.kind(), c.trail.id)
	var ended error
	defer func() { seen.end(ended) }()
	err := g.guard(c.row.Name, func() (err error) {
		out, err = w.run(withScope(ctx, scope{call: c, trail: c.trail}), o.self, c.act, c.input(w.in))
		return err
	})
	if err != nil {
		out = nil
	}
	if e := new(Error); !errors.As(err, &e) && CodeOf(err) == Unavailable {
		// A time that ran out while the platform was called says nothing about what the platform did.
		err = &Error{Code: Unknown, Err: fmt.Errorf("%s: %w", c.row.Name, err)}
	}
	if c.taken && CodeOf(err) == Unavailable {
		err = c.unsettled(err) // it did not happen now, but an earlier attempt may have done it
	}
	if CodeOf(err) == Unknown && c.lookable() && ctx.Err() == nil {
		answer, found, e := c.look(ctx, o)
		if found == Happened {
			out, err = answer, nil
		} else if e != nil {
			err = &Error{Code: Unknown, After: RetryAfter(e), Err: errors.Join(err, e)}
		}
	}
	ended = err
	g.ail(c.row.Instance, c.row.Name, err)
	if !c.kept && len(c.caused) == 0 && !c.seen.any() {
		return out, err
	}
	kept := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		if CodeOf(err) == Unknown && c.kept && c.lookable() {
			now := g.now()
			return c.suspend(tx, now, now, err)
		}
		return c.settle(tx, g.now(), out, err)
	})
	switch {
	case kept == nil:
		return out, err
	case err == nil:
		// The platform did it and we could not write that down: the caller must not think that it did not happen.
		return nil, &Error{Code: Unknown, Err: storeError(kept, "keeping the answer of %s", c.row.Name)}
	}
	return nil, errors.Join(err, storeError(kept, "keeping the end of call %s", c.row.ID))
}
