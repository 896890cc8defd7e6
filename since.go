package gateway

import (
	"encoding/json"
	"time"

	"github.com/metagov/gateway-go/store"
)

// sinceKey is where it stands among its instance's state since when a vote with a shortest time takes ballots.
func sinceKey(process string) string { return "gateway/since/" + process }

// keepSince has a vote's shortest time count from its start on the platform, which may have been away when it was asked for.
func (s *Step) keepSince() {
	if s.asked == nil || s.asked.MinMinutes == 0 {
		return
	}
	s.effect = append(s.effect, func(tx store.Tx) error {
		raw, err := json.Marshal(s.Now().UTC().Truncate(time.Microsecond))
		if err != nil {
			return Errorf(Internal, "encoding when process %s was started: %w", s.row.ID, err)
		}
		_, rev, err := tx.State(s.row.Instance, sinceKey(s.row.ID))
		if err != nil {
			return err
		}
		return tx.PutState(s.row.Instance, sinceKey(s.row.ID), raw, rev)
	})
}

// earliest is when a vote may close because it is decided, or because a person closes it.
func (a *asked) earliest(tx store.Tx, row store.Process) (time.Time, error) {
	if a.MinMinutes == 0 {
		return row.Created, nil
	}
	since := row.Created
	raw, _, err := tx.State(row.Instance, sinceKey(row.ID))
	if err != nil {
		return since, err
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &since); err != nil {
			return since, Errorf(Internal, "decoding when process %s was started: %w", row.ID, err)
		}
	}
	return a.Earliest(since), nil
}

// forgetSince is part of a process's end.
func forgetSince(tx store.Tx, row store.Process) error {
	raw, rev, err := tx.State(row.Instance, sinceKey(row.ID))
	if err != nil || raw == nil {
		return err
	}
	return tx.PutState(row.Instance, sinceKey(row.ID), nil, rev)
}
