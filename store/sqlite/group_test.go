package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// crowd runs one Update each for the named members, in this order, in one transaction if the store lets them: the turn is
// held until all wait.
func crowd(t *testing.T, s *Store, fns map[string]func(store.Tx) error, order ...string) map[string]error {
	t.Helper()
	hold := make(chan struct{})
	var wg sync.WaitGroup
	held := make(chan struct{})
	var once sync.Once
	wg.Go(func() {
		_ = s.Update(context.Background(), func(store.Tx) error {
			once.Do(func() { close(held) })
			<-hold
			return errors.New("nothing of this is kept")
		})
	})
	<-held
	var mu sync.Mutex
	errs := map[string]error{}
	for i, name := range order {
		wg.Go(func() {
			// A panic and Goexit are looked at by the tests, as errors.
			err := errors.New("goexit")
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("panic: %v", p)
				}
				mu.Lock()
				defer mu.Unlock()
				errs[name] = err
			}()
			err = s.Update(context.Background(), fns[name])
		})
		waitFor(t, func() bool {
			s.group.mu.Lock()
			defer s.group.mu.Unlock()
			return len(s.group.waiting) == i+1
		})
	}
	close(hold)
	wg.Wait()
	return errs
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1_000_000 {
		if ok() {
			return
		}
		runtime.Gosched()
	}
	t.Fatal("waited for too long")
}

func puts(slug string) func(store.Tx) error {
	return func(tx store.Tx) error { return tx.PutCommunity(store.Community{Slug: slug}) }
}

func slugs(t *testing.T, s *Store) []string {
	t.Helper()
	var out []string
	require.NoError(t, s.View(context.Background(), func(tx store.Tx) error {
		out = nil
		cs, err := tx.Communities("", 1000)
		for _, c := range cs {
			out = append(out, c.Slug)
		}
		return err
	}))
	return out
}

// commits counts COMMITs, and fails statements on demand.
func commits(s *Store, fail func(query string) error) *atomic.Int64 {
	var n atomic.Int64
	s.group.w.fail = func(query string) error {
		if query == "COMMIT" {
			n.Add(1)
		}
		if fail != nil {
			return fail(query)
		}
		return nil
	}
	return &n
}

func TestGroupSharesCommits(t *testing.T) {
	s := openTemp(t, Options{})
	n := commits(s, nil)
	fns := map[string]func(store.Tx) error{}
	var order []string
	for i := range 50 {
		name := fmt.Sprint("c", i)
		fns[name] = puts(name)
		order = append(order, name)
	}
	for name, err := range crowd(t, s, fns, order...) {
		require.NoError(t, err, name)
	}
	require.Len(t, slugs(t, s), 50)
	require.LessOrEqual(t, n.Load(), int64(5), "50 Updates should share few transactions")
}

func TestGroupMembersFailAlone(t *testing.T) {
	mine := errors.New("mine")
	for name, bad := range map[string]func(store.Tx) error{
		"mine": func(tx store.Tx) error { return errors.Join(puts("bad")(tx), mine) },
		"panic: boom": func(tx store.Tx) error {
			_ = puts("bad")(tx)
			panic("boom")
		},
		"goexit": func(tx store.Tx) error {
			_ = puts("bad")(tx)
			runtime.Goexit()
			return nil
		},
	} {
		for _, order := range [][]string{{"bad", "x", "y"}, {"x", "bad", "y"}, {"x", "y", "bad"}} {
			t.Run(fmt.Sprint(name, order), func(t *testing.T) {
				s := openTemp(t, Options{})
				errs := crowd(t, s, map[string]func(store.Tx) error{"x": puts("x"), "bad": bad, "y": puts("y")}, order...)
				require.NoError(t, errs["x"])
				require.NoError(t, errs["y"])
				require.EqualError(t, errs["bad"], name)
				require.Equal(t, []string{"x", "y"}, slugs(t, s))
				update(t, s, puts("z"))
			})
		}
	}
}

// What a member saw of the others may be undone, so it is not told before the commit, and runs again when there is none.
func TestGroupAnswersWaitForTheCommit(t *testing.T) {
	s := openTemp(t, Options{})
	failed := false
	commits(s, func(query string) error {
		if query == "COMMIT" && !failed {
			failed = true
			return errors.New("no commit")
		}
		return nil
	})
	runs, saw := map[string]int{}, map[string]error{}
	errs := crowd(t, s, map[string]func(store.Tx) error{
		"a": func(tx store.Tx) error {
			if runs["a"]++; runs["a"] > 1 {
				return errors.New("not this time")
			}
			return puts("a")(tx)
		},
		"conflict": func(tx store.Tx) error { runs["conflict"]++; return puts("a")(tx) },
		"reads": func(tx store.Tx) error {
			runs["reads"]++
			_, saw["reads"] = tx.Community("b")
			return nil
		},
	}, "a", "conflict", "reads")
	require.True(t, failed)
	require.EqualError(t, errs["a"], "not this time")
	require.NoError(t, errs["conflict"], "the row it ran into was never kept")
	require.NoError(t, errs["reads"])
	require.Equal(t, map[string]int{"a": 2, "conflict": 2, "reads": 2}, runs)
	require.Equal(t, []string{"a"}, slugs(t, s))
}

