package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/storetest"
	"github.com/metagov/gateway-go/vote"
)

// platform is a server that the forum's code may call with an instance's client.
type platform struct {
	*httptest.Server
	status int
}

func newPlatform(t *testing.T) *platform {
	p := &platform{status: http.StatusOK}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(p.status) }))
	t.Cleanup(p.Close)
	return p
}

// calls has the forum call these paths of the platform.
func (p *platform) calls(inst *gateway.Instance, paths ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, path := range paths {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+path, strings.NewReader(`{"canary":"body"}`))
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer canary-authorization")
			resp, err := inst.HTTP.Do(req)
			if err != nil {
				return err
			}
			if err := resp.Body.Close(); err != nil {
				return err
			}
		}
		return nil
	}
}

// record reads a whole audit record, and checks that it holds.
func (r *rig) record(c *gateway.Community, q gateway.AuditQuery) []gateway.AuditEntry {
	r.t.Helper()
	check, err := c.VerifyAudit(r.t.Context())
	require.NoError(r.t, err)
	require.True(r.t, check.Holds(), check)
	out, err := c.Audit(r.t.Context(), q, 0, 1000)
	require.NoError(r.t, err)
	return out
}

func kinds(es []gateway.AuditEntry) []string {
	out := []string{}
	for _, e := range es {
		out = append(out, e.Kind)
	}
	return out
}

type auditData struct {
	Name, Result, Code string
	Calls              []gateway.PlatformCall
	More               int    `json:"more_calls"`
	Outcome            string `json:"outcome_sha256"`
	Fields             []string
	Rule               struct{ Quorum, Eligible int }
	By, User           string
	Turnout            vote.Turnout
}

func dataOf(t *testing.T, e gateway.AuditEntry) (d auditData) {
	t.Helper()
	require.NoError(t, json.Unmarshal(e.Data, &d), string(e.Data))
	return d
}

func TestAuditOfAVoteAndWhatFollows(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		p := newPlatform(t)
		c, inst := r.town("town", "S1")
		other, _ := r.town("village", "S2")
		r.api.on("post", p.calls(inst, "/api/chat.postMessage"))
		require.NoError(t, r.OnProcess(t.Context(), "policy", func(ctx context.Context, c *gateway.Community, p gateway.Process) error {
			if p.Status != gateway.StatusCompleted {
				return nil
			}
			ctx = gateway.WithReason(ctx, gateway.Reason{By: "policy 7", Rule: "bylaws 3"})
			_, err := inst.Do(ctx, "post", post{Text: "passed"})
			return err
		}))
		// A proposal on the platform begins a vote.
		require.NoError(t, r.OnEvent(t.Context(), "proposals", func(ctx context.Context, c *gateway.Community, e gateway.Event) error {
			_, err := inst.Start(gateway.WithReason(ctx, gateway.Reason{By: "ann"}), "poll", poll{vote.Ask{Title: "Lunch?", Quorum: 2, EligibleVoters: []string{"u1", "u2", "u3"}}}, gateway.Once("lunch"))
			return err
		}))
		r.says("S1", "m1", "let us vote")
		r.due()
		ps, err := c.Processes(t.Context(), "", 0)
		require.NoError(t, err)
		require.Len(t, ps, 1)
		for _, u := range []string{"u1", "u2"} {
			require.Equal(t, http.StatusOK, r.click(ps[0].ID, u, "yes").Code)
		}
		r.wait(2 * time.Second)
		before := len(r.record(c, gateway.AuditQuery{}))
		require.Equal(t, http.StatusOK, r.click(ps[0].ID, "u3", "no").Code)
		require.Len(t, r.record(c, gateway.AuditQuery{}), before, "a ballot is in the ballots")
		_, err = c.Close(gateway.WithReason(t.Context(), gateway.Reason{By: "bob", Text: "all have voted"}), ps[0].ID)
		require.NoError(t, err)
		r.wait(2 * time.Second)

		events, err := c.Events(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Len(t, events, 1)
		delivery := events[0].Delivery
		all := r.record(c, gateway.AuditQuery{})
		require.Equal(t, []string{gateway.AuditCommunity, gateway.AuditEnabled, gateway.AuditStarted, gateway.AuditClosed, gateway.AuditCompleted, gateway.AuditAction}, kinds(all))
		started, closed, completed, action := all[2], all[3], all[4], all[5]
		require.Equal(t, 2, dataOf(t, started).Rule.Quorum)
		require.Equal(t, 3, dataOf(t, started).Rule.Eligible)
		require.Equal(t, "ann", started.By)
		require.Equal(t, events[0].Seq, started.Event)
		require.Equal(t, "bob", closed.By)
		require.Equal(t, "all have voted", closed.Text)
		require.Equal(t, "driver", dataOf(t, closed).By)
		require.Equal(t, "passed", dataOf(t, completed).Result)
		require.EqualValues(t, 3, dataOf(t, completed).Turnout.Voters)
		require.NotContains(t, string(completed.Data), "u1", "who voted for what is in the ballots")
		require.Equal(t, "policy 7", action.By)
		require.Equal(t, "bylaws 3", action.Rule)
		require.Equal(t, ps[0].ID, action.Decision, "on whose votes")
		require.NotZero(t, action.Event)
		require.Equal(t, "done", dataOf(t, action).Result)
		require.Equal(t, []gateway.PlatformCall{{Method: "POST", Host: strings.TrimPrefix(p.URL, "http://"), Path: "/api/chat.postMessage", Status: 200}}, timeless(dataOf(t, action).Calls))
		for _, e := range []gateway.AuditEntry{started, closed, completed, action} {
			require.Equal(t, delivery, e.Correlation, e.Kind)
		}
		require.Equal(t, []string{gateway.AuditStarted, gateway.AuditClosed, gateway.AuditCompleted, gateway.AuditAction}, kinds(r.record(c, gateway.AuditQuery{Process: ps[0].ID})))
		require.Len(t, r.record(c, gateway.AuditQuery{Correlation: delivery, Kinds: []string{gateway.AuditAction}}), 1)
		require.Equal(t, []string{gateway.AuditCommunity, gateway.AuditEnabled}, kinds(r.record(other, gateway.AuditQuery{})), "of another community nothing is seen")
	})
}

