package gateway_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// remoteState is a vote that its platform counts by itself: Update reads it.
type remoteState struct{}

func (s *remoteState) Start(ctx context.Context, r *pollRun, in poll) error {
	return r.Plugin.api.do(ctx, "start", "start "+in.Title)
}

func (s *remoteState) Update(ctx context.Context, r *pollRun) error {
	if err := r.Plugin.api.trouble(ctx, "update "+r.Plugin.config.Site); err != nil {
		return err
	}
	if err := r.Plugin.api.do(ctx, "update", "update "+r.Now().Format(time.RFC3339)); err != nil {
		return err
	}
	n := int64(len(r.Plugin.api.lines("ballot")))
	return r.SetTally(ctx, []vote.Count{{Choice: "yes", Ballots: n, Weight: vote.Weight(n) * vote.One}}, n)
}

func (s *remoteState) extend(ctx context.Context, r *pollRun, in extension) (posted, error) {
	r.CloseAt(r.Now().Add(time.Duration(in.Minutes) * time.Minute))
	return posted{ID: "extended"}, nil
}

// remote makes the rig's forum have such votes.
func (r *rig) remote(opts ...gateway.Option) {
	opts = append([]gateway.Option{gateway.Can(vote.Can{ClosingAt: true, PollTypes: []vote.PollType{vote.Boolean}, Secrecy: []vote.Secrecy{vote.CountsOnly, vote.Public}}), gateway.Least(time.Minute)}, opts...)
	r.again(newForum(r.api, gateway.ProcessFunc("remote", "A vote elsewhere.", (*remoteState).Start, opts...),
		gateway.CommandFunc("remote", "extend", "Gives it more time.", (*remoteState).extend)))
}

func (r *rig) startRemote(i *gateway.Instance, closes time.Duration, opts ...gateway.DoOption) gateway.Process {
	r.t.Helper()
	ask := vote.Ask{Title: "Lunch?", PollType: vote.Boolean}
	if closes > 0 {
		at := r.clock.now().Add(closes)
		ask.ClosingAt = &at
	}
	p, err := i.Start(r.t.Context(), "remote", poll{ask}, opts...)
	require.NoError(r.t, err)
	return p
}

// looks are the pauses between the looks at a process, until the clock has moved so far.
func (r *rig) looks(until time.Duration) (out []time.Duration) {
	r.t.Helper()
	end, last := r.clock.now().Add(until), r.clock.now()
	for seen := len(r.api.lines("update")); ; {
		next := r.due()
		if n := len(r.api.lines("update")); n > seen {
			out, last, seen = append(out, r.clock.now().Sub(last)), r.clock.now(), n
			continue
		}
		if next.IsZero() || next.After(end) {
			return out
		}
		r.clock.advance(next.Sub(r.clock.now()))
	}
}

func TestLooksAreSlowFirstAndFastBeforeTheEnd(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.remote()
	c, i := r.town("a", "S1")
	p := r.startRemote(i, 48*time.Hour)
	got := r.looks(48 * time.Hour)
	require.Less(t, len(got), 130, "not every minute of two days")
	for n, d := range got[:len(got)-1] {
		require.GreaterOrEqual(t, d, time.Minute, n)
		require.LessOrEqual(t, d, time.Hour, n)
	}
	require.Greater(t, got[0], 50*time.Minute)
	require.Less(t, got[len(got)-2], 2*time.Minute)
	require.True(t, r.process(c, p.ID).Done())
	lines := r.api.lines("update")
	require.Equal(t, "update "+p.CloseAt.Format(time.RFC3339), lines[len(lines)-1], "once more when the time has come")
}

func TestLooksWithoutEnd(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.remote()
	_, i := r.town("a", "S1")
	r.startRemote(i, 0)
	got := r.looks(48 * time.Hour)
	require.Equal(t, time.Minute, got[0])
	require.Greater(t, got[len(got)-1], 50*time.Minute)
	require.Less(t, len(got), 110)
}

