package schema

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	js "github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/require"
)

func TestDocument(t *testing.T) {
	want := `{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{` +
		`"team_id":{"type":"string","description":"The workspace","x-platform-id":true,"x-public":true},` +
		`"bot_token":{"type":"string","minLength":3,"format":"password","description":"Of the bot","writeOnly":true},` +
		`"keys":{"items":{"type":"string","format":"password","writeOnly":true},"type":"array","description":"More keys"},` +
		`"hooks":{"items":{"properties":{"url":{"type":"string","format":"uri","description":"Where to call"},` +
		`"key":{"type":"string","format":"password","description":"Signs the calls","writeOnly":true},` +
		`"tries":{"type":"integer","description":"How often to try","default":5}},` +
		`"additionalProperties":false,"type":"object","required":["url"]},"type":"array","description":"Who is told"},` +
		`"verbose":{"type":"boolean","description":"Says more","default":true,"x-public":true}},` +
		`"additionalProperties":false,"type":"object","required":["team_id","bot_token"]}`
	for range 20 {
		require.Equal(t, want, string(of[config](t).JSON()))
	}
	s := of[config](t)
	s.JSON()[0] = 'X'
	require.Equal(t, want, string(s.JSON()), "JSON gives a copy")
	require.Equal(t, "team_id", s.PlatformIDField())
	require.False(t, s.FreeFields())
	require.Equal(t, []string{"/bot_token", "/hooks/*/key", "/keys/*"}, s.Secrets())
	require.Empty(t, s.Undescribed())
}

