package keyproof

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

const secp256k1Prefix = "secp256k1:0x"

func secp256k1Text(key *secp256k1.PublicKey) string {
	return secp256k1Prefix + hex.EncodeToString(key.SerializeCompressed())
}

func secp256k1Key(text string) (*secp256k1.PublicKey, error) {
	digits, ok := strings.CutPrefix(text, secp256k1Prefix)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != secp256k1.PubKeyBytesLenCompressed {
		return nil, refused("a secp256k1 key is %q and 33 bytes in hexadecimal", secp256k1Prefix)
	}
	key, err := secp256k1.ParsePubKey(raw)
	if err != nil {
		return nil, refused("the key is no point of secp256k1")
	}
	return key, nil
}

// scalars reads r and s. Of the two s that are right for every r only the lower is taken.
func scalars(signature []byte) (r, s secp256k1.ModNScalar, err error) {
	if r.SetByteSlice(signature[:32]) || r.IsZero() || s.SetByteSlice(signature[32:64]) || s.IsZero() {
		return r, s, refused("the signature's numbers are out of range")
	}
	if s.IsOverHalfOrder() {
		return r, s, refused("the signature's s is in the upper half")
	}
	return r, s, nil
}

func verifySecp256k1(text, message string, signature []byte) (string, error) {
	key, err := secp256k1Key(text)
	if err != nil {
		return "", err
	}
	if len(signature) != 64 {
		return "", refused("the signature has %d bytes, not 64", len(signature))
	}
	r, s, err := scalars(signature)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(message))
	if !ecdsa.NewSignature(&r, &s).Verify(sum[:], key) {
		return "", refused("it is not this key's signature of the message")
	}
	return secp256k1Text(key), nil
}

// Address reads an Ethereum address. One in mixed case has to have the checksum of EIP-55.
func Address(text string) (out [20]byte, err error) {
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok || len(digits) != 40 {
		return out, refused("an address is 0x and 20 bytes in hexadecimal")
	}
	if _, err := hex.Decode(out[:], []byte(digits)); err != nil {
		return out, refused("an address is 0x and 20 bytes in hexadecimal")
	}
	if digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && digits != checksummed(out) {
		return out, refused("the address fails its checksum")
	}
	return out, nil
}

func addressText(a [20]byte) string { return "0x" + hex.EncodeToString(a[:]) }

// checksummed writes an address as EIP-55 wants it: a letter is upper case where the digit of the hash at its place is 8 or more.
func checksummed(a [20]byte) string {
	digits := []byte(hex.EncodeToString(a[:]))
	sum := hex.EncodeToString(keccak(digits))
	for i, c := range digits {
		if c >= 'a' && sum[i] >= '8' {
			digits[i] = c - 'a' + 'A'
		}
	}
	return string(digits)
}

func keccak(b []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	_, _ = h.Write(b) // a hash never fails
	return h.Sum(nil)
}

// ethereumDigest is what a wallet signs by EIP-191, version 0x45 (personal_sign).
func ethereumDigest(message string) []byte {
	return keccak([]byte("\x19Ethereum Signed Message:\n" + strconv.Itoa(len(message)) + message))
}

func verifyEthereum(text, message string, signature []byte) (string, error) {
	want, err := Address(text)
	if err != nil {
		return "", err
	}
	if len(signature) != 65 {
		return "", refused("the signature has %d bytes, not 65", len(signature))
	}
	if v := signature[64]; v != 27 && v != 28 {
		return "", refused("the signature's v is %d, not 27 or 28", v)
	}
	if _, _, err := scalars(signature); err != nil {
		return "", err
	}
	compact := append([]byte{signature[64]}, signature[:64]...)
	key, _, err := ecdsa.RecoverCompact(compact, ethereumDigest(message))
	if err != nil {
		return "", refused("no key has made the signature")
	}
	var have [20]byte
	copy(have[:], keccak(key.SerializeUncompressed()[1:])[12:])
	if have != want {
		return "", refused("it is not this address's signature of the message")
	}
	return addressText(want), nil
}
