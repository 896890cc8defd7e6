package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// running runs a gateway until the test calls stop, which waits for its end.
func running(t *testing.T, g *gateway.Gateway) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				require.NoError(t, err)
			case <-time.After(20 * time.Second):
				t.Error("Run did not return")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// soon waits for something that callbacks bring about.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, 5*time.Millisecond, what)
}

// leaping is the real time, which a test can have leap once: to the end of votes in which all have voted, however slow the machine is.
type leaping struct{ ahead atomic.Int64 }

// leapLength is shorter than what a claim has left, or what is under way would be done again.
const leapLength = 15 * time.Second

func (l *leaping) now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

func TestRun(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		connected := make(chan struct{}, 10)
		polled := make(chan struct{}, 10)
		var leap leaping
		r := newRig(t, gateway.Options{Store: s, Now: leap.now})
		r.clock.advance(time.Since(r.clock.now()))
		var cursors []string
		r.again(newForum(r.api,
			gateway.PollFunc("sweep", time.Hour, func(f *forum, ctx context.Context) error { polled <- struct{}{}; return nil }),
			gateway.SourceFunc[*forum]("socket", func(ctx context.Context, src *gateway.Source) error {
				cursor, err := src.Cursor(ctx)
				if err != nil {
					return err
				}
				cursors = append(cursors, cursor)
				if cursor == "" {
					for range 2 { // the same fact, twice
						if _, err := src.Deliver(ctx, http.Header{}, []byte(`{"ID":"s1","Site":"S1","Kind":"message","Text":"by socket"}`)); err != nil {
							return err
						}
					}
					if _, err := src.Deliver(ctx, nil, []byte(`{`)); gateway.CodeOf(err) != gateway.Invalid {
						t.Error(err)
					}
					if err := src.SetCursor(ctx, "s1"); err != nil {
						return err
					}
				}
				connected <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			}),
		))
		c, inst := r.town("a", "S1")
		e := r.listen("driver")
		votes := r.watch("votes")
		stop := running(t, r.Gateway)
		<-connected
		<-polled
		at := leap.now().Add(leapLength)
		p := r.poll(inst, vote.Ask{ClosingAt: &at})
		require.Equal(t, 200, r.clickAt(p.ID, "u1", "yes", leap.now()).Code)
		leap.ahead.Store(int64(leapLength))
		soon(t, "the socket's fact is heard once", func() bool { return slices.Equal(e.texts(), []string{"by socket"}) })
		soon(t, "the vote is closed", func() bool {
			votes.mu.Lock()
			defer votes.mu.Unlock()
			return len(votes.processes) > 0 && votes.processes[len(votes.processes)-1].Status == gateway.StatusCompleted
		})
		soon(t, "the end is shown", func() bool { return slices.Contains(r.api.lines("show"), "show 1 completed") })
		got := r.process(c, p.ID)
		require.Equal(t, vote.Passed, r.outcome(got).Result)
		stop()

		// What happens while nobody runs is taken up by the next Run.
		r.says("S1", "m1", "meanwhile")
		require.NotContains(t, e.texts(), "meanwhile")
		stop = running(t, r.Gateway)
		soon(t, "it is heard", func() bool { return slices.Contains(e.texts(), "meanwhile") })
		<-connected
		require.Equal(t, []string{"", "s1"}, cursors)
		stop()
	})
}

// A callback that hangs costs its own community, and nobody else, not even the webhook.
func TestCallbackThatHangs(t *testing.T) {
	r := newRig(t, gateway.Options{Now: time.Now, Workers: 2})
	r.clock.advance(time.Since(r.clock.now()))
	for i := range 6 {
		r.town(fmt.Sprint("t", i), fmt.Sprint("S", i))
	}
	hang := make(chan struct{})
	var e ears
	require.NoError(t, r.OnEvent(t.Context(), "driver", func(ctx context.Context, c *gateway.Community, ev gateway.Event) error {
		if textOf(ev) == "hang" {
			<-hang
		}
		return e.event(ctx, c, ev)
	}))
	stop := running(t, r.Gateway)
	// More of them hang than there are workers.
	for i := range 3 {
		r.says(fmt.Sprint("S", i), fmt.Sprint("h", i), "hang")
		r.says(fmt.Sprint("S", i), fmt.Sprint("a", i), fmt.Sprint("after ", i))
	}
	for i := 3; i < 6; i++ {
		for j := range 20 {
			r.says(fmt.Sprint("S", i), fmt.Sprint("m", i, "-", j), fmt.Sprint(i, "-", j))
		}
	}
	soon(t, "the others hear", func() bool { return len(e.texts()) == 60 })
	close(hang)
	soon(t, "those that hung go on", func() bool { return len(e.texts()) == 66 })
	stop()
	for i := range 3 {
		texts := e.texts()
		require.Contains(t, texts, fmt.Sprint("after ", i))
	}
}

