package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

// The kinds of people.
const (
	APerson        = kindPerson
	AnOrganization = kindOrganization
	AResource      = kindResource
)

// Person is somebody in one community, or something that is spoken of like somebody: an organization, a resource. People of two communities are
// never joined, whatever accounts they have.
type Person struct {
	ID       string          `json:"id"` // who stands for it now, where it was merged
	Kind     string          `json:"kind"`
	Name     string          `json:"name,omitempty"` // for people: it proves nothing
	Data     json.RawMessage `json:"data,omitempty"` // the driver's own
	Accounts []Account       `json:"accounts"`
	Merged   []string        `json:"merged,omitempty"` // those who were merged into it, at any depth
	Created  time.Time       `json:"created"`
}

// Account finds the person's account on a platform, the first by platform and user where there are several. NotFound: there is none.
func (p Person) Account(plugin, platformID string) (Account, error) {
	for _, a := range p.Accounts {
		if a.Plugin == plugin && (platformID == "" || a.PlatformID == platformID) {
			return a, nil
		}
	}
	return Account{}, Errorf(NotFound, "person %s has no account of %s", p.ID, plugin)
}

// NewPerson is who is created.
type NewPerson struct {
	Kind string // [APerson] where empty
	Name string
	Data json.RawMessage
}

// CreatePerson makes a person without accounts. Its ID is never used again, also when it is erased.
func (c *Community) CreatePerson(ctx context.Context, n NewPerson) (Person, error) {
	if n.Kind == "" {
		n.Kind = APerson
	}
	if !slices.Contains([]string{APerson, AnOrganization, AResource}, n.Kind) {
		return Person{}, Errorf(Invalid, "there is no kind of person %q", n.Kind)
	}
	if err := checkText(n.Name, n.Data); err != nil {
		return Person{}, err
	}
	now := c.g.now()
	row := store.Person{ID: newID("u"), Community: c.row.Slug, Kind: n.Kind, Name: n.Name, Data: n.Data, Created: now, Updated: now}
	err := c.identity(ctx, func(tx store.Tx, _ Settings) error {
		if err := tx.PutPerson(row); err != nil {
			return err
		}
		return c.g.identityChanged(ctx, tx, change{kind: PersonCreated, community: row.Community, person: row.ID, how: row.Kind})
	})
	return Person{ID: row.ID, Kind: row.Kind, Name: row.Name, Data: row.Data, Accounts: []Account{}, Created: now}, storeError(err, "creating a person in community %s", c.row.Slug)
}

// Limits of what a driver keeps about people.
const (
	maxName       = 200
	maxPersonData = 64 << 10
)

func checkText(name string, data json.RawMessage) error {
	switch {
	case len(name) > maxName:
		return Errorf(Invalid, "the name has %d bytes, at most %d are possible", len(name), maxName)
	case len(data) > maxPersonData:
		return Errorf(Invalid, "the data has %d bytes, at most %d are possible", len(data), maxPersonData)
	case len(data) > 0 && !json.Valid(data):
		return Errorf(Invalid, "the data is not JSON")
	}
	return nil
}

func checkAccount(name, quality string, data json.RawMessage) error {
	if len(quality) > maxName {
		return Errorf(Invalid, "the quality has %d bytes, at most %d are possible", len(quality), maxName)
	}
	return checkText(name, data)
}

// Person finds who stands for an ID now, with all accounts: the person itself, or the one into whom it was merged, at any depth. NotFound:
// nobody in this community has or had that ID, or they were erased.
func (c *Community) Person(ctx context.Context, id string) (Person, error) {
	var out Person
	err := c.g.view(ctx, func(tx store.Tx) (err error) {
		row, err := standing(tx, c.row.Slug, id)
		if err == nil {
			out, err = whole(tx, row)
		}
		return err
	})
	return out, storeError(err, "person %s in community %s", id, c.row.Slug)
}

// WhoIs finds the person to whom an account is linked, with all accounts. NotFound: it is linked to nobody.
func (c *Community) WhoIs(ctx context.Context, a AccountRef) (Person, error) {
	var out Person
	err := c.g.view(ctx, func(tx store.Tx) error {
		acc, err := c.account(tx, a)
		if err != nil {
			return err
		}
		row, err := tx.Person(c.row.Slug, acc.Person)
		if err == nil {
			out, err = whole(tx, row)
		}
		return err
	})
	return out, storeError(err, "who account %s in community %s is", a, c.row.Slug)
}

