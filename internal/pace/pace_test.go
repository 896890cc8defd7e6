package pace

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// bubble is the clock of a synctest bubble: it moves on by itself when everybody waits, and nothing takes any real time.
type bubble struct{}

func (bubble) Now() time.Time { return time.Now() }

func (bubble) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// asker is a call that wants a token.
type asker struct {
	at       time.Duration
	priority int
	patience time.Duration // 0: a minute
	cancel   time.Duration // 0: never
}

// got is what became of it.
type got struct {
	asker
	err error
	end time.Duration
}

// ask has everybody ask one bucket, and returns what became of them in the order in which they were told.
func ask(t *testing.T, rate Rate, all []asker) (out []got, left int) {
	synctest.Test(t, func(t *testing.T) {
		p := New(bubble{})
		start := time.Now()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, a := range all {
			wg.Go(func() {
				time.Sleep(a.at)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if a.patience > 0 {
					ctx, cancel = context.WithTimeout(ctx, a.patience)
					defer cancel()
				}
				if a.cancel > 0 {
					time.AfterFunc(a.cancel, cancel)
				}
				err := p.Wait(ctx, "key", rate, a.priority)
				mu.Lock()
				defer mu.Unlock()
				out = append(out, got{a, err, time.Since(start)})
			})
		}
		wg.Wait()
		for _, b := range p.buckets {
			left += len(b.waiting)
		}
	})
	return out, left
}

func TestTokensInAnyWindow(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rate := Rate{Every: time.Duration(rapid.IntRange(1, 2000).Draw(r, "every")) * time.Millisecond, Burst: rapid.IntRange(1, 6).Draw(r, "burst")}
		ms := func(most int, what string) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(r, what)) * time.Millisecond
		}
		var all []asker
		for range rapid.IntRange(1, 30).Draw(r, "askers") {
			all = append(all, asker{ms(5000, "at"), rapid.IntRange(0, 2).Draw(r, "priority"), ms(20000, "patience"), ms(20000, "cancel")})
		}
		out, left := ask(t, rate, all)
		if len(out) != len(all) || left != 0 {
			r.Fatalf("%d of %d were told, %d still wait", len(out), len(all), left)
		}
		var at []time.Duration
		for _, g := range out {
			var late *TooLong
			switch {
			case g.err == nil:
				at = append(at, g.end)
			case errors.As(g.err, &late):
				if late.After <= 0 {
					r.Fatalf("told to come back after %v", late.After)
				}
			case !errors.Is(g.err, context.Canceled) || g.cancel == 0:
				r.Fatalf("%v", g.err)
			}
		}
		slices.Sort(at)
		for i := range at {
			for j := i; j < len(at); j++ {
				if most := float64(rate.Burst) + math.Floor(float64(at[j]-at[i])/float64(rate.Every)); float64(j-i+1) > most {
					r.Fatalf("%d tokens within %v, at most %v allowed", j-i+1, at[j]-at[i], most)
				}
			}
		}
	})
}

func TestEverybodyPatientIsServedWithoutAPause(t *testing.T) {
	var all []asker
	for i := range 40 {
		all = append(all, asker{priority: i % 3, at: time.Duration(i) * time.Microsecond})
	}
	out, _ := ask(t, Rate{Every: time.Second, Burst: 5}, all)
	for i, g := range out {
		require.NoError(t, g.err)
		want := time.Duration(max(0, i-4)) * time.Second
		require.InDelta(t, want, g.end, float64(time.Millisecond), "token %d", i)
	}
}

func TestVotesGoBeforeSyncsAndSyncsDoNotStarve(t *testing.T) {
	all := []asker{{}} // takes the token that is there
	for i := range 3 {
		all = append(all, asker{at: time.Duration(10+i) * time.Millisecond, priority: 0})
	}
	for i := range 12 {
		all = append(all, asker{at: time.Duration(20+i) * time.Millisecond, priority: 1})
	}
	out, _ := ask(t, Rate{Every: time.Second}, all)
	var order strings.Builder
	var last [2]time.Duration
	for _, g := range out[1:] {
		require.NoError(t, g.err)
		order.WriteString(fmt.Sprint(g.priority))
		require.Greater(t, g.at, last[g.priority], "in the order in which they came")
		last[g.priority] = g.at
	}
	require.Equal(t, "111101111011110", order.String())
}

func TestWhoeverCannotBeServedInTimeIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(bubble{})
		rate := Rate{Every: 10 * time.Second}
		require.NoError(t, p.Wait(t.Context(), "key", rate, 0))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		var late *TooLong
		require.ErrorAs(t, p.Wait(ctx, "key", rate, 0), &late)
		require.Equal(t, 10*time.Second, late.After)
		require.Zero(t, time.Since(start))
		p.Block("key", time.Now().Add(2*time.Minute))
		require.ErrorAs(t, p.Wait(t.Context(), "key", rate, 0), &late, "a minute is the longest without a deadline")
		require.Equal(t, 2*time.Minute, late.After)
		require.Zero(t, time.Since(start))
		require.NoError(t, p.Wait(t.Context(), "another", rate, 0))
	})
}

func TestOvertakenUntilTheEnd(t *testing.T) {
	all := []asker{{}, {at: time.Millisecond, patience: 3 * time.Second, priority: 0}}
	for i := range 3 {
		all = append(all, asker{at: time.Duration(2+i) * time.Millisecond, priority: 1})
	}
	out, _ := ask(t, Rate{Every: time.Second}, all)
	i := slices.IndexFunc(out, func(g got) bool { return g.err != nil })
	var late *TooLong
	require.ErrorAs(t, out[i].err, &late)
	require.Zero(t, out[i].priority)
	require.Positive(t, late.After)
}

func TestBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(bubble{})
		start := time.Now()
		p.Block("key", start.Add(5*time.Second))
		p.Block("key", start.Add(time.Second)) // does not shorten
		var wg sync.WaitGroup
		var mu sync.Mutex
		var ends []time.Duration
		for range 3 {
			wg.Go(func() {
				if err := p.Wait(t.Context(), "key", Rate{}, 0); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, time.Since(start))
			})
		}
		wg.Wait()
		require.Equal(t, []time.Duration{5 * time.Second, 5 * time.Second, 5 * time.Second}, ends)

		// One that waits, and could not wait so long, is told when the block comes.
		p.Block("key", time.Now().Add(time.Second))
		told := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		go func() { told <- p.Wait(ctx, "key", Rate{}, 0) }()
		synctest.Wait()
		at := time.Now()
		p.Block("key", at.Add(30*time.Second))
		var late *TooLong
		require.ErrorAs(t, <-told, &late)
		require.Equal(t, 30*time.Second, late.After)
		require.Zero(t, time.Since(at))
	})
}

func TestAnEndedContextLeavesNoHole(t *testing.T) {
	out, left := ask(t, Rate{Every: time.Second}, []asker{
		{}, {at: time.Millisecond, cancel: 500 * time.Millisecond}, {at: 2 * time.Millisecond}, {at: 3 * time.Millisecond},
	})
	require.Zero(t, left)
	require.ErrorIs(t, out[1].err, context.Canceled)
	require.Equal(t, []time.Duration{0, 500*time.Millisecond + time.Millisecond, time.Second, 2 * time.Second},
		[]time.Duration{out[0].end, out[1].end, out[2].end, out[3].end})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := New(bubble{})
	require.ErrorIs(t, p.Wait(ctx, "key", Rate{Every: time.Hour}, 0), context.Canceled)
	require.NoError(t, p.Wait(t.Context(), "key", Rate{Every: time.Hour}, 0), "it took no token")
}

func TestKeysAreForgottenAndNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(bubble{})
		require.NoError(t, p.Wait(t.Context(), "canary", Rate{Every: time.Hour}, 0))
		require.NotContains(t, fmt.Sprintf("%+v", p), "canary")
		for i := range 10 * fewKeys {
			require.NoError(t, p.Wait(t.Context(), fmt.Sprint(i), Rate{Every: time.Millisecond}, 0))
			time.Sleep(time.Millisecond)
		}
		require.LessOrEqual(t, len(p.buckets), fewKeys+1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var late *TooLong
		require.ErrorAs(t, p.Wait(ctx, "canary", Rate{Every: time.Hour}, 0), &late, "a bucket in use is kept")
	})
}

func TestOddRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(bubble{})
		for _, r := range []Rate{{Every: -1, Burst: -1}, {Every: math.MaxInt64, Burst: math.MaxInt}, {Burst: math.MaxInt}} {
			for range 100 {
				require.NoError(t, p.Wait(t.Context(), fmt.Sprint(r), r, math.MinInt))
			}
		}
	})
}