// A community that catches up while a batch is under way loses nothing of that batch.
func TestALaneThatCatchesUpDuringABatch(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.town("a", "S1")
	r.town("b", "S2")
	var e ears
	failed := make(chan struct{}, 1)
	bad := true
	var mu sync.Mutex
	require.NoError(t, r.OnEvent(t.Context(), "driver", func(ctx context.Context, c *gateway.Community, ev gateway.Event) error {
		mu.Lock()
		fail := bad && textOf(ev) == "a1"
		bad = bad && !fail
		mu.Unlock()
		if fail {
			failed <- struct{}{}
			return errBoom
		}
		if textOf(ev) == "b1" { // until the other has caught up
			for i := 0; i < 1000 && !slices.Contains(e.texts(), "a1"); i++ {
				select {
				case <-ctx.Done():
				case <-time.After(time.Millisecond):
				}
			}
		}
		return e.event(ctx, c, ev)
	}))
	r.says("S1", "1", "a1")
	running(t, r.Gateway)
	<-failed
	soon(t, "it has fallen behind", func() bool {
		lanes := 0
		require.NoError(t, r.store.View(t.Context(), func(tx store.Tx) error {
			l, err := tx.Lanes("driver")
			lanes = len(l)
			return err
		}))
		return lanes == 1
	})
	r.clock.advance(5 * time.Second)
	require.NoError(t, r.store.Update(t.Context(), func(tx store.Tx) error { // both in one batch
		for i, town := range []string{"b", "a"} {
			if _, _, err := tx.Append(store.Event{Community: town, Instance: "x", Type: "x", Data: []byte(fmt.Sprintf(`{"text":"%s%d"}`, town, i+1)), At: r.clock.now()}); err != nil {
				return err
			}
		}
		return nil
	}))
	soon(t, "nothing is lost", func() bool { return len(e.texts()) == 3 })
	require.Equal(t, []string{"a1", "a2"}, of(e.texts(), "a"))
}

// Two programs on one database: each event is heard once under each name, in order, and each task is done once.
func TestTwoGatewaysOnOneStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.db")
	var e, votes ears
	api := &forumAPI{}
	seal := newSeal(t, gateway.NewSealKey())
	var leap leaping
	var rigs []*rig
	for range 2 {
		s, err := sqlite.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		r := newRig(t, gateway.Options{Store: s, Now: leap.now, Seal: seal})
		r.clock.advance(time.Since(r.clock.now()))
		r.api = api
		r.again()
		require.NoError(t, r.OnEvent(t.Context(), "driver", e.event))
		require.NoError(t, r.OnProcess(t.Context(), "votes", votes.process))
		rigs = append(rigs, r)
	}
	c, inst := rigs[0].town("a", "S1")
	var stops []func()
	for _, r := range rigs {
		stops = append(stops, running(t, r.Gateway))
	}
	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprint(i))
		rigs[i%2].says("S1", fmt.Sprint("m", i), want[i])
		rigs[(i+1)%2].says("S1", fmt.Sprint("m", i), want[i])
	}
	at := leap.now().Add(leapLength)
	var ids []string
	for range 10 {
		ids = append(ids, rigs[0].poll(inst, vote.Ask{ClosingAt: &at}).ID)
	}
	for _, id := range ids {
		rigs[1].clickAt(id, "u1", "yes", leap.now())
	}
	leap.ahead.Store(int64(leapLength))
	for i := range 10 {
		body := fmt.Sprintf(`{"ID":"w%d","Site":"S1","Kind":"slow","Text":"%d"}`, i, i)
		require.Equal(t, 200, rigs[i%2].request("/api/hooks/forum", body).Code)
	}
	soon(t, "all is done", func() bool {
		if len(e.texts()) < 60 || len(api.lines("handle")) < 10 {
			return false
		}
		for _, id := range ids {
			if p := rigs[0].process(c, id); p.Status != gateway.StatusCompleted {
				return false
			}
		}
		return true
	})
	completed := func() map[string]int {
		votes.mu.Lock()
		defer votes.mu.Unlock()
		out := map[string]int{}
		for _, p := range votes.processes {
			if p.Status == gateway.StatusCompleted {
				out[p.ID]++
			}
		}
		return out
	}
	soon(t, "the ends are told", func() bool { return len(completed()) == 10 })
	for _, stop := range stops {
		stop()
	}
	require.Equal(t, want, e.texts())
	require.Len(t, api.lines("handle"), 10)
	for _, id := range ids {
		require.EqualValues(t, 1, rigs[1].outcome(rigs[0].process(c, id)).Turnout.Voters)
	}
}

func TestPolls(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	n, fail := map[string]int{}, map[string]error{}
	var mu sync.Mutex
	r.again(newForum(r.api, gateway.PollFunc("sweep", time.Hour, func(f *forum, ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		n[f.Community()]++
		return fail[f.Community()]
	})))
	_, a := r.town("a", "S1")
	r.town("b", "S2")
	r.due()
	require.Equal(t, map[string]int{"a": 1, "b": 1}, n)
	fail["a"] = errBoom
	for range 20 {
		r.wait(70 * time.Minute)
	}
	require.Equal(t, 21, n["b"], "one instance's trouble is not another's")
	require.Greater(t, n["a"], 20, "it is tried again sooner, and never given up")
	fail["a"] = nil
	r.wait(70 * time.Minute)
	require.NoError(t, a.Pause(ctx, ""))
	before := n["a"]
	for range 5 {
		r.wait(70 * time.Minute)
	}
	require.Equal(t, before, n["a"], "a paused instance's polls rest")
	require.NoError(t, a.Resume(ctx))
	r.due()
	require.Equal(t, before+1, n["a"])
	require.NoError(t, a.Remove(ctx))
	r.wait(3 * time.Hour)
	require.Equal(t, before+1, n["a"])

	// A version of the plugin without it lets it rest.
	r.again()
	for range 3 {
		r.wait(2 * time.Hour)
	}
	require.Empty(t, r.tasks(store.TaskQuery{Kind: "poll"}))
}
