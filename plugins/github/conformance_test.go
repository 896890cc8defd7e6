package github_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/vote"
)

// playable says whether a case of the voting standard can be played on an issue: public, one question, nobody held to a first vote.
func playable(c vote.Case) bool {
	a := c.Ask
	return len(c.Invalid) == 0 && c.Outcome != nil && c.Eligible == 0 && len(a.Questions) == 0 && (a.Secrecy == "" || a.Secrecy == vote.Public) && (a.MayChange == nil || *a.MayChange) &&
		len(a.Reminders) == 0 && slices.Contains([]vote.PollType{"", vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Consent}, a.PollType) &&
		(a.QuorumShare == "" || a.EligibleVoters != nil) && (c.Close.By == vote.ByTime || c.Close.By == vote.ByDriver) &&
		!slices.ContainsFunc(c.Ballots, func(b vote.CaseBallot) bool {
			return b.Question != "" || b.Points != nil || b.At.Before(c.Now) || odd(a, b)
		})
}

// odd says whether a ballot cannot be said on an issue: of several choices where one counts the last does, and nobody can react twice.
func odd(a vote.Ask, b vote.CaseBallot) bool {
	once := slices.Compact(slices.Sorted(slices.Values(b.Choices)))
	return len(once) != len(b.Choices) || len(once) > 1 && a.PollType != vote.Multiple && a.PollType != vote.Approval
}

// The cases of the voting standard that can be played with comments and reactions give the standard's outcome.
func TestTheVotingStandardsCases(t *testing.T) {
	cases, err := vote.Cases()
	require.NoError(t, err)
	for _, process := range []string{"issue-comment-vote", "issue-react-vote"} {
		played, r := 0, newRig(t)
		for _, c := range cases {
			if !playable(c) || process == "issue-react-vote" && (len(c.Ask.Options) > 8 || again(c)) {
				continue
			}
			played++
			t.Run(process+"/"+c.Name, func(t *testing.T) { play(t, r, process, c) })
		}
		require.Greater(t, played, 15, process)
	}
}

// again says whether somebody votes twice: who takes reactions back leaves nothing to play.
func again(c vote.Case) bool {
	seen := map[string]bool{}
	for _, b := range c.Ballots {
		if seen[b.Voter] || len(b.Choices) == 0 {
			return true
		}
		seen[b.Voter] = true
	}
	return false
}

var emoji = []string{"+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"}

func play(t *testing.T, r *rig, process string, c vote.Case) {
	c = shifted(c, r.Clock.Now().Add(time.Hour))
	r.Clock.Set(c.Now)
	var in any = github.CommentVote{Ask: c.Ask}
	if process == "issue-react-vote" {
		in = github.ReactVote{Ask: c.Ask, Reactions: emoji[:len(c.Ask.Choices())]}
	}
	p, err := r.inst.Start(t.Context(), process, in)
	require.NoError(t, err)
	choices, n := c.Ask.Choices(), len(r.hub.issues)
	for _, b := range c.Ballots {
		if slices.ContainsFunc(b.Choices, func(s string) bool { return !slices.Contains(choices, s) }) {
			continue // it cannot be said here
		}
		r.hub.mu.Lock()
		at := b.At.Format(time.RFC3339Nano)
		if process == "issue-react-vote" {
			for _, s := range b.Choices {
				r.hub.reactions[n] = append(r.hub.reactions[n], map[string]any{"id": r.hub.id(), "content": emoji[slices.Index(choices, s)], "user": user(b.Voter), "created_at": at})
			}
			r.hub.mu.Unlock()
			continue
		}
		body := "/unvote"
		for _, s := range b.Choices {
			body = strings.TrimPrefix(body, "/unvote") + fmt.Sprintf("\n/vote %d", slices.Index(choices, s)+1)
		}
		w := r.hub.comment(n, user(b.Voter), body, b.At)
		w["created_at"], w["updated_at"] = at, at
		issue := r.hub.issues[n-1]
		r.hub.mu.Unlock()
		r.tell("issue_comment", map[string]any{"action": "created", "issue": issue, "comment": w, "sender": user(b.Voter)})
	}
	switch {
	case c.Close.By == vote.ByTime:
		r.Advance(c.Close.At.Sub(c.Now) + 2*time.Second)
	default:
		r.Clock.Set(latest(c))
		r.Due()
		_, err = r.c.Refresh(t.Context(), p.ID)
		require.NoError(t, err)
		if c.Close.Cancel {
			_, err = r.c.Cancel(t.Context(), p.ID)
		} else {
			_, err = r.c.Close(t.Context(), p.ID)
		}
		require.NoError(t, err)
	}
	p = r.again(p)
	require.Equal(t, gateway.StatusCompleted, p.Status, p.Reason)
	got := outcome(t, p)
	require.Equal(t, c.Outcome.Result, got.Result)
	require.Equal(t, c.Outcome.Reason, got.Reason)
	require.Equal(t, c.Outcome.Winner, got.Winner)
	require.Equal(t, c.Outcome.Questions, got.Questions)
	require.Equal(t, c.Outcome.Turnout, got.Turnout)
}

// shifted plays a case at another time: clocks do not go back.
func shifted(c vote.Case, to time.Time) vote.Case {
	d := to.Truncate(time.Second).Sub(c.Now)
	c.Now, c.Ballots = c.Now.Add(d), slices.Clone(c.Ballots)
	for i := range c.Ballots {
		c.Ballots[i].At = c.Ballots[i].At.Add(d)
	}
	if c.Ask.ClosingAt != nil {
		at := c.Ask.ClosingAt.Add(d)
		c.Ask.ClosingAt = &at
	}
	if !c.Close.At.IsZero() {
		c.Close.At = c.Close.At.Add(d)
	}
	return c
}

// latest is when the last ballot was cast, and a while after the beginning.
func latest(c vote.Case) time.Time {
	at := c.Now.Add(2 * time.Minute)
	for _, b := range c.Ballots {
		if b.At.After(at) {
			at = b.At
		}
	}
	return at
}
