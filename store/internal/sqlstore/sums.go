package sqlstore

import "github.com/metagov/gateway-go/store"

// tally is what is known of a process's voters and ballots without looking at them.
type tally struct {
	eligible int64 // how many may vote
	turnout  int64 // how many hold a choice
	ballots  int64 // how many rows of ballots there are
}

// choice names a count.
type choice struct{ question, choice string }

// sums is what a transaction has read or written of one process's tally and counts.
type sums struct {
	tally  *tally
	counts map[choice]store.Count
	// What Flush has to write.
	lateTally  bool
	lateCounts map[choice]bool
}

// sums gives what is held of a process, nil where nothing is: then everything is read and written at once.
func (t *Tx) sums(process string) *sums {
	if t.shared == nil {
		return nil
	}
	s := t.shared.sums[process]
	if s == nil {
		s = &sums{counts: map[choice]store.Count{}, lateCounts: map[choice]bool{}}
		keep(&t.shared.sums, process, s)
		if t.shared.sums[process] != s {
			return nil
		}
	}
	return s
}

func (t *Tx) tally(process string) (tally, error) {
	s := t.sums(process)
	if s != nil && s.tally != nil {
		return *s.tally, nil
	}
	var out tally
	err := t.c.Query(`SELECT eligible, turnout, ballots FROM tallies WHERE process = $1`, func(r Row) error {
		out = tally{r.Int(0), r.Int(1), r.Int(2)}
		return nil
	}, process)
	if err == nil && s != nil {
		kept := out
		s.tally = &kept
	}
	return out, err
}

func (t *Tx) putTally(process string, n tally) error {
	if s := t.sums(process); s != nil {
		s.tally, s.lateTally = &n, false
	}
	return t.exec(`INSERT INTO tallies (process, eligible, turnout, ballots) VALUES ($1, $2, $3, $4)
		ON CONFLICT (process) DO UPDATE SET eligible = excluded.eligible, turnout = excluded.turnout, ballots = excluded.ballots`,
		process, n.eligible, n.turnout, n.ballots)
}

func (t *Tx) count(process string, c choice) (store.Count, error) {
	s := t.sums(process)
	if s != nil {
		if n, ok := s.counts[c]; ok {
			return n, nil
		}
	}
	var n store.Count
	err := t.c.Query(`SELECT ballots, weight FROM counts WHERE process = $1 AND question = $2 AND choice = $3`, func(r Row) error {
		n = store.Count{Ballots: r.Int(0), Weight: r.Int(1)}
		return nil
	}, process, c.question, c.choice)
	if err == nil && s != nil {
		s.counts[c] = n
	}
	return n, err
}

// putCount keeps a count; one that nobody holds is left out.
func (t *Tx) putCount(process string, c choice, n store.Count) error {
	if s := t.sums(process); s != nil {
		s.counts[c] = n
		delete(s.lateCounts, c)
	}
	if n.Ballots == 0 && n.Weight == 0 {
		return t.exec(`DELETE FROM counts WHERE process = $1 AND question = $2 AND choice = $3`, process, c.question, c.choice)
	}
	return t.exec(`INSERT INTO counts (process, question, choice, ballots, weight) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (process, question, choice) DO UPDATE SET ballots = excluded.ballots, weight = excluded.weight`,
		process, c.question, c.choice, n.Ballots, n.Weight)
}

// moveSums keeps the sums that a ballot moved, late where that is allowed. It is for a ballot whose row was written already: whoever
// owns the transaction knows by it that there is something to keep.
func (t *Tx) moveSums(process string, before, after tally, counts map[choice]store.Count) error {
	if s := t.sums(process); s != nil && t.shared.Late {
		for c, n := range counts {
			s.counts[c], s.lateCounts[c] = n, true
		}
		if after != before {
			s.tally, s.lateTally = &after, true
		}
		return nil
	}
	for c, n := range counts {
		if err := t.putCount(process, c, n); err != nil {
			return err
		}
	}
	if after == before {
		return nil
	}
	return t.putTally(process, after)
}

// Flush writes what is late. It comes before the commit, and before Counts, which alone looks at the rows of sums.
func (t *Tx) Flush() error {
	if t.shared == nil {
		return nil
	}
	if err := t.flushRevs(); err != nil {
		return err
	}
	for process, s := range t.shared.sums {
		for c := range s.lateCounts {
			if err := t.putCount(process, c, s.counts[c]); err != nil {
				return err
			}
		}
		if s.lateTally {
			if err := t.putTally(process, *s.tally); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetSums is for a verb that changes the sums of a process by its own statements. What was late of them is not written any more.
func (t *Tx) forgetSums(process string) {
	if t.shared != nil {
		delete(t.shared.sums, process)
	}
}