func timeless(calls []gateway.PlatformCall) []gateway.PlatformCall {
	for i := range calls {
		calls[i].Millis = 0
	}
	return calls
}

func TestAuditOfActions(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		p := newPlatform(t)
		c, inst := r.town("town", "S1")
		actions := func() []gateway.AuditEntry {
			return r.record(c, gateway.AuditQuery{Kinds: []string{gateway.AuditAction}})
		}

		_, err := inst.Do(t.Context(), "post", post{Text: "quiet"})
		require.NoError(t, err)
		require.Empty(t, actions(), "no effect outside, no entry")

		var many []string
		for range 53 {
			many = append(many, "/x")
		}
		r.api.on("post", p.calls(inst, many...))
		_, err = inst.Do(t.Context(), "post", post{Text: "loud"})
		require.NoError(t, err)
		d := dataOf(t, actions()[0])
		require.Len(t, d.Calls, 50)
		require.Equal(t, 3, d.More)

		r.api.on("post", func(ctx context.Context) error {
			if err := p.calls(inst, "/api/refused")(ctx); err != nil {
				return err
			}
			return gateway.Errorf(gateway.Denied, "canary-error-text")
		})
		_, err = inst.Do(t.Context(), "post", post{Text: "refused"})
		require.ErrorIs(t, err, gateway.Denied)
		last := actions()[1]
		require.Equal(t, "failed", dataOf(t, last).Result)
		require.Equal(t, "denied", dataOf(t, last).Code)
		require.NotContains(t, string(last.Data), "canary")

		r.api.on("post", func(ctx context.Context) error { return context.DeadlineExceeded })
		_, err = inst.Do(t.Context(), "careful", post{Text: "lost"}, gateway.Once("lost"))
		require.ErrorIs(t, err, gateway.Unknown)
		last = actions()[2]
		require.Equal(t, "unknown", dataOf(t, last).Result)
		_, err = inst.Do(t.Context(), "careful", post{Text: "lost"}, gateway.Once("lost"))
		require.NoError(t, err)
		require.Len(t, actions(), 4)
		require.Equal(t, last.Call, actions()[3].Call, "another attempt of the same call")
		_, err = inst.Do(t.Context(), "careful", post{Text: "lost"}, gateway.Once("lost"))
		require.NoError(t, err)
		require.Len(t, actions(), 4, "the first answer, given again, is no action")
	})
}

