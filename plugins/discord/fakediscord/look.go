package fakediscord

import (
	"slices"
	"time"
)

// Message is a message as it is now.
type Message struct {
	ID, Channel, Author, Content string
	Type, Flags                  int
	Components, Embeds           []any
	Reactions                    map[string][]string // who, by emoji
	Votes                        [][]string          // of a poll: who, by answer
	PollOver                     bool                // nobody can vote any more
	Pinned, Edited, Loading      bool
	WhisperTo                    string // ephemeral: who sees it
	Posted                       time.Time
}

// seen copies a message. The caller holds s.mu.
func (m *message) seen() Message {
	out := Message{ID: m.id, Channel: m.c.id, Author: m.author, Content: m.content, Type: m.typ, Flags: m.flags,
		Components: slices.Clone(m.components), Embeds: slices.Clone(m.embeds), Pinned: !m.pinned.IsZero(), Edited: !m.edited.IsZero(),
		Loading: m.loading, WhisperTo: m.whisperTo, Posted: m.posted, Reactions: map[string][]string{}}
	for _, r := range m.reactions {
		key := r.name
		if r.id != "" {
			key += ":" + r.id
		}
		out.Reactions[key] = slices.Clone(r.users)
	}
	if m.poll != nil {
		out.PollOver = m.poll.over(m.c.srv.opt.Now())
		for _, v := range m.poll.votes {
			out.Votes = append(out.Votes, slices.Clone(v))
		}
	}
	return out
}

// Message shows one message; ok is false if there is none (any more).
func (g *Guild) Message(channel, id string) (m Message, ok bool) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	c := g.channels[channel]
	if c == nil || c.messages[id] == nil {
		return Message{}, false
	}
	return c.messages[id].seen(), true
}

// Messages shows what everybody sees in a channel, oldest first.
func (g *Guild) Messages(channel string) []Message {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	c := g.channels[channel]
	if c == nil {
		return nil
	}
	return c.seen()
}

func (c *channel) seen() []Message {
	var out []Message
	for _, m := range c.order {
		out = append(out, m.seen())
	}
	return out
}

// DirectMessages shows what the bot and somebody wrote to each other, oldest first.
func (s *Server) DirectMessages(user string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.dms[user]; c != nil {
		return c.seen()
	}
	return nil
}

// Member is a member as they are now.
type Member struct {
	Nick         string
	Roles        []string
	Mute, Deaf   bool
	TimeoutUntil time.Time
	Voice        string // the channel, or ""
}

// Member shows a member; ok is false if the account is none.
func (g *Guild) Member(user string) (m Member, ok bool) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	x := g.members[user]
	if x == nil {
		return Member{}, false
	}
	m = Member{Nick: x.nick, Roles: slices.Clone(x.roles), Mute: x.mute, Deaf: x.deaf, TimeoutUntil: x.timeout}
	if x.voice != nil {
		m.Voice = x.voice.channel
	}
	return m, true
}

// Banned says whether an account is banned, and why.
func (g *Guild) Banned(user string) (reason string, ok bool) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	b, ok := g.bans[user]
	return b.reason, ok
}

// Channel is a channel or thread as it is now.
type Channel struct {
	ID, Name, Topic, Parent string
	Type, Slowmode          int
	Archived, Locked        bool
}

func (c *channel) look() Channel {
	out := Channel{ID: c.id, Name: c.name, Topic: c.topic, Parent: c.parent, Type: c.typ, Slowmode: c.slow}
	if c.thread != nil {
		out.Archived, out.Locked = c.thread.archived, c.thread.locked
	}
	return out
}

// Channel shows a channel or thread; ok is false if there is none.
func (g *Guild) Channel(id string) (c Channel, ok bool) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	if x := g.channels[id]; x != nil {
		return x.look(), true
	}
	return Channel{}, false
}

// Channels shows all channels and threads, by ID.
func (g *Guild) Channels() []Channel {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	var out []Channel
	for _, c := range g.sortedChannels() {
		out = append(out, c.look())
	}
	return out
}

// Permissions are a member's in a channel, or with an empty channel in the guild.
func (g *Guild) Permissions(user, channel string) uint64 {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	return g.perms(user, g.channels[channel])
}

// AuditEntry is a line of the audit log.
type AuditEntry struct {
	ID                   string
	Action               int
	User, Target, Reason string
}

// Audit shows the audit log, oldest first.
func (g *Guild) Audit() []AuditEntry {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	var out []AuditEntry
	for _, e := range g.audit {
		out = append(out, AuditEntry{e.id, e.action, e.user, e.target, e.reason})
	}
	return out
}

// HasBot says whether the bot is in the guild.
func (g *Guild) HasBot() bool {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	return g.bot
}

// Commands lists the names of the app's commands in a guild, or with an empty ID everywhere.
func (s *Server) Commands(guild string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, c := range s.commands {
		if c.guild == guild {
			out = append(out, c.name)
		}
	}
	return out
}
