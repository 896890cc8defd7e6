package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	inv "github.com/invopop/jsonschema"
)

// Options are what For has to know about the caller's types.
type Options struct {
	// Secret is the redacting string type. Its fields become {"type":"string","format":"password","writeOnly":true}.
	Secret reflect.Type
}

// For makes the schema of a Go type, as encoding/json would write it. Tags of a field:
//
//	json:"name,omitempty"              the name; without omitempty or omitzero, and without a default, it is required
//	jsonschema:"minLength=1,enum=a"    limits, default, enum, example, title, format; a comma in a value is written \\,
//	jsonschema_description:"..."       the description, where it has commas
//	choices:"channel"                  x-choices: the values can be listed by the platform (on the items of a list)
//	gateway:"platform_id"              x-platform-id: holds the community's ID on the platform; one at most
//	gateway:"public"                   x-public: a configuration field that clients may see
//	gateway:"free" json:"-"            a map[string]json.RawMessage for fields that no other field takes; see Decode
//
// A nested struct whose fields all have defaults or are optional gets the default {}, so that defaults inside of it
// hold where it is left out. For fails on what JSON cannot express, and on a tag that would have no effect.
func For(t reflect.Type, o Options) (*Schema, error) {
	g := &generator{secret: o.Secret, open: map[reflect.Type]string{}, defs: inv.Definitions{}}
	top, err := g.of(t)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", t, err)
	}
	root := *top
	root.Version = draft
	if len(g.defs) > 0 {
		root.Definitions = g.defs
	}
	doc, err := json.Marshal(&root)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: write it: %w", t, err)
	}
	tree, err := parse(doc)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: read it back: %w", t, err)
	}
	s, err := compile(doc, tree)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", t, err)
	}
	return s, nil
}

type generator struct {
	secret reflect.Type
	open   map[reflect.Type]string // structs being made; the name in $defs once one refers to itself
	defs   inv.Definitions
}

func (g *generator) of(t reflect.Type) (*inv.Schema, error) {
	if t == nil {
		return nil, errors.New("no type given")
	}
	switch {
	case t == g.secret, t.Kind() != reflect.Pointer && implements(t, revealerType):
		return &inv.Schema{Type: "string", Format: "password", WriteOnly: true}, nil
	case t.Kind() == reflect.Pointer:
		return g.of(t.Elem())
	case t == rawType || t.Kind() == reflect.Interface:
		return &inv.Schema{}, nil
	case t == numberType:
		return &inv.Schema{Type: "number"}, nil
	case t == reflect.TypeFor[time.Time]():
		return &inv.Schema{Type: "string", Format: "date-time"}, nil
	case implements(t, marshalerType) && numeric(t.Kind()):
		return ownForm(t)
	case implements(t, marshalerType) && t.Kind() != reflect.String:
		return nil, fmt.Errorf("%s writes its own JSON: its form is not known", t)
	case marshals(t):
		return &inv.Schema{Type: "string"}, nil
	}
	switch k := t.Kind(); k {
	case reflect.Bool:
		return &inv.Schema{Type: "boolean"}, nil
	case reflect.String:
		return &inv.Schema{Type: "string"}, nil
	case reflect.Float32, reflect.Float64:
		return &inv.Schema{Type: "number"}, nil
	case reflect.Int, reflect.Int64:
		return &inv.Schema{Type: "integer"}, nil
	case reflect.Int8, reflect.Int16, reflect.Int32:
		edge := int64(1) << (t.Bits() - 1)
		return &inv.Schema{Type: "integer", Minimum: number(-edge), Maximum: number(edge - 1)}, nil
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		return &inv.Schema{Type: "integer", Minimum: "0"}, nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return &inv.Schema{Type: "integer", Minimum: "0", Maximum: number(int64(1)<<t.Bits() - 1)}, nil
	case reflect.Slice, reflect.Array:
		return g.list(t)
	case reflect.Map:
		return g.dict(t)
	case reflect.Struct:
		return g.object(t)
	}
	return nil, fmt.Errorf("%s cannot be written as JSON", t)
}

