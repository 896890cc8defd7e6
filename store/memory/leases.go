package memory

import "time"

type lease struct {
	owner string
	until time.Time
}

func (t *tx) Acquire(name, owner string, now, until time.Time) (bool, error) {
	if t.locked != nil {
		return false, t.locked
	}
	if l, ok := t.leases.get(key{name}); ok && l.owner != owner && l.until.After(when(now)) {
		return false, nil
	}
	t.leases.put(key{name}, lease{owner, when(until)})
	return true, nil
}

func (t *tx) Release(name, owner string) error {
	if t.locked != nil {
		return t.locked
	}
	if l, ok := t.leases.get(key{name}); ok && l.owner == owner {
		t.leases.del(key{name})
	}
	return nil
}
