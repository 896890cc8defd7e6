package sqlstore

import "github.com/metagov/gateway-go/store"

const endpointCols = `id, community, url, description, ordered, from_seq, status, reason, created, updated,
	failing_since, last_success, last_failure, last_error, rev, filters, sealed`

func scanEndpoint(r Row) store.Endpoint {
	return store.Endpoint{
		ID: r.Text(0), Community: r.Text(1), URL: r.Text(2), Description: r.Text(3), Ordered: r.Bool(4), From: r.Int(5), Status: r.Text(6),
		Reason: r.Text(7), Created: r.Time(8), Updated: r.Time(9), FailingSince: r.Time(10), LastSuccess: r.Time(11), LastFailure: r.Time(12),
		LastError: r.Text(13), Rev: r.Int(14), Filters: r.Bytes(15), Sealed: r.Bytes(16),
	}
}

// PutEndpoint implements store.Tx.
func (t *Tx) PutEndpoint(e store.Endpoint) error {
	return t.put("put endpoint", e.Rev,
		`INSERT INTO endpoints (id, community, url, description, ordered, from_seq, status, reason, created, updated,
		 failing_since, last_success, last_failure, last_error, filters, sealed, rev)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1) ON CONFLICT DO NOTHING`,
		`UPDATE endpoints SET community = $2, url = $3, description = $4, ordered = $5, from_seq = $6, status = $7, reason = $8, created = $9,
		 updated = $10, failing_since = $11, last_success = $12, last_failure = $13, last_error = $14, filters = $15, sealed = $16,
		 rev = rev + 1 WHERE id = $1 AND rev = $17`,
		e.ID, e.Community, e.URL, e.Description, e.Ordered, e.From, e.Status, e.Reason, micros(e.Created), micros(e.Updated),
		micros(e.FailingSince), micros(e.LastSuccess), micros(e.LastFailure), e.LastError, e.Filters, e.Sealed)
}

// Endpoint implements store.Tx.
func (t *Tx) Endpoint(id string) (store.Endpoint, error) {
	return one(t, "endpoint", scanEndpoint, `SELECT `+endpointCols+` FROM endpoints WHERE id = $1`, id)
}

// Endpoints implements store.Tx.
func (t *Tx) Endpoints(community, after string, limit int) ([]store.Endpoint, error) {
	return list(t, scanEndpoint, `SELECT `+endpointCols+` FROM endpoints WHERE community = $1 AND id `+past(after)+` $2 ORDER BY id LIMIT $3 + 0`,
		community, after, bound(limit))
}

// DeleteEndpoint implements store.Tx.
func (t *Tx) DeleteEndpoint(id string) error {
	if id == "" {
		return nil // tasks without a Ref are not this one's
	}
	if err := t.exec(`DELETE FROM endpoints WHERE id = $1`, id); err != nil {
		return err
	}
	return t.exec(`DELETE FROM tasks WHERE ref = $1 AND ref <> ''`, id)
}
