package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/schema"
)

// OAuthOptions say where browsers may go and who may begin.
type OAuthOptions struct {
	// Redirects are the addresses of the driver to which a browser may be sent afterwards: scheme and host must be equal, and the path
	// must be the same or lie below. None: nowhere, and the gateway shows a page of its own.
	Redirects []string
	// Begin decides who may begin at /auth/{plugin}/authorize by naming community and redirect in the query, from the
	// driver's own session for example. Nil: only links made by AuthorizeURL work.
	Begin func(*http.Request, AuthRequest) error
	// Page is what a browser sees at the end where there is no redirect. Nil: one English sentence.
	Page func(w http.ResponseWriter, ok bool, message string)
	// Ask is what a browser sees before the consent page where somebody is to know first what an account is linked for, see [LinkPage]. Nil: a
	// bare page.
	Ask func(http.ResponseWriter, LinkPage)
}

// LinkPage is what stands before a consent page: where a prompt wants it ([LinkPrompt]), and always where the driver says whose the account
// becomes. Otherwise whoever has a link for themselves could have somebody else open it, whose browser the platform would let pass unasked, and be
// taken for them. All texts are plain and have to be escaped.
type LinkPage struct {
	Plugin string   // of the account that is wanted
	For    []string // whose it becomes: names and accounts by which people know themselves; none where a login shows it
	Reason string
	Action string // where an empty form is posted to go on
}

// The types of authorization, with the names that the original gave them.
const (
	Install = "app_install" // an admin installs the app: an instance is made or updated
	Login   = "user_login"  // a person shows who they are: an account is linked
)

// AuthRequest is one way through a platform's consent page.
type AuthRequest struct {
	Plugin       string `json:"plugin"`
	Type         string `json:"type"`                    // Install or Login; "" is Install
	Community    string `json:"community,omitempty"`     // slug; "": of an install, the community where it stands already, or a new one
	Name         string `json:"name,omitempty"`          // of the instance; "": the plugin's
	Redirect     string `json:"redirect_uri,omitempty"`  // where the browser goes in the end, see OAuthOptions.Redirects
	State        string `json:"state,omitempty"`         // the driver's own, given back on the redirect
	RequireAdmin bool   `json:"require_admin,omitempty"` // only an admin of the platform may install
	Shared       bool   `json:"shared,omitempty"`        // the platform object may stand in another community too

	// Then are further plugins to log in to, one after the other, in the same browser. All accounts become one person's, with the strongest evidence
	// that there is, or, where a login fails or is refused, nothing is kept of any.
	Then []string `json:"then,omitempty"`
	// Merge says that people become one where the accounts of several logins are theirs already. Otherwise that is a Conflict.
	Merge bool `json:"merge,omitempty"`
	// Person is who is at the browser, as the driver knows from a session of its own: the account is linked to them. Whoever opens the link
	// is believed to be them, and is shown first for whom it is ([LinkPage]); see [Community.PromptLink] for links that others may see. A login
	// needs Community for it.
	Person string `json:"person,omitempty"`
}

// OAuth says how a plugin's platform gives credentials. It is a [Feature]; C is the plugin's configuration. The gateway owns
// the rest: a state that is random, used once, expires and is bound to the browser; PKCE; the redirect list; where the instance
// belongs; undoing an install that failed after the exchange.
type OAuth[T Owner, C any] struct {
	// Authorize makes the address of the platform's consent page.
	Authorize func(OAuthParams) (string, error)
	// Exchange trades the code for credentials. It verifies what the platform says by the platform's API, not by the URL. Where it
	// fails after the platform has given credentials, it returns them with the error, with a PlatformID, and they are undone.
	Exchange func(context.Context, OAuthExchange) (Grant[C], error)
	// Undo takes back what an exchange gave when the install could not be finished. first says that nothing was
	// installed before; otherwise a working installation may hold the same credentials, and must go on working. Nil: nothing is undone.
	Undo func(ctx context.Context, x OAuthExchange, g Grant[C], first bool) error
	// Same compares the Data of two logins with the same GrantUser.ID, where that is a name which may become somebody else's. False refuses the later
	// one: nobody becomes another by taking their old name. Nil: an ID stays whose it is.
	Same func(before, now json.RawMessage) bool
	// Refresh trades a person's token for a fresh one, before it ends or when the platform has refused it. Denied: the platform takes neither any more,
	// and the person has to log in again; any other error is tried again later. What it leaves empty stays as it was. Nil: nothing is refreshed.
	Refresh func(context.Context, TokenCall) (UserToken, error)
	// Revoke has the platform forget a person's token. It is called until it succeeds, or says Denied or NotFound, which mean that the token does not
	// work any more. Nil: tokens work until they expire.
	Revoke func(context.Context, TokenCall) error
}

// OAuthParams is what goes into a consent page's address.
type OAuthParams struct {
	Type        string
	State       string // opaque; comes back
	RedirectURI string // our callback
	Challenge   string // PKCE, S256
	PlatformID  string // of the instance that is to be installed again or logged in to, where it is known
	Email       bool   // the community compares verified e-mail addresses: the platform is to say the person's, if it can
}

