package memory

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A tree is a map, and a copy of it stays as it is.
func TestTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		part := rapid.SampledFrom([]string{"", "a", "ab", "b", "\xff"})
		var tr tree[int]
		model := map[key]int{}
		type copied struct {
			tree  tree[int]
			model map[key]int
		}
		var copies []copied
		for i := range rapid.IntRange(0, 60).Draw(rt, "steps") {
			k := key{part.Draw(rt, "first"), part.Draw(rt, "second"), part.Draw(rt, "third")}
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0:
				tr.del(k)
				delete(model, k)
			case 1:
				copies = append(copies, copied{tr, maps.Clone(model)})
			default:
				tr.put(k, i)
				model[k] = i
			}
		}
		copies = append(copies, copied{tr, model})
		for _, c := range copies {
			from := key{part.Draw(rt, "from"), part.Draw(rt, "from")}
			order := slices.SortedFunc(maps.Keys(c.model), key.compare)
			var all, later, under []key
			for _, k := range order {
				v, ok := c.tree.get(k)
				require.True(rt, ok)
				require.Equal(rt, c.model[k], v)
			}
			for k := range c.tree.under() {
				all = append(all, k)
			}
			for k := range c.tree.from(from) {
				later = append(later, k)
			}
			for k := range c.tree.under(from[0]) {
				under = append(under, k)
			}
			require.True(rt, slices.Equal(order, all))
			require.True(rt, slices.Equal(filter(order, func(k key) bool { return k.compare(from) >= 0 }), later))
			require.True(rt, slices.Equal(filter(order, func(k key) bool { return k[0] == from[0] }), under))
		}
	})
}

func filter(in []key, want func(key) bool) []key {
	return slices.DeleteFunc(slices.Clone(in), func(k key) bool { return !want(k) })
}

// However keys come, the tree does not become a list.
func TestTreeDepth(t *testing.T) {
	var tr tree[none]
	const n = 20_000
	for i := range n {
		tr.put(key{num(int64(i))}, none{})
	}
	require.Less(t, depth(tr.root), 60)
	for i := range n - 100 {
		tr.del(key{num(int64(i))})
	}
	require.Less(t, depth(tr.root), 40)
}

func depth[V any](n *node[V]) int {
	if n == nil {
		return 0
	}
	return 1 + max(depth(n.left), depth(n.right))
}
