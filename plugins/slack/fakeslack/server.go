package fakeslack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// ErrHost is wrapped by every error of [Server.Client] for a request to a host that is not Slack's.
var ErrHost = errors.New("fakeslack: the request left Slack")

// Options say how the fake begins. The zero value works.
type Options struct {
	// Now is the fake's clock; nil is time.Now. Nothing in the fake waits for time to pass by itself.
	Now func() time.Time
	// The app's credentials; generated, and different for each server, where empty.
	AppID, ClientID, ClientSecret, SigningSecret string
	// VerificationToken is the legacy "token" field of payloads; generated when empty.
	VerificationToken string
	// RedirectURLs are the app's registered redirect URLs; a redirect_uri must start with one of them.
	// Empty accepts any absolute URL.
	RedirectURLs []string
	// TokenRotation makes oauth.v2.access hand out tokens that expire after 12 hours, with refresh tokens.
	TokenRotation bool
	// RateLimits makes the Web API answer 429 by Slack's tiers, and chat.postMessage once a second for each channel.
	RateLimits bool
	// Strict refuses arguments that a method does not know with invalid_arguments.
	// Slack mostly ignores them; they are recorded in Call.Problems either way.
	Strict bool
	// AckTimeout is how long a delivery waits for its answer; 0 is Slack's 3 seconds. It is real time, not Now.
	AckTimeout time.Duration
}

// App holds the credentials of the one app that the fake knows.
type App struct {
	AppID, ClientID, ClientSecret, SigningSecret string
	// AppToken is the app-level token for apps.connections.open (Socket Mode).
	AppToken string
	// VerificationToken is the legacy "token" field of every payload.
	VerificationToken string
}

// Server is an in-process Slack with one app. All methods may be called from any goroutine.
type Server struct {
	opt  Options
	app  App
	http *httptest.Server

	stop   context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu          sync.Mutex // guards all below, and everything reachable from it
	seq         int64
	lastTS      int64
	workspaces  []*Workspace
	enterprises map[string]string
	tokens      map[string]*token
	refresh     map[string]*token
	codes       map[string]*oauthCode
	calls       []*Call
	limits      map[string][]time.Time
	triggers    map[string]*trigger
	hooks       map[string]*responseHook

	keys   signingKeys
	net    *fake.Network
	faults *fake.Faults
	queue  *queue
	sock   *sockets
}

// New starts a fake Slack. Close it when done.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = 3 * time.Second
	}
	s := &Server{
		opt: o, enterprises: map[string]string{}, tokens: map[string]*token{}, refresh: map[string]*token{},
		codes: map[string]*oauthCode{}, limits: map[string][]time.Time{},
		triggers: map[string]*trigger{}, hooks: map[string]*responseHook{},
	}
	s.stop, s.cancel = context.WithCancel(context.Background())
	s.app = App{
		AppID:             orElse(o.AppID, "A0FAKE"+strings.ToUpper(secretText(3))),
		ClientID:          orElse(o.ClientID, "fake-client-"+secretText(4)),
		ClientSecret:      orElse(o.ClientSecret, "fake-client-secret-"+secretText(8)),
		SigningSecret:     orElse(o.SigningSecret, "fake-signing-secret-"+secretText(8)),
		VerificationToken: orElse(o.VerificationToken, "fake-verification-"+secretText(6)),
	}
	app := &token{kind: kindApp, scopes: []string{"connections:write", "authorizations:read"}, text: "xapp" + "-fake-" + secretText(8)}
	s.app.AppToken = app.text
	s.tokens[app.text] = app
	s.faults = fake.NewFaults(s.stop)
	s.queue = newQueue(s)
	s.sock = newSockets(s)
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.net = &fake.Network{URL: s.http.URL, Base: s.http.Client().Transport, Ours: isSlackHost, Outside: ErrHost}
	s.wg.Go(s.queue.Run)
	return s
}

// Close stops the server, its sockets and its deliveries, and waits for them.
func (s *Server) Close() {
	s.cancel()
	s.sock.closeAll()
	s.http.CloseClientConnections()
	s.http.Close()
	s.wg.Wait()
}

// URL is the base of the fake's own HTTP server on 127.0.0.1, without a trailing slash. The Web API is below URL()+"/api/".
func (s *Server) URL() string { return s.http.URL }

// App returns the app's credentials.
func (s *Server) App() App { return s.app }

// Client returns a client whose requests to slack.com, www.slack.com and hooks.slack.com, by http or https, reach the fake.
// A request to any other host fails with an error that wraps [ErrHost] and is listed by [Server.Refused], so that a test sees
// a program that follows foreign URLs.
func (s *Server) Client() *http.Client { return s.net.Client() }

// Refused lists the URLs that clients of [Server.Client] asked for outside Slack, in order.
func (s *Server) Refused() []string { return s.net.Refused() }

func isSlackHost(host string) bool {
	return host == "slack.com" || host == "www.slack.com" || host == "hooks.slack.com"
}

// serve routes by the name that the client asked for; on the fake's own address every path is served.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	hooks := host == "hooks.slack.com"
	own := !strings.HasSuffix(host, "slack.com")
	switch p := r.URL.Path; {
	case (hooks || own) && isHookPath(p):
		s.serveHook(w, r)
	case hooks:
		http.NotFound(w, r)
	case strings.HasPrefix(p, "/api/"):
		s.serveAPI(w, r, strings.TrimPrefix(p, "/api/"))
	case p == "/oauth/v2/authorize" || p == "/openid/connect/authorize":
		// A person decides here; Server.Authorize plays that person.
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!DOCTYPE html><title>Slack</title><p>Call Server.Authorize to agree or deny.</p>")
	case p == "/openid/connect/keys":
		s.serveKeys(w)
	case p == "/.well-known/openid-configuration":
		s.serveOpenIDConfig(w)
	case own && p == "/link":
		s.sock.serve(w, r)
	default:
		http.NotFound(w, r)
	}
}
