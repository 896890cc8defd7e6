package memory

import (
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

func (t *tx) AppendAudit(a store.Audit) error {
	if t.locked != nil {
		return t.locked
	}
	head, _ := t.auditHeads.get(key{a.Community})
	if a.Seq != head.Seq+1 {
		return fmt.Errorf("memory: audit entry %d of community %q does not follow %d: %w", a.Seq, a.Community, head.Seq, store.ErrConflict)
	}
	a.At = when(a.At)
	a = ownAudit(a)
	t.audits.put(key{a.Community, num(a.Seq)}, &a)
	head.Seq, head.Hash = a.Seq, a.Hash
	t.auditHeads.put(key{a.Community}, head)
	return nil
}

func ownAudit(a store.Audit) store.Audit {
	a.Data, a.Prev, a.Hash = own(a.Data), own(a.Prev), own(a.Hash)
	return a
}

func (t *tx) AuditHead(community string) (store.AuditHead, error) {
	head, _ := t.auditHeads.get(key{community})
	head.Hash, head.PrunedHash = own(head.Hash), own(head.PrunedHash)
	return head, nil
}

func (t *tx) Audits(q store.AuditQuery, limit int) ([]store.Audit, error) {
	walk := func(yield func(key, *store.Audit) bool) {
		for k, a := range t.audits.after(key{q.Community, num(max(q.After, 0))}, 1, true) {
			if q.To > 0 && a.Seq > q.To || !yield(k, a) {
				return
			}
		}
	}
	return first(walk, atMost(limit), func(_ key, a *store.Audit) (store.Audit, bool) {
		if !matchesAny(q.Kinds, a.Kind) || !matches(q.Instance, a.Instance) || !matches(q.Process, a.Process) && !matches(q.Process, a.Decision) ||
			!matches(q.Call, a.Call) || !matches(q.Correlation, a.Correlation) || !matches(q.By, a.By) {
			return store.Audit{}, false
		}
		return ownAudit(*a), true
	}), nil
}

func (t *tx) PruneAudits(community string, before time.Time, limit int) (int, error) {
	if t.locked != nil {
		return 0, t.locked
	}
	head, _ := t.auditHeads.get(key{community})
	n := 0
	before = when(before)
	for k, a := range t.audits.under(community) {
		if n == atMost(limit) || !a.At.Before(before) {
			break
		}
		t.audits.del(k)
		head.Pruned, head.PrunedHash = a.Seq, a.Hash
		n++
	}
	if n > 0 {
		t.auditHeads.put(key{community}, head)
	}
	return n, nil
}
