package fake_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/fake"
)

func TestWhatAJudgeSees(t *testing.T) {
	bad := errors.New("no such field")
	j := &fake.Judge{By: func(r *http.Request) error {
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		if string(b) == "bad" {
			return bad
		}
		r.Header.Set("X-Judged", "yes")
		return nil
	}}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("theirs"))
	require.NoError(t, j.Look(r, []byte("good")))
	require.Empty(t, r.Header, "it sees a copy")
	require.ErrorIs(t, j.Look(r, []byte("bad")), bad)
	require.Equal(t, []error{bad}, j.Objected())
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.Equal(t, "theirs", string(b), "the request can still be read")
	require.NoError(t, (&fake.Judge{}).Look(r, nil))
}

func TestMatchPath(t *testing.T) {
	cases := map[string]struct {
		path    string
		vars    map[string]string
		literal int
	}{
		"/guilds/1/bans/2":      {"/guilds/1/bans/2", map[string]string{"guild": "1", "user": "2"}, 3},
		"escaped":               {"/guilds/a%2Fb/bans/2", map[string]string{"guild": "a/b", "user": "2"}, 3},
		"too short":             {"/guilds/1/bans", nil, 0},
		"too long":              {"/guilds/1/bans/2/3", nil, 0},
		"another word":          {"/guilds/1/kicks/2", nil, 0},
		"nothing in the braces": {"/guilds//bans/2", nil, 0},
		"badly escaped":         {"/guilds/%zz/bans/2", nil, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			vars, literal, ok := fake.MatchPath(strings.Split("/guilds/{guild}/bans/{user}", "/"), strings.Split(c.path, "/"))
			require.Equal(t, c.vars != nil, ok)
			require.Equal(t, c.vars, vars)
			require.Equal(t, c.literal, literal)
		})
	}
}
