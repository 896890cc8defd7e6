package gateway

import (
	"context"
	"html/template"
	"net/http"
	"time"

	"github.com/metagov/gateway-go/store"
)

// LinkPrompt asks somebody to link another account, and says why.
type LinkPrompt struct {
	// Person is who is asked; or Account is, which may be linked to nobody yet.
	Person  string
	Account AccountRef
	Plugin  string // of the account that is wanted
	Reason  string // why, as plain text
	Page    bool   // the reason is shown in the browser before the platform's consent page
	// Redirect and State are as in [AuthRequest].
	Redirect string
	State    string
	Good     time.Duration // how long the link works; 0: seven days, at most 30
	Merge    bool          // where the account is somebody's already, who asked is merged with them: both were proved
	// Trusting believes whoever opens the link to be who is asked. Without it they have to log in with an account of theirs first, so that a link
	// that others see is of no use to them: somebody could link an account of their own to another's person. Set it only for a link that is given
	// in private, a direct message for example. The page before the consent page is then always shown, and says for whom it is.
	Trusting bool
}

// Prompted is a prompt that was made.
type Prompted struct {
	ID      string // events that come of it carry it: [LinkPrompted], [LinkOpened], [AccountLinked], [PeopleMerged], [EvidenceAdded]
	URL     string // works until somebody has linked an account by it
	Expires time.Time
}

const (
	usualPrompt     = 7 * 24 * time.Hour
	maxPrompt       = 30 * 24 * time.Hour
	maxPromptReason = 2000
)

// prompt is what is kept of a LinkPrompt.
type prompt struct {
	ID       string  `json:"id"`
	Person   string  `json:"person,omitempty"`
	Account  account `json:"account,omitzero"`
	Reason   string  `json:"reason,omitempty"`
	Page     bool    `json:"page,omitempty"`
	Trusting bool    `json:"trusting,omitempty"`
	Opened   bool    `json:"opened,omitempty"`
}

// account is an account as a prompt has it.
type account AccountRef

// AccountRef names it.
func (a account) AccountRef() AccountRef { return AccountRef(a) }
func (a account) key() string            { return AccountKey(a.Plugin, a.PlatformID, a.UserID) }

// PromptLink makes a link by which somebody links another account of theirs. Denied: the community does not link people this way. Conflict: the person
// has no account that one can log in with, so that only a Trusting prompt is possible. NotFound: there is no such person, or plugin to log in with.
func (c *Community) PromptLink(ctx context.Context, l LinkPrompt) (Prompted, error) {
	good := min(positive(l.Good, usualPrompt), maxPrompt)
	switch {
	case (l.Person == "") == (l.Account == AccountRef{}):
		return Prompted{}, Errorf(Invalid, "a prompt is for a person or an account")
	case len(l.Reason) > maxPromptReason:
		return Prompted{}, Errorf(Invalid, "the reason has %d bytes, at most %d are possible", len(l.Reason), maxPromptReason)
	case l.Trusting && l.Merge:
		return Prompted{}, Errorf(Invalid, "people are merged only where both have logged in: a Trusting prompt cannot Merge")
	case l.Good > maxPrompt:
		return Prompted{}, Errorf(Invalid, "a prompt works for %s at most", maxPrompt)
	}
	p := &prompt{ID: newID("q"), Person: l.Person, Reason: l.Reason, Page: l.Page, Trusting: l.Trusting}
	r := AuthRequest{Plugin: l.Plugin, Type: Login, Community: c.row.Slug, Redirect: l.Redirect, State: l.State, Merge: l.Merge}
	person := ""
	err := c.look(ctx, func(tx store.Tx, set Settings) (err error) {
		if !set.links(ByPrompt) {
			return Errorf(Denied, "this community does not link people by %s", ByPrompt)
		}
		person, err = c.asked(tx, l, p, &r)
		return err
	})
	if err != nil {
		return Prompted{}, storeError(err, "prompting somebody in community %s", c.row.Slug)
	}
	if p.Trusting {
		r.Person = p.Person
	}
	if err := c.g.checkPrompt(ctx, &r); err != nil {
		return Prompted{}, err
	}
	token := newToken()
	out := Prompted{ID: p.ID, Expires: c.g.now().Add(good)}
	if out.URL, err = c.g.publicURL("/auth/" + r.Plugin + "/authorize?request=" + token); err != nil {
		return Prompted{}, err
	}
	err = c.identity(ctx, func(tx store.Tx, _ Settings) error {
		if err := c.g.putTicketTx(tx, ticketLink, token, linkTicket{r, p}, good); err != nil {
			return err
		}
		return c.g.identityChanged(ctx, tx, change{kind: LinkPrompted, community: c.row.Slug, person: person, subject: p.ID, how: l.Plugin, prompt: p.ID, text: l.Reason})
	})
	return out, storeError(err, "prompting somebody in community %s", c.row.Slug)
}

// asked completes a prompt: whose it is, and by which plugin's login they show that it is them.
func (c *Community) asked(tx store.Tx, l LinkPrompt, p *prompt, r *AuthRequest) (person string, err error) {
	if l.Person == "" {
		a, err := c.resolve(tx, l.Account)
		if err != nil {
			return "", err
		}
		p.Account = account(a)
		if !l.Trusting {
			r.Plugin, r.Then = a.Plugin, []string{l.Plugin}
		}
		return ownerOf(tx, c.row.Slug, a)
	}
	root, err := standing(tx, c.row.Slug, l.Person)
	if err != nil || l.Trusting {
		return root.ID, err
	}
	accounts, err := tx.Accounts(c.row.Slug, root.ID)
	if err != nil {
		return "", err
	}
	for _, a := range accounts {
		if plugin := c.g.plugins[a.Plugin]; plugin != nil && plugin.m.OAuth != nil {
			r.Plugin, r.Then = a.Plugin, []string{l.Plugin}
			return root.ID, nil
		}
	}
	return "", Errorf(Conflict, "person %s has no account that one can log in with, to show that it is them: only a Trusting prompt is possible", l.Person)
}

