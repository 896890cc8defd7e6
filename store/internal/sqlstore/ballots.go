package sqlstore

import (
	"errors"
	"fmt"
	"math"

	"github.com/metagov/gateway-go/store"
)

// Cast implements store.Tx. Everything is worked out, and every refusal made, before the first row is written.
func (t *Tx) Cast(b store.Ballot) (store.Receipt, error) {
	fail := func(err error) (store.Receipt, error) {
		return store.Receipt{}, fmt.Errorf("cast in process %q: %w", b.Process, err)
	}
	at := micros(b.At)
	if b.Holder == "" {
		b.Holder = b.Voter
	}
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
		if first, err = t.firstBallot(b, take[0]); err != nil {
			return fail(err)
		}
	}
	var held []store.Held
	rest := take
	if first {
		rest = take[1:]
	} else {
		mine, err := t.ballotsBy(b.Process, b.Voter)
		if err != nil {
			return fail(err)
		}
		for _, h := range mine {
			if h.Holder != b.Holder { // it was linked to somebody, or to nobody, since
				r, err := t.castMoved(b, at)
				if err != nil {
					return fail(err)
				}
				return r, nil
			}
		}
		if held, err = t.BallotsOf(b.Process, b.Holder); err != nil {
			return fail(err)
		}
		r, take, moves = decide(b, at, held)
		if counts, err = t.moved(b.Process, moves); err != nil {
			return fail(err)
		}
		rest = take
	}
	for _, h := range rest {
		if err := t.putBallot(b.Process, h); err != nil {
			return fail(err)
		}
	}
	if err := t.moveSums(b.Process, sum, sum.after(held, take), counts); err != nil {
		return fail(err)
	}
	return r, nil
}

// firstBallot records a choice if neither the voter nor the holder has a ballot in the process yet, and reports whether.
func (t *Tx) firstBallot(b store.Ballot, h store.Held) (bool, error) {
	others, err := t.heldByOthers(b.Process)
	if err != nil {
		return false, err
	}
	if !others && b.Holder == b.Voter { // as most: nobody has to look for the ballots of other accounts
		n, err := t.c.Exec(`INSERT INTO ballots (process, voter, question, choice, weight, at, cast_at)
			SELECT $1, $2, $3, $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT)
			WHERE NOT EXISTS (SELECT 1 FROM ballots WHERE process = $1 AND voter = $2)`,
			b.Process, b.Voter, h.Question, h.Choice, h.Weight, micros(h.At), micros(h.Cast))
		return n > 0, err
	}
	t.noteHolder(b.Process, h)
	n, err := t.c.Exec(`INSERT INTO ballots (process, voter, question, choice, weight, at, cast_at, holder, counted)
		SELECT $1, $2, $3, $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT), $8, 1
		WHERE NOT EXISTS (SELECT 1 FROM ballots WHERE process = $1 AND voter = $2)
		AND NOT EXISTS (SELECT 1 FROM ballots WHERE process = $1 AND voter = $9)
		AND NOT EXISTS (SELECT 1 FROM ballots WHERE process = $1 AND holder = $9 AND holder <> '')`,
		b.Process, b.Voter, h.Question, h.Choice, h.Weight, micros(h.At), micros(h.Cast), ownHolder(h.Voter, h.Holder), b.Holder)
	return n > 0, err
}

// ownHolder is how a holder is kept: a key's own as "".
func ownHolder(key, holder string) string {
	if holder == key {
		return ""
	}
	return holder
}

// heldByOthers says whether any ballot of a process has another holder than its voter: found once for a transaction.
func (t *Tx) heldByOthers(process string) (bool, error) {
	if t.shared == nil {
		return true, nil
	}
	if there, ok := t.shared.others[process]; ok {
		return there, nil
	}
	there := false
	err := t.c.Query(`SELECT 1 FROM ballots WHERE process = $1 AND holder <> '' LIMIT 1`, func(Row) error {
		there = true
		return nil
	}, process)
	if err == nil {
		keep(&t.shared.others, process, there)
	}
	return there, err
}

// noteHolder is called before a row is written.
func (t *Tx) noteHolder(process string, h store.Held) {
	if t.shared != nil && h.Holder != h.Voter {
		delete(t.shared.others, process)
	}
}

