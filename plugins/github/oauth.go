package github

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	gateway "github.com/metagov/gateway-go"
)

const loginURL = "https://github.com/login/oauth/"

var installationRE = regexp.MustCompile(`^[0-9]{1,20}$`)

// authorize makes the address of the page where the app is installed, or where somebody shows who they are. The app's settings have to say
// "Request user authorization (OAuth) during installation": otherwise an installation comes back without a code, and is refused
// (https://docs.github.com/en/apps/sharing-github-apps/sharing-your-github-app and …/generating-a-user-access-token-for-a-github-app, 2026-11).
func (a *app) authorize(p gateway.OAuthParams) (string, error) {
	if p.Type == gateway.Login {
		q := url.Values{"client_id": {a.ClientID}, "redirect_uri": {p.RedirectURI}, "state": {p.State}}
		if p.Challenge != "" {
			q.Set("code_challenge", p.Challenge)
			q.Set("code_challenge_method", "S256")
		}
		return loginURL + "authorize?" + q.Encode(), nil
	}
	return "https://github.com/apps/" + url.PathEscape(a.Slug) + "/installations/new?" + url.Values{"state": {p.State}}.Encode(), nil
}

func (a *app) exchange(ctx context.Context, x gateway.OAuthExchange) (gateway.Grant[Config], error) {
	grant := gateway.Grant[Config]{}
	token, err := a.trade(ctx, x)
	if err != nil {
		return grant, err
	}
	person := as(x.HTTP, at(x.Now), token.Access)
	var who account
	if err := person.json(ctx, request{method: http.MethodGet, path: "/user"}, &who); err != nil {
		return grant, err
	}
	if who.Login == "" {
		return grant, gateway.Errorf(gateway.Denied, "github: GET /user named nobody")
	}
	grant.User = gateway.GrantUser{ID: who.Login, Name: who.Login, Token: token}
	if grant.User.Data, err = json.Marshal(lasting{who.ID}); err != nil {
		return grant, gateway.Errorf(gateway.Internal, "github: encoding an account: %w", err)
	}
	if x.Type == gateway.Login {
		return a.logIn(ctx, x, person, grant)
	}
	return a.install(ctx, x, person, who, grant)
}

// lasting is what an account keeps when its login changes. A login that was given up anybody can take
// (https://docs.github.com/en/account-and-profile/setting-up-and-managing-your-personal-account-on-github/managing-personal-account-settings/changing-your-github-username, 2026-11).
type lasting struct {
	ID int64 `json:"id"`
}

// sameAccount says whether two logins with the same name were of the same account.
func sameAccount(before, now json.RawMessage) bool {
	var a, b lasting
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(now, &b) != nil {
		return true // a driver has put something else there
	}
	return a.ID == b.ID || a.ID == 0 || b.ID == 0
}

// install finds out whether the installation that the address names is this person's to give away: the address is not signed, so whoever
// knows an installation's number can put it there (https://docs.github.com/en/apps/creating-github-apps/registering-a-github-app/about-the-setup-url, 2026-11).
func (a *app) install(ctx context.Context, x gateway.OAuthExchange, person *client, who account, grant gateway.Grant[Config]) (gateway.Grant[Config], error) {
	none := gateway.Grant[Config]{}
	id := x.Query.Get("installation_id")
	if !installationRE.MatchString(id) {
		return none, gateway.Errorf(gateway.Invalid, "github: the app was not installed: an owner may have to agree first")
	}
	own, err := reaches(ctx, person, id)
	if err != nil {
		return none, err
	}
	if !own {
		return none, gateway.Errorf(gateway.Denied, "github: the installation is not one that %s has access to", who.Login)
	}
	i, err := a.read(ctx, a.asApp(x.HTTP, at(x.Now)), id)
	if err != nil {
		return none, err
	}
	if err := a.owns(ctx, x, i, who); err != nil {
		return none, err
	}
	grant.PlatformID, grant.Name, grant.Admin = id, i.Account.Login, true
	grant.Config = Config{InstallationID: id, Account: i.Account.Login, AccountType: first(i.TargetType, i.Account.Type), Permissions: i.granted()}
	return grant, a.email(ctx, x, person, &grant.User)
}

