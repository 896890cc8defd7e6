package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/store"
)

// turnTests are about which tasks are claimed where more is due than is wanted.
func turnTests() []test {
	return []test{
		within("one task does not wait for a backlog", testBacklog),
		within("each in its turn while the time stands still", testTurns),
		within("shares of a large claim", testShares),
		within("other kinds have their own turns", testTurnsOfKinds),
		within("no turn is taken by what is early in name only", testTurnsByTime),
		within("a claim that ran out has its turn", testTurnAfterClaim),
		within("queues that were left", testLeftQueues),
		within("a clock that was wrong", testWrongClock),
		within("some are passed over", testExcept),
		within("a claim that ends before it began", testBackwards),
		within("a claim that is given back does not take a turn", testTurnOfRenewed),
		{"nobody is passed twice, nothing is lost", func(t *testing.T, open opener) { testTurnModel(t, open, false) }},
		{"nothing is lost when the clock jumps", func(t *testing.T, open opener) { testTurnModel(t, open, true) }},
	}
}

// queued schedules n tasks for a community, one a second from a time on.
func queued(t testingT, tx store.Tx, community string, n, from int) {
	t.Helper()
	for i := range n {
		k := store.Task{Kind: "k", Key: fmt.Sprintf("%s%04d", community, i), Community: community, Instance: "i-" + community, Due: sec(from + i)}
		require.NoError(t, tx.Schedule(k))
	}
}

// perCommunity counts.
func perCommunity(tasks []store.Task) map[string]int {
	out := map[string]int{}
	for _, k := range tasks {
		out[k.Community]++
	}
	return out
}

// Clocks differ and go back: a claim may end before its task was due, and the queue knows of it.
func testBackwards(t *testing.T, tx store.Tx) {
	queued(t, tx, "b", 1, 50)
	require.Len(t, must(tx.Claim([]string{"k"}, sec(100), sec(30), 10))(t), 1)
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(29), sec(200), 10, "a"))(t))
	require.Len(t, must(tx.Claim([]string{"k"}, sec(40), sec(200), 10, "a"))(t), 1)
}

func testBacklog(t *testing.T, tx store.Tx) {
	queued(t, tx, "big", 500, 0)
	queued(t, tx, "small", 1, 600)
	queued(t, tx, "tiny", 1, 601)
	var order []string
	for range 6 {
		k := must(tx.Claim([]string{"k"}, sec(1000), sec(2000), 1))(t)[0]
		order = append(order, k.Key)
		if k.Community == "big" {
			// Whatever it does with its turn.
			require.NoError(t, tx.Retry(k, sec(1000), ""))
			queued(t, tx, "big", 1, 1000)
		}
	}
	require.Equal(t, []string{"big0000", "small0000", "tiny0000", "big0001", "big0002", "big0003"}, order)
}

// testExcept: whose tasks are not wanted now keep them, and their place.
func testExcept(t *testing.T, tx store.Tx) {
	queued(t, tx, "big", 50, 0)
	queued(t, tx, "slow", 3, 5)
	queued(t, tx, "", 1, 60)
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(4), sec(1000), 9, "big"))(t), "nothing else is due")
	got := must(tx.Claim([]string{"k"}, sec(100), sec(1000), 9, "big"))(t)
	require.Equal(t, map[string]int{"slow": 3, "": 1}, perCommunity(got))
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(100), sec(1000), 9, "big", "slow"))(t))
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(100), sec(1000), 9, "big"))(t))
	got = must(tx.Claim([]string{"k"}, sec(100), sec(1000), 2, "slow"))(t)
	require.Equal(t, []string{"big0000", "big0001"}, names(got, func(k store.Task) string { return k.Key }))
	require.Len(t, must(tx.Claim([]string{"k"}, sec(100), sec(1000), 100))(t), 48)
}

