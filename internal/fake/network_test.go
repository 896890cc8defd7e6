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

var errOutside = errors.New("outside")

func newNetwork(t *testing.T, own bool) *fake.Network {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/here", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.Host+r.URL.Path)
	}))
	t.Cleanup(server.Close)
	return &fake.Network{URL: server.URL, Base: server.Client().Transport, Own: own, Outside: errOutside,
		Ours: func(host string) bool { return host == "town.example" || strings.HasSuffix(host, ".town.example") }}
}

func TestWhatANetworkReaches(t *testing.T) {
	own := newNetwork(t, true)
	other := newNetwork(t, false)
	cases := map[string]struct {
		n       *fake.Network
		url     string
		want    string // what the fake sees; "" is refused
		refused string
	}{
		"by http":            {other, "http://town.example/a?b=c", "town.example/a", ""},
		"by https":           {other, "https://town.example/a", "town.example/a", ""},
		"another host of it": {other, "https://api.TOWN.example/a", "api.TOWN.example/a", ""},
		"the usual port":     {other, "https://town.example:443/a", "town.example:443/a", ""},
		"another port":       {other, "https://town.example:8443/a?token=x", "", "https://town.example:8443/a"},
		"elsewhere":          {other, "https://attacker.example/town.example?token=x", "", "https://attacker.example/town.example"},
		"a name like it":     {other, "https://nottown.example/", "", "https://nottown.example/"},
		"another scheme":     {other, "ftp://town.example/a", "", "ftp://town.example/a"},
		"the own address":    {own, own.URL + "/a", own.Address() + "/a", ""},
		"no own address":     {other, other.URL + "/a", "", other.URL + "/a"},
		"a redirect":         {other, "https://town.example/moved", "town.example/here", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := len(c.n.Refused())
			res, err := c.n.Client().Post(c.url, "text/plain", strings.NewReader("body"))
			if c.refused != "" {
				require.ErrorIs(t, err, errOutside)
				require.NotContains(t, strings.Join(c.n.Refused(), " "), "token")
				require.Equal(t, []string{c.refused}, c.n.Refused()[before:])
				return
			}
			require.NoError(t, err)
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, c.want, string(b))
			require.Equal(t, strings.Replace(c.url, "/moved", "/here", 1), res.Request.URL.String())
			require.Len(t, c.n.Refused(), before)
		})
	}
}
