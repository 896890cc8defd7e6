package fakeslack

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"
	"time"
)

// Workspace is one Slack workspace. Make it with [Server.AddWorkspace].
type Workspace struct {
	s          *Server
	id         string
	name       string
	domain     string
	enterprise string

	users      map[string]*user
	channels   map[string]*channel
	ephemerals []*ephemeral
	groups     map[string]*userGroup
	views      map[string]*view
	homes      map[string]*view // published App Home by user
	scheduled  map[string]*scheduled

	install *install
}

// install is the app in one workspace, or in all workspaces of one organisation.
type install struct {
	botUser, botID string
	token          *token
	org            bool
}

type user struct {
	id, name, realName, email string
	unconfirmed               bool // Slack has not made sure of the address
	admin, owner, bot         bool
	deleted                   bool
	created                   time.Time
}

type kind string

const (
	kindPublic  kind = "channel"
	kindPrivate kind = "group"
	kindIM      kind = "im"
	kindMPIM    kind = "mpim"
)

type channel struct {
	id, name      string
	kind          kind
	archived      bool
	general       bool
	creator       string
	created       time.Time
	members       []string
	topic         note
	purpose       note
	previousNames []string
	messages      []*message // in order of ts
	pins          []pin      // newest last
}

type note struct {
	value, creator string
	at             time.Time
}

type pin struct {
	ts, by string
	at     time.Time
}

type message struct {
	ts, user, botID, subtype   string
	username                   string
	text                       string
	blocks                     []any
	attachments                []any
	metadata                   object
	threadTS                   string
	broadcast                  bool
	editedBy, editedTS         string
	deleted                    bool
	clientID                   string
	reactions                  []*reaction
	extra                      object // fields of system messages: inviter, old_name, name, topic
	ephemeral                  bool
	postedByApp, userTokenUsed bool
}

type reaction struct {
	name  string
	users []string
}

type ephemeral struct {
	channel, user string
	msg           *message
}

type userGroup struct {
	id, name, handle string
	users            []string
	disabled         bool
	updated          time.Time
}

type scheduled struct {
	id, channel string
	at          int64
	msg         *message
}

// UserOption changes a user that [Workspace.AddUser] adds.
type UserOption func(*user)

// Admin makes the user an administrator of the workspace.
func Admin() UserOption { return func(u *user) { u.admin = true } }

// Owner makes the user an owner, and so an administrator.
func Owner() UserOption { return func(u *user) { u.owner, u.admin = true, true } }

// Bot makes the user another app's bot.
func Bot() UserOption { return func(u *user) { u.bot = true } }

// Deleted makes the user a deactivated one.
func Deleted() UserOption { return func(u *user) { u.deleted = true } }

// Email gives the user an address; without it there is none.
func Email(address string) UserOption { return func(u *user) { u.email = address } }

// Unconfirmed says that Slack has not made sure of the user's address.
func Unconfirmed() UserOption { return func(u *user) { u.unconfirmed = true } }

// RealName gives the user a full name; without it the name serves.
func RealName(name string) UserOption { return func(u *user) { u.realName = name } }

// AddWorkspace adds a workspace, or returns the one with that id.
func (s *Server) AddWorkspace(id, name string) *Workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.workspace(id); w != nil {
		return w
	}
	w := &Workspace{
		s: s, id: id, name: name, domain: strings.ToLower(strings.ReplaceAll(name, " ", "-")),
		users: map[string]*user{}, channels: map[string]*channel{}, groups: map[string]*userGroup{},
		views: map[string]*view{}, homes: map[string]*view{}, scheduled: map[string]*scheduled{},
	}
	// Slackbot is in every workspace and, surprisingly, is_bot is false for it.
	w.users["USLACKBOT"] = &user{id: "USLACKBOT", name: "slackbot", realName: "Slackbot", created: s.opt.Now()}
	s.workspaces = append(s.workspaces, w)
	return w
}

func (s *Server) workspace(id string) *Workspace {
	for _, w := range s.workspaces {
		if w.id == id {
			return w
		}
	}
	return nil
}

// ID is the workspace's ID, T….
func (w *Workspace) ID() string { return w.id }

// InEnterprise puts the workspace into an Enterprise Grid organisation, so that the app can be installed org-wide.
func (w *Workspace) InEnterprise(id, name string) *Workspace {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.enterprises[id] = name
	w.enterprise = id
	return w
}

// AddUser adds a member to the workspace, without events. It returns the user's ID.
func (w *Workspace) AddUser(id, name string, o ...UserOption) string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	u := &user{id: id, name: name, realName: name, created: w.s.opt.Now()}
	for _, f := range o {
		f(u)
	}
	w.users[id] = u
	return id
}

