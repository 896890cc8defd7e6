package github_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/github"
)

// The page has a line for each action, as the manifest says it, and names all votes, roles and targets of events.
func TestThePageSaysWhatThereIs(t *testing.T) {
	p, err := github.New(testApp())
	require.NoError(t, err)
	raw, err := os.ReadFile("../../docs/plugins/github.md")
	require.NoError(t, err)
	page, m := string(raw), p.Manifest()
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
		line := fmt.Sprintf("| `%s` | %s | %s | %s |", a.Name, a.Doc, needs, again)
		require.Contains(t, page, line)
	}
	for _, x := range m.Processes {
		require.Contains(t, page, "`"+x.Name+"`")
	}
	for _, x := range m.Roles {
		require.Contains(t, page, "`"+x.Name+"/")
	}
	for _, x := range m.Events {
		target, _, _ := strings.Cut(x.Type, " ")
		require.Contains(t, page, "`"+target+"`")
	}
}
