package vote

import "time"

// MaxListed is up to how many entries an outcome lists the voters of each option, where ballots are public. Beyond it
// the list is left out as a whole, for half a list would mislead; the ballots are read by page from the store.
const MaxListed = 1000

// Tally is what was counted.
type Tally struct {
	// Counts are a store's counts of the lines that Pick gave. From a platform that counts by itself they are one for
	// each option: its text is the choice. Of one question's, use the one form or the other.
	Counts []Count `json:"counts"`
	// Voters is how many people voted, where it is known; 0 takes what the counts tell.
	Voters int64 `json:"voters,omitempty"`
	// Weight is what the votes of all who voted weigh together; 0 takes what the counts tell.
	Weight Weight `json:"weight,omitempty"`
	// Eligible is how many people may vote; 0 takes the number of the Ask's eligible voters, if it lists them.
	Eligible int64 `json:"eligible,omitempty"`
	// Ballots are for listing the voters of each option. Nothing is counted from them, so they may be left out.
	Ballots []Ballot `json:"ballots,omitempty"`
}

// ClosedBy says what closed a vote.
type ClosedBy string

const (
	ByTime     ClosedBy = "time"     // ClosingAt came
	ByDriver   ClosedBy = "driver"   // the driver asked for it
	ByPerson   ClosedBy = "person"   // somebody in MayClose did it on the platform
	ByDecision ClosedBy = "decided"  // nothing could change the result any more
	ByPlatform ClosedBy = "platform" // the platform closed it, by a rule of its own
	ByDeletion ClosedBy = "deleted"  // what carried the vote was deleted on the platform
)

// Closing says how and when a vote was closed. The zero value is for a vote that is still open: Decide then says how
// it stands.
type Closing struct {
	By     ClosedBy  `json:"by,omitempty"`
	User   string    `json:"user,omitempty"` // who, with ByPerson
	At     time.Time `json:"at,omitzero"`
	Cancel bool      `json:"cancel,omitempty"` // it was called off: there is no result
	Note   string    `json:"note,omitempty"`   // what was not as it should be: the platform could not be asked once more
}

// Result is how a vote ended.
type Result string

const (
	Passed    Result = "passed"    // there is a winner; of a boolean vote: yes won
	Failed    Result = "failed"    // there is none, for the reason given
	Tie       Result = "tie"       // the leading options are equal, and the tie rule is "none"
	NoQuorum  Result = "no_quorum" // too few people voted
	Cancelled Result = "cancelled" // it was called off
)

// Reason says why a vote failed, or what was wrong with its quorum.
type Reason string

const (
	BelowThreshold  Reason = "threshold"        // the leading option did not reach it
	NoVotes         Reason = "no_votes"         // nobody voted, or only with votes that weigh nothing
	TieFailed       Reason = "tie"              // a tie, and the tie rule is "status_quo"
	Vetoed          Reason = "veto"             // so many were against it that it fails whatever the others say
	PostDeleted     Reason = "deleted"          // what carried the vote was deleted
	EligibleUnknown Reason = "eligible_unknown" // the quorum is a share of the eligible, whose number is not known
)

// Outcome is what every voting process completes with.
type Outcome struct {
	Version  string   `json:"version" jsonschema_description:"The version of the voting standard."`
	Title    string   `json:"title,omitempty" jsonschema_description:"What was to be decided."`
	PollType PollType `json:"poll_type" jsonschema_description:"boolean, choice, multiple, approval, ranked, score, dot or consent."`

	// Result of several questions is the worst of theirs, in this order: cancelled, no_quorum, tie, failed, passed. So
	// it is "passed" only if all of them passed. Reason is that question's.
	Result Result `json:"result" jsonschema:"enum=passed,enum=failed,enum=tie,enum=no_quorum,enum=cancelled" jsonschema_description:"How the vote ended; of several questions, the worst result of any."`
	Reason Reason `json:"reason,omitempty" jsonschema_description:"Why it failed: threshold, no_votes, tie, veto, deleted; or eligible_unknown where a quorum could not be judged."`
	// Winner is the option that won, if there was one question.
	Winner    string          `json:"winner,omitempty" jsonschema_description:"The option that won, where there was one question and it passed."`
	Questions []QuestionCount `json:"questions" jsonschema_description:"Each question, in the order asked; a vote without questions has one, whose text is empty."`
	Turnout   Turnout         `json:"turnout" jsonschema_description:"How many took part."`

	ClosedBy     ClosedBy  `json:"closed_by,omitempty" jsonschema_description:"What closed it: time, driver, person, decided, platform or deleted."`
	ClosedByUser string    `json:"closed_by_user,omitempty" jsonschema_description:"Who closed it, where a person did."`
	ClosedAt     time.Time `json:"closed_at,omitzero" jsonschema_description:"When it was closed."`

	// Ignored is how many ballots were counted for questions or choices that were not asked. They are in no other
	// figure; more than 0 says that something else than this library wrote the counts.
	Ignored int64 `json:"ignored,omitempty" jsonschema_description:"Ballots for choices that were not asked; in no other figure."`
}

