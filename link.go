package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// linkOAuth is the link type of accounts that have logged in.
const linkOAuth = "oauth"

// linkErased is the link type of accounts whose person was erased while votes were open: nothing is known of them but that they were one's, so
// that nobody votes twice by being erased in between. To everybody else they are linked to nobody.
const linkErased = "erased"

// maxLogins is how many logins may follow each other in one session.
const maxLogins = 5

// checkLink refuses a login whose accounts could not be linked as it asks.
func (g *Gateway) checkLink(ctx context.Context, r *AuthRequest) error {
	switch {
	case r.Type != Login && (len(r.Then) > 0 || r.Merge || r.Person != ""):
		return Errorf(Invalid, "Then, Merge and Person are for logins")
	case len(r.Then) >= maxLogins:
		return Errorf(Invalid, "%d logins in one session are too many: at most %d", len(r.Then)+1, maxLogins)
	case r.Merge && len(r.Then) == 0:
		return Errorf(Invalid, "Merge is for several logins: one shows of one person only who they are")
	case r.Person != "" && r.Community == "":
		return Errorf(Invalid, "a person is one of a community: say which")
	}
	for _, name := range r.Then {
		p := g.plugins[name]
		if p == nil || p.m.OAuth == nil {
			return Errorf(NotFound, "there is no plugin %q that one can log in with", name)
		}
	}
	if r.Community == "" {
		return nil
	}
	err := g.view(ctx, func(tx store.Tx) error {
		set, err := settingsOf(tx, r.Community)
		if err != nil {
			return err
		}
		if r.Person != "" {
			if _, err := standing(tx, r.Community, r.Person); err != nil {
				return storeError(err, "person %s", r.Person)
			}
		}
		return mayLink(set, *r, nil)
	})
	return storeError(err, "reading the settings of %s", r.Community)
}

// mayLink refuses a login by a way that the community has switched off.
func mayLink(set Settings, r AuthRequest, asked *prompt) error {
	for _, way := range []struct {
		name string
		used bool
	}{{ByPrompt, asked != nil}, {ByBothLogins, asked == nil && len(r.Then) > 0}, {ByLogin, asked == nil && r.Person != ""}} {
		if way.used && !set.links(way.name) {
			return Errorf(Denied, "this community does not link people by %s", way.name)
		}
	}
	return nil
}

