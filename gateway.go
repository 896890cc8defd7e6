package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	netguard "github.com/metagov/gateway-go/internal/guard"
	"github.com/metagov/gateway-go/internal/pace"
	"github.com/metagov/gateway-go/store"
)

// Options configure a [Gateway]. The zero value works: it keeps everything in gateway.db and knows no plugin.
type Options struct {
	// Store keeps what must not be forgotten. Nil: SQLite in the file gateway.db of the working directory; Close closes it then.
	Store store.Store
	// Plugins are the platforms and tools that communities may enable.
	Plugins []Plugin
	// ClaimSources are asked what they know of people, see [Community.ReadClaims].
	ClaimSources []ClaimSource
	// KeyOwner says whether a public key is a full access key of an account on a network: without it a signed challenge says something of the key alone.
	// A key with limited access does not do: programs hold such keys, not people. It is called by [Community.AnswerChallenge], never in a
	// transaction. Nil: nobody can say.
	KeyOwner func(ctx context.Context, network, account, key string) (bool, error)
	// PublicURL is where platforms and browsers reach [Gateway.Handler], prefix included: https://gov.example/gateway.
	// Without it everything works that nobody outside has to reach; what needs it refuses.
	PublicURL string
	// Seal seals secrets in the store, see [NewSeal]. Without it a configuration with a secret is refused.
	Seal AEAD
	// OAuth says who may install and log in, and where browsers may be sent afterwards.
	OAuth OAuthOptions
	// Log hears what went wrong and what was decided. Nil: slog.Default().
	Log *slog.Logger
	// HTTP carries the plugins' calls to platforms. Nil: a client with a timeout of 30 seconds.
	HTTP *http.Client
	// Tracer gets a span for each delivery, callback, action, step of a process, task and request to a platform, and Meter counts and measures
	// them, by OpenTelemetry. What follows from one delivery, or one action, is one trace, whose ID is made from it: use a sampler that
	// decides by the trace's ID. Nil: nothing is traced, or measured.
	Tracer trace.TracerProvider
	Meter  metric.MeterProvider
	// Reach are networks that are not public and that may all the same be reached by addresses which a configuration or a delivery names, and
	// by outgoing hooks: servers beside this one. All others that are not public are refused, see [Instance.Guarded].
	Reach []netip.Prefix
	// Egress carries the calls of [Instance.Guarded] and outgoing hooks in place of connections of the gateway's own: a proxy that guards by
	// itself, or a test's fake. Addresses are still checked as they are written; where names lead is then its business. Nil: the
	// gateway connects by itself, to what is public or in Reach.
	Egress http.RoundTripper
	// Now is the wall clock. Nil: the system's, which is asked once by [New]: from then on time is counted by a steady clock, so that
	// a wall clock that jumps moves no vote's end. A jump is logged, and the program takes the other time when it is started again. A clock that
	// is given here without Steady is believed as it is: for tests.
	Now func() time.Time
	// Steady is a clock that only counts, from any beginning, also while the machine is suspended. Nil: the system's, if Now is nil too.
	Steady func() time.Duration
	// Timeout bounds one action or one step of a process that says nothing else. 0: 30 seconds.
	Timeout time.Duration
	// CallbackTimeout ends the context of a callback that runs longer. 0: one minute.
	CallbackTimeout time.Duration
	// Workers is how many due tasks, and how many communities' callbacks of one name, run at the same time; some more keep time. One
	// community's tasks have three quarters of them at the most. 0: 16.
	Workers int
	// HookTimeout is how long an endpoint of outgoing hooks may take to answer. 0: 15 seconds.
	HookTimeout time.Duration
	// PollEvery is how often polls are run at the most, and processes looked at that read their platform, by plugin ("slack") or by plugin
	// and name ("slack/fresh-token"), which goes before: where the operator wants it less often than the plugin does. A community can
	// have it less often still, see [Settings].
	PollEvery map[string]time.Duration
	// MaxBody is the size in bytes above which a delivery is refused. 0: 1 MiB.
	MaxBody int64
	// MaxParked is how many deliveries of up to 64 KiB wait for one unknown workspace or one paused instance, and a tenth of how many wait
	// in all. More are dropped, and logged, as are larger ones; those that have waited for longer than Retain are forgotten. 0: 1,000.
	MaxParked int
	// Retain is how long events, deliveries, calls and ended processes are kept; at least seven days, or a platform's repeated delivery could count
	// twice. Events that a subscription has not heard are kept longer. 0: 30 days.
	Retain time.Duration
	// RetainAudit is how long the entries of audit records are kept. 0: for ever.
	RetainAudit time.Duration
}

