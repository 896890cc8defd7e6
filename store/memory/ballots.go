package memory

import (
	"errors"
	"fmt"
	"math"

	"github.com/metagov/gateway-go/store"
)

// voter says on which lists somebody is.
type voter struct{ allowed, denied bool }

func (v voter) may() bool { return v.allowed && !v.denied }

// tally is what is known of a process's ballots without looking at them.
type tally struct {
	allowed int64 // how many may vote
	turnout int64
	own     int64 // how many ballots are recorded
}

func (t *tx) PutVoters(process string, allowed bool, voters []string) error {
	if t.locked != nil {
		return t.locked
	}
	sum, _ := t.tallies.get(key{process})
	for _, name := range voters {
		v, _ := t.voters.get(key{process, name})
		might := v.may()
		if allowed {
			v.allowed = true
		} else {
			v.denied = true
		}
		if v.may() && !might {
			sum.allowed++
		}
		if might && !v.may() {
			sum.allowed--
		}
		t.voters.put(key{process, name}, v)
	}
	t.tallies.put(key{process}, sum)
	return nil
}

func (t *tx) Voter(process, name string) (allowed, denied bool, err error) {
	v, _ := t.voters.get(key{process, name})
	return v.allowed, v.denied, nil
}

func (t *tx) VotersAllowed(process string) (int64, error) {
	sum, _ := t.tallies.get(key{process})
	return sum.allowed, nil
}

func (t *tx) Cast(b store.Ballot) (store.Receipt, error) {
	var r store.Receipt
	if t.locked != nil {
		return r, t.locked
	}
	p, ok := t.processes.get(key{b.Process})
	if !ok {
		return r, missing("process", b.Process)
	}
	b.At, b.Now = when(b.At), when(b.Now)
	if err := checkBallot(b); err != nil {
		return r, err
	}
	if p.Status != store.Pending || !p.CloseAt.IsZero() && b.At.After(p.CloseAt) {
		return r, fmt.Errorf("memory: process %q: %w", b.Process, store.ErrNotOpen)
	}
	if t.countedElsewhere(b.Process) {
		return r, fmt.Errorf("memory: the platform counts for process %q: %w", b.Process, store.ErrConflict)
	}
	// What follows may find a sum too large after it has changed something; going back is one assignment.
	before := t.tables
	for _, c := range b.Choices {
		if err := t.castOne(b, c, &r); err != nil {
			t.tables = before
			return store.Receipt{}, fmt.Errorf("memory: cast in process %q: %w", b.Process, err)
		}
	}
	return r, nil
}

func checkBallot(b store.Ballot) error {
	if b.At.IsZero() {
		return fmt.Errorf("memory: a ballot in process %q has no time", b.Process)
	}
	seen := make(map[string]bool, len(b.Choices))
	for _, c := range b.Choices {
		if c.Weight < 0 {
			return fmt.Errorf("memory: a ballot in process %q has a negative weight", b.Process)
		}
		if seen[c.Question] {
			return fmt.Errorf("memory: a ballot in process %q names question %q twice", b.Process, c.Question)
		}
		seen[c.Question] = true
	}
	return nil
}

func (t *tx) castOne(b store.Ballot, c store.Choice, r *store.Receipt) error {
	if c.Choice == "" {
		c.Weight = 0
	}
	k := key{b.Process, b.Voter, c.Question}
	old, there := t.ballots.get(k)
	if there {
		switch {
		case old.At.After(b.At):
			r.Stale = true
			return nil
		case b.Final && old.Choice != "":
			r.Kept = r.Kept || old.Choice != c.Choice
			return nil
		case old.Choice == c.Choice && old.Weight == c.Weight && old.At.Equal(b.At):
			return nil
		}
	} else {
		old = &store.Held{}
	}
	if err := t.count(b.Process, c.Question, old.Choice, -1, -old.Weight); err != nil {
		return err
	}
	if err := t.count(b.Process, c.Question, c.Choice, 1, c.Weight); err != nil {
		return err
	}
	t.ballots.put(k, &store.Held{Voter: b.Voter, Question: c.Question, Choice: c.Choice, Weight: c.Weight, At: b.At, Cast: b.Now})
	r.Changed = r.Changed || old.Choice != c.Choice || old.Weight != c.Weight

	sum, _ := t.tallies.get(key{b.Process})
	if !there {
		sum.own++
	}
	held, _ := t.holding.get(key{b.Process, b.Voter})
	now := held
	if old.Choice != "" {
		now--
	}
	if c.Choice != "" {
		now++
	}
	if held == 0 && now > 0 {
		sum.turnout++
	}
	if held > 0 && now == 0 {
		sum.turnout--
	}
	t.holding.put(key{b.Process, b.Voter}, now)
	t.tallies.put(key{b.Process}, sum)
	return nil
}

