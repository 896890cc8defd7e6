package slack

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// Vote is the input of emoji-vote.
type Vote struct {
	vote.Ask
	Channel     string `json:"channel,omitempty" choices:"channels" jsonschema_description:"The channel to hold the vote in. Absent: in a direct or group message to the eligible voters, who are eight at the most then."`
	EmojiFamily string `json:"emoji_family,omitempty" jsonschema:"enum=numbers,enum=hearts,enum=flowers,default=numbers" jsonschema_description:"What is on the buttons of a choice or multiple vote."`
}

// ballotBox is the durable state of a vote: where its message is.
type ballotBox struct {
	Channel string `json:"channel,omitempty" jsonschema_description:"The conversation that the message is in."`
	TS      string `json:"ts,omitempty" jsonschema_description:"The message's time stamp."`
	Family  string `json:"family,omitempty" jsonschema_description:"The emojis on the buttons."` // Show does not see the input
}

type voteRun = gateway.Run[*Slack, vote.Outcome]

// The action IDs of the vote's buttons. A button that casts a vote has the option's index as its value.
const (
	castAction  = "cast_vote"
	closeAction = "close_vote"
)

// blockID names a block of a vote's message. Slack gives it back with each click, so a click finds its process even if it
// is quicker than Slack's answer to our post.
func blockID(process, part string) string { return "gw:" + process + ":" + part }

var blockRE = regexp.MustCompile(`^gw:([a-z0-9]{1,64}):`)

// processOf finds the process in a block's ID, "" in others'.
func processOf(block string) string {
	if m := blockRE.FindStringSubmatch(block); m != nil {
		return m[1]
	}
	return ""
}

// Start posts the vote.
func (b *ballotBox) Start(ctx context.Context, r *voteRun, in Vote) error {
	s := r.Plugin
	if in.PollType == vote.Multiple && in.Final() {
		return invalid("/may_change", "cannot be enforced here: several options are chosen one after the other")
	}
	v := view{process: r.ID(), ask: &in.Ask, family: in.EmojiFamily, texts: &s.app.Texts}
	blocks, err := v.blocks()
	if err != nil {
		return err
	}
	channel := in.Channel
	if channel == "" {
		voters, err := invited(in.Ask)
		if err != nil {
			return err
		}
		if channel, err = s.open(ctx, voters); err != nil {
			return err
		}
	}
	out, err := s.postOnce(ctx, channel, args{"text": v.text(), "blocks": blocks, "unfurl_links": false, "unfurl_media": false}, nil)
	if err != nil {
		return err
	}
	b.Channel, b.TS, b.Family = out.Channel, out.TS, in.EmojiFamily
	r.Ref(messageRef(b.Channel, b.TS))
	r.SetURL(s.permalink(ctx, b.Channel, b.TS))
	return nil
}

// maxGroup is how many people a group message can have beside the bot (https://docs.slack.dev/reference/methods/conversations.open).
const maxGroup = 8

// invited lists the people of a vote without a channel.
func invited(a vote.Ask) ([]string, error) {
	var voters []string
	for _, v := range a.EligibleVoters {
		if a.Eligible(v) && !slices.Contains(voters, v) {
			voters = append(voters, v)
		}
	}
	switch {
	case a.EligibleVoters == nil:
		return nil, invalid("/channel", "is needed, or eligible_voters to whom the vote is sent")
	case len(voters) == 0:
		return nil, invalid("/eligible_voters", "are nobody: there is no one to send the vote to")
	case len(voters) > maxGroup:
		return nil, invalid("/eligible_voters", "are "+strconv.Itoa(len(voters))+", and a group message takes 8 at the most: give a channel")
	}
	return voters, nil
}

func invalid(path, message string) error {
	return &gateway.Error{Code: gateway.Invalid, Fields: []gateway.FieldError{{Path: path, Message: message}}}
}

// permalink asks for a message's address. It is for convenience: a vote without one is a vote.
func (s *Slack) permalink(ctx context.Context, channel, ts string) string {
	var out struct {
		Permalink string `json:"permalink"`
	}
	if err := s.call(ctx, "chat.getPermalink", args{"channel": channel, "message_ts": ts}, &out); err != nil {
		s.Log.Warn("the address of a message could not be got", "channel", channel, "ts", ts, "error", err)
	}
	return out.Permalink
}

// Receive takes clicks, and the deletion of the message.
func (b *ballotBox) Receive(ctx context.Context, r *voteRun, m *message) (gateway.Reply, error) {
	if m.channel != b.Channel || m.ts != b.TS || b.TS == "" {
		return gateway.Reply{}, nil // a button with our block's ID somewhere else: somebody copied it there
	}
	if m.deleted {
		if !r.Ended() {
			r.CloseNow(vote.Closing{By: vote.ByDeletion, At: m.at})
		}
		return gateway.Reply{}, nil
	}
	if m.user == "" {
		return gateway.Reply{}, nil
	}
	for _, a := range m.actions {
		switch {
		case processOf(a.BlockID) != r.ID():
		case a.ActionID == castAction:
			return b.cast(ctx, r, m, a)
		case a.ActionID == closeAction:
			return b.closeBy(r, m)
		}
	}
	return gateway.Reply{}, nil
}

