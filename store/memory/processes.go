package memory

import (
	"iter"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

func (t *tx) PutProcess(p store.Process) error {
	if t.locked != nil {
		return t.locked
	}
	old, there := t.processes.get(key{p.ID})
	if err := swap("process", p.ID, p.Rev, there, func() int64 { return old.Rev }); err != nil {
		return err
	}
	if there {
		t.unindexProcess(old)
	}
	p = copyProcess(p)
	p.Rev++
	p.CloseAt, p.Created, p.Updated, p.Shown, p.Ended = when(p.CloseAt), when(p.Created), when(p.Updated), when(p.Shown), when(p.Ended)
	t.processes.put(key{p.ID}, &p)
	t.processesC.put(key{p.Community, p.ID}, none{})
	t.processesI.put(key{p.Instance, p.ID}, none{})
	if !p.Ended.IsZero() {
		t.ended.put(key{at(p.Ended), p.ID}, none{})
	}
	return nil
}

func (t *tx) unindexProcess(p *store.Process) {
	t.processesC.del(key{p.Community, p.ID})
	t.processesI.del(key{p.Instance, p.ID})
	t.ended.del(key{at(p.Ended), p.ID})
}

func copyProcess(p store.Process) store.Process {
	p.Input, p.State, p.Outcome = own(p.Input), own(p.State), own(p.Outcome)
	return p
}

func (t *tx) Process(id string) (store.Process, error) {
	p, ok := t.processes.get(key{id})
	if !ok {
		return store.Process{}, missing("process", id)
	}
	return copyProcess(*p), nil
}

func (t *tx) Processes(q store.ProcessQuery, after string, limit int) ([]store.Process, error) {
	// All three walks are in the order of IDs; they differ in how much they pass by.
	var ids iter.Seq[string]
	switch {
	case q.Instance != "":
		ids = lastPart(t.processesI.after(key{q.Instance, after}, 1, after != ""), 1)
	case q.Community != "":
		ids = lastPart(t.processesC.after(key{q.Community, after}, 1, after != ""), 1)
	default:
		ids = lastPart(t.processes.after(key{after}, 0, after != ""), 0)
	}
	var out []store.Process
	for id := range ids {
		if len(out) == atMost(limit) {
			break
		}
		p, _ := t.processes.get(key{id})
		if matches(q.Community, p.Community) && matches(q.Instance, p.Instance) && matches(q.Name, p.Name) && matchesAny(q.Status, p.Status) {
			out = append(out, copyProcess(*p))
		}
	}
	return out, nil
}

// lastPart gives the nth part of each key.
func lastPart[V any](walk iter.Seq2[key, V], n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range walk {
			if !yield(k[n]) {
				return
			}
		}
	}
}

func (t *tx) PutRef(instance, ref, process string) error {
	if t.locked != nil {
		return t.locked
	}
	t.refs.put(key{instance, ref, process}, none{})
	t.refsOf.put(key{process, instance, ref}, none{})
	return nil
}

func (t *tx) ProcessesByRef(instance, ref string, limit int) ([]string, error) {
	all := slices.Collect(lastPart(t.refs.under(instance, ref), 2))
	slices.Reverse(all)
	return all[:min(len(all), atMost(limit))], nil
}

func (t *tx) PruneProcesses(before time.Time, limit int) (int, error) {
	if t.locked != nil {
		return 0, t.locked
	}
	n, end := 0, at(when(before))
	for k := range t.ended.under() {
		if n == atMost(limit) || k[0] >= end {
			break
		}
		p, _ := t.processes.get(key{k[1]})
		t.unindexProcess(p)
		t.processes.del(key{p.ID})
		for r := range t.refsOf.under(p.ID) {
			t.refsOf.del(r)
			t.refs.del(key{r[1], r[2], p.ID})
		}
		t.deleteBallots(p.ID)
		n++
	}
	return n, nil
}
