package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// The forum is a small platform for tests: it has posts, votes by click, and a secret that signs its deliveries.
type forum struct {
	*gateway.Instance
	config forumConfig
	api    *forumAPI
}

type forumConfig struct {
	Site  string         `json:"site" gateway:"platform_id,public" jsonschema_description:"The site."`
	Token gateway.Secret `json:"token,omitempty" jsonschema_description:"The token."`
}

// forumAPI is the platform as the plugin calls it.
type forumAPI struct {
	posts []string
	fail  error
}

type forumMessage struct {
	ID, Site, Kind, User, Text, Process string
	At                                  time.Time
}

type post struct {
	Text string `json:"text" jsonschema:"minLength=1" jsonschema_description:"What to say."`
	Loud bool   `json:"loud,omitempty" jsonschema:"default=true" jsonschema_description:"Whether to shout."`
}

type posted struct {
	ID   string `json:"id" jsonschema_description:"The post's ID."`
	Loud bool   `json:"loud" jsonschema_description:"Whether it was shouted."`
}

type poll struct {
	vote.Ask
}

type pollState struct {
	Post string `json:"post,omitempty"`
}

type pollRun = gateway.Run[*forum, vote.Outcome]

func (p *pollState) Start(ctx context.Context, r *pollRun, in poll) error {
	if r.Plugin.api.fail != nil {
		return r.Plugin.api.fail
	}
	r.Plugin.api.posts = append(r.Plugin.api.posts, "vote: "+in.Title)
	p.Post = in.Title
	r.Ref("post:" + in.Title)
	r.SetURL("https://forum.example/" + in.Title)
	return nil
}

func (p *pollState) Receive(ctx context.Context, r *pollRun, m forumMessage) (gateway.Reply, error) {
	if m.Kind != "click" {
		return gateway.Reply{}, nil
	}
	_, err := r.Cast(ctx, gateway.Ballot{Voter: m.User, Choices: []string{m.Text}, At: m.At})
	if errors.Is(err, gateway.Denied) {
		return gateway.Reply{Body: []byte(`"refused"`)}, nil
	}
	return gateway.Reply{}, err
}

func (p *pollState) Show(ctx context.Context, r *pollRun) error {
	out, err := r.Decide(ctx)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(out.Turnout.Voters)
	r.Plugin.api.posts = append(r.Plugin.api.posts, "shown: "+string(raw)+" "+string(r.Status()))
	return err
}

func newForum(api *forumAPI) gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, c forumConfig) (*forum, error) {
		return &forum{i, c, api}, nil
	}
	return gateway.Define("forum", "A forum for tests.", open,
		gateway.ActionFunc("post", "Writes a post.", (*forum).post),
		gateway.ProcessFunc("poll", "Asks the forum.", (*pollState).Start, gateway.Can(vote.Can{Eligibility: true, ClosingAt: true, PollTypes: []vote.PollType{vote.Boolean, vote.Choice}})),
		gateway.Webhook[*forum, forumMessage]{
			Verify: func(_ *forum, d *gateway.Delivery) error {
				if d.Header.Get("X-Signature") != "good" {
					return errors.New("bad signature")
				}
				return nil
			},
			Parse: func(d *gateway.Delivery) (m forumMessage, err error) { return m, json.Unmarshal(d.Body, &m) },
			ID:    func(m forumMessage) string { return m.ID },
			Route: func(m forumMessage) gateway.Target {
				return gateway.Target{Platform: []string{m.Site}, Process: m.Process}
			},
			Receive: func(f *forum, ctx context.Context, m forumMessage) (gateway.Reply, error) {
				if m.Kind == "click" {
					return gateway.Reply{}, nil
				}
				return gateway.Reply{}, f.Emit(ctx, m.Kind, gateway.Meta{ID: m.ID, Initiator: m.User, At: m.At}, json.RawMessage(`{"text":"`+m.Text+`"}`))
			},
		},
	)
}

