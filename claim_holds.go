package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// ClaimQuery is what a guard wants of a claim.
type ClaimQuery struct {
	Kind   string
	Name   string
	MaxAge time.Duration // how long ago its issuer may have said so last; 0: however long
	Least  Strength      // what it has to count for, by [Settings.Trust]; [None]: anything that counts at all
	// Within are limits that a capability has to allow: numbers, as text such as "120.50", at most what the claim's Data says under the same name; other
	// texts equal to it. Data that says nothing of a name does not allow it; a claim without Data allows everything.
	Within map[string]string
}

// RequireClaim is a guard for policies: nil where a subject holds a claim that counts, see [Community.Holds]. Denied otherwise, saying what is wrong with
// the claims that there are.
func (c *Community) RequireClaim(ctx context.Context, subject string, q ClaimQuery) error {
	_, err := c.Holds(ctx, subject, q)
	return err
}

// Holds finds a claim that counts. A person may hold it by any account. A capability may also be one of a role or an organization that is theirs, by
// claims that count for as much and are not older. Denied: there is none, and why.
func (c *Community) Holds(ctx context.Context, subject string, q ClaimQuery) (Claim, error) {
	var out Claim
	err := c.look(ctx, func(tx store.Tx, s Settings) error {
		found := false
		var why []error
		err := c.g.eachClaim(tx, s, c.row.Slug, subject, q, func(row store.Claim) (bool, error) {
			if row.Kind != q.Kind || row.Name != q.Name {
				return true, nil
			}
			if wrong := c.g.wrong(c.g.now(), s, row, q); wrong != nil {
				why = append(why, wrong)
				return true, nil
			}
			out, found = claimOf(row), true
			return false, nil
		})
		switch {
		case err != nil || found:
			return err
		case len(why) == 0:
			return Errorf(Denied, "%s does not hold %s %s", subject, q.Kind, q.Name)
		}
		return Errorf(Denied, "%s does not hold %s %s: %w", subject, q.Kind, q.Name, errors.Join(why...))
	})
	return out, storeError(err, "whether %s holds %s %s", subject, q.Kind, q.Name)
}

// trusted is what a claim counts for where the community says nothing else.
func (g *Gateway) trusted(c store.Claim) Strength {
	source, ofSource := strings.CutPrefix(c.Issuer, sourceIssuer(""))
	switch {
	case c.Issuer == ourPlugin:
		return Proven
	case c.Issuer == local, c.Kind == ClaimRole && strings.HasPrefix(c.Name, c.Issuer+"/"), ofSource && g.source(source) != nil:
		return Asserted
	}
	return None
}

// stands says whether a claim holds as far as its issuer is asked.
func stands(c store.Claim, now time.Time) bool {
	return c.Revoked.IsZero() && (c.Expires.IsZero() || c.Expires.After(now))
}

// wrong says why a claim does not count for a query.
func (g *Gateway) wrong(now time.Time, s Settings, c store.Claim, q ClaimQuery) error {
	if err := g.doubt(now, s, c, q); err != nil {
		return err
	}
	return within(c.Data, q.Within)
}

// doubt is wrong but for the limits.
func (g *Gateway) doubt(now time.Time, s Settings, c store.Claim, q ClaimQuery) error {
	switch worth := s.worth(c.Kind, c.Issuer, g.trusted(c)); {
	case !c.Revoked.IsZero():
		return fmt.Errorf("what %s said was revoked", c.Issuer)
	case !stands(c, now):
		return fmt.Errorf("what %s said has expired", c.Issuer)
	case worth == None:
		return fmt.Errorf("%s is not trusted in this", c.Issuer)
	case worth < q.Least:
		return fmt.Errorf("what %s says counts as %s, and %s is required", c.Issuer, worth, q.Least)
	case q.MaxAge > 0 && now.Sub(c.Checked) > q.MaxAge:
		return fmt.Errorf("what %s said is %s old", c.Issuer, now.Sub(c.Checked).Round(time.Second))
	}
	return nil
}

// maxGroups bounds through how many roles and organizations capabilities are looked for.
const maxGroups = 100

// eachClaim visits the claims about a subject and all of its faces, and then the capabilities of the roles and organizations that it belongs to by
// claims without doubt; of organizations that belong to others too. visit says whether to go on.
func (g *Gateway) eachClaim(tx store.Tx, s Settings, community, about string, q ClaimQuery, visit func(store.Claim) (bool, error)) error {
	faces, err := facesOfSubject(tx, community, about)
	if err != nil {
		return err
	}
	own, now := len(faces), g.now()
	for i := 0; i < len(faces) && i < own+maxGroups; i++ {
		rows, err := tx.Claims(community, faces[i])
		if err != nil {
			return err
		}
		for _, row := range rows {
			if (row.Kind == ClaimRole || row.Kind == ClaimMember) && g.doubt(now, s, row, ClaimQuery{MaxAge: q.MaxAge, Least: q.Least}) == nil {
				groups, err := groupOf(tx, community, row)
				if err != nil {
					return err
				}
				for _, group := range groups {
					if !slices.Contains(faces, group) {
						faces = append(faces, group)
					}
				}
			}
			if strings.HasPrefix(row.Kind, ourKinds) || i >= own && row.Kind != ClaimCapability {
				continue
			}
			if on, err := visit(row); err != nil || !on {
				return err
			}
		}
	}
	return nil
}

// groupOf lists the subjects whose capabilities a role or membership brings.
func groupOf(tx store.Tx, community string, c store.Claim) ([]string, error) {
	if c.Kind == ClaimMember {
		faces, err := facesOfSubject(tx, community, OrganizationKey(c.Name))
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		return faces, err
	}
	instance, role, _ := strings.Cut(c.Name, "/")
	return []string{RoleKey(instance, role)}, nil
}

// facesOfSubject lists the subjects for which a claim about any is one about this one.
func facesOfSubject(tx store.Tx, community, text string) ([]string, error) {
	s, ok := parseSubject(text)
	if !ok {
		return nil, Errorf(Invalid, "%q is no subject", text)
	}
	if s.kind != kindPerson && s.kind != kindOrganization && s.kind != kindResource {
		return []string{text}, nil
	}
	p, err := standing(tx, community, s.id)
	if err != nil {
		return nil, err
	}
	if p.Kind != s.kind {
		return nil, fmt.Errorf("%s is a %s: %w", s.id, p.Kind, store.ErrNotFound)
	}
	faces, err := facesOf(tx, community, p.ID)
	for i, face := range faces {
		if rest, ok := parseSubject(face); ok && rest.kind == kindPerson {
			faces[i] = s.kind + ":" + escapeID(rest.id)
		}
	}
	return faces, err
}

// heldClaim says whether one subject itself holds a claim that counts, by any of some names.
func (g *Gateway) heldClaim(tx store.Tx, community, subject, kind string, names []string) (bool, error) {
	rows, err := tx.Claims(community, subject)
	if err != nil {
		return false, err
	}
	rows = slices.DeleteFunc(rows, func(c store.Claim) bool { return c.Kind != kind || !slices.Contains(names, c.Name) })
	if len(rows) == 0 {
		return false, nil
	}
	s, err := settingsOf(tx, community)
	if err != nil {
		return false, err
	}
	now := g.now()
	return slices.ContainsFunc(rows, func(c store.Claim) bool { return g.wrong(now, s, c, ClaimQuery{}) == nil }), nil
}
