// Package keyproof verifies that somebody holds a key: that a signature over a message that was chosen here is the key's. It is pure, knows no
// challenges and keeps nothing; whoever calls chooses messages that nobody has signed before and takes each once.
//
// Every signature has exactly one form that is taken: others of the same meaning, which anybody can make out of it, are refused, so that what was
// seen once is known again.
package keyproof

import (
	"errors"
	"fmt"
)

// ErrRefused is what errors.Is finds in the error of every proof that does not stand.
var ErrRefused = errors.New("the proof does not stand")

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// Kind says what is signed, how, and with what kind of key.
type Kind string

// The kinds of proofs.
const (
	Ed25519   Kind = "ed25519"   // the message's bytes; key: "ed25519:" and base58 of 32 bytes, signature of 64 bytes
	NEAR      Kind = "near"      // the message in the envelope of NEP-413; key as ed25519, signature of 64 bytes
	Secp256k1 Kind = "secp256k1" // SHA-256 of the message; key: "secp256k1:0x" and 33 bytes (compressed) in hexadecimal, signature r and s of 32 bytes each, s low
	Ethereum  Kind = "ethereum"  // EIP-191 personal_sign; key: the address, "0x" and 20 bytes in hexadecimal, signature r, s and v (27 or 28), s low
)

// Statement is what has to have been signed.
type Statement struct {
	Message   string
	Nonce     [32]byte // NEAR: part of the envelope; of other kinds the message has to name it
	Recipient string   // likewise
	Callback  *string  // NEAR: the address that the wallet was told to answer to, which it signs too; nil: none
}

// Key is a key, or what stands for one, in its only form.
func Key(kind Kind, text string) (string, error) {
	switch kind {
	case Ed25519, NEAR:
		key, err := ed25519Key(text)
		if err != nil {
			return "", err
		}
		return ed25519Text(key), nil
	case Secp256k1:
		key, err := secp256k1Key(text)
		if err != nil {
			return "", err
		}
		return secp256k1Text(key), nil
	case Ethereum:
		address, err := Address(text)
		if err != nil {
			return "", err
		}
		return addressText(address), nil
	}
	return "", refused("there is no kind of key %q", kind)
}

// Verify checks that a statement was signed with a key and gives the key in its only form. ErrRefused: it was not.
func Verify(kind Kind, key string, s Statement, signature []byte) (string, error) {
	switch kind {
	case Ed25519:
		return verifyEd25519(key, []byte(s.Message), signature)
	case NEAR:
		return verifyNEAR(key, s, signature)
	case Secp256k1:
		return verifySecp256k1(key, s.Message, signature)
	case Ethereum:
		return verifyEthereum(key, s.Message, signature)
	}
	return "", refused("there is no kind of key %q", kind)
}
