package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metagov/gateway-go/store"
)

// Identity is as whom an action on behalf of a person is done on the platform.
type Identity string

// The identities that need no more said. [AsAdmin] makes the third kind.
const (
	AsPerson Identity = "person" // with the person's own credentials
	AsBot    Identity = "bot"    // with the instance's, as actions are done otherwise
)

// adminIdentity is how those of AsAdmin begin.
const adminIdentity = "admin:"

// AsAdmin is the credentials of another person, who has delegated that: see [Delegation].
func AsAdmin(person string) Identity { return Identity(adminIdentity + person) }

// admin is the person of AsAdmin.
func (i Identity) admin() (person string, ok bool) {
	return strings.CutPrefix(string(i), adminIdentity)
}

// Delegation names the consent with which a person lets actions be done with their credentials on behalf of others: one action of a plugin, or,
// with action "", all of them.
//
//	c.Consent(ctx, admin, gateway.Delegation("slack", "pin-message"))
func Delegation(plugin, action string) string {
	if action == "" {
		return "delegate:" + plugin
	}
	return "delegate:" + plugin + "/" + action
}

// behalf is what OnBehalfOf says.
type behalf struct {
	person string
	policy []Identity
}

// OnBehalfOf has an action done on behalf of a person, by their ID, or by an account ([AccountKey]), of whose own credentials only those of that very
// account are used. A person has what is linked to them, however weakly: where somebody is taken for a person by one account, name the account, or
// ask [Community.Require] how surely the others are theirs. It is done as the first identity of the policy that is possible: nothing but the person's own where
// none is given. Where none is possible it is Denied, saying what is missing; no identity that is not in the policy is used instead, nor is the next
// where the platform cannot be reached or refuses. The record says which was used, see [Acted] and [AuditAction]. Invalid: the action cannot act
// as people, see [Acts].
func OnBehalfOf(person string, policy ...Identity) DoOption {
	return func(o *doOptions) { o.behalf = &behalf{person, policy} }
}

// Acted has out say as whom the action was done. It is "" where it was on behalf of nobody, or was refused before.
func Acted(out *Identity) DoOption { return func(o *doOptions) { o.acted = out } }

// Acts says that an action can be done with a person's own credentials, and which permissions of theirs it needs, as the platform names them;
// "a|b" is either. It asks [ActingAs] for them. An action that does not say so refuses [OnBehalfOf].
func Acts(permissions ...string) Option {
	return func(o *options) { o.acts = &ActsDef{Needs: permissions} }
}

// ActsDef is Acts as the manifest has it.
type ActsDef struct {
	Needs []string `json:"needs,omitempty"` // permissions of the person's own credentials
}

// Acting is as whom an action is done.
type Acting struct {
	Identity Identity
	UserID   string // on the platform
	Token    Secret

	call *Call
}

// ActingAs gives the credentials with which the action is to be done whose context it is, or its [Lookup]. false: it is done as usual, with the
// instance's.
func ActingAs(ctx context.Context) (Acting, bool) {
	c := scopeOf(ctx).call
	if c == nil || c.acting == nil {
		return Acting{}, false
	}
	return Acting{Identity: c.acting.As, UserID: c.acting.Account.UserID, Token: c.acting.token, call: c}, true
}

// Renew says that the platform does not take the token, and gives another to try once more with, where there is one: a fresh one, or what a login
// has brought meanwhile. Denied: there is none. Drivers then hear of it by [TokenRefused].
func (a Acting) Renew(ctx context.Context) (Secret, error) {
	if a.call == nil || a.call.g == nil || a.Token == "" {
		return "", Errorf(Internal, "Renew works only with what ActingAs gave")
	}
	t, err := a.call.g.tokenOf(ctx, a.call.row.Community, a.call.acting.Account, a.Token)
	if err != nil {
		return "", err
	}
	a.call.acting.token = t.Access
	return t.Access, nil
}

