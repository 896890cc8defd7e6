package slack

import (
	"context"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

const resultKey = "result"

// publish says the result where the vote's input asked for it, once.
func (b *ballotBox) publish(ctx context.Context, r *voteRun, v view) error {
	a := args{"unfurl_links": false, "unfurl_media": false}
	channel := b.Channel
	switch b.Publish {
	case publishThread:
		a["thread_ts"] = b.TS
	case publishChannel:
		channel = first(b.PublishTo, b.Channel)
	default:
		return nil
	}
	_, tried := b.Posts[b.mainKey()]
	if tried && b.TS == "" { // it ended before Slack had taken it: nobody knows of it
		return nil
	}
	if channel == "" || !v.decided || b.Posts[resultKey].settled() {
		return nil
	}
	a["text"] = v.published(b.PublishText, b.URL)
	_, err := b.postKeyed(ctx, r, resultKey, channel, a)
	if final(err) {
		b.fail(r, resultKey, "", err)
		return nil
	}
	return err
}

// published fills in a template. What comes from people is escaped: it mentions nobody, links nowhere and is not emphasised.
func (v *view) published(template, url string) string {
	turnout := putN(v.texts.Turnout, v.outcome.Turnout.Voters)
	if of := v.outcome.Turnout.Eligible; of > 0 {
		turnout = put(putN(v.texts.TurnoutOf, v.outcome.Turnout.Voters), "of", itoa(int(of)))
	}
	var counts []string
	for _, q := range v.outcome.Questions {
		if q.Question != "" {
			counts = append(counts, literal(q.Question)+": "+v.resultOf(q))
		}
		for _, o := range q.Options {
			counts = append(counts, v.label(o.Option)+" "+v.votes(o))
		}
	}
	winner := ""
	if v.outcome.Winner != "" {
		winner = v.label(v.outcome.Winner)
	}
	text := strings.NewReplacer(
		"{title}", literal(v.ask.Title), "{result}", v.resultText(), "{winner}", winner,
		"{counts}", clip(strings.Join(counts, "\n"), 20_000), "{turnout}", turnout, "{url}", url,
	).Replace(first(template, v.texts.Published))
	return first(strings.TrimSpace(clip(text, 30_000)), literal(v.ask.Title))
}

// Publish is the input of the command publish.
type Publish struct {
	Where   string `json:"where,omitempty" jsonschema:"enum=message,enum=thread,enum=channel,default=thread" jsonschema_description:"In the thread of the vote's message, in a channel, or in the vote's message itself."`
	Channel string `json:"channel,omitempty" choices:"channels" jsonschema_description:"The channel, for where=channel. Absent: the vote's own."`
	Text    string `json:"text,omitempty" jsonschema:"maxLength=3000" jsonschema_description:"As publish_text of the vote. Absent: that one."`
}

// publishNow answers the command publish: the driver says the result when it wants to, where it wants to. Conflict: the vote is not over.
func (b *ballotBox) publishNow(ctx context.Context, r *voteRun, in Publish) (Posted, error) {
	v := b.view(r)
	if err := b.stand(ctx, r, &v); err != nil {
		return Posted{}, err
	}
	if !v.decided {
		return Posted{}, gateway.Errorf(gateway.Conflict, "process %s is %s and has no result to publish", r.ID(), r.Status())
	}
	a := args{"text": v.published(first(in.Text, b.PublishText), b.URL), "unfurl_links": false, "unfurl_media": false}
	channel := b.Channel
	switch in.Where {
	case publishMessage:
		if b.TS == "" {
			return Posted{}, invalid("/where", "is the vote's message, and this vote has none")
		}
		b.Publish, v.silent = publishMessage, false
		return Posted{b.Channel, b.TS}, b.showMain(ctx, r, v)
	case publishChannel:
		channel = first(in.Channel, b.PublishTo, b.Channel)
	default:
		if b.TS == "" {
			return Posted{}, invalid("/where", "is the thread of the vote's message, and this vote has none")
		}
		a["thread_ts"] = b.TS
	}
	if channel == "" {
		return Posted{}, invalid("/channel", "is needed: this vote has none")
	}
	return r.Plugin.postSure(ctx, channel, a)
}

// Extend is the input and the answer of the command extend.
type Extend struct {
	ClosingAt time.Time `json:"closing_at" jsonschema_description:"When the vote closes by itself now, earlier or later than before."`
}

// extend answers the command extend. Reminders that were not sent yet come before the new end.
func (b *ballotBox) extend(ctx context.Context, r *voteRun, in Extend) (Extend, error) {
	at := in.ClosingAt.UTC().Truncate(time.Microsecond)
	switch {
	case r.Status() != gateway.StatusPending:
		return Extend{}, gateway.Errorf(gateway.Conflict, "process %s is %s and cannot be extended", r.ID(), r.Status())
	case !at.After(r.Now()):
		return Extend{}, invalid("/closing_at", "is not in the future")
	case at.Sub(r.Now()) > vote.MaxOpen:
		return Extend{}, invalid("/closing_at", "is more than ten years away")
	}
	b.ClosesAt = at
	r.CloseAt(at)
	b.wake(r)
	v := b.view(r)
	if err := b.stand(ctx, r, &v); err != nil {
		return Extend{}, err
	}
	if err := b.showMain(ctx, r, v); err != nil {
		r.Plugin.Log.WarnContext(ctx, "a vote's new closing time is not shown yet", "process", r.ID(), "error", err)
	}
	return Extend{at}, nil
}
