package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDecodeFree(t *testing.T) {
	var m method
	require.NoError(t, Decode(json.RawMessage(`{"method_name":"a","text":"b","ts":12345678901234567890.5,"blocks":[{"x": 1}],"none":null}`), &m))
	require.Equal(t, "a", m.Method)
	require.Equal(t, map[string]json.RawMessage{"ts": json.RawMessage(`12345678901234567890.5`), "blocks": json.RawMessage(`[{"x": 1}]`), "none": json.RawMessage(`null`)}, m.Extra)
	require.NoError(t, Decode(json.RawMessage(`{"method_name":"a"}`), &m))
	require.Nil(t, m.Extra, "nothing is left of what was there before")

	type nest struct {
		method
		List []method           `json:"list"`
		Map  map[string]method  `json:"map"`
		Ptr  *method            `json:"ptr"`
		Arr  [1]*method         `json:"arr"`
		Keys map[int][]*method  `json:"keys"`
		Any  any                `json:"any"`
		Nil  *method            `json:"nil"`
		Deep map[string]*[]nest `json:"deep"`
	}
	one := `{"method_name":"m","x":1}`
	var n nest
	require.NoError(t, Decode(json.RawMessage(fmt.Sprintf(`{"x":1,"list":[%[1]s],"map":{"k":%[1]s},"ptr":%[1]s,"arr":[%[1]s],"keys":{"7":[%[1]s]},"any":1.50,"nil":null,"deep":{"d":[{"ptr":%[1]s}]}}`, one)), &n))
	want := map[string]json.RawMessage{"x": json.RawMessage("1")}
	for _, got := range []map[string]json.RawMessage{n.Extra, n.List[0].Extra, n.Map["k"].Extra, n.Ptr.Extra, n.Arr[0].Extra, n.Keys[7][0].Extra, (*n.Deep["d"])[0].Ptr.Extra} {
		require.Equal(t, want, got)
	}
	require.Equal(t, json.Number("1.50"), n.Any)
	out, err := Encode(n)
	require.NoError(t, err)
	var again nest
	require.NoError(t, Decode(out, &again))
	require.Equal(t, n, again)
}

// TestDecodeCredentials: a caller must not be able to replace the community's own token.
func TestDecodeCredentials(t *testing.T) {
	for _, name := range []string{
		"token", "Token", "TOKEN", "access_token", "accessToken", "Access-Token", "bot_token", "api_key", "apikey", "X-Api-Key", "password", "secret",
		"client_secret", "authorization", "Authorization", "Proxy-Authorization", "refresh_token", "private_key", "to\u212Aen", "token[]", " token ", "cookie",
	} {
		raw, err := json.Marshal(map[string]string{"method_name": "m", name: "canary"})
		require.NoError(t, err)
		var m method
		err = Decode(raw, &m)
		require.Equal(t, []Failure{{"/" + name, "looks like a credential, which cannot be given here"}}, failuresOf(t, err), name)
		require.Empty(t, m.Extra)
		_, err = of[method](t).Apply(raw)
		require.Len(t, failuresOf(t, err), 1, name)
		_, err = Encode(method{Extra: map[string]json.RawMessage{name: json.RawMessage(`"canary"`)}})
		require.ErrorContains(t, err, "credential", name)
		require.NotContains(t, err.Error(), "canary")
	}
	for _, name := range []string{"page_token", "next_token", "text2", "author", "key", "tokenized", "secretary"} {
		var m method
		require.NoError(t, Decode(json.RawMessage(`{"`+name+`":1}`), &m), name)
		require.Len(t, m.Extra, 1)
	}
	type own struct {
		Token string                     `json:"token"`
		Extra map[string]json.RawMessage `json:"-" gateway:"free"`
	}
	require.NoError(t, Decode(json.RawMessage(`{"token":"x"}`), &own{}), "a field that the struct names is its own affair")
	require.Equal(t, []Failure{{"/TEXT", "differs from a known field only in case"}}, failuresOf(t, Decode(json.RawMessage(`{"TEXT":"longer than five"}`), &method{})))
}

func TestDecodeErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{"title":"canary`: "does not end", `{"title":canary}`: "not valid JSON (byte", ``: "does not end", `{"limits":{"quorum":"canary"}}`: "/limits/quorum does not fit int",
		`{"amount":4711471147114711471147114711}`: "/amount does not fit uint64", `{"closing":"canary"}`: "cannot be read", `{} x`: "something follows",
		`"` + strings.Repeat("a", maxBytes) + `"`: "larger",
	} {
		var v vote
		err := Decode(json.RawMessage(in), &v)
		require.ErrorContains(t, err, want)
		failuresOf(t, err)
		require.NotContains(t, err.Error(), "canary")
		require.NotContains(t, err.Error(), "4711")
	}
	require.Error(t, Decode(json.RawMessage(`{}`), vote{}))
	require.Error(t, Decode(json.RawMessage(`{}`), nil))
	require.Error(t, Decode(json.RawMessage(`{}`), (*vote)(nil)))
}

