package slack_test

import (
	"fmt"
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
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

func TestFiveHundredPeopleClickAtOnce(t *testing.T) {
	const n = 500
	r := newRig(t, func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) {
		s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
		require.NoError(t, err)
		t.Cleanup(func() { s.Close() })
		o.Store = s
	})
	w := r.town("T1")
	p, m := w.vote(slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 32, MaxIdleConnsPerHost: 32}}
	t.Cleanup(client.CloseIdleConnections)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			body := form(fmt.Sprintf(`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"UX%05d"},"trigger_id":"t%d","container":{"message_ts":%q,"channel_id":"CHALL"},
				"actions":[{"action_id":"cast_vote","block_id":"gw:%s:option0","value":"%d","action_ts":"%d.%06d"}]}`, i, i, m.TS, p.ID, i%2, w.clock.now().Unix(), i))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.hooks.URL+"/api/hooks/slack", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w.fake.Sign(req, []byte(body))
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode != 200 {
				t.Error(res.StatusCode)
			}
		})
	}
	for range 5 {
		w.later(250 * time.Millisecond)
	}
	wg.Wait()
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	require.Equal(t, map[string]int64{"yes": n / 2, "no": n / 2}, counts(p))
	require.Contains(t, texts(m), "`250`", "the last message has them all")
	require.Regexp(t, `<@UX\d+>,? and \d+ more|<@UX\d+>$`, strings.TrimSpace(texts(m)))
	p, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.EqualValues(t, n, outcome(t, p).Turnout.Voters)
	w.later(2 * time.Second)
	updates := w.fake.CallsTo("chat.update")
	for i, c := range updates {
		require.True(t, c.Answer.OK(), "%s", c.Answer.Body)
		if i > 0 {
			require.GreaterOrEqual(t, c.At.Sub(updates[i-1].At), time.Second)
		}
	}
}
