package schema

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// node is what the gateway itself needs to know about one subschema: what to fill in, what to hide, what is free. The
// rest is the validator's.
type node struct {
	props    map[string]*node
	order    []string // props, sorted
	patterns []pattern
	more     *node // additionalProperties
	items    *node
	prefix   []*node
	all      []*node // hold for the same value: $ref, allOf, the one real branch of a nullable
	alts     []*node // may hold for the same value: oneOf, anyOf, if, then, else. Nothing is filled in from them.

	def                                                any
	hasDefault, secret, integer, free, described, null bool
}

type pattern struct {
	re *regexp.Regexp
	n  *node
}

type builder struct {
	tree any
	memo map[string]*node // by JSON pointer
}

func (b *builder) build(v any, at string) (*node, error) {
	if n, ok := b.memo[at]; ok {
		return n, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		n := &node{}
		b.memo[at] = n
		return n, nil // true or false; the validator refuses what is no schema
	}
	n := &node{free: m[freeMark] == true, secret: m["writeOnly"] == true, integer: m["type"] == "integer", null: m["type"] == "null"}
	b.memo[at] = n
	n.def, n.hasDefault = m["default"]
	text, _ := m["description"].(string)
	n.described = strings.TrimSpace(text) != ""

	for _, key := range []string{"$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$anchor"} {
		if _, ok := m[key]; ok {
			return nil, fmt.Errorf("%s: %s is not supported", orRoot(at), key)
		}
	}
	if _, ok := m["$id"]; ok && at != "" {
		return nil, fmt.Errorf("%s: an inner $id is not supported", at)
	}
	if ref, ok := m["$ref"]; ok {
		if err := b.ref(n, ref, at); err != nil {
			return nil, err
		}
	}
	return n, b.parts(n, m, at)
}

func (b *builder) ref(n *node, ref any, at string) error {
	text, _ := ref.(string)
	if text != "#" && !strings.HasPrefix(text, "#/") {
		return fmt.Errorf("%s: $ref may only point into the document, as #/$defs/name", orRoot(at))
	}
	if strings.Contains(text, "%") {
		return fmt.Errorf("%s: a $ref with a percent sign is not supported", orRoot(at))
	}
	pointer := strings.TrimPrefix(text, "#")
	target, ok := lookup(b.tree, splitPointer(pointer))
	if !ok {
		return fmt.Errorf("%s: $ref points to nothing", orRoot(at))
	}
	o, err := b.build(target, pointer)
	if err != nil {
		return err
	}
	n.all = append(n.all, o)
	return nil
}

func (b *builder) parts(n *node, m map[string]any, at string) error {
	one := func(key string) (*node, error) {
		v, ok := m[key]
		if !ok {
			return nil, nil
		}
		return b.build(v, at+"/"+key)
	}
	list := func(key string) ([]*node, error) {
		l, _ := m[key].([]any)
		var out []*node
		for i, v := range l {
			o, err := b.build(v, at+"/"+key+"/"+strconv.Itoa(i))
			if err != nil {
				return nil, err
			}
			out = append(out, o)
		}
		return out, nil
	}
	named := func(key string, add func(string, *node) error) error {
		l, _ := m[key].(map[string]any)
		for name, v := range l {
			o, err := b.build(v, at+"/"+key+"/"+escapeToken(name))
			if err == nil {
				err = add(name, o)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	var errs [16]error
	n.items, errs[0] = one("items")
	n.more, errs[1] = one("additionalProperties")
	n.prefix, errs[2] = list("prefixItems")
	errs[3] = named("properties", func(name string, o *node) error {
		if n.props == nil {
			n.props = map[string]*node{}
		}
		n.props[name], n.order = o, append(n.order, name)
		return nil
	})
	sort.Strings(n.order)
	errs[4] = named("patternProperties", func(text string, o *node) error {
		re, err := regexp.Compile(text)
		n.patterns = append(n.patterns, pattern{re, o})
		return err
	})
	// These hold definitions only; they are built so that references in them are checked.
	errs[5] = named("$defs", func(string, *node) error { return nil })
	errs[6] = named("definitions", func(string, *node) error { return nil })
	all, err := list("allOf")
	n.all, errs[7] = append(n.all, all...), err
	errs[8] = named("dependentSchemas", func(_ string, o *node) error { n.alts = append(n.alts, o); return nil })
	for i, key := range []string{"oneOf", "anyOf"} {
		var alts []*node
		alts, errs[9+i] = list(key)
		if len(alts) == 2 && alts[0] != nil && alts[1] != nil && alts[0].null != alts[1].null {
			if alts[0].null {
				alts[0], alts[1] = alts[1], alts[0]
			}
			// Filling in looks at objects and arrays only, so that null is left alone.
			n.all, alts = append(n.all, alts[0]), alts[1:]
		}
		n.alts = append(n.alts, alts...)
	}
	for i, key := range []string{"if", "then", "else", "unevaluatedProperties", "unevaluatedItems"} {
		o, err := one(key)
		errs[11+i] = err
		if o != nil && i < 3 {
			n.alts = append(n.alts, o)
		}
	}
	for _, key := range []string{"not", "contains", "propertyNames", "contentSchema"} {
		if _, err := one(key); err != nil {
			return err
		}
	}
	return errors.Join(errs[:]...)
}

// checkInPlace refuses schemas that apply themselves to the same value for ever, or so many times that checking one
// value would take unreasonably long.
func checkInPlace(nodes map[string]*node) error {
	const open, limit = -1, 10_000
	count := map[*node]int{}
	var visit func(n *node) error
	visit = func(n *node) error {
		if c := count[n]; c == open {
			return errors.New("a $ref applies itself to the same value for ever")
		} else if c > 0 {
			return nil
		}
		count[n] = open
		sum := 1
		for _, o := range slices.Concat(n.all, n.alts) {
			if err := visit(o); err != nil {
				return err
			}
			if sum += count[o]; sum > limit {
				return errors.New("its parts refer to each other too many times")
			}
		}
		count[n] = sum
		return nil
	}
	for _, n := range nodes {
		if err := visit(n); err != nil {
			return err
		}
	}
	return nil
}

func orRoot(at string) string {
	if at == "" {
		return "the root"
	}
	return at
}
