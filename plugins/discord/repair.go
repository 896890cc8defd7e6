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

// repairPages bounds what is read of one channel, and of the audit log, 100 each; what was before that is passed over.
const repairPages = 50

// repaired is which channels a repair that was interrupted has done.
type repaired struct {
	Gap  gateway.Gap     `json:"gap"`
	Done map[string]bool `json:"done"`
}

var repairs gateway.Key[repaired] = "repair"

// The kinds of channels in which messages are (https://docs.discord.com/developers/resources/channel#channel-object-channel-types).
var withMessages = []int{0, 2, 5, 10, 11, 12, 13}

// repair fetches what may have been missed: the messages of the channels and active threads that the bot sees, what stands in the audit log, and, by
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
	const auditLog = "audit-log"
	places, err := d.listAllChannels(ctx, struct{}{})
	if err != nil {
		return err
	}
	threads, err := d.listThreads(ctx, struct{}{})
	if err != nil && !final(err) {
		return err
	}
	todo := []string{auditLog}
	for _, c := range append(places.Channels, threads.Channels...) {
		if slices.Contains(withMessages, c.Type) {
			todo = append(todo, c.ID)
		}
	}
	for _, what := range todo {
		if before.Done[what] {
			continue
		}
		if what == auditLog {
			err = d.repairAudit(ctx, gap)
		} else {
			err = d.repairChannel(ctx, what, gap)
		}
		if err != nil && !final(err) {
			return err
		}
		if err != nil {
			d.Log.WarnContext(ctx, "what may have been missed cannot be fetched", "where", what, "error", err)
		}
		before.Done = maps.Clone(before.Done)
		if before.Done == nil {
			before.Done = map[string]bool{}
		}
		before.Done[what] = true
		if err := repairs.Put(ctx, d, before); err != nil {
			return err
		}
	}
	return repairs.Put(ctx, d, repaired{})
}

// slack is added to the end of a gap: clocks differ.
const slack = time.Minute

// repairChannel hands over the messages of one channel, oldest first.
func (d *Discord) repairChannel(ctx context.Context, channel string, gap gateway.Gap) error {
	const limit = 100
	after := snowflakeAt(gap.Since)
	for range repairPages {
		var page []json.RawMessage
		q := url.Values{"limit": {itoa(limit)}, "after": {after}}
		if err := d.call(ctx, call{path: path("channels", channel, "messages"), query: q, needs: "READ_MESSAGE_HISTORY"}, &page); err != nil {
			return err
		}
		slices.Reverse(page)
		for _, raw := range page {
			var m struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal(raw, &m); err != nil {
				return gateway.Errorf(gateway.Unavailable, "discord: reading a message: %w", err)
			}
			if snowflakeTime(m.ID).After(gap.Until.Add(slack)) {
				return nil
			}
			if err := d.acceptDispatch(ctx, "MESSAGE_CREATE", raw); err != nil {
				return err
			}
			after = m.ID
		}
		if len(page) < limit {
			return nil
		}
	}
	d.Log.WarnContext(ctx, "there is more than is fetched", "channel", channel)
	return nil
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
