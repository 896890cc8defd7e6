package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func raceTests() []test {
	return append([]test{
		on("casting while closing", testCastClosing),
		on("one voter from everywhere", testCastSameVoter),
		on("the same fact from everywhere", testAcceptRace),
		on("the same event from everywhere", testAppendRace),
		on("compare and swap from everywhere", testSwapRace),
	}, taskRaceTests()...)
}

// testCastClosing has voters vote while somebody closes: what is counted after the closing is committed never changes,
// and has every ballot that was acknowledged.
func testCastClosing(t *testing.T, s store.Store) {
	const voters, each = 8, 12
	update(t, s, func(tx store.Tx) { pending(t, tx, "p") })
	type answer struct {
		voter string
		ok    bool
	}
	answers := make([][]answer, voters)
	some := make(chan struct{}, voters*each)
	var counted []store.Count
	var turnout int64
	together(t, voters+1, func(i int) error {
		if i == voters {
			for range voters * 2 {
				<-some
			}
			err := s.Update(context.Background(), func(tx store.Tx) error {
				p, err := tx.Process("p")
				if err != nil {
					return err
				}
				p.Status = store.Closing
				return tx.PutProcess(p)
			})
			if err != nil {
				return err
			}
			return s.View(context.Background(), func(tx store.Tx) (err error) {
				if counted, err = tx.Counts("p"); err != nil {
					return err
				}
				turnout, err = tx.Turnout("p")
				return err
			})
		}
		for n := range each {
			voter := fmt.Sprintf("%d-%d", i, n)
			err := s.Update(context.Background(), func(tx store.Tx) error {
				_, err := tx.Cast(store.Ballot{Process: "p", Voter: voter, At: sec(n), Choices: []store.Choice{
					{Question: "q", Choice: fmt.Sprint(n % 3), Weight: 2}, {Question: "r", Choice: "x", Weight: 1},
				}})
				return err
			})
			if err != nil && !errors.Is(err, store.ErrNotOpen) {
				return err
			}
			answers[i] = append(answers[i], answer{voter, err == nil})
			some <- struct{}{}
		}
		return nil
	})
	view(t, s, func(tx store.Tx) {
		require.Equal(t, counted, must(tx.Counts("p"))(t), "what close saw is what stays")
		held := must(tx.Ballots("p", "", "", all))(t)
		counts, voted := recount(held)
		require.Equal(t, counted, counts)
		require.EqualValues(t, turnout, len(voted))
		for _, list := range answers {
			for _, a := range list {
				require.Equal(t, a.ok, voted[a.voter], "an acknowledged ballot counts, and a refused one does not")
			}
		}
	})
}

