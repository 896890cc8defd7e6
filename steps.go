package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// The slow steps of a process: what runs under its lease, one at a time.
type stepKind string

const (
	stepStart  stepKind = "start"
	stepUpdate stepKind = "update"
	stepShow   stepKind = "show"
	stepClose  stepKind = "close"
)

// underLease runs fn alone on a process, with its row and decoded state.
func (g *Gateway) underLease(ctx context.Context, id string, inst *opened, fn func(context.Context, *Step) error) error {
	return g.exclusive(ctx, "process:"+id, func(ctx context.Context) error {
		s, err := g.load(ctx, id, inst)
		if err != nil {
			return err
		}
		return fn(correlate(ctx, s.row.Origin), s)
	})
}

// load reads a process for one call.
func (g *Gateway) load(ctx context.Context, id string, inst *opened) (*Step, error) {
	var row store.Process
	var next store.Task
	err := g.view(ctx, func(tx store.Tx) (err error) {
		if row, err = tx.Process(id); err != nil {
			return err
		}
		if next, err = tx.Task(taskUpdate, id); errors.Is(err, store.ErrNotFound) {
			next, err = store.Task{}, nil
		}
		return err
	})
	if err != nil {
		return nil, gone(storeError(err, "reading process %s", id))
	}
	if inst == nil {
		if inst, err = g.instanceOf(ctx, row); err != nil {
			return nil, err
		}
	}
	s, err := g.stepOf(row, inst)
	if err == nil {
		s.update = next.Rev
	}
	return s, err
}

// stepOf makes a step of a process with its decoded state.
func (g *Gateway) stepOf(row store.Process, inst *opened) (*Step, error) {
	return g.stepWith(row, inst, g.decodeState)
}

func (g *Gateway) stepWith(row store.Process, inst *opened, state func(store.Process, *process) (any, error)) (*Step, error) {
	def, err := g.define(row)
	if err != nil {
		return nil, err
	}
	s := &Step{g: g, inst: inst.Instance, self: inst.self, def: def, row: row, base: row}
	if s.state, err = state(row, def); err != nil {
		return nil, err
	}
	s.row.Version = def.Version
	s.asked, err = g.askedOf(row, def, inst.platform)
	return s, err
}

// decodeState decodes a process's state, upgrading it where this program has only a newer version.
func (g *Gateway) decodeState(row store.Process, def *process) (any, error) {
	state := def.New()
	raw := json.RawMessage(row.State)
	if def.Version != row.Version {
		err := g.guard("upgrading process "+row.Name, func() (err error) { raw, err = def.Upgrade(row.Version, raw); return err })
		if err != nil {
			return nil, errMissing{row.Plugin, Errorf(Internal, "upgrading the state of process %s from version %d to %d: %w", row.ID, row.Version, def.Version, err)}
		}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // a state that says more than this version understands must not be cut down in silence
	err := d.Decode(state)
	if _, more := d.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("there is something after it")
	}
	if err != nil {
		// It waits for a program that understands it, rather than fail for ever because somebody went back a version.
		return nil, errMissing{row.Plugin, Errorf(Internal, "decoding the state of process %s: %w", row.ID, err)}
	}
	return state, nil
}

// step runs one slow step, if the process is in a status in which it makes sense, and keeps what it did.
func (g *Gateway) step(ctx context.Context, kind stepKind, id string, inst *opened) error {
	return g.underLease(ctx, id, inst, func(ctx context.Context, s *Step) error {
		switch kind {
		case stepStart:
			return g.start(ctx, s)
		case stepUpdate:
			if s.row.Status != store.Pending || s.def.Update == nil {
				return nil
			}
			return g.attempt(ctx, s, kind, func(ctx context.Context) error { return g.look(ctx, s) }, nil)
		case stepShow:
			return g.show(ctx, s)
		case stepClose:
			if s.row.Status != store.Closing {
				return nil
			}
			return g.attempt(ctx, s, kind, func(ctx context.Context) error { return g.close(ctx, s) }, nil)
		}
		return Errorf(Internal, "there is no step %q", kind)
	})
}

