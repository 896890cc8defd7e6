package slack

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func dropSome(raw func(string) []byte) []string {
	if v := raw("user"); len(v) > 0 && v[0] == '"' {
		return []string{"type", "token", "user"}
	}
	return []string{"type", "token"}
}

// FuzzDataOf compares what is cut out of an event's text with what a map makes of it.
func FuzzDataOf(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"type":"a"}`, `{"type":"a","b":1}`, `{ "b" : [1, {"c": "}\","}] , "a" :null, "user":"U1","token":"t" }`,
		`{"user":{"id":"U1"},"x":"\\"}`, `{"a":1,"a":2}`, `{"\u0061":1,"a":2}`, `{"é":1}`, `{"<":1}`, `null`, `[1]`, `"x"`, `{"a":-1.5e3,"b":true}`, "{\"a\":\n1\t}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if shallow(b) != nil || json.Unmarshal(b, &event{}) != nil {
			return // it was refused before
		}
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(b, &fields))
		want, err := without(fields, dropSome(func(name string) []byte { return fields[name] })...)
		require.NoError(t, err)
		got, err := dataOf(b, dropSome)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}
