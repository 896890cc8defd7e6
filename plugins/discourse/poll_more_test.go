package discourse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/vote"
)

// Where the forum hides the results of a public poll until it is closed, how people voted is read then, however it ends.
func TestAPublicPollThatHidesItsResults(t *testing.T) {
	for name, f := range map[string]func(r *rig, topic, post int64, id string) error{
		"time":     func(*rig, int64, int64, string) error { return nil },
		"poll":     func(r *rig, _, post int64, _ string) error { return r.forum.ClosePoll("ann", post, "poll") },
		"topic":    func(r *rig, topic, _ int64, _ string) error { return r.forum.SetStatus("ann", topic, "closed", true) },
		"archived": func(r *rig, topic, _ int64, _ string) error { return r.forum.SetStatus("ann", topic, "archived", true) },
		"finish": func(r *rig, _, _ int64, id string) error {
			_, err := r.c.Command(r.t.Context(), id, "finish", nil)
			return err
		},
	} {
		for _, results := range []string{"on_close", "on_vote"} {
			t.Run(name+" "+results, func(t *testing.T) {
				r := newRig(t)
				closing := r.Clock.Now().Add(24 * time.Hour)
				p := r.poll(discourse.Poll{Results: results, Ask: vote.Ask{Title: where, ClosingAt: &closing}})
				post, _ := r.held()
				r.votes("bob", post.ID, 1)
				r.votes("Carla", post.ID, 1)
				r.later(3 * time.Hour)
				if results == "on_close" {
					require.Empty(t, r.counts(p))
				} else { // which the poll's author sees, and that is the key's account
					require.Equal(t, map[string]int64{"yes": 2}, r.counts(p))
				}
				require.NoError(t, f(r, post.Topic, post.ID, p.ID))
				r.later(22 * time.Hour)
				out := r.ended(p)
				require.EqualValues(t, 2, out.Turnout.Voters)
				require.Equal(t, []string{"42", "43"}, out.Questions[0].Options[0].Users)
			})
		}
	}
}

// A poll in the archive cannot be closed: the forum shows its results when its own clock says that it is over, which may be behind.
func TestAForumWhoseClockIsBehind(t *testing.T) {
	for _, secrecy := range []vote.Secrecy{vote.Public, vote.Hidden} {
		t.Run(string(secrecy), func(t *testing.T) {
			r := newRig(t, func(s *setup) {
				now := s.fake.Now
				s.fake.Now = func() time.Time { return now().Add(-20 * time.Second) }
			})
			closing := r.Clock.Now().Add(time.Hour)
			p := r.poll(discourse.Poll{Results: "on_close", Ask: vote.Ask{Title: where, ClosingAt: &closing, Secrecy: secrecy}})
			post, _ := r.held()
			r.votes("bob", post.ID, 1)
			require.NoError(t, r.forum.SetStatus("ann", post.Topic, "archived", true))
			r.later(time.Hour)
			r.later(time.Minute)
			require.EqualValues(t, 1, r.ended(p).Questions[0].Options[0].Ballots)
		})
	}
}

// Nor can a driver finish it, as long as nobody can be told how people voted.
func TestAPollInTheArchiveIsNotFinishedUnread(t *testing.T) {
	r := newRig(t)
	closing := r.Clock.Now().Add(time.Hour)
	p := r.poll(discourse.Poll{Results: "on_close", Ask: vote.Ask{Title: where, ClosingAt: &closing}})
	post, _ := r.held()
	r.votes("bob", post.ID, 1)
	require.NoError(t, r.forum.SetStatus("ann", post.Topic, "archived", true))
	_, err := r.c.Command(t.Context(), p.ID, "finish", nil)
	require.Equal(t, gateway.Conflict, gateway.CodeOf(err))
	require.NoError(t, r.forum.SetStatus("ann", post.Topic, "archived", false))
	_, err = r.c.Command(t.Context(), p.ID, "finish", nil)
	require.NoError(t, err)
	r.due()
	require.EqualValues(t, 1, r.ended(p).Turnout.Voters)
}

// Everything that a vote sends is as Discourse describes it.
func TestContractPolls(t *testing.T) {
	r := judged(t)
	topic, _ := r.topic("bob")
	for _, in := range []discourse.Poll{
		{Category: 4, Tags: []string{"bench"}, Ask: vote.Ask{Title: where + " (again)"}},
		{TopicID: topic, Ask: vote.Ask{Title: where, PollType: vote.Ranked, Options: []string{"river", "hill"}}},
		{Ask: vote.Ask{Title: where + " (in secret)", Secrecy: vote.Hidden}},
	} {
		r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", LoseAnswer: true})
		p, err := r.inst.Start(t.Context(), "poll", in)
		require.NoError(t, err)
		r.later(2 * time.Hour)
		r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", LoseAnswer: true})
		_, err = r.c.Command(t.Context(), p.ID, "finish", nil)
		require.NoError(t, err)
		r.later(time.Minute)
		r.later(time.Minute)
		r.ended(p)
	}
	require.Empty(t, r.fake.Judged())
	require.Empty(t, r.fake.Refused())
}

// A vote that is called off says so, and its poll is closed.
func TestAPollThatIsCalledOff(t *testing.T) {
	r := newRig(t)
	p, topic, _ := r.bench()
	_, err := r.c.Cancel(t.Context(), p.ID)
	require.NoError(t, err)
	r.later(time.Minute)
	require.Equal(t, vote.Cancelled, r.ended(p).Result)
	_, poll := r.held()
	require.Equal(t, "closed", poll.Status)
	v, _ := r.forum.Topic(topic)
	said, _ := r.forum.PostByID(v.Posts[1])
	require.Contains(t, said.Raw, "**cancelled**")
}

// Nothing is said where that is not wanted, nor by whoever may not any more.
func TestAResultThatIsNotSaid(t *testing.T) {
	r := newRig(t)
	p := r.poll(discourse.Poll{Quiet: true, Ask: vote.Ask{Title: where}})
	_, err := r.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	r.later(time.Minute)
	require.Len(t, r.calls("POST /posts"), 1)

	p, topic, _ := r.benchIn("Where shall the other bench be put?")
	r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", Refusal: "invalid_access", Times: -1})
	_, err = r.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	for range 5 {
		r.later(time.Hour)
	}
	require.Len(t, r.calls("POST /posts"), 3, "it is tried once")
	v, _ := r.forum.Topic(topic)
	require.Len(t, v.Posts, 1)
}

// What was read of an open poll before the reading was interrupted is not what counts when it is closed.
func TestAReadingThatIsInterruptedByTheEnd(t *testing.T) {
	r := newRig(t)
	p, _, post := r.bench()
	require.NoError(t, r.forum.VoteMany(post, "poll", r.forum.AddUsers("voter", 60), func(int) []int { return []int{1} }))
	r.Clock.Advance(2 * time.Minute)
	r.fake.Fail(fakediscourse.Fault{Route: "GET /polls/voters", Skip: 1, Status: 502, Body: "<html>Bad gateway</html>"})
	_, err := r.c.Refresh(t.Context(), p.ID)
	require.Error(t, err)
	r.votes("bob", post) // takes the vote back, which was read already
	require.NoError(t, r.forum.ClosePoll("ann", post, "poll"))
	r.later(2 * time.Hour)
	require.EqualValues(t, 60, r.ended(p).Turnout.Voters)
}
