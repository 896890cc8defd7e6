package gateway_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/store/storetest"
)

// patient is a gateway in time that passes by itself when everybody waits, on a store that can fall ill.
type patient struct {
	*rig
	ill *storetest.Faulty
	t   *testing.T
}

// eachPatient runs a test on every store, each in a bubble of time.
func eachPatient(t *testing.T, fn func(p *patient)) { patientsOn(t, fn, "memory", "sqlite") }

func patientsOn(t *testing.T, fn func(p *patient), stores ...string) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memory.New() },
		"sqlite": func(t *testing.T) store.Store {
			s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
			require.NoError(t, err)
			return s
		},
	} {
		if !slices.Contains(stores, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := storetest.NewFaulty(open(t))
				defer func() { require.NoError(t, f.Close()) }()
				fn(&patient{newRig(t, gateway.Options{Store: f, Now: time.Now}), f, t})
			})
		})
	}
}

// send delivers a message and says what the platform gets to hear.
func (p *patient) send(m forumMessage) (status int, again string) {
	m.Site, m.At = "S1", time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second) // a platform does not wait long
	defer cancel()
	body := fmt.Sprintf(`{"ID":%q,"Site":"S1","Kind":%q,"User":%q,"Text":%q,"Process":%q,"At":%q}`,
		m.ID, m.Kind, m.User, m.Text, m.Process, m.At.Format(time.RFC3339Nano))
	w := p.requestIn(ctx, "/api/hooks/forum", body, "X-Time", time.Now().Format(time.RFC3339))
	return w.Code, w.Header().Get("Retry-After")
}

// lines are the log's lines so far.
func (p *patient) lines() int { return strings.Count(p.logs.String(), "\n") }

// Whatever a store suffers from for an hour: nothing is acknowledged, nothing is half kept, nobody runs hot; and when it is well
// again everything goes on by itself, once.
func TestStoreIsIll(t *testing.T) {
	for name, c := range map[string]struct {
		falls func(*storetest.Faulty)
		lost  bool // only the answers are lost: what was refused may have been taken
	}{
		"unreachable": {falls: func(f *storetest.Faulty) { f.BeforeRun(storetest.Every, nil); f.OnView(storetest.Every, nil) }},
		"read-only":   {falls: func(f *storetest.Faulty) { f.BeforeRun(storetest.Every, store.ErrReadOnly) }},
		"full":        {falls: func(f *storetest.Faulty) { f.BeforeCommit(storetest.Every, store.ErrFull) }},
		"unreadable":  {falls: func(f *storetest.Faulty) { f.OnView(storetest.Every, nil) }, lost: true},
		"answers":     {falls: func(f *storetest.Faulty) { f.AfterCommit(storetest.Every, nil) }, lost: true},
		"hangs":       {falls: func(f *storetest.Faulty) { f.Hold() }},
	} {
		stores := []string{"memory"} // what fails is in front of the store, and hours on SQLite take long
		if name == "full" || name == "answers" {
			stores = append(stores, "sqlite")
		}
		t.Run(name, func(t *testing.T) {
			patientsOn(t, func(p *patient) {
				t := p.t
				com, inst := p.town("a", "S1")
				heard := p.listen("driver")
				votes := p.watch("votes")
				ask := voteAsk()
				at := time.Now().Add(30 * time.Minute) // while it is ill
				ask.ClosingAt = &at
				early := p.poll(inst, ask)
				late := time.Now().Add(90 * time.Minute)
				ask.ClosingAt, ask.Title = &late, "Dinner?"
				open := p.poll(inst, ask)
				stop := running(t, p.Gateway)
				defer stop()
				messages := []forumMessage{
					{ID: "m1", Kind: "message", Text: "one"}, {ID: "m2", Kind: "message", Text: "two"}, {ID: "s1", Kind: "slow", Text: "slow"},
					{ID: "c1", Kind: "click", User: "u1", Text: "yes", Process: open.ID}, {ID: "c2", Kind: "click", User: "u2", Text: "no", Process: open.ID},
				}
				status, _ := p.send(forumMessage{ID: "m0", Kind: "message", Text: "zero"})
				require.Equal(t, 200, status)
				status, _ = p.send(forumMessage{ID: "c0", Kind: "click", User: "u0", Text: "yes", Process: early.ID})
				require.Equal(t, 200, status)
				time.Sleep(10 * time.Second) // all is done that was to be done

				c.falls(p.ill)
				updates, lines := p.ill.Updates(), p.lines()
				refused := 0
				for _, m := range messages {
					if status, again := p.send(m); status != 200 {
						require.Equal(t, 503, status)
						require.NotEmpty(t, again, "when to come again")
						refused++
					}
				}
				if !c.lost {
					require.Equal(t, len(messages), refused)
				}
				time.Sleep(time.Hour)
				require.Less(t, p.ill.Updates()-updates, 2*3600, "nobody runs hot")
				require.Less(t, p.lines()-lines, 2*3600, "nor talks too much")
				if !c.lost {
					require.Equal(t, []string{"zero"}, heard.texts())
				}

				p.ill.Calm()
				time.Sleep(time.Minute)
				for _, m := range messages {
					status, _ := p.send(m)
					require.Equal(t, 200, status)
				}
				time.Sleep(20 * time.Minute) // longer than any pause
				got := p.process(com, early.ID)
				require.Equal(t, gateway.StatusCompleted, got.Status, "what became due is done")
				require.EqualValues(t, 1, p.outcome(got).Turnout.Voters)
				require.Equal(t, at.UTC().Truncate(time.Microsecond), p.outcome(got).ClosedAt.UTC())
				require.EqualValues(t, 2, p.process(com, open.ID).Voters)
				time.Sleep(30 * time.Minute)
				got = p.process(com, open.ID)
				require.Equal(t, gateway.StatusCompleted, got.Status)
				require.EqualValues(t, 2, p.outcome(got).Turnout.Voters)
				require.Equal(t, []string{"zero", "one", "two"}, heard.texts())
				require.NotEmpty(t, votes.processes)
				if !c.lost {
					require.Equal(t, []string{"handle slow"}, p.api.lines("handle"))
				}
				require.Empty(t, p.tasks(store.TaskQuery{Kind: "inbox"}))
				dead, err := com.DeadLetters(context.Background(), "", 10)
				require.NoError(t, err)
				require.Empty(t, dead)
			}, stores...)
		})
	}
}