func TestEncodeSecrets(t *testing.T) {
	type embedded struct {
		Inner secret `json:"inner"`
	}
	type everything struct {
		embedded
		*limits
		A    secret            `json:"a"`
		B    *secret           `json:"b"`
		C    []secret          `json:"c"`
		D    map[string]secret `json:"d"`
		E    any               `json:"e"`
		F    secret            `json:"f,omitempty"`
		G    secret            `json:"g,omitzero"`
		H    [2]*secret        `json:"h"`
		I    map[int]any       `json:"i"`
		N    *secret           `json:"n"`
		Time time.Time         `json:"time"`
		Num  int               `json:"num,string"`
		Raw  json.RawMessage   `json:"raw"`
		HTML string            `json:"html"`
	}
	b := secret(`canary "b" <&>`)
	v := everything{
		embedded: embedded{"canary i"}, A: "canary a", B: &b, C: []secret{"canary c"}, D: map[string]secret{"z": "canary z", "y": "canary y"},
		E: map[string]any{"k": []any{secret("canary e"), 1}}, H: [2]*secret{&b}, I: map[int]any{10: b, 9: nil}, Time: time.Unix(0, 0).UTC(), Num: 7, Raw: json.RawMessage(`{"x": 1}`), HTML: "<b>",
	}
	want := `{"inner":"canary i","a":"canary a","b":"canary \"b\" \u003c\u0026\u003e","c":["canary c"],"d":{"y":"canary y","z":"canary z"},"e":{"k":["canary e",1]},` +
		`"h":["canary \"b\" \u003c\u0026\u003e",null],"i":{"10":"canary \"b\" \u003c\u0026\u003e","9":null},"n":null,"time":"1970-01-01T00:00:00Z","num":"7","raw":{"x":1},"html":"\u003cb\u003e"}`
	for _, in := range []any{v, &v} {
		out, err := Encode(in)
		require.NoError(t, err)
		require.Equal(t, want, string(out))
	}
	plain, err := json.Marshal(v)
	require.NoError(t, err)
	require.NotContains(t, string(plain), "canary", "the type does redact itself")

	s := of[config](t)
	c := config{Team: "T1", Token: "canary", Keys: []secret{"x"}}
	out, err := Encode(c)
	require.NoError(t, err)
	out, err = s.Apply(out)
	require.NoError(t, err)
	public, sealed, err := s.Split(out)
	require.NoError(t, err)
	out, err = s.Join(public, sealed)
	require.NoError(t, err)
	var back config
	require.NoError(t, Decode(out, &back))
	require.Equal(t, secret("canary"), back.Token)
}

type hides struct{ S secret }

func (hides) MarshalJSON() ([]byte, error) { return []byte(`{}`), nil }

func TestEncodeErrors(t *testing.T) {
	circle := map[string]any{}
	circle["c"] = circle
	for name, tt := range map[string]struct {
		v    any
		want string
	}{
		"hidden secret": {[]hides{{"canary"}}, "would be lost"},
		"circle":        {circle, "contains itself"},
		"func":          {struct{ F any }{func() {}}, "cannot be written"},
		"free, JSON":    {method{Extra: map[string]json.RawMessage{"x": json.RawMessage("canary")}}, "not valid JSON"},
		"free, known":   {method{Extra: map[string]json.RawMessage{"Text": json.RawMessage("1")}}, "only in case"},
		"UTF-8":         {secret("canary\xff"), "not valid UTF-8"},
		"bad key":       {map[float64]any{1: 1}, "cannot be written"},
	} {
		_, err := Encode(tt.v)
		require.ErrorContains(t, err, tt.want, name)
		require.NotContains(t, err.Error(), "canary")
	}
}

type textKey struct{ N int }

func (k textKey) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "k%d", k.N), nil }

type pointerMarshaler struct{ N int }

