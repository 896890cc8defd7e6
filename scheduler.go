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
	taskRepair = "repair"
	taskRoll   = "process.roll" // who has a role, while a vote is open to whoever has it at the ballot
	taskClaim  = "claim"        // the end of a claim
	taskForget = "forget"       // what a delivery said, when nothing needs it any more

	taskErase = "erase" // what is left to be done of erasing a person

	taskInstall = "install" // one that was begun and may not have been finished
	taskToken   = "token"   // a person's own credentials that nobody uses any more, to be revoked
)

// punctual are the tasks that keep time, and have workers of their own, so that no backlog of others holds them up; urgent those that
// somebody waits for; the patient ones take their turn after them.
var (
	punctual = []string{taskClose, taskStart}
	urgent   = []string{taskInbox, taskShow, taskEvent}
	patient  = []string{taskUpdate, taskPoll, taskPolls, taskRepair, taskCall, taskTidy, taskInstall, taskForget, taskRoll, taskErase, taskClaim, taskToken}
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
		if ctx.Err() != nil {
			return nil // it was told to end before it had begun
		}
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { g.relay(ctx) })
	wg.Go(func() { g.heartbeat(ctx) })
	wg.Go(func() { g.keepVitals(ctx) })
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

func (g *Gateway) nextDue(ctx context.Context) (next time.Time, err error) {
	err = g.store.View(ctx, func(tx store.Tx) (err error) {
		next, err = tx.NextDue(slices.Concat(punctual, urgent, patient))
		return err
	})
	return next, storeError(err, "looking for due tasks")
}

// do runs the code of one kind of task.
func (g *Gateway) do(ctx context.Context, t store.Task) error {
	limit := g.o.Timeout
	if t.Kind == taskRepair {
		limit = max(limit, repairTime)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ctx = withUrgency(ctx, t.Kind)
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
		return g.poll(correlate(ctx, newID("k")), t)
	case taskPolls:
		return g.walkPolls(ctx, t.Key)
	case taskRepair:
		return g.repair(correlate(ctx, newID("k")), t)
	case taskCall:
		return g.revisit(ctx, t)
	case taskEvent:
		return g.redeliver(ctx, t)
	case taskInstall:
		return g.undoInstall(ctx, t)
	case taskToken:
		return g.revokeToken(ctx, t)
	case taskRoll:
		return g.readAgain(ctx, t.Key)
	case taskClaim:
		return g.expired(ctx, t)
	case taskForget:
		return g.forgetLater(ctx, t)
	case taskErase:
		return g.eraseMore(ctx, t)
	case taskTidy:
		return g.tidy(ctx)
	}
	return Errorf(Internal, "task of unknown kind %s", t.Kind)
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
	var planned time.Time
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
		planned = row.CloseAt
	}
	if why.By == vote.ByDecision && row.Status == store.Pending {
		if still, err := g.stillDecided(ctx, row); err != nil || !still {
			return err
		}
		why.At = g.now()
	}
	if why.At.IsZero() && why.By == vote.ByTime {
		why.At = row.CloseAt
	}
	if len(t.Payload) == 0 && !row.CloseAt.IsZero() {
		g.sight.closing(ctx, row.Plugin, g.now().Sub(row.CloseAt))
	}
	inst, err := g.instanceOf(ctx, row)
	if err != nil {
		return err // a paused instance's processes stand still
	}
	if late, err := g.catchingUp(ctx, row.Instance); err != nil {
		return err
	} else if late {
		return &nextRun{20 * time.Millisecond}
	}
	switch {
	case row.Status != store.Pending:
	case why.By == vote.ByTime:
		if why.Note, err = g.lastLook(ctx, row); err != nil {
			return err
		}
	case why.By == vote.ByDriver && !why.Cancel:
		why.Note = g.lookNow(ctx, row, inst)
	}
	if why.At.IsZero() { // a driver's word that had to wait: until now ballots count
		why.At = g.now()
	}
	return g.shut(ctx, t.Key, why, planned, inst)
}

// stillDecided says whether a vote that is to close because it is decided still is: people may have changed their votes until the shortest time was over.
// If not, it goes on until its closing time.
func (g *Gateway) stillDecided(ctx context.Context, row store.Process) (decided bool, err error) {
	err = g.update(ctx, func(tx store.Tx) (err error) { decided, err = g.decidedStill(tx, row); return err })
	return decided, storeError(err, "whether process %s is decided", row.ID)
}

// decidedStill is stillDecided within a transaction.
func (g *Gateway) decidedStill(tx store.Tx, row store.Process) (decided bool, err error) {
	def, err := g.define(row)
	if err != nil {
		return false, err
	}
	a, err := g.askedOf(row, def, platformIn(tx, row))
	if err != nil || a == nil {
		return false, err
	}
	if decided, err = decidedNow(tx, row, a); err != nil || decided || row.CloseAt.IsZero() {
		return decided, err
	}
	if named, err := endsBySomebody(tx, row); err != nil || named {
		return false, err
	}
	if err := tx.Unschedule(taskClose, row.ID); err != nil {
		return false, err
	}
	return false, tx.Schedule(store.Task{Kind: taskClose, Key: row.ID, Community: row.Community, Instance: row.Instance, Due: row.CloseAt, Created: g.now()})
}

// catchingUp reports whether deliveries of an instance are still on their way that came before now: after a pause they and the
// closings that waited with them are due at once, and a ballot that was cast in time counts.
func (g *Gateway) catchingUp(ctx context.Context, instance string) (bool, error) {
	const some = 100
	for after := ""; ; {
		var tasks []store.Task
		err := g.view(ctx, func(tx store.Tx) (err error) {
			tasks, err = tx.Tasks(store.TaskQuery{Kind: taskInbox, Instance: instance}, taskInbox, after, some)
			return err
		})
		for _, t := range tasks {
			if t.Group == "" && t.Error == "" && strings.HasSuffix(t.Key, "/"+stageReceive) { // not those that failed: they may go on failing
				return true, nil
			}
			after = t.Key
		}
		if err != nil || len(tasks) < some {
			return false, storeError(err, "looking for deliveries of instance %s", instance)
		}
	}
}
