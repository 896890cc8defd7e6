package sqlstore

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

const processCols = `id, community, instance, plugin, name, version, status, reason, url, is_open, refusal, close_at, created, updated, shown, ended, rev, input, state, outcome, closing, origin`

func scanProcess(r Row) store.Process {
	return store.Process{
		ID: r.Text(0), Community: r.Text(1), Instance: r.Text(2), Plugin: r.Text(3), Name: r.Text(4), Version: int(r.Int(5)),
		Status: r.Text(6), Reason: r.Text(7), URL: r.Text(8), Open: r.Bool(9), Refusal: r.Text(10), CloseAt: r.Time(11),
		Created: r.Time(12), Updated: r.Time(13), Shown: r.Time(14), Ended: r.Time(15), Rev: r.Int(16),
		Input: r.Bytes(17), State: r.Bytes(18), Outcome: r.Bytes(19), Closing: r.Bytes(20), Origin: r.Text(21),
	}
}

// PutProcess implements store.Tx.
func (t *Tx) PutProcess(p store.Process) error {
	t.changeProcess(p.ID)
	return t.put("put process", p.Rev,
		`INSERT INTO processes (id, community, instance, plugin, name, version, status, reason, url, is_open, refusal, close_at, created, updated, shown, ended, input, state, outcome, closing, origin, rev)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 1) ON CONFLICT DO NOTHING`,
		`UPDATE processes SET community = $2, instance = $3, plugin = $4, name = $5, version = $6, status = $7, reason = $8, url = $9,
		 is_open = $10, refusal = $11, close_at = $12, created = $13, updated = $14, shown = $15, ended = $16, input = $17, state = $18,
		 outcome = $19, closing = $20, origin = $21, rev = rev + 1 WHERE id = $1 AND rev = $22`,
		p.ID, p.Community, p.Instance, p.Plugin, p.Name, p.Version, p.Status, p.Reason, p.URL, p.Open, p.Refusal, micros(p.CloseAt),
		micros(p.Created), micros(p.Updated), micros(p.Shown), micros(p.Ended), p.Input, p.State, p.Outcome, p.Closing, p.Origin)
}

// Process implements store.Tx.
func (t *Tx) Process(id string) (store.Process, error) {
	p, err := t.process(id)
	if err == nil && t.shared != nil {
		p.Input, p.State, p.Outcome, p.Closing = bytes.Clone(p.Input), bytes.Clone(p.State), bytes.Clone(p.Outcome), bytes.Clone(p.Closing)
	}
	return p, err
}

func (t *Tx) process(id string) (store.Process, error) {
	return t.shared.process(id, func() (store.Process, error) {
		return one(t, "process", scanProcess, `SELECT `+processCols+` FROM processes WHERE id = $1`, id)
	})
}

// Processes implements store.Tx. Each status is looked up by itself, in the order of an index, so that the many processes
// that have ended do not slow down the list of the few that run.
func (t *Tx) Processes(q store.ProcessQuery, after string, limit int) ([]store.Process, error) {
	statuses := distinct(q.Status)
	if len(statuses) == 0 {
		statuses = []string{""}
	}
	var out []store.Process
	for _, status := range statuses {
		var w where
		w.is("community", q.Community)
		w.is("instance", q.Instance)
		w.is("name", q.Name)
		if len(q.Status) > 0 {
			w.raw("status = " + w.arg(status))
		}
		w.raw("id " + past(after) + " " + w.arg(after))
		ps, err := list(t, scanProcess, `SELECT `+processCols+` FROM processes`+w.String()+` ORDER BY id LIMIT `+w.arg(bound(limit))+` + 0`, w.args...)
		if err != nil {
			return nil, err
		}
		out = append(out, ps...)
	}
	slices.SortFunc(out, func(a, b store.Process) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(len(out), int(bound(limit)))], nil
}

// PutRef implements store.Tx.
func (t *Tx) PutRef(instance, ref, process string) error {
	t.changeRefs()
	return t.exec(`INSERT INTO refs (instance, ref, process) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, instance, ref, process)
}

// ProcessesByRef implements store.Tx.
func (t *Tx) ProcessesByRef(instance, name string, limit int) ([]string, error) {
	r := ref{instance, name, bound(limit)}
	if t.shared != nil {
		if processes, ok := t.shared.refs[r]; ok {
			return slices.Clone(processes), nil
		}
	}
	processes, err := list(t, text, `SELECT process FROM refs WHERE instance = $1 AND ref = $2 ORDER BY process DESC LIMIT $3 + 0`, instance, name, r.limit)
	if err == nil && t.shared != nil {
		keep(&t.shared.refs, r, slices.Clone(processes))
	}
	return processes, err
}

// PruneProcesses implements store.Tx.
func (t *Tx) PruneProcesses(before time.Time, limit int) (int, error) {
	ids, err := list(t, text, `SELECT id FROM processes WHERE ended <> 0 AND ended < $1 ORDER BY ended LIMIT $2 + 0`, micros(before), bound(limit))
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		t.changeProcess(id)
		t.changeRefs()
		t.forgetSums(id)
		for _, query := range []string{
			`DELETE FROM refs WHERE process = $1`,
			`DELETE FROM ballots WHERE process = $1`,
			`DELETE FROM counts WHERE process = $1`,
			`DELETE FROM tallies WHERE process = $1`,
			`DELETE FROM voters WHERE process = $1`,
			`DELETE FROM processes WHERE id = $1`,
		} {
			if err := t.exec(query, id); err != nil {
				return 0, err
			}
		}
	}
	return len(ids), nil
}
