package fakeslack

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	codeLife  = 10 * time.Minute
	tokenLife = 12 * time.Hour
)

type oauthCode struct {
	w                  *Workspace
	user               string
	scopes, userScopes []string
	redirectURI        string
	expires            time.Time
	used, org          bool
	openID             bool
	nonce              string
}

// AuthorizeOption changes what the person does on Slack's page.
type AuthorizeOption func(*authorizing)

type authorizing struct{ deny, org bool }

// Deny makes the person press Cancel: the redirect carries error=access_denied.
func Deny() AuthorizeOption { return func(a *authorizing) { a.deny = true } }

// OrgWide installs the app in all workspaces of the organisation that the workspace is in; the person must be its owner.
func OrgWide() AuthorizeOption { return func(a *authorizing) { a.org = true } }

// Authorize plays the person who follows an authorization URL (of /oauth/v2/authorize, or /openid/connect/authorize to sign in)
// and agrees. It returns the URL, with code and state, to which Slack would redirect the browser; it does not follow it.
// What Slack shows as an error page, such as a wrong client_id, is an error here. A missing state is one too: Slack would not mind,
// but an app without it is open to forged installations.
func (s *Server) Authorize(ctx context.Context, authorizeURL, workspace, user string, o ...AuthorizeOption) (*url.URL, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var how authorizing
	for _, f := range o {
		f(&how)
	}
	u, err := url.Parse(authorizeURL)
	if err != nil {
		return nil, fmt.Errorf("fakeslack: authorize: %w", err)
	}
	if !s.net.Reaches(u) && !strings.HasPrefix(authorizeURL, s.URL()+"/") {
		return nil, notAllowed("%s is not a page of Slack", u.Redacted())
	}
	signIn := u.Path == "/openid/connect/authorize"
	if u.Path != "/oauth/v2/authorize" && !signIn {
		return nil, notAllowed("no page %s", u.Path)
	}
	q := u.Query()
	redirect, err := s.checkRedirect(q.Get("redirect_uri"), signIn)
	if err != nil {
		return nil, err
	}
	if q.Get("client_id") != s.app.ClientID {
		return nil, notAllowed("invalid_client_id")
	}
	if q.Get("state") == "" {
		return nil, notAllowed("the authorization URL has no state")
	}
	code := &oauthCode{user: user, redirectURI: q.Get("redirect_uri"), openID: signIn, org: how.org, nonce: q.Get("nonce")}
	if err := code.readScopes(q, signIn); err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	code.w = s.workspace(workspace)
	if code.w == nil {
		return nil, notAllowed("no workspace %s", workspace)
	}
	person := code.w.users[user]
	switch {
	case person == nil || person.deleted || person.bot:
		return nil, notAllowed("%s is no active member of %s", user, workspace)
	case q.Get("team") != "" && q.Get("team") != workspace:
		return nil, notAllowed("invalid_team_for_non_distributed_app: the URL asks for team %s", q.Get("team"))
	case how.org && (code.w.enterprise == "" || !person.owner):
		return nil, notAllowed("%s cannot install for an organisation", user)
	}
	back := redirect.Query()
	back.Set("state", q.Get("state"))
	if how.deny {
		back.Set("error", "access_denied")
	} else {
		code.expires = s.opt.Now().Add(codeLife)
		text := fmt.Sprintf("%d.%d.%s", 1_000_000_000+s.seq, 2_000_000_000+s.seq, secretText(32))
		s.seq++
		s.codes[text] = code
		back.Set("code", text)
	}
	redirect.RawQuery = back.Encode()
	return redirect, nil
}

// checkRedirect takes the redirect_uri, or the first registered one where there is none.
func (s *Server) checkRedirect(uri string, signIn bool) (*url.URL, error) {
	registered := s.opt.RedirectURLs
	if uri == "" {
		if len(registered) == 0 || signIn {
			return nil, notAllowed("no redirect_uri, and none is registered")
		}
		uri = registered[0]
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment != "" {
		return nil, notAllowed("bad_redirect_uri %q", uri)
	}
	ok := len(registered) == 0
	for _, r := range registered {
		p, err := url.Parse(r)
		if err == nil && p.Scheme == u.Scheme && p.Host == u.Host && strings.HasPrefix(u.Path, p.Path) {
			ok = true
		}
	}
	if !ok {
		return nil, notAllowed("bad_redirect_uri %q is not registered", uri)
	}
	return u, nil
}

func (c *oauthCode) readScopes(q url.Values, signIn bool) error {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	}
	if signIn {
		c.userScopes = split(q.Get("scope"))
		if q.Get("response_type") != "code" || !slices.Contains(c.userScopes, "openid") {
			return notAllowed("signing in needs response_type=code and the scope openid")
		}
	} else {
		c.scopes, c.userScopes = split(q.Get("scope")), split(q.Get("user_scope"))
	}
	if len(c.scopes)+len(c.userScopes) == 0 {
		return notAllowed("invalid_scope: no scopes are asked for")
	}
	for _, x := range c.scopes {
		if !knownScope(x, false) {
			return notAllowed("invalid_scope: %s", x)
		}
	}
	for _, x := range c.userScopes {
		if !knownScope(x, true) {
			return notAllowed("invalid_scope: %s", x)
		}
	}
	return nil
}

