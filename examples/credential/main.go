// Command credential shows a source of claims from outside: somebody shows that they hold a key, and brings a W3C Verifiable Credential that
// was issued to it; a policy then asks for what it says. Issuer and wallet are made up here.
package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/mr-tron/base58"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/memory"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const guild = "https://guild.example"

func run(ctx context.Context, out io.Writer) error {
	issuerKey, issuer, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("making the issuer's key: %w", err)
	}
	holderPublic, holder, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("making the holder's key: %w", err)
	}
	source := &Credentials{Issuers: map[string]ed25519.PublicKey{guild: issuerKey}, Types: []string{"GuildMember"}}
	g, err := gateway.New(gateway.Options{Store: memory.New(), ClaimSources: []gateway.ClaimSource{source}})
	if err != nil {
		return err
	}
	town, err := g.CreateCommunity(ctx, "town", "Our town")
	if err != nil {
		return err
	}
	ann, err := town.CreatePerson(ctx, gateway.NewPerson{Name: "Ann"})
	if err != nil {
		return err
	}
	subject := gateway.PersonKey(ann.ID)
	member := gateway.ClaimQuery{Kind: "credential", Name: "GuildMember", Within: map[string]string{"rank": "2"}}
	fmt.Fprintln(out, "before:", gateway.CodeOf(town.RequireClaim(ctx, subject, member)))

	challenge, err := town.Challenge(ctx, gateway.ChallengeRequest{Subject: subject, Kind: gateway.KeyEd25519, Recipient: "town.example"})
	if err != nil {
		return err
	}
	_, err = town.AnswerChallenge(ctx, gateway.Answer{ // this is what a wallet does
		Nonce: challenge.Nonce, Key: "ed25519:" + base58.Encode(holderPublic), Signature: ed25519.Sign(holder, []byte(challenge.Message)),
	})
	if err != nil {
		return err
	}
	token, err := issue(issuer, holderPublic, time.Now(), 3)
	if err != nil {
		return err
	}
	if err := source.Present(ctx, town, subject, token); err != nil {
		return err
	}
	claim, err := town.Holds(ctx, subject, member)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "after:", claim.Issuer, claim.Name, string(claim.Data))
	return nil
}

// issue makes a credential, as an issuer does.
func issue(key ed25519.PrivateKey, holder ed25519.PublicKey, now time.Time, rank int) (string, error) {
	return sign(key, `{"alg":"EdDSA","typ":"JWT"}`, map[string]any{
		"iss": guild, "sub": "did:key:z" + base58.Encode(append(ed25519Code[:2:2], holder...)), "nbf": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
		"vc": map[string]any{
			"@context": []string{"https://www.w3.org/2018/credentials/v1"}, "type": []string{"VerifiableCredential", "GuildMember"}, "credentialSubject": map[string]any{"rank": rank},
		},
	})
}

func sign(key ed25519.PrivateKey, header string, body map[string]any) (string, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("encoding a credential: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(raw)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text))), nil
}
