package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// The kinds of tasks. A program claims only kinds that it knows.
const (
	taskStart  = "process.start"
	taskUpdate = "process.update"
	taskClose  = "process.close"
	taskShow   = "process.show"
	taskInbox  = "inbox"
	taskPoll   = "poll"
	taskCall   = "call"  // a call that may have died
	taskEvent  = "event" // a dead letter of a callback
	taskTidy   = "tidy"  // retention

	taskInstall = "install" // one that was begun and may not have been finished
)

// punctual are the tasks that keep time, and have workers of their own, so that no backlog of others holds them up; urgent those that
// somebody waits for; the patient ones take their turn after them.
var (
	punctual = []string{taskClose, taskStart}
	urgent   = []string{taskInbox, taskShow, taskEvent}
	patient  = []string{taskUpdate, taskPoll, taskCall, taskTidy, taskInstall}
)

// reserved is how many workers there are beside Options.Workers for what keeps time.
const reserved = 4

// maxTries is after how many failures something is given up and kept as a dead letter. Unavailable is never given up.
const maxTries = 12

// backoff is how long to wait before trying again: from one second, doubling, to about ten minutes, a quarter of it by
// chance, and never before the platform said.
func backoff(attempts int, err error) time.Duration {
	d := min(time.Second<<min(max(attempts-1, 0), 10), 10*time.Minute)
	d = d*7/8 + rand.N(d/4)
	return max(d, RetryAfter(err))
}

// Run does what is due, delivers events to callbacks and listens to sources, until ctx ends. It returns after everything
// that it began has stopped; what was in the middle is taken up again by the next Run, here or elsewhere. Several programs may run on
// one store.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.prepare(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { g.relay(ctx) })
	wg.Go(func() { g.dispatchAll(ctx, &wg) })
	for _, p := range g.plugins {
		for _, src := range p.m.Sources {
			wg.Go(func() { g.listen(ctx, p, src) })
		}
	}
	g.work(ctx)
	return nil
}

// relay wakes everybody who waits for something new in the store.
func (g *Gateway) relay(ctx context.Context) {
	news := g.store.Watch(ctx) // never closed
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
		}
		g.mu.Lock()
		close(g.wake)
		g.wake = make(chan struct{})
		g.mu.Unlock()
	}
}

// waker gives a channel that is closed at the next news. Take it before looking, or news in between is missed.
func (g *Gateway) waker() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wake
}

// lookAgain is how long to sleep at the most: a commit of another program may go unseen.
const lookAgain = time.Second

// work claims due tasks and runs them, a bounded number at a time.
func (g *Gateway) work(ctx context.Context) {
	slots := make(chan struct{}, g.o.Workers+reserved)
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, 1)
	for {
		news := g.waker()
		n, look := 0, false
		if busy := len(slots); busy < cap(slots) {
			tasks, err := g.claim(ctx, cap(slots)-busy, g.o.Workers-busy)
			if err != nil && ctx.Err() == nil {
				g.log.Error("due tasks could not be claimed", "error", err)
			}
			n, look = len(tasks), err == nil
			for _, t := range tasks {
				slots <- struct{}{}
				wg.Go(func() {
					defer func() {
						<-slots
						select {
						case free <- struct{}{}:
						default:
						}
					}()
					g.runTask(ctx, t)
				})
			}
		}
		if n > 0 {
			continue
		}
		if !g.sleep(ctx, look, news, free) {
			return
		}
	}
}

