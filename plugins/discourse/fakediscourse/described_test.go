package fakediscourse_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
)

// described is Discourse's description of its answers. It is taken less literally than an OpenAPI library does: an answer must have every field that
// is required, of the type that is said unless it is null. The description was made from single answers, and says neither which fields
// can be null nor all that there may be.
type described map[string]any

func readDescribed(t testing.TB) described {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(specs.Dir(t), "discourse", "discourse_api_docs", "openapi.normalised.json"))
	require.NoError(t, err)
	var doc struct {
		Paths map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(b, &doc))
	return doc.Paths
}

// schema finds the schema of the answer 200 to a request.
func (d described) schema(r *http.Request) map[string]any {
	best, found := -1, map[string]any(nil)
	for path, item := range d {
		if n := fits(path, r.URL.Path); n > best {
			schema := dig(item, strings.ToLower(r.Method), "responses", "200", "content", "application/json", "schema")
			if schema != nil {
				best, found = n, schema
			}
		}
	}
	return found
}

// fits counts the literal parts of a pattern that a path fits, and is -1 for none.
func fits(pattern, path string) int {
	a, b := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return -1
	}
	n := 0
	for i := range a {
		open := strings.Index(a[i], "{")
		switch {
		case open < 0 && a[i] == b[i]:
			n++
		case open < 0 || strings.HasSuffix(a[i], ".json") != strings.HasSuffix(b[i], ".json"):
			return -1
		}
	}
	return n
}

func dig(v any, path ...string) map[string]any {
	for _, p := range path {
		o, _ := v.(map[string]any)
		v = o[p]
	}
	o, _ := v.(map[string]any)
	return o
}

// wrong lists what an answer lacks, and what is of another type. Of lists every element counts.
func wrong(schema map[string]any, got any, at string) []string {
	if got == nil || schema == nil {
		return nil
	}
	var out []string
	switch x := got.(type) {
	case map[string]any:
		if !typed(schema, "object") {
			return []string{at + " is an object"}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := x[name.(string)]; !ok {
				out = append(out, strings.TrimPrefix(at+"."+name.(string), "."))
			}
		}
		for name, s := range dig(schema, "properties") {
			sub, _ := s.(map[string]any)
			out = append(out, wrong(sub, x[name], at+"."+name)...)
		}
	case []any:
		if !typed(schema, "array") {
			return []string{at + " is a list"}
		}
		for _, e := range x {
			out = append(out, wrong(dig(schema, "items"), e, at+"[]")...)
		}
	case string:
		if !typed(schema, "string") {
			out = append(out, at+" is text")
		}
	case bool:
		if !typed(schema, "boolean") {
			out = append(out, at+" is a truth value")
		}
	case float64:
		if !typed(schema, "integer") && !typed(schema, "number") {
			out = append(out, at+" is a number")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func typed(schema map[string]any, want string) bool {
	switch x := schema["type"].(type) {
	case nil:
		return true
	case string:
		return x == want || x == "null" // of which the description knows nothing more
	case []any:
		return slices.Contains(x, any(want))
	}
	return false
}

// undescribed are what the fake leaves out: people's preferences; a field that only the described forum had; and what is an
// object wherever it was recorded. Of /site.json it leaves out most.
var undescribed = []string{"user.user_option.", "user.user_fields.2", "suspended_by is an object"}

func (d described) check(t testing.TB, r *http.Request, body []byte) {
	t.Helper()
	schema := d.schema(r)
	var got any
	if schema == nil || json.Unmarshal(body, &got) != nil {
		return
	}
	for _, w := range wrong(schema, got, "") {
		if slices.ContainsFunc(undescribed, func(p string) bool { return strings.HasPrefix(strings.TrimPrefix(w, "."), p) }) ||
			r.URL.Path == "/site.json" {
			continue
		}
		t.Errorf("%s %s: %s", r.Method, r.URL.Path, w)
	}
}
