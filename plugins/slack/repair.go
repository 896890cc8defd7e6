package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

const (
	repairPage  = 200 // messages; what Slack recommends
	repairPages = 50  // of one channel; what was said there before that is passed over
)

// repaired is which channels a repair that was interrupted has done. Slack may allow one page a minute, so that no single attempt would
// get through.
type repaired struct {
	Gap  gateway.Gap     `json:"gap"`
	Done map[string]bool `json:"done"`
}

var repairs gateway.Key[repaired] = "repair"

// repair fetches the messages of a gap, in the conversations that the bot is in, and the replies to them. There is no way to ask Slack for
// clicks, and none to ask when somebody reacted, pinned, edited or deleted something.
func (s *Slack) repair(ctx context.Context, gap gateway.Gap) error {
	if !strings.HasPrefix(s.config.TeamID, "T") {
		s.Log.Warn("what may have been missed cannot be fetched for a whole organisation", "since", gap.Since)
		return nil
	}
	before, err := repairs.Get(ctx, s)
	if err != nil {
		return err
	}
	if before.Gap.Since.After(gap.Since) || before.Gap.Until.Before(gap.Until) { // one that shrinks while it waits is the same
		before = repaired{Gap: gap}
	}
	channels, err := s.joined(ctx)
	if err != nil {
		return err
	}
	for _, c := range channels {
		if before.Done[c.ID] {
			continue
		}
		if err := s.repairChannel(ctx, c, gap); err != nil {
			if !final(err) {
				return err
			}
			s.Log.Warn("what was said in a channel cannot be fetched", "channel", c.ID, "error", err)
		}
		before.Done = maps.Clone(before.Done)
		if before.Done == nil {
			before.Done = map[string]bool{}
		}
		before.Done[c.ID] = true
		if err := repairs.Put(ctx, s, before); err != nil {
			return err
		}
	}
	return repairs.Put(ctx, s, repaired{})
}

// joined lists the conversations that the bot is in, as far as its scopes let it see them.
func (s *Slack) joined(ctx context.Context) ([]conversation, error) {
	var types []string
	for _, t := range [][2]string{{"channels:read", "public_channel"}, {"groups:read", "private_channel"}, {"im:read", "im"}, {"mpim:read", "mpim"}} {
		if slices.Contains(s.config.Scopes, t[0]) {
			types = append(types, t[1])
		}
	}
	if len(types) == 0 {
		types = []string{"public_channel"} // asking tells which scope is missing
	}
	var out []conversation
	err := s.each(ctx, "users.conversations", args{"types": strings.Join(types, ","), "exclude_archived": true, "limit": repairPage}, func(raw json.RawMessage) error {
		var page struct {
			Channels []conversation `json:"channels"`
		}
		err := json.Unmarshal(raw, &page)
		out = append(out, page.Channels...)
		return err
	})
	return out, err
}

// conversation is one that the bot is in.
type conversation struct {
	ID      string `json:"id"`
	IM      bool   `json:"is_im"`
	MPIM    bool   `json:"is_mpim"`
	Private bool   `json:"is_private"`
}

// kind is what events call channel_type.
func (c conversation) kind() string {
	switch {
	case c.IM:
		return "im"
	case c.MPIM:
		return "mpim"
	case c.Private:
		return "group"
	}
	return "channel"
}

