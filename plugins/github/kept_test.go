package github_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/vote"
)

// Whoever may write in a repository may change and delete other people's comments. Their votes stand all the same.
func TestFakeOtherPeoplesVotes(t *testing.T) {
	begun := func(t *testing.T) (*town, func() map[string]int64, func() map[string]int64) {
		r := installed(t)
		p := r.begin("issue-comment-vote", github.CommentVote{Ask: closing(r, "More soup?")})
		now := func() map[string]int64 { r.later(2 * time.Minute); return counts(r.again(p)) }
		end := func() map[string]int64 {
			r.later(time.Hour)
			r.later(time.Hour)
			out := map[string]int64{}
			for _, o := range outcome(t, r.again(p)).Questions[0].Options {
				out[o.Option] = o.Ballots
			}
			return out
		}
		return r, now, end
	}
	say := func(r *town, login, body string) int64 {
		r.Advance(time.Minute)
		id, err := r.repo.Comment(login, 1, body)
		require.NoError(r.t, err)
		r.heard()
		return id
	}
	t.Run("edited, more than once", func(t *testing.T) {
		r, now, end := begun(t)
		id := say(r, "bob", "/vote yes")
		chat := say(r, "cid", "I like soup.")
		r.later(time.Minute)
		require.NoError(t, r.repo.EditComment("ada", id, "/vote no"))
		require.NoError(t, r.repo.EditComment("ada", chat, "/vote no"))
		require.EqualValues(t, 1, now()["yes"])
		require.NoError(t, r.repo.EditComment("ada", id, "nothing"))
		require.NoError(t, r.repo.DeleteComment("ada", id))
		require.EqualValues(t, 1, now()["yes"])
		r.restarted()
		require.Equal(t, map[string]int64{"yes": 1, "no": 0}, end())
	})
	t.Run("deleted", func(t *testing.T) {
		r, now, end := begun(t)
		say(r, "bob", "/vote no")
		id := say(r, "bob", "/vote yes")
		require.NoError(t, r.repo.DeleteComment("ada", id))
		require.EqualValues(t, 1, now()["yes"], "the older one does not count again")
		require.Equal(t, map[string]int64{"yes": 1, "no": 0}, end())
	})
	t.Run("an older one", func(t *testing.T) {
		r, now, end := begun(t)
		id := say(r, "bob", "/vote no")
		say(r, "bob", "/vote yes")
		require.NoError(t, r.repo.EditComment("ada", id, "/vote no, please\n/vote no"))
		require.EqualValues(t, 1, now()["yes"], "an edit of somebody else's makes it not the latest")
		require.Equal(t, map[string]int64{"yes": 1, "no": 0}, end())
	})
	t.Run("of one that its author had edited", func(t *testing.T) {
		r, now, end := begun(t)
		id := say(r, "bob", "perhaps")
		say(r, "bob", "/vote no")
		r.later(time.Minute)
		require.NoError(t, r.repo.EditComment("bob", id, "/vote yes"))
		require.EqualValues(t, 1, now()["yes"])
		require.NoError(t, r.repo.EditComment("ada", id, "gone"))
		require.EqualValues(t, 1, now()["yes"])
		require.Equal(t, map[string]int64{"yes": 1, "no": 0}, end())
	})
	t.Run("its author has the last word", func(t *testing.T) {
		r, now, end := begun(t)
		id := say(r, "bob", "/vote yes")
		other := say(r, "cid", "/vote yes")
		gone := say(r, "eve", "/vote yes")
		for _, x := range []int64{id, other, gone} {
			require.NoError(t, r.repo.EditComment("ada", x, "moderated"))
		}
		require.EqualValues(t, 3, now()["yes"])
		require.NoError(t, r.repo.EditComment("bob", id, "/vote no"))
		require.NoError(t, r.repo.DeleteComment("cid", other))
		say(r, "eve", "/vote no")
		require.EqualValues(t, 2, now()["no"])
		require.Equal(t, map[string]int64{"yes": 0, "no": 2}, end())
	})
}

// Whoever edits a comment again and again has all comments read no more often than anybody else, and what is due is not put off.
func TestFakeEditsAreReadNowAndThen(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-comment-vote", github.CommentVote{Ask: vote.Ask{Title: "x", ClosingAt: closing(r, "").ClosingAt}})
	id, err := r.repo.Comment("bob", 1, "/vote yes")
	require.NoError(t, err)
	r.later(10 * time.Minute)
	reads := func() int { return len(r.hub.CallsTo("GET /repos/{owner}/{repo}/issues/{issue_number}/comments")) }
	before := reads()
	words := []string{"/vote no", "/vote yes"}
	for i := range 120 { // two minutes
		require.NoError(t, r.repo.EditComment("bob", id, words[i%2]))
		r.later(time.Second)
	}
	require.InDelta(t, 2, reads()-before, 1)
	r.later(2 * time.Minute)
	require.EqualValues(t, 1, counts(r.again(p))["yes"])
}