// count moves one choice's count; there is none for what was taken back.
func (t *tx) count(process, question, choice string, ballots, weight int64) error {
	if choice == "" {
		return nil
	}
	k := key{process, question, choice}
	c, _ := t.counts.get(k)
	if weight > 0 && c.Weight > math.MaxInt64-weight {
		return errors.New("the weights of a choice add up to too much")
	}
	c = store.Count{Question: question, Choice: choice, Ballots: c.Ballots + ballots, Weight: c.Weight + weight}
	if c.Ballots == 0 && c.Weight == 0 {
		t.counts.del(k)
	} else {
		t.counts.put(k, c)
	}
	return nil
}

// countedElsewhere reports whether counts come from SetCounts.
func (t *tx) countedElsewhere(process string) bool {
	sum, _ := t.tallies.get(key{process})
	if sum.own > 0 {
		return false
	}
	for range t.counts.under(process) {
		return true
	}
	return sum.turnout > 0
}

func (t *tx) Counts(process string) ([]store.Count, error) {
	return first(t.counts.under(process), -1, func(_ key, c store.Count) (store.Count, bool) { return c, true }), nil
}

func (t *tx) Turnout(process string) (int64, error) {
	sum, _ := t.tallies.get(key{process})
	return sum.turnout, nil
}

func (t *tx) SetCounts(process string, counts []store.Count, turnout int64) error {
	if t.locked != nil {
		return t.locked
	}
	sum, _ := t.tallies.get(key{process})
	if sum.own > 0 {
		return fmt.Errorf("memory: process %q has ballots of its own: %w", process, store.ErrConflict)
	}
	if turnout < 0 {
		return fmt.Errorf("memory: a turnout of %d in process %q", turnout, process)
	}
	seen := make(map[key]bool, len(counts))
	for _, c := range counts {
		k := key{c.Question, c.Choice}
		if c.Ballots < 0 || c.Weight < 0 || c.Choice == "" || seen[k] {
			return fmt.Errorf("memory: a count of process %q is negative, of no choice, or there twice", process)
		}
		seen[k] = true
	}
	for k := range t.counts.under(process) {
		t.counts.del(k)
	}
	for _, c := range counts {
		if c.Ballots != 0 || c.Weight != 0 {
			t.counts.put(key{process, c.Question, c.Choice}, c)
		}
	}
	sum.turnout = turnout
	t.tallies.put(key{process}, sum)
	return nil
}

func (t *tx) BallotsOf(process, voter string) ([]store.Held, error) {
	return first(t.ballots.under(process, voter), -1, heldRow), nil
}

func (t *tx) Ballots(process, afterVoter, afterQuestion string, limit int) ([]store.Held, error) {
	walk := t.ballots.after(key{process, afterVoter, afterQuestion}, 1, afterVoter != "" || afterQuestion != "")
	return first(walk, atMost(limit), heldRow), nil
}

func heldRow(_ key, h *store.Held) (store.Held, bool) { return *h, true }

// deleteBallots forgets ballots, counts and voters of a process.
func (t *tx) deleteBallots(process string) {
	for k := range t.voters.under(process) {
		t.voters.del(k)
	}
	for k := range t.ballots.under(process) {
		t.ballots.del(k)
	}
	for k := range t.holding.under(process) {
		t.holding.del(k)
	}
	for k := range t.counts.under(process) {
		t.counts.del(k)
	}
	t.tallies.del(key{process})
}