// OAuthExchange is what an exchange needs.
type OAuthExchange struct {
	Type        string
	Code        string
	Query       url.Values // what else the platform sent: not to be believed
	RedirectURI string
	Verifier    string // PKCE
	PlatformID  string // as in [OAuthParams]
	Email       bool   // likewise
	HTTP        *http.Client
	Log         *slog.Logger
	Now         time.Time
}

// Grant is what a platform gave.
type Grant[C any] struct {
	PlatformID string // the platform object: a workspace, a guild
	Name       string // its name for people
	Config     C      // of an install: the instance's configuration
	Admin      bool   // the person is an admin there
	User       GrantUser
}

// GrantUser is the person who agreed. ID "" where the platform does not say.
type GrantUser struct {
	ID   string
	Name string
	Data json.RawMessage // what else is worth keeping; no secrets

	// Email is the person's address, and EmailVerified that the platform has made sure of it: only then does it count for anything. It is kept only
	// as a keyed hash, and only where the community compares addresses.
	Email         string `json:"-"`
	EmailVerified bool   `json:"-"`
	// Token are the person's own credentials. Nil: the platform gave none that are worth keeping.
	Token *UserToken `json:"-"`
}

// OAuthDef is an OAuth as the manifest has it.
type OAuthDef struct {
	Authorize func(OAuthParams) (string, error)                                                      `json:"-"`
	Exchange  func(context.Context, OAuthExchange) (Grant[json.RawMessage], error)                   `json:"-"`
	Undo      func(ctx context.Context, x OAuthExchange, g Grant[json.RawMessage], first bool) error `json:"-"`
	Same      func(before, now json.RawMessage) bool                                                 `json:"-"`
	Refresh   func(context.Context, TokenCall) (UserToken, error)                                    `json:"-"`
	Revoke    func(context.Context, TokenCall) error                                                 `json:"-"`
}

func (o OAuth[T, C]) feature(_ T, b *builder) {
	if o.Authorize == nil || o.Exchange == nil || b.m.OAuth != nil {
		b.fail("oauth: want one, with Authorize and Exchange")
		return
	}
	b.m.OAuth = &OAuthDef{
		Authorize: o.Authorize,
		Exchange: func(ctx context.Context, x OAuthExchange) (Grant[json.RawMessage], error) {
			g, err := o.Exchange(ctx, x)
			out := Grant[json.RawMessage]{PlatformID: g.PlatformID, Name: g.Name, Admin: g.Admin, User: g.User}
			if err != nil && g.PlatformID == "" {
				return out, err
			}
			config, encoding := schema.Encode(g.Config)
			if encoding != nil {
				return out, errors.Join(err, Errorf(Internal, "encoding the configuration that was granted: %w", encoding))
			}
			out.Config = config
			return out, err
		},
		Undo: func(ctx context.Context, x OAuthExchange, g Grant[json.RawMessage], first bool) error {
			if o.Undo == nil {
				return nil
			}
			in := Grant[C]{PlatformID: g.PlatformID, Name: g.Name, Admin: g.Admin, User: g.User}
			if err := decode(g.Config, &in.Config); err != nil {
				return err
			}
			return o.Undo(ctx, x, in, first)
		},
		Same: o.Same, Refresh: o.Refresh, Revoke: o.Revoke,
	}
}

func (o OAuthOptions) check() error {
	for _, r := range o.Redirects {
		u, err := url.Parse(r)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return Errorf(Invalid, "Options.OAuth.Redirects: %q: want http(s)://host[/path]", r)
		}
	}
	return nil
}

// allows reports whether a browser may be sent to an address.
func (o OAuthOptions) allows(redirect string) bool {
	u, err := url.Parse(redirect)
	if err != nil || u.User != nil || u.Fragment != "" || strings.Contains(u.Path, "..") || strings.Contains(redirect, "\\") || strings.Contains(u.Path, "\\") {
		return false
	}
	for _, r := range o.Redirects {
		a, err := url.Parse(r)
		if err != nil || a.Scheme != u.Scheme || !strings.EqualFold(a.Host, u.Host) {
			continue
		}
		base := strings.TrimSuffix(a.Path, "/")
		if u.Path == base || strings.HasPrefix(u.Path, base+"/") || base == "" && u.Path == "" {
			return true
		}
	}
	return false
}

// LoginResult is what a browser's way through a platform's consent page brought. See [Gateway.Redeem].
type LoginResult struct {
	Type      string  `json:"type"`
	Community string  `json:"community,omitempty"`
	Plugin    string  `json:"plugin"`
	Instance  string  `json:"instance,omitempty"` // name
	Account   Account `json:"account,omitzero"`
	Admin     bool    `json:"admin,omitempty"` // the person is an admin on the platform

	Accounts []Account `json:"accounts,omitempty"` // of several logins, in their order
	Prompt   string    `json:"prompt,omitempty"`   // the ID of the prompt that brought the person here
}
