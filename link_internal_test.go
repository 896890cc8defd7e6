package gateway

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestNormalMail(t *testing.T) {
	for address, want := range map[string]string{
		"ann@example.com":               "ann@example.com",
		" Ann@Example.COM\t":            "Ann@example.com",
		"a.n+n@example.com":             "a.n+n@example.com",
		`"a@b"@EXAMPLE.com`:             `"a@b"@example.com`,
		"ann@EXÄMPLE.com":               "ann@exÄmple.com", // letters of other alphabets are as they are
		"ann@\u212aelvin.example":       "ann@\u212aelvin.example",
		"":                              "",
		"@example.com":                  "",
		"ann@":                          "",
		"ann":                           "",
		"a nn@example.com":              "",
		"ann@example.com\x00":           "",
		"ann\n@example.com":             "",
		"ann@exam\u00a0ple.com":         "",
		"ann@example.com\xff":           "",
		strings.Repeat("a", 320) + "@b": "",
	} {
		require.Equal(t, want, normalMail(address), "%q", address)
	}
}

// Two addresses are the same only where they differ in the case of the domain's letters.
func FuzzNormalMail(f *testing.F) {
	f.Add("Ann@Example.com", "Ann@eXample.com")
	f.Add("ann@example.com", "Ann@example.com")
	f.Add("a@b@C", " a@b@c ")
	f.Add("ann@\u212aelvin.example", "ann@kelvin.example")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := normalMail(a), normalMail(b)
		require.Equal(t, x, normalMail(x), "once is enough")
		if x == "" || x != y {
			return
		}
		require.True(t, utf8.ValidString(x))
		at := strings.LastIndexByte(x, '@')
		for _, s := range []string{strings.TrimSpace(a), strings.TrimSpace(b)} {
			require.Equal(t, x[:at], s[:at])
			require.Len(t, s, len(x))
			for i := at; i < len(x); i++ {
				require.True(t, s[i] == x[i] || 'A' <= s[i] && s[i] <= 'Z' && s[i]+'a'-'A' == x[i])
			}
		}
	})
}
