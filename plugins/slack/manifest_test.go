package slack_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/slack"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The manifest is the plugin's contract with drivers and with what is stored: a change of it is seen in review.
func TestManifest(t *testing.T) {
	p, err := slack.New(slack.App{SigningSecret: "s", AppToken: "t", ClientID: "1.2", ClientSecret: "c"})
	require.NoError(t, err)
	got, err := json.MarshalIndent(p.Manifest(), "", "\t")
	require.NoError(t, err)
	got = append(got, '\n')
	file := filepath.Join("testdata", "manifest.golden.json")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "go test ./plugins/slack -run TestManifest -update")
}
