package vote

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Can is what a process can enforce on its platform. A plugin writes it down once for each voting process and calls
// Check when a vote starts, so that a driver learns at once that, say, reactions on GitHub cannot keep a vote secret,
// and not from a wrong result. The zero value can do no more than an open, changeable, boolean vote that everybody may
// take part in.
type Can struct {
	PollTypes []PollType `json:"poll_types,omitempty"` // nil: boolean only
	Secrecy   []Secrecy  `json:"secrecy,omitempty"`    // nil: public only

	MaxOptions   int  `json:"max_options,omitempty"`    // options of one vote; 0: as many as the standard allows
	MaxQuestions int  `json:"max_questions,omitempty"`  // 0: one
	MaxTitle     int  `json:"max_title,omitempty"`      // characters; 0: as many as the standard allows
	MaxOption    int  `json:"max_option,omitempty"`     // characters of an option or a question; 0: likewise
	AnyMinChoice bool `json:"any_min_choice,omitempty"` // it can insist on more than one choice
	AnyMaxChoice bool `json:"any_max_choice,omitempty"` // it can insist on fewer choices than there are options

	Eligibility   bool `json:"eligibility,omitempty"`     // it can leave out the votes of those who may not vote, and tell them
	EligibleCount bool `json:"eligible_count,omitempty"`  // it knows how many may vote without being given the list
	Live          bool `json:"live,omitempty"`            // it takes each ballot through the gateway, which can look at roles and claims then
	Weights       bool `json:"weights,omitempty"`         // it knows who voted and can weigh each vote
	NoChange      bool `json:"no_change,omitempty"`       // it can hold people to their first vote
	AlwaysFinal   bool `json:"always_final,omitempty"`    // it cannot let people change their vote
	CloseByPeople bool `json:"close_by_people,omitempty"` // certain people can close it on the platform
	ClosingAt     bool `json:"closing_at,omitempty"`      // it closes at a time
	NeedsClosing  bool `json:"needs_closing,omitempty"`   // it cannot stay open without a closing time
	Early         bool `json:"early,omitempty"`           // it can close when the vote is decided, and hold people to the shortest time
	Reminders     bool `json:"reminders,omitempty"`       // it can remind people

	RankingMethods []RankingMethod `json:"ranking_methods,omitempty"` // nil: all, where it holds ranked votes
}

// Check refuses what cannot be enforced, naming each parameter. Its error is *Invalid. Call it with an Ask that was
// normalised, before anything is shown on the platform.
func (c Can) Check(a Ask) error {
	a = a.withDefaults()
	bad := new(Invalid)
	const here = "cannot be enforced here: "

	if !slices.Contains(orDefault(c.PollTypes, Boolean), a.PollType) {
		bad.add("/poll_type", here+"%s votes", a.PollType)
	}
	if n := len(a.Options); c.MaxOptions > 0 && n > c.MaxOptions {
		bad.add("/options", "has %d, at most %d are possible here", n, c.MaxOptions)
	}
	if n := len(a.Questions); n > max(c.MaxQuestions, 1) {
		bad.add("/questions", "has %d, at most %d are possible here", n, max(c.MaxQuestions, 1))
	}
	if n := utf8.RuneCountInString(a.Title); c.MaxTitle > 0 && n > c.MaxTitle {
		bad.add("/title", "has %d characters, at most %d are possible here", n, c.MaxTitle)
	}
	if c.MaxOption > 0 {
		tooLong := func(s string) bool { return utf8.RuneCountInString(s) > c.MaxOption }
		if slices.ContainsFunc(a.Options, tooLong) {
			bad.add("/options", "has one of more than %d characters, which are possible here", c.MaxOption)
		}
		if slices.ContainsFunc(a.Questions, tooLong) {
			bad.add("/questions", "has one of more than %d characters, which are possible here", c.MaxOption)
		}
	}
	if a.severalChoices() {
		if a.MinChoices > 1 && !c.AnyMinChoice {
			bad.add("/min_choices", here+"more than one choice")
		}
		if a.MaxChoices < len(a.Options) && !c.AnyMaxChoice {
			bad.add("/max_choices", here+"fewer choices than there are options")
		}
	}

	if a.PollType == Ranked && c.RankingMethods != nil && !slices.Contains(c.RankingMethods, a.RankingMethod) {
		bad.add("/ranking_method", here+"%s", a.RankingMethod)
	}
	if a.CloseWhenDecided && !c.Early {
		bad.add("/close_when_decided", here+"an end before its time")
	}
	if a.CloseWhenDecided && a.EligibleVoters == nil && !c.EligibleCount {
		bad.add("/close_when_decided", "needs eligible_voters: how many people may vote is not known here")
	}
	if a.MinMinutes > 0 && !c.Early {
		bad.add("/min_minutes", here+"a shortest time")
	}
	if len(a.Reminders) > 0 && !c.Reminders {
		bad.add("/reminders", here+"reminders")
	}
	if a.Eligibility == Live && !c.Live {
		bad.add("/eligibility", here+"who may vote at each ballot")
	}
	if a.EligibleVoters != nil && !c.Eligibility {
		bad.add("/eligible_voters", here+"who may vote")
	}
	if len(a.IneligibleVoters) > 0 && !c.Eligibility {
		bad.add("/ineligible_voters", here+"who may not vote")
	}
	if len(a.Weights) > 0 && !c.Weights {
		bad.add("/weights", here+"votes of different weights")
	}
	if a.QuorumShare != "" && a.EligibleVoters == nil && !c.EligibleCount {
		bad.add("/quorum_share", "needs eligible_voters: how many people may vote is not known here")
	}
	if able := orDefault(c.Secrecy, Public); !slices.Contains(able, a.Secrecy) {
		names := make([]string, len(able))
		for i, s := range able {
			names[i] = string(s)
		}
		bad.add("/secrecy", here+"%s, only %s", a.Secrecy, strings.Join(names, ", "))
	}
	if a.Final() && !c.NoChange {
		bad.add("/may_change", here+"that nobody changes a vote")
	}
	if !a.Final() && c.AlwaysFinal {
		bad.add("/may_change", "votes cannot be changed here: ask for false")
	}
	if len(a.MayClose) > 0 && !c.CloseByPeople {
		bad.add("/may_close", here+"who may close the vote")
	}
	if a.ClosingAt != nil && !c.ClosingAt {
		bad.add("/closing_at", here+"a closing time")
	}
	if a.ClosingAt == nil && c.NeedsClosing {
		bad.add("/closing_at", "is needed here: a vote cannot stay open without an end")
	}
	return bad.or()
}

func orDefault[T any](list []T, one T) []T {
	if list == nil {
		return []T{one}
	}
	return list
}
