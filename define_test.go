package gateway_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

type (
	stateOK     struct{}
	stateSecret struct {
		Deep []map[string]*struct{ Key gateway.Secret } `json:"deep"`
	}
	stateUpdat   struct{}
	stateClose   struct{}
	stateShow    struct{}
	stateReceive struct{}
	stateUpgrade struct{}
	stateMessage struct{}
)

func (*stateOK) Start(context.Context, *tinyRun, post) error      { return nil }
func (*stateSecret) Start(context.Context, *tinyRun, post) error  { return nil }
func (*stateUpdat) Start(context.Context, *tinyRun, post) error   { return nil }
func (*stateClose) Start(context.Context, *tinyRun, post) error   { return nil }
func (*stateShow) Start(context.Context, *tinyRun, post) error    { return nil }
func (*stateReceive) Start(context.Context, *tinyRun, post) error { return nil }
func (*stateUpgrade) Start(context.Context, *tinyRun, post) error { return nil }
func (*stateMessage) Start(context.Context, *tinyRun, post) error { return nil }

func (*stateUpdat) Updat(context.Context, *tinyRun) error { return nil }
func (*stateClose) Close(context.Context) error           { return nil }
func (*stateShow) Shows(context.Context, *tinyRun) error  { return nil }
func (*stateReceive) Receive(context.Context, *tinyRun) (gateway.Reply, error) {
	return gateway.Reply{}, nil
}
func (*stateUpgrade) Upgrade(string, json.RawMessage) error { return nil }
func (*stateMessage) Receive(context.Context, *tinyRun, int) (gateway.Reply, error) {
	return gateway.Reply{}, nil
}

func TestDefinitionsThatAreWrong(t *testing.T) {
	act := func(name string, opts ...gateway.Option) gateway.Feature[*tiny] {
		return gateway.ActionFunc(name, "Acts.", func(*tiny, context.Context, post) (posted, error) { return posted{}, nil }, opts...)
	}
	proc := gateway.ProcessFunc("p", "P.", (*stateOK).Start)
	hook := gateway.Webhook[*tiny, forumMessage]{
		Verify: func(*tiny, *gateway.Delivery) error { return nil }, Parse: parseForum,
		Route: func(forumMessage) gateway.Target { return gateway.Target{} },
	}
	edit := func(fn func(*gateway.Webhook[*tiny, forumMessage])) gateway.Feature[*tiny] {
		h := hook
		fn(&h)
		return h
	}
	listen := func(context.Context, *gateway.Source) error { return nil }
	poll1 := func(*tiny, context.Context) error { return nil }
	type fs = []gateway.Feature[*tiny]
	for name, c := range map[string]struct {
		features fs
		says     string
	}{
		"bad action name":           {fs{act("Post Message")}, `"Post Message"`},
		"action twice":              {fs{act("a"), act("a")}, "twice"},
		"version zero":              {fs{act("a", gateway.Version(0))}, "version 0"},
		"bad process name":          {fs{gateway.ProcessFunc("P", "P.", (*stateOK).Start)}, `"P"`},
		"process twice":             {fs{proc, proc}, "twice"},
		"secret in the state":       {fs{gateway.ProcessFunc("p", "P.", (*stateSecret).Start)}, "Secret"},
		"one letter missing":        {fs{gateway.ProcessFunc("p", "P.", (*stateUpdat).Start)}, "Updat"},
		"wrong signature":           {fs{gateway.ProcessFunc("p", "P.", (*stateClose).Start)}, "Close"},
		"one letter more":           {fs{gateway.ProcessFunc("p", "P.", (*stateShow).Start)}, "Shows"},
		"Receive without a message": {fs{gateway.ProcessFunc("p", "P.", (*stateReceive).Start), hook}, "Receive"},
		"Upgrade of a string":       {fs{gateway.ProcessFunc("p", "P.", (*stateUpgrade).Start)}, "Upgrade"},
		"Receive of another type":   {fs{gateway.ProcessFunc("p", "P.", (*stateMessage).Start), hook}, "int"},
		"Receive without a webhook": {fs{gateway.ProcessFunc("p", "P.", (*stateMessage).Start)}, "webhook"},
		"Ask without Can":           {fs{gateway.ProcessFunc("p", "P.", func(*stateOK, context.Context, *gateway.Run[*tiny, vote.Outcome], poll) error { return nil })}, "Can"},
		"command of nothing":        {fs{gateway.CommandFunc("q", "c", "C.", func(*stateOK, context.Context, *tinyRun, post) (posted, error) { return posted{}, nil })}, `"q"`},
		"command twice": {fs{proc,
			gateway.CommandFunc("p", "c", "C.", func(*stateOK, context.Context, *tinyRun, post) (posted, error) { return posted{}, nil }),
			gateway.CommandFunc("p", "c", "C.", func(*stateOK, context.Context, *tinyRun, post) (posted, error) { return posted{}, nil })}, "twice"},
		"two webhooks":        {fs{hook, hook}, "two webhooks"},
		"no Verify":           {fs{edit(func(h *gateway.Webhook[*tiny, forumMessage]) { h.Verify = nil })}, "Verify"},
		"no Parse":            {fs{edit(func(h *gateway.Webhook[*tiny, forumMessage]) { h.Parse = nil })}, "Parse"},
		"Unsigned and Verify": {fs{edit(func(h *gateway.Webhook[*tiny, forumMessage]) { h.Unsigned, h.Route = true, nil })}, "exclude"},
		"unsigned with ID": {fs{edit(func(h *gateway.Webhook[*tiny, forumMessage]) {
			h.Unsigned, h.Verify, h.Route, h.ID = true, nil, nil, func(forumMessage) string { return "" }
		})}, "ID"},
		"unsigned with Route":  {fs{edit(func(h *gateway.Webhook[*tiny, forumMessage]) { h.Unsigned, h.Verify = true, nil })}, "whom"},
		"source, no webhook":   {fs{gateway.SourceFunc[*tiny]("s", listen)}, "webhook"},
		"source, no Route":     {fs{gateway.SourceFunc[*tiny]("s", listen), edit(func(h *gateway.Webhook[*tiny, forumMessage]) { h.Route = nil })}, "Route"},
		"source twice":         {fs{hook, gateway.SourceFunc[*tiny]("s", listen), gateway.SourceFunc[*tiny]("s", listen)}, "twice"},
		"poll too often":       {fs{gateway.PollFunc("p", time.Millisecond, poll1)}, "second"},
		"poll twice":           {fs{gateway.PollFunc("p", time.Minute, poll1), gateway.PollFunc("p", time.Minute, poll1)}, "twice"},
		"event twice":          {fs{gateway.NewEvent[*tiny, int]("e", "E."), gateway.NewEvent[*tiny, int]("e", "E.")}, "twice"},
		"event without a type": {fs{gateway.NewEvent[*tiny, int]("", "E.")}, "empty"},
		"choices":              {fs{gateway.ChoicesFunc("C", "C.", func(*tiny, context.Context, string) ([]gateway.Choice, error) { return nil, nil })}, `"C"`},
		"oauth of nothing":     {fs{gateway.OAuth[*tiny, struct{}]{}}, "oauth"},
		"input that is no JSON": {fs{gateway.ActionFunc("a", "A.", func(*tiny, context.Context, struct {
			C chan int `json:"c"`
		}) (posted, error) {
			return posted{}, nil
		})}, "input of action a"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				v := recover()
				require.NotNil(t, v, "it should not have been accepted")
				require.IsType(t, "", v, "a sentence, not a crash: %v", v)
				require.Contains(t, v, c.says)
				require.Contains(t, v, `gateway.Define("tiny")`)
			}()
			defineTiny(c.features...)
		})
	}
	require.Panics(t, func() { gateway.Define[struct{}, *tiny]("Tiny Thing", "T.", nil) })
	require.NotPanics(t, func() {
		defineTiny(act("a"), act("a", gateway.Version(2)), proc, hook, gateway.SourceFunc[*tiny]("s", listen), gateway.PollFunc("p", time.Minute, poll1))
	})
}

