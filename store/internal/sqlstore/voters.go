package sqlstore

import (
	"encoding/json"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// listing says on which lists a holder is.
type listing struct{ allowed, denied bool }

func (l listing) may() bool { return l.allowed && !l.denied }

// PutVoters implements store.Tx. It goes by whole lists, not by entries: a list of a hundred thousand comes in pieces of some hundreds, and others wait
// for each.
func (t *Tx) PutVoters(process string, allowed bool, voters []store.Voter) error {
	if len(voters) == 0 {
		return nil
	}
	t.changeProcess(process)
	keys := make([]string, len(voters))
	holders := make([]string, len(voters))
	for i, v := range voters {
		keys[i], holders[i] = v.Key, v.Holder
		if v.Holder == "" {
			holders[i] = v.Key
		}
	}
	// An entry that is there may have another holder, who loses it.
	fresh := true
	err := t.c.Query(`SELECT v.voter, v.holder FROM json_each($2) j JOIN voters v ON v.process = $1 AND v.voter = j.value`, func(r Row) error {
		fresh = false
		holder := r.Text(1)
		if holder == "" {
			holder = r.Text(0)
		}
		holders = append(holders, holder)
		return nil
	}, process, places(keys))
	if err != nil {
		return err
	}
	holders = distinct(holders)
	before := int64(0)
	err = t.listings(process, holders, func(l listing) {
		fresh = false
		if l.may() {
			before++
		}
	})
	if err != nil {
		return err
	}
	rows := make([][2]string, len(voters))
	for i, v := range voters {
		rows[i] = [2]string{v.Key, ownHolder(v.Key, v.Holder)}
	}
	if err := t.insertVoters(process, allowed, keys, rows); err != nil {
		return err
	}
	if fresh { // none of them had an entry: all may, or none
		sum, err := t.tally(process)
		if err != nil || !allowed {
			return err
		}
		last := make(map[string]string, len(rows)) // who is listed twice has the holder that came last
		for _, r := range rows {
			last[r[0]] = r[1]
		}
		have := make(map[string]bool, len(last))
		for key, holder := range last {
			if holder == "" {
				holder = key
			}
			have[holder] = true
		}
		sum.eligible += int64(len(have))
		return t.putTally(process, sum)
	}
	return t.countEligible(process, holders, before)
}

// insertVoters writes the entries. Where all are their own holders, as those of a role are, that is a third of the work.
func (t *Tx) insertVoters(process string, allowed bool, keys []string, rows [][2]string) error {
	const into, known = `INSERT INTO voters (process, voter, holder, allowed, denied) SELECT $1, `, ` WHERE true
		ON CONFLICT (process, voter) DO UPDATE SET holder = excluded.holder, allowed = max(voters.allowed, excluded.allowed), denied = max(voters.denied, excluded.denied)`
	if slices.ContainsFunc(rows, func(r [2]string) bool { return r[1] != "" }) {
		return t.exec(into+`j.value ->> 0, j.value ->> 1, $3, $4 FROM json_each($2) j`+known, process, places(rows), allowed, !allowed)
	}
	return t.exec(into+`j.value, '', $3, $4 FROM json_each($2) j`+known, process, places(keys), allowed, !allowed)
}

// places is a list as a statement reads it.
func places[T any](list []T) string {
	if len(list) == 0 {
		return "[]" // and not null, which counts as one
	}
	raw, _ := json.Marshal(list) // strings alone
	return string(raw)
}

// mayBe counts which of some holders may vote.
func (t *Tx) mayBe(process string, holders []string) (int64, error) {
	var n int64
	err := t.listings(process, distinct(holders), func(l listing) {
		if l.may() {
			n++
		}
	})
	return n, err
}

// listings says for each of some holders that has an entry on which lists it is.
func (t *Tx) listings(process string, holders []string, each func(listing)) error {
	found := map[string]listing{}
	err := t.c.Query(`SELECT v.voter, v.allowed, v.denied FROM json_each($2) j JOIN voters v ON v.process = $1 AND v.voter = j.value AND v.holder = ''
		UNION ALL SELECT v.holder, v.allowed, v.denied FROM json_each($2) j JOIN voters v ON v.process = $1 AND v.holder = j.value AND v.holder <> ''`,
		func(r Row) error {
			l := found[r.Text(0)]
			found[r.Text(0)] = listing{l.allowed || r.Bool(1), l.denied || r.Bool(2)}
			return nil
		}, process, places(holders))
	for _, l := range found {
		each(l)
	}
	return err
}

// countEligible keeps how many may vote, when so many of some holders could before.
func (t *Tx) countEligible(process string, holders []string, before int64) error {
	after, err := t.mayBe(process, holders)
	if err != nil {
		return err
	}
	sum, err := t.tally(process)
	if err != nil {
		return err
	}
	sum.eligible += after - before
	return t.putTally(process, sum)
}

// ClearVoters implements store.Tx.
func (t *Tx) ClearVoters(process string, limit int) (int, error) {
	t.changeProcess(process)
	var keys, holders []string
	err := t.c.Query(`SELECT voter, holder FROM voters WHERE process = $1 ORDER BY voter LIMIT $2 + 0`, func(r Row) error {
		keys = append(keys, r.Text(0))
		if r.Text(1) != "" {
			holders = append(holders, r.Text(1))
		} else {
			holders = append(holders, r.Text(0))
		}
		return nil
	}, process, bound(limit))
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	before, err := t.mayBe(process, holders)
	if err != nil {
		return 0, err
	}
	if err := t.exec(`DELETE FROM voters WHERE process = $1 AND voter IN (SELECT value FROM json_each($2))`, process, places(keys)); err != nil {
		return 0, err
	}
	return len(keys), t.countEligible(process, holders, before)
}

// Voters implements store.Tx.
func (t *Tx) Voters(process, after string, limit int) ([]store.Listed, error) {
	return list(t, func(r Row) store.Listed {
		l := store.Listed{Key: r.Text(0), Holder: r.Text(1), Allowed: r.Bool(2), Denied: r.Bool(3)}
		if l.Holder == "" {
			l.Holder = l.Key
		}
		return l
	}, `SELECT voter, holder, allowed, denied FROM voters WHERE process = $1 AND voter `+past(after)+` $2 ORDER BY voter LIMIT $3 + 0`, process, after, bound(limit))
}

// Voter implements store.Tx. Most votes are open to everybody and have no lists: that is found once for a transaction.
func (t *Tx) Voter(process, holder string) (allowed, denied bool, err error) {
	if listed, err := t.hasLists(process); err != nil || !listed {
		return false, false, err
	}
	err = t.c.Query(`SELECT allowed, denied FROM voters WHERE process = $1 AND voter = $2 AND holder = ''
		UNION ALL SELECT allowed, denied FROM voters WHERE process = $1 AND holder = $2 AND holder <> ''`, func(r Row) error {
		allowed, denied = allowed || r.Bool(0), denied || r.Bool(1)
		return nil
	}, process, holder)
	return allowed, denied, err
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

// VotersAllowed implements store.Tx.
func (t *Tx) VotersAllowed(process string) (int64, error) {
	sum, err := t.tally(process)
	return sum.eligible, err
}
