package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
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
	if strings.Contains(b.last.Body.String(), "<form") {
		to = b.post(address)
	}
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
