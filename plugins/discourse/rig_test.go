package discourse_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

const (
	forumURL   = "https://forum.example"
	hookSecret = "fake-webhook-secret"
)

// rig is a gateway, a forum of the fake, and the HTTP between them.
type rig struct {
	*gatewaytest.Rig
	t     *testing.T
	fake  *fakediscourse.Server
	forum *fakediscourse.Forum
	key   string
	c     *gateway.Community
	inst  *gateway.Instance
}

// setup says how a rig begins.
type setup struct {
	fake    fakediscourse.Options
	config  discourse.Config
	key     []fakediscourse.KeyOption
	options func(*gateway.Options)
	people  func(*fakediscourse.Forum) // who else there is
}

// newFake makes a fake with one forum and its people. Whoever makes it closes it.
func newFake(t *testing.T, o fakediscourse.Options) (*fakediscourse.Server, *fakediscourse.Forum) {
	t.Helper()
	s := fakediscourse.New(o)
	f, err := s.AddForum(forumURL)
	require.NoError(t, err)
	f.AddUser(7, "joshua")
	f.AddUser(42, "bob", fakediscourse.Name("Bob"), fakediscourse.Trust(2))
	f.AddUser(43, "Carla", fakediscourse.Trust(2))
	f.AddUser(90, "ann", fakediscourse.Moderator())
	return s, f
}

// newRig enables the plugin for a forum, and lets its webhook be made.
func newRig(t *testing.T, change ...func(*setup)) *rig {
	t.Helper()
	r := start(t, change...)
	r.due()
	return r
}

// start enables the plugin, and does nothing else.
func start(t *testing.T, change ...func(*setup)) *rig {
	t.Helper()
	r := &rig{t: t}
	clock := gatewaytest.NewClock(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC))
	s := setup{config: discourse.Config{URL: forumURL, WebhookSecret: hookSecret, PerMinute: 10_000}}
	s.fake.Now = clock.Now
	for _, f := range change {
		f(&s)
	}
	r.fake, r.forum = newFake(t, s.fake)
	if s.people != nil {
		s.people(r.forum)
	}
	r.key = r.forum.NewKey(s.key...)
	if s.config.APIKey == "" {
		s.config.APIKey = gateway.Secret(r.key)
	}
	if s.config.APIKey == "none" {
		s.config.APIKey = ""
	}
	client := r.fake.Client()
	o := gateway.Options{Now: clock.Now, HTTP: client, Egress: client.Transport, PublicURL: "https://gateway.example", Plugins: []gateway.Plugin{discourse.New()}}
	if s.options != nil {
		s.options(&o)
	}
	r.Rig = gatewaytest.New(t, o)
	r.Clock = clock
	t.Cleanup(r.fake.Close) // before the rig looks for what is left behind
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.Handler().ServeHTTP(w, q) }))
	t.Cleanup(hooks.Close)
	require.NoError(t, r.fake.SetRequestURL(hooks.URL, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	r.c = r.Community("town")
	var err error
	r.inst, err = r.c.Enable(t.Context(), "discourse", s.config)
	require.NoError(t, err)
	return r
}

// due does all that is due, and waits for what the forum has to say about it.
func (r *rig) due() {
	r.t.Helper()
	for {
		before := len(r.fake.Deliveries())
		r.Due()
		require.NoError(r.t, r.fake.Flush(r.t.Context()))
		r.Due()
		if len(r.fake.Deliveries()) == before {
			return
		}
	}
}

// do does an action, and hears what the forum says about it.
func do[Out any](r *rig, action string, in any, opts ...gateway.DoOption) Out {
	r.t.Helper()
	out, err := gateway.Do[Out](r.t.Context(), r.inst, action, in, opts...)
	require.NoError(r.t, err)
	r.due()
	return out
}

// refusal is the error of an action.
func (r *rig) refusal(action string, in any, opts ...gateway.DoOption) error {
	r.t.Helper()
	_, err := r.inst.Do(r.t.Context(), action, in, opts...)
	require.Error(r.t, err)
	return err
}

// one is the only event of a type.
func (r *rig) one(typ string) gateway.Event {
	r.t.Helper()
	r.due()
	all := r.Events(typ)
	require.Len(r.t, all, 1, typ)
	return all[0]
}

// topic is one that somebody has opened.
func (r *rig) topic(by string) (topic, post int64) {
	r.t.Helper()
	topic, post, err := r.forum.Post(by, fakediscourse.NewTopic{Title: "Where shall the bench stand?", Raw: "I would like it to stand by the river, in the shade.", Category: 4})
	require.NoError(r.t, err)
	return topic, post
}

// calls are the requests to one route.
func (r *rig) calls(route string) []fakediscourse.Call { return r.fake.CallsTo(route) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