// whole reads a person with accounts and merges.
func whole(tx store.Tx, row store.Person) (Person, error) {
	p := Person{ID: row.ID, Kind: row.Kind, Name: row.Name, Data: row.Data, Accounts: []Account{}, Created: row.Created}
	accounts, err := tx.Accounts(row.Community, row.ID)
	if err != nil {
		return p, err
	}
	for _, a := range accounts {
		p.Accounts = append(p.Accounts, accountOf(a))
	}
	all, err := family(tx, row.Community, row.ID)
	if err == nil && len(all) > 1 {
		p.Merged = all[1:]
		slices.Sort(p.Merged)
	}
	return p, err
}

// PersonFilter selects people by kind, or by one account of theirs: all fields that are given have to fit the same account.
type PersonFilter struct {
	Kind       string
	Plugin     string
	PlatformID string
	UserID     string
	LinkType   string
	Quality    string
	AtLeast    Strength // how surely the account is the person's, see [Community.Strength]
}

func (f PersonFilter) byAccount() bool {
	f.Kind = ""
	return f != PersonFilter{}
}

// byName says that the filter names one account.
func (f PersonFilter) byName() bool { return f.Plugin != "" && f.PlatformID != "" && f.UserID != "" }

// fits says whether a person is selected.
func (f PersonFilter) fits(g *Gateway, tx store.Tx, s Settings, p Person) (bool, error) {
	if f.Kind != "" && f.Kind != p.Kind {
		return false, nil
	}
	if !f.byAccount() {
		return true, nil
	}
	is := func(want, have string) bool { return want == "" || want == have }
	for _, a := range p.Accounts {
		if !is(f.Plugin, a.Plugin) || !is(f.PlatformID, a.PlatformID) || !is(f.UserID, a.UserID) || !is(f.LinkType, a.LinkType) || !is(f.Quality, a.Quality) {
			continue
		}
		if f.AtLeast == None {
			return true, nil
		}
		link, err := g.walk(tx, s, a).best(a.key(), PersonKey(p.ID))
		if err != nil || link.Strength >= f.AtLeast {
			return err == nil, err
		}
	}
	return false, nil
}

// People lists up to limit people of the community by ID, those after the given one: each once, whoever was merged into them. Without a Kind
// that is people, organizations and resources. A filter that names an account, with plugin, platform and user, is answered at once; others
// go through all people until so many are found, in short transactions.
func (c *Community) People(ctx context.Context, f PersonFilter, after string, limit int) ([]Person, error) {
	limit = positive(limit, 100)
	out := []Person{}
	if f.byName() {
		p, err := c.WhoIs(ctx, AccountRef{f.Plugin, f.PlatformID, f.UserID})
		switch {
		case CodeOf(err) == NotFound:
			return out, nil
		case err != nil:
			return nil, err
		case p.ID <= after:
			return out, nil
		}
		return c.FilterPeople(ctx, []string{p.ID}, f)
	}
	for len(out) < limit {
		const some = 100
		var found []Person
		n := 0
		err := c.look(ctx, func(tx store.Tx, s Settings) error {
			rows, err := tx.People(store.PersonQuery{Community: c.row.Slug, Kind: f.Kind, Standing: true}, after, some)
			if err != nil {
				return err
			}
			found, n = nil, len(rows)
			for _, row := range rows {
				p, err := whole(tx, row)
				if err != nil {
					return err
				}
				fits, err := f.fits(c.g, tx, s, p)
				if err != nil {
					return err
				}
				if fits {
					found = append(found, p)
				}
				after = row.ID
			}
			return nil
		})
		if err != nil {
			return nil, storeError(err, "listing the people of %s", c.row.Slug)
		}
		out = append(out, found...)
		if n < some {
			break
		}
	}
	return out[:min(len(out), limit)], nil
}

