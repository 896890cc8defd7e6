package discourse_test

import (
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

// bench is a plain vote that is open.
func (r *rig) bench() (gateway.Process, int64, int64) {
	r.t.Helper()
	return r.benchIn(where)
}

func (r *rig) benchIn(title string) (gateway.Process, int64, int64) {
	r.t.Helper()
	p := r.poll(discourse.Poll{Ask: vote.Ask{Title: title, PollType: vote.Choice, Options: []string{"river", "hill"}}})
	post, _ := r.held()
	r.votes("bob", post.ID, 1)
	return p, post.Topic, post.ID
}

// edited is what the staff do to a poll's post.
func edited(old, new string) func(*rig, int64, int64) error {
	return func(r *rig, _, post int64) error {
		p, _ := r.forum.PostByID(post)
		return r.forum.EditPost("ann", post, strings.Replace(p.Raw, old, new, 1))
	}
}

// What becomes of the post ends the vote, whether or not the forum's word of it arrives.
func TestAPollThatIsGone(t *testing.T) {
	for name, f := range map[string]func(r *rig, topic, post int64) error{
		"topic deleted": func(r *rig, topic, _ int64) error { return r.forum.DeleteTopic("ann", topic) },
		"deleted by us": func(r *rig, topic, _ int64) error {
			_, err := r.inst.Do(r.t.Context(), "delete-topic", discourse.TopicID{ID: topic})
			return err
		},
		"erased": func(r *rig, _, post int64) error { r.forum.Erase(post); return nil },
		"poll edited out": func(r *rig, _, post int64) error {
			return r.forum.EditPost("ann", post, "There was a poll here, and it is gone.")
		},
		"another poll": func(r *rig, _, post int64) error {
			return r.forum.EditPost("ann", post, "[poll public=true]\n* river\n* market\n[/poll]")
		},
		"secret now":       edited("public=true", "public=false"),
		"another question": edited("# Where", "# Nowhere"),
		"another type":     edited("type=regular", "type=multiple"),
		"more choices":     edited("type=regular", "type=multiple min=1 max=2"),
		"for some":         edited("type=regular", "type=regular groups=staff"),
		"another end":      edited("type=regular", "type=regular close=2026-11-20T12:00:00Z"),
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", lost), func(t *testing.T) {
				r := newRig(t)
				p, topic, post := r.bench()
				if lost {
					r.fake.Fail(fakediscourse.Fault{Delivery: "*", Drop: true, Times: -1})
				}
				require.NoError(t, f(r, topic, post))
				if lost {
					r.later(2 * time.Hour)
				}
				r.later(time.Minute)
				out := r.ended(p)
				require.Equal(t, vote.Failed, out.Result)
				require.Equal(t, vote.PostDeleted, out.Reason)
				require.Equal(t, vote.ByDeletion, out.ClosedBy)
				require.Len(t, r.calls("POST /posts"), 1, "there is nobody to tell the result")
			})
		}
	}
}

func TestAPollThatIsClosedByHand(t *testing.T) {
	for name, f := range map[string]func(r *rig, topic, post int64) error{
		"poll":     func(r *rig, _, post int64) error { return r.forum.ClosePoll("ann", post, "poll") },
		"topic":    func(r *rig, topic, _ int64) error { return r.forum.SetStatus("ann", topic, "closed", true) },
		"archived": func(r *rig, topic, _ int64) error { return r.forum.SetStatus("ann", topic, "archived", true) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p, topic, post := r.bench()
			r.votes("Carla", post, 1)
			require.NoError(t, f(r, topic, post))
			r.later(2 * time.Hour)
			out := r.ended(p)
			require.Equal(t, vote.ByPlatform, out.ClosedBy)
			require.Equal(t, "river", out.Winner)
			require.EqualValues(t, 2, out.Turnout.Voters, "all that had voted were read")
		})
	}
}

// A poll with a shortest time is opened again.
func TestAPollThatIsClosedTooEarly(t *testing.T) {
	r := newRig(t)
	p := r.poll(discourse.Poll{Ask: vote.Ask{Title: where, MinMinutes: 24 * 60}})
	post, _ := r.held()
	require.NoError(t, r.forum.ClosePoll("ann", post.ID, "poll"))
	require.NoError(t, r.forum.SetStatus("ann", post.Topic, "closed", true))
	r.later(time.Hour)
	_, poll := r.held()
	require.Equal(t, "open", poll.Status)
	require.Equal(t, gateway.StatusPending, r.process(p).Status)
	r.later(24 * time.Hour)
	require.Equal(t, vote.ByPlatform, r.ended(p).ClosedBy, "the topic stayed closed")
}

