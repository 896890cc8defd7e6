package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/mr-tron/base58"
	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/memory"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, "before: denied\nafter: source:credentials GuildMember {\"rank\":3}\n", out.String())
}

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func TestCredentialsThatDoNotStand(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	issuer, ann, eve := keyOf("guild"), keyOf("ann"), keyOf("eve")
	s := &Credentials{Issuers: map[string]ed25519.PublicKey{guild: public(issuer), "https://other.example": public(eve)}, Types: []string{"GuildMember"}}
	g, err := gateway.New(gateway.Options{Store: memory.New(), ClaimSources: []gateway.ClaimSource{s}, Now: func() time.Time { return now }})
	require.NoError(t, err)
	c, err := g.CreateCommunity(ctx, "town", "Town")
	require.NoError(t, err)
	subject := gateway.AccountKey("forum", "S1", "ann")
	good, err := issue(issuer, public(ann), now, 3)
	require.NoError(t, err)
	require.ErrorIs(t, s.Present(ctx, c, subject, good), gateway.Denied, "nobody has shown yet that they hold the key")
	ch, err := c.Challenge(ctx, gateway.ChallengeRequest{Subject: subject, Kind: gateway.KeyEd25519, Recipient: "town.example"})
	require.NoError(t, err)
	_, err = c.AnswerChallenge(ctx, gateway.Answer{Nonce: ch.Nonce, Key: "ed25519:" + base58.Encode(public(ann)), Signature: ed25519.Sign(ann, []byte(ch.Message))})
	require.NoError(t, err)

	with := func(header string, key ed25519.PrivateKey, change func(map[string]any)) string {
		body := map[string]any{
			"iss": guild, "sub": "did:key:z" + base58.Encode(append(ed25519Code[:2:2], public(ann)...)), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			"vc": map[string]any{"type": []string{"VerifiableCredential", "GuildMember"}, "credentialSubject": map[string]any{"rank": 3}},
		}
		change(body)
		out, err := sign(key, header, body)
		require.NoError(t, err)
		return out
	}
	set := func(name string, v any) string {
		return with(`{"alg":"EdDSA"}`, issuer, func(b map[string]any) { b[name] = v })
	}
	same := func(map[string]any) {}
	theirs, err := issue(issuer, public(eve), now, 3)
	require.NoError(t, err)
	parts := strings.Split(good, ".")
	for what, token := range map[string]string{
		"another's key":           with(`{"alg":"EdDSA"}`, eve, same),
		"another issuer's":        set("iss", "https://other.example"),
		"an unknown issuer's":     set("iss", "https://nobody.example"),
		"issued to somebody else": theirs,
		"issued to no key":        set("sub", "did:web:ann.example"),
		"issued to a short key":   set("sub", "did:key:z"+base58.Encode(append(ed25519Code[:2:2], 1, 2, 3))),
		"issued to another kind":  set("sub", "did:key:z"+base58.Encode(append([]byte{0xe7, 1}, public(ann)...))),
		"over":                    set("exp", now.Unix()),
		"not yet":                 set("nbf", now.Add(time.Second).Unix()),
		"without a beginning":     set("nbf", 0),
		"without an end":          set("exp", 0),
		"of another type":         set("vc", map[string]any{"type": []string{"VerifiableCredential", "Driver"}}),
		"no credential":           set("vc", map[string]any{"type": []string{"GuildMember"}}),
		"not signed":              with(`{"alg":"none"}`, issuer, same),
		"signed otherwise":        with(`{"alg":"HS256"}`, issuer, same),
		"critical":                with(`{"alg":"EdDSA","crit":["b64"]}`, issuer, same),
		"cut":                     parts[0] + "." + parts[1] + ".",
		"other content":           parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{}`)) + "." + parts[2],
		"no token":                "x",
		"huge":                    set("pad", strings.Repeat("x", 17<<10)),
	} {
		require.ErrorIs(t, s.Present(ctx, c, subject, token), gateway.Denied, what)
		_, err := c.Holds(ctx, subject, gateway.ClaimQuery{Kind: "credential", Name: "GuildMember"})
		require.ErrorIs(t, err, gateway.Denied, what)
	}
	require.NoError(t, s.Present(ctx, c, subject, good))
	q := gateway.ClaimQuery{Kind: "credential", Name: "GuildMember", Within: map[string]string{"rank": "3"}}
	require.NoError(t, c.RequireClaim(ctx, subject, q))
	q.Within["rank"] = "4"
	require.ErrorIs(t, c.RequireClaim(ctx, subject, q), gateway.Denied)
	now = now.Add(24 * time.Hour)
	q.Within["rank"] = "3"
	require.ErrorIs(t, c.RequireClaim(ctx, subject, q), gateway.Denied, "it ends when the credential does")
}