// checkPrompt is checkAuth for a prompt.
func (g *Gateway) checkPrompt(ctx context.Context, r *AuthRequest) error {
	plain := *r
	plain.Then, plain.Merge, plain.Person = nil, false, "" // whose ways are not the prompt's
	for _, plugin := range append([]string{r.Plugin}, r.Then...) {
		plain.Plugin = plugin
		if err := g.checkAuth(ctx, &plain); err != nil {
			return err
		}
	}
	return nil
}

// askedFor refuses who has logged in first and is not who was asked.
func (g *Gateway) askedFor(ctx context.Context, f flow, l leg) error {
	if f.Asked.Trusting {
		return nil
	}
	err := g.view(ctx, func(tx store.Tx) error {
		owner, err := ownerOf(tx, f.Community, l.ref())
		if err != nil {
			return err
		}
		return f.Asked.answered(tx, f.Community, l, owner)
	})
	return storeError(err, "looking for who was asked")
}

// answered says whether who has logged in, with an account that is owner's, is who was asked.
func (p *prompt) answered(tx store.Tx, community string, l leg, owner string) error {
	if p.Person == "" {
		if p.Account.key() != l.key() {
			return Errorf(Denied, "somebody else was asked: the first login has to be with the account that was")
		}
		return nil
	}
	root, err := standing(tx, community, p.Person)
	if err != nil {
		return storeError(err, "person %s", p.Person)
	}
	if owner != root.ID {
		return Errorf(Denied, "somebody else was asked: the first login has to be with an account of theirs")
	}
	return nil
}

// promptOpened tells, once, that somebody goes to a consent page by a prompt's link.
func (g *Gateway) promptOpened(ctx context.Context, f flow) error {
	if f.Asked.Opened {
		return nil
	}
	return storeError(g.update(ctx, func(tx store.Tx) error {
		t, err := tx.TakeTicket(ticketLink, f.Link, g.now())
		if err != nil {
			return err
		}
		f.Asked.Opened = true
		if t.Data, err = ticketData(f.linkTicket); err != nil {
			return err
		}
		if err := tx.PutTicket(t); err != nil {
			return err
		}
		person := ""
		if f.Asked.Person == "" {
			person, err = ownerOf(tx, f.Community, f.Asked.Account.AccountRef())
		} else {
			var p store.Person
			p, err = standing(tx, f.Community, f.Asked.Person)
			person = p.ID
		}
		if err != nil {
			return err
		}
		how := f.logins()[len(f.Then)]
		return g.identityChanged(ctx, tx, change{kind: LinkOpened, community: f.Community, person: person, subject: f.Asked.ID, how: how, prompt: f.Asked.ID})
	}), "noting that a prompt was opened")
}

// asks says that a page comes before the consent page.
func (f flow) asks() bool {
	return f.Person != "" || f.Asked != nil && (f.Asked.Page || f.Asked.Trusting)
}

// maxFor is how many accounts of a person the page before a consent page names.
const maxFor = 5

// linkPage says what a login is for.
func (g *Gateway) linkPage(ctx context.Context, f flow, token string) (LinkPage, error) {
	p := LinkPage{Plugin: f.logins()[len(f.Then)], Action: "?request=" + token}
	if f.Asked != nil {
		p.Reason = f.Asked.Reason
	}
	if f.Asked != nil && f.Asked.Trusting && f.Person == "" {
		p.For = []string{f.Asked.Account.Plugin + ": " + f.Asked.Account.UserID}
	}
	if f.Person == "" {
		return p, nil
	}
	err := g.view(ctx, func(tx store.Tx) error {
		p.For = nil
		who, err := standing(tx, f.Community, f.Person)
		if err != nil {
			return err
		}
		if who.Name != "" {
			p.For = append(p.For, who.Name)
		}
		accounts, err := tx.Accounts(f.Community, who.ID)
		for _, a := range accounts[:min(len(accounts), maxFor)] {
			p.For = append(p.For, a.Plugin+": "+first(a.Name, a.UserID))
		}
		return err
	})
	return p, storeError(err, "person %s", f.Person)
}

// promptPage is what a browser sees before the consent page. It goes on by a form: programs that look at links send none.
var promptPage = template.Must(template.New("prompt").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Link an account</title></head>
<body>{{with .Reason}}<p style="white-space:pre-wrap">{{.}}</p>
{{end}}{{if .For}}<p>Your account of {{.Plugin}} will be linked to:</p>
<ul>{{range .For}}<li>{{.}}</li>{{end}}</ul>
<p>Go on only if that is you.</p>
{{end}}<form method="post" action="{{.Action}}"><button>Continue</button></form></body></html>
`))

// showLink shows what a login is for.
func (g *Gateway) showLink(ctx context.Context, w http.ResponseWriter, f flow, token string) {
	p, err := g.linkPage(ctx, f, token)
	if err != nil {
		g.page(w, http.StatusBadRequest, usedLink)
		return
	}
	quiet(w)
	if g.o.OAuth.Ask != nil {
		g.o.OAuth.Ask(w, p)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// No form-action: browsers hold it against where the answer to the form leads, which is the platform.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	if err := promptPage.Execute(w, p); err != nil {
		g.log.WarnContext(ctx, "the page before a consent page could not be shown", "plugin", f.Plugin, "error", err)
	}
}
