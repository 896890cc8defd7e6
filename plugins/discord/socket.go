package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"

	gateway "github.com/metagov/gateway-go"
)

// listen keeps one shard's connection to the Gateway (https://docs.discord.com/developers/events/gateway). Each event is durable before the next one is
// read. A connection that is lost is taken up again where it was; a session that is lost, with us or with Discord, is followed by a repair.
// It returns when the connection cannot be made any more.
func (l *link) listen() error {
	ctx, stop := context.WithCancel(l.ctx)
	defer l.wg.Wait()
	defer stop()
	s, err := l.session(ctx)
	if err != nil {
		return err
	}
	if err := l.open(ctx, s); err != nil {
		return explain(err)
	}
	beat := time.NewTicker(l.app.waits().alive)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			if err := l.beat(ctx, s); err != nil {
				l.end(stop)
				return err
			}
		case <-ctx.Done():
			l.end(stop)
			return ctx.Err()
		case err := <-l.failed:
			l.end(stop)
			return err
		case <-l.closed:
			l.current.Store(false)
			l.src.Log.Info("the connection to the Gateway was lost; it is taken up again", "shard", l.shard)
			if err := l.redial(ctx, s); err != nil {
				return explain(err)
			}
		}
	}
}

// errStuck is why a session is given up whose connection does not come about.
var errStuck = errors.New("the connection was not ready in time")

// open makes the connection. The library never returns from that where Discord's first word is that we shall connect anew (op 7): it waits for a
// lock that it holds itself (discordgo 0.29, its issue 513). What does not come about in time is cut and left alone: closing such a session
// would wait too.
func (l *link) open(ctx context.Context, s *discordgo.Session) error {
	done := make(chan error, 1)
	go func() { done <- s.Open() }()
	late := time.NewTimer(l.app.waits().open)
	defer late.Stop()
	select {
	case err := <-done:
		if errors.Is(err, discordgo.ErrWSAlreadyOpen) { // it says twice that one connection was lost
			return nil
		}
		return err
	case <-late.C:
		return errStuck
	case <-ctx.Done():
	}
	select { // the connection is cut; what was under way ends with it
	case err := <-done:
		if err == nil {
			l.noticed()
		}
	case <-time.After(settling):
	}
	return ctx.Err()
}

// redials is how often it is tried to take up a lost connection: for about five minutes.
const redials = 14

// redial takes a lost connection up again. The session is worth some patience: Discord keeps what happened for it, for a few minutes.
func (l *link) redial(ctx context.Context, s *discordgo.Session) error {
	waits := l.app.waits()
	pause := waits.redial
	if err := l.calm(ctx); err != nil {
		return err
	}
	for n := 1; ; n++ {
		err := l.open(ctx, s)
		if err == nil || ctx.Err() != nil || errors.Is(err, errStuck) || refusedByGateway(err) || n == redials {
			return err
		}
		l.src.Log.Warn("the connection to the Gateway cannot be taken up yet", "shard", l.shard, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, waits.longest)
	}
}

// refusedByGateway reports whether Discord has closed the connection for a reason of its own; below 4000 are the reasons of every websocket.
func refusedByGateway(err error) bool {
	var c *websocket.CloseError
	return errors.As(err, &c) && c.Code >= 4000
}

// settling is how long the library is given to stop what belonged to a lost connection: its heartbeat may yet close the session, and would close the
// next connection.
const settling = time.Second

// calm waits that long.
func (l *link) calm(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settling):
	}
	select {
	case <-l.closed: // it has said so twice
	default:
	}
	return nil
}

// link is the listening to one shard.
type link struct {
	*ears
	ctx    context.Context // of the listening: the library's handlers get none
	shard  int
	wg     sync.WaitGroup
	closed chan struct{}
	failed chan error
	begun  chan struct{} // closed by the first READY

	id      string      // Discord's name for the session
	broken  atomic.Bool // an event could not be kept: those after it are left to the repair too
	current atomic.Bool // all that Discord had kept for the session has come
}

