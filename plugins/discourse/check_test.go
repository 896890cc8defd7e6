package discourse

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// What every plugin has to pass.
func TestCheck(t *testing.T) {
	const forum, secret = "https://forum.example", "fake-webhook-secret"
	delivery := func(event, body string) gatewaytest.Delivery {
		h := http.Header{}
		h.Set("Content-Type", "application/json")
		h.Set("X-Discourse-Event", event)
		return gatewaytest.Delivery{Name: event, Header: h, Body: []byte(body), Event: event}
	}
	ping := delivery("ping", `{"ping":"OK"}`)
	ping.Event = ""
	fake := fakediscourse.New(fakediscourse.Options{})
	t.Cleanup(fake.Close)
	f, err := fake.AddForum(forum)
	require.NoError(t, err)
	f.AddUser(42, "bob")
	client := fake.Client()
	client.Transport = alone{client.Transport}
	gatewaytest.Check(t, New(),
		gatewaytest.WithConfig(Config{URL: forum, WebhookSecret: secret, APIKey: gateway.Secret(f.NewKey()), PerMinute: 100_000}),
		gatewaytest.WithHTTP(client),
		gatewaytest.WithSign(func(body []byte, _ time.Time) http.Header {
			h := http.Header{}
			h.Set("X-Discourse-Event-Signature", signed(secret, string(body)))
			h.Set("X-Discourse-Instance", forum)
			return h
		}),
		gatewaytest.WithDeliveries(
			delivery("post_created", `{"post":{"id":7,"topic_id":3,"raw":"Hello"}}`),
			delivery("user_suspended", `{"user":{"id":42,"username":"bob"}}`),
			delivery("something_new", `{"thing":{}}`),
			ping,
		),
	)
}

// alone makes a connection for each request: none is left behind when the check looks.
type alone struct{ next http.RoundTripper }

func (a alone) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Close = true
	return a.next.RoundTrip(r)
}
