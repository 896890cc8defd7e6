package fakediscord

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/metagov/gateway-go/internal/fake"
)

// Intents of the Gateway; those of GUILD_MEMBERS, GUILD_PRESENCES and MESSAGE_CONTENT are privileged (checked 2026-11).
const (
	IntentGuilds          = 1 << 0
	IntentGuildMembers    = 1 << 1
	IntentGuildModeration = 1 << 2
	IntentVoiceStates     = 1 << 7
	IntentPresences       = 1 << 8
	IntentGuildMessages   = 1 << 9
	IntentReactions       = 1 << 10
	IntentDirectMessages  = 1 << 12
	IntentDirectReactions = 1 << 13
	IntentMessageContent  = 1 << 15
	IntentGuildPolls      = 1 << 24
	IntentDirectPolls     = 1 << 25

	allIntents = 1<<17 - 1 | 1<<20 | 1<<21 | 1<<24 | 1<<25
)

// intentOf is which intent tells of an event: in guilds, and in direct messages. None is told to everybody.
func intentOf(name string) (guild, direct int) {
	switch {
	case name == "GUILD_BAN_ADD" || name == "GUILD_BAN_REMOVE" || name == "GUILD_AUDIT_LOG_ENTRY_CREATE":
		return IntentGuildModeration, 0
	case strings.HasPrefix(name, "GUILD_MEMBER_") || name == "THREAD_MEMBERS_UPDATE":
		return IntentGuildMembers, 0
	case name == "VOICE_STATE_UPDATE":
		return IntentVoiceStates, 0
	case strings.HasPrefix(name, "MESSAGE_REACTION_"):
		return IntentReactions, IntentDirectReactions
	case strings.HasPrefix(name, "MESSAGE_POLL_"):
		return IntentGuildPolls, IntentDirectPolls
	case strings.HasPrefix(name, "MESSAGE_"):
		return IntentGuildMessages, IntentDirectMessages
	case strings.HasPrefix(name, "GUILD_"), strings.HasPrefix(name, "CHANNEL_"), strings.HasPrefix(name, "THREAD_"):
		return IntentGuilds, IntentDirectMessages
	}
	return 0, 0
}

func intentName(i int) string {
	names := map[int]string{IntentGuilds: "GUILDS", IntentGuildMembers: "GUILD_MEMBERS", IntentGuildModeration: "GUILD_MODERATION",
		IntentVoiceStates: "GUILD_VOICE_STATES", IntentGuildMessages: "GUILD_MESSAGES", IntentReactions: "GUILD_MESSAGE_REACTIONS",
		IntentDirectMessages: "DIRECT_MESSAGES", IntentDirectReactions: "DIRECT_MESSAGE_REACTIONS", IntentGuildPolls: "GUILD_MESSAGE_POLLS",
		IntentDirectPolls: "DIRECT_MESSAGE_POLLS"}
	return names[i]
}

// emit tells of something in a guild; with a channel, only if the bot sees it. The caller holds s.mu.
func (g *Guild) emit(name string, d object, c *channel) { g.emitMessage(name, d, c, nil) }

func (g *Guild) emitMessage(name string, d object, c *channel, m *message) {
	s := g.s
	if !g.bot {
		return
	}
	if c != nil && !c.visible(s.app.BotUser) {
		s.note(name, g.id, "missing permission VIEW_CHANNEL")
		return
	}
	s.tell(name, g, d, m)
}

// emit tells of something in a channel. The message is the one that the event shows whole, if it does.
func (c *channel) emit(name string, d object, m *message) {
	if c.g != nil {
		c.g.emitMessage(name, d, c, m)
		return
	}
	c.srv.tell(name, nil, d, m)
}

