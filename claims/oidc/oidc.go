// Package oidc makes claims of logins at an OpenID provider: by which identifier somebody is known there, and whether the provider has verified an
// e-mail address of theirs. The driver's own login does the redirects; this package verifies the ID token that it brings, and joins nobody.
package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	gateway "github.com/metagov/gateway-go"
)

// KindEmail is the kind of claims that say that the provider has verified an e-mail address. Their name is "verified".
const KindEmail = "email"

// Config is one provider, and this program's registration with it.
type Config struct {
	Name     string // of the source: "google"
	Issuer   string // as the provider writes it, in its discovery document and in every token: https://accounts.google.com
	ClientID string // for whom tokens have to be

	// EmailFor is what addresses may be revealed for, see gateway.Community.Reveal. Empty: addresses are not kept, only that there is a verified one.
	EmailFor []string
}

// The bounds of what is taken from a provider.
const (
	maxToken   = 16 << 10
	maxBody    = 1 << 20
	maxSubject = 255            // by OpenID Connect Core, section 2
	maxSkew    = time.Minute    // by which the provider's clock may be ahead
	discovered = 24 * time.Hour // after which the provider's addresses are looked up again
)

// Provider is a claim source for gateway.Options.ClaimSources. It is not asked, but told of logins: see [Provider.Login].
type Provider struct {
	c Config

	mu    sync.Mutex
	have  *oidc.Provider
	since time.Time
}

// New makes the source for a provider. It calls nobody. Invalid: the issuer is no https URL, or something is missing.
func New(c Config) (*Provider, error) {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, gateway.Errorf(gateway.Invalid, "oidc: Config.Issuer %q: want https://host[/path]", c.Issuer)
	case c.Name == "" || c.ClientID == "":
		return nil, gateway.Errorf(gateway.Invalid, "oidc: Config.Name and Config.ClientID are required")
	}
	return &Provider{c: c}, nil
}

// Name is the source's name.
func (p *Provider) Name() string { return p.c.Name }

// Claims says that a provider speaks only when somebody logs in.
func (p *Provider) Claims(context.Context, *gateway.Community, string) ([]gateway.Claim, error) {
	return nil, errors.ErrUnsupported
}

// Identity is who has logged in.
type Identity struct {
	Subject       string // by which they are known to this provider, for ever
	Email         string // not verified unless EmailVerified
	EmailVerified bool
}

// token is what is read of an ID token beside what the library checks.
type token struct {
	Email    string          `json:"email"`
	Verified json.RawMessage `json:"email_verified"`
	For      string          `json:"azp"`
}

// Verify checks an ID token: that the provider signed it (RS256 or ES256, with one of the keys that it publishes), for this client, that it has not
// expired, and that it is the answer to the login that was begun with this nonce. Denied: something of it is not so. Unavailable: the provider cannot be
// asked for its keys.
func (p *Provider) Verify(ctx context.Context, c *gateway.Community, raw, nonce string) (Identity, error) {
	if nonce == "" {
		return Identity{}, gateway.Errorf(gateway.Invalid, "oidc: without a nonce anybody's old token would do")
	}
	if len(raw) > maxToken {
		return Identity{}, gateway.Errorf(gateway.Denied, "oidc: the token has more than %d bytes", maxToken)
	}
	provider, err := p.provider(ctx, c)
	if err != nil {
		return Identity{}, err
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: p.c.ClientID, SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256}, Now: c.Now})
	t, err := verifier.Verify(ctx, raw)
	if err != nil {
		return Identity{}, refusal(err)
	}
	var more token
	if err := t.Claims(&more); err != nil {
		return Identity{}, gateway.Errorf(gateway.Denied, "oidc: decoding the token: %w", err)
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1:
		return Identity{}, gateway.Errorf(gateway.Denied, "oidc: the token is of another login: its nonce is not this one's")
	case more.For != "" && more.For != p.c.ClientID || more.For == "" && len(t.Audience) > 1:
		return Identity{}, gateway.Errorf(gateway.Denied, "oidc: the token was given to another client")
	case t.Subject == "" || len(t.Subject) > maxSubject:
		return Identity{}, gateway.Errorf(gateway.Denied, "oidc: the token says of nobody whose it is")
	case t.IssuedAt.After(c.Now().Add(maxSkew)):
		return Identity{}, gateway.Errorf(gateway.Denied, "oidc: the token is from the future")
	}
	verified := string(more.Verified) == "true" || string(more.Verified) == `"true"` // some write it as a string
	return Identity{Subject: t.Subject, Email: more.Email, EmailVerified: verified && more.Email != ""}, nil
}

// Login verifies an ID token and keeps what it says about a subject, in place of what an earlier login said. A token that is refused changes nothing.
func (p *Provider) Login(ctx context.Context, c *gateway.Community, subject, raw, nonce string) (Identity, error) {
	who, err := p.Verify(ctx, c, raw, nonce)
	if err != nil {
		return Identity{}, err
	}
	claims := []gateway.Claim{{Kind: gateway.ClaimIdentifier, Name: p.c.Issuer + "#" + url.PathEscape(who.Subject)}}
	if who.EmailVerified {
		email := gateway.Claim{Kind: KindEmail, Name: "verified"}
		if len(p.c.EmailFor) > 0 {
			email.Secret, email.Purposes = gateway.Secret(who.Email), p.c.EmailFor
		}
		claims = append(claims, email)
	}
	return who, c.TellClaims(ctx, p.c.Name, subject, claims)
}

// provider looks up where the provider has its keys.
func (p *Provider) provider(ctx context.Context, c *gateway.Community) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := c.Now(); p.have != nil && !now.Before(p.since) && now.Sub(p.since) < discovered {
		return p.have, nil
	}
	found, err := oidc.NewProvider(withClient(ctx, c), p.c.Issuer)
	if err != nil {
		return nil, gateway.Errorf(gateway.Unavailable, "oidc: looking up provider %s: %w", p.c.Name, err)
	}
	p.have, p.since = found, c.Now()
	return found, nil
}

// refusal gives the library's error its code: what it could not fetch may be there later, all else is the token's fault.
func refusal(err error) error {
	if strings.HasPrefix(err.Error(), "failed to verify signature: fetching keys") {
		return gateway.Errorf(gateway.Unavailable, "oidc: %w", err)
	}
	return gateway.Errorf(gateway.Denied, "oidc: %w", err)
}

// withClient has the library call by the gateway's guarded client, and read no more of an answer than is sensible.
func withClient(ctx context.Context, c *gateway.Community) context.Context {
	client := *c.Guarded()
	client.Transport = bounded{client.Transport}
	return oidc.ClientContext(ctx, &client)
}

type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxBody), resp.Body}
	}
	return resp, err
}
