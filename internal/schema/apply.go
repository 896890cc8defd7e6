package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strconv"
	"strings"

	js "github.com/santhosh-tekuri/jsonschema/v5"
)

// Apply fills in defaults and checks the result. An input that is empty or null counts as {} where the schema asks for
// an object, and is checked like any other. Where nothing had to be filled in, the input itself comes back. Numbers
// keep all their digits; a whole number written like 1.0 or 1e2 is rewritten, because Go would refuse it for an int.
// The error is an *Invalid with everything that is wrong.
func (s *Schema) Apply(in json.RawMessage) (json.RawMessage, error) {
	v, f, err := s.check(in)
	if err != nil {
		return nil, err
	}
	if !f.changed {
		return in, nil
	}
	out, err := encode(v)
	if err != nil {
		return nil, fmt.Errorf("schema: write the input with its defaults: %w", err)
	}
	return out, nil
}

func (s *Schema) check(in json.RawMessage) (any, *filler, error) {
	f := &filler{}
	if text := bytes.TrimSpace(in); s.object && (len(text) == 0 || string(text) == "null") {
		in, f.changed = json.RawMessage("{}"), true
	}
	v, err := parse(in)
	if err != nil {
		return nil, nil, err
	}
	v = f.fill(v, s.root, 0)
	failures := f.failures
	if err := s.valid.Validate(v); err != nil {
		var ve *js.ValidationError
		if !errors.As(err, &ve) {
			// The validator's own trouble; its text may hold parts of the value.
			return nil, nil, invalid("", "cannot be checked against its schema")
		}
		c := collector{tree: s.tree, value: v, out: failures}
		c.add(ve)
		failures = c.out
	}
	if len(failures) > 0 {
		return nil, nil, newInvalid(failures)
	}
	return v, f, nil
}

// filler walks a value along its schema once, before the validator does.
type filler struct {
	changed  bool
	failures []Failure
	path     []step
}

// step is a name, or an index where name is empty and index is not negative. Paths are made into text for failures
// only.
type step struct {
	name  string
	index int
}

func (f *filler) pointer(last string) string {
	var b strings.Builder
	for _, s := range f.path {
		b.WriteByte('/')
		if s.index >= 0 {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			b.WriteString(escapeToken(s.name))
		}
	}
	return b.String() + "/" + escapeToken(last)
}

func (f *filler) fill(v any, n *node, depth int) any {
	if n == nil {
		return v
	}
	// A default that contains itself would grow for ever: what grows too deep is left for the validator.
	if depth > maxDepth {
		return v
	}
	switch c := v.(type) {
	case map[string]any:
		f.object(c, n, depth)
	case []any:
		for i, e := range c {
			o := n.items
			if i < len(n.prefix) {
				o = n.prefix[i]
			}
			if o == nil {
				continue
			}
			f.path = append(f.path, step{index: i})
			c[i] = f.fill(e, o, depth+1)
			f.path = f.path[:len(f.path)-1]
		}
	case json.Number:
		if n.integer {
			v = f.integer(c)
		}
	}
	for _, o := range n.all {
		v = f.fill(v, o, depth)
	}
	return v
}

func (f *filler) object(c map[string]any, n *node, depth int) {
	if n.free {
		for name := range c {
			if _, known := n.props[name]; known {
				continue
			}
			if bad := badFree(name, maps.Keys(n.props)); bad != "" {
				f.failures = append(f.failures, Failure{f.pointer(name), bad})
			}
		}
	}
	for _, name := range n.order {
		o := n.props[name]
		e, given := c[name]
		if !given {
			def, ok := defaultOf(o)
			if !ok {
				continue
			}
			e = clone(def)
			f.changed = true
		}
		f.path = append(f.path, step{name: name, index: -1})
		c[name] = f.fill(e, o, depth+1)
		f.path = f.path[:len(f.path)-1]
	}
	if n.more == nil && n.patterns == nil {
		return
	}
	for name, e := range c {
		if _, known := n.props[name]; known {
			continue
		}
		f.path = append(f.path, step{name: name, index: -1})
		matched := false
		for _, p := range n.patterns {
			if p.re.MatchString(name) {
				e, matched = f.fill(e, p.n, depth+1), true
			}
		}
		if !matched {
			e = f.fill(e, n.more, depth+1)
		}
		c[name] = e
		f.path = f.path[:len(f.path)-1]
	}
}

// defaultOf also looks behind a $ref.
func defaultOf(n *node) (any, bool) {
	if n.hasDefault {
		return n.def, true
	}
	for _, o := range n.all {
		if d, ok := defaultOf(o); ok {
			return d, true
		}
	}
	return nil, false
}

func (f *filler) integer(n json.Number) json.Number {
	if !strings.ContainsAny(string(n), ".eE") {
		return n
	}
	r, ok := new(big.Rat).SetString(string(n))
	if !ok || !r.IsInt() {
		return n
	}
	f.changed = true
	return json.Number(r.Num().String())
}
