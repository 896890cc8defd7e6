package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

// The kinds of evidence that two accounts are one person's.
const (
	BothLogins    = "both_logins"    // both accounts logged in, in one browser session
	KeyChallenge  = "key_challenge"  // a challenge was signed with the account's key
	OneLogin      = "login"          // one account logged in, for whom the driver said
	AdminAsserted = "admin_asserted" // an admin says so
	EmailVerified = "email_verified" // both platforms have verified the same e-mail address
	Unproven      = "unproven"       // somebody says so
	Inferred      = "inferred"       // something looks alike: a suggestion, which joins nobody
)

// Strength says how sure it is that two accounts are one person's. It is ordered: compare with <.
type Strength int

// The strengths, weakest first.
const (
	None         Strength = iota // nothing says so
	Suggested                    // something looks alike
	Unverified                   // somebody says so
	EmailMatched                 // the same verified e-mail address
	Asserted                     // an admin says so
	Proven                       // one of both was proved: by a login or a key
	Verified                     // both were proved in one session
)

var strengthNames = []string{"none", "suggested", "unverified", "email_matched", "asserted", "proven", "verified"}

// String is the strength's name: "verified".
func (s Strength) String() string {
	if s < 0 || int(s) >= len(strengthNames) {
		return fmt.Sprintf("Strength(%d)", int(s))
	}
	return strengthNames[s]
}

