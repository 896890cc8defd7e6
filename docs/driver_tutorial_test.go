package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The pieces of the driver's tutorial are one program, one after the other.
func TestTheDriverTutorialCompiles(t *testing.T) {
	text, err := os.ReadFile("driver-tutorial.md")
	require.NoError(t, err)
	var body strings.Builder
	for _, m := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		body.WriteString(m[1])
	}
	require.NotEmpty(t, body.String())
	program := `package driver

import (
	"context"
	"net/http"
	"os"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/randomness"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/vote"
)

func Tutorial(ctx context.Context, mux *http.ServeMux, slackPlugin gateway.Plugin, token gateway.Secret, e gateway.Event) {
` + strings.NewReplacer("{ … }", "{ return }", "…", "return nil").Replace(body.String()) + `
	_, _, _, _ = link, posted, err, ctx
}
`
	dir := module(t, "example.org/driver", map[string]string{"driver.go": program})
	run(t, dir, "go", "build", "./...")
}
