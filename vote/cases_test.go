package vote_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/vote"
)

// replay runs a case the way its documentation says, and is the shape of every voting process.
func replay(t *testing.T, c vote.Case, ask vote.Ask) *vote.Counter {
	t.Helper()
	counter := &vote.Counter{Final: ask.Final()}
	for _, b := range c.Ballots {
		err := cast(ask, counter, b)
		var refused *vote.Refused
		if errors.As(err, &refused) {
			require.Equal(t, b.Refused, refused.Code, "%s at %s", b.Voter, b.At)
			require.NotEmpty(t, refused.Message)
			continue
		}
		require.NoError(t, err)
		require.Empty(t, b.Refused, "%s at %s was taken", b.Voter, b.At)
	}
	return counter
}

func cast(ask vote.Ask, counter *vote.Counter, b vote.CaseBallot) error {
	if !ask.Eligible(b.Voter) {
		return &vote.Refused{Code: vote.Ineligible, Message: ask.IneligibleVoterMessage}
	}
	if ask.ClosingAt != nil && b.At.After(*ask.ClosingAt) {
		return &vote.Refused{Code: vote.Late, Message: "The vote was closed."}
	}
	lines, err := ask.Pick(b.Question, b.Choices...)
	if b.Points != nil {
		lines, err = ask.Points(b.Question, b.Points)
	}
	if err != nil {
		return err
	}
	for _, l := range lines {
		if ask.Final() && counter.Voted(b.Voter, l.Question) {
			return &vote.Refused{Code: vote.NoChange, Message: "You have voted."}
		}
	}
	for _, l := range lines {
		if _, err := counter.Cast(vote.Ballot{
			Voter: b.Voter, Question: l.Question, Choice: l.Choice, Weight: ask.WeightOf(b.Voter), At: b.At,
		}); err != nil {
			return err
		}
	}
	return nil
}

func TestConformance(t *testing.T) {
	cases, err := vote.Cases()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(cases), 100)
	seen := map[string]bool{}
	for _, c := range cases {
		require.False(t, seen[c.Name], "two cases are called %s", c.Name)
		seen[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			require.NotEmpty(t, c.Doc)
			ask, err := c.Ask.Normalize(c.Now)
			if len(c.Invalid) > 0 {
				var invalid *vote.Invalid
				require.ErrorAs(t, err, &invalid)
				var paths []string
				for _, f := range invalid.Fields {
					require.NotEmpty(t, f.Message)
					paths = append(paths, f.Path)
				}
				require.ElementsMatch(t, c.Invalid, paths, "%v", err)
				return
			}
			require.NoError(t, err)
			counter := replay(t, c, ask)
			require.Equal(t, counter.Recount(), counter.Counts())

			tally := counter.Tally()
			tally.Eligible = c.Eligible
			requireOutcome(t, *c.Outcome, ask.Decide(tally, c.Close))

			// What a store gives, which keeps counts and ballots and no totals, means the same for one question.
			if len(ask.Questions) == 0 {
				requireOutcome(t, *c.Outcome, ask.Decide(vote.Tally{
					Counts: counter.Counts(), Ballots: counter.Ballots(), Eligible: c.Eligible,
				}, c.Close))
			}
			// Nothing depends on Normalize having filled in the defaults.
			requireOutcome(t, *c.Outcome, c.Ask.Decide(tally, c.Close))
		})
	}
}

func requireOutcome(t *testing.T, want, got vote.Outcome) {
	t.Helper()
	w, err := json.MarshalIndent(want, "", " ")
	require.NoError(t, err)
	g, err := json.MarshalIndent(got, "", " ")
	require.NoError(t, err)
	require.Equal(t, string(w), string(g))
}
