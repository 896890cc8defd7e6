package discord

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode"

	gateway "github.com/metagov/gateway-go"
)

// Channels are the channels of a server.
type Channels struct {
	Channels []Channel `json:"channels" jsonschema_description:"The channels that the bot can see."`
}

func (d *Discord) listAllChannels(ctx context.Context, _ struct{}) (Channels, error) {
	out := Channels{Channels: []Channel{}}
	return out, d.call(ctx, call{path: d.in("channels")}, &out.Channels)
}

// listThreads lists the threads that are not put away.
func (d *Discord) listThreads(ctx context.Context, _ struct{}) (Channels, error) {
	out := Channels{Channels: []Channel{}}
	var page struct {
		Threads []Channel `json:"threads"`
	}
	err := d.call(ctx, call{path: d.in("threads", "active")}, &page)
	out.Channels = append(out.Channels, page.Threads...)
	return out, err
}

// ChannelRef names a channel.
type ChannelRef struct {
	Channel string `json:"channel" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The channel or thread, by its ID."`
}

func (d *Discord) getChannel(ctx context.Context, in ChannelRef) (out Channel, err error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return out, err
	}
	return out, d.call(ctx, call{path: path("channels", in.Channel), needs: "VIEW_CHANNEL"}, &out)
}

// The kinds of channels that can be made, and Discord's numbers of them.
var channelKinds = map[string]int{"text": 0, "voice": 2, "category": 4, "announcement": 5, "stage": 13, "forum": 15}

// CreateChannel is the input of create-channel.
type CreateChannel struct {
	Name     string `json:"name" jsonschema:"minLength=1,maxLength=100" jsonschema_description:"The name. Of text channels Discord makes lower case and dashes of it."`
	Kind     string `json:"kind,omitempty" jsonschema:"enum=text,enum=voice,enum=category,enum=announcement,enum=stage,enum=forum,default=text" jsonschema_description:"What it is."`
	Topic    string `json:"topic,omitempty" jsonschema:"maxLength=1024" jsonschema_description:"What it is about."`
	Category string `json:"category,omitempty" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The category to put it in."`
	Private  bool   `json:"private,omitempty" jsonschema_description:"Whether only the bot, and who is let in afterwards (set-channel-permission), can see it."`
	Reasoned
}

func (d *Discord) createChannel(ctx context.Context, in CreateChannel) (out Channel, err error) {
	body := map[string]any{"name": in.Name, "type": channelKinds[in.Kind]}
	if in.Topic != "" {
		body["topic"] = in.Topic
	}
	if in.Category != "" {
		body["parent_id"] = in.Category
	}
	if in.Private {
		see, err := bits([]string{"VIEW_CHANNEL"})
		if err != nil {
			return out, err
		}
		body["permission_overwrites"] = []map[string]any{
			{"id": d.config.GuildID, "type": 0, "allow": 0, "deny": see}, {"id": d.config.BotUserID, "type": 1, "allow": see, "deny": 0},
		}
	}
	q := call{method: http.MethodPost, path: d.in("channels"), body: body, reason: in.Reason, needs: "MANAGE_CHANNELS"}
	if err := d.create(ctx, q, &out, &out.ID); err != nil {
		return out, err
	}
	gateway.CallOf(ctx).Caused(auditRef(10, out.ID))
	return out, nil
}

// findChannel is the look-up of create-channel.
func (d *Discord) findChannel(ctx context.Context, in CreateChannel) (Channel, gateway.Found, error) {
	list, err := d.listAllChannels(ctx, struct{}{})
	if err != nil {
		return Channel{}, gateway.CannotTell, err
	}
	out, found, err := made(ctx, d, list.Channels, func(c Channel) (string, bool) {
		return c.ID, c.Type == channelKinds[in.Kind] && sameName(c.Name, in.Name)
	})
	if found == gateway.Happened {
		gateway.CallOf(ctx).Caused(auditRef(10, out.ID))
	}
	return out, found, err
}