// Channel is a channel as [Workspace.AddChannel] returns it, to say more about it.
type Channel struct {
	w *Workspace
	c *channel
}

// AddChannel adds a public channel with these members, without events. The first member is its creator.
func (w *Workspace) AddChannel(id, name string, members ...string) *Channel {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	c := &channel{id: id, name: name, kind: kindPublic, created: w.s.opt.Now(), general: name == "general"}
	for _, m := range members {
		c.add(m)
	}
	if len(c.members) > 0 {
		c.creator = c.members[0]
	}
	w.channels[id] = c
	return &Channel{w, c}
}

func (c *Channel) change(f func(*channel)) *Channel {
	c.w.s.mu.Lock()
	defer c.w.s.mu.Unlock()
	f(c.c)
	return c
}

// ID is the channel's ID.
func (c *Channel) ID() string { return c.c.id }

// Private makes the channel private: only its members know of it.
func (c *Channel) Private() *Channel { return c.change(func(c *channel) { c.kind = kindPrivate }) }

// Archived archives the channel, without events.
func (c *Channel) Archived() *Channel { return c.change(func(c *channel) { c.archived = true }) }

// With adds members, without events.
func (c *Channel) With(users ...string) *Channel {
	return c.change(func(c *channel) {
		for _, u := range users {
			c.add(u)
		}
	})
}

// WithApp adds the app's bot user, without events. The app must be installed.
func (c *Channel) WithApp() *Channel { return c.With(c.w.BotUserID()) }

// AddUserGroup adds a user group (subteam) with these members, without events.
func (w *Workspace) AddUserGroup(id, handle string, users ...string) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.groups[id] = &userGroup{id: id, name: handle, handle: handle, users: slices.Clone(users), updated: w.s.opt.Now()}
}

func (c *channel) has(user string) bool { return slices.Contains(c.members, user) }

func (c *channel) add(user string) bool {
	if user == "" || c.has(user) {
		return false
	}
	c.members = append(c.members, user)
	return true
}

func (c *channel) remove(user string) bool {
	i := slices.Index(c.members, user)
	if i < 0 {
		return false
	}
	c.members = slices.Delete(c.members, i, i+1)
	return true
}

func (c *channel) find(ts string) *message {
	for _, m := range c.messages {
		if m.ts == ts && !m.deleted {
			return m
		}
	}
	return nil
}

func (c *channel) pinned(ts string) bool {
	return slices.ContainsFunc(c.pins, func(p pin) bool { return p.ts == ts })
}

// visible says whether a user may know of the channel.
func (c *channel) visible(user string) bool { return c.kind == kindPublic || c.has(user) }

// historyScope is the scope that shows messages of such a channel; the other scopes are named alike.
func (c *channel) scope(suffix string) string {
	switch c.kind {
	case kindPrivate:
		return "groups:" + suffix
	case kindIM:
		return "im:" + suffix
	case kindMPIM:
		return "mpim:" + suffix
	}
	return "channels:" + suffix
}

func (w *Workspace) sortedUsers() []*user {
	out := make([]*user, 0, len(w.users))
	for _, u := range w.users {
		out = append(out, u)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out
}

func (w *Workspace) sortedChannels() []*channel {
	out := make([]*channel, 0, len(w.channels))
	for _, c := range w.channels {
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out
}

// openDM finds or makes the conversation of exactly these people.
func (w *Workspace) openDM(people []string) (c *channel, existed bool) {
	people = slices.Clone(people)
	slices.Sort(people)
	people = slices.Compact(people)
	want := kindIM
	if len(people) > 2 {
		want = kindMPIM
	}
	for _, c := range w.channels {
		have := slices.Sorted(slices.Values(c.members))
		if c.kind == want && slices.Equal(have, people) {
			return c, true
		}
	}
	c = &channel{kind: want, created: w.s.opt.Now(), members: people}
	if want == kindIM {
		c.id = w.s.id("D")
	} else {
		c.id = w.s.id("G")
		names := make([]string, 0, len(people))
		for _, p := range people {
			if u := w.users[p]; u != nil {
				names = append(names, u.name)
			}
		}
		c.name = "mpdm-" + strings.Join(names, "--") + "-1"
	}
	w.channels[c.id] = c
	return c, false
}

func rawJSON(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// Workspace returns a workspace by ID, or nil.
func (s *Server) Workspace(id string) *Workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.workspace(id)
}
