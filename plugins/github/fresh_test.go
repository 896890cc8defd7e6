package github_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/vote"
)

// unknown has GitHub take no token of the installation, fresh or not, on routes with an ending, until known is called.
func (h *hub) unknown(method, suffix string) (known func()) {
	lag := true
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = func(q *http.Request) *http.Response {
		if lag && q.Method == method && strings.HasSuffix(q.URL.Path, suffix) && strings.HasPrefix(q.Header.Get("Authorization"), "Bearer ghs_") {
			return refusal(401, "Bad credentials")
		}
		return nil
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		lag = false
	}
}

// Not all of GitHub knows a token at once that was just made. That is no refusal for good: a vote's result is said when it does.
func TestAFreshTokenThatIsNotKnownYet(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	r.hub.react(1, "ann", "+1", r.Clock.Now())
	known := r.hub.unknown(http.MethodPost, "/comments")
	r.Advance(time.Hour)
	require.Equal(t, gateway.StatusCompleted, r.again(p).Status)
	require.Empty(t, r.hub.comments[1])
	known()
	r.Advance(time.Minute)
	require.Len(t, r.hub.comments[1], 1)
	require.Equal(t, "closed", r.hub.issues[0]["state"])
}

// Who calls an action hears that it may be tried again soon.
func TestAnActionWithATokenThatIsNotKnownYet(t *testing.T) {
	r := newRig(t)
	known := r.hub.unknown(http.MethodPost, "/issues")
	_, err := r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "x"})
	require.ErrorIs(t, err, gateway.Unavailable)
	require.Positive(t, gateway.RetryAfter(err))
	require.LessOrEqual(t, gateway.RetryAfter(err), time.Minute)
	known()
	r.Advance(gateway.RetryAfter(err))
	_, err = r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "x"})
	require.NoError(t, err)
	require.Len(t, r.hub.issues, 1)
}
