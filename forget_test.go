package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/store/storetest"
	"github.com/metagov/gateway-go/vote"
)

func forgetting(t *testing.T, c *gateway.Community, rules ...gateway.Forget) {
	t.Helper()
	require.NoError(t, c.SetSettings(t.Context(), gateway.Settings{Forget: rules}))
}

func TestForgetSettings(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, _ := r.town("town", "S1")
	for _, bad := range []gateway.Forget{{}, {Type: "a*b"}, {Type: "**"}, {Type: "x", Fields: []string{""}}, {Type: "x", Fields: []string{"user"}}, {Type: "x", Fields: []string{"/a~2"}}} {
		err := c.SetSettings(t.Context(), gateway.Settings{Forget: []gateway.Forget{bad}})
		require.ErrorIs(t, err, gateway.Invalid, bad)
		require.Contains(t, err.Error(), "/forget/0/")
	}
	rules := []gateway.Forget{{Type: "*"}, {Plugin: "forum", Type: "message.*"}, {Type: "m", Fields: []string{"/user/~1x~0", "/list/*/mail"}}}
	forgetting(t, c, rules...)
	s, err := c.Settings(t.Context())
	require.NoError(t, err)
	require.Equal(t, rules, s.Forget)
}

func TestForgottenEventsAreNotKept(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		c, inst := r.town("town", "S1")
		other, _ := r.town("village", "S2")
		heard := r.listen("all")
		said := func(id string, sites ...string) {
			w := r.deliver(forumMessage{ID: id, Sites: sites, Kind: "message", User: "u1", Text: "text " + id, At: r.clock.now()})
			require.Equal(t, http.StatusOK, w.Code)
		}
		said("m1", "S1")
		forgetting(t, c, gateway.Forget{Plugin: "forum", Type: "mess*"})
		said("m2", "S1")
		said("m3", "S1", "S2")
		said("m3", "S1", "S2")
		forgetting(t, c, gateway.Forget{Plugin: "another", Type: "*"}, gateway.Forget{Type: "messages"})
		said("m4", "S1")
		forgetting(t, c, gateway.Forget{Type: "message", Fields: []string{"/text", "/absent/x"}})
		said("m5", "S1")
		require.NoError(t, inst.Emit(t.Context(), "message", gateway.Meta{ID: "m6"}, json.RawMessage(`{"text":"canary","n":12345678901234567890}`)))
		r.due()
		texts := func(c *gateway.Community) (out []string) {
			es, err := c.Events(t.Context(), 0, 100)
			require.NoError(t, err)
			for _, e := range es {
				out = append(out, e.ID+" "+string(e.Data))
			}
			return out
		}
		require.Equal(t, []string{`m1 {"text":"text m1"}`, `m4 {"text":"text m4"}`, `m5 {}`, `m6 {"n":12345678901234567890}`}, texts(c))
		require.Equal(t, []string{`m3 {"text":"text m3"}`}, texts(other))
		require.ElementsMatch(t, []string{"text m1", "text m3", "text m4", "", ""}, heard.texts())
		bodies := map[string]bool{}
		es, err := c.Events(t.Context(), 0, 100)
		require.NoError(t, err)
		for _, e := range es {
			if e.Delivery != "" {
				require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
					d, err := tx.Delivery(e.Delivery)
					bodies[e.ID] = len(d.Body) > 0
					require.Equal(t, len(d.Body) > 0, len(d.Header) > 0)
					return err
				}))
			}
		}
		require.Equal(t, map[string]bool{"m1": true, "m4": true, "m5": false}, bodies)
	})
}

