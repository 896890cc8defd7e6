package slack

import (
	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// votes are the two voting processes and what a driver can ask of them while they run and afterwards.
func votes() []gateway.Feature[*Slack] {
	// One section with a menu for each candidate, beside title and state, fits in the 50 blocks of a message. Long details take some
	// of the room, which Start looks at.
	advanced := can
	advanced.MaxQuestions = maxBlocks - fixedBlocks
	out := []gateway.Feature[*Slack]{
		gateway.ProcessFunc("emoji-vote", "A vote with buttons under a message.", (*ballotBox).Start, gateway.Version(2), gateway.Can(can)),
		gateway.ProcessFunc("advanced-vote", "A vote on several candidates, each with the same options and a menu of its own.", (*ballotBox).StartAdvanced, gateway.Version(2), gateway.Can(advanced)),
	}
	for _, p := range []string{"emoji-vote", "advanced-vote"} {
		out = append(out,
			gateway.CommandFunc(p, "publish", "Says the result of a vote that is over, in the thread of its message, in a channel, or in the message.", (*ballotBox).publishNow),
			gateway.CommandFunc(p, "extend", "Gives a running vote another closing time.", (*ballotBox).extend),
			gateway.CommandFunc(p, "deliveries", "Says who has a ballot of a private vote, and who could not be sent one.", (*ballotBox).deliveries),
		)
	}
	return out
}

// can is what an emoji-vote enforces. A menu of Slack's takes a hundred options (https://docs.slack.dev/reference/block-kit/block-elements).
var can = vote.Can{
	PollTypes: []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Consent}, Secrecy: []vote.Secrecy{vote.Public, vote.CountsOnly, vote.Hidden},
	MaxOptions: 100, AnyMinChoice: true, AnyMaxChoice: true,
	Eligibility: true, Weights: true, NoChange: true, CloseByPeople: true, ClosingAt: true,
	Live: true, Early: true, Reminders: true,
}
