package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

// AccountRef names an account on a platform. Where a community has one instance of the plugin, PlatformID may be left out.
type AccountRef struct {
	Plugin     string `json:"plugin"`
	PlatformID string `json:"community_platform_id,omitempty"`
	UserID     string `json:"platform_identifier"`
}

// String is plugin/platform/user, for people.
func (r AccountRef) String() string { return r.Plugin + "/" + r.PlatformID + "/" + r.UserID }

// Account is somebody's account on a platform, as one community knows it.
type Account struct {
	Plugin     string          `json:"plugin"`
	PlatformID string          `json:"community_platform_id"`
	UserID     string          `json:"platform_identifier"`
	Person     string          `json:"person"`                 // whose it is, in this community
	Home       string          `json:"home,omitempty"`         // to whom it was linked, where that person was merged into another since
	Name       string          `json:"name,omitempty"`         // for people: it proves nothing
	LinkType   string          `json:"link_type,omitempty"`    // how the link came about: one of the kinds of evidence, "oauth"
	Quality    string          `json:"link_quality,omitempty"` // what a driver says of it; see [Community.Strength] for what can be relied on
	Data       json.RawMessage `json:"custom_data,omitempty"`
	Linked     time.Time       `json:"linked"`

	community string
}

// Ref names the account.
func (a Account) Ref() AccountRef { return AccountRef{a.Plugin, a.PlatformID, a.UserID} }

func (a Account) key() string { return AccountKey(a.Plugin, a.PlatformID, a.UserID) }

// Account finds an account that is linked in this community. Where it has one instance of the plugin, platformID may be "". NotFound: it is not linked.
func (c *Community) Account(ctx context.Context, plugin, platformID, userID string) (Account, error) {
	var out Account
	err := c.g.view(ctx, func(tx store.Tx) (err error) {
		out, err = c.account(tx, AccountRef{plugin, platformID, userID})
		return err
	})
	return out, storeError(err, "account %s of %s in community %s", userID, plugin, c.row.Slug)
}

// Accounts lists a person's linked accounts in this community. A person who was merged into another has that one's.
func (c *Community) Accounts(ctx context.Context, person string) ([]Account, error) {
	p, err := c.Person(ctx, person)
	if err == nil && p.Accounts == nil {
		p.Accounts = []Account{}
	}
	return p.Accounts, err
}

func accountOf(a store.Account) Account {
	out := Account{
		Plugin: a.Plugin, PlatformID: a.PlatformID, UserID: a.UserID, Person: a.Person, Name: a.Name, LinkType: a.LinkType, Quality: a.Quality,
		Data: a.Data, Linked: a.Created, community: a.Community,
	}
	if a.Home != a.Person {
		out.Home = a.Home
	}
	return out
}

// identity runs what changes people and accounts of the community, in one transaction.
func (c *Community) identity(ctx context.Context, fn func(store.Tx, Settings) error) error {
	return c.g.update(ctx, func(tx store.Tx) error {
		s, err := settingsOf(tx, c.row.Slug)
		if err != nil {
			return err
		}
		return fn(tx, s)
	})
}

// look is identity for what only reads.
func (c *Community) look(ctx context.Context, fn func(store.Tx, Settings) error) error {
	return c.g.view(ctx, func(tx store.Tx) error {
		s, err := settingsOf(tx, c.row.Slug)
		if err != nil {
			return err
		}
		return fn(tx, s)
	})
}

// resolve completes a reference.
func (c *Community) resolve(tx store.Tx, r AccountRef) (AccountRef, error) {
	return resolve(tx, c.row.Slug, r)
}

func resolve(tx store.Tx, community string, r AccountRef) (AccountRef, error) {
	if r.Plugin == "" || r.UserID == "" {
		return r, Errorf(Invalid, "an account needs a plugin and a user ID, not %q and %q", r.Plugin, r.UserID)
	}
	if r.PlatformID != "" {
		return r, nil
	}
	rows, err := tx.Instances(community, 1000)
	if err != nil {
		return r, err
	}
	found := 0
	for _, row := range rows {
		if row.Plugin == r.Plugin && row.PlatformID != "" {
			r.PlatformID = row.PlatformID
			found++
		}
	}
	if found > 1 {
		return r, Errorf(Invalid, "the community has %d instances of %s: say on which platform account %s is", found, r.Plugin, r.UserID)
	}
	return r, nil
}

// account reads a linked account.
func (c *Community) account(tx store.Tx, r AccountRef) (Account, error) {
	r, err := c.resolve(tx, r)
	if err != nil {
		return Account{}, err
	}
	row, err := linkedAccount(tx, c.row.Slug, r)
	if errors.Is(err, store.ErrNotFound) {
		return Account{}, Errorf(NotFound, "account %s is not linked in community %s", r, c.row.Slug)
	}
	return accountOf(row), err
}

// linkedAccount reads an account that is linked, and not only remembered until votes are over.
func linkedAccount(tx store.Tx, community string, r AccountRef) (store.Account, error) {
	row, err := tx.Account(community, r.Plugin, r.PlatformID, r.UserID)
	if err == nil && row.LinkType == linkErased {
		return store.Account{}, fmt.Errorf("account %s: %w", r, store.ErrNotFound)
	}
	return row, err
}

func (c *Community) pair(tx store.Tx, a, b AccountRef) (x, y Account, err error) {
	if x, err = c.account(tx, a); err == nil {
		y, err = c.account(tx, b)
	}
	return x, y, err
}

// maxMerged bounds how deep merges may lie: a store that says more has a fault, and would be followed for ever.
const maxMerged = 10_000

// standing finds the person who stands for an ID now: itself, or the one into whom it was merged, at any depth. store.ErrNotFound: there is
// none, or it was erased.
func standing(tx store.Tx, community, id string) (store.Person, error) {
	for range maxMerged {
		p, err := tx.Person(community, id)
		if err != nil {
			return p, err
		}
		if !p.Erased.IsZero() {
			return p, fmt.Errorf("person %s was erased: %w", id, store.ErrNotFound)
		}
		if p.Into == "" {
			return p, nil
		}
		id = p.Into
	}
	return store.Person{}, Errorf(Internal, "the merges of person %s have no end", id)
}

// family lists a person and all who were merged into them, at any depth.
func family(tx store.Tx, community, id string) ([]string, error) {
	out := []string{id}
	for i := 0; i < len(out); i++ {
		merged, err := tx.MergedInto(community, out[i])
		if err != nil {
			return nil, err
		}
		for _, p := range merged {
			out = append(out, p.ID)
		}
		if len(out) > maxMerged {
			return nil, Errorf(Internal, "the merges of person %s have no end", id)
		}
	}
	return out, nil
}