// attempt runs a step's code as a durable call with the same identity in every attempt, and commits.
func (g *Gateway) attempt(ctx context.Context, s *Step, kind stepKind, fn func(context.Context) error, more func(store.Tx) error) error {
	t := trailOf(ctx, s.row.ID)
	c := &Call{g: g, trail: t, seen: &sightings{}, row: store.Call{
		ID: fmt.Sprintf("%s.%s", s.row.ID, kind), Community: s.row.Community, Instance: s.row.Instance, Name: string(kind) + " of process " + s.row.Name,
		Process: s.row.ID, Status: callOpen, Started: g.now(), Origin: t.id,
	}}
	err := g.view(ctx, func(tx store.Tx) error {
		old, err := tx.Call(c.row.ID)
		if err == nil {
			c.row, c.kept = old, true
			c.row.Status = callOpen
			if kind == stepUpdate || kind == stepShow {
				c.row.Saved = nil // these repeat; only an attempt that did not end is taken up again
				if old.Status != callDone {
					c.row.Saved = old.Saved
				}
			}
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return storeError(err, "looking for an earlier %s of process %s", kind, s.row.ID)
	}
	ctx, seen := g.sight.begin(ctx, seenStep, s.row.Plugin, s.row.Name+"."+string(kind), t.id)
	err = g.guard(c.row.Name, func() error { return fn(withScope(ctx, scope{call: c, trail: t})) })
	seen.end(err)
	if cause := context.Cause(ctx); errors.Is(cause, errLeaseLost) {
		return Errorf(Unavailable, "%s of process %s: %w", kind, s.row.ID, cause) // somebody else has it now
	}
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		return outrun(errors.Join(err, storeError(g.update(ctx, func(tx store.Tx) error { return c.settle(tx, g.now(), nil, err) }), "keeping the end of %s", c.row.Name)))
	}
	return outrun(s.commit(ctx, func(tx store.Tx) error {
		if err := c.settle(tx, g.now(), nil, nil); err != nil {
			return err
		}
		if more != nil {
			return more(tx)
		}
		return nil
	}))
}

// outrun says that a step is to be tried again where somebody else changed a row in the meantime: the task that ends calls which nobody
// finished may come at the same moment as the next attempt.
func outrun(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return Errorf(Unavailable, "somebody else was quicker: %w", err)
	}
	return err
}

// start brings a created process to the platform.
func (g *Gateway) start(ctx context.Context, s *Step) error {
	if s.row.Status != store.Created {
		return nil
	}
	id := s.row.ID
	begun := func(tx store.Tx) error {
		if err := tx.Unschedule(taskStart, id); err != nil {
			return err
		}
		return g.unparkClicks(tx, id)
	}
	err := g.attempt(ctx, s, stepStart, func(ctx context.Context) error {
		in, err := g.enroll(ctx, s)
		if err != nil {
			return err
		}
		if err := s.def.Start(ctx, s.state, s, in); err != nil {
			return err
		}
		if s.row.Status == store.Created {
			s.row.Status = store.Pending
		}
		s.lookAgain()
		s.keepSince()
		return nil
	}, func(tx store.Tx) error { return errors.Join(begun(tx), s.showOver(tx)) })
	if err == nil || again(err) {
		return err
	}
	// What a failed start left in the state, or asked for, is worth nothing.
	s.row, s.state = s.base, s.def.New()
	if state, e := s.decoded(); e == nil {
		s.state = state
	}
	s.refs, s.tasks, s.effect = nil, nil, nil
	s.Fail(text(err))
	return errors.Join(err, s.commit(context.WithoutCancel(ctx), begun))
}

// showOver has a process shown that ended while it was brought to its platform: what was made there looks as if it ran.
func (s *Step) showOver(tx store.Tx) error {
	row, err := tx.Process(s.row.ID)
	if err != nil || s.row.Status != store.Pending || !ended(row) || s.def.Show == nil {
		return err
	}
	return tx.Schedule(s.task(taskShow, s.Now()))
}

// saved says that a start has kept something, as it does before its platform hears of it: there may be something to show, should it end now.
func (s *Step) saved() bool {
	empty, err := json.Marshal(s.def.New())
	return err != nil || !bytes.Equal(empty, s.row.State)
}

// decoded is the state as it was last kept.
func (s *Step) decoded() (any, error) {
	state := s.def.New()
	return state, json.Unmarshal(s.row.State, state)
}

// show tells people and callbacks how the votes stand.
func (g *Gateway) show(ctx context.Context, s *Step) error {
	if s.row.Status == store.Created || s.row.Status == store.Closing {
		return nil // of one that is closing there is no result yet; its end has it shown
	}
	if wait := s.row.Shown.Add(showEvery).Sub(s.Now()); wait > 0 {
		return &nextRun{wait} // ballots came while it was being shown
	}
	s.row.Shown = s.Now() // before the counts are read: a ballot that comes after this is shown again
	var tell func(store.Tx) error
	if s.row.Status == store.Pending {
		tell = func(tx store.Tx) error { return g.changed(tx, s.row) }
	}
	err := g.attempt(ctx, s, stepShow, func(ctx context.Context) error {
		if s.def.Show == nil {
			return nil
		}
		return s.def.Show(ctx, s.state, s)
	}, tell)
	if err != nil && tell != nil { // the platform does not show it, but callbacks are to hear it
		err = errors.Join(err, storeError(g.update(context.WithoutCancel(ctx), tell), "telling of process %s", s.row.ID))
	}
	return err
}

