package discourse

import (
	"cmp"
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
// may not see the log nothing can be fetched. What there is too much of to be held at once is fetched bit by bit, the oldest first.
func (d *Discourse) repair(ctx context.Context, gap gateway.Gap) error {
	id, err := hookID.Get(ctx, d)
	if err != nil || id == 0 || d.config.APIKey == "" {
		return err
	}
	last := attempt{At: gap.Since.Add(-time.Minute)} // clocks differ
	for more := true; more; {
		var some []attempt
		some, more, err = d.failed(ctx, id, last)
		if refusedWith(err, http.StatusForbidden, http.StatusNotFound) {
			d.Log.WarnContext(ctx, "what the forum failed to deliver cannot be fetched: the key may not see it, or the webhook was removed", "error", err)
			return nil
		}
		if err != nil {
			return err
		}
		for _, a := range some {
			if err := d.bring(ctx, a); err != nil {
				return err
			}
			last = attempt{ID: a.ID, At: a.At}
		}
	}
	return nil
}

// failed lists the attempts after one that failed, oldest first. more says that there are newer ones, which were too many to hold.
func (d *Discourse) failed(ctx context.Context, hook int64, after attempt) (all []attempt, more bool, err error) {
	c := d.client().needs(global)
	var held oldest
	for n := range maxAttemptPages {
		var page struct {
			Attempts []attempt `json:"web_hook_events"`
		}
		q := url.Values{"limit": {strconv.Itoa(attemptsAtOnce)}, "offset": {strconv.Itoa(n * attemptsAtOnce)}, "status": {"failed"}}
		path := "/admin/api/web_hook_events/" + strconv.FormatInt(hook, 10) + ".json"
		if err := c.do(ctx, http.MethodGet, path, q, nil, &page); err != nil {
			return nil, false, err
		}
		old := false
		for _, a := range page.Attempts {
			old = old || a.At.Before(after.At)
			if compare(a, after) > 0 && (a.Status < 200 || a.Status > 299) { // older versions list them all
				held.add(a)
			}
		}
		if old || len(page.Attempts) == 0 {
			break
		}
	}
	return held.all, held.more, nil
}

// maxHeld is how many bytes of attempts are held at once.
const maxHeld = 1 << 20

// oldest holds the oldest of the attempts that it is given, in their order.
type oldest struct {
	all  []attempt
	size int
	more bool // newer ones were left out
}

// add takes one, and leaves out the newest where it holds too much. The log lists the newest first.
func (o *oldest) add(a attempt) {
	at, there := slices.BinarySearchFunc(o.all, a, compare)
	if there {
		return
	}
	o.all = slices.Insert(o.all, at, a)
	o.size += a.size()
	for o.size > maxHeld && len(o.all) > 1 {
		last := len(o.all) - 1
		o.size -= o.all[last].size()
		o.all = slices.Delete(o.all, last, last+1)
		o.more = true
	}
}

func (a attempt) size() int { return len(a.Headers) + len(a.Payload) }

// compare says which of two attempts was first.
func compare(a, b attempt) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }

// bring hands over one attempt as if it had arrived. What cannot be read is passed over.
func (d *Discourse) bring(ctx context.Context, a attempt) error {
	var headers map[string]any // older versions write numbers too
	err := json.Unmarshal([]byte(a.Headers), &headers)
	event, ok := headers[eventHeader].(string)
	kind, _ := headers[kindHeader].(string)
	if err != nil || !ok {
		d.Log.WarnContext(ctx, "a delivery that failed does not say of what event it was", "delivery", a.ID)
		return nil
	}
	header := deliveryHeader(event, kind)
	m, err := parse(&gateway.Delivery{Header: header, Body: []byte(a.Payload)})
	if err != nil {
		d.Log.WarnContext(ctx, "a delivery that failed cannot be read", "delivery", a.ID, "error", err)
		return nil
	}
	if m.event == "ping" {
		return nil
	}
	err = d.Accept(ctx, header, []byte(a.Payload))
	if gateway.CodeOf(err) == gateway.Invalid { // it is too large, as it was when it came: those after it are not to wait for it
		d.Log.WarnContext(ctx, "a delivery that failed cannot be taken", "delivery", a.ID, "event", event, "error", err)
		return nil
	}
	return err
}
