package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func failuresOf(t testing.TB, err error) []Failure {
	t.Helper()
	var inv *Invalid
	require.ErrorAs(t, err, &inv)
	return inv.Failures
}

func TestDefaults(t *testing.T) {
	s := of[vote](t)
	out, err := s.Apply(json.RawMessage(`{"title":"Lunch?","options":["yes","no"],"channel":"C1","hooks":[{"url":"https://example.org/<a>"},{"url":"https://example.org","tries":1}]}`))
	require.NoError(t, err)
	require.Equal(t, `{"channel":"C1","hooks":[{"tries":5,"url":"https://example.org/<a>"},{"tries":1,"url":"https://example.org"}],`+
		`"kind":"single","limits":{"quorum":3,"share":0.5},"options":["yes","no"],"secret":false,"title":"Lunch?"}`, string(out))
	again, err := s.Apply(out)
	require.NoError(t, err)
	require.Equal(t, &out[0], &again[0], "nothing to fill in: the very same bytes come back")

	out, err = s.Apply(json.RawMessage(`{"title":"L","options":["y","n"],"channel":"C1","limits":{"quorum":9},"note":null,"kind":"ranked","secret":true}`))
	require.NoError(t, err)
	require.Contains(t, string(out), `"limits":{"quorum":9,"share":0.5}`)
	require.Contains(t, string(out), `"note":null`)

	out, err = of[tree](t).Apply(json.RawMessage(`{"name":"a","children":[{"name":"b","children":[{"name":"c","weight":2}]}]}`))
	require.NoError(t, err)
	require.Equal(t, `{"children":[{"children":[{"name":"c","weight":2}],"name":"b","weight":1}],"name":"a","weight":1}`, string(out))

	// Filling in must not write into the schema's own defaults.
	var changed map[string]any
	first, err := s.Apply(json.RawMessage(goodVote))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(first, &changed))
	second, err := s.Apply(json.RawMessage(goodVote))
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))
	require.Empty(t, s.root.props["limits"].def, "it is shared by all callers")

	type lists struct {
		N []int    `json:"n,omitempty" jsonschema:"default=1,default=2"`
		B []bool   `json:"b,omitempty" jsonschema:"default=true"`
		S []string `json:"s,omitempty" jsonschema:"default=x,default=y"`
	}
	out, err = of[lists](t).Apply(nil)
	require.NoError(t, err)
	require.Equal(t, `{"b":[true],"n":[1,2],"s":["x","y"]}`, string(out))
}

// TestEmpty: empty parameters are validated like any others.
func TestEmpty(t *testing.T) {
	for _, in := range []string{"", " \n", "null", " null ", "{}"} {
		_, err := of[vote](t).Apply(json.RawMessage(in))
		require.Equal(t, []Failure{{"/channel", "is required"}, {"/options", "is required"}, {"/title", "is required"}}, failuresOf(t, err), "%q", in)
		out, err := of[limits](t).Apply(json.RawMessage(in))
		require.NoError(t, err)
		require.Equal(t, `{"quorum":3,"share":0.5}`, string(out))
	}
	_, err := of[[]string](t).Apply(nil)
	require.Error(t, err, "only objects may be left out")
}

func TestAllFailures(t *testing.T) {
	in := `{"title":"","options":["a","a"],"channel":"general","closing":"tomorrow","kind":"other","limits":{"quorum":-1,"share":1.5,"x/y":1},` +
		`"hooks":[{"url":"nowhere","tries":"5"},{"key":7}],"labels":{"a":1},"amount":-1,"secret":"yes","note":5,"zzz":1,"aaa":2,"voters":null}`
	want := []Failure{
		{"/aaa", "is not a known field"},
		{"/amount", "must be at least 0"},
		{"/channel", `does not match the pattern "^C[A-Z0-9]+$"`},
		{"/closing", "is not a valid date-time"},
		{"/hooks/0/tries", "must be a whole number, not a string"},
		{"/hooks/0/url", "is not a valid uri"},
		{"/hooks/1/key", "must be a string, not a number"},
		{"/hooks/1/url", "is required"},
		{"/kind", `must be one of "single", "ranked"`},
		{"/labels/a", "must be a string, not a number"},
		{"/limits/quorum", "must be at least 0"},
		{"/limits/share", "must be at most 1"},
		{"/limits/x~1y", "is not a known field"},
		{"/note", "fits none of the allowed forms"},
		{"/options", "must not have equal items"},
		{"/secret", "must be a boolean, not a string"},
		{"/title", "must not be empty"},
		{"/voters", "must be an array, not null"},
		{"/zzz", "is not a known field"},
	}
	s := of[vote](t)
	for range 20 {
		_, err := s.Apply(json.RawMessage(in))
		require.Equal(t, want, failuresOf(t, err))
	}
	_, err := s.Apply(json.RawMessage(in))
	require.True(t, strings.HasPrefix(err.Error(), "invalid: /aaa is not a known field; /amount must be at least 0; "))
}

