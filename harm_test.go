package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// harm is a case of TestHarm: some code of one community's that panics or hangs.
type harm struct {
	hook string                               // of the forum's that does it
	do   func(ctx context.Context, h *harmed) // what brings it about; on a goroutine of its own
}

type harmed struct {
	*patient
	bad     *gateway.Community
	inst    *gateway.Instance
	process gateway.Process
	task    gateway.Process
}

// tell delivers a message to a site.
func (p *patient) tell(m forumMessage) int {
	m.At = time.Now()
	body, _ := json.Marshal(m)
	return p.request("/api/hooks/forum", string(body), "X-Time", time.Now().Format(time.RFC3339)).Code
}

func harms() map[string]harm {
	tell := func(kind string) func(context.Context, *harmed) {
		return func(_ context.Context, h *harmed) {
			h.tell(forumMessage{ID: "bad-" + kind, Site: "S1", Kind: kind, User: "u1", Text: "x", Process: h.process.ID})
		}
	}
	return map[string]harm{
		"action": {"post", func(ctx context.Context, h *harmed) { _, _ = h.inst.Do(ctx, "post", post{Text: "bad"}) }},
		"named action": {"post", func(ctx context.Context, h *harmed) {
			_, _ = h.inst.Do(ctx, "post", post{Text: "bad"}, gateway.Once("x"))
		}},
		"choices": {"channels", func(ctx context.Context, h *harmed) { _, _ = h.inst.Choices(ctx, "channels", "") }},
		"command": {"extend", func(ctx context.Context, h *harmed) { _, _ = h.bad.Command(ctx, h.process.ID, "extend", extension{1}) }},
		"route":   {"route trouble", tell("trouble")},
		"handle":  {"handle", tell("slow")},
		"answer":  {"answer", tell("then")},
		"start":   {"start", func(ctx context.Context, h *harmed) { _, _ = h.inst.Start(ctx, "poll", poll{vote.Ask{Title: "bad"}}) }},
		"update":  {"update", func(context.Context, *harmed) { time.Sleep(2 * time.Minute) }},
		"close":   {"close", func(ctx context.Context, h *harmed) { _, _ = h.bad.Close(ctx, h.task.ID) }},
		"show": {"show", func(ctx context.Context, h *harmed) {
			_, _ = h.bad.Cast(ctx, h.process.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}})
		}},
		"poll":     {"poll", func(context.Context, *harmed) { time.Sleep(2 * time.Minute) }},
		"source":   {"source", func(context.Context, *harmed) {}},
		"callback": {"callback", tell("message")},
		"configure": {"configure", func(ctx context.Context, h *harmed) {
			_, _ = h.bad.Enable(ctx, "forum", forumConfig{Site: "S1", Motto: "new"})
		}},
		"exchange": {"exchange", func(ctx context.Context, h *harmed) {
			b := h.browser()
			b.comesBack(b.consent(gateway.AuthRequest{Type: gateway.Install, Redirect: driver}))
		}},
		"open": {"open S1", func(ctx context.Context, h *harmed) {
			_, _ = h.bad.Enable(ctx, "forum", forumConfig{Site: "S1", Motto: "new"})
			_, _ = h.inst.Do(ctx, "post", post{Text: "bad"})
		}},
	}
}

// Whatever code of one community panics, or hangs and does not listen to its context: another's goes on, at most a little later. A panic is in the
// log with its stack, once each time.
func TestHarm(t *testing.T) {
	for name, c := range harms() {
		for _, how := range []string{"panics", "hangs"} {
			stores := []string{"memory", "sqlite"}
			if how == "hangs" {
				stores = stores[:1] // the store has no part in that, and time on SQLite is slow
			}
			t.Run(name+" "+how, func(t *testing.T) { patientsOn(t, func(p *patient) { suffer(p, c, how) }, stores...) })
		}
	}
}

