package fakediscord

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	codeLife  = 10 * time.Minute
	tokenLife = 604800 * time.Second
)

// token is an OAuth access token of a person.
type token struct {
	text, user string
	scopes     []string
	expires    time.Time
	revoked    bool
	refresh    string
}

func (t *token) has(scope string) bool { return slices.Contains(t.scopes, scope) }

type oauthCode struct {
	user        string
	scopes      []string
	guild       *Guild
	perms       uint64 // for the bot
	redirectURI string
	expires     time.Time
	used        bool
}

// AuthorizeOption changes what the person does on Discord's page.
type AuthorizeOption func(*authorizing)

type authorizing struct {
	deny  bool
	guild string
	perms *uint64
}

// Deny makes the person press Cancel: the redirect carries error=access_denied.
func Deny() AuthorizeOption { return func(a *authorizing) { a.deny = true } }

// InGuild is the guild that the person chooses for the bot.
func InGuild(id string) AuthorizeOption { return func(a *authorizing) { a.guild = id } }

// Grant gives the bot other permissions than the URL asks for, as people may by taking ticks away.
func Grant(perms uint64) AuthorizeOption { return func(a *authorizing) { a.perms = &perms } }

var knownScopes = []string{"applications.commands", "bot", "connections", "email", "guilds", "guilds.join", "guilds.members.read",
	"identify", "openid", "role_connections.write"}

// Authorize plays the person who follows an authorization URL and agrees. It returns the URL, with code and state, to which Discord
// would redirect the browser; it does not follow it. With the scope bot the bot is in the guild from then on. What Discord
// shows as an error page, such as a wrong redirect_uri, is an error here. A missing state is one too: Discord would not
// mind, but an app without it is open to forged installations.
func (s *Server) Authorize(ctx context.Context, authorizeURL, user string, o ...AuthorizeOption) (*url.URL, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var how authorizing
	for _, f := range o {
		f(&how)
	}
	u, err := url.Parse(authorizeURL)
	if err != nil {
		return nil, fmt.Errorf("fakediscord: authorize: %w", err)
	}
	if !s.net.Reaches(u) && !strings.HasPrefix(authorizeURL, s.URL()+"/") {
		return nil, notAllowed("%s is not a page of Discord", u.Redacted())
	}
	q := u.Query()
	redirect, err := s.checkAuthorize(u.Path, q)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	back, err := s.agree(q, redirect, user, how)
	s.mu.Unlock()
	s.settle()
	return back, err
}

// checkAuthorize is what Discord's page checks before it shows anything.
func (s *Server) checkAuthorize(path string, q url.Values) (*url.URL, error) {
	switch {
	case path != "/oauth2/authorize" && path != "/api/oauth2/authorize":
		return nil, notAllowed("no page %s", path)
	case q.Get("client_id") != s.app.ClientID:
		return nil, notAllowed("unknown application")
	case q.Get("response_type") != "code":
		return nil, notAllowed("unsupported response_type %q", q.Get("response_type"))
	case q.Get("state") == "":
		return nil, notAllowed("the authorization URL has no state")
	case len(strings.Fields(q.Get("scope"))) == 0:
		return nil, notAllowed("no scope")
	}
	for _, scope := range strings.Fields(q.Get("scope")) {
		if !slices.Contains(knownScopes, scope) {
			return nil, notAllowed("invalid scope %q", scope)
		}
	}
	if p := q.Get("permissions"); p != "" {
		if _, err := strconv.ParseUint(p, 10, 64); err != nil {
			return nil, notAllowed("permissions %q are no number", p)
		}
	}
	uri := q.Get("redirect_uri")
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || len(s.opt.RedirectURLs) > 0 && !slices.Contains(s.opt.RedirectURLs, uri) {
		return nil, notAllowed("invalid redirect_uri %q", uri)
	}
	return u, nil
}

