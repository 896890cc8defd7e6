package storetest

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// contents is what is in a store, by what it is about.
type contents map[string]any

// dump reads everything from a store that can be listed, and what the suite's own names name.
func dump(t testingT, s store.Store) contents {
	t.Helper()
	var c contents
	require.NoError(t, s.View(context.Background(), func(tx store.Tx) error {
		c = dumpTx(t, tx)
		return nil
	}))
	return c
}

const all = 1 << 20

// dumpTx leaves out the Revs of state, which differ from store to store; those of tasks are in.
func dumpTx(t testingT, tx store.Tx) contents {
	t.Helper()
	c := contents{}
	c.keep(t, "communities")(tx.Communities("", all))
	for _, plugin := range []string{"", "p", "p2"} {
		c.keep(t, "instances by plugin", plugin)(tx.InstancesByPlugin(plugin, "", all))
	}
	processes := must(tx.Processes(store.ProcessQuery{}, "", all))(t)
	c.keep(t, "processes")(processes, nil)
	for _, p := range append(names(processes, func(p store.Process) string { return p.ID }), "gone") {
		c.keep(t, "counts", p)(tx.Counts(p))
		c.keep(t, "turnout", p)(tx.Turnout(p))
		c.keep(t, "ballots", p)(tx.Ballots(p, "", "", all))
		c.keep(t, "allowed", p)(tx.VotersAllowed(p))
		c.keep(t, "voters", p)(tx.Voters(p, "", all))
		for _, v := range []string{"v", "w", "x", "h"} {
			allowed, denied, err := tx.Voter(p, v)
			c.keep(t, "voter", p, v)([2]bool{allowed, denied}, err)
			c.keep(t, "ballots of", p, v)(tx.BallotsOf(p, v))
		}
	}
	c.keep(t, "events")(tx.Events(store.EventQuery{}, all))
	c.keep(t, "last")(tx.LastSeq())
	subs := must(tx.Subs())(t)
	c.keep(t, "subs")(subs, nil)
	for _, s := range append(names(subs, func(s store.Sub) string { return s.Name }), "gone") {
		c.keep(t, "lanes", s)(tx.Lanes(s))
	}
	for _, community := range []string{"", "a", "b"} {
		c.keep(t, "endpoints", community)(tx.Endpoints(community, "", all))
		c.keep(t, "people", community)(tx.People(store.PersonQuery{Community: community}, "", all))
		c.keep(t, "accounts by", community)(tx.AccountsBy(store.AccountQuery{Community: community}, store.Account{}, all))
		c.keep(t, "has accounts", community)(tx.HasAccounts(community))
	}
	c.keep(t, "tasks")(tx.Tasks(store.TaskQuery{}, "", "", all))
	c.keep(t, "next")(tx.NextDue([]string{"k", "k2"}))
	for _, id := range []string{"a", "b", "c"} {
		c.dumpNamed(t, tx, id)
	}
	return c
}

func (c contents) dumpNamed(t testingT, tx store.Tx, id string) {
	c.keep(t, "instance", id)(tx.Instance(id))
	c.keep(t, "instance named", id)(tx.InstanceByName("a", id))
	c.keep(t, "instances", id)(tx.Instances(id, all))
	c.keep(t, "instances by platform", id)(tx.InstancesByPlatform("p", "T-"+id, all))
	value, rev, err := tx.State(id, "key")
	c.keep(t, "state", id)(state{value, rev != 0}, err)
	c.keep(t, "ref", id)(tx.ProcessesByRef(id, "ref", all))
	c.keep(t, "delivery", id)(tx.Delivery(id))
	c.keep(t, "endpoint", id)(tx.Endpoint(id))
	c.keep(t, "call", id)(tx.Call(id))
	c.keep(t, "once", id)(tx.CallByOnce("a", id))
	c.keep(t, "echoes", id)(tx.Echoes(id, []string{"echo", "a", "b", "c"}))
	for _, community := range []string{"a", "b"} {
		c.keep(t, "audit", id)(tx.Audits(store.AuditQuery{Community: id}, all))
		c.keep(t, "audit head", id)(tx.AuditHead(id))
		c.keep(t, "person", community, id)(tx.Person(community, id))
		c.keep(t, "accounts", community, id)(tx.Accounts(community, id))
		c.keep(t, "account", community, id)(tx.Account(community, "p", "T", id))
		c.keep(t, "merged", community, id)(tx.MergedInto(community, id))
		c.keep(t, "mail", community, id)(tx.AccountsByMail(community, id, all))
		c.keep(t, "evidence", community, id)(tx.Evidence(community, id))
		c.keep(t, "evidence of", community, id)(tx.EvidenceOf(community, id))
		c.keep(t, "claims", community, id)(tx.Claims(community, id))
		c.keep(t, "claims by", community, id)(tx.ClaimsBy(store.ClaimQuery{Community: community, Kind: "k", Name: id}, "", "", all))
		c.keep(t, "changes", community, id)(tx.Changes(community, id, 0, all))
		for _, plugin := range []string{"p", "p2"} {
			c.keep(t, "token", community, plugin, id)(tx.Token(community, plugin, "T", id))
			c.keep(t, "persons", community, plugin, id)(tx.PersonsOf(community, plugin, "T", []string{id, "gone"}))
		}
	}
}

type state struct {
	value []byte
	there bool
}

// keep files an answer under a name. An answer of "not found" is one as well.
func (c contents) keep(t testingT, name ...string) func(answer any, err error) {
	return func(answer any, err error) {
		t.Helper()
		if err != nil {
			require.ErrorIs(t, err, store.ErrNotFound, name)
			answer = store.ErrNotFound
		}
		label := ""
		for _, n := range name {
			label += n + " "
		}
		c[label] = plain(answer)
	}
}

// plain makes an empty list of one that is nil: which of them a store returns does not matter.
func plain(answer any) any {
	switch a := answer.(type) {
	case []store.Community:
		return list(a)
	case []store.Instance:
		return list(a)
	case []store.Process:
		return list(a)
	case []store.Count:
		return list(a)
	case []store.Held:
		return list(a)
	case []store.Event:
		return list(a)
	case []store.Sub:
		return list(a)
	case []store.Lane:
		return list(a)
	case []store.Task:
		return list(a)
	case []store.Echo:
		return list(a)
	case []store.Endpoint:
		return list(a)
	case []store.Account:
		return list(a)
	case []store.Person:
		return list(a)
	case []store.Listed:
		return list(a)
	case []store.Evidence:
		return list(a)
	case []store.Claim:
		return list(a)
	case []store.Change:
		return list(a)
	case []store.Audit:
		return list(a)
	}
	return answer
}

func list[V any](a []V) []V {
	if a == nil {
		return []V{}
	}
	return a
}

// class names an error by what a caller can do with it.
func class(err error) string {
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrNotOpen} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "an error"
	}
	return ""
}
