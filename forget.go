package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Forget names what a community does not want kept of events. An event that is not kept is heard by nobody: no callback, no hook, no later
// reader; ballots count all the same. What is left out of an event is in no copy of it. The delivery that brought either is blanked as soon as no
// task needs it any more: that it came is remembered, so that it counts once, but not what it said.
type Forget struct {
	Plugin string `json:"plugin,omitempty"` // the plugin's name; "": every plugin
	Type   string `json:"type"`             // of event; with "*" at the end every type that begins so
	// Fields are JSON pointers into the event's data, "*" for every element of a list, and "initiator" for who did it ([Event.Initiator]).
	// None: the whole event.
	Fields []string `json:"fields,omitempty"`
}

// fieldInitiator is the field of an event that can be left out beside its data. It is no JSON pointer.
const fieldInitiator = "initiator"

func (f Forget) check(path string) []FieldError {
	var bad []FieldError
	if f.Type == "" || strings.Contains(strings.TrimSuffix(f.Type, "*"), "*") {
		bad = append(bad, FieldError{path + "/type", "want a type of event, which may end in *"})
	}
	for i, p := range f.Fields {
		if p == fieldInitiator {
			continue
		}
		if !strings.HasPrefix(p, "/") || strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(p), "~") {
			bad = append(bad, FieldError{path + "/fields/" + strconv.Itoa(i), "want a JSON pointer such as /user/name, or " + fieldInitiator})
		}
	}
	return bad
}

func (f Forget) matches(plugin, typ string) bool {
	if f.Plugin != "" && f.Plugin != plugin {
		return false
	}
	prefix, wild := strings.CutSuffix(f.Type, "*")
	return f.Type == typ || wild && strings.HasPrefix(typ, prefix)
}

// forgets is what of one delivery, or of one event, is not to be kept.
type forgets struct {
	rules []Forget
	hit   bool // something was not kept: the delivery must not say it either
}

// forgetsOf reads what a community does not want kept of a plugin's events.
func (g *Gateway) forgetsOf(tx store.Tx, community, plugin string) (*forgets, error) {
	s, err := settingsOf(tx, community)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	f := &forgets{}
	for _, r := range s.Forget {
		if r.Plugin == "" || r.Plugin == plugin {
			f.rules = append(f.rules, r)
			f.hit = f.hit || r.Type == "*" && len(r.Fields) == 0 // also of what brings no event at all
		}
	}
	return f, nil
}

// apply takes out of an event what is not to be kept, and says whether something is.
func (f *forgets) apply(e *store.Event) (kept bool, err error) {
	var fields []string
	for _, r := range f.rules {
		if r.matches(e.Plugin, e.Type) {
			f.hit = true
			if len(r.Fields) == 0 {
				return false, nil
			}
			for _, p := range r.Fields {
				if p == fieldInitiator {
					e.Actor = ""
				} else {
					fields = append(fields, p)
				}
			}
		}
	}
	if len(fields) > 0 {
		e.Data, err = without(e.Data, fields)
	}
	return true, err
}

// emit appends an event, as far as its community wants it kept.
func (g *Gateway) emit(tx store.Tx, s scope, e store.Event) (fresh bool, err error) {
	f := s.forgets
	if f == nil {
		if f, err = g.forgetsOf(tx, e.Community, e.Plugin); err != nil {
			return false, err
		}
	}
	kept, err := f.apply(&e)
	if err != nil {
		return false, err
	}
	if f.hit && s.forgets == nil && s.delivery != "" {
		if err := g.blank(tx, s.delivery); err != nil {
			return false, err
		}
	}
	if !kept {
		return false, nil
	}
	_, fresh, err = tx.Append(e)
	return fresh, err
}

// blank has a delivery forget what it says: now, or when no task needs it any more.
func (g *Gateway) blank(tx store.Tx, delivery string) error {
	needed, err := tx.Tasks(store.TaskQuery{Ref: delivery}, "", "", 1)
	if err != nil {
		return err
	}
	if len(needed) == 0 {
		return tx.BlankDelivery(delivery)
	}
	return tx.Schedule(store.Task{Kind: taskForget, Key: delivery, Due: g.now().Add(time.Second), Created: g.now()})
}

// forgetLater blanks a delivery that was needed before. While it still is, because it waits for something, it looks again after ever longer
// pauses, up to an hour.
func (g *Gateway) forgetLater(ctx context.Context, t store.Task) error {
	blanked := false
	err := g.store.Update(ctx, func(tx store.Tx) error {
		needed, err := tx.Tasks(store.TaskQuery{Ref: t.Key}, "", "", 1)
		if blanked = err == nil && len(needed) == 0; !blanked {
			return err
		}
		return tx.BlankDelivery(t.Key)
	})
	if err != nil {
		return storeError(err, "blanking delivery %s", t.Key)
	}
	if !blanked {
		return &nextRun{min(max(g.now().Sub(t.Created)/4, time.Second), time.Hour)}
	}
	return nil
}

// without removes fields from JSON. An element of a list is made null, so that the others stay where they are.
func without(data json.RawMessage, pointers []string) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // an ID of 64 bits must not be rounded
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, Errorf(Internal, "decoding an event's data: %w", err)
	}
	for _, p := range pointers {
		keys := strings.Split(p[1:], "/")
		for i, k := range keys {
			keys[i] = strings.ReplaceAll(strings.ReplaceAll(k, "~1", "/"), "~0", "~")
		}
		remove(v, keys)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, Errorf(Internal, "encoding an event's data: %w", err)
	}
	return out, nil
}

func remove(v any, keys []string) {
	last := len(keys) == 1
	switch v := v.(type) {
	case map[string]any:
		if last {
			delete(v, keys[0])
		} else if next, ok := v[keys[0]]; ok {
			remove(next, keys[1:])
		}
	case []any:
		for i := range v {
			if keys[0] != "*" && keys[0] != strconv.Itoa(i) {
				continue
			}
			if last {
				v[i] = nil
			} else {
				remove(v[i], keys[1:])
			}
		}
	}
}
