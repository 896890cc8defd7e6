// Package sqlite keeps everything in one SQLite file. It is the gateway's default store.
//
// One connection writes; Updates that come at the same time share its transactions, so that many pay for one write to
// the disk (see group.go). Views run beside it on connections of their own, each on a snapshot. Several programs may use
// a file at once: they wait for each other.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/internal/sqlstore"
)

// Store is a store.Store in a file. Use Open.
type Store struct {
	group   group
	readers *pool

	mu       sync.Mutex
	idle     sync.Cond // signalled when running falls to zero
	running  int
	closed   bool
	watchers map[chan struct{}]func() bool // and how to stop waiting for the end of their context
	closing  sync.Once
	closeErr error
}

var _ store.Store = (*Store)(nil)

// enter counts a transaction as under way, so that Close waits for it.
func (s *Store) enter(ctx context.Context) error {
	if store.IsNested(ctx) {
		return store.ErrNested
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.running++
	return nil
}

func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running == 0 {
		s.idle.Broadcast()
	}
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return s.group.update(ctx, fn)
}

// View implements store.Store. The snapshot is of the moment when fn reads first.
func (s *Store) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	if err := c.begin("BEGIN"); err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	tx := sqlstore.New(c, nil)
	// Deferred, so that a panic or Goexit in fn gives the connection back as well.
	defer func() {
		tx.End()
		// When it fails, begin will make up for it.
		_ = c.control("ROLLBACK")
	}()
	return fn(tx)
}

// Watch implements store.Store. The channel is never closed.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ch
	}
	if s.watchers == nil {
		s.watchers = map[chan struct{}]func() bool{}
	}
	s.watchers[ch] = context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, ch)
	})
	return ch
}

// tell wakes who watches.
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

// Close implements store.Store. It copies the log into the file, which then stands alone. Closing twice is harmless.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	for s.running > 0 {
		s.idle.Wait()
	}
	for ch, stop := range s.watchers {
		stop()
		delete(s.watchers, ch)
	}
	s.mu.Unlock()
	s.closing.Do(func() {
		err := s.readers.close()
		if !s.group.readOnly {
			// Others who have the file open may be in the way. Then the log stays, and is as good.
			_ = s.group.w.script("PRAGMA wal_checkpoint(TRUNCATE)")
		}
		s.closeErr = errors.Join(err, s.group.w.close())
	})
	return s.closeErr
}
