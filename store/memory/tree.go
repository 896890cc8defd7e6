package memory

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
)

// key names a row: up to five strings, compared in turn. Times and numbers are written so that they sort as strings do.
type key [5]string

func (k key) compare(o key) int {
	for i := range k {
		if c := strings.Compare(k[i], o[i]); c != 0 {
			return c
		}
	}
	return 0
}

// tree is a sorted map that is copied by assignment: changing one copy leaves the others as they are. The zero tree is
// empty. It is a treap whose changes copy the path to what they touch, about 1.4 log2(n) small nodes.
type tree[V any] struct{ root *node[V] }

type node[V any] struct {
	*entry[V]
	left, right *node[V]
}

type entry[V any] struct {
	key  key
	val  V
	prio uint64
}

func (t tree[V]) get(k key) (v V, ok bool) {
	for n := t.root; n != nil; {
		switch c := k.compare(n.key); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n.val, true
		}
	}
	return v, false
}

func (t tree[V]) has(k key) bool {
	_, ok := t.get(k)
	return ok
}

// put inserts or replaces.
func (t *tree[V]) put(k key, v V) {
	t.root = insert(t.root, &entry[V]{k, v, rand.Uint64()})
}

func insert[V any](n *node[V], e *entry[V]) *node[V] {
	if n == nil {
		return &node[V]{entry: e}
	}
	c := e.key.compare(n.key)
	if c == 0 {
		return &node[V]{&entry[V]{e.key, e.val, n.prio}, n.left, n.right}
	}
	m := &node[V]{n.entry, n.left, n.right}
	if c < 0 {
		m.left = insert(n.left, e)
		if m.left.prio > m.prio {
			// m.left was made by this insert, so it may be changed.
			l := m.left
			m.left, l.right = l.right, m
			return l
		}
		return m
	}
	m.right = insert(n.right, e)
	if m.right.prio > m.prio {
		r := m.right
		m.right, r.left = r.left, m
		return r
	}
	return m
}

// del deletes what is there under the key, if anything is.
func (t *tree[V]) del(k key) {
	if t.has(k) {
		t.root = remove(t.root, k)
	}
}

func remove[V any](n *node[V], k key) *node[V] {
	switch c := k.compare(n.key); {
	case c < 0:
		return &node[V]{n.entry, remove(n.left, k), n.right}
	case c > 0:
		return &node[V]{n.entry, n.left, remove(n.right, k)}
	default:
		return join(n.left, n.right)
	}
}

func join[V any](a, b *node[V]) *node[V] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.prio > b.prio:
		return &node[V]{a.entry, a.left, join(a.right, b)}
	default:
		return &node[V]{b.entry, join(a, b.left), b.right}
	}
}

// from walks in order through what is not below the key, as it was when the walk began, whatever is changed meanwhile.
func (t tree[V]) from(k key) iter.Seq2[key, V] {
	return func(yield func(key, V) bool) { walk(t.root, k, yield) }
}

func walk[V any](n *node[V], k key, yield func(key, V) bool) bool {
	if n == nil {
		return true
	}
	if k.compare(n.key) > 0 {
		return walk(n.right, k, yield)
	}
	return walk(n.left, k, yield) && yield(n.key, n.val) && walk(n.right, k, yield)
}

// under walks through the keys that begin with the given parts.
func (t tree[V]) under(parts ...string) iter.Seq2[key, V] {
	var k key
	copy(k[:], parts)
	return t.after(k, len(parts), false)
}

// after walks through the keys that share the first n parts with k, beginning at k, or after it if past is set.
func (t tree[V]) after(k key, n int, past bool) iter.Seq2[key, V] {
	return func(yield func(key, V) bool) {
		walk(t.root, k, func(at key, v V) bool {
			if !slices.Equal(at[:n], k[:n]) {
				return false
			}
			if past && at == k {
				return true
			}
			return yield(at, v)
		})
	}
}
