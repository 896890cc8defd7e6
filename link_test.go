package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// who is somebody who agrees at a platform's consent page: it travels as the code.
type who struct {
	User     string `json:"user"`
	Place    string `json:"place,omitempty"` // the platform object, where it is not the usual one
	Mail     string `json:"mail,omitempty"`
	Verified bool   `json:"verified,omitempty"`
	Token    string `json:"token,omitempty"`
	Refresh  string `json:"refresh,omitempty"`
	Scopes   string `json:"scopes,omitempty"`
	Lasts    int    `json:"lasts,omitempty"` // minutes
}

func (a who) grant(x gateway.OAuthExchange, place string) (string, gateway.GrantUser, error) {
	if err := json.Unmarshal([]byte(x.Code), &a); err != nil {
		return "", gateway.GrantUser{}, gateway.Errorf(gateway.Denied, "bad code")
	}
	u := gateway.GrantUser{ID: a.User, Name: a.User, Email: a.Mail, EmailVerified: a.Verified}
	if a.Token != "" {
		u.Token = &gateway.UserToken{Access: gateway.Secret(a.Token), Refresh: gateway.Secret(a.Refresh)}
		if a.Scopes != "" {
			u.Token.Scopes = strings.Fields(a.Scopes)
		}
		if a.Lasts > 0 {
			u.Token.Expires = x.Now.Add(time.Duration(a.Lasts) * time.Minute)
		}
	}
	if a.Place != "" {
		place = a.Place
	}
	return place, u, nil
}

// tokens is what a platform knows of the tokens that it gave.
type tokens struct {
	mu      sync.Mutex
	revoked []string
	fresh   func(gateway.TokenCall) (gateway.UserToken, error)
	fails   error
}

func (t *tokens) refresh(_ context.Context, c gateway.TokenCall) (gateway.UserToken, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fresh(c)
}

func (t *tokens) revoke(_ context.Context, c gateway.TokenCall) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fails != nil {
		return t.fails
	}
	t.revoked = append(t.revoked, c.Access.Reveal())
	return nil
}

func (t *tokens) gone() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.revoked)
}

type hubPlugin struct {
	*gateway.Instance
	l *linkRig
}

// comment says as whom it is written, by the token that came with it.
func (h *hubPlugin) comment(ctx context.Context, in post) (posted, error) {
	if err := gateway.CallOf(ctx).Save(ctx, in.Text); err != nil {
		return posted{}, err
	}
	who := "the bot"
	if a, ok := gateway.ActingAs(ctx); ok {
		who = a.UserID + " with " + a.Token.Reveal()
		if h.l.renews {
			next, err := a.Renew(ctx)
			if err != nil {
				return posted{}, err
			}
			who = a.UserID + " with " + next.Reveal()
		}
	}
	h.l.does(who + ": " + in.Text)
	return posted{ID: "1"}, h.l.fails
}

func (h *hubPlugin) find(ctx context.Context, in post) (posted, gateway.Found, error) {
	who := "the bot"
	if a, ok := gateway.ActingAs(ctx); ok {
		who = a.UserID + " with " + a.Token.Reveal()
	}
	h.l.does(who + " looks")
	return posted{ID: "found"}, h.l.found, nil
}

// does keeps what was done; several may do something at once.
func (l *linkRig) does(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, what)
}

// plain knows nothing of identities.
func (h *hubPlugin) plain(ctx context.Context, _ post) (posted, error) {
	_, acting := gateway.ActingAs(ctx)
	h.l.does(fmt.Sprint("plain ", acting))
	return posted{ID: "1"}, nil
}

type hubConfig struct {
	Org string `json:"org" gateway:"platform_id,public" jsonschema_description:"The organization."`
}

// linkRig is a gateway with two platforms that one can log in to, and a community on both.
type linkRig struct {
	*rig
	c      *gateway.Community
	tokens *tokens
	asked  map[string]gateway.OAuthParams // by plugin, of the last consent page
	inst   *gateway.Instance              // of the second

	mu     sync.Mutex
	done   []string // on the second platform
	fails  error
	found  gateway.Found
	renews bool
}

func newLinkRig(t *testing.T, s store.Store, opts ...func(*gateway.Options)) *linkRig {
	t.Helper()
	l := &linkRig{tokens: &tokens{}, asked: map[string]gateway.OAuthParams{}}
	hub := gateway.Define("github", "Another platform.", func(_ context.Context, i *gateway.Instance, _ hubConfig) (*hubPlugin, error) {
		return &hubPlugin{i, l}, nil
	},
		gateway.ActionFunc("comment", "Writes a comment.", (*hubPlugin).comment, gateway.Acts("repo|public_repo"), gateway.Lookup((*hubPlugin).find)),
		gateway.ActionFunc("plain", "Does something.", (*hubPlugin).plain),
		gateway.OAuth[*hubPlugin, hubConfig]{
			Authorize: func(p gateway.OAuthParams) (string, error) {
				l.asked["github"] = p
				return "https://github.example/consent?state=" + p.State, nil
			},
			Exchange: func(_ context.Context, x gateway.OAuthExchange) (g gateway.Grant[hubConfig], err error) {
				g.PlatformID, g.User, err = who{}.grant(x, "acme")
				return g, err
			},
			Refresh: l.tokens.refresh, Revoke: l.tokens.revoke,
		})
	o := gateway.Options{Store: s, PublicURL: "https://gov.example/gw/", OAuth: gateway.OAuthOptions{Redirects: []string{driver}}, Plugins: []gateway.Plugin{hub}}
	for _, f := range opts {
		f(&o)
	}
	l.rig = newRig(t, o)
	l.api.grant = func(x gateway.OAuthExchange) (g gateway.Grant[forumConfig], err error) {
		g.PlatformID, g.User, err = who{}.grant(x, "S1")
		return g, err
	}
	l.c, _ = l.town("town", "S1")
	var err error
	l.inst, err = l.c.Enable(t.Context(), "github", hubConfig{"acme"})
	require.NoError(t, err)
	return l
}

