package guard

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAddresses holds every range at its first and last address, and at the ones before and after it.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		what                       string
		before, first, last, after string // before and after: "" where they are refused too, for another reason
		why                        string
	}{
		{"this network", "", "0.0.0.0", "0.255.255.255", "1.0.0.0", isNobody},
		{"10/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", isPrivate},
		{"CGNAT", "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", isShared},
		{"loopback", "126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", isLoopback},
		{"link-local", "169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", isLinkLocal},
		{"metadata", "", "169.254.169.254", "169.254.169.254", "", isLinkLocal},
		{"172.16/12", "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", isPrivate},
		{"192.0.0/24", "191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0", isReserved},
		{"TEST-NET-1", "192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", isExample},
		{"6to4 relays", "192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0", isReserved},
		{"192.168/16", "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", isPrivate},
		{"benchmarking", "198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", isExample},
		{"TEST-NET-2", "198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", isExample},
		{"TEST-NET-3", "203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", isExample},
		{"multicast", "223.255.255.255", "224.0.0.0", "239.255.255.255", "", isMulticast},
		{"240/4 and broadcast", "", "240.0.0.0", "255.255.255.255", "", isReserved},
		{"unspecified", "", "::", "::", "", isNobody},
		{"loopback v6", "", "::1", "::1", "", isLoopback},
		{"IPv4-compatible", "", "::2", "::ffff:ffff", "", isTranslated},
		{"IPv4-mapped", "", "::ffff:0.0.0.0", "::ffff:255.255.255.255", "", isTranslated},
		{"NAT64", "", "64:ff9b::", "64:ff9b::ffff:ffff", "", isTranslated},
		{"local NAT64", "", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "", isTranslated},
		{"discard", "", "100::", "100::ffff:ffff:ffff:ffff", "", isReserved},
		{"below unicast", "", "200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::", isReserved},
		{"Teredo", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "", isTranslated},
		{"protocol assignments", "", "2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::", isReserved},
		{"documentation", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", isExample},
		{"6to4", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::", isTranslated},
		{"6bone", "3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", isReserved},
		{"documentation 2", "", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::", isExample},
		{"above unicast", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", isReserved},
		{"segment routing", "", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", isReserved},
		{"ULA", "", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", isPrivate},
		{"link-local v6", "", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", isLinkLocal},
		{"site-local", "", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", isPrivate},
		{"multicast v6", "", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", isMulticast},
		{"zone", "", "2600::1%eth0", "fe80::1%eth0", "", hasZone},
	} {
		t.Run(c.what, func(t *testing.T) {
			var g Guard
			for _, a := range []string{c.first, c.last} {
				ip := netip.MustParseAddr(a)
				require.Equal(t, c.why, g.closed(ip), a)
				require.Error(t, g.control(t.Context(), "tcp6", netip.AddrPortFrom(ip, 443).String(), nil), a)
				require.ErrorIs(t, g.Check(urlOf(a)), ErrRefused, a)
			}
			for _, a := range []string{c.before, c.after} {
				if a != "" {
					require.Empty(t, g.closed(netip.MustParseAddr(a)), a)
					require.NoError(t, g.Check(urlOf(a)), a)
				}
			}
		})
	}
	var g Guard
	require.NotEmpty(t, g.closed(netip.Addr{}))
}

func urlOf(ip string) string {
	if strings.Contains(ip, ":") {
		return "https://[" + strings.ReplaceAll(ip, "%", "%25") + "]/"
	}
	return "https://" + ip + "/"
}

func TestTheOperatorAllowsNetworks(t *testing.T) {
	g := Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32"), netip.MustParsePrefix("127.0.0.0/8")}}
	for url, ok := range map[string]bool{
		"https://10.1.2.3":              true,
		"https://10.2.0.0":              false,
		"https://[fd00:1::1]":           true,
		"https://[fd00:2::1]":           false,
		"http://localhost:8080":         true,
		"https://[::ffff:10.1.2.3]":     false,
		"https://[::ffff:a01:203]":      false,
		"https://[fd00:1::1%25eth0]":    false,
		"https://[64:ff9b::10.1.2.3]":   false,
		"https://gov.example:22/health": false,
	} {
		err := g.Check(url)
		require.Equal(t, ok, err == nil, "%s: %v", url, err)
	}
}

func TestControlTakesOnlyTCP(t *testing.T) {
	var g Guard
	require.NoError(t, g.control(t.Context(), "tcp4", "9.9.9.9:443", nil))
	for _, c := range [][2]string{{"unix", "/run/x.sock"}, {"udp4", "9.9.9.9:443"}, {"tcp", "9.9.9.9:443"}, {"tcp4", "9.9.9.9"}, {"tcp4", "9.9.9.9:25"}, {"tcp4", "x:443"}} {
		require.ErrorIs(t, g.control(t.Context(), c[0], c[1], nil), ErrRefused, "%v", c)
	}
}
