package sqlstore

import (
	"fmt"
	"math"

	"github.com/metagov/gateway-go/store"
)

// Rehold implements store.Tx.
func (t *Tx) Rehold(process string, holds []store.Hold, final bool) (bool, error) {
	p, err := t.process(process)
	if err == nil && p.Status != store.Created && p.Status != store.Pending {
		err = store.ErrNotOpen
	}
	changed := false
	if err == nil {
		changed, err = t.rehold(process, holds, final)
	}
	if err != nil {
		return false, fmt.Errorf("rehold in process %q: %w", process, err)
	}
	return changed, nil
}

type rowKey struct{ voter, question string }

// holding is what some holders have, and what they will have.
type holding struct {
	to      map[string]store.Hold
	barred  map[string]bool // of all holders concerned
	holders []string
	before  map[rowKey]store.Held
	after   map[rowKey]store.Held
}

// gather reads everything that the holders concerned have, and gives it to whose it is now.
func (t *Tx) gather(process string, holds []store.Hold, final bool) (*holding, error) {
	g := &holding{to: make(map[string]store.Hold, len(holds)), barred: map[string]bool{}, before: map[rowKey]store.Held{}}
	collect := func(found []store.Held, err error) error {
		for _, h := range found {
			g.before[rowKey{h.Voter, h.Question}] = h
			g.barred[h.Holder] = g.barred[h.Holder]
		}
		return err
	}
	for _, h := range holds {
		if h.Holder == "" {
			h.Holder = h.Voter
		}
		if old, twice := g.to[h.Voter]; twice && h.Weight < 0 {
			h.Weight = old.Weight
		}
		g.to[h.Voter] = h
		g.barred[h.Holder] = g.barred[h.Holder] || h.Barred
		if err := collect(t.ballotsBy(process, h.Voter)); err != nil {
			return nil, err
		}
	}
	for holder := range g.barred {
		g.holders = append(g.holders, holder)
	}
	for _, holder := range g.holders {
		if err := collect(t.BallotsOf(process, holder)); err != nil {
			return nil, err
		}
	}
	g.after = settle(g.before, g.to, g.barred, final)
	return g, nil
}

// write keeps the difference, when nothing can be refused any more. It says whether a count moved.
func (t *Tx) write(process string, g *holding) (bool, error) {
	counts, err := t.recounted(process, g.before, g.after)
	if err != nil {
		return false, err
	}
	if err := t.reholdVoters(process, g.to, g.holders); err != nil {
		return false, err
	}
	sum, err := t.tally(process)
	if err != nil {
		return false, err
	}
	next := sum
	next.turnout += turnoutOf(g.after) - turnoutOf(g.before)
	next.ballots += int64(len(g.after) - len(g.before))
	for k, h := range g.after {
		if h != g.before[k] {
			if err := t.putBallot(process, h); err != nil {
				return false, err
			}
		}
	}
	if len(counts) == 0 && next == sum {
		return false, nil
	}
	return len(counts) > 0 || next.turnout != sum.turnout, t.moveSums(process, sum, next, counts)
}

func (t *Tx) rehold(process string, holds []store.Hold, final bool) (bool, error) {
	g, err := t.gather(process, holds, final)
	if err != nil {
		return false, err
	}
	return t.write(process, g)
}

// castMoved is Cast where the voter's earlier ballots have another holder: they become this one's first.
func (t *Tx) castMoved(b store.Ballot, at int64) (store.Receipt, error) {
	g, err := t.gather(b.Process, []store.Hold{{Voter: b.Voter, Holder: b.Holder, Weight: -1}}, b.Final)
	if err != nil {
		return store.Receipt{}, err
	}
	if _, err := t.recounted(b.Process, g.before, g.after); err != nil {
		return store.Receipt{}, err // as if they had been moved before
	}
	var held []store.Held
	for _, h := range g.after {
		if h.Holder == b.Holder {
			held = append(held, h)
		}
	}
	r, take, _ := decide(b, at, held)
	for _, h := range take {
		g.after[rowKey{h.Voter, h.Question}] = h
	}
	moved, err := t.write(b.Process, g)
	r.Changed = r.Changed || moved
	return r, err
}