// agree follows an address to a platform's consent page, as people go who were sent there, and comes back as each of them in turn. It gives what the
// driver trades, or the error in the address.
func (l *linkRig) agree(b *browser, address string, people ...who) (gateway.LoginResult, string) {
	l.t.Helper()
	to := b.get(address)
	for _, p := range people {
		plugin, ok := strings.CutSuffix(to.Host, ".example")
		require.True(l.t, ok && to.Host != "good.example", "%s: %s", to, b.last.Body)
		to = l.back(b, plugin, to.Query().Get("state"), p)
	}
	if to.Host != "good.example" {
		return gateway.LoginResult{}, "no redirect: " + strings.TrimSpace(b.last.Body.String())
	}
	if e := to.Query().Get("error"); e != "" {
		return gateway.LoginResult{}, e
	}
	out, err := l.Redeem(l.t.Context(), to.Query().Get("code"))
	require.NoError(l.t, err)
	return out, ""
}

func (l *linkRig) back(b *browser, plugin, state string, p who) *url.URL {
	l.t.Helper()
	raw, err := json.Marshal(p)
	require.NoError(l.t, err)
	return b.get("/auth/" + plugin + "/callback?" + url.Values{"state": {state}, "code": {string(raw)}}.Encode())
}

// login is a way through one or several consent pages.
func (l *linkRig) login(r gateway.AuthRequest, people ...who) (gateway.LoginResult, string) {
	l.t.Helper()
	r.Type, r.Redirect = gateway.Login, driver
	if r.Community == "" {
		r.Community = "town"
	}
	link, err := l.AuthorizeURL(l.t.Context(), r)
	require.NoError(l.t, err)
	return l.agree(l.browser(), link, people...)
}

func (l *linkRig) both(people ...who) (gateway.LoginResult, string) {
	l.t.Helper()
	return l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}}, people...)
}

func (l *linkRig) strength(a, b gateway.AccountRef) gateway.Strength {
	l.t.Helper()
	link, err := l.c.Strength(l.t.Context(), a, b)
	require.NoError(l.t, err)
	return link.Strength
}

func (l *linkRig) unknown(refs ...gateway.AccountRef) {
	l.t.Helper()
	for _, a := range refs {
		_, err := l.c.WhoIs(l.t.Context(), a)
		require.ErrorIs(l.t, err, gateway.NotFound, a.String())
	}
}

func (l *linkRig) set(ways map[string]bool) {
	l.t.Helper()
	require.NoError(l.t, l.c.SetSettings(l.t.Context(), gateway.Settings{Linking: ways}))
}

func TestTwoLoginsInOneSession(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		got, e := l.both(who{User: "ann"}, who{User: "ann-hub"})
		require.Empty(t, e)
		require.Equal(t, "forum", got.Plugin)
		require.Equal(t, "ann", got.Account.UserID)
		require.Len(t, got.Accounts, 2)
		require.Equal(t, got.Accounts[0].Person, got.Accounts[1].Person)
		require.Equal(t, "acme", l.asked["github"].PlatformID, "the second consent page too is told where")
		require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("ann-hub")))
		require.Equal(t, "oauth", got.Accounts[1].LinkType)

		// Again, and one by one: nobody moves, nothing is known that was not.
		known, err := l.c.Evidence(ctx, ref("ann"))
		require.NoError(t, err)
		_, e = l.both(who{User: "ann"}, who{User: "ann-hub"})
		require.Empty(t, e)
		for range 3 {
			one, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub"})
			require.Empty(t, e)
			require.Equal(t, got.Account.Person, one.Account.Person)
		}
		again, err := l.c.Evidence(ctx, ref("ann"))
		require.NoError(t, err)
		require.Equal(t, known, again, "people log in every day")

		// Another account of the same platform.
		more, e := l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"forum", "github"}}, who{User: "ann"}, who{User: "ann2"}, who{User: "ann-hub2"})
		require.Empty(t, e)
		require.Equal(t, got.Account.Person, more.Accounts[2].Person)
		require.Equal(t, gateway.Verified, l.strength(ref("ann2"), hub("ann-hub")))
		require.NoError(t, l.c.Unlink(ctx, ref("ann")))
		require.Equal(t, gateway.Verified, l.strength(ref("ann2"), hub("ann-hub2")), "they were shown together, also without the first")

		_, e = l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"forum"}}, who{User: "dan"}, who{User: "dan"})
		require.Equal(t, "conflict", e, "twice the same shows nothing")
		l.unknown(ref("dan"))
	})
}

