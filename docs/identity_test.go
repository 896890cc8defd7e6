package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The pieces of the page about people are one program, one after the other.
func TestTheIdentityPageCompiles(t *testing.T) {
	text, err := os.ReadFile("identity.md")
	require.NoError(t, err)
	var body strings.Builder
	for _, m := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		body.WriteString(m[1])
	}
	require.NotEmpty(t, body.String())
	program := `package people

import (
	"context"
	"encoding/json"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/vote"
)

// People is all of the page.
func People(ctx context.Context, g *gateway.Gateway, eve gateway.Person, town *gateway.Community, slackTown *gateway.Instance, process string) error {
` + body.String() + `
	_, _, _, _, _, _, _, _ = who, same, reading, both, prompt, born, challenge, claims
	return err
}
`
	dir := module(t, "example.org/people", map[string]string{"people.go": program})
	run(t, dir, "go", "vet", "./...")
}