func (t *Tx) putBallot(process string, h store.Held) error {
	t.noteHolder(process, h)
	return t.exec(`INSERT INTO ballots (process, voter, question, choice, weight, at, cast_at, holder, counted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (process, voter, question) DO UPDATE SET choice = excluded.choice, weight = excluded.weight, at = excluded.at,
		cast_at = excluded.cast_at, holder = excluded.holder, counted = excluded.counted`,
		process, h.Voter, h.Question, h.Choice, h.Weight, micros(h.At), micros(h.Cast), ownHolder(h.Voter, h.Holder), h.Counts)
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

// decide says which rows are taken, and how counts move by it. held is what the holder has.
func decide(b store.Ballot, at int64, held []store.Held) (r store.Receipt, take []store.Held, moves map[choice]store.Count) {
	moves = map[choice]store.Count{}
	for _, c := range b.Choices {
		if c.Choice == "" {
			c.Weight = 0
		}
		var mine, counting *store.Held
		for i := range held {
			if h := &held[i]; h.Question == c.Question {
				if h.Voter == b.Voter {
					mine = h
				}
				if h.Counts {
					counting = h
				}
			}
		}
		switch {
		case mine != nil && micros(mine.At) > at:
			r.Stale = true
			continue
		case b.Final && counting != nil && counting.Choice != "" && !earlier(b, c, mine, counting):
			r.Kept = r.Kept || counting.Choice != c.Choice
			continue
		case mine != nil && mine.Choice == c.Choice && mine.Weight == c.Weight && micros(mine.At) == at:
			r.Stale = r.Stale || counting != nil && counting.Voter != b.Voter
			continue
		}
		row := store.Held{Voter: b.Voter, Holder: b.Holder, Counts: true, Question: c.Question, Choice: c.Choice, Weight: c.Weight, At: b.At, Cast: b.Now}
		best := row
		for _, h := range held {
			if h.Question == c.Question && h.Voter != b.Voter && better(h, best, b.Final) {
				best = h
			}
		}
		row.Counts = best.Voter == b.Voter
		r.Stale = r.Stale || !row.Counts
		for _, h := range held {
			if counts := h.Voter == best.Voter; h.Question == c.Question && h.Voter != b.Voter && h.Counts != counts {
				h.Counts = counts
				take = append(take, h)
			}
		}
		take = append(take, row)
		var old store.Held
		if counting != nil {
			old = *counting
		}
		if old.Choice == best.Choice && old.Weight == best.Weight {
			continue // only its time moves, or by which account it came
		}
		r.Changed = true
		move(moves, old, -1)
		move(moves, best, 1)
	}
	return r, take, moves
}

// earlier says whether a final choice was made before the one that counts, by another account that has made none yet.
func earlier(b store.Ballot, c store.Choice, mine, counting *store.Held) bool {
	return c.Choice != "" && counting.Voter != b.Voter && (mine == nil || mine.Choice == "") &&
		better(store.Held{Voter: b.Voter, Choice: c.Choice, At: b.At}, *counting, true)
}

// better says whether a row counts rather than another of the same holder.
func better(a, b store.Held, final bool) bool {
	x, y := micros(a.At), micros(b.At)
	switch {
	case final && a.Choice != "" && b.Choice != "":
		return x < y || x == y && a.Voter < b.Voter
	case final && (a.Choice == "") != (b.Choice == ""):
		return a.Choice != ""
	}
	return x > y || x == y && a.Voter > b.Voter
}

// move adds a row to the moves of the counts, or takes it away. Of one holder's rows old and new are not negative, so this cannot overflow.
func move(moves map[choice]store.Count, h store.Held, by int64) {
	if h.Choice == "" {
		return
	}
	m := moves[choice{h.Question, h.Choice}]
	m.Ballots += by
	m.Weight += by * h.Weight
	moves[choice{h.Question, h.Choice}] = m
}

var errTooHeavy = errors.New("the weights of a choice add up to too much")

// moved reads the counts that move and says what they become.
func (t *Tx) moved(process string, moves map[choice]store.Count) (map[choice]store.Count, error) {
	for c, m := range moves {
		n, err := t.count(process, c)
		if err != nil {
			return nil, err
		}
		if m.Weight > 0 && n.Weight > math.MaxInt64-m.Weight {
			return nil, errTooHeavy
		}
		n.Ballots += m.Ballots
		n.Weight += m.Weight
		moves[c] = n
	}
	return moves, nil
}

// after is the tally when a holder who had some rows has taken others.
func (n tally) after(held, take []store.Held) tally {
	type row struct{ voter, question string }
	holds := make(map[row]bool, len(held)+len(take))
	before := false
	for _, h := range held {
		yes := h.Counts && h.Choice != ""
		holds[row{h.Voter, h.Question}] = yes
		before = before || yes
	}
	for _, h := range take {
		if _, there := holds[row{h.Voter, h.Question}]; !there {
			n.ballots++
		}
		holds[row{h.Voter, h.Question}] = h.Counts && h.Choice != ""
	}
	now := false
	for _, yes := range holds {
		now = now || yes
	}
	switch {
	case !before && now:
		n.turnout++
	case before && !now:
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

const heldCols = `voter, question, choice, weight, at, cast_at, holder, counted`

func scanHeld(r Row) store.Held {
	h := store.Held{Voter: r.Text(0), Question: r.Text(1), Choice: r.Text(2), Weight: r.Int(3), At: r.Time(4), Cast: r.Time(5), Holder: r.Text(6), Counts: r.Bool(7)}
	if h.Holder == "" {
		h.Holder = h.Voter
	}
	return h
}

// BallotsOf implements store.Tx.
func (t *Tx) BallotsOf(process, holder string) ([]store.Held, error) {
	return list(t, scanHeld, `SELECT `+heldCols+` FROM ballots WHERE process = $1 AND voter = $2 AND holder = ''
		UNION ALL SELECT `+heldCols+` FROM ballots WHERE process = $1 AND holder = $2 AND holder <> '' ORDER BY voter, question`, process, holder)
}

// ballotsBy lists what was cast under one key, by question.
func (t *Tx) ballotsBy(process, voter string) ([]store.Held, error) {
	return list(t, scanHeld, `SELECT `+heldCols+` FROM ballots WHERE process = $1 AND voter = $2 ORDER BY question`, process, voter)
}

// Ballots implements store.Tx.
func (t *Tx) Ballots(process, afterVoter, afterQuestion string, limit int) ([]store.Held, error) {
	return list(t, scanHeld, `SELECT `+heldCols+` FROM ballots WHERE process = $1 AND (voter, question) `+past(afterVoter, afterQuestion)+` ($2, $3)
		ORDER BY voter, question LIMIT $4 + 0`, process, afterVoter, afterQuestion, bound(limit))
}