// What a community does not want kept is nowhere: not in the file, not in the exports, as soon as nothing needs it any more.
func TestForgottenIsNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway.db")
	s, err := sqlite.Open(file)
	require.NoError(t, err)
	r := newRig(t, gateway.Options{Store: s})
	c, inst := r.town("town", "S1")
	forgetting(t, c, gateway.Forget{Type: "message"}, gateway.Forget{Type: "edit", Fields: []string{"/who/mail", "/list/*/mail", "/list/1"}}, gateway.Forget{Plugin: "forum", Type: "whole*"})
	canary := "canary" + strconv.Itoa(os.Getpid())
	long := strings.Repeat(canary+" ", 3000) // spills into pages of its own
	v := r.poll(inst, vote.Ask{})

	r.says("S1", "m1", canary)
	r.says("S1", "m2", long)
	emit := func(kind, typ, data string) {
		r.api.on(kind, func(ctx context.Context) error {
			f := ctx.Value(forumKey{}).(*forum)
			return f.Emit(ctx, typ, gateway.Meta{}, json.RawMessage(data))
		})
	}
	edit := `{"who":{"mail":"` + canary + `","name":"ann"},"list":[{"mail":"` + canary + `","n":1},"` + canary + `"]}`
	emit("receive edited", "edit", edit)
	require.Equal(t, http.StatusOK, r.deliver(forumMessage{ID: "m3", Site: "S1", Kind: "edited", Text: canary}).Code)
	// Handled later, with an event from there; and once more with an answer to bring.
	r.api.on("handle", func(ctx context.Context) error {
		return inst.Emit(ctx, "message", gateway.Meta{}, json.RawMessage(`{"text":"`+canary+`"}`))
	})
	for i, text := range []string{canary, long} {
		require.Equal(t, http.StatusOK, r.deliver(forumMessage{ID: "slow" + strconv.Itoa(i), Site: "S1", Kind: "slow", Text: text}).Code)
	}
	// Waits while the instance is paused, and for a platform object that nobody has.
	require.NoError(t, inst.Pause(t.Context(), "x"))
	r.says("S1", "m4", canary)
	r.wait(time.Hour)
	require.NoError(t, inst.Resume(t.Context()))
	// The ballot counts, whatever is forgotten.
	emit("receive click", "message", `{"text":"`+canary+`"}`)
	require.Equal(t, http.StatusOK, r.deliver(forumMessage{ID: "b1", Site: "S1", Kind: "click", User: "u1", Text: "yes", Process: v.ID, Ref: canary, At: r.clock.now()}).Code)
	for range 4 {
		r.wait(time.Hour)
	}
	require.EqualValues(t, 1, r.process(c, v.ID).Voters)
	r.says("S1", "m1", "again: it is known")

	es, err := c.Events(t.Context(), 0, 100)
	require.NoError(t, err)
	require.Len(t, es, 1)
	require.JSONEq(t, `{"who":{"name":"ann"},"list":[{"n":1},null]}`, string(es[0].Data))
	var export bytes.Buffer
	require.NoError(t, c.ExportAudit(t.Context(), &export))
	require.NotContains(t, export.String(), canary)
	require.NotContains(t, r.logs.String(), canary)
	require.NoError(t, s.Close())
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(raw), canary)
	require.Contains(t, string(raw), "m1", "that it came is known")
	for _, more := range []string{"-wal", "-shm"} {
		raw, err := os.ReadFile(file + more)
		require.True(t, os.IsNotExist(err) || !bytes.Contains(raw, []byte(canary)))
	}
}

// "Turn events off" goes for what brings no event, too.
func TestForgetEverything(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		c, _ := r.town("town", "S1")
		var ids []string
		r.api.on("receive odd", func(ctx context.Context) error { return nil })
		blank := func() (out []bool) {
			for _, id := range ids {
				require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
					d, err := tx.Delivery(id)
					out = append(out, len(d.Body) == 0)
					return err
				}))
			}
			return out
		}
		// The slow ones have tasks, by which they are found.
		slow := func(id string) {
			require.Equal(t, http.StatusOK, r.deliver(forumMessage{ID: id, Site: "S1", Kind: "slow", Text: id}).Code)
			ts := r.tasks(store.TaskQuery{Kind: "inbox"})
			ids = append(ids, ts[len(ts)-1].Ref)
		}
		r.api.fails("handle", gateway.Errorf(gateway.Unavailable, "not now"))
		slow("a")
		forgetting(t, c, gateway.Forget{Plugin: "forum", Type: "*"})
		slow("b")
		r.wait(time.Hour)
		require.Equal(t, []bool{false, false}, blank(), "it is needed")
		r.api.on("handle", nil)
		r.wait(time.Hour)
		r.wait(time.Hour)
		require.Equal(t, []bool{false, true}, blank())
		require.ElementsMatch(t, []string{"handle a", "handle b"}, r.api.lines("handle"))
	})
}

