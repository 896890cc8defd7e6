package gatewaytest

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
)

// input is something that nobody sensible would send.
type input struct {
	name    string
	raw     json.RawMessage
	refused bool // it cannot fit the schema
}

// oddInputs makes inputs for a schema: those that do not fit it at all, and those that fit but were not thought of.
func oddInputs(doc json.RawMessage) []input {
	var n map[string]any
	if err := json.Unmarshal(doc, &n); err != nil {
		return nil // the subtest "manifest" says so
	}
	props, _ := n["properties"].(map[string]any)
	object := n["type"] == "object"
	list, _ := n["required"].([]any)
	out := []input{
		{"{}", json.RawMessage(`{}`), object && len(list) > 0},
		{"null", json.RawMessage(`null`), object && len(list) > 0},
		{"a list", json.RawMessage(`[]`), object},
		{"a number", json.RawMessage(`7`), object},
		{"a text", json.RawMessage(`"x"`), object},
		{"nothing", json.RawMessage(``), object && len(list) > 0},
		{"no JSON", json.RawMessage(`{"a":`), true},
		{"an unknown field", json.RawMessage(`{"no such field":1}`), object && n["additionalProperties"] == false},
	}
	if wrong := wrongTypes(props); len(wrong) > 0 {
		out = append(out, input{"wrong types", mustJSON(wrong), true})
	}
	if !object {
		return out
	}
	for i := range oddVariants {
		all, few := map[string]any{}, map[string]any{}
		for j, name := range slices.Sorted(maps.Keys(props)) {
			p, _ := props[name].(map[string]any)
			// Neighbours get different values, so that ranges are turned round and lists are emptier than what counts them.
			all[name] = oddValue(p, i+j*(1+i/len(oddNumbers)), 0)
			if slices.Contains(list, any(name)) {
				few[name] = all[name]
			}
		}
		out = append(out, input{"odd values", mustJSON(all), false}, input{"odd values of the required fields", mustJSON(few), false})
	}
	return out
}

// wrongTypes gives every property whose type is known a value of another one.
func wrongTypes(props map[string]any) map[string]any {
	out := map[string]any{}
	for name, p := range props {
		m, _ := p.(map[string]any)
		switch m["type"] {
		case "string":
			out[name] = []any{7}
		case "object", "array", "integer", "number", "boolean":
			out[name] = "x"
		}
	}
	return out
}

var (
	oddTexts   = []any{"", "x", "0", "-1", "../../etc/passwd", "Ünïcödé 🗳️\u202e", "a\x00b", "%s%d{{.}}<b>&amp;", "\n\t ", strings.Repeat("long ", 2000)}
	oddNumbers = []any{0, 1, -1, 2, math.MaxInt32, json.Number("9223372036854775807"), json.Number("-9223372036854775808"), 3}
)

const oddVariants = 24

// oddValue makes the i-th value for a schema. It need not fit: then it is refused.
func oddValue(n map[string]any, i, depth int) any {
	if enum, _ := n["enum"].([]any); len(enum) > 0 {
		return enum[i%len(enum)]
	}
	switch n["type"] {
	case "integer", "number":
		return oddNumbers[i%len(oddNumbers)]
	case "boolean":
		return i%2 == 0
	case "array":
		items, _ := n["items"].(map[string]any)
		list := []any{}
		for j := range i % 3 {
			list = append(list, oddValue(items, i+j, depth+1))
		}
		return list
	case "object":
		out := map[string]any{}
		props, _ := n["properties"].(map[string]any)
		for j, name := range slices.Sorted(maps.Keys(props)) {
			if p, _ := props[name].(map[string]any); depth < 5 {
				out[name] = oddValue(p, i+j, depth+1)
			}
		}
		return out
	}
	if n["format"] == "date-time" {
		return []string{"2026-01-02T03:04:05Z", "1970-01-01T00:00:01Z", "9999-12-31T23:59:59Z", "2026-02-03T04:05:06+14:00"}[i%4]
	}
	return oddTexts[i%len(oddTexts)]
}

// mustJSON encodes what this file makes of plain values.
func mustJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
