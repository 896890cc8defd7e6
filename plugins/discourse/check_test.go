package discourse

import (
	"net/http"
	"testing"
	"time"

	"github.com/metagov/gateway-go/gatewaytest"
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
	gatewaytest.Check(t, New(),
		gatewaytest.WithConfig(Config{URL: forum, WebhookSecret: secret}),
		gatewaytest.WithSign(func(body []byte, _ time.Time) http.Header {
			h := http.Header{}
			h.Set("X-Discourse-Event-Signature", signed(secret, string(body)))
			h.Set("X-Discourse-Instance", forum)
			return h
		}),
		gatewaytest.WithDeliveries(
			delivery("post_created", `{"post":{"id":7,"topic_id":3,"raw":"Hello"}}`),
			delivery("user_suspended", `{"user":{"id":42,"username":"ann"}}`),
			delivery("something_new", `{"thing":{}}`),
			ping,
		),
	)
}