// sameName compares names of channels: of text channels Discord makes lower case and dashes, and leaves signs out.
func sameName(a, b string) bool {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsNumber(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, s)
	}
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	return a == b || plain(a) == plain(b) && plain(a) != ""
}

// EditChannel is the input of edit-channel.
type EditChannel struct {
	ChannelRef
	Name     string  `json:"name,omitempty" jsonschema:"maxLength=100" jsonschema_description:"The new name. Absent: as it is. Discord lets a channel be renamed twice in ten minutes."`
	Topic    *string `json:"topic,omitempty" jsonschema:"maxLength=1024" jsonschema_description:"What it is about now. Absent: as it is."`
	Slowmode *int    `json:"slowmode,omitempty" jsonschema:"minimum=0,maximum=21600" jsonschema_description:"How many seconds everybody has to wait between messages. Absent: as it is."`
	NSFW     *bool   `json:"nsfw,omitempty" jsonschema_description:"Whether it is for adults only. Absent: as it is."`
	Reasoned
}

func (d *Discord) editChannel(ctx context.Context, in EditChannel) (Done, error) {
	body := map[string]any{}
	if in.Name != "" {
		body["name"] = in.Name
	}
	if in.Topic != nil {
		body["topic"] = *in.Topic
	}
	if in.Slowmode != nil {
		body["rate_limit_per_user"] = *in.Slowmode
	}
	if in.NSFW != nil {
		body["nsfw"] = *in.NSFW
	}
	if len(body) == 0 {
		return Done{}, gateway.Errorf(gateway.Invalid, "there is nothing to change: give name, topic, slowmode or nsfw")
	}
	return d.changeChannel(ctx, in.Channel, body, in.Reason, toChange)
}

// toChange is what the bot needs to change a channel, or to delete it.
const toChange = "MANAGE_CHANNELS (of a thread MANAGE_THREADS)"

// changeChannel changes a channel or thread of ours.
func (d *Discord) changeChannel(ctx context.Context, id string, body map[string]any, reason, needs string) (Done, error) {
	if err := d.guildOf(ctx, id); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call:   call{method: http.MethodPatch, path: path("channels", id), body: body, reason: reason, needs: needs},
		echoes: []string{auditRef(11, id), auditRef(111, id)},
	})
}

// RenameChannel is the input of rename-channel.
type RenameChannel struct {
	ChannelRef
	Name string `json:"name" jsonschema:"minLength=1,maxLength=100" jsonschema_description:"The new name. Discord lets a channel be renamed twice in ten minutes."`
	Reasoned
}

func (d *Discord) renameChannel(ctx context.Context, in RenameChannel) (Done, error) {
	return d.changeChannel(ctx, in.Channel, map[string]any{"name": in.Name}, in.Reason, toChange)
}

// DeleteChannel is the input of delete-channel.
type DeleteChannel struct {
	ChannelRef
	Reasoned
}

func (d *Discord) deleteChannel(ctx context.Context, in DeleteChannel) (Done, error) {
	err := d.guildOf(ctx, in.Channel)
	if refusedAs(err, codeUnknownChannel) {
		return Done{Already: true}, nil
	}
	if err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call:   call{method: http.MethodDelete, path: path("channels", in.Channel), reason: in.Reason, needs: toChange},
		echoes: []string{auditRef(12, in.Channel), auditRef(112, in.Channel)}, gone: []int{codeUnknownChannel},
	})
}

// SetPermission is the input of set-channel-permission. STREAM is sharing a screen and video, SPEAK the microphone.
type SetPermission struct {
	ChannelRef
	Role   string   `json:"role,omitempty" choices:"roles" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"For whom: a role. Everybody's has the server's ID. Either this or member."`
	Member string   `json:"member,omitempty" choices:"members" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"For whom: a member. Either this or role."`
	Allow  []string `json:"allow,omitempty" jsonschema:"uniqueItems=true" jsonschema_description:"What is allowed here, by Discord's names: STREAM, SPEAK, SEND_MESSAGES, and so on."`
	Deny   []string `json:"deny,omitempty" jsonschema:"uniqueItems=true" jsonschema_description:"What is denied here. What is in neither list is as in the whole server."`
	Reasoned
}

