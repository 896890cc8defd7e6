package slack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

func (w *town) press(user string, m fakeslack.Message, action string) {
	w.t.Helper()
	a, err := w.w.Click(w.t.Context(), user, m.Channel, m.TS, action, "")
	require.NoError(w.t, err)
	require.Equal(w.t, 200, a.Status)
	w.due()
}

func TestWhoMayCallItOffDoesAndNobodyElse(t *testing.T) { // S-185
	w := newRig(t).town("T1")
	p, m := w.vote(slack.Vote{Channel: "CHALL", MayCancel: []string{"UBOB"}, Ask: vote.Ask{Title: "Lunch?", MayClose: []string{"UANN"}}})
	require.Contains(t, string(m.Blocks), `"confirm"`)
	w.click("UANN", m, "0")
	w.press("UANN", m, "cancel_vote")
	require.Contains(t, w.w.Ephemerals("UANN")[0].Text, "call this vote off")
	w.press("UBOB", m, "close_vote")
	require.Contains(t, w.w.Ephemerals("UBOB")[0].Text, "close this vote")
	p, _ = w.again(p, m)
	require.Equal(t, gateway.StatusPending, p.Status)
	w.press("UBOB", m, "cancel_vote")
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	out := outcome(t, p)
	require.Equal(t, vote.Cancelled, out.Result)
	require.Equal(t, vote.ByPerson, out.ClosedBy)
	require.Equal(t, "UBOB", out.ClosedByUser)
	require.True(t, p.Closing.Cancel)
	require.Contains(t, texts(m), "called off")
	require.NotContains(t, string(m.Blocks), "action_id")
}

func TestTheResultIsPublishedWhereItWasAskedFor(t *testing.T) { // S-187
	w := newRig(t).town("T1")
	hold := func(v slack.Vote) (gateway.Process, fakeslack.Message) {
		v.Title, v.PollType, v.Options = "*Which* <!here> {winner}?", vote.Choice, []string{"R&D {url}", "_Ops_"}
		p, m := w.vote(v)
		w.click("UANN", m, "0")
		_, err := w.c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		for range 3 {
			w.later(2 * time.Second)
		}
		return w.again(p, m)
	}
	t.Run("message", func(t *testing.T) {
		_, m := hold(slack.Vote{Channel: "CHALL"})
		require.Contains(t, texts(m), "*Result:*\nR&D {url}\n")
		require.Empty(t, w.replies(m))
	})
	t.Run("thread", func(t *testing.T) {
		_, m := hold(slack.Vote{Channel: "CHALL", Publish: "thread", PublishText: "{title} ended: {winner} ({turnout})\n{counts} <{url}|see>"})
		require.Len(t, w.replies(m), 1)
		said := w.replies(m)[0].Text
		require.Contains(t, said, "R&amp;D {url} (1 voted)", "what people wrote is no template")
		require.Contains(t, said, "{winner}? ended")
		require.Contains(t, said, "<https://")
		require.NotContains(t, said, "<!here>")
		require.NotContains(t, said, "*Which*")
		require.NotContains(t, said, "_Ops_")
	})
	t.Run("channel", func(t *testing.T) {
		before := len(w.w.Messages("CPARK"))
		hold(slack.Vote{Channel: "CHALL", Publish: "channel", PublishChannel: "CPARK"})
		require.Len(t, w.w.Messages("CPARK"), before+1)
	})
	t.Run("none, and later by the driver", func(t *testing.T) {
		p, m := hold(slack.Vote{Channel: "CHALL", Publish: "none", Ask: vote.Ask{Secrecy: vote.Hidden}})
		require.NotContains(t, texts(m), "Result")
		require.NotContains(t, texts(m), "`1`")
		require.Contains(t, texts(m), "closed")
		for range 2 {
			raw, err := w.c.Command(t.Context(), p.ID, "publish", slack.Publish{Text: "Won: {winner}"}, gateway.Once("say "+p.ID))
			require.NoError(t, err)
			require.Contains(t, string(raw), `"ts"`)
		}
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		for range 2 {
			_, err := w.c.Command(t.Context(), p.ID, "publish", slack.Publish{Where: "channel", Channel: "CPARK"}, gateway.Once("again "+p.ID))
			require.NoError(t, err)
		}
		require.Len(t, w.replies(m), 1, "once")
		require.Equal(t, "Won: R&amp;D {url}", w.replies(m)[0].Text)
		_, err := w.c.Command(t.Context(), p.ID, "publish", slack.Publish{Where: "message"})
		require.NoError(t, err)
		_, m = w.again(p, m)
		require.Contains(t, texts(m), "*Result:*\nR&D")
	})
	t.Run("refused", func(t *testing.T) {
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Skip: 1, Error: "restricted_action"})
		p, m := hold(slack.Vote{Channel: "CHALL", Publish: "thread"})
		n := len(w.fake.Calls())
		for range 5 {
			w.later(time.Hour)
		}
		require.Len(t, w.fake.Calls(), n, "it is not tried for ever")
		require.Equal(t, vote.Passed, outcome(t, p).Result)
		require.Empty(t, w.replies(m))
	})
	t.Run("lost, limited, broken", func(t *testing.T) {
		for i, f := range []fakeslack.Fault{{LoseAnswer: true}, {RetryAfter: time.Minute}, {Status: 500}, {Body: "<html>"}, {CloseBefore: true}} {
			f.Method, f.Skip = "chat.postMessage", 1
			w.fake.Fail(f)
			_, m := hold(slack.Vote{Channel: "CHALL", Publish: "thread"})
			for range 4 {
				w.later(2 * time.Minute)
			}
			require.Len(t, w.replies(m), 1, "%d", i)
		}
	})
}

