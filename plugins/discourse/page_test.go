package discourse_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse"
)

// The page has a line for each action, as the manifest says it, and names all votes, roles and events.
func TestThePageSaysWhatThereIs(t *testing.T) {
	raw, err := os.ReadFile("../../docs/plugins/discourse.md")
	require.NoError(t, err)
	page, m := string(raw), discourse.New().Manifest()
	for _, a := range m.Actions {
		again := "no"
		switch {
		case a.Lookup:
			again = "looked up"
		case a.Idempotent:
			again = "harmless"
		}
		needs := "-"
		if len(a.Needs) > 0 {
			needs = "`" + strings.ReplaceAll(strings.Join(a.Needs, "`, `"), "|", "` or `") + "`"
		}
		require.Contains(t, page, fmt.Sprintf("| `%s` | %s | %s | %s |", a.Name, a.Doc, needs, again))
	}
	for _, x := range m.Processes {
		require.Contains(t, page, "`"+x.Name+"`")
		for _, c := range x.Commands {
			require.Contains(t, page, "`"+c.Name+"`")
		}
	}
	for _, x := range m.Roles {
		require.Contains(t, page, "`"+x.Name+"/")
	}
	for _, x := range m.Events {
		require.Contains(t, page, "`"+x.Type+"`")
	}
}