// each calls a listing method page by page, as often as a repair may.
func (s *Slack) each(ctx context.Context, method string, a args, take func(json.RawMessage) error) error {
	for range repairPages {
		var raw json.RawMessage
		if err := s.call(ctx, method, a, &raw); err != nil {
			return err
		}
		var next struct {
			Metadata struct {
				NextCursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := take(raw); err != nil {
			return gateway.Errorf(gateway.Unavailable, "slack: %s: decoding the answer: %w", method, err)
		}
		if err := json.Unmarshal(raw, &next); err != nil {
			return gateway.Errorf(gateway.Unavailable, "slack: %s: decoding the answer: %w", method, err)
		}
		if next.Metadata.NextCursor == "" {
			return nil
		}
		a["cursor"] = next.Metadata.NextCursor
	}
	s.Log.Warn("there is more than is fetched", "method", method, "channel", a["channel"])
	return nil
}

// repairChannel hands over what was said in one conversation, oldest first.
func (s *Slack) repairChannel(ctx context.Context, c conversation, gap gateway.Gap) error {
	within := args{
		"channel": c.ID, "limit": repairPage, "include_all_metadata": true, "inclusive": true,
		"oldest": fmt.Sprintf("%d.000000", gap.Since.Unix()), "latest": fmt.Sprintf("%d.000000", gap.Until.Add(time.Minute).Unix()), // clocks differ
	}
	found, err := s.said(ctx, "conversations.history", maps.Clone(within))
	if err != nil {
		return err
	}
	for _, m := range found {
		if m.Replies == 0 {
			continue
		}
		a := maps.Clone(within)
		a["ts"] = m.TS
		replies, err := s.said(ctx, "conversations.replies", a)
		if err != nil && !final(err) {
			return err
		}
		found = append(found, replies...)
	}
	slices.SortStableFunc(found, func(a, b spoken) int { return timestamp(a.TS).Compare(timestamp(b.TS)) })
	for _, m := range found {
		body, err := s.envelope(c, m)
		if err != nil {
			return err
		}
		if err := s.Accept(ctx, nil, body); err != nil {
			return err
		}
	}
	return nil
}

// spoken is a message as reading shows it.
type spoken struct {
	TS      string `json:"ts"`
	Subtype string `json:"subtype"`
	Replies int    `json:"reply_count"`

	fields map[string]json.RawMessage
}

func (s *Slack) said(ctx context.Context, method string, a args) (out []spoken, err error) {
	err = s.each(ctx, method, a, func(raw json.RawMessage) error {
		var page struct {
			Messages []json.RawMessage `json:"messages"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		for _, raw := range page.Messages {
			var m spoken
			if err := json.Unmarshal(raw, &m); err != nil {
				return err
			}
			if err := json.Unmarshal(raw, &m.fields); err != nil {
				return err
			}
			if m.TS != "" {
				out = append(out, m)
			}
		}
		return nil
	})
	return out, err
}

// envelope makes the delivery that Slack would have brought. Its event gets the ID that [messageID] gives the one that Slack may have
// brought after all.
func (s *Slack) envelope(c conversation, m spoken) ([]byte, error) {
	event := make(map[string]any, len(m.fields)+4)
	for k, v := range m.fields {
		event[k] = v
	}
	for _, k := range []string{"reply_count", "reply_users", "reply_users_count", "latest_reply", "is_locked", "subscribed"} {
		delete(event, k) // of the thread, and not what was said
	}
	event["type"], event["channel"], event["channel_type"], event["event_ts"] = "message", c.ID, c.kind(), m.TS
	raw, err := json.Marshal(map[string]any{
		"type": "event_callback", "team_id": s.config.TeamID, "event": event, "event_id": "sweep:" + s.config.TeamID + ":" + messageID(c.ID, m.TS, m.Subtype),
		"event_time": timestamp(m.TS).Unix(), "authorizations": []any{map[string]any{"team_id": s.config.TeamID}},
	})
	if err != nil {
		return nil, gateway.Errorf(gateway.Internal, "encoding a message that was fetched: %w", err)
	}
	return raw, nil
}

// messageID names the event that a message was posted, live or fetched later: Slack's own event ID cannot be asked for afterwards. In a
// channel a time stamp names one message; a reply that is also shown in the channel is told of twice, the second time with a subtype.
func messageID(channel, ts, subtype string) string {
	return strings.TrimSuffix("message:"+channel+":"+ts+":"+subtype, ":")
}
