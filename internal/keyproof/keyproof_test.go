package keyproof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/mr-tron/base58"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

// The keys and signatures of RFC 8032, section 7.1.
func TestEd25519Vectors(t *testing.T) {
	for _, v := range []struct{ key, message, signature string }{
		{
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		},
		{
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		},
	} {
		key := "ed25519:" + base58.Encode(unhex(t, v.key))
		got, err := Verify(Ed25519, key, Statement{Message: string(unhex(t, v.message))}, unhex(t, v.signature))
		require.NoError(t, err)
		require.Equal(t, key, got)
	}
}

// The example that Ethereum's own libraries show for accounts.sign, and the addresses of EIP-55.
func TestEthereumVectors(t *testing.T) {
	require.Equal(t, "1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655", hex.EncodeToString(ethereumDigest("Some data")))
	signature := unhex(t, "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c")
	for _, address := range []string{
		"0x2c7536E3605D9C16a7a3D7b1898e529396a65c23", "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23", "0x2C7536E3605D9C16A7A3D7B1898E529396A65C23",
	} {
		got, err := Verify(Ethereum, address, Statement{Message: "Some data"}, signature)
		require.NoError(t, err)
		require.Equal(t, "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23", got)
	}
	for _, right := range []string{
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
		"0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	} {
		a, err := Address(right)
		require.NoError(t, err)
		require.Equal(t, right, "0x"+checksummed(a))
	}
	_, err := Address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD")
	require.ErrorContains(t, err, "checksum")
}

// The widely published signature with the key 1, made by RFC 6979.
func TestSecp256k1Vector(t *testing.T) {
	key := "secp256k1:0x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	signature := unhex(t, "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d82442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5")
	got, err := Verify(Secp256k1, key, Statement{Message: "Satoshi Nakamoto"}, signature)
	require.NoError(t, err)
	require.Equal(t, key, got)
}

