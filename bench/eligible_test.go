package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// electors are people of a community, each with an account of the tool and a role, put in by the store's verbs.
func electors(b *testing.B, s store.Store, community string, n int) {
	now := time.Now()
	for from := 0; from < n; from += 5000 {
		require.NoError(b, s.Update(b.Context(), func(tx store.Tx) error {
			for i := from; i < min(from+5000, n); i++ {
				id := strconv.Itoa(i)
				if err := tx.PutPerson(store.Person{ID: "u" + id, Community: community, Kind: "person", Created: now}); err != nil {
					return err
				}
				if err := tx.PutAccount(store.Account{Community: community, Plugin: "tool", UserID: "a" + id, Person: "u" + id, Home: "u" + id, Created: now}); err != nil {
					return err
				}
				if err := tx.PutClaim(store.Claim{Community: community, Subject: gateway.PersonKey("u" + id), Kind: gateway.ClaimRole, Name: "local/member", Issuer: "local", At: now, Checked: now}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// BenchmarkEligible starts a vote that is open to everybody who has a role, and so resolves and keeps who may vote, while somebody else writes
// all the time: under a second, and of the others' writes 99 in 100 take under 50 ms.
func BenchmarkEligible(b *testing.B) {
	const people = 100_000
	b.Run("people="+strconv.Itoa(people), func(b *testing.B) {
		s := newStore(b)
		g := newGateway(b, gateway.Options{Store: s})
		c, err := g.CreateCommunity(b.Context(), "town", "Town")
		require.NoError(b, err)
		inst, err := c.Enable(b.Context(), "tool", nil)
		require.NoError(b, err)
		electors(b, s, "town", people)
		var took, writes []time.Duration
		b.ResetTimer()
		for i := range min(b.N, 5) { // each leaves a hundred thousand entries behind
			ctx, stop := context.WithCancel(b.Context())
			var others sync.WaitGroup
			others.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					began := time.Now()
					if err := s.Update(b.Context(), func(tx store.Tx) error {
						return tx.PutPerson(store.Person{ID: fmt.Sprintf("w%d-%d", i, n), Community: "elsewhere", Kind: "person"})
					}); err != nil {
						b.Error(err)
					}
					writes = append(writes, time.Since(began))
					time.Sleep(time.Millisecond)
				}
			})
			began := time.Now()
			p, err := inst.Start(b.Context(), "vote", toolVote{vote.Ask{Title: "Lunch?", EligibleVoters: []string{gateway.RoleKey("local", "member")}}})
			took = append(took, time.Since(began))
			stop()
			others.Wait()
			require.NoError(b, err)
			require.Equal(b, gateway.StatusPending, p.Status)
		}
		b.StopTimer()
		slices.Sort(took)
		slices.Sort(writes)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(took[len(took)/2].Seconds()*1000, "ms")
		b.ReportMetric(writes[len(writes)*99/100].Seconds()*1000, "ms-others-p99")
	})
}

// BenchmarkCastVote has one more pair of forms: a ballot in a vote that is open to everybody, where nobody is linked to anybody, and one in a vote that is
// open to a hundred thousand people, cast by a linked account of one of them. The second at most 1.4x the first; they take turns, as in BenchmarkCastVote.
func BenchmarkCastVotePeople(b *testing.B) {
	var towns map[string]*box
	for _, eligible := range []string{"everybody", "people"} {
		b.Run("eligible="+eligible, func(form *testing.B) {
			if towns == nil {
				towns = boxes(b)
			}
			form.ResetTimer()
			form.StopTimer()
			var took [2]time.Duration
			for done := 0; done < form.N; done += atOnce {
				n := min(atOnce, form.N-done)
				for i, name := range []string{"everybody", "people"} {
					if name == eligible {
						form.StartTimer()
					}
					began := time.Now()
					towns[name].cast(form, n)
					took[i] += time.Since(began)
					if name == eligible {
						form.StopTimer()
					}
				}
			}
			form.ReportMetric(float64(took[1])/float64(took[0]), "x-of-everybody")
		})
	}
}

// box is a vote with many who have not voted yet.
type box struct {
	c    *gateway.Community
	inst *gateway.Instance
	ask  vote.Ask
	p    string
	next int
}

func boxes(b *testing.B) map[string]*box {
	s := newStore(b)
	g := newGateway(b, gateway.Options{Store: s})
	out := map[string]*box{}
	for _, name := range []string{"everybody", "people"} {
		c, err := g.CreateCommunity(b.Context(), name, "Town")
		require.NoError(b, err)
		inst, err := c.Enable(b.Context(), "tool", nil)
		require.NoError(b, err)
		out[name] = &box{c: c, inst: inst, ask: vote.Ask{Title: "Lunch?"}, next: boxSize}
	}
	electors(b, s, "people", boxSize)
	out["people"].ask.EligibleVoters = []string{gateway.RoleKey("local", "member")}
	return out
}

const boxSize = 100_000

// cast has the next n vote at once; when all have voted, in another vote.
func (x *box) cast(b *testing.B, n int) {
	if x.next+n > boxSize {
		p, err := x.inst.Start(b.Context(), "vote", toolVote{x.ask})
		require.NoError(b, err)
		x.p, x.next = p.ID, 0
	}
	var wg sync.WaitGroup
	for i := range n {
		voter := "a" + strconv.Itoa(x.next+i)
		wg.Go(func() {
			if _, err := x.c.Cast(b.Context(), x.p, gateway.Ballot{Voter: voter, Choices: []string{vote.Yes}}); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	x.next += n
}