// cast takes one click.
func (b *ballotBox) cast(ctx context.Context, r *voteRun, m *message, a action) (gateway.Reply, error) {
	texts, ask := &r.Plugin.app.Texts, r.Ask()
	if r.Ended() {
		return tell(texts.VoteClosed)
	}
	index, err := strconv.Atoi(a.Value)
	option, ok := ask.ChoiceAt(index)
	if err != nil || !ok {
		return tell(texts.UnknownOption)
	}
	ballot := gateway.Ballot{Voter: m.user, Choices: []string{option}, At: firstTime(timestamp(a.ActionTS), m.at)}
	if ask.PollType == vote.Multiple {
		if err := toggle(ctx, r, &ballot, option); err != nil {
			return gateway.Reply{}, err
		}
	}
	receipt, err := r.Cast(ctx, ballot)
	var refused *vote.Refused
	switch {
	case err == nil && receipt.Changed && !ask.CountsVisible(false):
		return tell(texts.Recorded)
	case err == nil:
		return gateway.Reply{}, nil
	case errors.As(err, &refused):
		switch refused.Code {
		case vote.Ineligible:
			return tell(escape(refused.Message))
		case vote.NoChange:
			return tell(texts.NoChange)
		case vote.TooMany:
			return tell(putN(texts.TooMany, int64(ask.MaxChoices)))
		}
		return tell(escape(refused.Message))
	case errors.Is(err, gateway.Conflict):
		return tell(texts.VoteClosed)
	}
	return gateway.Reply{}, err
}

// toggle makes a click on one option the voter's whole selection.
func toggle(ctx context.Context, r *voteRun, ballot *gateway.Ballot, option string) error {
	held, err := r.Held(ctx, ballot.Voter)
	if err != nil {
		return err
	}
	var chosen []string
	for _, h := range held {
		if _, o := vote.SplitKey(h.Question); h.Choice == vote.Yes {
			chosen = append(chosen, o)
		}
		// Of two quick clicks either may arrive first, and both count: each changes another option.
		if h.At.After(ballot.At) {
			ballot.At = h.At
		}
	}
	if i := slices.Index(chosen, option); i >= 0 {
		chosen = slices.Delete(chosen, i, i+1)
	} else {
		chosen = append(chosen, option)
	}
	ballot.Choices = chosen
	return nil
}

// closeBy takes a click on the button that closes the vote.
func (b *ballotBox) closeBy(r *voteRun, m *message) (gateway.Reply, error) {
	switch {
	case r.Ended():
		return tell(r.Plugin.app.Texts.VoteClosed)
	case !r.Ask().ClosableBy(m.user):
		return tell(r.Plugin.app.Texts.MayNotClose)
	}
	r.CloseNow(vote.Closing{By: vote.ByPerson, User: m.user, At: m.at})
	return gateway.Reply{}, nil
}

// Show brings the message up to date.
func (b *ballotBox) Show(ctx context.Context, r *voteRun) error {
	if b.TS == "" {
		return nil // it was closed before it was posted
	}
	s := r.Plugin
	v := view{process: r.ID(), ask: r.Ask(), texts: &s.app.Texts, ended: r.Ended(), reason: r.Reason(), family: b.Family}
	out, err := r.Decide(ctx)
	if err != nil {
		return err
	}
	if v.ended && len(r.Outcome()) > 0 {
		if err := unmarshal(r.Outcome(), &out); err != nil {
			return err
		}
		v.decided = true
	}
	v.outcome = &out
	blocks, err := v.blocks()
	if err != nil {
		return err
	}
	err = s.call(ctx, "chat.update", args{"channel": b.Channel, "ts": b.TS, "text": v.text(), "blocks": blocks}, nil)
	switch gateway.CodeOf(err) {
	case gateway.NotFound, gateway.Conflict, gateway.Invalid:
		s.Log.Warn("the message of a vote cannot be changed any more", "process", r.ID(), "channel", b.Channel, "ts", b.TS, "error", err)
		if refusedAs(err, "message_not_found") && !r.Ended() {
			r.CloseNow(vote.Closing{By: vote.ByDeletion}) // and Slack's word of it was lost, or came before we knew the message
		}
		return nil
	}
	return err
}

// slackDate writes a time so that people see it in their own zone (https://docs.slack.dev/messaging/formatting-message-text#date-formatting).
func slackDate(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04 UTC"))
}

var userID = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)

// mention names a voter. Only what is a user's ID becomes a mention: a driver may have counted somebody else's vote.
func mention(voter string) string {
	if userID.MatchString(voter) {
		return "<@" + voter + ">"
	}
	return escape(strings.Join(strings.Fields(voter), " "))
}
