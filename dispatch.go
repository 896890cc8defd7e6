package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Filter narrows what a callback hears. Empty fields let everything pass; of several filters one has to.
type Filter struct {
	Community string   `json:"community,omitempty"` // slug
	Plugin    string   `json:"plugin,omitempty"`    // name
	Instance  string   `json:"instance,omitempty"`  // ID
	Types     []string `json:"types,omitempty"`     // of events
}

func (f Filter) passes(e store.Event) bool {
	return (f.Community == "" || f.Community == e.Community) && (f.Plugin == "" || f.Plugin == e.Plugin) &&
		(f.Instance == "" || f.Instance == e.Instance) && (len(f.Types) == 0 || slices.Contains(f.Types, e.Type))
}

// sub is a named callback in this program.
type sub struct {
	name    string
	process bool // hears processes, not platform events
	filters []Filter
	fn      func(context.Context, *Community, store.Event) error

	mu   sync.Mutex
	busy map[string]bool // communities whose lane a goroutine is working on
}

func (s *sub) hears(e store.Event) bool {
	if (e.Process != "") != s.process {
		return false
	}
	return len(s.filters) == 0 || slices.ContainsFunc(s.filters, func(f Filter) bool { return f.passes(e) })
}

// OnEvent has fn called for every event from now on, after it is durable, at least once, in order within each community. The
// name makes the subscription last: after a crash, and in the next version of the program, fn goes on where it stopped. Register all
// callbacks before Run. fn runs on the gateway's goroutines, one at a time for each community, several communities at
// once, with a context that ends after Options.CallbackTimeout.
//
// When fn fails the event comes again, with growing pauses, and the community's later events wait; other communities do
// not notice. Unavailable is tried for ever. After 12 tries with another error, or panics, the event is kept as a dead letter
// ([Community.DeadLetters]) and passed over. Conflict: the name is registered already.
func (g *Gateway) OnEvent(ctx context.Context, name string, fn func(context.Context, *Community, Event) error, filters ...Filter) error {
	return g.subscribe(ctx, &sub{name: name, filters: filters, fn: func(ctx context.Context, c *Community, e store.Event) error {
		return fn(ctx, c, eventOf(e))
	}})
}

// OnProcess has fn called when a process has another status, and, at most once a second, when its tally has moved. fn gets
// the process as it is when it is called, with exact counts. A status that is history by then is passed over, for the one after it
// is heard too. Everything else is as with [Gateway.OnEvent].
func (g *Gateway) OnProcess(ctx context.Context, name string, fn func(context.Context, *Community, Process) error, filters ...Filter) error {
	return g.subscribe(ctx, &sub{name: name, process: true, filters: filters, fn: func(ctx context.Context, c *Community, e store.Event) error {
		p, err := g.snapshot(ctx, e.Process)
		if errors.Is(err, NotFound) {
			return nil // too old, and deleted
		}
		if err != nil {
			return err
		}
		if string(e.Data) != string(statusData(string(p.Status))) {
			return nil
		}
		return fn(ctx, c, p)
	}})
}

// subscribe makes the name's place in the log at once: what happens from now on is heard.
func (g *Gateway) subscribe(ctx context.Context, s *sub) error {
	if s.name == "" {
		return Errorf(Invalid, "a subscription needs a name")
	}
	if strings.HasPrefix(s.name, ourPrefix) {
		return Errorf(Invalid, "subscription %q: names that begin with %s are the gateway's own", s.name, ourPrefix)
	}
	s.busy = map[string]bool{}
	g.mu.Lock()
	_, taken := g.subs[s.name]
	if !taken {
		g.subs[s.name] = s
	}
	g.mu.Unlock()
	if taken {
		return Errorf(Conflict, "the name %q is registered already", s.name)
	}
	err := g.update(ctx, func(tx store.Tx) error {
		_, err := tx.Sub(s.name)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		last, err := tx.LastSeq()
		if err != nil {
			return err
		}
		return tx.PutSub(store.Sub{Name: s.name, Cursor: last, Created: g.now()})
	})
	if err != nil {
		g.mu.Lock()
		delete(g.subs, s.name)
		g.mu.Unlock()
	}
	return storeError(err, "registering %q", s.name)
}

