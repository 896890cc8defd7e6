package discord_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

func TestALostConnectionIsTakenUpWhereItWas(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	_, err := w.w.Post(hall, ann, "one")
	require.NoError(t, err)
	r.wait("MESSAGE_CREATE", 1)
	r.fake.Disconnect(0) // the network breaks
	require.NoError(t, r.fake.WaitSockets(within(t), 0))
	_, err = w.w.Post(hall, ann, "two")
	require.NoError(t, err)
	require.NoError(t, r.fake.WaitSockets(within(t), 1))
	require.Len(t, r.wait("MESSAGE_CREATE", 2), 2)
	require.Contains(t, r.logs.String(), "the session was resumed")
	require.Empty(t, r.fake.CallsTo("GET /channels/{channel_id}/messages"), "nothing had to be fetched")

	r.fake.Reconnect() // op 7: Discord asks for it
	_, err = w.w.Post(hall, bob, "three")
	require.NoError(t, err)
	require.Len(t, r.wait("MESSAGE_CREATE", 3), 3)
}

func TestALostSessionIsFollowedByARepair(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	_, err := w.w.Post(hall, ann, "one")
	require.NoError(t, err)
	r.wait("MESSAGE_CREATE", 1)
	r.clock.advance(time.Minute)
	r.fake.ForgetSessions()
	r.fake.Disconnect(1001)
	require.NoError(t, r.fake.WaitSockets(within(t), 0))
	_, err = w.w.Post(hall, ann, "missed")
	require.NoError(t, err)
	require.NoError(t, w.w.Ban(ann, cid, "spam", 0))
	require.NoError(t, r.fake.WaitSockets(within(t), 1))
	for end := time.Now().Add(20 * time.Second); len(r.events("MESSAGE_CREATE")) < 2 && time.Now().Before(end); {
		r.clock.advance(100 * time.Millisecond) // guilds are repaired one after the other
	}
	require.Len(t, r.wait("MESSAGE_CREATE", 2), 2, "each once")
	require.Equal(t, ann, r.wait("GUILD_BAN_ADD", 1)[0].Initiator)
}

// What is delivered live, late and by a repair is one event.
func TestWhatARepairFindsAgainCountsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	for _, said := range []string{"one", "two", "three"} {
		_, err := w.w.Post(hall, ann, said)
		require.NoError(t, err)
	}
	require.NoError(t, w.w.Ban(ann, cid, "spam", 0))
	r.wait("MESSAGE_CREATE", 3)
	r.wait("GUILD_BAN_ADD", 1)
	require.NoError(t, w.inst.Repair(t.Context(), gateway.Gap{Since: r.clock.now().Add(-time.Hour)}))
	r.clock.advance(time.Minute)
	require.Eventually(t, func() bool { // the gateway beside us may be at it
		r.due()
		return len(r.fake.CallsTo("GET /channels/{channel_id}/messages")) > 0
	}, 20*time.Second, 5*time.Millisecond)
	require.Len(t, r.events("MESSAGE_CREATE"), 3)
	require.Len(t, r.events("GUILD_BAN_ADD"), 1)
}

func TestARepairReadsPageByPageAndHandsOverInOrder(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	for range 230 {
		r.clock.advance(time.Second)
		_, err := w.w.Post(hall, ann, "missed")
		require.NoError(t, err)
	}
	require.Empty(t, r.events("MESSAGE_CREATE"))
	require.NoError(t, w.inst.Repair(t.Context(), gateway.Gap{Since: r.clock.now().Add(-time.Hour)}))
	got := r.events("MESSAGE_CREATE")
	require.Len(t, got, 230)
	for i := 1; i < len(got); i++ {
		require.True(t, got[i-1].At.Before(got[i].At), "oldest first")
	}
}

