package sqlstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Accept implements store.Tx.
func (t *Tx) Accept(d store.Delivery) (fresh bool, err error) {
	n, err := t.c.Exec(`INSERT INTO deliveries (id, plugin, fact, instance, door, at, header, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		d.ID, d.Plugin, d.Fact, d.Instance, d.Door, micros(d.At), d.Header, d.Body)
	if err != nil || n > 0 {
		return n > 0, err
	}
	// Either the fact is known, which is what this is for, or only the ID is taken, which is somebody's mistake.
	_, err = one(t, "fact", integer, `SELECT 1 FROM deliveries WHERE plugin = $1 AND fact = $2 AND fact <> ''`, d.Plugin, d.Fact)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("delivery %s is there already: %w", d.ID, store.ErrConflict)
	}
	return false, err
}

// Delivery implements store.Tx.
func (t *Tx) Delivery(id string) (store.Delivery, error) {
	return one(t, "delivery", func(r Row) store.Delivery {
		return store.Delivery{ID: r.Text(0), Plugin: r.Text(1), Fact: r.Text(2), Instance: r.Text(3), Door: r.Text(4), At: r.Time(5), Header: r.Bytes(6), Body: r.Bytes(7)}
	}, `SELECT id, plugin, fact, instance, door, at, header, body FROM deliveries WHERE id = $1`, id)
}

// BlankDelivery implements store.Tx.
func (t *Tx) BlankDelivery(id string) error {
	return t.exec(`UPDATE deliveries SET header = NULL, body = NULL WHERE id = $1`, id)
}

// PruneDeliveries implements store.Tx.
func (t *Tx) PruneDeliveries(before time.Time, limit int) (int, error) {
	n, err := t.c.Exec(`DELETE FROM deliveries WHERE n IN (SELECT n FROM
		(SELECT n, id, at FROM deliveries ORDER BY n LIMIT $1 + 1000) AS oldest WHERE at < $2
		AND NOT EXISTS (SELECT 1 FROM tasks k WHERE k.ref = oldest.id AND k.ref <> '') ORDER BY n LIMIT $1 + 0)`, bound(limit), micros(before))
	return int(n), err
}
