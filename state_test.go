package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// What the gateway keeps beside a plugin's values (a webhook's token, cursors) is not the plugin's to read or change.
func TestKeysOfTheGateway(t *testing.T) {
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	for _, name := range []string{"gateway/hook-token", "gateway/"} {
		k := gateway.Key[string](name)
		_, err := k.Get(t.Context(), forum{Instance: inst})
		require.ErrorIs(t, err, gateway.Internal)
		require.ErrorIs(t, k.Put(t.Context(), forum{Instance: inst}, "mine"), gateway.Internal)
	}
	k := gateway.Key[string]("mine")
	require.NoError(t, k.Put(t.Context(), forum{Instance: inst}, "mine"))
	got, err := k.Get(t.Context(), forum{Instance: inst})
	require.NoError(t, err)
	require.Equal(t, "mine", got)
}