// A key that is revoked stops the vote, and another one lets it go on.
func TestAKeyThatIsRevokedInTheMiddleOfAVote(t *testing.T) {
	r := newRig(t)
	closing := r.Clock.Now().Add(time.Hour)
	p := r.poll(discourse.Poll{Ask: vote.Ask{Title: where, ClosingAt: &closing}})
	post, _ := r.held()
	r.votes("bob", post.ID, 1)
	r.forum.RevokeKey(r.key)
	r.later(30 * time.Minute)
	r.votes("Carla", post.ID, 1)
	r.later(2 * time.Hour)
	require.Equal(t, gateway.StatusPending, r.process(p).Status, "it stands still")
	require.NoError(t, r.inst.Reconfigure(t.Context(), discourse.Config{URL: forumURL, WebhookSecret: hookSecret, PerMinute: 10_000, APIKey: gateway.Secret(r.forum.NewKey())}))
	require.NoError(t, r.inst.Resume(t.Context()))
	r.later(time.Minute)
	r.later(time.Minute)
	out := r.ended(p)
	require.Equal(t, vote.Passed, out.Result)
	require.EqualValues(t, 2, out.Turnout.Voters)
}

func TestAForumThatAnswersWithAPageWhenTheVoteCloses(t *testing.T) {
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprint("comes back ", back), func(t *testing.T) {
			r := newRig(t)
			closing := r.Clock.Now().Add(time.Hour)
			p := r.poll(discourse.Poll{Ask: vote.Ask{Title: where, ClosingAt: &closing}})
			post, _ := r.held()
			r.votes("bob", post.ID, 1)
			r.later(59 * time.Minute)
			r.votes("Carla", post.ID, 2)
			r.forum.Maintain(true)
			r.later(2 * time.Minute)
			require.NotEqual(t, gateway.StatusCompleted, r.process(p).Status)
			if back {
				r.forum.Maintain(false)
			}
			r.Advance(15 * time.Minute)
			out := r.ended(p)
			require.Equal(t, vote.ByTime, out.ClosedBy)
			if back {
				require.EqualValues(t, 2, out.Turnout.Voters)
				require.Empty(t, r.process(p).Closing.Note)
				return
			}
			require.EqualValues(t, 1, out.Turnout.Voters, "what was known")
			require.Contains(t, r.process(p).Closing.Note, "could not be read")
			r.forum.Maintain(false)
			r.Advance(2 * time.Hour)
			_, poll := r.held()
			require.Equal(t, "closed", poll.Status)
			require.Len(t, r.calls("POST /posts"), 2, "the result is said when the forum is back")
		})
	}
}

func TestAForumThatMakesNoPollOfIt(t *testing.T) {
	t.Run("too many options", func(t *testing.T) {
		r := newRig(t)
		options := make([]string, 21)
		for i := range options {
			options[i] = fmt.Sprint("option ", i)
		}
		_, err := r.inst.Start(t.Context(), "poll", discourse.Poll{Ask: vote.Ask{Title: where, PollType: vote.Choice, Options: options}})
		require.Equal(t, gateway.Invalid, gateway.CodeOf(err))
		require.ErrorContains(t, err, "less than 20 options")
		require.Empty(t, r.forum.Topics())
	})
	t.Run("short title", func(t *testing.T) {
		r := newRig(t)
		_, err := r.inst.Start(t.Context(), "poll", discourse.Poll{Ask: vote.Ask{Title: "Lunch?"}})
		require.Equal(t, gateway.Invalid, gateway.CodeOf(err))
		require.ErrorContains(t, err, "Title is too short")
		r.poll(discourse.Poll{TopicTitle: "What shall there be for lunch?", Ask: vote.Ask{Title: "Lunch?"}})
	})
	t.Run("polls are off", func(t *testing.T) {
		r := newRig(t)
		r.fake.Fail(fakediscourse.Fault{Route: "GET /posts/{id}", Body: `{"id":1,"topic_id":1,"post_number":1}`})
		_, err := r.inst.Start(t.Context(), "poll", discourse.Poll{Ask: vote.Ask{Title: where}})
		require.Equal(t, gateway.Invalid, gateway.CodeOf(err))
		require.ErrorContains(t, err, "made no poll")
		require.Len(t, r.calls("DELETE /t/{id}"), 1, "it is taken away again")
	})
	t.Run("approved first", func(t *testing.T) {
		r := newRig(t)
		r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", Body: `{"success":true,"action":"enqueued","pending_post":{"id":7}}`})
		_, err := r.inst.Start(t.Context(), "poll", discourse.Poll{Ask: vote.Ask{Title: where}})
		require.Equal(t, gateway.Denied, gateway.CodeOf(err))
		r.later(time.Hour)
		require.Len(t, r.calls("POST /posts"), 1)
	})
	t.Run("staff only", func(t *testing.T) {
		r := newRig(t, func(s *setup) {
			s.config.APIUsername, s.key = "Carla", []fakediscourse.KeyOption{fakediscourse.ForUser("Carla")}
		})
		_, err := r.inst.Start(t.Context(), "poll", discourse.Poll{Results: "staff_only", Ask: vote.Ask{Title: where}})
		require.Equal(t, gateway.Denied, gateway.CodeOf(err))
	})
}