func TestLooksAsDriverOperatorAndCommunityWant(t *testing.T) {
	for name, x := range map[string]struct {
		fresh     time.Duration
		operator  map[string]time.Duration
		community map[string]gateway.Duration
		most      time.Duration
		least     time.Duration
	}{
		"driver":               {10 * time.Minute, nil, nil, 10 * time.Minute, 8 * time.Minute},
		"driver under least":   {time.Second, nil, nil, time.Minute, time.Minute},
		"operator over driver": {10 * time.Minute, map[string]time.Duration{"forum/remote": 20 * time.Minute}, nil, 20 * time.Minute, 20 * time.Minute},
		"community":            {10 * time.Minute, map[string]time.Duration{"forum": 20 * time.Minute}, map[string]gateway.Duration{"forum": gateway.Duration(40 * time.Minute)}, 40 * time.Minute, 40 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, gateway.Options{PollEvery: x.operator})
			r.remote()
			c, i := r.town("a", "S1")
			require.NoError(t, c.SetSettings(t.Context(), gateway.Settings{PollEvery: x.community}))
			r.startRemote(i, 1000*time.Hour, gateway.Fresh(x.fresh))
			for n, d := range r.looks(5 * time.Hour) {
				require.LessOrEqual(t, d, x.most, n)
				require.GreaterOrEqual(t, d, x.least, n)
			}
		})
	}
	r := newRig(t, gateway.Options{})
	_, i := r.town("a", "S1")
	_, err := i.Start(t.Context(), "poll", poll{vote.Ask{Title: "x"}}, gateway.Fresh(time.Minute))
	require.ErrorIs(t, err, gateway.Invalid)
	require.Panics(t, func() {
		newForum(r.api, gateway.ProcessFunc("x", "x.", (*pollState).Start, gateway.Can(vote.Can{}), gateway.Least(time.Minute)))
	})
}

func TestMoreTimeMeansMoreLooks(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.remote()
	c, i := r.town("a", "S1")
	p := r.startRemote(i, 2*time.Minute)
	r.wait(90 * time.Second) // nothing is due any more before the end
	_, err := c.Command(t.Context(), p.ID, "extend", extension{Minutes: 600})
	require.NoError(t, err)
	seen := len(r.api.lines("update"))
	r.looks(5 * time.Hour)
	require.Greater(t, len(r.api.lines("update")), seen+3)
	require.False(t, r.process(c, p.ID).Done())
}

func TestRefresh(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.remote()
		c, i := r.town("a", "S1")
		p := r.startRemote(i, 100*time.Hour)
		require.NoError(t, r.api.do(t.Context(), "", "ballot"))
		require.NoError(t, r.api.do(t.Context(), "", "ballot"))
		p, err := c.Refresh(t.Context(), p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, p.Voters)

		require.NoError(t, r.api.do(t.Context(), "", "ballot"))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { _, _ = c.Refresh(context.WithoutCancel(t.Context()), p.ID) })
		}
		wg.Wait()
		p = r.process(c, p.ID)
		require.EqualValues(t, 2, p.Voters, "not sooner than the platform tolerates")
		require.Len(t, r.api.lines("update"), 1)

		r.clock.advance(time.Minute)
		r.api.fails("update", &gateway.Error{Code: gateway.Unavailable, Err: errBoom})
		p, err = c.Refresh(t.Context(), p.ID)
		require.ErrorIs(t, err, gateway.Unavailable)
		require.EqualValues(t, 2, p.Voters, "what is known is there")
		r.api.fails("update", nil)
		_, err = c.Refresh(t.Context(), p.ID)
		require.NoError(t, err)
		require.Len(t, r.api.lines("update"), 1, "an attempt that failed was one, too")
		r.clock.advance(time.Minute)
		p, err = c.Refresh(t.Context(), p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 3, p.Voters)

		p, err = c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		p, err = c.Refresh(t.Context(), p.ID)
		require.NoError(t, err)
		require.True(t, p.Done())
		q := r.poll(i, vote.Ask{})
		_, err = c.Refresh(t.Context(), q.ID)
		require.NoError(t, err)
		require.Len(t, r.api.lines("update"), 3, "refreshed twice, and once when it was closed")
		other, err := r.CreateCommunity(t.Context(), "b", "B")
		require.NoError(t, err)
		_, err = other.Refresh(t.Context(), p.ID)
		require.ErrorIs(t, err, gateway.NotFound)
		require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
			raw, _, err := tx.State(i.ID(), "gateway/look/"+p.ID)
			require.Empty(t, raw, "nothing is left behind")
			return err
		}))
	})
}

func TestLastLookCountsWhatCameBefore(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.remote()
		c, i := r.town("a", "S1")
		p := r.startRemote(i, time.Hour)
		require.NoError(t, r.api.do(t.Context(), "", "ballot"))
		r.wait(time.Hour)
		p = r.process(c, p.ID)
		require.Equal(t, gateway.StatusCompleted, p.Status)
		require.EqualValues(t, 1, r.outcome(p).Turnout.Voters)
		require.Empty(t, p.Closing.Note)
	})
}