func (f *forum) post(ctx context.Context, in post) (posted, error) {
	if f.api.fail != nil {
		return posted{}, f.api.fail
	}
	f.api.posts = append(f.api.posts, in.Text)
	return posted{ID: "1", Loud: in.Loud}, nil
}

type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

type rig struct {
	*gateway.Gateway
	t     *testing.T
	api   *forumAPI
	clock *clock
	store store.Store
}

func newRig(t *testing.T, o gateway.Options) *rig {
	r := &rig{t: t, api: &forumAPI{}, clock: &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	if o.Store == nil {
		o.Store = memory.New()
	}
	r.store = o.Store
	o.Now = r.clock.now
	o.Plugins = append(o.Plugins, newForum(r.api))
	if o.Seal == nil {
		seal, err := gateway.NewSeal(gateway.NewSealKey())
		require.NoError(t, err)
		o.Seal = seal
	}
	g, err := gateway.New(o)
	require.NoError(t, err)
	r.Gateway = g
	return r
}

func (r *rig) due() time.Time {
	next, err := r.RunDue(r.t.Context())
	require.NoError(r.t, err)
	return next
}

func (r *rig) deliver(m forumMessage) *httptest.ResponseRecorder {
	body, err := json.Marshal(m)
	require.NoError(r.t, err)
	req := httptest.NewRequest("POST", "/api/hooks/forum", strings.NewReader(string(body)))
	req.Header.Set("X-Signature", "good")
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	return w
}

func TestAVoteFromEndToEnd(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, err := r.CreateCommunity(ctx, "town", "Town")
	require.NoError(t, err)
	inst, err := c.Enable(ctx, "forum", forumConfig{Site: "S1", Token: "canary"})
	require.NoError(t, err)
	var heard []gateway.Event
	require.NoError(t, r.OnEvent(ctx, "driver", func(_ context.Context, _ *gateway.Community, e gateway.Event) error {
		heard = append(heard, e)
		return nil
	}))
	var processes []gateway.Process
	require.NoError(t, r.OnProcess(ctx, "votes", func(_ context.Context, _ *gateway.Community, p gateway.Process) error {
		processes = append(processes, p)
		return nil
	}))

	require.Equal(t, http.StatusOK, r.deliver(forumMessage{ID: "m1", Site: "S1", Kind: "message", User: "u1", Text: "hi"}).Code)
	require.Equal(t, http.StatusOK, r.deliver(forumMessage{ID: "m1", Site: "S1", Kind: "message", User: "u1", Text: "hi"}).Code)
	r.due()
	require.Len(t, heard, 1)
	require.Equal(t, "u1", heard[0].Initiator)

	closing := r.clock.now().Add(time.Hour)
	p, err := inst.Start(ctx, "poll", poll{vote.Ask{Title: "Lunch?", ClosingAt: &closing, IneligibleVoters: []string{"u9"}}})
	require.NoError(t, err)
	require.Equal(t, gateway.StatusPending, p.Status)
	for i, u := range []string{"u1", "u2", "u3", "u9"} {
		w := r.deliver(forumMessage{ID: "c" + u, Site: "S1", Kind: "click", User: u, Text: []string{"yes", "yes", "no", "no"}[i], Process: p.ID, At: r.clock.now()})
		require.Equal(t, http.StatusOK, w.Code)
		if u == "u9" {
			require.Equal(t, `"refused"`, w.Body.String())
		}
	}
	r.due()
	r.clock.advance(time.Hour)
	r.due()
	r.clock.advance(2 * time.Second)
	r.due()
	p, err = c.Process(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCompleted, p.Status)
	var out vote.Outcome
	require.NoError(t, p.DecodeOutcome(&out))
	require.Equal(t, vote.Passed, out.Result)
	require.EqualValues(t, 3, out.Turnout.Voters)
	require.Equal(t, []string{"vote: Lunch?", "shown: 3 pending", "shown: 3 completed"}, r.api.posts)
	require.Equal(t, gateway.StatusCompleted, processes[len(processes)-1].Status)
}
