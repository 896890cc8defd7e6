package vote

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Ballot is one voter's choice for one question, as a store keeps it.
type Ballot struct {
	Voter    string    `json:"voter"`
	Question string    `json:"question,omitempty"`
	Choice   string    `json:"choice"` // empty: taken back
	Weight   Weight    `json:"weight"`
	At       time.Time `json:"at"` // the platform's time; microseconds count
}

// Count is how many ballots, with what weight, one choice of one question holds.
type Count struct {
	Question string `json:"question,omitempty"`
	Choice   string `json:"choice"`
	Ballots  int64  `json:"ballots"`
	Weight   Weight `json:"weight"`
}

// Votes is the count of n ordinary votes, for a platform that counts by itself and weighs nothing.
func Votes(question, choice string, n int64) Count {
	return Count{question, choice, n, Weight(n) * One}
}

// Counter counts ballots in memory. It is the reference: every store's running counts must equal it, and its own equal
// its Recount. Its rules are these:
//
//   - A voter has one choice for each question. Of two, the one with the later platform time stays, whichever arrives
//     first; of two with the same time the one that arrives later stays.
//   - An empty choice takes the vote back. It is remembered, so that an older ballot that arrives after it does not
//     bring the vote back to life.
//   - Where votes are final, a question that holds a choice keeps it.
//
// The zero value is ready to use. A Counter is for one goroutine at a time.
type Counter struct {
	Final bool // votes may not be changed

	ballots map[ballotKey]Ballot
	counts  map[countKey]Count
}

type (
	ballotKey struct{ voter, question string }
	countKey  struct{ question, choice string }
)

// Cast takes one ballot and says whether a count moved. A ballot that is refused or older than the one there is changes
// nothing and is no error; one that has no voter, a weight outside 0 to MaxWeight, or that would make a sum too large,
// is.
func (c *Counter) Cast(b Ballot) (changed bool, err error) {
	if b.Voter == "" {
		return false, errors.New("count a ballot: it has no voter")
	}
	if b.Weight < 0 || b.Weight > MaxWeight {
		return false, fmt.Errorf("count the ballot of %q: its weight is not between 0 and %s", clip(b.Voter), MaxWeight)
	}
	if b.Choice == "" {
		b.Weight = 0
	}
	key := ballotKey{b.Voter, b.Question}
	old, voted := c.ballots[key]
	if voted && b.At.UnixMicro() < old.At.UnixMicro() || c.Final && old.Choice != "" {
		return false, nil
	}
	changed = old.Choice != b.Choice || old.Weight != b.Weight
	if changed && b.Choice != "" {
		have := c.counts[countKey{b.Question, b.Choice}].Weight
		if b.Choice == old.Choice {
			have -= old.Weight
		}
		if _, err := have.plus(b.Weight); err != nil {
			return false, fmt.Errorf("count the ballot of %q: %w", clip(b.Voter), err)
		}
	}
	if c.ballots == nil {
		c.ballots, c.counts = map[ballotKey]Ballot{}, map[countKey]Count{}
	}
	c.ballots[key] = b
	if changed {
		c.move(old, -1)
		c.move(b, 1)
	}
	return changed, nil
}

// Voted says whether somebody's vote on a question is counted now.
func (c *Counter) Voted(voter, question string) bool {
	return c.ballots[ballotKey{voter, question}].Choice != ""
}

func (c *Counter) move(b Ballot, by int64) {
	if b.Choice == "" {
		return
	}
	key := countKey{b.Question, b.Choice}
	n := c.counts[key]
	n.Question, n.Choice = b.Question, b.Choice
	n.Ballots += by
	n.Weight += Weight(by) * b.Weight
	if n.Ballots == 0 {
		delete(c.counts, key)
		return
	}
	c.counts[key] = n
}

// Counts gives the running counts by question and choice. Choices that nobody holds (any more) are left out.
func (c *Counter) Counts() []Count {
	out := make([]Count, 0, len(c.counts))
	for _, n := range c.counts {
		out = append(out, n)
	}
	slices.SortFunc(out, func(x, y Count) int {
		return cmp.Or(cmp.Compare(x.Question, y.Question), cmp.Compare(x.Choice, y.Choice))
	})
	return out
}

// Recount counts anew from the ballots. It always equals Counts.
func (c *Counter) Recount() []Count {
	again := Counter{counts: map[countKey]Count{}}
	for _, b := range c.ballots {
		again.move(b, 1)
	}
	return again.Counts()
}

// Ballots gives the ballots that count, by question and voter.
func (c *Counter) Ballots() []Ballot {
	out := make([]Ballot, 0, len(c.ballots))
	for _, b := range c.ballots {
		if b.Choice != "" {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(x, y Ballot) int {
		return cmp.Or(cmp.Compare(x.Question, y.Question), cmp.Compare(x.Voter, y.Voter))
	})
	return out
}

// Tally gives what Decide needs.
func (c *Counter) Tally() Tally {
	t := Tally{Counts: c.Counts(), Ballots: c.Ballots()}
	voters := map[string]Weight{}
	for _, b := range t.Ballots {
		voters[b.Voter] = max(voters[b.Voter], b.Weight)
	}
	t.Voters = int64(len(voters))
	for _, w := range voters {
		sum, err := t.Weight.plus(w)
		if err != nil {
			sum = maxSum
		}
		t.Weight = sum
	}
	return t
}