func number(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

func (g *generator) list(t reflect.Type) (*inv.Schema, error) {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !marshals(t.Elem()) {
		return &inv.Schema{Type: "string", ContentEncoding: "base64"}, nil
	}
	items, err := g.of(t.Elem())
	if err != nil {
		return nil, err
	}
	s := &inv.Schema{Type: "array", Items: items}
	if t.Kind() == reflect.Array {
		n := uint64(t.Len())
		s.MinItems, s.MaxItems = &n, &n
	}
	return s, nil
}

func (g *generator) dict(t reflect.Type) (*inv.Schema, error) {
	values, err := g.of(t.Elem())
	if err != nil {
		return nil, err
	}
	s := &inv.Schema{Type: "object", AdditionalProperties: values}
	switch k := t.Key().Kind(); {
	case k == reflect.String || implements(t.Key(), textMarshalerType):
	case k >= reflect.Int && k <= reflect.Int64:
		s.PropertyNames = &inv.Schema{Pattern: "^-?[0-9]+$"}
	case k >= reflect.Uint && k <= reflect.Uintptr:
		s.PropertyNames = &inv.Schema{Pattern: "^[0-9]+$"}
	default:
		return nil, fmt.Errorf("%s cannot be written as JSON", t)
	}
	return s, nil
}

func (g *generator) object(t reflect.Type) (*inv.Schema, error) {
	if name, again := g.open[t]; again {
		if name == "" {
			name = t.Name()
			for n := 2; g.defs[name] != nil; n++ {
				name = t.Name() + strconv.Itoa(n)
			}
			g.open[t], g.defs[name] = name, &inv.Schema{}
		}
		return &inv.Schema{Ref: "#/$defs/" + name}, nil
	}
	g.open[t] = ""
	defer delete(g.open, t)
	info, err := infoOf(t)
	if err != nil {
		return nil, err
	}
	s := &inv.Schema{Type: "object", Properties: inv.NewProperties(), AdditionalProperties: inv.FalseSchema}
	for _, f := range info.fields {
		if f.sf.Tag.Get("jsonschema") == "-" {
			continue
		}
		p, required, err := g.property(f)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.sf.Name, err)
		}
		s.Properties.Set(f.name, p)
		if required {
			s.Required = append(s.Required, f.name)
		}
	}
	if info.free != nil {
		s.AdditionalProperties = inv.TrueSchema
		s.Extras = map[string]any{freeMark: true}
	}
	if name := g.open[t]; name != "" {
		def := *s // a field's tags are written into s
		g.defs[name] = &def
	}
	return s, nil
}

// property lets the library read the tags of one field, in a struct of its own. The library flattens embedded structs
// differently from encoding/json, and cannot cut a recursion where references are not wanted.
func (g *generator) property(f field) (p *inv.Schema, required bool, err error) {
	tags, err := splitTag(f.sf.Tag.Get("jsonschema"))
	if err != nil {
		return nil, false, err
	}
	typed, err := g.of(f.sf.Type)
	if err != nil {
		return nil, false, err
	}
	option := ""
	if f.quoted {
		option = ",string"
		typed.Minimum, typed.Maximum = "", ""
	}
	alone := reflect.StructOf([]reflect.StructField{{
		Name: "Field", Type: f.sf.Type, Tag: reflect.StructTag(fmt.Sprintf(`json:"field%s" jsonschema:%q jsonschema_description:%q jsonschema_extras:%q`,
			option, f.sf.Tag.Get("jsonschema"), f.sf.Tag.Get("jsonschema_description"), f.sf.Tag.Get("jsonschema_extras"))),
	}})
	r := inv.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true, Mapper: func(t reflect.Type) *inv.Schema {
		if t == alone {
			return nil
		}
		return typed
	}}
	p, ok := r.ReflectFromType(alone).Properties.Get("field")
	if !ok {
		return nil, false, errors.New("its tags cannot be read")
	}
	if p != typed { // nullable: what describes the field stands outside, where forms and defaults look for it
		p.Title, p.Description, p.Default, p.Examples = typed.Title, typed.Description, typed.Default, typed.Examples
		typed.Title, typed.Description, typed.Default, typed.Examples = "", "", nil, nil
	}
	if err := coerceDefault(p, typed); err != nil {
		return nil, false, err
	}
	if err := effective(p, typed, tags); err != nil {
		return nil, false, err
	}
	if err := annotate(p, typed, f); err != nil {
		return nil, false, err
	}
	if f.sf.Type.Kind() == reflect.Struct && p.Type == "object" && p.Default == nil && len(p.Required) == 0 && defaultsInside(p) {
		p.Default = map[string]any{}
	}
	_, must := tags["required"]
	return p, (must || !f.omitEmpty && !f.omitZero) && p.Default == nil, nil
}