// testCastSameVoter has one voter's ballots arrive at once and out of order: the platform's latest is what counts.
func testCastSameVoter(t *testing.T, s store.Store) {
	const workers, each = 6, 10
	update(t, s, func(tx store.Tx) { pending(t, tx, "p") })
	together(t, workers, func(i int) error {
		for _, n := range rand.Perm(each) {
			at := n*workers + i
			err := s.Update(context.Background(), func(tx store.Tx) error {
				_, err := tx.Cast(store.Ballot{Process: "p", Voter: "v", At: sec(at), Now: sec(at), Choices: []store.Choice{
					{Question: "q", Choice: fmt.Sprint(at), Weight: int64(at)},
				}})
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	const last = workers*each - 1
	view(t, s, func(tx store.Tx) {
		require.Equal(t, []store.Held{
			{Voter: "v", Holder: "v", Counts: true, Question: "q", Choice: fmt.Sprint(last), Weight: last, At: sec(last), Cast: sec(last)},
		}, must(tx.Ballots("p", "", "", 0))(t))
		require.Equal(t, []store.Count{{Question: "q", Choice: fmt.Sprint(last), Ballots: 1, Weight: last}}, must(tx.Counts("p"))(t))
		require.EqualValues(t, 1, must(tx.Turnout("p"))(t))
	})
}

func testAcceptRace(t *testing.T, s store.Store) {
	const workers, facts = 8, 12
	fresh := make([][facts]bool, workers)
	together(t, workers, func(i int) error {
		for n := range facts {
			err := s.Update(context.Background(), func(tx store.Tx) (err error) {
				if fresh[i][n], err = tx.Accept(store.Delivery{ID: fmt.Sprint(i, "-", n), Plugin: "p", Fact: fmt.Sprint(n), At: sec(n)}); err != nil {
					return err
				}
				hint, err := tx.Accept(store.Delivery{ID: fmt.Sprint("hint ", i, "-", n), Plugin: "p", At: sec(n)})
				if err == nil && !hint {
					err = errors.New("a delivery without a fact was not fresh")
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx store.Tx) {
		for n := range facts {
			winners := 0
			for i := range workers {
				_, err := tx.Delivery(fmt.Sprint(i, "-", n))
				require.Equal(t, fresh[i][n], err == nil, "what is fresh is kept, and nothing else")
				if fresh[i][n] {
					winners++
				}
			}
			require.Equal(t, 1, winners)
		}
	})
}

// testAppendRace has many append, some of them the same and some for nothing, while a reader follows by Seq.
func testAppendRace(t *testing.T, s store.Store) {
	const workers, each = 6, 15
	fresh := make([][each]bool, workers)
	writing := make(chan error, 1)
	var read []store.Event
	go func() {
		writing <- gather(workers, func(i int) error {
			for n := range each {
				add := func(tx store.Tx) (err error) {
					if _, fresh[i][n], err = tx.Append(store.Event{Instance: "i", Type: "same", ID: fmt.Sprint(n), At: sec(n)}); err != nil {
						return err
					}
					_, _, err = tx.Append(store.Event{Instance: "i", Type: "own", Actor: fmt.Sprint(i), At: sec(n)})
					return err
				}
				mine := errors.New("mine")
				err := s.Update(context.Background(), func(tx store.Tx) error { return errors.Join(add(tx), mine) })
				if !errors.Is(err, mine) {
					return fmt.Errorf("an error was lost: %w", err)
				}
				if err := s.Update(context.Background(), add); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	follow := func() {
		after := int64(len(read))
		var page []store.Event
		view(t, s, func(tx store.Tx) { page = must(tx.Events(store.EventQuery{After: after}, 7))(t) })
		read = append(read, page...)
	}
	for done := false; !done; {
		select {
		case err := <-writing:
			require.NoError(t, err)
			done = true
		default:
			follow()
		}
	}
	for n := -1; n != len(read); {
		n = len(read)
		follow()
	}
	require.Len(t, read, workers*each+each)
	for i, e := range read {
		require.EqualValues(t, i+1, e.Seq, "in order, without gaps, and none came in behind the reader")
	}
	for n := range each {
		winners := 0
		for i := range workers {
			if fresh[i][n] {
				winners++
			}
		}
		require.Equal(t, 1, winners)
	}
}

func testSwapRace(t *testing.T, s store.Store) {
	const workers, each = 6, 10
	update(t, s, func(tx store.Tx) { require.NoError(t, put(tx, "a")) })
	together(t, workers, func(int) error {
		for done := 0; done < each; {
			var c store.Community
			var value []byte
			var rev int64
			err := s.View(context.Background(), func(tx store.Tx) (err error) {
				if c, err = tx.Community("a"); err != nil {
					return err
				}
				value, rev, err = tx.State("i", "k")
				return err
			})
			if err != nil {
				return err
			}
			c.Name += "x"
			err = s.Update(context.Background(), func(tx store.Tx) error {
				if err := tx.PutState("i", "k", append(value[:len(value):len(value)], 'y'), rev); err != nil {
					return err
				}
				return tx.PutCommunity(c)
			})
			switch {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrConflict):
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx store.Tx) {
		c := must(tx.Community("a"))(t)
		require.Len(t, c.Name, workers*each)
		require.EqualValues(t, 1+workers*each, c.Rev)
		value, _, err := tx.State("i", "k")
		require.NoError(t, err)
		require.Len(t, value, workers*each)
	})
}

// recount counts ballots by looking at each.
func recount(held []store.Held) ([]store.Count, map[string]bool) {
	sums := map[[2]string]store.Count{}
	voted := map[string]bool{}
	for _, h := range held {
		if h.Choice == "" || !h.Counts {
			continue
		}
		voted[h.Holder] = true
		k := [2]string{h.Question, h.Choice}
		sums[k] = store.Count{Question: h.Question, Choice: h.Choice, Ballots: sums[k].Ballots + 1, Weight: sums[k].Weight + h.Weight}
	}
	return sorted(sums), voted
}
