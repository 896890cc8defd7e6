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
