package discord_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/vote"
)

// browse goes the whole way of a browser: to the consent page, where somebody agrees, and back.
func (r *rig) browse(q gateway.AuthRequest, user string, o ...fakediscord.AuthorizeOption) (gateway.LoginResult, url.Values) {
	r.t.Helper()
	q.Plugin, q.Redirect = "discord", "https://driver.example/done"
	link, err := r.AuthorizeURL(r.t.Context(), q)
	require.NoError(r.t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(r.t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	visit := func(address string) *url.URL {
		u, err := url.Parse(address)
		require.NoError(r.t, err)
		res, err := browser.Get(r.hooks.URL + u.RequestURI())
		require.NoError(r.t, err)
		require.NoError(r.t, res.Body.Close())
		require.Equal(r.t, http.StatusFound, res.StatusCode)
		for _, c := range res.Cookies() { // the test's server is reached by http
			c.Secure = false
			jar.SetCookies(res.Request.URL, []*http.Cookie{c})
		}
		to, err := res.Location()
		require.NoError(r.t, err)
		return to
	}
	back, err := r.fake.Authorize(r.t.Context(), visit(link).String(), user, o...)
	require.NoError(r.t, err)
	end := visit(back.String())
	var result gateway.LoginResult
	if code := end.Query().Get("code"); code != "" {
		result, err = r.Redeem(r.t.Context(), code)
		require.NoError(r.t, err)
	}
	return result, end.Query()
}

func TestInstallingAndLoggingIn(t *testing.T) {
	r := newRig(t)
	r.guild(0)
	got, q := r.browse(gateway.AuthRequest{RequireAdmin: true}, owner, fakediscord.InGuild(guildID))
	require.Empty(t, q.Get("error"), q.Encode())
	require.True(t, got.Admin)
	require.Equal(t, owner, got.Account.UserID)
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), "discord")
	require.NoError(t, err)
	require.Equal(t, guildID, inst.PlatformID())
	_, err = inst.Do(t.Context(), "list-channels", nil)
	require.NoError(t, err)

	got, q = r.browse(gateway.AuthRequest{Type: gateway.Login, Community: got.Community}, ann)
	require.Empty(t, q.Get("error"), q.Encode())
	require.Equal(t, ann, got.Account.UserID)
	require.Equal(t, guildID, got.Account.PlatformID)
	account, err := c.Account(t.Context(), "discord", guildID, ann)
	require.NoError(t, err, "the account is linked")
	require.NotEmpty(t, account.Person)

	// The app keeps no token of anybody's.
	require.Len(t, r.fake.CallsTo("POST /oauth2/token/revoke"), 2)
}

func TestOnlyAnAdminMayInstallAndOtherwiseTheBotLeavesAgain(t *testing.T) {
	r := newRig(t)
	g := r.guild(0)
	_, q := r.browse(gateway.AuthRequest{RequireAdmin: true}, owner, fakediscord.InGuild(guildID), fakediscord.Deny())
	require.NotEmpty(t, q.Get("error"))
	require.False(t, g.HasBot())

	// Where Discord does not say whether they are one, they are none; what Discord has done by then is taken back.
	r.fake.Fail(fakediscord.Fault{Route: "GET /users/@me/guilds", Status: 500})
	_, q = r.browse(gateway.AuthRequest{RequireAdmin: true}, owner, fakediscord.InGuild(guildID))
	require.NotEmpty(t, q.Get("error"))
	r.due()
	require.False(t, g.HasBot())

	g.AddRole("1299", "Inviter", fakediscord.PermManageGuild)
	r.fake.AddUser("2050", "inviter")
	g.AddMember("2050", "1299")
	got, q := r.browse(gateway.AuthRequest{RequireAdmin: true}, "2050", fakediscord.InGuild(guildID))
	require.Empty(t, q.Get("error"), q.Encode())
	require.True(t, got.Admin)
	require.True(t, g.HasBot())

	// A second installation that fails leaves the first one alone.
	_, err := r.CreateCommunity(t.Context(), "other", "Other")
	require.NoError(t, err)
	_, q = r.browse(gateway.AuthRequest{Community: "other"}, owner, fakediscord.InGuild(guildID))
	require.NotEmpty(t, q.Get("error"))
	r.due()
	require.True(t, g.HasBot())
}

func TestInstallingAgainResumesAndKeepsWhatTheCommunityAllows(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	require.NoError(t, w.inst.Reconfigure(t.Context(), discord.Config{GuildID: guildID, Votes: []string{"buttons"}}))
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: hall})
	require.NoError(t, w.w.RemoveBot(owner))
	_, err := w.inst.Do(t.Context(), "list-channels", nil)
	require.Error(t, err)
	_, reason, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, gateway.BadCredentials, reason)

	_, q := r.browse(gateway.AuthRequest{Community: "town0"}, owner, fakediscord.InGuild(guildID))
	require.Empty(t, q.Get("error"), q.Encode())
	status, _, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status)
	w.click(ann, p, m, "option0")
	p, err = w.c.Process(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p), "the vote goes on")
	_, err = w.inst.Start(t.Context(), "poll-vote", discord.Vote{Ask: vote.Ask{Title: "x"}, Channel: hall})
	require.ErrorIs(t, err, gateway.Denied)
}

func TestALoginIsToTheGuildThatIsMeant(t *testing.T) {
	r := newRig(t)
	one, two := r.town(0), r.town(5)
	for _, w := range []*town{one, two} {
		got, q := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: w.c.Slug()}, ann)
		require.Empty(t, q.Get("error"), q.Encode())
		require.Equal(t, w.w.ID(), got.Account.PlatformID, "the person is in both, and the community says which is meant")
	}
	_, q := r.browse(gateway.AuthRequest{Type: gateway.Login}, ann)
	require.NotEmpty(t, q.Get("error"), "nobody said which")
	r.fake.AddUser("3001", "stranger")
	_, q = r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town0"}, "3001")
	require.NotEmpty(t, q.Get("error"), "they are in neither")
}

func TestATokenIsKeptOnlyWhereItIsWantedAndRefreshed(t *testing.T) {
	r := newRig(t, func(a *discord.App, _ *fakeOptions, _ *gateway.Options) { a.UserScopes = []string{"connections"} })
	w := r.town(0)
	got, q := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town0"}, ann)
	require.Empty(t, q.Get("error"), q.Encode())
	require.Empty(t, r.fake.CallsTo("POST /oauth2/token/revoke"))
	me := map[string]any{"http_method": "GET", "route": "users/@me"}
	out, err := gateway.Do[discord.Answer](t.Context(), w.inst, "method", me, gateway.OnBehalfOf(got.Account.Person))
	require.NoError(t, err)
	require.Contains(t, string(out.Body), ann)
	_, err = w.inst.Do(t.Context(), "method", map[string]any{"http_method": "GET", "route": "guilds/1000"}, gateway.OnBehalfOf(got.Account.Person))
	require.ErrorIs(t, err, gateway.Denied)
	r.clock.advance(8 * 24 * 3600e9) // the token has ended
	_, err = gateway.Do[discord.Answer](t.Context(), w.inst, "method", me, gateway.OnBehalfOf(got.Account.Person))
	require.NoError(t, err, "it was exchanged")
	r.fake.Deauthorize(ann)
	_, err = gateway.Do[discord.Answer](t.Context(), w.inst, "method", me, gateway.OnBehalfOf(got.Account.Person))
	require.ErrorIs(t, err, gateway.Denied)
	status, _, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status, "it says nothing of the bot")
}
