package discourse_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/vote"
)

// later lets time pass, and what is due then be done.
func (r *rig) later(d time.Duration) {
	r.t.Helper()
	r.Clock.Advance(d)
	r.due()
}

// poll starts a vote.
func (r *rig) poll(in discourse.Poll) gateway.Process {
	r.t.Helper()
	p, err := r.inst.Start(r.t.Context(), "poll", in)
	require.NoError(r.t, err)
	require.Equal(r.t, gateway.StatusPending, p.Status)
	r.due()
	return p
}

// again reads a process.
func (r *rig) process(p gateway.Process) gateway.Process {
	r.t.Helper()
	p, err := r.c.Process(r.t.Context(), p.ID)
	require.NoError(r.t, err)
	return p
}

// ended is a process that has an outcome.
func (r *rig) ended(p gateway.Process) (out vote.Outcome) {
	r.t.Helper()
	p = r.process(p)
	require.Equal(r.t, gateway.StatusCompleted, p.Status, p.Reason)
	require.NoError(r.t, p.DecodeOutcome(&out))
	return out
}

// counts are the votes of each choice, as a driver sees them.
func (r *rig) counts(p gateway.Process) map[string]int64 {
	r.t.Helper()
	p = r.process(p)
	out := map[string]int64{}
	for _, c := range p.Counts {
		key := c.Choice
		if c.Question != "" {
			if c.Choice != vote.Yes {
				continue
			}
			key = c.Question
		}
		out[key] = c.Ballots
	}
	return out
}

// held is the post that a vote is in, and its poll.
func (r *rig) held() (fakediscourse.PostView, fakediscourse.PollView) {
	r.t.Helper()
	topics := r.forum.Topics()
	require.NotEmpty(r.t, topics)
	p, ok := r.forum.PostByID(r.opening(topics[len(topics)-1]))
	require.True(r.t, ok)
	require.Len(r.t, p.Polls, 1, p.Raw)
	return p, p.Polls[0]
}

func (r *rig) opening(t fakediscourse.TopicView) int64 {
	r.t.Helper()
	require.NotEmpty(r.t, t.Posts)
	return t.Posts[0]
}

func (r *rig) votes(by string, post int64, options ...int) {
	r.t.Helper()
	require.NoError(r.t, r.forum.VoteInPoll(by, post, "poll", options...))
}

const where = "Where shall the bench be put?"

func TestAPollFromItsStartToItsEnd(t *testing.T) {
	r := newRig(t)
	closing := r.Clock.Now().Add(time.Hour)
	p := r.poll(discourse.Poll{Ask: vote.Ask{Title: "Shall we plant *trees*?", Details: "In the @staff park.\n[/poll]", ClosingAt: &closing}, Category: 4, Tags: []string{"park"}})
	post, poll := r.held()
	require.Equal(t, "regular", poll.Type)
	require.Equal(t, "always", poll.Results)
	require.True(t, poll.Public)
	require.Equal(t, closing, poll.Close)
	require.Equal(t, "Shall we plant *trees*?", poll.Title)
	require.Equal(t, "Yes", poll.Options[0].HTML)
	require.Equal(t, "No", poll.Options[1].HTML)
	require.Contains(t, p.URL, fmt.Sprintf("%s/t/", forumURL))
	require.Contains(t, p.URL, fmt.Sprint(post.Topic))
	require.NotContains(t, post.Raw, "@staff", "nobody is called")

	r.votes("bob", post.ID, 1)
	r.votes("ann", post.ID, 2)
	r.votes("Carla", post.ID, 1)
	r.later(10 * time.Minute)
	require.Equal(t, map[string]int64{"yes": 2, "no": 1}, r.counts(p))
	r.votes("Carla", post.ID, 2)
	r.votes("ann", post.ID)
	r.later(10 * time.Minute)
	require.Equal(t, map[string]int64{"yes": 1, "no": 1}, r.counts(p))
	r.votes("Carla", post.ID, 1) // nobody reads it before the end
	r.later(time.Hour)
	out := r.ended(p)
	require.Equal(t, vote.Passed, out.Result)
	require.Equal(t, vote.ByTime, out.ClosedBy)
	require.Equal(t, []string{"42", "43"}, out.Questions[0].Options[0].Users)
	_, poll = r.held()
	require.Equal(t, "closed", poll.Status)
	topic, _ := r.forum.Topic(post.Topic)
	require.Len(t, topic.Posts, 2, "the result is said, once")
	said, _ := r.forum.PostByID(topic.Posts[1])
	require.Contains(t, said.Raw, "Result: **passed**, yes")
	for range 3 {
		r.later(time.Hour)
	}
	require.Len(t, r.calls("POST /posts"), 2)
	for _, e := range r.Events("post_created") {
		require.Contains(t, e.Cause, p.ID, "the forum's word of our own posts says whose they are")
	}
}

