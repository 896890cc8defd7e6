package vote

import "slices"

// Decided says whether those who have not voted yet could not change result or winner any more, whatever they did. Ballots that were cast are taken
// as they are: who may change a vote still can. It is true only where that can be shown: it needs the number of those who may vote
// (t.Eligible); with weights, with several questions, and for ranked, score and dot votes it waits until all have voted.
func (a Ask) Decided(t Tally) bool {
	a = a.withDefaults()
	eligible := t.Eligible
	if eligible <= 0 {
		n, known := a.eligibleCount()
		if !known {
			return false
		}
		eligible = n
	}
	t.Eligible = eligible
	now := a.Decide(t, Closing{})
	left := int64(0)
	for _, q := range now.Questions { // who has answered one question can still answer another
		left = max(left, eligible-q.Voters)
	}
	if left <= 0 {
		return eligible > 0
	}
	if len(a.Weights) > 0 || len(a.Questions) > 1 || a.PollType == Ranked || a.points() {
		return false
	}
	if a.byOption() && now.Result != Passed && now.Result != NoQuorum {
		return false // one ballot may take several options up at once, and so make a tie of what has failed
	}
	// All that are left choose the same: no other thing that they could do brings any option further up, or any share further down.
	for _, c := range append([]string{""}, a.Choices()...) {
		next := t
		next.Counts = slices.Clone(t.Counts)
		if c != "" {
			next.Voters = now.Turnout.Voters + left
			next.Weight = 0
			question := a.Asked()[0]
			if a.byOption() {
				for _, o := range a.Choices() {
					choice := No
					if o == c {
						choice = Yes
					}
					next.Counts = append(next.Counts, Votes(optionKey(question, o), choice, left))
				}
			} else {
				next.Counts = append(next.Counts, Votes(question, c, left))
			}
		}
		then := a.Decide(next, Closing{})
		if then.Result != now.Result || then.Winner != now.Winner {
			return false
		}
	}
	return true
}
