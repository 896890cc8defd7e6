package sqlite

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// BenchmarkTasks is what a task costs from being scheduled to being done, without the wait for the disk: 64 are scheduled, claimed and
// done in one Update, in so many communities, while some tasks of each are not due.
func BenchmarkTasks(b *testing.B) {
	for _, communities := range []int{1, 64, 10_000} {
		b.Run(fmt.Sprintf("communities=%d", communities), func(b *testing.B) {
			s := openTemp(b, Options{})
			update(b, s, func(tx store.Tx) error {
				for i := range 20_000 {
					k := store.Task{Kind: "poll", Key: "w" + strconv.Itoa(i), Community: "c" + strconv.Itoa(i%communities), Instance: "i" + strconv.Itoa(i), Due: t0.Add(24 * time.Hour)}
					if err := tx.Schedule(k); err != nil {
						return err
					}
				}
				return nil
			})
			now, n := t0, 0
			for b.Loop() {
				now = now.Add(time.Second)
				update(b, s, func(tx store.Tx) error {
					for range 64 {
						n++
						k := store.Task{Kind: "poll", Key: "d" + strconv.Itoa(n), Community: "c" + strconv.Itoa(n*7919%communities), Instance: "i" + strconv.Itoa(n%500), Due: now}
						if err := tx.Schedule(k); err != nil {
							return err
						}
					}
					return nil
				})
				var got []store.Task
				update(b, s, func(tx store.Tx) (err error) {
					got, err = tx.Claim([]string{"close", "poll", "show"}, now, now.Add(time.Minute), 64)
					return err
				})
				require.Len(b, got, 64)
				update(b, s, func(tx store.Tx) error {
					for _, k := range got {
						if err := tx.Done(k); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*64), "µs/task")
		})
	}
}

// BenchmarkBacklog claims one task at a time, as workers that become free do, where one community has 100,000 that are due and a
// hundred others one each.
func BenchmarkBacklog(b *testing.B) {
	s := openTemp(b, Options{})
	update(b, s, func(tx store.Tx) error {
		for i := range 100_000 {
			if err := tx.Schedule(store.Task{Kind: "poll", Key: "w" + strconv.Itoa(i), Community: "big", Due: t0}); err != nil {
				return err
			}
		}
		return nil
	})
	update(b, s, func(tx store.Tx) error {
		for i := range 100 {
			if err := tx.Schedule(store.Task{Kind: "poll", Key: "s" + strconv.Itoa(i), Community: "small" + strconv.Itoa(i), Due: t0.Add(time.Second)}); err != nil {
				return err
			}
		}
		return nil
	})
	now := t0.Add(time.Hour)
	update(b, s, func(tx store.Tx) error {
		for b.Loop() {
			now = now.Add(time.Millisecond)
			got, err := tx.Claim([]string{"close", "poll", "show"}, now, now.Add(time.Minute), 1)
			require.NoError(b, err)
			if err := tx.Retry(got[0], now, ""); err != nil {
				return err
			}
		}
		return nil
	})
}