// checkClient checks the app's credentials, given by HTTP Basic or as arguments.
func (r *request) checkClient() error {
	id, secret, basic := r.http.BasicAuth()
	if !basic {
		id, secret = r.arg("client_id"), r.arg("client_secret")
	}
	if id != r.s.app.ClientID {
		return refuse("invalid_client_id")
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(r.s.app.ClientSecret)) != 1 {
		return refuse("bad_client_secret")
	}
	return nil
}

// exchange takes a code, once.
func (r *request) exchange(openID bool) (*oauthCode, error) {
	if err := r.checkClient(); err != nil {
		return nil, err
	}
	c := r.s.codes[r.arg("code")]
	switch {
	case c == nil || c.openID != openID || !r.s.opt.Now().Before(c.expires):
		return nil, refuse("invalid_code")
	case c.used:
		return nil, refuse("code_already_used")
	case c.redirectURI != r.arg("redirect_uri"):
		return nil, refuse("bad_redirect_uri")
	}
	c.used = true
	return c, nil
}

func (r *request) oauthAccess() (object, error) {
	switch r.arg("grant_type") {
	case "", "authorization_code":
	case "refresh_token":
		return r.refreshToken()
	default:
		return nil, refuse("invalid_grant_type")
	}
	c, err := r.exchange(false)
	if err != nil {
		return nil, err
	}
	person := object{"id": c.user}
	o := object{"app_id": r.s.app.AppID, "authed_user": person, "team": object{"id": c.w.id, "name": c.w.name},
		"enterprise": nil, "is_enterprise_install": c.org}
	if c.w.enterprise != "" {
		o["enterprise"] = object{"id": c.w.enterprise, "name": r.s.enterprises[c.w.enterprise]}
	}
	var everywhere []*Workspace
	if c.org {
		o["team"] = nil
		for _, w := range r.s.workspaces {
			if w.enterprise == c.w.enterprise {
				everywhere = append(everywhere, w)
			}
		}
	}
	if len(c.scopes) > 0 {
		t := c.w.installApp(c.scopes, everywhere)
		o["access_token"], o["token_type"], o["bot_user_id"], o["scope"] = t.text, "bot", t.user, strings.Join(t.scopes, ",")
		r.s.addRefresh(o, t)
	}
	if len(c.userScopes) > 0 {
		t := c.w.userToken(c.user, c.userScopes)
		person["access_token"], person["token_type"], person["scope"] = t.text, "user", strings.Join(t.scopes, ",")
		r.s.addRefresh(person, t)
	}
	r.call.Team, r.call.User = c.w.id, c.user
	return o, nil
}

func (s *Server) addRefresh(o object, t *token) {
	if t.expires.IsZero() {
		return
	}
	text := "xox" + "e-1-fake-" + secretText(12)
	s.refresh[text] = t
	o["refresh_token"], o["expires_in"] = text, int(t.expires.Sub(s.opt.Now()).Seconds())
}

// refreshToken trades a refresh token for a new pair. The old access token works until it expires, the old refresh token until the new
// access token is used: so who lost the answer can ask again.
func (r *request) refreshToken() (object, error) {
	if err := r.checkClient(); err != nil {
		return nil, err
	}
	old := r.s.refresh[r.arg("refresh_token")]
	if old == nil || old.revoked != "" {
		return nil, refuse("invalid_refresh_token")
	}
	t := *old
	t.before = r.arg("refresh_token")
	t.text, t.expires = r.s.newTokenText(old.kind, true), r.s.opt.Now().Add(tokenLife)
	r.s.tokens[t.text] = &t
	o := object{"app_id": r.s.app.AppID, "access_token": t.text, "token_type": string(t.kind), "scope": strings.Join(t.scopes, ","),
		"team": nil, "enterprise": nil, "is_enterprise_install": t.team == ""}
	if w := r.s.workspace(t.team); w != nil {
		o["team"] = object{"id": w.id, "name": w.name}
	}
	if t.enterprise != "" {
		o["enterprise"] = object{"id": t.enterprise, "name": r.s.enterprises[t.enterprise]}
	}
	if t.kind == kindBot {
		o["bot_user_id"] = t.user
		for _, w := range r.s.workspaces {
			if w.install != nil && w.install.botUser == t.user {
				w.install.token = &t
			}
		}
	} else {
		o["user_id"] = t.user
	}
	r.s.addRefresh(o, &t)
	return o, nil
}

// authRevoke ends one token. For a bot token the bot user is deactivated and leaves its channels.
func (r *request) authRevoke() (object, error) {
	if r.flag("test") {
		return object{"revoked": false}, nil
	}
	tokens := object{"oauth": []string{}, "bot": []string{}}
	if r.tok.kind == kindBot {
		tokens["bot"] = []string{r.me()}
	} else {
		tokens["oauth"] = []string{r.me()}
	}
	r.w.emitBare(object{"type": "tokens_revoked", "tokens": tokens})
	r.tok.revoked = "token_revoked"
	if r.tok.kind == kindBot && r.w.install != nil {
		r.w.deactivateBot()
	}
	return object{"revoked": true}, nil
}

// appsUninstall removes the whole app from the workspace.
func (r *request) appsUninstall() (object, error) {
	if err := r.checkClient(); err != nil {
		return nil, err
	}
	r.w.uninstall()
	return nil, nil
}
