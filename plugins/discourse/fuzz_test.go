package discourse

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// Whatever a route and its arguments are, the path stays one below the forum's.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/t/{id}.json", "/{id}/{id}", "/admin/{id}/keys.json", "/./x", "//x", "/%2e%2e/x", "/{id}/../x"} {
		f.Add(s, `"7"`)
		f.Add(s, `"../../admin/api"`)
		f.Add(s, `".."`)
		f.Add(s, `{"a":[1]}`)
	}
	f.Add("0", `""`) // once it made another host of the forum's
	f.Fuzz(func(t *testing.T, path, arg string) {
		if !json.Valid([]byte(arg)) {
			return
		}
		got, _, err := route(Method{Route: path, Arguments: map[string]json.RawMessage{"id": json.RawMessage(arg)}})
		if err != nil {
			require.Equal(t, gateway.Invalid, gateway.CodeOf(err))
			return
		}
		u, err := url.Parse("https://forum.example" + got)
		if err != nil {
			return // the request cannot be made
		}
		require.Equal(t, "forum.example", u.Host)
		require.Empty(t, u.RawQuery)
		require.Empty(t, u.Fragment)
		for _, part := range strings.Split(u.Path, "/") {
			require.NotContains(t, []string{".", ".."}, part)
		}
	})
}

// Whatever a forum answers, it is an error with a code, of bounded length, or the API's.
func FuzzJudge(f *testing.F) {
	f.Add(403, "", []byte(`{"errors":["no"],"error_type":"invalid_access"}`))
	f.Add(422, "", []byte(`{"errors":"one"}`))
	f.Add(409, "", []byte(`{"failed":"FAILED","message":"already"}`))
	f.Add(429, "17", []byte("Slow down"))
	f.Add(429, "-1", []byte(`{"extras":{"wait_seconds":1e300}}`))
	f.Add(200, "", []byte("<html>"))
	f.Add(500, "", []byte(`{"errors":[1,2]}`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		a := answer{what: "discourse: PUT /x", method: http.MethodPut, status: status, header: http.Header{"Retry-After": {after}}, body: body}
		err := client{scope: "users:suspend|global"}.judge(a)
		if err == nil {
			require.True(t, status >= 200 && status < 300 && a.json())
			return
		}
		require.NotEqual(t, gateway.Internal, gateway.CodeOf(err))
		require.LessOrEqual(t, utf8.RuneCountInString(err.Error()), 400+(maxErrors+1)*(maxMessage+3))
		if status == http.StatusTooManyRequests {
			require.GreaterOrEqual(t, gateway.RetryAfter(err), time.Second)
			require.LessOrEqual(t, gateway.RetryAfter(err), maxWait)
		}
	})
}

// Nothing that nobody signed says who somebody is.
func FuzzAnswered(f *testing.F) {
	f.Add("bm9uY2U9MQ==", "00")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, sso, sig string) {
		_, err := answered("fake-connect-secret", url.Values{"sso": {sso}, "sig": {sig}})
		require.Equal(t, gateway.Denied, gateway.CodeOf(err))
	})
}

// A forum refuses in several shapes.
func TestRefusalShapes(t *testing.T) {
	for body, want := range map[string]string{
		`{"errors":["Title is too short","Body is too short"]}`:       "discourse: PUT /x: 422: Title is too short; Body is too short",
		`{"errors":"one","error_type":"invalid_parameters"}`:          "discourse: PUT /x: 422 invalid_parameters: one",
		`{"failed":"FAILED","message":"User was already suspended."}`: "discourse: PUT /x: 422: User was already suspended.",
		`{"error":"gone"}`:  "discourse: PUT /x: 422: gone",
		`{"errors":[1,{}]}`: "discourse: PUT /x: 422",
		`[]`:                "discourse: PUT /x: 422",
		``:                  "discourse: PUT /x: 422",
	} {
		err := client{}.judge(answer{what: "discourse: PUT /x", method: http.MethodPut, status: 422, body: []byte(body)})
		require.Equal(t, gateway.Invalid, gateway.CodeOf(err))
		require.Equal(t, "invalid: "+want, err.Error())
	}
	require.Equal(t, 30*time.Second, waiting(answer{body: []byte(`{"extras":{"wait_seconds":30}}`)}))
	require.Equal(t, usualWait, waiting(answer{body: []byte(`Slow down`)}))
	require.Equal(t, maxWait, waiting(answer{header: http.Header{"Retry-After": {"999999999"}}}))
}
