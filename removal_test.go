package gateway_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
)

// leaver is a plugin that has something to take away.
type leaver struct{ *gateway.Instance }

// The hook is called once, while the instance is still there, paused or not; what it cannot do keeps nobody from removing.
func TestRemoveFunc(t *testing.T) {
	for name, fail := range map[string]func() error{
		"done":   func() error { return nil },
		"failed": func() error { return errors.New("the platform is away") },
		"panic":  func() error { panic("oops") },
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			p := gateway.Define("leaver", "Leaves nothing behind.", func(_ context.Context, i *gateway.Instance, _ struct{}) (leaver, error) { return leaver{i}, nil },
				gateway.RemoveFunc(func(l leaver, ctx context.Context) error {
					calls++
					_, _, err := l.Status(ctx)
					require.NoError(t, err)
					return fail()
				}))
			r := gatewaytest.New(t, gateway.Options{Plugins: []gateway.Plugin{p}})
			inst, err := r.Community("town").Enable(t.Context(), "leaver", nil)
			require.NoError(t, err)
			require.NoError(t, inst.Pause(t.Context(), "a rest"))
			require.NoError(t, inst.Remove(t.Context()))
			require.Equal(t, 1, calls)
			_, err = r.Community("town").Instance(t.Context(), "leaver")
			require.Equal(t, gateway.NotFound, gateway.CodeOf(err))
		})
	}
}
