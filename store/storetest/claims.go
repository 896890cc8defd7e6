package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func claimTests() []test {
	return []test{
		within("what is claimed", testClaim),
		within("order and limit", testClaimOrder),
		within("a dead worker's task comes back", testClaimDead),
		within("renew", testRenew),
		within("done after another schedule", testDoneScheduled),
		within("retry", testRetry),
		within("again", testAgain),
		within("a worker that wakes up late", testLate),
	}
}

func leaseTests() []test {
	return []test{
		within("one owner", testLease),
	}
}

func schedule(t testingT, tx store.Tx, key string, due int) {
	t.Helper()
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: key, Due: sec(due), Payload: odd()}))
}

func claim(t testingT, tx store.Tx, now, until int) store.Task {
	t.Helper()
	got := must(tx.Claim([]string{"k"}, sec(now), sec(until), 1))(t)
	require.Len(t, got, 1)
	return got[0]
}

func testClaim(t *testing.T, tx store.Tx) {
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(99), sec(100), 0))(t))
	require.NoError(t, tx.Schedule(store.Task{
		Kind: "k", Key: "a", Community: "c", Instance: "i", Ref: "d", Due: sec(5), Attempts: 3, Error: "e", Payload: odd(), Created: sec(1),
	}))
	require.NoError(t, tx.Schedule(store.Task{Kind: "other", Key: "a", Due: sec(5)}))
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(4), sec(100), 0))(t))
	require.Empty(t, must(tx.Claim(nil, sec(99), sec(100), 0))(t), "no kinds")
	require.Empty(t, must(tx.Claim([]string{"K", "unknown"}, sec(99), sec(100), 0))(t))

	before := must(tx.Task("k", "a"))(t)
	got := must(tx.Claim([]string{"k", "k", "unknown"}, sec(5), finer(60), 0))(t)
	require.Len(t, got, 1, "due at now is due")
	want := before
	want.Due, want.Attempts = kept(60), 4
	same(t, want, got[0])
	require.NotEqual(t, before.Rev, got[0].Rev)
	require.Equal(t, got[0], must(tx.Task("k", "a"))(t))
	got[0].Payload[0] = 'X'
	require.Equal(t, odd(), must(tx.Task("k", "a"))(t).Payload)
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(5), sec(61), 0))(t), "nobody else")
	require.NoError(t, tx.Done(got[0]))
	require.NoError(t, tx.Done(got[0]), "gone is gone")
	require.Empty(t, must(tx.Tasks(store.TaskQuery{Kind: "k"}, "", "", 0))(t))
	require.Len(t, must(tx.Claim([]string{"other"}, sec(5), sec(6), 0))(t), 1)
}

func testClaimOrder(t *testing.T, tx store.Tx) {
	for i := range 150 {
		kind := []string{"k", "l", "m"}[i%3]
		require.NoError(t, tx.Schedule(store.Task{Kind: kind, Key: fmt.Sprintf("%03d", 999-i), Due: sec(i / 10)}))
	}
	got := must(tx.Claim([]string{"l", "k"}, sec(1), sec(100), 9))(t)
	require.Equal(t, []string{"k/990", "k/993", "k/996", "k/999", "l/992", "l/995", "l/998", "k/981", "l/980"}, names(got, taskKey), "five of k and four of l")
	got = must(tx.Claim([]string{"l", "k"}, sec(1), sec(100), 9))(t)
	require.Equal(t, []string{"k/984", "k/987", "l/983", "l/986", "l/989"}, names(got, taskKey), "earliest first, then by kind and key")
	require.Len(t, must(tx.Claim([]string{"l", "k", "m"}, sec(99), sec(100), 0))(t), 100)
	require.Len(t, must(tx.Claim([]string{"l", "k", "m"}, sec(99), sec(100), 0))(t), 36)
}