// reaches says whether a person has access to an installation of this app.
func reaches(ctx context.Context, person *client, id string) (bool, error) {
	q := url.Values{"per_page": {"100"}}
	for range maxSearched {
		a, err := person.do(ctx, request{method: http.MethodGet, path: "/user/installations", query: q})
		if err != nil {
			return false, err
		}
		var page struct {
			Installations []installation `json:"installations"`
		}
		if err := json.Unmarshal(a.body, &page); err != nil {
			return false, gateway.Errorf(gateway.Unavailable, "github: GET /user/installations: decoding the answer: %w", err)
		}
		for _, i := range page.Installations {
			if strconv.FormatInt(i.ID, 10) == id {
				return true, nil
			}
		}
		next := a.next()
		if next == "" {
			return false, nil
		}
		if q, err = turned(next, q); err != nil {
			return false, err
		}
	}
	return false, nil
}

// owns refuses whoever has access to an installation, as every member of an organisation has, and does not own the account.
func (a *app) owns(ctx context.Context, x gateway.OAuthExchange, i installation, who account) error {
	if i.Account.Type != "Organization" {
		if i.Account.ID == who.ID && who.ID != 0 {
			return nil
		}
		return gateway.Errorf(gateway.Denied, "github: the app is installed for %s, who is somebody else than %s", i.Account.Login, who.Login)
	}
	id := strconv.FormatInt(i.ID, 10)
	token := func(ctx context.Context, refused gateway.Secret) (gateway.Secret, error) {
		return a.installation(ctx, x.HTTP, id, i.granted(), x.Now, refused)
	}
	if _, err := token(ctx, ""); err != nil {
		return err
	}
	c := &client{http: x.HTTP, now: at(x.Now), who: id, made: true, token: token}
	var m struct {
		Role  string `json:"role"`
		State string `json:"state"`
	}
	path := "/orgs/" + url.PathEscape(i.Account.Login) + "/memberships/" + url.PathEscape(who.Login)
	err := c.json(ctx, request{method: http.MethodGet, path: path}, &m)
	switch {
	case refusedWith(err, http.StatusForbidden):
		return gateway.Errorf(gateway.Denied, "github: whether %s owns %s cannot be seen: the app needs the permission members:read: %w", who.Login, i.Account.Login, err)
	case err != nil && !refusedWith(err, http.StatusNotFound):
		return err
	case err != nil || m.Role != "admin" || m.State != "active":
		return gateway.Errorf(gateway.Denied, "github: %s is no owner of %s", who.Login, i.Account.Login)
	}
	return nil
}

// logIn says who somebody is. Accounts are the same everywhere on GitHub, so they belong to the instance that was asked for; where none was, to
// the only installation that they have access to.
func (a *app) logIn(ctx context.Context, x gateway.OAuthExchange, person *client, grant gateway.Grant[Config]) (gateway.Grant[Config], error) {
	grant.PlatformID = x.PlatformID
	if grant.PlatformID == "" {
		var page struct {
			Installations []installation `json:"installations"`
		}
		if err := person.json(ctx, request{method: http.MethodGet, path: "/user/installations"}, &page); err != nil {
			return gateway.Grant[Config]{}, err
		}
		if len(page.Installations) != 1 {
			return gateway.Grant[Config]{}, gateway.Errorf(gateway.Conflict, "github: it is not clear which installation the login is for: there are %d", len(page.Installations))
		}
		grant.PlatformID, grant.Name = strconv.FormatInt(page.Installations[0].ID, 10), page.Installations[0].Account.Login
	}
	return grant, a.email(ctx, x, person, &grant.User)
}

