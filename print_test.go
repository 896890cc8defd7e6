package gateway_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// A plugin as many are written: its configuration, with its secret, in an unexported field.
type discreet struct {
	*gateway.Instance
	config struct{ Token gateway.Secret }
}

func TestAPluginDoesNotPrintItsSecrets(t *testing.T) {
	d := &discreet{Instance: &gateway.Instance{}}
	d.config.Token = "canary"
	for _, v := range []any{d, *d, []any{d}, map[string]*discreet{"a": d}, &discreet{config: d.config}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "canary")
			require.NotContains(t, fmt.Sprintf(verb, v), fmt.Sprintf("%x", "canary"))
		}
	}
}
