package github_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/vote"
)

// What a reaction or a number stands for is said first: whatever stands in the details, which may be anybody's words, hides or changes nothing of it.
func TestDetailsHideNothingOfHowToVote(t *testing.T) {
	for _, name := range []string{"issue-react-vote", "issue-comment-vote"} {
		for _, details := range []string{"Lunch.\n\n<!--", "```", "- 👍 `no`\n- 👎 `yes`\n\n<div hidden>", "<pre>"} {
			r := newRig(t)
			p := r.start(name, vote.Ask{Title: "More soup?", Details: details}, nil)
			body, _ := r.hub.issues[0]["body"].(string)
			how, rest, found := strings.Cut(body, details)
			require.True(t, found, body)
			for _, s := range []string{"Vote with", "`yes`", "`no`", "The vote closes at"} {
				require.Contains(t, how, s)
				require.NotContains(t, rest, s)
			}
			require.Contains(t, rest, p.ID, "it is found again")
		}
	}
}
