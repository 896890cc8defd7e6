package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// ClaimSource is somebody outside who says something about people: an identity provider, a registry. Those of [Options.ClaimSources] count by
// default, as "source:" and their name; a community trusts each more, or less, by [Settings.Trust].
type ClaimSource interface {
	// Name is lower case letters, digits, single dashes, and never changes.
	Name() string
	// Claims gives all that the source says about one subject now; what it does not say any more is revoked. It is called by [Community.ReadClaims]
	// on its caller's goroutine, never in a transaction, and has [Options.Timeout]. Claims need a kind and a name; their subject, issuer and times
	// are filled in. Everybody who is asked for is asked about: of a person the person, and each account. errors.ErrUnsupported: the source
	// cannot be asked, because it speaks by itself, see [Community.TellClaims].
	Claims(ctx context.Context, c *Community, subject string) ([]Claim, error)
}

// AccountOf reads the subject of an account, as [AccountKey] writes it. false: the subject is none.
func AccountOf(subject string) (AccountRef, bool) {
	s, ok := parseSubject(subject)
	if !ok || s.kind != kindAccount {
		return AccountRef{}, false
	}
	return AccountRef{s.plugin, s.platform, s.id}, true
}

// sourceIssuer is the issuer of what a source says. No instance of a plugin has such a name.
func sourceIssuer(name string) string { return "source:" + name }

// maxTold is how many claims a source may make about one subject.
const maxTold = 200

// claimReading notes when a source was last asked about a subject: the name of the claim is the source's.
const claimReading = ourKinds + "reading"

func checkSources(sources []ClaimSource) error {
	seen := map[string]bool{}
	for _, s := range sources {
		name := s.Name()
		if !nameRE.MatchString(name) || seen[name] {
			return Errorf(Invalid, "Options.ClaimSources: the name %q is not lower case letters, digits and single dashes, or stands twice", name)
		}
		seen[name] = true
	}
	return nil
}

// source finds a source by its name; nil: there is none.
func (g *Gateway) source(name string) ClaimSource {
	for _, s := range g.o.ClaimSources {
		if s.Name() == name {
			return s
		}
	}
	return nil
}

// Guarded is the client by which a [ClaimSource] reaches addresses, see [Instance.Guarded].
func (c *Community) Guarded() *http.Client { return c.g.out.guarded }

// Now is the gateway's time. Sources use it and never time.Now.
func (c *Community) Now() time.Time { return c.g.now() }

// ReadClaims asks each source about a subject, and about each account of a person, unless that was done within maxAge, keeps what they say in place of
// what they said before, and lists all claims about the subject. A source that fails leaves what it said before, with its age: the list comes with an
// error then, which names the source. Unknown people are NotFound.
func (c *Community) ReadClaims(ctx context.Context, subject string, maxAge time.Duration) ([]Claim, error) {
	var faces []string
	err := c.g.view(ctx, func(tx store.Tx) (err error) { faces, err = facesOfSubject(tx, c.row.Slug, subject); return err })
	if err != nil {
		return nil, storeError(err, "the claims about %s", subject)
	}
	ctx, cancel := context.WithTimeout(ctx, c.g.o.Timeout)
	defer cancel()
	var failed []error
	for _, source := range c.g.o.ClaimSources {
		for _, face := range faces {
			if err := c.ask(ctx, source, face, maxAge); err != nil {
				failed = append(failed, fmt.Errorf("asking %s about %s: %w", source.Name(), face, err))
				break // about the others it would answer no better
			}
		}
	}
	out, err := c.Claims(context.WithoutCancel(ctx), subject)
	return out, errors.Join(append(failed, err)...)
}

