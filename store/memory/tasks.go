package memory

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

var errNoTime = errors.New("memory: a task without a time")

func (t *tx) Schedule(n store.Task) error {
	if t.locked != nil {
		return t.locked
	}
	n.Due, n.Created = when(n.Due), when(n.Created)
	if n.Due.IsZero() {
		return errNoTime
	}
	if old, ok := t.tasks.get(key{n.Kind, n.Key}); ok {
		if !old.Due.IsZero() && !n.Due.Before(old.Due) {
			return nil
		}
		n.Attempts, n.Created = old.Attempts, old.Created
		t.deleteTask(old)
	}
	n.Group = ""
	n.Payload = own(n.Payload)
	t.putTask(n, t.nextRev())
	return nil
}

// putTask inserts what deleteTask has taken out, as a new revision.
func (t *tx) putTask(n store.Task, rev int64) {
	n.Rev = rev
	t.insertTask(&n, rev)
}

// insertTask keeps n's Rev; rev is that of the change.
func (t *tx) insertTask(n *store.Task, rev int64) {
	t.tasks.put(key{n.Kind, n.Key}, n)
	t.tasksC.put(key{n.Community, n.Kind, n.Key}, none{})
	t.tasksI.put(key{n.Instance, n.Kind, n.Key}, none{})
	if n.Ref != "" {
		t.taskOf.put(key{n.Ref, n.Kind, n.Key}, none{})
	}
	if n.Due.IsZero() {
		t.parked.put(key{n.Kind, n.Key}, none{})
		t.tasksG.put(key{n.Group, n.Kind, n.Key}, none{})
	} else {
		t.due.put(key{n.Kind, at(n.Due), n.Key}, none{})
		t.dueOf.put(key{n.Kind, n.Community, at(n.Due), n.Key}, none{})
		t.queue(n, rev)
	}
}

func (t *tx) deleteTask(n *store.Task) {
	t.tasks.del(key{n.Kind, n.Key})
	t.tasksC.del(key{n.Community, n.Kind, n.Key})
	t.tasksI.del(key{n.Instance, n.Kind, n.Key})
	t.taskOf.del(key{n.Ref, n.Kind, n.Key})
	t.parked.del(key{n.Kind, n.Key})
	t.tasksG.del(key{n.Group, n.Kind, n.Key})
	t.due.del(key{n.Kind, at(n.Due), n.Key})
	t.dueOf.del(key{n.Kind, n.Community, at(n.Due), n.Key})
}

func copyTask(n *store.Task) store.Task {
	out := *n
	out.Payload = own(n.Payload)
	return out
}

func (t *tx) Unschedule(kind, name string) error {
	if t.locked != nil {
		return t.locked
	}
	if n, ok := t.tasks.get(key{kind, name}); ok {
		t.deleteTask(n)
	}
	return nil
}

func (t *tx) Task(kind, name string) (store.Task, error) {
	n, ok := t.tasks.get(key{kind, name})
	if !ok {
		return store.Task{}, missing("task", kind, name)
	}
	return copyTask(n), nil
}

func distinct(in []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(in)))
}

// claimed finds a task if it is still the revision that somebody claimed.
func (t *tx) claimed(n store.Task) (*store.Task, bool) {
	have, ok := t.tasks.get(key{n.Kind, n.Key})
	return have, ok && have.Rev == n.Rev
}

func (t *tx) Renew(n store.Task, until time.Time) (store.Task, error) {
	if t.locked != nil {
		return store.Task{}, t.locked
	}
	until = when(until)
	if until.IsZero() {
		return store.Task{}, errNoTime
	}
	have, ok := t.claimed(n)
	if !ok {
		return store.Task{}, fmt.Errorf("memory: the claim on task %q %q is lost: %w", n.Kind, n.Key, store.ErrConflict)
	}
	t.deleteTask(have)
	next := *have
	next.Due = until
	t.insertTask(&next, t.nextRev())
	return copyTask(&next), nil
}

func (t *tx) Done(n store.Task) error {
	if t.locked != nil {
		return t.locked
	}
	if have, ok := t.claimed(n); ok {
		t.deleteTask(have)
	}
	return nil
}

func (t *tx) Retry(n store.Task, due time.Time, reason string) error {
	return t.move(n, due, func(next *store.Task) { next.Error = reason })
}

func (t *tx) Again(n store.Task, due time.Time) error {
	return t.move(n, due, func(next *store.Task) { next.Attempts, next.Error = 0, "" })
}

