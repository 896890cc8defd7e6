package gateway

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/metagov/gateway-go/store"
)

// expiring is which claim a task waits for the end of.
type expiring struct {
	Subject string `json:"subject"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Issuer  string `json:"issuer"`
}

// expireLater has a claim's end told when it comes. What is renewed waits for its new end.
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
	return storeError(g.update(ctx, func(tx store.Tx) error {
		row, err := tx.ClaimOf(t.Community, at.Subject, at.Kind, at.Name, at.Issuer)
		if errors.Is(err, store.ErrNotFound) || err == nil && (!row.Revoked.IsZero() || stands(row, g.now())) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(row.Sealed) > 0 {
			row.Sealed = nil
			if err := tx.PutClaim(row); err != nil {
				return err
			}
		}
		return g.claimChanged(ctx, tx, ClaimExpired, row)
	}), "the end of a claim")
}
