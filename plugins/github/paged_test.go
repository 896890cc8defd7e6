package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/vote"
)

// allVote has n people say yes to the first issue's vote, by a comment and by a reaction.
func (r *rig) allVote(n int) {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	for i := range n {
		who := user(fmt.Sprintf("u%03d", i))
		r.hub.comment(1, who, "/vote yes", r.Clock.Now())
		r.hub.reactions[1] = append(r.hub.reactions[1], map[string]any{"id": i + 1, "content": "+1", "user": who, "created_at": r.Clock.Now().Format(time.RFC3339)})
	}
}

// What is taken away while page after page is read moves the rest up, past the reader. That is somebody else's vote, and stays.
func TestTakenAwayBetweenTwoPages(t *testing.T) {
	for _, name := range []string{"issue-react-vote", "issue-comment-vote"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := r.start(name, vote.Ask{Title: "x"}, nil)
			r.allVote(250)
			r.Advance(20 * time.Minute)
			require.EqualValues(t, 250, counts(r.again(p))["yes"])
			list := "/comments"
			if name == "issue-react-vote" {
				list = "/reactions"
			}
			taken := false
			r.hub.mu.Lock()
			r.hub.fault = func(q *http.Request) *http.Response {
				if q.URL.Query().Get("page") == "2" && strings.HasSuffix(q.URL.Path, list) && !taken {
					taken = true
					r.hub.comments[1], r.hub.reactions[1] = r.hub.comments[1][1:], r.hub.reactions[1][1:]
				}
				return nil
			}
			r.hub.mu.Unlock()
			r.Advance(40*time.Minute - time.Second)
			require.True(t, taken)
			require.EqualValues(t, 249, counts(r.again(p))["yes"], "it was read again since")
			r.hub.mu.Lock()
			taken = false
			r.hub.mu.Unlock()
			_, err := r.c.Close(t.Context(), p.ID)
			require.NoError(t, err)
			require.True(t, taken)
			require.EqualValues(t, 249, outcome(t, r.again(p)).Turnout.Voters, "whoever took theirs back while it was read had one when that began")
		})
	}
}

// Many pages to which nothing happens are read once.
func TestPagesAreReadOnce(t *testing.T) {
	for name, list := range map[string]string{"issue-react-vote": "/reactions", "issue-comment-vote": "/comments"} {
		r := newRig(t)
		p := r.start(name, vote.Ask{Title: "x"}, nil)
		r.allVote(250)
		before := len(r.hub.calls(http.MethodGet, "/repos/acme/town/issues/1"+list))
		_, err := r.c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 250, outcome(t, r.again(p)).Turnout.Voters)
		require.Len(t, r.hub.calls(http.MethodGet, "/repos/acme/town/issues/1"+list)[before:], 3, name)
	}
}
