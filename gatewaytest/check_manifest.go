package gatewaytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/schema"
)

// manifest checks what people read and what clients build forms from.
func (c *checked) manifest(t TB) {
	t.Helper()
	described(t, "the plugin", c.m.Doc)
	c.document(t, "configuration", c.m.Config)
	for _, a := range c.m.Actions {
		what := fmt.Sprintf("action %s@%d", a.Name, a.Version)
		described(t, what, a.Doc)
		c.document(t, "input of "+what, a.Input)
		c.document(t, "output of "+what, a.Output)
	}
	for _, e := range c.m.Events {
		described(t, "event "+e.Type, e.Doc)
		c.document(t, "data of event "+e.Type, e.Data)
	}
	for _, p := range c.m.Processes {
		what := fmt.Sprintf("process %s@%d", p.Name, p.Version)
		described(t, what, p.Doc)
		c.document(t, "input of "+what, p.Input)
		c.document(t, "outcome of "+what, p.Output)
		c.document(t, "state of "+what, p.State)
		for _, d := range p.Commands {
			described(t, "command "+d.Name+" of "+what, d.Doc)
			c.document(t, "input of command "+d.Name+" of "+what, d.Input)
			c.document(t, "output of command "+d.Name+" of "+what, d.Output)
		}
	}
	for _, d := range c.m.Choices {
		described(t, "choices "+d.Name, d.Doc)
	}
	for _, d := range c.m.Roles {
		described(t, "role "+d.Name, d.Doc)
	}
}

func described(t TB, what, doc string) {
	t.Helper()
	if strings.TrimSpace(doc) == "" {
		t.Errorf("%s has no description", what)
	}
}

// document checks one schema.
func (c *checked) document(t TB, what string, doc json.RawMessage) {
	t.Helper()
	s, err := schema.Parse(doc)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	for _, path := range s.Undescribed() {
		t.Errorf("%s: field %s has no description", what, path)
	}
	var tree map[string]any
	if err := json.Unmarshal(doc, &tree); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	walk(tree, "", func(at string, n map[string]any) {
		if err := c.values(n, tree["$defs"]); err != nil {
			t.Errorf("%s: at %s: %v", what, orRoot(at), err)
		}
	})
}

// values checks what a schema says by example: its enum, its examples, the name of its choices.
func (c *checked) values(n map[string]any, defs any) error {
	if name, ok := n["x-choices"].(string); ok && !slices.ContainsFunc(c.m.Choices, func(d gateway.ChoicesDef) bool { return d.Name == name }) {
		return fmt.Errorf("the plugin lists no choices %q", name)
	}
	enum, _ := n["enum"].([]any)
	examples, _ := n["examples"].([]any)
	if _, given := n["enum"]; given && len(enum) == 0 {
		return errors.New("the enum allows nothing")
	}
	if len(enum)+len(examples) == 0 {
		return nil
	}
	if err := fit(n, defs, examples, "the example"); err != nil {
		return err
	}
	// The enum's own values pass the enum; whether they pass the rest is the question.
	rest := maps.Clone(n)
	delete(rest, "enum")
	delete(rest, "default")
	return fit(rest, defs, enum, "the value of the enum")
}

// fit checks values against a part of a schema.
func fit(n map[string]any, defs any, values []any, what string) error {
	n = maps.Clone(n)
	if defs != nil {
		n["$defs"] = defs
	}
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	s, err := schema.Parse(raw)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if seen[string(text)] {
			return fmt.Errorf("%s %s stands twice", what, text)
		}
		seen[string(text)] = true
		if _, err := s.Apply(text); err != nil {
			return fmt.Errorf("%s %s: %w", what, text, err)
		}
	}
	return nil
}

// walk visits each schema inside of a schema. A property may have the name of a keyword, so only places where schemas stand
// are followed.
func walk(n map[string]any, at string, visit func(at string, n map[string]any)) {
	visit(at, n)
	for _, key := range []string{"properties", "patternProperties", "$defs"} {
		named, _ := n[key].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if m, ok := named[name].(map[string]any); ok {
				walk(m, at+"/"+name, visit)
			}
		}
	}
	for _, key := range []string{"items", "additionalProperties", "propertyNames", "not", "if", "then", "else"} {
		if m, ok := n[key].(map[string]any); ok {
			walk(m, at+"/*", visit)
		}
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf", "prefixItems"} {
		list, _ := n[key].([]any)
		for _, v := range list {
			if m, ok := v.(map[string]any); ok {
				walk(m, at, visit)
			}
		}
	}
}

func orRoot(at string) string {
	if at == "" {
		return "the top"
	}
	return at
}
