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
	// PollEvery is how often polls are run, and processes looked at that read their platform, by plugin ("slack") or by plugin and name
	// ("slack/fresh-token"), which goes before. Never more often than the platform tolerates or the gateway allows, see
	// [Options.PollEvery]. A shorter pause holds at once, a longer one from the next time on.
	PollEvery map[string]Duration `json:"poll_every,omitempty"`
}

// check refuses what cannot be meant.
func (s Settings) check() error {
	bad := checkPace(s.PollEvery)
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
		if err := tx.PutCommunity(row); err != nil {
			return err
		}
		return c.g.repace(tx, c.row.Slug, s)
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
