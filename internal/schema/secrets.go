package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Hidden is what Redact puts in the place of a secret.
const Hidden = "•••"

// Split takes the secrets out of a document, so that they can be sealed at rest. In public they are absent. secret is
// an object of JSON pointers to values, {} where there is none. A list of secrets is taken out whole, so that no index
// shifts. The document is not checked again; it should come from Apply.
func (s *Schema) Split(in json.RawMessage) (public, secret json.RawMessage, err error) {
	v, err := parse(in)
	if err != nil {
		return nil, nil, err
	}
	taken := map[string]any{}
	v, keep := takeOut(v, []*node{s.root}, "", taken)
	if !keep {
		v = nil
	}
	if public, err = encode(v); err != nil {
		return nil, nil, fmt.Errorf("schema: write the public part: %w", err)
	}
	if secret, err = encode(taken); err != nil {
		// The cause could repeat a secret.
		return nil, nil, errors.New("schema: write the secret part")
	}
	return public, secret, nil
}

// Join puts back what Split took out. It fails where the place of a secret is gone, or is taken.
func (s *Schema) Join(public, secret json.RawMessage) (json.RawMessage, error) {
	v, err := parse(public)
	if err != nil {
		return nil, err
	}
	p, err := parse(secret)
	if err != nil {
		return nil, err
	}
	parts, ok := p.(map[string]any)
	if !ok {
		return nil, errors.New("schema: join: the secret part is not an object")
	}
	for pointer, value := range parts {
		if pointer == "" {
			v = value
			continue
		}
		tokens := splitPointer(pointer)
		last := tokens[len(tokens)-1]
		parent, _ := lookup(v, tokens[:len(tokens)-1])
		object, ok := parent.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("schema: join: there is no place for %s any more", pointer)
		}
		if _, taken := object[last]; taken {
			return nil, fmt.Errorf("schema: join: %s is in the public part too", pointer)
		}
		object[last] = value
	}
	out, err := encode(v)
	if err != nil {
		return nil, errors.New("schema: join: write the document")
	}
	return out, nil
}

// Redact puts Hidden in the place of every secret, for display.
func (s *Schema) Redact(in json.RawMessage) (json.RawMessage, error) {
	v, err := parse(in)
	if err != nil {
		return nil, err
	}
	out, err := encode(redact(v, []*node{s.root}))
	if err != nil {
		return nil, errors.New("schema: write the redacted document")
	}
	return out, nil
}

// spread gives all nodes that may hold for the same value as these.
func spread(nodes []*node) []*node {
	var out []*node
	seen := map[*node]bool{}
	var add func(n *node)
	add = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		out = append(out, n)
		for _, o := range n.all {
			add(o)
		}
		for _, o := range n.alts {
			add(o)
		}
	}
	for _, n := range nodes {
		add(n)
	}
	return out
}

func anySecret(nodes []*node) bool {
	for _, n := range nodes {
		if n.secret {
			return true
		}
	}
	return false
}

// fieldNodes gives the nodes for one name of an object.
func fieldNodes(nodes []*node, name string) []*node {
	var out []*node
	for _, n := range nodes {
		matched := false
		if o, ok := n.props[name]; ok {
			out, matched = append(out, o), true
		}
		for _, p := range n.patterns {
			if p.re.MatchString(name) {
				out, matched = append(out, p.n), true
			}
		}
		if !matched && n.more != nil {
			out = append(out, n.more)
		}
	}
	return spread(out)
}

// itemNodes gives the nodes for one index of an array.
func itemNodes(nodes []*node, i int) []*node {
	var out []*node
	for _, n := range nodes {
		switch {
		case i < len(n.prefix):
			out = append(out, n.prefix[i])
		case n.items != nil:
			out = append(out, n.items)
		}
	}
	return spread(out)
}

// takeOut moves secrets into taken. It reports false where the value itself is one.
func takeOut(v any, nodes []*node, at string, taken map[string]any) (any, bool) {
	nodes = spread(nodes)
	if anySecret(nodes) {
		taken[at] = v
		return nil, false
	}
	switch c := v.(type) {
	case map[string]any:
		for name, e := range c {
			if rest, keep := takeOut(e, fieldNodes(nodes, name), at+"/"+escapeToken(name), taken); keep {
				c[name] = rest
			} else {
				delete(c, name)
			}
		}
	case []any:
		for i := range c {
			if anySecret(itemNodes(nodes, i)) {
				taken[at] = v
				return nil, false
			}
		}
		for i, e := range c {
			c[i], _ = takeOut(e, itemNodes(nodes, i), at+"/"+strconv.Itoa(i), taken)
		}
	}
	return v, true
}

func redact(v any, nodes []*node) any {
	nodes = spread(nodes)
	if anySecret(nodes) {
		return Hidden
	}
	switch c := v.(type) {
	case map[string]any:
		for name, e := range c {
			c[name] = redact(e, fieldNodes(nodes, name))
		}
	case []any:
		for i, e := range c {
			c[i] = redact(e, itemNodes(nodes, i))
		}
	}
	return v
}
