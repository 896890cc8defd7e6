package gatewaytest

import (
	"context"
	"testing"
)

// TB is what the package asks of a test. *testing.T has it, and so can a recorder that expects a check to fail.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	// Fatalf ends the test's goroutine, as that of *testing.T does.
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
	Context() context.Context
}

// runner is a TB other than *testing.T that has subtests.
type runner interface {
	Run(name string, fn func(TB)) bool
}

// sub runs a part of a check under a name of its own.
func sub(t TB, name string, fn func(TB)) {
	t.Helper()
	switch t := t.(type) {
	case *testing.T:
		t.Run(name, func(t *testing.T) { fn(t) })
	case runner:
		t.Run(name, fn)
	default:
		t.Fatalf("gatewaytest: %T has no subtests: give a *testing.T, or add Run(string, func(gatewaytest.TB)) bool", t)
	}
}
