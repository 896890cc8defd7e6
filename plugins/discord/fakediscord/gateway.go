package fakediscord

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
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

// connections are the open sockets.
type connections struct {
	mu      sync.Mutex
	open    map[*conn]bool
	changed chan struct{} // closed and replaced when something about a connection changes
	closed  bool
	wg      sync.WaitGroup
}

// conn is one socket. What is to be written waits in out, so that whoever changes the state never waits for a client.
type conn struct {
	s  *Server
	ws *websocket.Conn

	mu     sync.Mutex
	out    [][]byte
	wake   chan struct{}
	acked  int64 // the last sequence number that the client told in a heartbeat
	code   int   // to close with, once out is written
	ended  bool
	closed chan struct{}

	session *session // guarded by Server.mu
}

const gatewayURL = "wss://gateway.discord.gg"

func (r *request) getGateway() (any, error) { return object{"url": gatewayURL}, nil }

func (r *request) getGatewayBot() (any, error) {
	return object{"url": gatewayURL, "shards": 1, "session_start_limit": object{
		"total": 1000, "remaining": max(0, 1000-r.s.identify), "reset_after": 86400000, "max_concurrency": 1}}, nil
}

// serveGateway runs one connection to its end.
func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c := &conn{s: s, ws: ws, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	k := &s.conns
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		ws.Close()
		return
	}
	k.open[c] = true
	k.wg.Add(2)
	k.mu.Unlock()
	defer k.wg.Done()
	go c.write()
	q := r.URL.Query()
	if v := q.Get("v"); v != "10" && v != "9" {
		c.end(4012)
	} else if e := q.Get("encoding"); e != "json" && e != "" || q.Get("compress") != "" {
		c.end(4002)
	} else {
		c.send(10, object{"heartbeat_interval": s.opt.Heartbeat.Milliseconds(), "_trace": []string{"fake"}})
	}
	code := c.read()
	s.mu.Lock()
	if se := c.session; se != nil && se.conn == c {
		se.conn = nil
		if c.forgets(code) {
			s.sessions = slices.DeleteFunc(s.sessions, func(x *session) bool { return x == se })
		}
	}
	s.mu.Unlock()
	c.end(0)
	k.mu.Lock()
	delete(k.open, c)
	k.mu.Unlock()
	k.notify()
}

func (k *connections) notify() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changed != nil {
		close(k.changed)
	}
	k.changed = make(chan struct{})
}

// watch returns a channel that is closed at the next change.
func (k *connections) watch() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changed == nil {
		k.changed = make(chan struct{})
	}
	return k.changed
}

