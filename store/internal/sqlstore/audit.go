package sqlstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

// AppendAudit implements store.Tx.
func (t *Tx) AppendAudit(a store.Audit) error {
	// The head moves by one, or there is none and this is the first: in either case one row, or it is a conflict.
	query := `UPDATE audit_heads SET seq = $2, hash = $3 WHERE community = $1 AND seq = $2 - 1`
	if a.Seq == 1 {
		query = `INSERT INTO audit_heads (community, seq, hash, pruned, pruned_hash) VALUES ($1, $2, $3, 0, NULL) ON CONFLICT DO NOTHING`
	}
	if err := t.must(fmt.Sprintf("audit entry %d of community %q", a.Seq, a.Community), query, a.Community, a.Seq, a.Hash); err != nil {
		return err
	}
	return t.exec(`INSERT INTO audits (community, seq, at, kind, instance, process, call, correlation, asked_by, rule, decision, event, reason, data, prev, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		a.Community, a.Seq, micros(a.At), a.Kind, a.Instance, a.Process, a.Call, a.Correlation, a.By, a.Rule, a.Decision, a.Event, a.Text, a.Data, a.Prev, a.Hash)
}

// AuditHead implements store.Tx.
func (t *Tx) AuditHead(community string) (store.AuditHead, error) {
	head, err := one(t, "audit head", func(r Row) store.AuditHead {
		return store.AuditHead{Seq: r.Int(0), Hash: r.Bytes(1), Pruned: r.Int(2), PrunedHash: r.Bytes(3)}
	}, `SELECT seq, hash, pruned, pruned_hash FROM audit_heads WHERE community = $1`, community)
	if errors.Is(err, store.ErrNotFound) {
		return store.AuditHead{}, nil
	}
	return head, err
}

// Audits implements store.Tx. All conditions but the first are looked at row by row: who looks into the record has time, and who writes
// it has not.
func (t *Tx) Audits(q store.AuditQuery, limit int) ([]store.Audit, error) {
	var w where
	w.raw("community = " + w.arg(q.Community))
	w.raw("seq > " + w.arg(q.After))
	if q.To > 0 {
		w.raw("seq <= " + w.arg(q.To))
	}
	w.in("kind", q.Kinds)
	w.is("instance", q.Instance)
	if q.Process != "" {
		p := w.arg(q.Process)
		w.raw("(process = " + p + " OR decision = " + p + ")")
	}
	w.is("call", q.Call)
	w.is("correlation", q.Correlation)
	w.is("asked_by", q.By)
	return list(t, func(r Row) store.Audit {
		return store.Audit{
			Community: r.Text(0), Seq: r.Int(1), At: r.Time(2), Kind: r.Text(3), Instance: r.Text(4), Process: r.Text(5), Call: r.Text(6),
			Correlation: r.Text(7), By: r.Text(8), Rule: r.Text(9), Decision: r.Text(10), Event: r.Int(11), Text: r.Text(12),
			Data: r.Bytes(13), Prev: r.Bytes(14), Hash: r.Bytes(15),
		}
	}, `SELECT community, seq, at, kind, instance, process, call, correlation, asked_by, rule, decision, event, reason, data, prev, hash FROM audits`+
		w.String()+` ORDER BY seq LIMIT `+w.arg(bound(limit))+` + 0`, w.args...)
}

// PruneAudits implements store.Tx.
func (t *Tx) PruneAudits(community string, before time.Time, limit int) (int, error) {
	type row struct {
		seq, at int64
		hash    []byte
	}
	oldest, err := list(t, func(r Row) row { return row{r.Int(0), r.Int(1), r.Bytes(2)} },
		`SELECT seq, at, hash FROM audits WHERE community = $1 ORDER BY seq LIMIT $2 + 0`, community, bound(limit))
	if err != nil {
		return 0, err
	}
	n := 0
	for n < len(oldest) && oldest[n].at < micros(before) {
		n++
	}
	if n == 0 {
		return 0, nil
	}
	last := oldest[n-1]
	if err := t.exec(`DELETE FROM audits WHERE community = $1 AND seq <= $2`, community, last.seq); err != nil {
		return 0, err
	}
	return n, t.exec(`UPDATE audit_heads SET pruned = $2, pruned_hash = $3 WHERE community = $1`, community, last.seq, last.hash)
}
