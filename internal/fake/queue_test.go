package fake_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/fake"
)

// post delivers letters, and writes down what it does: "a" for an attempt, "a2" for the second retry, "a!" for one that failed.
type post struct {
	t      *testing.T
	queue  *fake.Queue[string]
	faults *fake.Faults
	stop   context.CancelFunc
	run    sync.WaitGroup

	mu    sync.Mutex
	now   time.Time
	fails map[string]fake.Result
	log   []string
}

func newPost(t *testing.T, change func(*fake.Courier[string])) *post {
	stop, cancel := context.WithCancel(t.Context())
	p := &post{t: t, faults: fake.NewFaults(stop), stop: cancel, now: time.Unix(1e9, 0), fails: map[string]fake.Result{}}
	by := fake.Courier[string]{
		Now:      p.clock,
		Strike:   func(d string) fake.Strike { return p.faults.Delivery(d) },
		Send:     p.send,
		Schedule: []time.Duration{time.Minute, time.Hour},
		Waits:    func(d, reason string) { p.note(d + " waits after " + reason) },
		GaveUp:   func(d string) { p.note(d + " given up") },
		Dropped:  func(d string) { p.note(d + " dropped") },
	}
	if change != nil {
		change(&by)
	}
	p.queue = fake.NewQueue(stop, by)
	p.run.Go(p.queue.Run)
	t.Cleanup(func() { cancel(); p.run.Wait() })
	return p
}

func (p *post) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *post) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *post) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, what)
}

func (p *post) send(ctx context.Context, d string, t fake.Try) fake.Result {
	_, err := t.Deliver(ctx, time.Hour, func(context.Context) (fake.Answer, error) { return fake.Answer{}, nil })
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.fails[d]
	if err != nil {
		r = fake.Result{Failed: true, Reason: err.Error()}
	}
	what := d
	if t.Retry > 0 {
		what += map[int]string{1: "1", 2: "2"}[t.Retry] + "(" + t.Reason + ")"
	}
	if r.Failed {
		what += "!"
	}
	p.log = append(p.log, what)
	return r
}

// add queues letters and waits for them.
func (p *post) add(letters string) {
	for _, d := range strings.Fields(letters) {
		p.queue.Add(d)
	}
	p.flush()
}

func (p *post) flush() { require.NoError(p.t, p.queue.Flush(p.t.Context())) }

// fail has all attempts of a letter fail from now on, or no longer.
func (p *post) fail(d string, r fake.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails[d] = r
}

// did is what was done since it was last asked.
func (p *post) did() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := strings.Join(p.log, ", ")
	p.log = nil
	return out
}

func TestDeliveriesAndTheirFaults(t *testing.T) {
	cases := map[string]struct {
		fault fake.Fault
		want  string // of a b c
		due   string // of SendDue a minute later
	}{
		"none":              {fake.Fault{Delivery: "z"}, "a, b, c", ""},
		"dropped":           {fake.Fault{Delivery: "b", Drop: true}, "a, b dropped, c", ""},
		"twice more":        {fake.Fault{Delivery: "b", Duplicate: 2}, "a, b, b, b, c", ""},
		"overtaken":         {fake.Fault{Delivery: "a", Reorder: true}, "b, a, c", ""},
		"overtaken by none": {fake.Fault{Delivery: "c", Reorder: true}, "a, b", "c"},
		"two overtaken":     {fake.Fault{Delivery: "*", Times: 2, Reorder: true}, "c, a, b", ""},
		"late":              {fake.Fault{Delivery: "b", Late: time.Minute}, "a, c", "b"},
		"later":             {fake.Fault{Delivery: "b", Late: time.Hour}, "a, c", ""},
		"lost":              {fake.Fault{Delivery: "b", CloseBefore: true}, "a, b!, b waits after lost on purpose, c", "b1(lost on purpose)"},
		"the answer is lost": {fake.Fault{Delivery: "b", LoseAnswer: true}, "a, b!, b waits after the answer was lost on purpose, c",
			"b1(the answer was lost on purpose)"},
		"a copy arrives": {fake.Fault{Delivery: "b", CloseBefore: true, Duplicate: 1}, "a, b!, b waits after lost on purpose, b, c",
			"b1(lost on purpose)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPost(t, nil)
			p.faults.Set(c.fault)
			p.add("a b c")
			require.Equal(t, c.want, p.did())
			p.pass(time.Minute)
			n := p.queue.SendDue(t.Context())
			require.Equal(t, c.due, p.did())
			require.Equal(t, c.due != "", n == 1)
			require.Zero(t, p.queue.SendDue(t.Context()), "each once")
		})
	}
}

func TestRetries(t *testing.T) {
	p := newPost(t, nil)
	p.fail("a", fake.Result{Failed: true, Reason: "full"})
	p.fail("b", fake.Result{Failed: true, Reason: "moved", Final: true})
	p.add("a b c")
	require.Equal(t, "a!, a waits after full, b!, b given up, c", p.did())
	at, ok := p.queue.NextDue()
	require.True(t, ok)
	require.Equal(t, time.Minute, at.Sub(p.clock()))
	require.Zero(t, p.queue.SendDue(t.Context()), "nothing is due yet")

	p.pass(time.Minute)
	require.Equal(t, 1, p.queue.SendDue(t.Context()))
	require.Equal(t, "a1(full)!, a waits after full", p.did())
	p.pass(time.Hour)
	require.Equal(t, 1, p.queue.SendDue(t.Context()))
	require.Equal(t, "a2(full)!, a given up", p.did())
	_, ok = p.queue.NextDue()
	require.False(t, ok)
}