// move gives a task another time, and what change gives it, if it is still the revision that somebody claimed.
func (t *tx) move(n store.Task, due time.Time, change func(*store.Task)) error {
	if t.locked != nil {
		return t.locked
	}
	due = when(due)
	if due.IsZero() {
		return errNoTime
	}
	if have, ok := t.claimed(n); ok {
		t.deleteTask(have)
		next := *have
		next.Due = due
		change(&next)
		t.putTask(next, t.nextRev())
	}
	return nil
}

func (t *tx) Park(n store.Task, group, reason string) error {
	if t.locked != nil {
		return t.locked
	}
	if group == "" {
		return errors.New("memory: parking a task needs a group")
	}
	if have, ok := t.claimed(n); ok {
		t.deleteTask(have)
		next := *have
		next.Due, next.Group, next.Error = time.Time{}, group, reason
		t.putTask(next, t.nextRev())
	}
	return nil
}

func (t *tx) Unpark(q store.TaskQuery, due time.Time, limit int) (int, error) {
	if t.locked != nil {
		return 0, t.locked
	}
	due = when(due)
	if due.IsZero() {
		return 0, errNoTime
	}
	q.Parked = true
	n, rev := 0, t.nextRev()
	for have := range t.selected(q, "", "") {
		if n == atMost(limit) {
			break
		}
		t.deleteTask(have)
		next := *have
		next.Due, next.Group, next.Attempts = due, "", 0
		t.putTask(next, rev)
		n++
	}
	return n, nil
}

// selected walks by kind and key through the tasks that match, after the given pair.
func (t *tx) selected(q store.TaskQuery, afterKind, afterKey string) iter.Seq[*store.Task] {
	past := afterKind != "" || afterKey != ""
	kinds := 0 // how much of (kind, key) all that match have in common
	if q.Kind != "" {
		kinds = 1
		if afterKind > q.Kind {
			return func(func(*store.Task) bool) {}
		}
		if afterKind < q.Kind {
			afterKind, afterKey, past = q.Kind, "", false
		}
	}
	// Each walk is in the same order; which one is taken decides how much is passed by.
	var walk iter.Seq[key]
	skip := 1
	in := func(index tree[none], of string) {
		walk = keys(index.after(key{of, afterKind, afterKey}, 1+kinds, past))
	}
	switch {
	case q.Ref != "":
		in(t.taskOf, q.Ref)
	case q.Group != "":
		in(t.tasksG, q.Group)
	case q.Instance != "":
		in(t.tasksI, q.Instance)
	case q.Parked:
		walk, skip = keys(t.parked.after(key{afterKind, afterKey}, kinds, past)), 0
	case q.Community != "":
		in(t.tasksC, q.Community)
	default:
		walk, skip = keys(t.tasks.after(key{afterKind, afterKey}, kinds, past)), 0
	}
	return func(yield func(*store.Task) bool) {
		for k := range walk {
			n, _ := t.tasks.get(key{k[skip], k[skip+1]})
			if matches(q.Kind, n.Kind) && matches(q.Community, n.Community) && matches(q.Instance, n.Instance) &&
				matches(q.Ref, n.Ref) && matches(q.Group, n.Group) && (!q.Parked || n.Due.IsZero()) && !yield(n) {
				return
			}
		}
	}
}

func keys[V any](walk iter.Seq2[key, V]) iter.Seq[key] {
	return func(yield func(key) bool) {
		for k := range walk {
			if !yield(k) {
				return
			}
		}
	}
}

func (t *tx) Tasks(q store.TaskQuery, afterKind, afterKey string, limit int) ([]store.Task, error) {
	var out []store.Task
	for n := range t.selected(q, afterKind, afterKey) {
		if len(out) == atMost(limit) {
			break
		}
		out = append(out, copyTask(n))
	}
	return out, nil
}

func (t *tx) CountTasks(q store.TaskQuery, limit int) (n int, bytes int64, err error) {
	for have := range t.selected(q, "", "") {
		if n == atMost(limit) {
			break
		}
		n++
		bytes += int64(len(have.Payload))
	}
	return n, bytes, nil
}

func (t *tx) NextDue(kinds []string) (time.Time, error) {
	var next time.Time
	for _, kind := range kinds {
		for k := range t.due.under(kind) {
			n, _ := t.tasks.get(key{k[0], k[2]})
			if next.IsZero() || n.Due.Before(next) {
				next = n.Due
			}
			break
		}
	}
	return next, nil
}
