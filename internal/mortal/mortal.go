// Package mortal is for tests of what a program leaves behind that is killed: between any two things that it does to the outside, a commit or a
// request, before or after the other side has it.
package mortal

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/metagov/gateway-go/store"
)

// ErrDead is what everything fails with that a dead program tries.
var ErrDead = errors.New("the program was killed")

// Life is one run of a program. The zero Life goes on until DieAfter. It is safe for concurrent use.
type Life struct {
	mu   sync.Mutex
	left int
	dead bool
	did  int
}

// DieAfter has the program die after n more steps, of which each commit and each request is two. 0: it lives on.
func (l *Life) DieAfter(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.did = n, 0
}

// Over says whether the program has died.
func (l *Life) Over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// Steps are those since the last DieAfter.
func (l *Life) Steps() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.did
}

func (l *Life) step() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.did++
	if l.left > 0 {
		l.left--
		l.dead = l.dead || l.left == 0
	}
	if l.dead {
		return ErrDead
	}
	return nil
}

// Store is s as the program sees it. Closing it leaves s open for the next life.
func (l *Life) Store(s store.Store) store.Store { return mortalStore{s, l} }

type mortalStore struct {
	store.Store
	life *Life
}

func (s mortalStore) View(ctx context.Context, fn func(store.Tx) error) error {
	if s.life.Over() {
		return ErrDead
	}
	return s.Store.View(ctx, fn)
}

func (s mortalStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.life.step(); err != nil {
		return err
	}
	if err := s.Store.Update(ctx, fn); err != nil {
		return err
	}
	return s.life.step()
}

func (s mortalStore) Close() error { return nil }

// Transport is next as the program sees it.
func (l *Life) Transport(next http.RoundTripper) http.RoundTripper { return transport{next, l} }

type transport struct {
	next http.RoundTripper
	life *Life
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.life.step(); err != nil {
		return nil, err
	}
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := t.life.step(); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res, nil
}