// Whatever is lost on the way, there is one poll.
func TestThePollIsMadeOnceWhateverIsLost(t *testing.T) {
	for name, fault := range map[string]fakediscourse.Fault{
		"before":      {CloseBefore: true},
		"after":       {LoseAnswer: true},
		"page":        {Status: 502, Body: "<html>Bad gateway</html>"},
		"rate":        {RetryAfter: 20 * time.Second},
		"after twice": {LoseAnswer: true, Times: 2},
	} {
		for _, reply := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", reply), func(t *testing.T) {
				r := newRig(t)
				in := discourse.Poll{Ask: vote.Ask{Title: where}}
				if reply {
					in.TopicID, _ = r.topic("bob")
				}
				fault.Route = "POST /posts"
				r.fake.Fail(fault)
				p, err := r.inst.Start(t.Context(), "poll", in)
				require.NoError(t, err)
				for range 5 {
					r.later(time.Minute)
				}
				require.Equal(t, gateway.StatusPending, r.process(p).Status)
				require.Len(t, r.forum.Topics(), 1)
				v := r.forum.Topics()[0]
				require.Len(t, v.Posts, map[bool]int{false: 1, true: 2}[reply])
				require.NotEmpty(t, r.process(p).URL)

				r.fake.Fail(fault) // and so is the result said once
				_, err = r.c.Close(t.Context(), p.ID)
				require.NoError(t, err)
				for range 5 {
					r.later(time.Minute)
				}
				require.Len(t, r.forum.Topics()[0].Posts, map[bool]int{false: 2, true: 3}[reply])
			})
		}
	}
}

// A forum that limits the rate tells of ten thousand voters in some minutes; what was read is kept meanwhile.
func TestTenThousandVoters(t *testing.T) {
	r := newRig(t)
	p := r.poll(discourse.Poll{Ask: vote.Ask{Title: where, PollType: vote.Approval, Options: []string{"river", "hill", "market"}}})
	post, _ := r.held()
	names := r.forum.AddUsers("voter", 10_000)
	require.NoError(t, r.forum.VoteMany(post.ID, "poll", names, func(i int) []int {
		if i%4 == 0 {
			return []int{1, 3}
		}
		return []int{1 + i%3}
	}))
	limits := r.fake.Fail(fakediscourse.Fault{Route: "GET /polls/voters", Skip: 100, RetryAfter: 5 * time.Second, Times: 1})
	for range 10 {
		if r.Advance(30 * time.Second); r.process(p).Voters == 10_000 {
			break
		}
	}
	require.Equal(t, 1, limits.Hits())
	_, poll := r.held()
	pages := 0
	want := map[string]int64{}
	for i, o := range poll.Options {
		pages += len(o.Voters)/50 + 1
		want[[]string{"river", "hill", "market"}[i]] = int64(len(o.Voters))
	}
	require.Equal(t, want, r.counts(p))
	calls := r.calls("GET /polls/voters")
	require.LessOrEqual(t, len(calls), pages+2, "no page was read twice")
	for _, c := range calls {
		require.Contains(t, c.Query.Encode(), "limit=50")
	}
}
