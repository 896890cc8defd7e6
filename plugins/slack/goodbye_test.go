package slack_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

// installed is a town that was installed by OAuth.
func installed(t *testing.T, opts ...rigOption) *town {
	t.Helper()
	r := oauthRig(t, opts...)
	w := r.fresh("T1")
	w.AddUser("UBOB", "bob")
	got, _ := r.browse(gateway.AuthRequest{}, "T1", "UADMIN")
	require.Equal(t, gateway.Install, got.Type)
	w.AddChannel("CVOTE", "votes", "UADMIN", "UANN", "UBOB").WithApp()
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), got.Instance)
	require.NoError(t, err)
	return &town{r, w, c, inst}
}

func (w *town) paused() bool {
	w.t.Helper()
	status, reason, err := w.inst.Status(w.t.Context())
	require.NoError(w.t, err)
	if status == "paused" {
		require.Equal(w.t, gateway.BadCredentials, reason)
	}
	return status == "paused"
}

// The token is revoked in the middle of a vote. Clicks wait, and count when the app is installed again, by the time at which they were made.
func TestATokenThatIsRevokedInTheMiddleOfAVote(t *testing.T) {
	for name, end := range map[string]func(*town){
		"revoked":     func(w *town) { w.w.RevokeTokens(w.w.BotUserID()) },
		"uninstalled": func(w *town) { w.w.Uninstall() },
	} {
		t.Run(name, func(t *testing.T) {
			w := installed(t)
			closing := w.clock.now().Add(time.Hour)
			p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Ask: vote.Ask{Title: "Soup?", ClosingAt: &closing}, Channel: "CVOTE"})
			require.NoError(t, err)
			w.due()
			list := w.w.Messages("CVOTE")
			m := list[len(list)-1]
			w.click("UANN", m, "0")
			end(w)
			require.NoError(t, w.fake.Flush(t.Context()))
			w.due()
			require.True(t, w.paused())

			at := w.clock.now()
			click := func(user, ts string) {
				body := `{"type":"block_actions","team":{"id":"T1"},"user":{"id":"` + user + `"},"trigger_id":"` + user + `.1","container":{"message_ts":"` + m.TS + `","channel_id":"CVOTE"},
					"actions":[{"action_id":"cast_vote","block_id":"gw:` + p.ID + `:option0","value":"0","action_ts":"` + ts + `"}]}`
				a, err := w.fake.Send(t.Context(), []byte(body))
				require.NoError(t, err)
				require.Equal(t, 200, a.Status)
			}
			click("UBOB", stamp(at.Add(time.Minute)))
			w.later(10 * time.Minute)
			_, err = w.inst.Do(t.Context(), "get-team", slack.GetTeam{})
			require.ErrorIs(t, err, gateway.Conflict, "a paused instance says so")
			before, err := w.c.Process(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, map[string]int64{"yes": 1}, counts(before), "the click waits")

			got, _ := w.browse(gateway.AuthRequest{}, "T1", "UADMIN")
			require.Equal(t, w.inst.Name(), got.Instance)
			require.False(t, w.paused())
			w.due()
			click("UADMIN", stamp(closing.Add(time.Second))) // by Slack's time it is too late, by ours it is not
			w.due()
			w.later(time.Hour)
			w.later(2 * time.Second)
			p, err = w.c.Process(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, gateway.StatusCompleted, p.Status)
			require.Equal(t, map[string]int64{"yes": 2}, counts(p), "Ann before, Bob meanwhile, nobody after the end")
		})
	}
}

// stamp writes a time as Slack does.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000) }

// Slack says that tokens were revoked, and the one that we have works: the delivery was late, or meant somebody else's.
func TestGoodbyesThatAreNot(t *testing.T) {
	w := installed(t)
	for i, event := range []string{
		`{"type":"tokens_revoked","tokens":{"oauth":["UANN"],"bot":[]}}`,
		`{"type":"tokens_revoked","tokens":{"oauth":[],"bot":["U0"]}}`,
		`{"type":"app_uninstalled"}`, `{"type":"team_access_revoked","team_ids":["T1"]}`,
	} {
		a, err := w.fake.Send(t.Context(), []byte(`{"type":"event_callback","team_id":"T1","event_id":"EvG`+string(rune('0'+i))+`","event_time":1793620800,"event":`+event+`}`))
		require.NoError(t, err)
		require.Equal(t, 200, a.Status)
		w.due()
		require.False(t, w.paused(), event)
	}
	require.Len(t, w.events("tokens_revoked"), 2, "drivers hear of them")
	require.Len(t, w.events("app_uninstalled"), 1)
	require.Len(t, w.events("team_access_revoked"), 1)

	// The goodbye comes after the app was installed again.
	w.w.Uninstall()
	lost := w.fake.Fail(fakeslack.Fault{Delivery: "app_uninstalled", Late: time.Minute})
	_, _ = w.browse(gateway.AuthRequest{}, "T1", "UADMIN")
	require.NoError(t, w.fake.Flush(t.Context()))
	w.clock.advance(2 * time.Minute)
	w.fake.RetryDue(t.Context())
	w.due()
	require.False(t, w.paused())
	lost.Remove()
}

// Slack being down is not a reason to pause.
func TestAGoodbyeIsLookedIntoAgainWhileSlackIsDown(t *testing.T) {
	w := installed(t)
	down := w.fake.Fail(fakeslack.Fault{Method: "auth.test", Status: 503, Times: -1})
	w.w.Uninstall()
	require.NoError(t, w.fake.Flush(t.Context()))
	w.due()
	require.False(t, w.paused())
	down.Remove()
	w.later(time.Hour)
	require.True(t, w.paused())
}

// Each goodbye alone is reason enough to look.
func TestEveryGoodbyePausesIfItIsOne(t *testing.T) {
	for _, event := range []string{
		`{"type":"tokens_revoked","tokens":{"oauth":[],"bot":["U0"]}}`, `{"type":"app_uninstalled"}`, `{"type":"team_access_revoked","team_ids":["T1"]}`,
	} {
		w := installed(t)
		w.fake.Fail(fakeslack.Fault{Method: "auth.test", Error: "account_inactive", Times: -1})
		_, err := w.fake.Send(t.Context(), []byte(`{"type":"event_callback","team_id":"T1","event_id":"EvB","event_time":1793620800,"event":`+event+`}`))
		require.NoError(t, err)
		w.due()
		require.True(t, w.paused(), event)
	}
}

// A call that began with the old token ends with that of the new installation, and does not pause it.
func TestACallThatOutlivesItsInstallation(t *testing.T) {
	w := installed(t)
	hold := w.fake.Fail(fakeslack.Fault{Method: "users.info", Hold: true})
	done := make(chan error, 1)
	go func() {
		_, err := w.inst.Do(t.Context(), "get-user", slack.GetUser{User: "UANN"})
		done <- err
	}()
	require.NoError(t, hold.Wait(t.Context()))
	w.w.Uninstall()
	got, _ := w.browse(gateway.AuthRequest{}, "T1", "UADMIN")
	require.Equal(t, gateway.Install, got.Type)
	hold.Release()
	require.NoError(t, <-done)
	require.NoError(t, w.fake.Flush(t.Context()))
	w.due()
	require.False(t, w.paused())
}