// who gives the ID, and Discord's number of what it is.
func (in SetPermission) who() (id string, kind int, err error) {
	switch {
	case (in.Role == "") == (in.Member == ""):
		return "", 0, gateway.Errorf(gateway.Invalid, "give either a role or a member")
	case in.Role != "":
		return in.Role, 0, nil
	}
	return in.Member, 1, nil
}

func (d *Discord) setPermission(ctx context.Context, in SetPermission) (Done, error) {
	id, kind, err := in.who()
	if err != nil {
		return Done{}, err
	}
	allow, err := bits(in.Allow)
	if err != nil {
		return Done{}, invalid("/allow", err.Error())
	}
	deny, err := bits(in.Deny)
	if err != nil {
		return Done{}, invalid("/deny", err.Error())
	}
	if both := allow & deny; both != 0 {
		return Done{}, invalid("/deny", "denies what is allowed: "+strings.Join(slices.DeleteFunc(in.Deny, func(n string) bool { return !slices.Contains(in.Allow, n) }), ", "))
	}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call: call{
			method: http.MethodPut, path: path("channels", in.Channel, "permissions", id), body: map[string]any{"type": kind, "allow": allow, "deny": deny},
			reason: in.Reason, needs: "MANAGE_ROLES",
		},
		echoes: []string{auditRef(13, in.Channel), auditRef(14, in.Channel)},
	})
}

// ClearPermission is the input of clear-channel-permission.
type ClearPermission struct {
	ChannelRef
	Role   string `json:"role,omitempty" choices:"roles" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"For whom: a role. Either this or member."`
	Member string `json:"member,omitempty" choices:"members" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"For whom: a member. Either this or role."`
	Reasoned
}

func (d *Discord) clearPermission(ctx context.Context, in ClearPermission) (Done, error) {
	id, _, err := SetPermission{Role: in.Role, Member: in.Member}.who()
	if err != nil {
		return Done{}, err
	}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		call:   call{method: http.MethodDelete, path: path("channels", in.Channel, "permissions", id), reason: in.Reason, needs: "MANAGE_ROLES"},
		echoes: []string{auditRef(15, in.Channel)}, gone: []int{10009},
	})
}

// CreateThread is the input of create-thread.
type CreateThread struct {
	ChannelRef
	Message   string `json:"message,omitempty" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The message that it is about. Absent: none."`
	Name      string `json:"name" jsonschema:"minLength=1,maxLength=100" jsonschema_description:"The name."`
	Private   bool   `json:"private,omitempty" jsonschema_description:"Whether only who is invited can see it. Not of a message."`
	Minutes   int    `json:"auto_archive_minutes,omitempty" jsonschema:"enum=60,enum=1440,enum=4320,enum=10080,default=1440" jsonschema_description:"After how many minutes without a message it is put away."`
	FirstPost string `json:"content,omitempty" jsonschema:"maxLength=2000" jsonschema_description:"The first message, which a thread in a forum needs."`
	Reasoned
}

func (d *Discord) createThread(ctx context.Context, in CreateThread) (out Channel, err error) {
	switch {
	case in.Message != "" && (in.Private || in.FirstPost != ""):
		return out, gateway.Errorf(gateway.Invalid, "a thread of a message is not private, and has that message first")
	case in.Private && in.FirstPost != "":
		return out, gateway.Errorf(gateway.Invalid, "a thread in a forum is not private, and another has no first message")
	}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return out, err
	}
	body := map[string]any{"name": in.Name, "auto_archive_duration": in.Minutes}
	route, needs := path("channels", in.Channel, "threads"), "CREATE_PUBLIC_THREADS"
	switch {
	case in.Message != "":
		route = MessageRef{in.Channel, in.Message}.path("threads")
	case in.Private:
		body["type"], body["invitable"], needs = 12, false, "CREATE_PRIVATE_THREADS"
	default:
		if needs, err = d.openThread(ctx, in, body); err != nil {
			return out, err
		}
	}
	c := gateway.CallOf(ctx)
	if err := c.Expect(ctx, "thread:"+in.Channel); err != nil {
		return out, err
	}
	if err := d.create(ctx, call{method: http.MethodPost, path: route, body: body, reason: in.Reason, needs: needs}, &out, &out.ID); err != nil {
		return out, err
	}
	c.Caused("thread:" + in.Channel)
	return out, nil
}

