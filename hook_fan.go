package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	netguard "github.com/metagov/gateway-go/internal/guard"
	"github.com/metagov/gateway-go/store"
)

// ourPrefix begins the names of subscriptions, and of values beside a plugin's, that are the gateway's own.
const ourPrefix = "gateway/"

// hookSub is the place up to which events were given to the lines of endpoints. It is there as long as there is an endpoint.
const hookSub = ourPrefix + "hooks"

// The tasks of outgoing hooks. A line is what one endpoint hears of one community, in order; its task is there while it has something to send.
const (
	taskHook    = "hook"       // a line: endpoint/community
	taskHookOne = "hook.retry" // a message that left its line: endpoint/number
)

var hookKinds = []string{taskHook, taskHookOne}

// hookPlace is what a task of a hook remembers.
type hookPlace struct {
	After int64     `json:"after"`           // everything up to here is settled; a single message is the event after it
	Tries int       `json:"tries,omitempty"` // how often the next message has failed
	Next  time.Time `json:"next,omitzero"`   // when the schedule has it tried again
}

func placeOf(t store.Task) (p hookPlace, err error) {
	if err := json.Unmarshal(t.Payload, &p); err != nil {
		return p, Errorf(Internal, "decoding the place of %s %s: %w", t.Kind, t.Key, err)
	}
	return p, nil
}

func (p hookPlace) raw() []byte {
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and times of this age can be encoded
	}
	return raw
}

func groupHookOff(endpoint string) string  { return "hook.off:" + endpoint }  // waits until the endpoint is enabled
func groupHookBusy(endpoint string) string { return "hook.busy:" + endpoint } // waits for its turn

// hooks is what outgoing hooks keep in memory.
type hooks struct {
	guard  *netguard.Guard
	client *http.Client

	mu      sync.Mutex
	running map[string]int  // tasks under way, by endpoint
	owners  map[string]int  // the same, by the community whose own the endpoint is
	failing map[string]bool // endpoints that are being tried although they fail
	waiting map[string]bool // endpoints for which something was parked because they were busy

	rev     int64                   // of targets
	targets map[string][]hookTarget // by community, as far as they were asked for; only the fan-out looks
	loaded  int                     // how many these are, and their communities
}

// hookTarget is an endpoint as the fan-out sees it.
type hookTarget struct {
	id      string
	from    int64 // what is not after it is from before the endpoint was made: a line begins here at the earliest
	filters []Filter
}

// hookPasses is what sub.hears is for callbacks; types may be those of messages as well.
func hookPasses(filters []Filter, e store.Event) bool {
	return len(filters) == 0 || slices.ContainsFunc(filters, func(f Filter) bool {
		types := f.Types
		f.Types = nil
		return f.passes(e) && (len(types) == 0 || slices.Contains(types, e.Type) || slices.Contains(types, hookType(e)))
	})
}

// hooksKey is where the number of endpoints is kept. The revision of that tells whether one of them was changed.
const hooksKey = "endpoints"

// countEndpoints keeps how many endpoints there are after a change. Without any, the log is not read for them.
func countEndpoints(tx store.Tx, by int) error {
	raw, rev, err := tx.State(hookSub, hooksKey)
	if err != nil {
		return err
	}
	n := 0
	if len(raw) > 0 {
		if n, err = strconv.Atoi(string(raw)); err != nil {
			return Errorf(Internal, "the number of endpoints: %w", err)
		}
	}
	n += by
	if n == 0 {
		if err := tx.DeleteSub(hookSub); err != nil {
			return err
		}
	}
	return tx.PutState(hookSub, hooksKey, []byte(strconv.Itoa(n)), rev)
}

