package memory

import (
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

func (t *tx) Accept(d store.Delivery) (bool, error) {
	if t.locked != nil {
		return false, t.locked
	}
	if d.Fact != "" && t.facts.has(key{d.Plugin, d.Fact}) {
		return false, nil
	}
	if t.deliveries.has(key{d.ID}) {
		return false, fmt.Errorf("memory: delivery %q is there already: %w", d.ID, store.ErrConflict)
	}
	d.Header, d.Body = own(d.Header), own(d.Body)
	d.At = when(d.At)
	t.deliveries.put(key{d.ID}, &d)
	t.deliveriesAt.put(key{at(d.At), d.ID}, none{})
	if d.Fact != "" {
		t.facts.put(key{d.Plugin, d.Fact}, none{})
	}
	return true, nil
}

func (t *tx) Delivery(id string) (store.Delivery, error) {
	d, ok := t.deliveries.get(key{id})
	if !ok {
		return store.Delivery{}, missing("delivery", id)
	}
	out := *d
	out.Header, out.Body = own(d.Header), own(d.Body)
	return out, nil
}

func (t *tx) BlankDelivery(id string) error {
	if t.locked != nil {
		return t.locked
	}
	d, ok := t.deliveries.get(key{id})
	if !ok {
		return nil
	}
	blank := *d
	blank.Header, blank.Body = nil, nil
	t.deliveries.put(key{id}, &blank)
	return nil
}

func (t *tx) PruneDeliveries(before time.Time, limit int) (int, error) {
	if t.locked != nil {
		return 0, t.locked
	}
	n, end := 0, at(when(before))
	for k := range t.deliveriesAt.under() {
		if n == atMost(limit) || k[0] >= end {
			break
		}
		if t.needed(k[1]) {
			continue
		}
		d, _ := t.deliveries.get(key{k[1]})
		t.deliveries.del(key{d.ID})
		t.deliveriesAt.del(k)
		t.facts.del(key{d.Plugin, d.Fact})
		n++
	}
	return n, nil
}

// needed reports whether a task refers to the delivery.
func (t *tx) needed(delivery string) bool {
	for range t.taskOf.under(delivery) {
		return true
	}
	return false
}
