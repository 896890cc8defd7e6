package fakediscourse

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// ErrHost is wrapped by every error of [Server.Client] for a request to a host that is no forum of the fake.
var ErrHost = errors.New("fakediscourse: the request left the forums")

// Options say how the fake begins. The zero value works.
type Options struct {
	// Now is the fake's clock; nil is time.Now. Nothing in the fake waits for time to pass by itself.
	Now func() time.Time
	// RateLimits makes requests fail with 429 by Discourse's default limits: 60 a minute for an API key, 20 a minute for a
	// user API key, and 50 in ten seconds or 200 a minute for an address.
	RateLimits bool
	// Judge is called for each request to a forum before it is handled. An error is answered as an invalid parameter,
	// and listed by [Server.Judged].
	Judge func(*http.Request) error
	// AckTimeout is how long a delivery waits for its answer; 0 is Discourse's 20 seconds. It is real time, not Now.
	AckTimeout time.Duration
}

// Server is a number of forums in your process. All methods may be called from any goroutine.
type Server struct {
	opt  Options
	http *httptest.Server

	stop   context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex // guards all below, and everything reachable from it
	forums []*Forum
	calls  []*Call

	judge  *fake.Judge
	net    *fake.Network
	faults *fake.Faults
	queue  *queue
}

// New starts a fake without a forum. Close it when done.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = 20 * time.Second
	}
	s := &Server{opt: o}
	s.stop, s.cancel = context.WithCancel(context.Background())
	s.judge = &fake.Judge{By: o.Judge}
	s.faults = fake.NewFaults(s.stop)
	s.queue = newQueue(s)
	s.http = httptest.NewServer(s)
	s.net = &fake.Network{URL: s.http.URL, Base: s.http.Client().Transport, Ours: s.isForumHost, Own: true, Outside: ErrHost}
	s.wg.Go(s.queue.Run)
	return s
}

// Close stops the server and its deliveries, and waits for them.
func (s *Server) Close() {
	s.cancel()
	s.http.CloseClientConnections()
	s.http.Close()
	s.wg.Wait()
}

// URL is the base of the fake's own HTTP server on 127.0.0.1, without a trailing slash. The first forum answers there too.
func (s *Server) URL() string { return s.http.URL }

// Client returns a client whose requests to the forums' hosts, by http or https, reach the fake.
// A request to any other host fails with an error that wraps [ErrHost] and is listed by [Server.Refused], so that a test sees
// a program that follows foreign URLs.
func (s *Server) Client() *http.Client { return s.net.Client() }

// Refused lists the URLs that clients of [Server.Client] asked for outside the forums, in order.
func (s *Server) Refused() []string { return s.net.Refused() }

func (s *Server) isForumHost(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forumOf(host) != nil
}

// forumOf finds a forum by its host, or by one that it moved away from. The caller holds s.mu.
func (s *Server) forumOf(host string) *Forum {
	for _, f := range s.forums {
		if strings.EqualFold(f.host, host) || strings.EqualFold(f.formerHost, host) {
			return f
		}
	}
	return nil
}

// ServeHTTP routes by the name that the client asked for; on the fake's own address the first forum is served.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	s.mu.Lock()
	f := s.forumOf(host)
	if f == nil && "http://"+r.Host == s.http.URL && len(s.forums) > 0 {
		f = s.forums[0]
	}
	prefix := ""
	if f != nil && host == f.host {
		prefix = f.prefix
	}
	s.mu.Unlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	http.StripPrefix(prefix, http.HandlerFunc(f.serve)).ServeHTTP(w, r)
}

// Now is the fake's time.
func (s *Server) Now() time.Time { return s.opt.Now() }
