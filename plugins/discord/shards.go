package discord

import (
	"context"
	"fmt"
	"sync"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// ears are the listening to all shards: Discord divides the guilds of a bot that is in many among several connections
// (https://docs.discord.com/developers/events/gateway#sharding, checked 2026-11).
type ears struct {
	app *app
	src *gateway.Source

	mu    sync.Mutex
	alive []time.Time // of each shard, until when nothing can have been missed; zero: it has never been heard
}

// times are how long the listening waits for what.
type times struct {
	identify time.Duration // between the first sessions of shards: how often a bot may begin one, unless Discord has allowed it more
	open     time.Duration // for a connection to be made, with its session
	redial   time.Duration // before the second attempt to make one again; it doubles with each
	longest  time.Duration // between two attempts
	alive    time.Duration // until it is kept again that a shard listens
}

var usualTimes = times{identify: 5 * time.Second, open: time.Minute, redial: time.Second, longest: 30 * time.Second, alive: aliveEvery}

// aliveEvery is how often it is kept that a shard listens.
const aliveEvery = 30 * time.Second

// waits are the times of this app.
func (a *app) waits() times {
	if a.times != (times{}) {
		return a.times
	}
	return usualTimes
}

// listen keeps the connections to the Gateway, one for each shard, see [link.listen]. They begin one after the other, as far apart as
// Discord wants it. (A session that Discord itself declares invalid is begun anew by the library, at once and out of our sight, so that those of several shards
// may come closer together; the one that Discord refuses is tried again.) If one cannot be kept all are given up, and begun anew by the gateway.
func (a *app) listen(ctx context.Context, src *gateway.Source) error {
	n, err := a.shards(ctx, src)
	if err != nil {
		return err
	}
	e := &ears{app: a, src: src, alive: make([]time.Time, n)}
	if err := e.begin(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, n)
	for i := range n {
		if i > 0 {
			select {
			case err := <-failed:
				return err
			case <-time.After(a.waits().identify):
			}
		}
		l := &link{ears: e, ctx: ctx, shard: i, closed: make(chan struct{}, 1), failed: make(chan error, 1), begun: make(chan struct{})}
		wg.Go(func() { failed <- l.listen() })
		select {
		case err := <-failed:
			return err
		case <-l.begun:
		}
	}
	return <-failed
}

// advice is what Discord says before a bot connects (https://docs.discord.com/developers/events/gateway#get-gateway-bot, checked 2026-11).
type advice struct {
	Shards int `json:"shards"`
	Limit  *struct {
		Remaining  int   `json:"remaining"`
		ResetAfter int64 `json:"reset_after"` // milliseconds
	} `json:"session_start_limit"`
}

// shards is how many there are: as many as the operator says, or Discord advises. Unavailable: there may be no new sessions for a while.
func (a *app) shards(ctx context.Context, src *gateway.Source) (int, error) {
	var said advice
	c := &client{http: src.HTTP, auth: "Bot " + a.BotToken.Reveal(), limits: &a.limits, now: src.Now}
	err := c.call(ctx, call{path: path("gateway", "bot")}, &said)
	switch {
	case badCredentials(err):
		return 0, fmt.Errorf("Discord does not take App.BotToken: %w", err)
	case err != nil && a.Shards == 0:
		return 0, err
	}
	n := a.Shards
	if n == 0 {
		n = min(max(said.Shards, 1), maxShards)
	}
	return n, said.allows(n)
}

// allows refuses to begin more sessions than Discord lets the bot begin in a day: it takes the token of one that begins more out of use.
func (s advice) allows(n int) error {
	if s.Limit == nil || s.Limit.Remaining >= n {
		return nil
	}
	after := min(max(time.Duration(s.Limit.ResetAfter)*time.Millisecond, time.Minute), maxSessionWait)
	return &gateway.Error{Code: gateway.Unavailable, After: after, Err: fmt.Errorf(
		"the bot may begin %d more sessions with the Gateway for the next %v, and needs %d: programs that use its token begin too many", s.Limit.Remaining, after, n)}
}

// maxSessionWait bounds what is believed: sessions are counted for a day.
const maxSessionWait = 24 * time.Hour

// maxShards bounds what is believed.
const maxShards = 1000

// begin reads until when an earlier listening has heard everything, of all shards.
func (e *ears) begin(ctx context.Context) error {
	cursor, err := e.src.Cursor(ctx)
	if err != nil || cursor == "" {
		return err
	}
	var at time.Time
	_ = at.UnmarshalText([]byte(cursor)) // our own text
	for i := range e.alive {
		e.alive[i] = at
	}
	return nil
}

// missed has fetched what a shard may have missed before its session began.
func (e *ears) missed(ctx context.Context, shard int) error {
	e.mu.Lock()
	since := e.alive[shard]
	e.mu.Unlock()
	if !since.IsZero() {
		if err := e.src.Repair(ctx, gateway.Gap{Since: since}); err != nil {
			return err
		}
	}
	return e.hears(ctx, shard, e.src.Now())
}

// live keeps, now and then, that a shard has missed nothing until now.
func (e *ears) live(ctx context.Context, shard int) error {
	e.mu.Lock()
	at := e.alive[shard]
	e.mu.Unlock()
	if !at.IsZero() && e.src.Now().Sub(at) < aliveEvery {
		return nil
	}
	return e.hears(ctx, shard, e.src.Now())
}

// hears keeps that a shard has missed nothing until a time, and so until when all shards that have ever been heard have not.
func (e *ears) hears(ctx context.Context, shard int, until time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock() // whoever is later must not be overtaken
	if !until.After(e.alive[shard]) {
		return nil
	}
	e.alive[shard] = until
	oldest := until
	for _, at := range e.alive {
		if !at.IsZero() && at.Before(oldest) {
			oldest = at
		}
	}
	raw, err := oldest.MarshalText()
	if err != nil {
		return err
	}
	return e.src.SetCursor(ctx, string(raw))
}