// MarshalText writes the strength's name.
func (s Strength) MarshalText() ([]byte, error) {
	if s < 0 || int(s) >= len(strengthNames) {
		return nil, Errorf(Invalid, "there is no strength %d", int(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a strength's name.
func (s *Strength) UnmarshalText(text []byte) error {
	for i, name := range strengthNames {
		if name == string(text) {
			*s = Strength(i)
			return nil
		}
	}
	return Errorf(Invalid, "there is no strength %q", text)
}

// strengthOf is what a kind of evidence counts for where the community says nothing else.
func strengthOf(kind string) Strength {
	switch kind {
	case BothLogins:
		return Verified
	case KeyChallenge, OneLogin:
		return Proven
	case AdminAsserted:
		return Asserted
	case EmailVerified:
		return EmailMatched
	case Unproven:
		return Unverified
	case Inferred:
		return Suggested
	}
	return None
}

// Evidence is one reason to believe that two subjects are the same: an account and the person it was linked to, two people that were merged, or
// two accounts.
type Evidence struct {
	ID       string          `json:"id"`
	A        string          `json:"a"` // subjects, see [AccountKey] and [PersonKey]
	B        string          `json:"b"`
	Kind     string          `json:"kind"`
	Issuer   string          `json:"issuer,omitempty"` // who says so: an admin, a plugin, an inferrer
	Strength Strength        `json:"strength"`         // what it counts for in this community, while it holds
	Score    float64         `json:"score,omitempty"`  // of a suggestion, from 0 to 1, in millionths
	Data     json.RawMessage `json:"data,omitempty"`
	At       time.Time       `json:"at"`
	Expires  time.Time       `json:"expires,omitzero"`
	Revoked  time.Time       `json:"revoked,omitzero"`
	Reason   string          `json:"reason,omitempty"` // why it was revoked
}

// Ground is what a driver gives for a link, merge or other evidence. The zero value is an admin's word.
type Ground struct {
	Kind    string          // one of the kinds of evidence; "" is [AdminAsserted]
	Issuer  string          // who says so
	At      time.Time       // zero: now
	Expires time.Time       // zero: it does not
	Data    json.RawMessage // more about it; no secrets

	proof  string // ID of the evidence between two accounts that it is: no other is kept
	known  bool   // that evidence is no news
	prompt string // ID of the prompt that brought it about
}

// maxGroundData is how much may be said about one piece of evidence, in bytes.
const maxGroundData = 16 << 10

// maxEvidence bounds what may be known about one subject, with what was revoked. It is more than a person has accounts.
const maxEvidence = 2 * maxAccounts

func (g *Gateway) evidenceOf(s Settings, e store.Evidence) Evidence {
	return Evidence{
		ID: e.ID, A: e.A, B: e.B, Kind: e.Kind, Issuer: e.Issuer, Strength: s.worth(e.Kind, e.Issuer, strengthOf(e.Kind)), Score: float64(e.Score) / 1e6,
		Data: e.Data, At: e.At, Expires: e.Expires, Revoked: e.Revoked, Reason: e.Reason,
	}
}

// check completes the ground and refuses one that cannot stand.
func (g *Gateway) checkGround(s Settings, e *Ground) error {
	now := g.now()
	if e.Kind == "" {
		e.Kind = AdminAsserted
	}
	if e.At.IsZero() {
		e.At = now
	}
	switch {
	case strengthOf(e.Kind) == None:
		return Errorf(Invalid, "there is no evidence of kind %q", e.Kind)
	case e.At.After(now.Add(time.Minute)):
		return Errorf(Invalid, "the evidence is from the future: %s", e.At.UTC().Format(time.RFC3339))
	case !e.Expires.IsZero() && !e.Expires.After(now):
		return Errorf(Invalid, "the evidence has expired at %s", e.Expires.UTC().Format(time.RFC3339))
	case len(e.Issuer) > maxName:
		return Errorf(Invalid, "the issuer has %d bytes, at most %d are possible", len(e.Issuer), maxName)
	case len(e.Data) > maxGroundData || len(e.Data) > 0 && !json.Valid(e.Data):
		return Errorf(Invalid, "the evidence's data is JSON of at most %d bytes", maxGroundData)
	case !s.links(wayOf(e.Kind)):
		return Errorf(Denied, "this community does not link people by %s", wayOf(e.Kind))
	}
	return nil
}

// putEvidence is keepEvidence for whom it does not matter whether it is news.
func (g *Gateway) putEvidence(tx store.Tx, community, a, b string, e Ground, score int64) (store.Evidence, error) {
	row, _, err := g.keepEvidence(tx, community, a, b, e, score)
	return row, err
}

// keepEvidence keeps a ground as evidence between two subjects, and says whether it is news. What an issuer has said of both in the same way, and
// what still holds, is renewed instead: whoever logs in daily is known by one login, the last.
func (g *Gateway) keepEvidence(tx store.Tx, community, a, b string, e Ground, score int64) (row store.Evidence, fresh bool, err error) {
	if a > b {
		a, b = b, a
	}
	row = store.Evidence{
		ID: newID("e"), Community: community, A: a, B: b, Kind: e.Kind, Issuer: e.Issuer, Score: score, Data: e.Data,
		At: e.At.UTC().Truncate(time.Microsecond), Expires: e.Expires.UTC().Truncate(time.Microsecond),
	}
	if e.Expires.IsZero() {
		row.Expires = time.Time{}
	}
	for _, subject := range []string{b, a} {
		known, err := tx.EvidenceOf(community, subject)
		if err != nil {
			return row, false, err
		}
		for _, k := range known {
			if k.A == a && k.B == b && k.Kind == row.Kind && k.Issuer == row.Issuer && holds(k, g.now()) {
				return renewed(k, row), false, tx.PutEvidence(renewed(k, row))
			}
		}
		if len(known) >= maxEvidence {
			return row, false, Errorf(Conflict, "there are %d pieces of evidence about %s already", len(known), subject)
		}
	}
	return row, true, tx.PutEvidence(row)
}

// renewed is evidence that was given again: it never says less than before.
func renewed(old, again store.Evidence) store.Evidence {
	if again.At.After(old.At) {
		old.At = again.At
	}
	if again.Expires.IsZero() || !old.Expires.IsZero() && again.Expires.After(old.Expires) {
		old.Expires = again.Expires
	}
	if again.Data != nil {
		old.Data = again.Data
	}
	old.Score = max(old.Score, again.Score)
	return old
}

// holds says whether evidence counts at a time.
func holds(e store.Evidence, now time.Time) bool {
	return e.Revoked.IsZero() && (e.Expires.IsZero() || e.Expires.After(now))
}

// revoke ends evidence. It stays on record.
func (g *Gateway) revoke(tx store.Tx, e store.Evidence, reason string) error {
	if !e.Revoked.IsZero() {
		return nil
	}
	e.Revoked, e.Reason = g.now(), shorten(reason)
	return tx.PutEvidence(e)
}

// AddEvidence keeps evidence between two accounts of one person, which may strengthen what is known of them. Conflict: they are not known to be
// one person's; link or merge them, or suggest it with [Community.Suggest]. Denied: the community does not link people this way. What the same
// issuer has said of them in the same way is renewed.
func (c *Community) AddEvidence(ctx context.Context, a, b AccountRef, e Ground) (Evidence, error) {
	if e.Kind == Inferred {
		return Evidence{}, Errorf(Invalid, "a suggestion is made with Suggest")
	}
	var out Evidence
	err := c.identity(ctx, func(tx store.Tx, s Settings) error {
		if err := c.g.checkGround(s, &e); err != nil {
			return err
		}
		x, y, err := c.pair(tx, a, b)
		if err != nil {
			return err
		}
		if x.key() == y.key() {
			return Errorf(Invalid, "%s is one account: there is nothing to be said", x.key())
		}
		if x.Person != y.Person {
			return Errorf(Conflict, "accounts %s and %s are not known to be one person's", x.key(), y.key())
		}
		row, fresh, err := c.g.keepEvidence(tx, c.row.Slug, x.key(), y.key(), e, 0)
		out = c.g.evidenceOf(s, row)
		if err != nil || !fresh {
			return err
		}
		return c.g.identityChanged(ctx, tx, change{kind: EvidenceAdded, community: c.row.Slug, person: x.Person, subject: row.ID, how: e.Kind, issuer: e.Issuer})
	})
	return out, storeError(err, "adding evidence in community %s", c.row.Slug)
}

// RevokeEvidence ends evidence, for a reason. What it linked stays linked, by what else is known; [Community.Unlink] and [Community.Split] part.
func (c *Community) RevokeEvidence(ctx context.Context, id, reason string) error {
	return storeError(c.identity(ctx, func(tx store.Tx, s Settings) error {
		e, err := tx.Evidence(c.row.Slug, id)
		if err != nil || !e.Revoked.IsZero() {
			return err
		}
		if err := c.g.revoke(tx, e, reason); err != nil {
			return err
		}
		person, err := personOf(tx, c.row.Slug, e.A)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return c.g.identityChanged(ctx, tx, change{kind: EvidenceRevoked, community: c.row.Slug, person: person, subject: e.ID, how: e.Kind, issuer: e.Issuer, text: reason})
	}), "revoking evidence %s", id)
}

// Evidence lists everything that is known about an account, what was revoked and what has expired too, oldest first.
func (c *Community) Evidence(ctx context.Context, a AccountRef) ([]Evidence, error) {
	var out []Evidence
	err := c.look(ctx, func(tx store.Tx, s Settings) error {
		acc, err := c.account(tx, a)
		if err != nil {
			return err
		}
		rows, err := tx.EvidenceOf(c.row.Slug, acc.key())
		out = nil
		for _, row := range rows {
			out = append(out, c.g.evidenceOf(s, row))
		}
		slices.SortStableFunc(out, func(a, b Evidence) int { return a.At.Compare(b.At) }) // stores list by ID, and those of one millisecond are in no order
		return err
	})
	return out, storeError(err, "the evidence about %s", a)
}

// personOf finds the standing person of a subject.
func personOf(tx store.Tx, community, text string) (string, error) {
	s, ok := parseSubject(text)
	switch {
	case ok && s.kind == kindAccount:
		a, err := linkedAccount(tx, community, AccountRef{s.plugin, s.platform, s.id})
		return a.Person, err
	case ok && (s.kind == kindPerson || s.kind == kindOrganization || s.kind == kindResource):
		p, err := standing(tx, community, s.id)
		return p.ID, err
	}
	return "", fmt.Errorf("%q names nobody: %w", text, store.ErrNotFound)
}
