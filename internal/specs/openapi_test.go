package specs

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpenAPI(t *testing.T) {
	github := OpenAPI(t, "github", "api.github.com.trimmed.noexamples.json")
	discourse := OpenAPI(t, "discourse", "discourse_api_docs", "openapi.normalised.json")
	discord := OpenAPI(t, "discord", "specs", "openapi.json")
	for what, c := range map[string]struct {
		api               *API
		method, url, body string
		bad               bool
	}{
		"an issue":          {api: github, method: "POST", url: "https://api.github.com/repos/o/r/issues", body: `{"title":"t"}`},
		"without a title":   {api: github, method: "POST", url: "https://api.github.com/repos/o/r/issues", body: `{"body":"b"}`, bad: true},
		"reason to lock":    {api: github, method: "PUT", url: "https://api.github.com/repos/o/r/issues/1/lock", body: `{"lock_reason":"spam"}`},
		"no such reason":    {api: github, method: "PUT", url: "https://api.github.com/repos/o/r/issues/1/lock", body: `{"lock_reason":"bored"}`, bad: true},
		"a topic":           {api: discourse, method: "POST", url: "https://discourse.example.com/posts.json", body: `{"title":"t","raw":"r"}`},
		"raw is a number":   {api: discourse, method: "POST", url: "https://discourse.example.com/posts.json", body: `{"title":"t","raw":1}`, bad: true},
		"a message":         {api: discord, method: "POST", url: "https://discord.com/api/v10/channels/1/messages", body: `{"content":"hi"}`},
		"content is a list": {api: discord, method: "POST", url: "https://discord.com/api/v10/channels/1/messages", body: `{"content":[]}`, bad: true},
		"a permission":      {api: discord, method: "PUT", url: "https://discord.com/api/v10/channels/1/permissions/2", body: `{"type":0,"allow":512}`},
	} {
		r := httptest.NewRequest(c.method, c.url, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		err := c.api.Request(r)
		require.Equal(t, c.bad, err != nil, "%s: %v", what, err)
		require.NotErrorIs(t, err, ErrNoRoute, what)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, c.body, string(body), "%s: the body is given back", what)
	}
	require.ErrorIs(t, github.Request(httptest.NewRequest("GET", "https://api.github.com/nowhere", nil)), ErrNoRoute)

	lock := httptest.NewRequest("PUT", "https://api.github.com/repos/o/r/issues/1/lock", nil)
	require.NoError(t, github.Answer(lock, http.StatusNoContent, nil, nil))
	issue := httptest.NewRequest("GET", "https://api.github.com/repos/o/r/issues/1", nil)
	require.Error(t, github.Answer(issue, http.StatusOK, http.Header{"Content-Type": {"application/json"}}, []byte(`{"number":"one"}`)))
}
