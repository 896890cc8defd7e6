package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/storetest"
)

func TestHooksAreDisabledAfterFiveDays(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newHookRig(t, s)
		v := newReceiver(t, r)
		c, _ := r.town("oak", "S1")
		id, _ := r.endpoint(c.Endpoints(), v.URL, true)
		v.says(http.StatusBadGateway)
		began := r.clock.now()
		r.saysAll("S1", "1", "2")
		r.due()
		for r.status(c.Endpoints(), id).Status == gateway.EndpointActive {
			require.LessOrEqual(t, r.clock.now().Sub(began), 7*24*time.Hour)
			r.wait(time.Hour)
		}
		require.InDelta(t, 5*24, r.clock.now().Sub(began).Hours(), 25, "at the first failure after five days")
		st := r.status(c.Endpoints(), id)
		require.Equal(t, "it has taken nothing since 2026-01-02T03:04:05Z: answered 502", st.Reason)
		require.Equal(t, 1, strings.Count(r.logs.String(), "an endpoint was disabled"))
		v.heard()
		r.says("S1", "3", "3")
		r.wait(24 * time.Hour)
		require.Empty(t, v.heard(), "it is left alone")

		v.says(http.StatusOK)
		require.NoError(t, c.Endpoints().Enable(t.Context(), id))
		r.due()
		require.Equal(t, []string{"2", "3"}, v.heard(), "it goes on from its place")
		dead, err := c.Endpoints().Dead(t.Context(), id, "", 0)
		require.NoError(t, err)
		require.Len(t, dead, 1)
		require.Equal(t, []any{"active", "", true}, []any{r.status(c.Endpoints(), id).Status, r.status(c.Endpoints(), id).Reason, r.status(c.Endpoints(), id).FailingSince.IsZero()})
	})
}

// A disabled endpoint keeps its place, and does not keep events from being deleted.
func TestDisabledHooksHoldBackNothing(t *testing.T) {
	r := newRig(t, gateway.Options{Reach: here(), Retain: 7 * 24 * time.Hour})
	v := newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	id, _ := r.endpoint(c.Endpoints(), v.URL, true)
	r.saysAll("S1", "1")
	require.NoError(t, c.Endpoints().Disable(t.Context(), id, "rest"))
	r.due()
	r.clock.advance(8 * 24 * time.Hour)
	r.saysAll("S1", "2")
	r.wait(2 * time.Hour)
	events, err := c.Events(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.NoError(t, c.Endpoints().Enable(t.Context(), id))
	r.due()
	require.Equal(t, []string{"2"}, v.heard())
}

// TestHooksHoldBackRetention has an old event wait for its next try.
func TestHooksHoldBackRetention(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		r := newRig(t, gateway.Options{Reach: here(), Retain: 7 * 24 * time.Hour})
		v := newReceiver(t, r)
		c, _ := r.town("oak", "S1")
		r.endpoint(c.Endpoints(), v.URL, ordered)
		v.says(http.StatusBadGateway)
		w := r.deliver(forumMessage{ID: "old", Site: "S1", Kind: "message", Text: "old", At: r.clock.now().Add(-30 * 24 * time.Hour)})
		require.Equal(t, http.StatusOK, w.Code)
		r.due()
		r.wait(time.Minute)
		r.wait(2 * time.Hour) // retention runs
		events, err := c.Events(t.Context(), 0, 0)
		require.NoError(t, err)
		require.Len(t, events, 1, "it is still to be sent")
		v.says(http.StatusOK)
		v.heard()
		r.wait(3 * time.Hour)
		require.Equal(t, []string{"old"}, v.heard())
		r.wait(time.Hour)
		events, err = c.Events(t.Context(), 0, 0)
		require.NoError(t, err)
		require.Empty(t, events)
	}
}

// Whatever commit is struck, and however: nothing is lost, and nothing overtakes.
func TestHooksSurviveAFailingStore(t *testing.T) {
	for name, arm := range map[string]func(*storetest.Faulty, int){
		"down":            func(f *storetest.Faulty, n int) { f.BeforeRun(n, nil) },
		"not committed":   func(f *storetest.Faulty, n int) { f.BeforeCommit(n, nil) },
		"the answer lost": func(f *storetest.Faulty, n int) { f.AfterCommit(n, nil) },
	} {
		for _, ordered := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " ordered=", ordered), func(t *testing.T) {
				for nth := 1; ; nth++ {
					f := storetest.NewFaulty(memory.New())
					r := newHookRig(t, f)
					v := newReceiver(t, r)
					c, _ := r.town("oak", "S1")
					id, _ := r.endpoint(c.Endpoints(), v.URL, ordered)
					v.refuses("2")
					r.saysAll("S1", "1", "2", "3", "4", "5", "6")
					arm(f, nth)
					_, _ = r.RunDue(t.Context())
					v.refuses()
					struck := f.Armed() == 0
					f.Calm()
					r.again()
					for range 4 {
						r.wait(time.Minute)
					}
					heard := slices.Compact(slices.DeleteFunc(v.heard(), func(s string) bool { return s == "" }))
					if ordered {
						require.Equal(t, []string{"1", "2", "3", "4", "5", "6"}, firsts(heard), "commit %d", nth)
					} else {
						require.ElementsMatch(t, []string{"1", "2", "3", "4", "5", "6"}, firsts(heard), "commit %d", nth)
					}
					require.Empty(t, r.tasks(store.TaskQuery{Ref: id}))
					if !struck {
						require.Greater(t, nth, 4)
						return
					}
				}
			})
		}
	}
}

