package gatewaytest

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// configuration checks what happens when a community enables the plugin.
func (c *checked) configuration(t TB) {
	t.Helper()
	r, _ := c.rig(t)
	inst := c.enable(t, r)
	again, err := r.Community("town").Enable(t.Context(), c.m.Name, c.config)
	if err != nil {
		t.Errorf("enabling it a second time with the same configuration fails: %v", err)
	} else if again.ID() != inst.ID() {
		t.Errorf("enabling it a second time makes a second instance")
	}
	if err := inst.Reconfigure(t.Context(), c.config); err != nil {
		t.Errorf("giving it the same configuration again fails: %v", err)
	}
	before, err := inst.Config(t.Context())
	if err != nil {
		t.Fatalf("reading its configuration: %v", err)
	}

	var doc struct {
		Properties map[string]any
		Required   []string
	}
	if err := json.Unmarshal(c.m.Config, &doc); err != nil {
		t.Fatalf("reading the configuration's schema: %v", err)
	}
	config := map[string]any{}
	if err := json.Unmarshal(c.config, &config); err != nil {
		t.Fatalf("the configuration of WithConfig is no object: %v", err)
	}
	if len(doc.Required) > 0 {
		missing := maps.Clone(config)
		for _, name := range doc.Required {
			delete(missing, name)
		}
		c.refuses(t, r, "without its required fields", missing, doc.Required)
	}
	wrong := maps.Clone(config)
	types := wrongTypes(doc.Properties)
	maps.Copy(wrong, types)
	paths := sortedKeys(types)
	if !c.schema.FreeFields() {
		wrong["no-such-field"] = 1
		paths = append(paths, "no-such-field")
	}
	if len(paths) > 0 {
		c.refuses(t, r, "with wrong types and an unknown field", wrong, paths)
	}

	after, err := inst.Config(t.Context())
	if err != nil || string(after) != string(before) {
		t.Errorf("a refused configuration has changed the one that is kept (%v)", err)
	}
	all, err := r.Community("town").Instances(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("after refused configurations there are %d instances, want 1 (%v)", len(all), err)
	}
	r.Due()
}

// refuses expects that a configuration is refused, for an instance that is there and for another one, with all that is wrong.
func (c *checked) refuses(t TB, r *Rig, what string, config map[string]any, fields []string) {
	t.Helper()
	for _, name := range []string{c.m.Name, "another"} {
		_, err := r.Community("town").Enable(t.Context(), c.m.Name, mustJSON(config), name)
		if !errors.Is(err, gateway.Invalid) {
			t.Errorf("a configuration %s: want invalid, got %v", what, err)
			continue
		}
		said := paths(err)
		for _, f := range fields {
			if path := "/" + escape(f); !slices.Contains(said, path) {
				t.Errorf("a configuration %s: the refusal does not name %s: %v", what, path, err)
			}
		}
	}
}

// paths are the fields that an error names.
func paths(err error) []string {
	var e *gateway.Error
	if !errors.As(err, &e) {
		return nil
	}
	out := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		out[i] = f.Path
	}
	return out
}

// escape makes a name a token of a JSON pointer.
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

func unescape(token string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(token) }
