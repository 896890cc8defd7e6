package gateway_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/mr-tron/base58"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/sha3"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// wallet holds one key of each kind, and signs challenges as wallets do.
type wallet struct {
	ed  ed25519.PrivateKey
	sec *secp256k1.PrivateKey
}

func newWallet(name string) wallet {
	seed := sha256.Sum256([]byte(name))
	return wallet{ed25519.NewKeyFromSeed(seed[:]), secp256k1.PrivKeyFromBytes(seed[:])}
}

func keccak(b []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	_, _ = h.Write(b)
	return h.Sum(nil)
}

func (w wallet) edKey() string {
	return "ed25519:" + base58.Encode(w.ed.Public().(ed25519.PublicKey))
}

func (w wallet) address() string {
	return "0x" + hex.EncodeToString(keccak(w.sec.PubKey().SerializeUncompressed()[1:])[12:])
}

func (w wallet) answer(t *testing.T, kind string, c gateway.Challenge) gateway.Answer {
	t.Helper()
	a := gateway.Answer{Nonce: c.Nonce}
	sum := sha256.Sum256([]byte(c.Message))
	switch kind {
	case gateway.KeyEd25519:
		a.Key, a.Signature = w.edKey(), ed25519.Sign(w.ed, []byte(c.Message))
	case gateway.KeyNEAR:
		nonce, err := base64.RawURLEncoding.DecodeString(c.Nonce)
		require.NoError(t, err)
		text := func(b []byte, s string) []byte {
			return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
		}
		b := text(binary.LittleEndian.AppendUint32(nil, 1<<31+413), c.Message)
		sum := sha256.Sum256(append(text(append(b, nonce...), c.Recipient), 0))
		a.Key, a.Signature = w.edKey(), ed25519.Sign(w.ed, sum[:])
	case gateway.KeySecp256k1:
		a.Key = "secp256k1:0x" + hex.EncodeToString(w.sec.PubKey().SerializeCompressed())
		a.Signature = ecdsa.SignCompact(w.sec, sum[:], true)[1:]
	case gateway.KeyEthereum:
		s := ecdsa.SignCompact(w.sec, keccak([]byte("\x19Ethereum Signed Message:\n"+strconv.Itoa(len(c.Message))+c.Message)), false)
		a.Key, a.Signature = w.address(), append(s[1:], s[0])
	}
	return a
}

func TestAnswersToChallenges(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		other, _ := r.town("other", "S2")
		ann := person(t, c, ref("ann"))
		subject := gateway.PersonKey(ann.ID)
		w := newWallet("ann's")
		names := map[string]string{
			gateway.KeyEd25519: w.edKey(), gateway.KeyNEAR: w.edKey(),
			gateway.KeySecp256k1: "secp256k1:0x" + hex.EncodeToString(w.sec.PubKey().SerializeCompressed()), gateway.KeyEthereum: "ethereum:" + w.address(),
		}
		for kind, name := range names {
			ask := func(subject string) gateway.Challenge {
				t.Helper()
				ch, err := c.Challenge(ctx, gateway.ChallengeRequest{Subject: subject, Kind: kind, Recipient: "gov.example"})
				require.NoError(t, err)
				return ch
			}
			holds := func() error {
				return c.RequireClaim(ctx, subject, gateway.ClaimQuery{Kind: gateway.ClaimHoldsKey, Name: name, Least: gateway.Proven})
			}
			denied := func(c *gateway.Community, a gateway.Answer, why string) {
				t.Helper()
				all := func() (out []gateway.Claim) {
					for _, s := range []string{subject, gateway.AccountKey("forum", "S1", "bob")} {
						list, err := c.Claims(ctx, s)
						require.True(t, err == nil || errors.Is(err, gateway.NotFound))
						out = append(out, list...)
					}
					return out
				}
				have := all()
				_, err := c.AnswerChallenge(ctx, a)
				require.ErrorIs(t, err, gateway.Denied, "%s: %s", kind, why)
				require.Equal(t, have, all(), "%s: %s", kind, why)
			}
			ch := ask(subject)
			require.Contains(t, ch.Message, "community town of gov.example")
			require.Contains(t, ch.Message, subject)
			require.Equal(t, r.clock.now().Add(10*time.Minute), ch.Expires)
			good := w.answer(t, kind, ch)

			forged := good
			forged.Signature = newWallet("eve's").answer(t, kind, ch).Signature
			denied(c, forged, "another key's signature")
			forged = good
			forged.Nonce = ask(subject).Nonce
			denied(c, forged, "for another nonce")
			forged.Nonce = ch.Nonce + "="
			denied(c, forged, "a nonce written otherwise")
			forged.Nonce = ""
			denied(c, forged, "no nonce")
			denied(other, good, "in another community")
			swapped := w.answer(t, kind, gateway.Challenge{Nonce: ch.Nonce, Message: ch.Message + " ", Recipient: ch.Recipient})
			denied(c, swapped, "another message")
			if kind == gateway.KeyNEAR {
				swapped = w.answer(t, kind, gateway.Challenge{Nonce: ch.Nonce, Message: ch.Message, Recipient: "evil.example"})
				denied(c, swapped, "signed for somebody else")
				url := "https://evil.example"
				swapped = good
				swapped.Callback = &url
				denied(c, swapped, "another callback")
			}
			bob := ask(gateway.AccountKey("forum", "S1", "bob"))
			stolen := good
			stolen.Nonce = bob.Nonce
			denied(c, stolen, "for another subject")
			everywhere := w.answer(t, kind, bob)
			denied(other, everywhere, "in a community that knows as much of the subject")
			require.ErrorIs(t, holds(), gateway.Denied)

			claim, err := c.AnswerChallenge(ctx, good)
			require.NoError(t, err, "after all that was refused the right answer still counts")
			require.Equal(t, name, claim.Name)
			require.Equal(t, "gateway", claim.Issuer)
			require.NoError(t, holds())
			denied(c, good, "a second time")
			require.NoError(t, c.RevokeClaim(ctx, subject, gateway.ClaimHoldsKey, name, "gateway"))

			late := ask(subject)
			r.clock.advance(10*time.Minute + time.Second)
			denied(c, w.answer(t, kind, late), "too late")
		}
	})
}

