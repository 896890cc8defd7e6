package memory

import (
	"slices"

	"github.com/metagov/gateway-go/store"
)

func (t *tx) PutPerson(p store.Person) error {
	if t.locked != nil {
		return t.locked
	}
	if old, ok := t.people.get(key{p.Community, p.ID}); ok && old.Into != "" {
		t.mergedInto.del(key{p.Community, old.Into, p.ID})
	}
	p.Data = own(p.Data)
	p.Created, p.Updated, p.Erased = when(p.Created), when(p.Updated), when(p.Erased)
	t.people.put(key{p.Community, p.ID}, p)
	if p.Into != "" {
		t.mergedInto.put(key{p.Community, p.Into, p.ID}, none{})
	}
	return nil
}

func (t *tx) Person(community, id string) (store.Person, error) {
	p, ok := t.people.get(key{community, id})
	if !ok {
		return p, missing("person", community, id)
	}
	p.Data = own(p.Data)
	return p, nil
}

func (t *tx) People(q store.PersonQuery, after string, limit int) ([]store.Person, error) {
	walk := t.people.after(key{q.Community, after}, 1, after != "")
	return first(walk, atMost(limit), func(_ key, p store.Person) (store.Person, bool) {
		p.Data = own(p.Data)
		return p, matches(q.Kind, p.Kind) && (!q.Standing || p.Into == "" && p.Erased.IsZero())
	}), nil
}

func (t *tx) NotStanding(community string, ids []string) ([]store.Person, error) {
	var out []store.Person
	for _, id := range distinct(ids) {
		p, err := t.Person(community, id)
		if err != nil {
			p = store.Person{ID: id}
		}
		if err != nil || p.Into != "" || !p.Erased.IsZero() {
			out = append(out, p)
		}
	}
	return out, nil
}

func (t *tx) UsersOf(community, plugin, platformID string, people []string) ([]store.PlatformUser, error) {
	var out []store.PlatformUser
	for _, id := range distinct(people) {
		for _, a := range first(t.accountsOf.under(community, id, plugin, platformID), -1, t.indexed) {
			out = append(out, store.PlatformUser{Person: a.Person, UserID: a.UserID})
		}
	}
	return out, nil
}

func (t *tx) MergedInto(community, id string) ([]store.Person, error) {
	return first(t.mergedInto.under(community, id), -1, func(k key, _ none) (store.Person, bool) {
		p, err := t.Person(community, k[2])
		return p, err == nil
	}), nil
}

func (t *tx) PutAccount(a store.Account) error {
	if t.locked != nil {
		return t.locked
	}
	t.dropAccount(a.Community, a.Plugin, a.PlatformID, a.UserID)
	a.Data = own(a.Data)
	a.Created, a.Updated = when(a.Created), when(a.Updated)
	t.accounts.put(key{a.Community, a.Plugin, a.PlatformID, a.UserID}, a)
	t.accountsOf.put(accountOf(a), none{})
	if a.Mail != "" {
		t.accountsMail.put(mailOf(a), none{})
	}
	return nil
}

func accountOf(a store.Account) key {
	return key{a.Community, a.Person, a.Plugin, a.PlatformID, a.UserID}
}

func mailOf(a store.Account) key {
	return key{a.Community, a.Mail, a.Plugin, a.PlatformID, a.UserID}
}

func (t *tx) dropAccount(community, plugin, platformID, userID string) {
	k := key{community, plugin, platformID, userID}
	if old, ok := t.accounts.get(k); ok {
		t.accountsOf.del(accountOf(old))
		t.accountsMail.del(mailOf(old))
		t.accounts.del(k)
	}
}

func (t *tx) DeleteAccount(community, plugin, platformID, userID string) error {
	if t.locked != nil {
		return t.locked
	}
	t.dropAccount(community, plugin, platformID, userID)
	return nil
}

func (t *tx) Account(community, plugin, platformID, userID string) (store.Account, error) {
	a, ok := t.accounts.get(key{community, plugin, platformID, userID})
	if !ok {
		return a, missing("account", community, plugin, platformID, userID)
	}
	a.Data = own(a.Data)
	return a, nil
}