// Forget ends a subscription for good. One that nobody registers any more holds back retention until it is forgotten.
func (g *Gateway) Forget(ctx context.Context, name string) error {
	if strings.HasPrefix(name, ourPrefix) {
		return Errorf(Invalid, "subscription %q is the gateway's own", name)
	}
	g.mu.Lock()
	delete(g.subs, name)
	g.mu.Unlock()
	return storeError(g.update(ctx, func(tx store.Tx) error { return tx.DeleteSub(name) }), "forgetting %q", name)
}

// registered says whether a callback has not been forgotten. Another may have its name by now.
func (g *Gateway) registered(s *sub) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.subs[s.name] == s
}

func (g *Gateway) subscriptions() []*sub {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]*sub, 0, len(g.subs))
	for _, s := range g.subs {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *sub) int { return compare(a.name, b.name) })
	return out
}

const (
	batch = 256 // events read at once
	// patience is how long the others wait for the slowest community of a batch before its events go their own way.
	patience = 200 * time.Millisecond
)

// dispatchAll runs every subscription until ctx ends, each on one node only.
func (g *Gateway) dispatchAll(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() { g.dispatchHooks(ctx) })
	wg.Go(func() { g.sendHooks(ctx) })
	started := map[*sub]bool{}
	for {
		news := g.waker()
		for _, s := range g.subscriptions() {
			if !started[s] {
				started[s] = true
				wg.Go(func() { g.dispatch(ctx, s) })
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-news:
		case <-time.After(lookAgain):
		}
	}
}

func (g *Gateway) dispatch(ctx context.Context, s *sub) {
	for failures := 0; ctx.Err() == nil && g.registered(s); {
		err := g.exclusive(ctx, "sub:"+s.name, func(ctx context.Context) error {
			var wg sync.WaitGroup
			defer wg.Wait()
			for ctx.Err() == nil && g.registered(s) {
				news := g.waker()
				heard, err := g.deliver(ctx, s, &wg, patience)
				if err != nil {
					return err
				}
				if heard {
					continue
				}
				select {
				case <-ctx.Done():
				case <-news:
				case <-time.After(lookAgain):
				}
			}
			return nil
		})
		if err == nil || ctx.Err() != nil {
			failures = 0
			continue
		}
		if failures++; telling(failures) {
			g.log.Error("events could not be delivered; trying again", "subscription", s.name, "failures", failures, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(backoff(failures, err), longestWait)):
		}
	}
}

// telling says whether the nth failure in a row of something that is tried again and again is logged: more and more seldom.
func telling(n int) bool { return n&(n-1) == 0 }

// longestWait is how long callbacks may wait after the store is well again.
const longestWait = 5 * time.Second

// dispatchOnce delivers what is there to every callback, and waits for them.
func (g *Gateway) dispatchOnce(ctx context.Context) (heard bool, err error) {
	for _, s := range g.subscriptions() {
		for {
			var wg sync.WaitGroup
			more, err := g.deliver(ctx, s, &wg, 0)
			wg.Wait()
			if err != nil {
				return heard, err
			}
			if !more {
				break
			}
			heard = true
		}
	}
	sent, err := g.hooksOnce(ctx)
	return heard || sent, err
}

// nextLane is when the earliest community that has fallen behind, or message to an endpoint, is tried again.
func (g *Gateway) nextLane(ctx context.Context) (next time.Time, err error) {
	if next, err = g.nextHook(ctx); err != nil {
		return next, err
	}
	for _, s := range g.subscriptions() {
		err = g.view(ctx, func(tx store.Tx) error {
			lanes, err := tx.Lanes(s.name)
			for _, l := range lanes {
				if next.IsZero() || l.Due.Before(next) {
					next = l.Due
				}
			}
			return err
		})
		if err != nil {
			return next, storeError(err, "reading the lanes of %q", s.name)
		}
	}
	return next, nil
}

// chunk is what one community has in a batch.
type chunk struct {
	community string
	events    []store.Event
	from      int64       // everything up to here was heard before
	done      chan result // gets one value
	late      chan struct{}
}

type result struct {
	cursor int64 // heard up to here
	failed error // by the event after it
	ends   bool  // not the callback's fault: the program ends
}

