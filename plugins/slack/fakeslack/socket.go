package fakeslack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/metagov/gateway-go/internal/fake"
)

var errSocketClosed = errors.New("the socket closed before the acknowledgement")

// sockets are the Socket Mode connections. Its mutex is taken last of all.
type sockets struct {
	s *Server

	mu      sync.Mutex
	tickets map[string]bool
	conns   []*socketConn
	acks    map[string]chan json.RawMessage
	changed chan struct{} // closed and replaced when a connection comes or goes
	seq     int
	ever    bool
	wg      sync.WaitGroup
}

type socketConn struct {
	ws     *websocket.Conn
	write  sync.Mutex
	closed chan struct{}
	end    sync.Once
}

func newSockets(s *Server) *sockets {
	return &sockets{s: s, tickets: map[string]bool{}, acks: map[string]chan json.RawMessage{}, changed: make(chan struct{})}
}

// connectionsOpen hands out a WebSocket address that works once.
func (r *request) connectionsOpen() (object, error) {
	k := r.s.sock
	ticket := secretText(16)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tickets[ticket] = true
	base := "ws" + strings.TrimPrefix(r.s.http.URL, "http")
	return object{"url": base + "/link?ticket=" + ticket + "&app_id=" + r.s.app.AppID}, nil
}

func (k *sockets) serve(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	k.mu.Lock()
	ok := k.tickets[ticket]
	delete(k.tickets, ticket)
	k.mu.Unlock()
	if !ok {
		http.Error(w, "invalid ticket", http.StatusForbidden)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c := &socketConn{ws: ws, closed: make(chan struct{})}
	k.mu.Lock()
	k.conns = append(k.conns, c)
	k.ever = true
	n := len(k.conns)
	k.mu.Unlock()
	k.wg.Add(1)
	defer k.wg.Done()
	defer k.remove(c)
	if k.s.stop.Err() != nil {
		return
	}
	err = c.send(object{
		"type": "hello", "num_connections": n, "connection_info": object{"app_id": k.s.app.AppID},
		"debug_info": object{"host": "applink-fake", "build_number": 1, "approximate_connection_time": 18060},
	})
	if err != nil {
		return
	}
	k.notify()
	k.s.queue.resend()
	go c.ping()
	k.read(c)
}

// read takes acknowledgements until the connection ends.
func (k *sockets) read(c *socketConn) {
	c.ws.SetReadLimit(4 << 20)
	for {
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		if json.Unmarshal(data, &ack) != nil || ack.EnvelopeID == "" {
			continue
		}
		k.mu.Lock()
		ch := k.acks[ack.EnvelopeID]
		delete(k.acks, ack.EnvelopeID)
		k.mu.Unlock()
		if ch != nil {
			ch <- ack.Payload // buffered, and taken out of the map: never blocks
		}
	}
}

// ping keeps clients content that expect a sign of life.
func (c *socketConn) ping() {
	t := time.NewTicker(5 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if c.ws.WriteControl(websocket.PingMessage, []byte("fake"), time.Now().Add(time.Second)) != nil {
				return
			}
		case <-c.closed:
			return
		}
	}
}

func (c *socketConn) send(v any) error {
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.ws.WriteMessage(websocket.TextMessage, rawJSON(v)); err != nil {
		return fmt.Errorf("write to socket: %w", err)
	}
	return nil
}

// remove ends a connection. It is gone from the list before anybody hears of it.
func (k *sockets) remove(c *socketConn) {
	c.end.Do(func() {
		k.mu.Lock()
		if i := slices.Index(k.conns, c); i >= 0 {
			k.conns = slices.Delete(slices.Clone(k.conns), i, i+1)
		}
		k.mu.Unlock()
		c.ws.Close()
		close(c.closed)
		k.notify()
	})
}

func (k *sockets) notify() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.changed)
	k.changed = make(chan struct{})
}

// connected says whether there is a connection now, and whether there ever was one.
func (k *sockets) connected() (now, ever bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.conns) > 0, k.ever
}

// send delivers through one of the connections, in turn, and waits for the acknowledgement.
func (k *sockets) send(ctx context.Context, d *delivery, try fake.Try) (fake.Answer, error) {
	k.s.queue.mu.Lock()
	d.socket = true
	k.s.queue.mu.Unlock()
	id := uuidText()
	ch := make(chan json.RawMessage, 1)
	k.mu.Lock()
	if len(k.conns) == 0 {
		k.mu.Unlock()
		return fake.Answer{}, errSocketClosed
	}
	c := k.conns[k.seq%len(k.conns)]
	k.seq++
	k.acks[id] = ch
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		delete(k.acks, id)
		k.mu.Unlock()
	}()
	envelope := object{"envelope_id": id, "type": d.log.Kind, "payload": json.RawMessage(d.payload), "accepts_response_payload": d.log.Kind != "events_api"}
	if d.log.Kind == "events_api" {
		envelope["retry_attempt"], envelope["retry_reason"] = try.Retry, try.Reason
	}
	if err := c.send(envelope); err != nil {
		k.remove(c)
		return fake.Answer{}, err
	}
	select {
	case payload := <-ch:
		return fake.Answer{Status: http.StatusOK, Header: http.Header{}, Body: payload}, nil
	case <-c.closed:
		return fake.Answer{}, errSocketClosed
	case <-ctx.Done():
		return fake.Answer{}, ctx.Err()
	}
}

// Sockets is how many Socket Mode connections are open.
func (s *Server) Sockets() int {
	s.sock.mu.Lock()
	defer s.sock.mu.Unlock()
	return len(s.sock.conns)
}

// WaitSockets waits until at least n Socket Mode connections are open (for n 0: none).
func (s *Server) WaitSockets(ctx context.Context, n int) error {
	for {
		s.sock.mu.Lock()
		have, changed := len(s.sock.conns), s.sock.changed
		s.sock.mu.Unlock()
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

// Disconnect tells every socket to reconnect, for a reason such as "refresh_requested" or "link_disabled", and closes it.
// With an empty reason it closes without a word, as a broken network does.
func (s *Server) Disconnect(reason string) {
	s.sock.mu.Lock()
	conns := append([]*socketConn(nil), s.sock.conns...)
	s.sock.mu.Unlock()
	for _, c := range conns {
		if reason != "" {
			// A client that is gone needs no word.
			_ = c.send(object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "applink-fake"}})
		}
		s.sock.remove(c)
	}
}

func (k *sockets) closeAll() {
	k.s.Disconnect("")
	k.wg.Wait()
}
