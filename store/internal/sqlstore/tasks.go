package sqlstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

const taskCols = `kind, key, community, instance, ref, grp, due, attempts, error, created, rev, payload`

func scanTask(r Row) store.Task {
	return store.Task{
		Kind: r.Text(0), Key: r.Text(1), Community: r.Text(2), Instance: r.Text(3), Ref: r.Text(4), Group: r.Text(5),
		Due: r.Time(6), Attempts: int(r.Int(7)), Error: r.Text(8), Created: r.Time(9), Rev: r.Int(10), Payload: r.Bytes(11),
	}
}

// A task whose due is 0 is parked, so nothing else may have that time.
var errNoTime = errors.New("store: a task without a time")

// Schedule implements store.Tx. Revisions come from one counter and are never used again, so that a worker whose task was
// finished and scheduled anew cannot take the new one for its own.
func (t *Tx) Schedule(n store.Task) error {
	due := micros(n.Due)
	if due == 0 {
		return errNoTime
	}
	old, err := one(t, "task", integer, `SELECT due FROM tasks WHERE kind = $1 AND key = $2`, n.Kind, n.Key)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	case old != 0 && due >= old:
		return nil
	}
	rev, err := t.next(1)
	if err != nil {
		return err
	}
	err = t.exec(`INSERT INTO tasks (kind, key, community, instance, ref, grp, due, attempts, error, created, rev, payload)
		VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, $9, $10, $11)
		ON CONFLICT (kind, key) DO UPDATE SET community = excluded.community, instance = excluded.instance, ref = excluded.ref,
		grp = '', due = excluded.due, error = excluded.error, rev = excluded.rev, payload = excluded.payload`,
		n.Kind, n.Key, n.Community, n.Instance, n.Ref, due, n.Attempts, n.Error, micros(n.Created), rev, n.Payload)
	if err != nil {
		return err
	}
	return t.queue(n.Kind, n.Community, due, rev)
}

// Unschedule implements store.Tx.
func (t *Tx) Unschedule(kind, key string) error {
	return t.exec(`DELETE FROM tasks WHERE kind = $1 AND key = $2`, kind, key)
}

// Task implements store.Tx.
func (t *Tx) Task(kind, key string) (store.Task, error) {
	return one(t, "task", scanTask, `SELECT `+taskCols+` FROM tasks WHERE kind = $1 AND key = $2`, kind, key)
}

// Renew implements store.Tx.
func (t *Tx) Renew(n store.Task, until time.Time) (store.Task, error) {
	if micros(until) == 0 {
		return store.Task{}, errNoTime
	}
	var out store.Task
	found := false
	err := t.c.Returning(`UPDATE tasks SET due = $4 WHERE kind = $1 AND key = $2 AND rev = $3 RETURNING `+taskCols, func(r Row) error {
		out, found = scanTask(r), true
		return nil
	}, n.Kind, n.Key, n.Rev, micros(until))
	if err == nil && !found {
		err = fmt.Errorf("the claim on task %q %q is lost: %w", n.Kind, n.Key, store.ErrConflict)
	}
	if err != nil {
		return store.Task{}, err
	}
	rev, err := t.next(1) // the claim's would put it before those that have waited at this time
	if err != nil {
		return store.Task{}, err
	}
	return out, t.queue(out.Kind, out.Community, micros(until), rev)
}

// Done implements store.Tx.
func (t *Tx) Done(n store.Task) error {
	return t.exec(`DELETE FROM tasks WHERE kind = $1 AND key = $2 AND rev = $3`, n.Kind, n.Key, n.Rev)
}

// Retry implements store.Tx.
func (t *Tx) Retry(n store.Task, due time.Time, reason string) error {
	if micros(due) == 0 {
		return errNoTime
	}
	return t.move(n, due, "", reason)
}

// Again implements store.Tx.
func (t *Tx) Again(n store.Task, due time.Time) error {
	if micros(due) == 0 {
		return errNoTime
	}
	return t.set(n, `due = $4, attempts = 0, error = '', rev = $5`, due)
}

// Park implements store.Tx.
func (t *Tx) Park(n store.Task, group, reason string) error {
	if group == "" {
		return errors.New("store: parking a task needs a group")
	}
	return t.move(n, time.Time{}, group, reason)
}

// move changes a task if nobody has claimed or scheduled it since n was claimed.
func (t *Tx) move(n store.Task, due time.Time, group, reason string) error {
	return t.set(n, `due = $4, rev = $5, grp = $6, error = $7`, due, group, reason)
}

