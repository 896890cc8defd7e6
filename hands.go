package gateway

import (
	"sync"
	"time"
)

// hands are goroutines on which [Gateway.bounded] runs code that may have to be left behind. A new one for each delivery would first have to
// grow its stack to the depth of the store, which was a tenth of what a ballot cost: so they are used again for as long as deliveries
// are on their way, and none outlives the last of these.
type hands struct {
	mu   sync.Mutex
	busy int // deliveries on their way
	idle []*hand
}

// maxIdle is how many wait at the most. A store that writes one transaction at a time needs one.
const maxIdle = 4

// hand is one goroutine. It ends when its work is closed.
type hand struct {
	work chan func() answer
	done chan answer
	late *time.Timer
}

type answer struct {
	r    Reply
	err  error
	over bool // the goroutine ended
}

// begin says that deliveries come. Whoever calls it calls end.
func (s *hands) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
}

func (s *hands) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy--; s.busy > 0 {
		return
	}
	for i, h := range s.idle {
		close(h.work)
		s.idle[i] = nil
	}
	s.idle = s.idle[:0]
}

// get gives one that has nothing to do. Between begin and end.
func (s *hands) get() *hand {
	s.mu.Lock()
	if last := len(s.idle) - 1; last >= 0 {
		h := s.idle[last]
		s.idle[last], s.idle = nil, s.idle[:last]
		s.mu.Unlock()
		return h
	}
	s.mu.Unlock()
	h := &hand{work: make(chan func() answer), done: make(chan answer, 1), late: time.NewTimer(quickTime)}
	go h.run()
	return h
}

// put takes back one whose answer was read.
func (s *hands) put(h *hand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy == 0 || len(s.idle) >= maxIdle {
		close(h.work)
		return
	}
	s.idle = append(s.idle, h)
}

func (h *hand) run() {
	running := false
	defer func() {
		if running { // the code called Goexit, or was left behind and is back
			h.done <- answer{over: true}
		}
	}()
	for fn := range h.work {
		running = true
		a := fn()
		running = false
		h.done <- a
	}
}
