package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// ErasePerson deletes what the community knows about a person, and about everybody who was merged into them: accounts, evidence, claims,
// credentials, name, data and history. Their IDs are never used again, and answer NotFound from then on.
//
// What follows is done by [Gateway.Run] in pieces: in processes that have ended another name stands for theirs, a different one in each; in those
// that run it does as soon as they have ended. Until then it is remembered that the accounts were one person's, so that nobody votes twice by being
// erased in between, and they cannot be linked to anybody else (Conflict). Events that they did, and those that tell of them, say
// it no more, and the deliveries that brought those are blanked. Counts stay.
//
// What remains: the audit record, which names accounts by salted hashes whose salt is deleted, and repeats what drivers gave as a [Reason] and who closed a
// vote by hand; what plugins keep; prompts and challenges that were made for them, until they run out; credentials that the platform has not taken back
// yet; and, until it is as old as [Options.Retain], what platforms sent that led to no event, and the calls of actions.
func (c *Community) ErasePerson(ctx context.Context, id string) error {
	return storeError(c.identity(ctx, func(tx store.Tx, _ Settings) error {
		root, err := standing(tx, c.row.Slug, id)
		if err != nil {
			return err
		}
		e := erasing{}
		if e.People, err = family(tx, c.row.Slug, root.ID); err != nil {
			return err
		}
		accounts, err := tx.Accounts(c.row.Slug, root.ID)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			e.Accounts = append(e.Accounts, accountOf(a).Ref())
		}
		open, err := tx.Processes(store.ProcessQuery{Community: c.row.Slug, Status: running}, "", 1)
		if err != nil {
			return err
		}
		e.Kept = len(open) > 0
		if err := c.g.eraseKnown(tx, c.row.Slug, e); err != nil {
			return err
		}
		for _, id := range e.People {
			p, err := tx.Person(c.row.Slug, id)
			if err != nil {
				return err
			}
			now := c.g.now()
			if err := tx.PutPerson(store.Person{ID: id, Community: c.row.Slug, Kind: p.Kind, Created: p.Created, Updated: now, Erased: now}); err != nil {
				return err
			}
			if err := c.g.identityChanged(ctx, tx, change{kind: PersonErased, community: c.row.Slug, person: id}); err != nil {
				return err
			}
			if err := tx.DeleteChanges(c.row.Slug, id); err != nil {
				return err
			}
		}
		if e.UpTo, err = tx.LastSeq(); err != nil {
			return err
		}
		return e.schedule(c.g, tx, c.row.Slug, root.ID)
	}), "erasing person %s of community %s", id, c.row.Slug)
}

// dropAccount deletes an account, and its person's credentials, which are revoked at the platform.
func (g *Gateway) dropAccount(tx store.Tx, community string, a AccountRef) error {
	if err := tx.DeleteAccount(community, a.Plugin, a.PlatformID, a.UserID); err != nil {
		return err
	}
	_, err := g.dropToken(tx, community, a)
	return err
}

// eraseKnown deletes accounts, evidence and claims, and takes the accounts out of the history of those to whom they were linked before.
func (g *Gateway) eraseKnown(tx store.Tx, community string, e erasing) error {
	subjects, keys := e.subjects()
	others := map[string]bool{}
	for _, subject := range subjects {
		known, err := tx.EvidenceOf(community, subject)
		if err != nil {
			return err
		}
		for _, k := range known {
			for _, side := range []string{k.A, k.B} {
				if s, ok := parseSubject(side); ok && s.kind == kindPerson && !slices.Contains(e.People, s.id) {
					others[s.id] = true
				}
			}
			if err := tx.DeleteEvidence(community, k.ID); err != nil {
				return err
			}
		}
		claims, err := tx.Claims(community, subject)
		if err != nil {
			return err
		}
		for _, c := range claims {
			if err := dropClaim(tx, c); err != nil {
				return err
			}
		}
	}
	for _, a := range e.Accounts {
		if err := g.dropAccount(tx, community, a); err != nil {
			return err
		}
		if !e.Kept {
			continue
		}
		row := store.Account{Community: community, Plugin: a.Plugin, PlatformID: a.PlatformID, UserID: a.UserID, Person: e.People[0], Home: e.People[0], LinkType: linkErased}
		if err := tx.PutAccount(row); err != nil {
			return err
		}
	}
	for id := range others {
		if err := forgetIn(tx, community, id, keys); err != nil {
			return err
		}
	}
	return nil
}

