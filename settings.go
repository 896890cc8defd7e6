package gateway

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/metagov/gateway-go/store"
)

// Settings are what a community wants of the gateway itself, whatever its plugins. The zero value is the default.
type Settings struct {
	// Forget is what is not kept of events.
	Forget []Forget `json:"forget,omitempty"`
}

// check refuses what cannot be meant.
func (s Settings) check() error {
	var bad []FieldError
	for i, f := range s.Forget {
		bad = append(bad, f.check("/forget/"+strconv.Itoa(i))...)
	}
	if len(bad) > 0 {
		return &Error{Code: Invalid, Fields: bad}
	}
	return nil
}

// Settings reads what the community wants of the gateway.
func (c *Community) Settings(ctx context.Context) (Settings, error) {
	var s Settings
	err := c.g.view(ctx, func(tx store.Tx) (err error) { s, err = settingsOf(tx, c.row.Slug); return err })
	return s, storeError(err, "reading the settings of %s", c.row.Slug)
}

// SetSettings replaces what the community wants of the gateway. It holds for what happens from then on. Invalid: it cannot be meant.
func (c *Community) SetSettings(ctx context.Context, s Settings) error {
	if err := s.check(); err != nil {
		return err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return Errorf(Internal, "encoding the settings of %s: %w", c.row.Slug, err)
	}
	err = c.g.update(ctx, func(tx store.Tx) error {
		row, err := tx.Community(c.row.Slug)
		if err != nil {
			return err
		}
		if changed := changedFields(row.Settings, raw); len(changed) > 0 {
			a := store.Audit{Community: row.Slug, Kind: AuditSettings}
			if err := c.g.audit(tx, trailOf(ctx, ""), a, auditFields{changed}); err != nil {
				return err
			}
		}
		row.Settings = raw
		return tx.PutCommunity(row)
	})
	return storeError(err, "keeping the settings of %s", c.row.Slug)
}

// settingsOf reads a community's settings.
func settingsOf(tx store.Tx, community string) (s Settings, err error) {
	row, err := tx.Community(community)
	if err != nil || len(row.Settings) == 0 {
		return s, err
	}
	if err := json.Unmarshal(row.Settings, &s); err != nil {
		return s, Errorf(Internal, "decoding the settings of %s: %w", community, err)
	}
	return s, nil
}