func testTurns(t *testing.T, tx store.Tx) {
	for _, c := range []string{"", "a", "b", "c", "d"} {
		queued(t, tx, c, 30, 0)
	}
	got := map[string]int{}
	for range 10 {
		some := must(tx.Claim([]string{"k"}, sec(100), sec(200), 2))(t)
		require.Len(t, perCommunity(some), 2)
		for c, n := range perCommunity(some) {
			got[c] += n
		}
		if len(got) == 5 {
			counts := slices.Sorted(maps.Values(got))
			require.LessOrEqual(t, counts[4], counts[0]+2, "nobody is passed twice")
		}
	}
	require.Equal(t, map[string]int{"": 4, "a": 4, "b": 4, "c": 4, "d": 4}, got)
}

func testShares(t *testing.T, tx store.Tx) {
	queued(t, tx, "a", 50, 0)
	queued(t, tx, "b", 50, 60)
	queued(t, tx, "c", 2, 200)
	claimed := func(limit int) map[string]int {
		got := must(tx.Claim([]string{"k"}, sec(500), sec(1000), limit))(t)
		require.Len(t, got, limit)
		return perCommunity(got)
	}
	require.Equal(t, map[string]int{"a": 4, "b": 4, "c": 2}, claimed(10))
	queued(t, tx, "c", 1, 201)
	require.NoError(t, tx.Unschedule("k", "c0001"))
	// One of c was claimed and is due again at 201: each has three, then a, whose are the earliest, what c does not need.
	require.Equal(t, map[string]int{"a": 4, "b": 3, "c": 1}, claimed(8))
	require.Equal(t, map[string]int{"a": 42, "b": 43}, claimed(85), "all that there are")
}

func testTurnsOfKinds(t *testing.T, tx store.Tx) {
	for _, kind := range []string{"k", "l", "m"} {
		for _, c := range []string{"a", "b"} {
			for i := range 10 {
				require.NoError(t, tx.Schedule(store.Task{Kind: kind, Key: fmt.Sprint(c, i), Community: c, Due: sec(i)}))
			}
		}
	}
	got := map[string]int{}
	for range 4 {
		for _, k := range must(tx.Claim([]string{"m", "k"}, sec(100), sec(200), 2))(t) {
			got[k.Kind+k.Community]++
		}
	}
	require.Equal(t, map[string]int{"ka": 2, "kb": 2, "ma": 2, "mb": 2}, got)
	require.Equal(t, []string{"l/a0", "l/b0"}, names(must(tx.Claim([]string{"m", "k", "l"}, sec(100), sec(200), 2))(t), taskKey), "they have waited longest")
}

func testTurnsByTime(t *testing.T, tx store.Tx) {
	queued(t, tx, "later", 3, 20)
	queued(t, tx, "sooner", 3, 10)
	require.Equal(t, "sooner", must(tx.Claim([]string{"k"}, sec(30), sec(99), 1))(t)[0].Community)
	require.Equal(t, "later", must(tx.Claim([]string{"k"}, sec(31), sec(99), 1))(t)[0].Community)
	queued(t, tx, "new", 2, 32)
	require.Equal(t, "sooner", must(tx.Claim([]string{"k"}, sec(40), sec(99), 1))(t)[0].Community, "it waits since 30")
	require.Equal(t, "later", must(tx.Claim([]string{"k"}, sec(41), sec(99), 1))(t)[0].Community, "since 31")
	require.Equal(t, "new", must(tx.Claim([]string{"k"}, sec(42), sec(99), 1))(t)[0].Community, "since 32")
}

func testTurnAfterClaim(t *testing.T, tx store.Tx) {
	queued(t, tx, "big", 20, 0)
	queued(t, tx, "dead", 1, 0)
	require.Equal(t, map[string]int{"big": 1, "dead": 1}, perCommunity(must(tx.Claim([]string{"k"}, sec(50), sec(60), 2))(t)))
	for _, want := range []string{"big", "dead", "big", "big"} {
		require.Equal(t, want, must(tx.Claim([]string{"k"}, sec(61), sec(99), 1))(t)[0].Community)
	}
}