func TestMessages(t *testing.T) {
	for _, tt := range []struct{ schema, in, path, message string }{
		{`{"type":["string","null"]}`, `1`, "", "must be a string or null, not a number"},
		{`{"const":"x"}`, `1`, "", `must be "x"`},
		{`{"multipleOf":3}`, `4`, "", "must be a multiple of 3"},
		{`{"exclusiveMinimum":3}`, `3`, "", "must be more than 3"},
		{`{"exclusiveMaximum":3}`, `3`, "", "must be less than 3"},
		{`{"maxLength":3}`, `"abcd"`, "", "must have at most 3 characters"},
		{`{"minItems":2}`, `[]`, "", "must have at least 2 items"},
		{`{"maxProperties":0}`, `{"a":1}`, "", "must have at most 0 fields"},
		{`{"contentEncoding":"base64"}`, `"%"`, "", "is not valid base64"},
		{`{"contains":{"const":1}}`, `[2,3]`, "", "does not contain the right number of fitting items"},
		{`{"propertyNames":{"maxLength":1}}`, `{"ab":1}`, "/ab", "has a name that is not allowed"},
		{`{"properties":{"a":false}}`, `{"a":1}`, "/a", "is not allowed"},
		{`{"unevaluatedProperties":false}`, `{"a":1}`, "/a", "is not allowed"},
		{`{"not":{}}`, `1`, "", "does not fit the schema"},
		{`{"oneOf":[{"type":"string"},{"type":"object","required":["a"]}]}`, `{}`, "/a", "is required"},
		{`{"oneOf":[{"minimum":1},{"minimum":2}]}`, `3`, "", "fits more than one of the allowed forms"},
		{`{"oneOf":[{"type":"null"},{"type":"object","properties":{"a":{"type":"string"}}}]}`, `{"a":1}`, "/a", "must be a string, not a number"},
		{`{"anyOf":[{"minimum":1},{"minimum":2}]}`, `0`, "", "fits none of the allowed forms"},
		{`{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"minimum":1}}}`, `0`, "", "must be at least 1"},
		{`{"if":{"required":["a"]},"then":{"required":["b"]}}`, `{"a":1}`, "/b", "is required"},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, "", "does not fit the schema"},
		{`{"properties":{"a b%~/é":{"type":"string"}}}`, `{"a b%~/é":1}`, "/a b%~0~1é", "must be a string, not a number"},
		{`{"additionalProperties":false,"patternProperties":{"^x":{}}}`, `{"x1":1,"y":1}`, "/y", "is not a known field"},
	} {
		s, err := Parse(json.RawMessage(tt.schema))
		require.NoError(t, err, tt.schema)
		_, err = s.Apply(json.RawMessage(tt.in))
		require.Equal(t, []Failure{{tt.path, tt.message}}, failuresOf(t, err), tt.schema)
	}
}

// TestNoEcho: neither a secret nor a long value comes back in an error, whatever is wrong with it.
func TestNoEcho(t *testing.T) {
	const canary = "canary-4711"
	type all struct {
		A secret `json:"a" jsonschema:"pattern=^x$,maxLength=3,format=uri"`
		B string `json:"b" jsonschema:"enum=x,format=email,pattern=^x$"`
		C int    `json:"c" jsonschema:"maximum=3,multipleOf=2"`
		D bool   `json:"d"`
	}
	s := of[all](t)
	for _, in := range []string{
		`{"a":"` + canary + `","b":"` + canary + `","c":47114711,"d":"` + canary + `"}`,
		`{"a":"` + canary + `","a":1}`, `{"a":"` + canary, `{"a":` + canary + `}`, `{"a":["` + canary + `"],"b":{"x":"` + canary + `"}}`, `"` + canary + `"`,
	} {
		_, err := s.Apply(json.RawMessage(in))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
		require.NotContains(t, err.Error(), "4711")
	}
	_, err := s.Apply(json.RawMessage(`{"` + strings.Repeat("long", 1000) + `":1}`))
	require.Less(t, len(err.Error()), 600)
}

