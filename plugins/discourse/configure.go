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
	c.APIKey = gateway.Secret(strings.TrimSpace(c.APIKey.Reveal())) // it was copied from a page
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
	if c.APIKey == "" {
		return nil
	}
	return c.identify(ctx, api)
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
	var session struct {
		User person `json:"current_user"`
	}
	err = api.do(ctx, http.MethodGet, "/session/current.json", nil, nil, &session)
	switch gateway.CodeOf(err) {
	case "":
		c.AccountID = idOf(session.User.ID)
	case gateway.Denied, gateway.NotFound:
	default:
		return err
	}
	return nil
}
