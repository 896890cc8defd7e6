package schema

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

type revealer interface{ Reveal() string }

var revealerType = reflect.TypeFor[revealer]()

const maxEncodeDepth = 500 // far above maxDepth: only a value that contains itself gets here

// Encode is the inverse of Decode: json.Marshal, except that a value with a method Reveal() string is written as what
// it reveals, where its MarshalJSON would write a redaction, and that free fields are written beside the others.
// The result holds secrets: split and seal it before it is stored, and never log it. No error repeats a value.
func Encode(v any) (json.RawMessage, error) {
	e := encoder{}
	if err := e.value(reflect.ValueOf(v), 0); err != nil {
		return nil, fmt.Errorf("schema: encode %T: %w", v, err)
	}
	return e.out.Bytes(), nil
}

type encoder struct{ out bytes.Buffer }

// holdsSecret reports whether values of t have secrets in them. Of interfaces that is known only by their values.
func holdsSecret(t reflect.Type) bool {
	return reach(&secretTypes, t, func(_ *structInfo, t reflect.Type) bool { return implements(t, revealerType) })
}

// needsWalk reports whether json.Marshal would not do for t.
func needsWalk(t reflect.Type) bool {
	return holdsSecret(t) || holdsFree(t) || reach(&anyTypes, t, func(_ *structInfo, t reflect.Type) bool { return t.Kind() == reflect.Interface })
}

func (e *encoder) value(v reflect.Value, depth int) error {
	if !v.IsValid() {
		e.out.WriteString("null")
		return nil
	}
	if depth > maxEncodeDepth {
		return errors.New("nested too deep, or contains itself")
	}
	t := v.Type()
	if !needsWalk(t) {
		return e.plain(v)
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			e.out.WriteString("null")
			return nil
		}
	}
	if t.Kind() == reflect.Interface {
		return e.value(v.Elem(), depth+1)
	}
	if r, ok := methods(v, revealerType); ok {
		return e.secret(r.(revealer))
	}
	if t.Kind() != reflect.Pointer && marshals(t) {
		if holdsSecret(t) {
			return fmt.Errorf("%s writes its own JSON and holds secrets, which would be lost", t)
		}
		return e.plain(v)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return e.value(v.Elem(), depth+1)
	case reflect.Struct:
		return e.object(v, depth)
	case reflect.Map:
		return e.dict(v, depth)
	case reflect.Slice:
		if v.IsNil() {
			e.out.WriteString("null")
			return nil
		}
		fallthrough
	case reflect.Array:
		e.out.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				e.out.WriteByte(',')
			}
			if err := e.value(v.Index(i), depth+1); err != nil {
				return err
			}
		}
		e.out.WriteByte(']')
		return nil
	}
	return e.plain(v)
}

// methods gives v, or a pointer to it, as something that has the methods of i.
func methods(v reflect.Value, i reflect.Type) (any, bool) {
	switch t := v.Type(); {
	case t.Implements(i):
		return v.Interface(), true
	case !reflect.PointerTo(t).Implements(i):
		return nil, false
	case v.CanAddr():
		return v.Addr().Interface(), true
	default:
		p := reflect.New(t)
		p.Elem().Set(v)
		return p.Interface(), true
	}
}

// plain leaves v to encoding/json, by its address where it has one, as json.Marshal of the whole would.
func (e *encoder) plain(v reflect.Value) error {
	if v.CanAddr() {
		v = v.Addr()
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		// A type's own MarshalJSON may repeat what it could not write.
		var cannot *json.UnsupportedTypeError
		if errors.As(err, &cannot) {
			return fmt.Errorf("%s cannot be written as JSON", cannot.Type)
		}
		return fmt.Errorf("a value of type %s cannot be written as JSON", v.Type())
	}
	e.out.Write(b)
	return nil
}

