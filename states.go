package gateway

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// Bounds of the memory for decoded states.
const (
	maxStates     = 256
	maxStateBytes = 32 << 10
)

// decoded is a process's state as Receive gets it: when many vote at once, decoding the same state for each of them would be a
// quarter of what a ballot costs the gateway itself.
type decoded struct {
	raw  []byte
	as   any // never given away
	lent any // equal to it; nil while a Receive has it
}

// borrow gives a process's decoded state to one Receive, which gives it back.
func (g *Gateway) borrow(row store.Process, def *process) (state any, err error) {
	if def.Version != row.Version || len(row.State) > maxStateBytes {
		return g.decodeState(row, def)
	}
	g.mu.Lock()
	d := g.states[row.ID]
	if d != nil && bytes.Equal(d.raw, row.State) {
		state, d.lent = d.lent, nil
	}
	g.mu.Unlock()
	if state != nil {
		return state, nil
	}
	return g.decodeState(row, def)
}

// giveBack takes a state after Receive, for the next. Receive does not change it: one that it changed all the same is lost, as if
// every Receive had its own.
func (g *Gateway) giveBack(s *Step) {
	if s.def.Version != s.base.Version || len(s.base.State) > maxStateBytes {
		return
	}
	g.mu.Lock()
	d := g.states[s.base.ID]
	g.mu.Unlock()
	if d == nil || !bytes.Equal(d.raw, s.base.State) {
		as, err := g.decodeState(s.base, s.def)
		if err != nil {
			return
		}
		d = &decoded{raw: slices.Clone(s.base.State), as: as}
	}
	if !reflect.DeepEqual(d.as, s.state) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.states == nil || len(g.states) >= maxStates {
		g.states = map[string]*decoded{}
	}
	d.lent = s.state
	g.states[s.base.ID] = d
}
