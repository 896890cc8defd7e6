package storetest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// fill puts a row into every table, all under one name.
func fill(t testingT, tx store.Tx, name string) {
	t.Helper()
	require.NoError(t, tx.PutCommunity(store.Community{Slug: name, Name: "Name", Created: sec(0)}))
	require.NoError(t, tx.PutInstance(store.Instance{
		ID: name, Community: name, Plugin: "p", Name: name, PlatformID: "T-" + name,
		Config: json(), Sealed: odd(), Status: "active", Created: sec(0), Updated: sec(1),
	}))
	require.NoError(t, tx.PutState(name, "key", odd(), 0))
	require.NoError(t, tx.PutTicket(store.Ticket{Kind: "k", ID: name, Data: odd(), Until: sec(60)}))
	require.NoError(t, tx.PutProcess(store.Process{
		ID: name, Community: name, Instance: name, Plugin: "p", Name: "vote", Status: store.Pending,
		Input: json(), State: json(), CloseAt: sec(60), Created: sec(0),
	}))
	require.NoError(t, tx.PutRef(name, "ref", name))
	require.NoError(t, tx.PutVoters(name, true, votersOf("v", "w")))
	require.NoError(t, tx.PutVoters(name, false, votersOf("w")))
	_, err := tx.Cast(store.Ballot{
		Process: name, Voter: "v", At: sec(1), Now: sec(2),
		Choices: []store.Choice{{Question: "q", Choice: "yes", Weight: 5}},
	})
	require.NoError(t, err)
	_, err = tx.Cast(store.Ballot{
		Process: name, Voter: "w", At: sec(1), Now: sec(2),
		Choices: []store.Choice{{Question: "q", Choice: "yes", Weight: 1}},
	})
	require.NoError(t, err)
	require.NoError(t, tx.PutProcess(store.Process{ID: name + "-counted", Community: name, Instance: name, Status: store.Pending}))
	require.NoError(t, tx.SetCounts(name+"-counted", []store.Count{{Question: "q", Choice: "no", Ballots: 3, Weight: 3}}, 3))
	fresh, err := tx.Accept(store.Delivery{ID: name, Plugin: "p", Fact: name, Header: json(), Body: odd(), At: sec(0)})
	require.NoError(t, err)
	require.True(t, fresh)
	_, err = tx.Accept(store.Delivery{ID: name + "-free", Plugin: "p", At: sec(0)})
	require.NoError(t, err)
	_, fresh, err = tx.Append(store.Event{ID: name, Community: name, Instance: name, Type: "t", Process: name, Data: json(), At: sec(0)})
	require.NoError(t, err)
	require.True(t, fresh)
	require.NoError(t, tx.PutSub(store.Sub{Name: name, Cursor: 1, Created: sec(0)}))
	require.NoError(t, tx.PutLane(store.Lane{Sub: name, Community: name, Due: sec(0)}))
	require.NoError(t, tx.Schedule(store.Task{Kind: "k", Key: name, Community: name, Instance: name, Ref: name, Due: sec(5), Payload: odd(), Created: sec(0)}))
	ok, err := tx.Acquire(name, "owner", sec(0), sec(60))
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, tx.PutCall(store.Call{ID: name, Community: name, Instance: name, Once: name, Input: json(), Started: sec(0)}))
	require.NoError(t, tx.PutEcho(store.Echo{Instance: name, Key: "echo", Call: name, Until: sec(60)}))
	require.NoError(t, tx.PutPerson(store.Person{ID: name, Community: name, Created: sec(0)}))
	require.NoError(t, tx.PutAccount(store.Account{Community: name, Plugin: "p", PlatformID: "T", UserID: name, Person: name, Data: json()}))
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: name, Community: name, A: name, B: "z", Data: json()}))
	require.NoError(t, tx.PutClaim(store.Claim{Community: name, Subject: name, Kind: "k", Name: name, Sealed: odd()}))
	require.NoError(t, tx.PutChange(store.Change{Community: name, Person: name, Data: json()}))
	require.NoError(t, tx.PutToken(store.Token{Community: name, Plugin: "p", PlatformID: "T", UserID: name, Sealed: odd()}))
	require.NoError(t, tx.PutEndpoint(store.Endpoint{ID: name, Community: name, URL: "https://driver.example", Filters: json(), Sealed: odd(), Created: sec(0)}))
	require.NoError(t, tx.AppendAudit(store.Audit{Community: name, Seq: 1, At: sec(0), Kind: "k", Data: json(), Hash: odd()}))
}

