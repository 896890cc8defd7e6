package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// crew runs claimed tasks for one Run. A round is one transaction: it keeps what became of the tasks that have ended and claims the next ones.
// While tasks are quick some more are claimed than can run at once, so that nobody waits for the disk; while they are slow none are.
//
// A community may have as many workers as [mayHave] allows: where its tasks hang, there are always some left for others.
type crew struct {
	g   *Gateway
	ctx context.Context // of what runs

	mu      sync.Mutex
	held    map[*job]bool // claimed and not settled
	strict  []*job        // not begun, and they keep time
	ready   []*job        // not begun, all others
	ended   []*job        // not settled
	running int
	timely  int            // of those, how many keep time
	works   map[string]int // of those that do not, how many by community
	ahead   int            // how many to claim beyond those that can run
	more    bool           // the last claim left something
	closing bool           // nothing more is claimed

	wg    sync.WaitGroup
	nudge chan struct{} // something ended
}

// job is one claimed task.
type job struct {
	task   store.Task
	until  time.Time // of the claim; guarded by crew.mu
	lost   bool      // it was scheduled again, or somebody else has it; likewise
	cancel context.CancelCauseFunc
	settle func(store.Tx) error
}

func newCrew(ctx context.Context, g *Gateway) *crew {
	return &crew{g: g, ctx: ctx, held: map[*job]bool{}, works: map[string]int{}, nudge: make(chan struct{}, 1)}
}

// maxAhead bounds how many tasks wait in memory to be run.
const maxAhead = 256

// mayHave says whether a community that has so many workers may have one more, when so many are free: as long as it has less than three
// times as many as are left. Alone it gets three quarters of them; each that comes then finds some, and nobody takes the last.
func mayHave(has, free int) bool { return free > 0 && has < 3*free }

// free is how many workers have nothing to do, without those that are reserved. c.mu is held.
func (c *crew) free() int { return c.g.o.Workers - (c.running - min(c.timely, reserved)) }

// room says how many tasks may be claimed now: of those that keep time, and of all together; and whose are not wanted.
func (c *crew) room() (first, all int, except []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	free := c.free()
	for community, has := range c.works {
		if !mayHave(has, free) {
			except = append(except, community)
		}
	}
	wait := 0
	for _, j := range c.ready {
		if mayHave(c.works[j.task.Community], free) {
			wait++
		}
	}
	all = c.g.o.Workers + c.ahead - c.running - wait - len(c.strict)
	return max(all, 0) + max(reserved-c.timely-len(c.strict), 0), all, except
}

// round settles and claims in one transaction. It reports how many tasks were claimed.
func (c *crew) round(ctx context.Context) (claimed int, err error) {
	c.mu.Lock()
	over := c.ended
	c.ended = nil
	c.ahead = min(2*len(over), maxAhead)
	more, closing := c.more, c.closing
	c.mu.Unlock()
	first, all, except := c.room()
	look := ctx.Err() == nil && first > 0 && !closing
	now := c.g.now()
	if look && !more {
		var due time.Time
		due, err = c.g.nextDue(ctx)
		look = err == nil && !due.IsZero() && !due.After(now)
	}
	if len(over) == 0 && !look {
		return 0, err
	}
	var tasks []store.Task
	until := now.Add(leaseTime)
	err = errors.Join(err, c.g.store.Update(context.WithoutCancel(ctx), func(tx store.Tx) (err error) {
		tasks = nil
		for _, j := range over {
			if err := j.settle(tx); err != nil {
				return err
			}
		}
		if look {
			tasks, err = claim(tx, now, until, first, all, except)
		}
		return err
	}))
	var kept []*job
	if err != nil {
		tasks = nil // they may not be ours
		kept = c.settleEach(ctx, over)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range over {
		delete(c.held, j)
	}
	for _, j := range kept {
		c.held[j] = true
		c.ended = append(c.ended, j)
	}
	for _, t := range tasks {
		j := &job{task: t, until: until}
		c.held[j] = true
		if keepsTime(t.Kind) {
			c.strict = append(c.strict, j)
		} else {
			c.ready = append(c.ready, j)
		}
	}
	c.more = look && len(tasks) >= first
	c.begin()
	return len(tasks), storeError(err, "claiming due tasks")
}

// claim takes due tasks: up to first of those that keep time, then, as long as there are fewer than all in hand, those that somebody waits for,
// then the patient ones. What keeps time is claimed whosever it is.
func claim(tx store.Tx, now, until time.Time, first, all int, except []string) (tasks []store.Task, err error) {
	for _, part := range []struct {
		kinds  []string
		limit  int
		except []string
	}{{punctual, first, nil}, {urgent, all, except}, {patient, all, except}} {
		if len(tasks) >= part.limit {
			continue
		}
		more, err := tx.Claim(part.kinds, now, until, part.limit-len(tasks), part.except...)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, more...)
	}
	return tasks, nil
}

