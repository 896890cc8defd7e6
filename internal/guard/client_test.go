package guard

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serveOn is a server on one of the loopback addresses.
func serveOn(t *testing.T, ip string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp4", ip+":0")
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(h)
	require.NoError(t, s.Listener.Close())
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func allow(prefixes ...string) *Guard {
	g := &Guard{}
	for _, p := range prefixes {
		g.Allow = append(g.Allow, netip.MustParsePrefix(p))
	}
	return g
}

func get(t *testing.T, c *http.Client, u string) (*http.Response, error) {
	t.Helper()
	t.Cleanup(c.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	require.NoError(t, err)
	res, err := c.Do(r)
	if err == nil {
		t.Cleanup(func() { _ = res.Body.Close() })
	}
	return res, err
}

func TestLoopbackIsRefusedUnlessAllowed(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.example:3128") // is not asked
	var calls atomic.Int32
	s := serveOn(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	for _, c := range []*http.Client{new(Guard).Client(0), new(Guard).NoRedirects(0), allow("127.0.0.2/32").Client(0)} {
		_, err := get(t, c, s.URL+"/canary")
		require.ErrorIs(t, err, ErrRefused)
		_, err = get(t, c, strings.Replace(s.URL, "127.0.0.1", "2130706433", 1))
		require.ErrorIs(t, err, ErrRefused)
	}
	require.Zero(t, calls.Load())
	res, err := get(t, allow("127.0.0.0/8").Client(0), s.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func TestRedirectsAreCheckedToo(t *testing.T) {
	var inside atomic.Int32
	closed := serveOn(t, "127.0.0.2", func(http.ResponseWriter, *http.Request) { inside.Add(1) })
	var to string
	open := serveOn(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
	})
	g := allow("127.0.0.1/32")
	for _, to = range []string{closed.URL, "http://169.254.169.254/latest/meta-data", "http://0x7f000002/", "file:///etc/passwd", "http://u:p@127.0.0.1", "http://127.0.0.1:22/"} {
		_, err := get(t, g.Client(0), open.URL)
		require.ErrorIs(t, err, ErrRefused, to)
		res, err := get(t, g.NoRedirects(0), open.URL)
		require.NoError(t, err)
		require.Equal(t, http.StatusFound, res.StatusCode)
	}
	require.Zero(t, inside.Load())
	to = "/there"
	res, err := get(t, g.Client(0), open.URL)
	require.NoError(t, err)
	require.Equal(t, "/there", res.Request.URL.Path)
	to = "/"
	_, err = get(t, g.Client(0), open.URL)
	require.ErrorIs(t, err, ErrRefused, "no end of redirects")
}

func TestAnotherHostGetsNoCredentialsAndNoBody(t *testing.T) {
	var mu sync.Mutex
	var got []http.Header
	other := serveOn(t, "127.0.0.2", func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header)
	})
	first := serveOn(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	c := allow("127.0.0.0/8").Client(0)
	defer c.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, first.URL+"/canary", nil)
	require.NoError(t, err)
	r.Header.Set("Api-Key", "canary")
	r.Header.Set("Accept", "application/json")
	res, err := c.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Len(t, got, 1)
	require.Equal(t, "application/json", got[0].Get("Accept"))
	for _, values := range got[0] {
		require.NotContains(t, strings.Join(values, " "), "canary")
	}

	r, err = http.NewRequestWithContext(t.Context(), http.MethodPost, first.URL, strings.NewReader("canary"))
	require.NoError(t, err)
	_, err = c.Do(r)
	require.ErrorIs(t, err, ErrRefused)
	require.Len(t, got, 1)
}

func TestNoRedirectLeadsFromHTTPSToHTTP(t *testing.T) {
	from := &http.Request{URL: &url.URL{Scheme: "https", Host: "gov.example"}}
	to := &http.Request{URL: &url.URL{Scheme: "http", Host: "gov.example"}, Method: http.MethodGet}
	require.ErrorIs(t, hop(to, []*http.Request{from}), ErrRefused)
	to.URL.Scheme = "https"
	require.NoError(t, hop(to, []*http.Request{from}))
}

// nameServer answers every question for an IPv4 address with the next of its answers, and again with the last.
func nameServer(t *testing.T, answers ...[]string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for asked := 0; ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			q := buf[:n]
			end := 12 + bytes.IndexByte(q[12:], 0) + 5 // of the one question
			var ips []string
			if binary.BigEndian.Uint16(q[end-4:]) == 1 { // A
				ips = answers[min(asked, len(answers)-1)]
				asked++
			}
			out := append([]byte{q[0], q[1], 0x84, 0, 0, 1, 0, byte(len(ips)), 0, 0, 0, 0}, q[12:end]...)
			for _, ip := range ips {
				a := netip.MustParseAddr(ip).As4()
				out = append(append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), a[:]...)
			}
			_, _ = conn.WriteTo(out, from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}
}

func TestWhatANameResolvesToIsChecked(t *testing.T) {
	s := serveOn(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) {})
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	u := "http://rebind.example:" + port

	t.Run("an inner address", func(t *testing.T) {
		g := &Guard{Resolver: nameServer(t, []string{"127.0.0.1"})}
		require.NoError(t, g.Check(u), "Check does not resolve")
		_, err := get(t, g.Client(0), u)
		require.ErrorIs(t, err, ErrRefused)
		require.NotContains(t, errors.Unwrap(err).Error(), "127.0.0.1", "whoever asked does not learn what is inside")
	})
	t.Run("nothing", func(t *testing.T) {
		g := &Guard{Resolver: nameServer(t, nil)}
		_, err := get(t, g.Client(0), u)
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		require.True(t, dns.IsNotFound)
		require.Contains(t, err.Error(), "rebind.example")
		require.Empty(t, dns.Server)
		require.NotContains(t, err.Error(), " on ", "nor where it asks for names")
	})
	t.Run("one of several", func(t *testing.T) {
		g := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: nameServer(t, []string{"10.0.0.1", "169.254.169.254", "127.0.0.1"})}
		_, err := get(t, g.Client(0), u)
		require.NoError(t, err, "the others are passed over")
	})
	t.Run("an answer that changes", func(t *testing.T) {
		g := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: nameServer(t, []string{"127.0.0.1"}, []string{"127.0.0.2"})}
		c := g.Client(0)
		_, err := get(t, c, u)
		require.NoError(t, err)
		c.CloseIdleConnections()
		_, err = get(t, c, u)
		require.ErrorIs(t, err, ErrRefused)
	})
}

