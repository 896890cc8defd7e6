package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// dispatch is an event of the Gateway as it is brought to the webhook's pipeline: as Discord sends it
// (https://docs.discord.com/developers/events/gateway-events#payload-structure), with the session in which its number is one. What a repair
// found has neither.
type dispatch struct {
	Op      int             `json:"op"`
	Type    string          `json:"t"`
	Seq     int64           `json:"s,omitempty"`
	Session string          `json:"session,omitempty"`
	Data    json.RawMessage `json:"d"`
}

// about is what is read of an event's data, of whatever type.
type about struct {
	ID        text            `json:"id"`
	GuildID   text            `json:"guild_id"`
	ChannelID text            `json:"channel_id"`
	MessageID text            `json:"message_id"`
	UserID    text            `json:"user_id"`
	TargetID  text            `json:"target_id"`
	OwnerID   text            `json:"owner_id"`
	CreatorID text            `json:"creator_id"`
	RoleID    text            `json:"role_id"`
	Author    who             `json:"author"`
	User      who             `json:"user"`
	Inviter   who             `json:"inviter"`
	Role      who             `json:"role"`
	Nonce     text            `json:"nonce"`
	Edited    text            `json:"edited_timestamp"`
	Joined    text            `json:"joined_at"`
	Answer    number          `json:"answer_id"`
	IDs       json.RawMessage `json:"ids"`
	Emoji     emoji           `json:"emoji"`
	Outage    json.RawMessage `json:"unavailable"`
	New       json.RawMessage `json:"newly_created"`
}

// parseDispatch reads an event of the Gateway that came at a time.
func parseDispatch(body []byte, received time.Time) (*message, error) {
	var d dispatch
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("reading a dispatch: %w", err)
	}
	if d.Op != 0 || d.Type == "" {
		return nil, errors.New("the dispatch has no type")
	}
	if d.Type == "INTERACTION_CREATE" {
		return parseInteraction(d.Data)
	}
	var a about
	if err := json.Unmarshal(d.Data, &a); err != nil {
		return nil, fmt.Errorf("reading a dispatch: %w", err)
	}
	if received.Sub(stamp(string(a.Edited))).Abs() > window {
		a.Edited = "" // long ago: what is told of now is that the message was pinned, say
	}
	m := &message{typ: d.Type, guild: string(a.GuildID), data: d.Data, channel: string(a.ChannelID), answer: int(a.Answer)}
	if strings.HasPrefix(d.Type, "GUILD_") && m.guild == "" { // of a guild itself
		m.guild = string(a.ID)
	}
	if m.guild == "" { // of a conversation with one person, or the bot itself: no community's, so that nothing of it is kept
		m.greet = &gateway.Reply{Status: http.StatusNoContent}
	}
	m.fact = factOf(d, a)
	m.describe(a, received)
	if d.Type == "GUILD_AUDIT_LOG_ENTRY_CREATE" {
		var err error
		if m.entry, err = parseEntry(d.Data); err != nil {
			return nil, err
		}
		m.at, m.user = snowflakeTime(m.entry.ID), m.entry.UserID
		if typ := typeOf[m.entry.ActionType]; typ == "CHANNEL_DELETE" || typ == "THREAD_DELETE" { // of which a repair finds nothing but this
			m.channel, m.deleted, m.place = m.entry.TargetID, true, true
		}
	}
	return m, nil
}

// factOf names what happened, live or found later; and where it has no name of its own, the delivery: a session that is resumed
// brings it again under the same number.
func factOf(d dispatch, a about) string {
	name := func(parts ...text) string {
		out := d.Type
		for _, p := range parts {
			if p == "" {
				return ""
			}
			out += ":" + string(p)
		}
		return out
	}
	fact := ""
	switch d.Type {
	case "MESSAGE_CREATE", "MESSAGE_DELETE", "CHANNEL_DELETE", "THREAD_DELETE":
		fact = name(a.ID)
	case "MESSAGE_UPDATE":
		fact = name(a.ID, a.Edited)
	case "GUILD_AUDIT_LOG_ENTRY_CREATE":
		fact = name(a.ID)
	case "GUILD_CREATE":
		fact = name(a.ID, a.Joined)
	case "GUILD_MEMBER_ADD":
		fact = name(a.GuildID, a.User.ID, a.Joined)
	}
	switch {
	case fact != "":
		return fact
	case d.Session != "" && d.Seq > 0:
		return "dispatch:" + d.Session + ":" + strconv.FormatInt(d.Seq, 10)
	}
	return d.Type + ":" + digest(d.Data)
}