// acting is as whom a call is done, and for whom. All but the token stands in its row.
type acting struct {
	For     string     `json:"for"` // the person on whose behalf it is
	As      Identity   `json:"as"`
	Account AccountRef `json:"account,omitzero"` // whose credentials are used

	token Secret
}

// refuseBehalf is for what knows nothing of identities.
func (o doOptions) refuseBehalf(what string) error {
	if o.behalf != nil {
		return Errorf(Invalid, "%s cannot be done on behalf of a person: actions can", what)
	}
	return nil
}

// actingFor finds as whom an action is done that was asked for on behalf of a person.
func (g *Gateway) actingFor(ctx context.Context, o *opened, act *action, b *behalf) (*acting, error) {
	if act.Acts == nil {
		return nil, Errorf(Invalid, "action %s cannot be done on behalf of a person", act.Name)
	}
	policy := b.policy
	if len(policy) == 0 {
		policy = []Identity{AsPerson}
	}
	for _, id := range policy {
		if admin, ok := id.admin(); id != AsPerson && id != AsBot && (!ok || admin == "") {
			return nil, Errorf(Invalid, "there is no identity %q", id)
		}
	}
	var who store.Person
	var only AccountRef
	err := g.view(ctx, func(tx store.Tx) (err error) { who, only, err = b.who(tx, o.row.Community); return err })
	if err != nil {
		return nil, storeError(err, "person %s in community %s", b.person, o.row.Community)
	}
	var missing []error
	for _, id := range policy {
		a := &acting{For: who.ID, As: id}
		if id == AsBot {
			return a, nil
		}
		err := g.actingAs(ctx, o, act, a, only)
		if CodeOf(err) != Denied {
			return a, err // also where it cannot be known now: another identity is not a way round that
		}
		missing = append(missing, fmt.Errorf("as %s: %w", id, err))
	}
	return nil, Errorf(Denied, "%s on behalf of person %s is not possible: %w", act.Name, who.ID, errors.Join(missing...))
}

// who finds the person, and the account where one was named.
func (b *behalf) who(tx store.Tx, community string) (p store.Person, only AccountRef, err error) {
	id := b.person
	s, ok := parseSubject(id)
	switch {
	case ok && s.kind == kindAccount:
		only = AccountRef{s.plugin, s.platform, s.id}
		a, err := linkedAccount(tx, community, only)
		if err != nil {
			return p, only, err
		}
		id = a.Person
	case ok && s.kind == kindPerson:
		id = s.id
	}
	p, err = standing(tx, community, id)
	return p, only, err
}

// actingAs finds the account and token of an identity that is a person.
func (g *Gateway) actingAs(ctx context.Context, o *opened, act *action, a *acting, only AccountRef) error {
	person := a.For
	var accounts []store.Account
	err := g.view(ctx, func(tx store.Tx) error {
		if admin, ok := a.As.admin(); ok {
			p, err := standing(tx, o.row.Community, admin)
			if errors.Is(err, store.ErrNotFound) {
				return Errorf(Denied, "there is no person %s", admin)
			}
			if err != nil {
				return err
			}
			person = p.ID
			if err := g.delegated(tx, o.row.Community, person, o.row.Plugin, act.Name); err != nil {
				return err
			}
		}
		all, err := tx.Accounts(o.row.Community, person)
		accounts = nil
		for _, acc := range all {
			named := a.As != AsPerson || only == (AccountRef{}) || only == accountOf(acc).Ref()
			if acc.Plugin == o.row.Plugin && acc.PlatformID == o.row.PlatformID && named {
				accounts = append(accounts, acc)
			}
		}
		return err
	})
	if err != nil {
		return storeError(err, "the accounts of person %s", person)
	}
	if len(accounts) == 0 {
		return Errorf(Denied, "person %s has no account of %s there", person, o.row.Plugin)
	}
	var missing []error
	for _, acc := range accounts { // the first that can
		ref := accountOf(acc).Ref()
		t, err := g.tokenOf(ctx, o.row.Community, ref, "")
		if err == nil {
			lacks := lacking(t.Scopes, act.Acts.Needs)
			if lacks == nil {
				a.Account, a.token = ref, t.Access
				return nil
			}
			err = Errorf(Denied, "the token of account %s lacks %s", ref, strings.Join(lacks, ", "))
		}
		if CodeOf(err) != Denied {
			return err
		}
		missing = append(missing, err)
	}
	return errors.Join(missing...) // all Denied
}