// testLeftQueues has more queues from which the tasks have gone than one Claim looks at.
func testLeftQueues(t *testing.T, tx store.Tx) {
	const left = 2500
	ways := []func(key string) error{
		func(key string) error { return tx.Unschedule("k", key) },
		func(key string) error { return tx.Done(must(tx.Task("k", key))(t)) },
		func(key string) error { return tx.Park(must(tx.Task("k", key))(t), "g", "") },
		func(key string) error { return tx.Retry(must(tx.Task("k", key))(t), sec(5000), "") },
		func(key string) error {
			return tx.DeleteInstance("i-" + strings.TrimSuffix(key, "0000"))
		},
		func(key string) error { // moves to another community
			return tx.Schedule(store.Task{Kind: "k", Key: key, Community: "mover", Due: sec(0)})
		},
	}
	for i := range left {
		c := fmt.Sprintf("left%04d", i)
		queued(t, tx, c, 1, 1)
		require.NoError(t, ways[i%len(ways)](c+"0000"))
	}
	queued(t, tx, "big", 50, 2)
	queued(t, tx, "small", 1, 100)
	claims := 0
	for served := false; !served && claims < 50; claims++ {
		got := must(tx.Claim([]string{"k"}, sec(1000), sec(2000), 2))(t)
		require.Len(t, got, 2, "as many as there are, at once")
		served = perCommunity(got)["small"] > 0
	}
	require.LessOrEqual(t, claims, left/1000+2)
	require.Equal(t, left/len(ways)+1, must(tx.Unpark(store.TaskQuery{Group: "g"}, sec(1000), all))(t))
	require.Len(t, must(tx.Claim([]string{"k"}, sec(1000), sec(2000), all))(t), 50+1+2*(left/len(ways)+1)-2*claims-1)
}

// testWrongClock has turns taken while the clock was an hour ahead.
func testWrongClock(t *testing.T, tx store.Tx) {
	queued(t, tx, "a", 20, 0)
	queued(t, tx, "b", 20, 0)
	must(tx.Claim([]string{"k"}, sec(3600), sec(3700), 2))(t)
	require.Equal(t, sec(1), must(tx.NextDue([]string{"k"}))(t))
	for range 19 {
		require.Len(t, must(tx.Claim([]string{"k"}, sec(100), sec(200), 2))(t), 2)
	}
	require.Empty(t, must(tx.Claim([]string{"k"}, sec(100), sec(200), 2))(t))
	for range 4 {
		require.Equal(t, map[string]int{"a": 1, "b": 1}, perCommunity(must(tx.Claim([]string{"k"}, sec(300), sec(400), 2))(t)))
	}
}

// testTurnOfRenewed has a claim moved to now that was made before somebody else began to wait.
func testTurnOfRenewed(t *testing.T, tx store.Tx) {
	schedule := func(community, key string, due int) {
		require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: key, Community: community, Due: sec(due)}))
	}
	schedule("big", "first", 5)
	held := must(tx.Claim([]string{"k"}, sec(5), sec(90), 1))(t)[0]
	schedule("small", "small1", 10)
	schedule("small", "small2", 10)
	schedule("big", "second", 9)
	require.Equal(t, "second", must(tx.Claim([]string{"k"}, sec(10), sec(99), 1))(t)[0].Key, "small is passed once")
	must(tx.Renew(held, sec(10)))(t)
	require.Equal(t, "small1", must(tx.Claim([]string{"k"}, sec(10), sec(99), 1))(t)[0].Key)
}

