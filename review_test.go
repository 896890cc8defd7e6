package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
)

func TestPanicDoesNotLogTheHookToken(t *testing.T) {
	r := newRig(t, gateway.Options{PublicURL: "https://gov.example"})
	plain := gateway.Define("plain", "Greets badly.", func(_ context.Context, i *gateway.Instance, _ struct{}) (*tiny, error) { return &tiny{i}, nil },
		gateway.Webhook[*tiny, string]{
			Unsigned: true,
			Parse:    func(*gateway.Delivery) (string, error) { return "", nil },
			Greet:    func(string) (gateway.Reply, bool) { panic("greet") },
		})
	r.again(plain)
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	inst, err := c.Enable(t.Context(), "plain", nil)
	require.NoError(t, err)
	url, err := inst.WebhookURL(t.Context())
	require.NoError(t, err)
	path := strings.TrimPrefix(url, "https://gov.example")
	require.Equal(t, 500, r.request(path, "{}").Code)
	require.Contains(t, r.logs.String(), "panic: greet")
	require.NotContains(t, r.logs.String(), path[strings.LastIndex(path, "/")+1:])
}

func TestRepeatedSuccessIsNoFailedAttempt(t *testing.T) {
	r := newRig(t, gateway.Options{})
	fails := false
	r.again(defineTiny(gateway.PollFunc("look", time.Minute, func(*tiny, context.Context) error {
		if fails {
			return errBoom
		}
		return nil
	})))
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "tiny", nil)
	require.NoError(t, err)
	for range 30 {
		r.wait(time.Hour + time.Minute)
	}
	for _, task := range r.tasks(store.TaskQuery{}) {
		require.Zero(t, task.Attempts, "%s ran without an error", task.Kind)
	}
	fails = true
	r.wait(2 * time.Minute)
	polls := r.tasks(store.TaskQuery{Kind: "poll"})
	require.Len(t, polls, 1)
	require.Less(t, polls[0].Due.Sub(r.clock.now()), 2*time.Second, "the first failure is tried again soon")
}

func TestUninstalledWorkspacesTakeNoRoomFromInstances(t *testing.T) {
	r := newRig(t, gateway.Options{MaxParked: 1})
	_, inst := r.town("a", "S1")
	e := r.listen("driver")
	for i := range 20 {
		r.says(fmt.Sprintf("unknown%d", i), fmt.Sprint("u", i), "hi")
	}
	require.Len(t, r.tasks(store.TaskQuery{Kind: "inbox", Parked: true}), 10, "no more room in all")
	long := "hi" + strings.Repeat("i", 70<<10)
	r.api.on("post", func(context.Context) error { r.says("S1", "m1", long); return nil })
	_, err := gateway.Do[posted](t.Context(), inst, "careful", post{Text: long})
	require.NoError(t, err)
	r.due()
	require.Equal(t, []string{long}, e.texts(), "what waited for the end of a call is not dropped")
}

func TestLookingForAnInterruptedCallFails(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	interrupted(t, r, inst, "careful", "hi", "order-1", func() {})
	r.again()
	inst, err := c.Instance(ctx, "forum")
	require.NoError(t, err)
	r.api.fails("look", gateway.Errorf(gateway.Unavailable, "down"))
	for range 2 {
		_, err = inst.Do(ctx, "careful", post{Text: "hi"}, gateway.Once("order-1"))
		require.ErrorIs(t, err, gateway.Unavailable)
	}
	r.api.on("look", nil)
	out, err := gateway.Do[posted](ctx, inst, "careful", post{Text: "hi"}, gateway.Once("order-1"))
	require.NoError(t, err)
	require.Equal(t, "found hi", out.ID, "that there was nothing to be seen does not mean that it did not happen")
	require.Empty(t, r.api.lines("post"))
}

func TestForgottenCallbackStaysForgotten(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := newRig(t, gateway.Options{})
	r.town("a", "S1")
	first, second := make(chan string, 10), make(chan string, 10)
	hears := func(c chan string) func(context.Context, *gateway.Community, gateway.Event) error {
		return func(_ context.Context, _ *gateway.Community, e gateway.Event) error { c <- textOf(e); return nil }
	}
	require.NoError(t, r.OnEvent(ctx, "driver", hears(first)))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	defer func() { cancel(); require.NoError(t, <-done) }()
	r.says("S1", "m1", "one")
	require.Equal(t, "one", <-first)
	require.NoError(t, r.Forget(ctx, "driver"))
	require.NoError(t, r.OnEvent(ctx, "driver", hears(second)))
	r.says("S1", "m2", "two")
	select {
	case got := <-second:
		require.Equal(t, "two", got)
	case got := <-first:
		require.Fail(t, "the forgotten callback heard", got)
	}
}

func TestPollsOfEarlierInstances(t *testing.T) {
	r := newRig(t, gateway.Options{})
	n := 0
	without, with := defineTiny(), defineTiny(gateway.PollFunc("look", time.Minute, func(*tiny, context.Context) error { n++; return nil }))
	r.again(without)
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "tiny", nil)
	require.NoError(t, err)
	r.due()
	r.again(with)
	r.due()
	require.Equal(t, 1, n, "a new version polls for the instances that are there")
	r.again(without)
	r.wait(2 * time.Minute)
	r.again(with)
	r.due()
	require.Equal(t, 2, n, "also after the version that does not was back for a while")
	r.again(with)
	r.due()
	require.Equal(t, 2, n, "a restart does not poll sooner")
}

