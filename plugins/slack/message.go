package slack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	gateway "github.com/metagov/gateway-go"
)

// message is one delivery of Slack's, read as far as the gateway needs it. Its kind is told by the body alone, which is what
// the signature covers: JSON is the Events API or (by socket) an interaction or command, a form is an interaction or a command.
type message struct {
	typ   string // the event's type as drivers hear it; "" for what is for no community
	id    string // of the fact
	teams []string
	user  string // who did it
	bot   string // the bot ID, where a bot did it
	at    time.Time
	data  json.RawMessage // of the event; nil of a click on a process's message

	channel, ts string   // the message that it is about
	posted      bool     // the message was posted just now
	echo, by    string   // the name of an act that may be ours, and who did it, see [echoOf]
	deleted     bool     // the message was deleted
	actions     []action // of a block_actions
	process     string   // the process whose message it is, by the block's ID
	thread      string   // the thread that the message is in
	responseURL string   // where an answer can be posted; not to be believed

	challenge string // of url_verification
	check     bool   // ssl_check
}

// action is one button or menu that was used.
type action struct {
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`
	ActionTS string `json:"action_ts"`

	Selected *picked  `json:"selected_option"`  // of a menu
	Several  []picked `json:"selected_options"` // of a menu of several
}

// picked is what was chosen from a menu.
type picked struct {
	Value string `json:"value"`
}

// maxDepth is how deeply a body may be nested. Slack's deepest, rich text in lists in quotes, stays below twenty.
const maxDepth = 100

// parse reads a delivery. Kinds that nobody knew pass.
func parse(d *gateway.Delivery) (*message, error) {
	body := bytes.TrimSpace(d.Body)
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not UTF-8")
	}
	if len(body) > 0 && body[0] != '{' && body[0] != '[' && body[0] != '"' {
		return parseForm(body)
	}
	return parseJSON(body)
}

func parseForm(body []byte) (*message, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("the body is neither JSON nor a form: %w", err)
	}
	switch {
	case form.Has("payload"):
		payload := strings.TrimSpace(form.Get("payload"))
		if !utf8.ValidString(payload) {
			return nil, errors.New("the payload is not UTF-8")
		}
		return parseJSON([]byte(payload))
	case form.Get("ssl_check") == "1":
		return &message{check: true}, nil
	case form.Has("command"):
		fields := make(map[string]json.RawMessage, len(form))
		for k := range form {
			raw, err := json.Marshal(form.Get(k))
			if err != nil {
				return nil, fmt.Errorf("form field %q: %w", k, err)
			}
			fields[k] = raw
		}
		return parseCommand(fields)
	}
	return nil, errors.New("the form is no interaction and no command")
}

// parseJSON reads an envelope of the Events API, an interaction, or a command that came by a socket.
func parseJSON(body []byte) (*message, error) {
	if err := shallow(body); err != nil {
		return nil, err
	}
	type kind struct {
		Type      string `json:"type"`
		Command   string `json:"command"`
		Challenge string `json:"challenge"`
	}
	// Everything is read at once, because nearly all are one or the other: reading again is most of what a delivery costs here.
	var head struct {
		kind
		envelope
		interaction[thing, action]
	}
	whole := json.Unmarshal(body, &head) == nil
	if !whole { // what is no event may use an envelope's names for something else, and what is one those of interactions
		var event struct {
			kind
			envelope
		}
		err := json.Unmarshal(body, &event)
		if err != nil && (json.Unmarshal(body, &event.kind) != nil || event.Type == "event_callback") {
			return nil, fmt.Errorf("reading the body: %w", err)
		}
		head.kind, head.envelope = event.kind, event.envelope
	}
	switch head.Type {
	case "url_verification":
		return &message{challenge: head.Challenge}, nil
	case "event_callback":
		return parseEvent(body, &head.envelope)
	case "block_actions":
		if whole {
			if m := head.message(head.Type, body, head.Actions); m.process != "" {
				return m, nil // a click on a vote is no event, and needs no data
			}
		}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	switch {
	case fields == nil:
		return nil, errors.New("the body is null")
	case head.Type == "" && head.Command != "":
		return parseCommand(fields)
	case head.Type == "":
		return nil, errors.New("the body has no type")
	case head.Type == "app_rate_limited":
		return parseRateLimited(body, fields)
	}
	var p interaction[object, json.RawMessage]
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("reading %s: %w", head.Type, err)
	}
	var actions []action
	if head.Type == "block_actions" {
		actions = make([]action, len(p.Actions))
		for i, raw := range p.Actions {
			if err := json.Unmarshal(raw, &actions[i]); err != nil {
				return nil, fmt.Errorf("reading an action: %w", err)
			}
		}
	}
	m := p.message(head.Type, body, actions)
	var err error
	m.data, err = without(fields, "type", "token")
	return m, err
}

func parseRateLimited(body []byte, fields map[string]json.RawMessage) (*message, error) {
	var e struct {
		TeamID string `json:"team_id"`
		Minute int64  `json:"minute_rate_limited"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("reading app_rate_limited: %w", err)
	}
	data, err := without(fields, "type", "token")
	return &message{typ: "app_rate_limited", id: fmt.Sprintf("app_rate_limited:%s:%d", e.TeamID, e.Minute), teams: list(e.TeamID), at: seconds(e.Minute), data: data}, err
}

