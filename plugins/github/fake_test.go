package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// town is a gateway whose community town has the app on the organisation acme of a fake GitHub, over HTTP in both directions. ada owns acme,
// bob and cid are members, eve is nobody there.
type town struct {
	*gatewaytest.Rig
	t    *testing.T
	hub  *fakegithub.Server
	org  *fakegithub.Org
	repo *fakegithub.Repo
	app  github.App
	id   int64 // of the installation
	c    *gateway.Community
	inst *gateway.Instance
}

// handed is a transport that hands requests to the gateway.
type handed struct{ h func() http.Handler }

func (h handed) RoundTrip(r *http.Request) (*http.Response, error) {
	in := httptest.NewRequest(r.Method, r.URL.RequestURI(), r.Body)
	in.Header = r.Header
	w := httptest.NewRecorder()
	h.h().ServeHTTP(w, in)
	res := w.Result()
	res.Request = r
	return res, nil
}

func newTown(t *testing.T, opts ...func(*fakegithub.Options)) *town {
	t.Helper()
	r := &town{t: t}
	var clock atomic.Pointer[gatewaytest.Clock]
	o := fakegithub.Options{Key: testKey(), CallbackURLs: []string{"https://gateway.example/auth/github/callback"}, Now: func() time.Time {
		if c := clock.Load(); c != nil {
			return c.Now()
		}
		return time.Time{}
	}}
	for _, f := range opts {
		f(&o)
	}
	r.hub = fakegithub.New(o)
	a := r.hub.App()
	r.app = github.App{
		ID: a.ClientID, Slug: a.Slug, PrivateKey: gateway.Secret(a.PrivateKey), WebhookSecret: gateway.Secret(a.WebhookSecret), ClientID: a.ClientID, ClientSecret: gateway.Secret(a.ClientSecret),
	}
	p, err := github.New(r.app)
	require.NoError(t, err)
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	options := gateway.Options{Store: memory.New(), Seal: seal, HTTP: r.hub.Client(), Egress: r.hub.Client().Transport, PublicURL: "https://gateway.example", Plugins: []gateway.Plugin{p}}
	options.OAuth.Redirects = []string{"https://driver.example/done"}
	r.Rig = gatewaytest.New(t, options)
	t.Cleanup(r.hub.Close) // before the gateway, which looks for what is left behind
	clock.Store(r.Clock)
	r.hub.SetRequestURL("https://gateway.example/api/hooks/github", &http.Client{Transport: handed{r.Handler}})
	r.hub.AddUser("ada", fakegithub.Email{Address: "ada@example.org", Primary: true, Verified: true})
	r.org = r.hub.AddOrg("acme", "ada")
	r.org.AddMember("bob", "member")
	r.org.AddMember("cid", "member")
	r.hub.AddUser("eve")
	r.repo = r.hub.AddRepo("acme", "town")
	r.c = r.Community("town")
	return r
}

// installed has the app installed and the instance enabled by hand.
func installed(t *testing.T, opts ...func(*fakegithub.Options)) *town {
	t.Helper()
	r := newTown(t, opts...)
	var err error
	r.id, err = r.hub.Install("acme", fakegithub.Installing{})
	require.NoError(t, err)
	r.inst, err = r.c.Enable(t.Context(), "github", github.Config{InstallationID: strconv.FormatInt(r.id, 10), Repository: "town"})
	require.NoError(t, err)
	r.heard()
	return r
}

// heard waits for the deliveries, and does what is due.
func (r *town) heard() {
	r.t.Helper()
	require.NoError(r.t, r.hub.Flush(r.t.Context()))
	r.Due()
	require.NoError(r.t, r.hub.Flush(r.t.Context())) // of what that did
	r.Due()
}

// later lets time pass, and hears what happened meanwhile.
func (r *town) later(d time.Duration) {
	r.t.Helper()
	r.heard()
	r.Advance(d)
	r.heard()
}

func (r *town) do(action string, in any) (json.RawMessage, error) {
	return r.inst.Do(r.t.Context(), action, in)
}

func (r *town) begin(name string, in any) gateway.Process {
	r.t.Helper()
	p, err := r.inst.Start(r.t.Context(), name, in)
	require.NoError(r.t, err)
	r.heard()
	return p
}

func (r *town) again(p gateway.Process) gateway.Process {
	r.t.Helper()
	p, err := r.c.Process(r.t.Context(), p.ID)
	require.NoError(r.t, err)
	return p
}