func TestChallengesThatCannotBeMeant(t *testing.T) {
	r := newRig(t, gateway.Options{})
	ctx := t.Context()
	c, _ := r.town("town", "S1")
	ann := person(t, c, ref("ann"))
	ask := gateway.ChallengeRequest{Subject: gateway.PersonKey(ann.ID), Kind: gateway.KeyEd25519, Recipient: "gov.example"}
	for want, change := range map[string]func(*gateway.ChallengeRequest){
		"not for":        func(a *gateway.ChallengeRequest) { a.Subject = "role:local/mods" },
		"everybody":      func(a *gateway.ChallengeRequest) { a.Subject = "person:*" },
		"no kind":        func(a *gateway.ChallengeRequest) { a.Kind = "rsa" },
		"who asks":       func(a *gateway.ChallengeRequest) { a.Recipient = "" },
		"words in words": func(a *gateway.ChallengeRequest) { a.Recipient = "x\n\nSend all funds" },
	} {
		bad := ask
		change(&bad)
		_, err := c.Challenge(ctx, bad)
		require.ErrorIs(t, err, gateway.Invalid, want)
	}
	ask.Subject = gateway.PersonKey("nobody")
	_, err := c.Challenge(ctx, ask)
	require.ErrorIs(t, err, gateway.NotFound)
}

