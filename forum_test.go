package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// The forum is a small platform for tests: it has posts, votes by click, a consent page, and a secret that signs its deliveries.
type forum struct {
	*gateway.Instance
	config forumConfig
	api    *forumAPI
}

type forumConfig struct {
	Site  string         `json:"site" gateway:"platform_id,public" jsonschema_description:"The site."`
	Token gateway.Secret `json:"token,omitempty" jsonschema_description:"The token."`
	Motto string         `json:"motto,omitempty" jsonschema_description:"A motto."`
}

// forumAPI is the platform as the plugin calls it, with hooks by which a test takes part.
type forumAPI struct {
	mu    sync.Mutex
	done  []string
	hooks map[string]func(context.Context) error
	grant func(gateway.OAuthExchange) (gateway.Grant[forumConfig], error)
	// consent is what the last consent page was asked for.
	consent gateway.OAuthParams
}

// on has fn called when the plugin does something.
func (a *forumAPI) on(what string, fn func(context.Context) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hooks == nil {
		a.hooks = map[string]func(context.Context) error{}
	}
	a.hooks[what] = fn
}

func (a *forumAPI) fails(what string, err error) {
	a.on(what, func(context.Context) error { return err })
}

// trouble is what a test has made of something that is no call to the platform.
func (a *forumAPI) trouble(ctx context.Context, what string) error {
	a.mu.Lock()
	fn := a.hooks[what]
	a.mu.Unlock()
	if fn == nil {
		return nil
	}
	return fn(ctx)
}

// do is a call to the platform: it is written down when it has succeeded.
func (a *forumAPI) do(ctx context.Context, what, line string) error {
	a.mu.Lock()
	fn := a.hooks[what]
	a.mu.Unlock()
	if fn != nil {
		if err := fn(ctx); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, line)
	return nil
}

// lines are what was done, those that begin with prefix.
func (a *forumAPI) lines(prefix string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []string{}
	for _, l := range a.done {
		if strings.HasPrefix(l, prefix) {
			out = append(out, l)
		}
	}
	return out
}

type forumMessage struct {
	ID, Site, Kind, User, Text, Process, Ref string
	Sites                                    []string
	At                                       time.Time
}

type post struct {
	Text string `json:"text" jsonschema:"minLength=1" jsonschema_description:"What to say."`
	Loud bool   `json:"loud,omitempty" jsonschema:"default=true" jsonschema_description:"Whether to shout."`
}

type posted struct {
	ID   string `json:"id" jsonschema:"minLength=1" jsonschema_description:"The post's ID."`
	Loud bool   `json:"loud" jsonschema_description:"Whether it was shouted."`
}

func (f *forum) post(ctx context.Context, in post) (posted, error) {
	if err := f.api.do(ctx, "post", "post "+in.Text); err != nil {
		return posted{}, err
	}
	return posted{ID: "1", Loud: in.Loud}, nil
}

// broken gives an answer that its schema does not allow.
func (f *forum) broken(context.Context, post) (posted, error) { return posted{}, nil }

// careful posts once, whatever happens: it looks for what an earlier attempt did.
func (f *forum) careful(ctx context.Context, in post) (posted, error) {
	call := gateway.CallOf(ctx)
	var saved string
	if call.Saved(&saved) {
		return posted{ID: "found " + saved}, f.api.do(ctx, "look", "look for "+saved)
	}
	if err := call.Save(ctx, in.Text); err != nil {
		return posted{}, err
	}
	if err := call.Expect(ctx, "text:"+in.Text); err != nil {
		return posted{}, err
	}
	if err := f.api.do(ctx, "post", "post "+in.Text); err != nil {
		return posted{}, err
	}
	call.Caused("text:" + in.Text)
	return posted{ID: call.ID()}, nil
}

// again asks for an action from inside an event; see the tests of Receive.
func (f *forum) receive(ctx context.Context, m forumMessage) (gateway.Reply, error) {
	f.api.mu.Lock()
	fn := f.api.hooks["receive "+m.Kind]
	f.api.mu.Unlock()
	if fn != nil {
		return gateway.Reply{}, fn(context.WithValue(ctx, forumKey{}, f))
	}
	if m.Kind != "message" {
		return gateway.Reply{}, nil
	}
	data, err := json.Marshal(map[string]string{"text": m.Text})
	if err != nil {
		return gateway.Reply{}, err
	}
	return gateway.Reply{}, f.Emit(ctx, m.Kind, gateway.Meta{ID: m.ID, Initiator: m.User, At: m.At}, data)
}

// forumKey is where a hook of receive finds the plugin.
type forumKey struct{}