func (e *encoder) secret(r revealer) error {
	text := r.Reveal()
	if !utf8.ValidString(text) {
		return errors.New("a secret is not valid UTF-8, and would be changed")
	}
	return e.plain(reflect.ValueOf(text))
}

// name starts a member of an object.
func (e *encoder) name(name string, first *bool) error {
	if !*first {
		e.out.WriteByte(',')
	}
	*first = false
	if err := e.plain(reflect.ValueOf(name)); err != nil {
		return err
	}
	e.out.WriteByte(':')
	return nil
}

func (e *encoder) object(v reflect.Value, depth int) error {
	info, err := infoOf(v.Type())
	if err != nil {
		return err
	}
	e.out.WriteByte('{')
	first := true
	for _, f := range info.fields {
		inner, err := v.FieldByIndexErr(f.index)
		if err != nil || f.omitEmpty && empty(inner) || f.omitZero && zero(inner) {
			continue // an error means an embedded nil pointer
		}
		if err := e.name(f.name, &first); err != nil {
			return err
		}
		if f.quoted && !implements(f.sf.Type, revealerType) && !marshals(f.sf.Type) {
			err = e.quoted(inner)
		} else {
			err = e.value(inner, depth+1)
		}
		if err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	if info.free != nil {
		if free, err := v.FieldByIndexErr(info.free); err == nil {
			if err := e.free(info, free.Interface().(map[string]json.RawMessage), &first); err != nil {
				return err
			}
		}
	}
	e.out.WriteByte('}')
	return nil
}

func (e *encoder) free(info *structInfo, fields map[string]json.RawMessage, first *bool) error {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if bad := badFree(name, func(yield func(string) bool) {
			for _, f := range info.fields {
				if !yield(f.name) {
					return
				}
			}
		}); bad != "" {
			return fmt.Errorf("free field %s %s", clip(name, 100), bad)
		}
		if err := e.name(name, first); err != nil {
			return err
		}
		if err := e.plain(reflect.ValueOf(fields[name])); err != nil {
			return fmt.Errorf("free field %s: not valid JSON", clip(name, 100))
		}
	}
	return nil
}

// quoted is the option "string" of encoding/json.
func (e *encoder) quoted(v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			e.out.WriteString("null")
			return nil
		}
		v = v.Elem()
	}
	inner := encoder{}
	if err := inner.plain(v); err != nil {
		return err
	}
	return e.plain(reflect.ValueOf(inner.out.String()))
}

func (e *encoder) dict(v reflect.Value, depth int) error {
	if v.IsNil() {
		e.out.WriteString("null")
		return nil
	}
	type member struct {
		name  string
		value reflect.Value
	}
	members := make([]member, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		k := iter.Key()
		name := ""
		if k.Kind() == reflect.String {
			name = k.String()
		} else if tm, ok := k.Interface().(encoding.TextMarshaler); ok {
			if k.Kind() != reflect.Pointer || !k.IsNil() {
				b, err := tm.MarshalText()
				if err != nil {
					return fmt.Errorf("a key of type %s cannot be written", k.Type())
				}
				name = string(b)
			}
		} else if k.CanInt() || k.CanUint() {
			name = fmt.Sprintf("%d", k.Interface())
		} else {
			return fmt.Errorf("%s cannot be written as JSON", v.Type())
		}
		members = append(members, member{name, iter.Value()})
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	e.out.WriteByte('{')
	first := true
	for _, m := range members {
		if err := e.name(m.name, &first); err != nil {
			return err
		}
		if err := e.value(m.value, depth+1); err != nil {
			return err
		}
	}
	e.out.WriteByte('}')
	return nil
}

// empty is what omitempty means to encoding/json.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// zero is what omitzero means to encoding/json.
func zero(v reflect.Value) bool {
	if z, ok := methods(v, reflect.TypeFor[interface{ IsZero() bool }]()); ok {
		if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
			return true
		}
		return z.(interface{ IsZero() bool }).IsZero()
	}
	return v.IsZero()
}