func TestPrecision(t *testing.T) {
	in := `{"amount":18446744073709551615,"channel":"C1","kind":"single","limits":{"quorum":3,"share":0.10000000000000000000000000001},"options":["1","2"],"title":"L"}`
	out, err := of[vote](t).Apply(json.RawMessage(in))
	require.NoError(t, err)
	require.Contains(t, string(out), `"amount":18446744073709551615`)
	require.Contains(t, string(out), `"share":0.10000000000000000000000000001`)

	type whole struct {
		N int `json:"n"`
	}
	for in, want := range map[string]string{`{"n":1.0}`: `{"n":1}`, `{"n":12e2}`: `{"n":1200}`, `{"n":-5}`: `{"n":-5}`} {
		out, err := of[whole](t).Apply(json.RawMessage(in))
		require.NoError(t, err)
		require.Equal(t, want, string(out))
		require.NoError(t, Decode(out, &whole{}))
	}
	_, err = of[whole](t).Apply(json.RawMessage(`{"n":1.5}`))
	require.Error(t, err)
}

func TestBounds(t *testing.T) {
	s := of[any](t)
	for name, tt := range map[string]struct{ in, want string }{
		"size":            {`"` + strings.Repeat("a", maxBytes) + `"`, "larger than 1 MiB"},
		"depth":           {strings.Repeat("[", 66) + strings.Repeat("]", 66), "nested deeper"},
		"depth, objects":  {strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "nested deeper"},
		"duplicate":       {`{"a":{"b":1,"b":2}}`, "/a/b is given twice"},
		"duplicate, \\u":  {`{"ab":1,"\u0061b":2}`, "/ab is given twice"},
		"UTF-8":           {"\"a\xff\"", "not valid UTF-8"},
		"UTF-8, escapes":  {"\"\\n\xff\"", "not valid UTF-8"},
		"UTF-8, name":     {"{\"\xc0\xaf\":1}", "not valid UTF-8"},
		"half a pair":     {`"\ud800"`, `bad \u escape`},
		"half, then text": {`"\ud800a"`, `bad \u escape`},
		"exponent":        {`1e999999999`, "outside of what is supported"},
		"small exponent":  {`1e-999999999`, "outside of what is supported"},
		"huge exponent":   {`1e99999999999999999999`, "outside of what is supported"},
		"digits":          {strings.Repeat("9", 513), "too many digits"},
		"trailing":        {`{} {}`, "something follows"},
	} {
		_, err := s.Apply(json.RawMessage(tt.in))
		require.ErrorContains(t, err, tt.want, name)
		failuresOf(t, err)
	}
	_, err := s.Apply(json.RawMessage(strings.Repeat("[", 64) + strings.Repeat("]", 64)))
	require.NoError(t, err)
}

func TestFreeFieldsChecked(t *testing.T) {
	s := of[method](t)
	out, err := s.Apply(json.RawMessage(`{"method_name":"chat.postMessage","text":"hi","blocks":[1.0],"page_token":"x"}`))
	require.NoError(t, err)
	require.Contains(t, string(out), `"blocks":[1.0]`)
	_, err = s.Apply(json.RawMessage(`{"method_name":"chat.postMessage","TEXT":"longer than five","Access-Token":"x","method_nſame":1}`))
	require.Equal(t, []Failure{
		{"/Access-Token", "looks like a credential, which cannot be given here"},
		{"/TEXT", "differs from a known field only in case"},
	}, failuresOf(t, err))
}

