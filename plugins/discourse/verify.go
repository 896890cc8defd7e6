package discourse

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// verify checks that a delivery comes from the forum with the given base URL: X-Discourse-Event-Signature is an HMAC-SHA256 of
// the body as it came, in hex after "sha256=", and absent where the webhook has no secret; X-Discourse-Instance is the forum's
// base URL (Discourse's emit_web_hook_event.rb, checked 2026-11). Discourse signs no time, so that an old delivery is told
// from a new one only by what it says.
func verify(secret gateway.Secret, forum string, d *gateway.Delivery) error {
	if secret == "" || forum == "" {
		return errors.New("there is no webhook secret or no forum to check it with")
	}
	given, ok := strings.CutPrefix(d.Header.Get("X-Discourse-Event-Signature"), "sha256=")
	got, err := hex.DecodeString(given)
	if !ok || err != nil {
		return errors.New("it has no signature")
	}
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(d.Body)
	if !hmac.Equal(got, mac.Sum(nil)) {
		return errors.New("its signature is wrong")
	}
	if at := place(forum); at == "" || place(d.Header.Get("X-Discourse-Instance")) != at {
		return errors.New("it is of another forum")
	}
	return nil
}

// place is where a forum is, without what one behind a proxy may have wrong of itself: the scheme, where its setting force_https is off, the port of
// that, and how the host is spelt. "": it is no address.
func place(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" {
		return ""
	}
	return bareHost(u) + strings.ToLower(strings.TrimRight(u.EscapedPath(), "/"))
}

// bareHost is an address's host in small letters, with the port where that is not the usual one.
func bareHost(u *url.URL) string {
	host := strings.ToLower(u.Host)
	for _, usual := range []string{":443", ":80"} {
		host = strings.TrimSuffix(host, usual)
	}
	return host
}
