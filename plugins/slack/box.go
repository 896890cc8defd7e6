package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// ballotBox is the durable state of a vote: where its messages are, and what its later steps need of the input, which they do not see.
type ballotBox struct {
	Channel string `json:"channel,omitempty" jsonschema_description:"The conversation that the message is in."`
	TS      string `json:"ts,omitempty" jsonschema_description:"The message's time stamp."`
	URL     string `json:"url,omitempty" jsonschema_description:"The message's address."`
	Family  string `json:"family,omitempty" jsonschema_description:"The emojis on the buttons."`

	Private   bool      `json:"private,omitempty" jsonschema_description:"Ballots are direct messages."`
	Voters    []string  `json:"voters,omitempty" jsonschema_description:"Who gets a ballot, or is reminded by name."`
	MayCancel []string  `json:"may_cancel,omitempty" jsonschema_description:"Who may call the vote off."`
	ClosesAt  time.Time `json:"closes_at,omitzero" jsonschema_description:"When it closes by itself."`
	Remind    []int     `json:"remind,omitempty" jsonschema_description:"Reminders that are still to come, in minutes before the end."`
	OnDeleted string    `json:"on_deleted,omitempty" jsonschema_description:"What becomes of it when the message is deleted."`
	Reposts   int       `json:"reposts,omitempty" jsonschema_description:"How often the message was posted again."`

	Publish     string `json:"publish,omitempty" jsonschema_description:"Where the result is said."`
	PublishTo   string `json:"publish_to,omitempty" jsonschema_description:"The channel of the result."`
	PublishText string `json:"publish_text,omitempty" jsonschema_description:"The template of the result."`

	Posts map[string]letter `json:"posts,omitempty" jsonschema_description:"Every message that the vote posted, by what it is for."`
}

// Upgrade takes over the state of votes that were started by version 1, which is the same: version 2 takes more in its input.
func (b *ballotBox) Upgrade(_ int, old json.RawMessage) error {
	if err := json.Unmarshal(old, b); err != nil {
		return gateway.Errorf(gateway.Internal, "slack: reading the state of a vote: %w", err)
	}
	return nil
}

// letter is one message that a vote posts once.
type letter struct {
	Channel string    `json:"channel,omitempty" jsonschema_description:"The conversation that it is in."`
	Thread  string    `json:"thread,omitempty" jsonschema_description:"The thread that it is in."`
	TS      string    `json:"ts,omitempty" jsonschema_description:"Its time stamp."`
	Sent    bool      `json:"sent,omitempty" jsonschema_description:"Slack may have it."`
	Since   time.Time `json:"since,omitzero" jsonschema_description:"When it was first tried."`
	Failed  string    `json:"failed,omitempty" jsonschema_description:"Why Slack will not have it."`
	Frozen  bool      `json:"frozen,omitempty" jsonschema_description:"It says that the vote is over."`
}

// settled says whether nothing is to be done about a message any more.
func (p letter) settled() bool { return p.TS != "" || p.Failed != "" }

func (b *ballotBox) put(key string, p letter) {
	if b.Posts == nil {
		b.Posts = map[string]letter{}
	}
	b.Posts[key] = p
}

// postKeyed posts one of a vote's messages, once for each key however often it is attempted. What is known of it is durable before Slack
// hears of it, and the message carries process and key as metadata, so that the next attempt finds it.
func (b *ballotBox) postKeyed(ctx context.Context, r *voteRun, key, channel string, a args) (letter, error) {
	s, id := r.Plugin, r.ID()+"."+key
	p := b.Posts[key]
	if p.TS != "" {
		return p, nil
	}
	if p.Sent {
		found, err := b.look(ctx, r, key)
		if err != nil || found {
			return b.Posts[key], err
		}
	}
	thread, _ := a["thread_ts"].(string)
	p = letter{Channel: channel, Thread: thread, Sent: true, Since: firstTime(p.Since, s.Now())}
	b.put(key, p)
	if err := r.Save(ctx); err != nil {
		return p, err
	}
	call := gateway.CallOf(ctx)
	if err := call.Expect(ctx, postingRef(channel)); err != nil {
		return p, err
	}
	a["channel"], a["metadata"] = channel, Metadata{EventType: callEvent, EventPayload: map[string]any{callField: id}}
	var out Posted
	err := s.joining(ctx, "chat.postMessage", channel, a, &out)
	switch {
	case err == nil && out.TS == "":
		return p, gateway.Errorf(gateway.Unavailable, "slack: chat.postMessage did not say which message it posted")
	case gateway.CodeOf(err) == gateway.Unknown:
		found, e := b.look(ctx, r, key)
		if e == nil && found {
			return b.Posts[key], nil
		}
		return p, gateway.Errorf(gateway.Unavailable, "the message may have been posted, and is looked for again: %w", err)
	case err != nil:
		p.Sent = false // Slack said no: another attempt need not look
		b.put(key, p)
		if e := r.Save(ctx); e != nil {
			s.Log.WarnContext(ctx, "a refused message could not be noted", "process", r.ID(), "error", e)
		}
		return p, err
	}
	p.Channel, p.TS = first(out.Channel, channel), out.TS
	b.put(key, p)
	call.Caused(messageRef(p.Channel, p.TS))
	return p, nil
}

// look looks for a message that may have been posted.
func (b *ballotBox) look(ctx context.Context, r *voteRun, key string) (bool, error) {
	p := b.Posts[key]
	ts, found, err := r.Plugin.find(ctx, posting{Channel: p.Channel, Thread: p.Thread, Since: p.Since}, r.ID()+"."+key)
	if err != nil {
		if refusedAs(err, "message_not_found", "thread_not_found") {
			return false, nil // the thread went with its message
		}
		return false, fmt.Errorf("an earlier attempt may have posted a message, and it could not be looked for: %w", err)
	}
	if found {
		p.TS = ts
		b.put(key, p)
		gateway.CallOf(ctx).Caused(messageRef(p.Channel, ts))
	}
	return found, nil
}

// mainKey names the vote's own message, which may be posted again.
func (b *ballotBox) mainKey() string { return "vote" + itoa(b.Reposts) }

// final reports whether Slack will not do something however often it is asked. A bad token is none of the vote's affair.
func final(err error) bool {
	if err == nil || badCredentials(err) {
		return false
	}
	switch gateway.CodeOf(err) {
	case gateway.NotFound, gateway.Conflict, gateway.Invalid, gateway.Denied:
		var r *refusal
		return errors.As(err, &r)
	}
	return false
}