func closing(r *town, title string) vote.Ask {
	at := r.Clock.Now().Add(time.Hour)
	return vote.Ask{Title: title, ClosingAt: &at}
}

// visit goes to the gateway's address, as a browser with cookies.
func (r *town) visit(to string, cookies []*http.Cookie) *http.Response {
	r.t.Helper()
	u, err := url.Parse(to)
	require.NoError(r.t, err)
	q := httptest.NewRequest(http.MethodGet, u.RequestURI(), nil)
	for _, c := range cookies {
		q.AddCookie(c)
	}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, q)
	return w.Result()
}

// browses is somebody who follows the gateway's link, agrees on GitHub's page for an account, and comes back.
func (r *town) browses(req gateway.AuthRequest, login, on string) (gateway.LoginResult, bool) {
	r.t.Helper()
	req.Plugin, req.Community, req.Redirect = "github", "town", "https://driver.example/done"
	link, err := r.AuthorizeURL(r.t.Context(), req)
	require.NoError(r.t, err)
	res := r.visit(link, nil)
	require.Equal(r.t, http.StatusFound, res.StatusCode)
	back, err := r.hub.Authorize(login, res.Header.Get("Location"), on)
	require.NoError(r.t, err)
	require.NoError(r.t, r.hub.Flush(r.t.Context()))
	to, err := r.visit(back, res.Cookies()).Location()
	if err != nil || to.Query().Get("code") == "" {
		return gateway.LoginResult{}, false
	}
	out, err := r.Redeem(r.t.Context(), to.Query().Get("code"))
	require.NoError(r.t, err)
	return out, true
}

func TestFakeInstall(t *testing.T) {
	r := newTown(t)
	_, ok := r.browses(gateway.AuthRequest{}, "bob", "acme")
	require.False(t, ok, "bob can only ask for it")
	got, ok := r.browses(gateway.AuthRequest{RequireAdmin: true}, "ada", "acme")
	require.True(t, ok)
	require.Equal(t, "ada", got.Account.UserID)
	var err error
	r.inst, err = r.c.Instance(t.Context(), got.Instance)
	require.NoError(t, err)
	r.heard()
	raw, err := r.do("create-issue", github.CreateIssue{Repo: github.Repo{Repository: "town"}, Title: "Hello"})
	require.NoError(t, err)
	require.Contains(t, string(raw), `"issue_number":1`)
	r.heard()
	opened := r.Events("issues opened")
	require.Len(t, opened, 1)
	require.True(t, opened[0].Bot)
	require.NotEmpty(t, opened[0].Cause, "the delivery of our own issue is known")

	in, ok := r.browses(gateway.AuthRequest{Type: gateway.Login}, "ada", "")
	require.True(t, ok)
	_, err = r.inst.Do(t.Context(), "comment", github.Comment{Thread: github.Thread{Repo: github.Repo{Repository: "town"}, Number: 1}, Body: "By ada"}, gateway.OnBehalfOf(in.Account.Person))
	require.NoError(t, err)
	is, _ := r.repo.Issue(1)
	require.Equal(t, "ada", is.Comments[0].User)
	r.heard()
	require.NotEmpty(t, r.Events("issue_comment created")[0].Cause, "also what is done on behalf of somebody")
}