func testClaimDead(t *testing.T, tx store.Tx) {
	schedule(t, tx, "a", 1)
	first := claim(t, tx, 1, 10)
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(9), sec(20), 0))(t))
	second := claim(t, tx, 10, 20)
	require.Equal(t, 2, second.Attempts)
	// The first worker was not dead after all; nothing that it says counts.
	require.NoError(t, tx.Done(first))
	require.NoError(t, tx.Retry(first, sec(11), "late"))
	require.NoError(t, tx.Park(first, "late", "late"))
	_, err := tx.Renew(first, sec(99))
	require.ErrorIs(t, err, store.ErrConflict)
	require.Equal(t, second, must(tx.Task("k", "a"))(t))
	require.NoError(t, tx.Done(second))
	_, err = tx.Task("k", "a")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testRenew(t *testing.T, tx store.Tx) {
	schedule(t, tx, "a", 1)
	first := claim(t, tx, 1, 10)
	renewed := must(tx.Renew(first, finer(30)))(t)
	want := first
	want.Due = kept(30)
	require.Equal(t, want, renewed, "the same claim, with the same Rev")
	require.Equal(t, renewed, must(tx.Task("k", "a"))(t))
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(29), sec(40), 0))(t))
	renewed = must(tx.Renew(first, sec(40)))(t)
	require.NoError(t, tx.Done(first), "the handler has the value that it was given, whoever renewed meanwhile")
	_, err := tx.Renew(renewed, sec(50))
	require.ErrorIs(t, err, store.ErrConflict, "gone")

	schedule(t, tx, "b", 1)
	k := claim(t, tx, 1, 10)
	schedule(t, tx, "b", 5)
	_, err = tx.Renew(k, sec(50))
	require.ErrorIs(t, err, store.ErrConflict, "scheduled again")
	require.Equal(t, sec(5), must(tx.Task("k", "b"))(t).Due)
	k = claim(t, tx, 5, 10)
	must(tx.Renew(k, sec(20)))(t)
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(10), sec(40), 0))(t))
	must(tx.Renew(k, sec(15)))(t)
	require.Len(t, must(tx.Claim([]string{"k"}, sec(15), sec(40), 0))(t), 1, "also to an earlier time")
}

func testDoneScheduled(t *testing.T, tx store.Tx) {
	schedule(t, tx, "a", 1)
	k := claim(t, tx, 1, 10)
	schedule(t, tx, "a", 4)
	require.NoError(t, tx.Done(k))
	left := must(tx.Task("k", "a"))(t)
	require.Equal(t, sec(4), left.Due)
	require.Equal(t, 1, left.Attempts)
	// What is due no later than the end of the claim stays; Done and then Schedule is the way to be later.
	k = claim(t, tx, 4, 10)
	require.NoError(t, tx.Done(k))
	schedule(t, tx, "a", 99)
	require.Equal(t, sec(99), must(tx.Task("k", "a"))(t).Due)
	require.Zero(t, must(tx.Task("k", "a"))(t).Attempts)
}

func testRetry(t *testing.T, tx store.Tx) {
	schedule(t, tx, "a", 1)
	k := claim(t, tx, 1, 10)
	require.NoError(t, tx.Retry(k, finer(50), "why"))
	want := k
	want.Due, want.Error = kept(50), "why"
	got := must(tx.Task("k", "a"))(t)
	same(t, want, got)
	require.NotEqual(t, k.Rev, got.Rev, "the claim is over")
	require.NoError(t, tx.Done(k))
	require.Equal(t, got, must(tx.Task("k", "a"))(t))
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(49), sec(60), 0))(t))
	k = claim(t, tx, 51, 60)
	require.Equal(t, 2, k.Attempts)
	require.Equal(t, "why", k.Error)

	schedule(t, tx, "a", 55)
	again := must(tx.Task("k", "a"))(t)
	require.NoError(t, tx.Retry(k, sec(99), "late"))
	require.Equal(t, again, must(tx.Task("k", "a"))(t), "what was scheduled meanwhile stays")
	require.NoError(t, tx.Unschedule("k", "a"))
	require.NoError(t, tx.Retry(again, sec(99), "late"))
	_, err := tx.Task("k", "a")
	require.ErrorIs(t, err, store.ErrNotFound, "what is gone does not come back")
}

