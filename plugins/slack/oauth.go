package slack

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// authorize makes the address of Slack's consent page: to install the app, or to show who one is
// (https://docs.slack.dev/authentication/installing-with-oauth, https://docs.slack.dev/authentication/sign-in-with-slack).
func (s *app) authorize(p gateway.OAuthParams) (string, error) {
	q := url.Values{"client_id": {s.ClientID}, "redirect_uri": {p.RedirectURI}, "state": {p.State}}
	if strings.HasPrefix(p.PlatformID, "T") {
		q.Set("team", p.PlatformID)
	}
	if p.Type == gateway.Login && len(s.UserScopes) > 0 {
		q.Set("user_scope", strings.Join(s.UserScopes, ","))
		return "https://slack.com/oauth/v2/authorize?" + q.Encode(), nil
	}
	if p.Type == gateway.Login {
		scope := "openid profile"
		if p.Email {
			scope += " email"
		}
		q.Set("response_type", "code")
		q.Set("scope", scope)
		q.Set("nonce", nonce(p.Challenge, p.PlatformID)) // comes back in the ID token, and binds it to this browser
		return "https://slack.com/openid/connect/authorize?" + q.Encode(), nil
	}
	q.Set("scope", strings.Join(s.Scopes, ","))
	if len(s.UserScopes) > 0 {
		q.Set("user_scope", strings.Join(s.UserScopes, ","))
	}
	return "https://slack.com/oauth/v2/authorize?" + q.Encode(), nil
}

// outside is a client of no workspace yet.
func (s *app) outside(x gateway.OAuthExchange, team string, token gateway.Secret) *client {
	return &client{http: x.HTTP, team: team, token: token}
}

