package seal

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func testKey(seed byte) string {
	raw := make([]byte, keySize)
	for i := range raw {
		raw[i] = seed + byte(i)*7
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func mustNew(t testing.TB, keys ...string) *Sealer {
	t.Helper()
	s, err := New(keys...)
	require.NoError(t, err)
	return s
}

func TestRoundTrip(t *testing.T) {
	s := mustNew(t, NewKey(), NewKey())
	rapid.Check(t, func(r *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(r, "plain")
		ad := rapid.SliceOf(rapid.Byte()).Draw(r, "ad")
		sealed, err := s.Encrypt(plain, ad)
		require.NoError(r, err)
		again, err := s.Encrypt(plain, ad)
		require.NoError(r, err)
		require.NotEqual(r, sealed, again, "sealing twice must not show that the secret is the same")
		opened, err := s.Decrypt(sealed, ad)
		require.NoError(r, err)
		require.True(r, bytes.Equal(plain, opened))
	})
}

func TestRotation(t *testing.T) {
	oldKey, newKey := testKey(1), testKey(2)
	ad := []byte("community/1")
	before := mustNew(t, oldKey)
	sealed, err := before.Encrypt([]byte("the secret"), ad)
	require.NoError(t, err)
	require.True(t, before.Current(sealed))

	after := mustNew(t, newKey, oldKey)
	opened, err := after.Decrypt(sealed, ad)
	require.NoError(t, err)
	require.Equal(t, "the secret", string(opened))
	require.False(t, after.Current(sealed))

	fresh, err := after.Encrypt([]byte("the secret"), ad)
	require.NoError(t, err)
	require.True(t, after.Current(fresh))
	_, err = before.Decrypt(fresh, ad)
	require.ErrorIs(t, err, ErrUnknownKey, "the new key must be the one that seals")

	reordered := mustNew(t, oldKey, newKey)
	opened, err = reordered.Decrypt(fresh, ad)
	require.NoError(t, err)
	require.Equal(t, "the secret", string(opened))

	removed := mustNew(t, newKey)
	_, err = removed.Decrypt(sealed, ad)
	require.ErrorIs(t, err, ErrUnknownKey)
	require.Contains(t, err.Error(), "not configured")
	require.False(t, removed.Current(nil))
}

// What testKey(1) is called, and what it once sealed.
const (
	stableID         = 0x159254eb
	stableCiphertext = "ARWSVOueDhDkcq7BeLGRy2Rx/rnhWxt+/EC5F92t64qHYKyKTMq5+Xn1PmViO5k3okfqpJwADmOC1wo="
)

// TestStable holds the format: what an earlier release sealed must open for ever.
func TestStable(t *testing.T) {
	raw, err := decodeKey(testKey(1))
	require.NoError(t, err)
	require.Equal(t, uint32(stableID), keyID(raw))
	sealed, err := base64.StdEncoding.DecodeString(stableCiphertext)
	require.NoError(t, err)
	opened, err := mustNew(t, testKey(9), testKey(1)).Decrypt(sealed, []byte("stable"))
	require.NoError(t, err)
	require.Equal(t, "opens for ever", string(opened))
}

func TestTampered(t *testing.T) {
	s := mustNew(t, testKey(1))
	ad := []byte("instance/7")
	sealed, err := s.Encrypt([]byte("the secret"), ad)
	require.NoError(t, err)

	for _, other := range [][]byte{nil, {}, []byte("instance/8"), []byte("instance/7 ")} {
		_, err := s.Decrypt(sealed, other)
		require.ErrorIs(t, err, ErrTampered)
	}
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			out, err := s.Decrypt(bad, ad)
			require.Error(t, err, "byte %d bit %d", i, bit)
			require.Nil(t, out)
		}
	}
	for n := range sealed {
		_, err := s.Decrypt(sealed[:n], ad)
		require.ErrorIs(t, err, ErrTampered, "cut to %d", n)
	}
	_, err = s.Decrypt(append(bytes.Clone(sealed), 0), ad)
	require.ErrorIs(t, err, ErrTampered)
}

func TestKeys(t *testing.T) {
	raw := make([]byte, keySize)
	for i := range raw {
		raw[i] = 255 - byte(i)
	}
	spellings := []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
		" " + base64.StdEncoding.EncodeToString(raw) + "\n",
	}
	sealed, err := mustNew(t, spellings[0]).Encrypt([]byte("x"), nil)
	require.NoError(t, err)
	for _, text := range spellings {
		_, err := mustNew(t, text).Decrypt(sealed, nil)
		require.NoError(t, err)
	}
	require.NotEqual(t, NewKey(), NewKey())

	good := spellings[0]
	for name, tt := range map[string]struct {
		keys []string
		want string
	}{
		"none":               {nil, "no key"},
		"empty":              {[]string{""}, "has 0 bytes"},
		"short":              {[]string{good, base64.StdEncoding.EncodeToString(raw[:31])}, "key 2 of 2: has 31 bytes"},
		"long":               {[]string{base64.StdEncoding.EncodeToString(append(raw[:32:32], 1))}, "has 33 bytes"},
		"not base64":         {[]string{"!!" + good[2:]}, "not base64"},
		"duplicate":          {[]string{good, good}, "given twice"},
		"duplicate, spelled": {[]string{good, spellings[3]}, "given twice"},
		"placeholder":        {[]string{base64.StdEncoding.EncodeToString(make([]byte, 32))}, "placeholder"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(tt.keys...)
			require.ErrorContains(t, err, tt.want)
			require.Nil(t, s)
			for _, key := range tt.keys {
				requireNoKey(t, err.Error(), key)
			}
		})
	}
}

func TestNothingPrinted(t *testing.T) {
	key := testKey(3)
	s := mustNew(t, key)
	raw, err := decodeKey(key)
	require.NoError(t, err)
	texts := []string{s.String(), s.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, s), fmt.Sprintf(verb, *s),
			fmt.Sprintf(verb, struct{ S *Sealer }{s}), fmt.Sprintf(verb, struct{ s *Sealer }{s}))
	}
	_, err = s.Decrypt([]byte{1, 2, 3, 4, 5, 6}, nil)
	texts = append(texts, err.Error())
	for _, text := range texts {
		requireNoKey(t, text, key)
		require.NotContains(t, text, string(raw))
		require.NotContains(t, strings.ToLower(text), fmt.Sprintf("%x", raw[:8]))
		require.NotContains(t, text, fmt.Sprint(raw[:4])[1:12])
	}
	require.Equal(t, "seal.Sealer(redacted)", fmt.Sprintf("%d", *s))
}

func requireNoKey(t *testing.T, text, key string) {
	t.Helper()
	for i := 0; i+8 <= len(key); i++ {
		require.NotContains(t, text, key[i:i+8])
	}
}

func FuzzDecrypt(f *testing.F) {
	s := mustNew(f, testKey(1))
	// One that stays the same: each fuzzing process runs this part again.
	sealed, err := base64.StdEncoding.DecodeString(stableCiphertext)
	require.NoError(f, err)
	f.Add(sealed, []byte("stable"))
	f.Add([]byte{1}, []byte(nil))
	f.Fuzz(func(t *testing.T, ciphertext, ad []byte) {
		out, err := s.Decrypt(ciphertext, ad)
		if err == nil && !(bytes.Equal(ciphertext, sealed) && string(ad) == "stable") {
			t.Fatalf("opened a forgery: %q", out)
		}
	})
}
