package memory

import (
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

func (t *tx) PutCall(c store.Call) error {
	if t.locked != nil {
		return t.locked
	}
	old, there := t.calls.get(key{c.ID})
	if err := swap("call", c.ID, c.Rev, there, func() int64 { return old.Rev }); err != nil {
		return err
	}
	if c.Once != "" {
		if id, ok := t.onces.get(key{c.Community, c.Once}); ok && id != c.ID {
			return fmt.Errorf("memory: a call %q is in %q already: %w", c.Once, c.Community, store.ErrConflict)
		}
	}
	if there {
		t.unindexCall(old)
	}
	c = copyCall(c)
	c.Rev++
	c.Started, c.Ended = when(c.Started), when(c.Ended)
	t.calls.put(key{c.ID}, &c)
	if c.Once != "" {
		t.onces.put(key{c.Community, c.Once}, c.ID)
	}
	if !c.Ended.IsZero() {
		t.callsEnded.put(key{at(c.Ended), c.ID}, none{})
	}
	return nil
}

func (t *tx) unindexCall(c *store.Call) {
	if c.Once != "" {
		t.onces.del(key{c.Community, c.Once})
	}
	t.callsEnded.del(key{at(c.Ended), c.ID})
}

func copyCall(c store.Call) store.Call {
	c.Input, c.Saved, c.Output, c.Error = own(c.Input), own(c.Saved), own(c.Output), own(c.Error)
	return c
}

func (t *tx) Call(id string) (store.Call, error) {
	c, ok := t.calls.get(key{id})
	if !ok {
		return store.Call{}, missing("call", id)
	}
	return copyCall(*c), nil
}

func (t *tx) CallByOnce(community, once string) (store.Call, error) {
	id, ok := t.onces.get(key{community, once})
	if !ok {
		return store.Call{}, missing("call", community, once)
	}
	return t.Call(id)
}

func (t *tx) PutEcho(e store.Echo) error {
	if t.locked != nil {
		return t.locked
	}
	e.Until = when(e.Until)
	t.echoes.put(key{e.Instance, e.Key, e.Call}, e)
	t.echoesOf.put(key{e.Call, e.Key, e.Instance}, none{})
	return nil
}

// deleteEcho deletes by instance, key and call.
func (t *tx) deleteEcho(k key) {
	t.echoes.del(k)
	t.echoesOf.del(key{k[2], k[1], k[0]})
}

func (t *tx) Echoes(instance string, keys []string) ([]store.Echo, error) {
	var out []store.Echo
	for _, name := range distinct(keys) {
		for _, e := range t.echoes.under(instance, name) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (t *tx) DeleteEchoes(call string, keys ...string) error {
	if t.locked != nil {
		return t.locked
	}
	for k := range t.echoesOf.under(call) {
		if matchesAny(keys, k[1]) {
			t.deleteEcho(key{k[2], k[1], k[0]})
		}
	}
	return nil
}

func (t *tx) PruneCalls(before time.Time, limit int) (int, error) {
	if t.locked != nil {
		return 0, t.locked
	}
	n, end := 0, at(when(before))
	for k := range t.callsEnded.under() {
		if n == atMost(limit) || k[0] >= end {
			break
		}
		c, _ := t.calls.get(key{k[1]})
		t.unindexCall(c)
		t.calls.del(key{c.ID})
		if err := t.DeleteEchoes(c.ID); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
