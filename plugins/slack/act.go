package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// act is one call of a method that changes something which repeating does not change further.
type act struct {
	method  string
	channel string // joined once where Slack says not_in_channel; "": it has to be right as it is
	args    args
	echoes  []string // as what Slack's events of it will be known, see [echoOf]
	same    []string // Slack's words for: it is so already
	gone    []string // Slack's words for it the second time, after an attempt of ours whose answer was lost
}

// attempted is what is durable before Slack hears of an act.
type attempted struct {
	Sent bool `json:"sent"`
}

// perform acts. An answer that is lost makes it act again, which does no harm and shows what became of it. same says that it
// was so before, and nothing was done.
func (s *Slack) perform(ctx context.Context, a act, out any) (same bool, err error) {
	call := gateway.CallOf(ctx)
	var before attempted
	again := call.Saved(&before) && before.Sent
	if err := call.Save(ctx, attempted{true}); err != nil {
		return false, err
	}
	echoes := echoesAs(ctx, a.echoes)
	if err := call.Expect(ctx, echoes...); err != nil {
		return false, err
	}
	err = s.joining(ctx, a.method, a.channel, a.args, out)
	if gateway.CodeOf(err) == gateway.Unknown && !again {
		again = true
		err = s.joining(ctx, a.method, a.channel, a.args, out)
	}
	switch {
	case refusedAs(err, a.same...) && !again:
		return true, nil
	case again && (refusedAs(err, a.same...) || refusedAs(err, a.gone...)):
		err = nil // the first attempt did it
	}
	if err == nil {
		call.Caused(echoes...)
	}
	return false, err
}

// Done is the answer of an action that makes something so.
type Done struct {
	Already bool `json:"already,omitempty" jsonschema_description:"Whether it was so before, and nothing was done."`
}

// done is [Slack.perform] for an action that has nothing else to say.
func (s *Slack) done(ctx context.Context, a act) (Done, error) {
	same, err := s.perform(ctx, a, nil)
	return Done{Already: same}, err
}

// The names under which acts of ours and the events that Slack sends of them meet.
func ref(kind string, parts ...string) string { return kind + ":" + strings.Join(parts, ":") }

func textRef(kind, channel, text string) string {
	sum := sha256.Sum256([]byte(text))
	return ref(kind, channel, hex.EncodeToString(sum[:8]))
}

func membersRef(group string, added, removed []string) string {
	added, removed = slices.Sorted(slices.Values(added)), slices.Sorted(slices.Values(removed))
	return ref("members", group, "+"+strings.Join(added, ","), "-"+strings.Join(removed, ","))
}

// echoOf gives the name of what an event tells of, and who did it. Where Slack does not say who, by is "": the name alone decides, and
// the gateway takes it once, so that a person's identical act later is the person's.
func echoOf(m *message, e event) (name, by string) {
	switch user := first(e.User.ID, e.UserID); e.Type {
	case "channel_rename", "group_rename":
		return ref("renamed", e.Channel.ID, e.Channel.Name), ""
	case "channel_archive", "group_archive":
		return ref("archived", m.channel), user
	case "member_joined_channel":
		return ref("joined", m.channel, user), first(string(e.Inviter), user)
	case "member_left_channel":
		return ref("left", m.channel, user), ""
	case "channel_left", "group_left":
		return ref("left", m.channel), string(e.ActorID)
	case "pin_added", "pin_removed":
		return ref(e.Type, m.channel, m.ts), user
	case "reaction_added", "reaction_removed":
		return ref(e.Type, m.channel, m.ts, string(e.Reaction)), user
	case "subteam_members_changed":
		return membersRef(string(e.Subteam), e.Added, e.Removed), ""
	case "message":
		return echoOfMessage(m, e, user)
	}
	return "", ""
}

func echoOfMessage(m *message, e event, user string) (name, by string) {
	switch e.Subtype {
	case "message_deleted":
		return ref("deleted", m.channel, m.ts), ""
	case "message_changed":
		if m.deleted {
			return ref("deleted", m.channel, m.ts), ""
		}
		return ref("changed", m.channel, m.ts), m.user
	case "channel_name", "group_name":
		return ref("said-renamed", m.channel, string(e.Name)), user
	case "channel_topic", "group_topic":
		return textRef("said-topic", m.channel, string(e.Topic)), user
	case "channel_archive", "group_archive":
		return ref("said-archived", m.channel), user
	case "channel_join", "group_join":
		return ref("said-joined", m.channel, user), first(string(e.Inviter), user)
	case "", "bot_message", "thread_broadcast":
		if e.Metadata.call != "" {
			return ref("scheduled", e.Metadata.call), first(user, e.BotID)
		}
	}
	return "", ""
}
