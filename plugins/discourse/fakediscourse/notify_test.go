package fakediscourse_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// Where notifications are on, webhooks hear who is mentioned, quoted, replied to, written to and liked.
func TestNotifications(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.Set(func(s *fakediscourse.Settings) { s.Notifications = true })
	told := func() (out [][]any) {
		for _, g := range w.heard() {
			if g.header.Get("X-Discourse-Event") == "notification_created" {
				a := answer{body: g.body}
				out = append(out, []any{a.at(t, "notification", "user_id"), a.at(t, "notification", "notification_type")})
			}
		}
		return out
	}
	topic, post := w.topic("I ask @carla, @nobody and @bob about it.")
	require.Equal(t, [][]any{{43.0, 1.0}}, told())
	_, err := w.f.Reply("joshua", topic, "[quote=\"Carla, post:1, topic:1\"]\nx\n[/quote]\n\n"+hello)
	require.NoError(t, err)
	require.Equal(t, [][]any{{43.0, 3.0}, {42.0, 2.0}}, told())
	require.NoError(t, w.f.Like("carla", post))
	require.Equal(t, [][]any{{42.0, 5.0}}, told())
	_, _, err = w.f.Message("bob", []string{"carla"}, "Between us", hello)
	require.NoError(t, err)
	require.Equal(t, [][]any{{43.0, 6.0}}, told())

	// What somebody must not see, they are not told of.
	secret := w.f.AddCategory("Secret", "staff")
	_, _, err = w.f.Post("ann", fakediscourse.NewTopic{Title: "For staff alone, this", Raw: "Not for you, @carla and others.", Category: secret})
	require.NoError(t, err)
	require.Empty(t, told())
}
