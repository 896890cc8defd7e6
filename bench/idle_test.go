package bench

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
)

// idleKinds are the kinds of tasks that the scheduler looks for.
var idleKinds = []string{"process.close", "process.start", "inbox", "process.show", "event", "process.update", "poll", "call", "tidy", "install"}

// BenchmarkIdle is one look for something to do, as the scheduler makes it, where nothing is due: under a millisecond, and with a
// million tasks at most twice what it takes with a thousand. The ratio is that of the medians of looks at both in turn.
func BenchmarkIdle(b *testing.B) {
	of := map[int]store.Store{} // filled once, by whichever form needs it first: a form is run more than once to find its N
	filled := func(tasks int) store.Store {
		if of[tasks] == nil {
			of[tasks] = idleStore(b, tasks)
		}
		return of[tasks]
	}
	for _, tasks := range []int{1000, 1_000_000} {
		b.Run("tasks="+strconv.Itoa(tasks), func(b *testing.B) {
			small, s := filled(1000), filled(tasks)
			now := time.Now()
			require.Zero(b, look(b, s, now))
			require.Zero(b, look(b, small, now))
			require.Positive(b, look(b, s, now.Add(48*time.Hour)), "there are tasks")
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				look(b, s, now)
			}
			b.StopTimer()
			var took [2][]time.Duration
			for range b.N {
				for i, s := range []store.Store{small, s} {
					began := time.Now()
					look(b, s, now)
					took[i] = append(took[i], time.Since(began))
				}
			}
			for _, t := range took {
				slices.Sort(t)
			}
			b.ReportMetric(float64(took[1][b.N/2])/float64(took[0][b.N/2]), "x-of-1000")
		})
	}
}

// look asks what is due next, claims it if it is due, and says how much that was.
func look(b *testing.B, s store.Store, now time.Time) (claimed int) {
	var next time.Time
	err := s.View(b.Context(), func(tx store.Tx) (err error) {
		next, err = tx.NextDue(idleKinds)
		return err
	})
	if err == nil && !next.IsZero() && !next.After(now) {
		err = s.Update(b.Context(), func(tx store.Tx) error {
			got, err := tx.Claim(idleKinds, now, now.Add(time.Minute), 16)
			claimed = len(got)
			return err
		})
	}
	if err != nil {
		b.Fatal(err)
	}
	return claimed
}

// idleStore has so many tasks of all kinds, due from an hour to a day from now, over 10,000 communities.
func idleStore(b *testing.B, tasks int) store.Store {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), fmt.Sprintf("idle%d.db", tasks)))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	const some = 20_000
	due := time.Now().Add(time.Hour)
	// In the order of the keys, which is several times faster than at random.
	for kind := range idleKinds {
		of := tasks / len(idleKinds)
		for from := 0; from < of; from += some {
			err := s.Update(b.Context(), func(tx store.Tx) error {
				for i := from; i < min(of, from+some); i++ {
					community := fmt.Sprintf("town%04d", i*10_000/max(of, 10_000))
					err := tx.Schedule(store.Task{
						Kind: idleKinds[kind], Key: fmt.Sprintf("%08d", i), Community: community,
						Due: due.Add(time.Duration(i) * 23 * time.Hour / time.Duration(of)), Created: due,
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			require.NoError(b, err)
		}
	}
	return s
}
