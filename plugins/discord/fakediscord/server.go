package fakediscord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/metagov/gateway-go/internal/fake"
)

// ErrHost is wrapped by every error of [Server.Client] for a request to a host that is not Discord's.
var ErrHost = errors.New("fakediscord: the request left Discord")

// Options say how the fake begins. The zero value works.
type Options struct {
	// Now is the fake's clock; nil is time.Now. Nothing in the fake waits for time to pass by itself.
	Now func() time.Time
	// The app's credentials; generated, and different for each server, where empty. AppID is also the ID of the bot's user.
	AppID, ClientSecret, BotToken string
	// Seed of the app's Ed25519 key, 32 bytes; generated when empty.
	Seed []byte
	// RedirectURLs are the app's registered redirect URLs, compared whole as Discord does. Empty accepts any absolute URL.
	RedirectURLs []string
	// DisallowedIntents are privileged intents that are switched off in the developer portal: identifying with one closes with 4014.
	DisallowedIntents int
	// RequireCodeGrant is the bot's setting in the developer portal that it joins a guild only when the app has exchanged the code. Otherwise
	// it joins when the person agrees.
	RequireCodeGrant bool
	// HidePollResults leaves results out of polls that are not counted to the end, as Discord does now and then. It means
	// that they are unknown.
	HidePollResults bool
	// RateLimits makes requests fail with 429 by the limits that the headers tell in any case.
	RateLimits bool
	// Judge is called for each request to the API before it is handled. An error is answered as an invalid form,
	// and listed by [Server.Judged].
	Judge func(*http.Request) error
	// Heartbeat is the interval that the Gateway asks for; 0 is Discord's 41.25 s. The fake does not count missed ones.
	Heartbeat time.Duration
	// Shards is how many connections GET /gateway/bot advises; 0 is 1. Fewer are not refused.
	Shards int
	// AckTimeout is how long a delivery waits for its answer; 0 is Discord's 3 seconds. It is real time, not Now.
	AckTimeout time.Duration
}

// App holds the credentials of the one app that the fake knows.
type App struct {
	AppID, ClientID, ClientSecret, BotToken string
	// BotUser is the ID of the bot's user.
	BotUser string
	// PublicKey verifies interactions and webhook events: hexadecimal, as the developer portal shows it.
	PublicKey string
}

// Server is an in-process Discord with one app. All methods may be called from any goroutine.
type Server struct {
	opt  Options
	app  App
	key  ed25519.PrivateKey
	http *httptest.Server

	stop   context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex // guards all below, and everything reachable from it
	lastID   uint64
	botToken string
	users    map[string]*user
	guilds   []*Guild
	dms      map[string]*channel // by the other person
	dmByID   map[string]*channel
	tokens   map[string]*token
	refresh  map[string]*token
	codes    map[string]*oauthCode
	commands []*command
	hooks    map[string]*interaction // by token
	nonces   map[string]nonceUse
	calls    []*Call
	limits   map[string]*bucket
	global   bucket
	sessions []*session
	identify int // how many sessions were started
	moving   int // clients that are asked to reconnect first

	judge  *fake.Judge
	net    *fake.Network
	faults *fake.Faults
	queue  *queue
	conns  connections
}

// New starts a fake Discord. Close it when done.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = 3 * time.Second
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 41250 * time.Millisecond
	}
	s := &Server{
		opt: o, users: map[string]*user{}, dms: map[string]*channel{}, dmByID: map[string]*channel{}, tokens: map[string]*token{},
		refresh: map[string]*token{}, codes: map[string]*oauthCode{}, hooks: map[string]*interaction{},
		nonces: map[string]nonceUse{}, limits: map[string]*bucket{},
	}
	s.stop, s.cancel = context.WithCancel(context.Background())
	s.key = newKey(o.Seed)
	id := orElse(o.AppID, "900000000000000001")
	s.app = App{
		AppID: id, ClientID: id, BotUser: id,
		ClientSecret: orElse(o.ClientSecret, "fake-client-secret-"+secretText(8)),
		BotToken:     orElse(o.BotToken, "fake-bot-token-"+secretText(12)),
		PublicKey:    hex.EncodeToString(s.key.Public().(ed25519.PublicKey)),
	}
	s.botToken = s.app.BotToken
	s.users[id] = &user{id: id, name: "gateway", bot: true}
	s.judge = &fake.Judge{By: o.Judge}
	s.faults = fake.NewFaults(s.stop)
	s.queue = newQueue(s)
	s.conns.open = map[*conn]bool{}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.net = &fake.Network{URL: s.http.URL, Base: s.http.Client().Transport, Ours: isDiscordHost, Outside: ErrHost}
	s.wg.Go(s.queue.Run)
	return s
}