func (s *app) exchange(ctx context.Context, x gateway.OAuthExchange) (gateway.Grant[Config], error) {
	switch {
	case x.Type == gateway.Login && len(s.UserScopes) > 0:
		return s.logIn(ctx, x)
	case x.Type == gateway.Login:
		return s.signIn(ctx, x)
	}
	grant := gateway.Grant[Config]{}
	out, err := s.trade(ctx, x)
	if err != nil {
		return grant, err
	}
	place := out.Team
	if out.Org {
		place = out.Enterprise
	}
	switch {
	case place == nil || place.ID == "":
		return grant, gateway.Errorf(gateway.Internal, "slack: oauth.v2.access named no workspace")
	case out.AccessToken == "" || out.TokenType != "bot":
		return grant, gateway.Errorf(gateway.Invalid, "slack: the installation gave no bot token: App.Scopes asks for no bot scope")
	}
	grant = gateway.Grant[Config]{
		PlatformID: place.ID, Name: place.Name, User: gateway.GrantUser{ID: out.AuthedUser.ID, Token: out.AuthedUser.token(x.Now)},
		Config: Config{TeamID: place.ID, TeamName: place.Name, BotToken: out.AccessToken, BotUserID: out.BotUserID, AppID: out.AppID},
	}
	grant.Config.Scopes, grant.Config.RefreshToken, grant.Config.ExpiresAt = scopes(out.Scope), out.RefreshToken, out.expiry(x.Now)
	if out.Enterprise != nil {
		grant.Config.EnterpriseID = out.Enterprise.ID
	}
	s.person(ctx, x, &grant, grant.Config.BotToken)
	return grant, nil
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// person asks who installed the app, or logged in. Where Slack does not say, they are taken for no admin, and whoever
// asked for one refuses and undoes the installation.
func (s *app) person(ctx context.Context, x gateway.OAuthExchange, g *gateway.Grant[Config], token gateway.Secret) {
	var out struct {
		User struct {
			Name     string `json:"name"`
			RealName string `json:"real_name"`
			IsAdmin  bool   `json:"is_admin"`
			IsOwner  bool   `json:"is_owner"`
			Deleted  bool   `json:"deleted"`
			Org      struct {
				IsAdmin bool `json:"is_admin"`
				IsOwner bool `json:"is_owner"`
			} `json:"enterprise_user"`
		} `json:"user"`
	}
	if g.User.ID == "" {
		return
	}
	if err := s.outside(x, g.PlatformID, token).call(ctx, "users.info", args{"user": g.User.ID}, &out); err != nil {
		x.Log.WarnContext(ctx, "it is not known who installed the app, or logged in", "team", g.PlatformID, "user", g.User.ID, "error", err)
		return
	}
	g.User.Name = first(out.User.RealName, out.User.Name)
	u := out.User
	g.Admin = (u.IsAdmin || u.IsOwner || u.Org.IsAdmin || u.Org.IsOwner) && !u.Deleted
}

// undo takes a failed installation back. A workspace that had the app already mostly got the same token again, so that neither
// apps.uninstall nor auth.revoke may be called then: the working installation would end with it
// (https://github.com/slackapi/bolt-python/issues/969).
func (s *app) undo(ctx context.Context, x gateway.OAuthExchange, g gateway.Grant[Config], first bool) error {
	if !first {
		return nil
	}
	err := s.outside(x, g.PlatformID, g.Config.BotToken).call(ctx, "apps.uninstall", args{"client_id": s.ClientID, "client_secret": s.ClientSecret}, nil)
	if badCredentials(err) {
		return nil // it is uninstalled
	}
	return err
}

// signIn learns who somebody is by OpenID Connect. The token that comes with it is used once and kept nowhere.
func (s *app) signIn(ctx context.Context, x gateway.OAuthExchange) (gateway.Grant[Config], error) {
	grant := gateway.Grant[Config]{}
	var token struct {
		AccessToken gateway.Secret `json:"access_token"`
		IDToken     gateway.Secret `json:"id_token"`
	}
	err := s.outside(x, "", "").call(ctx, "openid.connect.token",
		args{"client_id": s.ClientID, "client_secret": s.ClientSecret, "code": x.Code, "redirect_uri": x.RedirectURI, "grant_type": "authorization_code"}, &token)
	if err != nil {
		return grant, err
	}
	org, err := checkNonce(token.IDToken.Reveal(), x.Verifier)
	if err != nil {
		return grant, err
	}
	var who struct {
		UserID  string `json:"https://slack.com/user_id"`
		TeamID  string `json:"https://slack.com/team_id"`
		OrgID   string `json:"https://slack.com/enterprise_id"`
		Name    string `json:"name"`
		Email   string `json:"email"`
		Checked bool   `json:"email_verified"`
		Picture string `json:"picture"`
	}
	if err := s.outside(x, "", token.AccessToken).call(ctx, "openid.connect.userInfo", nil, &who); err != nil {
		return grant, err
	}
	if who.UserID == "" || who.TeamID == "" {
		return grant, gateway.Errorf(gateway.Denied, "slack: openid.connect.userInfo named nobody")
	}
	grant.PlatformID = who.TeamID
	if org != "" && org == who.OrgID {
		grant.PlatformID = org // the app is installed for all of the person's organisation
	}
	grant.User = gateway.GrantUser{ID: who.UserID, Name: who.Name, Email: who.Email, EmailVerified: who.Checked}
	if who.Picture != "" {
		if grant.User.Data, err = json.Marshal(map[string]string{"picture": who.Picture}); err != nil {
			return grant, gateway.Errorf(gateway.Internal, "encoding a picture's address: %w", err)
		}
	}
	return grant, nil
}

// nonce is what an ID token has to repeat. A login to an organisation names it there: Slack says the person's workspace, and only the
// beginning of the login knows that the app is installed for all of them.
func nonce(challenge, platform string) string {
	if strings.HasPrefix(platform, "E") {
		return challenge + "." + platform
	}
	return challenge
}

// checkNonce refuses an ID token that was made for another browser's sign-in, and gives the organisation that it was for. The token
// comes from Slack by TLS in answer to our own request, so its signature says nothing more (OpenID Connect Core, 3.1.3.7).
func checkNonce(idToken, verifier string) (org string, err error) {
	parts := strings.Split(idToken, ".")
	var claims struct {
		Nonce string `json:"nonce"`
	}
	if len(parts) != 3 {
		return "", gateway.Errorf(gateway.Denied, "slack: the ID token is none")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return "", gateway.Errorf(gateway.Denied, "slack: the ID token cannot be read")
	}
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	got, org, _ := strings.Cut(claims.Nonce, ".")
	if subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return "", gateway.Errorf(gateway.Denied, "slack: the ID token is of another sign-in")
	}
	return org, nil
}