func (s *Server) agree(q url.Values, redirect *url.URL, user string, how authorizing) (*url.URL, error) {
	if u := s.users[user]; u == nil || u.bot {
		return nil, notAllowed("nobody with the ID %s", user)
	}
	back := redirect.Query()
	back.Set("state", q.Get("state"))
	defer func() { redirect.RawQuery = back.Encode() }()
	if how.deny {
		back.Set("error", "access_denied")
		back.Set("error_description", "The resource owner or authorization server denied the request")
		return redirect, nil
	}
	code := &oauthCode{user: user, scopes: strings.Fields(q.Get("scope")), redirectURI: q.Get("redirect_uri"), expires: s.opt.Now().Add(codeLife)}
	if slices.Contains(code.scopes, "bot") {
		perms, err := s.choose(q, code, how)
		if err != nil {
			return nil, err
		}
		back.Set("guild_id", code.guild.id)
		back.Set("permissions", bits(perms))
	}
	text := "fake-code-" + secretText(15)
	s.codes[text] = code
	back.Set("code", text)
	data := object{"user": s.users[user].show(), "scopes": code.scopes}
	if code.guild != nil {
		data["integration_type"], data["guild"] = 0, code.guild.show()
	}
	s.webhookEvent("APPLICATION_AUTHORIZED", code.guild, data)
	return redirect, nil
}

// choose adds the bot to the guild that the URL names or the person picks.
func (s *Server) choose(q url.Values, code *oauthCode, how authorizing) (uint64, error) {
	id := orElse(how.guild, q.Get("guild_id"))
	if q.Get("disable_guild_select") == "true" && q.Get("guild_id") != "" {
		id = q.Get("guild_id")
	}
	g := s.guild(id)
	if g == nil || g.guildPerms(code.user)&PermManageGuild == 0 {
		return 0, notAllowed("%s may not add apps to the guild %q", code.user, id)
	}
	perms, _ := strconv.ParseUint(orElse(q.Get("permissions"), "0"), 10, 64) // checked before
	if how.perms != nil {
		perms = *how.perms
	}
	perms &= g.guildPerms(code.user)
	code.guild, code.perms = g, perms
	if !s.opt.RequireCodeGrant {
		s.addBot(code)
	}
	return perms, nil
}

// addBot makes the bot a member of the guild that was chosen. Where it is one already, its permissions change.
func (s *Server) addBot(code *oauthCode) {
	g := code.guild
	again := g.bot
	g.install(code.perms)
	if !again {
		g.log(auditEntry{action: AuditBotAdd, user: code.user, target: s.app.BotUser})
		s.joined(g)
	}
}

// oauthRefusal is an error in OAuth's own form.
func oauthRefusal(status int, code, text string) error {
	raw := object{"error": code}
	if text != "" {
		raw["error_description"] = text
	}
	return &apiError{status: status, message: code + ": " + text, raw: raw}
}

// oauthForm reads the form and checks the app's credentials, given by HTTP Basic or as arguments.
func (r *request) oauthForm() (url.Values, error) {
	if ct := r.http.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/x-www-form-urlencoded") {
		return nil, oauthRefusal(http.StatusBadRequest, "invalid_request", "The form has to be application/x-www-form-urlencoded.")
	}
	form, err := url.ParseQuery(string(r.body))
	if err != nil {
		return nil, oauthRefusal(http.StatusBadRequest, "invalid_request", "")
	}
	id, secret, basic := r.http.BasicAuth()
	if !basic {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	if id != r.s.app.ClientID || subtle.ConstantTimeCompare([]byte(secret), []byte(r.s.app.ClientSecret)) != 1 {
		return nil, oauthRefusal(http.StatusUnauthorized, "invalid_client", "")
	}
	r.call.Token = "client"
	return form, nil
}

