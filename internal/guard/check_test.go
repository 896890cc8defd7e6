package guard

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	var g Guard
	for _, ok := range []string{
		"https://gov.example", "https://gov.example./x?y=z#f", "http://a_b.gov.example:8080/", "HTTPS://GOV.EXAMPLE", "https://xn--dmocratie-b4a.example",
		"https://9.9.9.9:443", "https://[2600::1]:8443/x", "https://1.example", "https://single", "https://0x7f.example", "https://localhost.example",
	} {
		require.NoError(t, g.Check(ok), ok)
	}
	for _, bad := range []string{
		"", "gov.example", "//gov.example", "ftp://gov.example", "file:///etc/passwd", "unix:///run/x", "gopher://gov.example", "javascript:1", "http:gov.example", "http:///x",
		"https://u@gov.example", "https://u:p@gov.example", "https://@gov.example", "https://gov.example:0", "https://gov.example:", "https://gov.example:22",
		"https://gov.example:65536", "https://gov.example:x", "https://gov..example", "https://.example", "https://gov.example..", "https://.", "https://gov%20.example",
		"http://127.0.0.1", "http://127.1", "http://2130706433", "http://0x7f000001", "http://0x7f.1", "http://0X7F.1", "http://0177.0.0.1", "http://017700000001",
		"http://127.0.0.1.", "http://0", "http://0x", "http://1.2.3.4.5", "http://9.9.9.9.", "http://134744072", "http://127.0.0.01", "http://1.0x2",
		"http://localhost", "http://LOCALHOST:8080", "http://localhost.", "http://x.localhost",
		"http://[::1]", "http://[::]", "http://[::ffff:127.0.0.1]", "http://[::127.0.0.1]", "http://[fe80::1%25lo]", "http://[2600::1%25lo]", "http://[gov.example]", "http://[9.9.9.9]",
		"http://::1", "http://１２７.0.0.1", "http://①", "http://démocratie.example", "http://gov。example", "http://a\x00b", "http://gov.example\\@127.0.0.1",
		"http://" + strings.Repeat("a", 64) + ".example", "http://" + strings.Repeat("a.", 130) + "example",
	} {
		require.ErrorIs(t, g.Check(bad), ErrRefused, bad)
	}
}

func TestRefusalsNameTheHostOnly(t *testing.T) {
	var g Guard
	err := g.Check("https://10.0.0.1/hooks/capability?key=canary")
	require.EqualError(t, err, `the address at "10.0.0.1" is refused: it is in a private network`)
	for _, u := range []string{"https://me:canary@gov.example", "ht tp://canary/", "https://gov.example:99/canary", "canary", "http://[::1/canary", "http://x:can\x7fary"} {
		require.NotContains(t, g.Check(u).Error(), "canary")
	}
}

// FuzzCheck: what Check accepts and is an address to somebody, an old C library included, is an address that may be dialled.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1", "http://0x7f.1", "http://017700000001", "http://[::ffff:127.0.0.1]", "http://127.0.0.1.", "http://[fe80::1%25lo]", "https://9.9.9.9:443/x", "http://１２７.1", "https://a.b:8080"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var g Guard
		if err := g.Check(raw); err != nil {
			require.ErrorIs(t, err, ErrRefused)
			return
		}
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Contains(t, []string{"http", "https"}, u.Scheme)
		require.Nil(t, u.User)
		port := "443"
		if p := u.Port(); p != "" {
			port = p
		}
		host := strings.TrimRight(u.Hostname(), ".")
		ip, err := netip.ParseAddr(host)
		if err != nil {
			var ok bool
			if ip, ok = aton(host); !ok {
				require.Condition(t, func() bool { return strings.IndexFunc(host, func(r rune) bool { return r > 127 || r <= ' ' }) < 0 }, host)
				return
			}
		}
		network := "tcp4"
		if ip.Is6() {
			network = "tcp6"
		}
		p, err := strconv.ParseUint(port, 10, 16)
		require.NoError(t, err)
		require.NoError(t, g.control(t.Context(), network, netip.AddrPortFrom(ip, uint16(p)).String(), nil), raw)
	})
}

// aton reads an address as inet_aton(3) does: one to four numbers, decimal, octal or hexadecimal, the last filling what is left.
func aton(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var v uint64
	for i, p := range parts {
		base := 10
		switch p = strings.ToLower(p); {
		case strings.HasPrefix(p, "0x"):
			p, base = p[2:], 16
		case len(p) > 1 && p[0] == '0':
			base = 8
		}
		n, err := strconv.ParseUint(p, base, 32)
		if err != nil {
			return netip.Addr{}, false
		}
		if i == len(parts)-1 {
			v += n
		} else {
			v += n << (24 - 8*i)
		}
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}
