package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/memory"
)

// driverElsewhere is a program of its own that hears of events by HTTP.
type driverElsewhere struct {
	webhook *standardwebhooks.Webhook

	mu   sync.Mutex
	seen map[string]bool // a real one keeps this where it keeps its data, in the same transaction
}

func (d *driverElsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if err != nil || d.webhook.Verify(body, r.Header) != nil { // the bytes as they came, before anything parses them
		http.Error(w, "not for us", http.StatusUnauthorized)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := r.Header.Get("webhook-id")
	if d.seen[id] {
		return // it came before: 200
	}
	var m struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	d.seen[id] = true
	fmt.Println("heard", m.Type) // a real one puts it into a queue, and answers
}

// An endpoint is told of what happens in all communities, in the form of Standard Webhooks. Its secret is shown once.
func ExampleEndpoints() {
	ctx := context.Background()
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	if err != nil {
		panic(err)
	}
	g, err := gateway.New(gateway.Options{
		Store: memory.New(), Seal: seal,
		Reach: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // the driver of this example is on this machine
	})
	if err != nil {
		panic(err)
	}
	driver := &driverElsewhere{seen: map[string]bool{}}
	server := httptest.NewServer(driver)
	defer server.Close()

	endpoint, secret, err := g.Endpoints().Create(ctx, gateway.EndpointSpec{
		URL: server.URL, Ordered: true, Filters: []gateway.Filter{{Types: []string{"process.completed", "slack.message"}}},
	})
	if err != nil {
		panic(err)
	}
	if driver.webhook, err = standardwebhooks.NewWebhook(secret.Reveal()); err != nil {
		panic(err)
	}
	answer, err := g.Endpoints().Test(ctx, endpoint.ID)
	fmt.Println(answer.Status, answer.Error, err)
	// Output:
	// heard gateway.test
	// 200  <nil>
}
