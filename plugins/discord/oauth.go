package discord

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// authorize makes the address of Discord's consent page: to add the bot to a guild, or to show who one is
// (https://docs.discord.com/developers/topics/oauth2, checked 2026-11). Whoever installs chooses the guild there, if it is not known already.
func (a *app) authorize(p gateway.OAuthParams) (string, error) {
	q := url.Values{
		"client_id": {a.ApplicationID}, "redirect_uri": {p.RedirectURI}, "state": {p.State}, "response_type": {"code"},
		"code_challenge": {p.Challenge}, "code_challenge_method": {"S256"},
	}
	if p.Type == gateway.Login {
		scopes := append([]string{"identify", "guilds"}, a.UserScopes...)
		if p.Email {
			scopes = append(scopes, "email")
		}
		q.Set("scope", strings.Join(scopes, " "))
		return "https://discord.com/oauth2/authorize?" + q.Encode(), nil
	}
	set, err := bits(a.Permissions)
	if err != nil {
		return "", err
	}
	q.Set("scope", "bot applications.commands identify guilds")
	q.Set("permissions", strconv.FormatUint(set, 10))
	q.Set("integration_type", "0") // into a guild, not to an account
	if p.PlatformID != "" {
		q.Set("guild_id", p.PlatformID)
		q.Set("disable_guild_select", "true")
	}
	return "https://discord.com/oauth2/authorize?" + q.Encode(), nil
}

