package crash

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// message is a delivery of the platform.
type message struct {
	Fact    string    `json:"fact"`
	Site    string    `json:"site"`
	Kind    string    `json:"kind"` // say, slow, once, vote, ballot
	Process string    `json:"process,omitempty"`
	Ref     string    `json:"ref,omitempty"`
	Voter   string    `json:"voter,omitempty"`
	Choice  string    `json:"choice,omitempty"`
	At      time.Time `json:"at"`
}

// effect is something that the plugin does on the platform. The platform never asks whether it has seen the key.
type effect struct {
	Kind      string    `json:"kind"` // act, post, show, close, handle
	Key       string    `json:"key"`
	Title     string    `json:"title,omitempty"`
	Community string    `json:"community,omitempty"`
	ClosingAt time.Time `json:"closing_at,omitzero"`
	Ended     bool      `json:"ended,omitempty"`
}

// name is what the platform finds an effect by.
func (e effect) name() string { return e.Kind + ":" + e.Key }

// api is the platform as the child calls it.
type api struct {
	base   string
	client *http.Client
}

// errUnanswered says that a request was sent and nothing came back.
var errUnanswered = errors.New("no answer")

func (a api) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := a.client.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path, errUnanswered, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w: %w", path, errUnanswered, err)
	case res.StatusCode != http.StatusOK:
		return gateway.Errorf(gateway.Unavailable, "%s: the platform says %d", path, res.StatusCode)
	case out == nil:
		return nil
	}
	return json.Unmarshal(answer, out)
}

// do has an effect. A lost answer says nothing about whether it was had.
func (a api) do(ctx context.Context, e effect) error {
	err := a.post(ctx, "/effect", e, nil)
	if errors.Is(err, errUnanswered) {
		return &gateway.Error{Code: gateway.Unknown, Err: err}
	}
	return err
}

// look asks whether an effect was had. It changes nothing, so a lost answer is as good as none.
func (a api) look(ctx context.Context, e effect) (found bool, err error) {
	err = a.post(ctx, "/look", e, &found)
	if errors.Is(err, errUnanswered) {
		return false, &gateway.Error{Code: gateway.Unavailable, Err: err}
	}
	return found, err
}

type plugin struct {
	*gateway.Instance
	api api
}

type config struct {
	Site string `json:"site" gateway:"platform_id,public" jsonschema_description:"The site."`
}

// once has an effect that must not be had twice, as docs/plugin-tutorial.md says: saved first, looked for afterwards.
func (p *plugin) once(ctx context.Context, e effect) error {
	call := gateway.CallOf(ctx)
	var key string
	if call.Saved(&key) {
		if found, err := p.api.look(ctx, e); err != nil || found {
			return err
		}
	} else if err := call.Save(ctx, e.Key); err != nil {
		return err
	}
	return p.api.do(ctx, e)
}

type act struct {
	Key string `json:"key" jsonschema_description:"What to do."`
}

type acted struct{}

// act leaves it to its look-up to find out what became of it.
func (p *plugin) act(ctx context.Context, in act) (acted, error) {
	return acted{}, p.api.do(ctx, effect{Kind: "act", Key: in.Key})
}

func (p *plugin) findAct(ctx context.Context, in act) (acted, gateway.Found, error) {
	found, err := p.api.look(ctx, effect{Kind: "act", Key: in.Key})
	if found {
		return acted{}, gateway.Happened, err
	}
	return acted{}, gateway.DidNot, err
}

func (p *plugin) receive(ctx context.Context, m message) (gateway.Reply, error) {
	if m.Kind == "ballot" {
		return gateway.Reply{}, nil
	}
	data, err := json.Marshal(happened{m.Fact})
	if err != nil {
		return gateway.Reply{}, err
	}
	return gateway.Reply{}, p.Emit(ctx, m.Kind, gateway.Meta{At: m.At}, data) // without an ID: nothing but the inbox keeps it from coming twice
}

// happened is an event's data.
type happened struct {
	Fact string `json:"fact"`
}

func (p *plugin) handle(ctx context.Context, m message) error {
	return p.api.do(ctx, effect{Kind: "handle", Key: m.Fact})
}

type election struct {
	vote.Ask
}

type electionState struct {
	Posted bool `json:"posted"`
}

type electionRun = gateway.Run[*plugin, vote.Outcome]

func (s *electionState) Start(ctx context.Context, r *electionRun, in election) error {
	s.Posted = true
	r.Ref("post/" + r.ID())
	return r.Plugin.once(ctx, effect{Kind: "post", Key: r.ID(), Title: in.Title, Community: r.Plugin.Community(), ClosingAt: *in.ClosingAt})
}

func (s *electionState) Receive(ctx context.Context, r *electionRun, m message) (gateway.Reply, error) {
	if m.Kind != "ballot" {
		return gateway.Reply{}, nil
	}
	b := gateway.Ballot{Voter: m.Voter, At: m.At}
	if m.Choice != "" {
		b.Choices = []string{m.Choice}
	}
	_, err := r.Cast(ctx, b)
	return gateway.Reply{}, err
}

func (s *electionState) Show(ctx context.Context, r *electionRun) error {
	return r.Plugin.api.do(ctx, effect{Kind: "show", Key: r.ID(), Ended: r.Ended()})
}

func (s *electionState) Close(ctx context.Context, r *electionRun) error {
	if err := r.Plugin.once(ctx, effect{Kind: "close", Key: r.ID()}); err != nil {
		return err
	}
	out, err := r.Decide(ctx)
	if err != nil {
		return err
	}
	return r.Complete(out)
}

const (
	signature = "X-Signature"
	signed    = "X-Signed-At"
)

// sign is how the platform signs a body.
func sign(secret string, at string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "\n"))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func newPlugin(base, secret string) gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, _ config) (*plugin, error) {
		return &plugin{i, api{base, i.HTTP}}, nil
	}
	return gateway.Define("site", "A platform that a test plays.", open,
		gateway.ActionFunc("act", "Does something once.", (*plugin).act, gateway.Lookup((*plugin).findAct), gateway.Grace(time.Millisecond)),
		gateway.ProcessFunc("election", "Asks people.", (*electionState).Start, gateway.Can(vote.Can{PollTypes: []vote.PollType{vote.Choice}, ClosingAt: true})),
		gateway.Webhook[*plugin, message]{
			Verify: func(_ *plugin, d *gateway.Delivery) error {
				at, err := time.Parse(time.RFC3339Nano, d.Header.Get(signed))
				if err != nil || d.Received.Sub(at).Abs() > 5*time.Minute {
					return errors.New("signed too long ago")
				}
				if !hmac.Equal([]byte(sign(secret, d.Header.Get(signed), d.Body)), []byte(d.Header.Get(signature))) {
					return errors.New("wrong signature")
				}
				return nil
			},
			Parse: func(d *gateway.Delivery) (m message, err error) { return m, json.Unmarshal(d.Body, &m) },
			ID:    func(m message) string { return m.Fact },
			Route: func(m message) gateway.Target { return gateway.Target{Platform: []string{m.Site}, Process: m.Process} },
			Refs: func(m message) []string {
				if m.Ref == "" {
					return nil
				}
				return []string{m.Ref}
			},
			Receive: (*plugin).receive,
			Slow:    func(m message) bool { return m.Kind == "slow" },
			Handle:  (*plugin).handle,
		})
}