// settleEach keeps the ends of tasks one by one, after they could not be kept together: one of them may be to blame. Those that cannot be kept
// now are tried again as long as they are ours.
func (c *crew) settleEach(ctx context.Context, over []*job) (again []*job) {
	now := c.g.now()
	for _, j := range over {
		err := c.g.store.Update(context.WithoutCancel(ctx), j.settle)
		if err == nil {
			continue
		}
		c.mu.Lock()
		ours := j.until.After(now)
		c.mu.Unlock()
		if ours && ctx.Err() == nil {
			again = append(again, j)
			continue
		}
		c.g.log.Error("the end of a task could not be kept; it will run again", "task", j.task.Kind, "key", j.task.Key, "error", err)
	}
	return again
}

// begin gives tasks to workers, what keeps time first. Those whose claim was lost while they waited are somebody else's by now, or soon. c.mu
// is held.
func (c *crew) begin() {
	now := c.g.now()
	theirs := func(j *job) bool {
		if !j.lost && j.until.After(now) {
			return false
		}
		delete(c.held, j)
		return true
	}
	c.strict, c.ready = slices.DeleteFunc(c.strict, theirs), slices.DeleteFunc(c.ready, theirs)
	for len(c.strict) > 0 && (c.free() > 0 || c.timely < reserved) {
		j := c.strict[0]
		c.strict = c.strict[1:]
		c.timely++
		c.start(j)
	}
	rest := c.ready[:0]
	for i, j := range c.ready {
		free := c.free()
		if free <= 0 {
			rest = append(rest, c.ready[i:]...)
			break
		}
		if !mayHave(c.works[j.task.Community], free) {
			rest = append(rest, j)
			continue
		}
		c.works[j.task.Community]++
		c.start(j)
	}
	c.ready = rest
}

func (c *crew) start(j *job) {
	c.running++
	c.wg.Go(func() { c.run(j) })
}

// run does one task.
func (c *crew) run(j *job) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	c.mu.Lock()
	j.cancel = cancel
	c.mu.Unlock()
	about, seen := c.g.sight.begin(ctx, seenTask, "", j.task.Kind, j.task.Ref)
	err := c.g.guard("task "+j.task.Kind, func() error { return c.g.do(about, j.task) })
	seen.end(seenError(err))
	cancel(nil)
	j.settle = c.g.settling(context.WithoutCancel(ctx), j.task, err)
	c.mu.Lock()
	c.running--
	if community := j.task.Community; keepsTime(j.task.Kind) {
		c.timely--
	} else if c.works[community]--; c.works[community] == 0 {
		delete(c.works, community)
	}
	c.ended = append(c.ended, j)
	if c.ctx.Err() == nil {
		c.begin()
	}
	c.mu.Unlock()
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}

func keepsTime(kind string) bool { return kind == taskClose || kind == taskStart }

// finish waits for what runs, keeps how it ended, and gives back what was not begun.
func (c *crew) finish(ctx context.Context) {
	c.wg.Wait()
	c.mu.Lock()
	back := slices.Concat(c.strict, c.ready)
	for _, j := range back {
		j.settle = func(tx store.Tx) error { return giveBack(tx, j.task, c.g.now()) }
	}
	c.ended, c.strict, c.ready = append(c.ended, back...), nil, nil
	c.closing = true // what came just now is for whoever claims next: nobody would wait for it here
	c.mu.Unlock()
	if _, err := c.round(ctx); err != nil {
		c.g.log.Error("tasks could not be given back; their claims will run out", "error", err)
	}
}

// giveBack makes a claimed task due again as if it had not been claimed.
func giveBack(tx store.Tx, t store.Task, now time.Time) error {
	have, err := tx.Task(t.Kind, t.Key)
	if errors.Is(err, store.ErrNotFound) || err == nil && have.Rev != t.Rev {
		return nil
	}
	if err == nil {
		err = tx.Unschedule(t.Kind, t.Key)
	}
	if err != nil {
		return err
	}
	t.Due, t.Attempts = now, t.Attempts-1
	return tx.Schedule(t)
}

// renew keeps the claims on everything in hand while ctx lasts, in real time: a claim protects against real concurrency. What runs under
// a claim that has run out, because the store could not be reached, is told to stop.
func (c *crew) renew(ctx context.Context) {
	tick := time.NewTicker(leaseTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.renewAll(ctx)
		}
	}
}