func TestDocumentDetails(t *testing.T) {
	s := of[vote](t)
	var doc struct {
		Properties map[string]map[string]any `json:"properties"`
		Required   []string                  `json:"required"`
		Defs       any                       `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(s.JSON(), &doc))
	require.Nil(t, doc.Defs, "everything is inlined")
	require.Equal(t, []string{"title", "options", "channel"}, doc.Required)
	require.Equal(t, "What is asked, in short.", doc.Properties["title"]["description"])
	require.Equal(t, "channel", doc.Properties["channel"]["x-choices"])
	require.Equal(t, "Channel", doc.Properties["channel"]["title"])
	require.Equal(t, []any{"C012AB"}, doc.Properties["channel"]["examples"])
	require.Equal(t, map[string]any{"type": "string", "x-choices": "user"}, doc.Properties["voters"]["items"])
	require.Equal(t, "date-time", doc.Properties["closing"]["format"])
	require.Equal(t, map[string]any{}, doc.Properties["limits"]["default"])
	require.Equal(t, float64(0), doc.Properties["amount"]["minimum"])
	require.Equal(t, "Free text", doc.Properties["note"]["description"])
	require.Equal(t, []any{"single", "ranked"}, doc.Properties["kind"]["enum"])
	text := string(s.JSON())
	last := 0
	for _, name := range []string{"title", "options", "kind", "channel", "voters", "closing", "limits", "hooks", "labels", "amount", "secret", "note"} {
		at := strings.Index(text, `"`+name+`":{`)
		require.Greater(t, at, last, name)
		last = at
	}

	require.True(t, of[method](t).FreeFields())
	require.True(t, of[map[string]any](t).FreeFields())
	require.Empty(t, of[method](t).PlatformIDField())
	require.Contains(t, string(of[tree](t).JSON()), `"$ref":"#/$defs/tree"`)
}

func TestUndescribed(t *testing.T) {
	type inner struct {
		A string `json:"a/b"`
		B string `json:"b" jsonschema:"description=Said"`
	}
	type outer struct {
		List []inner          `json:"list" jsonschema:"description=Said"`
		Map  map[string]inner `json:"map"`
		Null *inner           `json:"null" jsonschema:"nullable,description=Said"`
	}
	require.Equal(t, []string{"/list/*/a~1b", "/map", "/map/*/a~1b", "/null/a~1b"}, of[outer](t).Undescribed())
}

// TestEmbedding: what encoding/json does with equal names.
func TestEmbedding(t *testing.T) {
	type low struct {
		A string `json:"a" jsonschema:"description=low"`
		B string `json:"b"`
		C string
	}
	type other struct {
		B string `json:"b"`
		C string `json:"C"`
	}
	type top struct {
		A int `json:"a" jsonschema:"description=top"`
		low
		*other
		Hidden  string `json:"-"`
		private string
	}
	_ = top{}.private
	var doc struct{ Properties map[string]map[string]any }
	require.NoError(t, json.Unmarshal(of[top](t).JSON(), &doc))
	require.Len(t, doc.Properties, 2)
	require.Equal(t, "top", doc.Properties["a"]["description"])
	require.Contains(t, doc.Properties, "C")
}

func TestForRefuses(t *testing.T) {
	type selfMade struct{ marshalsItself }
	for name, tt := range map[string]struct {
		v    any
		want string
	}{
		"func":       {struct{ F func() }{}, "func() cannot be written as JSON"},
		"chan, deep": {struct{ L []map[string]chan int }{}, "chan int cannot"},
		"complex":    {complex(1, 2), "cannot"},
		"bad key":    {map[float64]int{}, "cannot"},
		"own JSON":   {struct{ S selfMade }{}, "writes its own JSON"},
		"comma": {struct {
			A string `jsonschema:"description=Who, and how"`
		}{}, `" and how" is not understood`},
		"unknown keyword": {struct {
			A string `jsonschema:"minLen=1"`
		}{}, "is not understood"},
		"keyword of others": {struct {
			A int `jsonschema:"minLength=1"`
		}{}, "minLength has no effect"},
		"default, type": {struct {
			A int `jsonschema:"default=x"`
		}{}, "default has no effect"},
		"default, limit": {struct {
			A int `jsonschema:"default=7,maximum=5"`
		}{}, "default at /properties/A does not fit"},
		"default, enum": {struct {
			A string `jsonschema:"default=c,enum=a,enum=b"`
		}{}, "does not fit"},
		"secret default": {struct {
			A secret `jsonschema:"default=c"`
		}{}, "a secret cannot have a default"},
		"secret public": {struct {
			A secret `gateway:"public"`
		}{}, "a secret cannot be public"},
		"gateway option": {struct {
			A string `gateway:"publik"`
		}{}, "unknown option"},
		"two platform IDs": {struct {
			A, B string `gateway:"platform_id"`
		}{}, "both tagged platform_id"},
		"platform ID, type": {struct {
			A int `gateway:"platform_id"`
		}{}, "has to be a string"},
		"free, type": {struct {
			A map[string]any `json:"-" gateway:"free"`
		}{}, "has to be a map[string]json.RawMessage"},
		"free, json tag": {struct {
			A map[string]json.RawMessage `gateway:"free"`
		}{}, "json:\"-\""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := For(reflect.TypeOf(tt.v), Options{Secret: reflect.TypeFor[secret]()})
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := For(nil, Options{})
	require.Error(t, err)
}

type marshalsItself struct{}

func (marshalsItself) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

// TestMeta: every document is one of draft 2020-12, can be parsed again, and says the same then.
func TestMeta(t *testing.T) {
	meta := js.MustCompile(draft)
	for _, s := range []*Schema{
		of[vote](t), of[config](t), of[method](t), of[tree](t), of[string](t), of[any](t), of[*[]int8](t), of[map[int]secret](t),
		of[[2]uint16](t), of[[]byte](t), of[json.Number](t), of[map[string]any](t), of[struct{}](t),
	} {
		var v any
		err := json.Unmarshal(s.JSON(), &v)
		require.NoError(t, err)
		require.NoError(t, meta.Validate(v))
		require.True(t, bytes.HasPrefix(s.JSON(), []byte(`{"$schema":"`+draft+`"`)))
		again, err := Parse(s.JSON())
		require.NoError(t, err)
		require.Equal(t, string(s.JSON()), string(again.JSON()))
		require.Equal(t, s.Secrets(), again.Secrets())
		require.Equal(t, s.FreeFields(), again.FreeFields())
		require.Equal(t, s.PlatformIDField(), again.PlatformIDField())
	}
}

func TestParse(t *testing.T) {
	s, err := Parse(json.RawMessage(`{"type": "object", "properties": {"b": {"$ref": "#/$defs/n"}, "a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer", "default": 4}}}`))
	require.NoError(t, err)
	require.Equal(t, `{"$schema":"`+draft+`","type":"object","properties":{"b":{"$ref":"#/$defs/n"},"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"integer","default":4}}}`, string(s.JSON()))
	out, err := s.Apply(nil)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":4,"b":4}`, string(out))

	for doc, want := range map[string]string{
		`{"$ref":"https://example.org/s.json"}`:                                           "may only point into the document",
		`{"properties":{"a":{"$ref":"other.json"}}}`:                                      "may only point into the document",
		`{"properties":{"a":{"not":{"$ref":"file:///etc/passwd"}}}}`:                      "may only point into the document",
		`{"$defs":{"a":{"items":{"$ref":"https://example.org/s.json"}}}}`:                 "may only point into the document",
		`{"$ref":"#/$defs/none"}`:                                                         "points to nothing",
		`{"$ref":"#"}`:                                                                    "for ever",
		`{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"}]}}}`: "for ever",
		`{"$dynamicRef":"https://example.org/s.json"}`:                                    "not supported",
		`{"items":{"$id":"https://example.org/s.json"}}`:                                  "not supported",
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`:                           "only draft 2020-12",
		`{"$schema":"https://example.org/meta"}`:                                          "only draft 2020-12",
		`{"type":"strin"}`:                                                                "compile",
		`{"properties":[]}`:                                                               "compile",
		`{"pattern":"("}`:                                                                 "compile",
		`{"properties":{"a":{"type":"string","default":1}}}`:                              "does not fit",
		`[]`: "has to be an object", `{`: "not valid JSON", ``: "not valid JSON", `{"a":1,"a":2}`: "given twice",
	} {
		_, err := Parse(json.RawMessage(doc))
		require.ErrorContains(t, err, want, doc)
	}
	// A name that only looks like a reference is a name.
	_, err = Parse(json.RawMessage(`{"properties":{"$ref":{"type":"string"},"$id":{"const":{"$ref":"x"}}}}`))
	require.NoError(t, err)
}

// TestParseBomb: parts that refer to each other twice at each of 30 levels would be looked at a thousand million times.
func TestParseBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/a0","$defs":{`)
	for i := range 30 {
		next := "a" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		b.WriteString(`"` + map[bool]string{true: "a0", false: "a" + string(rune('0'+(i-1)/10)) + string(rune('0'+(i-1)%10))}[i == 0] + `":{"allOf":[{"$ref":"#/$defs/` + next + `"},{"$ref":"#/$defs/` + next + `"}]},`)
	}
	b.WriteString(`"a29":{}}}`)
	_, err := Parse(json.RawMessage(b.String()))
	require.ErrorContains(t, err, "too many times")
}
