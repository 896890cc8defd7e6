package github_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

// A token may do what the installation might when it was made. Once somebody has granted more, that can be done, and not only when the token has ended.
func TestFakeMorePermissions(t *testing.T) {
	r := installed(t)
	few := map[string]string{"metadata": "read", "issues": "read", "members": "read"}
	more := map[string]string{"metadata": "read", "issues": "write", "members": "read"}
	require.NoError(t, r.hub.SetPermissions(r.id, few))
	r.hub.EndTokens()
	r.heard()
	_, err := r.do("create-issue", github.CreateIssue{Title: "x"})
	require.ErrorIs(t, err, gateway.Denied)
	require.NoError(t, r.hub.SetPermissions(r.id, more))
	r.heard()
	_, err = r.do("create-issue", github.CreateIssue{Title: "x"})
	require.NoError(t, err)
	tokens := len(r.hub.CallsTo("POST /app/installations/{installation_id}/access_tokens"))
	_, err = r.do("create-issue", github.CreateIssue{Title: "y"})
	require.NoError(t, err)
	require.Len(t, r.hub.CallsTo("POST /app/installations/{installation_id}/access_tokens"), tokens)
}

// While the installation is suspended everything waits, also with a token from before; what was asked for is not refused for good.
func TestFakeSuspendedWithAToken(t *testing.T) {
	r := installed(t)
	closes := closing(r, "More soup?")
	p := r.begin("issue-react-vote", github.ReactVote{Ask: closes})
	require.NoError(t, r.repo.React("ada", 1, "+1"))
	r.later(59*time.Minute + 30*time.Second)
	_, err := r.do("method", github.Method{Route: "/repos/{owner}/{repo}"})
	require.NoError(t, err)
	require.NoError(t, r.hub.Suspend(r.id))
	r.heard()
	_, err = r.do("create-issue", github.CreateIssue{Title: "x"})
	require.ErrorIs(t, err, gateway.Unavailable)
	require.Positive(t, gateway.RetryAfter(err))
	r.later(20 * time.Minute)
	require.NoError(t, r.hub.Unsuspend(r.id))
	r.later(30 * time.Minute)
	require.EqualValues(t, gateway.StatusCompleted, r.again(p).Status)
	is, _ := r.repo.Issue(1)
	require.Equal(t, "closed", is.State, "the result is said when it can be")
}

// A secondary rate limit is one of everything that the installation writes: before GitHub's time is over nothing else is tried.
func TestASecondaryLimitHoldsForAll(t *testing.T) {
	r := newRig(t)
	r.hub.mu.Lock()
	limits := 1
	r.hub.fault = func(q *http.Request) *http.Response {
		if q.Method == http.MethodPut && limits > 0 {
			limits--
			return refusal(403, "You have exceeded a secondary rate limit.", "Retry-After", "120")
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, err := r.inst.Do(t.Context(), "block", github.Person{Username: "joshua"})
	require.ErrorIs(t, err, gateway.Unavailable)
	before := len(r.hub.calls("", "/"))
	_, err = r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "x"})
	require.ErrorIs(t, err, gateway.Unavailable)
	require.Positive(t, gateway.RetryAfter(err))
	require.Len(t, r.hub.calls("", "/"), before, "nothing is sent")
	r.Advance(2 * time.Minute)
	_, err = r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "x"})
	require.NoError(t, err)
}

// Whoever is invited is no member yet, and does not become one after they were removed.
func TestFakeRemovingWhoIsInvited(t *testing.T) {
	r := installed(t)
	_, err := r.do("set-member", github.SetMember{Person: github.Person{Username: "eve"}})
	require.NoError(t, err)
	raw, err := r.do("remove-member", github.Person{Username: "eve"})
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(raw), "it was not so before")
	require.Error(t, r.org.Join("eve"))
	raw, err = r.do("remove-member", github.Person{Username: "eve"})
	require.NoError(t, err)
	require.JSONEq(t, `{"already":true}`, string(raw))
	require.Empty(t, r.hub.Judged())
}

// An issue on which nobody may comment is closed all the same.
func TestFakeTheResultCannotBeSaid(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-comment-vote", github.CommentVote{Ask: closing(r, "More soup?")})
	r.hub.Fail(fakegithub.Fault{Route: "POST /repos/{owner}/{repo}/issues/{issue_number}/comments", Status: 403, Message: "Unable to create comment because issue is locked.", Times: -1})
	r.later(time.Hour)
	r.later(10 * time.Minute)
	require.EqualValues(t, gateway.StatusCompleted, r.again(p).Status)
	is, _ := r.repo.Issue(1)
	require.Equal(t, "closed", is.State)
}

// An installation that GitHub knows is not taken for uninstalled because one answer says so.
func TestAnInstallationThatIsNotKnownEverywhere(t *testing.T) {
	r := newRig(t)
	once := true
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if once && strings.HasSuffix(q.URL.Path, "/access_tokens") {
			once = false
			return refusal(404, "Not Found")
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, err := r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "x"})
	require.ErrorIs(t, err, gateway.Unavailable)
	status, _, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status)
	_, err = r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "x"})
	require.NoError(t, err)
}
