package gateway

import (
	"context"
	"errors"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// rehold moves the ballots and list entries of accounts and people to whose they are now, in all open processes of a community. It is part
// of the transaction that links, merges or parts, so that no tally ever counts a person twice. What was closed stays as it was counted. joined says that
// they have come together, and were not parted.
//
// Its cost follows the open processes of the community: linking is rare, and each ballot would pay for an index of where everybody has voted.
func (g *Gateway) rehold(ctx context.Context, tx store.Tx, community string, accounts []store.Account, people []string, joined bool) error {
	const some = 100
	q := store.ProcessQuery{Community: community, Status: []string{store.Created, store.Pending}}
	for after := ""; ; {
		rows, err := tx.Processes(q, after, some)
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = row.ID
			if err := g.reholdIn(ctx, tx, row, accounts, people, joined); err != nil {
				return err
			}
		}
		if len(rows) < some {
			return nil
		}
	}
}

// reholdIn is rehold in one process.
func (g *Gateway) reholdIn(ctx context.Context, tx store.Tx, row store.Process, accounts []store.Account, people []string, joined bool) error {
	var a *asked
	if def, err := g.define(row); err == nil { // one that nobody here can read has its ballots moved all the same
		if a, err = g.askedOf(row, def, platformIn(tx, row)); err != nil {
			return err
		}
	}
	r, err := g.rollIn(tx, row, a)
	if err != nil {
		return err
	}
	keys := make([]string, 0, len(accounts)+len(people))
	for _, acc := range accounts {
		keys = append(keys, r.accountKey(acc))
	}
	for _, id := range people {
		keys = append(keys, PersonKey(id))
	}
	holds := make([]store.Hold, len(keys))
	for i, key := range keys {
		h := store.Hold{Voter: key, Weight: -1}
		if h.Holder, err = r.holder(tx, row.Community, key); err != nil {
			return err
		}
		holds[i] = h
	}
	if holds, err = r.reweigh(tx, row, a, holds); err != nil {
		return err
	}
	voted := map[string]bool{}
	if joined && r.live {
		if voted, err = haveVoted(tx, row.ID, holds); err != nil {
			return err
		}
	}
	final := a != nil && a.Final()
	changed, err := tx.Rehold(row.ID, holds, final)
	if errors.Is(err, store.ErrNotOpen) {
		return nil
	}
	if err != nil {
		return err
	}
	// Who may vote follows from whose the entries are now: an excluded person's other account does not count once it is known as theirs.
	more, err := g.bar(tx, row, r, holds, voted, final)
	if err != nil || row.Status != store.Pending {
		return err
	}
	if !changed && !more {
		if a == nil || !a.CloseWhenDecided {
			return nil
		}
		return g.closeDecided(tx, row, a) // how many may vote follows too, and with that what is decided
	}
	if err := g.auditReheld(ctx, tx, row, holds); err != nil {
		return err
	}
	return g.moved(tx, row, a)
}

// reweigh adds, where ballots weigh different, all other accounts of the holders with what their ballots weigh now.
func (r *roll) reweigh(tx store.Tx, row store.Process, a *asked, holds []store.Hold) ([]store.Hold, error) {
	if a == nil || len(a.weights) == 0 {
		return holds, nil
	}
	there, seen := map[string]bool{}, map[string]bool{}
	for _, h := range holds {
		there[h.Voter] = true
	}
	for _, h := range holds[:len(holds):len(holds)] {
		s, ok := parseSubject(h.Holder)
		if !ok || s.kind != kindPerson || seen[h.Holder] {
			continue
		}
		seen[h.Holder] = true
		accounts, err := tx.Accounts(row.Community, s.id)
		if err != nil {
			return nil, err
		}
		for _, acc := range accounts {
			if key := r.accountKey(acc); !there[key] {
				there[key] = true
				holds = append(holds, store.Hold{Voter: key, Holder: h.Holder})
			}
		}
	}
	for i, h := range holds {
		w, err := a.weight(tx, row.Community, h.Holder, h.Voter)
		if err != nil {
			return nil, err
		}
		holds[i].Weight = int64(w)
	}
	return holds, nil
}

// haveVoted says which of some holders will have a ballot that counts already, under whatever name.
func haveVoted(tx store.Tx, process string, holds []store.Hold) (map[string]bool, error) {
	out := map[string]bool{}
	for _, h := range holds {
		for _, name := range []string{h.Voter, h.Holder} {
			if out[h.Holder] {
				continue
			}
			rows, err := tx.BallotsOf(process, name)
			if err != nil {
				return nil, err
			}
			out[h.Holder] = slices.ContainsFunc(rows, func(row store.Held) bool { return row.Counts && row.Choice != "" })
		}
	}
	return out, nil
}

// bar has the ballots of those who may not vote count for nothing, and says whether that moved a count. Who has voted while they belonged to a group, as
// the vote wants it at the ballot, does not lose the ballot because another account of theirs becomes known.
func (g *Gateway) bar(tx store.Tx, row store.Process, r *roll, holds []store.Hold, voted map[string]bool, final bool) (bool, error) {
	may := map[string]bool{}
	var barred []store.Hold
	for _, h := range holds {
		ok, known := may[h.Holder]
		if !known {
			var err error
			if voted[h.Holder] {
				_, denied, e := r.listed(g, tx, row, h.Holder)
				ok, err = !denied, e
			} else {
				ok, err = r.allows(g, tx, row, h.Holder)
			}
			if err != nil {
				return false, err
			}
			may[h.Holder] = ok
		}
		if !ok {
			h.Barred = true
			barred = append(barred, h)
		}
	}
	if len(barred) == 0 {
		return false, nil
	}
	return tx.Rehold(row.ID, barred, final)
}

// auditReheld says that ballots of an open process have become one person's, or were parted. It names nobody.
func (g *Gateway) auditReheld(ctx context.Context, tx store.Tx, row store.Process, holds []store.Hold) error {
	holders, barred := map[string]bool{}, 0
	for _, h := range holds {
		holders[h.Holder] = true
	}
	return g.audit(tx, trailOf(ctx, row.Origin), aboutProcess(row, AuditReheld), struct {
		Accounts int `json:"accounts"`
		Holders  int `json:"holders"`
		Barred   int `json:"barred,omitempty"`
	}{len(holds), len(holders), barred})
}
