package discourse

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// Option says more about the plugin.
type Option func(*connect)

// WithConnect lets people log in with their accounts of a forum that is a provider of DiscourseConnect: its settings enable_discourse_connect_provider, and
// discourse_connect_provider_secrets with the gateway's host and this secret. Each forum needs a secret of its own: whoever knows it can say who somebody is.
// Without an address, or with a secret of fewer than ten characters, which Discourse does not take either, it does nothing.
func WithConnect(forum string, secret gateway.Secret) Option {
	return func(c *connect) {
		base, err := forumURL(forum)
		if err == nil && len(secret.Reveal()) >= 10 {
			c.secrets[base] = secret
		}
	}
}

// connect is the login by forums that are providers of DiscourseConnect (https://meta.discourse.org/t/32974, lib/discourse_connect_provider.rb, checked 2026-11).
// A forum says who somebody is in an answer that travels through the browser: it is signed with the secret, and holds for one login in one browser, because
// it repeats a nonce that is made of that login's verifier. Its people's own credentials stay with the forum.
type connect struct {
	secrets map[string]gateway.Secret // by forum
}

// login is the feature.
func (c *connect) login() gateway.OAuth[*Discourse, Config] {
	return gateway.OAuth[*Discourse, Config]{Authorize: c.authorize, Exchange: c.exchange}
}

// forum finds the one that is meant: the instance's, or the only one.
func (c *connect) forum(typ, platform string) (string, gateway.Secret, error) {
	if typ != gateway.Login {
		return "", "", gateway.Errorf(gateway.Invalid, "discourse: a forum is enabled with an API key of its administrators, and not by a consent page")
	}
	if platform == "" && len(c.secrets) == 1 {
		for forum := range c.secrets {
			platform = forum
		}
	}
	secret := c.secrets[platform]
	if secret == "" {
		return "", "", gateway.Errorf(gateway.Invalid, "discourse: there is no secret of DiscourseConnect for the forum %q", platform)
	}
	return platform, secret, nil
}

// authorize makes the address of the forum's page. There is no code: the way back names one, and what counts comes beside it.
func (c *connect) authorize(p gateway.OAuthParams) (string, error) {
	forum, secret, err := c.forum(p.Type, p.PlatformID)
	if err != nil {
		return "", err
	}
	back := p.RedirectURI + "?" + url.Values{"code": {"sso"}, "state": {p.State}}.Encode()
	payload := base64.StdEncoding.EncodeToString([]byte(url.Values{"nonce": {p.Challenge}, "return_sso_url": {back}}.Encode()))
	return forum + "/session/sso_provider?" + url.Values{"sso": {payload}, "sig": {hex.EncodeToString(signature(secret, payload))}}.Encode(), nil
}

// signature is an HMAC-SHA256 of the payload as it is sent.
func signature(secret gateway.Secret, payload string) []byte {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(payload))
	return mac.Sum(nil)
}

// exchange reads the forum's answer. A forum lets nobody in who has not confirmed their address.
func (c *connect) exchange(_ context.Context, x gateway.OAuthExchange) (gateway.Grant[Config], error) {
	forum, secret, err := c.forum(x.Type, x.PlatformID)
	if err != nil {
		return gateway.Grant[Config]{}, err
	}
	said, err := answered(secret, x.Query)
	if err != nil {
		return gateway.Grant[Config]{}, err
	}
	sum := sha256.Sum256([]byte(x.Verifier))
	nonce := base64.RawURLEncoding.EncodeToString(sum[:])
	if x.Verifier == "" || subtle.ConstantTimeCompare([]byte(said.Get("nonce")), []byte(nonce)) != 1 {
		return gateway.Grant[Config]{}, gateway.Errorf(gateway.Denied, "discourse: the forum's answer is for another login")
	}
	id, err := strconv.ParseInt(said.Get("external_id"), 10, 64)
	if said.Get("failed") == "true" || err != nil || id <= 0 {
		return gateway.Grant[Config]{}, gateway.Errorf(gateway.Denied, "discourse: the forum does not say who the person is")
	}
	email := said.Get("email")
	return gateway.Grant[Config]{
		PlatformID: forum, Name: hostOf(forum), Admin: said.Get("admin") == "true",
		User: gateway.GrantUser{ID: idOf(id), Name: said.Get("username"), Email: email, EmailVerified: email != ""},
	}, nil
}

// answered checks the signature of a forum's answer and reads it.
func answered(secret gateway.Secret, q url.Values) (url.Values, error) {
	payload := q.Get("sso")
	got, err := hex.DecodeString(q.Get("sig"))
	if err != nil || secret == "" || !hmac.Equal(got, signature(secret, payload)) {
		return nil, gateway.Errorf(gateway.Denied, "discourse: the forum's answer is not signed by it")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(payload))
	if err != nil {
		return nil, gateway.Errorf(gateway.Denied, "discourse: the forum's answer cannot be read")
	}
	said, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, gateway.Errorf(gateway.Denied, "discourse: the forum's answer cannot be read")
	}
	return said, nil
}
