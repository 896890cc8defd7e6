package storetest

import (
	"github.com/metagov/gateway-go/store"
)

// rows draws a reading of single rows of communities, people, calls and deliveries.
func (d drawer) rows() op {
	id, community, key := d.id(), d.of("a", "b"), d.of("a", "b", "c")
	return op{"rows", func(_ *side, tx store.Tx) any {
		return []any{
			answered(tx.Community(id)), answered(tx.Instance(id)), answered(tx.InstanceByName(community, id)), answered(tx.Delivery(id)),
			answered(tx.Call(id)), answered(tx.CallByOnce(community, id)), answered(tx.Echoes(id, []string{key, "b"})),
			answered(tx.Person(community, id)), answered(tx.Account(community, "p", "T", id)), answered(tx.Accounts(community, id)),
		}
	}}
}

// standing draws a reading of how one process stands.
func (d drawer) standing() op {
	id, other, voter, limit := d.id(), d.id(), d.of("v", "w", "x"), d.limit()
	return op{"standing", func(_ *side, tx store.Tx) any {
		allowed, denied, err := tx.Voter(id, voter)
		return []any{
			answered(tx.Process(id)), answered(tx.ProcessesByRef(other, "ref", limit)), answered([]bool{allowed, denied}, err), answered(tx.VotersAllowed(id)),
			answered(tx.Counts(id)), answered(tx.Turnout(id)), answered(tx.BallotsOf(id, voter)),
		}
	}}
}

// places draws a reading of the log's end, of who has heard how much, and of what is due next.
func (d drawer) places() op {
	id := d.id()
	return op{"places", func(_ *side, tx store.Tx) any {
		return []any{
			answered(tx.LastSeq()), answered(tx.Sub(id)), answered(tx.Subs()), answered(tx.Lanes(id)), answered(tx.NextDue([]string{"k", "k2"})), answered(tx.NextDue([]string{"k2"})),
		}
	}}
}
