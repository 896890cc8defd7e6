package fakediscourse

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Authorize plays a person who is signed in to the forum and is sent to one of its pages for giving other sites a login: DiscourseConnect's
// (/session/sso_provider) or that of user API keys (/user-api-key/new). The person agrees, and the address to which the forum
// sends them is returned. With an empty username nobody is signed in. The error is what the page would say.
func (f *Forum) Authorize(username, rawURL string) (location string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("fakediscourse: authorize: %w", err)
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if !strings.EqualFold(u.Hostname(), f.host) {
		return "", notAllowed("%s is not this forum", u.Host)
	}
	who := f.userByName(username)
	if username != "" && (who == nil || who.suspended(f.now())) {
		return "", notAllowed("%s cannot sign in", username)
	}
	switch strings.TrimSuffix(u.Path, "/") {
	case "/session/sso_provider":
		to, err := f.connect(who, u.RawQuery)
		if err == nil && to == "" {
			err = notAllowed("nobody is signed in")
		}
		return to, err
	case "/user-api-key/new":
		if who == nil {
			return "", notAllowed("nobody is signed in")
		}
		return f.giveUserKey(who, u.Query())
	}
	return "", notAllowed("%s is no page for a login elsewhere", u.Path)
}

// plainError is a refusal in plain text.
func plainError(status int, text string) error {
	return &apiError{status: status, errors: []string{text}, plain: true}
}

// SignConnect is the signature of a payload of DiscourseConnect, in hexadecimal: HMAC-SHA256 of the payload in Base64.
func SignConnect(secret, payload string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(payload))
	return hex.EncodeToString(mac.Sum(nil))
}

// connect answers a site that asks who somebody is. Where to is empty, they have to sign in first.
func (f *Forum) connect(u *user, rawQuery string) (to string, err error) {
	if !f.settings.EnableDiscourseConnectProvider {
		return "", refuse("not_found")
	}
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", plainError(http.StatusUnprocessableEntity, "Login Error")
	}
	sso := q.Get("sso")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(sso))
	if err != nil {
		return "", plainError(http.StatusUnprocessableEntity, "Login Error")
	}
	in, err := url.ParseQuery(string(raw))
	if err != nil || in.Get("return_sso_url") == "" {
		return "", plainError(http.StatusUnprocessableEntity, "Login Error")
	}
	back, err := url.Parse(in.Get("return_sso_url"))
	if err != nil || back.Host == "" {
		return "", plainError(http.StatusUnprocessableEntity, "Login Error")
	}
	secret := f.providerSecret(back.Hostname())
	if secret == "" {
		return "", plainError(http.StatusBadRequest, "login failed, missing secret")
	}
	if subtle.ConstantTimeCompare([]byte(SignConnect(secret, sso)), []byte(q.Get("sig"))) != 1 {
		return "", plainError(http.StatusUnprocessableEntity, "Login Error")
	}
	out := url.Values{"nonce": {in.Get("nonce")}, "return_sso_url": {back.String()}}
	switch {
	case in.Get("logout") == "true":
		return back.String(), nil
	case u == nil && in.Get("prompt") == "none":
		out.Set("failed", "true")
	case u == nil:
		return "", nil
	default:
		f.introduce(u, out)
	}
	payload := base64.StdEncoding.EncodeToString([]byte(out.Encode()))
	query := back.Query()
	query.Set("sso", payload)
	query.Set("sig", SignConnect(secret, payload))
	back.RawQuery = query.Encode()
	return back.String(), nil
}

// introduce says who somebody is.
func (f *Forum) introduce(u *user, out url.Values) {
	out.Set("external_id", itoa(u.id))
	out.Set("username", u.username)
	out.Set("email", u.email)
	out.Set("admin", fmt.Sprint(u.admin))
	out.Set("moderator", fmt.Sprint(u.moderator))
	if u.name != "" {
		out.Set("name", u.name)
	}
	var groups []string
	for _, g := range f.sortedGroups() {
		if g.name != "everyone" && f.inGroup(g, u) {
			groups = append(groups, g.name)
		}
	}
	out.Set("groups", strings.Join(groups, ","))
}

func (f *Forum) providerSecret(host string) string {
	secrets := f.settings.DiscourseConnectProviderSecrets
	if s := secrets[host]; s != "" {
		return s
	}
	for pattern, s := range secrets {
		if before, after, ok := strings.Cut(pattern, "*"); ok && strings.HasPrefix(host, before) && strings.HasSuffix(host, after) {
			return s
		}
	}
	return ""
}

