package fakediscord

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/metagov/gateway-go/internal/fake"
)

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
	acked  [2]int64 // the sequence numbers that the client told in its last two heartbeats, the last one second
	code   int      // to close with, once out is written
	ended  bool
	closed chan struct{}

	session *session // guarded by Server.mu
}

const (
	gatewayURL   = "wss://gateway.discord.gg"
	gatewayRoute = "GATEWAY" // for faults
)

func (r *request) getGateway() (any, error) { return object{"url": gatewayURL}, nil }

func (r *request) getGatewayBot() (any, error) {
	return object{"url": gatewayURL, "shards": max(r.s.opt.Shards, 1), "session_start_limit": object{
		"total": 1000, "remaining": max(0, 1000-r.s.identify), "reset_after": 86400000, "max_concurrency": 1}}, nil
}

// serveGateway runs one connection to its end.
func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	if s.faults.Request(gatewayRoute).Before(w, r, func(fake.Answer) {}) {
		return
	}
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
	case op == 3 || op == 4 || op == 31 || op == 43 || op == 8:
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
		c.acked = [2]int64{c.acked[1], seq}
		c.mu.Unlock()
	}
	c.send(11, nil)
	c.s.conns.notify()
}