// testTurnModel does whatever can be done with tasks. Where times do not go back, it looks each time whether a queue has been passed
// twice by another.
func testTurnModel(t *testing.T, open opener, jumps bool) {
	s, check := open(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		// One store for all checks, two kinds of tasks for each: opening can be slow.
		check++
		kinds := []string{fmt.Sprint("k", check), fmt.Sprint("l", check)}
		instance := func(c string) string { return fmt.Sprint(c, check) }
		now := 0
		passed := map[string]map[string]bool{} // by which others a queue that waits has been passed
		claims := map[string]store.Task{}
		read := func() (tasks []store.Task, due map[string]int) {
			due = map[string]int{}
			var next, earliest time.Time
			view(rt, s, func(tx store.Tx) {
				for _, kind := range kinds {
					tasks = append(tasks, must(tx.Tasks(store.TaskQuery{Kind: kind}, "", "", all))(rt)...)
				}
				next = must(tx.NextDue(kinds))(rt)
			})
			for _, k := range tasks {
				if k.Due.IsZero() {
					continue
				}
				if earliest.IsZero() || k.Due.Before(earliest) {
					earliest = k.Due
				}
				if !k.Due.After(sec(now)) {
					due[k.Kind+" "+k.Community]++
				}
			}
			require.Equal(rt, earliest, next)
			for q := range passed {
				if due[q] == 0 {
					delete(passed, q)
				}
			}
			return tasks, due
		}
		claim := func(of []string, limit int) int {
			_, due := read()
			var got []store.Task
			update(rt, s, func(tx store.Tx) { got = must(tx.Claim(of, sec(now), sec(now+3), limit))(rt) })
			n, served := 0, map[string]bool{}
			for _, k := range got {
				served[k.Kind+" "+k.Community] = true
				claims[k.Kind+k.Key] = k
			}
			for q, some := range due {
				if !slices.Contains(of, strings.Fields(q)[0]) {
					continue
				}
				n += some
				if served[q] {
					delete(passed, q)
					continue
				}
				if passed[q] == nil {
					passed[q] = map[string]bool{}
				}
				for other := range served {
					require.False(rt, !jumps && passed[q][other], "%s has passed %s twice", other, q)
					passed[q][other] = true
				}
			}
			require.Len(rt, got, min(n, limit))
			return len(got)
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			kind, key, c := draw(rt, kinds...), draw(rt, "1", "2", "3", "4", "5"), draw(rt, "a", "b", "c", "")
			key += c
			later := sec(now + rapid.IntRange(0, 4).Draw(rt, "later"))
			held := claims[kind+key]
			step := draw(rt, "schedule", "schedule", "schedule", "claim", "claim", "claim", "time", "done", "retry", "again", "renew", "park", "unpark", "unschedule", "delete", "settled")
			switch step {
			case "time":
				now += rapid.IntRange(1, 3).Draw(rt, "passes")
				if jumps {
					now = rapid.IntRange(0, 30).Draw(rt, "now")
				}
			case "claim":
				claim(rapid.SampledFrom([][]string{kinds, kinds, kinds[:1], kinds[1:]}).Draw(rt, "of"), rapid.IntRange(1, 4).Draw(rt, "limit"))
			default:
				update(rt, s, func(tx store.Tx) {
					var err error
					switch step {
					case "schedule":
						err = tx.Schedule(store.Task{Kind: kind, Key: key, Community: c, Instance: instance(c), Due: later})
					case "done":
						err = tx.Done(held)
					case "retry":
						err = tx.Retry(held, later, "why")
					case "again":
						err = tx.Again(held, later)
					case "renew":
						_, _ = tx.Renew(held, later)
					case "park":
						err = tx.Park(held, "g", "why")
					case "unpark":
						_, err = tx.Unpark(store.TaskQuery{Kind: kind}, later, 0)
					case "unschedule":
						err = tx.Unschedule(kind, key)
					case "settled": // as after a poll
						if err = tx.Unschedule(kind, key); err == nil {
							err = tx.Schedule(store.Task{Kind: kind, Key: key, Community: c, Instance: instance(c), Due: later})
						}
					case "delete":
						err = tx.DeleteInstance(instance(c))
					}
					require.NoError(rt, err)
				})
			}
			read()
		}
		// Whoever goes on claiming gets all.
		now += 100
		update(rt, s, func(tx store.Tx) { must(tx.Unpark(store.TaskQuery{Kind: kinds[0]}, sec(now), 0))(rt) })
		tasks, due := read()
		clear(claims)
		for claim(kinds, 2) > 0 {
		}
		n := 0
		for _, some := range due {
			n += some
		}
		require.Len(rt, slices.Collect(maps.Keys(claims)), n)
		update(rt, s, func(tx store.Tx) { // those after would be slowed down by what lies about
			for _, k := range tasks {
				require.NoError(rt, tx.Unschedule(k.Kind, k.Key))
			}
		})
	})
}
