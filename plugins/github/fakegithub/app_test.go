package fakegithub_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

func TestAppToken(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	now := w.clock.now().Unix()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	good := func(change map[string]any) map[string]any {
		c := map[string]any{"iat": now - 60, "exp": now + 600, "iss": w.App().ClientID}
		for k, v := range change {
			c[k] = v
		}
		return c
	}
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"by the client ID":     {jwt(t, testKey(), "RS256", good(nil)), 200},
		"by the app's ID":      {jwt(t, testKey(), "RS256", good(map[string]any{"iss": w.App().ID})), 200},
		"somebody else's key":  {jwt(t, other, "RS256", good(nil)), 401},
		"another algorithm":    {jwt(t, testKey(), "HS256", good(nil)), 401},
		"lasts too long":       {jwt(t, testKey(), "RS256", good(map[string]any{"exp": now + 601})), 401},
		"over":                 {jwt(t, testKey(), "RS256", good(map[string]any{"exp": now})), 401},
		"from the future":      {jwt(t, testKey(), "RS256", good(map[string]any{"iat": now + 1})), 401},
		"never issued":         {jwt(t, testKey(), "RS256", good(map[string]any{"iat": nil})), 401},
		"another app's":        {jwt(t, testKey(), "RS256", good(map[string]any{"iss": "Iv1.other"})), 404},
		"an installation's":    {w.botToken(), 401},
		"none":                 {"", 401},
		"not decodable":        {"a.b.c", 401},
		"not decodable claims": {"eyJhbGciOiJSUzI1NiJ9.!.x", 401},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, _ := w.raw(c.token, "GET", "/app", "")
			require.Equal(t, c.status, status)
		})
	}
}

func TestInstallationTokens(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	ctx := t.Context()
	got, _, err := w.app().Apps.CreateInstallationToken(ctx, w.inst, nil)
	require.NoError(t, err)
	require.Equal(t, w.clock.now().Add(time.Hour), got.GetExpiresAt().UTC())
	bot := w.as(got.GetToken())
	repos, _, err := bot.Apps.ListRepos(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 1, repos.GetTotalCount())

	_, _, err = bot.Apps.Get(ctx, "")
	require.Error(t, err, "the app's own routes take no installation token")
	_, _, err = w.app().Issues.Get(ctx, "acme", "town", 1)
	refusedWith(t, err, 403, "Resource not accessible by integration")

	w.clock.add(time.Hour)
	_, _, err = bot.Apps.ListRepos(ctx, nil)
	refusedWith(t, err, 401, "Bad credentials")
	bot = w.bot()
	w.EndTokens()
	_, _, err = bot.Apps.ListRepos(ctx, nil)
	refusedWith(t, err, 401, "Bad credentials")
	_, err = w.bot().Apps.RevokeInstallationToken(ctx)
	require.NoError(t, err)

	narrow, _, err := w.app().Apps.CreateInstallationToken(ctx, w.inst, &github.InstallationTokenOptions{Repositories: []string{"town"}, Permissions: &github.InstallationPermissions{Issues: github.String("read")}})
	require.NoError(t, err)
	_, _, err = w.as(narrow.GetToken()).Issues.Create(ctx, "acme", "town", &github.IssueRequest{Title: github.String("x")})
	refusedWith(t, err, 403, "Resource not accessible by integration")
	_, _, err = w.app().Apps.CreateInstallationToken(ctx, w.inst, &github.InstallationTokenOptions{Repositories: []string{"nowhere"}})
	require.Error(t, err)
	_, _, err = w.app().Apps.CreateInstallationToken(ctx, w.inst, &github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Actions: github.String("write")}})
	refusedWith(t, err, 422, "The permissions requested are not granted to this installation.")
	_, _, err = w.app().Apps.CreateInstallationToken(ctx, 1, nil)
	refusedWith(t, err, 404, "Not Found")
}

func TestSuspendedAndUninstalled(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	ctx, bot := t.Context(), w.bot()
	require.NoError(t, w.Suspend(w.inst))
	require.False(t, w.Installed(w.inst))
	_, _, err := w.app().Apps.CreateInstallationToken(ctx, w.inst, nil)
	refusedWith(t, err, 403, "This installation has been suspended")
	_, _, err = bot.Issues.Get(ctx, "acme", "town", 1)
	refusedWith(t, err, 403, "This installation has been suspended")
	before := len(w.hook.all())
	_, err = w.repo.OpenIssue("ada", "while suspended", "")
	require.NoError(t, err)
	require.Len(t, w.hook.all(), before)
	list := w.DeliveriesOf("issues")
	require.Equal(t, "suspended", list[len(list)-1].Dropped)
	require.NoError(t, w.Unsuspend(w.inst))
	_, _, err = bot.Issues.Get(ctx, "acme", "town", 1)
	require.NoError(t, err)

	require.NoError(t, w.Uninstall(w.inst))
	require.ErrorIs(t, w.Uninstall(w.inst), fakegithub.ErrRefused)
	_, _, err = bot.Issues.Get(ctx, "acme", "town", 1)
	refusedWith(t, err, 401, "Bad credentials")
	_, _, err = w.app().Apps.CreateInstallationToken(ctx, w.inst, nil)
	refusedWith(t, err, 404, "Not Found")
	require.Equal(t, []string{"installation created", "installation suspend", "installation unsuspend", "installation deleted"}, w.hook.events(t))
	again, err := w.Install("acme", fakegithub.Installing{})
	require.NoError(t, err)
	require.NotEqual(t, w.inst, again)
}