func TestEndpointsWithoutEndAreLeft(t *testing.T) {
	s := serveOn(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/silent": // no header ever
			<-r.Context().Done()
		case "/trickle": // a header, and a body that never comes
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<12)); err != nil {
					return
				}
			}
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeader))
		}
	})
	g := allow("127.0.0.1/32")
	_, err := get(t, g.Client(50*time.Millisecond), s.URL+"/silent")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = get(t, g.Client(0), s.URL+"/header")
	require.Error(t, err)
	res, err := get(t, g.Client(50*time.Millisecond), s.URL+"/trickle")
	require.NoError(t, err)
	_, err = ReadAll(res.Body, 100)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	res, err = get(t, g.Client(0), s.URL+"/endless")
	require.NoError(t, err)
	raw, err := ReadAll(res.Body, 1000)
	require.ErrorIs(t, err, ErrTooLong)
	require.Len(t, raw, 1000)
}

func TestReadAll(t *testing.T) {
	raw, err := ReadAll(strings.NewReader("four"), 4)
	require.NoError(t, err)
	require.Equal(t, "four", string(raw))
	raw, err = ReadAll(strings.NewReader("fours"), 4)
	require.ErrorIs(t, err, ErrTooLong)
	require.Equal(t, "four", string(raw))
	_, err = ReadAll(io.MultiReader(strings.NewReader("x"), broken{}), 4)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type via func(*http.Request) (*http.Response, error)

func (v via) RoundTrip(r *http.Request) (*http.Response, error) { return v(r) }

func TestAProxyOfTheOperatorsGetsOnlyWhatMayBeWritten(t *testing.T) {
	var asked []string
	g := &Guard{Via: via(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Host)
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"http://169.254.169.254/"}}, Body: http.NoBody, Request: r}, nil
	})}
	_, err := get(t, g.Client(0), "https://gov.example")
	require.ErrorIs(t, err, ErrRefused)
	_, err = get(t, g.NoRedirects(0), "http://10.0.0.1")
	require.ErrorIs(t, err, ErrRefused)
	require.Equal(t, []string{"gov.example"}, asked)
}
