package sqlstore

import (
	"errors"
	"fmt"
	"math"

	"github.com/metagov/gateway-go/store"
)

// PutVoters implements store.Tx.
func (t *Tx) PutVoters(process string, allowed bool, voters []string) error {
	t.changeProcess(process)
	sum, err := t.tally(process)
	if err != nil {
		return err
	}
	for _, voter := range voters {
		yes, no, err := t.voter(process, voter)
		if err != nil {
			return err
		}
		might := yes && !no
		yes, no = yes || allowed, no || !allowed
		switch may := yes && !no; {
		case may && !might:
			sum.eligible++
		case might && !may:
			sum.eligible--
		}
		if err := t.exec(`INSERT INTO voters (process, voter, allowed, denied) VALUES ($1, $2, $3, $4)
			ON CONFLICT (process, voter) DO UPDATE SET allowed = excluded.allowed, denied = excluded.denied`, process, voter, yes, no); err != nil {
			return err
		}
	}
	return t.putTally(process, sum)
}

// Voter implements store.Tx. Most votes are open to everybody and have no lists: that is found once for a transaction.
func (t *Tx) Voter(process, voter string) (allowed, denied bool, err error) {
	if listed, err := t.hasLists(process); err != nil || !listed {
		return false, false, err
	}
	return t.voter(process, voter)
}

// hasLists says whether Voter has to look, true where it costs as much to know.
func (t *Tx) hasLists(process string) (bool, error) {
	if t.shared == nil {
		return true, nil
	}
	if there, ok := t.shared.lists[process]; ok {
		return there, nil
	}
	there := false
	err := t.c.Query(`SELECT 1 FROM voters WHERE process = $1 LIMIT 1`, func(Row) error {
		there = true
		return nil
	}, process)
	if err == nil {
		keep(&t.shared.lists, process, there)
	}
	return there, err
}

func (t *Tx) voter(process, voter string) (allowed, denied bool, err error) {
	err = t.c.Query(`SELECT allowed, denied FROM voters WHERE process = $1 AND voter = $2`, func(r Row) error {
		allowed, denied = r.Bool(0), r.Bool(1)
		return nil
	}, process, voter)
	return allowed, denied, err
}

// VotersAllowed implements store.Tx.
func (t *Tx) VotersAllowed(process string) (int64, error) {
	sum, err := t.tally(process)
	return sum.eligible, err
}

// Cast implements store.Tx. Everything is worked out, and every refusal made, before the first row is written.
func (t *Tx) Cast(b store.Ballot) (store.Receipt, error) {
	fail := func(err error) (store.Receipt, error) {
		return store.Receipt{}, fmt.Errorf("cast in process %q: %w", b.Process, err)
	}
	at := micros(b.At)
	if err := t.takes(b.Process, at); err != nil && !errors.Is(err, store.ErrNotOpen) {
		return fail(err)
	} else if wrong := checkBallot(b); wrong != nil {
		return fail(wrong)
	} else if err != nil {
		return fail(err)
	}
	sum, err := t.tally(b.Process)
	if err != nil {
		return fail(err)
	}
	if foreign, err := t.countedElsewhere(b.Process, sum); err != nil {
		return fail(err)
	} else if foreign {
		return fail(fmt.Errorf("its platform counts by itself: %w", store.ErrConflict))
	}
	// Most who vote have not voted before. Then one statement finds that out and takes the first choice.
	r, take, moves := decide(b, at, nil)
	counts, err := t.moved(b.Process, moves)
	first := err == nil && len(take) > 0
	if first {
		if first, err = t.firstBallot(b, take[0], at); err != nil {
			return fail(err)
		}
	}
	var held []store.Held
	rest := take
	if first {
		rest = take[1:]
	} else {
		if held, err = t.BallotsOf(b.Process, b.Voter); err != nil {
			return fail(err)
		}
		r, take, moves = decide(b, at, held)
		if counts, err = t.moved(b.Process, moves); err != nil {
			return fail(err)
		}
		rest = take
	}
	for _, c := range rest {
		if err := t.exec(`INSERT INTO ballots (process, voter, question, choice, weight, at, cast_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (process, voter, question) DO UPDATE SET choice = excluded.choice, weight = excluded.weight, at = excluded.at, cast_at = excluded.cast_at`,
			b.Process, b.Voter, c.Question, c.Choice, c.Weight, at, micros(b.Now)); err != nil {
			return fail(err)
		}
	}
	if err := t.moveSums(b.Process, sum, sum.after(held, take), counts); err != nil {
		return fail(err)
	}
	return r, nil
}

