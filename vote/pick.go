package vote

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	NeedsPoints     Refusal = "needs_points"     // options were chosen where points are given
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

// Pick turns what a voter chose for one question into the lines of the ballot to cast; no choices take the vote back. A ranking is given as the
// options in order, the one that is preferred most first; points are for [Ask.Points].
//
// Boolean, choice and consent give one line, with the choice, and so does ranked, with the ranking in a form of its own. Multiple, approval,
// score and dot give one for each option, whose question names the option (SplitKey) and whose choice is Yes or No, or the points as a decimal number, so that a store
// that keeps one choice for each voter and question replaces the whole ballot at once and its counts say how many voted. The error is *Refused.
func (a Ask) Pick(question string, choices ...string) ([]Picked, error) {
	a = a.withDefaults()
	if !slices.Contains(a.Asked(), question) {
		return nil, &Refused{UnknownQuestion, fmt.Sprintf("%q is not a question of this vote.", clip(question))}
	}
	options := a.Choices()
	ranking := make([]int, len(choices))
	for i, c := range choices {
		if ranking[i] = slices.Index(options, c); ranking[i] < 0 {
			return nil, &Refused{UnknownChoice, fmt.Sprintf("%q is not an option of this vote.", clip(c))}
		}
		if slices.Contains(choices[:i], c) {
			return nil, &Refused{TooMany, fmt.Sprintf("%q was chosen twice.", clip(c))}
		}
	}
	switch n := len(choices); {
	case n > 0 && a.points():
		return nil, &Refused{NeedsPoints, "This vote takes points for each option."}
	case n > 0 && n < a.MinChoices:
		return nil, &Refused{TooFew, fmt.Sprintf("Please choose at least %d options, not %d.", a.MinChoices, n)}
	case n > a.MaxChoices:
		return nil, &Refused{TooMany, fmt.Sprintf("Please choose at most %d options, not %d.", a.MaxChoices, n)}
	}

	if !a.byOption() {
		if len(choices) == 0 {
			return []Picked{{Question: question}}, nil
		}
		if a.PollType == Ranked {
			return []Picked{{question, writeRanking(ranking)}}, nil
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

// Points turns the points that a voter gave the options of a score or dot vote into the lines of the ballot to cast. Options that are not named get
// none; no points at all, a nil map, take the vote back. The error is *Refused.
func (a Ask) Points(question string, points map[string]int) ([]Picked, error) {
	a = a.withDefaults()
	if !a.points() {
		return nil, &Refused{UnknownChoice, "This vote takes no points."}
	}
	if len(points) == 0 {
		return a.Pick(question)
	}
	if !slices.Contains(a.Asked(), question) {
		return nil, &Refused{UnknownQuestion, fmt.Sprintf("%q is not a question of this vote.", clip(question))}
	}
	options := a.Choices()
	sum := 0
	for _, o := range slices.Sorted(maps.Keys(points)) {
		n := points[o]
		switch {
		case !slices.Contains(options, o):
			return nil, &Refused{UnknownChoice, fmt.Sprintf("%q is not an option of this vote.", clip(o))}
		case n < 0:
			return nil, &Refused{TooFew, "Points are not negative."}
		case n > a.most():
			return nil, &Refused{TooMany, fmt.Sprintf("Please give an option at most %d, not %d.", a.most(), n)}
		}
		sum += n
	}
	switch {
	case a.PollType == Dot && sum > a.Dots:
		return nil, &Refused{TooMany, fmt.Sprintf("Please spend at most %d dots, not %d.", a.Dots, sum)}
	case a.PollType == Dot && sum == 0:
		return nil, &Refused{TooFew, "Please spend at least one dot."}
	}
	out := make([]Picked, len(options))
	for i, o := range options {
		out[i] = Picked{optionKey(question, o), strconv.Itoa(points[o])}
	}
	return out, nil
}

// most is how many points a ballot may give one option.
func (a Ask) most() int {
	if a.PollType == Dot {
		return a.Dots
	}
	return a.MaxScore
}
