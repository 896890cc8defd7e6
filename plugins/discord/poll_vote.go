package discord

import (
	"context"
	"errors"
	"slices"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// pollEvery is how often a poll's voters are read at the most. Discord's limits are learned on the way.
const pollEvery = 15 * time.Second

// pollVote is the durable state of a vote by a poll of Discord's.
type pollVote struct {
	Post     letter    `json:"post,omitzero" jsonschema_description:"The message."`
	ClosesAt time.Time `json:"closes_at,omitzero" jsonschema_description:"When it closes by itself."`
	Answers  []int     `json:"answers,omitempty" jsonschema_description:"Discord's number of each answer, in the order asked."`
	Expired  bool      `json:"expired,omitempty" jsonschema_description:"Discord takes no votes any more."`
	Result   letter    `json:"result,omitzero" jsonschema_description:"The message that says the result."`
}

// lateness is how long after its closing time a poll may have been open, so that who voted in it still counts: Discord does not say when somebody
// voted, and the gateway needs a moment to end it.
const lateness = time.Minute

// Start posts the poll. Discord counts in hours, so that it may be open longer than the vote: the gateway ends it to the second. At a full hour from now it
// ends by itself, whatever becomes of the gateway.
func (p *pollVote) Start(ctx context.Context, r *voteRun, in Vote) error {
	d, ask := r.Plugin, r.Ask()
	if err := d.allows(byPoll); err != nil {
		return err
	}
	hours := maxPollHours
	if in.ClosingAt != nil {
		left := in.ClosingAt.Sub(r.Now())
		if left > maxPollHours*time.Hour {
			return invalid("/closing_at", "is more than 32 days away, which is as long as Discord keeps a poll open")
		}
		hours = min(max(int((left+time.Hour-1)/time.Hour), 1), maxPollHours)
		p.ClosesAt = *in.ClosingAt
	} else {
		p.ClosesAt = r.Now().Add(maxPollHours * time.Hour)
		r.CloseAt(p.ClosesAt)
	}
	if len(ask.Details) > 0 && runes(escape(ask.Details)) > maxContent {
		return invalid("/details", "are too long: a message of Discord's has 2000 characters, marks escaped")
	}
	var answers []string
	for _, c := range ask.Choices() {
		answers = append(answers, clip(d.app.Texts.label(ask, c), maxAnswerText))
	}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return err
	}
	fields := map[string]any{"poll": pollFields(ask.Title, answers, hours, takesSeveral(ask)), "allowed_mentions": noMentions}
	if ask.Details != "" {
		fields["content"] = escape(ask.Details)
	}
	return open(ctx, r, &p.Post, in.Channel, fields, toPost+", SEND_POLLS", polls(ask))
}

// polls looks for the poll of a vote.
func polls(ask *vote.Ask) func(Post) bool {
	return func(m Post) bool { return m.asks() == ask.Title }
}

// Receive takes what Discord tells of votes, so that the count is live, and the deletion of the poll. What it tells may be late, twice or not at
// all: the list of voters, which Update reads, has the last word.
func (p *pollVote) Receive(ctx context.Context, r *voteRun, m *message) (gateway.Reply, error) {
	switch {
	case r.Ended():
	case m.deleted:
		if p.Post.gone(m) {
			r.CloseNow(vote.Closing{By: vote.ByDeletion, At: m.at})
		}
	case m.answer > 0 && slices.Contains(m.ids, p.Post.Message):
		return gateway.Reply{}, p.live(ctx, r, m)
	}
	return gateway.Reply{}, nil
}

// live takes one vote as the Gateway tells of it. It has no time but that of its arrival.
func (p *pollVote) live(ctx context.Context, r *voteRun, m *message) error {
	option, known := r.Ask().ChoiceAt(p.indexOf(m.answer))
	if !known || m.user == "" {
		return nil
	}
	if m.removed && !takesSeveral(r.Ask()) { // it may be told of after what was chosen in its place
		held, err := r.Held(ctx, m.user)
		if err != nil || !slices.ContainsFunc(held, func(b vote.Ballot) bool { return b.Choice == option }) {
			return err
		}
	}
	ballot := gateway.Ballot{Voter: m.user, At: m.received}
	err := merge(ctx, r, &ballot, func(held []string) []string {
		if !takesSeveral(r.Ask()) {
			held = nil
		}
		held = slices.DeleteFunc(held, func(o string) bool { return o == option })
		if !m.removed {
			held = append(held, option)
		}
		return held
	})
	if err == nil {
		_, err = r.Cast(ctx, ballot)
	}
	return ignoreRefused(err)
}

