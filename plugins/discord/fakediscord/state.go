package fakediscord

import (
	"slices"
	"strings"
	"time"
)

// Channel types.
const (
	TextChannel    = 0
	directMessages = 1
	VoiceChannel   = 2
	Category       = 4
	NewsChannel    = 5
	newsThread     = 10
	publicThread   = 11
	privateThread  = 12
	StageChannel   = 13
	ForumChannel   = 15
)

type user struct {
	id, name, global string
	bot              bool
	email            string
	verified         bool
	noDMs            bool
}

// Guild is a server of the fake Discord. Its methods that take an actor are what people do there.
type Guild struct {
	s        *Server
	id, name string
	owner    string
	bot      bool // the app's bot is a member
	commands bool // the app may have commands here
	members  map[string]*member
	roles    map[string]*role
	channels map[string]*channel
	bans     map[string]ban
	audit    []*auditEntry
}

type ban struct{ reason string }

type member struct {
	user    *user
	nick    string
	roles   []string
	joined  time.Time
	mute    bool
	deaf    bool
	timeout time.Time
	voice   *voice
}

func (m *member) timedOut(now time.Time) bool { return m.timeout.After(now) }

// voice is where and how a member is in voice.
type voice struct {
	channel                                   string
	selfMute, selfDeaf, selfVideo, selfStream bool
}

type role struct {
	id, name           string
	perms              uint64
	position           int
	color              int
	hoist, mentionable bool
	managed            bool
	bot                string
}

type channel struct {
	srv        *Server
	g          *Guild // nil for direct messages
	id, name   string
	typ        int
	topic      string
	parent     string
	position   int
	slow       int
	nsfw       bool
	bitrate    int
	userLimit  int
	overwrites []overwrite
	messages   map[string]*message
	order      []*message // oldest first
	thread     *thread
	recipient  string // of direct messages
	lastPin    time.Time
}

type thread struct {
	owner             string
	archived, locked  bool
	invitable         bool
	archivedAt, begun time.Time
	minutes           int
	members           []string
	sent              int
}

type message struct {
	c            *channel
	id           string
	typ          int
	author       string
	content      string
	embeds       []any
	components   []any
	nonce        any
	tts          bool
	mentionAll   bool
	mentions     []string
	mentionRoles []string
	flags        int
	posted       time.Time
	edited       time.Time
	pinned       time.Time
	reactions    []*reaction
	poll         *poll
	reference    object
	replyTo      *message
	thread       string
	webhook      string
	interaction  object
	whisperTo    string // ephemeral: who sees it
	deleted      bool
	loading      bool // a deferred answer
}

type reaction struct {
	name, id string
	users    []string
	has      map[string]bool
}

func isVoice(typ int) bool { return typ == VoiceChannel || typ == StageChannel }

// textual says whether messages can be there.
func (c *channel) textual() bool {
	return c.typ != Category && c.typ != ForumChannel
}

func (c *channel) add(m *message) {
	m.c = c
	if c.messages == nil {
		c.messages = map[string]*message{}
	}
	c.messages[m.id] = m
	if m.whisperTo == "" {
		c.order = append(c.order, m)
	}
}

func (c *channel) remove(m *message) {
	m.deleted = true
	delete(c.messages, m.id)
	c.order = slices.DeleteFunc(c.order, func(x *message) bool { return x == m })
}

// guild finds a guild by its ID. The caller holds s.mu.
func (s *Server) guild(id string) *Guild {
	for _, g := range s.guilds {
		if g.id == id {
			return g
		}
	}
	return nil
}

// channel finds any channel. The caller holds s.mu.
func (s *Server) channel(id string) *channel {
	for _, g := range s.guilds {
		if c := g.channels[id]; c != nil {
			return c
		}
	}
	return s.dmByID[id]
}

// UserOption says more about an account for [Server.AddUser].
type UserOption func(*user)

// Email gives the account an address, and says whether it is verified.
func Email(address string, verified bool) UserOption {
	return func(u *user) { u.email, u.verified = address, verified }
}

// GlobalName gives the account a display name.
func GlobalName(name string) UserOption { return func(u *user) { u.global = name } }

// BotAccount makes it another app's bot.
func BotAccount() UserOption { return func(u *user) { u.bot = true } }

// NoDMs closes the account's direct messages.
func NoDMs() UserOption { return func(u *user) { u.noDMs = true } }

