package memory

import (
	"time"

	"github.com/metagov/gateway-go/store"
)

func (t *tx) Append(e store.Event) (int64, bool, error) {
	if t.locked != nil {
		return 0, false, t.locked
	}
	name := key{e.Instance, e.Type, e.ID}
	if e.ID != "" {
		if seq, ok := t.known.get(name); ok {
			return seq, false, nil
		}
	}
	t.lastSeq++
	e.Seq = t.lastSeq
	e.Data = own(e.Data)
	e.At = when(e.At)
	t.log.put(key{num(e.Seq)}, &e)
	if e.ID != "" {
		t.known.put(name, e.Seq)
	}
	return e.Seq, true, nil
}

func (t *tx) Events(q store.EventQuery, limit int) ([]store.Event, error) {
	walk := t.log.from(key{num(max(q.After, 0) + 1)})
	return first(walk, atMost(limit), func(_ key, e *store.Event) (store.Event, bool) {
		if !matches(q.Community, e.Community) || !matches(q.Instance, e.Instance) || !matches(q.Process, e.Process) || !matchesAny(q.Types, e.Type) {
			return store.Event{}, false
		}
		out := *e
		out.Data = own(e.Data)
		return out, true
	}), nil
}

func (t *tx) RedactEvent(seq int64, actor string, data []byte) error {
	if t.locked != nil {
		return t.locked
	}
	if e, ok := t.log.get(key{num(seq)}); ok {
		redacted := *e
		redacted.Actor, redacted.Data = actor, own(data)
		t.log.put(key{num(seq)}, &redacted)
	}
	return nil
}

func (t *tx) LastSeq() (int64, error) { return t.lastSeq, nil }

func (t *tx) PruneEvents(before time.Time, upTo int64, limit int) (int, error) {
	if t.locked != nil {
		return 0, t.locked
	}
	n := 0
	before = when(before)
	for k, e := range t.log.under() {
		if n == atMost(limit) || e.Seq > upTo {
			break
		}
		if !e.At.Before(before) {
			continue
		}
		t.log.del(k)
		t.known.del(key{e.Instance, e.Type, e.ID})
		n++
	}
	return n, nil
}

func (t *tx) PutSub(s store.Sub) error {
	if t.locked != nil {
		return t.locked
	}
	s.Created = when(s.Created)
	t.subs.put(key{s.Name}, s)
	return nil
}

func (t *tx) Sub(name string) (store.Sub, error) {
	s, ok := t.subs.get(key{name})
	if !ok {
		return s, missing("subscription", name)
	}
	return s, nil
}

func (t *tx) Subs() ([]store.Sub, error) {
	return first(t.subs.under(), -1, func(_ key, s store.Sub) (store.Sub, bool) { return s, true }), nil
}

func (t *tx) DeleteSub(name string) error {
	if t.locked != nil {
		return t.locked
	}
	t.subs.del(key{name})
	for k := range t.lanes.under(name) {
		t.lanes.del(k)
	}
	return nil
}

func (t *tx) PutLane(l store.Lane) error {
	if t.locked != nil {
		return t.locked
	}
	l.Due = when(l.Due)
	t.lanes.put(key{l.Sub, l.Community}, l)
	return nil
}

func (t *tx) Lanes(sub string) ([]store.Lane, error) {
	return first(t.lanes.under(sub), -1, func(_ key, l store.Lane) (store.Lane, bool) { return l, true }), nil
}

func (t *tx) DeleteLane(sub, community string) error {
	if t.locked != nil {
		return t.locked
	}
	t.lanes.del(key{sub, community})
	return nil
}