func (p *pointerMarshaler) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"p%d"`, p.N), nil }

type zeroer struct{ N int }

func (z zeroer) IsZero() bool { return z.N == 3 }

// mixed has an any in it, so that Encode writes it by itself.
type mixed struct {
	embeddedMixed
	*Pointed
	Any    any                  `json:"any"`
	Str    string               `json:"str,omitempty"`
	Bool   bool                 `json:",omitempty"`
	Int    int64                `json:"int,string"`
	PInt   *int                 `json:"pint,string,omitempty"`
	QStr   string               `json:"qstr,string"`
	F      float64              `json:"f,omitzero"`
	Bytes  []byte               `json:"bytes"`
	List   []any                `json:"list,omitempty"`
	Map    map[string]any       `json:"map,omitempty"`
	Keys   map[textKey]any      `json:"keys"`
	Uints  map[uint8]any        `json:"uints"`
	PM     pointerMarshaler     `json:"pm"`
	PMs    map[string]*mixed    `json:"pms,omitempty"`
	Time   time.Time            `json:"time,omitzero"`
	Z      zeroer               `json:"z,omitzero"`
	Raw    json.RawMessage      `json:"raw,omitempty"`
	Number json.Number          `json:"number"`
	Arr    [2]any               `json:"arr"`
	Iface  fmt.Stringer         `json:"iface"`
	Skip   int                  `json:"-"`
	Struct struct{ X any }      `json:"struct"`
	E      map[string]time.Time `json:"e,omitempty"`
}

type embeddedMixed struct {
	Any   string `json:"any"`
	Other any    `json:"other"`
}

type Pointed struct {
	Deep any `json:"deep,omitempty"`
	Str  int
}

// TestEncodeLikeMarshal: without secrets, Encode writes the very bytes of json.Marshal.
func TestEncodeLikeMarshal(t *testing.T) {
	anything := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Int(), func(i int) any { return i }), rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.SliceOf(rapid.Bool()), func(s []bool) any { return s }), rapid.Map(rapid.Int(), func(i int) any { return &pointerMarshaler{i} }),
		rapid.Map(rapid.Int(), func(i int) any { return pointerMarshaler{i} }), rapid.Map(rapid.Int(), func(i int) any { return map[string]any{"<x>": textKey{i}} }))
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 5)
		m := mixed{
			embeddedMixed: embeddedMixed{Other: anything.Draw(r, "other")}, Any: anything.Draw(r, "any"), Str: rapid.String().Draw(r, "str"),
			Bool: rapid.Bool().Draw(r, "bool"), Int: rapid.Int64().Draw(r, "int"), QStr: rapid.String().Draw(r, "qstr"), F: rapid.Float64Range(-1, 1).Draw(r, "f"),
			Bytes: rapid.SliceOf(rapid.Byte()).Draw(r, "bytes"), List: rapid.SliceOfN(anything, 0, 3).Draw(r, "list"),
			Map:  rapid.MapOfN(rapid.String(), anything, 0, 3).Draw(r, "map"),
			Keys: rapid.MapOfN(rapid.Map(n, func(i int) textKey { return textKey{i} }), anything, 0, 3).Draw(r, "keys"),
			PM:   pointerMarshaler{n.Draw(r, "pm")}, Z: zeroer{n.Draw(r, "z")}, Number: json.Number(fmt.Sprint(n.Draw(r, "number"))), Skip: 2,
			Arr: [2]any{anything.Draw(r, "arr")}, Uints: map[uint8]any{uint8(n.Draw(r, "u1")): 1, 10: 2, 9: 3},
		}
		if rapid.Bool().Draw(r, "pointers") {
			i := n.Draw(r, "i")
			m.PInt, m.Pointed, m.Time, m.Raw = &i, &Pointed{Deep: anything.Draw(r, "deep")}, time.Unix(int64(i), 5), json.RawMessage(`{ "a" : "<" }`)
			m.PMs, m.Iface = map[string]*mixed{"nil": nil, "x": {}}, time.Second
		}
		for _, v := range []any{m, &m, []*mixed{&m, nil}} {
			want, err := json.Marshal(v)
			require.NoError(r, err)
			got, err := Encode(v)
			require.NoError(r, err)
			require.Equal(r, string(want), string(got))
		}
	})
}

// TestFieldsLikeMarshal: the names and their order are those of encoding/json.
func TestFieldsLikeMarshal(t *testing.T) {
	for _, v := range []any{vote{}, config{}, mixed{Pointed: &Pointed{Deep: 1}}, tree{}, struct {
		ask
		A int `json:"title"`
	}{}} {
		want, err := json.Marshal(v)
		require.NoError(t, err)
		e := encoder{}
		require.NoError(t, e.object(reflect.ValueOf(v), 0))
		require.Equal(t, strings.ReplaceAll(string(want), `"redacted"`, `""`), e.out.String())
	}
}

// FuzzDecode: no input makes it panic, and what was read can be written and read again to the same value.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{goodVote, `{"method_name":"m","x":{"y":[1]}}`, `{"list":[null,{"x":1}],"map":{"a":{"t":1}}}`, `null`, `[]`, `{"token":1}`, "{\"\\ud800\":1}"} {
		f.Add([]byte(seed))
	}
	type nest struct {
		method
		List []*method         `json:"list,omitempty"`
		Map  map[string]method `json:"map,omitempty"`
	}
	s := of[nest](f)
	f.Fuzz(func(t *testing.T, in []byte) {
		var v nest
		if err := Decode(in, &v); err != nil {
			return
		}
		out, err := Encode(v)
		require.NoError(t, err)
		require.True(t, json.Valid(out))
		var again nest
		require.NoError(t, Decode(out, &again))
		once, err := Encode(again)
		require.NoError(t, err)
		require.Equal(t, string(out), string(once))
		if applied, err := s.Apply(in); err == nil {
			var valid nest
			require.NoError(t, Decode(applied, &valid), "what Apply lets through can be read")
		}
	})
}
