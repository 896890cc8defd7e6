package slack

import (
	"context"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// Slack has one scope for public and one for private channels; either opens an action, see [Slack.granted].
const (
	readScopes   = "channels:read|groups:read|im:read|mpim:read"
	manageScopes = "channels:manage|groups:write"
	inviteScopes = "channels:manage|groups:write|channels:write.invites|groups:write.invites"
	topicScopes  = "channels:manage|groups:write|channels:write.topic|groups:write.topic|mpim:write.topic"
	openScopes   = "im:write|mpim:write"

	// What people need for acting themselves: they have a scope more.
	userManageScopes = manageScopes + "|channels:write"
	userInviteScopes = inviteScopes + "|channels:write"
)

var eitherScopes = []string{readScopes, manageScopes, inviteScopes, topicScopes, openScopes}

// typedActions are Slack's methods that governance needs most, with a schema each; all others are called by method.
func typedActions() []gateway.Feature[*Slack] {
	needs, acts := gateway.Needs, gateway.Acts
	return []gateway.Feature[*Slack]{
		gateway.ActionFunc("get-conversation", "Tells what a conversation is.", (*Slack).getConversation, needs(readScopes), gateway.Idempotent()),
		gateway.ActionFunc("list-conversations", "Lists the conversations that the bot can see.", (*Slack).listConversations, needs(readScopes), gateway.Idempotent()),
		gateway.ActionFunc("list-conversation-members", "Lists the people in a conversation.", (*Slack).listMembers, needs(readScopes), gateway.Idempotent()),
		gateway.ActionFunc("open-conversation", "Finds or makes the direct message with one person, or the group message with up to eight.", (*Slack).openConversation, needs(openScopes), gateway.Idempotent()),
		gateway.ActionFunc("rename-conversation", "Renames a channel.", (*Slack).renameConversation, needs(readScopes, manageScopes), acts(readScopes, userManageScopes), gateway.Idempotent()),
		gateway.ActionFunc("set-topic", "Sets a channel's topic.", (*Slack).setTopic, needs(topicScopes), gateway.Idempotent()),
		gateway.ActionFunc("archive-conversation", "Archives a channel.", (*Slack).archiveConversation, needs(manageScopes), gateway.Idempotent()),
		gateway.ActionFunc("join-conversation", "The bot joins a public channel.", (*Slack).joinConversation, needs("channels:join"), gateway.Idempotent()),
		gateway.ActionFunc("leave-conversation", "The bot leaves a channel.", (*Slack).leaveConversation, needs(manageScopes), gateway.Idempotent()),
		gateway.ActionFunc("invite-to-conversation", "Brings people into a channel.", (*Slack).invite, needs(inviteScopes), acts(userInviteScopes), gateway.Idempotent()),
		gateway.ActionFunc("kick-from-conversation", "Removes somebody from a channel.", (*Slack).kick, needs(manageScopes), acts(userManageScopes), gateway.Idempotent()),

		gateway.ActionFunc("post-ephemeral", "Posts a message in a channel that one person sees, and only while they have Slack open.", (*Slack).postEphemeral, needs("chat:write")),
		gateway.ActionFunc("update-message", "Changes a message of the bot's.", (*Slack).updateMessage, needs("chat:write"), gateway.Idempotent()),
		gateway.ActionFunc("delete-message", "Deletes a message of the bot's.", (*Slack).deleteMessage, needs("chat:write"), gateway.Idempotent()),
		gateway.ActionFunc("get-permalink", "Gives a message's address.", (*Slack).getPermalink, gateway.Idempotent()),
		gateway.ActionFunc("schedule-message", "Has Slack post a message later.", (*Slack).scheduleMessage, needs("chat:write")),
		gateway.ActionFunc("delete-scheduled-message", "Takes a message back that Slack was to post later.", (*Slack).deleteScheduled, needs("chat:write"), gateway.Idempotent()),
		gateway.ActionFunc("pin-message", "Pins a message in its channel.", (*Slack).pin, needs("pins:write"), acts("pins:write"), gateway.Idempotent()),
		gateway.ActionFunc("unpin-message", "Unpins a message.", (*Slack).unpin, needs("pins:write"), acts("pins:write"), gateway.Idempotent()),
		gateway.ActionFunc("add-reaction", "Adds the bot's reaction to a message.", (*Slack).addReaction, needs("reactions:write"), gateway.Idempotent()),
		gateway.ActionFunc("remove-reaction", "Takes the bot's own reaction from a message. Nobody can take another's.", (*Slack).removeReaction, needs("reactions:write"), gateway.Idempotent()),

		gateway.ActionFunc("get-team", "Tells what the workspace is.", (*Slack).getTeam, needs("team:read"), gateway.Idempotent()),
		gateway.ActionFunc("get-user", "Tells who somebody is.", (*Slack).getUser, needs("users:read"), gateway.Idempotent()),
		gateway.ActionFunc("list-users", "Lists the real people of the workspace: no bots, nobody who has left.", (*Slack).listPeople, needs("users:read"), gateway.Idempotent()),
		gateway.ActionFunc("list-user-groups", "Lists the user groups of the workspace.", (*Slack).listGroups, needs("usergroups:read"), gateway.Idempotent()),
		gateway.ActionFunc("list-user-group-members", "Lists the people in a user group.", (*Slack).listGroupMembers, needs("usergroups:read"), gateway.Idempotent()),
		gateway.ActionFunc("update-user-group-members", "Makes these people the members of a user group, and nobody else.", (*Slack).updateGroupMembers, needs("usergroups:read", "usergroups:write"), gateway.Idempotent()),
	}
}

// Place names a conversation.
type Place struct {
	Channel string `json:"channel" choices:"channels" jsonschema:"minLength=1" jsonschema_description:"The conversation's ID."`
}

// Conversation is a channel, direct message or group message.
type Conversation struct {
	ID         string `json:"id" jsonschema_description:"By which it is known for ever."`
	Name       string `json:"name,omitempty" jsonschema_description:"Its name, without #. Direct messages have none."`
	IsPrivate  bool   `json:"is_private,omitempty" jsonschema_description:"Whether only its members see it."`
	IsArchived bool   `json:"is_archived,omitempty" jsonschema_description:"Whether it is archived."`
	IsGeneral  bool   `json:"is_general,omitempty" jsonschema_description:"Whether it is the channel that everybody is in."`
	IsMember   bool   `json:"is_member,omitempty" jsonschema_description:"Whether the bot is in it."`
	IsIM       bool   `json:"is_im,omitempty" jsonschema_description:"Whether it is a direct message with one person."`
	IsMPIM     bool   `json:"is_mpim,omitempty" jsonschema_description:"Whether it is a group message."`
	IsShared   bool   `json:"is_ext_shared,omitempty" jsonschema_description:"Whether it is shared with another organisation."`
	User       string `json:"user,omitempty" jsonschema_description:"The other person of a direct message."`
	Creator    string `json:"creator,omitempty" jsonschema_description:"Who made it."`
	Created    int64  `json:"created,omitempty" jsonschema_description:"When, in seconds since 1970."`
	NumMembers int64  `json:"num_members,omitempty" jsonschema_description:"How many are in it, where Slack says so."`
	Topic      Said   `json:"topic,omitzero" jsonschema_description:"Its topic."`
	Purpose    Said   `json:"purpose,omitzero" jsonschema_description:"Its description."`
}

// Said is a topic or description.
type Said struct {
	Value string `json:"value" jsonschema_description:"The text."`
}

// maxListed bounds a list, maxPage a page of it.
const (
	maxListed = 10_000
	maxPage   = 200 // what Slack recommends; https://docs.slack.dev/apis/web-api/pagination
)

// Window is which part of a list is wanted.
type Window struct {
	Limit  int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=10000,default=1000" jsonschema_description:"How many to look at, at the most."`
	Cursor string `json:"cursor,omitempty" jsonschema_description:"Where to go on: the next_cursor of an earlier answer."`
}

// paged is what every page of a list has.
type paged[T any] struct {
	Channels []T `json:"channels"`
	Members  []T `json:"members"`
	Metadata struct {
		NextCursor string `json:"next_cursor"`
	} `json:"response_metadata"`
}

// all reads pages until there are no more, or the window is full; next is where to go on then.
func all[T any](ctx context.Context, s *Slack, method string, a args, w Window, keep func(T) bool) (out []T, next string, err error) {
	out = []T{}
	left := w.Limit
	if left <= 0 || left > maxListed {
		left = 1000
	}
	seen := map[string]bool{}
	for next = w.Cursor; ; {
		a["cursor"], a["limit"] = next, min(left, maxPage)
		var page paged[T]
		if err := s.call(ctx, method, a, &page); err != nil {
			return nil, "", err
		}
		got := append(page.Channels, page.Members...)
		for _, x := range got {
			if keep == nil || keep(x) {
				out = append(out, x)
			}
		}
		next, left = page.Metadata.NextCursor, left-len(got)
		if seen[next] {
			return nil, "", gateway.Errorf(gateway.Unavailable, "slack: %s: its pages go round in a circle", method)
		}
		seen[next] = true
		if next == "" || left <= 0 {
			return out, next, nil
		}
	}
}

func (s *Slack) getConversation(ctx context.Context, in Place) (Conversation, error) {
	var out struct {
		Channel Conversation `json:"channel"`
	}
	err := s.call(ctx, "conversations.info", args{"channel": in.Channel, "include_num_members": true}, &out)
	if err == nil && out.Channel.ID == "" {
		err = unnamed("conversations.info", "conversation")
	}
	return out.Channel, err
}

// unnamed is an answer that lacks what it was asked for.
func unnamed(method, what string) error {
	return gateway.Errorf(after(method), "slack: %s named no %s", method, what)
}

// ListConversations is the input of list-conversations.
type ListConversations struct {
	Window
	Types           []string `json:"types,omitempty" jsonschema:"uniqueItems=true,enum=public_channel,enum=private_channel,enum=mpim,enum=im" jsonschema_description:"What kinds: public_channel, private_channel, mpim, im. Public channels where it is not given."`
	ExcludeArchived bool     `json:"exclude_archived,omitempty" jsonschema_description:"Whether to leave archived ones out."`
	TeamID          string   `json:"team_id,omitempty" jsonschema_description:"The workspace, where the app is installed for a whole organisation."`
}

// Conversations is its answer.
type Conversations struct {
	Conversations []Conversation `json:"conversations" jsonschema_description:"The conversations."`
	NextCursor    string         `json:"next_cursor,omitempty" jsonschema_description:"Where to go on. Absent: these are all."`
}

func (s *Slack) listConversations(ctx context.Context, in ListConversations) (Conversations, error) {
	a := args{"types": strings.Join(in.Types, ","), "team_id": in.TeamID}
	if in.ExcludeArchived {
		a["exclude_archived"] = true
	}
	list, next, err := all[Conversation](ctx, s, "conversations.list", a, in.Window, nil)
	return Conversations{list, next}, err
}

// ListMembers is the input of list-conversation-members.
type ListMembers struct {
	Place
	Window
}

// Members are people, by their IDs.
type Members struct {
	Members    []string `json:"members" jsonschema_description:"Their user IDs."`
	NextCursor string   `json:"next_cursor,omitempty" jsonschema_description:"Where to go on. Absent: these are all."`
}

func (s *Slack) listMembers(ctx context.Context, in ListMembers) (Members, error) {
	list, next, err := all[string](ctx, s, "conversations.members", args{"channel": in.Channel}, in.Window, nil)
	return Members{list, next}, err
}

// OpenConversation is the input of open-conversation.
type OpenConversation struct {
	Users []string `json:"users" choices:"users" jsonschema:"minItems=1,maxItems=8,uniqueItems=true" jsonschema_description:"The people beside the bot."`
}

func (s *Slack) openConversation(ctx context.Context, in OpenConversation) (Place, error) {
	id, err := s.open(ctx, in.Users)
	return Place{id}, err
}

// RenameConversation is the input of rename-conversation.
type RenameConversation struct {
	Place
	Name string `json:"name" jsonschema:"minLength=1,maxLength=80" jsonschema_description:"The new name: lower case letters, digits, - and _."`
}

// Renamed is its answer.
type Renamed struct {
	Done
	Name     string `json:"name" jsonschema_description:"The name that it has now. Slack may have changed the one that was wanted."`
	Previous string `json:"previous_name" jsonschema_description:"The name that it had before."`
}

// renameConversation asks for the name first: Slack sends no event where nothing changes, and a name that was expected for nothing would
// later be taken for ours when a person gives it.
func (s *Slack) renameConversation(ctx context.Context, in RenameConversation) (Renamed, error) {
	call := gateway.CallOf(ctx)
	var before attempted
	again := call.Saved(&before)
	now, err := s.getConversation(ctx, in.Place)
	if err != nil {
		return Renamed{}, err
	}
	if now.Name == in.Name && !again {
		return Renamed{Done{true}, now.Name, now.Name}, nil
	}
	var out struct {
		Channel Conversation `json:"channel"`
	}
	a := act{
		method: "conversations.rename", channel: in.Channel, args: args{"channel": in.Channel, "name": in.Name},
		echoes: []string{ref("renamed", in.Channel, in.Name), ref("said-renamed", in.Channel, in.Name)},
	}
	if _, err := s.perform(ctx, a, &out); err != nil {
		return Renamed{}, err
	}
	name := first(out.Channel.Name, in.Name)
	if name != in.Name {
		call.Caused(echoesAs(ctx, []string{ref("renamed", in.Channel, name), ref("said-renamed", in.Channel, name)})...)
	}
	return Renamed{Name: name, Previous: now.Name}, nil
}

// SetTopic is the input of set-topic.
type SetTopic struct {
	Place
	Topic string `json:"topic" jsonschema:"maxLength=250" jsonschema_description:"The topic; empty to take it away."`
}

func (s *Slack) setTopic(ctx context.Context, in SetTopic) (Done, error) {
	return s.done(ctx, act{
		method: "conversations.setTopic", channel: in.Channel, args: args{"channel": in.Channel, "topic": given(in.Topic)},
		echoes: []string{textRef("said-topic", in.Channel, in.Topic)},
	})
}

func (s *Slack) archiveConversation(ctx context.Context, in Place) (Done, error) {
	return s.done(ctx, act{
		method: "conversations.archive", channel: in.Channel, args: args{"channel": in.Channel}, same: []string{"already_archived"},
		echoes: []string{ref("archived", in.Channel), ref("said-archived", in.Channel)},
	})
}

func (s *Slack) joinConversation(ctx context.Context, in Place) (Done, error) {
	var out struct {
		Warning string `json:"warning"`
	}
	me := s.config.BotUserID
	_, err := s.perform(ctx, act{
		method: "conversations.join", args: args{"channel": in.Channel},
		echoes: []string{ref("joined", in.Channel, me), ref("said-joined", in.Channel, me)},
	}, &out)
	return Done{out.Warning == "already_in_channel"}, err
}

func (s *Slack) leaveConversation(ctx context.Context, in Place) (Done, error) {
	var out struct {
		Absent bool `json:"not_in_channel"`
	}
	_, err := s.perform(ctx, act{
		method: "conversations.leave", args: args{"channel": in.Channel}, same: []string{"not_in_channel"},
		echoes: []string{ref("left", in.Channel), ref("left", in.Channel, s.config.BotUserID)},
	}, &out)
	return Done{out.Absent}, err
}

// Kick is the input of kick-from-conversation.
type Kick struct {
	Place
	User string `json:"user" choices:"users" jsonschema:"minLength=1" jsonschema_description:"Who is to go."`
}

// kick removes somebody. Slack says not_in_channel both of the bot and of the person: whoever has joined knows which.
func (s *Slack) kick(ctx context.Context, in Kick) (Done, error) {
	a := act{
		method: "conversations.kick", args: args{"channel": in.Channel, "user": in.User}, gone: []string{"not_in_channel"},
		echoes: []string{ref("left", in.Channel, in.User)},
	}
	d, err := s.done(ctx, a)
	if !refusedAs(err, "not_in_channel") {
		return d, err
	}
	here, e := s.getConversation(ctx, in.Place)
	switch {
	case e != nil:
		return d, err
	case here.IsMember:
		return Done{true}, nil
	case acting(ctx):
		return d, err
	}
	if s.call(ctx, "conversations.join", args{"channel": in.Channel}, nil) != nil {
		return d, err
	}
	a.same, a.gone = []string{"not_in_channel"}, nil
	same, err := s.perform(ctx, a, nil)
	return Done{same || refusedAs(err, a.same...)}, withoutRefusal(err, a.same...)
}

// withoutRefusal takes one of these refusals for success.
func withoutRefusal(err error, codes ...string) error {
	if refusedAs(err, codes...) {
		return nil
	}
	return err
}

// Invite is the input of invite-to-conversation.
type Invite struct {
	Place
	Users []string `json:"users" choices:"users" jsonschema:"minItems=1,maxItems=100,uniqueItems=true" jsonschema_description:"Who is to come."`
}

// Invited is its answer.
type Invited struct {
	Invited []string   `json:"invited" jsonschema_description:"Who came."`
	Already []string   `json:"already,omitempty" jsonschema_description:"Who was there before."`
	Failed  []Rejected `json:"failed,omitempty" jsonschema_description:"Who could not be brought in, and why."`
}

// Rejected is one person of several for whom something did not work.
type Rejected struct {
	User  string `json:"user" jsonschema_description:"Who."`
	Error string `json:"error" jsonschema_description:"Slack's word for the reason."`
}

func (s *Slack) invite(ctx context.Context, in Invite) (Invited, error) {
	a := act{method: "conversations.invite", channel: in.Channel, args: args{"channel": in.Channel, "users": strings.Join(in.Users, ",")}}
	if len(in.Users) > 1 {
		a.args["force"] = true // who can come comes
	}
	for _, u := range in.Users {
		a.echoes = append(a.echoes, ref("joined", in.Channel, u), ref("said-joined", in.Channel, u))
	}
	return s.invited(ctx, in, a)
}