func (r *request) oauthToken() (any, error) {
	form, err := r.oauthForm()
	if err != nil {
		return nil, err
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		return r.exchange(form)
	case "refresh_token":
		return r.refreshToken(form)
	}
	return nil, oauthRefusal(http.StatusBadRequest, "unsupported_grant_type", "Grant type None is not supported")
}

// exchange takes a code, once.
func (r *request) exchange(form url.Values) (any, error) {
	c := r.s.codes[form.Get("code")]
	if c == nil || c.used || !r.s.opt.Now().Before(c.expires) {
		return nil, oauthRefusal(http.StatusBadRequest, "invalid_grant", `Invalid "code" in request.`)
	}
	if form.Get("redirect_uri") != c.redirectURI {
		return nil, oauthRefusal(http.StatusBadRequest, "invalid_grant", `Invalid "redirect_uri" in request.`)
	}
	c.used = true
	r.call.User = c.user
	o := r.s.newToken(c.user, c.scopes).show(r.s)
	if c.guild != nil {
		if r.s.opt.RequireCodeGrant {
			r.s.addBot(c)
		}
		o["guild"] = c.guild.show()
	}
	return o, nil
}

// newToken makes an access token with its refresh token. The caller holds s.mu.
func (s *Server) newToken(user string, scopes []string) *token {
	t := &token{text: "fake-access-" + secretText(15), refresh: "fake-refresh-" + secretText(15), user: user, scopes: scopes,
		expires: s.opt.Now().Add(tokenLife)}
	s.tokens[t.text], s.refresh[t.refresh] = t, t
	return t
}

func (t *token) show(s *Server) object {
	return object{"token_type": "Bearer", "access_token": t.text, "expires_in": int(t.expires.Sub(s.opt.Now()).Seconds()),
		"refresh_token": t.refresh, "scope": strings.Join(t.scopes, " ")}
}

// refreshToken trades a refresh token for a new pair. The refresh token works once.
func (r *request) refreshToken(form url.Values) (any, error) {
	old := r.s.refresh[form.Get("refresh_token")]
	if old == nil || old.revoked {
		return nil, oauthRefusal(http.StatusBadRequest, "invalid_grant", `Invalid "refresh_token" in request.`)
	}
	delete(r.s.refresh, old.refresh)
	r.call.User = old.user
	return r.s.newToken(old.user, old.scopes).show(r.s), nil
}

// oauthRevoke ends a person's whole authorization, whichever of its tokens is given.
func (r *request) oauthRevoke() (any, error) {
	form, err := r.oauthForm()
	if err != nil {
		return nil, err
	}
	text := form.Get("token")
	t := r.s.tokens[text]
	if t == nil {
		t = r.s.refresh[text]
	}
	if t != nil {
		r.s.revoke(t.user)
	}
	return object{}, nil
}

// revoke ends all tokens of somebody. The caller holds s.mu.
func (s *Server) revoke(user string) {
	for _, t := range s.tokens {
		if t.user == user {
			t.revoked = true
		}
	}
	for _, t := range s.refresh {
		if t.user == user {
			t.revoked = true
		}
	}
}

// Deauthorize is a person who removes the app in their settings: their tokens end, and the app is told.
func (s *Server) Deauthorize(user string) {
	s.mu.Lock()
	s.revoke(user)
	s.webhookEvent("APPLICATION_DEAUTHORIZED", nil, object{"user": s.showUser(user)})
	s.mu.Unlock()
	s.settle()
}

// ExpireToken ends an access token at once; its refresh token still works.
func (s *Server) ExpireToken(access string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[access]; t != nil {
		t.expires = s.opt.Now()
	}
}

// currentAuthorization is /oauth2/@me.
func (r *request) currentAuthorization() (any, error) {
	app := r.s.showApplication()
	o := object{"application": app, "scopes": r.tok.scopes, "expires": iso(r.tok.expires)}
	if r.tok.has("identify") {
		o["user"] = r.s.showUser(r.tok.user)
	}
	return o, nil
}
