package fakediscord_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

func (w *world) exchange(code string) answer {
	w.t.Helper()
	return w.token(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}})
}

func TestInstall(t *testing.T) {
	w := newWorld(t, fakediscord.Options{RedirectURLs: []string{redirect}})
	g := w.AddGuild("2001", "Elsewhere", alice)
	g.AddMember(bob)
	e := w.listen(everything)
	back := login(t, w, "bot applications.commands identify guilds", alice, fakediscord.InGuild("2001"))
	require.Equal(t, "2001", back.Get("guild_id"))
	require.Equal(t, "1099511627782", back.Get("permissions"))
	require.Equal(t, "s", back.Get("state"))
	require.True(t, g.HasBot())
	require.Equal(t, "2001", e.last(t, "GUILD_CREATE")["id"])
	got := w.app.all()
	event := got[len(got)-1]["event"].(map[string]any)
	require.Equal(t, "APPLICATION_AUTHORIZED", event["type"])

	a := w.exchange(back.Get("code"))
	require.Equal(t, 200, a.status, string(a.raw))
	tok := a.object(t)
	require.Equal(t, "Bearer", tok["token_type"])
	require.EqualValues(t, 604800, tok["expires_in"])
	require.Equal(t, "bot applications.commands identify guilds", tok["scope"])
	require.Equal(t, "2001", tok["guild"].(map[string]any)["id"])
	a = w.exchange(back.Get("code"))
	require.Equal(t, 400, a.status)
	require.Equal(t, "invalid_grant", a.object(t)["error"], "a code works once")

	auth := "Bearer " + tok["access_token"].(string)
	me := w.as(auth, "GET", "/users/@me", "").object(t)
	require.Equal(t, alice, me["id"])
	require.NotContains(t, me, "email")
	require.Len(t, w.as(auth, "GET", "/users/@me/guilds", "").list(t), 2)
	require.Equal(t, 401, w.as(auth, "GET", "/users/@me/guilds/2001/member", "").status)
	require.Equal(t, 401, w.as(auth, "GET", "/guilds/2001", "").status, "it is not the bot's")
	require.Equal(t, 401, w.as("Bearer wrong", "GET", "/users/@me", "").status)

	_, err := w.Authorize(w.ctx, authorizeURL(w, "bot"), bob, fakediscord.InGuild("2001"))
	require.ErrorIs(t, err, fakediscord.ErrRefused, "who may not manage the guild")
	_, err = w.Authorize(w.ctx, authorizeURL(w, "bot"), alice)
	require.ErrorIs(t, err, fakediscord.ErrRefused, "no guild is chosen")
	u, err := w.Authorize(w.ctx, authorizeURL(w, "bot")+"&guild_id=2001&disable_guild_select=true", alice, fakediscord.InGuild(guildID), fakediscord.Grant(2))
	require.NoError(t, err)
	require.Equal(t, "2001", u.Query().Get("guild_id"))
	require.Equal(t, "2", u.Query().Get("permissions"))
}

func TestCodeGrant(t *testing.T) {
	w := newWorld(t, fakediscord.Options{RequireCodeGrant: true})
	g := w.AddGuild("2001", "Elsewhere", alice)
	back := login(t, w, "bot identify", alice, fakediscord.InGuild("2001"))
	require.False(t, g.HasBot())
	require.Equal(t, 200, w.exchange(back.Get("code")).status)
	require.True(t, g.HasBot())
}

