package discourse_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
	"github.com/metagov/gateway-go/vote"
)

// A poll that is moved into another topic goes on there: what becomes of the old topic is nothing to it, and the result is said in the new one.
func TestAPollThatIsMoved(t *testing.T) {
	for name, f := range map[string]func(r *rig, old int64) error{
		"closed":  func(r *rig, old int64) error { return r.forum.SetStatus("ann", old, "closed", true) },
		"deleted": func(r *rig, old int64) error { return r.forum.DeleteTopic("ann", old) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			old, _ := r.topic("bob")
			next, _, err := r.forum.Post("bob", fakediscourse.NewTopic{Title: "All about the bench by the river", Raw: "Here we go on, since the other one is too long."})
			require.NoError(t, err)
			p := r.poll(discourse.Poll{TopicID: old, Ask: vote.Ask{Title: where}})
			v, _ := r.forum.Topic(old)
			post := v.Posts[1]
			r.votes("bob", post, 1)
			require.NoError(t, r.forum.MovePost("ann", post, next))
			require.NoError(t, f(r, old))
			r.later(2 * time.Hour)
			require.Equal(t, gateway.StatusPending, r.process(p).Status)
			require.Contains(t, r.process(p).URL, "/"+itoa(next)+"/2")
			r.votes("Carla", post, 1)
			require.NoError(t, r.forum.SetStatus("ann", next, "closed", true))
			r.later(time.Minute)
			out := r.ended(p)
			require.Equal(t, vote.ByPlatform, out.ClosedBy)
			require.EqualValues(t, 2, out.Turnout.Voters)
			r.later(time.Minute)
			v, _ = r.forum.Topic(next)
			said := ""
			for _, id := range v.Posts {
				p, _ := r.forum.PostByID(id)
				said += p.Raw
			}
			require.Contains(t, said, "is closed. Result: **passed**")
		})
	}
}

// A poll that went to another post, with a topic that was merged into another, is not the vote's any more.
func TestAPollThatWentToAnotherPost(t *testing.T) {
	r := newRig(t)
	p, topic, post := r.bench()
	v, _ := r.forum.PostByID(post)
	left, err := json.Marshal(map[string]any{"id": post, "topic_id": topic, "post_number": 1, "version": 1, "raw": v.Raw})
	require.NoError(t, err)
	r.fake.Fail(fakediscourse.Fault{Route: "GET /posts/{id}", Body: string(left), Times: -1})
	r.later(2 * time.Hour)
	out := r.ended(p)
	require.Equal(t, vote.ByDeletion, out.ClosedBy)
	require.Contains(t, r.process(p).Closing.Note, "moved")
}

// A forum whose polls are switched off for a while ends no vote.
func TestPollsThatAreSwitchedOff(t *testing.T) {
	r := newRig(t)
	p, _, post := r.bench()
	off := func(on bool) { r.forum.Set(func(s *fakediscourse.Settings) { s.PollsOff = on }) }
	off(true)
	r.later(3 * time.Hour)
	require.Equal(t, gateway.StatusPending, r.process(p).Status)
	_, err := r.c.Command(t.Context(), p.ID, "finish", nil)
	require.Equal(t, gateway.Unavailable, gateway.CodeOf(err))
	require.ErrorContains(t, err, "switched off")
	off(false)
	r.votes("Carla", post, 1)
	r.later(3 * time.Hour)
	require.Equal(t, map[string]int64{"river": 2}, r.counts(p))
}
