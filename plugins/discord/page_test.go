package discord_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord"
)

// The page's tables are made of the manifest: where they differ, the test says what has to stand there.
func TestThePageSaysWhatTheManifestDoes(t *testing.T) {
	raw, err := os.ReadFile("../../docs/plugins/discord.md")
	require.NoError(t, err)
	p, err := discord.New(discord.App{ApplicationID: "1", BotToken: "fake-bot-token", Gateway: true})
	require.NoError(t, err)
	m := p.Manifest()
	var actions, events strings.Builder
	for _, a := range m.Actions {
		lost := "`unknown`"
		switch {
		case a.Lookup:
			lost = "looked for"
		case a.Idempotent:
			lost = "done again"
		}
		fmt.Fprintf(&actions, "| `%s` | %s | %s | %s |\n", a.Name, a.Doc, strings.Join(a.Needs, ", "), lost)
	}
	for _, e := range m.Events {
		fmt.Fprintf(&events, "| `%s` | %s |\n", e.Type, e.Doc)
	}
	for _, table := range []string{actions.String(), events.String()} {
		if !strings.Contains(string(raw), table) {
			t.Errorf("this has to stand in docs/plugins/discord.md:\n%s", table)
		}
	}
	for _, d := range m.Processes {
		require.Contains(t, string(raw), "**`"+d.Name+"`**")
	}
	for _, name := range append(discord.DefaultPermissions(), discord.DefaultIntents()...) {
		require.Contains(t, string(raw), "`"+name+"`")
	}
}