// Every action does on GitHub what it says, and all of it is as GitHub describes it.
func TestFakeActions(t *testing.T) {
	api := specs.OpenAPI(t, "github", "api.github.com.trimmed.noexamples.json")
	r := installed(t, func(o *fakegithub.Options) {
		o.Judge = func(q *http.Request) error {
			if err := api.Request(q); !errors.Is(err, specs.ErrNoRoute) {
				return err
			}
			return nil
		}
	})
	act := func(action, in string) map[string]any {
		t.Helper()
		raw, err := r.do(action, json.RawMessage(in))
		require.NoError(t, err, action)
		var out map[string]any
		require.NoError(t, json.Unmarshal(raw, &out))
		return out
	}
	r.org.AddTeam("core")
	act("create-issue", `{"title":"T","body":"B","labels":["l"],"assignees":["bob"]}`)
	c := act("comment", `{"issue_number":1,"body":"Hello"}`)
	act("add-labels", `{"issue_number":1,"labels":["a","needs work/now"]}`)
	act("remove-label", `{"issue_number":1,"label":"needs work/now"}`)
	act("lock", `{"issue_number":1,"lock_reason":"too heated"}`)
	act("close", `{"issue_number":1,"state_reason":"not_planned"}`)
	is, _ := r.repo.Issue(1)
	require.Equal(t, []string{"l", "a"}, is.Labels)
	require.Equal(t, "too heated", is.LockReason)
	require.Equal(t, "not_planned", is.StateReason)
	act("unlock", `{"issue_number":1}`)
	act("reopen", `{"issue_number":1}`)
	act("delete-comment", fmt.Sprintf(`{"comment_id":%.0f}`, c["comment_id"]))
	is, _ = r.repo.Issue(1)
	require.Empty(t, is.Comments)
	require.Equal(t, "open", is.State)

	n, err := r.repo.OpenPull("eve", "More benches", "benches")
	require.NoError(t, err)
	act("review", fmt.Sprintf(`{"pull_number":%d,"event":"APPROVE"}`, n))
	act("merge", fmt.Sprintf(`{"pull_number":%d,"merge_method":"squash"}`, n))
	is, _ = r.repo.Issue(n)
	require.True(t, is.Merged)

	act("set-member", `{"username":"eve","role":"member"}`)
	require.Equal(t, map[string]string{"eve": "member"}, r.org.Invited())
	require.Equal(t, false, act("is-member", `{"username":"eve"}`)["member"])
	require.NoError(t, r.org.Join("eve"))
	require.Equal(t, true, act("is-member", `{"username":"eve"}`)["member"])
	act("set-team-member", `{"team_slug":"core","username":"eve"}`)
	require.Equal(t, map[string]string{"eve": "member"}, r.org.Team("core"))
	act("remove-team-member", `{"team_slug":"core","username":"eve"}`)
	act("set-team-member", `{"team_slug":"core","username":"eve","role":"maintainer"}`) // which they lose with their membership
	act("remove-member", `{"username":"eve"}`)
	require.NotContains(t, r.org.Members(), "eve")
	require.Equal(t, true, act("remove-member", `{"username":"eve"}`)["already"])
	act("set-collaborator", `{"username":"bob","permission":"maintain"}`)
	require.Equal(t, "maintain", r.repo.Rights("bob"))
	act("remove-collaborator", `{"username":"bob"}`)
	act("block", `{"username":"eve"}`)
	require.Equal(t, []string{"eve"}, r.org.Blocked())
	require.Equal(t, true, act("block", `{"username":"eve"}`)["already"])
	act("unblock", `{"username":"eve"}`)
	require.Empty(t, r.org.Blocked())
	require.Equal(t, "acme", act("get-installation", `{}`)["account"])
	act("method", `{"route":"/repos/{owner}/{repo}/issues/{issue_number}","issue_number":1}`)
	act("method", `{"route":"/app","auth":"app"}`)
	r.heard()
	require.Empty(t, r.hub.Judged())
	require.Empty(t, r.hub.Refused())

	// All that GitHub told of, the app did, but for what eve did.
	for _, e := range r.Events() {
		switch own := e.Initiator == "town-app[bot]"; {
		case !own:
			require.Empty(t, e.Cause, e.Type)
		case e.Type == "label created" || e.Type == "push": // that a label is made, and a branch moves on, is not told apart from other times
		default:
			require.NotEmpty(t, e.Cause, e.Type)
		}
	}
}

func TestFakeReactVote(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-react-vote", github.ReactVote{Ask: closing(r, "More soup?")})
	require.Equal(t, "https://github.com/acme/town/issues/1", r.again(p).URL)
	r.later(time.Minute)
	for login, content := range map[string]string{"ada": "+1", "bob": "-1", "cid": "+1", "eve": "heart"} {
		require.NoError(t, r.repo.React(login, 1, content))
	}
	r.later(20 * time.Minute)
	require.Equal(t, map[string]int64{"yes": 2, "no": 1}, counts(r.again(p)))
	require.NoError(t, r.repo.Unreact("cid", 1, "+1"))
	require.NoError(t, r.repo.FillReactions(1, 250, func(i int) (string, string) { return fmt.Sprintf("voter%03d", i), "+1" }))
	r.later(time.Hour)
	out := outcome(t, r.again(p))
	require.Equal(t, vote.Passed, out.Result)
	require.EqualValues(t, 252, out.Turnout.Voters, "three pages of them")
	is, _ := r.repo.Issue(1)
	require.Equal(t, "closed", is.State)
	require.Len(t, is.Comments, 1)
	require.Contains(t, is.Comments[0].Body, "**passed**")
	for _, e := range r.Events("issues opened", "issues closed", "issue_comment created") {
		require.NotEmpty(t, e.Cause, e.Type)
	}
}