// firstBallot records a choice if the voter has no ballot in the process yet, and reports whether.
func (t *Tx) firstBallot(b store.Ballot, c store.Choice, at int64) (bool, error) {
	n, err := t.c.Exec(`INSERT INTO ballots (process, voter, question, choice, weight, at, cast_at)
		SELECT $1, $2, $3, $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT)
		WHERE NOT EXISTS (SELECT 1 FROM ballots WHERE process = $1 AND voter = $2)`,
		b.Process, b.Voter, c.Question, c.Choice, c.Weight, at, micros(b.Now))
	return n > 0, err
}

// takes reports by its error whether the process takes a ballot of this time.
func (t *Tx) takes(process string, at int64) error {
	p, err := t.process(process)
	if err != nil {
		return err
	}
	if p.Status != store.Pending || !p.CloseAt.IsZero() && at > micros(p.CloseAt) {
		return store.ErrNotOpen
	}
	return nil
}

func checkBallot(b store.Ballot) error {
	if b.At.IsZero() {
		return errors.New("the ballot has no time")
	}
	seen := make(map[string]bool, len(b.Choices))
	for _, c := range b.Choices {
		if c.Weight < 0 {
			return errors.New("the ballot has a negative weight")
		}
		if seen[c.Question] {
			return fmt.Errorf("the ballot names question %q twice", c.Question)
		}
		seen[c.Question] = true
	}
	return nil
}

// decide says which choices are taken, and how counts move by it.
func decide(b store.Ballot, at int64, held []store.Held) (r store.Receipt, take []store.Choice, moves map[choice]store.Count) {
	moves = map[choice]store.Count{}
	for _, c := range b.Choices {
		if c.Choice == "" {
			c.Weight = 0
		}
		var old store.Held
		there := false
		for _, h := range held {
			if h.Question == c.Question {
				old, there = h, true
			}
		}
		switch {
		case there && micros(old.At) > at:
			r.Stale = true
			continue
		case there && b.Final && old.Choice != "":
			r.Kept = r.Kept || old.Choice != c.Choice
			continue
		case there && old.Choice == c.Choice && old.Weight == c.Weight && micros(old.At) == at:
			continue
		}
		take = append(take, c)
		if old.Choice == c.Choice && old.Weight == c.Weight {
			continue // only its time moves
		}
		r.Changed = true
		if old.Choice != "" {
			m := moves[choice{c.Question, old.Choice}]
			m.Ballots--
			m.Weight -= old.Weight
			moves[choice{c.Question, old.Choice}] = m
		}
		if c.Choice != "" {
			m := moves[choice{c.Question, c.Choice}]
			m.Ballots++
			m.Weight += c.Weight // of one voter: old and new are not negative, so this cannot overflow
			moves[choice{c.Question, c.Choice}] = m
		}
	}
	return r, take, moves
}

// moved reads the counts that move and says what they become.
func (t *Tx) moved(process string, moves map[choice]store.Count) (map[choice]store.Count, error) {
	for c, m := range moves {
		n, err := t.count(process, c)
		if err != nil {
			return nil, err
		}
		if m.Weight > 0 && n.Weight > math.MaxInt64-m.Weight {
			return nil, errors.New("the weights of a choice add up to too much")
		}
		n.Ballots += m.Ballots
		n.Weight += m.Weight
		moves[c] = n
	}
	return moves, nil
}

