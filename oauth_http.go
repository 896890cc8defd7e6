package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// How long each piece of an authorization is good for.
const (
	linkTime  = time.Hour        // a link that the driver made
	stateTime = 10 * time.Minute // a browser at the consent page
	codeTime  = 2 * time.Minute  // the code that the driver trades
)

const (
	ticketLink  = "oauth-link"
	ticketState = "oauth-state"
	ticketCode  = "oauth-code"
)

// linkTicket is what a link stands for.
type linkTicket struct {
	AuthRequest
	Asked *prompt `json:"asked,omitempty"` // what it is a prompt for
}

// flow is what the gateway remembers of a browser that is at the platform's consent page.
type flow struct {
	linkTicket
	Verifier string `json:"verifier"`
	Session  string `json:"session"`        // hash of the browser's cookie
	Link     string `json:"link,omitempty"` // hash of the link's token
	At       int    `json:"at,omitempty"`   // which of several logins this is
	Legs     []byte `json:"legs,omitempty"` // what the logins before it brought, see [Gateway.packLegs]
}

// logins are the plugins whose consent pages the browser visits.
func (f flow) logins() []string { return append([]string{f.Plugin}, f.Then...) }

// plugin is the one whose consent page the browser is at.
func (f flow) plugin() string { return f.logins()[f.At] }

// together says that the link is used up in the transaction that keeps what came of it, and not before: who turns round at the second consent
// page may try again.
func (f flow) together() bool { return len(f.Then) > 0 || f.Asked != nil }

const usedLink = "This link has been used or is too old. Please ask for another one."

// AuthorizeURL makes a link that sends a browser to the platform's consent page and back. It works once, within an hour; give
// it only to whom it is meant for: whoever opens it may install or log in as the request says. Invalid: there is no Options.PublicURL, or the redirect is not on
// the list.
func (g *Gateway) AuthorizeURL(ctx context.Context, r AuthRequest) (string, error) {
	if err := g.checkAuth(ctx, &r); err != nil {
		return "", err
	}
	token := newToken()
	if err := g.putTicket(ctx, ticketLink, token, linkTicket{AuthRequest: r}, linkTime); err != nil {
		return "", err
	}
	return g.publicURL("/auth/" + r.Plugin + "/authorize?request=" + token)
}

// checkAuth completes a request and refuses one that could not end well.
func (g *Gateway) checkAuth(ctx context.Context, r *AuthRequest) error {
	p := g.plugins[r.Plugin]
	if p == nil || p.m.OAuth == nil {
		return Errorf(NotFound, "there is no plugin %q that can be installed this way", r.Plugin)
	}
	if r.Type == "" {
		r.Type = Install
	}
	if r.Type != Install && r.Type != Login {
		return Errorf(Invalid, "authorization type %q: want %s or %s", r.Type, Install, Login)
	}
	if r.Redirect != "" && !g.o.OAuth.allows(r.Redirect) {
		return Errorf(Denied, "redirect %q is not in Options.OAuth.Redirects", r.Redirect)
	}
	if _, err := g.publicURL("/auth/" + r.Plugin + "/callback"); err != nil {
		return err
	}
	if r.Community != "" {
		if _, err := g.Community(ctx, r.Community); err != nil {
			return err
		}
	}
	return g.checkLink(ctx, r)
}

