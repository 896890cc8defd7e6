package gateway_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/storetest"
	"github.com/metagov/gateway-go/vote"
)

func TestEndpointsOfOneCommunity(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newHookRig(t, s)
		ctx := t.Context()
		all, mine := newReceiver(t, r), newReceiver(t, r)
		oak, _ := r.town("oak", "S1")
		elm, _ := r.town("elm", "S2")
		id, _ := r.endpoint(oak.Endpoints(), mine.URL, true)
		allID, _ := r.endpoint(r.Endpoints(), all.URL, true)
		r.saysAll("S1", "1")
		r.saysAll("S2", "a")
		r.due()
		require.Equal(t, []string{"1"}, mine.heard(), "nothing of another community")
		require.ElementsMatch(t, []string{"1", "a"}, all.heard())

		// What is another's is not there, whatever is asked.
		for name, e := range map[string]gateway.Endpoints{"elm": elm.Endpoints(), "all": r.Endpoints()} {
			list, err := e.List(ctx, "", 0)
			require.NoError(t, err)
			for _, have := range list {
				require.NotEqual(t, id, have.ID, name)
			}
			for verb, fn := range everyEndpointVerb(t, e, id, all.URL) {
				require.ErrorIs(t, fn(), gateway.NotFound, "%s %s", name, verb)
			}
		}
		for verb, fn := range everyEndpointVerb(t, oak.Endpoints(), allID, all.URL) {
			require.ErrorIs(t, fn(), gateway.NotFound, verb)
		}
		_, _, err := oak.Endpoints().Create(ctx, gateway.EndpointSpec{URL: mine.URL, Filters: []gateway.Filter{{Community: "elm"}}})
		require.ErrorIs(t, err, gateway.Invalid)

		// And one of its own is.
		mine.says(http.StatusInternalServerError)
		r.saysAll("S1", "2")
		r.due()
		for _, verb := range []string{"get", "update", "rotate", "test", "replay", "dead", "disable", "enable", "delete"} {
			require.NoError(t, everyEndpointVerb(t, oak.Endpoints(), id, mine.URL)[verb](), verb)
		}
		require.Empty(t, r.tasks(store.TaskQuery{Ref: id}))
		list, err := oak.Endpoints().List(ctx, "", 0)
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

func everyEndpointVerb(t *testing.T, e gateway.Endpoints, id, url string) map[string]func() error {
	ctx := t.Context()
	return map[string]func() error{
		"get":         func() error { _, err := e.Get(ctx, id); return err },
		"update":      func() error { _, err := e.Update(ctx, id, gateway.EndpointSpec{URL: url}); return err },
		"enable":      func() error { return e.Enable(ctx, id) },
		"disable":     func() error { return e.Disable(ctx, id, "why") },
		"rotate":      func() error { _, err := e.Rotate(ctx, id); return err },
		"test":        func() error { _, err := e.Test(ctx, id); return err },
		"replay":      func() error { return e.Replay(ctx, id, time.Time{}) },
		"dead":        func() error { _, err := e.Dead(ctx, id, "", 0); return err },
		"replay dead": func() error { return e.ReplayDead(ctx, id, id+"/1") },
		"delete":      func() error { return e.Delete(ctx, id) },
	}
}

func TestHookFilters(t *testing.T) {
	message := []string{"x", "y"}
	for name, c := range map[string]struct {
		filters []gateway.Filter
		want    []string
	}{
		"none":               {nil, []string{"x", "y", "process.pending", "process.completed"}},
		"community":          {[]gateway.Filter{{Community: "oak"}}, []string{"x", "process.pending", "process.completed"}},
		"plugin":             {[]gateway.Filter{{Plugin: "nobody"}}, []string{}},
		"an event's type":    {[]gateway.Filter{{Types: []string{"message"}}}, message},
		"a message's type":   {[]gateway.Filter{{Types: []string{"forum.message"}}}, message},
		"processes":          {[]gateway.Filter{{Types: []string{"process"}}}, []string{"process.pending", "process.completed"}},
		"a status":           {[]gateway.Filter{{Types: []string{"process.completed"}}}, []string{"process.completed"}},
		"one of two":         {[]gateway.Filter{{Types: []string{"process.completed"}}, {Community: "elm"}}, []string{"y", "process.completed"}},
		"all of one":         {[]gateway.Filter{{Types: []string{"process.completed"}, Community: "elm"}}, []string{}},
		"the first instance": {[]gateway.Filter{{Instance: "first"}}, []string{"x", "process.pending", "process.completed"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newHookRig(t, nil)
			v := newReceiver(t, r)
			oak, i := r.town("oak", "S1")
			r.town("elm", "S2")
			for n := range c.filters {
				if c.filters[n].Instance != "" {
					c.filters[n].Instance = i.ID()
				}
			}
			id, _ := r.endpoint(r.Endpoints(), v.URL, true, c.filters...)
			require.Equal(t, c.filters, r.status(r.Endpoints(), id).Filters)
			r.saysAll("S1", "x")
			r.saysAll("S2", "y")
			p := r.poll(i, vote.Ask{})
			r.due()
			_, err := oak.Close(t.Context(), p.ID)
			require.NoError(t, err)
			r.due()
			require.ElementsMatch(t, c.want, v.heard())
			require.Empty(t, r.tasks(store.TaskQuery{Ref: id}))
		})
	}
}

// What a driver changes holds for what waits already, and at once.
func TestUpdateEndpoint(t *testing.T) {
	r := newHookRig(t, nil)
	old, fresh := newReceiver(t, r), newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	id, secret := r.endpoint(c.Endpoints(), old.URL, true)
	r.saysAll("S1", "1")
	r.due()
	old.says(http.StatusInternalServerError)
	r.saysAll("S1", "2", "3")
	r.due()
	old.heard()
	e, err := c.Endpoints().Update(t.Context(), id, gateway.EndpointSpec{URL: fresh.URL, Description: "moved", Filters: []gateway.Filter{{Types: []string{"message"}}}})
	require.NoError(t, err)
	require.Equal(t, []any{fresh.URL, "moved", false}, []any{e.URL, e.Description, e.Ordered})
	r.wait(6 * time.Second)
	require.ElementsMatch(t, []string{"2", "3"}, fresh.heard())
	require.Empty(t, old.heard())
	r.saysAll("S1", "4")
	r.due()
	require.NoError(t, verifies(t, secret, fresh.messages()[0]))

	// One that was made while another is there hears only what comes after it.
	r.saysAll("S1", "5")
	late, _ := r.endpoint(c.Endpoints(), old.URL, true)
	old.says(http.StatusOK)
	r.saysAll("S1", "6")
	r.due()
	require.Equal(t, []string{"6"}, old.heard())
	require.NoError(t, c.Endpoints().Delete(t.Context(), late))
	r.saysAll("S1", "7")
	r.due()
	require.Empty(t, old.heard())
}

func TestReplay(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newHookRig(t, s)
		v := newReceiver(t, r)
		r.town("oak", "S1")
		r.town("elm", "S2")
		r.saysAll("S1", "0")
		id, _ := r.endpoint(r.Endpoints(), v.URL, true)
		r.saysAll("S1", "1")
		r.saysAll("S2", "a")
		r.due()
		first := v.messages()
		r.clock.advance(time.Hour)
		since := r.clock.now()
		r.saysAll("S1", "2", "3")
		r.saysAll("S2", "b")
		r.due()
		v.heard()
		require.NoError(t, r.Endpoints().Replay(t.Context(), id, since))
		r.due()
		require.Equal(t, []string{"2", "3"}, heardBy("oak", v))
		require.Equal(t, []string{"b"}, heardBy("elm", v))
		v.heard()
		require.NoError(t, r.Endpoints().Replay(t.Context(), id, r.clock.now().Add(time.Second)))
		r.due()
		require.Empty(t, v.heard(), "nothing has happened since")

		// In the middle of a line that waits, it begins further back, and nothing is left out.
		v.says(http.StatusInternalServerError)
		r.saysAll("S1", "4")
		r.due()
		v.heard()
		v.says(http.StatusOK)
		require.NoError(t, r.Endpoints().Replay(t.Context(), id, time.Time{}))
		r.due()
		require.Equal(t, []string{"0", "1", "2", "3", "4"}, heardBy("oak", v))
		require.Equal(t, first[0].id, v.messages()[func() int {
			for n, m := range v.messages() {
				if m.text == first[0].text {
					return n
				}
			}
			return 0
		}()].id, "with the ID that it had")
		require.Empty(t, r.tasks(store.TaskQuery{Ref: id}))
	})
}

