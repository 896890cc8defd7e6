package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// member is one field of an object, as it was written.
type member struct{ name, value []byte }

// members splits an object into its fields, sorted by name, without copying: reading an event into a map as well costs as much as
// reading the event. It must have been read before, for only of what is JSON it finds the parts. Where names need more than to be compared, because one
// is written with an escape or comes twice, a map has to be made after all, and plain is false.
func members(object []byte) (out []member, plain bool) {
	b := bytes.TrimSpace(object)
	if len(b) < 2 || b[0] != '{' {
		return nil, false
	}
	out = make([]member, 0, 16)
	for i := skip(b, 1); i < len(b) && b[i] == '"'; i = skip(b, i+1) {
		from := i
		for i++; b[i] != '"'; i++ {
			if c := b[i]; c < 0x20 || c >= 0x7f || c == '\\' || c == '<' || c == '>' || c == '&' {
				return nil, false
			}
		}
		name := b[from : i+1]
		i = skip(b, skip(b, i+1)+1) // the colon
		from = i
		i = end(b, i)
		out = append(out, member{name, bytes.TrimRight(b[from:i], " \t\r\n")})
	}
	slices.SortFunc(out, func(a, b member) int { return bytes.Compare(a.name[1:len(a.name)-1], b.name[1:len(b.name)-1]) })
	for i := 1; i < len(out); i++ {
		if bytes.Equal(out[i-1].name, out[i].name) {
			return nil, false
		}
	}
	return out, true
}

func unquoted(name []byte) string { return string(name[1 : len(name)-1]) }

// skip passes white space.
func skip(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// end finds the comma or brace that ends the value at i.
func end(b []byte, i int) int {
	depth, quoted := 0, false
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && (c == ',' || c == '}'):
			return i
		}
	}
	return len(b)
}

// dataOf is the data of an event: the event without what drop names for it. raw gives the value of a field, nil where there is none.
func dataOf(object []byte, drop func(raw func(name string) []byte) []string) (json.RawMessage, error) {
	all, plain := members(object)
	if !plain {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(object, &fields); err != nil {
			return nil, fmt.Errorf("reading an event: %w", err)
		}
		return without(fields, drop(func(name string) []byte { return fields[name] })...)
	}
	names := drop(func(name string) []byte {
		for _, m := range all {
			if unquoted(m.name) == name {
				return m.value
			}
		}
		return nil
	})
	out := make([]byte, 1, len(object))
	out[0] = '{'
	for _, m := range all {
		if slices.Contains(names, unquoted(m.name)) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, m.name...), ':'), m.value...)
	}
	return append(out, '}'), nil
}
