package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strconv"
	"strings"
)

// Decode reads what Apply gave into v, a pointer. Like json.Unmarshal, with free fields: a struct's map tagged
// gateway:"free" gets the fields that no other field takes, with every digit of their numbers. A free field that looks
// like a credential, or that differs from a known field only in case, is refused. Numbers in values of type any are
// json.Number. Errors that concern the input are *Invalid, and repeat no value.
func Decode(in json.RawMessage, v any) error {
	if len(in) > maxBytes {
		return invalid("", "is larger than 1 MiB")
	}
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("schema: decode into %T: need a pointer", v)
	}
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return decodeError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("", "is not valid JSON: something follows the document")
	}
	if !holdsFree(target.Type()) {
		return nil
	}
	var failures []Failure
	if err := fillFree(in, target.Elem(), "", &failures); err != nil {
		return err
	}
	if len(failures) > 0 {
		return newInvalid(failures)
	}
	return nil
}

func decodeError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		path := ""
		if wrong.Field != "" {
			path = "/" + strings.ReplaceAll(escapeToken(wrong.Field), ".", "/")
		}
		return newInvalid([]Failure{{path, "does not fit " + wrong.Type.String()}})
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return invalid("", "is not valid JSON (byte "+strconv.FormatInt(syntax.Offset, 10)+")")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return invalid("", "is not valid JSON: it does not end")
	}
	// A type's own UnmarshalJSON tends to repeat what it could not read.
	return invalid("", "has a field that cannot be read")
}

// holdsFree reports whether a struct with free fields can be reached from t without passing an interface.
func holdsFree(t reflect.Type) bool {
	return reach(&freeTypes, t, func(info *structInfo, _ reflect.Type) bool { return info != nil && info.free != nil })
}

// fillFree goes through the value that encoding/json has made, beside the JSON that it came from.
func fillFree(raw json.RawMessage, v reflect.Value, at string, failures *[]Failure) error {
	if !holdsFree(v.Type()) || string(bytes.TrimSpace(raw)) == "null" {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return fillFree(raw, v.Elem(), at, failures)
	case reflect.Slice, reflect.Array:
		var parts []json.RawMessage
		if err := json.Unmarshal(raw, &parts); err != nil {
			return decodeError(err)
		}
		for i := range min(len(parts), v.Len()) {
			if err := fillFree(parts[i], v.Index(i), at+"/"+strconv.Itoa(i), failures); err != nil {
				return err
			}
		}
	case reflect.Map:
		return fillFreeMap(raw, v, at, failures)
	case reflect.Struct:
		return fillFreeStruct(raw, v, at, failures)
	}
	return nil
}

func fillFreeMap(raw json.RawMessage, v reflect.Value, at string, failures *[]Failure) error {
	// The same type with raw values: so that encoding/json makes the same keys of it.
	parts := reflect.New(reflect.MapOf(v.Type().Key(), rawType))
	if err := json.Unmarshal(raw, parts.Interface()); err != nil {
		return decodeError(err)
	}
	for iter := parts.Elem().MapRange(); iter.Next(); {
		old := v.MapIndex(iter.Key())
		if !old.IsValid() {
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		value.Set(old)
		if err := fillFree(iter.Value().Bytes(), value, at+"/"+escapeToken(fmt.Sprint(iter.Key())), failures); err != nil {
			return err
		}
		v.SetMapIndex(iter.Key(), value)
	}
	return nil
}

func fillFreeStruct(raw json.RawMessage, v reflect.Value, at string, failures *[]Failure) error {
	info, err := infoOf(v.Type())
	if err != nil {
		return fmt.Errorf("schema: decode: %w", err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return decodeError(err)
	}
	var extra map[string]json.RawMessage
	for name, part := range parts {
		if i, known := info.byName[name]; known {
			inner, err := v.FieldByIndexErr(info.fields[i].index)
			if err != nil {
				continue // an embedded nil pointer: nothing of it was given
			}
			if err := fillFree(part, inner, at+"/"+escapeToken(name), failures); err != nil {
				return err
			}
			continue
		}
		if info.free == nil {
			continue
		}
		if bad := badFree(name, maps.Keys(info.byName)); bad != "" {
			*failures = append(*failures, Failure{at + "/" + escapeToken(name), bad})
			continue
		}
		if extra == nil {
			extra = map[string]json.RawMessage{}
		}
		extra[name] = bytes.Clone(part)
	}
	if info.free == nil {
		return nil
	}
	target, err := v.FieldByIndexErr(info.free)
	if err != nil {
		if extra == nil {
			return nil
		}
		return fmt.Errorf("schema: decode: the free field of %s is in an embedded pointer that is nil", v.Type())
	}
	target.Set(reflect.ValueOf(extra))
	return nil
}