// One that writes and fails costs the others one more run and no more commits, and the next failure, soon after, not even that.
func TestGroupFailureCostsOneMoreRun(t *testing.T) {
	s := openTemp(t, Options{})
	saved := 0
	n := commits(s, func(query string) error {
		if query == "SAVEPOINT member" {
			saved++
		}
		return nil
	})
	runs, all := map[string]int{}, 0
	write := func(tx store.Tx, name string) error {
		runs[name]++
		all++ // what changes nothing commits nothing
		return tx.PutRef("i", name, strconv.Itoa(all))
	}
	fns := map[string]func(store.Tx) error{"bad": func(tx store.Tx) error { return errors.Join(write(tx, "bad"), errors.New("mine")) }}
	for _, name := range []string{"a", "b", "c"} {
		fns[name] = func(tx store.Tx) error { return write(tx, name) }
	}
	round := func(want map[string]int) {
		t.Helper()
		clear(runs)
		n.Store(0)
		errs := crowd(t, s, fns, "a", "b", "bad", "c")
		require.EqualError(t, errs["bad"], "mine")
		require.Equal(t, want, runs)
		require.EqualValues(t, 1, n.Load())
	}
	round(map[string]int{"a": 2, "b": 2, "bad": 2, "c": 1})
	require.Equal(t, 3, saved)
	round(map[string]int{"a": 1, "b": 1, "bad": 1, "c": 1})
	for range careful {
		update(t, s, fns["a"])
	}
	saved = 0
	round(map[string]int{"a": 2, "b": 2, "bad": 2, "c": 1})
	require.Equal(t, 3, saved)
}

// What members of a transaction share is what is there: not what one changed since, nor what was undone.
func TestGroupSharedReads(t *testing.T) {
	s := openTemp(t, Options{})
	one := store.Instance{ID: "1", Community: "c", Plugin: "p", Name: "n", PlatformID: "T", Config: []byte("{}")}
	other := store.Instance{ID: "2", Community: "d", Plugin: "p", Name: "n", PlatformID: "T"}
	saw := map[string][]string{}
	look := func(name string) func(store.Tx) error {
		return func(tx store.Tx) error {
			saw[name] = nil
			rows, err := tx.InstancesByPlatform("p", "T", 0)
			for _, row := range rows {
				saw[name] = append(saw[name], row.ID+string(row.Config))
				if len(row.Config) > 0 {
					row.Config[0] = 'X'
				}
			}
			return errors.Join(err, puts(name)(tx))
		}
	}
	for range 2 { // the second time with savepoints
		errs := crowd(t, s, map[string]func(store.Tx) error{
			"none": look("none"), "put": func(tx store.Tx) error { return tx.PutInstance(one) }, "one": look("one"), "again": look("again"),
			"bad": func(tx store.Tx) error {
				return errors.Join(tx.PutInstance(other), look("both")(tx), errors.New("mine"))
			},
			"last": look("last"), "delete": func(tx store.Tx) error { return tx.DeleteInstance("1") }, "gone": look("gone"),
		}, "none", "put", "one", "again", "bad", "last", "delete", "gone")
		require.EqualError(t, errs["bad"], "mine")
		require.NoError(t, errs["put"])
		require.Equal(t, map[string][]string{"none": nil, "one": {"1{}"}, "again": {"1{}"}, "both": {"1{}", "2"}, "last": {"1{}"}, "gone": nil}, saw)
		update(t, s, func(tx store.Tx) error {
			rows, err := tx.InstancesByPlatform("p", "T", 0)
			require.Empty(t, rows)
			return err
		})
		for name := range saw {
			_, err := s.group.w.run("DELETE FROM communities WHERE slug = $1", name)
			require.NoError(t, err)
		}
	}
	require.Error(t, s.Update(t.Context(), func(tx store.Tx) error {
		require.NoError(t, tx.PutInstance(one))
		rows, err := tx.InstancesByPlatform("p", "T", 0)
		require.Len(t, rows, 1)
		return errors.Join(err, errors.New("no"))
	}))
	update(t, s, func(tx store.Tx) error {
		rows, err := tx.InstancesByPlatform("p", "T", 0)
		require.Empty(t, rows)
		return err
	})
}

