package fake

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Fault is something that goes wrong on purpose: what is the same for every platform. The fakes have their own, with the platform's words
// and refusals, and make this of it.
type Fault struct {
	Request  string // the requests that it is about, "*" for any, unless Delivery is set
	Delivery string // the deliveries that it is about, "*" for any
	Times    int    // how often; 0 is once, -1 is always
	Skip     int    // how many that fit pass unharmed first

	Answer func() (a Answer, ok bool) // given instead of acting; nil, and not ok, is none

	CloseBefore bool // the connection closes and nothing was done
	Hold        bool // nothing happens until Injected.Release
	LoseAnswer  bool // it is done, and then the connection closes
	HoldAnswer  bool // it is done, and the answer waits for Injected.Release; not for deliveries

	// Deliveries only.
	Drop      bool          // it is never sent
	Duplicate int           // so many more copies
	Reorder   bool          // the next delivery overtakes it; without one, Queue.SendDue sends it
	Late      time.Duration // Queue.SendDue sends it once so much time has passed
}

// Faults are those that were set. All methods may be called from any goroutine.
type Faults struct {
	stop context.Context // ends with the fake; then nothing is held

	mu  sync.Mutex
	set []*Injected
}

// NewFaults is none so far. Nothing is held any more when stop ends.
func NewFaults(stop context.Context) *Faults { return &Faults{stop: stop} }

// Injected is a fault that was set. All methods may be called from any goroutine.
type Injected struct {
	all  *Faults
	f    Fault
	left int
	hits int
	hit  chan struct{} // closed by the first strike
	free chan struct{} // closed by Release
	once sync.Once
}

// Set sets a fault. Several can be set; they are used in the order in which they were.
func (s *Faults) Set(f Fault) *Injected {
	i := &Injected{all: s, f: f, left: f.Times, hit: make(chan struct{}), free: make(chan struct{})}
	if f.Times == 0 {
		i.left = 1
	}
	if f.Request == "" {
		i.f.Request = "*"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set = append(s.set, i)
	return i
}

// Hits is how often the fault struck.
func (i *Injected) Hits() int {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	return i.hits
}

// Wait waits until the fault struck at least once; for Hold, the request is then waiting for Release.
func (i *Injected) Wait(ctx context.Context) error {
	select {
	case <-i.hit:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release lets go of everything that Hold or HoldAnswer holds, now and later.
func (i *Injected) Release() { i.once.Do(func() { close(i.free) }) }

// Remove takes the fault away and releases what it holds.
func (i *Injected) Remove() {
	i.Release()
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	i.all.set = slices.DeleteFunc(i.all.set, func(f *Injected) bool { return f == i })
}

// Request uses up the first fault that is about a request of that name and has some Times left.
func (s *Faults) Request(name string) Strike {
	return s.take(func(f *Fault) bool { return f.Delivery == "" && (f.Request == "*" || f.Request == name) })
}

// Delivery is [Faults.Request] for a delivery, which may have several names.
func (s *Faults) Delivery(names ...string) Strike {
	return s.take(func(f *Fault) bool {
		return f.Delivery == "*" || f.Delivery != "" && slices.Contains(names, f.Delivery)
	})
}

func (s *Faults) take(fits func(*Fault) bool) Strike {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.set {
		if i.left == 0 || !fits(&i.f) {
			continue
		}
		if i.f.Skip > 0 {
			i.f.Skip--
			continue
		}
		if i.left > 0 {
			i.left--
		}
		i.hits++
		if i.hits == 1 {
			close(i.hit)
		}
		return Strike{Fault: i.f, by: i}
	}
	return Strike{}
}
