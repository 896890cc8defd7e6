package discourse

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// configure is called when an instance is enabled or changed. It makes sure that a forum answers at the address, and that it takes the key, and completes
// the configuration. The webhook is made by [Discourse.keepWebhook]: here the instance has no URL yet.
func configure(ctx context.Context, inst *gateway.Instance, old, c *Config) error {
	base, err := forumURL(c.URL)
	if err != nil {
		return err
	}
	c.URL = base
	for _, key := range []*gateway.Secret{&c.APIKey, &c.UserAPIKey} {
		*key = gateway.Secret(strings.TrimSpace(key.Reveal())) // it was copied from a page
	}
	if c.APIKey != "" && c.UserAPIKey != "" {
		return gateway.Errorf(gateway.Invalid, "user_api_key: it is in place of api_key, not beside it")
	}
	if c.WebhookSecret == "" && old != nil {
		c.WebhookSecret = old.WebhookSecret
	}
	if c.WebhookSecret == "" {
		c.WebhookSecret = gateway.Secret(rand.Text())
	}
	api := clientOf(inst, *c)
	if err := api.greet(ctx); err != nil {
		return err
	}
	c.Scopes, c.AccountID = nil, ""
	switch {
	case api.own:
		return c.owner(ctx, api)
	case c.APIKey != "":
		return c.identify(ctx, api)
	}
	return nil
}

// forumURL is a forum's address as its deliveries have it: https, and without a slash at the end. Plain http is for a forum on this machine, which only
// Options.Reach lets be asked.
func forumURL(address string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || strings.Contains(u.Path, "//") {
		return "", gateway.Errorf(gateway.Invalid, "url: %q is no forum's address", address)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !thisMachine(u.Hostname())) {
		return "", gateway.Errorf(gateway.Invalid, "url: the forum has to be asked by https, or the key could be read on the way")
	}
	host := strings.ToLower(u.Host)
	if port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; strings.HasSuffix(host, port) {
		host = strings.TrimSuffix(host, port) // or the same forum would be two
	}
	return u.Scheme + "://" + host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// greet makes sure that a forum answers, without showing it the key.
func (c client) greet(ctx context.Context) error {
	c.key = ""
	var forum struct {
		Title string `json:"title"`
	}
	if err := c.call(ctx, http.MethodGet, "/site/basic-info.json", nil, nil, &forum); err != nil {
		return err
	}
	if forum.Title == "" {
		return gateway.Errorf(gateway.Invalid, "url: no Discourse answers at %s", c.base)
	}
	return nil
}

// identify asks what the key may do, and whose the account is. Versions before 2022 do not tell the former, and not every key may ask the latter.
func (c *Config) identify(ctx context.Context, api client) error {
	scopes, err := api.scopes(ctx)
	switch {
	case keyRefused(err):
		return gateway.Errorf(gateway.Denied, "api_key: the forum does not take the key for the account %s: %w", c.username(), err)
	case refusedWith(err, http.StatusNotFound):
	case err != nil:
		return err
	}
	c.Scopes = scopes
	who, err := api.whoami(ctx)
	switch gateway.CodeOf(err) {
	case "":
		c.AccountID = idOf(who.ID)
	case gateway.Denied, gateway.NotFound:
	default:
		return err
	}
	return nil
}

// owner asks whose a user API key is. The forum tells it to keys that may read, and to those for session_info.
func (c *Config) owner(ctx context.Context, api client) error {
	who, err := api.whoami(ctx)
	switch {
	case keyRefused(err):
		return gateway.Errorf(gateway.Denied, "user_api_key: the forum does not take the key, or it has neither the scope read nor session_info: %w", err)
	case err != nil:
		return err
	case who.Username == "":
		return gateway.Errorf(gateway.Denied, "user_api_key: the forum does not say whose the key is")
	}
	c.APIUsername, c.AccountID = who.Username, idOf(who.ID)
	return nil
}

// whoami asks as whom a key acts.
func (c client) whoami(ctx context.Context) (person, error) {
	var session struct {
		User person `json:"current_user"`
	}
	err := c.do(ctx, http.MethodGet, "/session/current.json", nil, nil, &session)
	return session.User, err
}
