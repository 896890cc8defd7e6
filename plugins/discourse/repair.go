package discourse

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	gateway "github.com/metagov/gateway-go"
)

const (
	attemptsAtOnce = 50
	// maxAttemptPages bounds how much of the webhook's log one repair reads.
	maxAttemptPages = 200
)

// attempt is one entry of a webhook's log of deliveries, which Discourse keeps for some weeks (admin/web_hook_events, checked 2026-11).
type attempt struct {
	ID      int64     `json:"id"`
	Status  int       `json:"status"`
	Headers string    `json:"headers"` // of the request, as JSON
	Payload string    `json:"payload"`
	At      time.Time `json:"created_at"`
}

// repair fetches the deliveries of a gap that failed: a forum that does not try again, or not for long enough, still shows its administrators what it
// wanted to say. A delivery that arrived after all, by a later attempt or because somebody had it sent again, says the same and counts once. Where the key
// may not see the log nothing can be fetched.
func (d *Discourse) repair(ctx context.Context, gap gateway.Gap) error {
	id, err := hookID.Get(ctx, d)
	if err != nil || id == 0 || d.config.APIKey == "" {
		return err
	}
	failed, err := d.failed(ctx, id, gap)
	if refusedWith(err, http.StatusForbidden, http.StatusNotFound) {
		d.Log.WarnContext(ctx, "what the forum failed to deliver cannot be fetched: the key may not see it, or the webhook was removed", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, a := range failed {
		if err := d.bring(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// failed lists the attempts of a gap that failed, oldest first.
func (d *Discourse) failed(ctx context.Context, hook int64, gap gateway.Gap) ([]attempt, error) {
	c := d.client().needs(global)
	since := gap.Since.Add(-time.Minute) // clocks differ
	var out []attempt
	for n := range maxAttemptPages {
		var page struct {
			Attempts []attempt `json:"web_hook_events"`
		}
		q := url.Values{"limit": {strconv.Itoa(attemptsAtOnce)}, "offset": {strconv.Itoa(n * attemptsAtOnce)}, "status": {"failed"}}
		path := "/admin/api/web_hook_events/" + strconv.FormatInt(hook, 10) + ".json"
		if err := c.do(ctx, http.MethodGet, path, q, nil, &page); err != nil {
			return nil, err
		}
		old := false
		for _, a := range page.Attempts {
			old = old || a.At.Before(since)
			if !a.At.Before(since) && (a.Status < 200 || a.Status > 299) { // older versions list them all
				out = append(out, a)
			}
		}
		if old || len(page.Attempts) == 0 {
			break
		}
	}
	slices.SortFunc(out, func(a, b attempt) int {
		if n := a.At.Compare(b.At); n != 0 {
			return n
		}
		return int(min(max(a.ID-b.ID, -1), 1))
	})
	return slices.CompactFunc(out, func(a, b attempt) bool { return a.ID == b.ID }), nil
}

// bring hands over one attempt as if it had arrived. What cannot be read is passed over.
func (d *Discourse) bring(ctx context.Context, a attempt) error {
	var headers map[string]any // older versions write numbers too
	err := json.Unmarshal([]byte(a.Headers), &headers)
	event, ok := headers["X-Discourse-Event"].(string)
	if err != nil || !ok {
		d.Log.WarnContext(ctx, "a delivery that failed does not say of what event it was", "delivery", a.ID)
		return nil
	}
	header := deliveryHeader(event)
	m, err := parse(&gateway.Delivery{Header: header, Body: []byte(a.Payload)})
	if err != nil {
		d.Log.WarnContext(ctx, "a delivery that failed cannot be read", "delivery", a.ID, "error", err)
		return nil
	}
	if m.event == "ping" {
		return nil
	}
	return d.Accept(ctx, header, []byte(a.Payload))
}
