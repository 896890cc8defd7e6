package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

// DoOption says more about one [Instance.Do], [Instance.Start] or [Community.Command].
type DoOption func(*doOptions)

type doOptions struct {
	once   string
	within time.Duration
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
	ctx, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	run := func(ctx context.Context, self any) (json.RawMessage, error) {
		out, err := a.Run(ctx, self, raw)
		if err != nil {
			return nil, err
		}
		if out, err = a.out.Apply(out); err != nil {
			return nil, Errorf(Internal, "action %s gave an answer that fails its own schema: %w", name, err)
		}
		return out, nil
	}
	opened, err := i.active(ctx)
	if err != nil {
		return nil, err
	}
	return i.g.call(ctx, opened, "action "+a.Name, o.once, run)
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

// call runs something that a driver asked for as a durable call.
func (g *Gateway) call(ctx context.Context, o *opened, name, once string, run func(context.Context, any) (json.RawMessage, error)) (json.RawMessage, error) {
	c := &Call{g: g, inst: o.Instance, row: store.Call{
		ID: newID("c"), Community: o.row.Community, Instance: o.row.ID, Name: name, Once: once, Status: callOpen, Started: g.now(),
	}}
	if once == "" {
		return g.finish(ctx, c, o, run)
	}
	var out json.RawMessage
	err := g.exclusive(ctx, "once:"+o.row.Community+":"+once, func(ctx context.Context) error {
		answer, answered, err := g.begin(ctx, c)
		if err != nil || answered {
			out = answer
			return err
		}
		out, err = g.finish(ctx, c, o, run)
		return err
	})
	return out, err
}

// begin keeps a named call, or finds what became of the earlier one with its name.
func (g *Gateway) begin(ctx context.Context, c *Call) (answer json.RawMessage, answered bool, err error) {
	var old store.Call
	err = g.view(ctx, func(tx store.Tx) (err error) { old, err = tx.CallByOnce(c.row.Community, c.row.Once); return err })
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, false, c.keep(ctx, nil)
	case err != nil:
		return nil, false, storeError(err, "looking for an earlier call %q", c.row.Once)
	case old.Name != c.row.Name || old.Instance != c.row.Instance:
		return nil, true, Errorf(Conflict, "%q was the name of another call (%s)", c.row.Once, old.Name)
	case old.Status == callDone:
		return old.Output, true, nil
	case old.Status == callFailed:
		return nil, true, errorFrom(old.Error)
	case len(old.Saved) == 0:
		// Open or unknown, and nothing by which to look: a second try could do it twice.
		return nil, true, Errorf(Unknown, "call %q was interrupted and left nothing by which to find out whether it happened", c.row.Once)
	}
	c.row, c.kept, c.taken = old, true, true
	c.row.Status = callOpen
	return nil, false, nil
}

// finish runs a call and keeps how it ended.
func (g *Gateway) finish(ctx context.Context, c *Call, o *opened, run func(context.Context, any) (json.RawMessage, error)) (json.RawMessage, error) {
	var out json.RawMessage
	err := g.guard(c.row.Name, func() (err error) {
		out, err = run(withScope(ctx, scope{call: c}), o.self)
		return err
	})
	if err != nil {
		out = nil
	}
	if e := new(Error); !errors.As(err, &e) && CodeOf(err) == Unavailable {
		// A time that ran out while the platform was called says nothing about what the platform did.
		err = &Error{Code: Unknown, Err: fmt.Errorf("%s: %w", c.row.Name, err)}
	}
	if !c.kept && len(c.caused) == 0 {
		return out, err
	}
	if c.row.Once != "" && CodeOf(err) == Unavailable && c.taken {
		// Whether the earlier attempt did it could not be found out: the next one must know that there is something to look for.
		unsettled := &Error{Code: Unknown, Err: err}
		err2 := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error { return c.settle(tx, g.now(), nil, unsettled) })
		return nil, errors.Join(err, storeError(err2, "keeping the end of call %s", c.row.ID))
	}
	if c.row.Once != "" && CodeOf(err) == Unavailable {
		// It did not happen: the name is free for another try.
		err2 := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error {
			row := c.row
			row.Once = ""
			tmp := *c
			tmp.row = row
			return tmp.settle(tx, g.now(), nil, err)
		})
		return nil, errors.Join(err, storeError(err2, "keeping the end of call %s", c.row.ID))
	}
	kept := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error { return c.settle(tx, g.now(), out, err) })
	if kept != nil && err == nil {
		// The platform did it and we could not write that down: the caller must not think that it did not happen.
		return nil, &Error{Code: Unknown, Err: storeError(kept, "keeping the answer of %s", c.row.Name)}
	}
	return out, err
}
