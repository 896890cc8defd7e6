package gatewaytest

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/schema"
)

// Option says more about the plugin that is checked.
type Option func(*checked)

// WithConfig gives a configuration that the plugin accepts: its struct, or JSON. Without it {} is used.
func WithConfig(config any) Option { return func(c *checked) { c.given = config } }

// WithGolden says where the golden manifest stands. Without it that is testdata/manifest.golden.json beside the test.
func WithGolden(path string) Option { return func(c *checked) { c.golden = path } }

// WithHTTP gives the client by which the plugin reaches a fake of its platform. Without it no call leaves: each fails as
// if the platform were away.
func WithHTTP(client *http.Client) Option { return func(c *checked) { c.http = client } }

// WithSecrets names more strings that may never be seen, beside those of the configuration: the app's own credentials. They
// must be of the test's own making and at least eight bytes long.
func WithSecrets(secrets ...string) Option {
	return func(c *checked) { c.secrets = append(c.secrets, secrets...) }
}

// Delivery is one that the platform could send.
type Delivery struct {
	Name   string      // for the test's output; "" is its number
	Header http.Header // without what signs it
	Body   []byte
	Event  string // the type of event that it has to become; "" where it need not become one
}

// WithDeliveries gives deliveries of every kind that the plugin reads. They are for the instance that [WithConfig] makes. A plugin
// with a webhook needs them.
func WithDeliveries(d ...Delivery) Option {
	return func(c *checked) { c.deliveries = append(c.deliveries, d...) }
}

// WithSign gives the headers with which the platform signs a body at a time. It returns nothing but what Verify looks at: the
// check expects that a change to any of these headers is noticed. A plugin with a webhook needs it unless the webhook is unsigned.
func WithSign(sign func(body []byte, at time.Time) http.Header) Option {
	return func(c *checked) { c.sign = sign }
}

// checked is the plugin under check with what was said about it.
type checked struct {
	plugin     gateway.Plugin
	m          gateway.Manifest
	given      any
	config     json.RawMessage
	schema     *schema.Schema // of the configuration
	golden     string
	http       *http.Client
	secrets    []string
	deliveries []Delivery
	sign       func([]byte, time.Time) http.Header
}

// Check holds a plugin to what every plugin owes to those who use it. It runs these subtests:
//
//   - manifest: everything in it is described, and its schemas, defaults, enums and examples are sound
//   - golden: the manifest is the one in the golden file. -update writes the file, but not where a version of an action, command
//     or process that stands in it would change what it takes or gives (texts and examples apart): that needs a new version. Before
//     the first release you may delete the file.
//   - configuration: it can be given twice; a wrong one is refused, and the refusal says all that is wrong and where
//   - secrets: none is ever seen, in whatever the gateway or the plugin gives out; neither is a person's own token in what is done on their behalf,
//     where the instance's credentials are not used in its place
//   - actions, processes: odd inputs are refused or done, but are never an internal error or a panic; a state survives being kept
//   - listers: what one lists has IDs, the same ones when it is asked again
//   - roles: each ends, whatever it is asked for, and names everybody by an ID
//   - webhook: forgeries change nothing, what cannot be read is the sender's fault, replays have no second effect, and what
//     is for an unknown workspace waits
//
// Each of them also fails if a goroutine is left behind. The plugin is used with several gateways, one after the other.
func Check(t TB, plugin gateway.Plugin, opts ...Option) {
	t.Helper()
	c := &checked{plugin: plugin, m: plugin.Manifest(), golden: filepath.Join("testdata", "manifest.golden.json")}
	for _, o := range opts {
		o(c)
	}
	if c.http == nil {
		c.http = &http.Client{Transport: away{}}
	}
	var err error
	if c.config, err = configJSON(c.given); err != nil {
		t.Fatalf("gatewaytest: the configuration of WithConfig: %v", err)
	}
	sub(t, "manifest", c.manifest)
	sub(t, "golden", c.compareGolden)
	if c.schema, err = schema.Parse(c.m.Config); err != nil {
		t.Fatalf("gatewaytest: the configuration's schema: %v", err) // nothing could be enabled
	}
	if c.config, err = c.schema.Apply(c.config); err != nil {
		t.Fatalf("gatewaytest: WithConfig: %v", err)
	}
	sub(t, "configuration", c.configuration)
	sub(t, "secrets", c.leaks)
	sub(t, "actions", c.actions)
	sub(t, "processes", c.processes)
	if slices.ContainsFunc(c.m.Polls, func(p gateway.PollDef) bool { return p.List != nil }) {
		sub(t, "listers", c.listers)
	}
	if len(c.m.Roles) > 0 {
		sub(t, "roles", c.roles)
	}
	if c.m.Webhook != nil {
		sub(t, "webhook", c.webhook)
	}
}

// configJSON makes JSON of a configuration, with its secrets as they are.
func configJSON(config any) (json.RawMessage, error) {
	switch v := config.(type) {
	case nil:
		return json.RawMessage(`{}`), nil
	case json.RawMessage:
		return v, nil
	case []byte:
		return v, nil
	}
	return schema.Encode(config)
}

// away is a network on which nobody answers.
type away struct{}

func (away) RoundTrip(q *http.Request) (*http.Response, error) { return nil, errAway }

type awayError struct{}

func (awayError) Error() string {
	return "the check lets no call out (give the platform's fake with WithHTTP)"
}
func (awayError) Timeout() bool   { return false }
func (awayError) Temporary() bool { return true }

var errAway = awayError{}

// rig makes a gateway with the plugin, spied on.
func (c *checked) rig(t TB) (*Rig, *spy) {
	t.Helper()
	s := &spy{Plugin: c.plugin}
	store := newWatched()
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	client := s.tap(c.http)
	r := New(t, gateway.Options{Plugins: []gateway.Plugin{s}, HTTP: client, Egress: client.Transport, Store: store})
	t.Cleanup(func() { // before the rig's own
		for _, line := range r.Log.Lines("panic:") {
			t.Errorf("the plugin panicked: %s", line)
		}
	})
	s.store = store
	return r, s
}

// enable makes the instance that most checks work with.
func (c *checked) enable(t TB, r *Rig) *gateway.Instance {
	t.Helper()
	inst, err := r.Community("town").Enable(t.Context(), c.m.Name, c.config)
	if err != nil {
		t.Fatalf("the configuration of WithConfig is refused: %v", err)
	}
	return inst
}
