package vote

import (
	"slices"
	"strings"
	"time"
)

// Version is the version of this standard. Every outcome says it.
const Version = "2"

// PollType says what a ballot looks like.
type PollType string

const (
	Boolean  PollType = "boolean"  // yes or no
	Choice   PollType = "choice"   // one of the options
	Multiple PollType = "multiple" // from MinChoices to MaxChoices of the options
	Approval PollType = "approval" // as many of the options as one likes: the one that most approve of wins
	Ranked   PollType = "ranked"   // the options in the order in which one prefers them
	Score    PollType = "score"    // so many points for each option
	Dot      PollType = "dot"      // a number of dots, spent on the options as one likes
	Consent  PollType = "consent"  // consent, abstain or object: it passes where nobody objects
)

// The answers of a consent vote.
const (
	Consents = "consent"
	Abstains = "abstain"
	Objects  = "object"
)

// RankingMethod is how rankings are counted.
type RankingMethod string

const (
	// InstantRunoff takes out the option with the fewest first preferences, again and again, until one has more than half of the ballots that still rank
	// an option. It is not monotone: more support can make an option lose.
	InstantRunoff RankingMethod = "irv"
	// Condorcet has the option win that is preferred to each other one by more than prefer the other; where there is none, Schulze's method completes it.
	Condorcet RankingMethod = "condorcet"
)

// The two answers of a boolean vote.
const (
	Yes = "yes"
	No  = "no"
)

// Secrecy says what is shown, and when.
type Secrecy string

const (
	Public     Secrecy = "public" // who voted for what
	CountsOnly Secrecy = "counts" // how many voted for what
	Hidden     Secrecy = "hidden" // nothing until the vote is closed, then how many voted for what
)

// TieRule says what becomes of a tie between the leading options. There is no lot, because nobody could recount it, and
// no casting vote, because the person who has it may not have voted: who wants one of these takes "none" and acts on
// the tie.
type TieRule string

const (
	TieNone      TieRule = "none"       // the result is "tie", and somebody else decides
	TieFirst     TieRule = "first"      // the first of the tied options, in the order in which they were asked, wins
	TieStatusQuo TieRule = "status_quo" // nothing changes: the result is "failed", with the reason "tie"
)

// Eligibility says when it is worked out who may vote.
type Eligibility string

const (
	Snapshot Eligibility = "snapshot" // when the vote starts: who has a role then may vote until the end
	Live     Eligibility = "live"     // at each ballot
)

// Limits of what can be asked. A platform may allow less: see Can.
const (
	MaxTitle     = 300     // characters
	MaxDetails   = 10_000  // characters
	MaxOption    = 200     // characters of an option or a question
	MaxOptions   = 100     // options
	MaxRanked    = 50      // options of a ranked vote: comparing each two of them costs their square
	MaxQuestions = 100     // questions
	MaxMessage   = 1_000   // characters of IneligibleVoterMessage
	MaxVoters    = 100_000 // entries of one list of people
	MaxPoints    = 1_000   // points for one option, and dots
	MaxReminders = 5
	MaxMinutes   = 527_040 // of MinMinutes and reminders: a year

	// MaxOpen is how far away ClosingAt may be: ten years. A time beyond it is a mistake in the units.
	MaxOpen = 3653 * 24 * time.Hour
)

// DefaultIneligibleVoterMessage is what somebody hears who may not vote, where the Ask says nothing else.
const DefaultIneligibleVoterMessage = "You are not among the people who can vote here, so your vote was not counted."

