package slack_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

func (w *town) advanced(v slack.AdvancedVote) (gateway.Process, fakeslack.Message) {
	w.t.Helper()
	p, err := w.inst.Start(w.t.Context(), "advanced-vote", v)
	require.NoError(w.t, err)
	w.due()
	return p, w.message(p)
}

// pick chooses from the menu of one candidate.
func (w *town) pick(user string, m fakeslack.Message, p gateway.Process, question int, values ...string) {
	w.t.Helper()
	w.clock.advance(time.Millisecond)
	one, several := "null", "null"
	action := "cast_vote"
	if len(values) == 1 {
		one = fmt.Sprintf(`{"value":%q}`, values[0])
	}
	w.menu(user, m, p, fmt.Sprint("question", question), action, one, several)
}

func (w *town) menu(user string, m fakeslack.Message, p gateway.Process, block, action, one, several string) {
	w.t.Helper()
	w.clock.advance(time.Millisecond)
	at := w.clock.now()
	body := fmt.Sprintf(`{"type":"block_actions","team":{"id":"T1"},"user":{"id":%q},"trigger_id":"%d.%s","container":{"message_ts":%q,"channel_id":%q},
		"actions":[{"type":"static_select","action_id":%q,"block_id":"gw:%s:%s","selected_option":%s,"selected_options":%s,"action_ts":"%d.%06d"}]}`,
		user, at.UnixNano(), user, m.TS, m.Channel, action, p.ID, block, one, several, at.Unix(), at.Nanosecond()/1000)
	a, err := w.fake.Send(w.t.Context(), []byte(body))
	require.NoError(w.t, err)
	require.Equal(w.t, 200, a.Status)
	w.due()
}

var oddTexts = []string{
	"v1.2.3 a.b.c", `say "hi" & 'bye'`, "*bold* _it_ ~s~ `code`", "<!channel> <@UBOB>", "🦘🏳️‍🌈 :tada:", "مرحبا بالعالم", "\u202eabc", "q:1:question0", `\"{title}\n`,
	strings.Repeat("long ", 39) + "text",
}

// Mistake 28: whatever a candidate is called, IDs of blocks and actions carry numbers only.
func TestMistake28AdvancedVotesWithAnyText(t *testing.T) { // X1, advanced-vote
	w := newRig(t).town("T1")
	p, m := w.advanced(slack.AdvancedVote{
		Candidates: oddTexts, Channel: "CHALL",
		Ask: vote.Ask{Title: "*Board* <!here>", Details: "Who?", Options: append([]string{strings.Repeat("x", 80)}, oddTexts...),
			EligibleVoters: []string{"UANN", "UBOB", "UCID"}, IneligibleVoters: []string{"UCID"}, IneligibleVoterMessage: "Not you."},
	})
	var blocks []map[string]any
	require.NoError(t, json.Unmarshal(m.Blocks, &blocks))
	for _, b := range blocks {
		require.Regexp(t, `^gw:`+p.ID+`:(title|details\d|question\d+|state)$`, b["block_id"])
	}
	for _, text := range oddTexts {
		require.Contains(t, texts(m), text+"\n", "as typed")
	}
	require.NotContains(t, marked(m), "<!")
	require.NotContains(t, marked(m), "*bold*")
	for i := range oddTexts {
		w.pick("UANN", m, p, i, fmt.Sprint(i+1))
		w.pick("UBOB", m, p, i, "0")
		w.pick("UBOB", m, p, i, fmt.Sprint(i+1)) // changed
	}
	w.pick("UCID", m, p, 0, "0")
	require.Equal(t, "Not you.", w.w.Ephemerals("UCID")[0].Text)
	for i, block := range []string{"question99", "question-1", "questionx", "question"} {
		w.menu("UANN", m, p, block, "cast_vote", `{"value":"0"}`, "null")
		require.Len(t, w.w.Ephemerals("UANN"), i+1)
	}
	w.later(2 * time.Second)
	_, m = w.again(p, m)
	require.NotContains(t, marked(m), "<!")
	p, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	out := outcome(t, p)
	require.Equal(t, vote.Passed, out.Result)
	for i, q := range out.Questions {
		require.Equal(t, oddTexts[i], q.Question, "whole and unchanged")
		require.Equal(t, oddTexts[i], q.Winner)
		require.Equal(t, []string{"UANN", "UBOB"}, q.Options[i+1].Users)
	}
	w.later(2 * time.Second)
	_, m = w.again(p, m)
	require.NotContains(t, string(m.Blocks), "static_select", "closed: nothing to choose")
	require.Contains(t, texts(m), "*Result:*")
	for _, c := range w.fake.CallsTo("chat.update") {
		require.True(t, c.Answer.OK(), "%s", c.Answer.Body)
	}
}

