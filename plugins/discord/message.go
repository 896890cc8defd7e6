package discord

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	gateway "github.com/metagov/gateway-go"
)

// message is one delivery of Discord's, read as far as the gateway needs it: an interaction, a webhook event, or a dispatch of the Gateway in the
// envelope that [app.listen] and repairs give it.
type message struct {
	typ      string // the event's type as drivers hear it; "" for what is for no community
	fact     string // Discord's name for it, or what there is in its place
	guild    string
	user     string // who did it, "" where Discord does not say
	at       time.Time
	received time.Time
	data     json.RawMessage

	channel string
	ids     []string // the messages that it is about
	nonce   string   // of a message that was posted just now
	deleted bool     // the messages were deleted
	place   bool     // with their whole channel and its threads, of which Discord says nothing else
	answer  int      // of a native poll
	removed bool     // a vote in it was taken back
	outage  bool     // the guild is not gone, but out of Discord's reach

	reaction string // the one that was taken back, see [reactionRef]

	interaction kind
	process     string // the process whose message it is, by the component's ID
	part        string // the rest of that ID
	values      []string
	inMessage   bool // a modal that came from a message's component

	entry *entry // of the audit log
	greet *gateway.Reply
}

// kind is an interaction's type.
type kind int

// The types of interactions (https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object, checked 2026-11).
const (
	ping kind = iota + 1
	commandKind
	componentKind
	autocompleteKind
	modalKind
)

// interactionTypes are the names of the events that they become.
var interactionTypes = map[kind]string{
	commandKind: "APPLICATION_COMMAND", componentKind: "MESSAGE_COMPONENT", autocompleteKind: "APPLICATION_COMMAND_AUTOCOMPLETE", modalKind: "MODAL_SUBMIT",
}

// text is text where it is text, or an ID written as a number, and otherwise nothing: an event of a kind that nobody knew may have something else under
// the same name.
type text string

// UnmarshalJSON takes anything.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case json.Unmarshal(b, &s) == nil:
		*t = text(s)
	case userID.Match(b):
		*t = text(b)
	}
	return nil
}

// number is the same for numbers.
type number int

// UnmarshalJSON takes anything.
func (n *number) UnmarshalJSON(b []byte) error {
	var i int
	if json.Unmarshal(b, &i) == nil {
		*n = number(i)
	}
	return nil
}

// who is a user in an event.
type who struct {
	ID text `json:"id"`
}

// UnmarshalJSON takes anything.
func (w *who) UnmarshalJSON(b []byte) error {
	var v struct {
		ID text `json:"id"`
	}
	if json.Unmarshal(b, &v) == nil {
		w.ID = v.ID
	}
	return nil
}

// parse reads a delivery. Kinds that nobody knew pass.
func parse(d *gateway.Delivery) (*message, error) {
	body := bytes.TrimSpace(d.Body)
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not UTF-8")
	}
	var head struct {
		Type  *int            `json:"type"`
		Event json.RawMessage `json:"event"`
		Op    *int            `json:"op"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	var m *message
	var err error
	switch {
	case head.Op != nil:
		m, err = parseDispatch(body, d.Received)
	case head.Type == nil:
		return nil, errors.New("the body is no interaction, no webhook event and no dispatch")
	case len(head.Event) > 0 && string(head.Event) != "null":
		m, err = parseWebhookEvent(body, head.Event)
	case *head.Type == 0: // a webhook event's PING, of whose answer Discord wants to know what kind of nothing is in it
		return &message{greet: &gateway.Reply{Status: http.StatusNoContent, ContentType: "application/json"}}, nil
	case kind(*head.Type) == ping:
		return &message{greet: reply(pong)}, nil
	default:
		m, err = parseInteraction(body)
	}
	if err != nil {
		return nil, err
	}
	m.received = d.Received
	if m.at.IsZero() {
		m.at = d.Received
	}
	return m, nil
}

// parseInteraction reads a command, a click or a form.
func parseInteraction(body []byte) (*message, error) {
	var i struct {
		ID        text            `json:"id"`
		Type      kind            `json:"type"`
		GuildID   text            `json:"guild_id"`
		ChannelID text            `json:"channel_id"`
		Owners    json.RawMessage `json:"authorizing_integration_owners"`
		Member    struct {
			User who `json:"user"`
		} `json:"member"`
		User    who  `json:"user"`
		Message *who `json:"message"`
		Data    struct {
			CustomID text            `json:"custom_id"`
			Values   json.RawMessage `json:"values"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &i); err != nil {
		return nil, fmt.Errorf("reading an interaction: %w", err)
	}
	if i.ID == "" {
		return nil, errors.New("the interaction has no ID")
	}
	m := &message{
		typ: interactionTypes[i.Type], fact: "interaction:" + string(i.ID), guild: string(i.GuildID), user: orElse(string(i.Member.User.ID), string(i.User.ID)),
		at: snowflakeTime(string(i.ID)), data: body, channel: string(i.ChannelID), interaction: i.Type,
	}
	if m.typ == "" {
		m.typ = "INTERACTION_" + itoa(int(i.Type))
	}
	if i.Message != nil {
		m.inMessage = true
		if i.Message.ID != "" {
			m.ids = []string{string(i.Message.ID)}
		}
	}
	m.process, m.part = processOf(string(i.Data.CustomID))
	if len(i.Data.Values) > 0 && json.Unmarshal(i.Data.Values, &m.values) != nil {
		m.values = nil
	}
	if m.process == "" && personal(i.Owners) {
		m.guild = "" // it is nothing of the server's that somebody uses it there
	}
	if m.guild == "" {
		m.greet = outsideReply(i.Type)
	}
	return m, nil
}