func TestLastLookAtAPlatformThatIsAway(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		for name, back := range map[string]bool{"comes back": true, "stays away": false} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, gateway.Options{Store: s})
				r.remote()
				c, i := r.town("a"+name[:2], "S1")
				p := r.startRemote(i, time.Hour)
				require.NoError(t, r.api.do(t.Context(), "", "ballot"))
				r.api.fails("update", errBoom) // not even an error that is worth another try
				r.wait(time.Hour)
				for range 9 {
					require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
					r.wait(time.Minute)
				}
				if back {
					r.api.fails("update", nil)
				}
				for range 3 { // the last pause is no longer than what is left
					r.wait(30 * time.Second)
				}
				p = r.process(c, p.ID)
				require.Equal(t, gateway.StatusCompleted, p.Status)
				require.Equal(t, vote.ByTime, p.Closing.By)
				require.Equal(t, p.CloseAt, p.Closing.At)
				if back {
					require.EqualValues(t, 1, r.outcome(p).Turnout.Voters)
					require.Empty(t, p.Closing.Note)
				} else {
					require.EqualValues(t, 0, r.outcome(p).Turnout.Voters)
					require.Contains(t, p.Closing.Note, "could not be read")
					require.Contains(t, r.logs.String(), "closed with what is known")
				}
				require.NoError(t, i.Remove(t.Context()))
			})
		}
	})
}

func TestADriverClosesWithWhatIsThereNow(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.remote()
		c, i := r.town("a", "S1")
		p := r.startRemote(i, time.Hour)
		q := r.startRemote(i, time.Hour)
		x := r.startRemote(i, time.Hour)
		r.due()
		require.NoError(t, r.api.do(t.Context(), "", "ballot"))
		p, err := c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 1, r.outcome(p).Turnout.Voters)
		require.Empty(t, p.Closing.Note)

		r.api.fails("update", errBoom)
		q, err = c.Close(t.Context(), q.ID)
		require.NoError(t, err, "a driver that closes does not wait for a platform")
		require.Equal(t, gateway.StatusCompleted, q.Status)
		require.EqualValues(t, 0, r.outcome(q).Turnout.Voters)
		require.Contains(t, q.Closing.Note, "could not be read")

		x, err = c.Cancel(t.Context(), x.ID)
		require.NoError(t, err)
		require.Empty(t, x.Closing.Note, "nothing of it counts: it is not read")
	})
}

// TestLastLookAfterAnOutage: a gateway that comes back long after the closing time asks before it closes.
func TestLastLookAfterAnOutage(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.remote()
	c, i := r.town("a", "S1")
	p := r.startRemote(i, time.Hour)
	r.due()
	require.NoError(t, r.api.do(t.Context(), "", "ballot"))
	r.clock.advance(24 * time.Hour)
	r.remote()
	r.due()
	require.EqualValues(t, 1, r.outcome(r.process(c, p.ID)).Turnout.Voters)
}

