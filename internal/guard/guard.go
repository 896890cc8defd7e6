// Package guard stands before every address that a configuration or a delivery names: whoever names one must not have the gateway
// ask for something inside the network that it runs in (server-side request forgery).
//
// What counts is the address that is connected to, not the name that stands in the URL: it is looked at after the name was resolved, for
// each address of an answer and for each hop of a redirect, so that a name whose answer changes gains nothing.
package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrRefused is what errors.Is finds in the error of everything that a guard did not let through.
var ErrRefused = errors.New("refused")

// The bounds of what a guarded client spends on an endpoint.
const (
	maxHops     = 5
	maxHeader   = 64 << 10
	dialTimeout = 10 * time.Second
	headerWait  = 30 * time.Second
	idleTime    = 30 * time.Second
	defaultTime = 30 * time.Second // of a client that was asked for without a timeout
)

// refusal says why something was refused. It names the host as it was asked for and never the address that it resolved to: whoever
// reads the error must not learn the names of a network that is closed to them. The rest of a URL may be a capability and is left out.
type refusal struct{ host, why string }

func (r *refusal) Error() string {
	if r.host == "" {
		return "the address is refused: " + r.why
	}
	return fmt.Sprintf("the address at %.260q is refused: %s", r.host, r.why)
}

func (r *refusal) Is(target error) bool { return target == ErrRefused }

// Guard lets connections out to public addresses, and to what the operator allows. The zero value allows no exceptions. Safe for
// concurrent use once it is not changed any more.
type Guard struct {
	Allow    []netip.Prefix // networks that are not public and may be reached all the same
	Resolver *net.Resolver  // nil: the system's; for tests

	// Via carries the requests instead of connections of the guard's own. URLs are checked as they are written, in redirects too; where
	// names lead is then for Via to look at.
	Via http.RoundTripper
}

// Client makes a client that calls what the guard lets through. timeout bounds a whole exchange, the body included; 0 is 30 seconds. Up to
// five redirects are followed, each checked as the first address is: never from https to http, never with a body to another host, and
// another host gets none of the headers that may carry a credential. The client has connections of its own and asks no proxy. Make
// one and keep it.
func (g *Guard) Client(timeout time.Duration) *http.Client {
	c := g.NoRedirects(timeout)
	c.CheckRedirect = hop
	return c
}

// NoRedirects is Client whose redirects are not followed: the answer with the redirect is returned as it is.
func (g *Guard) NoRedirects(timeout time.Duration) *http.Client {
	if timeout <= 0 {
		timeout = defaultTime
	}
	next := g.Via
	if next == nil {
		next = g.connections(timeout)
	}
	return &http.Client{
		Timeout:       timeout,
		Transport:     &transport{g, next},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (g *Guard) connections(timeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // a proxy would resolve and connect where the guard cannot look
		DialContext:            g.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  min(timeout, headerWait),
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        idleTime,
		ForceAttemptHTTP2:      true,
	}
}

// transport looks at every request's URL, that of a redirect's too.
type transport struct {
	g    *Guard
	next http.RoundTripper
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.g.check(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the contract of http.RoundTripper
		}
		return nil, err
	}
	return t.next.RoundTrip(r)
}

// CloseIdleConnections is found by the method of http.Client of this name.
func (t *transport) CloseIdleConnections() {
	if own, ok := t.next.(*http.Transport); ok && t.g.Via == nil {
		own.CloseIdleConnections()
	}
}

// hop decides whether a redirect is followed.
func hop(r *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case len(via) > maxHops:
		return &refusal{via[0].URL.Hostname(), "it redirects more than " + strconv.Itoa(maxHops) + " times"}
	case last.URL.Scheme == "https" && r.URL.Scheme != "https":
		return &refusal{r.URL.Hostname(), "a redirect leads there from https"}
	}
	if !slices.ContainsFunc(via, func(v *http.Request) bool { return origin(v.URL) != origin(r.URL) }) {
		return nil
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &refusal{r.URL.Hostname(), "a redirect from another host would bring it a request that is not its own"}
	}
	// net/http takes out only the headers that it knows. What carries a credential has many names (Api-Key, PRIVATE-TOKEN), and
	// the Referer is the address that was asked first.
	for name := range r.Header {
		switch name {
		case "Accept", "Accept-Language", "Accept-Encoding", "User-Agent", "Content-Type":
		default:
			r.Header.Del(name)
		}
	}
	return nil
}

func origin(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

// dial connects to what the name resolves to, if it may.
func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &refusal{"", "it has no port"}
	}
	d := net.Dialer{Timeout: dialTimeout, Resolver: g.Resolver, ControlContext: g.control}
	c, err := d.DialContext(ctx, network, address)
	var r *refusal
	if errors.As(err, &r) {
		return nil, &refusal{host, r.why} // without the address that stands in the dialer's error
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		clean := *dns
		clean.Server = "" // a resolver is of the network inside, too
		return nil, &net.OpError{Op: "dial", Net: network, Err: &clean}
	}
	return c, err
}

// control is called by the dialer for each address that it is about to connect to.
func (g *Guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return &refusal{"", "it is not reached by TCP"}
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &refusal{"", "it is not an address of the internet"}
	}
	if why := g.closed(ap.Addr()); why != "" {
		return &refusal{"", why}
	}
	if !sensible(ap.Port()) {
		return &refusal{"", badPort}
	}
	return nil
}

// Check looks at an address when it is configured: http or https, a host, no user or password in it, a port that web servers use, and if
// the host is written as an address, one that may be reached. It does not resolve names, so that whoever connects still has to use a client of
// this guard's. The error is an ErrRefused.
func (g *Guard) Check(rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return &refusal{"", "it is not a URL"} // the parser's error repeats it
	}
	return g.check(u)
}

func (g *Guard) check(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return &refusal{"", "want a URL that begins with https:// or http://"}
	case u.User != nil:
		return &refusal{host, "a user or password must not stand in it"}
	case host == "":
		return &refusal{"", "it names no host"}
	}
	if why := g.host(host, strings.HasPrefix(u.Host, "[")); why != "" {
		return &refusal{host, why}
	}
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return &refusal{host, badPort}
		}
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || !sensible(uint16(n)) {
		return &refusal{host, badPort}
	}
	return nil
}

const badPort = "web servers have port 80, 443 or one from 1024 on"

// sensible leaves out the ports of what is not a web server and could be talked into something by a request (SMTP, SSH, DNS).
func sensible(port uint16) bool { return port == 80 || port == 443 || port >= 1024 }

// host says why a host as it stands in a URL is refused, "" if it is not. Names are not resolved.
func (g *Guard) host(host string, brackets bool) (why string) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Is6() != brackets {
			return "it is not written as an address is"
		}
		return g.closed(ip)
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if brackets || len(name) > 253 {
		return "it is neither a name nor an address"
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			// Others are not refused for what they are: what they are mapped to (the digit １ is) has to be seen.
			return "a name has letters, digits, hyphens and dots; write others in their form with xn--"
		}
	}
	last := labels[len(labels)-1]
	if numeric(last) {
		return "write an address in four decimal numbers" // 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to some resolvers
	}
	if last == "localhost" && g.closed(netip.AddrFrom4([4]byte{127, 0, 0, 1})) != "" && g.closed(netip.IPv6Loopback()) != "" {
		return isLoopback // RFC 6761, section 6.3
	}
	return ""
}

// numeric reports whether a name that ends in this label is an address in disguise
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func numeric(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}