// Nothing is kept of any login where a later one fails or is refused.
func TestHalfASessionLinksNothing(t *testing.T) {
	for name, second := range map[string]func(l *linkRig, b *browser, state string) *url.URL{
		"refused": func(l *linkRig, b *browser, state string) *url.URL {
			return b.get("/auth/github/callback?error=access_denied&state=" + state)
		},
		"failed": func(l *linkRig, b *browser, state string) *url.URL {
			return b.get("/auth/github/callback?code=nonsense&state=" + state)
		},
		"somewhere else": func(l *linkRig, b *browser, state string) *url.URL {
			return l.back(b, "github", state, who{User: "ann-hub", Place: "other-org", Token: "second-canary"})
		},
		"without a cookie": func(l *linkRig, b *browser, state string) *url.URL {
			return l.back(l.browser(), "github", state, who{User: "eve-hub"})
		},
		"at the first platform's address": func(l *linkRig, b *browser, state string) *url.URL {
			return l.back(b, "forum", state, who{User: "eve"})
		},
		"too late": func(l *linkRig, b *browser, state string) *url.URL {
			l.clock.advance(10 * time.Minute)
			return l.back(b, "github", state, who{User: "ann-hub"})
		},
		"never": func(l *linkRig, b *browser, state string) *url.URL { return &url.URL{} },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLinkRig(t, nil)
			link, err := l.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "github", Then: []string{"github"}, Type: gateway.Login, Community: "town", Redirect: driver})
			require.NoError(t, err)
			b := l.browser()
			to := l.back(b, "github", b.get(link).Query().Get("state"), who{User: "ann", Token: "first-canary"})
			require.Equal(t, "github.example", to.Host)
			state := to.Query().Get("state")
			to = second(l, b, state)
			require.Empty(t, to.Query().Get("code"))
			l.unknown(hub("ann"), hub("ann-hub"), hub("eve-hub"), ref("eve"))
			people, err := l.c.People(t.Context(), gateway.PersonFilter{}, "", 0)
			require.NoError(t, err)
			require.Empty(t, people)
			require.False(t, to.Query().Get("error") == "" && to.Host == "good.example")

			l.wait(time.Hour)
			want := []string{"first-canary"}
			if name == "somewhere else" {
				want = append(want, "second-canary")
			}
			require.ElementsMatch(t, want, l.tokens.gone(), "the tokens that came to nothing are given back")
			require.NotContains(t, l.logs.String(), "canary")
			require.Empty(t, l.tasks(store.TaskQuery{Kind: "token"}))
		})
	}
}

// What the first login brought is sealed; where the keys are gone the second does not stand alone.
func TestASessionWhoseFirstLoginCannotBeRead(t *testing.T) {
	l := newLinkRig(t, nil)
	link, err := l.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Type: gateway.Login, Community: "town", Redirect: driver})
	require.NoError(t, err)
	b := l.browser()
	to := l.back(b, "forum", b.get(link).Query().Get("state"), who{User: "ann"})
	l.o.Seal = newSeal(t, gateway.NewSealKey())
	l.again()
	to = l.back(b, "github", to.Query().Get("state"), who{User: "ann-hub"})
	require.Equal(t, "internal", to.Query().Get("error"))
	l.unknown(ref("ann"), hub("ann-hub"))
}

// Whoever begins a session goes on with it: a second consent page in another's browser, or the state of another session, leads nowhere.
func TestStatesOfTwoSessionsAreNotSwapped(t *testing.T) {
	l := newLinkRig(t, nil)
	half := func(user string) (*browser, string) {
		link, err := l.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Type: gateway.Login, Community: "town", Redirect: driver})
		require.NoError(t, err)
		b := l.browser()
		to := l.back(b, "forum", b.get(link).Query().Get("state"), who{User: user})
		require.Equal(t, "github.example", to.Host)
		return b, to.Query().Get("state")
	}
	eve, evil := half("eve")
	ann, hers := half("ann")
	// Eve has Ann agree on the page of Eve's session, or comes with Ann's.
	l.back(ann, "github", evil, who{User: "ann-hub"})
	require.Equal(t, http.StatusBadRequest, ann.last.Code)
	l.back(eve, "github", hers, who{User: "eve-hub"})
	require.Equal(t, http.StatusBadRequest, eve.last.Code)
	l.unknown(ref("ann"), ref("eve"), hub("ann-hub"), hub("eve-hub"))
}

func TestSeveralLoginsOfDifferentPeople(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		a, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann"})
		require.Empty(t, e)
		b, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub"})
		require.Empty(t, e)
		require.NotEqual(t, a.Account.Person, b.Account.Person)
		_, e = l.both(who{User: "ann"}, who{User: "ann-hub"})
		require.Equal(t, "conflict", e, "nobody said that they are to be merged")
		p, err := l.c.WhoIs(ctx, hub("ann-hub"))
		require.NoError(t, err)
		require.Equal(t, b.Account.Person, p.ID)

		got, e := l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Merge: true}, who{User: "ann"}, who{User: "ann-hub"})
		require.Empty(t, e)
		require.Equal(t, a.Account.Person, got.Accounts[1].Person)
		require.Equal(t, b.Account.Person, got.Accounts[1].Home)
		require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("ann-hub")))
		_, err = l.c.Split(ctx, b.Account.Person)
		require.NoError(t, err)
		require.Equal(t, gateway.None, l.strength(ref("ann"), hub("ann-hub")))
	})
}