func TestPollsOfAllTypes(t *testing.T) {
	for name, c := range map[string]struct {
		in     discourse.Poll
		typ    string
		min    int
		max    int
		votes  map[string][]int
		counts map[string]int64
		winner string
	}{
		"choice": {
			discourse.Poll{Ask: vote.Ask{PollType: vote.Choice, Options: []string{"river", "hill", "market"}}}, "regular", 0, 0,
			map[string][]int{"bob": {2}, "Carla": {2}, "ann": {1}}, map[string]int64{"hill": 2, "river": 1}, "hill",
		},
		"consent": {
			discourse.Poll{Ask: vote.Ask{PollType: vote.Consent}, Labels: []string{"Einverstanden", "Enthaltung", "Einwand"}}, "regular", 0, 0,
			map[string][]int{"bob": {1}, "Carla": {2}}, map[string]int64{"consent": 1, "abstain": 1}, "consent",
		},
		"multiple": {
			discourse.Poll{Ask: vote.Ask{PollType: vote.Multiple, Options: []string{"river", "hill", "market"}, MaxChoices: 2}}, "multiple", 1, 2,
			map[string][]int{"bob": {1, 3}, "Carla": {3}}, map[string]int64{"river": 1, "market": 2}, "market",
		},
		"approval": {
			discourse.Poll{Ask: vote.Ask{PollType: vote.Approval, Options: []string{"river", "hill", "market"}}, Chart: "pie"}, "multiple", 1, 3,
			map[string][]int{"bob": {1, 2, 3}, "Carla": {3}}, map[string]int64{"river": 1, "hill": 1, "market": 2}, "market",
		},
		"ranked": {
			discourse.Poll{Ask: vote.Ask{PollType: vote.Ranked, Options: []string{"river", "hill", "market"}}}, "ranked_choice", 0, 0,
			map[string][]int{"bob": {2, 1}, "Carla": {3, 2}, "ann": {2}, "joshua": {1, 2, 3}}, map[string]int64{"1>0": 1, "2>1": 1, "1": 1, "0>1>2": 1}, "hill",
		},
		"number": {
			discourse.Poll{Number: &discourse.Numbers{Min: 10, Max: 30, Step: 10}}, "number", 10, 30,
			map[string][]int{"bob": {3}, "Carla": {3}, "ann": {1}}, map[string]int64{"30": 2, "10": 1}, "30",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c.in.Title = where
			p := r.poll(c.in)
			post, poll := r.held()
			require.Equal(t, c.typ, poll.Type)
			require.Equal(t, []int{c.min, c.max}, []int{poll.Min, poll.Max})
			for by, options := range c.votes {
				r.votes(by, post.ID, options...)
			}
			r.later(2 * time.Hour)
			require.Equal(t, c.counts, r.counts(p))
			_, err := r.c.Command(t.Context(), p.ID, "finish", nil)
			require.NoError(t, err)
			r.later(time.Minute)
			out := r.ended(p)
			require.Equal(t, vote.ByDriver, out.ClosedBy)
			require.Equal(t, c.winner, out.Winner)
			require.EqualValues(t, len(c.votes), out.Turnout.Voters)
		})
	}
}

// Where the forum does not say who voted, its count is taken; a hidden vote's when it is closed.
func TestSecretPollsAreCountedByTheForum(t *testing.T) {
	for _, secrecy := range []vote.Secrecy{vote.CountsOnly, vote.Hidden} {
		t.Run(string(secrecy), func(t *testing.T) {
			r := newRig(t)
			p := r.poll(discourse.Poll{Ask: vote.Ask{Title: where, PollType: vote.Approval, Options: []string{"river", "hill"}, Secrecy: secrecy}})
			post, poll := r.held()
			require.False(t, poll.Public)
			r.votes("bob", post.ID, 1, 2)
			r.votes("ann", post.ID, 2)
			r.later(2 * time.Hour)
			if secrecy == vote.Hidden {
				require.Equal(t, "on_close", poll.Results)
				require.Empty(t, r.process(p).Counts)
			} else {
				require.Equal(t, map[string]int64{"river": 1, "hill": 2}, r.counts(p))
			}
			r.votes("Carla", post.ID, 2)
			_, err := r.c.Close(t.Context(), p.ID)
			require.NoError(t, err)
			out := r.ended(p)
			require.Equal(t, "hill", out.Winner)
			require.EqualValues(t, 3, out.Turnout.Voters, "read again when it was closed")
			require.Empty(t, out.Questions[0].Options[1].Users)
			require.Empty(t, r.calls("GET /polls/voters"))
		})
	}
}