// Whether a community has accounts is asked for each ballot and found once for all members of a transaction; what one of them changed, and
// what was undone, is seen.
func TestGroupSharesWhetherThereAreAccounts(t *testing.T) {
	s := openTemp(t, Options{})
	asked := 0
	commits(s, func(query string) error {
		if strings.HasPrefix(query, "SELECT 1 FROM accounts") {
			asked++
		}
		return nil
	})
	saw := map[string]bool{}
	look := func(name string) func(store.Tx) error {
		return func(tx store.Tx) (err error) {
			saw[name], err = tx.HasAccounts("c")
			return errors.Join(err, tx.PutSub(store.Sub{Name: name}))
		}
	}
	for range 2 { // the second time with savepoints
		asked = 0
		errs := crowd(t, s, map[string]func(store.Tx) error{
			"none": look("none"), "again": look("again"), "third": look("third"),
			"bad": func(tx store.Tx) error {
				return errors.Join(tx.PutAccount(store.Account{Community: "c"}), look("inside")(tx), errors.New("mine"))
			},
			"undone": look("undone"), "put": func(tx store.Tx) error { return tx.PutAccount(store.Account{Community: "c"}) }, "one": look("one"),
			"delete": func(tx store.Tx) error { return tx.DeleteAccount("c", "", "", "") }, "gone": look("gone"),
		}, "none", "again", "third", "bad", "undone", "put", "one", "delete", "gone")
		require.EqualError(t, errs["bad"], "mine")
		delete(errs, "bad")
		for name, err := range errs {
			require.NoError(t, err, name)
		}
		require.Equal(t, map[string]bool{"none": false, "again": false, "third": false, "inside": true, "undone": false, "one": true, "gone": false}, saw)
	}
	require.Equal(t, 5, asked, "once, and after each change: the bad one's, its undoing, the put one's, the deletion")
}

// What another program has changed between two transactions is seen.
func TestGroupSharesWithinOneTransaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.db")
	s, err := Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	other, err := Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	for want, write := range []func(store.Tx) error{
		func(store.Tx) error { return nil }, // a transaction that wrote nothing ends in its own way
		puts("x"),
	} {
		update(t, s, func(tx store.Tx) error {
			rows, err := tx.InstancesByPlatform("p", "T", 0)
			require.Len(t, rows, want)
			return errors.Join(err, write(tx))
		})
		update(t, other, func(tx store.Tx) error {
			return tx.PutInstance(store.Instance{ID: fmt.Sprint(want), Community: fmt.Sprint(want), Plugin: "p", Name: "n", PlatformID: "T"})
		})
		update(t, s, func(tx store.Tx) error {
			rows, err := tx.InstancesByPlatform("p", "T", 0)
			require.Len(t, rows, want+1)
			return err
		})
	}
}

// Whatever fails of what ends a member's part, the others are kept, whole.
func TestGroupBrokenTransaction(t *testing.T) {
	mine := errors.New("mine")
	for _, query := range []string{"SAVEPOINT member", "RELEASE member", "ROLLBACK TO member", "COMMIT"} {
		for _, gone := range []bool{false, true} {
			t.Run(fmt.Sprint(query, gone), func(t *testing.T) {
				s := openTemp(t, Options{})
				failed := false
				commits(s, func(q string) error {
					if q != query || failed {
						return nil
					}
					failed = true
					if gone { // as SQLite does when the disk is full
						_, err := s.group.w.run("ROLLBACK")
						require.NoError(t, err)
					}
					return errors.New("broken")
				})
				errs := crowd(t, s, map[string]func(store.Tx) error{
					"x": puts("x"), "y": puts("y"), "z": puts("z"),
					"bad": func(tx store.Tx) error { return errors.Join(puts("bad")(tx), mine) },
				}, "x", "y", "bad", "z")
				require.True(t, failed)
				for _, name := range []string{"x", "y", "z"} {
					require.NoError(t, errs[name], name)
				}
				require.EqualError(t, errs["bad"], "mine")
				require.Equal(t, []string{"x", "y", "z"}, slugs(t, s))
			})
		}
	}
}

// When no commit succeeds each member tries twice, the second time alone, and is told.
func TestGroupTriesAreBounded(t *testing.T) {
	s := openTemp(t, Options{})
	none := errors.New("no commit")
	n := commits(s, func(query string) error {
		if query == "COMMIT" {
			return none
		}
		return nil
	})
	runs := map[string]int{}
	fns := map[string]func(store.Tx) error{}
	for _, name := range []string{"x", "y", "z"} {
		fns[name] = func(tx store.Tx) error { runs[name]++; return puts(name)(tx) }
	}
	for name, err := range crowd(t, s, fns, "x", "y", "z") {
		require.ErrorIs(t, err, none, name)
	}
	require.Equal(t, map[string]int{"x": 2, "y": 2, "z": 2}, runs)
	require.EqualValues(t, 4, n.Load(), "one together, and one each")
	s.group.w.fail = nil
	update(t, s, puts("after"))
	require.Equal(t, []string{"after"}, slugs(t, s))
}

