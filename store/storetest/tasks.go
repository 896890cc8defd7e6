package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func taskTests() []test {
	return []test{
		within("schedule", testSchedule),
		within("a parked task is scheduled", testScheduleParked),
		within("times are needed", testTaskTimes),
		within("lists and counts", testTaskLists),
		within("park and unpark", testPark),
		within("next due", testNextDue),
	}
}

func taskKey(k store.Task) string { return k.Kind + "/" + k.Key }

// same compares tasks without their Revs.
func same(t testingT, want, got store.Task) {
	t.Helper()
	require.NotZero(t, got.Rev)
	got.Rev, want.Rev = 0, 0
	require.Equal(t, want, got)
}

func testSchedule(t *testing.T, tx store.Tx) {
	_, err := tx.Task("k", "a")
	require.ErrorIs(t, err, store.ErrNotFound)
	full := store.Task{
		Kind: "k", Key: "a", Community: "c", Instance: "i", Ref: "d", Group: "not looked at", Due: finer(10), Attempts: 2,
		Error: "e", Payload: odd(), Created: finer(1), Rev: 77,
	}
	require.NoError(t, tx.Schedule(full))
	full.Payload[0] = 'X'
	want := full
	want.Group, want.Due, want.Payload, want.Created = "", kept(10), odd(), kept(1)
	got := must(tx.Task("k", "a"))(t)
	same(t, want, got)
	got.Payload[0] = 'X'
	same(t, want, must(tx.Task("k", "a"))(t))

	for _, due := range []time.Time{kept(10), kept(10).Add(999), sec(11)} {
		later := store.Task{Kind: "k", Key: "a", Due: due, Payload: []byte("other")}
		require.NoError(t, tx.Schedule(later))
		after := must(tx.Task("k", "a"))(t)
		same(t, want, after)
		require.Equal(t, got.Rev, after.Rev, "nothing changes")
	}
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "a", Community: "c2", Due: sec(10), Attempts: 9, Created: sec(99)}))
	moved := must(tx.Task("k", "a"))(t)
	same(t, store.Task{Kind: "k", Key: "a", Community: "c2", Due: sec(10), Attempts: 2, Created: kept(1)}, moved)
	require.NotEqual(t, got.Rev, moved.Rev)

	require.NoError(t, tx.Schedule(store.Task{Kind: "k2", Key: "a", Due: sec(5)}))
	require.NoError(t, tx.Unschedule("k", "a"))
	require.NoError(t, tx.Unschedule("k", "a"))
	require.NoError(t, tx.Unschedule("nothing", ""))
	_, err = tx.Task("k", "a")
	require.ErrorIs(t, err, store.ErrNotFound)
	same(t, store.Task{Kind: "k2", Key: "a", Due: sec(5)}, must(tx.Task("k2", "a"))(t))
}

func testScheduleParked(t *testing.T, tx store.Tx) {
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "a", Due: sec(1), Attempts: 4, Created: sec(0)}))
	require.NoError(t, tx.Park(must(tx.Task("k", "a"))(t), "group", "why"))
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "a", Due: sec(1000), Payload: odd()}))
	same(t, store.Task{Kind: "k", Key: "a", Due: sec(1000), Attempts: 4, Payload: odd(), Created: sec(0)}, must(tx.Task("k", "a"))(t))
	require.Empty(t, must(tx.Tasks(store.TaskQuery{Parked: true}, "", "", 0))(t))
	require.Len(t, must(tx.Claim([]string{"k"}, sec(1000), sec(1001), 0))(t), 1)
}

func testTaskTimes(t *testing.T, tx store.Tx) {
	require.Equal(t, "an error", class(tx.Schedule(store.Task{Kind: "k", Key: "zero"})))
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: "a", Due: sec(1)}))
	before := must(tx.Task("k", "a"))(t)
	require.Equal(t, "an error", class(tx.Schedule(store.Task{Kind: "k", Key: "a"})))
	_, err := tx.Claim([]string{"k"}, sec(1), time.Time{}, 0)
	require.Equal(t, "an error", class(err))
	_, err = tx.Renew(before, time.Time{})
	require.Equal(t, "an error", class(err))
	require.Equal(t, "an error", class(tx.Retry(before, time.Time{}, "")))
	require.Equal(t, "an error", class(tx.Again(before, time.Time{})))
	require.Equal(t, "an error", class(tx.Park(before, "", "no group")))
	_, err = tx.Unpark(store.TaskQuery{}, time.Time{}, 0)
	require.Equal(t, "an error", class(err))
	require.Equal(t, []store.Task{before}, must(tx.Tasks(store.TaskQuery{}, "", "", 0))(t))
}