func parseCommand(fields map[string]json.RawMessage) (*message, error) {
	var c struct {
		TeamID       string `json:"team_id"`
		EnterpriseID string `json:"enterprise_id"`
		Org          any    `json:"is_enterprise_install"` // text in forms, perhaps a boolean elsewhere
		UserID       string `json:"user_id"`
		ChannelID    string `json:"channel_id"`
		TriggerID    string `json:"trigger_id"`
		ResponseURL  string `json:"response_url"`
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("reading a command: %w", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("reading a command: %w", err)
	}
	data, err := without(fields, "token")
	if err != nil {
		return nil, err
	}
	m := &message{typ: "slash_command", user: c.UserID, channel: c.ChannelID, responseURL: c.ResponseURL, data: data, teams: list(c.TeamID)}
	if fmt.Sprint(c.Org) == "true" && c.EnterpriseID != "" {
		m.teams = list(c.EnterpriseID)
	}
	m.id = fact("command", c.TeamID, c.UserID, c.TriggerID)
	if c.TriggerID == "" {
		m.id = digest(raw)
	}
	return m, nil
}

// interaction is what all payloads of interactivity may have, with people and places of one kind and actions of another: the strict ones
// are what Slack documents and are quicker to read.
type interaction[O interface{ id() string }, A any] struct {
	Team       O    `json:"team"`
	Enterprise O    `json:"enterprise"`
	Org        bool `json:"is_enterprise_install"`
	User       O    `json:"user"`
	Channel    O    `json:"channel"`
	Message    struct {
		TS string `json:"ts"`
	} `json:"message"`
	MessageTS string `json:"message_ts"`
	Container struct {
		ChannelID string `json:"channel_id"`
		MessageTS string `json:"message_ts"`
		ThreadTS  string `json:"thread_ts"`
	} `json:"container"`
	Actions     []A    `json:"actions"`
	TriggerID   string `json:"trigger_id"`
	ActionTS    string `json:"action_ts"`
	ResponseURL string `json:"response_url"`
	View        struct {
		ID            string `json:"id"`
		Hash          string `json:"hash"`
		InstalledTeam string `json:"app_installed_team_id"`
	} `json:"view"`
}

// object is something of Slack's that is given by its ID alone or as a whole.
type object struct {
	ID   string
	Name string // where it is given as a whole
}

// UnmarshalJSON takes both forms; what is neither has no ID.
func (o *object) UnmarshalJSON(b []byte) error {
	var whole struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	switch {
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, &o.ID)
	case json.Unmarshal(b, &whole) == nil:
		o.ID, o.Name = whole.ID, whole.Name
	}
	return nil
}

// thing is something of Slack's that is given as a whole.
type thing struct {
	ID string `json:"id"`
}

func (t thing) id() string  { return t.ID }
func (o object) id() string { return o.ID }

// message is what an interaction says; actions are those of a block_actions.
func (p *interaction[O, A]) message(typ string, body []byte, actions []action) *message {
	m := &message{
		typ: typ, user: p.User.id(), channel: first(p.Container.ChannelID, p.Channel.id()), ts: first(p.Container.MessageTS, p.Message.TS, p.MessageTS),
		thread: p.Container.ThreadTS, responseURL: p.ResponseURL,
	}
	team, org := p.Team.id(), p.Enterprise.id()
	if p.Org || team == "" {
		team = first(org, team)
	}
	m.teams = list(first(p.View.InstalledTeam, team)) // a view can be submitted by somebody of another workspace
	for _, a := range actions {
		m.actions = append(m.actions, a)
		m.process = first(m.process, processOf(a.BlockID))
		p.ActionTS = first(p.ActionTS, a.ActionTS)
	}
	m.at = timestamp(p.ActionTS)
	switch {
	case p.TriggerID != "":
		// Slack repeats it when it repeats the delivery. Two people never share one.
		m.id = fact(typ, team, m.user, p.TriggerID)
	default:
		m.id = digest(body)
	}
	return m
}

// without encodes fields without some of them, by name. The values were read from JSON and are JSON. The legacy verification token is a
// secret and never passed on.
func without(fields map[string]json.RawMessage, names ...string) (json.RawMessage, error) {
	out := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(names, name) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, fmt.Errorf("encoding the data: %w", err)
		}
		out = append(append(append(out, key...), ':'), fields[name]...)
	}
	return append(out, '}'), nil
}

// shallow refuses JSON that is nested beyond maxDepth before anything recursive reads it.
func shallow(body []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("the body is nested more than %d deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// fact names something that happened, by what Slack says of it.
func fact(kind string, parts ...string) string { return kind + ":" + strings.Join(parts, ":") }

// digest names something that Slack gives no name: by all that it says.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "body:" + hex.EncodeToString(sum[:])
}

// timestamp reads Slack's times: seconds with six decimals, which are also the names of messages. The zero time if it is none.
func timestamp(s string) time.Time {
	sec, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 || len(frac) > 9 {
		return time.Time{}
	}
	f, err := strconv.ParseUint("0"+frac, 10, 32)
	if err != nil {
		return time.Time{}
	}
	for range 9 - len(frac) {
		f *= 10
	}
	return time.Unix(n, int64(f)).UTC()
}

func seconds(n int64) time.Time {
	if n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

func list(items ...string) []string {
	var out []string
	for _, s := range items {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
