// Package schema makes JSON Schemas from Go types, and holds JSON to them. It is the only importer of the JSON Schema
// libraries.
//
// The Go struct is the one source: names, order, descriptions, limits, defaults and secrets come from its tags. What
// is checked is the JSON itself, so that an empty input, an unknown field or a missing one cannot slip past as a zero
// value. The documents are of draft 2020-12 and self-contained, so that a form generator can show them as they are and
// a browser comes to the same verdict.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	js "github.com/santhosh-tekuri/jsonschema/v5"
)

const (
	draft    = "https://json-schema.org/draft/2020-12/schema"
	location = "https://gateway.invalid/schema.json" // never fetched: the validator wants an absolute address
	freeMark = "x-free-fields"
)

// Schema is a compiled JSON Schema. It does not change, and is safe for concurrent use.
type Schema struct {
	doc        json.RawMessage
	tree       any // doc, parsed
	valid      *js.Schema
	root       *node
	object     bool // an empty input counts as {}
	platformID string
}

// Parse compiles a document, for manifests of plugins that are served from elsewhere. References may only point into
// the document itself ("#/$defs/..."): nothing is ever fetched.
func Parse(raw json.RawMessage) (*Schema, error) {
	tree, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("schema: read the document: %w", err)
	}
	top, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("schema: the document has to be an object")
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return nil, fmt.Errorf("schema: read the document: %w", err)
	}
	doc := b.Bytes()
	switch v := top["$schema"]; v {
	case draft, draft + "#":
	case nil:
		head := `{"$schema":"` + draft + `"`
		if len(top) > 0 {
			head += ","
		}
		doc = append([]byte(head), doc[1:]...)
		top["$schema"] = draft
	default:
		return nil, fmt.Errorf("schema: only draft 2020-12 is supported (%s)", draft)
	}
	return compile(doc, tree)
}

func compile(doc json.RawMessage, tree any) (*Schema, error) {
	b := builder{tree: tree, memo: map[string]*node{}}
	root, err := b.build(tree, "")
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if err := checkInPlace(b.memo); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	c := js.NewCompiler()
	c.Draft = js.Draft2020
	// Draft 2020-12 only notes formats and encodings unless told otherwise.
	c.AssertFormat, c.AssertContent = true, true
	c.LoadURL = func(string) (io.ReadCloser, error) { return nil, errors.New("a remote reference is not allowed") }
	if err := c.AddResource(location, bytes.NewReader(doc)); err != nil {
		return nil, fmt.Errorf("schema: read the document: %w", err)
	}
	valid, err := c.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("schema: compile: %w", err)
	}
	s := &Schema{doc: doc, tree: tree, valid: valid, root: root}
	top, _ := tree.(map[string]any)
	s.object = top["type"] == "object" || top["type"] == nil && top["properties"] != nil
	if s.platformID, err = platformID(top); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	// A default that does not fit would make every input without the field fail.
	for at, n := range b.memo {
		if !n.hasDefault {
			continue
		}
		part, err := c.Compile(location + "#" + fragment(at))
		if err != nil {
			return nil, fmt.Errorf("schema: compile %s: %w", at, err)
		}
		f := filler{}
		v := f.fill(clone(n.def), n, 0)
		if err := part.Validate(v); err != nil {
			return nil, fmt.Errorf("schema: the default at %s does not fit: %w", at, err)
		}
	}
	return s, nil
}

// JSON gives the document, a copy: the same bytes each time, properties in the order of the struct.
func (s *Schema) JSON() json.RawMessage { return bytes.Clone(s.doc) }

// FreeFields reports whether the document takes fields that it does not name.
func (s *Schema) FreeFields() bool {
	top, _ := s.tree.(map[string]any)
	if !s.object {
		return false
	}
	more, given := top["additionalProperties"]
	return !given || more != false
}

// PlatformIDField names the field tagged gateway:"platform_id", which holds the community's ID on the platform. It is
// "" where there is none.
func (s *Schema) PlatformIDField() string { return s.platformID }

func platformID(top map[string]any) (string, error) {
	props, _ := top["properties"].(map[string]any)
	found := ""
	for name, p := range props {
		m, _ := p.(map[string]any)
		if m["x-platform-id"] != true {
			continue
		}
		if m["type"] != "string" {
			return "", fmt.Errorf("field %s: a platform_id has to be a string", name)
		}
		if found != "" {
			return "", fmt.Errorf("fields %s and %s are both tagged platform_id", min(found, name), max(found, name))
		}
		found = name
	}
	return found, nil
}

// Undescribed lists, as JSON pointers with * for array items and map values, the fields that have no description. A
// plugin is complete only when it is empty: people read the descriptions in forms and docs.
func (s *Schema) Undescribed() []string {
	var out []string
	s.walk(func(path string, n *node, named bool) {
		if named && !n.described {
			out = append(out, path)
		}
	})
	return out
}

// Secrets lists, as JSON pointers with * for array items and map values, the fields that are written but never shown.
func (s *Schema) Secrets() []string {
	var out []string
	s.walk(func(path string, n *node, _ bool) {
		if n.secret {
			out = append(out, path)
		}
	})
	return out
}

// walk calls visit for each place that the schema describes, each once, sorted by path. A recursive schema is followed
// once round.
func (s *Schema) walk(visit func(path string, n *node, named bool)) {
	type place struct {
		n     *node
		named bool
	}
	found := map[string][]place{}
	on := map[*node]bool{}
	var down func(path string, n *node, named bool)
	down = func(path string, n *node, named bool) {
		if n == nil || on[n] {
			return
		}
		on[n] = true
		defer delete(on, n)
		found[path] = append(found[path], place{n, named})
		for _, o := range slices.Concat(n.all, n.alts) {
			down(path, o, false)
		}
		for name, o := range n.props {
			down(path+"/"+escapeToken(name), o, true)
		}
		for _, o := range n.patterns {
			down(path+"/*", o.n, false)
		}
		for _, o := range n.prefix {
			down(path+"/*", o, false)
		}
		down(path+"/*", n.items, false)
		down(path+"/*", n.more, false)
	}
	down("", s.root, false)
	paths := make([]string, 0, len(found))
	for p := range found {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		merged, named := node{described: true}, false
		for _, f := range found[p] {
			merged.secret = merged.secret || f.n.secret
			if f.named {
				named = true
				merged.described = merged.described && f.n.described
			}
		}
		visit(p, &merged, named)
	}
}

func fragment(pointer string) string {
	return strings.NewReplacer("%", "%25", "^", "%5E", " ", "%20", `"`, "%22", "#", "%23", "?", "%3F").Replace(pointer)
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}
