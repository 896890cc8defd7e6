package fakegithub

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrRefused is wrapped by errors of acts that GitHub would not let this person do.
var ErrRefused = errors.New("fakegithub: GitHub would not allow that")

// oauthCode is what a person gave the app on its way back.
type oauthCode struct {
	user      *account
	redirect  string // "" if none was asked for
	challenge string
	expires   time.Time
}

const (
	codeLife    = 10 * time.Minute
	userLife    = 8 * time.Hour
	refreshLife = 184 * 24 * time.Hour // six months
)

// Authorize plays a person who is sent to address, an authorization page of the app (https://github.com/login/oauth/authorize?…) or
// its installation page (https://github.com/apps/SLUG/installations/new?…), and agrees. It gives the address to which GitHub sends
// the browser back. At the installation page on is the account that they choose; whoever does not own an organisation can only
// ask for the installation, and comes back with setup_action=request and without an installation. Where the app is installed already,
// it stays the same installation.
func (s *Server) Authorize(login, address, on string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("fakegithub: authorize: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(login)
	if a == nil || a.kind != "User" {
		return "", fmt.Errorf("fakegithub: authorize: nobody is called %q", login)
	}
	switch u.Path {
	case "/login/oauth/authorize":
		return s.authorize(a, u.Query())
	case "/apps/" + s.app.Slug + "/installations/new":
		return s.installByPage(a, u.Query(), on)
	}
	return "", fmt.Errorf("fakegithub: authorize: %s is no page of the app's", u.Path)
}

// Deny plays a person who is asked to authorize the app and cancels.
func (s *Server) Deny(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("fakegithub: deny: %w", err)
	}
	back, err := s.callback(u.Query().Get("redirect_uri"))
	if err != nil {
		return "", err
	}
	return withQuery(back, url.Values{"error": {"access_denied"}, "error_description": {"The user has denied your application access."},
		"error_uri": {"https://docs.github.com/apps/troubleshooting-authorization-request-errors/#access-denied"}, "state": {u.Query().Get("state")}}), nil
}

func (s *Server) authorize(a *account, q url.Values) (string, error) {
	if q.Get("client_id") != s.app.ClientID {
		return "", fmt.Errorf("%w: there is no app with this client_id", ErrRefused)
	}
	back, err := s.callback(q.Get("redirect_uri"))
	if err != nil {
		return "", err
	}
	if m := q.Get("code_challenge_method"); q.Get("code_challenge") != "" && m != "S256" {
		return "", fmt.Errorf("%w: code_challenge_method %q", ErrRefused, m)
	}
	v := url.Values{"code": {s.newCode(a, q.Get("redirect_uri"), q.Get("code_challenge"))}}
	if q.Has("state") {
		v.Set("state", q.Get("state"))
	}
	return withQuery(back, v), nil
}

func (s *Server) newCode(a *account, redirect, challenge string) string {
	code := randomText(10)
	s.codes[code] = &oauthCode{user: a, redirect: redirect, challenge: challenge, expires: s.opt.Now().Add(codeLife)}
	return code
}

// callback is where a person is sent back to. It must be one of the app's addresses, or below one
// (https://docs.github.com/en/apps/creating-github-apps/registering-a-github-app/about-the-user-authorization-callback-url, 2026-11).
func (s *Server) callback(asked string) (string, error) {
	known := s.opt.CallbackURLs
	switch {
	case asked == "" && len(known) > 0:
		return known[0], nil
	case asked == "":
		return "", fmt.Errorf("%w: the app has no callback URL", ErrRefused)
	case len(known) == 0:
		return asked, nil
	}
	for _, k := range known {
		if asked == k || strings.HasPrefix(asked, strings.TrimSuffix(k, "/")+"/") {
			return asked, nil
		}
	}
	return "", fmt.Errorf("%w: The redirect_uri is not associated with this application", ErrRefused)
}

func withQuery(address string, v url.Values) string {
	sep := "?"
	if strings.Contains(address, "?") {
		sep = "&"
	}
	return address + sep + v.Encode()
}

// installByPage is what happens on the installation page.
func (s *Server) installByPage(by *account, q url.Values, on string) (string, error) {
	target := s.account(on)
	if target == nil {
		return "", fmt.Errorf("fakegithub: authorize: there is no account %q", on)
	}
	back, err := s.callback("")
	if err != nil {
		return "", err
	}
	v := url.Values{}
	if q.Has("state") {
		v.Set("state", q.Get("state"))
	}
	if !s.owns(by, target) {
		v.Set("setup_action", "request")
		return withQuery(back, v), nil
	}
	i := s.installOn(target)
	v.Set("setup_action", "update")
	if i == nil {
		i = s.newInstallation(target, by, defaultPermissions(), nil)
		v.Set("setup_action", "install")
	}
	v.Set("installation_id", text(i.id))
	if !s.opt.NoAuthorization {
		v.Set("code", s.newCode(by, "", ""))
	}
	return withQuery(back, v), nil
}

