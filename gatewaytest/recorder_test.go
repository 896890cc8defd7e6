package gatewaytest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// recorder is a test that is allowed to fail.
type recorder struct {
	name string
	ctx  context.Context
	top  *recorder

	mu       sync.Mutex
	failed   bool
	cleanups []func()
	errors   []string // of the whole tree, kept at the top
}

// record runs fn as a test and says how it failed.
func record(t *testing.T, fn func(TB)) string {
	r := &recorder{ctx: t.Context()}
	r.top = r
	r.run(fn)
	return strings.Join(r.errors, "\n")
}

func (r *recorder) run(fn func(TB)) {
	ctx, cancel := context.WithCancel(r.ctx)
	r.ctx = ctx
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			cancel()
			for i := len(r.cleanups) - 1; i >= 0; i-- {
				r.cleanups[i]()
			}
		}()
		fn(r)
	}()
	<-done
}

func (r *recorder) Run(name string, fn func(TB)) bool {
	s := &recorder{name: r.name + "/" + name, ctx: r.ctx, top: r.top}
	s.run(fn)
	r.failed = r.failed || s.failed
	return !s.failed
}

func (r *recorder) Helper()                  {}
func (r *recorder) Name() string             { return r.name }
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Failed() bool             { return r.failed }
func (r *recorder) Cleanup(fn func())        { r.cleanups = append(r.cleanups, fn) }
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.failed = true
	r.top.mu.Lock()
	defer r.top.mu.Unlock()
	r.top.errors = append(r.top.errors, r.name+": "+fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