// A login beside an account that hangs weakly on a person says nothing of what else that person has.
func TestALoginIsNoSurerThanWhatItHangsOn(t *testing.T) {
	for name, merges := range map[string]bool{"a new account": false, "somebody's account": true} {
		t.Run(name, func(t *testing.T) {
			l := newLinkRig(t, nil)
			ctx := t.Context()
			ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann"})
			require.Empty(t, e)
			_, err := l.c.Link(ctx, ann.Account.Person, gateway.NewAccount{AccountRef: ref("eve")}, gateway.Ground{Kind: gateway.Unproven})
			require.NoError(t, err)
			require.Equal(t, gateway.Unverified, l.strength(ref("ann"), ref("eve")))
			if merges {
				_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "eve-hub"})
				require.Empty(t, e)
			}
			_, e = l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Merge: true}, who{User: "eve"}, who{User: "eve-hub"})
			require.Empty(t, e)
			require.Equal(t, gateway.Verified, l.strength(ref("eve"), hub("eve-hub")))
			require.Equal(t, gateway.Unverified, l.strength(ref("ann"), ref("eve")), "a login shows who is at the browser, not whose the account is")
			require.Equal(t, gateway.Unverified, l.strength(ref("ann"), hub("eve-hub")))
		})
	}
}

func TestALoginForAPersonWhomTheDriverNames(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	ann := person(t, l.c, ref("ann"))
	got, e := l.login(gateway.AuthRequest{Plugin: "github", Person: ann.ID}, who{User: "ann-hub"})
	require.Empty(t, e)
	require.Equal(t, ann.ID, got.Account.Person)
	require.Equal(t, gateway.Asserted, l.strength(ref("ann"), hub("ann-hub")))
	_, e = l.login(gateway.AuthRequest{Plugin: "forum", Person: ann.ID}, who{User: "ann"})
	require.Empty(t, e)
	require.Equal(t, gateway.Proven, l.strength(ref("ann"), hub("ann-hub")), "each was proved for her")

	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub"})
	require.Empty(t, e)
	_, e = l.login(gateway.AuthRequest{Plugin: "github", Person: ann.ID}, who{User: "bob-hub"})
	require.Equal(t, "conflict", e, "a login moves nobody's account")
	_, e = l.login(gateway.AuthRequest{Plugin: "github", Then: []string{"forum"}, Person: ann.ID, Merge: true}, who{User: "bob-hub"}, who{User: "bob"})
	require.Equal(t, "conflict", e, "she has shown nothing herself")
	l.unknown(ref("bob"))
	_, e = l.login(gateway.AuthRequest{Plugin: "github", Then: []string{"forum"}, Person: ann.ID, Merge: true}, who{User: "bob-hub"}, who{User: "ann"})
	require.Empty(t, e)
	require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("bob-hub")))

	for name, bad := range map[string]struct {
		r    gateway.AuthRequest
		code gateway.Code
	}{
		"an install":               {gateway.AuthRequest{Plugin: "forum", Type: gateway.Install, Then: []string{"github"}}, gateway.Invalid},
		"for a person":             {gateway.AuthRequest{Plugin: "forum", Type: gateway.Install, Community: "town", Person: ann.ID}, gateway.Invalid},
		"too many":                 {gateway.AuthRequest{Plugin: "forum", Then: []string{"forum", "forum", "forum", "forum", "forum"}}, gateway.Invalid},
		"merge of one":             {gateway.AuthRequest{Plugin: "forum", Merge: true}, gateway.Invalid},
		"a person of no community": {gateway.AuthRequest{Plugin: "forum", Person: ann.ID}, gateway.Invalid},
		"nobody":                   {gateway.AuthRequest{Plugin: "forum", Community: "town", Person: "nobody"}, gateway.NotFound},
		"no plugin":                {gateway.AuthRequest{Plugin: "forum", Then: []string{"nope"}}, gateway.NotFound},
	} {
		if bad.r.Type == "" {
			bad.r.Type = gateway.Login
		}
		_, err := l.AuthorizeURL(ctx, bad.r)
		require.ErrorIs(t, err, bad.code, name)
	}
}

