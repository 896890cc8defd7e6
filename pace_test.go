package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// board is a plugin that calls a server with the app's one credential.
type board struct {
	*gateway.Instance
	b      *boards
	Server string
}

type boardConfig struct {
	Server string `json:"server" doc:"Where it is."`
	Other  bool   `json:"other,omitempty" doc:"Another credential."`
}

// boards is the server, and how the plugin is made.
type boards struct {
	*httptest.Server
	every time.Duration
	panic bool

	mu     sync.Mutex
	paths  []string
	answer func(w http.ResponseWriter, r *http.Request) // nil: 200
}

func newBoards(t *testing.T) *boards {
	b := &boards{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.paths = append(b.paths, r.URL.Path)
		if b.answer != nil {
			b.answer(w, r)
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *boards) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.paths...)
}

func (b *boards) plugin() gateway.Plugin {
	return gateway.Define("board", "A board.", func(_ context.Context, i *gateway.Instance, c boardConfig) (*board, error) {
		return &board{i, b, c.Server}, nil
	},
		gateway.ActionFunc("get", "Asks.", (*board).get),
		gateway.ActionFunc("guarded", "Asks what the configuration names.", (*board).guarded),
		gateway.PollFunc("look", time.Minute, func(t *board, ctx context.Context) error {
			_, err := t.call(ctx, t.HTTP, b.URL+"/poll/"+t.Community())
			return err
		}),
		gateway.PaceFunc(func(t *board, r *http.Request) gateway.Pace {
			if b.panic {
				panic("boom")
			}
			return gateway.Pace{Key: "canary", Every: b.every, Burst: 1}
		}),
	)
}

type path struct {
	Path string `json:"path" doc:"What."`
}

type answer struct {
	Status int `json:"status" doc:"HTTP status."`
}

func (t *board) get(ctx context.Context, in path) (answer, error) {
	return t.call(ctx, t.HTTP, t.b.URL+in.Path)
}

func (t *board) guarded(ctx context.Context, in path) (answer, error) {
	return t.call(ctx, t.Guarded, t.Server+in.Path)
}

func (t *board) call(ctx context.Context, c *http.Client, url string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	res, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return answer{res.StatusCode}, err
}

func (r *rig) board(slug string, server string) *gateway.Instance {
	r.t.Helper()
	c, err := r.CreateCommunity(r.t.Context(), slug, slug)
	require.NoError(r.t, err)
	i, err := c.Enable(r.t.Context(), "board", boardConfig{Server: server})
	require.NoError(r.t, err)
	return i
}

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} }

func TestGuardedReachesWhatIsAllowedOnly(t *testing.T) {
	b := newBoards(t)
	for _, c := range []struct {
		what   string
		reach  []netip.Prefix
		server string
		ok     bool
	}{
		{"this machine", nil, b.URL, false},
		{"this machine, allowed", loopback(), b.URL, true},
		{"another way to write it", loopback(), strings.Replace(b.URL, "127.0.0.1", "0x7f000001", 1), false},
		{"the cloud's secrets", loopback(), "http://169.254.169.254", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}, Reach: c.reach})
			i := r.board("town", c.server)
			before := len(b.asked())
			_, err := i.Do(t.Context(), "guarded", path{"/x"})
			require.Equal(t, c.ok, err == nil, "%v", err)
			require.Equal(t, c.ok, len(b.asked()) > before)
			if !c.ok {
				require.ErrorIs(t, err, gateway.Invalid)
			}
			_, err = i.Do(t.Context(), "get", path{"/x"})
			require.NoError(t, err, "HTTP is for what the plugin names")
		})
	}
}

func TestGuardedFollowsNoRedirectInward(t *testing.T) {
	b := newBoards(t)
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	}
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}, Reach: loopback()})
	_, err := r.board("town", b.URL).Do(t.Context(), "guarded", path{"/x"})
	require.ErrorIs(t, err, gateway.Invalid)
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestEgressCarriesWhatIsGuarded(t *testing.T) {
	b := newBoards(t)
	var asked []string
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}, Egress: trip(func(q *http.Request) (*http.Response, error) {
		asked = append(asked, q.URL.Host)
		return &http.Response{StatusCode: http.StatusTeapot, Header: http.Header{}, Body: http.NoBody, Request: q}, nil
	})})
	out, err := r.board("town", "https://gov.example").Do(t.Context(), "guarded", path{"/x"})
	require.NoError(t, err)
	require.JSONEq(t, `{"status":418}`, string(out))
	require.Equal(t, []string{"gov.example"}, asked)
	_, err = r.board("village", "http://10.0.0.1").Do(t.Context(), "guarded", path{"/x"})
	require.ErrorIs(t, err, gateway.Invalid)
}