// firsts leaves out what was there before.
func firsts(in []string) (out []string) {
	for _, s := range in {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// A program that ends while a message is on its way sends it again; the receiver knows it by its ID.
func TestHooksSurviveTheProgram(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newHookRig(t, s)
		v := newReceiver(t, r)
		c, _ := r.town("oak", "S1")
		id, _ := r.endpoint(c.Endpoints(), v.URL, true)
		r.saysAll("S1", "1", "2", "3")
		ctx, cancel := context.WithCancel(t.Context())
		v.answers(func(m hookMessage, w http.ResponseWriter) {
			if m.text == "2" && ctx.Err() == nil {
				cancel()
				if conn, _, err := http.NewResponseController(w).Hijack(); err == nil { // an answer could be quicker than the end
					_ = conn.Close()
				}
			}
		})
		_, err := r.RunDue(ctx)
		require.Error(t, err)
		require.Equal(t, []string{"1", "2"}, heardBy("oak", v))
		r.again()
		r.due()
		got := v.messages()
		require.Equal(t, []string{"1", "2", "2", "3"}, heardBy("oak", v))
		require.Equal(t, got[1].id, got[2].id)
		require.True(t, r.status(c.Endpoints(), id).FailingSince.IsZero(), "it was not the endpoint's fault")

		// One that dies without a word leaves a claim behind, which runs out.
		v.heard()
		r.saysAll("S1", "4")
		v.answers(func(hookMessage, http.ResponseWriter) { _ = s.Close() })
		if _, ok := s.(*memory.Store); ok {
			return // nothing of it would be left
		}
		v.says(http.StatusOK)
		require.NoError(t, r.store.Update(t.Context(), func(tx store.Tx) error {
			sub, err := tx.Sub("gateway/hooks")
			require.NoError(t, err)
			sub.Cursor++
			require.NoError(t, tx.PutSub(sub))
			require.NoError(t, tx.Schedule(store.Task{Kind: "hook", Key: id + "/oak", Community: "oak", Ref: id, Due: r.clock.now(), Payload: fmt.Appendf(nil, `{"after":%d}`, sub.Cursor-1)}))
			_, err = tx.Claim([]string{"hook"}, r.clock.now(), r.clock.now().Add(45*time.Second), 10)
			return err
		}))
		r.saysAll("S1", "5")
		r.due()
		require.Empty(t, v.heard(), "it is somebody's")
		r.wait(46 * time.Second)
		require.Equal(t, []string{"4", "5"}, v.heard())
	})
}

// Bad endpoints keep nobody else waiting.
func TestBadEndpointsHoldUpNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		r := newRig(t, gateway.Options{Store: s, Reach: here(), Now: time.Now, HookTimeout: 2 * time.Second})
		r.clock.t = time.Now()
		over := make(chan struct{})
		bad := []http.HandlerFunc{
			func(w http.ResponseWriter, req *http.Request) { <-over }, // never answers
			func(w http.ResponseWriter, req *http.Request) {
				http.Redirect(w, req, "/other", http.StatusTemporaryRedirect)
			}, // sends elsewhere
			func(w http.ResponseWriter, req *http.Request) { // streams without end
				w.WriteHeader(http.StatusOK)
				for {
					if _, err := w.Write(make([]byte, 4096)); err != nil {
						return
					}
				}
			},
			func(w http.ResponseWriter, req *http.Request) { // answers 200, and then a byte from time to time
				for {
					_, err := w.Write([]byte("x"))
					w.(http.Flusher).Flush()
					select {
					case <-over:
						return
					case <-req.Context().Done():
						return
					case <-time.After(50 * time.Millisecond):
					}
					if err != nil {
						return
					}
				}
			},
		}
		good := newReceiver(t, r)
		towns := map[string]string{}
		var ids []string
		for _, h := range bad {
			srv := httptest.NewServer(h)
			defer srv.Close()
			id, _ := r.endpoint(r.Endpoints(), srv.URL, true)
			ids = append(ids, id)
		}
		defer close(over)
		r.endpoint(r.Endpoints(), good.URL, true)
		const n = 30
		for i := range n {
			slug := fmt.Sprintf("town%d", i)
			r.town(slug, slug)
			towns[slug] = slug
			r.saysAll(slug, "1", "2")
		}
		stop := running(t, r.Gateway)
		defer stop()
		soon(t, "the good one has all", func() bool { return len(good.messages()) == 2*n })
		for slug := range towns {
			require.Equal(t, []string{"1", "2"}, heardBy(slug, good))
		}
		soon(t, "the others are seen to fail, but for those that say 200", func() bool {
			return r.status(r.Endpoints(), ids[0]).LastError != "" && r.status(r.Endpoints(), ids[1]).LastError != ""
		})
		soon(t, "200 is 200", func() bool {
			return !r.status(r.Endpoints(), ids[2]).LastSuccess.IsZero() && !r.status(r.Endpoints(), ids[3]).LastSuccess.IsZero()
		})
		require.NotContains(t, r.status(r.Endpoints(), ids[1]).LastError, "other")
		stop()
		good.Close()
	})
}

