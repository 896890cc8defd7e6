package discord

import (
	"reflect"
	"strconv"
	"strings"
)

// Texts are all the words that people in Discord read from this plugin, in Discord's Markdown but for buttons and menus. {n} stands for a
// number, {option} for an option.
type Texts struct {
	Yes, No                   string // the answers of a boolean vote
	Consent, Abstain, Objects string // the answers of a consent vote
	Votes                     string // after an option that has {n} votes
	Weighed                   string // after the votes of an option whose weight is {weight}
	AndMore                   string // after a list of voters that had no room for {n} more
	Several                   string // under a vote in which up to {n} options may be chosen, with buttons
	Secret                    string // under a vote that shows counts but not voters
	Hidden                    string // under a vote that shows nothing before it is closed
	ClosesAt                  string // under an open vote that closes at {time}
	Pick, PickSeveral         string // in a menu of options; PickSeveral with {min} and {max}
	Close                     string // the button for those who may close the vote
	Reminder                  string // before a vote closes; with {title} and {time}

	Passed, Failed, Tied, NoQuorum, Cancelled string // the result; Passed and Tied with {option}
	PassedYes                                 string // the result of a boolean vote that passed
	Closed                                    string // where there is no result

	// Said to one person alone.
	VoteClosed    string // a click on a vote that is over
	UnknownOption string // a click on what is no option
	NoChange      string // a second click where votes stay as they are
	TooMany       string // more than the {n} options that may be chosen
	TooFew        string // fewer than the {n} options that have to be chosen
	MayNotClose   string // a click on Close of somebody who may not
	Recorded      string // a click on a vote that shows nothing, with {option}
	TakenBack     string // the same where it was taken back
}

// DefaultTexts are the English ones.
func DefaultTexts() Texts {
	return Texts{
		Yes: "Approve", No: "Reject", Consent: "Consent", Abstain: "Abstain", Objects: "Object",
		Votes: "`{n}`", Weighed: "weight {weight}", AndMore: "and {n} more", Several: "You can choose up to {n}; press again to take a choice back.",
		Secret: "Only the counts are shown, not who voted for what.", Hidden: "How people vote is not shown before the vote is closed.",
		ClosesAt: "Closes {time}.", Pick: "Choose", PickSeveral: "Choose {min} to {max}", Close: "Close the vote", Reminder: "**{title}** closes {time}.",
		Passed: "**Result:** {option}", PassedYes: "**Result:** passed", Failed: "**Result:** not passed", Tied: "**Result:** a tie between {option}",
		NoQuorum: "**Result:** too few people voted", Cancelled: "**This vote was called off.**", Closed: "**This vote is closed.**",
		VoteClosed: "This vote is closed, so your click was not counted.", UnknownOption: "This is not an option of this vote (any more), so your click was not counted.",
		NoChange: "You have voted, and votes cannot be changed here.", TooMany: "You can choose at most {n} options. Take one back first.",
		TooFew: "Please choose at least {n} options. What you chose was not counted.", MayNotClose: "You are not among those who can close this vote.",
		Recorded: "Your vote was recorded: {option}. Only you see this.", TakenBack: "Your vote was taken back. Only you see this.",
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

// put replaces {name} in a text.
func put(text, name, value string) string { return strings.ReplaceAll(text, "{"+name+"}", value) }

func putN(text string, n int64) string { return put(text, "n", strconv.FormatInt(n, 10)) }