// Ask is what a driver asks when it starts a vote. Every voting process embeds it, without a name, in its input, so
// that all of them take the same parameters and a driver can swap one platform's vote for another's.
//
// Ask deliberately has no JSON methods: they would be promoted to the struct that embeds it and hide that one's fields.
type Ask struct {
	Title   string `json:"title" jsonschema:"title=Title,minLength=1,maxLength=300" jsonschema_description:"What is to be decided, in one line."`
	Details string `json:"details,omitempty" jsonschema:"title=Details,maxLength=10000" jsonschema_description:"More about it, in as many lines as needed."`

	// PollType is boolean where empty.
	PollType PollType `json:"poll_type,omitempty" jsonschema:"title=Poll type,enum=boolean,enum=choice,enum=multiple,enum=approval,enum=ranked,enum=score,enum=dot,enum=consent,default=boolean" jsonschema_description:"What a ballot looks like: yes or no (boolean), one of the options (choice), several of them (multiple), all that one approves of (approval), the options in order (ranked), points for each (score), dots spent on them (dot), or consent, abstain or object (consent)."`
	// Options are the choices, in the order in which they are shown. A ballot records an option's text exactly as it
	// is given here. A boolean vote has none: its answers are Yes and No.
	Options []string `json:"options,omitempty" jsonschema:"title=Options,maxItems=100" jsonschema_description:"What people choose from, each different from the others: two or more, but none for boolean and consent."`
	// Questions are the rows of a matrix: each is answered with the same options and is decided by itself. Empty means
	// one question, the title.
	Questions []string `json:"questions,omitempty" jsonschema:"title=Questions,maxItems=100" jsonschema_description:"Several questions (candidates, proposals) that are answered with the same options in one vote, each decided by itself. Empty: one question, the title."`
	// MinChoices and MaxChoices say how many options a ballot of a multiple vote names, for each question; 0 means 1
	// and all of them.
	MinChoices int `json:"min_choices,omitempty" jsonschema:"title=Fewest choices,minimum=0" jsonschema_description:"For multiple, approval and ranked: the fewest options that one ballot may name. 0 means 1."`
	MaxChoices int `json:"max_choices,omitempty" jsonschema:"title=Most choices,minimum=0" jsonschema_description:"For multiple, approval and ranked: the most options that one ballot may name. 0 means all of them."`
	// RankingMethod is irv where empty.
	RankingMethod RankingMethod `json:"ranking_method,omitempty" jsonschema:"title=Ranking method,enum=irv,enum=condorcet" jsonschema_description:"For ranked: instant run-off (irv, the default) or the option that beats each other one (condorcet, with Schulze's method where none does)."`
	// MaxScore is the most points for one option of a score vote; 0 means 5. The fewest are 0.
	MaxScore int `json:"max_score,omitempty" jsonschema:"title=Most points,minimum=0,maximum=1000" jsonschema_description:"For score: the most points that one ballot may give an option, from 0 on. 0 means 5."`
	// Dots is how many dots a ballot of a dot vote may spend; 0 means 10.
	Dots int `json:"dots,omitempty" jsonschema:"title=Dots,minimum=0,maximum=1000" jsonschema_description:"For dot: how many dots one ballot may spend on the options, all or some of them. 0 means 10."`

	// ClosingAt is when the vote closes by itself. A ballot whose platform time is exactly this still counts. Nil: it
	// stays open until somebody closes it.
	ClosingAt *time.Time `json:"closing_at,omitempty" jsonschema:"title=Closing time" jsonschema_description:"When the vote closes by itself. A ballot cast at this very moment still counts. Absent: it is open until somebody closes it."`

	// MinMinutes is how long the vote is open at the least before it may close because it is decided, or because somebody closes it on the platform.
	// The driver may close it at any time.
	MinMinutes int `json:"min_minutes,omitempty" jsonschema:"title=Shortest time,minimum=0,maximum=527040" jsonschema_description:"For how many minutes the vote stays open at the least, before it may close because it is decided or because somebody closes it on the platform."`
	// CloseWhenDecided closes the vote when nothing that those could do who have not voted would change its result, see [Ask.Decided].
	CloseWhenDecided bool `json:"close_when_decided,omitempty" jsonschema:"title=Close when decided" jsonschema_description:"Whether the vote closes as soon as those who have not voted yet could not change its result any more."`
	// Reminders are minutes before ClosingAt at which people are reminded.
	Reminders []int `json:"reminders,omitempty" jsonschema:"title=Reminders,maxItems=5" jsonschema_description:"How many minutes before the closing time people are reminded: at most five times."`

	// EligibleVoters may vote: nil means everybody, empty and not nil means nobody. An entry is a user ID of the process's own platform or, by its beginning,
	// account:PLUGIN/PLATFORM/USER, person:ID, person:* (everybody with a linked account), role:INSTANCE/NAME, organization:ID or claim:KIND/NAME, each part
	// escaped as in a URL's path. The gateway finds who they are; somebody who is on the list may vote by any of their accounts, once.
	EligibleVoters []string `json:"eligible_voters,omitzero" jsonschema:"title=Eligible voters,maxItems=100000" jsonschema_description:"Those who may vote: platform user IDs, or subjects such as person:ID, role:INSTANCE/NAME, organization:ID and claim:KIND/NAME. Absent: everybody. An empty list: nobody."`
	// IneligibleVoters may not vote, even those who are among EligibleVoters: whoever excludes somebody (a proposer)
	// must be able to rely on it, whatever list the others come from.
	IneligibleVoters []string `json:"ineligible_voters,omitempty" jsonschema:"title=Ineligible voters,maxItems=100000" jsonschema_description:"Those who may not vote, by any of their accounts, even if they are among the eligible: as for eligible voters."`
	// Eligibility is snapshot where empty. It is about roles, organizations and claims: accounts that become known to be an eligible or ineligible
	// person's while the vote is open always follow that person.
	Eligibility            Eligibility `json:"eligibility,omitempty" jsonschema:"title=When it is worked out who may vote,enum=snapshot,enum=live,default=snapshot" jsonschema_description:"Whether roles, organizations and claims are looked at when the vote starts (snapshot) or at each ballot (live)."`
	IneligibleVoterMessage string      `json:"ineligible_voter_message,omitempty" jsonschema:"title=Message to ineligible voters,maxLength=1000" jsonschema_description:"What somebody is told who tries to vote and may not."`

	// Weights are what the votes of the people listed weigh; everybody else's weighs One.
	Weights []VoterWeight `json:"weights,omitempty" jsonschema:"title=Weights,maxItems=100000" jsonschema_description:"What the votes of certain people weigh. Everybody else's weighs 1."`

	// Quorum counts people, not weights: it asks whether enough of them took part. With several questions each needs
	// it by itself. Where both Quorum and QuorumShare are given, both must be met.
	Quorum int `json:"quorum,omitempty" jsonschema:"title=Quorum,minimum=0" jsonschema_description:"The fewest people who must have voted for the vote to count. 0: no quorum."`
	// QuorumShare needs the number of eligible people: see Can.EligibleCount.
	QuorumShare Fraction `json:"quorum_share,omitempty" jsonschema:"title=Quorum as a share,pattern=^(>?[0-9]+(/[0-9]+|[.][0-9]+)?%?)?$,example=1/3,example=25%" jsonschema_description:"The share of the eligible people who must have voted, such as 1/3 or 25% (at least that many)."`
	// Threshold is the share of the weight of the votes cast that an option needs to win; in a multiple vote, of the
	// weight of all who voted. Empty: ">1/2" for boolean; for the others most votes win.
	// Of a ranked vote by irv it is of all who voted what the winner has in the last round, by condorcet the fewest by whom it is preferred to another
	// option; in a score vote the points of the most that were possible; in a dot vote of the dots that were spent; in a consent vote of those who did not abstain.
	Threshold Fraction `json:"threshold,omitempty" jsonschema:"title=Threshold,pattern=^(>?[0-9]+(/[0-9]+|[.][0-9]+)?%?)?$,example=2/3,example=>1/2,example=60%" jsonschema_description:"The share of the votes cast that an option needs to win: 2/3 or 60% mean at least that much and >1/2 means more than that. Absent: more than half for boolean; otherwise most votes win."`
	// Veto is how many ballots against it (no, object) fail a vote whatever the others say; it counts people. 0: none, but 1 for consent.
	Veto    int     `json:"veto,omitempty" jsonschema:"title=Veto,minimum=0" jsonschema_description:"For boolean and consent: so many votes against it (no, object) fail the vote, whatever the others say. 0: no veto, but 1 for consent."`
	TieRule TieRule `json:"tie_rule,omitempty" jsonschema:"title=Tie rule,enum=none,enum=first,enum=status_quo,default=none" jsonschema_description:"What becomes of a tie: the result is a tie (none), the tied option that was asked first wins (first), or nothing changes and the vote fails (status_quo)."`

	Secrecy Secrecy `json:"secrecy,omitempty" jsonschema:"title=Secrecy,enum=public,enum=counts,enum=hidden,default=public" jsonschema_description:"What people see: who voted for what (public), only how many did (counts), or nothing before the vote is closed and then only how many (hidden)."`
	// MayChange nil means true. Taking a vote back is a change too.
	MayChange *bool `json:"may_change,omitempty" jsonschema:"title=Votes may be changed,default=true" jsonschema_description:"Whether people may change their vote, or take it back, while the vote is open."`
	// MayClose lists who may close the vote on the platform. The driver always may.
	MayClose []string `json:"may_close,omitempty" jsonschema:"title=Who may close it,maxItems=100000" jsonschema_description:"Those who may close the vote on the platform: as for eligible voters. Empty: only the time and the driver close it."`
}

