package github_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// A page that somebody between us and GitHub answers with says nothing of what is there, whatever its status.
func TestAPageIsNoAnswer(t *testing.T) {
	for name, body := range map[string]string{"HTML": "<html>Not Found</html>", "other JSON": `{"error":"no route"}`, "text": "404 page not found"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			status := http.StatusNotFound
			r.hub.mu.Lock()
			r.hub.fault = func(q *http.Request) *http.Response {
				if strings.HasPrefix(q.URL.Path, "/orgs") || strings.HasSuffix(q.URL.Path, "/access_tokens") && status == http.StatusGone {
					return respond(status, body)
				}
				return nil
			}
			r.hub.mu.Unlock()
			for _, action := range []string{"remove-member", "is-member", "remove-team-member"} {
				_, err := r.inst.Do(t.Context(), action, json.RawMessage(map[bool]string{true: `{"username":"bob","team_slug":"core"}`, false: `{"username":"bob"}`}[action == "remove-team-member"]))
				require.Equal(t, gateway.Unavailable, gateway.CodeOf(err), "%s: %v", action, err)
			}
			r.hub.mu.Lock()
			clear(r.hub.tokens)
			status = http.StatusGone
			r.hub.mu.Unlock()
			_, err := r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/zen"}`))
			require.Error(t, err)
			active, _, err := r.inst.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, "active", active, "the installation is not known to be gone")
		})
	}
}

// GitHub's own refusals of this kind may have no body.
func TestNoBodyIsAnAnswer(t *testing.T) {
	r := newRig(t)
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if strings.HasPrefix(q.URL.Path, "/orgs") {
			return respond(http.StatusNotFound, nil)
		}
		return nil
	}
	r.hub.mu.Unlock()
	raw, err := r.inst.Do(t.Context(), "is-member", json.RawMessage(`{"username":"bob"}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"member":false}`, string(raw))
}

// Where the app may not see members GitHub sends it on to the public ones, among whom somebody who is missing may be a member all the same.
func TestMembersThatCannotBeSeen(t *testing.T) {
	r := newRig(t)
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		switch {
		case q.Method == http.MethodGet && q.URL.Path == "/orgs/acme/members/bob":
			return respond(http.StatusFound, nil, "Location", "https://api.github.com/orgs/acme/public_members/bob")
		case strings.HasPrefix(q.URL.Path, "/orgs/acme/public_members"):
			return refusal(404, "Not Found")
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, err := r.inst.Do(t.Context(), "is-member", json.RawMessage(`{"username":"bob"}`))
	require.ErrorIs(t, err, gateway.Denied)
	require.ErrorContains(t, err, "members:read")
	require.Empty(t, r.hub.calls("", "/orgs/acme/public_members"))
}

// GitHub's errors are a list of objects or of texts, and sometimes one text or something else. Each is an answer of its own, which is not tried again.
func TestErrorsOfAnyShape(t *testing.T) {
	for errs, says := range map[string]string{
		`[{"resource":"Issue","field":"title","code":"missing_field"}]`: "title missing_field",
		`["Could not resolve to a node"]`:                               "Could not resolve to a node",
		`"Actions is enabled for all repositories"`:                     "Actions is enabled for all repositories",
		`{"title":["is too long"]}`:                                     "Validation Failed",
		`[{"field":["a","b"],"code":7}, null]`:                          "Validation Failed",
		`null`:                                                          "Validation Failed",
	} {
		r := newRig(t)
		r.hub.mu.Lock()
		r.hub.fault = func(q *http.Request) *http.Response {
			if q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/issues") {
				return respond(422, `{"message":"Validation Failed","errors":`+errs+`,"documentation_url":"https://docs.github.com/rest","status":"422"}`)
			}
			return nil
		}
		r.hub.mu.Unlock()
		_, err := r.inst.Do(t.Context(), "create-issue", json.RawMessage(`{"title":"x"}`))
		require.ErrorIs(t, err, gateway.Invalid, errs)
		require.ErrorContains(t, err, says)
	}
}
