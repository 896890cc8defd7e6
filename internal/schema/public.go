package schema

import (
	"encoding/json"
	"fmt"
)

// Public keeps only the top-level fields of a document that are marked public, for clients to see.
func (s *Schema) Public(in json.RawMessage) (json.RawMessage, error) {
	v, err := parse(in)
	if err != nil {
		return nil, fmt.Errorf("schema: read the document: %w", err)
	}
	doc, _ := v.(map[string]any)
	out := map[string]any{}
	top, _ := s.tree.(map[string]any)
	props, _ := top["properties"].(map[string]any)
	for name, p := range props {
		m, _ := p.(map[string]any)
		if value, ok := doc[name]; ok && m["x-public"] == true && m["writeOnly"] != true {
			out[name] = value
		}
	}
	return encode(out)
}
