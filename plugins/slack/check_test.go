package slack_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// What every plugin has to pass.
func TestCheck(t *testing.T) {
	fake := fakeslack.New(fakeslack.Options{})
	t.Cleanup(fake.Close)
	w := fake.AddWorkspace("T1", "Town")
	token := w.Install()
	a := fake.App()
	p, err := slack.New(slack.App{
		SigningSecret: gateway.Secret(a.SigningSecret), ClientID: a.ClientID, ClientSecret: gateway.Secret(a.ClientSecret), AppToken: gateway.Secret(a.AppToken),
	})
	require.NoError(t, err)
	gatewaytest.Check(t, p,
		gatewaytest.WithConfig(slack.Config{BotToken: gateway.Secret(token)}),
		gatewaytest.WithHTTP(&http.Client{Transport: oneByOne{fake.Client().Transport}}),
		gatewaytest.WithSecrets(a.SigningSecret, a.ClientSecret, a.AppToken),
		gatewaytest.WithSign(func(body []byte, at time.Time) http.Header {
			r := &http.Request{Header: http.Header{}}
			fake.SignAt(r, body, at)
			return r.Header
		}),
		gatewaytest.WithDeliveries(
			gatewaytest.Delivery{Name: "event", Body: []byte(hello), Event: "message"},
			gatewaytest.Delivery{Name: "command", Body: []byte("team_id=T1&user_id=UANN&command=%2Fvote&trigger_id=1.2"), Event: "slash_command"},
			gatewaytest.Delivery{Name: "interaction", Body: []byte(form(`{"type":"shortcut","team":{"id":"T1"},"user":{"id":"UANN"},"trigger_id":"1.3"}`)), Event: "shortcut"},
			gatewaytest.Delivery{Name: "challenge", Body: []byte(`{"type":"url_verification","challenge":"c"}`)},
		),
	)
}

// oneByOne keeps no connection open: the check looks for what is left behind.
type oneByOne struct{ next http.RoundTripper }

func (o oneByOne) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Close = true
	return o.next.RoundTrip(out)
}