// dispatchHooks gives events to the lines of endpoints until ctx ends, on one node only.
func (g *Gateway) dispatchHooks(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		on, err := g.hooksOn(ctx)
		if on && err == nil {
			err = g.exclusive(ctx, "sub:"+hookSub, func(ctx context.Context) error {
				for ctx.Err() == nil {
					news := g.waker()
					moved, err := g.fanOut(ctx)
					if err != nil {
						return err
					}
					if moved {
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
		}
		if errors.Is(err, NotFound) {
			continue // the last endpoint was deleted
		}
		if err == nil {
			failures = 0
		} else if failures++; telling(failures) && ctx.Err() == nil {
			g.log.Error("events could not be given to endpoints; trying again", "failures", failures, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
}

// hooksOn says whether there is an endpoint at all.
func (g *Gateway) hooksOn(ctx context.Context) (on bool, err error) {
	err = g.view(ctx, func(tx store.Tx) error {
		_, err := tx.Sub(hookSub)
		on = err == nil
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	return on, storeError(err, "looking for endpoints")
}

// fanOut takes the next batch of the log to the lines that hear something of it. It reports whether there was anything. NotFound: there is no
// endpoint. Its cost follows the batch and the endpoints that may hear it, not all that there are. Only the holder of the lease calls it.
func (g *Gateway) fanOut(ctx context.Context) (bool, error) {
	var place store.Sub
	var events []store.Event
	var rev int64
	err := g.view(ctx, func(tx store.Tx) (err error) {
		if place, err = tx.Sub(hookSub); err != nil {
			return err
		}
		if events, err = tx.Events(store.EventQuery{After: place.Cursor}, batch); err != nil || len(events) == 0 {
			return err
		}
		if _, rev, err = tx.State(hookSub, hooksKey); err != nil {
			return err
		}
		return g.hooks.load(tx, rev, events)
	})
	if err != nil || len(events) == 0 {
		return false, storeError(err, "reading events for endpoints")
	}
	lines := g.hooks.lines(events, place.Cursor)
	now := g.now()
	err = g.update(ctx, func(tx store.Tx) error {
		have, err := tx.Sub(hookSub)
		if err != nil {
			return err
		}
		if _, is, err := tx.State(hookSub, hooksKey); err != nil || is != rev || have.Cursor != place.Cursor {
			return err // an endpoint was changed meanwhile: once more
		}
		for _, l := range lines {
			// A line that is there has a place already, and sees by itself that there is more.
			if _, err := tx.Task(l.Kind, l.Key); err == nil {
				continue
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			l.Due, l.Created = now, now
			if err := tx.Schedule(l); err != nil {
				return err
			}
		}
		have.Cursor = events[len(events)-1].Seq
		return tx.PutSub(have)
	})
	return true, storeError(err, "giving events to endpoints")
}

// maxTargets bounds the memory. The operator's own endpoints do not count: they are needed with each batch.
const maxTargets = 10_000

// load has the endpoints in memory that may hear something of a batch.
func (h *hooks) load(tx store.Tx, rev int64, events []store.Event) error {
	if h.rev != rev || h.loaded > maxTargets {
		clear(h.targets)
		h.rev, h.loaded = rev, 0
	}
	if err := h.loadOf(tx, ""); err != nil {
		return err
	}
	for _, e := range events {
		if e.Community == "" {
			continue
		}
		if err := h.loadOf(tx, e.Community); err != nil {
			return err
		}
	}
	return nil
}

func (h *hooks) loadOf(tx store.Tx, community string) error {
	if _, ok := h.targets[community]; ok {
		return nil
	}
	out := []hookTarget{}
	for after := ""; ; {
		const some = 1000
		rows, err := tx.Endpoints(community, after, some)
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = row.ID
			filters, err := hookFilters(row)
			if err != nil {
				return err
			}
			out = append(out, hookTarget{row.ID, row.From, filters})
		}
		if len(rows) < some {
			break
		}
	}
	h.targets[community] = out
	if community != "" {
		h.loaded += 1 + len(out)
	}
	return nil
}

// lines are the tasks of all lines that hear something of a batch, as they would begin.
func (h *hooks) lines(events []store.Event, from int64) (out []store.Task) {
	seen := map[string]bool{}
	for _, e := range events {
		if e.Community == "" {
			continue
		}
		for _, of := range []string{e.Community, ""} {
			for _, t := range h.targets[of] {
				if !hookPasses(t.filters, e) || seen[hookLine(t.id, e.Community)] {
					continue
				}
				seen[hookLine(t.id, e.Community)] = true
				out = append(out, lineTask(t.id, e.Community, max(from, t.from)))
			}
		}
	}
	return out
}

func hookLine(endpoint, community string) string { return endpoint + "/" + community }

func lineTask(endpoint, community string, after int64) store.Task {
	return store.Task{
		Kind: taskHook, Key: hookLine(endpoint, community), Community: community, Ref: endpoint, Payload: hookPlace{After: after}.raw(),
	}
}

// hooksHeard is up to where the log is not needed any more for what endpoints are still to be sent. What waits for a disabled
// endpoint, and what was given up, holds nothing back.
func hooksHeard(tx store.Tx, seq int64) (int64, error) {
	for _, kind := range hookKinds {
		for after := ""; ; {
			const some = 500
			tasks, err := tx.Tasks(store.TaskQuery{Kind: kind}, kind, after, some)
			if err != nil {
				return 0, err
			}
			for _, t := range tasks {
				after = t.Key
				if t.Group == groupDead || strings.HasPrefix(t.Group, groupHookOff("")) {
					continue
				}
				p, err := placeOf(t)
				if err != nil {
					return 0, err
				}
				seq = min(seq, p.After)
			}
			if len(tasks) < some {
				break
			}
		}
	}
	return seq, nil
}