func (k *connections) closeAll() {
	k.mu.Lock()
	k.closed = true
	for c := range k.open {
		c.ws.Close()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

// send queues a payload that is no dispatch.
func (c *conn) send(op int, d any) {
	c.push(rawJSON(object{"op": op, "d": d, "s": nil, "t": nil}))
}

func (c *conn) dispatch(d dispatch) {
	c.push(rawJSON(object{"op": 0, "d": d.body, "s": d.seq, "t": d.name}))
}

func (c *conn) push(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.out = append(c.out, b)
	c.signal()
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// end closes the connection with a code after what is queued; 0 closes without a word.
func (c *conn) end(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.code = true, code
	close(c.closed)
	c.signal()
}

// forgets says whether the client's close code ends its session: Discord forgets the session of a client that says goodbye
// first. What a client says after Discord has closed does not count.
func (c *conn) forgets(code int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended && (code == websocket.CloseNormalClosure || code == websocket.CloseGoingAway)
}

// write is the one goroutine that writes to the socket.
func (c *conn) write() {
	defer c.s.conns.wg.Done()
	defer c.ws.Close()
	for {
		c.mu.Lock()
		out, ended, code := c.out, c.ended, c.code
		c.out = nil
		c.mu.Unlock()
		for _, b := range out {
			if c.ws.WriteMessage(websocket.TextMessage, b) != nil {
				return
			}
		}
		if ended {
			if code != 0 {
				// A client that is gone needs no word.
				_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, closeText[code]), time.Now().Add(time.Second))
			}
			return
		}
		if len(out) > 0 {
			continue
		}
		select {
		case <-c.wake:
		case <-c.s.stop.Done():
			return
		}
	}
}

// closeText are Discord's words for its close codes.
var closeText = map[int]string{
	4000: "Unknown error.", 4001: "Unknown opcode.", 4002: "Error while decoding payload.", 4003: "Not authenticated.",
	4004: "Authentication failed.", 4005: "Already authenticated.", 4007: "Invalid seq.", 4008: "Rate limited.",
	4009: "Session timed out.", 4010: "Invalid shard.", 4011: "Sharding required.", 4012: "Invalid API version.",
	4013: "Invalid intent(s).", 4014: "Disallowed intent(s).",
}

// read takes what the client sends until the connection ends, and returns the client's close code, or 0.
func (c *conn) read() int {
	c.ws.SetReadLimit(1 << 20)
	for {
		var p struct {
			Op *int            `json:"op"`
			D  json.RawMessage `json:"d"`
		}
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			if e, ok := err.(*websocket.CloseError); ok {
				return e.Code
			}
			return 0
		}
		if len(data) > 4096 || json.Unmarshal(data, &p) != nil || p.Op == nil {
			c.end(4002)
			continue
		}
		c.receive(*p.Op, p.D)
	}
}

func (c *conn) receive(op int, d json.RawMessage) {
	c.s.mu.Lock()
	known := c.session != nil
	c.s.mu.Unlock()
	switch {
	case op == 1:
		c.heartbeat(d)
	case op == 2 && known, op == 6 && known:
		c.end(4005)
	case op == 2:
		c.identify(d)
	case op == 6:
		c.resume(d)
	case op == 3 || op == 4 || op == 31 || op == 8:
		if !known {
			c.end(4003)
		} else if op == 8 {
			c.requestMembers(d)
		}
	default:
		c.end(4001)
	}
}

func (c *conn) heartbeat(d json.RawMessage) {
	if seq, err := strconv.ParseInt(string(d), 10, 64); err == nil {
		c.mu.Lock()
		c.acked = seq
		c.mu.Unlock()
	}
	c.send(11, nil)
	c.s.conns.notify()
}

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

// Sockets is how many sessions are connected to the Gateway and were told READY or RESUMED.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, se := range s.sessions {
		if se.conn != nil {
			n++
		}
	}
	return n
}

// WaitSockets waits until at least n sessions are connected (for n 0: none).
func (s *Server) WaitSockets(ctx context.Context, n int) error {
	for {
		changed := s.conns.watch()
		have := s.Sockets()
		if n > 0 && have >= n || n == 0 && have == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Disconnect closes every connection to the Gateway with a close code, such as 4009; 0 is a broken network, without a word.
func (s *Server) Disconnect(code int) {
	for _, c := range s.connected() {
		c.end(code)
	}
}

// Reconnect asks every client to reconnect and resume (op 7).
func (s *Server) Reconnect() {
	for _, c := range s.connected() {
		c.send(7, nil)
	}
}

// InvalidateSession tells every client that its session is invalid (op 9), and if it cannot be resumed forgets it.
func (s *Server) InvalidateSession(resumable bool) {
	if !resumable {
		s.ForgetSessions()
	}
	for _, c := range s.connected() {
		c.send(9, resumable)
	}
}

// ForgetSessions makes resuming impossible, as after a long time: whoever tries is told that the session is invalid. Open
// connections are no longer told anything until they identify anew.
func (s *Server) ForgetSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, se := range s.sessions {
		if se.conn != nil {
			se.conn.session = nil
		}
	}
	s.sessions = nil
}

func (s *Server) connected() []*conn {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	var out []*conn
	for c := range s.conns.open {
		out = append(out, c)
	}
	return out
}
