package vote

import (
	"fmt"
	"slices"
)

// Refusal says why a ballot was not taken.
type Refusal string

const (
	Ineligible      Refusal = "ineligible"       // the voter may not vote
	UnknownQuestion Refusal = "unknown_question" // nobody asked that
	UnknownChoice   Refusal = "unknown_choice"   // not among the options
	TooFew          Refusal = "too_few"          // fewer choices than MinChoices
	TooMany         Refusal = "too_many"         // more choices than MaxChoices, or one of them twice
	NoChange        Refusal = "no_change"        // the voter has voted, and votes may not be changed
	Late            Refusal = "late"             // cast after the vote was closed
)

// Refused is the error of a ballot that was not taken, with a sentence for the voter.
type Refused struct {
	Code    Refusal
	Message string
}

func (e *Refused) Error() string { return e.Message }

// Picked is one line of a ballot: a voter's choice for one question. Cast all lines of a Pick at once.
type Picked struct {
	Question string
	Choice   string // empty: taken back
}

// Pick turns what a voter chose for one question into the lines of the ballot to cast; no choices take the vote back.
// Boolean and choice give one line. Multiple gives one for each option, whose question names the option (SplitKey) and
// whose choice is Yes or No, so that a store that keeps one choice for each voter and question replaces the whole
// selection at once and its counts say how many voted. The error is *Refused.
func (a Ask) Pick(question string, choices ...string) ([]Picked, error) {
	a = a.withDefaults()
	if !slices.Contains(a.Asked(), question) {
		return nil, &Refused{UnknownQuestion, fmt.Sprintf("%q is not a question of this vote.", clip(question))}
	}
	options := a.Choices()
	for i, c := range choices {
		if !slices.Contains(options, c) {
			return nil, &Refused{UnknownChoice, fmt.Sprintf("%q is not an option of this vote.", clip(c))}
		}
		if slices.Contains(choices[:i], c) {
			return nil, &Refused{TooMany, fmt.Sprintf("%q was chosen twice.", clip(c))}
		}
	}
	if n := len(choices); n > 0 && n < a.MinChoices {
		return nil, &Refused{TooFew, fmt.Sprintf("Please choose at least %d options, not %d.", a.MinChoices, n)}
	} else if n > a.MaxChoices {
		return nil, &Refused{TooMany, fmt.Sprintf("Please choose at most %d options, not %d.", a.MaxChoices, n)}
	}

	if a.PollType != Multiple {
		if len(choices) == 0 {
			return []Picked{{Question: question}}, nil
		}
		return []Picked{{question, choices[0]}}, nil
	}
	out := make([]Picked, len(options))
	for i, o := range options {
		out[i].Question = optionKey(question, o)
		switch {
		case len(choices) == 0:
		case slices.Contains(choices, o):
			out[i].Choice = Yes
		default:
			out[i].Choice = No
		}
	}
	return out, nil
}