// An error that ended the transaction counts also when the function passes over it, and nothing runs after it: that would
// be kept by itself.
func TestGroupErrorPassedOver(t *testing.T) {
	s := openTemp(t, Options{MaxSize: 80 * 4096})
	big := make([]byte, 1<<20)
	errs := crowd(t, s, map[string]func(store.Tx) error{
		"x": puts("x"), "y": puts("y"),
		"bad": func(tx store.Tx) error {
			_ = tx.PutState("i", "k", big, 0)
			_ = puts("bad")(tx)
			return nil
		},
	}, "x", "bad", "y")
	require.ErrorIs(t, errs["bad"], store.ErrFull)
	require.NoError(t, errs["x"])
	require.NoError(t, errs["y"])
	require.Equal(t, []string{"x", "y"}, slugs(t, s))
}

func TestFullDisk(t *testing.T) {
	s := openTemp(t, Options{MaxSize: 120 * 4096})
	fns := map[string]func(store.Tx) error{}
	var order []string
	for i := range 12 {
		name := fmt.Sprintf("c%02d", i)
		fns[name] = puts(name)
		if i%3 == 1 {
			fns[name] = func(tx store.Tx) error {
				return errors.Join(puts(name)(tx), tx.PutState("i", name, make([]byte, 1<<20), 0))
			}
		}
		order = append(order, name)
	}
	errs := crowd(t, s, fns, order...)
	var want []string
	for i, name := range order {
		if i%3 == 1 {
			require.ErrorIs(t, errs[name], store.ErrFull, name)
			continue
		}
		require.NoError(t, errs[name], name)
		want = append(want, name)
	}
	require.Equal(t, want, slugs(t, s))

	// Filled to the brim in small steps: full is said, and what is there can be read and deleted.
	var err error
	for i := 0; err == nil; i++ {
		err = s.Update(context.Background(), func(tx store.Tx) error {
			return tx.PutTicket(store.Ticket{Kind: "k", ID: fmt.Sprint(i), Until: t0, Data: make([]byte, 2000)})
		})
	}
	require.ErrorIs(t, err, store.ErrFull)
	update(t, s, func(tx store.Tx) error { _, err := tx.PruneTickets(t0, 10); return err })
	update(t, s, puts("room"))
}

// An Update that wrote nothing costs no write to the disk, and says nothing to who watches.
func TestNothingWritten(t *testing.T) {
	s := openTemp(t, Options{})
	n := commits(s, nil)
	watch := s.Watch(t.Context())
	update(t, s, func(tx store.Tx) error { return nil })
	update(t, s, func(tx store.Tx) error { return tx.Unschedule("k", "none") })
	require.Error(t, s.Update(t.Context(), func(tx store.Tx) error { return errors.Join(puts("x")(tx), errors.New("no")) }))
	require.Zero(t, n.Load())
	require.Empty(t, watch)
	update(t, s, puts("x"))
	require.EqualValues(t, 1, n.Load())
	<-watch
}

// Numbers of events have no gaps, also when members of a group, or whole groups, are undone.
func TestGroupEventNumbers(t *testing.T) {
	s := openTemp(t, Options{})
	tries := 0
	commits(s, func(query string) error {
		if tries++; query == "COMMIT" && tries%7 == 0 {
			return errors.New("no commit")
		}
		return nil
	})
	var wg sync.WaitGroup
	var kept atomic.Int64
	for i := range 16 {
		wg.Go(func() {
			for j := range 20 {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					_, _, err := tx.Append(store.Event{Community: fmt.Sprint(i), At: t0})
					if (i+j)%3 == 0 {
						return errors.New("no")
					}
					return err
				})
				if err == nil {
					kept.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.View(context.Background(), func(tx store.Tx) error {
		es, err := tx.Events(store.EventQuery{}, 1000)
		require.Len(t, es, int(kept.Load()))
		for i, e := range es {
			require.EqualValues(t, i+1, e.Seq)
		}
		return err
	}))
}

func TestTransactionUsedTooLong(t *testing.T) {
	s := openTemp(t, Options{})
	var leaked store.Tx
	update(t, s, func(tx store.Tx) error { leaked = tx; return nil })
	require.Error(t, puts("x")(leaked))
	_, err := leaked.Community("x")
	require.Error(t, err)
	require.NotErrorIs(t, err, store.ErrNotFound)
}