func TestWhoMayVoteAndWhatItWeighs(t *testing.T) {
	r := newRig(t)
	r.forum.AddGroup("jury", "bob", "Carla", "ann")
	p := r.poll(discourse.Poll{Groups: []string{"jury"}, Ask: vote.Ask{
		Title: where, PollType: vote.Choice, Options: []string{"river", "hill"}, IneligibleVoters: []string{"90"}, Weights: []vote.VoterWeight{{Voter: "42", Weight: 3 * vote.One}},
	}})
	post, poll := r.held()
	require.Equal(t, "jury", poll.Groups)
	require.Error(t, r.forum.VoteInPoll("joshua", post.ID, "poll", 2), "the forum lets nobody else vote")
	r.votes("ann", post.ID, 2)
	r.votes("Carla", post.ID, 2)
	r.votes("bob", post.ID, 1)
	r.later(2 * time.Hour)
	_, err := r.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	out := r.ended(p)
	require.Equal(t, "river", out.Winner)
	require.Equal(t, 3*vote.One, out.Questions[0].Options[0].Weight)
	require.EqualValues(t, 1, out.Questions[0].Options[1].Ballots)
}

// One person has one vote, whichever accounts they have, and it does not change to and fro.
func TestTwoAccountsOfOnePersonHaveOneVote(t *testing.T) {
	r := newRig(t)
	who, err := r.c.CreatePerson(t.Context(), gateway.NewPerson{})
	require.NoError(t, err)
	for _, id := range []string{"42", "43"} {
		_, err := r.c.Link(t.Context(), who.ID, gateway.NewAccount{AccountRef: gateway.AccountRef{Plugin: "discourse", PlatformID: forumURL, UserID: id}}, gateway.Ground{})
		require.NoError(t, err)
	}
	p := r.poll(discourse.Poll{Ask: vote.Ask{Title: where, PollType: vote.Choice, Options: []string{"river", "hill"}}})
	post, _ := r.held()
	r.votes("bob", post.ID, 1)
	r.votes("Carla", post.ID, 2)
	for range 4 {
		r.later(time.Hour)
		require.Equal(t, map[string]int64{"hill": 1}, r.counts(p))
	}
	r.votes("Carla", post.ID)
	r.later(time.Hour)
	require.Equal(t, map[string]int64{"river": 1}, r.counts(p))
}

func TestAPollInATopicThatThereIs(t *testing.T) {
	r := newRig(t)
	topic, _ := r.topic("bob")
	p := r.poll(discourse.Poll{TopicID: topic, Ask: vote.Ask{Title: "Shade?"}})
	v, _ := r.forum.Topic(topic)
	require.Len(t, v.Posts, 2)
	post, _ := r.forum.PostByID(v.Posts[1])
	require.Len(t, post.Polls, 1)
	require.Contains(t, p.URL, fmt.Sprintf("/%d/2", topic))
	r.votes("bob", post.ID, 1)
	r.fake.Fail(fakediscourse.Fault{Delivery: "*", Drop: true, Times: -1})
	require.NoError(t, r.forum.DeleteTopic("ann", topic))
	r.later(2 * time.Hour)
	r.later(time.Minute)
	out := r.ended(p)
	require.Equal(t, vote.Failed, out.Result)
	require.Equal(t, vote.PostDeleted, out.Reason)
}

// Nothing that a driver writes is markup.
func TestMarkupCannotBreakOutOfThePoll(t *testing.T) {
	evil := []string{
		"A [/poll]", "[/poll]", "* evil", "1. evil", "- evil", "# evil", "[poll name=evil]", "<script>alert(1)</script>", "**bold**", "[link](https://evil.example)",
		"![x](https://evil.example/x.png)", "`code`", "@staff", "&#91;", "\\[/poll\\]", "> quote", "```", "    indented", "<!-- gateway:x -->", "[quote]x[/quote]",
	}
	r := newRig(t)
	p := r.poll(discourse.Poll{Ask: vote.Ask{
		Title: "[/poll] is [poll name=evil] # no poll", Details: strings.Join(evil, "\n") + "\n[poll]\n* a\n* b\n[/poll]\n<!--", PollType: vote.Choice, Options: evil,
	}})
	post, poll := r.held()
	require.Len(t, poll.Options, len(evil))
	require.NotContains(t, post.Cooked, "<script")
	require.NotContains(t, post.Cooked, "href=\"https://evil")
	require.NotContains(t, post.Cooked, "<img")
	require.NotContains(t, post.Raw, "@staff")
	r.votes("bob", post.ID, 2)
	r.later(2 * time.Hour)
	require.Equal(t, map[string]int64{"[/poll]": 1}, r.counts(p))
}

