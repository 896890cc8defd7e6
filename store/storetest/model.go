package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

func modelTests() []test {
	return []test{
		{"the same answers as memory", sameAsMemory(drawOp())},
		{"the same people as in memory", sameAsMemory(drawPeopleOp())},
		{"ballots", testBallotModel},
		{"tasks", testTaskModel},
		{"events", testEventModel},
	}
}

// side is one of two stores that do the same, with what it alone can say: its Revs of tasks and of state.
type side struct {
	store store.Store
	tasks map[string]store.Task // as last claimed or read
	revs  map[string]int64      // as last read
}

func newSide(s store.Store) *side {
	return &side{store: s, tasks: map[string]store.Task{}, revs: map[string]int64{}}
}

// op is one use of a verb whose parameters are drawn already, so that it does the same each time it is run. It returns
// what the verb answered.
type op struct {
	name string
	run  func(s *side, tx store.Tx) any
}

// answer puts a verb's answer and the class of its error together.
type answer struct {
	Value any
	Err   string
}

func answered[V any](v V, err error) any {
	if err != nil {
		return answer{Err: class(err)}
	}
	return answer{Value: plain(any(v))}
}

func failed(err error) any { return answer{Err: class(err)} }

// run runs the ops in one transaction and returns what they answered.
func (s *side) run(ops []op, undo error) (answers []any, err error) {
	var done side
	err = s.store.Update(context.Background(), func(tx store.Tx) error {
		// What is handed out is made anew in each run.
		done = side{s.store, maps.Clone(s.tasks), maps.Clone(s.revs)}
		answers = nil
		for _, o := range ops {
			answers = append(answers, o.run(&done, tx))
		}
		return undo
	})
	if err == nil {
		*s = done
	}
	return answers, err
}

// sameAsMemory makes a test that runs random sequences of verbs on the store and on memory.
func sameAsMemory(ops *rapid.Generator[op]) func(t *testing.T, open opener) {
	return func(t *testing.T, open opener) {
		rapid.Check(t, func(rt *rapid.T) { compareWithMemory(t, rt, open, ops) })
	}
}

func compareWithMemory(t *testing.T, rt *rapid.T, open opener, gen *rapid.Generator[op]) {
	under := open(t)
	defer under.Close()
	mine, other := newSide(under), newSide(memory.New())
	undo := errors.New("undo")
	for n := range rapid.IntRange(1, 15).Draw(rt, "transactions") {
		ops := rapid.SliceOfN(gen, 1, 6).Draw(rt, "ops")
		var end error
		if rapid.IntRange(0, 5).Draw(rt, "undo") == 0 {
			end = undo
		}
		got, err := mine.run(ops, end)
		require.True(rt, err == end, "%v", err)
		want, err := other.run(ops, end)
		require.True(rt, err == end, "%v", err)
		for i := range ops {
			require.Equal(rt, want[i], got[i], "transaction %d: %s", n, ops[i].name)
		}
	}
	require.Equal(rt, withoutRevs(dump(rt, other.store)), withoutRevs(dump(rt, under)))
	require.NoError(rt, under.Close())
}

// withoutRevs takes out what may differ from store to store.
func withoutRevs(c contents) contents {
	tasks := c["tasks "].([]store.Task)
	for i := range tasks {
		tasks[i].Rev = 0
	}
	return c
}