// A thread in which people wrote while nobody listened may have been put away since.
func TestARepairReadsThreadsThatWerePutAway(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	begin := r.clock.now()
	for i, name := range []string{"long ago", "just now"} {
		thread := w.thread(name)
		_, err := w.w.Post(thread, ann, name)
		require.NoError(t, err)
		require.NoError(t, w.w.ArchiveThread(thread, ann, true, false))
		if i == 0 {
			r.clock.advance(3 * time.Hour)
			begin = r.clock.now()
		}
	}
	r.clock.advance(2 * time.Hour)
	require.NoError(t, w.inst.Repair(t.Context(), gateway.Gap{Since: begin}))
	heard := r.events("MESSAGE_CREATE")
	require.Len(t, heard, 1)
	require.Contains(t, string(heard[0].Data), "just now")
}

// A busy channel may hold more than one call of a repair can read.
func TestARepairGoesOnWhereItMadeWayForOthers(t *testing.T) {
	r := newRig(t, func(a *discord.App, _ *fakediscord.Options, _ *gateway.Options) { a.RepairInTurns(1) })
	w := r.town(0)
	for range 250 {
		r.clock.advance(time.Second)
		_, err := w.w.Post(hall, ann, "missed")
		require.NoError(t, err)
	}
	_, err := w.w.Post(park, bob, "missed too")
	require.NoError(t, err)
	require.NoError(t, w.inst.Repair(t.Context(), gateway.Gap{Since: r.clock.now().Add(-time.Hour)}))
	for range 5 {
		r.later(2 * time.Second)
	}
	require.Len(t, r.events("MESSAGE_CREATE"), 251)
	pages := 0
	for _, c := range r.fake.CallsTo("GET /channels/{channel_id}/messages") {
		if strings.Contains(c.Path, hall) {
			pages++
		}
	}
	require.Equal(t, 3, pages, "nothing is read twice")
	require.NotContains(t, r.logs.String(), "level=WARN")
}

func TestAWrongTokenAndForbiddenIntentsAreExplained(t *testing.T) {
	for name, c := range map[string]struct {
		change rigOption
		says   string
	}{
		"token": {func(a *discord.App, _ *fakediscord.Options, _ *gateway.Options) {
			a.BotToken = "fake-wrong-token"
		}, "does not take App.BotToken"},
		"intents": {func(_ *discord.App, o *fakediscord.Options, _ *gateway.Options) { o.DisallowedIntents = 1 << 15 }, "has to be switched on first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, withGateway, c.change)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx) }()
			require.Eventually(t, func() bool { return len(r.logs.String()) > 0 && contains(r.logs.String(), c.says) }, 20*time.Second, 5*time.Millisecond)
			stop()
			require.NoError(t, <-done)
			require.NotContains(t, r.logs.String(), r.fake.App().BotToken)
			require.NotContains(t, r.logs.String(), "fake-wrong-token")
		})
	}
}

// leaky is a store that loses what it is to keep, as often as a test says.
type leaky struct {
	store.Store
	mu   sync.Mutex
	left int
}

func (l *leaky) lose(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = n
}

func (l *leaky) Update(ctx context.Context, fn func(store.Tx) error) error {
	return l.Store.Update(ctx, func(tx store.Tx) error { return fn(leakyTx{tx, l}) })
}

type leakyTx struct {
	store.Tx
	l *leaky
}

// Accept fails where something is to be lost.
func (t leakyTx) Accept(d store.Delivery) (bool, error) {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	if t.l.left > 0 {
		t.l.left--
		return false, errors.New("the disk is full")
	}
	return t.Tx.Accept(d)
}

func TestAnEventThatCannotBeKeptIsFetchedAgain(t *testing.T) {
	t.Parallel()
	disk := &leaky{Store: memory.New()}
	r := newRig(t, withGateway, func(_ *discord.App, _ *fakediscord.Options, o *gateway.Options) {
		o.Store = disk
	})
	w := r.town(0)
	r.connect()
	_, err := w.w.Post(hall, ann, "one")
	require.NoError(t, err)
	r.wait("MESSAGE_CREATE", 1)
	disk.lose(1)
	_, err = w.w.Post(hall, ann, "two")
	require.NoError(t, err)
	for end := time.Now().Add(20 * time.Second); len(r.events("MESSAGE_CREATE")) < 2 && time.Now().Before(end); {
		r.clock.advance(100 * time.Millisecond)
	}
	require.Len(t, r.wait("MESSAGE_CREATE", 2), 2)
	require.Contains(t, r.logs.String(), "keeping an event")
}