func (c *crew) renewAll(ctx context.Context) {
	c.mu.Lock()
	jobs := make([]*job, 0, len(c.held))
	for j := range c.held {
		jobs = append(jobs, j)
	}
	c.mu.Unlock()
	if len(jobs) == 0 {
		return
	}
	now := c.g.now()
	until := now.Add(leaseTime)
	taken := map[*job]bool{}
	err := c.g.store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		clear(taken)
		for _, j := range jobs {
			_, err := tx.Renew(j.task, until)
			switch {
			case errors.Is(err, store.ErrConflict): // scheduled again, or claimed by somebody else: it runs once more
				taken[j] = true
			case err != nil:
				return err
			}
		}
		return nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range jobs {
		switch {
		case err == nil && taken[j]:
			j.lost = true
			if j.cancel != nil && alone(j.task.Kind) {
				j.cancel(errLeaseLost)
			}
		case err == nil:
			j.until = until
		case !j.until.After(now) && j.cancel != nil:
			j.cancel(errLeaseLost)
		}
	}
}

// alone says of a kind of task that its runs must not overlap, and that nothing else sees to that.
func alone(kind string) bool { return kind == taskPoll }

// work runs due tasks until ctx ends.
func (g *Gateway) work(ctx context.Context) {
	c := newCrew(ctx, g)
	defer c.finish(ctx)
	c.wg.Go(func() { c.renew(ctx) })
	ill := 0
	for {
		news := g.waker()
		n, err := c.round(ctx)
		if err != nil && ctx.Err() == nil {
			if ill++; telling(ill) {
				g.log.Error("due tasks could not be claimed", "failures", ill, "error", err)
			}
		} else {
			ill = 0
		}
		if n > 0 && ctx.Err() == nil {
			continue
		}
		if !g.sleep(ctx, c, err == nil, news) {
			return
		}
	}
}

// sleep waits for news, the end of a task, or, where it makes sense to look for it, the next due task: not while everybody works or the
// store fails.
func (g *Gateway) sleep(ctx context.Context, c *crew, look bool, news <-chan struct{}) bool {
	d := lookAgain
	if first, _, _ := c.room(); first == 0 {
		look = false
	}
	if look {
		if next, err := g.nextDue(ctx); err == nil && !next.IsZero() {
			d = min(d, max(next.Sub(g.now()), 5*time.Millisecond))
		}
	} else {
		news = nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-news:
	case <-c.nudge:
	case <-t.C:
	}
	return ctx.Err() == nil
}

// RunDue does everything that is due now, delivers the events that are there, and returns when the next task is due; the
// zero time if there is none. It is for tests and for programs that have their own loop: it starts nothing that outlives it. Do not use
// it beside Run.
func (g *Gateway) RunDue(ctx context.Context) (next time.Time, err error) {
	if err := g.prepare(ctx); err != nil {
		return next, err
	}
	c := newCrew(ctx, g)
	defer c.finish(ctx)
	renewing, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.renew(renewing) })
	defer wg.Wait()
	defer stop()
	for {
		n, err := c.round(ctx)
		if err != nil {
			return next, err
		}
		c.wg.Wait()
		if n > 0 { // callbacks find what the tasks did settled
			c.mu.Lock()
			c.more = false
			c.mu.Unlock()
			if n, err = c.round(ctx); err != nil {
				return next, err
			}
			c.wg.Wait()
		}
		heard, err := g.dispatchOnce(ctx)
		if err != nil {
			return next, err
		}
		if err := ctx.Err(); err != nil {
			return next, err
		}
		if n == 0 && !heard {
			break
		}
	}
	g.flushDue(ctx)
	if next, err = g.nextDue(ctx); err != nil {
		return next, err
	}
	lane, err := g.nextLane(ctx)
	if !lane.IsZero() && (next.IsZero() || lane.Before(next)) {
		next = lane
	}
	return next, err
}

// settling decides by its error what becomes of a task, as something to be done in a transaction.
func (g *Gateway) settling(ctx context.Context, t store.Task, err error) func(store.Tx) error {
	if errors.Is(err, errDone) {
		return func(store.Tx) error { return nil }
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
	if err != nil && (!parked || reason != "") && !errors.As(err, &next) && !errors.As(err, &gone) {
		g.log.WarnContext(correlate(ctx, t.Ref), "a task failed", "task", t.Kind, "key", t.Key, "community", t.Community, "attempt", t.Attempts, "error", err)
		g.ail(t.Instance, t.Kind, err)
		if !again && !parked && (t.Kind == taskStart || t.Kind == taskUpdate || t.Kind == taskClose) {
			err = errors.Join(err, g.abandon(ctx, t.Key, "given up after "+plural(t.Attempts, "attempt")+": "+text(err), true))
		}
	}
	return func(tx store.Tx) error {
		switch {
		case err == nil:
			return tx.Done(t)
		case errors.As(err, &next):
			return tx.Again(t, g.now().Add(next.in)) // a run that succeeded does not count as a failed attempt
		case parked:
			return tx.Park(t, group, reason)
		case errors.As(err, &gone):
			return tx.Done(t)
		case again:
			return tx.Retry(t, g.now().Add(backoff(t.Attempts, err)), text(err))
		default:
			if err := g.auditGivenUp(tx, t); err != nil {
				return err
			}
			return tx.Park(t, groupDead, text(err))
		}
	}
}