// Each way is switched off and on by the community, also while somebody is under way.
func TestWaysThatACommunityDoesNotWant(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	ann := person(t, l.c, ref("ann"))
	both := gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}, Type: gateway.Login, Community: "town", Redirect: driver}
	link, err := l.AuthorizeURL(ctx, both)
	require.NoError(t, err)
	named := gateway.AuthRequest{Plugin: "github", Person: ann.ID, Type: gateway.Login, Community: "town", Redirect: driver}
	second, err := l.AuthorizeURL(ctx, named)
	require.NoError(t, err)
	ask := gateway.LinkPrompt{Person: ann.ID, Plugin: "github", Redirect: driver, Trusting: true}
	third, err := l.c.PromptLink(ctx, ask)
	require.NoError(t, err)
	l.set(map[string]bool{gateway.ByBothLogins: false, gateway.ByLogin: false, gateway.ByPrompt: false})
	for _, address := range []string{link, second} {
		b := l.browser()
		b.get(address)
		require.Equal(t, http.StatusBadRequest, b.last.Code)
	}
	_, e := l.agree(l.browser(), third.URL, who{User: "ann-hub"})
	require.Equal(t, "denied", e)
	for _, r := range []gateway.AuthRequest{both, named} {
		_, err := l.AuthorizeURL(ctx, r)
		require.ErrorIs(t, err, gateway.Denied)
	}
	_, err = l.c.PromptLink(ctx, ask)
	require.ErrorIs(t, err, gateway.Denied)
	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub"})
	require.Empty(t, e, "one login of one account joins nobody")

	l.set(map[string]bool{gateway.ByBothLogins: false, gateway.ByLogin: false})
	_, e = l.agree(l.browser(), third.URL, who{User: "ann-hub2"})
	require.Empty(t, e, "a prompt is a way of its own, and the link was not used up by who was refused")

	// Switched off between the two consent pages.
	l.set(nil)
	link, err = l.AuthorizeURL(ctx, both)
	require.NoError(t, err)
	b := l.browser()
	to := l.back(b, "forum", b.get(link).Query().Get("state"), who{User: "bob"})
	l.set(map[string]bool{gateway.ByBothLogins: false})
	to = l.back(b, "github", to.Query().Get("state"), who{User: "bob-hub"})
	require.Equal(t, "denied", to.Query().Get("error"))
	l.unknown(ref("bob"), hub("bob-hub"))
}

// post opens an address by a form.
func (b *browser) post(address string) *url.URL {
	b.r.t.Helper()
	req := httptest.NewRequest("POST", strings.TrimPrefix(address, "https://gov.example/gw"), nil)
	b.last = httptest.NewRecorder()
	b.r.Handler().ServeHTTP(b.last, req)
	for _, c := range b.last.Result().Cookies() {
		b.cookies[c.Name] = c
	}
	to, err := url.Parse(b.last.Header().Get("Location"))
	require.NoError(b.r.t, err)
	return to
}

func changes(t *testing.T, c *gateway.Community, types ...string) (out []gateway.IdentityChange) {
	t.Helper()
	events, err := c.Events(t.Context(), 0, 1000, types...)
	require.NoError(t, err)
	for _, e := range events {
		var ch gateway.IdentityChange
		require.NoError(t, json.Unmarshal(e.Data, &ch))
		out = append(out, ch)
	}
	return out
}

func TestAPromptIsAnsweredByWhoWasAsked(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		ann := person(t, l.c, ref("ann"))
		p, err := l.c.PromptLink(ctx, gateway.LinkPrompt{
			Person: ann.ID, Plugin: "github", Reason: "Link <b>GitHub</b> & be paid", Page: true, Redirect: driver, State: "mine",
		})
		require.NoError(t, err)
		require.Equal(t, l.clock.now().Add(7*24*time.Hour), p.Expires)

		// The page says why, as plain text; what looks at links does not go on.
		b := l.browser()
		b.get(p.URL)
		require.Equal(t, http.StatusOK, b.last.Code)
		require.Contains(t, b.last.Body.String(), "Link &lt;b&gt;GitHub&lt;/b&gt; &amp; be paid")
		require.Contains(t, b.last.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Empty(t, changes(t, l.c, gateway.LinkOpened))
		token := strings.SplitN(p.URL, "request=", 2)[1]
		require.Contains(t, b.last.Body.String(), `action="?request=`+token+`"`)

		// Eve has seen the link. She can link nothing by it, nor use it up.
		eve := l.browser()
		to := eve.post(p.URL)
		require.Equal(t, "forum.example", to.Host, "first who was asked shows that it is them")
		to = l.back(eve, "forum", to.Query().Get("state"), who{User: "eve"})
		require.Equal(t, "denied", to.Query().Get("error"))
		l.unknown(ref("eve"), hub("eve-hub"))

		l.clock.advance(6 * 24 * time.Hour)
		to = b.post(p.URL)
		to = l.back(b, "forum", to.Query().Get("state"), who{User: "ann"})
		to = b.get("/auth/github/callback?error=access_denied&state=" + to.Query().Get("state"))
		require.Equal(t, "denied", to.Query().Get("error"), "she turns round")
		to = b.post(p.URL)
		to = l.back(b, "forum", to.Query().Get("state"), who{User: "ann"})
		to = l.back(b, "github", to.Query().Get("state"), who{User: "ann-hub"})
		require.Equal(t, "mine", to.Query().Get("state"))
		got, err := l.Redeem(ctx, to.Query().Get("code"))
		require.NoError(t, err)
		require.Equal(t, p.ID, got.Prompt)
		require.Equal(t, "ann-hub", got.Account.UserID)
		require.Equal(t, "github", got.Plugin)
		require.Equal(t, ann.ID, got.Account.Person)
		link, err := l.c.Strength(ctx, ref("ann"), hub("ann-hub"))
		require.NoError(t, err)
		require.Equal(t, gateway.Verified, link.Strength)

		for _, typ := range []string{gateway.LinkPrompted, gateway.LinkOpened} {
			got := changes(t, l.c, typ)
			require.Len(t, got, 1, typ)
			require.Equal(t, gateway.IdentityChange{Person: ann.ID, Subject: p.ID, How: "github", Prompt: p.ID}, got[0])
		}
		linked := changes(t, l.c, gateway.AccountLinked)
		require.Equal(t, p.ID, linked[len(linked)-1].Prompt, "so it can be measured")

		// A second use.
		b.post(p.URL)
		require.Equal(t, http.StatusBadRequest, b.last.Code)
		other := l.browser()
		other.get(p.URL)
		require.Equal(t, http.StatusBadRequest, other.last.Code)
	})
}

