package memory

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// voter says on which lists a key is, and whose it is.
type voter struct {
	holder          string
	allowed, denied bool
}

// tally is what is known of a process's ballots without looking at them.
type tally struct {
	allowed int64 // how many holders may vote
	turnout int64
	own     int64 // how many ballots are recorded
}

// whose is the holder of a key, where none is given the key itself.
func whose(key, holder string) string {
	if holder == "" {
		return key
	}
	return holder
}

func (t *tx) PutVoters(process string, allowed bool, voters []store.Voter) error {
	if t.locked != nil {
		return t.locked
	}
	for _, v := range voters {
		old, _ := t.voters.get(key{process, v.Key})
		old.allowed, old.denied = old.allowed || allowed, old.denied || !allowed
		t.putVoter(process, v.Key, whose(v.Key, v.Holder), old)
	}
	return nil
}

// putVoter keeps an entry, which may have had another holder.
func (t *tx) putVoter(process, name, holder string, v voter) {
	sum, _ := t.tallies.get(key{process})
	old, there := t.voters.get(key{process, name})
	affected := []string{holder}
	if there && old.holder != holder {
		affected = append(affected, old.holder)
	}
	for _, h := range affected {
		if t.may(process, h) {
			sum.allowed--
		}
	}
	if there {
		t.votersOf.del(key{process, old.holder, name})
	}
	v.holder = holder
	t.voters.put(key{process, name}, v)
	t.votersOf.put(key{process, holder, name}, none{})
	for _, h := range affected {
		if t.may(process, h) {
			sum.allowed++
		}
	}
	t.tallies.put(key{process}, sum)
}

// may says whether a holder is among those who may vote.
func (t *tx) may(process, holder string) bool {
	allowed, denied, _ := t.Voter(process, holder)
	return allowed && !denied
}

func (t *tx) ClearVoters(process string, limit int) (int, error) {
	if t.locked != nil {
		return 0, t.locked
	}
	gone := first(t.voters.under(process), atMost(limit), func(k key, _ voter) (string, bool) { return k[1], true })
	for _, name := range gone {
		v, _ := t.voters.get(key{process, name})
		t.putVoter(process, name, v.holder, voter{}) // on neither list
		t.voters.del(key{process, name})
		t.votersOf.del(key{process, v.holder, name})
	}
	return len(gone), nil
}

func (t *tx) Voters(process, after string, limit int) ([]store.Listed, error) {
	walk := t.voters.after(key{process, after}, 1, after != "")
	return first(walk, atMost(limit), func(k key, v voter) (store.Listed, bool) {
		return store.Listed{Key: k[1], Holder: v.holder, Allowed: v.allowed, Denied: v.denied}, true
	}), nil
}

func (t *tx) Voter(process, holder string) (allowed, denied bool, err error) {
	for k := range t.votersOf.under(process, holder) {
		v, _ := t.voters.get(key{process, k[2]})
		allowed, denied = allowed || v.allowed, denied || v.denied
	}
	return allowed, denied, nil
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
	b.At, b.Now, b.Holder = when(b.At), when(b.Now), whose(b.Voter, b.Holder)
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
	moved, err := t.moveVoter(b)
	for _, c := range b.Choices {
		if err == nil {
			err = t.castOne(b, c, &r)
		}
	}
	if err != nil {
		t.tables = before
		return store.Receipt{}, fmt.Errorf("memory: cast in process %q: %w", b.Process, err)
	}
	r.Changed = r.Changed || moved && t.differs(before, b.Process)
	return r, nil
}

