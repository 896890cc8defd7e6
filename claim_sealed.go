package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// maxSecret is how long the secret of a claim may be, in bytes.
const maxSecret = 16 << 10

// sealedValue is what is sealed of a claim. The purposes are sealed with it, so that nobody widens them in the database.
type sealedValue struct {
	Value    string   `json:"value"`
	Purposes []string `json:"purposes"`
}

// sealClaim seals a claim's secret, if it has one.
func (g *Gateway) sealClaim(community string, c *Claim) error {
	c.sealed = nil
	switch {
	case c.Secret == "" && len(c.Purposes) > 0:
		return Errorf(Invalid, "a claim without a secret has no purposes")
	case c.Secret == "":
		return nil
	case len(c.Secret) > maxSecret:
		return Errorf(Invalid, "the secret of a claim has at most %d bytes", maxSecret)
	case len(c.Purposes) == 0 || slices.ContainsFunc(c.Purposes, func(p string) bool { return !named(p) }):
		return Errorf(Invalid, "say for which purposes the secret of the claim is there")
	case g.o.Seal == nil:
		return Errorf(Invalid, "the claim has a secret; set Options.Seal (see NewSeal) so that it can be kept sealed")
	}
	raw, err := json.Marshal(sealedValue{string(c.Secret), c.Purposes})
	if err != nil {
		return Errorf(Internal, "encoding the secret of a claim: %w", err)
	}
	row := store.Claim{Community: community, Subject: c.Subject, Kind: c.Kind, Name: c.Name, Issuer: c.Issuer}
	if c.sealed, err = g.o.Seal.Encrypt(raw, sealedClaim(row)); err != nil {
		return Errorf(Unavailable, "sealing the secret of a claim: %w", err)
	}
	return nil
}

// sealedClaim binds sealed bytes to their claim, so that they cannot be moved to another, or to another's.
func sealedClaim(row store.Claim) []byte { return []byte("gateway claim " + claimTask(row)) }

// claimTask names a claim in one text of bounded length, from which nobody learns what it says.
func claimTask(row store.Claim) string {
	sum := sha256.New()
	for _, part := range []string{row.Community, row.Subject, row.Kind, row.Name, row.Issuer} {
		one := sha256.Sum256([]byte(part)) // each by itself, so that no two rows run together
		_, _ = sum.Write(one[:])           // a hash never fails
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Reveal gives the secret of a claim that stands, for one of the purposes that it was given with, and says so in the audit record before. issuer "" is
// the community's own. Denied: it was not given for this purpose, or the claim was revoked or has expired. NotFound: there is no such claim, or it has
// no secret.
func (c *Community) Reveal(ctx context.Context, subject, kind, name, issuer, purpose string) (Secret, error) {
	if issuer == "" {
		issuer = local
	}
	if !named(purpose) {
		return "", Errorf(Invalid, "say what the secret is needed for")
	}
	if scopeOf(ctx).tx != nil {
		return "", errInside("revealing a claim")
	}
	var row store.Claim
	err := c.g.view(ctx, func(tx store.Tx) (err error) {
		if row, err = tx.ClaimOf(c.row.Slug, subject, kind, name, issuer); err == nil && len(row.Sealed) == 0 {
			err = store.ErrNotFound
		}
		return err
	})
	if err != nil {
		return "", storeError(err, "the secret of claim %s %s of %s", kind, name, subject)
	}
	if !stands(row, c.g.now()) {
		return "", Errorf(Denied, "claim %s %s of %s was revoked or has expired", kind, name, subject)
	}
	if c.g.o.Seal == nil {
		return "", Errorf(Invalid, "claim %s %s has a sealed secret, and there is no Options.Seal to open it", kind, name)
	}
	raw, err := c.g.o.Seal.Decrypt(row.Sealed, sealedClaim(row)) // by Options.Seal, which may ask somebody far away: not in a transaction
	if err != nil {
		return "", Errorf(Invalid, "opening the secret of claim %s %s: none of the keys in Options.Seal fits", kind, name)
	}
	var v sealedValue
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", Errorf(Internal, "decoding the secret of claim %s %s: %w", kind, name, err)
	}
	if !slices.Contains(v.Purposes, purpose) {
		return "", Errorf(Denied, "the secret of claim %s %s of %s was not given for %q", kind, name, subject, purpose)
	}
	err = c.g.update(ctx, func(tx store.Tx) error {
		now, err := tx.ClaimOf(c.row.Slug, subject, kind, name, issuer)
		if err != nil {
			return err
		}
		if string(now.Sealed) != string(row.Sealed) {
			return Errorf(Conflict, "claim %s %s of %s has changed meanwhile", kind, name, subject)
		}
		person, err := personOf(tx, c.row.Slug, subject)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		a := store.Audit{Community: c.row.Slug, Kind: AuditRevealed}
		return c.g.audit(tx, trailOf(ctx, ""), a, auditOfClaim{Person: person, How: shorten(kind), Issuer: shorten(issuer), Purpose: shorten(purpose)})
	})
	if err != nil {
		return "", storeError(err, "the secret of claim %s %s of %s", kind, name, subject)
	}
	return Secret(v.Value), nil
}
