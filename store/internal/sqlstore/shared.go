package sqlstore

import (
	"bytes"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// Shared is what the functions that share one open transaction need not read twice: the instances of a platform, which each
// delivery looks for, and which most deliveries of a transaction have in common. Reading them again would be an eighth of what a
// delivery costs in the transaction. The zero value is ready.
type Shared struct {
	platforms map[platform][]store.Instance
}

type platform struct {
	plugin, id string
	limit      int64
}

// sharedPlatforms bounds the memory.
const sharedPlatforms = 256

// Forget empties it. Call it when the transaction ends, and when a part of it is undone.
func (s *Shared) Forget() { clear(s.platforms) }

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
		if s.platforms == nil {
			s.platforms = map[platform][]store.Instance{}
		}
		if len(s.platforms) < sharedPlatforms {
			s.platforms[p] = rows
		}
	}
	out := slices.Clone(rows)
	for i := range out {
		out[i].Config, out[i].Sealed = bytes.Clone(out[i].Config), bytes.Clone(out[i].Sealed)
	}
	return out, nil
}

// changeInstances is called by whatever changes instances.
func (t *Tx) changeInstances() {
	if t.shared != nil {
		t.shared.Forget()
	}
}
