package slack_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// browse plays a browser that follows the link of an authorization, agrees in Slack, and comes back. It gives what the
// driver trades, or the page's status where there was no redirect.
func (r *rig) browse(req gateway.AuthRequest, workspace, user string, o ...fakeslack.AuthorizeOption) (gateway.LoginResult, int) {
	r.t.Helper()
	req.Plugin, req.Redirect = "slack", "https://driver.example/done"
	link, err := r.AuthorizeURL(r.t.Context(), req)
	require.NoError(r.t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(r.t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(to string) *http.Response {
		u, err := url.Parse(to)
		require.NoError(r.t, err)
		local, err := url.Parse(r.hooks.URL)
		require.NoError(r.t, err)
		u.Scheme, u.Host = local.Scheme, local.Host
		q, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, u.String(), nil)
		require.NoError(r.t, err)
		for _, c := range r.cookies {
			q.AddCookie(c)
		}
		res, err := browser.Do(q)
		require.NoError(r.t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(r.t, err)
		require.NoError(r.t, res.Body.Close())
		return res
	}
	res := get(link)
	require.Equal(r.t, http.StatusFound, res.StatusCode)
	r.cookies = res.Cookies()
	defer func() { r.cookies = nil }()
	back, err := r.fake.Authorize(r.t.Context(), res.Header.Get("Location"), workspace, user, o...)
	require.NoError(r.t, err)
	res = get(back.String())
	to, err := res.Location()
	if err != nil {
		return gateway.LoginResult{}, res.StatusCode
	}
	require.Equal(r.t, "driver.example", to.Host)
	code := to.Query().Get("code")
	if code == "" {
		return gateway.LoginResult{}, res.StatusCode
	}
	out, err := r.Redeem(r.t.Context(), code)
	require.NoError(r.t, err)
	return out, res.StatusCode
}

func oauthRig(t *testing.T, opts ...rigOption) *rig {
	return newRig(t, append(opts, func(a *slack.App, _ *fakeslack.Options, o *gateway.Options) {
		o.OAuth.Redirects = []string{"https://driver.example/done"}
	})...)
}

// fresh is a workspace where the app is not installed.
func (r *rig) fresh(id string) *fakeslack.Workspace {
	w := r.fake.AddWorkspace(id, "Town "+id)
	w.AddUser("UADMIN", "ada", fakeslack.Admin(), fakeslack.RealName("Ada Admin"))
	w.AddUser("UANN", "ann")
	w.AddChannel("CHALL", "town-hall", "UADMIN", "UANN")
	return w
}

func TestInstallAndInstallAgain(t *testing.T) {
	r := oauthRig(t)
	w := r.fresh("T1")
	got, _ := r.browse(gateway.AuthRequest{RequireAdmin: true}, "T1", "UADMIN")
	require.Equal(t, gateway.Install, got.Type)
	require.True(t, got.Admin)
	require.Equal(t, "UADMIN", got.Account.UserID)
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), got.Instance)
	require.NoError(t, err)
	require.Equal(t, "T1", inst.PlatformID())
	_, err = inst.Do(t.Context(), "post-message", slack.Message{Channel: "CHALL", Text: "here I am"})
	require.NoError(t, err)

	// Again, after the app was taken out: the same instance goes on.
	w.Uninstall()
	require.NoError(t, r.fake.Flush(t.Context()))
	r.due()
	status, _, err := inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "paused", status)
	again, _ := r.browse(gateway.AuthRequest{}, "T1", "UANN")
	require.Equal(t, got.Community, again.Community)
	require.False(t, again.Admin)
	status, _, err = inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status)
	_, err = inst.Do(t.Context(), "post-message", slack.Message{Channel: "CHALL", Text: "back"})
	require.NoError(t, err)
	list, err := c.Instances(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestWhoIsNoAdminIsRefusedAndTheAppUninstalledOnce(t *testing.T) { // S-030, S-031
	for name, users := range map[string]fakeslack.Fault{"not an admin": {}, "nobody knows": {Method: "users.info", Error: "user_not_found"}} {
		t.Run(name, func(t *testing.T) {
			r := oauthRig(t)
			w := r.fresh("T1")
			user := "UANN"
			if users.Method != "" {
				r.fake.Fail(users)
				user = "UADMIN"
			}
			got, _ := r.browse(gateway.AuthRequest{RequireAdmin: true}, "T1", user)
			require.Empty(t, got.Type)
			require.Len(t, r.fake.CallsTo("apps.uninstall"), 1)
			require.True(t, r.fake.CallsTo("apps.uninstall")[0].Answer.OK())
			require.Empty(t, w.BotToken())
		})
	}
}

func TestAFailedSecondInstallLeavesTheFirstWorking(t *testing.T) {
	r := oauthRig(t)
	w := r.fresh("T1")
	got, _ := r.browse(gateway.AuthRequest{RequireAdmin: true}, "T1", "UADMIN")
	refused, _ := r.browse(gateway.AuthRequest{RequireAdmin: true}, "T1", "UANN")
	require.Empty(t, refused.Type)
	other, err := r.CreateCommunity(t.Context(), "other", "Other")
	require.NoError(t, err)
	elsewhere, _ := r.browse(gateway.AuthRequest{Community: other.Slug()}, "T1", "UADMIN")
	require.Empty(t, elsewhere.Type, "it stands in another community")
	require.Empty(t, r.fake.CallsTo("apps.uninstall"))
	require.Empty(t, r.fake.CallsTo("auth.revoke"))
	require.NotEmpty(t, w.BotToken())
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), got.Instance)
	require.NoError(t, err)
	_, err = inst.Do(t.Context(), "post-message", slack.Message{Channel: "CHALL", Text: "still here"})
	require.NoError(t, err)
}