func TestDueInTheOrderOfTheClock(t *testing.T) {
	p := newPost(t, nil)
	p.faults.Set(fake.Fault{Delivery: "a", Late: 3 * time.Minute})
	p.faults.Set(fake.Fault{Delivery: "b", Late: 2 * time.Minute})
	p.faults.Set(fake.Fault{Delivery: "d", Reorder: true})
	p.fail("c", fake.Result{Failed: true, Reason: "full"})
	p.add("a b c d")
	p.fail("c", fake.Result{})
	p.did()
	p.pass(time.Hour)
	require.Equal(t, 4, p.queue.SendDue(t.Context()))
	require.Equal(t, "d, c1(full), b, a", p.did())
}

func TestFaultsOfRetries(t *testing.T) {
	for again, want := range map[bool]string{false: "a1(lost on purpose)", true: "a1(lost on purpose)!, a waits after lost on purpose"} {
		p := newPost(t, func(by *fake.Courier[string]) { by.StrikeAgain = again })
		p.faults.Set(fake.Fault{Delivery: "a", CloseBefore: true, Times: -1})
		p.add("a")
		p.did()
		p.pass(time.Minute)
		p.queue.SendDue(t.Context())
		require.Equal(t, want, p.did())
	}
}

func TestAPlatformThatNeverTriesAgain(t *testing.T) {
	p := newPost(t, func(by *fake.Courier[string]) { by.Schedule, by.Waits, by.GaveUp, by.Dropped = nil, nil, nil, nil })
	p.faults.Set(fake.Fault{Delivery: "a", Drop: true})
	p.fail("b", fake.Result{Failed: true})
	p.add("a b")
	p.pass(time.Hour)
	require.Zero(t, p.queue.SendDue(t.Context()))
	require.Equal(t, "b!", p.did())
}

func TestFlushWaitsForWhatIsHeld(t *testing.T) {
	p := newPost(t, nil)
	in := p.faults.Set(fake.Fault{Delivery: "a", Hold: true})
	p.queue.Add("a")
	p.queue.Add("b")
	require.NoError(t, in.Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	flushed := make(chan error, 1)
	go func() { flushed <- p.queue.Flush(ctx) }()
	require.Empty(t, p.did(), "one after the other")
	cancel()
	require.ErrorIs(t, <-flushed, context.Canceled)
	in.Release()
	p.flush()
	require.Equal(t, "a, b", p.did())
}

func TestWhatIsQueuedAgainIsFlushedToo(t *testing.T) {
	var p *post
	var once sync.Once
	again := make(chan *fake.Injected, 1)
	p = newPost(t, func(by *fake.Courier[string]) {
		by.Waits = func(d, _ string) {
			once.Do(func() {
				p.fail("a", fake.Result{})
				again <- p.faults.Set(fake.Fault{Delivery: "a", Hold: true})
				p.queue.Requeue(func(d string) bool { return d == "a" })
			})
		}
	})
	p.fail("a", fake.Result{Failed: true, Reason: "gone"})
	p.queue.Add("a")
	require.NoError(t, (<-again).Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.queue.Flush(ctx), context.Canceled, "the second attempt is held")
}

func TestOnlyRetriesAreQueuedAgain(t *testing.T) {
	p := newPost(t, nil)
	p.faults.Set(fake.Fault{Delivery: "a", Late: time.Minute})
	p.fail("b", fake.Result{Failed: true, Reason: "gone"})
	p.fail("c", fake.Result{Failed: true, Reason: "gone"})
	p.add("a b c")
	p.did()
	p.queue.Requeue(func(d string) bool { return d != "c" })
	p.flush()
	require.Equal(t, "b1(gone)!, b waits after gone", p.did())
}

func TestTheEndOfAQueue(t *testing.T) {
	p := newPost(t, nil)
	in := p.faults.Set(fake.Fault{Delivery: "a", Hold: true})
	p.queue.Add("a")
	p.queue.Add("b")
	require.NoError(t, in.Wait(t.Context()))
	var adders sync.WaitGroup
	for range 4 {
		adders.Go(func() {
			for range 100 {
				p.queue.Add("late")
			}
		})
	}
	p.stop()
	p.run.Wait() // it lets go of what is held, and begins nothing new
	adders.Wait()
	require.Equal(t, "a", p.did())
	p.queue.Add("c")
	require.ErrorIs(t, p.queue.Flush(t.Context()), context.Canceled)
}

func TestManyAddAtOnce(t *testing.T) {
	p := newPost(t, nil)
	p.faults.Set(fake.Fault{Delivery: "*", Times: 10, Reorder: true})
	p.faults.Set(fake.Fault{Delivery: "*", Times: 10, Late: time.Minute})
	p.fail("bad", fake.Result{Failed: true, Reason: "full"})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				p.queue.Add("good")
				p.queue.Add("bad")
				p.pass(time.Minute)
				p.queue.SendDue(t.Context())
				p.queue.NextDue()
			}
			p.flush()
		})
	}
	all.Wait()
	p.pass(24 * time.Hour)
	for p.queue.SendDue(t.Context()) > 0 {
		p.pass(24 * time.Hour)
	}
	good, given := 0, 0
	for _, what := range strings.Split(p.did(), ", ") {
		switch what {
		case "good":
			good++
		case "bad given up":
			given++
		}
	}
	require.Equal(t, 200, good, "each exactly once")
	require.Equal(t, 200, given, "each until it is given up")
}