func suffer(p *patient, c harm, how string) {
	t, ctx := p.t, context.Background()
	leave := make(chan struct{})
	var once sync.Once
	reached := make(chan struct{})
	trouble := func(context.Context) error {
		once.Do(func() { close(reached) })
		if how == "panics" {
			panic("canary")
		}
		<-leave // whatever its context says
		return nil
	}
	p.o.PublicURL, p.o.OAuth = "https://gov.example/gw/", gateway.OAuthOptions{Redirects: []string{driver}}
	p.api.grant = func(gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
		return gateway.Grant[forumConfig]{}, errBoom
	}
	p.again(newForum(p.api,
		gateway.PollFunc("look", time.Minute, func(f *forum, ctx context.Context) error {
			if f.config.Site == "S1" {
				return p.api.trouble(ctx, "poll")
			}
			return p.api.do(ctx, "look", "look "+f.config.Site)
		}),
		gateway.SourceFunc[*forum]("stream", func(ctx context.Context, _ *gateway.Source) error {
			if err := p.api.trouble(ctx, "source"); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}),
	))
	bad, inst := p.town("bad", "S1")
	good, ok := p.town("good", "S2")
	h := &harmed{patient: p, bad: bad, inst: inst, process: p.poll(inst, voteAsk())}
	var err error
	h.task, err = inst.Start(ctx, "task", post{Text: "task"})
	require.NoError(t, err)
	at := time.Now().Add(150 * time.Second)
	vote := p.poll(ok, vote.Ask{Title: "Good?", ClosingAt: &at})
	heard := make(chan string, 100)
	require.NoError(t, p.OnEvent(ctx, "driver", func(ctx context.Context, c *gateway.Community, e gateway.Event) error {
		if c.Slug() == "bad" {
			return p.api.trouble(ctx, "callback")
		}
		heard <- textOf(e)
		return nil
	}))
	if strings.HasPrefix(c.hook, "source") {
		p.api.on(c.hook, trouble)
	}
	stop := running(t, p.Gateway)
	time.Sleep(time.Second)
	p.api.on(c.hook, trouble)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }() // what panics on its caller's goroutine is its caller's
		c.do(ctx, h)
	}()
	<-reached
	if c.hook == "post" || c.hook == "start" || c.hook == "show" || c.hook == "handle" || c.hook == "channels" || c.hook == "extend" || c.hook == "configure" {
		p.api.on(c.hook, nil) // those that are there already have it; the other community's shall work
	}

	for i := range 3 {
		began, text := time.Now(), fmt.Sprint("good", i)
		require.Equal(t, 200, p.tell(forumMessage{ID: text, Site: "S2", Kind: "message", User: "u1", Text: text}))
		require.Equal(t, text, <-heard)
		require.Equal(t, 200, p.tell(forumMessage{ID: "c" + text, Site: "S2", Kind: "click", User: "u1", Text: "yes", Process: vote.ID}))
		_, err = ok.Do(ctx, "post", post{Text: text})
		require.NoError(t, err)
		require.Less(t, time.Since(began), 3*time.Second, "it notices nothing, or little")
	}
	if wait := time.Until(at); wait > 0 {
		time.Sleep(wait)
	}
	time.Sleep(3 * time.Second)
	got := p.process(good, vote.ID)
	require.Equal(t, gateway.StatusCompleted, got.Status, "its vote is closed in time")
	require.EqualValues(t, 1, p.outcome(got).Turnout.Voters)
	require.NotEmpty(t, p.api.lines("look S2"))
	if how == "panics" {
		require.Contains(t, p.logs.String(), "harm_test.go", "the stack says where it was")
	}
	close(leave)
	<-done
	p.api.on(c.hook, nil)
	time.Sleep(10 * time.Second)
	stop()
}

// The same for code that runs inside a transaction, for which everybody waits: it is left behind, and then its instance is left alone for a
// while. In real time, for whoever waits for a transaction stops a bubble's.
func TestHarmInsideATransaction(t *testing.T) {
	for name, hook := range map[string]string{"receive": "receive trouble", "process": "process", "open": "open S1"} {
		for _, how := range []string{"panics", "hangs"} {
			t.Run(name+" "+how, func(t *testing.T) {
				eachStore(t, func(t *testing.T, s store.Store) {
					r := newRig(t, gateway.Options{Store: s})
					bad, inst := r.town("bad", "S1")
					r.town("good", "S2")
					p := r.poll(inst, voteAsk())
					heard := r.listen("driver", gateway.Filter{Community: "good"})
					if name == "open" { // by the delivery
						require.NoError(t, inst.Pause(t.Context(), "a moment"))
						require.NoError(t, inst.Resume(t.Context()))
					}
					leave := make(chan struct{})
					var reached atomic.Int32
					r.api.on(hook, func(context.Context) error {
						reached.Add(1)
						if how == "panics" {
							panic("canary")
						}
						<-leave
						return nil
					})
					stop := running(t, r.Gateway)
					defer stop()
					began := time.Now()
					for i := range 3 {
						w := r.deliver(forumMessage{ID: fmt.Sprint("bad", i), Site: "S1", Kind: "trouble", User: "u1", Process: p.ID, At: r.clock.now()})
						require.Equal(t, 200, w.Code, "it is kept, and comes to its instance later")
						r.says("S2", fmt.Sprint("m", i), fmt.Sprint(i))
					}
					soon(t, "another community's events are heard", func() bool { return len(heard.texts()) == 3 })
					require.Less(t, time.Since(began), 4*time.Second)
					require.NotZero(t, reached.Load())
					if how == "panics" {
						require.Contains(t, r.logs.String(), "harm_test.go", "the stack says where it was")
					} else {
						require.EqualValues(t, 1, reached.Load(), "then it is left alone")
					}
					r.api.on(hook, nil)
					close(leave) // what was left behind does no harm when it comes back
					r.says("S2", "end", "end")
					soon(t, "the end is heard", func() bool { return len(heard.texts()) == 4 })
					require.Equal(t, gateway.StatusPending, r.process(bad, p.ID).Status)
				})
			})
		}
	}
}