// VoterWeight is what one person's vote weighs.
type VoterWeight struct {
	Voter  string `json:"voter" jsonschema:"title=Voter,minLength=1" jsonschema_description:"The platform user ID, or account:PLUGIN/PLATFORM/USER or person:ID."`
	Weight Weight `json:"weight" jsonschema:"type=number,title=Weight,minimum=0,maximum=1000000000" jsonschema_description:"What this person's vote weighs, with at most six decimals. 0: it counts for the quorum only."`
}

// withDefaults fills in what was left out. Every method starts from it, so that an Ask that was never normalised still
// means the same.
func (a Ask) withDefaults() Ask {
	if a.PollType == "" {
		a.PollType = Boolean
	}
	if a.MinChoices == 0 {
		a.MinChoices = 1
	}
	if a.MaxChoices == 0 {
		a.MaxChoices = 1
		if a.severalChoices() {
			a.MaxChoices = len(a.Options)
		}
	}
	if a.PollType == Ranked && a.RankingMethod == "" {
		a.RankingMethod = InstantRunoff
	}
	if a.PollType == Score && a.MaxScore == 0 {
		a.MaxScore = 5
	}
	if a.PollType == Dot && a.Dots == 0 {
		a.Dots = 10
	}
	if a.PollType == Consent && a.Veto == 0 {
		a.Veto = 1
	}
	if a.IneligibleVoterMessage == "" {
		a.IneligibleVoterMessage = DefaultIneligibleVoterMessage
	}
	if a.Threshold == "" && a.PollType == Boolean {
		a.Threshold = ">1/2"
	}
	if a.TieRule == "" {
		a.TieRule = TieNone
	}
	if a.Secrecy == "" {
		a.Secrecy = Public
	}
	if a.Eligibility == "" {
		a.Eligibility = Snapshot
	}
	if a.MayChange == nil {
		a.MayChange = new(true)
	}
	return a
}

