package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Every message that is posted carries the identity of the call that posted it, so that it can be found when Slack's answer was
// lost: metadata of this type where the caller gives none, and in any case this field of its payload.
const (
	callEvent = "gateway_call"
	callField = "gateway_call"
)

// posting is what is durable before Slack hears of a message.
type posting struct {
	Channel string    `json:"channel"`
	Thread  string    `json:"thread,omitempty"`
	Sent    bool      `json:"sent"` // Slack may have it
	Since   time.Time `json:"since"`
}

// postOnce posts a message in a channel, once for each call however often it is attempted.
func (s *Slack) postOnce(ctx context.Context, channel string, a args, meta *Metadata) (Posted, error) {
	call := gateway.CallOf(ctx)
	var p posting
	if call.Saved(&p) && p.Sent {
		ts, found, err := s.find(ctx, p, call.ID())
		if err != nil {
			return Posted{}, fmt.Errorf("an earlier attempt may have posted the message, and it could not be looked for: %w", err)
		}
		if found {
			call.Caused(messageRef(p.Channel, ts))
			return Posted{p.Channel, ts}, nil
		}
	}
	thread, _ := a["thread_ts"].(string)
	p = posting{Channel: channel, Thread: thread, Sent: true, Since: firstTime(p.Since, s.Now())}
	if err := call.Save(ctx, p); err != nil {
		return Posted{}, err
	}
	if err := call.Expect(ctx, postingRef(channel)); err != nil {
		return Posted{}, err
	}
	m := Metadata{EventType: callEvent}
	if meta != nil {
		m = *meta
	}
	m.EventPayload = maps.Clone(m.EventPayload)
	if m.EventPayload == nil {
		m.EventPayload = map[string]any{}
	}
	m.EventPayload[callField] = call.ID()
	a["channel"], a["metadata"] = channel, m

	var out Posted
	err := s.joining(ctx, "chat.postMessage", channel, a, &out)
	switch code := gateway.CodeOf(err); {
	case err == nil && out.TS == "":
		return Posted{}, gateway.Errorf(gateway.Unknown, "slack: chat.postMessage did not say which message it posted")
	case code == gateway.Unknown:
		if ts, found, e := s.find(ctx, p, call.ID()); e == nil && found {
			out, err = Posted{channel, ts}, nil
		}
	case err != nil:
		p.Sent = false // Slack said no: another attempt need not look
		if e := call.Save(ctx, p); e != nil {
			s.Log.WarnContext(ctx, "a refused message could not be noted", "call", call.ID(), "error", e)
		}
	}
	if err != nil {
		return Posted{}, err
	}
	out.Channel = first(out.Channel, channel)
	call.Caused(messageRef(out.Channel, out.TS))
	return out, nil
}

func firstTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// find looks in a conversation for the message that a call posted.
func (s *Slack) find(ctx context.Context, p posting, call string) (ts string, found bool, err error) {
	method := "conversations.history"
	a := args{
		"channel": p.Channel, "include_all_metadata": true, "limit": 200,
		"oldest": fmt.Sprintf("%d.000000", p.Since.Add(-time.Minute).Unix()), // our clock may be ahead of Slack's
	}
	if p.Thread != "" {
		method, a["ts"] = "conversations.replies", p.Thread
	}
	for range 50 { // pages; more than that was never posted in the meantime
		var out struct {
			Messages []struct {
				TS       string `json:"ts"`
				Metadata struct {
					EventPayload map[string]json.RawMessage `json:"event_payload"`
				} `json:"metadata"`
			} `json:"messages"`
			Metadata struct {
				NextCursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := s.joining(ctx, method, p.Channel, a, &out); err != nil {
			return "", false, err
		}
		for _, m := range out.Messages {
			var id string
			if json.Unmarshal(m.Metadata.EventPayload[callField], &id) == nil && id == call {
				return m.TS, true, nil
			}
		}
		if out.Metadata.NextCursor == "" {
			break
		}
		a["cursor"] = out.Metadata.NextCursor
	}
	return "", false, nil
}