// FilterPeople keeps of some people those who fit, each once and as who stands for them, in the order given. NotFound: one of them is unknown.
func (c *Community) FilterPeople(ctx context.Context, ids []string, f PersonFilter) ([]Person, error) {
	out := []Person{}
	seen := map[string]bool{}
	for _, id := range ids {
		var p Person
		fits := false
		err := c.look(ctx, func(tx store.Tx, s Settings) error {
			row, err := standing(tx, c.row.Slug, id)
			if err != nil {
				return err
			}
			if p, err = whole(tx, row); err == nil {
				fits, err = f.fits(c.g, tx, s, p)
			}
			return err
		})
		if err != nil {
			return nil, storeError(err, "person %s in community %s", id, c.row.Slug)
		}
		if fits && !seen[p.ID] {
			out = append(out, p)
		}
		seen[p.ID] = true
	}
	return out, nil
}

// UpdatePerson replaces name and data of a person, as they are kept for the one who stands for id.
func (c *Community) UpdatePerson(ctx context.Context, id, name string, data json.RawMessage) (Person, error) {
	if err := checkText(name, data); err != nil {
		return Person{}, err
	}
	var out Person
	err := c.identity(ctx, func(tx store.Tx, _ Settings) error {
		row, err := standing(tx, c.row.Slug, id)
		if err != nil {
			return err
		}
		row.Name, row.Data, row.Updated = name, data, c.g.now()
		if err := tx.PutPerson(row); err != nil {
			return err
		}
		out, err = whole(tx, row)
		return err
	})
	return out, storeError(err, "person %s in community %s", id, c.row.Slug)
}

// AccountUpdate is what changes of an account; what is nil stays as it is.
type AccountUpdate struct {
	Name    *string
	Quality *string
	Data    json.RawMessage
}

// UpdateAccount changes what is kept about a linked account. Whose it is does not change: see [Community.Link] and [Community.Unlink].
func (c *Community) UpdateAccount(ctx context.Context, a AccountRef, u AccountUpdate) (Account, error) {
	var out Account
	err := c.identity(ctx, func(tx store.Tx, _ Settings) error {
		acc, err := c.account(tx, a)
		if err != nil {
			return err
		}
		row, err := tx.Account(c.row.Slug, acc.Plugin, acc.PlatformID, acc.UserID)
		if err != nil {
			return err
		}
		if u.Name != nil {
			row.Name = *u.Name
		}
		if u.Quality != nil {
			row.Quality = *u.Quality
		}
		if u.Data != nil {
			row.Data = u.Data
		}
		if err := checkAccount(row.Name, row.Quality, row.Data); err != nil {
			return err
		}
		row.Updated = c.g.now()
		out = accountOf(row)
		return tx.PutAccount(row)
	})
	return out, storeError(err, "changing account %s of community %s", a, c.row.Slug)
}

// LinkedAccount finds a person's account on a platform; platformID "" is any. NotFound: there is none.
func (c *Community) LinkedAccount(ctx context.Context, person, plugin, platformID string) (Account, error) {
	p, err := c.Person(ctx, person)
	if err != nil {
		return Account{}, err
	}
	return p.Account(plugin, platformID)
}

// NewAccount is an account to be linked.
type NewAccount struct {
	AccountRef
	Name    string
	Quality string
	Data    json.RawMessage
}

// Link links an account to a person, on the ground that is given: by default an admin's word. Linking it to the same person again adds the
// ground to what is known. Conflict: it is somebody else's. Denied: the community does not link people this way. NotFound: there is no such person.
func (c *Community) Link(ctx context.Context, person string, n NewAccount, e Ground) (Account, error) {
	if err := checkAccount(n.Name, n.Quality, n.Data); err != nil {
		return Account{}, err
	}
	if e.Kind == Inferred {
		return Account{}, Errorf(Invalid, "what is inferred links nobody: use Suggest")
	}
	var out Account
	err := c.identity(ctx, func(tx store.Tx, s Settings) error {
		ref, err := c.resolve(tx, n.AccountRef)
		if err != nil {
			return err
		}
		if err := c.g.checkGround(s, &e); err != nil {
			return err
		}
		row := store.Account{
			Community: c.row.Slug, Plugin: ref.Plugin, PlatformID: ref.PlatformID, UserID: ref.UserID, Name: n.Name, Quality: n.Quality, Data: n.Data, LinkType: e.Kind,
		}
		row, err = c.g.linkTx(ctx, tx, person, row, e)
		out = accountOf(row)
		return err
	})
	return out, storeError(err, "linking account %s in community %s", n.AccountRef, c.row.Slug)
}

