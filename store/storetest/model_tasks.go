package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/store"
)

// revless takes out the Revs, which are each store's own.
func revless(tasks []store.Task) []store.Task {
	out := slices.Clone(tasks)
	for i := range out {
		out[i].Rev = 0
	}
	return out
}

func (d drawer) task() store.Task {
	return store.Task{
		Kind: d.of("k", "k2"), Key: d.id(), Community: d.of("a", "b"), Instance: d.of("", "a", "b"), Ref: d.of("", "a", "b"),
		Due: d.at(), Attempts: d.int(0, 1), Error: d.of("", "e"), Payload: d.bytes(), Created: d.atOrZero(),
	}
}

func (d drawer) schedule() op {
	k := d.task()
	return op{"Schedule", func(_ *side, tx store.Tx) any { return failed(tx.Schedule(k)) }}
}

func (d drawer) claim() op {
	kinds := rapid.SampledFrom([][]string{{"k"}, {"k2", "k"}, nil}).Draw(d.rt, "kinds")
	now, until, limit := d.at(), d.at(), d.limit()
	except := rapid.SampledFrom([][]string{nil, nil, {"a"}, {"b", "a"}}).Draw(d.rt, "except")
	return op{"Claim", func(s *side, tx store.Tx) any {
		got, err := tx.Claim(kinds, now, until, limit, except...)
		for _, k := range got {
			s.tasks[k.Kind+"/"+k.Key] = k
		}
		return answered(revless(got), err)
	}}
}

// settle does with a task what its claimer does, with what this side last knew of it.
func (d drawer) settle() op {
	what, kind, key, until := d.int(0, 5), d.of("k", "k2"), d.id(), d.at()
	name := []string{"Done", "Retry", "Park", "Renew", "Task", "Again"}[what]
	return op{name, func(s *side, tx store.Tx) any {
		k, ok := s.tasks[kind+"/"+key]
		if !ok {
			k = store.Task{Kind: kind, Key: key, Rev: -1}
		}
		switch name {
		case "Done":
			return failed(tx.Done(k))
		case "Retry":
			return failed(tx.Retry(k, until, "retried"))
		case "Again":
			return failed(tx.Again(k, until))
		case "Park":
			return failed(tx.Park(k, "g", "parked"))
		case "Renew":
			got, err := tx.Renew(k, until)
			return answered(revless([]store.Task{got}), err)
		default:
			got, err := tx.Task(kind, key)
			if err == nil {
				s.tasks[kind+"/"+key] = got
			}
			return answered(revless([]store.Task{got}), err)
		}
	}}
}

func (d drawer) unpark() op {
	q, due := store.TaskQuery{Kind: d.of("", "k"), Instance: d.of("", "a"), Group: d.of("", "g", "h")}, d.at()
	return op{"Unpark", func(_ *side, tx store.Tx) any { return answered(tx.Unpark(q, due, 0)) }}
}

func (d drawer) lease() op {
	name, owner, now, until, release := d.of("l", "m"), d.id(), d.at(), d.at(), d.yes()
	return op{"Acquire", func(_ *side, tx store.Tx) any {
		if release {
			return failed(tx.Release(name, owner))
		}
		return answered(tx.Acquire(name, owner, now, until))
	}}
}

