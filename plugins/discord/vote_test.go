package discord_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/vote"
)

func TestAVoteWithButtonsFromItsStartToItsEnd(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	closing := r.clock.now().Add(time.Hour)
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Plant *trees*?", Details: "In the @everyone park.", ClosingAt: &closing}, Channel: hall})
	require.Equal(t, gateway.StatusPending, p.Status)
	require.Equal(t, `**Plant \*trees\*?**`, m.Content)
	require.Contains(t, text(m), `In the \\@everyone park.`)
	require.Equal(t, "https://discord.com/channels/1000/1101/"+m.ID, p.URL)

	require.Equal(t, 6, w.click(ann, p, m, "option0").Type)
	w.click(bob, p, m, "option1")
	w.click(bob, p, m, "option0") // changes the vote
	w.click(cid, p, m, "option1")
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	require.Equal(t, map[string]int64{"yes": 2, "no": 1}, counts(p))
	require.Contains(t, text(m), "Approve  `2`")
	require.Contains(t, text(m), "\\u003c@"+ann+"\\u003e")
	require.Len(t, m.Components, 1)

	w.later(time.Hour)
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	out := outcome(t, p)
	require.Equal(t, vote.Passed, out.Result)
	require.Equal(t, vote.ByTime, out.ClosedBy)
	require.Empty(t, m.Components, "nobody can click any more")
	require.Contains(t, text(m), "**Result:** passed")
}