// An endpoint that fails has one try at a time, however many communities it hears of, and none of them is forgotten.
func TestAFailingEndpointIsTriedAlone(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newHookRig(t, s)
		v := newReceiver(t, r)
		const n = 20
		for i := range n {
			slug := fmt.Sprintf("town%d", i)
			r.town(slug, slug)
		}
		id, _ := r.endpoint(r.Endpoints(), v.URL, true)
		var inside, most int
		v.answers(func(_ hookMessage, w http.ResponseWriter) {
			v.mu.Lock()
			inside++
			most = max(most, inside)
			v.mu.Unlock()
			time.Sleep(time.Millisecond) // long enough to be met by others
			v.mu.Lock()
			inside--
			v.mu.Unlock()
			w.WriteHeader(http.StatusInternalServerError)
		})
		all := func() {
			for i := range n {
				slug := fmt.Sprintf("town%d", i)
				r.says(slug, fmt.Sprint(slug, r.clock.now()), "x")
			}
		}
		all()
		r.due()
		require.Len(t, v.messages(), n)
		require.LessOrEqual(t, most, 4)
		most = 0
		r.wait(7 * time.Second)
		require.Len(t, v.messages(), 2*n)
		require.Equal(t, 1, most)
		require.Equal(t, n, r.status(r.Endpoints(), id).Waiting)
		v.says(http.StatusOK)
		r.wait(7 * time.Minute)
		require.Len(t, v.messages(), 3*n)
		require.Empty(t, r.tasks(store.TaskQuery{Ref: id}), "also those that waited for their turn")
	})
}

// One that was away and is well again does not have to wait for the next time of its schedule; a message that fails by itself keeps its times.
func TestHooksWakeUp(t *testing.T) {
	r := newHookRig(t, nil)
	v := newReceiver(t, r)
	r.town("oak", "S1")
	r.town("elm", "S2")
	id, _ := r.endpoint(r.Endpoints(), v.URL, true)
	v.says(http.StatusBadGateway)
	r.saysAll("S1", "1")
	r.due()
	r.wait(6 * time.Second)
	r.wait(6 * time.Minute)
	r.wait(36 * time.Minute)
	v.heard()
	next := r.tasks(store.TaskQuery{Ref: id})[0].Due
	require.Greater(t, next.Sub(r.clock.now()), time.Hour)

	// Another community's message is taken, and this one fails still.
	v.refuses("1")
	r.saysAll("S2", "a")
	r.due()
	require.Equal(t, []string{"a", "1"}, v.heard())
	require.Equal(t, next, r.tasks(store.TaskQuery{Ref: id})[0].Due, "the try was beside the schedule")
	r.saysAll("S2", "b")
	r.due()
	require.Equal(t, []string{"b"}, v.heard(), "that it was taken a moment ago is no news")

	v.refuses()
	a, err := r.Endpoints().Test(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, a.Error)
	r.due()
	require.Equal(t, []string{"gateway.test", "1"}, v.heard())
}

