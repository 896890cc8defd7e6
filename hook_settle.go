package gateway

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// sentHook is what became of one message.
type sentHook struct {
	event  store.Event
	answer hookAnswer
	none   bool // nothing had to be sent
	ended  bool // the program ends: nobody knows
}

// reading is a part of a line.
type reading struct {
	events []store.Event // those that the endpoint hears
	last   int64         // everything up to here was read
	all    bool          // there was no more
}

// readLine reads what comes next for a task: the single message, or the next part of a line, as far as the fan-out has come.
func (g *Gateway) readLine(ctx context.Context, t store.Task, row store.Endpoint, after int64) (r reading, err error) {
	filters, err := hookFilters(row)
	if err != nil {
		return r, err
	}
	limit := hookBatch
	if t.Kind == taskHookOne {
		limit = 1
	}
	err = g.view(ctx, func(tx store.Tx) error {
		place, err := tx.Sub(hookSub)
		if err != nil {
			return err
		}
		events, err := tx.Events(store.EventQuery{After: after, Community: t.Community}, limit)
		if err != nil {
			return err
		}
		if t.Kind == taskHookOne {
			r = reading{events: slices.DeleteFunc(events, func(e store.Event) bool { return e.Seq != after+1 }), last: after + 1, all: true}
			return nil
		}
		r = reading{last: place.Cursor, all: true}
		if len(events) == limit && events[limit-1].Seq < place.Cursor {
			r = reading{last: events[limit-1].Seq}
		}
		r.events = slices.DeleteFunc(events, func(e store.Event) bool { return e.Seq > place.Cursor || !hookPasses(filters, e) })
		return nil
	})
	return r, storeError(err, "reading the events of %s for endpoint %s", t.Community, t.Ref)
}

