package discourse

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// fields are what somebody has entered into a forum's own fields of accounts, by the fields' IDs. Values are texts, lists of them, or null.
type fields map[string]json.RawMessage

// FieldsChanged is the data of the event user_fields_changed.
type FieldsChanged struct {
	UserID   int64          `json:"user_id" jsonschema_description:"Whose fields they are."`
	Username string         `json:"username" jsonschema_description:"Their name."`
	Known    bool           `json:"known" jsonschema_description:"Whether it is known what the fields were before. Otherwise this is the first that was heard of them: old is empty, and what is new may be as it was."`
	Old      map[string]any `json:"old_values" jsonschema_description:"What the fields were, by their IDs; only those that changed."`
	New      map[string]any `json:"new_values" jsonschema_description:"What they are now."`
}

// heard is what was heard last of an account's fields. Nil fields: nothing.
type heard struct {
	Fields fields    `json:"fields"`
	Seen   time.Time `json:"seen,omitzero"` // when the forum had last seen the account then
}

// older says that something was said before what is known: a delivery that failed comes again, or is fetched, after newer ones. Deliveries have no time
// of their own; when the account was last seen tells them apart where its own person changed something.
func (h heard) older(known heard) bool { return !h.Seen.IsZero() && h.Seen.Before(known.Seen) }

// knownFields is what is known of one account's fields.
func knownFields(user int64) gateway.Key[heard] {
	return gateway.Key[heard]("fields/" + strconv.FormatInt(user, 10))
}

const fieldsChanged = "user_fields_changed"

var fieldsEvent = gateway.NewEvent[*Discourse, FieldsChanged](fieldsChanged, "Somebody's user fields changed. It is made from user_updated, by comparing with what was heard of the account before: nobody's fields are read when the plugin is enabled.")

// receiveFields compares an account's fields with what is known of them, and keeps them. Any event of an account brings them; the accounts of others are
// never read.
func (d *Discourse) receiveFields(ctx context.Context, m *message) error {
	user := m.about.ID.v
	if user == 0 || !strings.HasPrefix(m.event, "user_") {
		return nil
	}
	switch m.event {
	case "user_destroyed", "user_anonymized": // what they had entered is not ours to keep
		return d.forgetFields(ctx, user)
	}
	now := heard{m.about.Fields.v, m.about.Seen.v}
	if now.Fields == nil {
		return nil
	}
	var old heard
	_, err := knownFields(user).Update(ctx, d, func(v heard) (heard, error) {
		if old = v; now.older(v) {
			return v, nil
		}
		return heard{now.Fields, later(now.Seen, v.Seen)}, nil
	})
	if err != nil || m.event != "user_updated" || now.older(old) {
		return err
	}
	e := changes(old.Fields, now.Fields)
	if len(e.New) == 0 {
		return nil
	}
	e.UserID, e.Username = user, m.about.Username.v
	return fieldsEvent.Emit(ctx, d, gateway.Meta{ID: fieldsChanged + ":" + m.id}, e)
}

// forgetFields forgets what is known of an account's fields, if anything is.
func (d *Discourse) forgetFields(ctx context.Context, user int64) error {
	k := knownFields(user)
	if v, err := k.Get(ctx, d); err != nil || v.Fields == nil {
		return err
	}
	return k.Put(ctx, d, heard{})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// changes are the fields that differ. Of an account of which nothing is known, all that are not empty.
func changes(old, now fields) FieldsChanged {
	e := FieldsChanged{Known: old != nil, Old: map[string]any{}, New: map[string]any{}}
	ids := slices.Collect(maps.Keys(now))
	ids = slices.AppendSeq(ids, maps.Keys(old))
	for _, id := range ids {
		was, is := value(old[id]), value(now[id])
		if string(was) == string(is) {
			continue
		}
		e.New[id] = is
		if e.Known {
			e.Old[id] = was
		}
	}
	return e
}

// value is a field's value in one way of writing; there are several for none.
func value(raw json.RawMessage) json.RawMessage {
	var v any
	if json.Unmarshal(raw, &v) != nil || v == nil || v == "" {
		return json.RawMessage("null")
	}
	out, _ := json.Marshal(v) // as it was read
	return out
}
