package memory

import "github.com/metagov/gateway-go/store"

func (t *tx) PutEndpoint(e store.Endpoint) error {
	if t.locked != nil {
		return t.locked
	}
	k := key{e.ID}
	old, ok := t.endpoints.get(k)
	if err := swap("endpoint", e.ID, e.Rev, ok, func() int64 { return old.Rev }); err != nil {
		return err
	}
	if ok {
		t.endpointsC.del(key{old.Community, old.ID})
	}
	e = copyEndpoint(e)
	e.Rev++
	e.Created, e.Updated = when(e.Created), when(e.Updated)
	e.FailingSince, e.LastSuccess, e.LastFailure = when(e.FailingSince), when(e.LastSuccess), when(e.LastFailure)
	t.endpoints.put(k, &e)
	t.endpointsC.put(key{e.Community, e.ID}, none{})
	return nil
}

func copyEndpoint(e store.Endpoint) store.Endpoint {
	e.Filters, e.Sealed = own(e.Filters), own(e.Sealed)
	return e
}

func (t *tx) Endpoint(id string) (store.Endpoint, error) {
	e, ok := t.endpoints.get(key{id})
	if !ok {
		return store.Endpoint{}, missing("endpoint", id)
	}
	return copyEndpoint(*e), nil
}

func (t *tx) Endpoints(community, after string, limit int) ([]store.Endpoint, error) {
	walk := t.endpointsC.after(key{community, after}, 1, after != "")
	return first(walk, atMost(limit), func(k key, _ none) (store.Endpoint, bool) {
		e, ok := t.endpoints.get(key{k[1]})
		if !ok {
			return store.Endpoint{}, false
		}
		return copyEndpoint(*e), true
	}), nil
}

func (t *tx) DeleteEndpoint(id string) error {
	if t.locked != nil {
		return t.locked
	}
	if id == "" {
		return nil // tasks without a Ref are not this one's
	}
	if e, ok := t.endpoints.get(key{id}); ok {
		t.endpointsC.del(key{e.Community, id})
		t.endpoints.del(key{id})
	}
	for k := range t.taskOf.under(id) {
		if n, ok := t.tasks.get(key{k[1], k[2]}); ok {
			t.deleteTask(n)
		}
	}
	return nil
}