// sleep waits for news, a free worker, or, where it makes sense to look for it, the next due task: not while everybody works or the
// store fails.
func (g *Gateway) sleep(ctx context.Context, look bool, news, free <-chan struct{}) bool {
	d := lookAgain
	if look {
		if next, err := g.nextDue(ctx); err == nil && !next.IsZero() {
			d = min(d, max(next.Sub(g.now()), 5*time.Millisecond))
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-news:
	case <-free:
	case <-t.C:
	}
	return ctx.Err() == nil
}

// claim takes due tasks: up to first of those that keep time, then, as long as there are fewer than all in hand, those that somebody waits for,
// then the patient ones.
func (g *Gateway) claim(ctx context.Context, first, all int) (tasks []store.Task, err error) {
	now := g.now()
	due, err := g.nextDue(ctx)
	if err != nil || due.IsZero() || due.After(now) {
		return nil, err
	}
	err = g.store.Update(ctx, func(tx store.Tx) error {
		tasks = nil
		for _, part := range []struct {
			kinds []string
			limit int
		}{{punctual, first}, {urgent, all}, {patient, all}} {
			if len(tasks) >= part.limit {
				continue
			}
			more, err := tx.Claim(part.kinds, now, now.Add(leaseTime), part.limit-len(tasks))
			if err != nil {
				return err
			}
			tasks = append(tasks, more...)
		}
		return nil
	})
	if err != nil {
		tasks = nil // they may not be ours
	}
	return tasks, storeError(err, "claiming due tasks")
}

func (g *Gateway) nextDue(ctx context.Context) (next time.Time, err error) {
	err = g.store.View(ctx, func(tx store.Tx) (err error) {
		next, err = tx.NextDue(slices.Concat(punctual, urgent, patient))
		return err
	})
	return next, storeError(err, "looking for due tasks")
}

// RunDue does everything that is due now, delivers the events that are there, and returns when the next task is due; the
// zero time if there is none. It is for tests and for programs that have their own loop: it starts nothing that outlives it. Do not use
// it beside Run.
func (g *Gateway) RunDue(ctx context.Context) (next time.Time, err error) {
	if err := g.prepare(ctx); err != nil {
		return next, err
	}
	for {
		tasks, err := g.claim(ctx, g.o.Workers, g.o.Workers)
		if err != nil {
			return next, err
		}
		var wg sync.WaitGroup
		for _, t := range tasks {
			wg.Go(func() { g.runTask(ctx, t) })
		}
		wg.Wait()
		heard, err := g.dispatchOnce(ctx)
		if err != nil {
			return next, err
		}
		if err := ctx.Err(); err != nil {
			return next, err
		}
		if len(tasks) == 0 && !heard {
			break
		}
	}
	if next, err = g.nextDue(ctx); err != nil {
		return next, err
	}
	lane, err := g.nextLane(ctx)
	if !lane.IsZero() && (next.IsZero() || lane.Before(next)) {
		next = lane
	}
	return next, err
}

// runTask does one claimed task and keeps what became of it. The claim is renewed while it runs.
func (g *Gateway) runTask(ctx context.Context, t store.Task) {
	run, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	held := t // the claim as it was renewed last; read after the goroutine has ended
	go func() {
		defer close(done)
		tick := time.NewTicker(leaseTime / 3)
		defer tick.Stop()
		for {
			select {
			case <-run.Done():
				return
			case <-tick.C:
			}
			err := g.store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
				renewed, err := tx.Renew(held, g.now().Add(leaseTime))
				if err == nil {
					held = renewed
				}
				return err
			})
			if errors.Is(err, store.ErrConflict) {
				return // scheduled again: it will run once more
			}
		}
	}()
	err := g.guard("task "+t.Kind, func() error { return g.do(run, t) })
	cancel()
	<-done
	g.settleTask(context.WithoutCancel(ctx), held, err)
}

// do runs the code of one kind of task.
func (g *Gateway) do(ctx context.Context, t store.Task) error {
	ctx, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	switch t.Kind {
	case taskStart:
		return g.step(ctx, stepStart, t.Key, nil)
	case taskUpdate:
		return g.step(ctx, stepUpdate, t.Key, nil)
	case taskShow:
		return g.step(ctx, stepShow, t.Key, nil)
	case taskClose:
		return g.closeDue(ctx, t)
	case taskInbox:
		return g.handleInbox(ctx, t)
	case taskPoll:
		return g.poll(ctx, t)
	case taskCall:
		return g.buryCall(ctx, t.Key)
	case taskEvent:
		return g.redeliver(ctx, t)
	case taskInstall:
		return g.undoInstall(ctx, t)
	case taskTidy:
		return g.tidy(ctx)
	}
	return Errorf(Internal, "task of unknown kind %s", t.Kind)
}

