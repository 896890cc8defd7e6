package discord

import "encoding/json"

// User is an account.
type User struct {
	ID         string `json:"id" jsonschema_description:"By which it is known for ever."`
	Username   string `json:"username,omitempty" jsonschema_description:"The name that nobody else has."`
	GlobalName string `json:"global_name,omitempty" jsonschema_description:"The name by which people know it."`
	Bot        bool   `json:"bot,omitempty" jsonschema_description:"Whether it is a program."`
}

// Member is somebody in the server.
type Member struct {
	User     User     `json:"user" jsonschema_description:"The account."`
	Nick     string   `json:"nick,omitempty" jsonschema_description:"The name in this server."`
	Roles    []string `json:"roles" jsonschema_description:"The IDs of the roles."`
	JoinedAt string   `json:"joined_at,omitempty" jsonschema_description:"Since when."`
	Timeout  string   `json:"communication_disabled_until,omitempty" jsonschema_description:"Until when they cannot write or speak."`
	Deaf     bool     `json:"deaf,omitempty" jsonschema_description:"Whether they are deafened in voice channels."`
	Mute     bool     `json:"mute,omitempty" jsonschema_description:"Whether they are muted in voice channels."`
	Pending  bool     `json:"pending,omitempty" jsonschema_description:"Whether they have not accepted the rules yet."`
}

// Role is one of the server's roles.
type Role struct {
	ID          string `json:"id" jsonschema_description:"By which it is known for ever. Everybody's has the server's ID."`
	Name        string `json:"name,omitempty" jsonschema_description:"Its name."`
	Permissions string `json:"permissions,omitempty" jsonschema_description:"What it allows in the whole server, as a number."`
	Position    int    `json:"position,omitempty" jsonschema_description:"Its place: higher ones rule over lower ones."`
	Managed     bool   `json:"managed,omitempty" jsonschema_description:"Whether it belongs to an integration and cannot be given."`
	Mentionable bool   `json:"mentionable,omitempty" jsonschema_description:"Whether everybody may mention it."`
	Hoist       bool   `json:"hoist,omitempty" jsonschema_description:"Whether its members are listed apart."`
}

// Channel is a channel or thread.
type Channel struct {
	ID         string      `json:"id" jsonschema_description:"By which it is known for ever."`
	Type       int         `json:"type" jsonschema_description:"Discord's number of its kind: 0 text, 2 voice, 4 category, 5 announcements, 10 to 12 threads, 13 stage, 15 forum."`
	Name       string      `json:"name,omitempty" jsonschema_description:"Its name."`
	Topic      string      `json:"topic,omitempty" jsonschema_description:"What it is about."`
	ParentID   string      `json:"parent_id,omitempty" jsonschema_description:"The category, or the channel of a thread."`
	Position   int         `json:"position,omitempty" jsonschema_description:"Its place."`
	NSFW       bool        `json:"nsfw,omitempty" jsonschema_description:"Whether it is for adults only."`
	Slowmode   int         `json:"rate_limit_per_user,omitempty" jsonschema_description:"How many seconds everybody has to wait between messages."`
	OwnerID    string      `json:"owner_id,omitempty" jsonschema_description:"Who made the thread."`
	Thread     *ThreadData `json:"thread_metadata,omitempty" jsonschema_description:"What is said of threads only."`
	Overwrites []Overwrite `json:"permission_overwrites,omitempty" jsonschema_description:"What is different here from the whole server."`
}

// ThreadData is what is said of threads.
type ThreadData struct {
	Archived bool `json:"archived" jsonschema_description:"Whether it is put away."`
	Locked   bool `json:"locked,omitempty" jsonschema_description:"Whether only moderators can take it out again."`
}

// Overwrite is what is different in a channel for a role or a member.
type Overwrite struct {
	ID    string `json:"id" jsonschema_description:"The role or the member."`
	Type  int    `json:"type" jsonschema_description:"0: a role, 1: a member."`
	Allow string `json:"allow" jsonschema_description:"What is allowed, as a number."`
	Deny  string `json:"deny" jsonschema_description:"What is denied, as a number."`
}

// Post is a message as it is read.
type Post struct {
	ID         string          `json:"id" jsonschema_description:"By which it is known for ever."`
	ChannelID  string          `json:"channel_id" jsonschema_description:"Where it is."`
	Author     User            `json:"author" jsonschema_description:"Who posted it."`
	Content    string          `json:"content" jsonschema_description:"Its text, empty without the intent MESSAGE_CONTENT."`
	Timestamp  string          `json:"timestamp,omitempty" jsonschema_description:"When."`
	Edited     string          `json:"edited_timestamp,omitempty" jsonschema_description:"When it was edited last."`
	Pinned     bool            `json:"pinned,omitempty" jsonschema_description:"Whether it is pinned."`
	Type       int             `json:"type,omitempty" jsonschema_description:"Discord's number of its kind: 0 a message, 19 a reply."`
	Embeds     []free          `json:"embeds,omitempty" jsonschema_description:"What is shown in boxes."`
	Reactions  []ReactionCount `json:"reactions,omitempty" jsonschema_description:"How often people reacted with what."`
	Poll       free            `json:"poll,omitempty" jsonschema_description:"The poll in it."`
	Nonce      json.RawMessage `json:"nonce,omitempty" jsonschema_description:"What the program that posted it calls it."`
	Components []free          `json:"components,omitempty" jsonschema_description:"Buttons and menus."`
}

// free is an object of Discord's, passed on as it is.
type free map[string]any

// ReactionCount is how often people reacted with one emoji.
type ReactionCount struct {
	Count int   `json:"count" jsonschema_description:"How many did."`
	Emoji Emoji `json:"emoji" jsonschema_description:"With what."`
}

// Emoji is one of Unicode's, which has no ID, or of a server's.
type Emoji struct {
	ID   string `json:"id,omitempty" jsonschema_description:"Of a server's own."`
	Name string `json:"name,omitempty" jsonschema_description:"The character, or the name of a server's own."`
}

// Ban is somebody who may not come in.
type Ban struct {
	Reason string `json:"reason,omitempty" jsonschema_description:"Why."`
	User   User   `json:"user" jsonschema_description:"Who."`
}

// Reasoned is the reason of an act, which the server's audit log keeps.
type Reasoned struct {
	Reason string `json:"reason,omitempty" jsonschema:"maxLength=512" jsonschema_description:"Why: it stands in the server's audit log."`
}

// Page says which part of a list is wanted.
type Page struct {
	After string `json:"after,omitempty" jsonschema:"pattern=^[0-9]*$,maxLength=20" jsonschema_description:"Where to go on: next of the answer before. Absent: from the beginning."`
	Limit int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=1000,default=100" jsonschema_description:"How many at the most."`
}

// Done is the answer of an action that makes something so.
type Done struct {
	Already bool `json:"already,omitempty" jsonschema_description:"Whether it was so before, and nothing was done."`
}
