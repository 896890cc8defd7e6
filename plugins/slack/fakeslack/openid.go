package fakeslack

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"sync"
)

// signingKeys is made when somebody first signs in: making it is slow.
type signingKeys struct {
	once sync.Once
	key  *rsa.PrivateKey
	err  error
}

const keyID = "fake-key-1"

func (k *signingKeys) get() (*rsa.PrivateKey, error) {
	k.once.Do(func() { k.key, k.err = rsa.GenerateKey(rand.Reader, 2048) })
	return k.key, k.err
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// openIDToken is Sign in with Slack: the code's exchange for an ID token, signed by the keys at /openid/connect/keys.
func (r *request) openIDToken() (object, error) {
	if r.arg("grant_type") == "refresh_token" {
		return nil, refuse("invalid_grant_type")
	}
	c, err := r.exchange(true)
	if err != nil {
		return nil, err
	}
	t := c.w.userToken(c.user, c.userScopes)
	claims := r.claims(c.w, c.user, c.userScopes)
	now := unix(r.s.opt.Now())
	claims["iss"], claims["aud"], claims["exp"], claims["iat"], claims["auth_time"] = "https://slack.com", r.s.app.ClientID, now+300, now, now
	if c.nonce != "" {
		claims["nonce"] = c.nonce
	}
	idToken, err := r.s.signJWT(claims)
	if err != nil {
		return nil, err
	}
	r.call.Team, r.call.User = c.w.id, c.user
	return object{"access_token": t.text, "token_type": "Bearer", "id_token": idToken}, nil
}

func (r *request) openIDUserInfo() (object, error) {
	return r.claims(r.w, r.me(), r.tok.scopes), nil
}

func (r *request) claims(w *Workspace, user string, scopes []string) object {
	u := w.users[user]
	o := object{"sub": user, "https://slack.com/user_id": user, "https://slack.com/team_id": w.id}
	if w.enterprise != "" {
		o["https://slack.com/enterprise_id"], o["https://slack.com/enterprise_name"] = w.enterprise, r.s.enterprises[w.enterprise]
	}
	granted := token{scopes: scopes}
	if granted.has("email") && u.email != "" {
		o["email"], o["email_verified"] = u.email, !u.unconfirmed
		if !u.unconfirmed {
			o["date_email_verified"] = unix(u.created)
		}
	}
	if granted.has("profile") {
		given, family, _ := strings.Cut(u.realName, " ")
		o["name"], o["given_name"], o["family_name"], o["locale"] = u.realName, given, family, "en-US"
		o["picture"] = "https://secure.gravatar.com/avatar/fake-192.png"
		o["https://slack.com/team_name"], o["https://slack.com/team_domain"] = w.name, w.domain
	}
	return o
}

func (s *Server) signJWT(claims object) (string, error) {
	key, err := s.keys.get()
	if err != nil {
		return "", err
	}
	text := b64(rawJSON(object{"typ": "JWT", "alg": "RS256", "kid": keyID})) + "." + b64(rawJSON(claims))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + b64(sig), nil
}

func (s *Server) serveKeys(w http.ResponseWriter) {
	key, err := s.keys.get()
	if err != nil {
		http.Error(w, "no key", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(rawJSON(object{"keys": []object{{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": keyID, "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
	}}}))
}

func (s *Server) serveOpenIDConfig(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(rawJSON(object{
		"issuer": "https://slack.com", "authorization_endpoint": "https://slack.com/openid/connect/authorize",
		"token_endpoint": "https://slack.com/api/openid.connect.token", "userinfo_endpoint": "https://slack.com/api/openid.connect.userInfo",
		"jwks_uri": "https://slack.com/openid/connect/keys", "scopes_supported": []string{"openid", "profile", "email"},
		"response_types_supported": []string{"code"}, "response_modes_supported": []string{"form_post"},
		"grant_types_supported": []string{"authorization_code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}))
}