// tell dispatches to every session that asked for such events, with the faults that were asked for. The caller holds s.mu.
func (s *Server) tell(name string, g *Guild, d object, m *message) {
	intent, direct := intentOf(name)
	guild := ""
	if g == nil {
		intent = direct
	} else {
		guild = g.id
	}
	fault := s.faults.Delivery(name)
	log := s.note(name, guild, "")
	log.Body = rawJSON(d)
	if fault.Drop || fault.CloseBefore {
		log.Dropped = "lost on purpose"
		return
	}
	told := false
	for _, se := range s.sessions {
		if g == nil && se.shard[0] != 0 || g != nil && !se.has(g) {
			continue
		}
		own := name == "GUILD_MEMBER_UPDATE" && isAbout(d, s.app.BotUser)
		if intent != 0 && se.intents&intent == 0 && !own {
			log.Dropped = "missing intent " + intentName(intent)
			continue
		}
		told = true
		body := any(d)
		if m != nil && se.intents&IntentMessageContent == 0 && !m.open(s.app.BotUser) {
			hidden := cloneObject(d)
			withhold(hidden)
			body = hidden
		}
		se.play(s, dispatch{name: name, body: rawJSON(body)}, fault)
	}
	switch {
	case told:
		log.Dropped = ""
	case log.Dropped == "":
		log.Dropped = "no session"
	}
}

// Dispatch sends an event as it is given to every session of the Gateway, whatever its intents: for trying events that the fake
// does not make by itself. It returns when the clients have read it.
func (s *Server) Dispatch(name string, data json.RawMessage) error {
	if !json.Valid(data) {
		return fmt.Errorf("fakediscord: dispatch %s: the data is no JSON", name)
	}
	s.mu.Lock()
	log := s.note(name, "", "")
	log.Body = data
	for _, se := range s.sessions {
		se.send(name, data)
	}
	if len(s.sessions) == 0 {
		log.Dropped = "no session"
	}
	s.mu.Unlock()
	s.settle()
	return nil
}

// play sends a dispatch as the fault says.
func (se *session) play(s *Server, d dispatch, fault fake.Strike) {
	if fault.Reorder {
		se.held = append(se.held, d)
		return
	}
	if fault.Late > 0 {
		s.queue.later(s.opt.Now().Add(fault.Late), func() { se.send(d.name, d.body) })
		return
	}
	se.send(d.name, d.body)
	for range fault.Duplicate {
		se.send(d.name, d.body)
	}
	held := se.held
	se.held = nil
	for _, h := range held {
		se.send(h.name, h.body)
	}
}

func isAbout(d object, id string) bool {
	u, _ := d["user"].(object)
	return u["id"] == id
}

func cloneObject(o object) object {
	out := make(object, len(o))
	for k, v := range o {
		out[k] = v
	}
	return out
}

// withhold takes out of a message what an app without the intent MESSAGE_CONTENT does not get.
func withhold(o object) {
	o["content"], o["embeds"], o["attachments"], o["components"] = "", []any{}, []any{}, []any{}
	delete(o, "poll")
}

// open says whether the app reads a message in any case: its own, one that mentions it, and direct ones.
func (m *message) open(me string) bool {
	return m.author == me || m.c.g == nil || slices.Contains(m.mentions, me)
}

// Flush waits until everything that happened before it was delivered: webhook events were attempted once, and every client
// of the Gateway has read what it was sent. To know the latter the fake asks for heartbeats (op 1), which tell the client's
// last sequence number: for two, as clients also send one of their own now and then, while they are still at what they read last.
// It must not be called by a handler that a delivery is waiting for.
func (s *Server) Flush(ctx context.Context) error {
	if err := s.queue.Flush(ctx); err != nil {
		return err
	}
	type wait struct {
		c   *conn
		seq int64
	}
	var waits []wait
	s.mu.Lock()
	for _, se := range s.sessions {
		if se.conn != nil {
			waits = append(waits, wait{se.conn, se.seq})
			se.conn.send(1, nil)
			se.conn.send(1, nil)
		}
	}
	s.mu.Unlock()
	for _, w := range waits {
		for {
			changed := s.conns.watch()
			w.c.mu.Lock()
			done := w.c.ended || w.c.acked[0] >= w.seq
			w.c.mu.Unlock()
			if done {
				break
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return ctx.Err()
			case <-s.stop.Done():
				return context.Canceled
			}
		}
	}
	return nil
}

// settle is Flush for what people do; a client that does not answer is not waited for longer than AckTimeout.
func (s *Server) settle() {
	ctx, cancel := context.WithTimeout(s.stop, s.opt.AckTimeout)
	defer cancel()
	_ = s.Flush(ctx) // what was done is done, whether the client answers or not
}
