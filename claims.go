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

// The kinds of claims that the gateway knows by name. Others may be used as well.
const (
	ClaimIdentifier = "identifier" // the subject is known by this name elsewhere
	ClaimHoldsKey   = "key"        // the subject has shown that it holds this key
	ClaimRole       = "role"       // the subject has this role: INSTANCE/ROLE on a platform, local/ROLE in the community
	ClaimMember     = "member"     // the subject belongs to the organization with this ID
	ClaimCapability = "capability" // the subject may do this, within the limits that Data says
	ClaimConsent    = "consent"    // the subject has agreed to this
)

// local is the issuer of what the community says itself, by its driver.
const local = "local"

// Claim is what somebody, the issuer, says about a subject: an account, a person, an organization, a role, a resource. What a claim counts for
// is the community's own affair: see [Settings.Trust].
type Claim struct {
	Subject string          `json:"subject"` // see [AccountKey], [PersonKey] and the others
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	Issuer  string          `json:"issuer"`           // "local": the community itself, by its driver
	Data    json.RawMessage `json:"data,omitempty"`   // its parameters: the limits of a capability
	Sealed  bool            `json:"sealed,omitempty"` // there is something that only [Community.Reveal] gives
	At      time.Time       `json:"at"`
	Checked time.Time       `json:"checked"` // when its issuer last said so
	Expires time.Time       `json:"expires,omitzero"`
	Revoked time.Time       `json:"revoked,omitzero"`
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
	maxClaims    = 1000 // about one subject
)