// writes are one use of each verb that writes; all of them work where fill has been, each on its own.
func writes(name string) map[string]func(store.Tx) error {
	return map[string]func(store.Tx) error{
		"PutCommunity":   func(tx store.Tx) error { return tx.PutCommunity(store.Community{Slug: name, Rev: 1}) },
		"PutInstance":    func(tx store.Tx) error { return tx.PutInstance(store.Instance{ID: name, Rev: 1}) },
		"DeleteInstance": func(tx store.Tx) error { return tx.DeleteInstance(name) },
		"PutState":       func(tx store.Tx) error { return tx.PutState(name, "another", odd(), 0) },
		"PutTicket":      func(tx store.Tx) error { return tx.PutTicket(store.Ticket{Kind: "k2", ID: name, Until: sec(9)}) },
		"TakeTicket":     func(tx store.Tx) error { _, err := tx.TakeTicket("k", name, sec(0)); return err },
		"PruneTickets":   func(tx store.Tx) error { _, err := tx.PruneTickets(sec(99), 0); return err },
		"PutProcess": func(tx store.Tx) error {
			return tx.PutProcess(store.Process{ID: name, Status: store.Completed, Ended: sec(9), Rev: 1})
		},
		"PutRef":    func(tx store.Tx) error { return tx.PutRef(name, "ref", "elsewhere") },
		"PutVoters": func(tx store.Tx) error { return tx.PutVoters(name, true, votersOf("x")) },
		"Cast": func(tx store.Tx) error {
			_, err := tx.Cast(store.Ballot{Process: name, Voter: "x", At: sec(3), Choices: []store.Choice{{Question: "q", Choice: "no"}}})
			return err
		},
		"SetCounts": func(tx store.Tx) error { return tx.SetCounts(name+"-counted", nil, 0) },
		"Accept": func(tx store.Tx) error {
			_, err := tx.Accept(store.Delivery{ID: name + "2", Plugin: "p", At: sec(0)})
			return err
		},
		"BlankDelivery":   func(tx store.Tx) error { return tx.BlankDelivery(name) },
		"AppendAudit":     func(tx store.Tx) error { return tx.AppendAudit(store.Audit{Community: name, Seq: 2, At: sec(1)}) },
		"PruneAudits":     func(tx store.Tx) error { _, err := tx.PruneAudits(name, sec(99), 0); return err },
		"PruneDeliveries": func(tx store.Tx) error { _, err := tx.PruneDeliveries(sec(99), 0); return err },
		"Append":          func(tx store.Tx) error { _, _, err := tx.Append(store.Event{Type: "t", At: sec(0)}); return err },
		"RedactEvent":     func(tx store.Tx) error { return tx.RedactEvent(1, "", nil) },
		"PruneEvents":     func(tx store.Tx) error { _, err := tx.PruneEvents(sec(99), 99, 0); return err },
		"PutSub":          func(tx store.Tx) error { return tx.PutSub(store.Sub{Name: name, Cursor: 9}) },
		"DeleteSub":       func(tx store.Tx) error { return tx.DeleteSub(name) },
		"PutLane":         func(tx store.Tx) error { return tx.PutLane(store.Lane{Sub: name, Community: name, Cursor: 9}) },
		"DeleteLane":      func(tx store.Tx) error { return tx.DeleteLane(name, name) },
		"Schedule":        func(tx store.Tx) error { return tx.Schedule(store.Task{Kind: "k", Key: name, Due: sec(1)}) },
		"Unschedule":      func(tx store.Tx) error { return tx.Unschedule("k", name) },
		"Claim":           func(tx store.Tx) error { _, err := tx.Claim([]string{"k"}, sec(9), sec(19), 0); return err },
		"Renew": onTask(name, func(tx store.Tx, k store.Task) error {
			_, err := tx.Renew(k, sec(99))
			return err
		}),
		"Done":    onTask(name, func(tx store.Tx, k store.Task) error { return tx.Done(k) }),
		"Again":   onTask(name, func(tx store.Tx, k store.Task) error { return tx.Again(k, sec(98)) }),
		"Retry":   onTask(name, func(tx store.Tx, k store.Task) error { return tx.Retry(k, sec(99), "why") }),
		"Park":    onTask(name, func(tx store.Tx, k store.Task) error { return tx.Park(k, "group", "why") }),
		"Acquire": func(tx store.Tx) error { _, err := tx.Acquire(name, "owner", sec(0), sec(99)); return err },
		"Release": func(tx store.Tx) error { return tx.Release(name, "owner") },
		"PutCall": func(tx store.Tx) error { return tx.PutCall(store.Call{ID: name, Ended: sec(1), Rev: 1}) },
		"PutEcho": func(tx store.Tx) error {
			return tx.PutEcho(store.Echo{Instance: name, Key: "echo", Call: name, Caused: true})
		},
		"PutEndpoint":    func(tx store.Tx) error { return tx.PutEndpoint(store.Endpoint{ID: name, Rev: 1}) },
		"DeleteEndpoint": func(tx store.Tx) error { return tx.DeleteEndpoint(name) },
		"DeleteEchoes":   func(tx store.Tx) error { return tx.DeleteEchoes(name) },
		"PutPerson":      func(tx store.Tx) error { return tx.PutPerson(store.Person{ID: name, Community: name, Created: sec(9)}) },
		"PutEvidence":    func(tx store.Tx) error { return tx.PutEvidence(store.Evidence{ID: name, Community: name, A: "y"}) },
		"DeleteEvidence": func(tx store.Tx) error { return tx.DeleteEvidence(name, name) },
		"PutClaim":       func(tx store.Tx) error { return tx.PutClaim(store.Claim{Community: name, Subject: name, Kind: "k2"}) },
		"DeleteClaim":    func(tx store.Tx) error { return tx.DeleteClaim(name, name, "k", name, "") },
		"PutChange":      func(tx store.Tx) error { return tx.PutChange(store.Change{Community: name, Person: name}) },
		"DeleteChanges":  func(tx store.Tx) error { return tx.DeleteChanges(name, name) },
		"PutToken": func(tx store.Tx) error {
			return tx.PutToken(store.Token{Community: name, Plugin: "p", PlatformID: "T", UserID: name, Rev: 1})
		},
		"DeleteToken":   func(tx store.Tx) error { return tx.DeleteToken(name, "p", "T", name) },
		"DeleteAccount": func(tx store.Tx) error { return tx.DeleteAccount(name, "p", "T", name) },
		"ClearVoters":   func(tx store.Tx) error { _, err := tx.ClearVoters(name, 1); return err },
		"Rehold": func(tx store.Tx) error {
			_, err := tx.Rehold(name, []store.Hold{{Voter: "v", Holder: "h", Weight: 9}, {Voter: "w", Holder: "h", Weight: -1}}, false)
			return err
		},
		"RenameVoter": func(tx store.Tx) error { return tx.RenameVoter(name, "v", "somebody") },
		"PutAccount": func(tx store.Tx) error {
			return tx.PutAccount(store.Account{Community: name, Plugin: "p", PlatformID: "T", UserID: name, Person: "another"})
		},
	}
}

func onTask(name string, fn func(store.Tx, store.Task) error) func(store.Tx) error {
	return func(tx store.Tx) error {
		k, err := tx.Task("k", name)
		if err != nil {
			return err
		}
		return fn(tx, k)
	}
}

// scramble changes or deletes whatever fill has put.
func scramble(t testingT, tx store.Tx, name string) {
	t.Helper()
	all := writes(name)
	// In this order none takes away what another needs.
	for _, verb := range strings.Fields(`PutCommunity PutState PutTicket TakeTicket PutRef PutVoters Cast Rehold RenameVoter ClearVoters PutProcess SetCounts
		Accept PutSub DeleteLane PutLane Claim Renew Retry Again Acquire Release PutEcho PutCall PutPerson PutAccount DeleteAccount
		PutEvidence DeleteEvidence PutClaim DeleteClaim PutChange DeleteChanges PutToken DeleteToken
		AppendAudit PruneAudits BlankDelivery Append RedactEvent PruneEvents Schedule Unschedule PruneDeliveries PutInstance DeleteSub DeleteEchoes DeleteInstance PruneTickets PutEndpoint DeleteEndpoint`) {
		require.NoError(t, all[verb](tx), verb)
	}
}