func TestTwoBrowsersAtOnePrompt(t *testing.T) {
	l := newLinkRig(t, nil)
	ann := person(t, l.c, ref("ann"))
	p, err := l.c.PromptLink(t.Context(), gateway.LinkPrompt{Person: ann.ID, Plugin: "github", Redirect: driver})
	require.NoError(t, err)
	states := []string{}
	browsers := []*browser{l.browser(), l.browser()}
	for _, b := range browsers {
		to := l.back(b, "forum", b.get(p.URL).Query().Get("state"), who{User: "ann"})
		states = append(states, to.Query().Get("state"))
	}
	require.NotEmpty(t, l.back(browsers[0], "github", states[0], who{User: "one"}).Query().Get("code"))
	require.Equal(t, "not_found", l.back(browsers[1], "github", states[1], who{User: "two"}).Query().Get("error"), "once")
	l.unknown(hub("two"))
}

func TestPromptsForAccounts(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		asks := func(p gateway.LinkPrompt, people ...who) (gateway.LoginResult, string) {
			t.Helper()
			p.Plugin, p.Redirect = "github", driver
			made, err := l.c.PromptLink(ctx, p)
			require.NoError(t, err)
			return l.agree(l.browser(), made.URL, people...)
		}
		// Of somebody whom nobody knows yet.
		_, e := asks(gateway.LinkPrompt{Account: ref("ann")}, who{User: "Ann"})
		require.Equal(t, "denied", e, "a look-alike is somebody else")
		got, e := asks(gateway.LinkPrompt{Account: ref("ann")}, who{User: "ann"}, who{User: "ann-hub"})
		require.Empty(t, e)
		require.Equal(t, "ann-hub", got.Account.UserID)
		require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("ann-hub")))

		// In private.
		got, e = asks(gateway.LinkPrompt{Account: ref("bob"), Trusting: true}, who{User: "bob-hub"})
		require.Empty(t, e)
		require.Equal(t, gateway.Proven, l.strength(ref("bob"), hub("bob-hub")), "one of both was proved")
		bob, err := l.c.WhoIs(ctx, ref("bob"))
		require.NoError(t, err)
		require.Equal(t, got.Account.Person, bob.ID)
		_, e = asks(gateway.LinkPrompt{Account: ref("bob"), Trusting: true}, who{User: "bob-hub2"})
		require.Empty(t, e)
		require.Equal(t, gateway.Proven, l.strength(ref("bob"), hub("bob-hub2")))
		_, e = asks(gateway.LinkPrompt{Account: ref("bob"), Trusting: true}, who{User: "ann-hub"})
		require.Equal(t, "conflict", e)
		_, e = asks(gateway.LinkPrompt{Person: bob.ID, Trusting: true}, who{User: "ann-hub"})
		require.Equal(t, "conflict", e)
		_, e = asks(gateway.LinkPrompt{Account: ref("cid"), Trusting: true}, who{User: "ann-hub"})
		require.Empty(t, e, "whose account that is was shown, and cid is nobody's yet")
		require.Equal(t, gateway.Proven, l.strength(ref("cid"), hub("ann-hub")))

		// An account that hangs weakly on somebody makes no other strong.
		dan := person(t, l.c, ref("dan"))
		_, err = l.c.Link(ctx, dan.ID, gateway.NewAccount{AccountRef: ref("eve")}, gateway.Ground{Kind: gateway.Unproven})
		require.NoError(t, err)
		_, e = asks(gateway.LinkPrompt{Account: ref("eve"), Trusting: true}, who{User: "eve-hub"})
		require.Empty(t, e)
		require.Equal(t, gateway.Unverified, l.strength(ref("dan"), hub("eve-hub")))

		// Of two people, with both logins.
		_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "fay-hub"})
		require.Empty(t, e)
		fay := person(t, l.c, ref("fay"))
		_, e = asks(gateway.LinkPrompt{Person: fay.ID}, who{User: "fay"}, who{User: "fay-hub"})
		require.Equal(t, "conflict", e)
		_, e = asks(gateway.LinkPrompt{Person: fay.ID, Merge: true}, who{User: "fay"}, who{User: "fay-hub"})
		require.Empty(t, e)
		require.Equal(t, gateway.Verified, l.strength(ref("fay"), hub("fay-hub")))
	})
}

