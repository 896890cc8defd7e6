package memory

import "github.com/metagov/gateway-go/store"

func (t *tx) PutPerson(p store.Person) error {
	if t.locked != nil {
		return t.locked
	}
	p.Created = when(p.Created)
	t.people.put(key{p.Community, p.ID}, p)
	return nil
}

func (t *tx) Person(community, id string) (store.Person, error) {
	p, ok := t.people.get(key{community, id})
	if !ok {
		return p, missing("person", community, id)
	}
	return p, nil
}

func (t *tx) PutAccount(a store.Account) error {
	if t.locked != nil {
		return t.locked
	}
	k := key{a.Community, a.Plugin, a.PlatformID, a.UserID}
	if old, ok := t.accounts.get(k); ok {
		t.accountsOf.del(accountOf(old))
	}
	a.Data = own(a.Data)
	a.Created, a.Updated = when(a.Created), when(a.Updated)
	t.accounts.put(k, a)
	t.accountsOf.put(accountOf(a), none{})
	return nil
}

func accountOf(a store.Account) key {
	return key{a.Community, a.Person, a.Plugin, a.PlatformID, a.UserID}
}

func (t *tx) Account(community, plugin, platformID, userID string) (store.Account, error) {
	a, ok := t.accounts.get(key{community, plugin, platformID, userID})
	if !ok {
		return a, missing("account", community, plugin, platformID, userID)
	}
	a.Data = own(a.Data)
	return a, nil
}

func (t *tx) Accounts(community, person string) ([]store.Account, error) {
	return first(t.accountsOf.under(community, person), -1, func(k key, _ none) (store.Account, bool) {
		a, ok := t.accounts.get(key{k[0], k[2], k[3], k[4]})
		a.Data = own(a.Data)
		return a, ok
	}), nil
}
