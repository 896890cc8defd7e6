package gatewaytest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

func TestAdvanceDoesEachThingAtItsTime(t *testing.T) {
	r := New(t, gateway.Options{Plugins: []gateway.Plugin{newBell("")}})
	inst, err := r.Community("town").Enable(t.Context(), "bell", bellConfig{House: "home", Token: "made-up token"})
	require.NoError(t, err)
	var ended []time.Time
	require.NoError(t, r.OnProcess(t.Context(), "driver", func(_ context.Context, _ *gateway.Community, p gateway.Process) error {
		if p.Done() {
			ended = append(ended, p.Ended)
		}
		return nil
	}))
	began := r.Clock.Now()
	for range 2 {
		_, err := inst.Start(t.Context(), "watch", tune{Tune: "ding"})
		require.NoError(t, err)
		r.Advance(20 * time.Minute)
	}
	r.Advance(19 * time.Minute)
	require.Empty(t, ended)
	r.Advance(10 * time.Hour)
	require.Equal(t, []time.Time{began.Add(time.Hour), began.Add(80 * time.Minute)}, ended)
	require.Equal(t, began.Add(59*time.Minute+10*time.Hour), r.Clock.Now())
}

func TestDeliveriesByHTTPAndByHand(t *testing.T) {
	r := New(t, gateway.Options{Plugins: []gateway.Plugin{newBell("")}})
	inst, err := r.Community("town").Enable(t.Context(), "bell", bellConfig{House: "home", Token: "made-up token"})
	require.NoError(t, err)
	body := func(id string) []byte {
		return []byte(`{"id":"` + id + `","house":"home","who":{"name":"ann"},"times":[1]}`)
	}

	require.Equal(t, 200, r.Deliver("bell", bellSign(body("1"), r.Clock.Now()), body("1")).Code)
	require.Equal(t, 200, r.DeliverTo(inst, bellSign(body("2"), r.Clock.Now()), body("2")).Code)
	require.Equal(t, 401, r.Deliver("bell", nil, body("3")).Code)

	url, err := inst.WebhookURL(t.Context())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(url, r.Server().URL+"/"), "the public URL is where the server listens")
	require.Equal(t, r.Server().URL, r.PublicURL())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(string(body("4"))))
	require.NoError(t, err)
	req.Header = bellSign(body("4"), r.Clock.Now())
	resp, err := r.Server().Client().Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)

	require.Empty(t, r.Events(), "heard in Due, not before")
	r.Due()
	require.Len(t, r.Events(), 3)
	require.Len(t, r.Events("rung"), 3)
	require.Empty(t, r.Events("other"))
	require.Len(t, r.Log.Lines("a delivery was refused"), 1)

	r.Restart()
	r.Due()
	require.Len(t, r.Events(), 3, "what was heard is not heard again")
}

func TestAPublicURLOfOnesOwn(t *testing.T) {
	r := New(t, gateway.Options{Plugins: []gateway.Plugin{newBell("")}, PublicURL: "https://gov.example/gateway/"})
	inst, err := r.Community("town").Enable(t.Context(), "bell", bellConfig{House: "home", Token: "made-up token"})
	require.NoError(t, err)
	require.Equal(t, "/api/hooks/bell", r.hook(inst))
	require.Contains(t, record(t, func(tb TB) {
		New(tb, gateway.Options{PublicURL: "https://gov.example"}).Server()
	}), "leave Options.PublicURL empty")
}

func TestARigThatCannotBeMade(t *testing.T) {
	require.Contains(t, record(t, func(tb TB) { New(tb, gateway.Options{PublicURL: "nonsense"}) }), "gateway.New")
}

func TestALeftGoroutineIsFound(t *testing.T) {
	stop := make(chan struct{})
	done := make(chan struct{})
	got := record(t, func(tb TB) {
		New(tb, gateway.Options{})
		go func() { <-stop; close(done) }()
	})
	require.Contains(t, got, "goroutines were left behind")
	close(stop)
	<-done
}

// hint is a platform that does not sign.
func newHint(plugin string) gateway.Plugin {
	type config struct{}
	type hints struct{ *gateway.Instance }
	return gateway.Define(plugin, "Hints at something.", func(_ context.Context, i *gateway.Instance, _ config) (*hints, error) { return &hints{i}, nil },
		gateway.Webhook[*hints, ring]{
			Unsigned: true,
			Parse:    parseRing,
			Handle: func(h *hints, ctx context.Context, m ring) error {
				return h.Emit(ctx, "hinted", gateway.Meta{ID: "what the API says"}, nil)
			},
		},
	)
}

func TestAnUnsignedPluginPasses(t *testing.T) {
	p := newHint("hint")
	Check(t, p, WithGolden(writeGolden(t, p)), WithDeliveries(Delivery{Body: []byte(`{"who":{"name":"ann"}}`), Event: "hinted"}))
}

func TestAWebhookHasToBeTried(t *testing.T) {
	p := newBell("")
	golden := writeGolden(t, p)
	require.Contains(t, record(t, func(tb TB) { Check(tb, p, WithGolden(golden), WithConfig(bellConfig{House: "home"})) }), "WithDeliveries")
	require.Contains(t, record(t, func(tb TB) {
		Check(tb, p, WithGolden(golden), WithConfig(bellConfig{House: "home"}), WithDeliveries(Delivery{Body: []byte(`{}`)}))
	}), "WithSign")
	require.Contains(t, record(t, func(tb TB) { Check(tb, p, WithGolden(golden)) }), "WithConfig")
	require.Contains(t, record(t, func(tb TB) {
		Check(tb, p, append(bellOptions(golden), WithConfig(bellConfig{House: "elsewhere", Token: "made-up token"}))...)
	}), "is it for the instance that WithConfig makes?")
}
