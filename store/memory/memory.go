// Package memory keeps everything in memory, for tests and prototypes. It answers exactly as the other stores do.
//
// All tables are persistent trees: a transaction works on a copy of their roots, which costs nothing, and committing puts
// the copy in place. So there is nothing to undo, a View sees a snapshot without holding anybody up, and the cost of an
// Update follows what it touches.
package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/metagov/gateway-go/store"
)

// Store is a store.Store in memory. Use New.
type Store struct {
	committed atomic.Pointer[tables]
	revs      atomic.Int64  // numbers that are never used twice, not even by what was rolled back
	writing   chan struct{} // holds one token while an Update runs

	mu       sync.Mutex
	idle     sync.Cond // signalled when running falls to zero
	running  int
	closed   bool
	watchers map[chan struct{}]struct{}
}

var _ store.Store = (*Store)(nil)

var errTxOver = errors.New("memory: transaction used after its function returned")

// New makes an empty store.
func New() *Store {
	s := &Store{writing: make(chan struct{}, 1), watchers: map[chan struct{}]struct{}{}}
	s.idle.L = &s.mu
	s.committed.Store(&tables{})
	return s
}

// View runs fn on a snapshot. It waits for nobody.
func (s *Store) View(ctx context.Context, fn func(store.Tx) error) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	t := &tx{tables: *s.committed.Load(), store: s, locked: fmt.Errorf("memory: writing in a View: %w", store.ErrReadOnly)}
	return fn(t)
}

// Update runs fn, one Update at a time.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writing }()
	// The select above picks at random when both are ready.
	if err := ctx.Err(); err != nil {
		return err
	}
	t := &tx{tables: *s.committed.Load(), store: s}
	// A panic or Goexit in fn passes by what follows and leaves what was committed as it was.
	defer func() { t.locked = errTxOver }()
	if err := fn(t); err != nil {
		return err
	}
	done := t.tables
	s.committed.Store(&done)
	s.tell()
	return nil
}

// begin counts a transaction as under way, so that Close can wait for it.
func (s *Store) begin(ctx context.Context) (end func(), err error) {
	if store.IsNested(ctx) {
		return nil, store.ErrNested
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	s.running++
	return s.end, nil
}

func (s *Store) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running == 0 {
		s.idle.Broadcast()
	}
}

// Watch tells after each commit.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[ch] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, ch)
	})
	return ch
}

func (s *Store) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Close waits for the transactions under way and forgets everything.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.running > 0 {
		s.idle.Wait()
	}
	clear(s.watchers)
	s.committed.Store(&tables{})
	return nil
}