// serveAuthorize begins: it remembers the request under a random state, bound to this browser, and goes to the platform.
func (g *Gateway) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	q := r.URL.Query()
	var f flow
	token := q.Get("request")
	if token != "" {
		if err := g.readTicket(ctx, ticketLink, token, &f.linkTicket); err != nil || f.Plugin != r.PathValue("plugin") {
			g.page(w, http.StatusBadRequest, usedLink)
			return
		}
		f.Link = digest(token)
	} else if r.Method == http.MethodPost {
		g.page(w, http.StatusBadRequest, usedLink)
		return
	} else {
		f.AuthRequest = AuthRequest{
			Plugin: r.PathValue("plugin"), Type: q.Get("type"), Community: q.Get("community"), Redirect: q.Get("redirect_uri"), State: q.Get("state"),
		}
		err := Errorf(Denied, "only links made by AuthorizeURL work: there is no Options.OAuth.Begin")
		if g.o.OAuth.Begin != nil {
			err = g.o.OAuth.Begin(r, f.AuthRequest)
		}
		if err != nil {
			g.log.Info("an authorization was refused", "plugin", f.Plugin, "error", err)
			g.page(w, http.StatusForbidden, "You may not begin here.")
			return
		}
	}
	check := g.checkAuth
	if f.Asked != nil {
		check = g.checkPrompt
	}
	if err := check(ctx, &f.AuthRequest); err != nil {
		g.log.Info("an authorization was refused", "plugin", f.Plugin, "error", err)
		g.page(w, http.StatusBadRequest, "This cannot be authorized.")
		return
	}
	if f.asks() && r.Method != http.MethodPost {
		g.showLink(ctx, w, f, token)
		return
	}
	to, err := g.depart(ctx, w, f, nil)
	if err == nil && f.Asked != nil {
		err = g.promptOpened(ctx, f)
	}
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	quiet(w)
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	http.Redirect(w, r, to, status)
}

// depart keeps the flow, with what the logins before brought, and makes the consent page's address.
func (g *Gateway) depart(ctx context.Context, w http.ResponseWriter, f flow, legs []leg) (string, error) {
	state, session := newToken(), newToken()
	f.Verifier, f.Session = newToken()+newToken(), digest(session)
	var err error
	if f.Legs, err = g.packLegs(f, legs); err != nil {
		return "", err
	}
	callback, err := g.publicURL("/auth/" + f.plugin() + "/callback")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(f.Verifier))
	params := OAuthParams{
		Type: f.Type, State: state, RedirectURI: callback, Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), PlatformID: g.known(ctx, f),
		Email: g.wantsMail(ctx, f),
	}
	to, err := g.plugins[f.plugin()].m.OAuth.Authorize(params)
	if err != nil {
		return "", err
	}
	if err := g.putTicket(ctx, ticketState, state, f, stateTime); err != nil {
		return "", err
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(state), Value: session, Path: "/", MaxAge: int(stateTime / time.Second), HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: g.public.Scheme == "https",
	})
	return to, nil
}

// known is the platform object that an instance of the community stands for, if there is one.
func (g *Gateway) known(ctx context.Context, f flow) string {
	if f.Community == "" {
		return ""
	}
	name := f.Name
	if name == "" || f.At > 0 {
		name = f.plugin()
	}
	var row store.Instance
	if err := g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.InstanceByName(f.Community, name); return err }); err != nil || row.Plugin != f.plugin() {
		return ""
	}
	return row.PlatformID
}