// FuzzApply: what comes out is JSON, fits the schema and stays as it is; what is refused is refused with reasons.
func FuzzApply(f *testing.F) {
	schemas := []*Schema{of[vote](f), of[config](f), of[method](f), of[tree](f), of[any](f), of[map[int][]limits](f)}
	for _, seed := range []string{
		goodVote, ``, `null`, `{}`, `[]`, `1e400`, `{"name":"a","children":[{}]}`, `{"method_name":"a","x":{"y":1}}`, "{\"\\ud83d\\ude00\":-0.0}",
		`{"team_id":"T","bot_token":"abc","hooks":[{"url":"https://example.org"}]}`, `{"1":[{}]}`, `{"title":"L","options":["1","2"],"channel":"C1","amount":1e3}`,
	} {
		for i := range schemas {
			f.Add(i, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, i int, in []byte) {
		s := schemas[uint(i)%uint(len(schemas))]
		out, err := s.Apply(in)
		if err != nil {
			var inv *Invalid
			if !errors.As(err, &inv) || len(inv.Failures) == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		d := json.NewDecoder(bytes.NewReader(out))
		d.UseNumber()
		var v any
		require.NoError(t, d.Decode(&v))
		require.NoError(t, s.valid.Validate(v))
		again, err := s.Apply(out)
		require.NoError(t, err)
		require.Equal(t, string(out), string(again))
		public, secret, err := s.Split(out)
		require.NoError(t, err)
		joined, err := s.Join(public, secret)
		require.NoError(t, err)
		before, err := parse(out)
		require.NoError(t, err)
		after, err := parse(joined)
		require.NoError(t, err)
		require.Equal(t, before, after)
		_, err = s.Redact(out)
		require.NoError(t, err)
	})
}

// FuzzParse: the reader agrees with encoding/json, except where it is stricter on purpose.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{goodVote, `"\u00e9\n\"\\\/\ud83d\ude00"`, `[1,-0,0.5,1E+5,true,false,null]`, `01`, `-`, `1.`, `1e`, `{"a" : [ ] }`, "\"\x01\"", `"\x"`, `[1,]`, `{"a":1,}`, `tru`, `"`, `"\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := parse(in)
		d := json.NewDecoder(bytes.NewReader(in))
		d.UseNumber()
		var want any
		if err == nil {
			require.True(t, json.Valid(in))
			require.NoError(t, d.Decode(&want))
			require.Equal(t, want, v)
			return
		}
		if strings.Contains(err.Error(), "not valid JSON") && !strings.Contains(err.Error(), `\u escape`) || strings.Contains(err.Error(), "not a valid number") {
			require.False(t, json.Valid(in), "%v", err)
		}
	})
}

// realistic is an input of ten fields, one of them a list of five texts.
type realistic struct {
	Channel  string   `json:"channel" jsonschema:"pattern=^C[A-Z0-9]+$,description=d"`
	Title    string   `json:"title" jsonschema:"minLength=1,maxLength=200,description=d"`
	Details  string   `json:"details,omitempty" jsonschema:"maxLength=3000,description=d"`
	Options  []string `json:"options" jsonschema:"minItems=2,maxItems=10,description=d"`
	Kind     string   `json:"kind,omitempty" jsonschema:"enum=single,enum=multiple,default=single,description=d"`
	Closing  string   `json:"closing,omitempty" jsonschema:"format=date-time,description=d"`
	Quorum   int      `json:"quorum,omitempty" jsonschema:"minimum=0,default=0,description=d"`
	Share    float64  `json:"share,omitempty" jsonschema:"minimum=0,maximum=1,description=d"`
	Secret   bool     `json:"secret,omitempty" jsonschema:"default=false,description=d"`
	Callback string   `json:"callback,omitempty" jsonschema:"format=uri,description=d"`
}

const realisticInput = `{"channel":"C012ABCDEF","title":"Which venue do we take for the next assembly?","details":"The three that answered, and two from last year. The vote is open to all members.",` +
	`"options":["The old station","The library","The harbour hall","The school","Online only"],"kind":"single","closing":"2026-05-01T12:00:00Z","quorum":12,"share":0.5,"secret":false,"callback":"https://example.org/votes/17"}`

func BenchmarkApply(b *testing.B) {
	s := of[realistic](b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Apply(json.RawMessage(realisticInput)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyFilling(b *testing.B) {
	s := of[realistic](b)
	in := json.RawMessage(strings.Replace(realisticInput, `"secret":false,`, "", 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Apply(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkValidateAlone is the validator on a value that is already decoded: the measure for BenchmarkApply.
func BenchmarkValidateAlone(b *testing.B) {
	valid := of[realistic](b).valid
	v, err := parse([]byte(realisticInput))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if err := valid.Validate(v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeAndValidate is what one would write with encoding/json.
func BenchmarkDecodeAndValidate(b *testing.B) {
	valid := of[realistic](b).valid
	b.ReportAllocs()
	for b.Loop() {
		var v any
		d := json.NewDecoder(strings.NewReader(realisticInput))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			b.Fatal(err)
		}
		if err := valid.Validate(v); err != nil {
			b.Fatal(err)
		}
	}
}
