package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// What people do not see is not written: many installations' tokens at once after a start, and many who log in, need not wait a second for each other.
func TestPace(t *testing.T) {
	for name, c := range map[string]struct {
		who, method, path string
		want              gateway.Pace
	}{
		"reading":        {"4711", http.MethodGet, "/repos/acme/town", gateway.Pace{Key: "4711/read", Every: readEvery, Burst: readBurst}},
		"writing":        {"4711", http.MethodPost, "/repos/acme/town/issues", gateway.Pace{Key: "4711/write", Every: writeEvery, Burst: writeBurst}},
		"a token":        {"app", http.MethodPost, "/app/installations/4711/access_tokens", gateway.Pace{Key: "app/read", Every: readEvery, Burst: readBurst}},
		"who is it":      {loggingIn, http.MethodPost, "/login/oauth/access_token", gateway.Pace{Key: "login/read", Every: readEvery, Burst: readBurst}},
		"not through us": {"", http.MethodGet, "/x", gateway.Pace{}},
	} {
		ctx := context.Background()
		if c.who != "" {
			ctx = pacing(ctx, c.who)
		}
		r, err := http.NewRequestWithContext(ctx, c.method, apiURL+c.path, nil)
		require.NoError(t, err)
		require.Equal(t, c.want, (&GitHub{}).pace(r), name)
	}
}

// A list that takes longer to read than a token of the app lasts is read to its end: each page has a token of its own.
func TestALongListOfTheApps(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	key, err := rsa.GenerateKey(rand.Reader, minKey)
	require.NoError(t, err)
	c := (&app{key: key}).asApp(nil, func() time.Time { return now })
	first, err := c.token(t.Context(), "")
	require.NoError(t, err)
	now = now.Add(jwtLasts)
	second, err := c.token(t.Context(), "")
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}
