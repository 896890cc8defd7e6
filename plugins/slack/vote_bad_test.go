package slack_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

func clickBody(team, user, channel, ts, process string) string {
	return form(fmt.Sprintf(`{"type":"block_actions","team":{"id":%q},"user":{"id":%q},"trigger_id":"x%s%s%s","container":{"message_ts":%q,"channel_id":%q},
		"actions":[{"action_id":"cast_vote","block_id":"gw:%s:option0","value":"0","action_ts":"1793620801.1"}]}`, team, user, team, user, ts, ts, channel, process))
}

// Two workspaces of one app have the same channel and user IDs, and one of them is asked for by two communities.
func TestAClickOnAForeignVoteDoesNotCount(t *testing.T) {
	r := newRig(t)
	one := r.town("T1")
	p, m := one.vote(slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
	two := r.town("T2")
	q, n := two.vote(slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
	c, err := r.CreateCommunity(t.Context(), "other", "Other")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "slack", slack.Config{BotToken: gateway.Secret(one.w.BotToken())})
	require.NoError(t, err)

	require.Equal(t, 200, r.post(clickBody("T2", "UANN", "CHALL", m.TS, p.ID)).StatusCode) // the other workspace
	require.Equal(t, 200, r.post(clickBody("T1", "UANN", "CPARK", m.TS, p.ID)).StatusCode) // a copy in another channel
	r.due()
	p, _ = one.again(p, m)
	require.Zero(t, p.Voters)
	require.Equal(t, 200, r.post(clickBody("T1", "UBOB", "CHALL", m.TS, p.ID)).StatusCode) // for both communities, and one of them has the vote
	forged := r.post(clickBody("T1", "UCID", "CHALL", m.TS, p.ID), func(h *http.Request) { h.Header.Set("X-Slack-Signature", "v0=00") })
	require.Equal(t, 401, forged.StatusCode)
	r.due()
	p, _ = one.again(p, m)
	require.EqualValues(t, 1, p.Voters)
	q, _ = two.again(q, n)
	require.Zero(t, q.Voters)
}

func TestClicksOnVotesThatAreOver(t *testing.T) {
	for name, end := range map[string]func(*town, gateway.Process, fakeslack.Message) error{
		"closed": func(w *town, p gateway.Process, _ fakeslack.Message) error {
			_, err := w.c.Close(t.Context(), p.ID)
			return err
		},
		"cancelled": func(w *town, p gateway.Process, _ fakeslack.Message) error {
			_, err := w.c.Cancel(t.Context(), p.ID)
			return err
		},
		"deleted": func(w *town, _ gateway.Process, m fakeslack.Message) error {
			return w.w.Delete(t.Context(), "UADMIN", m.Channel, m.TS)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRig(t).town("T1")
			p, m := w.vote(slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
			w.click("UBOB", m, "0")
			require.NoError(t, end(w, p, m))
			w.due()
			require.Equal(t, 200, w.post(clickBody("T1", "UANN", "CHALL", m.TS, p.ID)).StatusCode)
			w.due()
			require.Len(t, w.w.Ephemerals("UANN"), 1)
			require.Contains(t, w.w.Ephemerals("UANN")[0].Text, "closed")
			p, err := w.c.Process(t.Context(), p.ID)
			require.NoError(t, err)
			require.EqualValues(t, 1, outcome(t, p).Turnout.Voters)
		})
	}
}

// Whatever Slack answers, a vote starts later or is refused with a reason, is shown in the end, and no ballot is lost.
func TestWhateverSlackAnswersNoVoteIsLost(t *testing.T) {
	for name, f := range map[string]fakeslack.Fault{
		"429": {RetryAfter: 30 * time.Second}, "500": {Status: 500}, "HTML": {Body: "<html>"}, "nothing": {CloseBefore: true}, "lost": {LoseAnswer: true},
		"internal_error": {Error: "internal_error"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRig(t).town("T1")
			f.Method = "chat.postMessage"
			w.fake.Fail(f)
			p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
			require.NoError(t, err)
			for range 5 {
				w.later(time.Minute)
			}
			p, err = w.c.Process(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, gateway.StatusPending, p.Status)
			require.Len(t, w.w.Messages("CHALL"), 1)
			m := w.message(p)
			f.Method, f.Times = "chat.update", 2
			w.fake.Fail(f)
			w.click("UANN", m, "0")
			calls := len(w.fake.CallsTo("chat.update"))
			w.later(2 * time.Second)
			require.LessOrEqual(t, len(w.fake.CallsTo("chat.update")), calls+1, "it is not asked again at once")
			for range 5 {
				w.later(time.Minute)
			}
			p, m = w.again(p, m)
			require.EqualValues(t, 1, p.Voters)
			require.Contains(t, texts(m), "`1`")
		})
	}
	for _, code := range []string{"channel_not_found", "is_archived", "restricted_action", "msg_too_long"} {
		w := newRig(t).town("T1")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Error: code})
		_, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
		require.ErrorContains(t, err, code)
		require.NotEqual(t, gateway.Internal, gateway.CodeOf(err))
		require.Empty(t, w.w.Messages("CHALL"))
	}
}

func TestTheBotIsRemovedInTheMiddle(t *testing.T) {
	w := newRig(t).town("T1")
	p, m := w.vote(slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
	require.NoError(t, w.w.Kick(t.Context(), "UADMIN", "CHALL", w.w.BotUserID()))
	w.click("UANN", m, "0")
	for range 3 {
		w.later(time.Minute)
	}
	n := len(w.fake.Calls())
	w.later(time.Hour)
	require.Len(t, w.fake.Calls(), n)
	p, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1, outcome(t, p).Turnout.Voters)
}