// Names of the gateway's own places in the log cannot be taken.
func TestReservedSubscriptions(t *testing.T) {
	r := newHookRig(t, nil)
	err := r.OnEvent(t.Context(), "gateway/hooks", (&ears{}).event)
	require.ErrorIs(t, err, gateway.Invalid)
	require.ErrorIs(t, r.Forget(t.Context(), "gateway/hooks"), gateway.Invalid)
}

// What an event costs follows the endpoints that hear it, not those that there are.
func TestManyEndpoints(t *testing.T) {
	updates := map[int]int{}
	for _, n := range []int{0, 500} {
		f := storetest.NewFaulty(memory.New())
		r := newHookRig(t, f)
		v := newReceiver(t, r)
		oak, _ := r.town("oak", "S1")
		elm, _ := r.town("elm", "S2")
		for i := range n {
			if i < 99 {
				r.endpoint(elm.Endpoints(), v.URL, true)
			}
			r.endpoint(r.Endpoints(), v.URL, true, gateway.Filter{Types: []string{fmt.Sprint("other", i)}})
		}
		r.endpoint(oak.Endpoints(), v.URL, true)
		for i := range 100 {
			r.saysAll("S1", fmt.Sprint(i))
		}
		before := f.Updates()
		r.due()
		updates[n] = f.Updates() - before
		require.Len(t, v.messages(), 100)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "hook"}), "nobody else has a line")
	}
	require.Equal(t, updates[0], updates[500])
	require.Less(t, updates[0], 110, "one for each message, and a few")
}
