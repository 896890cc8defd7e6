package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/metagov/gateway-go/store"
)

// Link is how surely two accounts are one person's.
type Link struct {
	Strength Strength   `json:"strength"`
	Path     []Evidence `json:"path,omitempty"`    // the evidence that it rests on, from the one account to the other: the strongest way, of equal ones the shortest
	Missing  string     `json:"missing,omitempty"` // what would make it stronger; "" where it is as strong as can be
}

// Strength says how surely two accounts are one person's: as surely as the weakest evidence on the strongest way from the one to the other, by
// what the community trusts ([Settings.Trust]). Evidence that was revoked or has expired counts for nothing, and accounts of two people are None,
// whatever speaks for more. NotFound: one of them is not linked. Its cost follows what is known of the one person.
func (c *Community) Strength(ctx context.Context, a, b AccountRef) (Link, error) {
	var out Link
	err := c.look(ctx, func(tx store.Tx, s Settings) (err error) {
		x, y, err := c.pair(tx, a, b)
		if err == nil {
			out, err = c.g.strength(tx, s, x, y)
		}
		return err
	})
	return out, storeError(err, "how surely %s and %s are one person's", a, b)
}

// Require is a guard for policies: nil where two accounts are one person's at least that surely. Denied otherwise, saying what there is and which
// evidence is missing; an account that is not linked is Denied too.
func (c *Community) Require(ctx context.Context, a, b AccountRef, least Strength) error {
	link, err := c.Strength(ctx, a, b)
	switch {
	case CodeOf(err) == NotFound:
		return Errorf(Denied, "%s is required between %s and %s: %w", least, a, b, err)
	case err != nil:
		return err
	case link.Strength < least:
		return Errorf(Denied, "%s is required between %s and %s, which are linked by %s: %s", least, a, b, link.Strength, link.Missing)
	}
	return nil
}

func (g *Gateway) strength(tx store.Tx, s Settings, a, b Account) (Link, error) {
	from, to := a.key(), b.key()
	switch {
	case a.Person != b.Person:
		return Link{Missing: fmt.Sprintf("%s and %s are not known to be one person's: link them", from, to)}, nil
	case from == to:
		return Link{Strength: Verified}, nil
	}
	w := g.walk(tx, s, a)
	w.in[to] = true
	link, err := w.best(from, to)
	if err == nil {
		link.Missing = w.missing(link, from, to)
	}
	return link, err
}

// walk looks for the strongest way between two accounts of one person. Ways lead only over what is that person's now: evidence about
// somebody from whom an account was parted says nothing any more.
type walk struct {
	g         *Gateway
	tx        store.Tx
	settings  Settings
	community string
	person    string
	in        map[string]bool // whether a subject is the person's
}

func (g *Gateway) walk(tx store.Tx, s Settings, a Account) *walk {
	return &walk{g: g, tx: tx, settings: s, community: a.community, person: a.Person, in: map[string]bool{a.key(): true, PersonKey(a.Person): true}}
}

// missing says what would make a link stronger than it is: what is weakest about it, where a login would do, and what always does.
func (w *walk) missing(link Link, from, to string) string {
	var ways []string
	if accounts, reach := w.oneLogin(link); len(accounts) > 0 {
		ways = append(ways, fmt.Sprintf("a login of %s would make it %s", strings.Join(accounts, " and one of "), reach))
	}
	if reach := w.settings.worth(BothLogins, "", Verified); reach > link.Strength && w.settings.links(ByBothLogins) {
		ways = append(ways, fmt.Sprintf("a login of %s in the same session as one of %s would make it %s", from, to, reach))
	}
	switch {
	case link.Strength == Verified:
		return ""
	case len(ways) == 0:
		return "no login that this community knows of or trusts would make it stronger"
	}
	return strings.Join(ways, "; ")
}

// oneLogin names the accounts whose logins, each by itself, would make a link stronger, and how strong: those of the weakest evidence on its
// path, if all of that is about an account and the person to whom it was linked.
func (w *walk) oneLogin(link Link) (accounts []string, reach Strength) {
	reach = w.settings.worth(OneLogin, "", Proven)
	if reach <= link.Strength || !w.settings.links(ByLogin) {
		return nil, None
	}
	for _, e := range link.Path {
		if e.Strength > link.Strength {
			reach = min(reach, e.Strength)
			continue
		}
		a, _ := parseSubject(e.A)
		b, _ := parseSubject(e.B)
		if a.kind != kindAccount || b.kind == kindAccount {
			return nil, None
		}
		accounts = append(accounts, e.A)
	}
	return accounts, reach
}

// reached is a subject with the strongest way to it.
type reached struct {
	subject  string
	strength Strength
	path     []store.Evidence
}

// best is Dijkstra's algorithm for the widest path. A person has few accounts, so looking through a list for the next is quick.
func (w *walk) best(from, to string) (Link, error) {
	open := []reached{{subject: from, strength: Verified}}
	done := map[string]bool{}
	now := w.g.now()
	for len(open) > 0 {
		i := 0
		for j := range open {
			if better(open[j], open[i]) {
				i = j
			}
		}
		at := open[i]
		open = slices.Delete(open, i, i+1)
		if done[at.subject] {
			continue
		}
		done[at.subject] = true
		if at.subject == to {
			link := Link{Strength: at.strength}
			for _, e := range at.path {
				link.Path = append(link.Path, w.g.evidenceOf(w.settings, e))
			}
			return link, nil
		}
		edges, err := w.tx.EvidenceOf(w.community, at.subject)
		if err != nil {
			return Link{}, err
		}
		for _, e := range edges {
			next := e.A
			if next == at.subject {
				next = e.B
			}
			worth := min(at.strength, w.settings.worth(e.Kind, e.Issuer, strengthOf(e.Kind)))
			if done[next] || !holds(e, now) || e.Kind == Inferred || worth == None {
				continue
			}
			if mine, err := w.theirs(next); err != nil || !mine {
				if err != nil {
					return Link{}, err
				}
				continue
			}
			open = append(open, reached{next, worth, append(slices.Clone(at.path), e)})
		}
	}
	return Link{}, nil
}

// better says whether a way is to be followed before another: the stronger, then the shorter, then by names, so that it is always the same.
func better(a, b reached) bool {
	if a.strength != b.strength {
		return a.strength > b.strength
	}
	if len(a.path) != len(b.path) {
		return len(a.path) < len(b.path)
	}
	for i := range a.path {
		if a.path[i].ID != b.path[i].ID {
			return a.path[i].ID < b.path[i].ID
		}
	}
	return a.subject < b.subject
}

// theirs says whether a subject is the person's now.
func (w *walk) theirs(subject string) (bool, error) {
	mine, known := w.in[subject]
	if known {
		return mine, nil
	}
	person, err := personOf(w.tx, w.community, subject)
	if storeError(err, "") != nil && CodeOf(storeError(err, "")) != NotFound {
		return false, err
	}
	w.in[subject] = err == nil && person == w.person
	return w.in[subject], nil
}