func testTaskLists(t *testing.T, tx store.Tx) {
	for n := range 120 {
		i := (n * 77) % 120
		require.NoError(t, tx.Schedule(store.Task{
			Kind: fmt.Sprintf("k%d", i%2), Key: fmt.Sprintf("%03d", i), Community: fmt.Sprintf("c%d", i%3), Instance: fmt.Sprintf("i%d", i%4),
			Ref: fmt.Sprintf("d%d", i%5), Due: sec(1000 - i), Payload: make([]byte, i%2),
		}))
	}
	for name, tt := range map[string]struct {
		q         store.TaskQuery
		kind, key string
		limit     int
		want      []string
	}{
		"all":           {store.TaskQuery{}, "", "", 3, []string{"k0/000", "k0/002", "k0/004"}},
		"after":         {store.TaskQuery{}, "k0", "116", 2, []string{"k0/118", "k1/001"}},
		"after a kind":  {store.TaskQuery{}, "k1", "", 1, []string{"k1/001"}},
		"kind":          {store.TaskQuery{Kind: "k1"}, "", "", 2, []string{"k1/001", "k1/003"}},
		"kind, after":   {store.TaskQuery{Kind: "k1"}, "k1", "001", 2, []string{"k1/003", "k1/005"}},
		"community":     {store.TaskQuery{Community: "c1"}, "", "", 2, []string{"k0/004", "k0/010"}},
		"instance":      {store.TaskQuery{Instance: "i3"}, "", "", 2, []string{"k1/003", "k1/007"}},
		"instance, aft": {store.TaskQuery{Instance: "i3"}, "k1", "115", 2, []string{"k1/119"}},
		"ref":           {store.TaskQuery{Ref: "d4"}, "", "", 3, []string{"k0/004", "k0/014", "k0/024"}},
		"ref, after":    {store.TaskQuery{Ref: "d4"}, "k0", "104", 2, []string{"k0/114", "k1/009"}},
		"together":      {store.TaskQuery{Kind: "k1", Community: "c1", Instance: "i1", Ref: "d1"}, "k1", "001", 0, []string{"k1/061"}},
		"group":         {store.TaskQuery{Group: "g"}, "", "", 0, []string{}},
		"parked":        {store.TaskQuery{Parked: true}, "", "", 0, []string{}},
		"none":          {store.TaskQuery{Kind: "k"}, "", "", 0, []string{}},
	} {
		require.Equal(t, tt.want, names(must(tx.Tasks(tt.q, tt.kind, tt.key, tt.limit))(t), taskKey), name)
	}
	require.Len(t, must(tx.Tasks(store.TaskQuery{}, "", "", 0))(t), 100)
	require.Len(t, must(tx.Tasks(store.TaskQuery{}, "", "", 999))(t), 120)
	count := func(q store.TaskQuery, limit int) [2]int64 {
		n, size, err := tx.CountTasks(q, limit)
		require.NoError(t, err)
		return [2]int64{int64(n), size}
	}
	require.Equal(t, [2]int64{120, 60}, count(store.TaskQuery{}, 999))
	require.EqualValues(t, 100, count(store.TaskQuery{}, 0)[0])
	require.Equal(t, [2]int64{7, 7}, count(store.TaskQuery{Kind: "k1"}, 7))
	require.Equal(t, [2]int64{30, 30}, count(store.TaskQuery{Instance: "i3"}, 0))
	require.Equal(t, [2]int64{24, 12}, count(store.TaskQuery{Ref: "d4"}, 0))
	require.Equal(t, [2]int64{}, count(store.TaskQuery{Parked: true}, 0))
}

