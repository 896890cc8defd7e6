// Package gatewaytest is for the tests of plugin and driver authors: a gateway in memory on a clock that the test sets, and
// the checks that every plugin must pass.
//
//	func TestPlugin(t *testing.T) {
//		gatewaytest.Check(t, myplugin.New(), gatewaytest.WithConfig(myplugin.Config{Site: "example"}))
//	}
//
//	func TestClosing(t *testing.T) {
//		r := gatewaytest.New(t, gateway.Options{Plugins: []gateway.Plugin{myplugin.New()}})
//		inst, err := r.Community("town").Enable(t.Context(), "myplugin", myplugin.Config{Site: "example"})
//		...
//		r.Advance(time.Hour) // all that was due within the hour has happened, each at its time
//	}
//
// A test that uses it must not run in parallel with others: at its end it looks for goroutines that were left behind, and
// those of another test would be found too. The package must not be linked into a program.
package gatewaytest
