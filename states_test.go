package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// One Receive after the other gets the same decoded state, but never what another changed in it, and never an older one.
func TestBorrowedStates(t *testing.T) {
	type kept struct {
		Names []string `json:"names"`
	}
	def := &process{ProcessDef: ProcessDef{New: func() any { return new(kept) }, Version: 1}}
	g := &Gateway{}
	row := store.Process{ID: "p", Version: 1, State: []byte(`{"names":["a"]}`)}
	receive := func(row store.Process) *Step {
		state, err := g.borrow(row, def)
		require.NoError(t, err)
		return &Step{g: g, def: def, row: row, base: row, state: state}
	}
	one := receive(row)
	require.Equal(t, &kept{[]string{"a"}}, one.state)
	g.giveBack(one)
	two := receive(row)
	require.Same(t, one.state, two.state, "it is not decoded again")
	three := receive(row)
	require.NotSame(t, two.state, three.state, "nor given to two at once")
	g.giveBack(three)
	g.giveBack(two)

	bad := receive(row)
	bad.state.(*kept).Names[0] = "changed"
	g.giveBack(bad)
	require.Equal(t, &kept{[]string{"a"}}, receive(row).state)

	row.State = []byte(`{"names":["b"]}`)
	next := receive(row)
	require.Equal(t, &kept{[]string{"b"}}, next.state)
	g.giveBack(next)
	row.State = []byte(`{"names":[],"more":1}`)
	_, err := g.borrow(row, def)
	require.Error(t, err, "what this version does not understand is not decoded")
	for i := range 3 * maxStates {
		row := store.Process{ID: newID("p"), Version: 1, State: []byte(`{"names":null}`)}
		g.giveBack(receive(row))
		require.LessOrEqual(t, len(g.states), maxStates, "%d", i)
	}
}