func (g *Gateway) checkClaim(c *Claim) error {
	now := g.now()
	if c.Issuer == "" {
		c.Issuer = local
	}
	if c.At.IsZero() {
		c.At = now
	}
	s, ok := parseSubject(c.Subject)
	switch {
	case !ok || s.kind == kindClaim || s.id == anyone && s.kind == kindPerson:
		return Errorf(Invalid, "a claim is about an account, a person, an organization, a role or a resource, not about %q", c.Subject)
	case c.Kind == "" || len(c.Kind) > maxClaimName || c.Name == "" || len(c.Name) > maxClaimName || len(c.Issuer) > maxClaimName:
		return Errorf(Invalid, "a claim needs a kind and a name, each of at most %d bytes", maxClaimName)
	case len(c.Data) > maxClaimData || len(c.Data) > 0 && !json.Valid(c.Data):
		return Errorf(Invalid, "the data of a claim is JSON of at most %d bytes", maxClaimData)
	case !c.Expires.IsZero() && !c.Expires.After(now):
		return Errorf(Invalid, "the claim has expired at %s", c.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// Grant keeps a claim. Without an issuer it is the community's own. Granting it again renews it. NotFound: the subject is a person whom the
// community does not know.
func (c *Community) Grant(ctx context.Context, claim Claim) (Claim, error) {
	if err := c.g.checkClaim(&claim); err != nil {
		return Claim{}, err
	}
	var out Claim
	err := c.identity(ctx, func(tx store.Tx, _ Settings) error {
		row, err := c.g.grantTx(ctx, tx, c.row.Slug, claim, nil)
		out = claimOf(row)
		return err
	})
	return out, storeError(err, "granting claim %s %s in community %s", claim.Kind, claim.Name, c.row.Slug)
}

// grantTx keeps a claim that was checked.
func (g *Gateway) grantTx(ctx context.Context, tx store.Tx, community string, claim Claim, sealed []byte) (store.Claim, error) {
	s, _ := parseSubject(claim.Subject)
	if s.kind == kindPerson || s.kind == kindOrganization || s.kind == kindResource {
		if _, err := standing(tx, community, s.id); err != nil {
			return store.Claim{}, storeError(err, "%s", claim.Subject)
		}
	}
	have, err := tx.Claims(community, claim.Subject)
	if err != nil {
		return store.Claim{}, err
	}
	row := store.Claim{
		Community: community, Subject: claim.Subject, Kind: claim.Kind, Name: claim.Name, Issuer: claim.Issuer, Data: claim.Data, Sealed: sealed,
		At: claim.At, Checked: g.now(), Expires: claim.Expires,
	}
	fresh := true
	for _, old := range have {
		if old.Kind == row.Kind && old.Name == row.Name && old.Issuer == row.Issuer {
			fresh = !old.Revoked.IsZero() || !old.Expires.IsZero() && !old.Expires.After(g.now())
			if !fresh && row.Sealed == nil {
				row.Sealed = old.Sealed
			}
		}
	}
	if fresh && len(have) >= maxClaims {
		return row, Errorf(Conflict, "there are %d claims about %s already", len(have), claim.Subject)
	}
	if err := tx.PutClaim(row); err != nil || !fresh {
		return row, err
	}
	return row, g.claimChanged(ctx, tx, ClaimGranted, row)
}

// claimChanged tells of a claim that was granted or revoked.
func (g *Gateway) claimChanged(ctx context.Context, tx store.Tx, kind string, row store.Claim) error {
	person, err := personOf(tx, row.Community, row.Subject)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return g.identityChanged(ctx, tx, change{kind: kind, community: row.Community, person: person, subject: ClaimKey(row.Kind, row.Name), how: row.Kind, issuer: row.Issuer})
}

// RevokeClaim ends a claim, whoever issued it. It stays on record. NotFound: there is none.
func (c *Community) RevokeClaim(ctx context.Context, subject, kind, name, issuer string) error {
	if issuer == "" {
		issuer = local
	}
	return storeError(c.identity(ctx, func(tx store.Tx, _ Settings) error {
		row, err := tx.ClaimOf(c.row.Slug, subject, kind, name, issuer)
		if err != nil || !row.Revoked.IsZero() {
			return err
		}
		row.Revoked = c.g.now()
		if err := tx.PutClaim(row); err != nil {
			return err
		}
		return c.g.claimChanged(ctx, tx, ClaimRevoked, row)
	}), "claim %s %s of %s", kind, name, subject)
}

// Claims lists what is claimed about a subject; of a person also what is claimed about their accounts, and about whoever was merged into them. What
// was revoked or has expired is in the list.
func (c *Community) Claims(ctx context.Context, subject string) ([]Claim, error) {
	out := []Claim{}
	err := c.g.view(ctx, func(tx store.Tx) error {
		faces, err := facesOfSubject(tx, c.row.Slug, subject)
		if err != nil {
			return err
		}
		for _, face := range faces {
			rows, err := tx.Claims(c.row.Slug, face)
			if err != nil {
				return err
			}
			for _, row := range rows {
				out = append(out, claimOf(row))
			}
		}
		return nil
	})
	return out, storeError(err, "the claims about %s", subject)
}

// facesOfSubject lists the subjects for which a claim about any is one about this one.
func facesOfSubject(tx store.Tx, community, text string) ([]string, error) {
	s, ok := parseSubject(text)
	if !ok {
		return nil, Errorf(Invalid, "%q is no subject", text)
	}
	switch s.kind {
	case kindPerson, kindOrganization:
		p, err := standing(tx, community, s.id)
		if err != nil {
			return nil, err
		}
		faces, err := facesOf(tx, community, p.ID)
		if s.kind == kindOrganization {
			for i, face := range faces {
				if rest, ok := parseSubject(face); ok && rest.kind == kindPerson {
					faces[i] = OrganizationKey(rest.id)
				}
			}
		}
		return faces, err
	}
	return []string{text}, nil
}

// ClaimQuery is what a guard wants of a claim.
type ClaimQuery struct {
	Kind   string
	Name   string
	MaxAge time.Duration // how long ago its issuer may have said so last; 0: however long
	Least  Strength      // what it has to count for, by [Settings.Trust]; [None]: anything that counts at all
	// Within are limits that a capability has to allow: numbers, as text such as "120.50", at most what the claim's Data says under the same name; other
	// texts equal to it. What the claim does not limit is allowed; a limit that cannot be read allows nothing.
	Within map[string]string
}

// defaultTrust is what a claim counts for where the community says nothing else: it comes from the driver, a platform or a configured source.
const defaultTrust = Asserted

// RequireClaim is a guard for policies: nil where a subject holds a claim that counts; a person may hold it by any account. Denied otherwise, saying
// what is wrong with the claims that there are.
func (c *Community) RequireClaim(ctx context.Context, subject string, q ClaimQuery) error {
	_, err := c.Holds(ctx, subject, q)
	return err
}

// Holds finds a claim that counts. Denied: there is none, and why.
func (c *Community) Holds(ctx context.Context, subject string, q ClaimQuery) (Claim, error) {
	var out Claim
	err := c.look(ctx, func(tx store.Tx, s Settings) error {
		faces, err := facesOfSubject(tx, c.row.Slug, subject)
		if err != nil {
			return err
		}
		var why []error
		for _, face := range faces {
			rows, err := tx.Claims(c.row.Slug, face)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if row.Kind != q.Kind || row.Name != q.Name {
					continue
				}
				if wrong := c.g.wrong(s, row, q); wrong != nil {
					why = append(why, wrong)
					continue
				}
				out = claimOf(row)
				return nil
			}
		}
		if len(why) == 0 {
			return Errorf(Denied, "%s does not hold %s %s", subject, q.Kind, q.Name)
		}
		return Errorf(Denied, "%s does not hold %s %s: %w", subject, q.Kind, q.Name, errors.Join(why...))
	})
	return out, storeError(err, "whether %s holds %s %s", subject, q.Kind, q.Name)
}

// wrong says why a claim does not count for a query.
func (g *Gateway) wrong(s Settings, c store.Claim, q ClaimQuery) error {
	now := g.now()
	switch worth := s.worth(c.Kind, c.Issuer, defaultTrust); {
	case !c.Revoked.IsZero():
		return fmt.Errorf("what %s said was revoked", c.Issuer)
	case !c.Expires.IsZero() && !c.Expires.After(now):
		return fmt.Errorf("what %s said has expired", c.Issuer)
	case worth == None:
		return fmt.Errorf("%s is not trusted in this", c.Issuer)
	case worth < q.Least:
		return fmt.Errorf("what %s says counts as %s, and %s is required", c.Issuer, worth, q.Least)
	case q.MaxAge > 0 && now.Sub(c.Checked) > q.MaxAge:
		return fmt.Errorf("what %s said is %s old", c.Issuer, now.Sub(c.Checked).Round(time.Second))
	}
	return within(c.Data, q.Within)
}

// heldClaim says whether one subject itself holds a claim that counts.
func (g *Gateway) heldClaim(tx store.Tx, community, subject, kind, name string) (bool, error) {
	rows, err := tx.Claims(community, subject)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(rows, func(c store.Claim) bool { return c.Kind == kind && c.Name == name })
	if i < 0 {
		return false, nil
	}
	s, err := settingsOf(tx, community)
	if err != nil {
		return false, err
	}
	for _, c := range rows[i:] {
		if c.Kind == kind && c.Name == name && g.wrong(s, c, ClaimQuery{}) == nil {
			return true, nil
		}
	}
	return false, nil
}

// Consent keeps that a person has agreed to something. Without it whoever needs it refuses.
func (c *Community) Consent(ctx context.Context, person, to string) error {
	_, err := c.Grant(ctx, Claim{Subject: PersonKey(person), Kind: ClaimConsent, Name: to})
	return err
}

// WithdrawConsent ends a person's consent. NotFound: there is none.
func (c *Community) WithdrawConsent(ctx context.Context, person, to string) error {
	return c.RevokeClaim(ctx, PersonKey(person), ClaimConsent, to, local)
}

// Consents says whether a person has agreed to something and has not withdrawn it.
func (c *Community) Consents(ctx context.Context, person, to string) (bool, error) {
	_, err := c.Holds(ctx, PersonKey(person), ClaimQuery{Kind: ClaimConsent, Name: to})
	if CodeOf(err) == Denied {
		return false, nil
	}
	return err == nil, err
}