func TestInputsThatAPollCannotEnforce(t *testing.T) {
	r := newRig(t)
	later := r.Clock.Now().Add(time.Hour)
	two := []string{"a", "b"}
	for name, c := range map[string]struct {
		in   discourse.Poll
		path string
	}{
		"points":               {discourse.Poll{Ask: vote.Ask{PollType: vote.Score, Options: two}}, "/poll_type"},
		"no change":            {discourse.Poll{Ask: vote.Ask{MayChange: new(bool)}}, "/may_change"},
		"who may close":        {discourse.Poll{Ask: vote.Ask{MayClose: []string{"42"}}}, "/may_close"},
		"reminders":            {discourse.Poll{Ask: vote.Ask{ClosingAt: &later, Reminders: []int{5}}}, "/reminders"},
		"questions":            {discourse.Poll{Ask: vote.Ask{PollType: vote.Choice, Options: two, Questions: two}}, "/questions"},
		"secret and eligible":  {discourse.Poll{Ask: vote.Ask{Secrecy: vote.CountsOnly, EligibleVoters: []string{"42"}}}, "/eligible_voters"},
		"secret and excluded":  {discourse.Poll{Ask: vote.Ask{Secrecy: vote.Hidden, IneligibleVoters: []string{"42"}}}, "/ineligible_voters"},
		"secret and weighed":   {discourse.Poll{Ask: vote.Ask{Secrecy: vote.CountsOnly, Weights: []vote.VoterWeight{{Voter: "42", Weight: vote.One}}}}, "/weights"},
		"secret and ranked":    {discourse.Poll{Ask: vote.Ask{Secrecy: vote.CountsOnly, PollType: vote.Ranked, Options: two}}, "/poll_type"},
		"ranked and two":       {discourse.Poll{Ask: vote.Ask{PollType: vote.Ranked, Options: two, MinChoices: 2}}, "/min_choices"},
		"ranked and one":       {discourse.Poll{Ask: vote.Ask{PollType: vote.Ranked, Options: two, MaxChoices: 1}}, "/max_choices"},
		"hidden and shown":     {discourse.Poll{Results: "always", Ask: vote.Ask{Secrecy: vote.Hidden}}, "/results"},
		"decided unseen":       {discourse.Poll{Results: "on_close", Ask: vote.Ask{CloseWhenDecided: true, EligibleVoters: []string{"42"}}}, "/close_when_decided"},
		"labels":               {discourse.Poll{Labels: two[:1]}, "/labels"},
		"topic and its title":  {discourse.Poll{TopicID: 7, TopicTitle: "x"}, "/topic_id"},
		"group":                {discourse.Poll{Groups: []string{"a] public=false"}}, "/groups/0"},
		"the same for the eye": {discourse.Poll{Ask: vote.Ask{PollType: vote.Choice, Options: []string{"a  b", "a b"}}}, "/options/1"},
		"nothing for the eye":  {discourse.Poll{Labels: []string{"yes", "\u202e"}}, "/options/1"},
		"number and options":   {discourse.Poll{Number: &discourse.Numbers{Min: 1, Max: 3}, Ask: vote.Ask{Options: two}}, "/number"},
		"too many numbers":     {discourse.Poll{Number: &discourse.Numbers{Min: 1, Max: 1000}}, "/number"},
		"one number":           {discourse.Poll{Number: &discourse.Numbers{Min: 1, Max: 3, Step: 5}}, "/number"},
		"long title":           {discourse.Poll{Ask: vote.Ask{Title: strings.Repeat("x", 256)}}, "/title"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.in.Title == "" {
				c.in.Title = where
			}
			_, err := r.inst.Start(t.Context(), "poll", c.in)
			require.Error(t, err)
			require.Equal(t, gateway.Invalid, gateway.CodeOf(err))
			raw, _ := json.Marshal(err)
			require.Contains(t, err.Error()+string(raw), c.path)
		})
	}
	require.Empty(t, r.calls("POST /posts"), "nothing was posted")
}
