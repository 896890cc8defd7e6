package fakegithub_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

// FuzzRequest sends anything to the API: there is always an answer, and never a server error.
func FuzzRequest(f *testing.F) {
	for _, x := range [][3]string{
		{"POST", "/repos/acme/town/issues", `{"title":"x","labels":[{"name":"a"},1,null],"assignees":["bob"]}`},
		{"PATCH", "/repos/acme/town/issues/1", `{"state":"closed","labels":[]}`},
		{"POST", "/repos/acme/town/issues/1/labels", `["a","b"]`},
		{"POST", "/repos/acme/town/issues/1/labels", `{"labels":[{}]}`},
		{"PUT", "/repos/acme/town/contents/%2e%2e/a%00b", `{"message":"m","content":"!"}`},
		{"GET", "/repositories/1009/issues?page=-1&per_page=999", ``},
		{"GET", "/organizations/1/members", ``},
		{"PUT", "/orgs/acme/blocks/eve", `[]`},
		{"GET", "/app/hook/deliveries?cursor=x", ``},
		{"POST", "/login/oauth/access_token", `code=x`},
		{"PUT", "/repos/acme/town/pulls/2/merge", `{"sha":1}`},
		{"POST", "/app/installations/1/access_tokens", `null`},
		{"GET", "//", ``},
	} {
		f.Add(x[0], x[1], x[2])
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		w := newWorld(t, fakegithub.Options{})
		_, err := w.repo.OpenIssue("ada", "one", "")
		require.NoError(t, err)
		_, err = w.repo.OpenPull("ada", "two", "b")
		require.NoError(t, err)
		for _, token := range []string{w.botToken(), w.appJWT()} {
			r, err := http.NewRequestWithContext(t.Context(), method, w.URL()+"/"+strings.TrimPrefix(path, "/"), strings.NewReader(body))
			if err != nil {
				return
			}
			r.Header.Set("User-Agent", "test")
			r.Header.Set("Authorization", "Bearer "+token)
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				return // it was no request
			}
			require.NoError(t, res.Body.Close())
			require.Less(t, res.StatusCode, 500)
		}
	})
}

// FuzzToken sends any token: none is taken that was not given.
func FuzzToken(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpYXQiOjEsImV4cCI6MiwiaXNzIjoieCJ9.c2ln")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		w := newWorld(t, fakegithub.Options{})
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/app", nil)
		require.NoError(t, err)
		r.Header.Set("User-Agent", "test")
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := w.Client().Do(r)
		if err != nil {
			return // it is no header
		}
		require.NoError(t, res.Body.Close())
		require.Contains(t, []int{401, 403}, res.StatusCode)
	})
}
