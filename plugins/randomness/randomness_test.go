package randomness_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/randomness"
)

// Draws that a test knows.
func first(uint64) uint64    { return 0 }
func middle(n uint64) uint64 { return n / 2 }
func last(n uint64) uint64   { return n - 1 }

func enable(t *testing.T, draw func(uint64) uint64, c randomness.Config) (*gatewaytest.Rig, *gateway.Instance) {
	r := gatewaytest.New(t, gateway.Options{Plugins: []gateway.Plugin{randomness.New(randomness.WithDraw(draw))}})
	inst, err := r.Community("town").Enable(t.Context(), "randomness", c)
	require.NoError(t, err)
	return r, inst
}

func TestWhatEveryPluginMustPass(t *testing.T) {
	gatewaytest.Check(t, randomness.New(), gatewaytest.WithConfig(randomness.Config{DefaultLow: 0, DefaultHigh: 10}))
}

func TestRandomInt(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for _, c := range []struct {
		name  string
		draw  func(uint64) uint64
		in    randomness.Range
		want  int64
		wrong string // the field that is refused
	}{
		{"the community's bounds", middle, randomness.Range{}, 15, ""},
		{"the low end can be drawn", first, randomness.Range{}, 10, ""},
		{"the high end cannot", last, randomness.Range{}, 19, ""},
		{"bounds of one's own", middle, randomness.Range{Low: n(-10), High: n(10)}, 0, ""},
		{"zero is a bound", middle, randomness.Range{Low: n(0), High: n(4)}, 2, ""},
		{"one number only", middle, randomness.Range{Low: n(12), High: n(13)}, 12, ""},
		{"everything", first, randomness.Range{Low: n(math.MinInt64), High: n(math.MaxInt64)}, math.MinInt64, ""},
		{"everything, from above", last, randomness.Range{Low: n(math.MinInt64), High: n(math.MaxInt64)}, math.MaxInt64 - 1, ""},
		{"turned round", middle, randomness.Range{Low: n(5), High: n(4)}, 0, "/high"},
		{"nothing between", middle, randomness.Range{Low: n(5), High: n(5)}, 0, "/high"},
		{"below the community's low end", middle, randomness.Range{High: n(10)}, 0, "/high"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, inst := enable(t, c.draw, randomness.Config{DefaultLow: 10, DefaultHigh: 20})
			got, err := gateway.Do[randomness.Draw](t.Context(), inst, "random-int", c.in)
			if c.wrong != "" {
				var e *gateway.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, gateway.Invalid, e.Code)
				require.Equal(t, c.wrong, e.Fields[0].Path)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got.Value)
		})
	}
}

func TestConfigurationWithoutNumbers(t *testing.T) {
	r := gatewaytest.New(t, gateway.Options{Plugins: []gateway.Plugin{randomness.New()}})
	_, err := r.Community("town").Enable(t.Context(), "randomness", randomness.Config{DefaultLow: 3, DefaultHigh: 3})
	require.ErrorIs(t, err, gateway.Invalid)
	require.ErrorContains(t, err, "/default_high")
}

func TestTheSystemsSourceStaysInBounds(t *testing.T) {
	r := gatewaytest.New(t, gateway.Options{Plugins: []gateway.Plugin{randomness.New()}})
	inst, err := r.Community("town").Enable(t.Context(), "randomness", randomness.Config{DefaultLow: -2, DefaultHigh: 3})
	require.NoError(t, err)
	seen := map[int64]bool{}
	for range 500 {
		d, err := gateway.Do[randomness.Draw](t.Context(), inst, "random-int", nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, d.Value, int64(-2))
		require.Less(t, d.Value, int64(3))
		seen[d.Value] = true
	}
	require.Len(t, seen, 5, "every number comes up")
}

func TestTheLuckyNumberIsAnnounced(t *testing.T) {
	r, inst := enable(t, middle, randomness.Config{DefaultLow: 0, DefaultHigh: 10}) // draws 5
	r.Advance(3 * time.Hour)
	require.Empty(t, r.Events(), "nobody has chosen 5")

	answer, err := gateway.Do[randomness.Lucky](t.Context(), inst, "set-lucky-number", randomness.Lucky{LuckyNumber: 5})
	require.NoError(t, err)
	require.EqualValues(t, 5, answer.LuckyNumber)
	r.Advance(4 * time.Hour) // the poll is not exact to the minute
	n := len(r.Events("lucky-draw"))
	require.GreaterOrEqual(t, n, 3)
	require.LessOrEqual(t, n, 5)
	require.JSONEq(t, `{"value":5}`, string(r.Events()[0].Data))

	_, err = inst.Do(t.Context(), "random-int", nil)
	require.NoError(t, err)
	r.Due()
	require.Len(t, r.Events(), n+1, "a number that was asked for counts too")
}

func TestFourIsLuckyAtFirst(t *testing.T) {
	r, inst := enable(t, middle, randomness.Config{DefaultLow: 0, DefaultHigh: 10})
	_, err := inst.Do(t.Context(), "random-int", json.RawMessage(`{"low":4,"high":5}`))
	require.NoError(t, err)
	r.Due()
	require.Len(t, r.Events(), 1)
}

func TestAVoteClosesByItself(t *testing.T) {
	for _, c := range []struct {
		draw func(uint64) uint64
		want string
	}{{first, "tea"}, {middle, "water"}, {last, "wine"}} {
		r, inst := enable(t, c.draw, randomness.Config{DefaultLow: 0, DefaultHigh: 10})
		p, err := inst.Start(t.Context(), "delayed-stochastic-vote", randomness.Vote{Options: []string{"tea", "water", "wine"}, Delay: 90})
		require.NoError(t, err)
		require.Equal(t, r.Clock.Now().Add(90*time.Minute), p.CloseAt)

		r.Advance(90*time.Minute - time.Second)
		p, err = r.Community("town").Process(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, gateway.StatusPending, p.Status)

		r.Restart() // the program ends and another one takes over
		r.Advance(time.Second)
		p, err = r.Community("town").Process(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, gateway.StatusCompleted, p.Status)
		require.Equal(t, r.Clock.Now(), p.Ended)
		var w randomness.Winner
		require.NoError(t, p.DecodeOutcome(&w))
		require.Equal(t, c.want, w.Winner)
	}
}

func TestAVoteWithoutDelay(t *testing.T) {
	r, inst := enable(t, first, randomness.Config{DefaultLow: 0, DefaultHigh: 10})
	p, err := inst.Start(t.Context(), "delayed-stochastic-vote", randomness.Vote{Options: []string{"only"}})
	require.NoError(t, err)
	r.Due()
	p, err = r.Community("town").Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.JSONEq(t, `{"winner":"only"}`, string(p.Outcome))
}
