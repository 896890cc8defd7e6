package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Call is one run of an action or of a process's slow step, with an identity. An action that has an effect outside which must not
// happen twice uses it so:
//
//	call := gateway.CallOf(ctx)
//	var sent signed
//	if call.Saved(&sent) { // an earlier attempt got this far: look first
//		...
//	}
//	call.Save(ctx, sent)      // durable before the platform hears
//	call.Expect(ctx, "…")     // a delivery that looks like this may be our own effect
//	...                       // the platform is called
//	call.Caused("…")          // it was: deliveries that look like this are ours
//
// Where the platform lets one look, the action declares a [Lookup], which sees the same Call, and need not look by itself.
//
// A Call belongs to one goroutine. It costs nothing until one of its methods is used.
type Call struct {
	g      *Gateway
	row    store.Call
	act    *action // nil where it is no action
	wanted wanted
	acting *acting // nil: as the instance itself
	kept   bool    // the row is in the store
	taken  bool    // an earlier attempt left it, and nobody knows whether it did it
	caused []string
	trail  trail
	seen   *sightings // the calls to the platform
	told   bool       // the audit record has it already
}

// CallOf gives the call that ctx belongs to. Outside an action or slow step it gives one that remembers nothing.
func CallOf(ctx context.Context) *Call {
	if c := scopeOf(ctx).call; c != nil {
		return c
	}
	return &Call{}
}

// ID is the call's identifier, the same in every attempt and after a crash. Give it to a platform that takes an idempotency key. Of an action
// that is asked for without [Once] there is one attempt. Of a process each of Start and Close is one call; so is Update, and so is Show,
// however often they run: there, add to the key what the run is about.
func (c *Call) ID() string { return c.row.ID }

// Started is when the call was first tried, by the gateway's clock: its effect is not older. It is what a [Lookup] searches from.
func (c *Call) Started() time.Time { return c.row.Started }

// Saved fills v with what an earlier attempt saved, and says whether there was any.
func (c *Call) Saved(v any) bool {
	return len(c.row.Saved) > 0 && json.Unmarshal(c.row.Saved, v) == nil
}

// Save keeps v, so that another attempt finds it if this one is interrupted. It returns after v is durable: call the platform
// after it, not before.
func (c *Call) Save(ctx context.Context, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return Errorf(Internal, "encoding what call %s saves: %w", c.row.ID, err)
	}
	old := c.row.Saved
	c.row.Saved = raw
	err = c.keep(ctx, nil)
	if err != nil {
		c.row.Saved = old
	}
	return err
}

// Expect says, durably, what deliveries that are the effect of this call will look like: the keys that the webhook's Echo
// makes of them. A delivery that matches waits until the call has ended. If it succeeded and caused the fact, the events carry it as their
// Cause; otherwise they are somebody else's and go on as such.
func (c *Call) Expect(ctx context.Context, echoes ...string) error {
	return c.keep(ctx, echoes)
}

// Caused says what the platform answered that its deliveries will be known by: a message's time stamp, an ID. It is
// kept together with the call's result.
func (c *Call) Caused(echoes ...string) { c.caused = append(c.caused, echoes...) }

// keep writes the call's row, and the echoes that are expected.
func (c *Call) keep(ctx context.Context, expect []string) error {
	if c.g == nil {
		return Errorf(Internal, "Save and Expect work only with the context of an action or a slow step")
	}
	row := c.row
	err := c.g.update(ctx, func(tx store.Tx) error {
		if err := tx.PutCall(row); err != nil {
			return err
		}
		for _, key := range expect {
			if err := tx.PutEcho(store.Echo{Instance: row.Instance, Key: key, Call: row.ID, Until: c.g.now().Add(c.g.o.Retain)}); err != nil {
				return err
			}
		}
		if len(expect) == 0 && !c.lookable() {
			return nil
		}
		// Should we die, somebody has to find out what became of it, and the deliveries that wait for its end must not wait for ever.
		end := c.g.now().Add(c.left(ctx))
		return c.watch(tx, end, end.Add(leaseTime))
	})
	if err != nil {
		return storeError(err, "keeping call %s", row.ID)
	}
	c.row.Rev++
	c.kept = true
	return nil
}