// forgetIn takes accounts out of somebody else's history.
func forgetIn(tx store.Tx, community, person string, keys map[string]bool) error {
	rows, err := allChanges(tx, community, person)
	if err != nil || !slices.ContainsFunc(rows, func(c store.Change) bool { return keys[c.Subject] }) {
		return err
	}
	if err := tx.DeleteChanges(community, person); err != nil {
		return err
	}
	for _, row := range rows { // all of them, so that each keeps its number
		if keys[row.Subject] {
			row.Subject, row.Text = "", ""
			if row.Data, err = anonymous(row.Data); err != nil {
				return err
			}
		}
		if err := tx.PutChange(row); err != nil {
			return err
		}
	}
	return nil
}

// allChanges reads a whole history.
func allChanges(tx store.Tx, community, person string) (out []store.Change, err error) {
	for after, n := int64(0), listPiece; n >= listPiece; {
		rows, err := tx.Changes(community, person, after, listPiece)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
		if n = len(rows); n > 0 {
			after = rows[n-1].Seq
		}
	}
	return out, nil
}

// anonymous is an [IdentityChange] that says whom it was about and what happened, but nothing by which that can be known.
func anonymous(raw []byte) ([]byte, error) {
	var c IdentityChange
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, Errorf(Internal, "decoding a change of people: %w", err)
	}
	raw, err := json.Marshal(IdentityChange{Person: c.Person, How: c.How})
	if err != nil {
		return nil, Errorf(Internal, "encoding a change of people: %w", err)
	}
	return raw, nil
}

// erasing is what a task has to erase, and how far it is. It is deleted with the task.
type erasing struct {
	People   []string     `json:"people"`
	Accounts []AccountRef `json:"accounts"`
	Kept     bool         `json:"kept,omitempty"`   // that the accounts were one person's, until the votes are over
	Left     bool         `json:"left,omitempty"`   // nobody is a member of an organization that was erased
	After    string       `json:"after,omitempty"`  // the process up to which it is done
	Walked   bool         `json:"walked,omitempty"` // all of them
	Open     []string     `json:"open,omitempty"`   // those that ran
	Seq      int64        `json:"seq,omitempty"`    // the event up to which it is done
	UpTo     int64        `json:"up_to"`            // the last that is looked at
}

// subjects lists what claims and evidence can be about, and the accounts among it.
func (e erasing) subjects() (all []string, accounts map[string]bool) {
	accounts = map[string]bool{}
	for _, id := range e.People {
		all = append(all, PersonKey(id), OrganizationKey(id), ResourceKey(id))
	}
	for _, a := range e.Accounts {
		key := AccountKey(a.Plugin, a.PlatformID, a.UserID)
		all = append(all, key)
		accounts[key] = true
	}
	return all, accounts
}

// waits says that nothing is left but processes that have to end.
func (e erasing) waits() bool { return e.Left && e.Walked && e.Seq >= e.UpTo }

// schedule has the task go on: at once, or, where it only waits for processes to end, in a while.
func (e erasing) schedule(g *Gateway, tx store.Tx, community, key string) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return Errorf(Internal, "encoding what is to be erased: %w", err)
	}
	due := g.now()
	if e.waits() {
		due = due.Add(eraseEvery)
	}
	key = community + "/" + key
	if err := tx.Unschedule(taskErase, key); err != nil {
		return err
	}
	return tx.Schedule(store.Task{Kind: taskErase, Key: key, Community: community, Due: due, Payload: raw, Created: g.now()})
}

// pseudonym stands for somebody who was erased. It says nothing, not even when.
func pseudonym() string { return "erased:" + rand.Text() }
