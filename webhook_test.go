package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// deliveries counts what is in the inbox, by looking for tasks and events.
func (r *rig) untouched(e *ears) {
	r.t.Helper()
	r.due()
	require.Empty(r.t, e.events)
	require.Empty(r.t, r.tasks(store.TaskQuery{Kind: "inbox"}))
}

func TestBadDeliveries(t *testing.T) {
	old := time.Date(2026, 1, 2, 2, 0, 0, 0, time.UTC).Format(time.RFC3339)
	good := `{"ID":"m1","Site":"S1","Kind":"message","User":"u1","Text":"hi"}`
	for name, c := range map[string]struct {
		path, body string
		header     []string
		status     int
	}{
		"no signature":        {"/api/hooks/forum", good, []string{"X-Signature", ""}, 401},
		"wrong signature":     {"/api/hooks/forum", good, []string{"X-Signature", "bad"}, 401},
		"old signature":       {"/api/hooks/forum", good, []string{"X-Time", old}, 401},
		"panic in Verify":     {"/api/hooks/forum", good, []string{"X-Signature", "panic"}, 401},
		"not JSON":            {"/api/hooks/forum", `{`, nil, 400},
		"empty":               {"/api/hooks/forum", ``, nil, 400},
		"a list":              {"/api/hooks/forum", `[1]`, nil, 400},
		"too deep":            {"/api/hooks/forum", strings.Repeat("[", 100_000), nil, 400},
		"panic in Parse":      {"/api/hooks/forum", `"panic"`, nil, 400},
		"too large":           {"/api/hooks/forum", `"` + strings.Repeat("x", 1<<20) + `"`, nil, 413},
		"unknown plugin":      {"/api/hooks/nope", good, nil, 404},
		"no such instance":    {"/api/hooks/town/forum", good, nil, 404},
		"instance of nothing": {"/api/hooks/nowhere/forum/token", good, nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, gateway.Options{})
			r.town("town", "S1")
			e := r.listen("driver")
			w := r.request(c.path, c.body, c.header...)
			require.Equal(t, c.status, w.Code, w.Body.String())
			r.untouched(e)
			require.NotContains(t, r.logs.String(), "canary")

			// The same fact is not used up by a delivery that was refused.
			require.Equal(t, 200, r.request("/api/hooks/forum", good).Code)
			r.due()
			require.Equal(t, []string{"hi"}, e.texts())
		})
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	r := newRig(t, gateway.Options{})
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, httptest.NewRequest(method, "/api/hooks/forum", nil))
		require.Equal(t, http.StatusMethodNotAllowed, w.Code, method)
	}
}

func TestTextThatIsNotUTF8(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.town("town", "S1")
		e := r.listen("driver")
		w := r.request("/api/hooks/forum", "{\"ID\":\"m\xff\",\"Site\":\"S1\",\"Kind\":\"message\",\"User\":\"\xfe\",\"Text\":\"a\xff\\u0000b\"}")
		require.Less(t, w.Code, 500, w.Body.String())
		r.due()
		require.Equal(t, []string{"a\ufffd\x00b"}, e.texts())
	})
}

// A fault in the plugin's routing is no reason to end the program or to forget a delivery: the platform is told to try again.
func TestPanicInRoute(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.town("town", "S1")
	require.Equal(t, 500, r.deliver(forumMessage{ID: "m1", Site: "S1", Kind: "lost"}).Code)
	require.Equal(t, 200, r.deliver(forumMessage{ID: "m1", Site: "S1", Kind: "message"}).Code)

	// What is asked for one instance is that instance's trouble: the delivery is kept.
	require.Equal(t, 200, r.deliver(forumMessage{ID: "m2", Site: "S1", Kind: "adrift"}).Code)
	require.Len(t, r.tasks(store.TaskQuery{Kind: "inbox"}), 1)
}

func TestGreetingKeepsNothing(t *testing.T) {
	r := newRig(t, gateway.Options{})
	w := r.deliver(forumMessage{ID: "m1", Kind: "ping"})
	require.Equal(t, 200, w.Code)
	require.Equal(t, `"pong"`, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Empty(t, r.tasks(store.TaskQuery{}))
	require.Equal(t, 401, r.request("/api/hooks/forum", `{"Kind":"ping"}`, "X-Signature", "").Code, "not even a greeting without a signature")
}

func TestDeliveredTwice(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.town("town", "S1")
		e := r.listen("driver")
		var wg sync.WaitGroup
		var mu sync.Mutex
		codes := map[int]int{}
		for range 50 {
			wg.Go(func() {
				w := r.deliver(forumMessage{ID: "m1", Site: "S1", Kind: "message", Text: "hi"})
				mu.Lock()
				defer mu.Unlock()
				codes[w.Code]++
			})
		}
		wg.Wait()
		require.Equal(t, map[int]int{200: 50}, codes)
		r.due()
		require.Equal(t, []string{"hi"}, e.texts())
		r.again() // nor after a restart
		require.Equal(t, 200, r.deliver(forumMessage{ID: "m1", Site: "S1", Kind: "message", Text: "hi"}).Code)
		c, err := r.Community(t.Context(), "town")
		require.NoError(t, err)
		all, err := c.Events(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Len(t, all, 1)
	})
}

