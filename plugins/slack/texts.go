package slack

import (
	"reflect"
	"strconv"
	"strings"
)

// Texts are all the words that people in Slack read from this plugin, in Slack's mrkdwn where it says so. {n} stands for a
// number, {option} for an option, {result} for how a vote ended. Whoever speaks another language replaces them.
type Texts struct {
	Yes, No             string // the answers of a boolean vote (mrkdwn)
	YesButton, NoButton string // their buttons
	Choose, Unchoose    string // accessible names of buttons, with {option}

	Votes    string // mrkdwn after an option that has {n} votes
	AndMore  string // after a list of voters that had no room for {n} more
	Several  string // under a vote in which up to {n} options may be chosen
	Secret   string // under a vote that shows counts but not voters
	Hidden   string // under a vote that shows nothing before it is closed
	ClosesAt string // under an open vote that closes at {time}
	Weighed  string // after the votes of an option whose weight is {weight}

	Passed, Failed, Tied, NoQuorum, Cancelled string // the result (mrkdwn); Passed and Tied with {option}
	PassedYes                                 string // the result of a boolean vote that passed
	Closed                                    string // the result of several questions, and where there is none

	Close         string // the button for those who may close the vote
	CloseConfirm  string // what they are asked first
	Cancel        string // the button for those who may call the vote off
	CancelConfirm string // what they are asked first

	Pick        string // beside a menu of options (plain text)
	PickSeveral string // beside a menu from which {min} to {max} options are chosen (plain text)
	Private     string // in a channel, of a vote whose ballots are sent to each voter
	Ballot      string // with a ballot that was sent to one voter
	Reminder    string // before a vote closes; with {title}, {time} and {url} (mrkdwn)
	Published   string // the published result where the driver gives no template (mrkdwn), with {title} {result} {winner} {counts} {turnout} {url}
	Turnout     string // how many voted: {n}
	TurnoutOf   string // how many voted of those who may: {n} and {of}

	// Said to one person alone.
	VoteClosed    string // a click on a vote that is over
	UnknownOption string // a click on what is no option
	NoChange      string // a second click where votes stay as they are
	TooMany       string // more than the {n} options that may be chosen
	TooFew        string // fewer than the {n} options that have to be chosen
	MayNotClose   string // a click on Close of somebody who may not
	MayNotCancel  string // a click on Cancel of somebody who may not
	RecordedAs    string // a vote in a private ballot: for {option}
	TakenBack     string // the same where it was taken back
	Recorded      string // a click on a vote that shows nothing
}

// DefaultTexts are the English ones.
func DefaultTexts() Texts {
	return Texts{
		Yes: "Approve", No: "Reject", YesButton: ":+1:", NoButton: ":-1:", Choose: "Vote for {option}", Unchoose: "Choose or unchoose {option}",
		Votes: "`{n}`", AndMore: "and {n} more", Several: "You can choose up to {n}; press again to take a choice back.",
		Secret: "Only the counts are shown, not who voted for what.", Hidden: "How people vote is not shown before the vote is closed.",
		ClosesAt: "Closes {time}.", Weighed: "weight {weight}",
		Passed: "*Result:* {option}", PassedYes: "*Result:* passed", Failed: "*Result:* not passed", Tied: "*Result:* a tie between {option}",
		NoQuorum: "*Result:* too few people voted", Cancelled: "*This vote was called off.*", Closed: "*This vote is closed.*",
		Cancel: "Call the vote off", CancelConfirm: "It ends without a result.", Pick: "Choose", PickSeveral: "Choose {min} to {max}",
		Private:  "Everybody who may vote has a ballot in a direct message. How people vote is not shown before the vote is closed.",
		Ballot:   "This is your ballot. Only you see it, and how people vote is not shown before the vote is closed.",
		Reminder: "*{title}* closes {time}. {url}", Published: "*{title}*\n{result}\n{counts}\n{turnout}", Turnout: "{n} voted", TurnoutOf: "{n} of {of} voted",
		TooFew: "Please choose at least {n} options. What you chose was not counted.", MayNotCancel: "You are not among those who can call this vote off.",
		RecordedAs: "Your vote was recorded: {option}. Only you see this.", TakenBack: "Your vote was taken back. Only you see this.",
		Close: "Close the vote", CloseConfirm: "Nobody can vote after that.",
		VoteClosed: "This vote is closed, so your click was not counted.", UnknownOption: "This is not an option of this vote (any more), so your click was not counted.",
		NoChange: "You have voted, and votes cannot be changed here.", TooMany: "You can choose at most {n} options. Take one back first.",
		MayNotClose: "You are not among those who can close this vote.", Recorded: "Your vote was recorded.",
	}
}

// withDefaults fills in what is empty.
func (t Texts) withDefaults() Texts {
	have, want := reflect.ValueOf(&t).Elem(), reflect.ValueOf(DefaultTexts())
	for i := range have.NumField() {
		if have.Field(i).String() == "" {
			have.Field(i).Set(want.Field(i))
		}
	}
	return t
}

// put replaces {name} in a text. Values are put in as they are: escape them where the text is mrkdwn.
func put(text, name, value string) string { return strings.ReplaceAll(text, "{"+name+"}", value) }

func putN(text string, n int64) string { return put(text, "n", strconv.FormatInt(n, 10)) }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape makes text harmless in mrkdwn: it mentions nobody and links nowhere (https://docs.slack.dev/messaging/formatting-message-text).
func escape(s string) string { return escaper.Replace(s) }
