package schema

import (
	"reflect"
	"sync"
)

// Both remember what is a pure function of a type.
var freeTypes, secretTypes, anyTypes sync.Map

// reach reports whether is holds for t or for a type that is part of it. A type that is reached again while it is
// being looked at adds nothing; only the answer for the outermost type is remembered, since those inside of a circle
// are incomplete.
func reach(memo *sync.Map, t reflect.Type, is func(*structInfo, reflect.Type) bool) bool {
	if known, ok := memo.Load(t); ok {
		return known.(bool)
	}
	on := map[reflect.Type]bool{}
	var look func(t reflect.Type) bool
	look = func(t reflect.Type) bool {
		if on[t] {
			return false
		}
		on[t] = true
		var info *structInfo
		if t.Kind() == reflect.Struct {
			info, _ = infoOf(t) // a struct that cannot be read has nothing to find; For and Encode say why
		}
		if is(info, t) {
			return true
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			return look(t.Elem())
		case reflect.Struct:
			if info == nil {
				return false
			}
			for _, f := range info.fields {
				if look(f.sf.Type) {
					return true
				}
			}
		}
		return false
	}
	found := look(t)
	memo.Store(t, found)
	return found
}