// testBallotModel compares Cast with the rules, written once more as plainly as possible.
func testBallotModel(t *testing.T, open opener) {
	type row struct {
		choice string
		weight int64
		at     int
	}
	s, check := open(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		// One store for all checks, a process for each: opening can be slow.
		check++
		process := fmt.Sprint("p", check)
		update(rt, s, func(tx store.Tx) { pending(rt, tx, process) })
		model := map[[2]string]row{}
		for range rapid.IntRange(1, 12).Draw(rt, "transactions") {
			type step struct {
				ballot store.Ballot
				want   store.Receipt
			}
			var steps []step
			for range rapid.IntRange(1, 6).Draw(rt, "ballots") {
				at := rapid.IntRange(0, 6).Draw(rt, "at")
				b := store.Ballot{Process: process, Voter: draw(rt, "v", "w", "x"), At: sec(at), Now: sec(50), Final: rapid.IntRange(0, 3).Draw(rt, "final") == 0}
				for _, q := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"q", "r", "s"}), 0, 3, rapid.ID).Draw(rt, "questions") {
					b.Choices = append(b.Choices, store.Choice{Question: q, Choice: draw(rt, "", "yes", "no"), Weight: rapid.Int64Range(0, 3).Draw(rt, "weight")})
				}
				var want store.Receipt
				for _, c := range b.Choices {
					k := [2]string{b.Voter, c.Question}
					next := row{c.Choice, c.Weight, at}
					if next.choice == "" {
						next.weight = 0
					}
					switch old, ok := model[k]; {
					case ok && old.at > at:
						want.Stale = true
					case ok && b.Final && old.choice != "":
						want.Kept = want.Kept || old.choice != next.choice
					default:
						want.Changed = want.Changed || old.choice != next.choice || old.weight != next.weight
						model[k] = next
					}
				}
				steps = append(steps, step{b, want})
			}
			update(rt, s, func(tx store.Tx) {
				for _, st := range steps {
					require.Equal(rt, st.want, must(tx.Cast(st.ballot))(rt), "%+v", st.ballot)
				}
			})
		}
		want := map[[2]string]store.Held{}
		for k, r := range model {
			want[k] = store.Held{Voter: k[0], Holder: k[0], Counts: true, Question: k[1], Choice: r.choice, Weight: r.weight, At: sec(r.at), Cast: sec(50)}
		}
		view(rt, s, func(tx store.Tx) {
			held := must(tx.Ballots(process, "", "", 0))(rt)
			require.Equal(rt, sorted(want), list(held))
			counts, voted := recount(held)
			require.Equal(rt, list(counts), list(must(tx.Counts(process))(rt)))
			require.EqualValues(rt, len(voted), must(tx.Turnout(process))(rt))
		})
	})
}

// testEventModel compares the log with a slice.
func testEventModel(t *testing.T, open opener) {
	s := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		// One store for all checks; each begins with an empty log, whose numbers go on.
		var log []store.Event
		var first int64
		update(rt, s, func(tx store.Tx) {
			first = must(tx.LastSeq())(rt)
			must(tx.PruneEvents(sec(1000), first, all))(rt)
		})
		last := first
		undo := errors.New("undo")
		for range rapid.IntRange(1, 15).Draw(rt, "transactions") {
			events := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) store.Event {
				return store.Event{
					ID: draw(rt, "", "1", "2", "3"), Type: draw(rt, "t", "u"), Instance: draw(rt, "i", "j"), At: sec(rapid.IntRange(0, 9).Draw(rt, "at")),
				}
			}), 0, 6).Draw(rt, "events")
			before, upTo := sec(rapid.IntRange(0, 9).Draw(rt, "before")), rapid.Int64Range(0, 40).Draw(rt, "up to")
			upTo += first
			var end error
			if rapid.Bool().Draw(rt, "undo") {
				end = undo
			}
			next, nextLast := append([]store.Event(nil), log...), last
			var want []any
			for _, e := range events {
				known := int64(0)
				for _, have := range next {
					if e.ID != "" && have.ID == e.ID && have.Type == e.Type && have.Instance == e.Instance {
						known = have.Seq
					}
				}
				if known == 0 {
					nextLast++
					e.Seq = nextLast
					next = append(next, e)
					want = append(want, fmt.Sprint(e.Seq, true))
				} else {
					want = append(want, fmt.Sprint(known, false))
				}
			}
			var left []store.Event
			for _, e := range next {
				if e.Seq > upTo || !e.At.Before(before) {
					left = append(left, e)
				}
			}
			err := s.Update(context.Background(), func(tx store.Tx) error {
				var got []any
				for _, e := range events {
					seq, fresh, err := tx.Append(e)
					require.NoError(rt, err)
					got = append(got, fmt.Sprint(seq, fresh))
				}
				require.Equal(rt, want, got)
				require.Equal(rt, len(next)-len(left), must(tx.PruneEvents(before, upTo, 0))(rt))
				return end
			})
			require.True(rt, err == end, "%v", err)
			if end == nil {
				log, last = left, nextLast
			}
			view(rt, s, func(tx store.Tx) {
				require.Equal(rt, list(log), list(must(tx.Events(store.EventQuery{}, 0))(rt)))
				require.Equal(rt, last, must(tx.LastSeq())(rt))
			})
		}
	})
}

func draw(rt *rapid.T, from ...string) string {
	return rapid.SampledFrom(from).Draw(rt, "of "+from[0])
}
