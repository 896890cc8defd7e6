package discord

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// canned answers every request alike, and keeps them.
type canned struct {
	status int
	header http.Header
	body   string
	asked  []*http.Request
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	c.asked = append(c.asked, r)
	h := c.header
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{StatusCode: c.status, Header: h, Body: io.NopCloser(strings.NewReader(c.body)), Request: r}, nil
}

func (c *canned) client() *client {
	return &client{http: &http.Client{Transport: c}, auth: "Bot fake-bot-token", limits: &limits{}, now: func() time.Time { return time.Unix(1793620800, 0) }}
}

func TestTheTokenGoesToDiscordAndNowhereElse(t *testing.T) {
	c := &canned{status: http.StatusFound, header: http.Header{"Location": {"https://elsewhere.example/steal"}}}
	err := c.client().call(t.Context(), call{path: path("guilds", "1")}, nil)
	require.ErrorIs(t, err, gateway.Unavailable)
	require.Len(t, c.asked, 1, "a redirect is not followed")
	require.Equal(t, "https://discord.com/api/v10/guilds/1", c.asked[0].URL.String())
	require.Equal(t, "Bot fake-bot-token", c.asked[0].Header.Get("Authorization"))
	require.Regexp(t, `^DiscordBot \(https://\S+, \S+\)$`, c.asked[0].Header.Get("User-Agent"))
	c.status, c.header, c.body = 204, nil, ""
	require.NoError(t, c.client().call(t.Context(), call{method: "POST", path: path("webhooks", "1", "t"), bare: true}, nil))
	require.Empty(t, c.asked[1].Header.Get("Authorization"), "the path is the capability")
	require.NoError(t, c.client().call(t.Context(), call{method: "PUT", path: path("guilds", "1", "bans", "2"), reason: "länger & ✓\n" + strings.Repeat("x", 600)}, nil))
	said := c.asked[2].Header.Get("X-Audit-Log-Reason")
	require.True(t, strings.HasPrefix(said, "l%C3%A4nger%20%26%20%E2%9C%93%0A"), said)
}

func TestAPauseIsBelievedWithinReason(t *testing.T) {
	for body, want := range map[string]time.Duration{
		`{"message":"slow down","retry_after":1.5,"global":false}`: 1500 * time.Millisecond,
		`{"message":"slow down","retry_after":1e300}`:              maxRetryAfter,
		`{"message":"slow down","retry_after":-5}`:                 retryAfter,
		`<html>`: retryAfter,
	} {
		c := &canned{status: http.StatusTooManyRequests, body: body}
		api := c.client()
		err := api.call(t.Context(), call{path: path("guilds", "1")}, nil)
		require.ErrorIs(t, err, gateway.Unavailable)
		require.Equal(t, want, gateway.RetryAfter(err), body)
		require.LessOrEqual(t, api.limits.held(api.now()), time.Duration(0), "only this route")
	}
}

// A global limit is that of a token: one person's, or of what needs none, is not the bot's.
func TestOnlyTheBotsOwnLimitHoldsTheBotUp(t *testing.T) {
	c := &canned{status: http.StatusTooManyRequests, body: `{"message":"slow down","retry_after":30,"global":true}`}
	api := c.client()
	person := c.client()
	person.auth, person.limits = "Bearer fake-person", api.limits
	some := call{path: path("users", "@me")}
	bare := call{method: "POST", path: path("webhooks", "1", "t"), bare: true}
	basic := call{method: "POST", path: path("oauth2", "token"), form: "x=y", basic: &[2]string{"id", "fake-secret"}}
	sent := func() int { return len(c.asked) }
	for _, q := range []func() error{
		func() error { return person.call(t.Context(), some, nil) },
		func() error { return api.call(t.Context(), bare, nil) },
		func() error { return api.call(t.Context(), basic, nil) },
	} {
		require.ErrorIs(t, q(), gateway.Unavailable)
		require.LessOrEqual(t, api.limits.held(api.now()), time.Duration(0))
	}
	require.ErrorIs(t, api.call(t.Context(), some, nil), gateway.Unavailable)
	require.Equal(t, 30*time.Second, api.limits.held(api.now()))
	before := sent()
	require.ErrorIs(t, api.call(t.Context(), some, nil), gateway.Unavailable)
	require.Equal(t, before, sent(), "nothing of the bot's is sent")
	c.status, c.body = 200, `{}`
	require.NoError(t, person.call(t.Context(), some, nil))
	require.NoError(t, api.call(t.Context(), bare, nil))
	require.NoError(t, api.call(t.Context(), basic, nil))
}