// indexed finds the account of a key that has another part in its second place.
func (t *tx) indexed(k key, _ none) (store.Account, bool) {
	a, ok := t.accounts.get(key{k[0], k[2], k[3], k[4]})
	a.Data = own(a.Data)
	return a, ok
}

func (t *tx) Accounts(community, person string) ([]store.Account, error) {
	return first(t.accountsOf.under(community, person), -1, t.indexed), nil
}

func (t *tx) AccountsBy(q store.AccountQuery, after store.Account, limit int) ([]store.Account, error) {
	from, past := key{q.Community, after.Plugin, after.PlatformID, after.UserID}, true
	lowest, n := key{q.Community}, 1
	for _, wanted := range []string{q.Plugin, q.PlatformID, q.UserID} {
		if wanted == "" {
			break
		}
		lowest[n] = wanted
		n++
	}
	switch c := from.compare(lowest); {
	case c < 0, after.Plugin == "" && after.PlatformID == "" && after.UserID == "":
		from, past = lowest, false
	case !slices.Equal(from[:n], lowest[:n]):
		return nil, nil // all that begin so stand before the place
	}
	return first(t.accounts.after(from, n, past), atMost(limit), func(_ key, a store.Account) (store.Account, bool) {
		a.Data = own(a.Data)
		return a, matches(q.Plugin, a.Plugin) && matches(q.PlatformID, a.PlatformID) && matches(q.UserID, a.UserID) &&
			matches(q.LinkType, a.LinkType) && matches(q.Quality, a.Quality)
	}), nil
}

func (t *tx) AccountsByMail(community, mail string, limit int) ([]store.Account, error) {
	return first(t.accountsMail.under(community, mail), atMost(limit), t.indexed), nil
}

func (t *tx) HasAccounts(community string) (bool, error) {
	for range t.accounts.under(community) {
		return true, nil
	}
	return false, nil
}

func (t *tx) PersonsOf(community, plugin, platformID string, users []string) ([]string, error) {
	out := make([]string, len(users))
	for i, user := range users {
		a, _ := t.accounts.get(key{community, plugin, platformID, user})
		out[i] = a.Person
	}
	return out, nil
}

func (t *tx) PutEvidence(e store.Evidence) error {
	if t.locked != nil {
		return t.locked
	}
	t.dropEvidence(e.Community, e.ID)
	e.Data = own(e.Data)
	e.At, e.Expires, e.Revoked = when(e.At), when(e.Expires), when(e.Revoked)
	t.evidence.put(key{e.Community, e.ID}, &e)
	t.evidenceOf.put(key{e.Community, e.A, e.ID}, &e)
	t.evidenceOf.put(key{e.Community, e.B, e.ID}, &e)
	return nil
}

func (t *tx) dropEvidence(community, id string) {
	if old, ok := t.evidence.get(key{community, id}); ok {
		t.evidenceOf.del(key{community, old.A, id})
		t.evidenceOf.del(key{community, old.B, id})
		t.evidence.del(key{community, id})
	}
}

func (t *tx) DeleteEvidence(community, id string) error {
	if t.locked != nil {
		return t.locked
	}
	t.dropEvidence(community, id)
	return nil
}

func (t *tx) Evidence(community, id string) (store.Evidence, error) {
	e, ok := t.evidence.get(key{community, id})
	if !ok {
		return store.Evidence{}, missing("evidence", community, id)
	}
	return evidenceRow(e), nil
}

func evidenceRow(e *store.Evidence) store.Evidence {
	out := *e
	out.Data = own(out.Data)
	return out
}

func (t *tx) EvidenceOf(community, subject string) ([]store.Evidence, error) {
	return first(t.evidenceOf.under(community, subject), -1, func(_ key, e *store.Evidence) (store.Evidence, bool) { return evidenceRow(e), true }), nil
}