func TestFakeCommentVote(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-comment-vote", github.CommentVote{Ask: closing(r, "More soup?")})
	r.later(time.Minute)
	say := func(login, body string) int64 {
		t.Helper()
		id, err := r.repo.Comment(login, 1, body)
		require.NoError(t, err)
		r.heard()
		return id
	}
	say("ada", "/vote yes")
	bob := say("bob", "/vote no")
	cid := say("cid", "/vote no")
	say("eve", "I like soup.")
	require.Equal(t, map[string]int64{"yes": 1, "no": 2}, counts(r.again(p)))
	r.Advance(time.Second)
	require.NoError(t, r.repo.EditComment("bob", bob, "/vote yes"))
	require.NoError(t, r.repo.DeleteComment("cid", cid))
	r.later(time.Minute)
	require.Equal(t, int64(2), counts(r.again(p))["yes"])
	r.hub.Fail(fakegithub.Fault{Delivery: "issue_comment created", Drop: true})
	_, err := r.repo.Comment("eve", 1, "/vote no") // of which nobody is told: it is read at the end
	require.NoError(t, err)
	r.later(time.Hour)
	out := outcome(t, r.again(p))
	require.Equal(t, vote.Passed, out.Result)
	require.EqualValues(t, 3, out.Turnout.Voters)
	is, _ := r.repo.Issue(1)
	require.Equal(t, "closed", is.State)
}

// An answer that is lost after GitHub has acted does not make it happen twice, and the delivery of it is known as ours.
func TestFakeBlock(t *testing.T) {
	r := installed(t)
	require.NoError(t, r.org.Block("ada", "zoe"))
	r.hub.Fail(fakegithub.Fault{Route: "PUT /orgs/{org}/blocks/{username}", LoseAnswer: true})
	_, err := r.inst.Do(t.Context(), "block", github.Person{Username: "eve"}, gateway.Once("k"))
	if err != nil {
		require.ErrorIs(t, err, gateway.Unknown)
		_, err = r.inst.Do(t.Context(), "block", github.Person{Username: "eve"}, gateway.Once("k"))
	}
	require.NoError(t, err)
	require.Len(t, r.hub.CallsTo("PUT /orgs/{org}/blocks/{username}"), 1)
	require.Equal(t, []string{"zoe", "eve"}, r.org.Blocked())
	r.heard()
	got := r.Events("org_block blocked")
	require.Len(t, got, 2)
	require.Empty(t, got[0].Cause, "ada did that")
	require.NotEmpty(t, got[1].Cause)

	_, err = r.do("block", github.Person{Username: "bob"})
	require.ErrorIs(t, err, gateway.Invalid, "a member cannot be blocked")
	require.NoError(t, r.hub.SetPermissions(r.id, map[string]string{"members": "read"}))
	_, err = r.do("unblock", github.Person{Username: "eve"})
	require.ErrorIs(t, err, gateway.Denied)
	require.ErrorContains(t, err, "organization_user_blocking:write")
}

// Deliveries that failed are fetched from the app's log, once.
func TestFakeRepair(t *testing.T) {
	r := installed(t)
	since := r.Clock.Now()
	for range 120 { // two pages of the log
		r.hub.Fail(fakegithub.Fault{Delivery: "issues", CloseBefore: true})
		_, err := r.repo.OpenIssue("eve", "Lost", "")
		require.NoError(t, err)
	}
	other := r.hub.AddOrg("other", "zoe")
	_, err := r.hub.Install("other", fakegithub.Installing{})
	require.NoError(t, err)
	r.hub.Fail(fakegithub.Fault{Delivery: "org_block", CloseBefore: true})
	require.NoError(t, other.Block("zoe", "eve"))
	r.hub.Fail(fakegithub.Fault{Delivery: "issues", LoseAnswer: true})
	_, err = r.repo.OpenIssue("eve", "Arrived, and GitHub does not know it", "")
	require.NoError(t, err)
	r.heard()
	require.Len(t, r.Events("issues opened"), 1)
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: since}))
	r.heard()
	require.Len(t, r.Events("issues opened"), 121)
	require.Empty(t, r.Events("org_block blocked"), "somebody else's")
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: since}))
	r.heard()
	require.Len(t, r.Events("issues opened"), 121)
}
