package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// PersonExport is what a community knows about a person, as [Community.ExportPerson] writes it.
type PersonExport struct {
	Community string         `json:"community"`
	At        time.Time      `json:"at"`
	Person    Person         `json:"person"`
	Merged    []Person       `json:"merged"`   // those who were merged into them, as they were; their accounts are the person's
	Evidence  []Evidence     `json:"evidence"` // what was revoked and has expired too
	Claims    []Claim        `json:"claims"`   // without what is sealed
	Tokens    []TokenExport  `json:"tokens"`
	History   []Change       `json:"history"` // of all of them, one after the other
	Ballots   []BallotExport `json:"ballots"`
}

// TokenExport says that a person's own credentials are kept, and what for.
type TokenExport struct {
	Account AccountRef      `json:"account"`
	Scopes  json.RawMessage `json:"scopes,omitempty"`
	Status  string          `json:"status"`
	Created time.Time       `json:"created"`
	Expires time.Time       `json:"expires,omitzero"`
}

// BallotExport is a ballot of the person's, in a process that is still kept.
type BallotExport struct {
	Process  string    `json:"process"`
	Voter    string    `json:"voter"`
	Question string    `json:"question,omitempty"`
	Choice   string    `json:"choice"` // "": taken back
	Counts   bool      `json:"counts"` // it is the one that counts, of all that they have cast
	At       time.Time `json:"at"`
}

// ExportPerson writes what the community knows about a person as JSON, a [PersonExport]: for them to see. It has no secrets, and nothing of what
// platforms sent or plugins keep. Of evidence that leads to somebody else, such as a suggestion, it does not say to whom, nor repeats its data. NotFound:
// nobody has that ID.
func (c *Community) ExportPerson(ctx context.Context, id string, w io.Writer) error {
	out := PersonExport{
		Community: c.row.Slug, At: c.g.now(), Merged: []Person{}, Evidence: []Evidence{}, Claims: []Claim{}, Tokens: []TokenExport{}, History: []Change{}, Ballots: []BallotExport{},
	}
	keys := erasing{}
	err := c.look(ctx, func(tx store.Tx, s Settings) (err error) {
		root, err := standing(tx, c.row.Slug, id)
		if err != nil {
			return err
		}
		if out.Person, err = whole(tx, root); err != nil {
			return err
		}
		keys.People = append([]string{root.ID}, out.Person.Merged...)
		for _, a := range out.Person.Accounts {
			keys.Accounts = append(keys.Accounts, a.Ref())
		}
		return c.exportKnown(tx, s, keys, &out)
	})
	if err == nil {
		err = c.exportBallots(ctx, keys, &out)
	}
	if err != nil {
		return storeError(err, "exporting person %s of community %s", id, c.row.Slug)
	}
	lines := json.NewEncoder(w)
	lines.SetIndent("", "  ")
	if err := lines.Encode(out); err != nil {
		return Errorf(Unavailable, "exporting person %s of community %s: %w", id, c.row.Slug, err)
	}
	return nil
}

// exportKnown reads all but the ballots.
func (c *Community) exportKnown(tx store.Tx, s Settings, keys erasing, out *PersonExport) error {
	for i, id := range keys.People {
		if i > 0 {
			row, err := tx.Person(c.row.Slug, id)
			if err != nil {
				return err
			}
			out.Merged = append(out.Merged, Person{ID: row.ID, Kind: row.Kind, Name: row.Name, Data: row.Data, Accounts: []Account{}, Created: row.Created})
		}
		rows, err := allChanges(tx, c.row.Slug, id)
		if err != nil {
			return err
		}
		for _, row := range rows {
			out.History = append(out.History, changeOf(row))
		}
	}
	subjects, _ := keys.subjects()
	seen := map[string]bool{}
	for _, subject := range subjects {
		known, err := tx.EvidenceOf(c.row.Slug, subject)
		if err != nil {
			return err
		}
		for _, e := range known {
			if !seen[e.ID] {
				seen[e.ID] = true
				out.Evidence = append(out.Evidence, hideOthers(c.g.evidenceOf(s, e), subjects))
			}
		}
		claims, err := tx.Claims(c.row.Slug, subject)
		if err != nil {
			return err
		}
		for _, row := range claims {
			out.Claims = append(out.Claims, claimOf(row))
		}
	}
	for _, a := range keys.Accounts {
		row, err := tx.Token(c.row.Slug, a.Plugin, a.PlatformID, a.UserID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		out.Tokens = append(out.Tokens, TokenExport{Account: a, Scopes: row.Scopes, Status: row.Status, Created: row.Created, Expires: row.Expires})
	}
	return nil
}

// hideOthers takes out of evidence who else it is about.
func hideOthers(e Evidence, theirs []string) Evidence {
	for _, side := range []*string{&e.A, &e.B} {
		if !slices.Contains(theirs, *side) {
			*side, e.Data = "", nil
		}
	}
	return e
}

// exportBallots goes through the community's processes, some in each transaction.
func (c *Community) exportBallots(ctx context.Context, keys erasing, out *PersonExport) error {
	const some = 100
	for after, n := "", some; n >= some; {
		var found []BallotExport
		err := c.g.view(ctx, func(tx store.Tx) error {
			rows, err := tx.Processes(store.ProcessQuery{Community: c.row.Slug}, after, some)
			n = len(rows)
			for _, row := range rows {
				after = row.ID
				ballots, err := c.g.ballotsIn(tx, row, keys)
				if err != nil {
					return err
				}
				found = append(found, ballots...)
			}
			return err
		})
		if err != nil {
			return err
		}
		out.Ballots = append(out.Ballots, found...)
	}
	return nil
}

// ballotsIn lists a person's ballots in one process. Those of an account that has been parted from them are not theirs, whoever held them then.
func (g *Gateway) ballotsIn(tx store.Tx, row store.Process, keys erasing) (out []BallotExport, err error) {
	r, err := g.rollIn(tx, row, nil)
	if err != nil {
		return nil, err
	}
	theirs := map[string]bool{}
	for _, a := range keys.Accounts {
		theirs[r.key(subject{kind: kindAccount, plugin: a.Plugin, platform: a.PlatformID, id: a.UserID})] = true
	}
	for _, id := range keys.People {
		theirs[PersonKey(id)] = true
	}
	seen := map[[2]string]bool{}
	for holder := range theirs {
		held, err := tx.BallotsOf(row.ID, holder)
		if err != nil {
			return nil, err
		}
		for _, h := range held {
			if at := [2]string{h.Voter, h.Question}; theirs[h.Voter] && !seen[at] {
				seen[at] = true
				out = append(out, BallotExport{Process: row.ID, Voter: h.Voter, Question: h.Question, Choice: h.Choice, Counts: h.Counts, At: h.At})
			}
		}
	}
	slices.SortFunc(out, func(a, b BallotExport) int {
		return cmp.Or(strings.Compare(a.Voter, b.Voter), strings.Compare(a.Question, b.Question))
	})
	return out, nil
}
