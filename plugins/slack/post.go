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
	Since   time.Time `json:"since"`
}

// postOnce posts a message in a channel. What is saved before is what [Slack.findPosted] needs where the answer is lost.
func (s *Slack) postOnce(ctx context.Context, channel string, a args, meta *Metadata) (Posted, error) {
	call := gateway.CallOf(ctx)
	thread, _ := a["thread_ts"].(string)
	p := posting{Channel: channel, Thread: thread, Since: call.Started()}
	if err := call.Save(ctx, p); err != nil {
		return Posted{}, err
	}
	if err := call.Expect(ctx, echoesAs(ctx, []string{postingRef(channel)})...); err != nil {
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
	if err == nil && out.TS == "" {
		err = gateway.Errorf(gateway.Unknown, "slack: chat.postMessage did not say which message it posted")
	}
	if err != nil {
		return Posted{}, err
	}
	out.Channel = first(out.Channel, channel)
	call.Caused(messageRef(out.Channel, out.TS))
	return out, nil
}

// postSure is postOnce for a command, which has no look-up and so looks by itself.
func (s *Slack) postSure(ctx context.Context, channel string, a args) (Posted, error) {
	var before posting
	if gateway.CallOf(ctx).Saved(&before) {
		switch out, found, err := s.findPosted(ctx, Message{}); {
		case err != nil:
			return Posted{}, fmt.Errorf("an earlier attempt may have posted the message, and it could not be looked for: %w", err)
		case found == gateway.Happened:
			return out, nil
		}
	}
	out, err := s.postOnce(ctx, channel, a, nil)
	if gateway.CodeOf(err) == gateway.Unknown {
		if posted, found, e := s.findPosted(ctx, Message{}); e == nil && found == gateway.Happened {
			return posted, nil
		}
	}
	return out, err
}

func firstTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// findPosted is the look-up of post-message: it looks where the message was to go, since the first try. A thread that
// is not there has no message of ours, and Slack refuses one that is sent to it again.
func (s *Slack) findPosted(ctx context.Context, _ Message) (Posted, gateway.Found, error) {
	call := gateway.CallOf(ctx)
	var p posting
	if !call.Saved(&p) {
		return Posted{}, gateway.DidNot, nil // Slack never heard of it
	}
	ts, found, err := s.find(ctx, p, call.ID())
	switch {
	case refusedAs(err, "thread_not_found", "message_not_found"):
		return Posted{}, gateway.DidNot, nil
	case err != nil:
		return Posted{}, gateway.CannotTell, err
	case !found:
		return Posted{}, gateway.DidNot, nil
	}
	call.Caused(messageRef(p.Channel, ts))
	return Posted{p.Channel, ts}, gateway.Happened, nil
}

// lookPages bounds what a look-up reads, 200 messages each.
const lookPages = 50

// find looks in a conversation for the message that a call posted. Where more was posted since than it reads, it cannot tell.
func (s *Slack) find(ctx context.Context, p posting, call string) (ts string, found bool, err error) {
	method := "conversations.history"
	a := args{
		"channel": p.Channel, "include_all_metadata": true, "limit": 200,
		"oldest": fmt.Sprintf("%d.000000", p.Since.Add(-time.Minute).Unix()), // our clock may be ahead of Slack's
	}
	if p.Thread != "" {
		method, a["ts"] = "conversations.replies", p.Thread
	}
	for range lookPages {
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
			return "", false, nil
		}
		a["cursor"] = out.Metadata.NextCursor
	}
	return "", false, gateway.Errorf(gateway.Unavailable, "slack: more than %d messages came since; whether ours is behind them is not known", 200*lookPages)
}
