package fakediscord

import "context"

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

// ReconnectFirst has the next n clients that identify or resume be asked to reconnect (op 7) before anything else, and not be served, as happens
// while Discord moves its own servers.
func (s *Server) ReconnectFirst(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moving = n
}

// moves asks a client to reconnect, if it is to be one of those. The caller holds s.mu.
func (c *conn) moves() bool {
	if c.s.moving == 0 {
		return false
	}
	c.s.moving--
	c.send(7, nil)
	return true
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
