package vote

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// FieldError is one thing that is wrong with an Ask.
type FieldError struct {
	Path    string `json:"path"`    // a JSON pointer into the Ask: "/options/2"
	Message string `json:"message"` // for people, without the path
}

// Invalid is the error of Normalize and of Can.Check. It names everything that is wrong, so that it can be put right
// at once.
type Invalid struct {
	Fields []FieldError
}

func (e *Invalid) Error() string {
	var b strings.Builder
	b.WriteString("this vote cannot be held as asked")
	for i, f := range e.Fields {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		b.WriteString(f.Path + " " + f.Message)
	}
	return b.String()
}

func (e *Invalid) add(path, format string, args ...any) {
	e.Fields = append(e.Fields, FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (e *Invalid) or() error {
	if len(e.Fields) == 0 {
		return nil
	}
	return e
}

// Normalize fills in the defaults and checks everything. Its error is *Invalid and names every violation; the Ask is
// then empty. Asking for it again changes nothing. The slices of the Ask it was called on are never written to.
//
// The closing time comes back in UTC and in microseconds, as stores keep it.
func (a Ask) Normalize(now time.Time) (Ask, error) {
	a = a.withDefaults()
	bad := new(Invalid)

	a.Title = strings.TrimSpace(a.Title)
	checkLine(bad, "/title", a.Title, MaxTitle)
	if !utf8.ValidString(a.Details) {
		bad.add("/details", "is not valid UTF-8")
	} else if n := utf8.RuneCountInString(a.Details); n > MaxDetails {
		bad.add("/details", "has %d characters, at most %d are possible", n, MaxDetails)
	}
	checkBallot(bad, a)
	checkLines(bad, "/questions", a.Questions, MaxQuestions)
	if len(a.Questions) == 0 {
		a.Questions = nil
	}
	if len(a.Options) == 0 {
		a.Options = nil
	}
	if len(a.Reminders) == 0 {
		a.Reminders = nil
	}

	if a.ClosingAt != nil {
		t := a.ClosingAt.UTC().Truncate(time.Microsecond)
		a.ClosingAt = &t
		switch {
		case !t.After(now):
			bad.add("/closing_at", "is not in the future")
		case t.Sub(now) > MaxOpen:
			bad.add("/closing_at", "is more than ten years away")
		}
	}

	a.EligibleVoters = checkPeople(bad, "/eligible_voters", a.EligibleVoters)
	a.IneligibleVoters = checkPeople(bad, "/ineligible_voters", a.IneligibleVoters)
	a.MayClose = checkPeople(bad, "/may_close", a.MayClose)
	if !utf8.ValidString(a.IneligibleVoterMessage) {
		bad.add("/ineligible_voter_message", "is not valid UTF-8")
	} else if n := utf8.RuneCountInString(a.IneligibleVoterMessage); n > MaxMessage {
		bad.add("/ineligible_voter_message", "has %d characters, at most %d are possible", n, MaxMessage)
	}
	checkWeights(bad, a.Weights)
	checkRules(bad, a)

	if err := bad.or(); err != nil {
		return Ask{}, err
	}
	return a, nil
}

func checkBallot(bad *Invalid, a Ask) {
	if a.MinChoices < 0 {
		bad.add("/min_choices", "is negative")
	}
	if a.MaxChoices < 0 {
		bad.add("/max_choices", "is negative")
	}
	switch a.PollType {
	case Boolean:
		if len(a.Options) > 0 {
			bad.add("/options", "a boolean vote has none: its answers are yes and no")
		}
	case Consent:
		if len(a.Options) > 0 {
			bad.add("/options", "a consent vote has none: its answers are consent, abstain and object")
		}
	case Choice, Multiple, Approval, Ranked, Score, Dot:
		if len(a.Options) < 2 {
			bad.add("/options", "has %d, at least 2 are needed", len(a.Options))
		}
		checkLines(bad, "/options", a.Options, MaxOptions)
	default:
		bad.add("/poll_type", "%q is not one of boolean, choice, multiple, approval, ranked, score, dot, consent", clip(string(a.PollType)))
		return
	}
	if a.PollType == Ranked && len(a.Options) > MaxRanked {
		bad.add("/options", "has %d, at most %d can be ranked", len(a.Options), MaxRanked)
	}
	checkPoints(bad, a)
	if !a.severalChoices() {
		if a.MinChoices > 1 {
			bad.add("/min_choices", "only a multiple, approval or ranked vote has more than one choice")
		}
		if a.MaxChoices > 1 {
			bad.add("/max_choices", "only a multiple, approval or ranked vote has more than one choice")
		}
		return
	}
	if a.MaxChoices > len(a.Options) {
		bad.add("/max_choices", "is %d, but there are only %d options", a.MaxChoices, len(a.Options))
	}
	if a.MinChoices > a.MaxChoices {
		bad.add("/min_choices", "is %d and thus more than the most choices, %d", a.MinChoices, a.MaxChoices)
	}
}

// checkPoints wants what belongs to one poll type only there.
func checkPoints(bad *Invalid, a Ask) {
	if a.RankingMethod != "" && a.PollType != Ranked {
		bad.add("/ranking_method", "only a ranked vote has one")
	} else if a.PollType == Ranked && a.RankingMethod != InstantRunoff && a.RankingMethod != Condorcet {
		bad.add("/ranking_method", "%q is not one of irv, condorcet", clip(string(a.RankingMethod)))
	}
	for _, n := range []struct {
		path string
		n    int
		of   PollType
	}{{"/max_score", a.MaxScore, Score}, {"/dots", a.Dots, Dot}} {
		switch {
		case n.n != 0 && a.PollType != n.of:
			bad.add(n.path, "only a %s vote has them", n.of)
		case n.n < 0 || n.n > MaxPoints:
			bad.add(n.path, "is not between 1 and %d", MaxPoints)
		}
	}
}

// checkTimes wants minutes that can be meant.
func checkTimes(bad *Invalid, a Ask) {
	if a.MinMinutes < 0 || a.MinMinutes > MaxMinutes {
		bad.add("/min_minutes", "is not between 0 and %d", MaxMinutes)
	}
	if len(a.Reminders) > MaxReminders {
		bad.add("/reminders", "has %d, at most %d are possible", len(a.Reminders), MaxReminders)
	}
	if len(a.Reminders) > 0 && a.ClosingAt == nil {
		bad.add("/reminders", "need closing_at: they come so long before the end")
	}
	for i, m := range a.Reminders {
		if m <= 0 || m > MaxMinutes {
			bad.add(fmt.Sprintf("/reminders/%d", i), "is not between 1 and %d", MaxMinutes)
		} else if slices.Contains(a.Reminders[:i], m) {
			bad.add(fmt.Sprintf("/reminders/%d", i), "is there twice")
		}
	}
}

func checkRules(bad *Invalid, a Ask) {
	checkTimes(bad, a)
	if a.Veto < 0 {
		bad.add("/veto", "is negative")
	} else if a.Veto > 0 && a.PollType != Boolean && a.PollType != Consent {
		bad.add("/veto", "only a boolean or consent vote has votes against it")
	}
	if a.Quorum < 0 {
		bad.add("/quorum", "is negative")
	}
	if a.QuorumShare != "" {
		if _, err := a.QuorumShare.read(); err != nil {
			bad.add("/quorum_share", "%v", err)
		}
	}
	if a.Threshold != "" {
		if _, err := a.Threshold.read(); err != nil {
			bad.add("/threshold", "%v", err)
		}
	}
	if !slices.Contains([]TieRule{TieNone, TieFirst, TieStatusQuo}, a.TieRule) {
		bad.add("/tie_rule", "%q is not one of none, first, status_quo", clip(string(a.TieRule)))
	}
	if !slices.Contains([]Eligibility{Snapshot, Live}, a.Eligibility) {
		bad.add("/eligibility", "%q is not one of snapshot, live", clip(string(a.Eligibility)))
	}
	if !slices.Contains([]Secrecy{Public, CountsOnly, Hidden}, a.Secrecy) {
		bad.add("/secrecy", "%q is not one of public, counts, hidden", clip(string(a.Secrecy)))
	}
}

// checkLine wants one line of text that people can read.
func checkLine(bad *Invalid, path, s string, most int) {
	switch n := utf8.RuneCountInString(s); {
	case strings.TrimSpace(s) == "":
		bad.add(path, "is empty")
	case !utf8.ValidString(s):
		bad.add(path, "is not valid UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		bad.add(path, "has a line break or another control character in it")
	case n > most:
		bad.add(path, "has %d characters, at most %d are possible", n, most)
	}
}

// checkLines wants lines that people can tell apart: those that differ only in spaces are the same.
func checkLines(bad *Invalid, path string, lines []string, most int) {
	if len(lines) > most {
		bad.add(path, "has %d, at most %d are possible", len(lines), most)
		return
	}
	seen := make(map[string]int, len(lines))
	for i, s := range lines {
		p := fmt.Sprintf("%s/%d", path, i)
		checkLine(bad, p, s, MaxOption)
		key := strings.Join(strings.Fields(s), " ")
		if j, ok := seen[key]; ok && key != "" {
			bad.add(p, "is the same as number %d", j)
			continue
		}
		seen[key] = i
	}
}

// checkPeople drops repetitions, and keeps nil (everybody) apart from empty (nobody).
func checkPeople(bad *Invalid, path string, people []string) []string {
	if len(people) > MaxVoters {
		bad.add(path, "has %d people, at most %d are possible", len(people), MaxVoters)
		return nil
	}
	if people == nil {
		return nil
	}
	out := make([]string, 0, len(people))
	seen := make(map[string]bool, len(people))
	for i, id := range people {
		if id == "" || !utf8.ValidString(id) {
			bad.add(fmt.Sprintf("%s/%d", path, i), "is not a user ID")
			continue
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

func checkWeights(bad *Invalid, weights []VoterWeight) {
	if len(weights) > MaxVoters {
		bad.add("/weights", "has %d people, at most %d are possible", len(weights), MaxVoters)
		return
	}
	seen := make(map[string]int, len(weights))
	for i, w := range weights {
		path := fmt.Sprintf("/weights/%d", i)
		if w.Voter == "" || !utf8.ValidString(w.Voter) {
			bad.add(path+"/voter", "is not a user ID")
		} else if j, ok := seen[w.Voter]; ok {
			bad.add(path+"/voter", "is the same as number %d", j)
		} else {
			seen[w.Voter] = i
		}
		if w.Weight < 0 || w.Weight > MaxWeight {
			bad.add(path+"/weight", "is not between 0 and %s", MaxWeight)
		}
	}
}