func TestMoreTime(t *testing.T) {
	w := newRig(t).town("T1")
	closing := w.clock.now().Add(time.Hour)
	p, m := w.vote(slack.Vote{Channel: "CHALL", Ask: vote.Ask{Reminders: []int{30}, Title: "Lunch?", ClosingAt: &closing}})
	later := closing.Add(time.Hour)
	_, err := w.c.Command(t.Context(), p.ID, "extend", slack.Extend{ClosingAt: later})
	require.NoError(t, err)
	_, now := w.again(p, m)
	require.Contains(t, texts(now), "14:00 UTC")
	w.later(time.Hour)
	require.Empty(t, w.replies(m))
	w.click("UANN", m, "0")
	w.later(31 * time.Minute)
	require.Len(t, w.replies(m), 1)
	for _, at := range []time.Time{{}, w.clock.now(), w.clock.now().AddDate(11, 0, 0)} {
		_, err = w.c.Command(t.Context(), p.ID, "extend", slack.Extend{ClosingAt: at})
		require.ErrorIs(t, err, gateway.Invalid)
	}
	w.later(30 * time.Minute)
	p, _ = w.again(p, m)
	require.EqualValues(t, 1, outcome(t, p).Turnout.Voters)
	_, err = w.c.Command(t.Context(), p.ID, "extend", slack.Extend{ClosingAt: later.AddDate(0, 0, 1)})
	require.ErrorIs(t, err, gateway.Conflict)
}

func TestReminders(t *testing.T) {
	w := newRig(t).town("T1")
	closing := w.clock.now().Add(2 * time.Hour)
	_, m := w.vote(slack.Vote{Channel: "CHALL", Ask: vote.Ask{Reminders: []int{60, 5}, Title: "*Lunch*", ClosingAt: &closing}})
	ask := vote.Ask{Reminders: []int{60}, Title: "Supper", ClosingAt: &closing, EligibleVoters: []string{"UANN", "UBOB", "UCID"}, IneligibleVoters: []string{"UCID"}}
	p, m2 := w.vote(slack.Vote{Channel: "CPARK", Ask: ask})
	w.click("UANN", m2, "0")
	w.later(59 * time.Minute)
	require.Empty(t, w.replies(m))
	w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
	w.later(2 * time.Minute)
	for range 3 {
		w.later(2 * time.Minute)
	}
	require.Len(t, w.replies(m), 1, "in the thread, where everybody may vote")
	require.NotContains(t, w.replies(m)[0].Text, "*Lunch*")
	direct := func(u string) int { return len(w.w.Messages(w.w.OpenDM(w.w.BotUserID(), u))) }
	require.Equal(t, []int{0, 1, 0}, []int{direct("UANN"), direct("UBOB"), direct("UCID")}, "those who have not voted, by direct message")
	_, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	w.later(3 * time.Hour)
	require.LessOrEqual(t, len(w.replies(m)), 1, "none after the end")
	require.Equal(t, 1, direct("UBOB"))
	for name, v := range map[string]slack.Vote{
		"/reminders":   {Ask: vote.Ask{Reminders: []int{1}}},
		"/reminders/1": {Ask: vote.Ask{Reminders: []int{1, 600}}},
		"/reminders/0": {Ask: vote.Ask{Reminders: []int{0}}},
		"/reminders: ": {Ask: vote.Ask{Reminders: []int{1, 2, 3, 4, 5, 6}}},
	} {
		v.Channel, v.Title = "CHALL", "x"
		if name != "/reminders" {
			at := w.clock.now().Add(time.Hour)
			v.ClosingAt = &at
		}
		_, err := w.inst.Start(t.Context(), "emoji-vote", v)
		require.ErrorIs(t, err, gateway.Invalid, name)
		require.ErrorContains(t, err, strings.TrimRight(name, ": "))
	}
}

func TestADeletedMessageIsPostedAgain(t *testing.T) { // S-184
	w := newRig(t).town("T1")
	p, m := w.vote(slack.Vote{Channel: "CHALL", OnDeleted: "repost", Ask: vote.Ask{Title: "Lunch?"}})
	w.click("UANN", m, "0")
	w.later(2 * time.Second)
	for round := range 2 {
		require.NoError(t, w.w.Delete(t.Context(), "UADMIN", m.Channel, m.TS))
		if round == 1 {
			w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		}
		for range 4 {
			w.later(time.Minute)
		}
		require.Len(t, w.w.Messages("CHALL"), 1)
		p, err := w.c.Process(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, gateway.StatusPending, p.Status)
		old := m
		m = w.message(p)
		require.NotEqual(t, old.TS, m.TS)
		require.Contains(t, p.URL, strings.ReplaceAll(m.TS, ".", ""))
		require.Contains(t, texts(m), "`1`", "with the ballots so far")
	}
	w.click("UBOB", m, "0")
	w.later(2 * time.Second)
	p, _ = w.again(p, m)
	require.EqualValues(t, 2, p.Voters)
	for range 9 {
		require.NoError(t, w.w.Delete(t.Context(), "UADMIN", m.Channel, m.TS))
		w.later(time.Minute)
		w.later(time.Minute)
		if len(w.w.Messages("CHALL")) == 0 {
			break
		}
		m = w.message(p)
	}
	p, err := w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, vote.ByDeletion, outcome(t, p).ClosedBy, "whoever deletes it ten times wins")
	require.EqualValues(t, 2, outcome(t, p).Turnout.Voters)
}