// after is the tally when a voter who held some choices has taken others.
func (n tally) after(held []store.Held, take []store.Choice) tally {
	holds := make(map[string]bool, len(held)+len(take))
	before := 0
	for _, h := range held {
		holds[h.Question] = h.Choice != ""
		if h.Choice != "" {
			before++
		}
	}
	for _, c := range take {
		if _, there := holds[c.Question]; !there {
			n.ballots++
		}
		holds[c.Question] = c.Choice != ""
	}
	now := 0
	for _, yes := range holds {
		if yes {
			now++
		}
	}
	switch {
	case before == 0 && now > 0:
		n.turnout++
	case before > 0 && now == 0:
		n.turnout--
	}
	return n
}

// countedElsewhere reports whether counts come from SetCounts. Of a process without ballots nothing is late.
func (t *Tx) countedElsewhere(process string, sum tally) (bool, error) {
	if sum.ballots > 0 || sum.turnout > 0 {
		return sum.ballots == 0, nil
	}
	there := false
	err := t.c.Query(`SELECT 1 FROM counts WHERE process = $1 LIMIT 1`, func(Row) error {
		there = true
		return nil
	}, process)
	return there, err
}

// Counts implements store.Tx.
func (t *Tx) Counts(process string) ([]store.Count, error) {
	if err := t.Flush(); err != nil {
		return nil, err
	}
	return list(t, func(r Row) store.Count {
		return store.Count{Question: r.Text(0), Choice: r.Text(1), Ballots: r.Int(2), Weight: r.Int(3)}
	}, `SELECT question, choice, ballots, weight FROM counts WHERE process = $1 ORDER BY question, choice`, process)
}

// Turnout implements store.Tx.
func (t *Tx) Turnout(process string) (int64, error) {
	sum, err := t.tally(process)
	return sum.turnout, err
}

// SetCounts implements store.Tx.
func (t *Tx) SetCounts(process string, counts []store.Count, turnout int64) error {
	sum, err := t.tally(process)
	if err != nil {
		return err
	}
	if sum.ballots > 0 {
		return fmt.Errorf("set counts of process %q, which has ballots of its own: %w", process, store.ErrConflict)
	}
	if turnout < 0 {
		return fmt.Errorf("set counts of process %q: a turnout of %d", process, turnout)
	}
	seen := make(map[choice]bool, len(counts))
	for _, n := range counts {
		c := choice{n.Question, n.Choice}
		if n.Ballots < 0 || n.Weight < 0 || n.Choice == "" || seen[c] {
			return fmt.Errorf("set counts of process %q: a count is negative, of no choice, or there twice", process)
		}
		seen[c] = true
	}
	t.forgetSums(process) // without ballots, nothing of it is late
	if err := t.exec(`DELETE FROM counts WHERE process = $1`, process); err != nil {
		return err
	}
	for _, n := range counts {
		if n.Ballots == 0 && n.Weight == 0 {
			continue
		}
		if err := t.putCount(process, choice{n.Question, n.Choice}, n); err != nil {
			return err
		}
	}
	sum.turnout = turnout
	return t.putTally(process, sum)
}

const heldCols = `voter, question, choice, weight, at, cast_at`

func scanHeld(r Row) store.Held {
	return store.Held{Voter: r.Text(0), Question: r.Text(1), Choice: r.Text(2), Weight: r.Int(3), At: r.Time(4), Cast: r.Time(5)}
}

// BallotsOf implements store.Tx.
func (t *Tx) BallotsOf(process, voter string) ([]store.Held, error) {
	return list(t, scanHeld, `SELECT `+heldCols+` FROM ballots WHERE process = $1 AND voter = $2 ORDER BY question`, process, voter)
}

// Ballots implements store.Tx.
func (t *Tx) Ballots(process, afterVoter, afterQuestion string, limit int) ([]store.Held, error) {
	return list(t, scanHeld, `SELECT `+heldCols+` FROM ballots WHERE process = $1 AND (voter, question) `+past(afterVoter, afterQuestion)+` ($2, $3)
		ORDER BY voter, question LIMIT $4 + 0`, process, afterVoter, afterQuestion, bound(limit))
}
