package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

var errUnwell = errors.New("unwell")

// Sums of ballots are written late. Whoever looks finds them right all the same, also when functions of the group fail, panic or are
// undone alone, and when others write the same sums at once.
func TestSumsOfAGroup(t *testing.T) {
	t.Run("all well", func(t *testing.T) { sumsOfAGroup(t, false) }) // with failures there are mostly savepoints, and then nothing is late
	t.Run("some fail", func(t *testing.T) { sumsOfAGroup(t, true) })
}

func sumsOfAGroup(t *testing.T, failures bool) {
	s := openTemp(t, Options{})
	processes := []string{"p", "q", "r"}
	update(t, s, func(tx store.Tx) error {
		for _, p := range processes {
			if err := tx.PutProcess(store.Process{ID: p, Status: store.Pending, Open: true}); err != nil {
				return err
			}
		}
		return nil
	})
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range 40 {
				err := tryCasting(t, s, r, processes[r.IntN(len(processes))], fmt.Sprintf("v%d", r.IntN(200)), i, failures)
				if err != nil && !errors.Is(err, errUnwell) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		for _, p := range processes {
			requireRight(t, tx, p)
		}
		return nil
	}))
}

// tryCasting casts a ballot in an Update that may look at the counts, write voters, fail, or panic.
func tryCasting(t *testing.T, s *Store, r *rand.Rand, process, voter string, round int, failures bool) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errUnwell
		}
	}()
	return s.Update(context.Background(), func(tx store.Tx) error {
		b := store.Ballot{Process: process, Voter: voter, At: t0.Add(time.Duration(round) * time.Second), Now: t0}
		for q := range 1 + r.IntN(2) {
			b.Choices = append(b.Choices, store.Choice{Question: fmt.Sprint("q", q), Choice: []string{"yes", "no", ""}[r.IntN(3)], Weight: int64(1 + r.IntN(3))})
		}
		if _, err := tx.Cast(b); err != nil {
			return err
		}
		switch what := r.IntN(40); {
		case what == 0 && failures:
			return errUnwell
		case what == 1 && failures:
			panic("unwell")
		case what == 2:
			return tx.PutVoters(process, true, []store.Voter{{Key: voter}})
		case what > 35:
			if err := whatIsWrong(tx, process); err != nil {
				t.Error(err) // at once: a function that fails may run again, with savepoints
			}
		}
		return nil
	})
}

func requireRight(t *testing.T, tx store.Tx, process string) {
	t.Helper()
	require.NoError(t, whatIsWrong(tx, process))
}

// whatIsWrong counts the ballots and compares.
func whatIsWrong(tx store.Tx, process string) error {
	held, err := tx.Ballots(process, "", "", 10_000)
	if err != nil {
		return err
	}
	type choice struct{ question, choice string }
	want := map[choice]store.Count{}
	voters := map[string]bool{}
	for _, h := range held {
		if h.Choice == "" || !h.Counts {
			continue
		}
		voters[h.Holder] = true
		c := choice{h.Question, h.Choice}
		n := want[c]
		want[c] = store.Count{Ballots: n.Ballots + 1, Weight: n.Weight + h.Weight}
	}
	counts, err := tx.Counts(process)
	if err != nil {
		return err
	}
	for _, n := range counts {
		c := choice{n.Question, n.Choice}
		if w := want[c]; w.Ballots != n.Ballots || w.Weight != n.Weight {
			return fmt.Errorf("process %s: %d ballots of %d for %v, but %d of %d are counted", process, w.Ballots, w.Weight, c, n.Ballots, n.Weight)
		}
		delete(want, c)
	}
	if len(want) > 0 {
		return fmt.Errorf("process %s: not counted: %v", process, want)
	}
	turnout, err := tx.Turnout(process)
	if err == nil && turnout != int64(len(voters)) {
		err = fmt.Errorf("process %s: a turnout of %d with %d voters", process, turnout, len(voters))
	}
	return err
}

// What is read once for a transaction is read again after it was changed or undone.
func TestSharedRows(t *testing.T) {
	s := openTemp(t, Options{})
	update(t, s, func(tx store.Tx) error {
		require.NoError(t, tx.PutProcess(store.Process{ID: "p", Instance: "i", Status: store.Pending, State: []byte("1")}))
		require.NoError(t, tx.PutRef("i", "r", "p"))
		p, err := tx.Process("p")
		require.NoError(t, err)
		p.State[0] = '9' // what is read belongs to whoever read it
		p, err = tx.Process("p")
		require.NoError(t, err)
		require.Equal(t, "1", string(p.State))
		p.State = []byte("2")
		require.NoError(t, tx.PutProcess(p))
		p, err = tx.Process("p")
		require.NoError(t, err)
		require.Equal(t, "2", string(p.State))
		require.EqualValues(t, 2, p.Rev)

		allowed, _, err := tx.Voter("p", "v")
		require.NoError(t, err)
		require.False(t, allowed)
		require.NoError(t, tx.PutVoters("p", true, []store.Voter{{Key: "v"}}))
		allowed, _, err = tx.Voter("p", "v")
		require.NoError(t, err)
		require.True(t, allowed)

		linked, err := tx.HasAccounts("c")
		require.NoError(t, err)
		require.False(t, linked)
		require.NoError(t, tx.PutAccount(store.Account{Community: "c"}))
		linked, err = tx.HasAccounts("c")
		require.NoError(t, err)
		require.True(t, linked)
		require.NoError(t, tx.DeleteAccount("c", "", "", ""))
		linked, err = tx.HasAccounts("c")
		require.NoError(t, err)
		require.False(t, linked)

		of := func(ref string) []string {
			ids, err := tx.ProcessesByRef("i", ref, 0)
			require.NoError(t, err)
			return ids
		}
		require.Equal(t, []string{"p"}, of("r"))
		require.NoError(t, tx.PutRef("i", "r", "q"))
		require.Equal(t, []string{"q", "p"}, of("r"))
		of("r")[0] = "x" // likewise
		require.Equal(t, []string{"q", "p"}, of("r"))
		require.NoError(t, tx.DeleteInstance("i"))
		require.Empty(t, of("r"))

		_, err = tx.Cast(store.Ballot{Process: "p", Voter: "v", Choices: []store.Choice{{Choice: "yes", Weight: 1}}, At: t0})
		require.NoError(t, err)
		p, err = tx.Process("p")
		require.NoError(t, err)
		p.Status, p.Ended = store.Completed, t0
		require.NoError(t, tx.PutProcess(p))
		require.NoError(t, tx.PutRef("i", "again", "p"))
		require.Len(t, of("again"), 1)
		_, err = tx.Cast(store.Ballot{Process: "p", Voter: "w", Choices: []store.Choice{{Choice: "yes", Weight: 1}}, At: t0})
		require.ErrorIs(t, err, store.ErrNotOpen)
		n, err := tx.PruneProcesses(t0.Add(time.Hour), 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Empty(t, of("again"))
		_, err = tx.Process("p")
		require.ErrorIs(t, err, store.ErrNotFound)
		turnout, err := tx.Turnout("p")
		require.Zero(t, turnout)
		return err
	})
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		counts, err := tx.Counts("p")
		require.Empty(t, counts)
		turnout, _ := tx.Turnout("p")
		require.Zero(t, turnout, "what was late is not written after the process was deleted")
		return err
	}))
}
