package sqlstore

import (
	"cmp"
	"slices"
	"strings"

	"github.com/metagov/gateway-go/store"
)

const personCols = `id, community, kind, merged_into, name, created, updated, erased, data`

func scanPerson(r Row) store.Person {
	return store.Person{
		ID: r.Text(0), Community: r.Text(1), Kind: r.Text(2), Into: r.Text(3), Name: r.Text(4), Created: r.Time(5), Updated: r.Time(6), Erased: r.Time(7), Data: r.Bytes(8),
	}
}

// PutPerson implements store.Tx.
func (t *Tx) PutPerson(p store.Person) error {
	return t.exec(`INSERT INTO people (`+personCols+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (community, id) DO UPDATE SET kind = excluded.kind, merged_into = excluded.merged_into, name = excluded.name,
		created = excluded.created, updated = excluded.updated, erased = excluded.erased, data = excluded.data`,
		p.ID, p.Community, p.Kind, p.Into, p.Name, micros(p.Created), micros(p.Updated), micros(p.Erased), p.Data)
}

// Person implements store.Tx.
func (t *Tx) Person(community, id string) (store.Person, error) {
	return one(t, "person", scanPerson, `SELECT `+personCols+` FROM people WHERE community = $1 AND id = $2`, community, id)
}

// People implements store.Tx.
func (t *Tx) People(q store.PersonQuery, after string, limit int) ([]store.Person, error) {
	var w where
	w.raw("community = " + w.arg(q.Community))
	w.raw("id " + past(after) + " " + w.arg(after))
	w.is("kind", q.Kind)
	if q.Standing {
		w.raw("merged_into = '' AND erased = 0")
	}
	return list(t, scanPerson, `SELECT `+personCols+` FROM people`+w.String()+` ORDER BY id LIMIT `+w.arg(bound(limit))+` + 0`, w.args...)
}

// NotStanding implements store.Tx.
func (t *Tx) NotStanding(community string, ids []string) ([]store.Person, error) {
	var out []store.Person
	err := t.c.Query(`SELECT j.value, p.id IS NOT NULL FROM json_each($2) j LEFT JOIN people p ON p.community = $1 AND p.id = j.value
		WHERE p.id IS NULL OR p.merged_into <> '' OR p.erased <> 0`, func(r Row) error {
		p := store.Person{ID: r.Text(0)}
		if r.Bool(1) {
			p.Community = community
		}
		out = append(out, p)
		return nil
	}, community, places(distinct(ids)))
	if err != nil {
		return nil, err
	}
	for i, p := range out { // few
		if p.Community == "" {
			continue
		}
		if out[i], err = t.Person(community, p.ID); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b store.Person) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// MergedInto implements store.Tx.
func (t *Tx) MergedInto(community, id string) ([]store.Person, error) {
	return list(t, scanPerson, `SELECT `+personCols+` FROM people WHERE community = $1 AND merged_into = $2 AND merged_into <> '' ORDER BY id`, community, id)
}

const accountCols = `community, plugin, platform_id, user_id, person, name, link_type, quality, created, updated, home, mail, data`

func scanAccount(r Row) store.Account {
	return store.Account{
		Community: r.Text(0), Plugin: r.Text(1), PlatformID: r.Text(2), UserID: r.Text(3), Person: r.Text(4), Name: r.Text(5),
		LinkType: r.Text(6), Quality: r.Text(7), Created: r.Time(8), Updated: r.Time(9), Home: r.Text(10), Mail: r.Text(11), Data: r.Bytes(12),
	}
}

// PutAccount implements store.Tx.
func (t *Tx) PutAccount(a store.Account) error {
	t.changeAccounts(a.Community)
	return t.exec(`INSERT INTO accounts (`+accountCols+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (community, plugin, platform_id, user_id) DO UPDATE SET person = excluded.person, name = excluded.name,
		link_type = excluded.link_type, quality = excluded.quality, created = excluded.created, updated = excluded.updated,
		home = excluded.home, mail = excluded.mail, data = excluded.data`,
		a.Community, a.Plugin, a.PlatformID, a.UserID, a.Person, a.Name, a.LinkType, a.Quality, micros(a.Created), micros(a.Updated), a.Home, a.Mail, a.Data)
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

// AccountsBy implements store.Tx. A column that the query fixes stands in an equation alone: were it in the comparison with the place too, SQLite
// would take the equation only, and walk through all earlier pages for each.
func (t *Tx) AccountsBy(q store.AccountQuery, after store.Account, limit int) ([]store.Account, error) {
	columns := []string{"plugin", "platform_id", "user_id"}
	wanted, place := []string{q.Plugin, q.PlatformID, q.UserID}, []string{after.Plugin, after.PlatformID, after.UserID}
	fixed := 0
	for fixed < len(columns) && wanted[fixed] != "" {
		fixed++
	}
	// All accounts that begin as is wanted stand behind the place, or before it, or it is among them.
	among := slices.Compare(place[:fixed], wanted[:fixed])
	if among > 0 || among == 0 && fixed == len(columns) {
		return nil, nil
	}
	var w where
	w.raw("community = " + w.arg(q.Community))
	for i, column := range columns {
		if i > fixed {
			column += " || ''" // as a plain equation it would be left out of the order, and what the key has sorted already would be sorted again
		}
		w.is(column, wanted[i])
	}
	w.is("link_type", q.LinkType)
	w.is("quality", q.Quality)
	if among == 0 {
		var args []string
		for _, v := range place[fixed:] {
			args = append(args, w.arg(v))
		}
		w.raw("(" + strings.Join(columns[fixed:], ", ") + ") " + past(place...) + " (" + strings.Join(args, ", ") + ")")
	}
	return list(t, scanAccount, `SELECT `+accountCols+` FROM accounts`+w.String()+` ORDER BY plugin, platform_id, user_id LIMIT `+w.arg(bound(limit))+` + 0`, w.args...)
}

// AccountsByMail implements store.Tx.
func (t *Tx) AccountsByMail(community, mail string, limit int) ([]store.Account, error) {
	return list(t, scanAccount, `SELECT `+accountCols+` FROM accounts WHERE community = $1 AND mail = $2 AND mail <> ''
		ORDER BY plugin, platform_id, user_id LIMIT $3 + 0`, community, mail, bound(limit))
}

// DeleteAccount implements store.Tx.
func (t *Tx) DeleteAccount(community, plugin, platformID, userID string) error {
	t.changeAccounts(community)
	return t.exec(`DELETE FROM accounts WHERE community = $1 AND plugin = $2 AND platform_id = $3 AND user_id = $4`, community, plugin, platformID, userID)
}

// HasAccounts implements store.Tx. It is asked for each ballot, and found once for a transaction.
func (t *Tx) HasAccounts(community string) (bool, error) {
	if t.shared != nil {
		if has, ok := t.shared.accounts[community]; ok {
			return has, nil
		}
	}
	has := false
	err := t.c.Query(`SELECT 1 FROM accounts WHERE community = $1 LIMIT 1`, func(Row) error {
		has = true
		return nil
	}, community)
	if err == nil && t.shared != nil {
		keep(&t.shared.accounts, community, has)
	}
	return has, err
}

// PersonsOf implements store.Tx.
func (t *Tx) PersonsOf(community, plugin, platformID string, users []string) ([]string, error) {
	out := make([]string, len(users))
	if len(users) == 1 { // as for each ballot
		return out, t.c.Query(`SELECT person FROM accounts WHERE community = $1 AND plugin = $2 AND platform_id = $3 AND user_id = $4`, func(r Row) error {
			out[0] = r.Text(0)
			return nil
		}, community, plugin, platformID, users[0])
	}
	err := t.c.Query(`SELECT j.key, a.person FROM json_each($4) j JOIN accounts a
		ON a.community = $1 AND a.plugin = $2 AND a.platform_id = $3 AND a.user_id = j.value`, func(r Row) error {
		out[r.Int(0)] = r.Text(1)
		return nil
	}, community, plugin, platformID, places(users))
	return out, err
}

// UsersOf implements store.Tx. All that it reads is in the index.
func (t *Tx) UsersOf(community, plugin, platformID string, people []string) ([]store.PlatformUser, error) {
	out, err := list(t, func(r Row) store.PlatformUser { return store.PlatformUser{Person: r.Text(0), UserID: r.Text(1)} },
		`SELECT person, user_id FROM accounts WHERE community = $1 AND person IN (SELECT value FROM json_each($4)) AND plugin = $2 AND platform_id = $3`,
		community, plugin, platformID, places(people))
	slices.SortFunc(out, func(a, b store.PlatformUser) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.UserID, b.UserID))
	})
	return out, err
}