// openThread fills in what makes a thread one that everybody sees, and says which permission that needs. In announcement channels such threads are of a kind
// of their own. In forums each has a first message; anywhere else Discord leaves that out, and takes it for a private one.
func (d *Discord) openThread(ctx context.Context, in CreateThread, body map[string]any) (needs string, err error) {
	var parent Channel
	if err := d.call(ctx, call{path: path("channels", in.Channel), needs: "VIEW_CHANNEL"}, &parent); err != nil {
		return "", err
	}
	forum := slices.Contains(forums, parent.Type)
	switch {
	case forum != (in.FirstPost != ""):
		return "", invalid("/content", "is for threads in forums, which need it")
	case forum:
		body["message"] = map[string]any{"content": in.FirstPost, "allowed_mentions": noMentions}
		return "SEND_MESSAGES", nil
	case parent.Type == channelKinds["announcement"]:
		body["type"] = 10
	default:
		body["type"] = 11
	}
	return "CREATE_PUBLIC_THREADS", nil
}

// forums are the kinds of channels in which everything is in threads
// (https://docs.discord.com/developers/resources/channel#channel-object-channel-types, checked 2026-11).
var forums = []int{15, 16}

// findThread is the look-up of create-thread. A message has one thread, which has its ID.
func (d *Discord) findThread(ctx context.Context, in CreateThread) (Channel, gateway.Found, error) {
	list, err := d.listThreads(ctx, struct{}{})
	if err != nil {
		return Channel{}, gateway.CannotTell, err
	}
	out, found, err := made(ctx, d, list.Channels, func(c Channel) (string, bool) {
		ours := in.Message == "" && d.ours(c.OwnerID) || in.Message != "" && c.ID == in.Message
		return c.ID, c.ParentID == in.Channel && ours && c.Name == strings.TrimSpace(in.Name)
	})
	if found == gateway.Happened {
		gateway.CallOf(ctx).Caused("thread:" + in.Channel)
	}
	return out, found, err
}

// EditThread is the input of edit-thread.
type EditThread struct {
	ChannelRef
	Archived *bool `json:"archived,omitempty" jsonschema_description:"Whether it is put away. Absent: as it is."`
	Locked   *bool `json:"locked,omitempty" jsonschema_description:"Whether only moderators can take it out again. Absent: as it is."`
	Reasoned
}

func (d *Discord) editThread(ctx context.Context, in EditThread) (Done, error) {
	body := map[string]any{}
	if in.Archived != nil {
		body["archived"] = *in.Archived
	}
	if in.Locked != nil {
		body["locked"] = *in.Locked
	}
	if len(body) == 0 {
		return Done{}, gateway.Errorf(gateway.Invalid, "there is nothing to change: give archived or locked")
	}
	return d.changeChannel(ctx, in.Channel, body, in.Reason, "MANAGE_THREADS")
}

// ThreadMember is the input of add-thread-member and remove-thread-member.
type ThreadMember struct {
	ChannelRef
	Member string `json:"member" choices:"members" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Who."`
}

func (d *Discord) addThreadMember(ctx context.Context, in ThreadMember) (Done, error) {
	return d.threadMember(ctx, in, http.MethodPut, "SEND_MESSAGES_IN_THREADS")
}

func (d *Discord) removeThreadMember(ctx context.Context, in ThreadMember) (Done, error) {
	return d.threadMember(ctx, in, http.MethodDelete, "MANAGE_THREADS")
}

func (d *Discord) threadMember(ctx context.Context, in ThreadMember, method, needs string) (Done, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{call: call{method: method, path: path("channels", in.Channel, "thread-members", in.Member), needs: needs}})
}
