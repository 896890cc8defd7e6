package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ballotOf finds the one ballot that somebody got by direct message.
func (w *town) ballotOf(user string) fakeslack.Message {
	w.t.Helper()
	var out []fakeslack.Message
	for _, m := range w.w.Messages(w.w.OpenDM(w.w.BotUserID(), user)) {
		if strings.Contains(string(m.Blocks), "gw:") {
			out = append(out, m)
		}
	}
	require.Len(w.t, out, 1, "%s has one ballot", user)
	return out[0]
}

// V5, S-186: nothing that leaves the gateway before the end says how anybody voted, or how many did.
func TestAPrivateVotesTallyCannotBeReadBeforeItsEnd(t *testing.T) {
	log := new(lockedBuffer)
	r := newRig(t, func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) {
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w := r.town("T1")
	var mu sync.Mutex
	var heard []gateway.Process
	require.NoError(t, r.OnProcess(t.Context(), "driver", func(_ context.Context, _ *gateway.Community, p gateway.Process) error {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, p)
		return nil
	}))
	closing := w.clock.now().Add(time.Hour)
	options := []string{"Quokka", "Numbat"}
	p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{
		Channel: "CHALL", Private: true, Publish: "thread",
		Ask: vote.Ask{Reminders: []int{10}, Title: "Mascot?", PollType: vote.Choice, Options: options, EligibleVoters: []string{"UANN", "UBOB", "UCID"}, ClosingAt: &closing},
	})
	require.NoError(t, err)
	w.due()
	main := w.message(p)
	require.NotContains(t, string(main.Blocks), "cast_vote", "the channel has no buttons")
	untouched := map[string]fakeslack.Message{}
	for _, u := range []string{"UANN", "UBOB", "UCID"} {
		untouched[u] = w.ballotOf(u)
	}
	before, posted := len(w.fake.Calls()), len(w.fake.CallsTo("chat.postMessage"))
	for user, value := range map[string]string{"UANN": "0", "UBOB": "0"} {
		w.click(user, untouched[user], value)
		w.due()
		told := w.w.Ephemerals(user)
		require.Len(t, told, 1)
		require.Contains(t, told[0].Text, options[0], "whoever voted is told what was recorded")
		require.Equal(t, untouched[user].Channel, told[0].Channel)
	}
	w.later(55 * time.Minute) // the reminder too

	// The doors.
	p, err = w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	list, err := w.c.Processes(t.Context(), "", 10)
	require.NoError(t, err)
	mu.Lock()
	doors := append(append([]gateway.Process{p}, list...), heard...)
	mu.Unlock()
	require.Greater(t, len(doors), 2)
	for _, p := range doors {
		require.Empty(t, p.Counts)
		require.Zero(t, p.Voters)
		require.Empty(t, p.Outcome)
	}
	_, err = w.c.Ballots(t.Context(), p.ID, "", "", 100)
	require.ErrorIs(t, err, gateway.Denied)
	events, err := w.c.Events(t.Context(), 0, 1000)
	require.NoError(t, err)
	for _, e := range events {
		require.NotEqual(t, "block_actions", e.Type)
		require.NotContains(t, string(e.Data), "message_changed")
	}
	for u, was := range untouched { // what has the token can read them, so they stay as they were
		require.Equal(t, was, w.ballotOf(u))
	}
	var shown []string
	for _, c := range []string{"CHALL", untouched["UANN"].Channel, untouched["UBOB"].Channel, untouched["UCID"].Channel} {
		raw, err := w.inst.Do(t.Context(), "method", map[string]any{"method_name": "conversations.history", "channel": c, "include_all_metadata": true})
		require.NoError(t, err)
		shown = append(shown, string(raw))
	}
	for _, h := range shown {
		require.NotContains(t, h, "`1`")
		require.NotContains(t, h, "`2`")
		require.NotContains(t, h, "recorded")
	}
	require.Len(t, w.fake.CallsTo("chat.postMessage"), posted+3, "all three are reminded: who has voted is hidden too")
	for _, c := range w.fake.Calls()[before:] {
		if c.Method != "response_url" {
			require.NotContains(t, c.Args.Encode(), "recorded")
		}
	}
	for _, word := range append(options, "recorded") {
		require.NotContains(t, log.String(), word)
	}
	_, err = w.c.Command(t.Context(), p.ID, "publish", slack.Publish{})
	require.ErrorIs(t, err, gateway.Conflict)
	raw, err := w.c.Command(t.Context(), p.ID, "deliveries", nil)
	require.NoError(t, err)
	require.JSONEq(t, `{"sent":3,"waiting":0}`, string(raw))

	// The end.
	w.later(time.Hour)
	w.later(2 * time.Second)
	p, main = w.again(p, main)
	require.Equal(t, "Quokka", outcome(t, p).Winner)
	require.EqualValues(t, 2, p.Voters)
	require.Empty(t, outcome(t, p).Questions[0].Options[0].Users, "not who")
	require.Contains(t, texts(main), "`2`")
	for u := range untouched {
		m := w.ballotOf(u)
		require.NotContains(t, string(m.Blocks), "cast_vote")
		require.Contains(t, texts(m), "Quokka")
	}
	w.later(time.Minute)
	require.Len(t, w.replies(main), 1)
	require.Contains(t, w.replies(main)[0].Text, "Quokka `2`")
}

