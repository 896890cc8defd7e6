package gateway

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Event is something that happened on a platform, as drivers hear of it.
type Event struct {
	Seq       int64           `json:"seq"`                 // its place in the gateway's log: the order of commits, without gaps
	ID        string          `json:"id,omitempty"`        // the platform's name for it, "" where it gives none
	Instance  string          `json:"instance"`            // the instance's ID
	Plugin    string          `json:"plugin"`              // the plugin's name
	Type      string          `json:"type"`                // the platform's own name for what happened
	Initiator string          `json:"initiator,omitempty"` // platform ID of the account that did it, "" where nobody did or it is not known
	Bot       bool            `json:"bot,omitempty"`       // our own account did it
	Cause     string          `json:"cause,omitempty"`     // the call of ours whose effect this is
	Delivery  string          `json:"delivery,omitempty"`  // the delivery that brought it
	Data      json.RawMessage `json:"data"`                // what the platform sent
	At        time.Time       `json:"at"`                  // the platform's time, or when we heard
}

// Meta is what an event is beside its data.
type Meta struct {
	ID        string    // the platform's name for this happening: an event with the same (instance, type, ID) is kept once. "" is never the same
	Initiator string    // who did it, as the platform names accounts
	Bot       bool      // our own account did it
	At        time.Time // zero: now
}

// EventType is a declared type of event with its data. It is a [Feature].
type EventType[T Owner, D any] struct {
	typ, doc string
}

// NewEvent declares a type of event.
func NewEvent[T Owner, D any](typ, doc string) *EventType[T, D] {
	return &EventType[T, D]{typ, doc}
}

func (e *EventType[T, D]) feature(_ T, b *builder) {
	b.m.Events = append(b.m.Events, EventDef{Type: e.typ, Doc: e.doc, Data: b.schema(reflect.TypeFor[D](), "data of event "+e.typ)})
}

// Emit appends an event to the log; see [Instance.Emit].
func (e *EventType[T, D]) Emit(ctx context.Context, self T, m Meta, data D) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return Errorf(Internal, "encoding event %s: %w", e.typ, err)
	}
	return self.instance().Emit(ctx, e.typ, m, raw)
}

// Emit appends an event of any type to the log: what a platform sends is passed on even where nobody declared it. Within a
// delivery's Receive the event is part of the transaction that accepts the delivery; otherwise Emit returns after it is durable. An event whose
// (instance, type, ID) is known does nothing, nor does one that the community does not want kept (see [Settings]).
func (i *Instance) Emit(ctx context.Context, typ string, m Meta, data json.RawMessage) error {
	_, err := i.emit(ctx, typ, m, data)
	return err
}

// emit is Emit, and says whether the event was news.
func (i *Instance) emit(ctx context.Context, typ string, m Meta, data json.RawMessage) (fresh bool, err error) {
	if m.At.IsZero() {
		m.At = i.Now()
	}
	if data == nil {
		data = json.RawMessage(`{}`)
	}
	if !json.Valid(data) {
		return false, Errorf(Internal, "event %s: its data is not JSON", typ)
	}
	s := scopeOf(ctx)
	e := store.Event{
		ID: m.ID, Community: i.row.Community, Instance: i.row.ID, Plugin: i.row.Plugin, Type: typ,
		Actor: m.Initiator, Bot: m.Bot || s.cause != "", Data: data, Delivery: s.delivery, Cause: s.cause, At: m.At,
	}
	err = i.g.update(ctx, func(tx store.Tx) error { fresh, err = i.g.emit(tx, s, e); return err })
	i.g.sight.event(ctx, i.row.Plugin, err)
	if err == nil && fresh {
		i.g.vitals.note(i.row.ID, vital{Event: i.Now()})
	}
	return fresh, storeError(err, "appending event %s", typ)
}

// eventOf is a row as drivers see it.
func eventOf(e store.Event) Event {
	return Event{
		Seq: e.Seq, ID: e.ID, Instance: e.Instance, Plugin: e.Plugin, Type: e.Type, Initiator: e.Actor, Bot: e.Bot,
		Cause: e.Cause, Delivery: e.Delivery, Data: e.Data, At: e.At,
	}
}

// Events lists up to limit events of the community, those after the given number, oldest first. Without types it lists all.
func (c *Community) Events(ctx context.Context, after int64, limit int, types ...string) ([]Event, error) {
	var out []Event
	err := c.g.view(ctx, func(tx store.Tx) error {
		rows, err := tx.Events(store.EventQuery{After: after, Community: c.row.Slug, Types: types}, limit)
		out = make([]Event, 0, len(rows))
		for _, row := range rows {
			if row.Process == "" {
				out = append(out, eventOf(row))
			}
		}
		return err
	})
	return out, storeError(err, "listing events of %s", c.row.Slug)
}
