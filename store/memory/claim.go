package memory

import (
	"cmp"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

// queue says when it is a community's turn with its tasks of one kind. There is one for each pair that has tasks which are not
// parked. Its due is not after the earliest of theirs, except when it had a turn and has more: then it is not after the time
// of that turn. Most are too early, or of no use any more: only a Claim that has to choose puts right those that it comes across.
type queue struct {
	due string // as at writes it
	rev int64  // of what put it there
}

// stale is how many queues of no use one Claim passes by, kind by kind.
const stale = 1000

// queue brings a community's turn forward to the task's Due, if it is later or there is none.
func (t *tx) queue(n *store.Task, rev int64) {
	if q, ok := t.queues.get(key{n.Kind, n.Community}); !ok || at(n.Due) < q.due {
		t.putQueue(n.Kind, n.Community, queue{at(n.Due), rev})
	}
}

func (t *tx) putQueue(kind, community string, q queue) {
	t.deleteQueue(kind, community)
	t.queues.put(key{kind, community}, q)
	t.line.put(key{kind, q.due, num(q.rev), community}, none{})
}

func (t *tx) deleteQueue(kind, community string) {
	if q, ok := t.queues.get(key{kind, community}); ok {
		t.queues.del(key{kind, community})
		t.line.del(key{kind, q.due, num(q.rev), community})
	}
}

// Claim looks at whose turn it is only when more is due than is wanted.
func (t *tx) Claim(kinds []string, now, until time.Time, limit int, except ...string) ([]store.Task, error) {
	if t.locked != nil {
		return nil, t.locked
	}
	end, until := at(when(now)), when(until)
	if until.IsZero() {
		return nil, errNoTime
	}
	kinds = distinct(kinds)
	var picked []key // kind, due, key
	for _, kind := range kinds {
		n := 0
		for k := range t.due.under(kind) {
			if n > atMost(limit) || k[1] > end || len(except) > 0 {
				break
			}
			picked = append(picked, k)
			n++
		}
	}
	slices.SortFunc(picked, earlier)
	var line, passed []key
	contended := len(picked) > atMost(limit) || len(except) > 0
	if contended {
		picked, line, passed = t.inTurn(kinds, end, atMost(limit), picked, except)
	}
	rev := t.nextRev()
	var out []store.Task
	for _, k := range picked {
		n, _ := t.tasks.get(key{k[0], k[2]})
		t.deleteTask(n)
		claimed := *n
		claimed.Due = until
		claimed.Attempts++
		t.putTask(claimed, rev)
		kept, _ := t.tasks.get(key{k[0], k[2]})
		out = append(out, copyTask(kept))
	}
	if !contended {
		return out, nil
	}
	// Those that had their turn go behind the others, in the same order.
	had := map[key]bool{}
	for _, k := range line {
		q := key{k[0], k[3]}
		had[q] = true
		t.settle(q, end, t.nextRev())
	}
	for _, n := range out {
		if q := (key{n.Kind, n.Community}); !had[q] { // it was not its turn, or was not known to be
			had[q] = true
			passed = append(passed, q)
		}
	}
	for rev := t.nextRev(); len(passed) > 0; passed = passed[1:] {
		t.settle(passed[0], end, rev)
	}
	return out, nil
}

func earlier(a, b key) int {
	return cmp.Or(cmp.Compare(a[1], b[1]), cmp.Compare(a[0], b[0]), cmp.Compare(a[2], b[2]))
}

// inTurn chooses from more than are wanted: by turns one of each queue, and again until each has had its share; what is missing then
// are the earliest of all. It also says whose turn it was (kind, due, rev, community), and in which queues (kind, community) nothing is due.
func (t *tx) inTurn(kinds []string, end string, want int, earliest []key, except []string) (picked, line, passed []key) {
	for _, kind := range kinds {
		found, wrong := 0, 0
		for k := range t.line.under(kind) {
			if k[1] > end || found == want || wrong == stale {
				break
			}
			if slices.Contains(except, k[3]) {
				continue
			}
			if len(t.dueIn(kind, k[3], end, 1)) == 0 {
				passed = append(passed, key{kind, k[3]})
				wrong++
				continue
			}
			line = append(line, k)
			found++
		}
	}
	slices.SortFunc(line, func(a, b key) int {
		return cmp.Or(cmp.Compare(a[1], b[1]), cmp.Compare(a[2], b[2]), cmp.Compare(a[0], b[0]), cmp.Compare(a[3], b[3]))
	})
	line = line[:min(len(line), want)]
	share := (want + len(line) - 1) / max(len(line), 1)
	shares := make([][]key, len(line))
	for i, k := range line {
		shares[i] = t.dueIn(k[0], k[3], end, share)
	}
	chosen := map[key]bool{}
	pick := func(k key) {
		if len(picked) < want && !chosen[k] {
			chosen[k] = true
			picked = append(picked, k)
		}
	}
	for round := range share {
		for _, s := range shares {
			if round < len(s) {
				pick(s[round])
			}
		}
	}
	for _, k := range earliest {
		pick(k)
	}
	slices.SortFunc(picked, earlier)
	return picked, line, passed
}

// dueIn lists the first tasks that are due in a queue, as the index of what is due does.
func (t *tx) dueIn(kind, community, end string, limit int) (out []key) {
	for k := range t.dueOf.under(kind, community) {
		if len(out) == limit || k[2] > end {
			break
		}
		out = append(out, key{kind, k[2], k[3]})
	}
	return out
}

// settle gives a queue its next turn: when the earliest task that it has is due, or, where more is due already, behind all
// those whose turn came before now. One without tasks is deleted.
func (t *tx) settle(q key, now string, rev int64) {
	for k := range t.dueOf.under(q[0], q[1]) {
		t.putQueue(q[0], q[1], queue{max(k[2], now), rev})
		return
	}
	t.deleteQueue(q[0], q[1])
}
