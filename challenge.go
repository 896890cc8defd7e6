package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/keyproof"
	"github.com/metagov/gateway-go/store"
)

// The kinds of keys whose possession can be shown, and what of a [Challenge] is signed.
const (
	KeyEd25519   = string(keyproof.Ed25519)   // the message's bytes; the key is "ed25519:" and base58
	KeyNEAR      = string(keyproof.NEAR)      // message, nonce and recipient as NEP-413 says, by signMessage of a NEAR wallet; the key is "ed25519:" and base58
	KeySecp256k1 = string(keyproof.Secp256k1) // SHA-256 of the message, as r and s of 32 bytes each; the key is "secp256k1:0x" and the compressed point in hexadecimal
	KeyEthereum  = string(keyproof.Ethereum)  // the message by personal_sign (EIP-191), as r, s and v; the key is the address
)

// challengeTime is how long a challenge is good for.
const challengeTime = 10 * time.Minute

const ticketChallenge = "key-challenge"

// ChallengeRequest says who is to show that they hold a key.
type ChallengeRequest struct {
	Subject   string `json:"subject"`           // [PersonKey] or [AccountKey]: about whom the claim will be
	Kind      string `json:"kind"`              // [KeyEd25519] and the others
	Recipient string `json:"recipient"`         // who asks, as the signer knows it: the site's name. It is part of what is signed
	Network   string `json:"network,omitempty"` // where the account is that [Answer.Link] links: "mainnet", "eip155:1"; its platform ID
}

// Challenge is what has to be signed. It is good for one answer, for ten minutes.
type Challenge struct {
	Nonce     string    `json:"nonce"`   // 32 bytes in unpadded base64url
	Message   string    `json:"message"` // says in words what it is for
	Recipient string    `json:"recipient"`
	Expires   time.Time `json:"expires"`
}

// Answer is a signed challenge.
type Answer struct {
	Nonce     string  `json:"nonce"`
	Key       string  `json:"key"`                    // the public key or address
	Signature []byte  `json:"signature"`              // in JSON as base64
	Callback  *string `json:"callback_url,omitempty"` // NEAR: the address that the wallet was told to answer to, if it was
	Account   string  `json:"account,omitempty"`      // NEAR: the account that the key is said to be of; [Options.KeyOwner] is asked
	// Link links what the key is of to the subject's person, as an account of plugin "near", "ethereum", "ed25519" or "secp256k1" on the request's
	// Network: a NEAR account needs Account, the others are known by address or key. Where the subject is an account it hangs on that one, and is as surely
	// the person's as it is. The community has to link people by [ByLogin].
	Link bool `json:"link,omitempty"`
}

// challenged is what the gateway remembers of a challenge. It is kept under the hash of the nonce.
type challenged struct {
	ChallengeRequest
	Community string    `json:"community"`
	Expires   time.Time `json:"expires"`
}

// message is what is signed, in words, so that nobody signs it for something else.
func (c challenged) message(nonce string) string {
	return fmt.Sprintf("Show that you hold this key.\n\nSigning this moves no funds and gives no access. It lets community %s of %s know that the key is held by %s.\n\nNonce: %s\nGood until: %s",
		c.Community, c.Recipient, c.Subject, nonce, c.Expires.UTC().Format(time.RFC3339))
}

