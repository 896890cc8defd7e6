package github

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
)

// recorded answers as GitHub was recorded to answer: by method and, of lists, by page.
type recorded struct{ answers []recording }

type recording struct {
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Status   int             `json:"status"`
	Response json.RawMessage `json:"response"`
	Headers  map[string]any  `json:"headers"` // texts, and lengths as numbers
}

func (f recorded) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, a := range f.answers {
		u, err := url.Parse(a.Path)
		if err != nil || !strings.EqualFold(a.Method, r.Method) || u.Query().Get("page") != r.URL.Query().Get("page") || u.Query().Get("page") == "" && u.Path != r.URL.Path {
			continue
		}
		body := []byte(a.Response)
		if a.Status == http.StatusNoContent {
			body = nil
		}
		h := http.Header{}
		for k, v := range a.Headers {
			h.Set(k, fmt.Sprint(v))
		}
		return &http.Response{StatusCode: a.Status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
	}
	return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"message":"Not Found"}`)), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

func replay(t *testing.T, name string) *client {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(specs.Dir(t), "github", "fixtures", name+".json"))
	require.NoError(t, err)
	var f recorded
	require.NoError(t, json.Unmarshal(raw, &f.answers))
	return as(&http.Client{Transport: f}, at(time.Unix(0, 0)), "")
}

// What GitHub was recorded to answer is understood.
func TestRecordedAnswers(t *testing.T) {
	const org = "/repos/octokit-fixture-org/"
	t.Run("pages", func(t *testing.T) {
		var numbers []int
		err := each(t.Context(), replay(t, "paginate-issues"), org+"paginate-issues/issues", nil, 10, func(i issue) (bool, error) {
			numbers = append(numbers, i.Number)
			return false, nil
		})
		require.NoError(t, err)
		require.Equal(t, []int{13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, numbers)
	})
	t.Run("pages without end", func(t *testing.T) {
		err := each(t.Context(), replay(t, "paginate-issues"), org+"paginate-issues/issues", nil, 3, func(issue) (bool, error) { return false, nil })
		require.ErrorIs(t, err, gateway.Unavailable, "half a list is none")
	})
	t.Run("nothing to say", func(t *testing.T) {
		c := replay(t, "lock-issue")
		require.NoError(t, c.json(t.Context(), request{method: http.MethodPut, path: org + "lock-issue/issues/1/lock"}, nil))
		require.NoError(t, c.json(t.Context(), request{method: http.MethodDelete, path: org + "lock-issue/issues/1/lock"}, nil))
	})
	t.Run("an issue", func(t *testing.T) {
		var i issue
		require.NoError(t, replay(t, "add-labels-to-issue").json(t.Context(), request{method: http.MethodPost, path: org + "add-labels-to-issue/issues"}, &i))
		require.Equal(t, 1, i.Number)
		require.NotZero(t, i.ID)
		require.NotEmpty(t, i.User.Login)
		require.Equal(t, "open", i.State)
	})
	t.Run("a refusal", func(t *testing.T) {
		err := replay(t, "errors").json(t.Context(), request{method: http.MethodPost, path: org + "errors/labels"}, nil)
		require.ErrorIs(t, err, gateway.Invalid)
		require.ErrorContains(t, err, "422 Validation Failed: color invalid")
	})
	t.Run("people", func(t *testing.T) {
		c, n := replay(t, "add-and-remove-repository-collaborator"), 0
		require.NoError(t, each(t.Context(), c, org+"add-and-remove-repository-collaborator/collaborators", nil, 1, func(a account) (bool, error) {
			n++
			require.NotEmpty(t, a.Login)
			return false, nil
		}))
		require.Positive(t, n)
	})
}