func (f *forum) handle(ctx context.Context, m forumMessage) error {
	return f.api.do(ctx, "handle", "handle "+m.Text)
}

func (f *forum) answer(ctx context.Context, m forumMessage, then json.RawMessage) error {
	return f.api.do(ctx, "answer", "answer "+string(then))
}

func verifyForum(_ *forum, d *gateway.Delivery) error {
	at, err := time.Parse(time.RFC3339, d.Header.Get("X-Time"))
	switch {
	case d.Header.Get("X-Signature") == "panic":
		panic("verify")
	case d.Header.Get("X-Signature") != "good":
		return errors.New("bad signature")
	case err != nil || d.Received.Sub(at).Abs() > 5*time.Minute:
		return errors.New("too old")
	}
	return nil
}

func parseForum(d *gateway.Delivery) (m forumMessage, err error) {
	if string(d.Body) == `"panic"` {
		panic("parse")
	}
	return m, json.Unmarshal(d.Body, &m)
}

// newForum makes the plugin, with more features where a test needs them.
func newForum(api *forumAPI, more ...gateway.Feature[*forum]) gateway.Plugin {
	open := func(ctx context.Context, i *gateway.Instance, c forumConfig) (*forum, error) {
		if err := api.trouble(ctx, "open "+c.Site); err != nil {
			return nil, err
		}
		if c.Motto == "refused" {
			return nil, gateway.Errorf(gateway.Invalid, "this motto is refused")
		}
		return &forum{i, c, api}, nil
	}
	return gateway.Define("forum", "A forum for tests.", open, slices.Concat([]gateway.Feature[*forum]{
		gateway.ActionFunc("post", "Writes a post.", (*forum).post),
		gateway.ActionFunc("broken", "Answers badly.", (*forum).broken),
		gateway.ActionFunc("careful", "Writes a post once.", (*forum).careful, gateway.Timeout(time.Minute)),
		gateway.ProcessFunc("poll", "Asks the forum.", (*pollState).Start, gateway.Can(vote.Can{
			Eligibility: true, Live: true, Early: true, ClosingAt: true, NoChange: true, Weights: true,
			PollTypes: []vote.PollType{vote.Boolean, vote.Choice}, Secrecy: []vote.Secrecy{vote.Public, vote.CountsOnly, vote.Hidden},
		})),
		gateway.CommandFunc("poll", "extend", "Gives it more time.", (*pollState).extend),
		gateway.ProcessFunc("task", "Something to do.", (*taskState).Start),
		gateway.ChoicesFunc("channels", "The channels.", (*forum).channels),
		gateway.NewEvent[*forum, map[string]string]("message", "Somebody wrote."),
		gateway.ConfigureFunc[*forum](func(ctx context.Context, i *gateway.Instance, old, c *forumConfig) error {
			if c.Motto == "loud" {
				c.Motto = "LOUD"
			}
			return api.do(ctx, "configure", "configure "+c.Site)
		}),
		gateway.OAuth[*forum, forumConfig]{
			Authorize: func(p gateway.OAuthParams) (string, error) {
				api.mu.Lock()
				defer api.mu.Unlock()
				api.consent = p
				return "https://forum.example/consent?" + url.Values{"state": {p.State}, "code_challenge": {p.Challenge}}.Encode(), nil
			},
			Exchange: func(ctx context.Context, x gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
				if err := api.do(ctx, "exchange", "exchange "+x.Code); err != nil {
					return gateway.Grant[forumConfig]{}, err
				}
				return api.grant(x)
			},
			Undo: func(ctx context.Context, _ gateway.OAuthExchange, g gateway.Grant[forumConfig], first bool) error {
				return api.do(ctx, "undo", "undo "+g.Config.Site+map[bool]string{true: " first"}[first])
			},
		},
		gateway.Webhook[*forum, forumMessage]{
			Verify: verifyForum,
			Parse:  parseForum,
			Greet: func(m forumMessage) (gateway.Reply, bool) {
				return gateway.Reply{Body: []byte(`"pong"`)}, m.Kind == "ping"
			},
			ID: func(m forumMessage) string { return m.ID },
			Route: func(m forumMessage) gateway.Target {
				_ = api.trouble(context.Background(), "route "+m.Kind)
				if m.Kind == "lost" {
					panic("route")
				}
				if m.Sites != nil {
					return gateway.Target{Platform: m.Sites, Process: m.Process}
				}
				return gateway.Target{Platform: []string{m.Site}, Process: m.Process}
			},
			Refs: func(m forumMessage) []string {
				if m.Kind == "adrift" {
					panic("refs")
				}
				if m.Ref == "" {
					return nil
				}
				return []string{m.Ref}
			},
			Echo: func(_ *forum, m forumMessage) []string {
				if m.Kind != "message" {
					return nil
				}
				return []string{"text:" + m.Text}
			},
			Receive: (*forum).receive,
			Slow:    func(m forumMessage) bool { return m.Kind == "slow" },
			Handle:  (*forum).handle,
			Answer:  (*forum).answer,
		},
	}, more)...)
}

