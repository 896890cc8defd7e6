package schema

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

const goodConfig = `{"team_id":"T1","bot_token":"canary-1","keys":["canary-2","canary-3"],"hooks":[{"url":"https://example.org","key":"canary-4"},{"url":"https://example.net","tries":18446744073709551615}]}`

func TestSplitJoin(t *testing.T) {
	s := of[config](t)
	public, secret, err := s.Split(json.RawMessage(goodConfig))
	require.NoError(t, err)
	require.Equal(t, `{"hooks":[{"url":"https://example.org"},{"tries":18446744073709551615,"url":"https://example.net"}],"team_id":"T1"}`, string(public))
	require.Equal(t, `{"/bot_token":"canary-1","/hooks/0/key":"canary-4","/keys":["canary-2","canary-3"]}`, string(secret))
	joined, err := s.Join(public, secret)
	require.NoError(t, err)
	require.JSONEq(t, goodConfig, string(joined))
	require.Contains(t, string(joined), "18446744073709551615")

	public, secret, err = s.Split(json.RawMessage(`{"team_id":"T1"}`))
	require.NoError(t, err)
	require.Equal(t, `{"team_id":"T1"}`, string(public))
	require.Equal(t, `{}`, string(secret))

	for _, tt := range [][3]string{
		{`{"hooks":[]}`, `{"/hooks/0/key":"canary"}`, "no place for /hooks/0/key"},
		{`{"bot_token":"x"}`, `{"/bot_token":"canary"}`, "in the public part too"},
		{`{}`, `["canary"]`, "not an object"},
		{`{`, `{}`, "not valid JSON"},
		{`{}`, `{"canary`, "not valid JSON"},
	} {
		_, err := s.Join(json.RawMessage(tt[0]), json.RawMessage(tt[1]))
		require.ErrorContains(t, err, tt[2])
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestRedact(t *testing.T) {
	out, err := of[config](t).Redact(json.RawMessage(goodConfig))
	require.NoError(t, err)
	require.JSONEq(t, `{"team_id":"T1","bot_token":"•••","keys":["•••","•••"],"hooks":[{"url":"https://example.org","key":"•••"},{"url":"https://example.net","tries":18446744073709551615}]}`, string(out))
	_, err = of[config](t).Redact(nil)
	require.Error(t, err)
}

// TestSecretsEverywhere: behind references, in branches, patterns, maps and tuples, and whole objects.
func TestSecretsEverywhere(t *testing.T) {
	s, err := Parse(json.RawMessage(`{"type":"object","properties":{
		"ref":{"$ref":"#/$defs/s"},
		"branch":{"oneOf":[{"type":"object","properties":{"k":{"$ref":"#/$defs/s"}}},{"type":"integer"}]},
		"null":{"oneOf":[{"$ref":"#/$defs/s"},{"type":"null"}]},
		"map":{"additionalProperties":{"$ref":"#/$defs/s"}},
		"tuple":{"prefixItems":[{"type":"string"},{"$ref":"#/$defs/s"}]},
		"whole":{"type":"object","writeOnly":true},
		"a/b~":{"writeOnly":true}},
		"patternProperties":{"^p_":{"$ref":"#/$defs/s"}},
		"allOf":[{"properties":{"all":{"writeOnly":true}}}],
		"then":{"properties":{"then":{"writeOnly":true}}}, "if":true,
		"$defs":{"s":{"type":"string","writeOnly":true}}}`))
	require.NoError(t, err)
	require.Equal(t, []string{"/*", "/all", "/a~1b~0", "/branch/k", "/map/*", "/null", "/ref", "/then", "/tuple/*", "/whole"}, s.Secrets())
	in := `{"ref":"canary","branch":{"k":"canary"},"null":"canary","map":{"x":"canary","y":"canary"},"tuple":["a","canary"],"whole":{"a":["canary"]},"a/b~":"canary","p_1":"canary","all":"canary","then":"canary","open":1}`
	_, err = s.Apply(json.RawMessage(in))
	require.NoError(t, err)
	public, secret, err := s.Split(json.RawMessage(in))
	require.NoError(t, err)
	require.NotContains(t, string(public), "canary")
	require.Contains(t, string(public), `"open":1`)
	joined, err := s.Join(public, secret)
	require.NoError(t, err)
	require.JSONEq(t, in, string(joined))
	shown, err := s.Redact(json.RawMessage(in))
	require.NoError(t, err)
	require.NotContains(t, string(shown), "canary")

	whole, err := Parse(json.RawMessage(`{"type":"string","writeOnly":true}`))
	require.NoError(t, err)
	require.Equal(t, []string{""}, whole.Secrets())
	public, secret, err = whole.Split(json.RawMessage(`"canary"`))
	require.NoError(t, err)
	require.Equal(t, `null`, string(public))
	joined, err = whole.Join(public, secret)
	require.NoError(t, err)
	require.Equal(t, `"canary"`, string(joined))
}