// access is what the token route answers.
type access struct {
	AccessToken  gateway.Secret `json:"access_token"`
	RefreshToken gateway.Secret `json:"refresh_token"`
	ExpiresIn    int64          `json:"expires_in"` // seconds
	Scope        string         `json:"scope"`
	Guild        *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"guild"`
}

func (t access) expiry(now time.Time) time.Time {
	if t.ExpiresIn <= 0 || t.ExpiresIn > 1<<31 {
		return time.Time{}
	}
	return now.Add(time.Duration(t.ExpiresIn) * time.Second).UTC()
}

func (t access) token(now time.Time) gateway.UserToken {
	return gateway.UserToken{Access: t.AccessToken, Refresh: t.RefreshToken, Scopes: strings.Fields(t.Scope), Expires: t.expiry(now)}
}

// outside is a client of a person, or, without a token, of the app itself.
func (a *app) outside(h *http.Client, now time.Time, token gateway.Secret) *client {
	c := &client{http: h, limits: &a.limits, now: func() time.Time { return now }}
	if token != "" {
		c.auth = "Bearer " + token.Reveal()
	}
	return c
}

// credentials are the app's own, for the token routes.
func (a *app) credentials() *[2]string { return &[2]string{a.ApplicationID, a.ClientSecret.Reveal()} }

func (a *app) exchange(ctx context.Context, x gateway.OAuthExchange) (gateway.Grant[Config], error) {
	grant := gateway.Grant[Config]{}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {x.Code}, "redirect_uri": {x.RedirectURI}, "code_verifier": {x.Verifier}}
	var t access
	q := call{method: http.MethodPost, path: "/oauth2/token", form: form.Encode(), basic: a.credentials(), once: true}
	if err := a.outside(x.HTTP, x.Now, "").call(ctx, q, &t); err != nil {
		return grant, codeRefused(err)
	}
	if t.AccessToken == "" {
		return grant, gateway.Errorf(gateway.Denied, "discord: the token route gave no token")
	}
	if x.Type == gateway.Login {
		return a.logIn(ctx, x, t)
	}
	defer a.drop(ctx, x, t) // it was for asking who installs, and nothing else
	if t.Guild == nil || t.Guild.ID == "" {
		return grant, gateway.Errorf(gateway.Denied, "discord: the bot was added to no server")
	}
	grant = gateway.Grant[Config]{PlatformID: t.Guild.ID, Name: t.Guild.Name, Config: Config{GuildID: t.Guild.ID, GuildName: t.Guild.Name}}
	api := a.outside(x.HTTP, x.Now, t.AccessToken)
	if err := a.person(ctx, api, &grant); err != nil {
		return grant, err
	}
	mine, err := a.guildsOf(ctx, api)
	if err != nil { // they are taken for no admin, and whoever asked for one refuses
		x.Log.WarnContext(ctx, "it is not known whether who installed the app is an admin", "guild", t.Guild.ID, "error", err)
	}
	grant.Admin = mine[t.Guild.ID]
	return grant, nil
}

// codeRefused is the error of a code that Discord does not take: nothing was given, and asking again does not help.
func codeRefused(err error) error {
	if final(err) || badCredentials(err) {
		return gateway.Errorf(gateway.Denied, "discord did not take the code: %w", err)
	}
	return err
}

// person asks who somebody is. Discord says an address only with the scope email, and whether it is verified.
func (a *app) person(ctx context.Context, api *client, g *gateway.Grant[Config]) error {
	var me struct {
		User
		Email    string `json:"email"`
		Verified bool   `json:"verified"`
		Avatar   string `json:"avatar"`
	}
	if err := api.call(ctx, call{path: "/users/@me"}, &me); err != nil {
		return err
	}
	if me.ID == "" {
		return gateway.Errorf(gateway.Denied, "discord: the token is nobody's")
	}
	g.User = gateway.GrantUser{ID: me.ID, Name: orElse(me.GlobalName, me.Username), Email: me.Email, EmailVerified: me.Verified && me.Email != ""}
	raw, err := json.Marshal(map[string]string{"username": me.Username, "avatar": me.Avatar})
	if err != nil {
		return gateway.Errorf(gateway.Internal, "encoding an account: %w", err)
	}
	g.User.Data = raw
	return nil
}

// maxGuildPages bounds the reading of somebody's guilds, 200 each: Discord lets nobody into more than 200.
const maxGuildPages = 3

// guildsOf lists the guilds that somebody is in, and whether they administer them.
func (a *app) guildsOf(ctx context.Context, api *client) (map[string]bool, error) {
	const limit = 200
	out, after := map[string]bool{}, ""
	for range maxGuildPages {
		q := url.Values{"limit": {itoa(limit)}}
		if after != "" {
			q.Set("after", after)
		}
		var page []struct {
			ID          string `json:"id"`
			Owner       bool   `json:"owner"`
			Permissions string `json:"permissions"`
		}
		if err := api.call(ctx, call{path: "/users/@me/guilds", query: q}, &page); err != nil {
			return nil, err
		}
		for _, g := range page {
			set, _ := strconv.ParseUint(g.Permissions, 10, 64) // none that we can read: no admin
			const manage = 1<<3 | 1<<5                         // ADMINISTRATOR, MANAGE_GUILD
			out[g.ID] = g.Owner || set&manage != 0
			after = g.ID
		}
		if len(page) < limit {
			break
		}
	}
	return out, nil
}

// logIn learns who somebody is, and looks whether they are in the guild that is meant. Where nobody said which, and they are in several, Discord
// cannot tell: the driver asks them first, and names the community and the instance.
func (a *app) logIn(ctx context.Context, x gateway.OAuthExchange, t access) (gateway.Grant[Config], error) {
	grant := gateway.Grant[Config]{}
	api := a.outside(x.HTTP, x.Now, t.AccessToken)
	refuse := func(err error) (gateway.Grant[Config], error) {
		a.drop(ctx, x, t)
		return gateway.Grant[Config]{}, err
	}
	if err := a.person(ctx, api, &grant); err != nil {
		return refuse(err)
	}
	mine, err := a.guildsOf(ctx, api)
	if err != nil {
		return refuse(err)
	}
	grant.PlatformID = x.PlatformID
	if grant.PlatformID == "" && len(mine) == 1 {
		for id := range mine {
			grant.PlatformID = id
		}
	}
	admin, member := mine[grant.PlatformID]
	switch {
	case grant.PlatformID == "":
		return refuse(gateway.Errorf(gateway.Conflict, "discord: the account is in %d servers; say which community is meant", len(mine)))
	case !member:
		return refuse(gateway.Errorf(gateway.Denied, "discord: the account is not in server %s", grant.PlatformID))
	}
	grant.Admin = admin
	if len(a.UserScopes) == 0 {
		a.drop(ctx, x, t)
		return grant, nil
	}
	token := t.token(x.Now)
	grant.User.Token = &token
	return grant, nil
}

// drop ends a token that is not kept. Where tokens of people are kept it does not: Discord ends with one all that somebody has given the app
// (https://docs.discord.com/developers/topics/oauth2#authorization-code-grant-token-revocation-example).
func (a *app) drop(ctx context.Context, x gateway.OAuthExchange, t access) {
	if len(a.UserScopes) > 0 {
		return
	}
	if err := a.revoke(ctx, a.outside(x.HTTP, x.Now, ""), t.AccessToken); err != nil {
		x.Log.WarnContext(ctx, "a token that is not kept could not be revoked; it expires by itself", "error", err)
	}
}

func (a *app) revoke(ctx context.Context, api *client, token gateway.Secret) error {
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {"access_token"}}
	return api.call(ctx, call{method: http.MethodPost, path: "/oauth2/token/revoke", form: form.Encode(), basic: a.credentials()}, nil)
}

// undo takes a failed installation back: the bot leaves. A guild that had it already keeps it, for the same bot works there.
func (a *app) undo(ctx context.Context, x gateway.OAuthExchange, g gateway.Grant[Config], first bool) error {
	if !first {
		return nil
	}
	c := a.outside(x.HTTP, x.Now, "")
	c.auth = "Bot " + a.BotToken.Reveal()
	err := c.call(ctx, call{method: http.MethodDelete, path: path("users", "@me", "guilds", g.PlatformID)}, nil)
	if gone(err) {
		return nil
	}
	return err
}

// refreshUser exchanges a person's token. Discord refuses one that has ended, or was taken back, with invalid_grant; everything else says nothing of it.
func (a *app) refreshUser(ctx context.Context, t gateway.TokenCall) (gateway.UserToken, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh.Reveal()}}
	var out access
	err := a.outside(t.HTTP, t.Now, "").call(ctx, call{method: http.MethodPost, path: "/oauth2/token", form: form.Encode(), basic: a.credentials(), once: true}, &out)
	switch {
	case refusedBecause(err, "invalid_grant"):
		return gateway.UserToken{}, gateway.Errorf(gateway.Denied, "exchanging a person's token: %w", err)
	case err != nil:
		return gateway.UserToken{}, &gateway.Error{Code: gateway.Unavailable, After: gateway.RetryAfter(err), Err: err}
	case out.AccessToken == "" || out.ExpiresIn <= 0:
		return gateway.UserToken{}, gateway.Errorf(gateway.Unavailable, "discord: the token route gave no fresh token")
	}
	if out.RefreshToken == "" {
		out.RefreshToken = t.Refresh // the one that there was goes on (RFC 6749, section 6)
	}
	return out.token(t.Now), nil
}

// revokeUser ends a person's token.
func (a *app) revokeUser(ctx context.Context, t gateway.TokenCall) error {
	return a.revoke(ctx, a.outside(t.HTTP, t.Now, ""), t.Access)
}
