package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// look is what is remembered of reading a process from its platform.
type look struct {
	At     time.Time `json:"at,omitzero"`     // when it was read last, or was tried to be
	Fresh  Duration  `json:"fresh,omitempty"` // what the driver wants
	Failed time.Time `json:"failed,omitzero"` // when it could first not be read after its closing time
}

// lookKey is where a process's look stands among its instance's state.
func lookKey(process string) string { return "gateway/look/" + process }

// looks says whether Update reads the platform.
func (p *process) looks() bool { return p.Update != nil && p.Least > 0 }

// lookOf reads what is remembered.
func lookOf(tx store.Tx, row store.Process) (l look, rev int64, err error) {
	raw, rev, err := tx.State(row.Instance, lookKey(row.ID))
	if err != nil || raw == nil {
		return l, rev, err
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return l, rev, Errorf(Internal, "decoding the last look at process %s: %w", row.ID, err)
	}
	return l, rev, nil
}

// putLook changes it.
func putLook(tx store.Tx, row store.Process, change func(*look)) error {
	l, rev, err := lookOf(tx, row)
	if err != nil {
		return err
	}
	change(&l)
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return tx.PutState(row.Instance, lookKey(row.ID), raw, rev)
}

// forgetLook is part of a process's end.
func (g *Gateway) forgetLook(tx store.Tx, row store.Process) error {
	if def, err := g.define(row); err == nil && !def.looks() {
		return nil // there is none
	}
	raw, rev, err := tx.State(row.Instance, lookKey(row.ID))
	if err != nil || raw == nil {
		return err
	}
	return tx.PutState(row.Instance, lookKey(row.ID), nil, rev)
}

// look calls Update. That it was tried is kept before, so that nobody asks the platform more often than it tolerates, whatever
// becomes of it.
func (g *Gateway) look(ctx context.Context, s *Step) error {
	failed := false
	if s.def.looks() {
		err := g.update(ctx, func(tx store.Tx) error {
			return putLook(tx, s.row, func(l *look) { l.At, failed = g.now(), !l.Failed.IsZero() })
		})
		if err != nil {
			return storeError(err, "keeping when process %s was looked at", s.row.ID)
		}
	}
	if err := s.def.Update(ctx, s.state, s); err != nil {
		return err
	}
	if failed { // should it be given more time, its next end has ten minutes of its own
		s.effect = append(s.effect, func(tx store.Tx) error { return putLook(tx, s.row, func(l *look) { l.Failed = time.Time{} }) })
	}
	s.lookAgain()
	return nil
}

// lookAgain has a process that reads its platform read it again in due time, unless it has said when itself.
func (s *Step) lookAgain() {
	if !s.def.looks() || s.timed {
		return
	}
	s.effect = append(s.effect, func(tx store.Tx) error {
		l, _, err := lookOf(tx, s.row)
		if err != nil {
			return err
		}
		settings, err := settingsOf(tx, s.row.Community)
		if err != nil {
			return err
		}
		least := s.g.interval(settings, s.row.Plugin, s.row.Name, s.def.Least, 0)
		return s.updateNext(tx, nextLook(s.Now(), s.row.Created, s.row.CloseAt, least, time.Duration(l.Fresh)))
	})
}

// updateNext has Update called at a time, and, where it is zero, not by itself. What was asked for since a slow step began, by a delivery that it has not
// seen, stands where that is earlier: what Update read may be from before it. So does the claim of somebody who is about to call it.
func (s *Step) updateNext(tx store.Tx, at time.Time) error {
	have, err := tx.Task(taskUpdate, s.row.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	case s.quick, have.Rev == s.update, have.Rev == s.updated: // known: also the claim of the Update under way
	case have.Attempts > 0, at.IsZero(), !have.Due.After(at):
		return nil
	}
	if err := tx.Unschedule(taskUpdate, s.row.ID); err != nil || at.IsZero() {
		return err
	}
	if err := tx.Schedule(s.task(taskUpdate, at)); err != nil {
		return err
	}
	have, err = tx.Task(taskUpdate, s.row.ID)
	s.updated = have.Rev
	return err
}

// maxLook is the longest pause between two looks.
const maxLook = time.Hour

// nextLook is when to look at a process next: after a tenth of the time that is left, or, where it has no closing time, of its age, and
// no later than fresh, if that is given; but never sooner than least. The zero time: the look at its closing comes before.
func nextLook(now, created, closeAt time.Time, least, fresh time.Duration) time.Time {
	d := now.Sub(created) / 10
	if !closeAt.IsZero() {
		d = closeAt.Sub(now) / 10
	}
	d = min(d, maxLook)
	if fresh > 0 {
		d = min(d, fresh)
	}
	d = max(d, least)
	d = max(d-rand.N(d/8+1), least) // not all at the same moment, and never later than wanted
	at := now.Add(d)
	if !closeAt.IsZero() && !at.Before(closeAt) {
		return time.Time{}
	}
	return at
}

