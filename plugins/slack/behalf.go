package slack

import (
	"context"
	"slices"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// acting reports whether an action is done on behalf of a person.
func acting(ctx context.Context) bool {
	_, ok := gateway.ActingAs(ctx)
	return ok
}

// callAs is [client.call] with a person's own token. What Slack does not take is exchanged, or the person has to log in again; the
// instance goes on.
func (s *Slack) callAs(ctx context.Context, a gateway.Acting, method string, args args, out any) error {
	err := s.with(a.Token).call(ctx, method, args, out)
	if !badCredentials(err) {
		return err
	}
	next, err := a.Renew(ctx)
	if err != nil {
		return err
	}
	return s.with(next).call(ctx, method, args, out)
}

// echoOfPerson is the name of an act that a person did.
func echoOfPerson(name, user string) string { return name + "@" + user }

// echoesAs adds to the names of an act that is done on behalf of a person those which it has where Slack says who did it.
func echoesAs(ctx context.Context, echoes []string) []string {
	a, ok := gateway.ActingAs(ctx)
	if !ok {
		return echoes
	}
	out := slices.Clone(echoes)
	for _, name := range echoes {
		out = append(out, echoOfPerson(name, a.UserID))
	}
	return out
}

// granted is what oauth.v2.access answers.
type granted struct {
	access
	BotUserID  string `json:"bot_user_id"`
	AppID      string `json:"app_id"`
	Org        bool   `json:"is_enterprise_install"`
	Team       *named `json:"team"`
	Enterprise *named `json:"enterprise"`
	AuthedUser struct {
		access
		ID string `json:"id"`
	} `json:"authed_user"`
}

// trade trades a code for tokens.
func (s *app) trade(ctx context.Context, x gateway.OAuthExchange) (out granted, err error) {
	return out, s.outside(x, "", "").call(ctx, "oauth.v2.access",
		args{"client_id": s.ClientID, "client_secret": s.ClientSecret, "code": x.Code, "redirect_uri": x.RedirectURI}, &out)
}

// token is a person's own token; nil where there is none.
func (a access) token(now time.Time) *gateway.UserToken {
	if a.AccessToken == "" || a.TokenType != "user" {
		return nil
	}
	return &gateway.UserToken{Access: a.AccessToken, Refresh: a.RefreshToken, Scopes: a.known(), Expires: a.expiry(now)}
}

// known are the token's scopes, nil where Slack does not say.
func (a access) known() []string {
	if a.Scope == "" {
		return nil
	}
	return scopes(a.Scope)
}

// logIn learns who somebody is by the token that they give for actions on their behalf
// (https://docs.slack.dev/authentication/installing-with-oauth). It binds the code to the browser by the state alone.
func (s *app) logIn(ctx context.Context, x gateway.OAuthExchange) (gateway.Grant[Config], error) {
	grant := gateway.Grant[Config]{}
	out, err := s.trade(ctx, x)
	if err != nil {
		return grant, err
	}
	token := out.AuthedUser.token(x.Now)
	if out.Team == nil || out.Team.ID == "" || out.AuthedUser.ID == "" || token == nil {
		return grant, gateway.Errorf(gateway.Denied, "slack: oauth.v2.access named nobody")
	}
	grant.PlatformID, grant.Name = out.Team.ID, out.Team.Name
	if out.Enterprise != nil && out.Enterprise.ID != "" && out.Enterprise.ID == x.PlatformID {
		grant.PlatformID = out.Enterprise.ID // the app is installed for all of the person's organisation
	}
	grant.User = gateway.GrantUser{ID: out.AuthedUser.ID, Token: token}
	if slices.Contains(token.Scopes, "users:read") {
		s.person(ctx, x, &grant, token.Access)
	}
	return grant, nil
}

// refreshUser exchanges a person's token (https://docs.slack.dev/authentication/using-token-rotation). A lost answer is asked for again: Slack
// takes the old refresh token until the new token is used.
func (s *app) refreshUser(ctx context.Context, t gateway.TokenCall) (gateway.UserToken, error) {
	client := &client{http: t.HTTP, team: t.PlatformID}
	ask := args{"client_id": s.ClientID, "client_secret": s.ClientSecret, "grant_type": "refresh_token", "refresh_token": t.Refresh}
	var out access
	err := client.call(ctx, "oauth.v2.access", ask, &out)
	if gateway.CodeOf(err) == gateway.Unknown {
		err = client.call(ctx, "oauth.v2.access", ask, &out)
	}
	switch {
	case badCredentials(err):
		return gateway.UserToken{}, gateway.Errorf(gateway.Denied, "exchanging a person's token: %w", err)
	case err != nil: // it says nothing of the person: our own credentials are wrong, Slack is down
		return gateway.UserToken{}, &gateway.Error{Code: gateway.Unavailable, After: gateway.RetryAfter(err), Err: err}
	case out.AccessToken == "" || out.ExpiresIn <= 0:
		return gateway.UserToken{}, gateway.Errorf(gateway.Unavailable, "slack: oauth.v2.access gave no fresh token")
	}
	return gateway.UserToken{Access: out.AccessToken, Refresh: out.RefreshToken, Scopes: out.known(), Expires: out.expiry(t.Now)}, nil
}

// revokeUser ends a person's token.
func (s *app) revokeUser(ctx context.Context, t gateway.TokenCall) error {
	client := &client{http: t.HTTP, team: t.PlatformID, token: t.Access}
	return client.call(ctx, "auth.revoke", nil, nil)
}