// ssoProvider is the page for whoever comes with an HTTP client: nobody is signed in there, so that they are sent to sign in.
func (r *request) ssoProvider() (any, error) {
	to, err := r.f.connect(r.user, r.http.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusFound, to: orElse(to, r.f.base+"/login")}, nil
}

func (r *request) newUserKey() (any, error) {
	if err := checkKeyForm(r.http.URL.Query()); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusFound, to: r.f.base + "/login"}, nil
}

// allowedUserScopes are what user API keys may be asked for.
var allowedUserScopes = []string{"read", "write", "message_bus", "push", "one_time_password", "notifications", "session_info", "bookmarks_calendar", "user_status"}

func checkKeyForm(q url.Values) error {
	for _, name := range []string{"public_key", "nonce", "scopes", "client_id", "application_name"} {
		if q.Get(name) == "" {
			return missing(name)
		}
	}
	for s := range strings.SplitSeq(q.Get("scopes"), ",") {
		if !slices.Contains(allowedUserScopes, s) {
			return refuse("invalid_access")
		}
	}
	_, err := publicKey(q.Get("public_key"))
	return err
}

func publicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, badParam("public_key")
	}
	if k, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		if pub, ok := k.(*rsa.PublicKey); ok {
			return pub, nil
		}
	}
	pub, err := x509.ParsePKCS1PublicKey(block.Bytes)
	if err != nil {
		return nil, badParam("public_key")
	}
	return pub, nil
}

// giveUserKey makes a user API key, in place of any that the person gave the same client, and sends it, encrypted for who asked.
func (f *Forum) giveUserKey(u *user, q url.Values) (string, error) {
	if err := checkKeyForm(q); err != nil {
		return "", err
	}
	to := q.Get("auth_redirect")
	back, err := url.Parse(to)
	if err != nil || !slices.ContainsFunc(f.settings.AllowedUserAPIAuthRedirects, func(p string) bool {
		prefix, wild := strings.CutSuffix(p, "*")
		return p == to || wild && strings.HasPrefix(to, prefix)
	}) {
		return "", refuse("invalid_access")
	}
	pub, err := publicKey(q.Get("public_key"))
	if err != nil {
		return "", err
	}
	for text, k := range f.userKeys {
		if k.user == u.id && k.client == q.Get("client_id") {
			delete(f.userKeys, text)
		}
	}
	k := &userKey{text: secretText(16), client: q.Get("client_id"), app: q.Get("application_name"), user: u.id, scopes: split(q.Get("scopes"))}
	f.userKeys[k.text] = k
	secret, err := encrypt(pub, rawJSON(object{"key": k.text, "nonce": q.Get("nonce"), "push": false, "api": 4}), q.Get("padding"))
	if err != nil {
		return "", invalid("payload too large for the public key")
	}
	query := back.Query()
	query.Set("payload", secret)
	back.RawQuery = query.Encode()
	return back.String(), nil
}

// encrypt is for the holder of a key: with OAEP padding if asked for, otherwise with the older PKCS #1 v1.5, which is what
// Discourse does.
func encrypt(pub *rsa.PublicKey, text []byte, padding string) (string, error) {
	var out []byte
	var err error
	if padding == "oaep" {
		out, err = rsa.EncryptOAEP(sha1.New(), rand.Reader, pub, text, nil)
	} else {
		//lint:ignore SA1019 it is what Discourse does
		out, err = rsa.EncryptPKCS1v15(rand.Reader, pub, text)
	}
	if err != nil {
		return "", err
	}
	return inLines(base64.StdEncoding.EncodeToString(out)), nil
}

// inLines breaks Base64 into lines of 60 characters, each with an end, as Ruby's encode64 does.
func inLines(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := min(60, len(s))
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return b.String()
}

// NewUserKey makes a user API key of somebody's with scopes such as "read", without the pages for it.
func (f *Forum) NewUserKey(username string, scopes ...string) string {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	k := &userKey{text: secretText(16), client: "by hand", user: f.userByName(username).id, scopes: scopes}
	f.userKeys[k.text] = k
	return k.text
}

// RevokeUserKey revokes a user API key, as its person does on their page.
func (f *Forum) RevokeUserKey(text string) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if k := f.userKeys[text]; k != nil {
		k.revoked = true
	}
}

// revokeUserKey revokes the key that asks for it.
func (r *request) revokeUserKey() (any, error) {
	k := r.f.userKeys[r.http.Header.Get("User-Api-Key")]
	if k == nil {
		return nil, refuse("not_found")
	}
	k.revoked = true
	return done()
}
