package slack

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// How rotating tokens are kept fresh (https://docs.slack.dev/authentication/using-token-rotation): they live for twelve hours.
const (
	refreshBefore = 2 * time.Hour    // so long before a token's end it is exchanged
	refreshPause  = time.Minute      // after a refresh that failed, while the old token still works
	refreshPoll   = 30 * time.Minute // an instance that nobody asks anything is looked at so often
)

// credentials are what one value of the plugin calls Slack with. They may be younger than its configuration: another goroutine
// or node may have exchanged them.
type credentials struct {
	mu     sync.Mutex
	config Config    // only its token, refresh token and time of expiry are used
	paused time.Time // until then no refresh is tried, unless the token has expired
}

func (c *credentials) get() (Config, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config, c.paused
}

func (c *credentials) set(config Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config, c.paused = config, time.Time{}
}

// expires is when the bot token stops working; the zero time where tokens do not rotate.
func (s *Slack) expires() time.Time {
	c, _ := s.tokens.get()
	return c.ExpiresAt
}

func (c *credentials) pause(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = until
}

// with is a client that calls Slack with one token.
func (s *Slack) with(token gateway.Secret) *client {
	return &client{http: s.HTTP, team: s.config.TeamID, token: token}
}

// call is [client.call] with the bot's token, a fresh one where tokens rotate; or, in an action on behalf of a person, with theirs. A token that Slack does not take any more pauses the
// instance: nothing can work until somebody installs the app again.
func (s *Slack) call(ctx context.Context, method string, args args, out any) error {
	if a, ok := gateway.ActingAs(ctx); ok {
		return s.callAs(ctx, a, method, args, out)
	}
	token, err := s.token(ctx)
	if err == nil {
		err = s.with(token).call(ctx, method, args, out)
	} else {
		c, _ := s.tokens.get()
		token = c.BotToken
	}
	if badCredentials(err) {
		// Somebody may have exchanged the token, or installed the app again, since this value was made.
		next, e := s.newer(ctx, token, refusedAs(err, "token_expired"))
		switch {
		case e != nil:
			err = e
		case next != "":
			err = s.with(next).call(ctx, method, args, out)
		}
	}
	if badCredentials(err) {
		s.Log.WarnContext(ctx, "Slack does not take the bot token any more; the instance is paused until the app is installed again", "method", method, "error", err)
		// The core passes over it where the configuration has changed since: the token that was refused is then not the present one.
		err = errors.Join(err, s.Pause(context.WithoutCancel(ctx), gateway.BadCredentials))
	}
	return err
}

// token is the one to call with. It is exchanged before it ends; while that fails and the old one works, the old one is used.
func (s *Slack) token(ctx context.Context) (gateway.Secret, error) {
	c, paused := s.tokens.get()
	now := s.Now()
	if c.RefreshToken == "" || s.app.ClientID == "" || now.Before(c.ExpiresAt.Add(-refreshBefore)) || now.Before(c.ExpiresAt) && now.Before(paused) {
		return c.BotToken, nil
	}
	token, err := s.refresh(ctx, c.BotToken)
	if err != nil && now.Before(c.ExpiresAt) && !badCredentials(err) {
		s.tokens.pause(now.Add(refreshPause))
		s.Log.WarnContext(ctx, "the bot token could not be exchanged for a fresh one; it works until it expires", "expires", c.ExpiresAt, "error", err)
		return c.BotToken, nil
	}
	return token, err
}

// keepFresh is the poll that exchanges the token of an instance that nobody asks anything.
func (s *Slack) keepFresh(ctx context.Context) error {
	_, err := s.token(ctx)
	if badCredentials(err) {
		s.Log.WarnContext(ctx, "Slack does not take the refresh token; the instance is paused until the app is installed again", "error", err)
		return s.Pause(ctx, gateway.BadCredentials)
	}
	return err
}

// newer finds the token that came after one that Slack refused: the stored one, or for an expired one a fresh one. "" if there is none.
func (s *Slack) newer(ctx context.Context, refused gateway.Secret, expired bool) (gateway.Secret, error) {
	c, err := s.stored(ctx)
	if err != nil {
		return "", err
	}
	if c.BotToken != refused {
		s.tokens.set(c)
		return c.BotToken, nil
	}
	if expired && c.RefreshToken != "" && s.app.ClientID != "" {
		return s.refresh(ctx, refused)
	}
	return "", nil
}

// exchangeKey is where a context carries an *exchanging to [app.configure].
type exchangeKey struct{}

// exchanging asks [app.configure] for nothing but the exchange of a token that is still the stored one. That hook is the only place
// that gets the configuration as it is stored now, with its secrets.
type exchanging struct {
	token gateway.Secret // to be exchanged; "": only show what is stored
	got   Config
}

// errShown ends a change of the configuration that is none.
var errShown = errors.New("slack: the configuration stays as it is")

// stored is the configuration as it is kept now.
func (s *Slack) stored(ctx context.Context) (Config, error) { return s.exchangeToken(ctx, "") }

