package fakegithub_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestIssues(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	ctx, bot := t.Context(), w.bot()
	made, _, err := bot.Issues.Create(ctx, "acme", "town", &github.IssueRequest{Title: github.String("Shall we?"), Body: github.String("Say so."), Labels: &[]string{"vote"}})
	require.NoError(t, err)
	require.Equal(t, 1, made.GetNumber())
	require.Equal(t, "town-app[bot]", made.GetUser().GetLogin())
	require.Equal(t, "Bot", made.GetUser().GetType())
	c, _, err := bot.Issues.CreateComment(ctx, "acme", "town", 1, &github.IssueComment{Body: github.String("The vote is open.")})
	require.NoError(t, err)
	_, _, err = bot.Issues.EditComment(ctx, "acme", "town", c.GetID(), &github.IssueComment{Body: github.String("The vote is over.")})
	require.NoError(t, err)
	_, err = bot.Issues.Lock(ctx, "acme", "town", 1, &github.LockIssueOptions{LockReason: "resolved"})
	require.NoError(t, err)
	_, err = w.repo.Comment("eve", 1, "too late")
	require.ErrorIs(t, err, fakegithub.ErrRefused)
	_, _, err = w.as(w.LogIn("eve")).Issues.CreateComment(ctx, "acme", "town", 1, &github.IssueComment{Body: github.String("too late")})
	refusedWith(t, err, 403, "Unable to create comment because issue is locked.")
	_, err = w.repo.Comment("ada", 1, "owners may")
	require.NoError(t, err)
	_, _, err = bot.Issues.Edit(ctx, "acme", "town", 1, &github.IssueRequest{State: github.String("closed")})
	require.NoError(t, err)
	w.flush()
	is, ok := w.repo.Issue(1)
	require.True(t, ok)
	require.Equal(t, "closed", is.State)
	require.Equal(t, "completed", is.StateReason)
	require.Equal(t, []string{"vote"}, is.Labels)
	require.True(t, is.Locked)
	require.Equal(t, "The vote is over.", is.Comments[0].Body)
	require.Equal(t, []string{"installation created", "label created", "issues opened", "issues labeled", "issue_comment created", "issue_comment edited", "issues locked", "issue_comment created", "issues closed"}, w.hook.events(t))

	_, err = bot.Issues.DeleteComment(ctx, "acme", "town", c.GetID())
	require.NoError(t, err)
	_, err = bot.Issues.DeleteComment(ctx, "acme", "town", c.GetID())
	refusedWith(t, err, 404, "Not Found")
	require.NoError(t, w.repo.DeleteIssue("ada", 1))
	_, _, err = bot.Issues.Get(ctx, "acme", "town", 1)
	refusedWith(t, err, 410, "This issue was deleted")
	_, ok = w.repo.Issue(1)
	require.False(t, ok)
}