// left is how long the call may still take.
func (c *Call) left(ctx context.Context) time.Duration {
	left := c.g.o.Timeout
	if end, ok := ctx.Deadline(); ok {
		left = max(left, time.Until(end)) // of real time, as the context's
	}
	return left
}

// settle is the part of a transaction that ends a call: what it caused is known from then on, what it expected is not
// waited for any longer.
func (c *Call) settle(tx store.Tx, now time.Time, output json.RawMessage, failure error) error {
	if err := c.audit(tx, failure); err != nil {
		return err
	}
	if !c.kept && len(c.caused) == 0 {
		return nil
	}
	row := c.row
	row.Ended, row.Output = now, output
	switch {
	case failure == nil:
		row.Status = callDone
	case CodeOf(failure) == Unknown:
		row.Status = callUnknown
	default:
		row.Status = callFailed
	}
	if failure != nil {
		row.Error = errorJSON(failure)
	}
	if err := tx.PutCall(row); err != nil {
		return err
	}
	if err := tx.Unschedule(taskCall, row.ID); err != nil {
		return err
	}
	if err := c.release(tx, now); err != nil {
		return err
	}
	if failure == nil {
		for _, key := range c.caused {
			if err := tx.PutEcho(store.Echo{Instance: row.Instance, Key: key, Call: row.ID, Caused: true, Until: now.Add(c.g.o.Retain)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// release is the part of a transaction after which no delivery waits for the call's end.
func (c *Call) release(tx store.Tx, now time.Time) error {
	if err := tx.DeleteEchoes(c.row.ID); err != nil {
		return err
	}
	_, err := tx.Unpark(store.TaskQuery{Kind: taskInbox, Group: groupEcho(c.row.ID)}, now, 1<<20)
	return err
}

const (
	callOpen    = "open"
	callDone    = "done"
	callFailed  = "failed"
	callUnknown = "unknown"
)

// groupEcho is where deliveries wait that may be the effect of a call.
func groupEcho(call string) string { return "echo:" + call }

// echoed asks whether a delivery with these echo keys is ours: caused is the call that did it, waits the call that may have.
func (g *Gateway) echoed(tx store.Tx, instance string, keys []string) (caused, waits string, err error) {
	if len(keys) == 0 {
		return "", "", nil
	}
	echoes, err := tx.Echoes(instance, keys)
	if err != nil {
		return "", "", err
	}
	for _, e := range echoes {
		switch {
		case e.Caused: // once: the same fact done by a person later is the person's
			return e.Call, "", tx.DeleteEchoes(e.Call, e.Key)
		case waits == "":
			waits = e.Call
		}
	}
	if waits != "" {
		c, err := tx.Call(waits)
		if errors.Is(err, store.ErrNotFound) || err == nil && c.Status != callOpen && c.Status != callUnknown {
			return "", "", nil
		}
		return "", waits, err
	}
	return "", "", nil
}

// errorJSON and errorFrom keep an error's code and text.
func errorJSON(err error) []byte {
	kept := keptError{Code: CodeOf(err), Text: text(err)}
	var e *Error
	if errors.As(err, &e) {
		kept.Fields = e.Fields
		if e.Err != nil {
			kept.Text = text(e.Err)
		}
	}
	raw, _ := json.Marshal(kept) // three fields that always marshal
	return raw
}

type keptError struct {
	Code   Code         `json:"code"`
	Text   string       `json:"text"`
	Fields []FieldError `json:"fields,omitempty"`
}

func errorFrom(raw []byte) error {
	var kept keptError
	if err := json.Unmarshal(raw, &kept); err != nil || kept.Code == "" {
		return Errorf(Internal, "an earlier attempt failed")
	}
	return &Error{Code: kept.Code, Fields: kept.Fields, Err: errors.New(kept.Text)}
}