func testPark(t *testing.T, tx store.Tx) {
	for i, key := range []string{"a", "b", "c", "d", "e"} {
		require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: key, Instance: fmt.Sprintf("i%d", i%2), Ref: "d" + key, Due: sec(i), Payload: odd()}))
	}
	claimed := must(tx.Claim([]string{"k"}, sec(3), sec(60), 0))(t)
	require.Len(t, claimed, 4)
	for i, k := range claimed {
		require.NoError(t, tx.Park(k, fmt.Sprintf("g%d", i/2), "why"))
	}
	a := must(tx.Task("k", "a"))(t)
	same(t, store.Task{Kind: "k", Key: "a", Instance: "i0", Ref: "da", Group: "g0", Attempts: 1, Error: "why", Payload: odd()}, a)
	require.NotEqual(t, claimed[0].Rev, a.Rev)
	require.Equal(t, []string{"k/e"}, names(must(tx.Claim([]string{"k"}, sec(9999), sec(10_000), 0))(t), taskKey), "due never")
	require.Equal(t, sec(10_000), must(tx.NextDue([]string{"k"}))(t))
	list := func(q store.TaskQuery) []string { return names(must(tx.Tasks(q, "", "", 0))(t), taskKey) }
	require.Equal(t, []string{"k/a", "k/b", "k/c", "k/d"}, list(store.TaskQuery{Parked: true}))
	require.Equal(t, []string{"k/c", "k/d"}, list(store.TaskQuery{Group: "g1"}))
	require.Equal(t, []string{"k/b"}, list(store.TaskQuery{Group: "g0", Instance: "i1", Parked: true}))
	require.Equal(t, []string{"k/b"}, list(store.TaskQuery{Ref: "db", Parked: true}))
	require.Len(t, list(store.TaskQuery{}), 5)

	// Its claim ended with the parking.
	require.NoError(t, tx.Done(claimed[0]))
	require.NoError(t, tx.Retry(claimed[0], sec(1), "late"))
	_, err := tx.Renew(claimed[0], sec(99))
	require.ErrorIs(t, err, store.ErrConflict)
	require.NoError(t, tx.Park(claimed[0], "late", "late"))
	require.Equal(t, a, must(tx.Task("k", "a"))(t))
	require.NoError(t, tx.Park(store.Task{Kind: "k", Key: "gone"}, "g", ""))

	require.Zero(t, must(tx.Unpark(store.TaskQuery{Group: "other"}, sec(70), 0))(t))
	require.Zero(t, must(tx.Unpark(store.TaskQuery{Ref: "de"}, sec(70), 0))(t), "not parked")
	require.Equal(t, 1, must(tx.Unpark(store.TaskQuery{Group: "g0"}, finer(70), 1))(t))
	require.Equal(t, 1, must(tx.Unpark(store.TaskQuery{Group: "g0"}, finer(70), 1))(t))
	require.Zero(t, must(tx.Unpark(store.TaskQuery{Group: "g0"}, finer(70), 1))(t))
	again := must(tx.Task("k", "a"))(t)
	again.Error = ""
	same(t, store.Task{Kind: "k", Key: "a", Instance: "i0", Ref: "da", Due: kept(70), Payload: odd()}, again)
	require.NotEqual(t, a.Rev, again.Rev)
	require.Equal(t, kept(70), must(tx.NextDue([]string{"k"}))(t))
	require.Equal(t, []string{"k/c", "k/d"}, list(store.TaskQuery{Parked: true}))
	require.Equal(t, 1, must(tx.Unpark(store.TaskQuery{Kind: "k", Instance: "i1"}, sec(71), 0))(t))
	require.Equal(t, []string{"k/a", "k/b", "k/d"}, names(must(tx.Claim([]string{"k"}, sec(71), sec(99), 0))(t), taskKey))
}

func testNextDue(t *testing.T, tx store.Tx) {
	next := func(kinds ...string) time.Time { return must(tx.NextDue(kinds))(t) }
	require.True(t, next().IsZero())
	require.True(t, next("a", "b").IsZero())
	for _, k := range []store.Task{{Kind: "a", Key: "1", Due: sec(5)}, {Kind: "a", Key: "2", Due: sec(3)}, {Kind: "b", Key: "1", Due: sec(4)}, {Kind: "c", Key: "1", Due: sec(1)}} {
		require.NoError(t, tx.Schedule(k))
	}
	require.True(t, next().IsZero())
	require.Equal(t, sec(3), next("b", "a"))
	require.Equal(t, sec(4), next("b"))
	require.NoError(t, tx.Unschedule("a", "2"))
	require.Equal(t, sec(4), next("a", "b", "none"))
	must(tx.Claim([]string{"b"}, sec(4), sec(9), 0))(t)
	require.Equal(t, sec(5), next("a", "b"))
	require.Equal(t, sec(9), next("b"), "a claimed task is due when its claim ends")
}
