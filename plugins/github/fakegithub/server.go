package fakegithub

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// ErrHost is wrapped by every error of [Server.Client] for a request to a host that is not GitHub's.
var ErrHost = errors.New("fakegithub: the request left GitHub")

// Options say how the fake begins. The zero value works.
type Options struct {
	// Now is the fake's clock; nil is time.Now. Nothing in the fake waits for time to pass by itself.
	Now func() time.Time
	// Slug is the last part of the app's address; empty is town-app. Its bot is Slug[bot].
	Slug string
	// Key is the app's; nil makes one, which takes a moment. Tests may share one.
	Key *rsa.PrivateKey
	// The app's credentials; generated, and different for each server, where empty.
	ClientID, ClientSecret, WebhookSecret string
	// CallbackURLs are the app's, for people who install it or log in; a redirect_uri must be one of them, or below one. Empty accepts
	// any absolute URL. An installation comes back to the first.
	CallbackURLs []string
	// NoAuthorization is the app's setting "Request user authorization (OAuth) during installation", switched off:
	// installations then come back without a code.
	NoAuthorization bool
	// Form delivers webhooks as forms instead of JSON.
	Form bool
	// RateLimit is how many requests an installation or a person has in an hour; 0 is GitHub's 5,000.
	RateLimit int
	// Judge is called for each request to the API before it is handled. An error is answered as a failed validation, and
	// listed by [Server.Judged].
	Judge func(*http.Request) error
	// AckTimeout is how long a delivery waits for its answer; 0 is GitHub's 10 seconds. It is real time, not Now.
	AckTimeout time.Duration
}

// App holds the credentials of the one app that the fake knows.
type App struct {
	ID            int64
	Slug          string
	PrivateKey    string // PEM, PKCS #1
	ClientID      string
	ClientSecret  string
	WebhookSecret string
}

// Server is an in-process GitHub with one app. All methods may be called from any goroutine.
type Server struct {
	opt  Options
	app  App
	key  *rsa.PrivateKey
	http *httptest.Server

	stop   context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex // guards all below, and everything reachable from it
	lastID   int64
	started  time.Time
	bot      *account
	accounts map[string]*account // by login, in lower case
	orgs     []*Org
	repos    []*Repo
	installs []*installation
	tokens   map[string]*token
	refresh  map[string]*token
	codes    map[string]*oauthCode
	limits   map[string]*bucket
	calls    []*Call
	emails   bool // the app has the account permission for addresses

	judge  *fake.Judge
	net    *fake.Network
	faults *fake.Faults
	queue  *queue
}

// New starts a fake GitHub. Close it when done.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = 10 * time.Second
	}
	if o.RateLimit <= 0 {
		o.RateLimit = 5000
	}
	s := &Server{
		opt: o, key: o.Key, lastID: 1000, started: o.Now(), accounts: map[string]*account{}, tokens: map[string]*token{}, refresh: map[string]*token{},
		codes: map[string]*oauthCode{}, limits: map[string]*bucket{},
	}
	if s.key == nil {
		s.key = newKey()
	}
	s.stop, s.cancel = context.WithCancel(context.Background())
	s.app = App{
		ID: 900001, Slug: orElse(o.Slug, "town-app"),
		PrivateKey:    string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(s.key)})),
		ClientID:      orElse(o.ClientID, "Iv23fake"+randomText(6)),
		ClientSecret:  orElse(o.ClientSecret, "fake-client-secret-"+randomText(8)),
		WebhookSecret: orElse(o.WebhookSecret, "fake-webhook-secret-"+randomText(8)),
	}
	s.bot = s.addAccount(s.app.Slug+"[bot]", "Bot")
	s.judge = &fake.Judge{By: o.Judge}
	s.faults = fake.NewFaults(s.stop)
	s.queue = newQueue(s, s.app.WebhookSecret)
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.net = &fake.Network{URL: s.http.URL, Base: s.http.Client().Transport, Ours: isGitHubHost, Outside: ErrHost}
	s.wg.Go(s.queue.Run)
	return s
}

// newKey makes an RSA key. crypto/rand never fails since Go 1.24, and the size is one that is allowed, so that there is no error to give.
func newKey() *rsa.PrivateKey {
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	return key
}

// Close stops the server and its deliveries, and waits for them.
func (s *Server) Close() {
	s.cancel()
	s.http.CloseClientConnections()
	s.http.Close()
	s.wg.Wait()
}

// URL is the base of the fake's own HTTP server on 127.0.0.1, without a trailing slash. The API and the login are both below it.
func (s *Server) URL() string { return s.http.URL }

// App returns the app's credentials.
func (s *Server) App() App { return s.app }

// Client returns a client whose requests to github.com and api.github.com, by http or https, reach the fake.
// A request to any other host fails with an error that wraps [ErrHost] and is listed by [Server.Refused], so that a test sees
// a program that follows foreign URLs.
func (s *Server) Client() *http.Client { return s.net.Client() }

// Refused lists the URLs that clients of [Server.Client] asked for outside GitHub, in order.
func (s *Server) Refused() []string { return s.net.Refused() }

func isGitHubHost(host string) bool { return host == "github.com" || host == "api.github.com" }

// serve routes by the name that the client asked for; on the fake's own address every path is served.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	site := strings.HasPrefix(r.URL.Path, "/login/") || strings.HasPrefix(r.URL.Path, "/apps/")
	switch {
	case host == "github.com", host != "api.github.com" && site:
		s.serveSite(w, r)
	default:
		s.serveAPI(w, r)
	}
}

// orElse is the first of two texts that is not empty.
func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// randomText is n random bytes in hexadecimal.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return fmt.Sprintf("%x", b)
}

func text(n int64) string { return strconv.FormatInt(n, 10) }