// personal reports whether an interaction is with the app only as a person has added it to their own account, by whom the app is installed
// (https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-authorizing-integration-owners-object, checked 2026-11).
func personal(owners json.RawMessage) bool {
	var by map[string]json.RawMessage
	_ = json.Unmarshal(owners, &by) // absent, or of a kind that nobody knew: not said
	_, person := by["1"]
	_, guild := by["0"]
	return person && !guild
}

// parseWebhookEvent reads what Discord tells of the app itself. It has no ID, and comes again word for word where it was not acknowledged.
func parseWebhookEvent(body, event []byte) (*message, error) {
	var e struct {
		Type string          `json:"type"`
		At   text            `json:"timestamp"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, fmt.Errorf("reading a webhook event: %w", err)
	}
	if e.Type == "" {
		return nil, errors.New("the webhook event has no type")
	}
	var about struct {
		User    who  `json:"user"`
		UserID  text `json:"user_id"`
		Guild   who  `json:"guild"`
		GuildID text `json:"guild_id"`
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(e.Data, &object) != nil || object == nil {
		e.Data = json.RawMessage("{}") // there is none, or of a kind that nobody knew
	}
	if err := json.Unmarshal(e.Data, &about); err != nil {
		return nil, fmt.Errorf("reading a webhook event: %w", err)
	}
	m := &message{
		typ: e.Type, fact: "event:" + digest(body), guild: orElse(string(about.Guild.ID), string(about.GuildID)),
		user: orElse(string(about.User.ID), string(about.UserID)), at: stamp(string(e.At)), data: e.Data,
	}
	if m.guild == "" { // somebody added the app to their own account, or bought something
		m.greet = &gateway.Reply{Status: http.StatusNoContent}
	}
	return m, nil
}

// digest names what has no name.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16])
}

// componentPrefix begins the IDs of our components. Discord gives them back with each click, so a click finds its process even if it
// is quicker than Discord's answer to our post.
const componentPrefix = "gw:"

func componentID(process, part string) string { return componentPrefix + process + ":" + part }

// processOf finds the process in a component's ID, "" in others'.
func processOf(custom string) (process, part string) {
	rest, ours := strings.CutPrefix(custom, componentPrefix)
	id, part, ok := strings.Cut(rest, ":")
	if !ours || !ok || id == "" || len(id) > 64 {
		return "", ""
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", ""
		}
	}
	return id, part
}

// discordEpoch is the first millisecond of 2015, from which Discord counts (https://docs.discord.com/developers/reference#snowflakes).
const discordEpoch = 1420070400000

// snowflakeTime is when an ID was made; the zero time where it is none.
func snowflakeTime(id string) time.Time {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(n>>22) + discordEpoch).UTC()
}

// snowflakeAt is the first ID of a time, to ask for what comes after it.
func snowflakeAt(t time.Time) string {
	return strconv.FormatInt(max(t.UnixMilli()-discordEpoch, 0)<<22, 10)
}

// stamp reads Discord's times; those of webhook events have no zone. The zero time where it is none.
func stamp(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