// deliver takes the next batch of the log to a callback: each community's part in order, communities side by side. A community
// that fails, or takes too long, gets a lane of its own, so that the others go on. It reports whether there was anything.
//
// Only the holder of the subscription's lease calls it. With patience 0 it waits for everybody.
func (g *Gateway) deliver(ctx context.Context, s *sub, wg *sync.WaitGroup, patience time.Duration) (bool, error) {
	var place store.Sub
	var lanes []store.Lane
	var events []store.Event
	s.mu.Lock()
	busy := maps.Clone(s.busy) // before the lanes are read: one that is settled in between is at another place than it seems
	s.mu.Unlock()
	err := g.view(ctx, func(tx store.Tx) (err error) {
		if place, err = tx.Sub(s.name); err != nil {
			return err
		}
		if lanes, err = tx.Lanes(s.name); err != nil {
			return err
		}
		events, err = tx.Events(store.EventQuery{After: place.Cursor}, batch)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil // forgotten
	}
	if err != nil {
		return false, storeError(err, "reading events for %q", s.name)
	}
	behind, ran := g.runLanes(ctx, s, wg, place, lanes, busy, patience)
	if len(events) == 0 {
		return ran, nil
	}
	chunks, passed := g.chunks(s, events, place.Cursor, behind)
	slots := make(chan struct{}, g.o.Workers)
	for _, c := range chunks {
		wg.Go(func() {
			select {
			case slots <- struct{}{}:
			case <-c.late: // all who run hang: this community's turn comes by its lane
				c.done <- result{cursor: c.from}
				return
			}
			defer func() { <-slots }()
			c.done <- g.hear(ctx, s, c.community, c.events, c.from)
		})
	}
	last := events[len(events)-1].Seq
	return true, g.settleBatch(ctx, s, wg, chunks, passed, place.Cursor, last, patience)
}

// chunks groups a batch by community, leaving out what the callback does not hear and those that have a lane; of these it says
// which have something in the batch.
func (g *Gateway) chunks(s *sub, events []store.Event, from int64, behind map[string]bool) (out []*chunk, passed map[string]bool) {
	passed = map[string]bool{}
	by := map[string]*chunk{}
	for _, e := range events {
		if !s.hears(e) {
			continue
		}
		if behind[e.Community] {
			passed[e.Community] = true
			continue
		}
		c := by[e.Community]
		if c == nil {
			c = &chunk{community: e.Community, from: from, done: make(chan result, 1), late: make(chan struct{})}
			by[e.Community] = c
			out = append(out, c)
		}
		c.events = append(c.events, e)
	}
	return out, passed
}

// settleBatch waits for the communities of a batch, and moves the subscription on. Those that are not ready in time get a
// lane, which is settled when they are. Those that were passed by because they had a lane, and have caught up meanwhile, get one again.
func (g *Gateway) settleBatch(ctx context.Context, s *sub, wg *sync.WaitGroup, chunks []*chunk, passed map[string]bool, from, last int64, patience time.Duration) error {
	var late <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		late = t.C
	}
	var lanes []store.Lane
	var slow []*chunk
	for _, c := range chunks {
		r, ok := c.wait(&late)
		switch {
		case !ok:
			close(c.late)
			slow = append(slow, c)
			lanes = append(lanes, store.Lane{Sub: s.name, Community: c.community, Cursor: c.from, Due: g.now().Add(leaseTime)})
		case r.ends, r.failed == nil && r.cursor == c.from: // heard nothing, or not all
			lanes = append(lanes, store.Lane{Sub: s.name, Community: c.community, Cursor: r.cursor, Due: g.now()})
		case r.failed != nil:
			lanes = append(lanes, g.laneAfter(s, c.community, r, 0))
			g.log.Warn("a callback failed", "subscription", s.name, "community", c.community, "after", r.cursor, "error", r.failed)
		}
	}
	s.setBusy(slow, true)
	err := g.insist(ctx, patience > 0, "the place of "+s.name, func(tx store.Tx) error {
		place, err := tx.Sub(s.name)
		if err != nil {
			return err
		}
		switch {
		case place.Cursor == last && ctx.Err() == nil:
			return nil // only we move it while we have the lease: the answer to an earlier try was lost
		case place.Cursor != from:
			return errLeaseLost // somebody else goes on from where we began
		}
		place.Cursor = last
		if err := tx.PutSub(place); err != nil {
			return err
		}
		for _, l := range lanes {
			if err := tx.PutLane(l); err != nil {
				return err
			}
		}
		return g.keepLanes(tx, s, passed, from)
	})
	if err != nil { // their place was not kept: nobody may go on before they are done
		for _, c := range slow {
			<-c.done
		}
		s.setBusy(slow, false)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, errLeaseLost) {
			return nil
		}
		return storeError(err, "moving %q on", s.name)
	}
	for _, c := range slow {
		wg.Go(func() {
			g.settleLane(ctx, s, store.Lane{Sub: s.name, Community: c.community}, <-c.done, true)
		})
	}
	return nil
}

