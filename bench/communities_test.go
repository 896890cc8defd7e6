package bench

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
)

// Each community has one instance of each of the test plugins. All of them have an action; of three, one also has a webhook, one polls.
const (
	kinds       = 9
	communities = 10_000
)

// member is what a test plugin makes of an instance.
type member struct {
	*gateway.Instance
	config memberConfig
}

type memberConfig struct {
	Workspace string   `json:"workspace" gateway:"platform_id" jsonschema_description:"Whose it is."`
	Greeting  string   `json:"greeting,omitempty" jsonschema_description:"What it says."`
	Channels  []string `json:"channels,omitempty" jsonschema_description:"Where."`
}

// memberFact is a delivery of a test plugin.
type memberFact struct {
	ID        string `json:"id"`
	Workspace string `json:"workspace"`
}

// memberPlugin makes the test plugin of a number.
func memberPlugin(n int) gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, c memberConfig) (*member, error) {
		return &member{i, c}, nil
	}
	features := []gateway.Feature[*member]{
		gateway.ActionFunc("greet", "Greets.", func(m *member, _ context.Context, _ struct{}) (struct{}, error) {
			if m.config.Greeting == "" {
				return struct{}{}, errors.New("there is nothing to say")
			}
			return struct{}{}, nil
		}),
	}
	switch n % 3 {
	case 0:
		features = append(features, gateway.Webhook[*member, memberFact]{
			Verify: func(_ *member, d *gateway.Delivery) error {
				mac := hmac.New(sha256.New, []byte(signingSecret))
				mac.Write(d.Body)
				if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(d.Header.Get("X-Signature"))) {
					return errors.New("its signature is wrong")
				}
				return nil
			},
			Parse: func(d *gateway.Delivery) (m memberFact, err error) { return m, json.Unmarshal(d.Body, &m) },
			ID:    func(m memberFact) string { return m.ID },
			Route: func(m memberFact) gateway.Target { return gateway.Target{Platform: []string{m.Workspace}} },
			Receive: func(s *member, ctx context.Context, m memberFact) (gateway.Reply, error) {
				return gateway.Reply{}, s.Emit(ctx, "fact", gateway.Meta{ID: m.ID}, json.RawMessage(`{}`))
			},
		})
	case 1:
		features = append(features, gateway.PollFunc("look", time.Hour, func(*member, context.Context) error { return nil }))
	}
	return gateway.Define("member"+strconv.Itoa(n), "A test plugin.", open, features...)
}

func memberPlugins() []gateway.Plugin {
	var out []gateway.Plugin
	for n := range kinds {
		out = append(out, memberPlugin(n))
	}
	return out
}

