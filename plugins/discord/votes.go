package discord

import (
	"slices"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// How a vote can be held, as the configuration names it.
const (
	byButtons = "buttons"
	byPoll    = "poll"
)

// votes are the two voting processes.
func votes() []gateway.Feature[*Discord] {
	return []gateway.Feature[*Discord]{
		gateway.ProcessFunc("vote", "A vote with buttons, or menus where there are many options, under a message.", (*buttonVote).Start, gateway.Can(canButtons), gateway.Needs("SEND_MESSAGES", "EMBED_LINKS")),
		gateway.ProcessFunc("poll-vote", "A vote by a poll of Discord's. Everybody who sees it can vote in it and is seen to; whose votes do not count is left out when they are counted.", (*pollVote).Start, gateway.Can(canPoll), gateway.Least(pollEvery), gateway.Needs("SEND_MESSAGES", "SEND_POLLS", "READ_MESSAGE_HISTORY")),
		gateway.CommandFunc("poll-vote", "finish", "Ends the poll now, reads who voted in it, and closes the vote.", (*pollVote).finish),
	}
}

// canButtons is what a vote with buttons enforces. A menu of Discord's has 25 options, and a message has five rows, one of which is for closing
// (https://docs.discord.com/developers/components/reference, checked 2026-11).
var canButtons = vote.Can{
	PollTypes:  []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Consent},
	Secrecy:    []vote.Secrecy{vote.Public, vote.CountsOnly, vote.Hidden},
	MaxOptions: maxMenus * menuSize, AnyMinChoice: true, AnyMaxChoice: true,
	Eligibility: true, Weights: true, NoChange: true, CloseByPeople: true, ClosingAt: true, Live: true, Early: true, Reminders: true,
}

// canPoll is what a poll of Discord's allows: ten short answers, nothing hidden, votes that can always be changed. Who may vote is enforced when
// votes are counted, and nobody who may not is told. Nobody but the gateway can close it.
var canPoll = vote.Can{
	PollTypes:  []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Consent},
	MaxOptions: maxAnswers, MaxTitle: maxQuestion, MaxOption: maxAnswerText,
	Eligibility: true, Weights: true, ClosingAt: true, Live: true, Early: true,
}

// allows refuses a kind of vote that the community does not want.
func (d *Discord) allows(how string) error {
	if len(d.config.Votes) > 0 && !slices.Contains(d.config.Votes, how) {
		return gateway.Errorf(gateway.Denied, "the community does not allow votes by %s: see votes in its configuration", how)
	}
	return nil
}

// takesSeveral says that a ballot names several options.
func takesSeveral(a *vote.Ask) bool {
	return a.PollType == vote.Multiple || a.PollType == vote.Approval
}

// label is what people read of a choice: the words of a boolean or consent vote are the operator's.
func (t *Texts) label(a *vote.Ask, choice string) string {
	switch a.PollType {
	case vote.Boolean, "":
		if choice == vote.Yes {
			return t.Yes
		}
		return t.No
	case vote.Consent:
		switch choice {
		case vote.Consents:
			return t.Consent
		case vote.Abstains:
			return t.Abstain
		}
		return t.Objects
	}
	return choice
}

// result says how a vote ended.
func (t *Texts) result(a *vote.Ask, out *vote.Outcome) string {
	boolean := a.PollType == vote.Boolean || a.PollType == ""
	switch {
	case out == nil:
		return t.Closed
	case out.Result == vote.Cancelled:
		return t.Cancelled
	case out.Result == vote.Passed && boolean:
		return t.PassedYes
	case out.Result == vote.Passed:
		return put(t.Passed, "option", line(t.label(a, out.Winner)))
	case out.Result == vote.Tie && len(out.Questions) > 0:
		text := ""
		for i, o := range out.Questions[0].Tied {
			if i > 0 {
				text += ", "
			}
			text += line(t.label(a, o))
		}
		return put(t.Tied, "option", text)
	case out.Result == vote.NoQuorum:
		return t.NoQuorum
	case out.Result == vote.Failed:
		return t.Failed
	}
	return t.Closed
}
