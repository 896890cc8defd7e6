package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mr-tron/base58"

	gateway "github.com/metagov/gateway-go"
)

// Credentials is a claim source of W3C Verifiable Credentials (data model 1.1, as JWTs signed with Ed25519) of issuers that are known beforehand. It shows
// what a source outside of the gateway is; a real one would also look whether a credential was revoked.
type Credentials struct {
	Issuers map[string]ed25519.PublicKey // by the issuer's identifier
	Types   []string                     // of credentials that are taken
}

// Name is the source's name.
func (*Credentials) Name() string { return "credentials" }

// Claims says that nobody is asked: holders bring their credentials themselves, see Present.
func (*Credentials) Claims(context.Context, *gateway.Community, string) ([]gateway.Claim, error) {
	return nil, errors.ErrUnsupported
}

// credential is what is read of one.
type credential struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	From    int64  `json:"nbf"`
	Until   int64  `json:"exp"`
	VC      struct {
		Type    []string        `json:"type"`
		Subject json.RawMessage `json:"credentialSubject"`
	} `json:"vc"`
}

// Present verifies a credential and keeps what it says as claims about somebody. It has to be theirs: they must have shown by a challenge that they hold
// the key to which it was issued, or anybody could bring what they have seen of others. Denied: it does not stand.
func (s *Credentials) Present(ctx context.Context, c *gateway.Community, subject, token string) error {
	vc, err := s.verify(token, c.Now())
	if err != nil {
		return gateway.Errorf(gateway.Denied, "the credential: %w", err)
	}
	key, err := holderKey(vc.Subject)
	if err != nil {
		return gateway.Errorf(gateway.Denied, "the credential: %w", err)
	}
	if err := c.RequireClaim(ctx, subject, gateway.ClaimQuery{Kind: gateway.ClaimHoldsKey, Name: key, Least: gateway.Proven}); err != nil {
		return err
	}
	claim := gateway.Claim{Kind: "credential", Data: vc.VC.Subject, Expires: time.Unix(vc.Until, 0).UTC()}
	var claims []gateway.Claim
	for _, t := range s.Types {
		if slices.Contains(vc.VC.Type, t) {
			claim.Name = t
			claims = append(claims, claim)
		}
	}
	return c.TellClaims(ctx, s.Name(), subject, claims)
}

// verify checks who has signed a credential, and when it holds.
func (s *Credentials) verify(token string, now time.Time) (vc credential, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > 16<<10 {
		return vc, errors.New("it is no JWT")
	}
	var raw [3][]byte
	for i, part := range parts {
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return vc, errors.New("it is no JWT")
		}
	}
	var header struct {
		Alg      string          `json:"alg"`
		Critical json.RawMessage `json:"crit"`
	}
	if err := json.Unmarshal(raw[0], &header); err != nil || header.Alg != "EdDSA" || header.Critical != nil {
		return vc, errors.New("it is not signed with EdDSA") // whatever a token says of itself, keys are of one kind here
	}
	if err := json.Unmarshal(raw[1], &vc); err != nil {
		return vc, errors.New("it cannot be read")
	}
	key, known := s.Issuers[vc.Issuer]
	switch {
	case !known:
		return vc, errors.New("its issuer is not known here")
	case !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), raw[2]):
		return vc, errors.New("its issuer has not signed it")
	case !slices.Contains(vc.VC.Type, "VerifiableCredential") || !slices.ContainsFunc(s.Types, func(t string) bool { return slices.Contains(vc.VC.Type, t) }):
		return vc, errors.New("it is of no type that is taken")
	case vc.From == 0 || now.Before(time.Unix(vc.From, 0)) || !now.Before(time.Unix(vc.Until, 0)):
		return vc, errors.New("it does not hold now")
	}
	return vc, nil
}

// ed25519Code begins an Ed25519 key in a did:key.
var ed25519Code = []byte{0xed, 0x01}

// holderKey reads the key to which a credential was issued, and gives the name of the claim that somebody holds it.
func holderKey(did string) (string, error) {
	digits, ok := strings.CutPrefix(did, "did:key:z")
	if !ok || len(digits) > 64 {
		return "", errors.New("it was not issued to a key")
	}
	raw, err := base58.Decode(digits)
	key, ok := bytes.CutPrefix(raw, ed25519Code)
	if err != nil || !ok || len(key) != ed25519.PublicKeySize {
		return "", errors.New("it was not issued to an Ed25519 key")
	}
	return "ed25519:" + base58.Encode(key), nil
}
