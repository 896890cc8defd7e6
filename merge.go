package gateway

import (
	"context"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// Merge makes two people one: from is who stands for into from now on, with all accounts of both and of all who were merged into either before.
// [Community.Split] undoes it exactly. Invalid: they are one person already (also by earlier merges), or not of the same kind. Denied: the
// community does not link people this way.
func (c *Community) Merge(ctx context.Context, into, from string, e Ground) (Person, error) {
	if e.Kind == Inferred {
		return Person{}, Errorf(Invalid, "what is inferred joins nobody: use Suggest")
	}
	var out Person
	err := c.identity(ctx, func(tx store.Tx, s Settings) error {
		if err := c.g.checkGround(s, &e); err != nil {
			return err
		}
		row, err := c.g.mergeTx(ctx, tx, c.row.Slug, into, from, e)
		if err != nil {
			return err
		}
		out, err = whole(tx, row)
		return err
	})
	return out, storeError(err, "merging person %s into %s in community %s", from, into, c.row.Slug)
}

// mergeTx merges two people within a transaction, on a ground that was checked, and gives who stands for both.
func (g *Gateway) mergeTx(ctx context.Context, tx store.Tx, community, into, from string, e Ground) (store.Person, error) {
	a, err := standing(tx, community, into)
	if err != nil {
		return a, storeError(err, "person %s", into)
	}
	b, err := standing(tx, community, from)
	switch {
	case err != nil:
		return a, storeError(err, "person %s", from)
	case into == from:
		return a, Errorf(Invalid, "person %s cannot be merged with themselves", into)
	case a.ID == b.ID:
		return a, Errorf(Invalid, "%s and %s are one person already, %s: a merge would be a cycle", into, from, a.ID)
	case a.Kind != b.Kind || a.Kind == AResource:
		return a, Errorf(Invalid, "a merge of %s into %s is not possible", b.Kind, a.Kind)
	}
	accounts, err := tx.Accounts(community, b.ID)
	if err != nil {
		return a, err
	}
	have, err := tx.Accounts(community, a.ID)
	if err != nil {
		return a, err
	}
	if len(have)+len(accounts) > maxAccounts {
		return a, Errorf(Conflict, "together they would have %d accounts, at most %d are possible", len(have)+len(accounts), maxAccounts)
	}
	members, err := family(tx, community, b.ID)
	if err != nil {
		return a, err
	}
	b.Into, b.Updated = a.ID, g.now()
	if err := tx.PutPerson(b); err != nil {
		return a, err
	}
	if err := g.own(tx, accounts, a.ID); err != nil {
		return a, err
	}
	ev := store.Evidence{ID: e.proof}
	if e.proof == "" {
		if ev, err = g.putEvidence(tx, community, PersonKey(a.ID), PersonKey(b.ID), e, 0); err != nil {
			return a, err
		}
	}
	for _, c := range []change{{person: b.ID, subject: PersonKey(a.ID), quiet: true}, {person: a.ID, subject: PersonKey(b.ID)}} {
		c.kind, c.community, c.how, c.issuer, c.evidence, c.prompt = PeopleMerged, community, e.Kind, e.Issuer, ev.ID, e.prompt
		if err := g.identityChanged(ctx, tx, c); err != nil {
			return a, err
		}
	}
	return a, g.rehold(ctx, tx, community, accounts, members, true)
}

// own makes accounts a person's, wherever they were linked.
func (g *Gateway) own(tx store.Tx, accounts []store.Account, person string) error {
	for i := range accounts {
		accounts[i].Person, accounts[i].Updated = person, g.now()
		if err := tx.PutAccount(accounts[i]); err != nil {
			return err
		}
	}
	return nil
}

// Split undoes the merge of a person into another: both are as before, each with those who had been merged into them, and with the accounts that
// were linked to them, also since. Evidence that joins the two ends, so that nothing joins them again by itself. Conflict: the person was not merged.
func (c *Community) Split(ctx context.Context, merged string) (Person, error) {
	var out Person
	err := c.identity(ctx, func(tx store.Tx, _ Settings) error {
		root, err := standing(tx, c.row.Slug, merged)
		if err != nil {
			return err
		}
		p, err := tx.Person(c.row.Slug, merged)
		if err != nil {
			return err
		}
		if p.Into == "" {
			return Errorf(Conflict, "person %s was not merged into anybody", merged)
		}
		p.Into, p.Updated = "", c.g.now()
		if err := tx.PutPerson(p); err != nil {
			return err
		}
		members, err := family(tx, c.row.Slug, p.ID)
		if err != nil {
			return err
		}
		accounts, err := tx.Accounts(c.row.Slug, root.ID)
		if err != nil {
			return err
		}
		accounts = slices.DeleteFunc(accounts, func(a store.Account) bool { return !slices.Contains(members, a.Home) })
		if err := c.g.own(tx, accounts, p.ID); err != nil {
			return err
		}
		if err := c.g.part(ctx, tx, c.row.Slug, root.ID, p.ID, accounts, members); err != nil {
			return err
		}
		out, err = whole(tx, p)
		return err
	})
	return out, storeError(err, "splitting person %s off in community %s", merged, c.row.Slug)
}

// Detach gives some accounts of one person to a new person: they were linked by mistake. Evidence that joins them to what stays with the first
// ends. Invalid: they are not all of one person.
func (c *Community) Detach(ctx context.Context, refs ...AccountRef) (Person, error) {
	var out Person
	err := c.identity(ctx, func(tx store.Tx, _ Settings) error {
		if len(refs) == 0 {
			return Errorf(Invalid, "say which accounts")
		}
		var accounts []store.Account
		for _, r := range refs {
			acc, err := c.account(tx, r)
			if err != nil {
				return err
			}
			row, err := tx.Account(c.row.Slug, acc.Plugin, acc.PlatformID, acc.UserID)
			if err != nil {
				return err
			}
			if len(accounts) > 0 && row.Person != accounts[0].Person {
				return Errorf(Invalid, "the accounts are not one person's")
			}
			if !slices.ContainsFunc(accounts, func(a store.Account) bool { return accountOf(a).key() == acc.key() }) {
				accounts = append(accounts, row)
			}
		}
		old, err := tx.Person(c.row.Slug, accounts[0].Person)
		if err != nil {
			return err
		}
		now := c.g.now()
		p := store.Person{ID: newID("u"), Community: c.row.Slug, Kind: old.Kind, Created: now, Updated: now}
		if err := tx.PutPerson(p); err != nil {
			return err
		}
		for i := range accounts {
			accounts[i].Home = p.ID
		}
		if err := c.g.own(tx, accounts, p.ID); err != nil {
			return err
		}
		if err := c.g.part(ctx, tx, c.row.Slug, old.ID, p.ID, accounts, []string{p.ID}); err != nil {
			return err
		}
		out, err = whole(tx, p)
		return err
	})
	return out, storeError(err, "detaching accounts in community %s", c.row.Slug)
}

// part is what splitting and detaching have in common, when the rows are changed: evidence that crosses the cut ends, and everybody hears of it.
func (g *Gateway) part(ctx context.Context, tx store.Tx, community, from, to string, accounts []store.Account, members []string) error {
	theirs := map[string]bool{}
	for _, id := range members {
		theirs[PersonKey(id)] = true
	}
	for _, a := range accounts {
		theirs[accountOf(a).key()] = true
	}
	for subject := range theirs {
		known, err := tx.EvidenceOf(community, subject)
		if err != nil {
			return err
		}
		for _, e := range known {
			if theirs[e.A] && theirs[e.B] {
				continue
			}
			if err := g.revoke(tx, e, "they were parted"); err != nil {
				return err
			}
		}
	}
	for _, c := range []change{{person: from, subject: PersonKey(to), quiet: true}, {person: to, subject: PersonKey(from)}} {
		c.kind, c.community = PersonSplit, community
		if err := g.identityChanged(ctx, tx, c); err != nil {
			return err
		}
	}
	return g.rehold(ctx, tx, community, accounts, append(members, from), false)
}