// testTaskModel compares scheduling and claiming with a slice that is looked through each time.
func testTaskModel(t *testing.T, open opener) {
	type row struct {
		kind, key string
		community string
		due       time.Time
		attempts  int
		claim     int // which claim holds it, 0 for none
	}
	s, check := open(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		// One store for all checks, two kinds of tasks for each: opening can be slow.
		check++
		kinds := []string{fmt.Sprint("k", check), fmt.Sprint("l", check)}
		var model []row
		find := func(kind, key string) *row {
			for i := range model {
				if model[i].kind == kind && model[i].key == key {
					return &model[i]
				}
			}
			return nil
		}
		type held struct {
			task  store.Task
			claim int
		}
		var claims []held
		now, numbers := 0, 0
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"schedule", "claim", "done", "retry", "time"}).Draw(rt, "step") {
			case "time":
				now += rapid.IntRange(1, 5).Draw(rt, "passes")
			case "schedule":
				kind, key, community, due := draw(rt, kinds...), draw(rt, "a", "b", "c"), draw(rt, "x", "y", ""), sec(now+rapid.IntRange(-3, 8).Draw(rt, "due"))
				update(rt, s, func(tx store.Tx) {
					require.NoError(rt, tx.Schedule(store.Task{Kind: kind, Key: key, Community: community, Due: due}))
				})
				if r := find(kind, key); r == nil {
					model = append(model, row{kind: kind, key: key, community: community, due: due})
				} else if due.Before(r.due) {
					r.due, r.claim, r.community = due, 0, community
				}
			case "claim":
				until, limit := sec(now+rapid.IntRange(1, 6).Draw(rt, "for")), rapid.IntRange(1, 3).Draw(rt, "limit")
				var got []store.Task
				update(rt, s, func(tx store.Tx) { got = must(tx.Claim([]string{kinds[1], kinds[0]}, sec(now), until, limit))(rt) })
				slices.SortFunc(model, func(a, b row) int {
					return cmp.Or(a.due.Compare(b.due), strings.Compare(a.kind+"/"+a.key, b.kind+"/"+b.key))
				})
				took := map[string]bool{}
				for _, k := range got {
					took[taskKey(k)] = true
				}
				due := 0
				var want []string
				ahead := map[string]bool{} // queues of which one was left
				for i := range model {
					r := &model[i]
					if r.due.After(sec(now)) {
						continue
					}
					due++
					if !took[r.kind+"/"+r.key] {
						ahead[r.kind+r.community] = true
						continue
					}
					require.False(rt, ahead[r.kind+r.community], "an earlier one of the same queue was left")
					numbers++
					r.due, r.claim = until, numbers
					r.attempts++
					want = append(want, r.kind+"/"+r.key)
					claims = append(claims, held{store.Task{}, numbers})
				}
				require.Len(rt, got, min(limit, due))
				require.Equal(rt, list(want), names(got, taskKey))
				for i, k := range got {
					require.Equal(rt, find(k.Kind, k.Key).attempts, k.Attempts)
					claims[len(claims)-len(got)+i].task = k
				}
			default:
				if len(claims) == 0 {
					continue
				}
				c := claims[rapid.IntRange(0, len(claims)-1).Draw(rt, "of whom")]
				retry := rapid.Bool().Draw(rt, "retry")
				due := sec(now + 2)
				update(rt, s, func(tx store.Tx) {
					if retry {
						require.NoError(rt, tx.Retry(c.task, due, "why"))
					} else {
						require.NoError(rt, tx.Done(c.task))
					}
				})
				if r := find(c.task.Kind, c.task.Key); r != nil && r.claim == c.claim {
					if retry {
						r.due, r.claim = due, 0
					} else {
						gone := *r
						model = slices.DeleteFunc(model, func(x row) bool { return x == gone })
					}
				}
			}
			want := map[[2]string]time.Time{}
			var next time.Time
			for _, r := range model {
				want[[2]string{r.kind, r.key}] = r.due
				if next.IsZero() || r.due.Before(next) {
					next = r.due
				}
			}
			view(rt, s, func(tx store.Tx) {
				got := append(must(tx.Tasks(store.TaskQuery{Kind: kinds[0]}, "", "", 0))(rt), must(tx.Tasks(store.TaskQuery{Kind: kinds[1]}, "", "", 0))(rt)...)
				dues := make([]time.Time, len(got))
				for i, k := range got {
					dues[i] = k.Due
				}
				require.Equal(rt, sorted(want), dues)
				require.Equal(rt, next, must(tx.NextDue(kinds))(rt))
			})
		}
	})
}