func TestPromptsThatCannotBe(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	other, _ := l.town("other", "S2")
	ann := person(t, l.c, ref("ann"))
	mute := person(t, l.c, gateway.AccountRef{Plugin: "mute", PlatformID: "M", UserID: "x"})
	for name, bad := range map[string]struct {
		c    *gateway.Community
		p    gateway.LinkPrompt
		code gateway.Code
	}{
		"for nobody":           {l.c, gateway.LinkPrompt{Plugin: "github"}, gateway.Invalid},
		"for both":             {l.c, gateway.LinkPrompt{Person: ann.ID, Account: ref("ann"), Plugin: "github"}, gateway.Invalid},
		"too long a reason":    {l.c, gateway.LinkPrompt{Person: ann.ID, Plugin: "github", Reason: strings.Repeat("x", 2001)}, gateway.Invalid},
		"for too long":         {l.c, gateway.LinkPrompt{Person: ann.ID, Plugin: "github", Good: 31 * 24 * time.Hour}, gateway.Invalid},
		"merging without both": {l.c, gateway.LinkPrompt{Person: ann.ID, Plugin: "github", Trusting: true, Merge: true}, gateway.Invalid},
		"no such plugin":       {l.c, gateway.LinkPrompt{Person: ann.ID, Plugin: "nope"}, gateway.NotFound},
		"nobody can log in":    {l.c, gateway.LinkPrompt{Person: mute.ID, Plugin: "github"}, gateway.Conflict},
		"another community's":  {other, gateway.LinkPrompt{Person: ann.ID, Plugin: "github"}, gateway.NotFound},
		"elsewhere":            {l.c, gateway.LinkPrompt{Person: ann.ID, Plugin: "github", Redirect: "https://evil.example"}, gateway.Denied},
	} {
		_, err := bad.c.PromptLink(ctx, bad.p)
		require.ErrorIs(t, err, bad.code, name)
	}

	// Another community's prompt, for an account of the same name: the account that logs in is of another workspace.
	p, err := other.PromptLink(ctx, gateway.LinkPrompt{Account: gateway.AccountRef{Plugin: "forum", UserID: "ann"}, Plugin: "github", Redirect: driver})
	require.NoError(t, err)
	_, e := l.agree(l.browser(), p.URL, who{User: "ann"})
	require.Equal(t, "denied", e)

	// After its time.
	q, err := l.c.PromptLink(ctx, gateway.LinkPrompt{Person: ann.ID, Plugin: "github", Redirect: driver, Good: time.Hour})
	require.NoError(t, err)
	b := l.browser()
	to := l.back(b, "forum", b.get(q.URL).Query().Get("state"), who{User: "ann"})
	l.clock.advance(time.Hour)
	fresh := l.browser()
	fresh.get(q.URL)
	require.Equal(t, http.StatusBadRequest, fresh.last.Code)
	l.back(b, "github", to.Query().Get("state"), who{User: "ann-hub"})
	l.unknown(hub("ann-hub"))
}

func TestTheSameVerifiedAddress(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		l.set(map[string]bool{gateway.ByEmail: true})
		ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann", Mail: " Ann@Example.COM ", Verified: true})
		require.Empty(t, e)
		require.True(t, l.asked["forum"].Email || l.api.consent.Email)
		got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub", Mail: "Ann@example.com", Verified: true})
		require.Empty(t, e)
		require.Equal(t, ann.Account.Person, got.Account.Person)
		require.Equal(t, gateway.EmailMatched, l.strength(ref("ann"), hub("ann-hub")), "weak")

		// Never a join: another's case, plus, dots, other letters; nor what one side has not verified.
		for _, other := range []string{"ann@example.com", "Ann+x@example.com", "A.nn@example.com", "Ann@exаmple.com", "Ann@example.com.", "Ann@eКample.com"} {
			one, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "like " + other, Mail: other, Verified: true})
			require.Empty(t, e)
			require.NotEqual(t, ann.Account.Person, one.Account.Person, other)
		}
		one, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "unverified", Mail: "Ann@example.com"})
		require.Empty(t, e)
		require.NotEqual(t, ann.Account.Person, one.Account.Person)
		_, e = l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "bob", Mail: "bob@example.com"})
		require.Empty(t, e)
		bob, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub", Mail: "bob@example.com", Verified: true})
		require.Empty(t, e)
		boss, err := l.c.WhoIs(ctx, ref("bob"))
		require.NoError(t, err)
		require.NotEqual(t, boss.ID, bob.Account.Person, "the other side never verified it")

		// Two people have it: nobody is joined, a third login of the address least of all.
		a, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "cid", Mail: "c@example.com", Verified: true})
		require.Empty(t, e)
		b := person(t, l.c, hub("cid-hub"))
		again, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "cid-hub", Mail: "c@example.com", Verified: true})
		require.Empty(t, e)
		require.Equal(t, b.ID, again.Account.Person, "a login moves nobody")
		require.NotEqual(t, a.Account.Person, b.ID)
		third, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "cid3", Mail: "c@example.com", Verified: true})
		require.Empty(t, e)
		require.NotContains(t, []string{a.Account.Person, b.ID}, third.Account.Person)

		// Addresses are kept as hashes, which say nothing elsewhere.
		require.NoError(t, s.View(ctx, func(tx store.Tx) error {
			rows, err := tx.AccountsBy(store.AccountQuery{Community: "town"}, store.Account{}, 100)
			require.NoError(t, err)
			for _, row := range rows {
				require.NotContains(t, row.Mail, "@")
				require.NotContains(t, string(row.Data), "@")
			}
			return nil
		}))
		require.NotContains(t, l.logs.String(), "xample.com")
		// What the platform does not say any more is not known any more.
		_, e = l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann"})
		require.Empty(t, e)
		require.NoError(t, s.View(ctx, func(tx store.Tx) error {
			row, err := tx.Account("town", "forum", "S1", "ann")
			require.NoError(t, err)
			require.Empty(t, row.Mail)
			return nil
		}))
		late, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "late", Mail: "Ann@example.com", Verified: true})
		require.Empty(t, e)
		require.Equal(t, ann.Account.Person, late.Account.Person, "the other account still has it")
	})
}

