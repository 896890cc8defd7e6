package discourse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// routes are the calls that change something or ask about somebody, in order.
func (r *rig) routes(since int) []string {
	var out []string
	for _, call := range r.fake.Calls()[since:] {
		out = append(out, call.Route)
	}
	return out
}

// killed goes on as a program does after it was killed.
func (r *rig) killed() {
	r.t.Helper()
	r.Restart()
	r.c = r.Community("town")
	var err error
	r.inst, err = r.c.Instance(r.t.Context(), "discourse")
	require.NoError(r.t, err)
}

// Somebody was banned elsewhere: the driver asks what they are here, suspends them, and writes to them; it is killed after each step, and asks for
// each again. Each happens once, in order, and is known as ours.
func TestABanFromElsewhere(t *testing.T) {
	r := newRig(t)
	begun := len(r.fake.Calls())
	bob := discourse.Person{UserID: "42"}
	suspend := discourse.Suspend{Person: bob, Reason: "harassment on another platform, decision 7"}
	tell := discourse.CreateMessage{Title: "You were suspended here too", Raw: "Because of decision 7. You may appeal to the moderators.", UserIDs: []string{"42"}}

	for range 2 {
		got := do[discourse.Account](r, "get-user", bob)
		require.False(t, got.Admin || got.Moderator)
		r.killed()
	}
	for range 2 {
		do[discourse.Done](r, "suspend", suspend, gateway.Once("decision-7/suspend"))
		r.killed()
	}
	for range 2 {
		do[discourse.Written](r, "create-message", tell, gateway.Once("decision-7/tell"))
		r.killed()
	}
	require.Equal(t, []string{
		"GET /admin/users/{id}", "GET /admin/users/{id}", // is it the staff's?
		"PUT /admin/users/{id}/suspend",
		"GET /admin/users/{id}", // the forum tells of it, and is asked who it was
		"GET /admin/users/{id}", // their name
		"POST /posts",
	}, r.routes(begun))
	r.due()
	for _, typ := range []string{"user_suspended", "topic_created", "post_created"} {
		for _, e := range r.Events(typ) {
			require.True(t, e.Bot, typ)
			require.NotEmpty(t, e.Cause, typ)
		}
	}
	u, _ := r.forum.User("bob")
	require.Equal(t, suspend.Reason, u.SuspendReason)
}

// Somebody is suspended here by a person: the event says who did it, and why, so that it can be done elsewhere.
func TestABanFromHere(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(100*365*24*time.Hour), "harassment: see topic 7"))
	e := r.one("user_suspended")
	require.Equal(t, "90", e.Initiator)
	require.Empty(t, e.Cause)
	require.Contains(t, string(e.Data), "harassment: see topic 7")
}

// A person and we suspend somebody at the same time: what was theirs is not taken for ours.
func TestTwoBansAtOnce(t *testing.T) {
	r := newRig(t)
	held := r.fake.Fail(fakediscourse.Fault{Route: "PUT /admin/users/{id}/suspend", Hold: true})
	done := make(chan error, 1)
	go func() {
		_, err := r.inst.Do(t.Context(), "suspend", discourse.Suspend{Person: discourse.Person{UserID: "42"}, Reason: "decision 7"})
		done <- err
	}()
	require.NoError(t, held.Wait(t.Context()))
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(time.Hour), "spam"))
	r.due()
	require.Len(t, r.Events("user_suspended"), 1, "the forum says whose it was")
	held.Release()
	require.Equal(t, gateway.Conflict, gateway.CodeOf(<-done), "theirs is shorter")
	e := r.one("user_suspended")
	require.Equal(t, "90", e.Initiator)
	require.Empty(t, e.Cause)
	require.False(t, e.Bot)
}
