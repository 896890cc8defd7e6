package sqlstore

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

// A row of queues says when it is a community's turn with its tasks of one kind. There is one for each pair that has tasks which are
// not parked. Its due is not after the earliest of theirs, except when it had a turn and has more: then it is not after
// the time of that turn. Most rows are too early, or of no use any more: nothing that moves tasks away looks at them, nor does a Claim
// that takes all that is due, so that they cost next to nothing as long as everybody is served. A Claim that has to choose puts
// right those that it comes across.

// stale is how many rows of no use one Claim passes by, kind by kind, so that its cost is bounded. Each had a task of its own, and is passed by
// once.
const stale = 1000

// queue brings a community's turn forward to a time, if it is later or there is none.
func (t *Tx) queue(kind, community string, due, rev int64) error {
	return t.exec(`INSERT INTO queues (kind, community, due, rev) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, community) DO UPDATE SET due = excluded.due, rev = excluded.rev WHERE excluded.due < queues.due`, kind, community, due, rev)
}

// dueTask is what the indexes of due tasks hold.
type dueTask struct {
	kind, key string
	due       int64
}

func (a dueTask) compare(b dueTask) int {
	return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key))
}

// turn is a row of queues whose time has come, with the first task that is due in it.
type turn struct {
	kind, community string
	due, rev        int64
	first           dueTask
}

func (a turn) compare(b turn) int {
	return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.rev, b.rev), cmp.Compare(a.kind, b.kind), cmp.Compare(a.community, b.community))
}

// Claim implements store.Tx. Each kind is looked up in the index of what is due, and left at the first that is not. Only when more is
// due than is wanted does it matter whose turn it is.
func (t *Tx) Claim(kinds []string, now, until time.Time, limit int, except ...string) ([]store.Task, error) {
	if micros(until) == 0 {
		return nil, errNoTime
	}
	kinds = distinct(kinds)
	at, want := micros(now), int(bound(limit))
	var picked []dueTask
	for _, kind := range kinds {
		if len(except) > 0 {
			break
		}
		found, err := list(t, func(r Row) dueTask { return dueTask{kind, r.Text(0), r.Int(1)} },
			`SELECT key, due FROM tasks WHERE kind = $1 AND due <> 0 AND due <= $2 ORDER BY due, key LIMIT $3 + 1`, kind, at, want)
		if err != nil {
			return nil, err
		}
		picked = append(picked, found...)
	}
	if len(picked) == 0 && len(except) == 0 {
		return nil, nil
	}
	slices.SortFunc(picked, dueTask.compare)
	if len(picked) <= want && len(except) == 0 {
		rev, err := t.next(1)
		if err != nil {
			return nil, err
		}
		out, err := t.take(picked, micros(until), rev)
		for _, n := range out {
			if err == nil && micros(until) <= at { // clocks differ and go back; otherwise the queue's due is earlier already
				err = t.queue(n.Kind, n.Community, micros(until), rev)
			}
		}
		return out, err
	}
	c, err := t.inTurn(kinds, at, want, picked, except)
	if err != nil || len(c.picked) == 0 && len(c.passed) == 0 {
		return nil, err
	}
	last, err := t.next(int64(1 + len(c.line)))
	if err != nil {
		return nil, err
	}
	rev := last - int64(len(c.line))
	out, err := t.take(c.picked, micros(until), rev)
	if err != nil {
		return nil, err
	}
	return out, t.moveUp(c, out, at, rev)
}

// moveUp has the queues that had their turn go behind the others, in the same order, and puts right those that were passed by. The
// revs up to rev+len(c.line) are there to be used.
func (t *Tx) moveUp(c contest, out []store.Task, now, rev int64) error {
	had := map[[2]string]bool{}
	for _, q := range c.line {
		if err := t.settle(q.kind, []string{q.community}, now, rev); err != nil {
			return err
		}
		had[[2]string{q.kind, q.community}] = true
		rev++
	}
	for _, n := range out {
		if q := [2]string{n.Kind, n.Community}; !had[q] { // it was not its turn, or was not known to be
			had[q] = true
			c.passed[n.Kind] = append(c.passed[n.Kind], n.Community)
		}
	}
	for kind, communities := range c.passed {
		if err := t.clear(kind, communities, now, rev); err != nil {
			return err
		}
	}
	return nil
}

// contest is what came of more tasks being due than are wanted.
type contest struct {
	picked []dueTask
	line   []turn              // whose turn it was
	passed map[string][]string // by kind, the queues in which nothing is due
}

