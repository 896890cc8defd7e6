package discord

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// repairPages bounds what is read of the audit log, 100 entries each: what was before that is passed over. Of a channel with more messages the rest is left to
// the repair's next turn.
const repairPages = 50

// repaired is which channels a repair that was interrupted has done, and up to which message it has come in the others.
type repaired struct {
	Gap   gateway.Gap       `json:"gap"`
	Done  map[string]bool   `json:"done"`
	After map[string]string `json:"after,omitempty"`
}

// through notes that a channel, or the audit log, is done, or up to where.
func (r repaired) through(what, after string) repaired {
	done, place := maps.Clone(r.Done), maps.Clone(r.After)
	if done == nil {
		done = map[string]bool{}
	}
	if place == nil {
		place = map[string]string{}
	}
	delete(place, what)
	if after == "" {
		done[what] = true
	} else {
		place[what] = after
	}
	return repaired{r.Gap, done, place}
}

// nextTurn is how long a repair that has much to do makes way for what else there is to do.
const nextTurn = time.Second

var repairs gateway.Key[repaired] = "repair"

// The kinds of channels in which messages are, and in which threads are
// (https://docs.discord.com/developers/resources/channel#channel-object-channel-types).
var (
	withMessages = []int{0, 2, 5, 10, 11, 12, 13}
	withThreads  = []int{0, 5, 15, 16}
)

// soonestAway is how long a thread stays at the least in which somebody has written, unless somebody puts it away: it is not worth to ask all channels
// whether somebody did. A gap is five minutes longer than it was, see [gateway.RepairFunc].
const soonestAway = time.Hour + 5*time.Minute

// auditLog stands for the audit log among the channels that a repair has done.
const auditLog = "audit-log"

// repair fetches what may have been missed: the messages of the channels and threads that the bot sees, what stands in the audit log, and, by
// it, who did what. Reactions, edits, who joined and who left by themselves cannot be asked for. Clicks are not told of by the
// Gateway, and cannot either.
func (d *Discord) repair(ctx context.Context, gap gateway.Gap) error {
	before, err := repairs.Get(ctx, d)
	if err != nil {
		return err
	}
	if before.Gap.Since.After(gap.Since) || before.Gap.Until.Before(gap.Until) { // one that shrinks while it waits is the same
		before = repaired{Gap: gap}
	}
	todo, err := d.repairable(ctx, gap)
	if err != nil {
		return err
	}
	for _, what := range todo {
		if before.Done[what] {
			continue
		}
		more := ""
		if what == auditLog {
			err = d.repairAudit(ctx, gap)
		} else {
			more, err = d.repairChannel(ctx, what, gap, before.After[what])
		}
		if err != nil && !final(err) {
			return err
		}
		if err != nil {
			d.Log.WarnContext(ctx, "what may have been missed cannot be fetched", "where", what, "error", err)
		}
		before = before.through(what, more)
		if err := repairs.Put(ctx, d, before); err != nil {
			return err
		}
		if more != "" {
			return gateway.Later(nextTurn)
		}
	}
	return repairs.Put(ctx, d, repaired{})
}

// repairable lists where something may have been missed.
func (d *Discord) repairable(ctx context.Context, gap gateway.Gap) ([]string, error) {
	out := []string{auditLog}
	channels, err := d.listAllChannels(ctx, struct{}{})
	if err != nil {
		return nil, err
	}
	threads, err := d.listThreads(ctx, struct{}{})
	if err != nil && !final(err) {
		return nil, err
	}
	for _, c := range append(channels.Channels, threads.Channels...) {
		if slices.Contains(withMessages, c.Type) {
			out = append(out, c.ID)
		}
	}
	if gap.Until.Sub(gap.Since) <= soonestAway {
		return out, nil
	}
	for _, c := range channels.Channels {
		if !slices.Contains(withThreads, c.Type) {
			continue
		}
		away, err := d.putAway(ctx, c.ID, gap.Since)
		if err != nil && !final(err) {
			return nil, err
		}
		out = append(out, away...)
	}
	return out, nil
}

// putAway lists the public threads of a channel that were put away since a time: people may have written in them before that
// (https://docs.discord.com/developers/resources/channel#list-public-archived-threads, checked 2026-11).
func (d *Discord) putAway(ctx context.Context, channel string, since time.Time) (out []string, err error) {
	q := url.Values{"limit": {"100"}}
	for range repairPages {
		var page struct {
			Threads []struct {
				ID   string `json:"id"`
				Meta struct {
					At text `json:"archive_timestamp"`
				} `json:"thread_metadata"`
			} `json:"threads"`
			More bool `json:"has_more"`
		}
		err := d.call(ctx, call{path: path("channels", channel, "threads", "archived", "public"), query: q, needs: "READ_MESSAGE_HISTORY"}, &page)
		if err != nil {
			return out, err
		}
		for _, t := range page.Threads { // the last one first
			if stamp(string(t.Meta.At)).Before(since) {
				return out, nil
			}
			out = append(out, t.ID)
			q.Set("before", string(t.Meta.At))
		}
		if !page.More || len(page.Threads) == 0 {
			return out, nil
		}
	}
	return out, nil
}

// slack is added to the end of a gap: clocks differ.
const slack = time.Minute

// repairChannel hands over the messages of one channel, oldest first, after one up to which it has come before. more is where to go on; "": it is done.
func (d *Discord) repairChannel(ctx context.Context, channel string, gap gateway.Gap, after string) (more string, err error) {
	const limit = 100
	after = orElse(after, snowflakeAt(gap.Since))
	pages := repairPages
	if d.app.turn > 0 {
		pages = d.app.turn
	}
	for range pages {
		var page []json.RawMessage
		q := url.Values{"limit": {itoa(limit)}, "after": {after}}
		if err := d.call(ctx, call{path: path("channels", channel, "messages"), query: q, needs: "READ_MESSAGE_HISTORY"}, &page); err != nil {
			return "", err
		}
		slices.Reverse(page)
		for _, raw := range page {
			var m struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal(raw, &m); err != nil {
				return "", gateway.Errorf(gateway.Unavailable, "discord: reading a message: %w", err)
			}
			if snowflakeTime(m.ID).After(gap.Until.Add(slack)) {
				return "", nil
			}
			if err := d.acceptDispatch(ctx, "MESSAGE_CREATE", raw); err != nil {
				return "", err
			}
			after = m.ID
		}
		if len(page) < limit {
			return "", nil
		}
	}
	return after, nil
}

// repairAudit hands over what stands in the audit log, oldest first.
func (d *Discord) repairAudit(ctx context.Context, gap gateway.Gap) error {
	const limit = 100
	var found []json.RawMessage
	before := snowflakeAt(gap.Until.Add(slack))
	for range repairPages {
		var page auditPage
		q := url.Values{"limit": {itoa(limit)}, "before": {before}}
		if err := d.call(ctx, call{path: d.in("audit-logs"), query: q, needs: "VIEW_AUDIT_LOG"}, &page); err != nil {
			return err
		}
		done := len(page.Entries) < limit
		for _, raw := range page.Entries {
			e, err := parseEntry(raw)
			if err != nil {
				return gateway.Errorf(gateway.Unavailable, "discord: %w", err)
			}
			before = e.ID
			if done = done || snowflakeTime(e.ID).Before(gap.Since); snowflakeTime(e.ID).Before(gap.Since) {
				break
			}
			found = append(found, raw)
		}
		if done {
			break
		}
	}
	for _, raw := range slices.Backward(found) {
		if err := d.acceptEntry(ctx, raw); err != nil {
			return err
		}
	}
	return nil
}
