package github_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// Somebody with two accounts takes back what the newer one said, just before the vote closes. What the other one says is still there, and counts.
func TestTwoAccountsOfWhomOneTakesItBack(t *testing.T) {
	for _, name := range []string{"issue-react-vote", "issue-comment-vote"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ann, err := r.c.CreatePerson(t.Context(), gateway.NewPerson{Name: "Ann"})
			require.NoError(t, err)
			for _, login := range []string{"ann", "ann-at-work"} {
				_, err := r.c.Link(t.Context(), ann.ID, gateway.NewAccount{AccountRef: gateway.AccountRef{Plugin: "github", PlatformID: installation, UserID: login}}, gateway.Ground{})
				require.NoError(t, err)
			}
			p := r.start(name, vote.Ask{Title: "x"}, nil)
			say := func(login, choice, reaction string) {
				r.hub.mu.Lock()
				r.hub.comment(1, user(login), "/vote "+choice, r.Clock.Now())
				r.hub.mu.Unlock()
				r.hub.react(1, login, reaction, r.Clock.Now())
				r.Advance(20 * time.Minute)
			}
			say("ann", "yes", "+1")
			say("ann-at-work", "no", "-1")
			require.EqualValues(t, 1, counts(r.again(p))["no"])
			r.hub.mu.Lock()
			r.hub.comments[1], r.hub.reactions[1] = r.hub.comments[1][:1], r.hub.reactions[1][:1]
			r.hub.mu.Unlock()
			_, err = r.c.Close(t.Context(), p.ID)
			require.NoError(t, err)
			out := outcome(t, r.again(p))
			require.EqualValues(t, 1, out.Turnout.Voters)
			require.EqualValues(t, 1, out.Questions[0].Options[0].Ballots)
		})
	}
}

// What a driver casts for people from elsewhere is not GitHub's to take back.
func TestBallotsFromElsewhereStand(t *testing.T) {
	for _, name := range []string{"issue-react-vote", "issue-comment-vote"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ann, err := r.c.CreatePerson(t.Context(), gateway.NewPerson{Name: "Ann"})
			require.NoError(t, err)
			p := r.start(name, vote.Ask{Title: "x"}, nil)
			for _, voter := range []string{gateway.PersonKey(ann.ID), gateway.AccountKey("slack", "T1", "U1")} {
				_, err := r.c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: voter, Choices: []string{vote.Yes}})
				require.NoError(t, err)
			}
			r.Advance(20 * time.Minute)
			require.EqualValues(t, 2, counts(r.again(p))["yes"])
			r.Advance(time.Hour)
			require.EqualValues(t, 2, outcome(t, r.again(p)).Turnout.Voters)
		})
	}
}

// Where votes weigh differently the result says what each option weighs: by the numbers alone the other one has won.
func TestTheResultSaysWeights(t *testing.T) {
	r := newRig(t)
	r.start("issue-react-vote", vote.Ask{Title: "x", Weights: []vote.VoterWeight{{Voter: "ann", Weight: 5 * vote.One}}}, nil)
	for login, content := range map[string]string{"ann": "+1", "bob": "-1", "cid": "-1"} {
		r.hub.react(1, login, content, r.Clock.Now())
	}
	r.Advance(time.Hour)
	r.Advance(time.Minute)
	require.Len(t, r.hub.comments[1], 1)
	said := r.hub.comments[1][0]["body"]
	require.Contains(t, said, "**passed**")
	require.Contains(t, said, "- `yes`: 1 (weight 5)")
	require.Contains(t, said, "- `no`: 2 (weight 2)")
}