// replies are what the app said in a message's thread.
func (w *town) replies(m fakeslack.Message) (out []fakeslack.Message) {
	for _, x := range w.w.Messages(m.Channel) {
		if x.ThreadTS == m.TS && x.TS != m.TS {
			out = append(out, x)
		}
	}
	return out
}

func TestPrivateBallotsReachWhomTheyCan(t *testing.T) {
	w := newRig(t).town("T1")
	w.w.AddUser("UGONE", "gone", fakeslack.Deleted())
	voters := []string{"UANN", "UGONE"}
	for i := range 60 {
		voters = append(voters, w.w.AddUser(fmt.Sprintf("UV%d", i), fmt.Sprintf("v%d", i)))
	}
	w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Skip: 7, RetryAfter: 30 * time.Second})
	w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Skip: 20, LoseAnswer: true})
	w.fake.Fail(fakeslack.Fault{Method: "conversations.open", Skip: 40, Status: 500, Body: "<html>"})
	person, err := w.c.CreatePerson(t.Context(), gateway.NewPerson{})
	require.NoError(t, err)
	_, err = w.c.Link(t.Context(), person.ID, gateway.NewAccount{AccountRef: gateway.AccountRef{Plugin: "slack", PlatformID: "T1", UserID: "UANN"}}, gateway.Ground{})
	require.NoError(t, err)
	p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Private: true, Ask: vote.Ask{Title: "Mascot?", EligibleVoters: voters, MayClose: []string{gateway.PersonKey(person.ID)}}})
	require.NoError(t, err)
	require.Empty(t, p.URL)
	for range 12 {
		w.later(time.Minute)
	}
	for _, u := range voters {
		if u != "UGONE" {
			w.ballotOf(u)
		}
	}
	raw, err := w.c.Command(t.Context(), p.ID, "deliveries", nil)
	require.NoError(t, err)
	var d slack.Deliveries
	require.NoError(t, json.Unmarshal(raw, &d))
	require.Equal(t, 61, d.Sent)
	require.Contains(t, d.Failed["UGONE"], "user_disabled")

	// Ballots are their receivers', and only in their place.
	ann, v1 := w.ballotOf("UANN"), w.ballotOf("UV1")
	w.click("UANN", ann, "0")
	_, err = w.w.Click(t.Context(), "UV2", v1.Channel, v1.TS, "cast_vote", "0", fakeslack.ForgedClick())
	require.NoError(t, err)
	require.Contains(t, string(ann.Blocks), "close_vote")
	require.NotContains(t, string(v1.Blocks), "close_vote")
	_, err = w.w.Click(t.Context(), "UANN", ann.Channel, ann.TS, "close_vote", "")
	require.NoError(t, err)
	for range 5 {
		w.later(2 * time.Second)
	}
	p, err = w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1, outcome(t, p).Turnout.Voters)
	require.Equal(t, "UANN", outcome(t, p).ClosedByUser)
	require.NotContains(t, string(w.ballotOf("UV1").Blocks), "action_id")
	for name, v := range map[string]slack.Vote{
		"/eligible_voters": {Private: true, Channel: "CHALL", Ask: vote.Ask{Title: "x"}},
		"/publish":         {Private: true, Publish: "thread", Ask: vote.Ask{Title: "x", EligibleVoters: voters}},
		"/publish_channel": {Private: true, Publish: "channel", Ask: vote.Ask{Title: "x", EligibleVoters: voters}},
		"500":              {Private: true, Ask: vote.Ask{Title: "x", EligibleVoters: many(501)}},
	} {
		_, err := w.inst.Start(t.Context(), "emoji-vote", v)
		require.ErrorIs(t, err, gateway.Invalid, name)
		require.ErrorContains(t, err, name)
	}
}

func many(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint("UM", i))
	}
	return out
}