// email asks for the person's primary address, where the community compares addresses and the app may see them.
func (a *app) email(ctx context.Context, x gateway.OAuthExchange, person *client, u *gateway.GrantUser) error {
	if !x.Email {
		return nil
	}
	var list []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	err := person.json(ctx, request{method: http.MethodGet, path: "/user/emails"}, &list)
	if refusedWith(err, http.StatusForbidden, http.StatusNotFound) {
		x.Log.WarnContext(ctx, "the app may not see the addresses of those who log in: that needs the permission \"Email addresses\"", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Primary {
			u.Email, u.EmailVerified = e.Email, e.Verified
		}
	}
	return nil
}

// undo takes a failed installation back. Where the account had the app already, it is the same installation, and goes on.
func (a *app) undo(ctx context.Context, x gateway.OAuthExchange, grant gateway.Grant[Config], first bool) error {
	if !first || !installationRE.MatchString(grant.PlatformID) {
		return nil
	}
	err := a.asApp(x.HTTP, at(x.Now)).json(ctx, request{method: http.MethodDelete, path: "/app/installations/" + grant.PlatformID, repeat: true}, nil)
	if refusedWith(err, http.StatusNotFound) {
		return nil // it is uninstalled
	}
	return err
}

// userAccess is what the login's token route answers, with status 200 also where it refuses.
type userAccess struct {
	AccessToken  gateway.Secret `json:"access_token"`
	ExpiresIn    int64          `json:"expires_in"`
	RefreshToken gateway.Secret `json:"refresh_token"`
	Error        string         `json:"error"`
}

// maxExpiry is what is believed of an expiry: GitHub's are eight hours.
const maxExpiry = 365 * 24 * 3600

func (u userAccess) token(now time.Time) *gateway.UserToken {
	t := &gateway.UserToken{Access: u.AccessToken, Refresh: u.RefreshToken}
	if u.ExpiresIn > 0 {
		t.Expires = now.Add(time.Duration(min(u.ExpiresIn, maxExpiry)) * time.Second)
	}
	return t
}

// trade trades a code for a person's token.
func (a *app) trade(ctx context.Context, x gateway.OAuthExchange) (*gateway.UserToken, error) {
	form := url.Values{"code": {x.Code}}
	if x.Type == gateway.Login {
		form.Set("redirect_uri", x.RedirectURI)
		if x.Verifier != "" {
			form.Set("code_verifier", x.Verifier)
		}
	}
	out, err := a.askToken(ctx, x.HTTP, form)
	switch {
	case err != nil:
		return nil, err
	case out.Error != "":
		return nil, gateway.Errorf(gateway.Denied, "github: the code was not taken: %s", cut(out.Error))
	case out.AccessToken == "":
		return nil, gateway.Errorf(gateway.Unavailable, "github: the code gave no token")
	}
	return out.token(x.Now), nil
}

// askToken posts to the login's token route.
func (a *app) askToken(ctx context.Context, h *http.Client, form url.Values) (userAccess, error) {
	form.Set("client_id", a.ClientID)
	form.Set("client_secret", a.ClientSecret.Reveal())
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	got, err := exchange(pacing(ctx, loggingIn), h, http.MethodPost, loginURL+"access_token", header, []byte(form.Encode()))
	if err != nil {
		return userAccess{}, lost(request{method: http.MethodPost, path: "/login/oauth/access_token"}, err)
	}
	var out userAccess
	if json.Unmarshal(got.body, &out) != nil || got.status >= 500 || out.Error == "" && got.status != http.StatusOK {
		return userAccess{}, gateway.Errorf(gateway.Unavailable, "github: the login answered with HTTP status %d, and no token", got.status)
	}
	return out, nil
}

// refreshUser exchanges a person's token (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens, 2026-11).
// A refresh token works once: after an answer that was lost the person may have to log in again.
func (a *app) refreshUser(ctx context.Context, t gateway.TokenCall) (gateway.UserToken, error) {
	out, err := a.askToken(ctx, t.HTTP, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh.Reveal()}})
	switch {
	case err != nil:
		return gateway.UserToken{}, &gateway.Error{Code: gateway.Unavailable, After: gateway.RetryAfter(err), Err: err}
	case out.Error == "bad_refresh_token", out.Error == "unauthorized":
		return gateway.UserToken{}, gateway.Errorf(gateway.Denied, "github: the person's token is not exchanged any more: %s", out.Error)
	case out.Error != "": // it says nothing of the person: our own credentials are wrong
		return gateway.UserToken{}, gateway.Errorf(gateway.Unavailable, "github: exchanging a person's token: %s", cut(out.Error))
	case out.AccessToken == "":
		return gateway.UserToken{}, gateway.Errorf(gateway.Unavailable, "github: there was no fresh token")
	}
	return *out.token(t.Now), nil
}

// revokeUser ends a person's token (https://docs.github.com/en/rest/apps/oauth-applications, 2026-11).
func (a *app) revokeUser(ctx context.Context, t gateway.TokenCall) error {
	body, err := json.Marshal(map[string]string{"access_token": t.Access.Reveal()})
	if err != nil {
		return gateway.Errorf(gateway.Internal, "github: encoding a token: %w", err)
	}
	r := request{method: http.MethodDelete, path: "/applications/" + url.PathEscape(a.ClientID) + "/token", repeat: true}
	basic := base64.StdEncoding.EncodeToString([]byte(a.ClientID + ":" + a.ClientSecret.Reveal()))
	header := http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {apiVersion}, "Content-Type": {"application/json"}, "Authorization": {"Basic " + basic}}
	got, err := exchange(pacing(ctx, loggingIn), t.HTTP, r.method, apiURL+r.path, header, body)
	switch {
	case err != nil:
		return lost(r, err)
	case got.status >= 200 && got.status <= 299:
		return nil
	}
	err = refused(r, got, t.Now)
	if refusedWith(err, http.StatusUnprocessableEntity, http.StatusNotFound) {
		return gateway.Errorf(gateway.NotFound, "github: the token does not work any more")
	}
	return err
}
