package guard

import "net/netip"

// Why an address is refused.
const (
	isLoopback   = "it is this machine"
	isPrivate    = "it is in a private network"
	isLinkLocal  = "it is on the local link"
	isShared     = "it is in a provider's shared network"
	isNobody     = "it stands for no machine"
	isMulticast  = "it stands for many machines"
	isReserved   = "it is reserved"
	isExample    = "it is for examples and measurements"
	isTranslated = "it stands for another address"
	hasZone      = "it names a network interface"
)

// block is a range of addresses that are not of the public internet.
type block struct {
	prefix netip.Prefix
	why    string
}

// blocks are the ranges that the registries of special-purpose addresses do not call globally reachable
// (https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry), multicast, and what
// has been given up or stands for another address. The few parts of 192.0.0.0/24 and 2001::/23 that are globally reachable are
// anycast services, not web servers, and are refused with the rest. The first that holds an address says why.
var blocks = []block{
	{netip.MustParsePrefix("0.0.0.0/8"), isNobody},          // RFC 791; many systems take 0.0.0.0 for 127.0.0.1
	{netip.MustParsePrefix("10.0.0.0/8"), isPrivate},        // RFC 1918
	{netip.MustParsePrefix("100.64.0.0/10"), isShared},      // RFC 6598
	{netip.MustParsePrefix("127.0.0.0/8"), isLoopback},      // RFC 1122
	{netip.MustParsePrefix("169.254.0.0/16"), isLinkLocal},  // RFC 3927; 169.254.169.254 gives out a machine's credentials in most clouds
	{netip.MustParsePrefix("172.16.0.0/12"), isPrivate},     // RFC 1918
	{netip.MustParsePrefix("192.0.0.0/24"), isReserved},     // RFC 6890
	{netip.MustParsePrefix("192.0.2.0/24"), isExample},      // RFC 5737
	{netip.MustParsePrefix("192.88.99.0/24"), isReserved},   // RFC 7526: 6to4 relays, given up
	{netip.MustParsePrefix("192.168.0.0/16"), isPrivate},    // RFC 1918
	{netip.MustParsePrefix("198.18.0.0/15"), isExample},     // RFC 2544
	{netip.MustParsePrefix("198.51.100.0/24"), isExample},   // RFC 5737
	{netip.MustParsePrefix("203.0.113.0/24"), isExample},    // RFC 5737
	{netip.MustParsePrefix("224.0.0.0/4"), isMulticast},     // RFC 5771
	{netip.MustParsePrefix("240.0.0.0/4"), isReserved},      // RFC 1112, and 255.255.255.255
	{netip.MustParsePrefix("::/128"), isNobody},             // RFC 4291
	{netip.MustParsePrefix("::1/128"), isLoopback},          // RFC 4291
	{netip.MustParsePrefix("::/96"), isTranslated},          // RFC 4291: IPv4-compatible, given up
	{netip.MustParsePrefix("64:ff9b::/96"), isTranslated},   // RFC 6052: NAT64
	{netip.MustParsePrefix("64:ff9b:1::/48"), isTranslated}, // RFC 8215: NAT64 with local meaning
	{netip.MustParsePrefix("2001::/32"), isTranslated},      // RFC 4380: Teredo
	{netip.MustParsePrefix("2001::/23"), isReserved},        // RFC 2928: protocol assignments, benchmarking, ORCHID, DRIP
	{netip.MustParsePrefix("2001:db8::/32"), isExample},     // RFC 3849
	{netip.MustParsePrefix("2002::/16"), isTranslated},      // RFC 3056: 6to4
	{netip.MustParsePrefix("3ffe::/16"), isReserved},        // RFC 3701: 6bone, given up
	{netip.MustParsePrefix("3fff::/20"), isExample},         // RFC 9637
	{netip.MustParsePrefix("fc00::/7"), isPrivate},          // RFC 4193
	{netip.MustParsePrefix("fe80::/10"), isLinkLocal},       // RFC 4291
	{netip.MustParsePrefix("fec0::/10"), isPrivate},         // RFC 3879: site-local, given up
	{netip.MustParsePrefix("ff00::/8"), isMulticast},        // RFC 4291
}

// unicast is what of IPv6 is given out to machines on the internet (https://www.iana.org/assignments/ipv6-address-space); the rest is
// reserved or special, as 100::/64 (RFC 6666) and 5f00::/16 (RFC 9602) are.
var unicast = netip.MustParsePrefix("2000::/3")

// closed says why an address must not be connected to; "" if it may.
func (g *Guard) closed(ip netip.Addr) (why string) {
	switch {
	case !ip.IsValid():
		return isNobody
	case ip.Zone() != "":
		return hasZone
	case ip.Is4In6():
		return isTranslated // even where the network that it stands for is allowed: nobody has to write it so
	}
	for _, p := range g.Allow {
		if p.Contains(ip) {
			return ""
		}
	}
	for _, b := range blocks {
		if b.prefix.Contains(ip) {
			return b.why
		}
	}
	if ip.Is6() && !unicast.Contains(ip) {
		return isReserved
	}
	return ""
}
