package schema

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzSchema: a schema that is taken is the same when it is taken again, and what it lets through fits it and has no secret in
// its public part.
func FuzzSchema(f *testing.F) {
	for _, s := range []json.RawMessage{of[vote](f).JSON(), of[config](f).JSON(), of[tree](f).JSON(), of[map[int][]limits](f).JSON()} {
		f.Add([]byte(s), []byte(goodVote))
	}
	for _, s := range []string{`{}`, `true`, `{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"$ref":"#/x"}`, `{"pattern":"("}`, `{"allOf":[{"$ref":"#"}]}`, `{"$ref":"https://example.org/x"}`, `{"type":"strin"}`, `{"default":1}`} {
		f.Add([]byte(s), []byte(`{"a":{"a":1}}`))
	}
	f.Fuzz(func(t *testing.T, doc, in []byte) {
		s, err := Parse(doc)
		if err != nil {
			return
		}
		again, err := Parse(s.JSON())
		require.NoError(t, err)
		require.Equal(t, string(s.JSON()), string(again.JSON()))
		require.Equal(t, s.Secrets(), again.Secrets())
		out, err := s.Apply(in)
		if err != nil {
			return
		}
		same, err := again.Apply(out)
		require.NoError(t, err)
		require.Equal(t, string(out), string(same))
		public, secret, err := s.Split(out)
		require.NoError(t, err)
		if len(s.Secrets()) == 0 {
			require.JSONEq(t, string(out), string(public))
		}
		joined, err := s.Join(public, secret)
		require.NoError(t, err)
		before, err := parse(out)
		require.NoError(t, err)
		after, err := parse(joined)
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}