// owns says whether somebody may install the app on an account.
func (s *Server) owns(by, on *account) bool {
	if by == on {
		return true
	}
	if o := s.orgOf(on); o != nil {
		m := of(o.members, by)
		return m != nil && m.role == "admin"
	}
	return false
}

// serveSite answers github.com: its pages are for people, whom [Server.Authorize] plays, and one route is for programs.
func (s *Server) serveSite(w http.ResponseWriter, hr *http.Request) {
	if hr.URL.Path != "/login/oauth/access_token" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if !strings.HasPrefix(hr.URL.Path, "/login/oauth/authorize") && !strings.HasPrefix(hr.URL.Path, "/apps/") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, "<!DOCTYPE html><title>GitHub</title><p>Call Server.Authorize to agree or Server.Deny not to.</p>")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, 1<<16))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	call := &Call{Method: hr.Method, Path: hr.URL.Path, Route: hr.Method + " " + hr.URL.Path, Query: hr.URL.Query(), Body: body, Auth: "client", At: s.opt.Now()}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	fault := s.faults.Request(call.Route)
	s.mu.Unlock()
	s.play(w, hr, fault, call, func() Answer { return s.accessToken(hr, body) })
}

// params reads what was sent, in the address or the body, as a form or as JSON.
func params(hr *http.Request, body []byte) url.Values {
	v := hr.URL.Query()
	kind, _, _ := mime.ParseMediaType(hr.Header.Get("Content-Type"))
	if kind == "application/json" {
		var in map[string]string
		_ = json.Unmarshal(body, &in) // what cannot be read is missing, and refused as such
		for k, x := range in {
			v.Set(k, x)
		}
		return v
	}
	form, _ := url.ParseQuery(string(body))
	for k := range form {
		v.Set(k, form.Get(k))
	}
	return v
}

// oauthRefusals are GitHub's words. They come with status 200.
var oauthRefusals = map[string]string{
	"incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
	"redirect_uri_mismatch":        "The redirect_uri MUST match the registered callback URL for this application.",
	"bad_verification_code":        "The code passed is incorrect or expired.",
	"bad_refresh_token":            "The refresh token passed is incorrect or expired.",
	"unsupported_grant_type":       "The grant type passed is not supported.",
}

// accessToken trades codes and refresh tokens. The answer is a form, unless JSON is asked for; it has status 200 also where it refuses.
func (s *Server) accessToken(hr *http.Request, body []byte) Answer {
	if hr.Method != http.MethodPost {
		return notFoundPage()
	}
	p := params(hr, body)
	t, refused := s.trade(p)
	out := object{"error": refused, "error_description": oauthRefusals[refused], "error_uri": "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/"}
	if refused == "" {
		out = object{"access_token": t.text, "expires_in": int64(userLife / time.Second), "refresh_token": t.refresh, "refresh_token_expires_in": int64(refreshLife / time.Second), "token_type": "bearer", "scope": ""}
	}
	if strings.Contains(hr.Header.Get("Accept"), "json") {
		return Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: rawJSON(out)}
	}
	form := url.Values{}
	for k, v := range out {
		form.Set(k, fmt.Sprint(v))
	}
	return Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, Body: []byte(form.Encode())}
}

func notFoundPage() Answer {
	return Answer{Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte("<!DOCTYPE html><title>Page not found</title>")}
}

func (s *Server) trade(p url.Values) (*token, string) {
	if p.Get("client_id") != s.app.ClientID || subtle.ConstantTimeCompare([]byte(p.Get("client_secret")), []byte(s.app.ClientSecret)) != 1 {
		return nil, "incorrect_client_credentials"
	}
	switch p.Get("grant_type") {
	case "refresh_token":
		old := s.refresh[p.Get("refresh_token")]
		if old == nil || old.ended || !s.opt.Now().Before(old.refreshEnd) {
			return nil, "bad_refresh_token"
		}
		delete(s.refresh, old.refresh)
		old.ended = true
		return s.newUserToken(old.user), ""
	case "", "authorization_code":
	default:
		return nil, "unsupported_grant_type"
	}
	c := s.codes[p.Get("code")]
	delete(s.codes, p.Get("code")) // once, whatever comes of it
	switch {
	case c == nil || !s.opt.Now().Before(c.expires), c.challenge != "" && !proves(p.Get("code_verifier"), c.challenge):
		return nil, "bad_verification_code"
	case c.redirect != "" && p.Get("redirect_uri") != "" && p.Get("redirect_uri") != c.redirect:
		return nil, "redirect_uri_mismatch"
	}
	return s.newUserToken(c.user), ""
}

func proves(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}

func (s *Server) newUserToken(a *account) *token {
	now := s.opt.Now()
	t := &token{text: "ghu_" + randomText(18), user: a, expires: now.Add(userLife), refresh: "ghr_" + randomText(38), refreshEnd: now.Add(refreshLife)}
	s.tokens[t.text], s.refresh[t.refresh] = t, t
	return t
}