func TestAKeysAccount(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		w, eve := newWallet("ann's"), newWallet("eve's")
		var asked []string
		var fails error
		r := newRig(t, gateway.Options{Store: s, KeyOwner: func(_ context.Context, network, account, key string) (bool, error) {
			asked = append(asked, network+" "+account)
			return account == "ann.near" && key == w.edKey(), fails
		}})
		c, _ := r.town("town", "S1")
		ann, bob := person(t, c, ref("ann")), person(t, c, ref("bob"))
		try := func(w wallet, subject string, change func(*gateway.Answer)) (gateway.Claim, error) {
			t.Helper()
			ch, err := c.Challenge(ctx, gateway.ChallengeRequest{Subject: subject, Kind: gateway.KeyNEAR, Recipient: "gov.example", Network: "mainnet"})
			require.NoError(t, err)
			a := w.answer(t, gateway.KeyNEAR, ch)
			a.Link, a.Account = true, "ann.near"
			if change != nil {
				change(&a)
			}
			return c.AnswerChallenge(ctx, a)
		}
		_, err := try(eve, gateway.PersonKey(ann.ID), nil)
		require.ErrorIs(t, err, gateway.Denied, "a key that is not the account's")
		_, err = try(w, gateway.PersonKey(ann.ID), func(a *gateway.Answer) { a.Account = "Ann.near" })
		require.ErrorIs(t, err, gateway.Denied, "no such name")
		require.NotContains(t, asked, "mainnet Ann.near", "nobody is asked about what cannot be")
		_, err = try(w, gateway.PersonKey(ann.ID), func(a *gateway.Answer) { a.Account = "" })
		require.ErrorIs(t, err, gateway.Invalid, "which account?")
		_, err = try(w, gateway.AccountKey("forum", "S1", "cid"), nil)
		require.ErrorIs(t, err, gateway.Denied, "to whom?")
		fails = errors.New("the chain is away")
		_, err = try(w, gateway.PersonKey(ann.ID), nil)
		require.ErrorIs(t, err, gateway.Unavailable)
		fails = nil
		claims, err := c.Claims(ctx, gateway.PersonKey(ann.ID))
		require.NoError(t, err)
		require.Empty(t, claims, "nothing of it was kept")

		claim, err := try(w, gateway.PersonKey(ann.ID), nil)
		require.NoError(t, err)
		require.Equal(t, "near:ann.near", claim.Name)
		require.Contains(t, asked, "mainnet ann.near")
		near := gateway.AccountRef{Plugin: "near", PlatformID: "mainnet", UserID: "ann.near"}
		who, err := c.WhoIs(ctx, near)
		require.NoError(t, err)
		require.Equal(t, ann.ID, who.ID)
		link, err := c.Strength(ctx, ref("ann"), near)
		require.NoError(t, err)
		require.Equal(t, gateway.Asserted, link.Strength, "the forum account is there by an admin's word")
		require.Equal(t, gateway.KeyChallenge, who.Accounts[1].LinkType)

		_, err = try(w, gateway.PersonKey(bob.ID), nil)
		require.ErrorIs(t, err, gateway.Conflict, "it is somebody else's")
		claims, err = c.Claims(ctx, gateway.PersonKey(bob.ID))
		require.NoError(t, err)
		require.Empty(t, claims)
		_, err = try(w, gateway.PersonKey(bob.ID), func(a *gateway.Answer) { a.Link = false })
		require.NoError(t, err, "that two people hold one key joins nobody")
		who, err = c.WhoIs(ctx, near)
		require.NoError(t, err)
		require.Equal(t, ann.ID, who.ID)

		require.NoError(t, c.SetSettings(ctx, gateway.Settings{Linking: map[string]bool{gateway.ByLogin: false}}))
		_, err = try(w, gateway.PersonKey(ann.ID), nil)
		require.ErrorIs(t, err, gateway.Denied, "the community does not want it")
		require.NoError(t, c.SetSettings(ctx, gateway.Settings{}))

		// An address needs no chain.
		ch, err := c.Challenge(ctx, gateway.ChallengeRequest{Subject: gateway.AccountKey("forum", "S1", "bob"), Kind: gateway.KeyEthereum, Recipient: "gov.example", Network: "eip155:1"})
		require.NoError(t, err)
		a := w.answer(t, gateway.KeyEthereum, ch)
		a.Link = true
		_, err = c.AnswerChallenge(ctx, a)
		require.NoError(t, err)
		who, err = c.WhoIs(ctx, gateway.AccountRef{Plugin: "ethereum", PlatformID: "eip155:1", UserID: w.address()})
		require.NoError(t, err)
		require.Equal(t, bob.ID, who.ID)

		r.o.KeyOwner = nil
		r.again()
		c, err = r.Gateway.Community(ctx, "town")
		require.NoError(t, err)
		_, err = try(w, gateway.PersonKey(ann.ID), nil)
		require.ErrorIs(t, err, gateway.Denied)
		require.ErrorContains(t, err, "Options.KeyOwner")
		claim, err = try(w, gateway.PersonKey(ann.ID), func(a *gateway.Answer) { a.Link, a.Account = false, "" })
		require.NoError(t, err)
		require.Equal(t, w.edKey(), claim.Name, "of the key alone")
	})
}

// A key that an account has shown to hold is as surely a person's as that account is.
func TestAKeyHangsOnTheAccountThatShowedIt(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		ann := person(t, c)
		for a, kind := range map[gateway.AccountRef]string{hub("ann"): gateway.OneLogin, ref("perhaps-ann"): gateway.Unproven} {
			_, err := c.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: a}, gateway.Ground{Kind: kind})
			require.NoError(t, err)
		}
		w := newWallet("mallory's")
		for range 2 {
			ch, err := c.Challenge(ctx, gateway.ChallengeRequest{
				Subject: gateway.AccountKey("forum", "S1", "perhaps-ann"), Kind: gateway.KeyEthereum, Recipient: "gov.example", Network: "eip155:1",
			})
			require.NoError(t, err)
			a := w.answer(t, gateway.KeyEthereum, ch)
			a.Link = true
			_, err = c.AnswerChallenge(ctx, a)
			require.NoError(t, err)
		}
		wallet := gateway.AccountRef{Plugin: "ethereum", PlatformID: "eip155:1", UserID: w.address()}
		strength := func(a gateway.AccountRef) gateway.Strength {
			link, err := c.Strength(ctx, wallet, a)
			require.NoError(t, err)
			return link.Strength
		}
		require.Equal(t, gateway.Proven, strength(ref("perhaps-ann")))
		require.Equal(t, gateway.Unverified, strength(hub("ann")), "nothing has shown that the wallet is Ann's")
		known, err := c.Evidence(ctx, wallet)
		require.NoError(t, err)
		require.Len(t, known, 1, "answered again is renewed")
		linked := 0
		changes, err := c.History(ctx, ann.ID, 0, 0)
		require.NoError(t, err)
		for _, ch := range changes {
			if ch.Kind == gateway.AccountLinked || ch.Kind == gateway.EvidenceAdded {
				linked++
			}
		}
		require.Equal(t, 3, linked)
		require.NoError(t, c.Unlink(ctx, ref("perhaps-ann")))
		require.Equal(t, gateway.None, strength(hub("ann")), "and when that account is parted nothing is left of it")
	})
}
