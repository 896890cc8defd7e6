package github_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

func testApp() github.App {
	return github.App{
		ID: "Iv1.test", Slug: "town-app", PrivateKey: gateway.Secret(keyPEM()), WebhookSecret: webhookSecret, ClientID: "Iv1.test", ClientSecret: clientSecret,
	}
}

// rig is a gateway in memory with a community whose instance is the installation of [hub].
type rig struct {
	*gatewaytest.Rig
	t    *testing.T
	hub  *hub
	c    *gateway.Community
	inst *gateway.Instance
	n    int
}

func newRig(t *testing.T, opts ...func(*github.App, *gateway.Options)) *rig {
	t.Helper()
	return newRigWith(t, memory.New(), newHub(nil), opts...)
}

func newRigWith(t *testing.T, s store.Store, h *hub, opts ...func(*github.App, *gateway.Options)) *rig {
	t.Helper()
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	client := &http.Client{Transport: h}
	a, o := testApp(), gateway.Options{Store: s, Seal: seal, HTTP: client, Egress: h, PublicURL: "https://gateway.example"}
	for _, f := range opts {
		f(&a, &o)
	}
	p, err := github.New(a)
	require.NoError(t, err)
	o.Plugins = []gateway.Plugin{p}
	r := &rig{Rig: gatewaytest.New(t, o), t: t, hub: h}
	h.mu.Lock()
	h.now = r.Clock.Now
	h.mu.Unlock()
	r.c = r.Community("town")
	r.inst, err = r.c.Enable(t.Context(), "github", github.Config{InstallationID: installation, Repository: "town"})
	require.NoError(t, err)
	return r
}

// send delivers a body as GitHub does.
func (r *rig) send(event string, body []byte, change ...func(http.Header)) *httptest.ResponseRecorder {
	r.t.Helper()
	r.n++
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("X-GitHub-Event", event)
	h.Set("X-GitHub-Delivery", fmt.Sprintf("00000000-0000-0000-0000-%012d", r.n))
	h.Set("X-Hub-Signature-256", signature(body))
	for _, f := range change {
		f(h)
	}
	req := httptest.NewRequest(http.MethodPost, "/api/hooks/github", bytes.NewReader(body))
	req.Header = h
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	return w
}

// tell delivers an event of the installation and does what is due.
func (r *rig) tell(event string, fields map[string]any) {
	r.t.Helper()
	w := r.send(event, r.payload(fields))
	require.Equal(r.t, http.StatusOK, w.Code, w.Body)
	r.Due()
}

func (r *rig) payload(fields map[string]any) []byte {
	all := map[string]any{
		"installation": map[string]any{"id": 4711}, "sender": user("ada"), "repository": map[string]any{"full_name": "acme/town"}, "organization": map[string]any{"login": "acme"},
	}
	for k, v := range fields {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	require.NoError(r.t, err)
	return raw
}

// write has somebody comment, and GitHub tell of it.
func (r *rig) write(login, body string) map[string]any {
	r.t.Helper()
	r.hub.mu.Lock()
	c := r.hub.comment(1, user(login), body, r.Clock.Now())
	issue := r.hub.issues[0]
	r.hub.mu.Unlock()
	r.tell("issue_comment", map[string]any{"action": "created", "issue": issue, "comment": c, "sender": user(login)})
	return c
}

func (r *rig) again(p gateway.Process) gateway.Process {
	r.t.Helper()
	p, err := r.c.Process(r.t.Context(), p.ID)
	require.NoError(r.t, err)
	return p
}

func outcome(t *testing.T, p gateway.Process) vote.Outcome {
	t.Helper()
	var out vote.Outcome
	require.NoError(t, p.DecodeOutcome(&out), "%s %s", p.Status, p.Reason)
	return out
}

func counts(p gateway.Process) map[string]int64 {
	out := map[string]int64{}
	for _, c := range p.Counts {
		out[c.Choice] += c.Ballots
	}
	return out
}

// start begins a vote that closes in an hour.
func (r *rig) start(name string, a vote.Ask, change func(*github.Place)) gateway.Process {
	r.t.Helper()
	closing := r.Clock.Now().Add(time.Hour)
	a.ClosingAt = &closing
	var place github.Place
	if change != nil {
		change(&place)
	}
	var in any = github.ReactVote{Ask: a, Place: place}
	if name == "issue-comment-vote" {
		in = github.CommentVote{Ask: a, Place: place}
	}
	p, err := r.inst.Start(r.t.Context(), name, in)
	require.NoError(r.t, err)
	return p
}