// differs says whether counts or turnout of a process are others than they were.
func (t *tx) differs(before tables, process string) bool {
	old := tx{tables: before}
	was, _ := old.tallies.get(key{process})
	is, _ := t.tallies.get(key{process})
	then, _ := old.Counts(process)
	now, _ := t.Counts(process)
	return was.turnout != is.turnout || !slices.Equal(then, now)
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

// moveVoter gives the earlier ballots of a voter to the holder that they have now, and says whether there were any.
func (t *tx) moveVoter(b store.Ballot) (bool, error) {
	for _, h := range t.ballots.under(b.Process, b.Voter) {
		if h.Holder != b.Holder {
			return true, t.rehold(b.Process, []store.Hold{{Voter: b.Voter, Holder: b.Holder, Weight: -1}}, b.Final)
		}
	}
	return false, nil
}

func (t *tx) castOne(b store.Ballot, c store.Choice, r *store.Receipt) error {
	if c.Choice == "" {
		c.Weight = 0
	}
	k := key{b.Process, b.Voter, c.Question}
	old, there := t.ballots.get(k)
	was := t.counting(b.Process, b.Holder, c.Question)
	switch {
	case there && old.At.After(b.At):
		r.Stale = true
		return nil
	case b.Final && was.Choice != "" && !chosenBefore(b, c, old, was):
		r.Kept = r.Kept || was.Choice != c.Choice
		return nil
	case there && old.Choice == c.Choice && old.Weight == c.Weight && old.At.Equal(b.At):
		r.Stale = r.Stale || was.Counts && was.Voter != b.Voter
		return nil
	}
	if err := t.uncount(b.Process, b.Holder, c.Question); err != nil {
		return err
	}
	t.putBallot(b.Process, store.Held{Voter: b.Voter, Holder: b.Holder, Question: c.Question, Choice: c.Choice, Weight: c.Weight, At: b.At, Cast: b.Now})
	if err := t.recount(b.Process, b.Holder, c.Question, b.Final); err != nil {
		return err
	}
	now := t.counting(b.Process, b.Holder, c.Question)
	r.Changed = r.Changed || was.Choice != now.Choice || was.Weight != now.Weight
	r.Stale = r.Stale || now.Voter != b.Voter
	return nil
}

// chosenBefore says whether a final choice was made before the one that counts, by another account that has made none yet.
func chosenBefore(b store.Ballot, c store.Choice, mine *store.Held, was store.Held) bool {
	return c.Choice != "" && was.Voter != b.Voter && (mine == nil || mine.Choice == "") &&
		better(store.Held{Voter: b.Voter, Choice: c.Choice, At: b.At}, was, true)
}

// putBallot keeps a row, which may have had another holder.
func (t *tx) putBallot(process string, h store.Held) {
	old, there := t.ballots.get(key{process, h.Voter, h.Question})
	if there {
		t.heldBy.del(key{process, old.Holder, h.Voter, h.Question})
	} else {
		sum, _ := t.tallies.get(key{process})
		sum.own++
		t.tallies.put(key{process}, sum)
	}
	t.ballots.put(key{process, h.Voter, h.Question}, &h)
	t.heldBy.put(key{process, h.Holder, h.Voter, h.Question}, none{})
}

// rowsOf lists what a holder has for a question, or for all.
func (t *tx) rowsOf(process, holder string, question *string) (out []store.Held) {
	for k := range t.heldBy.under(process, holder) {
		if question == nil || k[3] == *question {
			h, _ := t.ballots.get(key{process, k[2], k[3]})
			out = append(out, *h)
		}
	}
	return out
}

// counting is the row of a holder that counts for a question, an empty one where none does.
func (t *tx) counting(process, holder, question string) store.Held {
	for _, h := range t.rowsOf(process, holder, &question) {
		if h.Counts {
			return h
		}
	}
	return store.Held{}
}

// uncount takes the row that counts out of the counts.
func (t *tx) uncount(process, holder, question string) error {
	h := t.counting(process, holder, question)
	if !h.Counts {
		return nil
	}
	h.Counts = false
	t.putBallot(process, h)
	t.hold(process, holder, h.Choice, -1)
	return t.count(process, question, h.Choice, -1, -h.Weight)
}

// recount finds the row that counts, and counts it.
func (t *tx) recount(process, holder, question string, final bool) error {
	var best *store.Held
	for _, h := range t.rowsOf(process, holder, &question) {
		if best == nil || better(h, *best, final) {
			best = &h
		}
	}
	if best == nil {
		return nil
	}
	best.Counts = true
	t.putBallot(process, *best)
	t.hold(process, holder, best.Choice, 1)
	return t.count(process, question, best.Choice, 1, best.Weight)
}

// better says whether a row counts rather than another of the same holder.
func better(a, b store.Held, final bool) bool {
	if final && a.Choice != "" && b.Choice != "" {
		return a.At.Before(b.At) || a.At.Equal(b.At) && a.Voter < b.Voter
	}
	if final && (a.Choice == "") != (b.Choice == "") {
		return a.Choice != ""
	}
	return a.At.After(b.At) || a.At.Equal(b.At) && a.Voter > b.Voter
}

// hold moves how many choices a holder has, and with it the turnout.
func (t *tx) hold(process, holder, choice string, by int) {
	if choice == "" {
		return
	}
	sum, _ := t.tallies.get(key{process})
	n, _ := t.holding.get(key{process, holder})
	switch {
	case n == 0 && by > 0:
		sum.turnout++
	case n == 1 && by < 0:
		sum.turnout--
	}
	t.holding.put(key{process, holder}, n+by)
	t.tallies.put(key{process}, sum)
}

func (t *tx) Rehold(process string, holds []store.Hold, final bool) (bool, error) {
	if t.locked != nil {
		return false, t.locked
	}
	p, ok := t.processes.get(key{process})
	if !ok {
		return false, missing("process", process)
	}
	if p.Status != store.Created && p.Status != store.Pending {
		return false, fmt.Errorf("memory: process %q: %w", process, store.ErrNotOpen)
	}
	before := t.tables
	if err := t.rehold(process, holds, final); err != nil {
		t.tables = before
		return false, fmt.Errorf("memory: rehold in process %q: %w", process, err)
	}
	return t.differs(before, process), nil
}

func (t *tx) rehold(process string, holds []store.Hold, final bool) error {
	affected, barred := map[string]bool{}, map[string]bool{}
	for _, h := range holds {
		to := whose(h.Voter, h.Holder)
		affected[to] = true
		barred[to] = barred[to] || h.Barred
		for _, row := range t.ballots.under(process, h.Voter) {
			affected[row.Holder] = true
		}
	}
	questions := map[[2]string]bool{}
	find := func() {
		for holder := range affected {
			for _, row := range t.rowsOf(process, holder, nil) {
				questions[[2]string{holder, row.Question}] = true
			}
		}
	}
	find()
	for q := range questions {
		if err := t.uncount(process, q[0], q[1]); err != nil {
			return err
		}
	}
	for _, h := range holds {
		to := whose(h.Voter, h.Holder)
		for _, row := range t.ballots.under(process, h.Voter) {
			moved := *row
			moved.Holder = to
			if h.Weight >= 0 && moved.Choice != "" {
				moved.Weight = h.Weight
			}
			t.putBallot(process, moved)
		}
		if v, ok := t.voters.get(key{process, h.Voter}); ok {
			t.putVoter(process, h.Voter, to, v)
		}
	}
	find()
	for q := range questions {
		if barred[q[0]] {
			continue
		}
		if err := t.recount(process, q[0], q[1], final); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) RenameVoter(process, from, to string) error {
	if t.locked != nil {
		return t.locked
	}
	for range t.ballots.under(process, to) {
		return fmt.Errorf("memory: %q has ballots in process %q: %w", to, process, store.ErrConflict)
	}
	for range t.heldBy.under(process, to) {
		return fmt.Errorf("memory: %q holds ballots in process %q: %w", to, process, store.ErrConflict)
	}
	if t.voters.has(key{process, to}) {
		return fmt.Errorf("memory: %q is listed in process %q: %w", to, process, store.ErrConflict)
	}
	for range t.votersOf.under(process, to) {
		return fmt.Errorf("memory: %q has entries in process %q: %w", to, process, store.ErrConflict)
	}
	rename := func(s string) string {
		if s == from {
			return to
		}
		return s
	}
	for k, h := range t.ballots.under(process) {
		if h.Voter == from || h.Holder == from {
			row := *h
			t.ballots.del(k)
			t.heldBy.del(key{process, h.Holder, h.Voter, h.Question})
			row.Voter, row.Holder = rename(row.Voter), rename(row.Holder)
			t.ballots.put(key{process, row.Voter, row.Question}, &row)
			t.heldBy.put(key{process, row.Holder, row.Voter, row.Question}, none{})
		}
	}
	for k, v := range t.voters.under(process) {
		if k[1] == from || v.holder == from {
			t.voters.del(k)
			t.votersOf.del(key{process, v.holder, k[1]})
			v.holder = rename(v.holder)
			t.voters.put(key{process, rename(k[1])}, v)
			t.votersOf.put(key{process, v.holder, rename(k[1])}, none{})
		}
	}
	if n, ok := t.holding.get(key{process, from}); ok {
		t.holding.del(key{process, from})
		t.holding.put(key{process, to}, n)
	}
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

func (t *tx) BallotsOf(process, holder string) ([]store.Held, error) {
	return t.rowsOf(process, holder, nil), nil
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
	for k := range t.votersOf.under(process) {
		t.votersOf.del(k)
	}
	for k := range t.ballots.under(process) {
		t.ballots.del(k)
	}
	for k := range t.heldBy.under(process) {
		t.heldBy.del(k)
	}
	for k := range t.holding.under(process) {
		t.holding.del(k)
	}
	for k := range t.counts.under(process) {
		t.counts.del(k)
	}
	t.tallies.del(key{process})
}
