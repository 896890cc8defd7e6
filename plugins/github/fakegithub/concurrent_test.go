package fakegithub_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-github/v60/github"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

// Many at once, by the API and as people: each act happens once, and is told of once.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	n, err := w.repo.OpenIssue("ada", "A vote", "")
	require.NoError(t, err)
	bot := w.bot()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 5 {
				_, _, err := bot.Issues.CreateComment(t.Context(), "acme", "town", n, &github.IssueComment{Body: github.String("x")})
				if err != nil {
					t.Error(err)
				}
				login := fmt.Sprintf("voter%d", i)
				if _, err := w.repo.Comment(login, n, fmt.Sprint(k)); err != nil {
					t.Error(err)
				}
				if err := w.repo.React(login, n, "+1"); err != nil {
					t.Error(err)
				}
				_ = w.Deliveries()
				_, _ = w.repo.Issue(n)
			}
		})
	}
	wg.Wait()
	w.flush()
	is, _ := w.repo.Issue(n)
	require.Len(t, is.Comments, 80)
	require.Len(t, is.Reactions, 8)
	require.Len(t, w.DeliveriesOf("issue_comment"), 80)
	seen := map[string]bool{}
	for _, r := range w.hook.all() {
		seen[r.header.Get("X-GitHub-Delivery")] = true
	}
	require.Len(t, seen, 82, "each with a GUID of its own")
}

// Closing lets go of what is held, and leaves nothing behind.
func TestCloseReleases(t *testing.T) {
	s := fakegithub.New(fakegithub.Options{Key: testKey()})
	held := s.Fail(fakegithub.Fault{Hold: true})
	done := make(chan error, 1)
	go func() {
		res, err := s.Client().Get("https://api.github.com/app")
		if err == nil {
			err = res.Body.Close()
		}
		done <- err
	}()
	require.NoError(t, held.Wait(t.Context()))
	s.Close()
	<-done
}