// insist keeps what callbacks have heard. Where it may wait it tries until the store takes it, or ctx ends: callbacks that were called must
// not be called again for as long as the store is ill.
func (g *Gateway) insist(ctx context.Context, wait bool, what string, fn func(store.Tx) error) error {
	for try := 1; ; try++ {
		err := g.update(context.WithoutCancel(ctx), fn)
		if !wait || err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, errLeaseLost) || errors.Is(err, store.ErrClosed) || ctx.Err() != nil {
			return err
		}
		if try&(try-1) == 0 { // more and more seldom
			g.log.Error("how far callbacks have heard could not be kept; trying again", "what", what, "tries", try, "error", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(min(backoff(try, err), longestWait)):
		}
	}
}

// keepLanes makes sure that a community that was passed by has a lane: it may have caught up with the old place and lost it.
func (g *Gateway) keepLanes(tx store.Tx, s *sub, passed map[string]bool, from int64) error {
	if len(passed) == 0 {
		return nil
	}
	lanes, err := tx.Lanes(s.name)
	if err != nil {
		return err
	}
	for community := range passed {
		if slices.ContainsFunc(lanes, func(l store.Lane) bool { return l.Community == community }) {
			continue
		}
		if err := tx.PutLane(store.Lane{Sub: s.name, Community: community, Cursor: from, Due: g.now()}); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for a community until late; a chunk that is ready by then is never late.
func (c *chunk) wait(late *<-chan time.Time) (result, bool) {
	select {
	case r := <-c.done:
		return r, true
	default:
	}
	select {
	case r := <-c.done:
		return r, true
	case <-*late:
		over := make(chan time.Time)
		close(over) // for all that follow
		*late = over
		return result{}, false
	}
}

func (s *sub) setBusy(chunks []*chunk, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range chunks {
		if busy {
			s.busy[c.community] = true
		} else {
			delete(s.busy, c.community)
		}
	}
}

// hear calls the callback for a community's events in order, up to the first failure.
func (g *Gateway) hear(ctx context.Context, s *sub, community string, events []store.Event, cursor int64) result {
	if len(events) == 0 {
		return result{cursor: cursor}
	}
	c, err := g.Community(ctx, community)
	if err != nil {
		return result{cursor, err, ctx.Err() != nil}
	}
	kept := time.Now()
	for _, e := range events {
		if ctx.Err() != nil {
			return result{cursor, ctx.Err(), true}
		}
		if err := g.callback(ctx, s, c, e); err != nil {
			return result{cursor, err, ctx.Err() != nil}
		}
		cursor = e.Seq
		if time.Since(kept) > time.Second { // a program that dies often must get on all the same
			kept = time.Now()
			g.keepPlace(ctx, s, community, cursor)
		}
	}
	return result{cursor: cursor}
}

// keepPlace keeps how far a community has come that has a lane and takes its time.
func (g *Gateway) keepPlace(ctx context.Context, s *sub, community string, cursor int64) {
	err := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		lanes, err := tx.Lanes(s.name)
		if err != nil {
			return err
		}
		for _, l := range lanes {
			if l.Community == community && l.Cursor < cursor {
				return tx.PutLane(store.Lane{Sub: s.name, Community: community, Cursor: cursor, Due: g.now().Add(leaseTime)})
			}
		}
		return nil
	})
	if err != nil {
		g.log.Warn("a subscription's place could not be kept; after a crash events come again", "subscription", s.name, "community", community, "error", err)
	}
}

// callback runs the driver's code for one event.
func (g *Gateway) callback(ctx context.Context, s *sub, c *Community, e store.Event) error {
	ctx, cancel := context.WithTimeout(ctx, g.o.CallbackTimeout)
	defer cancel()
	ctx = heard(ctx, s, e)
	ctx, seen := g.sight.begin(ctx, seenCallback, e.Plugin, s.name, correlation(ctx))
	err := g.guard("callback "+s.name, func() error { return s.fn(ctx, c, e) })
	seen.end(err)
	if e := new(Error); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.As(err, &e) {
		return Errorf(Internal, "callback %s took longer than %v: %w", s.name, g.o.CallbackTimeout, err) // its fault, not somebody's absence
	}
	return err
}
