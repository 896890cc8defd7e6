package slack

import (
	"context"
	"errors"
	"strings"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// A private vote sends each voter a ballot by direct message. Until the end the ballots stay as they were sent: what somebody chose is said to that
// person in an ephemeral message, which is in no event and no history, because a bot's direct messages can be read by whoever has its token.

// ballotKey names the message that is somebody's ballot.
func ballotKey(user string) string { return "ballot:" + user }

// batchSize is how many ballots are sent before others get a turn.
const batchSize = 25

// deliver sends ballots to those who have none yet. more says that some remain.
func (b *ballotBox) deliver(ctx context.Context, r *voteRun) (more bool, err error) {
	v, n := b.view(r), 0
	for _, user := range b.Voters {
		key := ballotKey(user)
		if b.Posts[key].settled() {
			continue
		}
		if n++; n > batchSize {
			return true, nil
		}
		ballot := v.ballot(user)
		if len(v.ask.MayClose) > 0 {
			var err error
			if ballot.mayClose, err = r.MayClose(ctx, user); err != nil { // by whatever name or role
				return false, err
			}
		}
		err := b.send(ctx, r, key, user, ballot)
		if !final(err) && err != nil {
			return false, err
		}
		if err != nil {
			b.fail(r, key, user, err)
		}
	}
	return false, nil
}

// send posts one ballot.
func (b *ballotBox) send(ctx context.Context, r *voteRun, key, user string, v view) error {
	channel := b.Posts[key].Channel
	if channel == "" {
		var err error
		if channel, err = r.Plugin.open(ctx, []string{user}); err != nil {
			return err
		}
	}
	blocks, err := v.blocks()
	if err != nil {
		return err
	}
	_, err = b.postKeyed(ctx, r, key, channel, args{"text": v.text(), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
	return err
}

// fail notes that somebody cannot be reached. The vote goes on without them.
func (b *ballotBox) fail(r *voteRun, key, user string, err error) {
	p := b.Posts[key]
	p.Sent, p.Failed = false, err.Error()
	b.put(key, p)
	r.Plugin.Log.Warn("somebody could not be sent a message of a vote", "process", r.ID(), "user", user, "error", err)
}

// freeze takes the buttons from every ballot after the end.
func (b *ballotBox) freeze(ctx context.Context, r *voteRun, v view) error {
	if !b.Private {
		return nil
	}
	ballot := v.ballot("")
	blocks, err := ballot.blocks()
	if err != nil {
		return err
	}
	for _, user := range b.Voters {
		key := ballotKey(user)
		p := b.Posts[key]
		if p.Sent && p.TS == "" { // it was being sent when the vote ended
			if _, err := b.look(ctx, r, key); err != nil && !final(err) {
				return err
			}
			p = b.Posts[key]
		}
		if p.TS == "" || p.Frozen {
			continue
		}
		err := r.Plugin.call(ctx, "chat.update", args{"channel": p.Channel, "ts": p.TS, "text": v.text(), "blocks": blocks}, nil)
		if err != nil && !final(err) {
			return errors.Join(err, r.Save(context.WithoutCancel(ctx))) // the next attempt goes on from here
		}
		p.Frozen = true
		b.put(key, p)
	}
	return nil
}

// recorded says to a voter what was recorded.
func (b *ballotBox) recorded(r *voteRun, ballot gateway.Ballot) string {
	t, ask := &r.Plugin.app.Texts, r.Ask()
	if len(ballot.Choices) == 0 {
		return t.TakenBack
	}
	var names []string
	for _, o := range ballot.Choices {
		name := literal(o)
		switch {
		case ask.PollType != vote.Boolean && ask.PollType != "":
		case o == vote.Yes:
			name = t.Yes
		default:
			name = t.No
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if ballot.Question != "" {
		text = literal(ballot.Question) + ": " + text
	}
	return put(t.RecordedAs, "option", text)
}

// Deliveries says who has a ballot of a private vote and who could not be sent one.
type Deliveries struct {
	Sent    int               `json:"sent" jsonschema_description:"How many ballots were sent."`
	Waiting int               `json:"waiting" jsonschema_description:"How many are still to be sent."`
	Failed  map[string]string `json:"failed,omitempty" jsonschema_description:"Whom Slack would not let us write to, and why."`
}

// deliveries answers the command of that name.
func (b *ballotBox) deliveries(_ context.Context, r *voteRun, _ struct{}) (Deliveries, error) {
	if !b.Private {
		return Deliveries{}, invalid("", "process "+r.ID()+" is not a private vote")
	}
	var d Deliveries
	for _, user := range b.Voters {
		switch p := b.Posts[ballotKey(user)]; {
		case p.TS != "":
			d.Sent++
		case p.Failed != "":
			if d.Failed == nil {
				d.Failed = map[string]string{}
			}
			d.Failed[user] = p.Failed
		default:
			d.Waiting++
		}
	}
	return d, nil
}
