package storetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// childEnv names the store that a child process works on until it is killed.
const childEnv = "STORETEST_CHILD"

// Child is for the TestMain of a package that calls [RunDurable]:
//
//	func TestMain(m *testing.M) {
//		if storetest.Child(open) {
//			return
//		}
//		os.Exit(m.Run())
//	}
//
// In a process that RunDurable has started it works on the store that open opens until it is killed, or returns true
// after something went wrong, which it has told on stderr. In every other it returns false at once.
func Child(open func(path string) (store.Store, error)) bool {
	path := os.Getenv(childEnv)
	if path == "" {
		return false
	}
	s, err := open(path)
	if err == nil {
		err = workUntilKilled(s, os.Stdout)
	}
	fmt.Fprintln(os.Stderr, err)
	return true
}

const childWorkers = 4

// workUntilKilled has a few workers write, each its own rows and each a line on out for what was acknowledged. It
// returns only when something goes wrong.
func workUntilKilled(s store.Store, out io.Writer) error {
	started := make([]int, childWorkers)
	err := s.View(context.Background(), func(tx store.Tx) error {
		for i := range started {
			n, err := worked(tx, strconv.Itoa(i))
			if err != nil {
				return err
			}
			started[i] = n
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("find where to go on: %w", err)
	}
	fmt.Fprintln(out, "ready")
	return gather(childWorkers, func(i int) error {
		worker := strconv.Itoa(i)
		for n := started[i]; ; n++ {
			if err := s.Update(context.Background(), func(tx store.Tx) error { return work(tx, worker, n) }); err != nil {
				return fmt.Errorf("worker %s at %d: %w", worker, n, err)
			}
			// One short write is whole in a pipe.
			if _, err := out.Write([]byte("did " + worker + " " + strconv.Itoa(n) + "\n")); err != nil {
				return err
			}
		}
	})
}

// work is the nth transaction of a worker: a row in several tables, which must all be there or none.
func work(tx store.Tx, worker string, n int) error {
	process := "p" + worker
	if n == 0 {
		if err := tx.PutProcess(store.Process{ID: process, Status: store.Pending}); err != nil {
			return err
		}
	}
	_, rev, err := tx.State(process, "done")
	if err != nil {
		return err
	}
	if err := tx.PutState(process, "done", []byte(strconv.Itoa(n+1)), rev); err != nil {
		return err
	}
	if _, _, err := tx.Append(store.Event{Process: process, Type: "work", Actor: strconv.Itoa(n), At: sec(n)}); err != nil {
		return err
	}
	if _, err := tx.Cast(store.Ballot{Process: process, Voter: strconv.Itoa(n % 20), At: sec(n + 1), Choices: []store.Choice{
		{Question: "q", Choice: strconv.Itoa(n % 3), Weight: int64(n)},
	}}); err != nil {
		return err
	}
	if _, err := tx.Accept(store.Delivery{ID: fmt.Sprint(worker, "-", n), Plugin: "p", Fact: fmt.Sprint(worker, "-", n), Body: bytes.Repeat([]byte("body"), 200)}); err != nil {
		return err
	}
	return tx.Schedule(store.Task{Kind: "k", Key: fmt.Sprintf("%s-%06d", worker, n), Instance: worker, Due: sec(n)})
}

// worked is how many transactions of a worker are in the store.
func worked(tx store.Tx, worker string) (int, error) {
	value, rev, err := tx.State("p"+worker, "done")
	if err != nil || rev == 0 {
		return 0, err
	}
	return strconv.Atoi(string(value))
}

// requireWhole looks for everything that was acknowledged and for anything half, and says how much is there.
func requireWhole(t testingT, tx store.Tx, acknowledged map[string]int) map[string]int {
	t.Helper()
	there := map[string]int{}
	total := 0
	for worker, atLeast := range acknowledged {
		n := must(worked(tx, worker))(t)
		there[worker] = n
		total += n
		require.GreaterOrEqual(t, n, atLeast, "worker %s lost what was acknowledged", worker)

		events := must(tx.Events(store.EventQuery{Process: "p" + worker}, all))(t)
		require.Len(t, events, n)
		for i, e := range events {
			require.Equal(t, strconv.Itoa(i), e.Actor)
		}
		require.Len(t, must(tx.Tasks(store.TaskQuery{Instance: worker}, "", "", all))(t), n)
		counts, voted := recount(must(tx.Ballots("p"+worker, "", "", all))(t))
		require.Equal(t, list(counts), list(must(tx.Counts("p"+worker))(t)))
		require.EqualValues(t, len(voted), must(tx.Turnout("p"+worker))(t))
		require.Len(t, voted, min(n, 20))
		for i := range n {
			must(tx.Delivery(fmt.Sprint(worker, "-", i)))(t)
		}
		_, err := tx.Delivery(fmt.Sprint(worker, "-", n))
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	require.EqualValues(t, total, must(tx.LastSeq())(t), "numbers have no gaps")
	return there
}

// testKilled kills a process that works on the store, several times, and looks after each.
func testKilled(t *testing.T, path string, open func(t *testing.T, path string) store.Store) {
	acknowledged := map[string]int{}
	for i := range childWorkers {
		acknowledged[strconv.Itoa(i)] = 0
	}
	for range 6 {
		killChild(t, path, rand.IntN(120), acknowledged)
		s := open(t, path)
		view(t, s, func(tx store.Tx) { acknowledged = requireWhole(t, tx, acknowledged) })
		requireUsable(t, s)
		require.NoError(t, s.Close())
	}
}

// killChild starts a child, kills it after so many acknowledgements, and notes all that it wrote.
func killChild(t *testing.T, path string, after int, acknowledged map[string]int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), forever)
	defer cancel()
	// No test has such a name: a binary without Child ends at once.
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^no such test$")
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	reader := bufio.NewReader(out)
	ready, killed, seen := false, false, 0
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			// A line without its end was not written whole.
			break
		}
		var worker string
		var n int
		if line == "ready\n" {
			ready = true
		} else if _, err := fmt.Sscanf(line, "did %s %d\n", &worker, &n); err == nil {
			acknowledged[worker] = max(acknowledged[worker], n+1)
			seen++
		}
		if ready && !killed && seen >= after {
			// SIGKILL: the child gets no chance to finish anything.
			require.NoError(t, cmd.Process.Kill())
			killed = true
		}
	}
	err = cmd.Wait()
	require.True(t, ready, "the child did not begin: TestMain must call storetest.Child; it said %q", stderr.String())
	require.True(t, killed, "the child ended by itself (%v): %s", err, stderr.String())
}

// ignoring is nil for an error that was expected.
func ignoring(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
