package sqlstore

import "github.com/metagov/gateway-go/store"

// PutPerson implements store.Tx.
func (t *Tx) PutPerson(p store.Person) error {
	return t.exec(`INSERT INTO people (community, id, created) VALUES ($1, $2, $3)
		ON CONFLICT (community, id) DO UPDATE SET created = excluded.created`, p.Community, p.ID, micros(p.Created))
}

// Person implements store.Tx.
func (t *Tx) Person(community, id string) (store.Person, error) {
	return one(t, "person", func(r Row) store.Person {
		return store.Person{Community: community, ID: id, Created: r.Time(0)}
	}, `SELECT created FROM people WHERE community = $1 AND id = $2`, community, id)
}

const accountCols = `community, plugin, platform_id, user_id, person, name, link_type, quality, created, updated, data`

func scanAccount(r Row) store.Account {
	return store.Account{
		Community: r.Text(0), Plugin: r.Text(1), PlatformID: r.Text(2), UserID: r.Text(3), Person: r.Text(4), Name: r.Text(5),
		LinkType: r.Text(6), Quality: r.Text(7), Created: r.Time(8), Updated: r.Time(9), Data: r.Bytes(10),
	}
}

// PutAccount implements store.Tx.
func (t *Tx) PutAccount(a store.Account) error {
	return t.exec(`INSERT INTO accounts (`+accountCols+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (community, plugin, platform_id, user_id) DO UPDATE SET person = excluded.person, name = excluded.name,
		link_type = excluded.link_type, quality = excluded.quality, created = excluded.created, updated = excluded.updated, data = excluded.data`,
		a.Community, a.Plugin, a.PlatformID, a.UserID, a.Person, a.Name, a.LinkType, a.Quality, micros(a.Created), micros(a.Updated), a.Data)
}

// Account implements store.Tx.
func (t *Tx) Account(community, plugin, platformID, userID string) (store.Account, error) {
	return one(t, "account", scanAccount, `SELECT `+accountCols+` FROM accounts WHERE community = $1 AND plugin = $2 AND platform_id = $3 AND user_id = $4`,
		community, plugin, platformID, userID)
}

// Accounts implements store.Tx.
func (t *Tx) Accounts(community, person string) ([]store.Account, error) {
	return list(t, scanAccount, `SELECT `+accountCols+` FROM accounts WHERE community = $1 AND person = $2 ORDER BY plugin, platform_id, user_id`, community, person)
}
