package slack_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// dying ends the goroutine that makes a request to a path, once: as a crash, nothing runs after it.
type dying struct {
	next http.RoundTripper
	path string
}

func (d *dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.path != "" && r.URL.Path == d.path {
		d.path = ""
		runtime.Goexit()
	}
	return d.next.RoundTrip(r)
}

// crash installs by a program that dies as it asks Slack for a method: by then Slack has given the token.
func crash(t *testing.T, r *rig, options *gateway.Options, workspace, user, method string) {
	t.Helper()
	link, err := r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "slack", Redirect: "https://driver.example/done"})
	require.NoError(t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	u, err := url.Parse(link)
	require.NoError(t, err)
	res, err := browser.Get(r.hooks.URL + u.RequestURI())
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	back, err := r.fake.Authorize(t.Context(), res.Header.Get("Location"), workspace, user)
	require.NoError(t, err)

	mortal := *options
	mortal.HTTP = &http.Client{Transport: &dying{options.HTTP.Transport, "/api/" + method}}
	g, err := gateway.New(mortal)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, back.RequestURI(), nil)
	require.NoError(t, err)
	for _, c := range res.Cookies() {
		req.AddCookie(c)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Handler().ServeHTTP(discarding{http.Header{}}, req)
	}()
	<-done
}

type discarding struct{ h http.Header }

func (d discarding) Header() http.Header         { return d.h }
func (d discarding) Write(b []byte) (int, error) { return len(b), nil }
func (d discarding) WriteHeader(int)             {}

// withOptions gives a test the options of its rig's gateway.
func withOptions(to **gateway.Options) rigOption {
	return func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) { *to = o }
}

func TestAnInstallThatDiesIsUndoneOnceByTheNextProgram(t *testing.T) {
	var options *gateway.Options
	r := oauthRig(t, withOptions(&options))
	w := r.fresh("T1")
	crash(t, r, options, "T1", "UADMIN", "auth.test")
	require.NotEmpty(t, w.BotToken(), "Slack has it installed")
	require.Empty(t, r.fake.CallsTo("apps.uninstall"))
	for range 3 {
		r.later(5 * time.Minute)
	}
	require.Len(t, r.fake.CallsTo("apps.uninstall"), 1)
	require.Empty(t, w.BotToken())
	require.Empty(t, r.fake.CallsTo("auth.revoke"))
}

// Slack mostly gives the same token again: to revoke it, or to uninstall the app, would end the installation that works.
func TestAnotherInstallNeverRevokesAWorkingOne(t *testing.T) {
	for name, fail := range map[string]func(*testing.T, *rig, *gateway.Options){
		"it dies": func(t *testing.T, r *rig, o *gateway.Options) { crash(t, r, o, "T1", "UADMIN", "auth.test") },
		"Slack does not say whose token it is": func(t *testing.T, r *rig, _ *gateway.Options) {
			in := r.fake.Fail(fakeslack.Fault{Method: "auth.test", Status: 500, Times: -1})
			got, _ := r.browse(gateway.AuthRequest{}, "T1", "UADMIN")
			require.Empty(t, got.Type)
			in.Remove()
		},
		"no admin": func(t *testing.T, r *rig, _ *gateway.Options) {
			got, _ := r.browse(gateway.AuthRequest{RequireAdmin: true}, "T1", "UANN")
			require.Empty(t, got.Type)
		},
		"another community": func(t *testing.T, r *rig, _ *gateway.Options) {
			_, err := r.CreateCommunity(t.Context(), "other", "Other")
			require.NoError(t, err)
			got, _ := r.browse(gateway.AuthRequest{Community: "other"}, "T1", "UADMIN")
			require.Empty(t, got.Type)
		},
		"somebody else installs while it is under way": func(t *testing.T, r *rig, o *gateway.Options) {
			r.fresh("T2")
			crash(t, r, o, "T2", "UADMIN", "auth.test")
			got, _ := r.browse(gateway.AuthRequest{}, "T2", "UADMIN")
			require.NotEmpty(t, got.Type)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var options *gateway.Options
			r := oauthRig(t, withOptions(&options))
			w := r.fresh("T1")
			got, _ := r.browse(gateway.AuthRequest{RequireAdmin: true}, "T1", "UADMIN")
			c, err := r.Community(t.Context(), got.Community)
			require.NoError(t, err)
			inst, err := c.Instance(t.Context(), got.Instance)
			require.NoError(t, err)
			fail(t, r, options)
			for range 3 {
				r.later(5 * time.Minute)
			}
			require.Empty(t, r.fake.CallsTo("apps.uninstall"))
			require.Empty(t, r.fake.CallsTo("auth.revoke"))
			require.NotEmpty(t, w.BotToken())
			_, err = inst.Do(t.Context(), "post-message", slack.Message{Channel: "CHALL", Text: "still here"})
			require.NoError(t, err)
		})
	}
}

