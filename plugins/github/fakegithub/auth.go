package fakegithub

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// token is an installation's or a person's.
type token struct {
	text        string
	install     *installation // nil of persons
	user        *account      // nil of installations
	permissions map[string]string
	repos       []*Repo // nil: all that the installation has
	expires     time.Time
	ended       bool
	refresh     string
	refreshEnd  time.Time
}

func (s *Server) works(t *token) bool {
	return t != nil && !t.ended && s.opt.Now().Before(t.expires) && (t.install == nil || !t.install.ended)
}

func badCredentials() error { return refuse(http.StatusUnauthorized, "Bad credentials") }

// authenticate finds out who asks, and whether the route is for them.
func (r *request) authenticate() error {
	s := r.s
	kind, value, _ := strings.Cut(r.http.Header.Get("Authorization"), " ")
	wants := authToken
	if r.route != nil {
		wants = r.route.auth
	}
	if id, secret, ok := r.http.BasicAuth(); ok {
		if wants != authClient {
			return badCredentials()
		}
		if id != s.app.ClientID || subtle.ConstantTimeCompare([]byte(secret), []byte(s.app.ClientSecret)) != 1 {
			return notFound()
		}
		r.call.Auth = "client"
		return nil
	}
	switch {
	case value == "" && wants == authNone:
		return nil
	case value == "" && wants == authApp:
		return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	case value == "":
		return refuse(http.StatusUnauthorized, "Requires authentication")
	case !strings.EqualFold(kind, "Bearer") && !strings.EqualFold(kind, "token"):
		return badCredentials()
	case strings.Count(value, ".") == 2:
		return r.asApp(value, wants)
	}
	return r.asToken(value, wants)
}

// asApp takes a JSON web token, which only the routes of the app itself do.
func (r *request) asApp(value string, wants auth) error {
	if err := r.s.checkJWT(value); err != nil {
		return err
	}
	r.call.Auth, r.call.Login, r.actor = "app", r.s.bot.login, r.s.bot
	if wants != authApp && wants != authNone {
		return refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	return nil
}

func (r *request) asToken(value string, wants auth) error {
	t := r.s.tokens[value]
	if !r.s.works(t) {
		return badCredentials()
	}
	r.tok = t
	r.call.Auth, r.actor = "installation", r.s.bot
	if t.user != nil {
		r.call.Auth, r.actor = "user", t.user
	}
	r.call.Login = r.actor.login
	switch {
	case wants == authApp:
		return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	case wants == authUser && t.user == nil, wants == authInstall && t.install == nil:
		return forbidden()
	case t.install != nil && !t.install.suspended.IsZero():
		return refuse(http.StatusForbidden, "This installation has been suspended")
	}
	return nil
}

// checkJWT holds the app's token against GitHub's rules
// (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app, 2026-11).
func (s *Server) checkJWT(value string) error {
	undecodable := refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	parts := strings.Split(value, ".")
	var head struct{ Alg, Typ string }
	if !decodePart(parts[0], &head) || head.Alg != "RS256" {
		return undecodable
	}
	var claims struct {
		Iat, Exp json.RawMessage
		Iss      any
	}
	if !decodePart(parts[1], &claims) {
		return undecodable
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(&s.key.PublicKey, crypto.SHA256, sum[:], sig) != nil {
		return undecodable
	}
	return s.checkClaims(claims.Iat, claims.Exp, claims.Iss)
}

func (s *Server) checkClaims(rawIat, rawExp json.RawMessage, iss any) error {
	var iat, exp int64
	now := s.opt.Now().Unix()
	switch {
	case json.Unmarshal(rawIat, &iat) != nil || iat == 0:
		return refuse(http.StatusUnauthorized, "Missing 'issued at' claim ('iat') in assertion")
	case json.Unmarshal(rawExp, &exp) != nil:
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case iat > now:
		return refuse(http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case exp <= now:
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case exp-now > 600:
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	}
	switch v := iss.(type) {
	case string:
		if v == s.app.ClientID || v == text(s.app.ID) {
			return nil
		}
	case float64:
		if int64(v) == s.app.ID {
			return nil
		}
	}
	return refuse(http.StatusNotFound, "Integration not found")
}

func decodePart(part string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(raw, into) == nil
}

// sees says whether the token reads a repository: a public one always. An installation sees the private ones that it has, a person
// those that both the app and they have.
func (r *request) sees(repo *Repo) bool {
	switch {
	case !repo.private:
		return true
	case r.tok == nil:
		return false
	case r.tok.user != nil:
		i := r.s.installOn(repo.owner)
		return i != nil && i.covers(repo) && repo.can(r.tok.user, "read")
	}
	return r.reaches(repo)
}

// reaches says whether a repository is one of the token's.
func (r *request) reaches(repo *Repo) bool {
	return r.tok != nil && r.tok.install != nil && r.tok.install.covers(repo) && (r.tok.repos == nil || slices.Contains(r.tok.repos, repo))
}

// granted is what the token may do on an account; a person's is what the app was given there.
func (r *request) granted(on *account) map[string]string {
	switch {
	case r.tok == nil:
		return nil
	case r.tok.user == nil && r.tok.install.account == on:
		return r.tok.permissions
	case r.tok.user == nil:
		return nil
	}
	if i := r.s.installOn(on); i != nil && i.suspended.IsZero() {
		return i.permissions
	}
	return nil
}
