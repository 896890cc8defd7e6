package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Discord tells what was done to members, roles and channels without saying who did it. That stands in the audit log, whose entries come as events of
// their own, before or after. Both become one event: of the type that tells what was done, with the entry's ID, actor and reason. It is made when the
// entry comes; the other delivery only adds its data, or is passed over. Where no entry comes within patience the audit log is
// asked once, and without one the event has no initiator: people leave, and change their own names, without an entry.

const (
	// patience is how long an entry is waited for.
	patience = 10 * time.Second
	// nearby is how far from a delivery an entry may be that is asked for, and remembered how long it is known which there were: longer, so that none is
	// taken for new.
	nearby     = 2 * time.Minute
	remembered = 2*nearby + time.Minute
	// maxJoins bounds what is remembered for one guild.
	maxJoins = 100
	// maxJoinData bounds the data of a delivery that is added to an entry.
	maxJoinData = 4 << 10
)

// The types of entries that tell of the same as an event (https://docs.discord.com/developers/resources/audit-log#audit-log-entry-object-audit-log-events,
// checked 2026-11).
var actorOf = map[string][]int{
	"GUILD_BAN_ADD": {22}, "GUILD_BAN_REMOVE": {23}, "GUILD_MEMBER_REMOVE": {20}, "GUILD_MEMBER_UPDATE": {24, 25},
	"CHANNEL_CREATE": {10}, "CHANNEL_UPDATE": {11, 13, 14, 15}, "CHANNEL_DELETE": {12}, "THREAD_UPDATE": {111}, "THREAD_DELETE": {112},
	"GUILD_ROLE_CREATE": {30}, "GUILD_ROLE_UPDATE": {31}, "GUILD_ROLE_DELETE": {32}, "GUILD_UPDATE": {1},
}

// typeOf is the other way round.
var typeOf = func() map[int]string {
	out := map[int]string{}
	for t, kinds := range actorOf {
		for _, k := range kinds {
			out[k] = t
		}
	}
	return out
}()

// asked are the events for which the audit log is read where no entry came. The others mostly have none.
var asked = []string{"GUILD_BAN_ADD", "GUILD_BAN_REMOVE", "GUILD_MEMBER_REMOVE", "CHANNEL_CREATE", "CHANNEL_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_DELETE"}

const banAction = 22

// entry is one of the audit log, as far as it is read.
type entry struct {
	ID         string `json:"id"`
	ActionType int    `json:"action_type"`
	TargetID   string `json:"target_id"`
	UserID     string `json:"user_id"`

	raw json.RawMessage
}

