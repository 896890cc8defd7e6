package schema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"
)

var (
	rawType           = reflect.TypeFor[json.RawMessage]()
	numberType        = reflect.TypeFor[json.Number]()
	freeType          = reflect.TypeFor[map[string]json.RawMessage]()
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

// field is one name of the JSON object that a struct becomes.
type field struct {
	name                        string
	index                       []int
	sf                          reflect.StructField
	tagged                      bool
	omitEmpty, omitZero, quoted bool
}

// structInfo says how encoding/json sees a struct, and where its free fields go.
type structInfo struct {
	fields []field // in the order of the struct
	byName map[string]int
	free   []int // index of the map for free fields, nil without
}

// structs remembers what is a pure function of a type, as encoding/json does.
var structs sync.Map // reflect.Type → structResult

type structResult struct {
	info *structInfo
	err  error
}

func infoOf(t reflect.Type) (*structInfo, error) {
	if r, ok := structs.Load(t); ok {
		return r.(structResult).info, r.(structResult).err
	}
	info, err := readStruct(t)
	structs.Store(t, structResult{info, err})
	return info, err
}

// readStruct applies the rules of encoding/json: embedded structs are flattened, the least nested of two equal names
// wins, then the one with a tag, and else both disappear.
func readStruct(t reflect.Type) (*structInfo, error) {
	type level struct {
		t     reflect.Type
		index []int
	}
	info := &structInfo{byName: map[string]int{}}
	var all []field
	seen := map[reflect.Type]bool{}
	for next := []level{{t: t}}; len(next) > 0; {
		current := next
		next = nil
		count := map[reflect.Type]int{}
		for _, l := range current {
			count[l.t]++
		}
		for _, l := range current {
			// The same type embedded twice at one depth is read twice, so that its names annul each other.
			if seen[l.t] && count[l.t] == 1 {
				continue
			}
			seen[l.t] = true
			for i := range l.t.NumField() {
				sf := l.t.Field(i)
				index := append(slices.Clone(l.index), i)
				inner := sf.Type
				if inner.Name() == "" && inner.Kind() == reflect.Pointer {
					inner = inner.Elem()
				}
				if !sf.IsExported() && (!sf.Anonymous || inner.Kind() != reflect.Struct) {
					continue
				}
				tag := sf.Tag.Get("json")
				if slices.Contains(gatewayOptions(sf), "free") {
					if sf.Type != freeType || tag != "-" {
						return nil, fmt.Errorf("%s.%s: a free field has to be a map[string]json.RawMessage tagged json:\"-\"", l.t, sf.Name)
					}
					if info.free != nil {
						return nil, fmt.Errorf("%s.%s: a second free field", t, sf.Name)
					}
					info.free = index
					continue
				}
				if tag == "-" {
					continue
				}
				parts := strings.Split(tag, ",")
				name := parts[0]
				if !validName(name) {
					name = ""
				}
				if name == "" && sf.Anonymous && inner.Kind() == reflect.Struct {
					next = append(next, level{inner, index})
					continue
				}
				f := field{name: name, index: index, sf: sf, tagged: name != ""}
				if name == "" {
					f.name = sf.Name
				}
				f.omitEmpty = slices.Contains(parts[1:], "omitempty")
				f.omitZero = slices.Contains(parts[1:], "omitzero")
				f.quoted = slices.Contains(parts[1:], "string") && basic(sf.Type)
				all = append(all, f)
			}
		}
	}
	for _, f := range all {
		if winner(all, f) {
			info.fields = append(info.fields, f)
		}
	}
	slices.SortFunc(info.fields, func(a, b field) int { return slices.Compare(a.index, b.index) })
	for i, f := range info.fields {
		info.byName[f.name] = i
	}
	return info, nil
}

func winner(all []field, f field) bool {
	for _, o := range all {
		if o.name != f.name || slices.Equal(o.index, f.index) {
			continue
		}
		if len(o.index) < len(f.index) || len(o.index) == len(f.index) && (o.tagged || !f.tagged) {
			return false
		}
	}
	return true
}

// basic reports whether encoding/json heeds the option "string" on a field of this type.
func basic(t reflect.Type) bool {
	if t.Name() == "" && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch k := t.Kind(); {
	case k >= reflect.Bool && k <= reflect.Float64, k == reflect.String:
		return true
	}
	return false
}

func validName(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// gatewayOptions are the parts of a field's tag gateway:"...".
func gatewayOptions(sf reflect.StructField) []string {
	tag, ok := sf.Tag.Lookup("gateway")
	if !ok {
		return nil
	}
	return strings.Split(tag, ",")
}

// implements reports whether t or *t has the methods of i.
func implements(t, i reflect.Type) bool {
	return t.Implements(i) || t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(i)
}

// marshals reports whether values of t write themselves.
func marshals(t reflect.Type) bool {
	return implements(t, marshalerType) || implements(t, textMarshalerType)
}