// describe says who did it and to which message, as far as Discord says so, of what came at a time.
func (m *message) describe(a about, received time.Time) {
	switch m.typ {
	case "MESSAGE_CREATE":
		m.user, m.ids, m.nonce, m.at = string(a.Author.ID), one(a.ID), string(a.Nonce), snowflakeTime(string(a.ID))
	case "MESSAGE_UPDATE":
		m.ids = one(a.ID)
		if a.Edited != "" { // otherwise Discord has added something: what is behind a link, a pin, a thread
			m.user, m.at = string(a.Author.ID), stamp(string(a.Edited))
		}
	case "MESSAGE_DELETE":
		m.ids, m.deleted = one(a.ID), true
	case "GUILD_CREATE", "GUILD_DELETE":
		m.outage = string(a.Outage) == "true"
	case "CHANNEL_DELETE", "THREAD_DELETE":
		m.channel, m.deleted, m.place = string(a.ID), true, true
	case "MESSAGE_DELETE_BULK":
		m.deleted = true
		if json.Unmarshal(a.IDs, &m.ids) != nil {
			m.ids = nil
		}
	case "MESSAGE_REACTION_REMOVE": // by whomever: the user is whose it was
		m.ids, m.reaction = one(a.MessageID), reactionRef(string(a.UserID), a.Emoji.key())
	case "MESSAGE_REACTION_ADD", "MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE":
		m.user, m.ids, m.removed = string(a.UserID), one(a.MessageID), strings.HasSuffix(m.typ, "REMOVE")
	case "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI":
		m.ids = one(a.MessageID)
	case "THREAD_CREATE": // or the bot was brought into it, by whomever
		made := snowflakeTime(string(a.ID)) // of a thread of a message when that was posted
		recent := received.Sub(made).Abs() <= window
		if recent {
			m.at = made
		}
		if recent || string(a.New) == "true" {
			m.user = string(a.OwnerID)
		}
	case "GUILD_MEMBER_ADD":
		m.user, m.at = string(a.User.ID), stamp(string(a.Joined))
	case "INVITE_CREATE":
		m.user = string(a.Inviter.ID)
	case "GUILD_SCHEDULED_EVENT_CREATE":
		m.user = string(a.CreatorID)
	case "GUILD_SCHEDULED_EVENT_USER_ADD", "GUILD_SCHEDULED_EVENT_USER_REMOVE", "TYPING_START", "AUTO_MODERATION_ACTION_EXECUTION":
		m.user = string(a.UserID)
	}
}

func one(id text) []string {
	if id == "" {
		return nil
	}
	return []string{string(id)}
}

// emoji is one in an event.
type emoji struct {
	ID   text `json:"id"`
	Name text `json:"name"`
}

// UnmarshalJSON takes anything.
func (e *emoji) UnmarshalJSON(b []byte) error {
	var v struct {
		ID   text `json:"id"`
		Name text `json:"name"`
	}
	if json.Unmarshal(b, &v) == nil {
		e.ID, e.Name = v.ID, v.Name
	}
	return nil
}

func (e emoji) key() string { return orElse(string(e.ID), plainEmoji(string(e.Name))) }

// emojiKey is the same of what Discord takes: the character, or name:ID.
func emojiKey(s string) string {
	return plainEmoji(s[strings.LastIndexByte(s, ':')+1:])
}

// plainEmoji leaves out the sign that asks for colours, which not everybody writes.
func plainEmoji(s string) string { return strings.ReplaceAll(s, "\ufe0f", "") }

// reactionRef names somebody's reaction to a message.
func reactionRef(user, emoji string) string { return user + ":" + emoji }