func parseEntry(raw []byte) (*entry, error) {
	e := &entry{raw: raw}
	var v struct {
		ID     text   `json:"id"`
		Action number `json:"action_type"`
		Target text   `json:"target_id"`
		User   text   `json:"user_id"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("reading an entry of the audit log: %w", err)
	}
	if v.ID == "" {
		return nil, errors.New("an entry of the audit log has no ID")
	}
	e.ID, e.ActionType, e.TargetID, e.UserID = string(v.ID), int(v.Action), string(v.Target), string(v.User)
	return e, nil
}

// at is when it was made, which is long ago where a repair has found it; now, where its ID does not say it.
func (e *entry) at(now time.Time) time.Time {
	if at := snowflakeTime(e.ID); !at.IsZero() {
		return at
	}
	return now
}

// auditRef is the name under which what we do and the entry of it meet.
func auditRef(action int, target string) string { return auditPrefix + itoa(action) + ":" + target }

const auditPrefix = "audit:"

// mayHaveActor says that the audit log may say who did it.
func (m *message) mayHaveActor() bool { return actorOf[m.typ] != nil && m.target() != "" }

// target is whom or what an event is about, as the audit log names it.
func (m *message) target() string {
	var a about
	if m.entry != nil || json.Unmarshal(m.data, &a) != nil {
		return ""
	}
	switch m.typ {
	case "GUILD_BAN_ADD", "GUILD_BAN_REMOVE", "GUILD_MEMBER_REMOVE", "GUILD_MEMBER_UPDATE":
		return string(a.User.ID)
	case "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE":
		return string(a.Role.ID)
	case "GUILD_ROLE_DELETE":
		return string(a.RoleID)
	}
	return string(a.ID)
}

// joined is one entry or delivery that may find the other.
type joined struct {
	Action int             `json:"action,omitempty"` // of an entry
	Type   string          `json:"type,omitempty"`   // of a delivery
	Target string          `json:"target"`
	Entry  string          `json:"entry,omitempty"` // the entry's ID
	User   string          `json:"user,omitempty"`  // who did it
	Fact   string          `json:"fact,omitempty"`  // the delivery's name, also of an entry that has found it
	Data   json.RawMessage `json:"data,omitempty"`
	Own    string          `json:"own,omitempty"` // of neither: the name of what the bot did, see [auditRef]
	At     time.Time       `json:"at"`
}

// joins is what is remembered, oldest first.
var joins gateway.Key[[]joined] = "joins"

// fresh drops what is too old or too much.
func fresh(list []joined, now time.Time) []joined {
	list = slices.DeleteFunc(slices.Clone(list), func(j joined) bool { return now.Sub(j.At) > remembered })
	return list[max(0, len(list)-maxJoins+1):]
}

// receiveEntry makes the event of an entry: that of what was done, or, where no other delivery tells of it, one of the entry itself.
func (d *Discord) receiveEntry(ctx context.Context, m *message) error {
	e := m.entry
	typ, ok := typeOf[e.ActionType]
	if !ok {
		return d.Emit(ctx, m.typ, gateway.Meta{ID: e.ID, Initiator: e.UserID, Bot: d.ours(e.UserID), At: m.at}, m.data)
	}
	data := json.RawMessage(nil)
	_, err := joins.Update(ctx, d, func(list []joined) ([]joined, error) {
		list, data = fresh(list, d.Now()), nil
		own := joined{Action: e.ActionType, Target: e.TargetID, Entry: e.ID, User: e.UserID, At: e.at(d.Now())}
		i := slices.IndexFunc(list, func(j joined) bool {
			return j.Type == typ && j.Target == e.TargetID && j.At.Sub(own.At).Abs() <= nearby
		})
		if i >= 0 {
			own.Fact, data = list[i].Fact, list[i].Data
			list = slices.Delete(list, i, i+1)
		}
		return append(list, own), nil
	})
	if err != nil {
		return err
	}
	if data, err = d.withEntry(data, typ, e); err != nil {
		return err
	}
	return d.Emit(ctx, typ, gateway.Meta{ID: e.ID, Initiator: e.UserID, Bot: d.ours(e.UserID), At: m.at}, data)
}

// withEntry puts an entry into the data of what it tells of, or makes data of what the entry knows.
func (d *Discord) withEntry(data json.RawMessage, typ string, e *entry) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	put := func(name string, v any) {
		if raw, err := json.Marshal(v); err == nil { // text
			fields[name] = raw
		}
	}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &fields); err != nil {
			return nil, gateway.Errorf(gateway.Internal, "decoding what the audit log tells of: %w", err)
		}
	} else {
		put("guild_id", d.config.GuildID)
		switch (&message{typ: typ, data: json.RawMessage(`{"user":{"id":"u"},"role":{"id":"r"},"role_id":"i","id":"o"}`)}).target() {
		case "u":
			put("user", map[string]string{"id": e.TargetID})
		case "r":
			put("role", map[string]string{"id": e.TargetID})
		case "i":
			put("role_id", e.TargetID)
		default:
			put("id", e.TargetID)
		}
	}
	fields["audit_log_entry"] = e.raw
	out, err := json.Marshal(fields)
	if err != nil {
		return nil, gateway.Errorf(gateway.Internal, "encoding what the audit log tells of: %w", err)
	}
	return out, nil
}

// await takes a delivery whose event the audit log's entry has made already, or remembers it for the entry that is to come.
func (d *Discord) await(ctx context.Context, m *message) error {
	target := m.target()
	_, err := joins.Update(ctx, d, func(list []joined) ([]joined, error) {
		list = fresh(list, d.Now())
		found := false
		for i := range list { // one act may have several entries: a member's name and roles, several overwrites of a channel
			if list[i].tells(m.typ, target) && list[i].At.Sub(m.received).Abs() <= patience {
				list[i].Fact, found = m.fact, true
			}
		}
		if found {
			return list, nil
		}
		own := joined{Type: m.typ, Target: target, Fact: m.fact, At: d.Now()}
		if len(m.data) <= maxJoinData {
			own.Data = m.data
		}
		return append(list, own), nil
	})
	return err
}

// tells says that an entry tells of such an event, and has found no other.
func (j joined) tells(typ, target string) bool {
	return j.Entry != "" && j.Fact == "" && j.Target == target && slices.Contains(actorOf[typ], j.Action)
}

// askWho waits for the entry of a delivery, and asks for it where it does not come. It runs as a durable task after the delivery was kept.
func (d *Discord) askWho(ctx context.Context, m *message) error {
	list, err := joins.Get(ctx, d)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(j joined) bool { return j.Entry != "" && j.Fact == m.fact }) {
		return nil // its event is made
	}
	if left := patience - d.Now().Sub(m.received); left > 0 {
		return gateway.Later(left) // the audit log may still say it
	}
	target := m.target()
	if m.typ == "GUILD_MEMBER_REMOVE" { // who is banned leaves by it
		asking := slices.ContainsFunc(list, func(j joined) bool { return j.Type == "GUILD_BAN_ADD" && j.Target == target })
		if asking && d.Now().Sub(m.received) < 3*patience {
			return gateway.Later(time.Second) // what is found out about the ban holds for this too
		}
		i := slices.IndexFunc(list, func(j joined) bool { return j.Action == banAction && j.Target == target })
		if i >= 0 {
			m.user = list[i].User
			return d.settle(ctx, m)
		}
		if slices.ContainsFunc(list, func(j joined) bool { return j.Own == auditRef(banAction, target) }) {
			m.user = d.config.BotUserID
			return d.settle(ctx, m)
		}
	}
	if !slices.Contains(asked, m.typ) {
		return d.settle(ctx, m)
	}
	found, err := d.lookWho(ctx, m, list)
	switch {
	case err != nil && !final(err):
		return err
	case err != nil:
		d.Log.WarnContext(ctx, "who did something is not known: the audit log cannot be read", "event", m.typ, "error", err)
	case found != nil:
		return d.acceptEntry(ctx, found)
	}
	return d.settle(ctx, m)
}

// did notes what the bot has done, for where the audit log cannot be read: a policy that took that for somebody else's act would answer itself.
func (d *Discord) did(ctx context.Context, echoes []string) {
	_, err := joins.Update(ctx, d, func(list []joined) ([]joined, error) {
		for _, e := range echoes {
			if strings.HasPrefix(e, auditPrefix) {
				list = append(fresh(list, d.Now()), joined{Own: e, At: d.Now()})
			}
		}
		return list, nil
	})
	if err != nil {
		d.Log.WarnContext(ctx, "what the bot did could not be noted", "error", err)
	}
}

// settle makes the event of a delivery that no entry tells of.
func (d *Discord) settle(ctx context.Context, m *message) error {
	list, err := joins.Get(ctx, d)
	if err != nil {
		return err
	}
	for _, action := range actorOf[m.typ] {
		own := auditRef(action, m.target())
		if m.user == "" && slices.ContainsFunc(list, func(j joined) bool { return j.Own == own }) {
			m.user = d.config.BotUserID
		}
	}
	if err := d.emit(ctx, m); err != nil {
		return err
	}
	_, err = joins.Update(ctx, d, func(list []joined) ([]joined, error) {
		return slices.DeleteFunc(fresh(list, d.Now()), func(j joined) bool { return j.Type == m.typ && j.Fact == m.fact }), nil
	})
	return err
}

// lookWho asks the audit log once for the last entry about a target. One of a kick that is in the list has its event: this is another leave, of
// somebody who was kicked and came back.
func (d *Discord) lookWho(ctx context.Context, m *message, list []joined) (json.RawMessage, error) {
	q := url.Values{"action_type": {itoa(actorOf[m.typ][0])}, "limit": {"50"}}
	var out auditPage
	if err := d.call(ctx, call{path: path("guilds", d.config.GuildID, "audit-logs"), query: q, needs: "VIEW_AUDIT_LOG"}, &out); err != nil {
		return nil, err
	}
	for _, raw := range out.Entries { // newest first
		e, err := parseEntry(raw)
		if err != nil || e.TargetID != m.target() || snowflakeTime(e.ID).Sub(m.received).Abs() > nearby {
			continue
		}
		known := slices.ContainsFunc(list, func(j joined) bool { return j.Entry == e.ID })
		if !known || m.typ != "GUILD_MEMBER_REMOVE" { // nothing else is done without an entry: it was told of twice
			return raw, nil
		}
	}
	return nil, nil
}

type auditPage struct {
	Entries []json.RawMessage `json:"audit_log_entries"`
}

// acceptEntry hands over an entry as if the Gateway had brought it; a known one counts once.
func (d *Discord) acceptEntry(ctx context.Context, raw json.RawMessage) error {
	return d.acceptDispatch(ctx, "GUILD_AUDIT_LOG_ENTRY_CREATE", raw)
}

// acceptDispatch hands over an event that was found by asking.
func (d *Discord) acceptDispatch(ctx context.Context, typ string, data json.RawMessage) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return gateway.Errorf(gateway.Unavailable, "discord: reading what may have been missed: %w", err)
	}
	fields["guild_id"] = json.RawMessage(`"` + d.config.GuildID + `"`)
	raw, err := json.Marshal(fields)
	if err == nil {
		raw, err = json.Marshal(dispatch{Type: typ, Data: raw})
	}
	if err != nil {
		return gateway.Errorf(gateway.Internal, "encoding what may have been missed: %w", err)
	}
	return d.Accept(ctx, nil, raw)
}
