package storetest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

// member is one of several Updates that come at the same time.
type member struct {
	ops []op
	end string // how its function ends

	done    *side // what it was handed out, in its last run
	answers []any
	seq     int64 // the number of the event that it leaves, which says when it was committed
	err     error
}

var errMember = errors.New("storetest: not this one")

// run runs a member's Update from what was known before all of them began. It returns also when the function panicked or left its
// goroutine, if it is called on one of its own.
func (m *member) run(before *side) {
	m.err = errMember
	defer func() { _ = recover() }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if m.end == "cancelled before" {
		cancel()
	}
	m.err = before.store.Update(ctx, func(tx store.Tx) error {
		m.done = &side{before.store, maps.Clone(before.tasks), maps.Clone(before.revs)}
		m.answers, m.seq = nil, 0
		for _, o := range m.ops {
			m.answers = append(m.answers, o.run(m.done, tx))
		}
		switch m.end {
		case "an error":
			return errMember
		case "a panic":
			panic(errMember)
		case "goexit":
			runtime.Goexit()
		case "cancelled during":
			cancel()
		}
		seq, _, err := tx.Append(store.Event{Type: "member", At: sec(0)})
		m.seq = seq
		return err
	})
}

// testGroupsModel has several Updates of several random ops each come at once, of which some fail in every way there is, and compares
// with memory, which runs those that were kept one by one in the order of their commits. A store that has them share a transaction must
// not let it be seen.
func testGroupsModel(t *testing.T, open opener) {
	ends := []string{"", "", "", "", "", "", "", "", "an error", "a panic", "goexit", "cancelled before", "cancelled during"}
	rapid.Check(t, func(rt *rapid.T) {
		under := open(t)
		defer under.Close()
		mine, other := newSide(under), newSide(memory.New())
		for _, s := range []*side{mine, other} {
			update(rt, s.store, func(tx store.Tx) {
				pending(rt, tx, "a")
				pending(rt, tx, "b")
			})
		}
		well := rapid.Bool().Draw(rt, "all end well") // what fails changes how a store goes on
		ops := drawOp()
		if rapid.IntRange(0, 3).Draw(rt, "a vote") > 0 {
			ops = drawVoteOp()
		}
		for n := range rapid.IntRange(1, 5).Draw(rt, "groups") {
			var members []*member
			for range rapid.IntRange(1, 6).Draw(rt, "members") {
				m := &member{ops: rapid.SliceOfN(ops, 1, 4).Draw(rt, "ops")}
				if !well {
					m.end = rapid.SampledFrom(ends).Draw(rt, "end")
				}
				members = append(members, m)
			}
			require.NoError(rt, atOnce(mine, members))
			var kept []*member
			for _, m := range members {
				if m.end == "" || m.end == "cancelled during" {
					require.NoError(rt, m.err)
					kept = append(kept, m)
				} else {
					require.Error(rt, m.err, m.end)
				}
			}
			slices.SortFunc(kept, func(a, b *member) int { return cmp.Compare(a.seq, b.seq) })
			was := &side{other.store, maps.Clone(other.tasks), maps.Clone(other.revs)}
			for _, m := range kept {
				again := &member{ops: m.ops}
				again.run(was)
				require.NoError(rt, again.err)
				require.Equal(rt, again.seq, m.seq)
				for i := range m.ops {
					require.Equal(rt, again.answers[i], m.answers[i], "group %d: %s", n, m.ops[i].name)
				}
				mine.learn(m.done)
				other.learn(again.done)
			}
		}
		require.Equal(rt, withoutRevs(dump(rt, other.store)), withoutRevs(dump(rt, under)))
		require.NoError(rt, under.Close())
	})
}

// drawVoteOp is drawOp for what happens to a vote and to what is read on the way to it.
func drawVoteOp() *rapid.Generator[op] {
	return rapid.Custom(func(rt *rapid.T) op {
		d := drawer{rt}
		return rapid.SampledFrom([]func(drawer) op{
			drawer.cast, drawer.cast, drawer.cast, drawer.cast, drawer.cast, drawer.standing, drawer.standing, drawer.setCounts, drawer.voters,
			drawer.process, drawer.ref, drawer.lookups, drawer.instance, drawer.prune, drawer.deleteThings,
		}).Draw(rt, "verb")(d)
	})
}

func (s *side) learn(from *side) {
	maps.Copy(s.tasks, from.tasks)
	maps.Copy(s.revs, from.revs)
}

// atOnce runs all members while another Update keeps them waiting, so that they come at the same time.
func atOnce(s *side, members []*member) error {
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var first error
	var all, began sync.WaitGroup
	all.Go(func() {
		first = s.store.Update(context.Background(), func(tx store.Tx) error {
			if err := tx.PutLane(store.Lane{Sub: "held", Community: "c"}); err != nil {
				return err
			}
			once.Do(func() { close(held) })
			<-hold
			return tx.DeleteLane("held", "c")
		})
	})
	<-held
	began.Add(len(members))
	for _, m := range members {
		all.Go(func() {
			began.Done()
			m.run(s)
		})
	}
	began.Wait()
	for range 100 {
		runtime.Gosched() // what has begun comes to wait
	}
	close(hold)
	all.Wait()
	return first
}