func TestAdvancedVotesUpToWhatAMessageTakes(t *testing.T) {
	w := newRig(t).town("T1")
	names := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprint("Name ", i))
		}
		return out
	}
	p, m := w.advanced(slack.AdvancedVote{Candidates: names(47), Channel: "CHALL", MayCancel: []string{"UANN"}, Ask: vote.Ask{Title: "Many", Options: names(100)}})
	w.pick("UANN", m, p, 46, "99")
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	require.EqualValues(t, 1, p.Voters)
	var blocks []any
	require.NoError(t, json.Unmarshal(m.Blocks, &blocks))
	require.Len(t, blocks, 49)
	yes, m2 := w.advanced(slack.AdvancedVote{Candidates: []string{"Ann", "Bob"}, Channel: "CPARK", Ask: vote.Ask{Title: "Yes or no"}})
	w.pick("UANN", m2, yes, 1, "0")
	yes, err := w.c.Close(t.Context(), yes.ID)
	require.NoError(t, err)
	require.Equal(t, "yes", outcome(t, yes).Questions[1].Winner)
	posted := len(w.fake.CallsTo("chat.postMessage"))
	for name, v := range map[string]slack.AdvancedVote{
		"/questions":   {Candidates: names(48), Ask: vote.Ask{Title: "x", Options: names(2)}},
		"/options":     {Candidates: names(2), Ask: vote.Ask{Title: "x", Options: names(101)}},
		"/details":     {Candidates: names(47), Ask: vote.Ask{Title: "x", Options: names(2), Details: "too much"}},
		"/questions/1": {Candidates: []string{"Ann", "Ann"}, Ask: vote.Ask{Title: "x", Options: names(2)}},
		"/questions/0": {Candidates: []string{strings.Repeat("x", 3000)}, Ask: vote.Ask{Title: "x", Options: names(2)}},
		"/candidates":  {Ask: vote.Ask{Title: "x", Options: names(2)}},
		"/candidates:": {Candidates: names(2), Ask: vote.Ask{Title: "x", Questions: names(3), Options: names(2)}},
	} {
		v.Channel = "CHALL"
		_, err := w.inst.Start(t.Context(), "advanced-vote", v)
		require.ErrorIs(t, err, gateway.Invalid, name)
		require.ErrorContains(t, err, strings.TrimRight(name, ":"))
	}
	require.Len(t, w.fake.CallsTo("chat.postMessage"), posted)
}

func TestAtLeastSoManyChoices(t *testing.T) { // S-183: min and max
	w := newRig(t).town("T1")
	p, m := w.vote(slack.Vote{Channel: "CHALL", Ask: vote.Ask{Title: "Soup?", PollType: vote.Multiple, Options: []string{"Leek", "Pea", "Onion", "Fish"}, MinChoices: 2, MaxChoices: 3}})
	require.Contains(t, string(m.Blocks), `"multi_static_select"`)
	several := func(user string, values ...int) {
		var list []string
		for _, v := range values {
			list = append(list, fmt.Sprintf(`{"value":"%d"}`, v))
		}
		w.menu(user, m, p, "menu", "cast_votes", "null", "["+strings.Join(list, ",")+"]")
	}
	several("UANN", 0)
	require.Contains(t, w.w.Ephemerals("UANN")[0].Text, "at least 2")
	several("UANN", 0, 1, 2, 3)
	require.Contains(t, w.w.Ephemerals("UANN")[1].Text, "at most 3")
	several("UANN", 0, 0)
	require.Len(t, w.w.Ephemerals("UANN"), 3)
	p, _ = w.again(p, m)
	require.Zero(t, p.Voters)
	several("UANN", 0, 1)
	several("UANN", 2, 1) // the whole selection is the ballot
	several("UBOB", 1, 2, 3)
	several("UCID", 0, 1)
	several("UCID")    // taken back
	several("UANN", 3) // too few: the earlier ballot stays
	p, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	var got []int64
	for _, o := range outcome(t, p).Questions[0].Options {
		got = append(got, o.Ballots)
	}
	require.Equal(t, []int64{0, 2, 2, 1}, got)
	require.EqualValues(t, 2, outcome(t, p).Turnout.Voters)

	final, m := w.vote(slack.Vote{Channel: "CPARK", Ask: vote.Ask{Title: "Once?", PollType: vote.Multiple, Options: []string{"Leek", "Pea"}, MayChange: new(false)}})
	w.menu("UANN", m, final, "menu", "cast_votes", "null", `[{"value":"0"}]`)
	w.menu("UANN", m, final, "menu", "cast_votes", "null", `[{"value":"1"}]`)
	told := w.w.Ephemerals("UANN")
	require.Contains(t, told[len(told)-1].Text, "cannot be changed")
	require.True(t, slices.ContainsFunc(told, func(e fakeslack.Ephemeral) bool { return strings.Contains(e.Text, "at least 2") }))
}
