package gateway

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzRedirect holds the list of redirects to what browsers make of an address: whatever is let through lies on the listed host, below
// the listed path.
func FuzzRedirect(f *testing.F) {
	for _, s := range []string{
		"https://good.example/cb", "https://good.example/cb/x?y", "https://good.example/cb/%2e%2e/x", "https://good.example@evil.com/cb",
		`https://good.example\@evil.com/cb`, "//good.example/cb", "https://good.example/cb/..;/x", "https://good.example/cb%2f..%2fx", "HTTPS://good.example/cb",
	} {
		f.Add(s)
	}
	o := OAuthOptions{Redirects: []string{"https://good.example/cb"}}
	f.Fuzz(func(t *testing.T, s string) {
		if !o.allows(s) {
			return
		}
		u, err := url.Parse(s)
		if err != nil {
			t.Fatalf("%q cannot be read", s)
		}
		// Browsers take a backslash for a slash, and resolve dots, also when they are escaped.
		at := u.ResolveReference(&url.URL{Path: strings.ReplaceAll(u.Path, `\`, "/")})
		if !strings.EqualFold(at.Host, "good.example") || at.Scheme != "https" || at.Path != "/cb" && !strings.HasPrefix(at.Path, "/cb/") || u.User != nil {
			t.Fatalf("%q leads to %v", s, at)
		}
	})
}
