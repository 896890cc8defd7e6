package github

import (
	"context"
	"time"

	gateway "github.com/metagov/gateway-go"
)

const (
	// minSweep is how often at most the log is looked through.
	minSweep = time.Minute
	// sweepLate is how old a delivery is at the least that is taken for one that failed, and sweepMargin how much of what was looked through is looked
	// through once more: clocks differ.
	sweepLate   = time.Minute
	sweepMargin = 5 * time.Minute
	// sweepStep is what the beginnings have in common, so that many installations can share one reading.
	sweepStep = 10 * time.Minute
	// sweepBack is the furthest that a sweep goes back. What is missing for longer is for a repair.
	sweepBack = 24 * time.Hour
)

// swept is until when an installation's deliveries were looked through.
const swept = gateway.Key[time.Time]("swept")

// sweep fetches what failed since the last one. Repairs begin after outages; this finds what was lost in a restart, or because this program had no
// room for it for a moment: GitHub brings nothing twice
// (https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries, 2026-11).
func (g *GitHub) sweep(ctx context.Context) error {
	until := g.Now().Add(-sweepLate).UTC()
	last, err := swept.Get(ctx, g)
	if err != nil {
		return err
	}
	if !last.IsZero() && last.Before(until) {
		since := last.Add(-sweepMargin).Truncate(sweepStep)
		if back := until.Add(-sweepBack); since.Before(back) {
			since = back
		}
		if err := g.repair(ctx, gateway.Gap{Since: since, Until: until}); err != nil {
			return err
		}
	}
	return swept.Put(ctx, g, until)
}