func TestAuditOfACommandAndAFailure(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		p := newPlatform(t)
		c, inst := r.town("town", "S1")
		v := r.poll(inst, vote.Ask{})
		for _, once := range [][]gateway.DoOption{nil, {gateway.Once("more time")}} {
			_, err := c.Command(gateway.WithReason(t.Context(), gateway.Reason{By: "bob"}), v.ID, "extend", extension{Minutes: 5}, once...)
			require.NoError(t, err)
		}
		commands := r.record(c, gateway.AuditQuery{Process: v.ID, Kinds: []string{gateway.AuditCommand}})
		require.Len(t, commands, 2)
		require.Equal(t, "bob", commands[0].By)
		require.Equal(t, commands[0].Call, commands[0].Correlation, "it began with the driver")
		r.api.on("extend", func(ctx context.Context) error { return errors.Join(p.calls(inst, "/x")(ctx), errBoom) })
		_, err := c.Command(t.Context(), v.ID, "extend", extension{Minutes: 5})
		require.ErrorIs(t, err, errBoom)
		commands = r.record(c, gateway.AuditQuery{Process: v.ID, Kinds: []string{gateway.AuditCommand}})
		require.Len(t, commands, 3)
		require.Equal(t, "failed", dataOf(t, commands[2]).Result)

		r.api.on("start", p.calls(inst, "/api/start"))
		v = r.poll(inst, vote.Ask{})
		require.Equal(t, []string{gateway.AuditStarted, gateway.AuditStep}, kinds(r.record(c, gateway.AuditQuery{Process: v.ID})))
		require.NoError(t, inst.Pause(t.Context(), "holidays"))
		require.NoError(t, inst.Pause(t.Context(), "holidays"))
		require.NoError(t, inst.Resume(t.Context()))
		require.NoError(t, inst.Reconfigure(t.Context(), forumConfig{Site: "S1", Token: "canary", Motto: "new"}))
		require.NoError(t, inst.Reconfigure(t.Context(), forumConfig{Site: "S1", Token: "canary", Motto: "new"}))
		require.NoError(t, inst.Reconfigure(t.Context(), forumConfig{Site: "S1", Token: "canary-two", Motto: "new"}))
		require.NoError(t, inst.Remove(t.Context()))
		all := r.record(c, gateway.AuditQuery{Instance: inst.ID()})
		require.Equal(t, []string{
			gateway.AuditPaused, gateway.AuditResumed, gateway.AuditReconfigured, gateway.AuditReconfigured, gateway.AuditFailed, gateway.AuditFailed, gateway.AuditRemoved,
		}, kinds(all)[len(all)-7:])
		require.Equal(t, []string{"motto"}, dataOf(t, all[len(all)-5]).Fields)
		require.Equal(t, []string{"token"}, dataOf(t, all[len(all)-4]).Fields)
	})
}

// Nothing that is a secret is in an audit record, wherever it could have come from.
func TestAuditHasNoSecrets(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newOAuthRig(t, s)
		p := newPlatform(t)
		c, inst := r.town("town", "S1")
		token := "Canary" + strings.Repeat("x7Q", 8)
		for _, path := range []string{
			"/services/T012CANARY/B034/" + token, "/api/webhooks/123456789012345678/" + token + "/messages", "/bot123456:" + token + "/sendMessage",
			"/hook/canarycanarycanarycanary", "/x?token=" + token, "/%63anary%20canary", "/" + strings.Repeat("canary-", 9), "/canary1", "/0123456789abcdefcanary",
		} {
			r.api.on("post", p.calls(inst, path))
			_, err := inst.Do(t.Context(), "post", post{Text: "canary-input"})
			require.NoError(t, err)
		}
		require.NoError(t, inst.Reconfigure(t.Context(), forumConfig{Site: "S1", Token: gateway.Secret("canary-" + token)}))
		br := r.browser()
		to := br.comesBack(br.consent(gateway.AuthRequest{Type: gateway.Install, Community: "town", Redirect: driver, State: "canary-state"}))
		require.Empty(t, to.Query().Get("error"))
		all := r.record(c, gateway.AuditQuery{By: "forum:u1"})
		require.Equal(t, []string{gateway.AuditReconfigured, gateway.AuditLinked}, kinds(all))
		require.Equal(t, "oauth", all[0].Rule)
		var b bytes.Buffer
		require.NoError(t, c.ExportAudit(t.Context(), &b))
		require.NotContains(t, strings.ToLower(b.String()), "canary")
		require.Contains(t, b.String(), `/api/webhooks/123456789012345678/…/messages`)
		require.Contains(t, b.String(), `/…/sendMessage`)
	})
}