func (t *tx) PutClaim(c store.Claim) error {
	if t.locked != nil {
		return t.locked
	}
	c.Data, c.Sealed = own(c.Data), own(c.Sealed)
	c.At, c.Checked, c.Expires, c.Revoked = when(c.At), when(c.Checked), when(c.Expires), when(c.Revoked)
	t.claims.put(key{c.Community, c.Subject, c.Kind, c.Name, c.Issuer}, &c)
	t.claimsBy.put(key{c.Community, c.Kind, c.Name, c.Subject, c.Issuer}, &c)
	return nil
}

func (t *tx) ClaimOf(community, subject, kind, name, issuer string) (store.Claim, error) {
	c, ok := t.claims.get(key{community, subject, kind, name, issuer})
	if !ok {
		return store.Claim{}, missing("claim", community, subject, kind, name, issuer)
	}
	return claimRow(c), nil
}

func claimRow(c *store.Claim) store.Claim {
	out := *c
	out.Data, out.Sealed = own(out.Data), own(out.Sealed)
	return out
}

func (t *tx) Claims(community, subject string) ([]store.Claim, error) {
	return first(t.claims.under(community, subject), -1, func(_ key, c *store.Claim) (store.Claim, bool) { return claimRow(c), true }), nil
}

func (t *tx) ClaimsBy(q store.ClaimQuery, afterSubject, afterIssuer string, limit int) ([]store.Claim, error) {
	walk := t.claimsBy.after(key{q.Community, q.Kind, q.Name, afterSubject, afterIssuer}, 3, afterSubject != "" || afterIssuer != "")
	return first(walk, atMost(limit), func(_ key, c *store.Claim) (store.Claim, bool) {
		row := *c
		row.Data, row.Sealed = nil, nil
		return row, matches(q.Issuer, c.Issuer)
	}), nil
}

func (t *tx) DeleteClaim(community, subject, kind, name, issuer string) error {
	if t.locked != nil {
		return t.locked
	}
	t.claims.del(key{community, subject, kind, name, issuer})
	t.claimsBy.del(key{community, kind, name, subject, issuer})
	return nil
}

func (t *tx) PutChange(c store.Change) error {
	if t.locked != nil {
		return t.locked
	}
	last, _ := t.lastChange.get(key{c.Community, c.Person})
	c.Seq = last + 1
	c.Data, c.At = own(c.Data), when(c.At)
	t.lastChange.put(key{c.Community, c.Person}, c.Seq)
	t.changes.put(key{c.Community, c.Person, num(c.Seq)}, &c)
	return nil
}

func (t *tx) Changes(community, person string, after int64, limit int) ([]store.Change, error) {
	walk := t.changes.after(key{community, person, num(max(after, 0))}, 2, true)
	return first(walk, atMost(limit), func(_ key, c *store.Change) (store.Change, bool) {
		out := *c
		out.Data = own(out.Data)
		return out, true
	}), nil
}

func (t *tx) DeleteChanges(community, person string) error {
	if t.locked != nil {
		return t.locked
	}
	for k := range t.changes.under(community, person) {
		t.changes.del(k)
	}
	t.lastChange.del(key{community, person})
	return nil
}

func (t *tx) PutToken(k store.Token) error {
	if t.locked != nil {
		return t.locked
	}
	at := key{k.Community, k.Plugin, k.PlatformID, k.UserID}
	old, there := t.tokens.get(at)
	if err := swap("token", k.UserID, k.Rev, there, func() int64 { return old.Rev }); err != nil {
		return err
	}
	k.Rev++
	k.Scopes, k.Sealed = own(k.Scopes), own(k.Sealed)
	k.Expires, k.Created, k.Updated = when(k.Expires), when(k.Created), when(k.Updated)
	t.tokens.put(at, &k)
	return nil
}

func (t *tx) Token(community, plugin, platformID, userID string) (store.Token, error) {
	k, ok := t.tokens.get(key{community, plugin, platformID, userID})
	if !ok {
		return store.Token{}, missing("token", community, plugin, platformID, userID)
	}
	out := *k
	out.Scopes, out.Sealed = own(out.Scopes), own(out.Sealed)
	return out, nil
}

func (t *tx) DeleteToken(community, plugin, platformID, userID string) error {
	if t.locked != nil {
		return t.locked
	}
	t.tokens.del(key{community, plugin, platformID, userID})
	return nil
}