// Gateway stands between drivers and platforms. Make one with [New], mount [Gateway.Handler], run [Gateway.Run]. All methods may be called from any
// goroutine.
type Gateway struct {
	o       Options
	store   store.Store
	ours    bool // the store is ours to close
	log     *slog.Logger
	reach   *netguard.Guard // before addresses that others name
	out     clients
	pacer   *pace.Pacer
	clock   *timekeeper
	public  *url.URL
	hooks   *hooks
	plugins map[string]*plug
	listed  []*plug // the same, in the order of Options.Plugins

	mu     sync.Mutex
	opened recent[*opened]     // by instance
	hung   map[string]hang     // instances whose code has hung
	subs   map[string]*sub     // by name
	asks   map[string]*asked   // voting standards of running processes, by process
	states map[string]*decoded // states of processes that receive, by process
	beaten time.Time           // when it was last noted that this program runs
	lastID uint64              // of a delivery
	mends  *slots              // bounds the repairs that run at once
	lasts  *slots              // bounds the last looks at processes, which are done by workers that keep time
	vitals vitals              // see health.go
	hands  hands               // see hands.go
	sight  *sight              // nil: nobody watches
	wake   chan struct{}       // closed and replaced when something may be due or new
}

// New makes a gateway. It opens the store, compiles the plugins' schemas and starts nothing: see [Gateway.Run].
func New(o Options) (*Gateway, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 30 * time.Second}
	}
	o.Timeout = positive(o.Timeout, 30*time.Second)
	o.CallbackTimeout = positive(o.CallbackTimeout, time.Minute)
	o.HookTimeout = positive(o.HookTimeout, 15*time.Second)
	o.Workers = positive(o.Workers, 16)
	o.MaxBody = positive(o.MaxBody, 1<<20)
	o.MaxParked = positive(o.MaxParked, 1000)
	o.Retain = max(positive(o.Retain, 30*24*time.Hour), 7*24*time.Hour)
	g := &Gateway{
		o: o, store: o.Store, log: slog.New(correlated{o.Log.Handler()}), reach: &netguard.Guard{Allow: o.Reach, Via: o.Egress}, clock: newTimekeeper(o.Now, o.Steady),
		plugins: map[string]*plug{}, opened: recent[*opened]{most: maxOpened}, hung: map[string]hang{}, subs: map[string]*sub{},
		asks: map[string]*asked{}, wake: make(chan struct{}), mends: newSlots(o.Workers / 4), lasts: newSlots(o.Workers / 4),
	}
	var err error
	if g.sight, err = g.newSight(o.Tracer, o.Meter); err != nil {
		return nil, err
	}
	g.out = newClients(o, g.reach, g.sight)
	g.hooks = newHooks(g.reach, o.HookTimeout, g.sight)
	g.pacer = pace.New(&paceClock{timekeeper: g.clock})
	if o.PublicURL != "" {
		u, err := url.Parse(o.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
			return nil, Errorf(Invalid, "Options.PublicURL %q: want http(s)://host[/prefix]", o.PublicURL)
		}
		g.public = u
	}
	if err := o.OAuth.check(); err != nil {
		return nil, err
	}
	if err := checkSources(o.ClaimSources); err != nil {
		return nil, err
	}
	if bad := checkPace(o.PollEvery); len(bad) > 0 {
		return nil, &Error{Code: Invalid, Fields: bad}
	}
	for _, p := range o.Plugins {
		pl, err := compile(p)
		if err != nil {
			return nil, err
		}
		if g.plugins[pl.m.Name] != nil {
			return nil, Errorf(Invalid, "plugin %s stands twice in Options.Plugins", pl.m.Name)
		}
		g.plugins[pl.m.Name] = pl
		g.listed = append(g.listed, pl)
	}
	if g.store == nil {
		s, err := defaultStore()
		if err != nil {
			return nil, storeError(err, "opening the default store")
		}
		g.store, g.ours = s, true
	}
	return g, nil
}