// AddUser makes an account. The ID is a decimal number.
func (s *Server) AddUser(id, name string, o ...UserOption) {
	u := &user{id: id, name: name}
	for _, f := range o {
		f(u)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[id] = u
}

// AddGuild makes a guild without the bot, with one member, its owner, and the role @everyone.
func (s *Server) AddGuild(id, name, owner string) *Guild {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &Guild{
		s: s, id: id, name: name, owner: owner, members: map[string]*member{}, roles: map[string]*role{},
		channels: map[string]*channel{}, bans: map[string]ban{},
	}
	g.roles[id] = &role{id: id, name: "@everyone", perms: PermEveryone}
	s.guilds = append(s.guilds, g)
	g.add(owner)
	return g
}

// Guild finds a guild, also one that the test did not make itself; nil if there is none.
func (s *Server) Guild(id string) *Guild {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guild(id)
}

// ID is the guild's ID.
func (g *Guild) ID() string { return g.id }

// add makes somebody a member, silently. The caller holds s.mu.
func (g *Guild) add(id string, roles ...string) *member {
	u := g.s.users[id]
	if u == nil {
		u = &user{id: id, name: "user" + id}
		g.s.users[id] = u
	}
	m := &member{user: u, roles: roles, joined: g.s.opt.Now()}
	g.members[id] = m
	return m
}

// AddMember makes an account a member without telling anybody; it makes the account if there is none. See [Guild.Join]
// for somebody who joins later.
func (g *Guild) AddMember(id string, roles ...string) *Guild {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.add(id, roles...)
	return g
}

// AddMembers makes n members with IDs from first on: for large guilds.
func (g *Guild) AddMembers(first uint64, n int, roles ...string) *Guild {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	for i := range n {
		g.add(idText(first+uint64(i)), slices.Clone(roles)...)
	}
	return g
}

// AddRole makes a role above all roles so far but the bot's, silently.
func (g *Guild) AddRole(id, name string, perms uint64) *Guild {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.addRole(&role{id: id, name: name, perms: perms})
	return g
}

// addRole puts a role below the bot's own. The caller holds s.mu.
func (g *Guild) addRole(r *role) {
	top := 0
	for _, x := range g.roles {
		if x.bot == "" {
			top = max(top, x.position)
		}
	}
	r.position = top + 1
	for _, x := range g.roles {
		if x.bot != "" {
			x.position = max(x.position, r.position+1)
		}
	}
	g.roles[r.id] = r
}

// RaiseRole puts a role above all others, the bot's too: the bot cannot give it any more, nor act on who has it.
func (g *Guild) RaiseRole(id string) *Guild {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	top := 0
	for _, x := range g.roles {
		top = max(top, x.position)
	}
	if r := g.roles[id]; r != nil {
		r.position = top + 1
	}
	return g
}

// AddChannel makes a channel of a type such as [TextChannel], silently. People who have VIEW_CHANNEL see it.
func (g *Guild) AddChannel(id, name string, typ int) *Guild {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.channels[id] = &channel{srv: g.s, g: g, id: id, name: name, typ: typ, position: len(g.channels), bitrate: 64000}
	return g
}

// SetOverwrite gives a role or a member (isMember) an exception in a channel, silently.
func (g *Guild) SetOverwrite(channelID, id string, isMember bool, allow, deny uint64) *Guild {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	if c := g.channels[channelID]; c != nil {
		c.setOverwrite(overwrite{id, isMember, allow, deny})
	}
	return g
}

func (c *channel) setOverwrite(o overwrite) {
	c.overwrites = slices.DeleteFunc(c.overwrites, func(x overwrite) bool { return x.id == o.id })
	c.overwrites = append(c.overwrites, o)
}

// Install makes the bot a member, with a role of its own that has the permissions, silently; as after an installation
// that went through OAuth. See [Server.Authorize] for playing that.
func (g *Guild) Install(perms uint64) *Guild {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.install(perms)
	return g
}

// install adds the bot and its managed role. The caller holds s.mu.
func (g *Guild) install(perms uint64) {
	me := g.s.app.BotUser
	var own *role
	top := 0
	for _, r := range g.roles {
		top = max(top, r.position)
		if r.bot == me {
			own = r
		}
	}
	if own == nil {
		own = &role{id: g.s.snowflake(), name: g.s.users[me].name, position: top + 1, managed: true, bot: me}
		g.roles[own.id] = own
	}
	own.perms = perms
	g.bot, g.commands = true, true
	if g.members[me] == nil {
		g.add(me, own.id)
	}
}

// SetBotPermissions changes what the bot's own role may, and tells of the change.
func (g *Guild) SetBotPermissions(perms uint64) {
	s := g.s
	s.mu.Lock()
	for _, r := range g.roles {
		if r.bot == s.app.BotUser {
			r.perms = perms
			g.emit("GUILD_ROLE_UPDATE", object{"guild_id": g.id, "role": r.show()}, nil)
		}
	}
	s.mu.Unlock()
	s.settle()
}

func hasNonSpace(s string) bool { return strings.TrimSpace(s) != "" }