// set is move with any changes: $4 is the new due, $5 the new rev, and what follows are more.
func (t *Tx) set(n store.Task, changes string, due time.Time, more ...any) error {
	rev, err := t.next(1)
	if err != nil {
		return err
	}
	var communities []string // of the one task, or none
	err = t.c.Returning(`UPDATE tasks SET `+changes+` WHERE kind = $1 AND key = $2 AND rev = $3 RETURNING community`, func(r Row) error {
		communities = append(communities, r.Text(0))
		return nil
	}, append([]any{n.Kind, n.Key, n.Rev, micros(due), rev}, more...)...)
	if err != nil || due.IsZero() {
		return err
	}
	for _, c := range communities {
		err = t.queue(n.Kind, c, micros(due), rev)
	}
	return err
}

// Unpark implements store.Tx.
func (t *Tx) Unpark(q store.TaskQuery, due time.Time, limit int) (int, error) {
	if micros(due) == 0 {
		return 0, errNoTime
	}
	q.Parked = true
	w := selected(q)
	type name struct{ kind, key, community string }
	names, err := list(t, func(r Row) name { return name{r.Text(0), r.Text(1), r.Text(2)} },
		`SELECT kind, key, community FROM tasks`+w.String()+` ORDER BY kind, key LIMIT `+w.arg(bound(limit))+` + 0`, w.args...)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	rev, err := t.next(1)
	if err != nil {
		return 0, err
	}
	queued := map[[2]string]bool{}
	for _, n := range names {
		if err := t.exec(`UPDATE tasks SET due = $3, grp = '', attempts = 0, rev = $4 WHERE kind = $1 AND key = $2`,
			n.kind, n.key, micros(due), rev); err != nil {
			return 0, err
		}
		if q := [2]string{n.kind, n.community}; !queued[q] {
			queued[q] = true
			if err := t.queue(n.kind, n.community, micros(due), rev); err != nil {
				return 0, err
			}
		}
	}
	return len(names), nil
}

// selected says in SQL which tasks match. The conditions that say nothing new let partial indexes be recognised.
func selected(q store.TaskQuery) *where {
	w := &where{}
	w.is("kind", q.Kind)
	w.is("grp", q.Group)
	if q.Parked || q.Group != "" {
		w.raw("due = 0")
	}
	for _, c := range []struct{ column, v string }{{"community", q.Community}, {"instance", q.Instance}, {"ref", q.Ref}} {
		if c.v != "" {
			w.is(c.column, c.v)
			w.raw(c.column + " <> ''")
		}
	}
	return w
}

// Tasks implements store.Tx.
func (t *Tx) Tasks(q store.TaskQuery, afterKind, afterKey string, limit int) ([]store.Task, error) {
	w := selected(q)
	switch {
	case afterKind == "" && afterKey == "" || q.Kind > afterKind:
	case q.Kind == "":
		w.raw("(kind, key) > (" + w.arg(afterKind) + ", " + w.arg(afterKey) + ")")
	case q.Kind == afterKind:
		w.raw("key > " + w.arg(afterKey))
	default:
		return nil, nil
	}
	return list(t, scanTask, `SELECT `+taskCols+` FROM tasks`+w.String()+` ORDER BY kind, key LIMIT `+w.arg(bound(limit))+` + 0`, w.args...)
}

// CountTasks implements store.Tx.
func (t *Tx) CountTasks(q store.TaskQuery, limit int) (n int, bytes int64, err error) {
	w := selected(q)
	err = t.c.Query(`SELECT count(*), coalesce(sum(size), 0) FROM (SELECT length(payload) AS size FROM tasks`+w.String()+` LIMIT `+w.arg(bound(limit))+` + 0) AS some`, func(r Row) error {
		n, bytes = int(r.Int(0)), r.Int(1)
		return nil
	}, w.args...)
	return n, bytes, err
}

// NextDue implements store.Tx.
func (t *Tx) NextDue(kinds []string) (time.Time, error) {
	var next time.Time
	for _, kind := range distinct(kinds) {
		err := t.c.Query(`SELECT due FROM tasks WHERE kind = $1 AND due <> 0 ORDER BY due LIMIT 1`, func(r Row) error {
			if due := r.Time(0); next.IsZero() || due.Before(next) {
				next = due
			}
			return nil
		}, kind)
		if err != nil {
			return time.Time{}, err
		}
	}
	return next, nil
}

// Acquire implements store.Tx.
func (t *Tx) Acquire(name, owner string, now, until time.Time) (bool, error) {
	n, err := t.c.Exec(`INSERT INTO leases (name, owner, until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE leases.owner = excluded.owner OR leases.until <= $4`,
		name, owner, micros(until), micros(now))
	return n > 0, err
}

// Release implements store.Tx.
func (t *Tx) Release(name, owner string) error {
	return t.exec(`DELETE FROM leases WHERE name = $1 AND owner = $2`, name, owner)
}
