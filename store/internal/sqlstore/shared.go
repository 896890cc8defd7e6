package sqlstore

import (
	"bytes"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// Shared is what the functions that share one open transaction need not read twice: when many vote at once, most deliveries of a
// transaction are for the same instance, message, process and counts, and reading those again for each was half of what a
// ballot cost. The zero value is ready.
//
// It holds only what was read or written in this transaction, which nobody else can change meanwhile. Every verb that
// changes such rows changes or forgets what is held of them; whoever undoes a part of the transaction calls Forget.
type Shared struct {
	// Late lets the sums of ballots (counts and tallies) and the counter of revisions wait for Flush, so that what many move is written once. It is for
	// transactions of which no part is undone by itself, and does not change while one is open.
	Late bool

	seq  int64 // the newest event's, 0: not known
	revs int64 // the counter of revisions, 0: not known
	// Whether Flush has to write revs.
	lateRevs bool

	communities map[string]store.Community
	platforms   map[platform][]store.Instance
	processes   map[string]store.Process
	refs        map[ref][]string
	lists       map[string]bool // whether a process has any row of voters
	others      map[string]bool // whether a process has a ballot of another holder than its voter
	accounts    map[string]bool // whether a community has any account
	sums        map[string]*sums
}

type platform struct {
	plugin, id string
	limit      int64
}

type ref struct {
	instance, ref string
	limit         int64
}

// maxShared bounds the memory, for each kind.
const maxShared = 256

// Forget empties it. Call it when the transaction ends, and when a part of it is undone.
func (s *Shared) Forget() {
	s.seq, s.revs, s.lateRevs = 0, 0, false
	clear(s.communities)
	clear(s.platforms)
	clear(s.processes)
	clear(s.refs)
	clear(s.lists)
	clear(s.others)
	clear(s.accounts)
	clear(s.sums)
}

// keep remembers a value as long as there is room.
func keep[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	if _, known := (*m)[k]; known || len(*m) < maxShared {
		(*m)[k] = v
	}
}

// byPlatform gives the rows from memory, or from read. What it returns belongs to the caller. Without a Shared it only reads.
func (s *Shared) byPlatform(p platform, read func() ([]store.Instance, error)) ([]store.Instance, error) {
	if s == nil {
		return read()
	}
	rows, ok := s.platforms[p]
	if !ok {
		var err error
		if rows, err = read(); err != nil {
			return nil, err
		}
		keep(&s.platforms, p, rows)
	}
	out := slices.Clone(rows)
	for i := range out {
		out[i].Config, out[i].Sealed = bytes.Clone(out[i].Config), bytes.Clone(out[i].Sealed)
	}
	return out, nil
}

// community gives a row from memory, or from read. Its bytes are shared: a caller of ours gets them cloned.
func (s *Shared) community(slug string, read func() (store.Community, error)) (store.Community, error) {
	if s == nil {
		return read()
	}
	if c, ok := s.communities[slug]; ok {
		return c, nil
	}
	c, err := read()
	if err == nil {
		keep(&s.communities, slug, c)
	}
	return c, err
}

// process gives a row from memory, or from read. Its bytes are shared: a caller of ours gets them cloned.
func (s *Shared) process(id string, read func() (store.Process, error)) (store.Process, error) {
	if s == nil {
		return read()
	}
	if p, ok := s.processes[id]; ok {
		return p, nil
	}
	p, err := read()
	if err == nil {
		keep(&s.processes, id, p)
	}
	return p, err
}

// changeInstances is called by whatever changes instances.
func (t *Tx) changeInstances() {
	if t.shared != nil {
		clear(t.shared.platforms)
	}
}

// changeRefs is called by whatever changes the refs of processes.
func (t *Tx) changeRefs() {
	if t.shared != nil {
		clear(t.shared.refs)
	}
}

// changeAccounts is called by whatever changes the accounts of a community.
func (t *Tx) changeAccounts(community string) {
	if t.shared != nil {
		delete(t.shared.accounts, community)
	}
}

// changeProcess is called by whatever changes the row of a process, or the lists of who may vote in it.
func (t *Tx) changeProcess(id string) {
	if t.shared != nil {
		delete(t.shared.processes, id)
		delete(t.shared.lists, id)
	}
}