// fillCommunities writes a store of so many communities, as if each had enabled all of the plugins. One poll in a hundred is overdue.
func fillCommunities(b *testing.B, path string, n int) {
	s, err := sqlite.Open(path)
	require.NoError(b, err)
	now := time.Now().UTC()
	const some = 1000
	for from := 0; from < n; from += some {
		require.NoError(b, s.Update(b.Context(), func(tx store.Tx) error {
			for c := from; c < min(n, from+some); c++ {
				if err := fillCommunity(tx, c, now); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.NoError(b, s.Close())
}

func fillCommunity(tx store.Tx, c int, now time.Time) error {
	slug := fmt.Sprintf("town%05d", c)
	if err := tx.PutCommunity(store.Community{Slug: slug, Name: slug, Created: now}); err != nil {
		return err
	}
	for n := range kinds {
		plugin := "member" + strconv.Itoa(n)
		row := store.Instance{
			ID: fmt.Sprintf("i%05d%d", c, n), Community: slug, Plugin: plugin, Name: plugin, PlatformID: slug, Status: "active", Created: now, Updated: now,
			Config: fmt.Appendf(nil, `{"workspace":%q,"greeting":"Welcome to %s","channels":["general","random"]}`, slug, slug),
		}
		if err := tx.PutInstance(row); err != nil {
			return err
		}
		if n%3 == 1 {
			due := now.Add(time.Hour + time.Duration(c)*time.Second)
			if c%100 == 0 {
				due = now.Add(-time.Minute)
			}
			if err := tx.Schedule(store.Task{Kind: "poll", Key: row.ID + "/look", Community: slug, Instance: row.ID, Due: due, Created: now}); err != nil {
				return err
			}
		}
	}
	return nil
}

// BenchmarkCommunities is a gateway for ten thousand communities with nine instances each. start-ms is from opening the file until the first
// delivery is acknowledged and heard, the slowest of some starts, the first of which also gives instances polls that nobody knows them to have: under 1 s.
// B/instance is what memory grew by, divided by all instances, after each was used once: under 4 KiB; rss-B/instance the same as the system sees it.
func BenchmarkCommunities(b *testing.B) {
	path := filepath.Join(b.TempDir(), "communities.db")
	fill := sync.OnceFunc(func() { fillCommunities(b, path, communities) })
	grew := sync.OnceValues(func() (heap, rss float64) { return useAll(b, path) })
	b.Run("n="+strconv.Itoa(communities), func(b *testing.B) {
		fill()
		b.ResetTimer()
		var slowest time.Duration
		for i := range min(b.N, 10) {
			slowest = max(slowest, firstDelivery(b, path, i))
		}
		b.StopTimer()
		heap, rss := grew()
		require.Less(b, heap, 4096.0, "bytes an idle instance")
		b.ReportMetric(float64(slowest)/1e6, "start-ms")
		b.ReportMetric(heap, "B/instance")
		b.ReportMetric(rss, "rss-B/instance")
	})
}

// big is a gateway on the file of all communities, running until stop is called.
type big struct {
	*gateway.Gateway
	heard chan string
	stop  func()
}

func startBig(b *testing.B, path string) big {
	s, err := sqlite.Open(path)
	require.NoError(b, err)
	g := newGateway(b, gateway.Options{Store: s, Plugins: memberPlugins()})
	out := big{g, make(chan string, 1), nil}
	require.NoError(b, g.OnEvent(b.Context(), "bench", func(_ context.Context, _ *gateway.Community, e gateway.Event) error {
		out.heard <- e.ID
		return nil
	}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	out.stop = func() {
		cancel()
		require.NoError(b, <-done)
		require.NoError(b, s.Close())
	}
	return out
}

func firstDelivery(b *testing.B, path string, round int) time.Duration {
	began := time.Now()
	g := startBig(b, path)
	defer g.stop()
	body := fmt.Appendf(nil, `{"id":"f%d-%d","workspace":"town%05d"}`, began.UnixNano(), round, communities/2+round)
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write(body)
	r := httptest.NewRequest(http.MethodPost, "/api/hooks/member0", strings.NewReader(string(body)))
	r.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
	w := httptest.NewRecorder()
	g.Handler().ServeHTTP(w, r)
	require.Equal(b, http.StatusOK, w.Code, w.Body)
	select {
	case <-g.heard:
	case <-time.After(10 * time.Second):
		require.Fail(b, "the delivery was not heard")
	}
	return time.Since(began)
}

// useAll has every instance do something and says by how much memory grew, for each.
func useAll(b *testing.B, path string) (heap, rss float64) {
	heap0, rss0 := memory()
	g := startBig(b, path)
	defer g.stop()
	var wg sync.WaitGroup
	const workers = 4
	for w := range workers {
		wg.Go(func() {
			for c := w; c < communities; c += workers {
				if err := useCommunity(b.Context(), g.Gateway, fmt.Sprintf("town%05d", c)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	heap1, rss1 := memory()
	return (heap1 - heap0) / (communities * kinds), (rss1 - rss0) / (communities * kinds)
}

func useCommunity(ctx context.Context, g *gateway.Gateway, slug string) error {
	c, err := g.Community(ctx, slug)
	if err != nil {
		return err
	}
	for n := range kinds {
		inst, err := c.Instance(ctx, "member"+strconv.Itoa(n))
		if err != nil {
			return err
		}
		if _, err := inst.Do(ctx, "greet", nil); err != nil {
			return err
		}
	}
	return nil
}

// memory is what the program holds, by its own account and by the system's; 0 where that does not say.
func memory() (heap, rss float64) {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	heap = float64(m.HeapInuse + m.StackInuse)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return heap, 0
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 64)
			if err == nil {
				rss = kib * 1024
			}
		}
	}
	return heap, rss
}