// The pace is learned from Discord's answers, for each channel apart, and for nobody before.
func TestThePaceIsLearned(t *testing.T) {
	c := &canned{status: 200, body: `{}`, header: http.Header{"X-Ratelimit-Limit": {"5"}, "X-Ratelimit-Reset-After": {"2.5"}}}
	d := &Discord{app: &app{}}
	api := c.client()
	api.limits = &d.app.limits
	send := func(channel string) *http.Request {
		require.NoError(t, api.call(t.Context(), call{method: "POST", path: path("channels", channel, "messages")}, nil))
		return c.asked[len(c.asked)-1]
	}
	one, two := send("1"), send("2")
	require.Equal(t, gateway.Pace{Key: "bot POST /channels/…/messages 1", Every: 500 * time.Millisecond, Burst: 5}, d.pace(one))
	require.Equal(t, "bot POST /channels/…/messages 2", d.pace(two).Key)
	answer := func(token string) gateway.Pace {
		require.NoError(t, api.call(t.Context(), call{method: "PATCH", path: path("webhooks", "9", token, "messages", "@original"), bare: true}, nil))
		require.NoError(t, api.call(t.Context(), call{method: "POST", path: path("interactions", token, token, "callback"), bare: true}, nil))
		return d.pace(c.asked[len(c.asked)-2])
	}
	first, second := answer("100"), answer("101")
	require.NotEqual(t, first.Key, second.Key, "each interaction is limited by itself")
	require.Equal(t, first.Burst, second.Burst)
	require.NotContains(t, first.Key, "100", "a token is a capability")
	have := len(d.app.limits.rates)
	answer("102")
	require.Len(t, d.app.limits.rates, have, "and none is remembered")
	fresh, err := http.NewRequestWithContext(pacing(t.Context(), bucket{"bot GET /users/@me ", "bot GET /users/@me "}), "GET", "https://discord.com", nil)
	require.NoError(t, err)
	require.Equal(t, gateway.Pace{Key: "bot GET /users/@me "}, d.pace(fresh))
	other, err := http.NewRequestWithContext(t.Context(), "GET", "https://discord.com", nil)
	require.NoError(t, err)
	require.Zero(t, d.pace(other), "a request of nobody's")
}

// FuzzRefusal holds what is made of Discord's refusals to: an error with a code, of bounded length, and none of success.
func FuzzRefusal(f *testing.F) {
	for _, s := range []string{
		`{"message":"Missing Permissions","code":50013}`, `{"code":50035,"message":"Invalid Form Body","errors":{"content":{"_errors":[{"code":"X","message":"too long"}]},"a":{"0":{"b":{"_errors":[{"message":"m"}]}}}}}`,
		`{"error":"invalid_grant","error_description":"d"}`, `<html>`, `null`, `[]`, `{"message":null,"code":"x"}`, `{"message":"m","errors":[1]}`,
	} {
		f.Add(403, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 300 || status > 599 {
			return
		}
		err := call{method: "PUT", path: "/guilds/1", needs: "BAN_MEMBERS"}.refused(status, http.Header{}, body)
		code := gateway.CodeOf(err)
		if code == "" || code == gateway.Internal {
			t.Fatalf("%d %q has code %q", status, body, code)
		}
		if len(err.Error()) > 10_000*4 {
			t.Fatalf("a text of %d bytes", len(err.Error()))
		}
		_, _, _ = badCredentials(err), gone(err), final(err)
	})
}

// A server that gives no new refresh token lets the old one go on.
func TestARefreshTokenStaysWhereThereIsNoOther(t *testing.T) {
	c := &canned{status: http.StatusOK, body: `{"access_token":"fake-new","token_type":"Bearer","expires_in":604800,"scope":"identify"}`}
	a := &app{App: App{ApplicationID: "1", ClientSecret: "fake-secret"}}
	got, err := a.refreshUser(t.Context(), gateway.TokenCall{UserToken: gateway.UserToken{Access: "fake-old", Refresh: "fake-refresh"}, HTTP: &http.Client{Transport: c}})
	require.NoError(t, err)
	require.Equal(t, "fake-new", got.Access.Reveal())
	require.Equal(t, "fake-refresh", got.Refresh.Reveal())
}