func TestParkedByAnOlderProgram(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.again(defineTiny(gateway.ProcessFunc("task", "A task.", (*stateV2).Start, gateway.Version(2))))
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	inst, err := c.Enable(t.Context(), "tiny", nil)
	require.NoError(t, err)
	p, err := inst.Start(t.Context(), "task", post{Text: "x"})
	require.NoError(t, err)
	ended := make(chan gateway.Status, 10)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, r.OnProcess(ctx, "driver", func(_ context.Context, _ *gateway.Community, p gateway.Process) error {
		ended <- p.Status
		return nil
	}))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	defer func() { cancel(); require.NoError(t, <-done) }()
	require.Eventually(t, func() bool { return len(r.tasks(store.TaskQuery{Kind: "tidy"})) == 1 }, 10*time.Second, time.Millisecond, "it has prepared to run")
	// The older program claims the closing, and cannot do it.
	require.NoError(t, r.store.Update(ctx, func(tx store.Tx) error {
		task, err := tx.Task("process.close", p.ID)
		if err != nil {
			return err
		}
		return tx.Park(task, "plugin:tiny", "the version is missing")
	}))
	r.clock.advance(2 * time.Hour)
	for status := range ended {
		if status == gateway.StatusCompleted {
			break
		}
	}
	require.Equal(t, gateway.StatusCompleted, r.process(c, p.ID).Status)
}

func TestUnreadableStateIsNoAbsence(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.again(defineTiny(gateway.ActionFunc("read", "Reads.", func(i *tiny, ctx context.Context, _ struct{}) (posted, error) {
		if err := gateway.Key[string]("k").Put(ctx, i, "text"); err != nil {
			return posted{}, err
		}
		_, get := gateway.Key[int]("k").Get(ctx, i)
		_, update := gateway.Key[int]("k").Update(ctx, i, func(n int) (int, error) { return n, nil })
		return posted{ID: string(gateway.CodeOf(get) + " " + gateway.CodeOf(update))}, nil
	})))
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	inst, err := c.Enable(t.Context(), "tiny", nil)
	require.NoError(t, err)
	out, err := gateway.Do[posted](t.Context(), inst, "read", nil)
	require.NoError(t, err)
	require.Equal(t, "internal internal", out.ID, "trying again would not help")
}

func TestSecretsThatCannotBeOpened(t *testing.T) {
	r := newRig(t, gateway.Options{PublicURL: "https://gov.example"})
	plain := gateway.Define("plain", "Has a secret.", func(_ context.Context, i *gateway.Instance, _ tellsSecret) (*tiny, error) { return &tiny{i}, nil },
		gateway.Webhook[*tiny, string]{Unsigned: true, Parse: func(*gateway.Delivery) (string, error) { return "", nil }})
	r.again(plain)
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	inst, err := c.Enable(t.Context(), "plain", tellsSecret{"canary"})
	require.NoError(t, err)
	url, err := inst.WebhookURL(t.Context())
	require.NoError(t, err)
	r.o.Seal = newSeal(t, gateway.NewSealKey())
	r.again(plain)
	w := r.request(strings.TrimPrefix(url, "https://gov.example"), "{}")
	require.Equal(t, 503, w.Code, "the platform is to deliver again")
	require.NotContains(t, w.Body.String(), "Seal")
	require.Contains(t, r.logs.String(), "none of the keys")
}

type tellsSecret struct {
	Key gateway.Secret `json:"key" jsonschema_description:"A key."`
}

func TestInputsKeepNoSecrets(t *testing.T) {
	require.PanicsWithValue(t, `gateway.Define("tiny"): process task: its input holds a gateway.Secret and is kept as it is; secrets belong in the configuration`, func() {
		defineTiny(gateway.ProcessFunc("task", "A task.", func(*stateV1, context.Context, *tinyRun, tellsSecret) error { return nil }))
	})
	file := t.TempDir() + "/gateway.db"
	s, err := sqlite.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	r := newRig(t, gateway.Options{Store: s})
	r.again(defineTiny(gateway.ActionFunc("tell", "Tells.", func(*tiny, context.Context, tellsSecret) (posted, error) { return posted{ID: "1"}, nil })))
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	inst, err := c.Enable(t.Context(), "tiny", nil)
	require.NoError(t, err)
	_, err = inst.Do(t.Context(), "tell", tellsSecret{"canary"}, gateway.Once("o"))
	require.NoError(t, err)
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		call, err := tx.CallByOnce("a", "o")
		require.NotContains(t, string(call.Input), "canary")
		return err
	}))
}

func TestOnceLastsAsLongAsItsVote(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{Retain: 7 * 24 * time.Hour})
	_, inst := r.town("a", "S1")
	ask := voteAsk()
	end := r.clock.now().Add(20 * 24 * time.Hour)
	ask.ClosingAt = &end
	first := r.poll(inst, ask, gateway.Once("vote"))
	for range 30 {
		r.wait(12 * time.Hour)
	}
	again, err := inst.Start(ctx, "poll", json.RawMessage(`{"title":"Lunch?","poll_type":"boolean"}`), gateway.Once("vote"))
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID, "it runs still")
}

func TestStartInARemovedInstance(t *testing.T) {
	f := &removing{Store: memory.New()}
	r := newRig(t, gateway.Options{Store: f})
	c, inst := r.town("a", "S1")
	// It is removed between the look at the instance and the start.
	f.on = func() { require.NoError(t, inst.Remove(t.Context())) }
	_, err := inst.Start(t.Context(), "poll", poll{voteAsk()})
	require.ErrorIs(t, err, gateway.NotFound)
	all, err := c.Processes(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, all, "no process that nobody would ever end")
}

// removing does something before its next Update.
type removing struct {
	store.Store
	on func()
}

func (s *removing) Update(ctx context.Context, fn func(store.Tx) error) error {
	if on := s.on; on != nil {
		s.on = nil
		on()
	}
	return s.Store.Update(ctx, fn)
}
