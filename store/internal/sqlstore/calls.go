package sqlstore

import (
	"time"

	"github.com/metagov/gateway-go/store"
)

const callCols = `id, community, instance, name, process, once, status, started, ended, rev, input, saved, output, error, origin`

func scanCall(r Row) store.Call {
	return store.Call{
		ID: r.Text(0), Community: r.Text(1), Instance: r.Text(2), Name: r.Text(3), Process: r.Text(4), Once: r.Text(5),
		Status: r.Text(6), Started: r.Time(7), Ended: r.Time(8), Rev: r.Int(9), Input: r.Bytes(10), Saved: r.Bytes(11),
		Output: r.Bytes(12), Error: r.Bytes(13), Origin: r.Text(14),
	}
}

// PutCall implements store.Tx.
func (t *Tx) PutCall(c store.Call) error {
	return t.put("put call", c.Rev,
		`INSERT INTO calls (id, community, instance, name, process, once, status, started, ended, input, saved, output, error, origin, rev)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1) ON CONFLICT DO NOTHING`,
		`UPDATE calls SET community = $2, instance = $3, name = $4, process = $5, once = $6, status = $7, started = $8, ended = $9,
		 input = $10, saved = $11, output = $12, error = $13, origin = $14, rev = rev + 1 WHERE id = $1 AND rev = $15`,
		c.ID, c.Community, c.Instance, c.Name, c.Process, c.Once, c.Status, micros(c.Started), micros(c.Ended), c.Input, c.Saved, c.Output, c.Error, c.Origin)
}

// Call implements store.Tx.
func (t *Tx) Call(id string) (store.Call, error) {
	return one(t, "call", scanCall, `SELECT `+callCols+` FROM calls WHERE id = $1`, id)
}

// CallByOnce implements store.Tx.
func (t *Tx) CallByOnce(community, once string) (store.Call, error) {
	return one(t, "call", scanCall, `SELECT `+callCols+` FROM calls WHERE community = $1 AND once = $2 AND once <> ''`, community, once)
}

// PutEcho implements store.Tx.
func (t *Tx) PutEcho(e store.Echo) error {
	return t.exec(`INSERT INTO echoes (instance, key, call, caused, until) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (instance, key, call) DO UPDATE SET caused = excluded.caused, until = excluded.until`,
		e.Instance, e.Key, e.Call, e.Caused, micros(e.Until))
}

// Echoes implements store.Tx.
func (t *Tx) Echoes(instance string, keys []string) ([]store.Echo, error) {
	var out []store.Echo
	for _, key := range distinct(keys) {
		es, err := list(t, func(r Row) store.Echo {
			return store.Echo{Instance: instance, Key: key, Call: r.Text(0), Caused: r.Bool(1), Until: r.Time(2)}
		}, `SELECT call, caused, until FROM echoes WHERE instance = $1 AND key = $2 ORDER BY call`, instance, key)
		if err != nil {
			return nil, err
		}
		out = append(out, es...)
	}
	return out, nil
}

// DeleteEchoes implements store.Tx.
func (t *Tx) DeleteEchoes(call string, keys ...string) error {
	if len(keys) == 0 {
		return t.exec(`DELETE FROM echoes WHERE call = $1`, call)
	}
	for _, key := range keys {
		if err := t.exec(`DELETE FROM echoes WHERE call = $1 AND key = $2`, call, key); err != nil {
			return err
		}
	}
	return nil
}

// PruneCalls implements store.Tx.
func (t *Tx) PruneCalls(before time.Time, limit int) (int, error) {
	ids, err := list(t, text, `SELECT id FROM calls WHERE ended <> 0 AND ended < $1 ORDER BY ended LIMIT $2 + 0`, micros(before), bound(limit))
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := t.DeleteEchoes(id); err != nil {
			return 0, err
		}
		if err := t.exec(`DELETE FROM calls WHERE id = $1`, id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
