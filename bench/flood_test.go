package bench

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shows passes calls to the fake platform on and keeps when a message was brought up to date.
type shows struct {
	next http.RoundTripper

	mu sync.Mutex
	at []time.Time
}

func (s *shows) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/chat.update") {
		s.mu.Lock()
		s.at = append(s.at, time.Now())
		s.mu.Unlock()
	}
	return s.next.RoundTrip(r)
}

// rate is how many calls there were a second between the first and the last, and whether any of them came earlier than a second each
// after those before. The gateway's clock says when a call may leave; slack is for how long it then takes to get here.
func (s *shows) rate(slack time.Duration) (perSecond float64, early bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.at {
		for n, before := range s.at[:i] {
			early = early || t.Sub(before) < time.Duration(i-n)*time.Second-slack
		}
	}
	if last := len(s.at) - 1; last > 0 {
		perSecond = float64(last) / s.at[last].Sub(s.at[0]).Seconds()
	}
	return perSecond, early
}

// BenchmarkVoteFlood is a whole town that votes at once: each request is a signed click of another voter on one vote of the Slack
// plugin, by HTTP over 64 connections, durable in SQLite with synchronous=FULL, while the gateway runs and keeps the vote's message up to date.
// 100,000 voters: -benchtime 100000x. At least 60 % of BenchmarkLimitDurableHTTP; at most one refresh a second; every ballot counted, once.
func BenchmarkVoteFlood(b *testing.B) {
	box := newBallotBox(b, 1)
	run(b, box.Gateway)
	b.ResetTimer()
	took := drive(b, box.addr, 64, b.N, box.click)
	b.StopTimer()

	p, err := box.town.Process(b.Context(), box.process)
	require.NoError(b, err)
	require.EqualValues(b, b.N, p.Voters, "as many ballots as voters")
	var ballots int64
	for _, c := range p.Counts {
		ballots += c.Ballots
	}
	require.EqualValues(b, b.N, ballots)

	rate, early := box.seen.rate(300 * time.Millisecond)
	require.False(b, early, "more than one refresh a second")
	b.ReportMetric(rate, "shows/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ballots/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
}
