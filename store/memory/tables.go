package memory

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

// tables is everything that is kept. Assigning it makes a snapshot.
type tables struct {
	communities tree[*store.Community] // slug
	instances   tree[*store.Instance]  // id
	byName      tree[string]           // community, name
	byPlatform  tree[none]             // plugin, platform ID, id
	byPlatformC tree[none]             // community, plugin, platform ID
	byPlugin    tree[none]             // plugin, id
	state       tree[value]            // instance, key
	tickets     tree[*store.Ticket]    // kind, id
	ticketsEnd  tree[none]             // until, kind, id

	processes  tree[*store.Process] // id
	processesC tree[none]           // community, id
	processesI tree[none]           // instance, id
	ended      tree[none]           // ended, id
	refs       tree[none]           // instance, ref, process
	refsOf     tree[none]           // process, instance, ref

	voters   tree[voter]       // process, key
	votersOf tree[none]        // process, holder, key
	tallies  tree[tally]       // process
	ballots  tree[*store.Held] // process, voter, question
	heldBy   tree[none]        // process, holder, voter, question
	holding  tree[int]         // process, holder: how many choices they hold
	counts   tree[store.Count] // process, question, choice

	deliveries   tree[*store.Delivery] // id
	facts        tree[none]            // plugin, fact
	deliveriesAt tree[none]            // at, id

	lastSeq int64
	log     tree[*store.Event] // seq
	known   tree[int64]        // instance, type, id
	subs    tree[store.Sub]    // name
	lanes   tree[store.Lane]   // sub, community

	tasks  tree[*store.Task] // kind, key
	due    tree[none]        // kind, due, key; without those that are parked
	dueOf  tree[none]        // kind, community, due, key; likewise
	queues tree[queue]       // kind, community
	line   tree[none]        // kind, due, rev, community
	parked tree[none]        // kind, key
	tasksG tree[none]        // group, kind, key; of those that are parked
	tasksC tree[none]        // community, kind, key
	tasksI tree[none]        // instance, kind, key
	taskOf tree[none]        // ref, kind, key
	leases tree[lease]       // name

	calls      tree[*store.Call] // id
	onces      tree[string]      // community, once
	callsEnded tree[none]        // ended, id
	echoes     tree[store.Echo]  // instance, key, call
	echoesOf   tree[none]        // call, key, instance

	people       tree[store.Person]    // community, id
	mergedInto   tree[none]            // community, into, id
	accounts     tree[store.Account]   // community, plugin, platform ID, user
	accountsOf   tree[none]            // community, person, plugin, platform ID, user
	accountsMail tree[none]            // community, mail, plugin, platform ID, user
	evidence     tree[*store.Evidence] // community, id
	evidenceOf   tree[*store.Evidence] // community, subject, id
	claims       tree[*store.Claim]    // community, subject, kind, name, issuer
	claimsBy     tree[*store.Claim]    // community, kind, name, subject, issuer
	changes      tree[*store.Change]   // community, person, seq
	lastChange   tree[int64]           // community, person
	tokens       tree[*store.Token]    // community, plugin, platform ID, user

	endpoints  tree[*store.Endpoint] // id
	endpointsC tree[none]            // community, id
	audits     tree[*store.Audit]    // community, seq
	auditHeads tree[store.AuditHead] // community
}

type none struct{}

// tx is one transaction: its own copy of the tables.
type tx struct {
	tables
	store  *Store
	locked error // why writing is refused
}

var _ store.Tx = (*tx)(nil)

// nextRev gives a number that was never given before.
func (t *tx) nextRev() int64 { return t.store.revs.Add(1) }

const defaultLimit = 100

func atMost(limit int) int {
	if limit < 1 {
		return defaultLimit
	}
	return limit
}

// when cuts a time to what is kept of it.
func when(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// num writes a number that is not negative so that it sorts.
func num(n int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n))) }

// at writes a time so that it sorts.
func at(t time.Time) string {
	if t.IsZero() {
		return num(0)
	}
	return num(t.UnixMicro())
}

// own copies bytes; of none it makes nil.
func own(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}

// first collects what a walk over an index finds in a table, up to the limit.
func first[I, V any](walk iter.Seq2[key, I], limit int, find func(key, I) (V, bool)) []V {
	var out []V
	for k, i := range walk {
		if len(out) == limit {
			break
		}
		if v, ok := find(k, i); ok {
			out = append(out, v)
		}
	}
	return out
}

// matches reports whether a query's field selects a value.
func matches(want, have string) bool { return want == "" || want == have }

func matchesAny(want []string, have string) bool {
	return len(want) == 0 || slices.Contains(want, have)
}