// inTurn chooses from more than are wanted: by turns one of each queue, and again until each has had its share; what is missing then
// are the earliest of all.
func (t *Tx) inTurn(kinds []string, now int64, want int, earliest []dueTask, except []string) (contest, error) {
	var line []turn
	passed := map[string][]string{}
	for _, kind := range kinds {
		found, wrong, err := t.turns(kind, now, want, except)
		if err != nil {
			return contest{}, err
		}
		line = append(line, found...)
		if len(wrong) > 0 {
			passed[kind] = wrong
		}
	}
	slices.SortFunc(line, turn.compare)
	line = line[:min(len(line), want)]
	shares := make([][]dueTask, len(line))
	share := (want + len(line) - 1) / max(len(line), 1)
	for i, q := range line {
		shares[i] = []dueTask{q.first}
		if share == 1 {
			continue
		}
		var err error
		shares[i], err = list(t, func(r Row) dueTask { return dueTask{q.kind, r.Text(0), r.Int(1)} },
			`SELECT key, due FROM tasks WHERE kind = $1 AND community = $2 AND due <> 0 AND due <= $3 ORDER BY due, key LIMIT $4 + 0`,
			q.kind, q.community, now, share)
		if err != nil {
			return contest{}, err
		}
	}
	var picked []dueTask
	chosen := map[dueTask]bool{}
	pick := func(d dueTask) {
		if len(picked) < want && !chosen[d] {
			chosen[d] = true
			picked = append(picked, d)
		}
	}
	for round := range share {
		for _, s := range shares {
			if round < len(s) {
				pick(s[round])
			}
		}
	}
	for _, d := range earliest {
		pick(d)
	}
	slices.SortFunc(picked, dueTask.compare)
	return contest{picked, line, passed}, nil
}

// turns lists the first queues of a kind that have something due, at most as many as are wanted, and those before them that have not.
func (t *Tx) turns(kind string, now int64, want int, except []string) (line []turn, passed []string, err error) {
	after := turn{due: math.MinInt64}
	for page := want; ; page = want - len(line) + 64 {
		type row struct {
			turn
			live bool
		}
		rows, err := list(t, func(r Row) row {
			q := turn{kind: kind, due: r.Int(0), rev: r.Int(1), community: r.Text(2), first: dueTask{kind, r.Text(3), r.Int(4)}}
			return row{q, q.first.due != 0}
		}, `SELECT q.due, q.rev, q.community,
			(SELECT k.key FROM tasks k WHERE k.kind = $1 AND k.community = q.community AND k.due <> 0 AND k.due <= $2 ORDER BY k.due, k.key LIMIT 1),
			(SELECT k.due FROM tasks k WHERE k.kind = $1 AND k.community = q.community AND k.due <> 0 AND k.due <= $2 ORDER BY k.due, k.key LIMIT 1)
			FROM queues q WHERE q.kind = $1 AND q.due <= $2 AND (q.due, q.rev, q.community) > ($3, $4, $5)
			ORDER BY q.due, q.rev, q.community LIMIT $6 + 0`, kind, now, after.due, after.rev, after.community, page)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range rows {
			if slices.Contains(except, r.community) {
				continue
			}
			if r.live {
				line = append(line, r.turn)
			} else {
				passed = append(passed, r.community)
			}
			if len(line) == want || len(passed) == stale {
				return line, passed, nil
			}
		}
		if len(rows) < page {
			return line, passed, nil
		}
		after = rows[len(rows)-1].turn
	}
}

// batch is how many rows one statement names, so that there are few texts of statements.
const batch = 256

// take claims tasks and returns them in their order.
func (t *Tx) take(picked []dueTask, until, rev int64) ([]store.Task, error) {
	type name struct{ kind, key string }
	place := make(map[name]int, len(picked))
	keys := map[string][]string{}
	for i, d := range picked {
		place[name{d.kind, d.key}] = i
		keys[d.kind] = append(keys[d.kind], d.key)
	}
	out := make([]store.Task, len(picked))
	for kind, all := range keys {
		for some := range slices.Chunk(all, batch) {
			w := &where{}
			set := `due = ` + w.arg(until) + `, attempts = attempts + 1, rev = ` + w.arg(rev)
			w.raw("kind = " + w.arg(kind))
			w.in("key", some)
			err := t.c.Returning(`UPDATE tasks SET `+set+w.String()+` RETURNING `+taskCols, func(r Row) error {
				n := scanTask(r)
				out[place[name{n.Kind, n.Key}]] = n
				return nil
			}, w.args...)
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// settle gives queues their next turn: when the earliest task that they have is due, or, where more is due already, behind
// all those whose turn came before now.
func (t *Tx) settle(kind string, communities []string, now, rev int64) error {
	for some := range slices.Chunk(communities, batch) {
		w := &where{}
		at := w.arg(now)
		set := `due = (SELECT CASE WHEN k.due > ` + at + ` THEN k.due ELSE ` + at + ` END FROM tasks k
			WHERE k.kind = queues.kind AND k.community = queues.community AND k.due <> 0 ORDER BY k.due, k.key LIMIT 1), rev = ` + w.arg(rev)
		w.raw("kind = " + w.arg(kind))
		w.in("community", some)
		if err := t.exec(`UPDATE queues SET `+set+w.String(), w.args...); err != nil {
			return err
		}
	}
	return nil
}

// clear is settle for queues that may have no tasks: those it deletes.
func (t *Tx) clear(kind string, communities []string, now, rev int64) error {
	for some := range slices.Chunk(communities, batch) {
		w := &where{}
		w.raw("kind = " + w.arg(kind))
		w.in("community", some)
		w.raw("NOT EXISTS (SELECT 1 FROM tasks k WHERE k.kind = queues.kind AND k.community = queues.community AND k.due <> 0)")
		if err := t.exec(`DELETE FROM queues`+w.String(), w.args...); err != nil {
			return err
		}
	}
	return t.settle(kind, communities, now, rev)
}