// settleTask decides by its error what becomes of a task.
func (g *Gateway) settleTask(ctx context.Context, t store.Task, err error) {
	if errors.Is(err, errDone) {
		return
	}
	group, parked := waitsFor(err)
	var next *nextRun
	var gone errGone
	var missing errMissing
	reason := ""
	if errors.As(err, &missing) {
		reason = text(err) // nothing but another program can help: whoever looks at the task should know
	}
	again := again(err) || t.Kind == taskPoll || t.Attempts < maxTries
	settle := func(tx store.Tx) error {
		switch {
		case err == nil:
			return tx.Done(t)
		case errors.As(err, &next):
			return later(tx, t, g.now().Add(next.in))
		case parked:
			return tx.Park(t, group, reason)
		case errors.As(err, &gone):
			return tx.Done(t)
		case again:
			return tx.Retry(t, g.now().Add(backoff(t.Attempts, err)), text(err))
		default:
			return tx.Park(t, groupDead, text(err))
		}
	}
	log := g.log.With("task", t.Kind, "key", t.Key, "community", t.Community)
	if err != nil && (!parked || reason != "") && !errors.As(err, &next) && !errors.As(err, &gone) {
		log.Warn("a task failed", "attempt", t.Attempts, "error", err)
		if !again && !parked && (t.Kind == taskStart || t.Kind == taskUpdate || t.Kind == taskClose) {
			err = errors.Join(err, g.abandon(ctx, t.Key, "given up after "+plural(t.Attempts, "attempt")+": "+text(err)))
		}
	}
	if e := g.store.Update(ctx, settle); e != nil && !errors.Is(e, store.ErrConflict) && !errors.Is(e, store.ErrNotFound) {
		log.Error("the end of a task could not be kept; it will run again", "error", e)
	}
}

// later has a task that did its work run again. It begins anew then: a run that succeeded does not count as a failed attempt.
func later(tx store.Tx, t store.Task, due time.Time) error {
	have, err := tx.Task(t.Kind, t.Key)
	if err != nil || have.Rev != t.Rev {
		return err // gone, or scheduled again meanwhile
	}
	if err := tx.Unschedule(t.Kind, t.Key); err != nil {
		return err
	}
	t.Due, t.Attempts, t.Error = due, 0, ""
	return tx.Schedule(t)
}

// waitsFor says which group a task has to wait in that ended with this error, if it is of those that wait.
func waitsFor(err error) (group string, waits bool) {
	var wait *waitError
	var paused errPaused
	var missing errMissing
	switch {
	case errors.As(err, &wait):
		return wait.group, true
	case errors.As(err, &paused):
		return groupPaused(paused.instance), true
	case errors.As(err, &missing):
		return groupPlugin(missing.plugin), true
	}
	return "", false
}

// errMissing says that something needs a plugin, or a version of it, that this program does not have.
type errMissing struct {
	plugin string
	error
}

func (e errMissing) Unwrap() error { return e.error }

func groupPlugin(name string) string { return "plugin:" + name }

// errGone says that what a task is about does not exist any more. Only the gateway's own reads say so: a plugin or driver that
// misses something else has failed, and is tried again.
type errGone struct{ error }

func (e errGone) Unwrap() error { return e.error }

// gone marks a failed read of what a task is about.
func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return errGone{err}
	}
	return err
}

// nextRun is returned by a task that wants to run again after a while, having done its work.
type nextRun struct{ in time.Duration }

func (n *nextRun) Error() string { return "runs again in " + n.in.String() }

// closeDue closes a process whose time has come, or whose plugin asked for it.
func (g *Gateway) closeDue(ctx context.Context, t store.Task) error {
	why := vote.Closing{By: vote.ByTime}
	if len(t.Payload) > 0 {
		if err := json.Unmarshal(t.Payload, &why); err != nil {
			return Errorf(Internal, "decoding why process %s is closed: %w", t.Key, err)
		}
	}
	var row store.Process
	err := g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Process(t.Key); return err })
	if err != nil {
		return gone(storeError(err, "reading process %s", t.Key))
	}
	if len(t.Payload) == 0 && row.Status != store.Closing { // it may have been given more time while this task was on its way
		if row.CloseAt.IsZero() {
			return nil
		}
		if early := row.CloseAt.Sub(g.now()); early > 0 {
			return &nextRun{early}
		}
	}
	if why.At.IsZero() {
		why.At = row.CloseAt
	}
	if _, err := g.instanceOf(ctx, row); err != nil {
		return err // a paused instance's processes stand still
	}
	if late, err := g.catchingUp(ctx, row.Instance); err != nil {
		return err
	} else if late {
		return &nextRun{20 * time.Millisecond}
	}
	return g.shut(ctx, t.Key, why)
}