// nearBytes is NEP-413's payload written down field by field, without a library.
func nearBytes(s Statement) []byte {
	text := func(b []byte, s string) []byte {
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	b := binary.LittleEndian.AppendUint32(nil, 2147484061)
	b = text(b, s.Message)
	b = append(b, s.Nonce[:]...)
	b = text(b, s.Recipient)
	if s.Callback == nil {
		return append(b, 0)
	}
	return text(append(b, 1), *s.Callback)
}

// signer makes proofs of one kind, as a wallet does.
type signer struct {
	kind Kind
	key  string
	sign func(Statement) []byte
}

func signers() []signer {
	seed := sha256.Sum256([]byte("a key for tests"))
	ed := ed25519.NewKeyFromSeed(seed[:])
	edKey := "ed25519:" + base58.Encode(ed.Public().(ed25519.PublicKey))
	sec := secp256k1.PrivKeyFromBytes(seed[:])
	address := "0x" + hex.EncodeToString(keccak(sec.PubKey().SerializeUncompressed()[1:])[12:])
	return []signer{
		{Ed25519, edKey, func(s Statement) []byte { return ed25519.Sign(ed, []byte(s.Message)) }},
		{NEAR, edKey, func(s Statement) []byte { sum := sha256.Sum256(nearBytes(s)); return ed25519.Sign(ed, sum[:]) }},
		{Secp256k1, secp256k1Text(sec.PubKey()), func(s Statement) []byte {
			sum := sha256.Sum256([]byte(s.Message))
			return ecdsa.SignCompact(sec, sum[:], true)[1:]
		}},
		{Ethereum, address, func(s Statement) []byte {
			c := ecdsa.SignCompact(sec, ethereumDigest(s.Message), false)
			return append(c[1:], c[0])
		}},
	}
}

func TestWhatIsRefused(t *testing.T) {
	callback := "https://gov.example/near"
	s := Statement{Message: "please sign", Nonce: [32]byte{1, 2, 3}, Recipient: "gov.example"}
	all := signers()
	for i, w := range all {
		signature := w.sign(s)
		got, err := Verify(w.kind, w.key, s, signature)
		require.NoError(t, err, w.kind)
		require.Equal(t, w.key, got)
		refuse := func(what, key string, s Statement, signature []byte) {
			t.Helper()
			_, err := Verify(w.kind, key, s, signature)
			require.ErrorIs(t, err, ErrRefused, "%s: %s", w.kind, what)
		}
		other := s
		other.Message += "."
		refuse("another message", w.key, other, signature)
		for n := range signature {
			bad := slices.Clone(signature)
			bad[n] ^= 1
			refuse("a changed byte", w.key, s, bad)
		}
		refuse("too short", w.key, s, signature[:len(signature)-1])
		refuse("too long", w.key, s, append(slices.Clone(signature), 0))
		refuse("nothing", w.key, s, nil)
		refuse("zeros", w.key, s, make([]byte, len(signature)))
		refuse("no key", "", s, signature)
		refuse("a key of another kind", all[(i+2)%4].key, s, signature)
		refuse("space around the key", " "+w.key, s, signature)
		refuse("a key with more", w.key+"0", s, signature)
		for _, o := range all {
			if o.kind != w.kind {
				_, err := Verify(o.kind, o.key, s, signature)
				require.ErrorIs(t, err, ErrRefused, "%s for %s", w.kind, o.kind)
			}
		}
		_, err = Verify("rsa", w.key, s, signature)
		require.ErrorIs(t, err, ErrRefused)
	}

	near := all[1]
	signature := near.sign(s)
	for what, change := range map[string]func(*Statement){
		"another recipient": func(s *Statement) { s.Recipient = "evil.example" },
		"another nonce":     func(s *Statement) { s.Nonce[31] = 1 },
		"a callback":        func(s *Statement) { s.Callback = &callback },
		"an empty callback": func(s *Statement) { s.Callback = new("") },
		"moved bytes":       func(s *Statement) { s.Message, s.Recipient = s.Message+"g", s.Recipient[1:] },
	} {
		other := s
		change(&other)
		_, err := Verify(NEAR, near.key, other, signature)
		require.ErrorIs(t, err, ErrRefused, what)
	}
	s.Callback = &callback
	_, err := Verify(NEAR, near.key, s, near.sign(s))
	require.NoError(t, err)
}

func TestMalleableSignatures(t *testing.T) {
	s := Statement{Message: "please sign"}
	all := signers()
	order := secp256k1.S256().N
	upper := func(signature []byte) []byte {
		out := slices.Clone(signature)
		n := new(big.Int).SetBytes(signature[32:64])
		new(big.Int).Sub(order, n).FillBytes(out[32:64])
		if len(out) == 65 {
			out[64] = 27 + 28 - out[64] // the other s belongs to the other v
		}
		return out
	}
	for _, w := range all[2:] {
		twin := upper(w.sign(s))
		_, err := Verify(w.kind, w.key, s, twin)
		require.ErrorContains(t, err, "upper half", w.kind)
		over := slices.Clone(w.sign(s))
		new(big.Int).Add(order, big.NewInt(1)).FillBytes(over[:32])
		_, err = Verify(w.kind, w.key, s, over)
		require.ErrorContains(t, err, "out of range", w.kind)
	}
	eth := all[3]
	for _, v := range []byte{0, 1, 26, 29, 30, 31, 32, 35, 37, 255} {
		bad := slices.Clone(eth.sign(s))
		bad[64] = v
		_, err := Verify(Ethereum, eth.key, s, bad)
		require.ErrorContains(t, err, "not 27 or 28", "%d", v)
	}

	ed := all[0]
	good := ed.sign(s)
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	n := slices.Clone(good[32:])
	slices.Reverse(n)
	sum := new(big.Int).Add(new(big.Int).SetBytes(n), l)
	bad := slices.Clone(good)
	sum.FillBytes(bad[32:])
	slices.Reverse(bad[32:])
	_, err := Verify(Ed25519, ed.key, s, bad)
	require.ErrorIs(t, err, ErrRefused, "S plus the order is the same number to a careless verifier")
}

// Under a key of small order one signature is right for about every eighth message, or for all.
func TestWeakKeys(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	encode := func(y *big.Int, sign byte) []byte {
		b := y.FillBytes(make([]byte, 32))
		slices.Reverse(b)
		b[31] |= sign << 7
		return b
	}
	y8, _ := new(big.Int).SetString("55188659117513257062467267217118295137698188065244968500265048394206261417927", 10) // of a point of order 8
	small := []*big.Int{
		big.NewInt(0), big.NewInt(1), new(big.Int).Sub(p, big.NewInt(1)), p, new(big.Int).Add(p, big.NewInt(1)), y8, new(big.Int).Sub(p, y8),
	}
	for _, y := range small {
		for _, sign := range []byte{0, 1} {
			key := encode(y, sign)
			require.True(t, weak(key), "%x", key)
			_, err := Key(Ed25519, ed25519Text(key))
			require.ErrorContains(t, err, "anything is signed")
		}
	}
	// The attack that this is against: the neutral point as the key, and as R, with S = 0.
	forged := make([]byte, 64)
	forged[0] = 1
	neutral := encode(big.NewInt(1), 0)
	require.True(t, ed25519.Verify(neutral, []byte("anything"), forged), "the standard library takes it")
	_, err := Verify(Ed25519, ed25519Text(neutral), Statement{Message: "anything"}, forged)
	require.ErrorIs(t, err, ErrRefused)
	for n := range 200 {
		seed := sha256.Sum256([]byte{byte(n)})
		require.False(t, weak(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)))
	}
}

func TestNEAREnvelope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Statement{Message: rapid.String().Draw(t, "message"), Recipient: rapid.String().Draw(t, "recipient")}
		copy(s.Nonce[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "nonce"))
		if rapid.Bool().Draw(t, "callback") {
			s.Callback = new(rapid.String().Draw(t, "url"))
		}
		want := sha256.Sum256(nearBytes(s))
		have, err := nearDigest(s)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want[:], have))
	})
}

// FuzzKeys: whatever is read as a key has one form, and no text makes it panic.
func FuzzKeys(f *testing.F) {
	for _, w := range signers() {
		f.Add(string(w.kind), w.key, w.sign(Statement{Message: "m"}))
	}
	f.Add("ed25519", "ed25519:1", []byte{})
	f.Add("ethereum", "0x", make([]byte, 65))
	f.Fuzz(func(t *testing.T, kind, text string, signature []byte) {
		if key, err := Key(Kind(kind), text); err == nil {
			again, err := Key(Kind(kind), key)
			require.NoError(t, err)
			require.Equal(t, key, again)
			require.True(t, strings.EqualFold(key, text) || kind == string(Ed25519) || kind == string(NEAR))
		}
		_, err := Verify(Kind(kind), text, Statement{Message: "another message"}, signature)
		require.ErrorIs(t, err, ErrRefused)
	})
}