// recounted says what the counts become that some rows move. Of several holders' rows the weights may add up to more than a count holds.
func (t *Tx) recounted(process string, before, after map[rowKey]store.Held) (map[choice]store.Count, error) {
	less, more := map[choice]store.Count{}, map[choice]store.Count{}
	for _, h := range before {
		if h.Counts {
			move(less, h, 1) // a part of what is counted, which fits
		}
	}
	for _, n := range after {
		if !n.Counts || n.Choice == "" {
			continue
		}
		if n.Weight > math.MaxInt64-more[choice{n.Question, n.Choice}].Weight {
			return nil, errTooHeavy
		}
		move(more, n, 1)
		less[choice{n.Question, n.Choice}] = less[choice{n.Question, n.Choice}]
	}
	counts := map[choice]store.Count{}
	for c, l := range less {
		if l == more[c] {
			continue
		}
		n, err := t.count(process, c)
		if err != nil {
			return nil, err
		}
		n.Ballots += more[c].Ballots - l.Ballots
		if n.Weight -= l.Weight; n.Weight > math.MaxInt64-more[c].Weight {
			return nil, errTooHeavy
		}
		n.Weight += more[c].Weight
		counts[c] = n
	}
	return counts, nil
}

// settle gives rows their new holders and weights, and says which of them count.
func settle(rows map[rowKey]store.Held, to map[string]store.Hold, barred map[string]bool, final bool) map[rowKey]store.Held {
	type place struct{ holder, question string }
	after := make(map[rowKey]store.Held, len(rows))
	best := map[place]rowKey{}
	for k, h := range rows {
		if n, ok := to[h.Voter]; ok {
			h.Holder = n.Holder
			if n.Weight >= 0 && h.Choice != "" {
				h.Weight = n.Weight
			}
		}
		h.Counts = false
		after[k] = h
		if barred[h.Holder] {
			continue
		}
		at := place{h.Holder, h.Question}
		if have, ok := best[at]; !ok || better(h, after[have], final) {
			best[at] = k
		}
	}
	for _, k := range best {
		h := after[k]
		h.Counts = true
		after[k] = h
	}
	return after
}

// turnoutOf counts the holders who hold a choice.
func turnoutOf(rows map[rowKey]store.Held) int64 {
	holding := map[string]bool{}
	for _, h := range rows {
		if h.Counts && h.Choice != "" {
			holding[h.Holder] = true
		}
	}
	return int64(len(holding))
}

// reholdVoters gives entries of the lists to other holders.
func (t *Tx) reholdVoters(process string, to map[string]store.Hold, holders []string) error {
	if listed, err := t.hasLists(process); err != nil || !listed {
		return err
	}
	var moves [][2]string
	for key, h := range to {
		moves = append(moves, [2]string{key, ownHolder(key, h.Holder)})
	}
	err := t.c.Query(`SELECT v.voter, v.holder FROM json_each($2) j JOIN voters v ON v.process = $1 AND v.voter = j.value ->> 0`, func(r Row) error {
		if r.Text(1) != "" {
			holders = append(holders, r.Text(1))
		} else {
			holders = append(holders, r.Text(0))
		}
		return nil
	}, process, places(moves))
	if err != nil {
		return err
	}
	before, err := t.mayBe(process, holders)
	if err != nil {
		return err
	}
	for _, m := range moves {
		if err := t.exec(`UPDATE voters SET holder = $3 WHERE process = $1 AND voter = $2 AND holder <> $3`, process, m[0], m[1]); err != nil {
			return err
		}
	}
	return t.countEligible(process, holders, before)
}

// RenameVoter implements store.Tx.
func (t *Tx) RenameVoter(process, from, to string) error {
	t.changeProcess(process)
	if t.shared != nil {
		delete(t.shared.others, process)
	}
	taken := false
	for _, query := range []string{
		`SELECT 1 FROM ballots WHERE process = $1 AND voter = $2 LIMIT 1`,
		`SELECT 1 FROM ballots WHERE process = $1 AND holder = $2 AND holder <> '' LIMIT 1`,
		`SELECT 1 FROM voters WHERE process = $1 AND voter = $2 LIMIT 1`,
		`SELECT 1 FROM voters WHERE process = $1 AND holder = $2 AND holder <> '' LIMIT 1`,
	} {
		if err := t.c.Query(query, func(Row) error { taken = true; return nil }, process, to); err != nil {
			return err
		}
	}
	if taken {
		return fmt.Errorf("rename a voter of process %q: %w", process, store.ErrConflict)
	}
	for _, query := range []string{
		`UPDATE ballots SET voter = $3 WHERE process = $1 AND voter = $2`,
		`UPDATE ballots SET holder = $3 WHERE process = $1 AND holder = $2 AND holder <> ''`,
		`UPDATE voters SET voter = $3 WHERE process = $1 AND voter = $2`,
		`UPDATE voters SET holder = $3 WHERE process = $1 AND holder = $2 AND holder <> ''`,
	} {
		if err := t.exec(query, process, from, to); err != nil {
			return err
		}
	}
	return nil
}
