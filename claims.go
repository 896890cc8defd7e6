package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// The kinds of claims that the gateway knows by name. Others may be used as well, but none that begin with "gateway/".
const (
	ClaimIdentifier = "identifier" // the subject is known by this name elsewhere
	ClaimHoldsKey   = "key"        // the subject has shown that it holds this key, see [Community.AnswerChallenge]
	ClaimRole       = "role"       // the subject has this role: INSTANCE/ROLE on a platform, local/ROLE in the community
	ClaimMember     = "member"     // the subject belongs to the organization with this ID
	ClaimCapability = "capability" // the subject may do this, within the limits that Data says
	ClaimConsent    = "consent"    // the subject has agreed to this
)

// ourKinds begin the kinds of claims that are the gateway's own notes.
const ourKinds = ourPlugin + "/"

// local is the issuer of what the community says itself, by its driver.
const local = "local"

// Claim is what somebody, the issuer, says about a subject: an account, a person, an organization, a role, a resource. What a claim counts for
// is the community's own affair, see [Settings.Trust]. By default those count that the community's driver grants as its own, that a platform or a
// source of [Options.ClaimSources] says, and that the gateway has verified itself; those of other issuers count for nothing.
type Claim struct {
	Subject string          `json:"subject"` // see [AccountKey], [PersonKey] and the others
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	Issuer  string          `json:"issuer"`           // "local": the community itself; "gateway"; an instance's name, of roles; "source:" and a source's name; any other
	Data    json.RawMessage `json:"data,omitempty"`   // its parameters: the limits of a capability
	Sealed  bool            `json:"sealed,omitempty"` // there is a Secret, which only [Community.Reveal] gives
	At      time.Time       `json:"at"`
	Checked time.Time       `json:"checked"` // when its issuer last said so
	Expires time.Time       `json:"expires,omitzero"`
	Revoked time.Time       `json:"revoked,omitzero"`

	// Secret is what nobody may read in the database, such as a date of birth: it is kept sealed, with the Purposes for which alone it is revealed.
	// Both are only taken, and never given back.
	Secret   Secret   `json:"-"`
	Purposes []string `json:"-"`
	sealed   []byte   // the Secret, once it was checked
}

func claimOf(c store.Claim) Claim {
	return Claim{
		Subject: c.Subject, Kind: c.Kind, Name: c.Name, Issuer: c.Issuer, Data: c.Data, Sealed: len(c.Sealed) > 0, At: c.At, Checked: c.Checked, Expires: c.Expires, Revoked: c.Revoked,
	}
}

// Limits of claims.
const (
	maxClaimName = 500
	maxClaimData = 16 << 10
	maxClaims    = 1000 // about one subject, and of one person's subjects together
)

// checkClaim completes a claim, seals its secret, and refuses one that cannot be meant. It is not for inside a transaction: a seal may be far away.
func (g *Gateway) checkClaim(community string, c *Claim) error {
	now := g.now()
	if c.At.IsZero() {
		c.At = now
	}
	s, ok := parseSubject(c.Subject)
	switch {
	case !ok || s.kind == kindClaim || s.id == anyone && s.kind == kindPerson:
		return Errorf(Invalid, "a claim is about an account, a person, an organization, a role or a resource, not about %q", c.Subject)
	case !named(c.Kind) || !named(c.Name) || !named(c.Issuer):
		return Errorf(Invalid, "a claim needs a kind and a name, each of at most %d bytes of text", maxClaimName)
	case strings.HasPrefix(c.Kind, ourKinds):
		return Errorf(Invalid, "kinds of claims that begin with %q are the gateway's own", ourKinds)
	case len(c.Data) > maxClaimData || len(c.Data) > 0 && !json.Valid(c.Data):
		return Errorf(Invalid, "the data of a claim is JSON of at most %d bytes", maxClaimData)
	case c.At.After(now.Add(time.Minute)):
		return Errorf(Invalid, "the claim is from the future: %s", c.At.UTC().Format(time.RFC3339))
	case !c.Expires.IsZero() && !c.Expires.After(now):
		return Errorf(Invalid, "the claim has expired at %s", c.Expires.UTC().Format(time.RFC3339))
	}
	return g.sealClaim(community, c)
}

