package schema

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublicKeepsOnlyWhatIsMarked(t *testing.T) {
	type config struct {
		Team  string `json:"team" gateway:"public" jsonschema_description:"The workspace"`
		Note  string `json:"note" jsonschema_description:"For us"`
		Token secret `json:"token" jsonschema_description:"The token"`
	}
	s, err := For(reflect.TypeFor[config](), Options{})
	require.NoError(t, err)
	out, err := s.Public(json.RawMessage(`{"team":"T1","note":"n","token":"t"}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"team":"T1"}`, string(out))
}
