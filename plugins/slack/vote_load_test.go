package slack_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// 500 people click at once on one vote while the gateway runs, over 16 connections. Every fifth clicks twice, with another opinion the
// second time, and every seventh click is delivered twice: each person counts once, with the last word, and the message says so.
func TestFiveHundredPeopleClickAtOnce(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memory.New() },
		"sqlite": func(t *testing.T) store.Store {
			s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) { clickAtOnce(t, open(t)) })
	}
}

func clickAtOnce(t *testing.T, s store.Store) {
	const n, connections = 500, 16
	r := newRig(t, func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) { o.Store = s })
	w := r.town("T1")
	p, m := w.vote(slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
	var clicks []string
	want := map[string]int64{"yes": 0, "no": 0}
	for i := range n {
		options := []int{i % 2}
		if i%5 == 0 {
			options = []int{1 - i%2, i % 2}
		}
		for k, option := range options {
			body := form(fmt.Sprintf(`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"UX%05d"},"trigger_id":"t%d.%d","container":{"message_ts":%q,"channel_id":"CHALL"},
				"actions":[{"action_id":"cast_vote","block_id":"gw:%s:option0","value":"%d","action_ts":"%d.%06d"}]}`, i, i, k, m.TS, p.ID, option, w.clock.now().Unix(), i*10+k))
			clicks = append(clicks, body)
			if (i+k)%7 == 0 {
				clicks = append(clicks, body)
			}
		}
		want[[]string{"yes", "no"}[i%2]]++
	}
	rand.Shuffle(len(clicks), func(i, j int) { clicks[i], clicks[j] = clicks[j], clicks[i] })

	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	r.crowd(connections, clicks)
	last := fmt.Sprintf("`%d`", n/2)
	require.Eventually(t, func() bool {
		r.clock.advance(time.Second)
		_, m := w.again(p, m)
		return strings.Count(texts(m), last) == 2
	}, 20*time.Second, 20*time.Millisecond, "the message has them all")
	p, m = w.again(p, m)
	require.Equal(t, want, counts(p))
	require.EqualValues(t, n, p.Voters)
	require.Regexp(t, `<@UX\d+>,? and \d+ more|<@UX\d+>$`, strings.TrimSpace(texts(m)))
	closed, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.EqualValues(t, n, outcome(t, closed).Turnout.Voters)
	require.Equal(t, want, counts(closed))
	updates := w.fake.CallsTo("chat.update")
	for i, c := range updates {
		require.True(t, c.Answer.OK(), "%s", c.Answer.Body)
		if i > 0 {
			require.GreaterOrEqual(t, c.At.Sub(updates[i-1].At), time.Second)
		}
	}
}

// crowd delivers interactions over so many connections at once.
func (r *rig) crowd(connections int, bodies []string) {
	r.t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	work := make(chan string)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for body := range work {
				if err := r.deliver(client, body); err != nil {
					r.t.Error(err)
				}
			}
		})
	}
	for _, body := range bodies {
		work <- body
	}
	close(work)
	wg.Wait()
}

// deliver sends one interaction, signed.
func (r *rig) deliver(client *http.Client, body string) error {
	req, err := http.NewRequest(http.MethodPost, r.hooks.URL+"/api/hooks/slack", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.fake.Sign(req, []byte(body))
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the click was answered with %d", res.StatusCode)
	}
	return nil
}

// 64 connections on 100 votes of ten workspaces.
func TestManyPeopleClickOnManyVotes(t *testing.T) {
	const teams, each, voters = 10, 10, 10
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := newRig(t, func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) { o.Store = s })
	type box struct {
		town *town
		p    gateway.Process
	}
	var boxes []box
	var clicks []string
	for i := range teams {
		w := r.town(fmt.Sprint("T", i))
		for j := range each {
			p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Ask: vote.Ask{Title: fmt.Sprint("Vote ", j)}, Channel: "CHALL"})
			require.NoError(t, err)
			boxes = append(boxes, box{w, p})
			m := w.message(p)
			for k := range voters {
				body := form(fmt.Sprintf(`{"type":"block_actions","team":{"id":"T%d"},"user":{"id":"UX%05d"},"trigger_id":"t%s.%d","container":{"message_ts":%q,"channel_id":"CHALL"},
					"actions":[{"action_id":"cast_vote","block_id":"gw:%s:option0","value":"%d","action_ts":"%d.%06d"}]}`, i, k, p.ID, k, m.TS, p.ID, k%2, r.clock.now().Unix(), k))
				clicks = append(clicks, body)
				if k%7 == 0 {
					clicks = append(clicks, body)
				}
			}
		}
	}
	rand.Shuffle(len(clicks), func(i, j int) { clicks[i], clicks[j] = clicks[j], clicks[i] })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	r.crowd(64, clicks)
	for _, b := range boxes {
		closed, err := b.town.c.Close(t.Context(), b.p.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"yes": voters / 2, "no": voters / 2}, counts(closed))
		require.EqualValues(t, voters, outcome(t, closed).Turnout.Voters)
	}
}
