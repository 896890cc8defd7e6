package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
)

// BenchmarkWhoIs is from an account to the person to all accounts, of somebody else each time, in a community of so many people with two
// accounts each. With a million at most twice what it takes with a thousand. The ratio is that of the medians of both in turn.
func BenchmarkWhoIs(b *testing.B) {
	comparePeople(b, false, func(ctx context.Context, c *gateway.Community, i int) error {
		p, err := c.WhoIs(ctx, githubOf(i))
		if err == nil && len(p.Accounts) != 2 {
			err = fmt.Errorf("%d accounts", len(p.Accounts))
		}
		return err
	})
}

// BenchmarkStrength is how surely two accounts are one person's, likewise.
func BenchmarkStrength(b *testing.B) {
	comparePeople(b, true, func(ctx context.Context, c *gateway.Community, i int) error {
		l, err := c.Strength(ctx, githubOf(i), forumOf(i))
		if err == nil && l.Strength != gateway.Proven {
			err = fmt.Errorf("they are %s", l.Strength)
		}
		return err
	})
}

func githubOf(i int) gateway.AccountRef {
	return gateway.AccountRef{Plugin: "github", PlatformID: "acme", UserID: fmt.Sprintf("%08d", i)}
}

func forumOf(i int) gateway.AccountRef {
	return gateway.AccountRef{Plugin: "discourse", PlatformID: "forum.example", UserID: fmt.Sprintf("user%08d", i)}
}

func comparePeople(b *testing.B, evidence bool, look func(ctx context.Context, c *gateway.Community, i int) error) {
	of := map[int]*gateway.Community{} // filled once: a form is run more than once to find its N
	filled := func(people int) *gateway.Community {
		if of[people] == nil {
			of[people] = crowd(b, people, evidence)
		}
		return of[people]
	}
	for _, people := range []int{1000, 1_000_000} {
		b.Run("people="+strconv.Itoa(people), func(b *testing.B) {
			small, c := filled(1000), filled(people)
			next := func(n, of int) int { return int(uint64(n) * 2654435761 % uint64(of)) } // all over the place, and each time the same
			for n := range 1000 {                                                           // the program has run for a while
				require.NoError(b, look(b.Context(), small, next(n, 1000)))
				require.NoError(b, look(b.Context(), c, next(n, people)))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				if err := look(b.Context(), c, next(n, people)); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			var took [2][]time.Duration
			for n := range b.N {
				for i, c := range []*gateway.Community{small, c} {
					began := time.Now()
					if err := look(b.Context(), c, next(n, []int{1000, people}[i])); err != nil {
						b.Fatal(err)
					}
					took[i] = append(took[i], time.Since(began))
				}
			}
			for _, t := range took {
				slices.Sort(t)
			}
			b.ReportMetric(float64(took[1][b.N/2])/float64(took[0][b.N/2]), "x-of-1000")
		})
	}
}

// crowd is a community of so many people, who have an account on the forum and one on GitHub; where it is wanted with the evidence of a login for each.
func crowd(b *testing.B, people int, evidence bool) *gateway.Community {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), fmt.Sprintf("people%d.db", people)))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	c, err := newGateway(b, gateway.Options{Store: s}).CreateCommunity(b.Context(), "town", "Town")
	require.NoError(b, err)
	const some = 20_000
	now := time.Now()
	// Each table in the order of its keys, which is several times faster than at random.
	puts := []func(tx store.Tx, i int) error{
		func(tx store.Tx, i int) error {
			return tx.PutPerson(store.Person{ID: personID(i), Community: "town", Kind: gateway.APerson, Created: now})
		},
		func(tx store.Tx, i int) error { return tx.PutAccount(accountOf(forumOf(i), i, now)) },
		func(tx store.Tx, i int) error { return tx.PutAccount(accountOf(githubOf(i), i, now)) },
		func(tx store.Tx, i int) error { return tx.PutEvidence(loginOf(forumOf(i), i, now)) },
		func(tx store.Tx, i int) error { return tx.PutEvidence(loginOf(githubOf(i), i, now)) },
	}
	if !evidence {
		puts = puts[:3]
	}
	for _, put := range puts {
		for from := 0; from < people; from += some {
			require.NoError(b, s.Update(b.Context(), func(tx store.Tx) error {
				for i := from; i < min(people, from+some); i++ {
					if err := put(tx, i); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	}
	return c
}

func personID(i int) string { return fmt.Sprintf("u%08d", i) }

func accountOf(a gateway.AccountRef, i int, now time.Time) store.Account {
	return store.Account{
		Community: "town", Plugin: a.Plugin, PlatformID: a.PlatformID, UserID: a.UserID, Person: personID(i), Home: personID(i), LinkType: "oauth", Created: now,
	}
}

func loginOf(a gateway.AccountRef, i int, now time.Time) store.Evidence {
	return store.Evidence{
		ID: fmt.Sprintf("e%08d%s", i, a.Plugin), Community: "town", Kind: gateway.OneLogin, Issuer: a.Plugin, At: now,
		A: gateway.AccountKey(a.Plugin, a.PlatformID, a.UserID), B: gateway.PersonKey(personID(i)),
	}
}
