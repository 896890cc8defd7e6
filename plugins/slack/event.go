package slack

import (
	"encoding/json"
	"fmt"
	"slices"
)

// envelope is what is around an event of the Events API (https://docs.slack.dev/apis/events-api).
type envelope struct {
	TeamID         string          `json:"team_id"`
	EnterpriseID   string          `json:"enterprise_id"`
	ContextTeamID  string          `json:"context_team_id"`
	Shared         bool            `json:"is_ext_shared_channel"`
	Event          json.RawMessage `json:"event"`
	EventID        string          `json:"event_id"`
	EventTime      json.Number     `json:"event_time"`
	Authorizations []struct {
		EnterpriseID string `json:"enterprise_id"`
		TeamID       string `json:"team_id"`
		Org          bool   `json:"is_enterprise_install"`
	} `json:"authorizations"`
}

// event is what the gateway reads of an event, of whatever type.
type event struct {
	Type      string          `json:"type"`
	Subtype   string          `json:"subtype"`
	User      object          `json:"user"`
	UserID    string          `json:"user_id"`
	BotID     string          `json:"bot_id"`
	Channel   object          `json:"channel"`
	ChannelID string          `json:"channel_id"`
	TS        string          `json:"ts"`
	EventTS   string          `json:"event_ts"`
	DeletedTS string          `json:"deleted_ts"`
	ThreadTS  string          `json:"thread_ts"`
	TeamIDs   []string        `json:"team_ids"`
	Item      json.RawMessage `json:"item"`
	Message   *inner          `json:"message"`
	Previous  *inner          `json:"previous_message"`
	Inviter   lenient         `json:"inviter"`
	ActorID   lenient         `json:"actor_id"`
	Reaction  lenient         `json:"reaction"`
	Name      lenient         `json:"name"`
	Topic     lenient         `json:"topic"`
	Subteam   lenient         `json:"subteam_id"`
	Added     strs            `json:"added_users"`
	Removed   strs            `json:"removed_users"`
	Metadata  payload         `json:"metadata"`
}

// lenient is text where it is text, and otherwise nothing: other events have something else under the same name.
type lenient string

// UnmarshalJSON takes anything.
func (l *lenient) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*l = lenient(s)
	}
	return nil
}

// strs is a list of texts, and nothing where it is something else.
type strs []string

// UnmarshalJSON takes anything.
func (l *strs) UnmarshalJSON(b []byte) error {
	var s []string
	if json.Unmarshal(b, &s) == nil {
		*l = s
	}
	return nil
}

// payload is a message's metadata, as far as it is ours.
type payload struct{ call string }

// UnmarshalJSON takes anything.
func (p *payload) UnmarshalJSON(b []byte) error {
	var m struct {
		Payload map[string]json.RawMessage `json:"event_payload"`
	}
	if json.Unmarshal(b, &m) == nil && json.Unmarshal(m.Payload[callField], &p.call) != nil {
		p.call = ""
	}
	return nil
}

// inner is a message inside an event about it.
type inner struct {
	Subtype string `json:"subtype"`
	TS      string `json:"ts"`
	BotID   string `json:"bot_id"`
	User    object `json:"user"`
	Edited  struct {
		User object `json:"user"`
	} `json:"edited"`
}

func parseEvent(body []byte, env *envelope) (*message, error) {
	var e event
	if err := json.Unmarshal(env.Event, &e); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	if e.Type == "" {
		return nil, fmt.Errorf("reading an event: it has no type")
	}
	m := &message{typ: e.Type, teams: env.teams(e), user: first(e.User.ID, e.UserID), bot: e.BotID, id: env.EventID}
	if env.EventID == "" {
		m.id = digest(body)
	}
	m.at = timestamp(e.EventTS)
	if m.at.IsZero() {
		if n, err := env.EventTime.Int64(); err == nil {
			m.at = seconds(n)
		}
	}
	if said(e) {
		m.fact = m.id
		m.id = messageID(first(e.Channel.ID, e.ChannelID), e.TS, e.Subtype)
	}
	m.about(e)
	m.echo, m.by = echoOf(m, e)
	var err error
	m.data, err = dataOf(env.Event, func(raw func(string) []byte) []string {
		if user := raw("user"); len(user) > 0 && user[0] == '"' {
			return []string{"type", "token", "user"} // it is the event's initiator; a whole user (user_change) is data
		}
		return []string{"type", "token"}
	})
	return m, err
}

// said reports whether an event is a message that stands in a channel's history, and not news of one.
func said(e event) bool {
	switch e.Subtype {
	case "message_changed", "message_deleted", "message_replied":
		return false
	}
	return e.Type == "message" && e.TS != "" && first(e.Channel.ID, e.ChannelID) != ""
}

// about finds the message that an event is about, and who did it.
func (m *message) about(e event) {
	m.channel, m.ts, m.thread = first(e.Channel.ID, e.ChannelID), e.TS, e.ThreadTS
	switch {
	case e.Type == "message" && e.Subtype == "message_changed" && e.Message != nil:
		m.ts, m.user, m.bot = e.Message.TS, e.Message.Edited.User.ID, ""
		if m.user != "" && m.user == e.Message.User.ID {
			m.bot = e.Message.BotID
		}
		m.deleted = e.Message.Subtype == "tombstone" // deleted while it has replies
	case e.Type == "message" && e.Subtype == "message_deleted":
		m.ts, m.user, m.bot, m.deleted = e.DeletedTS, "", "", true // Slack does not say who deleted it
	case e.Type == "message" && (e.Subtype == "" || e.Subtype == "bot_message" || e.Subtype == "thread_broadcast"):
		m.posted = true
	case len(e.Item) > 0:
		var item struct {
			Channel object `json:"channel"`
			TS      string `json:"ts"`
			Message inner  `json:"message"`
		}
		if json.Unmarshal(e.Item, &item) == nil {
			m.channel, m.ts = first(item.Channel.ID, m.channel), first(item.TS, item.Message.TS)
		}
	}
}

// teams says for whom an event is: for the workspaces that authorized the app, or the organisation that did. In a channel that is shared
// with another organisation it is also for the workspace in which it happened: Slack sends it once, and names one authorization.
func (env *envelope) teams(e event) []string {
	var out []string
	add := func(id string) {
		if id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	org := false
	for _, a := range env.Authorizations {
		if a.Org && a.EnterpriseID != "" {
			org = true
			add(a.EnterpriseID)
		} else {
			add(a.TeamID)
		}
	}
	if !org {
		add(env.ContextTeamID)
		if env.Shared {
			add(env.TeamID)
		}
	}
	if len(out) == 0 {
		add(first(env.TeamID, env.EnterpriseID))
	}
	if e.Type == "team_access_granted" || e.Type == "team_access_revoked" {
		for _, id := range e.TeamIDs {
			add(id)
		}
	}
	return out
}