// What callbacks have heard, and the store does not take for a while, they do not hear again for it.
func TestPlaceThatCannotBeKept(t *testing.T) {
	eachPatient(t, func(p *patient) {
		p.town("a", "S1")
		p.town("b", "S2")
		ctx := context.Background()
		var mu sync.Mutex
		heard := map[string]int{}
		lost := func(n int) {
			for i := range n {
				p.ill.BeforeCommit(i+1, store.ErrFull)
			}
		}
		require.NoError(p.t, p.OnEvent(ctx, "driver", func(_ context.Context, _ *gateway.Community, e gateway.Event) error {
			mu.Lock()
			heard[textOf(e)]++
			mu.Unlock()
			switch textOf(e) {
			case "quick":
				lost(4)
			case "slow": // its community gets a lane
				time.Sleep(time.Second)
				lost(4)
			case "answer":
				p.ill.AfterCommit(1, nil)
			}
			return nil
		}))
		stop := running(p.t, p.Gateway)
		defer stop()
		for _, text := range []string{"quick", "slow", "answer", "end"} {
			status, _ := p.send(forumMessage{ID: text, Kind: "message", Text: text})
			require.Equal(p.t, 200, status)
			time.Sleep(time.Minute)
		}
		mu.Lock()
		require.Equal(p.t, map[string]int{"quick": 1, "slow": 1, "answer": 1, "end": 1}, heard)
		mu.Unlock()
		require.Zero(p.t, p.ill.Armed())
	})
}

// Whoever cannot renew a lease stops before somebody else has it; a short trouble costs nothing.
func TestLeaseThatCannotBeRenewed(t *testing.T) {
	for name, c := range map[string]struct {
		falls func(*storetest.Faulty)
		well  time.Duration // after which the store is well again; 0: never
		lost  bool
	}{
		"fails for long":     {falls: func(f *storetest.Faulty) { f.BeforeRun(storetest.Every, nil) }, lost: true},
		"hangs for long":     {falls: func(f *storetest.Faulty) { f.Hold() }, lost: true},
		"fails for a while":  {falls: func(f *storetest.Faulty) { f.BeforeRun(storetest.Every, nil) }, well: 25 * time.Second},
		"hangs for a while":  {falls: func(f *storetest.Faulty) { f.Hold() }, well: 25 * time.Second},
		"is not ill at all":  {falls: func(f *storetest.Faulty) {}, well: time.Second},
		"loses every answer": {falls: func(f *storetest.Faulty) { f.AfterCommit(storetest.Every, nil) }, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			eachPatient(t, func(p *patient) {
				_, inst := p.town("a", "S1")
				began := time.Now()
				ran := false
				_ = inst.Exclusive(context.Background(), "x", func(ctx context.Context) error {
					ran = true
					c.falls(p.ill)
					if c.well > 0 {
						time.AfterFunc(c.well, p.ill.Calm)
					}
					over := time.NewTimer(5 * time.Minute)
					defer over.Stop()
					select {
					case <-ctx.Done():
						require.ErrorContains(p.t, context.Cause(ctx), "the lease was lost")
						require.True(p.t, c.lost)
						require.LessOrEqual(p.t, time.Since(began), 30*time.Second, "nobody else can have it yet")
					case <-over.C:
						require.False(p.t, c.lost)
					}
					p.ill.Calm()
					return nil
				})
				require.True(p.t, ran)
				require.NoError(p.t, inst.Exclusive(context.Background(), "x", func(context.Context) error { return nil }))
			})
		})
	}
}
