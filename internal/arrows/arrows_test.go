// Package arrows holds the imports of this module to one direction.
package arrows

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/metagov/gateway-go"

// may lists, for each package (or "dir/..." for all below it), which packages of this module it may import. What is not listed
// may import nothing of it.
var may = map[string][]string{
	"":                                {"store", "store/sqlite", "vote", "internal/guard", "internal/keyproof", "internal/pace", "internal/schema", "internal/seal"},
	"store/memory":                    {"store"},
	"store/sqlite":                    {"store", "store/internal/sqlstore"},
	"store/internal/sqlstore":         {"store"},
	"store/storetest":                 {"store", "store/memory"},
	"gatewaytest":                     {"", "store", "store/memory", "vote", "internal/schema"},
	"internal/mortal":                 {"store"},
	"plugins/...":                     {"", "vote"},
	"plugins/slack/fakeslack":         {"internal/fake"},
	"plugins/discord/fakediscord":     {"internal/fake"},
	"plugins/github/fakegithub":       {"internal/fake"},
	"plugins/discourse/fakediscourse": {"internal/fake"},
	"claims/...":                      {""},
	"examples/...":                    {"", "vote", "plugins/...", "claims/...", "store/memory", "store/sqlite"},
}

// only says which package alone may import a library.
var only = map[string]string{
	"github.com/santhosh-tekuri/jsonschema/v5": "internal/schema",
	"github.com/invopop/jsonschema":            "internal/schema",
	"github.com/tink-crypto/tink-go/v2":        "internal/seal",
	"modernc.org/sqlite":                       "store/sqlite",
	"github.com/slack-go/slack":                "plugins/slack",
	"github.com/bwmarrin/discordgo":            "plugins/discord",
	"github.com/decred/dcrd/dcrec/secp256k1":   "internal/keyproof",
	"github.com/coreos/go-oidc/v3":             "claims/oidc",
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointOneWay(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	require.NoError(t, err)
	d := json.NewDecoder(strings.NewReader(string(out)))
	n := 0
	for {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		n++
		from := rel(p.ImportPath)
		for _, imp := range p.Imports {
			if imp == module || strings.HasPrefix(imp, module+"/") {
				if !allowed(from, rel(imp)) {
					t.Errorf("%q imports %q, which is against the arrows in docs/design.md", from, rel(imp))
				}
				continue
			}
			for lib, owner := range only {
				if (imp == lib || strings.HasPrefix(imp, lib+"/")) && from != owner {
					t.Errorf("%q imports %s, which belongs to %q alone", from, imp, owner)
				}
			}
		}
	}
	require.Greater(t, n, 5, "go list found the packages")
}

func rel(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

func allowed(from, to string) bool {
	for who, list := range may {
		if !matches(who, from) {
			continue
		}
		for _, what := range list {
			if matches(what, to) {
				return true
			}
		}
	}
	// A plugin's fake may be imported by examples, never by the plugin; two plugins never know each other.
	return false
}

func matches(pattern, path string) bool {
	if dir, all := strings.CutSuffix(pattern, "/..."); all {
		return strings.HasPrefix(path, dir+"/")
	}
	return pattern == path
}