func TestAnInvalidSessionIsBegunAnew(t *testing.T) {
	t.Parallel()
	for _, resumable := range []bool{true, false} {
		r := newRig(t, withGateway)
		w := r.town(0)
		r.connect()
		r.fake.InvalidateSession(resumable)
		require.NoError(t, r.fake.WaitSockets(within(t), 1))
		_, err := w.w.Post(hall, ann, "heard")
		require.NoError(t, err)
		for end := time.Now().Add(20 * time.Second); len(r.events("MESSAGE_CREATE")) < 1 && time.Now().Before(end); {
			r.clock.advance(100 * time.Millisecond)
		}
		r.wait("MESSAGE_CREATE", 1)
	}
}

func TestWhatTheGatewayBringsTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway)
	w := r.town(0)
	r.connect()
	for _, typ := range []string{"MESSAGE_CREATE", "GUILD_BAN_ADD", "GUILD_AUDIT_LOG_ENTRY_CREATE"} {
		r.fake.Fail(fakediscord.Fault{Delivery: typ, Duplicate: 2})
	}
	_, err := w.w.Post(hall, ann, "once")
	require.NoError(t, err)
	require.NoError(t, w.w.Ban(ann, cid, "once", 0))
	r.wait("MESSAGE_CREATE", 1)
	r.wait("GUILD_BAN_ADD", 1)
	r.clock.advance(time.Minute)
	require.Len(t, r.events("MESSAGE_CREATE"), 1)
	require.Len(t, r.events("GUILD_BAN_ADD"), 1)
}

// A bot in many guilds has several connections, among which Discord divides them.
func TestShards(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway, func(a *discord.App, _ *fakediscord.Options, _ *gateway.Options) {
		a.Shards = 2
		a.BeginQuickly()
	})
	near := r.town(0)
	r.fake.AddUser("3001", "far owner")
	g := r.fake.AddGuild("4194304", "Far", "3001").AddChannel("4194305", "far", fakediscord.TextChannel) // of the second shard
	g.Install(perms)
	far := r.enable(g, "far")
	r.connect()
	require.NoError(t, r.fake.WaitSockets(within(t), 2))
	_, err := near.w.Post(hall, ann, "near")
	require.NoError(t, err)
	_, err = far.w.Post("4194305", "3001", "far")
	require.NoError(t, err)
	require.Len(t, r.wait("MESSAGE_CREATE", 2), 2, "each is heard once")

	r.clock.advance(time.Minute)
	r.fake.ForgetSessions() // the program's connections are both lost, with their sessions
	r.fake.Disconnect(1001)
	require.NoError(t, r.fake.WaitSockets(within(t), 0))
	_, err = far.w.Post("4194305", "3001", "missed")
	require.NoError(t, err)
	require.NoError(t, r.fake.WaitSockets(within(t), 2))
	for end := time.Now().Add(20 * time.Second); len(r.events("MESSAGE_CREATE")) < 3 && time.Now().Before(end); {
		r.clock.advance(100 * time.Millisecond)
	}
	require.Len(t, r.wait("MESSAGE_CREATE", 3), 3, "it is fetched")
}

// Discord says how many connections it wants.
func TestDiscordAdvisesShards(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway, func(a *discord.App, o *fakediscord.Options, _ *gateway.Options) {
		a.BeginQuickly()
		o.Shards = 3
	})
	r.town(0)
	r.connect()
	require.NoError(t, r.fake.WaitSockets(within(t), 3))
}