// What an instance's own code does to the transaction is that instance's trouble: the delivery is kept and comes again.
func TestReceiveThatFails(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errBoom },
		"panic": func() error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, gateway.Options{})
			r.town("one", "S1")
			r.town("two", "S2")
			e := r.listen("driver")
			bad := true
			r.api.on("receive odd", func(ctx context.Context) error {
				f := ctx.Value(forumKey{}).(*forum)
				if err := f.Emit(ctx, "odd", gateway.Meta{}, []byte(`{"text":"`+f.Community()+`"}`)); err != nil {
					return err
				}
				if bad && f.Community() == "one" {
					return fail()
				}
				return nil
			})
			require.Equal(t, 200, r.deliver(forumMessage{ID: "m1", Sites: []string{"S1", "S2"}, Kind: "odd"}).Code)
			r.due()
			require.Equal(t, []string{"two"}, e.texts(), "what the failed one had emitted is gone with it")
			bad = false
			r.wait(10 * time.Second)
			require.Equal(t, []string{"two", "one"}, e.texts())
			r.wait(time.Hour)
			require.Len(t, e.texts(), 2)
		})
	}
}

func TestReceiveThatAlwaysFailsIsListedAndReplayed(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.town("town", "S1")
	e := r.listen("driver")
	tries := 0
	r.api.on("receive message", func(context.Context) error { tries++; return errBoom })
	r.says("S1", "m1", "hi")
	for range 20 {
		r.wait(time.Hour)
	}
	require.Equal(t, 1+12, tries, "once at the door, then as a task")
	waiting, err := r.Inbox(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	require.Equal(t, "dead", waiting[0].For)
	require.Contains(t, waiting[0].Error, "boom")

	r.api.mu.Lock()
	delete(r.api.hooks, "receive message")
	r.api.mu.Unlock()
	require.NoError(t, r.Replay(t.Context(), waiting[0].Key))
	r.due()
	require.Equal(t, []string{"hi"}, e.texts())
	waiting, err = r.Inbox(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, waiting)
	require.ErrorIs(t, r.Replay(t.Context(), "nope"), gateway.NotFound)
}

// Receive is inside a transaction: nothing that waits for a platform may be asked for there.
func TestReceiveMayNotReachOut(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("town", "S1")
	p := r.poll(inst, voteAsk())
	reached := false
	platform := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer platform.Close()
	for name, fn := range map[string]func(context.Context, *forum) error{
		"an action": func(ctx context.Context, f *forum) error {
			_, err := inst.Do(ctx, "post", post{Text: "x"})
			return err
		},
		"a process": func(ctx context.Context, f *forum) error {
			_, err := inst.Start(ctx, "task", post{Text: "x"})
			return err
		},
		"a command": func(ctx context.Context, f *forum) error {
			_, err := c.Command(ctx, p.ID, "extend", extension{1})
			return err
		},
		"closing": func(ctx context.Context, f *forum) error { _, err := c.Close(ctx, p.ID); return err },
		"exclusive": func(ctx context.Context, f *forum) error {
			return f.Exclusive(ctx, "x", func(context.Context) error { return nil })
		},
		"the network": func(ctx context.Context, f *forum) error {
			req, err := http.NewRequestWithContext(ctx, "GET", platform.URL, nil)
			require.NoError(t, err)
			resp, err := f.HTTP.Do(req)
			if err == nil {
				err = resp.Body.Close()
				require.NoError(t, err)
			}
			return err
		},
		"a transaction": func(ctx context.Context, f *forum) error {
			return r.store.Update(ctx, func(store.Tx) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got error
			r.api.on("receive reach", func(ctx context.Context) error {
				got = fn(ctx, ctx.Value(forumKey{}).(*forum))
				return nil
			})
			require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "reach"}).Code)
			require.ErrorContains(t, got, "inside")
			require.False(t, reached)
			require.Empty(t, r.api.lines("post"))
		})
	}
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
	list, err := c.Processes(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, list, 1, "nothing was begun that cannot go on")
}

func TestHandleAndAnswerAreDurable(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		_, inst := r.town("town", "S1")
		p := r.poll(inst, voteAsk())
		r.api.fails("handle", errBoom)
		r.api.fails("answer", gateway.Errorf(gateway.Unavailable, "down"))
		require.Equal(t, 200, r.deliver(forumMessage{ID: "m1", Site: "S1", Kind: "slow", Text: "a"}).Code)
		require.Equal(t, 200, r.deliver(forumMessage{ID: "m2", Site: "S1", Kind: "then", Process: p.ID}).Code)
		r.due()
		require.Empty(t, r.api.lines("handle"))
		r.api.on("handle", nil)
		r.api.on("answer", nil)
		r.again()
		r.wait(time.Minute)
		require.Equal(t, []string{"handle a"}, r.api.lines("handle"))
		require.Equal(t, []string{`answer "later"`}, r.api.lines("answer"))
		r.wait(time.Hour)
		require.Len(t, r.api.lines("handle"), 1)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "inbox"}))
	})
}