func TestIssuesRefused(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	bot := w.botToken()
	_, err := w.repo.OpenIssue("ada", "one", "")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		message, code      string
	}{
		"no title":         {"POST", "/issues", `{"body":"x"}`, 422, "Validation Failed", "missing_field"},
		"a long title":     {"POST", "/issues", `{"title":"` + strings.Repeat("x", 257) + `"}`, 422, "Validation Failed", "custom"},
		"a long text":      {"POST", "/issues", `{"title":"x","body":"` + strings.Repeat("x", 65537) + `"}`, 422, "Validation Failed", "custom"},
		"no comment":       {"POST", "/issues/1/comments", `{"body":" "}`, 422, "Validation Failed", "missing_field"},
		"a long comment":   {"POST", "/issues/1/comments", `{"body":"` + strings.Repeat("x", 65537) + `"}`, 422, "Validation Failed", "custom"},
		"no JSON":          {"POST", "/issues", `{`, 400, "Problems parsing JSON", ""},
		"no object":        {"POST", "/issues", `[]`, 400, "Body should be a JSON object", ""},
		"a wrong type":     {"POST", "/issues", `{"title":"x","body":1}`, 422, "Invalid request.\n\nFor 'properties/body', number is not a string.", ""},
		"a wrong reaction": {"POST", "/issues/1/reactions", `{"content":"thumbs"}`, 422, "Validation Failed", "invalid"},
		"a wrong state":    {"PATCH", "/issues/1", `{"state":"gone"}`, 422, "Validation Failed", "invalid"},
		"a wrong reason":   {"PUT", "/issues/1/lock", `{"lock_reason":"bored"}`, 422, "Validation Failed", "invalid"},
		"no such label":    {"DELETE", "/issues/1/labels/none", "", 404, "Label does not exist", ""},
		"no such issue":    {"GET", "/issues/9", "", 404, "Not Found", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, out := w.raw(bot, c.method, "/repos/acme/town"+c.path, c.body)
			require.Equal(t, c.status, status)
			require.Equal(t, c.message, out["message"])
			if c.code != "" {
				require.Equal(t, c.code, out["errors"].([]any)[0].(map[string]any)["code"])
			}
		})
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	ctx, bot := t.Context(), w.bot()
	n, err := w.repo.OpenIssue("ada", "A vote", "")
	require.NoError(t, err)
	require.NoError(t, w.repo.FillReactions(n, 10_000, func(i int) (string, string) { return fmt.Sprintf("voter%05d", i), []string{"+1", "-1"}[i%2] }))
	require.NoError(t, w.repo.FillComments(n, 250, func(i int) (string, string) { return fmt.Sprintf("voter%05d", i), "yes" }))
	require.NoError(t, w.repo.React("voter00000", n, "+1"), "twice is once")
	seen, opt := map[string]bool{}, &github.ListOptions{PerPage: 100}
	for {
		list, res, err := bot.Reactions.ListIssueReactions(ctx, "acme", "town", n, opt)
		require.NoError(t, err)
		for _, x := range list {
			seen[x.GetUser().GetLogin()] = true
		}
		if opt.Page == 0 {
			require.Equal(t, 100, res.LastPage)
		}
		if res.NextPage == 0 {
			break
		}
		opt.Page = res.NextPage
	}
	require.Len(t, seen, 10_000)
	list, res, err := bot.Issues.ListComments(ctx, "acme", "town", n, &github.IssueListCommentsOptions{ListOptions: github.ListOptions{Page: 9}})
	require.NoError(t, err)
	require.Len(t, list, 10, "thirty on a page where nothing is said")
	require.Equal(t, 8, res.PrevPage)
	require.Equal(t, 1, res.FirstPage)
	list, _, err = bot.Issues.ListComments(ctx, "acme", "town", n, &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 1000}})
	require.NoError(t, err)
	require.Len(t, list, 100, "a hundred at most")
	w.clock.add(time.Hour)
	_, err = w.repo.Comment("bob", n, "late")
	require.NoError(t, err)
	since := w.clock.now()
	list, _, err = w.bot().Issues.ListComments(ctx, "acme", "town", n, &github.IssueListCommentsOptions{Since: &since})
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestPulls(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	ctx, bot := t.Context(), w.bot()
	n, err := w.repo.OpenPull("bob", "More benches", "benches")
	require.NoError(t, err)
	p, _, err := bot.PullRequests.Get(ctx, "acme", "town", n)
	require.NoError(t, err)
	head := p.GetHead().GetSHA()
	_, err = w.repo.Push("ada", "benches", "another")
	require.NoError(t, err)
	_, _, err = bot.PullRequests.Merge(ctx, "acme", "town", n, "", &github.PullRequestOptions{SHA: head})
	refusedWith(t, err, 409, "Head branch was modified. Review and try the merge again.")
	require.NoError(t, w.repo.SetMergeable(n, true, false))
	_, _, err = bot.PullRequests.Merge(ctx, "acme", "town", n, "", nil)
	refusedWith(t, err, 405, "Pull Request is not mergeable")
	require.ErrorIs(t, w.repo.Merge("ada", n), fakegithub.ErrRefused)
	require.NoError(t, w.repo.SetMergeable(n, false, true))
	_, _, err = bot.PullRequests.Merge(ctx, "acme", "town", n, "", nil)
	refusedWith(t, err, 405, `Required status check "ci" is expected.`)
	require.NoError(t, w.repo.SetMergeable(n, false, false))
	_, _, err = bot.PullRequests.CreateReview(ctx, "acme", "town", n, &github.PullRequestReviewRequest{Event: github.String("REQUEST_CHANGES")})
	require.Error(t, err, "words are needed")
	_, _, err = bot.PullRequests.CreateReview(ctx, "acme", "town", n, &github.PullRequestReviewRequest{Event: github.String("APPROVE")})
	require.NoError(t, err)
	require.ErrorIs(t, w.repo.Review("bob", n, "APPROVE", ""), fakegithub.ErrRefused, "their own")
	require.NoError(t, w.repo.Review("ada", n, "COMMENT", "nice"))
	done, _, err := bot.PullRequests.Merge(ctx, "acme", "town", n, "", &github.PullRequestOptions{MergeMethod: "squash"})
	require.NoError(t, err)
	require.True(t, done.GetMerged())
	_, _, err = bot.PullRequests.Merge(ctx, "acme", "town", n, "", nil)
	refusedWith(t, err, 405, "Pull Request is not mergeable")
	is, _ := w.repo.Issue(n)
	require.True(t, is.Merged)
	require.Equal(t, "town-app[bot]", is.MergedBy)
	require.Equal(t, "squash", is.MergeMethod)
	require.Equal(t, []fakegithub.Review{{User: "town-app[bot]", State: "APPROVED"}, {User: "ada", State: "COMMENTED", Body: "nice"}}, is.Reviews)
	w.flush()
	require.Contains(t, w.hook.events(t), "pull_request closed")
}

func TestMovedIssue(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	n, err := w.repo.OpenIssue("ada", "Wrong place", "")
	require.NoError(t, err)
	_, err = w.repo.Comment("bob", n, "indeed")
	require.NoError(t, err)
	two := w.AddRepo("acme", "two")
	there, err := w.repo.Transfer("ada", n, two)
	require.NoError(t, err)
	list, _, err := w.bot().Issues.ListComments(t.Context(), "acme", "town", n, nil) // net/http follows
	require.NoError(t, err)
	require.Len(t, list, 1)
	is, ok := two.Issue(there)
	require.True(t, ok)
	require.Equal(t, "Wrong place", is.Title)
}