// beat keeps that a shard on which nothing happens has missed nothing: Discord answers heartbeats, and all that it sent before such an answer has come, for
// the answers are read in their turn.
func (l *link) beat(ctx context.Context, s *discordgo.Session) error {
	current := l.current.Load()
	s.RLock()
	answered := s.LastHeartbeatAck
	s.RUnlock()
	if !current || l.broken.Load() || answered.IsZero() {
		return nil
	}
	return l.hears(ctx, l.shard, l.src.Now().Add(-max(time.Since(answered), 0)))
}

// session makes one of the library's, that does only what it is told: it reconnects when we say so, retries nothing, logs nothing, keeps no
// picture of the guilds, and has handlers run before the next event is read.
func (l *link) session(ctx context.Context) (*discordgo.Session, error) {
	s, err := discordgo.New("Bot " + l.app.BotToken.Reveal())
	if err != nil {
		return nil, fmt.Errorf("making a session: %w", err)
	}
	set, err := intentsOf(l.app.Intents)
	if err != nil {
		return nil, err
	}
	s.Identify.Intents, s.ShardID, s.ShardCount = set, l.shard, len(l.alive)
	s.ShouldReconnectOnError, s.ShouldRetryOnRateLimit, s.MaxRestRetries = false, false, 0
	s.SyncEvents, s.StateEnabled, s.LogLevel, s.UserAgent = true, false, -1, agent
	client := *l.src.HTTP
	client.Transport = version{client.Transport}
	s.Client, s.Dialer = &client, l.app.dialer(ctx)
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.Event) { l.hear(e) })
	s.AddHandler(func(_ *discordgo.Session, _ *discordgo.Disconnect) {
		select {
		case l.closed <- struct{}{}:
		default:
		}
	})
	return s, nil
}

// end cuts the connection and waits until the library has noticed: it closes the session itself then. To close it from here would change the connection
// under the goroutine that reads (discordgo 0.29 looks at it without its lock when Discord asks for a heartbeat).
func (l *link) end(stop func()) {
	stop()
	l.noticed()
}

func (l *link) noticed() {
	select {
	case <-l.closed:
	case <-time.After(3 * settling): // it is in the middle of keeping an event; it ends with that
	}
}

// dialer connects so that the end of the context cuts the connection: the library reads without a deadline.
func (a *app) dialer(ctx context.Context) *websocket.Dialer {
	d := *websocket.DefaultDialer
	if a.Dialer != nil {
		d = *a.Dialer
	}
	plain, encrypted := d.NetDialContext, d.NetDialTLSContext
	if plain == nil {
		plain = (&net.Dialer{Timeout: 30 * time.Second}).DialContext
	}
	cut := func(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
		return func(within context.Context, network, address string) (net.Conn, error) {
			c, err := dial(within, network, address)
			if err == nil {
				context.AfterFunc(ctx, func() { c.Close() })
			}
			return c, err
		}
	}
	d.NetDialContext = cut(plain)
	if encrypted != nil {
		d.NetDialTLSContext = cut(encrypted)
	}
	return &d
}

// version makes the library speak version 10, whose own numbers are variables of the whole program. It calls nothing but GET /gateway,
// and puts "?v=9&encoding=json" behind the address in the answer: there that becomes a fragment, which is not sent.
type version struct{ next http.RoundTripper }

