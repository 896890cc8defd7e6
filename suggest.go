package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/metagov/gateway-go/store"
)

// Suggestion is what an [Inferrer] found: an account that may be the same person's.
type Suggestion struct {
	A, B  AccountRef
	Score float64         // how likely, from 0 to 1
	Why   json.RawMessage // for people; no secrets
}

// Inferrer looks for accounts that may be one person's: by what it likes, of which the gateway believes nothing. It is called by [Community.Infer]
// on its caller's goroutine, and may take its time.
type Inferrer interface {
	Name() string // stands as the issuer of what it suggests
	Infer(ctx context.Context, c *Community, p Person) ([]Suggestion, error)
}

// Infer asks an inferrer about a person and keeps what it suggests. Nothing is ever joined by it.
func (c *Community) Infer(ctx context.Context, person string, by Inferrer) (kept []Evidence, err error) {
	p, err := c.Person(ctx, person)
	if err != nil {
		return nil, err
	}
	found, err := by.Infer(ctx, c, p)
	if err != nil {
		return nil, fmt.Errorf("asking %s about person %s: %w", by.Name(), person, err)
	}
	for _, s := range found {
		e, err := c.Suggest(ctx, s, by.Name())
		switch CodeOf(err) {
		case "":
			kept = append(kept, e)
		case Conflict, NotFound: // they are one person by now, or it was dismissed, or somebody was unlinked
		default:
			return kept, err
		}
	}
	return kept, nil
}

// Suggest keeps the suggestion that accounts of two people are one person's. It joins nobody, whatever its score; [Community.Merge], or a login of
// both, does. Conflict: they are one person's already, or the suggestion was dismissed before. Denied: the community wants none.
func (c *Community) Suggest(ctx context.Context, s Suggestion, issuer string) (Evidence, error) {
	if !(s.Score >= 0 && s.Score <= 1) {
		return Evidence{}, Errorf(Invalid, "a score of %v is not between 0 and 1", s.Score)
	}
	e := Ground{Kind: Inferred, Issuer: issuer, Data: s.Why}
	var out Evidence
	err := c.identity(ctx, func(tx store.Tx, set Settings) error {
		if err := c.g.checkGround(set, &e); err != nil {
			return err
		}
		x, y, err := c.pair(tx, s.A, s.B)
		if err != nil {
			return err
		}
		row, err := c.g.suggestTx(ctx, tx, x, y, e, s.Score)
		out = c.g.evidenceOf(set, row)
		return err
	})
	return out, storeError(err, "suggesting that %s and %s are one person's", s.A, s.B)
}

// suggestTx keeps a suggestion about two accounts within a transaction, on a ground that was checked.
func (g *Gateway) suggestTx(ctx context.Context, tx store.Tx, x, y Account, e Ground, score float64) (store.Evidence, error) {
	if x.Person == y.Person {
		return store.Evidence{}, Errorf(Conflict, "%s and %s are one person's already", x.key(), y.key())
	}
	known, err := tx.EvidenceOf(x.community, x.key())
	if err != nil {
		return store.Evidence{}, err
	}
	for _, k := range known {
		if k.Kind == Inferred && (k.A == y.key() || k.B == y.key()) && k.Issuer == e.Issuer {
			if !k.Revoked.IsZero() {
				return k, Errorf(Conflict, "that %s and %s are one person's was suggested and dismissed before", x.key(), y.key())
			}
			return k, nil
		}
	}
	row, err := g.putEvidence(tx, x.community, x.key(), y.key(), e, int64(math.Round(score*1e6)))
	if err != nil {
		return row, err
	}
	told := change{kind: LinkSuggested, community: x.community, person: y.Person, subject: row.ID, how: Inferred, issuer: e.Issuer, quiet: true}
	if err := g.identityChanged(ctx, tx, told); err != nil {
		return row, err
	}
	told.person, told.quiet = x.Person, false
	return row, g.identityChanged(ctx, tx, told)
}

// Suggestions lists what is suggested about a person's accounts and was neither dismissed nor settled. [Community.RevokeEvidence] dismisses one.
func (c *Community) Suggestions(ctx context.Context, person string) ([]Evidence, error) {
	out := []Evidence{}
	err := c.look(ctx, func(tx store.Tx, s Settings) error {
		root, err := standing(tx, c.row.Slug, person)
		if err != nil {
			return err
		}
		accounts, err := tx.Accounts(c.row.Slug, root.ID)
		if err != nil {
			return err
		}
		now := c.g.now()
		for _, a := range accounts {
			mine := accountOf(a).key()
			known, err := tx.EvidenceOf(c.row.Slug, mine)
			if err != nil {
				return err
			}
			for _, e := range known {
				other := e.A
				if other == mine {
					other = e.B
				}
				if e.Kind != Inferred || !holds(e, now) {
					continue
				}
				if p, err := personOf(tx, c.row.Slug, other); err == nil && p != root.ID {
					out = append(out, c.g.evidenceOf(s, e))
				}
			}
		}
		return nil
	})
	return out, storeError(err, "suggestions for person %s in community %s", person, c.row.Slug)
}
