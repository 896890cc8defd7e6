package gatewaytest

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Test helpers must not be linked into programs: only tests import this package.
func TestOnlyTestsImportThis(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "github.com/metagov/gateway-go/gatewaytest ")
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		require.NotContains(t, strings.Fields(imports), "github.com/metagov/gateway-go/gatewaytest", path)
	}
}