// serveCallback is where the browser comes back. Nothing is exchanged before the state has proved to be ours, unused, young, and this
// browser's.
func (g *Gateway) serveCallback(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	q := r.URL.Query()
	quiet(w)
	state := q.Get("state")
	var f flow
	if err := g.takeTicket(ctx, ticketState, state, &f); err != nil || f.plugin() != r.PathValue("plugin") {
		g.page(w, http.StatusBadRequest, "This authorization is unknown, was used, or is too old. Please begin again.")
		return
	}
	cookie, err := r.Cookie(cookieName(state))
	if err != nil || subtle.ConstantTimeCompare([]byte(digest(cookie.Value)), []byte(f.Session)) != 1 {
		g.page(w, http.StatusBadRequest, "This authorization was begun in another browser. Please begin again.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName(state), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: g.public.Scheme == "https"})
	var result LoginResult
	var onward []leg
	switch {
	case q.Get("error") == "access_denied":
		err = Errorf(Denied, "the person did not agree")
	case q.Get("error") != "":
		err = Errorf(Unavailable, "the platform answered %q", q.Get("error"))
	case q.Get("code") == "":
		err = Errorf(Invalid, "the platform sent no code")
	default:
		if f.Link != "" && !f.together() {
			// Used up here and not when it is opened: chat programs open links to show what is behind them.
			if err := g.ticket(ctx, ticketLink, f.Link, &f.linkTicket, usedUp); err != nil {
				g.page(w, http.StatusBadRequest, usedLink)
				return
			}
		}
		result, onward, err = g.conclude(ctx, &f, q)
	}
	if err == nil && onward != nil {
		f.At++
		var to string
		if to, err = g.depart(ctx, w, f, onward); err == nil {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
	}
	if err != nil {
		g.log.WarnContext(ctx, "an authorization failed", "plugin", f.plugin(), "community", f.Community, "type", f.Type, "error", err)
		g.letGo(ctx, append(g.unpackLegs(f), onward...))
	}
	g.leave(w, r, f, result, err)
}

// leave sends the browser to the driver, with a code that the driver trades for the result: nothing else travels in the URL.
func (g *Gateway) leave(w http.ResponseWriter, r *http.Request, f flow, result LoginResult, err error) {
	if f.Redirect == "" {
		if err != nil {
			g.page(w, http.StatusBadRequest, "That did not work ("+string(CodeOf(err))+").")
			return
		}
		g.page(w, http.StatusOK, "Done. You can close this page.")
		return
	}
	to, perr := url.Parse(f.Redirect)
	if perr != nil {
		g.refuse(w, r, perr)
		return
	}
	q := to.Query()
	for _, ours := range []string{"code", "error", "community"} {
		q.Del(ours)
	}
	if f.State != "" {
		q.Set("state", f.State)
	}
	if err == nil {
		code := newToken()
		if err = g.putTicket(r.Context(), ticketCode, code, result, codeTime); err == nil {
			q.Set("code", code)
			if result.Community != "" {
				q.Set("community", result.Community)
			}
		}
	}
	if err != nil {
		q.Set("error", string(CodeOf(err)))
	}
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// Redeem trades the code that came with a browser's redirect for the result. A code works once, for two minutes.
func (g *Gateway) Redeem(ctx context.Context, code string) (LoginResult, error) {
	var out LoginResult
	err := g.takeTicket(ctx, ticketCode, code, &out)
	return out, err
}

// putTicket keeps something under the hash of a token: who reads the database cannot use it.
func (g *Gateway) putTicket(ctx context.Context, kind, token string, v any, good time.Duration) error {
	err := g.update(ctx, func(tx store.Tx) error { return g.putTicketTx(tx, kind, token, v, good) })
	return storeError(err, "keeping a ticket")
}

// putTicketTx is putTicket within a transaction.
func (g *Gateway) putTicketTx(tx store.Tx, kind, token string, v any, good time.Duration) error {
	raw, err := ticketData(v)
	if err != nil {
		return err
	}
	return tx.PutTicket(store.Ticket{Kind: kind, ID: digest(token), Data: raw, Until: g.now().Add(good)})
}

func ticketData(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, Errorf(Internal, "encoding a ticket: %w", err)
	}
	return raw, nil
}

// takeTicket reads a ticket that then is used up.
func (g *Gateway) takeTicket(ctx context.Context, kind, token string, v any) error {
	return g.ticket(ctx, kind, digest(token), v, usedUp)
}

func usedUp(store.Tx, store.Ticket) error { return nil }

// readTicket reads a ticket that can be read again.
func (g *Gateway) readTicket(ctx context.Context, kind, token string, v any) error {
	return g.ticket(ctx, kind, digest(token), v, store.Tx.PutTicket)
}

// ticket takes the ticket with this hash and does something with it in the same transaction.
func (g *Gateway) ticket(ctx context.Context, kind, id string, v any, then func(store.Tx, store.Ticket) error) error {
	var t store.Ticket
	err := g.update(ctx, func(tx store.Tx) (err error) {
		if t, err = tx.TakeTicket(kind, id, g.now()); err != nil {
			return err
		}
		return then(tx, t)
	})
	if errors.Is(err, store.ErrNotFound) {
		return Errorf(NotFound, "the token is unknown, was used, or is too old")
	}
	if err != nil {
		return storeError(err, "taking a ticket")
	}
	if err := json.Unmarshal(t.Data, v); err != nil {
		return Errorf(Internal, "decoding a ticket: %w", err)
	}
	return nil
}

// page shows a person one sentence.
func (g *Gateway) page(w http.ResponseWriter, status int, message string) {
	quiet(w)
	if g.o.OAuth.Page != nil {
		g.o.OAuth.Page(w, status < 400, message)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(message + "\n"))
}

// quiet keeps codes and states out of caches and of the next site's logs.
func quiet(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// cookieName lets one browser have several authorizations under way.
func cookieName(state string) string { return "gateway_" + strings.ToLower(digest(state)[:16]) }
