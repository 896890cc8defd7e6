// Package storetest says by tests what a [store.Store] does. Every implementation passes [Run], and those that keep
// their contents pass [RunDurable], whole: there are no skips and no flags for features.
//
// It also has what tests of code above a Store need: [Twice], which finds functions that rely on being run once, and
// [Faulty], which fails on purpose.
package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// Run runs the suite. open is called for each test, on its goroutine; it makes an empty store and has it closed by
// t.Cleanup, at which time the suite may have closed it already.
//
// All of it runs through [Twice]; what is about transactions themselves also runs without.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	twice := func(t *testing.T) store.Store { return Twice(open(t)) }
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Transactions", transactionTests()},
		{"Fields", fieldTests()},
		{"Communities", communityTests()},
		{"Instances", instanceTests()},
		{"Processes", processTests()},
		{"Ballots", ballotTests()},
		{"Holders", holderTests()},
		{"Inbox", inboxTests()},
		{"Events", eventTests()},
		{"Subscriptions", subTests()},
		{"Tasks", taskTests()},
		{"Claims", claimTests()},
		{"Turns", turnTests()},
		{"Leases", leaseTests()},
		{"Calls", callTests()},
		{"People", peopleTests()},
		{"Endpoints", endpointTests()},
		{"Audit", auditTests()},
		{"Races", raceTests()},
		{"Model", modelTests()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, tt := range group.tests {
				t.Run(tt.name, func(t *testing.T) { tt.run(t, twice) })
			}
		})
	}
	t.Run("TransactionsOnce", func(t *testing.T) {
		for _, tt := range transactionTests() {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, open) })
		}
	})
}

type opener func(t *testing.T) store.Store

type test struct {
	name string
	run  func(t *testing.T, open opener)
}

// on makes a test of what needs one store.
func on(name string, run func(t *testing.T, s store.Store)) test {
	return test{name, func(t *testing.T, open opener) { run(t, open(t)) }}
}

// within makes a test of what needs one transaction.
func within(name string, run func(t *testing.T, tx store.Tx)) test {
	return on(name, func(t *testing.T, s store.Store) {
		update(t, s, func(tx store.Tx) { run(t, tx) })
	})
}

type testingT interface {
	require.TestingT
	Helper()
}

// update runs fn in a transaction that must succeed.
func update(t testingT, s store.Store, fn func(tx store.Tx)) {
	t.Helper()
	require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
		fn(tx)
		return nil
	}))
}

// view runs fn on a snapshot.
func view(t testingT, s store.Store, fn func(tx store.Tx)) {
	t.Helper()
	require.NoError(t, s.View(context.Background(), func(tx store.Tx) error {
		fn(tx)
		return nil
	}))
}

// together runs fn on n goroutines and waits for all of them.
func together(t testingT, n int, fn func(i int) error) {
	t.Helper()
	require.NoError(t, gather(n, fn))
}

func gather(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// sec is a time: so many seconds after the beginning of the tests' time.
func sec(n int) time.Time {
	return time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// finer is sec(n) in another zone and finer than what is kept; it is kept as kept(n).
func finer(n int) time.Time {
	return sec(n).Add(1_999 * time.Nanosecond).In(time.FixedZone("east", 5*60*60+45*60))
}

func kept(n int) time.Time { return sec(n).Add(time.Microsecond) }

// forever is how long a test waits for what must happen. It is only waited for when the test fails.
const forever = 30 * time.Second

// odd are bytes that a store must not look into.
func odd() []byte { return []byte("\x00\xff'\"\\%_;\r\n \x80tail ") }

// json is JSON as nobody would format it.
func json() []byte { return []byte(" {\"b\":1.50,  \"a\":\t\"ü<>&\\u00fc\", \"b\":2}\n") }

// must is for a verb's answer that is sure to be there.
func must[V any](v V, err error) func(t testingT) V {
	return func(t testingT) V {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

// names takes one string of each row.
func names[V any](rows []V, name func(V) string) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = name(r)
	}
	return out
}