// Challenge makes a challenge for somebody to sign. Give it only to whom it is meant for: whoever signs it is believed to be the subject. NotFound: there
// is no such person.
func (c *Community) Challenge(ctx context.Context, r ChallengeRequest) (Challenge, error) {
	s, ok := parseSubject(r.Subject)
	switch {
	case !ok || s.kind != kindAccount && s.kind != kindPerson || s.id == anyone:
		return Challenge{}, Errorf(Invalid, "a challenge is for a person or an account, not for %q", r.Subject)
	case r.Kind != KeyEd25519 && r.Kind != KeyNEAR && r.Kind != KeySecp256k1 && r.Kind != KeyEthereum:
		return Challenge{}, Errorf(Invalid, "there is no kind of key %q", r.Kind)
	case !named(r.Recipient) || len(r.Network) > maxClaimName:
		return Challenge{}, Errorf(Invalid, "say who asks for the signature, in at most %d bytes", maxClaimName)
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	nonce := base64.RawURLEncoding.EncodeToString(random[:])
	kept := challenged{r, c.row.Slug, c.g.now().Add(challengeTime)}
	err := c.g.view(ctx, func(tx store.Tx) error { return Claim{Subject: r.Subject}.exists(tx, c.row.Slug) })
	if err != nil {
		return Challenge{}, storeError(err, "%s in community %s", r.Subject, c.row.Slug)
	}
	if err := c.g.putTicket(ctx, ticketChallenge, nonce, kept, challengeTime); err != nil {
		return Challenge{}, err
	}
	return Challenge{Nonce: nonce, Message: kept.message(nonce), Recipient: r.Recipient, Expires: kept.Expires}, nil
}

// AnswerChallenge verifies a signed challenge, uses it up, and keeps a claim of kind [ClaimHoldsKey] about the subject, whose name is the key or address
// or, where [Options.KeyOwner] says so, "near:" and the account; its issuer is the gateway. It also links the account where that is asked for: Conflict
// says then that it is somebody else's. Denied: the answer does not prove it, was given before or too late, or is another community's; it changes
// nothing then.
func (c *Community) AnswerChallenge(ctx context.Context, a Answer) (Claim, error) {
	if scopeOf(ctx).tx != nil {
		return Claim{}, errInside("answering a challenge") // KeyOwner calls somebody
	}
	var kept challenged
	if err := c.openChallenge(ctx, a.Nonce, &kept, store.Tx.PutTicket); err != nil {
		return Claim{}, err
	}
	key, err := kept.verify(a)
	if err != nil {
		return Claim{}, Errorf(Denied, "the answer to the challenge for %s: %w", kept.Subject, err)
	}
	account := key
	if a.Account != "" {
		if account, err = c.g.ownerOf(ctx, kept, a.Account, key); err != nil {
			return Claim{}, err
		}
	}
	claim := Claim{Subject: kept.Subject, Kind: ClaimHoldsKey, Name: kept.keyName(account), Issuer: ourPlugin}
	if claim.Data, err = json.Marshal(map[string]string{"kind": kept.Kind, "key": key, "recipient": kept.Recipient}); err != nil {
		return Claim{}, Errorf(Internal, "encoding a claim: %w", err)
	}
	if err := c.g.checkClaim(c.row.Slug, &claim); err != nil {
		return Claim{}, err
	}
	var out Claim
	err = c.identity(ctx, func(tx store.Tx, s Settings) error {
		if _, err := tx.TakeTicket(ticketChallenge, digest(a.Nonce), c.g.now()); err != nil {
			return err
		}
		row, err := c.g.grantTx(ctx, tx, c.row.Slug, claim)
		if err != nil || !a.Link {
			out = claimOf(row)
			return err
		}
		out = claimOf(row)
		return c.linkKey(ctx, tx, s, kept, a, account)
	})
	if errors.Is(err, store.ErrNotFound) {
		return Claim{}, usedChallenge()
	}
	return out, storeError(err, "keeping that %s holds a key", kept.Subject)
}

func usedChallenge() error {
	return Errorf(Denied, "the challenge is unknown, was answered, or is too old")
}

// openChallenge reads a challenge of this community.
func (c *Community) openChallenge(ctx context.Context, nonce string, kept *challenged, then func(store.Tx, store.Ticket) error) error {
	err := c.g.ticket(ctx, ticketChallenge, digest(nonce), kept, then)
	if CodeOf(err) == NotFound || err == nil && kept.Community != c.row.Slug {
		return usedChallenge()
	}
	return err
}

// verify checks the signature and gives the key in its only form.
func (c challenged) verify(a Answer) (key string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(a.Nonce) // it was found by its hash, and so is as it was made
	if err != nil {
		return "", Errorf(Internal, "decoding a nonce: %w", err)
	}
	s := keyproof.Statement{Message: c.message(a.Nonce), Recipient: c.Recipient, Callback: a.Callback}
	copy(s.Nonce[:], raw)
	return keyproof.Verify(keyproof.Kind(c.Kind), a.Key, s, a.Signature)
}

// keyName is what the claim is called.
func (c challenged) keyName(account string) string {
	switch {
	case c.Kind == KeyEthereum:
		return KeyEthereum + ":" + account
	case c.Kind == KeyNEAR && !strings.HasPrefix(account, "ed25519:"):
		return KeyNEAR + ":" + account
	}
	return account
}

// ownerOf asks whether a key is an account's. The message says nothing of accounts: anybody has a key, and could name any account.
func (g *Gateway) ownerOf(ctx context.Context, c challenged, account, key string) (string, error) {
	if c.Kind != KeyNEAR {
		return "", Errorf(Invalid, "keys of kind %s have no account", c.Kind)
	}
	if !nearAccount(account) {
		return "", Errorf(Denied, "%q is no NEAR account", account)
	}
	if g.o.KeyOwner == nil {
		return "", Errorf(Denied, "there is no Options.KeyOwner that could say whether the key is of account %s", account)
	}
	ctx, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	owns := false
	err := g.guard("asking for the owner of a key", func() (err error) { owns, err = g.o.KeyOwner(ctx, c.Network, account, key); return err })
	if err != nil {
		return "", Errorf(Unavailable, "asking whether a key is of account %s: %w", account, err)
	}
	if !owns {
		return "", Errorf(Denied, "the key is not one of account %s", account)
	}
	return account, nil
}

// nearAccount says whether text can be the name of a NEAR account: 2 to 64 lower case letters and digits, with single separators in between.
func nearAccount(text string) bool {
	if len(text) < 2 || len(text) > 64 {
		return false
	}
	separated := true
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			separated = false
		case c == '.' || c == '-' || c == '_':
			if separated {
				return false
			}
			separated = true
		default:
			return false
		}
	}
	return !separated
}

// linkKey links what a key is of to the subject's person.
func (c *Community) linkKey(ctx context.Context, tx store.Tx, s Settings, kept challenged, a Answer, account string) error {
	if kept.Kind == KeyNEAR && a.Account == "" {
		return Errorf(Invalid, "a NEAR account can only be linked by its name: give Answer.Account")
	}
	person, err := personOf(tx, c.row.Slug, kept.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return Errorf(Denied, "%s is linked to nobody to whom the key's account could be linked", kept.Subject)
	}
	if err != nil {
		return err
	}
	ground := Ground{Kind: KeyChallenge, Issuer: ourPlugin}
	if err := c.g.checkGround(s, &ground); err != nil {
		return err
	}
	if about, _ := parseSubject(kept.Subject); about.kind == kindAccount {
		// Shown was that this account holds the key: it is as surely the person's as the account is, and no more.
		ev, news, err := c.g.keepEvidence(tx, c.row.Slug, AccountKey(kept.Kind, kept.Network, account), kept.Subject, ground, 0)
		if err != nil {
			return err
		}
		ground.proof, ground.known = ev.ID, !news
	}
	_, err = c.g.linkTx(ctx, tx, person, store.Account{
		Community: c.row.Slug, Plugin: kept.Kind, PlatformID: kept.Network, UserID: account, LinkType: KeyChallenge,
	}, ground)
	return err
}
