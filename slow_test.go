package gateway_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// A store that takes its time makes everything slow and nothing wrong: what was acknowledged is there, once, and a vote closes with the
// ballots that were in time, some steps later.
func TestStoreIsSlow(t *testing.T) {
	eachPatient(t, func(p *patient) {
		t := p.t
		com, inst := p.town("a", "S1")
		heard := p.listen("driver")
		at := time.Now().Add(10 * time.Minute)
		ask := voteAsk()
		ask.ClosingAt = &at
		vote := p.poll(inst, ask)
		stop := running(t, p.Gateway)
		defer stop()
		p.ill.Slow(time.Second)
		var said []string
		for i := range 5 {
			said = append(said, fmt.Sprint("message ", i))
			status, _ := p.send(forumMessage{ID: fmt.Sprint("m", i), Kind: "message", Text: said[i]})
			require.Equal(t, 200, status)
			status, _ = p.send(forumMessage{ID: fmt.Sprint("c", i), Kind: "click", User: fmt.Sprint("u", i), Text: "yes", Process: vote.ID})
			require.Equal(t, 200, status)
		}
		require.Less(t, time.Since(at), time.Duration(0))
		time.Sleep(time.Until(at))
		time.Sleep(15 * time.Second)
		p.ill.Slow(0)
		got := p.process(com, vote.ID)
		require.Equal(t, gateway.StatusCompleted, got.Status)
		require.EqualValues(t, 5, p.outcome(got).Turnout.Voters)
		require.Equal(t, said, heard.texts())
	})
}