// indexOf finds which choice an answer is.
func (p *pollVote) indexOf(answer int) int {
	if len(p.Answers) == 0 {
		return answer - 1
	}
	return slices.Index(p.Answers, answer)
}

// pollView is a poll as its message shows it.
type pollView struct {
	Answers []struct {
		ID int `json:"answer_id"`
	} `json:"answers"`
	Expiry text `json:"expiry"`
}

// look reads the poll's message.
func (p *pollVote) look(ctx context.Context, r *voteRun) (pollView, error) {
	var m struct {
		Poll pollView `json:"poll"`
	}
	err := r.Plugin.call(ctx, call{path: p.Post.at().path(), needs: "READ_MESSAGE_HISTORY"}, &m)
	return m.Poll, err
}

// number asks what numbers Discord has given the answers. They count from 1, which Discord advises not to depend on
// (https://docs.discord.com/developers/resources/poll#poll-answer-object, checked 2026-11); where the poll does not say it, that is all there is.
func (p *pollVote) number(ctx context.Context, r *voteRun) error {
	if len(p.Answers) > 0 {
		return nil
	}
	poll, err := p.look(ctx, r)
	if err != nil {
		return err
	}
	n := len(r.Ask().Choices())
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i + 1
		if len(poll.Answers) == n && poll.Answers[i].ID > 0 {
			numbers[i] = poll.Answers[i].ID
		}
	}
	p.Answers = numbers
	return nil
}

// ignoreRefused passes over a vote that does not count: of somebody who may not vote, or after the end.
func ignoreRefused(err error) error {
	var refused *vote.Refused
	if errors.As(err, &refused) || errors.Is(err, gateway.Conflict) {
		return nil
	}
	return err
}

// Update reads who voted for what. After the closing time it ends the poll first, so that what is read is what stays. If the poll was open for too long
// after that, because the gateway was away or Discord was, nothing new is counted: it fails, and the closing says so in its note.
func (p *pollVote) Update(ctx context.Context, r *voteRun) error {
	due := !r.Now().Before(p.ClosesAt)
	if due {
		if err := p.expire(ctx, r); err != nil {
			return err
		}
		if err := r.Save(ctx); err != nil { // that it ended in time must not be forgotten where the voters cannot be read now
			return err
		}
		if p.late(r) {
			return gateway.Errorf(gateway.Unavailable, "discord: the poll of vote %s stayed open after the vote's end: who has voted since it was read last may have been late", r.ID())
		}
	}
	err := p.read(ctx, r)
	if refusedAs(err, codeUnknownMessage, codeUnknownChannel) {
		if !due {
			r.CloseNow(vote.Closing{By: vote.ByDeletion})
		}
		return nil
	}
	return err
}

// expire has Discord take no more votes. That it takes none is kept where that was so in time: what is read then is what counts.
func (p *pollVote) expire(ctx context.Context, r *voteRun) error {
	if p.Expired || p.Post.Message == "" {
		return nil
	}
	ended := r.Now()
	err := r.Plugin.inThread(ctx, p.Post.Channel, p.Post.at().expire())
	switch {
	case err == nil:
		p.Expired = p.inTime(ended)
		return nil
	case refusedAs(err, codePollExpired): // by itself, or by an attempt that was not answered
		poll, err := p.look(ctx, r)
		if err != nil && !final(err) {
			return err
		}
		if at := stamp(string(poll.Expiry)); !at.IsZero() && at.Before(ended) {
			ended = at
		}
		p.Expired = p.inTime(ended)
		return nil
	case final(err): // deleted: there is nothing to end
		r.Plugin.Log.WarnContext(ctx, "a poll cannot be ended", "process", r.ID(), "error", err)
		return nil
	}
	return err
}

// inTime reports whether a poll that ended then was not open for too long.
func (p *pollVote) inTime(ended time.Time) bool { return ended.Sub(p.ClosesAt) <= lateness }

// late reports whether people can vote, or could, for too long after the end.
func (p *pollVote) late(r *voteRun) bool { return !p.Expired && !p.inTime(r.Now()) }

