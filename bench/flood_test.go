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

// during is how many calls there were in a time, and the most in any one second of it.
func (s *shows) during(from, to time.Time) (n, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.at {
		if t.Before(from) || t.After(to) {
			continue
		}
		n++
		end, _ := slices.BinarySearchFunc(s.at, t.Add(time.Second), time.Time.Compare)
		most = max(most, end-i)
	}
	return n, most
}

// BenchmarkVoteFlood is a whole town that votes at once: each request is a signed click of another voter on one vote of the Slack
// plugin, by HTTP over 64 connections, durable in SQLite with synchronous=FULL, while the gateway runs and keeps the vote's message up to date.
// 100,000 voters: -benchtime 100000x. At least 60 % of BenchmarkLimitDurableHTTP; at most one refresh a second; every ballot counted, once.
func BenchmarkVoteFlood(b *testing.B) {
	box := newBallotBox(b, 1)
	run(b, box.Gateway)
	b.ResetTimer()
	began := time.Now()
	took := drive(b, box.addr, 64, b.N, box.click)
	b.StopTimer()
	over := time.Now()

	p, err := box.town.Process(b.Context(), box.process)
	require.NoError(b, err)
	require.EqualValues(b, b.N, p.Voters, "as many ballots as voters")
	var ballots int64
	for _, c := range p.Counts {
		ballots += c.Ballots
	}
	require.EqualValues(b, b.N, ballots)

	n, most := box.seen.during(began, over)
	// A refresh is a second after the last at the earliest, by the gateway's clock; the call leaves within a moment of it.
	require.LessOrEqual(b, float64(n), over.Sub(began).Seconds()+1, "refreshes")
	require.LessOrEqual(b, most, 2, "refreshes within one second")
	b.ReportMetric(float64(n)/max(over.Sub(began).Seconds(), 1), "shows/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ballots/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
}