func TestPermissions(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	n, err := w.repo.OpenIssue("eve", "Hello", "")
	require.NoError(t, err)
	p, err := w.repo.OpenPull("eve", "Change", "eve-1")
	require.NoError(t, err)
	w.AddOrg("other", "zoe")
	w.AddRepo("other", "open")
	w.AddRepo("other", "shut").Private()
	hidden := w.AddRepo("acme", "hidden").Private()
	_, err = hidden.OpenIssue("ada", "secret", "")
	require.NoError(t, err)

	one, pull := "/repos/acme/town/issues/"+itoa(n), "/repos/acme/town/issues/"+itoa(p)
	for name, c := range map[string]struct {
		permissions  map[string]string
		method, path string
		body         string
		status       int
	}{
		"enough":                               {map[string]string{"issues": "write"}, "POST", one + "/comments", `{"body":"x"}`, 201},
		"only to read":                         {map[string]string{"issues": "read"}, "POST", one + "/comments", `{"body":"x"}`, 403},
		"none":                                 {nil, "POST", one + "/comments", `{"body":"x"}`, 403},
		"public, to read":                      {nil, "GET", one, "", 200},
		"private, to read":                     {nil, "GET", "/repos/acme/hidden/issues/1", "", 403},
		"private, with it":                     {map[string]string{"issues": "read"}, "GET", "/repos/acme/hidden/issues/1", "", 200},
		"for pull requests, of an issue":       {map[string]string{"pull_requests": "write"}, "POST", one + "/comments", `{"body":"x"}`, 403},
		"for pull requests, of a pull request": {map[string]string{"pull_requests": "write"}, "POST", pull + "/comments", `{"body":"x"}`, 201},
		"a merge needs contents":               {map[string]string{"pull_requests": "write"}, "PUT", "/repos/acme/town/pulls/" + itoa(p) + "/merge", "", 403},
		"blocks":                               {map[string]string{"members": "write"}, "PUT", "/orgs/acme/blocks/eve", "", 403},
		"blocks, with it":                      {map[string]string{"organization_user_blocking": "read"}, "GET", "/orgs/acme/blocks", "", 200},
		"not installed, public, to read":       {map[string]string{"issues": "write"}, "GET", "/repos/other/open", "", 200},
		"not installed, public, to write":      {map[string]string{"issues": "write"}, "POST", "/repos/other/open/issues", `{"title":"x"}`, 403},
		"not installed, private":               {map[string]string{"issues": "write"}, "GET", "/repos/other/shut", "", 404},
		"another organisation":                 {map[string]string{"members": "write"}, "PUT", "/orgs/other/memberships/eve", `{}`, 403},
		"no such repository":                   {map[string]string{"issues": "write"}, "GET", "/repos/acme/none", "", 404},
		"no such route":                        {map[string]string{"issues": "write"}, "GET", "/repos/acme/town/nonsense", "", 404},
		"members unseen":                       {nil, "GET", "/orgs/acme/members/bob", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, w.SetPermissions(w.inst, c.permissions))
			status, header, _ := w.raw(w.botToken(), c.method, c.path, c.body)
			require.Equal(t, c.status, status)
			if status == http.StatusForbidden && name == "only to read" {
				require.Equal(t, "issues=write; pull_requests=write", header.Get("X-Accepted-Github-Permissions"))
			}
		})
	}
	require.NoError(t, w.SetPermissions(w.inst, map[string]string{"issues": "write"}))
	require.NoError(t, w.SelectRepositories(w.inst, "hidden"))
	status, _, _ := w.raw(w.botToken(), "POST", one+"/comments", `{"body":"x"}`)
	require.Equal(t, 403, status, "the repository was not selected")
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, fakegithub.Options{RateLimit: 3})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/app", nil)
	require.NoError(t, err)
	r.Header["User-Agent"] = []string{""}
	res, err := w.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 403, res.StatusCode)

	bot := w.botToken()
	for _, left := range []string{"2", "1", "0"} {
		status, h, _ := w.raw(bot, "GET", "/repos/acme/town", "")
		require.Equal(t, 200, status)
		require.Equal(t, left, h.Get("X-RateLimit-Remaining"))
	}
	_, _, err = w.as(bot).Issues.Get(t.Context(), "acme", "town", 1)
	var limited *github.RateLimitError
	require.ErrorAs(t, err, &limited)
	require.Equal(t, w.clock.now().Add(time.Hour), limited.Rate.Reset.UTC())
	w.clock.add(59 * time.Minute)
	status, _, _ := w.raw(w.LogIn("ada"), "GET", "/user", "")
	require.Equal(t, 200, status, "a person has a limit of their own")
	w.clock.add(time.Minute)
	status, _, _ = w.raw(w.botToken(), "GET", "/repos/acme/town", "")
	require.Equal(t, 200, status, "the hour is over")
}

func TestOtherHosts(t *testing.T) {
	w := newWorld(t, fakegithub.Options{})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com.example/app", nil)
	require.NoError(t, err)
	_, err = w.Client().Do(r) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, fakegithub.ErrHost)
	require.Equal(t, []string{"https://api.github.com.example/app"}, w.Refused())
}
