package keyproof

import (
	"crypto/ed25519"
	"math/big"
	"slices"
	"strings"

	"github.com/mr-tron/base58"
)

const ed25519Prefix = "ed25519:"

func ed25519Text(key ed25519.PublicKey) string { return ed25519Prefix + base58.Encode(key) }

// ed25519Key reads a key. Those of small order are refused: one signature is right for any message under them.
func ed25519Key(text string) (ed25519.PublicKey, error) {
	digits, ok := strings.CutPrefix(text, ed25519Prefix)
	if !ok || len(digits) > 44 {
		return nil, refused("an Ed25519 key is %q and 32 bytes in base58", ed25519Prefix)
	}
	key, err := base58.Decode(digits)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, refused("an Ed25519 key is %q and 32 bytes in base58", ed25519Prefix)
	}
	if weak(key) {
		return nil, refused("the key is one of those under which anything is signed")
	}
	return key, nil
}

func verifyEd25519(text string, message, signature []byte) (string, error) {
	key, err := ed25519Key(text)
	if err != nil {
		return "", err
	}
	if len(signature) != ed25519.SignatureSize {
		return "", refused("the signature has %d bytes, not %d", len(signature), ed25519.SignatureSize)
	}
	if !ed25519.Verify(key, message, signature) { // takes only an S below the group's order
		return "", refused("it is not this key's signature of the message")
	}
	return ed25519Text(key), nil
}

// weak says whether a key is a point whose order divides 8, or is written otherwise than it has to be. On -x²+y² = 1+dx²y² such points are those
// with y = 0, y = ±1 or, where doubling leads to y = 0, dy⁴+2y² = 1.
func weak(key []byte) bool {
	b := slices.Clone(key)
	b[31] &= 0x7f
	slices.Reverse(b)
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	y := new(big.Int).SetBytes(b)
	if y.Cmp(p) >= 0 {
		return true
	}
	mod := func(x *big.Int) *big.Int { return x.Mod(x, p) }
	one := big.NewInt(1)
	d := mod(new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p)))
	y2 := mod(new(big.Int).Mul(y, y))
	if y.Sign() == 0 || y2.Cmp(one) == 0 {
		return true
	}
	y4 := mod(new(big.Int).Mul(y2, y2))
	sum := mod(new(big.Int).Add(mod(new(big.Int).Mul(d, y4)), new(big.Int).Lsh(y2, 1)))
	return sum.Cmp(one) == 0
}
