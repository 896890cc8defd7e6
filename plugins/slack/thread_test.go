package slack_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/vote"
)

func TestFromAMessageToAVotesEnd(t *testing.T) {
	w := newRig(t).town("T1")
	posted, err := gateway.Do[slack.Posted](t.Context(), w.inst, "post-message", slack.Message{Channel: "CHALL", Text: "hello"})
	require.NoError(t, err)
	m, ok := w.w.Message("CHALL", posted.TS)
	require.True(t, ok)
	require.Equal(t, "hello", m.Text)
	w.due()

	_, err = w.w.Post(t.Context(), "UANN", "CHALL", "hi")
	require.NoError(t, err)
	events := w.events("message")
	require.Len(t, events, 2)
	require.True(t, events[0].Bot)
	require.NotEmpty(t, events[0].Cause, "our own message is known to be our own")
	require.Equal(t, "UANN", events[1].Initiator)
	require.False(t, events[1].Bot)
	require.Empty(t, events[1].Cause)

	closing := w.clock.now().Add(time.Hour)
	p, m := w.vote(slack.Vote{Ask: vote.Ask{Title: "Lunch?", ClosingAt: &closing}, Channel: "CHALL"})
	require.Equal(t, gateway.StatusPending, p.Status)
	require.NotEmpty(t, p.URL)
	w.click("UANN", m, "0")
	w.click("UBOB", m, "0")
	w.click("UCID", m, "1")
	w.later(2 * time.Second)
	_, m = w.again(p, m)
	require.Contains(t, texts(m), "`2`\n<@UANN>, <@UBOB>")
	w.later(time.Hour)
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	require.Equal(t, vote.Passed, outcome(t, p).Result)
	require.NotContains(t, string(m.Blocks), "button")
	require.Contains(t, texts(m), "*Result:* passed")
	require.Empty(t, w.events("block_actions"), "a vote's clicks are ballots, and no events")
}
