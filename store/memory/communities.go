package memory

import (
	"bytes"
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

func (t *tx) PutCommunity(c store.Community) error {
	if t.locked != nil {
		return t.locked
	}
	k := key{c.Slug}
	old, ok := t.communities.get(k)
	if err := swap("community", c.Slug, c.Rev, ok, func() int64 { return old.Rev }); err != nil {
		return err
	}
	c.Rev++
	c.Created = when(c.Created)
	c.Settings = own(c.Settings)
	t.communities.put(k, &c)
	return nil
}

// handed is a row as it is given away.
func handed(c *store.Community) store.Community {
	out := *c
	out.Settings = own(out.Settings)
	return out
}

// swap decides whether a row that was read with rev may be written.
func swap(what, id string, rev int64, there bool, have func() int64) error {
	switch {
	case rev == 0 && there:
		return fmt.Errorf("memory: %s %q is there already: %w", what, id, store.ErrConflict)
	case rev != 0 && !there:
		return fmt.Errorf("memory: %s %q is gone: %w", what, id, store.ErrConflict)
	case rev != 0 && have() != rev:
		return fmt.Errorf("memory: %s %q was changed: %w", what, id, store.ErrConflict)
	}
	return nil
}

func missing(what string, names ...string) error {
	return fmt.Errorf("memory: %s %q: %w", what, names, store.ErrNotFound)
}

func (t *tx) Community(slug string) (store.Community, error) {
	c, ok := t.communities.get(key{slug})
	if !ok {
		return store.Community{}, missing("community", slug)
	}
	return handed(c), nil
}

func (t *tx) Communities(after string, limit int) ([]store.Community, error) {
	walk := t.communities.after(key{after}, 0, after != "")
	return first(walk, atMost(limit), func(_ key, c *store.Community) (store.Community, bool) { return handed(c), true }), nil
}

func (t *tx) State(instance, name string) ([]byte, int64, error) {
	v, _ := t.state.get(key{instance, name})
	return own(v.bytes), v.rev, nil
}

// value is a plugin's: there if rev is not 0.
type value struct {
	bytes []byte
	rev   int64
}

func (t *tx) PutState(instance, name string, b []byte, rev int64) error {
	if t.locked != nil {
		return t.locked
	}
	k := key{instance, name}
	v, _ := t.state.get(k)
	if v.rev != rev {
		return fmt.Errorf("memory: state %q of instance %q was changed: %w", name, instance, store.ErrConflict)
	}
	if b == nil {
		t.state.del(k)
	} else {
		t.state.put(k, value{bytes.Clone(b), t.nextRev()})
	}
	return nil
}

func (t *tx) PutTicket(k store.Ticket) error {
	if t.locked != nil {
		return t.locked
	}
	if t.tickets.has(key{k.Kind, k.ID}) {
		// Its ID is not quoted: knowing it is what the ticket is worth.
		return fmt.Errorf("memory: a ticket of kind %q is there already: %w", k.Kind, store.ErrConflict)
	}
	k.Data = own(k.Data)
	k.Until = when(k.Until)
	t.tickets.put(key{k.Kind, k.ID}, &k)
	t.ticketsEnd.put(key{at(k.Until), k.Kind, k.ID}, none{})
	return nil
}

func (t *tx) TakeTicket(kind, id string, now time.Time) (store.Ticket, error) {
	if t.locked != nil {
		return store.Ticket{}, t.locked
	}
	k, ok := t.tickets.get(key{kind, id})
	if !ok || !k.Until.After(when(now)) {
		return store.Ticket{}, fmt.Errorf("memory: ticket of kind %q: %w", kind, store.ErrNotFound)
	}
	t.deleteTicket(k)
	out := *k
	out.Data = own(k.Data)
	return out, nil
}

func (t *tx) deleteTicket(k *store.Ticket) {
	t.tickets.del(key{k.Kind, k.ID})
	t.ticketsEnd.del(key{at(k.Until), k.Kind, k.ID})
}

func (t *tx) PruneTickets(now time.Time, limit int) (int, error) {
	if t.locked != nil {
		return 0, t.locked
	}
	n, end := 0, at(when(now))
	for k := range t.ticketsEnd.under() {
		if n == atMost(limit) || k[0] > end {
			break
		}
		ticket, _ := t.tickets.get(key{k[1], k[2]})
		t.deleteTicket(ticket)
		n++
	}
	return n, nil
}