func TestTheSameAddressIsOnlySuggestedWhereNobodyWantsMore(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann", Mail: "ann@example.com", Verified: true})
	require.Empty(t, e)
	got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann-hub", Mail: "ann@example.com", Verified: true})
	require.Empty(t, e)
	require.NotEqual(t, ann.Account.Person, got.Account.Person)
	list, err := l.c.Suggestions(ctx, got.Account.Person)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "email", list[0].Issuer)
	require.Equal(t, gateway.None, l.strength(ref("ann"), hub("ann-hub")))

	// With consent, and both logins.
	p, err := l.c.PromptLink(ctx, gateway.LinkPrompt{Account: ref("ann"), Plugin: "github", Merge: true, Redirect: driver, Reason: "Are both yours?"})
	require.NoError(t, err)
	_, e = l.agree(l.browser(), p.URL, who{User: "ann"}, who{User: "ann-hub"})
	require.Empty(t, e)
	require.Equal(t, gateway.Verified, l.strength(ref("ann"), hub("ann-hub")))
	list, err = l.c.Suggestions(ctx, ann.Account.Person)
	require.NoError(t, err)
	require.Empty(t, list, "it is settled")

	// A suggestion that was dismissed is not made again.
	_, e = l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "bob", Mail: "b@example.com", Verified: true})
	require.Empty(t, e)
	bob, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub", Mail: "b@example.com", Verified: true})
	require.Empty(t, e)
	list, err = l.c.Suggestions(ctx, bob.Account.Person)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.NoError(t, l.c.RevokeEvidence(ctx, list[0].ID, "they are two"))
	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub", Mail: "b@example.com", Verified: true})
	require.Empty(t, e)
	list, err = l.c.Suggestions(ctx, bob.Account.Person)
	require.NoError(t, err)
	require.Empty(t, list)

	// Who wants neither has no hash kept.
	l.set(map[string]bool{gateway.ByEmailConsent: false})
	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "bob-hub", Mail: "b@example.com", Verified: true})
	require.Empty(t, e)
	require.False(t, l.asked["github"].Email)
	require.NoError(t, l.store.View(ctx, func(tx store.Tx) error {
		row, err := tx.Account("town", "github", "acme", "bob-hub")
		require.NoError(t, err)
		require.Empty(t, row.Mail)
		return nil
	}))
}

// Accounts of two communities are never joined, whatever they have in common.
func TestLoginsJoinNothingAcrossCommunities(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	l.set(map[string]bool{gateway.ByEmail: true})
	other, err := l.CreateCommunity(ctx, "other", "Other")
	require.NoError(t, err)
	_, err = other.Enable(ctx, "github", hubConfig{"acme"})
	require.NoError(t, err)
	require.NoError(t, other.SetSettings(ctx, gateway.Settings{Linking: map[string]bool{gateway.ByEmail: true}}))
	ann, e := l.login(gateway.AuthRequest{Plugin: "forum"}, who{User: "ann", Mail: "a@example.com", Verified: true})
	require.Empty(t, e)
	got, e := l.login(gateway.AuthRequest{Plugin: "github", Community: "other"}, who{User: "ann-hub", Mail: "a@example.com", Verified: true})
	require.Empty(t, e)
	require.NotEqual(t, ann.Account.Person, got.Account.Person)
	l.unknown(hub("ann-hub"))
	_, err = l.AuthorizeURL(ctx, gateway.AuthRequest{Plugin: "github", Type: gateway.Login, Community: "other", Person: ann.Account.Person})
	require.ErrorIs(t, err, gateway.NotFound)
	_, e = l.login(gateway.AuthRequest{Plugin: "github", Community: "other", Then: []string{"forum"}}, who{User: "eve-hub"}, who{User: "eve"})
	require.Equal(t, "denied", e, "the second account is of a workspace that the community does not have")
	var hashes []string
	require.NoError(t, l.store.View(ctx, func(tx store.Tx) error {
		for _, at := range [][4]string{{"town", "forum", "S1", "ann"}, {"other", "github", "acme", "ann-hub"}} {
			row, err := tx.Account(at[0], at[1], at[2], at[3])
			require.NoError(t, err)
			require.NotEmpty(t, row.Mail)
			hashes = append(hashes, row.Mail)
		}
		return nil
	}))
	require.NotEqual(t, hashes[0], hashes[1], "nor can it be seen")
}