// QuestionCount is how one question was decided.
type QuestionCount struct {
	Question string `json:"question,omitempty" jsonschema_description:"The question's text; empty where the title is the only question."`
	Result   Result `json:"result" jsonschema_description:"How this question was decided."`
	Reason   Reason `json:"reason,omitempty" jsonschema_description:"Why there is no winner, where there is none."`
	Winner   string `json:"winner,omitempty" jsonschema_description:"The option that won, where it passed."`
	// Tied are the options that tied for the first place, whatever the tie rule made of it.
	Tied    []string      `json:"tied,omitempty" jsonschema_description:"The options that tied for the first place."`
	Voters  int64         `json:"voters" jsonschema_description:"How many people voted on this question."`
	Weight  Weight        `json:"weight" jsonschema:"type=number" jsonschema_description:"What their votes weigh together."`
	Options []OptionCount `json:"options" jsonschema_description:"Each option, in the order asked."`

	// Rounds are those of a ranked vote by irv, first to last.
	Rounds []Round `json:"rounds,omitempty" jsonschema_description:"The rounds of an instant run-off, first to last."`
	// Pairs are of a ranked vote by condorcet with at most [MaxPairs] options: what the ballots weigh that prefer the option of the row to that of the column.
	Pairs [][]Weight `json:"pairs,omitempty" jsonschema_description:"Of a ranked vote by condorcet: what the ballots weigh that prefer the option of the row to that of the column, in the order asked."`
}

// MaxPairs is up to how many options an outcome shows how they compare, each with each other.
const MaxPairs = 20

// Round is one round of an instant run-off.
type Round struct {
	Weights    []Weight `json:"weights" jsonschema_description:"What the ballots weigh that have each option first now, in the order asked; 0 for those that are out."`
	Exhausted  Weight   `json:"exhausted,omitempty" jsonschema:"type=number" jsonschema_description:"What the ballots weigh that rank none of those who are left."`
	Eliminated string   `json:"eliminated,omitempty" jsonschema_description:"Who is out after this round."`
}

// OptionCount is what one option got.
type OptionCount struct {
	Option string `json:"option" jsonschema_description:"The option's text, as it was asked."`
	// Ballots and Weight are of those who chose it: of a ranked vote, who ranked it first; of a score or dot vote, who gave it any points.
	Ballots int64  `json:"ballots" jsonschema_description:"How many people chose it: ranked it first, or gave it any points."`
	Weight  Weight `json:"weight" jsonschema:"type=number" jsonschema_description:"What their votes weigh together."`
	// Points is the sum of points of a score or dot vote, each times what the vote weighs, and Mean that sum for each vote of weight 1, rounded down.
	Points Weight `json:"points,omitempty" jsonschema:"type=number" jsonschema_description:"Of a score or dot vote: the sum of the points, each times what the vote weighs."`
	Mean   Weight `json:"mean,omitempty" jsonschema:"type=number" jsonschema_description:"Of a score vote: the points for each vote of weight 1, rounded down to six decimals."`
	// Share of the question's weight, rounded down to six decimals: for showing. Decide compares exactly.
	Share Weight   `json:"share" jsonschema:"type=number" jsonschema_description:"Its share of the weight, from 0 to 1, rounded down to six decimals."`
	Users []string `json:"users,omitempty" jsonschema_description:"Who chose it, in the order of voting, where ballots are public and not too many."`
}

// Turnout is how many took part in a vote.
type Turnout struct {
	Voters   int64  `json:"voters" jsonschema_description:"How many people voted on at least one question."`
	Eligible int64  `json:"eligible,omitempty" jsonschema_description:"How many people could vote; absent: not known."`
	Weight   Weight `json:"weight" jsonschema:"type=number" jsonschema_description:"What the votes of all who voted weigh together."`
}
