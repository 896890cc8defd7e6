package gateway_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// TestPollPace: the plugin says the least, the operator slows down, the community slows down further.
func TestPollPace(t *testing.T) {
	type m = map[string]time.Duration
	type s = map[string]gateway.Duration
	min := func(n int) gateway.Duration { return gateway.Duration(n) * gateway.Duration(time.Minute) }
	for name, x := range map[string]struct {
		least     time.Duration
		operator  m
		community s
		want      time.Duration
	}{
		"nobody says":                       {0, nil, nil, 10 * time.Minute},
		"nobody can have it sooner":         {0, m{"forum": time.Minute}, s{"forum": min(1)}, 10 * time.Minute},
		"the plugin tolerates more":         {time.Minute, nil, s{"forum": min(2)}, 2 * time.Minute},
		"the plugin's least":                {5 * time.Minute, m{"forum": time.Minute}, s{"forum": min(1)}, 5 * time.Minute},
		"the operator's":                    {time.Minute, m{"forum": 3 * time.Minute}, nil, 3 * time.Minute},
		"the community below the operator":  {time.Minute, m{"forum": 3 * time.Minute}, s{"forum": min(2)}, 3 * time.Minute},
		"the community above the operator":  {time.Minute, m{"forum": 3 * time.Minute}, s{"forum": min(20)}, 20 * time.Minute},
		"the poll goes before the plugin":   {time.Minute, m{"forum": time.Hour, "forum/p": 4 * time.Minute}, s{"forum": min(1)}, 4 * time.Minute},
		"another poll's is none of its own": {time.Minute, m{"forum/q": time.Hour}, s{"other": min(1)}, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, gateway.Options{PollEvery: x.operator})
			var opts []gateway.Option
			if x.least > 0 {
				opts = append(opts, gateway.Least(x.least))
			}
			r.again(newForum(r.api, gateway.PollFunc("p", 10*time.Minute, func(*forum, context.Context) error { return nil }, opts...)))
			c, _ := r.town("a", "S1")
			require.NoError(t, c.SetSettings(t.Context(), gateway.Settings{PollEvery: x.community}))
			next := r.due()
			require.InDelta(t, x.want.Seconds(), next.Sub(r.clock.now()).Seconds(), x.want.Seconds()/16+1)
		})
	}
}

func TestSettingsPace(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		n := 0
		r.again(newForum(r.api, gateway.PollFunc("p", 10*time.Hour, func(*forum, context.Context) error { n++; return nil }, gateway.Least(time.Minute))))
		c, i := r.town("a", "S1")
		r.due()
		require.Equal(t, 1, n)
		want := gateway.Settings{PollEvery: map[string]gateway.Duration{"forum": gateway.Duration(10 * time.Minute)}}
		require.NoError(t, c.SetSettings(t.Context(), want))
		got, err := c.Settings(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got)
		r.wait(11 * time.Minute)
		require.Equal(t, 2, n, "a shorter pause holds at once")

		raw, err := json.Marshal(want)
		require.NoError(t, err)
		require.JSONEq(t, `{"poll_every":{"forum":"10m0s"}}`, string(raw))

		require.NoError(t, i.Pause(t.Context(), "rest"))
		r.wait(11 * time.Minute)
		require.NoError(t, c.SetSettings(t.Context(), gateway.Settings{}))
		r.wait(20 * time.Hour)
		require.Equal(t, 2, n, "a paused instance's polls rest")

		for _, bad := range []map[string]gateway.Duration{{"forum": 0}, {"": gateway.Duration(time.Hour)}, {"forum/": gateway.Duration(time.Hour)}, {"For um/p": gateway.Duration(time.Hour)}} {
			require.ErrorIs(t, c.SetSettings(t.Context(), gateway.Settings{PollEvery: bad}), gateway.Invalid)
		}
		_, err = gateway.New(gateway.Options{Store: s, PollEvery: map[string]time.Duration{"forum": time.Millisecond}})
		require.ErrorIs(t, err, gateway.Invalid)
		require.Error(t, json.Unmarshal([]byte(`{"poll_every":{"forum":"often"}}`), &want))
	})
}
