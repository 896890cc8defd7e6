package fakediscord

import (
	"regexp"
	"slices"
	"time"
)

// This file changes messages, for people and the app alike. All its functions are called with s.mu held.

// draft is what a message says, checked.
type draft struct {
	content    string
	embeds     []any
	components []any
	flags      int
	tts        bool
	poll       *poll
	mentions   mentionRule
}

// mentionRule is the allowed_mentions of a message.
type mentionRule struct {
	set               bool
	users, roles, all bool
	userIDs, roleIDs  []string
}

var (
	userMention = regexp.MustCompile(`<@!?(\d+)>`)
	roleMention = regexp.MustCompile(`<@&(\d+)>`)
	everyone    = regexp.MustCompile(`@(everyone|here)\b`)
)

// mention finds whom the content notifies, as far as the rule allows.
func (m *message) mention(rule mentionRule) {
	m.mentions, m.mentionRoles, m.mentionAll = nil, nil, false
	for _, x := range userMention.FindAllStringSubmatch(m.content, -1) {
		allowed := !rule.set || rule.users || slices.Contains(rule.userIDs, x[1])
		if allowed && m.c.srv.users[x[1]] != nil && !slices.Contains(m.mentions, x[1]) {
			m.mentions = append(m.mentions, x[1])
		}
	}
	g := m.c.g
	if g == nil {
		return
	}
	mayAll := g.perms(m.author, m.c)&PermMentionEveryone != 0
	for _, x := range roleMention.FindAllStringSubmatch(m.content, -1) {
		role := g.roles[x[1]]
		allowed := !rule.set || rule.roles || slices.Contains(rule.roleIDs, x[1])
		if allowed && role != nil && (role.mentionable || mayAll) && !slices.Contains(m.mentionRoles, x[1]) {
			m.mentionRoles = append(m.mentionRoles, x[1])
		}
	}
	m.mentionAll = mayAll && (!rule.set || rule.all) && everyone.MatchString(m.content)
}

// post adds a message to a channel and tells of it.
func (c *channel) post(m *message) {
	s := c.srv
	m.id, m.posted = s.snowflake(), s.opt.Now()
	c.add(m)
	if c.thread != nil {
		c.thread.sent++
	}
	c.emit("MESSAGE_CREATE", m.event(), m)
	// The nonce is echoed with the message itself, and not kept.
	m.nonce = nil
}

// apply puts a draft into a message.
func (m *message) apply(d draft) {
	m.content, m.embeds, m.components, m.tts = d.content, d.embeds, d.components, d.tts
	m.flags = m.flags&^editableFlags | d.flags
	if d.poll != nil {
		m.poll = d.poll
	}
	m.mention(d.mentions)
}

func (m *message) edit(d draft) {
	m.apply(d)
	m.edited = m.c.srv.opt.Now()
	m.tell()
}

// tell says that a message changed.
func (m *message) tell() {
	if m.whisperTo == "" && !m.deleted {
		m.c.emit("MESSAGE_UPDATE", m.event(), m)
	}
}

func (m *message) delete() {
	m.c.remove(m)
	if m.whisperTo == "" {
		m.c.emit("MESSAGE_DELETE", withGuild(m.c, object{"id": m.id, "channel_id": m.c.id}), nil)
	}
}

func withGuild(c *channel, o object) object {
	if c.g != nil {
		o["guild_id"] = c.g.id
	}
	return o
}

func (c *channel) deleteMany(gone []*message) {
	if len(gone) == 1 {
		gone[0].delete()
		return
	}
	ids := []string{}
	for _, m := range gone {
		c.remove(m)
		ids = append(ids, m.id)
	}
	if len(ids) > 0 {
		c.emit("MESSAGE_DELETE_BULK", withGuild(c, object{"ids": ids, "channel_id": c.id}), nil)
	}
}

// deleteBy deletes for somebody: their own message, or by MANAGE_MESSAGES another's, which the audit log shows.
func (m *message) deleteBy(actor, reason string) error {
	g := m.c.g
	if m.author != actor {
		if g == nil {
			return refuse(50003)
		}
		if g.perms(actor, m.c)&PermManageMessages == 0 {
			return refuse(50013)
		}
		if !deletable(m.typ) {
			return refuse(50021)
		}
		defer g.log(auditEntry{action: AuditMessageDelete, user: actor, target: m.author, reason: reason,
			option: object{"channel_id": m.c.id, "count": "1"}})
	}
	m.delete()
	return nil
}

// deletable says which types of messages can be deleted; 21 is the start of a thread.
func deletable(typ int) bool { return typ != 21 && (typ == 0 || typ > 5) }

// writable says whether somebody may write in a channel now.
func (c *channel) writable(who string) error {
	if c.g == nil {
		u := c.srv.users[c.recipient]
		if who == c.srv.app.BotUser && (u == nil || u.noDMs || !c.srv.shareGuild(c.recipient)) {
			return refuse(50007)
		}
		return nil
	}
	if !c.textual() {
		return refuse(50008)
	}
	if c.thread == nil {
		return c.need(who, PermSendMessages)
	}
	if err := c.need(who, PermSendInThreads); err != nil {
		return err
	}
	manage := c.g.perms(who, c)&PermManageThreads != 0
	switch {
	case c.thread.locked && !manage:
		return refuse(160005)
	case c.thread.archived && c.thread.locked:
		return refuse(50083)
	case c.thread.archived:
		c.setArchived(false)
	}
	c.join(who)
	return nil
}

// slowFor says how long somebody has to wait before they write in a channel again. Bots do not.
func (c *channel) slowFor(who string) time.Duration {
	u := c.srv.users[who]
	if c.slow == 0 || c.g == nil || u == nil || u.bot || c.g.perms(who, c)&(PermManageMessages|PermManageChannels|PermBypassSlowmode) != 0 {
		return 0
	}
	for _, m := range slices.Backward(c.order) {
		if m.author == who {
			return m.posted.Add(time.Duration(c.slow) * time.Second).Sub(c.srv.opt.Now())
		}
	}
	return 0
}

// shareGuild says whether the bot and somebody are together in a guild.
func (s *Server) shareGuild(id string) bool {
	for _, g := range s.guilds {
		if g.bot && g.members[id] != nil {
			return true
		}
	}
	return false
}
