package github_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/github"
)

// What every plugin has to pass.
func TestCheck(t *testing.T) {
	p, err := github.New(testApp())
	require.NoError(t, err)
	delivery := func(name, event, body string) gatewaytest.Delivery {
		h := http.Header{}
		h.Set("Content-Type", "application/json")
		h.Set("X-GitHub-Event", event)
		h.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
		d := gatewaytest.Delivery{Name: name, Header: h, Body: []byte(body), Event: name}
		if event == "ping" {
			d.Event = ""
		}
		return d
	}
	h := newHub(time.Now)
	h.follows = true // the check makes several gateways, with clocks of their own
	gatewaytest.Check(t, p,
		gatewaytest.WithConfig(github.Config{InstallationID: installation}),
		gatewaytest.WithHTTP(&http.Client{Transport: h}),
		gatewaytest.WithSecrets(webhookSecret, clientSecret, "PRIVATE KEY"),
		gatewaytest.WithSign(func(body []byte, _ time.Time) http.Header {
			return http.Header{"X-Hub-Signature-256": {signature(body)}}
		}),
		gatewaytest.WithDeliveries(
			delivery("issues opened", "issues", `{"action":"opened","issue":{"number":1},"repository":{"full_name":"acme/town"},"sender":{"login":"ada"},"installation":{"id":4711}}`),
			delivery("push", "push", `{"ref":"refs/heads/main","repository":{"full_name":"acme/town"},"sender":{"login":"ada"},"installation":{"id":4711}}`),
			delivery("something_new happened", "something_new", `{"action":"happened","installation":{"id":4711}}`),
			delivery("ping", "ping", `{"zen":"Keep it logically awesome.","hook_id":1}`),
		),
	)
}