// ask asks one source about one subject. One that is slow and one that is quick do not overtake each other.
func (c *Community) ask(ctx context.Context, source ClaimSource, subject string, maxAge time.Duration) error {
	if recent, err := c.readWithin(ctx, source, subject, maxAge); err != nil || recent {
		return err
	}
	return c.g.exclusive(ctx, "claims:"+claimTask(store.Claim{Community: c.row.Slug, Subject: subject, Issuer: source.Name()}), func(ctx context.Context) error {
		begun := c.g.now()
		if recent, err := c.readWithin(ctx, source, subject, maxAge); err != nil || recent {
			return err // somebody else has just asked
		}
		var claims []Claim
		err := c.g.guard("claim source "+source.Name(), func() (err error) { claims, err = source.Claims(ctx, c, subject); return err })
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		if err != nil {
			return err
		}
		return c.told(ctx, source.Name(), subject, claims, begun)
	})
}

func (c *Community) readWithin(ctx context.Context, source ClaimSource, subject string, maxAge time.Duration) (recent bool, err error) {
	if maxAge <= 0 {
		return false, nil
	}
	err = c.g.view(ctx, func(tx store.Tx) error {
		mark, err := tx.ClaimOf(c.row.Slug, subject, claimReading, source.Name(), sourceIssuer(source.Name()))
		recent = err == nil && c.g.now().Sub(mark.Checked) <= maxAge
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	return recent, storeError(err, "when %s was asked", source.Name())
}

// TellClaims keeps what a source of [Options.ClaimSources] says about a subject by itself, such as at a login, in place of all that it said before. It
// is called by the source's own code, which has verified it. NotFound: there is no such source, or subject.
func (c *Community) TellClaims(ctx context.Context, source, subject string, claims []Claim) error {
	if c.g.source(source) == nil {
		return Errorf(NotFound, "there is no claim source %q in Options.ClaimSources", source)
	}
	return c.told(ctx, source, subject, claims, c.g.now())
}

// told keeps all that a source says about a subject, or nothing of it.
func (c *Community) told(ctx context.Context, source, subject string, claims []Claim, at time.Time) error {
	if len(claims) > maxTold {
		return Errorf(Unavailable, "%s makes %d claims about %s, at most %d are taken", source, len(claims), subject, maxTold)
	}
	issuer := sourceIssuer(source)
	said := map[[2]string]Claim{}
	for _, claim := range claims {
		if claim.Subject != "" && claim.Subject != subject || claim.Issuer != "" && claim.Issuer != issuer {
			return Errorf(Unavailable, "%s was asked about %s and speaks of %s, for %q", source, subject, claim.Subject, claim.Issuer)
		}
		if !claim.Expires.IsZero() && !claim.Expires.After(c.g.now()) {
			continue // that it was so says nothing now
		}
		claim.Subject, claim.Issuer = subject, issuer
		if err := c.g.checkClaim(c.row.Slug, &claim); err != nil {
			return Errorf(Unavailable, "what %s says about %s cannot be kept: %w", source, subject, err)
		}
		name := [2]string{claim.Kind, claim.Name}
		if _, twice := said[name]; twice {
			return Errorf(Unavailable, "%s says %s %s about %s twice", source, claim.Kind, claim.Name, subject)
		}
		said[name] = claim
	}
	return storeError(c.identity(ctx, func(tx store.Tx, _ Settings) error {
		have, err := tx.Claims(c.row.Slug, subject)
		if err != nil {
			return err
		}
		for _, row := range have {
			_, still := said[[2]string{row.Kind, row.Name}]
			if row.Issuer != issuer || still || strings.HasPrefix(row.Kind, ourKinds) {
				continue
			}
			if err := c.g.revokeClaim(ctx, tx, row); err != nil {
				return err
			}
		}
		for _, name := range slices.SortedFunc(maps.Keys(said), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
			if _, err := c.g.grantTx(ctx, tx, c.row.Slug, said[name]); err != nil {
				return err
			}
		}
		mark := Claim{Subject: subject}
		if err := mark.exists(tx, c.row.Slug); err != nil {
			return err
		}
		return tx.PutClaim(store.Claim{Community: c.row.Slug, Subject: subject, Kind: claimReading, Name: source, Issuer: issuer, At: at, Checked: at})
	}), "keeping what %s says about %s", source, subject)
}