// Unlink parts an account from its person. Evidence about it ends; ballots that it cast in open votes are its own again. NotFound: it is linked to nobody.
func (c *Community) Unlink(ctx context.Context, a AccountRef) error {
	return storeError(c.identity(ctx, func(tx store.Tx, _ Settings) error {
		acc, err := c.account(tx, a)
		if err != nil {
			return err
		}
		return c.g.unlinkTx(ctx, tx, acc)
	}), "unlinking account %s in community %s", a, c.row.Slug)
}

// maxAccounts is how many accounts a person may have, with all who were merged into them.
const maxAccounts = 1000

// linkTx links an account to a person within a transaction, on a ground that was checked. What is not given about an account that is linked
// already stays.
func (g *Gateway) linkTx(ctx context.Context, tx store.Tx, person string, a store.Account, e Ground) (store.Account, error) {
	key := AccountKey(a.Plugin, a.PlatformID, a.UserID)
	now := g.now()
	old, err := tx.Account(a.Community, a.Plugin, a.PlatformID, a.UserID)
	if err == nil && old.LinkType == linkErased {
		return a, Errorf(Conflict, "account %s is being erased; it can be linked when the votes are over that were open then", key)
	}
	fresh := errors.Is(err, store.ErrNotFound)
	root, missing := standing(tx, a.Community, person)
	switch {
	case missing != nil:
		return a, storeError(missing, "person %s", person)
	case root.Kind == AResource:
		return a, Errorf(Invalid, "a resource has no accounts")
	case fresh:
		have, err := tx.Accounts(a.Community, root.ID)
		if err != nil {
			return a, err
		}
		if len(have) >= maxAccounts {
			return a, Errorf(Conflict, "person %s has %d accounts already", root.ID, len(have))
		}
		a.Person, a.Home, a.Created = root.ID, person, now
	case err != nil:
		return a, err
	case old.Person != root.ID:
		return a, Errorf(Conflict, "account %s is linked to somebody else", key)
	default:
		a.Person, a.Home, a.Created = old.Person, old.Home, old.Created
		a.Mail = first(a.Mail, old.Mail)
		a.Name, a.Quality, a.LinkType = first(a.Name, old.Name), first(a.Quality, old.Quality), first(old.LinkType, a.LinkType)
		if a.Data == nil {
			a.Data = old.Data
		}
	}
	a.Updated = now
	if err := tx.PutAccount(a); err != nil {
		return a, err
	}
	ev, news := store.Evidence{ID: e.proof}, !e.known
	if e.proof == "" {
		if ev, news, err = g.keepEvidence(tx, a.Community, key, PersonKey(a.Home), e, 0); err != nil {
			return a, err
		}
	}
	if !fresh && !news {
		return a, nil
	}
	c := change{kind: AccountLinked, community: a.Community, person: root.ID, subject: key, how: e.Kind, issuer: e.Issuer, evidence: ev.ID, prompt: e.prompt, account: &a}
	if !fresh {
		c.kind = EvidenceAdded
		c.subject = ev.ID
	}
	if err := g.identityChanged(ctx, tx, c); err != nil || !fresh {
		return a, err
	}
	return a, g.rehold(ctx, tx, a.Community, []store.Account{a}, nil, true)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// unlinkTx parts an account from its person within a transaction.
func (g *Gateway) unlinkTx(ctx context.Context, tx store.Tx, a Account) error {
	if err := g.dropAccount(tx, a.community, a.Ref()); err != nil {
		return err
	}
	known, err := tx.EvidenceOf(a.community, a.key())
	if err != nil {
		return err
	}
	for _, e := range known {
		if err := g.revoke(tx, e, "the account was unlinked"); err != nil {
			return err
		}
	}
	row := store.Account{Community: a.community, Plugin: a.Plugin, PlatformID: a.PlatformID, UserID: a.UserID, Person: a.Person}
	if err := g.identityChanged(ctx, tx, change{kind: AccountUnlinked, community: a.community, person: a.Person, subject: a.key(), account: &row}); err != nil {
		return err
	}
	return g.rehold(ctx, tx, a.community, []store.Account{row}, []string{a.Person}, false)
}
