package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/metagov/gateway-go/store"
)

// expiring is which claim a task waits for the end of.
type expiring struct {
	Subject string `json:"subject"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Issuer  string `json:"issuer"`
}

// expireLater has a claim's end told when it comes. The task of one that is renewed looks at the old end, and then waits for the new one.
func (g *Gateway) expireLater(tx store.Tx, row store.Claim) error {
	if row.Expires.IsZero() {
		return tx.Unschedule(taskClaim, claimTask(row))
	}
	raw, err := json.Marshal(expiring{row.Subject, row.Kind, row.Name, row.Issuer})
	if err != nil {
		return Errorf(Internal, "encoding the end of a claim: %w", err)
	}
	return tx.Schedule(store.Task{Kind: taskClaim, Key: claimTask(row), Community: row.Community, Due: row.Expires, Payload: raw, Created: g.now()})
}

// expired tells that a claim has run out, and deletes its secret. Guards do not wait for it: they look at the clock.
func (g *Gateway) expired(ctx context.Context, t store.Task) error {
	var at expiring
	if err := json.Unmarshal(t.Payload, &at); err != nil {
		return Errorf(Internal, "decoding the end of a claim: %w", err)
	}
	var left time.Duration
	err := g.update(ctx, func(tx store.Tx) error {
		left = 0
		row, err := tx.ClaimOf(t.Community, at.Subject, at.Kind, at.Name, at.Issuer)
		if errors.Is(err, store.ErrNotFound) || err == nil && (!row.Revoked.IsZero() || row.Expires.IsZero()) {
			return nil
		}
		if err != nil {
			return err
		}
		if left = row.Expires.Sub(g.now()); left > 0 {
			return nil
		}
		if len(row.Sealed) > 0 {
			row.Sealed = nil
			if err := tx.PutClaim(row); err != nil {
				return err
			}
		}
		return g.claimChanged(ctx, tx, ClaimExpired, row)
	})
	if err == nil && left > 0 {
		return &nextRun{left}
	}
	return storeError(err, "the end of a claim")
}