func TestHooksWhileSending(t *testing.T) {
	for _, what := range []string{"delete", "disable"} {
		eachStore(t, func(t *testing.T, s store.Store) {
			r := newHookRig(t, s)
			v := newReceiver(t, r)
			c, _ := r.town("oak", "S1")
			id, _ := r.endpoint(c.Endpoints(), v.URL, true)
			r.saysAll("S1", "1", "2", "3")
			v.answers(func(m hookMessage, w http.ResponseWriter) {
				if m.text != "2" {
					return
				}
				if what == "delete" {
					_ = c.Endpoints().Delete(context.Background(), id)
				} else {
					_ = c.Endpoints().Disable(context.Background(), id, "rest")
				}
			})
			r.due()
			require.Equal(t, []string{"1", "2"}, v.heard(), what)
			if what == "delete" {
				require.Empty(t, r.tasks(store.TaskQuery{Ref: id}))
				_, err := c.Endpoints().Get(t.Context(), id)
				require.ErrorIs(t, err, gateway.NotFound)
				require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
					_, err := tx.Sub("gateway/hooks")
					require.ErrorIs(t, err, store.ErrNotFound, "without endpoints nobody reads the log for them")
					return nil
				}))
				return
			}
			require.Equal(t, []any{"disabled", "rest", 1}, []any{r.status(c.Endpoints(), id).Status, r.status(c.Endpoints(), id).Reason, r.status(c.Endpoints(), id).Waiting})
			r.wait(time.Hour)
			require.Empty(t, v.heard())
			require.NoError(t, c.Endpoints().Enable(t.Context(), id))
			r.due()
			require.Equal(t, []string{"3"}, v.heard())
		})
	}
}

func TestHookAddressesAreGuarded(t *testing.T) {
	r := newRig(t, gateway.Options{})
	v := newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	for _, bad := range []string{
		v.URL, "http://localhost/", "http://10.0.0.1/x", "http://169.254.169.254/latest", "http://[::1]/", "ftp://driver.example", "driver.example", "",
		"https://u:p@driver.example", "https://driver.example/#x", "https://driver.example:22/", "https://driver.example/" + strings.Repeat("x", 2100),
	} {
		_, _, err := c.Endpoints().Create(t.Context(), gateway.EndpointSpec{URL: bad})
		require.ErrorIs(t, err, gateway.Invalid, bad)
	}
	id, _ := r.endpoint(c.Endpoints(), "https://driver.example/secret-path", true)
	_, err := c.Endpoints().Update(t.Context(), id, gateway.EndpointSpec{URL: v.URL})
	require.ErrorIs(t, err, gateway.Invalid)

	// A row that is there already gains nothing: every connection is looked at.
	require.NoError(t, r.store.Update(t.Context(), func(tx store.Tx) error {
		row, err := tx.Endpoint(id)
		require.NoError(t, err)
		row.URL = v.URL + "/canary"
		return tx.PutEndpoint(row)
	}))
	r.saysAll("S1", "1")
	r.due()
	require.Empty(t, v.messages())
	st := r.status(c.Endpoints(), id)
	require.Contains(t, st.LastError, "refused")
	require.NotContains(t, st.LastError, "canary")
	a, err := c.Endpoints().Test(t.Context(), id)
	require.NoError(t, err)
	require.Contains(t, a.Error, "refused")
	require.NotContains(t, r.logs.String(), "canary")
}

func TestHooksTellNoSecrets(t *testing.T) {
	s := memory.New()
	r := newHookRig(t, s)
	v := newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	id, secret := r.endpoint(c.Endpoints(), v.URL+"/canary", true)
	v.says(http.StatusInternalServerError)
	r.saysAll("S1", "1")
	r.due()
	v.Close() // and then the connection fails
	r.wait(10 * time.Second)
	require.NoError(t, c.Endpoints().Disable(t.Context(), id, ""))
	st := r.status(c.Endpoints(), id)
	require.NotEmpty(t, st.LastError)
	require.NotContains(t, st.LastError, "canary")
	shown, err := json.Marshal(st)
	require.NoError(t, err)
	key := strings.TrimPrefix(secret.Reveal(), "whsec_")
	var row store.Endpoint
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) (err error) { row, err = tx.Endpoint(id); return err }))
	for what, text := range map[string]string{"log": r.logs.String(), "shown": string(shown), "row": fmt.Sprintf("%+v %s", row, row.Sealed)} {
		require.NotContains(t, text, key, what)
	}
	require.NotContains(t, r.logs.String(), "canary")

	// Sealed bytes of another row are of no use.
	other, _ := r.endpoint(c.Endpoints(), "https://driver.example", true)
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		o, err := tx.Endpoint(other)
		require.NoError(t, err)
		o.Sealed = row.Sealed
		return tx.PutEndpoint(o)
	}))
	_, err = c.Endpoints().Rotate(t.Context(), other)
	require.ErrorIs(t, err, gateway.Invalid)

	bare, err := gateway.New(gateway.Options{Store: memory.New(), Reach: here()})
	require.NoError(t, err)
	_, _, err = bare.Endpoints().Create(t.Context(), gateway.EndpointSpec{URL: "https://driver.example"})
	require.ErrorIs(t, err, gateway.Invalid, "no seal, no secret")
}