// TestLastLooksHoldUpNobody: a platform that hangs delays the end of what it counts, and of nothing else.
func TestLastLooksHoldUpNobody(t *testing.T) {
	r := newRig(t, gateway.Options{Workers: 4})
	r.remote()
	c, i := r.town("a", "S1")
	at := r.clock.now().Add(time.Hour)
	var remote, own []gateway.Process
	for range 20 {
		remote = append(remote, r.startRemote(i, time.Hour))
	}
	for range 5 {
		own = append(own, r.poll(i, vote.Ask{ClosingAt: &at}))
	}
	hang := make(chan struct{})
	r.api.on("update", func(context.Context) error { <-hang; return nil })
	r.clock.advance(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	all := func(list []gateway.Process) func() bool {
		return func() bool {
			for _, p := range list {
				p, err := c.Process(t.Context(), p.ID)
				if err != nil || !p.Done() {
					return false
				}
			}
			return true
		}
	}
	require.Eventually(t, all(own), 20*time.Second, 10*time.Millisecond)
	close(hang)
	require.Eventually(t, func() bool { r.clock.advance(time.Second); return all(remote)() }, 20*time.Second, 20*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}

// TestLastLookThatHangs for ever, and does not even listen to its context: other communities' votes end in time, and its own in the end, with
// what was known.
func TestLastLookThatHangs(t *testing.T) {
	r := newRig(t, gateway.Options{Workers: 4})
	r.remote()
	bad, i := r.town("bad", "S1")
	good, j := r.town("good", "S2")
	leave, hangs := make(chan struct{}), make(chan struct{})
	var hung sync.Once
	r.api.on("update S1", func(ctx context.Context) error {
		first := false
		hung.Do(func() { first = true })
		if first {
			close(hangs)
			<-leave
		}
		return nil
	})
	more := []gateway.Process{r.startRemote(i, time.Hour), r.startRemote(i, time.Hour), r.startRemote(i, time.Hour)}
	r.clock.advance(time.Hour)
	for _, task := range r.tasks(store.TaskQuery{Kind: "process.update"}) { // they would be looked at before they end
		require.NoError(t, r.store.Update(t.Context(), func(tx store.Tx) error { return tx.Unschedule(task.Kind, task.Key) }))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	<-hangs
	q := r.startRemote(j, time.Minute)
	r.clock.advance(time.Minute)
	soon(t, "the other community's vote ends", func() bool {
		r.clock.advance(20 * time.Millisecond)
		return r.process(good, q.ID).Done()
	})
	require.Empty(t, r.process(good, q.ID).Closing.Note, "it was looked at")
	soon(t, "those end that can", func() bool {
		r.clock.advance(20 * time.Second)
		return ended(r, bad, more) >= 2
	})
	close(leave)
	soon(t, "all end", func() bool {
		r.clock.advance(time.Second)
		return ended(r, bad, more) == 3
	})
	cancel()
	require.NoError(t, <-done)
}

// TestLastLookThatGivesMoreTime: the ten minutes of one end are not those of the next.
func TestLastLookThatGivesMoreTime(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.remote()
	c, i := r.town("a", "S1")
	p := r.startRemote(i, time.Hour)
	r.api.fails("update", errBoom)
	r.wait(time.Hour)
	_, err := c.Command(t.Context(), p.ID, "extend", extension{Minutes: 60})
	require.NoError(t, err)
	r.api.fails("update", nil)
	r.wait(30 * time.Minute)
	r.api.fails("update", errBoom)
	r.wait(30 * time.Minute)
	require.False(t, r.process(c, p.ID).Done(), "it is tried again")
	r.api.fails("update", nil)
	r.wait(time.Minute)
	p = r.process(c, p.ID)
	require.True(t, p.Done())
	require.Empty(t, p.Closing.Note)
}

// ended counts those that are over.
func ended(r *rig, c *gateway.Community, list []gateway.Process) (n int) {
	for _, p := range list {
		if r.process(c, p.ID).Done() {
			n++
		}
	}
	return n
}

// hintedState is a vote elsewhere of which deliveries say that something has changed.
type hintedState struct{}

func (s *hintedState) Start(ctx context.Context, r *pollRun, in poll) error {
	return r.Plugin.api.do(ctx, "start", "start "+in.Title)
}

func (s *hintedState) Update(ctx context.Context, r *pollRun) error {
	if err := r.Plugin.api.do(ctx, "update", "update "+r.Now().Format(time.RFC3339)); err != nil {
		return err
	}
	if r.Ask().Details == "says when" {
		r.UpdateAt(r.Now().Add(time.Minute))
		if err := r.Save(ctx); err != nil {
			return err
		}
		r.UpdateAt(r.Now().Add(20 * time.Minute))
		r.UpdateAt(r.Now().Add(30 * time.Minute))
	}
	return nil
}

func (s *hintedState) Receive(_ context.Context, r *pollRun, m forumMessage) (gateway.Reply, error) {
	r.UpdateAt(m.At)
	return gateway.Reply{}, nil
}

// What is asked for while a process is being looked at may be about what comes after: it is not forgotten when the look ends.
func TestAskedForDuringALook(t *testing.T) {
	for _, details := range []string{"", "says when"} {
		eachStore(t, func(t *testing.T, s store.Store) {
			r := newRig(t, gateway.Options{Store: s})
			r.again(newForum(r.api, gateway.ProcessFunc("hinted", "A vote elsewhere.", (*hintedState).Start, gateway.Can(vote.Can{}), gateway.Least(time.Minute))))
			_, i := r.town("a", "S1")
			p, err := i.Start(t.Context(), "hinted", poll{vote.Ask{Title: "Lunch?", Details: details}}, gateway.Fresh(time.Minute))
			require.NoError(t, err)
			seen := func() int { return len(r.api.lines("update")) }
			var hint time.Duration
			hinted := 0
			r.api.on("update", func(context.Context) error {
				if hinted == 0 {
					hinted++
					require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "hint", Process: p.ID, At: r.clock.now().Add(hint)}).Code)
				}
				return nil
			})
			r.wait(time.Minute)
			require.Equal(t, 2, seen(), "asked for at once, and so looked at once more")
			next := map[string]time.Duration{"": time.Minute, "says when": 30 * time.Minute}[details]
			r.wait(next - time.Second)
			require.Equal(t, 2, seen(), "then as ever: the last word counts")
			hint, hinted = 2*time.Hour, 0
			r.wait(time.Second)
			require.Equal(t, 3, seen())
			r.wait(next)
			require.Equal(t, 4, seen(), "what is asked for later than that puts nothing off")
		})
	}
}
