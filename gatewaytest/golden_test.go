package gatewaytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

func manifestOf(t *testing.T, change func(*gateway.Manifest)) gateway.Manifest {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	m := gateway.Manifest{
		Name: "p", Doc: "A plugin.", Config: raw(`{"type":"object"}`),
		Actions: []gateway.ActionDef{{Name: "post", Version: 1, Doc: "Posts.", Output: raw(`{"type":"object"}`),
			Input: raw(`{"type":"object","properties":{"description":{"type":"string","description":"A text."}}}`)}},
		Processes: []gateway.ProcessDef{{Name: "poll", Version: 1, Doc: "Polls.", Input: raw(`{"type":"object"}`), Output: raw(`{"type":"object"}`), State: raw(`{"type":"object"}`),
			Commands: []gateway.CommandDef{{Name: "extend", Doc: "Extends.", Input: raw(`{"type":"object"}`), Output: raw(`{"type":"object"}`)}}}},
	}
	change(&m)
	return m
}

func TestGolden(t *testing.T) {
	other := json.RawMessage(`{"type":"object","properties":{"new":{"type":"string","description":"New."}}}`)
	for _, c := range []struct {
		name    string
		change  func(*gateway.Manifest)
		check   string // what a plain run says; "" passes
		refused string // what -update says; "" writes
	}{
		{"nothing", func(*gateway.Manifest) {}, "", ""},
		{"a text", func(m *gateway.Manifest) { m.Doc = "Another." }, "run go test -update", ""},
		{"a field's description", func(m *gateway.Manifest) {
			m.Actions[0].Input = json.RawMessage(strings.Replace(string(m.Actions[0].Input), "A text.", "Another text.", 1))
		}, "run go test -update", ""},
		{"a field that is named like a keyword", func(m *gateway.Manifest) {
			m.Actions[0].Input = json.RawMessage(strings.Replace(string(m.Actions[0].Input), `"description":{`, `"title":{`, 1))
		}, "action post@1: input changed", "action post@1: input changed"},
		{"the configuration", func(m *gateway.Manifest) { m.Config = other }, "run go test -update", ""},
		{"an action's input", func(m *gateway.Manifest) { m.Actions[0].Input = other }, "action post@1: input changed", "action post@1: input changed"},
		{"an action's output", func(m *gateway.Manifest) { m.Actions[0].Output = other }, "action post@1: output changed", "action post@1: output changed"},
		{"a process's input", func(m *gateway.Manifest) { m.Processes[0].Input = other }, "process poll@1: input changed", "process poll@1: input changed"},
		{"a process's outcome", func(m *gateway.Manifest) { m.Processes[0].Output = other }, "process poll@1: outcome changed", "process poll@1: outcome changed"},
		{"a process's state", func(m *gateway.Manifest) { m.Processes[0].State = other }, "process poll@1: state changed", "process poll@1: state changed"},
		{"a command's input", func(m *gateway.Manifest) { m.Processes[0].Commands[0].Input = other }, "command extend: input changed", "command extend: input changed"},
		{"an action's input in a new version", func(m *gateway.Manifest) {
			next := m.Actions[0]
			next.Version, next.Input = 2, other
			m.Actions = append(m.Actions, next)
		}, "run go test -update", ""},
		{"an action is gone", func(m *gateway.Manifest) { m.Actions = nil }, "run go test -update", ""},
		{"a process is gone", func(m *gateway.Manifest) { m.Processes = nil }, "run go test -update", ""},
		{"a state in a new version that cannot upgrade", func(m *gateway.Manifest) {
			m.Processes[0].Version, m.Processes[0].State = 2, other
		}, "has no Upgrade", "has no Upgrade"},
		{"a state in a new version that can", func(m *gateway.Manifest) {
			m.Processes[0].Version, m.Processes[0].State = 2, other
			m.Processes[0].Upgrade = func(int, json.RawMessage) (json.RawMessage, error) { return nil, nil }
		}, "run go test -update", ""},
		{"back to an older version", func(m *gateway.Manifest) {
			m.Processes[0].Version = 2
			m.Processes[0].Upgrade = func(int, json.RawMessage) (json.RawMessage, error) { return nil, nil }
		}, "run go test -update", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "testdata", "golden.json")
			run := func(m gateway.Manifest, write bool) string {
				return record(t, func(t TB) { (&checked{m: m, golden: file}).goldenFile(t, write) })
			}
			before := manifestOf(t, func(*gateway.Manifest) {})
			require.Contains(t, run(before, false), "there is no ")
			require.NoFileExists(t, file)
			require.Empty(t, run(before, true))
			old, err := os.ReadFile(file)
			require.NoError(t, err)

			now := manifestOf(t, c.change)
			if got := run(now, false); c.check == "" {
				require.Empty(t, got)
			} else {
				require.Contains(t, got, c.check)
			}
			got := run(now, true)
			if c.refused != "" {
				require.Contains(t, got, c.refused)
				kept, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Equal(t, string(old), string(kept), "a refused manifest is not written")
				return
			}
			require.Empty(t, got)
			require.Empty(t, run(now, false), "after -update it passes")
		})
	}
}

