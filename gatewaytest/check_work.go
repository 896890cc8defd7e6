package gatewaytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	gateway "github.com/metagov/gateway-go"
)

func versioned(name string, version int) string { return fmt.Sprintf("%s@%d", name, version) }

// allowed says what is wrong with how an odd input was answered.
func allowed(in input, err error) error {
	switch {
	case in.refused && !errors.Is(err, gateway.Invalid):
		return fmt.Errorf("want invalid, got %v", err)
	case in.refused && len(paths(err)) == 0:
		return fmt.Errorf("the refusal does not say where: %w", err)
	case gateway.CodeOf(err) == gateway.Internal:
		return fmt.Errorf("want it done, or an error with a code that says whose fault it is: %w", err)
	}
	return nil
}

// short cuts an input for the test's output.
func short(raw []byte) string {
	if len(raw) > 300 {
		return fmt.Sprintf("%s… (%d bytes)", raw[:300], len(raw))
	}
	return string(raw)
}

// actions gives each action inputs that nobody thought of.
func (c *checked) actions(t TB) {
	t.Helper()
	r, _ := c.rig(t)
	inst := c.enable(t, r)
	for _, a := range c.m.Actions {
		name := versioned(a.Name, a.Version)
		for _, in := range oddInputs(a.Input) {
			_, err := inst.Do(t.Context(), name, in.raw)
			if err := allowed(in, err); err != nil {
				t.Errorf("action %s with %s, %s: %v", name, in.name, short(in.raw), err)
			}
		}
	}
	r.Due() // polls, and what the actions left to be done
}

// processes starts each process with inputs that nobody thought of, and ends those that run.
func (c *checked) processes(t TB) {
	t.Helper()
	r, _ := c.rig(t)
	inst := c.enable(t, r)
	for _, p := range c.m.Processes {
		name := versioned(p.Name, p.Version)
		if p.New != nil {
			if err := survives(p.New); err != nil {
				t.Errorf("process %s: %v", name, err)
			}
		}
		for i, in := range oddInputs(p.Input) {
			started, err := inst.Start(t.Context(), name, in.raw)
			if err := allowed(in, err); err != nil {
				t.Errorf("process %s with %s, %s: %v", name, in.name, short(in.raw), err)
			}
			if err == nil {
				c.end(t, r, p, started.ID, i%2 == 0)
			}
		}
	}
	r.Due()
}

// end asks a running process for its commands, closes it or calls it off, and expects that it is over then.
func (c *checked) end(t TB, r *Rig, p gateway.ProcessDef, id string, cancel bool) {
	t.Helper()
	town := r.Community("town")
	for _, d := range p.Commands {
		for _, in := range oddInputs(d.Input) {
			_, err := town.Command(t.Context(), id, d.Name, in.raw)
			if err := allowed(in, err); err != nil {
				t.Errorf("command %s of process %s with %s, %s: %v", d.Name, p.Name, in.name, short(in.raw), err)
			}
		}
	}
	end := town.Close
	if cancel {
		end = town.Cancel
	}
	if _, err := end(t.Context(), id); gateway.CodeOf(err) == gateway.Internal {
		t.Errorf("ending process %s: %v", p.Name, err)
	}
}

// survives checks that a state comes back from the store as it was. What does not would be lost at the next step, because each
// step gets its state from there.
func survives(fresh func() any) error {
	empty := fresh()
	if empty == nil || reflect.TypeOf(empty).Kind() != reflect.Pointer {
		return fmt.Errorf("its state is a %T, want a pointer", empty)
	}
	if name := hidden(reflect.TypeOf(empty).Elem(), map[reflect.Type]bool{}); name != "" {
		return fmt.Errorf("field %s of its state is not kept: nothing of it is there at the next step", name)
	}
	full := fresh()
	fill(reflect.ValueOf(full).Elem(), 0)
	for _, state := range []any{empty, full} {
		raw, err := json.Marshal(state)
		if err != nil {
			return fmt.Errorf("its state cannot be kept: %w", err)
		}
		back := fresh()
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(back); err != nil {
			return fmt.Errorf("its state %s cannot be read back: %w", short(raw), err)
		}
		if again, err := json.Marshal(back); err != nil || !bytes.Equal(raw, again) {
			return fmt.Errorf("its state comes back as %s, and was %s (%v)", short(again), short(raw), err)
		}
	}
	return nil
}

// hidden names a field that encoding/json passes over.
func hidden(t reflect.Type, seen map[reflect.Type]bool) string {
	if seen[t] || t == reflect.TypeFor[time.Time]() || writesItself(t) {
		return ""
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hidden(t.Elem(), seen)
	case reflect.Struct:
		for f := range fields(t) {
			if !f.IsExported() && !f.Anonymous || f.Tag.Get("json") == "-" && f.Tag.Get("gateway") != "free" {
				return t.Name() + "." + f.Name
			}
			if name := hidden(f.Type, seen); name != "" {
				return name
			}
		}
	}
	return ""
}

func fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

func writesItself(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]())
}

// fill puts something into everything that can hold it.
func fill(v reflect.Value, depth int) {
	if depth > 6 || !v.CanSet() {
		return
	}
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`{"a":1}`)))
		return
	}
	if writesItself(v.Type()) {
		return // what it takes is its own affair
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("a")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	}
}