// read makes ballots of the lists of voters, a page at a time, and takes back those of who is in none any more.
func (p *pollVote) read(ctx context.Context, r *voteRun) error {
	if err := p.number(ctx, r); err != nil {
		return err
	}
	at := r.Now()
	if at.After(p.ClosesAt) {
		at = p.ClosesAt // a ballot of this very moment still counts
	}
	chosen := map[string][]string{} // by voter: of 10,000 that is about a megabyte
	for i, option := range r.Ask().Choices() {
		for after := ""; ; {
			page, err := r.Plugin.voters(ctx, p.Post.at(), p.Answers[i], after)
			if err != nil {
				return err
			}
			for _, u := range page.Users {
				if u.ID != "" && !slices.Contains(chosen[u.ID], option) {
					chosen[u.ID] = append(chosen[u.ID], option)
				}
			}
			if after = page.Next; after == "" {
				break
			}
		}
	}
	for user, options := range chosen {
		if !takesSeveral(r.Ask()) {
			options = options[len(options)-1:] // changed while the lists were read
		}
		if err := ignoreRefused(cast(ctx, r, user, options, at)); err != nil {
			return err
		}
	}
	return p.takeBack(ctx, r, chosen, at)
}

func cast(ctx context.Context, r *voteRun, user string, options []string, at time.Time) error {
	_, err := r.Cast(ctx, gateway.Ballot{Voter: user, Choices: options, At: at})
	return err
}

// takeBack takes back the ballots of those who are in no list any more.
func (p *pollVote) takeBack(ctx context.Context, r *voteRun, chosen map[string][]string, at time.Time) error {
	const some = 200
	var voter, question string
	for {
		held, err := r.Ballots(ctx, voter, question, some)
		if err != nil {
			return err
		}
		for _, b := range held {
			if _, ok := chosen[b.Voter]; !ok && userID.MatchString(b.Voter) && b.At.Before(at) { // others did not vote here
				if err := ignoreRefused(cast(ctx, r, b.Voter, nil, at)); err != nil {
					return err
				}
			}
			voter, question = b.Voter, b.Question
		}
		if len(held) < some {
			return nil
		}
	}
}

// finish answers the command of that name. [gateway.Community.Close] reads who voted and ends the poll after that, so that what is chosen between the two
// counts nowhere. This ends the poll first, reads then, and closes the vote.
func (p *pollVote) finish(ctx context.Context, r *voteRun, _ struct{}) (Done, error) {
	if r.Status() != gateway.StatusPending {
		return Done{Already: true}, nil
	}
	if err := p.expire(ctx, r); err != nil {
		return Done{}, err
	}
	closing := vote.Closing{By: vote.ByDriver}
	if p.late(r) {
		closing.Note = "the poll stayed open after the vote's end; the outcome is made of what was known before"
	} else if err := p.read(ctx, r); err != nil {
		return Done{}, err
	}
	r.CloseNow(closing)
	return Done{}, nil
}

// Close ends the poll, if that was not done before, and makes the outcome. Where Discord cannot be reached the outcome does not wait for it: what people
// still choose there is counted nowhere, and Show ends the poll later.
func (p *pollVote) Close(ctx context.Context, r *voteRun) error {
	if err := p.expire(ctx, r); err != nil {
		r.Plugin.Log.WarnContext(ctx, "a poll could not be ended yet", "process", r.ID(), "error", err)
	}
	out, err := r.Decide(ctx)
	if err != nil {
		return err
	}
	return r.Complete(out)
}

// Show says the result under the poll, which Discord does not let anybody change: it counts everybody's votes.
func (p *pollVote) Show(ctx context.Context, r *voteRun) error {
	if !r.Ended() || p.Result.Message != "" {
		return nil
	}
	if p.Post.Message == "" && p.Post.Sent { // it was closed while it was being posted
		if err := look(ctx, r, &p.Post, nonceOf(r.ID()), polls(r.Ask())); err != nil && !final(err) {
			return err
		}
	}
	if p.Post.Message == "" {
		return nil
	}
	if err := p.expire(ctx, r); err != nil {
		return err
	}
	out, decided, err := standing(ctx, r)
	if err != nil {
		return err
	}
	if !decided {
		out = nil
	}
	says := r.Plugin.app.Texts.result(r.Ask(), out)
	fields := map[string]any{
		"content": says, "allowed_mentions": noMentions, "message_reference": map[string]any{"message_id": p.Post.Message, "fail_if_not_exists": false},
	}
	err = post(ctx, r, &p.Result, nonceOf(r.ID()+".result"), p.Post.Channel, fields, "", func(m Post) bool { return m.Content == says })
	if final(err) {
		r.Plugin.Log.WarnContext(ctx, "the result of a poll cannot be said", "process", r.ID(), "error", err)
		return nil
	}
	return err
}