// sendTurn sends what comes next, one message after the other or a few at a time, until there is no more, one fails that holds up the line, or the turn
// is over. What became of messages is kept before the next are sent.
func (g *Gateway) sendTurn(ctx context.Context, t store.Task, row store.Endpoint) error {
	place, err := placeOf(t)
	if err != nil {
		return err
	}
	began := time.Now()
	for {
		window := 1
		if t.Kind == taskHook && !row.Ordered {
			window = hookWindow
		}
		part, err := g.readLine(ctx, t, row, place.After)
		if err != nil {
			return err
		}
		for {
			n := min(window, len(part.events))
			sent, err := g.sendSome(ctx, row, part.events[:n])
			if err != nil {
				return err
			}
			part.events = part.events[len(sent):]
			s := settling{g: g, t: t, place: place, sent: sent, part: part, over: time.Since(began) > hookTurn}
			if err := s.keep(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			if s.stop {
				return nil
			}
			changed := row.Ordered != s.row.Ordered || !bytes.Equal(row.Filters, s.row.Filters)
			t, place, row = s.t, s.place, s.row
			if changed || len(part.events) == 0 {
				break
			}
		}
	}
}

// sendSome sends messages side by side: all, or those before one that cannot be made. The error is ours, and nothing was sent.
func (g *Gateway) sendSome(ctx context.Context, row store.Endpoint, events []store.Event) ([]sentHook, error) {
	bodies := make([][]byte, 0, len(events))
	for _, e := range events {
		body, err := g.hookMessage(ctx, e)
		if err != nil && len(bodies) == 0 {
			return nil, err
		}
		if err != nil {
			break // it is the first the next time
		}
		bodies = append(bodies, body)
	}
	out := make([]sentHook, len(bodies))
	errs := make([]error, len(bodies))
	var wg sync.WaitGroup
	for i, body := range bodies {
		out[i] = sentHook{event: events[i], none: body == nil}
		if body == nil {
			continue
		}
		wg.Go(func() {
			errs[i] = g.guard("a message to endpoint "+row.ID, func() (err error) {
				ctx := correlate(ctx, events[i].Delivery)
				out[i].answer, err = g.post(ctx, row, hookID(row.ID, events[i].Seq), body)
				out[i].ended = out[i].answer.Error != "" && ctx.Err() != nil
				return err
			})
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

// settling keeps what became of a few messages.
type settling struct {
	g     *Gateway
	t     store.Task
	place hookPlace
	sent  []sentHook
	part  reading // what remains of it
	over  bool    // the turn

	row  store.Endpoint // as it is after it
	stop bool
	warn string // why the endpoint was disabled
}

func (s *settling) keep(ctx context.Context) error {
	was := *s
	err := s.g.store.Update(ctx, func(tx store.Tx) error {
		*s = was
		have, err := tx.Task(s.t.Kind, s.t.Key)
		if errors.Is(err, store.ErrNotFound) || err == nil && have.Rev != s.t.Rev {
			s.stop = true // deleted, replayed, or somebody else's by now
			return nil
		}
		if err != nil {
			return err
		}
		if s.row, err = tx.Endpoint(s.t.Ref); err != nil {
			return err
		}
		return s.settle(tx)
	})
	log := s.g.log.With("endpoint", s.t.Ref, "community", s.t.Community)
	for _, m := range s.sent {
		if m.answer.Error != "" && !m.ended {
			log.Warn("an endpoint did not take a message", "message", hookID(s.t.Ref, m.event.Seq), "status", m.answer.Status, "error", m.answer.Error, "cause", m.answer.cause)
		}
	}
	if err == nil && s.warn != "" {
		log.Warn("an endpoint was disabled", "reason", s.warn)
	}
	return storeError(err, "settling messages to endpoint %s", s.t.Ref)
}

func (s *settling) settle(tx store.Tx) error {
	now := s.g.now()
	due := now.Add(s.g.hookClaim())
	changed, held, dead := false, false, false
	for _, m := range s.sent {
		if m.ended {
			due, held = now, true
			break
		}
		if m.none || m.answer.Error == "" {
			s.place = hookPlace{After: m.event.Seq}
			if !m.none {
				changed = true
				if err := s.succeeded(tx, now); err != nil {
					return err
				}
			}
			continue
		}
		changed = true
		s.failed(m.answer, now)
		if m.answer.gone() || s.row.Status != EndpointActive {
			held = true
			break
		}
		next := s.place.failed(now, m.answer)
		switch {
		case s.t.Kind == taskHookOne:
			s.place, due, held, dead = next, maxTime(now, next.Next), true, next.Tries > len(hookSchedule)
		case s.row.Ordered && next.Tries <= len(hookSchedule):
			s.place, due, held = next, next.Next, true
		default: // it leaves the line
			next = hookPlace{After: m.event.Seq - 1, Tries: next.Tries, Next: next.Next}
			if err := s.leave(tx, m, next, now); err != nil {
				return err
			}
			s.place = hookPlace{After: m.event.Seq}
		}
		if held {
			break
		}
	}
	if changed {
		if err := tx.PutEndpoint(s.row); err != nil {
			return err
		}
	}
	return s.end(tx, now, due, held, dead)
}

// failed is the place after one more failure of the message there. One that was tried before its time, because the endpoint seemed well
// again, has its turn as before.
func (p hookPlace) failed(now time.Time, a hookAnswer) hookPlace {
	if now.Before(p.Next) {
		return p
	}
	p.Tries++
	p.Next = now.Add(hookDelay(p.Tries, a)).Truncate(time.Microsecond)
	return p
}

// end decides what becomes of the task.
func (s *settling) end(tx store.Tx, now, due time.Time, held, dead bool) error {
	through := !held && len(s.part.events) == 0
	if through {
		s.place = hookPlace{After: max(s.place.After, s.part.last)}
	}
	done := false
	if through && s.part.all {
		place, err := tx.Sub(hookSub)
		if err != nil {
			return err
		}
		done = s.t.Kind == taskHookOne || place.Cursor <= s.place.After
	}
	off := s.row.Status != EndpointActive
	if s.over && !held {
		due = now
	}
	s.stop = held || off || done || s.over
	if s.stop {
		n := 2 // it has workers to spare, perhaps
		if !s.row.FailingSince.IsZero() {
			n = 1
		}
		if err := s.g.nextTurn(s.t.Ref, n)(tx); err != nil {
			return err
		}
	}
	if done {
		return tx.Done(s.t)
	}
	reason := ""
	if held && len(s.sent) > 0 {
		reason = s.row.LastError
	}
	var err error
	if s.t, err = moved(tx, s.t, s.place, due, reason); err != nil {
		return err
	}
	switch {
	case dead:
		return tx.Park(s.t, groupDead, reason)
	case off:
		return tx.Park(s.t, groupHookOff(s.t.Ref), reason)
	}
	return nil
}

// moved gives a task another place and time.
func moved(tx store.Tx, t store.Task, p hookPlace, due time.Time, reason string) (store.Task, error) {
	if err := tx.Unschedule(t.Kind, t.Key); err != nil {
		return t, err
	}
	t.Payload, t.Due, t.Attempts, t.Error, t.Group = p.raw(), due, 0, reason, ""
	if err := tx.Schedule(t); err != nil {
		return t, err
	}
	return tx.Task(t.Kind, t.Key)
}

// leave makes a task of its own of a message that failed: to be tried again, or, when its schedule is over, given up.
func (s *settling) leave(tx store.Tx, m sentHook, p hookPlace, now time.Time) error {
	t := store.Task{
		Kind: taskHookOne, Key: s.t.Ref + "/" + strconv.FormatInt(m.event.Seq, 10), Community: s.t.Community, Ref: s.t.Ref,
		Payload: p.raw(), Error: m.answer.Error, Due: p.Next, Created: now,
	}
	if p.Tries > len(hookSchedule) {
		return park(tx, t, groupDead, m.answer.Error)
	}
	return tx.Schedule(t)
}

// failed notes a failure, and disables an endpoint that is gone or has taken nothing for days.
func (s *settling) failed(a hookAnswer, now time.Time) {
	s.row.LastFailure, s.row.LastError = now, a.Error
	if s.row.FailingSince.IsZero() {
		s.row.FailingSince = now
	}
	switch {
	case s.row.Status != EndpointActive:
		return
	case a.gone():
		s.warn = "it answered 410: it wants nothing any more"
	case now.Sub(s.row.FailingSince) >= hookGiveUp:
		s.warn = "it has taken nothing since " + s.row.FailingSince.Format(time.RFC3339) + ": " + a.Error
	default:
		return
	}
	s.row.Status, s.row.Reason = EndpointDisabled, s.warn
}

// succeeded notes a success. What waits for an endpoint that was away for a while, and is well again, does not wait any longer.
func (s *settling) succeeded(tx store.Tx, now time.Time) error {
	since := s.row.FailingSince
	s.row.LastSuccess, s.row.FailingSince = now, time.Time{}
	if since.IsZero() || now.Sub(since) < hookWell {
		return nil
	}
	return s.g.wakeHooks(tx, s.row.ID)
}

// wakeHooks has what waits for its next try tried now, as far as a transaction should go. It does not count as a try of the schedule.
func (g *Gateway) wakeHooks(tx store.Tx, endpoint string) error {
	tasks, err := tx.Tasks(store.TaskQuery{Ref: endpoint}, "", "", 1000)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		p, err := placeOf(t)
		if err != nil {
			return err
		}
		if t.Due.IsZero() || !t.Due.Equal(p.Next) {
			continue // parked, or somebody's
		}
		t.Due = g.now()
		if err := tx.Schedule(t); err != nil {
			return err
		}
	}
	return nil
}
