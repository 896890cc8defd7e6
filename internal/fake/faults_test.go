package fake_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/fake"
)

func TestWhichFaultStrikes(t *testing.T) {
	cases := map[string]struct {
		fault fake.Fault
		asked string // requests in order; deliveries begin with "!"
		want  string // x where it strikes
	}{
		"once":                     {fake.Fault{Request: "ban"}, "ban ban kick", "x.."},
		"twice":                    {fake.Fault{Request: "ban", Times: 2}, "kick ban ban ban", ".xx."},
		"always":                   {fake.Fault{Request: "ban", Times: -1}, "ban ban ban", "xxx"},
		"not the first":            {fake.Fault{Request: "ban", Skip: 1}, "ban kick ban ban", "..x."},
		"any request":              {fake.Fault{Times: -1}, "ban kick !banned", "xx."},
		"one delivery":             {fake.Fault{Delivery: "banned", Times: -1}, "banned !banned !kicked", ".x."},
		"any delivery":             {fake.Fault{Delivery: "*", Times: -1}, "banned !banned !kicked", ".xx"},
		"a delivery of two names":  {fake.Fault{Delivery: "issue/opened", Times: -1}, "!issue/closed !issue/opened", ".x"},
		"a delivery without names": {fake.Fault{Request: "", Times: -1}, "! !", ".."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			faults := fake.NewFaults(t.Context())
			in := faults.Set(c.fault)
			got := ""
			for _, what := range strings.Fields(c.asked) {
				hits := in.Hits()
				if delivery, ok := strings.CutPrefix(what, "!"); ok {
					kind, _, _ := strings.Cut(delivery, "/")
					faults.Delivery(kind, delivery)
				} else {
					faults.Request(what)
				}
				got += map[bool]string{true: "x", false: "."}[in.Hits() > hits]
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestFaultsAreUsedInTheirOrder(t *testing.T) {
	faults := fake.NewFaults(t.Context())
	first := faults.Set(fake.Fault{Duplicate: 1})
	faults.Set(fake.Fault{Duplicate: 2})
	third := faults.Set(fake.Fault{Duplicate: 3})
	require.Equal(t, 1, faults.Request("x").Duplicate)
	require.Equal(t, 2, faults.Request("x").Duplicate)
	third.Remove()
	require.Zero(t, faults.Request("x").Duplicate, "a removed fault strikes nobody")
	require.Equal(t, 1, first.Hits())
	require.Zero(t, third.Hits())
}

// site is a server that does one thing.
type site struct {
	t        *testing.T
	url      string
	faults   *fake.Faults
	done     atomic.Int64
	recorded chan fake.Answer
}

func newSite(t *testing.T, stop context.Context) *site {
	s := &site{t: t, faults: fake.NewFaults(stop), recorded: make(chan fake.Answer, 10)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		strike := s.faults.Request(r.URL.Path)
		strike.Play(w, r, func() fake.Answer {
			s.done.Add(1)
			a := fake.Answer{Status: http.StatusCreated, Header: http.Header{"X-Made": {"yes"}}, Body: []byte("made")}
			if !strike.Withholds() {
				s.recorded <- a
			}
			return a
		}, func(a fake.Answer) { s.recorded <- a })
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) post() (status int, body string, err error) {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/make", strings.NewReader("{}"))
	require.NoError(s.t, err)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res.StatusCode, string(b), nil
}

func TestWhatAFaultDoesToARequest(t *testing.T) {
	no := func() (fake.Answer, bool) { return fake.Answer{Status: 500}, false }
	teapot := func() (fake.Answer, bool) {
		return fake.Answer{Status: http.StatusTeapot, Body: []byte("short and stout")}, true
	}
	cases := map[string]struct {
		fault    fake.Fault
		status   int // 0: the connection closes
		done     int64
		recorded []int
	}{
		"none":                           {fake.Fault{Request: "/other"}, 201, 1, []int{201}},
		"an answer instead":              {fake.Fault{Answer: teapot}, 418, 0, []int{418}},
		"an answer that is none":         {fake.Fault{Answer: no}, 201, 1, []int{201}},
		"the connection closes before":   {fake.Fault{CloseBefore: true, Answer: teapot}, 0, 0, nil},
		"the answer is lost":             {fake.Fault{LoseAnswer: true}, 0, 1, nil},
		"an answer instead, and no more": {fake.Fault{Answer: teapot, LoseAnswer: true}, 418, 0, []int{418}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, t.Context())
			s.faults.Set(c.fault)
			status, _, err := s.post()
			require.Equal(t, c.status == 0, err != nil, "%v", err)
			require.Equal(t, c.status, status)
			require.Equal(t, c.done, s.done.Load())
			require.Len(t, s.recorded, len(c.recorded))
			for _, want := range c.recorded {
				require.Equal(t, want, (<-s.recorded).Status)
			}
		})
	}
}

func TestWhatIsHeld(t *testing.T) {
	cases := map[string]struct {
		fault fake.Fault
		done  int64 // while it is held
	}{
		"the request": {fake.Fault{Hold: true}, 0},
		"the answer":  {fake.Fault{HoldAnswer: true}, 1},
	}
	for name, c := range cases {
		for how, release := range map[string]func(*fake.Injected, context.CancelFunc){
			"released":      func(i *fake.Injected, _ context.CancelFunc) { i.Release(); i.Release() },
			"fault removed": func(i *fake.Injected, _ context.CancelFunc) { i.Remove() },
			"fake closed":   func(_ *fake.Injected, stop context.CancelFunc) { stop() },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				stop, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := newSite(t, stop)
				in := s.faults.Set(c.fault)
				status := make(chan int, 1)
				go func() {
					n, _, _ := s.post()
					status <- n
				}()
				require.NoError(t, in.Wait(t.Context()))
				require.Eventually(t, func() bool { return s.done.Load() == c.done }, 10*time.Second, time.Millisecond)
				require.Empty(t, s.recorded, "the answer was not given yet")
				release(in, cancel)
				require.Equal(t, http.StatusCreated, <-status)
				require.Equal(t, int64(1), s.done.Load())
				require.Len(t, s.recorded, 1)
			})
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := fake.NewFaults(t.Context()).Set(fake.Fault{})
	require.ErrorIs(t, in.Wait(ctx), context.Canceled)
}

func TestWhatAFaultDoesToADelivery(t *testing.T) {
	cases := map[string]struct {
		fault    fake.Fault
		err      error // of sending
		want     error
		sent     bool
		timedOut bool
	}{
		"none":                 {sent: true},
		"none, and it failed":  {err: io.EOF, want: io.EOF, sent: true},
		"it took too long":     {err: context.DeadlineExceeded, want: context.DeadlineExceeded, sent: true, timedOut: true},
		"it did not arrive":    {fault: fake.Fault{CloseBefore: true}, want: fake.ErrLost},
		"the answer was lost":  {fault: fake.Fault{LoseAnswer: true}, want: fake.ErrUnanswered, sent: true, timedOut: true},
		"both, so it was lost": {fault: fake.Fault{CloseBefore: true, LoseAnswer: true}, want: fake.ErrLost},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			faults := fake.NewFaults(t.Context())
			c.fault.Delivery = "*"
			faults.Set(c.fault)
			sent := false
			a, err := faults.Delivery("x").Deliver(t.Context(), time.Hour, func(ctx context.Context) (fake.Answer, error) {
				sent = true
				at, ok := ctx.Deadline()
				require.True(t, ok && time.Until(at) > time.Minute)
				return fake.Answer{Status: 200}, c.err
			})
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.sent, sent)
			require.Equal(t, c.timedOut, fake.TimedOut(err))
			if errors.Is(c.want, fake.ErrUnanswered) {
				require.Zero(t, a.Status, "nobody knows what was answered")
			}
		})
	}
}

func TestPostTakesAnswersAsTheyAre(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		_, _ = w.Write([]byte(r.Header.Get("X-Signed") + " " + string(b)))
	}))
	defer server.Close()
	post := func(url string) (fake.Answer, error) {
		return fake.Post(t.Context(), fake.NoRedirects(nil), url, []byte("body"), func(r *http.Request) { r.Header.Set("X-Signed", "yes") })
	}
	a, err := post(server.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, a.Status)
	require.Equal(t, "yes body", string(a.Body))
	server.Close()
	_, err = post(strings.Replace(server.URL, "http://", "http://me:secret@", 1))
	require.ErrorContains(t, err, "deliver to http://me:xxxxx@127.0.0.1")
	require.NotContains(t, err.Error(), "secret")
	require.False(t, fake.TimedOut(err))
	_, err = post("http://%zz")
	require.ErrorContains(t, err, "deliver: ")
}
