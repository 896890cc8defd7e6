package slack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// silent has Slack bring nothing until the function that it returns is called.
func (w *town) silent() (loud func()) {
	w.fake.SetRequestURL("", nil)
	return func() { w.fake.SetRequestURL(w.hooks.URL+"/api/hooks/slack", nil) }
}

// heardTexts are the texts of the messages that became events, sorted.
func (w *town) heardTexts() []string {
	out := []string{}
	for _, e := range w.events("message") {
		var d struct{ Text string }
		require.NoError(w.t, json.Unmarshal(e.Data, &d))
		out = append(out, d.Text)
	}
	slices.Sort(out)
	return out
}

func (w *town) says(user, channel, text string, o ...fakeslack.PostOption) string {
	w.t.Helper()
	ts, err := w.w.Post(w.t.Context(), user, channel, text, o...)
	require.NoError(w.t, err)
	w.clock.advance(time.Second)
	return ts
}

func TestRepairOfADay(t *testing.T) {
	w := newRig(t).town("T1")
	w.w.AddChannel("CSECRET", "secret", "UANN")
	w.w.AddChannel("CSIDE", "side", "UANN", "UBOB").WithApp()
	root := w.says("UANN", "CHALL", "a: before")
	w.due()

	w.clock.advance(time.Hour)
	since := w.clock.now()
	loud := w.silent()
	var want []string
	for h := range 24 {
		w.clock.advance(time.Hour)
		for _, c := range []string{"CHALL", "CSIDE"} {
			text := fmt.Sprintf("b: %s %02d", c, h)
			w.says("UANN", c, text)
			want = append(want, text)
		}
	}
	thread := w.says("UBOB", "CHALL", "c: a thread")
	w.says("UANN", "CHALL", "d: a reply", fakeslack.InThread(thread))
	w.says("UANN", "CHALL", "e: a late reply", fakeslack.InThread(root))
	w.says("UANN", "CSECRET", "not for us")
	require.NoError(t, w.w.React(t.Context(), "UCID", "CHALL", thread, "tada"))
	_, err := w.inst.Do(t.Context(), "post-message", map[string]any{"channel": "CHALL", "text": "f: ours"})
	require.NoError(t, err)
	want = append(want, "a: before", "c: a thread", "d: a reply", "f: ours")
	w.due()
	loud()
	w.says("UANN", "CHALL", "g: after")
	want = append(want, "g: after")
	w.due()

	require.NoError(t, w.inst.Repair(t.Context(), gateway.Gap{Since: since}))
	w.due()
	slices.Sort(want)
	require.Equal(t, want, w.heardTexts(), "nothing lost but what Slack does not tell, nothing twice")
	for _, e := range w.events("message") {
		require.Equal(t, strings.Contains(string(e.Data), "ours"), e.Bot, string(e.Data))
	}
	require.Empty(t, w.events("reaction_added"))

	require.NoError(t, w.inst.Repair(t.Context(), gateway.Gap{Since: since}))
	w.later(time.Second)
	require.Equal(t, want, w.heardTexts(), "again changes nothing")
}

// TestRepairGoesOnWhereItWas: Slack may allow so little that a repair takes several attempts.
func TestRepairGoesOnWhereItWas(t *testing.T) {
	for name, ago := range map[string]time.Duration{"a moment": 0, "longer than anything is remembered": 60 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newRig(t).town("T1")
			w.w.AddChannel("CSIDE", "side", "UANN").WithApp()
			w.due()
			loud := w.silent()
			since := w.clock.now().Add(-ago)
			w.says("UANN", "CHALL", "1")
			w.says("UANN", "CSIDE", "2")
			loud()
			require.NoError(t, w.inst.Repair(t.Context(), gateway.Gap{Since: since}))
			calls := len(w.fake.CallsTo("conversations.history"))
			w.fake.Fail(fakeslack.Fault{Method: "conversations.history", RetryAfter: time.Minute, Skip: 1})
			w.due()
			require.Len(t, w.heardTexts(), 1)
			w.later(30 * time.Second)
			require.Len(t, w.fake.CallsTo("conversations.history"), calls+2, "not before Slack said")
			w.later(time.Minute)
			require.Equal(t, []string{"1", "2"}, w.heardTexts())
			require.Len(t, w.fake.CallsTo("conversations.history"), calls+3, "what was done is not done again")
		})
	}
}

func TestRateLimitedEventsAreFetched(t *testing.T) {
	w := newRig(t).town("T1")
	w.due()
	loud := w.silent()
	w.says("UANN", "CHALL", "held back")
	loud()
	minute := w.clock.now().Truncate(time.Minute)
	_, err := w.fake.Send(t.Context(), fmt.Appendf(nil, `{"type":"app_rate_limited","team_id":"T1","api_app_id":"A1","minute_rate_limited":%d}`, minute.Unix()))
	require.NoError(t, err)
	w.due()
	require.Empty(t, w.heardTexts(), "it is not over yet")
	w.later(2 * time.Minute)
	require.Equal(t, []string{"held back"}, w.heardTexts())
	for _, odd := range []string{"0", "-1", "99999999999"} {
		a, err := w.fake.Send(t.Context(), []byte(`{"type":"app_rate_limited","team_id":"T1","minute_rate_limited":`+odd+`}`))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status)
	}
}