// An organisation's installation is one instance; what happens in any of its workspaces is for it.
func TestAnOrganisation(t *testing.T) {
	r := oauthRig(t)
	north := r.fresh("T1").InEnterprise("E1", "Org")
	north.AddUser("UOWNER", "olga", fakeslack.Owner())
	south := r.fake.AddWorkspace("T2", "South").InEnterprise("E1", "Org")
	south.AddUser("USUE", "sue")
	south.AddChannel("CSOUTH", "south", "USUE")
	got, _ := r.browse(gateway.AuthRequest{RequireAdmin: true}, "T1", "UOWNER", fakeslack.OrgWide())
	require.Equal(t, gateway.Install, got.Type)
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), got.Instance)
	require.NoError(t, err)
	raw, err := inst.Config(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(raw), `"team_id":"E1"`)

	_, err = inst.Do(t.Context(), "join-conversation", slack.Place{Channel: "CSOUTH"})
	require.NoError(t, err)
	users, err := gateway.Do[slack.Users](t.Context(), inst, "list-users", slack.ListUsers{InTeam: slack.InTeam{TeamID: "T2"}})
	require.NoError(t, err)
	require.Len(t, users.Users, 1)
	_, err = south.Post(t.Context(), "USUE", "CSOUTH", "hello from the south")
	require.NoError(t, err)
	last := func(typ string) gateway.Event {
		list := r.events(typ)
		require.NotEmpty(t, list, typ)
		return list[len(list)-1]
	}
	heard := func() (all string) {
		for _, e := range r.events("message") {
			all += string(e.Data)
		}
		return all
	}
	require.Contains(t, heard(), "hello from the south") // our own joining may be heard after it: it waited for the end of our call

	send := func(payload string) {
		a, err := r.fake.Send(t.Context(), []byte(payload))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status)
	}
	send(`{"type":"shortcut","team":{"id":"T2","enterprise_id":"E1"},"enterprise":{"id":"E1"},"is_enterprise_install":true,"user":{"id":"USUE"},"trigger_id":"1.1","callback_id":"x"}`)
	require.Equal(t, "USUE", last("shortcut").Initiator)
	send(`{"command":"/vote","team_id":"T2","enterprise_id":"E1","is_enterprise_install":"true","user_id":"USUE","trigger_id":"1.2","channel_id":"CSOUTH"}`)
	require.Equal(t, "USUE", last("slash_command").Initiator)

	// One workspace is taken out: the organisation's token works on.
	send(`{"type":"event_callback","team_id":"T2","enterprise_id":"E1","event_id":"EvR","event_time":1793620800,"authorizations":[{"enterprise_id":"E1","team_id":null,"is_enterprise_install":true}],
		"event":{"type":"team_access_revoked","team_ids":["T2"],"event_ts":"1793620800.000001"}}`)
	require.Contains(t, string(last("team_access_revoked").Data), "T2")
	r.due()
	status, _, err := inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status)

	// Who logs in shows a workspace; the app stands in the organisation.
	login, _ := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: got.Community}, "T2", "USUE")
	require.Equal(t, gateway.Login, login.Type)
	require.Equal(t, "USUE", login.Account.UserID)
	r.fresh("T3").InEnterprise("E2", "Others")
	stranger, _ := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: got.Community}, "T3", "UANN")
	require.Empty(t, stranger.Type)

	// Installed again: in place.
	again, _ := r.browse(gateway.AuthRequest{}, "T1", "UOWNER", fakeslack.OrgWide())
	require.Equal(t, got.Instance, again.Instance)
	require.Equal(t, got.Community, again.Community)
}

// Twice by hand, once by OAuth and once by hand: one workspace stands in one community.
func TestAlreadyInstalled(t *testing.T) {
	r := oauthRig(t)
	w := r.fresh("T1")
	got, _ := r.browse(gateway.AuthRequest{}, "T1", "UADMIN")
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "slack", slack.Config{BotToken: gateway.Secret(w.BotToken())})
	require.NoError(t, err, "the same again is a change of its configuration")
	list, err := c.Instances(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	again, _ := r.browse(gateway.AuthRequest{Community: got.Community}, "T1", "UADMIN")
	require.Equal(t, got.Instance, again.Instance)
}
