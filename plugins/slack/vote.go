package slack

import (
	"context"
	"encoding/json"
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

type voteRun = gateway.Run[*Slack, vote.Outcome]

// The action IDs of a vote. A button or a menu's option has the option's index as its value; which candidate a menu is for
// says its block. No text of the driver's is in any ID.
const (
	castAction   = "cast_vote"  // a button, or a menu of one
	severalMenu  = "cast_votes" // a menu of several: the whole selection
	closeAction  = "close_vote"
	cancelAction = "cancel_vote"
)

// blockID names a block of a vote's message. Slack gives it back with each click, so a click finds its process even if it
// is quicker than Slack's answer to our post.
func blockID(process, part string) string { return "gw:" + process + ":" + part }

// processOf finds the process in a block's ID, "" in others'.
func processOf(block string) string {
	rest, ours := strings.CutPrefix(block, "gw:")
	id, _, ok := strings.Cut(rest, ":")
	if !ours || !ok || len(id) > 64 {
		return ""
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return id
}

// questionOf finds the index of the candidate in a block's ID.
func questionOf(block string) int {
	_, part, _ := strings.Cut(strings.TrimPrefix(block, "gw:"), ":")
	if n, ok := strings.CutPrefix(part, "question"); ok {
		if i, err := strconv.Atoi(n); err == nil {
			return i
		}
		return -1
	}
	return 0
}

// StartAdvanced posts a vote on candidates.
func (b *ballotBox) StartAdvanced(ctx context.Context, r *voteRun, in AdvancedVote) error {
	return b.Start(ctx, r, in.vote())
}

// Start posts the vote, or, where it is private, lets Update send the ballots: there may be many.
func (b *ballotBox) Start(ctx context.Context, r *voteRun, in Vote) error {
	s := r.Plugin
	if err := in.check(r.Now()); err != nil {
		return err
	}
	b.Family, b.Private, b.OnDeleted, b.MayCancel = in.EmojiFamily, in.Private, in.OnDeleted, in.MayCancel
	b.Publish, b.PublishTo, b.PublishText = in.Publish, in.PublishChannel, in.PublishText
	b.Remind = slices.Clone(in.Reminders)
	if in.ClosingAt != nil {
		b.ClosesAt = *in.ClosingAt
	}
	if voters := invited(in.Ask); b.Private || len(b.Remind) > 0 && len(voters) <= maxReminded {
		b.Voters = voters
	}
	v := b.view(r)
	blocks, err := v.blocks()
	if err != nil {
		return err
	}
	if b.Private {
		ballot := v.ballot("")
		if _, err := ballot.blocks(); err != nil {
			return err
		}
	}
	if in.Channel != "" || !b.Private {
		channel := in.Channel
		if channel == "" {
			if channel, err = s.open(ctx, invited(in.Ask)); err != nil {
				return err
			}
		}
		if err := b.postMain(ctx, r, channel, v, blocks); err != nil {
			return err
		}
	}
	b.wake(r)
	return nil
}

// postMain posts the vote's own message.
func (b *ballotBox) postMain(ctx context.Context, r *voteRun, channel string, v view, blocks any) error {
	p, err := b.postKeyed(ctx, r, b.mainKey(), channel, args{"text": v.text(), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
	if err != nil {
		return err
	}
	b.Channel, b.TS = p.Channel, p.TS
	r.Ref(messageRef(b.Channel, b.TS))
	b.URL = r.Plugin.permalink(ctx, b.Channel, b.TS)
	r.SetURL(b.URL)
	return nil
}

// permalink asks for a message's address. It is for convenience: a vote without one is a vote.
func (s *Slack) permalink(ctx context.Context, channel, ts string) string {
	var out struct {
		Permalink string `json:"permalink"`
	}
	if err := s.call(ctx, "chat.getPermalink", args{"channel": channel, "message_ts": ts}, &out); err != nil {
		s.Log.WarnContext(ctx, "the address of a message could not be got", "channel", channel, "ts", ts, "error", err)
	}
	return out.Permalink
}

// mine says whether something about a message is about the vote's own.
func (b *ballotBox) mine(m *message) bool { return b.is(b.Posts[b.mainKey()], m) }

// isBallot says the same of the ballot that was sent to whoever did it.
func (b *ballotBox) isBallot(m *message) bool {
	return b.Private && b.is(b.Posts[ballotKey(m.user)], m)
}

// is compares places. A message whose time stamp is not known yet is being posted right now, and a click was quicker than the answer.
func (b *ballotBox) is(p letter, m *message) bool {
	return p.Channel != "" && m.channel == p.Channel && m.ts != "" && (m.ts == p.TS || p.TS == "" && p.Sent && !m.deleted)
}

// Receive takes clicks, and the deletion of the message.
func (b *ballotBox) Receive(ctx context.Context, r *voteRun, m *message) (gateway.Reply, error) {
	main, ballot := b.mine(m), b.isBallot(m)
	switch {
	case !main && !ballot:
		return gateway.Reply{}, nil // a button with our block's ID somewhere else: somebody copied it there
	case m.deleted && main && !r.Ended():
		if b.OnDeleted == repost && b.Reposts < maxReposts {
			r.UpdateAt(r.Now())
		} else {
			r.CloseNow(vote.Closing{By: vote.ByDeletion, At: m.at})
		}
		return gateway.Reply{}, nil
	case m.deleted, m.user == "":
		return gateway.Reply{}, nil
	}
	for _, a := range m.actions {
		switch {
		case processOf(a.BlockID) != r.ID():
		case a.ActionID == castAction || a.ActionID == severalMenu:
			if b.Private && !ballot {
				return gateway.Reply{}, nil // the message in the channel has no buttons
			}
			return b.cast(ctx, r, m, a)
		case a.ActionID == closeAction:
			may, err := r.MayClose(ctx, m.user)
			if err != nil {
				return gateway.Reply{}, err
			}
			return b.endBy(r, m, may, r.Plugin.app.Texts.MayNotClose, false)
		case a.ActionID == cancelAction:
			return b.endBy(r, m, slices.Contains(b.MayCancel, m.user), r.Plugin.app.Texts.MayNotCancel, true)
		}
	}
	return gateway.Reply{}, nil
}

// chosen reads what was clicked, as texts of options.
func chosen(ask *vote.Ask, a action) (question string, options []string, ok bool) {
	values := []picked{{a.Value}}
	switch {
	case a.ActionID == severalMenu:
		values = a.Several
	case a.Selected != nil:
		values = []picked{*a.Selected}
	}
	for _, v := range values {
		i, err := strconv.Atoi(v.Value)
		option, known := ask.ChoiceAt(i)
		if err != nil || !known {
			return "", nil, false
		}
		options = append(options, option)
	}
	question, ok = ask.QuestionAt(questionOf(a.BlockID))
	return question, options, ok
}

// cast takes one click.
func (b *ballotBox) cast(ctx context.Context, r *voteRun, m *message, a action) (gateway.Reply, error) {
	texts, ask := &r.Plugin.app.Texts, r.Ask()
	if r.Ended() {
		return tell(texts.VoteClosed)
	}
	question, options, ok := chosen(ask, a)
	if !ok {
		return tell(texts.UnknownOption)
	}
	ballot := gateway.Ballot{Voter: m.user, Question: question, Choices: options, At: firstTime(timestamp(a.ActionTS), m.at)}
	if takesSeveral(ask) && a.ActionID == castAction {
		if err := toggle(ctx, r, &ballot, options[0]); err != nil {
			return gateway.Reply{}, err
		}
	}
	receipt, err := r.Cast(ctx, ballot)
	var refused *vote.Refused
	switch {
	case err == nil && b.Private && !receipt.Stale:
		return tell(b.recorded(r, ballot))
	case err == nil && receipt.Changed && !ask.CountsVisible(false):
		return tell(texts.Recorded)
	case err == nil:
		return gateway.Reply{}, nil
	case errors.As(err, &refused):
		switch refused.Code {
		case vote.NoChange:
			return tell(texts.NoChange)
		case vote.TooMany:
			return tell(putN(texts.TooMany, int64(ask.MaxChoices)))
		case vote.TooFew:
			return tell(putN(texts.TooFew, int64(ask.MinChoices)))
		}
		return tell(escape(refused.Message))
	case errors.Is(err, gateway.Conflict):
		return tell(texts.VoteClosed)
	}
	return gateway.Reply{}, err
}

// takesSeveral says that a ballot names several options.
func takesSeveral(a *vote.Ask) bool {
	return a.PollType == vote.Multiple || a.PollType == vote.Approval
}

// toggle makes a click on one option the voter's whole selection.
func toggle(ctx context.Context, r *voteRun, ballot *gateway.Ballot, option string) error {
	held, err := r.Held(ctx, ballot.Voter)
	if err != nil {
		return err
	}
	var chosen []string
	for _, h := range held {
		q, o := vote.SplitKey(h.Question)
		if q != ballot.Question {
			continue
		}
		if h.Choice == vote.Yes {
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

// endBy takes a click on a button that ends the vote.
func (b *ballotBox) endBy(r *voteRun, m *message, may bool, refusal string, cancel bool) (gateway.Reply, error) {
	switch {
	case r.Ended():
		return tell(r.Plugin.app.Texts.VoteClosed)
	case !may:
		return tell(refusal)
	}
	r.CloseNow(vote.Closing{By: vote.ByPerson, User: m.user, At: m.at, Cancel: cancel})
	return gateway.Reply{}, nil
}

// view is how the vote's own message looks now, before anybody voted.
func (b *ballotBox) view(r *voteRun) view {
	v := view{
		process: r.ID(), ask: r.Ask(), texts: &r.Plugin.app.Texts, ended: r.Ended(), reason: r.Reason(), family: b.Family, closes: b.ClosesAt,
		announced: b.Private, mayClose: len(r.Ask().MayClose) > 0, mayCancel: len(b.MayCancel) > 0, cancellers: b.MayCancel, silent: b.Publish == publishNone,
	}
	v.arrange()
	return v
}

// stand adds how the votes stand, or what came of them.
func (b *ballotBox) stand(ctx context.Context, r *voteRun, v *view) error {
	out, err := r.Decide(ctx)
	if err != nil {
		return err
	}
	if v.ended && len(r.Outcome()) > 0 {
		if err := json.Unmarshal(r.Outcome(), &out); err != nil {
			return gateway.Errorf(gateway.Internal, "decoding an outcome: %w", err)
		}
		v.decided = true
	}
	v.outcome = &out
	return nil
}

// Show brings the message up to date. After the end it takes the buttons from every ballot and publishes the result.
func (b *ballotBox) Show(ctx context.Context, r *voteRun) error {
	if !r.Ended() && !r.Ask().CountsVisible(false) {
		return nil // a message that is marked as edited after each ballot would say when people voted
	}
	v := b.view(r)
	if err := b.stand(ctx, r, &v); err != nil {
		return err
	}
	if err := b.showMain(ctx, r, v); err != nil {
		return err
	}
	if !r.Ended() {
		return nil
	}
	if err := b.freeze(ctx, r, v); err != nil {
		return err
	}
	return b.publish(ctx, r, v)
}

// showMain brings the vote's own message up to date, or posts it again where it was deleted and that was asked for.
func (b *ballotBox) showMain(ctx context.Context, r *voteRun, v view) error {
	if p := b.Posts[b.mainKey()]; b.TS == "" && p.Sent { // it was closed while it was being posted
		if _, err := b.look(ctx, r, b.mainKey()); err != nil && !final(err) {
			return err
		}
		p = b.Posts[b.mainKey()]
		b.Channel, b.TS = p.Channel, p.TS
	}
	if b.TS == "" {
		return nil // it has none, or was closed before it was posted
	}
	s := r.Plugin
	blocks, err := v.blocks()
	if err != nil {
		return err
	}
	if p := b.Posts[b.mainKey()]; p.TS == "" { // it is being posted again
		return b.postMain(ctx, r, b.Channel, v, blocks)
	}
	err = s.call(ctx, "chat.update", args{"channel": b.Channel, "ts": b.TS, "text": v.text(), "blocks": blocks}, nil)
	if !final(err) {
		return err
	}
	s.Log.WarnContext(ctx, "the message of a vote cannot be changed any more", "process", r.ID(), "channel", b.Channel, "ts", b.TS, "error", err)
	switch {
	case r.Ended() || !refusedAs(err, "message_not_found"):
	case b.OnDeleted == repost && b.Reposts < maxReposts:
		b.Reposts++
		if err := b.postMain(ctx, r, b.Channel, v, blocks); err != nil && !final(err) {
			return err
		} else if err == nil {
			return nil
		}
		r.CloseNow(vote.Closing{By: vote.ByDeletion})
	default:
		r.CloseNow(vote.Closing{By: vote.ByDeletion}) // and Slack's word of it was lost, or came before we knew the message
	}
	return nil
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
	return literal(strings.Join(strings.Fields(voter), " "))
}