func TestInstallingForAnOrganisation(t *testing.T) {
	r := oauthRig(t)
	w := r.fresh("T1").InEnterprise("E1", "Org")
	w.AddUser("UOWNER", "olga", fakeslack.Owner())
	two := r.fresh("T2").InEnterprise("E1", "Org")
	_ = two
	got, status := r.browse(gateway.AuthRequest{}, "T1", "UOWNER", fakeslack.OrgWide())
	require.Equal(t, gateway.Install, got.Type, "%d", status)
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), got.Instance)
	require.NoError(t, err)
	require.Equal(t, "E1", inst.PlatformID())
}

func TestLogin(t *testing.T) {
	r := oauthRig(t)
	town := r.town("T1")
	got, _ := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: town.c.Slug()}, "T1", "UANN")
	require.Equal(t, gateway.Login, got.Type)
	require.Equal(t, "UANN", got.Account.UserID)
	require.Equal(t, town.c.Slug(), got.Community)
	require.Empty(t, r.fake.CallsTo("oauth.v2.access"))

	r.fresh("T2")
	_, status := r.browse(gateway.AuthRequest{Type: gateway.Login}, "T2", "UANN")
	require.NotEqual(t, http.StatusOK, status)
	no, _ := r.browse(gateway.AuthRequest{Type: gateway.Login}, "T1", "UANN", fakeslack.Deny())
	require.Empty(t, no.Type)
}

func TestWhatAnAppLacksIsNotThere(t *testing.T) {
	p, err := slack.New(slack.App{SigningSecret: "s"})
	require.NoError(t, err)
	require.Nil(t, p.Manifest().OAuth)
	require.Empty(t, p.Manifest().Sources)
	p, err = slack.New(slack.App{AppToken: "t", ClientID: "1.2", ClientSecret: "s"})
	require.NoError(t, err)
	require.NotNil(t, p.Manifest().OAuth)
	require.Len(t, p.Manifest().Sources, 1)
}

// Mistakes 5 and 39: tokens travelled in addresses of the driver's; state could be edited and used twice. What is left to the
// plugin is to ask for nothing that would need it, and to put nothing secret into the address.
func TestMistake39TheConsentPagesAddressSaysNoSecret(t *testing.T) {
	r := oauthRig(t)
	r.fresh("T1")
	for _, typ := range []string{gateway.Install, gateway.Login} {
		link, err := r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "slack", Type: typ})
		require.NoError(t, err)
		u, err := url.Parse(link)
		require.NoError(t, err)
		res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 5 * time.Second}).Get(r.hooks.URL + u.RequestURI())
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		to, err := res.Location()
		require.NoError(t, err)
		require.Equal(t, "slack.com", to.Host)
		require.NotContains(t, to.String(), r.fake.App().ClientSecret)
		back, err := r.fake.Authorize(t.Context(), to.String(), "T1", "UADMIN")
		require.NoError(t, err)

		// Another browser, without the cookie, gets nowhere with it.
		stolen, err := http.Get(r.hooks.URL + back.RequestURI())
		require.NoError(t, err)
		require.NoError(t, stolen.Body.Close())
		require.GreaterOrEqual(t, stolen.StatusCode, 400)
	}
	require.Empty(t, r.fake.CallsTo("oauth.v2.access"))
}