// refresh exchanges a token, once for all goroutines and nodes that want it: who comes later finds it done.
func (s *Slack) refresh(ctx context.Context, token gateway.Secret) (gateway.Secret, error) {
	var c Config
	err := s.Exclusive(ctx, "token", func(ctx context.Context) (err error) {
		c, err = s.exchangeToken(ctx, token)
		return err
	})
	if err != nil {
		return "", err
	}
	s.tokens.set(c)
	return c.BotToken, nil
}

func (s *Slack) exchangeToken(ctx context.Context, token gateway.Secret) (Config, error) {
	x := &exchanging{token: token}
	err := s.Reconfigure(context.WithValue(ctx, exchangeKey{}, x), s.config)
	if errors.Is(err, errShown) {
		err = nil
	}
	return x.got, err
}

// exchangeStored is the part of [app.configure] that a refresh asks for. The new token is not tried out before it is kept: Slack takes the
// old refresh token until then. That is observed (https://github.com/slackapi/node-slack-sdk/issues/2504: one refresh token, two answers) and
// not documented; should it not hold, a lost answer pauses the instance until the app is installed again.
func (s *app) exchangeStored(ctx context.Context, inst *gateway.Instance, x *exchanging, old, c *Config) error {
	if old == nil {
		return gateway.Errorf(gateway.Internal, "slack: there is no configuration whose token could be exchanged")
	}
	*c, x.got = *old, *old
	if x.token == "" || old.BotToken != x.token {
		return errShown
	}
	client := &client{http: inst.HTTP, team: old.TeamID}
	ask := args{"client_id": s.ClientID, "client_secret": s.ClientSecret, "grant_type": "refresh_token", "refresh_token": old.RefreshToken}
	var out access
	err := client.call(ctx, "oauth.v2.access", ask, &out)
	if gateway.CodeOf(err) == gateway.Unknown {
		err = client.call(ctx, "oauth.v2.access", ask, &out)
	}
	switch {
	case gateway.CodeOf(err) == gateway.Unknown: // what the token was wanted for was not done
		return gateway.Errorf(gateway.Unavailable, "exchanging the bot token: %w", err)
	case err != nil:
		return err
	case out.AccessToken == "" || out.RefreshToken == "" || out.ExpiresIn <= 0:
		return gateway.Errorf(gateway.Unavailable, "slack: oauth.v2.access gave no fresh token")
	}
	c.BotToken, c.RefreshToken, c.ExpiresAt = out.AccessToken, out.RefreshToken, out.expiry(inst.Now())
	if out.Scope != "" {
		c.Scopes = scopes(out.Scope)
	}
	x.got = *c
	return nil
}

// access is what oauth.v2.access says of a bot token.
type access struct {
	AccessToken  gateway.Secret `json:"access_token"`
	TokenType    string         `json:"token_type"`
	Scope        string         `json:"scope"`
	RefreshToken gateway.Secret `json:"refresh_token"`
	ExpiresIn    int64          `json:"expires_in"` // seconds; 0: it does not expire
}

func (a access) expiry(now time.Time) time.Time {
	if a.ExpiresIn <= 0 || a.ExpiresIn > 1<<30 {
		return time.Time{}
	}
	return now.Add(time.Duration(a.ExpiresIn) * time.Second).UTC()
}

// scopes reads a list with commas.
func scopes(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// granted is what the catalogue compares with what an action needs. Slack has for some methods one scope for public and another for
// private channels; either will do, and an action says so by naming both with "|" between.
func (s *Slack) granted() []string {
	c, _ := s.tokens.get()
	if len(c.Scopes) == 0 {
		return nil
	}
	out := slices.Clone(c.Scopes)
	for _, either := range eitherScopes {
		if slices.ContainsFunc(strings.Split(either, "|"), func(one string) bool { return slices.Contains(c.Scopes, one) }) {
			out = append(out, either)
		}
	}
	return out
}

// configure asks Slack whose token it is, and refuses that of another workspace.
func (s *app) configure(ctx context.Context, inst *gateway.Instance, old, c *Config) error {
	if x, ok := ctx.Value(exchangeKey{}).(*exchanging); ok {
		return s.exchangeStored(ctx, inst, x, old, c)
	}
	client := &client{http: inst.HTTP, team: c.TeamID, token: c.BotToken}
	who, err := client.whoami(ctx)
	if err != nil {
		return err
	}
	team := who.TeamID
	if who.IsEnterpriseInstall {
		team = who.EnterpriseID
	}
	switch {
	case team == "" || who.UserID == "":
		return gateway.Errorf(gateway.Internal, "slack: auth.test named no workspace")
	case c.TeamID != "" && c.TeamID != team:
		return gateway.Errorf(gateway.Invalid, "slack: the bot token is of workspace %s, not of %s", team, c.TeamID)
	case who.BotID == "":
		return gateway.Errorf(gateway.Invalid, "slack: the token is a person's, not the bot's")
	}
	c.TeamID, c.TeamName, c.EnterpriseID, c.BotUserID, c.BotID = team, who.Team, who.EnterpriseID, who.UserID, who.BotID
	if who.IsEnterpriseInstall && old == nil && c.TeamName == "" {
		c.TeamName = who.EnterpriseID
	}
	if client.scopes != "" {
		c.Scopes = scopes(client.scopes)
	}
	return nil
}