// delegated refuses to use a person's credentials for others where they have not agreed to it. Only what the community itself has recorded counts, not
// what some source claims.
func (g *Gateway) delegated(tx store.Tx, community, person, plugin, action string) error {
	people, err := family(tx, community, person)
	if err != nil {
		return err
	}
	for _, id := range people {
		for _, name := range []string{Delegation(plugin, ""), Delegation(plugin, action)} {
			row, err := tx.ClaimOf(community, PersonKey(id), ClaimConsent, name, local)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if row.Revoked.IsZero() && (row.Expires.IsZero() || row.Expires.After(g.now())) {
				return nil
			}
		}
	}
	return Errorf(Denied, "person %s has not delegated action %s of %s", person, action, plugin)
}

// become makes a call one on behalf of a person.
func (c *Call) become(ctx context.Context, o *opened, b *behalf) error {
	if b == nil {
		return nil
	}
	a, err := c.g.actingFor(ctx, o, c.act, b)
	if err != nil {
		return err
	}
	c.wanted.Acting = a
	if a.As != AsBot {
		c.acting = a
	}
	c.keepWanted()
	return nil
}

// sameActing refuses to go on with a named call as somebody else, or for somebody else, than it was begun.
func (c *Call) sameActing(ctx context.Context, b *behalf) error {
	was := c.wanted.Acting
	switch {
	case was == nil && b == nil:
		return nil
	case was == nil || b == nil:
		return Errorf(Conflict, "call %q was not asked for on behalf of the same person", c.row.Once)
	}
	policy := b.policy
	if len(policy) == 0 {
		policy = []Identity{AsPerson}
	}
	var people [2]string
	var only AccountRef
	err := c.g.view(ctx, func(tx store.Tx) error {
		first, err := standing(tx, c.row.Community, was.For)
		if err != nil {
			return err
		}
		var second store.Person
		second, only, err = b.who(tx, c.row.Community)
		people = [2]string{first.ID, second.ID}
		return err
	})
	if err != nil {
		return storeError(err, "on whose behalf call %q was asked for", c.row.Once)
	}
	other := was.As == AsPerson && only != (AccountRef{}) && only != was.Account
	if people[0] != people[1] || other || !slices.Contains(policy, was.As) {
		return Errorf(Conflict, "call %q was begun as %s, on behalf of person %s", c.row.Once, was.As, was.For)
	}
	return nil
}

// resume gets the credentials again with which a call was begun: never another's.
func (c *Call) resume(ctx context.Context) error {
	c.acting = nil
	was := c.wanted.Acting
	if was == nil || was.As == AsBot {
		return nil
	}
	err := c.g.view(ctx, func(tx store.Tx) error {
		admin, delegated := was.As.admin()
		person := was.For
		if delegated {
			person = admin
		}
		p, err := standing(tx, c.row.Community, person)
		if err != nil {
			return err
		}
		owner, err := ownerOf(tx, c.row.Community, was.Account)
		switch {
		case err != nil:
			return err
		case owner != p.ID:
			return Errorf(Denied, "account %s is not person %s's any more", was.Account, person)
		case delegated:
			return c.g.delegated(tx, c.row.Community, p.ID, was.Account.Plugin, actionOf(c.row.Name))
		}
		return nil
	})
	if err != nil {
		return storeError(err, "as whom call %s is done", c.row.ID)
	}
	t, err := c.g.tokenOf(ctx, c.row.Community, was.Account, "")
	if err != nil {
		return err
	}
	c.acting = &acting{For: was.For, As: was.As, Account: was.Account, token: t.Access}
	return nil
}