// Refresh reads from its platform how a process stands, now, and returns it as it is then. Where it was read a moment ago, within what
// [Least] and the operator allow, and where it is over or does not read its platform, it returns what is known. An error of
// the platform's is returned with what is known.
func (c *Community) Refresh(ctx context.Context, process string) (Process, error) {
	if scopeOf(ctx).tx != nil {
		return Process{}, errInside("a fresh look at a process")
	}
	row, def, err := c.process(ctx, process)
	if err != nil {
		return Process{}, err
	}
	if row.Status != store.Pending || !def.looks() {
		return c.g.snapshot(ctx, process)
	}
	inst, err := c.g.instanceOf(ctx, row)
	if err != nil {
		return Process{}, err
	}
	within, cancel := context.WithTimeout(ctx, c.g.o.Timeout)
	defer cancel()
	failed := c.g.underLease(within, process, inst, func(ctx context.Context, s *Step) error {
		var l look
		err := c.g.view(ctx, func(tx store.Tx) (err error) { l, _, err = lookOf(tx, s.row); return err })
		if err != nil {
			return storeError(err, "reading when process %s was looked at", process)
		}
		least := c.g.interval(Settings{}, row.Plugin, row.Name, def.Least, 0)
		if s.row.Status != store.Pending || c.g.now().Before(l.At.Add(least)) {
			return nil
		}
		return c.g.attempt(ctx, s, stepUpdate, func(ctx context.Context) error { return c.g.look(ctx, s) }, nil)
	})
	p, err := c.g.snapshot(context.WithoutCancel(ctx), process)
	return p, errors.Join(failed, err)
}

// lastLooks is for how long a platform that cannot be read holds up the end of a process.
const lastLooks = 10 * time.Minute

// lastLook reads a process from its platform once more, after its closing time and before its outcome is made. note says where that
// could not be done; the error, what the closing has to wait for.
func (g *Gateway) lastLook(ctx context.Context, row store.Process) (note string, err error) {
	def, err := g.define(row)
	if err != nil || !def.looks() {
		return "", err
	}
	if g.lasts.take(row.Community) {
		defer g.lasts.give(row.Community)
		if err = g.step(ctx, stepUpdate, row.ID, nil); err == nil {
			return "", g.stillDue(ctx, row.ID)
		}
		var missing errGone
		if _, waits := waitsFor(err); waits || errors.As(err, &missing) {
			return "", err
		}
	} else { // a platform that hangs must not hold up the end of what needs none
		err = &nextRun{takeTurn/2 + rand.N(takeTurn)}
	}
	since, e := g.failedSince(context.WithoutCancel(ctx), row)
	if e != nil {
		return "", errors.Join(err, storeError(e, "keeping since when process %s cannot be read", row.ID))
	}
	gone := g.now().Sub(since)
	log := g.log.With("process", row.ID, "community", row.Community, "plugin", row.Plugin)
	if left := lastLooks - gone; left > 0 {
		var turn *nextRun
		if errors.As(err, &turn) {
			return "", turn
		}
		pause := min(max(gone, time.Second, RetryAfter(err)), left)
		log.Warn("a process is to be closed, and its platform cannot be read; trying again", "error", err, "in", pause)
		return "", &nextRun{pause}
	}
	log.Error("a process is closed with what is known: its platform could not be read after its closing time", "known", row.Updated, "error", err)
	return "its platform could not be read after the closing time, for " + lastLooks.String() + "; the outcome is made of what was known before", nil
}

// lookNow reads a process once more that its driver closes now: whoever closes it waits, so it is not tried again. note says that it failed.
func (g *Gateway) lookNow(ctx context.Context, row store.Process, inst *opened) (note string) {
	def, err := g.define(row)
	if err != nil || !def.looks() {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	if err := g.step(ctx, stepUpdate, row.ID, inst); err != nil {
		g.log.Warn("a process is closed with what is known: its platform could not be read", "process", row.ID, "community", row.Community, "plugin", row.Plugin, "error", err)
		return "its platform could not be read when it was closed; the outcome is made of what was known before"
	}
	return ""
}

// failedSince is since when a process cannot be read after its closing time, and keeps that it is from now on.
func (g *Gateway) failedSince(ctx context.Context, row store.Process) (since time.Time, err error) {
	err = g.view(ctx, func(tx store.Tx) error {
		l, _, err := lookOf(tx, row)
		since = l.Failed
		return err
	})
	if err != nil || !since.IsZero() {
		return since, err
	}
	since = g.now()
	return since, g.update(ctx, func(tx store.Tx) error { return putLook(tx, row, func(l *look) { l.Failed = since }) })
}

// slots bound how much of one kind runs at once, and how much of it may be one community's, so that there is room for others.
type slots struct {
	all, each int

	mu    sync.Mutex
	taken int
	by    map[string]int
}

func newSlots(all int) *slots {
	return &slots{all: max(all, 2), each: max(all/2, 1), by: map[string]int{}}
}

func (s *slots) take(community string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.all || s.by[community] >= s.each {
		return false
	}
	s.taken++
	s.by[community]++
	return true
}

func (s *slots) give(community string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.by[community]--; s.by[community] == 0 {
		delete(s.by, community)
	}
}

// stillDue says whether the last look has given a process more time.
func (g *Gateway) stillDue(ctx context.Context, id string) error {
	var row store.Process
	err := g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Process(id); return err })
	if err != nil {
		return gone(storeError(err, "reading process %s", id))
	}
	if row.Status == store.Pending && (row.CloseAt.IsZero() || row.CloseAt.After(g.now())) {
		return &nextRun{max(row.CloseAt.Sub(g.now()), time.Second)} // by now there is another task for that, or none
	}
	return nil
}