// Close lets go of the store if it is the gateway's own. Call it after Run has returned.
func (g *Gateway) Close() error {
	g.out.guarded.CloseIdleConnections()
	if !g.ours {
		return nil
	}
	return storeError(g.store.Close(), "closing the store")
}

// now is the time, in the precision in which it is kept.
func (g *Gateway) now() time.Time { return g.clock.now() }

// publicURL joins the public address with a path. It refuses when there is none.
func (g *Gateway) publicURL(path string) (string, error) {
	if g.public == nil {
		return "", Errorf(Invalid, "Options.PublicURL is not set, so nobody outside can reach %s", path)
	}
	return strings.TrimSuffix(g.public.String(), "/") + path, nil
}

// scope is what the gateway hangs on a context while it runs a plugin's code.
type scope struct {
	tx       store.Tx // not nil inside a transaction
	delivery string   // what is being handled
	cause    string   // the call of ours that this delivery is the echo of
	call     *Call    // the durable call under way
	trail    trail    // what this follows from
	forgets  *forgets // what of the delivery is not to be kept
	fence    *fence   // of the plugin's code inside a transaction
	held     bool     // it is our code that runs, and has the fence's transaction
}

type scopeKey struct{}

func scopeOf(ctx context.Context) scope {
	s, _ := ctx.Value(scopeKey{}).(scope)
	return s
}

func withScope(ctx context.Context, s scope) context.Context {
	if s.tx != nil {
		ctx = store.Nested(ctx)
	}
	switch {
	case s.trail != trail{}:
	case s.delivery != "":
		s.trail.id = s.delivery // whatever found it
	default:
		s.trail = scopeOf(ctx).trail
	}
	return context.WithValue(ctx, scopeKey{}, s)
}

// update runs fn in the transaction that ctx is in, or in one of its own.
func (g *Gateway) update(ctx context.Context, fn func(store.Tx) error) error {
	if s := scopeOf(ctx); s.tx != nil {
		return s.inside(fn)
	}
	return g.store.Update(ctx, fn)
}

// view is update for reading.
func (g *Gateway) view(ctx context.Context, fn func(store.Tx) error) error {
	if s := scopeOf(ctx); s.tx != nil {
		return s.inside(fn)
	}
	return g.store.View(ctx, fn)
}

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID makes an identifier that sorts by time and cannot be guessed: 48 bits of milliseconds, 80 random bits.
func newID(prefix string) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(time.Now().UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails, see crypto/rand
	return prefix + idEncoding.EncodeToString(b[:])
}

// deliveryID makes an identifier that sorts after those that this gateway has made before: deliveries that wait are taken up in
// the order in which they came.
func (g *Gateway) deliveryID() string {
	g.mu.Lock()
	g.lastID = max(g.lastID+1, uint64(time.Now().UnixMilli())<<16)
	n := g.lastID
	g.mu.Unlock()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], n)
	_, _ = rand.Read(b[8:])
	return "d" + idEncoding.EncodeToString(b[:])
}

// newToken makes 160 random bits, for what is a secret as long as nobody has seen it.
func newToken() string {
	var b [20]byte
	_, _ = rand.Read(b[:])
	return idEncoding.EncodeToString(b[:])
}

func positive[N int | int64 | time.Duration](v, otherwise N) N {
	if v > 0 {
		return v
	}
	return otherwise
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