func (v version) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Path = strings.Replace(out.URL.Path, "/api/v"+discordgo.APIVersion+"/", "/api/v10/", 1)
	res, err := v.next.RoundTrip(out)
	if err != nil || res.StatusCode != http.StatusOK {
		return res, err
	}
	defer res.Body.Close()
	var where struct {
		URL string `json:"url"`
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err == nil {
		err = json.Unmarshal(raw, &where)
	}
	if err != nil || where.URL == "" {
		return nil, fmt.Errorf("reading the address of the Gateway: %w", errors.Join(err, errors.New("there is none")))
	}
	raw, err = json.Marshal(map[string]string{"url": strings.TrimSuffix(where.URL, "/") + "/?v=10&encoding=json#/"})
	if err != nil {
		return nil, err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return res, nil
}

// explain says in words what the Gateway's closing means
// (https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes).
func explain(err error) error {
	var c *websocket.CloseError
	if !errors.As(err, &c) {
		return fmt.Errorf("connecting to the Gateway: %w", err)
	}
	switch c.Code {
	case 4004:
		return fmt.Errorf("the Gateway does not take App.BotToken: %w", err)
	case 4011:
		return fmt.Errorf("the bot is in so many guilds that App.Shards is too few: %w", err)
	case 4013:
		return fmt.Errorf("the Gateway does not know one of App.Intents: %w", err)
	case 4014:
		return fmt.Errorf("one of App.Intents has to be switched on first in the app's settings, under Bot: %w", err)
	}
	return fmt.Errorf("the Gateway closed the connection: %w", err)
}

// hear takes one event, on the goroutine that reads. What cannot be kept ends the listening: the next one begins a new session, with a repair.
func (l *link) hear(e *discordgo.Event) {
	if l.broken.Load() {
		return
	}
	if err := l.take(e); err != nil && l.ctx.Err() == nil {
		l.broken.Store(true)
		select {
		case l.failed <- err:
		default:
		}
	}
}

func (l *link) take(e *discordgo.Event) error {
	switch e.Type {
	case "":
		return nil
	case "READY":
		return l.ready(e.RawData)
	case "RESUMED":
		l.src.Log.Info("the session was resumed")
		l.current.Store(true)
		return nil
	}
	d := dispatch{Type: e.Type, Seq: e.Sequence, Session: l.id, Data: slim(e.Type, e.RawData)}
	body, err := json.Marshal(d)
	if err != nil {
		l.src.Log.Warn("an event cannot be read and is passed over", "type", e.Type, "error", err)
		return nil
	}
	answer, err := l.src.Deliver(l.ctx, http.Header{"Content-Type": {"application/json"}}, body)
	switch {
	case errors.Is(err, gateway.Invalid):
		l.src.Log.Warn("an event cannot be read and is passed over", "type", e.Type, "error", err)
	case err != nil:
		return fmt.Errorf("keeping an event: %w", err)
	}
	if e.Type == "INTERACTION_CREATE" && len(answer.Body) > 0 {
		l.answer(e.RawData, answer.Body)
	}
	if !l.current.Load() {
		return nil // there may be earlier ones to come
	}
	return l.live(l.ctx, l.shard)
}

// ready begins a session. What happened since we last listened is fetched: a session that is lost brings nothing again.
func (l *link) ready(raw json.RawMessage) error {
	var r struct {
		Session string `json:"session_id"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reading READY: %w", err)
	}
	l.id = r.Session
	l.src.Log.Info("connected", "shard", l.shard)
	if err := l.missed(l.ctx, l.shard); err != nil {
		return err
	}
	l.current.Store(true)
	select {
	case <-l.begun:
	default:
		close(l.begun)
	}
	return nil
}

// answer answers an interaction that came by the Gateway: within three seconds, and beside the reading. What fails or is lost is tried again as long as that
// lasts: whoever reads that their click failed clicks again, and takes it back by that.
func (l *link) answer(raw json.RawMessage, body []byte) {
	var i struct {
		ID    text   `json:"id"`
		Token string `json:"token"`
	}
	if json.Unmarshal(raw, &i) != nil || i.ID == "" || i.Token == "" {
		return
	}
	l.wg.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, 3*time.Second)
		defer cancel()
		c := &client{http: l.src.HTTP, limits: &l.app.limits, now: l.src.Now}
		q := call{method: http.MethodPost, path: path("interactions", string(i.ID), i.Token, "callback"), body: json.RawMessage(body), bare: true}
		err := c.call(ctx, q, nil)
		for gateway.CodeOf(err) == gateway.Unavailable && pause(ctx, max(soon[0], gateway.RetryAfter(err))) {
			err = c.call(ctx, q, nil)
		}
		if err != nil && !refusedAs(err, codeAcknowledged) {
			l.src.Log.Warn("an interaction could not be answered", "error", err)
		}
	})
}

// slim leaves out of a guild what makes it large: Discord sends all of it again with each session.
func slim(typ string, raw json.RawMessage) json.RawMessage {
	if typ != "GUILD_CREATE" {
		return raw
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return raw
	}
	for _, name := range []string{"members", "presences", "voice_states", "channels", "threads", "emojis", "stickers", "roles", "soundboard_sounds", "stage_instances", "guild_scheduled_events"} {
		delete(fields, name)
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return raw
	}
	return out
}
