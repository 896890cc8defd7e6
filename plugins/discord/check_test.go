package discord_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

const (
	command  = `{"id":"1300000000000000001","application_id":"900000000000000001","type":2,"token":"interaction-token-1","guild_id":"1000","channel_id":"1101","member":{"user":{"id":"2001"}},"data":{"id":"1","name":"propose","type":1}}`
	click    = `{"id":"1300000000000000002","application_id":"900000000000000001","type":3,"token":"interaction-token-2","guild_id":"1000","channel_id":"1101","message":{"id":"3"},"member":{"user":{"id":"2001"}},"data":{"custom_id":"theirs","component_type":2}}`
	welcome  = `{"version":1,"application_id":"900000000000000001","type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"2026-11-02T12:00:00","data":{"integration_type":0,"scopes":["bot"],"user":{"id":"2001"},"guild":{"id":"1000"}}}}`
	hello    = `{"op":0,"t":"MESSAGE_CREATE","s":5,"session":"s1","d":{"id":"1300000000000000003","guild_id":"1000","channel_id":"1101","author":{"id":"2001"},"content":"hello"}}`
	banEntry = `{"op":0,"t":"GUILD_AUDIT_LOG_ENTRY_CREATE","s":6,"session":"s1","d":{"guild_id":"1000","id":"1300000000000000004","action_type":22,"target_id":"2003","user_id":"2001","reason":"spam"}}`
)

// What every plugin has to pass.
func TestCheck(t *testing.T) {
	fake := fakediscord.New(fakediscord.Options{})
	t.Cleanup(fake.Close)
	(&rig{t: t, fake: fake}).guild(0).Install(perms)
	app := appOf(fake)
	app.Gateway = true
	p, err := discord.New(app)
	require.NoError(t, err)
	gatewaytest.Check(t, p,
		gatewaytest.WithConfig(discord.Config{GuildID: guildID}),
		gatewaytest.WithHTTP(&http.Client{Transport: oneByOne{fake.Client().Transport}}),
		gatewaytest.WithSecrets(app.ClientSecret.Reveal(), app.BotToken.Reveal()),
		gatewaytest.WithSign(func(body []byte, at time.Time) http.Header {
			r := &http.Request{Header: http.Header{}}
			fake.SignAt(r, body, at)
			return r.Header
		}),
		gatewaytest.WithDeliveries(
			gatewaytest.Delivery{Name: "command", Body: []byte(command), Event: "APPLICATION_COMMAND"},
			gatewaytest.Delivery{Name: "click", Body: []byte(click), Event: "MESSAGE_COMPONENT"},
			gatewaytest.Delivery{Name: "webhook event", Body: []byte(welcome), Event: "APPLICATION_AUTHORIZED"},
			gatewaytest.Delivery{Name: "dispatch", Body: []byte(hello), Event: "MESSAGE_CREATE"},
			gatewaytest.Delivery{Name: "audit log", Body: []byte(banEntry), Event: "GUILD_BAN_ADD"},
			gatewaytest.Delivery{Name: "ping", Body: []byte(`{"type":1}`)},
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

func TestAnAppThatCannotWorkIsRefused(t *testing.T) {
	good := discord.App{ApplicationID: "1", BotToken: "fake-bot-token", PublicKey: "0000000000000000000000000000000000000000000000000000000000000000"}
	_, err := discord.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*discord.App){
		"no ID":                func(a *discord.App) { a.ApplicationID = "" },
		"no token":             func(a *discord.App) { a.BotToken = "" },
		"nothing can come in":  func(a *discord.App) { a.PublicKey = "" },
		"no key":               func(a *discord.App) { a.PublicKey = "abcd" },
		"an unknown intent":    func(a *discord.App) { a.Intents = []string{"EVERYTHING"} },
		"an unknown right":     func(a *discord.App) { a.Permissions = []string{"EVERYTHING"} },
		"a key that is no hex": func(a *discord.App) { a.PublicKey = "zz" },
	} {
		a := good
		change(&a)
		_, err := discord.New(a)
		require.ErrorIs(t, err, gateway.Invalid, name)
	}
}