const evidenceCols = `id, community, a, b, kind, issuer, score, at, expires, revoked, reason, data`

func scanEvidence(r Row) store.Evidence {
	return store.Evidence{
		ID: r.Text(0), Community: r.Text(1), A: r.Text(2), B: r.Text(3), Kind: r.Text(4), Issuer: r.Text(5), Score: r.Int(6),
		At: r.Time(7), Expires: r.Time(8), Revoked: r.Time(9), Reason: r.Text(10), Data: r.Bytes(11),
	}
}

// PutEvidence implements store.Tx. It is kept once for each of both that it joins.
func (t *Tx) PutEvidence(e store.Evidence) error {
	if err := t.DeleteEvidence(e.Community, e.ID); err != nil {
		return err
	}
	ends := []string{e.A, e.B}
	if e.A == e.B {
		ends = ends[:1]
	}
	for _, subject := range ends {
		err := t.exec(`INSERT INTO evidence (`+evidenceCols+`, subject) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			e.ID, e.Community, e.A, e.B, e.Kind, e.Issuer, e.Score, micros(e.At), micros(e.Expires), micros(e.Revoked), e.Reason, e.Data, subject)
		if err != nil {
			return err
		}
	}
	return nil
}

// Evidence implements store.Tx.
func (t *Tx) Evidence(community, id string) (store.Evidence, error) {
	return one(t, "evidence", scanEvidence, `SELECT `+evidenceCols+` FROM evidence WHERE community = $1 AND id = $2 LIMIT 1`, community, id)
}

// EvidenceOf implements store.Tx.
func (t *Tx) EvidenceOf(community, subject string) ([]store.Evidence, error) {
	return list(t, scanEvidence, `SELECT `+evidenceCols+` FROM evidence WHERE community = $1 AND subject = $2 ORDER BY id`, community, subject)
}

// DeleteEvidence implements store.Tx.
func (t *Tx) DeleteEvidence(community, id string) error {
	return t.exec(`DELETE FROM evidence WHERE community = $1 AND id = $2`, community, id)
}

const claimCols = `community, subject, kind, name, issuer, at, checked, expires, revoked, data, sealed`

func scanClaim(r Row) store.Claim {
	return store.Claim{
		Community: r.Text(0), Subject: r.Text(1), Kind: r.Text(2), Name: r.Text(3), Issuer: r.Text(4),
		At: r.Time(5), Checked: r.Time(6), Expires: r.Time(7), Revoked: r.Time(8), Data: r.Bytes(9), Sealed: r.Bytes(10),
	}
}

// PutClaim implements store.Tx.
func (t *Tx) PutClaim(c store.Claim) error {
	return t.exec(`INSERT INTO claims (`+claimCols+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (community, subject, kind, name, issuer) DO UPDATE SET at = excluded.at, checked = excluded.checked, expires = excluded.expires,
		revoked = excluded.revoked, data = excluded.data, sealed = excluded.sealed`,
		c.Community, c.Subject, c.Kind, c.Name, c.Issuer, micros(c.At), micros(c.Checked), micros(c.Expires), micros(c.Revoked), c.Data, c.Sealed)
}

// ClaimOf implements store.Tx.
func (t *Tx) ClaimOf(community, subject, kind, name, issuer string) (store.Claim, error) {
	return one(t, "claim", scanClaim, `SELECT `+claimCols+` FROM claims WHERE community = $1 AND subject = $2 AND kind = $3 AND name = $4 AND issuer = $5`,
		community, subject, kind, name, issuer)
}

// Claims implements store.Tx.
func (t *Tx) Claims(community, subject string) ([]store.Claim, error) {
	return list(t, scanClaim, `SELECT `+claimCols+` FROM claims WHERE community = $1 AND subject = $2 ORDER BY kind, name, issuer`, community, subject)
}

// ClaimsBy implements store.Tx.
func (t *Tx) ClaimsBy(q store.ClaimQuery, afterSubject, afterIssuer string, limit int) ([]store.Claim, error) {
	var w where
	w.raw("community = " + w.arg(q.Community))
	w.raw("kind = " + w.arg(q.Kind))
	w.raw("name = " + w.arg(q.Name))
	w.raw("(subject, issuer) " + past(afterSubject, afterIssuer) + " (" + w.arg(afterSubject) + ", " + w.arg(afterIssuer) + ")")
	w.is("issuer", q.Issuer)
	return list(t, func(r Row) store.Claim {
		return store.Claim{Community: q.Community, Kind: q.Kind, Name: q.Name, Subject: r.Text(0), Issuer: r.Text(1), At: r.Time(2), Checked: r.Time(3), Expires: r.Time(4), Revoked: r.Time(5)}
	}, `SELECT subject, issuer, at, checked, expires, revoked FROM claims`+w.String()+` ORDER BY subject, issuer LIMIT `+w.arg(bound(limit))+` + 0`, w.args...)
}

// DeleteClaim implements store.Tx.
func (t *Tx) DeleteClaim(community, subject, kind, name, issuer string) error {
	return t.exec(`DELETE FROM claims WHERE community = $1 AND subject = $2 AND kind = $3 AND name = $4 AND issuer = $5`, community, subject, kind, name, issuer)
}

// PutChange implements store.Tx.
func (t *Tx) PutChange(c store.Change) error {
	return t.exec(`INSERT INTO changes (community, person, seq, at, kind, subject, asked_by, reason, data)
		SELECT $1, $2, coalesce((SELECT seq FROM changes WHERE community = $1 AND person = $2 ORDER BY seq DESC LIMIT 1), 0) + 1, $3, $4, $5, $6, $7, $8`,
		c.Community, c.Person, micros(c.At), c.Kind, c.Subject, c.By, c.Text, c.Data)
}

// Changes implements store.Tx.
func (t *Tx) Changes(community, person string, after int64, limit int) ([]store.Change, error) {
	return list(t, func(r Row) store.Change {
		return store.Change{Community: community, Person: person, Seq: r.Int(0), At: r.Time(1), Kind: r.Text(2), Subject: r.Text(3), By: r.Text(4), Text: r.Text(5), Data: r.Bytes(6)}
	}, `SELECT seq, at, kind, subject, asked_by, reason, data FROM changes WHERE community = $1 AND person = $2 AND seq > $3 ORDER BY seq LIMIT $4 + 0`,
		community, person, after, bound(limit))
}

// DeleteChanges implements store.Tx.
func (t *Tx) DeleteChanges(community, person string) error {
	return t.exec(`DELETE FROM changes WHERE community = $1 AND person = $2`, community, person)
}

// PutToken implements store.Tx.
func (t *Tx) PutToken(k store.Token) error {
	return t.put("put token", k.Rev,
		`INSERT INTO tokens (community, plugin, platform_id, user_id, status, expires, created, updated, scopes, sealed, rev)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1) ON CONFLICT DO NOTHING`,
		`UPDATE tokens SET status = $5, expires = $6, created = $7, updated = $8, scopes = $9, sealed = $10, rev = rev + 1
		 WHERE community = $1 AND plugin = $2 AND platform_id = $3 AND user_id = $4 AND rev = $11`,
		k.Community, k.Plugin, k.PlatformID, k.UserID, k.Status, micros(k.Expires), micros(k.Created), micros(k.Updated), k.Scopes, k.Sealed)
}

// Token implements store.Tx.
func (t *Tx) Token(community, plugin, platformID, userID string) (store.Token, error) {
	return one(t, "token", func(r Row) store.Token {
		return store.Token{
			Community: community, Plugin: plugin, PlatformID: platformID, UserID: userID, Status: r.Text(0),
			Expires: r.Time(1), Created: r.Time(2), Updated: r.Time(3), Rev: r.Int(4), Scopes: r.Bytes(5), Sealed: r.Bytes(6),
		}
	}, `SELECT status, expires, created, updated, rev, scopes, sealed FROM tokens WHERE community = $1 AND plugin = $2 AND platform_id = $3 AND user_id = $4`,
		community, plugin, platformID, userID)
}

// DeleteToken implements store.Tx.
func (t *Tx) DeleteToken(community, plugin, platformID, userID string) error {
	return t.exec(`DELETE FROM tokens WHERE community = $1 AND plugin = $2 AND platform_id = $3 AND user_id = $4`, community, plugin, platformID, userID)
}
