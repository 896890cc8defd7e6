package slack_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/vote"
)

// The cases of the voting standard that can be played with buttons give the standard's outcome.
func TestTheVotingStandardsCasesByClicks(t *testing.T) {
	cases, err := vote.Cases()
	require.NoError(t, err)
	w := newRig(t).town("T1")
	played := 0
	for _, c := range cases {
		byClicks := !slices.ContainsFunc(c.Ballots, func(b vote.CaseBallot) bool {
			return b.Question != "" || len(b.Choices) != 1 || b.Points != nil || !slices.Contains(c.Ask.Choices(), b.Choices[0])
		})
		if len(c.Invalid) > 0 || c.Outcome == nil || c.Eligible > 0 || len(c.Ask.Questions) > 0 || !slices.Contains([]vote.PollType{"", vote.Boolean, vote.Choice, vote.Consent}, c.Ask.PollType) || !byClicks || c.Ask.QuorumShare != "" && c.Ask.EligibleVoters == nil ||
			c.Close.By != vote.ByTime && c.Close.By != vote.ByDriver {
			continue
		}
		played++
		t.Run(c.Name, func(t *testing.T) {
			w.clock.mu.Lock()
			w.clock.t = c.Now
			w.clock.mu.Unlock()
			p, m := w.vote(slack.Vote{Ask: c.Ask, Channel: "CHALL"})
			for i, b := range c.Ballots {
				index := slices.Index(c.Ask.Choices(), b.Choices[0])
				body := fmt.Sprintf(`{"type":"block_actions","team":{"id":"T1"},"user":{"id":%q},"trigger_id":"%s%d","container":{"message_ts":%q,"channel_id":"CHALL"},
					"actions":[{"action_id":"cast_vote","block_id":"gw:%s:option%d","value":"%d","action_ts":"%d.%06d"}]}`,
					b.Voter, p.ID, i, m.TS, p.ID, index, index, b.At.Unix(), b.At.Nanosecond()/1000)
				a, err := w.fake.Send(t.Context(), []byte(body))
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, a.Status)
			}
			switch {
			case c.Close.Cancel:
				p, err = w.c.Cancel(t.Context(), p.ID)
				require.NoError(t, err)
			case c.Close.By == vote.ByTime:
				w.later(c.Close.At.Sub(c.Now))
				w.later(2 * time.Second)
			default:
				p, err = w.c.Close(t.Context(), p.ID)
				require.NoError(t, err)
			}
			p, _ = w.again(p, m)
			require.Equal(t, gateway.StatusCompleted, p.Status)
			got := outcome(t, p)
			require.Equal(t, c.Outcome.Result, got.Result)
			require.Equal(t, c.Outcome.Reason, got.Reason)
			require.Equal(t, c.Outcome.Winner, got.Winner)
			require.Equal(t, c.Outcome.Questions, got.Questions)
			require.Equal(t, c.Outcome.Turnout, got.Turnout)
		})
	}
	require.Greater(t, played, 20)
}
