package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// The same process in several versions of a program: its state changes, and running processes live on.
type tiny struct{ *gateway.Instance }

type tinyRun = gateway.Run[*tiny, posted]

func defineTiny(features ...gateway.Feature[*tiny]) gateway.Plugin {
	return gateway.Define("tiny", "Tiny.", func(_ context.Context, i *gateway.Instance, _ struct{}) (*tiny, error) { return &tiny{i}, nil }, features...)
}

type stateV1 struct {
	Name string `json:"name"`
}

func (s *stateV1) Start(_ context.Context, r *tinyRun, in post) error {
	s.Name = in.Text
	r.CloseAt(r.Now().Add(time.Hour))
	return nil
}
func (s *stateV1) Close(_ context.Context, r *tinyRun) error {
	return r.Complete(posted{ID: "v1 " + s.Name})
}

type stateV2 struct {
	First string `json:"first"`
}

func (s *stateV2) Start(_ context.Context, r *tinyRun, in post) error {
	s.First = in.Text
	r.CloseAt(r.Now().Add(time.Hour))
	return nil
}
func (s *stateV2) Close(_ context.Context, r *tinyRun) error {
	return r.Complete(posted{ID: "v2 " + s.First})
}

type stateV2Up struct{ stateV2 }

func (s *stateV2Up) Upgrade(from int, old json.RawMessage) error {
	var v1 stateV1
	if from != 1 {
		return errors.New("what is that?")
	}
	if err := json.Unmarshal(old, &v1); err != nil {
		return err
	}
	s.First = v1.Name
	return nil
}

// stateV1More is what somebody made of version 1 without saying so.
type stateV1More struct {
	Name  string `json:"name"`
	Extra int    `json:"extra"`
}

func (s *stateV1More) Start(_ context.Context, r *tinyRun, in post) error {
	s.Name, s.Extra = in.Text, 1
	r.CloseAt(r.Now().Add(time.Hour))
	return nil
}
func (s *stateV1More) Close(_ context.Context, r *tinyRun) error {
	return r.Complete(posted{ID: "more " + s.Name})
}

func TestVersionsOfAProcess(t *testing.T) {
	v1 := gateway.ProcessFunc("p", "P.", (*stateV1).Start)
	v2 := gateway.ProcessFunc("p", "P.", (*stateV2).Start, gateway.Version(2))
	v2up := gateway.ProcessFunc("p", "P.", func(s *stateV2Up, ctx context.Context, r *tinyRun, in post) error { return s.Start(ctx, r, in) }, gateway.Version(2))
	more := gateway.ProcessFunc("p", "P.", (*stateV1More).Start)
	for name, c := range map[string]struct {
		began, now gateway.Plugin
		id         string // of the outcome; "" where the process has to wait
	}{
		"the same":                {defineTiny(v1), defineTiny(v1), "v1 x"},
		"two side by side":        {defineTiny(v1), defineTiny(v1, v2), "v1 x"},
		"upgraded":                {defineTiny(v1), defineTiny(v2up), "v2 x"},
		"too old":                 {defineTiny(v1), defineTiny(v2), ""},
		"too new":                 {defineTiny(v2), defineTiny(v1), ""},
		"says more than is known": {defineTiny(more), defineTiny(v1), ""},
		"the process is gone":     {defineTiny(v1), defineTiny(), ""},
		"the plugin is gone":      {defineTiny(v1), newOwn("own", false, new([]string)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			r := newRig(t, gateway.Options{})
			r.again(c.began)
			town, err := r.CreateCommunity(ctx, "a", "A")
			require.NoError(t, err)
			inst, err := town.Enable(ctx, "tiny", nil)
			require.NoError(t, err)
			p, err := inst.Start(ctx, "p", post{Text: "x"})
			require.NoError(t, err)
			require.Equal(t, gateway.StatusPending, p.Status)

			r.again(c.now)
			town, err = r.Community(ctx, "a")
			require.NoError(t, err)
			for range 20 {
				r.wait(time.Hour)
			}
			list, err := town.Processes(ctx, "", 10)
			require.NoError(t, err)
			want := c.id
			if c.id == "" {
				require.NotContains(t, []gateway.Status{gateway.StatusCompleted, gateway.StatusFailed}, list[0].Status, "it waits, and is not lost")
				task := r.tasks(store.TaskQuery{Kind: "process.close"})
				require.Len(t, task, 1)
				require.Equal(t, "plugin:tiny", task[0].Group)
				require.NotEmpty(t, task[0].Error, "and says so")
				require.Contains(t, r.logs.String(), list[0].ID)
				r.again(c.began) // somebody went back to what understands it
				r.due()
				list, err = town.Processes(ctx, "", 10)
				require.NoError(t, err)
				want = map[string]string{"too new": "v2 x", "says more than is known": "more x"}[name]
				if want == "" {
					want = "v1 x"
				}
			}
			require.Equal(t, gateway.StatusCompleted, list[0].Status)
			require.JSONEq(t, `{"id":"`+want+`","loud":false}`, string(list[0].Outcome))
		})
	}
}

func TestVersionsOfAnAction(t *testing.T) {
	act := func(v int, id string) gateway.Feature[*tiny] {
		return gateway.ActionFunc("act", "Acts.", func(*tiny, context.Context, struct{}) (posted, error) { return posted{ID: id}, nil }, gateway.Version(v), gateway.Deprecated("2026: use another"))
	}
	r := newRig(t, gateway.Options{})
	r.again(defineTiny(act(2, "two"), act(1, "one")))
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	inst, err := c.Enable(t.Context(), "tiny", nil)
	require.NoError(t, err)
	for name, want := range map[string]string{"act": "two", "act@1": "one", "act@2": "two"} {
		out, err := gateway.Do[posted](t.Context(), inst, name, nil)
		require.NoError(t, err)
		require.Equal(t, want, out.ID, name)
	}
}

// A delivery for a process that nobody here understands waits with it.
func TestDeliveryForAMissingPlugin(t *testing.T) {
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	p := r.poll(inst, voteAsk())
	require.NoError(t, inst.Pause(t.Context(), ""))
	r.click(p.ID, "u1", "yes")
	require.NoError(t, inst.Resume(t.Context()))
	r.again(newOwn("own", false, new([]string)))
	for range 20 {
		r.wait(time.Hour)
	}
	waiting, err := r.Inbox(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	require.Equal(t, "plugin:forum", waiting[0].For)
	r.again()
	r.due()
	c, err := r.Community(t.Context(), "a")
	require.NoError(t, err)
	require.EqualValues(t, 1, r.process(c, p.ID).Voters)
}
