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

// withUserKey enables the forum with a user API key of bob's, in place of an API key.
func withUserKey(key *string, scopes ...string) func(*setup) {
	return func(s *setup) {
		s.config.APIKey = "none"
		s.people = func(f *fakediscourse.Forum) {
			*key = f.NewUserKey("bob", scopes...)
			s.config.UserAPIKey = gateway.Secret(" " + *key + "\n")
		}
	}
}

func TestAUserAPIKeyActsAsThePersonWhoGaveIt(t *testing.T) {
	var key string
	r := newRig(t, withUserKey(&key, "read", "write"))
	target, err := r.inst.WebhookURL(t.Context())
	require.NoError(t, err)
	_, err = r.forum.AddWebhook(fakediscourse.Webhook{URL: target, Secret: hookSecret})
	require.NoError(t, err)
	made := do[discourse.Written](r, "create-topic", discourse.CreateTopic{Title: "A bench for the square", Raw: "There is none, and people stand.", Category: 4})
	post, ok := r.forum.PostByID(made.ID)
	require.True(t, ok)
	require.EqualValues(t, 42, post.Author)

	require.True(t, r.one("topic_created").Bot)
	r.topic("bob") // by themselves, and not by the gateway
	r.due()
	mine := r.Events("topic_created")
	require.Len(t, mine, 2)
	require.Equal(t, "42", mine[1].Initiator)
	require.False(t, mine[1].Bot)

	closing := r.Clock.Now().Add(time.Hour)
	p, err := r.inst.Start(t.Context(), "poll", discourse.Poll{Ask: vote.Ask{Title: "Where is the bench to stand?", PollType: vote.Choice, Options: []string{"left", "right"}, ClosingAt: &closing}})
	require.NoError(t, err)
	r.due()
	topics := r.forum.Topics()
	require.NoError(t, r.forum.VoteInPoll("Carla", topics[len(topics)-1].Posts[0], "poll", 2))
	r.Advance(2 * time.Hour)
	r.due()
	p, err = r.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	var out vote.Outcome
	require.NoError(t, p.DecodeOutcome(&out))
	require.Equal(t, "right", out.Winner)
	for _, c := range r.fake.Calls() {
		require.Contains(t, []string{"none", "user"}, c.Key, "%s %s", c.Method, c.Path)
	}
}

// A forum takes no external ID from a user API key: what was opened is found all the same, and not opened twice.
func TestLostAnswersToAUserAPIKey(t *testing.T) {
	for name, open := range map[string]func(r *rig) error{
		"topic": func(r *rig) error {
			_, err := r.inst.Do(r.t.Context(), "create-topic", discourse.CreateTopic{Title: "A bench for the square", Raw: somewhere}, gateway.Once("open"))
			return err
		},
		"message": func(r *rig) error {
			_, err := r.inst.Do(r.t.Context(), "create-message", discourse.CreateMessage{Title: "A bench for the square", Raw: somewhere, Usernames: []string{"ann"}}, gateway.Once("open"))
			return err
		},
		"poll": func(r *rig) error {
			p, err := r.inst.Start(r.t.Context(), "poll", discourse.Poll{Ask: vote.Ask{Title: "A bench for the square?"}}, gateway.Once("open"))
			if err == nil {
				p, err = r.c.Process(r.t.Context(), p.ID)
			}
			if err == nil && p.URL == "" {
				err = gateway.Errorf(gateway.Unknown, "it has no post")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var key string
			r := newRig(t, withUserKey(&key, "read", "write"))
			r.topic("bob") // of their own, a moment before
			r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", LoseAnswer: true})
			err := open(r)
			for range 3 {
				if err == nil {
					break
				}
				r.Advance(time.Minute)
				r.due()
				err = open(r)
			}
			require.NoError(t, err)
			require.Len(t, r.calls("POST /posts"), 1)
			require.Len(t, r.forum.Topics(), 2)
		})
	}
}

func TestUserAPIKeysThatAreRefused(t *testing.T) {
	var key string
	r := newRig(t, withUserKey(&key, "read"))
	require.ErrorIs(t, r.refusal("create-topic", discourse.CreateTopic{Title: "A bench for the square", Raw: "There is none, and people stand."}), gateway.Denied)
	status, _, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status, "the key lacks a scope, and works")

	blind := gateway.Secret(r.forum.NewUserKey("bob", "write"))
	for name, c := range map[string]struct {
		config discourse.Config
		code   gateway.Code
		says   string
	}{
		"beside an API key": {discourse.Config{URL: forumURL, APIKey: gateway.Secret(r.key), UserAPIKey: gateway.Secret(key)}, gateway.Invalid, "not beside it"},
		"of nobody's":       {discourse.Config{URL: forumURL, UserAPIKey: "made-up"}, gateway.Denied, "does not take the key"},
		"that cannot read":  {discourse.Config{URL: forumURL, UserAPIKey: blind}, gateway.Denied, "session_info"},
	} {
		err := r.inst.Reconfigure(t.Context(), c.config)
		require.ErrorIs(t, err, c.code, name)
		require.ErrorContains(t, err, c.says, name)
	}

	r.forum.RevokeUserKey(key)
	r.refusal("get-user", discourse.Person{Username: "ann"})
	status, reason, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "paused", status)
	require.Contains(t, reason, gateway.BadCredentials)
}
