package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	netguard "github.com/metagov/gateway-go/internal/guard"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

// Whoever is parked because an endpoint is busy is called up, whichever of "park", "look whether anybody works" and "give back" comes first.
func TestNobodyIsParkedForEver(t *testing.T) {
	row := store.Endpoint{ID: "e1", Community: "oak"}
	h := newHooks(&netguard.Guard{}, 0, nil)
	for range hookShare {
		require.Equal(t, turnNow, h.take(row))
	}
	require.Equal(t, turnBusy, h.take(row))
	require.False(t, h.parked("e1"), "somebody works, and will call")
	require.True(t, h.give(row), "and does")
	require.False(t, h.give(row), "once")

	require.Equal(t, turnNow, h.take(row), "there is room again")
	for range hookShare - 1 {
		require.False(t, h.give(row))
	}
	require.True(t, h.parked("e1"), "nobody works any more: it calls itself")

	// Nothing is left behind.
	require.Empty(t, h.running)
	require.Empty(t, h.owners)
	require.Empty(t, h.waiting)
}

func TestWorkersOfEndpointsThatFail(t *testing.T) {
	h := newHooks(&netguard.Guard{}, 0, nil)
	failing := func(i int) store.Endpoint {
		return store.Endpoint{ID: fmt.Sprint("e", i), FailingSince: time.Unix(1, 0)}
	}
	for i := range hookFailing {
		require.Equal(t, turnNow, h.take(failing(i)))
		require.Equal(t, turnBusy, h.take(failing(i)), "one at a time")
	}
	require.Equal(t, turnLater, h.take(failing(hookFailing)))
	require.Equal(t, turnNow, h.take(store.Endpoint{ID: "well"}))
	h.give(failing(0))
	require.Equal(t, turnNow, h.take(failing(hookFailing)))
}

// between is a store after whose next commit something happens.
type between struct {
	store.Store
	then func()
}

func (b *between) Update(ctx context.Context, fn func(store.Tx) error) error {
	err := b.Store.Update(ctx, fn)
	if then := b.then; then != nil {
		b.then = nil
		then()
	}
	return err
}

// The last worker of an endpoint gives it back between the commit that parks a line and the look whether anybody works.
func TestALineThatIsParkedTooLateCallsItself(t *testing.T) {
	b := &between{Store: memory.New()}
	seal, err := NewSeal(NewSealKey())
	require.NoError(t, err)
	g, err := New(Options{Store: b, Seal: seal})
	require.NoError(t, err)
	e, _, err := g.Endpoints().Create(t.Context(), EndpointSpec{URL: "https://driver.example"})
	require.NoError(t, err)
	line := lineTask(e.ID, "oak", 0)
	line.Due, line.Created = g.now(), g.now()
	require.NoError(t, b.Update(t.Context(), func(tx store.Tx) error { return tx.Schedule(line) }))
	row := store.Endpoint{ID: e.ID}
	for range hookShare {
		require.Equal(t, turnNow, g.hooks.take(row))
	}
	tasks, _, err := g.claimHooks(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	b.then = func() {
		for range hookShare {
			require.False(t, g.hooks.give(row))
		}
	}
	g.runHook(t.Context(), tasks[0])
	next, err := g.nextHook(t.Context())
	require.NoError(t, err)
	require.False(t, next.IsZero(), "it is due, and not parked for ever")
}

// A community's own endpoints have a share of the workers together, those that hear of all have none in common.
func TestWorkersOfOneCommunity(t *testing.T) {
	h := newHooks(&netguard.Guard{}, 0, nil)
	of := func(community string, i int) store.Endpoint {
		return store.Endpoint{ID: fmt.Sprint(community, i), Community: community}
	}
	for i := range hookOwner {
		require.Equal(t, turnNow, h.take(of("oak", i)))
	}
	require.Equal(t, turnLater, h.take(of("oak", hookOwner)))
	require.Equal(t, turnNow, h.take(of("elm", 0)))
	for i := range 2 * hookOwner {
		require.Equal(t, turnNow, h.take(of("", i)))
	}
	h.give(of("oak", 0))
	require.Equal(t, turnNow, h.take(of("oak", hookOwner)))
}

func TestTheFanOutsMemoryIsBounded(t *testing.T) {
	s := memory.New()
	const towns, each = 150, maxEndpoints
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		for i := range towns {
			for k := range each {
				err := tx.PutEndpoint(store.Endpoint{ID: fmt.Sprint(i, "-", k), Community: fmt.Sprint("town", i), Status: EndpointActive, Created: time.Unix(1, 0), Updated: time.Unix(1, 0)})
				if err != nil {
					return err
				}
			}
		}
		return nil
	}))
	h := newHooks(&netguard.Guard{}, 0, nil)
	for round := range 3 {
		for i := range towns {
			require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
				return h.load(tx, 1, []store.Event{{Community: fmt.Sprint("town", i)}})
			}))
			n := 0
			for _, of := range h.targets {
				n += len(of)
			}
			require.LessOrEqual(t, n, maxTargets+each, "round %d", round)
			require.Len(t, h.targets[fmt.Sprint("town", i)], each)
		}
	}
}

// An owner of an endpoint cannot find out which names there are in a network that is closed to them.
func TestANameThatIsRefusedIsLikeOneThatIsNotThere(t *testing.T) {
	gd := &netguard.Guard{}
	h := newHooks(gd, 0, nil)
	inside := gd.Check("http://10.0.0.1/") // as the connection to a name that leads there is refused
	require.ErrorIs(t, inside, netguard.ErrRefused)
	none := &net.OpError{Op: "dial", Err: &net.DNSError{Name: "vault.corp", IsNotFound: true, Server: "10.0.0.2:53"}}
	require.Equal(t, h.trouble("https://vault.corp/", none), h.trouble("https://vault.corp/", inside))
	require.NotContains(t, h.trouble("https://vault.corp/", errors.Join(inside)), "private")
	require.Contains(t, h.trouble("http://10.0.0.1/", inside), "private", "what stands in the address is known to whoever wrote it")
}