// An entry and what it says are kept together, or neither.
func TestAuditIsInTheTransaction(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		f := storetest.NewFaulty(s)
		r := newRig(t, gateway.Options{Store: f})
		p := newPlatform(t)
		c, inst := r.town("town", "S1")
		v := r.poll(inst, vote.Ask{})
		n := len(r.record(c, gateway.AuditQuery{}))
		for name, do := range map[string]func() error{
			"create": func() error { _, err := r.CreateCommunity(t.Context(), "new", ""); return err },
			"set": func() error {
				return c.SetSettings(t.Context(), gateway.Settings{Forget: []gateway.Forget{{Type: "x"}}})
			},
			"pause":   func() error { return inst.Pause(t.Context(), "x") },
			"start":   func() error { _, err := inst.Start(t.Context(), "poll", poll{vote.Ask{Title: "?"}}); return err },
			"command": func() error { _, err := c.Command(t.Context(), v.ID, "extend", extension{Minutes: 1}); return err },
			"remove":  func() error { return inst.Remove(t.Context()) },
		} {
			if name == "command" { // the first update takes the lease
				f.BeforeCommit(2, nil)
			} else {
				f.BeforeCommit(1, nil)
			}
			if name == "remove" {
				require.Error(t, do())
				continue
			}
			require.Error(t, do(), name)
			require.Len(t, r.record(c, gateway.AuditQuery{}), n, name)
		}
		r.api.on("post", p.calls(inst, "/x"))
		f.BeforeCommit(1, nil)
		_, err := inst.Do(t.Context(), "post", post{Text: "hi"})
		require.ErrorIs(t, err, gateway.Unknown, "it happened, and could not be written down")
	})
}

func TestAuditOutlivesWhatItIsAbout(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s), RetainAudit: 100 * 24 * time.Hour})
		c, inst := r.town("town", "S1")
		v := r.poll(inst, vote.Ask{})
		_, err := c.Close(t.Context(), v.ID)
		require.NoError(t, err)
		r.wait(50 * 24 * time.Hour)
		r.wait(2 * time.Hour)
		_, err = c.Process(t.Context(), v.ID)
		require.ErrorIs(t, err, gateway.NotFound)
		require.Len(t, r.record(c, gateway.AuditQuery{Process: v.ID}), 3)
		require.NoError(t, inst.Pause(t.Context(), "x"))
		old, err := c.VerifyAudit(t.Context())
		require.NoError(t, err)
		r.wait(60 * 24 * time.Hour)
		r.wait(2 * time.Hour)
		left := r.record(c, gateway.AuditQuery{})
		require.Equal(t, []string{gateway.AuditPaused}, kinds(left))
		check, err := c.VerifyAudit(t.Context(), gateway.AuditMark{Seq: old.Last, Hash: old.Head})
		require.NoError(t, err)
		require.True(t, check.Holds(), check)
		require.Equal(t, old.Last, check.First)
		r.wait(200 * 24 * time.Hour)
		r.wait(2 * time.Hour)
		require.Empty(t, r.record(c, gateway.AuditQuery{}))
		require.NoError(t, inst.Resume(t.Context()))
		require.Equal(t, old.Last+1, r.record(c, gateway.AuditQuery{})[0].Seq, "the chain goes on")
	})
}

func TestAuditOfDeadLetters(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		c, _ := r.town("town", "S1")
		require.NoError(t, r.OnEvent(t.Context(), "bad", func(context.Context, *gateway.Community, gateway.Event) error { return errors.New("canary") }))
		r.api.fails("handle", errors.New("canary"))
		r.says("S1", "m1", "hello")
		require.Equal(t, http.StatusOK, r.deliver(forumMessage{ID: "m2", Site: "S1", Kind: "slow", Text: "later"}).Code)
		for range 30 {
			r.wait(20 * time.Minute)
		}
		dead := r.record(c, gateway.AuditQuery{Kinds: []string{gateway.AuditDead, gateway.AuditGivenUp}})
		require.ElementsMatch(t, []string{gateway.AuditDead, gateway.AuditGivenUp}, kinds(dead))
		for _, e := range dead {
			require.NotContains(t, string(e.Data), "canary")
			require.NotEmpty(t, e.Correlation)
		}
	})
}

func TestExportFails(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, _ := r.town("town", "S1")
	pr, pw := io.Pipe()
	require.NoError(t, pr.Close())
	require.Error(t, c.ExportAudit(t.Context(), pw))
}
