package storetest

import (
	"github.com/metagov/gateway-go/store"
)

func (d drawer) account() store.Account {
	return store.Account{
		Community: d.of("a", "b"), Plugin: "p", PlatformID: "T", UserID: d.id(), Person: d.of("", "a", "b"), Home: d.id(), Mail: d.of("", "", "a"), LinkType: d.of("x", "y"),
		Data: d.bytes(), Updated: d.atOrZero(),
	}
}

func (d drawer) people() op {
	p := store.Person{ID: d.id(), Community: d.of("a", "b"), Kind: d.of("k", "l"), Into: d.of("", "a", "b"), Name: d.id(), Data: d.bytes(), Created: d.atOrZero(), Erased: d.atOrZero()}
	a, what := d.account(), d.int(0, 4)
	return op{"PutPerson", func(_ *side, tx store.Tx) any {
		switch what {
		case 0:
			return failed(tx.DeleteAccount(a.Community, a.Plugin, a.PlatformID, a.UserID))
		case 1, 2:
			return failed(tx.PutAccount(a))
		}
		return failed(tx.PutPerson(p))
	}}
}

func (d drawer) peopleBy() op {
	q := store.PersonQuery{Community: d.of("a", "b"), Kind: d.of("", "k"), Standing: d.yes()}
	w := store.AccountQuery{Community: d.of("a", "b"), Plugin: d.of("", "p"), PlatformID: d.of("", "T"), LinkType: d.of("", "x"), UserID: d.of("", "a")}
	after, limit, id, mail := d.of("", "a"), d.limit(), d.id(), d.of("", "a")
	from := store.Account{Plugin: d.of("", "p"), PlatformID: "T", UserID: "a"}
	return op{"People", func(_ *side, tx store.Tx) any {
		return []any{
			answered(tx.People(q, after, limit)), answered(tx.AccountsBy(w, from, limit)), answered(tx.AccountsByMail(q.Community, mail, limit)),
			answered(tx.MergedInto(q.Community, id)), answered(tx.HasAccounts(q.Community)), answered(tx.PeopleIn(q.Community, []string{id, "b", id, "nobody"})), answered(tx.AccountsIn(q.Community, "p", "T", []string{id, "b", id})), answered(tx.PersonsOf(q.Community, "p", "T", []string{id, "b", id, "nobody"})),
		}
	}}
}

func (d drawer) evidence() op {
	e := store.Evidence{ID: d.id(), Community: d.of("a", "b"), A: d.of("a", "b"), B: d.of("b", "c"), Kind: d.id(), Data: d.bytes(), At: d.at(), Expires: d.atOrZero(), Revoked: d.atOrZero()}
	gone, subject := d.int(0, 3) == 0, d.id()
	return op{"PutEvidence", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteEvidence(e.Community, e.ID))
		}
		return []any{failed(tx.PutEvidence(e)), answered(tx.EvidenceOf(e.Community, subject)), answered(tx.Evidence(e.Community, subject))}
	}}
}

func (d drawer) claims() op {
	c := store.Claim{Community: d.of("a", "b"), Subject: d.id(), Kind: "k", Name: d.id(), Issuer: d.of("", "a"), Data: d.bytes(), Sealed: d.bytes(), Checked: d.atOrZero(), Revoked: d.atOrZero()}
	gone, after, issuer, limit := d.int(0, 3) == 0, d.of("", "a"), d.of("", "a"), d.limit()
	return op{"PutClaim", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteClaim(c.Community, c.Subject, c.Kind, c.Name, c.Issuer))
		}
		q := store.ClaimQuery{Community: c.Community, Kind: "k", Name: c.Name, Issuer: issuer}
		return []any{
			failed(tx.PutClaim(c)), answered(tx.Claims(c.Community, c.Subject)), answered(tx.ClaimOf(c.Community, c.Subject, "k", c.Name, issuer)),
			answered(tx.ClaimsBy(q, after, issuer, limit)),
		}
	}}
}

func (d drawer) changes() op {
	c := store.Change{Community: d.of("a", "b"), Person: d.id(), At: d.at(), Kind: d.id(), Subject: d.id(), Data: d.bytes()}
	gone, after, limit := d.int(0, 5) == 0, int64(d.int(0, 3)), d.limit()
	return op{"PutChange", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteChanges(c.Community, c.Person))
		}
		return []any{failed(tx.PutChange(c)), answered(tx.Changes(c.Community, c.Person, after, limit))}
	}}
}

func (d drawer) token() op {
	k := store.Token{Community: d.of("a", "b"), Plugin: "p", PlatformID: "T", UserID: d.id(), Sealed: d.bytes(), Scopes: d.bytes(), Status: d.id(), Expires: d.atOrZero()}
	off, gone := d.off(), d.int(0, 4) == 0
	return op{"PutToken", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteToken(k.Community, k.Plugin, k.PlatformID, k.UserID))
		}
		old, _ := tx.Token(k.Community, k.Plugin, k.PlatformID, k.UserID)
		k := k
		k.Rev = old.Rev + off
		return failed(tx.PutToken(k))
	}}
}