func TestLogin(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	back := login(t, w, "identify email", owner)
	tok := w.exchange(back.Get("code")).object(t)
	auth := "Bearer " + tok["access_token"].(string)
	me := w.as(auth, "GET", "/users/@me", "").object(t)
	require.Equal(t, "olga@example.org", me["email"])
	require.Equal(t, true, me["verified"])
	require.Equal(t, 401, w.as(auth, "GET", "/users/@me/guilds", "").status)

	refresh := func(text string) answer {
		return w.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}})
	}
	w.ExpireToken(tok["access_token"].(string))
	require.Equal(t, 401, w.as(auth, "GET", "/users/@me", "").status)
	a := refresh(tok["refresh_token"].(string))
	require.Equal(t, 200, a.status)
	next := a.object(t)
	require.Equal(t, 400, refresh(tok["refresh_token"].(string)).status, "it works once")
	auth = "Bearer " + next["access_token"].(string)
	require.Equal(t, 200, w.as(auth, "GET", "/oauth2/@me", "").status)
	w.clock.Add(7 * 24 * time.Hour)
	require.Equal(t, 401, w.as(auth, "GET", "/oauth2/@me", "").status)
	next = refresh(next["refresh_token"].(string)).object(t)
	w.Deauthorize(owner)
	require.Equal(t, 401, w.as("Bearer "+next["access_token"].(string), "GET", "/oauth2/@me", "").status)
	require.Equal(t, "invalid_grant", refresh(next["refresh_token"].(string)).object(t)["error"])
	require.Len(t, w.DeliveriesOf("APPLICATION_DEAUTHORIZED"), 1)
}

func TestRevoke(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	tok := w.exchange(login(t, w, "identify", alice).Get("code")).object(t)
	revoke := func(secret string) answer {
		form := url.Values{"token": {tok["refresh_token"].(string)}, "token_type_hint": {"refresh_token"}, "client_id": {w.App().ClientID}, "client_secret": {secret}}
		return w.as("", "POST", "/oauth2/token/revoke", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	}
	require.Equal(t, 401, revoke("wrong").status)
	require.Equal(t, 200, w.as("Bearer "+tok["access_token"].(string), "GET", "/users/@me", "").status)
	require.Equal(t, 200, revoke(w.App().ClientSecret).status)
	require.Equal(t, 401, w.as("Bearer "+tok["access_token"].(string), "GET", "/users/@me", "").status, "all tokens end together")
}

func TestTokenRefusals(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	code := login(t, w, "identify", alice).Get("code")
	require.Equal(t, "invalid_grant", w.exchange("wrong").object(t)["error"])
	require.Equal(t, "unsupported_grant_type", w.token(url.Values{"grant_type": {"magic"}}).object(t)["error"])
	a := w.token(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://elsewhere.example"}})
	require.Equal(t, "invalid_grant", a.object(t)["error"])
	a = w.as("", "POST", "/oauth2/token", `{"grant_type":"authorization_code"}`)
	require.Equal(t, 400, a.status)
	a = w.as("", "POST", "/oauth2/token", "grant_type=authorization_code&client_id=1&client_secret=2", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, 401, a.status)
	require.Equal(t, "invalid_client", a.object(t)["error"])
	w.clock.Add(11 * time.Minute)
	require.Equal(t, "invalid_grant", w.exchange(code).object(t)["error"], "too late")
}

func TestAuthorizeRefusals(t *testing.T) {
	w := newWorld(t, fakediscord.Options{RedirectURLs: []string{redirect}})
	good := authorizeURL(w, "identify")
	_, err := w.Authorize(w.ctx, good, alice)
	require.NoError(t, err)
	change := func(key, value string) string {
		u, err := url.Parse(good)
		require.NoError(t, err)
		q := u.Query()
		q.Set(key, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	for what, u := range map[string]string{
		"another site": "https://example.org/oauth2/authorize", "another page": "https://discord.com/login", "client": change("client_id", "5"),
		"type": change("response_type", "token"), "state": change("state", ""), "scope": change("scope", "everything"), "no scope": change("scope", ""),
		"redirect": change("redirect_uri", redirect+"/more"), "permissions": change("permissions", "{all}"),
	} {
		_, err := w.Authorize(w.ctx, u, alice)
		require.ErrorIs(t, err, fakediscord.ErrRefused, what)
	}
	_, err = w.Authorize(w.ctx, good, "5555")
	require.ErrorIs(t, err, fakediscord.ErrRefused)
	back := login(t, w, "identify", alice, fakediscord.Deny())
	require.Equal(t, "access_denied", back.Get("error"))
	require.Empty(t, back.Get("code"))
}