func (f *forum) channels(ctx context.Context, query string) ([]gateway.Choice, error) {
	return []gateway.Choice{{Value: "C1", Label: "general " + query}}, f.api.do(ctx, "channels", "channels "+query)
}

type poll struct {
	vote.Ask
}

// pollState is a vote by the standard: its outcome is made by the gateway.
type pollState struct {
	Post string `json:"post,omitempty"`
}

type pollRun = gateway.Run[*forum, vote.Outcome]

func (p *pollState) Start(ctx context.Context, r *pollRun, in poll) error {
	r.Ref("post:" + in.Title)
	r.SetURL("https://forum.example/" + in.Title)
	p.Post = in.Title
	return r.Plugin.api.do(ctx, "start", "start "+in.Title)
}

func (p *pollState) Receive(ctx context.Context, r *pollRun, m forumMessage) (gateway.Reply, error) {
	switch m.Kind {
	case "close":
		r.CloseNow(vote.Closing{By: vote.ByPerson, User: m.User})
		return gateway.Reply{}, nil
	case "ref":
		r.Ref(m.Text)
		return gateway.Reply{}, nil
	case "complete":
		return gateway.Reply{}, r.Complete(vote.Outcome{})
	case "trouble":
		return gateway.Reply{}, r.Plugin.api.trouble(ctx, "process")
	case "then":
		return gateway.Reply{Then: json.RawMessage(`"later"`)}, nil
	case "click":
	default:
		return gateway.Reply{}, nil
	}
	var choices []string
	if m.Text != "" {
		choices = []string{m.Text}
	}
	_, err := r.Cast(ctx, gateway.Ballot{Voter: m.User, Choices: choices, At: m.At})
	if errors.Is(err, gateway.Denied) {
		return gateway.Reply{Body: []byte(`"` + err.Error() + `"`)}, nil
	}
	return gateway.Reply{}, err
}

func (p *pollState) Show(ctx context.Context, r *pollRun) error {
	out, err := r.Decide(ctx)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(out.Turnout.Voters)
	if err != nil {
		return err
	}
	return r.Plugin.api.do(ctx, "show", "show "+string(raw)+" "+string(r.Status()))
}

type extension struct {
	Minutes int `json:"minutes" jsonschema:"minimum=1" jsonschema_description:"How many."`
}

func (p *pollState) extend(ctx context.Context, r *pollRun, in extension) (posted, error) {
	if err := r.Plugin.api.do(ctx, "extend", "extend"); err != nil {
		return posted{}, err
	}
	r.CloseAt(r.Now().Add(time.Duration(in.Minutes) * time.Minute))
	return posted{ID: "extended"}, nil
}

// taskState is a process that is no vote: it has steps of its own.
type taskState struct {
	Looks int    `json:"looks"`
	Saved string `json:"saved,omitempty"`
}

type taskRun = gateway.Run[*forum, posted]

func (s *taskState) Start(ctx context.Context, r *taskRun, in post) error {
	s.Saved = in.Text
	r.UpdateAt(r.Now().Add(time.Minute))
	r.CloseAt(r.Now().Add(time.Hour))
	return r.Plugin.api.do(ctx, "start", "start "+in.Text)
}

func (s *taskState) Update(ctx context.Context, r *taskRun) error {
	s.Looks++
	if err := r.Save(ctx); err != nil {
		return err
	}
	if err := r.Plugin.api.do(ctx, "update", "update "+s.Saved); err != nil {
		return err
	}
	if s.Looks == 3 {
		return r.Complete(posted{ID: s.Saved})
	}
	r.UpdateAt(r.Now().Add(time.Minute))
	return nil
}

func (s *taskState) Close(ctx context.Context, r *taskRun) error {
	if err := r.Plugin.api.do(ctx, "close", "close "+s.Saved); err != nil {
		return err
	}
	return r.Complete(posted{ID: "closed " + s.Saved})
}

func (s *taskState) Show(ctx context.Context, r *taskRun) error {
	return r.Plugin.api.do(ctx, "show", "show "+string(r.Status()))
}
