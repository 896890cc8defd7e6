package seal

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzKeyset: keys that are taken open what they seal, and nobody else's; errors say nothing of a key.
func FuzzKeyset(f *testing.F) {
	f.Add(testKey(1), testKey(2), []byte("secret"), []byte("row"))
	f.Add(testKey(1), testKey(1), []byte(nil), []byte(nil))
	f.Add("", " ", []byte("x"), []byte("y"))
	f.Add(base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{255}, 32)), base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{255}, 32)), []byte("x"), []byte("y"))
	f.Add(base64.StdEncoding.EncodeToString(make([]byte, 31)), base64.StdEncoding.EncodeToString(make([]byte, 33)), []byte("x"), []byte("y"))
	stranger := mustNew(f, testKey(9))
	f.Fuzz(func(t *testing.T, one, two string, plain, ad []byte) {
		both, err := New(one, two)
		if err != nil {
			if len(one) >= 8 {
				requireNoKey(t, err.Error(), one)
			}
			return
		}
		old, err := New(two)
		require.NoError(t, err)
		for _, s := range []*Sealer{both, old} {
			sealed, err := s.Encrypt(plain, ad)
			require.NoError(t, err)
			opened, err := both.Decrypt(sealed, ad)
			require.NoError(t, err)
			require.True(t, bytes.Equal(plain, opened))
			require.Equal(t, s == both, both.Current(sealed))
			_, err = both.Decrypt(sealed, append([]byte("other"), ad...))
			require.ErrorIs(t, err, ErrTampered)
			sealed[len(sealed)-1] ^= 1
			_, err = both.Decrypt(sealed, ad)
			require.ErrorIs(t, err, ErrTampered)
			if one != testKey(9) && two != testKey(9) {
				_, err = stranger.Decrypt(sealed, ad)
				require.Error(t, err)
			}
		}
	})
}