func TestLogsSayTheCorrelation(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("town", "S1")
	inst.Log.WarnContext(t.Context(), "outside")
	require.NotContains(t, r.logs.String(), "correlation")
	var ids []string
	note := func(ctx context.Context) error {
		inst.Log.With("x", 1).WithGroup("g").WarnContext(ctx, "called")
		ids = append(ids, gateway.CallOf(ctx).ID())
		return nil
	}
	r.api.on("post", note)
	require.NoError(t, r.OnEvent(t.Context(), "cb", func(ctx context.Context, _ *gateway.Community, e gateway.Event) error {
		ids = append(ids, e.Delivery)
		_, err := inst.Do(ctx, "post", post{Text: "x"})
		return err
	}))
	r.says("S1", "m1", "hello")
	r.due()
	require.Contains(t, r.logs.String(), `"correlation":"`+ids[0]+`"`)
	_, err := inst.Do(t.Context(), "post", post{Text: "x"})
	require.NoError(t, err)
	require.Contains(t, r.logs.String(), `"correlation":"`+ids[2]+`"`, "it began with the call")

	// A process goes on in the trail in which it was started.
	r.api.on("show", note)
	v := r.poll(inst, vote.Ask{})
	require.Equal(t, http.StatusOK, r.click(v.ID, "u1", "yes").Code)
	_, err = c.Close(t.Context(), v.ID)
	require.NoError(t, err)
	r.wait(time.Minute)
	require.Contains(t, r.logs.String(), `"correlation":"`+v.ID+`"`)
	w := r.request("/api/hooks/forum", "{}", "X-Signature", "bad")
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Regexp(t, `"a delivery was refused".*"correlation":"d`, r.logs.String())
}

func FuzzForgetFields(f *testing.F) {
	f.Add(`{"a":{"b":[{"c":1}]}}`, "/a/b/*/c")
	f.Add(`[1,2]`, "/1")
	f.Add(`"x"`, "/~0~1")
	f.Fuzz(func(t *testing.T, data, pointer string) {
		r := newRig(t, gateway.Options{})
		c, inst := r.town("town", "S1")
		if c.SetSettings(t.Context(), gateway.Settings{Forget: []gateway.Forget{{Type: "t", Fields: []string{pointer}}}}) != nil {
			return
		}
		err := inst.Emit(t.Context(), "t", gateway.Meta{}, json.RawMessage(data))
		require.Equal(t, json.Valid([]byte(data)), err == nil, "%v", err)
	})
}

// Who did it is beside an event's data, and can be left out, too. What was not kept at all is no sign of life.
func TestForgetInitiator(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		c, inst := r.town("town", "S1")
		forgetting(t, c, gateway.Forget{Type: "message", Fields: []string{"initiator", "/text"}}, gateway.Forget{Type: "edit"})
		require.NoError(t, inst.Emit(t.Context(), "edit", gateway.Meta{Initiator: "canary"}, nil))
		require.Zero(t, healthOf(t, inst).LastEvent)
		r.says("S1", "m1", "hi")
		require.NoError(t, inst.Emit(t.Context(), "other", gateway.Meta{Initiator: "u2"}, nil))
		forgetting(t, c, gateway.Forget{Type: "message", Fields: []string{"initiator"}})
		r.says("S1", "m2", "ho")
		es, err := c.Events(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Len(t, es, 3)
		require.Empty(t, es[0].Initiator)
		require.JSONEq(t, `{}`, string(es[0].Data))
		require.Equal(t, "u2", es[1].Initiator)
		require.Empty(t, es[2].Initiator)
		require.JSONEq(t, `{"text":"ho"}`, string(es[2].Data))
	})
}
