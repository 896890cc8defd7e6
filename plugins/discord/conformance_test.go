package discord_test

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/vote"
)

// pollable says whether a case can be played in a poll of Discord's: what it asks is possible there, and everybody votes once, in time.
func pollable(c vote.Case) bool {
	long := func(s string) bool { return utf8.RuneCountInString(s) > 55 }
	voters := map[string]bool{}
	for _, b := range c.Ballots {
		if b.Question != "" || len(b.Choices) != 1 || b.Points != nil || b.Refused != "" && b.Refused != vote.Ineligible || voters[b.Voter] || !slices.Contains(c.Ask.Choices(), b.Choices[0]) {
			return false
		}
		voters[b.Voter] = true
	}
	types := []vote.PollType{"", vote.Boolean, vote.Choice, vote.Consent}
	return len(c.Invalid) == 0 && c.Outcome != nil && c.Eligible == 0 && len(c.Ask.Questions) == 0 && slices.Contains(types, c.Ask.PollType) &&
		(c.Ask.Secrecy == "" || c.Ask.Secrecy == vote.Public) && !c.Ask.Final() && len(c.Ask.MayClose) == 0 && len(c.Ask.Reminders) == 0 && len(c.Ask.Options) <= 10 &&
		!slices.ContainsFunc(c.Ask.Options, long) && (c.Ask.QuorumShare == "" || c.Ask.EligibleVoters != nil) && c.Close.By == vote.ByTime && c.Ask.ClosingAt != nil &&
		c.Ask.ClosingAt.Sub(c.Now) < 32*24*time.Hour
}

// forward has a case begin now: the clock of a rig does not go back. It says by how much that is later than the case has it.
func (r *rig) forward(c *vote.Case) time.Duration {
	r.clock.advance(time.Minute)
	shift := r.clock.now().Sub(c.Now)
	if c.Ask.ClosingAt != nil {
		c.Ask.ClosingAt = new(c.Ask.ClosingAt.Add(shift))
	}
	return shift
}

// ids gives each voter of the cases an ID of Discord's, always the same.
type ids map[string]string

func (n ids) of(name string) string {
	if n[name] == "" {
		n[name] = strconv.Itoa(600001 + len(n))
	}
	return n[name]
}

func (n ids) all(names []string) []string {
	if names == nil {
		return nil
	}
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = n.of(name)
	}
	return out
}

// The cases of the voting standard that can be played in a poll of Discord's give the standard's outcome.
func TestTheVotingStandardsCasesByPolls(t *testing.T) {
	cases, err := vote.Cases()
	require.NoError(t, err)
	r := newRig(t)
	w := r.town(0)
	names, played := ids{}, 0
	for _, c := range cases {
		if !pollable(c) {
			continue
		}
		played++
		t.Run(c.Name, func(t *testing.T) {
			shift := w.forward(&c)
			c.Ask.EligibleVoters, c.Ask.IneligibleVoters = names.all(c.Ask.EligibleVoters), names.all(c.Ask.IneligibleVoters)
			c.Ask.Weights = slices.Clone(c.Ask.Weights)
			for i := range c.Ask.Weights {
				c.Ask.Weights[i].Voter = names.of(c.Ask.Weights[i].Voter)
			}
			p, m := w.vote("poll-vote", discord.Vote{Ask: c.Ask, Channel: hall})
			for _, b := range c.Ballots {
				voter := names.of(b.Voter)
				if _, known := w.w.Member(voter); !known {
					r.fake.AddUser(voter, b.Voter)
					w.w.AddMember(voter)
				}
				require.NoError(t, w.w.VoteInPoll(hall, m.ID, voter, slices.Index(c.Ask.Choices(), b.Choices[0])+1))
			}
			w.later(c.Ask.ClosingAt.Sub(c.Now.Add(shift)))
			w.later(2 * time.Second)
			p, err := w.c.Process(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, gateway.StatusCompleted, p.Status)
			got := outcome(t, p)
			require.Equal(t, c.Outcome.Result, got.Result)
			require.Equal(t, c.Outcome.Reason, got.Reason)
			require.Equal(t, c.Outcome.Winner, got.Winner)
			require.Equal(t, c.Outcome.Turnout, got.Turnout)
			require.Len(t, got.Questions, 1)
			for i, o := range c.Outcome.Questions[0].Options { // who voted first a poll does not tell
				require.Equal(t, o.Ballots, got.Questions[0].Options[i].Ballots)
				require.Equal(t, o.Weight, got.Questions[0].Options[i].Weight)
				require.ElementsMatch(t, names.all(o.Users), got.Questions[0].Options[i].Users)
			}
		})
	}
	require.Greater(t, played, 5)
	t.Logf("%d cases were played", played)
}

// The cases of the voting standard that can be played with buttons give the standard's outcome.
func TestTheVotingStandardsCasesByClicks(t *testing.T) {
	cases, err := vote.Cases()
	require.NoError(t, err)
	r := newRig(t)
	w := r.town(0)
	played := 0
	for _, c := range cases {
		byClicks := !slices.ContainsFunc(c.Ballots, func(b vote.CaseBallot) bool {
			return b.Question != "" || len(b.Choices) != 1 || b.Points != nil || !slices.Contains(c.Ask.Choices(), b.Choices[0])
		})
		types := []vote.PollType{"", vote.Boolean, vote.Choice, vote.Consent}
		if len(c.Invalid) > 0 || c.Outcome == nil || c.Eligible > 0 || len(c.Ask.Questions) > 0 || !slices.Contains(types, c.Ask.PollType) || !byClicks ||
			c.Ask.QuorumShare != "" && c.Ask.EligibleVoters == nil || c.Close.By != vote.ByTime && c.Close.By != vote.ByDriver || len(c.Ask.Reminders) > 0 {
			continue
		}
		played++
		t.Run(c.Name, func(t *testing.T) {
			shift := w.forward(&c)
			p, m := w.vote("vote", discord.Vote{Ask: c.Ask, Channel: hall})
			for i, b := range c.Ballots {
				body := interaction(b.At.Add(shift), played*100+i, guildID, m, b.Voter, "gw:"+p.ID+":option"+strconv.Itoa(slices.Index(c.Ask.Choices(), b.Choices[0])))
				status, _ := r.post(body)
				require.Equal(t, http.StatusOK, status)
			}
			switch {
			case c.Close.Cancel:
				p, err = w.c.Cancel(t.Context(), p.ID)
				require.NoError(t, err)
			case c.Close.By == vote.ByTime:
				w.later(c.Close.At.Add(shift).Sub(w.clock.now()))
				w.later(2 * time.Second)
			default:
				p, err = w.c.Close(t.Context(), p.ID)
				require.NoError(t, err)
			}
			p, err = w.c.Process(t.Context(), p.ID)
			require.NoError(t, err)
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
