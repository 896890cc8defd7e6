package gateway

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/metagov/gateway-go/store"
)

// link keeps the account that a login or install has proved. An account that nobody has is a new person's; one that somebody has stays
// theirs: a login never moves an account.
func (g *Gateway) link(ctx context.Context, community, plugin string, grant Grant[json.RawMessage]) (Account, error) {
	var row store.Account
	err := g.update(ctx, func(tx store.Tx) (err error) {
		row, err = g.linkLogin(ctx, tx, community, plugin, grant)
		return err
	})
	return accountOf(row), storeError(err, "linking account %s of %s", grant.User.ID, plugin)
}

// linkLogin is link within a transaction.
func (g *Gateway) linkLogin(ctx context.Context, tx store.Tx, community, plugin string, grant Grant[json.RawMessage]) (store.Account, error) {
	now := g.now()
	row := store.Account{
		Community: community, Plugin: plugin, PlatformID: grant.PlatformID, UserID: grant.User.ID, Name: grant.User.Name, Data: grant.User.Data, LinkType: linkOAuth,
	}
	person := ""
	old, err := tx.Account(community, plugin, grant.PlatformID, grant.User.ID)
	switch {
	case err == nil:
		person = old.Person
	case errors.Is(err, store.ErrNotFound):
		p := store.Person{ID: newID("u"), Community: community, Kind: APerson, Created: now, Updated: now}
		if err := tx.PutPerson(p); err != nil {
			return row, err
		}
		person = p.ID
	default:
		return row, err
	}
	row, err = g.linkTx(ctx, tx, person, row, Ground{Kind: OneLogin, Issuer: plugin, At: now})
	if err != nil {
		return row, err
	}
	row.LinkType = linkOAuth // whatever a driver has said of it before
	return row, tx.PutAccount(row)
}

// linkOAuth is the link type of accounts that have logged in.
const linkOAuth = "oauth"

// linkErased is the link type of accounts whose person was erased while votes were open: nothing is known of them but that they were one's, so
// that nobody votes twice by being erased in between. To everybody else they are linked to nobody.
const linkErased = "erased"