func TestInstancesOfOneAppShareABucket(t *testing.T) {
	b := newBoards(t)
	b.every = time.Hour
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}, Reach: loopback()})
	town, village := r.board("town", b.URL), r.board("village", b.URL)
	_, err := town.Do(t.Context(), "get", path{"/1"})
	require.NoError(t, err)
	for _, action := range []string{"get", "guarded"} {
		_, err = village.Do(t.Context(), action, path{"/2"})
		require.ErrorIs(t, err, gateway.Unavailable)
		require.InDelta(t, time.Hour, gateway.RetryAfter(err), float64(time.Minute))
		require.NotContains(t, err.Error(), "canary")
	}
	require.Equal(t, []string{"/1"}, b.asked(), "nothing was sent")
	r.clock.advance(time.Hour)
	_, err = village.Do(t.Context(), "get", path{"/2"})
	require.NoError(t, err)
}

func TestPollsWaitBehindPeople(t *testing.T) {
	b := newBoards(t)
	b.every = 200 * time.Millisecond
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}, Now: time.Now, Steady: steady()})
	var towns []*gateway.Instance
	for n := range 3 {
		towns = append(towns, r.board(fmt.Sprint("town", n), b.URL))
	}
	_, err := towns[0].Do(t.Context(), "get", path{"/first"})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { _, err := r.RunDue(context.WithoutCancel(t.Context())); done <- err }() // the polls of all three wait for one token
	soon(t, "requests wait", func() bool { return gateway.Queued(r.Gateway) == 3 })
	_, err = towns[1].Do(t.Context(), "get", path{"/vote"})
	require.NoError(t, err)
	require.Equal(t, []string{"/first", "/vote"}, b.asked())
	require.NoError(t, <-done)
	require.Len(t, b.asked(), 5)
}

func steady() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

func TestNobodyAsksBeforeRetryAfter(t *testing.T) {
	for _, c := range []struct {
		status int
		header func(now time.Time) string
		pause  time.Duration
	}{
		{429, func(time.Time) string { return "120" }, 2 * time.Minute},
		{503, func(now time.Time) string { return now.Add(3 * time.Minute).Format(http.TimeFormat) }, 3 * time.Minute},
		{429, func(time.Time) string { return "90.5" }, 90*time.Second + 500*time.Millisecond},
		{429, func(time.Time) string { return "9999999999" }, time.Hour},
		{429, func(time.Time) string { return "Inf" }, time.Hour},
		{429, func(time.Time) string { return "NaN" }, 0},
		{429, func(time.Time) string { return "-1" }, 0},
		{429, func(time.Time) string { return "soon" }, 0},
		{429, func(time.Time) string { return "" }, 0},
		{403, func(time.Time) string { return "120" }, 2 * time.Minute},
		{403, func(time.Time) string { return "" }, 0},
		{500, func(time.Time) string { return "120" }, 0},
	} {
		b := newBoards(t)
		r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}, Reach: loopback()})
		text := c.header(r.clock.now())
		t.Run(fmt.Sprint(c.status, " ", text), func(t *testing.T) {
			b.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", text)
				w.WriteHeader(c.status)
			}
			town, village := r.board("town", b.URL), r.board("village", b.URL)
			_, err := town.Do(t.Context(), "get", path{"/1"})
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err = village.Do(ctx, "get", path{"/2"})
			if c.pause == 0 {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, gateway.Unavailable)
			require.InDelta(t, c.pause, gateway.RetryAfter(err), float64(10*time.Second))
			require.Len(t, b.asked(), 1)
			r.clock.advance(c.pause)
			_, err = village.Do(ctx, "get", path{"/2"})
			require.NoError(t, err)
		})
	}
}

func TestAPanickingPaceHarmsNobody(t *testing.T) {
	b := newBoards(t)
	b.panic = true
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}, Reach: loopback()})
	for range 3 {
		_, err := r.board(fmt.Sprint("town", len(b.asked())), b.URL).Do(t.Context(), "get", path{"/1"})
		require.NoError(t, err)
	}
	require.Contains(t, r.logs.String(), "boom")
	require.NotContains(t, r.logs.String(), "canary")
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	b := newBoards(t)
	b.every = 20 * time.Second
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}, Now: time.Now, Steady: steady()})
	town := r.board("town", b.URL)
	_, err := town.Do(t.Context(), "get", path{"/1"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := town.Do(ctx, "get", path{"/2"}); done <- err }()
	soon(t, "requests wait", func() bool { return gateway.Queued(r.Gateway) == 1 })
	cancel()
	require.ErrorIs(t, <-done, gateway.Unavailable)
	require.False(t, errors.Is(err, gateway.Unknown))
	require.Len(t, b.asked(), 1)
}

func TestNobodyWaitsForAClockThatStandsStill(t *testing.T) {
	b := newBoards(t)
	b.every = time.Second
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{b.plugin()}})
	town := r.board("town", b.URL)
	for range 600 { // ten minutes' worth
		_, err := town.Do(t.Context(), "get", path{"/"})
		require.NoError(t, err)
	}
}