// Choices lists what a voter chooses from, in order: the options, or Yes and No. These texts are what ballots and
// outcomes record; a button that has no room for the text carries the index into this list.
func (a Ask) Choices() []string {
	switch a.PollType {
	case Boolean, "":
		return []string{Yes, No}
	case Consent:
		return []string{Consents, Abstains, Objects}
	}
	return slices.Clone(a.Options)
}

// severalChoices says that a ballot names several options.
func (a Ask) severalChoices() bool {
	return a.PollType == Multiple || a.PollType == Approval || a.PollType == Ranked
}

// byOption says that a ballot has a line for each option, whose question names the option.
func (a Ask) byOption() bool {
	return a.PollType == Multiple || a.PollType == Approval || a.points()
}

// points says that a ballot gives numbers to options.
func (a Ask) points() bool { return a.PollType == Score || a.PollType == Dot }

// Asked lists the questions, in order: Questions, or one empty text that stands for the title.
func (a Ask) Asked() []string {
	if len(a.Questions) == 0 {
		return []string{""}
	}
	return slices.Clone(a.Questions)
}

// ChoiceAt gives the text of a button that carries the index of a choice. The index comes from outside, so it may be
// any number.
func (a Ask) ChoiceAt(i int) (string, bool) { return at(a.Choices(), i) }

// QuestionAt gives the text of the question with that index.
func (a Ask) QuestionAt(i int) (string, bool) { return at(a.Asked(), i) }

func at(list []string, i int) (string, bool) {
	if i < 0 || i >= len(list) {
		return "", false
	}
	return list[i], true
}

// Eligible says whether somebody may vote. It reads through the lists; whoever keeps them in a store asks that instead.
func (a Ask) Eligible(voter string) bool {
	return voter != "" && !slices.Contains(a.IneligibleVoters, voter) &&
		(a.EligibleVoters == nil || slices.Contains(a.EligibleVoters, voter))
}

// WeightOf says what somebody's vote weighs.
func (a Ask) WeightOf(voter string) Weight {
	for _, w := range a.Weights {
		if w.Voter == voter {
			return w.Weight
		}
	}
	return One
}

// ClosableBy says whether somebody may close the vote on the platform.
func (a Ask) ClosableBy(user string) bool { return user != "" && slices.Contains(a.MayClose, user) }

// Final says whether a vote, once cast, stays as it is.
func (a Ask) Final() bool { return a.MayChange != nil && !*a.MayChange }

// CountsVisible says whether the counts may be shown now.
func (a Ask) CountsVisible(closed bool) bool { return closed || a.Secrecy != Hidden }

// VotersVisible says whether it may be shown who voted for what.
func (a Ask) VotersVisible() bool { return a.Secrecy == Public || a.Secrecy == "" }

// eligibleCount is the number of people who may vote, where the Ask itself says it.
func (a Ask) eligibleCount() (n int64, known bool) {
	if a.EligibleVoters == nil {
		return 0, false
	}
	not := make(map[string]bool, len(a.IneligibleVoters))
	for _, v := range a.IneligibleVoters {
		not[v] = true
	}
	for _, v := range a.EligibleVoters {
		if !not[v] {
			n++
			not[v] = true // Somebody who is listed twice is one person.
		}
	}
	return n, true
}

// Earliest is when a vote that was opened at a time may close because it is decided, or because a person closes it.
func (a Ask) Earliest(opened time.Time) time.Time {
	return opened.Add(time.Duration(a.MinMinutes) * time.Minute)
}

// optionKey is the question under which a multiple vote records whether one option was chosen. A store keeps one choice
// for each voter and question, so several choices are several questions. Neither text has a line break in it.
func optionKey(question, option string) string {
	if question == "" {
		return option
	}
	return question + "\n" + option
}

// SplitKey takes apart the question of a count or ballot of a multiple vote, for showing it: "Parks\nTrees" are the
// question Parks and its option Trees. The question is empty where the vote has only one.
func SplitKey(key string) (question, option string) {
	if q, o, ok := strings.Cut(key, "\n"); ok {
		return q, o
	}
	return "", key
}