func testAgain(t *testing.T, tx store.Tx) {
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "a", Community: "c", Instance: "i", Ref: "r", Payload: odd(), Due: sec(1), Created: sec(0)}))
	k := claim(t, tx, 1, 10)
	require.NoError(t, tx.Retry(k, sec(2), "why"))
	k = claim(t, tx, 2, 10)
	require.Equal(t, 2, k.Attempts)
	require.NoError(t, tx.Again(k, finer(50)))
	want := k
	want.Due, want.Attempts, want.Error = kept(50), 0, ""
	got := must(tx.Task("k", "a"))(t)
	same(t, want, got)
	require.NotEqual(t, k.Rev, got.Rev, "the claim is over")
	require.NoError(t, tx.Done(k))
	require.Equal(t, got, must(tx.Task("k", "a"))(t))
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(49), sec(60), 0))(t))
	k = claim(t, tx, 51, 60)
	require.Equal(t, 1, k.Attempts)

	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "a", Due: sec(55)}))
	again := must(tx.Task("k", "a"))(t)
	require.NoError(t, tx.Again(k, sec(99)))
	require.Equal(t, again, must(tx.Task("k", "a"))(t), "what was scheduled meanwhile stays")
	require.NoError(t, tx.Unschedule("k", "a"))
	require.NoError(t, tx.Again(again, sec(99)))
	_, err := tx.Task("k", "a")
	require.ErrorIs(t, err, store.ErrNotFound, "what is gone does not come back")
}

// testLate is a worker that sleeps over the end of its claim while its task is done by another, and made anew.
func testLate(t *testing.T, tx store.Tx) {
	schedule(t, tx, "a", 1)
	seen := map[int64]bool{}
	late := claim(t, tx, 1, 10)
	for i := range 5 {
		k := claim(t, tx, 10+20*i, 15+20*i)
		require.NoError(t, tx.Done(k))
		schedule(t, tx, "a", 20+20*i)
		now := must(tx.Task("k", "a"))(t)
		for _, rev := range []int64{k.Rev, now.Rev} {
			require.False(t, seen[rev], "a Rev was given twice")
			seen[rev] = true
		}
		for _, old := range []store.Task{late, k} {
			require.NoError(t, tx.Done(old))
			require.NoError(t, tx.Park(old, "late", "late"))
			_, err := tx.Renew(old, sec(999))
			require.ErrorIs(t, err, store.ErrConflict)
			require.Equal(t, now, must(tx.Task("k", "a"))(t))
		}
	}
	require.False(t, seen[late.Rev])
}

func testLease(t *testing.T, tx store.Tx) {
	acquire := func(owner string, now, until int) bool {
		return must(tx.Acquire("l", owner, finer(now), finer(until)))(t)
	}
	require.True(t, acquire("a", 0, 10))
	require.False(t, acquire("b", 5, 15))
	require.True(t, acquire("a", 5, 20), "renewed")
	require.False(t, acquire("b", 19, 30))
	require.True(t, must(tx.Acquire("another", "b", sec(0), sec(10)))(t))
	require.NoError(t, tx.Release("l", "b"))
	require.False(t, acquire("b", 19, 30), "a release by another does nothing")
	require.True(t, acquire("b", 20, 30), "run out")
	require.False(t, acquire("a", 21, 40), "taken over")
	require.NoError(t, tx.Release("l", "a"))
	require.False(t, acquire("a", 21, 40))
	require.True(t, acquire("b", 40, 50), "renewed after it ran out")
	require.True(t, acquire("b", 41, 45), "also shorter")
	require.True(t, acquire("a", 45, 60))
	require.NoError(t, tx.Release("l", "a"))
	require.True(t, acquire("b", 46, 50))
	require.NoError(t, tx.Release("nobody's", "a"))
}
