package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Account is somebody's account on a platform, as one community knows it.
type Account struct {
	Plugin     string          `json:"plugin"`
	PlatformID string          `json:"community_platform_id"`
	UserID     string          `json:"platform_identifier"`
	Person     string          `json:"person"` // whose it is, in this community
	Name       string          `json:"name,omitempty"`
	LinkType   string          `json:"link_type,omitempty"` // how the link is known: "oauth"
	Data       json.RawMessage `json:"custom_data,omitempty"`
	Linked     time.Time       `json:"linked"`
}

// Account finds an account that is linked in this community. NotFound: it is not.
func (c *Community) Account(ctx context.Context, plugin, platformID, userID string) (Account, error) {
	var row store.Account
	err := c.g.view(ctx, func(tx store.Tx) (err error) {
		row, err = tx.Account(c.row.Slug, plugin, platformID, userID)
		return err
	})
	return accountOf(row), storeError(err, "account %s of %s in community %s", userID, plugin, c.row.Slug)
}

// Accounts lists a person's linked accounts in this community.
func (c *Community) Accounts(ctx context.Context, person string) ([]Account, error) {
	var out []Account
	err := c.g.view(ctx, func(tx store.Tx) error {
		if _, err := tx.Person(c.row.Slug, person); err != nil {
			return err
		}
		rows, err := tx.Accounts(c.row.Slug, person)
		out = make([]Account, len(rows))
		for i, row := range rows {
			out[i] = accountOf(row)
		}
		return err
	})
	return out, storeError(err, "person %s in community %s", person, c.row.Slug)
}

func accountOf(a store.Account) Account {
	return Account{Plugin: a.Plugin, PlatformID: a.PlatformID, UserID: a.UserID, Person: a.Person, Name: a.Name, LinkType: a.LinkType, Data: a.Data, Linked: a.Created}
}

// link keeps the account that a login or install has proved. An account that nobody has is a new person's.
func (g *Gateway) link(ctx context.Context, community, plugin string, grant Grant[json.RawMessage]) (Account, error) {
	now := g.now()
	person := newID("u")
	var row store.Account
	err := g.update(ctx, func(tx store.Tx) error {
		old, err := tx.Account(community, plugin, grant.PlatformID, grant.User.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		row = old
		if errors.Is(err, store.ErrNotFound) {
			row = store.Account{Community: community, Plugin: plugin, PlatformID: grant.PlatformID, UserID: grant.User.ID, Person: person, Home: person, Created: now}
			if err := tx.PutPerson(store.Person{ID: person, Community: community, Kind: kindPerson, Created: now}); err != nil {
				return err
			}
		}
		row.Name, row.Data, row.LinkType, row.Updated = grant.User.Name, grant.User.Data, "oauth", now
		if err := tx.PutAccount(row); err != nil {
			return err
		}
		return g.auditLinked(ctx, tx, row)
	})
	return accountOf(row), storeError(err, "linking account %s of %s", grant.User.ID, plugin)
}