// shut takes a process to closing, durably, so that what its outcome counts is what stays; then it makes the outcome. Where the outcome
// is the voting standard's, and so calls nobody, both are one transaction. Otherwise the first part does not wait for a slow step under way. planned is
// the closing time that has come, which must still be the process's; zero where it is closed for another reason.
func (g *Gateway) shut(ctx context.Context, id string, why vote.Closing, planned time.Time, inst *opened) error {
	decided := false
	err := g.update(ctx, func(tx store.Tx) error {
		decided = false
		row, err := tx.Process(id)
		if err != nil || row.Status != store.Created && row.Status != store.Pending {
			return err
		}
		if !planned.IsZero() && !row.CloseAt.Equal(planned) {
			return nil // it was given another just now, and has a task for that
		}
		if why.By == vote.ByDecision && row.Status == store.Pending { // ballots may have come since somebody looked
			if still, err := g.decidedStill(tx, row); err != nil || !still {
				return err
			}
		}
		if row.Closing, err = json.Marshal(why); err != nil {
			return err
		}
		if row.Status == store.Created {
			if err := g.unparkClicks(tx, id); err != nil {
				return err
			}
		}
		begun := row.Status != store.Created
		row.Status, row.Updated = store.Closing, g.now()
		if err := tx.PutProcess(row); err != nil {
			return err
		}
		if err := g.auditClosed(tx, trailOf(ctx, row.Origin), row, why); err != nil {
			return err
		}
		row.Rev++
		if s, err := g.stepOf(row, inst); err == nil && s.def.Close == nil {
			decided = true
			return g.decide(withScope(ctx, scope{tx: tx}), tx, s, begun || s.saved())
		}
		if err := g.changed(tx, row); err != nil {
			return err
		}
		for _, kind := range []string{taskStart, taskUpdate, taskRoll} {
			if err := tx.Unschedule(kind, id); err != nil {
				return err
			}
		}
		// Should we die before the outcome is made, whoever comes next makes it; not at once, for we are making it.
		return tx.Schedule(store.Task{Kind: taskClose, Key: id, Community: row.Community, Instance: row.Instance, Due: g.now().Add(leaseTime), Created: g.now()})
	})
	if err != nil {
		return storeError(err, "closing process %s", id)
	}
	if decided {
		return nil
	}
	return g.step(ctx, stepClose, id, nil)
}

// decide ends a process by the voting standard, in the transaction of ctx. One that was never begun on the platform has nothing to show there.
func (g *Gateway) decide(ctx context.Context, tx store.Tx, s *Step, begun bool) error {
	out, err := s.Decide(ctx)
	if err == nil {
		err = s.complete(out)
	}
	if err == nil {
		err = s.commit(ctx, nil)
	}
	if err == nil && !begun {
		err = tx.Unschedule(taskShow, s.row.ID)
	}
	return err
}

// close makes the outcome: the process's own way, or by the voting standard.
func (g *Gateway) close(ctx context.Context, s *Step) error {
	if s.def.Close != nil {
		if err := s.def.Close(ctx, s.state, s); err != nil {
			return err
		}
		if s.row.Status == store.Closing {
			return Errorf(Internal, "Close of process %s called neither Complete nor Fail", s.row.Name)
		}
		return nil
	}
	out, err := s.Decide(ctx)
	if err != nil {
		return err
	}
	return s.complete(out)
}

// finished is the part of the transaction that ends a process: nothing stays scheduled but one last Show, of what people have
// seen before. was is the process before its end.
func (g *Gateway) finished(tx store.Tx, was store.Process, show bool) error {
	for _, kind := range []string{taskStart, taskUpdate, taskClose, taskShow, taskRoll} {
		if err := tx.Unschedule(kind, was.ID); err != nil {
			return err
		}
	}
	if err := g.forgetLook(tx, was); err != nil {
		return err
	}
	if err := forgetSince(tx, was); err != nil {
		return err
	}
	if !show || was.Status == store.Created {
		return nil
	}
	return tx.Schedule(store.Task{
		Kind: taskShow, Key: was.ID, Community: was.Community, Instance: was.Instance, Due: maxTime(g.now(), was.Shown.Add(showEvery)), Created: g.now(),
	})
}

// unparkClicks lets the deliveries go on that were quicker than the start of their process.
func (g *Gateway) unparkClicks(tx store.Tx, process string) error {
	_, err := tx.Unpark(store.TaskQuery{Kind: taskInbox, Group: groupProcess(process)}, g.now(), 1<<20)
	return err
}

// abandon fails a process without asking its plugin. shown: people are to see it, where they saw that it ran.
func (g *Gateway) abandon(ctx context.Context, id, reason string, shown bool) error {
	err := g.update(ctx, func(tx store.Tx) error {
		row, err := tx.Process(id)
		if err != nil || row.Status == store.Completed || row.Status == store.Failed {
			return err
		}
		was := row
		row.Status, row.Reason, row.Ended, row.Updated = store.Failed, reason, g.now(), g.now()
		if err := tx.PutProcess(row); err != nil {
			return err
		}
		def, err := g.define(row)
		if err := g.finished(tx, was, shown && err == nil && def.Show != nil); err != nil {
			return err
		}
		if err := g.auditEnded(tx, trailOf(ctx, row.Origin), row, false); err != nil {
			return err
		}
		if err := g.unparkClicks(tx, id); err != nil {
			return err
		}
		return g.changed(tx, row)
	})
	return storeError(err, "ending process %s", id)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
