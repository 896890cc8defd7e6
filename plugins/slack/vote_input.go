package slack

import (
	"slices"
	"strconv"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// Vote is the input of emoji-vote.
type Vote struct {
	vote.Ask
	Channel     string `json:"channel,omitempty" choices:"channels" jsonschema_description:"The channel to hold the vote in. Absent: in a direct or group message to the eligible voters, who are eight at the most then; or, where it is private, only in direct messages."`
	EmojiFamily string `json:"emoji_family,omitempty" jsonschema:"enum=numbers,enum=hearts,enum=flowers,default=numbers" jsonschema_description:"What is on the buttons of a choice or multiple vote."`

	Private        bool     `json:"private,omitempty" jsonschema_description:"Each eligible voter gets the ballot as a direct message, and nothing of the tally is shown before the end: secrecy is hidden then. Needs eligible_voters, 500 at the most."`
	MayCancel      []string `json:"may_cancel,omitempty" jsonschema:"maxItems=1000" jsonschema_description:"The user IDs of those who may call the vote off in Slack. Closing it is may_close."`
	Publish        string   `json:"publish,omitempty" jsonschema:"enum=message,enum=thread,enum=channel,enum=none,default=message" jsonschema_description:"Where the result is said at the end: in the vote's message, also in its thread, also in a channel, or not at all (then the message only says that the vote is closed)."`
	PublishChannel string   `json:"publish_channel,omitempty" choices:"channels" jsonschema_description:"The channel for publish=channel. Absent: the vote's own."`
	PublishText    string   `json:"publish_text,omitempty" jsonschema:"maxLength=3000" jsonschema_description:"What is published in thread or channel, in Slack's mrkdwn, with {title}, {result}, {winner}, {counts}, {turnout} and {url}."`
	OnDeleted      string   `json:"on_deleted,omitempty" jsonschema:"enum=close,enum=repost,default=close" jsonschema_description:"What becomes of the vote when its message is deleted: it is closed (failed, with the reason deleted), or the message is posted again."`
}

// AdvancedVote is the input of advanced-vote: each candidate is answered with the same options, and decided by itself.
type AdvancedVote struct {
	vote.Ask
	Candidates []string `json:"candidates,omitempty" jsonschema:"maxItems=100" jsonschema_description:"Who or what is voted on, each with the same options. The voting standard calls them questions, and outcomes do."`
	Channel    string   `json:"channel,omitempty" choices:"channels" jsonschema_description:"The channel to hold the vote in. Absent: in a direct or group message to the eligible voters, who are eight at the most then; or, where it is private, only in direct messages."`

	Private        bool     `json:"private,omitempty" jsonschema_description:"Each eligible voter gets the ballot as a direct message, and nothing of the tally is shown before the end. Needs eligible_voters, 500 at the most."`
	MayCancel      []string `json:"may_cancel,omitempty" jsonschema:"maxItems=1000" jsonschema_description:"The user IDs of those who may call the vote off in Slack."`
	Publish        string   `json:"publish,omitempty" jsonschema:"enum=message,enum=thread,enum=channel,enum=none,default=message" jsonschema_description:"Where the result is said at the end, as in emoji-vote."`
	PublishChannel string   `json:"publish_channel,omitempty" choices:"channels" jsonschema_description:"The channel for publish=channel. Absent: the vote's own."`
	PublishText    string   `json:"publish_text,omitempty" jsonschema:"maxLength=3000" jsonschema_description:"What is published in thread or channel, as in emoji-vote."`
	OnDeleted      string   `json:"on_deleted,omitempty" jsonschema:"enum=close,enum=repost,default=close" jsonschema_description:"What becomes of the vote when its message is deleted, as in emoji-vote."`
}

// Prepare makes a private vote a hidden one.
func (v *Vote) Prepare() error {
	if v.Private {
		v.Secrecy = vote.Hidden
	}
	return nil
}

// Prepare makes the candidates the questions, and a vote with options one of choice: the original's parameters do not say so.
func (v *AdvancedVote) Prepare() error {
	if v.Private {
		v.Secrecy = vote.Hidden
	}
	if len(v.Candidates) > 0 && len(v.Questions) > 0 && !slices.Equal(v.Candidates, v.Questions) {
		return invalid("/candidates", "are the questions under another name: give one of them")
	}
	if len(v.Candidates) > 0 {
		v.Questions, v.Candidates = v.Candidates, nil
	}
	if len(v.Questions) == 0 {
		return invalid("/candidates", "are needed, one at least")
	}
	if len(v.Options) > 0 && (v.PollType == vote.Boolean || v.PollType == "") {
		v.PollType = vote.Choice
	}
	return nil
}

// vote is the same as the input of emoji-vote.
func (v AdvancedVote) vote() Vote {
	return Vote{
		Ask: v.Ask, Channel: v.Channel, Private: v.Private, MayCancel: v.MayCancel, Publish: v.Publish, PublishChannel: v.PublishChannel,
		PublishText: v.PublishText, OnDeleted: v.OnDeleted,
	}
}

// Where a result is published.
const (
	publishMessage = "message"
	publishThread  = "thread"
	publishChannel = "channel"
	publishNone    = "none"
)

const repost = "repost" // of on_deleted

// Limits of what a vote asks of Slack.
const (
	maxGroup    = 8   // people in a group message beside the bot (https://docs.slack.dev/reference/methods/conversations.open)
	maxPrivate  = 500 // ballots by direct message: Slack takes about one message a second of an app
	maxReminded = 50  // up to how many people are reminded one by one
	maxReposts  = 10  // somebody who deletes it again and again wins in the end
)

// check refuses what cannot be held, before anything is posted.
func (v *Vote) check(now time.Time) error {
	voters := invited(v.Ask)
	here := v.Channel != "" || !v.Private
	switch {
	case v.Private && v.EligibleVoters == nil:
		return invalid("/eligible_voters", "are needed: a private vote sends each of them a ballot")
	case v.Private && len(voters) > maxPrivate:
		return invalid("/eligible_voters", "are "+strconv.Itoa(len(voters))+", and a private vote sends 500 ballots at the most")
	case v.Channel == "" && v.EligibleVoters == nil:
		return invalid("/channel", "is needed, or eligible_voters to whom the vote is sent")
	case v.Channel == "" && len(voters) == 0:
		return invalid("/eligible_voters", "are nobody: there is no one to send the vote to")
	case v.Channel == "" && !v.Private && len(voters) > maxGroup:
		return invalid("/eligible_voters", "are "+strconv.Itoa(len(voters))+", and a group message takes 8 at the most: give a channel")
	case v.Publish == publishThread && !here:
		return invalid("/publish", "in a thread needs a channel: this vote has no message of its own")
	case v.Publish == publishChannel && !here && v.PublishChannel == "":
		return invalid("/publish_channel", "is needed: this vote has no channel of its own")
	}
	for i, m := range v.Reminders {
		if v.ClosingAt.Sub(now) < time.Duration(m)*time.Minute {
			return invalid("/reminders/"+strconv.Itoa(i), "is not between now and the closing time")
		}
	}
	return nil
}

// invited lists the people of a vote that is sent to them.
func invited(a vote.Ask) []string {
	not := map[string]bool{}
	for _, v := range a.IneligibleVoters {
		not[v] = true
	}
	var voters []string
	for _, v := range a.EligibleVoters {
		if v != "" && !not[v] {
			voters = append(voters, v)
			not[v] = true
		}
	}
	return voters
}

func invalid(path, message string) error {
	return &gateway.Error{Code: gateway.Invalid, Fields: []gateway.FieldError{{Path: path, Message: message}}}
}
