package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func openTemp(tb testing.TB, o Options) *Store {
	tb.Helper()
	s, err := OpenWith(filepath.Join(tb.TempDir(), "gateway.db"), o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func update(tb testing.TB, s *Store, fn func(store.Tx) error) {
	tb.Helper()
	require.NoError(tb, s.Update(context.Background(), fn))
}

// BenchmarkUpdate does what arrives with each delivery: a fact that must be new, its row, an event.
func BenchmarkUpdate(b *testing.B) {
	body := make([]byte, 400)
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := openTemp(b, Options{})
			var n atomic.Int64
			b.SetParallelism((callers + 1) / 2)
			if callers == 1 {
				for b.Loop() {
					deliver(b, s, n.Add(1), body)
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						deliver(b, s, n.Add(1), body)
					}
				})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

func deliver(b *testing.B, s *Store, n int64, body []byte) {
	id := fmt.Sprintf("d%012d", n)
	err := s.Update(context.Background(), func(tx store.Tx) error {
		if _, err := tx.Accept(store.Delivery{ID: id, Plugin: "slack", Fact: "f" + id, At: t0, Body: body}); err != nil {
			return err
		}
		_, _, err := tx.Append(store.Event{ID: id, Community: "c", Instance: "i", Plugin: "slack", Type: "message", At: t0, Data: body, Delivery: id})
		return err
	})
	if err != nil {
		b.Error(err)
	}
}

// BenchmarkDisk is what the disk allows: appending a page and waiting for it.
func BenchmarkDisk(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	require.NoError(b, err)
	defer func() { require.NoError(b, f.Close()) }()
	page := make([]byte, 4096)
	for b.Loop() {
		_, err := f.Write(page)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

// BenchmarkCast is one ballot among many voters, without the wait for the disk: all are cast in one Update.
func BenchmarkCast(b *testing.B) {
	for _, voters := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("voters=%d", voters), func(b *testing.B) {
			s := openTemp(b, Options{})
			update(b, s, func(tx store.Tx) error {
				return tx.PutProcess(store.Process{ID: "p", Status: store.Pending})
			})
			cast := func(tx store.Tx, i, round int) {
				_, err := tx.Cast(store.Ballot{
					Process: "p", Voter: "U" + strconv.Itoa(i*7919%voters), At: t0.Add(time.Duration(round) * time.Second), Now: t0,
					Choices: []store.Choice{{Choice: []string{"yes", "no"}[(i+round)%2], Weight: 1_000_000}},
				})
				require.NoError(b, err)
			}
			update(b, s, func(tx store.Tx) error {
				for i := range voters {
					cast(tx, i, 0)
				}
				return nil
			})
			round := 0
			update(b, s, func(tx store.Tx) error {
				for b.Loop() {
					round++
					cast(tx, round*31, round)
				}
				return nil
			})
		})
	}
}

// BenchmarkClaim looks for what is due among tasks of which none is.
func BenchmarkClaim(b *testing.B) {
	for _, tasks := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("waiting=%d", tasks), func(b *testing.B) {
			s := openTemp(b, Options{})
			for done := 0; done < tasks; done += 100_000 {
				update(b, s, func(tx store.Tx) error {
					for i := done; i < min(tasks, done+100_000); i++ {
						err := tx.Schedule(store.Task{Kind: "close", Key: strconv.Itoa(i), Due: t0.Add(time.Hour + time.Duration(i)*time.Millisecond)})
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
			for b.Loop() {
				update(b, s, func(tx store.Tx) error {
					got, err := tx.Claim([]string{"poll", "close", "show"}, t0, t0.Add(time.Minute), 100)
					require.Empty(b, got)
					return err
				})
			}
		})
	}
}

// BenchmarkView reads one row by its key.
func BenchmarkView(b *testing.B) {
	s := openTemp(b, Options{})
	update(b, s, func(tx store.Tx) error { return tx.PutRef("i", "r", "p") })
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := s.View(context.Background(), func(tx store.Tx) error {
				_, err := tx.ProcessesByRef("i", "r", 0)
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