// Discord takes the token of a bot out of use that begins too many sessions in a day.
func TestNoSessionIsBegunThatDiscordDoesNotAllow(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{0, 1} {
		r := newRig(t, withGateway, func(a *discord.App, _ *fakediscord.Options, _ *gateway.Options) { a.Shards = shards })
		r.fake.Fail(fakediscord.Fault{Route: "GET /gateway/bot", Times: -1, Body: `{"url":"wss://gateway.discord.gg","shards":1,
			"session_start_limit":{"total":1000,"remaining":0,"reset_after":3600000,"max_concurrency":1}}`})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		require.Eventually(t, func() bool {
			return contains(r.logs.String(), "may begin 0 more sessions with the Gateway for the next 1h0m0s")
		}, 20*time.Second, 5*time.Millisecond)
		require.Contains(t, r.logs.String(), "in=1h0m0s", "it waits for so long")
		require.Zero(t, r.fake.Sockets())
		stop()
		require.NoError(t, <-done)
	}
}

// The library never comes back from being asked to reconnect first of all.
func TestAConnectionThatGetsStuckIsGivenUpAndMadeAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway, func(a *discord.App, _ *fakediscord.Options, _ *gateway.Options) { a.GiveUpSoon() })
	w := r.town(0)
	r.fake.ReconnectFirst(1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	require.Eventually(t, func() bool { return contains(r.logs.String(), "was not ready in time") }, 20*time.Second, 5*time.Millisecond)
	for end := time.Now().Add(20 * time.Second); !contains(r.logs.String(), "msg=connected") && time.Now().Before(end); {
		r.clock.advance(time.Second) // the gateway begins it anew
		runtime.Gosched()
	}
	require.NoError(t, r.fake.WaitSockets(within(t), 1))
	_, err := w.w.Post(hall, ann, "heard")
	require.NoError(t, err)
	r.wait("MESSAGE_CREATE", 1)

	r.fake.ReconnectFirst(1000)
	r.fake.Disconnect(0)
	stop()
	select {
	case err := <-done:
		require.NoError(t, err, "the end is not held up")
	case <-within(t).Done():
		t.Fatal("the gateway does not end")
	}
}

func TestAConnectionThatCannotBeTakenUpAtOnceIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway, func(a *discord.App, _ *fakediscord.Options, _ *gateway.Options) { a.BeginQuickly() })
	w := r.town(0)
	r.connect()
	_, err := w.w.Post(hall, ann, "one")
	require.NoError(t, err)
	r.wait("MESSAGE_CREATE", 1)
	failing := r.fake.Fail(fakediscord.Fault{Route: "GATEWAY", CloseBefore: true, Times: 3})
	r.fake.Disconnect(0)
	require.NoError(t, r.fake.WaitSockets(within(t), 0))
	_, err = w.w.Post(hall, ann, "two")
	require.NoError(t, err)
	require.NoError(t, r.fake.WaitSockets(within(t), 1))
	r.wait("MESSAGE_CREATE", 2)
	require.Equal(t, 3, failing.Hits())
	require.Contains(t, r.logs.String(), "the session was resumed")
	require.Empty(t, r.fake.CallsTo("GET /channels/{channel_id}/messages"), "nothing had to be fetched")
}

// A shard on which nothing happens has missed nothing, and does not have the others' messages fetched again.
func TestAQuietShardDoesNotMakeTheRepairLonger(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGateway, func(a *discord.App, _ *fakediscord.Options, _ *gateway.Options) {
		a.Shards = 2
		a.BeginQuickly()
	})
	r.town(0)
	r.connect()
	require.NoError(t, r.fake.WaitSockets(within(t), 2))
	r.clock.advance(10 * time.Hour)
	kept := func() (at time.Time) {
		require.NoError(t, r.store.View(t.Context(), func(tx store.Tx) error {
			raw, _, err := tx.State("source:discord/gateway", "cursor")
			_ = at.UnmarshalText(raw)
			return err
		}))
		return at
	}
	require.Eventually(t, func() bool { return r.clock.now().Sub(kept()) < time.Hour }, 20*time.Second, 5*time.Millisecond, "heartbeats are answered")
}
