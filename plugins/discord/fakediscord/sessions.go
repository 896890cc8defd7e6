package fakediscord

import (
	"encoding/json"
	"slices"
)

// session is one identified client of the Gateway. It outlives its connection, so that it can be resumed. Guarded by s.mu.
type session struct {
	id      string
	intents int
	shard   [2]int
	seq     int64
	sent    []dispatch // since the session began, for resuming
	conn    *conn      // nil while it is not connected
	held    []dispatch // to be overtaken by the next
}

type dispatch struct {
	seq  int64
	name string
	body json.RawMessage
}

// maxReplay is how many dispatches a session can be resumed over; a client that missed more has to begin anew.
const maxReplay = 20000

// identify begins a session.
func (c *conn) identify(d json.RawMessage) {
	var in struct {
		Token      string
		Intents    *int
		Shard      *[2]int
		Properties object
		Compress   bool
	}
	if json.Unmarshal(d, &in) != nil || in.Intents == nil || in.Properties == nil {
		c.end(4002)
		return
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	code := 0
	switch shard := deref(in.Shard); {
	case !s.isBotToken(in.Token):
		code = 4004
	case *in.Intents < 0 || *in.Intents&^allIntents != 0:
		code = 4013
	case *in.Intents&s.opt.DisallowedIntents != 0:
		code = 4014
	case in.Shard != nil && (shard[1] < 1 || shard[0] < 0 || shard[0] >= shard[1]):
		code = 4010
	}
	if code != 0 {
		c.end(code)
		return
	}
	if c.moves() {
		return
	}
	s.identify++
	se := &session{id: secretText(16), intents: *in.Intents, shard: [2]int{0, 1}, conn: c}
	if in.Shard != nil {
		se.shard = *in.Shard
	}
	c.session = se
	s.sessions = append(s.sessions, se)
	s.ready(se)
	s.conns.notify()
}

// isBotToken takes the token with or without "Bot ", as the Gateway does.
func (s *Server) isBotToken(text string) bool { return text == s.botToken || text == "Bot "+s.botToken }

// ready tells a new session who it is and where. The caller holds s.mu.
func (s *Server) ready(se *session) {
	var guilds []object
	for _, g := range s.guilds {
		if g.bot && se.has(g) {
			guilds = append(guilds, object{"id": g.id, "unavailable": true})
		}
	}
	me := s.users[s.app.BotUser].show()
	me["mfa_enabled"], me["verified"], me["email"] = true, true, nil
	se.send("READY", object{
		"v": 10, "user": me, "guilds": list(guilds), "session_id": se.id, "resume_gateway_url": "wss://gateway-fake.discord.gg",
		"shard": se.shard, "application": object{"id": s.app.AppID, "flags": 0}, "session_type": "normal", "private_channels": []any{},
		"relationships": []any{}, "_trace": []string{"fake"},
	})
	for _, g := range s.guilds {
		if g.bot && se.has(g) && se.intents&IntentGuilds != 0 {
			se.send("GUILD_CREATE", g.created(se.intents))
		}
	}
}

// has says whether a guild is of the session's shard.
func (se *session) has(g *Guild) bool { return int((num(g.id)>>22)%uint64(se.shard[1])) == se.shard[0] }

// resume goes on with a session: what was missed is sent again, and then RESUMED.
func (c *conn) resume(d json.RawMessage) {
	var in struct {
		Token     string
		SessionID string `json:"session_id"`
		Seq       *int64
	}
	if json.Unmarshal(d, &in) != nil || in.Seq == nil {
		c.end(4002)
		return
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isBotToken(in.Token) {
		c.end(4004)
		return
	}
	if c.moves() {
		return
	}
	i := slices.IndexFunc(s.sessions, func(x *session) bool { return x.id == in.SessionID })
	if i < 0 {
		c.send(9, false)
		return
	}
	se := s.sessions[i]
	if *in.Seq > se.seq || *in.Seq < 0 {
		c.end(4007)
		return
	}
	if len(se.sent) > 0 && *in.Seq < se.sent[0].seq-1 {
		s.sessions = slices.Delete(s.sessions, i, i+1)
		c.send(9, false)
		return
	}
	if old := se.conn; old != nil {
		old.session = nil
		old.end(4000)
	}
	se.conn, c.session = c, se
	for _, x := range se.sent {
		if x.seq > *in.Seq {
			c.dispatch(x)
		}
	}
	se.send("RESUMED", object{"_trace": []string{"fake"}})
	s.conns.notify()
}

// send gives a dispatch the next sequence number and sends it, or keeps it for resuming. The caller holds s.mu.
func (se *session) send(name string, d any) {
	se.seq++
	x := dispatch{seq: se.seq, name: name, body: rawJSON(d)}
	se.sent = append(se.sent, x)
	if len(se.sent) > maxReplay {
		se.sent = slices.Delete(se.sent, 0, len(se.sent)-maxReplay)
	}
	if se.conn != nil {
		se.conn.dispatch(x)
	}
}

// requestMembers answers op 8 with GUILD_MEMBERS_CHUNK, a thousand at a time. The whole list needs the intent GUILD_MEMBERS.
func (c *conn) requestMembers(d json.RawMessage) {
	var in struct {
		GuildID string          `json:"guild_id"`
		Query   *string         `json:"query"`
		Limit   int             `json:"limit"`
		UserIDs json.RawMessage `json:"user_ids"`
		Nonce   string          `json:"nonce"`
	}
	if json.Unmarshal(d, &in) != nil {
		c.end(4002)
		return
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.guild(in.GuildID)
	if g == nil || !g.bot || c.session == nil {
		return
	}
	var found []object
	whole := in.Query != nil && *in.Query == "" && in.Limit == 0
	if whole && c.session.intents&IntentGuildMembers == 0 {
		c.end(4000)
		return
	}
	wanted := map[string]bool{}
	var one string
	var many []string
	if json.Unmarshal(in.UserIDs, &one) == nil && one != "" {
		many = []string{one}
	} else if len(in.UserIDs) > 0 {
		_ = json.Unmarshal(in.UserIDs, &many) // what is no list asks for nobody
	}
	for _, id := range many {
		wanted[id] = true
	}
	for _, m := range g.sortedMembers() {
		byName := in.Query != nil && hasPrefixFold(m.user.name, *in.Query) && (in.Limit == 0 || len(found) < in.Limit)
		if byName || wanted[m.user.id] {
			found = append(found, m.show())
		}
	}
	chunks := max(1, (len(found)+999)/1000)
	for i := range chunks {
		o := object{"guild_id": g.id, "members": list(found[i*1000 : min(len(found), (i+1)*1000)]), "chunk_index": i, "chunk_count": chunks}
		if in.Nonce != "" {
			o["nonce"] = in.Nonce
		}
		c.session.send("GUILD_MEMBERS_CHUNK", o)
	}
}
