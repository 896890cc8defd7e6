package storetest

import (
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/store"
)

// drawPeopleOp draws of people's verbs alone, so that more of them meet than among all.
func drawPeopleOp() *rapid.Generator[op] {
	return rapid.Custom(func(rt *rapid.T) op {
		return rapid.SampledFrom([]func(drawer) op{
			drawer.people, drawer.people, drawer.peopleBy, drawer.accountsBy, drawer.evidence, drawer.claims, drawer.changes, drawer.token, drawer.rows,
		}).Draw(rt, "verb")(drawer{rt})
	})
}

func (d drawer) person() store.Person {
	return store.Person{
		ID: d.id(), Community: d.of("a", "b"), Kind: d.of("k", "l"), Into: d.of("", "a", "b"), Name: d.id(), Data: d.bytes(), Created: d.atOrZero(),
		Updated: d.atOrZero(), Erased: d.atOrZero(),
	}
}

func (d drawer) account() store.Account {
	return store.Account{
		Community: d.of("a", "b"), Plugin: d.plugin(), PlatformID: d.of("T", "T", "", "S"), UserID: d.id(), Person: d.of("", "a", "b"), Home: d.id(),
		Mail: d.of("", "a", "b"), LinkType: d.of("x", "y"), Quality: d.of("", "q"), Data: d.bytes(), Created: d.atOrZero(), Updated: d.atOrZero(),
	}
}

// plugin is mostly the one that is asked for by name.
func (d drawer) plugin() string { return d.of("p", "p", "p2") }

func (d drawer) people() op {
	p, a, what := d.person(), d.account(), d.int(0, 5)
	return op{"PutPerson", func(_ *side, tx store.Tx) any {
		switch what {
		case 0:
			return failed(tx.DeleteAccount(a.Community, a.Plugin, a.PlatformID, a.UserID))
		case 1, 2, 3:
			// Whether there are any is remembered for a transaction.
			return []any{answered(tx.HasAccounts(a.Community)), failed(tx.PutAccount(a)), answered(tx.HasAccounts(a.Community))}
		}
		return failed(tx.PutPerson(p))
	}}
}

func (d drawer) peopleBy() op {
	q := store.PersonQuery{Community: d.of("a", "b"), Kind: d.of("", "k"), Standing: d.yes()}
	after, limit, id, mail, plugin := d.of("", "a", "b"), d.limit(), d.id(), d.of("", "a", "b"), d.plugin()
	return op{"People", func(_ *side, tx store.Tx) any {
		return []any{
			answered(tx.People(q, after, limit)), answered(tx.AccountsByMail(q.Community, mail, limit)), answered(tx.MergedInto(q.Community, id)),
			answered(tx.HasAccounts(q.Community)), answered(tx.PersonsOf(q.Community, plugin, "T", []string{id, "b", id, "nobody"})),
			answered(tx.NotStanding(q.Community, []string{id, "b", id, "nobody"})), answered(tx.UsersOf(q.Community, plugin, "T", []string{id, "b", id})),
		}
	}}
}

func (d drawer) accountsBy() op {
	q := store.AccountQuery{
		Community: d.of("a", "b"), Plugin: d.of("", "p", "p2"), PlatformID: d.of("", "T", "S"), UserID: d.of("", "", "a"), LinkType: d.of("", "", "x"), Quality: d.of("", "", "q"),
	}
	after, limit := store.Account{Plugin: d.of("", "o", "p", "p2"), PlatformID: d.of("", "S", "T"), UserID: d.of("", "a", "b")}, d.limit()
	return op{"AccountsBy", func(_ *side, tx store.Tx) any { return answered(tx.AccountsBy(q, after, limit)) }}
}

func (d drawer) evidence() op {
	e := store.Evidence{
		ID: d.id(), Community: d.of("a", "b"), A: d.id(), B: d.id(), Kind: d.id(), Issuer: d.id(), Score: int64(d.int(-1, 2)), Data: d.bytes(), At: d.at(),
		Expires: d.atOrZero(), Revoked: d.atOrZero(), Reason: d.of("", "r"),
	}
	gone, subject := d.int(0, 3) == 0, d.id()
	return op{"PutEvidence", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteEvidence(e.Community, e.ID))
		}
		return []any{failed(tx.PutEvidence(e)), answered(tx.EvidenceOf(e.Community, subject)), answered(tx.Evidence(e.Community, subject))}
	}}
}

func (d drawer) claims() op {
	c := store.Claim{
		Community: d.of("a", "b"), Subject: d.id(), Kind: d.of("k", "k", "k2"), Name: d.id(), Issuer: d.of("", "a", "b"), Data: d.bytes(), Sealed: d.bytes(),
		At: d.atOrZero(), Checked: d.atOrZero(), Expires: d.atOrZero(), Revoked: d.atOrZero(),
	}
	gone, after, afterIssuer, issuer, limit := d.int(0, 3) == 0, d.of("", "a", "b"), d.of("", "a", "b"), d.of("", "a", "b"), d.limit()
	return op{"PutClaim", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteClaim(c.Community, c.Subject, c.Kind, c.Name, c.Issuer))
		}
		q := store.ClaimQuery{Community: c.Community, Kind: c.Kind, Name: c.Name, Issuer: issuer}
		return []any{
			failed(tx.PutClaim(c)), answered(tx.Claims(c.Community, c.Subject)), answered(tx.ClaimOf(c.Community, c.Subject, "k", c.Name, issuer)),
			answered(tx.ClaimsBy(q, after, afterIssuer, limit)),
		}
	}}
}

func (d drawer) changes() op {
	c := store.Change{Community: d.of("a", "b"), Person: d.id(), At: d.at(), Kind: d.id(), Subject: d.id(), By: d.id(), Text: d.of("", "t"), Data: d.bytes()}
	gone, after, limit := d.int(0, 5) == 0, int64(d.int(-1, 3)), d.limit()
	return op{"PutChange", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteChanges(c.Community, c.Person))
		}
		return []any{failed(tx.PutChange(c)), answered(tx.Changes(c.Community, c.Person, after, limit))}
	}}
}

func (d drawer) token() op {
	k := store.Token{
		Community: d.of("a", "b"), Plugin: d.plugin(), PlatformID: "T", UserID: d.id(), Sealed: d.bytes(), Scopes: d.bytes(), Status: d.id(), Expires: d.atOrZero(),
		Created: d.atOrZero(), Updated: d.atOrZero(),
	}
	off, gone := d.off(), d.int(0, 4) == 0
	return op{"PutToken", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteToken(k.Community, k.Plugin, k.PlatformID, k.UserID))
		}
		old, _ := tx.Token(k.Community, k.Plugin, k.PlatformID, k.UserID)
		k := k
		k.Rev = old.Rev + off
		return []any{answered(old, nil), failed(tx.PutToken(k)), answered(tx.Token(k.Community, k.Plugin, k.PlatformID, k.UserID))}
	}}
}