func defaultsInside(s *inv.Schema) bool {
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		if pair.Value.Default != nil {
			return true
		}
	}
	return false
}

// coerceDefault gives the default of a list the type of its items; the library leaves them strings.
func coerceDefault(p, typed *inv.Schema) error {
	list, ok := p.Default.([]any)
	if !ok || typed.Items == nil {
		return nil
	}
	for i, v := range list {
		text, _ := v.(string)
		switch typed.Items.Type {
		case "integer", "number":
			list[i] = json.Number(text)
		case "boolean":
			b, err := strconv.ParseBool(text)
			if err != nil {
				return errors.New("a default is not a boolean")
			}
			list[i] = b
		}
	}
	return nil
}

func annotate(p, typed *inv.Schema, f field) error {
	set := func(s *inv.Schema, key string, v any) {
		if s.Extras == nil {
			s.Extras = map[string]any{}
		}
		s.Extras[key] = v
	}
	if choices := f.sf.Tag.Get("choices"); choices != "" {
		if typed.Items != nil {
			set(typed.Items, "x-choices", choices)
		} else {
			set(p, "x-choices", choices)
		}
	}
	for _, option := range gatewayOptions(f.sf) {
		switch option {
		case "public":
			if typed.WriteOnly {
				return errors.New("a secret cannot be public")
			}
			set(p, "x-public", true)
		case "platform_id":
			set(p, "x-platform-id", true)
		default:
			return fmt.Errorf("unknown option %q in its gateway tag", option)
		}
	}
	if typed.WriteOnly && (p.Default != nil || len(p.Examples) > 0 || len(p.Enum) > 0) {
		return errors.New("a secret cannot have a default, an example or an enum")
	}
	return nil
}

// keywords that the library reads, and what they become where the name differs.
var keywords = map[string]string{
	"title": "", "description": "", "type": "", "minLength": "", "maxLength": "", "pattern": "", "format": "", "readOnly": "",
	"writeOnly": "", "default": "", "example": "examples", "enum": "", "multipleOf": "", "minimum": "", "maximum": "",
	"exclusiveMinimum": "", "exclusiveMaximum": "", "minItems": "", "maxItems": "", "uniqueItems": "",
	"oneof_type": "oneOf", "anyof_type": "anyOf",
}

// splitTag refuses what the library would silently drop: mostly the rest of a description after its first comma.
func splitTag(tag string) (map[string]string, error) {
	out := map[string]string{}
	if tag == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(tag, `\,`, "\x00"), ",") {
		key, value, valued := strings.Cut(part, "=")
		if _, known := keywords[key]; valued && known || !valued && (key == "required" || key == "nullable") {
			out[key] = value
			continue
		}
		return nil, fmt.Errorf("jsonschema tag: %q is not understood (put a description with commas into jsonschema_description)", strings.ReplaceAll(part, "\x00", ","))
	}
	return out, nil
}

// effective refuses a tag that had no effect, such as minLength on a number or a default that is no number.
func effective(p, typed *inv.Schema, tags map[string]string) error {
	var have []string
	for _, s := range []*inv.Schema{p, typed, typed.Items} {
		if s == nil {
			continue
		}
		b, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("write its schema: %w", err)
		}
		var m map[string]json.RawMessage
		_ = json.Unmarshal(b, &m) // "true" for an empty schema, which has nothing
		for k := range m {
			have = append(have, k)
		}
	}
	for key, value := range tags {
		name, known := keywords[key]
		if name == "" {
			name = key
		}
		if known && value != "" && value != "false" && !slices.Contains(have, name) {
			return fmt.Errorf("jsonschema tag: %s has no effect on this type", key)
		}
	}
	return nil
}

func numeric(k reflect.Kind) bool {
	return k >= reflect.Int && k <= reflect.Float64
}

// ownForm asks a number that writes its own JSON what it writes.
func ownForm(t reflect.Type) (*inv.Schema, error) {
	raw, err := json.Marshal(reflect.Zero(t).Interface())
	if err != nil {
		return nil, fmt.Errorf("%s: writing its zero value: %w", t, err)
	}
	switch raw[0] {
	case '"':
		return &inv.Schema{Type: "string"}, nil
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return &inv.Schema{Type: "number"}, nil
	}
	return nil, fmt.Errorf("%s writes its own JSON, which is neither a number nor text", t)
}