// named says whether a kind, name or issuer can stand in the store, in keys and in what people read.
func named(text string) bool {
	return text != "" && len(text) <= maxClaimName && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// Grant keeps a claim. Without an issuer it is the community's own. Granting it again renews it, and replaces what it said; a Secret stays where no
// other is given. Invalid: it cannot be meant, or is in the name of a source, or of the gateway itself. NotFound: there is no such subject, or, of
// [ClaimMember], no such organization.
func (c *Community) Grant(ctx context.Context, claim Claim) (Claim, error) {
	if claim.Issuer == "" {
		claim.Issuer = local
	}
	if claim.Issuer == ourPlugin || strings.HasPrefix(claim.Issuer, sourceIssuer("")) {
		return Claim{}, Errorf(Invalid, "nobody grants claims in the name of %s", claim.Issuer)
	}
	if err := c.g.checkClaim(c.row.Slug, &claim); err != nil {
		return Claim{}, err
	}
	var out Claim
	err := c.identity(ctx, func(tx store.Tx, _ Settings) error {
		row, err := c.g.grantTx(ctx, tx, c.row.Slug, claim)
		out = claimOf(row)
		return err
	})
	return out, storeError(err, "granting claim %s %s in community %s", claim.Kind, claim.Name, c.row.Slug)
}

// exists refuses a claim about, or of belonging to, what is not there.
func (c Claim) exists(tx store.Tx, community string) error {
	s, _ := parseSubject(c.Subject)
	subjects := []subject{s}
	if c.Kind == ClaimMember {
		subjects = append(subjects, subject{kind: kindOrganization, id: c.Name})
	}
	for _, s := range subjects {
		if s.kind != kindPerson && s.kind != kindOrganization && s.kind != kindResource {
			continue
		}
		p, err := standing(tx, community, s.id)
		if err == nil && p.Kind != s.kind {
			err = store.ErrNotFound
		}
		if err != nil {
			return storeError(err, "%s", s)
		}
	}
	return nil
}

// grantTx keeps a claim that was checked.
func (g *Gateway) grantTx(ctx context.Context, tx store.Tx, community string, claim Claim) (store.Claim, error) {
	if err := claim.exists(tx, community); err != nil {
		return store.Claim{}, err
	}
	have, err := tx.Claims(community, claim.Subject)
	if err != nil {
		return store.Claim{}, err
	}
	now := g.now()
	row := store.Claim{
		Community: community, Subject: claim.Subject, Kind: claim.Kind, Name: claim.Name, Issuer: claim.Issuer, Data: claim.Data,
		At: claim.At, Checked: now, Expires: claim.Expires, Sealed: claim.sealed,
	}
	what := ClaimGranted
	i := slices.IndexFunc(have, func(old store.Claim) bool { return sameClaim(old, row) })
	switch {
	case i >= 0 && stands(have[i], now):
		old := have[i]
		if row.At = old.At; row.Sealed == nil {
			row.Sealed = old.Sealed
		}
		if what = ""; string(old.Data) != string(row.Data) || claim.Secret != "" {
			what = ClaimChanged
		}
	case i < 0 && len(have) >= maxClaims:
		return row, Errorf(Conflict, "there are %d claims about %s already", len(have), claim.Subject)
	}
	if err := tx.PutClaim(row); err != nil {
		return row, err
	}
	if err := g.expireLater(tx, row); err != nil || what == "" {
		return row, err
	}
	return row, g.claimChanged(ctx, tx, what, row)
}

func sameClaim(a, b store.Claim) bool {
	return a.Subject == b.Subject && a.Kind == b.Kind && a.Name == b.Name && a.Issuer == b.Issuer
}

// RevokeClaim ends a claim, whoever issued it. It stays on record, but for its Secret, which is deleted. A source that goes on saying so brings it
// back; who does not want that, no longer trusts it. NotFound: there is none.
func (c *Community) RevokeClaim(ctx context.Context, subject, kind, name, issuer string) error {
	if issuer == "" {
		issuer = local
	}
	return storeError(c.identity(ctx, func(tx store.Tx, _ Settings) error {
		row, err := tx.ClaimOf(c.row.Slug, subject, kind, name, issuer)
		if err != nil {
			return err
		}
		return c.g.revokeClaim(ctx, tx, row)
	}), "claim %s %s of %s", kind, name, subject)
}

func (g *Gateway) revokeClaim(ctx context.Context, tx store.Tx, row store.Claim) error {
	if !row.Revoked.IsZero() {
		return nil
	}
	row.Revoked, row.Sealed = g.now(), nil
	if err := tx.PutClaim(row); err != nil {
		return err
	}
	if err := tx.Unschedule(taskClaim, claimTask(row)); err != nil {
		return err
	}
	return g.claimChanged(ctx, tx, ClaimRevoked, row)
}

// DeleteClaim forgets a claim as if there had never been one: for what may not be on record any more. NotFound: there is none.
func (c *Community) DeleteClaim(ctx context.Context, subject, kind, name, issuer string) error {
	if issuer == "" {
		issuer = local
	}
	return storeError(c.identity(ctx, func(tx store.Tx, _ Settings) error {
		row, err := tx.ClaimOf(c.row.Slug, subject, kind, name, issuer)
		if err != nil {
			return err
		}
		if stands(row, c.g.now()) {
			if err := c.g.revokeClaim(ctx, tx, row); err != nil {
				return err
			}
		}
		return dropClaim(tx, row)
	}), "claim %s %s of %s", kind, name, subject)
}

// dropClaim deletes a claim with the task that waits for its end.
func dropClaim(tx store.Tx, row store.Claim) error {
	if err := tx.Unschedule(taskClaim, claimTask(row)); err != nil {
		return err
	}
	return tx.DeleteClaim(row.Community, row.Subject, row.Kind, row.Name, row.Issuer)
}

// claimChanged tells of a claim that was granted or changed, or has ended: in the person's history, in the log and, unless it only ran out or says
// something else now, in the audit record. The record outlives people who are erased, and so says of identifiers and keys only that there is one.
func (g *Gateway) claimChanged(ctx context.Context, tx store.Tx, kind string, row store.Claim) error {
	person, err := personOf(tx, row.Community, row.Subject)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	key := ClaimKey(row.Kind, row.Name)
	if person != "" {
		c := change{kind: kind, community: row.Community, person: person, subject: key, how: row.Kind, issuer: row.Issuer, quiet: true}
		if err := g.identityChanged(ctx, tx, c); err != nil {
			return err
		}
	}
	if entry := auditKinds()[kind]; entry != "" {
		d := auditOfClaim{Person: person, How: shorten(row.Kind), Issuer: shorten(row.Issuer)}
		if slices.Contains([]string{ClaimRole, ClaimMember, ClaimCapability, ClaimConsent}, row.Kind) {
			d.Other = key
		}
		if err := g.audit(tx, trailOf(ctx, ""), store.Audit{Community: row.Community, Kind: entry}, d); err != nil {
			return err
		}
	}
	return g.claimEvent(ctx, tx, kind, row, person)
}

type auditOfClaim struct {
	Person  string `json:"person,omitempty"`
	Other   string `json:"other,omitempty"`
	How     string `json:"how,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	Purpose string `json:"purpose,omitempty"`
}

func (g *Gateway) claimEvent(ctx context.Context, tx store.Tx, kind string, row store.Claim, person string) error {
	raw, err := json.Marshal(IdentityChange{Person: person, About: row.Subject, Subject: ClaimKey(row.Kind, row.Name), How: row.Kind, Issuer: row.Issuer})
	if err != nil {
		return Errorf(Internal, "encoding a change of a claim: %w", err)
	}
	s := scopeOf(ctx)
	_, err = g.emit(tx, scope{delivery: s.delivery, cause: s.cause}, store.Event{
		Community: row.Community, Plugin: ourPlugin, Type: kind, Data: raw, Delivery: s.delivery, Cause: s.cause, At: g.now(),
	})
	return err
}

// Claims lists what is claimed about a subject; of a person also what is claimed about their accounts, and about whoever was merged into them, and the
// capabilities of the roles and organizations that are theirs. What was revoked or has expired is in the list.
func (c *Community) Claims(ctx context.Context, subject string) ([]Claim, error) {
	out := []Claim{}
	err := c.look(ctx, func(tx store.Tx, s Settings) error {
		return c.g.eachClaim(tx, s, c.row.Slug, subject, ClaimQuery{}, func(row store.Claim) (bool, error) {
			out = append(out, claimOf(row))
			return true, nil
		})
	})
	return out, storeError(err, "the claims about %s", subject)
}

// Consent keeps that a person has agreed to something. Without it whoever needs it refuses.
func (c *Community) Consent(ctx context.Context, person, to string) error {
	_, err := c.Grant(ctx, Claim{Subject: PersonKey(person), Kind: ClaimConsent, Name: to})
	return err
}

// WithdrawConsent ends a person's consent, also where somebody gave it who was merged into them since. NotFound: there is none.
func (c *Community) WithdrawConsent(ctx context.Context, person, to string) error {
	return storeError(c.identity(ctx, func(tx store.Tx, _ Settings) error {
		root, err := standing(tx, c.row.Slug, person)
		if err != nil {
			return err
		}
		faces, err := facesOf(tx, c.row.Slug, root.ID)
		if err != nil {
			return err
		}
		found := false
		for _, face := range faces {
			rows, err := tx.Claims(c.row.Slug, face)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if row.Kind != ClaimConsent || row.Name != to {
					continue
				}
				found = true
				if err := c.g.revokeClaim(ctx, tx, row); err != nil {
					return err
				}
			}
		}
		if !found {
			return store.ErrNotFound
		}
		return nil
	}), "the consent of person %s to %s", person, to)
}

// Consents says whether a person has agreed to something and has not withdrawn it.
func (c *Community) Consents(ctx context.Context, person, to string) (bool, error) {
	_, err := c.Holds(ctx, PersonKey(person), ClaimQuery{Kind: ClaimConsent, Name: to})
	if CodeOf(err) == Denied {
		return false, nil
	}
	return err == nil, err
}
