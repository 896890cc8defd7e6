package github

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// maxLogPages bounds how much of the app's log one repair reads. GitHub keeps it for some days, for all installations together.
const maxLogPages = 100

// attempt is one entry of the app's log of deliveries (https://docs.github.com/en/rest/apps/webhooks, 2026-11).
type attempt struct {
	ID           int64  `json:"id"`
	GUID         string `json:"guid"`
	At           stamp  `json:"delivered_at"`
	StatusCode   int    `json:"status_code"`
	Installation *int64 `json:"installation_id"`
}

// logbook is what was read last of the app's log of deliveries. All installations stand in it together, and after an outage each of them wants the
// same of it: it is read once for all. It belongs to the app, as its tokens do.
type logbook struct {
	turn chan struct{} // holds one: whose turn it is

	at    time.Time // when reading began; what failed later is not in it
	since time.Time // how far back it was read
	lost  map[string][]attempt
}

func newLogbook() *logbook { return &logbook{turn: make(chan struct{}, 1)} }

// failed gives the deliveries of a gap that never succeeded, by installation, oldest first.
func (b *logbook) failed(ctx context.Context, c *client, gap gateway.Gap, log *slog.Logger) (map[string][]attempt, error) {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, gateway.Errorf(gateway.Unavailable, "github: waiting for the log of deliveries: %w", ctx.Err())
	}
	defer func() { <-b.turn }()
	if b.at.After(gap.Until) && !b.since.After(gap.Since) {
		return b.lost, nil
	}
	began := c.now()
	lost, err := read(ctx, c, gap.Since, log)
	if err == nil {
		b.at, b.since, b.lost = began, gap.Since, lost
	}
	return lost, err
}

// read reads the log, newest first, back to a time.
func read(ctx context.Context, c *client, since time.Time, log *slog.Logger) (map[string][]attempt, error) {
	seen, done := map[string]attempt{}, map[string]bool{}
	err := each(ctx, c, "/app/hook/deliveries", url.Values{}, maxLogPages, func(a attempt) (bool, error) {
		if !a.At.IsZero() && a.At.Before(since.Add(-time.Minute)) { // clocks differ
			return true, nil
		}
		if a.StatusCode >= 200 && a.StatusCode < 300 {
			done[a.GUID] = true
		}
		if a.Installation != nil {
			seen[a.GUID] = a
		}
		return false, nil
	})
	if errors.Is(err, errMore) { // it would be the next time too: the newest are better than none
		log.WarnContext(ctx, "the app's log of deliveries is longer than is read: what failed before is not fetched", "entries", maxLogPages*pageSize, "since", since)
		err = nil
	}
	if err != nil {
		return nil, err
	}
	lost := map[string][]attempt{}
	for guid, a := range seen {
		if !done[guid] {
			id := strconv.FormatInt(*a.Installation, 10)
			lost[id] = append(lost[id], a)
		}
	}
	for _, list := range lost {
		slices.SortFunc(list, attempt.compare)
	}
	return lost, nil
}

// compare puts the older one first.
func (a attempt) compare(b attempt) int {
	if n := a.At.Compare(b.At.Time); n != 0 {
		return n
	}
	return int(min(max(a.ID-b.ID, -1), 1))
}
