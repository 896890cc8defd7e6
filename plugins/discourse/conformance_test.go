package discourse_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/vote"
)

// playable says whether a case can be played in a poll: what it asks is possible there, and everybody votes once, in time.
func playable(c vote.Case) bool {
	voters := map[string]bool{}
	for _, b := range c.Ballots {
		known := !slices.ContainsFunc(b.Choices, func(o string) bool { return !slices.Contains(c.Ask.Choices(), o) })
		if b.Question != "" || len(b.Choices) == 0 || !known || b.Refused != "" && b.Refused != vote.Ineligible || voters[b.Voter] {
			return false
		}
		voters[b.Voter] = true
	}
	types := []vote.PollType{"", vote.Boolean, vote.Choice, vote.Consent, vote.Multiple, vote.Approval, vote.Ranked}
	ask := c.Ask
	return len(c.Invalid) == 0 && c.Outcome != nil && c.Eligible == 0 && len(ask.Questions) == 0 && slices.Contains(types, ask.PollType) &&
		ask.VotersVisible() && !ask.Final() && len(ask.MayClose) == 0 && len(ask.Reminders) == 0 && len(ask.Options) <= 20 &&
		(ask.PollType != vote.Ranked || ask.MinChoices < 2 && ask.MaxChoices == 0) && (ask.QuorumShare == "" || ask.EligibleVoters != nil) &&
		(c.Close.By == vote.ByTime && ask.ClosingAt != nil || c.Close.By == vote.ByDriver)
}

// forumVoters gives each voter of the cases an account, always the same.
type forumVoters struct {
	r   *rig
	ids map[string]string
}

func (n *forumVoters) of(name string) string {
	if n.ids[name] == "" {
		n.ids[name] = strconv.FormatInt(n.r.forum.AddUser(int64(1001+len(n.ids)), username(name), fakediscourse.Trust(1)), 10)
	}
	return n.ids[name]
}

func username(name string) string { return "voter_" + strings.ToLower(name) }

func (n *forumVoters) all(names []string) []string {
	if names == nil {
		return nil
	}
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = n.of(name)
	}
	return out
}

// The cases of the voting standard that can be played in a poll of Discourse's give the standard's outcome.
func TestTheVotingStandardsCases(t *testing.T) {
	cases, err := vote.Cases()
	require.NoError(t, err)
	r := newRig(t)
	r.forum.Set(func(s *fakediscourse.Settings) { s.AllowDuplicateTopicTitles, s.MinTopicTitleLength = true, 1 })
	names, played := &forumVoters{r, map[string]string{}}, 0
	for _, c := range cases {
		if !playable(c) {
			continue
		}
		played++
		t.Run(c.Name, func(t *testing.T) {
			r.t = t
			r.Clock.Advance(time.Minute)
			if c.Ask.ClosingAt != nil {
				c.Ask.ClosingAt = new(c.Ask.ClosingAt.Add(r.Clock.Now().Sub(c.Now)))
			}
			c.Ask.EligibleVoters, c.Ask.IneligibleVoters = names.all(c.Ask.EligibleVoters), names.all(c.Ask.IneligibleVoters)
			c.Ask.Weights = slices.Clone(c.Ask.Weights)
			for i := range c.Ask.Weights {
				c.Ask.Weights[i].Voter = names.of(c.Ask.Weights[i].Voter)
			}
			p := r.poll(discourse.Poll{Ask: c.Ask})
			post, _ := r.held()
			for _, b := range c.Ballots {
				names.of(b.Voter)
				var places []int
				for _, o := range b.Choices {
					places = append(places, slices.Index(c.Ask.Choices(), o)+1)
				}
				r.votes(username(b.Voter), post.ID, places...)
			}
			switch {
			case c.Close.Cancel:
				_, err = r.c.Cancel(t.Context(), p.ID)
				require.NoError(t, err)
			case c.Close.By == vote.ByTime:
				r.later(c.Ask.ClosingAt.Sub(r.Clock.Now()))
			default:
				_, err = r.c.Command(t.Context(), p.ID, "finish", nil)
				require.NoError(t, err)
			}
			r.later(2 * time.Second)
			require.Equal(t, gateway.StatusCompleted, r.process(p).Status)
			got := r.ended(p)
			require.Equal(t, c.Outcome.Result, got.Result)
			require.Equal(t, c.Outcome.Reason, got.Reason)
			require.Equal(t, c.Outcome.Winner, got.Winner)
			if c.Close.Cancel { // nobody had read it
				return
			}
			require.Equal(t, c.Outcome.Turnout, got.Turnout)
			require.Len(t, got.Questions, 1)
			require.Equal(t, c.Outcome.Questions[0].Rounds, got.Questions[0].Rounds)
			for i, o := range c.Outcome.Questions[0].Options { // who voted first a poll does not tell
				require.Equal(t, o.Ballots, got.Questions[0].Options[i].Ballots)
				require.Equal(t, o.Weight, got.Questions[0].Options[i].Weight)
				require.ElementsMatch(t, names.all(o.Users), got.Questions[0].Options[i].Users)
			}
		})
	}
	require.Greater(t, played, 20)
	t.Logf("%d cases were played", played)
}
