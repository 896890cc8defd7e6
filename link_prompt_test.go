package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

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

// Who has a link for themselves cannot have somebody else follow it unawares: the page says for whom it is, and nothing goes on without a click.
func TestALinkSaysForWhomItIs(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	eve, err := l.c.CreatePerson(ctx, gateway.NewPerson{Name: "Eve <E>"})
	require.NoError(t, err)
	_, err = l.c.Link(ctx, eve.ID, gateway.NewAccount{AccountRef: ref("eve")}, gateway.Ground{})
	require.NoError(t, err)
	named, err := l.AuthorizeURL(ctx, gateway.AuthRequest{Plugin: "github", Type: gateway.Login, Community: "town", Redirect: driver, Person: eve.ID})
	require.NoError(t, err)
	prompted, err := l.c.PromptLink(ctx, gateway.LinkPrompt{Person: eve.ID, Plugin: "github", Redirect: driver, Trusting: true})
	require.NoError(t, err)
	account, err := l.c.PromptLink(ctx, gateway.LinkPrompt{Account: ref("eve"), Plugin: "github", Redirect: driver, Trusting: true})
	require.NoError(t, err)
	for address, says := range map[string]string{named: "Eve &lt;E&gt;", prompted.URL: "Eve &lt;E&gt;", account.URL: "forum: eve"} {
		ann := l.browser()
		require.Empty(t, ann.get(address).Host, "no further")
		require.Equal(t, http.StatusOK, ann.last.Code)
		require.Contains(t, ann.last.Body.String(), says)
		require.Contains(t, ann.last.Body.String(), "github")
		require.Empty(t, ann.cookies)
	}
	// The driver's own page.
	var page gateway.LinkPage
	l.o.OAuth.Ask = func(w http.ResponseWriter, p gateway.LinkPage) { page = p }
	l.again()
	b := l.browser()
	b.get(named)
	require.Equal(t, gateway.LinkPage{Plugin: "github", For: []string{"Eve <E>", "forum: eve"}, Action: "?" + strings.SplitN(named, "?", 2)[1]}, page)
	require.Equal(t, "github.example", b.post(named).Host)
	require.NoError(t, l.c.ErasePerson(ctx, eve.ID))
	b.get(prompted.URL)
	require.Equal(t, http.StatusBadRequest, b.last.Code)
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
