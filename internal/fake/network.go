package fake

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Network is what a fake's clients are in: the platform's hosts are the fake, and there are no others. It is a [http.RoundTripper], whose
// fields are not changed after its first use. All methods may be called from any goroutine.
type Network struct {
	URL     string                 // of the fake's own HTTP server
	Base    http.RoundTripper      // reaches it
	Ours    func(host string) bool // whether a host, without a port, is the platform's
	Own     bool                   // URL itself may be asked for too
	Outside error                  // wrapped by the errors of all other requests

	mu      sync.Mutex
	refused []string
}

// Client returns a client that is in the network.
func (n *Network) Client() *http.Client { return &http.Client{Transport: n} }

// RoundTrip takes a request to the fake, which sees the host that was asked for. The answer's Request is the one that was made.
func (n *Network) RoundTrip(r *http.Request) (*http.Response, error) {
	if !n.Reaches(r.URL) {
		if r.Body != nil {
			r.Body.Close()
		}
		n.Refuse(r.URL.Scheme + "://" + r.URL.Host + r.URL.Path)
		return nil, fmt.Errorf("%w: host %q", n.Outside, r.URL.Host)
	}
	out := r.Clone(r.Context())
	out.Host = r.URL.Host
	out.URL.Scheme = "http"
	out.URL.Host = n.Address()
	res, err := n.Base.RoundTrip(out)
	if res != nil {
		res.Request = r
	}
	return res, err
}

// Reaches says whether the network has what the address names.
func (n *Network) Reaches(u *url.URL) bool {
	if u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	if n.Own && u.Host == n.Address() {
		return true
	}
	if p := u.Port(); p != "" && p != "80" && p != "443" {
		return false
	}
	return n.Ours(strings.ToLower(u.Hostname()))
}

// Address is the fake's host and port.
func (n *Network) Address() string { return strings.TrimPrefix(n.URL, "http://") }

// Refuse writes down what was asked for outside.
func (n *Network) Refuse(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refused = append(n.refused, what)
}

// Refused is what was asked for outside, in order.
func (n *Network) Refused() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.refused)
}