func newKey(seed []byte) ed25519.PrivateKey {
	if len(seed) == ed25519.SeedSize {
		return ed25519.NewKeyFromSeed(seed)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil { // crypto/rand never fails since Go 1.24
		return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	}
	return key
}

// Close stops the server, its sockets and its deliveries, and waits for them.
func (s *Server) Close() {
	s.cancel()
	s.conns.closeAll()
	s.http.CloseClientConnections()
	s.http.Close()
	s.wg.Wait()
}

// URL is the base of the fake's own HTTP server on 127.0.0.1, without a trailing slash. The API is below URL()+"/api/v10".
func (s *Server) URL() string { return s.http.URL }

// App returns the app's credentials. BotToken is the one of now, after [Server.ResetBotToken] a new one.
func (s *Server) App() App {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.app
	a.BotToken = s.botToken
	return a
}

// ResetBotToken makes a new bot token, as the developer portal does: the old one is refused from now on, with 401 and, on the
// Gateway, 4004. Open connections to the Gateway are closed with 4004.
func (s *Server) ResetBotToken() string {
	s.mu.Lock()
	s.botToken = "fake-bot-token-" + secretText(12)
	text := s.botToken
	s.sessions = nil
	s.mu.Unlock()
	s.Disconnect(4004)
	return text
}

// Client returns a client whose requests to discord.com and its subdomains, by http or https, reach the fake.
// A request to any other host fails with an error that wraps [ErrHost] and is listed by [Server.Refused], so that a test sees
// a program that follows foreign URLs.
func (s *Server) Client() *http.Client { return s.net.Client() }

// Dialer returns a dialer for the Gateway: wss://gateway.discord.gg and its like reach the fake, other hosts fail
// with [ErrHost]. For discordgo, set Session.Dialer.
func (s *Server) Dialer() *websocket.Dialer {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		own := addr == s.net.Address()
		if err != nil || !own && !isDiscordHost(strings.ToLower(host)) {
			s.net.Refuse("wss://" + addr)
			return nil, fmt.Errorf("%w: host %q", ErrHost, addr)
		}
		var d net.Dialer
		return d.DialContext(ctx, network, s.net.Address())
	}
	// A connection by NetDialTLSContext counts as encrypted already: wss works without a certificate.
	return &websocket.Dialer{NetDialContext: dial, NetDialTLSContext: dial, HandshakeTimeout: 10 * time.Second}
}

// Refused lists the URLs that clients of [Server.Client] and [Server.Dialer] asked for outside Discord, in order.
func (s *Server) Refused() []string { return s.net.Refused() }

func isDiscordHost(host string) bool {
	return host == "discord.com" || strings.HasSuffix(host, ".discord.com") || strings.HasSuffix(host, ".discord.gg")
}

// serve routes by path; the Gateway is on hosts of its own, and on the fake's address at /gateway.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	switch p := r.URL.Path; {
	case websocket.IsWebSocketUpgrade(r):
		s.serveGateway(w, r)
	case strings.HasPrefix(p, "/api/"):
		s.serveAPI(w, r)
	case p == "/oauth2/authorize":
		// A person decides here; Server.Authorize plays that person.
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!DOCTYPE html><title>Discord</title><p>Call Server.Authorize to agree or deny.</p>")
	default:
		http.NotFound(w, r)
	}
}