// A plugin need not come from Define: what it leaves out must not bring the gateway down.
type bare struct{ m gateway.Manifest }

func (b bare) Manifest() gateway.Manifest { return b.m }
func (b bare) Open(context.Context, *gateway.Instance, json.RawMessage) (any, error) {
	return b, nil
}

func TestPluginsThatAreNotDefined(t *testing.T) {
	object := json.RawMessage(`{"type":"object"}`)
	for name, m := range map[string]gateway.Manifest{
		"no name":      {Config: object},
		"no schema":    {Name: "x"},
		"bad schema":   {Name: "x", Config: json.RawMessage(`{"type":"nope"}`)},
		"bad webhook":  {Name: "x", Config: object, Webhook: &gateway.WebhookDef{}},
		"bad action":   {Name: "x", Config: object, Actions: []gateway.ActionDef{{Name: "a", Version: 1}}},
		"an odd event": {Name: "x", Config: object, Events: []gateway.EventDef{{}}},
	} {
		_, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{bare{m}}})
		require.ErrorIs(t, err, gateway.Invalid, name)
	}
	ok := gateway.Manifest{Name: "x", Config: object, Webhook: &gateway.WebhookDef{
		Verify: func(any, *gateway.Delivery) error { return nil },
		Parse:  func(*gateway.Delivery) (any, error) { return 1, nil },
	}}
	_, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{bare{ok}, bare{ok}}})
	require.ErrorIs(t, err, gateway.Invalid, "twice")
	r := newRig(t, gateway.Options{})
	r.again(bare{ok})
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "x", nil)
	require.NoError(t, err)
	require.Equal(t, 200, r.request("/api/hooks/a/x", `{}`).Code)
	require.Equal(t, 404, r.request("/api/hooks/a/nope", `{}`).Code)
}

func TestOptions(t *testing.T) {
	for _, bad := range []string{"gov.example", "ftp://gov.example", "https://", "https://gov.example?x", "https://gov.example#x", "://"} {
		_, err := gateway.New(gateway.Options{Store: memory.New(), PublicURL: bad})
		require.ErrorIs(t, err, gateway.Invalid, bad)
	}
	t.Chdir(t.TempDir())
	g, err := gateway.New(gateway.Options{})
	require.NoError(t, err, "the zero value works")
	require.FileExists(t, "gateway.db")
	_, err = g.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	require.NoError(t, g.Close())
	g, err = gateway.New(gateway.Options{})
	require.NoError(t, err)
	_, err = g.Community(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, g.Close())

	s := memory.New()
	g, err = gateway.New(gateway.Options{Store: s})
	require.NoError(t, err)
	require.NoError(t, g.Close())
	_, err = g.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err, "a store that is not ours stays open")
}