func TestGoldenOfAnotherFormat(t *testing.T) {
	file := filepath.Join(t.TempDir(), "golden.json")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o644))
	got := record(t, func(t TB) { (&checked{golden: file}).goldenFile(t, true) })
	require.Contains(t, got, "reading the golden manifest")
}

func TestSchemasAreSound(t *testing.T) {
	for name, c := range map[string]struct{ doc, want string }{
		"no schema":                    {`{"type":7}`, "schema"},
		"another draft":                {`{"$schema":"http://json-schema.org/draft-07/schema#"}`, "2020-12"},
		"no description":               {`{"type":"object","properties":{"a":{"type":"object","description":"x","properties":{"b":{"type":"string"}}}}}`, "field /a/b has no description"},
		"an example of another type":   {`{"type":"object","properties":{"a":{"type":"string","description":"x","examples":[7]}}}`, "the example 7"},
		"an example beyond the limits": {`{"type":"object","properties":{"a":{"type":"integer","maximum":5,"description":"x","examples":[7]}}}`, "the example 7"},
		"an enum of another type":      {`{"type":"object","properties":{"a":{"type":"string","description":"x","enum":["a",7]}}}`, "the value of the enum 7"},
		"an enum with a value twice":   {`{"type":"object","properties":{"a":{"type":"string","description":"x","enum":["a","a"]}}}`, ""},
		"an empty enum":                {`{"type":"object","properties":{"a":{"type":"string","description":"x","enum":[]}}}`, ""},
		"unlisted choices":             {`{"type":"object","properties":{"a":{"type":"string","description":"x","x-choices":"channel"}}}`, `no choices "channel"`},
		"a default that does not fit":  {`{"type":"object","properties":{"a":{"type":"string","description":"x","default":7}}}`, "default"},
	} {
		t.Run(name, func(t *testing.T) {
			got := record(t, func(t TB) { (&checked{}).document(t, "it", json.RawMessage(c.doc)) })
			require.NotEmpty(t, got)
			require.Contains(t, got, c.want)
		})
	}
	good := `{"type":"object","properties":{"a":{"type":"string","description":"x","enum":["a","b"],"examples":["b"],"default":"a"},"examples":{"type":"array","description":"x","items":{"$ref":"#/$defs/n"}}},"$defs":{"n":{"type":"integer","examples":[1,2]}}}`
	require.Empty(t, record(t, func(t TB) { (&checked{}).document(t, "it", json.RawMessage(good)) }))
}

func TestStatesSurvive(t *testing.T) {
	type inner struct {
		A string `json:"a"`
		b int
	}
	_ = inner{b: 1}.b
	for name, c := range map[string]struct {
		fresh func() any
		want  string
	}{
		"plain":               {func() any { return new(watchState) }, ""},
		"an unexported field": {func() any { return new(struct{ a int }) }, "is not kept"},
		"one further down":    {func() any { return new(struct{ In []*inner }) }, "inner.b"},
		"left out": {func() any {
			return new(struct {
				A int `json:"-"`
			})
		}, "is not kept"},
		"two of one name": {func() any {
			return new(struct {
				A int  `json:"x"`
				B *int `json:"y"`
			})
		}, ""},
		"a function":    {func() any { return new(struct{ F func() }) }, "cannot be kept"},
		"not a pointer": {func() any { return watchState{} }, "want a pointer"},
		"nil":           {func() any { return nil }, "want a pointer"},
	} {
		t.Run(name, func(t *testing.T) {
			err := survives(c.fresh)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