// catchingUp reports whether deliveries of an instance are still on their way that came before now: after a pause they and the
// closings that waited with them are due at once, and a ballot that was cast in time counts.
func (g *Gateway) catchingUp(ctx context.Context, instance string) (late bool, err error) {
	err = g.view(ctx, func(tx store.Tx) error {
		tasks, err := tx.Tasks(store.TaskQuery{Kind: taskInbox, Instance: instance}, taskInbox, "", 1000)
		for _, t := range tasks {
			late = late || t.Group == "" && t.Error == "" && strings.HasSuffix(t.Key, "/"+stageReceive) // not those that failed: they may go on failing
		}
		return err
	})
	return late, storeError(err, "looking for deliveries of instance %s", instance)
}

// schedulePolls has an instance's polls run, the first time soon; of those that it has already, where missing is true, none.
func (g *Gateway) schedulePolls(tx store.Tx, p *plug, row store.Instance, missing bool) error {
	for _, d := range p.m.Polls {
		key := row.ID + "/" + d.Name
		if missing {
			if _, err := tx.Task(taskPoll, key); err == nil {
				continue
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		if err := tx.Schedule(store.Task{Kind: taskPoll, Key: key, Community: row.Community, Instance: row.ID, Due: g.now(), Created: g.now()}); err != nil {
			return err
		}
	}
	return nil
}

// newPolls schedules what instances that were enabled with another version of their plugin do not poll yet. Cost follows what
// exists, so that it is done once in a program's life.
func (g *Gateway) newPolls(ctx context.Context) error {
	for _, p := range g.listed {
		for after := ""; len(p.m.Polls) > 0; {
			const some = 100
			var rows []store.Instance
			err := g.store.Update(ctx, func(tx store.Tx) (err error) {
				if rows, err = tx.InstancesByPlugin(p.m.Name, after, some); err != nil {
					return err
				}
				for _, row := range rows {
					if err := g.schedulePolls(tx, p, row, true); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return storeError(err, "scheduling the polls of %s", p.m.Name)
			}
			if len(rows) < some {
				break
			}
			after = rows[len(rows)-1].ID
		}
	}
	return nil
}

// poll runs one poll of one instance.
func (g *Gateway) poll(ctx context.Context, t store.Task) error {
	id, name, _ := strings.Cut(t.Key, "/")
	var row store.Instance
	err := g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Instance(id); return err })
	if err != nil {
		return gone(storeError(err, "the instance of poll %s", t.Key))
	}
	if row.Status != statusActive {
		return errPaused{row.ID, Errorf(Conflict, "instance %s is paused", row.Name)}
	}
	inst, err := g.open(ctx, row)
	if err != nil {
		return err
	}
	d, ok := inst.p.polls[name]
	if !ok {
		return nil // this version of the plugin does not have it any more
	}
	if err := d.Run(ctx, inst.self); err != nil {
		return err
	}
	return &nextRun{d.Every*15/16 + rand.N(d.Every/8)} // not all at the same moment
}

// buryCall ends a call that nobody finished, so that what waits for its echo goes on.
func (g *Gateway) buryCall(ctx context.Context, id string) error {
	return gone(storeError(g.update(ctx, func(tx store.Tx) error {
		row, err := tx.Call(id)
		if err != nil || row.Status != callOpen {
			return err
		}
		c := &Call{g: g, row: row, kept: true}
		return c.settle(tx, g.now(), nil, Errorf(Unknown, "the program ended while it ran"))
	}), "ending call %s", id))
}
