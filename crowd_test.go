package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// crowd sends messages to a server over so many connections at once, and returns how many were not taken.
func (r *rig) crowd(srv *httptest.Server, connections int, messages []forumMessage) (refused int) {
	srv.Client().Transport.(*http.Transport).MaxConnsPerHost = connections
	srv.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = connections
	work := make(chan forumMessage)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for m := range work {
				status, err := r.postAt(srv, m)
				if err != nil || status != http.StatusOK {
					r.t.Logf("status %d: %v", status, err)
					mu.Lock()
					refused++
					mu.Unlock()
				}
			}
		})
	}
	for _, m := range messages {
		work <- m
	}
	close(work)
	wg.Wait()
	return refused
}

// clicksOf makes each voter's clicks on one process: every fifth voter has another opinion afterwards, and every seventh click comes
// twice. It returns them in no order, and what they come to.
func clicksOf(process string, voters int, at time.Time) (clicks []forumMessage, yes, no int64) {
	for i := range voters {
		choices := []string{"yes", "no"}[i%2 : i%2+1]
		if i%5 == 0 {
			choices = []string{"no", "yes", "no"}[1-i%2 : 3-i%2]
		}
		for n, choice := range choices {
			m := forumMessage{
				ID: fmt.Sprintf("%s-%d-%d", process, i, n), Kind: "click", User: fmt.Sprint("u", i), Text: choice, Process: process,
				At: at.Add(time.Duration(i*10+n) * time.Millisecond),
			}
			clicks = append(clicks, m)
			if (i+n)%7 == 0 {
				clicks = append(clicks, m)
			}
		}
		if choices[len(choices)-1] == "yes" {
			yes++
		} else {
			no++
		}
	}
	rand.Shuffle(len(clicks), func(i, j int) { clicks[i], clicks[j] = clicks[j], clicks[i] })
	return clicks, yes, no
}

// requireCounts checks how many ballots each choice has.
func requireCounts(t *testing.T, p gateway.Process, want map[string]int64) {
	t.Helper()
	got, all := map[string]int64{}, int64(0)
	for _, c := range p.Counts {
		if c.Ballots != 0 {
			got[c.Choice] = c.Ballots
			all += c.Ballots
		}
	}
	require.Equal(t, want, got)
	require.Equal(t, all, p.Voters)
}

// 500 people vote at once on one process while the gateway runs, over 16 connections: each counts once, with the last word.
func TestFiveHundredPeopleVoteAtOnce(t *testing.T) {
	const voters = 500
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		votes := r.watch("votes")
		p := r.poll(inst, voteAsk())
		srv := httptest.NewServer(r.Handler())
		defer srv.Close()
		stop := running(t, r.Gateway)
		defer stop()
		clicks, yes, no := clicksOf(p.ID, voters, r.clock.now())
		require.Zero(t, r.crowd(srv, 16, clicks))
		soon(t, "people see the final tally", func() bool {
			r.clock.advance(time.Second)
			shown := r.api.lines("show")
			return len(shown) > 0 && shown[len(shown)-1] == fmt.Sprintf("show %d pending", voters)
		})
		closed, err := c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		require.EqualValues(t, voters, r.outcome(closed).Turnout.Voters)
		requireCounts(t, closed, map[string]int64{"yes": yes, "no": no})
		soon(t, "its end is shown and heard", func() bool {
			r.clock.advance(time.Second)
			shown := r.api.lines("show")
			votes.mu.Lock()
			defer votes.mu.Unlock()
			last := votes.processes[len(votes.processes)-1]
			return shown[len(shown)-1] == fmt.Sprintf("show %d completed", voters) && last.Status == gateway.StatusCompleted && last.Voters == voters
		})
	})
}

// 64 connections on 100 processes of ten communities.
func TestManyPeopleVoteOnManyProcesses(t *testing.T) {
	const communities, each, voters = 10, 10, 15
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		srv := httptest.NewServer(r.Handler())
		defer srv.Close()
		type box struct {
			c       *gateway.Community
			p       gateway.Process
			yes, no int64
		}
		var all []box
		var clicks []forumMessage
		for i := range communities {
			c, inst := r.town(fmt.Sprint("c", i), fmt.Sprint("S", i))
			for j := range each {
				p := r.poll(inst, vote.Ask{Title: fmt.Sprint("Vote ", j)})
				more, yes, no := clicksOf(p.ID, voters, r.clock.now())
				for k := range more {
					more[k].Site = fmt.Sprint("S", i)
				}
				clicks = append(clicks, more...)
				all = append(all, box{c, p, yes, no})
			}
		}
		rand.Shuffle(len(clicks), func(i, j int) { clicks[i], clicks[j] = clicks[j], clicks[i] })
		stop := running(t, r.Gateway)
		defer stop()
		require.Zero(t, r.crowd(srv, 64, clicks))
		for _, v := range all {
			closed, err := v.c.Close(t.Context(), v.p.ID)
			require.NoError(t, err)
			requireCounts(t, closed, map[string]int64{"yes": v.yes, "no": v.no})
			require.EqualValues(t, voters, r.outcome(closed).Turnout.Voters)
		}
	})
}