// leg is what one login brought.
type leg struct {
	Plugin     string          `json:"plugin"`
	PlatformID string          `json:"platform_id"`
	UserID     string          `json:"user_id"`
	Name       string          `json:"name,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	Mail       string          `json:"mail,omitempty"` // a keyed hash
	Instance   string          `json:"instance"`       // name
	Admin      bool            `json:"admin,omitempty"`
	Token      *keptToken      `json:"token,omitempty"`
}

func (l leg) ref() AccountRef { return AccountRef{l.Plugin, l.PlatformID, l.UserID} }
func (l leg) key() string     { return AccountKey(l.Plugin, l.PlatformID, l.UserID) }

// packLegs seals what earlier logins of a session brought, while the browser is at the next consent page.
func (g *Gateway) packLegs(f flow, legs []leg) ([]byte, error) {
	if len(legs) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(legs)
	if err != nil || g.o.Seal == nil {
		return raw, err
	}
	sealed, err := g.o.Seal.Encrypt(raw, []byte("gateway logins "+f.Session))
	if err != nil {
		return nil, Errorf(Unavailable, "sealing a login: %w", err)
	}
	return sealed, nil
}

// unpackLegs opens what packLegs made. What cannot be opened is nothing: the last login then stands alone and is refused.
func (g *Gateway) unpackLegs(f flow) (legs []leg) {
	raw := f.Legs
	if len(raw) > 0 && g.o.Seal != nil {
		var err error
		if raw, err = g.o.Seal.Decrypt(raw, []byte("gateway logins "+f.Session)); err != nil {
			return nil
		}
	}
	if len(raw) == 0 || json.Unmarshal(raw, &legs) != nil {
		return nil
	}
	return legs
}

// login takes what one login brought. It gives all so far where another is to follow; after the last it links them all, or none.
func (g *Gateway) login(ctx context.Context, f *flow, grant Grant[json.RawMessage], failed error) (LoginResult, []leg, error) {
	legs := g.unpackLegs(*f)
	l, err := g.arrive(ctx, f, grant, failed)
	if err == nil && len(legs) != f.At {
		err = Errorf(Internal, "the logins before this one cannot be read any more")
	}
	if err == nil && f.Asked != nil && f.At == 0 {
		err = g.askedFor(ctx, *f, l) // now, rather than at the end of a way that leads nowhere
	}
	legs = append(legs, l)
	if err == nil && f.At < len(f.Then) {
		return LoginResult{}, legs, nil
	}
	var accounts []Account
	if err == nil {
		accounts, err = g.settleLogins(ctx, *f, legs)
	}
	if err != nil {
		g.letGo(ctx, legs[len(legs)-1:]) // serveCallback lets go of the others
		return LoginResult{}, nil, err
	}
	at := 0
	if f.Asked != nil {
		at = len(legs) - 1 // the one that was asked for
	}
	result := LoginResult{
		Type: Login, Community: f.Community, Plugin: legs[at].Plugin, Instance: legs[at].Instance, Account: accounts[at], Admin: legs[at].Admin,
	}
	if len(accounts) > 1 {
		result.Accounts = accounts
	}
	if f.Asked != nil {
		result.Prompt = f.Asked.ID
	}
	return result, nil, nil
}

// arrive finds the community to which an account that has logged in belongs, and has its token kept until it is clear what comes of it.
func (g *Gateway) arrive(ctx context.Context, f *flow, grant Grant[json.RawMessage], failed error) (leg, error) {
	instance, err := "", failed
	if err == nil {
		instance, err = g.locate(ctx, f, grant)
	}
	l, held := g.legOf(ctx, *f, f.Community, grant)
	l.Instance = instance
	if err == nil {
		err = held
	}
	return l, err
}

// locate finds the instance whose platform object an account belongs to, and with it the community where nobody said which.
func (g *Gateway) locate(ctx context.Context, f *flow, grant Grant[json.RawMessage]) (instance string, err error) {
	if grant.User.ID == "" {
		return "", Errorf(Denied, "the platform did not say who logged in")
	}
	rows, err := g.installed(ctx, f.plugin(), grant.PlatformID)
	if err != nil {
		return "", err
	}
	if f.Community == "" {
		if len(rows) != 1 {
			return "", Errorf(Conflict, "the account's platform object is installed in %s; say which community is meant", plural(len(rows), "communitie"))
		}
		f.Community = rows[0].Community
	}
	for _, row := range rows {
		if row.Community == f.Community {
			instance = row.Name
		}
	}
	if instance == "" {
		return "", Errorf(Denied, "the account belongs to a platform object that is not installed in community %s", f.Community)
	}
	return instance, nil
}

// legOf makes a leg of what a platform granted. Its token is revoked unless it is put in its place while a browser may be under way.
func (g *Gateway) legOf(ctx context.Context, f flow, community string, grant Grant[json.RawMessage]) (leg, error) {
	u := grant.User
	l := leg{Plugin: f.plugin(), PlatformID: grant.PlatformID, UserID: u.ID, Name: u.Name, Data: u.Data, Admin: grant.Admin}
	if u.EmailVerified {
		l.Mail = g.mailHash(ctx, community, u.Email)
	}
	if u.Token == nil || u.Token.Access == "" || u.ID == "" || grant.PlatformID == "" {
		return l, nil
	}
	if g.o.Seal == nil {
		g.log.WarnContext(ctx, "a person's token is not kept: there is no Options.Seal", "plugin", l.Plugin)
		if revoke := g.plugins[l.Plugin].m.OAuth.Revoke; revoke != nil {
			err := g.guard("revoking a token of "+l.Plugin, func() error { return revoke(ctx, g.tokenCall(l.ref(), *u.Token)) })
			if err != nil {
				g.log.WarnContext(ctx, "a token that is not kept could not be revoked", "plugin", l.Plugin, "error", err)
			}
		}
		return l, nil
	}
	var err error
	l.Token, err = g.holdToken(ctx, community, l.ref(), *u.Token, time.Duration(maxLogins)*stateTime)
	return l, err
}

// settleLogins links the accounts of one session's logins, puts their tokens in their places, or does nothing of it.
func (g *Gateway) settleLogins(ctx context.Context, f flow, legs []leg) (accounts []Account, err error) {
	ctx = byOAuth(ctx, legs[0].Plugin, legs[0].UserID)
	err = g.update(ctx, func(tx store.Tx) error {
		if f.Link != "" && f.together() {
			if _, err := tx.TakeTicket(ticketLink, f.Link, g.now()); err != nil {
				return storeError(err, "the link was used, or is too old")
			}
		}
		j := &joint{g: g, community: f.Community, req: f.AuthRequest, asked: f.Asked, legs: legs, now: g.now()}
		var err error
		accounts, err = j.settle(ctx, tx)
		return err
	})
	return accounts, storeError(err, "linking account %s in community %s", legs[0].ref(), f.Community)
}

// joint makes the accounts of one session's logins one person's, within a transaction.
type joint struct {
	g         *Gateway
	community string
	req       AuthRequest
	asked     *prompt
	legs      []leg
	now       time.Time

	set    Settings
	owners []string // whose the accounts are already, "" for nobody's
	into   string   // whose they become
	fresh  bool     // that is somebody new
	named  bool     // that is somebody whom the driver named
	beside string   // the account that the driver named, where it names no person
}

func (j *joint) settle(ctx context.Context, tx store.Tx) ([]Account, error) {
	var err error
	if j.set, err = settingsOf(tx, j.community); err != nil {
		return nil, err
	}
	if err := mayLink(j.set, j.req, j.asked); err != nil {
		return nil, err
	}
	if err := j.own(tx); err != nil {
		return nil, err
	}
	same, err := j.choose(tx)
	if err != nil {
		return nil, err
	}
	for i := range j.legs {
		if err := j.link(ctx, tx, i, same); err != nil {
			return nil, err
		}
	}
	if err := j.prove(ctx, tx); err != nil {
		return nil, err
	}
	if err := j.takeAlong(ctx, tx); err != nil {
		return nil, err
	}
	accounts := make([]Account, len(j.legs))
	for i, l := range j.legs {
		if err := j.g.putToken(tx, j.community, l.ref(), l.Token); err != nil {
			return nil, err
		}
		row, err := tx.Account(j.community, l.Plugin, l.PlatformID, l.UserID)
		if err != nil {
			return nil, err
		}
		accounts[i] = accountOf(row)
	}
	return accounts, j.suggest(ctx, tx, accounts)
}

// own finds whose the accounts are already.
func (j *joint) own(tx store.Tx) error {
	for i, l := range j.legs {
		if slices.ContainsFunc(j.legs[:i], func(o leg) bool { return o.key() == l.key() }) {
			return Errorf(Conflict, "both logins were of the same account")
		}
		owner, err := ownerOf(tx, j.community, l.ref())
		if err != nil {
			return err
		}
		if owner != "" {
			if err := j.still(tx, l); err != nil {
				return err
			}
		}
		j.owners = append(j.owners, owner)
	}
	return nil
}

// still refuses the login of whoever has an account's name now and is not who had it when the account was linked.
func (j *joint) still(tx store.Tx, l leg) error {
	row, err := tx.Account(j.community, l.Plugin, l.PlatformID, l.UserID)
	if err != nil || row.Data == nil || l.Data == nil {
		return err
	}
	p := j.g.plugins[l.Plugin]
	if p == nil || p.m.OAuth == nil || p.m.OAuth.Same == nil {
		return nil
	}
	same := false
	if err := j.g.guard("comparing logins of "+l.Plugin, func() error { same = p.m.OAuth.Same(row.Data, l.Data); return nil }); err != nil {
		return err
	}
	if !same {
		return Errorf(Conflict, "account %s has its name from somebody who had it before: unlink it first", l.ref())
	}
	return nil
}

// ownerOf finds whose an account is, "" where it is linked to nobody.
func ownerOf(tx store.Tx, community string, a AccountRef) (string, error) {
	row, err := linkedAccount(tx, community, a)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return row.Person, err
}

// choose decides whose the accounts become. same is the account with the same verified address by which a new one becomes somebody's.
func (j *joint) choose(tx store.Tx) (same *store.Account, err error) {
	target := ""
	switch {
	case j.req.Person != "":
		p, err := standing(tx, j.community, j.req.Person)
		if err != nil {
			return nil, storeError(err, "person %s", j.req.Person)
		}
		target, j.named = p.ID, true
	case j.asked != nil && !j.asked.Trusting:
		if err := j.asked.answered(tx, j.community, j.legs[0], j.owners[0]); err != nil {
			return nil, err
		}
	case j.asked != nil:
		j.beside = j.asked.Account.key()
		if j.beside == j.legs[0].key() {
			return nil, Errorf(Conflict, "it is the account that is asked for another")
		}
		if target, err = ownerOf(tx, j.community, j.asked.Account.AccountRef()); err != nil {
			return nil, err
		}
	}
	people := []string{}
	for _, id := range append([]string{target}, j.owners...) {
		if id != "" && !slices.Contains(people, id) {
			people = append(people, id)
		}
	}
	switch {
	case len(people) == 0 && j.asked == nil && len(j.legs) == 1 && j.req.Type == Login:
		same, err = j.sameMail(tx)
		if err != nil {
			return nil, err
		}
		if same != nil {
			people = append(people, same.Person)
		}
	case len(people) > 1 && !j.req.Merge:
		return nil, Errorf(Conflict, "the accounts are different people's already")
	case len(people) > 1 && target != "" && !slices.Contains(j.owners, target):
		return nil, Errorf(Conflict, "the account is somebody else's already, and the person who was named has not logged in")
	}
	if len(people) > 0 {
		j.into = people[0]
		return same, nil
	}
	p := store.Person{ID: newID("u"), Community: j.community, Kind: APerson, Created: j.now, Updated: j.now}
	j.into, j.fresh = p.ID, true
	return nil, tx.PutPerson(p)
}

// link makes one account the person's. What they are linked by says no more than was shown: an account that comes to somebody by another of their
// accounts hangs on that account, however weakly that hangs on the person.
func (j *joint) link(ctx context.Context, tx store.Tx, i int, same *store.Account) error {
	l := j.legs[i]
	owner := j.owners[i]
	switch {
	case owner == "":
		ground, err := j.ground(tx, i, same, false)
		if err != nil {
			return err
		}
		row := store.Account{
			Community: j.community, Plugin: l.Plugin, PlatformID: l.PlatformID, UserID: l.UserID, Name: l.Name, Data: l.Data, LinkType: linkOAuth, Mail: j.mail(l),
		}
		if same != nil { // that it logged in shows whose the address is, and not that the person is at the browser
			row.LinkType = EmailVerified
		}
		if _, err := j.g.linkTx(ctx, tx, j.into, row, ground); err != nil {
			return err
		}
		j.owners[i] = j.into
		return nil
	case owner != j.into:
		if o, err := ownerOf(tx, j.community, l.ref()); err != nil {
			return err
		} else if o != j.into { // otherwise another of that person's accounts has brought it along
			ground, err := j.ground(tx, i, nil, true)
			if err != nil {
				return err
			}
			if _, err := j.g.mergeTx(ctx, tx, j.community, j.into, owner, ground); err != nil {
				return err
			}
		}
		j.owners[i] = j.into
	case j.named:
		ev, fresh, err := j.evidence(tx, l.key(), PersonKey(j.into), OneLogin, l.Plugin)
		if err != nil {
			return err
		}
		if fresh {
			if err := j.g.identityChanged(ctx, tx, j.added(ev)); err != nil {
				return err
			}
		}
	}
	// A login moves no account that is somebody's already, and makes no link stronger that others have made.
	row, err := tx.Account(j.community, l.Plugin, l.PlatformID, l.UserID)
	if err != nil {
		return err
	}
	row.Name, row.Mail, row.Updated = first(l.Name, row.Name), j.mail(l), j.now
	if j.named { // otherwise it is there by what it was linked by
		row.LinkType = linkOAuth
	}
	if l.Data != nil {
		row.Data = l.Data
	}
	return tx.PutAccount(row)
}

// ground is on what an account comes to the person, or, with whoever has it, is merged with them.
func (j *joint) ground(tx store.Tx, i int, same *store.Account, merges bool) (Ground, error) {
	l := j.legs[i]
	e := Ground{Kind: OneLogin, Issuer: l.Plugin, At: j.now}
	if j.asked != nil {
		e.prompt = j.asked.ID
	}
	other := ""
	switch {
	case merges:
	case same != nil:
		e.Kind, e.Issuer, other = EmailVerified, "", accountOf(*same).key()
	case j.beside != "" && !j.fresh:
		other = j.beside
	case j.named || j.fresh:
		return e, nil
	}
	if other == "" {
		at := slices.Index(j.owners, j.into) // there is one: it is of their people that one was chosen
		e.Kind, e.Issuer, other = BothLogins, j.issuer(i, at), j.legs[at].key()
	}
	ev, _, err := j.evidence(tx, l.key(), other, e.Kind, e.Issuer)
	e.proof = ev.ID
	return e, err
}

// issuer is who says that two accounts logged in: both plugins.
func (j *joint) issuer(a, b int) string {
	names := []string{j.legs[a].Plugin, j.legs[b].Plugin}
	slices.Sort(names)
	return strings.Join(names, "+")
}

// evidence keeps evidence between two subjects, and says whether it is news.
func (j *joint) evidence(tx store.Tx, a, b, kind, issuer string) (ev store.Evidence, fresh bool, err error) {
	return j.g.keepEvidence(tx, j.community, a, b, Ground{Kind: kind, Issuer: issuer, At: j.now}, 0)
}

// prove keeps that the accounts logged in together, each with each: should one be unlinked, the others stay as sure of each other.
func (j *joint) prove(ctx context.Context, tx store.Tx) error {
	for a := range j.legs {
		for b := range j.legs[:a] {
			ev, fresh, err := j.evidence(tx, j.legs[a].key(), j.legs[b].key(), BothLogins, j.issuer(a, b))
			if err != nil {
				return err
			}
			if fresh {
				if err := j.g.identityChanged(ctx, tx, j.added(ev)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// added tells of evidence that came to what is linked already.
func (j *joint) added(ev store.Evidence) change {
	c := change{kind: EvidenceAdded, community: j.community, person: j.into, subject: ev.ID, how: ev.Kind, issuer: ev.Issuer}
	if j.asked != nil {
		c.prompt = j.asked.ID
	}
	return c
}

// takeAlong links the account that a prompt was for, where it is nobody's yet.
func (j *joint) takeAlong(ctx context.Context, tx store.Tx) error {
	if j.beside == "" {
		return nil
	}
	l := j.legs[0]
	ev, fresh, err := j.evidence(tx, j.beside, l.key(), OneLogin, l.Plugin)
	if err != nil {
		return err
	}
	a := j.asked.Account.AccountRef()
	owner, err := ownerOf(tx, j.community, a)
	if err != nil || owner != "" {
		if err == nil && fresh {
			err = j.g.identityChanged(ctx, tx, j.added(ev))
		}
		return err
	}
	row := store.Account{Community: j.community, Plugin: a.Plugin, PlatformID: a.PlatformID, UserID: a.UserID, LinkType: OneLogin}
	_, err = j.g.linkTx(ctx, tx, j.into, row, Ground{Kind: OneLogin, Issuer: l.Plugin, At: j.now, proof: ev.ID, prompt: j.asked.ID})
	return err
}
