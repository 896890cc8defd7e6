package sqlstore

import (
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

// next moves the counter of revisions by n and returns where it stands. Counters are rows, so that they follow commits and rollbacks. It may be
// written late: a revision that nothing was written with may be given again.
func (t *Tx) next(n int64) (int64, error) {
	s := t.shared
	if s != nil && s.Late && s.revs > 0 {
		s.revs, s.lateRevs = s.revs+n, true
		return s.revs, nil
	}
	var value int64
	err := t.c.Returning(`UPDATE counters SET value = value + $2 WHERE name = $1 RETURNING value`, func(r Row) error {
		value = r.Int(0)
		return nil
	}, "revs", n)
	if err == nil && value == 0 {
		err = fmt.Errorf("the counter of revisions is missing: %w", store.ErrCorrupt)
	}
	if err == nil && s != nil {
		s.revs = value
	}
	return value, err
}

// flushRevs writes the counter if that is late.
func (t *Tx) flushRevs() error {
	if !t.shared.lateRevs {
		return nil
	}
	t.shared.lateRevs = false
	return t.exec(`UPDATE counters SET value = $2 WHERE name = $1`, "revs", t.shared.revs)
}

// Append implements store.Tx.
func (t *Tx) Append(e store.Event) (seq int64, fresh bool, err error) {
	if seq, err = t.LastSeq(); err != nil {
		return 0, false, err
	}
	seq++
	n, err := t.c.Exec(`INSERT INTO events (seq, id, community, instance, plugin, type, process, actor, bot, delivery, cause, at, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`,
		seq, e.ID, e.Community, e.Instance, e.Plugin, e.Type, e.Process, e.Actor, e.Bot, e.Delivery, e.Cause, micros(e.At), e.Data)
	if err == nil && n > 0 && t.shared != nil {
		t.shared.seq = seq
	}
	if err != nil || n > 0 {
		return seq, n > 0, err
	}
	seq, err = one(t, "event", integer, `SELECT seq FROM events WHERE instance = $1 AND type = $2 AND id = $3 AND id <> ''`, e.Instance, e.Type, e.ID)
	return seq, false, err
}

// Events implements store.Tx.
func (t *Tx) Events(q store.EventQuery, limit int) ([]store.Event, error) {
	var w where
	w.raw("seq > " + w.arg(q.After))
	w.is("community", q.Community)
	w.is("instance", q.Instance)
	if q.Process != "" {
		w.is("process", q.Process)
		w.raw("process <> ''") // so that the partial index is recognised
	}
	w.in("type", q.Types)
	return list(t, func(r Row) store.Event {
		return store.Event{
			Seq: r.Int(0), ID: r.Text(1), Community: r.Text(2), Instance: r.Text(3), Plugin: r.Text(4), Type: r.Text(5), Process: r.Text(6),
			Actor: r.Text(7), Bot: r.Bool(8), Delivery: r.Text(9), Cause: r.Text(10), At: r.Time(11), Data: r.Bytes(12),
		}
	}, `SELECT seq, id, community, instance, plugin, type, process, actor, bot, delivery, cause, at, data FROM events`+w.String()+
		` ORDER BY seq LIMIT `+w.arg(bound(limit))+` + 0`, w.args...)
}

// RedactEvent implements store.Tx.
func (t *Tx) RedactEvent(seq int64, actor string, data []byte) error {
	return t.exec(`UPDATE events SET actor = $2, data = $3 WHERE seq = $1`, seq, actor, data)
}

// LastSeq implements store.Tx. The counter says how far numbers had come when events were last deleted: moving it with each
// event would be another write for each.
func (t *Tx) LastSeq() (int64, error) {
	if t.shared != nil && t.shared.seq > 0 {
		return t.shared.seq, nil
	}
	seq, err := one(t, "counter", func(r Row) int64 { return max(r.Int(0), r.Int(1)) },
		`SELECT value, (SELECT max(seq) FROM events) FROM counters WHERE name = $1`, "events")
	if err == nil && t.shared != nil {
		t.shared.seq = seq
	}
	return seq, err
}

// PruneEvents implements store.Tx.
func (t *Tx) PruneEvents(before time.Time, upTo int64, limit int) (int, error) {
	last, err := t.LastSeq()
	if err != nil {
		return 0, err
	}
	n, err := t.c.Exec(`DELETE FROM events WHERE seq IN (SELECT seq FROM
		(SELECT seq, at FROM events WHERE seq <= $1 ORDER BY seq LIMIT $2 + 1000) AS oldest WHERE at < $3 ORDER BY seq LIMIT $2 + 0)`,
		upTo, bound(limit), micros(before))
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), t.exec(`UPDATE counters SET value = $2 WHERE name = $1`, "events", last)
}

func scanSub(r Row) store.Sub {
	return store.Sub{Name: r.Text(0), Cursor: r.Int(1), Created: r.Time(2)}
}

// PutSub implements store.Tx.
func (t *Tx) PutSub(s store.Sub) error {
	return t.exec(`INSERT INTO subs (name, position, created) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET position = excluded.position, created = excluded.created`, s.Name, s.Cursor, micros(s.Created))
}

// Sub implements store.Tx.
func (t *Tx) Sub(name string) (store.Sub, error) {
	return one(t, "subscription", scanSub, `SELECT name, position, created FROM subs WHERE name = $1`, name)
}

// Subs implements store.Tx.
func (t *Tx) Subs() ([]store.Sub, error) {
	return list(t, scanSub, `SELECT name, position, created FROM subs ORDER BY name`)
}

// DeleteSub implements store.Tx.
func (t *Tx) DeleteSub(name string) error {
	if err := t.exec(`DELETE FROM lanes WHERE sub = $1`, name); err != nil {
		return err
	}
	return t.exec(`DELETE FROM subs WHERE name = $1`, name)
}

// PutLane implements store.Tx.
func (t *Tx) PutLane(l store.Lane) error {
	return t.exec(`INSERT INTO lanes (sub, community, position, attempts, due, error) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (sub, community) DO UPDATE SET position = excluded.position, attempts = excluded.attempts, due = excluded.due, error = excluded.error`,
		l.Sub, l.Community, l.Cursor, l.Attempts, micros(l.Due), l.Error)
}

// Lanes implements store.Tx.
func (t *Tx) Lanes(sub string) ([]store.Lane, error) {
	return list(t, func(r Row) store.Lane {
		return store.Lane{Sub: sub, Community: r.Text(0), Cursor: r.Int(1), Attempts: int(r.Int(2)), Due: r.Time(3), Error: r.Text(4)}
	}, `SELECT community, position, attempts, due, error FROM lanes WHERE sub = $1 ORDER BY community`, sub)
}

// DeleteLane implements store.Tx.
func (t *Tx) DeleteLane(sub, community string) error {
	return t.exec(`DELETE FROM lanes WHERE sub = $1 AND community = $2`, sub, community)
}
